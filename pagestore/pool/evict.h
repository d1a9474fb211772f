/*
 * evict.h - the eviction policy seam: which frame goes next.
 *
 * A policy knows frames by index. The pool tells it what happens to them and asks for victims;
 * whether a victim can go (pins, write-back) is the pool's business, which asks again if not.
 *
 * Flow       pool, mini simulations -> [policy] -> what it may ask of the pool
 * Units      frames count from 0; page ids are any 64 bits that tell pages apart; sizes are frames.
 * Ownership  an instance holds nothing of the pool. Pages that are gone are remembered by id alone
 *            (ghost entries), at most as many as there are frames.
 * Locking    every call on an instance is made with the pool's policy_mtx held; none locks or
 *            waits. `usage` in a frame's state word is bumped by the pool on every hit without any
 *            call (saturating at PS_USAGE_MAX, as PostgreSQL's usage_count; 1 when the page comes
 *            in). Policies for which that is not enough set `wants_hits`: the pool then notes hits
 *            in buffers of its threads and tells them by the batch, later, but a thread's own
 *            ones before its next miss. Under contention some are lost.
 * Errors     create: PS_ERR_NOMEM. Nothing else fails.
 * Promise    memory is taken in create alone and is in proportion to the frames.
 */
#ifndef PS_POOL_EVICT_H
#define PS_POOL_EVICT_H

#include <stdbool.h>
#include <stddef.h>
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
    bool (*in_use)(void *ctx, uint32_t frame);    /* pinned, and not for being written: a hint */
};

struct ps_evict_ops {
    const char *name; /* as in -o policy= */
    bool wants_hits;
    ps_err (*create)(uint32_t frames, const struct ps_evict_pool *pool, struct ps_evict **ret);
    void (*destroy)(struct ps_evict *e);
    void (*inserted)(struct ps_evict *e, uint32_t frame, uint64_t page_id);
    /* The page has been resident under another policy: as inserted, but it need not prove itself.
     * Called for the one that is worth least first. */
    void (*adopted)(struct ps_evict *e, uint32_t frame, uint64_t page_id);
    /* evicted: to make room, as victim said; otherwise the page is gone for another reason. */
    void (*removed)(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted);
    void (*hit)(struct ps_evict *e, uint32_t frame);
    /* A frame that evictable() agrees to. It stays known until it is removed. PS_NO_FRAME: there
     * is none now. */
    uint32_t (*victim)(struct ps_evict *e);
    /* Where victim would look next, soonest first, at most max frames that evictable() agrees to;
     * changes nothing. */
    uint32_t (*upcoming)(struct ps_evict *e, uint32_t *frames, uint32_t max);
    /* All frames, soonest to go first; may name some that hold no page. Returns how many. */
    uint32_t (*order)(struct ps_evict *e, uint32_t *frames);
};

struct ps_evict {
    const struct ps_evict_ops *ops;
};

/* PostgreSQL's clock sweep (src/backend/storage/buffer/freelist.c). */
extern const struct ps_evict_ops ps_evict_clock;
/* The page goes whose last access is longest ago. */
extern const struct ps_evict_ops ps_evict_lru;
/* Johnson and Shasha, VLDB 1994; the full version. */
extern const struct ps_evict_ops ps_evict_2q;
/* Yang, Zhang, Qiu, Yue and Rashmi, SOSP 2023. */
extern const struct ps_evict_ops ps_evict_s3fifo;
/* Megiddo and Modha, FAST 2003. */
extern const struct ps_evict_ops ps_evict_arc;
/* W-TinyLFU (Einziger, Friedman and Manes, ACM ToS 2017) that simulates itself in miniature under
 * several settings, and takes the one that misses least. */
extern const struct ps_evict_ops ps_evict_adaptive;

#define PS_EVICT_POLICIES 6u

/* All of them, in this order. */
const struct ps_evict_ops *ps_evict_nth(size_t i);
/* NULL for a name that is none. */
const struct ps_evict_ops *ps_evict_by_name(const char *name);
/* Their names for messages: "clock, lru, ...". */
const char *ps_evict_names(void);

#endif
