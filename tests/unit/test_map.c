/*
 * test_map.c - the allocation map against a flat model: a list of runs of pages.
 *
 * The pool below it is map_model.h's, the flat model map_bed.h's. The random tests print their
 * seed; PS_SEED repeats one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "map_check.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
