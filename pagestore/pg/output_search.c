/*
 * output_search.c - tsvector and tsquery (src/include/tsearch/ts_type.h).
 */
#include <stdlib.h>

#include "pg/output_internal.h"

/* ---- tsvector: a count, a word for each lexeme, then lexemes and their positions ---- */

struct lexemes {
    const uint8_t *bytes;
    uint32_t len;
    uint64_t used; /* what is printed of bytes: each but once, if it is sound */
};

static void add_position(struct ps_text *out, uint16_t position)
{
    static const char weights[] = {0, 'C', 'B', 'A'};

    ps_pg_add_u64(out, position & 0x3fff);
    if (position >> 14 != 0)
        ps_pg_add_char(out, weights[position >> 14]);
}

static ps_err add_positions(struct lexemes *l, uint32_t at, struct ps_text *out)
{
    uint32_t count, i;

    at = (at + 1) & ~1u;
    count = at + 2 <= l->len ? ps_get16_at(l->bytes + at) : 0;
    if (at + 2 > l->len || count > (l->len - at - 2) / 2)
        return ps_fail(PS_ERR_CORRUPT, "tsvector: positions at byte %u of %u", at, l->len);
    l->used += 2 + 2 * count;
    for (i = 0; i < count; i++) {
        ps_pg_add_char(out, i > 0 ? ',' : ':');
        add_position(out, ps_get16_at(l->bytes + at + 2 + 2 * i));
    }
    return PS_OK;
}

/* A word: whether it has positions, 11 bits of length, 20 bits of offset. */
static ps_err add_lexeme(struct lexemes *l, uint32_t word, struct ps_text *out)
{
    uint32_t len = word >> 1 & 0x7ff;
    uint32_t at = word >> 12;
    ps_err err = PS_OK;

    if (at > l->len || len > l->len - at)
        return ps_fail(PS_ERR_CORRUPT, "tsvector: a lexeme of %u bytes at %u of %u", len, at,
                       l->len);
    ps_pg_add_lexeme(out, l->bytes + at, len);
    l->used += len;
    if (word & 1)
        err = add_positions(l, at + len, out);
    if (!err && l->used > l->len)
        return ps_fail(PS_ERR_CORRUPT, "tsvector: lexemes that lie in one another");
    return err;
}

ps_err ps_pg_out_tsvector(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                          const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct lexemes l;
    uint32_t count, i;
    ps_err err;

    (void)p;
    (void)type;
    count = len >= 4 ? ps_get32_at(data) : 0;
    if (len < 4 || count > (len - 4) / 4)
        return ps_fail(PS_ERR_CORRUPT, "tsvector: %u lexemes in %u bytes", count, len);
    l = (struct lexemes){.bytes = data + 4 + 4 * (size_t)count, .len = len - 4 - 4 * count};
    for (i = 0; i < count; i++) {
        if (i > 0)
            ps_pg_add_char(out, ' ');
        err = add_lexeme(&l, ps_get32_at(data + 4 + 4 * (size_t)i), out);
        if (err)
            return err;
    }
    return ps_text_err(out);
}

/* ---- tsquery: a count, the nodes of its tree in prefix order, right before left; the operands */

enum { NODE_VALUE = 1, NODE_OPERATOR = 2 };
enum { OP_NOT = 1, OP_AND = 2, OP_OR = 3, OP_PHRASE = 4 };
#define NODE_LEN 12u

struct query {
    const uint8_t *nodes, *operands;
    uint32_t count, operands_len;
    uint64_t used;  /* of the operands' bytes: each is printed once */
    uint32_t *size; /* how many nodes the tree below each has, itself included */
};

/* A node that is being printed: what is left to do of it. */
struct todo {
    uint32_t node;
    uint32_t stage;
    bool parenthesis;
};

struct todos {
    struct todo *all;
    uint32_t count;
};

static const uint8_t *node_at(const struct query *q, uint32_t i)
{
    return q->nodes + (size_t)i * NODE_LEN;
}

static int32_t priority(uint8_t op)
{
    switch (op) {
    case OP_NOT:
        return 4;
    case OP_PHRASE:
        return 3;
    case OP_AND:
        return 2;
    default:
        return 1;
    }
}

/* How many nodes the tree at i has, if those behind it are known; 0: it is none. */
static uint32_t tree_size(const struct query *q, uint32_t i)
{
    const uint8_t *node = node_at(q, i);
    uint32_t right = i + 1 < q->count ? q->size[i + 1] : 0;
    uint32_t left;

    if (node[0] == NODE_VALUE)
        return 1;
    if (node[0] != NODE_OPERATOR || node[1] < OP_NOT || node[1] > OP_PHRASE || right == 0)
        return 0;
    if (node[1] == OP_NOT)
        return 1 + right;
    left = i + 1 + right < q->count ? q->size[i + 1 + right] : 0;
    return left > 0 ? 1 + right + left : 0;
}

static ps_err measure(struct query *q)
{
    uint32_t i;

    for (i = q->count; i-- > 0;) {
        q->size[i] = tree_size(q, i);
        if (q->size[i] == 0)
            return ps_fail(PS_ERR_CORRUPT, "tsquery: node %u is wrong", i);
    }
    return PS_OK;
}

/* 1 type, 1 weights, 1 prefix, 1 padding, 4 CRC; 12 bits of length, 20 of offset */
static ps_err add_operand(struct query *q, uint32_t i, struct ps_text *out)
{
    const uint8_t *node = node_at(q, i);
    uint32_t word = ps_get32_at(node + 8);
    uint32_t len = word & 0xfff;
    uint32_t at = word >> 12;
    uint32_t bit;

    q->used += len;
    if (at > q->operands_len || len > q->operands_len - at || q->used > q->operands_len)
        return ps_fail(PS_ERR_CORRUPT, "tsquery: an operand of %u bytes at %u of %u", len, at,
                       q->operands_len);
    ps_pg_add_lexeme(out, q->operands + at, len);
    if (node[1] || node[2])
        ps_pg_add_char(out, ':');
    if (node[2])
        ps_pg_add_char(out, '*');
    for (bit = 0; bit < 4; bit++)
        if (node[1] & 8u >> bit)
            ps_pg_add_char(out, (char)('A' + bit));
    return PS_OK;
}

static void add_operator(const uint8_t *node, struct ps_text *out)
{
    int16_t distance = (int16_t)ps_get16_at(node + 2);

    if (node[1] == OP_AND)
        ps_pg_add_string(out, " & ");
    else if (node[1] == OP_OR)
        ps_pg_add_string(out, " | ");
    else if (distance == 1)
        ps_pg_add_string(out, " <-> ");
    else
        ps_text_printf(out, " <%d> ", distance);
}

/* Begins a node that stands below an operator of parent_priority. */
static ps_err begin(struct query *q, struct todos *t, uint32_t i, int32_t parent_priority,
                    bool right_of_phrase, struct ps_text *out)
{
    const uint8_t *node = node_at(q, i);
    bool parenthesis;

    if (node[0] == NODE_VALUE)
        return add_operand(q, i, out);
    parenthesis = priority(node[1]) < parent_priority || (node[1] == OP_PHRASE && right_of_phrase);
    if (parenthesis)
        ps_pg_add_string(out, "( ");
    if (node[1] == OP_NOT)
        ps_pg_add_char(out, '!');
    t->all[t->count++] = (struct todo){.node = i, .parenthesis = parenthesis};
    return PS_OK;
}

/* The innermost node's next operand, or its end. */
static ps_err step(struct query *q, struct todos *t, struct ps_text *out)
{
    struct todo *top = &t->all[t->count - 1];
    const uint8_t *node = node_at(q, top->node);
    uint32_t right = top->node + 1;
    uint32_t stage = top->stage++;

    if (stage == (node[1] == OP_NOT ? 1 : 2)) {
        if (top->parenthesis)
            ps_pg_add_string(out, " )");
        t->count--;
        return PS_OK;
    }
    if (node[1] == OP_NOT)
        return begin(q, t, right, priority(OP_NOT), false, out);
    if (stage == 0)
        return begin(q, t, right + q->size[right], priority(node[1]), false, out);
    add_operator(node, out);
    return begin(q, t, right, priority(node[1]), node[1] == OP_PHRASE, out);
}

static ps_err add_query(struct query *q, struct ps_text *out)
{
    struct todos t = {.all = calloc(q->count, sizeof(struct todo))};
    ps_err err;

    q->size = calloc(q->count, sizeof(*q->size));
    if (!q->size || !t.all)
        err = ps_fail(PS_ERR_NOMEM, "no memory for a tsquery of %u nodes", q->count);
    else
        err = measure(q);
    if (!err && q->size[0] != q->count)
        err =
            ps_fail(PS_ERR_CORRUPT, "tsquery: %u nodes of %u hang together", q->size[0], q->count);
    if (!err)
        err = begin(q, &t, 0, -1, false, out);
    while (!err && t.count > 0)
        err = step(q, &t, out);
    free(q->size);
    free(t.all);
    return err;
}

ps_err ps_pg_out_tsquery(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                         const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct query q = {0};
    ps_err err;

    (void)p;
    (void)type;
    q.count = len >= 4 ? ps_get32_at(data) : 0;
    if (len < 4 || q.count > (len - 4) / NODE_LEN)
        return ps_fail(PS_ERR_CORRUPT, "tsquery: %u nodes in %u bytes", q.count, len);
    if (q.count == 0)
        return PS_OK;
    q.nodes = data + 4;
    q.operands = q.nodes + (size_t)q.count * NODE_LEN;
    q.operands_len = len - 4 - q.count * NODE_LEN;
    err = add_query(&q, out);
    return err ? err : ps_text_err(out);
}
