/*
 * tuple_plain.h - is there nothing wrong with a tuple's values? Told from the lengths alone, which
 * are walked over without taking the values.
 *
 * Flow       damage -> [tuple_plain] -> tuple
 * Units      offsets and lengths in bytes from where the values begin.
 * Ownership  a shape is the caller's, and its arrays are until deinit.
 * Locking    pure functions.
 * Errors     shape_set: PS_ERR_NOMEM. No byte is trusted, as in tuple.h.
 * Promise    what is plain, ps_pg_tuple_values() takes. Not plain says nothing.
 */
#ifndef PS_PG_TUPLE_PLAIN_H
#define PS_PG_TUPLE_PLAIN_H

#include "pg/tuple.h"

/* What of a description tells where values lie, in little room. */
struct ps_pg_shape {
    uint32_t count;     /* attributes */
    uint32_t natts_min; /* a row with fewer has missing values */
    uint32_t fixed;     /* attributes it begins with whose width is fixed: in a row without nulls */
    uint32_t fixed_len; /* they always lie in the same place, and end here */
    struct ps_pg_layout {
        int16_t len;    /* attlen */
        uint16_t align; /* bytes; 0: there is no such alignment */
    } * attrs;
    /* The attributes from `fixed` on, as they lie in a row that has them all and no nulls. Those of
     * fixed width in a row are one stretch where each lies in the same place of it. */
    struct ps_pg_stretch {
        uint32_t len;   /* 0: a varlena */
        uint32_t align; /* of its first attribute */
    } * stretches;
    uint32_t stretch_count;
    bool stretched; /* there are only such */
    uint32_t cap;   /* of both */
};
/* Makes what was zeroes, or another's shape, that of desc. */
PS_MUST_USE ps_err ps_pg_shape_set(struct ps_pg_shape *shape, const struct ps_pg_desc *desc);
void ps_pg_shape_deinit(struct ps_pg_shape *shape);

/* Do all values lie in the tuple, none of them compressed or stored elsewhere? Then there is
 * nothing for ps_pg_tuple_values() to complain of. False says nothing. */
bool ps_pg_tuple_is_plain(const struct ps_pg_tuple *tuple, const struct ps_pg_shape *shape);

static inline uint32_t ps_pg_align_up(uint32_t at, uint32_t align)
{
    return (at + align - 1) & ~(align - 1);
}

#define PS_PG_VARLENA_HEADER 4u /* of a long one */

/* A varlena that begins at *at, or behind its padding, is a short or a long one, and lies before
 * len: *at moves behind it. */
static inline bool ps_pg_skip_varlena(const uint8_t *data, uint32_t len, uint32_t align,
                                      uint32_t *at)
{
    uint32_t start = *at, size;

    if (start < len && data[start] == 0)
        start = ps_pg_align_up(start, align);
    if (start >= len || data[start] == 1)
        return false;
    if (data[start] & 1) {
        size = data[start] >> 1;
    } else {
        if (data[start] & 2 || len - start < PS_PG_VARLENA_HEADER)
            return false;
        size = ps_get32_at(data + start) >> 2;
        if (size < PS_PG_VARLENA_HEADER)
            return false;
    }
    *at = start + size;
    return size <= len - start;
}

/* The same of a tuple's values, which are all of the shape's attributes and no nulls, in stretches.
 */
static inline bool ps_pg_stretches_are_plain(const uint8_t *data, uint32_t len,
                                             const struct ps_pg_shape *shape)
{
    uint32_t at = shape->fixed_len;

    assert(shape->stretched);
    if (at > len)
        return false;
    for (uint32_t i = 0; i < shape->stretch_count; i++) {
        const struct ps_pg_stretch s = shape->stretches[i];

        if (s.len == 0) {
            if (!ps_pg_skip_varlena(data, len, s.align, &at))
                return false;
        } else {
            at = ps_pg_align_up(at, s.align) + s.len;
            if (at > len)
                return false;
        }
    }
    return true;
}

#endif
