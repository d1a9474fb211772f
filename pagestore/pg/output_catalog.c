/*
 * output_catalog.c - types that the catalogs use most: places, positions, names of objects, rights
 * (utils/acl.h), extended statistics (statistics/statistics.h).
 */
#include <math.h>
#include <limits.h>

#include "pg/output_internal.h"
#include "pg/tid.h"
#include "pg/type_oid.h"

#define REG_NAME_MAX 8192u /* a regprocedure names its 100 arguments */

ps_err ps_pg_out_tid(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                     const uint8_t *data, uint32_t len, struct ps_text *out)
{
    const struct ps_pg_tid tid = ps_pg_tid(data);

    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_char(out, '(');
    ps_pg_add_u64(out, tid.block);
    ps_pg_add_char(out, ',');
    ps_pg_add_u64(out, tid.slot);
    ps_pg_add_char(out, ')');
    return ps_text_err(out);
}

ps_err ps_pg_out_lsn(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                     const uint8_t *data, uint32_t len, struct ps_text *out)
{
    uint64_t lsn = ps_get64_at(data);

    (void)p;
    (void)type;
    (void)len;
    ps_text_printf(out, "%X/%X", (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return ps_text_err(out);
}

/* A count, xmin, xmax, the transactions in progress between them. */
ps_err ps_pg_out_snapshot(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                          const uint8_t *data, uint32_t len, struct ps_text *out)
{
    uint32_t count = len >= 20 ? ps_get32_at(data) : 0;
    uint32_t i;

    (void)p;
    (void)type;
    if (len < 20 || count != (len - 20) / 8 || (len - 20) % 8 != 0)
        return ps_fail(PS_ERR_CORRUPT, "snapshot: %u transactions in %u bytes", count, len);
    ps_pg_add_u64(out, ps_get64_at(data + 4));
    ps_pg_add_char(out, ':');
    ps_pg_add_u64(out, ps_get64_at(data + 12));
    ps_pg_add_char(out, ':');
    for (i = 0; i < count; i++) {
        if (i > 0)
            ps_pg_add_char(out, ',');
        ps_pg_add_u64(out, ps_get64_at(data + 20 + 8 * (size_t)i));
    }
    return ps_text_err(out);
}

/* regclass, regproc, ...: the name of what has this OID. */
ps_err ps_pg_out_reg(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                     const uint8_t *data, uint32_t len, struct ps_text *out)
{
    ps_oid oid = ps_get32_at(data);
    char name[REG_NAME_MAX];

    (void)len;
    if (oid == 0)
        ps_pg_add_char(
            out, type->base == PS_PG_REGOPEROID || type->base == PS_PG_REGOPERATOROID ? '0' : '-');
    else if (p->types.reg_name &&
             p->types.reg_name(p->types.ctx, type->base, oid, name, sizeof(name)))
        ps_pg_add_string(out, name);
    else
        ps_pg_add_u64(out, oid);
    return ps_text_err(out);
}

/* ---- rights ---- */

static bool is_plain_in_acl(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* An identifier's quotes taken off, in place. */
static void unquote(char *name)
{
    const char *from = name + 1;
    char *to = name;

    if (*name != '"')
        return;
    while (*from && !(from[0] == '"' && from[1] != '"')) {
        from += *from == '"';
        *to++ = *from++;
    }
    *to = 0;
}

/* Rights quote names by a rule of their own: all but ASCII letters, digits and _. */
static void add_role(struct ps_pg_printer *p, ps_oid role, struct ps_text *out)
{
    char name[REG_NAME_MAX];
    size_t start = out->len;
    size_t i;

    if (!p->types.reg_name ||
        !p->types.reg_name(p->types.ctx, PS_PG_REGROLEOID, role, name, sizeof(name))) {
        ps_pg_add_u64(out, role);
        return;
    }
    unquote(name);
    ps_pg_add_string(out, name);
    for (i = 0; name[i] && is_plain_in_acl(name[i]); i++)
        ;
    if (name[i])
        ps_pg_quote_tail(out, start, PS_PG_DOUBLE_QUOTES);
}

/* Grantee, grantor, rights: the upper half those that may be granted on. 32 bits of them before
 * version 16, 64 from then on. */
ps_err ps_pg_out_aclitem(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                         const uint8_t *data, uint32_t len, struct ps_text *out)
{
    static const char rights[] = "arwdDxtXUCTcsAm";
    uint64_t granted, grantable;
    uint32_t i;

    (void)type;
    if (len != 12 && len != 16)
        return ps_fail(PS_ERR_CORRUPT, "aclitem: %u bytes", len);
    granted = len == 16 ? ps_get64_at(data + 8) : ps_get32_at(data + 8);
    grantable = granted >> (len == 16 ? 32 : 16);
    if (ps_get32_at(data) != 0)
        add_role(p, ps_get32_at(data), out);
    ps_pg_add_char(out, '=');
    for (i = 0; rights[i]; i++) {
        if (granted >> i & 1)
            ps_pg_add_char(out, rights[i]);
        if (grantable >> i & 1)
            ps_pg_add_char(out, '*');
    }
    ps_pg_add_char(out, '/');
    add_role(p, ps_get32_at(data + 4), out);
    return ps_text_err(out);
}

/* ---- extended statistics: magic, type, a count; then for each a double and its columns ---- */

/* src/include/statistics/statistics.h */
#define STATS_NDISTINCT_MAGIC 0xa352bfa4u
#define STATS_DEPS_MAGIC 0xb4549a2cu
#define STATS_TYPE_BASIC 1u /* of both */

struct statistics {
    const char *what;
    uint32_t magic;
    uint32_t count_len; /* bytes of each one's count of columns */
    const char *arrow;  /* before the last column; NULL: a comma, as between the others */
    bool whole;         /* values are shown as whole numbers */
    const uint8_t *at, *end;
    uint32_t items;
};

struct statistic {
    double value;
    const uint8_t *columns;
    uint32_t count;
};

static ps_err open_statistics(struct statistics *s, const uint8_t *data, uint32_t len)
{
    if (len < 12 || ps_get32_at(data) != s->magic || ps_get32_at(data + 4) != STATS_TYPE_BASIC)
        return ps_fail(PS_ERR_CORRUPT, "%s: no such header", s->what);
    s->items = ps_get32_at(data + 8);
    s->at = data + 12;
    s->end = data + len;
    return PS_OK;
}

static ps_err next_statistic(struct statistics *s, struct statistic *ret)
{
    size_t left = (size_t)(s->end - s->at);

    if (left < 8 + s->count_len)
        return ps_fail(PS_ERR_CORRUPT, "%s: fewer items than it says", s->what);
    ret->value = ps_get_double_at(s->at);
    ret->count = s->count_len == 4 ? ps_get32_at(s->at + 8) : ps_get16_at(s->at + 8);
    ret->columns = s->at + 8 + s->count_len;
    left -= 8 + s->count_len;
    if (ret->count > left / 2 || !isfinite(ret->value))
        return ps_fail(PS_ERR_CORRUPT, "%s: an item of %u columns", s->what, ret->count);
    s->at = ret->columns + 2 * (size_t)ret->count;
    return PS_OK;
}

static void add_columns(const struct statistic *item, const char *arrow, struct ps_text *out)
{
    for (uint32_t i = 0; i < item->count; i++) {
        if (arrow && i + 1 == item->count)
            ps_pg_add_string(out, arrow);
        else if (i > 0)
            ps_pg_add_string(out, ", ");
        ps_pg_add_i64(out, (int16_t)ps_get16_at(item->columns + 2 * (size_t)i));
    }
}

static ps_err add_statistics(struct statistics *s, const uint8_t *data, uint32_t len,
                             struct ps_text *out)
{
    struct statistic item = {0};
    ps_err err = open_statistics(s, data, len);

    if (err)
        return err;
    ps_pg_add_char(out, '{');
    for (uint32_t i = 0; i < s->items; i++) {
        err = next_statistic(s, &item);
        if (err)
            return err;
        if (s->whole && fabs(item.value) > INT_MAX)
            return ps_fail(PS_ERR_CORRUPT, "%s: %g distinct values", s->what, item.value);
        ps_pg_add_string(out, i > 0 ? ", \"" : "\"");
        add_columns(&item, s->arrow, out);
        if (s->whole)
            ps_text_printf(out, "\": %d", (int)item.value);
        else
            ps_text_printf(out, "\": %f", item.value);
    }
    ps_pg_add_char(out, '}');
    return ps_text_err(out);
}

ps_err ps_pg_out_ndistinct(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                           const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct statistics s = {
        .what = "pg_ndistinct", .magic = STATS_NDISTINCT_MAGIC, .count_len = 4, .whole = true};

    (void)p;
    (void)type;
    return add_statistics(&s, data, len, out);
}

ps_err ps_pg_out_dependencies(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                              const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct statistics s = {
        .what = "pg_dependencies", .magic = STATS_DEPS_MAGIC, .count_len = 2, .arrow = " => "};

    (void)p;
    (void)type;
    return add_statistics(&s, data, len, out);
}
