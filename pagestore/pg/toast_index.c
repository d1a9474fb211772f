/*
 * toast_index.c - where the chunks of a value lie, by the B-tree of a toast relation: unique, on
 * (chunk_id oid, chunk_seq int4).
 */
#include "pg/toast_index.h"

#include <inttypes.h>
#include <string.h>

#include "pg/decode_private.h"
#include "pg/heap_page.h"

#define META_BLOCK 0u
#define LEVELS_MAX 32u

/* IndexTupleData: block and offset number, then length and flags. */
#define ITEM_HEADER 8u
#define ITEM_LEN_MASK 0x1fffu
#define ITEM_ALT_TID 0x2000u
#define ITEM_NULLS 0x8000u
#define ALT_COUNT_MASK 0x0fffu
#define ALT_POSTING 0x2000u

struct item {
    struct ps_pg_tid tid;
    const uint8_t *bytes;
    uint32_t len;
    unsigned info;
    ps_oid value;
    uint32_t seq;
    bool has_value, has_seq; /* a pivot's key may be cut short: then it is lower than any */
};

/* ItemPointerData has its block as two halves, the high one first. */
static ps_err read_page(struct ps_pg_toast_index *x, uint32_t block, struct ps_cancel *cancel)
{
    return ps_page_copy(x->table, block, cancel, x->page);
}

static ps_err get_opaque(const struct ps_pg_toast_index *x, uint32_t block, struct ps_bt_page *ret)
{
    const struct ps_page_ident who = {.page_size = x->page_size, .page_no = block};
    const struct ps_pg_view v = ps_pg_view(x->page, &who);

    if (!ps_bt_page(&v, ret))
        return ps_fail(PS_ERR_CORRUPT, "toast index, block %" PRIu32 ": is no page of a B-tree",
                       block);
    return PS_OK;
}

static bool get_item(const struct ps_pg_toast_index *x, uint32_t slot, struct item *ret)
{
    struct ps_lp lp = ps_pg_lp(x->page, slot);
    uint32_t keys;

    if (lp.flags != PS_LP_NORMAL && lp.flags != PS_LP_DEAD)
        return false;
    if (lp.len < ITEM_HEADER || lp.off >= x->page_size || lp.len > x->page_size - lp.off)
        return false;
    *ret = (struct item){.bytes = x->page + lp.off, .len = lp.len};
    ret->tid = ps_pg_tid(ret->bytes);
    ret->info = ps_get16_at(ret->bytes + PS_PG_TID_LEN);
    keys = ret->info & ITEM_ALT_TID && !(ret->tid.slot & ALT_POSTING)
               ? ret->tid.slot & ALT_COUNT_MASK
               : 2;
    ret->has_value = !(ret->info & ITEM_NULLS) && keys >= 1 && lp.len >= ITEM_HEADER + 4;
    ret->has_seq = ret->has_value && keys >= 2 && lp.len >= ITEM_HEADER + 8;
    ret->value = ret->has_value ? ps_get32_at(ret->bytes + ITEM_HEADER) : 0;
    ret->seq = ret->has_seq ? ps_get32_at(ret->bytes + ITEM_HEADER + 4) : 0;
    return true;
}

/* The page below to look for (value, 0) in: that of the last item whose key is lower. */
static uint32_t child_of(const struct ps_pg_toast_index *x, const struct ps_bt_page *o,
                         ps_oid value)
{
    uint32_t slots = ps_pg_slots(x->page, x->page_size);
    uint32_t first = ps_bt_first_slot(o);
    uint32_t slot, child = PS_BT_NONE;
    struct item item;

    for (slot = first; slot <= slots; slot++) {
        if (!get_item(x, slot, &item))
            continue;
        /* Of an internal page's first item the key means nothing: lower than any. */
        if (slot > first && item.has_value && item.value >= value &&
            (item.value > value || item.has_seq))
            break;
        child = item.tid.block;
    }
    return child;
}

static ps_err descend(struct ps_pg_toast_index *x, ps_oid value, struct ps_cancel *cancel,
                      uint32_t *ret_leaf)
{
    const struct ps_page_ident who = {.page_size = x->page_size, .page_no = META_BLOCK};
    struct ps_bt_page o = {0};
    struct ps_bt_meta meta;
    struct ps_pg_view v;
    uint32_t block, depth;
    ps_err err = read_page(x, META_BLOCK, cancel);

    if (err)
        return err;
    v = ps_pg_view(x->page, &who);
    if (!ps_bt_meta(&v, &meta) || meta.magic != PS_BT_MAGIC)
        return ps_fail(PS_ERR_CORRUPT, "toast index: its first page is no B-tree's");
    block = meta.root;
    for (depth = 0; block != PS_BT_NONE && depth < LEVELS_MAX; depth++) {
        err = read_page(x, block, cancel);
        if (!err)
            err = get_opaque(x, block, &o);
        if (err)
            return err;
        if (o.flags & PS_BT_LEAF) {
            *ret_leaf = block;
            return PS_OK;
        }
        block = child_of(x, &o, value);
    }
    if (depth == 0)
        return ps_fail(PS_ERR_NOENT, "toast index: is empty");
    return ps_fail(PS_ERR_CORRUPT, "toast index: no way leads to value %" PRIu32, value);
}

/* Calls each for the places of one item: one, or a posting list of several. */
static ps_err give_item(const struct item *item, ps_pg_toast_place_fn each, void *ctx)
{
    uint32_t i, count, at;
    ps_err err = PS_OK;

    if (!(item->info & ITEM_ALT_TID))
        return each(ctx, item->seq, item->tid);
    if (!(item->tid.slot & ALT_POSTING))
        return PS_OK;
    count = item->tid.slot & ALT_COUNT_MASK;
    at = item->tid.block;
    for (i = 0; i < count && !err && at < item->len && item->len - at >= PS_PG_TID_LEN; i++) {
        err = each(ctx, item->seq, ps_pg_tid(item->bytes + at));
        at += PS_PG_TID_LEN;
    }
    return err;
}

/* *ret_passed: an item of a higher value was met. */
static ps_err give_leaf(const struct ps_pg_toast_index *x, ps_oid value, bool rightmost,
                        ps_pg_toast_place_fn each, void *ctx, bool *ret_passed)
{
    uint32_t slot, slots = ps_pg_slots(x->page, x->page_size);
    struct item item;
    ps_err err = PS_OK;

    for (slot = rightmost ? 1 : 2; slot <= slots && !err; slot++) {
        if (!get_item(x, slot, &item) || !item.has_seq || item.value < value)
            continue;
        *ret_passed = item.value > value;
        if (*ret_passed)
            break;
        err = give_item(&item, each, ctx);
    }
    return err;
}

ps_err ps_pg_toast_index_find(struct ps_pg_toast_index *x, ps_oid value, struct ps_cancel *cancel,
                              ps_pg_toast_place_fn each, void *ctx)
{
    uint32_t block = PS_BT_NONE;
    uint64_t steps;
    struct ps_bt_page o = {0};
    bool passed = false;
    ps_err err = descend(x, value, cancel, &block);

    for (steps = 0; !err && !passed && steps < x->pages_end; steps++) {
        err = get_opaque(x, block, &o);
        if (!err && !(o.flags & (PS_BT_DELETED | PS_BT_HALF_DEAD | PS_BT_META)))
            err = give_leaf(x, value, o.next == PS_BT_NONE, each, ctx, &passed);
        if (err || passed || o.next == PS_BT_NONE)
            return err;
        block = o.next;
        err = read_page(x, block, cancel);
    }
    if (!err && !passed)
        err = ps_fail(PS_ERR_CORRUPT, "toast index: its leaves' links go round");
    return err;
}
