/*
 * output_text.c - text, bytes, bits (src/include/utils/varbit.h), enums.
 */
#include "pg/output_internal.h"

#define UUID_LEN 16u

/* text, varchar, bpchar (stored with its padding), json, cstring, ... */
ps_err ps_pg_out_text(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    ps_text_add(out, data, len);
    return ps_text_err(out);
}

ps_err ps_pg_out_name(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    ps_text_add(out, data, strnlen((const char *)data, len));
    return ps_text_err(out);
}

/* "char": NUL prints as nothing, what is not ASCII by its digits (before version 15, as it is). */
ps_err ps_pg_out_char(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    if (data[0] & 0x80)
        ps_text_printf(out, "\\%03o", data[0]);
    else if (data[0] != 0)
        ps_pg_add_char(out, (char)data[0]);
    return ps_text_err(out);
}

ps_err ps_pg_out_bytea(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                       const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    ps_text_add(out, "\\x", 2);
    ps_pg_add_hex(out, data, len);
    return ps_text_err(out);
}

ps_err ps_pg_out_uuid(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_hex(out, data, 4);
    ps_pg_add_char(out, '-');
    ps_pg_add_hex(out, data + 4, 2);
    ps_pg_add_char(out, '-');
    ps_pg_add_hex(out, data + 6, 2);
    ps_pg_add_char(out, '-');
    ps_pg_add_hex(out, data + 8, 2);
    ps_pg_add_char(out, '-');
    ps_pg_add_hex(out, data + 10, UUID_LEN - 10);
    return ps_text_err(out);
}

/* bit and varbit: how many, then the bits, the highest first. */
ps_err ps_pg_out_bit(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                     const uint8_t *data, uint32_t len, struct ps_text *out)
{
    uint32_t bits, i;
    char *to;

    (void)p;
    (void)type;
    if (len < 4)
        return ps_fail(PS_ERR_CORRUPT, "bit: %u bytes", len);
    bits = ps_get32_at(data);
    if (len - 4 != (uint64_t)bits / 8 + (bits % 8 != 0))
        return ps_fail(PS_ERR_CORRUPT, "bit: %u bits in %u bytes", bits, len - 4);
    to = ps_text_room(out, bits);
    if (!to)
        return ps_text_err(out);
    for (i = 0; i < bits; i++)
        *to++ = (char)('0' + (data[4 + i / 8] >> (7 - i % 8) & 1));
    out->len += bits;
    return PS_OK;
}

ps_err ps_pg_out_enum(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    const char *label = NULL;

    (void)len;
    if (p->types.enum_label)
        label = p->types.enum_label(p->types.ctx, ps_get32_at(data));
    if (label) {
        ps_pg_add_string(out, label);
    } else { /* its OID in pg_enum */
        ps_pg_tell_unknown(p, type);
        ps_pg_add_u64(out, ps_get32_at(data));
    }
    return ps_text_err(out);
}

void ps_pg_add_lexeme(struct ps_text *out, const uint8_t *data, uint32_t len)
{
    char *to = ps_text_room(out, 2 * (size_t)len + 2);
    char *start = to;
    uint32_t i;

    if (!to)
        return;
    *to++ = '\'';
    for (i = 0; i < len; i++) {
        if (data[i] == '\'' || data[i] == '\\')
            *to++ = (char)data[i];
        *to++ = (char)data[i];
    }
    *to++ = '\'';
    out->len += (size_t)(to - start);
}
