/*
 * pool_policy.c - what the pool tells its policy and what that may ask; changing it; its rivals.
 */
#include "pool/pool_internal.h"

#include <stdlib.h>

/* --- what a policy may ask ------------------------------------------------------------------ */

static unsigned policy_usage(void *ctx, uint32_t frame)
{
    const struct ps_pool *pool = ctx;

    return ps_st_usage(ps_frame_state(&pool->frames[frame]));
}

static unsigned policy_usage_dec(void *ctx, uint32_t frame)
{
    struct ps_pool *pool = ctx;
    struct ps_frame *f = &pool->frames[frame];
    uint64_t state = ps_frame_state(f);

    while (ps_st_usage(state) > 0) {
        if (atomic_compare_exchange_weak(f->state, &state, state - PS_ST_USAGE_ONE))
            break;
    }
    return ps_st_usage(state);
}

static void count_refusal(struct ps_pool *pool, uint64_t state)
{
    if (ps_st_pins(state) > 0)
        pool->victims_pinned++;
    else if (state & PS_ST_WRITING)
        pool->victims_writing++;
}

static bool policy_evictable(void *ctx, uint32_t frame)
{
    struct ps_pool *pool = ctx;
    uint64_t state = ps_frame_state(&pool->frames[frame]);

    ps_assert_held(&pool->policy_mtx);
    pool->looked_at++;
    if (ps_st_may_go(state, pool->clean_only))
        return true;
    if (pool->choosing)
        count_refusal(pool, state);
    return false;
}

static bool policy_in_use(void *ctx, uint32_t frame)
{
    const struct ps_pool *pool = ctx;
    uint64_t state = ps_frame_state(&pool->frames[frame]);

    return (state & PS_ST_VALID) && !(state & PS_ST_WRITING) && ps_st_pins(state) > 0;
}

static uint64_t count_accesses(void *ctx)
{
    struct ps_pool *pool = ctx;

    return ps_pool_count_hits(pool) + atomic_load(&pool->counters.misses);
}

ps_err ps_pool_policy_init(struct ps_pool *pool, const struct ps_evict_ops *policy)
{
    ps_err err;

    pool->evict_calls = (struct ps_evict_pool){
        .ctx = pool,
        .usage = policy_usage,
        .usage_dec = policy_usage_dec,
        .evictable = policy_evictable,
        .in_use = policy_in_use,
    };
    err = ps_access_log_init(&pool->hit_log);
    if (!err)
        err = ps_rivals_init(&pool->rivals, pool->frame_count, count_accesses, pool);
    if (!err)
        err = policy->create(pool->frame_count, &pool->evict_calls, &pool->evict);
    if (err) {
        ps_pool_policy_deinit(pool);
        return err;
    }
    atomic_init(&pool->policy, policy);
    atomic_init(&pool->wants_hits, policy->wants_hits);
    return PS_OK;
}

void ps_pool_policy_deinit(struct ps_pool *pool)
{
    if (pool->evict)
        pool->evict->ops->destroy(pool->evict);
    ps_rivals_deinit(&pool->rivals);
    ps_access_log_deinit(&pool->hit_log);
}

/* --- what it is told ------------------------------------------------------------------------ */

/* What a policy calls a page: the page id for the store's data pages, and for others something
 * that differs from it. */
static uint64_t page_id(const struct ps_tag *tag)
{
    const uint64_t other = (uint64_t)tag->provider << 16 | tag->fork;

    return ((uint64_t)tag->table << 32 | tag->page) ^ other * 0x9e3779b97f4a7c15ull;
}

/* The tag of a frame that the policy knows stays, pinned or not: it changes while the frame is
 * PRIVATE and after the policy was told that the page is gone. */
static uint64_t known_page_id(struct ps_pool *pool, const struct ps_frame *f)
{
    ps_assert_held(&pool->policy_mtx);
    return page_id(&f->page.tag);
}

void ps_pool_policy_insert(struct ps_pool *pool, struct ps_frame *f)
{
    ps_mutex_lock(&pool->policy_mtx);
    assert(!ps_frame_cold(pool, f)->known);
    ps_frame_cold(pool, f)->known = true;
    pool->evict->ops->inserted(pool->evict, ps_frame_no(pool, f), known_page_id(pool, f));
    ps_mutex_unlock(&pool->policy_mtx);
}

void ps_pool_policy_remove(struct ps_pool *pool, struct ps_frame *f, bool evicted)
{
    ps_mutex_lock(&pool->policy_mtx);
    assert(ps_frame_cold(pool, f)->known);
    ps_frame_cold(pool, f)->known = false;
    pool->evict->ops->removed(pool->evict, ps_frame_no(pool, f), known_page_id(pool, f), evicted);
    ps_mutex_unlock(&pool->policy_mtx);
}

/* A note of a hit names the frame and its version. While the version is the same the policy knows
 * the frame: it hears of a page before its frame becomes VALID, and of its end after the version
 * was raised. */
static uint64_t hit_note(const struct ps_pool *pool, const struct ps_frame *f)
{
    return (uint64_t)ps_st_version(ps_frame_state(f)) << 32 | (ps_frame_no(pool, f) + 1u);
}

static void tell_hit(void *ctx, uint64_t note)
{
    struct ps_pool *pool = ctx;
    const uint32_t frame = (uint32_t)note - 1;

    if (ps_st_version(ps_frame_state(&pool->frames[frame])) == note >> 32 &&
        pool->cold[frame].known)
        pool->evict->ops->hit(pool->evict, frame);
}

void ps_pool_tell_hits(struct ps_pool *pool, unsigned stripe)
{
    ps_assert_held(&pool->policy_mtx);
    (void)ps_access_log_drain(&pool->hit_log, stripe, tell_hit, pool);
}

void ps_pool_note_hit(struct ps_pool *pool, unsigned stripe, const struct ps_frame *f)
{
    if (!ps_access_log_add(&pool->hit_log, stripe, hit_note(pool, f)) ||
        !ps_mutex_trylock(&pool->policy_mtx))
        return;
    ps_pool_tell_hits(pool, stripe);
    ps_mutex_unlock(&pool->policy_mtx);
}

void ps_pool_note_sampled(struct ps_pool *pool, unsigned stripe, const struct ps_tag *tag)
{
    ps_rivals_note(&pool->rivals, stripe, page_id(tag));
}

/* --- changing it ---------------------------------------------------------------------------- */

const char *ps_pool_policy(const struct ps_pool *pool)
{
    return atomic_load(&pool->policy)->name;
}

/* The new policy gets what the old one has, least worth first. */
static void hand_over(struct ps_pool *pool, struct ps_evict *to, uint32_t *frames)
{
    const uint32_t count = pool->evict->ops->order(pool->evict, frames);

    ps_assert_held(&pool->policy_mtx);
    for (uint32_t i = 0; i < count; i++) {
        const struct ps_frame *f = &pool->frames[frames[i]];

        if (pool->cold[frames[i]].known)
            to->ops->adopted(to, frames[i], known_page_id(pool, f));
    }
}

ps_err ps_pool_set_policy(struct ps_pool *pool, const struct ps_evict_ops *policy)
{
    uint32_t *frames = malloc(pool->frame_count * sizeof(*frames));
    struct ps_evict *other = NULL;
    struct ps_evict *old;
    ps_err err = PS_OK;

    if (!frames)
        err = ps_fail(PS_ERR_NOMEM, "no memory to change the policy to %s", policy->name);
    if (!err)
        err = policy->create(pool->frame_count, &pool->evict_calls, &other);
    if (!err) {
        ps_mutex_lock(&pool->policy_mtx);
        for (unsigned stripe = 0; stripe < PS_ACCESS_STRIPES; stripe++)
            ps_pool_tell_hits(pool, stripe);
        old = pool->evict;
        hand_over(pool, other, frames);
        pool->evict = other;
        atomic_store(&pool->policy, policy);
        atomic_store(&pool->wants_hits, policy->wants_hits);
        ps_mutex_unlock(&pool->policy_mtx);
        old->ops->destroy(old);
    }
    free(frames);
    return err;
}

void ps_pool_rivals(struct ps_pool *pool, struct ps_rival *ret)
{
    ps_rivals_report(&pool->rivals, ret);
}
