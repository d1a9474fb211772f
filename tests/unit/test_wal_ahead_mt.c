/* Reading the log ahead, by a thread, finds what reading it step by step finds, whatever there is
 * to find: on a simulated disk, of which each damage gets a copy of its own. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "format_test.h"
#include "sim_disk.h"
#include "wal_test.h"

#define SEGMENTS 9u
#define CUT_OFF (TEST_SEGMENT / 2)

struct ahead {
    struct sim_disk *disk;
    struct wal_fixture fix;
    uint64_t last_lsn;
};

static int set_up(void **state)
{
    struct ahead *a = calloc(1, sizeof(*a));
    uint64_t seed = 7, no;

    a->disk = sim_disk_new(1);
    wal_fixture_init(&a->fix, sim_disk_io(a->disk));
    wal_fixture_create(&a->fix);
    wal_fixture_open(&a->fix);
    for (no = 0; a->last_lsn < SEGMENTS * TEST_SEGMENT; no++) {
        size_t records = 1 + random_below(&seed, GROUP_RECORDS_MAX);

        a->last_lsn = append_group(a->fix.wal, 1, no, records, 50 + random_below(&seed, 2000));
        if (no % 3 == 0)
            assert_int_equal(ps_wal_flush(a->fix.wal, a->last_lsn, NULL), PS_OK);
    }
    assert_int_equal(ps_wal_flush(a->fix.wal, a->last_lsn, NULL), PS_OK);
    wal_fixture_close(&a->fix);
    *state = a;
    return 0;
}

static int tear_down(void **state)
{
    struct ahead *a = *state;

    wal_fixture_deinit(&a->fix);
    sim_disk_free(a->disk);
    free(a);
    return 0;
}

/* All that a reader tells. */
struct told {
    ps_err err;
    char message[400];
    uint64_t records, lsns; /* their number, and a sum over their LSNs */
    struct ps_wal_end end;
};

static struct told read_all(struct sim_disk *disk, uint64_t start_pos, uint64_t known_end,
                            bool ahead)
{
    struct ps_wal_reader_options opts = {
        .io = sim_disk_io(disk),
        .segment_size = TEST_SEGMENT,
        .store_tag = TEST_TAG,
        .start_pos = start_pos,
        .incarnation = 1,
        .known_end_lsn = known_end,
        .ahead = ahead,
    };
    struct ps_wal_reader *reader;
    struct ps_record rec;
    struct told told;

    memset(&told, 0, sizeof(told));
    assert_int_equal(ps_wal_reader_open(&opts, &reader), PS_OK);
    while ((told.err = ps_wal_reader_next(reader, &rec, &told.end)) == PS_OK) {
        told.records++;
        told.lsns = told.lsns * 31 + rec.lsn + rec.group_lsn;
    }
    snprintf(told.message, sizeof(told.message), "%s", ps_message());
    ps_wal_reader_close(reader);
    return told;
}

static struct told assert_same(struct sim_disk *disk, uint64_t start_pos, uint64_t known_end)
{
    const struct told plain = read_all(disk, start_pos, known_end, false);
    const struct told ahead = read_all(disk, start_pos, known_end, true);

    assert_int_equal(ahead.err, plain.err);
    assert_string_equal(ahead.message, plain.message);
    assert_int_equal(ahead.records, plain.records);
    assert_int_equal(ahead.lsns, plain.lsns);
    assert_int_equal(ahead.end.end_pos, plain.end.end_pos);
    assert_int_equal(ahead.end.last_lsn, plain.end.last_lsn);
    assert_string_equal(ahead.end.why, plain.end.why);
    return plain;
}

static void segment_name(uint64_t no, char name[32])
{
    snprintf(name, 32, "wal/%016" PRIx64, no);
}

static void whole_log_read_ahead_is_the_same(void **state)
{
    struct ahead *a = *state;
    struct told told = assert_same(a->disk, 0, 0);

    assert_int_equal(told.err, PS_ERR_NOENT);
    assert_int_equal(told.end.last_lsn, a->last_lsn);
    assert_true(told.records > 300);
    (void)assert_same(a->disk, 0, a->last_lsn);
}

static void damage_in_any_segment_is_told_the_same(void **state)
{
    struct ahead *a = *state;
    uint8_t zeros[PS_IO_ALIGN] = {0};
    char name[32];
    uint64_t no, off;

    for (no = 0; no <= SEGMENTS; no++) {
        struct sim_disk *disk = sim_disk_clone(a->disk);

        segment_name(no, name);
        for (off = 0; off < TEST_SEGMENT; off += PS_IO_ALIGN)
            if (no < SEGMENTS || off > 0)
                sim_disk_patch(disk, name, off, zeros, sizeof(zeros));
        assert_true(assert_same(disk, 0, 0).records < assert_same(a->disk, 0, 0).records);
        sim_disk_free(disk);
    }
}

static void short_or_missing_segment_is_told_the_same(void **state)
{
    struct ahead *a = *state;
    struct sim_disk *disk;
    struct ps_io_file *file;
    struct ps_io *io;
    char name[32];
    uint64_t no;

    for (no = 0; no < SEGMENTS; no++) {
        segment_name(no, name);
        disk = sim_disk_clone(a->disk);
        io = sim_disk_io(disk);
        assert_int_equal(io->ops->open(io, name, 0, &file), PS_OK);
        assert_int_equal(io->ops->truncate(file, CUT_OFF), PS_OK);
        ps_io_close(file);
        assert_int_equal(assert_same(disk, 0, 0).err, PS_ERR_CORRUPT);
        assert_int_equal(io->ops->unlink(io, name), PS_OK);
        assert_int_equal(assert_same(disk, 0, 0).err, PS_ERR_CORRUPT);
        sim_disk_free(disk);
    }
}

/* The read that fails may be one that nobody waits for yet. */
static void failed_read_is_told_where_its_bytes_are_needed(void **state)
{
    struct ahead *a = *state;
    struct told whole = read_all(a->disk, 0, 0, false);
    uint64_t nth;

    for (nth = 0; nth < SEGMENTS; nth++) {
        struct told told[2];
        unsigned ahead;

        for (ahead = 0; ahead < 2; ahead++) {
            struct sim_disk *disk = sim_disk_clone(a->disk);

            sim_disk_arm(disk, SIM_READ, nth, SIM_EIO);
            told[ahead] = read_all(disk, 0, 0, ahead);
            sim_disk_free(disk);
        }
        assert_int_equal(told[0].err, PS_ERR_IO);
        assert_int_equal(told[1].err, PS_ERR_IO);
        assert_string_equal(told[1].message, told[0].message);
        assert_int_equal(told[1].records, told[0].records);
        assert_int_equal(told[1].lsns, told[0].lsns);
        assert_true(told[0].records < whole.records);
    }
}

static void reader_can_be_closed_anywhere(void **state)
{
    struct ahead *a = *state;
    struct ps_wal_reader_options opts = {
        .io = sim_disk_io(a->disk),
        .segment_size = TEST_SEGMENT,
        .store_tag = TEST_TAG,
        .incarnation = 1,
        .ahead = true,
    };
    unsigned records, i;

    for (records = 0; records < 300; records += 50) {
        struct ps_wal_reader *reader;
        struct ps_wal_end end;
        struct ps_record rec;

        assert_int_equal(ps_wal_reader_open(&opts, &reader), PS_OK);
        for (i = 0; i < records; i++)
            assert_int_equal(ps_wal_reader_next(reader, &rec, &end), PS_OK);
        ps_wal_reader_close(reader);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_log_read_ahead_is_the_same),
        TEST(damage_in_any_segment_is_told_the_same),
        TEST(short_or_missing_segment_is_told_the_same),
        TEST(failed_read_is_told_where_its_bytes_are_needed),
        TEST(reader_can_be_closed_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
