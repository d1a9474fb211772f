/*
 * decode_btree.c - B-tree (access/nbtree.h; bt_metap(), bt_page_stats(), bt_page_items() of
 * pageinspect).
 */
#include "pg/decode_private.h"

#define OPAQUE_LEN 16u
#define SLOT_COUNT_MASK 0x0fffu    /* of a tuple with ALT_TID: how many addresses or attributes */
#define SLOT_PIVOT_HAS_TID 0x1000u /* a pivot ends in a heap address */
#define META_LEN 48u

/* --- B-tree -------------------------------------------------------------------------------- */

bool ps_bt_page(const struct ps_pg_view *v, struct ps_bt_page *ret)
{
    if (v->opaque_len != OPAQUE_LEN)
        return false;
    *ret = (struct ps_bt_page){
        .prev = ps_get32_at(v->opaque),
        .next = ps_get32_at(v->opaque + 4),
        .level = ps_get32_at(v->opaque + 8),
        .flags = ps_get16_at(v->opaque + 12),
        .cycle = ps_get16_at(v->opaque + 14),
    };
    return true;
}

bool ps_bt_meta(const struct ps_pg_view *v, struct ps_bt_meta *ret)
{
    const uint8_t *m = ps_pg_contents(v, 0, META_LEN);

    if (!m)
        return false;
    *ret = (struct ps_bt_meta){
        .magic = ps_get32_at(m),
        .version = ps_get32_at(m + 4),
        .root = ps_get32_at(m + 8),
        .level = ps_get32_at(m + 12),
        .fastroot = ps_get32_at(m + 16),
        .fastlevel = ps_get32_at(m + 20),
        .delpages = ps_get32_at(m + 24),
        .tuples = ps_get_double_at(m + 32),
        .allequalimage = m[40] != 0,
    };
    return true;
}

void ps_bt_take_tids(struct ps_bt_tuple *t)
{
    struct ps_pg_index_tuple *x = &t->index;
    unsigned bits = x->tid.slot;

    if (t->posting) {
        uint32_t at = x->tid.block;

        t->tid_count = bits & SLOT_COUNT_MASK;
        if (at < x->data || at > x->end || t->tid_count * PS_PG_TID_LEN > x->end - at) {
            t->tid_count = 0;
            return;
        }
        x->end = at;
        t->tids = x->bytes + at;
        if (t->tid_count > 0)
            t->htid = ps_pg_tid(t->tids);
    } else if (x->info & PS_PG_INDEX_ALT_TID && bits & SLOT_PIVOT_HAS_TID &&
               x->end - x->data >= PS_ITEM_ALIGN) {
        t->htid = ps_pg_tid(x->bytes + x->end - PS_PG_TID_LEN);
        x->end -= PS_ITEM_ALIGN;
    }
}

uint32_t ps_bt_sorted_tids(const struct ps_bt_tuple *t)
{
    uint32_t i = t->tid_count > 0 ? 1 : 0;

    while (i < t->tid_count && ps_pg_tid_cmp(ps_pg_tid(t->tids + (i - 1) * PS_PG_TID_LEN),
                                             ps_pg_tid(t->tids + i * PS_PG_TID_LEN)) < 0)
        i++;
    return i;
}

uint32_t ps_bt_key_columns(const struct ps_bt_tuple *t, uint32_t index_columns)
{
    if (!t->pivot || !(t->index.info & PS_PG_INDEX_ALT_TID))
        return index_columns;
    return t->index.tid.slot & SLOT_COUNT_MASK;
}

static void print_meta(const struct ps_pg_view *v, FILE *out)
{
    struct ps_bt_meta m;

    if (!ps_bt_meta(v, &m))
        return;
    fprintf(out, "magic %u (0x%06x)\nversion %u\nroot %u\nlevel %u\n", m.magic, m.magic, m.version,
            m.root, m.level);
    fprintf(out, "fastroot %u\nfastlevel %u\nlast_cleanup_num_delpages %u\n", m.fastroot,
            m.fastlevel, m.delpages);
    fprintf(out, "last_cleanup_num_tuples %.17g\nallequalimage %c\n", m.tuples,
            m.allequalimage ? 't' : 'f');
}

/* As bt_page_stats() does. */
static char page_type(const struct ps_bt_page *b)
{
    if (b->flags & PS_BT_DELETED)
        return ps_bt_is_leaf(b) || !(b->flags & PS_BT_HAS_FULLXID) ? 'd' : 'D';
    if (b->flags & PS_BT_HALF_DEAD)
        return 'e';
    if (ps_bt_is_leaf(b))
        return 'l';
    return b->flags & PS_BT_ROOT ? 'r' : 'i';
}

static void print_stats(const struct ps_pg_view *v, const struct ps_bt_page *b, FILE *out)
{
    uint32_t live = 0, dead = 0, bytes = 0;

    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_pg_index_tuple t;
        uint32_t len = 0;
        const uint8_t *item = ps_pg_view_item(v, slot, &len);

        if (ps_pg_view_lp(v, slot).flags == PS_LP_DEAD)
            dead++;
        else
            live++;
        if (ps_pg_index_tuple(item, len, &t))
            bytes += t.size;
    }
    fprintf(out, "type %c\nlive_items %u\ndead_items %u\n", page_type(b), live, dead);
    fprintf(out, "avg_item_size %u\nfree_size %u\n", live + dead > 0 ? bytes / (live + dead) : 0,
            ps_pg_free_space(v));
}

static void btree_fields(const struct ps_pg_view *v, FILE *out)
{
    static const char *const names[] = {
        "leaf",      "root",        "deleted",          "meta",       "half_dead",
        "split_end", "has_garbage", "incomplete_split", "has_fullxid"};
    struct ps_bt_page b;
    const uint8_t *safexid = ps_pg_contents(v, 0, 8);

    if (!ps_bt_page(v, &b))
        return;
    if (b.flags & PS_BT_META)
        print_meta(v, out);
    else
        print_stats(v, &b, out);
    fprintf(out, "btpo_prev %u\nbtpo_next %u\nbtpo_level %u\n", b.prev, b.next, b.level);
    fprintf(out, "btpo_flags %u (0x%04x ", b.flags, b.flags);
    ps_describe_flags(b.flags, names, sizeof(names) / sizeof(names[0]), out);
    fprintf(out, ")\nbtpo_cycleid %u\n", b.cycle);
    if (b.flags & PS_BT_DELETED && b.flags & PS_BT_HAS_FULLXID && safexid)
        fprintf(out, "safexid %u:%u\n", ps_get32_at(safexid + 4), ps_get32_at(safexid));
}

static const char *btree_titles(const struct ps_pg_view *v)
{
    (void)v;
    return " ctid itemlen nulls vars dead htid tids data";
}

/* Addresses count as bytes that were printed. */
static void print_tids(struct ps_pg_items *items, const struct ps_bt_tuple *t, FILE *out)
{
    uint32_t shown = items->left / PS_PG_TID_LEN;

    if (t->tid_count == 0) {
        fputs(" - ", out);
        return;
    }
    if (shown > t->tid_count)
        shown = t->tid_count;
    items->left -= shown * PS_PG_TID_LEN;
    fputs(" {", out);
    for (uint32_t i = 0; i < shown; i++) {
        if (i > 0)
            fputc(',', out);
        ps_pg_print_tid(ps_pg_tid(t->tids + i * PS_PG_TID_LEN), out);
    }
    fputs(shown < t->tid_count ? ",...} " : "} ", out);
}

static void btree_item(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp, FILE *out)
{
    struct ps_bt_page b = {0};
    struct ps_bt_tuple t;
    const char *dead = lp->flags == PS_LP_DEAD ? "t" : "f";

    if (!ps_bt_page(items->view, &b) || !ps_bt_tuple(items->view, &b, slot, &t)) {
        fputs(" - - - - - - - -", out);
        return;
    }
    fputc(' ', out);
    ps_pg_print_tid(t.index.tid, out);
    fprintf(out, " %u %c %c %s ", t.index.size, t.index.info & PS_PG_INDEX_NULL ? 't' : 'f',
            t.index.info & PS_PG_INDEX_VAR ? 't' : 'f', t.pivot ? "-" : dead);
    if (t.htid.slot != 0)
        ps_pg_print_tid(t.htid, out);
    else
        fputc('-', out);
    print_tids(items, &t, out);
    ps_pg_print_data(items, t.index.bytes + t.index.data, t.index.end - t.index.data, out);
}

/* --- what is wrong ------------------------------------------------------------------------- */

static void check_meta(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    struct ps_bt_meta m = {0};

    if (!ps_bt_meta(v, &m) || m.magic != PS_BT_MAGIC)
        ps_pg_fault(r, "meta", 0, "metapage has magic 0x%x, not 0x%x", m.magic, PS_BT_MAGIC);
    else if (m.version < 2 || m.version > 4)
        ps_pg_fault(r, "meta", 0, "metapage has version %u, which is none of a B-tree's",
                    m.version);
}

static void check_posting(uint32_t slot, const struct ps_bt_tuple *t, struct ps_pg_report *r)
{
    const uint32_t sorted = ps_bt_sorted_tids(t);

    if (t->tid_count == 0)
        ps_pg_fault(r, "item", slot, "item %u has a posting list that does not fit it", slot);
    else if (sorted < t->tid_count)
        ps_pg_fault(r, "order", slot,
                    "item %u: address %u of its posting list is not beyond the one before", slot,
                    sorted + 1);
}

static void check_items(const struct ps_pg_view *v, const struct ps_bt_page *b,
                        struct ps_pg_report *r)
{
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_lp lp = ps_pg_view_lp(v, slot);
        struct ps_pg_index_tuple x;
        struct ps_bt_tuple t;
        uint32_t len = 0;
        const uint8_t *item;

        if (!ps_lp_has_storage(&lp))
            continue;
        item = ps_pg_view_item(v, slot, &len);
        if (!ps_pg_index_tuple(item, len, &x)) {
            ps_pg_fault(r, "item", slot, "item %u is no index tuple", slot);
            continue;
        }
        ps_pg_check_index_size(slot, &lp, &x, r);
        if (x.info & PS_PG_INDEX_ALT_TID && ps_bt_tuple(v, b, slot, &t) && t.posting)
            check_posting(slot, &t, r);
    }
}

static void btree_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    struct ps_bt_page b;

    if (!ps_bt_page(v, &b))
        return;
    if (b.flags & ~(unsigned)PS_BT_FLAGS)
        ps_pg_fault(r, "opaque", 0, "btpo_flags 0x%04x has bits that mean nothing", b.flags);
    if (!ps_pg_check_meta_block(v, b.flags & PS_BT_META, r))
        return;
    if (b.flags & PS_BT_META) {
        check_meta(v, r);
        return;
    }
    if (b.flags & PS_BT_DELETED)
        return;
    if (ps_bt_is_leaf(&b) != (b.level == 0))
        ps_pg_fault(r, "level", 0, "btpo_level is %u on %s page", b.level,
                    ps_bt_is_leaf(&b) ? "a leaf" : "an inner");
    if (b.prev == v->who->page_no || b.next == v->who->page_no)
        ps_pg_fault(r, "level", 0, "the page is its own sibling");
    check_items(v, &b, r);
}

const struct ps_pg_method ps_pg_btree = {
    .kind = "btree",
    .fields = btree_fields,
    .titles = btree_titles,
    .item = btree_item,
    .check = btree_check,
};
