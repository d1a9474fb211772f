/*
 * desc.h - PostgreSQL's types and row descriptions, as its catalogs tell them.
 *
 * Flow       catalog (fills in) -> [desc] -> tuple, output, rows, schema (use)
 * Units      OIDs; lengths in bytes, typlen -1: varlena, -2: C string.
 * Ownership  of whoever made them; strings and missing values belong to the struct they are in.
 * Locking    constant once made.
 * Promise    attributes stand in the order of their numbers, dropped ones among them.
 * Source     src/include/catalog/pg_type.h, pg_attribute.h.
 */
#ifndef PS_PG_DESC_H
#define PS_PG_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t ps_oid; /* 0: InvalidOid */

/* Bytes that attalign means; 0: it is none. */
static inline uint32_t ps_pg_align_bytes(char align)
{
    static const uint8_t bytes[UINT8_MAX + 1] = {['c'] = 1, ['s'] = 2, ['i'] = 4, ['d'] = 8};

    return bytes[(uint8_t)align];
}

/* Can these be attlen and attalign, or typlen and typalign? */
static inline bool ps_pg_layout_valid(int32_t len, char align)
{
    return len >= -2 && len != 0 && ps_pg_align_bytes(align) != 0;
}

struct ps_pg_attr {
    char *name; /* UTF-8 or whatever the database's encoding is; without quotes */
    ps_oid type;
    int32_t typmod; /* -1: none */
    int16_t num;    /* attnum, from 1 */
    int16_t len;    /* attlen: as typlen */
    char align;     /* c, s, i, d */
    char generated;
    char identity;
    bool not_null, has_default, dropped;
    bool has_missing; /* rows shorter than this attribute have `missing` */
    ps_oid collation;
    uint8_t *missing; /* the value as it would lie in a tuple; NULL with has_missing: not known */
    size_t missing_len;
};

/* Does COPY of the whole relation print it? */
static inline bool ps_pg_attr_copied(const struct ps_pg_attr *attr)
{
    return !attr->dropped && !attr->generated;
}

struct ps_pg_desc {
    uint32_t count;
    struct ps_pg_attr *attrs;
};
void ps_pg_desc_deinit(struct ps_pg_desc *desc);

/* A row of pg_type, with what pg_range and pg_class add. */
struct ps_pg_type {
    ps_oid oid;
    char name[64];
    ps_oid schema;
    int16_t len;
    char align;
    char kind;       /* typtype: b, c, d, e, p, r, m */
    char delim;      /* between elements of an array */
    ps_oid row;      /* typrelid: the composite's relation */
    ps_oid elem;     /* typelem: of an array (or name, point, ...) */
    ps_oid array;    /* typarray */
    ps_oid base;     /* typbasetype of a domain; rngsubtype of a range, rngtypid of a multirange */
    int32_t typmod;  /* of the base type */
    char output[64]; /* typoutput, if it is a function of PostgreSQL's own; "": not known */
};

/* What the printing of values asks the catalogs. Any may fail to know: then NULL. */
struct ps_pg_types {
    const struct ps_pg_type *(*type)(void *ctx, ps_oid oid);
    const struct ps_pg_desc *(*row)(void *ctx, ps_oid relation); /* of a composite type */
    const char *(*enum_label)(void *ctx, ps_oid value);
    /* A name for what is stored as an OID, not 0: regclass, regproc, regtype, ... `type` says
     * which. Into buf, quoted and qualified as PostgreSQL prints it; false: not known, print the
     * number. */
    bool (*reg_name)(void *ctx, ps_oid type, ps_oid value, char *buf, size_t len);
    void *ctx;
};

#endif
