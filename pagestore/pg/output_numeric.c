/*
 * output_numeric.c - numeric: digits to the base 10000, with a header of two bytes or of four
 * (struct NumericChoice of src/backend/utils/adt/numeric.c).
 */
#include "pg/output_internal.h"

#define BASE 10000u
#define BASE_DIGITS 4

enum {
    SIGN_MASK = 0xc000,
    SIGN_NEGATIVE = 0x4000,
    SIGN_SHORT = 0x8000, /* a header of two bytes */
    SIGN_SPECIAL = 0xc000,
    SPECIAL_MASK = 0xf000,
    SPECIAL_NAN = 0xc000,
    SPECIAL_INF = 0xd000,
    SPECIAL_MINUS_INF = 0xf000,
    DSCALE_MASK = 0x3fff,
    SHORT_NEGATIVE = 0x2000,
    SHORT_DSCALE_MASK = 0x1f80,
    SHORT_DSCALE_SHIFT = 7,
    SHORT_WEIGHT_NEGATIVE = 0x0040,
    SHORT_WEIGHT_MASK = 0x003f,
};

struct number {
    bool negative;
    int32_t dscale; /* decimal digits behind the point */
    int32_t weight; /* of the first digit: it counts BASE^weight */
    const uint8_t *digits;
    int32_t count;
};

static ps_err add_special(uint16_t header, struct ps_text *out)
{
    switch (header & SPECIAL_MASK) {
    case SPECIAL_NAN:
        ps_pg_add_string(out, "NaN");
        break;
    case SPECIAL_INF:
        ps_pg_add_string(out, "Infinity");
        break;
    case SPECIAL_MINUS_INF:
        ps_pg_add_string(out, "-Infinity");
        break;
    default:
        return ps_fail(PS_ERR_CORRUPT, "numeric: a header of %04x", header);
    }
    return ps_text_err(out);
}

static ps_err decode(const uint8_t *data, uint32_t len, uint16_t header, struct number *ret)
{
    uint32_t header_len = (header & SIGN_MASK) == SIGN_SHORT ? 2 : 4;

    if (len < header_len || (len - header_len) % 2 != 0)
        return ps_fail(PS_ERR_CORRUPT, "numeric: %u bytes", len);
    if (header_len == 2) {
        ret->negative = header & SHORT_NEGATIVE;
        ret->dscale = (header & SHORT_DSCALE_MASK) >> SHORT_DSCALE_SHIFT;
        ret->weight = header & SHORT_WEIGHT_MASK;
        if (header & SHORT_WEIGHT_NEGATIVE)
            ret->weight -= SHORT_WEIGHT_MASK + 1;
    } else {
        ret->negative = (header & SIGN_MASK) == SIGN_NEGATIVE;
        ret->dscale = header & DSCALE_MASK;
        ret->weight = (int16_t)ps_get16_at(data + 2);
    }
    ret->digits = data + header_len;
    ret->count = (int32_t)((len - header_len) / 2);
    return PS_OK;
}

/* Digit i; those that are not stored are 0. BASE and more: it is none. */
static uint32_t digit(const struct number *n, int32_t i)
{
    return i >= 0 && i < n->count ? ps_get16_at(n->digits + 2 * (size_t)i) : 0;
}

static char *put_4digits(char *to, uint32_t v)
{
    to = ps_pg_put_2digits(to, v / 100);
    return ps_pg_put_2digits(to, v % 100);
}

/* Before the point; NULL: a digit that is none. */
static char *put_whole(char *to, const struct number *n)
{
    int32_t i;
    uint32_t d;

    if (n->weight < 0) {
        *to++ = '0';
        return to;
    }
    for (i = 0; i <= n->weight; i++) {
        d = digit(n, i);
        if (d >= BASE)
            return NULL;
        to = i == 0 ? ps_pg_put_digits(to, d) : put_4digits(to, d);
    }
    return to;
}

static char *put_fraction(char *to, const struct number *n)
{
    char *end = to + n->dscale;
    int32_t i;
    uint32_t d;

    for (i = n->weight + 1; to < end; i++) {
        d = digit(n, i);
        if (d >= BASE)
            return NULL;
        to = put_4digits(to, d);
    }
    return end;
}

ps_err ps_pg_add_numeric(const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct number n = {0};
    uint16_t header;
    char *start, *to;
    ps_err err;

    if (len < 2)
        return ps_fail(PS_ERR_CORRUPT, "numeric: %u bytes", len);
    header = ps_get16_at(data);
    if ((header & SIGN_MASK) == SIGN_SPECIAL)
        return add_special(header, out);
    err = decode(data, len, header, &n);
    if (err)
        return err;
    /* Sign and point, and up to three digits too many while they are put by fours. */
    start = ps_text_room(out, (size_t)((n.weight > 0 ? n.weight : 0) + 3) * BASE_DIGITS +
                                  (size_t)n.dscale);
    if (!start)
        return ps_text_err(out);
    to = start;
    if (n.negative)
        *to++ = '-';
    to = put_whole(to, &n);
    if (to && n.dscale > 0) {
        *to++ = '.';
        to = put_fraction(to, &n);
    }
    if (!to)
        return ps_fail(PS_ERR_CORRUPT, "numeric: a digit of %u or more", BASE);
    out->len += (size_t)(to - start);
    return PS_OK;
}

ps_err ps_pg_out_numeric(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                         const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    return ps_pg_add_numeric(data, len, out);
}
