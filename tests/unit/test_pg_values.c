/* Values as PostgreSQL prints them, and rows as its COPY writes them. tests/judge/pg_values.sh has
 * PostgreSQL itself judge every type; here are the corpus' rows, what version 15 does not have, and
 * bytes that are no values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csv.h"
#include "format_test.h"
#include "pg_truth.h"
#include "pg/catalog_builtin.h"
#include "pg/output_internal.h"

/* ---- the corpus ---- */

static void add_row(struct pg_truth *truth, struct ps_pg_printer *printer,
                    const struct ps_pg_desc *desc, const char *file, const struct csv *csv,
                    struct ps_text *out)
{
    struct ps_pg_value values[PS_PG_ATTRS_MAX];
    struct ps_pg_tuple tuple;
    const uint8_t *item;
    uint32_t len, good;
    unsigned blk, lp;

    assert_int_equal(sscanf(csv_field(csv, "ctid"), "(%u,%u)", &blk, &lp), 2);
    assert_true(pg_truth_item(truth, file, blk, lp, &item, &len));
    assert_int_equal(ps_pg_tuple_parse(item, len, &tuple), PS_OK);
    assert_int_equal(ps_pg_tuple_values(&tuple, desc, values, &good), PS_OK);
    ps_text_printf(out, "\"(%u,%u)\",%u,%u,%s,", blk, lp, tuple.xmin, tuple.xmax,
                   csv_field(csv, "cmin"));
    if (ps_pg_csv_row(printer, desc, values, out))
        fail_msg("%s (%u,%u): %s", file, blk, lp, ps_message());
}

static void assert_same_text(const char *what, const struct ps_text *text, const char *expected,
                             size_t len)
{
    size_t at = 0;

    while (at < len && at < text->len && text->data[at] == expected[at])
        at++;
    if (at < len || at < text->len)
        fail_msg("%s: byte %zu: %.*s\n instead of %.*s", what, at,
                 (int)(text->len - at < 100 ? text->len - at : 100), text->data + at,
                 (int)(len - at < 100 ? len - at : 100), expected + at);
}

/* All of a relation's rows that COPY printed, as one text. */
static void compare_rows(const struct corpus *corpus, struct pg_truth *truth,
                         struct ps_pg_printer *printer, const char *relation, const char *file)
{
    const struct ps_pg_desc *desc = pg_truth_desc(truth, relation);
    char path[600], name[128];
    struct ps_text out = {0};
    unsigned char *expected;
    struct csv *csv;
    size_t len;

    snprintf(name, sizeof(name), "truth/rows/%s.csv", relation);
    expected = read_whole_file(corpus_path(corpus, name, path), &len);
    csv = csv_open(path);
    ps_text_printf(&out, "ctid,xmin,xmax,cmin,");
    ps_pg_csv_header(desc, &out);
    while (csv_next(csv))
        add_row(truth, printer, desc, file, csv, &out);
    csv_close(csv);
    assert_same_text(relation, &out, (const char *)expected, len);
    free(expected);
    ps_text_deinit(&out);
}

static void rows_are_those_that_copy_writes(void **state)
{
    static const char *const relations[][2] = {
        {"t_mixed", "base/16384/16497"},
        {"t_toast", "base/16384/16511"},
        {"t_hot", "base/16384/16504"},
        {"pg_toast_16511", "base/16384/16514"},
    };
    struct pg_truth *truth = pg_truth_open(*state);
    struct ps_pg_types types = pg_truth_types(truth);
    struct ps_pg_toaster toaster = pg_truth_toaster(truth);
    struct ps_pg_printer *printer;

    assert_int_equal(ps_pg_printer_new(&types, &toaster, NULL, NULL, &printer), PS_OK);
    for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++)
        compare_rows(*state, truth, printer, relations[i][0], relations[i][1]);
    ps_pg_printer_free(printer);
    pg_truth_close(truth);
}

/* ---- single values ---- */

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static unsigned told;

static void tell(void *ctx, ps_oid type)
{
    (void)ctx;
    (void)type;
    told++;
}

static ps_err print(const struct ps_pg_types *types, ps_oid type, const uint8_t *data, size_t len,
                    struct ps_text *out)
{
    struct ps_pg_value value = {.form = PS_PG_PLAIN, .len = (uint32_t)len};
    uint8_t *copy = malloc(len > 0 ? len : 1); /* so that a sanitizer sees what is beyond */
    struct ps_pg_printer *printer;
    ps_err err;

    if (len > 0)
        memcpy(copy, data, len);
    value.data = copy;
    assert_int_equal(ps_pg_printer_new(types, NULL, tell, NULL, &printer), PS_OK);
    err = ps_pg_print(printer, type, &value, out);
    ps_pg_printer_free(printer);
    free(copy);
    return err;
}

static void prints(ps_oid type, const uint8_t *data, size_t len, const char *expected)
{
    struct ps_text out = {0};

    if (print(NULL, type, data, len, &out))
        fail_msg("%s", ps_message());
    ps_pg_add_char(&out, 0);
    assert_string_equal(out.data, expected);
    ps_text_deinit(&out);
}

static void is_corrupt(ps_oid type, const uint8_t *data, size_t len)
{
    struct ps_text out = {0};

    assert_int_equal(print(NULL, type, data, len, &out), PS_ERR_CORRUPT);
    ps_text_deinit(&out);
}

static void what_later_versions_have_is_printed(void **state)
{
    (void)state;
    /* infinite intervals since 17 */
    prints(1186, BYTES("\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f"),
           "infinity");
    prints(1186, BYTES("\0\0\0\0\0\0\0\x80\0\0\0\x80\0\0\0\x80"), "-infinity");
    /* 64 bits of rights since 16, MAINTAIN since 17 */
    prints(1033, BYTES("\0\0\0\0\x0a\0\0\0\x02\x40\0\0\x02\0\0\0"), "=r*m/10");
    /* methods of jsonpath since 17 */
    prints(4072, BYTES("\1\0\0\x80\x1b\0\0\0\x08\0\0\0\x2b\0\0\0\0\0\0\0"), "$.bigint()");
}

static void values_at_the_ends_of_their_types_are_printed(void **state)
{
    (void)state;
    prints(20, BYTES("\0\0\0\0\0\0\0\x80"), "-9223372036854775808");
    prints(790, BYTES("\0\0\0\0\0\0\0\x80"), "-$92,233,720,368,547,758.08");
    prints(701, BYTES("\1\0\0\0\0\0\0\0"), "5e-324");
    prints(701, BYTES("\xff\xff\xff\xff\xff\xff\xef\x7f"), "1.7976931348623157e+308");
    prints(700, BYTES("\xff\xff\x7f\x7f"), "3.4028235e+38");
    prints(700, BYTES("\0\0\0\x80"), "-0");
    prints(1082, BYTES("\xff\xff\xff\x7f"), "infinity");
    prints(1114, BYTES("\0\0\0\0\0\0\0\x80"), "-infinity");
    prints(1186, BYTES("\0\0\0\0\0\0\0\x80\0\0\0\x80\0\0\0\0"),
           "-2147483648 days -2562047788:00:54.775808");
    prints(18, BYTES("\0"), "");
    prints(18, BYTES("\xe9"), "\\351");
}

static void numbers_that_are_none_are_corrupt(void **state)
{
    (void)state;
    is_corrupt(23, BYTES("\1\2\3"));
    is_corrupt(1700, BYTES("\1"));
    is_corrupt(1700, BYTES("\0\x80\x10\x27")); /* a digit of 10000 */
    is_corrupt(1700, BYTES("\0\x80\x10"));     /* half a digit */
    is_corrupt(1700, BYTES("\0\xe0"));         /* special, but which? */
    is_corrupt(1082, BYTES("\1\0\0\x80"));     /* before Julian day 0 */
    is_corrupt(1114, BYTES("\1\0\0\0\0\0\0\x80"));
    is_corrupt(1083, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"));
    is_corrupt(1266, BYTES("\0\0\0\0\0\0\0\0\0\0\0\x80"));
    is_corrupt(1560, BYTES("\xff\xff\xff\xff"));
    is_corrupt(869, BYTES("\2\x21\1\2\3\4")); /* 33 bits of mask */
    is_corrupt(869, BYTES("\3\x20\1\2\3\4"));
}

static void arrays_that_claim_what_is_not_there_are_corrupt(void **state)
{
    (void)state;
    prints(1007, BYTES("\0\0\0\0\0\0\0\0\x17\0\0\0"), "{}");
    is_corrupt(1007, BYTES("\7\0\0\0\0\0\0\0\x17\0\0\0"));
    is_corrupt(1007, BYTES("\1\0\0\0\0\0\0\0\x17\0\0\0"));
    is_corrupt(1007, BYTES("\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\5\0\0\0"));
    is_corrupt(1007, BYTES("\1\0\0\0\0\0\0\0\x17\0\0\0\xff\xff\xff\xff\1\0\0\0\5\0\0\0"));
    is_corrupt(1007, BYTES("\2\0\0\0\0\0\0\0\x17\0\0\0\0\0\1\0\0\0\1\0\1\0\0\0\1\0\0\0"));
    is_corrupt(1007, BYTES("\1\0\0\0\x17\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\5\0\0\0"));
    is_corrupt(1007, BYTES("\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\xff\xff\xff\x7f\5\0\0\0"));
    is_corrupt(22, BYTES("\1\0\0\0\0\0\0\0\x15\0\0\0\2\0\0\0\0\0\0\0\5\0\5"));
}

static void containers_that_lie_in_one_another_are_corrupt(void **state)
{
    (void)state;
    prints(3802, BYTES("\2\0\0\x40\0\0\0\x40\0\0\0\x20"), "[null, false]");
    is_corrupt(3802, BYTES("\2\0\0\x40\1\0\0\0\0\0\0\x80"
                           "a")); /* ends before it begins */
    is_corrupt(3802, BYTES("\1\0\0\x40\2\0\0\0"
                           "a"));
    is_corrupt(3802, BYTES("\xff\xff\xff\x4f\0\0\0\0"));
    is_corrupt(3802, BYTES("\1\0\0\x20\0\0\0\x40\0\0\0\x40")); /* a key that is null */
    is_corrupt(3802, BYTES("\1\0\0\x40\4\0\0\x50\1\0\0\0"));
    is_corrupt(3802, BYTES("\0\0\0\x60"));
    /* tsvector: two lexemes of the same bytes; tsquery: an operator without operands */
    is_corrupt(3614, BYTES("\2\0\0\0\2\0\0\0\2\0\0\0"
                           "a"));
    is_corrupt(3615, BYTES("\1\0\0\0\2\2\0\0\1\0\0\0\0\0\0\0"));
    /* jsonpath: $ whose next node is itself */
    is_corrupt(4072, BYTES("\1\0\0\x80\x1b\0\0\0\xff\xff\xff\xff"));
}

static void types_that_are_not_known_print_their_bytes_and_are_told_once(void **state)
{
    struct ps_pg_attr attrs[] = {{.name = "a", .type = 99999}, {.name = "b", .type = 99999}};
    struct ps_pg_desc desc = {.count = 2, .attrs = attrs};
    struct ps_pg_value values[2] = {
        {.form = PS_PG_PLAIN, .data = (const uint8_t *)"\1\xab", .len = 2},
        {.form = PS_PG_PLAIN, .data = (const uint8_t *)"", .len = 0}};
    struct ps_pg_printer *printer;
    struct ps_text out = {0};

    (void)state;
    told = 0;
    assert_int_equal(ps_pg_printer_new(NULL, NULL, tell, NULL, &printer), PS_OK);
    assert_int_equal(ps_pg_csv_row(printer, &desc, values, &out), PS_OK);
    ps_pg_add_char(&out, 0);
    assert_string_equal(out.data, "\\x01ab,\\x\n");
    assert_int_equal(told, 1);
    ps_pg_printer_free(printer);
    ps_text_deinit(&out);
}

/* ---- types of their own ---- */

enum { LOOP = 30000, ROW, DOMAIN_OF_TEXT, ENUM };

static const struct ps_pg_type *own_type(void *ctx, ps_oid oid)
{
    static const struct ps_pg_type types[] = {
        {.oid = LOOP, .len = -1, .align = 'i', .kind = 'd', .base = LOOP},
        {.oid = ROW, .len = -1, .align = 'i', .kind = 'c', .row = ROW},
        {.oid = DOMAIN_OF_TEXT, .len = -1, .align = 'i', .kind = 'd', .base = 25},
        {.oid = ENUM, .len = 4, .align = 'i', .kind = 'e'},
    };

    (void)ctx;
    return oid >= LOOP && oid <= ENUM ? &types[oid - LOOP] : NULL;
}

static const struct ps_pg_desc *own_row(void *ctx, ps_oid relation)
{
    static struct ps_pg_attr attrs[] = {{.type = ROW, .len = -1, .align = 'i'}};
    static const struct ps_pg_desc desc = {.count = 1, .attrs = attrs};

    (void)ctx;
    return relation == ROW ? &desc : NULL;
}

static const char *own_label(void *ctx, ps_oid value)
{
    (void)ctx;
    return value == 16486 ? "sad" : NULL;
}

static const struct ps_pg_types own = {.type = own_type, .row = own_row, .enum_label = own_label};

static void domains_print_as_what_they_are_made_of(void **state)
{
    struct ps_text out = {0};

    (void)state;
    assert_int_equal(print(&own, DOMAIN_OF_TEXT, BYTES("text"), &out), PS_OK);
    assert_int_equal(out.len, 4);
    told = 0;
    assert_int_equal(print(&own, LOOP, BYTES("text"), &out), PS_OK); /* as what is not known */
    assert_int_equal(told, 1);
    ps_text_deinit(&out);
}

static void an_enum_value_without_a_label_prints_its_oid(void **state)
{
    const uint8_t labelled[] = {0x66, 0x40, 0, 0}, other[] = {0x68, 0x40, 0, 0};
    struct ps_text out = {0};

    (void)state;
    told = 0;
    assert_int_equal(print(&own, ENUM, labelled, 4, &out), PS_OK);
    assert_int_equal(told, 0);
    assert_int_equal(print(&own, ENUM, other, 4, &out), PS_OK);
    assert_int_equal(told, 1);
    assert_int_equal(out.len, 8);
    assert_memory_equal(out.data, "sad16488", 8);
    ps_text_deinit(&out);
}

/* A row in a row in a row ...: each has one field, which is the next. */
static void values_that_are_nested_too_deep_are_corrupt(void **state)
{
    enum { LEVEL = 24 };
    uint8_t bytes[LEVEL * 20] = {0};
    struct ps_text out = {0};
    uint32_t word;

    (void)state;
    for (uint32_t i = 0; i < sizeof(bytes) / LEVEL; i++) {
        word = ((uint32_t)sizeof(bytes) - i * LEVEL) << 2;
        memcpy(bytes + i * LEVEL, &word, 4);
        bytes[i * LEVEL + 18] = 1;  /* natts */
        bytes[i * LEVEL + 22] = 24; /* t_hoff */
    }
    bytes[sizeof(bytes) - 6] = 0; /* the last has none */
    assert_int_equal(print(&own, ROW, bytes + sizeof(bytes) - 20, 20, &out), PS_OK);
    assert_int_equal(out.len, 2);
    assert_int_equal(print(&own, ROW, bytes + 4, sizeof(bytes) - 4, &out), PS_ERR_CORRUPT);
    assert_non_null(strstr(ps_message(), "deep"));
    ps_text_deinit(&out);
}

/* ---- CSV ---- */

static void field_is(const char *text, bool only, const char *expected)
{
    struct ps_text out = {0};

    ps_pg_csv_field(&out, text, text ? strlen(text) : 0, only);
    ps_pg_add_char(&out, 0);
    assert_string_equal(out.data, expected);
    ps_text_deinit(&out);
}

static void fields_are_quoted_where_copy_would(void **state)
{
    (void)state;
    field_is(NULL, false, "");
    field_is("", false, "\"\"");
    field_is("plain text, of", false, "\"plain text, of\"");
    field_is("nothing special here; not even 'this' \\ or \t", false,
             "nothing special here; not even 'this' \\ or \t");
    field_is("say \"so\"", false, "\"say \"\"so\"\"\"");
    field_is("\"", false, "\"\"\"\"");
    field_is("0123456\n", false, "\"0123456\n\"");
    field_is("01234567\r", false, "\"01234567\r\"");
    field_is("\\.", false, "\\.");
    field_is("\\.", true, "\"\\.\"");
}

static void quoting_finds_each_special_byte_at_each_place(void **state)
{
    char text[40];

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++)
        for (size_t at = 0; at < len; at++)
            for (const char *c = ",\"\n\r"; *c; c++) {
                struct ps_text out = {0};

                memset(text, 'x', len);
                text[at] = *c;
                ps_pg_csv_field(&out, text, len, false);
                assert_int_equal(out.data[0], '"');
                assert_int_equal(out.len, len + 2 + (*c == '"'));
                assert_int_equal(out.data[at + 1], *c);
                ps_text_deinit(&out);
            }
}

static void rows_leave_out_dropped_and_generated_columns(void **state)
{
    struct ps_pg_attr attrs[] = {{.name = "gone", .type = 23, .dropped = true},
                                 {.name = "a,b", .type = 25},
                                 {.name = "g", .type = 25, .generated = 's'}};
    struct ps_pg_desc desc = {.count = 3, .attrs = attrs};
    struct ps_pg_value values[3] = {
        {0}, {.form = PS_PG_PLAIN, .data = (const uint8_t *)"\\.", .len = 2}, {0}};
    struct ps_pg_printer *printer;
    struct ps_text out = {0};

    (void)state;
    assert_int_equal(ps_pg_printer_new(NULL, NULL, NULL, NULL, &printer), PS_OK);
    ps_pg_csv_header(&desc, &out);
    assert_int_equal(ps_pg_csv_row(printer, &desc, values, &out), PS_OK);
    ps_pg_add_char(&out, 0);
    assert_string_equal(out.data, "\"a,b\"\n\"\\.\"\n");
    ps_pg_printer_free(printer);
    ps_text_deinit(&out);
}

static void a_row_with_a_bad_value_adds_nothing(void **state)
{
    struct ps_pg_attr attrs[] = {{.name = "good", .type = 25}, {.name = "bad", .type = 23}};
    struct ps_pg_desc desc = {.count = 2, .attrs = attrs};
    struct ps_pg_value values[2] = {
        {.form = PS_PG_PLAIN, .data = (const uint8_t *)"text", .len = 4}, {.form = PS_PG_EXTERNAL}};
    struct ps_pg_printer *printer;
    struct ps_text out = {0};

    (void)state;
    assert_int_equal(ps_pg_printer_new(NULL, NULL, NULL, NULL, &printer), PS_OK);
    ps_text_add(&out, "before", 6);
    assert_int_equal(ps_pg_csv_row(printer, &desc, values, &out), PS_ERR_NOENT);
    assert_non_null(strstr(ps_message(), "column bad"));
    assert_int_equal(out.len, 6);
    ps_pg_printer_free(printer);
    ps_text_deinit(&out);
}

static void built_in_types_are_in_order_and_arrays_are_of_their_elements(void **state)
{
    uint32_t i, count;
    const struct ps_pg_type *types = ps_pg_builtin_types(&count), *array;

    (void)state;
    for (i = 0; i < count; i++) {
        assert_true(i == 0 || types[i].oid > types[i - 1].oid);
        assert_ptr_equal(ps_pg_builtin_type(types[i].oid), &types[i]);
        if (types[i].array == 0)
            continue;
        array = ps_pg_builtin_type(types[i].array);
        assert_non_null(array);
        assert_int_equal(array->elem, types[i].oid);
        assert_string_equal(array->name + 1, types[i].name);
        assert_int_equal(array->len, -1);
        assert_int_equal(array->align, types[i].align == 'd' ? 'd' : 'i');
        assert_int_equal(array->delim, types[i].delim);
    }
    assert_null(ps_pg_builtin_type(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_that_copy_writes),
        cmocka_unit_test(what_later_versions_have_is_printed),
        cmocka_unit_test(values_at_the_ends_of_their_types_are_printed),
        cmocka_unit_test(numbers_that_are_none_are_corrupt),
        cmocka_unit_test(arrays_that_claim_what_is_not_there_are_corrupt),
        cmocka_unit_test(containers_that_lie_in_one_another_are_corrupt),
        cmocka_unit_test(types_that_are_not_known_print_their_bytes_and_are_told_once),
        cmocka_unit_test(domains_print_as_what_they_are_made_of),
        cmocka_unit_test(an_enum_value_without_a_label_prints_its_oid),
        cmocka_unit_test(values_that_are_nested_too_deep_are_corrupt),
        cmocka_unit_test(fields_are_quoted_where_copy_would),
        cmocka_unit_test(quoting_finds_each_special_byte_at_each_place),
        cmocka_unit_test(rows_leave_out_dropped_and_generated_columns),
        cmocka_unit_test(a_row_with_a_bad_value_adds_nothing),
        cmocka_unit_test(built_in_types_are_in_order_and_arrays_are_of_their_elements),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
