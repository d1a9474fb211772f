/* The map of a table without a tree, against asking page by page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/map.h"

#define PAGES 9u /* that are looked at */

static struct ps_map_solid solid;
static struct ps_map map;

static void shape(uint64_t first, uint64_t end)
{
    solid.first = first;
    solid.end = end;
    solid.mtime_us = 7;
    ps_map_init(&map, NULL, 0, 1, 8192);
    map.solid = &solid;
}

static bool wanted(uint64_t page, unsigned states)
{
    return states >> (page >= solid.first && page < solid.end ? PS_USED : PS_FREE) & 1;
}

static void check_next(uint32_t from, unsigned states)
{
    struct ps_map_entry entry;
    uint32_t expected = from, found = 0;

    while (expected < 2 * PAGES && !wanted(expected, states))
        expected++;
    if (expected == 2 * PAGES) {
        assert_int_equal(ps_map_next(&map, from, states, &found, &entry), PS_ERR_NOENT);
        return;
    }
    assert_int_equal(ps_map_next(&map, from, states, &found, &entry), PS_OK);
    assert_int_equal(found, expected);
    assert_true(states >> entry.state & 1);
}

static void check_prev(uint32_t from, unsigned states)
{
    struct ps_map_entry entry;
    int64_t expected = from;
    uint32_t found = 0;

    while (expected >= 0 && !wanted((uint64_t)expected, states))
        expected--;
    if (expected < 0) {
        assert_int_equal(ps_map_prev(&map, from, states, &found, &entry), PS_ERR_NOENT);
        return;
    }
    assert_int_equal(ps_map_prev(&map, from, states, &found, &entry), PS_OK);
    assert_int_equal(found, expected);
    assert_true(states >> entry.state & 1);
}

static void every_search_finds_what_asking_each_page_would(void **state)
{
    (void)state;
    for (uint64_t first = 0; first < PAGES; first++)
        for (uint64_t end = first; end <= PAGES; end++)
            for (uint32_t from = 0; from < 2 * PAGES; from++)
                for (unsigned states = 0; states < 16; states++) {
                    shape(first, end);
                    check_next(from, states);
                    check_prev(from, states);
                }
}

static void pages_between_first_and_end_are_used(void **state)
{
    struct ps_map_entry entries[PAGES];

    (void)state;
    shape(2, 5);
    assert_int_equal(ps_map_get_range(&map, 0, PAGES, entries), PS_OK);
    for (uint32_t i = 0; i < PAGES; i++) {
        assert_int_equal(entries[i].state, i >= 2 && i < 5 ? PS_USED : PS_FREE);
        assert_int_equal(entries[i].mtime_us, i >= 2 && i < 5 ? 7 : 0);
    }
}

static void counts_are_of_the_pages_that_are_there(void **state)
{
    struct ps_map_summary sum;

    (void)state;
    shape(2, 5);
    assert_int_equal(ps_map_summary(&map, &sum), PS_OK);
    assert_int_equal(sum.end, 5);
    assert_int_equal(sum.used, 3);
    assert_int_equal(sum.free, 2);
    shape(4, 4);
    assert_int_equal(ps_map_summary(&map, &sum), PS_OK);
    assert_int_equal(sum.end, 0);
    assert_int_equal(sum.used, 0);
    assert_int_equal(sum.free, 0);
}

static void the_last_page_number_that_can_be_is_found(void **state)
{
    uint32_t page = 0;

    (void)state;
    shape(0, PS_MAP_PAGES_MAX);
    assert_int_equal(ps_map_prev(&map, PS_MAP_PAGES_MAX - 1, 1u << PS_USED, &page, NULL), PS_OK);
    assert_int_equal(page, PS_MAP_PAGES_MAX - 1);
    assert_int_equal(ps_map_next(&map, 5, 1u << PS_FREE, &page, NULL), PS_ERR_NOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_search_finds_what_asking_each_page_would),
        cmocka_unit_test(pages_between_first_and_end_are_used),
        cmocka_unit_test(counts_are_of_the_pages_that_are_there),
        cmocka_unit_test(the_last_page_number_that_can_be_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
