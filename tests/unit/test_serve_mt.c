/*
 * test_serve_mt.c - the threads that take requests: every one of them at work, and nobody asleep
 * while there is something to do.
 *
 * The device is a pipe, and what libfuse would do with it is done here.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/quick.h"
#include "fs/serve.h"
#include "must.h"

#define THREADS 12u
#define ROUNDS 400u
#define CLIENTS 16u
#define PATIENCE_S 60

enum kind {
    QUICK, /* is answered at once, by libfuse or without it */
    HOLD,  /* is answered once it is let go */
    MEET,  /* is answered when as many are worked on as there may be threads */
};

struct request {
    enum kind kind;
    unsigned client;
};

/* Of the thread that is stopped on its way to rest. */
enum stop {
    NOBODY,
    NEXT,    /* it will be the next worker that takes a mutex which is not ours */
    STOPPED, /* there it waits */
};

struct bed {
    int device[2];
    unsigned threads;
    pthread_mutex_t mtx;
    pthread_cond_t changed;
    /* Guarded by mtx: */
    unsigned inside; /* requests that are worked on */
    unsigned met;    /* of kind MEET, since the bed was made */
    unsigned to_let_go;
    unsigned answered[CLIENTS];
    enum stop stop;
};

static struct bed bed;
static _Thread_local bool is_worker;

int __real_pthread_mutex_lock(pthread_mutex_t *mtx);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mtx);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mtx)
{
    if (is_worker && mtx != &bed.mtx) {
        (void)__real_pthread_mutex_lock(&bed.mtx);
        if (bed.stop == NEXT) {
            bed.stop = STOPPED;
            (void)pthread_cond_broadcast(&bed.changed);
            while (bed.stop == STOPPED)
                (void)pthread_cond_wait(&bed.changed, &bed.mtx);
        }
        (void)pthread_mutex_unlock(&bed.mtx);
    }
    return __real_pthread_mutex_lock(mtx);
}

/* --- what libfuse does ---------------------------------------------------------------------- */

/* As there, a thread can be cancelled while it waits. */
int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf)
{
    struct request request;
    ssize_t got = read(bed.device[0], &request, sizeof(request));

    (void)se;
    if (got < 0)
        return -errno;
    if (!buf->mem)
        buf->mem = malloc(sizeof(request));
    MUST(buf->mem);
    memcpy(buf->mem, &request, sizeof(request));
    return (int)got;
}

/* mtx is held. */
static void wait_for_change(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    MUST(pthread_cond_timedwait(&bed.changed, &bed.mtx, &until) == 0);
}

/* Waits until that many are inside, this one among them. They come in whole meetings. */
static void meet(void)
{
    const unsigned meeting = bed.met++ / bed.threads;

    pthread_cond_broadcast(&bed.changed);
    while (bed.met < (meeting + 1) * bed.threads)
        wait_for_change();
}

static void be_held(void)
{
    while (bed.to_let_go == 0)
        wait_for_change();
    bed.to_let_go--;
}

void pfs_quick_init(struct pfs_quick *q, struct pfs *fs)
{
    q->fs = fs;
}

void pfs_quick_deinit(struct pfs_quick *q)
{
    (void)q;
}

/* Every second one of those that are quick. */
bool pfs_quick_answer(struct pfs_quick *q, const struct fuse_buf *buf)
{
    const struct request *request = buf->mem;
    bool taken;

    (void)q;
    pthread_mutex_lock(&bed.mtx);
    taken = request->kind == QUICK && bed.answered[request->client] % 2 == 0;
    if (taken) {
        bed.answered[request->client]++;
        pthread_cond_broadcast(&bed.changed);
    }
    pthread_mutex_unlock(&bed.mtx);
    return taken;
}

void fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf)
{
    const struct request *request = buf->mem;

    (void)se;
    is_worker = true;
    pthread_mutex_lock(&bed.mtx);
    bed.inside++;
    MUST(bed.inside <= bed.threads);
    pthread_cond_broadcast(&bed.changed);
    if (request->kind == MEET)
        meet();
    else if (request->kind == HOLD)
        be_held();
    bed.inside--;
    bed.answered[request->client]++;
    pthread_cond_broadcast(&bed.changed);
    pthread_mutex_unlock(&bed.mtx);
}

int fuse_session_exited(struct fuse_session *se)
{
    (void)se;
    return 0;
}

/* --- clients ------------------------------------------------------------------------------- */

static void ask(enum kind kind, unsigned client)
{
    const struct request request = {.kind = kind, .client = client};

    MUST(write(bed.device[1], &request, sizeof(request)) == (ssize_t)sizeof(request));
}

static unsigned answers(unsigned client)
{
    unsigned count;

    pthread_mutex_lock(&bed.mtx);
    count = bed.answered[client];
    pthread_mutex_unlock(&bed.mtx);
    return count;
}

static void await_answers(unsigned client, unsigned count)
{
    pthread_mutex_lock(&bed.mtx);
    while (bed.answered[client] < count)
        wait_for_change();
    pthread_mutex_unlock(&bed.mtx);
}

static void await_inside(unsigned count)
{
    pthread_mutex_lock(&bed.mtx);
    while (bed.inside != count)
        wait_for_change();
    pthread_mutex_unlock(&bed.mtx);
}

static void let_go(unsigned count)
{
    pthread_mutex_lock(&bed.mtx);
    bed.to_let_go += count;
    pthread_cond_broadcast(&bed.changed);
    pthread_mutex_unlock(&bed.mtx);
}

static void close_device(void)
{
    MUST(close(bed.device[1]) == 0);
}

/* Serves while a thread of the test's asks, until that closes the device. */
static void serve(unsigned threads, void *(*clients)(void *))
{
    struct pfs *fs = calloc(1, sizeof(*fs));
    pthread_t thread;

    memset(&bed, 0, sizeof(bed));
    bed.threads = threads;
    pthread_mutex_init(&bed.mtx, NULL);
    pthread_cond_init(&bed.changed, NULL);
    assert_int_equal(pipe(bed.device), 0);
    assert_int_equal(pthread_create(&thread, NULL, clients, NULL), 0);
    assert_true(pfs_serve(fs, threads));
    assert_int_equal(bed.inside, 0); /* what had begun has ended */
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(bed.device[0]);
    pthread_cond_destroy(&bed.changed);
    pthread_mutex_destroy(&bed.mtx);
    free(fs);
}

/* --- tests --------------------------------------------------------------------------------- */

static void *hold_all_but_one(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i + 1 < bed.threads; i++)
        ask(HOLD, 0);
    await_inside(bed.threads - 1);
    for (unsigned i = 1; i <= 1000; i++) {
        ask(QUICK, 1);
        await_answers(1, i);
    }
    let_go(bed.threads - 1);
    await_answers(0, bed.threads - 1);
    close_device();
    return NULL;
}

static void one_free_thread_serves_while_all_others_are_held(void **state)
{
    (void)state;
    serve(THREADS, hold_all_but_one);
    serve(2, hold_all_but_one);
}

/* Each round in which one is let go it takes what waits, with all others held. */
static void *hold_all(void *arg)
{
    unsigned held = bed.threads, quick = 0;

    (void)arg;
    for (unsigned i = 0; i < bed.threads; i++)
        ask(HOLD, 0);
    await_inside(bed.threads);
    for (unsigned round = 0; round < ROUNDS; round++) {
        ask(QUICK, 1);
        ask(QUICK, 1);
        MUST(answers(1) == quick);
        let_go(1);
        quick += 2;
        await_answers(1, quick);
        ask(HOLD, 0);
        await_answers(0, ++held - bed.threads);
        await_inside(bed.threads);
    }
    let_go(bed.threads);
    await_answers(0, held);
    close_device();
    return NULL;
}

static void what_waits_for_a_thread_has_the_first_that_is_free(void **state)
{
    (void)state;
    serve(THREADS, hold_all);
    serve(1, hold_all);
}

/* Between meetings some threads go to rest, others are about to. */
static void *meet_again_and_again(void *arg)
{
    unsigned quick = 0;

    (void)arg;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (unsigned i = 0; i < bed.threads; i++)
            ask(MEET, 0);
        for (unsigned i = 0; i < round % 7; i++, quick++)
            ask(QUICK, 1);
        if (round % 2)
            await_answers(0, round * bed.threads);
    }
    await_answers(0, ROUNDS * bed.threads);
    await_answers(1, quick);
    close_device();
    return NULL;
}

static void all_threads_can_be_at_work_at_once(void **state)
{
    (void)state;
    serve(THREADS, meet_again_and_again);
}

static void *ask_and_wait(void *arg)
{
    const unsigned client = (unsigned)(uintptr_t)arg;

    for (unsigned i = 1; i <= ROUNDS * 4; i++) {
        ask(QUICK, client);
        await_answers(client, i);
    }
    return NULL;
}

static void *many_clients(void *arg)
{
    pthread_t threads[CLIENTS];

    (void)arg;
    for (uintptr_t i = 0; i < CLIENTS; i++)
        MUST(pthread_create(&threads[i], NULL, ask_and_wait, (void *)i) == 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        MUST(pthread_join(threads[i], NULL) == 0);
    close_device();
    return NULL;
}

static void no_request_of_many_clients_is_left_lying(void **state)
{
    (void)state;
    serve(THREADS, many_clients);
    serve(1, many_clients);
}

/* One thread more than may wait for requests finds them waiting, and is stopped before it rests.
 * Meanwhile all of them go to work, and none is left to be woken. */
static void *go_to_work_behind_its_back(void *arg)
{
    const unsigned readers = bed.threads - 1;

    (void)arg;
    for (unsigned i = 0; i < readers; i++)
        ask(HOLD, 0);
    await_inside(readers);
    ask(HOLD, 0);
    await_inside(readers + 1);
    pthread_mutex_lock(&bed.mtx);
    bed.stop = NEXT;
    pthread_mutex_unlock(&bed.mtx);
    let_go(readers + 1);
    pthread_mutex_lock(&bed.mtx);
    while (bed.stop != STOPPED)
        wait_for_change();
    pthread_mutex_unlock(&bed.mtx);
    for (unsigned i = 0; i < readers; i++)
        ask(HOLD, 1);
    await_inside(readers);
    ask(QUICK, 2);
    pthread_mutex_lock(&bed.mtx);
    bed.stop = NOBODY;
    pthread_cond_broadcast(&bed.changed);
    pthread_mutex_unlock(&bed.mtx);
    await_answers(2, 1);
    let_go(readers);
    await_answers(1, readers);
    close_device();
    return NULL;
}

static void who_goes_to_rest_sees_that_nobody_reads_any_more(void **state)
{
    cpu_set_t cpus;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    serve((unsigned)CPU_COUNT(&cpus) + 2 + 1, go_to_work_behind_its_back);
}

/* The device ends while handlers are at work. */
static void *end_meanwhile(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < bed.threads / 2; i++)
        ask(HOLD, 0);
    await_inside(bed.threads / 2);
    close_device();
    let_go(bed.threads / 2);
    return NULL;
}

static void handlers_that_have_begun_end_before_serve_returns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        serve(THREADS, end_meanwhile);
        assert_int_equal(bed.answered[0], THREADS / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_free_thread_serves_while_all_others_are_held),
        cmocka_unit_test(what_waits_for_a_thread_has_the_first_that_is_free),
        cmocka_unit_test(all_threads_can_be_at_work_at_once),
        cmocka_unit_test(no_request_of_many_clients_is_left_lying),
        cmocka_unit_test(who_goes_to_rest_sees_that_nobody_reads_any_more),
        cmocka_unit_test(handlers_that_have_begun_end_before_serve_returns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
