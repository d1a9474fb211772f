/*
 * pg_describe.h - the parts of a PostgreSQL page's text that do not depend on the access method:
 * header and heap tuples, with the names of pageinspect's columns.
 *
 * Flow       format_postgres.c, pg/decode -> [pg_describe] -> out
 * Units      as describe.h.
 * Ownership  as describe.h.
 * Locking    pure functions.
 * Errors     as describe.h.
 * Promise    any bytes are survived, and nothing outside the page is read.
 */
#ifndef PS_FORMAT_PG_DESCRIBE_H
#define PS_FORMAT_PG_DESCRIBE_H

#include "format/describe.h"

/* The header's fields. checksums: do pages of this table carry any? */
void ps_pg_describe_header(const void *page, const struct ps_page_ident *who, const char *kind,
                           bool checksums, FILE *out);

/* heap_page_items() and heap_tuple_infomask_flags(). ctx: a bool, is every item known to be a
 * tuple? Else only those are shown as one whose header makes sense. */
extern const char ps_pg_tuple_titles[];
void ps_pg_describe_tuple(void *ctx, const unsigned char *page, uint32_t page_size, uint32_t slot,
                          const struct ps_lp *lp, FILE *out);

/* `{A,B}`: names of the bits set in value, names[i] for bit i; a bit without a name is left out. */
void ps_describe_flags(unsigned value, const char *const *names, unsigned count, FILE *out);

#endif
