/* PostgreSQL's page layout version 4 (storage/bufpage.h, storage/itemid.h), bit for bit. */
#include "pagestore/format.h"

#include <assert.h>
#include <string.h>

#include "format/pg_checksum.h"
#include "format/pg_describe.h"
#include "format/pg_kind.h"
#include "format/pg_layout.h"

#define PAGE_SIZE_MAX 32768u

static struct ps_bounds slotted_bounds(const void *page)
{
    const struct ps_pg_header *hdr = page;

    return (struct ps_bounds){
        .lower = ps_get16(hdr->pd_lower),
        .upper = ps_get16(hdr->pd_upper),
        .special = ps_get16(hdr->pd_special),
        .has_free = ps_get16(hdr->pd_flags) & PS_PD_HAS_FREE_LINES,
    };
}

static void slotted_set_bounds(void *page, const struct ps_bounds *b)
{
    struct ps_pg_header *hdr = page;
    unsigned flags = ps_get16(hdr->pd_flags) & ~PS_PD_HAS_FREE_LINES;

    assert(b->special <= PAGE_SIZE_MAX);
    hdr->pd_lower = ps_put16((uint16_t)b->lower);
    hdr->pd_upper = ps_put16((uint16_t)b->upper);
    hdr->pd_special = ps_put16((uint16_t)b->special);
    hdr->pd_flags = ps_put16((uint16_t)(flags | (b->has_free ? PS_PD_HAS_FREE_LINES : 0)));
}

static void slotted_set_lp(void *page, uint32_t slot, const struct ps_lp *lp)
{
    assert(lp->off <= 0x7fff && lp->len <= 0x7fff);
    ((struct ps_pg_header *)page)->pd_linp[slot - 1] =
        ps_put32(lp->off | (uint32_t)lp->flags << 15 | lp->len << 17);
}

static bool slotted_holds_items(const void *page, uint32_t page_size)
{
    return ps_pg_kind(page, page_size, ps_get16(((const struct ps_pg_header *)page)->pd_special))
        .has_items;
}

static const struct ps_slotted_layout postgres_layout = {
    .lp_start = sizeof(struct ps_pg_header),
    .lp_len = PS_PG_LP_LEN,
    .zero_is_empty = true,
    .bounds = slotted_bounds,
    .set_bounds = slotted_set_bounds,
    .lp = ps_pg_lp_of,
    .set_lp = slotted_set_lp,
    .holds_items = slotted_holds_items,
};

/* PageInit() with no special space, or a page PostgreSQL has not yet initialised. */
static void postgres_init(void *page, const struct ps_page_ident *who, enum ps_page_type type)
{
    struct ps_pg_header *hdr = page;

    assert(who->page_size >= PS_PAGE_SIZE_MIN && who->page_size <= PAGE_SIZE_MAX);
    assert(type == PS_PAGE_RAW || type == PS_PAGE_SLOTTED);

    memset(page, 0, who->page_size);
    if (type == PS_PAGE_RAW)
        return;
    hdr->pd_lower = ps_put16(sizeof(*hdr));
    hdr->pd_upper = ps_put16((uint16_t)who->page_size);
    hdr->pd_special = ps_put16((uint16_t)who->page_size);
    hdr->pd_pagesize_version = ps_put16((uint16_t)(who->page_size | PS_PG_LAYOUT_VERSION));
}

static void postgres_stamp(void *page, const struct ps_page_ident *who)
{
    (void)page; /* the page does not name itself: the block number is in the checksum */
    (void)who;
}

static uint64_t postgres_lsn(const void *page)
{
    const struct ps_pg_header *hdr = page;

    return (uint64_t)ps_get32(hdr->pd_lsn_xlogid) << 32 | ps_get32(hdr->pd_lsn_xrecoff);
}

static void postgres_set_lsn(void *page, uint64_t lsn)
{
    struct ps_pg_header *hdr = page;

    hdr->pd_lsn_xlogid = ps_put32((uint32_t)(lsn >> 32));
    hdr->pd_lsn_xrecoff = ps_put32((uint32_t)lsn);
}

static void postgres_seal(void *page, const struct ps_page_ident *who)
{
    struct ps_pg_header *hdr = page;
    const size_t after = offsetof(struct ps_pg_header, pd_flags);

    if (ps_page_is_zero((const unsigned char *)page + after, who->page_size - after))
        memset(page, 0, after);
    else
        hdr->pd_checksum = ps_put16(ps_pg_checksum(page, who->page_size, who->page_no));
}

static void postgres_checksum(const void *page, const struct ps_page_ident *who,
                              uint32_t *ret_stored, uint32_t *ret_computed, bool *ret_none)
{
    *ret_stored = ps_get16(((const struct ps_pg_header *)page)->pd_checksum);
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
    const struct ps_pg_header *hdr = page;
    const struct ps_bounds b = slotted_bounds(page);
    const unsigned flags = ps_get16(hdr->pd_flags);

    if (ps_page_is_zero(page, who->page_size))
        return;
    if (b.upper == 0)
        ps_damage_add(d, "header", 0, "pd_upper is 0, as of a new page, but not all bytes are");
    else if (flags & ~PS_PD_VALID_FLAGS)
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
    return ps_get16(((const struct ps_pg_header *)page)->pd_upper) == 0 ? PS_PAGE_RAW
                                                                        : PS_PAGE_SLOTTED;
}

static void check_structure(const void *page, uint32_t page_size, struct ps_damage *d)
{
    const struct ps_pg_header *hdr = page;
    unsigned flags = ps_get16(hdr->pd_flags);
    unsigned size_version = ps_get16(hdr->pd_pagesize_version);

    if (ps_page_is_zero(page, page_size))
        return;
    if (flags & ~PS_PD_VALID_FLAGS)
        ps_damage_add(d, "flags", 0, "flags 0x%04x has bits that mean nothing", flags);
    if ((size_version & 0xff00u) != page_size)
        ps_damage_add(d, "page-size", 0, "page size is %u, not %u", size_version & 0xff00u,
                      page_size);
    if ((size_version & 0x00ffu) != PS_PG_LAYOUT_VERSION)
        ps_damage_add(d, "version", 0, "layout version is %u, not %u", size_version & 0x00ffu,
                      PS_PG_LAYOUT_VERSION);
    ps_slotted_check(&postgres_layout, page, page_size, d);
}

static unsigned postgres_check(const void *page, const struct ps_page_ident *who,
                               ps_damage_fn report, void *ctx)
{
    struct ps_damage d = {report, ctx, 0};

    check_structure(page, who->page_size, &d);
    return d.count;
}

static void postgres_describe(const void *page, const struct ps_page_ident *who, FILE *out)
{
    bool known = false;
    const struct ps_item_columns tuple_columns = {
        .titles = ps_pg_tuple_titles, .print = ps_pg_describe_tuple, .ctx = &known};
    static const struct ps_item_columns no_columns = {.titles = ""};
    uint32_t special = ps_get16(((const struct ps_pg_header *)page)->pd_special);
    struct ps_pg_kind kind = ps_pg_kind(page, who->page_size, special);
    struct ps_damage d = {ps_describe_damage, out, 0};

    ps_pg_describe_header(page, who, kind.name, true, out);
    if (ps_page_is_zero(page, who->page_size))
        return;
    ps_describe_slotted(&postgres_layout, page, who->page_size,
                        kind.has_tuples ? &tuple_columns : &no_columns, out);
    fputc('\n', out);
    check_checksum(page, who, &d);
    check_structure(page, who->page_size, &d);
}

const struct ps_format ps_format_postgres = {
    .name = "postgres",
    .id = PS_FORMAT_POSTGRES,
    .header_len = sizeof(struct ps_pg_header),
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
