/*
 * wal_bed.h - a log in a folder of its own, made before each test and removed after it, and what is
 * done with it again and again.
 *
 * For the tests of the log, each of which includes it once.
 */
#ifndef TESTS_UNIT_WAL_BED_H
#define TESTS_UNIT_WAL_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "temp_dir.h"
#include "wal/wal_internal.h"
#include "wal_test.h"

static char dir[TEMP_DIR_LEN];
static struct wal_fixture fix;

/* Nothing is open yet: a test may change fix.opts first. */
static inline int set_up(void **state)
{
    struct ps_io *io;

    (void)state;
    temp_dir_make(dir);
    assert_int_equal(ps_io_posix(dir, PS_IO_KIND_AUTO, NULL, NULL, &io), PS_OK);
    wal_fixture_init(&fix, io);
    wal_fixture_create(&fix);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    wal_fixture_close(&fix);
    wal_fixture_deinit(&fix);
    ps_io_destroy(fix.io);
    temp_dir_remove(dir);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- reading back ------------------------------------------------------------------------- */

/* What has been read of the groups of writer 1, whose numbers must ascend by one. */
struct seen {
    uint64_t next_no;
    uint64_t records;
    size_t next_index;
    uint64_t last_lsn;
};

static inline void see(void *ctx, const struct ps_record *rec)
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

/* The files have so many groups, all of writer 1, and end soundly. */
static inline void assert_log_has(uint64_t groups, uint64_t last_lsn)
{
    struct seen seen = {0};
    struct ps_wal_end end;

    assert_int_equal(read_log(&fix, 0, last_lsn, see, &seen, &end), PS_ERR_NOENT);
    assert_int_equal(seen.next_no, groups);
    assert_int_equal(seen.next_index, 0);
    assert_int_equal(end.last_lsn, last_lsn);
    assert_true(end.end_pos >= last_lsn);
}

/* --- changing ----------------------------------------------------------------------------- */

static inline void flush_all(void)
{
    assert_int_equal(ps_wal_flush(fix.wal, ps_wal_tail_lsn(fix.wal), NULL), PS_OK);
}

/* Appends the record and gives the redo point that it makes. */
static inline uint64_t append_checkpoint(void)
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

/* Bytes of the buffer that are neither in use nor reserved. */
static inline uint64_t buffer_room(void)
{
    return atomic_load(&fix.wal->written_pos) + fix.wal->ring_len - ps_wal_close_bound(fix.wal) -
           atomic_load(&fix.wal->reserved);
}

#define SLOTS 64u

/* Reserves so much that the buffer has room for a little less than `left` bytes more. */
static inline void reserve_all_but(uint64_t left, struct ps_wal_slot slots[SLOTS])
{
    const uint64_t max = ps_wal_group_max(fix.wal);
    uint64_t room, cost, bytes;
    size_t i;

    for (i = 0; i < SLOTS && (room = buffer_room()) >= left; i++) {
        cost = room - left;
        bytes = cost > ps_wal_group_cost(0) ? (cost - ps_wal_group_cost(0)) / 2 + 1 : 1;
        assert_int_equal(ps_wal_reserve(fix.wal, bytes < max ? bytes : max, NULL, &slots[i]),
                         PS_OK);
    }
    assert_true(buffer_room() < left);
}

static inline void release_all(struct ps_wal_slot slots[SLOTS])
{
    size_t i;

    for (i = 0; i < SLOTS; i++)
        ps_wal_release(fix.wal, &slots[i]);
}

/* Appends groups of writer 1 from *no on until segment `upto` has begun, and flushes. */
static inline void fill_segments(uint64_t *no, uint64_t upto)
{
    while (ps_wal_tail_lsn(fix.wal) < upto * TEST_SEGMENT)
        append_group(fix.wal, 1, (*no)++, 1, 8000);
    flush_all();
}

#endif
