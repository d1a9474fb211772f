#include "pg/tuple.h"

#include <stdlib.h>

#define VARLENA_SHORT 1u /* the length byte of a short header */
#define VARLENA_LONG 4u  /* the length word of a long one */
#define TOAST_POINTER 18u
#define VARTAG_ONDISK 18u
#define RAW_LEN_BITS 30 /* of a length; the two above say how it is compressed */

static_assert(offsetof(struct ps_pg_heap_tuple, t_bits) == PS_PG_TUPLE_HEADER, "tuple.h");

/* src/include/varatt.h, varatt_external, behind its two bytes of header */
struct toast_pointer {
    ps_le32 raw_len;  /* 00-03 with a varlena header */
    ps_le32 stored;   /* 04-07 length and, in the upper two bits, compression */
    ps_le32 value;    /* 08-11 */
    ps_le32 relation; /* 12-15 */
};
static_assert(sizeof(struct toast_pointer) + 2 == TOAST_POINTER, "varatt.h");

ps_err ps_pg_tuple_unfit(const struct ps_pg_tuple *t)
{
    const uint32_t header = ps_pg_tuple_header_len(t);

    if (t->natts > PS_PG_ATTRS_MAX)
        return ps_fail(PS_ERR_CORRUPT, "natts: %u attributes, no relation has over %u", t->natts,
                       PS_PG_ATTRS_MAX);
    if (t->hoff < header || t->hoff % 4 != 0)
        return ps_fail(PS_ERR_CORRUPT, "t_hoff: %u, with %u bytes of header", t->hoff, header);
    return ps_fail(PS_ERR_CORRUPT, "t_hoff: %u is beyond the tuple's %u bytes", t->hoff, t->len);
}

static inline uint32_t align_up(uint32_t at, uint32_t align)
{
    return (at + align - 1) & ~(align - 1);
}

static void set_plain(const uint8_t *data, uint32_t len, struct ps_pg_value *ret)
{
    *ret = (struct ps_pg_value){.form = PS_PG_PLAIN, .data = data, .len = len};
}

static ps_err take_toast_pointer(const uint8_t *at, uint32_t room, uint32_t *ret_taken,
                                 struct ps_pg_value *ret)
{
    struct toast_pointer p;
    uint32_t raw, stored;

    if (room < 2 || at[1] != VARTAG_ONDISK)
        return ps_fail(PS_ERR_CORRUPT, "varlena tag: %u is no toast pointer",
                       room < 2 ? 0u : at[1]);
    if (room < TOAST_POINTER)
        return ps_fail(PS_ERR_CORRUPT, "toast pointer: %u bytes, %u are left", TOAST_POINTER, room);
    memcpy(&p, at + 2, sizeof(p));
    raw = ps_get32(p.raw_len);
    stored = ps_get32(p.stored);
    if (raw < VARLENA_LONG || raw >> RAW_LEN_BITS != 0)
        return ps_fail(PS_ERR_CORRUPT, "toast pointer: a raw size of %u", raw);
    if (stored >> RAW_LEN_BITS > PS_PG_LZ4)
        return ps_fail(PS_ERR_CORRUPT, "toast pointer: compression method %u",
                       stored >> RAW_LEN_BITS);
    *ret = (struct ps_pg_value){
        .form = PS_PG_EXTERNAL,
        .raw_len = raw - VARLENA_LONG,
        .compression = (enum ps_pg_compression)(stored >> RAW_LEN_BITS),
        .external = {.raw_len = raw - VARLENA_LONG,
                     .stored_len = stored & ((1u << RAW_LEN_BITS) - 1),
                     .compression = (enum ps_pg_compression)(stored >> RAW_LEN_BITS),
                     .value = ps_get32(p.value),
                     .relation = ps_get32(p.relation)},
    };
    *ret_taken = TOAST_POINTER;
    return PS_OK;
}

static ps_err set_compressed(const uint8_t *at, uint32_t len, struct ps_pg_value *ret)
{
    uint32_t info;

    if (len < 2 * VARLENA_LONG)
        return ps_fail(PS_ERR_CORRUPT, "varlena length: %u bytes, compressed", len);
    info = ps_get32_at(at + VARLENA_LONG);
    if (info >> RAW_LEN_BITS > PS_PG_LZ4)
        return ps_fail(PS_ERR_CORRUPT, "varlena: compression method %u", info >> RAW_LEN_BITS);
    *ret = (struct ps_pg_value){
        .form = PS_PG_COMPRESSED,
        .data = at + 2 * VARLENA_LONG,
        .len = len - 2 * VARLENA_LONG,
        .raw_len = info & ((1u << RAW_LEN_BITS) - 1),
        .compression = (enum ps_pg_compression)(info >> RAW_LEN_BITS),
    };
    return PS_OK;
}

static ps_err take_long_varlena(const uint8_t *at, uint32_t room, uint32_t *ret_taken,
                                struct ps_pg_value *ret)
{
    uint32_t word, len;

    if (room < VARLENA_LONG)
        return ps_fail(PS_ERR_CORRUPT, "varlena length: %u bytes are left", room);
    word = ps_get32_at(at);
    len = word >> 2;
    if (len < VARLENA_LONG || len > room)
        return ps_fail(PS_ERR_CORRUPT, "varlena length: %u, %u bytes are left", len, room);
    *ret_taken = len;
    if ((word & 3) == 2)
        return set_compressed(at, len, ret);
    set_plain(at + VARLENA_LONG, len - VARLENA_LONG, ret);
    return PS_OK;
}

/* The two lowest bits of the first byte say which header it is (little-endian clusters). */
static ps_err take_varlena(const uint8_t *at, uint32_t room, uint32_t *ret_taken,
                           struct ps_pg_value *ret)
{
    uint32_t len;

    if (at[0] == 1)
        return take_toast_pointer(at, room, ret_taken, ret);
    if ((at[0] & 1) == 0)
        return take_long_varlena(at, room, ret_taken, ret);
    len = at[0] >> 1;
    if (len > room)
        return ps_fail(PS_ERR_CORRUPT, "varlena length: %u, %u bytes are left", len, room);
    set_plain(at + VARLENA_SHORT, len - VARLENA_SHORT, ret);
    *ret_taken = len;
    return PS_OK;
}

static ps_err take_cstring(const uint8_t *at, uint32_t room, uint32_t *ret_taken,
                           struct ps_pg_value *ret)
{
    const uint8_t *end = memchr(at, 0, room);

    if (!end)
        return ps_fail(PS_ERR_CORRUPT, "cstring: no NUL in %u bytes", room);
    set_plain(at, (uint32_t)(end - at), ret);
    *ret_taken = (uint32_t)(end - at) + 1;
    return PS_OK;
}

static ps_err take_fixed(uint32_t width, const uint8_t *at, uint32_t room, uint32_t *ret_taken,
                         struct ps_pg_value *ret)
{
    if (width > room)
        return ps_fail(PS_ERR_CORRUPT, "%u bytes of value, %u are left", width, room);
    set_plain(at, width, ret);
    *ret_taken = width;
    return PS_OK;
}

ps_err ps_pg_value_take(const struct ps_pg_attr *attr, const uint8_t *bytes, uint32_t len,
                        uint32_t *at, struct ps_pg_value *ret)
{
    const uint32_t align = ps_pg_align_bytes(attr->align);
    uint64_t start = *at; /* aligning cannot wrap around */
    uint32_t taken = 0;
    ps_err err;

    if (!ps_pg_layout_valid(attr->len, attr->align))
        return ps_fail(PS_ERR_CORRUPT, "attlen %d, attalign '%c': there is no such type", attr->len,
                       attr->align);
    /* A varlena that begins here has a header that is not 0; padding is. */
    if (attr->len != -1 || (start < len && bytes[start] == 0))
        start = (start + align - 1) & ~(uint64_t)(align - 1);
    if (start > len || (start == len && attr->len < 0))
        return ps_fail(PS_ERR_CORRUPT, "begins at byte %u, the values end at %u", (uint32_t)start,
                       len);
    if (attr->len == -1)
        err = take_varlena(bytes + start, len - (uint32_t)start, &taken, ret);
    else if (attr->len == -2)
        err = take_cstring(bytes + start, len - (uint32_t)start, &taken, ret);
    else
        err = take_fixed((uint32_t)attr->len, bytes + start, len - (uint32_t)start, &taken, ret);
    if (err)
        return err;
    *at = (uint32_t)start + taken;
    return PS_OK;
}

/* What an attribute is in rows that are older than it. */
static ps_err missing_value(const struct ps_pg_attr *attr, struct ps_pg_value *ret)
{
    uint32_t at = 0;

    *ret = (struct ps_pg_value){.form = PS_PG_NULL};
    if (!attr->has_missing)
        return PS_OK;
    if (!attr->missing)
        return ps_fail(PS_ERR_CORRUPT, "what it is in older rows is not known");
    return ps_pg_value_take(attr, attr->missing, (uint32_t)attr->missing_len, &at, ret);
}

static bool is_null(const struct ps_pg_tuple *tuple, uint32_t i)
{
    return tuple->nulls && !(tuple->nulls[i / 8] >> i % 8 & 1);
}

ps_err ps_pg_tuple_values(const struct ps_pg_tuple *tuple, const struct ps_pg_desc *desc,
                          struct ps_pg_value *values, uint32_t *ret_good)
{
    const uint8_t *data = tuple->bytes + tuple->hoff;
    uint32_t len = tuple->len - tuple->hoff;
    uint32_t at = 0;
    uint32_t i;
    ps_err err;

    *ret_good = 0;
    if (tuple->natts > desc->count)
        return ps_fail(PS_ERR_CORRUPT, "natts: %u attributes, the relation has %u", tuple->natts,
                       desc->count);
    for (i = 0; i < desc->count; i++) {
        err = PS_OK;
        if (i >= tuple->natts)
            err = missing_value(&desc->attrs[i], &values[i]);
        else if (is_null(tuple, i))
            values[i] = (struct ps_pg_value){.form = PS_PG_NULL};
        else
            err = ps_pg_value_take(&desc->attrs[i], data, len, &at, &values[i]);
        if (err)
            return ps_fail_in(err, "attribute %u (%s)", i + 1,
                              desc->attrs[i].name ? desc->attrs[i].name : "");
        *ret_good = i + 1;
    }
    return PS_OK;
}

/* --- plain tuples ------------------------------------------------------------------------- */

/* A varlena that begins at *at, or behind its padding, is a short or a long one, and lies before
 * len. */
static inline bool skip_plain_varlena(const uint8_t *data, uint32_t len, uint32_t align,
                                      uint32_t *at)
{
    uint32_t start = *at, size;

    if (start < len && data[start] == 0)
        start = align_up(start, align);
    if (start >= len || data[start] == 1)
        return false;
    if (data[start] & 1) {
        size = data[start] >> 1;
    } else {
        if (data[start] & 2 || len - start < VARLENA_LONG)
            return false;
        size = ps_get32_at(data + start) >> 2;
        if (size < VARLENA_LONG)
            return false;
    }
    *at = start + size;
    return size <= len - start;
}

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
        last->len = align_up(last->len, l->align) + len;
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
            shape->fixed_len = align_up(shape->fixed_len, l->align) + (uint32_t)(uint16_t)l->len;
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

        if (is_null(tuple, i))
            continue;
        if (is_fixed(l)) {
            at = align_up(at, l->align) + (uint32_t)(uint16_t)l->len;
            if (at > len)
                return false;
        } else if (l->len != -1 || l->align == 0 || !skip_plain_varlena(data, len, l->align, &at)) {
            return false;
        }
    }
    return true;
}

/* Of a row that has all attributes and no nulls. */
static inline bool stretches_are_plain(const struct ps_pg_tuple *tuple,
                                       const struct ps_pg_shape *shape)
{
    const uint8_t *data = tuple->bytes + tuple->hoff;
    const uint32_t len = tuple->len - tuple->hoff;
    uint32_t at = shape->fixed_len;

    for (uint32_t i = 0; i < shape->stretch_count; i++) {
        const struct ps_pg_stretch s = shape->stretches[i];

        if (s.len == 0) {
            if (!skip_plain_varlena(data, len, s.align, &at))
                return false;
        } else {
            at = align_up(at, s.align) + s.len;
            if (at > len)
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
    if (shape->fixed_len > tuple->len - tuple->hoff)
        return false;
    if (tuple->natts == shape->count && shape->stretched)
        return stretches_are_plain(tuple, shape);
    return rest_is_plain(tuple, shape, shape->fixed, shape->fixed_len);
}
