/*
 * rows.h - a heap relation's tuples as CSV, a page at a time.
 *
 * Flow       fs (views) -> [rows] -> visibility, output, toast -> store
 * Units      page numbers count from 0.
 * Ownership  open gives a scan that close takes back.
 * Locking    one thread uses a scan at a time.
 * Errors     a damaged page or row is PS_ERR_CORRUPT after everything before it was given, unless
 *            `skip` is set: then exactly that is left out.
 * Source     contrib/pageinspect (heap_page_items), COPY.
 */
#ifndef PS_PG_ROWS_H
#define PS_PG_ROWS_H

#include "base/text.h"
#include "pg/catalog.h"

enum ps_pg_rows {
    PS_PG_ROWS,      /* what COPY (FORMAT csv, HEADER) prints */
    PS_PG_DEAD_ROWS, /* deleted or superseded and still there */
    PS_PG_UNDECIDED_ROWS,
};

struct ps_pg_scan;

/* A partitioned relation's rows are those of its leaves, columns by name. */
PS_MUST_USE ps_err ps_pg_scan_open(struct ps_pg_catalog *catalog, uint32_t db,
                                   const struct ps_pg_relation *relation, enum ps_pg_rows what,
                                   bool skip, struct ps_pg_scan **ret);
void ps_pg_scan_close(struct ps_pg_scan *scan);

/* Appends the header line first, then the rows of one more page; *ret_done: that was all. */
PS_MUST_USE ps_err ps_pg_scan_step(struct ps_pg_scan *scan, struct ps_cancel *cancel,
                                   struct ps_text *out, bool *ret_done);

/* Every line pointer of a page, with pageinspect's columns. The table's relation need not be known.
 * *at is 0 before the first step, which gives the header line, then 1 + the block that comes next;
 * *ret_done: that was the last. */
PS_MUST_USE ps_err ps_pg_tuples_step(struct ps_table *table, uint64_t *at, bool skip,
                                     struct ps_cancel *cancel, struct ps_text *out, bool *ret_done);

/* pgstattuple's figures, `name value` a line. */
PS_MUST_USE ps_err ps_pg_space(struct ps_pg_catalog *catalog, struct ps_table *table,
                               struct ps_cancel *cancel, struct ps_text *out);

#endif
