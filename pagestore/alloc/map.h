/*
 * map.h - a table's allocation map: which pages there are, and when each changed last.
 *
 * ID.map is a file of pages of its own (native header, type MAP), in the pool like any. They form
 * a tree of fixed shape. Leaves have 16 bytes a page of the table: LSN of its last change, and
 * state with mtime. Inner nodes have an entry a child: counts of its pages by state, and,
 * where the whole subtree is in one state since some LSN, that state. An inner entry that says
 * "uniform since L" overrides a child node whose own base LSN is older: so that a range of any
 * length is allocated or freed by changing a node or two a level, and `truncate -s 1T` writes
 * nothing else. Nodes lie in the file in depth-first order, as in PostgreSQL's free space map
 * (src/backend/storage/freespace/freespace.c): small tables have small maps. The root also has
 * the payload length. Bytes and formulas: FORMAT.md section 6.
 *
 * The LSN in a page's entry is that of the page's last change. It is derived, in redo too, from the
 * records that change the page, and costs no record of its own; states and counts are logged.
 * A page read from disk whose LSN differs from its entry is a lost write, or a page from
 * elsewhere: no checksum can see that.
 *
 * Flow       store (page states), recovery (redo of entries) -> [map] -> group, pool
 * Units      page numbers count from 0, counts are pages, times microseconds since 1970.
 * Ownership  a map is opened on a table and keeps no page pinned.
 * Locking    reading: the caller holds the table's alloc_lock either way, and reserved
 *            PS_MAP_READ_FRAMES. touch: alloc_lock either way, inside a group. set and
 *            set_payload_len: alloc_lock exclusively, inside a group.
 * Errors     PS_ERR_CORRUPT and PS_ERR_IO from reading map pages. PS_ERR_RANGE.
 */
#ifndef PS_ALLOC_MAP_H
#define PS_ALLOC_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "pool/group.h"

enum ps_page_state {
    PS_FREE = 0,   /* not there; its bytes on disk mean nothing */
    PS_VIRGIN = 1, /* allocated, never written: made up when read, its bytes on disk mean nothing */
    PS_USED = 2,   /* written: on disk under its LSN and checksum */
    PS_ZERO = 3,   /* written, and all zero on disk (postgres format); counted as used */
};

#define PS_MAP_PAGES_MAX UINT32_MAX /* page numbers are below this */
#define PS_MAP_READ_FRAMES 1u

struct ps_map_entry {
    enum ps_page_state state;
    uint64_t lsn;      /* of the page's last change; for FREE and VIRGIN of becoming so; 0: never */
    uint64_t mtime_us; /* likewise */
};

struct ps_map_summary {
    uint64_t end;     /* highest allocated page + 1; 0: none */
    uint64_t free;    /* pages below end that are not allocated */
    uint64_t virgin, used;
    uint64_t payload_len; /* bytes; raw native tables */
};

struct ps_map {
    struct ps_pool *pool;
    uint16_t provider;
    uint32_t table;
    uint32_t page_size;
    uint32_t leaf_fanout;  /* entries of a leaf */
    uint32_t inner_fanout; /* entries of an inner node */
    unsigned levels;       /* 1: the root is a leaf (never the case for PS_PAGE_SIZE_MIN..MAX) */
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

/* The first page >= from, or the last page <= from, whose state is in the mask (1 << state | ...);
 * skips subtrees by their counts. PS_ERR_NOENT: there is none. */
PS_MUST_USE ps_err ps_map_next(struct ps_map *map, uint32_t from, unsigned states,
                               uint32_t *ret_page, struct ps_map_entry *ret);
PS_MUST_USE ps_err ps_map_prev(struct ps_map *map, uint32_t from, unsigned states,
                               uint32_t *ret_page, struct ps_map_entry *ret);

/* Pages of the map that a set of [first, first + count) may pin, and bytes it may write, for
 * ps_group_begin. */
uint32_t ps_map_set_frames(const struct ps_map *map, uint32_t first, uint32_t count);
uint64_t ps_map_set_bytes(const struct ps_map *map, uint32_t first, uint32_t count);
/* Likewise for touch: pages are leaves. */
uint32_t ps_map_touch_frames(const struct ps_map *map, uint32_t first, uint32_t count);

/*
 * Two halves each, because a group pins before it writes and cannot fail afterwards: prepare pins
 * and latches the nodes (the last thing that can fail), apply writes. Between both the caller
 * prepares whatever else belongs to the group, in order of tags (a table's map comes after its data).
 *
 * set: [first, first + count) all become `state`. Whoever makes pages USED does so by touch in the
 * same group: set makes the change of state and of counts, touch the LSN.
 * touch: [first, first + count), USED already or by a set of the same group, change now: their
 * entries take the group's LSN at commit, and its time. zero_bits (may be NULL): bit i set, LSB
 * first: page first + i is all zero now, and its state ZERO.
 */
PS_MUST_USE ps_err ps_map_prepare(struct ps_map *map, struct ps_group *g, uint32_t first,
                                  uint32_t count, bool changes_state);
void ps_map_apply_set(struct ps_map *map, struct ps_group *g, uint32_t first, uint32_t count,
                      enum ps_page_state state);
void ps_map_apply_touch(struct ps_map *map, struct ps_group *g, uint32_t first, uint32_t count,
                        const uint8_t *zero_bits);

/* The root's payload length. prepare as above pins the root whenever changes_state is set; alone,
 * prepare_root does. */
PS_MUST_USE ps_err ps_map_prepare_root(struct ps_map *map, struct ps_group *g);
void ps_map_apply_payload_len(struct ps_map *map, struct ps_group *g, uint64_t len);

/*
 * Redo of what touch implied: the record (of group LSN lsn, at time_us) changed data page page_no,
 * which is all zero now or not. Pins and latches the leaf by itself, applies the entry if the leaf's LSN
 * is not newer (<= lsn: an image logged by the same group lacks the entry's LSN), marks it dirty.
 * Call after all of the group's own map references have been redone. Reserve PS_MAP_READ_FRAMES.
 */
PS_MUST_USE ps_err ps_map_redo_touch(struct ps_map *map, uint32_t page_no, uint64_t lsn,
                                     uint64_t time_us, bool zero);

/* For verify, which has no pool: the node that lies at map page map_page_no, and who covers what. */
struct ps_map_node_id {
    unsigned level;      /* 0: leaf */
    uint64_t index;      /* among the nodes of its level */
    uint64_t first_page; /* of the table, that it covers */
    uint64_t pages;
};
/* False: no node lies there (past the end of the shape). */
bool ps_map_node_at(const struct ps_map *map, uint32_t map_page_no, struct ps_map_node_id *ret);
uint32_t ps_map_node_page(const struct ps_map *map, unsigned level, uint64_t index);

/* Reads map pages through `read` (which verifies them, and gives zeros, with PS_OK, for nodes that
 * were never written) and checks the whole tree: counts against children, reserved bytes, states;
 * calls each() for every page in a state of the mask, ascending. For verify and tests. */
struct ps_map_source {
    ps_err (*read)(void *ctx, uint32_t map_page_no, void *buf);
    void (*damage)(void *ctx, uint32_t map_page_no, const char *text);
    ps_err (*each)(void *ctx, uint32_t page_no, const struct ps_map_entry *entry);
    /* Whole subtrees that are VIRGIN or FREE are given as ranges; may be NULL. */
    ps_err (*range)(void *ctx, uint64_t first, uint64_t count, const struct ps_map_entry *entry);
    void *ctx;
};
PS_MUST_USE ps_err ps_map_walk(const struct ps_map *map, const struct ps_map_source *source,
                               struct ps_map_summary *ret);

#endif
