/*
 * sql_schema.c - statements of SQL: those that tell how rows lie are read, all others skipped.
 */
#include "pg/sql_schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pg/names.h"
#include "pg/sql_internal.h"

#define CANDIDATES_MAX 20u /* that a message lists */

/* --- memory ------------------------------------------------------------------------------- */

struct ps_sql_block {
    struct ps_sql_block *next;
    max_align_t bytes[];
};

void *ps_sql_alloc(struct ps_sql_schema *s, size_t len)
{
    struct ps_sql_block *b = calloc(1, sizeof(*b) + len);

    if (!b)
        return NULL;
    b->next = s->blocks;
    s->blocks = b;
    return b->bytes;
}

void ps_sql_free(struct ps_sql_schema *s)
{
    struct ps_sql_block *next;

    if (!s)
        return;
    for (; s->blocks; s->blocks = next) {
        next = s->blocks->next;
        free(s->blocks);
    }
    free(s->file);
    free(s);
}

/* --- names -------------------------------------------------------------------------------- */

ps_err ps_sql_parse_ident(struct ps_sql_parser *p, const char *what, const char **ret)
{
    if (p->token.kind != PS_SQL_WORD && p->token.kind != PS_SQL_QUOTED)
        return ps_sql_expected(p, what);
    *ret = p->token.text;
    ps_sql_advance(p);
    return p->err;
}

ps_err ps_sql_parse_name(struct ps_sql_parser *p, const char *what, struct ps_sql_name *ret)
{
    *ret = (struct ps_sql_name){.at = p->token.at};
    if (ps_sql_parse_ident(p, what, &ret->name) || !ps_sql_take_other(p, '.'))
        return p->err;
    ret->schema = ret->name;
    return ps_sql_parse_ident(p, what, &ret->name);
}

bool ps_sql_same_name(const struct ps_sql_name *a, const struct ps_sql_name *b)
{
    if (strcmp(a->name, b->name) != 0)
        return false;
    return !a->schema || !b->schema || strcmp(a->schema, b->schema) == 0;
}

struct ps_sql_table *ps_sql_find_table(const struct ps_sql_schema *s,
                                       const struct ps_sql_name *name)
{
    struct ps_sql_table *t = s->tables;

    while (t && !ps_sql_same_name(&t->name, name))
        t = t->next;
    return t;
}

/* --- statements --------------------------------------------------------------------------- */

static void skip_statement(struct ps_sql_parser *p)
{
    ps_sql_skip_to(p, "");
    (void)ps_sql_take_other(p, ';');
}

/* Only what comes from standard input is in the text. */
static void skip_copy(struct ps_sql_parser *p)
{
    bool from = false, has_data = false;

    for (; p->token.kind != PS_SQL_END && !ps_sql_is_other(p, ';'); ps_sql_advance(p)) {
        has_data |= from && ps_sql_is_word(p, "stdin");
        from = ps_sql_is_word(p, "from");
    }
    if (has_data && ps_sql_is_other(p, ';'))
        ps_sql_skip_data(p);
    else
        (void)ps_sql_take_other(p, ';');
}

static ps_err parse_create(struct ps_sql_parser *p)
{
    char persistence = 'p';

    (void)(ps_sql_take_word(p, "global") || ps_sql_take_word(p, "local"));
    if (ps_sql_take_word(p, "unlogged"))
        persistence = 'u';
    else if (ps_sql_take_word(p, "temporary") || ps_sql_take_word(p, "temp"))
        persistence = 't';
    if (ps_sql_take_word(p, "table"))
        return ps_sql_create_table(p, persistence);
    if (ps_sql_take_word(p, "type"))
        return ps_sql_create_type(p);
    if (ps_sql_take_word(p, "domain"))
        return ps_sql_create_domain(p);
    return p->err;
}

static ps_err parse_alter(struct ps_sql_parser *p)
{
    if (ps_sql_take_word(p, "table"))
        return ps_sql_alter_table(p);
    if (ps_sql_take_word(p, "type"))
        return ps_sql_alter_type(p);
    return p->err;
}

/* A statement whose rest does not matter may be left at any token. */
static void parse_statement(struct ps_sql_parser *p)
{
    if (ps_sql_is_other(p, '\\')) {
        ps_sql_skip_line(p);
        return;
    }
    if (ps_sql_is_word(p, "copy")) {
        skip_copy(p);
        return;
    }
    if (ps_sql_take_word(p, "do"))
        (void)ps_sql_take_word(p, "begin"); /* the guard of a type in schema.sql */
    if (ps_sql_take_word(p, "create"))
        (void)parse_create(p);
    else if (ps_sql_take_word(p, "alter"))
        (void)parse_alter(p);
    skip_statement(p);
}

static ps_err parse(struct ps_sql_schema *s, const char *text, size_t len)
{
    struct ps_sql_parser p = {
        .schema = s,
        .file = s->file,
        .text = text,
        .end = text + len,
        .next = text,
        .line_start = text,
        .line = 1,
    };

    ps_sql_advance(&p);
    while (p.token.kind != PS_SQL_END)
        parse_statement(&p);
    return p.err;
}

ps_err ps_sql_parse(const char *file, const char *text, size_t len, struct ps_sql_schema **ret)
{
    struct ps_sql_schema *s = calloc(1, sizeof(*s));
    ps_err err;

    if (s)
        s->file = strdup(file);
    if (!s || !s->file) {
        ps_sql_free(s);
        return ps_fail(PS_ERR_NOMEM, "no memory for what %s says", file);
    }
    err = parse(s, text, len);
    if (err)
        ps_sql_free(s);
    else
        *ret = s;
    return err;
}

/* --- the table that is meant ---------------------------------------------------------------- */

const char *ps_sql_table_schema(const struct ps_sql_table *t)
{
    return t->name.schema ? t->name.schema : "";
}

const char *ps_sql_table_name(const struct ps_sql_table *t)
{
    return t->name.name;
}

char ps_sql_table_persistence(const struct ps_sql_table *t)
{
    return t->persistence;
}

static void full_name(const struct ps_sql_table *t, struct ps_text *out)
{
    ps_text_printf(out, "%s%s%s", ps_sql_table_schema(t), t->name.schema ? "." : "", t->name.name);
}

/* Is it called so, as SQL or as a folder's name says it? */
static bool is_called(const struct ps_sql_table *t, const char *name)
{
    char dir[PS_PG_DIR_MAX + 1];
    struct ps_text full = {0};
    bool same;

    full_name(t, &full);
    same = !full.failed && strlen(name) == full.len && memcmp(full.data, name, full.len) == 0;
    ps_text_deinit(&full);
    ps_pg_relation_dir(ps_sql_table_schema(t), t->name.name, 0, PS_PG_MAIN, dir);
    return same || strcmp(t->name.name, name) == 0 || strcmp(dir, name) == 0;
}

static ps_err fail_listing(const struct ps_sql_schema *s, const char *what)
{
    const struct ps_sql_table *t = s->tables;
    struct ps_text list = {0};
    uint32_t i;

    for (i = 0; t && i < CANDIDATES_MAX; i++, t = t->next) {
        ps_text_printf(&list, i > 0 ? ", " : "");
        full_name(t, &list);
    }
    if (t)
        ps_text_printf(&list, ", ...");
    (void)ps_fail(PS_ERR_INVAL, "%s: %s; its tables are %.*s: table= says which it is", s->file,
                  what, (int)(list.len < 400 ? list.len : 400), list.data ? list.data : "");
    ps_text_deinit(&list);
    return PS_ERR_INVAL;
}

ps_err ps_sql_choose(const struct ps_sql_schema *s, const char *name, const char *guess,
                     const struct ps_sql_table **ret)
{
    const struct ps_sql_table *t, *found = NULL;
    uint32_t count = 0;

    if (!s->tables)
        return ps_fail(PS_ERR_INVAL, "%s: has no CREATE TABLE with columns", s->file);
    if (!name && !s->tables->next) {
        *ret = s->tables;
        return PS_OK;
    }
    for (t = s->tables; t; t = t->next) {
        if (!is_called(t, name ? name : guess))
            continue;
        found = t;
        count++;
    }
    if (count == 1) {
        *ret = found;
        return PS_OK;
    }
    if (count > 1)
        return fail_listing(s, "several tables are called so");
    return fail_listing(s, name ? "no table is called so" : "none is called as the file");
}
