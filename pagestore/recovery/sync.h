/*
 * sync.h - fsync: what was changed so far becomes durable, for many callers at a time.
 *
 * Three kinds of work, each with a line of its own. A *data checkpoint* flushes the log, writes the
 * pages that were dirty when it began and syncs their files: two device flushes, one after the
 * other, whatever the pool's size. Another flushes the log only. The third is a full checkpoint
 * (recovery/checkpoint.h).
 *
 * Callers share rounds. Who comes first for a round leads it: waits until the one before is out of
 * the way, and does the work, in its own thread. Those who come until the work begins leave their
 * call with it and go. A round of the data line goes through two stages, and the next one flushes
 * the log while it writes pages; so at most three threads are in the line, however many callers.
 *
 *     forming            -> log flush      -> pages, files
 *     one leader waits,     one round         one round
 *     others may join
 *
 * Flow       store -> [sync] -> pool, wal, file
 * Units      calls
 * Ownership  a call is the caller's, lent until `done` is called.
 * Locking    thread safe; mtx (rank LEAF) guards the lines and is not held while a round works, nor
 *            while done is called. Callers hold no lock that a writer of pages may need.
 * Errors     as the round's work failed: PS_ERR_POISONED; PS_ERR_IO or PS_ERR_NOSPC when a page
 *            could not be written: it stays dirty, nothing is lost, the next round tries again.
 * Promise    nobody joins a round whose work began before; a round's failure is told to everybody
 *            in it.
 */
#ifndef PS_RECOVERY_SYNC_H
#define PS_RECOVERY_SYNC_H

#include "base/histogram.h"
#include "pagestore/pagestore.h"
#include "pool/pool.h"
#include "wal/wal.h"

struct ps_sync_round; /* private: callers that share work */

/* Of those in the line one at a time has it. */
struct ps_sync_turn {
    bool taken;          /* guarded by mtx */
    struct ps_cond free; /* with mtx; one waits at most */
};

struct ps_sync_line {
    struct ps_sync_round *forming; /* guarded by mtx: its work has not begun */
    struct ps_sync_turn log;       /* of the full line: all its work */
    struct ps_sync_turn pages;     /* of the data line */
};

struct ps_syncer {
    /* constant */
    struct ps_io *io;
    struct ps_pool *pool;
    struct ps_wal *wal;
    struct ps_poison *poison;
    struct ps_histogram *times;      /* of calls, until they are told */
    ps_err (*sync_files)(void *ctx); /* syncs every file of pages that has unsynced writes */
    ps_err (*checkpoint)(void *ctx); /* a full one */
    void *ctx;

    struct ps_mutex mtx; /* rank LEAF */
    struct ps_sync_line data, log, full;
    struct ps_cond told;      /* with mtx: a call of ps_sync_wait is done */
    _Atomic uint32_t waiters; /* calls that are not done: a full checkpoint does not pace itself */
    _Atomic uint64_t calls;   /* statistics, without full checkpoints */
    _Atomic uint64_t rounds;  /* likewise, of data checkpoints */
};

void ps_syncer_init(struct ps_syncer *y);
void ps_syncer_deinit(struct ps_syncer *y); /* every call is done */

/* As ps_store_sync_begin(). */
void ps_sync_begin(struct ps_syncer *y, enum ps_sync_kind kind, struct ps_sync_call *call);
/* Begins one, and waits until it is done. */
PS_MUST_USE ps_err ps_sync_wait(struct ps_syncer *y, enum ps_sync_kind kind);

#endif
