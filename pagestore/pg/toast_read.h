/*
 * toast_read.h - finds the chunks of values that are stored in toast relations.
 *
 * By the toast relation's index; where that is missing or damaged, by one scan of the relation that
 * notes which blocks each value lies in.
 *
 * Flow       rows, damage -> [toast_read] -> catalog, tuple -> store
 * Ownership  new gives a reader that free takes back. It remembers the relation of the last value.
 * Locking    one thread uses a reader at a time.
 * Errors     PS_ERR_NOENT: a chunk, or the relation, is not there. PS_ERR_CORRUPT.
 * Promise    ends whatever links the index has; memory is that of the values there are.
 * Source     src/backend/access/heap/heaptoast.c, src/include/access/nbtree.h.
 */
#ifndef PS_PG_TOAST_READ_H
#define PS_PG_TOAST_READ_H

#include "pg/catalog.h"
#include "pg/toast.h"

struct ps_pg_toast_reader;

PS_MUST_USE ps_err ps_pg_toast_reader_new(struct ps_pg_catalog *catalog, uint32_t db,
                                          struct ps_pg_toast_reader **ret);
void ps_pg_toast_reader_free(struct ps_pg_toast_reader *reader);
/* For the calls until the next one; NULL: nobody interrupts. */
void ps_pg_toast_reader_cancel(struct ps_pg_toast_reader *reader, struct ps_cancel *cancel);

/* A toaster whose fetch uses the reader. */
struct ps_pg_toaster ps_pg_toast_reader_toaster(struct ps_pg_toast_reader *reader);

#endif
