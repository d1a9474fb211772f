/*
 * wal_room.c - reserving room in the log, and giving it back.
 *
 * All waiting is done in reserve, before the caller takes any latch. What makes that enough is the
 * reckoning of room described in wal_internal.h.
 *
 * A reservation is an addition to `reserved` and a look at whether all still fits; only who has to
 * wait takes tail_mtx, and waits for room when nobody else does. The look reads `reserved` first
 * and the tail after it: a group that is claimed and paid for in between is then counted twice,
 * never not at all. Of two that add at the same time each sees the other, or one does: both cannot
 * get the last room.
 */
#include "base/wait.h"
#include "wal/wal_internal.h"

/* --- the reckoning ------------------------------------------------------------------------ */

uint64_t ps_wal_group_cost(uint64_t bytes)
{
    /* Once where it lies, once for what it leaves unused at a segment's end (less than its length,
     * or it would have gone there); two block headers, and padding of the block it ends. */
    return 2 * bytes + 2 * PS_WAL_BLOCK_HDR_LEN + PS_IO_ALIGN;
}

uint64_t ps_wal_close_bound(const struct ps_wal *wal)
{
    uint64_t tail = ps_wal_tail_pos(wal);

    if (tail == ps_wal_first_pos(atomic_load(&wal->block_pos)))
        return tail;
    return ps_wal_first_pos(ps_wal_align(tail));
}

enum room { ROOM_THERE, ROOM_NO_LOG, ROOM_NO_BUFFER, ROOM_NO_SEGMENT };

/* Is there room for what is reserved and a group of this cost? ret_seg_no: up to which segment it
 * needs them made. */
static enum room room_for(const struct ps_wal *wal, uint64_t cost, bool urgent,
                          uint64_t *ret_seg_no)
{
    uint64_t reserved = atomic_load(&wal->reserved); /* before the tail: see above */
    uint64_t end = ps_wal_close_bound(wal) + reserved + cost;
    uint64_t in_hand = urgent ? 0 : 1;

    *ret_seg_no = ps_wal_seg_no(wal->opts.segment_size, end - 1) + in_hand;
    if (!urgent && end - atomic_load(&wal->log_start_lsn) > wal->opts.max_wal)
        return ROOM_NO_LOG;
    if (end > atomic_load(&wal->written_pos) + wal->ring_len)
        return ROOM_NO_BUFFER;
    if (*ret_seg_no >= atomic_load(&wal->seg_limit))
        return ROOM_NO_SEGMENT;
    return ROOM_THERE;
}

/* Reserves, if there is room. */
static enum room try_to_add(struct ps_wal *wal, uint64_t cost, bool urgent, uint64_t *ret_seg_no)
{
    enum room room;

    atomic_fetch_add(&wal->reserved, cost);
    room = room_for(wal, 0, urgent, ret_seg_no);
    if (room != ROOM_THERE)
        atomic_fetch_sub(&wal->reserved, cost);
    return room;
}

/* --- waiting for room: under tail_mtx, as one of room_waiters ------------------------------
 *
 * Waits are counted when they begin. A token that is raised already makes a try of it, which is
 * refused where it would have to wait, and counts where the caller comes again to wait. */

/* Until something about room has moved. */
static ps_err wait_for_room(struct ps_wal *wal, struct ps_cancel *cancel)
{
    assert(atomic_load(&wal->room_waiters) > 0);
    return ps_wait(&wal->room_cond, &wal->tail_mtx, cancel);
}

/* max_wal is reached: asks for a checkpoint, then waits unless that made room already. */
static ps_err wait_for_log(struct ps_wal *wal, uint64_t cost, struct ps_cancel *cancel)
{
    uint64_t seg_no;
    ps_err err;

    if (!ps_cancel_raised(cancel))
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
    bool only_try = ps_cancel_raised(cancel);
    ps_err err;

    if (!only_try)
        atomic_fetch_add(&wal->counters.buffer_waits, 1);
    if (ps_wal_tail_lsn(wal) == atomic_load(&wal->written_lsn))
        return wait_for_room(wal, cancel);
    ps_mutex_unlock(&wal->tail_mtx);
    err = ps_wal_write_out(wal, cancel);
    ps_mutex_lock(&wal->tail_mtx);
    if (only_try && !err) /* it could write the buffer itself */
        atomic_fetch_add(&wal->counters.buffer_waits, 1);
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

static ps_err reserve_or_wait(struct ps_wal *wal, uint64_t cost, bool urgent,
                              struct ps_cancel *cancel)
{
    bool asked = false;
    uint64_t seg_no;
    ps_err err;

    for (;;) {
        err = ps_poison_check(wal->opts.poison);
        if (err)
            return err;
        switch (try_to_add(wal, cost, urgent, &seg_no)) {
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

/* One waits for room at a time, the others for their turn: else short groups would take away what a
 * long one needs all at once, for as long as they come. Urgent ones do not wait for a turn, as they
 * may be what makes room. So may whoever holds a slot, but it does not ask for another. */
static ps_err reserve_in_turn(struct ps_wal *wal, uint64_t cost, bool urgent,
                              struct ps_cancel *cancel)
{
    ps_err err = PS_OK;

    if (urgent)
        return reserve_or_wait(wal, cost, urgent, cancel);
    while (!err && wal->turn_taken)
        err = wait_for_room(wal, cancel);
    if (err)
        return err;
    wal->turn_taken = true;
    err = reserve_or_wait(wal, cost, urgent, cancel);
    wal->turn_taken = false;
    ps_cond_broadcast(&wal->room_cond);
    return err;
}

/* --- reserving ---------------------------------------------------------------------------- */

/* Who gives room back wakes those who wait for some. They count themselves before they look, and
 * this looks for them after the subtraction: none is missed. */
static void wake_room_waiters(struct ps_wal *wal)
{
    if (atomic_load(&wal->room_waiters) == 0)
        return;
    ps_mutex_lock(&wal->tail_mtx);
    ps_cond_broadcast(&wal->room_cond);
    ps_mutex_unlock(&wal->tail_mtx);
}

/* False: somebody waits already, or would have to. What is added is not looked at while the tail is
 * frozen: it may be about to move by more than was reserved (may_skip_segment() in wal_append.c),
 * by a reckoning that did not see this. */
static bool reserve_at_once(struct ps_wal *wal, uint64_t cost, bool urgent)
{
    uint64_t seg_no;

    if (atomic_load(&wal->room_waiters) > 0)
        return false;
    atomic_fetch_add(&wal->reserved, cost);
    if (!(atomic_load(&wal->tail) & WAL_TAIL_FROZEN) &&
        room_for(wal, 0, urgent, &seg_no) == ROOM_THERE)
        return true;
    atomic_fetch_sub(&wal->reserved, cost);
    wake_room_waiters(wal); /* one may have found too little because of this */
    return false;
}

static ps_err reserve(struct ps_wal *wal, uint64_t bytes, bool urgent, struct ps_cancel *cancel,
                      struct ps_wal_slot *ret)
{
    uint64_t cost = ps_wal_group_cost(bytes);
    ps_err err;

    if (bytes == 0 || bytes > wal->group_max)
        return ps_fail(PS_ERR_RANGE, "a group of %llu bytes of log; it can have 1 to %llu",
                       (unsigned long long)bytes, (unsigned long long)wal->group_max);
    err = ps_poison_check(wal->opts.poison);
    if (!err && !reserve_at_once(wal, cost, urgent)) {
        atomic_fetch_add(&wal->room_waiters, 1);
        ps_mutex_lock(&wal->tail_mtx);
        err = reserve_in_turn(wal, cost, urgent, cancel);
        ps_mutex_unlock(&wal->tail_mtx);
        atomic_fetch_sub(&wal->room_waiters, 1);
    }
    if (!err)
        ret->bytes = bytes;
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

void ps_wal_release(struct ps_wal *wal, struct ps_wal_slot *slot)
{
    uint64_t before;

    if (slot->bytes == 0)
        return;
    before = atomic_fetch_sub(&wal->reserved, ps_wal_group_cost(slot->bytes));
    assert(before >= ps_wal_group_cost(slot->bytes));
    (void)before;
    slot->bytes = 0;
    wake_room_waiters(wal);
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
    uint64_t tail = ps_wal_freeze(wal);
    uint64_t written_pos = atomic_load(&wal->written_pos);
    uint64_t off = tail % wal->ring_len;
    uint64_t len = written_pos + wal->ring_len - tail;
    uint64_t to_end = wal->ring_len - off;

    ps_arena_give_back(&wal->ring, (size_t)off, (size_t)(len < to_end ? len : to_end));
    if (len > to_end)
        ps_arena_give_back(&wal->ring, 0, (size_t)(len - to_end));
    wal->memory_pos = written_pos;
    ps_wal_thaw(wal);
}

void ps_wal_trim(struct ps_wal *wal)
{
    uint64_t tail;
    bool little;

    ps_mutex_lock(&wal->tail_mtx);
    tail = ps_wal_tail_pos(wal);
    little = tail - wal->trim_tail < wal->ring_len / TRIM_SHARE;
    wal->trim_tail = tail;
    if (little && tail - wal->memory_pos > wal->ring_len / TRIM_SHARE)
        give_back_free(wal);
    ps_mutex_unlock(&wal->tail_mtx);
}
