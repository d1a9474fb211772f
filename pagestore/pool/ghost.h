/*
 * ghost.h - pages that went a short while ago: their ids, the oldest forgotten first.
 *
 * Flow       evict_*.c -> [ghost] -> page_ids
 * Units      sizes are pages.
 * Ownership  init takes all the memory there will be, up to 28 bytes for each page of `max`; deinit
 *            gives it back; all zero is empty and may be deinited.
 * Locking    the caller's.
 * Errors     init: PS_ERR_NOMEM.
 * Promise    never more than max pages.
 */
#ifndef PS_POOL_GHOST_H
#define PS_POOL_GHOST_H

#include <stdbool.h>

#include "pool/evict_lists.h"
#include "pool/page_ids.h"

struct ps_ghost {
    struct ps_page_ids ids;
    struct ps_lists lists; /* slots: those with pages, and the free ones */
};

PS_MUST_USE ps_err ps_ghost_init(struct ps_ghost *g, uint32_t max);
void ps_ghost_deinit(struct ps_ghost *g);

uint32_t ps_ghost_len(const struct ps_ghost *g);
/* Remembers a page, and forgets the oldest one if there are max; one that is known stays. */
void ps_ghost_add(struct ps_ghost *g, uint64_t page_id);
/* Forgets the page; true if it was known. */
bool ps_ghost_take(struct ps_ghost *g, uint64_t page_id);
/* Forgets the oldest pages until there are no more than len. */
void ps_ghost_trim(struct ps_ghost *g, uint32_t len);

#endif
