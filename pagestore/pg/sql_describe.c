/*
 * sql_describe.c - from types as SQL writes them to types as the catalogs have them: found by name,
 * with OIDs that are made up.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "pg/catalog_internal.h"
#include "pg/sql_internal.h"
#include "pg/typmod.h"

#define DEPTH_MAX 64u

struct describing {
    struct ps_sql_schema *schema;
    struct ps_pgc_db *db;
    ps_oid next_oid;
    uint32_t depth;
};

static ps_err fail_at(const struct describing *d, struct ps_sql_place at, const char *what,
                      const char *name)
{
    return ps_fail(PS_ERR_INVAL, "%s: line %u, column %u: type '%s' %s", d->schema->file, at.line,
                   at.column, name, what);
}

/* --- schemas ------------------------------------------------------------------------------ */

static ps_err schema_oid(struct describing *d, const char *name, ps_oid *ret)
{
    struct ps_pgc_named *named;
    ps_err err;

    *ret = PS_PGC_SCHEMA_PUBLIC;
    if (!name || strcmp(name, "public") == 0)
        return PS_OK;
    *ret = ps_pgc_schema_named(d->db, name);
    if (*ret != 0)
        return PS_OK;
    *ret = d->next_oid++;
    err = ps_pgc_list_add(&d->db->schemas, sizeof(*named), *ret, 0, true, &named);
    if (!err)
        named->name = name;
    return err;
}

/* --- types by name -------------------------------------------------------------------------- */

static bool find_builtin(const struct ps_sql_name *name, struct ps_pg_type *ret)
{
    uint32_t i = 0, count;
    const struct ps_pg_type *builtin = ps_pg_builtin_types(&count);

    if (name->schema && strcmp(name->schema, "pg_catalog") != 0)
        return false;
    while (i < count && strcmp(builtin[i].name, name->name) != 0)
        i++;
    if (i < count)
        *ret = builtin[i];
    return i < count;
}

static ps_err find_created(const struct describing *d, const struct ps_sql_name *name,
                           struct ps_sql_type **ret)
{
    struct ps_sql_type *t;

    *ret = NULL;
    for (t = d->schema->types; t; t = t->next) {
        if (!ps_sql_same_name(&t->name, name))
            continue;
        if (*ret)
            return fail_at(d, name->at, "is created more than once", name->name);
        *ret = t;
    }
    if (*ret)
        return PS_OK;
    return fail_at(d, name->at,
                   "is not known here: PostgreSQL's own are, and those that this file creates; a "
                   "CREATE DOMAIN can stand for one",
                   name->name);
}

static ps_err resolve(struct describing *d, const struct ps_sql_type_ref *ref,
                      struct ps_pg_type *ret);

/* --- created types -------------------------------------------------------------------------- */

static ps_err add_type(struct describing *d, const struct ps_pg_type *pub, bool not_null)
{
    struct ps_pgc_type *item;
    ps_err err = ps_pgc_list_add(&d->db->types, sizeof(*item), pub->oid, 0, true, &item);

    if (err)
        return err;
    item->pub = *pub;
    item->not_null = not_null;
    return PS_OK;
}

static ps_err add_array(struct describing *d, const struct ps_pg_type *elem)
{
    struct ps_pg_type array = {
        .oid = elem->array,
        .schema = elem->schema,
        .len = -1,
        .align = elem->align == 'd' ? 'd' : 'i',
        .kind = 'b',
        .delim = elem->delim,
        .elem = elem->oid,
        .typmod = -1,
    };

    (void)snprintf(array.name, sizeof(array.name), "_%.62s", elem->name);
    return add_type(d, &array, false);
}

/* Labels whose OIDs are not told cannot be: rows have nothing but the OIDs. */
static ps_err add_labels(struct describing *d, const struct ps_sql_type *t)
{
    const struct ps_sql_label *l;
    struct ps_pgc_label *item;
    float order = 0;
    ps_err err = PS_OK;

    for (l = t->labels; l && !err; l = l->next) {
        err = ps_pgc_list_add(&d->db->labels, sizeof(*item), l->oid ? l->oid : d->next_oid++, 0,
                              true, &item);
        if (err)
            break;
        item->type = t->oid;
        item->order = ++order;
        item->text = l->text;
    }
    return err;
}

static bool has_untold_labels(const struct ps_sql_type *t)
{
    const struct ps_sql_label *l = t->labels;

    while (l && l->oid != 0)
        l = l->next;
    return l != NULL;
}

static int32_t typmod_of(const struct ps_pg_type *type, const struct ps_sql_type_ref *ref);

static ps_err make_columns(struct describing *d, const struct ps_sql_columns *columns,
                           struct ps_pg_attr **ret);

/* A composite's columns are those of a relation of its own. */
static ps_err add_columns(struct describing *d, const struct ps_sql_columns *columns,
                          ps_oid relation)
{
    struct ps_pgc_columns *item;
    struct ps_pg_attr *attrs = NULL;
    ps_err err = make_columns(d, columns, &attrs);

    if (!err)
        err = ps_pgc_list_add(&d->db->columns, sizeof(*item), relation, 0, true, &item);
    if (err)
        return err;
    item->desc = (struct ps_pg_desc){.count = columns->count, .attrs = attrs};
    item->sound = columns->count <= PS_PG_ATTRS_MAX;
    return PS_OK;
}

/* What makes the type's kind, but its composite's columns. */
static ps_err set_kind(struct describing *d, const struct ps_sql_type *t, struct ps_pg_type *pub)
{
    struct ps_pg_type base = {0};
    ps_err err = t->base.name.name ? resolve(d, &t->base, &base) : PS_OK;

    if (err)
        return err;
    switch (t->kind) {
    case 'e':
        pub->len = 4;
        pub->align = 'i';
        return PS_OK;
    case 'd':
        pub->len = base.len;
        pub->align = base.align;
        pub->delim = base.delim;
        pub->base = base.oid;
        pub->typmod = typmod_of(&base, &t->base);
        return PS_OK;
    case 'c':
        pub->align = 'd';
        pub->row = d->next_oid++;
        return PS_OK;
    default: /* a range, or a multirange, which is aligned as its range is */
        assert(t->kind == 'r' || t->kind == 'm');
        pub->align = base.align == 'd' ? 'd' : 'i';
        pub->base = base.oid;
        return PS_OK;
    }
}

/* Its OID is known before what it rests on, so that a row can have rows like itself in an array. */
static ps_err describe_created(struct describing *d, struct ps_sql_type *t, struct ps_pg_type *ret)
{
    ps_err err;

    if (d->depth == DEPTH_MAX)
        return fail_at(d, t->name.at, "rests on itself, or on too many others", t->name.name);
    if (t->kind == 'e' && has_untold_labels(t))
        ps_pg_note(d->db->catalog->cluster,
                   "enum '%s': not all OIDs of its labels are told, as 'label' /* oid N */ does: "
                   "values are shown as numbers",
                   t->name.name);
    *ret = (struct ps_pg_type){.oid = d->next_oid,
                               .len = -1,
                               .kind = t->kind,
                               .delim = ',',
                               .array = d->next_oid + 1,
                               .typmod = -1};
    (void)snprintf(ret->name, sizeof(ret->name), "%s", t->name.name);
    d->next_oid += 2;
    d->depth++;
    err = schema_oid(d, t->name.schema, &ret->schema);
    if (!err)
        err = set_kind(d, t, ret);
    t->oid = err ? 0 : ret->oid;
    if (!err)
        err = add_type(d, ret, t->not_null);
    if (!err)
        err = add_array(d, ret);
    if (!err && t->kind == 'c')
        err = add_columns(d, t->columns, ret->row);
    if (!err && t->kind == 'e')
        err = add_labels(d, t);
    d->depth--;
    return err;
}

static ps_err use_created(struct describing *d, struct ps_sql_type *t, struct ps_pg_type *ret)
{
    const struct ps_pgc_type *item;

    for (uint32_t i = 0; t->oid != 0 && i < d->db->types.count; i++) {
        item = ps_pgc_list_at(&d->db->types, i); /* not settled yet */
        if (item->key.a == t->oid) {
            *ret = item->pub;
            return PS_OK;
        }
    }
    return describe_created(d, t, ret);
}

/* --- types as columns have them --------------------------------------------------------------- */

static void to_array(struct ps_pg_type *t)
{
    t->elem = t->oid;
    t->oid = t->array;
    t->len = -1;
    t->align = t->align == 'd' ? 'd' : 'i';
    t->kind = 'b';
}

static ps_err resolve(struct describing *d, const struct ps_sql_type_ref *ref,
                      struct ps_pg_type *ret)
{
    struct ps_sql_type *created = NULL;
    ps_err err = PS_OK;

    if (!find_builtin(&ref->name, ret)) {
        err = find_created(d, &ref->name, &created);
        if (!err)
            err = use_created(d, created, ret);
    }
    if (err || !ref->is_array)
        return err;
    if (ret->array == 0)
        return fail_at(d, ref->name.at, "has no arrays", ref->name.name);
    to_array(ret);
    return PS_OK;
}

static bool is_one_of(const char *name, const char *const *all)
{
    while (*all && strcmp(name, *all) != 0)
        all++;
    return *all != NULL;
}

/* What the catalogs have as atttypmod, by the name as pg_type has it. An array has its elements'.
 */
static int32_t typmod_of(const struct ps_pg_type *type, const struct ps_sql_type_ref *ref)
{
    static const char *const lengths[] = {"varchar", "bpchar", NULL};
    static const char *const plain[] = {"bit",       "varbit",      "time", "timetz",
                                        "timestamp", "timestamptz", NULL};
    const char *name = ref->name.name;
    int32_t fields, precision;

    if (type->oid >= PS_SQL_OID_FIRST)
        return -1;
    if (strcmp(name, "interval") == 0 && (ref->arg_count > 0 || ref->fields != 0)) {
        fields = ref->fields ? ref->fields : PS_PG_INTERVAL_FULL_RANGE;
        precision = ref->arg_count > 0 ? ref->args[0] & PS_PG_INTERVAL_FULL_PRECISION
                                       : PS_PG_INTERVAL_FULL_PRECISION;
        return fields << 16 | precision;
    }
    if (ref->arg_count == 0)
        return -1;
    if (is_one_of(name, lengths))
        return ref->args[0] + PS_PG_VARHDRSZ;
    if (is_one_of(name, plain))
        return ref->args[0];
    if (strcmp(name, "numeric") == 0)
        return ((ref->args[0] & 0x7fff) << 16 | ((ref->arg_count > 1 ? ref->args[1] : 0) & 0x7ff)) +
               PS_PG_VARHDRSZ;
    return -1;
}

/* --- columns ------------------------------------------------------------------------------ */

static ps_err make_column(struct describing *d, const struct ps_sql_column *c, int16_t num,
                          struct ps_pg_attr *ret)
{
    struct ps_pg_type type = {.len = c->len, .align = c->align, .typmod = -1};
    ps_err err = c->type.name.name ? resolve(d, &c->type, &type) : PS_OK;

    if (err)
        return err;
    *ret = (struct ps_pg_attr){
        .name = (char *)(uintptr_t)c->name,
        .type = c->dropped ? 0 : type.oid,
        .typmod = c->type.name.name ? typmod_of(&type, &c->type) : -1,
        .num = num,
        .len = type.len,
        .align = type.align,
        .generated = c->generated,
        .identity = c->identity,
        .not_null = c->not_null,
        .dropped = c->dropped,
    };
    return PS_OK;
}

static ps_err make_columns(struct describing *d, const struct ps_sql_columns *columns,
                           struct ps_pg_attr **ret)
{
    struct ps_pg_attr *attrs = ps_sql_alloc(d->schema, (columns->count + 1u) * sizeof(*attrs));
    const struct ps_sql_column *c;
    uint32_t i = 0;
    ps_err err = PS_OK;

    if (!attrs)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u columns", columns->count);
    for (c = columns->first; c && !err; c = c->next, i++)
        err = make_column(d, c, (int16_t)(i + 1), &attrs[i]);
    *ret = attrs;
    return err;
}

/* --- the table ------------------------------------------------------------------------------ */

/* Those that arrays and composites name, and columns of them. */
static ps_err add_builtin(struct describing *d)
{
    uint32_t count;
    const struct ps_pg_type *builtin = ps_pg_builtin_types(&count);
    ps_err err = PS_OK;

    for (uint32_t i = 0; i < count && !err; i++)
        err = add_type(d, &builtin[i], false);
    return err;
}

ps_err ps_sql_describe(struct ps_sql_schema *schema, const struct ps_sql_table *table,
                       struct ps_pgc_db *db, ps_oid relation, uint16_t *ret_natts)
{
    struct describing d = {.schema = schema, .db = db, .next_oid = PS_SQL_OID_FIRST + 0x1000};
    ps_err err;

    if (table->columns.count > PS_PG_ATTRS_MAX)
        return ps_fail(PS_ERR_INVAL, "%s: line %u, column %u: table '%s' has %u columns, %u can be",
                       schema->file, table->name.at.line, table->name.at.column, table->name.name,
                       table->columns.count, PS_PG_ATTRS_MAX);
    err = add_columns(&d, &table->columns, relation);
    if (!err)
        err = add_builtin(&d);
    ps_pgc_list_settle(&db->columns);
    ps_pgc_list_settle(&db->types);
    ps_pgc_list_settle(&db->labels);
    ps_pgc_list_settle(&db->schemas);
    *ret_natts = (uint16_t)table->columns.count;
    return err;
}
