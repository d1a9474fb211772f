/*
 * layout.h - where line pointers and items lie on a slotted page: what differs by format.
 *
 * Flow       slotted.c, check and describe -> [layout] -> the page's bytes
 * Units      offsets count bytes from the start of the page; slots count from 1.
 * Ownership  nothing is kept; all calls work on the caller's bytes.
 * Locking    pure functions.
 * Errors     none: these decode and encode. They read only bytes before the line pointer's own
 *            end, so the caller checks that a slot's line pointer lies on the page.
 * Promise    what a setter wrote, its getter returns.
 */
#ifndef PS_FORMAT_LAYOUT_H
#define PS_FORMAT_LAYOUT_H

#include <assert.h>

#include "format/damage.h"

#define PS_ITEM_ALIGN 8u /* items start at multiples of it, in both formats */

/* PostgreSQL's itemid.h; the native format uses the same values. */
enum ps_lp_flags {
    PS_LP_UNUSED = 0,
    PS_LP_NORMAL = 1,
    PS_LP_REDIRECT = 2, /* off is the slot to look at instead */
    PS_LP_DEAD = 3,     /* may or may not still have its bytes */
};

struct ps_lp {
    uint32_t off;
    uint32_t len;
    enum ps_lp_flags flags;
};

struct ps_bounds {
    uint32_t lower;   /* end of the line pointers */
    uint32_t upper;   /* start of the items */
    uint32_t special; /* end of the items */
    bool has_free;    /* a hint: there may be unused line pointers before lower */
};

struct ps_slotted_layout {
    uint32_t lp_start;  /* offset of line pointer 1 */
    uint32_t lp_len;    /* bytes of one line pointer */
    bool zero_is_empty; /* an all-zero page is an empty slotted one */

    struct ps_bounds (*bounds)(const void *page);
    void (*set_bounds)(void *page, const struct ps_bounds *b);
    struct ps_lp (*lp)(const void *page, uint32_t slot);
    void (*set_lp)(void *page, uint32_t slot, const struct ps_lp *lp);

    /* Are the bytes from lp_start to lower line pointers? Survives any bytes. */
    bool (*holds_items)(const void *page, uint32_t page_size);
};

/* Does the line pointer own bytes between upper and special? */
static inline bool ps_lp_has_storage(const struct ps_lp *lp)
{
    return lp->flags == PS_LP_NORMAL || (lp->flags == PS_LP_DEAD && lp->len > 0);
}

/* Bytes an item takes. An empty one takes some too, so that each has an address of its own. */
static inline uint32_t ps_item_space(uint32_t len)
{
    return len == 0 ? PS_ITEM_ALIGN : (len + PS_ITEM_ALIGN - 1) / PS_ITEM_ALIGN * PS_ITEM_ALIGN;
}

/* One bit for each 8 bytes of the largest page: which of them an item has taken. */
struct ps_taken {
    uint64_t bits[PS_PAGE_SIZE_MAX / PS_ITEM_ALIGN / 64];
};

/* Bits [from, to) of a word. */
static inline uint64_t ps_bits_between(uint32_t from, uint32_t to)
{
    uint64_t below_to = to < 64 ? (UINT64_C(1) << to) - 1 : UINT64_MAX;

    return below_to & (UINT64_MAX << from);
}

/* Takes the bytes of an item that lies on the page (an empty one's first, too), up to the first
 * that another item has already: then false. A word at a time. Each step takes something or is the
 * last: many items on the same bytes cost no more than one. */
static inline bool ps_take(struct ps_taken *taken, uint32_t off, uint32_t len)
{
    uint32_t at = off / PS_ITEM_ALIGN;
    uint32_t end = (off + (len > 0 ? len - 1 : 0)) / PS_ITEM_ALIGN + 1;

    assert(off < PS_PAGE_SIZE_MAX && len <= PS_PAGE_SIZE_MAX - off);

    for (uint32_t word = at / 64; at < end; word++, at = word * 64) {
        uint64_t wanted = ps_bits_between(at % 64, end - word * 64);
        uint64_t others = taken->bits[word] & wanted;

        if (others) {
            taken->bits[word] |= wanted & ((others & -others) - 1);
            return false;
        }
        taken->bits[word] |= wanted;
    }
    return true;
}

/* Line pointers that can be read: those before lower, as far as lower lies on the page. */
static inline uint32_t ps_slots_before(const struct ps_slotted_layout *l, uint32_t lower,
                                       uint32_t page_size)
{
    return lower < l->lp_start || lower > page_size ? 0 : (lower - l->lp_start) / l->lp_len;
}

/* Checks the order and alignment of the bounds. False when line pointers and items cannot be
 * told apart; each thing wrong is added to d. */
bool ps_bounds_check(const struct ps_slotted_layout *l, const struct ps_bounds *b,
                     uint32_t page_size, struct ps_damage *d);

/* Checks bounds and, where the page holds items, every line pointer: flags, range, alignment,
 * overlap, where redirects lead. */
void ps_slotted_check(const struct ps_slotted_layout *l, const void *page, uint32_t page_size,
                      struct ps_damage *d);

#endif
