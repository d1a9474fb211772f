/*
 * mini_sim.h - a pool of page ids without pages: how often would a policy have missed?
 *
 * Fed with all accesses, and as large as a pool, it does what that pool would do. Fed with those
 * to a sample of the pages, and as much smaller, it misses about as often (Waldspurger,
 * Saemundsson, Ahmad and Park, "Cache Modeling and Optimization using Miniature Simulations", ATC
 * 2017).
 *
 * Flow       rivals, evict_adaptive -> [mini_sim] -> a policy
 * Units      frames count from 0.
 * Ownership  init makes an instance of the policy and takes the memory, deinit gives both back; all
 *            zero is empty and may be deinited. The struct stays where it is in between.
 * Locking    the caller's.
 * Errors     init: PS_ERR_NOMEM.
 */
#ifndef PS_POOL_MINI_SIM_H
#define PS_POOL_MINI_SIM_H

#include "pool/evict.h"
#include "pool/page_ids.h"

struct ps_mini_sim {
    struct ps_evict *policy;
    struct ps_evict_pool calls;
    struct ps_page_ids ids; /* a slot is a frame */
    uint8_t *usage;         /* one a frame */
    uint32_t frames, used;
};

PS_MUST_USE ps_err ps_mini_sim_init(struct ps_mini_sim *sim, const struct ps_evict_ops *policy,
                                    uint32_t frames);
void ps_mini_sim_deinit(struct ps_mini_sim *sim);

/* True: it was a hit. */
bool ps_mini_sim_access(struct ps_mini_sim *sim, uint64_t page_id);

#endif
