/* The log's segments: checkpoints let go of them, opening sorts them out, and what of an earlier
 * life is still in them does not count. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wal_bed.h"

/* --- checkpoints --------------------------------------------------------------------------- */

static void checkpoint_record_starts_a_block_that_reading_can_start_at(void **state)
{
    uint64_t redo;
    struct ps_wal_end end;

    (void)state;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 0, 2, 100);
    redo = append_checkpoint();
    assert_true(redo > 0);
    append_group(fix.wal, 1, 1, 2, 100);
    flush_all();
    assert_log_has(2, ps_wal_tail_lsn(fix.wal));
    assert_int_equal(read_log(&fix, redo, 0, NULL, NULL, &end), PS_ERR_NOENT);
    assert_int_equal(end.last_lsn, ps_wal_tail_lsn(fix.wal));
}

static void append_refuses_a_redo_point_that_has_moved(void **state)
{
    struct ps_wal_slot slot = {0};
    struct test_group g;
    uint64_t seen, tail;

    (void)state;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 0, 1, 8);
    test_group_make(&g, 1, 1, 1, 8);
    assert_int_equal(ps_wal_reserve(fix.wal, test_group_len(&g), NULL, &slot), PS_OK);
    seen = ps_wal_redo_lsn(fix.wal);
    append_checkpoint();
    tail = ps_wal_tail_lsn(fix.wal);
    assert_false(ps_wal_append(fix.wal, &slot, g.recs, 1, seen));
    assert_int_equal(ps_wal_tail_lsn(fix.wal), tail);
    assert_int_not_equal(slot.bytes, 0);
    assert_true(ps_wal_append(fix.wal, &slot, g.recs, 1, ps_wal_redo_lsn(fix.wal)));
    assert_int_equal(slot.bytes, 0);
    test_group_free(&g);
}

/* --- recycling ----------------------------------------------------------------------------- */

/* Names of the files in wal/, as bits: segment i is bit i; others fail. */
static uint64_t segments_there(void)
{
    uint64_t bits = 0;
    char path[300];
    struct dirent *entry;
    DIR *d;

    snprintf(path, sizeof(path), "%s/wal", dir);
    d = opendir(path);
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(strlen(entry->d_name), 16);
        bits |= UINT64_C(1) << strtoull(entry->d_name, NULL, 16);
    }
    closedir(d);
    return bits;
}

static void recycled_segments_are_kept_up_to_max_wal_and_the_surplus_goes_at_open(void **state)
{
    struct ps_wal_stats stats;
    uint64_t no = 0, redo, there;

    (void)state;
    fix.opts.max_wal = 16 * TEST_SEGMENT;
    wal_fixture_open(&fix);
    fill_segments(&no, 12);
    redo = append_checkpoint();
    flush_all();
    assert_int_equal(redo / TEST_SEGMENT, 12);
    assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_OK);
    assert_int_equal(ps_wal_log_start_lsn(fix.wal), redo);
    there = segments_there();
    assert_int_equal(there, UINT64_C(0x3fff) << 12); /* none is lost */
    ps_wal_get_stats(fix.wal, &stats);
    assert_int_equal(stats.segments_recycled, 12);

    append_group(fix.wal, 1, no++, 1, 8);
    fill_segments(&no, 18);
    ps_wal_get_stats(fix.wal, &stats);
    assert_int_equal(stats.segments_made, 13);

    fix.opts.max_wal = 8 * TEST_SEGMENT;
    fix.opts.last_lsn = ps_wal_tail_lsn(fix.wal);
    fix.opts.end_pos = (fix.opts.last_lsn + PS_IO_ALIGN - 1) / PS_IO_ALIGN * PS_IO_ALIGN;
    fix.opts.redo_lsn = redo;
    fix.opts.log_start_lsn = redo;
    wal_fixture_close(&fix);
    wal_fixture_open(&fix);
    assert_int_equal(segments_there(), UINT64_C(0x7ff) << 12);
}

static void log_that_comes_to_max_wal_again_and_again_makes_no_more_segments(void **state)
{
    struct ps_wal_stats stats;
    uint64_t no = 0, made = 0, redo;
    bool prepared;
    int round;

    (void)state;
    fix.opts.max_wal = 16 * TEST_SEGMENT;
    wal_fixture_open(&fix);
    for (round = 0; round < 6; round++) {
        redo = append_checkpoint();
        flush_all();
        assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_OK);
        while (ps_wal_tail_lsn(fix.wal) + 24000 < redo + fix.opts.max_wal) {
            append_group(fix.wal, 1, no++, 1, 8000);
            assert_int_equal(ps_wal_prepare_step(fix.wal, &prepared), PS_OK);
        }
        ps_wal_get_stats(fix.wal, &stats);
        assert_true(round < 2 || stats.segments_made == made);
        made = stats.segments_made;
    }
}

static void oldest_position_is_that_of_the_first_segment_file(void **state)
{
    uint64_t no = 0, redo, pos = 99;

    (void)state;
    assert_int_equal(ps_wal_oldest_pos(fix.io, TEST_SEGMENT, &pos), PS_OK);
    assert_int_equal(pos, 0);
    wal_fixture_open(&fix);
    fill_segments(&no, 3);
    redo = append_checkpoint();
    flush_all();
    assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_OK);
    assert_int_equal(ps_wal_oldest_pos(fix.io, TEST_SEGMENT, &pos), PS_OK);
    assert_int_equal(pos, 3 * TEST_SEGMENT);
}

/* --- stale blocks -------------------------------------------------------------------------- */

static uint64_t first_no;

static void see_from_first(void *ctx, const struct ps_record *rec)
{
    struct seen *seen = ctx;

    if (seen->last_lsn == 0) {
        seen->last_lsn = rec->prev;
        seen->next_no = first_no;
    }
    see(seen, rec);
}

static void stale_bytes_of_recycled_segments_do_not_count(void **state)
{
    uint64_t no = 0, redo = 0, round;
    struct ps_wal_end end;

    (void)state;
    wal_fixture_open(&fix);
    for (round = 1; round <= 5; round++) {
        struct seen seen = {0};

        fill_segments(&no, 6 * round);
        redo = append_checkpoint();
        first_no = no;
        append_group(fix.wal, 1, no++, 1, 100);
        flush_all();
        assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_OK);
        assert_int_equal(read_log(&fix, redo, 0, see_from_first, &seen, &end), PS_ERR_NOENT);
        assert_int_equal(seen.next_no, no);
        assert_int_equal(end.last_lsn, ps_wal_tail_lsn(fix.wal));
    }
}

static void reopened_log_goes_on_behind_its_end(void **state)
{
    struct ps_wal_end end;
    uint64_t no = 0, round;

    (void)state;
    for (round = 1; round <= 8; round++) {
        wal_fixture_open(&fix);
        append_group(fix.wal, 1, no++, 2, 9000);
        append_group(fix.wal, 1, no++, 2, 3000);
        flush_all();
        wal_fixture_close(&fix);
        assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_NOENT);
        fix.opts.end_pos = end.end_pos;
        fix.opts.last_lsn = end.last_lsn;
        fix.opts.incarnation++;
        assert_log_has(no, end.last_lsn);
    }
}

/* Three blocks; the second begins at the returned position, the third is of incarnation `last`. */
static uint64_t three_blocks(uint32_t last)
{
    uint64_t second;

    fix.opts.incarnation = 5;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 0, 1, 100);
    flush_all();
    second = append_group(fix.wal, 1, 1, 1, 100) / PS_IO_ALIGN * PS_IO_ALIGN;
    flush_all();
    fix.opts.end_pos = second + PS_IO_ALIGN;
    fix.opts.last_lsn = ps_wal_tail_lsn(fix.wal);
    wal_fixture_close(&fix);
    fix.opts.incarnation = last;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 2, 1, 100);
    flush_all();
    return second;
}

/* Blocks that say so lie behind a damaged one: refused, but not by who knows better. */
static void end_at_the_known_end_is_not_searched_behind(void **state)
{
    struct ps_wal_reader_options opts = {
        .io = fix.io, .segment_size = TEST_SEGMENT, .store_tag = TEST_TAG};
    uint64_t first, second;
    struct ps_wal_reader *reader;
    struct ps_io_file *file;
    struct ps_wal_end end;
    struct ps_record rec;
    void *zeros = ps_buf_alloc(PS_IO_ALIGN);

    (void)state;
    second = three_blocks(5);
    assert_int_equal(fix.io->ops->open(fix.io, "wal/0000000000000000", 0, &file), PS_OK);
    assert_int_equal(ps_io_write(file, zeros, PS_IO_ALIGN, second), PS_OK);
    ps_io_close(file);
    ps_buf_free(zeros);
    assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_CORRUPT);
    first = end.last_lsn;

    opts.known_end_lsn = first;
    assert_int_equal(ps_wal_reader_open(&opts, &reader), PS_OK);
    assert_int_equal(ps_wal_reader_next(reader, &rec, &end), PS_OK);
    assert_int_equal(ps_wal_reader_next(reader, &rec, &end), PS_ERR_NOENT);
    assert_int_equal(end.last_lsn, first);
    assert_int_equal(ps_wal_reader_next(reader, &rec, &end), PS_ERR_NOENT); /* and so for ever */
    ps_wal_reader_close(reader);
}

static void block_of_a_lower_incarnation_than_the_one_before_is_stale(void **state)
{
    struct ps_wal_end end;
    uint64_t second = three_blocks(4);

    (void)state;
    fix.opts.incarnation = 0;
    assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_NOENT);
    assert_int_equal(end.end_pos, second + PS_IO_ALIGN);
    assert_non_null(strstr(end.why, "block is stale: of incarnation 4"));
}

static void block_behind_incarnation_lsn_of_a_lower_incarnation_is_stale(void **state)
{
    struct ps_wal_end end;
    uint64_t second = three_blocks(5);

    (void)state;
    fix.opts.incarnation = 6;
    fix.opts.end_pos = second;
    assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_NOENT);
    assert_int_equal(end.end_pos, second);
    assert_non_null(strstr(end.why, "block is stale: of incarnation 5"));
}

/* --- making and clearing away -------------------------------------------------------------- */

static void open_clears_away_what_does_not_belong(void **state)
{
    struct ps_io_file *file;
    struct ps_wal_end end;
    const char *extra[] = {"wal/tmp.3", "wal/0000000000000009", "wal/0000000000000002"};
    uint64_t no = 0;
    size_t i;

    (void)state;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, no++, 1, 100);
    flush_all();
    assert_int_equal(segments_there(), 3);
    wal_fixture_close(&fix);
    for (i = 0; i < 3; i++) {
        assert_int_equal(fix.io->ops->open(fix.io, extra[i], PS_IO_CREATE, &file), PS_OK);
        ps_io_close(file);
    }
    assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_NOENT);
    fix.opts.end_pos = end.end_pos;
    fix.opts.last_lsn = end.last_lsn;
    wal_fixture_open(&fix);
    assert_int_equal(segments_there(), 3); /* the empty segment 2 went too */
    fill_segments(&no, 4);
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

static void prepare_step_makes_the_next_segments(void **state)
{
    struct ps_wal_stats stats;
    uint64_t no = 0;
    bool made;

    (void)state;
    wal_fixture_open(&fix);
    assert_int_equal(ps_wal_prepare_step(fix.wal, &made), PS_OK);
    assert_true(made);
    assert_int_equal(segments_there(), 3);
    while (ps_wal_tail_lsn(fix.wal) < TEST_SEGMENT / 2)
        append_group(fix.wal, 1, no++, 1, 1000);
    flush_all();
    assert_int_equal(ps_wal_prepare_step(fix.wal, &made), PS_OK);
    assert_int_equal(segments_there(), 7);
    assert_int_equal(ps_wal_prepare_step(fix.wal, &made), PS_OK);
    assert_false(made);
    ps_wal_get_stats(fix.wal, &stats);
    assert_int_equal(stats.segments_made, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(checkpoint_record_starts_a_block_that_reading_can_start_at),
        TEST(append_refuses_a_redo_point_that_has_moved),
        TEST(recycled_segments_are_kept_up_to_max_wal_and_the_surplus_goes_at_open),
        TEST(log_that_comes_to_max_wal_again_and_again_makes_no_more_segments),
        TEST(stale_bytes_of_recycled_segments_do_not_count),
        TEST(reopened_log_goes_on_behind_its_end),
        TEST(end_at_the_known_end_is_not_searched_behind),
        TEST(block_of_a_lower_incarnation_than_the_one_before_is_stale),
        TEST(block_behind_incarnation_lsn_of_a_lower_incarnation_is_stale),
        TEST(open_clears_away_what_does_not_belong),
        TEST(prepare_step_makes_the_next_segments),
        TEST(oldest_position_is_that_of_the_first_segment_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
