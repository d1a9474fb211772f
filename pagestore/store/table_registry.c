/*
 * table_registry.c - which tables there are, in memory, and their files.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

void ps_table_path(char *buf, size_t len, uint32_t id, const char *suffix)
{
    (void)snprintf(buf, len, "%s/%u.%s", PS_TABLES_DIR, id, suffix);
}

uint32_t ps_table_of_file(const char *name)
{
    char *end;
    unsigned long id;

    if (name[0] < '1' || name[0] > '9')
        return 0;
    id = strtoul(name, &end, 10);
    if (id > UINT32_MAX || (strcmp(end, ".pages") != 0 && strcmp(end, ".map") != 0))
        return 0;
    return (uint32_t)id;
}

ps_err ps_table_new(struct ps_store *s, uint32_t id, const struct ps_format *fmt,
                    struct ps_table **ret)
{
    struct ps_table *t = calloc(1, sizeof(*t));

    if (!t)
        return ps_fail(PS_ERR_NOMEM, "no memory for table %u", id);
    t->store = s;
    t->id = id;
    t->fmt = fmt;
    t->refs = 1;
    t->insert_hint = UINT32_MAX;
    ps_map_init(&t->map, s->pool, 0, id, s->page_size);
    t->map.known = &t->map_known;
    ps_rwlock_init(&t->alloc_lock,
                   id == PS_CATALOG_ID && !s->foreign ? PS_RANK_CATALOG_TABLE : PS_RANK_TABLE,
                   "table.alloc_lock");
    ps_mutex_init(&t->open_mtx, PS_RANK_TABLE_OPEN, "table.open_mtx");
    ps_mutex_init(&t->streams_mtx, PS_RANK_LEAF, "table.streams_mtx");
    *ret = t;
    return PS_OK;
}

void ps_table_unref(struct ps_table *t)
{
    if (!t || --t->refs > 0)
        return;
    if (t->foreign)
        ps_foreign_files_close(t);
    if (t->files_open) {
        ps_pagefile_close(&t->data);
        ps_pagefile_close(&t->map_file);
    }
    ps_mutex_deinit(&t->streams_mtx);
    ps_mutex_deinit(&t->open_mtx);
    ps_rwlock_deinit(&t->alloc_lock);
    free(t->heat.cells);
    free(t);
}

static ps_err open_files(struct ps_table *t)
{
    struct ps_store *s = t->store;
    unsigned flags = s->opts.read_only ? PS_IO_RDONLY : 0;
    char path[64];
    ps_err err;

    ps_table_path(path, sizeof(path), t->id, "pages");
    err = ps_pagefile_open(&t->data, &s->open_files, path, s->page_size, flags, &s->poison);
    if (err)
        return err;
    t->data.owner = t;
    ps_table_path(path, sizeof(path), t->id, "map");
    err = ps_pagefile_open(&t->map_file, &s->open_files, path, s->page_size, flags, &s->poison);
    if (err)
        ps_pagefile_close(&t->data);
    return err;
}

/* Of a table that the catalog has: to its users that is damage, not a table that is not there. */
static ps_err files_missing(struct ps_table *t)
{
    char why[256];

    snprintf(why, sizeof(why), "table %u has lost a file: %s", t->id, ps_message());
    if (!t->missing_told)
        ps_store_say(t->store, PS_MSG_ERROR, "%s", why);
    t->missing_told = true;
    return ps_fail(PS_ERR_CORRUPT, "%s", why);
}

ps_err ps_table_open_files(struct ps_table *t)
{
    ps_err err = PS_OK;

    if (t->files_open)
        return PS_OK;
    ps_mutex_lock(&t->open_mtx);
    if (!t->files_open) {
        err = open_files(t);
        t->files_open = !err;
    }
    /* Redo knows tables that were dropped later. */
    if (err == PS_ERR_NOENT && !t->dropped && !t->store->recovering)
        err = files_missing(t);
    ps_mutex_unlock(&t->open_mtx);
    return err;
}

ps_err ps_table_files_remove(struct ps_store *s, uint32_t id)
{
    static const char *const suffixes[] = {"pages", "map"};
    char path[64];
    size_t i;
    ps_err err;

    for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        ps_table_path(path, sizeof(path), id, suffixes[i]);
        err = s->io->ops->unlink(s->io, path);
        if (err && err != PS_ERR_NOENT)
            return err;
    }
    return s->io->ops->sync_dir(s->io, PS_TABLES_DIR);
}

void ps_table_pages_discard(struct ps_table *t)
{
    assert(t->dropped);
    ps_pool_drop(t->store->pool, 0, t->id, PS_FORK_DATA, 0, UINT32_MAX);
    ps_pool_drop(t->store->pool, 0, t->id, PS_FORK_MAP, 0, UINT32_MAX);
}

static void remove_later(struct ps_table *t)
{
    struct ps_store *s = t->store;

    t->refs++;
    ps_mutex_lock(&s->tables_mtx);
    t->unremoved_next = s->unremoved;
    s->unremoved = t;
    ps_mutex_unlock(&s->tables_mtx);
}

void ps_table_files_drop(struct ps_table *t)
{
    if (ps_table_files_remove(t->store, t->id) == PS_OK)
        return;
    ps_store_say(t->store, PS_MSG_WARNING, "the files of dropped table %u stay for now: %s", t->id,
                 ps_message());
    remove_later(t);
}

/* All that wait for it; what cannot be removed now waits on. Log need not be kept for them: a
 * recovery removes what the catalog does not name. */
static void remove_unremoved(struct ps_store *s)
{
    struct ps_table *t, *next;

    ps_mutex_lock(&s->tables_mtx);
    t = s->unremoved;
    s->unremoved = NULL;
    ps_mutex_unlock(&s->tables_mtx);
    for (; t; t = next) {
        next = t->unremoved_next;
        ps_table_files_drop(t);
        ps_table_unref(t);
    }
}

/* --- files that no table has -------------------------------------------------------------- */

struct strays {
    struct ps_store *s;
    uint32_t *ids;
    size_t count, cap;
};

static ps_err note_stray(void *ctx, const char *name)
{
    struct strays *st = ctx;
    uint32_t id = ps_table_of_file(name);

    if (id == 0 || ps_registry_find(st->s, id))
        return PS_OK;
    if (st->count == st->cap) {
        size_t cap = st->cap ? 2 * st->cap : 16;
        uint32_t *bigger = realloc(st->ids, cap * sizeof(*bigger));

        if (!bigger)
            return ps_fail(PS_ERR_NOMEM, "no memory for a list of files");
        st->ids = bigger;
        st->cap = cap;
    }
    st->ids[st->count++] = id;
    return PS_OK;
}

ps_err ps_table_strays_remove(struct ps_store *s)
{
    struct strays st = {.s = s};
    ps_err err = s->io->ops->list(s->io, PS_TABLES_DIR, note_stray, &st);
    size_t i;

    for (i = 0; !err && i < st.count; i++)
        err = ps_table_files_remove(s, st.ids[i]);
    free(st.ids);
    return err;
}

/* --- the registry ------------------------------------------------------------------------- */

/* Where id is, or would go. */
static uint32_t position(const struct ps_store *s, uint32_t id)
{
    uint32_t low = 0, high = s->table_count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (s->tables[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

ps_err ps_registry_add(struct ps_store *s, struct ps_table *t)
{
    uint32_t at;
    ps_err err;

    ps_mutex_lock(&s->tables_mtx);
    err = ps_names_reserve(&s->names, s->table_count + 1);
    if (!err && s->table_count == s->table_cap) {
        uint32_t cap = s->table_cap ? s->table_cap * 2 : 64;
        struct ps_table **bigger = realloc(s->tables, cap * sizeof(*bigger));

        if (bigger) {
            s->tables = bigger;
            s->table_cap = cap;
        } else {
            err = ps_fail(PS_ERR_NOMEM, "no memory for table %u", t->id);
        }
    }
    if (!err) {
        at = position(s, t->id);
        assert(at == s->table_count || s->tables[at]->id != t->id);
        memmove(&s->tables[at + 1], &s->tables[at], (s->table_count - at) * sizeof(*s->tables));
        s->tables[at] = t;
        s->table_count++;
        if (s->next_table <= t->id)
            s->next_table = t->id + 1;
    }
    ps_mutex_unlock(&s->tables_mtx);
    return err;
}

ps_err ps_registry_make(struct ps_store *s, uint32_t id, const struct ps_format *fmt,
                        struct ps_table **ret)
{
    struct ps_table *t = NULL;
    ps_err err = ps_table_new(s, id, fmt, &t);

    if (err)
        return err;
    err = ps_registry_add(s, t);
    if (err)
        ps_table_unref(t);
    else
        *ret = t;
    return err;
}

void ps_registry_remove(struct ps_store *s, struct ps_table *t)
{
    uint32_t at;

    ps_mutex_lock(&s->tables_mtx);
    at = position(s, t->id);
    assert(at < s->table_count && s->tables[at] == t);
    s->table_count--;
    memmove(&s->tables[at], &s->tables[at + 1], (s->table_count - at) * sizeof(*s->tables));
    ps_mutex_unlock(&s->tables_mtx);
    ps_names_remove(&s->names, t);
    ps_table_unref(t);
}

void ps_registry_clear(struct ps_store *s)
{
    while (s->unremoved) {
        struct ps_table *t = s->unremoved;

        s->unremoved = t->unremoved_next;
        ps_table_unref(t);
    }
    while (s->table_count)
        ps_registry_remove(s, s->tables[s->table_count - 1]);
    ps_names_deinit(&s->names);
    free(s->tables);
    s->tables = NULL;
    s->table_cap = 0;
}

struct ps_table *ps_registry_find_locked(struct ps_store *s, uint32_t id)
{
    uint32_t at = position(s, id);

    ps_assert_held(&s->tables_mtx);
    return at < s->table_count && s->tables[at]->id == id ? s->tables[at] : NULL;
}

struct ps_table *ps_registry_find(struct ps_store *s, uint32_t id)
{
    struct ps_table *t;

    ps_mutex_lock(&s->tables_mtx);
    t = ps_registry_find_locked(s, id);
    ps_mutex_unlock(&s->tables_mtx);
    return t;
}

/* Every table, each with a reference, so that slow work can be done without a lock. */
static struct ps_table **all_tables(struct ps_store *s, uint32_t *ret_count)
{
    struct ps_table **list;
    uint32_t i;

    ps_mutex_lock(&s->tables_mtx);
    list = malloc((s->table_count + 1) * sizeof(*list));
    for (i = 0; list && i < s->table_count; i++) {
        list[i] = s->tables[i];
        list[i]->refs++;
    }
    *ret_count = s->table_count;
    ps_mutex_unlock(&s->tables_mtx);
    return list;
}

/* Of a table whose drop is still under way, in another thread. Pages first, as that does it:
 * otherwise some would be dirty while there is no file that they could be written to. */
static ps_err finish_drop(struct ps_table *t)
{
    ps_table_pages_discard(t);
    return ps_table_files_remove(t->store, t->id);
}

ps_err ps_tables_sync(struct ps_store *s)
{
    uint32_t i, count;
    size_t n = 0;
    struct ps_table **list = all_tables(s, &count);
    struct ps_pagefile **files = list ? malloc((2 * (size_t)count + 1) * sizeof(*files)) : NULL;
    ps_err err = PS_OK;

    if (!list)
        return ps_fail(PS_ERR_NOMEM, "no memory to sync %u tables", count);
    remove_unremoved(s);
    for (i = 0; files && i < count; i++) {
        uint64_t drop_lsn = list[i]->drop_lsn;

        /* A checkpoint lets go of records of earlier drops, so it first finishes what these still
         * owe. Their records are durable; that of a later drop need not be yet. */
        if (!err && drop_lsn && drop_lsn <= ps_wal_durable_lsn(s->wal))
            err = finish_drop(list[i]);
        if (!list[i]->files_open || drop_lsn)
            continue;
        files[n++] = &list[i]->data;
        files[n++] = &list[i]->map_file;
    }
    if (!files)
        err = ps_fail(PS_ERR_NOMEM, "no memory to sync %u tables", count);
    else if (!err)
        err = ps_pagefile_sync(files, n);
    for (i = 0; i < count; i++)
        ps_table_unref(list[i]);
    free(files);
    free(list);
    return err;
}

/* --- looking tables up ---------------------------------------------------------------------- */

ps_err ps_table_lookup(struct ps_store *s, const char *name, struct ps_table **ret)
{
    struct ps_table *found;

    if (s->foreign)
        return ps_foreign_lookup(s, name, ret);
    ps_rwlock_rdlock(&s->catalog_lock);
    found = ps_names_find(&s->names, name);
    if (found)
        found->refs++;
    ps_rwlock_unlock(&s->catalog_lock);
    if (!found)
        return ps_fail(PS_ERR_NOENT, "there is no table '%s'", name);
    *ret = found;
    return PS_OK;
}

ps_err ps_table_next(struct ps_store *s, uint32_t from, struct ps_table **ret)
{
    struct ps_table *found = NULL;
    uint32_t at;

    if (s->foreign)
        return ps_foreign_next(s, from, false, ret);
    ps_rwlock_rdlock(&s->catalog_lock);
    at = position(s, from);
    if (at < s->table_count) {
        found = s->tables[at];
        found->refs++;
    }
    ps_rwlock_unlock(&s->catalog_lock);
    if (!found)
        return ps_fail(PS_ERR_NOENT, "there is no table with an id of %u or more", from);
    *ret = found;
    return PS_OK;
}

ps_err ps_table_get(struct ps_store *s, uint32_t id, struct ps_table **ret)
{
    struct ps_table *t = NULL;
    ps_err err;

    if (s->foreign)
        return ps_foreign_next(s, id, true, ret);
    err = ps_table_next(s, id, &t);
    if (!err && t->id != id) {
        ps_table_unref(t);
        err = PS_ERR_NOENT;
    }
    if (err)
        return ps_fail(PS_ERR_NOENT, "there is no table %u", id);
    *ret = t;
    return PS_OK;
}

uint32_t ps_table_count(struct ps_store *s)
{
    uint32_t count;

    if (s->foreign)
        return ps_foreign_count(s);
    ps_rwlock_rdlock(&s->catalog_lock);
    count = s->table_count;
    ps_rwlock_unlock(&s->catalog_lock);
    return count;
}

uint32_t ps_table_id(const struct ps_table *t)
{
    return t->id;
}

bool ps_table_name(struct ps_table *t, char name[PS_TABLE_NAME_MAX + 1])
{
    ps_rwlock_rdlock(&t->store->catalog_lock);
    memcpy(name, t->name, PS_TABLE_NAME_MAX + 1);
    ps_rwlock_unlock(&t->store->catalog_lock);
    return !t->dropped;
}

struct ps_store *ps_table_store(struct ps_table *t)
{
    return t->store;
}
