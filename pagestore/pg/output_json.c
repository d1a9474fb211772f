/*
 * output_json.c - jsonb: containers within containers (src/include/utils/jsonb.h).
 *
 * A container is a word with its kind and count, an entry for each element (of an object: for all
 * keys, then for all values), then their bytes. An entry has its element's length, or every so
 * often where it ends. Elements are taken in order and must follow one another, so that whatever
 * the entries claim no byte is printed twice.
 */
#include <stdlib.h>

#include "pg/output_internal.h"

enum {
    COUNT_MASK = 0x0fffffff,
    CONTAINER_SCALAR = 0x10000000, /* an array that stands for its only element */
    CONTAINER_OBJECT = 0x20000000,
    CONTAINER_ARRAY = 0x40000000,
    ENTRY_LEN_MASK = 0x0fffffff,
    ENTRY_TYPE_MASK = 0x70000000,
    ENTRY_STRING = 0x00000000,
    ENTRY_NUMERIC = 0x10000000,
    ENTRY_FALSE = 0x20000000,
    ENTRY_TRUE = 0x30000000,
    ENTRY_NULL = 0x40000000,
    ENTRY_CONTAINER = 0x50000000,
};
#define ENTRY_HAS_END 0x80000000u

/* A container that is being printed. Keys and values are walked side by side. */
struct container {
    uint32_t kind; /* of CONTAINER_ */
    uint32_t count, next;
    const uint8_t *entries, *bytes;
    uint32_t len;                /* of bytes */
    uint32_t key_end, value_end; /* where the last key, value ended */
};

struct stack {
    struct container *all;
    uint32_t count, cap;
};

struct element {
    uint32_t type;
    const uint8_t *data;
    uint32_t len;
};

static ps_err corrupt(const char *what)
{
    return ps_fail(PS_ERR_CORRUPT, "jsonb: %s", what);
}

/* Takes element i, whose predecessor ended at *end. */
static ps_err take(const struct container *c, uint32_t i, uint32_t *end, struct element *ret)
{
    uint32_t entry = ps_get32_at(c->entries + 4 * (size_t)i);
    uint32_t start = *end;
    uint64_t stop = entry & ENTRY_LEN_MASK;

    if (!(entry & ENTRY_HAS_END))
        stop += start;
    if (stop < start || stop > c->len)
        return corrupt("an element that ends outside of its container");
    *end = (uint32_t)stop;
    ret->type = entry & ENTRY_TYPE_MASK;
    if (ret->type == ENTRY_NUMERIC || ret->type == ENTRY_CONTAINER)
        start = (start + 3) & ~3u;
    if (start > stop)
        return corrupt("an element that ends in its padding");
    ret->data = c->bytes + start;
    ret->len = (uint32_t)stop - start;
    return PS_OK;
}

static ps_err open_container(const uint8_t *data, uint32_t len, struct container *ret)
{
    uint32_t header, entries;

    if (len < 4)
        return corrupt("a container without a header");
    header = ps_get32_at(data);
    *ret = (struct container){.count = header & COUNT_MASK, .kind = header & ~(uint32_t)COUNT_MASK};
    if (ret->kind != CONTAINER_OBJECT &&
        (ret->kind & ~(uint32_t)CONTAINER_SCALAR) != CONTAINER_ARRAY)
        return corrupt("a container that is no array and no object");
    entries = ret->kind == CONTAINER_OBJECT ? 2 * ret->count : ret->count;
    if (entries > (len - 4) / 4)
        return corrupt("a container with more entries than bytes");
    if (ret->kind & CONTAINER_SCALAR && ret->count != 1)
        return corrupt("a scalar of several elements");
    ret->entries = data + 4;
    ret->bytes = data + 4 + 4 * (size_t)entries;
    ret->len = len - 4 - 4 * entries;
    return PS_OK;
}

static void add_bracket(const struct container *c, const char *brackets, struct ps_text *out)
{
    if (c->kind & CONTAINER_SCALAR)
        return;
    ps_pg_add_char(out, c->kind == CONTAINER_OBJECT ? brackets[0] : brackets[1]);
}

static ps_err push(struct stack *s, const uint8_t *data, uint32_t len, struct ps_text *out)
{
    uint32_t cap = s->cap > 0 ? s->cap * 2 : 8;
    struct container *c;
    ps_err err;

    if (s->count == s->cap) {
        c = realloc(s->all, cap * sizeof(*c));
        if (!c)
            return ps_fail(PS_ERR_NOMEM, "no memory for %u nested containers", cap);
        s->all = c;
        s->cap = cap;
    }
    c = &s->all[s->count];
    err = open_container(data, len, c);
    if (err)
        return err;
    /* The values' entries tell lengths from where the last key ends. */
    for (uint32_t i = 0; c->kind == CONTAINER_OBJECT && i < c->count; i++) {
        struct element key = {0};

        err = take(c, i, &c->value_end, &key);
        if (err)
            return err;
    }
    add_bracket(c, "{[", out);
    s->count++;
    return PS_OK;
}

/* A numeric within jsonb has a varlena header of four bytes. */
static ps_err add_numeric(const struct element *e, struct ps_text *out)
{
    if (e->len < 4 || ps_get32_at(e->data) >> 2 != e->len)
        return corrupt("a numeric with a wrong length");
    return ps_pg_add_numeric(e->data + 4, e->len - 4, out);
}

static ps_err add_element(struct stack *s, const struct element *e, struct ps_text *out)
{
    switch (e->type) {
    case ENTRY_STRING:
        ps_pg_add_json_string(out, e->data, e->len);
        return PS_OK;
    case ENTRY_NUMERIC:
        return add_numeric(e, out);
    case ENTRY_FALSE:
        ps_pg_add_string(out, "false");
        return PS_OK;
    case ENTRY_TRUE:
        ps_pg_add_string(out, "true");
        return PS_OK;
    case ENTRY_NULL:
        ps_pg_add_string(out, "null");
        return PS_OK;
    case ENTRY_CONTAINER:
        return push(s, e->data, e->len, out);
    default:
        return corrupt("an element of no known type");
    }
}

static ps_err add_key(struct container *c, struct ps_text *out)
{
    struct element key = {0};
    ps_err err = take(c, c->next, &c->key_end, &key);

    if (err)
        return err;
    if (key.type != ENTRY_STRING)
        return corrupt("a key that is no string");
    ps_pg_add_json_string(out, key.data, key.len);
    ps_text_add(out, ": ", 2);
    return PS_OK;
}

/* The next element of the innermost container, or its end. */
static ps_err step(struct stack *s, struct ps_text *out)
{
    struct container *c = &s->all[s->count - 1];
    struct element e = {0};
    uint32_t i;
    ps_err err;

    if (c->next == c->count) {
        add_bracket(c, "}]", out);
        s->count--;
        return PS_OK;
    }
    if (c->next > 0)
        ps_text_add(out, ", ", 2);
    i = c->next;
    if (c->kind == CONTAINER_OBJECT) {
        err = add_key(c, out);
        if (err)
            return err;
        i += c->count;
    }
    err = take(c, i, &c->value_end, &e);
    if (err)
        return err;
    c->next++;
    return add_element(s, &e, out);
}

ps_err ps_pg_out_jsonb(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                       const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct stack s = {0};
    ps_err err = push(&s, data, len, out);

    (void)p;
    (void)type;
    while (!err && s.count > 0)
        err = step(&s, out);
    free(s.all);
    return err ? err : ps_text_err(out);
}

static void add_escape(struct ps_text *out, uint8_t c)
{
    static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    const char *at;

    for (at = letters; *at; at += 2) {
        if ((uint8_t)*at == c) {
            ps_pg_add_char(out, '\\');
            ps_pg_add_char(out, at[1]);
            return;
        }
    }
    ps_text_printf(out, "\\u%04x", c);
}

void ps_pg_add_json_string(struct ps_text *out, const uint8_t *data, uint32_t len)
{
    uint32_t i, start = 0;

    ps_pg_add_char(out, '"');
    for (i = 0; i < len; i++) {
        if (data[i] >= ' ' && data[i] != '"' && data[i] != '\\')
            continue;
        ps_text_add(out, data + start, i - start);
        add_escape(out, data[i]);
        start = i + 1;
    }
    ps_text_add(out, data + start, len - start);
    ps_pg_add_char(out, '"');
}
