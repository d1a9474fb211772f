/*
 * pool_reserve.c - frames set aside for requests, and pins that last.
 *
 * Two requests that each hold half of what they need would wait for each other for ever. So a
 * request asks for all its frames in one step, and requests queue: the first in the queue is
 * served as soon as there is enough, nobody overtakes it. What long pins hold comes off what
 * there is to give; a request that even an otherwise idle pool could not serve is refused.
 */
#include "pool/pool_internal.h"

/* On its waiter's stack; in the queue until granted, refused or interrupted. */
struct ps_reserve_wait {
    struct ps_reserve_wait *next;
    uint32_t count;
};

static void queue_push(struct ps_pool *pool, struct ps_reserve_wait *w)
{
    ps_assert_held(&pool->reserve_mtx);
    if (pool->reserve_tail)
        pool->reserve_tail->next = w;
    else
        pool->reserve_head = w;
    pool->reserve_tail = w;
}

static void queue_remove(struct ps_pool *pool, struct ps_reserve_wait *w)
{
    struct ps_reserve_wait **link = &pool->reserve_head;
    struct ps_reserve_wait *before = NULL;

    ps_assert_held(&pool->reserve_mtx);
    while (*link != w) {
        before = *link;
        link = &before->next;
    }
    *link = w->next;
    if (pool->reserve_tail == w)
        pool->reserve_tail = before;
    ps_cond_broadcast(&pool->reserve_cond); /* another one is first now */
}

static bool fits(const struct ps_pool *pool, uint32_t count)
{
    return count <= pool->frame_count - pool->long_frames - pool->reserved;
}

static ps_err refuse_if_hopeless(struct ps_pool *pool, uint32_t count)
{
    ps_assert_held(&pool->reserve_mtx);
    if (count <= pool->frame_count - pool->long_frames)
        return PS_OK;
    atomic_fetch_add(&pool->counters.pins_refused, 1);
    return ps_fail(PS_ERR_PINNED, "%u of the pool's %u frames are held by long pins, %u are needed",
                   pool->long_frames, pool->frame_count, count);
}

/* Waits in the queue until count frames can be had, then takes them. */
static ps_err reserve_locked(struct ps_pool *pool, uint32_t count, struct ps_cancel *cancel)
{
    struct ps_reserve_wait w = {.count = count};
    ps_err err = refuse_if_hopeless(pool, count);

    if (err)
        return err;
    if (!pool->reserve_head && fits(pool, count)) {
        pool->reserved += count;
        return PS_OK;
    }
    if (ps_cancel_raised(cancel)) /* who only tries is no waiter */
        return ps_fail(PS_ERR_INTERRUPTED, "interrupted while waiting");
    atomic_fetch_add(&pool->counters.reserve_waits, 1);
    queue_push(pool, &w);
    do {
        err = ps_wait(&pool->reserve_cond, &pool->reserve_mtx, cancel);
        if (!err)
            err = refuse_if_hopeless(pool, count);
    } while (!err && (pool->reserve_head != &w || !fits(pool, count)));
    if (!err)
        pool->reserved += count;
    queue_remove(pool, &w);
    return err;
}

ps_err ps_pool_reserve(struct ps_pool *pool, uint32_t count, struct ps_cancel *cancel)
{
    ps_err err;

    if (count > pool->frame_count)
        return ps_fail(PS_ERR_RANGE, "%u frames are needed, the pool has %u", count,
                       pool->frame_count);
    ps_mutex_lock(&pool->reserve_mtx);
    err = reserve_locked(pool, count, cancel);
    ps_mutex_unlock(&pool->reserve_mtx);
    return err;
}

void ps_pool_release(struct ps_pool *pool, uint32_t count)
{
    ps_mutex_lock(&pool->reserve_mtx);
    assert(pool->reserved >= count);
    pool->reserved -= count;
    if (pool->reserve_head)
        ps_cond_broadcast(&pool->reserve_cond);
    ps_mutex_unlock(&pool->reserve_mtx);
}

bool ps_pool_try_reserve(struct ps_pool *pool, uint32_t count)
{
    bool taken;

    ps_mutex_lock(&pool->reserve_mtx);
    taken = !pool->reserve_head && fits(pool, count) &&
            pool->reserved + pool->long_frames + count <= pool->frame_count / 2;
    if (taken)
        pool->reserved += count;
    ps_mutex_unlock(&pool->reserve_mtx);
    return taken;
}

/* On one page, so that the state word always has room for the pins of requests as well. */
#define LONG_PINS_MAX (PS_ST_PINS / 2)

/* Makes a pin out of a reservation a long one, and gives the reservation back. False: the page has
 * too many, and this one is as it was. */
static bool become_long(struct ps_pool *pool, struct ps_frame *f, uint32_t reserved)
{
    struct ps_frame_cold *cold = ps_frame_cold(pool, f);

    ps_mutex_lock(&pool->reserve_mtx);
    if (cold->long_pins == LONG_PINS_MAX) {
        ps_mutex_unlock(&pool->reserve_mtx);
        return false;
    }
    pool->long_pins++;
    if (cold->long_pins++ == 0)
        pool->long_frames++;
    assert(pool->reserved >= reserved);
    pool->reserved -= reserved;
    if (pool->reserve_head)
        ps_cond_broadcast(&pool->reserve_cond);
    ps_mutex_unlock(&pool->reserve_mtx);
    return true;
}

/* The last frame serves only a page that is resident, because loading one may take a second. */
ps_err ps_pool_long_begin(struct ps_pool *pool, struct ps_cancel *cancel, struct ps_long_pin *ret)
{
    const uint32_t count = 1 + PS_LOAD_FRAMES;
    bool last;
    ps_err err;

    ps_mutex_lock(&pool->reserve_mtx);
    last = pool->frame_count - pool->long_frames < count;
    ps_mutex_unlock(&pool->reserve_mtx);
    *ret = (struct ps_long_pin){
        .reserved = last ? 1 : count,
        .mode = last ? PS_PIN_RESIDENT : PS_PIN_LOAD,
    };
    err = ps_pool_reserve(pool, ret->reserved, cancel);
    if (err)
        ret->reserved = 0;
    return err;
}

void ps_pool_long_cancel(struct ps_pool *pool, const struct ps_long_pin *how)
{
    ps_pool_release(pool, how->reserved);
}

ps_err ps_pool_long_pin(struct ps_pool *pool, const struct ps_long_pin *how,
                        const struct ps_tag *tag, struct ps_page **ret)
{
    struct ps_page *page;
    ps_err err = (ps_pool_pin)(pool, tag, how->mode, NULL, &page);

    if (err) {
        ps_pool_long_cancel(pool, how);
        if (how->mode == PS_PIN_RESIDENT && err == PS_ERR_NOENT) {
            atomic_fetch_add(&pool->counters.pins_refused, 1);
            err =
                ps_fail(PS_ERR_PINNED, "all but one of the pool's %u frames are held by long pins",
                        pool->frame_count);
        }
        return err;
    }
    if (!become_long(pool, ps_frame_of(page), how->reserved)) {
        ps_pool_unpin_frame(pool, ps_frame_of(page));
        ps_pool_long_cancel(pool, how);
        atomic_fetch_add(&pool->counters.pins_refused, 1);
        return ps_fail(PS_ERR_PINNED, "page %u of table %u is pinned %llu times already", tag->page,
                       tag->table, (unsigned long long)LONG_PINS_MAX);
    }
    *ret = page;
    return PS_OK;
}

ps_err(ps_pool_pin_long)(struct ps_pool *pool, const struct ps_tag *tag, struct ps_cancel *cancel,
                         struct ps_page **ret)
{
    struct ps_long_pin how;
    ps_err err = ps_pool_long_begin(pool, cancel, &how);

    return err ? err : ps_pool_long_pin(pool, &how, tag, ret);
}

void ps_pool_unpin_long(struct ps_pool *pool, struct ps_page *page)
{
    struct ps_frame_cold *cold = ps_frame_cold(pool, ps_frame_of(page));

    ps_mutex_lock(&pool->reserve_mtx);
    assert(cold->long_pins > 0 && pool->long_pins > 0);
    pool->long_pins--;
    if (--cold->long_pins == 0)
        pool->long_frames--;
    ps_mutex_unlock(&pool->reserve_mtx);

    ps_pool_unpin(pool, page);

    /* After the unpin: the request that is served now finds the frame free. */
    ps_mutex_lock(&pool->reserve_mtx);
    if (pool->reserve_head)
        ps_cond_broadcast(&pool->reserve_cond);
    ps_mutex_unlock(&pool->reserve_mtx);
}
