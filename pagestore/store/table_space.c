/*
 * table_space.c - the size of a table and its holes: truncate, allocate, punch, seek.
 *
 * Of a table with a payload, pages_end is always the payload's length in pages, rounded up.
 */
#include <string.h>

#include "store/store_internal.h"

#define ALLOCATED (1u << PS_VIRGIN | 1u << PS_USED | 1u << PS_ZERO)
#define WRITTEN (1u << PS_USED | 1u << PS_ZERO)
#define PUNCH_FILE_MIN_PAGES 4u /* fewer are not worth a call to the file system */

/* The pages are gone whether the file system takes their space or not: it is an error of nobody's
 * call, and the table's next pages can use what it keeps. */
static void give_space_back(struct ps_table *t, uint64_t first, uint64_t count)
{
    ps_err err = ps_table_open_files(t);

    if (!err)
        err = first >= t->pages_end ? ps_pagefile_truncate(&t->data, t->pages_end)
                                    : ps_pagefile_punch(&t->data, first, count);
    if (err)
        ps_store_say(t->store, PS_MSG_WARNING,
                     "table %u keeps the disk space of %llu pages that are gone: %s", t->id,
                     (unsigned long long)count, ps_message());
}

/* [first, first + count) were freed, or made virgin, by the group of LSN lsn: their frames go at
 * once, their space on disk once that is durable. The table's lock is held exclusively. */
static ps_err let_go(struct ps_table *t, uint64_t first, uint64_t count, bool freed, uint64_t lsn)
{
    struct ps_store *s = t->store;
    const struct ps_event event = {
        .kind = freed ? PS_EVENT_PAGES_FREED : PS_EVENT_PAGES_CHANGED,
        .table = t->id,
        .first = first,
        .count = count,
    };
    ps_err err;

    ps_pool_drop(s->pool, 0, t->id, PS_FORK_DATA, (uint32_t)first, (uint32_t)(first + count - 1));
    ps_store_event(s, &event);
    if (freed)
        t->counters.pages_freed += count;
    if (count < PUNCH_FILE_MIN_PAGES)
        return PS_OK;
    err = ps_wal_flush(s->wal, lsn, NULL);
    if (!err)
        give_space_back(t, first, count);
    return err;
}

/* Tells that a page's owner is a transaction that has not ended. */
static ps_err check_unlocked(struct ps_table *t, uint64_t first, uint64_t last)
{
    if (!ps_range_locked(&t->store->txns, t->id, (uint32_t)first, (uint32_t)last))
        return PS_OK;
    return ps_fail(PS_ERR_CONFLICT, "a page of table %u is locked by a transaction", t->id);
}

/* --- truncate ----------------------------------------------------------------------------- */

/* What is asked of it. */
struct resize {
    enum ps_space space;
    uint64_t len;
    bool only_grow; /* a table that is longer is left alone */
};

/* What a truncate does. */
struct cut {
    uint64_t end;              /* pages after */
    uint64_t payload_len;      /* after */
    uint32_t tail_off;         /* of page end - 1: bytes from here on become zeros; 0: none */
    struct ps_map_range last;  /* page end - 1, unless it is among `fresh`: it is allocated after,
                                  whatever it was */
    struct ps_map_range gone;  /* pages that are freed */
    struct ps_map_range fresh; /* pages that are allocated */
};

/* PS_ERR_EXIST: the table is to grow only, and is that long. */
static ps_err plan_truncate(struct ps_table *t, const struct resize *to, struct cut *ret)
{
    const enum ps_space space = to->space;
    const uint64_t len = to->len;
    struct cut cut = {0};
    uint32_t page_bytes, page_off, end;
    ps_err err = ps_space_shape(t, space, &page_bytes, &page_off);

    if (err)
        return err;
    if (to->only_grow &&
        len <= (space == PS_SPACE_IMAGE ? t->pages_end * page_bytes : t->payload_len))
        return PS_ERR_EXIST;
    if (space == PS_SPACE_IMAGE && len % page_bytes != 0)
        return ps_fail(PS_ERR_INVAL, "length %llu is not a multiple of the page size %u",
                       (unsigned long long)len, page_bytes);
    cut.end = len / page_bytes + (len % page_bytes != 0);
    if (cut.end > PS_MAP_PAGES_MAX)
        return ps_fail(PS_ERR_RANGE, "a table has at most %u pages", PS_MAP_PAGES_MAX);
    end = (uint32_t)cut.end;
    if (space == PS_SPACE_PAYLOAD)
        cut.payload_len = len;
    else if (ps_table_has_payload(t))
        cut.payload_len = cut.end * (page_bytes - t->fmt->header_len);
    if (cut.payload_len < t->payload_len && cut.payload_len % page_bytes != 0 &&
        space == PS_SPACE_PAYLOAD)
        cut.tail_off = page_off + (uint32_t)(len % page_bytes);
    if (cut.end > t->pages_end)
        cut.fresh = (struct ps_map_range){.first = (uint32_t)t->pages_end,
                                          .count = end - (uint32_t)t->pages_end};
    else if (cut.end > 0)
        cut.last = (struct ps_map_range){.first = end - 1, .count = 1};
    if (cut.end < t->pages_end)
        cut.gone = (struct ps_map_range){.first = end, .count = (uint32_t)(t->pages_end - cut.end)};
    *ret = cut;
    return PS_OK;
}

/* The cut's ranges that are not empty, ascending. */
static size_t cut_ranges(const struct cut *cut, struct ps_map_range ranges[2])
{
    size_t n = 0;

    if (cut->last.count)
        ranges[n++] = cut->last;
    if (cut->gone.count)
        ranges[n++] = cut->gone;
    if (cut->fresh.count)
        ranges[n++] = cut->fresh;
    return n;
}

/* Pins what the cut changes. *ret_tail: the page whose end becomes zeros, or NULL. */
static ps_err cut_prepare(struct ps_change *c, const struct cut *cut, struct ps_map_entry *ret_last,
                          struct ps_page **ret_tail)
{
    struct ps_table *t = c->table;
    struct ps_map_range ranges[2];
    size_t n = cut_ranges(cut, ranges);
    ps_err err = check_unlocked(t, cut->end ? cut->end - 1 : 0, UINT32_MAX);

    *ret_tail = NULL;
    *ret_last = (struct ps_map_entry){.state = PS_VIRGIN};
    if (!err && cut->last.count)
        err = ps_map_get(&t->map, cut->last.first, ret_last);
    if (!err && cut->tail_off && (1u << ret_last->state & WRITTEN))
        err = ps_change_page(c, cut->last.first, PS_PIN_LOAD, ret_tail);
    if (!err)
        err = n ? ps_change_prepare(c, ranges, n, true) : ps_map_prepare_root(&t->map, &c->g);
    return err;
}

static ps_err cut_locked(struct ps_change *c, const struct cut *cut, uint64_t *ret_lsn)
{
    struct ps_table *t = c->table;
    struct ps_map_entry last;
    struct ps_page *tail;
    ps_err err = cut_prepare(c, cut, &last, &tail);

    if (err)
        return err;
    if (tail) {
        uint32_t n = t->store->page_size - cut->tail_off;

        memset(ps_group_write(&c->g, tail, cut->tail_off, n), 0, n);
        ps_map_apply_touch(&t->map, &c->g, cut->last.first, 1, NULL);
    }
    if (last.state == PS_FREE)
        ps_map_apply_set(&t->map, &c->g, cut->last.first, 1, PS_VIRGIN);
    if (cut->gone.count)
        ps_map_apply_set(&t->map, &c->g, cut->gone.first, cut->gone.count, PS_FREE);
    if (cut->fresh.count)
        ps_map_apply_set(&t->map, &c->g, cut->fresh.first, cut->fresh.count, PS_VIRGIN);
    if (cut->payload_len != t->payload_len)
        ps_map_apply_payload_len(&t->map, &c->g, cut->payload_len);
    *ret_lsn = ps_change_commit(c);
    return PS_OK;
}

/* Brings the table's numbers, the pool, the users and the file up to date. */
static ps_err cut_done(struct ps_change *c, const struct cut *cut, uint64_t lsn)
{
    struct ps_table *t = c->table;
    const struct ps_event event = {
        .kind = cut->fresh.count ? PS_EVENT_PAGES_CREATED : PS_EVENT_PAGES_CHANGED,
        .table = t->id,
        .first = cut->fresh.first,
        .count = cut->fresh.count,
    };

    t->pages_end = cut->end;
    t->payload_len = cut->payload_len;
    t->counters.pages_created += cut->fresh.count;
    if (cut->gone.count)
        return let_go(t, cut->gone.first, cut->gone.count, true, lsn);
    ps_store_event(t->store, &event);
    return PS_OK;
}

/* Begins a change whose ranges depend on the table's size: plans, reserves, and plans again under
 * the lock, until both say the same. */
static ps_err cut_begin(struct ps_change *c, struct ps_table *t, const struct resize *to,
                        struct cut *cut, struct ps_cancel *cancel)
{
    struct ps_map_range ranges[2];
    struct ps_change_needs needs = {
        .pages = 1, .bytes = t->store->page_size, .ranges = ranges, .exclusive = true};
    struct cut before;
    ps_err err;

    for (;;) {
        err = ps_table_lock_known(t, cancel);
        if (err)
            return err;
        err = plan_truncate(t, to, &before);
        ps_table_unlock(t);
        if (err)
            return err;
        needs.range_count = cut_ranges(&before, ranges);
        err = ps_change_begin(c, t, &needs, cancel);
        if (err)
            return err;
        err = plan_truncate(t, to, cut);
        if (!err && memcmp(&before.gone, &cut->gone, sizeof(cut->gone)) == 0 &&
            memcmp(&before.fresh, &cut->fresh, sizeof(cut->fresh)) == 0)
            return PS_OK;
        ps_change_abandon(c);
        if (err)
            return err;
    }
}

static ps_err try_truncate(struct ps_table *t, const struct resize *to, uint64_t *ret_end,
                           struct ps_cancel *cancel)
{
    struct ps_change c;
    struct cut cut;
    uint64_t lsn = 0;
    ps_err err = ps_table_writable(t);

    if (!err)
        err = cut_begin(&c, t, to, &cut, cancel);
    if (err)
        return err;
    *ret_end = cut.end;
    err = cut_locked(&c, &cut, &lsn);
    if (err) {
        ps_change_abandon(&c);
        return err;
    }
    err = cut_done(&c, &cut, lsn);
    ps_change_end(&c);
    return err;
}

static ps_err resize(struct ps_table *t, const struct resize *to, struct ps_cancel *cancel)
{
    uint64_t end = 0;
    ps_err err;

    while ((err = try_truncate(t, to, &end, cancel)) == PS_ERR_CONFLICT) {
        err = ps_range_lock_wait(&t->store->txns, t->id, end ? (uint32_t)end - 1 : 0, UINT32_MAX,
                                 cancel);
        if (err)
            return err;
    }
    return err;
}

ps_err ps_truncate(struct ps_table *t, enum ps_space space, uint64_t len, struct ps_cancel *cancel)
{
    return resize(t, &(struct resize){.space = space, .len = len}, cancel);
}

/* --- ranges of one state ------------------------------------------------------------------ */

/* Pages that are emptied in one step. */
struct hole {
    struct ps_map_range pages;
    enum ps_page_state state; /* that they come into: PS_FREE or PS_VIRGIN */
    uint64_t payload_max;     /* a longer payload would lose bytes that the hole does not reach */
};

/* Does it reach what must not be emptied: pages past the table's end, its last one, if pages are
 * freed, or the end of a payload that has grown? The table's lock is held. */
static bool reaches_end(const struct ps_table *t, const struct hole *hole)
{
    uint64_t end = (uint64_t)hole->pages.first + hole->pages.count;

    return end > t->pages_end || (hole->state == PS_FREE && end == t->pages_end) ||
           t->payload_len > hole->payload_max;
}

static ps_err try_empty(struct ps_table *t, const struct hole *hole, struct ps_cancel *cancel,
                        bool *ret_again)
{
    const struct ps_map_range *range = &hole->pages;
    const struct ps_change_needs needs = {.ranges = range, .range_count = 1, .exclusive = true};
    struct ps_change c;
    uint64_t lsn;
    ps_err err = ps_change_begin(&c, t, &needs, cancel);

    if (err)
        return err;
    *ret_again = reaches_end(t, hole);
    if (!*ret_again)
        err = check_unlocked(t, range->first, (uint64_t)range->first + range->count - 1);
    if (!err && !*ret_again)
        err = ps_change_prepare(&c, range, 1, true);
    if (err || *ret_again) {
        ps_change_abandon(&c);
        return err;
    }
    ps_map_apply_set(&t->map, &c.g, range->first, range->count, hole->state);
    lsn = ps_change_commit(&c);
    err = let_go(t, range->first, range->count, hole->state == PS_FREE, lsn);
    ps_change_end(&c);
    return err;
}

/* *ret_again: the table's end has moved into the hole, and nothing was changed. */
static ps_err empty(struct ps_table *t, const struct hole *hole, struct ps_cancel *cancel,
                    bool *ret_again)
{
    const struct ps_map_range *range = &hole->pages;
    ps_err err;

    while ((err = try_empty(t, hole, cancel, ret_again)) == PS_ERR_CONFLICT) {
        err = ps_range_lock_wait(&t->store->txns, t->id, range->first,
                                 range->first + (range->count - 1), cancel);
        if (err)
            return err;
    }
    return err;
}

/* Writes zeros into part of one page, unless it is a hole already, or gone. */
static ps_err zero_bytes(struct ps_table *t, uint64_t off, uint64_t len, uint32_t page_bytes,
                         uint32_t page_off, struct ps_cancel *cancel)
{
    uint64_t page = off / page_bytes;
    struct ps_map_entry e;
    ps_err err = ps_table_lock_known(t, cancel);

    if (err)
        return err;
    err = ps_map_get(&t->map, (uint32_t)page, &e);
    ps_table_unlock(t);
    if (err || !(1u << e.state & WRITTEN))
        return err;
    err = ps_write(t, PS_SPACE_IMAGE, page * t->store->page_size + page_off + off % page_bytes,
                   t->store->zero_page, (size_t)len, PS_WRITE_PAGE, cancel);
    return err == PS_ERR_NOENT ? PS_OK : err;
}

/* The edges of a hole that lie within a page. */
static ps_err punch_edges(struct ps_table *t, uint64_t off, uint64_t end, uint64_t size,
                          uint32_t page_bytes, uint32_t page_off, struct ps_cancel *cancel)
{
    uint64_t first_whole = (off + page_bytes - 1) / page_bytes * page_bytes;
    uint64_t last_whole = end / page_bytes * page_bytes;
    ps_err err = PS_OK;

    if (off < first_whole)
        err = zero_bytes(t, off, (end < first_whole ? end : first_whole) - off, page_bytes,
                         page_off, cancel);
    if (!err && last_whole >= first_whole && last_whole < end && end != size)
        err = zero_bytes(t, last_whole, end - last_whole, page_bytes, page_off, cancel);
    return err;
}

/* The pages [first, last) of an image. Its last page stays, empty, so that it keeps its size. */
static ps_err punch_image(struct ps_table *t, uint64_t first, uint64_t last, bool to_end,
                          struct ps_cancel *cancel, bool *ret_again)
{
    struct hole hole = {.payload_max = UINT64_MAX};
    ps_err err = PS_OK;

    if (to_end) {
        last--;
        hole.pages = (struct ps_map_range){.first = (uint32_t)last, .count = 1};
        hole.state = PS_VIRGIN;
        err = empty(t, &hole, cancel, ret_again);
    }
    hole.pages = (struct ps_map_range){.first = (uint32_t)first, .count = (uint32_t)(last - first)};
    hole.state = PS_FREE;
    if (!err && !*ret_again && first < last)
        err = empty(t, &hole, cancel, ret_again);
    return err;
}

static ps_err punch_payload(struct ps_table *t, uint64_t first, uint64_t last, uint64_t payload_max,
                            struct ps_cancel *cancel, bool *ret_again)
{
    const struct hole hole = {
        .pages = {.first = (uint32_t)first, .count = (uint32_t)(last - first)},
        .state = PS_VIRGIN,
        .payload_max = payload_max,
    };

    return empty(t, &hole, cancel, ret_again);
}

/* One attempt. *ret_again: the table's end has moved meanwhile. */
static ps_err try_punch(struct ps_table *t, enum ps_space space, uint64_t off, uint64_t len,
                        struct ps_cancel *cancel, bool *ret_again)
{
    uint32_t page_bytes = 0, page_off = 0;
    uint64_t size = 0, end, first, last;
    ps_err err = ps_space_len(t, space, &size);

    *ret_again = false;
    if (!err)
        err = ps_space_shape(t, space, &page_bytes, &page_off);
    if (err || off >= size)
        return err;
    end = len > size - off ? size : off + len;
    err = punch_edges(t, off, end, size, page_bytes, page_off, cancel);
    first = (off + page_bytes - 1) / page_bytes;
    last = (end == size ? end + page_bytes - 1 : end) / page_bytes;
    if (err || first >= last)
        return err;
    if (space == PS_SPACE_IMAGE)
        return punch_image(t, first, last, end == size, cancel, ret_again);
    return punch_payload(t, first, last, end == size ? size : UINT64_MAX, cancel, ret_again);
}

ps_err ps_punch(struct ps_table *t, enum ps_space space, uint64_t off, uint64_t len,
                struct ps_cancel *cancel)
{
    bool again = len > 0;
    ps_err err = ps_table_writable(t);

    while (!err && again)
        err = try_punch(t, space, off, len, cancel, &again);
    return err;
}

/* Finds the next run of pages in [from, end), and not past the table's end, that are not allocated,
 * under the table's lock. PS_ERR_NOENT: none. */
static ps_err find_free_run(struct ps_table *t, uint32_t from, uint32_t end,
                            struct ps_map_range *ret)
{
    uint32_t first = 0, stop;
    ps_err none, err = ps_map_next(&t->map, from, 1u << PS_FREE, &first, NULL);

    if (end > t->pages_end)
        end = (uint32_t)t->pages_end;
    if (!err && first >= end)
        err = PS_ERR_NOENT;
    if (err)
        return err;
    stop = end;
    none = ps_map_next(&t->map, first, ALLOCATED, &stop, NULL);
    if (none && none != PS_ERR_NOENT)
        return none;
    if (none || stop > end)
        stop = end;
    *ret = (struct ps_map_range){.first = first, .count = stop - first};
    return PS_OK;
}

static ps_err next_free_run(struct ps_table *t, uint32_t from, uint32_t end,
                            struct ps_map_range *ret, struct ps_cancel *cancel)
{
    ps_err err = ps_table_lock_known(t, cancel);

    if (err)
        return err;
    err = find_free_run(t, from, end, ret);
    ps_table_unlock(t);
    return err;
}

/* Makes the run's pages virgin, if under the lock they are all free still; else *ret_again: look
 * for one again. */
static ps_err allocate_run(struct ps_table *t, const struct ps_map_range *run,
                           struct ps_cancel *cancel, bool *ret_again)
{
    const struct ps_event event = {
        .kind = PS_EVENT_PAGES_CREATED, .table = t->id, .first = run->first, .count = run->count};
    const struct ps_change_needs needs = {.ranges = run, .range_count = 1, .exclusive = true};
    struct ps_map_range now = {0};
    struct ps_change c;
    ps_err err = ps_change_begin(&c, t, &needs, cancel);

    if (err)
        return err;
    err = find_free_run(t, run->first, run->first + run->count, &now);
    *ret_again = err == PS_ERR_NOENT || now.count != run->count;
    if (!err && !*ret_again)
        err = ps_change_prepare(&c, run, 1, true);
    if (err || *ret_again) {
        ps_change_abandon(&c);
        return err == PS_ERR_NOENT ? PS_OK : err;
    }
    ps_map_apply_set(&t->map, &c.g, run->first, run->count, PS_VIRGIN);
    (void)ps_change_commit(&c);
    t->counters.pages_created += run->count;
    ps_store_event(t->store, &event);
    ps_change_end(&c);
    return PS_OK;
}

/* Others may make the table longer meanwhile: what they add stays. */
static ps_err grow(struct ps_table *t, enum ps_space space, uint64_t len, struct ps_cancel *cancel)
{
    ps_err err = resize(t, &(struct resize){.space = space, .len = len, .only_grow = true}, cancel);

    return err == PS_ERR_EXIST ? PS_OK : err;
}

ps_err ps_allocate(struct ps_table *t, enum ps_space space, uint64_t off, uint64_t len,
                   bool keep_size, struct ps_cancel *cancel)
{
    uint32_t page_bytes = 0, page_off;
    uint64_t end = off + len, first, last;
    struct ps_map_range run;
    ps_err err = ps_table_writable(t);

    if (!err)
        err = ps_space_shape(t, space, &page_bytes, &page_off);
    if (err || len == 0)
        return err;
    if (end < off || end / page_bytes >= PS_MAP_PAGES_MAX)
        return ps_fail(PS_ERR_RANGE, "a table has at most %u pages", PS_MAP_PAGES_MAX);
    first = off / page_bytes;
    last = (end + page_bytes - 1) / page_bytes;
    err = ps_table_open_files(t);
    if (!err)
        err = ps_pagefile_reserve(&t->data, first, last - first);
    if (!err && !keep_size)
        err = grow(t, space, space == PS_SPACE_IMAGE ? last * page_bytes : end, cancel);
    while (!err && first < last) {
        bool again = false;

        err = next_free_run(t, (uint32_t)first, (uint32_t)last, &run, cancel);
        if (!err)
            err = allocate_run(t, &run, cancel, &again);
        if (!err && !again)
            first = (uint64_t)run.first + run.count;
    }
    return err == PS_ERR_NOENT ? PS_OK : err;
}

ps_err ps_seek(struct ps_table *t, enum ps_space space, uint64_t off, bool data, uint64_t *ret)
{
    uint32_t page_bytes = 0, page_off, page = 0;
    uint64_t size, at;
    unsigned wanted = data ? WRITTEN : ~WRITTEN & (ALLOCATED | 1u << PS_FREE);
    ps_err err = ps_table_lock_known(t, NULL);

    if (err)
        return err;
    err = ps_space_shape(t, space, &page_bytes, &page_off);
    size = space == PS_SPACE_IMAGE ? t->pages_end * page_bytes : t->payload_len;
    if (!err && off >= size)
        err = ps_fail(PS_ERR_NOENT, "offset %llu is past the end", (unsigned long long)off);
    if (!err)
        err = ps_map_next(&t->map, (uint32_t)(off / page_bytes), wanted, &page, NULL);
    ps_table_unlock(t);
    at = (uint64_t)page * page_bytes;
    if (!data && (err == PS_ERR_NOENT || at >= size) && off < size) {
        *ret = size; /* there is always a hole at the end */
        return PS_OK;
    }
    if (!err && at >= size)
        err = ps_fail(PS_ERR_NOENT, "no data past offset %llu", (unsigned long long)off);
    if (!err)
        *ret = at > off ? at : off;
    return err;
}
