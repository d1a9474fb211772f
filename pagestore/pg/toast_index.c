/*
 * toast_index.c - where the chunks of a value lie, by the B-tree of a toast relation: unique, on
 * (chunk_id oid, chunk_seq int4).
 */
#include "pg/toast_index.h"

#include <inttypes.h>

#include "pg/decode_private.h"

#define META_BLOCK 0u
#define LEVELS_MAX 32u
#define KEY_COLUMNS 2u

/* A page of the tree. */
struct node {
    struct ps_page_ident who;
    struct ps_pg_view view;
    struct ps_bt_page bt;
};

/* A pivot's may be cut short: then it is lower than any that goes on. */
struct key {
    ps_oid value;
    uint32_t seq;
    bool has_value, has_seq;
};

static ps_err read_node(const struct ps_pg_toast_index *x, uint32_t block, struct ps_cancel *cancel,
                        struct node *ret)
{
    ps_err err = ps_page_copy(x->table, block, cancel, x->page);

    if (err)
        return err;
    ret->who = (struct ps_page_ident){.page_size = x->page_size, .page_no = block};
    ret->view = ps_pg_view(x->page, &ret->who);
    if (!ps_bt_page(&ret->view, &ret->bt))
        return ps_fail(PS_ERR_CORRUPT, "toast index, block %" PRIu32 ": is no page of a B-tree",
                       block);
    return PS_OK;
}

static struct key key_of(const struct ps_bt_tuple *t)
{
    const struct ps_pg_index_tuple *x = &t->index;
    const uint8_t *at = x->bytes + x->data;
    uint32_t len = x->info & PS_PG_INDEX_NULL ? 0 : x->end - x->data;
    uint32_t columns = ps_bt_key_columns(t, KEY_COLUMNS);
    struct key key = {0};

    key.has_value = columns >= 1 && len >= sizeof(key.value);
    if (key.has_value)
        key.value = ps_get32_at(at);
    key.has_seq = columns >= 2 && len >= sizeof(key.value) + sizeof(key.seq);
    if (key.has_seq)
        key.seq = ps_get32_at(at + sizeof(key.value));
    return key;
}

/* The page below to look for (value, 0) in: that of the last item whose key is lower. */
static uint32_t child_of(const struct node *node, ps_oid value)
{
    uint32_t first = ps_bt_first_slot(&node->bt), child = PS_BT_NONE;

    for (uint32_t slot = first; slot <= node->view.slots; slot++) {
        struct ps_bt_tuple t;
        struct key key;

        if (!ps_bt_tuple(&node->view, &node->bt, slot, &t))
            continue;
        key = key_of(&t);
        /* Of an internal page's first item the key means nothing: lower than any. */
        if (slot > first && key.has_value && key.value >= value &&
            (key.value > value || key.has_seq))
            break;
        child = t.index.tid.block;
    }
    return child;
}

/* To the first leaf that may have the value. */
static ps_err descend(const struct ps_pg_toast_index *x, ps_oid value, struct ps_cancel *cancel,
                      struct node *ret)
{
    struct ps_bt_meta meta;
    uint32_t block, depth;
    ps_err err = read_node(x, META_BLOCK, cancel, ret);

    if (err)
        return err;
    if (!ps_bt_meta(&ret->view, &meta) || meta.magic != PS_BT_MAGIC)
        return ps_fail(PS_ERR_CORRUPT, "toast index: its first page is no B-tree's");
    block = meta.root;
    for (depth = 0; block != PS_BT_NONE && depth < LEVELS_MAX; depth++) {
        err = read_node(x, block, cancel, ret);
        if (err || ps_bt_is_leaf(&ret->bt))
            return err;
        block = child_of(ret, value);
    }
    if (depth == 0)
        return ps_fail(PS_ERR_NOENT, "toast index: is empty");
    return ps_fail(PS_ERR_CORRUPT, "toast index: no way leads to value %" PRIu32, value);
}

/* Calls each for the places of one item: one, or a posting list of several. */
static ps_err give_item(const struct ps_bt_tuple *t, uint32_t seq, ps_pg_toast_place_fn each,
                        void *ctx)
{
    ps_err err = PS_OK;

    if (!t->posting)
        return t->htid.slot != 0 ? each(ctx, seq, t->htid) : PS_OK;
    for (uint32_t i = 0; i < t->tid_count && !err; i++)
        err = each(ctx, seq, ps_pg_tid(t->tids + i * PS_PG_TID_LEN));
    return err;
}

/* *ret_passed: an item of a higher value was met. */
static ps_err give_leaf(const struct node *node, ps_oid value, ps_pg_toast_place_fn each, void *ctx,
                        bool *ret_passed)
{
    ps_err err = PS_OK;

    for (uint32_t slot = ps_bt_first_slot(&node->bt); slot <= node->view.slots && !err; slot++) {
        struct ps_bt_tuple t;
        struct key key;

        if (!ps_bt_tuple(&node->view, &node->bt, slot, &t))
            continue;
        key = key_of(&t);
        if (!key.has_seq || key.value < value)
            continue;
        *ret_passed = key.value > value;
        if (*ret_passed)
            break;
        err = give_item(&t, key.seq, each, ctx);
    }
    return err;
}

ps_err ps_pg_toast_index_find(struct ps_pg_toast_index *x, ps_oid value, struct ps_cancel *cancel,
                              ps_pg_toast_place_fn each, void *ctx)
{
    const unsigned without_items = PS_BT_DELETED | PS_BT_HALF_DEAD | PS_BT_META;
    struct node node;
    bool passed = false;
    ps_err err = descend(x, value, cancel, &node);

    for (uint64_t steps = 0; !err && steps < x->pages_end; steps++) {
        if (!(node.bt.flags & without_items))
            err = give_leaf(&node, value, each, ctx, &passed);
        if (err || passed || node.bt.next == PS_BT_NONE)
            return err;
        err = read_node(x, node.bt.next, cancel, &node);
    }
    return err ? err : ps_fail(PS_ERR_CORRUPT, "toast index: its leaves' links go round");
}
