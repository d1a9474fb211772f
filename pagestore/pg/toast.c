/*
 * toast.c - values unfolded: compressed ones, and those whose chunks a toaster finds.
 */
#include "pg/toast.h"

#include <limits.h>
#include <lz4.h>

#include "base/byteorder.h"
#include "pg/type_oid.h"

#define LZ4_RATIO_MAX 255u
#define COMPRESSED_HEADER 4u /* before compressed bytes in chunks: as behind a varlena's length */

static struct ps_pg_attr toast_attrs[PS_PG_CHUNK_COLUMNS] = {
    {.name = (char *)"chunk_id",
     .type = PS_PG_OIDOID,
     .typmod = -1,
     .num = 1,
     .len = 4,
     .align = 'i'},
    {.name = (char *)"chunk_seq",
     .type = PS_PG_INT4OID,
     .typmod = -1,
     .num = 2,
     .len = 4,
     .align = 'i'},
    {.name = (char *)"chunk_data",
     .type = PS_PG_BYTEAOID,
     .typmod = -1,
     .num = 3,
     .len = -1,
     .align = 'i'},
};
const struct ps_pg_desc ps_pg_toast_desc = {.count = PS_PG_CHUNK_COLUMNS, .attrs = toast_attrs};

static ps_err lz4_decompress(const uint8_t *data, uint32_t len, uint32_t raw_len,
                             struct ps_text *out)
{
    char *to;

    if (raw_len / LZ4_RATIO_MAX > len || len > INT_MAX || raw_len > INT_MAX)
        return ps_fail(PS_ERR_CORRUPT, "lz4: %u bytes cannot unfold to %u", len, raw_len);
    to = ps_text_room(out, raw_len);
    if (!to)
        return ps_text_err(out);
    if (LZ4_decompress_safe((const char *)data, to, (int)len, (int)raw_len) != (int)raw_len)
        return ps_fail(PS_ERR_CORRUPT, "lz4: %u bytes do not unfold to %u", len, raw_len);
    out->len += raw_len;
    return PS_OK;
}

static ps_err decompress(enum ps_pg_compression how, const uint8_t *data, uint32_t len,
                         uint32_t raw_len, struct ps_text *out)
{
    if (how == PS_PG_LZ4)
        return lz4_decompress(data, len, raw_len, out);
    return ps_pglz_decompress(data, len, raw_len, out);
}

/* buf has an external value's stored bytes, and gets what they unfold to behind them. */
static ps_err decompress_stored(const struct ps_pg_external *external, struct ps_text *buf)
{
    uint32_t info;

    if (external->stored_len < COMPRESSED_HEADER)
        return ps_fail(PS_ERR_CORRUPT, "%u compressed bytes", external->stored_len);
    info = ps_get32_at(buf->data);
    if (info != (external->raw_len | (uint32_t)external->compression << 30))
        return ps_fail(PS_ERR_CORRUPT, "the compressed bytes begin with %08x, not a length of %u",
                       info, external->raw_len);
    /* The decompressors must not move what they read. Both refuse to unfold to this much more. */
    if (external->raw_len / LZ4_RATIO_MAX <= external->stored_len &&
        !ps_text_room(buf, external->raw_len))
        return ps_text_err(buf);
    return decompress(external->compression, (const uint8_t *)buf->data + COMPRESSED_HEADER,
                      external->stored_len - COMPRESSED_HEADER, external->raw_len, buf);
}

static ps_err detoast_external(const struct ps_pg_external *external,
                               const struct ps_pg_toaster *toaster, struct ps_text *buf,
                               const uint8_t **ret_data, uint32_t *ret_len)
{
    uint32_t at = 0;
    ps_err err;

    if (!toaster || !toaster->fetch)
        return ps_fail(PS_ERR_NOENT, "toast-missing: value %u of toast relation %u",
                       external->value, external->relation);
    if (external->stored_len == 0 || external->stored_len > external->raw_len)
        return ps_fail(PS_ERR_CORRUPT, "toast pointer: %u bytes stored of a value of %u",
                       external->stored_len, external->raw_len);
    err = toaster->fetch(toaster->ctx, external, buf);
    if (!err)
        err = ps_text_err(buf);
    if (err)
        return err;
    if (buf->len != external->stored_len)
        return ps_fail(PS_ERR_CORRUPT, "toast value %u: %zu bytes, the toast pointer says %u",
                       external->value, buf->len, external->stored_len);
    if (external->stored_len < external->raw_len) {
        err = decompress_stored(external, buf);
        if (err)
            return ps_fail_in(err, "toast value %u", external->value);
        at = external->stored_len;
    }
    *ret_data = (const uint8_t *)buf->data + at;
    *ret_len = external->raw_len;
    return PS_OK;
}

ps_err ps_pg_detoast(const struct ps_pg_value *value, const struct ps_pg_toaster *toaster,
                     struct ps_text *buf, const uint8_t **ret_data, uint32_t *ret_len)
{
    ps_err err;

    if (value->form == PS_PG_PLAIN) {
        *ret_data = value->data;
        *ret_len = value->len;
        return PS_OK;
    }
    if (value->form == PS_PG_NULL)
        return ps_fail(PS_ERR_INVAL, "null has no bytes");
    ps_text_clear(buf);
    if (value->form == PS_PG_EXTERNAL)
        return detoast_external(&value->external, toaster, buf, ret_data, ret_len);
    err = decompress(value->compression, value->data, value->len, value->raw_len, buf);
    if (err)
        return err;
    *ret_data = (const uint8_t *)buf->data;
    *ret_len = value->raw_len;
    return PS_OK;
}
