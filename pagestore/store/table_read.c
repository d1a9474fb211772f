/*
 * table_read.c - bytes of a table, straight from the frames.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

/* A reader of n pages may load n, and reads allocation maps one page at a time. */
#define READ_EXTRA_FRAMES (PS_LOAD_FRAMES + PS_MAP_READ_FRAMES)

/* What a read asks for, in pages. */
struct span {
    uint32_t page_bytes, page_off; /* of the space */
    uint64_t off;
    size_t len;
    uint64_t first;
    uint32_t count;
};

static ps_err space_len_locked(struct ps_table *t, enum ps_space space, uint64_t *ret)
{
    ps_err err = ps_table_summary(t);

    if (!err)
        *ret = space == PS_SPACE_IMAGE ? t->pages_end * t->store->page_size : t->payload_len;
    return err;
}

/* Takes the table's lock shared, with its summary known. The caller has a frame reserved, since
 * computing that the first time reads the map. */
static ps_err lock_known(struct ps_table *t)
{
    ps_err err;

    ps_rwlock_rdlock(&t->alloc_lock);
    while (!t->summary_known) {
        ps_rwlock_unlock(&t->alloc_lock);
        ps_rwlock_wrlock(&t->alloc_lock);
        err = ps_table_summary(t);
        ps_rwlock_unlock(&t->alloc_lock);
        if (err)
            return err;
        ps_rwlock_rdlock(&t->alloc_lock);
    }
    err = ps_table_summary(t);
    if (err)
        ps_rwlock_unlock(&t->alloc_lock);
    return err;
}

ps_err ps_table_lock_known(struct ps_table *t, struct ps_cancel *cancel)
{
    ps_err err = ps_pool_reserve(t->store->pool, PS_MAP_READ_FRAMES, cancel);

    if (err)
        return err;
    err = lock_known(t);
    if (err)
        ps_pool_release(t->store->pool, PS_MAP_READ_FRAMES);
    return err;
}

void ps_table_unlock(struct ps_table *t)
{
    ps_rwlock_unlock(&t->alloc_lock);
    ps_pool_release(t->store->pool, PS_MAP_READ_FRAMES);
}

ps_err ps_space_len(struct ps_table *t, enum ps_space space, uint64_t *ret)
{
    uint32_t page_bytes, page_off;
    ps_err err = ps_table_lock_known(t, NULL);

    if (err)
        return err;
    err = ps_space_shape(t, space, &page_bytes, &page_off);
    if (!err)
        err = space_len_locked(t, space, ret);
    ps_table_unlock(t);
    return err;
}

size_t ps_read_max(const struct ps_store *s)
{
    uint32_t frames = ps_pool_frames(s->pool) / 2;
    uint64_t bytes = (uint64_t)(frames > 8 ? frames - 4 : 2) * s->page_size;

    return bytes < (1u << 20) ? (size_t)bytes : 1u << 20;
}

/* The room that begin needs: from the struct for short reads, else one allocation. */
static ps_err read_memory(struct ps_read *r, uint32_t pages)
{
    if (pages <= sizeof(r->inline_pages) / sizeof(r->inline_pages[0])) {
        r->iov = r->inline_iov;
        r->pages = r->inline_pages;
        return PS_OK;
    }
    r->memory = malloc(pages * (sizeof(*r->iov) + sizeof(*r->pages)));
    if (!r->memory)
        return ps_fail(PS_ERR_NOMEM, "no memory for a read of %u pages", pages);
    r->iov = r->memory;
    r->pages = (struct ps_page **)(r->iov + pages);
    return PS_OK;
}

/* Pins what is resident; returns how many are not. A page that is not allocated stays NULL. */
static uint32_t pin_resident(struct ps_table *t, const struct span *sp, struct ps_page **pages)
{
    struct ps_tag tag = {.table = t->id};
    uint32_t i, missing = 0;

    for (i = 0; i < sp->count; i++) {
        tag.page = (uint32_t)sp->first + i;
        if (ps_pool_pin(t->store->pool, &tag, PS_PIN_RESIDENT, NULL, &pages[i])) {
            pages[i] = NULL;
            missing++;
        }
    }
    t->counters.page_hits += sp->count - missing;
    return missing;
}

/* The only page of a read, which is not resident. It stays NULL where it is not allocated. */
static ps_err pin_missing_one(struct ps_table *t, uint32_t page_no, struct ps_page **ret)
{
    const struct ps_tag tag = {.table = t->id, .page = page_no};
    struct ps_map_entry entry;
    ps_err err = ps_map_get(&t->map, page_no, &entry);

    if (err || entry.state == PS_FREE)
        return err;
    t->counters.page_misses++;
    return ps_pool_pin(t->store->pool, &tag, PS_PIN_LOAD, NULL, ret);
}

/* Reads what is missing, in one batch; *ret_count is cut before the first page that cannot be read,
 * unless that is an error. */
static ps_err pin_missing(struct ps_table *t, const struct span *sp, unsigned flags,
                          struct ps_page **pages, uint32_t *ret_count)
{
    size_t each = sizeof(struct ps_tag) + sizeof(struct ps_page *) + sizeof(ps_err) +
                  sizeof(struct ps_map_entry) + sizeof(uint32_t);
    struct ps_map_entry *entries = malloc(sp->count * each);
    struct ps_page **got;
    struct ps_tag *tags;
    uint32_t *at, i, n = 0;
    ps_err err, *errs, first = PS_OK;

    if (!entries)
        return ps_fail(PS_ERR_NOMEM, "no memory for a read of %u pages", sp->count);
    got = (struct ps_page **)(entries + sp->count);
    tags = (struct ps_tag *)(got + sp->count);
    at = (uint32_t *)(tags + sp->count);
    errs = (ps_err *)(at + sp->count);
    err = ps_map_get_range(&t->map, (uint32_t)sp->first, sp->count, entries);
    for (i = 0; !err && i < sp->count; i++) {
        if (pages[i] || entries[i].state == PS_FREE)
            continue;
        at[n] = i;
        tags[n++] = (struct ps_tag){.table = t->id, .page = (uint32_t)sp->first + i};
    }
    if (!err && n > 0) {
        t->counters.page_misses += n;
        first = ps_pool_pin_many(t->store->pool, tags, n, got, errs);
        *ret_count = sp->count;
        for (i = 0; i < n; i++) {
            pages[at[i]] = got[i];
            if (errs[i] && at[i] < *ret_count)
                *ret_count = at[i];
        }
        if (first && (*ret_count == 0 || flags & PS_READ_WHOLE))
            err = first;
    }
    free(entries);
    return err;
}

static void unpin_all(struct ps_read *r)
{
    uint32_t i;

    for (i = 0; i < r->page_count; i++)
        if (r->pages[i])
            ps_pool_unpin(r->table->store->pool, r->pages[i]);
}

/* Frames of pages that were read or written in a row often lie in a row: one piece is cheaper. */
static void add_piece(struct ps_read *r, uint8_t *bytes, size_t len)
{
    struct iovec *last = r->iov_count > 0 ? &r->iov[r->iov_count - 1] : NULL;

    if (last && (uint8_t *)last->iov_base + last->iov_len == bytes)
        last->iov_len += len;
    else
        r->iov[r->iov_count++] = (struct iovec){.iov_base = bytes, .iov_len = len};
    r->len += len;
}

/* Latches what is pinned and points iov at it; holes are zeros. */
static void make_iov(struct ps_read *r, const struct span *sp, uint32_t count)
{
    struct ps_store *s = r->table->store;
    size_t left = sp->len;
    uint32_t i, skip = (uint32_t)(sp->off % sp->page_bytes);

    for (i = 0; i < count && left > 0; i++) {
        size_t n = sp->page_bytes - skip < left ? sp->page_bytes - skip : left;
        uint8_t *bytes = s->zero_page;

        if (r->pages[i]) {
            ps_page_latch_shared_sealed(s->pool, r->pages[i]);
            bytes = r->pages[i]->data;
        }
        add_piece(r, bytes + sp->page_off + skip, n);
        left -= n;
        skip = 0;
    }
    r->latched = i;
}

/* The pages are unreadable or damaged, and the store was told to serve what there is. */
static ps_err serve_damaged(struct ps_read *r, const struct span *sp, ps_err err)
{
    struct ps_table *t = r->table;
    uint32_t skip = (uint32_t)(sp->off % sp->page_bytes);
    struct ps_pagefile_page page = {.page_no = sp->first};
    ps_err read_err;

    r->bounce = ps_buf_alloc(t->store->page_size);
    if (!r->bounce)
        return err;
    page.buf = r->bounce;
    read_err = ps_table_read_disk(t, &page, 1);
    if (read_err)
        return read_err;
    r->len = sp->page_bytes - skip < sp->len ? sp->page_bytes - skip : sp->len;
    r->iov = r->inline_iov;
    r->iov[0] =
        (struct iovec){.iov_base = (uint8_t *)r->bounce + sp->page_off + skip, .iov_len = r->len};
    r->iov_count = 1;
    return PS_OK;
}

/* What [off, off + len) of the space is in pages; len 0 past its end. The table's lock is held. */
static ps_err find_span(struct ps_table *t, enum ps_space space, uint64_t off, size_t len,
                        unsigned flags, struct span *ret)
{
    struct span sp = {.off = off, .len = len};
    uint64_t end = UINT64_MAX;
    ps_err err = ps_space_shape(t, space, &sp.page_bytes, &sp.page_off);

    if (!err && !(flags & PS_READ_PAGE))
        err = space_len_locked(t, space, &end);
    if (err)
        return err;
    if (off >= end)
        sp.len = 0;
    else if (sp.len > end - off)
        sp.len = (size_t)(end - off);
    sp.first = off / sp.page_bytes;
    if (sp.len > 0)
        sp.count = (uint32_t)((off + sp.len - 1) / sp.page_bytes - sp.first + 1);
    *ret = sp;
    return PS_OK;
}

static ps_err pin_span(struct ps_read *r, const struct span *sp, unsigned flags,
                       uint32_t *ret_count)
{
    struct ps_table *t = r->table;
    uint32_t missing;
    ps_err err = PS_OK;

    *ret_count = sp->count;
    r->page_count = sp->count;
    missing = pin_resident(t, sp, r->pages);
    t->counters.page_reads += sp->count;
    ps_readahead_note(t, sp->first, sp->count, missing > 0);
    if (missing && sp->count == 1)
        err = pin_missing_one(t, (uint32_t)sp->first, &r->pages[0]);
    else if (missing)
        err = pin_missing(t, sp, flags, r->pages, ret_count);
    if (!err && (flags & PS_READ_PAGE) && !r->pages[0])
        err = ps_fail(PS_ERR_NOENT, "page %llu of table %u is not allocated",
                      (unsigned long long)sp->first, t->id);
    return err;
}

ps_err ps_read_begin(struct ps_table *t, enum ps_space space, uint64_t off, size_t len,
                     unsigned flags, struct ps_cancel *cancel, struct ps_read *r)
{
    struct ps_store *s = t->store;
    uint64_t from_us = ps_io_now_us(s->io);
    struct span sp;
    uint32_t count = 0;
    ps_err err;

    memset(r, 0, offsetof(struct ps_read, inline_iov));
    r->table = t;
    if (len > ps_read_max(s))
        len = ps_read_max(s);
    /* One page more than the bytes take: they may begin in the middle of one. */
    r->reserved = (uint32_t)(len / (s->page_size - t->fmt->header_len)) + 2 + READ_EXTRA_FRAMES;
    err = ps_pool_reserve(s->pool, r->reserved, cancel);
    if (err) {
        r->reserved = 0;
        return err;
    }
    err = lock_known(t);
    if (err)
        goto out;
    err = find_span(t, space, off, len, flags, &sp);
    if (!err && sp.count > 0) {
        err = read_memory(r, sp.count);
        if (!err)
            err = pin_span(r, &sp, flags, &count);
        if (err == PS_ERR_CORRUPT && s->serve_corrupt &&
            (sp.count == 1 || !(flags & PS_READ_WHOLE)))
            err = serve_damaged(r, &sp, err);
        else if (!err)
            make_iov(r, &sp, count);
    }
    ps_rwlock_unlock(&t->alloc_lock);
out:
    if (err)
        ps_read_end(r);
    else
        ps_histogram_add(&s->meters->reads, ps_io_now_us(s->io) - from_us);
    return err;
}

void ps_read_end(struct ps_read *r)
{
    struct ps_pool *pool = r->table->store->pool;
    uint32_t i;

    for (i = 0; i < r->latched; i++)
        if (r->pages[i])
            ps_page_unlatch(pool, r->pages[i]);
    unpin_all(r);
    if (r->reserved)
        ps_pool_release(pool, r->reserved);
    ps_buf_free(r->bounce);
    free(r->memory);
    memset(r, 0, offsetof(struct ps_read, inline_iov));
}

ps_err ps_read(struct ps_table *t, enum ps_space space, uint64_t off, void *buf, size_t len,
               struct ps_cancel *cancel, size_t *ret_len)
{
    size_t done = 0;

    while (done < len) {
        struct ps_read r;
        size_t got;
        int i;
        ps_err err = ps_read_begin(t, space, off + done, len - done, 0, cancel, &r);

        if (err && done == 0)
            return err;
        if (err)
            break;
        got = r.len;
        for (i = 0; i < r.iov_count; i++) {
            memcpy((uint8_t *)buf + done, r.iov[i].iov_base, r.iov[i].iov_len);
            done += r.iov[i].iov_len;
        }
        ps_read_end(&r);
        if (got == 0)
            break;
    }
    *ret_len = done;
    return PS_OK;
}
