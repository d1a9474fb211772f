/*
 * verify_catalog.c - the catalog as verify reads it: every page of its file that is sound, without
 * its map. Damaged pages are reported when the catalog's turn comes as a table; here they only mean
 * that there may be more tables than are known.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/verify_internal.h"

/* What is done with an entry; its error ends the scan. */
typedef ps_err (*entry_fn)(void *ctx, uint32_t page_no, uint32_t slot, const struct ps_item *item);

struct catalog_scan {
    uint32_t page_size;
    entry_fn each;
    void *ctx;
    bool whole; /* out: every page could be read */
};

static ps_err scan_page(struct catalog_scan *scan, uint32_t page_no, const uint8_t *page)
{
    const struct ps_format *fmt = &ps_format_native;
    const struct ps_page_ident who = {scan->page_size, page_no, PS_CATALOG_ID};
    struct ps_item item;
    uint32_t slots, slot;
    ps_err err;

    if (ps_page_is_zero(page, scan->page_size))
        return PS_OK;
    if (fmt->verify(page, &who) != PS_OK || fmt->type(page) != PS_PAGE_SLOTTED ||
        ps_slotted_slots(fmt, page, scan->page_size, &slots) != PS_OK) {
        scan->whole = false;
        return PS_OK;
    }
    for (slot = 1; slot <= slots; slot++) {
        err = ps_slotted_get(fmt, page, scan->page_size, slot, &item);
        if (err == PS_ERR_NOENT)
            continue;
        if (err == PS_OK)
            err = scan->each(scan->ctx, page_no, slot, &item);
        else
            scan->whole = false;
        if (err && err != PS_ERR_CORRUPT)
            return err;
    }
    return PS_OK;
}

static ps_err scan_file(struct catalog_scan *scan, struct ps_window *w)
{
    struct ps_io_stat st;
    const uint8_t *page;
    uint64_t page_no;
    ps_err err;

    err = w->file->io->ops->stat(w->file, &st);
    if (err)
        return err;
    for (page_no = 0; page_no < st.size / scan->page_size; page_no++) {
        if (ps_window_read(w, page_no * scan->page_size, scan->page_size, &page)) {
            scan->whole = false;
            continue;
        }
        err = scan_page(scan, (uint32_t)page_no, page);
        if (err)
            return err;
    }
    return PS_OK;
}

static ps_err scan_catalog(struct catalog_scan *scan, struct ps_io *io)
{
    struct ps_window w = {0};
    char path[32];
    ps_err err;

    scan->whole = true;
    ps_table_path(path, sizeof(path), PS_CATALOG_ID, "pages");
    err = ps_window_open(&w, io, path, scan->page_size);
    if (err)
        return err;
    err = scan_file(scan, &w);
    ps_window_close(&w);
    return err;
}

/* --- for verify --------------------------------------------------------------------------- */

static struct ps_place item_place(const struct ps_verifier *v, uint32_t page_no)
{
    return (struct ps_place){
        .file = PS_TABLES_DIR "/1.pages",
        .table = PS_CATALOG_NAME,
        .page = page_no,
        .offset = (uint64_t)page_no * v->page_size,
    };
}

static enum ps_severity item_severity(const struct ps_verifier *v, uint32_t page_no)
{
    return ps_pageset_has(&v->data_images, PS_CATALOG_ID, page_no) ? PS_NEEDS_RECOVERY : PS_FAULT;
}

static ps_err take_entry(void *ctx, uint32_t page_no, uint32_t slot, const struct ps_item *item)
{
    struct ps_verifier *v = ctx;
    const struct ps_place place = item_place(v, page_no);
    struct ps_verify_table table = {.page = page_no, .slot = slot};

    if (ps_catalog_decode(item->data, item->len, v->page_size, &table.entry) != PS_OK) {
        v->catalog_whole = false;
        ps_verify_report(v, item_severity(v, page_no), &place, "catalog", "item %" PRIu32 ": %s",
                         slot, ps_message());
        return PS_OK;
    }
    if (!v->crashed && v->control_sound && table.entry.table >= v->control.next_table)
        ps_verify_report(v, PS_FAULT, &place, "catalog",
                         "item %" PRIu32 ": table id %" PRIu32
                         ", but the control file's next one is %" PRIu32,
                         slot, table.entry.table, v->control.next_table);
    return ps_verify_add_table(v, &table);
}

/* Ids ascending; of one id, what is newest first. */
static int by_id(const void *a, const void *b)
{
    const struct ps_verify_table *x = a;
    const struct ps_verify_table *y = b;

    if (x->entry.table != y->entry.table)
        return x->entry.table < y->entry.table ? -1 : 1;
    return x->seq > y->seq ? -1 : x->seq < y->seq;
}

static int by_name(const void *a, const void *b)
{
    const struct ps_verify_table *const *x = a;
    const struct ps_verify_table *const *y = b;

    return strcmp((*x)->entry.name, (*y)->entry.name);
}

static void report_double(struct ps_verifier *v, const struct ps_verify_table *first,
                          const struct ps_verify_table *second, const char *what)
{
    const struct ps_place place = item_place(v, second->page);

    ps_verify_report(v, item_severity(v, second->page), &place, "catalog",
                     "item %" PRIu32 " has the %s of item %" PRIu32 " of page %" PRIu32
                     ": table %" PRIu32 " '%s'",
                     second->slot, what, first->slot, first->page, second->entry.table,
                     second->entry.name);
}

/* Keeps the newest word on each id. */
static void merge_ids(struct ps_verifier *v)
{
    size_t i, kept = 0;

    if (v->table_count == 0)
        return;
    qsort(v->tables, v->table_count, sizeof(*v->tables), by_id);
    for (i = 1; i < v->table_count; i++) {
        if (v->tables[i].entry.table != v->tables[kept].entry.table)
            v->tables[++kept] = v->tables[i];
        else if (v->tables[kept].seq == 0)
            report_double(v, &v->tables[kept], &v->tables[i], "table id");
    }
    v->table_count = kept + 1;
}

/* Only of a store that was closed: a crashed one's catalog may show a name before and after it
 * moved. */
static ps_err check_names(struct ps_verifier *v)
{
    const struct ps_verify_table **sorted;
    size_t i;

    if (v->crashed)
        return PS_OK;
    sorted = calloc(v->table_count + 1, sizeof(*sorted));
    if (!sorted)
        return ps_fail(PS_ERR_NOMEM, "no memory for the names of %zu tables", v->table_count);
    for (i = 0; i < v->table_count; i++)
        sorted[i] = &v->tables[i];
    qsort(sorted, v->table_count, sizeof(*sorted), by_name);
    for (i = 1; i < v->table_count; i++)
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            report_double(v, sorted[i - 1], sorted[i], "name");
    free(sorted);
    return PS_OK;
}

/* The catalog lists itself; where it does not, its pages are looked at all the same. */
static ps_err add_catalog_itself(struct ps_verifier *v)
{
    const struct ps_place place = item_place(v, 0);
    const struct ps_verify_table catalog = {.entry = {.table = PS_CATALOG_ID,
                                                      .format = PS_FORMAT_NATIVE,
                                                      .type = PS_PAGE_SLOTTED,
                                                      .name = PS_CATALOG_NAME}};
    size_t i;

    for (i = 0; i < v->table_count; i++)
        if (v->tables[i].entry.table == PS_CATALOG_ID)
            return PS_OK;
    if (v->catalog_whole && !v->crashed)
        ps_verify_report(v, PS_FAULT, &place, "catalog", "it does not list itself");
    return ps_verify_add_table(v, &catalog);
}

ps_err ps_verify_catalog(struct ps_verifier *v)
{
    struct catalog_scan scan = {.page_size = v->page_size, .each = take_entry, .ctx = v};
    ps_err err;

    v->catalog_whole = true;
    err = scan_catalog(&scan, v->io);
    if (err == PS_ERR_NOMEM)
        return err;
    if (err || !scan.whole)
        v->catalog_whole = false;
    err = add_catalog_itself(v);
    if (err)
        return err;
    merge_ids(v);
    return check_names(v);
}

/* --- for poke ----------------------------------------------------------------------------- */

struct name_search {
    const char *name;
    uint32_t page_size;
    uint32_t id; /* 0: not found */
};

static ps_err match_entry(void *ctx, uint32_t page_no, uint32_t slot, const struct ps_item *item)
{
    struct name_search *search = ctx;
    struct ps_catalog_entry entry;

    (void)page_no;
    (void)slot;
    if (ps_catalog_decode(item->data, item->len, search->page_size, &entry) == PS_OK &&
        strcmp(entry.name, search->name) == 0)
        search->id = entry.table;
    return PS_OK;
}

static ps_err find_table(struct ps_io *io, const char *path, const char *name,
                         struct ps_table_on_disk *ret)
{
    struct name_search search = {.name = name};
    struct catalog_scan scan = {.each = match_entry, .ctx = &search};
    struct ps_control control;
    ps_err err;

    err = ps_control_read(io, &control, NULL);
    if (err)
        return err;
    scan.page_size = search.page_size = control.page_size;
    err = scan_catalog(&scan, io);
    if (err)
        return err;
    if (search.id == 0)
        return ps_fail(PS_ERR_NOENT, "%s: no table '%s'%s", path, name,
                       control.state == PS_STATE_CLEAN
                           ? ""
                           : " on disk; it may be in the log alone, as the store was not closed");
    ret->id = search.id;
    ret->page_size = control.page_size;
    ps_table_path(ret->file, sizeof(ret->file), search.id, "pages");
    return PS_OK;
}

ps_err ps_find_table_on_disk(const char *path, const char *name, struct ps_table_on_disk *ret)
{
    struct ps_io *io = NULL;
    ps_err err;

    err = ps_verify_open_io(path, NULL, &io);
    if (err)
        return err;
    err = find_table(io, path, name, ret);
    ps_io_destroy(io);
    return err;
}
