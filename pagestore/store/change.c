/*
 * change.c - what every change of a table's pages has in common.
 *
 * The order is fixed, and each step is why the next one cannot fail or deadlock:
 *   1. frames and log are reserved, holding nothing;
 *   2. the table's lock is taken, so that page states hold still;
 *   3. data pages are pinned and latched, ascending, then map pages; space on disk is taken;
 *   4. bytes are written; the group is committed;
 *   5. pages that are gone are thrown out of the pool, users are told, the lock is let go.
 */
#include <assert.h>
#include <string.h>

#include "store/store_internal.h"

ps_err ps_store_writable(struct ps_store *s)
{
    if (s->opts.read_only)
        return ps_fail(PS_ERR_READONLY, "the store is open read-only");
    return ps_poison_check(&s->poison);
}

ps_err ps_table_writable(struct ps_table *t)
{
    ps_err err = ps_store_writable(t->store);

    if (err)
        return err;
    if (t->id == PS_CATALOG_ID)
        return ps_fail(PS_ERR_READONLY, "%s is changed by the store only", PS_CATALOG_NAME);
    return PS_OK;
}

static ps_err dropped(const struct ps_table *t)
{
    return ps_fail(PS_ERR_NOENT, "table %u was dropped", t->id);
}

ps_err ps_table_summary(struct ps_table *t)
{
    struct ps_map_summary sum;
    ps_err err;

    if (t->dropped)
        return dropped(t);
    err = ps_table_refresh(t);
    if (err || t->summary_known)
        return err;
    err = ps_map_summary(&t->map, &sum);
    if (err)
        return err;
    t->pages_end = sum.end;
    t->payload_len = sum.payload_len;
    t->summary_known = true;
    return PS_OK;
}

ps_err ps_table_check_slotted(const struct ps_table *t)
{
    if (t->type == PS_PAGE_SLOTTED)
        return PS_OK;
    return ps_fail(PS_ERR_WRONG_TYPE, "table %u is raw: it has no items", t->id);
}

bool ps_table_has_payload(const struct ps_table *t)
{
    return t->fmt->id == PS_FORMAT_NATIVE && t->type == PS_PAGE_RAW &&
           (t->foreign || t->id != PS_CATALOG_ID);
}

ps_err ps_space_shape(const struct ps_table *t, enum ps_space space, uint32_t *ret_page_bytes,
                      uint32_t *ret_page_off)
{
    uint32_t page_size = t->store->page_size;

    if (space == PS_SPACE_IMAGE) {
        *ret_page_bytes = page_size;
        *ret_page_off = 0;
        return PS_OK;
    }
    if (!ps_table_has_payload(t))
        return ps_fail(PS_ERR_WRONG_TYPE, "table %u: only raw native tables have a payload", t->id);
    *ret_page_bytes = page_size - t->fmt->header_len;
    *ret_page_off = t->fmt->header_len;
    return PS_OK;
}

ps_err ps_change_begin(struct ps_change *c, struct ps_table *t, const struct ps_change_needs *needs,
                       struct ps_cancel *cancel)
{
    struct ps_store *s = t->store;
    uint32_t frames =
        needs->pages + PS_LOAD_FRAMES + (needs->range_count == 0); /* the map's root */
    uint64_t bytes = needs->bytes;
    ps_err err = ps_store_writable(s);
    size_t i;

    for (i = 0; i < needs->range_count; i++) {
        const struct ps_map_range *range = &needs->ranges[i];

        frames += ps_map_set_frames(&t->map, range->first, range->count);
        bytes += ps_map_set_bytes(&t->map, range->first, range->count);
    }
    *c = (struct ps_change){.table = t, .txn = needs->txn, .exclusive = needs->exclusive};
    if (err)
        return err;
    err = ps_group_begin(&c->g, &s->env, c->txn ? &c->txn->log : NULL, frames, bytes, cancel);
    if (err)
        return err;
    if (c->exclusive)
        ps_rwlock_wrlock(&t->alloc_lock);
    else
        ps_rwlock_rdlock(&t->alloc_lock);
    err = c->exclusive ? ps_table_summary(t) : t->dropped ? dropped(t) : PS_OK;
    if (err)
        ps_change_abandon(c);
    return err;
}

ps_err ps_change_page(struct ps_change *c, uint32_t page_no, enum ps_pin_mode mode,
                      struct ps_page **ret)
{
    struct ps_table *t = c->table;
    const struct ps_tag tag = {.table = t->id, .page = page_no};
    ps_err err = ps_group_page(&c->g, &tag, mode, t->fmt, ret);

    if (!err && ps_page_locked(&t->store->txns, c->txn, &tag)) {
        c->conflict_page = page_no;
        err = ps_fail(PS_ERR_CONFLICT, "page %u of table %u is locked by a transaction", page_no,
                      t->id);
    }
    return err;
}

ps_err ps_change_wait(struct ps_change *c, struct ps_cancel *cancel)
{
    const struct ps_tag tag = {.table = c->table->id, .page = c->conflict_page};

    return ps_page_lock_wait(&c->table->store->txns, c->txn, &tag, cancel);
}

/* Nodes that were never written need space on disk before anything is acknowledged. */
static ps_err reserve_map_space(struct ps_change *c)
{
    uint32_t i;

    for (i = 0; i < c->g.page_count; i++) {
        const struct ps_page *page = c->g.pages[i].page;
        ps_err err;

        if (page->tag.fork != PS_FORK_MAP || page->lsn != 0)
            continue;
        err = ps_table_open_files(c->table);
        if (!err)
            err = ps_pagefile_reserve(&c->table->map_file, page->tag.page, 1);
        if (err)
            return err;
    }
    return PS_OK;
}

ps_err ps_change_prepare(struct ps_change *c, const struct ps_map_range *ranges, size_t range_count,
                         bool changes_state)
{
    ps_err err;

    assert(!changes_state || c->exclusive);
    err = ps_map_prepare_ranges(&c->table->map, &c->g, ranges, range_count, changes_state);
    return err ? err : reserve_map_space(c);
}

void ps_change_abandon(struct ps_change *c)
{
    ps_group_abandon(&c->g);
    ps_rwlock_unlock(&c->table->alloc_lock);
}

uint64_t ps_change_commit(struct ps_change *c)
{
    struct ps_txns *txns = &c->table->store->txns;
    uint64_t lsn;

    c->table->mtime_us = c->g.time_us;
    if (!c->txn)
        return ps_group_commit(&c->g);
    /* A checkpoint that notes this transaction sees either neither or both of record and last_pos.
     */
    ps_rwlock_rdlock(&txns->table_lock);
    lsn = ps_group_commit(&c->g);
    ps_rwlock_unlock(&txns->table_lock);
    return lsn;
}

void ps_change_end(struct ps_change *c)
{
    ps_rwlock_unlock(&c->table->alloc_lock);
}

/* Header and the line pointers that a change of a few items touches lie this close together. */
#define SLOTTED_FRONT_LEN 256u

/* The last byte in [from, to) that differs + 1, or from. */
static uint32_t diff_end(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to)
{
    while (to > from && a[to - 1] == b[to - 1])
        to--;
    return to;
}

static uint32_t diff_start(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to)
{
    while (from < to && a[from] == b[from])
        from++;
    return from;
}

void ps_change_from_copy(struct ps_change *c, struct ps_page *page, const uint8_t *copy)
{
    uint32_t page_size = c->table->store->page_size;
    uint32_t start = diff_start(page->data, copy, 0, page_size);
    uint32_t end = diff_end(page->data, copy, start, page_size);
    uint32_t front, back;

    if (start == end)
        return;
    /* A slotted page grows from both ends: what lies in the first bytes after `start` is header and
     * line pointers, the rest, after a long run of equal bytes, items. */
    back = start + SLOTTED_FRONT_LEN < end ? start + SLOTTED_FRONT_LEN : end;
    front = diff_end(page->data, copy, start, back);
    back = diff_start(page->data, copy, back, end);
    memcpy(ps_group_write(&c->g, page, start, front - start), copy + start, front - start);
    if (back < end)
        memcpy(ps_group_write(&c->g, page, back, end - back), copy + back, end - back);
}
