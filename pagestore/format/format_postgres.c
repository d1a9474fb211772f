/* PostgreSQL's page layout version 4 (storage/bufpage.h, storage/itemid.h), bit for bit. */
#include "pagestore/format.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/byteorder.h"
#include "format/describe.h"
#include "format/pg_checksum.h"
#include "format/pg_kind.h"

#define PAGE_SIZE_MAX 32768u
#define LAYOUT_VERSION 4u
#define PD_HAS_FREE_LINES 0x0001u
#define PD_PAGE_FULL 0x0002u
#define PD_ALL_VISIBLE 0x0004u
#define PD_VALID_FLAG_BITS (PD_HAS_FREE_LINES | PD_PAGE_FULL | PD_ALL_VISIBLE)

struct pg_hdr {                  /* PageHeaderData; FORMAT.md section 3 */
    ps_le32 pd_lsn_xlogid;       /* 00-03 high half of the LSN */
    ps_le32 pd_lsn_xrecoff;      /* 04-07 low half */
    ps_le16 pd_checksum;         /* 08-09 of the page with this field zero */
    ps_le16 pd_flags;            /* 10-11 */
    ps_le16 pd_lower;            /* 12-13 end of the line pointers */
    ps_le16 pd_upper;            /* 14-15 start of the items; 0 on a new page */
    ps_le16 pd_special;          /* 16-17 end of the items */
    ps_le16 pd_pagesize_version; /* 18-19 page size | layout version */
    ps_le32 pd_prune_xid;        /* 20-23 */
    ps_le32 pd_linp[];           /* 24- lp_off:15, lp_flags:2, lp_len:15 from the lowest bit */
};
static_assert(sizeof(struct pg_hdr) == 24, "FORMAT.md section 3");
static_assert(offsetof(struct pg_hdr, pd_checksum) == 8, "FORMAT.md section 3");
static_assert(offsetof(struct pg_hdr, pd_lower) == 12, "FORMAT.md section 3");
static_assert(offsetof(struct pg_hdr, pd_pagesize_version) == 18, "FORMAT.md section 3");
static_assert(offsetof(struct pg_hdr, pd_linp) == 24, "FORMAT.md section 3");

struct pg_tuple {         /* HeapTupleHeaderData, which some items begin with */
    ps_le32 t_xmin;       /* 00-03 */
    ps_le32 t_xmax;       /* 04-07 */
    ps_le32 t_field3;     /* 08-11 t_cid or t_xvac */
    ps_le16 t_ctid_hi;    /* 12-13 block number, high half */
    ps_le16 t_ctid_lo;    /* 14-15 block number, low half */
    ps_le16 t_ctid_posid; /* 16-17 */
    ps_le16 t_infomask2;  /* 18-19 low 11 bits: number of attributes */
    ps_le16 t_infomask;   /* 20-21 */
    uint8_t t_hoff;       /* 22 where the attributes begin */
    uint8_t t_bits[];     /* 23- null bitmap */
};
static_assert(offsetof(struct pg_tuple, t_infomask) == 20, "FORMAT.md section 3");
static_assert(offsetof(struct pg_tuple, t_bits) == 23, "FORMAT.md section 3");

#define TUPLE_LEN_MIN 24u /* the header, aligned */
#define HEAP_HASNULL 0x0001u
#define HEAP_HASOID_OLD 0x0008u
#define HEAP_NATTS_MASK 0x07ffu

static struct ps_bounds slotted_bounds(const void *page)
{
    const struct pg_hdr *hdr = page;

    return (struct ps_bounds){
        .lower = ps_get16(hdr->pd_lower),
        .upper = ps_get16(hdr->pd_upper),
        .special = ps_get16(hdr->pd_special),
        .has_free = ps_get16(hdr->pd_flags) & PD_HAS_FREE_LINES,
    };
}

static void slotted_set_bounds(void *page, const struct ps_bounds *b)
{
    struct pg_hdr *hdr = page;
    unsigned flags = ps_get16(hdr->pd_flags) & ~PD_HAS_FREE_LINES;

    assert(b->special <= PAGE_SIZE_MAX);
    hdr->pd_lower = ps_put16((uint16_t)b->lower);
    hdr->pd_upper = ps_put16((uint16_t)b->upper);
    hdr->pd_special = ps_put16((uint16_t)b->special);
    hdr->pd_flags = ps_put16((uint16_t)(flags | (b->has_free ? PD_HAS_FREE_LINES : 0)));
}

static struct ps_lp slotted_lp(const void *page, uint32_t slot)
{
    uint32_t bits = ps_get32(((const struct pg_hdr *)page)->pd_linp[slot - 1]);

    return (struct ps_lp){
        .off = bits & 0x7fff,
        .flags = (enum ps_lp_flags)(bits >> 15 & 3),
        .len = bits >> 17,
    };
}

static void slotted_set_lp(void *page, uint32_t slot, const struct ps_lp *lp)
{
    assert(lp->off <= 0x7fff && lp->len <= 0x7fff);
    ((struct pg_hdr *)page)->pd_linp[slot - 1] =
        ps_put32(lp->off | (uint32_t)lp->flags << 15 | lp->len << 17);
}

static bool slotted_holds_items(const void *page, uint32_t page_size)
{
    return ps_pg_kind(page, page_size, ps_get16(((const struct pg_hdr *)page)->pd_special))
        .has_items;
}

static const struct ps_slotted_layout postgres_layout = {
    .lp_start = sizeof(struct pg_hdr),
    .lp_len = sizeof(ps_le32),
    .zero_is_empty = true,
    .bounds = slotted_bounds,
    .set_bounds = slotted_set_bounds,
    .lp = slotted_lp,
    .set_lp = slotted_set_lp,
    .holds_items = slotted_holds_items,
};

/* PageInit() with no special space, or a page PostgreSQL has not yet initialised. */
static void postgres_init(void *page, const struct ps_page_ident *who, enum ps_page_type type)
{
    struct pg_hdr *hdr = page;

    assert(who->page_size >= PS_PAGE_SIZE_MIN && who->page_size <= PAGE_SIZE_MAX);
    assert(type == PS_PAGE_RAW || type == PS_PAGE_SLOTTED);

    memset(page, 0, who->page_size);
    if (type == PS_PAGE_RAW)
        return;
    hdr->pd_lower = ps_put16(sizeof(*hdr));
    hdr->pd_upper = ps_put16((uint16_t)who->page_size);
    hdr->pd_special = ps_put16((uint16_t)who->page_size);
    hdr->pd_pagesize_version = ps_put16((uint16_t)(who->page_size | LAYOUT_VERSION));
}

static void postgres_stamp(void *page, const struct ps_page_ident *who)
{
    (void)page; /* the page does not name itself: the block number is in the checksum */
    (void)who;
}

static uint64_t postgres_lsn(const void *page)
{
    const struct pg_hdr *hdr = page;

    return (uint64_t)ps_get32(hdr->pd_lsn_xlogid) << 32 | ps_get32(hdr->pd_lsn_xrecoff);
}

static void postgres_set_lsn(void *page, uint64_t lsn)
{
    struct pg_hdr *hdr = page;

    hdr->pd_lsn_xlogid = ps_put32((uint32_t)(lsn >> 32));
    hdr->pd_lsn_xrecoff = ps_put32((uint32_t)lsn);
}

static void postgres_seal(void *page, const struct ps_page_ident *who)
{
    struct pg_hdr *hdr = page;
    const size_t after = offsetof(struct pg_hdr, pd_flags);

    if (ps_page_is_zero((const unsigned char *)page + after, who->page_size - after))
        memset(page, 0, after);
    else
        hdr->pd_checksum = ps_put16(ps_pg_checksum(page, who->page_size, who->page_no));
}

static void postgres_checksum(const void *page, const struct ps_page_ident *who,
                              uint32_t *ret_stored, uint32_t *ret_computed, bool *ret_none)
{
    *ret_stored = ps_get16(((const struct pg_hdr *)page)->pd_checksum);
    *ret_computed = ps_pg_checksum(page, who->page_size, who->page_no);
    *ret_none = ps_page_is_zero(page, who->page_size);
}

static void check_checksum(const void *page, const struct ps_page_ident *who, struct ps_damage *d)
{
    uint32_t stored, computed;
    bool none;

    postgres_checksum(page, who, &stored, &computed, &none);
    if (!none && stored != computed)
        ps_damage_add(d, "checksum", 0, "checksum is 0x%04x, the bytes at page %u give 0x%04x",
                      stored, who->page_no, computed);
}

/* What PageIsVerified() asks of a page without a checksum. */
static void check_header(const void *page, const struct ps_page_ident *who, struct ps_damage *d)
{
    const struct pg_hdr *hdr = page;
    const struct ps_bounds b = slotted_bounds(page);
    const unsigned flags = ps_get16(hdr->pd_flags);

    if (ps_page_is_zero(page, who->page_size))
        return;
    if (b.upper == 0)
        ps_damage_add(d, "header", 0, "pd_upper is 0, as of a new page, but not all bytes are");
    else if (flags & ~PD_VALID_FLAG_BITS)
        ps_damage_add(d, "header", 0, "pd_flags is 0x%04x: no such flags", flags);
    else if (b.lower > b.upper || b.upper > b.special || b.special > who->page_size ||
             b.special % PS_ITEM_ALIGN != 0)
        ps_damage_add(d, "header", 0,
                      "pd_lower %u, pd_upper %u and pd_special %u cannot be on a page of %u bytes",
                      b.lower, b.upper, b.special, who->page_size);
}

static ps_err postgres_verify(const void *page, const struct ps_page_ident *who)
{
    return ps_damage_verify(page, who, check_checksum);
}

static ps_err postgres_verify_header(const void *page, const struct ps_page_ident *who)
{
    return ps_damage_verify(page, who, check_header);
}

static enum ps_page_type postgres_type(const void *page)
{
    return ps_get16(((const struct pg_hdr *)page)->pd_upper) == 0 ? PS_PAGE_RAW : PS_PAGE_SLOTTED;
}

static void check_structure(const void *page, uint32_t page_size, struct ps_damage *d)
{
    const struct pg_hdr *hdr = page;
    unsigned flags = ps_get16(hdr->pd_flags);
    unsigned size_version = ps_get16(hdr->pd_pagesize_version);

    if (ps_page_is_zero(page, page_size))
        return;
    if (flags & ~PD_VALID_FLAG_BITS)
        ps_damage_add(d, "flags", 0, "flags 0x%04x has bits that mean nothing", flags);
    if ((size_version & 0xff00u) != page_size)
        ps_damage_add(d, "page-size", 0, "page size is %u, not %u", size_version & 0xff00u,
                      page_size);
    if ((size_version & 0x00ffu) != LAYOUT_VERSION)
        ps_damage_add(d, "version", 0, "layout version is %u, not %u", size_version & 0x00ffu,
                      LAYOUT_VERSION);
    ps_slotted_check(&postgres_layout, page, page_size, d);
}

static unsigned postgres_check(const void *page, const struct ps_page_ident *who,
                               ps_damage_fn report, void *ctx)
{
    struct ps_damage d = {report, ctx, 0};

    check_structure(page, who->page_size, &d);
    return d.count;
}

static void describe_header(const void *page, const struct ps_page_ident *who, FILE *out)
{
    const struct pg_hdr *hdr = page;
    uint64_t lsn = postgres_lsn(page);
    uint32_t stored, computed;
    bool none;

    postgres_checksum(page, who, &stored, &computed, &none);
    fprintf(out, "format postgres\npage_size %u\nkind %s\n", who->page_size,
            none ? "new" : ps_pg_kind(page, who->page_size, ps_get16(hdr->pd_special)).name);
    fprintf(out, "lsn %" PRIX32 "/%" PRIX32 "\n", (uint32_t)(lsn >> 32), (uint32_t)lsn);
    fprintf(out, "checksum %d\nchecksum_hex 0x%04x\nchecksum_ok %s\n", (int16_t)stored, stored,
            none                 ? "none"
            : stored == computed ? "yes"
                                 : "no");
    fprintf(out, "flags %u\nlower %u\nupper %u\nspecial %u\n", ps_get16(hdr->pd_flags),
            ps_get16(hdr->pd_lower), ps_get16(hdr->pd_upper), ps_get16(hdr->pd_special));
    fprintf(out, "pagesize %u\nversion %u\n", ps_get16(hdr->pd_pagesize_version) & 0xff00u,
            ps_get16(hdr->pd_pagesize_version) & 0x00ffu);
    fprintf(out, "prune_xid %u\n", ps_get32(hdr->pd_prune_xid));
}

/* Items are raw bytes unless they look like a heap tuple: header, then a null bitmap that fits
 * the number of attributes, then the attributes at t_hoff, all within the item. */
static const struct pg_tuple *as_tuple(const unsigned char *page, uint32_t page_size,
                                       const struct ps_lp *lp)
{
    const struct pg_tuple *t;
    uint32_t natts, hoff_min;

    if (!ps_lp_has_storage(lp) || lp->len < TUPLE_LEN_MIN || lp->off % PS_ITEM_ALIGN != 0 ||
        lp->off > page_size || lp->len > page_size - lp->off)
        return NULL;
    t = (const struct pg_tuple *)(page + lp->off);
    natts = ps_get16(t->t_infomask2) & HEAP_NATTS_MASK;
    hoff_min = (uint32_t)offsetof(struct pg_tuple, t_bits);
    if (ps_get16(t->t_infomask) & HEAP_HASNULL)
        hoff_min += (natts + 7) / 8;
    if (ps_get16(t->t_infomask) & HEAP_HASOID_OLD)
        hoff_min += (uint32_t)sizeof(ps_le32);
    if (t->t_hoff < hoff_min || t->t_hoff > lp->len || t->t_hoff % PS_ITEM_ALIGN != 0)
        return NULL;
    return t;
}

/* As pageinspect does: the whole bytes of the bitmap, lowest bit first. */
static void print_null_bitmap(const struct pg_tuple *t, FILE *out)
{
    unsigned natts = ps_get16(t->t_infomask2) & HEAP_NATTS_MASK;

    fputc(' ', out);
    if (!(ps_get16(t->t_infomask) & HEAP_HASNULL) || natts == 0) {
        fputc('-', out);
        return;
    }
    for (unsigned i = 0; i < (natts + 7) / 8 * 8; i++)
        fputc(t->t_bits[i / 8] >> (i % 8) & 1 ? '1' : '0', out);
}

static void print_oid(const struct pg_tuple *t, FILE *out)
{
    ps_le32 oid;

    if (!(ps_get16(t->t_infomask) & HEAP_HASOID_OLD)) {
        fputs(" -", out);
        return;
    }
    memcpy(&oid, (const unsigned char *)t + t->t_hoff - sizeof(oid), sizeof(oid));
    fprintf(out, " %u", ps_get32(oid));
}

static void print_tuple_columns(const unsigned char *page, uint32_t page_size,
                                const struct ps_lp *lp, FILE *out)
{
    const struct pg_tuple *t = as_tuple(page, page_size, lp);

    if (!t) {
        fputs(" - - - - - - - - -", out);
        return;
    }
    fprintf(out, " %u %u %u (%u,%u) %u %u %u", ps_get32(t->t_xmin), ps_get32(t->t_xmax),
            ps_get32(t->t_field3), (uint32_t)ps_get16(t->t_ctid_hi) << 16 | ps_get16(t->t_ctid_lo),
            ps_get16(t->t_ctid_posid), ps_get16(t->t_infomask2), ps_get16(t->t_infomask),
            t->t_hoff);
    print_null_bitmap(t, out);
    print_oid(t, out);
}

static void postgres_describe(const void *page, const struct ps_page_ident *who, FILE *out)
{
    static const struct ps_item_columns tuple_columns = {
        " t_xmin t_xmax t_field3 t_ctid t_infomask2 t_infomask t_hoff t_bits t_oid",
        print_tuple_columns};
    static const struct ps_item_columns no_columns = {.titles = ""};
    uint32_t special = ps_get16(((const struct pg_hdr *)page)->pd_special);
    bool has_tuples = ps_pg_kind(page, who->page_size, special).has_tuples;
    struct ps_damage d = {ps_describe_damage, out, 0};

    describe_header(page, who, out);
    if (ps_page_is_zero(page, who->page_size))
        return;
    ps_describe_slotted(&postgres_layout, page, who->page_size,
                        has_tuples ? &tuple_columns : &no_columns, out);
    fputc('\n', out);
    check_checksum(page, who, &d);
    check_structure(page, who->page_size, &d);
}

const struct ps_format ps_format_postgres = {
    .name = "postgres",
    .id = PS_FORMAT_POSTGRES,
    .header_len = sizeof(struct pg_hdr),
    .page_size_max = PAGE_SIZE_MAX,
    .slotted = &postgres_layout,
    .init = postgres_init,
    .stamp = postgres_stamp,
    .lsn = postgres_lsn,
    .set_lsn = postgres_set_lsn,
    .seal = postgres_seal,
    .verify = postgres_verify,
    .verify_header = postgres_verify_header,
    .checksum = postgres_checksum,
    .type = postgres_type,
    .check = postgres_check,
    .describe = postgres_describe,
};
