/*
 * wal_open.c - opening and closing a log, and the numbers that may be asked of an open one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "wal/wal_internal.h"

#define RING_LEN_MIN (1024u * 1024u)
/* Besides those in the ring: it is the sync that is expensive, not how much it has to sync. */
#define UNSYNCED_SEGMENTS 4u

/* Numbers from the control file and the options of a mount: refused, not asserted. */
static ps_err check_options(const struct ps_wal_options *o)
{
    if (o->segment_size < 16 * PS_IO_ALIGN || (o->segment_size & (o->segment_size - 1)) != 0)
        return ps_fail(PS_ERR_INVAL, "log segment size %u is no power of two from %u on",
                       o->segment_size, 16 * PS_IO_ALIGN);
    if (o->max_wal < 4 * (uint64_t)o->segment_size)
        return ps_fail(PS_ERR_INVAL,
                       "max_wal is %llu bytes; it must be at least %llu, four log segments",
                       (unsigned long long)o->max_wal, 4 * (unsigned long long)o->segment_size);
    if (o->end_pos % PS_IO_ALIGN != 0 || o->last_lsn > o->end_pos || o->redo_lsn > o->end_pos ||
        o->log_start_lsn > o->end_pos)
        return ps_fail(PS_ERR_INVAL, "log cannot go on at %llu: last %llu, redo %llu, start %llu",
                       (unsigned long long)o->end_pos, (unsigned long long)o->last_lsn,
                       (unsigned long long)o->redo_lsn, (unsigned long long)o->log_start_lsn);
    return PS_OK;
}

/* What fits in a segment, and in an empty buffer, where the open block's header has its place. */
static uint64_t group_max(uint32_t segment_size, uint64_t ring_len)
{
    uint64_t by_segment = segment_size - PS_WAL_BLOCK_HDR_LEN;
    uint64_t by_ring = (ring_len - PS_WAL_BLOCK_HDR_LEN - ps_wal_group_cost(0)) / 2;

    return by_segment < by_ring ? by_segment : by_ring;
}

static ps_err alloc_buffers(struct ps_wal *wal)
{
    uint32_t segment_size = wal->opts.segment_size;

    wal->ring_len = segment_size > RING_LEN_MIN ? segment_size : RING_LEN_MIN;
    wal->group_max = group_max(segment_size, wal->ring_len);
    wal->span = (uint32_t)(wal->ring_len / segment_size) + 1;
    wal->used_end = calloc(wal->span, sizeof(*wal->used_end));
    wal->handle_count = wal->span + UNSYNCED_SEGMENTS;
    wal->handles = calloc(wal->handle_count, sizeof(*wal->handles));
    wal->reqs = calloc(wal->handle_count, sizeof(*wal->reqs));
    wal->iovs = calloc(wal->handle_count, sizeof(*wal->iovs));
    if (!wal->used_end || !wal->handles || !wal->reqs || !wal->iovs)
        return ps_fail(PS_ERR_NOMEM, "out of memory for the log's buffer of %llu bytes",
                       (unsigned long long)wal->ring_len);
    return ps_arena_init(&wal->ring, (size_t)wal->ring_len);
}

static void free_buffers(struct ps_wal *wal)
{
    free(wal->iovs);
    free(wal->reqs);
    free(wal->handles);
    free(wal->used_end);
    ps_arena_deinit(&wal->ring);
}

static void init_tail(struct ps_wal *wal)
{
    uint64_t pos = wal->opts.end_pos;

    atomic_init(&wal->tail, ps_wal_first_pos(pos));
    atomic_init(&wal->written_pos, pos);
    atomic_init(&wal->block_pos, pos);
    atomic_init(&wal->block_prev_lsn, wal->opts.last_lsn);
    atomic_init(&wal->written_lsn, wal->opts.last_lsn);
    atomic_init(&wal->durable_lsn, wal->opts.last_lsn);
    atomic_init(&wal->redo_lsn, wal->opts.redo_lsn);
    atomic_init(&wal->log_start_lsn, wal->opts.log_start_lsn);
    wal->synced_pos = pos;
    wal->memory_pos = pos;
    wal->trim_tail = ps_wal_first_pos(pos);
}

ps_err ps_wal_open(const struct ps_wal_options *opts, struct ps_wal **ret)
{
    struct ps_wal *wal;
    ps_err err;

    err = check_options(opts);
    if (err)
        return err;
    wal = aligned_alloc(alignof(struct ps_wal), sizeof(*wal));
    if (!wal)
        return ps_fail(PS_ERR_NOMEM, "out of memory for the log");
    memset(wal, 0, sizeof(*wal));
    wal->opts = *opts;
    ps_mutex_init(&wal->tail_mtx, PS_RANK_WAL_TAIL, "wal.tail_mtx");
    ps_mutex_init(&wal->flush_mtx, PS_RANK_WAL_FLUSH, "wal.flush_mtx");
    ps_mutex_init(&wal->seg_mtx, PS_RANK_WAL_FLUSH, "wal.seg_mtx");
    ps_cond_init(&wal->room_cond);
    ps_cond_init(&wal->copy_cond);
    ps_cond_init(&wal->flush_cond);

    err = alloc_buffers(wal);
    if (!err) {
        init_tail(wal);
        err = ps_wal_seg_adopt(wal);
    }
    if (err) {
        ps_wal_close(wal);
        return err;
    }
    *ret = wal;
    return PS_OK;
}

void ps_wal_close(struct ps_wal *wal)
{
    uint32_t i;

    if (!wal)
        return;
    assert(!wal->flushing && atomic_load(&wal->room_waiters) == 0);
    assert(atomic_load(&wal->reserved) == 0 && atomic_load(&wal->copying[0]) == 0 &&
           atomic_load(&wal->copying[1]) == 0);
    for (i = 0; wal->handles && i < wal->handle_count; i++)
        ps_io_close(wal->handles[i].file);
    free_buffers(wal);
    ps_cond_deinit(&wal->flush_cond);
    ps_cond_deinit(&wal->copy_cond);
    ps_cond_deinit(&wal->room_cond);
    ps_mutex_deinit(&wal->seg_mtx);
    ps_mutex_deinit(&wal->flush_mtx);
    ps_mutex_deinit(&wal->tail_mtx);
    free(wal);
}

uint64_t ps_wal_group_max(const struct ps_wal *wal)
{
    return wal->group_max;
}

uint64_t ps_wal_tail_lsn(const struct ps_wal *wal)
{
    uint64_t block_pos, tail, prev_lsn;

    do { /* of one block, also while the tail is moved to the next one */
        block_pos = atomic_load(&wal->block_pos);
        tail = ps_wal_tail_pos(wal);
        prev_lsn = atomic_load(&wal->block_prev_lsn);
    } while (atomic_load(&wal->block_pos) != block_pos);
    /* The block is empty. Or the tail is about to be moved to it, perhaps from an empty one, where
     * no record ends either. */
    return tail <= ps_wal_first_pos(block_pos) ? prev_lsn : tail;
}

uint64_t ps_wal_durable_lsn(const struct ps_wal *wal)
{
    return atomic_load(&wal->durable_lsn);
}

uint64_t ps_wal_redo_lsn(const struct ps_wal *wal)
{
    return atomic_load(&wal->redo_lsn);
}

uint64_t ps_wal_log_start_lsn(const struct ps_wal *wal)
{
    return atomic_load(&wal->log_start_lsn);
}

void ps_wal_get_stats(struct ps_wal *wal, struct ps_wal_stats *ret)
{
    const struct ps_wal_counters *c = &wal->counters;

    ret->records = atomic_load(&wal->records);
    ret->bytes_appended = atomic_load(&wal->bytes_appended);
    ret->images = atomic_load(&c->images);
    ret->image_bytes = atomic_load(&c->image_bytes);
    ret->flushes = atomic_load(&c->flushes);
    ret->bytes_written = atomic_load(&c->bytes_written);
    ret->flush_waits = atomic_load(&c->flush_waits);
    ret->segments_made = atomic_load(&c->segments_made);
    ret->segments_recycled = atomic_load(&c->segments_recycled);
    ret->room_waits = atomic_load(&c->room_waits);
    ret->buffer_waits = atomic_load(&c->buffer_waits);
    ret->segment_waits = atomic_load(&c->segment_waits);
}
