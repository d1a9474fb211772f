/*
 * damage_order.c - are a B-tree page's items in order? By the first column of their key, where its
 * type's order does not depend on a collation or an operator class that the files do not have; and
 * among items with equal keys by where they lead, whatever the type.
 */
#include <inttypes.h>
#include <math.h>

#include "pg/damage_glance.h"
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

/* Of keys that it compares. */
static enum ps_pg_number number_of(const struct ps_pg_key_order *o)
{
    if (o->compare == compare_int4)
        return PS_PG_INT4;
    if (o->compare == compare_uint4)
        return PS_PG_UINT4;
    return o->compare == compare_int8 ? PS_PG_INT8 : PS_PG_NO_NUMBER;
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
        {PS_PG_REGPROCOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGPROCEDUREOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGOPEROID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGOPERATOROID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGCLASSOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGTYPEOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGCONFIGOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGDICTIONARYOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGNAMESPACEOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGROLEOID, {.compare = compare_uint4, .key_len = 4}},
        {PS_PG_REGCOLLATIONOID, {.compare = compare_uint4, .key_len = 4}},
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
    if (subject->own_class)
        return;
    for (unsigned i = 0; attr && i < sizeof(orders) / sizeof(orders[0]); i++)
        if (orders[i].type == attr->type)
            *ret = orders[i].order;
    if (ret->compare && !is_bytewise(subject, attr->collation))
        ret->compare = NULL;
    ret->number = number_of(ret);
}

/* --- items --------------------------------------------------------------------------------- */

/* What of an item its order is told by. */
struct entry {
    const uint8_t *bytes;
    uint32_t data, end; /* of its key */
    uint16_t info;
    bool pivot;
    struct ps_pg_tid first, last; /* where it leads, unless it is a pivot */
    const uint8_t *key;           /* what of the key is compared; NULL: nothing */
    uint32_t key_len;
};

/* The first column's bytes; NULL: null, cut off (of a pivot), or compressed. */
static inline const uint8_t *first_key(const struct ps_pg_key_order *o, const struct entry *e,
                                       uint32_t *ret_len)
{
    const uint8_t *at = e->bytes + e->data;
    const uint32_t len = e->end - e->data;

    if (len == 0 || (e->info & PS_PG_INDEX_NULL && !(e->bytes[PS_PG_INDEX_HEADER] & 1)))
        return NULL;
    if (o->key_len > 0) {
        *ret_len = o->key_len;
        return len >= o->key_len ? at : NULL;
    }
    if (o->c_string) {
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

static inline void find_key(const struct ps_pg_walk *w, struct entry *e)
{
    e->key = w->order.compare ? first_key(&w->order, e, &e->key_len) : NULL;
}

static void take_tuple(const struct ps_pg_walk *w, const struct ps_bt_tuple *t, struct entry *ret)
{
    const struct ps_pg_index_tuple *x = &t->index;

    *ret = (struct entry){
        .bytes = x->bytes,
        .data = x->data,
        .end = x->end,
        .info = x->info,
        .pivot = t->pivot,
        .first = t->htid,
        .last = t->htid,
    };
    if (t->posting && t->tid_count > 0)
        ret->last = ps_pg_tid(t->tids + (t->tid_count - 1) * PS_PG_TID_LEN);
    find_key(w, ret);
}

/* Do the two have the same bytes as key? Then where they lead decides, from version 4 on. */
static bool same_key(const struct entry *a, const struct entry *b)
{
    const uint32_t len = a->end - a->data;

    return len == b->end - b->data &&
           (a->info & PS_PG_INDEX_NULL) == (b->info & PS_PG_INDEX_NULL) &&
           memcmp(a->bytes + PS_PG_INDEX_HEADER, b->bytes + PS_PG_INDEX_HEADER,
                  a->data - PS_PG_INDEX_HEADER + len) == 0;
}

static inline int compare_entries(const struct ps_pg_walk *w, const struct entry *a,
                                  const struct entry *b)
{
    return a->key && b->key ? w->order.compare(a->key, a->key_len, b->key, b->key_len) : 0;
}

static bool leads_back(const struct ps_pg_walk *w, const struct entry *a, const struct entry *b)
{
    return w->btree_version >= VERSION_UNIQUE && !a->pivot && !b->pivot && same_key(a, b) &&
           ps_pg_tid_cmp(a->last, b->first) >= 0;
}

/* Items come in their order, which the high key ends. The slot after the given one, 0 at first; 0:
 * that was all. */
static inline uint32_t next_slot(const struct ps_pg_view *v, const struct ps_bt_page *b,
                                 uint32_t slot)
{
    const uint32_t first = ps_bt_first_slot(b);

    if (slot == 1 && first > 1)
        return 0;
    slot = slot == 0 ? first : slot + 1;
    if (slot <= v->slots)
        return slot;
    return first > 1 && v->slots > 0 ? 1 : 0;
}

/* --- is the order known? ------------------------------------------------------------------- */

/* Pairs of neighbours, by their first columns. */
struct pairs {
    uint64_t ascending, descending;
};

static inline void note_pair(struct pairs *p, int order)
{
    p->ascending += order < 0;
    p->descending += order > 0;
}

static void note_pairs(struct ps_pg_key_order *o, const struct pairs *p)
{
    o->ascending += p->ascending;
    o->descending += p->descending;
}

/* Is the first column's order known well enough? Where no catalog tells, an operator class of its
 * own may order a type in a way that has nothing to do with the usual one. */
static bool is_judged(const struct ps_pg_key_order *o, bool *ret_descending)
{
    uint64_t fewer = o->ascending < o->descending ? o->ascending : o->descending;

    *ret_descending = o->descending > o->ascending;
    return fewer <= (o->ascending + o->descending) / 8;
}

/* --- a glance ------------------------------------------------------------------------------ */

/* What is not plain is read as anywhere else. */
static bool glance_any(const struct ps_pg_walk *w, const struct ps_glance *g,
                       const struct ps_bt_page *b, uint32_t slot, const struct ps_lp *lp,
                       struct entry *ret)
{
    struct ps_bt_tuple t;

    if (!ps_lp_has_storage(lp) || lp->len == 0 || !ps_glance_bytes(g, lp) ||
        !ps_bt_tuple(g->view, b, slot, &t) || t.index.size < PS_PG_INDEX_HEADER ||
        ps_item_space(t.index.size) != ps_item_space(lp->len))
        return false;
    if (t.index.data > t.index.len ||
        (t.posting && (t.tid_count == 0 || ps_bt_sorted_tids(&t) < t.tid_count)))
        return false;
    take_tuple(w, &t, ret);
    return true;
}

/* The bytes of an item that is nothing but address and key, without nulls; NULL says nothing. */
static inline const uint8_t *plain_item(const struct ps_glance *g, const struct ps_lp *lp,
                                        uint32_t *ret_end)
{
    const uint8_t *item = NULL;
    uint32_t info, size;

    if (ps_lp_has_storage(lp) && lp->len >= PS_PG_INDEX_HEADER)
        item = ps_glance_bytes(g, lp);
    if (!item)
        return NULL;
    info = ps_get16_at(item + PS_PG_TID_LEN);
    size = info & PS_PG_INDEX_SIZE;
    if (size < PS_PG_INDEX_HEADER || ps_item_space(size) != ps_item_space(lp->len) ||
        info & (PS_PG_INDEX_ALT_TID | PS_PG_INDEX_NULL))
        return NULL;
    *ret_end = size < lp->len ? size : lp->len;
    return item;
}

static inline void take_plain(const uint8_t *item, uint32_t end, struct entry *ret)
{
    ret->bytes = item;
    ret->data = PS_PG_INDEX_HEADER;
    ret->end = end;
    ret->info = ps_get16_at(item + PS_PG_TID_LEN);
    ret->pivot = false;
    ret->first = ret->last = ps_pg_tid(item);
}

/* False: it has no bytes of its own, is no tuple, or leads past the heap's end. */
static inline bool glance_item(const struct ps_pg_walk *w, struct ps_glance *g,
                               const struct ps_bt_page *b, uint32_t slot, struct entry *ret)
{
    const struct ps_lp lp = ps_pg_view_lp(g->view, slot);
    const uint8_t *item = NULL;
    uint32_t end;

    if (slot >= ps_bt_first_slot(b))
        item = plain_item(g, &lp, &end);
    if (item) {
        take_plain(item, end, ret);
        find_key(w, ret);
    } else if (!glance_any(w, g, b, slot, &lp, ret)) {
        return false;
    }
    ps_glance_take(g, &lp);
    return ret->pivot || ret->last.block < w->subject.heap_pages;
}

/* --- a glance at numbers ------------------------------------------------------------------- */

static inline int64_t number_at(enum ps_pg_number number, const uint8_t *at)
{
    switch (number) {
    case PS_PG_INT4:
        return (int32_t)ps_get32_at(at);
    case PS_PG_UINT4:
        return ps_get32_at(at);
    default:
        return (int64_t)ps_get64_at(at);
    }
}

/* What most plain items of a leaf share: the length of their line pointer, size and marks. */
struct alike {
    uint32_t len;
    uint16_t info;
};

/* The bytes of a plain item whose key is that long; NULL says nothing. Of one that is like the last
 * all but its place is known. */
static inline const uint8_t *numbered_item(const struct ps_glance *g, const struct ps_lp *lp,
                                           uint32_t key_len, struct alike *io)
{
    const uint8_t *item;
    uint32_t end;

    static_assert(PS_LP_NORMAL % 2 == 1 && PS_LP_DEAD % 2 == 1 && PS_LP_REDIRECT % 2 == 0 &&
                      PS_LP_UNUSED % 2 == 0,
                  "the lowest bit tells who has storage");
    if (lp->len == io->len && lp->flags & 1) {
        item = ps_glance_bytes(g, lp);
        if (item && ps_get16_at(item + PS_PG_TID_LEN) == io->info)
            return item;
    }
    item = plain_item(g, lp, &end);
    if (!item || end < PS_PG_INDEX_HEADER + key_len)
        return NULL;
    *io = (struct alike){lp->len, ps_get16_at(item + PS_PG_TID_LEN)};
    return item;
}

static void take_slot(const struct ps_glance *g, uint32_t slot, struct entry *ret)
{
    const struct ps_lp lp = ps_pg_view_lp(g->view, slot);
    uint32_t end = 0;
    const uint8_t *item = plain_item(g, &lp, &end);

    assert(item);
    take_plain(item, end, ret);
}

/* Two plain items with equal numbers. */
static bool plain_leads_back(const struct ps_pg_walk *w, const struct ps_glance *g, uint32_t slot)
{
    struct entry entries[2];

    take_slot(g, slot - 1, &entries[0]);
    take_slot(g, slot, &entries[1]);
    return leads_back(w, &entries[0], &entries[1]);
}

/* The slot behind the plain items that a leaf begins with and of which nothing is to be told. Where
 * they end is for glance_item() to judge. */
static inline __attribute__((always_inline)) uint32_t
take_numbers(enum ps_pg_number number, const struct ps_pg_walk *w, struct ps_glance *glance,
             uint32_t first, struct pairs *ret)
{
    const uint32_t key_len = w->order.key_len, slots = glance->view->slots;
    const uint64_t heap_pages = w->subject.heap_pages;
    struct ps_glance g = *glance; /* copies of our own stay in registers */
    struct pairs pairs = {0};
    struct alike like = {.len = UINT32_MAX}; /* no line pointer has that */
    int64_t key, before = 0;
    uint32_t slot;

    for (slot = first; slot <= slots; slot++) {
        const struct ps_lp lp = ps_pg_lp_of(g.bytes, slot);
        const uint8_t *item = numbered_item(&g, &lp, key_len, &like);

        if (!item || ps_pg_tid(item).block >= heap_pages)
            break;
        key = number_at(number, item + PS_PG_INDEX_HEADER);
        if (slot > first && before < key) {
            pairs.ascending++;
        } else if (slot > first) {
            if (key == before && plain_leads_back(w, glance, slot))
                break;
            note_pair(&pairs, SIGN(before, key));
        }
        ps_glance_take(&g, &lp);
        before = key;
    }
    *glance = g;
    *ret = pairs;
    return slot;
}

/* The last of them, given as *ret; 0: there is none. */
static uint32_t glance_numbers(const struct ps_pg_walk *w, struct ps_glance *g,
                               const struct ps_bt_page *b, struct pairs *ret_pairs,
                               struct entry *ret)
{
    const uint32_t first = ps_bt_first_slot(b);
    uint32_t end;

    switch (w->order.number) {
    case PS_PG_INT4:
        end = take_numbers(PS_PG_INT4, w, g, first, ret_pairs);
        break;
    case PS_PG_UINT4:
        end = take_numbers(PS_PG_UINT4, w, g, first, ret_pairs);
        break;
    case PS_PG_INT8:
        end = take_numbers(PS_PG_INT8, w, g, first, ret_pairs);
        break;
    default:
        return 0;
    }
    if (end == first)
        return 0;
    take_slot(g, end - 1, ret);
    find_key(w, ret);
    return end - 1;
}

/* --- a glance at a leaf -------------------------------------------------------------------- */

bool ps_pg_order_is_fine(struct ps_pg_walk *w, const struct ps_pg_view *v,
                         const struct ps_bt_page *b)
{
    struct ps_pg_key_order o = w->order;
    struct pairs pairs = {0};
    struct entry entries[2];
    struct ps_glance g;
    unsigned now = 0;
    bool descending;
    uint32_t slot;

    if (!ps_glance_begin(&g, v))
        return false;
    slot = glance_numbers(w, &g, b, &pairs, &entries[now]);
    for (bool have = slot > 0; (slot = next_slot(v, b, slot)) != 0; have = true) {
        const struct entry *before = &entries[now], *e = &entries[!now];
        int order;

        now = !now;
        if (!glance_item(w, &g, b, slot, &entries[now]))
            return false;
        if (!have)
            continue;
        order = compare_entries(w, before, e);
        if (order == 0 && leads_back(w, before, e))
            return false;
        note_pair(&pairs, order);
    }
    note_pairs(&o, &pairs);
    if (is_judged(&o, &descending) && (descending ? pairs.ascending : pairs.descending) > 0)
        return false;
    if (!ps_glance_apart(&g))
        return false;
    note_pairs(&w->order, &pairs);
    return true;
}

/* --- a page -------------------------------------------------------------------------------- */

static bool read_entry(const struct ps_pg_walk *w, const struct ps_pg_view *v,
                       const struct ps_bt_page *b, uint32_t slot, struct entry *ret)
{
    struct ps_bt_tuple t;

    if (!ps_bt_tuple(v, b, slot, &t))
        return false;
    take_tuple(w, &t, ret);
    return true;
}

/* Goes through the items that can be read; false: that was all. */
struct cursor {
    const struct ps_pg_view *v;
    const struct ps_bt_page *b;
    uint32_t slot; /* of the last that was read; 0: none yet */
};

static bool next_entry(const struct ps_pg_walk *w, struct cursor *c, struct entry *ret)
{
    while ((c->slot = next_slot(c->v, c->b, c->slot)) != 0)
        if (read_entry(w, c->v, c->b, c->slot, ret))
            return true;
    return false;
}

static void count_pairs(const struct ps_pg_walk *w, const struct ps_pg_view *v,
                        const struct ps_bt_page *b, struct pairs *ret)
{
    struct cursor c = {.v = v, .b = b};
    struct entry entries[2];
    unsigned now = 0;

    for (bool have = false; next_entry(w, &c, &entries[now]); have = true, now = !now)
        if (have)
            note_pair(ret, compare_entries(w, &entries[!now], &entries[now]));
}

static void tell_leads_back(struct ps_pg_walk *w, uint32_t slot, struct ps_pg_tid before,
                            struct ps_pg_tid tid)
{
    ps_pg_walk_add(w, w->block, slot, true, "order",
                   "item %" PRIu32 " has the key of the one before it, but leads to "
                   "(%" PRIu32 ",%u) after (%" PRIu32 ",%u)",
                   slot, tid.block, tid.slot, before.block, before.slot);
}

static void judge_pair(struct ps_pg_walk *w, uint32_t slot, const struct entry *a,
                       const struct entry *b)
{
    bool descending, judged = is_judged(&w->order, &descending);
    int order = judged ? compare_entries(w, a, b) : 0;

    if (descending ? order < 0 : order > 0)
        ps_pg_walk_add(w, w->block, slot, true, "order", "item %" PRIu32 " is %s", slot,
                       slot == 1 ? "the high key, and the last item is beyond it"
                                 : "not beyond the one before it");
    else if (leads_back(w, a, b))
        tell_leads_back(w, slot, a->last, b->first);
}

void ps_pg_walk_order(struct ps_pg_walk *w, const struct ps_pg_view *v, const struct ps_bt_page *b)
{
    struct cursor c = {.v = v, .b = b};
    struct pairs pairs = {0};
    struct entry entries[2];
    unsigned now = 0;

    count_pairs(w, v, b, &pairs);
    note_pairs(&w->order, &pairs);
    for (bool have = false; next_entry(w, &c, &entries[now]); have = true, now = !now)
        if (have)
            judge_pair(w, c.slot, &entries[!now], &entries[now]);
}
