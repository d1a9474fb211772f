/*
 * output_float.c - floats with the fewest digits that read back as the same number, and of those
 * the ones nearest to it. Method: R. Giulietti, "The Schubfach way to render doubles". As in
 * PostgreSQL a decimal halfway between two floats counts for neither, so that it need not be known
 * how they are rounded.
 */
#include <assert.h>

#include "pg/output_internal.h"
#include "pg/power_of_ten.h"

#define LOW63 (UINT64_MAX >> 1)
#define TEXT_MAX 32u

/* The number digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int32_t exponent;
};

/* A float's layout: it is fraction * 2^(exponent - bias), with an implied bit unless exponent is 0;
 * from 10^fixed_max on (as printf's %g with so many digits) and below 10^-4 it has an exponent. */
struct float_layout {
    uint32_t fraction_bits;
    uint32_t exponent_max;
    int32_t bias;
    int32_t fixed_max;
};
static const struct float_layout layout4 = {23, 255, 150, 6};
static const struct float_layout layout8 = {52, 2047, 1075, 15};

/* floor(log10(2^e)), floor(log10(3/4 * 2^e)), floor(log2(10^e)) for all e that occur */
static int32_t floor_log10_pow2(int32_t e)
{
    return (int32_t)((e * INT64_C(661971961083)) >> 41);
}

static int32_t floor_log10_three_quarters_pow2(int32_t e)
{
    return (int32_t)((e * INT64_C(661971961083) - INT64_C(274743187321)) >> 41);
}

static int32_t floor_log2_pow10(int32_t e)
{
    return (int32_t)((e * INT64_C(913124641741)) >> 38);
}

static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b >> 64);
}

/* g * x / 2^127, the last bit set if anything was cut off ("rounded to odd"). */
static uint64_t scale(const struct ps_pg_power *g, uint64_t x)
{
    uint64_t lo = multiply_high(g->lo, x);
    uint64_t mid = (g->hi * x >> 1) + lo;
    uint64_t hi = multiply_high(g->hi, x) + (mid >> 63);

    return hi | (((mid & LOW63) + LOW63) >> 63);
}

/* Where a float and the middles between it and its neighbours lie, in units of 10^k / 4. */
struct bounds {
    uint64_t below, value, above;
    int32_t k;
};

/* Of c * 2^q; `uneven`: the float below is nearer than the one above. */
static struct bounds bounds_of(uint64_t c, int32_t q, bool uneven)
{
    int32_t k = uneven ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int32_t shift = q + floor_log2_pow10(-k) + 2;
    const struct ps_pg_power *g;

    assert(k >= PS_PG_POWER_MIN && k <= PS_PG_POWER_MAX && shift >= 0 && shift < 8);
    g = &ps_pg_powers[k - PS_PG_POWER_MIN];
    return (struct bounds){.below = scale(g, (4 * c - (uneven ? 1 : 2)) << shift),
                           .value = scale(g, 4 * c << shift),
                           .above = scale(g, (4 * c + 2) << shift),
                           .k = k};
}

static struct decimal shortest(uint64_t c, int32_t q, bool uneven)
{
    struct bounds b = bounds_of(c, q, uneven);
    uint64_t s = b.value / 4;
    uint64_t tens = s / 10 * 10;
    bool under, over;

    /* One digit fewer: at most one multiple of 10^(k+1) lies between the bounds. */
    under = b.below < 4 * tens;
    over = 4 * (tens + 10) < b.above;
    if (under != over)
        return (struct decimal){under ? tens : tens + 10, b.k};
    under = b.below < 4 * s;
    over = 4 * (s + 1) < b.above;
    if (under == over)
        under = b.value < 4 * s + 2 || (b.value == 4 * s + 2 && s % 2 == 0);
    return (struct decimal){under ? s : s + 1, b.k};
}

static struct decimal without_zeros(struct decimal d)
{
    while (d.digits % 100 == 0) {
        d.digits /= 100;
        d.exponent += 2;
    }
    if (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    return d;
}

static char *put_zeros(char *to, int32_t count)
{
    if (count <= 0)
        return to;
    memset(to, '0', (size_t)count);
    return to + count;
}

/* 1.25e-07: at least two digits of exponent. */
static char *put_scientific(char *to, const char *digits, int32_t count, int32_t exponent)
{
    uint32_t e = (uint32_t)(exponent < 0 ? -exponent : exponent);

    *to++ = digits[0];
    if (count > 1) {
        *to++ = '.';
        memcpy(to, digits + 1, (size_t)count - 1);
        to += count - 1;
    }
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    return e < 100 ? ps_pg_put_2digits(to, e) : ps_pg_put_digits(to, e);
}

static char *put_fixed(char *to, const char *digits, int32_t count, int32_t exponent)
{
    int32_t before = exponent + 1; /* digits before the point */

    if (before <= 0) {
        to = ps_pg_put_string(to, "0.");
        to = put_zeros(to, -before);
        memcpy(to, digits, (size_t)count);
        return to + count;
    }
    if (before >= count) {
        memcpy(to, digits, (size_t)count);
        return put_zeros(to + count, before - count);
    }
    memcpy(to, digits, (size_t)before);
    to += before;
    *to++ = '.';
    memcpy(to, digits + before, (size_t)(count - before));
    return to + count - before;
}

static char *put_decimal(char *to, struct decimal d, int32_t fixed_max)
{
    char digits[PS_PG_DIGITS_MAX];
    int32_t count = (int32_t)(ps_pg_put_digits(digits, d.digits) - digits);
    int32_t exponent = d.exponent + count - 1; /* of the first digit */

    if (exponent < -4 || exponent >= fixed_max)
        return put_scientific(to, digits, count, exponent);
    return put_fixed(to, digits, count, exponent);
}

static char *put_float(char *to, const struct float_layout *layout, bool negative,
                       uint64_t fraction, uint32_t exponent)
{
    uint64_t implied = UINT64_C(1) << layout->fraction_bits;
    bool uneven = fraction == 0 && exponent > 1;

    if (exponent == layout->exponent_max && fraction != 0)
        return ps_pg_put_string(to, "NaN");
    if (negative)
        *to++ = '-';
    if (exponent == layout->exponent_max)
        return ps_pg_put_string(to, "Infinity");
    if (exponent == 0 && fraction == 0)
        return ps_pg_put_string(to, "0");
    if (exponent > 0)
        fraction |= implied;
    else
        exponent = 1;
    return put_decimal(to,
                       without_zeros(shortest(fraction, (int32_t)exponent - layout->bias, uneven)),
                       layout->fixed_max);
}

static void add_float(struct ps_text *out, const struct float_layout *layout, bool negative,
                      uint64_t fraction, uint32_t exponent)
{
    char *to = ps_text_room(out, TEXT_MAX);

    if (to)
        out->len += (size_t)(put_float(to, layout, negative, fraction, exponent) - to);
}

void ps_pg_add_float8(struct ps_text *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    add_float(out, &layout8, bits >> 63, bits & ((UINT64_C(1) << 52) - 1), bits >> 52 & 0x7ff);
}

static void add_float4(struct ps_text *out, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    add_float(out, &layout4, bits >> 31, bits & ((1u << 23) - 1), bits >> 23 & 0xff);
}

ps_err ps_pg_out_float8(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                        const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_float8(out, ps_get_double_at(data));
    return ps_text_err(out);
}

ps_err ps_pg_out_float4(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                        const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    add_float4(out, ps_get_float_at(data));
    return ps_text_err(out);
}
