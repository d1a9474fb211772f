/*
 * catalog_leaves.c - partitions of a relation that hold its rows, found through pg_inherits.
 */
#include <stdlib.h>

#include "pg/catalog_internal.h"

struct leaves {
    const struct ps_pgc_db *db;
    bool *followed;  /* by row of pg_inherits: each is followed once, whatever circles they make */
    uint32_t *stack; /* indexes of relations */
    uint32_t depth;
    const struct ps_pg_relation **list;
    uint32_t count;
};

/* Pushes the children of a relation, the one with the least OID on top. */
static void push_children(struct leaves *l, ps_oid parent)
{
    const struct ps_pgc_list *children = &l->db->children;
    uint32_t first = ps_pgc_list_first(children, parent), i = first;
    const struct ps_pgc_child *child;

    while (i < children->count) {
        child = ps_pgc_list_at(children, i);
        if (child->key.a != parent)
            break;
        i++;
    }
    while (i-- > first) {
        if (!l->followed[i])
            l->stack[l->depth++] = i;
        l->followed[i] = true;
    }
}

static void walk(struct leaves *l, ps_oid root)
{
    const struct ps_pgc_relation *rel;
    const struct ps_pgc_child *child;

    push_children(l, root);
    while (l->depth > 0) {
        child = ps_pgc_list_at(&l->db->children, l->stack[--l->depth]);
        rel = ps_pgc_list_find(&l->db->relations, child->key.b, 0);
        if (rel && rel->pub.kind == 'r')
            l->list[l->count++] = &rel->pub;
        else if (rel && rel->pub.kind == 'p')
            push_children(l, rel->key.a);
    }
}

ps_err ps_pg_relation_leaves(struct ps_pg_catalog *c, uint32_t db,
                             const struct ps_pg_relation *relation,
                             const struct ps_pg_relation ***ret, uint32_t *ret_count)
{
    struct leaves l = {.db = ps_pgc_db(c, db)};
    size_t rows = l.db->children.count + 1u;
    ps_err err = PS_OK;

    l.followed = calloc(rows, sizeof(*l.followed));
    l.stack = calloc(rows, sizeof(*l.stack));
    l.list = calloc(rows, sizeof(const struct ps_pg_relation *));
    if (l.followed && l.stack && l.list)
        walk(&l, relation->oid);
    else
        err = ps_fail(PS_ERR_NOMEM, "no memory for %zu partitions", rows);
    free(l.followed);
    free(l.stack);
    if (err) {
        free(l.list);
        return err;
    }
    *ret = l.list;
    *ret_count = l.count;
    return PS_OK;
}
