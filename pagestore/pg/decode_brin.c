/*
 * decode_brin.c - BRIN (access/brin_page.h, brin_tuple.h; brin_page_type(), brin_metapage_info(),
 * brin_revmap_data(), brin_page_items() of pageinspect), and sequences (commands/sequence.c).
 */
#include <inttypes.h>

#include "pg/decode_private.h"

#define OPAQUE_LEN 8u
#define MAGIC 0xa8109cfau
#define META_LEN 16u
#define TYPE_META 0xf091u
#define TYPE_REVMAP 0xf092u
#define TYPE_REGULAR 0xf093u

#define INFO_AT 4u /* bt_info, behind the block number */
#define TUPLE_LEN_MIN 5u
enum { DATA_OFFSET = 0x1f, EMPTY_RANGE = 0x20, PLACEHOLDER = 0x40, HAS_NULLS = 0x80 }; /* bt_info */

static unsigned type_of(const struct ps_pg_view *v)
{
    return v->opaque_len == OPAQUE_LEN ? ps_get16_at(v->opaque + 6) : 0;
}

static void print_meta(const struct ps_pg_view *v, FILE *out)
{
    const uint8_t *m = ps_pg_contents(v, 0, META_LEN);

    if (!m)
        return;
    fprintf(out, "magic %u (0x%08X)\nversion %u\npagesperrange %u\nlastrevmappage %u\n",
            ps_get32_at(m), ps_get32_at(m), ps_get32_at(m + 4), ps_get32_at(m + 8),
            ps_get32_at(m + 12));
}

/* Ranges that are summarised, by their number on this page from 1. */
static void print_revmap(const struct ps_pg_view *v, FILE *out)
{
    uint32_t count = (v->special - PS_PG_HEADER_LEN) / PS_PG_TID_LEN;

    fputs("\nrange pages\n", out);
    for (uint32_t i = 0; i < count; i++) {
        struct ps_pg_tid tid = ps_pg_tid(v->bytes + PS_PG_HEADER_LEN + i * PS_PG_TID_LEN);

        if (tid.slot == 0)
            continue;
        fprintf(out, "%u ", i + 1);
        ps_pg_print_tid(tid, out);
        fputc('\n', out);
    }
}

static void brin_fields(const struct ps_pg_view *v, FILE *out)
{
    static const char *const names[] = {"evacuate_page"};
    unsigned type = type_of(v), flags;

    if (v->opaque_len != OPAQUE_LEN)
        return;
    flags = ps_get16_at(v->opaque + 4);
    fprintf(out, "type %s\nopaque_flags %u (0x%04x ",
            type == TYPE_META     ? "meta"
            : type == TYPE_REVMAP ? "revmap"
                                  : "regular",
            flags, flags);
    ps_describe_flags(flags, names, 1, out);
    fputs(")\n", out);
    if (type == TYPE_META)
        print_meta(v, out);
    else if (type == TYPE_REVMAP)
        print_revmap(v, out);
}

static const char *brin_titles(const struct ps_pg_view *v)
{
    (void)v;
    return " blknum hasnulls placeholder empty nulls value";
}

/* The item, if it can be the summary of a range. */
static const uint8_t *summary_at(const struct ps_pg_view *v, uint32_t slot, uint32_t *ret_len)
{
    const uint8_t *item = ps_pg_view_item(v, slot, ret_len);
    uint32_t data;

    if (!item || *ret_len < TUPLE_LEN_MIN)
        return NULL;
    data = item[INFO_AT] & DATA_OFFSET;
    return data >= TUPLE_LEN_MIN && data <= *ret_len ? item : NULL;
}

static void brin_item(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp, FILE *out)
{
    uint32_t len = 0, data;
    const uint8_t *item = summary_at(items->view, slot, &len);
    unsigned info;

    (void)lp;
    if (!item) {
        fputs(" - - - - - -", out);
        return;
    }
    info = item[INFO_AT];
    data = info & DATA_OFFSET;
    fprintf(out, " %u %c %c %c ", ps_get32_at(item), info & HAS_NULLS ? 't' : 'f',
            info & PLACEHOLDER ? 't' : 'f', info & EMPTY_RANGE ? 't' : 'f');
    /* One bit an attribute that is all null, then one each that has nulls. */
    ps_pg_print_data(items, item + TUPLE_LEN_MIN, info & HAS_NULLS ? data - TUPLE_LEN_MIN : 0, out);
    fputc(' ', out);
    ps_pg_print_data(items, item + data, len - data, out);
}

static void check_items(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_lp lp = ps_pg_view_lp(v, slot);
        uint32_t len = 0;

        if (ps_lp_has_storage(&lp) && !summary_at(v, slot, &len))
            ps_pg_fault(r, "item", slot, "item %u is no summary of a range", slot);
    }
}

static void brin_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    unsigned type = type_of(v);

    if (v->opaque_len != OPAQUE_LEN)
        return;
    ps_pg_check_meta(v, type == TYPE_META, MAGIC, r);
    if (type == TYPE_REGULAR)
        check_items(v, r);
}

const struct ps_pg_method ps_pg_brin = {
    .kind = "brin",
    .fields = brin_fields,
    .titles = brin_titles,
    .item = brin_item,
    .check = brin_check,
};

/* --- sequences ----------------------------------------------------------------------------- */

#define SEQUENCE_HOFF 24u
#define SEQUENCE_LEN (SEQUENCE_HOFF + 17u) /* last_value, log_cnt, is_called */
#define SEQUENCE_NATTS 3u

static const uint8_t *sequence_tuple(const struct ps_pg_view *v)
{
    uint32_t len = 0;
    const uint8_t *item = ps_pg_view_item(v, 1, &len);
    const struct ps_pg_heap_tuple *t = (const struct ps_pg_heap_tuple *)item;

    if (!item || len < SEQUENCE_LEN ||
        (ps_get16(t->t_infomask2) & PS_PG_HEAP_NATTS) != SEQUENCE_NATTS ||
        t->t_hoff != SEQUENCE_HOFF)
        return NULL;
    return item;
}

static void sequence_fields(const struct ps_pg_view *v, FILE *out)
{
    const uint8_t *item = sequence_tuple(v);

    if (!item)
        return;
    fprintf(out, "last_value %" PRId64 "\nlog_cnt %" PRId64 "\nis_called %c\n",
            (int64_t)ps_get64_at(item + SEQUENCE_HOFF),
            (int64_t)ps_get64_at(item + SEQUENCE_HOFF + 8), item[SEQUENCE_HOFF + 16] ? 't' : 'f');
}

static const char *sequence_titles(const struct ps_pg_view *v)
{
    (void)v;
    return ps_pg_tuple_titles;
}

static void sequence_item(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp,
                          FILE *out)
{
    bool known = true;

    ps_pg_describe_tuple(&known, items->view->bytes, items->view->size, slot, lp, out);
}

static void sequence_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    if (v->slots != 1 || !sequence_tuple(v))
        ps_pg_fault(r, "item", 0, "the page does not hold one tuple of a sequence's three fields");
}

const struct ps_pg_method ps_pg_sequence = {
    .kind = "sequence",
    .fields = sequence_fields,
    .titles = sequence_titles,
    .item = sequence_item,
    .check = sequence_check,
};
