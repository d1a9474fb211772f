#include "recovery/sync.h"

#include <assert.h>
#include <stdio.h>

/* On its leader's stack. */
struct ps_sync_round {
    struct ps_sync_call *first, *last;
};

static void line_init(struct ps_sync_line *line)
{
    line->forming = NULL;
    line->log.taken = false;
    line->pages.taken = false;
    ps_cond_init(&line->log.free);
    ps_cond_init(&line->pages.free);
}

static void line_deinit(struct ps_sync_line *line)
{
    assert(!line->forming && !line->log.taken && !line->pages.taken);
    ps_cond_deinit(&line->log.free);
    ps_cond_deinit(&line->pages.free);
}

void ps_syncer_init(struct ps_syncer *y)
{
    ps_mutex_init(&y->mtx, PS_RANK_LEAF, "syncer.mtx");
    line_init(&y->data);
    line_init(&y->log);
    line_init(&y->full);
    ps_cond_init(&y->told);
}

void ps_syncer_deinit(struct ps_syncer *y)
{
    assert(y->waiters == 0);
    ps_cond_deinit(&y->told);
    line_deinit(&y->full);
    line_deinit(&y->log);
    line_deinit(&y->data);
    ps_mutex_deinit(&y->mtx);
}

/* --- turns -------------------------------------------------------------------------------- */

static void take_turn(struct ps_syncer *y, struct ps_sync_turn *turn)
{
    ps_assert_held(&y->mtx);
    while (turn->taken)
        ps_cond_wait(&turn->free, &y->mtx);
    turn->taken = true;
}

static void give_turn(struct ps_syncer *y, struct ps_sync_turn *turn)
{
    ps_assert_held(&y->mtx);
    assert(turn->taken);
    turn->taken = false;
    ps_cond_signal(&turn->free);
}

/* --- a round's work ------------------------------------------------------------------------- */

/* Up to its end, which is where the round ends. */
static ps_err flush_log(struct ps_syncer *y, uint64_t *ret_lsn)
{
    ps_err err = ps_poison_check(y->poison);

    *ret_lsn = ps_wal_tail_lsn(y->wal);
    return err ? err : ps_wal_flush(y->wal, *ret_lsn, NULL);
}

/* What was changed behind lsn only is left to the next round: its log need not be durable yet. */
static ps_err write_pages(struct ps_syncer *y, uint64_t lsn)
{
    const struct ps_flush before = {.rec_lsn_below = lsn, .data_only = true};
    ps_err err = ps_pool_flush(y->pool, &before, NULL);

    if (!err)
        err = y->sync_files(y->ctx);
    return err ? err : ps_poison_check(y->poison);
}

/* With the log's turn taken, which is given back. It is kept until the turn to write pages comes:
 * so rounds do not overtake each other. */
static ps_err work(struct ps_syncer *y, struct ps_sync_line *line)
{
    uint64_t lsn = 0;
    ps_err err = line == &y->full ? y->checkpoint(y->ctx) : flush_log(y, &lsn);

    ps_mutex_lock(&y->mtx);
    if (line != &y->data || err) {
        give_turn(y, &line->log);
        ps_mutex_unlock(&y->mtx);
        return err;
    }
    take_turn(y, &line->pages);
    give_turn(y, &line->log);
    ps_mutex_unlock(&y->mtx);

    y->rounds++;
    err = write_pages(y, lsn);
    ps_mutex_lock(&y->mtx);
    give_turn(y, &line->pages);
    ps_mutex_unlock(&y->mtx);
    return err;
}

/* Each call may be gone as soon as it was told. */
static void tell(struct ps_syncer *y, const struct ps_sync_line *line,
                 const struct ps_sync_round *round, ps_err err)
{
    struct ps_sync_call *call = round->first, *next;
    uint64_t now_us = ps_io_now_us(y->io);
    char why[256];

    snprintf(why, sizeof(why), "%s", err ? ps_message() : "");
    for (; call; call = next) {
        next = call->next;
        if (!err && line != &y->full)
            ps_histogram_add(y->times, now_us - call->from_us);
        y->waiters--;
        call->done(call, err ? ps_fail(err, "%s", why) : PS_OK);
    }
}

static struct ps_sync_line *line_of(struct ps_syncer *y, enum ps_sync_kind kind)
{
    switch (kind) {
    case PS_SYNC_DATA:
        return &y->data;
    case PS_SYNC_LOG:
        return &y->log;
    case PS_SYNC_FULL:
        break;
    }
    return &y->full;
}

void ps_sync_begin(struct ps_syncer *y, enum ps_sync_kind kind, struct ps_sync_call *call)
{
    struct ps_sync_line *line = line_of(y, kind);
    struct ps_sync_round round = {.first = call, .last = call};

    if (kind != PS_SYNC_FULL)
        y->calls++;
    y->waiters++;
    call->next = NULL;
    call->from_us = ps_io_now_us(y->io);
    ps_mutex_lock(&y->mtx);
    if (line->forming) {
        line->forming->last->next = call;
        line->forming->last = call;
        ps_mutex_unlock(&y->mtx);
        return;
    }
    line->forming = &round;
    take_turn(y, &line->log);
    line->forming = NULL;
    ps_mutex_unlock(&y->mtx);
    tell(y, line, &round, work(y, line));
}

/* --- waiting ------------------------------------------------------------------------------ */

struct waiting {
    struct ps_sync_call call; /* first: it is this */
    struct ps_syncer *y;
    bool done; /* guarded by mtx, as what follows */
    ps_err err;
    char why[256];
};

static void end_waiting(struct ps_sync_call *call, ps_err err)
{
    struct waiting *w = (struct waiting *)call;
    struct ps_syncer *y = w->y;

    ps_mutex_lock(&y->mtx);
    w->done = true;
    w->err = err;
    if (err)
        snprintf(w->why, sizeof(w->why), "%s", ps_message());
    ps_cond_broadcast(&y->told);
    ps_mutex_unlock(&y->mtx);
}

ps_err ps_sync_wait(struct ps_syncer *y, enum ps_sync_kind kind)
{
    struct waiting w = {.call.done = end_waiting, .y = y};

    ps_sync_begin(y, kind, &w.call);
    ps_mutex_lock(&y->mtx);
    while (!w.done)
        ps_cond_wait(&y->told, &y->mtx);
    ps_mutex_unlock(&y->mtx);
    return w.err ? ps_fail(w.err, "%s", w.why) : PS_OK;
}
