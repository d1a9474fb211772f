/*
 * output_time.c - dates and times (src/include/datatype/timestamp.h,
 * src/backend/utils/adt/datetime.c), as DateStyle ISO, TimeZone UTC and IntervalStyle postgres
 * have them.
 */
#include "pg/output_internal.h"

#define USECS_SECOND INT64_C(1000000)
#define USECS_DAY (86400 * USECS_SECOND)
#define JULIAN_2000 2451545            /* of 2000-01-01, from which PostgreSQL counts */
#define JULIAN_END INT64_C(2147483494) /* of 5874898-06-03: no date is as late */
#define TIME_MAX 96u

struct day {
    int64_t year; /* astronomical: 0 is 1 BC */
    uint32_t month, mday;
};

/* Proleptic Gregorian, from a Julian day that is not negative. Years begin in March here, so that
 * the leap day is the last. */
static struct day day_of(int64_t julian)
{
    int64_t days = julian - 1721120 + INT64_C(146097) * 12; /* from 0000-03-01, 4800 years before */
    int64_t era = days / 146097;
    uint32_t day_of_era = (uint32_t)(days % 146097);
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t m = (5 * day_of_year + 2) / 153;
    struct day d = {.month = m < 10 ? m + 3 : m - 9, .mday = day_of_year - (153 * m + 2) / 5 + 1};

    d.year = era * 400 + year_of_era - 4800 + (d.month <= 2);
    return d;
}

/* The year has at least four digits; what is before year 1 gets its " BC" later. */
static char *put_day(char *to, struct day d)
{
    uint64_t year = (uint64_t)(d.year > 0 ? d.year : 1 - d.year);

    if (year < 10000) {
        to = ps_pg_put_2digits(to, (uint32_t)year / 100);
        to = ps_pg_put_2digits(to, (uint32_t)year % 100);
    } else {
        to = ps_pg_put_digits(to, year);
    }
    *to++ = '-';
    to = ps_pg_put_2digits(to, d.month);
    *to++ = '-';
    return ps_pg_put_2digits(to, d.mday);
}

/* .25 of 250000, nothing of 0 */
static char *put_fraction(char *to, uint32_t usecs)
{
    char *end;

    if (usecs == 0)
        return to;
    *to++ = '.';
    end = ps_pg_put_2digits(to, usecs / 10000);
    end = ps_pg_put_2digits(end, usecs / 100 % 100);
    end = ps_pg_put_2digits(end, usecs % 100);
    while (end[-1] == '0')
        end--;
    return end;
}

/* HH:MM:SS and a fraction, of a time that is not negative; hours may have more digits. */
static char *put_clock(char *to, uint64_t usecs)
{
    uint64_t seconds = usecs / USECS_SECOND;
    uint32_t minutes = (uint32_t)(seconds / 60 % 60);
    uint64_t hours = seconds / 3600;

    to = hours < 100 ? ps_pg_put_2digits(to, (uint32_t)hours) : ps_pg_put_digits(to, hours);
    *to++ = ':';
    to = ps_pg_put_2digits(to, minutes);
    *to++ = ':';
    to = ps_pg_put_2digits(to, (uint32_t)(seconds % 60));
    return put_fraction(to, (uint32_t)(usecs % USECS_SECOND));
}

/* Adds what a put_ function put at out's end. */
static ps_err added(struct ps_text *out, const char *to)
{
    out->len = (size_t)(to - out->data);
    return PS_OK;
}

static ps_err add_infinity(struct ps_text *out, bool negative)
{
    ps_pg_add_string(out, negative ? "-infinity" : "infinity");
    return ps_text_err(out);
}

ps_err ps_pg_out_date(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    int32_t date = (int32_t)ps_get32_at(data);
    int64_t julian = (int64_t)date + JULIAN_2000;
    struct day d;
    char *to;

    (void)p;
    (void)type;
    (void)len;
    if (date == INT32_MIN || date == INT32_MAX)
        return add_infinity(out, date == INT32_MIN);
    if (julian < 0 || julian >= JULIAN_END)
        return ps_fail(PS_ERR_CORRUPT, "date: %d days from 2000-01-01 are out of range", date);
    to = ps_text_room(out, TIME_MAX);
    if (!to)
        return ps_text_err(out);
    d = day_of(julian);
    to = put_day(to, d);
    if (d.year <= 0)
        to = ps_pg_put_string(to, " BC");
    return added(out, to);
}

static ps_err add_timestamp(int64_t usecs, const char *zone, struct ps_text *out)
{
    int64_t days = usecs / USECS_DAY;
    int64_t rest = usecs % USECS_DAY;
    struct day d;
    char *to;

    if (usecs == INT64_MIN || usecs == INT64_MAX)
        return add_infinity(out, usecs == INT64_MIN);
    if (rest < 0) {
        rest += USECS_DAY;
        days--;
    }
    if (days + JULIAN_2000 < 0)
        return ps_fail(PS_ERR_CORRUPT, "timestamp: %lld microseconds are out of range",
                       (long long)usecs);
    to = ps_text_room(out, TIME_MAX);
    if (!to)
        return ps_text_err(out);
    d = day_of(days + JULIAN_2000);
    to = put_day(to, d);
    *to++ = ' ';
    to = put_clock(to, (uint64_t)rest);
    to = ps_pg_put_string(to, zone);
    if (d.year <= 0)
        to = ps_pg_put_string(to, " BC");
    return added(out, to);
}

ps_err ps_pg_out_timestamp(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                           const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    return add_timestamp((int64_t)ps_get64_at(data), "", out);
}

ps_err ps_pg_out_timestamptz(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                             const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    return add_timestamp((int64_t)ps_get64_at(data), "+00", out);
}

static bool is_time(int64_t usecs)
{
    return usecs >= 0 && usecs <= USECS_DAY; /* 24:00:00 is one */
}

ps_err ps_pg_out_time(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    int64_t usecs = (int64_t)ps_get64_at(data);
    char *to;

    (void)p;
    (void)type;
    (void)len;
    if (!is_time(usecs))
        return ps_fail(PS_ERR_CORRUPT, "time: %lld microseconds", (long long)usecs);
    to = ps_text_room(out, TIME_MAX);
    if (!to)
        return ps_text_err(out);
    return added(out, put_clock(to, (uint64_t)usecs));
}

/* west: seconds */
static char *put_zone(char *to, int32_t west)
{
    uint32_t seconds = (uint32_t)(west < 0 ? -west : west);

    *to++ = west <= 0 ? '+' : '-';
    to = ps_pg_put_2digits(to, seconds / 3600);
    if (seconds % 3600 != 0) {
        *to++ = ':';
        to = ps_pg_put_2digits(to, seconds / 60 % 60);
    }
    if (seconds % 60 != 0) {
        *to++ = ':';
        to = ps_pg_put_2digits(to, seconds % 60);
    }
    return to;
}

ps_err ps_pg_out_timetz(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                        const uint8_t *data, uint32_t len, struct ps_text *out)
{
    int64_t usecs = (int64_t)ps_get64_at(data);
    int32_t west = (int32_t)ps_get32_at(data + 8);
    char *to;

    (void)p;
    (void)type;
    (void)len;
    if (!is_time(usecs) || west <= -86400 || west >= 86400)
        return ps_fail(PS_ERR_CORRUPT, "timetz: %lld microseconds, %d seconds west",
                       (long long)usecs, west);
    to = ps_text_room(out, TIME_MAX);
    if (!to)
        return ps_text_err(out);
    to = put_clock(to, (uint64_t)usecs);
    return added(out, put_zone(to, west));
}

/* ---- intervals ---- */

struct interval_text {
    char *to;
    bool empty;       /* nothing was put yet */
    bool after_minus; /* the last part was negative: a positive one says so */
};

static void put_part(struct interval_text *t, int64_t v, const char *unit)
{
    if (v == 0)
        return;
    if (!t->empty)
        *t->to++ = ' ';
    if (v < 0)
        *t->to++ = '-';
    else if (t->after_minus)
        *t->to++ = '+';
    t->to = ps_pg_put_digits(t->to, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    *t->to++ = ' ';
    t->to = ps_pg_put_string(t->to, unit);
    if (v != 1)
        *t->to++ = 's';
    t->empty = false;
    t->after_minus = v < 0;
}

static void put_time_part(struct interval_text *t, int64_t usecs)
{
    if (usecs == 0 && !t->empty)
        return;
    if (!t->empty)
        *t->to++ = ' ';
    if (usecs < 0)
        *t->to++ = '-';
    else if (t->after_minus)
        *t->to++ = '+';
    t->to = put_clock(t->to, usecs < 0 ? 0 - (uint64_t)usecs : (uint64_t)usecs);
}

/* Infinite intervals are since version 17; the same bytes were no value before. */
ps_err ps_pg_out_interval(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                          const uint8_t *data, uint32_t len, struct ps_text *out)
{
    int64_t usecs = (int64_t)ps_get64_at(data);
    int32_t days = (int32_t)ps_get32_at(data + 8);
    int32_t months = (int32_t)ps_get32_at(data + 12);
    struct interval_text t = {.to = ps_text_room(out, TIME_MAX), .empty = true};

    (void)p;
    (void)type;
    (void)len;
    if (!t.to)
        return ps_text_err(out);
    if (usecs == INT64_MIN && days == INT32_MIN && months == INT32_MIN)
        return add_infinity(out, true);
    if (usecs == INT64_MAX && days == INT32_MAX && months == INT32_MAX)
        return add_infinity(out, false);
    put_part(&t, months / 12, "year");
    put_part(&t, months % 12, "mon");
    put_part(&t, days, "day");
    put_time_part(&t, usecs);
    return added(out, t.to);
}
