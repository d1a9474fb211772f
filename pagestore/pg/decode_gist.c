/*
 * decode_gist.c - GiST (access/gist.h; gist_page_opaque_info(), gist_page_items_bytea() of
 * pageinspect).
 */
#include "pg/decode_private.h"

#define OPAQUE_LEN 16u
#define LEAF (1u << 0)
#define DELETED (1u << 1)
#define FLAGS_ALL 0x1fu
#define INVALID_SLOT                                                            \
    0xfffeu /* of inner tuples that a crash left unfinished, before version 9.1 \
             */

static void gist_fields(const struct ps_pg_view *v, FILE *out)
{
    static const char *const names[] = {"leaf", "deleted", "tuples_deleted", "follow_right",
                                        "has_garbage"};
    const uint8_t *xid = ps_pg_contents(v, 0, 8);
    unsigned flags;

    if (v->opaque_len != OPAQUE_LEN)
        return;
    flags = ps_get16_at(v->opaque + 12);
    fprintf(out, "nsn %X/%X\nrightlink %u\n", ps_get32_at(v->opaque), ps_get32_at(v->opaque + 4),
            ps_get32_at(v->opaque + 8));
    fprintf(out, "opaque_flags %u (0x%04x ", flags, flags);
    ps_describe_flags(flags, names, sizeof(names) / sizeof(names[0]), out);
    fputs(")\n", out);
    if (flags & DELETED && xid && v->lower >= PS_PG_HEADER_LEN + 8)
        fprintf(out, "delete_xid %u:%u\n", ps_get32_at(xid + 4), ps_get32_at(xid));
}

static const char *gist_titles(const struct ps_pg_view *v)
{
    (void)v;
    return " ctid itemlen dead key_data";
}

static void gist_item(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp, FILE *out)
{
    struct ps_pg_index_tuple t;
    uint32_t len = 0;
    const uint8_t *item = ps_pg_view_item(items->view, slot, &len);

    if (!ps_pg_index_tuple(item, len, &t)) {
        fputs(" - - - -", out);
        return;
    }
    fputc(' ', out);
    ps_pg_print_tid(t.tid, out);
    fprintf(out, " %u %c ", t.size, lp->flags == PS_LP_DEAD ? 't' : 'f');
    ps_pg_print_data(items, t.bytes + t.data, t.end - t.data, out);
}

static void check_downlinks(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        struct ps_pg_index_tuple t;
        uint32_t len = 0;
        const uint8_t *item = ps_pg_view_item(v, slot, &len);

        if (!ps_pg_index_tuple(item, len, &t))
            continue;
        if (t.tid.block == 0 || t.tid.block == v->who->page_no)
            ps_pg_fault(r, "item", slot, "item %u leads to block %u", slot, t.tid.block);
        else if (t.tid.slot == INVALID_SLOT)
            ps_pg_suspect(r, "item", slot, "item %u is left of a split that a crash cut off", slot);
    }
}

static void gist_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    unsigned flags;

    if (v->opaque_len != OPAQUE_LEN)
        return;
    flags = ps_get16_at(v->opaque + 12);
    if (flags & ~FLAGS_ALL)
        ps_pg_fault(r, "opaque", 0, "flags 0x%04x have bits that mean nothing", flags);
    if (flags & DELETED)
        return;
    ps_pg_check_index_tuples(v, r);
    if (!(flags & LEAF))
        check_downlinks(v, r);
}

const struct ps_pg_method ps_pg_gist = {
    .kind = "gist",
    .fields = gist_fields,
    .titles = gist_titles,
    .item = gist_item,
    .check = gist_check,
};
