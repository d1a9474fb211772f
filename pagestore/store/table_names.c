/*
 * table_names.c - tables by name: chains of a hash table.
 *
 * Its chains grow with the registry, where a failure can still be reported: giving a table its
 * name, which comes after that was logged, cannot fail.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "store/store_internal.h"

#define CHAINS_MIN 64u

static struct ps_table **chain_of(const struct ps_names *n, const char *name)
{
    return &n->chains[ps_crc32c(name, strlen(name)) & (n->chain_count - 1)];
}

static void link_table(struct ps_names *n, struct ps_table *t)
{
    struct ps_table **chain = chain_of(n, t->name);

    t->name_next = *chain;
    *chain = t;
}

static void relink_all(const struct ps_names *from, struct ps_names *to)
{
    struct ps_table *t, *next;

    for (uint32_t i = 0; i < from->chain_count; i++) {
        for (t = from->chains[i]; t; t = next) {
            next = t->name_next;
            link_table(to, t);
        }
    }
}

ps_err ps_names_reserve(struct ps_names *n, uint32_t table_count)
{
    struct ps_names bigger = {.chain_count = n->chain_count ? n->chain_count * 2 : CHAINS_MIN};

    if (table_count <= n->chain_count)
        return PS_OK;
    assert(table_count <= bigger.chain_count);
    bigger.chains = calloc(bigger.chain_count, sizeof(struct ps_table *));
    if (!bigger.chains)
        return ps_fail(PS_ERR_NOMEM, "no memory for the names of %u tables", table_count);
    relink_all(n, &bigger);
    free(n->chains);
    *n = bigger;
    return PS_OK;
}

void ps_names_deinit(struct ps_names *n)
{
    free(n->chains);
    *n = (struct ps_names){0};
}

struct ps_table *ps_names_find(const struct ps_names *n, const char *name)
{
    struct ps_table *t = n->chains ? *chain_of(n, name) : NULL;

    while (t && strcmp(t->name, name) != 0)
        t = t->name_next;
    return t;
}

void ps_names_remove(struct ps_names *n, struct ps_table *t)
{
    struct ps_table **at = chain_of(n, t->name);

    while (*at && *at != t)
        at = &(*at)->name_next;
    if (*at)
        *at = t->name_next;
}

void ps_names_set(struct ps_names *n, struct ps_table *t, const char *name)
{
    assert(strlen(name) <= PS_TABLE_NAME_MAX);
    ps_names_remove(n, t);
    memset(t->name, 0, sizeof(t->name));
    memcpy(t->name, name, strlen(name));
    link_table(n, t);
}
