/* How a B-tree's pages hang together: siblings, levels, downlinks, and where its leaves lead. */
#include <inttypes.h>

#include "pg/damage_walk.h"

/* Reads another page of the index. False: there is none that could be compared, or
 * reading it ended the walk (*ret_err). */
static bool read_other(struct ps_pg_walk *w, uint32_t block, uint32_t slot, const char *what,
                       struct ps_bt_page *ret, ps_err *ret_err)
{
    struct ps_page_ident who = {w->page_size, block, w->subject.file->id};
    const uint8_t *page;
    struct ps_pg_view v;
    ps_err err;

    *ret_err = PS_OK;
    if (block == 0 || block >= w->subject.pages_end) {
        PS_PG_WALK_DISAGREE(w, slot, "level", "%s is block %" PRIu32 " of %" PRIu64, what, block,
                            w->subject.pages_end);
        return false;
    }
    err = ps_pg_walk_read_other(w, block, &page);
    if (ps_pg_walk_ends(err))
        *ret_err = err;
    if (err)
        return false; /* reported when the walk gets there */
    if (ps_page_is_zero(page, w->page_size)) {
        PS_PG_WALK_DISAGREE(w, slot, "level", "%s, block %" PRIu32 ", is all zero", what, block);
        return false;
    }
    v = ps_pg_view(page, &who);
    return ps_bt_page(&v, ret);
}

static ps_err check_right_sibling(struct ps_pg_walk *w, const struct ps_bt_page *b)
{
    struct ps_bt_page right;
    ps_err err;

    if (b->next == PS_BT_NONE || !read_other(w, b->next, 0, "right sibling", &right, &err))
        return b->next == PS_BT_NONE ? PS_OK : err;
    if (right.prev != w->block)
        PS_PG_WALK_DISAGREE(w, 0, "level",
                            "right sibling %" PRIu32 " has block %" PRIu32 " on its left", b->next,
                            right.prev);
    else if (!(right.flags & PS_BT_DELETED) && right.level != b->level)
        PS_PG_WALK_DISAGREE(w, 0, "level",
                            "level is %" PRIu32 ", that of right sibling %" PRIu32 " is %" PRIu32,
                            b->level, b->next, right.level);
    return PS_OK;
}

static ps_err check_downlink(struct ps_pg_walk *w, const struct ps_bt_page *b, uint32_t slot,
                             uint32_t child_no)
{
    struct ps_bt_page child;
    ps_err err;

    if (!read_other(w, child_no, slot, "the downlink", &child, &err))
        return err;
    if (child.flags & PS_BT_DELETED)
        PS_PG_WALK_DISAGREE(w, slot, "level", "item %" PRIu32 " leads to deleted block %" PRIu32,
                            slot, child_no);
    else if (child.level + 1 != b->level)
        PS_PG_WALK_DISAGREE(w, slot, "level",
                            "item %" PRIu32 " of level %" PRIu32 " leads to block %" PRIu32
                            " of level %" PRIu32,
                            slot, b->level, child_no, child.level);
    return PS_OK;
}

static ps_err check_downlinks(struct ps_pg_walk *w, const struct ps_pg_view *v,
                              const struct ps_bt_page *b)
{
    ps_err err = PS_OK;

    for (uint32_t slot = ps_bt_first_slot(b); !err && slot <= v->slots; slot++) {
        struct ps_bt_tuple t;

        if (ps_bt_tuple(v, b, slot, &t))
            err = check_downlink(w, b, slot, t.index.tid.block);
    }
    return err;
}

/* Index entries go before what they lead to, always: one that leads past the heap's last page with
 * rows means that the heap has lost its end. */
static void check_heap_address(struct ps_pg_walk *w, uint32_t slot, struct ps_pg_tid tid)
{
    if (tid.block >= w->subject.heap_pages)
        PS_PG_WALK_DISAGREE(w, slot, "dangling",
                            "item %" PRIu32 " leads to (%" PRIu32 ",%u), but there are %" PRIu64
                            " blocks of rows",
                            slot, tid.block, tid.slot, w->subject.heap_pages);
}

static void check_leads(struct ps_pg_walk *w, const struct ps_pg_view *v,
                        const struct ps_bt_page *b)
{
    for (uint32_t slot = ps_bt_first_slot(b); slot <= v->slots; slot++) {
        struct ps_bt_tuple t;

        if (!ps_bt_tuple(v, b, slot, &t))
            continue;
        if (t.posting && t.tid_count > 0)
            check_heap_address(w, slot, ps_pg_tid(t.tids + (t.tid_count - 1) * PS_PG_TID_LEN));
        else
            check_heap_address(w, slot, t.htid);
    }
}

static ps_err check_root(struct ps_pg_walk *w, const struct ps_pg_view *v)
{
    struct ps_bt_meta meta;
    struct ps_bt_page root;
    ps_err err;

    if (!ps_bt_meta(v, &meta))
        return PS_OK;
    w->btree_version = meta.version;
    if (meta.root == PS_BT_NONE)
        return PS_OK;
    if (!read_other(w, meta.root, 0, "the root", &root, &err))
        return err;
    if (root.level != meta.level || !(root.flags & PS_BT_ROOT))
        PS_PG_WALK_DISAGREE(w, 0, "level",
                            "the root should be on level %" PRIu32 ", block %" PRIu32
                            " is %s page of level %" PRIu32,
                            meta.level, meta.root, root.flags & PS_BT_ROOT ? "a root" : "no root",
                            root.level);
    return PS_OK;
}

static bool is_plain_leaf(const struct ps_pg_walk *w, const struct ps_pg_view *v,
                          const struct ps_bt_page *b)
{
    const unsigned not_plain = ~(unsigned)(PS_BT_LEAF | PS_BT_ROOT | PS_BT_SPLIT_END |
                                           PS_BT_HAS_GARBAGE | PS_BT_INCOMPLETE_SPLIT);

    return w->block > 0 && ps_bt_is_leaf(b) && !(b->flags & not_plain) && b->level == 0 &&
           b->prev != w->block && b->next != w->block &&
           strcmp(ps_pg_kind(v->bytes, v->size, v->special).name, ps_pg_btree.kind) == 0;
}

ps_err ps_pg_glance_btree(struct ps_pg_walk *w, const struct ps_pg_view *v, bool *ret_fine)
{
    struct ps_bt_page b;

    *ret_fine = ps_bt_page(v, &b) && is_plain_leaf(w, v, &b) && ps_pg_order_is_fine(w, v, &b);
    return *ret_fine ? check_right_sibling(w, &b) : PS_OK;
}

ps_err ps_pg_walk_btree(struct ps_pg_walk *w, const struct ps_pg_view *v)
{
    struct ps_bt_page b;
    ps_err err;

    if (!ps_bt_page(v, &b) || b.flags & (PS_BT_DELETED | PS_BT_HALF_DEAD))
        return PS_OK;
    if (b.flags & PS_BT_META)
        return check_root(w, v);
    ps_pg_walk_order(w, v, &b);
    if (ps_bt_is_leaf(&b))
        check_leads(w, v, &b);
    err = check_right_sibling(w, &b);
    if (!err && !ps_bt_is_leaf(&b))
        err = check_downlinks(w, v, &b);
    return err;
}
