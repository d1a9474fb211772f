/*
 * wal_append.c - reserving room and appending groups.
 *
 * All waiting is done in reserve, before the caller takes any latch; append is a copy under
 * tail_mtx. What makes that work is the reckoning of room described in wal_internal.h.
 */
#include <string.h>

#include "base/crc32c.h"
#include "base/wait.h"
#include "wal/wal_internal.h"

/* --- room --------------------------------------------------------------------------------- */

uint64_t ps_wal_group_cost(uint64_t bytes)
{
    /* Once where it lies, once for what it leaves unused at a segment's end (less than its length,
     * or it would have gone there); two block headers, and padding of the block it ends. */
    return 2 * bytes + 2 * PS_WAL_BLOCK_HDR_LEN + PS_IO_ALIGN;
}

/* Where tail would be if the open block were closed now. An empty one need not be. */
static uint64_t close_bound(const struct ps_wal *wal)
{
    if (wal->block_records == 0)
        return wal->tail;
    return ps_wal_align(wal->tail) + PS_WAL_BLOCK_HDR_LEN;
}

enum room { ROOM_THERE, ROOM_NO_LOG, ROOM_NO_BUFFER, ROOM_NO_SEGMENT };

/* Is there room for a group of this cost? ret_seg_no: up to which segment it needs them made. */
static enum room room_for(const struct ps_wal *wal, uint64_t cost, bool urgent,
                          uint64_t *ret_seg_no)
{
    uint64_t end = close_bound(wal) + wal->reserved + cost;
    uint64_t in_hand = urgent ? 0 : 1;

    ps_assert_held(&wal->tail_mtx);
    *ret_seg_no = ps_wal_seg_no(wal->opts.segment_size, end - 1) + in_hand;
    if (!urgent && end - atomic_load(&wal->log_start_lsn) > wal->opts.max_wal)
        return ROOM_NO_LOG;
    if (end > wal->written_pos + wal->ring_len)
        return ROOM_NO_BUFFER;
    if (*ret_seg_no >= atomic_load(&wal->seg_limit))
        return ROOM_NO_SEGMENT;
    return ROOM_THERE;
}

/* Waits under tail_mtx until something about room has moved. */
static ps_err wait_for_room(struct ps_wal *wal, struct ps_cancel *cancel)
{
    ps_err err;

    wal->room_waiters++;
    err = ps_wait(&wal->room_cond, &wal->tail_mtx, cancel);
    wal->room_waiters--;
    return err;
}

/* max_wal is reached: asks for a checkpoint, then waits unless that made room already. */
static ps_err wait_for_log(struct ps_wal *wal, uint64_t cost, struct ps_cancel *cancel)
{
    uint64_t seg_no;
    ps_err err;

    atomic_fetch_add(&wal->counters.room_waits, 1);
    ps_mutex_unlock(&wal->tail_mtx);
    err = wal->opts.want_checkpoint(wal->opts.ctx);
    ps_mutex_lock(&wal->tail_mtx);
    if (err)
        return err;
    if (ps_poison_reason(wal->opts.poison) || room_for(wal, cost, false, &seg_no) != ROOM_NO_LOG)
        return PS_OK;
    return wait_for_room(wal, cancel);
}

/* The buffer is full: what is appended is written out; what others have reserved and not yet
 * appended has to be waited for. */
static ps_err wait_for_buffer(struct ps_wal *wal, struct ps_cancel *cancel)
{
    ps_err err;

    atomic_fetch_add(&wal->counters.buffer_waits, 1);
    if (atomic_load(&wal->tail_lsn) == atomic_load(&wal->written_lsn))
        return wait_for_room(wal, cancel);
    ps_mutex_unlock(&wal->tail_mtx);
    err = ps_wal_write_out(wal, cancel);
    ps_mutex_lock(&wal->tail_mtx);
    return err;
}

static ps_err wait_for_segment(struct ps_wal *wal, uint64_t seg_no)
{
    ps_err err;

    atomic_fetch_add(&wal->counters.segment_waits, 1);
    ps_mutex_unlock(&wal->tail_mtx);
    err = ps_wal_seg_ensure(wal, seg_no);
    ps_mutex_lock(&wal->tail_mtx);
    return err;
}

/* The disk is full. What can give room for a segment is the log itself: the caller's answer is
 * PS_ERR_NOSPC unless a checkpoint that runs here and now makes room, but one is asked for. */
static ps_err ask_for_space(struct ps_wal *wal)
{
    ps_err err;

    atomic_store(&wal->short_of_space, true);
    ps_mutex_unlock(&wal->tail_mtx);
    err = wal->opts.want_checkpoint(wal->opts.ctx);
    ps_mutex_lock(&wal->tail_mtx);
    return err;
}

static ps_err make_room(struct ps_wal *wal, uint64_t cost, bool urgent, struct ps_cancel *cancel)
{
    bool asked = false;
    uint64_t seg_no;
    ps_err err;

    for (;;) {
        err = ps_poison_check(wal->opts.poison);
        if (err)
            return err;
        switch (room_for(wal, cost, urgent, &seg_no)) {
        case ROOM_THERE:
            return PS_OK;
        case ROOM_NO_LOG:
            err = wait_for_log(wal, cost, cancel);
            break;
        case ROOM_NO_BUFFER:
            err = wait_for_buffer(wal, cancel);
            break;
        case ROOM_NO_SEGMENT:
            err = wait_for_segment(wal, seg_no);
            if (err == PS_ERR_NOSPC && !urgent && !asked) {
                asked = true;
                err = ask_for_space(wal);
            }
            break;
        }
        if (err)
            return err;
    }
}

static ps_err reserve(struct ps_wal *wal, uint64_t bytes, bool urgent, struct ps_cancel *cancel,
                      struct ps_wal_slot *ret)
{
    uint64_t cost = ps_wal_group_cost(bytes);
    ps_err err;

    if (bytes == 0 || bytes > wal->group_max)
        return ps_fail(PS_ERR_RANGE, "a group of %llu bytes of log; it can have 1 to %llu",
                       (unsigned long long)bytes, (unsigned long long)wal->group_max);
    ps_mutex_lock(&wal->tail_mtx);
    err = make_room(wal, cost, urgent, cancel);
    if (!err) {
        wal->reserved += cost;
        ret->bytes = bytes;
        ps_wal_check(wal, false);
    }
    ps_mutex_unlock(&wal->tail_mtx);
    return err;
}

ps_err ps_wal_reserve(struct ps_wal *wal, uint64_t bytes, struct ps_cancel *cancel,
                      struct ps_wal_slot *ret)
{
    return reserve(wal, bytes, false, cancel, ret);
}

ps_err ps_wal_reserve_urgent(struct ps_wal *wal, uint64_t bytes, struct ps_cancel *cancel,
                             struct ps_wal_slot *ret)
{
    return reserve(wal, bytes, true, cancel, ret);
}

/* Under tail_mtx: the slot's room goes back, as far as its group did not take it. */
static void pay_slot(struct ps_wal *wal, struct ps_wal_slot *slot)
{
    uint64_t cost = ps_wal_group_cost(slot->bytes);

    ps_assert_held(&wal->tail_mtx);
    assert(slot->bytes > 0 && wal->reserved >= cost);
    wal->reserved -= cost;
    slot->bytes = 0;
    if (wal->room_waiters > 0)
        ps_cond_broadcast(&wal->room_cond);
}

void ps_wal_release(struct ps_wal *wal, struct ps_wal_slot *slot)
{
    if (slot->bytes == 0)
        return;
    ps_mutex_lock(&wal->tail_mtx);
    pay_slot(wal, slot);
    ps_mutex_unlock(&wal->tail_mtx);
}

void ps_wal_wake(struct ps_wal *wal)
{
    ps_mutex_lock(&wal->tail_mtx);
    ps_cond_broadcast(&wal->room_cond);
    ps_mutex_unlock(&wal->tail_mtx);
    ps_mutex_lock(&wal->flush_mtx);
    ps_cond_broadcast(&wal->flush_cond);
    ps_mutex_unlock(&wal->flush_mtx);
}

/* --- memory ------------------------------------------------------------------------------- */

#define TRIM_SHARE 8u /* of the ring: less than this is little, and keeps its memory */

/* The ring except [written_pos, tail), which holds all that waits to be written. */
static void give_back_free(struct ps_wal *wal)
{
    uint64_t off = wal->tail % wal->ring_len;
    uint64_t len = wal->written_pos + wal->ring_len - wal->tail;
    uint64_t to_end = wal->ring_len - off;

    ps_assert_held(&wal->tail_mtx);
    ps_arena_give_back(&wal->ring, (size_t)off, (size_t)(len < to_end ? len : to_end));
    if (len > to_end)
        ps_arena_give_back(&wal->ring, 0, (size_t)(len - to_end));
    wal->memory_pos = wal->written_pos;
}

void ps_wal_trim(struct ps_wal *wal)
{
    bool little;

    ps_mutex_lock(&wal->tail_mtx);
    little = wal->tail - wal->trim_tail < wal->ring_len / TRIM_SHARE;
    wal->trim_tail = wal->tail;
    if (little && wal->tail - wal->memory_pos > wal->ring_len / TRIM_SHARE)
        give_back_free(wal);
    ps_mutex_unlock(&wal->tail_mtx);
}

/* --- blocks ------------------------------------------------------------------------------- */

void ps_wal_close_block(struct ps_wal *wal, bool next_segment)
{
    uint32_t segment_size = wal->opts.segment_size;
    uint64_t seg_end = ps_wal_seg_end(segment_size, wal->block_pos);
    uint64_t end = ps_wal_align(wal->tail);
    struct ps_block block = {
        .pos = wal->block_pos,
        .next = next_segment ? seg_end : end,
        .durable_lsn = atomic_load(&wal->durable_lsn),
        .prev_lsn = wal->block_prev_lsn,
        .store_tag = wal->opts.store_tag,
        .incarnation = wal->opts.incarnation,
        .payload_len = (uint32_t)(wal->tail - wal->block_pos - PS_WAL_BLOCK_HDR_LEN),
        .record_count = wal->block_records,
        .records_crc = ps_crc32c_finish(wal->block_crc),
    };

    ps_assert_held(&wal->tail_mtx);
    ps_wal_check(wal, true);
    memset(ps_wal_ring_at(wal, wal->tail - 1) + 1, 0, (size_t)(end - wal->tail));
    ps_block_encode(&block, ps_wal_ring_at(wal, wal->block_pos));
    if (block.next == seg_end)
        wal->used_end[ps_wal_seg_no(segment_size, wal->block_pos) % wal->span] = end;

    wal->block_pos = block.next;
    wal->tail = block.next + PS_WAL_BLOCK_HDR_LEN;
    wal->block_prev_lsn = atomic_load(&wal->tail_lsn);
    wal->block_records = 0;
    wal->block_crc = PS_CRC32C_INIT;
}

/* Makes the open block one that takes `bytes` more, by closing it if need be. */
static void fit_block(struct ps_wal *wal, uint64_t bytes)
{
    uint64_t seg_end = ps_wal_seg_end(wal->opts.segment_size, wal->block_pos);

    if (wal->tail + bytes > seg_end)
        ps_wal_close_block(wal, true);
    assert(wal->tail + bytes <= ps_wal_seg_end(wal->opts.segment_size, wal->block_pos));
}

/* --- appending ---------------------------------------------------------------------------- */

/* What can be done of a group before it has a place. Returns its length. */
static uint64_t prepare_group(struct ps_record *recs, size_t count)
{
    uint64_t bytes = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        recs[i].flags &= (uint8_t)~PS_REC_GROUP_END;
        recs[i].crc = ps_record_body_crc(&recs[i]);
        bytes += ps_record_len(&recs[i]);
    }
    recs[count - 1].flags |= PS_REC_GROUP_END;
    return bytes;
}

/* Copies a group to the open block, where it fits. Under tail_mtx. */
static void place_group(struct ps_wal *wal, struct ps_record *recs, size_t count)
{
    uint64_t lsn = atomic_load(&wal->tail_lsn);
    ps_le32 crc;
    size_t i;

    ps_assert_held(&wal->tail_mtx);
    for (i = 0; i < count; i++) {
        if (i > 0 && recs[i].txn != 0 && recs[i].txn == recs[i - 1].txn)
            recs[i].txn_prev = recs[i - 1].pos;
        ps_record_encode(&recs[i], ps_wal_ring_at(wal, wal->tail), recs[i].crc, wal->tail, lsn);
        crc = ps_put32(recs[i].crc);
        wal->block_crc = ps_crc32c_extend(wal->block_crc, &crc, sizeof(crc));
        wal->block_records++;
        lsn = recs[i].lsn;
        wal->tail = lsn;
    }
    atomic_store(&wal->tail_lsn, lsn);
}

static void count_group(struct ps_wal *wal, struct ps_record *recs, size_t count, uint64_t bytes)
{
    uint64_t images = 0, image_bytes = 0;
    size_t i;
    unsigned r;

    for (i = 0; i < count; i++) {
        recs[i].group_lsn = recs[count - 1].lsn;
        for (r = 0; r < recs[i].ref_count; r++) {
            if (!(recs[i].refs[r].flags & PS_REF_IMAGE))
                continue;
            images++;
            image_bytes += recs[i].refs[r].after_len;
        }
    }
    atomic_fetch_add(&wal->counters.records, count);
    atomic_fetch_add(&wal->counters.bytes_appended, bytes);
    atomic_fetch_add(&wal->counters.images, images);
    atomic_fetch_add(&wal->counters.image_bytes, image_bytes);
}

/* Asks for a flush, once for each that begins, when this much waits to be written. */
static void ask_for_flush(struct ps_wal *wal, uint64_t unwritten)
{
    if (!wal->opts.want_flush || unwritten < wal->ring_len / 4)
        return;
    if (!atomic_load(&wal->flush_wanted) && !atomic_exchange(&wal->flush_wanted, true))
        wal->opts.want_flush(wal->opts.ctx);
}

bool ps_wal_append(struct ps_wal *wal, struct ps_wal_slot *slot, struct ps_record *recs,
                   size_t count, uint64_t redo_seen)
{
    uint64_t bytes, unwritten;

    assert(count > 0);
    bytes = prepare_group(recs, count);
    assert(bytes <= slot->bytes);

    ps_mutex_lock(&wal->tail_mtx);
    if (redo_seen != atomic_load(&wal->redo_lsn)) {
        ps_mutex_unlock(&wal->tail_mtx);
        return false;
    }
    fit_block(wal, bytes);
    place_group(wal, recs, count);
    pay_slot(wal, slot);
    unwritten = wal->tail - wal->written_pos;
    ps_wal_check(wal, false);
    ps_mutex_unlock(&wal->tail_mtx);
    ask_for_flush(wal, unwritten);
    count_group(wal, recs, count, bytes);
    return true;
}

/* Short of space, a checkpoint begins in the next segment, if that is there and the room that
 * others have reserved stays: so that the segments before can be used again. */
static bool may_skip_segment(const struct ps_wal *wal)
{
    uint32_t segment_size = wal->opts.segment_size;
    uint64_t from = ps_wal_seg_end(segment_size, wal->block_pos) + PS_WAL_BLOCK_HDR_LEN;
    uint64_t end = from + wal->reserved;

    ps_assert_held(&wal->tail_mtx);
    return atomic_load(&wal->short_of_space) && wal->block_pos % segment_size != 0 &&
           end <= wal->written_pos + wal->ring_len &&
           ps_wal_seg_no(segment_size, end - 1) < atomic_load(&wal->seg_limit);
}

void ps_wal_append_checkpoint(struct ps_wal *wal, struct ps_wal_slot *slot, struct ps_record *rec,
                              uint64_t *ret_redo_lsn)
{
    uint64_t bytes = prepare_group(rec, 1);

    assert(bytes <= slot->bytes);
    ps_mutex_lock(&wal->tail_mtx);
    if (wal->block_records > 0)
        ps_wal_close_block(wal, false);
    if (may_skip_segment(wal))
        ps_wal_close_block(wal, true);
    fit_block(wal, bytes);
    *ret_redo_lsn = wal->block_pos;
    atomic_store(&wal->redo_lsn, wal->block_pos);
    place_group(wal, rec, 1);
    pay_slot(wal, slot);
    ps_wal_check(wal, false);
    ps_mutex_unlock(&wal->tail_mtx);
    count_group(wal, rec, 1, bytes);
}

#ifndef NDEBUG
/* The records of the open block follow each other without a gap. */
static void check_open_block(const struct ps_wal *wal)
{
    uint64_t at = wal->block_pos + PS_WAL_BLOCK_HDR_LEN, prev = wal->block_prev_lsn;
    uint32_t count = 0;
    struct ps_record rec;
    ps_err err;

    while (at < wal->tail) {
        err = ps_record_parse(ps_wal_ring_at(wal, at), (size_t)(wal->tail - at), at, &rec);
        assert(err == PS_OK && rec.prev == prev);
        (void)err;
        prev = rec.lsn;
        at = rec.lsn;
        count++;
    }
    assert(at == wal->tail && count == wal->block_records);
    assert(prev == atomic_load(&wal->tail_lsn));
}

void ps_wal_check(const struct ps_wal *wal, bool records)
{
    ps_assert_held(&wal->tail_mtx);
    assert(wal->written_pos <= wal->block_pos && wal->block_pos < wal->tail);
    assert(wal->block_pos % PS_IO_ALIGN == 0 && wal->written_pos % PS_IO_ALIGN == 0);
    assert(wal->tail <= ps_wal_seg_end(wal->opts.segment_size, wal->block_pos));
    assert(close_bound(wal) + wal->reserved <= wal->written_pos + wal->ring_len);
    assert(atomic_load(&wal->durable_lsn) <= atomic_load(&wal->written_lsn));
    assert(atomic_load(&wal->written_lsn) <= atomic_load(&wal->tail_lsn));
    assert(atomic_load(&wal->tail_lsn) <= wal->tail);
    assert(atomic_load(&wal->log_start_lsn) <= wal->tail);
    if (records)
        check_open_block(wal);
}
#endif
