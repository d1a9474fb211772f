/* The log: appending, flushing, reading back, segments, room. One thread but where a wait is what
 * is tested. */
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "format_test.h"
#include "wal_test.h"

static struct wal_dir dir;
static struct wal_fixture fix;

static int set_up(void **state)
{
    (void)state;
    wal_dir_make(&dir);
    wal_fixture_init(&fix, dir.io);
    wal_fixture_create(&fix);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    wal_fixture_close(&fix);
    wal_fixture_deinit(&fix);
    wal_dir_remove(&dir);
    return 0;
}

/* Numbers of groups of writer 1 that were read, which must ascend by one. */
struct seen {
    uint64_t next_no;
    uint64_t records;
    size_t next_index;
    uint64_t block_of_group;
    uint64_t last_lsn;
};

static void see(void *ctx, const struct ps_record *rec)
{
    struct seen *seen = ctx;
    uint64_t who, no;
    size_t index;

    assert_int_equal(rec->prev, seen->last_lsn);
    seen->last_lsn = rec->lsn;
    if (rec->rm != PS_RM_PAGE)
        return;
    test_group_check(rec, &who, &no, &index);
    assert_int_equal(who, 1);
    assert_int_equal(no, seen->next_no);
    assert_int_equal(index, seen->next_index);
    seen->records++;
    seen->next_index++;
    if (rec->flags & PS_REC_GROUP_END) {
        assert_int_equal(rec->group_lsn, rec->lsn);
        seen->next_index = 0;
        seen->next_no++;
    } else {
        assert_true(rec->group_lsn > rec->lsn);
    }
}

static void assert_log_has(uint64_t groups, uint64_t last_lsn)
{
    struct seen seen = {0};
    struct ps_wal_end end;

    assert_int_equal(read_log(&fix, 0, last_lsn, see, &seen, &end), PS_ERR_NOENT);
    assert_int_equal(seen.next_no, groups);
    assert_int_equal(seen.next_index, 0);
    assert_int_equal(end.last_lsn, last_lsn);
    assert_true(end.end_pos >= last_lsn);
}

static void flush_all(void)
{
    assert_int_equal(ps_wal_flush(fix.wal, ps_wal_tail_lsn(fix.wal), NULL), PS_OK);
}

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
    assert_int_equal(dir.io->ops->open(dir.io, name, 0, &file), PS_OK);
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

/* ---- checkpoints and recycling ---- */

static uint64_t append_checkpoint(void)
{
    struct ps_checkpoint_body body = {.next_txn = ps_put64(5)};
    struct ps_record rec = {
        .rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT, .body = &body, .body_len = sizeof(body)};
    struct ps_wal_slot slot = {0};
    uint64_t redo;

    assert_int_equal(ps_wal_reserve_urgent(fix.wal, ps_record_len(&rec), NULL, &slot), PS_OK);
    ps_wal_append_checkpoint(fix.wal, &slot, &rec, &redo);
    assert_int_equal(slot.bytes, 0);
    assert_int_equal(rec.pos, redo + PS_WAL_BLOCK_HDR_LEN);
    assert_int_equal(redo % PS_IO_ALIGN, 0);
    assert_int_equal(ps_wal_redo_lsn(fix.wal), redo);
    return redo;
}

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

/* Names of the files in wal/, as bits: segment i is bit i; others fail. */
static uint64_t segments_there(void)
{
    uint64_t bits = 0;
    char path[300];
    struct dirent *entry;
    DIR *d;

    snprintf(path, sizeof(path), "%s/wal", dir.path);
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

static void fill_segments(uint64_t *no, uint64_t upto)
{
    while (ps_wal_tail_lsn(fix.wal) < upto * TEST_SEGMENT)
        append_group(fix.wal, 1, (*no)++, 1, 8000);
    flush_all();
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
    assert_int_equal(segments_there(), UINT64_C(0x1ff) << 12);
}

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
        .io = dir.io, .segment_size = TEST_SEGMENT, .store_tag = TEST_TAG};
    uint64_t first, second;
    struct ps_wal_reader *reader;
    struct ps_io_file *file;
    struct ps_wal_end end;
    struct ps_record rec;
    void *zeros = ps_buf_alloc(PS_IO_ALIGN);

    (void)state;
    second = three_blocks(5);
    assert_int_equal(dir.io->ops->open(dir.io, "wal/0000000000000000", 0, &file), PS_OK);
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
        assert_int_equal(dir.io->ops->open(dir.io, extra[i], PS_IO_CREATE, &file), PS_OK);
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

/* ---- reading single records ---- */

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

/* ---- waiting for room ---- */

struct waiter {
    struct ps_cancel cancel;
    _Atomic bool asked; /* for a checkpoint */
    ps_err err;
};

static ps_err ask_checkpoint(void *ctx)
{
    struct waiter *w = ctx;

    atomic_store(&w->asked, true);
    return PS_OK;
}

static void *wait_in_reserve(void *ctx)
{
    struct waiter *w = ctx;
    struct ps_wal_slot slot = {0};

    w->err = ps_wal_reserve(fix.wal, 20000, &w->cancel, &slot);
    ps_wal_release(fix.wal, &slot);
    return NULL;
}

/* Fills the log to max_wal, then starts a writer that must wait. */
static void start_waiter(struct waiter *w, pthread_t *thread, uint64_t *no)
{
    ps_cancel_init(&w->cancel);
    atomic_init(&w->asked, false);
    fix.opts.max_wal = 4 * TEST_SEGMENT;
    fix.opts.want_checkpoint = ask_checkpoint;
    fix.opts.ctx = w;
    wal_fixture_open(&fix);
    while (ps_wal_tail_lsn(fix.wal) + 36000 < fix.opts.max_wal)
        append_group(fix.wal, 1, (*no)++, 1, 1000);
    assert_false(atomic_load(&w->asked));
    assert_int_equal(pthread_create(thread, NULL, wait_in_reserve, w), 0);
    while (!atomic_load(&w->asked))
        sched_yield();
}

static void reserve_waits_for_recycle_at_max_wal(void **state)
{
    struct ps_wal_stats stats;
    struct waiter w = {0};
    pthread_t thread;
    uint64_t no = 0, redo;

    (void)state;
    start_waiter(&w, &thread, &no);
    redo = append_checkpoint(); /* goes beyond max_wal if it must */
    flush_all();
    assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_OK);
    pthread_join(thread, NULL);
    assert_int_equal(w.err, PS_OK);
    ps_wal_get_stats(fix.wal, &stats);
    assert_true(stats.room_waits >= 1);
    ps_cancel_deinit(&w.cancel);
}

static void waiting_reserve_can_be_interrupted(void **state)
{
    struct waiter w = {0};
    pthread_t thread;
    uint64_t no = 0;

    (void)state;
    start_waiter(&w, &thread, &no);
    ps_cancel_raise(&w.cancel);
    pthread_join(thread, NULL);
    assert_int_equal(w.err, PS_ERR_INTERRUPTED);
    ps_cancel_deinit(&w.cancel);
}

static void waiting_reserve_leaves_a_poisoned_log(void **state)
{
    struct waiter w = {0};
    pthread_t thread;
    uint64_t no = 0;

    (void)state;
    start_waiter(&w, &thread, &no);
    ps_poison_raise(&fix.poison, ps_fail(PS_ERR_IO, "planted"));
    ps_wal_wake(fix.wal);
    pthread_join(thread, NULL);
    assert_int_equal(w.err, PS_ERR_POISONED);
    ps_cancel_deinit(&w.cancel);
}

static void reserve_writes_out_when_the_buffer_is_full(void **state)
{
    struct ps_wal_stats stats;
    uint64_t no;

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 300; no++) /* 2.4 MB through a buffer of 1 MiB, and no flush asked for */
        append_group(fix.wal, 1, no, 1, 8000);
    ps_wal_get_stats(fix.wal, &stats);
    assert_true(stats.bytes_written > 1024 * 1024);
    flush_all();
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

static void what_is_written_out_is_in_the_files_and_durable_with_the_next_flush(void **state)
{
    struct ps_wal_stats before, after;

    (void)state;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 0, 2, 100);
    assert_int_equal(ps_wal_write_out(fix.wal, NULL), PS_OK);
    assert_log_has(1, ps_wal_tail_lsn(fix.wal));
    assert_int_equal(ps_wal_durable_lsn(fix.wal), 0);
    append_group(fix.wal, 1, 1, 2, 100);
    assert_int_equal(ps_wal_write_out(fix.wal, NULL), PS_OK);
    ps_wal_get_stats(fix.wal, &before);
    flush_all(); /* nothing to write */
    ps_wal_get_stats(fix.wal, &after);
    assert_int_equal(ps_wal_durable_lsn(fix.wal), ps_wal_tail_lsn(fix.wal));
    assert_int_equal(after.bytes_written, before.bytes_written);
    assert_int_equal(after.flushes, before.flushes + 1);
    assert_log_has(2, ps_wal_tail_lsn(fix.wal));
}

/* However long nobody asks for a flush. */
static void only_some_segments_wait_to_be_durable(void **state)
{
    uint64_t no;

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 600; no++) {
        append_group(fix.wal, 1, no, 1, 8000);
        assert_int_equal(ps_wal_write_out(fix.wal, NULL), PS_OK);
        assert_in_range(ps_wal_tail_lsn(fix.wal) - ps_wal_durable_lsn(fix.wal), 0,
                        24 * TEST_SEGMENT);
    }
    assert_true(ps_wal_durable_lsn(fix.wal) > 24 * TEST_SEGMENT);
    flush_all();
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

static void released_slots_give_their_room_back(void **state)
{
    struct ps_wal_slot slot = {0};
    int i;

    (void)state;
    fix.opts.max_wal = 4 * TEST_SEGMENT;
    wal_fixture_open(&fix);
    for (i = 0; i < 100; i++) {
        assert_int_equal(ps_wal_reserve(fix.wal, 60000, NULL, &slot), PS_OK);
        ps_wal_release(fix.wal, &slot);
        ps_wal_release(fix.wal, &slot); /* of a slot that is paid: nothing */
    }
}

/* Reserves without waiting. */
static ps_err reserve_now(bool urgent, uint64_t bytes, struct ps_wal_slot *ret)
{
    struct ps_cancel no_wait;
    ps_err err;

    ps_cancel_init(&no_wait);
    ps_cancel_raise(&no_wait);
    err = urgent ? ps_wal_reserve_urgent(fix.wal, bytes, &no_wait, ret)
                 : ps_wal_reserve(fix.wal, bytes, &no_wait, ret);
    ps_cancel_deinit(&no_wait);
    return err;
}

/* With segments as large as the buffer, it is the buffer that bounds a group. */
static void longest_group_fits_an_empty_buffer(void **state)
{
    struct ps_wal_slot slot = {0};
    uint64_t max, no;

    (void)state;
    fix.opts.segment_size = 1024 * 1024;
    wal_fixture_create(&fix);
    wal_fixture_open(&fix);
    max = ps_wal_group_max(fix.wal);
    assert_in_range(max, 500 * 1024, 512 * 1024);
    assert_int_equal(reserve_now(false, max, &slot), PS_OK);
    ps_wal_release(fix.wal, &slot);
    for (no = 0; no < 7; no++)
        append_group(fix.wal, 1, no, 1, no % 2 ? (uint32_t)(max & ~7u) - 96 : 8);
    flush_all();
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

/* Each checkpoint's record begins a block, and so pads the one before: the worst that groups this
 * short can do. Nothing is flushed, so room once reserved has to hold it. */
static void reserved_room_covers_the_padding_of_every_block(void **state)
{
    struct ps_record rec = {.rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT};
    struct ps_wal_slot slots[4096] = {0};
    size_t count = 0, i;
    uint64_t redo;
    struct ps_wal_end end;

    (void)state;
    wal_fixture_open(&fix);
    while (count < 4096 && reserve_now(true, ps_record_len(&rec), &slots[count]) == PS_OK)
        count++;
    assert_in_range(count, 100, 4095);
    for (i = 0; i < count; i++)
        ps_wal_append_checkpoint(fix.wal, &slots[i], &rec, &redo);
    flush_all();
    assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_NOENT);
    assert_int_equal(end.last_lsn, ps_wal_tail_lsn(fix.wal));
}

/* ---- options ---- */

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

static void oldest_position_is_that_of_the_first_segment_file(void **state)
{
    uint64_t no = 0, redo, pos = 99;

    (void)state;
    assert_int_equal(ps_wal_oldest_pos(dir.io, TEST_SEGMENT, &pos), PS_OK);
    assert_int_equal(pos, 0);
    wal_fixture_open(&fix);
    fill_segments(&no, 3);
    redo = append_checkpoint();
    flush_all();
    assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_OK);
    assert_int_equal(ps_wal_oldest_pos(dir.io, TEST_SEGMENT, &pos), PS_OK);
    assert_int_equal(pos, 3 * TEST_SEGMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(checkpoint_record_starts_a_block_that_reading_can_start_at),
        TEST(append_refuses_a_redo_point_that_has_moved),
        TEST(recycled_segments_are_kept_up_to_max_wal_and_the_surplus_goes_at_open),
        TEST(stale_bytes_of_recycled_segments_do_not_count),
        TEST(reopened_log_goes_on_behind_its_end),
        TEST(end_at_the_known_end_is_not_searched_behind),
        TEST(block_of_a_lower_incarnation_than_the_one_before_is_stale),
        TEST(block_behind_incarnation_lsn_of_a_lower_incarnation_is_stale),
        TEST(open_clears_away_what_does_not_belong),
        TEST(prepare_step_makes_the_next_segments),
        TEST(read_at_finds_records_in_ring_and_files),
        TEST(reserve_waits_for_recycle_at_max_wal),
        TEST(waiting_reserve_can_be_interrupted),
        TEST(waiting_reserve_leaves_a_poisoned_log),
        TEST(reserve_writes_out_when_the_buffer_is_full),
        TEST(what_is_written_out_is_in_the_files_and_durable_with_the_next_flush),
        TEST(only_some_segments_wait_to_be_durable),
        TEST(released_slots_give_their_room_back),
        TEST(longest_group_fits_an_empty_buffer),
        TEST(reserved_room_covers_the_padding_of_every_block),
        TEST(senseless_options_are_refused),
        TEST(oldest_position_is_that_of_the_first_segment_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
