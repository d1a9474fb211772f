#include "recovery/recovery.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/map.h"

/* A redone reference pins its page and, on a miss, the provider may pin one more. */
#define REDO_FRAMES (1u + PS_LOAD_FRAMES)

/* What a group implies for allocation maps, remembered until its own map pages are redone. */
struct touched {
    uint32_t table, page;
    uint64_t time_us;
    bool zero;
};

struct redo {
    const struct ps_analysis *a;
    struct ps_pool *pool;
    const struct ps_recovery_ops *ops;
    struct ps_redo_stats stats;
    struct touched *touched; /* of the group being redone */
    size_t touched_count, touched_cap;
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
    err = r->ops->table_seen(r->ops->ctx, ref->table, ref->fork == PS_FORK_DATA ? table_fmt : NULL);
    if (err)
        return err;
    err = ps_pool_pin(r->pool, &tag, image ? PS_PIN_NEW : PS_PIN_LOAD, fmt, &page);
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

static ps_err redo_touches(struct redo *r, uint64_t group_lsn)
{
    struct ps_map map;
    size_t i;
    ps_err err;

    for (i = 0; i < r->touched_count; i++) {
        const struct touched *t = &r->touched[i];

        ps_map_init(&map, r->pool, 0, t->table, ps_pool_page_size(r->pool));
        err = ps_map_redo_touch(&map, t->page, group_lsn, t->time_us, t->zero);
        if (err == PS_ERR_CORRUPT) {
            struct ps_tag tag = {.fork = PS_FORK_MAP, .table = t->table};

            r->stats.pages_lost++;
            r->ops->page_lost(r->ops->ctx, &tag, err);
        } else if (err) {
            return err;
        }
    }
    r->touched_count = 0;
    return PS_OK;
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
        }
    }
    if (rec->rm == PS_RM_TABLE && rec->type == PS_TABLE_DROP) {
        const struct ps_table_body *body = rec->body;

        err = r->ops->table_dropped(r->ops->ctx, ps_get32(body->table));
        if (err)
            return err;
    }
    if (rec->flags & PS_REC_GROUP_END)
        return redo_touches(r, rec->group_lsn);
    return PS_OK;
}

ps_err ps_redo(struct ps_io *io, const struct ps_control *control, const struct ps_analysis *a,
               struct ps_pool *pool, const struct ps_recovery_ops *ops, struct ps_redo_stats *ret)
{
    struct redo r = {.a = a, .pool = pool, .ops = ops};
    struct ps_wal_reader_options opts;
    struct ps_wal_reader *reader = NULL;
    struct ps_wal_end end;
    struct ps_record rec;
    ps_err err;

    ps_reader_options(control, io, &opts);
    err = ps_wal_reader_open(&opts, &reader);
    if (err)
        return err;
    err = ps_pool_reserve(pool, REDO_FRAMES, NULL);
    if (err)
        goto out;
    while ((err = ps_wal_reader_next(reader, &rec, &end)) == PS_OK) {
        err = redo_record(&r, &rec);
        if (err)
            break;
        if (ops->progress && r.stats.records % 1024 == 0)
            ops->progress(ops->ctx, "redo", rec.lsn - control->redo_lsn,
                          a->end.end_pos - control->redo_lsn);
    }
    ps_pool_release(pool, REDO_FRAMES);
    if (err == PS_ERR_NOENT)
        err = end.end_pos == a->end.end_pos
                  ? PS_OK
                  : ps_fail(PS_ERR_CORRUPT, "log: it ended at %llu, and at %llu when read again",
                            (unsigned long long)a->end.end_pos, (unsigned long long)end.end_pos);
    *ret = r.stats;
out:
    free(r.touched);
    ps_wal_reader_close(reader);
    return err;
}
