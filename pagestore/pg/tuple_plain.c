#include "pg/tuple_plain.h"

#include <stdlib.h>

static ps_err make_room(struct ps_pg_shape *shape, uint32_t count)
{
    struct ps_pg_layout *attrs;
    struct ps_pg_stretch *stretches;

    if (count <= shape->cap)
        return PS_OK;
    attrs = realloc(shape->attrs, count * sizeof(*attrs));
    if (attrs)
        shape->attrs = attrs;
    stretches = realloc(shape->stretches, count * sizeof(*stretches));
    if (stretches)
        shape->stretches = stretches;
    if (!attrs || !stretches)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u attributes", count);
    shape->cap = count;
    return PS_OK;
}

static bool is_fixed(const struct ps_pg_layout *l)
{
    return l->len > 0 && l->align > 0;
}

/* Goes on with the last stretch, if it may: an attribute that needs no more alignment than the
 * stretch has lies in the same place of it always. */
static void add_stretch(struct ps_pg_shape *shape, const struct ps_pg_layout *l)
{
    struct ps_pg_stretch *last =
        shape->stretch_count > 0 ? &shape->stretches[shape->stretch_count - 1] : NULL;
    const uint32_t len = is_fixed(l) ? (uint32_t)(uint16_t)l->len : 0;

    shape->stretched = shape->stretched && l->align > 0 && (len > 0 || l->len == -1);
    if (len > 0 && last && last->len > 0 && l->align <= last->align)
        last->len = ps_pg_align_up(last->len, l->align) + len;
    else
        shape->stretches[shape->stretch_count++] = (struct ps_pg_stretch){len, l->align};
}

ps_err ps_pg_shape_set(struct ps_pg_shape *shape, const struct ps_pg_desc *desc)
{
    ps_err err = make_room(shape, desc->count);

    if (err)
        return err;
    shape->count = desc->count;
    shape->natts_min = shape->fixed = shape->fixed_len = shape->stretch_count = 0;
    shape->stretched = true;
    for (uint32_t i = 0; i < desc->count; i++) {
        const struct ps_pg_attr *attr = &desc->attrs[i];
        struct ps_pg_layout *l = &shape->attrs[i];

        *l = (struct ps_pg_layout){attr->len, (uint16_t)ps_pg_align_bytes(attr->align)};
        if (attr->has_missing)
            shape->natts_min = i + 1;
        if (shape->fixed == i && is_fixed(l)) {
            shape->fixed_len =
                ps_pg_align_up(shape->fixed_len, l->align) + (uint32_t)(uint16_t)l->len;
            shape->fixed++;
        } else {
            add_stretch(shape, l);
        }
    }
    return PS_OK;
}

void ps_pg_shape_deinit(struct ps_pg_shape *shape)
{
    free(shape->attrs);
    free(shape->stretches);
}

/* Values from attribute i on, which begin at byte `at`. */
static inline bool rest_is_plain(const struct ps_pg_tuple *tuple, const struct ps_pg_shape *shape,
                                 uint32_t i, uint32_t at)
{
    const uint8_t *data = tuple->bytes + tuple->hoff;
    const uint32_t len = tuple->len - tuple->hoff;

    for (; i < tuple->natts; i++) {
        const struct ps_pg_layout *l = &shape->attrs[i];

        if (ps_pg_tuple_is_null(tuple, i))
            continue;
        if (is_fixed(l)) {
            at = ps_pg_align_up(at, l->align) + (uint32_t)(uint16_t)l->len;
            if (at > len)
                return false;
        } else if (l->len != -1 || l->align == 0 || !ps_pg_skip_varlena(data, len, l->align, &at)) {
            return false;
        }
    }
    return true;
}

bool ps_pg_tuple_is_plain(const struct ps_pg_tuple *tuple, const struct ps_pg_shape *shape)
{
    if (tuple->natts > shape->count || tuple->natts < shape->natts_min)
        return false;
    if (tuple->nulls || tuple->natts < shape->fixed)
        return rest_is_plain(tuple, shape, 0, 0);
    if (tuple->natts == shape->count && shape->stretched)
        return ps_pg_stretches_are_plain(tuple->bytes + tuple->hoff, tuple->len - tuple->hoff,
                                         shape);
    return shape->fixed_len <= tuple->len - tuple->hoff &&
           rest_is_plain(tuple, shape, shape->fixed, shape->fixed_len);
}
