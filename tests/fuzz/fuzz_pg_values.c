/* libFuzzer target: any bytes as a value of any type of PostgreSQL, or as a tuple of some. The
 * first two bytes choose the type: one of a base type's OID, or one of those below, or a row of
 * them. What is stored outside of a tuple is the same bytes again. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pg/catalog_builtin.h"
#include "pg/output_internal.h"

enum {
    OID_ENUM = 20000,
    OID_DOMAIN, /* over itself in the end */
    OID_ROW,    /* which has fields of its own type, and of arrays of it */
    OID_ROWS,
    OID_RANGE,
    OID_MULTIRANGE,
    OID_UNKNOWN,
    OID_TUPLE, /* not a type: a heap's tuple with all of FIELDS */
};

static const struct ps_pg_type own_types[] = {
    {.oid = OID_ENUM, .len = 4, .align = 'i', .kind = 'e', .delim = ','},
    {.oid = OID_DOMAIN, .len = -1, .align = 'i', .kind = 'd', .delim = ',', .base = OID_DOMAIN},
    {.oid = OID_ROW, .len = -1, .align = 'd', .kind = 'c', .delim = ',', .row = OID_ROW},
    {.oid = OID_ROWS, .len = -1, .align = 'd', .kind = 'b', .delim = ',', .elem = OID_ROW},
    {.oid = OID_RANGE, .len = -1, .align = 'i', .kind = 'r', .delim = ',', .base = 25},
    {.oid = OID_MULTIRANGE, .len = -1, .align = 'i', .kind = 'm', .delim = ',', .base = OID_RANGE},
};

#define FIELD(type_, len_, align_)                               \
    {                                                            \
        .name = "f", .type = type_, .len = len_, .align = align_ \
    }
static struct ps_pg_attr fields[] = {
    FIELD(23, 4, 'i'),         FIELD(25, -1, 'i'),   FIELD(OID_ROW, -1, 'd'),  FIELD(1700, -1, 'i'),
    FIELD(3802, -1, 'i'),      FIELD(1009, -1, 'i'), FIELD(OID_ROWS, -1, 'd'), FIELD(16, 1, 'c'),
    FIELD(OID_RANGE, -1, 'i'), FIELD(1184, 8, 'd'),  FIELD(2275, -2, 'c'),     FIELD(18, 1, 'c'),
};
static const struct ps_pg_desc desc = {.count = sizeof(fields) / sizeof(fields[0]),
                                       .attrs = fields};

static const struct ps_pg_type *type_of(void *ctx, ps_oid oid)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof(own_types) / sizeof(own_types[0]); i++)
        if (own_types[i].oid == oid)
            return &own_types[i];
    return NULL;
}

static const struct ps_pg_desc *row_of(void *ctx, ps_oid relation)
{
    (void)ctx;
    return relation == OID_ROW ? &desc : NULL;
}

static const char *enum_label_of(void *ctx, ps_oid value)
{
    (void)ctx;
    return value % 2 ? "a \"label\"" : NULL;
}

static bool reg_name_of(void *ctx, ps_oid type, ps_oid value, char *buf, size_t len)
{
    (void)ctx;
    snprintf(buf, len, type == 4096 ? "\"ro\"\"le %u\"" : "name%u", value);
    return value % 2;
}

struct input {
    const uint8_t *data;
    size_t len;
};

static ps_err fetch(void *ctx, const struct ps_pg_external *external, struct ps_text *out)
{
    const struct input *in = ctx;

    ps_text_add(out, in->data, in->len < external->stored_len ? in->len : external->stored_len);
    return PS_OK;
}

static void print_tuple(struct ps_pg_printer *printer, const uint8_t *data, uint32_t len,
                        struct ps_text *out)
{
    struct ps_pg_value values[sizeof(fields) / sizeof(fields[0])];
    struct ps_pg_tuple tuple;
    uint32_t good;

    if (ps_pg_tuple_parse(data, len, &tuple) || ps_pg_tuple_values(&tuple, &desc, values, &good))
        return;
    if (ps_pg_csv_row(printer, &desc, values, out) ? out->len != 0
                                                   : out->data[out->len - 1] != '\n')
        abort(); /* all of a row or nothing */
}

static void print_value(struct ps_pg_printer *printer, ps_oid oid, const uint8_t *data,
                        uint32_t len, struct ps_text *out)
{
    const struct ps_pg_type *type = type_of(NULL, oid);
    struct ps_pg_attr attr = {.len = -1, .align = 'i'};
    struct ps_pg_value value;
    uint32_t at = 0;

    if (!type)
        type = ps_pg_builtin_type(oid);
    if (type) {
        attr.len = type->len;
        attr.align = type->align;
    }
    if (ps_pg_value_take(&attr, data, len, &at, &value))
        return;
    if (at > len)
        abort();
    if (ps_pg_print(printer, oid, &value, out))
        return;
    ps_pg_csv_quote_tail(out, 0, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ps_pg_types types = {
        .type = type_of, .row = row_of, .enum_label = enum_label_of, .reg_name = reg_name_of};
    struct input in = {data, len};
    struct ps_pg_toaster toaster = {.fetch = fetch, .ctx = &in};
    struct ps_pg_printer *printer;
    struct ps_text out = {0};
    ps_oid oid;

    if (len < 2 || ps_pg_printer_new(&types, &toaster, NULL, NULL, &printer))
        return 0;
    oid = ps_get16_at(data);
    in = (struct input){data + 2, len - 2};
    if (oid == OID_TUPLE)
        print_tuple(printer, in.data, (uint32_t)in.len, &out);
    else
        print_value(printer, oid, in.data, (uint32_t)in.len, &out);
    ps_text_deinit(&out);
    ps_pg_printer_free(printer);
    return 0;
}
