/*
 * test_store_heat.c - the picture of a table tells what is accessed, resident, dirty, free,
 * damaged.
 */
#include "store_fixture.h"

#include "pool/pool.h"

#define PAGE 8192u

static struct ps_heat heat;
static uint8_t page_buf[PAGE];

static void look(struct ps_table *t)
{
    ok(ps_table_heat(t, NULL, &heat));
}

static void write_page(struct ps_table *t, uint32_t page_no)
{
    ok(ps_write(t, PS_SPACE_IMAGE, (uint64_t)page_no * PAGE, page_buf, PAGE, 0, NULL));
}

static void read_pages(struct ps_table *t, uint32_t page_no, uint32_t times)
{
    size_t len = 0;

    for (uint32_t i = 0; i < times; i++)
        ok(ps_read(t, PS_SPACE_IMAGE, (uint64_t)page_no * PAGE, page_buf, PAGE, NULL, &len));
}

/* All that can go goes from the pool. */
static void evict_all(struct fixture *f)
{
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    (void)ps_pool_drop_clean(ps_store_pool(f->store));
}

static void an_empty_table_has_no_cells(void **state)
{
    struct ps_table *t = make(*state, "t", PS_FORMAT_NATIVE);

    look(t);
    assert_int_equal(heat.cell_count, 0);
    assert_int_equal(heat.total.pages, 0);
    ps_table_unref(t);
}

static void each_page_of_a_short_table_has_its_cell(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    for (uint32_t i = 0; i < 10; i++)
        write_page(t, i);
    ok(ps_page_free(t, 4, NULL));
    evict_all(f);
    write_page(t, 7);
    look(t);
    assert_int_equal(heat.cell_pages, 1);
    assert_int_equal(heat.cell_count, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(heat.cells[i].pages, 1);
        assert_int_equal(heat.cells[i].allocated, i != 4);
        assert_int_equal(heat.cells[i].resident, i == 7);
        assert_int_equal(heat.cells[i].dirty, i == 7);
        assert_int_equal(heat.cells[i].corrupt, 0);
    }
    assert_int_equal(heat.total.allocated, 9);
    assert_int_equal(heat.total.resident, 1);
    ps_table_unref(t);
}

static void accesses_count_in_the_pool_and_after_it(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint64_t before;

    for (uint32_t i = 0; i < 4; i++)
        write_page(t, i);
    look(t);
    before = heat.cells[2].accesses;
    read_pages(t, 2, 100);
    look(t);
    assert_int_equal(heat.cells[2].accesses, before + 100);
    assert_int_equal(heat.cells[1].accesses, before);
    evict_all(f);
    look(t);
    assert_int_equal(heat.cells[2].resident, 0);
    assert_int_equal(heat.cells[2].accesses, before + 100);
    read_pages(t, 2, 5);
    look(t);
    assert_int_equal(heat.cells[2].accesses, before + 105);
    ps_table_unref(t);
}

static void accesses_count_half_after_each_half_life(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint64_t before;

    write_page(t, 0);
    write_page(t, 1);
    read_pages(t, 0, 1000);
    evict_all(f); /* page 0 is remembered by its cell, page 1 by its frame */
    read_pages(t, 1, 1000);
    look(t);
    before = heat.cells[0].accesses;
    sim_disk_advance_us(f->disk, 3ull * PS_HEAT_HALF_LIFE_US);
    look(t);
    assert_int_equal(heat.cells[0].accesses, before / 8);
    assert_in_range(heat.cells[1].accesses, 1000 / 8, 1010 / 8);
    sim_disk_advance_us(f->disk, 100ull * PS_HEAT_HALF_LIFE_US);
    look(t);
    assert_int_equal(heat.total.accesses, 0);
    ps_table_unref(t);
}

static void cells_of_a_long_table_stand_for_equally_many_pages(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    ok(ps_truncate(t, PS_SPACE_IMAGE, 10000ull * PAGE, NULL)); /* three pages a cell are too few */
    write_page(t, 9999);
    look(t);
    assert_int_equal(heat.cell_pages, 4);
    assert_int_equal(heat.cell_count, 2500);
    assert_int_equal(heat.total.pages, 10000);
    assert_int_equal(heat.total.allocated, 10000);
    assert_true(heat.cells[2499].accesses > 0 && heat.cells[2498].accesses == 0);
    ok(ps_truncate(t, PS_SPACE_IMAGE, 3001ull * 4096 * PAGE, NULL));
    look(t);
    assert_int_equal(heat.cell_pages, 4096);
    assert_int_equal(heat.cell_count, 3001);
    assert_int_equal(heat.cells[3000].allocated, 4096);
    ps_table_unref(t);
}

static void a_table_that_grows_keeps_its_accesses(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint64_t before;

    write_page(t, 5);
    read_pages(t, 5, 64);
    evict_all(f);
    look(t);
    before = heat.cells[5].accesses;
    write_page(t, 9000);
    evict_all(f);
    look(t);
    assert_int_equal(heat.cell_pages, 4);
    assert_int_equal(heat.cells[1].accesses, before);
    ok(ps_truncate(t, PS_SPACE_IMAGE, 16ull * PAGE, NULL));
    look(t);
    assert_int_equal(heat.cell_pages, 1); /* what was counted for four pages is spread over them */
    for (uint32_t i = 4; i < 8; i++)
        assert_int_equal(heat.cells[i].accesses, before / 4);
    ps_table_unref(t);
}

static void a_damaged_page_is_marked_until_it_is_written(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    size_t len = 0;

    for (uint32_t i = 0; i < 3; i++)
        write_page(t, i);
    evict_all(f);
    sim_disk_flip(f->disk, "tables/2.pages", PAGE + 100, 3);
    look(t);
    assert_int_equal(heat.total.corrupt, 0); /* nobody has seen it yet */
    assert_int_equal(ps_read(t, PS_SPACE_IMAGE, PAGE, page_buf, PAGE, NULL, &len), PS_ERR_CORRUPT);
    assert_int_equal(ps_read(t, PS_SPACE_IMAGE, PAGE, page_buf, PAGE, NULL, &len), PS_ERR_CORRUPT);
    look(t);
    assert_int_equal(heat.cells[1].corrupt, 1);
    assert_int_equal(heat.total.corrupt, 1);
    write_page(t, 1);
    look(t);
    assert_int_equal(heat.total.corrupt, 0);
    evict_all(f);
    look(t);
    assert_int_equal(heat.total.corrupt, 0);
    ps_table_unref(t);
}

static void the_last_damaged_pages_are_marked_where_there_are_many(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    size_t len = 0;

    for (uint32_t i = 0; i < PS_DAMAGED_MAX + 2; i++)
        write_page(t, i);
    evict_all(f);
    for (uint32_t i = 0; i < PS_DAMAGED_MAX + 2; i++) {
        uint64_t off = (uint64_t)i * PAGE;

        sim_disk_flip(f->disk, "tables/2.pages", off + 100, 3);
        assert_int_equal(ps_read(t, PS_SPACE_IMAGE, off, page_buf, PAGE, NULL, &len),
                         PS_ERR_CORRUPT);
    }
    look(t);
    assert_int_equal(heat.total.corrupt, PS_DAMAGED_MAX);
    assert_int_equal(heat.cells[0].corrupt + heat.cells[1].corrupt, 0);
    assert_int_equal(heat.cells[PS_DAMAGED_MAX + 1].corrupt, 1);
    ps_table_unref(t);
}

static void counters_tell_who_had_to_write_a_victim(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct ps_pool_stats p;
    uint32_t frames = ps_pool_frames(ps_store_pool(f->store));

    for (uint32_t i = 0; i < 2 * frames; i++)
        write_page(t, i);
    ps_pool_get_stats(ps_store_pool(f->store), &p);
    assert_true(p.victim_writes > 0 && p.victim_writes <= p.pages_written);
    assert_true(p.dirty_evictions <= p.evictions);
    assert_true(p.sweep_frames >= p.evictions);
    ps_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_table_has_no_cells, setup, teardown),
        cmocka_unit_test_setup_teardown(each_page_of_a_short_table_has_its_cell, setup, teardown),
        cmocka_unit_test_setup_teardown(accesses_count_in_the_pool_and_after_it, setup, teardown),
        cmocka_unit_test_setup_teardown(accesses_count_half_after_each_half_life, setup, teardown),
        cmocka_unit_test_setup_teardown(cells_of_a_long_table_stand_for_equally_many_pages, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_table_that_grows_keeps_its_accesses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_page_is_marked_until_it_is_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_last_damaged_pages_are_marked_where_there_are_many,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(counters_tell_who_had_to_write_a_victim, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
