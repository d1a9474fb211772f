/*
 * table_write.c - bytes written to a table: one write is one group, however many pages it covers.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

#define WRITE_MAX (1u << 20)
#define PAGES_FEW 4u /* up to this many pages are written without allocating memory */

/* A write, in pages: the bytes go to [first, first + count); pages [gap, first) become virgin. */
struct write_plan {
    enum ps_space space;
    uint32_t page_bytes, page_off; /* of the space */
    uint64_t off;
    const uint8_t *buf;
    size_t len;
    uint32_t first, count;
    uint32_t gap;         /* == first: none */
    uint64_t payload_len; /* of the table after the write */
    bool grows;           /* gap, or payload length */
};

/* Frames that the map takes of a write of `pages` pages and a gap before them, wherever they lie:
 * each may cross the border between two of the root's subtrees. */
static uint32_t map_frames_max(const struct ps_store *s, uint32_t pages)
{
    uint32_t border;
    struct ps_map map;

    ps_map_init(&map, s->pool, 0, 0, s->page_size);
    border = (uint32_t)(map.cover[map.levels - 2] - 1);
    return ps_map_set_frames(&map, border, pages + 1) + ps_map_set_frames(&map, border, 2);
}

/* Log that each page of a group is reckoned with (ps_group_begin). */
static uint64_t page_log_max(const struct ps_store *s)
{
    struct ps_record rec = {.ref_count = PS_GROUP_RANGES_MAX};

    rec.refs[0] =
        (struct ps_ref){.flags = PS_REF_IMAGE, .len = s->page_size, .after_len = s->page_size};
    return ps_record_len(&rec) + (s->opts.log_before_images ? 2 * (uint64_t)s->page_size : 0);
}

uint32_t ps_change_pages_reckon(const struct ps_store *s)
{
    uint64_t frames = ps_pool_frames(s->pool);
    uint64_t by_log =
        s->wal ? (ps_wal_group_max(s->wal) - PS_GROUP_EXTRA_MAX) / page_log_max(s) : 0;
    uint64_t overhead = PS_LOAD_FRAMES + 1u;

    if (frames > by_log)
        frames = by_log;
    if (frames > UINT32_MAX / 2)
        frames = UINT32_MAX / 2;
    overhead += map_frames_max(s, (uint32_t)frames);
    return frames > overhead ? (uint32_t)(frames - overhead) : 1;
}

size_t ps_write_max(const struct ps_store *s)
{
    /* One page more than the bytes fill: they need not begin at a page's start. */
    uint64_t pages = s->change_pages_max;
    uint64_t max = (pages - 1) * (s->page_size - ps_format_native.header_len);

    if (max < s->page_size)
        return s->page_size;
    return max < WRITE_MAX ? (size_t)max : WRITE_MAX;
}

/* Where the write goes and what it does to the table's size: certain if the table's lock is held, a
 * guess otherwise. */
static ps_err make_plan(struct ps_table *t, unsigned flags, struct write_plan *p)
{
    uint64_t end, last;
    ps_err err = ps_space_shape(t, p->space, &p->page_bytes, &p->page_off);

    if (err)
        return err;
    if (flags & PS_WRITE_APPEND)
        p->off = p->space == PS_SPACE_IMAGE ? t->pages_end * p->page_bytes : t->payload_len;
    end = p->off + p->len;
    last = (end - 1) / p->page_bytes;
    if (end < p->off || last >= PS_MAP_PAGES_MAX)
        return ps_fail(PS_ERR_RANGE, "a table has at most %u pages", PS_MAP_PAGES_MAX);
    p->first = (uint32_t)(p->off / p->page_bytes);
    p->count = (uint32_t)last - p->first + 1;
    p->gap = p->first;
    p->payload_len = t->payload_len;
    if (p->space == PS_SPACE_PAYLOAD) {
        if (t->pages_end < p->first)
            p->gap = (uint32_t)t->pages_end;
        if (p->payload_len < end)
            p->payload_len = end;
    } else if (last >= t->pages_end && ps_table_has_payload(t)) {
        p->payload_len = (last + 1) * (p->page_bytes - t->fmt->header_len);
    }
    p->grows = p->gap != p->first || p->payload_len != t->payload_len;
    return PS_OK;
}

static bool is_new(const struct ps_map_entry *e)
{
    return e->state == PS_FREE || e->state == PS_VIRGIN;
}

/* The part of the write that goes to its page i: bytes of the page, and where in buf. */
static void piece(const struct write_plan *p, uint32_t i, uint32_t *ret_off, uint32_t *ret_len,
                  size_t *ret_at)
{
    uint64_t page_start = (uint64_t)(p->first + i) * p->page_bytes;
    uint64_t start = p->off > page_start ? p->off : page_start;
    uint64_t end = p->off + p->len;

    if (end > page_start + p->page_bytes)
        end = page_start + p->page_bytes;
    *ret_off = p->page_off + (uint32_t)(start - page_start);
    *ret_len = (uint32_t)(end - start);
    *ret_at = (size_t)(start - p->off);
}

/* Pins every page of the write; those that need not be read are not. */
static ps_err pin_pages(struct ps_change *c, const struct write_plan *p,
                        const struct ps_map_entry *entries, struct ps_page **pages)
{
    uint32_t i, off, len;
    size_t at;
    ps_err err = PS_OK;

    for (i = 0; !err && i < p->count; i++) {
        bool whole;

        piece(p, i, &off, &len, &at);
        whole = off == 0 && len == c->table->store->page_size;
        err = ps_change_page(c, p->first + i,
                             whole || is_new(&entries[i]) ? PS_PIN_NEW : PS_PIN_LOAD, &pages[i]);
    }
    return err;
}

/* What the write does to the map; returns how many ranges. */
static size_t ranges_of(const struct write_plan *p, struct ps_map_range ranges[2])
{
    size_t n = 0;

    if (p->gap != p->first)
        ranges[n++] = (struct ps_map_range){.first = p->gap, .count = p->first - p->gap};
    ranges[n++] = (struct ps_map_range){.first = p->first, .count = p->count};
    return n;
}

static ps_err prepare(struct ps_change *c, const struct write_plan *p, bool changes_state)
{
    struct ps_map_range ranges[2];
    size_t n = ranges_of(p, ranges);
    ps_err err = PS_OK;

    if (changes_state) {
        err = ps_table_open_files(c->table);
        if (!err)
            err = ps_pagefile_reserve(&c->table->data, p->first, p->count);
    }
    if (!err && p->grows && !changes_state)
        err = ps_map_prepare_root(&c->table->map, &c->g);
    if (!err)
        err = ps_change_prepare(c, ranges, n, changes_state);
    return err;
}

/* Copies the bytes in and stamps what is the store's own. */
static void fill_page(struct ps_change *c, const struct write_plan *p, uint32_t i, bool fresh,
                      struct ps_page *page)
{
    const struct ps_page_ident who = ps_table_ident(c->table, p->first + i);
    uint32_t off, len;
    size_t at;

    piece(p, i, &off, &len, &at);
    if (fresh) {
        (void)ps_group_write(&c->g, page, 0, who.page_size);
        page->fmt->init(page->data, &who, c->table->type);
    } else {
        (void)ps_group_write(&c->g, page, off, len);
    }
    memcpy(page->data + off, p->buf + at, len);
    page->fmt->stamp(page->data, &who);
}

/* Everything is pinned: nothing fails from here on. */
static void apply(struct ps_change *c, const struct write_plan *p,
                  const struct ps_map_entry *entries, struct ps_page **pages, bool changes_state)
{
    uint8_t zero_bits[WRITE_MAX / PS_PAGE_SIZE_MIN / 8 + 2] = {0};
    struct ps_table *t = c->table;
    uint32_t i;

    for (i = 0; i < p->count; i++) {
        fill_page(c, p, i, is_new(&entries[i]), pages[i]);
        if (ps_page_is_blank(pages[i]->fmt, pages[i]->data, t->store->page_size))
            zero_bits[i / 8] |= (uint8_t)(1u << (i % 8));
    }
    if (p->gap != p->first)
        ps_map_apply_set(&t->map, &c->g, p->gap, p->first - p->gap, PS_VIRGIN);
    if (changes_state)
        ps_map_apply_set(&t->map, &c->g, p->first, p->count, PS_USED);
    ps_map_apply_touch(&t->map, &c->g, p->first, p->count, zero_bits);
    if (p->payload_len != t->payload_len)
        ps_map_apply_payload_len(&t->map, &c->g, p->payload_len);
}

/* Reports what was created and what changed, and brings the table's own numbers up to date. */
static void announce(struct ps_change *c, const struct write_plan *p,
                     const struct ps_map_entry *entries)
{
    struct ps_table *t = c->table;
    struct ps_event event = {.kind = PS_EVENT_PAGES_CREATED, .table = t->id, .first = p->gap};
    uint32_t i;

    event.count = p->first - p->gap;
    for (i = 0; i <= p->count; i++) {
        if (i < p->count && entries[i].state == PS_FREE) {
            event.count++;
            continue;
        }
        if (event.count)
            ps_store_event(t->store, &event);
        t->counters.pages_created += event.count;
        event.first = p->first + i + 1;
        event.count = 0;
    }
    event = (struct ps_event){
        .kind = PS_EVENT_PAGES_CHANGED, .table = t->id, .first = p->first, .count = p->count};
    ps_store_event(t->store, &event);
    t->counters.writes++;
    t->counters.pages_written += p->count;
    t->counters.bytes_written += p->len;
    if (!c->exclusive)
        return;
    if (t->pages_end < (uint64_t)p->first + p->count)
        t->pages_end = (uint64_t)p->first + p->count;
    t->payload_len = p->payload_len;
}

/* One attempt, with the table's lock held and the plan made. *ret_retry: the table's states would
 * change and the lock is shared. entries and pages: room for p->count of them. */
static ps_err write_pages(struct ps_change *c, const struct write_plan *p, unsigned flags,
                          struct ps_map_entry *entries, struct ps_page **pages, bool *ret_retry,
                          uint64_t *ret_lsn)
{
    bool changes = p->gap != p->first;
    uint32_t i;
    ps_err err;

    err = ps_map_get_range(&c->table->map, p->first, p->count, entries);
    for (i = 0; !err && i < p->count; i++)
        changes |= is_new(&entries[i]);
    if (!err && (flags & PS_WRITE_PAGE) && entries[0].state == PS_FREE)
        err = ps_fail(PS_ERR_NOENT, "page %u of table %u is not allocated", p->first, c->table->id);
    *ret_retry = !err && (changes || p->grows) && !c->exclusive;
    if (!err && !*ret_retry) {
        err = pin_pages(c, p, entries, pages);
        if (!err)
            err = prepare(c, p, changes);
        if (!err) {
            apply(c, p, entries, pages, changes);
            *ret_lsn = ps_change_commit(c);
            announce(c, p, entries);
        }
    }
    return err;
}

static ps_err write_locked(struct ps_change *c, const struct write_plan *p, unsigned flags,
                           bool *ret_retry, uint64_t *ret_lsn)
{
    struct ps_map_entry few_entries[PAGES_FEW], *entries = few_entries;
    struct ps_page *few_pages[PAGES_FEW], **pages = few_pages;
    ps_err err;

    if (p->count <= PAGES_FEW)
        return write_pages(c, p, flags, entries, pages, ret_retry, ret_lsn);
    entries = malloc(p->count * sizeof(*entries));
    pages = malloc(p->count * sizeof(*pages));
    if (entries && pages)
        err = write_pages(c, p, flags, entries, pages, ret_retry, ret_lsn);
    else
        err = ps_fail(PS_ERR_NOMEM, "no memory for a write of %u pages", p->count);
    free(entries);
    free(pages);
    return err;
}

static bool same_place(const struct write_plan *a, const struct write_plan *b)
{
    return a->first == b->first && a->count == b->count && a->gap == b->gap;
}

/* The plan by which room is reserved. It is made again under the lock. */
static ps_err plan_ahead(struct ps_table *t, unsigned flags, struct ps_cancel *cancel,
                         struct write_plan *plan)
{
    ps_err err = PS_OK;

    if (!t->summary_known) {
        err = ps_table_lock_known(t, cancel);
        if (!err)
            ps_table_unlock(t);
    }
    return err ? err : make_plan(t, flags, plan);
}

/* Plans, reserves, locks, and writes if the plan still holds then. */
static ps_err write_once(struct ps_table *t, struct write_plan *plan, unsigned flags,
                         bool exclusive, struct ps_cancel *cancel, bool *ret_retry,
                         uint64_t *ret_lsn)
{
    struct ps_map_range ranges[2];
    struct ps_change_needs needs;
    struct write_plan before;
    struct ps_change c;
    ps_err err = plan_ahead(t, flags, cancel, plan);

    *ret_retry = false;
    if (err)
        return err;
    before = *plan;
    needs = (struct ps_change_needs){.pages = plan->count,
                                     .bytes = plan->len,
                                     .ranges = ranges,
                                     .range_count = ranges_of(plan, ranges),
                                     .exclusive = exclusive || plan->grows};
    err = ps_change_begin(&c, t, &needs, cancel);
    if (err)
        return err;
    err = make_plan(t, flags, plan);
    if (!err && !same_place(&before, plan))
        *ret_retry = true;
    else if (!err)
        err = write_locked(&c, plan, flags, ret_retry, ret_lsn);
    if (!err && !*ret_retry) {
        ps_change_end(&c);
        return PS_OK;
    }
    ps_change_abandon(&c);
    if (err == PS_ERR_CONFLICT) {
        err = ps_change_wait(&c, cancel);
        *ret_retry = !err;
    }
    return err;
}

ps_err ps_write(struct ps_table *t, enum ps_space space, uint64_t off, const void *buf, size_t len,
                unsigned flags, struct ps_cancel *cancel)
{
    struct write_plan plan = {.space = space, .off = off, .buf = buf, .len = len};
    uint64_t from_us = ps_io_now_us(t->store->io);
    uint32_t page_size = t->store->page_size;
    bool retry = true, exclusive = false;
    uint64_t lsn = 0;
    ps_err err = ps_table_writable(t);

    if (err || len == 0)
        return err;
    if (len > ps_write_max(t->store))
        return ps_fail(PS_ERR_RANGE, "a write of %zu bytes: at most %zu", len,
                       ps_write_max(t->store));
    if ((flags & PS_WRITE_PAGE) && off % page_size + len > page_size)
        return ps_fail(PS_ERR_RANGE, "the write passes the end of page %llu",
                       (unsigned long long)(off / page_size));
    while (!err && retry) {
        err = write_once(t, &plan, flags, exclusive, cancel, &retry, &lsn);
        exclusive = true;
    }
    if (!err && (flags & PS_WRITE_DURABLE))
        err = ps_wal_flush(t->store->wal, lsn, cancel);
    if (!err)
        ps_histogram_add(&t->store->meters->writes, ps_io_now_us(t->store->io) - from_us);
    return err;
}
