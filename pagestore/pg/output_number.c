/*
 * output_number.c - integers and what is stored as one.
 */
#include "pg/output_internal.h"

#define MONEY_MAX 32u /* -$92,233,720,368,547,758.08 */

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static uint32_t count_digits(uint64_t v)
{
    uint32_t n = 1;

    while (v >= 10000) {
        v /= 10000;
        n += 4;
    }
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

char *ps_pg_put_2digits(char *to, uint32_t v)
{
    memcpy(to, &pairs[v % 100 * 2], 2);
    return to + 2;
}

char *ps_pg_put_digits(char *to, uint64_t v)
{
    char *end = to + count_digits(v);
    char *at = end;

    while (v >= 100) {
        at -= 2;
        memcpy(at, &pairs[v % 100 * 2], 2);
        v /= 100;
    }
    if (v >= 10)
        memcpy(to, &pairs[v * 2], 2);
    else
        *to = (char)('0' + v);
    return end;
}

void ps_pg_add_u64(struct ps_text *out, uint64_t v)
{
    char *to = ps_text_room(out, PS_PG_DIGITS_MAX);

    if (to)
        out->len += (size_t)(ps_pg_put_digits(to, v) - to);
}

void ps_pg_add_i64(struct ps_text *out, int64_t v)
{
    if (v < 0)
        ps_pg_add_char(out, '-');
    ps_pg_add_u64(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

ps_err ps_pg_out_bool(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_char(out, data[0] ? 't' : 'f');
    return ps_text_err(out);
}

ps_err ps_pg_out_int2(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_i64(out, (int16_t)ps_get16_at(data));
    return ps_text_err(out);
}

ps_err ps_pg_out_int4(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_i64(out, (int32_t)ps_get32_at(data));
    return ps_text_err(out);
}

ps_err ps_pg_out_int8(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_i64(out, (int64_t)ps_get64_at(data));
    return ps_text_err(out);
}

ps_err ps_pg_out_oid(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                     const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_u64(out, ps_get32_at(data));
    return ps_text_err(out);
}

ps_err ps_pg_out_xid8(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_u64(out, ps_get64_at(data));
    return ps_text_err(out);
}

/* As lc_monetary C has it, and en_US. What the server's was, no file tells. */
ps_err ps_pg_out_money(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                       const uint8_t *data, uint32_t len, struct ps_text *out)
{
    int64_t v = (int64_t)ps_get64_at(data);
    uint64_t cents = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char buf[MONEY_MAX];
    char *at = buf + sizeof(buf) - 3;
    uint64_t whole = cents / 100;
    uint32_t digits = 0;

    (void)p;
    (void)type;
    (void)len;
    *at = '.';
    ps_pg_put_2digits(at + 1, (uint32_t)(cents % 100));
    do {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + whole % 10);
        whole /= 10;
        digits++;
    } while (whole > 0);
    *--at = '$';
    if (v < 0)
        *--at = '-';
    ps_text_add(out, at, (size_t)(buf + sizeof(buf) - at));
    return ps_text_err(out);
}
