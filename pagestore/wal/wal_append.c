/*
 * wal_append.c - appending groups: to claim bytes of the open block, to copy the records there, and
 * to close blocks and seal them.
 *
 * Appending never waits: the room was reserved. Claims and copies are described in wal_internal.h.
 * Reserving room, claiming and copying are each a few atomic operations on words that all writers
 * share; this is Aether's decoupled buffer insert (Johnson et al., VLDB 2010), as in PostgreSQL's
 * XLogInsertRecord() (xlog.c), but with one compare-and-swap in place of the insert position's
 * spinlock, and two counts in place of insertion locks.
 */
#include <string.h>

#include "base/crc32c.h"
#include "wal/wal_internal.h"

/* The round that a claim on this tail counts in. */
static unsigned current_round(uint64_t tail)
{
    return (tail & WAL_TAIL_ROUND) ? 1 : 0;
}

/* --- checks of debug builds --------------------------------------------------------------- */

#ifdef NDEBUG
static void check_tail(const struct ps_wal *wal)
{
    (void)wal;
}

static void check_sealed(const struct ps_wal *wal, const struct ps_block *block)
{
    (void)wal;
    (void)block;
}
#else
/* The tail's fields do not contradict each other. With the tail frozen. */
static void check_tail(const struct ps_wal *wal)
{
    uint64_t tail = ps_wal_tail_pos(wal), block_pos = atomic_load(&wal->block_pos);
    uint64_t written_pos = atomic_load(&wal->written_pos);

    ps_assert_held(&wal->tail_mtx);
    assert(written_pos <= block_pos && block_pos < tail);
    assert(block_pos % PS_IO_ALIGN == 0 && written_pos % PS_IO_ALIGN == 0);
    assert(tail <= ps_wal_seg_end(wal->opts.segment_size, block_pos));
    assert(ps_wal_close_bound(wal) <= written_pos + wal->ring_len);
    assert(atomic_load(&wal->durable_lsn) <= atomic_load(&wal->written_lsn));
    assert(atomic_load(&wal->written_lsn) <= ps_wal_tail_lsn(wal));
    assert(ps_wal_tail_lsn(wal) <= tail && atomic_load(&wal->log_start_lsn) <= tail);
}

/* Every record of the block is sound, and the successor of the one before it. */
static void check_sealed(const struct ps_wal *wal, const struct ps_block *block)
{
    const uint8_t *records = ps_wal_ring_at(wal, ps_wal_first_pos(block->pos));
    uint64_t last_lsn, bad_off;
    ps_err err = ps_block_verify(block, records, &last_lsn, &bad_off);

    assert(err == PS_OK);
    (void)err;
}
#endif

/* --- copies ------------------------------------------------------------------------------- */

/* A copy was made to what was claimed, or the claim failed. */
static void end_copy(struct ps_wal *wal, unsigned round)
{
    if (atomic_fetch_sub(&wal->copying[round], 1) > 1 || !atomic_load(&wal->copies_awaited))
        return;
    ps_mutex_lock(&wal->tail_mtx);
    ps_cond_broadcast(&wal->copy_cond);
    ps_mutex_unlock(&wal->tail_mtx);
}

/* By the flusher, of a round that is over: a copy takes microseconds, and waits for nothing. That
 * this says that it waits before it looks, and end_copy() looks after it subtracted, is why the
 * last one's signal is not missed. */
static void await_copies(struct ps_wal *wal, unsigned round)
{
    if (atomic_load(&wal->copying[round]) == 0)
        return;
    ps_mutex_lock(&wal->tail_mtx);
    atomic_store(&wal->copies_awaited, true);
    while (atomic_load(&wal->copying[round]) > 0)
        ps_cond_wait(&wal->copy_cond, &wal->tail_mtx);
    atomic_store(&wal->copies_awaited, false);
    ps_mutex_unlock(&wal->tail_mtx);
}

/* --- blocks: with the tail frozen --------------------------------------------------------- */

static bool block_is_empty(const struct ps_wal *wal)
{
    return ps_wal_tail_pos(wal) == ps_wal_first_pos(atomic_load(&wal->block_pos));
}

static void move_tail(struct ps_wal *wal, uint64_t pos)
{
    atomic_store(&wal->tail, pos | (atomic_load(&wal->tail) & WAL_TAIL_FLAGS));
}

/* Closes the open block and opens the next one: behind it, or at the next segment's start. Until it
 * is sealed the block has its struct ps_block in its header's place. */
static void close_block(struct ps_wal *wal, bool next_segment)
{
    uint32_t segment_size = wal->opts.segment_size;
    uint64_t pos = atomic_load(&wal->block_pos), tail = ps_wal_tail_pos(wal);
    uint64_t seg_end = ps_wal_seg_end(segment_size, pos);
    uint64_t end = ps_wal_align(tail);
    uint64_t last_lsn = ps_wal_tail_lsn(wal);
    struct ps_block block = {
        .pos = pos,
        .next = next_segment ? seg_end : end,
        .durable_lsn = atomic_load(&wal->durable_lsn),
        .prev_lsn = atomic_load(&wal->block_prev_lsn),
        .store_tag = wal->opts.store_tag,
        .incarnation = wal->opts.incarnation,
        .payload_len = (uint32_t)(tail - ps_wal_first_pos(pos)),
    };

    static_assert(sizeof(block) <= PS_WAL_BLOCK_HDR_LEN, "lies in the header's place");
    memset(ps_wal_ring_at(wal, tail - 1) + 1, 0, (size_t)(end - tail));
    memcpy(ps_wal_ring_at(wal, pos), &block, sizeof(block));
    if (block.next == seg_end)
        wal->used_end[ps_wal_seg_no(segment_size, pos) % wal->span] = end;

    atomic_store(&wal->block_prev_lsn, last_lsn);
    atomic_store(&wal->block_pos, block.next);
    move_tail(wal, ps_wal_first_pos(block.next));
}

/* Makes the open block one that takes `bytes` more, by closing it if need be. */
static void fit_block(struct ps_wal *wal, uint64_t bytes)
{
    uint64_t seg_end = ps_wal_seg_end(wal->opts.segment_size, atomic_load(&wal->block_pos));

    if (ps_wal_tail_pos(wal) + bytes > seg_end)
        close_block(wal, true);
}

/* Completes the header of a closed block, whose records are all there. Returns where the next block
 * is. */
static uint64_t seal_block(const struct ps_wal *wal, uint64_t pos)
{
    uint8_t *buf = ps_wal_ring_at(wal, pos), *records = ps_wal_ring_at(wal, ps_wal_first_pos(pos));
    uint32_t crc = PS_CRC32C_INIT;
    struct ps_block block;
    size_t off, len;

    memcpy(&block, buf, sizeof(block));
    for (off = 0; off < block.payload_len; off += len) {
        len = ps_record_peek_len(records + off, block.payload_len - off);
        assert(len > 0);
        crc = ps_crc32c_extend(crc, records + off + offsetof(struct ps_record_hdr, crc),
                               sizeof(ps_le32));
        block.record_count++;
    }
    block.records_crc = ps_crc32c_finish(crc);
    check_sealed(wal, &block);
    ps_block_encode(&block, buf);
    return block.next;
}

/* Under tail_mtx. *ret_round: the one that is over. */
static void close_batch(struct ps_wal *wal, struct ps_wal_batch *ret, unsigned *ret_round)
{
    (void)ps_wal_freeze(wal);
    if (!block_is_empty(wal))
        close_block(wal, false);
    ret->from = atomic_load(&wal->written_pos);
    ret->to = atomic_load(&wal->block_pos);
    ret->lsn = atomic_load(&wal->block_prev_lsn);
    *ret_round = current_round(atomic_load(&wal->tail));
    if (ret->from < ret->to)
        atomic_fetch_xor(&wal->tail, WAL_TAIL_ROUND);
    check_tail(wal);
    ps_wal_thaw(wal);
}

void ps_wal_take_batch(struct ps_wal *wal, struct ps_wal_batch *ret)
{
    unsigned round;
    uint64_t pos;

    ps_mutex_lock(&wal->tail_mtx);
    atomic_store(&wal->flush_wanted, false); /* what is appended from here on may ask again */
    close_batch(wal, ret, &round);
    ps_mutex_unlock(&wal->tail_mtx);
    if (ret->from == ret->to)
        return;
    await_copies(wal, round);
    for (pos = ret->from; pos < ret->to;)
        pos = seal_block(wal, pos);
}

/* --- claims ------------------------------------------------------------------------------- */

/* Bytes of the open block that are one appender's, from pos on, until end_copy(). */
struct claim {
    uint64_t pos;
    uint64_t prev_lsn; /* of the record before */
    unsigned round;
};

/* What a claim is that moves the tail on from here. It counts from now on. */
static struct claim begin_claim(struct ps_wal *wal, uint64_t tail)
{
    uint64_t pos = tail & ~WAL_TAIL_FLAGS;
    bool first = pos == ps_wal_first_pos(atomic_load(&wal->block_pos));
    struct claim c = {
        .pos = pos,
        .prev_lsn = first ? atomic_load(&wal->block_prev_lsn) : pos,
        .round = current_round(tail),
    };

    atomic_fetch_add(&wal->copying[c.round], 1);
    return c;
}

/* False: the tail is frozen, the group does not fit in the segment, or the redo point has moved. */
static bool claim_at_once(struct ps_wal *wal, uint64_t bytes, uint64_t redo_seen, struct claim *ret)
{
    uint64_t tail = atomic_load(&wal->tail), seg_end;

    for (;;) {
        seg_end = ps_wal_seg_end(wal->opts.segment_size, atomic_load(&wal->block_pos));
        if ((tail & WAL_TAIL_FROZEN) || (tail & ~WAL_TAIL_FLAGS) + bytes > seg_end ||
            atomic_load(&wal->redo_lsn) != redo_seen)
            return false;
        *ret = begin_claim(wal, tail);
        if (atomic_compare_exchange_strong(&wal->tail, &tail, tail + bytes))
            return true;
        end_copy(wal, ret->round);
    }
}

/* With the tail frozen, in a block that has the room. */
static void claim_frozen(struct ps_wal *wal, uint64_t bytes, struct claim *ret)
{
    uint64_t tail = atomic_load(&wal->tail);

    *ret = begin_claim(wal, tail);
    move_tail(wal, ret->pos + bytes);
    check_tail(wal);
}

/* False: the redo point has moved. */
static bool claim_in_turn(struct ps_wal *wal, uint64_t bytes, uint64_t redo_seen, struct claim *ret)
{
    bool same;

    ps_mutex_lock(&wal->tail_mtx);
    (void)ps_wal_freeze(wal);
    same = atomic_load(&wal->redo_lsn) == redo_seen;
    if (same) {
        fit_block(wal, bytes);
        claim_frozen(wal, bytes, ret);
    }
    ps_wal_thaw(wal);
    ps_mutex_unlock(&wal->tail_mtx);
    return same;
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

/* Copies a group to where its claim is. */
static void copy_group(struct ps_wal *wal, struct ps_record *recs, size_t count,
                       const struct claim *c)
{
    uint64_t pos = c->pos, prev_lsn = c->prev_lsn;
    size_t i;

    for (i = 0; i < count; i++) {
        if (i > 0 && recs[i].txn != 0 && recs[i].txn == recs[i - 1].txn)
            recs[i].txn_prev = recs[i - 1].pos;
        ps_record_encode(&recs[i], ps_wal_ring_at(wal, pos), recs[i].crc, pos, prev_lsn);
        prev_lsn = recs[i].lsn;
        pos = recs[i].lsn;
    }
    end_copy(wal, c->round);
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
    atomic_fetch_add(&wal->records, count);
    atomic_fetch_add(&wal->bytes_appended, bytes);
    if (images == 0)
        return;
    atomic_fetch_add(&wal->counters.images, images);
    atomic_fetch_add(&wal->counters.image_bytes, image_bytes);
}

/* Asks for a flush, once for each that begins, when this much waits to be written. */
static void ask_for_flush(struct ps_wal *wal)
{
    uint64_t tail = ps_wal_tail_pos(wal); /* written_pos, read after it, may have passed it */

    if (!wal->opts.want_flush || tail < atomic_load(&wal->written_pos) + wal->ring_len / 4)
        return;
    if (!atomic_load(&wal->flush_wanted) && !atomic_exchange(&wal->flush_wanted, true))
        wal->opts.want_flush(wal->opts.ctx);
}

bool ps_wal_append(struct ps_wal *wal, struct ps_wal_slot *slot, struct ps_record *recs,
                   size_t count, uint64_t redo_seen)
{
    struct claim claim;
    uint64_t bytes;

    assert(count > 0);
    bytes = prepare_group(recs, count);
    assert(bytes <= slot->bytes);
    if (!claim_at_once(wal, bytes, redo_seen, &claim) &&
        !claim_in_turn(wal, bytes, redo_seen, &claim))
        return false;
    copy_group(wal, recs, count, &claim);
    ps_wal_release(wal, slot);
    ask_for_flush(wal);
    count_group(wal, recs, count, bytes);
    return true;
}

/* Short of space, a checkpoint begins in the next segment, if that is there and the room that
 * others have reserved stays: so that the segments before can be used again. Who reserves without a
 * lock meanwhile sees the tail frozen, or moved. */
static bool may_skip_segment(const struct ps_wal *wal)
{
    uint32_t segment_size = wal->opts.segment_size;
    uint64_t block_pos = atomic_load(&wal->block_pos);
    uint64_t from = ps_wal_first_pos(ps_wal_seg_end(segment_size, block_pos));
    uint64_t end = from + atomic_load(&wal->reserved);

    return atomic_load(&wal->short_of_space) && block_pos % segment_size != 0 &&
           end <= atomic_load(&wal->written_pos) + wal->ring_len &&
           ps_wal_seg_no(segment_size, end - 1) < atomic_load(&wal->seg_limit);
}

/* With the tail frozen. */
static void begin_checkpoint(struct ps_wal *wal, uint64_t bytes)
{
    if (!block_is_empty(wal))
        close_block(wal, false);
    if (may_skip_segment(wal))
        close_block(wal, true);
    fit_block(wal, bytes);
    atomic_store(&wal->redo_lsn, atomic_load(&wal->block_pos));
}

void ps_wal_append_checkpoint(struct ps_wal *wal, struct ps_wal_slot *slot, struct ps_record *rec,
                              uint64_t *ret_redo_lsn)
{
    uint64_t bytes = prepare_group(rec, 1);
    struct claim claim;

    assert(bytes <= slot->bytes);
    ps_mutex_lock(&wal->tail_mtx);
    (void)ps_wal_freeze(wal);
    begin_checkpoint(wal, bytes);
    *ret_redo_lsn = atomic_load(&wal->redo_lsn);
    claim_frozen(wal, bytes, &claim);
    ps_wal_thaw(wal);
    ps_mutex_unlock(&wal->tail_mtx);
    copy_group(wal, rec, 1, &claim);
    ps_wal_release(wal, slot);
    count_group(wal, rec, 1, bytes);
}
