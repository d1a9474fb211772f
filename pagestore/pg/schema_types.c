/*
 * schema_types.c - statements for schemas and types, each one after those it depends on.
 */
#include <stdlib.h>

#include "pg/schema_internal.h"
#include "pg/sql_schema.h"

#define DEPTH_MAX 64u

void ps_pgc_write_comment(struct ps_text *out, const char *name)
{
    for (; *name != '\0'; name++)
        ps_text_add(out, (unsigned char)*name < 0x20 || *name == '*' ? "?" : name, 1);
}

void ps_pgc_write_comment_qualified(struct ps_text *out, const char *schema, const char *name)
{
    struct ps_text qualified = {0};

    ps_pgc_qualified(&qualified, schema, name);
    ps_text_add(&qualified, "", 1);
    if (qualified.failed)
        out->failed = true;
    else
        ps_pgc_write_comment(out, qualified.data);
    ps_text_deinit(&qualified);
}

/* --- schemas ------------------------------------------------------------------------------ */

ps_err ps_pgc_write_once(struct ps_pgc_writer *w, enum ps_pgc_written what, ps_oid oid,
                         bool *ret_first)
{
    struct ps_pgc_key *item;
    uint32_t i;

    *ret_first = false;
    for (i = 0; i < w->done.count; i++) {
        item = ps_pgc_list_at(&w->done, i);
        if (item->a == oid && item->b == what)
            return PS_OK;
    }
    *ret_first = true;
    return ps_pgc_list_add(&w->done, sizeof(*item), oid, what, true, &item);
}

void ps_pgc_need(struct ps_pgc_writer *w, const char *kind, ps_oid oid, ps_oid schema,
                 const char *name)
{
    const char *schema_name = ps_pgc_written_schema(w, schema);
    bool first;

    if (!schema_name || oid < PS_PGC_FIRST_NORMAL)
        return;
    if (ps_pgc_write_once(w, PS_PGC_WRITTEN_NEED, oid, &first)) {
        w->out->failed = true;
        return;
    }
    if (!first)
        return;
    ps_text_printf(&w->needs, "-- Create the %s ", kind);
    ps_pgc_write_comment_qualified(&w->needs, schema_name, name);
    ps_text_printf(&w->needs, " first, or the extension that has it.\n");
}

ps_err ps_pgc_write_schema(struct ps_pgc_writer *w, ps_oid schema)
{
    const char *name = ps_pgc_schema_name(w->db, schema);
    bool first;
    ps_err err;

    if (!name || schema < PS_PGC_FIRST_NORMAL)
        return PS_OK;
    err = ps_pgc_write_once(w, PS_PGC_WRITTEN_SCHEMA, schema, &first);
    if (err || !first)
        return err;
    ps_pgc_write(w, "CREATE SCHEMA IF NOT EXISTS ");
    ps_pgc_quote(w->out, name);
    ps_pgc_write(w, ";\n");
    return PS_OK;
}

/* `before` and the collation's name; false: it is not known. */
static bool write_collation_name(struct ps_pgc_writer *w, const char *before, ps_oid collation)
{
    const struct ps_pgc_object *c = NULL;

    if (w->names)
        c = ps_pgc_list_find(&w->names->classes[PS_PGC_COLLATIONS].list, collation, 0);
    if (!c)
        return false;
    ps_pgc_need(w, "collation", collation, c->schema, c->name);
    ps_pgc_write(w, before);
    ps_pgc_write_qualified(w, c->schema, c->name);
    return true;
}

/* The same, if it is not the type's own. */
static void write_other_collation(struct ps_pgc_writer *w, const char *before, ps_oid type,
                                  ps_oid collation)
{
    const struct ps_pgc_type *t = ps_pgc_list_find(&w->db->types, type, 0);

    if (collation != 0 && t && t->collation != collation)
        (void)write_collation_name(w, before, collation);
}

bool ps_pgc_write_key_collation(struct ps_pgc_writer *w, ps_oid column, ps_oid collation)
{
    return collation == 0 || collation == column || write_collation_name(w, " COLLATE ", collation);
}

void ps_pgc_write_collation(struct ps_pgc_writer *w, ps_oid type, ps_oid collation)
{
    write_other_collation(w, " COLLATE ", type, collation);
}

/* Only a comment can say it: what is made by these statements has no such column, and a file of the
 * relation that they describe has. */
void ps_pgc_write_dropped(struct ps_pgc_writer *w, const struct ps_pg_attr *attr)
{
    ps_text_printf(w->out, " /* dropped column: length %d, alignment %c */", attr->len,
                   attr->align);
}

/* --- statements --------------------------------------------------------------------------- */

/* Another relation's statements may have made the type already, and CREATE TYPE has no IF NOT
 * EXISTS. */
static void begin_guarded(struct ps_pgc_writer *w)
{
    ps_pgc_write(w, "DO $pagefs$ BEGIN\n    ");
}

static void end_guarded(struct ps_pgc_writer *w)
{
    ps_pgc_write(w, ";\nEXCEPTION WHEN duplicate_object THEN NULL;\nEND $pagefs$;\n");
}

static int compare_labels(const void *x, const void *y)
{
    const struct ps_pgc_label *const *a = x, *const *b = y;

    return (*a)->order < (*b)->order ? -1 : (*a)->order > (*b)->order;
}

/* The enum's labels in their order; *ret is the caller's. */
static ps_err collect_labels(const struct ps_pgc_db *db, ps_oid type,
                             const struct ps_pgc_label ***ret, uint32_t *ret_count)
{
    const struct ps_pgc_label *label;
    uint32_t i;

    *ret_count = 0;
    *ret = calloc(db->labels.count + 1u, sizeof(const struct ps_pgc_label *));
    if (!*ret)
        return ps_fail(PS_ERR_NOMEM, "no memory for labels of enums");
    for (i = 0; i < db->labels.count; i++) {
        label = ps_pgc_list_at(&db->labels, i);
        if (label->type == type)
            (*ret)[(*ret_count)++] = label;
    }
    qsort(*ret, *ret_count, sizeof(const struct ps_pgc_label *), compare_labels);
    return PS_OK;
}

static ps_err write_enum(struct ps_pgc_writer *w, const struct ps_pgc_type *type)
{
    const struct ps_pgc_label **labels;
    uint32_t i, count;
    ps_err err = collect_labels(w->db, type->key.a, &labels, &count);

    if (err)
        return err;
    begin_guarded(w);
    ps_pgc_write(w, "CREATE TYPE ");
    ps_pgc_write_type_name(w, type->key.a, -1);
    ps_pgc_write(w, " AS ENUM (");
    for (i = 0; i < count; i++) {
        ps_pgc_write(w, i > 0 ? ", " : "");
        ps_pgc_literal(w->out, labels[i]->text);
        if (labels[i]->key.a < PS_SQL_OID_FIRST)
            ps_text_printf(w->out, " /* oid %u */", labels[i]->key.a);
    }
    ps_pgc_write(w, ")");
    end_guarded(w);
    free(labels);
    return PS_OK;
}

static void write_check(struct ps_pgc_writer *w, const struct ps_pgc_constraint *c)
{
    size_t before = w->out->len;

    if (!c->validated) { /* CREATE DOMAIN has no NOT VALID, and COPY would refuse old values */
        ps_pgc_write(w, " /* CHECK ");
        ps_pgc_write_comment(w->out, c->name);
        ps_pgc_write(w, " holds for newer values only */");
        return;
    }
    ps_pgc_write(w, " CONSTRAINT ");
    ps_pgc_quote(w->out, c->name);
    ps_pgc_write(w, " CHECK (");
    if (ps_pgc_write_expr(w, c->expression)) {
        ps_pgc_write(w, ")");
        return;
    }
    w->out->len = before;
    ps_pgc_write(w, " /* the expression of CHECK ");
    ps_pgc_write_comment(w->out, c->name);
    ps_pgc_write(w, " cannot be shown */");
}

static ps_err write_domain(struct ps_pgc_writer *w, const struct ps_pgc_type *type)
{
    const struct ps_pgc_list *checks = w->schema ? &w->schema->type_constraints : NULL;
    const struct ps_pg_desc *desc = w->desc;
    const struct ps_pgc_constraint *c;
    ps_err err = ps_pgc_write_type(w, type->pub.base);
    uint32_t i;

    if (err)
        return err;
    begin_guarded(w);
    ps_pgc_write(w, "CREATE DOMAIN ");
    ps_pgc_write_type_name(w, type->key.a, -1);
    ps_pgc_write(w, " AS ");
    ps_pgc_write_type_name(w, type->pub.base, type->pub.typmod);
    ps_pgc_write_collation(w, type->pub.base, type->collation);
    if (type->default_text) {
        ps_pgc_write(w, " DEFAULT ");
        ps_pgc_write(w, type->default_text);
    }
    if (type->not_null)
        ps_pgc_write(w, " NOT NULL");
    w->desc = NULL;
    for (i = checks ? ps_pgc_list_first(checks, type->key.a) : 0; checks && i < checks->count;
         i++) {
        c = ps_pgc_list_at(checks, i);
        if (c->key.a != type->key.a)
            break;
        if (c->type == 'c')
            write_check(w, c);
    }
    w->desc = desc;
    end_guarded(w);
    return PS_OK;
}

static ps_err write_composite(struct ps_pgc_writer *w, const struct ps_pgc_type *type)
{
    const struct ps_pgc_columns *columns = ps_pgc_columns(w->db, type->pub.row);
    const struct ps_pg_attr *attr;
    const char *between = "";
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; !err && columns && i < columns->desc.count; i++)
        if (!columns->desc.attrs[i].dropped)
            err = ps_pgc_write_type(w, columns->desc.attrs[i].type);
    if (err)
        return err;
    begin_guarded(w);
    ps_pgc_write(w, "CREATE TYPE ");
    ps_pgc_write_type_name(w, type->key.a, -1);
    ps_pgc_write(w, " AS (");
    for (i = 0; columns && i < columns->desc.count; i++) {
        attr = &columns->desc.attrs[i];
        if (attr->dropped) {
            ps_pgc_write_dropped(w, attr);
            continue;
        }
        ps_pgc_write(w, between);
        ps_pgc_quote(w->out, attr->name);
        ps_pgc_write(w, " ");
        ps_pgc_write_type_name(w, attr->type, attr->typmod);
        ps_pgc_write_collation(w, attr->type, attr->collation);
        between = ", ";
    }
    ps_pgc_write(w, ")");
    end_guarded(w);
    return PS_OK;
}

/* From PostgreSQL 14 on each range has one. */
static ps_oid multirange_of(const struct ps_pgc_db *db, ps_oid range)
{
    const struct ps_pgc_type *type;
    uint32_t i;

    for (i = 0; i < db->types.count; i++) {
        type = ps_pgc_list_at(&db->types, i);
        if (type->pub.kind == 'm' && type->pub.base == range)
            return type->pub.oid;
    }
    return 0;
}

/* How the range's bounds are ordered, and how far they are apart. A canonical function is left out,
 * as it takes the range itself, which would have to be made as a shell type first. */
static void write_range_functions(struct ps_pgc_writer *w, const struct ps_pgc_type *type)
{
    const struct ps_pgc_opclass *class = NULL;
    const struct ps_pgc_object *diff = NULL;

    if (w->schema)
        class = ps_pgc_list_find(&w->schema->opclasses, type->opclass, 0);
    if (w->names)
        diff = ps_pgc_list_find(&w->names->classes[PS_PGC_PROCS].list, type->diff, 0);
    if (class && !class->is_default) {
        ps_pgc_need(w, "operator class", type->opclass, class->schema, class->name);
        ps_pgc_write(w, ", subtype_opclass = ");
        ps_pgc_write_qualified(w, class->schema, class->name);
    }
    if (diff) {
        ps_pgc_need(w, "function", type->diff, diff->schema, diff->name);
        ps_pgc_write(w, ", subtype_diff = ");
        ps_pgc_write_qualified(w, diff->schema, diff->name);
    }
    if (type->canonical != 0)
        ps_pgc_write(w, " /* its canonical function is left out */");
}

static ps_err write_range(struct ps_pgc_writer *w, const struct ps_pgc_type *type)
{
    const ps_oid multirange = multirange_of(w->db, type->pub.oid);
    ps_err err = ps_pgc_write_type(w, type->pub.base);

    if (err)
        return err;
    begin_guarded(w);
    ps_pgc_write(w, "CREATE TYPE ");
    ps_pgc_write_type_name(w, type->key.a, -1);
    ps_pgc_write(w, " AS RANGE (subtype = ");
    ps_pgc_write_type_name(w, type->pub.base, -1);
    write_other_collation(w, ", collation = ", type->pub.base, type->collation);
    write_range_functions(w, type);
    if (multirange != 0) {
        ps_pgc_write(w, ", multirange_type_name = ");
        ps_pgc_write_type_name(w, multirange, -1);
    }
    ps_pgc_write(w, ")");
    end_guarded(w);
    return PS_OK;
}

static ps_err write_base(struct ps_pgc_writer *w, const struct ps_pgc_type *type)
{
    ps_pgc_write(w, "-- Type ");
    ps_pgc_write_comment(w->out, type->pub.name);
    ps_pgc_write(w, " is an extension's, or made of functions in C: create that first.\n");
    return PS_OK;
}

static ps_err write_new(struct ps_pgc_writer *w, const struct ps_pgc_type *type)
{
    ps_err err = ps_pgc_write_schema(w, type->pub.schema);

    if (err)
        return err;
    switch (type->pub.kind) {
    case 'e':
        return write_enum(w, type);
    case 'd':
        return write_domain(w, type);
    case 'c':
        return write_composite(w, type);
    case 'r':
        return write_range(w, type);
    case 'm':
        return ps_pgc_write_type(w, type->pub.base);
    default:
        return write_base(w, type);
    }
}

ps_err ps_pgc_write_type(struct ps_pgc_writer *w, ps_oid oid)
{
    const struct ps_pgc_type *type = ps_pgc_list_find(&w->db->types, oid, 0);
    bool first;
    ps_err err;

    if (!type || oid < PS_PGC_FIRST_NORMAL || w->depth >= DEPTH_MAX)
        return PS_OK;
    err = ps_pgc_write_once(w, PS_PGC_WRITTEN_TYPE, oid, &first);
    if (err || !first)
        return err;
    w->depth++;
    if (type->pub.elem != 0 && type->pub.len == -1)
        err = ps_pgc_write_type(w, type->pub.elem);
    else
        err = write_new(w, type);
    w->depth--;
    return err;
}
