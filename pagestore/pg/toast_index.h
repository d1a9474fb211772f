/*
 * toast_index.h - where the chunks of a value lie, by the B-tree index of a toast relation.
 *
 * Flow       toast_read -> [toast_index] -> store
 * Units      block numbers; slots count from 1.
 * Ownership  the caller owns the struct, its table and its page.
 * Locking    one thread uses an index at a time.
 * Errors     PS_ERR_CORRUPT: it is no such index, or a page on the way is damaged. A value that is
 *            not there is no error: each is not called.
 * Promise    ends, whatever links the index has.
 * Source     src/include/access/nbtree.h, src/backend/access/nbtree/nbtsearch.c.
 */
#ifndef PS_PG_TOAST_INDEX_H
#define PS_PG_TOAST_INDEX_H

#include "pagestore/table.h"
#include "pg/desc.h"
#include "pg/tid.h"

struct ps_pg_toast_index {
    struct ps_table *table;
    uint64_t pages_end;
    uint32_t page_size;
    uint8_t *page; /* page_size bytes to work with */
};

/* A place where, by the index, chunk seq of the value may lie; its error ends the search. */
typedef ps_err (*ps_pg_toast_place_fn)(void *ctx, uint32_t seq, struct ps_pg_tid tid);

/* In ascending order of seq. */
PS_MUST_USE ps_err ps_pg_toast_index_find(struct ps_pg_toast_index *index, ps_oid value,
                                          struct ps_cancel *cancel, ps_pg_toast_place_fn each,
                                          void *ctx);

#endif
