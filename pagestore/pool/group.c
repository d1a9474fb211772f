/*
 * group.c - pages that change together, and their records.
 */
#include "pool/group.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"

/* --- begin ---------------------------------------------------------------------------------- */

static bool logs_before(const struct ps_group *g)
{
    return !g->is_clr && (g->txn || g->env->log_before_images);
}

/* Log that the group takes at most: every page an image, every changed byte once more with its
 * before-byte where these are logged. */
static uint64_t log_max(const struct ps_group *g, uint64_t bytes_max)
{
    const uint32_t page_size = ps_pool_page_size(g->env->pool);
    struct ps_record rec = {.ref_count = PS_GROUP_RANGES_MAX};
    uint64_t written_max = (uint64_t)g->frames * page_size;

    if (bytes_max < written_max)
        written_max = bytes_max;
    rec.refs[0] = (struct ps_ref){.flags = PS_REF_IMAGE, .len = page_size, .after_len = page_size};
    return g->frames * (uint64_t)ps_record_len(&rec) + (logs_before(g) ? 2 * written_max : 0) +
           PS_GROUP_EXTRA_MAX;
}

/* What does not fit into the group itself. */
static ps_err alloc_tables(struct ps_group *g)
{
    g->pages = g->inline_pages;
    g->fixups = g->inline_fixups;
    g->recs = NULL;
    if (g->frames <= PS_GROUP_INLINE_PAGES)
        return PS_OK;
    g->pages = malloc(g->frames * sizeof(*g->pages));
    g->fixups = malloc(g->frames * sizeof(*g->fixups));
    g->recs = malloc((g->frames + 1) * sizeof(*g->recs));
    if (!g->pages || !g->fixups || !g->recs)
        return ps_fail(PS_ERR_NOMEM, "no memory for a change of %u pages", g->frames);
    return PS_OK;
}

static void free_tables(struct ps_group *g)
{
    uint32_t i;

    for (i = 0; i < g->page_count; i++)
        free(g->pages[i].before);
    if (g->pages != g->inline_pages)
        free(g->pages);
    if (g->fixups != g->inline_fixups)
        free(g->fixups);
    free(g->recs);
}

/* Log first, then frames: whoever waits for log holds no frames that others wait for. A transaction
 * is not held back by max_wal, because it may be what keeps the log from being freed: its own
 * limit is elsewhere (ps_txn_write). */
static ps_err begin(struct ps_group *g, uint64_t bytes_max, struct ps_cancel *cancel)
{
    const uint64_t log_bytes = log_max(g, bytes_max);
    struct ps_wal *wal = g->env->wal;
    ps_err err = alloc_tables(g);

    if (!err)
        err = g->txn ? ps_wal_reserve_urgent(wal, log_bytes, cancel, &g->slot)
                     : ps_wal_reserve(wal, log_bytes, cancel, &g->slot);
    if (err)
        goto out_free;
    err = ps_pool_reserve(g->env->pool, g->frames, cancel);
    if (err)
        goto out_release;
    g->time_us = ps_io_wall_us(g->env->io);
    return PS_OK;

out_release:
    ps_wal_release(wal, &g->slot);
out_free:
    free_tables(g);
    return err;
}

static void init(struct ps_group *g, struct ps_group_env *env, struct ps_txn_log *txn,
                 uint32_t frames_max)
{
    assert(frames_max > PS_LOAD_FRAMES);
    g->env = env;
    g->txn = txn;
    g->undo_next = 0;
    g->is_clr = false;
    g->frames = frames_max;
    g->slot.bytes = 0;
    g->page_count = 0;
    g->fixup_count = 0;
    g->extra = NULL;
}

ps_err ps_group_begin(struct ps_group *g, struct ps_group_env *env, struct ps_txn_log *txn,
                      uint32_t frames_max, uint64_t bytes_max, struct ps_cancel *cancel)
{
    init(g, env, txn, frames_max);
    return begin(g, bytes_max, cancel);
}

ps_err ps_group_begin_undo(struct ps_group *g, struct ps_group_env *env, struct ps_txn_log *txn,
                           uint64_t undo_next, uint32_t frames_max, uint64_t bytes_max)
{
    assert(txn);
    init(g, env, txn, frames_max);
    g->is_clr = true;
    g->undo_next = undo_next;
    return begin(g, bytes_max, NULL);
}

/* --- pages ---------------------------------------------------------------------------------- */

/* Where the tag is, or where it would have to be put in. */
static uint32_t find_page(const struct ps_group *g, const struct ps_tag *tag, bool *ret_found)
{
    uint32_t low = 0, high = g->page_count;

    *ret_found = false;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int cmp = ps_tag_cmp(&g->pages[mid].page->tag, tag);

        if (cmp == 0) {
            *ret_found = true;
            return mid;
        }
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct ps_group_page *page_of(struct ps_group *g, const struct ps_page *page)
{
    bool found;
    uint32_t at = find_page(g, &page->tag, &found);

    assert(found && g->pages[at].page == page);
    (void)found;
    return &g->pages[at];
}

/* A page may be thrown away between pin and latch; then what is there now is wanted. */
static ps_err pin_latched(struct ps_pool *pool, const struct ps_tag *tag, enum ps_pin_mode mode,
                          const struct ps_format *fmt, struct ps_page **ret)
{
    for (;;) {
        ps_err err = ps_pool_pin(pool, tag, mode, fmt, ret);

        if (err)
            return err;
        assert(mode != PS_PIN_OVERWRITE); /* undo may have to bring back what was in the page */
        if (mode == PS_PIN_NEW)
            return PS_OK; /* latched by pin */
        ps_page_latch_exclusive(pool, *ret);
        if (!ps_page_detached(*ret))
            return PS_OK;
        ps_page_unlatch(pool, *ret);
        ps_pool_unpin(pool, *ret);
    }
}

ps_err ps_group_page(struct ps_group *g, const struct ps_tag *tag, enum ps_pin_mode mode,
                     const struct ps_format *fmt, struct ps_page **ret)
{
    struct ps_pool *pool = g->env->pool;
    struct ps_group_page entry = {0};
    bool found;
    uint32_t at = find_page(g, tag, &found);
    ps_err err;

    if (found) {
        *ret = g->pages[at].page;
        return PS_OK;
    }
    assert(at == g->page_count && g->page_count < g->frames);
    if (logs_before(g)) {
        entry.before = malloc(ps_pool_page_size(pool));
        if (!entry.before)
            return ps_fail(PS_ERR_NOMEM, "no memory for the before-image of page %u of table %u",
                           tag->page, tag->table);
    }
    err = pin_latched(pool, tag, mode, fmt, &entry.page);
    if (err) {
        free(entry.before);
        return err;
    }
    g->pages[g->page_count++] = entry;
    *ret = entry.page;
    return PS_OK;
}

/* --- writes --------------------------------------------------------------------------------- */

/* Makes range a and the one behind it, which it reaches, one. */
static void merge_with_next(struct ps_group_page *p, uint32_t a)
{
    struct ps_group_range *r = &p->ranges[a];
    uint32_t end = r->off + r->len;
    uint32_t next_end = r[1].off + r[1].len;

    r->len = (next_end > end ? next_end : end) - r->off;
    p->range_count--;
    memmove(r + 1, r + 2, (p->range_count - a - 1) * sizeof(*r));
}

static uint32_t smallest_gap(const struct ps_group_range *ranges, uint32_t count)
{
    uint32_t best = 0, best_gap = UINT32_MAX;
    uint32_t i;

    for (i = 0; i + 1 < count; i++) {
        uint32_t gap = ranges[i + 1].off - ranges[i].off - ranges[i].len;

        if (gap < best_gap) {
            best = i;
            best_gap = gap;
        }
    }
    return best;
}

/* Widens a range that the new one touches or overlaps, and takes in those behind that it now
 * reaches. False: it touches none. */
static bool extend_range(struct ps_group_page *p, uint32_t off, uint32_t len)
{
    const uint32_t end = off + len;
    uint32_t i;

    for (i = 0; i < p->range_count; i++) {
        struct ps_group_range *r = &p->ranges[i];
        uint32_t r_end = r->off + r->len;

        if (off > r_end || end < r->off)
            continue;
        r->off = off < r->off ? off : r->off;
        r->len = (end > r_end ? end : r_end) - r->off;
        while (i + 1 < p->range_count && p->ranges[i + 1].off <= r->off + r->len)
            merge_with_next(p, i);
        return true;
    }
    return false;
}

static void add_range(struct ps_group_page *p, uint32_t off, uint32_t len)
{
    struct ps_group_range all[PS_GROUP_RANGES_MAX + 1];
    uint32_t i, at = 0;

    if (len == 0 || extend_range(p, off, len))
        return;
    while (at < p->range_count && p->ranges[at].off < off)
        at++;
    memcpy(all, p->ranges, at * sizeof(all[0]));
    all[at] = (struct ps_group_range){.off = off, .len = len};
    memcpy(&all[at + 1], &p->ranges[at], (p->range_count - at) * sizeof(all[0]));
    p->range_count++;
    if (p->range_count > PS_GROUP_RANGES_MAX) {
        i = smallest_gap(all, p->range_count);
        all[i].len = all[i + 1].off + all[i + 1].len - all[i].off;
        memmove(&all[i + 1], &all[i + 2], (p->range_count - i - 2) * sizeof(all[0]));
        p->range_count--;
    }
    memcpy(p->ranges, all, p->range_count * sizeof(all[0]));
}

/* Before the first byte of the page changes. */
static struct ps_group_page *begin_write(struct ps_group *g, struct ps_page *page, uint32_t off,
                                         uint32_t len)
{
    struct ps_group_page *p = page_of(g, page);

    assert(off <= ps_pool_page_size(g->env->pool) && len <= ps_pool_page_size(g->env->pool) - off);
    (void)off;
    (void)len;
    if (!p->written && p->before)
        memcpy(p->before, page->data, ps_pool_page_size(g->env->pool));
    p->written = true;
    return p;
}

uint8_t *ps_group_write(struct ps_group *g, struct ps_page *page, uint32_t off, uint32_t len)
{
    add_range(begin_write(g, page, off, len), off, len);
    return page->data + off;
}

uint8_t *ps_group_write_implied(struct ps_group *g, struct ps_page *page, uint32_t off,
                                uint32_t len)
{
    (void)begin_write(g, page, off, len);
    return page->data + off;
}

void ps_group_put_lsn(struct ps_group *g, struct ps_page *page, uint32_t off)
{
    assert(page_of(g, page)->written);
    assert(g->fixup_count < g->frames);
    g->fixups[g->fixup_count++] = (struct ps_group_fixup){.page = page, .off = off};
}

/* --- records -------------------------------------------------------------------------------- */

static void init_record(const struct ps_group *g, struct ps_record *rec)
{
    rec->rm = PS_RM_PAGE;
    rec->type = g->is_clr ? PS_PAGE_CLR : PS_PAGE_CHANGE;
    rec->flags = 0;
    rec->ref_count = 0;
    rec->txn = g->txn ? g->txn->id : 0;
    rec->txn_prev = g->txn ? g->txn->last_pos : 0;
    rec->undo_next = g->undo_next;
    rec->time_us = g->time_us;
    rec->body = NULL;
    rec->body_len = 0;
}

static struct ps_ref *add_ref(struct ps_record *rec, const struct ps_page *page)
{
    struct ps_ref *ref = &rec->refs[rec->ref_count++];
    unsigned format = page->fmt ? (unsigned)page->fmt->id : 0;

    *ref = (struct ps_ref){
        .table = page->tag.table,
        .page = page->tag.page,
        .fork = page->tag.fork,
        .flags = (uint16_t)(format << PS_REF_FORMAT_SHIFT),
    };
    return ref;
}

static void set_before(struct ps_ref *ref, const struct ps_group_page *p, uint32_t range)
{
    ref->flags |= PS_REF_BEFORE;
    ref->before_off = p->ranges[range].off;
    ref->before_len = p->ranges[range].len;
    ref->before = p->before + ref->before_off;
}

static void add_range_ref(struct ps_record *rec, const struct ps_group_page *p, uint32_t range)
{
    struct ps_ref *ref = add_ref(rec, p->page);

    ref->off = p->ranges[range].off;
    ref->len = p->ranges[range].len;
    ref->after = p->page->data + ref->off;
    ref->after_len = ref->len;
    if (p->before)
        set_before(ref, p, range);
}

/* Length of the page without the zeros at its end. */
static uint32_t trimmed_len(const uint8_t *data, uint32_t len)
{
    uint64_t word;

    for (; len >= sizeof(word); len -= (uint32_t)sizeof(word)) {
        memcpy(&word, data + len - sizeof(word), sizeof(word));
        if (word != 0)
            break;
    }
    while (len > 0 && data[len - 1] == 0)
        len--;
    return len;
}

static void add_image_refs(const struct ps_group *g, struct ps_record *rec,
                           const struct ps_group_page *p)
{
    struct ps_ref *ref = add_ref(rec, p->page);
    uint32_t i;

    ref->flags |= PS_REF_IMAGE;
    ref->len = ps_pool_page_size(g->env->pool);
    ref->after = p->page->data;
    ref->after_len = trimmed_len(p->page->data, ref->len);
    if (!p->before)
        return;
    if (p->range_count > 0)
        set_before(ref, p, 0);
    for (i = 1; i < p->range_count; i++)
        add_range_ref(rec, p, i);
}

/* The group's records, if the redo point is redo_lsn. */
static size_t build_records(const struct ps_group *g, uint64_t redo_lsn, struct ps_record *recs)
{
    size_t count = 0;
    uint32_t i, r;

    for (i = 0; i < g->page_count; i++) {
        const struct ps_group_page *p = &g->pages[i];
        bool image = p->page->lsn <= redo_lsn;

        if (!p->written || (!image && p->range_count == 0))
            continue;
        init_record(g, &recs[count]);
        if (image)
            add_image_refs(g, &recs[count], p);
        for (r = 0; !image && r < p->range_count; r++)
            add_range_ref(&recs[count], p, r);
        count++;
    }
    if (g->extra) {
        assert(ps_record_len(g->extra) <= PS_GROUP_EXTRA_MAX);
        recs[count] = *g->extra;
        recs[count].txn = g->txn ? g->txn->id : 0;
        recs[count].txn_prev = g->txn ? g->txn->last_pos : 0;
        recs[count].time_us = g->time_us;
        count++;
    }
    return count;
}

/* Appends the records, once the redo point by which they were made is still the redo point.
 * Returns the group's LSN. */
static uint64_t append(struct ps_group *g)
{
    struct ps_record on_stack[PS_GROUP_INLINE_PAGES + 1];
    struct ps_record *recs = g->recs ? g->recs : on_stack;
    uint64_t redo_lsn;
    size_t count;

    do {
        redo_lsn = ps_wal_redo_lsn(g->env->wal);
        count = build_records(g, redo_lsn, recs);
        assert(count > 0); /* what is implied follows from a record of the same group */
    } while (!ps_wal_append(g->env->wal, &g->slot, recs, count, redo_lsn));
    if (g->txn) {
        if (g->txn->first_pos == 0)
            g->txn->first_pos = recs[0].pos;
        g->txn->last_pos = recs[count - 1].pos;
    }
    if (g->extra) {
        g->extra->pos = recs[count - 1].pos;
        g->extra->lsn = recs[count - 1].lsn;
    }
    return recs[count - 1].lsn;
}

/* --- the end -------------------------------------------------------------------------------- */

static bool anything_written(const struct ps_group *g)
{
    uint32_t i;

    for (i = 0; i < g->page_count; i++) {
        if (g->pages[i].written)
            return true;
    }
    return false;
}

static void let_go(struct ps_group *g)
{
    struct ps_pool *pool = g->env->pool;
    uint32_t i;

    for (i = 0; i < g->page_count; i++) {
        ps_page_unlatch(pool, g->pages[i].page);
        ps_pool_unpin(pool, g->pages[i].page);
    }
    ps_pool_release(pool, g->frames);
    ps_wal_release(g->env->wal, &g->slot);
    free_tables(g);
}

static void mark_pages_dirty(struct ps_group *g)
{
    const uint64_t rec_lsn = ps_wal_tail_lsn(g->env->wal);
    uint32_t i;

    for (i = 0; i < g->page_count; i++) {
        if (g->pages[i].written)
            ps_pool_mark_dirty(g->env->pool, g->pages[i].page, rec_lsn);
    }
}

static void stamp_pages(struct ps_group *g, uint64_t lsn)
{
    const ps_le64 le_lsn = ps_put64(lsn);
    uint32_t i;

    for (i = 0; i < g->fixup_count; i++)
        memcpy(g->fixups[i].page->data + g->fixups[i].off, &le_lsn, sizeof(le_lsn));
    for (i = 0; i < g->page_count; i++) {
        struct ps_page *page = g->pages[i].page;

        if (!g->pages[i].written)
            continue;
        if (page->fmt)
            page->fmt->set_lsn(page->data, lsn);
        ps_pool_changed(g->env->pool, page, lsn);
    }
}

uint64_t ps_group_commit(struct ps_group *g)
{
    uint64_t lsn = 0;

    if (g->extra || anything_written(g)) {
        mark_pages_dirty(g);
        lsn = append(g);
        stamp_pages(g, lsn);
    }
    let_go(g);
    return lsn;
}

void ps_group_abandon(struct ps_group *g)
{
    assert(!anything_written(g));
    let_go(g);
}
