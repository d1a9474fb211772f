/*
 * evict.h - the eviction policy seam: which frame goes next.
 *
 * A policy knows frames by index. The pool tells it what happens to them and asks for victims;
 * whether a victim can go (pins, write-back) is the pool's business, which asks again if not.
 *
 * Locking    inserted, removed, victim, upcoming and hand are called with pool.policy_mtx held.
 * `usage` in a frame's state word is bumped by the pool on every hit without any call (saturating
 *            at PS_USAGE_MAX, as PostgreSQL's usage_count); policies for which that is not
 *            enough set `wants_hits` and get hit(), from many threads at once, without a lock.
 * Errors     create: PS_ERR_NOMEM.
 */
#ifndef PS_POOL_EVICT_H
#define PS_POOL_EVICT_H

#include <stdbool.h>
#include <stdint.h>

#include "pagestore/err.h"

#define PS_USAGE_MAX 5u
#define PS_NO_FRAME UINT32_MAX

struct ps_evict; /* an instance; implementations embed it first */

/* What a policy may ask of the pool about a frame. */
struct ps_evict_pool {
    void *ctx;
    unsigned (*usage)(void *ctx, uint32_t frame);
    /* Lowers usage by one, returns what it was. */
    unsigned (*usage_dec)(void *ctx, uint32_t frame);
    bool (*evictable)(void *ctx, uint32_t frame); /* valid, unpinned, not being written: a hint */
};

struct ps_evict_ops {
    const char *name; /* as in -o policy= */
    bool wants_hits;
    ps_err (*create)(uint32_t frames, const struct ps_evict_pool *pool, struct ps_evict **ret);
    void (*destroy)(struct ps_evict *e);
    void (*inserted)(struct ps_evict *e, uint32_t frame, uint64_t page_id);
    void (*removed)(struct ps_evict *e, uint32_t frame, uint64_t page_id);
    void (*hit)(struct ps_evict *e, uint32_t frame);
    /* A frame that evictable() agrees to. PS_NO_FRAME: there is none now. */
    uint32_t (*victim)(struct ps_evict *e);
    /* Where victim would look next, soonest first, at most max frames; changes nothing. May be
     * NULL: the cleaner then writes pages in the order in which they became dirty. */
    uint32_t (*upcoming)(struct ps_evict *e, uint32_t *frames, uint32_t max);
    /* Where the hand stands, for the trace and `frames`; 0 where there is none. */
    uint32_t (*hand)(struct ps_evict *e);
};

struct ps_evict {
    const struct ps_evict_ops *ops;
};

/* PostgreSQL's clock sweep (src/backend/storage/buffer/freelist.c). */
extern const struct ps_evict_ops ps_evict_clock;

/* NULL for a name that is none. */
const struct ps_evict_ops *ps_evict_by_name(const char *name);

#endif
