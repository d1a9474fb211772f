#include "format/pg_describe.h"

#include <inttypes.h>

#include "format/pg_layout.h"

#define OID_LEN 4u /* of a row, before version 12 */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void ps_describe_flags(unsigned value, const char *const *names, unsigned count, FILE *out)
{
    const char *before = "";

    fputc('{', out);
    for (unsigned i = 0; i < count; i++) {
        if (!(value >> i & 1) || !names[i])
            continue;
        fprintf(out, "%s%s", before, names[i]);
        before = ",";
    }
    fputc('}', out);
}

void ps_pg_describe_header(const void *page, const struct ps_page_ident *who, const char *kind,
                           bool checksums, FILE *out)
{
    static const char *const flag_names[] = {"PD_HAS_FREE_LINES", "PD_PAGE_FULL", "PD_ALL_VISIBLE"};
    const struct ps_pg_header *hdr = page;
    unsigned flags = ps_get16(hdr->pd_flags);
    uint32_t stored, computed;
    bool none;

    ps_format_postgres.checksum(page, who, &stored, &computed, &none);
    fprintf(out, "format postgres\npage_size %u\nkind %s\n", who->page_size, none ? "new" : kind);
    fprintf(out, "lsn %" PRIX32 "/%" PRIX32 "\n", ps_get32(hdr->pd_lsn_xlogid),
            ps_get32(hdr->pd_lsn_xrecoff));
    fprintf(out, "pd_checksum %u (0x%04x, as int2 %d)\nchecksum_ok %s\n", stored, stored,
            (int16_t)stored,
            !checksums           ? "off"
            : none               ? "none"
            : stored == computed ? "yes"
                                 : "no");
    fprintf(out, "flags %u (0x%04x ", flags, flags);
    ps_describe_flags(flags, flag_names, COUNT(flag_names), out);
    fprintf(out, ")\nlower %u\nupper %u\nspecial %u\n", ps_get16(hdr->pd_lower),
            ps_get16(hdr->pd_upper), ps_get16(hdr->pd_special));
    fprintf(out, "pagesize %u\nversion %u\n", ps_get16(hdr->pd_pagesize_version) & 0xff00u,
            ps_get16(hdr->pd_pagesize_version) & 0x00ffu);
    fprintf(out, "prune_xid %u\n", ps_get32(hdr->pd_prune_xid));
}

/* The item as a tuple, if there is room for its header: as heap_page_items() takes it. */
static const struct ps_pg_heap_tuple *tuple_at(const unsigned char *page, uint32_t page_size,
                                               const struct ps_lp *lp)
{
    if (!ps_lp_has_storage(lp) || lp->len < PS_PG_TUPLE_LEN_MIN || lp->off % PS_ITEM_ALIGN != 0 ||
        lp->off > page_size || lp->len > page_size - lp->off)
        return NULL;
    return (const struct ps_pg_heap_tuple *)(page + lp->off);
}

static uint32_t bitmap_len(const struct ps_pg_heap_tuple *t)
{
    if (!(ps_get16(t->t_infomask) & PS_PG_HEAP_HASNULL))
        return 0;
    return ((ps_get16(t->t_infomask2) & PS_PG_HEAP_NATTS) + 7) / 8;
}

/* Header, then a null bitmap that fits the number of attributes, then the attributes at t_hoff,
 * all within the item. */
static bool makes_sense(const struct ps_pg_heap_tuple *t, uint32_t len)
{
    uint32_t hoff_min = (uint32_t)offsetof(struct ps_pg_heap_tuple, t_bits) + bitmap_len(t);

    if (ps_get16(t->t_infomask) & PS_PG_HEAP_HASOID_OLD)
        hoff_min += OID_LEN;
    return t->t_hoff >= hoff_min && t->t_hoff <= len && t->t_hoff % PS_ITEM_ALIGN == 0;
}

/* As pageinspect does: the whole bytes of the bitmap, lowest bit first. */
static void print_null_bitmap(const struct ps_pg_heap_tuple *t, uint32_t len, FILE *out)
{
    uint32_t bytes = bitmap_len(t);

    fputc(' ', out);
    if (bytes == 0 || bytes > len - offsetof(struct ps_pg_heap_tuple, t_bits)) {
        fputc('-', out);
        return;
    }
    for (unsigned i = 0; i < bytes * 8; i++)
        fputc(t->t_bits[i / 8] >> (i % 8) & 1 ? '1' : '0', out);
}

static void print_oid(const struct ps_pg_heap_tuple *t, uint32_t len, FILE *out)
{
    if (!(ps_get16(t->t_infomask) & PS_PG_HEAP_HASOID_OLD) || t->t_hoff > len ||
        t->t_hoff < offsetof(struct ps_pg_heap_tuple, t_bits) + OID_LEN) {
        fputs(" -", out);
        return;
    }
    fprintf(out, " %u", ps_get32_at((const uint8_t *)t + t->t_hoff - OID_LEN));
}

/* raw_flags and combined_flags: bits that mean something together are named in both. */
static void print_infomask_flags(unsigned infomask, unsigned infomask2, FILE *out)
{
    static const char *const raw[] = {"HEAP_HASNULL",
                                      "HEAP_HASVARWIDTH",
                                      "HEAP_HASEXTERNAL",
                                      "HEAP_HASOID_OLD",
                                      "HEAP_XMAX_KEYSHR_LOCK",
                                      "HEAP_COMBOCID",
                                      "HEAP_XMAX_EXCL_LOCK",
                                      "HEAP_XMAX_LOCK_ONLY",
                                      "HEAP_XMIN_COMMITTED",
                                      "HEAP_XMIN_INVALID",
                                      "HEAP_XMAX_COMMITTED",
                                      "HEAP_XMAX_INVALID",
                                      "HEAP_XMAX_IS_MULTI",
                                      "HEAP_UPDATED",
                                      "HEAP_MOVED_OFF",
                                      "HEAP_MOVED_IN",
                                      [16 + 13] = "HEAP_KEYS_UPDATED",
                                      [16 + 14] = "HEAP_HOT_UPDATED",
                                      [16 + 15] = "HEAP_ONLY_TUPLE"};
    static const struct {
        unsigned bits;
        const char *name;
    } combined[] = {
        {0x0050, "HEAP_XMAX_SHR_LOCK"}, {0x0300, "HEAP_XMIN_FROZEN"}, {0xc000, "HEAP_MOVED"}};
    const char *before = "";

    fputc(' ', out);
    ps_describe_flags(infomask | infomask2 << 16, raw, COUNT(raw), out);
    fputs(" {", out);
    for (unsigned i = 0; i < COUNT(combined); i++) {
        if ((infomask & combined[i].bits) != combined[i].bits)
            continue;
        fprintf(out, "%s%s", before, combined[i].name);
        before = ",";
    }
    fputc('}', out);
}

const char ps_pg_tuple_titles[] = " t_xmin t_xmax t_field3 t_ctid t_infomask2 t_infomask t_hoff"
                                  " t_bits t_oid raw_flags combined_flags";

void ps_pg_describe_tuple(void *ctx, const unsigned char *page, uint32_t page_size, uint32_t slot,
                          const struct ps_lp *lp, FILE *out)
{
    const bool *known = ctx;
    const struct ps_pg_heap_tuple *t = tuple_at(page, page_size, lp);

    (void)slot;
    if (!t || (!*known && !makes_sense(t, lp->len))) {
        fputs(" - - - - - - - - - - -", out);
        return;
    }
    fprintf(out, " %u %u %u (%u,%u) %u %u %u", ps_get32(t->t_xmin), ps_get32(t->t_xmax),
            ps_get32(t->t_field3), (uint32_t)ps_get16(t->t_ctid_hi) << 16 | ps_get16(t->t_ctid_lo),
            ps_get16(t->t_ctid_posid), ps_get16(t->t_infomask2), ps_get16(t->t_infomask),
            t->t_hoff);
    print_null_bitmap(t, lp->len, out);
    print_oid(t, lp->len, out);
    print_infomask_flags(ps_get16(t->t_infomask), ps_get16(t->t_infomask2), out);
}
