#include "fs/serve.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"
#include "fs/log.h"
#include "fs/quick.h"

struct worker {
    struct server *server;
    pthread_t thread;
    struct worker *next;         /* of all; guarded by the server's mtx */
    struct worker *next_resting; /* likewise, as is go_on */
    bool go_on;                  /* it has been woken to read, or to end */
    pthread_cond_t wake;
    struct fuse_buf buf;
};

struct server {
    struct fuse_session *session;
    struct pfs_quick quick;
    unsigned readers_max, threads_max;
    int ended_fd;             /* readable once a worker has seen the end */
    _Atomic int error;        /* that it ended by; 0: by none */
    _Atomic unsigned readers; /* wait for a request, or are on their way there */

    pthread_mutex_t mtx;
    /* Guarded by mtx: */
    bool stop;
    unsigned count;
    struct worker *all;
    struct worker *resting; /* the last one that came first */
};

static void *work(void *arg);

/* --- reading requests ----------------------------------------------------------------------- */

/* Under mtx. False: there are enough, or no thread can be started; the next one to finish reads. */
static bool make_worker(struct server *s)
{
    struct worker *w = s->count < s->threads_max ? calloc(1, sizeof(*w)) : NULL;

    if (!w)
        return false;
    w->server = s;
    pthread_cond_init(&w->wake, NULL);
    if (ps_thread_start(&w->thread, work, w) != 0) {
        pthread_cond_destroy(&w->wake);
        free(w);
        return false;
    }
    w->next = s->all;
    s->all = w;
    s->count++;
    return true;
}

/* The last reader has taken a request: another thread takes its place. */
static void replace_reader(struct server *s)
{
    struct worker *woken = NULL;

    pthread_mutex_lock(&s->mtx);
    if (!s->stop && atomic_load(&s->readers) == 0) {
        atomic_fetch_add(&s->readers, 1); /* in its name, before it can take a request */
        woken = s->resting;
        if (woken) {
            s->resting = woken->next_resting;
            woken->go_on = true;
        } else if (!make_worker(s)) {
            atomic_fetch_sub(&s->readers, 1);
        }
    }
    pthread_mutex_unlock(&s->mtx);
    if (woken)
        pthread_cond_signal(&woken->wake);
}

static bool become_reader(struct server *s)
{
    unsigned readers = atomic_load(&s->readers);

    while (readers < s->readers_max) {
        if (atomic_compare_exchange_weak(&s->readers, &readers, readers + 1))
            return true;
    }
    return false;
}

/* Becomes a reader, now or when it is woken. A last look under mtx: the readers there were may have
 * gone to work meanwhile, and found nobody at rest. */
static void join_readers(struct worker *w)
{
    struct server *s = w->server;

    if (become_reader(s))
        return;
    pthread_mutex_lock(&s->mtx);
    if (!s->stop && !become_reader(s)) {
        w->go_on = false;
        w->next_resting = s->resting;
        s->resting = w;
        while (!w->go_on)
            pthread_cond_wait(&w->wake, &s->mtx);
    }
    pthread_mutex_unlock(&s->mtx);
}

/* --- workers ------------------------------------------------------------------------------ */

/* Workers are cancelled where they wait for a request, and nowhere else. Nobody asks for the state
 * before: AddressSanitizer would take what a cancelled thread leaves on its stack for overwritten.
 */
static int receive(struct worker *w)
{
    int result;

    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    result = fuse_session_receive_buf(w->server->session, &w->buf);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return result;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct server *s = w->server;
    int result;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    for (;;) {
        do
            result = receive(w);
        while (result == -EINTR || result == -EAGAIN);
        if (result <= 0)
            break;
        if (atomic_fetch_sub(&s->readers, 1) == 1)
            replace_reader(s);
        if (!pfs_quick_answer(&s->quick, &w->buf))
            fuse_session_process_buf(s->session, &w->buf);
        join_readers(w);
    }
    if (result < 0)
        atomic_store(&s->error, -result);
    (void)eventfd_write(s->ended_fd, 1); /* fails only when it is readable already */
    return NULL;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* The first worker, which reads. */
static bool start(struct server *s)
{
    bool started;

    atomic_store(&s->readers, 1);
    pthread_mutex_lock(&s->mtx);
    started = make_worker(s);
    pthread_mutex_unlock(&s->mtx);
    return started;
}

/* The main thread alone takes signals, and only here: none falls between look and wait. */
static void wait_for_end(struct server *s)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM};
    struct pollfd fd = {.fd = s->ended_fd, .events = POLLIN};
    sigset_t held, before;
    size_t i;

    sigemptyset(&held);
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&held, signals[i]);
    pthread_sigmask(SIG_BLOCK, &held, &before);
    while (fd.revents == 0 && !fuse_session_exited(s->session)) {
        if (ppoll(&fd, 1, NULL, &before) < 0)
            fd.revents = 0; /* EINTR */
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void end_workers(struct server *s)
{
    struct worker *w;

    pthread_mutex_lock(&s->mtx);
    s->stop = true;
    for (w = s->all; w; w = w->next) {
        w->go_on = true;
        pthread_cond_signal(&w->wake);
        pthread_cancel(w->thread);
    }
    pthread_mutex_unlock(&s->mtx);
    while ((w = s->all) != NULL) { /* no more are made */
        s->all = w->next;
        pthread_join(w->thread, NULL);
        pthread_cond_destroy(&w->wake);
        free(w->buf.mem);
        free(w);
    }
}

static unsigned cpu_count(void)
{
    cpu_set_t cpus;

    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : 1;
}

bool pfs_serve(struct pfs *fs, unsigned threads_max)
{
    struct server s = {
        .session = fs->session,
        .threads_max = threads_max,
        .readers_max = cpu_count() + 2,
        .ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
    };
    int error = s.ended_fd < 0 ? errno : 0;

    if (!error) {
        pthread_mutex_init(&s.mtx, NULL);
        pfs_quick_init(&s.quick, fs);
        if (start(&s))
            wait_for_end(&s);
        else
            error = EAGAIN;
        end_workers(&s);
        pfs_quick_deinit(&s.quick);
        pthread_mutex_destroy(&s.mtx);
        close(s.ended_fd);
    }
    if (!error)
        error = atomic_load(&s.error);
    if (error)
        pfs_log(PS_MSG_ERROR, "serving ended: %s", strerror(error));
    return !error;
}
