/*
 * schema_node.h - PostgreSQL's stored expressions (pg_node_tree), walked where they stand.
 *
 * A node is `{NAME :field value :field value}`; a value is a word, a node, `<>` for none, or a list
 * of values in round brackets.
 *
 * Flow       schema_expr.c, schema.c -> [schema_node] -> text of an expression
 * Ownership  spans point into the caller's text.
 * Locking    pure functions.
 * Errors     text that is no such tree has no fields and no items; nothing is read past its end.
 * Source     src/backend/nodes/outfuncs.c, read.c.
 */
#ifndef PS_PG_SCHEMA_NODE_H
#define PS_PG_SCHEMA_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ps_pgc_span {
    const char *at;
    size_t len;
};

bool ps_pgc_node_is(struct ps_pgc_span node, const char *name);
/* The field's value, or an empty span: there is none, or it is `<>`. */
struct ps_pgc_span ps_pgc_node_field(struct ps_pgc_span node, const char *field);
/* A number; 0 where there is none. */
long ps_pgc_node_number(struct ps_pgc_span node, const char *field);
bool ps_pgc_node_true(struct ps_pgc_span node, const char *field);
bool ps_pgc_node_word_is(struct ps_pgc_span node, const char *field, const char *word);
/* Takes the next item off a list (what is between its brackets, from ps_pgc_node_list). */
bool ps_pgc_node_next(struct ps_pgc_span *items, struct ps_pgc_span *ret);
struct ps_pgc_span ps_pgc_node_list(struct ps_pgc_span node, const char *field);
/* The bytes of a constant, `LEN [ 1 2 -3 ]`, as many as fit buf; their number. */
size_t ps_pgc_node_bytes(struct ps_pgc_span node, const char *field, uint8_t *buf, size_t max);

#endif
