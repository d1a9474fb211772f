/*
 * map_internal.h - the allocation map's bytes, and what its own files share.
 *
 * Flow       map_*.c -> [map_internal] -> bytes of a node
 * Units      a node's pages are the table's pages that it covers, clipped to PS_MAP_PAGES_MAX.
 * Ownership  the pointers into a page are good for as long as the page is pinned and latched.
 * Locking    none of its own; callers hold the latch of the page whose bytes they give.
 * Errors     only the checks have any: PS_ERR_CORRUPT.
 * Promise    no byte of a node is trusted for an index or a length: the shape gives those.
 */
#ifndef PS_ALLOC_MAP_INTERNAL_H
#define PS_ALLOC_MAP_INTERNAL_H

#include <assert.h>
#include <stddef.h>

#include "alloc/map.h"
#include "base/byteorder.h"

struct ps_map_hdr {      /* FORMAT.md section 6 */
    uint8_t native[32];  /* 00-31 the native format's header */
    ps_le64 gen;         /* 32-39 generation; of the root: the last one given out */
    ps_le64 payload_len; /* 40-47 root only, as all that follows but level; else 0 */
    ps_le32 used;        /* 48-51 pages of the table that are USED or ZERO */
    ps_le32 virgin;      /* 52-55 pages of the table that are VIRGIN */
    ps_le32 level;       /* 56-59 0: leaf */
    ps_le32 reserved;    /* 60-63 0 */
};
static_assert(sizeof(struct ps_map_hdr) == 64, "FORMAT.md section 6");
static_assert(offsetof(struct ps_map_hdr, gen) == 32, "the native header comes first");
static_assert(offsetof(struct ps_map_hdr, level) == 56, "FORMAT.md section 6");

struct ps_map_leaf_entry {
    ps_le64 lsn;  /* 00-07 of the page's last change */
    ps_le64 word; /* 08-15 state and mtime */
};
static_assert(sizeof(struct ps_map_leaf_entry) == 16, "FORMAT.md section 6");

struct ps_map_inner_entry {
    ps_le64 word;   /* 00-07 state and mtime of all pages below; 0 if the child is live */
    ps_le64 gen;    /* 08-15 generation of the child; 0: there is none, the subtree is uniform */
    ps_le32 used;   /* 16-19 pages below that are USED or ZERO */
    ps_le32 virgin; /* 20-23 pages below that are VIRGIN */
};
static_assert(sizeof(struct ps_map_inner_entry) == 24, "FORMAT.md section 6");

/* What a change of state writes of the root's header, in one range. */
#define PS_MAP_TOTALS_OFF ((uint32_t)offsetof(struct ps_map_hdr, gen))
#define PS_MAP_TOTALS_LEN ((uint32_t)(offsetof(struct ps_map_hdr, level) - PS_MAP_TOTALS_OFF))

/* --- the word: bits 0-1 state, 2-3 zero, 4-63 microseconds -------------------------------- */

static inline uint64_t ps_map_word(enum ps_page_state state, uint64_t time_us)
{
    return time_us << 4 | (uint64_t)state;
}

static inline enum ps_page_state ps_map_word_state(uint64_t word)
{
    return (enum ps_page_state)(word & 3);
}

static inline bool ps_map_word_sound(uint64_t word)
{
    return (word & 12) == 0;
}

static inline struct ps_map_entry ps_map_entry_of(uint64_t word, uint64_t lsn)
{
    return (struct ps_map_entry){ps_map_word_state(word), lsn, word >> 4};
}

static inline bool ps_map_is_used(enum ps_page_state state)
{
    return state == PS_USED || state == PS_ZERO;
}

/* --- places within a node ----------------------------------------------------------------- */

static inline uint32_t ps_map_leaf_off(uint32_t slot)
{
    return (uint32_t)(sizeof(struct ps_map_hdr) + slot * sizeof(struct ps_map_leaf_entry));
}

static inline uint32_t ps_map_inner_off(uint32_t slot)
{
    return (uint32_t)(sizeof(struct ps_map_hdr) + slot * sizeof(struct ps_map_inner_entry));
}

static inline const struct ps_map_hdr *ps_map_hdr_of(const void *node)
{
    return (const struct ps_map_hdr *)node;
}

static inline const struct ps_map_leaf_entry *ps_map_leaf_entries(const void *node)
{
    return (const struct ps_map_leaf_entry *)(ps_map_hdr_of(node) + 1);
}

static inline const struct ps_map_inner_entry *ps_map_inner_entries(const void *node)
{
    return (const struct ps_map_inner_entry *)(ps_map_hdr_of(node) + 1);
}

/* --- shape (map_shape.c) ------------------------------------------------------------------ */

struct ps_map_node_id ps_map_root(const struct ps_map *map);
/* The leaf that has the page's entry, and where in it. */
struct ps_map_node_id ps_map_leaf_of(const struct ps_map *map, uint32_t page_no);
uint32_t ps_map_leaf_slot(const struct ps_map_node_id *leaf, uint64_t page_no);
/* Children of an inner node: how many, the i-th, and which one covers a page of the node. */
uint32_t ps_map_child_count(const struct ps_map *map, const struct ps_map_node_id *node);
struct ps_map_node_id ps_map_child(const struct ps_map *map, const struct ps_map_node_id *node,
                                   uint32_t slot);
uint32_t ps_map_child_slot(const struct ps_map *map, const struct ps_map_node_id *node,
                           uint64_t page_no);
/* The node that lies at a map page. False: none, that is past the shape's end. */
bool ps_map_node_at(const struct ps_map *map, uint32_t map_page_no, struct ps_map_node_id *ret);
struct ps_tag ps_map_tag(const struct ps_map *map, const struct ps_map_node_id *node);

/* Is this the node that its parent means? gen is what the parent's entry says, 0 for the root,
 * which has no parent and only must have been written. */
PS_MUST_USE ps_err ps_map_node_check(const struct ps_map *map, const void *page,
                                     const struct ps_map_node_id *node, uint64_t gen);

/* --- counts (map_check.c) ----------------------------------------------------------------- */

struct ps_map_counts {
    uint64_t used, virgin; /* sums of 32-bit counts: cannot overflow */
};

/* Can the node's entries be, and do they add up to what the root says of the table, and to what the
 * parent says of the node (NULL: not asked)? PS_ERR_CORRUPT, the message naming the entry or the
 * field, not the node. Reads all of the node. */
PS_MUST_USE ps_err ps_map_counts_check(const struct ps_map *map, const void *data,
                                       const struct ps_map_node_id *node,
                                       const struct ps_map_inner_entry *parent);

/* PS_ERR_RANGE unless [first, first + count) is a range of page numbers, count > 0. */
PS_MUST_USE ps_err ps_map_range_check(const struct ps_map *map, uint32_t first, uint32_t count);

/* --- maps without a tree (map_solid.c) ---------------------------------------------------- */

/* As the calls without "solid" in their name. */
void ps_map_solid_range(const struct ps_map_solid *solid, uint32_t first, uint32_t count,
                        struct ps_map_entry *entries);
PS_MUST_USE ps_err ps_map_solid_next(const struct ps_map *map, uint32_t from, unsigned states,
                                     uint32_t *ret_page, struct ps_map_entry *ret);
PS_MUST_USE ps_err ps_map_solid_prev(const struct ps_map *map, uint32_t from, unsigned states,
                                     uint32_t *ret_page, struct ps_map_entry *ret);
void ps_map_solid_summary(const struct ps_map_solid *solid, struct ps_map_summary *ret);

/* PS_ERR_NOENT: what next and prev say at the end. */
PS_MUST_USE ps_err ps_map_no_further(const struct ps_map *map);

/* Whatever is remembered of leaves may be void now: some nodes' lives have ended. */
void ps_map_forget_leaves(struct ps_map *map);

#endif
