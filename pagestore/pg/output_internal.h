/*
 * output_internal.h - what the printing of values shares among its files; no one else's.
 *
 * Flow       output.c (finds a type's output function) -> output_*.c (one file a theme)
 * Units      lengths are bytes; a level is a value within a value.
 * Ownership  a printed value's bytes are the caller's, or in a buffer of the printer's level.
 * Locking    one thread uses a printer at a time; the tables of types and functions are constant.
 * Errors     an output function trusts no byte but `len`, and that only to be `fixed_len` where its
 *            entry in the table says so. On an error what was added may stay in out.
 * Promise    no byte of a value is printed twice, so that a few bytes cannot become gigabytes;
 *            values nest no deeper than PS_PG_LEVELS_MAX.
 */
#ifndef PS_PG_OUTPUT_INTERNAL_H
#define PS_PG_OUTPUT_INTERNAL_H

#include <stdbool.h>
#include <string.h>

#include "base/byteorder.h"
#include "pg/output.h"

/* Values within values: deeper than this is no value that anyone stored. Quotes double a level. */
#define PS_PG_LEVELS_MAX 12u

struct ps_pg_out_type;

typedef ps_err ps_pg_out_fn(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                            const uint8_t *data, uint32_t len, struct ps_text *out);

/* A type as it is printed. */
struct ps_pg_out_type {
    ps_oid oid;
    ps_oid base; /* what a domain is of, through all domains; else the type itself */
    ps_pg_out_fn *print;
    uint32_t fixed_len; /* 0: any */
    bool bare_csv;      /* never prints what CSV would quote */
    bool bare;          /* nor what arrays and rows would */
    bool told;          /* that it is not known */
    char delim;         /* between elements of an array of it */
    ps_oid elem;        /* of an array; of a range its bounds' type; of a multirange its range */
    ps_oid row;         /* of a composite */
    struct ps_pg_attr attr; /* how it lies in an array, a range */
};

struct ps_pg_printer {
    struct ps_pg_types types;
    struct ps_pg_toaster toaster;
    void (*unknown)(void *ctx, ps_oid type);
    void *unknown_ctx;
    struct ps_pg_out_type **slots; /* open addressing by OID; slot_count is a power of two */
    uint32_t slot_count, type_count;
    struct ps_text detoasted[PS_PG_LEVELS_MAX];
    uint32_t level;
};

/* How a type is printed, looked up once. *ret NULL: it is not known. */
PS_MUST_USE ps_err ps_pg_out_lookup(struct ps_pg_printer *p, ps_oid type,
                                    const struct ps_pg_out_type **ret);
/* The same for the type of a column; one that is not known prints as such. */
PS_MUST_USE ps_err ps_pg_out_column(struct ps_pg_printer *p, ps_oid type,
                                    const struct ps_pg_out_type **ret);
/* Prints a value that is not null, a level further down. */
PS_MUST_USE ps_err ps_pg_out_value(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                                   const struct ps_pg_value *value, struct ps_text *out);
/* Tells, the first time, that the type, or what its values mean, is not known. */
void ps_pg_tell_unknown(struct ps_pg_printer *p, const struct ps_pg_out_type *type);
/* The same, and prints the bytes as \x... . */
PS_MUST_USE ps_err ps_pg_out_unknown(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                                     const uint8_t *data, uint32_t len, struct ps_text *out);

/* The function that PostgreSQL calls by this name; NULL: not known here. */
struct ps_pg_out_entry {
    const char *name;
    ps_pg_out_fn *print;
    uint32_t fixed_len;
    bool bare_csv, bare;
};
const struct ps_pg_out_entry *ps_pg_out_entry(const char *name);

/* `at`, moved to where a value of this alignment may lie. */
static inline uint32_t ps_pg_align(uint32_t at, char align)
{
    uint32_t to = ps_pg_align_bytes(align);

    return to > 1 ? (at + to - 1) & ~(to - 1) : at;
}

/* ---- text ---- */

/* Puts quotes around what out has from start on, and a byte before each that needs it. */
enum ps_pg_quoting {
    PS_PG_DOUBLE_QUOTES,  /* CSV: " becomes "" */
    PS_PG_DOUBLE_BOTH,    /* rows, ranges: also \ becomes \\ */
    PS_PG_BACKSLASH_BOTH, /* arrays: \" and \\ */
};
void ps_pg_quote_tail(struct ps_text *out, size_t start, enum ps_pg_quoting how);
/* Puts CSV's quotes around it where COPY would. */
void ps_pg_csv_quote_tail(struct ps_text *out, size_t start, bool only_column);
/* isspace() of the C locale. */
bool ps_pg_is_space(char c);

/* Adds len bytes in hexadecimal. */
void ps_pg_add_hex(struct ps_text *out, const uint8_t *data, uint32_t len);
static inline void ps_pg_add_char(struct ps_text *out, char c)
{
    char *to = ps_text_room(out, 1);

    if (!to)
        return;
    *to = c;
    out->len++;
}
void ps_pg_add_string(struct ps_text *out, const char *s);
/* Adds len bytes, each ' and \ among them doubled, between '...'. */
void ps_pg_add_lexeme(struct ps_text *out, const uint8_t *data, uint32_t len);
/* Adds "..." as JSON escapes it. */
void ps_pg_add_json_string(struct ps_text *out, const uint8_t *data, uint32_t len);
PS_MUST_USE ps_err ps_pg_add_numeric(const uint8_t *data, uint32_t len, struct ps_text *out);

#define PS_PG_DIGITS_MAX 20u
/* Put decimal digits (as many as needed; exactly two) or a string, and return where they end. */
char *ps_pg_put_digits(char *to, uint64_t v);
char *ps_pg_put_2digits(char *to, uint32_t v);
static inline char *ps_pg_put_string(char *to, const char *s)
{
    const size_t len = strlen(s);

    memcpy(to, s, len);
    return to + len;
}
void ps_pg_add_u64(struct ps_text *out, uint64_t v);
void ps_pg_add_i64(struct ps_text *out, int64_t v);

/* Adds the shortest digits that read back as the same number. */
void ps_pg_add_float8(struct ps_text *out, double v);

/* ---- output functions, by file ---- */

ps_pg_out_fn ps_pg_out_bool, ps_pg_out_int2, ps_pg_out_int4, ps_pg_out_int8, ps_pg_out_oid;
ps_pg_out_fn ps_pg_out_xid8, ps_pg_out_money, ps_pg_out_float4, ps_pg_out_float8;
ps_pg_out_fn ps_pg_out_numeric;
ps_pg_out_fn ps_pg_out_date, ps_pg_out_time, ps_pg_out_timetz, ps_pg_out_timestamp;
ps_pg_out_fn ps_pg_out_timestamptz, ps_pg_out_interval;
ps_pg_out_fn ps_pg_out_text, ps_pg_out_name, ps_pg_out_char, ps_pg_out_bytea, ps_pg_out_uuid;
ps_pg_out_fn ps_pg_out_bit, ps_pg_out_enum, ps_pg_out_xml, ps_pg_out_jsonb, ps_pg_out_jsonpath;
ps_pg_out_fn ps_pg_out_array, ps_pg_out_int2vector, ps_pg_out_oidvector;
ps_pg_out_fn ps_pg_out_record, ps_pg_out_range, ps_pg_out_multirange;
ps_pg_out_fn ps_pg_out_inet, ps_pg_out_cidr, ps_pg_out_macaddr;
ps_pg_out_fn ps_pg_out_point, ps_pg_out_lseg, ps_pg_out_box, ps_pg_out_line, ps_pg_out_circle;
ps_pg_out_fn ps_pg_out_path, ps_pg_out_polygon;
ps_pg_out_fn ps_pg_out_tsvector, ps_pg_out_tsquery;
ps_pg_out_fn ps_pg_out_tid, ps_pg_out_lsn, ps_pg_out_snapshot, ps_pg_out_reg, ps_pg_out_aclitem;
ps_pg_out_fn ps_pg_out_ndistinct, ps_pg_out_dependencies;

#endif
