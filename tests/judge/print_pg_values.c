/* Usage: print_pg_values FOLDER
 *
 * Reads values as they lie in tuples and what PostgreSQL prints for each, prints them with the
 * library, and names every difference. What has a built-in type is printed a second time, without
 * the catalogs. FOLDER has, fields separated by tabs:
 *   types   oid name len align kind delim row elem array base typmod output
 *   fields  relation attnum type typmod len align dropped (of composites, ordered)
 *   enums   oid label
 *   names   type oid name (of what reg* types print)
 *   chunks  relation value seq hex (of toasted values, ordered)
 *   values  label type hex hex-of-the-expected-text
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/catalog_builtin.h"
#include "pg/output_internal.h"

#define FIELDS_MAX 16
#define DIFFERENCES_MAX 100

struct name {
    ps_oid type, oid;
    char *name;
};

struct chunk {
    ps_oid relation, value;
    uint8_t *data;
    size_t len;
};

struct row {
    ps_oid relation;
    struct ps_pg_desc desc;
};

struct known {
    struct ps_pg_type *types;
    struct row *rows;
    struct name *enums, *names;
    struct chunk *chunks;
    size_t type_count, row_count, enum_count, name_count, chunk_count;
};

static struct known known;

/* One more element of an array that grows. */
static void *grow(void *array, size_t *count, size_t size)
{
    char *all = array;

    if ((*count & (*count - 1)) == 0)
        all = realloc(all, (*count > 0 ? *count * 2 : 1) * size);
    assert(all);
    memset(all + *count * size, 0, size);
    (*count)++;
    return all;
}

static ps_oid oid_of(const char *field)
{
    return (ps_oid)strtoul(field, NULL, 10);
}

static uint8_t nibble(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static uint8_t *unhex(const char *hex, size_t *ret_len)
{
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = malloc(len + 1);

    assert(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    *ret_len = len;
    return bytes;
}

/* ---- reading ---- */

/* Calls take for each line of a file, cut into its fields. */
static void read_file(const char *folder, const char *name, void (*take)(char **fields))
{
    char path[600], *fields[FIELDS_MAX], *line = NULL, *rest;
    size_t size = 0;
    ssize_t len;
    FILE *in;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    in = fopen(path, "r");
    if (!in) {
        perror(path);
        exit(2);
    }
    while ((len = getline(&line, &size, in)) > 0) {
        line[len - 1] = 0;
        rest = line;
        for (int i = 0; i < FIELDS_MAX; i++)
            fields[i] = rest ? strsep(&rest, "\t") : "";
        take(fields);
    }
    free(line);
    fclose(in);
}

static void take_type(char **f)
{
    struct ps_pg_type *t;

    known.types = grow(known.types, &known.type_count, sizeof(*known.types));
    t = &known.types[known.type_count - 1];
    *t = (struct ps_pg_type){.oid = oid_of(f[0]),
                             .len = (int16_t)atoi(f[2]),
                             .align = f[3][0],
                             .kind = f[4][0],
                             .delim = f[5][0],
                             .row = oid_of(f[6]),
                             .elem = oid_of(f[7]),
                             .array = oid_of(f[8]),
                             .base = oid_of(f[9]),
                             .typmod = atoi(f[10])};
    snprintf(t->name, sizeof(t->name), "%s", f[1]);
    snprintf(t->output, sizeof(t->output), "%s", f[11]);
}

static void take_field(char **f)
{
    size_t count;
    struct row *r;

    if (known.row_count == 0 || known.rows[known.row_count - 1].relation != oid_of(f[0]))
        known.rows = grow(known.rows, &known.row_count, sizeof(*known.rows));
    r = &known.rows[known.row_count - 1];
    r->relation = oid_of(f[0]);
    count = r->desc.count;
    r->desc.attrs = grow(r->desc.attrs, &count, sizeof(struct ps_pg_attr));
    r->desc.count = (uint32_t)count;
    r->desc.attrs[count - 1] = (struct ps_pg_attr){.num = (int16_t)atoi(f[1]),
                                                   .type = oid_of(f[2]),
                                                   .typmod = atoi(f[3]),
                                                   .len = (int16_t)atoi(f[4]),
                                                   .align = f[5][0],
                                                   .dropped = f[6][0] == 't'};
}

static void take_enum(char **f)
{
    known.enums = grow(known.enums, &known.enum_count, sizeof(*known.enums));
    known.enums[known.enum_count - 1] = (struct name){.oid = oid_of(f[0]), .name = strdup(f[1])};
}

static void take_name(char **f)
{
    known.names = grow(known.names, &known.name_count, sizeof(*known.names));
    known.names[known.name_count - 1] =
        (struct name){.type = oid_of(f[0]), .oid = oid_of(f[1]), .name = strdup(f[2])};
}

static void take_chunk(char **f)
{
    struct chunk *c;

    known.chunks = grow(known.chunks, &known.chunk_count, sizeof(*known.chunks));
    c = &known.chunks[known.chunk_count - 1];
    c->relation = oid_of(f[0]);
    c->value = oid_of(f[1]);
    c->data = unhex(f[3], &c->len);
}

/* ---- what a printer asks ---- */

static const struct ps_pg_type *type_of(void *ctx, ps_oid oid)
{
    (void)ctx;
    for (size_t i = 0; i < known.type_count; i++)
        if (known.types[i].oid == oid)
            return &known.types[i];
    return NULL;
}

static const struct ps_pg_desc *row_of(void *ctx, ps_oid relation)
{
    (void)ctx;
    for (size_t i = 0; i < known.row_count; i++)
        if (known.rows[i].relation == relation)
            return &known.rows[i].desc;
    return NULL;
}

static const char *enum_label_of(void *ctx, ps_oid value)
{
    (void)ctx;
    for (size_t i = 0; i < known.enum_count; i++)
        if (known.enums[i].oid == value)
            return known.enums[i].name;
    return NULL;
}

static bool reg_name_of(void *ctx, ps_oid type, ps_oid value, char *buf, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < known.name_count; i++) {
        if (known.names[i].type != type || known.names[i].oid != value)
            continue;
        snprintf(buf, len, "%s", known.names[i].name);
        return true;
    }
    return false;
}

static ps_err fetch(void *ctx, const struct ps_pg_external *external, struct ps_text *out)
{
    (void)ctx;
    for (size_t i = 0; i < known.chunk_count; i++)
        if (known.chunks[i].relation == external->relation &&
            known.chunks[i].value == external->value)
            ps_text_add(out, known.chunks[i].data, known.chunks[i].len);
    return PS_OK;
}

static unsigned unknown_types;

static void tell_unknown(void *ctx, ps_oid type)
{
    const struct ps_pg_type *t = type_of(NULL, type);

    (void)ctx;
    printf("not known: %s (%u)\n", t ? t->name : "?", type);
    unknown_types++;
}

/* ---- judging ---- */

static struct ps_pg_printer *printer, *printer_without_types;
static unsigned values, differences;

static void print_one(struct ps_pg_printer *with, const struct ps_pg_type *t, const uint8_t *bytes,
                      size_t len, struct ps_text *out)
{
    struct ps_pg_attr attr = {.type = t->oid, .len = t->len, .align = t->align};
    struct ps_pg_value value;
    uint32_t at = 0;
    ps_err err = ps_pg_value_take(&attr, bytes, (uint32_t)len, &at, &value);

    if (!err)
        err = ps_pg_print(with, t->oid, &value, out);
    if (!err && at != len)
        err = ps_fail(PS_ERR_CORRUPT, "%u bytes taken of %zu", at, len);
    if (err)
        ps_text_printf(out, "(%s)", ps_message());
}

static void compare(char **f, const struct ps_pg_type *t, struct ps_pg_printer *with)
{
    struct ps_text out = {0};
    uint8_t *bytes, *expected;
    size_t len, expected_len;

    bytes = unhex(f[2], &len);
    expected = unhex(f[3], &expected_len);
    print_one(with, t, bytes, len, &out);
    values++;
    if (out.len != expected_len || (out.len > 0 && memcmp(out.data, expected, out.len) != 0)) {
        differences++;
        printf("%s %s: %.*s\n   PostgreSQL: %.*s\n", f[0], t->name, (int)out.len, out.data,
               (int)expected_len, (const char *)expected);
    }
    if (differences == DIFFERENCES_MAX)
        exit(1);
    ps_text_deinit(&out);
    free(bytes);
    free(expected);
}

static void judge_value(char **f)
{
    const struct ps_pg_type *t = type_of(NULL, oid_of(f[1]));

    assert(t);
    compare(f, t, printer);
    if (ps_pg_builtin_type(t->oid) && t->kind != 'p') /* an anyarray may be of any type */
        compare(f, t, printer_without_types);
}

static void forget_all(void)
{
    for (size_t i = 0; i < known.row_count; i++)
        ps_pg_desc_deinit(&known.rows[i].desc);
    for (size_t i = 0; i < known.enum_count; i++)
        free(known.enums[i].name);
    for (size_t i = 0; i < known.name_count; i++)
        free(known.names[i].name);
    for (size_t i = 0; i < known.chunk_count; i++)
        free(known.chunks[i].data);
    free(known.types);
    free(known.rows);
    free(known.enums);
    free(known.names);
    free(known.chunks);
}

int main(int argc, char **argv)
{
    struct ps_pg_types types = {
        .type = type_of, .row = row_of, .enum_label = enum_label_of, .reg_name = reg_name_of};
    struct ps_pg_types names = {.reg_name = reg_name_of};
    struct ps_pg_toaster toaster = {.fetch = fetch};

    if (argc != 2) {
        fprintf(stderr, "usage: print_pg_values FOLDER\n");
        return 2;
    }
    read_file(argv[1], "types", take_type);
    read_file(argv[1], "fields", take_field);
    read_file(argv[1], "enums", take_enum);
    read_file(argv[1], "names", take_name);
    read_file(argv[1], "chunks", take_chunk);
    if (ps_pg_printer_new(&types, &toaster, tell_unknown, NULL, &printer) ||
        ps_pg_printer_new(&names, &toaster, tell_unknown, NULL, &printer_without_types)) {
        fprintf(stderr, "%s\n", ps_message());
        return 2;
    }
    read_file(argv[1], "values", judge_value);
    ps_pg_printer_free(printer);
    ps_pg_printer_free(printer_without_types);
    forget_all();
    printf("%u values, %u differences\n", values, differences);
    return values == 0 || differences > 0 || unknown_types > 0;
}
