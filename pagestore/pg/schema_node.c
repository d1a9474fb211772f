/*
 * schema_node.c - fields and lists of a stored expression, found by going over its brackets.
 */
#include "pg/schema_node.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static size_t skip_space(struct ps_pgc_span s, size_t at)
{
    while (at < s.len && isspace((unsigned char)s.at[at]))
        at++;
    return at;
}

/* Where the value ends that begins at `at`. */
static size_t skip_value(struct ps_pgc_span s, size_t at)
{
    size_t depth = 0;

    for (; at < s.len; at++) {
        char c = s.at[at];

        if (c == '\\') {
            at++;
        } else if (c == '{' || c == '(' || c == '[') {
            depth++;
        } else if (c == '}' || c == ')' || c == ']') {
            if (depth == 0)
                break;
            if (--depth == 0)
                return at + 1;
        } else if (depth == 0 && isspace((unsigned char)c)) {
            break;
        }
    }
    return at < s.len ? at : s.len;
}

bool ps_pgc_node_is(struct ps_pgc_span node, const char *name)
{
    size_t len = strlen(name);

    return node.len > len + 1 && node.at[0] == '{' && memcmp(node.at + 1, name, len) == 0 &&
           (node.at[len + 1] == ' ' || node.at[len + 1] == '}');
}

/* Where the field's value begins; node.len: there is no such field. */
static size_t find_field(struct ps_pgc_span node, const char *field)
{
    size_t len = strlen(field);
    size_t at = 1, next;

    if (node.len == 0 || node.at[0] != '{')
        return node.len;
    for (; at < node.len; at = next) {
        at = skip_space(node, at);
        next = skip_value(node, at);
        if (next == at)
            break;
        if (node.at[at] == ':' && next - at == len + 1 && memcmp(node.at + at + 1, field, len) == 0)
            return skip_space(node, next);
    }
    return node.len;
}

struct ps_pgc_span ps_pgc_node_field(struct ps_pgc_span node, const char *field)
{
    size_t at = find_field(node, field);
    struct ps_pgc_span value = {node.at + at, skip_value(node, at) - at};

    if (value.len == 2 && memcmp(value.at, "<>", 2) == 0)
        value.len = 0;
    return value;
}

/* A copy that ends, for strtol; what is longer is no number. */
static long number(struct ps_pgc_span s)
{
    char buf[24] = "";

    if (s.len >= sizeof(buf))
        return 0;
    memcpy(buf, s.at, s.len);
    return strtol(buf, NULL, 10);
}

long ps_pgc_node_number(struct ps_pgc_span node, const char *field)
{
    return number(ps_pgc_node_field(node, field));
}

bool ps_pgc_node_word_is(struct ps_pgc_span node, const char *field, const char *word)
{
    struct ps_pgc_span value = ps_pgc_node_field(node, field);

    return value.len == strlen(word) && memcmp(value.at, word, value.len) == 0;
}

bool ps_pgc_node_true(struct ps_pgc_span node, const char *field)
{
    return ps_pgc_node_word_is(node, field, "true");
}

bool ps_pgc_node_next(struct ps_pgc_span *items, struct ps_pgc_span *ret)
{
    size_t at = skip_space(*items, 0);
    size_t end = skip_value(*items, at);

    if (end == at)
        return false;
    *ret = (struct ps_pgc_span){items->at + at, end - at};
    *items = (struct ps_pgc_span){items->at + end, items->len - end};
    return true;
}

struct ps_pgc_span ps_pgc_node_list(struct ps_pgc_span node, const char *field)
{
    struct ps_pgc_span value = ps_pgc_node_field(node, field);

    if (value.len < 2 || value.at[0] != '(' || value.at[value.len - 1] != ')')
        return (struct ps_pgc_span){node.at, 0};
    return (struct ps_pgc_span){value.at + 1, value.len - 2};
}

size_t ps_pgc_node_bytes(struct ps_pgc_span node, const char *field, uint8_t *buf, size_t max)
{
    size_t at = find_field(node, field), len = 0;
    struct ps_pgc_span items, item;

    at = skip_space(node, skip_value(node, at)); /* behind the length */
    items = (struct ps_pgc_span){node.at + at, skip_value(node, at) - at};
    if (items.len < 2 || items.at[0] != '[')
        return 0;
    items = (struct ps_pgc_span){items.at + 1, items.len - 2};
    while (len < max && ps_pgc_node_next(&items, &item))
        buf[len++] = (uint8_t)number(item); /* chars, with a sign */
    return len;
}
