/*
 * open_files.c - a ring of the page files that are open, and a hand that goes round it.
 */
#include "file/open_files.h"

#include <assert.h>

#include "file/file.h"

#define FILES_MIN 4u
#define FILES_MAX 65536u

void ps_open_files_init(struct ps_open_files *o, struct ps_io *io)
{
    uint32_t half = io->ops->files_max(io) / 2;

    *o = (struct ps_open_files){.io = io};
    o->max = half < FILES_MIN ? FILES_MIN : half > FILES_MAX ? FILES_MAX : half;
    ps_mutex_init(&o->mtx, PS_RANK_OPEN_FILES, "open_files.mtx");
    ps_mutex_init(&o->unsynced_mtx, PS_RANK_LEAF, "open_files.unsynced_mtx");
}

void ps_open_files_deinit(struct ps_open_files *o)
{
    assert(!o->hand && o->count == 0 && !o->unsynced);
    ps_mutex_deinit(&o->unsynced_mtx);
    ps_mutex_deinit(&o->mtx);
}

/* --- the ring ----------------------------------------------------------------------------- */

/* Behind the hand, where it comes last. */
static void ring_add(struct ps_open_files *o, struct ps_pagefile *f)
{
    ps_assert_held(&o->mtx);
    if (!o->hand) {
        o->hand = f->ring_next = f->ring_prev = f;
        return;
    }
    f->ring_next = o->hand;
    f->ring_prev = o->hand->ring_prev;
    f->ring_prev->ring_next = f;
    o->hand->ring_prev = f;
}

static void ring_remove(struct ps_open_files *o, struct ps_pagefile *f)
{
    ps_assert_held(&o->mtx);
    if (o->hand == f)
        o->hand = f->ring_next == f ? NULL : f->ring_next;
    f->ring_next->ring_prev = f->ring_prev;
    f->ring_prev->ring_next = f->ring_next;
    f->ring_next = f->ring_prev = NULL;
}

/* --- making room -------------------------------------------------------------------------- */

/* The file's descriptor, if no request uses it, none has since the hand came by last, and nothing
 * is unsynced; or NULL. */
static struct ps_io_file *take_handle(struct ps_pagefile *f)
{
    struct ps_io_file *file = NULL;

    ps_mutex_lock(&f->mtx);
    if (f->users == 0 && !f->syncing && !f->used &&
        (f->writes_done == f->writes_synced || ps_poison_reason(f->poison))) {
        file = f->file;
        f->file = NULL;
    }
    f->used = false;
    ps_mutex_unlock(&f->mtx);
    return file;
}

/* Closes what may be closed until there is room. Twice round: the first time marks are cleared. */
static void close_some(struct ps_open_files *o)
{
    struct ps_io_file *file;
    uint32_t steps;

    ps_assert_held(&o->mtx);
    for (steps = 2 * o->count; steps > 0 && o->hand && o->count > o->max; steps--) {
        struct ps_pagefile *f = o->hand;

        o->hand = f->ring_next;
        file = take_handle(f);
        if (!file)
            continue;
        ring_remove(o, f);
        o->count--;
        ps_mutex_unlock(&o->mtx);
        ps_io_close(file);
        ps_mutex_lock(&o->mtx);
    }
}

/* Takes the right to sync what only unsynced changes keep open. */
static void collect_unsynced(struct ps_open_files *o, struct ps_pagefile_syncs *syncs)
{
    struct ps_pagefile *f = o->hand;
    uint32_t steps;

    ps_assert_held(&o->mtx);
    for (steps = o->count; steps > 0 && f && syncs->count < PS_PAGEFILE_SYNCS; steps--) {
        ps_mutex_lock(&f->mtx);
        if (f->users == 0 && !f->syncing && f->writes_done != f->writes_synced)
            ps_pagefile_take_sync(f, syncs);
        ps_mutex_unlock(&f->mtx);
        f = f->ring_next;
    }
}

/* Counts one more file, and has room for it: unless all are in use, when there are more than max
 * for a while. */
static void make_room(struct ps_open_files *o)
{
    struct ps_pagefile_syncs syncs = {.count = 0};

    ps_mutex_lock(&o->mtx);
    o->count++;
    close_some(o);
    if (o->count > o->max)
        collect_unsynced(o, &syncs);
    if (syncs.count > 0) {
        ps_mutex_unlock(&o->mtx);
        (void)ps_pagefile_run_syncs(&syncs); /* a failure poisons the store, which says it to all */
        ps_mutex_lock(&o->mtx);
        close_some(o);
    }
    ps_mutex_unlock(&o->mtx);
}

/* --- opening and closing ------------------------------------------------------------------ */

ps_err ps_open_files_open(struct ps_open_files *o, struct ps_pagefile *f, unsigned io_flags)
{
    struct ps_io_file *file = NULL;
    ps_err err;

    make_room(o);
    err = f->io->ops->open(f->io, f->path, io_flags, &file);
    ps_mutex_lock(&o->mtx);
    ps_mutex_lock(&f->mtx);
    if (!err && !f->file) {
        f->file = file;
        file = NULL;
        ring_add(o, f);
    } else {
        o->count--;
    }
    f->users += !err;
    f->used = true;
    ps_mutex_unlock(&f->mtx);
    ps_mutex_unlock(&o->mtx);
    ps_io_close(file); /* another thread was first */
    return err;
}

void ps_open_files_forget(struct ps_open_files *o, struct ps_pagefile *f)
{
    struct ps_io_file *file;

    ps_mutex_lock(&o->mtx);
    ps_mutex_lock(&f->mtx);
    f->used = false;
    ps_mutex_unlock(&f->mtx);
    file = take_handle(f);
    if (file) {
        ring_remove(o, f);
        o->count--;
    }
    ps_mutex_unlock(&o->mtx);
    ps_io_close(file);
}

/* From here on nobody begins to close or sync it; a sync of it that was to make room has ended. */
static void keep_from_others(struct ps_pagefile *f)
{
    ps_mutex_lock(&f->mtx);
    assert(f->users == 0);
    f->users++;
    while (f->syncing)
        ps_cond_wait(&f->synced, &f->mtx);
    ps_mutex_unlock(&f->mtx);
}

void ps_open_files_close(struct ps_open_files *o, struct ps_pagefile *f)
{
    struct ps_io_file *file;

    keep_from_others(f);
    ps_mutex_lock(&o->mtx);
    file = f->file;
    if (file) {
        ring_remove(o, f);
        o->count--;
    }
    f->file = NULL;
    ps_mutex_unlock(&o->mtx);
    ps_io_close(file);
}

/* --- what has unsynced changes ------------------------------------------------------------ */

void ps_open_files_changed(struct ps_open_files *o, struct ps_pagefile *f)
{
    ps_assert_held(&f->mtx);
    ps_mutex_lock(&o->unsynced_mtx);
    f->unsynced_prev = NULL;
    f->unsynced_next = o->unsynced;
    if (o->unsynced)
        o->unsynced->unsynced_prev = f;
    o->unsynced = f;
    ps_mutex_unlock(&o->unsynced_mtx);
}

void ps_open_files_synced(struct ps_open_files *o, struct ps_pagefile *f)
{
    ps_assert_held(&f->mtx);
    ps_mutex_lock(&o->unsynced_mtx);
    if (f->unsynced_prev)
        f->unsynced_prev->unsynced_next = f->unsynced_next;
    else
        o->unsynced = f->unsynced_next;
    if (f->unsynced_next)
        f->unsynced_next->unsynced_prev = f->unsynced_prev;
    ps_mutex_unlock(&o->unsynced_mtx);
}

void ps_open_files_each_unsynced(struct ps_open_files *o,
                                 void (*each)(void *ctx, struct ps_pagefile *f), void *ctx)
{
    ps_mutex_lock(&o->unsynced_mtx);
    for (struct ps_pagefile *f = o->unsynced; f; f = f->unsynced_next)
        each(ctx, f);
    ps_mutex_unlock(&o->unsynced_mtx);
}
