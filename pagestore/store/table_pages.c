/*
 * table_pages.c - pages one by one: which there are, making and freeing them, looking at them.
 */
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

#define ALLOCATED (1u << PS_VIRGIN | 1u << PS_USED | 1u << PS_ZERO)
/* What a look at one page reserves: the page, what loading it may pin, its map. */
#define LOOK_FRAMES (1u + PS_LOAD_FRAMES + PS_MAP_READ_FRAMES)

static ps_err not_allocated(const struct ps_table *t, uint32_t page_no)
{
    return ps_fail(PS_ERR_NOENT, "page %u of table %u is not allocated", page_no, t->id);
}

static void fill_info(uint32_t page_no, const struct ps_map_entry *e, struct ps_page_info *ret)
{
    *ret = (struct ps_page_info){
        .page_no = page_no,
        .used = e->state == PS_USED || e->state == PS_ZERO,
        .mtime_us = e->mtime_us,
        .lsn = e->lsn,
    };
}

ps_err ps_page_stat(struct ps_table *t, uint32_t page_no, struct ps_page_info *ret)
{
    struct ps_map_entry e;
    ps_err err = ps_table_lock_known(t, NULL);

    if (err)
        return err;
    err = ps_map_get(&t->map, page_no, &e);
    ps_table_unlock(t);
    if (!err && e.state == PS_FREE)
        err = not_allocated(t, page_no);
    if (!err)
        fill_info(page_no, &e, ret);
    return err;
}

ps_err ps_page_list(struct ps_table *t, uint64_t from, struct ps_page_info *ret, uint32_t max,
                    uint32_t *ret_count)
{
    struct ps_map_entry e;
    uint32_t page, n = 0;
    ps_err err = ps_table_lock_known(t, NULL);

    if (err)
        return err;
    while (!err && n < max && from < t->pages_end) {
        err = ps_map_next(&t->map, (uint32_t)from, ALLOCATED, &page, &e);
        if (!err)
            fill_info(page, &e, &ret[n++]);
        from = (uint64_t)page + 1;
    }
    ps_table_unlock(t);
    if (err && err != PS_ERR_NOENT)
        return err;
    *ret_count = n;
    return PS_OK;
}

/* --- making and freeing ------------------------------------------------------------------- */

/* Bytes of payload that `pages` pages have; 0 for tables without. */
static uint64_t payload_of(const struct ps_table *t, uint64_t pages)
{
    return ps_table_has_payload(t) ? pages * (t->store->page_size - t->fmt->header_len) : 0;
}

/* Sets one page's state and what follows for the table's size. The change has begun, exclusively.
 */
static ps_err set_one(struct ps_change *c, const struct ps_map_range *page,
                      enum ps_page_state state, uint64_t pages_end, uint64_t payload_len)
{
    struct ps_table *t = c->table;
    ps_err err = ps_change_prepare(c, page, 1, true);

    if (err)
        return err;
    ps_map_apply_set(&t->map, &c->g, page->first, 1, state);
    if (payload_len != t->payload_len)
        ps_map_apply_payload_len(&t->map, &c->g, payload_len);
    (void)ps_change_commit(c);
    t->pages_end = pages_end;
    t->payload_len = payload_len;
    return PS_OK;
}

static ps_err create_locked(struct ps_change *c, const struct ps_map_range *page)
{
    struct ps_table *t = c->table;
    const struct ps_event event = {
        .kind = PS_EVENT_PAGES_CREATED, .table = t->id, .first = page->first, .count = 1};
    uint64_t end = t->pages_end, payload_len = t->payload_len;
    struct ps_map_entry e;
    ps_err err = ps_map_get(&t->map, page->first, &e);

    if (!err && e.state != PS_FREE)
        err = ps_fail(PS_ERR_EXIST, "page %u of table %u exists", page->first, t->id);
    if (end <= page->first) {
        end = (uint64_t)page->first + 1;
        payload_len = payload_of(t, end);
    }
    if (!err)
        err = set_one(c, page, PS_VIRGIN, end, payload_len);
    if (err)
        return err;
    t->counters.pages_created++;
    ps_store_event(t->store, &event);
    return PS_OK;
}

/* The table's end without its last page. */
static ps_err end_without(struct ps_table *t, uint32_t page_no, uint64_t *ret_end)
{
    uint32_t last;
    ps_err err;

    *ret_end = 0;
    if (page_no == 0)
        return PS_OK;
    err = ps_map_prev(&t->map, page_no - 1, ALLOCATED, &last, NULL);
    if (!err)
        *ret_end = (uint64_t)last + 1;
    return err == PS_ERR_NOENT ? PS_OK : err;
}

static ps_err free_locked(struct ps_change *c, const struct ps_map_range *page)
{
    struct ps_table *t = c->table;
    const struct ps_event event = {
        .kind = PS_EVENT_PAGES_FREED, .table = t->id, .first = page->first, .count = 1};
    uint64_t end = t->pages_end, payload_len = t->payload_len;
    struct ps_map_entry e;
    ps_err err = ps_map_get(&t->map, page->first, &e);

    if (!err && e.state == PS_FREE)
        err = not_allocated(t, page->first);
    if (!err && ps_range_locked(&t->store->txns, t->id, page->first, page->first))
        err = ps_fail(PS_ERR_CONFLICT, "page %u of table %u is locked by a transaction",
                      page->first, t->id);
    if (!err && end == (uint64_t)page->first + 1) {
        err = end_without(t, page->first, &end);
        payload_len = payload_of(t, end);
    }
    if (!err)
        err = set_one(c, page, PS_FREE, end, payload_len);
    if (err)
        return err;
    ps_pool_drop(t->store->pool, 0, t->id, PS_FORK_DATA, page->first, page->first);
    t->counters.pages_freed++;
    ps_store_event(t->store, &event);
    return PS_OK;
}

static ps_err try_change_one(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel,
                             ps_err (*locked)(struct ps_change *, const struct ps_map_range *))
{
    const struct ps_map_range page = {.first = page_no, .count = 1};
    const struct ps_change_needs needs = {.ranges = &page, .range_count = 1, .exclusive = true};
    struct ps_change c;
    ps_err err = ps_table_writable(t);

    if (!err && page_no >= PS_MAP_PAGES_MAX)
        err = ps_fail(PS_ERR_RANGE, "page number %u: a table has at most %u pages", page_no,
                      PS_MAP_PAGES_MAX);
    if (!err)
        err = ps_change_begin(&c, t, &needs, cancel);
    if (err)
        return err;
    err = locked(&c, &page);
    if (err)
        ps_change_abandon(&c);
    else
        ps_change_end(&c);
    return err;
}

/* A transaction that has the page is waited for, with no lock held. */
static ps_err change_one(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel,
                         ps_err (*locked)(struct ps_change *, const struct ps_map_range *))
{
    ps_err err;

    while ((err = try_change_one(t, page_no, cancel, locked)) == PS_ERR_CONFLICT) {
        err = ps_range_lock_wait(&t->store->txns, t->id, page_no, page_no, cancel);
        if (err)
            return err;
    }
    return err;
}

ps_err ps_page_create(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel)
{
    return change_one(t, page_no, cancel, create_locked);
}

ps_err ps_page_free(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel)
{
    return change_one(t, page_no, cancel, free_locked);
}

/* --- looking at a page -------------------------------------------------------------------- */

/* Whoever looks at one page after the other is a sequential reader, too. */
static ps_err pin_to_look(struct ps_table *t, uint32_t page_no, struct ps_page **ret)
{
    const struct ps_tag tag = {.table = t->id, .page = page_no};
    bool missing = ps_pool_pin(t->store->pool, &tag, PS_PIN_RESIDENT, NULL, ret) != PS_OK;

    ps_readahead_note(t, page_no, 1, missing);
    return missing ? ps_pool_pin(t->store->pool, &tag, PS_PIN_LOAD, NULL, ret) : PS_OK;
}

/* Pins the page and latches it, sealed; look_end undoes both. */
static ps_err look_begin(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel,
                         struct ps_page **ret)
{
    struct ps_pool *pool = t->store->pool;
    ps_err err = ps_pool_reserve(pool, LOOK_FRAMES, cancel);

    if (err)
        return err;
    ps_rwlock_rdlock(&t->alloc_lock);
    err = t->dropped ? ps_fail(PS_ERR_NOENT, "table %u was dropped", t->id) : ps_table_refresh(t);
    if (!err)
        err = pin_to_look(t, page_no, ret);
    ps_rwlock_unlock(&t->alloc_lock);
    if (err)
        ps_pool_release(pool, LOOK_FRAMES);
    else
        ps_page_latch_shared_sealed(pool, *ret);
    return err;
}

static void look_end(struct ps_table *t, struct ps_page *page)
{
    struct ps_pool *pool = t->store->pool;

    ps_page_unlatch(pool, page);
    ps_pool_unpin(pool, page);
    ps_pool_release(pool, LOOK_FRAMES);
}

/* The bytes as they lie on disk, for pages that the pool does not take. Direct I/O goes through an
 * aligned buffer; the caller's may be any. */
static ps_err read_raw(struct ps_table *t, uint32_t page_no, void *buf)
{
    struct ps_pagefile_page page = {.page_no = page_no, .buf = ps_buf_alloc(t->store->page_size)};
    ps_err err;

    if (!page.buf)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page");
    err = ps_table_read_disk(t, &page, 1);
    if (!err)
        memcpy(buf, page.buf, t->store->page_size);
    ps_buf_free(page.buf);
    return err;
}

ps_err ps_page_copy(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel, void *buf)
{
    struct ps_page *page = NULL;
    ps_err err = look_begin(t, page_no, cancel, &page);

    if (err == PS_ERR_CORRUPT) {
        ps_err raw = read_raw(t, page_no, buf);

        return raw ? raw : err;
    }
    if (err)
        return err;
    memcpy(buf, page->data, t->store->page_size);
    look_end(t, page);
    return PS_OK;
}

static void fill_meta(struct ps_table *t, uint32_t page_no, const void *bytes,
                      struct ps_page_meta *ret)
{
    const struct ps_page_ident who = ps_table_ident(t, page_no);
    const struct ps_tag tag = {.table = t->id, .page = page_no};
    struct ps_frame_info frame;
    uint32_t computed;

    ret->page_id = (uint64_t)t->id << 32 | page_no;
    ret->lsn = t->fmt->lsn(bytes);
    ret->type = t->fmt->type(bytes);
    t->fmt->checksum(bytes, &who, &ret->checksum, &computed, &ret->checksum_none);
    ret->checksum_ok = ps_table_verify_page(t, page_no, bytes) == PS_OK;
    if (t->foreign && !t->foreign->checksums)
        ret->checksum_none = true;
    if (!ps_pool_peek(t->store->pool, &tag, &frame))
        return;
    ret->dirty = frame.dirty;
    ret->pins = frame.pins;
}

ps_err ps_page_meta(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel,
                    struct ps_page_meta *ret)
{
    struct ps_page_meta meta = {0};
    void *buf = ps_buf_alloc(t->store->page_size);
    ps_err err;

    if (!buf)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page");
    err = ps_page_copy(t, page_no, cancel, buf);
    if (!err || err == PS_ERR_CORRUPT) {
        fill_meta(t, page_no, buf, &meta);
        if (err) /* sound in itself, perhaps, and yet not what was written last */
            meta.checksum_ok = false;
        *ret = meta;
        err = PS_OK;
    }
    ps_buf_free(buf);
    return err;
}

ps_err ps_page_text(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel, FILE *out)
{
    const struct ps_page_ident who = ps_table_ident(t, page_no);
    void *buf = ps_buf_alloc(t->store->page_size);
    ps_err err;

    if (!buf)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page");
    err = ps_page_copy(t, page_no, cancel, buf);
    if (!err || err == PS_ERR_CORRUPT) {
        if (err)
            (void)fprintf(out, "damage page: %s\n", ps_message());
        t->fmt->describe(buf, &who, out);
        err = PS_OK;
    }
    ps_buf_free(buf);
    return err;
}

/* --- pins that callers keep --------------------------------------------------------------- */

/* Reserves before it takes the table's lock: holders of reservations may be waiting for that. */
ps_err(ps_pin)(struct ps_table *t, uint32_t page_no, struct ps_cancel *cancel, struct ps_page **ret)
{
    const struct ps_tag tag = {.table = t->id, .page = page_no};
    struct ps_long_pin how;
    ps_err err = ps_pool_long_begin(t->store->pool, cancel, &how);

    if (err)
        return err;
    ps_rwlock_rdlock(&t->alloc_lock);
    err = t->dropped ? ps_fail(PS_ERR_NOENT, "table %u was dropped", t->id) : ps_table_refresh(t);
    if (err)
        ps_pool_long_cancel(t->store->pool, &how);
    else
        err = ps_pool_long_pin(t->store->pool, &how, &tag, ret);
    ps_rwlock_unlock(&t->alloc_lock);
    return err;
}

bool ps_peek(struct ps_table *t, uint32_t page_no, struct ps_peek *ret)
{
    const struct ps_tag tag = {.table = t->id, .page = page_no};

    return !t->dropped && ps_pool_optimistic(t->store->pool, &tag, ret);
}

bool ps_peek_valid(const struct ps_peek *peek)
{
    return ps_pool_optimistic_valid(peek);
}

ps_err ps_pin_noted(struct ps_table *t, ps_err err, struct ps_page *const *page, const char *file,
                    int line)
{
    return ps_pool_note_pin(t->store->pool, err, page, file, line);
}

void ps_unpin(struct ps_table *t, struct ps_page *page)
{
    ps_pool_unpin_long(t->store->pool, page);
}

void ps_latch_shared(struct ps_table *t, struct ps_page *page)
{
    ps_page_latch_shared_sealed(t->store->pool, page);
}

void ps_unlatch(struct ps_table *t, struct ps_page *page)
{
    ps_page_unlatch(t->store->pool, page);
}

const uint8_t *ps_page_bytes(const struct ps_page *page)
{
    return page->data;
}
