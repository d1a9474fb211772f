/*
 * pool_info.c - what is going on: frames, counters, and the walk that checks all of it.
 */
#include "pool/pool_internal.h"

#include <stdio.h>
#include <stdlib.h>

uint32_t ps_pool_frames(const struct ps_pool *pool)
{
    return pool->frame_count;
}

bool ps_pool_is_full(struct ps_pool *pool)
{
    bool full;

    ps_mutex_lock(&pool->policy_mtx);
    full = pool->free_count == 0;
    ps_mutex_unlock(&pool->policy_mtx);
    return full;
}

uint32_t ps_pool_page_size(const struct ps_pool *pool)
{
    return pool->page_size;
}

uint32_t ps_pool_frame_no(const struct ps_pool *pool, const struct ps_page *page)
{
    return ps_frame_no(pool, (const struct ps_frame *)(const void *)page);
}

/* The tag as look-ups see it; the page's own belongs to those who have pinned it. */
static struct ps_tag frame_tag(const struct ps_frame *f)
{
    const struct ps_pool_key key = ps_frame_key(f);

    return ps_pool_key_tag(&key);
}

static void fill_info(struct ps_pool *pool, const struct ps_frame *f, struct ps_frame_info *ret)
{
    uint32_t period = ps_pool_heat_period(pool);
    const struct ps_frame_cold *cold = ps_frame_cold(pool, f);
    uint64_t state;

    /* Until nothing changed the frame's page between the two looks at its state. */
    do {
        state = ps_frame_state(f);
        *ret = (struct ps_frame_info){
            .valid = state & PS_ST_VALID,
            .pins = ps_st_pins(state),
            .usage = ps_st_usage(state),
            .dirty = state & PS_ST_DIRTY,
            .writing = state & PS_ST_WRITING,
            .loading = state & PS_ST_LOADING,
            .sealed = state & PS_ST_SEALED,
            .lsn = __atomic_load_n(&f->page.lsn, __ATOMIC_RELAXED),
            .heat = ps_frame_heat(f, state, period),
        };
        if (state & (PS_ST_VALID | PS_ST_LOADING))
            ret->tag = frame_tag(f);
    } while (ps_st_version(ps_frame_state(f)) != ps_st_version(state));
    if (!(state & (PS_ST_DIRTY | PS_ST_WRITING)))
        return;
    ps_mutex_lock(&pool->dirty_mtx);
    state = ps_frame_state(f);
    if (state & PS_ST_WRITING)
        ret->rec_lsn = cold->writing_rec_lsn;
    else if (state & PS_ST_DIRTY)
        ret->rec_lsn = cold->rec_lsn;
    ps_mutex_unlock(&pool->dirty_mtx);
}

void ps_pool_frame_info(struct ps_pool *pool, uint32_t frame, struct ps_frame_info *ret)
{
    assert(frame < pool->frame_count);
    fill_info(pool, &pool->frames[frame], ret);
}

bool ps_pool_peek(struct ps_pool *pool, const struct ps_tag *tag, struct ps_frame_info *ret)
{
    const struct ps_pool_key key = ps_pool_key(tag);
    struct ps_pool_part *part = ps_pool_map_lock(pool, &key);
    const struct ps_frame *f = ps_pool_map_find(pool, &key);

    if (f)
        fill_info(pool, f, ret); /* it cannot take another page under this lock */
    ps_mutex_unlock(&part->mtx);
    return f && ret->valid;
}

static void count_frames(struct ps_pool *pool, struct ps_pool_stats *ret)
{
    uint32_t i;

    for (i = 0; i < pool->frame_count; i++) {
        uint64_t state = ps_frame_state(&pool->frames[i]);

        ret->valid += (state & PS_ST_VALID) != 0;
        ret->pinned += ps_st_pins(state) > 0;
    }
}

uint64_t ps_pool_count_hits(const struct ps_pool *pool)
{
    uint64_t hits = 0;

    for (size_t i = 0; i < PS_POOL_STRIPES; i++)
        hits += atomic_load(&pool->stripes[i].owned) + atomic_load(&pool->stripes[i].hits);
    return hits;
}

void ps_pool_get_stats(struct ps_pool *pool, struct ps_pool_stats *ret)
{
    struct ps_pool_counters *c = &pool->counters;

    *ret = (struct ps_pool_stats){
        .hits = ps_pool_count_hits(pool),
        .misses = atomic_load(&c->misses),
        .evictions = atomic_load(&c->evictions),
        .dirty_evictions = atomic_load(&c->dirty_evictions),
        .pages_loaded = atomic_load(&c->pages_loaded),
        .pages_ahead = atomic_load(&c->pages_ahead),
        .load_errors = atomic_load(&c->load_errors),
        .pages_written = atomic_load(&c->pages_written),
        .write_errors = atomic_load(&c->write_errors),
        .cleaner_pages = atomic_load(&c->cleaner_pages),
        .reserve_waits = atomic_load(&c->reserve_waits),
        .latch_waits = atomic_load(&c->latch_waits),
        .load_waits = atomic_load(&c->load_waits),
        .pins_refused = atomic_load(&c->pins_refused),
        .victim_waits = atomic_load(&c->victim_waits),
        .victim_writes = atomic_load(&c->victim_writes),
        .victim_retries = atomic_load(&c->victim_retries),
        .sweep_frames = atomic_load(&c->sweep_frames),
        .write_batches = atomic_load(&c->write_batches),
        .frames = pool->frame_count,
    };
    count_frames(pool, ret);
    ps_mutex_lock(&pool->policy_mtx);
    ret->victims_pinned = pool->victims_pinned;
    ret->victims_writing = pool->victims_writing;
    ps_mutex_unlock(&pool->policy_mtx);
    ps_mutex_lock(&pool->dirty_mtx);
    ret->dirty = pool->dirty_count;
    ret->writing = pool->writing_count;
    ret->writing_max = pool->writing_max;
    ps_mutex_unlock(&pool->dirty_mtx);
    ps_mutex_lock(&pool->reserve_mtx);
    ret->long_pins = pool->long_pins;
    ret->reserved = pool->reserved;
    ps_mutex_unlock(&pool->reserve_mtx);
}

/* --- the check ------------------------------------------------------------------------------ */

/* What a walk of the frames adds up to, to be compared with what the pool believes. */
struct tally {
    uint32_t mapped, free, dirty, writing, listed, long_frames;
};

#define CHECK(cond, frame) check_that(cond, #cond, frame)

static void check_that(bool holds, const char *what, uint32_t frame)
{
    if (holds)
        return;
    fprintf(stderr, "pool: frame %u: not so: %s\n", frame, what);
    abort();
}

static void check_frame(struct ps_pool *pool, uint32_t no, struct tally *t)
{
    struct ps_frame *f = &pool->frames[no];
    const struct ps_frame_cold *cold = &pool->cold[no];
    uint64_t state = ps_frame_state(f);
    bool mapped = state & (PS_ST_VALID | PS_ST_LOADING);
    bool listed = state & (PS_ST_DIRTY | PS_ST_WRITING);

    CHECK(f->page.data == pool->data_arena.base + (size_t)no * pool->page_size, no);
    CHECK(ps_st_usage(state) <= PS_USAGE_MAX, no);
    CHECK(!((state & PS_ST_VALID) && (state & PS_ST_LOADING)), no);
    CHECK(!(mapped && (state & PS_ST_DETACHED)), no);
    CHECK(!listed || (state & PS_ST_VALID), no);
    CHECK(!(state & (PS_ST_DETACHED | PS_ST_LOADING)) || ps_st_pins(state) > 0, no);
    CHECK(cold->known == ((state & PS_ST_VALID) != 0), no);
    CHECK(cold->long_pins <= ps_st_pins(state), no);
    t->mapped += mapped;
    t->free += !mapped && !(state & PS_ST_DETACHED);
    t->dirty += (state & PS_ST_DIRTY) != 0;
    t->writing += (state & PS_ST_WRITING) != 0;
    t->listed += listed;
    t->long_frames += cold->long_pins > 0;
    if (mapped) {
        const struct ps_pool_key key = ps_pool_key(&f->page.tag);
        struct ps_pool_part *part = ps_pool_map_lock(pool, &key);

        CHECK(ps_pool_map_find(pool, &key) == f, no);
        ps_mutex_unlock(&part->mtx);
    }
}

static uint32_t count_listed(const struct ps_pool *pool)
{
    uint32_t prev = PS_NO_FRAME;
    uint32_t count = 0;
    uint32_t no;

    for (no = pool->dirty_head; no != PS_NO_FRAME; no = pool->cold[no].dirty_next) {
        CHECK(++count <= pool->frame_count, no);
        CHECK(pool->cold[no].dirty_prev == prev, no);
        prev = no;
    }
    CHECK(pool->dirty_tail == prev, prev);
    return count;
}

void ps_pool_check(struct ps_pool *pool)
{
    struct tally t = {0};
    uint32_t i;

    for (i = 0; i < pool->frame_count; i++)
        check_frame(pool, i, &t);
    CHECK(ps_pool_map_count(pool) == t.mapped, PS_NO_FRAME);
    CHECK(count_listed(pool) == t.listed && pool->listed_count == t.listed, PS_NO_FRAME);
    CHECK(pool->dirty_count == t.dirty, PS_NO_FRAME);
    CHECK(pool->writing_count == t.writing, PS_NO_FRAME);
    CHECK(pool->free_count == t.free, PS_NO_FRAME);
    for (i = 0; i < pool->free_count; i++)
        CHECK(ps_st_pins(ps_frame_state(&pool->frames[pool->free_frames[i]])) == 0,
              pool->free_frames[i]);
    CHECK(pool->free_copy_count == pool->copy_count, PS_NO_FRAME);
    CHECK(pool->long_frames == t.long_frames, PS_NO_FRAME);
    CHECK(pool->reserved + pool->long_frames <= pool->frame_count, PS_NO_FRAME);
    CHECK(atomic_load(&pool->victim_waiters) == 0, PS_NO_FRAME);
}
