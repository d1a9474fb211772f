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

/* An item of the page, with what of its key is compared. */
struct entry {
    struct ps_bt_tuple t;
    const uint8_t *key; /* NULL: nothing */
    uint32_t key_len;
};

static bool read_entry(const struct ps_pg_walk *w, const struct ps_pg_view *v,
                       const struct ps_bt_page *b, uint32_t slot, struct entry *ret)
{
    if (!ps_bt_tuple(v, b, slot, &ret->t))
        return false;
    ret->key = w->order.compare ? first_key(w, &ret->t, &ret->key_len) : NULL;
    return true;
}

static int compare_entries(const struct ps_pg_walk *w, const struct entry *a, const struct entry *b)
{
    return a->key && b->key ? w->order.compare(a->key, a->key_len, b->key, b->key_len) : 0;
}

static struct ps_pg_tid last_tid(const struct ps_bt_tuple *t)
{
    if (!t->posting || t->tid_count == 0)
        return t->htid;
    return ps_pg_tid(t->tids + (t->tid_count - 1) * PS_PG_TID_LEN);
}

/* Goes through the items in their order, which the high key ends; false: that was all. */
struct cursor {
    const struct ps_pg_view *v;
    const struct ps_bt_page *b;
    uint32_t slot; /* of the last that was read; 0: none yet */
};

static inline bool next_entry(const struct ps_pg_walk *w, struct cursor *c, struct entry *ret)
{
    const uint32_t first = ps_bt_first_slot(c->b);

    if (c->slot == 1 && first > 1)
        return false;
    for (c->slot = c->slot ? c->slot + 1 : first; c->slot <= c->v->slots; c->slot++)
        if (read_entry(w, c->v, c->b, c->slot, ret))
            return true;
    c->slot = 1;
    return first > 1 && read_entry(w, c->v, c->b, 1, ret);
}

/* What there is on a page: pairs of neighbours in which order, and where items lead. */
struct counts {
    uint64_t ascending, descending;
    uint64_t same;    /* or not to be compared */
    uint32_t highest; /* block */
};

static void count_pairs(const struct ps_pg_walk *w, const struct ps_pg_view *v,
                        const struct ps_bt_page *b, struct counts *ret)
{
    struct cursor c = {.v = v, .b = b};
    struct entry entries[2];
    unsigned now = 0;

    *ret = (struct counts){0};
    for (bool have = false; next_entry(w, &c, &entries[now]); have = true, now = !now) {
        const struct ps_pg_tid last = last_tid(&entries[now].t);
        int order;

        if (last.block > ret->highest && !entries[now].t.pivot)
            ret->highest = last.block;
        if (!have)
            continue;
        order = compare_entries(w, &entries[!now], &entries[now]);
        ret->ascending += order < 0;
        ret->descending += order > 0;
        ret->same += order == 0;
    }
}

/* Is the first column's order known well enough? An operator class of its own may order a type in a
 * way that has nothing to do with the usual one. */
static bool is_judged(const struct ps_pg_key_order *o, bool *ret_descending)
{
    uint64_t fewer = o->ascending < o->descending ? o->ascending : o->descending;

    *ret_descending = o->descending > o->ascending;
    return fewer <= (o->ascending + o->descending) / 8;
}

static void judge_pair(struct ps_pg_walk *w, uint32_t slot, const struct entry *a,
                       const struct entry *b)
{
    bool descending, judged = is_judged(&w->order, &descending);
    int order = judged ? compare_entries(w, a, b) : 0;
    struct ps_pg_tid last = last_tid(&a->t), next = b->t.htid;

    if (descending ? order < 0 : order > 0)
        ps_pg_walk_add(w, w->block, slot, true, "order", "item %" PRIu32 " is %s", slot,
                       slot == 1 ? "the high key, and the last item is beyond it"
                                 : "not beyond the one before it");
    else if (w->btree_version >= VERSION_UNIQUE && !a->t.pivot && !b->t.pivot &&
             same_key(&a->t, &b->t) && ps_pg_tid_cmp(last, next) >= 0)
        ps_pg_walk_add(w, w->block, slot, true, "order",
                       "item %" PRIu32 " has the key of the one before it, but leads to "
                       "(%" PRIu32 ",%u) after (%" PRIu32 ",%u)",
                       slot, next.block, next.slot, last.block, last.slot);
}

static void judge_pairs(struct ps_pg_walk *w, const struct ps_pg_view *v,
                        const struct ps_bt_page *b)
{
    struct cursor c = {.v = v, .b = b};
    struct entry entries[2];
    unsigned now = 0;

    for (bool have = false; next_entry(w, &c, &entries[now]); have = true, now = !now)
        if (have)
            judge_pair(w, c.slot, &entries[!now], &entries[now]);
}

/* Pages whose pairs all are in the order of most others, as nearly all are, have nothing to tell.
 */
uint32_t ps_pg_walk_order(struct ps_pg_walk *w, const struct ps_pg_view *v,
                          const struct ps_bt_page *b)
{
    struct counts counts;
    bool descending, judged;

    count_pairs(w, v, b, &counts);
    w->order.ascending += counts.ascending;
    w->order.descending += counts.descending;
    judged = is_judged(&w->order, &descending);
    if (counts.same > 0 || (judged && (descending ? counts.ascending : counts.descending) > 0))
        judge_pairs(w, v, b);
    return counts.highest;
}
