/*
 * evict_lists.h - lists of frames, for policies: each frame is in one list, or in none.
 *
 * Flow       evict_*.c -> [evict_lists]
 * Units      lists count from 0. A list's head is its newest end, its tail goes first.
 * Ownership  init takes the memory, deinit gives it back; all zero is empty and may be deinited.
 * Locking    the caller's.
 * Errors     init: PS_ERR_NOMEM.
 */
#ifndef PS_POOL_EVICT_LISTS_H
#define PS_POOL_EVICT_LISTS_H

#include "pool/evict.h"

#define PS_LISTS_MAX 3u
#define PS_NO_LIST UINT8_MAX

struct ps_list_link {
    uint32_t newer, older;
};

struct ps_lists {
    uint32_t frames;
    struct ps_list_link *links; /* one a frame */
    uint8_t *list_of;           /* one a frame */
    uint32_t head[PS_LISTS_MAX], tail[PS_LISTS_MAX], len[PS_LISTS_MAX];
};

PS_MUST_USE ps_err ps_lists_init(struct ps_lists *l, uint32_t frames);
void ps_lists_deinit(struct ps_lists *l);

/* Puts a frame that is in no list at the head of one. */
void ps_lists_push(struct ps_lists *l, unsigned list, uint32_t frame);
void ps_lists_remove(struct ps_lists *l, uint32_t frame);
/* Takes it from where it is to the head of a list. */
void ps_lists_move(struct ps_lists *l, unsigned list, uint32_t frame);

/* The frame next to the tail that can go. Frames in use on the way are treated as hit now, so that
 * frames that are pinned for long are not passed again and again. PS_NO_FRAME: there is none. */
uint32_t ps_lists_pick(struct ps_lists *l, unsigned list, const struct ps_evict_pool *pool,
                       struct ps_evict *e);

/* Appends a list, tail first, to frames[count..max); with a pool only those that can go. Returns
 * the new count. */
uint32_t ps_lists_copy(const struct ps_lists *l, unsigned list, const struct ps_evict_pool *pool,
                       uint32_t *frames, uint32_t count, uint32_t max);

#endif
