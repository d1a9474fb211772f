/* A glance at a page and the checks that explain agree: where it is certain, they find nothing that
 * it did not tell, whatever the page's bytes. */
#include "pg/damage_plan.h"
#include "pg/damage_walk.h"
#include "pg_bed.h"
#include "seed.h"

#define TRIES 24u

struct looked {
    struct ps_text at_a_glance, in_full;
    unsigned pages, fine, changed_fine;
};

typedef void look_fn(struct ps_pg_walk *w, const struct ps_pg_piece *piece, struct looked *l);

static uint32_t below(uint32_t end)
{
    return (uint32_t)random() % end;
}

/* Where a change is likely to matter: the header, line pointers, an item's header, special space.
 */
static uint32_t some_offset(const struct ps_pg_view *v)
{
    const uint8_t *item = NULL;
    uint32_t len = 0;

    if (v->slots > 0)
        item = ps_pg_view_item(v, 1 + below(v->slots), &len);
    switch (below(4)) {
    case 0:
        return below(PS_PG_HEADER_LEN);
    case 1:
        return below(v->lower < PAGE ? v->lower + 1 : PAGE);
    case 2:
        return PAGE - 1 - below(32);
    default:
        return item && len > 0 ? (uint32_t)(item - v->bytes) + below(len < 40 ? len : 40)
                               : below(PAGE);
    }
}

static void add_line(void *ctx, bool fault, const char *word, uint32_t lp, const char *text)
{
    ps_text_printf(ctx, "%d %s %u %s\n", fault, word, lp, text);
}

static void look_in_full(struct ps_pg_walk *w, const struct ps_pg_view *v, struct ps_text *ret)
{
    const uint32_t natts = w->subject.desc ? w->subject.desc->count : 0;

    w->out = ret;
    (void)ps_pg_check(w->subject.kind, w->page, v->who, false, natts, add_line, ret);
    if (w->subject.kind == PS_PG_PAGE_HEAP)
        ok(ps_pg_walk_heap(w, v));
    else if (ret->len == 0)
        ok(ps_pg_walk_btree(w, v));
}

/* What is told of one page both ways. Returns whether a glance was enough. */
static bool look(struct ps_pg_walk *w, const uint8_t *page, struct looked *l)
{
    const struct ps_pg_key_order order = w->order;
    const uint32_t version = w->btree_version;
    struct ps_page_ident who = {w->page_size, (uint32_t)w->block, w->subject.file->id};
    struct ps_pg_view v = ps_pg_view(page, &who);
    bool fine = false;

    w->page = page;
    w->out = &l->at_a_glance;
    ps_text_clear(&l->at_a_glance);
    ps_text_clear(&l->in_full);
    ok(w->subject.kind == PS_PG_PAGE_HEAP ? ps_pg_glance_heap(w, &v, &fine)
                                          : ps_pg_glance_btree(w, &v, &fine));
    if (fine) {
        const struct ps_pg_key_order glanced = w->order;

        w->order = order;
        w->btree_version = version;
        look_in_full(w, &v, &l->in_full);
        assert_int_equal(l->in_full.len, l->at_a_glance.len);
        assert_memory_equal(l->in_full.data, l->at_a_glance.data, l->in_full.len);
        assert_int_equal(w->order.ascending, glanced.ascending);
        assert_int_equal(w->order.descending, glanced.descending);
        assert_int_equal(w->btree_version, version);
    }
    w->order = order;
    w->btree_version = version;
    return fine;
}

static void look_at_changes(struct ps_pg_walk *w, const uint8_t *page, struct looked *l)
{
    struct ps_page_ident who = {w->page_size, (uint32_t)w->block, 0};
    const struct ps_pg_view v = ps_pg_view(page, &who);
    uint8_t changed[PAGE];

    for (unsigned i = 0; i < TRIES; i++) {
        memcpy(changed, page, PAGE);
        for (uint32_t n = 1 + below(3); n > 0; n--)
            changed[some_offset(&v)] ^= (uint8_t)(1u << below(8));
        l->changed_fine += look(w, changed, l);
    }
}

static void look_at_piece(struct ps_pg_walk *w, const struct ps_pg_piece *piece, struct looked *l)
{
    struct ps_pg_damage_counts counts = {0};
    const uint8_t *page;
    uint8_t copy[PAGE];

    ok(ps_pg_walk_enter(w, &piece->subject, piece->from, piece->to, NULL));
    w->counts = &counts;
    for (; w->block < w->to; w->block++) {
        ok(ps_pg_walk_read(w, w->block, &page));
        if (ps_page_is_zero(page, PAGE))
            continue;
        memcpy(copy, page, PAGE);
        w->btree_version = 4;
        l->pages++;
        l->fine += look(w, copy, l);
        look_at_changes(w, copy, l);
    }
    ps_pg_walk_leave(w);
}

/* A heap page's first row gets no inserter, though its hint bits say that it committed. */
static void look_at_row_of_none(struct ps_pg_walk *w, const struct ps_pg_piece *piece,
                                struct looked *l)
{
    struct ps_page_ident who = {PAGE, (uint32_t)piece->from, 0};
    struct ps_pg_damage_counts counts = {0};
    struct ps_pg_heap_tuple *row;
    const uint8_t *page, *item = NULL;
    uint8_t copy[PAGE];
    struct ps_pg_view v;
    uint32_t len = 0;

    ok(ps_pg_walk_enter(w, &piece->subject, piece->from, piece->to, NULL));
    w->counts = &counts;
    if (piece->subject.kind == PS_PG_PAGE_HEAP && piece->from < piece->to) {
        ok(ps_pg_walk_read(w, w->block, &page));
        memcpy(copy, page, PAGE);
        v = ps_pg_view(copy, &who);
        item = ps_pg_view_item(&v, 1, &len);
    }
    if (item) {
        row = (struct ps_pg_heap_tuple *)(copy + (item - copy));
        row->t_xmin = ps_put32(0);
        row->t_infomask = ps_put16(
            (uint16_t)((ps_get16(row->t_infomask) & ~PS_PG_XMIN_FROZEN) | PS_PG_XMIN_COMMITTED));
        l->pages++;
        l->changed_fine += look(w, copy, l);
    }
    ps_pg_walk_leave(w);
}

/* A leaf's first item comes to say what only pivots say: that the address it leads to stands behind
 * its key. There it is past the table's end. False: the page has no item that this can be done to.
 */
static bool move_address(uint8_t *page, const struct ps_pg_view *v)
{
    static const uint8_t pivot_with_tid[2] = {0x01, 0x10};
    static const uint8_t far_away[PS_PG_TID_LEN] = {0xff, 0xff, 0, 0, 1, 0};
    const uint8_t alt_tid = PS_PG_INDEX_ALT_TID >> 8;
    struct ps_bt_tuple t;
    struct ps_bt_page b;
    uint8_t *item;

    if (!ps_bt_page(v, &b) || !ps_bt_is_leaf(&b) || !ps_bt_tuple(v, &b, ps_bt_first_slot(&b), &t) ||
        t.index.info & PS_PG_INDEX_ALT_TID || t.index.end - t.index.data < PS_ITEM_ALIGN)
        return false;
    item = page + (t.index.bytes - page);
    memcpy(item + PS_PG_TID_LEN - 2, pivot_with_tid, sizeof(pivot_with_tid));
    item[PS_PG_TID_LEN + 1] |= alt_tid;
    memcpy(item + t.index.end - PS_PG_TID_LEN, far_away, sizeof(far_away));
    return true;
}

static void look_at_moved_address(struct ps_pg_walk *w, const struct ps_pg_piece *piece,
                                  struct looked *l)
{
    struct ps_page_ident who = {PAGE, 1, 0};
    struct ps_pg_damage_counts counts = {0};
    const uint8_t *page;
    uint8_t copy[PAGE];
    struct ps_pg_view v;

    ok(ps_pg_walk_enter(w, &piece->subject, piece->from, piece->to, NULL));
    w->counts = &counts;
    if (piece->subject.kind == PS_PG_PAGE_BTREE && piece->from == 0 && piece->to > 1) {
        w->block = 1;
        ok(ps_pg_walk_read(w, w->block, &page));
        memcpy(copy, page, PAGE);
        v = ps_pg_view(copy, &who);
        if (move_address(copy, &v)) {
            l->pages++;
            l->changed_fine += look(w, copy, l);
        }
    }
    ps_pg_walk_leave(w);
}

static void look_at_cluster(void **state, bool has_xacts, look_fn *look_at, struct looked *ret)
{
    struct ps_text lines = {0};
    struct ps_pg_damage_counts counts = {0};
    struct ps_pg_out out = {.text = &lines, .counts = &counts};
    struct ps_pg_catalog *catalog;
    struct ps_pg_piece piece;
    struct ps_pg_walk *w;
    struct ps_pg_plan plan;
    struct bed b;
    bool done = false;

    begin(&b, state);
    ok(try_open(&b, ""));
    ok(ps_pg_catalog_open(b.cluster, &catalog));
    ok(ps_pg_walk_new(b.cluster, has_xacts ? ps_pg_catalog_xacts(catalog) : NULL, &w));
    ps_pg_plan_init(&plan, catalog);
    plan.all = true;
    while (!done) {
        ok(ps_pg_plan_next(&plan, &out, &piece, &done));
        if (!done && piece.subject.file &&
            (piece.subject.kind == PS_PG_PAGE_HEAP || piece.subject.kind == PS_PG_PAGE_BTREE))
            look_at(w, &piece, ret);
    }
    ps_pg_plan_deinit(&plan);
    ps_pg_walk_free(w);
    ps_pg_catalog_close(catalog);
    ps_text_deinit(&ret->at_a_glance);
    ps_text_deinit(&ret->in_full);
    ps_text_deinit(&lines);
    end(&b);
}

static void look_at_all_pieces(void **state, bool has_xacts)
{
    struct looked l = {.pages = 0};

    srandom((unsigned)test_seed());
    look_at_cluster(state, has_xacts, look_at_piece, &l);
    print_message("%u pages, %u fine; %u changed ones fine\n", l.pages, l.fine, l.changed_fine);
    assert_true(l.fine > l.pages / 2);
    assert_true(l.changed_fine > 0 && l.changed_fine < l.pages * TRIES);
}

static void what_is_fine_at_a_glance_has_nothing_else_to_tell(void **state)
{
    look_at_all_pieces(state, true);
}

static void nor_has_it_by_hint_bits_alone(void **state)
{
    look_at_all_pieces(state, false);
}

static void a_row_without_inserter_is_not_fine(void **state)
{
    struct looked l = {.pages = 0};

    look_at_cluster(state, true, look_at_row_of_none, &l);
    assert_true(l.pages > 0);
    assert_int_equal(l.changed_fine, 0);
}

static void an_address_behind_a_key_is_looked_at_where_it_stands(void **state)
{
    struct looked l = {.pages = 0};

    look_at_cluster(state, true, look_at_moved_address, &l);
    assert_true(l.pages > 0);
    assert_int_equal(l.changed_fine, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_fine_at_a_glance_has_nothing_else_to_tell),
        cmocka_unit_test(nor_has_it_by_hint_bits_alone),
        cmocka_unit_test(a_row_without_inserter_is_not_fine),
        cmocka_unit_test(an_address_behind_a_key_is_looked_at_where_it_stands),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
