/*
 * catalog_list.h - sorted lists of what catalogs' rows say, and the strings in them.
 *
 * Items of every list begin with a key. They are added in any order, settled once, then looked up.
 *
 * Flow       catalog_*.c, schema_*.c -> [catalog_list] -> malloc
 * Ownership  a zeroed struct is an empty list; deinit frees the items, not what they point to.
 *            Pointers to items are good until the next add, and from settling on for ever.
 * Locking    none; constant once settled.
 * Errors     PS_ERR_NOMEM.
 * Promise    no key twice: of several rows that say something of one thing, one that is sure wins,
 *            then the first that was read.
 */
#ifndef PS_PG_CATALOG_LIST_H
#define PS_PG_CATALOG_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pagestore/err.h"
#include "pg/desc.h"

struct ps_pgc_key {
    ps_oid a, b;
    bool sure;
    uint32_t order; /* in which it was added */
};

struct ps_pgc_list {
    uint8_t *items;
    uint32_t count, cap;
    uint32_t item_size; /* set by the first add */
};

/* A new item, zeroed but for its key. */
PS_MUST_USE ps_err ps_pgc_list_add(struct ps_pgc_list *l, size_t item_size, ps_oid a, ps_oid b,
                                   bool sure, void *ret_item);
void ps_pgc_list_settle(struct ps_pgc_list *l);
void ps_pgc_list_deinit(struct ps_pgc_list *l);

void *ps_pgc_list_at(const struct ps_pgc_list *l, uint32_t index);
/* NULL: there is none. */
void *ps_pgc_list_find(const struct ps_pgc_list *l, ps_oid a, ps_oid b);
/* Index of the first item with key a or more. */
uint32_t ps_pgc_list_first(const struct ps_pgc_list *l, ps_oid a);

/* Strings that live as long as all of this. */
struct ps_pgc_strings {
    struct ps_pgc_chunk *chunks;
    size_t used;
};
/* A copy with a NUL behind it; NULL when out of memory. */
char *ps_pgc_keep(struct ps_pgc_strings *s, const void *bytes, size_t len);
void ps_pgc_strings_deinit(struct ps_pgc_strings *s);

#endif
