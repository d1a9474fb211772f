/*
 * decode_hash.c - hash indexes (access/hash.h; hash_page_type(), hash_page_stats(),
 * hash_page_items(), hash_metapage_info() of pageinspect).
 */
#include <assert.h>

#include "pg/decode_private.h"

#define OPAQUE_LEN 16u
#define MAGIC 0x6440640u
#define SPARES 98u
#define MAPS_MAX 1024u
#define META_FIXED_LEN 52u
#define MAXBUCKET_AT 24u
#define OVFLPOINT_AT 36u
#define VERSION 4u       /* since PostgreSQL 10; before, splitpoints had other numbers */
#define WHOLE_GROUPS 10u /* splitpoints whose buckets are made in one go; later ones in phases */
#define PHASES 4u

enum { OVERFLOW_PAGE = 1, BUCKET_PAGE = 2, BITMAP_PAGE = 4, META_PAGE = 8 };
#define TYPE_MASK 0x0fu
#define FLAGS_ALL 0xffu

static const char *page_type(unsigned flags)
{
    switch (flags & TYPE_MASK) {
    case 0:
        return "unused";
    case OVERFLOW_PAGE:
        return "overflow";
    case BUCKET_PAGE:
        return "bucket";
    case BITMAP_PAGE:
        return "bitmap";
    case META_PAGE:
        return "metapage";
    default:
        return "unknown";
    }
}

/* Buckets when a splitpoint's phase is complete: _hash_get_totalbuckets(). */
static uint64_t buckets_of(uint32_t phase)
{
    uint64_t before;

    assert(phase < SPARES);
    if (phase < WHOLE_GROUPS)
        return 1ull << phase;
    phase -= WHOLE_GROUPS;
    before = 1ull << (WHOLE_GROUPS - 1 + phase / PHASES);
    return before + before / PHASES * (phase % PHASES + 1);
}

/* Buckets of a phase are followed by the overflow and bitmap pages that were made while it was the
 * last: BUCKET_TO_BLKNO(), bitno_to_blkno(). */
bool ps_hash_extent(const struct ps_pg_view *v, struct ps_hash_extent *ret)
{
    const uint8_t *m = ps_pg_contents(v, 0, META_FIXED_LEN + SPARES * 4);
    uint32_t last_bucket, phase;
    uint64_t spares_before, spares, buckets_before, buckets;

    if (!m || ps_get32_at(m) != MAGIC || ps_get32_at(m + 4) != VERSION)
        return false;
    last_bucket = ps_get32_at(m + MAXBUCKET_AT);
    phase = ps_get32_at(m + OVFLPOINT_AT);
    if (phase >= SPARES)
        return false;
    spares = ps_get32_at(m + META_FIXED_LEN + phase * 4);
    spares_before = phase > 0 ? ps_get32_at(m + META_FIXED_LEN + (phase - 1) * 4) : 0;
    buckets = buckets_of(phase);
    buckets_before = phase > 0 ? buckets_of(phase - 1) : 0;
    if (last_bucket < buckets_before || last_bucket >= buckets || spares < spares_before)
        return false;
    ret->ahead_first = 1 + spares_before + last_bucket + 1;
    ret->ahead_end = 1 + spares_before + buckets;
    ret->end = 1 + spares + buckets;
    if (ret->ahead_first == ret->ahead_end)
        ret->ahead_first = ret->ahead_end = ret->end;
    return true;
}

/* An array of the metapage, which may have thousands of entries, nearly all 0. */
static void print_array(const char *name, const uint8_t *at, uint32_t count, FILE *out)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < count; i++)
        if (ps_get32_at(at + i * 4) != 0)
            used = i + 1;
    fprintf(out, "%s {", name);
    for (uint32_t i = 0; i < used; i++)
        fprintf(out, "%s%u", i > 0 ? "," : "", ps_get32_at(at + i * 4));
    fputs("}\n", out);
}

static void print_meta(const struct ps_pg_view *v, FILE *out)
{
    static const char *const names[] = {"maxbucket", "highmask", "lowmask", "ovflpoint",
                                        "firstfree", "nmaps",    "procid"};
    uint32_t maps = v->size / 8 < MAPS_MAX ? v->size / 8 : MAPS_MAX;
    const uint8_t *m = ps_pg_contents(v, 0, META_FIXED_LEN + (SPARES + maps) * 4);

    if (!m)
        return;
    fprintf(out, "magic %u (0x%07x)\nversion %u\nntuples %.17g\n", ps_get32_at(m), ps_get32_at(m),
            ps_get32_at(m + 4), ps_get_double_at(m + 8));
    fprintf(out, "ffactor %u\nbsize %u\nbmsize %u\nbmshift %u\n", ps_get16_at(m + 16),
            ps_get16_at(m + 18), ps_get16_at(m + 20), ps_get16_at(m + 22));
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        fprintf(out, "%s %u\n", names[i], ps_get32_at(m + MAXBUCKET_AT + i * 4));
    print_array("spares", m + META_FIXED_LEN, SPARES, out);
    print_array("mapp", m + META_FIXED_LEN + SPARES * 4, maps, out);
}

/* Runs of overflow pages in use, by bit number. */
static void print_bitmap(const struct ps_pg_view *v, FILE *out)
{
    uint32_t end = v->lower <= v->special && v->opaque ? v->lower : PS_PG_HEADER_LEN;
    uint32_t bits = end > PS_PG_HEADER_LEN ? (end - PS_PG_HEADER_LEN) * 8 : 0;
    const char *before = "";

    fprintf(out, "bits %u\nused {", bits);
    for (uint32_t i = 0; i < bits; i++) {
        uint32_t first = i;

        while (i < bits && v->bytes[PS_PG_HEADER_LEN + i / 8] >> (i % 8) & 1)
            i++;
        if (i == first)
            continue;
        fprintf(out, first + 1 == i ? "%s%u" : "%s%u-%u", before, first, i - 1);
        before = ",";
    }
    fputs("}\n", out);
}

static void print_stats(const struct ps_pg_view *v, FILE *out)
{
    uint32_t live = 0, dead = 0;

    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        if (ps_pg_view_lp(v, slot).flags == PS_LP_DEAD)
            dead++;
        else
            live++;
    }
    fprintf(out, "live_items %u\ndead_items %u\nfree_size %u\n", live, dead, ps_pg_free_space(v));
}

static void hash_fields(const struct ps_pg_view *v, FILE *out)
{
    static const char *const names[] = {"overflow",
                                        "bucket",
                                        "bitmap",
                                        "meta",
                                        "being_populated",
                                        "being_split",
                                        "needs_split_cleanup",
                                        "has_dead_tuples"};
    unsigned flags, id;

    if (v->opaque_len != OPAQUE_LEN)
        return;
    flags = ps_get16_at(v->opaque + 12);
    id = ps_get16_at(v->opaque + 14);
    fprintf(out, "type %s\n", page_type(flags));
    if ((flags & TYPE_MASK) == META_PAGE)
        print_meta(v, out);
    else if ((flags & TYPE_MASK) == BITMAP_PAGE)
        print_bitmap(v, out);
    else
        print_stats(v, out);
    fprintf(out, "hasho_prevblkno %u\nhasho_nextblkno %u\nhasho_bucket %u\n",
            ps_get32_at(v->opaque), ps_get32_at(v->opaque + 4), ps_get32_at(v->opaque + 8));
    fprintf(out, "hasho_flag %u (0x%04x ", flags, flags);
    ps_describe_flags(flags, names, sizeof(names) / sizeof(names[0]), out);
    fprintf(out, ")\nhasho_page_id %u (0x%04x)\n", id, id);
}

static const char *hash_titles(const struct ps_pg_view *v)
{
    (void)v;
    return " ctid data";
}

static void hash_item(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp, FILE *out)
{
    struct ps_pg_index_tuple t;
    uint32_t len = 0;
    const uint8_t *item = ps_pg_view_item(items->view, slot, &len);

    (void)lp;
    if (!ps_pg_index_tuple(item, len, &t) || t.end - t.data < 4) {
        fputs(" - -", out);
        return;
    }
    fputc(' ', out);
    ps_pg_print_tid(t.tid, out);
    fprintf(out, " %u", ps_get32_at(t.bytes + t.data));
}

/* Items of a page are kept in order of their hash value. */
static void check_order(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    uint32_t before = 0;

    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_pg_index_tuple t;
        uint32_t len = 0;
        const uint8_t *item = ps_pg_view_item(v, slot, &len);
        uint32_t value;

        if (!ps_pg_index_tuple(item, len, &t) || t.end - t.data < 4)
            continue;
        value = ps_get32_at(t.bytes + t.data);
        if (value < before) {
            ps_pg_fault(r, "order", slot, "item %u has hash %u after %u", slot, value, before);
            return;
        }
        before = value;
    }
}

static void hash_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    unsigned flags;

    if (v->opaque_len != OPAQUE_LEN)
        return;
    flags = ps_get16_at(v->opaque + 12);
    if (flags & ~FLAGS_ALL || strcmp(page_type(flags), "unknown") == 0)
        ps_pg_fault(r, "opaque", 0, "hasho_flag 0x%04x is none of a hash index's", flags);
    ps_pg_check_meta(v, flags & META_PAGE, MAGIC, r);
    ps_pg_check_index_tuples(v, r);
    check_order(v, r);
}

const struct ps_pg_method ps_pg_hash = {
    .kind = "hash",
    .fields = hash_fields,
    .titles = hash_titles,
    .item = hash_item,
    .check = hash_check,
};
