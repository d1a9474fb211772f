/*
 * test_lock_mt.c - locks keep threads apart, waits end, and debug builds catch misuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/poison.h"
#include "base/trace.h"
#include "base/wait.h"
#include "must.h"

#define THREADS 4
#define ROUNDS 2000

static uint64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void run_threads(void *(*body)(void *), void *arg)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, arg), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

struct counters {
    struct ps_mutex mtx;
    struct ps_rwlock lock;
    int value; /* not atomic: only the locks keep it right */
    int twin;
    _Atomic int torn;
};

static void *count_under_mutex(void *arg)
{
    struct counters *c = arg;

    for (int i = 0; i < ROUNDS; i++) {
        ps_mutex_lock(&c->mtx);
        ps_assert_held(&c->mtx);
        c->value++;
        ps_mutex_unlock(&c->mtx);
    }
    return NULL;
}

static void mutex_lets_one_thread_in(void **state)
{
    struct counters c = {0};

    (void)state;
    ps_mutex_init(&c.mtx, PS_RANK_LEAF, "test.mtx");
    run_threads(count_under_mutex, &c);
    assert_int_equal(c.value, THREADS * ROUNDS);
    ps_mutex_deinit(&c.mtx);
}

static void *write_and_read_twins(void *arg)
{
    struct counters *c = arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (i % 4 == 0) {
            ps_rwlock_wrlock(&c->lock);
            c->value++;
            c->twin++;
        } else {
            ps_rwlock_rdlock(&c->lock);
            if (c->value != c->twin)
                atomic_fetch_add(&c->torn, 1);
        }
        ps_rwlock_unlock(&c->lock);
    }
    return NULL;
}

static void readers_never_see_a_writer_at_work(void **state)
{
    struct counters c = {0};

    (void)state;
    ps_rwlock_init(&c.lock, PS_RANK_LATCH, "test.lock");
    run_threads(write_and_read_twins, &c);
    assert_int_equal(atomic_load(&c.torn), 0);
    assert_int_equal(c.value, THREADS * ROUNDS / 4);
    ps_rwlock_deinit(&c.lock);
}

static void *try_locks(void *arg)
{
    struct counters *c = arg;

    c->value = ps_rwlock_trywrlock(&c->lock);
    c->twin = ps_rwlock_tryrdlock(&c->lock);
    if (c->twin)
        ps_rwlock_unlock(&c->lock);
    return NULL;
}

static void run_in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void trylock_fails_on_what_another_thread_holds(void **state)
{
    struct counters c = {0};

    (void)state;
    ps_rwlock_init(&c.lock, PS_RANK_LATCH, "test.lock");

    ps_rwlock_rdlock(&c.lock);
    run_in_thread(try_locks, &c);
    assert_false(c.value);
    assert_true(c.twin); /* readers go together */
    ps_rwlock_unlock(&c.lock);

    assert_true(ps_rwlock_trywrlock(&c.lock));
    run_in_thread(try_locks, &c);
    assert_false(c.value);
    assert_false(c.twin);
    ps_rwlock_unlock(&c.lock);

    ps_rwlock_deinit(&c.lock);
}

struct ping {
    struct ps_mutex mtx;
    struct ps_cond cond;
    struct ps_cancel cancel;
    bool ready;   /* guarded by mtx: what the waiter waits for */
    bool waiting; /* guarded by mtx: the waiter has been there */
    ps_err err;
};

static void ping_init(struct ping *p)
{
    memset(p, 0, sizeof(*p));
    ps_mutex_init(&p->mtx, PS_RANK_LEAF, "ping.mtx");
    ps_cond_init(&p->cond);
    ps_cancel_init(&p->cancel);
}

static void ping_deinit(struct ping *p)
{
    ps_cancel_deinit(&p->cancel);
    ps_cond_deinit(&p->cond);
    ps_mutex_deinit(&p->mtx);
}

static void *wait_until_ready(void *arg)
{
    struct ping *p = arg;

    ps_mutex_lock(&p->mtx);
    p->waiting = true;
    while (!p->ready && !p->err)
        p->err = ps_wait(&p->cond, &p->mtx, &p->cancel);
    ps_assert_held(&p->mtx);
    ps_mutex_unlock(&p->mtx);
    return NULL;
}

/* Returns with the waiter asleep on the condition: it gives the mutex up nowhere else. */
static void await_waiter(struct ping *p)
{
    bool waiting = false;

    while (!waiting) {
        ps_mutex_lock(&p->mtx);
        waiting = p->waiting;
        ps_mutex_unlock(&p->mtx);
    }
}

static void wait_ends_when_its_condition_holds(void **state)
{
    struct ping p;
    pthread_t thread;

    (void)state;
    ping_init(&p);
    assert_int_equal(pthread_create(&thread, NULL, wait_until_ready, &p), 0);
    await_waiter(&p);
    ps_mutex_lock(&p.mtx);
    p.ready = true;
    ps_cond_broadcast(&p.cond);
    ps_mutex_unlock(&p.mtx);
    pthread_join(thread, NULL);
    assert_int_equal(p.err, PS_OK);
    ping_deinit(&p);
}

static void raised_token_ends_a_wait(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct ping p;
        pthread_t thread;

        ping_init(&p);
        assert_int_equal(pthread_create(&thread, NULL, wait_until_ready, &p), 0);
        if (round % 2 == 0) /* else the raise falls anywhere, before the wait too */
            await_waiter(&p);
        ps_cancel_raise(&p.cancel);
        ps_cancel_raise(&p.cancel);
        pthread_join(thread, NULL);
        assert_int_equal(p.err, PS_ERR_INTERRUPTED);
        assert_true(ps_cancel_raised(&p.cancel));
        ping_deinit(&p);
    }
    assert_false(ps_cancel_raised(NULL));
}

static void wait_on_a_raised_token_does_not_sleep(void **state)
{
    struct ping p;

    (void)state;
    ping_init(&p);
    ps_cancel_raise(&p.cancel);
    ps_mutex_lock(&p.mtx);
    assert_int_equal(ps_wait(&p.cond, &p.mtx, &p.cancel), PS_ERR_INTERRUPTED);
    ps_mutex_unlock(&p.mtx);
    assert_string_equal(ps_message(), "interrupted while waiting");
    ping_deinit(&p);
}

static void timed_wait_ends_at_its_deadline(void **state)
{
    struct ping p;
    uint64_t deadline_us = monotonic_us() + 20000;

    (void)state;
    ping_init(&p);
    ps_mutex_lock(&p.mtx);
    while (ps_cond_wait_until(&p.cond, &p.mtx, deadline_us))
        ;
    ps_assert_held(&p.mtx);
    ps_mutex_unlock(&p.mtx);
    assert_true(monotonic_us() >= deadline_us);
    ping_deinit(&p);
}

static void *raise_poison(void *arg)
{
    struct ps_poison *poison = arg;

    for (int i = 0; i < 100; i++) {
        (void)ps_fail(PS_ERR_IO, "failure of a thread");
        (void)ps_poison_raise(poison);
        MUST(ps_poison_check(poison) == PS_ERR_POISONED);
    }
    return NULL;
}

static void count_notice(void *ctx, const char *reason)
{
    (void)reason;
    atomic_fetch_add((_Atomic int *)ctx, 1);
}

static void poison_is_announced_once_whoever_raises_it(void **state)
{
    struct ps_poison poison;
    _Atomic int notices = 0;

    (void)state;
    ps_poison_init(&poison, count_notice, &notices);
    run_threads(raise_poison, &poison);
    assert_int_equal(atomic_load(&notices), 1);
    assert_string_equal(ps_poison_reason(&poison), "failure of a thread");
    ps_poison_deinit(&poison);
}

static void *add_events(void *arg)
{
    struct ps_trace_event seen[16];

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct ps_trace_event event = {.kind = "k", .reason = "r", .table = i, .lsn = i};

        ps_trace_add(arg, &event);
        if (i % 64 == 0)
            (void)ps_trace_snapshot(arg, seen, 16);
    }
    return NULL;
}

static void trace_counts_every_event_of_every_thread(void **state)
{
    struct ps_trace_event seen[16];
    struct ps_trace *trace = NULL;

    (void)state;
    assert_int_equal(ps_trace_create(16, &trace), PS_OK);
    run_threads(add_events, trace);
    assert_int_not_equal(ps_trace_snapshot(trace, seen, 16), 0);
    assert_true(seen[0].seq > THREADS * ROUNDS - 16);
    assert_string_equal(seen[0].kind, "k");
    ps_trace_destroy(trace);
}

#ifdef PS_DEBUG_LOCKS

struct two_locks {
    struct ps_mutex low;
    struct ps_mutex high;
    struct ps_rwlock latches[2];
    struct ps_cond cond;
};

static void two_locks_init(struct two_locks *l)
{
    ps_mutex_init(&l->low, PS_RANK_CKPT, "test.low");
    ps_mutex_init(&l->high, PS_RANK_LEAF, "test.high");
    ps_rwlock_init(&l->latches[0], PS_RANK_LATCH, "test.latch0");
    ps_rwlock_init(&l->latches[1], PS_RANK_LATCH, "test.latch1");
    ps_cond_init(&l->cond);
}

static void take_in_wrong_order(struct two_locks *l)
{
    ps_mutex_lock(&l->high);
    ps_mutex_lock(&l->low);
}

static void take_twice(struct two_locks *l)
{
    ps_rwlock_rdlock(&l->latches[0]);
    ps_rwlock_rdlock(&l->latches[0]);
}

static void take_same_rank(struct two_locks *l)
{
    struct ps_mutex other;

    ps_mutex_init(&other, PS_RANK_CKPT, "test.other");
    ps_mutex_lock(&l->low);
    ps_mutex_lock(&other);
}

static void unlock_unheld(struct two_locks *l)
{
    ps_mutex_unlock(&l->low);
}

static void assert_unheld(struct two_locks *l)
{
    ps_assert_held(&l->low);
}

static void wait_with_a_later_lock(struct two_locks *l)
{
    ps_mutex_lock(&l->low);
    ps_mutex_lock(&l->high);
    (void)ps_cond_wait_until(&l->cond, &l->low, 0);
}

static void tried_lock_counts_as_held(struct two_locks *l)
{
    if (ps_rwlock_trywrlock(&l->latches[0]))
        ps_mutex_lock(&l->low);
}

/* Runs the misuse in a child; fails unless it aborts with that text on stderr. */
static void assert_aborts(void (*misuse)(struct two_locks *), const char *text)
{
    char out[512] = "";
    size_t len = 0;
    ssize_t got;
    int pipe_fds[2];
    int status;
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        struct two_locks locks;

        /* cmocka catches SIGABRT; here it shall end the process. */
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        two_locks_init(&locks);
        misuse(&locks);
        _exit(0);
    }
    close(pipe_fds[1]);
    while ((got = read(pipe_fds[0], out + len, sizeof(out) - 1 - len)) > 0)
        len += (size_t)got;
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_string_equal(out, text);
}

static void misuse_of_locks_aborts_with_both_names(void **state)
{
    (void)state;
    assert_aborts(take_in_wrong_order, "lock order: taking test.low (rank 20) while holding "
                                       "test.high (rank 140)\n");
    assert_aborts(take_twice, "lock order: taking again test.latch0 (rank 60) while holding "
                              "test.latch0 (rank 60)\n");
    assert_aborts(take_same_rank, "lock order: taking test.other (rank 20) while holding "
                                  "test.low (rank 20)\n");
    assert_aborts(unlock_unheld, "lock order: releasing test.low, which this thread does not "
                                 "hold\n");
    assert_aborts(assert_unheld, "lock order: test.low is not held by this thread here\n");
    assert_aborts(wait_with_a_later_lock, "lock order: taking test.low (rank 20) while holding "
                                          "test.high (rank 140)\n");
    assert_aborts(tried_lock_counts_as_held, "lock order: taking test.low (rank 20) while "
                                             "holding test.latch0 (rank 60)\n");
}

static void sound_use_of_locks_goes_through(void **state)
{
    struct two_locks l;

    (void)state;
    two_locks_init(&l);
    ps_mutex_lock(&l.low);
    ps_rwlock_rdlock(&l.latches[0]);
    ps_rwlock_wrlock(&l.latches[1]); /* latches go together */
    ps_mutex_lock(&l.high);
    ps_mutex_unlock(&l.low); /* in any order */
    ps_rwlock_unlock(&l.latches[0]);
    assert_true(ps_rwlock_tryrdlock(&l.latches[0])); /* a try breaks no order */
    ps_mutex_unlock(&l.high);
    ps_rwlock_unlock(&l.latches[0]);
    ps_rwlock_unlock(&l.latches[1]);
    ps_mutex_lock(&l.low);
    (void)ps_cond_wait_until(&l.cond, &l.low, 0);
    ps_mutex_unlock(&l.low);
    ps_mutex_deinit(&l.low);
    ps_mutex_deinit(&l.high);
    ps_rwlock_deinit(&l.latches[0]);
    ps_rwlock_deinit(&l.latches[1]);
    ps_cond_deinit(&l.cond);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex_lets_one_thread_in),
        cmocka_unit_test(readers_never_see_a_writer_at_work),
        cmocka_unit_test(trylock_fails_on_what_another_thread_holds),
        cmocka_unit_test(wait_ends_when_its_condition_holds),
        cmocka_unit_test(raised_token_ends_a_wait),
        cmocka_unit_test(wait_on_a_raised_token_does_not_sleep),
        cmocka_unit_test(timed_wait_ends_at_its_deadline),
        cmocka_unit_test(poison_is_announced_once_whoever_raises_it),
        cmocka_unit_test(trace_counts_every_event_of_every_thread),
#ifdef PS_DEBUG_LOCKS
        cmocka_unit_test(misuse_of_locks_aborts_with_both_names),
        cmocka_unit_test(sound_use_of_locks_goes_through),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
