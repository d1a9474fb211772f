/*
 * table_items.c - items of slotted tables.
 *
 * Changes are made on a copy of the page and what differs is logged, so that the log of an insert
 * is a line pointer and the item.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

#define WRITTEN (1u << PS_USED | 1u << PS_ZERO)

/* An empty raw table becomes slotted with its first item. */
static ps_err become_slotted(struct ps_table *t, struct ps_cancel *cancel)
{
    bool slotted;
    ps_err err = ps_table_lock_known(t, cancel);

    if (err)
        return err;
    slotted = t->type == PS_PAGE_SLOTTED;
    ps_table_unlock(t);
    return slotted ? PS_OK : ps_table_become_slotted(t);
}

/* --- appending ---------------------------------------------------------------------------- */

/* Items on their way to the end of a table: they go to the page that took the last one, then to
 * new pages. The copies are what the pages will be. */
struct append {
    const struct ps_item *items;
    uint32_t count;
    uint32_t first;    /* page of copies[0] */
    bool first_exists; /* it is a page of the table already */
    uint32_t pages;
    uint8_t *copies; /* pages * page_size bytes */
    uint32_t last_slot;
};

/* Pages that the items may take: each new page but the last has less room left than the next item
 * needs, so two neighbours hold more than a page's worth. */
static uint32_t pages_needed(const struct ps_table *t, const struct ps_item *items, uint32_t count)
{
    uint64_t room = ps_slotted_item_max(t->fmt, t->store->page_size), bytes = 0;
    uint32_t i;

    for (i = 0; i < count; i++)
        bytes += items[i].len + 16u; /* line pointer and alignment */
    return (uint32_t)(2 * bytes / room) + 2;
}

/* The page that took the last item, if it can take more. The change has begun, exclusively. */
static ps_err append_target(struct ps_change *c, struct append *a)
{
    struct ps_table *t = c->table;
    struct ps_map_entry e;
    ps_err err = PS_OK;

    a->first = (uint32_t)t->pages_end;
    a->first_exists = false;
    if (t->insert_hint == UINT32_MAX && t->pages_end > 0)
        t->insert_hint = (uint32_t)t->pages_end - 1;
    /* Pages from the hint on must be one run: the hint is the last page, or it is of no use. */
    if ((uint64_t)t->insert_hint + 1 != t->pages_end)
        return PS_OK;
    err = ps_map_get(&t->map, t->insert_hint, &e);
    if (!err && (1u << e.state & WRITTEN)) {
        a->first = t->insert_hint;
        a->first_exists = true;
    }
    return err;
}

static ps_err append_fill(struct ps_change *c, struct append *a, uint32_t pages_max)
{
    struct ps_table *t = c->table;
    uint32_t page_size = t->store->page_size, i, k = 0;
    ps_err err = PS_OK;

    if (!a->first_exists) {
        const struct ps_page_ident who = ps_table_ident(t, a->first);

        t->fmt->init(a->copies, &who, PS_PAGE_SLOTTED);
    }
    for (i = 0; !err && i < a->count; i++) {
        uint8_t *copy = a->copies + (size_t)k * page_size;

        err = ps_slotted_insert(t->fmt, copy, page_size, a->items[i].data, a->items[i].len,
                                &a->last_slot);
        if (err == PS_ERR_FULL && k + 1 < pages_max) {
            const struct ps_page_ident who = ps_table_ident(t, a->first + ++k);

            copy += page_size;
            t->fmt->init(copy, &who, PS_PAGE_SLOTTED);
            err = ps_slotted_insert(t->fmt, copy, page_size, a->items[i].data, a->items[i].len,
                                    &a->last_slot);
        }
    }
    a->pages = k + 1;
    return err;
}

static ps_err append_write(struct ps_change *c, struct append *a, struct ps_page *first_page,
                           uint64_t *ret_lsn)
{
    struct ps_table *t = c->table;
    uint32_t page_size = t->store->page_size, i, skip = a->first_exists, kept = 0;
    struct ps_map_range ranges[2] = {{.first = a->first, .count = skip},
                                     {.first = a->first + skip, .count = a->pages - skip}};
    struct ps_page **pages = calloc(a->pages, sizeof(struct ps_page *));
    bool fresh = a->pages > skip;
    ps_err err = pages ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory to append items");

    if (!err && fresh)
        err = ps_pagefile_reserve(&t->data, a->first, a->pages);
    for (i = 0; !err && i < a->pages; i++) {
        if (i == 0 && first_page)
            pages[i] = first_page;
        else
            err = ps_change_page(c, a->first + i, PS_PIN_NEW, &pages[i]);
    }
    if (!err)
        err = ps_change_prepare(c, skip ? ranges : ranges + 1, (size_t)skip + fresh, fresh);
    if (!err) {
        /* A page that turned out to be full does not change. */
        kept = skip && memcmp(pages[0]->data, a->copies, page_size) == 0;
        for (i = kept; i < a->pages; i++) {
            if (i >= skip)
                (void)ps_group_write(&c->g, pages[i], 0, page_size);
            ps_change_from_copy(c, pages[i], a->copies + (size_t)i * page_size);
        }
        if (fresh)
            ps_map_apply_set(&t->map, &c->g, ranges[1].first, ranges[1].count, PS_USED);
        ps_map_apply_touch(&t->map, &c->g, a->first + kept, a->pages - kept, NULL);
        *ret_lsn = ps_change_commit(c);
    }
    free(pages);
    return err;
}

static void append_done(struct ps_change *c, const struct append *a)
{
    struct ps_table *t = c->table;
    struct ps_event event = {.kind = PS_EVENT_PAGES_CREATED, .table = t->id, .first = t->pages_end};

    t->insert_hint = a->first + a->pages - 1;
    event.count = (uint64_t)t->insert_hint + 1 - t->pages_end;
    t->pages_end = (uint64_t)t->insert_hint + 1;
    t->counters.items_inserted += a->count;
    t->counters.pages_created += event.count;
    if (event.count)
        ps_store_event(t->store, &event);
    event = (struct ps_event){
        .kind = PS_EVENT_PAGES_CHANGED, .table = t->id, .first = a->first, .count = a->pages};
    ps_store_event(t->store, &event);
}

static ps_err append_locked(struct ps_change *c, struct append *a, uint32_t pages_max,
                            uint64_t *ret_lsn)
{
    struct ps_page *first_page = NULL;
    ps_err err = append_target(c, a);

    if (!err && a->first_exists) {
        err = ps_change_page(c, a->first, PS_PIN_LOAD, &first_page);
        if (!err)
            memcpy(a->copies, first_page->data, c->table->store->page_size);
    }
    if (!err)
        err = append_fill(c, a, pages_max);
    if (!err)
        err = append_write(c, a, first_page, ret_lsn);
    if (!err)
        append_done(c, a);
    return err;
}

/* *ret_page: of the last item. */
static ps_err append_items(struct ps_table *t, struct append *a, unsigned flags,
                           struct ps_cancel *cancel, uint32_t *ret_page)
{
    uint32_t pages_max = pages_needed(t, a->items, a->count);
    /* Where the items go is known under the lock only: reckon with the worst place for the map. */
    const struct ps_map_range range = {.first = (uint32_t)(t->map.cover[t->map.levels - 2] - 1),
                                       .count = pages_max};
    const struct ps_change_needs needs = {.pages = pages_max,
                                          .bytes = (uint64_t)pages_max * t->store->page_size,
                                          .ranges = &range,
                                          .range_count = 1,
                                          .exclusive = true};
    struct ps_change c;
    uint64_t lsn = 0;
    ps_err err = ps_table_open_files(t);

    a->copies = ps_buf_alloc((size_t)pages_max * t->store->page_size);
    if (!a->copies)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u pages of items", pages_max);
    while (!err) {
        err = ps_change_begin(&c, t, &needs, cancel);
        if (err)
            break;
        err = append_locked(&c, a, pages_max, &lsn);
        if (!err) {
            ps_change_end(&c);
            break;
        }
        ps_change_abandon(&c);
        if (err == PS_ERR_CONFLICT)
            err = ps_change_wait(&c, cancel);
    }
    if (!err)
        *ret_page = a->first + a->pages - 1;
    ps_buf_free(a->copies);
    if (!err && (flags & PS_WRITE_DURABLE))
        err = ps_wal_flush(t->store->wal, lsn, cancel);
    return err;
}

static ps_err check_len(const struct ps_table *t, const struct ps_item *item)
{
    uint32_t max = ps_slotted_item_max(t->fmt, t->store->page_size);

    if (item->len <= max)
        return PS_OK;
    return ps_fail(PS_ERR_RANGE, "an item of %u bytes: a page takes at most %u", item->len, max);
}

/* How many of the items, from the first on, one group takes. */
static uint32_t batch_len(const struct ps_table *t, const struct ps_item *items, uint32_t count)
{
    uint32_t pages_max = (uint32_t)(2 * ps_write_max(t->store) / t->store->page_size) + 2;
    uint32_t low = 1, high = count;

    if (pages_max > t->store->change_pages_max)
        pages_max = t->store->change_pages_max;
    while (low < high) { /* pages_needed grows with count */
        uint32_t mid = low + (high - low + 1) / 2;

        if (pages_needed(t, items, mid) <= pages_max)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

ps_err ps_items_append(struct ps_table *t, const struct ps_item *items, uint32_t count,
                       unsigned flags, struct ps_cancel *cancel)
{
    uint32_t i, page;
    ps_err err = ps_table_writable(t);

    for (i = 0; !err && i < count; i++)
        err = check_len(t, &items[i]);
    if (err || count == 0)
        return err;
    err = become_slotted(t, cancel);
    while (!err && count > 0) {
        struct append a = {.items = items, .count = batch_len(t, items, count)};

        err = append_items(t, &a, a.count == count ? flags : 0, cancel, &page);
        items += a.count;
        count -= a.count;
    }
    return err;
}

ps_err ps_item_insert(struct ps_table *t, const void *data, uint32_t len, uint32_t *ret_page,
                      uint32_t *ret_slot, struct ps_cancel *cancel)
{
    const struct ps_item item = {.data = data, .len = len};
    struct append a = {.items = &item, .count = 1};
    ps_err err = ps_table_writable(t);

    if (!err)
        err = check_len(t, &item);
    if (!err)
        err = become_slotted(t, cancel);
    if (!err)
        err = append_items(t, &a, 0, cancel, ret_page);
    if (!err)
        *ret_slot = a.last_slot;
    return err;
}

/* --- one item ----------------------------------------------------------------------------- */

ps_err ps_item_get(struct ps_table *t, uint32_t page_no, uint32_t slot, void *buf, uint32_t buf_len,
                   uint32_t *ret_len, struct ps_cancel *cancel)
{
    void *copy = ps_buf_alloc(t->store->page_size);
    struct ps_item item;
    ps_err err;

    if (!copy)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page");
    err = ps_page_copy(t, page_no, cancel, copy);
    if (!err)
        err = ps_slotted_get(t->fmt, copy, t->store->page_size, slot, &item);
    if (!err) {
        memcpy(buf, item.data, item.len < buf_len ? item.len : buf_len);
        *ret_len = item.len;
    }
    ps_buf_free(copy);
    return err;
}

/* Deletes, on a copy, and logs what differs. The change has begun. */
static ps_err delete_locked(struct ps_change *c, uint32_t page_no, uint32_t slot, uint8_t *copy)
{
    const struct ps_map_range range = {.first = page_no, .count = 1};
    uint32_t page_size = c->table->store->page_size;
    struct ps_page *page = NULL;
    ps_err err = ps_change_page(c, page_no, PS_PIN_LOAD, &page);

    if (err)
        return err;
    memcpy(copy, page->data, page_size);
    err = ps_slotted_delete(c->table->fmt, copy, page_size, slot);
    if (!err)
        err = ps_change_prepare(c, &range, 1, false);
    if (err)
        return err;
    ps_change_from_copy(c, page, copy);
    ps_map_apply_touch(&c->table->map, &c->g, page_no, 1, NULL);
    (void)ps_change_commit(c);
    c->table->counters.items_deleted++;
    return PS_OK;
}

ps_err ps_item_delete(struct ps_table *t, uint32_t page_no, uint32_t slot, struct ps_cancel *cancel)
{
    const struct ps_map_range range = {.first = page_no, .count = 1};
    const struct ps_event event = {
        .kind = PS_EVENT_PAGES_CHANGED, .table = t->id, .first = page_no, .count = 1};
    const uint32_t page_size = t->store->page_size;
    const struct ps_change_needs needs = {
        .pages = 1, .bytes = page_size, .ranges = &range, .range_count = 1};
    uint8_t *copy = ps_buf_alloc(page_size);
    struct ps_change c;
    ps_err err = copy ? ps_table_writable(t) : ps_fail(PS_ERR_NOMEM, "no memory for a page");

    while (!err) {
        err = ps_change_begin(&c, t, &needs, cancel);
        if (err)
            break;
        err = delete_locked(&c, page_no, slot, copy);
        if (!err) {
            ps_store_event(t->store, &event);
            ps_change_end(&c);
            break;
        }
        ps_change_abandon(&c);
        if (err == PS_ERR_CONFLICT)
            err = ps_change_wait(&c, cancel);
    }
    ps_buf_free(copy);
    return err;
}
