/* Are a B-tree page's items in order? By the first column of their key, where its type's order does
 * not depend on a collation or an operator class that the files do not have; and among items with
 * equal keys by where they lead, whatever the type. */
#include <inttypes.h>
#include <math.h>

#include "pg/damage_walk.h"
#include "pg/type_oid.h"

/* pg_collation.dat */
enum { COLLATION_DEFAULT = 100, COLLATION_C = 950, COLLATION_POSIX = 951 };

/* From this version on items with equal keys are in order of what they lead to. */
#define VERSION_UNIQUE 4u
#define SIGN(a, b) ((a) < (b) ? -1 : (a) > (b))

static int compare_bytes(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : SIGN(a_len, b_len);
}

static int compare_int2(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    (void)a_len;
    (void)b_len;
    return SIGN((int16_t)ps_get16_at(a), (int16_t)ps_get16_at(b));
}

static int compare_int4(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    (void)a_len;
    (void)b_len;
    return SIGN((int32_t)ps_get32_at(a), (int32_t)ps_get32_at(b));
}

static int compare_uint4(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    (void)a_len;
    (void)b_len;
    return SIGN(ps_get32_at(a), ps_get32_at(b));
}

static int compare_int8(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    (void)a_len;
    (void)b_len;
    return SIGN((int64_t)ps_get64_at(a), (int64_t)ps_get64_at(b));
}

/* NaN is equal to itself and larger than all else. */
static int compare_floats(double a, double b)
{
    if (isnan(a) || isnan(b))
        return SIGN(isnan(a) != 0, isnan(b) != 0);
    return SIGN(a, b);
}

static int compare_float4(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    (void)a_len;
    (void)b_len;
    return compare_floats((double)ps_get_float_at(a), (double)ps_get_float_at(b));
}

static int compare_float8(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    (void)a_len;
    (void)b_len;
    return compare_floats(ps_get_double_at(a), ps_get_double_at(b));
}

/* Does the collation, 0 of types that have none, order by the bytes? */
static bool is_bytewise(const struct ps_pg_subject *subject, ps_oid collation)
{
    return collation == 0 || collation == COLLATION_C || collation == COLLATION_POSIX ||
           (collation == COLLATION_DEFAULT && subject->orders_bytes);
}

void ps_pg_key_order_find(const struct ps_pg_subject *subject, struct ps_pg_key_order *ret)
{
    static const struct {
        ps_oid type;
        struct ps_pg_key_order order;
    } orders[] = {
        {PS_PG_BOOLOID, {.compare = compare_bytes, .key_len = 1}},
        {PS_PG_CHAROID, {.compare = compare_bytes, .key_len = 1}},
        {PS_PG_BYTEAOID, {.compare = compare_bytes}},
        {PS_PG_TEXTOID, {.compare = compare_bytes}},
        {PS_PG_VARCHAROID, {.compare = compare_bytes}},
        {PS_PG_CSTRINGOID, {.compare = compare_bytes, .c_string = true}}, /* as names are stored */
        {PS_PG_INT2OID, {.compare = compare_int2, .key_len = 2}},
        {PS_PG_INT4OID, {.compare = compare_int4, .key_len = 4}},
        {PS_PG_INT8OID, {.compare = compare_int8, .key_len = 8}},
        {PS_PG_OIDOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_FLOAT4OID, {.compare = compare_float4, .key_len = 4}},
        {PS_PG_FLOAT8OID, {.compare = compare_float8, .key_len = 8}},
        {PS_PG_DATEOID, {.compare = compare_int4, .key_len = 4}},
        {PS_PG_TIMEOID, {.compare = compare_int8, .key_len = 8}},
        {PS_PG_TIMESTAMPOID, {.compare = compare_int8, .key_len = 8}},
        {PS_PG_TIMESTAMPTZOID, {.compare = compare_int8, .key_len = 8}},
        {PS_PG_UUIDOID, {.compare = compare_bytes, .key_len = 16}},
    };
    const struct ps_pg_desc *desc = subject->desc;
    const struct ps_pg_attr *attr = desc && desc->count > 0 ? &desc->attrs[0] : NULL;

    *ret = (struct ps_pg_key_order){0};
    for (unsigned i = 0; attr && i < sizeof(orders) / sizeof(orders[0]); i++)
        if (orders[i].type == attr->type)
            *ret = orders[i].order;
    if (ret->compare && !is_bytewise(subject, attr->collation))
        ret->compare = NULL;
}

/* --- a page -------------------------------------------------------------------------------- */

/* The first column's bytes; NULL: null, cut off (of a pivot), or compressed. */
static const uint8_t *first_key(const struct ps_pg_walk *w, const struct ps_bt_tuple *t,
                                uint32_t *ret_len)
{
    const struct ps_pg_index_tuple *x = &t->index;
    const uint8_t *at = x->bytes + x->data;
    uint32_t len = x->end - x->data;

    if (len == 0 || (x->info & PS_PG_INDEX_NULL && !(x->bytes[PS_PG_INDEX_HEADER] & 1)))
        return NULL;
    if (w->order.key_len > 0) {
        *ret_len = w->order.key_len;
        return len >= w->order.key_len ? at : NULL;
    }
    if (w->order.c_string) {
        *ret_len = (uint32_t)strnlen((const char *)at, len);
        return at;
    }
    if (at[0] & 1) { /* a length of one byte */
        *ret_len = (uint32_t)at[0] / 2 - 1;
        return at[0] != 1 && *ret_len < len ? at + 1 : NULL;
    }
    if (at[0] & 2 || len < 4)
        return NULL;
    *ret_len = ps_get32_at(at) / 4;
    if (*ret_len < 4 || *ret_len > len)
        return NULL;
    *ret_len -= 4;
    return at + 4;
}

/* Do the two have the same bytes as key? Then where they lead decides, from version 4 on. */
static bool same_key(const struct ps_bt_tuple *a, const struct ps_bt_tuple *b)
{
    uint32_t len = a->index.end - a->index.data;

    return len == b->index.end - b->index.data &&
           (a->index.info & PS_PG_INDEX_NULL) == (b->index.info & PS_PG_INDEX_NULL) &&
           memcmp(a->index.bytes + PS_PG_INDEX_HEADER, b->index.bytes + PS_PG_INDEX_HEADER,
                  a->index.data - PS_PG_INDEX_HEADER + len) == 0;
}

static int compare_items(const struct ps_pg_walk *w, const struct ps_bt_tuple *a,
                         const struct ps_bt_tuple *b)
{
    uint32_t a_len, b_len;
    const uint8_t *a_key, *b_key;

    if (!w->order.compare)
        return 0;
    a_key = first_key(w, a, &a_len);
    b_key = first_key(w, b, &b_len);
    return a_key && b_key ? w->order.compare(a_key, a_len, b_key, b_len) : 0;
}

typedef void (*pair_fn)(struct ps_pg_walk *w, uint32_t slot, const struct ps_bt_tuple *a,
                        const struct ps_bt_tuple *b);

/* Each two neighbours; the high key comes last, as it does in order. */
static void for_pairs(struct ps_pg_walk *w, const struct ps_pg_view *v, const struct ps_bt_page *b,
                      pair_fn pair)
{
    uint32_t first = ps_bt_first_slot(b);
    struct ps_bt_tuple before, t;
    bool have = false;

    for (uint32_t slot = first; slot <= v->slots; slot++) {
        if (!ps_bt_tuple(v, b, slot, &t))
            continue;
        if (have)
            pair(w, slot, &before, &t);
        before = t;
        have = true;
    }
    if (have && first > 1 && ps_bt_tuple(v, b, 1, &t))
        pair(w, 1, &before, &t);
}

static void count_pair(struct ps_pg_walk *w, uint32_t slot, const struct ps_bt_tuple *a,
                       const struct ps_bt_tuple *b)
{
    int order = compare_items(w, a, b);

    (void)slot;
    w->order.ascending += order < 0;
    w->order.descending += order > 0;
}

/* Is the first column's order known well enough? An operator class of its own may order a type in a
 * way that has nothing to do with the usual one. */
static bool is_judged(const struct ps_pg_key_order *o, bool *ret_descending)
{
    uint64_t fewer = o->ascending < o->descending ? o->ascending : o->descending;

    *ret_descending = o->descending > o->ascending;
    return fewer <= (o->ascending + o->descending) / 8;
}

static struct ps_pg_tid last_tid(const struct ps_bt_tuple *t)
{
    if (!t->posting || t->tid_count == 0)
        return t->htid;
    return ps_pg_tid(t->tids + (t->tid_count - 1) * PS_PG_TID_LEN);
}

static void judge_pair(struct ps_pg_walk *w, uint32_t slot, const struct ps_bt_tuple *a,
                       const struct ps_bt_tuple *b)
{
    bool descending, judged = is_judged(&w->order, &descending);
    int order = judged ? compare_items(w, a, b) : 0;
    struct ps_pg_tid last = last_tid(a);

    if (descending ? order < 0 : order > 0)
        ps_pg_walk_add(w, w->block, slot, true, "order", "item %" PRIu32 " is %s", slot,
                       slot == 1 ? "the high key, and the last item is beyond it"
                                 : "not beyond the one before it");
    else if (w->btree_version >= VERSION_UNIQUE && !a->pivot && !b->pivot && same_key(a, b) &&
             ps_pg_tid_cmp(last, b->htid) >= 0)
        ps_pg_walk_add(w, w->block, slot, true, "order",
                       "item %" PRIu32 " has the key of the one before it, but leads to "
                       "(%" PRIu32 ",%u) after (%" PRIu32 ",%u)",
                       slot, b->htid.block, b->htid.slot, last.block, last.slot);
}

void ps_pg_walk_order(struct ps_pg_walk *w, const struct ps_pg_view *v, const struct ps_bt_page *b)
{
    for_pairs(w, v, b, count_pair);
    for_pairs(w, v, b, judge_pair);
}
