/*
 * store_work.h - random work on a store and on its model, a call at a time.
 *
 * Tables of both formats, raw and slotted; payload and image writes from a byte to many pages;
 * pages made and freed; truncate, punch, allocate; items; create, drop, rename; transactions that
 * commit and abort; syncs, checkpoints, changes of the eviction policy and steps of the background
 * tasks.
 *
 * Ownership  the store belongs to the work from when the caller sets it, until work_abandon or
 *            work_close.
 * Locking    one thread a work. Several may work on one store that has threads of its own; each
 *            then has its own tables, and only `acked` may be read by others.
 * Errors     a step returns what the engine's call returned; the model is then as if it had not
 *            been made.
 * Promise    everything follows from the seed and the options.
 */
#ifndef TEST_STORE_WORK_H
#define TEST_STORE_WORK_H

#include "pagestore/txn.h"
#include "sim_disk.h"
#include "store_model.h"

/* The store that work is done on: a pool far too small for it, and a log that is soon full. */
#define WORK_PAGE 4096u
#define WORK_SEGMENT (128u * 1024u)
#define WORK_POOL (64u * WORK_PAGE)
#define WORK_MAX_WAL (8u * WORK_SEGMENT)

#define WORK_TXNS 2u
#define WORK_TXN_WRITES 96u

struct work_txn_write {
    uint32_t table; /* index in the model */
    uint32_t page, off, len;
    uint8_t fill; /* every byte written */
};

struct work_txn {
    struct ps_txn *txn; /* NULL: not begun, or doomed */
    bool doomed;        /* it could not be undone yet, and keeps its pages until then */
    struct work_txn_write writes[WORK_TXN_WRITES];
    uint32_t count;
};

struct store_work {
    uint64_t seed;
    struct ps_store *store;
    struct store_model model;
    _Atomic size_t acked; /* states up to this one must survive */
    struct work_txn txns[WORK_TXNS];
    uint32_t next_item, next_name;
    bool single;   /* only calls that are one step: what fails has changed nothing */
    bool threaded; /* the store has threads, so this takes none of their steps */
    uint8_t *buf;
    char what[160]; /* the last step, for people */
};

/* A disk with such a store, closed; and that store, opened. */
struct sim_disk *work_new_disk(uint64_t seed);
PS_MUST_USE ps_err work_open_store(struct sim_disk *disk, struct ps_store **ret);

void work_init(struct store_work *w, uint64_t seed);
void work_deinit(struct store_work *w);
/* Aborts open transactions, whatever becomes of that: the store or its disk are at their end. */
void work_drop_txns(struct store_work *w);
/* The power goes: nothing more reaches the disk, and the store is given up. */
void work_abandon(struct store_work *w, struct sim_disk *disk);
/* Transactions that are open are aborted. */
PS_MUST_USE ps_err work_close(struct store_work *w);

PS_MUST_USE ps_err work_step(struct store_work *w);
/* Everything until now is acknowledged. */
void work_ack(struct store_work *w);
/* True if readers see what the model has: not while a transaction's changes are undecided. */
bool work_is_settled(const struct store_work *w);
/* Ends the transactions that are open, on a disk that does not fail. */
PS_MUST_USE ps_err work_settle(struct store_work *w);
/* After a crash the store, opened again, was found to hold this state: work goes on from there. */
PS_MUST_USE ps_err work_resume(struct store_work *w, struct ps_store *store, size_t state_no);

#endif
