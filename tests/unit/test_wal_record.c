/* Records and blocks as bytes: what is encoded is decoded, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "format_test.h"
#include "seed.h"
#include "wal/wal_internal.h"

#define PAGE 8192u

/* A buffer of exactly len bytes of its own, so that ASan sees one byte too many. */
static uint8_t *exact(const void *bytes, size_t len)
{
    uint8_t *buf = malloc(len ? len : 1);

    assert_non_null(buf);
    if (len > 0)
        memcpy(buf, bytes, len);
    return buf;
}

/* A random record whose bytes lie in pool. */
static void random_record(uint64_t *seed, const uint8_t *pool, struct ps_record *rec)
{
    unsigned i;

    memset(rec, 0, sizeof(*rec));
    rec->rm = (uint8_t)random_below(seed, 4);
    rec->type = (uint8_t)random_below(seed, 4);
    rec->flags = (uint8_t)random_below(seed, 2);
    rec->txn = random_next(seed);
    rec->txn_prev = random_next(seed);
    rec->undo_next = random_next(seed);
    rec->time_us = random_next(seed);
    rec->body_len = random_below(seed, 3) ? 0 : random_below(seed, 100);
    rec->body = pool;
    rec->ref_count = (uint16_t)random_below(seed, PS_REFS_MAX + 1);
    for (i = 0; i < rec->ref_count; i++) {
        struct ps_ref *ref = &rec->refs[i];

        ref->table = (uint32_t)random_next(seed);
        ref->page = (uint32_t)random_next(seed);
        ref->fork = (uint16_t)random_below(seed, 2);
        ref->flags = (uint16_t)(random_below(seed, 4) | random_below(seed, 2) << 8);
        ref->after = pool + random_below(seed, 100);
        ref->before = pool + random_below(seed, 100);
        if (ref->flags & PS_REF_IMAGE) {
            ref->len = PAGE;
            ref->after_len = random_below(seed, PAGE + 1);
            ref->before_len = random_below(seed, 200);
            ref->before_off = random_below(seed, PAGE - ref->before_len + 1);
        } else {
            ref->off = random_below(seed, PAGE);
            ref->len = random_below(seed, 200);
        }
    }
}

static uint8_t *encode(struct ps_record *rec, uint64_t pos, uint64_t prev, size_t *ret_len)
{
    uint8_t *buf;

    *ret_len = ps_record_len(rec);
    buf = malloc(*ret_len);
    assert_non_null(buf);
    ps_record_encode(rec, buf, ps_record_body_crc(rec), pos, prev);
    return buf;
}

static void assert_same_ref(const struct ps_ref *in, const struct ps_ref *out)
{
    bool image = (in->flags & PS_REF_IMAGE) != 0;
    uint32_t before_len = image ? in->before_len : in->len;

    assert_int_equal(in->table, out->table);
    assert_int_equal(in->page, out->page);
    assert_int_equal(in->fork, out->fork);
    assert_int_equal(in->flags, out->flags);
    assert_int_equal(in->off, out->off);
    assert_int_equal(in->len, out->len);
    assert_int_equal(image ? in->after_len : in->len, out->after_len);
    assert_memory_equal(in->after, out->after, out->after_len);
    if (in->flags & PS_REF_BEFORE) {
        assert_int_equal(out->before_len, before_len);
        assert_int_equal(out->before_off, image ? in->before_off : in->off);
        assert_memory_equal(in->before, out->before, before_len);
    } else {
        assert_null(out->before);
        assert_int_equal(out->before_len, 0);
    }
}

static void assert_same(const struct ps_record *in, const struct ps_record *out)
{
    unsigned i;

    assert_int_equal(in->rm, out->rm);
    assert_int_equal(in->type, out->type);
    assert_int_equal(in->flags, out->flags);
    assert_int_equal(in->txn, out->txn);
    assert_int_equal(in->txn_prev, out->txn_prev);
    assert_int_equal(in->undo_next, out->undo_next);
    assert_int_equal(in->time_us, out->time_us);
    assert_int_equal(in->pos, out->pos);
    assert_int_equal(in->lsn, out->lsn);
    assert_int_equal(in->prev, out->prev);
    assert_int_equal(in->crc, out->crc);
    assert_int_equal(in->body_len, out->body_len);
    assert_memory_equal(in->body, out->body, in->body_len);
    assert_int_equal(in->ref_count, out->ref_count);
    for (i = 0; i < in->ref_count; i++)
        assert_same_ref(&in->refs[i], &out->refs[i]);
}

static void encoded_record_is_decoded_to_itself(void **state)
{
    uint64_t seed = test_seed(), pos;
    uint8_t pool[PAGE + 100], *buf;
    struct ps_record rec, out;
    size_t len;
    int i;

    (void)state;
    fill_random(&seed, pool, sizeof(pool));
    for (i = 0; i < 2000; i++) {
        random_record(&seed, pool, &rec);
        pos = random_next(&seed) / 16 * 8;
        buf = encode(&rec, pos, pos, &len);
        assert_int_equal(len % 8, 0);
        assert_int_equal(rec.lsn, pos + len);
        memset(&out, 0xff, sizeof(out));
        assert_int_equal(ps_record_decode(buf, len, pos, &out), PS_OK);
        assert_same(&rec, &out);
        free(buf);
    }
}

static void truncated_record_is_refused(void **state)
{
    uint64_t seed = test_seed();
    uint8_t pool[PAGE + 100], *buf, *part;
    struct ps_record rec, out;
    size_t len, cut;
    int i;

    (void)state;
    fill_random(&seed, pool, sizeof(pool));
    for (i = 0; i < 20; i++) {
        random_record(&seed, pool, &rec);
        buf = encode(&rec, 64, 0, &len);
        for (cut = 0; cut < len; cut += cut < 700 ? 1 : 97) {
            part = exact(buf, cut);
            assert_int_equal(ps_record_decode(part, cut, 64, &out), PS_ERR_CORRUPT);
            free(part);
        }
        free(buf);
    }
}

static void record_with_any_flipped_bit_is_refused(void **state)
{
    uint64_t seed = test_seed();
    uint8_t pool[PAGE + 100], *buf;
    struct ps_record rec, out;
    size_t len, bit;

    (void)state;
    fill_random(&seed, pool, sizeof(pool));
    do {
        random_record(&seed, pool, &rec);
    } while (ps_record_len(&rec) > 2000 || rec.ref_count < 2);
    buf = encode(&rec, 64, 0, &len);
    for (bit = 0; bit < 8 * len; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(ps_record_decode(buf, len, 64, &out), PS_ERR_CORRUPT);
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(ps_record_decode(buf, len, 64, &out), PS_OK);
    free(buf);
}

static void record_of_another_position_is_refused(void **state)
{
    struct ps_record rec = {.rm = PS_RM_TXN, .type = PS_TXN_COMMIT}, out;
    uint8_t *buf;
    size_t len;

    (void)state;
    buf = encode(&rec, 128, 64, &len);
    assert_int_equal(ps_record_decode(buf, len, 136, &out), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(), "record is of log position 128, not 136");
    free(buf);
}

/* Gives bytes the checksum they should have, as an attacker would. */
static void reseal(uint8_t *buf, size_t len)
{
    uint32_t crc = ps_crc32c_extend(PS_CRC32C_INIT, buf + 64, len - 64);
    ps_le32 le;

    crc = ps_crc32c_extend(crc, buf, 4);
    le = ps_put32(ps_crc32c_finish(ps_crc32c_extend(crc, buf + 8, 56)));
    memcpy(buf + 4, &le, sizeof(le));
}

static void record_with_hostile_fields_is_refused_under_a_right_checksum(void **state)
{
    static const uint32_t hostile[] = {0,          1,          63,         65,        4096,
                                       0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    uint8_t bytes[64] = {1, 2, 3}, *buf;
    struct ps_record rec = {.rm = PS_RM_PAGE, .type = PS_PAGE_CHANGE, .ref_count = 1}, out;
    size_t len, field, i, refused = 0;

    (void)state;
    rec.refs[0] = (struct ps_ref){.flags = PS_REF_IMAGE | PS_REF_BEFORE,
                                  .len = PAGE,
                                  .after = bytes,
                                  .after_len = 40,
                                  .before = bytes,
                                  .before_off = 8,
                                  .before_len = 24};
    /* body_len, and every length and offset of the reference */
    for (field = 60; field < 96; field += field == 60 ? 16 : 4) {
        for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
            ps_le32 value = ps_put32(hostile[i]);

            buf = encode(&rec, 64, 0, &len);
            memcpy(buf + field, &value, sizeof(value));
            reseal(buf, len);
            refused += ps_record_decode(buf, len, 64, &out) == PS_ERR_CORRUPT;
            free(buf);
        }
    }
    assert_true(refused >= 40);
}

/* Whatever decodes lies within the bytes that were given; whatever does not is refused. */
static void any_bytes_under_a_right_checksum_are_survived(void **state)
{
    uint64_t seed = test_seed();
    uint8_t pool[PAGE + 100], *buf;
    struct ps_record rec, out;
    unsigned flips, r;
    size_t len;
    int i;

    (void)state;
    fill_random(&seed, pool, sizeof(pool));
    for (i = 0; i < 5000; i++) {
        random_record(&seed, pool, &rec);
        buf = encode(&rec, 64, 0, &len);
        for (flips = 1 + random_below(&seed, 3); flips > 0; flips--)
            buf[8 + random_below(&seed, len > 300 ? 292 : (uint32_t)len - 8)] =
                (uint8_t)random_next(&seed);
        reseal(buf, len);
        if (ps_record_decode(buf, len, 64, &out) == PS_OK) {
            for (r = 0; r < out.ref_count; r++) {
                assert_in_range(out.refs[r].after - buf, 64, len);
                assert_true(out.refs[r].after_len <= (size_t)(buf + len - out.refs[r].after));
            }
        }
        free(buf);
    }
}

/* ---- blocks ---- */

/* A block with `count` records behind its header; returns its length. */
static size_t make_block(uint8_t *buf, struct ps_block *b, unsigned count)
{
    struct ps_record rec = {.rm = PS_RM_TXN, .type = PS_TXN_COMMIT, .flags = PS_REC_GROUP_END};
    uint64_t prev = b->prev_lsn;
    uint32_t crc = PS_CRC32C_INIT;
    size_t used = 64;
    ps_le32 le;

    b->record_count = count;
    for (; count > 0; count--, used += 64) {
        ps_record_encode(&rec, buf + used, ps_record_body_crc(&rec), b->pos + used, prev);
        prev = rec.lsn;
        le = ps_put32(rec.crc);
        crc = ps_crc32c_extend(crc, &le, sizeof(le));
    }
    b->records_crc = ps_crc32c_finish(crc);
    b->payload_len = (uint32_t)used - 64;
    b->next = ps_wal_align(b->pos + used);
    ps_block_encode(b, buf);
    return used;
}

static void block_with_any_flipped_bit_is_refused(void **state)
{
    struct ps_block b = {
        .pos = 8192, .durable_lsn = 77, .prev_lsn = 8000, .store_tag = 5, .incarnation = 2};
    uint64_t last, bad_off;
    struct ps_block out;
    uint8_t buf[1024];
    size_t len, bit;
    ps_err err;

    (void)state;
    len = make_block(buf, &b, 3);
    assert_int_equal(ps_block_decode(buf, 8192, 65536, 5, &out), PS_OK);
    assert_memory_equal(&out, &b, sizeof(b));
    assert_int_equal(ps_block_verify(&out, buf + 64, &last, &bad_off), PS_OK);
    assert_int_equal(last, 8192 + len);
    for (bit = 0; bit < 8 * len; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err = ps_block_decode(buf, 8192, 65536, 5, &out);
        if (!err)
            err = ps_block_verify(&out, buf + 64, &last, &bad_off);
        assert_int_equal(err, PS_ERR_CORRUPT);
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* A record that was torn away in one incarnation must not fill the place of one of the next. */
static void block_takes_no_sound_record_that_is_not_its_own(void **state)
{
    struct ps_block b = {.pos = 8192, .prev_lsn = 8000, .store_tag = 5, .incarnation = 2};
    struct ps_record other = {.rm = PS_RM_TXN, .type = PS_TXN_ABORT, .flags = PS_REC_GROUP_END};
    uint64_t last, bad_off;
    uint8_t buf[1024];

    (void)state;
    make_block(buf, &b, 3);
    ps_record_encode(&other, buf + 64, ps_record_body_crc(&other), 8192 + 64, 8000);
    assert_int_equal(ps_block_verify(&b, buf + 64, &last, &bad_off), PS_ERR_CORRUPT);
}

static void block_with_hostile_lengths_is_refused(void **state)
{
    struct ps_block good = {.pos = 8192, .store_tag = 5}, b, out;
    uint8_t buf[1024];

    (void)state;
    make_block(buf, &good, 1);
    b = good;
    b.payload_len = 65536 - 8192 - 64 + 8;
    ps_block_encode(&b, buf);
    assert_int_equal(ps_block_decode(buf, 8192, 65536, 5, &out), PS_ERR_CORRUPT);
    b.payload_len = UINT32_MAX;
    ps_block_encode(&b, buf);
    assert_int_equal(ps_block_decode(buf, 8192, 65536, 5, &out), PS_ERR_CORRUPT);
    b = good;
    b.next = 8192 + 8192;
    ps_block_encode(&b, buf);
    assert_int_equal(ps_block_decode(buf, 8192, 65536, 5, &out), PS_ERR_CORRUPT);
    b.next = 65536;
    ps_block_encode(&b, buf);
    assert_int_equal(ps_block_decode(buf, 8192, 65536, 5, &out), PS_OK);
    assert_int_equal(ps_block_decode(buf, 8192, 65536, 6, &out), PS_ERR_CORRUPT);
    assert_int_equal(ps_block_decode(buf, 4096, 65536, 5, &out), PS_ERR_CORRUPT);
}

/* ---- golden bytes: what FORMAT.md shows ---- */

static void block_has_the_golden_bytes(void **state)
{
    static const uint8_t after[] = "hello", before[] = "\0\0\0\0";
    struct ps_record rec = {.rm = PS_RM_PAGE,
                            .type = PS_PAGE_CHANGE,
                            .flags = PS_REC_GROUP_END,
                            .txn = 9,
                            .txn_prev = 0x40,
                            .time_us = UINT64_C(1700000000000000),
                            .ref_count = 1};
    struct ps_block b = {.pos = 4096,
                         .next = 8192,
                         .durable_lsn = 0x80,
                         .prev_lsn = 0x80,
                         .store_tag = UINT64_C(0x0706050403020100),
                         .incarnation = 1,
                         .record_count = 1};
    uint8_t buf[4096] = {0}, *golden;
    ps_le32 crc;
    size_t len;

    (void)state;
    rec.refs[0] = (struct ps_ref){.table = 2,
                                  .page = 5,
                                  .flags = PS_REF_BEFORE,
                                  .off = 32,
                                  .len = 5,
                                  .after = after,
                                  .before = before};
    ps_record_encode(&rec, buf + 64, ps_record_body_crc(&rec), 4096 + 64, 0x80);
    crc = ps_put32(rec.crc);
    b.payload_len = (uint32_t)ps_record_len(&rec);
    b.records_crc = ps_crc32c(&crc, sizeof(crc));
    ps_block_encode(&b, buf);

    golden = read_whole_file(PS_TEST_DIR "/golden/wal-block-v1.bin", &len);
    assert_int_equal(len, sizeof(buf));
    assert_memory_equal(buf, golden, len);
    free(golden);
}

/* ---- text ---- */

static void records_are_shown_as_lines_of_words(void **state)
{
    uint8_t create[] = {7, 0, 0, 0, 0, 0, 5, 0, 'a', ' ', '\n', 'b', 'c'};
    struct ps_record change = {.rm = PS_RM_PAGE,
                               .type = PS_PAGE_CHANGE,
                               .flags = PS_REC_GROUP_END,
                               .txn = 3,
                               .lsn = 4512,
                               .prev = 4160,
                               .ref_count = 2};
    struct ps_record table = {.rm = PS_RM_TABLE,
                              .type = PS_TABLE_CREATE,
                              .lsn = 99,
                              .body = create,
                              .body_len = sizeof(create)};
    char text[300], small[20];

    (void)state;
    change.refs[0] = (struct ps_ref){.table = 2, .page = 5, .off = 32, .len = 8};
    change.refs[1] = (struct ps_ref){
        .table = 2, .fork = 1, .off = 64, .len = 16, .flags = PS_REF_BEFORE, .before_len = 16};
    ps_record_format(&change, text, sizeof(text));
    assert_string_equal(text,
                        "          4512           4160        3 change         2          5      "
                        "32       8 also=2:0:64:16 map before=16 end");
    ps_record_format(&table, text, sizeof(text));
    assert_string_equal(text,
                        "            99              0        0 create         -          -      "
                        " -       - id=7 name=a\\x20\\x0abc");
    ps_record_format(&change, small, sizeof(small));
    assert_int_equal(strlen(small), sizeof(small) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoded_record_is_decoded_to_itself),
        cmocka_unit_test(truncated_record_is_refused),
        cmocka_unit_test(record_with_any_flipped_bit_is_refused),
        cmocka_unit_test(record_of_another_position_is_refused),
        cmocka_unit_test(record_with_hostile_fields_is_refused_under_a_right_checksum),
        cmocka_unit_test(any_bytes_under_a_right_checksum_are_survived),
        cmocka_unit_test(block_with_any_flipped_bit_is_refused),
        cmocka_unit_test(block_takes_no_sound_record_that_is_not_its_own),
        cmocka_unit_test(block_with_hostile_lengths_is_refused),
        cmocka_unit_test(block_has_the_golden_bytes),
        cmocka_unit_test(records_are_shown_as_lines_of_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
