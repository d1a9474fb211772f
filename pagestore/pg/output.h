/*
 * output.h - values as PostgreSQL prints them, and rows as its COPY writes them in CSV.
 *
 * Prints what the type's output function prints under DateStyle ISO, TimeZone UTC, IntervalStyle
 * postgres, bytea_output hex, extra_float_digits 1, client encoding that of the database. A type
 * that is not known prints its bytes as \x..., a value of an enum that has no label its OID in
 * pg_enum. money is assumed to be dollars (lc_monetary C).
 *
 * Flow       rows, schema -> [output] -> text
 * Ownership  a printer keeps buffers from value to value.
 * Locking    one thread uses a printer at a time.
 * Errors     PS_ERR_CORRUPT: the bytes are no value of the type; those of detoasting. Text that
 *            was added before the error stays; the caller cuts it off.
 * Promise    no byte of a value is printed twice, so that a few bytes cannot become gigabytes.
 * Source     src/backend/utils/adt: numeric.c, timestamp.c, date.c, arrayfuncs.c, rowtypes.c, ...;
 *            src/backend/commands/copyto.c for CSV.
 */
#ifndef PS_PG_OUTPUT_H
#define PS_PG_OUTPUT_H

#include "pg/toast.h"

struct ps_pg_printer;

/* unknown is called once for each type that is not known. Both structs are copied; may be NULL. */
PS_MUST_USE ps_err ps_pg_printer_new(const struct ps_pg_types *types,
                                     const struct ps_pg_toaster *toaster,
                                     void (*unknown)(void *ctx, ps_oid type), void *ctx,
                                     struct ps_pg_printer **ret);
void ps_pg_printer_free(struct ps_pg_printer *printer);

/* Appends a value that is not null. Its typmod does not matter: what that rounds or pads was
 * rounded and padded when the value was stored. */
PS_MUST_USE ps_err ps_pg_print(struct ps_pg_printer *printer, ps_oid type,
                               const struct ps_pg_value *value, struct ps_text *out);

/* Appends one CSV field: nothing for null, the text quoted where COPY would quote it (an only
 * column's \. too). */
void ps_pg_csv_field(struct ps_text *out, const char *text, size_t len, bool only_column);
/* Appends the values of a row's attributes that COPY prints (desc.h) and a newline, or nothing and
 * the error. */
PS_MUST_USE ps_err ps_pg_csv_row(struct ps_pg_printer *printer, const struct ps_pg_desc *desc,
                                 const struct ps_pg_value *values, struct ps_text *out);
/* Appends the header: names of those attributes, as COPY ... HEADER does. */
void ps_pg_csv_header(const struct ps_pg_desc *desc, struct ps_text *out);

#endif
