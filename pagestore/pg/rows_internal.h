/*
 * rows_internal.h - what the parts of rows.h share.
 */
#ifndef PS_PG_ROWS_INTERNAL_H
#define PS_PG_ROWS_INTERNAL_H

#include "pg/heap_page.h"
#include "pg/rows.h"

/* rows_tuple.c: tuples.csv. */
void ps_pg_tuples_header(struct ps_text *out);
void ps_pg_tuples_line(const uint8_t *page, uint32_t page_size, uint32_t block, uint32_t slot,
                       struct ps_text *out);

#endif
