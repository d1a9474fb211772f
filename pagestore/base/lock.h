/*
 * lock.h - mutexes, condition variables and reader-writer locks that know their rank.
 *
 * Flow       every layer -> [lock] -> pthread
 * Units      deadlines are microseconds of CLOCK_MONOTONIC.
 * Ownership  a lock lies in the struct that it guards: initialised before another thread can see
 *            that struct, deinitialised when none can any more. `name` is kept by pointer.
 * Locking    a thread waits for locks in ascending rank only (the table is in pagestore/README.md).
 *            Two locks of one rank may be held together only if it is PS_RANK_LATCH (pages are
 *            latched in ascending tag order) or PS_RANK_POOL_MAP (partitions, in ascending index).
 *            A try call does not wait, and may be made in any order.
 * Errors     none to handle: pthread calls on sound locks do not fail, and one that does aborts.
 * Promise    builds with PS_DEBUG_LOCKS abort, naming both locks, where a thread waits out of order
 *            or for a lock that it holds already, and where it releases what it does not hold.
 *            Other builds are the bare pthread calls.
 */
#ifndef PS_BASE_LOCK_H
#define PS_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "pagestore/err.h"

/* Ascending: what may be taken while a lower number is held. */
enum ps_rank {
    PS_RANK_PG_DAMAGE = 3,      /* pg_crew.plan_mtx: what is looked at for damage next */
    PS_RANK_PG_CATALOG = 5,     /* pg_catalog.load_mtx: one reading of a database's catalogs */
    PS_RANK_DDL = 10,           /* store.ddl_mtx: one create, drop or rename at a time */
    PS_RANK_CATALOG = 15,       /* store.catalog_lock: names and ids to table objects */
    PS_RANK_CKPT = 20,          /* store.ckpt_mtx: one checkpoint or close at a time */
    PS_RANK_TXN_CALL = 30,      /* txn.mtx: one call on a transaction at a time */
    PS_RANK_CATALOG_TABLE = 35, /* the catalog's own alloc_lock; a table's may follow (DDL) */
    PS_RANK_TABLE = 40, /* table.alloc_lock: page states (read: they stay; write: change them) */
    PS_RANK_LATCH = 60, /* page.latch: bytes and LSN of one pinned page */
    PS_RANK_PAGE_LOCK = 65,   /* txns.lock_mtx: which transaction has which page */
    PS_RANK_TXN = 70,         /* txn.table_lock: which transactions are active, their last record */
    PS_RANK_POOL_MAP = 80,    /* pool.part[i].mtx: tag to frame */
    PS_RANK_POOL = 90,        /* pool.*_mtx: reservations, dirty list, policy, I/O waits (leaves) */
    PS_RANK_TABLE_OPEN = 95,  /* table.open_mtx, segments.mtx: opening a table's files, once */
    PS_RANK_WAL_FLUSH = 100,  /* wal.flush_mtx: the right to write and sync the log */
    PS_RANK_WAL_TAIL = 110,   /* wal.tail_mtx: closing blocks, waits for room and copies */
    PS_RANK_OPEN_FILES = 116, /* open_files.mtx: which page files are open */
    PS_RANK_FILE = 120,       /* file.mtx: its handle, space, unsynced marks */
    PS_RANK_IO = 130,         /* inside the I/O layer */
    PS_RANK_LEAF = 140, /* anything that takes nothing further: trace, stats, poison, cancel */
};

struct ps_mutex {
    pthread_mutex_t m;
    enum ps_rank rank;
    const char *name;
#ifdef PS_DEBUG_LOCKS
    _Atomic uint64_t owner; /* thread tag, 0 = none */
#endif
};

struct ps_cond {
    pthread_cond_t c; /* on CLOCK_MONOTONIC */
};

/* A reader-writer lock that prefers writers. Not recursive. */
struct ps_rwlock {
    pthread_rwlock_t rw;
    enum ps_rank rank;
    const char *name;
};

void ps_mutex_init(struct ps_mutex *m, enum ps_rank rank, const char *name);
void ps_mutex_deinit(struct ps_mutex *m);
void ps_mutex_lock(struct ps_mutex *m);
bool ps_mutex_trylock(struct ps_mutex *m);
void ps_mutex_unlock(struct ps_mutex *m);

#ifdef PS_DEBUG_LOCKS
void ps_assert_held(const struct ps_mutex *m);
#else
static inline void ps_assert_held(const struct ps_mutex *m)
{
    (void)m;
}
#endif

void ps_cond_init(struct ps_cond *c);
void ps_cond_deinit(struct ps_cond *c);
void ps_cond_wait(struct ps_cond *c, struct ps_mutex *m);
/* False when deadline_us (of CLOCK_MONOTONIC) passed first. */
bool ps_cond_wait_until(struct ps_cond *c, struct ps_mutex *m, uint64_t deadline_us);
void ps_cond_signal(struct ps_cond *c);
void ps_cond_broadcast(struct ps_cond *c);

void ps_rwlock_init(struct ps_rwlock *l, enum ps_rank rank, const char *name);
void ps_rwlock_deinit(struct ps_rwlock *l);
void ps_rwlock_rdlock(struct ps_rwlock *l);
void ps_rwlock_wrlock(struct ps_rwlock *l);
bool ps_rwlock_tryrdlock(struct ps_rwlock *l);
bool ps_rwlock_trywrlock(struct ps_rwlock *l);
void ps_rwlock_unlock(struct ps_rwlock *l); /* whichever way it is held */

#endif
