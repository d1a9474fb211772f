/*
 * test_map.c - the allocation map against a flat model: a list of runs of pages.
 *
 * The pool below it is map_model.h's, the flat model map_bed.h's. The random tests print their
 * seed; PS_TEST_SEED repeats one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "map_bed.h"

/* --- comparing ---------------------------------------------------------------------------- */

static void expect_entry(const struct ps_map_entry *got, const struct ps_map_entry *want)
{
    assert_int_equal(got->state, want->state);
    assert_int_equal(got->lsn, want->lsn);
    assert_int_equal(got->mtime_us, want->mtime_us);
}

static void check_get(struct bed *b, uint64_t page)
{
    struct ps_map_entry entry;

    assert_int_equal(ps_map_get(&b->map, (uint32_t)page, &entry), PS_OK);
    expect_entry(&entry, &b->flat.runs[flat_find(&b->flat, page)].entry);
}

static void check_range(struct bed *b)
{
    struct ps_map_entry entries[1000];
    const uint64_t first = random_page(b);
    const uint32_t count = random_count(first, 1000);
    uint32_t i;

    assert_int_equal(ps_map_get_range(&b->map, (uint32_t)first, count, entries), PS_OK);
    for (i = 0; i < count; i++)
        expect_entry(&entries[i], &b->flat.runs[flat_find(&b->flat, first + i)].entry);
}

static void check_next(struct bed *b, uint64_t from, unsigned states)
{
    struct ps_map_entry entry;
    uint32_t page = 0;
    uint64_t want;
    size_t i;
    ps_err err;

    for (i = flat_find(&b->flat, from);
         i < b->flat.count && !(states >> b->flat.runs[i].entry.state & 1); i++)
        ;
    err = ps_map_next(&b->map, (uint32_t)from, states, &page, &entry);
    assert_int_equal(err, i < b->flat.count ? PS_OK : PS_ERR_NOENT);
    if (err)
        return;
    want = b->flat.runs[i].first > from ? b->flat.runs[i].first : from;
    assert_int_equal(page, want);
    expect_entry(&entry, &b->flat.runs[i].entry);
}

static void check_prev(struct bed *b, uint64_t from, unsigned states)
{
    struct ps_map_entry entry;
    uint32_t page = 0;
    uint64_t want;
    size_t i;
    ps_err err;

    for (i = flat_find(&b->flat, from) + 1;
         i > 0 && !(states >> b->flat.runs[i - 1].entry.state & 1); i--)
        ;
    err = ps_map_prev(&b->map, (uint32_t)from, states, &page, &entry);
    assert_int_equal(err, i > 0 ? PS_OK : PS_ERR_NOENT);
    if (err)
        return;
    want = run_end(&b->flat, i - 1) - 1 < from ? run_end(&b->flat, i - 1) - 1 : from;
    assert_int_equal(page, want);
    expect_entry(&entry, &b->flat.runs[i - 1].entry);
}

static void expect_summary(const struct ps_map_summary *got, const struct flat *flat)
{
    const struct ps_map_summary want = flat_summary(flat);

    assert_int_equal(got->end, want.end);
    assert_int_equal(got->free, want.free);
    assert_int_equal(got->virgin, want.virgin);
    assert_int_equal(got->used, want.used);
    assert_int_equal(got->payload_len, want.payload_len);
}

static void check_some(struct bed *b)
{
    const size_t run = chance(b->flat.count);
    struct ps_map_summary sum;

    assert_int_equal(ps_map_totals(&b->map, &sum), PS_OK);
    assert_int_equal(sum.used, flat_summary(&b->flat).used);
    assert_int_equal(sum.virgin, flat_summary(&b->flat).virgin);
    assert_int_equal(sum.end + sum.free, 0);
    assert_int_equal(ps_map_summary(&b->map, &sum), PS_OK);
    expect_summary(&sum, &b->flat);
    check_get(b, random_page(b));
    check_get(b, b->flat.runs[run].first);
    check_get(b, run_end(&b->flat, run) - 1);
    check_range(b);
    check_next(b, random_page(b), 1 + (unsigned)chance(15));
    check_prev(b, random_page(b), 1 + (unsigned)chance(15));
}

/* --- the walk ----------------------------------------------------------------------------- */

struct tour {
    const struct ps_pool *pool;
    const struct flat *flat; /* what to expect, or NULL */
    uint64_t next;           /* page that comes next */
    unsigned damages;
    uint32_t damaged_page;
    char text[300];
    uint32_t fails; /* map page whose read fails with fail_err; UINT32_MAX: none */
    ps_err fail_err;
};

static ps_err tour_read(void *ctx, uint32_t map_page_no, void *buf)
{
    const struct tour *t = ctx;
    size_t i;

    if (map_page_no == t->fails)
        return ps_fail(t->fail_err, "reading map page %" PRIu32 " failed", map_page_no);
    memset(buf, 0, t->pool->page_size);
    for (i = 0; i < t->pool->slot_count; i++) {
        if (t->pool->slots[i]->page.tag.page == map_page_no && t->pool->slots[i]->disk)
            memcpy(buf, t->pool->slots[i]->disk, t->pool->page_size);
    }
    return PS_OK;
}

static void tour_damage(void *ctx, uint32_t map_page_no, const char *text)
{
    struct tour *t = ctx;

    t->damages++;
    t->damaged_page = map_page_no;
    snprintf(t->text, sizeof(t->text), "%s", text);
}

static ps_err tour_range(void *ctx, uint64_t first, uint64_t count,
                         const struct ps_map_entry *entry)
{
    struct tour *t = ctx;
    size_t i;

    if (!t->flat)
        return PS_OK;
    assert_int_equal(first, t->next);
    for (i = flat_find(t->flat, first);
         i < t->flat->count && t->flat->runs[i].first < first + count; i++)
        expect_entry(entry, &t->flat->runs[i].entry);
    t->next = first + count;
    return PS_OK;
}

static ps_err tour_each(void *ctx, uint32_t page_no, const struct ps_map_entry *entry)
{
    return tour_range(ctx, page_no, 1, entry);
}

static struct ps_map_summary take_tour(const struct ps_map *map, struct tour *t)
{
    const struct ps_map_source source = {tour_read, tour_damage, tour_each, tour_range, t};
    struct ps_map_summary sum;

    assert_int_equal(ps_map_walk(map, &source, &sum), PS_OK);
    return sum;
}

/* Everything, as it would be found on disk. */
static void check_all(struct bed *b)
{
    struct tour t = {.pool = b->pool, .flat = &b->flat, .fails = UINT32_MAX};
    struct ps_map_summary sum;

    model_flush_all(b->pool);
    sum = take_tour(&b->map, &t);
    if (t.damages)
        print_message("map page %" PRIu32 ": %s\n", t.damaged_page, t.text);
    assert_int_equal(t.damages, 0);
    assert_int_equal(t.next, PAGES);
    expect_summary(&sum, &b->flat);
}

/* --- shape -------------------------------------------------------------------------------- */

static void check_node_place(const struct ps_map *map, uint32_t page)
{
    struct ps_map_node_id node;

    if (!ps_map_node_at(map, page, &node))
        return;
    assert_int_equal(ps_map_node_page(map, node.level, node.index), page);
    assert_int_equal(node.first_page, node.index * map->cover[node.level]);
    assert_true(node.first_page + node.pages <= PAGES);
}

static void check_leaf_place(const struct ps_map *map, uint64_t page)
{
    const struct ps_map_node_id leaf = ps_map_leaf_of(map, (uint32_t)page);
    struct ps_map_node_id found;

    assert_true(leaf.first_page <= page && page < leaf.first_page + leaf.pages);
    assert_true(ps_map_node_at(map, ps_map_node_page(map, 0, leaf.index), &found));
    assert_int_equal(found.level, 0);
    assert_int_equal(found.index, leaf.index);
}

static void every_page_has_one_leaf_and_every_node_one_place(void **state)
{
    struct ps_map_node_id node;
    struct ps_map map;
    uint32_t size, i;
    uint64_t last;

    (void)state;
    seed_chance();
    for (size = PS_PAGE_SIZE_MIN; size <= PS_PAGE_SIZE_MAX; size *= 2) {
        ps_map_init(&map, NULL, 0, MODEL_TABLE, size);
        assert_int_equal(ps_map_root(&map).pages, PAGES);
        assert_true(map.cover[map.levels - 2] < PAGES);
        last = ps_map_node_page(&map, 0, (PAGES - 1) / map.leaf_fanout);
        check_leaf_place(&map, 0);
        check_leaf_place(&map, PAGES - 1);
        for (i = 0; i < 3000; i++) {
            check_node_place(&map, i);
            check_node_place(&map, (uint32_t)chance(last + 1));
            check_leaf_place(&map, chance(PAGES));
        }
        assert_false(ps_map_node_at(&map, (uint32_t)last + 1, &node));
        assert_false(ps_map_node_at(&map, UINT32_MAX, &node));
    }
}

/* All nodes of the smallest page size's first subtrees, in file order, are each there once. */
static void nodes_lie_depth_first_without_gaps(void **state)
{
    struct ps_map_node_id node, before = {0};
    struct ps_map map;
    uint64_t leaves = 0;
    uint32_t page;

    (void)state;
    ps_map_init(&map, NULL, 0, MODEL_TABLE, PS_PAGE_SIZE_MIN);
    for (page = 0; page < 2 * map.stride[2]; page++) {
        assert_true(ps_map_node_at(&map, page, &node));
        if (page > 0 && before.level > 0) {
            assert_int_equal(node.level, before.level - 1);
            assert_int_equal(node.first_page, before.first_page);
        } else if (page > 0) {
            assert_int_equal(node.first_page, before.first_page + before.pages);
        }
        if (node.level == 0)
            assert_int_equal(node.index, leaves++);
        before = node;
    }
    assert_true(leaves > 2 * map.inner_fanout);
}

/* --- changes ------------------------------------------------------------------------------ */

static void new_map_is_empty(void **state)
{
    struct ps_map_summary sum;
    struct ps_map_entry entry;
    uint32_t page = 0;
    struct bed b;

    (void)state;
    bed_init(&b, 8192);
    assert_int_equal(ps_map_summary(&b.map, &sum), PS_OK);
    expect_summary(&sum, &b.flat);
    assert_int_equal(ps_map_get(&b.map, 12345, &entry), PS_OK);
    assert_int_equal(entry.state, PS_FREE);
    assert_int_equal(ps_map_next(&b.map, 0, 14, &page, NULL), PS_ERR_NOENT);
    assert_int_equal(ps_map_prev(&b.map, 0, 14, &page, NULL), PS_ERR_NOENT);
    check_all(&b);
    bed_deinit(&b);
}

/* The example of FORMAT.md section 6: a table of 4 KiB pages whose pages 0 and 1 were written. */
static void nodes_have_their_documented_bytes(void **state)
{
    static const char root[] = "5047444201000200000000000000000080100000000000000000000007000000"
                               "0500000000000000000000000000000002000000000000000400000000000000"
                               "0000000000000000020000000000000002000000000000000000000000000000";
    static const char leaf[] = "5047444201000200040000000000000080100000000000000000000007000000"
                               "0500000000000000000000000000000000000000000000000000000000000000"
                               "8010000000000000923e0000000000008010000000000000923e000000000000";
    char hex[2 * 96 + 1];
    struct bed b;
    size_t i;

    (void)state;
    bed_init(&b, 4096);
    do_write_bits(&b, 0, 2, NULL);
    for (i = 0; i < 96; i++)
        snprintf(hex + 2 * i, 3, "%02x", model_slot(b.pool, 0)->page.data[i]);
    assert_string_equal(hex, root);
    for (i = 0; i < 96; i++)
        snprintf(hex + 2 * i, 3, "%02x", model_slot(b.pool, 4)->page.data[i]);
    assert_string_equal(hex, leaf);
    bed_deinit(&b);
}

static void page_numbers_end_below_the_highest(void **state)
{
    struct ps_map_entry entry[2];
    uint32_t page = 0;
    struct bed b;

    (void)state;
    bed_init(&b, 8192);
    assert_int_equal(ps_map_get(&b.map, PS_MAP_PAGES_MAX, entry), PS_ERR_RANGE);
    assert_int_equal(ps_map_get_range(&b.map, PS_MAP_PAGES_MAX - 1, 2, entry), PS_ERR_RANGE);
    assert_int_equal(ps_map_next(&b.map, PS_MAP_PAGES_MAX, 15, &page, NULL), PS_ERR_RANGE);
    assert_int_equal(ps_map_prev(&b.map, PS_MAP_PAGES_MAX, 15, &page, NULL), PS_ERR_RANGE);
    do_write(&b, PAGES - 1, 1);
    check_get(&b, PAGES - 1);
    check_all(&b);
    bed_deinit(&b);
}

static void random_changes_agree_with_flat_model(void **state)
{
    static const struct {
        uint32_t page_size;
        unsigned changes;
    } rounds[] = {{4096, 600}, {8192, 400}, {16384, 200}, {65536, 60}};
    struct bed b;
    unsigned i, r;

    (void)state;
    seed_chance();
    for (r = 0; r < sizeof(rounds) / sizeof(rounds[0]); r++) {
        bed_init(&b, rounds[r].page_size);
        for (i = 0; i < rounds[r].changes; i++) {
            random_change(&b);
            random_flushes(&b);
            check_some(&b);
            if (i % 64 == 0)
                check_all(&b);
        }
        check_all(&b);
        bed_deinit(&b);
    }
}

/* Of a group that frees what follows a page, where the page is the last of its node. */
static void cut_at_the_seams_of_nodes(void **state)
{
    unsigned level;
    struct bed b;

    (void)state;
    seed_chance();
    bed_init(&b, 4096);
    for (level = b.map.levels - 1; level-- > 0;) {
        do_write(&b, b.map.cover[level] - 1, 1);
        do_set(&b, b.map.cover[level], 5000, PS_VIRGIN);
        do_cut(&b, b.map.cover[level] - 1);
        check_all(&b);
    }
    bed_deinit(&b);
}

static void set_to_used_leaves_used_pages_as_they_are(void **state)
{
    const struct ps_map_range range = {20, 3};
    struct ps_group_env env;
    struct ps_group g;
    struct log_rec *rec;
    struct bed b;

    (void)state;
    bed_init(&b, 8192);
    do_write_bits(&b, 20, 1, (const uint8_t[]){1});
    do_write_bits(&b, 22, 1, NULL);
    begin_set(&b, &g, &env, &range, 1);
    ps_map_apply_set(&b.map, &g, 20, 3, PS_USED);
    ps_map_apply_touch(&b.map, &g, 21, 1, NULL);
    rec = model_commit(&g);
    flat_touch(&b.flat, 21, 1, NULL, rec);
    check_all(&b);
    bed_deinit(&b);
}

static void node_that_begins_a_life_is_not_read_before(void **state)
{
    struct slot *leaf;
    struct bed b;

    (void)state;
    seed_chance();
    bed_init(&b, 8192);
    do_write(&b, 700, 3);
    do_set(&b, 0, PAGES, PS_FREE);
    model_flush_all(b.pool);
    leaf = model_slot(b.pool, ps_map_node_page(&b.map, 0, 1));
    model_evict(leaf);
    leaf->disk[100] ^= 1; /* void bytes; their checksum is wrong now */
    check_get(&b, 700);
    do_write(&b, 701, 1);
    check_get(&b, 700);
    check_all(&b);
    bed_deinit(&b);
}

static void allocating_all_pages_costs_a_handful_of_map_pages(void **state)
{
    struct bed b;
    uint32_t size;

    (void)state;
    for (size = PS_PAGE_SIZE_MIN; size <= PS_PAGE_SIZE_MAX; size *= 16) {
        bed_init(&b, size);
        do_write(&b, 3, 4);
        assert_true(ps_map_set_frames(&b.map, 0, PS_MAP_PAGES_MAX) <= 2 * b.map.levels - 1);
        do_set(&b, 7, PAGES - 7, PS_VIRGIN);
        assert_true(b.pool->slot_count <= 2 * b.map.levels - 1);
        check_some(&b);
        do_set(&b, 1000000, PAGES - 1000001, PS_FREE);
        assert_true(b.pool->slot_count <= 3 * b.map.levels);
        check_some(&b);
        do_set(&b, 0, PAGES, PS_FREE);
        check_all(&b);
        bed_deinit(&b);
    }
}

static void search_of_a_sparse_table_costs_its_height(void **state)
{
    const unsigned used = 1u << PS_USED | 1u << PS_ZERO;
    uint64_t pins;
    uint32_t page = 0;
    struct bed b;

    (void)state;
    bed_init(&b, 4096);
    do_set(&b, 0, PAGES, PS_VIRGIN);
    do_write(&b, 10, 1);
    do_write(&b, 3000000000, 1);

    pins = b.pool->pins;
    assert_int_equal(ps_map_next(&b.map, 11, used, &page, NULL), PS_OK);
    assert_int_equal(page, 3000000000);
    assert_int_equal(ps_map_prev(&b.map, 2999999999, used, &page, NULL), PS_OK);
    assert_int_equal(page, 10);
    assert_int_equal(ps_map_next(&b.map, 3000000001, used, &page, NULL), PS_ERR_NOENT);
    assert_int_equal(ps_map_next(&b.map, 10, 1u << PS_FREE, &page, NULL), PS_ERR_NOENT);
    assert_true(b.pool->pins - pins <= 4 * b.map.levels * b.map.levels);
    bed_deinit(&b);
}

static void search_for_a_free_page_skips_full_leaves(void **state)
{
    uint32_t page = 0;
    uint64_t pins;
    struct bed b;

    (void)state;
    seed_chance();
    bed_init(&b, 4096);
    for (page = 0; page < 20000; page += 1000)
        do_write(&b, page, 1000);
    pins = b.pool->pins;
    assert_int_equal(ps_map_next(&b.map, 5, 1u << PS_FREE, &page, NULL), PS_OK);
    assert_int_equal(page, 20000);
    assert_true(b.pool->pins - pins <= b.map.levels * b.map.levels);
    bed_deinit(&b);
}

static void touch_alone_logs_no_bytes_after_the_image(void **state)
{
    uint64_t logged;
    struct bed b;

    (void)state;
    seed_chance();
    bed_init(&b, 8192);
    do_write(&b, 100, 50);
    logged = b.pool->logged;
    do_rewrite(&b, 100, 50);
    assert_int_equal(b.pool->logged, logged);
    check_get(&b, 120);
    bed_deinit(&b);
}

/* --- crashes ------------------------------------------------------------------------------ */

/* What the page would be on disk; the caller frees it. NULL: never written. */
static uint8_t *page_bytes(const struct ps_pool *pool, const struct slot *slot)
{
    const struct ps_page_ident who = model_ident(pool, slot->page.tag.page);
    uint8_t *copy;

    if (!slot->page.data || slot->page.lsn == 0)
        return slot->disk ? model_copy(slot->disk, pool->page_size) : NULL;
    copy = model_copy(slot->page.data, pool->page_size);
    ps_format_native.seal(copy, &who);
    return copy;
}

static void expect_same_pages(struct ps_pool *a, struct ps_pool *b)
{
    uint8_t *in_a, *in_b;
    size_t i;

    for (i = 0; i < a->slot_count; i++) {
        in_a = page_bytes(a, a->slots[i]);
        in_b = page_bytes(b, model_slot(b, a->slots[i]->page.tag.page));
        assert_int_equal(in_a == NULL, in_b == NULL);
        if (in_a)
            assert_memory_equal(in_a, in_b, a->page_size);
        free(in_a);
        free(in_b);
    }
}

/* Redoes the log from the redo point up to the record `stop`, writing pages back by chance. */
static void replay(struct ps_pool *pool, const struct ps_pool *crashed, size_t stop)
{
    struct ps_map map;
    size_t i, k;

    ps_map_init(&map, pool, 0, MODEL_TABLE, pool->page_size);
    for (i = 0; i < stop; i++) {
        if (crashed->log[i].lsn <= crashed->redo_lsn)
            continue;
        model_redo_rec(pool, &map, &crashed->log[i]);
        for (k = 0; k < 3; k++)
            model_flush(pool, pool->slots[chance(pool->slot_count)]);
    }
}

static void redo_after_any_flushes_gives_the_same_bytes(void **state)
{
    struct ps_pool *once, *twice;
    unsigned round, i;
    struct bed b;

    (void)state;
    seed_chance();
    for (round = 0; round < 40; round++) {
        bed_init(&b, round % 2 ? 4096 : 8192);
        for (i = 0; i < 60; i++) {
            random_change(&b);
            random_flushes(&b);
        }
        once = model_crash(b.pool);
        replay(once, b.pool, chance(b.pool->log_count + 1)); /* and is cut off there */
        twice = model_crash(once);
        replay(twice, b.pool, b.pool->log_count);
        expect_same_pages(b.pool, twice);
        model_destroy(once);
        model_destroy(twice);
        check_all(&b);
        bed_deinit(&b);
    }
}

static void redo_of_touch_leaves_newer_leaves_alone(void **state)
{
    struct ps_map_entry before, after;
    struct bed b;

    (void)state;
    bed_init(&b, 8192);
    do_write(&b, 5, 1);
    assert_int_equal(ps_map_get(&b.map, 5, &before), PS_OK);
    assert_int_equal(ps_map_redo_touch(&b.map, 5, before.lsn - 1, 1, true), PS_OK);
    assert_int_equal(ps_map_get(&b.map, 5, &after), PS_OK);
    expect_entry(&after, &before);
    assert_int_equal(ps_map_redo_touch(&b.map, 5, before.lsn, 9, true), PS_OK);
    assert_int_equal(ps_map_get(&b.map, 5, &after), PS_OK);
    expect_entry(&after, &(struct ps_map_entry){PS_ZERO, before.lsn, 9});
    bed_deinit(&b);
}

static void redo_of_touch_without_a_leaf_is_corruption(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b, 8192);
    assert_int_equal(ps_map_redo_touch(&b.map, 5, 1 << 20, 1, false), PS_ERR_CORRUPT);
    assert_non_null(strstr(ps_message(), "was never written"));
    bed_deinit(&b);
}

/* --- damage ------------------------------------------------------------------------------- */

/* Used pages 0-9 and 1000-1009, virgin ones from 100000 on, all on disk. */
static void damage_bed(struct bed *b)
{
    bed_init(b, 8192);
    do_write(b, 0, 10);
    do_write(b, 1000, 10);
    do_set(b, 100000, PAGES - 100000, PS_VIRGIN);
    check_all(b);
}

static uint8_t *disk_of(struct bed *b, unsigned level, uint64_t page, uint32_t *ret_map_page)
{
    const uint64_t index = page / b->map.cover[level];

    *ret_map_page = ps_map_node_page(&b->map, level, index);
    return model_slot(b->pool, *ret_map_page)->disk;
}

static struct ps_map_inner_entry *inner_at(uint8_t *node, uint32_t slot)
{
    return (struct ps_map_inner_entry *)(node + ps_map_inner_off(slot));
}

static struct ps_map_leaf_entry *leaf_at(uint8_t *node, uint32_t slot)
{
    return (struct ps_map_leaf_entry *)(node + ps_map_leaf_off(slot));
}

/* Damages the node of the level above page 1000; returns its map page, and what is to be said. */
typedef const char *(*hurt_fn)(struct bed *b, uint32_t *ret_map_page);

static const char *hurt_count(struct bed *b, uint32_t *at)
{
    struct ps_map_inner_entry *e = inner_at(disk_of(b, 1, 1000, at), 1);

    e->used = ps_put32(ps_get32(e->used) + 1);
    return "are counted as 11 used, 0 virgin; they are 10 and 0";
}

static const char *hurt_uniform_count(struct bed *b, uint32_t *at)
{
    struct ps_map_inner_entry *e = inner_at(disk_of(b, 1, 100000, at), 300);

    e->virgin = ps_put32(ps_get32(e->virgin) - 1);
    return "are all virgin, but counted as 0 used, 507 virgin";
}

static const char *hurt_totals(struct bed *b, uint32_t *at)
{
    ((struct ps_map_hdr *)disk_of(b, 3, 0, at))->used = ps_put32(19);
    return "the table's pages are counted as 19 used";
}

static const char *hurt_generation(struct bed *b, uint32_t *at)
{
    ((struct ps_map_hdr *)disk_of(b, 0, 1000, at))->gen = ps_put64(1);
    return "has generation 1, its parent says";
}

static const char *hurt_by_zeros(struct bed *b, uint32_t *at)
{
    memset(disk_of(b, 0, 1000, at), 0, 8192);
    return "has generation 0, its parent says";
}

static const char *hurt_inner_by_zeros(struct bed *b, uint32_t *at)
{
    memset(disk_of(b, 2, 1000, at), 0, 8192);
    return "has generation 0, its parent says";
}

static const char *hurt_root_by_zeros(struct bed *b, uint32_t *at)
{
    memset(disk_of(b, 3, 1000, at), 0, 8192);
    return "root was never written";
}

static const char *hurt_state(struct bed *b, uint32_t *at)
{
    leaf_at(disk_of(b, 0, 1000, at), 492)->word.b[0] |= 4;
    return "page 1000 is in no known state";
}

static const char *hurt_uniform_state(struct bed *b, uint32_t *at)
{
    inner_at(disk_of(b, 1, 100000, at), 300)->word.b[0] = PS_USED;
    return "cannot all be in state";
}

static const char *hurt_live_word(struct bed *b, uint32_t *at)
{
    inner_at(disk_of(b, 1, 1000, at), 1)->word.b[0] = PS_VIRGIN;
    return "is neither uniform nor live";
}

static const char *hurt_lsn(struct bed *b, uint32_t *at)
{
    leaf_at(disk_of(b, 0, 1000, at), 492)->lsn = ps_put64(UINT64_C(1) << 40);
    return "beyond the node's own";
}

static const char *hurt_no_lsn(struct bed *b, uint32_t *at)
{
    leaf_at(disk_of(b, 0, 1000, at), 492)->lsn = ps_put64(0);
    return "page 1000 is used, but has no LSN";
}

static const char *hurt_free_lsn(struct bed *b, uint32_t *at)
{
    leaf_at(disk_of(b, 0, 1000, at), 400)->lsn = ps_put64(77);
    return "page 908 was never written, but has LSN 77";
}

static const char *hurt_level(struct bed *b, uint32_t *at)
{
    ((struct ps_map_hdr *)disk_of(b, 0, 1000, at))->level = ps_put32(2);
    return "says level 2, a node of level 0 lies there";
}

static const char *hurt_reserved(struct bed *b, uint32_t *at)
{
    ((struct ps_map_hdr *)disk_of(b, 0, 1000, at))->payload_len = ps_put64(1);
    return "reserved bytes of the header are not zero";
}

static const char *hurt_root_reserved(struct bed *b, uint32_t *at)
{
    ((struct ps_map_hdr *)disk_of(b, 3, 0, at))->reserved = ps_put32(1);
    return "reserved bytes of the header are not zero";
}

static const char *hurt_generation_count(struct bed *b, uint32_t *at)
{
    ((struct ps_map_hdr *)disk_of(b, 0, 1000, at))->gen = ps_put64(99);
    inner_at(disk_of(b, 1, 1000, at), 1)->gen = ps_put64(99);
    return "is neither uniform nor live (generation 99 of";
}

static const char *hurt_tail(struct bed *b, uint32_t *at)
{
    disk_of(b, 1, 1000, at)[8191] = 1;
    return "behind the last entry, are not zero";
}

static const char *hurt_type(struct bed *b, uint32_t *at)
{
    disk_of(b, 0, 1000, at)[6] = PS_PAGE_SLOTTED;
    return "page type is 1, not that of a map";
}

static void walk_finds_each_kind_of_damage_once(void **state)
{
    static const hurt_fn hurts[] = {
        hurt_count,
        hurt_uniform_count,
        hurt_totals,
        hurt_generation,
        hurt_by_zeros,
        hurt_inner_by_zeros,
        hurt_root_by_zeros,
        hurt_state,
        hurt_uniform_state,
        hurt_live_word,
        hurt_lsn,
        hurt_no_lsn,
        hurt_free_lsn,
        hurt_level,
        hurt_reserved,
        hurt_root_reserved,
        hurt_generation_count,
        hurt_tail,
        hurt_type,
    };
    const char *text;
    uint32_t at = 0;
    struct bed b;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(hurts) / sizeof(hurts[0]); i++) {
        struct tour t = {.fails = UINT32_MAX};

        damage_bed(&b);
        text = hurts[i](&b, &at);
        t.pool = b.pool;
        (void)take_tour(&b.map, &t);
        if (t.damages != 1 || !strstr(t.text, text))
            fail_msg("%u damages, the last \"%s\", not \"%s\"", t.damages, t.text, text);
        assert_int_equal(t.damaged_page, at);
        bed_deinit(&b);
    }
}

static void walk_goes_on_behind_a_node_it_cannot_read(void **state)
{
    struct ps_map_summary sum;
    struct tour t = {.fail_err = PS_ERR_IO};
    struct bed b;

    (void)state;
    damage_bed(&b);
    t.pool = b.pool;
    (void)disk_of(&b, 0, 0, &t.fails);
    sum = take_tour(&b.map, &t);
    assert_int_equal(t.damages, 1);
    assert_int_equal(t.damaged_page, t.fails);
    assert_non_null(strstr(t.text, "failed"));
    expect_summary(&sum, &b.flat); /* of the lost leaf, its parent's word is taken */
    bed_deinit(&b);
}

static void walk_ends_at_an_error_that_is_no_damage(void **state)
{
    struct tour t = {.fail_err = PS_ERR_NOMEM};
    struct ps_map_source source = {tour_read, tour_damage, tour_each, tour_range, &t};
    struct ps_map_summary sum;
    struct bed b;

    (void)state;
    damage_bed(&b);
    t.pool = b.pool;
    (void)disk_of(&b, 0, 1000, &t.fails);
    assert_int_equal(ps_map_walk(&b.map, &source, &sum), PS_ERR_NOMEM);
    assert_int_equal(t.damages, 0);
    bed_deinit(&b);
}

static void lost_nodes_are_corruption_to_look_ups_and_changes(void **state)
{
    static const hurt_fn hurts[] = {hurt_generation, hurt_by_zeros, hurt_inner_by_zeros,
                                    hurt_root_by_zeros, hurt_level};
    struct ps_map_entry entry;
    struct ps_group_env env;
    struct ps_group g;
    uint32_t at = 0;
    struct bed b;
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(hurts) / sizeof(hurts[0]); i++) {
        damage_bed(&b);
        for (k = 0; k < b.pool->slot_count; k++)
            model_evict(b.pool->slots[k]);
        (void)hurts[i](&b, &at);
        if (!ps_page_is_zero(disk_of(&b, 0, 1000, &at), 8192))
            ps_format_native.seal(disk_of(&b, 0, 1000, &at),
                                  &(struct ps_page_ident){8192, at, MODEL_TABLE});
        assert_int_equal(ps_map_get(&b.map, 1000, &entry), PS_ERR_CORRUPT);
        model_begin(b.pool, &g, &env, ps_map_set_frames(&b.map, 1000, 1), 1 << 20, 1);
        assert_int_equal(ps_map_prepare(&b.map, &g, 1000, 1, true), PS_ERR_CORRUPT);
        model_end(&g);
        bed_deinit(&b);
    }
}

/* Seals what was damaged, and has it read again. */
static void hurt_disk(struct bed *b, hurt_fn hurt)
{
    uint32_t at = 0;
    size_t i;

    damage_bed(b);
    for (i = 0; i < b->pool->slot_count; i++)
        model_evict(b->pool->slots[i]);
    (void)hurt(b, &at);
    ps_format_native.seal(model_slot(b->pool, at)->disk,
                          &(struct ps_page_ident){8192, at, MODEL_TABLE});
}

static const char *hurt_uniform_zero_state(struct bed *b, uint32_t *at)
{
    inner_at(disk_of(b, 1, 100000, at), 300)->word.b[0] = PS_ZERO;
    return "cannot all be in state";
}

static const char *hurt_uniform_spare_bits(struct bed *b, uint32_t *at)
{
    inner_at(disk_of(b, 1, 100000, at), 300)->word.b[0] |= 8;
    return "cannot all be in state";
}

static const char *hurt_count_beyond_pages(struct bed *b, uint32_t *at)
{
    inner_at(disk_of(b, 1, 1000, at), 1)->used = ps_put32(UINT32_MAX);
    return "of 508";
}

static const char *hurt_last_generation(struct bed *b, uint32_t *at)
{
    ((struct ps_map_hdr *)disk_of(b, 3, 0, at))->gen = ps_put64(UINT64_MAX);
    return "cannot have been reached";
}

static void nodes_that_cannot_be_are_corruption_when_they_are_read(void **state)
{
    static const struct {
        hurt_fn hurt;
        const char *says;
    } cases[] = {
        {hurt_uniform_state, "entry 300: pages "},
        {hurt_uniform_zero_state, "cannot all be in state"},
        {hurt_uniform_spare_bits, "cannot all be in state"},
        {hurt_uniform_count, "are counted as 0 used, 507 virgin"},
        {hurt_count_beyond_pages, "of 508"},
        {hurt_live_word, "entry 1 is neither uniform nor live"},
        {hurt_state, "entry 492: page 1000 is in no known state"},
        {hurt_totals, "the totals are 19 used and "},
        {hurt_last_generation, "cannot have been reached"},
    };
    uint32_t page;
    struct bed b;
    size_t i;
    ps_err err;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hurt_disk(&b, cases[i].hurt);
        err = ps_map_next(&b.map, 0, 1u << PS_FREE, &page, NULL); /* goes to page 10's leaf */
        if (!err)
            err = ps_map_next(&b.map, 1000, 1u << PS_USED, &page, NULL);
        if (!err)
            err = ps_map_next(&b.map, 200000, 1u << PS_VIRGIN, &page, NULL);
        if (!err)
            err = ps_map_get(&b.map, 100000, &(struct ps_map_entry){0});
        assert_int_equal(err, PS_ERR_CORRUPT);
        assert_non_null(strstr(ps_message(), cases[i].says));
        bed_deinit(&b);
    }
}

static const char *hurt_counts_up_to_the_root(struct bed *b, uint32_t *at)
{
    struct ps_map_hdr *root = (struct ps_map_hdr *)disk_of(b, 3, 0, at);
    struct ps_map_inner_entry *entry = inner_at((uint8_t *)root, 0);

    root->used = entry->used = ps_put32(0);
    return "the table's pages are counted as 0 used";
}

static void counts_that_contradict_are_corruption_before_anything_changes(void **state)
{
    static const hurt_fn hurts[] = {hurt_count, hurt_counts_up_to_the_root};
    struct ps_group_env env;
    struct ps_group g;
    struct bed b;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(hurts) / sizeof(hurts[0]); i++) {
        hurt_disk(&b, hurts[i]);
        model_begin(b.pool, &g, &env, ps_map_set_frames(&b.map, 1000, 1), 1 << 20, 1);
        assert_int_equal(ps_map_prepare(&b.map, &g, 1000, 1, true), PS_ERR_CORRUPT);
        assert_non_null(strstr(ps_message(), "tables/7.map page "));
        assert_non_null(strstr(ps_message(), "parent's entry says "));
        model_end(&g);
        bed_deinit(&b);
    }
}

static void page_that_was_never_written_cannot_be_touched(void **state)
{
    struct ps_group_env env;
    struct ps_group g;
    struct bed b;

    (void)state;
    damage_bed(&b);
    model_begin(b.pool, &g, &env, 1, 0, 1);
    assert_int_equal(ps_map_prepare(&b.map, &g, 1005, 10, false), PS_ERR_CORRUPT);
    assert_non_null(strstr(ps_message(), "page 1010 changes, but was never written"));
    model_end(&g);
    bed_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_has_one_leaf_and_every_node_one_place),
        cmocka_unit_test(nodes_lie_depth_first_without_gaps),
        cmocka_unit_test(new_map_is_empty),
        cmocka_unit_test(nodes_have_their_documented_bytes),
        cmocka_unit_test(page_numbers_end_below_the_highest),
        cmocka_unit_test(random_changes_agree_with_flat_model),
        cmocka_unit_test(cut_at_the_seams_of_nodes),
        cmocka_unit_test(set_to_used_leaves_used_pages_as_they_are),
        cmocka_unit_test(node_that_begins_a_life_is_not_read_before),
        cmocka_unit_test(allocating_all_pages_costs_a_handful_of_map_pages),
        cmocka_unit_test(search_of_a_sparse_table_costs_its_height),
        cmocka_unit_test(search_for_a_free_page_skips_full_leaves),
        cmocka_unit_test(touch_alone_logs_no_bytes_after_the_image),
        cmocka_unit_test(redo_after_any_flushes_gives_the_same_bytes),
        cmocka_unit_test(redo_of_touch_leaves_newer_leaves_alone),
        cmocka_unit_test(redo_of_touch_without_a_leaf_is_corruption),
        cmocka_unit_test(walk_finds_each_kind_of_damage_once),
        cmocka_unit_test(walk_goes_on_behind_a_node_it_cannot_read),
        cmocka_unit_test(walk_ends_at_an_error_that_is_no_damage),
        cmocka_unit_test(lost_nodes_are_corruption_to_look_ups_and_changes),
        cmocka_unit_test(nodes_that_cannot_be_are_corruption_when_they_are_read),
        cmocka_unit_test(counts_that_contradict_are_corruption_before_anything_changes),
        cmocka_unit_test(page_that_was_never_written_cannot_be_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
