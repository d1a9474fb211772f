/* What can be wrong with the structure of a slotted page, in both formats. */
#include "format/layout.h"

#include <assert.h>

bool ps_bounds_check(const struct ps_slotted_layout *l, const struct ps_bounds *b,
                     uint32_t page_size, struct ps_damage *d)
{
    if (b->lower < l->lp_start || b->lower > b->upper || b->upper > b->special ||
        b->special > page_size) {
        ps_damage_add(d, "header", 0,
                      "lower %u, upper %u, special %u are not in order between %u and %u", b->lower,
                      b->upper, b->special, l->lp_start, page_size);
        return false;
    }
    if (b->special % PS_ITEM_ALIGN != 0) {
        ps_damage_add(d, "header", 0, "special %u is not a multiple of %u", b->special,
                      PS_ITEM_ALIGN);
        return false;
    }
    return true;
}

static void check_storage(const struct ps_bounds *b, uint32_t slot, const struct ps_lp *lp,
                          struct ps_taken *taken, struct ps_damage *d)
{
    if (lp->off < b->upper || lp->off >= b->special || lp->len > b->special - lp->off) {
        ps_damage_add(
            d, "lp-range", slot,
            "line pointer %u: offset %u, length %u is not between upper %u and special %u", slot,
            lp->off, lp->len, b->upper, b->special);
        return;
    }
    if (lp->off % PS_ITEM_ALIGN != 0)
        ps_damage_add(d, "lp-align", slot, "line pointer %u: offset %u is not a multiple of %u",
                      slot, lp->off, PS_ITEM_ALIGN);
    if (!ps_take(taken, lp->off, lp->len))
        ps_damage_add(d, "lp-overlap", slot,
                      "line pointer %u: offset %u, length %u overlaps an item before it", slot,
                      lp->off, lp->len);
}

static void check_redirect(const struct ps_slotted_layout *l, const void *page, uint32_t slots,
                           uint32_t slot, const struct ps_lp *lp, struct ps_damage *d)
{
    static const char *const states[] = {"unused", "normal", "another redirect", "dead"};
    struct ps_lp target;

    if (lp->off == 0 || lp->off > slots) {
        ps_damage_add(d, "lp-redirect", slot, "line pointer %u redirects to %u of %u", slot,
                      lp->off, slots);
        return;
    }
    target = l->lp(page, lp->off);
    if (target.flags != PS_LP_NORMAL)
        ps_damage_add(d, "lp-redirect", slot, "line pointer %u redirects to %u, which is %s", slot,
                      lp->off, states[target.flags]);
}

/* Most pages have their items in the order of their line pointers, or against it, and nothing else:
 * that none overlaps can be seen without a map of what is taken. False says nothing. */
static bool is_plain(const struct ps_slotted_layout *l, const void *page, const struct ps_bounds *b,
                     uint32_t slots)
{
    uint32_t low = 0, high = 0; /* what is taken lies between; 0: nothing is */

    for (uint32_t slot = slots; slot >= 1; slot--) {
        const struct ps_lp lp = l->lp(page, slot);
        const uint32_t end = lp.off + ps_item_space(lp.len);

        if (lp.len == 0 && (lp.flags == PS_LP_UNUSED || lp.flags == PS_LP_DEAD))
            continue;
        if (!ps_lp_has_storage(&lp) || lp.off % PS_ITEM_ALIGN != 0 || lp.off < b->upper ||
            end > b->special)
            return false;
        if (high == 0)
            low = lp.off;
        if (lp.off >= high)
            high = end;
        else if (end <= low)
            low = lp.off;
        else
            return false;
    }
    return true;
}

static void check_line_pointers(const struct ps_slotted_layout *l, const void *page,
                                const struct ps_bounds *b, uint32_t slots, struct ps_damage *d)
{
    struct ps_taken taken = {0};

    for (uint32_t slot = 1; slot <= slots; slot++) {
        struct ps_lp lp = l->lp(page, slot);

        if (ps_lp_has_storage(&lp))
            check_storage(b, slot, &lp, &taken, d);
        else if (lp.flags == PS_LP_REDIRECT)
            check_redirect(l, page, slots, slot, &lp, d);
        if (lp.flags != PS_LP_NORMAL && lp.flags != PS_LP_DEAD && lp.len != 0)
            ps_damage_add(d, "lp-unused", slot,
                          "line pointer %u: flags %u own no bytes, but length is %u", slot,
                          (unsigned)lp.flags, lp.len);
    }
}

void ps_slotted_check(const struct ps_slotted_layout *l, const void *page, uint32_t page_size,
                      struct ps_damage *d)
{
    struct ps_bounds b = l->bounds(page);
    uint32_t slots;

    assert(page_size <= PS_PAGE_SIZE_MAX);

    if (!ps_bounds_check(l, &b, page_size, d) || !l->holds_items(page, page_size))
        return;
    if (b.upper % PS_ITEM_ALIGN != 0)
        ps_damage_add(d, "header", 0, "upper %u is not a multiple of %u", b.upper, PS_ITEM_ALIGN);
    if ((b.lower - l->lp_start) % l->lp_len != 0)
        ps_damage_add(d, "header", 0, "lower %u does not end a line pointer of %u bytes from %u",
                      b.lower, l->lp_len, l->lp_start);
    slots = ps_slots_before(l, b.lower, page_size);
    if (!is_plain(l, page, &b, slots))
        check_line_pointers(l, page, &b, slots, d);
}
