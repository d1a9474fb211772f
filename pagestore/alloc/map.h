/*
 * map.h - a table's allocation map: which pages there are, and when each changed last.
 *
 * ID.map is a file of pages of its own (native header, type MAP), in the pool like any. They form
 * a tree of fixed shape. Leaves have 16 bytes a page of the table: LSN of its last change, and
 * state with mtime. Inner nodes have an entry for each child: counts of its pages by state, and
 * either the generation of the child node or, where all pages of the subtree came into one state at
 * one moment ("uniform"), that state and no generation. What lies on disk in place of a uniform
 * subtree's nodes means nothing, so allocating or freeing a range of any length changes a node or
 * two on each level, and `truncate -s 1T` writes nothing else. A live child node carries the
 * generation that its parent expects: a node that is lost, zero or of an earlier life is never
 * taken for an empty one. Nodes lie in the file in depth-first order, as in PostgreSQL's free
 * space map (src/backend/storage/freespace/freespace.c): small tables have small maps. The root
 * also has the payload length and the table's totals. Bytes and formulas: FORMAT.md section 6.
 *
 * The LSN in a page's entry is that of the page's last change. It is derived, in redo too, from the
 * records that change the page, and costs no record of its own; states and counts are logged.
 * If the LSN of a page on disk differs from its entry, a write was lost or the page belongs
 * elsewhere, which no checksum can show.
 *
 * Files that others made have no such map: for them the same calls answer from the file's length.
 *
 * Flow       store (page states), recovery (redo of entries) -> [map] -> group, pool
 * Units      page numbers count from 0, counts are pages, times microseconds since 1970.
 * Ownership  a map is opened on a table and keeps no page pinned.
 * Locking    reading: the caller holds the table's alloc_lock either way, and reserved
 *            PS_MAP_READ_FRAMES. touch: alloc_lock either way, inside a group. set and
 *            set_payload_len: alloc_lock exclusively, inside a group.
 * Errors     PS_ERR_CORRUPT and PS_ERR_IO from reading map pages. PS_ERR_RANGE: a page number that
 *            cannot be. On error what was to be returned is untouched.
 * Promise    a change of any range changes two nodes a level at most, but for runs of up to
 *            PS_MAP_RUN_MAX pages. A node that is not the one its parent expects is damage, never
 *            an empty one.
 */
#ifndef PS_ALLOC_MAP_H
#define PS_ALLOC_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pool/group.h"

enum ps_page_state {
    PS_FREE = 0,   /* not allocated; its bytes on disk mean nothing */
    PS_VIRGIN = 1, /* allocated, never written: made up when read, its bytes on disk mean nothing */
    PS_USED = 2,   /* written: on disk under its LSN and checksum */
    PS_ZERO = 3,   /* written, and all zero on disk (postgres format); counted as used */
};

#define PS_MAP_PAGES_MAX UINT32_MAX /* page numbers are below this */
#define PS_MAP_READ_FRAMES 1u
#define PS_MAP_LEVELS_MAX 5u /* with pages of PS_PAGE_SIZE_MIN */

/* Ranges of at most this many pages are changed page by page, longer ones by whole subtrees where
 * they cover them. Only FREE and VIRGIN can be a subtree's state: pages are made USED, and touched,
 * in runs of at most this length. That is well above what one request can write (1 MiB into 4 KiB
 * pages, even of items that fill each page only a little more than half). */
#define PS_MAP_RUN_MAX 1024u

struct ps_map_entry {
    enum ps_page_state state;
    uint64_t lsn;      /* of the page's last change; 0 for FREE and VIRGIN, which have no bytes */
    uint64_t mtime_us; /* of the page's last change, or of becoming FREE or VIRGIN; 0: never */
};

struct ps_map_summary {
    uint64_t end;  /* highest allocated page + 1; 0: none */
    uint64_t free; /* pages below end that are not allocated */
    uint64_t virgin, used;
    uint64_t payload_len; /* bytes; raw native tables */
};

/* Leaves that a walk has found live, so that the next one to them need not begin at the root. For
 * the one map of a table through which states are set: its owner makes it (zeroed), sets `known`,
 * and keeps it as long as the map. */
#define PS_MAP_KNOWN_LEAVES 64u
struct ps_map_known {
    struct {
        _Atomic uint64_t index_plus_1; /* 0: none */
        _Atomic uint64_t gen;
    } leaves[PS_MAP_KNOWN_LEAVES];
};

/* The pages of a table whose files somebody else made: [first, end) are USED, and there are no
 * others. Reading calls answer from this without reading map pages; calls that change the map are
 * not allowed. LSNs are not known and read as 0. The owner keeps this up to date; a call sees a
 * consistent state of it only if its caller makes sure of that. */
struct ps_map_solid {
    _Atomic uint64_t first, end; /* equal: no page */
    _Atomic uint64_t mtime_us;   /* of all of them */
    _Atomic uint64_t payload_len;
};

struct ps_map {
    struct ps_pool *pool;
    struct ps_map_known *known;       /* may be NULL */
    const struct ps_map_solid *solid; /* NULL: the map is a tree; else set by the table's owner */
    uint16_t provider;
    uint32_t table;
    uint32_t page_size;
    uint32_t leaf_fanout;  /* entries of a leaf */
    uint32_t inner_fanout; /* entries of an inner node */
    unsigned levels;       /* at least 2 for PS_PAGE_SIZE_MIN..MAX: the root is no leaf */
    uint64_t cover[PS_MAP_LEVELS_MAX];  /* pages below a whole node of each level; 0: leaves */
    uint64_t stride[PS_MAP_LEVELS_MAX]; /* map pages that a whole subtree of each level takes */
};

/* Computes the shape; reads nothing. */
void ps_map_init(struct ps_map *map, struct ps_pool *pool, uint16_t provider, uint32_t table,
                 uint32_t page_size);

/* Writes the root of an empty map as the only page of a new table's map, through the group. */
PS_MUST_USE ps_err ps_map_format(struct ps_map *map, struct ps_group *g);

PS_MUST_USE ps_err ps_map_get(struct ps_map *map, uint32_t page_no, struct ps_map_entry *ret);
/* The entries of [first, first + count), in one walk. */
PS_MUST_USE ps_err ps_map_get_range(struct ps_map *map, uint32_t first, uint32_t count,
                                    struct ps_map_entry *entries);
PS_MUST_USE ps_err ps_map_summary(struct ps_map *map, struct ps_map_summary *ret);
/* As much of that as the root alone tells: all but `end` and `free`, which stay 0. */
PS_MUST_USE ps_err ps_map_totals(struct ps_map *map, struct ps_map_summary *ret);

/* The first page >= from, or the last page <= from, whose state is in the mask (1 << state | ...);
 * skips subtrees by their counts, so that it costs O(levels) whatever lies between (but for masks
 * that tell USED from ZERO, which counts do not). ret may be NULL. PS_ERR_NOENT: there is none. */
PS_MUST_USE ps_err ps_map_next(struct ps_map *map, uint32_t from, unsigned states,
                               uint32_t *ret_page, struct ps_map_entry *ret);
PS_MUST_USE ps_err ps_map_prev(struct ps_map *map, uint32_t from, unsigned states,
                               uint32_t *ret_page, struct ps_map_entry *ret);

/* Pages of the map that preparing [first, first + count) to be set may pin, and bytes a set may
 * write of them, for ps_group_begin. Upper bounds: nothing is read. Of several ranges in one
 * group: the sum. payload_len alone: one frame, and 24 bytes. */
uint32_t ps_map_set_frames(const struct ps_map *map, uint32_t first, uint32_t count);
uint64_t ps_map_set_bytes(const struct ps_map *map, uint32_t first, uint32_t count);
/* Likewise for touch: pages are leaves. */
uint32_t ps_map_touch_frames(const struct ps_map *map, uint32_t first, uint32_t count);

/*
 * Two halves each, because a group pins before it writes and cannot fail afterwards: prepare pins
 * and latches the nodes (the last thing that can fail), apply writes. Between both the caller
 * prepares whatever else belongs to the group, in order of tags (a table's map comes after its
 * data).
 *
 * set: [first, first + count) all become `state`, one of FREE, VIRGIN and USED. Whoever makes pages
 * USED does so by touch in the same group: set makes the change of state and of counts, touch
 * the LSN. Pages that are USED or ZERO already may be among those set to USED, and stay as they
 * are. touch: [first, first + count), USED already or by a set of the same group, change now: their
 * entries take the group's LSN at commit, and its time. zero_bits (may be NULL): bit i set, LSB
 * first: page first + i is all zero now, and its state ZERO.
 *
 * A range prepared with changes_state, of at most PS_MAP_RUN_MAX pages, may be set and touched
 * wholly or in parts; a longer one must be set exactly as it was prepared. Without changes_state
 * it may only be touched, and has at most PS_MAP_RUN_MAX pages. A group that changes
 * several ranges (frees a table's end and touches its last page) prepares them together.
 */
#define PS_MAP_RANGES_MAX 2u
struct ps_map_range {
    uint32_t first;
    uint32_t count;
};
PS_MUST_USE ps_err ps_map_prepare_ranges(struct ps_map *map, struct ps_group *g,
                                         const struct ps_map_range *ranges, size_t range_count,
                                         bool changes_state);
PS_MUST_USE ps_err ps_map_prepare(struct ps_map *map, struct ps_group *g, uint32_t first,
                                  uint32_t count, bool changes_state);
void ps_map_apply_set(struct ps_map *map, struct ps_group *g, uint32_t first, uint32_t count,
                      enum ps_page_state state);
void ps_map_apply_touch(struct ps_map *map, struct ps_group *g, uint32_t first, uint32_t count,
                        const uint8_t *zero_bits);

/* The root's payload length. prepare as above pins the root whenever changes_state is set; alone,
 * or before a prepare that only touches, prepare_root does. */
PS_MUST_USE ps_err ps_map_prepare_root(struct ps_map *map, struct ps_group *g);
void ps_map_apply_payload_len(struct ps_map *map, struct ps_group *g, uint64_t len);

/*
 * Redo of what touch implied: the record (of group LSN lsn, at time_us) changed data page page_no,
 * which is all zero now or not. Pins and latches the leaf by itself, applies the entry if the
 * leaf's LSN is not newer (<= lsn: an image logged by the same group lacks the entry's LSN), marks
 * it dirty. Call after all of the group's own map references have been redone. Reserve
 * PS_MAP_READ_FRAMES. PS_ERR_CORRUPT: no leaf lies there, though the log says that one was written.
 */
PS_MUST_USE ps_err ps_map_redo_touch(struct ps_map *map, uint32_t page_no, uint64_t lsn,
                                     uint64_t time_us, bool zero);

/* A node of the tree. */
struct ps_map_node_id {
    unsigned level;      /* 0: leaf */
    uint64_t index;      /* among the nodes of its level */
    uint64_t first_page; /* of the table, that it covers */
    uint64_t pages;
};
/* For verify, which has no pool: the map page at which a node lies. */
uint32_t ps_map_node_page(const struct ps_map *map, unsigned level, uint64_t index);

/* False: no node lies at that map page, whatever the table has. */
bool ps_map_has_page(const struct ps_map *map, uint32_t map_page_no);

/* For map pages read from their file: can a page that passed its format's verify be the node that
 * belongs at map_page_no? Checks level, states and counts of its entries, and the root's totals,
 * but not whether its parent agrees. PS_ERR_CORRUPT; the message names the entry or the field. */
PS_MUST_USE ps_err ps_map_page_check(const struct ps_map *map, uint32_t map_page_no,
                                     const void *data);

/*
 * The offline walk, for verify and tests: reads map pages through `read` and checks the whole tree
 * below the root: generations, counts against children, states, reserved bytes. Damage is
 * reported and the walk goes on with what it can trust. An error of read of the kind
 * PS_ERR_CORRUPT or PS_ERR_IO is damage too (ps_message() its text); any other error, of read or of
 * a callback, ends the walk and is returned.
 */
struct ps_map_source {
    /* Fills buf (page_size bytes) with a map page that passed its format's verify, or with zeros
     * for one that was never written. */
    ps_err (*read)(void *ctx, uint32_t map_page_no, void *buf);
    void (*damage)(void *ctx, uint32_t map_page_no, const char *text);
    /* Pages that have an entry of their own, of whatever state, ascending; may be NULL. */
    ps_err (*each)(void *ctx, uint32_t page_no, const struct ps_map_entry *entry);
    /* Uniform subtrees (FREE or VIRGIN), in order with each; may be NULL. */
    ps_err (*range)(void *ctx, uint64_t first, uint64_t count, const struct ps_map_entry *entry);
    void *ctx;
};
/* ret: what was found, and for subtrees that could not be read what their parents say of them.
 * PS_ERR_NOMEM. */
PS_MUST_USE ps_err ps_map_walk(const struct ps_map *map, const struct ps_map_source *source,
                               struct ps_map_summary *ret);

#endif
