/*
 * pool_victim.c - where free frames come from: the free stack, victims, pages thrown away.
 */
#include "pool/pool_internal.h"
#include "pool/pool_map.h"

/* --- beginning and end of a frame's life as a page ------------------------------------------ */

static void wake_load_waiters(struct ps_pool *pool, struct ps_frame *f)
{
    struct ps_load_wait *w = &pool->load_waits[ps_frame_no(pool, f) % PS_POOL_LOAD_WAITS];

    ps_mutex_lock(&w->mtx);
    ps_cond_broadcast(&w->cond);
    ps_mutex_unlock(&w->mtx);
}

void ps_pool_wait_load(struct ps_pool *pool, struct ps_frame *f)
{
    struct ps_load_wait *w = &pool->load_waits[ps_frame_no(pool, f) % PS_POOL_LOAD_WAITS];

    atomic_fetch_add(&pool->counters.load_waits, 1);
    ps_mutex_lock(&w->mtx);
    while (ps_frame_state(f) & PS_ST_LOADING)
        ps_cond_wait(&w->cond, &w->mtx);
    ps_mutex_unlock(&w->mtx);
}

/* `bits`: flags that the state gets in addition to VALID. */
static void publish(struct ps_pool *pool, struct ps_frame *f, uint64_t bits)
{
    uint64_t old;

    ps_frame_cold(pool, f)->load_err = PS_OK;
    ps_pool_policy_insert(pool, f); /* first: from the next step on the frame may be removed */
    old = atomic_fetch_add(f->state, PS_ST_VALID - PS_ST_LOADING + bits);
    assert((old & (PS_ST_FLAGS | PS_ST_USAGE)) == PS_ST_LOADING);
    if (ps_st_pins(old) > 1)
        wake_load_waiters(pool, f);
}

void ps_pool_publish(struct ps_pool *pool, struct ps_frame *f, uint64_t flags)
{
    publish(pool, f, PS_ST_USAGE_ONE + flags);
}

void ps_pool_publish_ahead(struct ps_pool *pool, struct ps_frame *f)
{
    publish(pool, f, PS_ST_SEALED);
}

void ps_pool_abort_load(struct ps_pool *pool, struct ps_frame *f, ps_err err)
{
    const struct ps_pool_key key = ps_pool_key(&f->page.tag);
    struct ps_pool_part *part = ps_pool_map_lock(pool, &key);
    uint64_t old;

    ps_pool_map_unlink(pool, f);
    ps_frame_cold(pool, f)->load_err = err;
    old = atomic_fetch_add(f->state, PS_ST_DETACHED - PS_ST_LOADING + PS_ST_VERSION_ONE);
    assert((old & PS_ST_FLAGS) == PS_ST_LOADING);
    ps_mutex_unlock(&part->mtx);
    if (ps_st_pins(old) > 1)
        wake_load_waiters(pool, f);
}

void ps_pool_wake_victims(struct ps_pool *pool)
{
    if (atomic_load(&pool->victim_waiters) == 0)
        return;
    ps_mutex_lock(&pool->policy_mtx);
    ps_cond_broadcast(&pool->victim_cond);
    ps_mutex_unlock(&pool->policy_mtx);
}

void ps_pool_free_frame(struct ps_pool *pool, struct ps_frame *f)
{
    uint64_t state = ps_frame_state(f);

    assert((state & (PS_ST_FLAGS & ~PS_ST_DETACHED)) == 0);
    atomic_store(f->state, (uint64_t)(ps_st_version(state) + 1u) << PS_ST_VERSION_SHIFT);
    ps_mutex_lock(&pool->policy_mtx);
    assert(pool->free_count < pool->frame_count);
    pool->free_frames[pool->free_count++] = ps_frame_no(pool, f);
    if (atomic_load(&pool->victim_waiters) > 0)
        ps_cond_broadcast(&pool->victim_cond);
    ps_mutex_unlock(&pool->policy_mtx);
}

/* --- victims -------------------------------------------------------------------------------- */

/* Pins a frame that nobody has pinned; with clean_only not a dirty one. */
static bool claim(struct ps_frame *f, bool clean_only)
{
    uint64_t state = ps_frame_state(f);

    while (ps_st_may_go(state, clean_only)) {
        if (atomic_compare_exchange_weak(f->state, &state, state + PS_ST_PIN))
            return true;
    }
    return false;
}

static struct ps_frame *claim_victim(struct ps_pool *pool, bool clean_only)
{
    struct ps_frame *f = NULL;
    uint32_t no;

    ps_assert_held(&pool->policy_mtx);
    pool->choosing = true;
    pool->clean_only = clean_only;
    pool->looked_at = 0;
    do {
        no = pool->evict->ops->victim(pool->evict);
        if (no == PS_NO_FRAME)
            break;
        f = &pool->frames[no];
    } while (!claim(f, clean_only));
    pool->choosing = false;
    pool->clean_only = false;
    atomic_fetch_add(&pool->counters.sweep_frames, pool->looked_at);
    return no == PS_NO_FRAME ? NULL : f;
}

static struct ps_frame *pop_free(struct ps_pool *pool)
{
    struct ps_frame *f;

    ps_assert_held(&pool->policy_mtx);
    if (pool->free_count == 0)
        return NULL;
    f = &pool->frames[pool->free_frames[--pool->free_count]];
    atomic_fetch_add(f->state, PS_ST_PIN);
    return f;
}

/* A free frame, or a victim, pinned; NULL only with clean_only. Whoever unpins looks at
 * victim_waiters after it, and this thread at the frames after raising it, so no frame that becomes
 * evictable is overlooked. */
static struct ps_frame *find_frame(struct ps_pool *pool, bool clean_only)
{
    struct ps_frame *f;
    bool waiting = false;

    ps_mutex_lock(&pool->policy_mtx);
    ps_pool_tell_hits(pool, ps_access_my_stripe());
    for (;;) {
        f = pop_free(pool);
        if (!f)
            f = claim_victim(pool, clean_only);
        if (f || clean_only)
            break;
        if (waiting) {
            atomic_fetch_add(&pool->counters.victim_waits, 1);
            ps_cond_wait(&pool->victim_cond, &pool->policy_mtx);
        } else {
            atomic_fetch_add(&pool->victim_waiters, 1);
        }
        waiting = true;
    }
    if (waiting)
        atomic_fetch_sub(&pool->victim_waiters, 1);
    ps_mutex_unlock(&pool->policy_mtx);
    return f;
}

/* Of the page that was in the frame while that had this state. */
static void report_heat(struct ps_pool *pool, const struct ps_frame *f, uint64_t state)
{
    struct ps_provider *provider = pool->providers[f->page.tag.provider];

    if (provider->ops->evicted)
        provider->ops->evicted(provider, &f->page.tag,
                               ps_frame_heat(f, state, ps_pool_heat_period_seen(pool)));
}

/* Turns a pinned frame PRIVATE if nobody else has pinned it and it is clean. The policy remembers
 * what was evicted, to make room, and not what went for another reason. */
static bool evict(struct ps_pool *pool, struct ps_frame *f, bool evicted)
{
    const struct ps_pool_key key = ps_pool_key(&f->page.tag);
    struct ps_pool_part *part = ps_pool_map_lock(pool, &key);
    uint64_t state = ps_frame_state(f);
    bool alone;

    do {
        alone = (state & PS_ST_VALID) && ps_st_pins(state) == 1 &&
                !(state & (PS_ST_DIRTY | PS_ST_WRITING));
    } while (alone &&
             !atomic_compare_exchange_weak(
                 f->state, &state,
                 ((uint64_t)(ps_st_version(state) + 1u) << PS_ST_VERSION_SHIFT) + PS_ST_PIN));
    if (alone)
        ps_pool_map_unlink(pool, f);
    ps_mutex_unlock(&part->mtx);
    if (alone) {
        ps_pool_policy_remove(pool, f, evicted);
        report_heat(pool, f, state);
    }
    return alone;
}

/* Adds dirty pages that lie behind the batch's first one in its file and that nobody uses: they
 * cost little in the same write, and after a bulk load are the next victims. */
static void add_neighbours(struct ps_pool *pool, struct ps_write_batch *b)
{
    struct ps_pool_key key = ps_pool_key(&b->pages[0].tag);
    enum ps_batch_add added = PS_BATCH_ADDED;

    while (added == PS_BATCH_ADDED && b->count < pool->batch_pages && key.page < UINT32_MAX) {
        struct ps_frame *f;
        uint64_t state;
        uint32_t no;

        key.page++;
        no = ps_pool_map_look(pool, &key, false, &state);
        if (no == PS_NO_FRAME || !ps_st_idle_dirty(state))
            return;
        f = &pool->frames[no];
        if (!ps_frame_pin_version(f, ps_st_version(state)))
            return;
        added = ps_write_batch_add(pool, b, f);
        ps_pool_unpin_frame(pool, f);
    }
}

/* Writes a pinned, dirty victim. PS_OK also where somebody uses it now: evict() will see. */
static ps_err write_victim(struct ps_pool *pool, struct ps_frame *f)
{
    struct ps_write_batch b;
    enum ps_batch_add added;
    ps_err err;

    ps_write_batch_init(&b, "eviction");
    for (;;) {
        added = ps_write_batch_add(pool, &b, f);
        if (added != PS_BATCH_NO_COPY)
            break;
        err = ps_pool_wait_writable(pool, f, added, NULL);
        if (err)
            return err;
    }
    if (added == PS_BATCH_ADDED) {
        add_neighbours(pool, &b);
        ps_write_batch_run(pool, &b, NULL);
    }
    atomic_fetch_add(&pool->counters.victim_writes, b.written);
    return b.err;
}

static void count_eviction(struct ps_pool *pool, const struct ps_frame *f, bool dirty)
{
    uint64_t before = atomic_fetch_add(&pool->counters.evictions, 1);

    if (before % pool->clean_every == 0 && pool->want_clean && pool->dirty_count > 0)
        pool->want_clean(pool->ctx);
    if (dirty)
        atomic_fetch_add(&pool->counters.dirty_evictions, 1);
    ps_pool_trace(pool, "victim", dirty ? "was dirty" : "was clean", f);
}

ps_err ps_pool_take_frame(struct ps_pool *pool, struct ps_frame **ret)
{
    ps_err err = PS_OK;

    for (;;) {
        struct ps_frame *f = find_frame(pool, err != PS_OK);
        uint64_t state;

        if (!f)
            return err;
        state = ps_frame_state(f);
        if (!(state & (PS_ST_VALID | PS_ST_DETACHED))) {
            *ret = f;
            return PS_OK;
        }
        if (state & PS_ST_DIRTY) {
            ps_err write_err = write_victim(pool, f);

            if (write_err)
                err = write_err;
        }
        if (evict(pool, f, true)) {
            count_eviction(pool, f, state & PS_ST_DIRTY);
            *ret = f;
            return PS_OK;
        }
        atomic_fetch_add(&pool->counters.victim_retries, 1);
        ps_pool_unpin_frame(pool, f);
    }
}

/* --- pages thrown away ---------------------------------------------------------------------- */

/* Waits until a frame that the caller has pinned is not being written. */
static void wait_written(struct ps_pool *pool, struct ps_frame *f)
{
    ps_mutex_lock(&pool->dirty_mtx);
    while (ps_frame_state(f) & PS_ST_WRITING)
        ps_cond_wait(&pool->written_cond, &pool->dirty_mtx);
    ps_mutex_unlock(&pool->dirty_mtx);
}

static void detach_state(struct ps_frame *f)
{
    const uint64_t gone = PS_ST_VALID | PS_ST_SEALED;
    uint64_t state = ps_frame_state(f);

    while (!atomic_compare_exchange_weak(f->state, &state,
                                         (state & ~gone) + PS_ST_DETACHED + PS_ST_VERSION_ONE))
        continue;
}

/* From VALID to DETACHED; false if its page is being written by now. The caller has pinned the
 * frame. */
static bool detach(struct ps_pool *pool, struct ps_frame *f)
{
    const struct ps_pool_key key = ps_pool_key(&f->page.tag);
    struct ps_pool_part *part = ps_pool_map_lock(pool, &key);
    uint64_t state;
    bool mine;

    ps_mutex_lock(&pool->dirty_mtx);
    state = ps_frame_state(f);
    mine = (state & PS_ST_VALID) && !(state & PS_ST_WRITING);
    if (mine) {
        ps_pool_forget_dirty(pool, f);
        detach_state(f); /* before it leaves its run, as look-ups rely on */
        ps_pool_map_unlink(pool, f);
    }
    ps_mutex_unlock(&pool->dirty_mtx);
    ps_mutex_unlock(&part->mtx);
    if (mine) {
        ps_pool_policy_remove(pool, f, false);
        ps_pool_trace(pool, "dropped", state & PS_ST_DIRTY ? "was dirty" : "was clean", f);
    }
    return !(state & PS_ST_WRITING);
}

/* One that is being loaded is dropped once it is there. */
static void drop_page(struct ps_pool *pool, const struct ps_pool_key *key)
{
    struct ps_frame *f;
    enum ps_found found;

    do {
        found = ps_pool_map_pin(pool, key, NULL, &f);
        if (found == PS_FOUND_NONE)
            return;
        if (found == PS_FOUND_LOADING)
            ps_pool_wait_load(pool, f);
        do {
            wait_written(pool, f);
        } while (!detach(pool, f));
        ps_pool_unpin_frame(pool, f);
    } while (found == PS_FOUND_LOADING);
}

static bool frame_key(const struct ps_frame *f, struct ps_pool_key *ret)
{
    uint64_t state = ps_frame_state(f);

    *ret = ps_frame_key(f);
    return (state & (PS_ST_VALID | PS_ST_LOADING)) != 0;
}

void ps_pool_drop(struct ps_pool *pool, uint16_t provider, uint32_t table, uint16_t fork,
                  uint32_t first, uint32_t last)
{
    const struct ps_tag tag = {.provider = provider, .table = table, .fork = fork, .page = first};
    struct ps_pool_key key = ps_pool_key(&tag);
    const uint64_t space = key.space;
    uint64_t i;

    assert(first <= last);
    if ((uint64_t)last - first < pool->frame_count) {
        for (i = first; i <= last; i++) {
            key.page = (uint32_t)i;
            drop_page(pool, &key);
        }
        return;
    }
    for (i = 0; i < pool->frame_count; i++) {
        if (frame_key(&pool->frames[i], &key) && key.space == space && key.page >= first &&
            key.page <= last)
            drop_page(pool, &key);
    }
}

/* Only what can be read again goes: evict() takes no frame that is pinned, dirty or being written.
 * The count of accesses is a hint. */
static void let_page_go(struct ps_pool *pool, const struct ps_pool_key *key)
{
    struct ps_frame *f;
    uint64_t state;
    const uint32_t no = ps_pool_map_look(pool, key, false, &state);

    if (no == PS_NO_FRAME || !ps_st_may_go(state, true) || ps_st_usage(state) > 1)
        return;
    f = &pool->frames[no];
    if (!ps_frame_pin_version(f, ps_st_version(state)))
        return;
    if (evict(pool, f, false)) {
        ps_pool_trace(pool, "dropped", "scanned", f);
        ps_pool_free_frame(pool, f);
    } else {
        ps_pool_unpin_frame(pool, f);
    }
}

void ps_pool_let_go(struct ps_pool *pool, uint16_t provider, uint32_t table, uint16_t fork,
                    uint32_t first, uint32_t last)
{
    const struct ps_tag tag = {.provider = provider, .table = table, .fork = fork};
    struct ps_pool_key key = ps_pool_key(&tag);
    uint64_t i;

    assert(first <= last);
    for (i = (uint64_t)last + 1; i > first; i--) {
        key.page = (uint32_t)(i - 1);
        let_page_go(pool, &key);
    }
}

uint32_t ps_pool_drop_clean(struct ps_pool *pool)
{
    uint32_t dropped = 0;
    uint32_t i;

    for (i = 0; i < pool->frame_count; i++) {
        struct ps_frame *f = &pool->frames[i];

        if (!claim(f, true))
            continue;
        if (evict(pool, f, false)) {
            ps_pool_free_frame(pool, f);
            dropped++;
        } else {
            ps_pool_unpin_frame(pool, f);
        }
    }
    return dropped;
}
