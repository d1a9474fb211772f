/*
 * schema_index.c - constraints and indexes of a table, a statement each.
 */
#include <string.h>

#include "pg/schema_internal.h"

/* The column's name; false: there is no such column any more. */
static bool add_column(struct ps_pgc_writer *w, uint32_t num)
{
    if (num == 0 || num > w->desc->count || w->desc->attrs[num - 1].dropped)
        return false;
    ps_pgc_quote(w->out, w->desc->attrs[num - 1].name);
    return true;
}

/* --- constraints -------------------------------------------------------------------------- */

static bool add_keys(struct ps_pgc_writer *w, const struct ps_pgc_constraint *c)
{
    uint32_t i;

    for (i = 0; i < c->key_count; i++) {
        ps_pgc_write(w, i > 0 ? ", " : "");
        if (!add_column(w, c->keys[i]))
            return false;
    }
    return c->key_count > 0;
}

/* Columns of the key's index that are no part of the key. */
static bool add_included(struct ps_pgc_writer *w, const struct ps_pgc_index *x)
{
    uint32_t i;

    for (i = x->key_count; i < x->column_count; i++) {
        ps_pgc_write(w, i == x->key_count ? " INCLUDE (" : ", ");
        if (!add_column(w, x->columns[i]))
            return false;
    }
    if (x->column_count > x->key_count)
        ps_pgc_write(w, ")");
    return true;
}

static bool add_check(struct ps_pgc_writer *w, const struct ps_pgc_constraint *c)
{
    ps_pgc_write(w, "CHECK (");
    if (!ps_pgc_write_expr(w, c->expression))
        return false;
    ps_pgc_write(w, c->no_inherit ? ") NO INHERIT" : ")");
    return true;
}

static bool add_key(struct ps_pgc_writer *w, const struct ps_pgc_constraint *c)
{
    const struct ps_pgc_index *x = ps_pgc_list_find(&w->schema->indexes, c->key.a, c->index);

    ps_pgc_write(w, c->type == 'p' ? "PRIMARY KEY (" : "UNIQUE ");
    if (c->type == 'u')
        ps_pgc_write(w, x && x->nulls_not_distinct ? "NULLS NOT DISTINCT (" : "(");
    if (c->without_overlaps || !add_keys(w, c))
        return false;
    ps_pgc_write(w, ")");
    return !x || add_included(w, x);
}

static bool add_definition(struct ps_pgc_writer *w, const struct ps_pgc_constraint *c)
{
    bool good = false;

    if (c->type == 'c')
        good = add_check(w, c);
    else if (c->type == 'p' || c->type == 'u')
        good = add_key(w, c);
    if (c->deferrable)
        ps_pgc_write(w, c->deferred ? " DEFERRABLE INITIALLY DEFERRED" : " DEFERRABLE");
    return good;
}

static const char *kind_of(char type)
{
    switch (type) {
    case 'c':
        return "CHECK constraint";
    case 'f':
        return "FOREIGN KEY";
    case 'p':
        return "PRIMARY KEY";
    case 'u':
        return "UNIQUE constraint";
    case 'x':
        return "EXCLUDE constraint";
    case 't':
        return "constraint trigger";
    default:
        return "constraint";
    }
}

/* Fits behind "-- ": a newline or carriage return in a name or constant would end the comment. */
static bool is_line(const struct ps_text *text, size_t from)
{
    const char *line = text->data + from;
    const size_t len = text->len - from;

    return !text->failed && !memchr(line, '\n', len) && !memchr(line, '\r', len);
}

static void write_constraint(struct ps_pgc_writer *w, const struct ps_pg_relation *table,
                             const struct ps_pgc_constraint *c)
{
    const struct ps_pgc_mark before = ps_pgc_mark(w);
    size_t statement;

    /* Old rows may break it, and COPY would refuse them. */
    if (!c->validated)
        ps_pgc_write(w, "-- It holds for newer rows only, so add it once the rows are there:\n-- ");
    statement = w->out->len;
    ps_pgc_write(w, "ALTER TABLE ONLY ");
    ps_pgc_write_relation_name(w, table);
    ps_pgc_write(w, " ADD CONSTRAINT ");
    ps_pgc_quote(w->out, c->name);
    ps_pgc_write(w, " ");
    if (add_definition(w, c) && (c->validated || is_line(w->out, statement))) {
        ps_pgc_write(w, c->validated ? ";\n" : " NOT VALID;\n");
        return;
    }
    ps_pgc_take_back(w, before);
    ps_pgc_write(w, "-- Left out: ");
    ps_pgc_write(w, kind_of(c->type));
    ps_pgc_write(w, " ");
    ps_pgc_write_comment(w->out, c->name);
    ps_pgc_write(w, ".\n");
}

void ps_pgc_write_constraints(struct ps_pgc_writer *w, const struct ps_pg_relation *table)
{
    const struct ps_pgc_constraint *c;
    uint32_t i;

    for (i = ps_pgc_list_first(&w->schema->constraints, table->oid);
         i < w->schema->constraints.count; i++) {
        c = ps_pgc_list_at(&w->schema->constraints, i);
        if (c->key.a != table->oid)
            break;
        if (c->type != 'n') /* NOT NULL, which the column says */
            write_constraint(w, table, c);
    }
}

/* --- indexes ------------------------------------------------------------------------------ */

/* indoption: bit 0 DESC, bit 1 NULLS FIRST, which is what DESC means by itself. */
static const char *order_of(uint32_t options)
{
    switch (options & 3) {
    case 1:
        return " DESC NULLS LAST";
    case 2:
        return " NULLS FIRST";
    case 3:
        return " DESC";
    default:
        return "";
    }
}

static bool add_index_key(struct ps_pgc_writer *w, const struct ps_pgc_index *x, uint32_t i)
{
    const struct ps_pgc_opclass *class;

    class = ps_pgc_list_find(&w->schema->opclasses, x->classes[i], 0);
    if (!add_column(w, x->columns[i]) || !class ||
        !ps_pgc_write_key_collation(w, w->desc->attrs[x->columns[i] - 1].collation,
                                    x->collations[i]))
        return false;
    if (!class->is_default) {
        ps_pgc_need(w, "operator class", class->key.a, class->schema, class->name);
        ps_pgc_write(w, " ");
        ps_pgc_write_qualified(w, class->schema, class->name);
    }
    ps_pgc_write(w, order_of(x->options[i]));
    return true;
}

static bool add_index_columns(struct ps_pgc_writer *w, const struct ps_pgc_index *x)
{
    uint32_t i;

    ps_pgc_write(w, " (");
    for (i = 0; i < x->column_count; i++) {
        ps_pgc_write(w, i == 0 ? "" : i == x->key_count ? ") INCLUDE (" : ", ");
        if (i < x->key_count ? !add_index_key(w, x, i) : !add_column(w, x->columns[i]))
            return false;
    }
    ps_pgc_write(w, x->nulls_not_distinct ? ") NULLS NOT DISTINCT" : ")");
    return x->plain && x->key_count > 0;
}

void ps_pgc_write_index(struct ps_pgc_writer *w, const struct ps_pg_relation *table, ps_oid index)
{
    const struct ps_pgc_index *x = ps_pgc_list_find(&w->schema->indexes, table->oid, index);
    const struct ps_pgc_relation *rel = ps_pgc_list_find(&w->db->relations, index, 0);
    const struct ps_pgc_mark before = ps_pgc_mark(w);
    bool good = false;

    if (!rel)
        return;
    if (x && x->valid && *rel->pub.am_name != '\0') {
        ps_pgc_write(w, x->unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ");
        ps_pgc_quote(w->out, rel->pub.name);
        ps_pgc_write(w, " ON ");
        ps_pgc_write_relation_name(w, table);
        ps_pgc_write(w, " USING ");
        ps_pgc_quote(w->out, rel->pub.am_name);
        good = add_index_columns(w, x);
        ps_pgc_write(w, ";\n");
    }
    if (good)
        return;
    ps_pgc_take_back(w, before);
    ps_pgc_write(w, "-- Left out: index ");
    ps_pgc_write_comment(w->out, rel->pub.name);
    ps_pgc_write(w, x && !x->valid
                        ? ", which is not valid: making it failed.\n"
                        : ", of an expression, of some rows, or of what is not known here.\n");
}

/* Constraints make their indexes, under the same names. */
static bool is_constraint(const struct ps_pgc_writer *w, ps_oid table, const char *name)
{
    const struct ps_pgc_list *l = &w->schema->constraints;
    const struct ps_pgc_constraint *c;
    uint32_t i;

    for (i = ps_pgc_list_first(l, table); i < l->count; i++) {
        c = ps_pgc_list_at(l, i);
        if (c->key.a != table)
            break;
        if (strchr("pux", c->type) && strcmp(c->name, name) == 0)
            return true;
    }
    return false;
}

void ps_pgc_write_indexes(struct ps_pgc_writer *w, const struct ps_pg_relation *table)
{
    const struct ps_pgc_list *l = &w->schema->indexes;
    const struct ps_pgc_relation *rel;
    const struct ps_pgc_index *x;
    uint32_t i;

    for (i = ps_pgc_list_first(l, table->oid); i < l->count; i++) {
        x = ps_pgc_list_at(l, i);
        if (x->key.a != table->oid)
            break;
        rel = ps_pgc_list_find(&w->db->relations, x->key.b, 0);
        if (rel && !is_constraint(w, table->oid, rel->pub.name))
            ps_pgc_write_index(w, table, x->key.b);
    }
}
