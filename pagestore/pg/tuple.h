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

#include "format/pg_layout.h"
#include "pagestore/err.h"
#include "pg/desc.h"

#define PS_PG_TUPLE_HEADER 23u
#define PS_PG_ATTRS_MAX 1664u

/* t_infomask */
enum {
    PS_PG_HASNULL = PS_PG_HEAP_HASNULL,
    PS_PG_HASVARWIDTH = 0x0002,
    PS_PG_HASEXTERNAL = 0x0004,
    PS_PG_HASOID = PS_PG_HEAP_HASOID_OLD, /* before version 12 */
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
    PS_PG_NATTS_MASK = PS_PG_HEAP_NATTS,
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

/* Bytes that the header needs, with null bitmap and OID. */
static inline uint32_t ps_pg_tuple_header_len(const struct ps_pg_tuple *t)
{
    return PS_PG_TUPLE_HEADER + (t->infomask & PS_PG_HASNULL ? (t->natts + 7u) / 8 : 0) +
           (t->infomask & PS_PG_HASOID ? (uint32_t)sizeof(ps_oid) : 0);
}

/* Attributes count from 0 here. */
static inline bool ps_pg_tuple_is_null(const struct ps_pg_tuple *t, uint32_t i)
{
    return t->nulls && !(t->nulls[i / 8] >> i % 8 & 1);
}

/* PS_ERR_CORRUPT, and why the header cannot be. */
ps_err ps_pg_tuple_unfit(const struct ps_pg_tuple *tuple);

/* A tuple that is corrupt but has a header's 23 bytes still gives its fields, to be shown; its
 * values must not be asked for then. */
PS_MUST_USE static inline ps_err ps_pg_tuple_parse(const void *bytes, uint32_t len,
                                                   struct ps_pg_tuple *ret)
{
    const struct ps_pg_heap_tuple *h = bytes;

    if (len < PS_PG_TUPLE_HEADER)
        return ps_fail(PS_ERR_CORRUPT, "lp_len: %u bytes are no tuple header", len);
    *ret = (struct ps_pg_tuple){
        .bytes = bytes,
        .len = len,
        .xmin = ps_get32(h->t_xmin),
        .xmax = ps_get32(h->t_xmax),
        .field3 = ps_get32(h->t_field3),
        .ctid_block = (uint32_t)ps_get16(h->t_ctid_hi) << 16 | ps_get16(h->t_ctid_lo),
        .ctid_slot = ps_get16(h->t_ctid_posid),
        .infomask2 = ps_get16(h->t_infomask2),
        .infomask = ps_get16(h->t_infomask),
        .hoff = h->t_hoff,
        .natts = ps_get16(h->t_infomask2) & PS_PG_NATTS_MASK,
    };
    if (ret->natts > PS_PG_ATTRS_MAX || ret->hoff < ps_pg_tuple_header_len(ret) ||
        ret->hoff % 4 != 0 || ret->hoff > len)
        return ps_pg_tuple_unfit(ret);
    if (ret->infomask & PS_PG_HASNULL)
        ret->nulls = h->t_bits;
    return PS_OK;
}

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
