/*
 * wal_load.c - the log's bytes as one stream from its segment files, loaded ahead if so wished.
 *
 * A ring holds what is loaded and still needed: position p is at ring[p % ring_len]. ring_len is a
 * multiple of the segment size, so that a piece of one segment never wraps. With a thread, disk
 * and reader work side by side; without, pieces are loaded when they are asked for, in an order
 * that depends on nothing else.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"
#include "wal/wal_internal.h"

#define PIECE_MAX (2u * 1024u * 1024u)
#define SEGMENTS_AHEAD 2u

struct ps_wal_loader {
    struct ps_io *io; /* constant after open, down to thread */
    uint32_t segment_size;
    uint64_t ring_len;
    uint8_t *ring;
    struct ps_arena arena; /* the ring's memory if it is large; else base is NULL */
    bool threaded;
    pthread_t thread;

    struct ps_io_file *file; /* of whoever loads: the segment at hand, NULL: none */
    uint64_t file_no;

    struct ps_mutex mtx; /* rank LEAF */
    struct ps_cond cond; /* one of the following has changed */
    uint64_t from;       /* guarded by mtx, as all below: bytes [from, loaded) are in the ring */
    uint64_t loaded;
    ps_err err; /* why it does not go on behind `loaded`; the text says more */
    char why[300];
    bool busy;    /* a piece is being loaded */
    bool seeking; /* no further one may be begun */
    bool stop;
};

/* --- pieces ------------------------------------------------------------------------------- */

static ps_err open_segment(struct ps_wal_loader *l, uint64_t seg_no)
{
    char name[WAL_NAME_LEN];
    ps_err err;

    if (l->file && l->file_no == seg_no)
        return PS_OK;
    ps_io_close(l->file);
    l->file = NULL;
    ps_wal_seg_name(seg_no, name);
    err = l->io->ops->open(l->io, name, PS_IO_RDONLY, &l->file);
    if (err)
        l->file = NULL;
    l->file_no = seg_no;
    return err;
}

/* How much the next step would load. */
static uint64_t piece_len(const struct ps_wal_loader *l)
{
    uint64_t left = ps_wal_seg_end(l->segment_size, l->loaded) - l->loaded;

    return left < PIECE_MAX ? left : PIECE_MAX;
}

static bool has_room(const struct ps_wal_loader *l)
{
    return l->loaded + piece_len(l) <= l->from + l->ring_len;
}

static ps_err read_piece(struct ps_wal_loader *l, uint64_t pos, uint64_t len, size_t *ret_got)
{
    uint64_t off = pos % l->segment_size;
    ps_err err;

    err = open_segment(l, ps_wal_seg_no(l->segment_size, pos));
    if (!err)
        err = ps_io_read(l->file, l->ring + pos % l->ring_len, (size_t)len, off, ret_got);
    if (!err && *ret_got < len)
        err = ps_fail(PS_ERR_CORRUPT, "segment file ends at byte %" PRIu64, off + *ret_got);
    return err;
}

/* Loads the next piece, letting the mutex go meanwhile. */
static void load_step(struct ps_wal_loader *l)
{
    const uint64_t pos = l->loaded, len = piece_len(l);
    size_t got = 0;
    ps_err err;

    ps_assert_held(&l->mtx);
    assert(!l->busy && !l->err && has_room(l));
    l->busy = true;
    ps_mutex_unlock(&l->mtx);
    err = read_piece(l, pos, len, &got);
    ps_mutex_lock(&l->mtx);
    l->busy = false;
    l->loaded = pos + got;
    l->err = err;
    if (err)
        snprintf(l->why, sizeof(l->why), "%s", ps_message());
    ps_cond_broadcast(&l->cond);
}

static void *load_ahead(void *ctx)
{
    struct ps_wal_loader *l = ctx;

    ps_mutex_lock(&l->mtx);
    while (!l->stop) {
        if (l->err || l->seeking || !has_room(l))
            ps_cond_wait(&l->cond, &l->mtx);
        else
            load_step(l);
    }
    ps_mutex_unlock(&l->mtx);
    return NULL;
}

/* --- what the reader calls ---------------------------------------------------------------- */

void ps_wal_loader_seek(struct ps_wal_loader *l, uint64_t pos)
{
    bool had_room;

    ps_mutex_lock(&l->mtx);
    had_room = has_room(l);
    if (pos < l->from || pos > l->loaded) {
        l->seeking = true;
        while (l->busy)
            ps_cond_wait(&l->cond, &l->mtx);
        l->seeking = false;
        l->loaded = pos;
        l->err = PS_OK;
        had_room = false;
    }
    l->from = pos;
    if (!had_room && has_room(l))
        ps_cond_broadcast(&l->cond);
    ps_mutex_unlock(&l->mtx);
}

ps_err ps_wal_loader_need(struct ps_wal_loader *l, uint64_t pos, uint64_t len, const uint8_t **ret)
{
    const uint64_t end = pos + len;
    ps_err err = PS_OK;

    assert(end <= ps_wal_seg_end(l->segment_size, pos));
    ps_mutex_lock(&l->mtx);
    assert(pos >= l->from && end <= l->from + l->ring_len);
    while (l->loaded < end && !l->err) {
        if (l->threaded)
            ps_cond_wait(&l->cond, &l->mtx);
        else
            load_step(l);
    }
    if (l->loaded < end)
        err = ps_fail(l->err, "%s", l->why);
    ps_mutex_unlock(&l->mtx);
    if (!err)
        *ret = ps_wal_loader_at(l, pos);
    return err;
}

const uint8_t *ps_wal_loader_at(const struct ps_wal_loader *l, uint64_t pos)
{
    return l->ring + pos % l->ring_len;
}

/* --- opening and closing ------------------------------------------------------------------ */

static ps_err alloc_ring(struct ps_wal_loader *l, bool ahead)
{
    ps_err err;

    l->ring_len = l->segment_size;
    if (!ahead) {
        l->ring = ps_buf_alloc((size_t)l->ring_len);
        return l->ring ? PS_OK : ps_fail(PS_ERR_NOMEM, "out of memory for reading the log");
    }
    l->ring_len *= SEGMENTS_AHEAD;
    err = ps_arena_init(&l->arena, (size_t)l->ring_len);
    l->ring = l->arena.base;
    return err;
}

ps_err ps_wal_loader_open(struct ps_io *io, uint32_t segment_size, uint64_t pos, bool ahead,
                          struct ps_wal_loader **ret)
{
    struct ps_wal_loader *l = calloc(1, sizeof(*l));
    ps_err err;

    if (!l)
        return ps_fail(PS_ERR_NOMEM, "out of memory for reading the log");
    l->io = io;
    l->segment_size = segment_size;
    l->from = l->loaded = pos;
    err = alloc_ring(l, ahead);
    if (err) {
        free(l);
        return err;
    }
    ps_mutex_init(&l->mtx, PS_RANK_LEAF, "wal.loader_mtx");
    ps_cond_init(&l->cond);
    if (ahead) /* without a thread, where there is none to be had, the log is read all the same */
        l->threaded = ps_thread_start(&l->thread, load_ahead, l) == 0;
    *ret = l;
    return PS_OK;
}

void ps_wal_loader_close(struct ps_wal_loader *l)
{
    if (l->threaded) {
        ps_mutex_lock(&l->mtx);
        l->stop = true;
        ps_cond_broadcast(&l->cond);
        ps_mutex_unlock(&l->mtx);
        (void)pthread_join(l->thread, NULL);
    }
    ps_io_close(l->file);
    ps_cond_deinit(&l->cond);
    ps_mutex_deinit(&l->mtx);
    if (l->arena.base)
        ps_arena_deinit(&l->arena);
    else
        ps_buf_free(l->ring);
    free(l);
}
