/*
 * foreign_load.c - pages of files that somebody else made: into the pool and never back, or past it
 * for scans that look at each page once.
 *
 * Where that somebody writes while we read, a page may be torn between the old and the new: what
 * does not verify is read again before it is called damaged.
 */
#include <assert.h>

#include "store/store_internal.h"

#define BATCH_PAGES PS_LOAD_BATCH_MAX
#define READ_AGAIN 2u

static struct ps_store *store_of(struct ps_provider *p)
{
    return (struct ps_store *)((char *)p - offsetof(struct ps_store, provider));
}

/* Names the file, then the page as PostgreSQL counts them: over all segments. */
static ps_err name_page(ps_err err, struct ps_table *t, uint32_t page_no)
{
    const struct ps_segments *files = &t->foreign->segments;
    char path[512];

    ps_segments_path(files, ps_segments_of(files, page_no - t->foreign->first_page), path,
                     sizeof(path));
    return ps_fail_in(err, "%s page %u", path, page_no);
}

/* A file may have become shorter since it was measured, and what lies behind its end reads as
 * zeros. Where nobody is known to change it that is an error whatever is done about damage. */
static ps_err check_still_there(struct ps_table *t, const struct ps_load *l)
{
    bool there = true;
    ps_err err = PS_OK;

    if (ps_page_is_zero(l->buf, t->store->page_size))
        err =
            ps_segments_holds(&t->foreign->segments, l->tag.page - t->foreign->first_page, &there);
    if (err || there)
        return err;
    if (t->store->foreign->ops.live)
        return ps_fail(PS_ERR_NOENT, "page %u of table %u is gone", l->tag.page, t->id);
    return name_page(ps_fail(PS_ERR_IO, "the file has become shorter since it was opened"), t,
                     l->tag.page);
}

static void judge(struct ps_table *t, struct ps_load *l)
{
    unsigned left = t->store->foreign->ops.live ? READ_AGAIN : 0;

    l->err = check_still_there(t, l);
    if (!l->err)
        l->err = ps_table_verify_page(t, l->tag.page, l->buf);
    while (l->err == PS_ERR_CORRUPT && left-- > 0) {
        struct ps_pagefile_page again = {.page_no = l->tag.page, .buf = l->buf};

        l->err = ps_foreign_read(t, &again, 1);
        if (!l->err)
            l->err = ps_table_verify_page(t, l->tag.page, l->buf);
    }
    if (!l->err) {
        l->lsn = t->fmt->lsn(l->buf);
        ps_table_sound(t, l->tag.page);
    } else if (l->err == PS_ERR_CORRUPT) {
        l->err = name_page(l->err, t, l->tag.page);
        ps_table_note_corrupt(t, l, t->foreign->checksums ? "checksum" : "header");
    }
}

/* Pages of one table. */
static void load_run(struct ps_table *t, struct ps_load *loads, size_t count)
{
    const struct ps_map_solid *solid = &t->foreign->solid;
    struct ps_pagefile_page pages[BATCH_PAGES];
    struct ps_load *read[BATCH_PAGES];
    size_t i, n = 0;

    assert(count <= BATCH_PAGES);
    for (i = 0; i < count; i++) {
        struct ps_load *l = &loads[i];

        l->fmt = t->fmt;
        if (l->tag.page < solid->first || l->tag.page >= solid->end) {
            l->err = ps_fail(PS_ERR_NOENT, "page %u of table %u is not there", l->tag.page, t->id);
            continue;
        }
        pages[n] = (struct ps_pagefile_page){.page_no = l->tag.page, .buf = l->buf};
        read[n++] = l;
    }
    if (n == 0)
        return;
    (void)ps_foreign_read(t, pages, n); /* each page has its own error */
    t->counters.pages_loaded += n;
    for (i = 0; i < n; i++) {
        read[i]->err = pages[i].err;
        if (!pages[i].err)
            judge(t, read[i]);
    }
}

static size_t run_len(const struct ps_load *loads, size_t count)
{
    size_t n = 1;

    while (n < count && n < BATCH_PAGES && loads[n].tag.table == loads[0].tag.table)
        n++;
    return n;
}

/* Whoever loads pages of a table has a reference to it. */
static void foreign_load(struct ps_provider *p, struct ps_load *loads, size_t count)
{
    size_t i, n;

    for (i = 0; i < count; i += n) {
        struct ps_table *t = ps_registry_find(store_of(p), loads[i].tag.table);

        assert(t && loads[i].tag.fork == PS_FORK_DATA);
        n = run_len(&loads[i], count - i);
        load_run(t, &loads[i], n);
    }
}

static void foreign_store(struct ps_provider *p, struct ps_store_page *pages, size_t count)
{
    (void)p;
    for (size_t i = 0; i < count; i++)
        pages[i].err = ps_fail(PS_ERR_READONLY, "page %u of table %u: the files are not ours",
                               pages[i].tag.page, pages[i].tag.table);
}

static void foreign_seal(struct ps_provider *p, const struct ps_tag *tag,
                         const struct ps_format *fmt, void *page)
{
    struct ps_table *t = ps_registry_find(store_of(p), tag->table);
    const struct ps_page_ident who = ps_table_ident(t, tag->page);

    if (t->foreign->checksums)
        fmt->seal(page, &who);
}

static void foreign_evicted(struct ps_provider *p, const struct ps_tag *tag, uint32_t heat)
{
    ps_table_heat_add(store_of(p), tag, heat);
}

const struct ps_provider_ops ps_foreign_provider = {
    .load = foreign_load,
    .store = foreign_store,
    .seal = foreign_seal,
    .evicted = foreign_evicted,
};

/* --- past the pool ------------------------------------------------------------------------ */

/* Where files may change meanwhile, zeros may lie behind an end that has moved. */
static bool is_sound(const struct ps_table *t, uint32_t page_no, const void *page)
{
    if (t->store->foreign->ops.live && ps_page_is_zero(page, t->store->page_size))
        return false;
    return ps_table_verify_page(t, page_no, page) == PS_OK;
}

static void read_run(struct ps_table *t, struct ps_pagefile_page *pages, uint32_t count,
                     bool *ret_sound)
{
    (void)ps_foreign_read(t, pages, count); /* each page has its own error */
    t->counters.pages_loaded += count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t page_no = (uint32_t)pages[i].page_no;

        ret_sound[i] = !pages[i].err && is_sound(t, page_no, pages[i].buf);
        if (ret_sound[i])
            ps_table_sound(t, page_no);
    }
}

void ps_foreign_read_run(struct ps_table *t, uint64_t first, uint32_t count, void *buf,
                         bool *ret_sound)
{
    const struct ps_map_solid *solid = &t->foreign->solid;
    struct ps_pagefile_page pages[PS_RUN_PAGES_MAX];
    uint32_t i;

    assert(t->foreign && count <= PS_RUN_PAGES_MAX);
    for (i = 0; i < count; i++) {
        pages[i] = (struct ps_pagefile_page){
            .page_no = first + i, .buf = (uint8_t *)buf + (size_t)i * t->store->page_size};
        ret_sound[i] = false;
    }
    ps_rwlock_rdlock(&t->alloc_lock);
    if (!ps_table_refresh(t) && first >= solid->first && first + count <= solid->end)
        read_run(t, pages, count, ret_sound);
    ps_rwlock_unlock(&t->alloc_lock);
}

void ps_foreign_will_read(struct ps_table *t, uint64_t from, uint64_t end)
{
    const struct ps_map_solid *solid = &t->foreign->solid;

    ps_rwlock_rdlock(&t->alloc_lock);
    if (end > solid->end)
        end = solid->end;
    if (from >= solid->first && from < end)
        ps_segments_will_read(&t->foreign->segments, from - t->foreign->first_page, end - from);
    ps_rwlock_unlock(&t->alloc_lock);
}

/* --- holes -------------------------------------------------------------------------------- */

uint64_t ps_foreign_next_data(struct ps_table *t, uint64_t from, uint64_t end)
{
    const uint64_t first = t->foreign->first_page;

    assert(from <= end);
    if (from == end || t->fmt != &ps_format_postgres || !t->foreign->segments.path)
        return from;
    assert(from >= first);
    return first + ps_segments_next_data(&t->foreign->segments, from - first, end - first);
}

uint64_t ps_foreign_page_after(struct ps_table *t, uint64_t page_no, const void *page, uint64_t end)
{
    assert(page_no < end);
    if (!ps_page_is_zero(page, t->store->page_size))
        return page_no + 1;
    return ps_foreign_next_data(t, page_no + 1, end);
}
