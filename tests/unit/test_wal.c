/* The log: appending groups, flushing them, reading them back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "format_test.h"
#include "seed.h"
#include "wal_bed.h"

static void flushed_groups_are_read_back(void **state)
{
    uint64_t lsn;

    (void)state;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 0, 3, 100);
    lsn = append_group(fix.wal, 1, 1, 1, 5000);
    assert_true(ps_wal_durable_lsn(fix.wal) < lsn);
    assert_int_equal(ps_wal_flush(fix.wal, lsn, NULL), PS_OK);
    assert_int_equal(ps_wal_durable_lsn(fix.wal), lsn);
    assert_log_has(2, lsn);
}

static void unflushed_groups_are_not_in_the_files(void **state)
{
    uint64_t lsn;

    (void)state;
    wal_fixture_open(&fix);
    lsn = append_group(fix.wal, 1, 0, 1, 100);
    flush_all();
    append_group(fix.wal, 1, 1, 1, 100);
    assert_log_has(1, lsn);
}

static void empty_log_ends_where_it_starts(void **state)
{
    struct ps_wal_end end;

    (void)state;
    assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_NOENT);
    assert_int_equal(end.end_pos, 0);
    assert_int_equal(end.last_lsn, 0);
    assert_string_equal(end.why, "wal/0000000000000000 byte 0: block header is zero");
}

/* Also where the buffer held other bytes before: it has been gone through more than once. */
static void bytes_between_the_records_and_the_next_block_are_zero(void **state)
{
    uint8_t *block = ps_buf_alloc(PS_IO_ALIGN);
    uint64_t no, lsn, end;
    struct ps_io_file *file;
    char name[32];

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 150; no++)
        append_group(fix.wal, 1, no, 1, 16000);
    flush_all();
    lsn = append_group(fix.wal, 1, no, 1, 100);
    flush_all();
    end = lsn % PS_IO_ALIGN;
    snprintf(name, sizeof(name), "wal/%016" PRIx64, lsn / TEST_SEGMENT);
    assert_int_equal(fix.io->ops->open(fix.io, name, 0, &file), PS_OK);
    assert_int_equal(ps_io_read(file, block, PS_IO_ALIGN, (lsn - end) % TEST_SEGMENT, NULL), PS_OK);
    ps_io_close(file);
    assert_true(lsn > 2 * 1024 * 1024 && end > 0);
    for (; end < PS_IO_ALIGN; end++)
        assert_int_equal(block[end], 0);
    ps_buf_free(block);
}

static void flush_beyond_the_tail_is_refused(void **state)
{
    uint64_t lsn;

    (void)state;
    wal_fixture_open(&fix);
    lsn = append_group(fix.wal, 1, 0, 1, 8);
    assert_int_equal(ps_wal_flush(fix.wal, lsn + 1, NULL), PS_ERR_RANGE);
    assert_int_equal(ps_wal_flush(fix.wal, lsn, NULL), PS_OK);
}

static void random_groups_fill_many_segments(void **state)
{
    uint64_t seed = test_seed(), no, lsn = 0;

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 600; no++) {
        size_t count = 1 + random_below(&seed, 4);
        uint32_t len = random_below(&seed, random_below(&seed, 4) == 0 ? 12000 : 300);

        lsn = append_group(fix.wal, 1, no, count, len);
        if (random_below(&seed, 5) == 0)
            flush_all();
    }
    flush_all();
    assert_true(lsn > 10 * TEST_SEGMENT);
    assert_log_has(600, lsn);
}

/* Every length around what is left of a segment, so that each way of filling it is taken. */
static void groups_of_any_length_fit_around_a_segment_end(void **state)
{
    uint64_t no = 0, lsn = 0, left;
    int slack;

    (void)state;
    wal_fixture_open(&fix);
    for (slack = -160; slack <= 160; slack += 8) {
        left = TEST_SEGMENT - ps_wal_tail_lsn(fix.wal) % TEST_SEGMENT;
        if (left < 12000) {
            lsn = append_group(fix.wal, 1, no++, 1, 16000);
            left = TEST_SEGMENT - ps_wal_tail_lsn(fix.wal) % TEST_SEGMENT;
        }
        while (left > 16000) {
            lsn = append_group(fix.wal, 1, no++, 1, 4000);
            left = TEST_SEGMENT - ps_wal_tail_lsn(fix.wal) % TEST_SEGMENT;
        }
        lsn = append_group(fix.wal, 1, no++, 1, (uint32_t)((int64_t)left - 96 + slack));
        if (slack % 16 == 0)
            flush_all();
    }
    flush_all();
    assert_log_has(no, lsn);
}

static void longest_group_is_taken_and_a_longer_one_refused(void **state)
{
    uint64_t max, lsn;
    struct ps_wal_slot slot = {0};

    (void)state;
    wal_fixture_open(&fix);
    max = ps_wal_group_max(fix.wal);
    assert_int_equal(max, TEST_SEGMENT - PS_WAL_BLOCK_HDR_LEN);
    append_group(fix.wal, 1, 0, 1, 8);
    lsn = append_group(fix.wal, 1, 1, 1, (uint32_t)(max - 96));
    flush_all();
    assert_int_equal(ps_wal_reserve(fix.wal, max + 1, NULL, &slot), PS_ERR_RANGE);
    assert_log_has(2, lsn);
}

/* Positions of the first and the last record of a group lie in one block: there is no block
 * header between them, for which their distance would have to grow. */
static void group_never_crosses_a_block(void **state)
{
    uint64_t seed = test_seed(), no;
    struct ps_wal_slot slot = {0};
    struct test_group g;
    size_t i;

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 100; no++) {
        test_group_make(&g, 1, no, 1 + random_below(&seed, 8), random_below(&seed, 6000));
        assert_int_equal(ps_wal_reserve(fix.wal, test_group_len(&g), NULL, &slot), PS_OK);
        assert_true(ps_wal_append(fix.wal, &slot, g.recs, g.count, 0));
        for (i = 1; i < g.count; i++)
            assert_int_equal(g.recs[i].pos, g.recs[i - 1].lsn);
        assert_int_equal(g.recs[0].pos / TEST_SEGMENT,
                         (g.recs[g.count - 1].lsn - 1) / TEST_SEGMENT);
        test_group_free(&g);
    }
    flush_all();
    assert_log_has(100, ps_wal_tail_lsn(fix.wal));
}

static void records_of_one_transaction_in_a_group_are_linked(void **state)
{
    struct ps_wal_slot slot = {0};
    struct test_group g;

    (void)state;
    wal_fixture_open(&fix);
    test_group_make(&g, 1, 0, 3, 10);
    g.recs[0].txn = g.recs[1].txn = 7;
    g.recs[0].txn_prev = 4096;
    assert_int_equal(ps_wal_reserve(fix.wal, test_group_len(&g), NULL, &slot), PS_OK);
    assert_true(ps_wal_append(fix.wal, &slot, g.recs, g.count, 0));
    assert_int_equal(g.recs[0].txn_prev, 4096);
    assert_int_equal(g.recs[1].txn_prev, g.recs[0].pos);
    assert_int_equal(g.recs[2].txn_prev, 0);
    assert_int_equal(g.recs[0].group_lsn, g.recs[2].lsn);
    test_group_free(&g);
}

/* --- reading single records ---------------------------------------------------------------- */

static void read_at_finds_records_in_ring_and_files(void **state)
{
    uint64_t pos[64], no, who, got_no;
    uint8_t *buf = NULL;
    size_t buf_len = 0, index;
    struct ps_record rec;

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 64; no++) {
        struct ps_wal_slot slot = {0};
        struct test_group g;

        test_group_make(&g, 1, no, 1, (uint32_t)(no * no * 4));
        assert_int_equal(ps_wal_reserve(fix.wal, test_group_len(&g), NULL, &slot), PS_OK);
        assert_true(ps_wal_append(fix.wal, &slot, g.recs, 1, 0));
        pos[no] = g.recs[0].pos;
        test_group_free(&g);
        if (no == 40)
            flush_all();
    }
    for (no = 0; no < 64; no++) {
        assert_int_equal(ps_wal_read_at(fix.wal, pos[no], &buf, &buf_len, &rec), PS_OK);
        test_group_check(&rec, &who, &got_no, &index);
        assert_int_equal(got_no, no);
        assert_int_equal(rec.pos, pos[no]);
    }
    assert_int_equal(ps_wal_read_at(fix.wal, ps_wal_tail_lsn(fix.wal), &buf, &buf_len, &rec),
                     PS_ERR_RANGE);
    assert_int_equal(ps_wal_read_at(fix.wal, pos[30] + 8, &buf, &buf_len, &rec), PS_ERR_CORRUPT);
    assert_int_equal(ps_wal_read_at(fix.wal, pos[60] + 8, &buf, &buf_len, &rec), PS_ERR_CORRUPT);
    assert_int_equal(ps_wal_read_at(fix.wal, pos[30] + 1, &buf, &buf_len, &rec), PS_ERR_RANGE);
    free(buf);
}

/* --- options ------------------------------------------------------------------------------- */

static void senseless_options_are_refused(void **state)
{
    struct ps_wal_options good = fix.opts, o;
    struct ps_wal *wal;

    (void)state;
    o = good;
    o.segment_size = 32768;
    assert_int_equal(ps_wal_open(&o, &wal), PS_ERR_INVAL);
    o = good;
    o.segment_size = 65536 + 4096;
    assert_int_equal(ps_wal_open(&o, &wal), PS_ERR_INVAL);
    o = good;
    o.max_wal = 3 * TEST_SEGMENT;
    assert_int_equal(ps_wal_open(&o, &wal), PS_ERR_INVAL);
    assert_string_equal(ps_message(), "max_wal is 196608 bytes; it must be at least 262144, four "
                                      "log segments");
    o = good;
    o.end_pos = 100;
    assert_int_equal(ps_wal_open(&o, &wal), PS_ERR_INVAL);
    o = good;
    o.redo_lsn = 4096;
    assert_int_equal(ps_wal_open(&o, &wal), PS_ERR_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(flushed_groups_are_read_back),
        TEST(unflushed_groups_are_not_in_the_files),
        TEST(empty_log_ends_where_it_starts),
        TEST(bytes_between_the_records_and_the_next_block_are_zero),
        TEST(flush_beyond_the_tail_is_refused),
        TEST(random_groups_fill_many_segments),
        TEST(groups_of_any_length_fit_around_a_segment_end),
        TEST(longest_group_is_taken_and_a_longer_one_refused),
        TEST(group_never_crosses_a_block),
        TEST(records_of_one_transaction_in_a_group_are_linked),
        TEST(read_at_finds_records_in_ring_and_files),
        TEST(senseless_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
