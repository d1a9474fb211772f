/*
 * test_readahead_mt.c - pages that are loaded before a sequential reader asks for them, on a
 * simulated disk, by the store's own threads.
 */
#include <sched.h>

#include "base/mem.h"
#include "io/io.h"
#include "pool/pool.h"
#include "store_fixture.h"

#define PAGE 8192u
#define PAGES 400u
#define STEP 8u    /* pages of one read */
#define WINDOW 32u /* the pool of 4 MiB has 512 frames: a sixteenth of them */

static uint8_t bytes[STEP * PAGE];

/* Short segments of the log: each new one is written in full. */
static int set_up(void **state)
{
    return setup_with(state, PAGE, 1u << 20);
}

/* A table of PAGES pages, none of them in the pool, in a store that has threads. */
static struct ps_table *cold_table(struct fixture *f)
{
    struct ps_store_options opts;
    struct ps_table *t;

    close_store(f);
    sim_disk_use_real_clock(f->disk);
    options(f, &opts);
    opts.no_threads = false;
    ok(ps_store_open("sim", &opts, &f->store));
    t = make(f, "t", PS_FORMAT_NATIVE);
    for (uint32_t at = 0; at < PAGES; at += STEP) {
        for (uint32_t i = 0; i < STEP; i++)
            fill(bytes + i * PAGE, PAGE, at + i);
        ok(ps_write(t, PS_SPACE_IMAGE, (uint64_t)at * PAGE, bytes, sizeof(bytes), 0, NULL));
    }
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    (void)ps_pool_drop_clean(ps_store_pool(f->store));
    return t;
}

static void read_step(struct ps_table *t, uint32_t first)
{
    uint8_t want[PAGE];
    size_t got = 0;

    ok(ps_read(t, PS_SPACE_IMAGE, (uint64_t)first * PAGE, bytes, sizeof(bytes), NULL, &got));
    assert_int_equal(got, sizeof(bytes));
    for (uint32_t i = 0; i < STEP; i++) {
        fill(want, PAGE, first + i);
        assert_memory_equal(bytes + i * PAGE + 32, want + 32, PAGE - 32);
    }
}

static bool is_resident(struct ps_table *t, uint32_t page_no)
{
    const struct ps_tag tag = {.table = ps_table_id(t), .page = page_no};
    struct ps_frame_info info;

    return ps_pool_peek(ps_store_pool(ps_table_store(t)), &tag, &info);
}

/* Until somebody has loaded it; a test that waits in vain runs into its time limit. */
static void await_page(struct ps_table *t, uint32_t page_no)
{
    while (!is_resident(t, page_no))
        sched_yield();
}

static struct ps_pool_stats pool_stats(struct fixture *f)
{
    struct ps_pool_stats stats;

    ps_pool_get_stats(ps_store_pool(f->store), &stats);
    return stats;
}

static void take_corrupt(void *ctx, const struct ps_stat *stat)
{
    if (strcmp(stat->name, "corrupt_pages") == 0)
        *(uint64_t *)ctx = stat->value;
}

static uint64_t corrupt_pages(struct fixture *f)
{
    uint64_t count = UINT64_MAX;

    ps_store_stats(f->store, take_corrupt, &count);
    assert_true(count != UINT64_MAX);
    return count;
}

static void second_read_in_a_row_has_the_next_pages_loaded(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = cold_table(f);

    read_step(t, 0);
    assert_int_equal(pool_stats(f).pages_ahead, 0); /* one read is no pattern */
    read_step(t, STEP);
    for (uint32_t i = 0; i < WINDOW; i++)
        await_page(t, 2 * STEP + i);
    assert_false(is_resident(t, 2 * STEP + WINDOW));
    assert_int_equal(pool_stats(f).pages_ahead, WINDOW);
    for (uint32_t at = 2 * STEP; at < PAGES; at += STEP)
        read_step(t, at);
    await_page(t, PAGES - 1);
    ps_table_unref(t);
}

static void reading_ahead_is_nobodys_access(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = cold_table(f);
    uint64_t misses;

    read_step(t, 0);
    read_step(t, STEP);
    misses = pool_stats(f).misses;
    for (uint32_t i = 0; i < WINDOW; i++)
        await_page(t, 2 * STEP + i);
    read_step(t, 2 * STEP);
    assert_int_equal(pool_stats(f).misses, misses);
    ps_table_unref(t);
}

static void pages_copied_in_a_row_have_the_next_ones_loaded(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = cold_table(f);

    ok(ps_page_copy(t, 0, NULL, bytes));
    assert_int_equal(pool_stats(f).pages_ahead, 0);
    ok(ps_page_copy(t, 1, NULL, bytes));
    for (uint32_t i = 0; i < WINDOW; i++)
        await_page(t, 2 + i);
    assert_int_equal(pool_stats(f).pages_ahead, WINDOW);
    ps_table_unref(t);
}

static void scattered_reads_have_nothing_loaded(void **state)
{
    static const uint32_t places[] = {16, 200, 40, 320, 104, 0, 248, 80};
    struct fixture *f = *state;
    struct ps_table *t = cold_table(f);

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        read_step(t, places[i]);
    /* What is asked for is asked for by then; and what was not cannot be loaded later. */
    for (uint32_t i = 0; i < PAGES; i++) {
        bool read = false;

        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++)
            read |= i >= places[k] && i < places[k] + STEP;
        assert_int_equal(is_resident(t, i), read);
    }
    ps_table_unref(t);
}

static void damage(struct fixture *f, struct ps_table *t, uint32_t page_no)
{
    struct ps_io *io = sim_disk_io(f->disk);
    struct ps_io_file *file = NULL;
    uint8_t *block = ps_buf_alloc(PAGE);
    char path[64];

    snprintf(path, sizeof(path), "tables/%u.pages", ps_table_id(t));
    ok(io->ops->open(io, path, 0, &file));
    ok(ps_io_read(file, block, PAGE, (uint64_t)page_no * PAGE, NULL));
    block[PAGE / 2] ^= 1;
    ok(ps_io_write(file, block, PAGE, (uint64_t)page_no * PAGE));
    ps_io_close(file);
    ps_buf_free(block);
}

static void damaged_page_counts_when_it_is_read_not_before(void **state)
{
    const uint32_t bad = 2 * STEP + 5;
    struct fixture *f = *state;
    struct ps_table *t = cold_table(f);
    size_t got = 0;

    damage(f, t, bad);
    read_step(t, 0);
    read_step(t, STEP);
    for (uint32_t i = 0; i < WINDOW; i++)
        if (2 * STEP + i != bad)
            await_page(t, 2 * STEP + i);
    assert_false(is_resident(t, bad));
    assert_int_equal(corrupt_pages(f), 0);
    assert_int_equal(ps_read(t, PS_SPACE_IMAGE, (uint64_t)bad * PAGE, bytes, PAGE, NULL, &got),
                     PS_ERR_CORRUPT);
    assert_int_equal(corrupt_pages(f), 1);
    ps_table_unref(t);
}

static void store_is_closed_while_pages_are_being_loaded(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t;

    for (int round = 0; round < 3; round++) {
        char name[8];

        snprintf(name, sizeof(name), "r%d", round);
        t = cold_table(f);
        read_step(t, 0);
        read_step(t, STEP);
        ps_table_unref(t);
        ok(ps_table_rename(f->store, "t", name));
    }
}

static void reserving_in_passing_leaves_half_of_the_pool(void **state)
{
    struct fixture *f = *state;
    struct ps_pool *pool = ps_store_pool(f->store);
    uint32_t half = ps_pool_frames(pool) / 2;

    assert_false(ps_pool_try_reserve(pool, half + 1));
    assert_true(ps_pool_try_reserve(pool, half));
    assert_false(ps_pool_try_reserve(pool, 1));
    ok(ps_pool_reserve(pool, half, NULL)); /* for whoever waits, all is there */
    ps_pool_release(pool, 2 * half);
    assert_true(ps_pool_try_reserve(pool, 1));
    ps_pool_release(pool, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(second_read_in_a_row_has_the_next_pages_loaded, set_up,
                                        teardown),
        cmocka_unit_test_setup_teardown(pages_copied_in_a_row_have_the_next_ones_loaded, set_up,
                                        teardown),
        cmocka_unit_test_setup_teardown(reading_ahead_is_nobodys_access, set_up, teardown),
        cmocka_unit_test_setup_teardown(scattered_reads_have_nothing_loaded, set_up, teardown),
        cmocka_unit_test_setup_teardown(damaged_page_counts_when_it_is_read_not_before, set_up,
                                        teardown),
        cmocka_unit_test_setup_teardown(store_is_closed_while_pages_are_being_loaded, set_up,
                                        teardown),
        cmocka_unit_test_setup_teardown(reserving_in_passing_leaves_half_of_the_pool, set_up,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
