/*
 * background.c - log writer, log preparer, cleaner, checkpointer: steps, and the threads that call
 * them.
 *
 * A step does what there is to do now and says whether there was anything. The threads add only
 * waiting; without them (no_threads) whoever owns the store calls the steps.
 */
#include <stdlib.h>

#include "base/thread.h"
#include "store/store_internal.h"

#define CLEANER_PERIOD_US 100000u
#define CLEANER_PAGES_MAX 128u
#define CHECKPOINT_LOOK_US 1000000u /* how often log size and time are looked at */
#define PACE_PAGES_PER_SECOND_MIN 2000u
#define PACE_SLICE_US 10000u /* how often a paced checkpoint looks whether it is late */

struct worker {
    struct ps_background *b;
    pthread_t thread;
    bool started;
    struct ps_cond cond; /* with b->mtx: stop, or woken */
    bool woken;          /* guarded by b->mtx: its period is over */
};

enum { LOG_WRITER, LOG_PREPARER, CLEANER, CHECKPOINTER, WORKERS };

struct ps_background {
    struct ps_store *s;
    struct ps_mutex mtx;  /* rank LEAF */
    bool stop;            /* guarded by mtx */
    bool want_checkpoint; /* guarded by mtx: somebody waits for one */
    struct worker workers[WORKERS];
    /* of the paced checkpoint that runs; the checkpointer's */
    uint64_t pace_from_us;
    uint64_t pace_from_lsn;
};

/* --- steps -------------------------------------------------------------------------------- */

static ps_err step_log_writer(struct ps_store *s, bool *ret_worked)
{
    ps_err err;

    *ret_worked = ps_wal_tail_lsn(s->wal) > ps_wal_durable_lsn(s->wal);
    err = ps_poison_check(&s->poison);
    if (!err && *ret_worked)
        err = ps_wal_writer_step(s->wal);
    ps_wal_trim(s->wal);
    return err;
}

static ps_err step_cleaner(struct ps_store *s, bool *ret_worked)
{
    ps_err err = ps_poison_check(&s->poison);

    (void)ps_pool_heat_period(s->pool); /* heat cools where nothing is missed, too */
    *ret_worked = !err && ps_pool_clean_step(s->pool, CLEANER_PAGES_MAX) > 0;
    return err;
}

/* A crash shall never have much more than half of max_wal to redo. */
static bool log_is_long(const struct ps_store *s)
{
    return ps_wal_tail_lsn(s->wal) - ps_wal_redo_lsn(s->wal) > s->opts.max_wal / 2;
}

/* By size, or by time. One that failed counts for nothing. */
static bool checkpoint_is_due(struct ps_store *s)
{
    uint64_t tail = ps_wal_tail_lsn(s->wal);
    uint64_t last_us = s->ckpt.last_us ? s->ckpt.last_us : s->opened_us;
    uint64_t age_us = ps_io_wall_us(s->io) - last_us;

    if (tail - s->ckpt.redo_lsn > s->opts.max_wal / 2)
        return true; /* not log_is_long: the last one may have failed */
    /* Nothing but the last checkpoint's own record: nothing to do. */
    if (s->ckpt.last_lsn == tail)
        return false;
    return age_us > (uint64_t)s->checkpoint_timeout_s * 1000000u;
}

/* Is the checkpoint that runs ahead of its schedule? By time, which its pages give it, and by log,
 * which may grow by a quarter of max_wal until it is done (as PostgreSQL's
 * IsCheckpointOnSchedule() has it, in src/backend/postmaster/checkpointer.c). */
static bool ahead_of_schedule(const struct ps_background *b, uint32_t done, uint32_t total)
{
    const struct ps_store *s = b->s;
    uint64_t elapsed_us = ps_io_now_us(s->io) - b->pace_from_us;
    uint64_t log = ps_wal_tail_lsn(s->wal) - b->pace_from_lsn;

    return (uint64_t)done * 1000000u / PACE_PAGES_PER_SECOND_MIN > elapsed_us &&
           s->opts.max_wal / 4 / total * done > log;
}

/* Spreads a checkpoint that nobody waits for over time. */
static void pace(void *ctx, uint32_t done, uint32_t total)
{
    struct ps_background *b = ctx;
    struct ps_store *s = b->s;

    if (done >= total)
        return;
    ps_mutex_lock(&b->mtx);
    while (!b->stop && !b->want_checkpoint && s->syncer.waiters == 0 &&
           ahead_of_schedule(b, done, total))
        (void)ps_cond_wait_until(&b->workers[CHECKPOINTER].cond, &b->mtx,
                                 ps_io_now_us(s->io) + PACE_SLICE_US);
    ps_mutex_unlock(&b->mtx);
}

/* Before a checkpoint: it cannot let go of log that they keep. */
static void undo_hogs(struct ps_store *s)
{
    ps_err err = ps_txns_undo_hogs(s);

    if (err && err != PS_ERR_POISONED)
        ps_store_say(s, PS_MSG_WARNING, "undoing a transaction: %s", ps_message());
}

static ps_err checkpoint(struct ps_store *s, struct ps_background *b)
{
    const struct ps_checkpoint_how how = {.pace = b ? pace : NULL, .ctx = b};

    if (b) {
        b->pace_from_us = ps_io_now_us(s->io);
        b->pace_from_lsn = ps_wal_tail_lsn(s->wal);
    }
    return ps_checkpoint_full(&s->ckpt, &how, NULL);
}

static ps_err step_checkpointer(struct ps_store *s, bool *ret_worked)
{
    undo_hogs(s);
    *ret_worked = checkpoint_is_due(s);
    return *ret_worked ? checkpoint(s, NULL) : PS_OK;
}

static void say_failure(struct ps_store *s, ps_err err)
{
    if (err && err != PS_ERR_POISONED)
        ps_store_say(s, PS_MSG_WARNING, "background work: %s", ps_message());
}

bool ps_store_step(struct ps_store *s, enum ps_task task)
{
    bool worked = false;
    ps_err err = PS_OK;

    if (s->opts.read_only)
        return false;
    switch (task) {
    case PS_TASK_LOG_WRITER:
        err = step_log_writer(s, &worked);
        break;
    case PS_TASK_LOG_PREPARER:
        err = ps_wal_prepare_step(s->wal, &worked);
        break;
    case PS_TASK_CLEANER:
        err = step_cleaner(s, &worked);
        break;
    case PS_TASK_CHECKPOINTER:
        err = step_checkpointer(s, &worked);
        break;
    }
    say_failure(s, err);
    return worked && !err;
}

/* --- threads ------------------------------------------------------------------------------ */

/* Waits out a period, or until the worker is woken; false when it is time to stop. */
static bool wait_period(struct worker *w, uint64_t period_us)
{
    struct ps_background *b = w->b;
    uint64_t deadline = ps_io_now_us(b->s->io) + period_us;
    bool go_on;

    ps_mutex_lock(&b->mtx);
    while (!b->stop && !w->woken && ps_cond_wait_until(&w->cond, &b->mtx, deadline))
        ;
    w->woken = false;
    go_on = !b->stop;
    ps_mutex_unlock(&b->mtx);
    return go_on;
}

static void wake(struct worker *w)
{
    ps_mutex_lock(&w->b->mtx);
    w->woken = true;
    ps_cond_signal(&w->cond);
    ps_mutex_unlock(&w->b->mtx);
}

/* When woken it makes room in the log's buffer; one wal_delay after the last time it makes
 * everything durable. */
static void *log_writer_main(void *arg)
{
    struct worker *w = arg;
    struct ps_store *s = w->b->s;
    uint64_t now_us = ps_io_now_us(s->io), flushed_us = now_us, due_us;

    for (;;) {
        due_us = flushed_us + (uint64_t)s->wal_delay_ms * 1000u;
        if (!wait_period(w, due_us > now_us ? due_us - now_us : 0))
            return NULL;
        now_us = ps_io_now_us(s->io);
        if (now_us < due_us) {
            say_failure(s, ps_wal_write_out(s->wal, NULL));
        } else {
            (void)ps_store_step(s, PS_TASK_LOG_WRITER);
            flushed_us = now_us;
        }
    }
}

/* Apart from the log writer: a new segment is written in full, and the log goes on meanwhile. */
static void *log_preparer_main(void *arg)
{
    struct worker *w = arg;
    struct ps_store *s = w->b->s;

    while (wait_period(w, (uint64_t)s->wal_delay_ms * 1000u))
        (void)ps_store_step(s, PS_TASK_LOG_PREPARER);
    return NULL;
}

static void *cleaner_main(void *arg)
{
    struct worker *w = arg;

    while (wait_period(w, CLEANER_PERIOD_US))
        while (ps_store_step(w->b->s, PS_TASK_CLEANER))
            ;
    return NULL;
}

static bool take_checkpoint_wish(struct ps_background *b)
{
    bool wanted;

    ps_mutex_lock(&b->mtx);
    wanted = b->want_checkpoint;
    b->want_checkpoint = false;
    ps_mutex_unlock(&b->mtx);
    return wanted;
}

static void *checkpointer_main(void *arg)
{
    struct worker *w = arg;
    struct ps_store *s = w->b->s;

    while (wait_period(w, CHECKPOINT_LOOK_US)) {
        ps_err err = PS_OK;

        undo_hogs(s);
        if (take_checkpoint_wish(w->b))
            err = checkpoint(s, NULL); /* writers wait for it: no pacing */
        else if (checkpoint_is_due(s))
            err = checkpoint(s, w->b);
        if (err && err != PS_ERR_POISONED)
            ps_store_say(s, PS_MSG_WARNING, "checkpoint: %s", ps_message());
    }
    return NULL;
}

ps_err ps_background_want_checkpoint(struct ps_store *s)
{
    struct ps_background *b = s->background;

    if (!b) { /* there is no thread for it: whoever needs it runs it */
        undo_hogs(s);
        return checkpoint(s, NULL);
    }
    ps_mutex_lock(&b->mtx);
    b->want_checkpoint = true;
    ps_mutex_unlock(&b->mtx);
    wake(&b->workers[CHECKPOINTER]);
    return PS_OK;
}

void ps_background_want_flush(struct ps_store *s)
{
    struct ps_background *b = s->background;

    if (!b)
        return; /* the log is flushed when the buffer is full */
    wake(&b->workers[LOG_WRITER]);
    wake(&b->workers[LOG_PREPARER]);
    wake(&b->workers[CLEANER]);
    if (log_is_long(s))
        wake(&b->workers[CHECKPOINTER]);
}

void ps_background_want_clean(struct ps_store *s)
{
    if (s->background)
        wake(&s->background->workers[CLEANER]);
}

static ps_err start(struct worker *w, void *(*run)(void *))
{
    if (ps_thread_start(&w->thread, run, w) != 0)
        return ps_fail(PS_ERR_NOMEM, "cannot start a background thread");
    w->started = true;
    return PS_OK;
}

/* With stop set. */
static void stop(struct worker *w)
{
    ps_mutex_lock(&w->b->mtx);
    ps_cond_signal(&w->cond);
    ps_mutex_unlock(&w->b->mtx);
    if (w->started)
        (void)pthread_join(w->thread, NULL);
    ps_cond_deinit(&w->cond);
}

ps_err ps_background_start(struct ps_store *s)
{
    static void *(*const run[WORKERS])(void *) = {log_writer_main, log_preparer_main, cleaner_main,
                                                  checkpointer_main};
    struct ps_background *b = calloc(1, sizeof(*b));
    ps_err err = PS_OK;
    int i;

    if (!b)
        return ps_fail(PS_ERR_NOMEM, "no memory for background work");
    b->s = s;
    ps_mutex_init(&b->mtx, PS_RANK_LEAF, "background.mtx");
    for (i = 0; i < WORKERS; i++) {
        b->workers[i].b = b;
        ps_cond_init(&b->workers[i].cond);
    }
    s->background = b;
    for (i = 0; i < WORKERS && !err; i++)
        err = start(&b->workers[i], run[i]);
    return err; /* what was started is stopped by whoever closes the store */
}

void ps_background_stop(struct ps_store *s)
{
    struct ps_background *b = s->background;
    int i;

    ps_mutex_lock(&b->mtx);
    b->stop = true;
    ps_mutex_unlock(&b->mtx);
    for (i = 0; i < WORKERS; i++)
        stop(&b->workers[i]);
    s->background = NULL;
    ps_mutex_deinit(&b->mtx);
    free(b);
}
