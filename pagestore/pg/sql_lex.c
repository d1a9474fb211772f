/*
 * sql_lex.c - the tokens of SQL, and errors that say where.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pg/sql_internal.h"

/* Our own schema.sql guards CREATE TYPE so; what stands between is read as any statement. */
#define GUARD "$pagefs$"

/* --- errors ------------------------------------------------------------------------------- */

ps_err ps_sql_fail(struct ps_sql_parser *p, struct ps_sql_place at, const char *fmt, ...)
{
    char what[512];
    va_list args;

    if (p->err)
        return p->err;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    p->err = ps_fail(PS_ERR_INVAL, "%s: line %u, column %u: %s", p->file, at.line, at.column, what);
    p->token.kind = PS_SQL_END; /* so that every loop ends */
    return p->err;
}

ps_err ps_sql_expected(struct ps_sql_parser *p, const char *what)
{
    const struct ps_sql_token *t = &p->token;

    switch (t->kind) {
    case PS_SQL_END:
        return ps_sql_fail(p, t->at, "expected %s, found the end", what);
    case PS_SQL_OTHER:
        return ps_sql_fail(p, t->at, "expected %s, found '%c'", what, t->other);
    case PS_SQL_DROPPED:
        return ps_sql_fail(p, t->at, "expected %s, found a dropped column", what);
    default:
        return ps_sql_fail(p, t->at, "expected %s, found '%.100s'", what, t->text);
    }
}

void *ps_sql_take(struct ps_sql_parser *p, size_t len)
{
    void *mem = ps_sql_alloc(p->schema, len);

    if (!mem && !p->err)
        p->err = ps_fail(PS_ERR_NOMEM, "no memory for what %s says", p->file);
    if (!mem)
        p->token.kind = PS_SQL_END;
    return mem;
}

/* --- characters --------------------------------------------------------------------------- */

static struct ps_sql_place place_of(const struct ps_sql_parser *p, const char *at)
{
    return (struct ps_sql_place){.line = p->line, .column = (uint32_t)(at - p->line_start) + 1};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 128;
}

static bool continues_word(char c)
{
    return begins_word(c) || is_digit(c) || c == '$';
}

static bool begins_with(const struct ps_sql_parser *p, const char *what)
{
    size_t len = strlen(what);

    return (size_t)(p->end - p->next) >= len && memcmp(p->next, what, len) == 0;
}

/* One character further; lines are counted here and nowhere else. */
static void step(struct ps_sql_parser *p)
{
    if (*p->next++ == '\n') {
        p->line++;
        p->line_start = p->next;
    }
}

static void step_to(struct ps_sql_parser *p, const char *to)
{
    while (p->next < to)
        step(p);
}

/* --- space and comments ------------------------------------------------------------------- */

/* Behind a comment, which may have others in it. */
static void skip_block(struct ps_sql_parser *p)
{
    struct ps_sql_place at = place_of(p, p->next);
    unsigned depth = 0;

    do {
        if (begins_with(p, "/*")) {
            depth++;
            p->next += 2;
        } else if (begins_with(p, "*/")) {
            depth--;
            p->next += 2;
        } else if (p->next < p->end) {
            step(p);
        }
    } while (depth > 0 && p->next < p->end);
    if (depth > 0)
        (void)ps_sql_fail(p, at, "this comment does not end");
}

static void skip_rest_of_line(struct ps_sql_parser *p)
{
    while (p->next < p->end && *p->next != '\n')
        p->next++;
}

#define COMMENT_MAX 80u

/* The comment that begins here, as a string; longer ones are none that say something. */
static bool copy_comment(const struct ps_sql_parser *p, char buf[COMMENT_MAX + 1])
{
    const char *stop = memmem(p->next, (size_t)(p->end - p->next), "*/", 2);

    if (!stop || stop - p->next > (ptrdiff_t)COMMENT_MAX)
        return false;
    memcpy(buf, p->next, (size_t)(stop - p->next));
    buf[stop - p->next] = '\0';
    return true;
}

static bool is_dropped_comment(const struct ps_sql_parser *p, int16_t *ret_len, char *ret_align)
{
    char comment[COMMENT_MAX + 1];
    int len, end = 0;

    if (!copy_comment(p, comment) ||
        sscanf(comment, "/* dropped column: length %d, alignment %c %n", &len, ret_align, &end) !=
            2 ||
        end == 0 || comment[end] != '\0')
        return false;
    *ret_len = (int16_t)len;
    return len <= INT16_MAX && ps_pg_layout_valid(len, *ret_align);
}

/* Before the next token, or the comment that is one. */
static void skip_space(struct ps_sql_parser *p)
{
    int16_t len;
    char align;

    while (p->next < p->end && !p->err) {
        if (is_space(*p->next))
            step(p);
        else if (begins_with(p, GUARD))
            p->next += strlen(GUARD);
        else if (begins_with(p, "--"))
            skip_rest_of_line(p);
        else if (begins_with(p, "/*") && !is_dropped_comment(p, &len, &align))
            skip_block(p);
        else
            return;
    }
}

/* --- tokens ------------------------------------------------------------------------------- */

static void set_text(struct ps_sql_parser *p, const char *from, const char *to, bool lower)
{
    size_t len = (size_t)(to - from);
    char *copy = ps_sql_take(p, len + 1);

    if (!copy)
        return;
    for (size_t i = 0; i < len; i++)
        copy[i] = lower && from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] | 32) : from[i];
    p->token.text = copy;
}

static void lex_word(struct ps_sql_parser *p)
{
    const char *from = p->next;

    while (p->next < p->end && continues_word(*p->next))
        p->next++;
    p->token.kind = PS_SQL_WORD;
    set_text(p, from, p->next, true);
}

static void lex_number(struct ps_sql_parser *p)
{
    const char *from = p->next;

    while (p->next < p->end && is_digit(*p->next))
        p->next++;
    p->token.kind = PS_SQL_NUMBER;
    set_text(p, from, p->next, false);
}

/* Up to the quote; one that is doubled, or follows a backslash, is part of the text. */
static void lex_quoted(struct ps_sql_parser *p, char quote, bool escapes)
{
    const char *from = ++p->next;
    char *copy, *to;

    for (; p->next < p->end; step(p)) {
        if (escapes && *p->next == '\\' && p->next + 1 < p->end)
            step(p);
        else if (*p->next == quote && p->next + 1 < p->end && p->next[1] == quote)
            p->next++;
        else if (*p->next == quote)
            break;
    }
    if (p->next == p->end) {
        (void)ps_sql_fail(p, p->token.at, "this %s does not end", quote == '"' ? "name" : "string");
        return;
    }
    p->token.text = copy = to = ps_sql_take(p, (size_t)(p->next - from) + 1);
    for (; copy && from < p->next; from++) {
        if ((escapes && *from == '\\') || *from == quote)
            from++;
        *to++ = *from;
    }
    p->next++;
}

static void lex_name(struct ps_sql_parser *p)
{
    p->token.kind = PS_SQL_QUOTED;
    lex_quoted(p, '"', false);
    if (!p->err && p->token.text[0] == '\0')
        (void)ps_sql_fail(p, p->token.at, "a name has a character at least");
}

static void lex_string(struct ps_sql_parser *p, bool escapes)
{
    char comment[COMMENT_MAX + 1];
    const char *stop;
    unsigned oid;
    int end = 0;

    p->token.kind = PS_SQL_STRING;
    lex_quoted(p, '\'', escapes);
    if (p->err)
        return;
    for (stop = p->next; stop < p->end && is_space(*stop); stop++)
        ;
    step_to(p, stop);
    if (begins_with(p, "/*") && copy_comment(p, comment) &&
        sscanf(comment, "/* oid %u %n", &oid, &end) == 1 && end > 0 && comment[end] == '\0')
        p->token.oid = oid;
}

/* $tag$ ... $tag$; false: it is no such string. */
static bool lex_dollars(struct ps_sql_parser *p)
{
    const char *tag = p->next, *at = tag + 1, *stop;
    size_t len;

    while (at < p->end && continues_word(*at) && *at != '$')
        at++;
    if (at == p->end || *at != '$' || is_digit(tag[1]))
        return false;
    len = (size_t)(at + 1 - tag);
    stop = memmem(tag + len, (size_t)(p->end - tag) - len, tag, len);
    if (!stop) {
        (void)ps_sql_fail(p, p->token.at, "this string does not end");
        return true;
    }
    p->token.kind = PS_SQL_STRING;
    p->token.text = "";
    step_to(p, stop);
    p->next += len;
    return true;
}

static void lex_other(struct ps_sql_parser *p)
{
    if (*p->next == '\0') {
        (void)ps_sql_fail(p, p->token.at, "a zero byte: this is no SQL");
        return;
    }
    p->token.kind = PS_SQL_OTHER;
    p->token.other = *p->next;
    step(p);
}

void ps_sql_advance(struct ps_sql_parser *p)
{
    struct ps_sql_token *t = &p->token;
    char c;

    skip_space(p);
    *t = (struct ps_sql_token){.kind = PS_SQL_END, .at = place_of(p, p->next)};
    if (p->err || p->next == p->end)
        return;
    c = *p->next;
    if (c == '/' && is_dropped_comment(p, &t->len, &t->align)) {
        t->kind = PS_SQL_DROPPED;
        skip_block(p);
    } else if ((c == 'e' || c == 'E') && p->next + 1 < p->end && p->next[1] == '\'') {
        p->next++;
        lex_string(p, true);
    } else if (begins_word(c)) {
        lex_word(p);
    } else if (is_digit(c)) {
        lex_number(p);
    } else if (c == '"') {
        lex_name(p);
    } else if (c == '\'') {
        lex_string(p, false);
    } else if (c != '$' || !lex_dollars(p)) {
        lex_other(p);
    }
    if (p->err)
        t->kind = PS_SQL_END;
}

/* --- what is no SQL ----------------------------------------------------------------------- */

void ps_sql_skip_line(struct ps_sql_parser *p)
{
    skip_rest_of_line(p);
    ps_sql_advance(p);
}

void ps_sql_skip_data(struct ps_sql_parser *p)
{
    skip_rest_of_line(p);
    while (p->next < p->end) {
        step(p); /* to the next line */
        if (begins_with(p, "\\.")) {
            p->next += 2;
            break;
        }
        skip_rest_of_line(p);
    }
    ps_sql_advance(p);
}

/* --- looking at tokens ---------------------------------------------------------------------- */

bool ps_sql_is_word(const struct ps_sql_parser *p, const char *word)
{
    return p->token.kind == PS_SQL_WORD && strcmp(p->token.text, word) == 0;
}

bool ps_sql_is_other(const struct ps_sql_parser *p, char other)
{
    return p->token.kind == PS_SQL_OTHER && p->token.other == other;
}

bool ps_sql_take_word(struct ps_sql_parser *p, const char *word)
{
    if (!ps_sql_is_word(p, word))
        return false;
    ps_sql_advance(p);
    return true;
}

bool ps_sql_take_other(struct ps_sql_parser *p, char other)
{
    if (!ps_sql_is_other(p, other))
        return false;
    ps_sql_advance(p);
    return true;
}

void ps_sql_take_if_exists(struct ps_sql_parser *p)
{
    if (!ps_sql_take_word(p, "if"))
        return;
    (void)ps_sql_take_word(p, "not");
    (void)ps_sql_take_word(p, "exists");
}

void ps_sql_skip_to(struct ps_sql_parser *p, const char *ends)
{
    const struct ps_sql_token *t = &p->token;
    unsigned depth = 0;

    for (; t->kind != PS_SQL_END; ps_sql_advance(p)) {
        if (t->kind != PS_SQL_OTHER)
            continue;
        if (t->other == ';' || (depth == 0 && strchr(ends, t->other)))
            return;
        if (t->other == '(' || t->other == '[')
            depth++;
        else if ((t->other == ')' || t->other == ']') && depth > 0)
            depth--;
    }
}
