/*
 * txn.h - which transactions are active, and which pages they have locked.
 *
 * Flow       store -> [txn] -> group (undo), wal
 * Units      transaction ids count from 1; positions and LSNs are log bytes.
 * Ownership  an active transaction is on the list, which has one reference; begin, adopt and
 *            find_hog give one more, which unref takes back.
 * Locking    mtx of a transaction (rank TXN_CALL): held through each call on it, so that another
 *            thread can undo one that is idle. table_lock (rank TXN): held shared by a transaction
 *            from before it appends until its last_pos says so, exclusively by a checkpoint while
 *            it notes all of them and appends its record, so that both agree on one position of
 *            the log. lock_mtx (rank PAGE_LOCK): the lock table. Page locks are waited for with no
 *            latch held.
 * Errors     PS_ERR_CONFLICT: the page's transaction did not end in time, or PS_TXNS_MAX are
 *            active. PS_ERR_INTERRUPTED.
 */
#ifndef PS_RECOVERY_TXN_H
#define PS_RECOVERY_TXN_H

#include "pool/group.h"

/* Active at one time: what a checkpoint's record has room for. */
#define PS_TXNS_MAX 1024u

struct ps_txn_entry {
    struct ps_mutex mtx;               /* rank TXN_CALL */
    struct ps_txn_log log;             /* changes under mtx and table_lock (shared) */
    bool ended;                        /* guarded by mtx: committed or undone, and off the list */
    _Atomic bool doomed;               /* only undoing it may follow; changes under mtx */
    uint32_t refs;                     /* guarded by list_mtx */
    struct ps_txn_entry *next, **link; /* guarded by list_mtx */
    struct ps_page_lock *locks;        /* guarded by lock_mtx */
};

#define PS_PAGE_LOCK_BUCKETS 256u

struct ps_page_lock {
    struct ps_tag tag;
    struct ps_txn_entry *owner;
    struct ps_page_lock *bucket_next;
    struct ps_page_lock *owner_next;
};

struct ps_txns {
    struct ps_rwlock table_lock; /* rank TXN */
    struct ps_mutex list_mtx;    /* rank LEAF, guards the list and next_id */
    struct ps_txn_entry *active;
    uint32_t active_count;
    uint64_t next_id;

    struct ps_mutex lock_mtx; /* rank PAGE_LOCK */
    struct ps_cond lock_cond; /* some lock was let go */
    struct ps_page_lock *buckets[PS_PAGE_LOCK_BUCKETS];
    _Atomic uint32_t lock_count; /* 0: no need to look */
    uint32_t lock_wait_ms;
};

void ps_txns_init(struct ps_txns *t, uint64_t next_id);
void ps_txns_deinit(struct ps_txns *t);

PS_MUST_USE ps_err ps_txns_begin(struct ps_txns *t, struct ps_txn_entry **ret);
/* As recovery found it in the log. */
PS_MUST_USE ps_err ps_txns_adopt(struct ps_txns *t, const struct ps_txn_log *log,
                                 struct ps_txn_entry **ret);
/* It is committed or undone: lets its locks go and takes it off the list. Its mtx is held. */
void ps_txns_end(struct ps_txns *t, struct ps_txn_entry *e);
void ps_txn_unref(struct ps_txns *t, struct ps_txn_entry *e);
/* A transaction that is doomed, or that keeps log from before pos, with a reference; or NULL. */
struct ps_txn_entry *ps_txns_find_hog(struct ps_txns *t, uint64_t pos);

/* Takes the page's lock for e; a lock that e has already is taken once. */
PS_MUST_USE ps_err ps_page_lock(struct ps_txns *t, struct ps_txn_entry *e, const struct ps_tag *tag,
                                struct ps_cancel *cancel);
/* True if a transaction other than `self` (may be NULL) has the page. Under the page's exclusive
 * latch a `false` holds until the latch is let go, as far as changes of the page go: a transaction
 * that locks the page afterwards waits for the latch. */
bool ps_page_locked(struct ps_txns *t, const struct ps_txn_entry *self, const struct ps_tag *tag);
/* True if any transaction has a page of [first, last] of the table. */
bool ps_range_locked(struct ps_txns *t, uint32_t table, uint32_t first, uint32_t last);
/* Waits, with no lock held, until no transaction has a page of the range, or conflict. */
PS_MUST_USE ps_err ps_range_lock_wait(struct ps_txns *t, uint32_t table, uint32_t first,
                                      uint32_t last, struct ps_cancel *cancel);
/* Waits until nobody but self has it, or conflict. */
PS_MUST_USE ps_err ps_page_lock_wait(struct ps_txns *t, const struct ps_txn_entry *self,
                                     const struct ps_tag *tag, struct ps_cancel *cancel);

#endif
