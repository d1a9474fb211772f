/*
 * heap_page.h - line pointers of a PostgreSQL page, and what they point to.
 *
 * Flow       rows, catalog_read, damage -> [heap_page] -> bytes of a page
 * Units      slots count from 1; offsets and lengths in bytes.
 * Locking    pure functions. Any bytes are survived: what is given lies on the page.
 * Source     src/include/storage/itemid.h, bufpage.h.
 */
#ifndef PS_PG_HEAP_PAGE_H
#define PS_PG_HEAP_PAGE_H

#include "format/pg_layout.h"
#include "pagestore/format.h"
#include "pagestore/table.h"
#include "pg/tuple.h"

/* 0 of a new page, and of one whose header cannot be. */
static inline uint32_t ps_pg_slots(const void *page, uint32_t page_size)
{
    const struct ps_slotted_layout *l = ps_format_postgres.slotted;

    return ps_slots_before(l, l->bounds(page).lower, page_size);
}

/* The first block of a relation, all of whose pages are there: not 0 of a segment by itself. */
static inline uint64_t ps_pg_first_block(const struct ps_table_info *info)
{
    return info->pages_end - info->pages_allocated;
}

/* Do the line pointer's bytes lie on the page, as a tuple would? */
static inline bool ps_pg_lp_fits(const struct ps_lp *lp, uint32_t page_size)
{
    return lp->len >= PS_PG_TUPLE_HEADER && lp->off % PS_ITEM_ALIGN == 0 && lp->off < page_size &&
           lp->len <= page_size - lp->off;
}

/* The tuple that the line pointer has; false: it has none, or its bytes are none. */
static inline bool ps_pg_tuple_at(const uint8_t *page, uint32_t page_size, uint32_t slot,
                                  struct ps_pg_tuple *ret)
{
    const struct ps_lp lp = ps_pg_lp_of(page, slot);

    return lp.flags == PS_LP_NORMAL && ps_pg_lp_fits(&lp, page_size) &&
           ps_pg_tuple_parse(page + lp.off, lp.len, ret) == PS_OK;
}

#endif
