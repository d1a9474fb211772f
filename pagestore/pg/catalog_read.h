/*
 * catalog_read.h - rows of one catalog, column by column.
 *
 * A reader is told which columns are wanted, by name, and how the catalog's rows lie. A column that
 * this version of PostgreSQL does not have reads as null.
 *
 * Flow       catalog_*.c, schema_*.c -> [catalog_read] -> visibility, tuple -> store
 * Units      columns are counted in the order in which they were asked for.
 * Ownership  a row and its values are good during the call that is given them.
 * Locking    none is kept; a reader is one thread's.
 * Errors     a damaged page or row is left out and counted. What the row's function returns ends
 *            the reading and is returned. PS_ERR_NOMEM.
 * Promise    rows that a server would not see are left out; of those of whose transactions nothing
 *            is known `sure` is false.
 */
#ifndef PS_PG_CATALOG_READ_H
#define PS_PG_CATALOG_READ_H

#include "pagestore/table.h"
#include "pg/toast.h"
#include "pg/visibility.h"

#define PS_PGC_NAME_MAX 64u

struct ps_pgc_row {
    const struct ps_pg_value *values; /* of all attributes */
    const int *columns;               /* index of the wanted ones among them; -1: there is none */
    bool sure;
};
typedef ps_err (*ps_pgc_row_fn)(void *ctx, const struct ps_pgc_row *row);

/* The value of a wanted column; NULL: it is null, or there is no such column. */
const struct ps_pg_value *ps_pgc_value(const struct ps_pgc_row *row, unsigned column);
/* Fixed-length ones; 0 where there is none. */
ps_oid ps_pgc_oid(const struct ps_pgc_row *row, unsigned column);
int32_t ps_pgc_int32(const struct ps_pgc_row *row, unsigned column);
int64_t ps_pgc_int64(const struct ps_pgc_row *row, unsigned column);
int16_t ps_pgc_int16(const struct ps_pgc_row *row, unsigned column);
bool ps_pgc_bool(const struct ps_pgc_row *row, unsigned column);
char ps_pgc_char(const struct ps_pgc_row *row, unsigned column);
/* A name, up to its first NUL; "" where there is none. */
void ps_pgc_name(const struct ps_pgc_row *row, unsigned column, char buf[PS_PGC_NAME_MAX + 1]);
/* Appends a text (or other varlena) value's bytes. *ret_there false: it is null, damaged, or stored
 * elsewhere. PS_ERR_NOMEM. */
PS_MUST_USE ps_err ps_pgc_text(const struct ps_pgc_row *row, unsigned column, struct ps_text *out,
                               bool *ret_there);
/* The elements of an int2vector, oidvector, int2[] or oid[] of one dimension; *ret_count is 0 if
 * the value is not there, or there are more than max. PS_ERR_NOMEM. */
PS_MUST_USE ps_err ps_pgc_vector(const struct ps_pgc_row *row, unsigned column, uint32_t elem_len,
                                 uint32_t *ret, uint32_t max, uint32_t *ret_count);

/* What a reader met. */
struct ps_pgc_met {
    uint64_t bad_pages, bad_rows, unsure_rows;
    uint32_t first_bad_page;
};

struct ps_pgc_reader {
    const struct ps_pg_desc *desc;
    const char *const *names; /* of the wanted columns */
    uint32_t name_count;
    uint32_t enough;           /* as of struct ps_pgc_spec */
    struct ps_pg_xacts *xacts; /* may be NULL */
    ps_pgc_row_fn row;
    void *ctx;
    struct ps_pgc_met met;
    /* private */
    int *columns;
    struct ps_pg_value *values;
};

/* The caller has set what is before `met`, and zeroed the rest. */
PS_MUST_USE ps_err ps_pgc_reader_init(struct ps_pgc_reader *r);
void ps_pgc_reader_deinit(struct ps_pgc_reader *r);
/* Rows of all of the table's pages. serve: also of damaged ones. */
PS_MUST_USE ps_err ps_pgc_read_table(struct ps_pgc_reader *r, struct ps_table *table, bool serve);

#endif
