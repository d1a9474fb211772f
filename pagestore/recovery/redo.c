/*
 * redo.c - repeats history in the pool.
 *
 * What changes of data pages imply for allocation maps is not put into the maps at once: most
 * pages change again soon, and only their last change counts. It waits in a table of touches, and
 * goes into the maps in the order of LSNs when the table is full, before a record of a map is
 * redone, and at the end.
 */
#include "recovery/recovery.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/map.h"

/* A redone reference pins its page and, on a miss, the provider may pin one more. */
#define REDO_FRAMES (1u + PS_LOAD_FRAMES)

/* Where the pool is too small for all that changes, pages that eviction will reach next are written
 * in sorted batches, not one by one when their frames are needed. */
#define WRITE_BEHIND_PAGES 64u

#define TOUCH_SLOTS 16384u             /* a power of two */
#define TOUCHES_MAX (TOUCH_SLOTS / 2u) /* so that looking for one is short */

/* What a page's change implies for its allocation map. */
struct touched {
    uint32_t table, page;
    uint64_t time_us;
    uint64_t lsn; /* of its group; 0: an empty slot */
    bool zero;
};

struct redo {
    const struct ps_analysis *a;
    struct ps_pool *pool;
    const struct ps_recovery_ops *ops;
    struct ps_redo_stats stats;
    struct touched *touched; /* of the group being redone: its own map pages come first */
    size_t touched_count, touched_cap;
    struct touched *slots; /* of earlier groups, by page: open addressing, TOUCH_SLOTS of them */
    uint32_t slots_used;
    struct touched *sorted; /* room for TOUCHES_MAX */
    uint32_t done_since;    /* references that were redone since pages were last written behind */
    uint32_t seen_table;    /* whose pages, in seen_fmt, table_seen was last told of; 0: none */
    const struct ps_format *seen_fmt;
};

bool ps_page_is_blank(const struct ps_format *fmt, const void *page, uint32_t page_size)
{
    /* pd_lsn is bytes 0-7 and pd_checksum bytes 8-9 (FORMAT.md section 3). */
    return fmt->id == PS_FORMAT_POSTGRES &&
           ps_page_is_zero((const uint8_t *)page + 10, page_size - 10);
}

static bool is_dropped(const struct ps_analysis *a, uint32_t table)
{
    uint32_t i;

    for (i = 0; i < a->dropped_count; i++)
        if (a->dropped[i] == table)
            return true;
    return false;
}

/* --- touches: what is due to allocation maps -------------------------------------------------- */

static ps_err apply_touch(struct redo *r, const struct touched *t)
{
    struct ps_map map;
    ps_err err;

    ps_map_init(&map, r->pool, 0, t->table, ps_pool_page_size(r->pool));
    err = ps_map_redo_touch(&map, t->page, t->lsn, t->time_us, t->zero);
    if (err == PS_ERR_CORRUPT) {
        struct ps_tag tag = {.fork = PS_FORK_MAP, .table = t->table};

        r->stats.pages_lost++;
        r->ops->page_lost(r->ops->ctx, &tag, err);
        return PS_OK;
    }
    return err;
}

static int touched_cmp(const void *a, const void *b)
{
    const uint64_t x = ((const struct touched *)a)->lsn, y = ((const struct touched *)b)->lsn;

    return (x > y) - (x < y);
}

/* Ascending, because the LSN of a map's page says that all below it is in the page. */
static ps_err apply_touches(struct redo *r)
{
    uint32_t i, n = 0;
    ps_err err = PS_OK;

    if (r->slots_used == 0)
        return PS_OK;
    for (i = 0; i < TOUCH_SLOTS; i++)
        if (r->slots[i].lsn)
            r->sorted[n++] = r->slots[i];
    assert(n == r->slots_used);
    qsort(r->sorted, n, sizeof(*r->sorted), touched_cmp);
    for (i = 0; i < n && !err; i++)
        err = apply_touch(r, &r->sorted[i]);
    memset(r->slots, 0, TOUCH_SLOTS * sizeof(*r->slots));
    r->slots_used = 0;
    return err;
}

/* A touch that takes the place of an earlier one of the same page. */
static ps_err note_touch(struct redo *r, const struct touched *t)
{
    const uint64_t id = (uint64_t)t->table << 32 | t->page;
    uint32_t at = (uint32_t)(id * 0x9e3779b97f4a7c15ull >> 32) % TOUCH_SLOTS;

    while (r->slots[at].lsn && (r->slots[at].page != t->page || r->slots[at].table != t->table))
        at = (at + 1) % TOUCH_SLOTS;
    r->slots_used += r->slots[at].lsn == 0;
    r->slots[at] = *t;
    return r->slots_used == TOUCHES_MAX ? apply_touches(r) : PS_OK;
}

static ps_err end_group(struct redo *r)
{
    size_t i;
    ps_err err = PS_OK;

    for (i = 0; i < r->touched_count && !err; i++)
        err = note_touch(r, &r->touched[i]);
    r->touched_count = 0;
    return err;
}

/* --- records ---------------------------------------------------------------------------------- */

static ps_err remember_touch(struct redo *r, const struct ps_record *rec,
                             const struct ps_page *page)
{
    struct touched *bigger;

    if (r->touched_count == r->touched_cap) {
        size_t cap = r->touched_cap ? r->touched_cap * 2 : 64;

        bigger = realloc(r->touched, cap * sizeof(*bigger));
        if (!bigger)
            return ps_fail(PS_ERR_NOMEM, "no memory for redo");
        r->touched = bigger;
        r->touched_cap = cap;
    }
    r->touched[r->touched_count++] = (struct touched){
        .table = page->tag.table,
        .page = page->tag.page,
        .time_us = rec->time_us,
        .lsn = rec->group_lsn,
        .zero = ps_page_is_blank(page->fmt, page->data, ps_pool_page_size(r->pool)),
    };
    return PS_OK;
}

/* Puts the after-bytes down, if the page does not have them. The page is pinned and latched. */
static void redo_bytes(struct redo *r, const struct ps_record *rec, const struct ps_ref *ref,
                       struct ps_page *page)
{
    bool image = ref->flags & PS_REF_IMAGE;
    uint32_t page_size = ps_pool_page_size(r->pool);

    /* Several references of one group may be about one page, and all of them count. */
    if (!image && page->lsn > rec->group_lsn) {
        r->stats.skipped++;
        return;
    }
    ps_pool_mark_dirty(r->pool, page, rec->pos);
    if (image) {
        memcpy(page->data, ref->after, ref->after_len);
        memset(page->data + ref->after_len, 0, page_size - ref->after_len);
        r->stats.images++;
    } else {
        memcpy(page->data + ref->off, ref->after, ref->after_len);
        r->stats.changes++;
    }
    page->fmt->set_lsn(page->data, rec->group_lsn);
    ps_pool_changed(r->pool, page, rec->group_lsn);
}

/* Tells of the reference's table; neighbours in the log are mostly of one. */
static ps_err see_table(struct redo *r, const struct ps_ref *ref, const struct ps_format *fmt)
{
    ps_err err;

    if (ref->fork != PS_FORK_DATA)
        return r->ops->table_seen(r->ops->ctx, ref->table, NULL);
    if (ref->table == r->seen_table && fmt == r->seen_fmt)
        return PS_OK;
    err = r->ops->table_seen(r->ops->ctx, ref->table, fmt);
    r->seen_table = err ? 0 : ref->table;
    r->seen_fmt = fmt;
    return err;
}

static ps_err redo_ref(struct redo *r, const struct ps_record *rec, const struct ps_ref *ref)
{
    const struct ps_format *table_fmt = ps_format_by_id(ref->flags >> PS_REF_FORMAT_SHIFT);
    const struct ps_format *fmt = ref->fork == PS_FORK_DATA ? table_fmt : &ps_format_native;
    struct ps_tag tag = {.fork = ref->fork, .table = ref->table, .page = ref->page};
    bool image = ref->flags & PS_REF_IMAGE;
    struct ps_page *page = NULL;
    ps_err err;

    if (is_dropped(r->a, ref->table))
        return PS_OK;
    err = see_table(r, ref, table_fmt);
    if (!err && ref->fork == PS_FORK_MAP)
        err = apply_touches(r);
    if (err)
        return err;
    err = ps_pool_pin(r->pool, &tag, image ? PS_PIN_OVERWRITE : PS_PIN_LOAD, fmt, &page);
    if (err == PS_ERR_CORRUPT) {
        r->stats.pages_lost++;
        r->ops->page_lost(r->ops->ctx, &tag, err);
        return PS_OK;
    }
    if (err)
        return err;
    if (!image)
        ps_page_latch_exclusive(r->pool, page);
    redo_bytes(r, rec, ref, page);
    if (ref->fork == PS_FORK_DATA)
        err = remember_touch(r, rec, page);
    ps_page_unlatch(r->pool, page);
    ps_pool_unpin(r->pool, page);
    return err;
}

/* A page that cannot be written stays dirty; whoever needs its frame will get the error. */
static void write_behind(struct redo *r)
{
    if (++r->done_since < WRITE_BEHIND_PAGES)
        return;
    r->done_since = 0;
    if (ps_pool_is_full(r->pool))
        (void)ps_pool_clean_step(r->pool, WRITE_BEHIND_PAGES);
}

static ps_err redo_record(struct redo *r, const struct ps_record *rec)
{
    uint32_t i;
    ps_err err;

    r->stats.records++;
    if (rec->rm == PS_RM_PAGE) {
        for (i = 0; i < rec->ref_count; i++) {
            err = redo_ref(r, rec, &rec->refs[i]);
            if (err)
                return err;
            write_behind(r);
        }
    }
    if (rec->rm == PS_RM_TABLE && rec->type == PS_TABLE_DROP) {
        const struct ps_table_body *body = rec->body;

        err = r->ops->table_dropped(r->ops->ctx, ps_get32(body->table));
        if (err)
            return err;
    }
    if (rec->flags & PS_REC_GROUP_END)
        return end_group(r);
    return PS_OK;
}

/* All records, from the redo point to the end that analysis found. */
static ps_err redo_log(struct redo *r, struct ps_wal_reader *reader, uint64_t redo_lsn)
{
    const uint64_t end_pos = r->a->end.end_pos;
    struct ps_wal_end end;
    struct ps_record rec;
    ps_err err;

    while ((err = ps_wal_reader_next(reader, &rec, &end)) == PS_OK) {
        err = redo_record(r, &rec);
        if (err)
            return err;
        if (r->ops->progress && r->stats.records % 1024 == 0)
            r->ops->progress(r->ops->ctx, "redo", rec.lsn - redo_lsn, end_pos - redo_lsn);
    }
    if (err != PS_ERR_NOENT)
        return err;
    if (end.end_pos != end_pos)
        return ps_fail(PS_ERR_CORRUPT, "log: it ended at %llu, and at %llu when read again",
                       (unsigned long long)end_pos, (unsigned long long)end.end_pos);
    return apply_touches(r);
}

ps_err ps_redo(struct ps_io *io, const struct ps_control *control, const struct ps_analysis *a,
               struct ps_pool *pool, const struct ps_recovery_ops *ops, struct ps_redo_stats *ret)
{
    struct redo r = {.a = a, .pool = pool, .ops = ops};
    struct ps_wal_reader_options opts;
    struct ps_wal_reader *reader = NULL;
    const uint64_t from_us = ps_io_now_us(io);
    ps_err err;

    ps_reader_options(control, io, &opts);
    opts.ahead = ops->threads;
    r.slots = calloc(TOUCH_SLOTS, sizeof(*r.slots));
    r.sorted = calloc(TOUCHES_MAX, sizeof(*r.sorted));
    if (!r.slots || !r.sorted) {
        err = ps_fail(PS_ERR_NOMEM, "no memory for redo");
        goto out;
    }
    err = ps_wal_reader_open(&opts, &reader);
    if (err)
        goto out;
    err = ps_pool_reserve(pool, REDO_FRAMES, NULL);
    if (err)
        goto out;
    err = redo_log(&r, reader, control->redo_lsn);
    ps_pool_release(pool, REDO_FRAMES);
    r.stats.log_bytes = a->end.end_pos - control->redo_lsn;
    r.stats.took_us = ps_io_now_us(io) - from_us;
    *ret = r.stats;
out:
    free(r.sorted);
    free(r.slots);
    free(r.touched);
    ps_wal_reader_close(reader);
    return err;
}
