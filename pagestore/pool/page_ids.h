/*
 * page_ids.h - from page ids to slots: which of a fixed number of slots holds a page.
 *
 * Flow       ghost, mini_sim, sketch -> [page_ids]
 * Units      slots count from 0.
 * Ownership  init takes the memory (16 to 20 bytes a slot), deinit gives it back; all zero is empty
 *            and may be deinited.
 * Locking    the caller's.
 * Errors     init: PS_ERR_NOMEM.
 */
#ifndef PS_POOL_PAGE_IDS_H
#define PS_POOL_PAGE_IDS_H

#include <stdint.h>

#include "pagestore/err.h"

#define PS_NO_SLOT UINT32_MAX

struct ps_page_ids {
    uint64_t *ids;     /* one a slot */
    uint32_t *links;   /* one a slot: the next one of its chain */
    uint32_t *buckets; /* chains */
    unsigned shift;    /* of a hash, to a bucket */
};

PS_MUST_USE ps_err ps_page_ids_init(struct ps_page_ids *p, uint32_t slots);
void ps_page_ids_deinit(struct ps_page_ids *p);

/* The slot that holds the page, or PS_NO_SLOT. */
uint32_t ps_page_ids_find(const struct ps_page_ids *p, uint64_t page_id);
/* An empty slot takes a page that is in none; a slot loses the page that it holds. */
void ps_page_ids_put(struct ps_page_ids *p, uint32_t slot, uint64_t page_id);
void ps_page_ids_remove(struct ps_page_ids *p, uint32_t slot);

/* Well mixed, all 64 bits of it. */
static inline uint64_t ps_page_id_hash(uint64_t page_id)
{
    uint64_t h = page_id + 0x9e3779b97f4a7c15ull;

    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ull;
    h = (h ^ h >> 27) * 0x94d049bb133111ebull;
    return h ^ h >> 31;
}

#endif
