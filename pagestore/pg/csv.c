/*
 * csv.c - CSV as COPY writes it (src/backend/commands/copyto.c), and the quoting that arrays and
 * rows share with it.
 */
#include "base/digits.h"
#include "pg/output_internal.h"

/* Bytes side by side: what is compared with one gives ~0 where it is equal. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static bool is_special(char c)
{
    return c == ',' || c == '"' || c == '\n' || c == '\r';
}

static bool has_special(const char *s, size_t len)
{
    uint64_t found[2];
    bytes16 v;
    size_t i;

    for (i = 0; i + sizeof(v) <= len; i += sizeof(v)) {
        memcpy(&v, s + i, sizeof(v));
        v = (bytes16)((v == ',') | (v == '"') | (v == '\n') | (v == '\r'));
        memcpy(found, &v, sizeof(v));
        if (found[0] | found[1])
            return true;
    }
    for (; i < len; i++)
        if (is_special(s[i]))
            return true;
    return false;
}

static bool needs_escape(char c, enum ps_pg_quoting how)
{
    return c == '"' || (c == '\\' && how != PS_PG_DOUBLE_QUOTES);
}

static size_t count_escapes(const char *s, size_t len, enum ps_pg_quoting how)
{
    size_t i, n = 0;

    for (i = 0; i < len; i++)
        n += needs_escape(s[i], how);
    return n;
}

void ps_pg_quote_tail(struct ps_text *out, size_t start, enum ps_pg_quoting how)
{
    size_t len = out->len - start;
    size_t added = 2;
    size_t from, to;
    char c;

    if (out->failed || !ps_text_room(out, added))
        return;
    added += count_escapes(out->data + start, len, how);
    if (!ps_text_room(out, added))
        return;
    from = out->len;
    to = out->len + added;
    out->len = to;
    out->data[--to] = '"';
    while (to - from > 1) { /* from the end, so that nothing is overwritten before it is read */
        c = out->data[--from];
        out->data[--to] = c;
        if (needs_escape(c, how))
            out->data[--to] = how == PS_PG_BACKSLASH_BOTH ? '\\' : c;
    }
    memmove(out->data + start + 1, out->data + start, from - start); /* nothing to escape is left */
    out->data[start] = '"';
}

void ps_pg_csv_quote_tail(struct ps_text *out, size_t start, bool only_column)
{
    size_t len = out->len - start;
    const char *s = len > 0 ? out->data + start : "";

    if (len == 0 || has_special(s, len) || (only_column && len == 2 && !memcmp(s, "\\.", 2)))
        ps_pg_quote_tail(out, start, PS_PG_DOUBLE_QUOTES);
}

void ps_pg_csv_field(struct ps_text *out, const char *text, size_t len, bool only_column)
{
    size_t start = out->len;

    if (!text)
        return;
    ps_text_add(out, text, len);
    if (!out->failed)
        ps_pg_csv_quote_tail(out, start, only_column);
}

bool ps_pg_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void ps_pg_add_string(struct ps_text *out, const char *s)
{
    ps_text_add(out, s, strlen(s));
}

void ps_pg_add_hex(struct ps_text *out, const uint8_t *data, uint32_t len)
{
    char *to = ps_text_room(out, 2 * (size_t)len);
    uint32_t i;

    if (!to)
        return;
    for (i = 0; i < len; i++)
        to = ps_put_hex(to, data[i]);
    out->len += 2 * (size_t)len;
}
