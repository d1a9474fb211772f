/*
 * test_map_damage.c - nodes of the allocation map that are damaged or lost: the walk names them,
 * look-ups and changes refuse them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "map_check.h"

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
