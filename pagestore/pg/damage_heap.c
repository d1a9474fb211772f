/*
 * damage_heap.c - what a heap page says of transactions, of its visibility map and of values
 * stored elsewhere.
 */
#include <inttypes.h>

#include "pg/damage_glance.h"
#include "pg/damage_walk.h"
#include "pg/visibility.h"

/* --- transactions -------------------------------------------------------------------------- */

static void check_xid(struct ps_pg_walk *w, uint32_t slot, const char *field, uint32_t xid)
{
    if (xid >= PS_PG_XID_FIRST_NORMAL && ps_pg_xact_in_future(w->xacts, xid))
        PS_PG_WALK_DISAGREE(w, slot, "xid-future",
                            "tuple %" PRIu32 ": %s %" PRIu32
                            " is not before the next transaction %" PRIu32,
                            slot, field, xid, (uint32_t)ps_pg_control(w->cluster)->next_xid);
}

static void check_xids(struct ps_pg_walk *w, uint32_t slot, const struct ps_pg_tuple *t)
{
    if ((t->infomask & PS_PG_XMIN_FROZEN) != PS_PG_XMIN_FROZEN)
        check_xid(w, slot, "t_xmin", t->xmin);
    if (!(t->infomask & (PS_PG_XMAX_INVALID | PS_PG_XMAX_IS_MULTI)))
        check_xid(w, slot, "t_xmax", t->xmax);
}

/* --- visibility map ------------------------------------------------------------------------ */

/* Bits of the page that is walked; 0 where its map does not tell. */
static ps_err vm_bits(struct ps_pg_walk *w, unsigned *ret)
{
    uint32_t pages = ps_vm_pages_a_page(w->page_size);
    uint64_t block = w->block / pages;
    ps_err err;

    *ret = 0;
    if (!w->vm_table)
        return PS_OK;
    if (block != w->vm_block) {
        err = ps_page_copy(w->vm_table, (uint32_t)block, w->cancel, w->vm);
        if (ps_pg_walk_ends(err))
            return err;
        /* A damaged map's bits say nothing; the walk of its own fork tells of it. */
        if (err)
            memset(w->vm, 0, w->page_size);
        w->vm_block = block;
    }
    *ret = ps_vm_bits(w->vm, (uint32_t)(w->block % pages));
    return PS_OK;
}

static bool is_frozen(const struct ps_pg_tuple *t)
{
    if ((t->infomask & PS_PG_XMIN_FROZEN) != PS_PG_XMIN_FROZEN && t->xmin >= PS_PG_XID_FIRST_NORMAL)
        return false;
    return t->xmax == 0 || t->infomask & PS_PG_XMAX_INVALID;
}

static void check_vm_tuple(struct ps_pg_walk *w, unsigned bits, uint32_t slot,
                           const struct ps_pg_tuple *t, const struct ps_pg_verdict *verdict)
{
    if (bits & PS_VM_ALL_VISIBLE && verdict->seen == PS_PG_DEAD)
        PS_PG_WALK_DISAGREE(w, slot, "vm-lie",
                            "all visible by the map, but tuple %" PRIu32 " is %s", slot,
                            verdict->why);
    else if (bits & PS_VM_ALL_FROZEN && !is_frozen(t))
        PS_PG_WALK_DISAGREE(w, slot, "vm-lie",
                            "all frozen by the map, but tuple %" PRIu32 " is not", slot);
}

/* --- values -------------------------------------------------------------------------------- */

static ps_err check_external(struct ps_pg_walk *w, uint32_t slot, uint32_t column,
                             const struct ps_pg_external *external)
{
    const struct ps_pg_toaster *toaster = w->subject.toaster;
    ps_err err;

    ps_text_clear(&w->detoasted);
    err = toaster->fetch(toaster->ctx, external, &w->detoasted);
    if (ps_pg_walk_ends(err))
        return err;
    if (err)
        PS_PG_WALK_DISAGREE(w, slot, err == PS_ERR_NOENT ? "toast-missing" : "toast",
                            "tuple %" PRIu32 ", column %" PRIu32 ": %s", slot, column,
                            ps_message());
    return PS_OK;
}

static ps_err check_values(struct ps_pg_walk *w, uint32_t slot, const struct ps_pg_tuple *t)
{
    const struct ps_pg_desc *desc = w->subject.desc;
    const struct ps_pg_value *values = w->values;
    uint32_t good = 0;
    ps_err err;

    if (!desc || t->natts > desc->count)
        return PS_OK; /* the page's own check says so */
    if (ps_pg_tuple_is_plain(t, &w->shape))
        return PS_OK;
    err = ps_pg_tuple_values(t, desc, w->values, &good);
    if (err == PS_ERR_CORRUPT) {
        ps_pg_walk_add(w, w->block, slot, true, "attribute",
                       "tuple %" PRIu32 ", column %" PRIu32 ": %s", slot, good + 1, ps_message());
        err = PS_OK;
    }
    for (uint32_t i = 0; !err && w->subject.toaster && i < good; i++)
        if (values[i].form == PS_PG_EXTERNAL)
            err = check_external(w, slot, i + 1, &values[i].external);
    return err;
}

/* --- a tuple ------------------------------------------------------------------------------- */

/* Neither its transactions nor the maps have a say in it. */
static bool is_seen_for_ever(const struct ps_pg_tuple *t)
{
    return (t->infomask & PS_PG_XMIN_FROZEN) == PS_PG_XMIN_FROZEN && t->xmax == 0;
}

static ps_err check_tuple(struct ps_pg_walk *w, const struct ps_pg_view *v, unsigned bits,
                          uint32_t slot)
{
    struct ps_pg_verdict verdict;
    struct ps_pg_tuple t;
    uint32_t len = 0;
    const uint8_t *item = ps_pg_view_item(v, slot, &len);

    if (!item || len < PS_PG_TUPLE_HEADER || ps_pg_tuple_parse(item, len, &t) != PS_OK)
        return PS_OK; /* the page's own check says so */
    if (is_seen_for_ever(&t))
        return check_values(w, slot, &t);
    check_xids(w, slot, &t);
    verdict = ps_pg_visible(&t, w->xacts);
    if (verdict.hint_wrong)
        ps_pg_walk_add(w, w->block, slot, false, "hint",
                       "tuple %" PRIu32 ": hint bits say other than pg_xact", slot);
    check_vm_tuple(w, bits, slot, &t, &verdict);
    /* What a dead row points to may be gone already. */
    return verdict.seen == PS_PG_SEEN ? check_values(w, slot, &t) : PS_OK;
}

/* --- a glance ------------------------------------------------------------------------------ */

/* Did it commit, and is it none of the future's? Most rows of a page were inserted by one. Where
 * there is no pg_xact the hint bits are all that is known. */
static bool has_committed(struct ps_pg_walk *w, uint32_t xid, bool hinted)
{
    if (!w->xacts)
        return hinted;
    if (xid == w->committed)
        return true;
    if ((xid >= PS_PG_XID_FIRST_NORMAL && ps_pg_xact_in_future(w->xacts, xid)) ||
        ps_pg_xact_fate(w->xacts, xid) != PS_PG_COMMITTED)
        return false;
    w->committed = xid;
    return true;
}

/* Inserted for all to see, and neither locked nor deleted since. */
static bool is_live(struct ps_pg_walk *w, const struct ps_pg_tuple *t, unsigned bits)
{
    const unsigned hints = t->infomask & PS_PG_XMIN_FROZEN;

    if (t->xmax != 0 || t->infomask & (PS_PG_XMAX_COMMITTED | PS_PG_MOVED_OFF | PS_PG_MOVED_IN))
        return false;
    if (hints == PS_PG_XMIN_FROZEN)
        return true;
    return hints != PS_PG_XMIN_INVALID && !(bits & PS_VM_ALL_FROZEN) &&
           has_committed(w, t->xmin, hints == PS_PG_XMIN_COMMITTED);
}

/* What of a row's header is the same in most rows of a page: transactions, number of attributes,
 * marks, and where the values begin. */
static inline void marks_of(const uint8_t *item, uint64_t *ret_xids, uint64_t *ret_marks)
{
    static_assert(offsetof(struct ps_pg_heap_tuple, t_ctid_posid) == 16 &&
                      offsetof(struct ps_pg_heap_tuple, t_bits) == 23,
                  "the first two bytes and the last one of the eight from 16 on");
    *ret_xids = ps_get64_at(item);
    *ret_marks = ps_get64_at(item + 16) << 8 >> 24; /* without t_ctid_posid and t_bits */
}

/* Is all well with the row's header, as far as it is the same in others? Then it is remembered. */
static bool has_fine_header(struct ps_pg_walk *w, const uint8_t *item, uint32_t len, unsigned bits)
{
    struct ps_pg_like *like = &w->like;
    struct ps_pg_tuple *t = &like->tuple;

    like->known = ps_pg_tuple_parse(item, len, t) == PS_OK &&
                  t->hoff == ps_item_space(ps_pg_tuple_header_len(t)) && is_live(w, t, bits);
    like->bits = bits;
    like->whole = like->known && !t->nulls && t->natts == w->shape.count && w->shape.stretched;
    marks_of(item, &like->xids, &like->marks);
    return like->known;
}

/* Any row: it may lack attributes, have nulls, or look unlike the one before it. */
static bool is_fine(struct ps_pg_walk *w, const uint8_t *item, uint32_t len, unsigned bits)
{
    struct ps_pg_like *like = &w->like;
    struct ps_pg_tuple *t = &like->tuple;
    uint64_t xids, marks;

    if (len < PS_PG_TUPLE_LEN_MIN)
        return false;
    marks_of(item, &xids, &marks);
    if ((!like->known || xids != like->xids || marks != like->marks || bits != like->bits) &&
        !has_fine_header(w, item, len, bits))
        return false;
    t->bytes = item;
    t->len = len;
    if (t->nulls)
        t->nulls = item + PS_PG_TUPLE_HEADER;
    return t->hoff <= len && ps_pg_tuple_is_plain(t, &w->shape);
}

/* Takes rows from the slot on that look like the last one, have all attributes and no nulls, and
 * are fine, as most rows of most pages are. Returns the first slot that has something else. */
static uint32_t take_alike(const struct ps_pg_walk *w, struct ps_glance *glance, uint32_t slot,
                           unsigned bits)
{
    const struct ps_pg_like *like = &w->like;
    const uint32_t hoff = like->tuple.hoff, len_min = hoff + w->shape.fixed_len;
    const uint32_t slots = glance->view->slots;
    struct ps_glance g = *glance; /* a copy of our own stays in registers */

    if (!like->whole || like->bits != bits)
        return slot;
    for (; slot <= slots; slot++) {
        const struct ps_lp lp = ps_pg_lp_of(g.bytes, slot);
        const uint8_t *item;
        uint64_t xids, marks;

        item = lp.flags == PS_LP_NORMAL && lp.len >= len_min ? ps_glance_bytes(&g, &lp) : NULL;
        if (!item)
            break;
        marks_of(item, &xids, &marks);
        if (xids != like->xids || marks != like->marks ||
            !ps_pg_stretches_are_plain(item + hoff, lp.len - hoff, &w->shape))
            break;
        ps_glance_take(&g, &lp);
    }
    *glance = g;
    return slot;
}

/* A line pointer without bytes, of which nothing is to be told. */
static bool is_fine_without(const struct ps_lp *lp, unsigned bits)
{
    return lp->len == 0 &&
           (lp->flags == PS_LP_UNUSED || (lp->flags == PS_LP_DEAD && !(bits & PS_VM_ALL_VISIBLE)));
}

static bool items_are_fine(struct ps_pg_walk *w, const struct ps_pg_view *v, unsigned bits)
{
    struct ps_glance g;

    if (!ps_glance_begin(&g, v))
        return false;
    for (uint32_t slot = 1; (slot = take_alike(w, &g, slot, bits)) <= v->slots; slot++) {
        const struct ps_lp lp = ps_pg_view_lp(v, slot);
        const uint8_t *item;

        if (is_fine_without(&lp, bits))
            continue;
        item = lp.flags == PS_LP_NORMAL && lp.len > 0 ? ps_glance_bytes(&g, &lp) : NULL;
        if (!item || !is_fine(w, item, lp.len, bits))
            return false;
        ps_glance_take(&g, &lp);
    }
    return ps_glance_apart(&g);
}

/* The visibility map says more than the page's own flag. */
static bool map_lies(const struct ps_pg_walk *w, unsigned bits)
{
    const struct ps_pg_header *hdr = (const struct ps_pg_header *)w->page;

    return bits & PS_VM_ALL_VISIBLE && !(ps_get16(hdr->pd_flags) & PS_PD_ALL_VISIBLE);
}

ps_err ps_pg_glance_heap(struct ps_pg_walk *w, const struct ps_pg_view *v, bool *ret_fine)
{
    unsigned bits;
    ps_err err = vm_bits(w, &bits);

    *ret_fine = !err && w->subject.desc && v->special == v->size && !map_lies(w, bits) &&
                items_are_fine(w, v, bits);
    return err;
}

/* --- the page ------------------------------------------------------------------------------ */

ps_err ps_pg_walk_heap(struct ps_pg_walk *w, const struct ps_pg_view *v)
{
    unsigned bits;
    ps_err err = vm_bits(w, &bits);

    if (err)
        return err;
    if (map_lies(w, bits))
        PS_PG_WALK_DISAGREE(w, 0, "vm-lie",
                            "all visible by the map, but not by the page's own flag");
    for (uint32_t slot = 1; !err && slot <= v->slots; slot++) {
        struct ps_lp lp = ps_pg_view_lp(v, slot);

        if (lp.flags == PS_LP_NORMAL)
            err = check_tuple(w, v, bits, slot);
        else if (lp.flags == PS_LP_DEAD && bits & PS_VM_ALL_VISIBLE)
            PS_PG_WALK_DISAGREE(w, slot, "vm-lie",
                                "all visible by the map, but line pointer %" PRIu32 " is dead",
                                slot);
    }
    return err;
}
