/*
 * damage_glance.h - nearly all pages have nothing wrong with them: what a glance at a page's items
 * needs to see that, in one pass.
 *
 * A glance at items never judges and never prints. Either it is certain that the checks which
 * explain (ps_pg_check(), ps_pg_walk_heap(), ps_pg_walk_order()) would find nothing, or it says no,
 * and they are run.
 *
 * Flow       damage_heap, damage_order -> [damage_glance] -> decode_private
 * Units      offsets and lengths are bytes.
 * Ownership  a glance points to the caller's view of the page.
 * Locking    pure functions.
 * Errors     none: what is not certain is a no.
 * Promise    where it says yes, the checks find nothing; any bytes are survived.
 */
#ifndef PS_PG_DAMAGE_GLANCE_H
#define PS_PG_DAMAGE_GLANCE_H

#include "pg/decode_private.h"

struct ps_glance {
    const struct ps_pg_view *view;
    const uint8_t *bytes; /* the view's, as what follows */
    uint32_t upper, special;
    uint32_t lowest; /* where the last item begins; special before the first */
    bool descending; /* each item lies below the one before it: none shares a byte */
};

/* False: the header or the bounds are not those of a page in use. */
static inline bool ps_glance_begin(struct ps_glance *g, const struct ps_pg_view *v)
{
    const struct ps_pg_header *hdr = (const struct ps_pg_header *)v->bytes;

    *g = (struct ps_glance){
        .view = v,
        .bytes = v->bytes,
        .upper = v->upper,
        .special = v->special,
        .lowest = v->special,
        .descending = true,
    };
    return !(ps_get16(hdr->pd_flags) & ~PS_PD_VALID_FLAGS) &&
           ps_get16(hdr->pd_pagesize_version) == (v->size | PS_PG_LAYOUT_VERSION) &&
           v->lower >= PS_PG_HEADER_LEN && v->lower <= v->upper && v->upper <= v->special &&
           v->special <= v->size && (v->upper | v->special) % PS_ITEM_ALIGN == 0 &&
           (v->lower - PS_PG_HEADER_LEN) % PS_PG_LP_LEN == 0;
}

/* Bytes that an item of that length takes, which is not 0. */
static inline uint32_t ps_glance_space(uint32_t len)
{
    assert(len > 0);
    return (len + PS_ITEM_ALIGN - 1) & ~(PS_ITEM_ALIGN - 1);
}

/* The bytes of a line pointer whose length is not 0: between upper and special, and aligned. NULL:
 * they are not. */
static inline const uint8_t *ps_glance_bytes(const struct ps_glance *g, const struct ps_lp *lp)
{
    return lp->off % PS_ITEM_ALIGN == 0 && lp->off >= g->upper &&
                   lp->off + ps_glance_space(lp->len) <= g->special
               ? g->bytes + lp->off
               : NULL;
}

/* Notes that the bytes are the line pointer's. */
static inline void ps_glance_take(struct ps_glance *g, const struct ps_lp *lp)
{
    g->descending &= lp->off + ps_glance_space(lp->len) <= g->lowest;
    g->lowest = lp->off;
}

/* In any order: does none of the line pointers share bytes with another? */
bool ps_glance_none_shares(const struct ps_pg_view *v);

/* Are all bytes nobody else's? To be asked when all line pointers that have some were taken. */
static inline bool ps_glance_apart(const struct ps_glance *g)
{
    return g->descending || ps_glance_none_shares(g->view);
}

#endif
