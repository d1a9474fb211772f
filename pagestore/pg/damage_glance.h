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
 * Locking    pure functions.
 */
#ifndef PS_PG_DAMAGE_GLANCE_H
#define PS_PG_DAMAGE_GLANCE_H

#include "pg/decode_private.h"

struct ps_glance {
    const struct ps_pg_view *view;
    struct ps_taken taken; /* by the items so far; valid up to the page's size */
};

/* False: the header or the bounds are not those of a page in use. */
static inline bool ps_glance_begin(struct ps_glance *g, const struct ps_pg_view *v)
{
    const struct ps_pg_header *hdr = (const struct ps_pg_header *)v->bytes;

    g->view = v;
    memset(g->taken.bits, 0, (v->size / PS_ITEM_ALIGN + 63u) / 64u * sizeof(g->taken.bits[0]));
    return !(ps_get16(hdr->pd_flags) & ~PS_PD_VALID_FLAGS) &&
           ps_get16(hdr->pd_pagesize_version) == (v->size | PS_PG_LAYOUT_VERSION) &&
           v->lower >= PS_PG_HEADER_LEN && v->lower <= v->upper && v->upper <= v->special &&
           v->special <= v->size && (v->upper | v->special) % PS_ITEM_ALIGN == 0 &&
           (v->lower - PS_PG_HEADER_LEN) % PS_PG_LP_LEN == 0;
}

/* The bytes of a line pointer that has some: between upper and special, aligned, nobody else's.
 * NULL: they are not. */
static inline const uint8_t *ps_glance_item(struct ps_glance *g, const struct ps_lp *lp)
{
    const uint32_t space = ps_item_space(lp->len);

    if (lp->off % PS_ITEM_ALIGN != 0 || lp->off < g->view->upper || lp->off >= g->view->special ||
        space > g->view->special - lp->off || !ps_take(&g->taken, lp->off, lp->len))
        return NULL;
    return g->view->bytes + lp->off;
}

#endif
