/*
 * foreign.c - tables of files that somebody else made: which there are, and how long they are.
 *
 * A table object is made when it is first asked for, and stays: of the many tables that a source
 * may have, few are used.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_internal.h"

/* Files that changed within this time may change again without another time of change. */
#define SETTLED_US 1000000u

bool ps_store_is_foreign(const struct ps_store *s)
{
    return s->foreign != NULL;
}

/* --- the store's part --------------------------------------------------------------------- */

static ps_err make_foreign(struct ps_store *s, const struct ps_foreign_ops *ops)
{
    s->foreign = calloc(1, sizeof(*s->foreign));
    if (!s->foreign)
        return ps_fail(PS_ERR_NOMEM, "no memory for a store");
    s->foreign->ops = *ops;
    return PS_OK;
}

/* Takes io, unless it fails. */
static ps_err add_root(struct ps_foreign *f, struct ps_io *io)
{
    struct ps_io **bigger = realloc(f->roots, (f->root_count + 1) * sizeof(struct ps_io *));

    if (!bigger)
        return ps_fail(PS_ERR_NOMEM, "no memory for a folder");
    f->roots = bigger;
    f->roots[f->root_count++] = io;
    return PS_OK;
}

void ps_foreign_free(struct ps_store *s)
{
    if (!s->foreign)
        return;
    for (unsigned i = 1; i < s->foreign->root_count; i++)
        ps_io_destroy(s->foreign->roots[i]);
    free(s->foreign->roots);
    free(s->foreign);
}

static ps_err open_layers(struct ps_store *s)
{
    ps_err err = ps_store_open_io(s);

    s->opts.read_only = true;
    s->was_clean = true;
    if (!err)
        err = add_root(s->foreign, s->io);
    if (!err) {
        s->opened_us = ps_io_wall_us(s->io);
        err = ps_store_open_pool(s);
    }
    if (!err && !s->opts.no_threads)
        err = ps_readahead_start(s);
    return err;
}

ps_err ps_store_open_foreign(const char *root, uint32_t page_size, const struct ps_foreign_ops *ops,
                             const struct ps_store_options *opts, struct ps_store **ret)
{
    struct ps_store *s = NULL;
    ps_err err = ps_page_size_check(page_size);

    if (!err)
        err = ps_store_new(root, opts, &s);
    if (err)
        return err;
    s->page_size = page_size;
    err = make_foreign(s, ops);
    if (!err)
        err = open_layers(s);
    if (err)
        ps_store_free(s);
    else
        *ret = s;
    return err;
}

ps_err ps_foreign_add_root(struct ps_store *s, const char *path, unsigned *ret_root)
{
    struct ps_io *io = NULL;
    ps_err err;

    assert(s->foreign);
    err = ps_store_open_root(s, path, &io);
    if (err)
        return err;
    io->meter = &s->meters->io;
    ps_rwlock_wrlock(&s->catalog_lock);
    err = add_root(s->foreign, io);
    if (!err)
        *ret_root = s->foreign->root_count - 1;
    ps_rwlock_unlock(&s->catalog_lock);
    if (err)
        ps_io_destroy(io);
    return err;
}

/* --- tables on demand --------------------------------------------------------------------- */

static ps_err open_files(struct ps_table *t, const struct ps_foreign_table *spec)
{
    struct ps_store *s = t->store;
    ps_err err;

    t->foreign = calloc(1, sizeof(*t->foreign));
    if (!t->foreign)
        return ps_fail(PS_ERR_NOMEM, "no memory for table %u", spec->id);
    t->foreign->checksums = spec->checksums;
    t->foreign->first_page = spec->first_page;
    t->foreign->page_table_id = spec->page_table_id;
    t->foreign->solid.first = t->foreign->solid.end = spec->first_page;
    t->map.solid = &t->foreign->solid;
    if (!spec->path)
        return PS_OK;
    err = ps_segments_init(&t->foreign->segments, &s->open_files, s->foreign->roots[spec->root],
                           spec->path, s->page_size, spec->segment_pages, &s->poison);
    t->foreign->segments.constant = !s->foreign->ops.live;
    return err;
}

void ps_foreign_files_close(struct ps_table *t)
{
    ps_segments_deinit(&t->foreign->segments);
    free(t->foreign);
}

static ps_err check_spec(const struct ps_store *s, const struct ps_foreign_table *spec)
{
    const struct ps_format *fmt = ps_format_by_id(spec->format);

    assert(spec->id >= 1 && spec->id <= PS_FOREIGN_ID_MAX);
    assert(spec->root < s->foreign->root_count && fmt);
    if (s->page_size > fmt->page_size_max)
        return ps_fail(PS_ERR_INVAL, "%s: pages of format %s have %u bytes at most", spec->name,
                       fmt->name, fmt->page_size_max);
    return PS_OK;
}

/* catalog_lock is held exclusively. */
static ps_err open_table(struct ps_store *s, const struct ps_foreign_table *spec,
                         struct ps_table **ret)
{
    struct ps_table *t = NULL;
    ps_err err = check_spec(s, spec);

    if (!err)
        err = ps_table_new(s, spec->id, ps_format_by_id(spec->format), &t);
    if (err)
        return err;
    (void)snprintf(t->name, sizeof(t->name), "%s", spec->name);
    t->type = spec->format == PS_FORMAT_POSTGRES ? PS_PAGE_SLOTTED : PS_PAGE_RAW;
    err = open_files(t, spec);
    if (!err)
        err = ps_registry_add(s, t);
    if (err) {
        ps_table_unref(t);
        return err;
    }
    *ret = t;
    return PS_OK;
}

/* The table of the specification, with a reference. catalog_lock is held exclusively. */
static ps_err table_of(struct ps_store *s, const struct ps_foreign_table *spec,
                       struct ps_table **ret)
{
    struct ps_table *t = ps_registry_find(s, spec->id);
    ps_err err = t ? PS_OK : open_table(s, spec, &t);

    if (err)
        return err;
    t->refs++;
    *ret = t;
    return PS_OK;
}

static ps_err find(const struct ps_store *s, uint32_t from, struct ps_foreign_table *ret)
{
    return s->foreign->ops.find(s->foreign->ops.ctx, from, ret);
}

/* Of those that were asked for before; NULL: it was not. */
static struct ps_table *known_table(struct ps_store *s, uint32_t id)
{
    struct ps_table *t;

    ps_rwlock_rdlock(&s->catalog_lock);
    t = ps_registry_find(s, id);
    if (t)
        t->refs++;
    ps_rwlock_unlock(&s->catalog_lock);
    return t;
}

ps_err ps_foreign_next(struct ps_store *s, uint32_t from, bool only_that, struct ps_table **ret)
{
    struct ps_table *t = known_table(s, from);
    struct ps_foreign_table spec;
    ps_err err;

    if (t) {
        *ret = t;
        return PS_OK;
    }
    ps_rwlock_wrlock(&s->catalog_lock);
    err = find(s, from, &spec);
    if (!err && only_that && spec.id != from)
        err = PS_ERR_NOENT;
    if (err == PS_ERR_NOENT)
        err =
            ps_fail(PS_ERR_NOENT, "there is no table %s%u", only_that ? "" : "from number ", from);
    if (!err)
        err = table_of(s, &spec, ret);
    ps_rwlock_unlock(&s->catalog_lock);
    return err;
}

ps_err ps_foreign_lookup(struct ps_store *s, const char *name, struct ps_table **ret)
{
    struct ps_foreign_table spec = {.id = 0};
    ps_err err;

    ps_rwlock_wrlock(&s->catalog_lock);
    do
        err = find(s, spec.id + 1, &spec);
    while (!err && strcmp(spec.name, name) != 0);
    if (err == PS_ERR_NOENT)
        err = ps_fail(PS_ERR_NOENT, "there is no table '%s'", name);
    if (!err)
        err = table_of(s, &spec, ret);
    ps_rwlock_unlock(&s->catalog_lock);
    return err;
}

uint32_t ps_foreign_count(struct ps_store *s)
{
    struct ps_foreign_table spec = {.id = 0};
    uint32_t count = 0;

    ps_rwlock_rdlock(&s->catalog_lock);
    while (find(s, spec.id + 1, &spec) == PS_OK)
        count++;
    ps_rwlock_unlock(&s->catalog_lock);
    return count;
}

/* --- how long they are -------------------------------------------------------------------- */

/* What the table's map says from now on. Pages beyond the last number that can be are left out. */
static void set_length(struct ps_table *t, const struct ps_segments_info *info)
{
    struct ps_foreign_files *f = t->foreign;
    const uint64_t room = PS_MAP_PAGES_MAX - f->first_page;
    const uint64_t pages = info->pages < room ? info->pages : room;

    f->solid.mtime_us = info->st.mtime_us;
    if (ps_table_has_payload(t))
        f->solid.payload_len = pages * (t->store->page_size - t->fmt->header_len);
    f->solid.end = pages ? f->first_page + pages : f->first_page;
    t->payload_len = f->solid.payload_len;
    t->pages_end = pages ? f->solid.end : 0;
    t->summary_known = true;
}

/* Pages of the pool were read from files that have changed since, or may have. */
static void drop_old_pages(struct ps_table *t, const struct ps_segments_info *info,
                           uint64_t old_end)
{
    struct ps_store *s = t->store;
    const uint64_t before = atomic_exchange(&t->foreign->stamp, info->stamp);
    const uint64_t end = old_end > t->pages_end ? old_end : t->pages_end;

    if (before == info->stamp && info->st.mtime_us + SETTLED_US < ps_io_wall_us(s->io))
        return;
    if (end > 0)
        ps_pool_drop(s->pool, 0, t->id, PS_FORK_DATA, 0, (uint32_t)(end - 1));
}

ps_err ps_table_refresh(struct ps_table *t)
{
    struct ps_segments_info info = {0};
    const uint64_t old_end = t->pages_end;
    ps_err err;

    if (!t->foreign || (t->summary_known && !t->store->foreign->ops.live))
        return PS_OK;
    if (t->foreign->segments.path) {
        err = ps_segments_measure(&t->foreign->segments, &info);
        if (err)
            return err;
    }
    set_length(t, &info);
    if (t->store->foreign->ops.live)
        drop_old_pages(t, &info, old_end);
    return PS_OK;
}

/* A table without a file belongs to whoever has opened the store. */
static void stat_nothing(struct ps_io_stat *ret)
{
    *ret = (struct ps_io_stat){.mode = S_IFREG | S_IRUSR, .uid = geteuid(), .gid = getegid()};
}

ps_err ps_foreign_stat(struct ps_table *t, struct ps_io_stat *ret)
{
    struct ps_segments_info info;
    ps_err err;

    if (!t->foreign->segments.path) {
        stat_nothing(ret);
        return PS_OK;
    }
    err = ps_segments_measure(&t->foreign->segments, &info);
    if (!err)
        *ret = info.st;
    return err;
}

ps_err ps_foreign_tail(struct ps_table *t, uint64_t *ret_bytes, char *buf, size_t len)
{
    struct ps_segments_info info = {0};
    ps_err err;

    assert(t->foreign);
    (void)snprintf(buf, len, "%s", t->name);
    if (t->foreign->segments.path) {
        err = ps_segments_measure(&t->foreign->segments, &info);
        if (err)
            return err;
        ps_segments_path(&t->foreign->segments, info.tail_segment, buf, len);
    }
    *ret_bytes = info.tail;
    return PS_OK;
}

/* --- bytes -------------------------------------------------------------------------------- */

/* Pages of the files, whose numbers there begin with 0. */
ps_err ps_foreign_read(struct ps_table *t, struct ps_pagefile_page *pages, size_t count)
{
    const uint32_t first_page = t->foreign->first_page;
    size_t i;
    ps_err err;

    for (i = 0; i < count; i++)
        pages[i].page_no -= first_page;
    err = ps_segments_read(&t->foreign->segments, pages, count);
    for (i = 0; i < count; i++)
        pages[i].page_no += first_page;
    return err;
}
