/* Heap tuples and toasted values, judged by what PostgreSQL 15 says of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>

#include "csv.h"
#include "pg_truth.h"

/* ---- the corpus ---- */

static uint32_t unhex(const char *from, size_t digits, uint8_t *to)
{
    char digit[3] = {0};

    for (size_t i = 0; i + 1 < digits; i += 2) {
        memcpy(digit, from + i, 2);
        to[i / 2] = (uint8_t)strtoul(digit, NULL, 16);
    }
    return (uint32_t)(digits / 2);
}

/* Takes one element of an array of bytea off its text; false: it is NULL. */
static bool next_attr(const char **text, uint8_t *raw, uint32_t *ret_len)
{
    const char *at = *text + 1; /* behind { or , */
    size_t digits;

    if (!strncmp(at, "NULL", 4)) {
        *text = at + 4;
        return false;
    }
    assert_memory_equal(at, "\"\\\\x", 4);
    digits = strspn(at + 4, "0123456789abcdef");
    *ret_len = unhex(at + 4, digits, raw);
    *text = at + 4 + digits + 1;
    return true;
}

static void assert_value_is(const struct ps_pg_value *v, const struct ps_pg_attr *attr,
                            const uint8_t *raw, uint32_t len)
{
    uint32_t word;

    if (v->form == PS_PG_EXTERNAL) {
        assert_int_equal(len, 18);
        memcpy(&word, raw + 2, 4);
        assert_int_equal(v->external.raw_len, word - 4);
        memcpy(&word, raw + 10, 4);
        assert_int_equal(v->external.value, word);
        memcpy(&word, raw + 14, 4);
        assert_int_equal(v->external.relation, word);
        return;
    }
    assert_true(v->form == PS_PG_PLAIN || v->form == PS_PG_COMPRESSED);
    if (attr->len > 0)
        assert_int_equal(v->len, len);
    else
        assert_int_equal(len - v->len,
                         v->form == PS_PG_COMPRESSED ? 8 : ((raw[0] & 1) != 0 ? 1 : 4));
    assert_memory_equal(v->data, raw + len - v->len, v->len);
}

static void assert_tuple_is(const struct ps_pg_tuple *tuple, const struct ps_pg_desc *desc,
                            const char *attrs)
{
    static uint8_t raw[1 << 16];
    struct ps_pg_value values[PS_PG_ATTRS_MAX];
    uint32_t good, len;

    assert_int_equal(ps_pg_tuple_values(tuple, desc, values, &good), PS_OK);
    assert_int_equal(good, desc->count);
    for (uint32_t i = 0; i < desc->count; i++) {
        if (next_attr(&attrs, raw, &len))
            assert_value_is(&values[i], &desc->attrs[i], raw, len);
        else
            assert_int_equal(values[i].form, PS_PG_NULL);
    }
    assert_string_equal(attrs, "}");
}

static void values_are_those_that_pageinspect_takes_out(void **state)
{
    struct pg_truth *truth = pg_truth_open(*state);
    char path[600];
    struct csv *csv = csv_open(corpus_path(*state, "truth/heap_page_item_attrs.csv", path));
    const struct ps_pg_desc *desc;
    struct ps_pg_tuple tuple;
    const uint8_t *item;
    unsigned tuples = 0;
    uint32_t len;

    while (csv_next(csv)) {
        desc = pg_truth_desc(truth, csv_field(csv, "relname"));
        if (!pg_truth_item(truth, csv_field(csv, "fpath"), (uint32_t)csv_number(csv, "blk"),
                           (uint32_t)csv_number(csv, "lp"), &item, &len))
            continue;
        assert_int_equal(ps_pg_tuple_parse(item, len, &tuple), PS_OK);
        assert_tuple_is(&tuple, desc, csv_field(csv, "t_attrs"));
        tuples++;
    }
    assert_true(tuples > 500);
    csv_close(csv);
    pg_truth_close(truth);
}

static void assert_header_is(const struct ps_pg_tuple *t, const struct csv *csv)
{
    char ctid[32];

    assert_int_equal(t->xmin, (uint32_t)csv_number(csv, "t_xmin"));
    assert_int_equal(t->xmax, (uint32_t)csv_number(csv, "t_xmax"));
    assert_int_equal(t->field3, (uint32_t)csv_number(csv, "t_field3"));
    assert_int_equal(t->infomask2, csv_number(csv, "t_infomask2"));
    assert_int_equal(t->infomask, csv_number(csv, "t_infomask"));
    assert_int_equal(t->hoff, csv_number(csv, "t_hoff"));
    assert_int_equal(t->nulls != NULL, csv_field(csv, "t_bits")[0] != 0);
    snprintf(ctid, sizeof(ctid), "(%u,%u)", t->ctid_block, t->ctid_slot);
    assert_string_equal(ctid, csv_field(csv, "t_ctid"));
}

static void headers_are_those_that_pageinspect_reads(void **state)
{
    struct pg_truth *truth = pg_truth_open(*state);
    char path[600];
    struct csv *csv = csv_open(corpus_path(*state, "truth/heap_page_items.csv", path));
    struct ps_pg_tuple tuple;
    const uint8_t *item;
    unsigned tuples = 0;
    uint32_t len;

    while (csv_next(csv)) {
        if (csv_number(csv, "lp_flags") != 1)
            continue;
        assert_true(pg_truth_item(truth, csv_field(csv, "fpath"), (uint32_t)csv_number(csv, "blk"),
                                  (uint32_t)csv_number(csv, "lp"), &item, &len));
        assert_int_equal(ps_pg_tuple_parse(item, len, &tuple), PS_OK);
        assert_header_is(&tuple, csv);
        tuples++;
    }
    assert_true(tuples > 1000);
    csv_close(csv);
    pg_truth_close(truth);
}

/* ---- damage ---- */

static void assert_fails(ps_err err, ps_err expected, const char *word)
{
    assert_int_equal(err, expected);
    if (!strstr(ps_message(), word))
        fail_msg("no \"%s\" in: %s", word, ps_message());
}

static void parse_rejects_headers_that_claim_what_is_not_there(void **state)
{
    struct ps_pg_tuple t;
    uint8_t bytes[32] = {0};

    (void)state;
    bytes[22] = 24;
    assert_int_equal(ps_pg_tuple_parse(bytes, 24, &t), PS_OK);
    assert_fails(ps_pg_tuple_parse(bytes, 22, &t), PS_ERR_CORRUPT, "lp_len");
    assert_fails(ps_pg_tuple_parse(bytes, 23, &t), PS_ERR_CORRUPT, "t_hoff");
    bytes[22] = 20;
    assert_fails(ps_pg_tuple_parse(bytes, 32, &t), PS_ERR_CORRUPT, "t_hoff");
    bytes[22] = 24;
    bytes[18] = 9, bytes[20] = PS_PG_HASNULL; /* nine attributes: two bytes of bitmap */
    assert_fails(ps_pg_tuple_parse(bytes, 32, &t), PS_ERR_CORRUPT, "t_hoff");
    assert_int_equal(t.natts, 9); /* the header can be shown all the same */
    bytes[18] = 8;
    assert_int_equal(ps_pg_tuple_parse(bytes, 32, &t), PS_OK);
    assert_ptr_equal(t.nulls, bytes + 23);
    bytes[18] = 0x81, bytes[19] = 0x06; /* 1665 */
    assert_fails(ps_pg_tuple_parse(bytes, 32, &t), PS_ERR_CORRUPT, "natts");
}

static void values_of_a_tuple_with_too_many_attributes_are_refused(void **state)
{
    struct ps_pg_desc desc = {0};
    struct ps_pg_tuple t;
    uint8_t bytes[24] = {[18] = 1, [22] = 24};
    uint32_t good;

    (void)state;
    assert_int_equal(ps_pg_tuple_parse(bytes, 24, &t), PS_OK);
    assert_fails(ps_pg_tuple_values(&t, &desc, NULL, &good), PS_ERR_CORRUPT, "natts");
    assert_int_equal(good, 0);
}

static const struct ps_pg_attr text_attr = {.name = "t", .type = 25, .len = -1, .align = 'i'};
static const struct ps_pg_attr int_attr = {.name = "i", .type = 23, .len = 4, .align = 'i'};
static const struct ps_pg_attr name_attr = {.name = "c", .type = 2275, .len = -2, .align = 'c'};

static void take_fails(const struct ps_pg_attr *attr, const void *bytes, uint32_t len)
{
    uint8_t *copy = calloc(len > 0 ? len : 1, 1); /* so that a sanitizer sees what is beyond */
    struct ps_pg_value v;
    uint32_t at = 0;

    memcpy(copy, bytes, len);
    assert_int_equal(ps_pg_value_take(attr, copy, len, &at, &v), PS_ERR_CORRUPT);
    assert_int_equal(at, 0);
    free(copy);
}

static void take_never_reads_past_the_end(void **state)
{
    (void)state;
    take_fails(&text_attr, "", 0);
    take_fails(&text_attr,
               "\x09"
               "abc",
               3);                                     /* four bytes, a short header */
    take_fails(&text_attr, "\x14\0\0\0a", 4);          /* five bytes, a long one */
    take_fails(&text_attr, "\x08\0\0\0", 4);           /* two, less than the header */
    take_fails(&text_attr, "\x10\0\0", 3);             /* half a header */
    take_fails(&text_attr, "\x16\0\0\0a", 5);          /* compressed, no raw size */
    take_fails(&text_attr, "\x22\0\0\0\1\0\0\xc0", 8); /* of a method that does not exist */
    take_fails(&text_attr, "\x01", 1);                 /* half a toast pointer */
    take_fails(&text_attr, "\x01\x12\x08\0\0\0", 6);
    take_fails(&text_attr, "\x01\x02\0\0\0\0\0\0", 8); /* a pointer into memory */
    take_fails(&int_attr, "\1\2\3", 3);
    take_fails(&name_attr, "abc", 3);
}

static void take_aligns_all_but_short_headers(void **state)
{
    static const uint8_t bytes[] = {9, 'a', 'b', 'c', 5, 'd', 0, 0, 7, 0, 0, 0, 0x14, 0, 0, 0, 'e'};
    struct ps_pg_value v;
    uint32_t at = 0;

    (void)state;
    assert_int_equal(ps_pg_value_take(&text_attr, bytes, sizeof(bytes), &at, &v), PS_OK);
    assert_int_equal(v.len, 3);
    assert_int_equal(ps_pg_value_take(&text_attr, bytes, sizeof(bytes), &at, &v), PS_OK);
    assert_ptr_equal(v.data, bytes + 5);
    assert_int_equal(ps_pg_value_take(&int_attr, bytes, sizeof(bytes), &at, &v), PS_OK);
    assert_int_equal(v.data[0], 7);
    assert_int_equal(ps_pg_value_take(&text_attr, bytes, sizeof(bytes), &at, &v), PS_OK);
    assert_ptr_equal(v.data, bytes + 16);
    assert_int_equal(at, sizeof(bytes));
}

static void rows_older_than_an_attribute_have_its_missing_value(void **state)
{
    uint8_t missing[] = {9, 'o', 'l', 'd'};
    struct ps_pg_attr attrs[] = {int_attr, text_attr, text_attr};
    struct ps_pg_desc desc = {.count = 3, .attrs = attrs};
    uint8_t bytes[28] = {[18] = 1, [22] = 24, [24] = 5};
    struct ps_pg_value values[3];
    struct ps_pg_tuple t;
    uint32_t good;

    (void)state;
    attrs[1].has_missing = true;
    attrs[1].missing = missing;
    attrs[1].missing_len = sizeof(missing);
    assert_int_equal(ps_pg_tuple_parse(bytes, sizeof(bytes), &t), PS_OK);
    assert_int_equal(ps_pg_tuple_values(&t, &desc, values, &good), PS_OK);
    assert_int_equal(values[0].data[0], 5);
    assert_memory_equal(values[1].data, "old", 3);
    assert_int_equal(values[2].form, PS_PG_NULL);
}

static void values_before_a_bad_one_are_good(void **state)
{
    struct ps_pg_attr attrs[] = {int_attr, text_attr};
    struct ps_pg_desc desc = {.count = 2, .attrs = attrs};
    uint8_t bytes[29] = {[18] = 2, [22] = 24, [24] = 5, [28] = 0xff};
    struct ps_pg_value values[2];
    struct ps_pg_tuple t;
    uint32_t good;

    (void)state;
    assert_int_equal(ps_pg_tuple_parse(bytes, sizeof(bytes), &t), PS_OK);
    assert_fails(ps_pg_tuple_values(&t, &desc, values, &good), PS_ERR_CORRUPT, "attribute 2 (t)");
    assert_int_equal(good, 1);
    assert_int_equal(values[0].data[0], 5);
}

/* ---- compressed and external values ---- */

static void pglz_unfolds_literals_runs_and_overlapping_runs(void **state)
{
    static const uint8_t packed[] = {0x18, 'a', 'b', 'c', 0x0f, 3, 255, 0x01, 3, 'd'};
    struct ps_text out = {0};

    (void)state;
    assert_int_equal(ps_pglz_decompress(packed, sizeof(packed), 3 + 273 + 4 + 1, &out), PS_OK);
    assert_int_equal(out.len, 281);
    for (size_t i = 0; i < 280; i++)
        assert_int_equal(out.data[i], "abc"[i % 3]);
    assert_int_equal(out.data[280], 'd');
    ps_text_deinit(&out);
}

static void pglz_rejects_what_does_not_unfold_to_its_claim(void **state)
{
    static const uint8_t early[] = {0x01, 0x00, 1};
    static const uint8_t cut[] = {0x02, 'a', 0x0f, 1};
    struct ps_text out = {0};

    (void)state;
    assert_int_equal(ps_pglz_decompress(early, 3, 3, &out), PS_ERR_CORRUPT);
    assert_int_equal(ps_pglz_decompress(cut, 4, 19, &out), PS_ERR_CORRUPT);
    assert_int_equal(ps_pglz_decompress((const uint8_t *)"\0ab", 3, 3, &out), PS_ERR_CORRUPT);
    assert_int_equal(ps_pglz_decompress((const uint8_t *)"\0ab", 3, 1, &out), PS_ERR_CORRUPT);
    assert_int_equal(out.len, 0);
    ps_text_deinit(&out);
}

static void nothing_is_allocated_for_a_claim_alone(void **state)
{
    struct ps_pg_value v = {.form = PS_PG_COMPRESSED,
                            .data = (const uint8_t *)"0123456789",
                            .len = 10,
                            .raw_len = (1u << 30) - 1};
    struct ps_text buf = {0};
    const uint8_t *data;
    uint32_t len;

    (void)state;
    assert_int_equal(ps_pg_detoast(&v, NULL, &buf, &data, &len), PS_ERR_CORRUPT);
    v.compression = PS_PG_LZ4;
    assert_int_equal(ps_pg_detoast(&v, NULL, &buf, &data, &len), PS_ERR_CORRUPT);
    assert_int_equal(buf.cap, 0);
    ps_text_deinit(&buf);
}

struct stored {
    const void *data;
    size_t len;
};

static ps_err fetch_stored(void *ctx, const struct ps_pg_external *external, struct ps_text *out)
{
    const struct stored *s = ctx;

    (void)external;
    ps_text_add(out, s->data, s->len);
    return PS_OK;
}

static void external_values_are_fetched_and_unfolded(void **state)
{
    char plain[5000], packed[4 + LZ4_COMPRESSBOUND(sizeof(plain))];
    struct stored stored = {.data = packed};
    struct ps_pg_toaster toaster = {.fetch = fetch_stored, .ctx = &stored};
    struct ps_pg_value v = {.form = PS_PG_EXTERNAL, .external = {.value = 7, .relation = 8}};
    uint32_t header = sizeof(plain) | 1u << 30;
    struct ps_text buf = {0};
    const uint8_t *data;
    uint32_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (char)(i * i >> 5);
    memcpy(packed, &header, 4);
    stored.len =
        4 + (size_t)LZ4_compress_default(plain, packed + 4, sizeof(plain), (int)sizeof(packed) - 4);
    v.external.raw_len = sizeof(plain);
    v.external.stored_len = (uint32_t)stored.len;
    v.external.compression = PS_PG_LZ4;
    assert_int_equal(ps_pg_detoast(&v, &toaster, &buf, &data, &len), PS_OK);
    assert_int_equal(len, sizeof(plain));
    assert_memory_equal(data, plain, sizeof(plain));

    assert_fails(ps_pg_detoast(&v, NULL, &buf, &data, &len), PS_ERR_NOENT, "toast-missing");
    v.external.raw_len++;
    assert_fails(ps_pg_detoast(&v, &toaster, &buf, &data, &len), PS_ERR_CORRUPT, "value 7");
    stored.len--;
    assert_fails(ps_pg_detoast(&v, &toaster, &buf, &data, &len), PS_ERR_CORRUPT, "value 7");

    stored = (struct stored){.data = plain, .len = sizeof(plain)};
    v.external.raw_len = v.external.stored_len = sizeof(plain);
    assert_int_equal(ps_pg_detoast(&v, &toaster, &buf, &data, &len), PS_OK);
    assert_memory_equal(data, plain, sizeof(plain));
    ps_text_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_that_pageinspect_takes_out),
        cmocka_unit_test(headers_are_those_that_pageinspect_reads),
        cmocka_unit_test(parse_rejects_headers_that_claim_what_is_not_there),
        cmocka_unit_test(values_of_a_tuple_with_too_many_attributes_are_refused),
        cmocka_unit_test(take_never_reads_past_the_end),
        cmocka_unit_test(take_aligns_all_but_short_headers),
        cmocka_unit_test(rows_older_than_an_attribute_have_its_missing_value),
        cmocka_unit_test(values_before_a_bad_one_are_good),
        cmocka_unit_test(pglz_unfolds_literals_runs_and_overlapping_runs),
        cmocka_unit_test(pglz_rejects_what_does_not_unfold_to_its_claim),
        cmocka_unit_test(nothing_is_allocated_for_a_claim_alone),
        cmocka_unit_test(external_values_are_fetched_and_unfolded),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
