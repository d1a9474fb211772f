/*
 * table_sync.c - what an fsync has to sync: pages' files that have changed, whatever else there is.
 */
#include <stdlib.h>

#include "store/store_internal.h"

/* Tables, each with a reference. */
struct changed {
    struct ps_table **tables;
    size_t count, cap;
    bool no_memory;
};

/* A table whose last reference has gone is about to close its files, and has nothing to save. */
static bool try_ref(struct ps_table *t)
{
    uint32_t refs = t->refs;

    while (refs > 0)
        if (atomic_compare_exchange_weak(&t->refs, &refs, refs + 1))
            return true;
    return false;
}

static void note_changed(void *ctx, struct ps_pagefile *file)
{
    struct changed *c = ctx;
    struct ps_table *t = file->owner;

    if (!t || t->drop_lsn || c->no_memory)
        return;
    if (c->count == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 64;
        struct ps_table **bigger = realloc(c->tables, cap * sizeof(*bigger));

        c->no_memory = !bigger;
        if (!bigger)
            return;
        c->tables = bigger;
        c->cap = cap;
    }
    if (try_ref(t))
        c->tables[c->count++] = t;
}

static int by_id(const void *a, const void *b)
{
    const struct ps_table *x = *(struct ps_table *const *)a, *y = *(struct ps_table *const *)b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* All callers give files in one order. */
static ps_err sync_changed(const struct changed *c)
{
    struct ps_pagefile **files = malloc((c->count + 1) * sizeof(*files));
    ps_err err;

    if (!files || c->no_memory) {
        free(files);
        return ps_fail(PS_ERR_NOMEM, "no memory to sync the files of %zu tables", c->count);
    }
    if (c->count > 0)
        qsort(c->tables, c->count, sizeof(struct ps_table *), by_id);
    for (size_t i = 0; i < c->count; i++)
        files[i] = &c->tables[i]->data;
    err = ps_pagefile_sync(files, c->count);
    free(files);
    return err;
}

ps_err ps_tables_sync_data(struct ps_store *s)
{
    struct changed c = {.count = 0};
    ps_err err = ps_poison_check(&s->poison);

    if (err)
        return err;
    ps_open_files_each_unsynced(&s->open_files, note_changed, &c);
    err = sync_changed(&c);
    for (size_t i = 0; i < c.count; i++)
        ps_table_unref(c.tables[i]);
    free(c.tables);
    return err;
}
