/*
 * damage_glance.h - nearly all pages have nothing wrong with them: what a glance at a page needs to
 * see that, in one pass over its items.
 *
 * A glance never judges and never prints. Either it is certain that the checks which explain
 * (ps_pg_check(), ps_pg_walk_heap(), ps_pg_walk_order()) would find nothing, or it says no, and
 * they are run.
 *
 * Flow       damage_heap, damage_order -> [damage_glance] -> decode_private
 * Units      offsets and lengths are bytes.
 * Locking    pure functions.
 */
#ifndef PS_PG_DAMAGE_GLANCE_H
#define PS_PG_DAMAGE_GLANCE_H

#include "pg/decode_private.h"

#define PS_GLANCE_PAGE_MAX 32768u
#define PS_GLANCE_WORDS (PS_GLANCE_PAGE_MAX / PS_ITEM_ALIGN / 64u)

/* What items take of a page: a bit for each PS_ITEM_ALIGN bytes. */
struct ps_glance {
    const struct ps_pg_view *view;
    uint64_t taken[PS_GLANCE_WORDS];
};

/* False: the header or the bounds are not those of a page in use. */
static inline bool ps_glance_begin(struct ps_glance *g, const struct ps_pg_view *v)
{
    const struct ps_pg_header *hdr = (const struct ps_pg_header *)v->bytes;

    assert(v->size <= PS_GLANCE_PAGE_MAX);
    g->view = v;
    memset(g->taken, 0, (v->size / PS_ITEM_ALIGN + 63u) / 64u * sizeof(g->taken[0]));
    return !(ps_get16(hdr->pd_flags) & ~PS_PD_VALID_FLAGS) &&
           ps_get16(hdr->pd_pagesize_version) == (v->size | PS_PG_LAYOUT_VERSION) &&
           v->lower >= PS_PG_HEADER_LEN && v->lower <= v->upper && v->upper <= v->special &&
           v->special <= v->size && (v->upper | v->special) % PS_ITEM_ALIGN == 0 &&
           (v->lower - PS_PG_HEADER_LEN) % PS_PG_LP_LEN == 0;
}

/* False: some of the bytes are taken already. */
static inline bool ps_glance_take(struct ps_glance *g, uint32_t off, uint32_t len)
{
    uint32_t word = off / PS_ITEM_ALIGN / 64, bit = off / PS_ITEM_ALIGN % 64, left, here;

    for (left = len / PS_ITEM_ALIGN; left > 0; left -= here, bit = 0, word++) {
        uint64_t bits;

        here = left < 64 - bit ? left : 64 - bit;
        bits = UINT64_MAX >> (64 - here) << bit;
        if (g->taken[word] & bits)
            return false;
        g->taken[word] |= bits;
    }
    return true;
}

/* The bytes of a line pointer that has some: between upper and special, aligned, nobody else's.
 * NULL: they are not. */
static inline const uint8_t *ps_glance_item(struct ps_glance *g, const struct ps_lp *lp)
{
    const uint32_t space = ps_item_space(lp->len);

    if (lp->off % PS_ITEM_ALIGN != 0 || lp->off < g->view->upper || lp->off >= g->view->special ||
        space > g->view->special - lp->off || !ps_glance_take(g, lp->off, space))
        return NULL;
    return g->view->bytes + lp->off;
}

#endif
