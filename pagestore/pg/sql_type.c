/*
 * sql_type.c - types as SQL writes them: names of several words, modifiers, arrays.
 */
#include <stdlib.h>
#include <string.h>

#include "pg/sql_internal.h"
#include "pg/typmod.h"

#define FLOAT4_BITS_MAX 24 /* float(24) is a float4 */
#define ARG_DIGITS_MAX 9u

/* --- modifiers ---------------------------------------------------------------------------- */

/* A number from -999999999 to 999999999: a scale can be negative. */
static ps_err parse_number(struct ps_sql_parser *p, int32_t *ret)
{
    bool negative = ps_sql_take_other(p, '-');

    if (p->token.kind != PS_SQL_NUMBER || strlen(p->token.text) > ARG_DIGITS_MAX)
        return ps_sql_expected(p, "a number");
    *ret = (int32_t)strtol(p->token.text, NULL, 10);
    if (negative)
        *ret = -*ret;
    ps_sql_advance(p);
    return p->err;
}

/* (N), (N, M) or nothing. */
static ps_err parse_args(struct ps_sql_parser *p, struct ps_sql_type_ref *ref)
{
    if (!ps_sql_take_other(p, '('))
        return p->err;
    do {
        if (ref->arg_count == PS_SQL_ARGS_MAX)
            return ps_sql_expected(p, "')'");
        if (parse_number(p, &ref->args[ref->arg_count++]))
            return p->err;
    } while (ps_sql_take_other(p, ','));
    return ps_sql_take_other(p, ')') ? p->err : ps_sql_expected(p, "')'");
}

/* A type of one that people made may have anything there, as a geometry has. */
static ps_err parse_any_args(struct ps_sql_parser *p)
{
    if (!ps_sql_take_other(p, '('))
        return p->err;
    ps_sql_skip_to(p, ")");
    return ps_sql_take_other(p, ')') ? p->err : ps_sql_expected(p, "')'");
}

static int32_t interval_field(const struct ps_sql_parser *p)
{
    static const struct {
        const char *word;
        int32_t bit;
    } all[] = {{"year", PS_PG_YEAR}, {"month", PS_PG_MONTH},   {"day", PS_PG_DAY},
               {"hour", PS_PG_HOUR}, {"minute", PS_PG_MINUTE}, {"second", PS_PG_SECOND}};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (ps_sql_is_word(p, all[i].word))
            return all[i].bit;
    return 0;
}

/* Those from the first to the last, but for months that no day follows. */
static int32_t fields_between(int32_t first, int32_t last)
{
    int32_t bits = 0;

    if (first == PS_PG_YEAR)
        return PS_PG_YEAR | PS_PG_MONTH;
    for (int32_t bit = first; bit != 0 && bit <= PS_PG_SECOND;
         bit = bit == PS_PG_DAY ? PS_PG_HOUR : bit << 1) {
        bits |= bit;
        if (bit == last)
            break;
    }
    return bits;
}

/* Behind INTERVAL: DAY TO SECOND and the like, and a precision. */
static ps_err parse_interval(struct ps_sql_parser *p, struct ps_sql_type_ref *ref)
{
    int32_t last;

    ref->fields = interval_field(p);
    if (ref->fields) {
        ps_sql_advance(p);
        if (ps_sql_take_word(p, "to")) {
            last = interval_field(p);
            if (!last)
                return ps_sql_expected(p, "a field of an interval");
            ref->fields = fields_between(ref->fields, last);
            ps_sql_advance(p);
        }
    }
    return parse_args(p, ref);
}

/* Behind TIME or TIMESTAMP: a precision, then WITH or WITHOUT TIME ZONE. */
static ps_err parse_zone(struct ps_sql_parser *p, const char *with, struct ps_sql_type_ref *ref)
{
    bool zone;

    if (parse_args(p, ref))
        return p->err;
    zone = ps_sql_is_word(p, "with");
    if (!ps_sql_take_word(p, "with") && !ps_sql_take_word(p, "without"))
        return p->err;
    if (!ps_sql_take_word(p, "time") || !ps_sql_take_word(p, "zone"))
        return ps_sql_expected(p, "TIME ZONE");
    if (zone)
        ref->name.name = with;
    return p->err;
}

/* --- names -------------------------------------------------------------------------------- */

/* Types that SQL has other names for than pg_type, and those that have a length of 1 where none is
 * said. */
static const char *name_in_catalog(const char *word)
{
    static const char *const all[][2] = {
        {"int", "int4"},         {"integer", "int4"},   {"smallint", "int2"},
        {"bigint", "int8"},      {"real", "float4"},    {"decimal", "numeric"},
        {"dec", "numeric"},      {"boolean", "bool"},   {"serial", "int4"},
        {"serial4", "int4"},     {"bigserial", "int8"}, {"serial8", "int8"},
        {"smallserial", "int2"}, {"serial2", "int2"},   {"double", "float8"},
        {"character", "bpchar"}, {"char", "bpchar"},    {"nchar", "bpchar"},
        {"national", "bpchar"},  {"float", "float8"},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(word, all[i][0]) == 0)
            return all[i][1];
    return word;
}

/* Of a length that is 1 where it is not said, or not limited if it may vary. */
static ps_err parse_length(struct ps_sql_parser *p, const char *varying,
                           struct ps_sql_type_ref *ref)
{
    if (ps_sql_take_word(p, "varying"))
        ref->name.name = varying;
    else
        ref->args[0] = 1;
    if (parse_args(p, ref))
        return p->err;
    if (ref->name.name != varying)
        ref->arg_count = 1;
    return p->err;
}

static ps_err parse_float(struct ps_sql_parser *p, struct ps_sql_type_ref *ref)
{
    if (parse_args(p, ref))
        return p->err;
    if (ref->arg_count > 0 && ref->args[0] <= FLOAT4_BITS_MAX)
        ref->name.name = "float4";
    ref->arg_count = 0;
    return p->err;
}

/* Behind a type's first word, which was not quoted. *ret_known: the type was read. */
static ps_err parse_known(struct ps_sql_parser *p, const char *word, struct ps_sql_type_ref *ref,
                          bool *ret_known)
{
    *ret_known = true;
    ref->name.name = name_in_catalog(word);
    if (strcmp(word, "double") == 0)
        return ps_sql_take_word(p, "precision") ? p->err : ps_sql_expected(p, "PRECISION");
    if (strcmp(word, "national") == 0 && !ps_sql_take_word(p, "character") &&
        !ps_sql_take_word(p, "char"))
        return ps_sql_expected(p, "CHARACTER");
    if (strcmp(ref->name.name, "bpchar") == 0 && strcmp(word, "bpchar") != 0)
        return parse_length(p, "varchar", ref);
    if (strcmp(word, "bit") == 0)
        return parse_length(p, "varbit", ref);
    if (strcmp(word, "float") == 0)
        return parse_float(p, ref);
    if (strcmp(word, "time") == 0)
        return parse_zone(p, "timetz", ref);
    if (strcmp(word, "timestamp") == 0)
        return parse_zone(p, "timestamptz", ref);
    if (strcmp(word, "interval") == 0)
        return parse_interval(p, ref);
    *ret_known = ref->name.name != word;
    return p->err;
}

static bool takes_numbers(const char *name)
{
    static const char *const all[] = {"numeric", "varchar",   "bpchar",   "varbit", "bit",
                                      "time",    "timestamp", "interval", "timetz", "timestamptz"};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(name, all[i]) == 0)
            return true;
    return false;
}

static ps_err parse_named(struct ps_sql_parser *p, struct ps_sql_type_ref *ref)
{
    bool is_word = p->token.kind == PS_SQL_WORD, known;

    if (ps_sql_parse_name(p, "a type", &ref->name))
        return p->err;
    if (is_word && !ref->name.schema) {
        if (parse_known(p, ref->name.name, ref, &known))
            return p->err;
        if (known && !takes_numbers(ref->name.name))
            return p->err;
    }
    if (ref->arg_count > 0)
        return p->err;
    return takes_numbers(ref->name.name) ? parse_args(p, ref) : parse_any_args(p);
}

/* --- arrays ------------------------------------------------------------------------------- */

/* [], [N] as often as they come; ARRAY, ARRAY[N]. How often and what N is does not matter. */
static ps_err parse_brackets(struct ps_sql_parser *p, struct ps_sql_type_ref *ref)
{
    if (ps_sql_take_word(p, "array"))
        ref->is_array = true;
    while (ps_sql_is_other(p, '[')) {
        ps_sql_advance(p);
        if (p->token.kind == PS_SQL_NUMBER)
            ps_sql_advance(p);
        if (!ps_sql_take_other(p, ']'))
            return ps_sql_expected(p, "']'");
        ref->is_array = true;
    }
    return p->err;
}

ps_err ps_sql_parse_type(struct ps_sql_parser *p, struct ps_sql_type_ref *ret)
{
    *ret = (struct ps_sql_type_ref){0};
    return parse_named(p, ret) ? p->err : parse_brackets(p, ret);
}
