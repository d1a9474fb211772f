/*
 * wal_test.c - what the tests of the log share.
 */
#include "wal_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ps_err no_checkpoint(void *ctx)
{
    (void)ctx;
    return PS_OK;
}

void wal_fixture_init(struct wal_fixture *f, struct ps_io *io)
{
    memset(f, 0, sizeof(*f));
    f->io = io;
    ps_poison_init(&f->poison, NULL, NULL);
    f->opts = (struct ps_wal_options){
        .io = io,
        .poison = &f->poison,
        .segment_size = TEST_SEGMENT,
        .max_wal = UINT64_C(1) << 40,
        .store_tag = TEST_TAG,
        .incarnation = 1,
        .want_checkpoint = no_checkpoint,
    };
}

void wal_fixture_deinit(struct wal_fixture *f)
{
    ps_poison_deinit(&f->poison);
}

void wal_fixture_create(struct wal_fixture *f)
{
    assert_int_equal(ps_wal_create(f->io, f->opts.segment_size), PS_OK);
}

void wal_fixture_open(struct wal_fixture *f)
{
    assert_int_equal(ps_wal_open(&f->opts, &f->wal), PS_OK);
}

void wal_fixture_close(struct wal_fixture *f)
{
    ps_wal_close(f->wal);
    f->wal = NULL;
}

/* The byte at place i of record `index` of group (who, no). */
static uint8_t group_byte(uint64_t who, uint64_t no, size_t index, size_t i)
{
    uint64_t x = who * 0x9e3779b97f4a7c15u + no * 0xbf58476d1ce4e5b9u + index * 31 + i / 8;

    x ^= x >> 29;
    x *= 0x94d049bb133111ebu;
    return (uint8_t)(x >> (8 * (i % 8)));
}

void test_group_make(struct test_group *g, uint64_t who, uint64_t no, size_t count, uint32_t len)
{
    size_t index, i;

    assert_in_range(count, 1, GROUP_RECORDS_MAX);
    memset(g, 0, sizeof(*g));
    g->count = count;
    g->bytes = malloc(count * len + 1);
    assert_non_null(g->bytes);
    for (index = 0; index < count; index++) {
        struct ps_record *rec = &g->recs[index];
        uint8_t *bytes = g->bytes + index * len;

        for (i = 0; i < len; i++)
            bytes[i] = group_byte(who, no, index, i);
        rec->rm = PS_RM_PAGE;
        rec->type = PS_PAGE_CHANGE;
        rec->time_us = no;
        rec->ref_count = 1;
        rec->refs[0].table = (uint32_t)who;
        rec->refs[0].page = (uint32_t)index;
        rec->refs[0].off = (uint32_t)count;
        rec->refs[0].len = len;
        rec->refs[0].after = bytes;
    }
}

void test_group_free(struct test_group *g)
{
    free(g->bytes);
    g->bytes = NULL;
}

uint64_t test_group_len(const struct test_group *g)
{
    uint64_t len = 0;
    size_t i;

    for (i = 0; i < g->count; i++)
        len += ps_record_len(&g->recs[i]);
    return len;
}

void test_group_check(const struct ps_record *rec, uint64_t *ret_who, uint64_t *ret_no,
                      size_t *ret_index)
{
    size_t i;

    assert_int_equal(rec->rm, PS_RM_PAGE);
    assert_int_equal(rec->ref_count, 1);
    *ret_who = rec->refs[0].table;
    *ret_no = rec->time_us;
    *ret_index = rec->refs[0].page;
    for (i = 0; i < rec->refs[0].len; i++)
        assert_int_equal(rec->refs[0].after[i], group_byte(*ret_who, *ret_no, *ret_index, i));
    assert_int_equal((rec->flags & PS_REC_GROUP_END) != 0, *ret_index + 1 == rec->refs[0].off);
}

uint64_t append_group(struct ps_wal *wal, uint64_t who, uint64_t no, size_t count, uint32_t len)
{
    struct test_group g;
    struct ps_wal_slot slot = {0};
    uint64_t lsn;

    test_group_make(&g, who, no, count, len);
    assert_int_equal(ps_wal_reserve(wal, test_group_len(&g), NULL, &slot), PS_OK);
    while (!ps_wal_append(wal, &slot, g.recs, count, ps_wal_redo_lsn(wal)))
        ;
    lsn = g.recs[count - 1].lsn;
    test_group_free(&g);
    return lsn;
}

ps_err read_log(const struct wal_fixture *f, uint64_t start_pos, uint64_t durable_lsn,
                void (*each)(void *ctx, const struct ps_record *rec), void *ctx,
                struct ps_wal_end *ret_end)
{
    struct ps_wal_reader_options opts = {
        .io = f->io,
        .segment_size = f->opts.segment_size,
        .store_tag = f->opts.store_tag,
        .start_pos = start_pos,
        .incarnation = f->opts.incarnation,
        .incarnation_lsn = f->opts.end_pos,
        .durable_lsn = durable_lsn,
    };
    struct ps_wal_reader *reader;
    struct ps_record rec;
    ps_err err;

    memset(ret_end, 0, sizeof(*ret_end));
    assert_int_equal(ps_wal_reader_open(&opts, &reader), PS_OK);
    while ((err = ps_wal_reader_next(reader, &rec, ret_end)) == PS_OK) {
        if (each)
            each(ctx, &rec);
    }
    ps_wal_reader_close(reader);
    return err;
}
