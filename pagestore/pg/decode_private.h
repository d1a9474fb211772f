/*
 * decode_private.h - what the files of decode and of damage share: a page's bytes, its line
 * pointers and index tuples, read without trust.
 *
 * Flow       decode*.c, check.c, damage*.c, toast_index.c -> [decode_private]
 * Units      line pointers ("slots") count from 1; offsets and lengths are bytes.
 * Ownership  everything points into the caller's page.
 * Locking    pure functions.
 * Errors     none: what does not lie on the page is NULL or 0.
 * Source     src/include: access/itup.h, nbtree.h, hash.h, spgist_private.h, visibilitymap.h,
 *            storage/itemptr.h, bufpage.h.
 */
#ifndef PS_PG_DECODE_PRIVATE_H
#define PS_PG_DECODE_PRIVATE_H

#include <stdarg.h>

#include "base/byteorder.h"
#include "format/pg_describe.h"
#include "format/pg_kind.h"
#include "format/pg_layout.h"
#include "pg/decode.h"
#include "pg/tid.h"

struct ps_pg_view {
    const uint8_t *bytes;
    const struct ps_page_ident *who;
    uint32_t size;
    uint32_t lower, upper, special; /* as the header claims */
    const uint8_t *opaque;          /* special space; NULL where it does not lie on the page */
    uint32_t opaque_len;
    uint32_t slots; /* line pointers; 0 on pages without, and where the header makes no sense */
};

struct ps_pg_view ps_pg_view(const void *page, const struct ps_page_ident *who);

static inline struct ps_lp ps_pg_view_lp(const struct ps_pg_view *v, uint32_t slot)
{
    assert(slot >= 1 && slot <= v->slots);
    return ps_pg_lp_of(v->bytes, slot);
}

/* The item's bytes; NULL if there is no such item, it has none, or they do not lie on the page
 * whole. */
static inline const uint8_t *ps_pg_view_item(const struct ps_pg_view *v, uint32_t slot,
                                             uint32_t *ret_len)
{
    struct ps_lp lp;

    if (slot < 1 || slot > v->slots)
        return NULL;
    lp = ps_pg_view_lp(v, slot);
    if (!ps_lp_has_storage(&lp) || lp.off > v->size || lp.len > v->size - lp.off)
        return NULL;
    *ret_len = lp.len;
    return v->bytes + lp.off;
}

/* What follows the header: contents[from..from + len), or NULL where the page is too short. */
const uint8_t *ps_pg_contents(const struct ps_pg_view *v, uint32_t from, uint32_t len);
/* PageGetFreeSpace(): room for one more item and its line pointer. */
uint32_t ps_pg_free_space(const struct ps_pg_view *v);

/* --- index tuples ------------------------------------------------------------------------- */

#define PS_PG_INDEX_SIZE 0x1fffu
#define PS_PG_INDEX_ALT_TID 0x2000u /* B-tree: t_tid's slot has status bits */
#define PS_PG_INDEX_VAR 0x4000u
#define PS_PG_INDEX_NULL 0x8000u
#define PS_PG_INDEX_HEADER 8u

struct ps_pg_index_tuple {
    const uint8_t *bytes;
    uint32_t len; /* what is readable: the item's, or the tuple's if that is shorter */
    struct ps_pg_tid tid;
    uint16_t info;
    uint32_t size;      /* as it claims */
    uint32_t data, end; /* where its key begins and ends; data == end: it has none */
};
/* False: too short to be one. */
static inline bool ps_pg_index_tuple(const uint8_t *item, uint32_t len,
                                     struct ps_pg_index_tuple *ret)
{
    uint32_t nulls_len = 0;

    if (!item || len < PS_PG_INDEX_HEADER)
        return false;
    ret->bytes = item;
    ret->tid = ps_pg_tid(item);
    ret->info = ps_get16_at(item + PS_PG_TID_LEN);
    ret->size = ret->info & PS_PG_INDEX_SIZE;
    ret->len = ret->size < len ? ret->size : len;
    if (ret->info & PS_PG_INDEX_NULL)
        nulls_len = PS_ITEM_ALIGN; /* 32 attributes' bits, aligned */
    ret->data = PS_PG_INDEX_HEADER + nulls_len;
    ret->end = ret->len > ret->data ? ret->len : ret->data;
    return true;
}

/* --- B-tree ------------------------------------------------------------------------------- */

enum {
    PS_BT_LEAF = 1 << 0,
    PS_BT_ROOT = 1 << 1,
    PS_BT_DELETED = 1 << 2,
    PS_BT_META = 1 << 3,
    PS_BT_HALF_DEAD = 1 << 4,
    PS_BT_SPLIT_END = 1 << 5,
    PS_BT_HAS_GARBAGE = 1 << 6,
    PS_BT_INCOMPLETE_SPLIT = 1 << 7,
    PS_BT_HAS_FULLXID = 1 << 8,
    PS_BT_FLAGS = (1 << 9) - 1,
};
#define PS_BT_MAGIC 0x053162u
#define PS_BT_NONE 0u /* P_NONE */

struct ps_bt_page {
    uint32_t prev, next, level;
    uint16_t flags, cycle;
};
/* False: its special space is none of a B-tree's. */
bool ps_bt_page(const struct ps_pg_view *v, struct ps_bt_page *ret);

static inline bool ps_bt_is_leaf(const struct ps_bt_page *b)
{
    return b->flags & PS_BT_LEAF;
}

/* Its first item is the high key, but on the last page of its level. */
static inline uint32_t ps_bt_first_slot(const struct ps_bt_page *b)
{
    return b->next == PS_BT_NONE ? 1 : 2;
}

struct ps_bt_meta {
    uint32_t magic, version, root, level, fastroot, fastlevel, delpages;
    double tuples;
    bool allequalimage;
};
bool ps_bt_meta(const struct ps_pg_view *v, struct ps_bt_meta *ret);

struct ps_bt_tuple {
    struct ps_pg_index_tuple index; /* its data .. end: the key alone */
    bool pivot, posting;
    struct ps_pg_tid htid; /* slot 0: none (of a pivot) */
    const uint8_t *tids;   /* of a posting list */
    uint32_t tid_count;
};
#define PS_BT_SLOT_IS_POSTING 0x2000u /* of a tuple with ALT_TID */
/* Cuts off the addresses that stand behind the key of a posting list or of a pivot, which the tuple
 * says it has. */
void ps_bt_take_tids(struct ps_bt_tuple *t);

/* False: there is no such item, or it is no tuple. */
static inline bool ps_bt_tuple(const struct ps_pg_view *v, const struct ps_bt_page *b,
                               uint32_t slot, struct ps_bt_tuple *ret)
{
    uint32_t len = 0;
    const uint8_t *item = ps_pg_view_item(v, slot, &len);
    bool alt;

    *ret = (struct ps_bt_tuple){0};
    if (!ps_pg_index_tuple(item, len, &ret->index))
        return false;
    alt = ret->index.info & PS_PG_INDEX_ALT_TID;
    ret->pivot = !ps_bt_is_leaf(b) || slot < ps_bt_first_slot(b);
    ret->posting = !ret->pivot && alt && ret->index.tid.slot & PS_BT_SLOT_IS_POSTING;
    if (!ret->pivot && !alt)
        ret->htid = ret->index.tid;
    if (alt)
        ps_bt_take_tids(ret);
    return true;
}
/* Addresses that its posting list begins with, each beyond the one before. */
uint32_t ps_bt_sorted_tids(const struct ps_bt_tuple *t);
/* Columns of its key, in an index of so many: a pivot's may be cut short. */
uint32_t ps_bt_key_columns(const struct ps_bt_tuple *t, uint32_t index_columns);

/* --- hash --------------------------------------------------------------------------------- */

/* Which blocks of an index are in use, as its metapage has it: those below end, but for
 * [ahead_first, ahead_end), which were allocated for buckets to come (at the end if none were). */
struct ps_hash_extent {
    uint64_t ahead_first, ahead_end, end;
};
/* False: the page is no metapage, or one that makes no sense, or of another version. */
bool ps_hash_extent(const struct ps_pg_view *v, struct ps_hash_extent *ret);

/* --- SP-GiST ------------------------------------------------------------------------------ */

/* The block of each downlink of an inner page; other pages have none. A node without one leads to
 * block UINT32_MAX. */
void ps_spgist_links(const struct ps_pg_view *v, void (*each)(void *ctx, uint32_t block),
                     void *ctx);

/* --- visibility map ----------------------------------------------------------------------- */

#define PS_VM_PAGES_A_BYTE 4u
enum { PS_VM_ALL_VISIBLE = 1, PS_VM_ALL_FROZEN = 2 };

/* How many pages of the relation one page of its map covers. */
uint32_t ps_vm_pages_a_page(uint32_t page_size);
/* Bits of the page with that index among them. */
unsigned ps_vm_bits(const void *page, uint32_t index);

/* --- text --------------------------------------------------------------------------------- */

void ps_pg_print_tid(struct ps_pg_tid tid, FILE *out); /* (block,slot) */

/* Items whose columns are printed. Those of a sound page have no more bytes than it: once `left`
 * are used up, items that share bytes with others are cut short, and text stays bounded. */
struct ps_pg_items {
    const struct ps_pg_view *view;
    uint32_t left;
};
/* Bytes in hex, a blank between two; `-`: none; `...`: no more are left. */
void ps_pg_print_data(struct ps_pg_items *items, const uint8_t *bytes, uint32_t len, FILE *out);

/* --- what is wrong ------------------------------------------------------------------------ */

struct ps_pg_report {
    ps_pg_damage_fn each; /* NULL: only count */
    void *ctx;
    unsigned count;
};
void ps_pg_fault(struct ps_pg_report *r, const char *word, uint32_t lp, const char *fmt, ...)
    PS_PRINTF(4, 5);
void ps_pg_suspect(struct ps_pg_report *r, const char *word, uint32_t lp, const char *fmt, ...)
    PS_PRINTF(4, 5);

/* Block 0 is a metapage, and no other one. False: not so, which was reported as a fault. */
bool ps_pg_check_meta_block(const struct ps_pg_view *v, bool is_meta, struct ps_pg_report *r);
/* The same; and a metapage begins with its access method's magic number. */
void ps_pg_check_meta(const struct ps_pg_view *v, bool is_meta, uint32_t magic,
                      struct ps_pg_report *r);
/* An index tuple is as long as its line pointer says. */
void ps_pg_check_index_size(uint32_t slot, const struct ps_lp *lp,
                            const struct ps_pg_index_tuple *t, struct ps_pg_report *r);
/* Each item of an index page is a tuple of the right length. */
void ps_pg_check_index_tuples(const struct ps_pg_view *v, struct ps_pg_report *r);

/* --- what differs by access method -------------------------------------------------------- */

struct ps_pg_method {
    const char *kind; /* what ps_pg_kind() calls a page of it */
    /* The page's own fields. NULL: none but the header. */
    void (*fields)(const struct ps_pg_view *v, FILE *out);
    /* The columns of an item, if the page has items; NULL: none. */
    const char *(*titles)(const struct ps_pg_view *v);
    void (*item)(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp, FILE *out);
    /* What is wrong, of a page whose special space is as it should be. */
    void (*check)(const struct ps_pg_view *v, struct ps_pg_report *r);
};
/* NULL: heap pages, and what is not known. detected: what ps_pg_kind() says, for AUTO. */
const struct ps_pg_method *ps_pg_method_of(enum ps_pg_page_kind kind, const char *detected);
extern const struct ps_pg_method ps_pg_btree, ps_pg_hash, ps_pg_gin, ps_pg_gist, ps_pg_spgist,
    ps_pg_brin, ps_pg_sequence, ps_pg_fsm, ps_pg_vm;

#endif
