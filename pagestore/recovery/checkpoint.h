/*
 * checkpoint.h - full checkpoints: what moves the redo point, and lets log go.
 *
 * Unlike a data checkpoint (fsync, recovery/sync.h) it writes allocation maps, too. It is fuzzy:
 * its record is appended first, writers go on, and only pages whose first change lies before the
 * record have to be written.
 *
 * Flow       store -> [checkpoint] -> pool, wal, file
 * Units      pages are counted; LSNs are log bytes; times as their names say.
 * Locking    ckpt_mtx (rank CKPT) is held through a checkpoint.
 * Errors     PS_ERR_POISONED; PS_ERR_IO or PS_ERR_NOSPC when a page could not be written: it stays
 *            dirty, nothing is lost, the next attempt tries again. PS_ERR_INTERRUPTED.
 * Promise    the redo point moves only after everything before it is durable in the page files,
 *            and log is let go only after both copies of the control file say so.
 */
#ifndef PS_RECOVERY_CHECKPOINT_H
#define PS_RECOVERY_CHECKPOINT_H

#include "file/control.h"
#include "recovery/txn.h"

struct ps_checkpointer_ops {
    ps_err (*sync_files)(void *ctx); /* every file, of maps too, that has unsynced writes */
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

    _Atomic uint64_t checkpoints; /* full ones that ended */
    _Atomic uint64_t redo_lsn;    /* of the last one that ended; the log's may be further */
    _Atomic uint64_t last_lsn;    /* of its record: the log's end if nothing followed; or 0 */
    _Atomic uint32_t pages_done;  /* by the full one that runs, of */
    _Atomic uint32_t pages_total; /* 0: none runs */
    _Atomic uint64_t paced_us;    /* full ones waited so long in `pace` */
    _Atomic uint64_t last_us;     /* when the last one ended, of the wall clock */
};

void ps_checkpointer_init(struct ps_checkpointer *c);
void ps_checkpointer_deinit(struct ps_checkpointer *c);

struct ps_checkpoint_how {
    bool clean; /* the last one of this open: nobody changes anything any more; state CLEAN */
    void (*pace)(void *ctx, uint32_t done, uint32_t total); /* as in struct ps_flush; may be NULL */
    void *ctx;
};
PS_MUST_USE ps_err ps_checkpoint_full(struct ps_checkpointer *c,
                                      const struct ps_checkpoint_how *how,
                                      struct ps_cancel *cancel);

#endif
