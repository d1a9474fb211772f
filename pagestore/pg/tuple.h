/*
 * tuple.h - heap tuples: their header and their values.
 *
 * Flow       bytes of a page's item -> [tuple] -> visibility, rows, catalog, decode, damage
 * Units      offsets and lengths in bytes from the tuple's start.
 * Ownership  a tuple and its values point into the caller's bytes.
 * Locking    pure functions.
 * Errors     PS_ERR_CORRUPT with a message that names the field. No byte is trusted: no read goes
 *            past the tuple's end, whatever its header claims.
 * Source     src/include/access/htup_details.h, src/backend/access/common/heaptuple.c,
 *            src/include/varatt.h (postgres.h before 16).
 */
#ifndef PS_PG_TUPLE_H
#define PS_PG_TUPLE_H

#include "pagestore/err.h"
#include "pg/desc.h"

#define PS_PG_TUPLE_HEADER 23u
#define PS_PG_ATTRS_MAX 1664u

/* t_infomask */
enum {
    PS_PG_HASNULL = 0x0001,
    PS_PG_HASVARWIDTH = 0x0002,
    PS_PG_HASEXTERNAL = 0x0004,
    PS_PG_HASOID = 0x0008, /* before version 12 */
    PS_PG_XMAX_KEYSHR_LOCK = 0x0010,
    PS_PG_COMBOCID = 0x0020,
    PS_PG_XMAX_EXCL_LOCK = 0x0040,
    PS_PG_XMAX_LOCK_ONLY = 0x0080,
    PS_PG_XMIN_COMMITTED = 0x0100,
    PS_PG_XMIN_INVALID = 0x0200,
    PS_PG_XMIN_FROZEN = 0x0300,
    PS_PG_XMAX_COMMITTED = 0x0400,
    PS_PG_XMAX_INVALID = 0x0800,
    PS_PG_XMAX_IS_MULTI = 0x1000,
    PS_PG_UPDATED = 0x2000,
    PS_PG_MOVED_OFF = 0x4000,
    PS_PG_MOVED_IN = 0x8000,
};
/* t_infomask2 */
enum {
    PS_PG_NATTS_MASK = 0x07ff,
    PS_PG_KEYS_UPDATED = 0x2000,
    PS_PG_HOT_UPDATED = 0x4000,
    PS_PG_ONLY_TUPLE = 0x8000,
};

struct ps_pg_tuple {
    const uint8_t *bytes;
    uint32_t len;
    uint32_t xmin, xmax, field3;
    uint32_t ctid_block;
    uint16_t ctid_slot;
    uint16_t infomask2, infomask;
    uint8_t hoff;
    uint16_t natts;
    const uint8_t *nulls; /* bit i clear: attribute i + 1 is null; NULL: none is */
};

/* A tuple that is corrupt but has a header's 23 bytes still gives its fields, to be shown; its
 * values must not be asked for then. */
PS_MUST_USE ps_err ps_pg_tuple_parse(const void *bytes, uint32_t len, struct ps_pg_tuple *ret);

/* How a value lies in the tuple. */
enum ps_pg_form {
    PS_PG_NULL,
    PS_PG_PLAIN,      /* data, len: the value itself, varlena header taken off */
    PS_PG_COMPRESSED, /* data, len: the compressed bytes; raw_len what they unfold to */
    PS_PG_EXTERNAL,   /* in a toast relation; see `external` */
};
enum ps_pg_compression { PS_PG_PGLZ = 0, PS_PG_LZ4 = 1 };

/* A toast pointer (varatt_external). */
struct ps_pg_external {
    uint32_t raw_len; /* of the value itself, without varlena header */
    uint32_t stored_len;
    enum ps_pg_compression compression; /* if stored_len is less than raw_len */
    ps_oid value, relation;
};

struct ps_pg_value {
    enum ps_pg_form form;
    const uint8_t *data;
    uint32_t len;
    uint32_t raw_len;
    enum ps_pg_compression compression;
    struct ps_pg_external external;
};

/* Takes one value off bytes[*at..len), aligned as attr says, and moves *at behind it. For tuples,
 * and for composites and arrays, which lie the same way. */
PS_MUST_USE ps_err ps_pg_value_take(const struct ps_pg_attr *attr, const uint8_t *bytes,
                                    uint32_t len, uint32_t *at, struct ps_pg_value *ret);

/* All of desc's attributes, dropped ones too, into values[desc->count]. Those that the tuple is too
 * short to have are missing values or null. On an error values before the bad one are good and
 * *ret_good says how many. A tuple with more attributes than desc is PS_ERR_CORRUPT ("natts"). */
PS_MUST_USE ps_err ps_pg_tuple_values(const struct ps_pg_tuple *tuple,
                                      const struct ps_pg_desc *desc, struct ps_pg_value *values,
                                      uint32_t *ret_good);

#endif
