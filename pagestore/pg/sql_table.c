/*
 * sql_table.c - columns: of CREATE TABLE, ALTER TABLE and composite types.
 */
#include <string.h>

#include "pg/sql_internal.h"

/* What pg_dump --binary-upgrade calls dropped columns; it hides what type they had. */
#define BINARY_UPGRADE_DROPPED "........pg.dropped."

/* --- lists -------------------------------------------------------------------------------- */

static struct ps_sql_column *find_column(const struct ps_sql_columns *columns, const char *name)
{
    struct ps_sql_column *c = columns->first;

    while (c && (c->dropped || strcmp(c->name, name) != 0))
        c = c->next;
    return c;
}

static struct ps_sql_column *append(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    struct ps_sql_column *c = ps_sql_take(p, sizeof(*c));

    if (!c)
        return NULL;
    if (columns->last)
        columns->last->next = c;
    else
        columns->first = c;
    columns->last = c;
    columns->count++;
    return c;
}

static ps_err add_dropped(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    struct ps_sql_column *c = append(p, columns);

    if (!c)
        return p->err;
    c->name = "";
    c->at = p->token.at;
    c->dropped = true;
    c->len = p->token.len;
    c->align = p->token.align;
    ps_sql_advance(p);
    return p->err;
}

/* Columns of others behind those that are there already; dropped ones only if they are the table's
 * own. */
static ps_err add_copies(struct ps_sql_parser *p, const struct ps_sql_columns *from, bool own,
                         struct ps_sql_columns *to)
{
    const struct ps_sql_column *c;

    for (c = from->first; c; c = c->next) {
        struct ps_sql_column *copy;

        if (c->dropped ? !own : find_column(to, c->name) != NULL)
            continue;
        copy = append(p, to);
        if (!copy)
            return p->err;
        *copy = *c;
        copy->next = NULL;
    }
    return PS_OK;
}

/* Of a table that was created before. */
static ps_err add_copies_of(struct ps_sql_parser *p, struct ps_sql_columns *to)
{
    const struct ps_sql_table *t;
    struct ps_sql_name name;

    if (ps_sql_parse_name(p, "a table", &name))
        return p->err;
    t = ps_sql_find_table(p->schema, &name);
    if (!t)
        return ps_sql_fail(p, name.at, "table '%s' is not created before", name.name);
    return add_copies(p, &t->columns, false, to);
}

/* --- one column --------------------------------------------------------------------------- */

/* Behind GENERATED. */
static void parse_generated(struct ps_sql_parser *p, struct ps_sql_column *c)
{
    char when = ps_sql_is_word(p, "by") ? 'd' : 'a';

    if (!ps_sql_take_word(p, "always")) {
        (void)ps_sql_take_word(p, "by");
        (void)ps_sql_take_word(p, "default");
    }
    (void)ps_sql_take_word(p, "as");
    if (ps_sql_take_word(p, "identity")) {
        c->identity = when;
        c->not_null = true;
        return;
    }
    c->generated = 's';
    if (!ps_sql_take_other(p, '('))
        return;
    ps_sql_skip_to(p, ")");
    (void)ps_sql_take_other(p, ')');
    if (ps_sql_take_word(p, "virtual"))
        c->generated = 'v';
}

/* What follows a column's type, up to the comma or parenthesis behind it. */
static ps_err parse_constraints(struct ps_sql_parser *p, struct ps_sql_column *c)
{
    while (p->token.kind != PS_SQL_END && !ps_sql_is_other(p, ',') && !ps_sql_is_other(p, ')') &&
           !ps_sql_is_other(p, ';') && p->token.kind != PS_SQL_DROPPED) {
        if (ps_sql_take_word(p, "generated")) {
            parse_generated(p, c);
        } else if (ps_sql_take_word(p, "not")) {
            c->not_null |= ps_sql_is_word(p, "null");
        } else if (ps_sql_take_word(p, "primary")) {
            c->not_null = true;
        } else if (ps_sql_take_other(p, '(')) {
            ps_sql_skip_to(p, ")");
            (void)ps_sql_take_other(p, ')');
        } else if (ps_sql_take_other(p, '[')) {
            ps_sql_skip_to(p, "]");
            (void)ps_sql_take_other(p, ']');
        } else {
            ps_sql_advance(p);
        }
    }
    return p->err;
}

/* NAME TYPE and what follows. A column that its parents have stays where they have it. */
static ps_err parse_column(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    struct ps_sql_column read = {.at = p->token.at}, *c;

    if (ps_sql_parse_ident(p, "a column", &read.name))
        return p->err;
    if (strncmp(read.name, BINARY_UPGRADE_DROPPED, strlen(BINARY_UPGRADE_DROPPED)) == 0)
        return ps_sql_fail(p, read.at,
                           "the type of this dropped column is not told here: write instead of it "
                           "/* dropped column: length N, alignment A */");
    if (ps_sql_parse_type(p, &read.type) || parse_constraints(p, &read))
        return p->err;
    if (find_column(columns, read.name))
        return ps_sql_fail(p, read.at, "column '%s' is there twice", read.name);
    c = append(p, columns);
    if (!c)
        return p->err;
    *c = read;
    return PS_OK;
}

/* --- CREATE TABLE ------------------------------------------------------------------------- */

static bool is_constraint(const struct ps_sql_parser *p)
{
    static const char *const words[] = {"constraint", "primary", "unique", "check", "foreign"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (ps_sql_is_word(p, words[i]))
            return true;
    return false;
}

/* EXCLUDE begins a constraint, or is a column's name. */
static ps_err parse_exclude(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    const struct ps_sql_parser before = *p;

    ps_sql_advance(p);
    if (ps_sql_is_word(p, "using") || ps_sql_is_other(p, '(')) {
        ps_sql_skip_to(p, ",)");
        return p->err;
    }
    *p = before;
    return parse_column(p, columns);
}

static ps_err parse_element(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    if (is_constraint(p)) {
        ps_sql_skip_to(p, ",)");
        return p->err;
    }
    if (ps_sql_is_word(p, "exclude"))
        return parse_exclude(p, columns);
    if (!ps_sql_take_word(p, "like"))
        return parse_column(p, columns);
    if (add_copies_of(p, columns))
        return p->err;
    ps_sql_skip_to(p, ",)");
    return p->err;
}

static ps_err take_dropped(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    while (p->token.kind == PS_SQL_DROPPED)
        if (add_dropped(p, columns))
            return p->err;
    return p->err;
}

/* Behind the parenthesis; there may be no column at all. */
static ps_err parse_elements(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    if (take_dropped(p, columns))
        return p->err;
    if (ps_sql_take_other(p, ')'))
        return p->err;
    do {
        if (take_dropped(p, columns) || parse_element(p, columns) || take_dropped(p, columns))
            return p->err;
    } while (ps_sql_take_other(p, ','));
    return ps_sql_take_other(p, ')') ? p->err : ps_sql_expected(p, "',' or ')'");
}

ps_err ps_sql_parse_fields(struct ps_sql_parser *p, struct ps_sql_columns *ret)
{
    if (!ps_sql_take_other(p, '('))
        return ps_sql_expected(p, "'('");
    return parse_elements(p, ret);
}

/* Behind INHERITS: the parents' columns come first, and in their order. */
static ps_err parse_inherits(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    struct ps_sql_columns all = {0};

    if (!ps_sql_take_other(p, '('))
        return ps_sql_expected(p, "'('");
    do {
        if (add_copies_of(p, &all))
            return p->err;
    } while (ps_sql_take_other(p, ','));
    if (!ps_sql_take_other(p, ')'))
        return ps_sql_expected(p, "',' or ')'");
    if (add_copies(p, columns, true, &all))
        return p->err;
    *columns = all;
    return PS_OK;
}

static ps_err parse_of_type(struct ps_sql_parser *p, struct ps_sql_columns *columns)
{
    const struct ps_sql_type *t = p->schema->types;
    struct ps_sql_name name;

    if (ps_sql_parse_name(p, "a type", &name))
        return p->err;
    while (t && !(t->columns && ps_sql_same_name(&t->name, &name)))
        t = t->next;
    if (!t)
        return ps_sql_fail(p, name.at, "composite type '%s' is not created before", name.name);
    return add_copies(p, t->columns, false, columns);
}

/* What stands between a table's name and the options that do not matter. *ret_columns: it tells
 * columns, which a query's result does not. */
static ps_err parse_body(struct ps_sql_parser *p, struct ps_sql_columns *columns, bool *ret_columns)
{
    *ret_columns = true;
    if (ps_sql_take_word(p, "partition"))
        return ps_sql_take_word(p, "of") ? add_copies_of(p, columns) : ps_sql_expected(p, "OF");
    if (ps_sql_take_word(p, "of"))
        return parse_of_type(p, columns);
    if (!ps_sql_is_other(p, '(')) {
        *ret_columns = ps_sql_is_other(p, ';') || p->token.kind == PS_SQL_END;
        return *ret_columns ? ps_sql_expected(p, "'('") : p->err;
    }
    if (ps_sql_parse_fields(p, columns))
        return p->err;
    return ps_sql_take_word(p, "inherits") ? parse_inherits(p, columns) : p->err;
}

static ps_err keep_table(struct ps_sql_parser *p, const struct ps_sql_table *read)
{
    struct ps_sql_table *t = ps_sql_take(p, sizeof(*t));
    struct ps_sql_type *row = t ? ps_sql_add_type(p, &read->name, 'c') : NULL;

    if (!row)
        return p->err;
    *t = *read;
    row->columns = &t->columns;
    if (p->schema->last_table)
        p->schema->last_table->next = t;
    else
        p->schema->tables = t;
    p->schema->last_table = t;
    return PS_OK;
}

ps_err ps_sql_create_table(struct ps_sql_parser *p, char persistence)
{
    struct ps_sql_table read = {.persistence = persistence};
    bool has_columns;

    ps_sql_take_if_exists(p);
    if (ps_sql_parse_name(p, "a table", &read.name) || parse_body(p, &read.columns, &has_columns) ||
        !has_columns)
        return p->err;
    if (ps_sql_find_table(p->schema, &read.name))
        return ps_sql_fail(p, read.name.at, "table '%s' is created twice", read.name.name);
    return keep_table(p, &read);
}

/* --- ALTER TABLE -------------------------------------------------------------------------- */

static ps_err take_column(struct ps_sql_parser *p, const struct ps_sql_table *t,
                          struct ps_sql_column **ret)
{
    struct ps_sql_place at = p->token.at;
    const char *name;

    if (ps_sql_parse_ident(p, "a column", &name))
        return p->err;
    *ret = find_column(&t->columns, name);
    return *ret ? PS_OK : ps_sql_fail(p, at, "table '%s' has no column '%s'", t->name.name, name);
}

static ps_err alter_add(struct ps_sql_parser *p, struct ps_sql_table *t)
{
    bool column = ps_sql_take_word(p, "column");

    if (!column && is_constraint(p))
        return p->err;
    ps_sql_take_if_exists(p);
    if (!column && ps_sql_is_word(p, "exclude"))
        return parse_exclude(p, &t->columns);
    return parse_column(p, &t->columns);
}

static ps_err alter_drop(struct ps_sql_parser *p, struct ps_sql_table *t)
{
    struct ps_sql_column *c = NULL;

    if (!ps_sql_take_word(p, "column") && ps_sql_is_word(p, "constraint"))
        return p->err;
    ps_sql_take_if_exists(p);
    if (take_column(p, t, &c))
        return p->err;
    c->dropped = true;
    return PS_OK;
}

static ps_err alter_rename(struct ps_sql_parser *p, struct ps_sql_table *t)
{
    struct ps_sql_column *c = NULL;

    if (ps_sql_take_word(p, "constraint"))
        return p->err;
    if (ps_sql_take_word(p, "to"))
        return ps_sql_parse_ident(p, "a name", &t->name.name);
    (void)ps_sql_take_word(p, "column");
    if (take_column(p, t, &c))
        return p->err;
    if (!ps_sql_take_word(p, "to"))
        return ps_sql_expected(p, "TO");
    return ps_sql_parse_ident(p, "a name", &c->name);
}

/* All of a column may change but its type, which the whole table was rewritten for. */
static ps_err alter_alter(struct ps_sql_parser *p, const struct ps_sql_table *t)
{
    struct ps_sql_column *c = NULL;
    struct ps_sql_place at;

    if (ps_sql_is_word(p, "constraint"))
        return p->err;
    (void)ps_sql_take_word(p, "column");
    if (take_column(p, t, &c))
        return p->err;
    at = p->token.at;
    if (ps_sql_take_word(p, "set") && !ps_sql_is_word(p, "data"))
        return p->err;
    if (ps_sql_take_word(p, "type") || ps_sql_is_word(p, "data"))
        return ps_sql_fail(p, at, "write column '%s' with its new type where it is created",
                           c->name);
    return p->err;
}

static ps_err alter_set(struct ps_sql_parser *p, struct ps_sql_table *t)
{
    return ps_sql_take_word(p, "schema") ? ps_sql_parse_ident(p, "a schema", &t->name.schema)
                                         : p->err;
}

static ps_err parse_action(struct ps_sql_parser *p, struct ps_sql_table *t)
{
    if (ps_sql_take_word(p, "add"))
        return alter_add(p, t);
    if (ps_sql_take_word(p, "drop"))
        return alter_drop(p, t);
    if (ps_sql_take_word(p, "rename"))
        return alter_rename(p, t);
    if (ps_sql_take_word(p, "alter"))
        return alter_alter(p, t);
    return ps_sql_take_word(p, "set") ? alter_set(p, t) : p->err;
}

/* pg_dump uses it for views and sequences too, which are no tables here. */
ps_err ps_sql_alter_table(struct ps_sql_parser *p)
{
    struct ps_sql_table *t;
    struct ps_sql_name name;

    ps_sql_take_if_exists(p);
    (void)ps_sql_take_word(p, "only");
    if (ps_sql_parse_name(p, "a table", &name))
        return p->err;
    (void)ps_sql_take_other(p, '*');
    t = ps_sql_find_table(p->schema, &name);
    if (!t)
        return p->err;
    do {
        if (parse_action(p, t))
            return p->err;
        ps_sql_skip_to(p, ",");
    } while (ps_sql_take_other(p, ','));
    return p->err;
}
