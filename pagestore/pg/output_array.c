/*
 * output_array.c - arrays (src/include/utils/array.h, src/backend/utils/adt/arrayfuncs.c), and the
 * vectors of the catalogs.
 */
#include "pg/output_internal.h"

#define DIMS_MAX 6u
#define HEADER 12u        /* ndim, dataoffset, elemtype: behind the varlena header */
#define VARLENA_HEADER 4u /* which dataoffset counts too */
#define ELEMENTS_MAX (1u << 27)

struct array {
    uint32_t ndim;
    uint32_t dims[DIMS_MAX];
    int32_t lower[DIMS_MAX];
    uint32_t count; /* of all elements */
    ps_oid elem;
    const uint8_t *nulls; /* bit i clear: element i is null; NULL: none is */
    const uint8_t *data;
    uint32_t len;
};

/* An array that is being printed. */
struct walk {
    struct ps_pg_printer *p;
    const struct array *array;
    const struct ps_pg_out_type *elem;
    struct ps_text *out;
    uint32_t next, at; /* element, and its place in array->data */
};

static ps_err parse_dims(const uint8_t *data, struct array *ret)
{
    uint64_t count = 1;
    uint32_t i;

    for (i = 0; i < ret->ndim; i++) {
        ret->dims[i] = ps_get32_at(data + HEADER + 4 * i);
        ret->lower[i] = (int32_t)ps_get32_at(data + HEADER + 4 * (ret->ndim + i));
        count *= ret->dims[i];
        if (ret->dims[i] > ELEMENTS_MAX || count > ELEMENTS_MAX ||
            (int64_t)ret->lower[i] + ret->dims[i] > INT32_MAX)
            return ps_fail(PS_ERR_CORRUPT, "array: dimension %u has %u elements from %d on", i + 1,
                           ret->dims[i], ret->lower[i]);
    }
    ret->count = ret->ndim > 0 ? (uint32_t)count : 0;
    return PS_OK;
}

static ps_err parse(const uint8_t *data, uint32_t len, struct array *ret)
{
    uint32_t header, bitmap, offset;
    ps_err err;

    if (len < HEADER)
        return ps_fail(PS_ERR_CORRUPT, "array: %u bytes", len);
    *ret = (struct array){.ndim = ps_get32_at(data), .elem = ps_get32_at(data + 8)};
    offset = ps_get32_at(data + 4);
    if (ret->ndim > DIMS_MAX || HEADER + 8 * ret->ndim > len)
        return ps_fail(PS_ERR_CORRUPT, "array: %u dimensions in %u bytes", ret->ndim, len);
    err = parse_dims(data, ret);
    if (err)
        return err;
    header = HEADER + 8 * ret->ndim;
    bitmap = (ret->count + 7) / 8;
    if (offset == 0) {
        offset = header + VARLENA_HEADER;
    } else {
        if (offset < VARLENA_HEADER + header + bitmap || offset > len + VARLENA_HEADER)
            return ps_fail(PS_ERR_CORRUPT, "array: its elements begin at %u", offset);
        ret->nulls = data + header;
    }
    ret->data = data + offset - VARLENA_HEADER;
    ret->len = len + VARLENA_HEADER - offset;
    return PS_OK;
}

static bool is_null_word(const char *s, size_t len)
{
    return len == 4 && (s[0] | 32) == 'n' && (s[1] | 32) == 'u' && (s[2] | 32) == 'l' &&
           (s[3] | 32) == 'l';
}

static bool needs_quotes(const char *s, size_t len, char delim)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (s[i] == '"' || s[i] == '\\' || s[i] == '{' || s[i] == '}' || s[i] == delim ||
            ps_pg_is_space(s[i]))
            return true;
    return len == 0 || is_null_word(s, len);
}

static ps_err add_element(struct walk *w)
{
    const struct array *a = w->array;
    struct ps_text *out = w->out;
    size_t start = out->len;
    struct ps_pg_value value;
    uint32_t i = w->next++;
    ps_err err;

    if (a->nulls && !(a->nulls[i / 8] >> i % 8 & 1)) {
        ps_text_add(out, "NULL", 4);
        return PS_OK;
    }
    /* An element is aligned also where its header would not need it. */
    w->at = ps_pg_align(w->at, w->elem->attr.align);
    err = ps_pg_value_take(&w->elem->attr, a->data, a->len, &w->at, &value);
    if (!err)
        err = ps_pg_out_value(w->p, w->elem, &value, out);
    if (err)
        return ps_fail_in(err, "element %u", i + 1);
    if (!out->failed && !w->elem->bare &&
        needs_quotes(out->len > start ? out->data + start : "", out->len - start, w->elem->delim))
        ps_pg_quote_tail(out, start, PS_PG_BACKSLASH_BOTH);
    return PS_OK;
}

static ps_err add_dimension(struct walk *w, uint32_t dim)
{
    uint32_t i;
    ps_err err;

    ps_pg_add_char(w->out, '{');
    for (i = 0; i < w->array->dims[dim]; i++) {
        if (i > 0)
            ps_pg_add_char(w->out, w->elem->delim);
        err = dim + 1 < w->array->ndim ? add_dimension(w, dim + 1) : add_element(w);
        if (err)
            return err;
    }
    ps_pg_add_char(w->out, '}');
    return PS_OK;
}

/* [0:2][1:4]= where a dimension does not begin at 1. */
static void add_bounds(const struct array *a, struct ps_text *out)
{
    bool needed = false;
    uint32_t i;

    for (i = 0; i < a->ndim; i++)
        needed |= a->lower[i] != 1;
    if (!needed)
        return;
    for (i = 0; i < a->ndim; i++)
        ps_text_printf(out, "[%d:%d]", a->lower[i], a->lower[i] + (int32_t)a->dims[i] - 1);
    ps_pg_add_char(out, '=');
}

/* The type that the array itself names is the one that it has; a column's type may be anyarray. */
static ps_err element_type(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                           const struct array *a, const struct ps_pg_out_type **ret)
{
    ps_err err = ps_pg_out_lookup(p, a->elem, ret);

    if (!err && !*ret)
        err = ps_pg_out_lookup(p, type->elem, ret);
    return err;
}

ps_err ps_pg_out_array(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                       const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct array a;
    struct walk w = {.p = p, .array = &a, .out = out};
    ps_err err = parse(data, len, &a);

    if (err)
        return err;
    if (a.count == 0) {
        ps_text_add(out, "{}", 2);
        return ps_text_err(out);
    }
    err = element_type(p, type, &a, &w.elem);
    if (err)
        return err;
    if (!w.elem)
        return ps_pg_out_unknown(p, type, data, len, out);
    add_bounds(&a, out);
    err = add_dimension(&w, 0);
    return err ? err : ps_text_err(out);
}

/* int2vector, oidvector: one dimension, no nulls, elements of `width`. */
static ps_err add_vector(const uint8_t *data, uint32_t len, uint32_t width, struct ps_text *out)
{
    struct array a;
    uint32_t i;
    ps_err err = parse(data, len, &a);

    if (err)
        return err;
    if (a.nulls || a.ndim > 1 || a.count > a.len / width)
        return ps_fail(PS_ERR_CORRUPT, "vector: %u elements in %u bytes", a.count, a.len);
    for (i = 0; i < a.count; i++) {
        if (i > 0)
            ps_pg_add_char(out, ' ');
        if (width == 2)
            ps_pg_add_i64(out, (int16_t)ps_get16_at(a.data + 2 * (size_t)i));
        else
            ps_pg_add_u64(out, ps_get32_at(a.data + 4 * (size_t)i));
    }
    return ps_text_err(out);
}

ps_err ps_pg_out_int2vector(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                            const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    return add_vector(data, len, 2, out);
}

ps_err ps_pg_out_oidvector(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                           const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    return add_vector(data, len, 4, out);
}
