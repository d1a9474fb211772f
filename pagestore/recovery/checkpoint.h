/*
 * checkpoint.h - what makes changes durable in the page files, and lets log go.
 *
 * Two kinds. A *data checkpoint* (fsync) flushes the log, writes the pages that were dirty when it
 * began and syncs their files: two device flushes, one after the other, whatever the pool's size.
 * Callers that come while one runs share the next. A *full checkpoint* also writes allocation maps,
 * moves the redo point and lets log go. It is fuzzy: its record is appended first, writers go on,
 * and only pages whose first change lies before the record have to be written.
 *
 * Flow       store -> [checkpoint] -> pool, wal, file
 * Locking    ckpt_mtx (rank CKPT) is held through a full checkpoint; round_mtx (rank LEAF) guards
 *            the rounds and is never held while one works.
 * Errors     PS_ERR_POISONED; PS_ERR_IO or PS_ERR_NOSPC when a page could not be written: it stays
 *            dirty, nothing is lost, the next attempt tries again. PS_ERR_INTERRUPTED.
 * Promise    the redo point moves only after everything before it is durable in the page files,
 *            and log is let go only after both copies of the control file say so.
 */
#ifndef PS_RECOVERY_CHECKPOINT_H
#define PS_RECOVERY_CHECKPOINT_H

#include "file/control.h"
#include "recovery/txn.h"

struct ps_sync_round; /* private: callers that share one data checkpoint */

struct ps_checkpointer_ops {
    /* Syncs every page file that has unsynced writes, allocation maps too if `maps`. */
    ps_err (*sync_files)(void *ctx, bool maps);
    uint32_t (*next_table)(void *ctx);
    void *ctx;
};

struct ps_checkpointer {
    struct ps_io *io;
    struct ps_pool *pool;
    struct ps_wal *wal;
    struct ps_txns *txns;
    struct ps_poison *poison;
    struct ps_checkpointer_ops ops;

    struct ps_mutex ckpt_mtx;  /* rank CKPT */
    struct ps_control control; /* guarded by ckpt_mtx: as last written */

    struct ps_mutex round_mtx; /* rank LEAF */
    struct ps_cond round_cond;
    struct ps_sync_round *forming;  /* guarded by round_mtx: its work has not begun */
    bool round_running;             /* guarded by round_mtx */
    bool served;                    /* guarded by round_mtx: a thread of its own does the work */
    struct ps_cond serve_cond;      /* a round forms, or served has changed */
    _Atomic uint32_t fsync_waiters; /* a full checkpoint does not pace itself while there are any */
    _Atomic uint64_t rounds;        /* statistics */
    _Atomic uint64_t checkpoints;   /* full ones that ended */
    _Atomic uint64_t redo_lsn;      /* of the last one that ended; the log's may be further */
    _Atomic uint64_t last_lsn;      /* of its record: the log's end if nothing followed; or 0 */
    _Atomic uint32_t pages_done;    /* by the full one that runs, of */
    _Atomic uint32_t pages_total;   /* 0: none runs */
    _Atomic uint64_t paced_us;      /* full ones waited so long in `pace` */
    _Atomic uint64_t last_us;       /* when the last one ended, of the wall clock */
};

void ps_checkpointer_init(struct ps_checkpointer *c);
void ps_checkpointer_deinit(struct ps_checkpointer *c);

PS_MUST_USE ps_err ps_checkpoint_data(struct ps_checkpointer *c, struct ps_cancel *cancel);

/* While a thread serves, it does the work of data checkpoints and their callers only wait, so that
 * each can be interrupted however long the disk takes. Otherwise one of the callers does it. serve
 * returns after set_served(false); callers that wait then are served by one of themselves. */
void ps_checkpoint_set_served(struct ps_checkpointer *c, bool served);
void ps_checkpoint_serve(struct ps_checkpointer *c);

struct ps_checkpoint_how {
    bool clean; /* the last one of this open: nobody changes anything any more; state CLEAN */
    void (*pace)(void *ctx, uint32_t done, uint32_t total); /* as in struct ps_flush; may be NULL */
    void *ctx;
};
PS_MUST_USE ps_err ps_checkpoint_full(struct ps_checkpointer *c,
                                      const struct ps_checkpoint_how *how,
                                      struct ps_cancel *cancel);

#endif
