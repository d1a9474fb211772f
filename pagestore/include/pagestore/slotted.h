/*
 * slotted.h - items on slotted pages, in both formats.
 *
 * A slotted page has line pointers growing up from the header and items growing down from the
 * end (PostgreSQL, src/backend/storage/page/bufpage.c; the native format uses the same layout
 * behind its own header, FORMAT.md section 4). Slots count from 1, as PostgreSQL's offset
 * numbers do; a slot keeps its number until its item is deleted, and deleted ones are reused.
 * An all-zero postgres page, PostgreSQL's "new" page, counts as an empty slotted page.
 *
 * Flow       store, users of the library -> [slotted] -> bytes of a page
 * Units      item lengths are bytes; free space is what one more item may take, its line pointer
 *            already deducted.
 * Ownership  item pointers point into the page and are valid while its bytes do not change.
 * Locking    pure functions; shared latch to read, exclusive to change.
 * Errors     PS_ERR_FULL: no room even after compaction. PS_ERR_RANGE: longer than any page
 *            takes. PS_ERR_NOENT: no live item in that slot. PS_ERR_CORRUPT: the page's
 *            structure is broken; nothing was changed. PS_ERR_WRONG_TYPE: the page holds no
 *            items (a raw native page, a metapage of an index). PS_ERR_NOMEM: compaction found
 *            no memory for its copy of the page.
 * Promise    a call that fails changed nothing. Changes are whole-page: the caller logs the
 *            page, or compares before and after.
 */
#ifndef PAGESTORE_SLOTTED_H
#define PAGESTORE_SLOTTED_H

#include "pagestore/format.h"

struct ps_item {
    const void *data;
    uint32_t len;
};

/* The highest slot number of the page, used or not; 0 if it has no slots. */
PS_MUST_USE ps_err ps_slotted_slots(const struct ps_format *fmt, const void *page,
                                    uint32_t page_size, uint32_t *ret_slots);
PS_MUST_USE ps_err ps_slotted_get(const struct ps_format *fmt, const void *page, uint32_t page_size,
                                  uint32_t slot, struct ps_item *ret);
/* The longest item that ps_slotted_insert would take now; 0: not even an empty one. */
uint32_t ps_slotted_room(const struct ps_format *fmt, const void *page, uint32_t page_size);
/* Longest item that an empty page of this size takes. */
uint32_t ps_slotted_item_max(const struct ps_format *fmt, uint32_t page_size);

/* Takes the lowest free slot, or the next one where the page's hint says that none is free;
 * compacts if that makes room. data lies outside the page. */
PS_MUST_USE ps_err ps_slotted_insert(const struct ps_format *fmt, void *page, uint32_t page_size,
                                     const void *data, uint32_t len, uint32_t *ret_slot);
/* Frees the slot; free slots at the end of the line pointers are given back at once. */
PS_MUST_USE ps_err ps_slotted_delete(const struct ps_format *fmt, void *page, uint32_t page_size,
                                     uint32_t slot);
/* Replaces the item in its slot by one of any length that fits; compacts if that makes room.
 * data lies outside the page. */
PS_MUST_USE ps_err ps_slotted_replace(const struct ps_format *fmt, void *page, uint32_t page_size,
                                      uint32_t slot, const void *data, uint32_t len);
/* Moves the items together at the page's end; slots stay. */
PS_MUST_USE ps_err ps_slotted_compact(const struct ps_format *fmt, void *page, uint32_t page_size);

#endif
