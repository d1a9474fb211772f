#include "pagestore/slotted.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "format/layout.h"

/* A slotted page whose bounds are known to be in order. */
struct view {
    const struct ps_slotted_layout *l;
    const unsigned char *page;
    uint32_t page_size;
    struct ps_bounds b;
    uint32_t slots;
    bool is_new; /* all zero: the first change initialises it */
};

static ps_err check_bounds(const struct view *v)
{
    struct ps_first_damage first = {0};
    struct ps_damage d = {ps_first_damage_keep, &first, 0};

    if (!ps_bounds_check(v->l, &v->b, v->page_size, &d))
        return ps_fail(PS_ERR_CORRUPT, "slotted page: %s", first.text);
    if (v->b.upper % PS_ITEM_ALIGN != 0 || (v->b.lower - v->l->lp_start) % v->l->lp_len != 0)
        return ps_fail(PS_ERR_CORRUPT, "slotted page: lower %u or upper %u is out of step",
                       v->b.lower, v->b.upper);
    return PS_OK;
}

static ps_err open_page(const struct ps_format *fmt, const void *page, uint32_t page_size,
                        struct view *ret)
{
    struct view v = {.l = fmt->slotted, .page = page, .page_size = page_size};
    ps_err err;

    assert(page_size >= PS_PAGE_SIZE_MIN && page_size <= fmt->page_size_max);

    v.is_new = v.l->zero_is_empty && ps_page_is_zero(page, page_size);
    if (v.is_new) {
        v.b = (struct ps_bounds){.lower = v.l->lp_start, .upper = page_size, .special = page_size};
        *ret = v;
        return PS_OK;
    }
    v.b = v.l->bounds(page);
    if (!v.l->holds_items(page, page_size))
        return ps_fail(PS_ERR_WRONG_TYPE, "the page is of type %d and holds no items",
                       (int)fmt->type(page));
    err = check_bounds(&v);
    if (err)
        return err;
    v.slots = (v.b.lower - v.l->lp_start) / v.l->lp_len;
    *ret = v;
    return PS_OK;
}

/* The line pointer of a live item that lies between upper and special. */
static ps_err find_item(const struct view *v, uint32_t slot, struct ps_lp *ret)
{
    struct ps_lp lp = {0};

    if (slot == 0 || slot > v->slots)
        return ps_fail(PS_ERR_NOENT, "slot %u: the page has %u", slot, v->slots);
    lp = v->l->lp(v->page, slot);
    if (lp.flags != PS_LP_NORMAL)
        return ps_fail(PS_ERR_NOENT, "slot %u holds no item", slot);
    if (lp.off < v->b.upper || lp.off % PS_ITEM_ALIGN != 0 || lp.off >= v->b.special ||
        lp.len > v->b.special - lp.off)
        return ps_fail(PS_ERR_CORRUPT,
                       "slot %u: offset %u, length %u is not an item between %u and %u", slot,
                       lp.off, lp.len, v->b.upper, v->b.special);
    *ret = lp;
    return PS_OK;
}

/* The lowest unused slot, or the one after the last. */
static uint32_t free_slot(const struct view *v)
{
    if (!v->b.has_free)
        return v->slots + 1;
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        if (v->l->lp(v->page, slot).flags == PS_LP_UNUSED)
            return slot;
    }
    return v->slots + 1;
}

/* Bytes between the line pointers and special that no item but the one in `except` has. 64 bits,
 * as overlapping items of a broken page can add up to more than it has: then it is 0. */
static uint32_t free_space(const struct view *v, uint32_t except)
{
    uint32_t all = v->b.special - v->b.lower;
    uint64_t taken = 0;

    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_lp lp = v->l->lp(v->page, slot);

        if (slot != except && ps_lp_has_storage(&lp))
            taken += ps_item_space(lp.len);
    }
    return taken > all ? 0 : all - (uint32_t)taken;
}

ps_err ps_slotted_slots(const struct ps_format *fmt, const void *page, uint32_t page_size,
                        uint32_t *ret_slots)
{
    struct view v = {0};
    ps_err err = open_page(fmt, page, page_size, &v);

    if (err)
        return err;
    *ret_slots = v.slots;
    return PS_OK;
}

ps_err ps_slotted_get(const struct ps_format *fmt, const void *page, uint32_t page_size,
                      uint32_t slot, struct ps_item *ret)
{
    struct view v = {0};
    struct ps_lp lp = {0};
    ps_err err = open_page(fmt, page, page_size, &v);

    if (!err)
        err = find_item(&v, slot, &lp);
    if (err)
        return err;
    *ret = (struct ps_item){v.page + lp.off, lp.len};
    return PS_OK;
}

uint32_t ps_slotted_room(const struct ps_format *fmt, const void *page, uint32_t page_size)
{
    struct view v = {0};
    uint32_t space, lp_space;

    if (open_page(fmt, page, page_size, &v) != PS_OK)
        return 0;
    space = free_space(&v, 0);
    lp_space = free_slot(&v) > v.slots ? v.l->lp_len : 0;
    return space < lp_space ? 0 : (space - lp_space) / PS_ITEM_ALIGN * PS_ITEM_ALIGN;
}

uint32_t ps_slotted_item_max(const struct ps_format *fmt, uint32_t page_size)
{
    const struct ps_slotted_layout *l = fmt->slotted;

    return (page_size - l->lp_start - l->lp_len) / PS_ITEM_ALIGN * PS_ITEM_ALIGN;
}

/* Moves all items together at special, in slot order, but for `except`, whose line pointer is
 * left naming bytes that are no longer its own. The caller has checked the structure. */
static ps_err move_items(struct view *v, unsigned char *page, uint32_t except)
{
    unsigned char *before = malloc(v->page_size);
    uint32_t upper = v->b.special;

    if (!before)
        return ps_fail(PS_ERR_NOMEM, "no memory to compact a page of %u bytes", v->page_size);
    memcpy(before, page, v->page_size);
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_lp lp = v->l->lp(before, slot);
        uint32_t space = ps_item_space(lp.len);

        if (slot == except || !ps_lp_has_storage(&lp))
            continue;
        upper -= space;
        memcpy(page + upper, before + lp.off, lp.len);
        memset(page + upper + lp.len, 0, space - lp.len);
        lp.off = upper;
        v->l->set_lp(page, slot, &lp);
    }
    free(before);
    assert(upper >= v->b.lower);
    v->b.upper = upper;
    v->l->set_bounds(page, &v->b);
    return PS_OK;
}

static ps_err compact_without(struct view *v, unsigned char *page, uint32_t except)
{
    struct ps_first_damage first = {0};
    struct ps_damage d = {ps_first_damage_keep, &first, 0};

    ps_slotted_check(v->l, page, v->page_size, &d);
    if (d.count > 0)
        return ps_fail(PS_ERR_CORRUPT, "slotted page: %s", first.text);
    return move_items(v, page, except);
}

/* Puts an item below upper, where the caller has made sure that there is room. */
static void place(struct view *v, unsigned char *page, uint32_t slot, const void *data,
                  uint32_t len)
{
    uint32_t space = ps_item_space(len);
    struct ps_lp lp = {.off = v->b.upper - space, .len = len, .flags = PS_LP_NORMAL};

    assert(v->b.upper >= v->b.lower + space);
    if (len > 0)
        memcpy(page + lp.off, data, len);
    memset(page + lp.off + len, 0, space - len);
    v->b.upper = lp.off;
    v->l->set_lp(page, slot, &lp);
    v->l->set_bounds(page, &v->b);
}

ps_err ps_slotted_insert(const struct ps_format *fmt, void *page, uint32_t page_size,
                         const void *data, uint32_t len, uint32_t *ret_slot)
{
    uint32_t item_max = ps_slotted_item_max(fmt, page_size);
    uint32_t slot, need;
    struct view v = {0};
    ps_err err;

    if (len > item_max)
        return ps_fail(PS_ERR_RANGE, "an item of %u bytes: a page of %u takes at most %u", len,
                       page_size, item_max);
    err = open_page(fmt, page, page_size, &v);
    if (err)
        return err;
    slot = free_slot(&v);
    need = ps_item_space(len) + (slot > v.slots ? v.l->lp_len : 0);
    if (need > v.b.upper - v.b.lower) {
        if (need > free_space(&v, 0))
            return ps_fail(PS_ERR_FULL, "no room for an item of %u bytes", len);
        err = compact_without(&v, page, 0);
        if (err)
            return err;
    }

    if (v.is_new)
        fmt->init(page, &(struct ps_page_ident){.page_size = page_size}, PS_PAGE_SLOTTED);
    if (slot > v.slots) {
        v.b.lower += v.l->lp_len;
        v.b.has_free = false;
    }
    place(&v, page, slot, data, len);
    *ret_slot = slot;
    return PS_OK;
}

/* Gives back the unused line pointers at the end. */
static void drop_last_slots(struct view *v, unsigned char *page)
{
    while (v->slots > 0 && v->l->lp(page, v->slots).flags == PS_LP_UNUSED)
        v->slots--;
    v->b.lower = v->l->lp_start + v->slots * v->l->lp_len;
    if (v->slots == 0) {
        v->b.upper = v->b.special;
        v->b.has_free = false;
    }
}

ps_err ps_slotted_delete(const struct ps_format *fmt, void *page, uint32_t page_size, uint32_t slot)
{
    struct ps_lp unused = {0};
    struct ps_lp lp = {0};
    struct view v = {0};
    ps_err err = open_page(fmt, page, page_size, &v);

    if (!err)
        err = find_item(&v, slot, &lp);
    if (err)
        return err;
    v.l->set_lp(page, slot, &unused);
    if (slot == v.slots)
        drop_last_slots(&v, page);
    else
        v.b.has_free = true;
    v.l->set_bounds(page, &v.b);
    return PS_OK;
}

static void replace_in_place(const struct view *v, unsigned char *page, uint32_t slot,
                             struct ps_lp lp, const void *data, uint32_t len)
{
    if (len > 0)
        memcpy(page + lp.off, data, len);
    memset(page + lp.off + len, 0, ps_item_space(len) - len);
    lp.len = len;
    v->l->set_lp(page, slot, &lp);
}

ps_err ps_slotted_replace(const struct ps_format *fmt, void *page, uint32_t page_size,
                          uint32_t slot, const void *data, uint32_t len)
{
    uint32_t item_max = ps_slotted_item_max(fmt, page_size);
    uint32_t need = ps_item_space(len);
    struct view v = {0};
    struct ps_lp lp = {0};
    ps_err err;

    if (len > item_max)
        return ps_fail(PS_ERR_RANGE, "an item of %u bytes: a page of %u takes at most %u", len,
                       page_size, item_max);
    err = open_page(fmt, page, page_size, &v);
    if (!err)
        err = find_item(&v, slot, &lp);
    if (err)
        return err;
    if (need <= ps_item_space(lp.len)) {
        replace_in_place(&v, page, slot, lp, data, len);
        return PS_OK;
    }
    if (need > v.b.upper - v.b.lower) {
        if (need > free_space(&v, slot))
            return ps_fail(PS_ERR_FULL, "no room for an item of %u bytes", len);
        err = compact_without(&v, page, slot);
        if (err)
            return err;
    }
    place(&v, page, slot, data, len);
    return PS_OK;
}

ps_err ps_slotted_compact(const struct ps_format *fmt, void *page, uint32_t page_size)
{
    struct view v = {0};
    ps_err err = open_page(fmt, page, page_size, &v);

    if (err || v.is_new)
        return err;
    return compact_without(&v, page, 0);
}
