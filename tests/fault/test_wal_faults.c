/* The log when the disk fails or is full: what is poisoned, what is not, and what callers hear. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format_test.h"
#include "seed.h"
#include "sim_disk.h"
#include "wal_test.h"

static struct sim_disk *disk;
static struct wal_fixture fix;

static int set_up(void **state)
{
    (void)state;
    disk = sim_disk_new(test_seed());
    wal_fixture_init(&fix, sim_disk_io(disk));
    wal_fixture_create(&fix);
    wal_fixture_open(&fix);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    wal_fixture_close(&fix);
    wal_fixture_deinit(&fix);
    sim_disk_free(disk);
    return 0;
}

static void see_no(void *ctx, const struct ps_record *rec)
{
    uint64_t who, no, *next = ctx;
    size_t index;

    test_group_check(rec, &who, &no, &index);
    assert_int_equal(no, *next);
    (*next)++;
}

/* The log in the files has groups 0 to count - 1, of one record each. */
static void assert_log_has(uint64_t count)
{
    struct ps_wal_end end;
    uint64_t next = 0;

    assert_int_equal(read_log(&fix, 0, 0, see_no, &next, &end), PS_ERR_NOENT);
    assert_int_equal(next, count);
}

static void assert_poisoned_after_failed_flush(ps_err expected)
{
    struct ps_wal_slot slot = {0};
    uint64_t durable = ps_wal_durable_lsn(fix.wal);
    bool made;

    assert_int_equal(ps_wal_writer_step(fix.wal), expected);
    assert_non_null(ps_poison_reason(&fix.poison));
    assert_non_null(strstr(ps_poison_reason(&fix.poison), "log flush"));
    assert_int_equal(ps_wal_durable_lsn(fix.wal), durable);
    /* From here on nobody tries again. */
    assert_int_equal(ps_wal_writer_step(fix.wal), PS_ERR_POISONED);
    assert_int_equal(ps_wal_reserve(fix.wal, 100, NULL, &slot), PS_ERR_POISONED);
    assert_int_equal(ps_wal_prepare_step(fix.wal, &made), PS_ERR_POISONED);
    assert_int_equal(ps_wal_recycle(fix.wal, 0), PS_ERR_POISONED);
    /* What is durable stays so. */
    assert_int_equal(ps_wal_flush(fix.wal, durable, NULL), PS_OK);
}

static void failed_write_poisons_and_is_not_retried(void **state)
{
    uint64_t writes;

    (void)state;
    append_group(fix.wal, 1, 0, 1, 100);
    assert_int_equal(ps_wal_writer_step(fix.wal), PS_OK);
    append_group(fix.wal, 1, 1, 1, 100);
    sim_disk_arm(disk, SIM_WRITE_DURABLE, 0, SIM_EIO);
    assert_poisoned_after_failed_flush(PS_ERR_IO);
    writes = sim_disk_op_count(disk);
    assert_int_equal(ps_wal_writer_step(fix.wal), PS_ERR_POISONED);
    assert_int_equal(sim_disk_op_count(disk), writes);
    assert_log_has(1);
}

static void failed_sync_poisons_and_acknowledges_nothing(void **state)
{
    uint64_t no;

    (void)state;
    for (no = 0; no < 8; no++) /* over two segments: written, then synced */
        append_group(fix.wal, 1, no, 1, 15000);
    sim_disk_arm(disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    assert_poisoned_after_failed_flush(PS_ERR_IO);
    assert_int_equal(ps_wal_durable_lsn(fix.wal), 0);
}

static void full_disk_refuses_reservations_and_poisons_nothing(void **state)
{
    struct ps_wal_slot slot = {0};
    uint64_t no = 0;
    ps_err err;

    (void)state;
    sim_disk_set_capacity(disk, 3 * TEST_SEGMENT + 64 * 1024);
    for (;;) {
        err = ps_wal_reserve(fix.wal, 9000, NULL, &slot);
        if (err)
            break;
        ps_wal_release(fix.wal, &slot);
        append_group(fix.wal, 1, no++, 1, 8000);
        assert_true(no < 100);
    }
    assert_int_equal(err, PS_ERR_NOSPC);
    assert_non_null(strstr(ps_message(), "making log segment wal/"));
    assert_null(ps_poison_reason(&fix.poison));
    assert_true(no > 8);

    /* What was appended has its place, checkpoints too; nothing half made is left behind. */
    assert_int_equal(ps_wal_writer_step(fix.wal), PS_OK);
    assert_log_has(no);
    assert_int_equal(ps_wal_reserve_urgent(fix.wal, 9000, NULL, &slot), PS_OK);
    ps_wal_release(fix.wal, &slot);
    assert_false(sim_disk_exists(disk, "wal/tmp.3"));

    sim_disk_set_capacity(disk, UINT64_MAX);
    append_group(fix.wal, 1, no++, 1, 8000);
    assert_int_equal(ps_wal_writer_step(fix.wal), PS_OK);
    assert_log_has(no);
}

static void segment_whose_sync_fails_poisons_the_one_who_needs_it(void **state)
{
    struct ps_wal_slot slot = {0};

    (void)state;
    sim_disk_arm(disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    assert_int_equal(ps_wal_reserve(fix.wal, 100, NULL, &slot), PS_ERR_IO);
    assert_int_equal(slot.bytes, 0);
    assert_non_null(strstr(ps_poison_reason(&fix.poison), "wal/0000000000000001"));
}

static void *fail_a_flush(void *ctx)
{
    (void)ctx;
    sim_disk_arm(disk, SIM_WRITE_DURABLE, 0, SIM_EIO);
    sim_disk_arm(disk, SIM_WRITE, 0, SIM_EIO);
    (void)!ps_wal_writer_step(fix.wal);
    return NULL;
}

static pthread_t flusher;

/* A writer at max_wal asks for a checkpoint; what it gets is a thread whose flush fails. */
static ps_err start_failing_flush(void *ctx)
{
    bool *asked = ctx;

    if (!*asked && pthread_create(&flusher, NULL, fail_a_flush, NULL) == 0)
        *asked = true;
    return PS_OK;
}

static void writer_waiting_for_log_leaves_when_a_flush_fails(void **state)
{
    struct ps_wal_slot slot = {0};
    bool asked = false;
    uint64_t no = 0;
    ps_err err;

    (void)state;
    wal_fixture_close(&fix);
    fix.opts.max_wal = 4 * TEST_SEGMENT;
    fix.opts.want_checkpoint = start_failing_flush;
    fix.opts.ctx = &asked;
    wal_fixture_open(&fix);
    while (ps_wal_tail_lsn(fix.wal) + 36000 < fix.opts.max_wal)
        append_group(fix.wal, 1, no++, 1, 1000);
    err = ps_wal_reserve(fix.wal, 20000, NULL, &slot);
    assert_true(asked);
    pthread_join(flusher, NULL);
    assert_int_equal(err, PS_ERR_POISONED);
}

static void recycling_that_fails_poisons(void **state)
{
    struct ps_record rec = {.rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT};
    struct ps_wal_slot slot = {0};
    uint64_t no, redo;

    (void)state;
    for (no = 0; no < 10; no++)
        append_group(fix.wal, 1, no, 1, 15000);
    assert_int_equal(ps_wal_reserve_urgent(fix.wal, ps_record_len(&rec), NULL, &slot), PS_OK);
    ps_wal_append_checkpoint(fix.wal, &slot, &rec, &redo);
    assert_int_equal(ps_wal_writer_step(fix.wal), PS_OK);
    sim_disk_arm(disk, SIM_SYNC_DIR, 0, SIM_EIO);
    assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_ERR_IO);
    assert_non_null(ps_poison_reason(&fix.poison));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failed_write_poisons_and_is_not_retried),
        TEST(failed_sync_poisons_and_acknowledges_nothing),
        TEST(full_disk_refuses_reservations_and_poisons_nothing),
        TEST(segment_whose_sync_fails_poisons_the_one_who_needs_it),
        TEST(writer_waiting_for_log_leaves_when_a_flush_fails),
        TEST(recycling_that_fails_poisons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
