/*
 * rivals.h - the hit ratio that each policy would have had on the same accesses.
 *
 * Each policy runs as a mini simulation (mini_sim.h) of a few hundred frames, on the accesses to
 * a sample of the pages, chosen by hash (Waldspurger, Park, Garthwaite and Ahmad, "Efficient MRC
 * Construction with SHARDS", FAST 2015). As a few very hot pages are in the sample or not, by
 * chance, what is estimated is misses: those of the sample times the rate, among all accesses (the
 * paper's SHARDS-adj).
 *
 * Flow       pool.c (each access to a page of the sample) -> [rivals] -> mini_sim
 * Units      accesses; ratios from 0 to 1.
 * Ownership  init takes all memory, deinit gives it back; all zero may be deinited.
 * Locking    thread safe. Notes go into buffers of the threads, so an access takes no lock; who
 *            fills one runs the simulations, under mtx (rank POOL), if nobody else does.
 * Errors     init: PS_ERR_NOMEM.
 * Promise    an access to a page outside of the sample costs one look at bits of a hash that the
 *            pool computes anyway.
 */
#ifndef PS_POOL_RIVALS_H
#define PS_POOL_RIVALS_H

#include "base/lock.h"
#include "pool/access_log.h"
#include "pool/mini_sim.h"

/* Counts of one stretch of time. */
struct ps_rivals_tally {
    uint64_t accesses; /* of the pool, at its beginning */
    uint64_t sampled;
    uint64_t lost; /* of the sampled */
    uint64_t misses[PS_EVICT_POLICIES];
};

struct ps_rivals {
    /* Set by init. */
    uint32_t rate;                   /* one page in this many; a power of two */
    uint64_t (*accesses)(void *ctx); /* of the pool until now */
    void *ctx;
    struct ps_access_log log;

    struct ps_mutex mtx; /* guards what follows, and draining */
    struct ps_mini_sim sims[PS_EVICT_POLICIES];
    struct ps_rivals_tally ever, last, now; /* last: the stretch before now */
};

PS_MUST_USE ps_err ps_rivals_init(struct ps_rivals *r, uint32_t frames,
                                  uint64_t (*accesses)(void *ctx), void *ctx);
void ps_rivals_deinit(struct ps_rivals *r);

/* By a hash that is well mixed above bit 20. */
static inline bool ps_rivals_sampled(uint64_t hash, uint32_t rate)
{
    return ((hash >> 20) & (rate - 1)) == 0;
}

/* An access to a page of the sample. */
void ps_rivals_note(struct ps_rivals *r, unsigned stripe, uint64_t page_id);

struct ps_rival {
    const char *policy;
    uint64_t accesses; /* of the pool, since it was made */
    uint64_t sampled;
    double hit_ratio; /* over these */
    double recent;    /* over the last 8 to 16 times as many accesses as there are frames */
};

void ps_rivals_report(struct ps_rivals *r, struct ps_rival *ret);

#endif
