/*
 * sql_created.c - types that are created: enums, composites, ranges, domains.
 */
#include <stdio.h>
#include <string.h>

#include "pg/sql_internal.h"

struct ps_sql_type *ps_sql_add_type(struct ps_sql_parser *p, const struct ps_sql_name *name,
                                    char kind)
{
    struct ps_sql_type *t = ps_sql_take(p, sizeof(*t));

    if (!t)
        return NULL;
    t->name = *name;
    t->kind = kind;
    if (p->schema->last_type)
        p->schema->last_type->next = t;
    else
        p->schema->types = t;
    p->schema->last_type = t;
    return t;
}

/* --- enums -------------------------------------------------------------------------------- */

static ps_err parse_label(struct ps_sql_parser *p, struct ps_sql_type *t)
{
    struct ps_sql_label *l;

    if (p->token.kind != PS_SQL_STRING)
        return ps_sql_expected(p, "a label");
    l = ps_sql_take(p, sizeof(*l));
    if (!l)
        return p->err;
    l->text = p->token.text;
    l->oid = p->token.oid;
    if (t->last_label)
        t->last_label->next = l;
    else
        t->labels = l;
    t->last_label = l;
    ps_sql_advance(p);
    return p->err;
}

static ps_err create_enum(struct ps_sql_parser *p, const struct ps_sql_name *name)
{
    struct ps_sql_type *t = ps_sql_add_type(p, name, 'e');

    if (!t)
        return p->err;
    if (!ps_sql_take_other(p, '('))
        return ps_sql_expected(p, "'('");
    if (ps_sql_take_other(p, ')'))
        return p->err;
    do {
        if (parse_label(p, t))
            return p->err;
    } while (ps_sql_take_other(p, ','));
    return ps_sql_take_other(p, ')') ? p->err : ps_sql_expected(p, "',' or ')'");
}

/* --- composites --------------------------------------------------------------------------- */

static ps_err create_composite(struct ps_sql_parser *p, const struct ps_sql_name *name)
{
    struct ps_sql_columns *columns = ps_sql_take(p, sizeof(*columns));
    struct ps_sql_type *t = columns ? ps_sql_add_type(p, name, 'c') : NULL;

    if (!t)
        return p->err;
    t->columns = columns;
    return ps_sql_parse_fields(p, columns);
}

/* --- ranges ------------------------------------------------------------------------------- */

/* What a range's multirange is called, if nothing else is said. */
static const char *multirange_name(struct ps_sql_parser *p, const char *range)
{
    const char *at = strstr(range, "range");
    size_t len = strlen(range) + sizeof("_multirange");
    char *name = ps_sql_take(p, len);

    if (name && at)
        (void)snprintf(name, len, "%.*smulti%s", (int)(at - range), range, at);
    else if (name)
        (void)snprintf(name, len, "%s_multirange", range);
    return name;
}

/* Behind a name and its equals sign: a word that matters, or one that does not. */
static ps_err parse_range_option(struct ps_sql_parser *p, struct ps_sql_type *range,
                                 struct ps_sql_name *multirange)
{
    const char *name;

    if (ps_sql_parse_ident(p, "an option of a range", &name))
        return p->err;
    if (!ps_sql_take_other(p, '='))
        return ps_sql_expected(p, "'='");
    if (strcmp(name, "subtype") == 0)
        return ps_sql_parse_type(p, &range->base);
    if (strcmp(name, "multirange_type_name") == 0)
        return ps_sql_parse_name(p, "a type", multirange);
    ps_sql_skip_to(p, ",)");
    return p->err;
}

static ps_err create_range(struct ps_sql_parser *p, const struct ps_sql_name *name)
{
    struct ps_sql_name multi = {.schema = name->schema, .at = name->at};
    struct ps_sql_type *range = ps_sql_add_type(p, name, 'r'), *t;

    if (!range)
        return p->err;
    if (!ps_sql_take_other(p, '('))
        return ps_sql_expected(p, "'('");
    do {
        if (parse_range_option(p, range, &multi))
            return p->err;
    } while (ps_sql_take_other(p, ','));
    if (!ps_sql_take_other(p, ')'))
        return ps_sql_expected(p, "',' or ')'");
    if (!range->base.name.name)
        return ps_sql_fail(p, name->at, "range '%s' has no SUBTYPE", name->name);
    if (!multi.name)
        multi.name = multirange_name(p, name->name);
    t = multi.name ? ps_sql_add_type(p, &multi, 'm') : NULL;
    if (t)
        t->base.name = *name;
    return p->err;
}

/* --- statements --------------------------------------------------------------------------- */

/* A type of functions in C is not known here, and neither is one that is only announced. */
ps_err ps_sql_create_type(struct ps_sql_parser *p)
{
    struct ps_sql_name name;

    if (ps_sql_parse_name(p, "a type", &name) || !ps_sql_take_word(p, "as"))
        return p->err;
    if (ps_sql_take_word(p, "enum"))
        return create_enum(p, &name);
    if (ps_sql_take_word(p, "range"))
        return create_range(p, &name);
    return create_composite(p, &name);
}

ps_err ps_sql_create_domain(struct ps_sql_parser *p)
{
    struct ps_sql_name name;
    struct ps_sql_type *t;

    if (ps_sql_parse_name(p, "a domain", &name))
        return p->err;
    (void)ps_sql_take_word(p, "as");
    t = ps_sql_add_type(p, &name, 'd');
    return t ? ps_sql_parse_type(p, &t->base) : p->err;
}

static struct ps_sql_type *find_type(const struct ps_sql_schema *s, const struct ps_sql_name *name)
{
    struct ps_sql_type *t = s->types;

    while (t && !ps_sql_same_name(&t->name, name))
        t = t->next;
    return t;
}

/* ADD VALUE adds a label; what changes a composite's layout is to be written where it is created.
 */
ps_err ps_sql_alter_type(struct ps_sql_parser *p)
{
    struct ps_sql_place at = p->token.at;
    struct ps_sql_name name;
    struct ps_sql_type *t;

    if (ps_sql_parse_name(p, "a type", &name))
        return p->err;
    t = find_type(p->schema, &name);
    if (!t || ps_sql_is_word(p, "owner"))
        return p->err;
    if (t->kind != 'e' || !ps_sql_take_word(p, "add"))
        return ps_sql_fail(p, at, "write type '%s' as it is now where it is created", name.name);
    if (!ps_sql_take_word(p, "value"))
        return ps_sql_expected(p, "VALUE");
    ps_sql_take_if_exists(p);
    return parse_label(p, t);
}
