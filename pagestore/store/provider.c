/*
 * provider.c - moves the pages of the store's own tables between pool and files, and decides
 * whether what was read is what was written last.
 *
 * Called by the pool without locks, with the frames LOADING: an entry of the allocation map cannot
 * change meanwhile, since only a change of the page itself changes it. During recovery maps lag
 * behind pages, and LSNs are not compared.
 */
#include <assert.h>

#include "store/store_internal.h"

#define BATCH_PAGES PS_LOAD_BATCH_MAX /* the pool's batches are no longer */

static struct ps_store *store_of(struct ps_provider *p)
{
    return (struct ps_store *)((char *)p - offsetof(struct ps_store, provider));
}

struct ps_page_ident ps_table_ident(const struct ps_table *t, uint32_t page_no)
{
    return (struct ps_page_ident){
        .page_size = t->store->page_size,
        .page_no = page_no,
        .table_id =
            t->foreign && t->fmt->id == PS_FORMAT_NATIVE ? t->foreign->page_table_id : t->id,
    };
}

ps_err ps_table_verify_page(const struct ps_table *t, uint32_t page_no, const void *page)
{
    const struct ps_page_ident who = ps_table_ident(t, page_no);

    if (t->foreign && !t->foreign->checksums)
        return t->fmt->verify_header(page, &who);
    return t->fmt->verify(page, &who);
}

ps_err ps_table_read_disk(struct ps_table *t, struct ps_pagefile_page *pages, size_t count)
{
    ps_err err;

    if (t->foreign)
        return ps_foreign_read(t, pages, count);
    err = ps_table_open_files(t);
    return err ? err : ps_pagefile_read(&t->data, pages, count);
}

ps_err ps_table_stat_disk(struct ps_table *t, struct ps_io_stat *ret)
{
    ps_err err;

    if (t->foreign)
        return ps_foreign_stat(t, ret);
    err = ps_table_open_files(t);
    return err ? err : ps_pagefile_stat(&t->data, ret);
}

/* A page that was read ahead is judged again when it is asked for. */
void ps_table_note_corrupt(struct ps_table *t, const struct ps_load *l, const char *kind)
{
    const struct ps_tag *tag = &l->tag;
    struct ps_store *s = t->store;
    const struct ps_trace_event event = {
        .time_us = ps_io_now_us(s->io),
        .kind = "corrupt",
        .reason = kind,
        .table = tag->table,
        .page = tag->page,
        .fork = tag->fork,
        .frame = UINT32_MAX,
    };

    if (l->ahead)
        return;
    if (tag->fork == PS_FORK_DATA)
        ps_table_damaged(t, tag->page);
    t->counters.corrupt_pages++;
    s->corrupt_pages++;
    ps_trace_add(s->trace, &event);
    ps_store_say(s, PS_MSG_ERROR, "%s", ps_message());
}

static ps_err name_page(ps_err err, struct ps_table *t, const struct ps_tag *tag)
{
    return ps_fail_in(err, "tables/%u.%s page %u", t->id,
                      tag->fork == PS_FORK_MAP ? "map" : "pages", tag->page);
}

static ps_err lost_write(struct ps_table *t, struct ps_load *l, const struct ps_map_entry *e)
{
    if (!l->ahead) {
        t->counters.lost_writes++;
        t->store->lost_writes++;
    }
    l->err = ps_fail(PS_ERR_CORRUPT,
                     "lost write: the page on disk is of LSN %llu, its last change was %llu",
                     (unsigned long long)l->lsn, (unsigned long long)e->lsn);
    l->err = name_page(l->err, t, &l->tag);
    ps_table_note_corrupt(t, l, "lost-write");
    return l->err;
}

/* The page was read; is it whole, in its place, and the newest? */
static void judge_data(struct ps_table *t, struct ps_load *l, const struct ps_map_entry *e)
{
    const struct ps_page_ident who = ps_table_ident(t, l->tag.page);
    bool zero = t->fmt->id == PS_FORMAT_POSTGRES && ps_page_is_zero(l->buf, who.page_size);

    l->err = t->fmt->verify(l->buf, &who);
    if (l->err) {
        l->err = name_page(l->err, t, &l->tag);
        ps_table_note_corrupt(t, l, "checksum");
        return;
    }
    l->lsn = t->fmt->lsn(l->buf);
    if (!e)
        return;
    if (e->state == PS_ZERO && zero)
        l->lsn = e->lsn; /* an all-zero page carries none */
    else if (e->state == PS_ZERO || l->lsn != e->lsn)
        (void)lost_write(t, l, e);
}

/* A page whose bytes on disk mean nothing: nobody has written it yet. */
static void make_virgin(struct ps_table *t, struct ps_load *l)
{
    const struct ps_page_ident who = ps_table_ident(t, l->tag.page);

    t->fmt->init(l->buf, &who, PS_PAGE_RAW);
    t->fmt->seal(l->buf, &who);
    l->lsn = 0;
    l->err = PS_OK;
}

/* What the map says of each; a page's own error where it cannot say. Neighbours in one walk. */
static void get_entries(struct ps_table *t, struct ps_load *loads, size_t count,
                        struct ps_map_entry *entries)
{
    uint32_t first = loads[0].tag.page;
    bool neighbours = loads[count - 1].tag.page - first == count - 1;
    size_t i;

    for (i = 0; i < count; i++)
        loads[i].err = PS_OK;
    if (neighbours && !ps_map_get_range(&t->map, first, (uint32_t)count, entries))
        return;
    for (i = 0; i < count; i++)
        loads[i].err = ps_map_get(&t->map, loads[i].tag.page, &entries[i]);
}

static void load_data(struct ps_table *t, struct ps_load *loads, size_t count)
{
    struct ps_pagefile_page pages[BATCH_PAGES];
    struct ps_map_entry entries[BATCH_PAGES];
    const struct ps_map_entry *entry[BATCH_PAGES];
    struct ps_load *read[BATCH_PAGES];
    bool with_map = !t->store->recovering;
    size_t i, n = 0;

    assert(count <= BATCH_PAGES);
    if (with_map)
        get_entries(t, loads, count, entries);
    for (i = 0; i < count; i++) {
        struct ps_load *l = &loads[i];

        l->fmt = t->fmt;
        if (with_map && l->err)
            continue;
        if (with_map && entries[i].state == PS_FREE) {
            l->err =
                ps_fail(PS_ERR_NOENT, "page %u of table %u is not allocated", l->tag.page, t->id);
        } else if (with_map && entries[i].state == PS_VIRGIN) {
            make_virgin(t, l);
        } else {
            pages[n] = (struct ps_pagefile_page){.page_no = l->tag.page, .buf = l->buf};
            entry[n] = with_map ? &entries[i] : NULL;
            read[n++] = l;
        }
    }
    if (n == 0)
        return;
    (void)ps_pagefile_read(&t->data, pages, n); /* each page has its own error */
    t->counters.pages_loaded += n;
    for (i = 0; i < n; i++) {
        read[i]->err = pages[i].err;
        if (!pages[i].err)
            judge_data(t, read[i], entry[i]);
        if (!read[i]->err)
            ps_table_sound(t, read[i]->tag.page);
    }
}

static ps_err judge_map(const struct ps_table *t, const struct ps_load *l)
{
    const struct ps_page_ident who = ps_table_ident(t, l->tag.page);
    ps_err err;

    err = ps_format_native.verify(l->buf, &who);
    if (!err && ps_format_native.type(l->buf) != PS_PAGE_MAP)
        err = ps_fail(PS_ERR_CORRUPT, "not a page of an allocation map");
    if (!err && !t->store->recovering) /* which may have redone a group by half */
        err = ps_map_page_check(&t->map, l->tag.page, l->buf);
    return err;
}

/* A node that was never written is a hole; whether it may be is for the map to say (its parent
 * knows). */
static void load_map(struct ps_table *t, struct ps_load *l)
{
    const struct ps_page_ident who = ps_table_ident(t, l->tag.page);
    struct ps_pagefile_page page = {.page_no = l->tag.page, .buf = l->buf};

    l->fmt = &ps_format_native;
    l->err = ps_pagefile_read(&t->map_file, &page, 1);
    if (l->err)
        return;
    if (ps_page_is_zero(l->buf, who.page_size)) {
        ps_format_native.init(l->buf, &who, PS_PAGE_MAP);
        ps_format_native.seal(l->buf, &who);
        l->lsn = 0;
        return;
    }
    l->err = judge_map(t, l);
    if (l->err) {
        l->err = name_page(l->err, t, &l->tag);
        ps_table_note_corrupt(t, l, "checksum");
        return;
    }
    l->lsn = ps_format_native.lsn(l->buf);
}

/* How many of the loads, from the first on, are of one table and fork and fit one batch. */
static size_t run_len(const struct ps_tag *first, size_t stride, size_t count)
{
    size_t n;

    for (n = 1; n < count && n < BATCH_PAGES; n++) {
        const struct ps_tag *tag = (const struct ps_tag *)((const char *)first + n * stride);

        if (tag->table != first->table || tag->fork != first->fork)
            break;
    }
    return n;
}

static ps_err find_table(struct ps_store *s, const struct ps_tag *tag, struct ps_table **ret)
{
    struct ps_table *t = ps_registry_find(s, tag->table);

    if (!t)
        return ps_fail(PS_ERR_NOENT, "there is no table %u", tag->table);
    if (!t->fmt && tag->fork == PS_FORK_DATA)
        return ps_fail(PS_ERR_CORRUPT, "log: the format of table %u is not known", tag->table);
    *ret = t;
    return ps_table_open_files(t);
}

static void provider_load(struct ps_provider *p, struct ps_load *loads, size_t count)
{
    struct ps_store *s = store_of(p);
    size_t i, k, n;

    for (i = 0; i < count; i += n) {
        struct ps_table *t = NULL;
        ps_err err = find_table(s, &loads[i].tag, &t);

        n = run_len(&loads[i].tag, sizeof(*loads), count - i);
        if (err) {
            for (k = i; k < i + n; k++)
                loads[k].err = err;
        } else if (loads[i].tag.fork == PS_FORK_DATA) {
            load_data(t, &loads[i], n);
        } else {
            for (k = i; k < i + n; k++)
                load_map(t, &loads[k]);
        }
    }
}

/* Writes pages of one table and fork; each has its own error. */
static void write_batch(struct ps_table *t, uint16_t fork, struct ps_pagefile_page *batch, size_t n)
{
    struct ps_store *s = t->store;
    uint64_t from_us = ps_io_now_us(s->io);

    (void)ps_pagefile_write(fork == PS_FORK_DATA ? &t->data : &t->map_file, batch, n);
    ps_histogram_add(&s->meters->write_backs, ps_io_now_us(s->io) - from_us);
    for (size_t i = 0; i < n && fork == PS_FORK_DATA; i++)
        if (!batch[i].err)
            ps_table_sound(t, (uint32_t)batch[i].page_no);
}

static void provider_store(struct ps_provider *p, struct ps_store_page *pages, size_t count)
{
    struct ps_store *s = store_of(p);
    struct ps_pagefile_page batch[BATCH_PAGES];
    size_t i, k, n;

    for (i = 0; i < count; i += n) {
        struct ps_table *t = NULL;
        ps_err err = find_table(s, &pages[i].tag, &t);

        n = run_len(&pages[i].tag, sizeof(*pages), count - i);
        for (k = 0; k < n; k++)
            batch[k] = (struct ps_pagefile_page){
                .page_no = pages[i + k].tag.page, .buf = pages[i + k].buf, .err = err};
        if (!err)
            write_batch(t, pages[i].tag.fork, batch, n);
        for (k = 0; k < n; k++)
            pages[i + k].err = batch[k].err;
    }
}

static void provider_seal(struct ps_provider *p, const struct ps_tag *tag,
                          const struct ps_format *fmt, void *page)
{
    const struct ps_page_ident who = {
        .page_size = store_of(p)->page_size, .page_no = tag->page, .table_id = tag->table};

    fmt->seal(page, &who);
}

static void provider_evicted(struct ps_provider *p, const struct ps_tag *tag, uint32_t heat)
{
    ps_table_heat_add(store_of(p), tag, heat);
}

const struct ps_provider_ops ps_table_provider = {
    .load = provider_load,
    .store = provider_store,
    .seal = provider_seal,
    .evicted = provider_evicted,
};
