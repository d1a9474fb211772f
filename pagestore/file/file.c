/*
 * file.c - page numbers to byte ranges, neighbours to one request, syncs and space.
 */
#include "file/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROW_MIN ((uint64_t)64 << 10)
#define GROW_MAX ((uint64_t)64 << 20)
#define GROW_SHARE 8 /* ask for an eighth more than there is */

/* A file of the store's own that is gone, since it was closed for room, is damage. PS_ERR_NOENT
 * would be taken for a page that is not allocated: by who reads the table, and even by who reads
 * another one and has to write a page of this one first, to have its frame. */
static ps_err open_again(struct ps_pagefile *f)
{
    ps_err err = ps_open_files_open(f->open_files, f, f->io_flags);

    if (err == PS_ERR_NOENT && f->is_own)
        err = ps_fail_in(PS_ERR_CORRUPT, "a file has been lost");
    return err;
}

/* The file is open until let_go. */
static ps_err hold(struct ps_pagefile *f)
{
    bool is_open;

    ps_mutex_lock(&f->mtx);
    is_open = f->file != NULL;
    f->users += is_open;
    f->used = true;
    ps_mutex_unlock(&f->mtx);
    return is_open ? PS_OK : open_again(f);
}

static void let_go(struct ps_pagefile *f)
{
    ps_mutex_lock(&f->mtx);
    assert(f->users > 0);
    f->users--;
    ps_mutex_unlock(&f->mtx);
}

/* mtx is held. */
static void note_change(struct ps_pagefile *f)
{
    if (f->writes_done++ == f->writes_synced)
        ps_open_files_changed(f->open_files, f);
}

/* mtx is held. All changes up to `covers` are durable, or need not be. */
static void note_synced(struct ps_pagefile *f, uint64_t covers)
{
    assert(f->writes_synced < covers && covers <= f->writes_done);
    f->writes_synced = covers;
    if (f->writes_done == covers)
        ps_open_files_synced(f->open_files, f);
}

/* Every write ends here, failed or not: what may have reached the kernel needs a sync, and until
 * then the file stays open. Counted at the end, because a sync covers what returned before it
 * began. */
static void let_go_changed(struct ps_pagefile *f)
{
    ps_mutex_lock(&f->mtx);
    assert(f->users > 0);
    f->users--;
    note_change(f);
    ps_mutex_unlock(&f->mtx);
}

ps_err ps_pagefile_open_in(struct ps_pagefile *f, struct ps_open_files *open_files,
                           struct ps_io *io, const char *path, uint32_t page_size,
                           unsigned io_flags, struct ps_poison *poison)
{
    ps_err err;

    assert(page_size > 0);
    memset(f, 0, sizeof(*f));
    f->path = strdup(path);
    if (!f->path)
        return ps_fail(PS_ERR_NOMEM, "no memory to open %s", path);
    f->open_files = open_files;
    f->io = io;
    f->poison = poison;
    f->page_size = page_size;
    f->io_flags = io_flags & ~(unsigned)(PS_IO_CREATE | PS_IO_EXCL);
    ps_mutex_init(&f->mtx, PS_RANK_FILE, "file.mtx");
    ps_cond_init(&f->synced);
    err = ps_open_files_open(open_files, f, io_flags);
    if (err)
        ps_pagefile_close(f);
    else
        let_go(f);
    return err;
}

ps_err ps_pagefile_open(struct ps_pagefile *f, struct ps_open_files *open_files, const char *path,
                        uint32_t page_size, unsigned io_flags, struct ps_poison *poison)
{
    ps_err err =
        ps_pagefile_open_in(f, open_files, open_files->io, path, page_size, io_flags, poison);

    f->is_own = !err;
    return err;
}

void ps_pagefile_close(struct ps_pagefile *f)
{
    if (!f->open_files)
        return;
    ps_open_files_close(f->open_files, f);
    ps_mutex_lock(&f->mtx);
    if (f->writes_done != f->writes_synced)
        note_synced(f, f->writes_done);
    ps_mutex_unlock(&f->mtx);
    f->open_files = NULL;
    free(f->path);
    ps_cond_deinit(&f->synced);
    ps_mutex_deinit(&f->mtx);
}

/* The pages of one batch and the requests made of them. */
struct batch {
    struct iovec iov[PS_PAGEFILE_BATCH];
    struct ps_io_req reqs[PS_PAGEFILE_BATCH];
    size_t req_count;
};

static void batch_build(struct batch *b, struct ps_pagefile *f, enum ps_io_op op,
                        const struct ps_pagefile_page *pages, size_t count)
{
    assert(count <= PS_PAGEFILE_BATCH);
    b->req_count = 0;
    for (size_t i = 0; i < count; i++) {
        assert(i == 0 || pages[i - 1].page_no < pages[i].page_no);
        b->iov[i] = (struct iovec){.iov_base = pages[i].buf, .iov_len = f->page_size};
        if (i > 0 && pages[i - 1].page_no + 1 == pages[i].page_no) {
            b->reqs[b->req_count - 1].iov_count++;
            continue;
        }
        b->reqs[b->req_count++] = (struct ps_io_req){
            .file = f->file,
            .op = op,
            .off = pages[i].page_no * f->page_size,
            .iov = &b->iov[i],
            .iov_count = 1,
        };
    }
}

/* What a request moved, page by page: a read that ended early leaves zeros behind. */
static void req_settle(const struct ps_io_req *req, uint32_t page_size,
                       struct ps_pagefile_page *pages)
{
    for (int i = 0; i < req->iov_count; i++) {
        size_t start = (size_t)i * page_size;
        size_t have = req->done > start ? req->done - start : 0;

        pages[i].err = have >= page_size ? PS_OK : req->err;
        if (req->op == PS_IO_READ && !req->err && have < page_size)
            memset((unsigned char *)pages[i].buf + have, 0, page_size - have);
    }
}

static ps_err run_batch(struct ps_pagefile *f, enum ps_io_op op, struct ps_pagefile_page *pages,
                        size_t count)
{
    struct batch b;
    ps_err err;

    batch_build(&b, f, op, pages, count);
    err = ps_io_run(f->io, b.reqs, b.req_count);
    for (size_t r = 0; r < b.req_count; r++) {
        req_settle(&b.reqs[r], f->page_size, pages);
        pages += b.reqs[r].iov_count;
    }
    return err;
}

/* All batches are run, also after one failed; the message is that of the first failure. */
static ps_err run_pages(struct ps_pagefile *f, enum ps_io_op op, struct ps_pagefile_page *pages,
                        size_t count)
{
    char first_message[256];
    ps_err first = PS_OK;

    while (count > 0) {
        size_t n = count < PS_PAGEFILE_BATCH ? count : PS_PAGEFILE_BATCH;
        ps_err err = run_batch(f, op, pages, n);

        if (err && !first) {
            first = err;
            snprintf(first_message, sizeof(first_message), "%s", ps_message());
        }
        pages += n;
        count -= n;
    }
    return first ? ps_fail(first, "%s", first_message) : PS_OK;
}

static ps_err fail_all(ps_err err, struct ps_pagefile_page *pages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pages[i].err = err;
    return err;
}

ps_err ps_pagefile_read(struct ps_pagefile *f, struct ps_pagefile_page *pages, size_t count)
{
    ps_err err = hold(f);

    if (err)
        return fail_all(err, pages, count);
    err = run_pages(f, PS_IO_READ, pages, count);
    let_go(f);
    return err;
}

ps_err ps_pagefile_write(struct ps_pagefile *f, struct ps_pagefile_page *pages, size_t count)
{
    ps_err err = ps_poison_check(f->poison);

    if (!err)
        err = hold(f);
    if (err)
        return fail_all(err, pages, count);
    err = run_pages(f, PS_IO_WRITE, pages, count);
    let_go_changed(f);
    return err;
}

/* --- syncs -------------------------------------------------------------------------------- */

void ps_pagefile_take_sync(struct ps_pagefile *f, struct ps_pagefile_syncs *syncs)
{
    ps_assert_held(&f->mtx);
    assert(!f->syncing && f->writes_done != f->writes_synced);
    assert(syncs->count < PS_PAGEFILE_SYNCS);
    f->syncing = true;
    syncs->files[syncs->count] = f;
    syncs->covers[syncs->count++] = f->writes_done;
}

/* Takes the right to sync the file, if there is something to sync. */
static void begin_sync(struct ps_pagefile *f, struct ps_pagefile_syncs *syncs)
{
    ps_mutex_lock(&f->mtx);
    while (f->syncing)
        ps_cond_wait(&f->synced, &f->mtx);
    if (f->writes_done != f->writes_synced)
        ps_pagefile_take_sync(f, syncs);
    ps_mutex_unlock(&f->mtx);
}

static void end_sync(struct ps_pagefile *f, uint64_t covers, bool durable)
{
    ps_mutex_lock(&f->mtx);
    f->syncing = false;
    if (durable)
        note_synced(f, covers);
    ps_cond_broadcast(&f->synced);
    ps_mutex_unlock(&f->mtx);
}

ps_err ps_pagefile_run_syncs(struct ps_pagefile_syncs *syncs)
{
    struct ps_io_req reqs[PS_PAGEFILE_SYNCS];
    ps_err err;

    if (syncs->count == 0)
        return PS_OK;
    /* If a sync failed while this thread waited for its turn, the store is poisoned by now, and a
     * file may be closed although it is unsynced. */
    err = ps_poison_check(syncs->files[0]->poison);
    for (size_t i = 0; i < syncs->count; i++)
        reqs[i] = (struct ps_io_req){.file = syncs->files[i]->file, .op = PS_IO_SYNC};
    if (!err) {
        err = ps_io_run(syncs->files[0]->io, reqs, syncs->count);
        if (err)
            err = ps_poison_raise(syncs->files[0]->poison);
    }
    for (size_t i = 0; i < syncs->count; i++)
        end_sync(syncs->files[i], syncs->covers[i], !err);
    return err;
}

ps_err ps_pagefile_sync(struct ps_pagefile **files, size_t count)
{
    ps_err err = PS_OK;

    while (count > 0 && !err) {
        size_t n = count < PS_PAGEFILE_SYNCS ? count : PS_PAGEFILE_SYNCS;
        struct ps_pagefile_syncs syncs = {.count = 0};

        err = ps_poison_check(files[0]->poison);
        for (size_t i = 0; i < n && !err; i++)
            begin_sync(files[i], &syncs);
        if (!err)
            err = ps_pagefile_run_syncs(&syncs);
        files += n;
        count -= n;
    }
    return err;
}

/* --- space -------------------------------------------------------------------------------- */

/* The end of the range worth asking for when pages up to `end` are needed. */
static uint64_t grown_end(const struct ps_pagefile *f, uint64_t end)
{
    uint64_t step = end * f->page_size / GROW_SHARE;

    if (step < GROW_MIN)
        step = GROW_MIN;
    if (step > GROW_MAX)
        step = GROW_MAX;
    return end + step / f->page_size;
}

static ps_err allocate(struct ps_pagefile *f, uint64_t first, uint64_t end)
{
    const struct ps_io_ops *ops = f->io->ops;
    ps_err err = hold(f);

    if (err)
        return err;
    err = ops->allocate(f->file, first * f->page_size, (end - first) * f->page_size);
    let_go(f);
    return err;
}

/* Continues the covered range: from its end to past `end`, or exactly to it where there is no
 * room for more. */
static ps_err extend_covered(struct ps_pagefile *f, uint64_t covered, uint64_t end,
                             uint64_t shrinks)
{
    uint64_t new_end = grown_end(f, end);
    ps_err err = allocate(f, covered, new_end);

    if (err == PS_ERR_NOSPC) {
        new_end = end;
        err = allocate(f, covered, new_end);
    }
    if (err)
        return err;
    ps_mutex_lock(&f->mtx);
    /* A punch or truncate in between may have taken pages of the range away again. */
    if (f->shrinks == shrinks && f->alloc_pages < new_end)
        f->alloc_pages = new_end;
    ps_mutex_unlock(&f->mtx);
    return PS_OK;
}

ps_err ps_pagefile_reserve(struct ps_pagefile *f, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;
    uint64_t covered;
    uint64_t shrinks;
    ps_err err = ps_poison_check(f->poison);

    assert(count > 0);
    if (err)
        return err;
    ps_mutex_lock(&f->mtx);
    covered = f->alloc_pages;
    shrinks = f->shrinks;
    ps_mutex_unlock(&f->mtx);

    if (end <= covered)
        return PS_OK;
    if (first <= covered)
        return extend_covered(f, covered, end, shrinks);
    return allocate(f, first, end); /* behind a hole that shall stay one */
}

/* Pages from `first` on are no longer known to have space. */
static void note_shrink(struct ps_pagefile *f, uint64_t first)
{
    ps_mutex_lock(&f->mtx);
    f->shrinks++;
    note_change(f);
    if (f->alloc_pages > first)
        f->alloc_pages = first;
    ps_mutex_unlock(&f->mtx);
}

ps_err ps_pagefile_punch(struct ps_pagefile *f, uint64_t first, uint64_t count)
{
    const struct ps_io_ops *ops = f->io->ops;
    ps_err err = ps_poison_check(f->poison);

    assert(count > 0);
    if (!err)
        err = hold(f);
    if (err)
        return err;
    err = ops->punch(f->file, first * f->page_size, count * f->page_size);
    note_shrink(f, first);
    let_go(f);
    return err;
}

ps_err ps_pagefile_truncate(struct ps_pagefile *f, uint64_t count)
{
    const struct ps_io_ops *ops = f->io->ops;
    ps_err err = ps_poison_check(f->poison);

    if (!err)
        err = hold(f);
    if (err)
        return err;
    err = ops->truncate(f->file, count * f->page_size);
    note_shrink(f, count);
    let_go(f);
    return err;
}

ps_err ps_pagefile_stat(struct ps_pagefile *f, struct ps_io_stat *ret)
{
    ps_err err = hold(f);

    if (err)
        return err;
    err = f->io->ops->stat(f->file, ret);
    let_go(f);
    return err;
}

ps_err ps_pagefile_next_data(struct ps_pagefile *f, uint64_t page_no, uint64_t *ret)
{
    uint64_t off;
    ps_err err = hold(f);

    if (err)
        return err;
    err = f->io->ops->next_data(f->file, page_no * f->page_size, &off);
    if (!err)
        *ret = off / f->page_size;
    let_go(f);
    return err;
}

void ps_pagefile_will_read(struct ps_pagefile *f, uint64_t first, uint64_t count)
{
    if (hold(f) != PS_OK)
        return; /* who reads it is told */
    f->io->ops->will_read(f->file, first * f->page_size, count * f->page_size);
    let_go(f);
}
