/*
 * tuple.c - values taken off a tuple, varlenas of all forms (src/include/varatt.h).
 */
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
        else if (ps_pg_tuple_is_null(tuple, i))
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
