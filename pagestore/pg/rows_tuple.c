/*
 * rows_tuple.c - a line pointer and its tuple's header as a line of CSV.
 */
#include "pg/rows.h"

#include <inttypes.h>

#include "base/byteorder.h"
#include "base/mem.h"
#include "pg/heap_page.h"

#define OID_LEN 4u

/* '1' for each attribute that is there. Padded to whole bytes, as pageinspect does. */
static void add_null_bits(const struct ps_pg_tuple *t, struct ps_text *out)
{
    uint32_t i, count = (uint32_t)(t->natts + 7) / 8 * 8;
    char *to;

    if (!t->nulls)
        return;
    to = ps_text_room(out, count);
    if (!to)
        return;
    for (i = 0; i < count; i++)
        to[i] = t->nulls[i / 8] & (1u << (i % 8)) ? '1' : '0';
    out->len += count;
}

/* Before version 12 a row could have an OID, behind its null bits. */
static void add_oid(const struct ps_pg_tuple *t, struct ps_text *out)
{
    if (!(t->infomask & PS_PG_HASOID) || t->hoff < PS_PG_TUPLE_HEADER + OID_LEN)
        return;
    ps_text_printf(out, "%" PRIu32, ps_get32_at(t->bytes + t->hoff - OID_LEN));
}

static void add_header(struct ps_text *out)
{
    static const char header[] = "blkno,lp,lp_off,lp_flags,lp_len,t_xmin,t_xmax,t_field3,t_ctid,"
                                 "t_infomask2,t_infomask,t_hoff,t_bits,t_oid\n";

    ps_text_add(out, header, sizeof(header) - 1);
}

static void add_line(const uint8_t *page, uint32_t page_size, uint32_t block, uint32_t slot,
                     struct ps_text *out)
{
    struct ps_lp lp = ps_pg_lp_of(page, slot);
    struct ps_pg_tuple t;

    ps_text_printf(out, "%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%d,%" PRIu32, block, slot, lp.off,
                   (int)lp.flags, lp.len);
    if (!ps_pg_lp_fits(&lp, page_size) || ps_pg_tuple_parse(page + lp.off, lp.len, &t)) {
        ps_text_add(out, ",,,,,,,,,\n", 10);
        return;
    }
    ps_text_printf(out, ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",\"(%" PRIu32 ",%u)\",%u,%u,%u,",
                   t.xmin, t.xmax, t.field3, t.ctid_block, t.ctid_slot, t.infomask2, t.infomask,
                   t.hoff);
    add_null_bits(&t, out);
    ps_text_add(out, ",", 1);
    add_oid(&t, out);
    ps_text_add(out, "\n", 1);
}

/* *block becomes the one that comes next, also where this one is damaged. */
static ps_err add_page(struct ps_table *table, uint64_t *block, uint64_t end,
                       struct ps_cancel *cancel, uint8_t *page, struct ps_text *out)
{
    uint32_t page_size = ps_store_page_size(ps_table_store(table)), slot, slots;
    const uint32_t page_no = (uint32_t)*block;
    ps_err err = ps_page_copy(table, page_no, cancel, page);

    slots = err ? 0 : ps_pg_slots(page, page_size);
    for (slot = 1; slot <= slots; slot++)
        add_line(page, page_size, page_no, slot, out);
    *block = err ? *block + 1 : ps_foreign_page_after(table, *block, page, end);
    return err;
}

ps_err ps_pg_tuples_step(struct ps_table *table, uint64_t *at, bool skip, struct ps_cancel *cancel,
                         struct ps_text *out, bool *ret_done)
{
    struct ps_table_info info;
    uint8_t *page = NULL;
    uint64_t block;
    ps_err err = ps_table_info(table, &info);

    if (err)
        return err;
    if (*at == 0) { /* a step of its own: the first page may be damaged */
        add_header(out);
        *at = 1 + ps_pg_first_block(&info);
    } else {
        block = *at - 1;
        page = ps_buf_alloc(ps_store_page_size(ps_table_store(table)));
        err = page ? add_page(table, &block, info.pages_end, cancel, page, out)
                   : ps_fail(PS_ERR_NOMEM, "no memory for a page");
        ps_buf_free(page);
        if (err && !(skip && err == PS_ERR_CORRUPT))
            return err;
        *at = 1 + block;
    }
    *ret_done = *at > info.pages_end;
    return ps_text_err(out);
}
