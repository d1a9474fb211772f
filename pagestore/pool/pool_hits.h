/*
 * pool_hits.h - what a hit leaves behind, other than in the frame's state word: a count, and what
 * the pool's policy and its rivals want to know.
 *
 * Flow       pool.c (each access) -> [pool_hits.h] -> stripes; pool_policy.c
 * Units      counts of hits.
 * Ownership  a stripe is its first thread's for as long as the pool is there.
 * Locking    none: see struct ps_pool_stripe.
 * Errors     none.
 * Promise    no hit is left uncounted; one that only has to be counted, in a stripe that is the
 *            thread's own, writes to no line that other threads write to.
 */
#ifndef PS_POOL_POOL_HITS_H
#define PS_POOL_POOL_HITS_H

#include "pool/pool_internal.h"

/* The stripe in which this thread counts, if it owns that: nobody takes it away. */
static inline struct ps_pool_stripe *ps_pool_own_stripe(struct ps_pool *pool)
{
    const uint64_t self = ps_access_self();
    struct ps_pool_stripe *stripe = &pool->stripes[ps_access_stripe_no(self)];

    return atomic_load_explicit(&stripe->owner, memory_order_relaxed) == self ? stripe : NULL;
}

static inline void ps_stripe_count(struct ps_pool_stripe *stripe)
{
    const uint64_t owned = atomic_load_explicit(&stripe->owned, memory_order_relaxed);

    atomic_store_explicit(&stripe->owned, owned + 1, memory_order_relaxed);
}

/* In a stripe that is not known to be this thread's. */
static inline void ps_stripe_count_shared(struct ps_pool_stripe *stripe, uint64_t self)
{
    uint64_t nobody = 0;

    if (atomic_compare_exchange_strong(&stripe->owner, &nobody, self))
        atomic_fetch_add(&stripe->owned, 1);
    else
        atomic_fetch_add(&stripe->hits, 1);
}

static inline bool ps_pool_wants_hits(const struct ps_pool *pool)
{
    return atomic_load_explicit(&pool->wants_hits, memory_order_relaxed);
}

/* Whether the rivals of the pool's policy want to know of accesses to the page. */
static inline bool ps_pool_is_sampled(const struct ps_pool *pool, const struct ps_pool_key *key)
{
    return __builtin_expect(ps_rivals_sampled(ps_pool_key_hash(key), pool->rivals.rate), false);
}

static inline void ps_pool_note_access(struct ps_pool *pool, const struct ps_tag *tag)
{
    const struct ps_pool_key key = ps_pool_key(tag);

    if (ps_pool_is_sampled(pool, &key))
        ps_pool_note_sampled(pool, ps_access_my_stripe(), tag);
}

static inline void ps_pool_add_hit(struct ps_pool *pool, const struct ps_tag *tag,
                                   struct ps_frame *f)
{
    struct ps_pool_stripe *stripe = ps_pool_own_stripe(pool);

    if (stripe)
        ps_stripe_count(stripe);
    else
        ps_stripe_count_shared(&pool->stripes[ps_access_my_stripe()], ps_access_self());
    if (ps_pool_wants_hits(pool))
        ps_pool_note_hit(pool, ps_access_my_stripe(), f);
    ps_pool_note_access(pool, tag);
}

#endif
