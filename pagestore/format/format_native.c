/* page-db 1.0's frozen page format, and slotted pages behind its header. */
#include "pagestore/format.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/crc32c.h"
#include "format/describe.h"
#include "format/native_layout.h"

#define VERSION 1u
#define TYPE_MASK 0x00ffu
#define SLOT_FLAG_HAS_FREE 1u
#define LP_LEN_MASK 0x3fffffffu
#define LP_FLAGS_SHIFT 30

struct native_lp {     /* FORMAT.md section 4 */
    ps_le32 off;       /* 00-03 of the item, from the start of the page */
    ps_le32 len_flags; /* 04-07 bits 0-29 length, bits 30-31 flags */
};
static_assert(sizeof(struct native_lp) == 8, "FORMAT.md section 4");

struct native_slotted {       /* FORMAT.md section 4 */
    struct ps_native_hdr hdr; /* 00-31 */
    ps_le32 lower;            /* 32-35 end of the line pointers */
    ps_le32 upper;            /* 36-39 start of the items */
    ps_le32 special;          /* 40-43 end of the items; the page size so far */
    ps_le32 slot_flags;       /* 44-47 bit 0: there may be free slots */
    struct native_lp lp[];    /* 48- slot 1, 2, ... */
};
static_assert(sizeof(struct native_slotted) == 48, "FORMAT.md section 4");
static_assert(offsetof(struct native_slotted, lower) == 32, "FORMAT.md section 4");
static_assert(offsetof(struct native_slotted, lp) == 48, "FORMAT.md section 4");

static struct ps_bounds slotted_bounds(const void *page)
{
    const struct native_slotted *p = page;

    return (struct ps_bounds){
        .lower = ps_get32(p->lower),
        .upper = ps_get32(p->upper),
        .special = ps_get32(p->special),
        .has_free = ps_get32(p->slot_flags) & SLOT_FLAG_HAS_FREE,
    };
}

static void slotted_set_bounds(void *page, const struct ps_bounds *b)
{
    struct native_slotted *p = page;
    uint32_t flags = ps_get32(p->slot_flags) & ~SLOT_FLAG_HAS_FREE;

    p->lower = ps_put32(b->lower);
    p->upper = ps_put32(b->upper);
    p->special = ps_put32(b->special);
    p->slot_flags = ps_put32(flags | (b->has_free ? SLOT_FLAG_HAS_FREE : 0));
}

static struct ps_lp slotted_lp(const void *page, uint32_t slot)
{
    const struct native_lp *lp = &((const struct native_slotted *)page)->lp[slot - 1];
    uint32_t len_flags = ps_get32(lp->len_flags);

    return (struct ps_lp){
        .off = ps_get32(lp->off),
        .len = len_flags & LP_LEN_MASK,
        .flags = (enum ps_lp_flags)(len_flags >> LP_FLAGS_SHIFT),
    };
}

static void slotted_set_lp(void *page, uint32_t slot, const struct ps_lp *lp)
{
    struct native_lp *to = &((struct native_slotted *)page)->lp[slot - 1];

    assert(lp->len <= LP_LEN_MASK);
    to->off = ps_put32(lp->off);
    to->len_flags = ps_put32(lp->len | (uint32_t)lp->flags << LP_FLAGS_SHIFT);
}

static unsigned type_byte(const void *page)
{
    const struct ps_native_hdr *hdr = page;

    return ps_get16(hdr->flags) & TYPE_MASK;
}

static bool slotted_holds_items(const void *page, uint32_t page_size)
{
    (void)page_size;
    return type_byte(page) == PS_PAGE_SLOTTED;
}

static const struct ps_slotted_layout native_layout = {
    .lp_start = sizeof(struct native_slotted),
    .lp_len = sizeof(struct native_lp),
    .zero_is_empty = false,
    .bounds = slotted_bounds,
    .set_bounds = slotted_set_bounds,
    .lp = slotted_lp,
    .set_lp = slotted_set_lp,
    .holds_items = slotted_holds_items,
};

static void native_stamp(void *page, const struct ps_page_ident *who)
{
    struct ps_native_hdr *hdr = page;

    hdr->magic = ps_put32(PS_NATIVE_MAGIC);
    hdr->version = ps_put16(VERSION);
    hdr->page_no = ps_put64(who->page_no);
    hdr->table_id = ps_put32(who->table_id);
}

static void native_init(void *page, const struct ps_page_ident *who, enum ps_page_type type)
{
    struct native_slotted *p = page;

    assert(who->page_size >= PS_PAGE_SIZE_MIN && who->page_size <= PS_PAGE_SIZE_MAX);

    memset(page, 0, who->page_size);
    p->hdr.flags = ps_put16((uint16_t)type);
    native_stamp(page, who);
    if (type == PS_PAGE_SLOTTED) {
        p->lower = ps_put32(sizeof(*p));
        p->upper = ps_put32(who->page_size);
        p->special = ps_put32(who->page_size);
    }
}

static uint64_t native_lsn(const void *page)
{
    return ps_get64(((const struct ps_native_hdr *)page)->lsn);
}

static void native_set_lsn(void *page, uint64_t lsn)
{
    ((struct ps_native_hdr *)page)->lsn = ps_put64(lsn);
}

static uint32_t native_crc32c(const void *page, uint32_t page_size)
{
    const unsigned char *bytes = page;
    const uint32_t after = offsetof(struct ps_native_hdr, crc32c) + sizeof(ps_le32);
    uint32_t crc;

    crc = ps_crc32c_extend(PS_CRC32C_INIT, bytes, offsetof(struct ps_native_hdr, crc32c));
    crc = ps_crc32c_extend(crc, bytes + after, page_size - after);
    return ps_crc32c_finish(crc);
}

static void native_seal(void *page, const struct ps_page_ident *who)
{
    struct ps_native_hdr *hdr = page;

    hdr->crc32c = ps_put32(native_crc32c(page, who->page_size));
}

static void native_checksum(const void *page, const struct ps_page_ident *who, uint32_t *ret_stored,
                            uint32_t *ret_computed, bool *ret_none)
{
    *ret_stored = ps_get32(((const struct ps_native_hdr *)page)->crc32c);
    *ret_computed = native_crc32c(page, who->page_size);
    *ret_none = ps_page_is_zero(page, who->page_size);
}

/* What verify_header() refuses, each thing by itself. */
static void check_header(const void *page, const struct ps_page_ident *who, struct ps_damage *d)
{
    const struct ps_native_hdr *hdr = page;

    if (ps_page_is_zero(page, who->page_size)) {
        ps_damage_add(d, "zero", 0, "every byte is zero, on a page that was written");
        return;
    }
    if (ps_get32(hdr->magic) != PS_NATIVE_MAGIC)
        ps_damage_add(d, "magic", 0, "magic is 0x%08x, not 0x%08x", ps_get32(hdr->magic),
                      PS_NATIVE_MAGIC);
    if (ps_get16(hdr->version) != VERSION)
        ps_damage_add(d, "version", 0, "version is %u, not %u", ps_get16(hdr->version), VERSION);
    if (ps_get64(hdr->page_no) != who->page_no)
        ps_damage_add(d, "page-number", 0, "page number is %" PRIu64 ", not %u",
                      ps_get64(hdr->page_no), who->page_no);
    if (ps_get32(hdr->table_id) != who->table_id)
        ps_damage_add(d, "table-id", 0, "table id is %u, not %u", ps_get32(hdr->table_id),
                      who->table_id);
}

/* What verify() refuses. */
static void check_identity(const void *page, const struct ps_page_ident *who, struct ps_damage *d)
{
    const struct ps_native_hdr *hdr = page;
    uint32_t crc = native_crc32c(page, who->page_size);

    check_header(page, who, d);
    if (ps_get32(hdr->crc32c) != crc && !ps_page_is_zero(page, who->page_size))
        ps_damage_add(d, "checksum", 0, "checksum is 0x%08x, the bytes give 0x%08x",
                      ps_get32(hdr->crc32c), crc);
}

static ps_err native_verify(const void *page, const struct ps_page_ident *who)
{
    return ps_damage_verify(page, who, check_identity);
}

static ps_err native_verify_header(const void *page, const struct ps_page_ident *who)
{
    return ps_damage_verify(page, who, check_header);
}

static enum ps_page_type native_type(const void *page)
{
    return (enum ps_page_type)type_byte(page);
}

static void check_structure(const void *page, uint32_t page_size, struct ps_damage *d)
{
    unsigned type = type_byte(page);

    if (type == PS_PAGE_SLOTTED)
        ps_slotted_check(&native_layout, page, page_size, d);
    else if (type != PS_PAGE_RAW && type != PS_PAGE_MAP)
        ps_damage_add(d, "type", 0, "page type %u is not known", type);
}

static unsigned native_check(const void *page, const struct ps_page_ident *who, ps_damage_fn report,
                             void *ctx)
{
    struct ps_damage d = {report, ctx, 0};

    check_structure(page, who->page_size, &d);
    return d.count;
}

static const char *type_name(unsigned type)
{
    static const char *const names[] = {"raw", "slotted", "map"};

    return type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

static void describe_header(const void *page, const struct ps_page_ident *who, FILE *out)
{
    const struct ps_native_hdr *hdr = page;
    uint32_t crc = native_crc32c(page, who->page_size);

    fprintf(out, "format native\npage_size %u\n", who->page_size);
    fprintf(out, "magic 0x%08x\nversion %u\n", ps_get32(hdr->magic), ps_get16(hdr->version));
    fprintf(out, "flags 0x%04x\ntype %s\n", ps_get16(hdr->flags), type_name(type_byte(page)));
    fprintf(out, "page_no %" PRIu64 "\nlsn %" PRIu64 "\n", ps_get64(hdr->page_no),
            ps_get64(hdr->lsn));
    fprintf(out, "checksum 0x%08x\nchecksum_ok %s\n", ps_get32(hdr->crc32c),
            ps_get32(hdr->crc32c) == crc ? "yes" : "no");
    fprintf(out, "table_id %u\n", ps_get32(hdr->table_id));
}

static void native_describe(const void *page, const struct ps_page_ident *who, FILE *out)
{
    static const struct ps_item_columns no_columns = {.titles = ""};
    struct ps_damage d = {ps_describe_damage, out, 0};

    describe_header(page, who, out);
    if (type_byte(page) == PS_PAGE_SLOTTED) {
        struct ps_bounds b = slotted_bounds(page);

        fprintf(out, "lower %u\nupper %u\nspecial %u\nslot_flags 0x%08x\n", b.lower, b.upper,
                b.special, ps_get32(((const struct native_slotted *)page)->slot_flags));
        ps_describe_slotted(&native_layout, page, who->page_size, &no_columns, out);
    } else {
        fputs("\npayload\n", out);
        ps_hexdump(page, sizeof(struct ps_native_hdr), who->page_size, out);
    }
    fputc('\n', out);
    check_identity(page, who, &d);
    check_structure(page, who->page_size, &d);
}

const struct ps_format ps_format_native = {
    .name = "native",
    .id = PS_FORMAT_NATIVE,
    .header_len = sizeof(struct ps_native_hdr),
    .page_size_max = PS_PAGE_SIZE_MAX,
    .slotted = &native_layout,
    .init = native_init,
    .stamp = native_stamp,
    .lsn = native_lsn,
    .set_lsn = native_set_lsn,
    .seal = native_seal,
    .verify = native_verify,
    .verify_header = native_verify_header,
    .checksum = native_checksum,
    .type = native_type,
    .check = native_check,
    .describe = native_describe,
};
