/*
 * pg_kind.h - what kind of page of PostgreSQL's this is, told from its special space.
 *
 * A page does not say which access method owns it, but most methods leave a mark in the special
 * space at its end (PostgreSQL's `..._PAGE_ID`s, which exist for pg_filedump's sake). What
 * stands between header and lower depends on it: line pointers on most pages, but an index's
 * metapage, a bitmap or packed posting lists on others.
 *
 * Flow       format_postgres.c, pg -> [pg_kind] -> bytes of a page
 * Units      offsets and lengths are bytes.
 * Locking    pure functions.
 * Errors     none: any bytes are survived, and nothing past the page is read.
 */
#ifndef PS_FORMAT_PG_KIND_H
#define PS_FORMAT_PG_KIND_H

#include <stdbool.h>
#include <stdint.h>

struct ps_pg_kind {
    const char *name; /* "plain" (heap, free space map, ...), "btree", ...; "unknown" */
    bool has_items;   /* line pointers follow the header */
    bool has_tuples;  /* the items are heap tuples, if anything */
};

/* special is pd_special; a value that cannot be makes the kind "unknown". */
struct ps_pg_kind ps_pg_kind(const void *page, uint32_t page_size, uint32_t special);

#endif
