/*
 * check.c - what is wrong with a page, of what it can tell alone. Header and line pointers are
 * format/'s to judge; here are the words that PostgreSQL's users know, heap tuples, and what each
 * access method adds. As verify_heapam() of amcheck (contrib/amcheck/verify_heapam.c) where it
 * goes as far.
 */
#include <string.h>

#include "pg/decode_private.h"
#include "pg/tuple.h"

static void report_add(struct ps_pg_report *r, bool fault, const char *word, uint32_t lp,
                       const char *fmt, va_list args)
{
    char text[256];

    r->count++;
    if (!r->each)
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    r->each(r->ctx, fault, word, lp, text);
}

void ps_pg_fault(struct ps_pg_report *r, const char *word, uint32_t lp, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report_add(r, true, word, lp, fmt, args);
    va_end(args);
}

void ps_pg_suspect(struct ps_pg_report *r, const char *word, uint32_t lp, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report_add(r, false, word, lp, fmt, args);
    va_end(args);
}

/* --- header and line pointers -------------------------------------------------------------- */

/* format/'s words, where PostgreSQL's damage has others. */
static const char *pg_word(const char *word)
{
    if (strcmp(word, "flags") == 0 || strcmp(word, "page-size") == 0 ||
        strcmp(word, "version") == 0)
        return "header";
    return strcmp(word, "lp-redirect") == 0 ? "redirect" : word;
}

static void take_damage(void *ctx, const char *word, int lp, const char *text)
{
    ps_pg_fault(ctx, pg_word(word), (uint32_t)lp, "%s", text);
}

static void check_checksum(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    uint32_t stored, computed;
    bool none;

    ps_format_postgres.checksum(v->bytes, v->who, &stored, &computed, &none);
    if (!none && stored != computed)
        ps_pg_fault(r, "checksum", 0, "checksum is 0x%04x, the bytes at block %u give 0x%04x",
                    stored, v->who->page_no, computed);
}

/* --- indexes ------------------------------------------------------------------------------- */

bool ps_pg_check_meta_block(const struct ps_pg_view *v, bool is_meta, struct ps_pg_report *r)
{
    if (is_meta == (v->who->page_no == 0))
        return true;
    ps_pg_fault(r, "meta", 0, "block %u %s a metapage", v->who->page_no, is_meta ? "is" : "is not");
    return false;
}

void ps_pg_check_meta(const struct ps_pg_view *v, bool is_meta, uint32_t magic,
                      struct ps_pg_report *r)
{
    const uint8_t *at = ps_pg_contents(v, 0, sizeof(magic));
    const uint32_t found = at ? ps_get32_at(at) : 0;

    if (ps_pg_check_meta_block(v, is_meta, r) && is_meta && found != magic)
        ps_pg_fault(r, "meta", 0, "metapage has magic 0x%x, not 0x%x", found, magic);
}

void ps_pg_check_index_size(uint32_t slot, const struct ps_lp *lp,
                            const struct ps_pg_index_tuple *t, struct ps_pg_report *r)
{
    if (ps_item_space(t->size) != ps_item_space(lp->len))
        ps_pg_fault(r, "item", slot, "item %u is %u bytes long, its line pointer says %u", slot,
                    t->size, lp->len);
    else if (t->data > t->len)
        ps_pg_fault(r, "item", slot, "item %u is %u bytes long and has a null bitmap", slot,
                    t->len);
}

void ps_pg_check_index_tuples(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_lp lp = ps_pg_view_lp(v, slot);
        struct ps_pg_index_tuple t;
        uint32_t len = 0;
        const uint8_t *item;

        if (!ps_lp_has_storage(&lp))
            continue;
        item = ps_pg_view_item(v, slot, &len);
        if (ps_pg_index_tuple(item, len, &t))
            ps_pg_check_index_size(slot, &lp, &t, r);
        else if (item)
            ps_pg_fault(r, "item", slot, "item %u is too short to be an index tuple", slot);
    }
}

/* --- heap ---------------------------------------------------------------------------------- */

/* Why a tuple's header cannot be, in the words of damage; natts 0: not known. */
static bool check_tuple_header(const uint8_t *item, uint32_t len, uint32_t slot, uint32_t natts,
                               struct ps_pg_report *r)
{
    unsigned infomask = ps_get16_at(item + offsetof(struct ps_pg_heap_tuple, t_infomask));
    uint32_t count =
        ps_get16_at(item + offsetof(struct ps_pg_heap_tuple, t_infomask2)) & PS_PG_NATTS_MASK;
    uint32_t hoff = item[offsetof(struct ps_pg_heap_tuple, t_hoff)];
    uint32_t expected = PS_PG_TUPLE_HEADER;

    if (count > PS_PG_ATTRS_MAX || (natts != 0 && count > natts)) {
        ps_pg_fault(r, "natts", slot, "tuple %u has %u attributes, the relation %u at most", slot,
                    count, natts != 0 ? natts : PS_PG_ATTRS_MAX);
        return false;
    }
    if (infomask & PS_PG_HASNULL)
        expected += (count + 7) / 8;
    if (infomask & PS_PG_HASOID)
        expected += (uint32_t)sizeof(ps_oid);
    expected = ps_item_space(expected);
    if (hoff != expected || hoff > len) {
        ps_pg_fault(r, "hoff", slot,
                    "tuple %u has its attributes at %u, they should begin at %u of %u bytes", slot,
                    hoff, expected, len);
        return false;
    }
    return true;
}

static void check_infomask(const struct ps_pg_tuple *t, uint32_t slot, struct ps_pg_report *r)
{
    if (t->infomask & PS_PG_XMAX_IS_MULTI && t->infomask & PS_PG_XMAX_COMMITTED)
        ps_pg_fault(r, "infomask", slot, "tuple %u: a multixact is marked committed", slot);
    if (t->infomask & PS_PG_XMAX_LOCK_ONLY && t->infomask & PS_PG_XMAX_COMMITTED)
        ps_pg_fault(r, "infomask", slot, "tuple %u: a lock alone is marked committed", slot);
}

/* A row version that was superseded on its page leads to the next one; while the transaction that
 * did so is known to have committed, that one is still there. */
static void check_hot_successor(const struct ps_pg_view *v, const struct ps_pg_tuple *t,
                                uint32_t slot, struct ps_pg_report *r)
{
    const unsigned not_superseded = PS_PG_XMAX_INVALID | PS_PG_XMAX_IS_MULTI | PS_PG_XMAX_LOCK_ONLY;
    struct ps_lp next;

    if (!(t->infomask2 & PS_PG_HOT_UPDATED) || !(t->infomask & PS_PG_XMAX_COMMITTED) ||
        t->infomask & not_superseded)
        return;
    if (t->ctid_block != v->who->page_no || t->ctid_slot == 0 || t->ctid_slot > v->slots) {
        ps_pg_fault(r, "hot-chain", slot, "tuple %u goes on at (%u,%u), which is not on the page",
                    slot, t->ctid_block, t->ctid_slot);
        return;
    }
    next = ps_pg_view_lp(v, t->ctid_slot);
    if (next.flags != PS_LP_NORMAL)
        ps_pg_fault(r, "hot-chain", slot, "tuple %u goes on at line pointer %u, which has no tuple",
                    slot, t->ctid_slot);
}

static void check_heap_tuple(const struct ps_pg_view *v, uint32_t slot, uint32_t natts,
                             struct ps_pg_report *r)
{
    uint32_t len = 0;
    const uint8_t *item = ps_pg_view_item(v, slot, &len);
    struct ps_pg_tuple t;

    if (!item)
        return; /* lp-range says so */
    if (len < PS_PG_TUPLE_HEADER) {
        ps_pg_fault(r, "lp-range", slot, "line pointer %u: %u bytes are no tuple", slot, len);
        return;
    }
    if (!check_tuple_header(item, len, slot, natts, r))
        return;
    if (!(ps_get16_at(item + offsetof(struct ps_pg_heap_tuple, t_infomask)) & PS_PG_XMAX_COMMITTED))
        return; /* what is left to check is said of others */
    if (ps_pg_tuple_parse(item, len, &t) != PS_OK) {
        ps_pg_fault(r, "hoff", slot, "tuple %u: %s", slot, ps_message());
        return;
    }
    check_infomask(&t, slot, r);
    check_hot_successor(v, &t, slot, r);
}

/* A redirect leads to a tuple that only it leads to. */
static void check_redirect_target(const struct ps_pg_view *v, uint32_t slot, uint32_t target,
                                  struct ps_pg_report *r)
{
    uint32_t len = 0;
    const uint8_t *item =
        target >= 1 && target <= v->slots ? ps_pg_view_item(v, target, &len) : NULL;

    if (!item || len < PS_PG_TUPLE_HEADER || ps_pg_view_lp(v, target).flags != PS_LP_NORMAL)
        return; /* format/'s check says so */
    if (!(ps_get16_at(item + offsetof(struct ps_pg_heap_tuple, t_infomask2)) & PS_PG_ONLY_TUPLE))
        ps_pg_fault(r, "redirect", slot,
                    "line pointer %u redirects to %u, whose tuple is not heap-only", slot, target);
}

static void check_heap(const struct ps_pg_view *v, uint32_t natts, struct ps_pg_report *r)
{
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_lp lp = ps_pg_view_lp(v, slot);

        if (lp.flags == PS_LP_NORMAL)
            check_heap_tuple(v, slot, natts, r);
        else if (lp.flags == PS_LP_REDIRECT)
            check_redirect_target(v, slot, lp.off, r);
    }
}

/* --- the whole ----------------------------------------------------------------------------- */

/* Is the special space that of the relation's access method? Heap pages and maps have none. */
static bool check_kind(const struct ps_pg_view *v, const char *expected, const char *detected,
                       struct ps_pg_report *r)
{
    if (strcmp(expected, detected) == 0)
        return true;
    ps_pg_fault(r, "kind", 0, "special space of %u bytes at %u is that of a %s page, not %s",
                v->special <= v->size ? v->size - v->special : 0, v->special, detected, expected);
    return false;
}

static const char *expected_kind(enum ps_pg_page_kind kind, const struct ps_pg_method *method)
{
    if (kind == PS_PG_PAGE_HEAP || kind == PS_PG_PAGE_FSM || kind == PS_PG_PAGE_VM)
        return "plain";
    return method->kind;
}

unsigned ps_pg_check(enum ps_pg_page_kind kind, const void *page, const struct ps_page_ident *who,
                     bool checksums, uint32_t natts, ps_pg_damage_fn report, void *ctx)
{
    struct ps_pg_report r = {report, ctx, 0};
    struct ps_pg_view v = ps_pg_view(page, who);
    const char *detected = ps_pg_kind(page, v.size, v.special).name;
    const struct ps_pg_method *method = ps_pg_method_of(kind, detected);

    if (ps_page_is_zero(page, v.size))
        return 0;
    if (checksums)
        check_checksum(&v, &r);
    ps_format_postgres.check(page, who, take_damage, &r);
    if (kind != PS_PG_PAGE_AUTO && !check_kind(&v, expected_kind(kind, method), detected, &r))
        return r.count;
    if (kind == PS_PG_PAGE_HEAP)
        check_heap(&v, natts, &r);
    else if (method)
        method->check(&v, &r);
    return r.count;
}
