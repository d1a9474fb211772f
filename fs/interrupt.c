#include "fs/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"

#define LOOK_EVERY_MS 20

struct pfs_watcher {
    pthread_t thread;
    pthread_mutex_t mtx;
    pthread_cond_t wake;
    pthread_cond_t all_answered;
    /* Guarded by mtx: */
    bool stop;
    bool idle;    /* nobody is being watched, or was recently */
    bool settled; /* from now on nobody may answer later */
    size_t unanswered;
    struct pfs_interrupt *watched;
};

/* --- is it dying? ------------------------------------------------------------------------- */

static uint64_t bit(int signal_no)
{
    return (uint64_t)1 << (signal_no - 1);
}

/* The 64-bit set behind "NAME:\t"; none when it is not there. */
static uint64_t signal_set(const char *status, const char *name)
{
    const char *at = strstr(status, name);

    return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

/* From the text of /proc/PID/status: is there a signal that ends the process? */
static bool status_is_dying(const char *status)
{
    uint64_t pending = signal_set(status, "\nSigPnd:") | signal_set(status, "\nShdPnd:");
    uint64_t held = signal_set(status, "\nSigBlk:") | signal_set(status, "\nSigIgn:") |
                    signal_set(status, "\nSigCgt:");
    uint64_t harmless = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGSTOP) |
                        bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);

    return pending & ~held & ~harmless;
}

static bool client_is_dying(pid_t client)
{
    char path[32], status[4096];
    ssize_t len;
    int fd;

    if (client == 0)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)client);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true; /* gone, or invisible from here: nobody will miss the answer */
    len = read(fd, status, sizeof(status) - 1);
    close(fd);
    if (len <= 0)
        return true;
    status[len] = '\0';
    return status_is_dying(status);
}

/* --- the watcher -------------------------------------------------------------------------- */

static struct timespec look_again_at(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += LOOK_EVERY_MS * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    }
    return t;
}

/* Under mtx. Ends the wait of a client that is dying, or its request. */
static void look_at(struct pfs_interrupt *i)
{
    bool seen_to = i->may_answer ? i->answered : ps_cancel_raised(&i->cancel);
    bool seen = i->seen;

    i->seen = true;
    if (seen_to || !seen || !client_is_dying(i->client))
        return;
    if (i->may_answer) {
        i->answered = true;
        fuse_reply_err(i->req, EINTR);
    } else {
        ps_cancel_raise(&i->cancel);
    }
}

static void *watch(void *arg)
{
    struct pfs_watcher *w = arg;
    struct timespec until;

    pthread_mutex_lock(&w->mtx);
    while (!w->stop) {
        w->idle = !w->watched;
        while (w->idle && !w->stop)
            pthread_cond_wait(&w->wake, &w->mtx);
        for (struct pfs_interrupt *i = w->watched; i; i = i->next)
            look_at(i);
        until = look_again_at();
        if (!w->stop)
            pthread_cond_timedwait(&w->wake, &w->mtx, &until);
    }
    pthread_mutex_unlock(&w->mtx);
    return NULL;
}

ps_err pfs_watcher_create(struct pfs_watcher **ret)
{
    struct pfs_watcher *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;
    int err;

    if (!w)
        return ps_fail(PS_ERR_NOMEM, "no memory for the watcher");
    pthread_mutex_init(&w->mtx, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&w->all_answered, NULL);
    err = ps_thread_start(&w->thread, watch, w);
    if (err) {
        pthread_cond_destroy(&w->all_answered);
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->mtx);
        free(w);
        return ps_fail_errno(err, "starting the watcher's thread");
    }
    *ret = w;
    return PS_OK;
}

void pfs_watcher_destroy(struct pfs_watcher *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mtx);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mtx);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->all_answered);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mtx);
    free(w);
}

void pfs_watcher_settle(struct pfs_watcher *w)
{
    pthread_mutex_lock(&w->mtx);
    w->settled = true;
    while (w->unanswered > 0)
        pthread_cond_wait(&w->all_answered, &w->mtx);
    pthread_mutex_unlock(&w->mtx);
}

/* Without cause the watcher need not hurry: it is woken if it would else not look at all. */
static void put_on_watch(struct pfs_interrupt *i, bool has_cause)
{
    struct pfs_watcher *w = i->watcher;

    pthread_mutex_lock(&w->mtx);
    if (!i->on_watch) {
        i->on_watch = true;
        i->seen = has_cause;
        i->next = w->watched;
        w->watched = i;
        if (has_cause || w->idle)
            pthread_cond_signal(&w->wake);
        w->idle = false;
    }
    pthread_mutex_unlock(&w->mtx);
}

static void take_off_watch(struct pfs_interrupt *i)
{
    struct pfs_watcher *w = i->watcher;
    struct pfs_interrupt **link = &w->watched;

    pthread_mutex_lock(&w->mtx);
    while (*link != i)
        link = &(*link)->next;
    *link = i->next;
    pthread_mutex_unlock(&w->mtx);
}

/* --- a request ---------------------------------------------------------------------------- */

/* Within libfuse, which holds a lock of the request: the watcher does the rest. */
static void interrupted(fuse_req_t req, void *data)
{
    (void)req;
    put_on_watch(data, true);
}

struct ps_cancel *pfs_interrupt_begin(struct pfs_interrupt *i, fuse_req_t req)
{
    struct pfs *fs = pfs_of(req);

    i->req = req;
    i->watcher = fs->watcher;
    i->polled = fs->opts->io_uring;
    i->client = fuse_req_ctx(req)->pid;
    i->on_watch = false;
    i->may_answer = false;
    i->answered = false;
    i->next = NULL;
    ps_cancel_init(&i->cancel);
    if (i->polled)
        put_on_watch(i, false);
    else
        fuse_req_interrupt_func(req, interrupted, i); /* calls back at once if it came before */
    return &i->cancel;
}

bool pfs_interrupt_may_answer(struct pfs_interrupt *i)
{
    struct pfs_watcher *w = i->watcher;

    pthread_mutex_lock(&w->mtx);
    if (!w->settled) {
        i->may_answer = true;
        w->unanswered++;
    }
    pthread_mutex_unlock(&w->mtx);
    return i->may_answer;
}

void pfs_interrupt_answered(struct pfs_interrupt *i)
{
    struct pfs_watcher *w = i->watcher;

    pthread_mutex_lock(&w->mtx);
    w->unanswered--;
    pthread_cond_broadcast(&w->all_answered);
    pthread_mutex_unlock(&w->mtx);
}

/* Is the answer ours? From here on it is not the watcher's. */
static bool claim_answer(struct pfs_interrupt *i)
{
    bool ours;

    pthread_mutex_lock(&i->watcher->mtx);
    ours = !i->answered;
    i->answered = true;
    pthread_mutex_unlock(&i->watcher->mtx);
    return ours;
}

bool pfs_interrupt_end(struct pfs_interrupt *i)
{
    bool ours = !i->may_answer || claim_answer(i);

    if (ours && !i->polled) /* not ours: the request is gone, and calls back no more */
        fuse_req_interrupt_func(i->req, NULL, NULL); /* waits for a call back under way */
    if (i->on_watch) /* set at the beginning or by callbacks, and there are no more of these */
        take_off_watch(i);
    ps_cancel_deinit(&i->cancel);
    return ours;
}
