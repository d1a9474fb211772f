/*
 * wal_test.h - what the tests of the log share: an open log, groups whose content tells where they
 * come from, and reading all back.
 *
 * A helper that fails, fails the test that called it.
 */
#ifndef TEST_WAL_TEST_H
#define TEST_WAL_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "wal/wal.h"

#define TEST_SEGMENT (64u * 1024u)
#define TEST_TAG UINT64_C(0x1122334455667788)

/* A log, and what a control file would know of it. */
struct wal_fixture {
    struct ps_io *io;
    struct ps_poison poison;
    struct ps_wal_options opts;
    struct ps_wal *wal;
};

/* Prepares options for a log of TEST_SEGMENT segments in io; nothing is made or opened. */
void wal_fixture_init(struct wal_fixture *f, struct ps_io *io);
void wal_fixture_deinit(struct wal_fixture *f);
void wal_fixture_create(struct wal_fixture *f);
void wal_fixture_open(struct wal_fixture *f);
void wal_fixture_close(struct wal_fixture *f);

/* A group that says what it is: `count` records of writer `who`, number `no`; each has one change
 * whose bytes follow from who, no and its index, `len` of them. */
#define GROUP_RECORDS_MAX 8u
struct test_group {
    struct ps_record recs[GROUP_RECORDS_MAX];
    uint8_t *bytes;
    size_t count;
};
void test_group_make(struct test_group *g, uint64_t who, uint64_t no, size_t count, uint32_t len);
void test_group_free(struct test_group *g);
uint64_t test_group_len(const struct test_group *g);
/* Checks that the record is one that test_group_make made; gives whose, and which. */
void test_group_check(const struct ps_record *rec, uint64_t *ret_who, uint64_t *ret_no,
                      size_t *ret_index);

/* Reserves and appends; returns the group's LSN. */
uint64_t append_group(struct ps_wal *wal, uint64_t who, uint64_t no, size_t count, uint32_t len);

/* Reads from start_pos to the end. each (may be NULL) sees every record. Returns what the reader
 * ended with: PS_ERR_NOENT for a sound end. */
ps_err read_log(const struct wal_fixture *f, uint64_t start_pos, uint64_t durable_lsn,
                void (*each)(void *ctx, const struct ps_record *rec), void *ctx,
                struct ps_wal_end *ret_end);

#endif
