/* Recovery with the help of threads leaves what recovery without them leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"
#include "format_test.h"
#include "pagestore/table.h"
#include "sim_disk.h"

#define PAGE 4096u
#define PAGES 1500u /* more than the small pool holds */

static struct ps_store *open_store(struct sim_disk *disk, uint64_t pool_bytes, bool threads)
{
    struct ps_store_options opts;
    struct ps_store *s = NULL;

    if (threads)
        sim_disk_use_real_clock(disk);
    ps_store_options_default(&opts);
    opts.io_given = sim_disk_io(disk);
    opts.pool_bytes = pool_bytes;
    opts.no_threads = !threads;
    ok(ps_store_open("sim", &opts, &s));
    return s;
}

/* Images of all pages in an order that is none, then small changes of some; none of it written. */
static void change_pages(struct ps_store *s, struct ps_table *t)
{
    uint8_t page[PAGE];
    uint64_t seed = 11;
    uint32_t i;

    for (i = 0; i < PAGES; i++) {
        memset(page, (int)(i % 251), sizeof(page));
        ok(ps_write(t, PS_SPACE_IMAGE, (uint64_t)(i * 7 % PAGES) * PAGE, page, PAGE, 0, NULL));
    }
    for (i = 0; i < PAGES; i++) {
        uint64_t off = random_below(&seed, PAGES) * (uint64_t)PAGE + 64;

        ok(ps_write(t, PS_SPACE_IMAGE, off + random_below(&seed, 4000), &i, sizeof(i), 0, NULL));
    }
    ok(ps_store_sync(s, PS_SYNC_LOG));
}

static struct sim_disk *crashed_disk(void)
{
    struct sim_disk *disk = sim_disk_new(3);
    const struct ps_init_options init = {.page_size = PAGE, .io_given = sim_disk_io(disk)};
    static const uint8_t zeros[PAGE];
    struct ps_table *t = NULL;
    struct ps_store *s;
    uint32_t i;

    ok(ps_store_init("sim", &init));
    s = open_store(disk, 16u << 20, false);
    ok(ps_table_create(s, "t", PS_FORMAT_NATIVE, PS_PAGE_RAW, &t));
    for (i = 0; i < PAGES; i++)
        ok(ps_write(t, PS_SPACE_IMAGE, (uint64_t)i * PAGE, zeros, PAGE, 0, NULL));
    ok(ps_store_checkpoint(s, NULL));
    change_pages(s, t);
    ps_table_unref(t);
    ps_store_abandon(s);
    sim_disk_crash(disk, SIM_CRASH_DROP, 1);
    return disk;
}

static void take(void *ctx, const struct ps_stat *stat)
{
    uint64_t *counts = ctx;

    if (strcmp(stat->name, "recovery_images") == 0)
        counts[0] = stat->value;
    if (strcmp(stat->name, "recovery_changes") == 0)
        counts[1] = stat->value;
    if (strcmp(stat->name, "recovery_log_bytes") == 0)
        counts[2] = stat->value;
    if (strcmp(stat->name, "pool_cleaner_pages") == 0)
        counts[3] = stat->value;
}

/* Recovers a copy of the disk and reads the whole table; returns what the pages hold. */
static uint8_t *recovered_bytes(struct sim_disk *crashed, uint64_t pool_bytes, bool threads,
                                uint64_t counts[4])
{
    struct sim_disk *disk = sim_disk_clone(crashed);
    uint8_t *bytes = malloc((size_t)PAGES * PAGE);
    struct ps_store *s = open_store(disk, pool_bytes, threads);
    struct ps_table *t = NULL;
    size_t got = 0;
    uint32_t i;

    assert_non_null(bytes);
    ps_store_stats(s, take, counts);
    ok(ps_table_lookup(s, "t", &t));
    for (i = 0; i < PAGES; i++) {
        ok(ps_read(t, PS_SPACE_IMAGE, (uint64_t)i * PAGE, bytes + (size_t)i * PAGE, PAGE, NULL,
                   &got));
        assert_int_equal(got, PAGE);
    }
    ps_table_unref(t);
    ok(ps_store_close(s));
    sim_disk_free(disk);
    return bytes;
}

static void recovery_with_threads_leaves_what_one_without_leaves(void **state)
{
    static const uint64_t pools[] = {4u << 20, 16u << 20};
    struct sim_disk *disk = crashed_disk();
    unsigned i;

    (void)state;
    for (i = 0; i < 2; i++) {
        uint64_t plain_counts[4] = {0}, counts[4] = {0};
        uint8_t *plain = recovered_bytes(disk, pools[i], false, plain_counts);
        uint8_t *bytes = recovered_bytes(disk, pools[i], true, counts);

        assert_memory_equal(bytes, plain, (size_t)PAGES * PAGE);
        assert_memory_equal(counts, plain_counts, 3 * sizeof(counts[0]));
        assert_true(counts[0] >= PAGES && counts[1] > 0 && counts[2] > (uint64_t)PAGES * PAGE);
        /* Only a pool that is too small writes before the end. */
        assert_true((plain_counts[3] > 0) == (i == 0));
        assert_int_equal(plain[7 * PAGE + 60], 1);
        free(plain);
        free(bytes);
    }
    sim_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recovery_with_threads_leaves_what_one_without_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
