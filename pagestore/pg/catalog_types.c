/*
 * catalog_types.c - lists of types, from pg_type, pg_range, pg_enum and pg_proc.
 */
#include <string.h>

#include "pg/catalog_internal.h"

#define PG_TYPE_ROW_TYPE 71u /* OID of pg_type's own row type */

/* --- pg_type ------------------------------------------------------------------------------ */

enum {
    OID,
    TYPNAME,
    TYPNAMESPACE,
    TYPLEN,
    TYPTYPE,
    TYPDELIM,
    TYPRELID,
    TYPELEM,
    TYPARRAY,
    TYPOUTPUT,
    TYPALIGN,
    TYPBASETYPE,
    TYPTYPMOD,
    TYPNOTNULL,
    TYPCOLLATION,
    TYPDEFAULT,
};
static const char *const type_columns[] = {
    "oid",       "typname",    "typnamespace", "typlen",     "typtype",  "typdelim",
    "typrelid",  "typelem",    "typarray",     "typoutput",  "typalign", "typbasetype",
    "typtypmod", "typnotnull", "typcollation", "typdefault",
};
static const struct ps_pgc_spec type_spec = {
    .oid = PS_PGC_TYPE,
    .name = "pg_type",
    .lost = "types",
    .columns = type_columns,
    .column_count = PS_PGC_COUNT(type_columns),
};

static void set_type(const struct ps_pgc_row *row, struct ps_pg_type *type)
{
    char name[PS_PGC_NAME_MAX + 1];

    *type = (struct ps_pg_type){
        .oid = ps_pgc_oid(row, OID),
        .schema = ps_pgc_oid(row, TYPNAMESPACE),
        .len = ps_pgc_int16(row, TYPLEN),
        .align = ps_pgc_char(row, TYPALIGN),
        .kind = ps_pgc_char(row, TYPTYPE),
        .delim = ps_pgc_char(row, TYPDELIM),
        .row = ps_pgc_oid(row, TYPRELID),
        .elem = ps_pgc_oid(row, TYPELEM),
        .array = ps_pgc_oid(row, TYPARRAY),
        .base = ps_pgc_oid(row, TYPBASETYPE),
        .typmod = ps_pgc_int32(row, TYPTYPMOD),
    };
    ps_pgc_name(row, TYPNAME, name);
    memcpy(type->name, name, strnlen(name, sizeof(type->name) - 1)); /* 63 bytes at most */
}

static ps_err keep_default(struct ps_pgc_db *db, const struct ps_pgc_row *row,
                           struct ps_pgc_type *type)
{
    struct ps_text text = {0};
    bool there;
    ps_err err = ps_pgc_text(row, TYPDEFAULT, &text, &there);

    if (!err && there) {
        type->default_text = ps_pgc_keep(&db->strings, text.data ? text.data : "", text.len);
        if (!type->default_text)
            err = ps_fail(PS_ERR_NOMEM, "no memory for defaults of types");
    }
    ps_text_deinit(&text);
    return err;
}

static ps_err add_type(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_type *type;
    struct ps_pg_type pub;
    ps_err err;

    set_type(row, &pub);
    if (!ps_pg_layout_valid(pub.len, pub.align))
        return PS_OK;
    err = ps_pgc_list_add(&db->types, sizeof(*type), pub.oid, 0, row->sure, &type);
    if (err)
        return err;
    type->pub = pub;
    type->output = ps_pgc_oid(row, TYPOUTPUT);
    type->not_null = ps_pgc_bool(row, TYPNOTNULL);
    type->collation = ps_pgc_oid(row, TYPCOLLATION);
    return keep_default(db, row, type);
}

static ps_err read_types(struct ps_pgc_db *db)
{
    bool whole;
    ps_err err = ps_pgc_read_first(db, &type_spec, PG_TYPE_ROW_TYPE, add_type, &whole);

    if (!err && db->types.count == 0)
        ps_pg_note(db->catalog->cluster,
                   "%s: pg_type cannot be read: only PostgreSQL's own types are known", db->dir);
    return err;
}

/* Built-in types stand in for rows that were not read. */
static ps_err add_builtin(struct ps_pgc_db *db)
{
    uint32_t i, count;
    const struct ps_pg_type *builtin = ps_pg_builtin_types(&count);
    struct ps_pgc_type *type;
    ps_err err = PS_OK;

    for (i = 0; !err && i < count; i++) {
        err = ps_pgc_list_add(&db->types, sizeof(*type), builtin[i].oid, 0, false, &type);
        if (!err)
            type->pub = builtin[i];
    }
    return err;
}

/* --- pg_range, pg_enum, pg_proc ----------------------------------------------------------- */

static const char *const range_columns[] = {"rngtypid",     "rngsubtype", "rngmultitypid",
                                            "rngcollation", "rngsubopc",  "rngsubdiff",
                                            "rngcanonical"};
static const struct ps_pgc_spec range_spec = {
    .oid = PS_PGC_RANGE,
    .name = "pg_range",
    .lost = "subtypes of ranges",
    .columns = range_columns,
    .column_count = PS_PGC_COUNT(range_columns),
};

static ps_err set_range(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_type *range = ps_pgc_list_find(&db->types, ps_pgc_oid(row, 0), 0);
    struct ps_pgc_type *multi = ps_pgc_list_find(&db->types, ps_pgc_oid(row, 2), 0);

    if (range) {
        range->pub.base = ps_pgc_oid(row, 1);
        range->collation = ps_pgc_oid(row, 3);
        range->opclass = ps_pgc_oid(row, 4);
        range->diff = ps_pgc_oid(row, 5);
        range->canonical = ps_pgc_oid(row, 6);
    }
    if (multi)
        multi->pub.base = ps_pgc_oid(row, 0);
    return PS_OK;
}

/* Where pg_range is lost, built-in ranges still have their subtypes. */
static void set_builtin_ranges(struct ps_pgc_db *db)
{
    uint32_t i, count;
    const struct ps_pg_type *builtin = ps_pg_builtin_types(&count);
    struct ps_pgc_type *type;

    for (i = 0; i < count; i++) {
        type = builtin[i].base ? ps_pgc_list_find(&db->types, builtin[i].oid, 0) : NULL;
        if (type && type->pub.base == 0)
            type->pub.base = builtin[i].base;
    }
}

static const char *const enum_columns[] = {"oid", "enumtypid", "enumsortorder", "enumlabel"};
static const struct ps_pgc_spec enum_spec = {
    .oid = PS_PGC_ENUM,
    .name = "pg_enum",
    .lost = "labels of enums",
    .columns = enum_columns,
    .column_count = PS_PGC_COUNT(enum_columns),
};

static ps_err add_label(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    int32_t order = ps_pgc_int32(row, 2); /* a float's bytes */
    struct ps_pgc_label *label;
    ps_err err;

    err = ps_pgc_list_add(&db->labels, sizeof(*label), ps_pgc_oid(row, 0), 0, row->sure, &label);
    if (err)
        return err;
    label->type = ps_pgc_oid(row, 1);
    memcpy(&label->order, &order, sizeof(label->order));
    return ps_pgc_keep_name(db, row, 3, &label->text);
}

/* Output functions of types that are none of PostgreSQL's own, as citext's, which is textout. */
static const char *const proc_columns[] = {"oid", "prolang", "prosrc"};
static const struct ps_pgc_spec proc_spec = {
    .oid = PS_PGC_PROC,
    .name = "pg_proc",
    .lost = "how types of extensions are printed",
    .columns = proc_columns,
    .column_count = PS_PGC_COUNT(proc_columns),
};
#define INTERNAL_LANGUAGE 12u

static ps_err set_output(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    const ps_oid function = ps_pgc_oid(row, 0);
    struct ps_text name = {0};
    bool there;
    ps_err err;

    if (function < PS_PGC_FIRST_NORMAL || ps_pgc_oid(row, 1) != INTERNAL_LANGUAGE)
        return PS_OK;
    err = ps_pgc_text(row, 2, &name, &there);
    for (uint32_t i = 0; !err && there && i < db->types.count; i++) {
        struct ps_pgc_type *type = ps_pgc_list_at(&db->types, i);

        if (type->output == function && name.len < sizeof(type->pub.output))
            memcpy(type->pub.output, name.data, name.len); /* behind it are zeros */
    }
    ps_text_deinit(&name);
    return err;
}

static bool has_other_outputs(const struct ps_pgc_db *db)
{
    for (uint32_t i = 0; i < db->types.count; i++) {
        const struct ps_pgc_type *type = ps_pgc_list_at(&db->types, i);

        if (type->output >= PS_PGC_FIRST_NORMAL)
            return true;
    }
    return false;
}

/* --- all of it ---------------------------------------------------------------------------- */

/* A domain whose base leads back to it, or on and on, is nobody's value. */
#define DOMAIN_DEPTH_MAX 64u

static bool ends(const struct ps_pgc_db *db, const struct ps_pgc_type *type)
{
    uint32_t depth;

    for (depth = 0; type && type->pub.kind == 'd'; depth++) {
        if (depth == DOMAIN_DEPTH_MAX)
            return false;
        type = ps_pgc_list_find(&db->types, type->pub.base, 0);
    }
    return true;
}

static void cut_endless_domains(struct ps_pgc_db *db)
{
    struct ps_pgc_type *type;
    uint32_t i;

    for (i = 0; i < db->types.count; i++) {
        type = ps_pgc_list_at(&db->types, i);
        if (ends(db, type))
            continue;
        ps_pg_note(db->catalog->cluster, "%s: pg_type: domain %u rests on itself", db->dir,
                   type->pub.oid);
        type->pub.base = 0;
    }
}

ps_err ps_pgc_load_types(struct ps_pgc_db *db)
{
    ps_err err = read_types(db);

    if (!err)
        err = add_builtin(db);
    ps_pgc_list_settle(&db->types);
    if (!err)
        err = ps_pgc_optional(ps_pgc_read(db, &range_spec, set_range, db, NULL));
    set_builtin_ranges(db);
    if (!err)
        err = ps_pgc_optional(ps_pgc_read(db, &enum_spec, add_label, db, NULL));
    ps_pgc_list_settle(&db->labels);
    if (!err && has_other_outputs(db))
        err = ps_pgc_optional(ps_pgc_read(db, &proc_spec, set_output, db, NULL));
    cut_endless_domains(db);
    return err;
}

/* --- for those who print values ----------------------------------------------------------- */

static const struct ps_pg_type *type_by_oid(void *ctx, ps_oid oid)
{
    const struct ps_pgc_db *db = ctx;
    const struct ps_pgc_type *type = ps_pgc_list_find(&db->types, oid, 0);

    return type ? &type->pub : NULL;
}

static const struct ps_pg_desc *row_by_relation(void *ctx, ps_oid relation)
{
    const struct ps_pgc_columns *columns = ps_pgc_columns(ctx, relation);

    return columns ? &columns->desc : NULL;
}

static const char *enum_label(void *ctx, ps_oid value)
{
    const struct ps_pgc_db *db = ctx;
    const struct ps_pgc_label *label = ps_pgc_list_find(&db->labels, value, 0);

    return label ? label->text : NULL;
}

void ps_pgc_types_api(struct ps_pgc_db *db)
{
    db->types_api = (struct ps_pg_types){.type = type_by_oid,
                                         .row = row_by_relation,
                                         .enum_label = enum_label,
                                         .reg_name = ps_pgc_reg_name,
                                         .ctx = db};
}
