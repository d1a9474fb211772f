/*
 * write_pg_pages FILE ITEMS - writes pages of the postgres format for PostgreSQL to judge.
 *
 * FILE gets 8 KiB pages: new ones, empty ones, raw ones, and slotted ones whose items were
 * inserted, replaced, deleted and compacted, some of them text, some any bytes. ITEMS gets a
 * CSV line for every line pointer, which the judge compares with what PostgreSQL reads.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pagestore/slotted.h"

#define PAGE_SIZE 8192u
#define RANDOM_PAGES 40u

static const struct ps_format *const fmt = &ps_format_postgres;

struct output {
    FILE *pages;
    FILE *items;
    uint32_t page_no;
    uint64_t random;
};

static void must(ps_err err)
{
    if (err) {
        fprintf(stderr, "write_pg_pages: %s: %s\n", ps_err_text(err), ps_message());
        exit(1);
    }
}

static uint32_t random_below(struct output *o, uint32_t limit)
{
    o->random = o->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(o->random >> 33) % limit;
}

static void list_items(struct output *o, const unsigned char *page)
{
    uint32_t slots;

    must(ps_slotted_slots(fmt, page, PAGE_SIZE, &slots));
    for (uint32_t slot = 1; slot <= slots; slot++) {
        struct ps_item item;
        ps_err err = ps_slotted_get(fmt, page, PAGE_SIZE, slot, &item);
        const unsigned char *bytes = item.data;

        if (err == PS_ERR_NOENT) {
            fprintf(o->items, "%u,%u,0,0,0,\"\"\n", o->page_no, slot);
            continue;
        }
        must(err);
        fprintf(o->items, "%u,%u,%td,1,%u,%s", o->page_no, slot, bytes - page, item.len,
                item.len == 0 ? "\"\"" : "");
        for (uint32_t i = 0; i < item.len; i++)
            fprintf(o->items, "%02x", bytes[i]);
        fputc('\n', o->items);
    }
}

static void put_page(struct output *o, unsigned char *page, bool slotted)
{
    struct ps_page_ident who = {.page_size = PAGE_SIZE, .page_no = o->page_no, .table_id = 3};

    fmt->set_lsn(page, (uint64_t)o->page_no << 20);
    fmt->seal(page, &who);
    if (fwrite(page, PAGE_SIZE, 1, o->pages) != 1) {
        perror("write_pg_pages");
        exit(1);
    }
    if (slotted)
        list_items(o, page);
    o->page_no++;
}

static void init(unsigned char *page, enum ps_page_type type)
{
    struct ps_page_ident who = {.page_size = PAGE_SIZE};

    fmt->init(page, &who, type);
}

/* Text of any length up to what fits: where a heap tuple would have its header is text, too. */
static void put_text_page(struct output *o, unsigned char *page)
{
    static const char text[] = "The quick brown fox jumps over the lazy dog while 8 PaGeS @ 0x40 "
                               "are written; HXPX`xph08@ makes headers look possible. ";
    char line[400];
    uint32_t slot;

    init(page, PS_PAGE_SLOTTED);
    for (uint32_t len = 0;; len++) {
        for (uint32_t i = 0; i < len; i++)
            line[i] = text[(i + len) % (sizeof(text) - 1)];
        if (ps_slotted_insert(fmt, page, PAGE_SIZE, line, len, &slot) != PS_OK)
            break;
    }
    put_page(o, page, true);
}

static void random_change(struct output *o, unsigned char *page, const unsigned char *bytes)
{
    uint32_t len = random_below(o, random_below(o, 10) == 0 ? 2000 : 150);
    uint32_t slots, slot;

    must(ps_slotted_slots(fmt, page, PAGE_SIZE, &slots));
    slot = 1 + random_below(o, slots + 1);
    switch (random_below(o, 6)) {
    case 0:
        (void)!ps_slotted_delete(fmt, page, PAGE_SIZE, slot);
        break;
    case 1:
        (void)!ps_slotted_replace(fmt, page, PAGE_SIZE, slot, bytes, len);
        break;
    default:
        (void)!ps_slotted_insert(fmt, page, PAGE_SIZE, bytes, len, &slot);
    }
}

static void put_random_page(struct output *o, unsigned char *page)
{
    unsigned char bytes[2000];

    init(page, PS_PAGE_SLOTTED);
    for (uint32_t step = 0; step < 300; step++) {
        for (uint32_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)random_below(o, 256);
        random_change(o, page, bytes);
    }
    if (random_below(o, 2) == 0)
        must(ps_slotted_compact(fmt, page, PAGE_SIZE));
    put_page(o, page, true);
}

static void put_longest_item(struct output *o, unsigned char *page)
{
    static const unsigned char zeros[PAGE_SIZE];
    uint32_t slot;

    init(page, PS_PAGE_SLOTTED);
    must(
        ps_slotted_insert(fmt, page, PAGE_SIZE, zeros, ps_slotted_item_max(fmt, PAGE_SIZE), &slot));
    put_page(o, page, true);
}

static void put_pages(struct output *o)
{
    unsigned char page[PAGE_SIZE];

    init(page, PS_PAGE_RAW);
    put_page(o, page, false);
    init(page, PS_PAGE_SLOTTED);
    put_page(o, page, true);
    memset(page + 24, 0x5a, PAGE_SIZE - 24); /* raw bytes behind the header */
    put_page(o, page, false);
    put_text_page(o, page);
    put_longest_item(o, page);
    for (uint32_t i = 0; i < RANDOM_PAGES; i++)
        put_random_page(o, page);
}

int main(int argc, char **argv)
{
    struct output o = {.random = 1};

    if (argc != 3) {
        fprintf(stderr, "usage: write_pg_pages FILE ITEMS\n");
        return 2;
    }
    o.pages = fopen(argv[1], "wb");
    o.items = fopen(argv[2], "w");
    if (!o.pages || !o.items) {
        perror("write_pg_pages");
        return 2;
    }
    fprintf(o.items, "blkno,lp,lp_off,lp_flags,lp_len,item\n");
    put_pages(&o);
    if (fclose(o.pages) != 0 || fclose(o.items) != 0) {
        perror("write_pg_pages");
        return 1;
    }
    return 0;
}
