#include "recovery/checkpoint.h"

#include <assert.h>
#include <stdlib.h>

static size_t body_len(uint32_t txns)
{
    return sizeof(struct ps_checkpoint_body) + txns * sizeof(struct ps_checkpoint_txn);
}

void ps_checkpointer_init(struct ps_checkpointer *c)
{
    c->redo_lsn = c->control.redo_lsn;
    ps_mutex_init(&c->ckpt_mtx, PS_RANK_CKPT, "store.ckpt_mtx");
}

void ps_checkpointer_deinit(struct ps_checkpointer *c)
{
    ps_mutex_deinit(&c->ckpt_mtx);
}

/* Notes the active transactions in the body; returns the oldest position that undo may need. */
static uint64_t note_txns(struct ps_checkpointer *c, struct ps_checkpoint_body *body)
{
    struct ps_checkpoint_txn *at = (struct ps_checkpoint_txn *)(body + 1);
    uint64_t oldest = UINT64_MAX;
    const struct ps_txn_entry *e;
    uint32_t count = 0;

    ps_mutex_lock(&c->txns->list_mtx);
    for (e = c->txns->active; e; e = e->next) {
        if (!e->log.first_pos)
            continue; /* it logged nothing yet */
        assert(count < PS_TXNS_MAX);
        at[count++] = (struct ps_checkpoint_txn){
            .id = ps_put64(e->log.id),
            .first_pos = ps_put64(e->log.first_pos),
            .last_pos = ps_put64(e->log.last_pos),
        };
        if (e->log.first_pos < oldest)
            oldest = e->log.first_pos;
    }
    body->next_txn = ps_put64(c->txns->next_id);
    ps_mutex_unlock(&c->txns->list_mtx);
    body->txn_count = ps_put32(count);
    body->next_table = ps_put32(c->ops.next_table(c->ops.ctx));
    return oldest;
}

/* Notes the transactions and appends the record as one step for those who append to one. */
static uint64_t append_record(struct ps_checkpointer *c, struct ps_wal_slot *slot,
                              struct ps_checkpoint_body *body, struct ps_control *control)
{
    struct ps_record rec = {
        .rm = PS_RM_LOG,
        .type = PS_LOG_CHECKPOINT,
        .time_us = ps_io_wall_us(c->io),
        .body = body,
    };
    uint64_t oldest;

    ps_rwlock_wrlock(&c->txns->table_lock);
    oldest = note_txns(c, body);
    rec.body_len = (uint32_t)body_len(ps_get32(body->txn_count));
    ps_wal_append_checkpoint(c->wal, slot, &rec, &control->redo_lsn);
    ps_rwlock_unlock(&c->txns->table_lock);
    control->log_start_lsn = oldest < control->redo_lsn ? oldest : control->redo_lsn;
    control->next_txn = ps_get64(body->next_txn);
    control->next_table = ps_get32(body->next_table);
    return rec.lsn;
}

static ps_err begin_checkpoint(struct ps_checkpointer *c, struct ps_control *control,
                               uint64_t *ret_lsn)
{
    struct ps_checkpoint_body *body = calloc(1, body_len(PS_TXNS_MAX));
    struct ps_record longest = {.body_len = (uint32_t)body_len(PS_TXNS_MAX)};
    struct ps_wal_slot slot = {0};
    ps_err err;

    if (!body)
        return ps_fail(PS_ERR_NOMEM, "no memory for a checkpoint record");
    /* Writers may be waiting for log that only this checkpoint can free. */
    err = ps_wal_reserve_urgent(c->wal, ps_record_len(&longest), NULL, &slot);
    if (!err)
        *ret_lsn = append_record(c, &slot, body, control);
    free(body);
    return err;
}

struct progress {
    struct ps_checkpointer *c;
    const struct ps_checkpoint_how *how;
};

/* Between batches: says how far it is, and lets `how` slow it down. */
static void note_progress(void *ctx, uint32_t done, uint32_t total)
{
    const struct progress *p = ctx;
    uint64_t from_us;

    p->c->pages_done = done;
    p->c->pages_total = total;
    if (!p->how->pace)
        return;
    from_us = ps_io_now_us(p->c->io);
    p->how->pace(p->how->ctx, done, total);
    p->c->paced_us += ps_io_now_us(p->c->io) - from_us;
}

/* Pages that were dirty when the checkpoint began, and freed since, were thrown out of the pool
 * unwritten, and files of a table that was dropped since are not synced. That is right only if
 * recovery finds them freed or dropped: from the new redo point on nothing in the log would make
 * them again. They were discarded after their record was appended, but perhaps before it was
 * durable, so the log is made durable up to here before the redo point moves. */
static ps_err settle_discarded(struct ps_checkpointer *c)
{
    return ps_wal_flush(c->wal, ps_wal_tail_lsn(c->wal), NULL);
}

static ps_err full_work(struct ps_checkpointer *c, const struct ps_checkpoint_how *how,
                        struct ps_cancel *cancel)
{
    struct ps_control control = c->control;
    struct progress progress = {c, how};
    struct ps_flush before = {.gentle = true, .pace = note_progress, .ctx = &progress};
    uint64_t lsn = 0;
    ps_err err;

    ps_assert_held(&c->ckpt_mtx);
    err = begin_checkpoint(c, &control, &lsn);
    if (err)
        return err;
    before.rec_lsn_below = control.redo_lsn;
    err = ps_wal_flush(c->wal, lsn, NULL);
    if (!err)
        err = ps_pool_flush(c->pool, &before, cancel);
    c->pages_done = 0;
    c->pages_total = 0;
    if (!err)
        err = c->ops.sync_files(c->ops.ctx);
    if (!err)
        err = settle_discarded(c);
    if (!err)
        err = ps_poison_check(c->poison);
    if (err)
        return err;
    control.state = how->clean ? PS_STATE_CLEAN : PS_STATE_IN_USE;
    control.durable_lsn = ps_wal_durable_lsn(c->wal);
    control.end_lsn = how->clean ? lsn : 0;
    control.written_us = ps_io_wall_us(c->io);
    err = ps_control_write(c->io, &control, c->poison);
    if (err)
        return err;
    c->control = control;
    c->redo_lsn = control.redo_lsn;
    c->last_lsn = lsn;
    return ps_wal_recycle(c->wal, control.log_start_lsn);
}

ps_err ps_checkpoint_full(struct ps_checkpointer *c, const struct ps_checkpoint_how *how,
                          struct ps_cancel *cancel)
{
    ps_err err;

    ps_mutex_lock(&c->ckpt_mtx);
    err = ps_poison_check(c->poison);
    if (!err)
        err = full_work(c, how, cancel);
    if (!err) {
        c->last_us = ps_io_wall_us(c->io);
        c->checkpoints++;
    }
    ps_mutex_unlock(&c->ckpt_mtx);
    return err;
}
