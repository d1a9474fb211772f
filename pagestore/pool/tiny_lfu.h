/*
 * tiny_lfu.h - W-TinyLFU (Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache
 * Admission Policy", ACM Transactions on Storage 2017) with settings that can change as it runs.
 *
 * Pages come in through the window, an LRU list. The one that leaves it stays only if it was used
 * more often lately than the one that the main part would give up, which is a segmented LRU list:
 * on probation, or protected after a hit there. A sketch counts uses, also of pages that are gone,
 * so there are no ghosts. A small window with a long memory comes close to keeping the pages that
 * are used most.
 *
 * Flow       evict_adaptive.c -> [tiny_lfu] -> evict_lists.h, sketch.h
 * Units      frames count from 0; the window is a percentage of the frames, memory a number of
 *            accesses a frame.
 * Ownership  init takes the memory, deinit gives it back. `pool` stays the caller's.
 * Locking    as in evict.h, whose calls these are.
 * Errors     init: PS_ERR_NOMEM. Nothing else fails.
 */
#ifndef PS_POOL_TINY_LFU_H
#define PS_POOL_TINY_LFU_H

#include "pool/evict_lists.h"
#include "pool/sketch.h"

struct ps_tiny_lfu_settings {
    unsigned window_percent; /* of the frames; at least one frame */
    unsigned memory;         /* counts are halved after as many accesses times the frames */
};

struct ps_tiny_lfu {
    const struct ps_evict_pool *pool;
    struct ps_lists lists;
    struct ps_sketch sketch;
    uint64_t *page_ids; /* one a frame */
    struct ps_tiny_lfu_settings settings;
    uint32_t window_max;
    uint64_t accesses; /* since counts were halved */
};

PS_MUST_USE ps_err ps_tiny_lfu_init(struct ps_tiny_lfu *t, uint32_t frames,
                                    const struct ps_evict_pool *pool,
                                    const struct ps_tiny_lfu_settings *settings);
void ps_tiny_lfu_deinit(struct ps_tiny_lfu *t);

/* Frames move to the window, or out of it, step by step with the misses that follow. A shorter
 * memory forgets at once. */
void ps_tiny_lfu_set(struct ps_tiny_lfu *t, const struct ps_tiny_lfu_settings *settings);

/* An access while another policy has the frames. */
void ps_tiny_lfu_note(struct ps_tiny_lfu *t, uint32_t frame, uint64_t page_id);

void ps_tiny_lfu_inserted(struct ps_tiny_lfu *t, uint32_t frame, uint64_t page_id);
void ps_tiny_lfu_adopted(struct ps_tiny_lfu *t, uint32_t frame, uint64_t page_id);
void ps_tiny_lfu_removed(struct ps_tiny_lfu *t, uint32_t frame);
void ps_tiny_lfu_hit(struct ps_tiny_lfu *t, uint32_t frame);
/* e is told of frames in use on the way, as by ps_lists_pick. */
uint32_t ps_tiny_lfu_victim(struct ps_tiny_lfu *t, struct ps_evict *e);
uint32_t ps_tiny_lfu_upcoming(const struct ps_tiny_lfu *t, uint32_t *frames, uint32_t max);
uint32_t ps_tiny_lfu_order(const struct ps_tiny_lfu *t, uint32_t *frames);

#endif
