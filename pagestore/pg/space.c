/*
 * space.c - what a heap's pages are filled with.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "pg/heap_page.h"
#include "pg/rows.h"
#include "pg/visibility.h"

struct space {
    uint64_t table_len;
    uint64_t tuple_count, tuple_len;
    uint64_t dead_count, dead_len;
    uint64_t free_space;
    uint64_t damaged_pages;
};

/* PageGetHeapFreeSpace: room for one more tuple and, if no line pointer can be used again, for its
 * line pointer; none once a page has as many as it may. */
static uint64_t free_space_of(const uint8_t *page, uint32_t page_size)
{
    const uint32_t slots_max =
        (page_size - PS_PG_HEADER_LEN) / (PS_PG_TUPLE_LEN_MIN + PS_PG_LP_LEN);
    struct ps_bounds b = ps_format_postgres.slotted->bounds(page);
    uint32_t slot, slots = ps_pg_slots(page, page_size);

    if (b.upper > page_size || b.upper < b.lower || b.upper - b.lower < PS_PG_LP_LEN)
        return 0;
    if (slots < slots_max)
        return b.upper - b.lower - PS_PG_LP_LEN;
    for (slot = 1; b.has_free && slot <= slots; slot++)
        if (ps_pg_lp_of(page, slot).flags == PS_LP_UNUSED)
            return b.upper - b.lower - PS_PG_LP_LEN;
    return 0;
}

/* Alive is what a server would keep: also rows whose transaction has not ended. */
static void count_tuples(struct space *s, const uint8_t *page, uint32_t page_size,
                         struct ps_pg_xacts *xacts)
{
    uint32_t slot, slots = ps_pg_slots(page, page_size);

    for (slot = 1; slot <= slots; slot++) {
        struct ps_pg_tuple t;

        if (!ps_pg_tuple_at(page, page_size, slot, &t))
            continue;
        if (ps_pg_visible(&t, xacts).seen == PS_PG_DEAD) {
            s->dead_count++;
            s->dead_len += t.len;
        } else {
            s->tuple_count++;
            s->tuple_len += t.len;
        }
    }
}

static void print(const struct space *s, struct ps_text *out)
{
    const double percent = s->table_len ? 100.0 / (double)s->table_len : 0.0;

    ps_text_printf(out, "table_len          %20" PRIu64 "\n", s->table_len);
    ps_text_printf(out, "tuple_count        %20" PRIu64 "\n", s->tuple_count);
    ps_text_printf(out, "tuple_len          %20" PRIu64 "\n", s->tuple_len);
    ps_text_printf(out, "tuple_percent      %20.2f\n", (double)s->tuple_len * percent);
    ps_text_printf(out, "dead_tuple_count   %20" PRIu64 "\n", s->dead_count);
    ps_text_printf(out, "dead_tuple_len     %20" PRIu64 "\n", s->dead_len);
    ps_text_printf(out, "dead_tuple_percent %20.2f\n", (double)s->dead_len * percent);
    ps_text_printf(out, "free_space         %20" PRIu64 "\n", s->free_space);
    ps_text_printf(out, "free_percent       %20.2f\n", (double)s->free_space * percent);
    ps_text_printf(out, "damaged_pages      %20" PRIu64 "\n", s->damaged_pages);
}

static ps_err count_pages(struct ps_table *table, struct ps_pg_xacts *xacts, uint8_t *page,
                          struct ps_cancel *cancel, struct space *s)
{
    const uint32_t page_size = ps_store_page_size(ps_table_store(table));
    struct ps_table_info info;
    uint64_t block;
    ps_err err = ps_table_info(table, &info);

    if (err)
        return err;
    s->table_len = info.pages_allocated * page_size;
    block = ps_pg_first_block(&info);
    while (block < info.pages_end) {
        if (ps_cancel_raised(cancel))
            return ps_fail(PS_ERR_INTERRUPTED, "counting space was interrupted");
        err = ps_page_copy(table, (uint32_t)block, cancel, page);
        if (err && err != PS_ERR_CORRUPT)
            return err;
        if (err) {
            s->damaged_pages++;
            block++;
            continue;
        }
        count_tuples(s, page, page_size, xacts);
        s->free_space += free_space_of(page, page_size);
        block = ps_foreign_page_after(table, block, page, info.pages_end);
    }
    return PS_OK;
}

ps_err ps_pg_space(struct ps_pg_catalog *catalog, struct ps_table *table, struct ps_cancel *cancel,
                   struct ps_text *out)
{
    uint8_t *page = ps_buf_alloc(ps_store_page_size(ps_table_store(table)));
    struct space s = {0};
    ps_err err;

    if (!page)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page");
    err = count_pages(table, ps_pg_catalog_xacts(catalog), page, cancel, &s);
    if (!err)
        print(&s, out);
    ps_buf_free(page);
    return err ? err : ps_text_err(out);
}
