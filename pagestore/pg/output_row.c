/*
 * output_row.c - values of several values: composites (access/htup_details.h, rowtypes.c), ranges
 * (utils/rangetypes.h) and multiranges (multirangetypes.c).
 */
#include "pg/output_internal.h"
#include "pg/tuple.h"

/* Quotes what was added since start where rows and ranges do: if it is empty or has one of `these`
 * or a space. */
static void quote_part(struct ps_text *out, size_t start, const char *these)
{
    size_t i;

    if (out->failed)
        return;
    for (i = start; i < out->len; i++)
        if (ps_pg_is_space(out->data[i]) || (out->data[i] && strchr(these, out->data[i])))
            break;
    if (i < out->len || out->len == start)
        ps_pg_quote_tail(out, start, PS_PG_DOUBLE_BOTH);
}

/* ---- composites ---- */

/* A composite is a tuple, whose first four bytes are the varlena header that was taken off. */
enum {
    ROW_TYPE = 4, /* what stands there in a heap's tuple is t_xmax, t_field3 */
    ROW_INFOMASK2 = 14,
    ROW_INFOMASK = 16,
    ROW_HOFF = 18,
    ROW_NULLS = 19,
};
#define TAKEN_OFF 4u

struct row {
    uint32_t natts;
    const uint8_t *nulls; /* as of a tuple */
    const uint8_t *data;
    uint32_t len;
};

static ps_err parse_row(const uint8_t *bytes, uint32_t len, struct row *ret)
{
    uint32_t header = ROW_NULLS;
    bool has_nulls;
    uint32_t hoff;

    if (len < ROW_NULLS)
        return ps_fail(PS_ERR_CORRUPT, "row: %u bytes", len);
    has_nulls = ps_get16_at(bytes + ROW_INFOMASK) & PS_PG_HASNULL;
    *ret = (struct row){.natts = ps_get16_at(bytes + ROW_INFOMASK2) & PS_PG_NATTS_MASK};
    if (has_nulls) {
        header += (ret->natts + 7) / 8;
        ret->nulls = bytes + ROW_NULLS;
    }
    hoff = bytes[ROW_HOFF];
    if (hoff < header + TAKEN_OFF || hoff > len + TAKEN_OFF)
        return ps_fail(PS_ERR_CORRUPT, "row: t_hoff is %u", hoff);
    ret->data = bytes + hoff - TAKEN_OFF;
    ret->len = len + TAKEN_OFF - hoff;
    return PS_OK;
}

static ps_err add_field(struct ps_pg_printer *p, const struct ps_pg_attr *attr,
                        const struct ps_pg_value *value, struct ps_text *out)
{
    const struct ps_pg_out_type *type;
    size_t start = out->len;
    ps_err err = ps_pg_out_column(p, attr->type, &type);

    if (!err)
        err = ps_pg_out_value(p, type, value, out);
    if (!err && !type->bare)
        quote_part(out, start, "\"\\(),");
    return err;
}

static ps_err add_fields(struct ps_pg_printer *p, const struct ps_pg_desc *desc,
                         const struct row *row, struct ps_text *out)
{
    struct ps_pg_value value;
    bool first = true;
    uint32_t i, at = 0;
    ps_err err;

    for (i = 0; i < desc->count; i++) {
        bool null = i >= row->natts || (row->nulls && !(row->nulls[i / 8] >> i % 8 & 1));

        err = null ? PS_OK : ps_pg_value_take(&desc->attrs[i], row->data, row->len, &at, &value);
        if (err)
            return ps_fail_in(err, "field %u", i + 1);
        if (desc->attrs[i].dropped)
            continue;
        if (!first)
            ps_pg_add_char(out, ',');
        first = false;
        err = null ? PS_OK : add_field(p, &desc->attrs[i], &value, out);
        if (err)
            return ps_fail_in(err, "field %u", i + 1);
    }
    return PS_OK;
}

/* The columns of a composite; of one that is only said to be a record, of the type it names. */
static const struct ps_pg_desc *row_desc(const struct ps_pg_printer *p,
                                         const struct ps_pg_out_type *type, const uint8_t *bytes)
{
    const struct ps_pg_type *named = NULL;
    ps_oid row = type->row;

    if (row == 0 && p->types.type)
        named = p->types.type(p->types.ctx, ps_get32_at(bytes + ROW_TYPE));
    if (named)
        row = named->row;
    return row != 0 && p->types.row ? p->types.row(p->types.ctx, row) : NULL;
}

ps_err ps_pg_out_record(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                        const uint8_t *data, uint32_t len, struct ps_text *out)
{
    const struct ps_pg_desc *desc;
    struct row row = {0};
    ps_err err = parse_row(data, len, &row);

    if (err)
        return err;
    desc = row_desc(p, type, data);
    if (!desc)
        return ps_pg_out_unknown(p, type, data, len, out);
    if (row.natts > desc->count)
        return ps_fail(PS_ERR_CORRUPT, "row: %u fields, its type has %u", row.natts, desc->count);
    ps_pg_add_char(out, '(');
    err = add_fields(p, desc, &row, out);
    if (err)
        return err;
    ps_pg_add_char(out, ')');
    return ps_text_err(out);
}

/* ---- ranges ---- */

enum {
    RANGE_EMPTY = 0x01,
    RANGE_LOWER_INCLUSIVE = 0x02,
    RANGE_UPPER_INCLUSIVE = 0x04,
    RANGE_LOWER_INFINITE = 0x08,
    RANGE_UPPER_INFINITE = 0x10,
    RANGE_LOWER_NULL = 0x20,
    RANGE_UPPER_NULL = 0x40,
};

static ps_err add_bound(struct ps_pg_printer *p, const struct ps_pg_out_type *bound,
                        const uint8_t *bytes, uint32_t len, uint32_t *at, struct ps_text *out)
{
    size_t start = out->len;
    struct ps_pg_value value;
    ps_err err = ps_pg_value_take(&bound->attr, bytes, len, at, &value);

    if (!err)
        err = ps_pg_out_value(p, bound, &value, out);
    if (!err && !bound->bare)
        quote_part(out, start, "\"\\()[],");
    return err;
}

/* The bounds lie in bytes[*at..len). */
static ps_err add_range(struct ps_pg_printer *p, const struct ps_pg_out_type *bound, uint8_t flags,
                        const uint8_t *bytes, uint32_t len, uint32_t *at, struct ps_text *out)
{
    ps_err err = PS_OK;

    if (flags & RANGE_EMPTY) {
        ps_pg_add_string(out, "empty");
        return PS_OK;
    }
    ps_pg_add_char(out, flags & RANGE_LOWER_INCLUSIVE ? '[' : '(');
    if (!(flags & (RANGE_LOWER_INFINITE | RANGE_LOWER_NULL)))
        err = add_bound(p, bound, bytes, len, at, out);
    ps_pg_add_char(out, ',');
    if (!err && !(flags & (RANGE_UPPER_INFINITE | RANGE_UPPER_NULL)))
        err = add_bound(p, bound, bytes, len, at, out);
    ps_pg_add_char(out, flags & RANGE_UPPER_INCLUSIVE ? ']' : ')');
    return err;
}

/* Its own type's OID, the bounds, a byte of flags. */
ps_err ps_pg_out_range(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                       const uint8_t *data, uint32_t len, struct ps_text *out)
{
    const struct ps_pg_out_type *bound;
    uint32_t at = 0;
    ps_err err;

    if (len < 5)
        return ps_fail(PS_ERR_CORRUPT, "range: %u bytes", len);
    err = ps_pg_out_lookup(p, type->elem, &bound);
    if (err)
        return err;
    if (!bound)
        return ps_pg_out_unknown(p, type, data, len, out);
    err = add_range(p, bound, data[len - 1], data + 4, len - 5, &at, out);
    return err ? err : ps_text_err(out);
}

/* The type of a multirange's bounds; NULL: not known. */
static ps_err multirange_bound(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                               const struct ps_pg_out_type **ret)
{
    const struct ps_pg_out_type *range;
    ps_err err = ps_pg_out_lookup(p, type->elem, &range);

    *ret = NULL;
    if (err || !range)
        return err;
    return ps_pg_out_lookup(p, range->elem, ret);
}

/* Its own type's OID, how many ranges; a word for each but the first, to find it; flags for each;
 * the bounds, each range's aligned. They are taken in order, without the words. */
ps_err ps_pg_out_multirange(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                            const uint8_t *data, uint32_t len, struct ps_text *out)
{
    const struct ps_pg_out_type *bound;
    uint32_t count, flags, start, i, at = 0;
    ps_err err;

    if (len < 8)
        return ps_fail(PS_ERR_CORRUPT, "multirange: %u bytes", len);
    count = ps_get32_at(data + 4);
    if (count > (len - 8 + 4) / 5)
        return ps_fail(PS_ERR_CORRUPT, "multirange: %u ranges in %u bytes", count, len);
    err = multirange_bound(p, type, &bound);
    if (err)
        return err;
    if (!bound)
        return ps_pg_out_unknown(p, type, data, len, out);
    flags = 8 + (count > 0 ? 4 * (count - 1) : 0);
    start = ps_pg_align(flags + count + 4, bound->attr.align) - 4; /* with the varlena header */
    if (start > len && count > 0)
        return ps_fail(PS_ERR_CORRUPT, "multirange: no bounds in %u bytes", len);
    ps_pg_add_char(out, '{');
    for (i = 0; i < count; i++) {
        if (i > 0)
            ps_pg_add_char(out, ',');
        at = ps_pg_align(at, bound->attr.align);
        err = add_range(p, bound, data[flags + i], data + start, len - start, &at, out);
        if (err)
            return ps_fail_in(err, "range %u", i + 1);
    }
    ps_pg_add_char(out, '}');
    return ps_text_err(out);
}
