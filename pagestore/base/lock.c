/*
 * lock.c - ranked locks over pthread; with PS_DEBUG_LOCKS each thread keeps the list of what it
 * holds, and a lock out of order, a lock taken twice and an unlock of what is not held abort.
 */
#include "base/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* pthread calls on sound locks do not fail; one that does is a bug, and going on would lose
 * mutual exclusion. */
static void must(int rc, const char *call, const char *name)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s of %s: error %d\n", call, name, rc);
    abort();
}

#ifdef PS_DEBUG_LOCKS

#include <stdatomic.h>

#define HELD_MAX 4096 /* one request may latch 256 pages; a test, more */

struct held_lock {
    const void *lock;
    const char *name;
    enum ps_rank rank;
};

static _Thread_local struct held_lock held[HELD_MAX];
static _Thread_local size_t held_count;

/* Any address that differs from thread to thread and is never 0. */
static uint64_t thread_tag(void)
{
    return (uint64_t)(uintptr_t)&held_count;
}

static _Noreturn void violation(const char *what, const char *name, int rank, const char *other,
                                int other_rank)
{
    fprintf(stderr, "lock order: %s %s (rank %d) while holding %s (rank %d)\n", what, name, rank,
            other, other_rank);
    abort();
}

static bool siblings_allowed(enum ps_rank rank)
{
    return rank == PS_RANK_LATCH || rank == PS_RANK_POOL_MAP;
}

/* Before a call that may block: everything held must have a lower rank. */
static void check_order(const void *lock, enum ps_rank rank, const char *name)
{
    for (size_t i = 0; i < held_count; i++) {
        const struct held_lock *h = &held[i];

        if (h->lock == lock)
            violation("taking again", name, (int)rank, h->name, (int)h->rank);
        if (h->rank > rank || (h->rank == rank && !siblings_allowed(rank)))
            violation("taking", name, (int)rank, h->name, (int)h->rank);
    }
}

static void note_taken(const void *lock, enum ps_rank rank, const char *name)
{
    if (held_count == HELD_MAX) {
        fprintf(stderr, "lock order: %d locks held when taking %s\n", HELD_MAX, name);
        abort();
    }
    held[held_count++] = (struct held_lock){.lock = lock, .name = name, .rank = rank};
}

static void note_released(const void *lock, const char *name)
{
    /* From the end: the lock taken last is mostly released first. */
    for (size_t i = held_count; i > 0; i--) {
        if (held[i - 1].lock != lock)
            continue;
        memmove(&held[i - 1], &held[i], (held_count - i) * sizeof(held[0]));
        held_count--;
        return;
    }
    fprintf(stderr, "lock order: releasing %s, which this thread does not hold\n", name);
    abort();
}

static void mutex_check(struct ps_mutex *m)
{
    check_order(m, m->rank, m->name);
}

static void mutex_taken(struct ps_mutex *m)
{
    note_taken(m, m->rank, m->name);
    atomic_store_explicit(&m->owner, thread_tag(), memory_order_relaxed);
}

static void mutex_released(struct ps_mutex *m)
{
    note_released(m, m->name);
    atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
}

void ps_assert_held(const struct ps_mutex *m)
{
    if (atomic_load_explicit(&m->owner, memory_order_relaxed) == thread_tag())
        return;
    fprintf(stderr, "lock order: %s is not held by this thread here\n", m->name);
    abort();
}

#else

static void check_order(const void *lock, enum ps_rank rank, const char *name)
{
    (void)lock;
    (void)rank;
    (void)name;
}

static void note_taken(const void *lock, enum ps_rank rank, const char *name)
{
    (void)lock;
    (void)rank;
    (void)name;
}

static void note_released(const void *lock, const char *name)
{
    (void)lock;
    (void)name;
}

static void mutex_check(struct ps_mutex *m)
{
    (void)m;
}

static void mutex_taken(struct ps_mutex *m)
{
    (void)m;
}

static void mutex_released(struct ps_mutex *m)
{
    (void)m;
}

#endif

void ps_mutex_init(struct ps_mutex *m, enum ps_rank rank, const char *name)
{
    must(pthread_mutex_init(&m->m, NULL), "init", name);
    m->rank = rank;
    m->name = name;
#ifdef PS_DEBUG_LOCKS
    atomic_init(&m->owner, 0);
#endif
}

void ps_mutex_deinit(struct ps_mutex *m)
{
    must(pthread_mutex_destroy(&m->m), "destroy", m->name);
}

void ps_mutex_lock(struct ps_mutex *m)
{
    mutex_check(m);
    must(pthread_mutex_lock(&m->m), "lock", m->name);
    mutex_taken(m);
}

/* Does not wait and so breaks no order; what is taken while it is held obeys its rank. */
bool ps_mutex_trylock(struct ps_mutex *m)
{
    const int rc = pthread_mutex_trylock(&m->m);

    if (rc == EBUSY)
        return false;
    must(rc, "try lock", m->name);
    mutex_taken(m);
    return true;
}

void ps_mutex_unlock(struct ps_mutex *m)
{
    mutex_released(m);
    must(pthread_mutex_unlock(&m->m), "unlock", m->name);
}

void ps_cond_init(struct ps_cond *c)
{
    pthread_condattr_t attr;

    must(pthread_condattr_init(&attr), "init", "condition attributes");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "set clock", "condition");
    must(pthread_cond_init(&c->c, &attr), "init", "condition");
    must(pthread_condattr_destroy(&attr), "destroy", "condition attributes");
}

void ps_cond_deinit(struct ps_cond *c)
{
    must(pthread_cond_destroy(&c->c), "destroy", "condition");
}

/* The wait takes m back at its end, so m must be the last in order also then. */
void ps_cond_wait(struct ps_cond *c, struct ps_mutex *m)
{
    int rc;

    mutex_released(m);
    mutex_check(m);
    rc = pthread_cond_wait(&c->c, &m->m);
    mutex_taken(m);
    must(rc, "wait", m->name);
}

bool ps_cond_wait_until(struct ps_cond *c, struct ps_mutex *m, uint64_t deadline_us)
{
    struct timespec deadline = {
        .tv_sec = (time_t)(deadline_us / 1000000),
        .tv_nsec = (long)(deadline_us % 1000000 * 1000),
    };
    int rc;

    mutex_released(m);
    mutex_check(m);
    rc = pthread_cond_timedwait(&c->c, &m->m, &deadline);
    mutex_taken(m);
    if (rc == ETIMEDOUT)
        return false;
    must(rc, "timed wait", m->name);
    return true;
}

void ps_cond_signal(struct ps_cond *c)
{
    must(pthread_cond_signal(&c->c), "signal", "condition");
}

void ps_cond_broadcast(struct ps_cond *c)
{
    must(pthread_cond_broadcast(&c->c), "broadcast", "condition");
}

void ps_rwlock_init(struct ps_rwlock *l, enum ps_rank rank, const char *name)
{
    pthread_rwlockattr_t attr;

    must(pthread_rwlockattr_init(&attr), "init", "rwlock attributes");
    must(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP),
         "set kind", name);
    must(pthread_rwlock_init(&l->rw, &attr), "init", name);
    must(pthread_rwlockattr_destroy(&attr), "destroy", "rwlock attributes");
    l->rank = rank;
    l->name = name;
}

void ps_rwlock_deinit(struct ps_rwlock *l)
{
    must(pthread_rwlock_destroy(&l->rw), "destroy", l->name);
}

void ps_rwlock_rdlock(struct ps_rwlock *l)
{
    check_order(l, l->rank, l->name);
    must(pthread_rwlock_rdlock(&l->rw), "read lock", l->name);
    note_taken(l, l->rank, l->name);
}

void ps_rwlock_wrlock(struct ps_rwlock *l)
{
    check_order(l, l->rank, l->name);
    must(pthread_rwlock_wrlock(&l->rw), "write lock", l->name);
    note_taken(l, l->rank, l->name);
}

/* Does not wait and so breaks no order; what is taken while it is held obeys its rank. */
static bool taken_if_free(struct ps_rwlock *l, int rc, const char *call)
{
    if (rc == EBUSY)
        return false;
    must(rc, call, l->name);
    note_taken(l, l->rank, l->name);
    return true;
}

bool ps_rwlock_tryrdlock(struct ps_rwlock *l)
{
    return taken_if_free(l, pthread_rwlock_tryrdlock(&l->rw), "try read lock");
}

bool ps_rwlock_trywrlock(struct ps_rwlock *l)
{
    return taken_if_free(l, pthread_rwlock_trywrlock(&l->rw), "try write lock");
}

void ps_rwlock_unlock(struct ps_rwlock *l)
{
    note_released(l, l->name);
    must(pthread_rwlock_unlock(&l->rw), "unlock", l->name);
}
