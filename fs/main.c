/*
 * main.c - pagefs: opens a store, mounts it, serves until it is unmounted, closes the store.
 */
#include "fs/pfs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/cluster.h"
#include "fs/daemon.h"
#include "fs/interrupt.h"
#include "fs/log.h"
#include "fs/mountpoint.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/ring.h"
#include "fs/serve.h"

#define FILES_MIN 64u /* log, control file, /dev/fuse and what ten requests have open */

struct program {
    struct pfs fs;
    struct pfs_options opts;
    int report_fd;   /* of the parent that waits, -1 in the foreground */
    bool is_cluster; /* the source is PostgreSQL's */
    bool shows_progress;
    bool handles_signals;
    /* While it opens the store, the main thread keeps back the last error it was told: it may be
     * why the store is refused. The main thread alone looks at the last two. */
    pthread_t main_thread;
    bool opening;
    char *held;
};

/* --- what the store tells ----------------------------------------------------------------- */

/* Says the error that was kept back, unless the refusal that follows says it again. */
static void let_held_go(struct program *p, const char *refusal)
{
    if (p->held && !strstr(refusal, p->held))
        pfs_log(PS_MSG_ERROR, "%s", p->held);
    free(p->held);
    p->held = NULL;
}

static void on_message(void *ctx, enum ps_message_level level, const char *text)
{
    struct program *p = ctx;

    if (pthread_equal(pthread_self(), p->main_thread) && p->opening) {
        let_held_go(p, text);
        p->held = level == PS_MSG_ERROR ? strdup(text) : NULL;
        if (p->held)
            return;
    }
    pfs_log(level, "%s", text);
}

static void on_event(void *ctx, const struct ps_event *event)
{
    struct program *p = ctx;

    switch (event->kind) {
    case PS_EVENT_PAGES_FREED:
        pfs_inodes_pages_freed(p->fs.inodes, event->table, event->first, event->count);
        break;
    case PS_EVENT_TABLE_DROPPED:
        pfs_inodes_table_dropped(p->fs.inodes, event->table);
        break;
    case PS_EVENT_PAGES_CREATED:
    case PS_EVENT_PAGES_CHANGED:
    case PS_EVENT_TABLE_CREATED:
    case PS_EVENT_TABLE_RENAMED:
    case PS_EVENT_POISONED:
        break;
    }
    pfs_notify_add(p->fs.notify, event);
}

static void on_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct program *p = ctx;

    if (!p->shows_progress || total == 0)
        return;
    fprintf(stderr, "\rrecovery: %-8s %3u %%", phase, (unsigned)(done * 100 / total));
    if (done == total)
        fputs("\r\033[K", stderr);
}

/* --- starting ----------------------------------------------------------------------------- */

/* The library's own words, which may name the store already. */
static void say_refusal(const char *source)
{
    const char *why = ps_message();
    size_t len = strlen(source);

    if (strncmp(why, source, len) == 0 && why[len] == ':')
        pfs_say("%s", why);
    else
        pfs_say("%s: %s", source, why);
}

/* A PostgreSQL directory, or a file: nothing of it is ever written. */
static ps_err open_cluster(struct program *p)
{
    ps_err err;

    p->opts.store.read_only = true;
    err = pfs_cluster_open(p->opts.source, &p->opts.cluster, &p->opts.store, &p->fs.cluster);
    if (err)
        return err;
    p->fs.cluster->skip_corrupt = p->opts.skip_corrupt;
    p->fs.store = ps_pg_store(p->fs.cluster->pg);
    if (ps_pg_not_recovered(p->fs.cluster->pg))
        pfs_log(PS_MSG_WARNING, "%s: not recovered: %s", p->opts.source,
                ps_pg_not_recovered(p->fs.cluster->pg));
    return PS_OK;
}

static ps_err open_own(struct program *p)
{
    const char *option = p->opts.cluster_option;

    if (option[0] || p->opts.skip_corrupt)
        return ps_fail(PS_ERR_INVAL, "option %s is for PostgreSQL sources",
                       option[0] ? option : "on_corrupt=skip");
    return ps_store_open(p->opts.source, &p->opts.store, &p->fs.store);
}

/* The exit status for the error: a wrong value of an option is wrong usage. */
static int open_store(struct program *p)
{
    struct ps_store_options *o = &p->opts.store;
    ps_err err;

    o->message = on_message;
    o->event = on_event;
    o->progress = on_progress;
    o->ctx = p;
    err = pfs_inodes_create(&p->fs.inodes);
    if (!err)
        err = pfs_notify_create(&p->fs, &p->fs.notify);
    if (!err) {
        p->opening = true;
        err = p->is_cluster ? open_cluster(p) : open_own(p);
        p->opening = false;
        let_held_go(p, err ? ps_message() : "");
    }
    if (err)
        say_refusal(p->opts.source);
    if (err == PS_ERR_INVAL)
        return PFS_EXIT_USAGE;
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The source becomes absolute, as the daemon leaves the current folder. */
static bool take_source(struct program *p)
{
    char *path = realpath(p->opts.source, NULL);
    struct stat st;

    if (!path || stat(path, &st) != 0) {
        free(path);
        return false;
    }
    free(p->opts.source);
    p->opts.source = path;
    p->fs.uid = st.st_uid;
    p->fs.gid = st.st_gid;
    p->fs.mode = st.st_mode;
    p->is_cluster = ps_pg_recognize(path);
    clock_gettime(CLOCK_REALTIME, &p->fs.mounted_at);
    return true;
}

static bool add_mount_options(struct fuse_args *args, const char *source, bool read_only)
{
    char *name = NULL, *fsname = NULL;
    bool ok;

    if (asprintf(&name, "fsname=%s", source) < 0)
        name = NULL;
    ok = name && fuse_opt_add_opt_escaped(&fsname, name) == 0 &&
         fuse_opt_add_arg(args, "-o") == 0 && fuse_opt_add_arg(args, fsname) == 0 &&
         fuse_opt_add_arg(args, "-osubtype=pagefs,default_permissions") == 0 &&
         (!read_only || fuse_opt_add_arg(args, "-oro") == 0);
    if (!ok)
        pfs_say("out of memory");
    free(name);
    free(fsname);
    return ok;
}

static bool make_session(struct program *p, struct fuse_args *args)
{
    if (!add_mount_options(args, p->opts.source, p->is_cluster))
        return false;
    p->fs.session = fuse_session_new(args, &pfs_ops, sizeof(pfs_ops), &p->fs);
    return p->fs.session != NULL; /* else libfuse has said which option it does not know */
}

/* The mount is taken down by its path, after the daemon has left the folder that it was started
 * in. */
static bool mount_at(struct fuse_session *session, const char *mountpoint)
{
    char *dir = realpath(mountpoint, NULL);
    bool mounted = dir && fuse_session_mount(session, dir) == 0;

    if (!dir)
        pfs_say("mount point %s: %s", mountpoint, strerror(errno));
    free(dir);
    return mounted;
}

static bool mount_session(struct program *p)
{
    if (fuse_set_signal_handlers(p->fs.session) != 0) {
        pfs_say("cannot set signal handlers");
        return false;
    }
    p->handles_signals = true;
    signal(SIGXFSZ, SIG_IGN); /* EFBIG instead, which is an error like another */
    if (pfs_notify_start(p->fs.notify) || pfs_watcher_create(&p->fs.watcher)) {
        pfs_say("%s", ps_message());
        return false;
    }
    return mount_at(p->fs.session, p->opts.mountpoint);
}

/* The kernel's first request has come: requests are answered from now on. */
static void on_ready(struct pfs *fs)
{
    struct program *p = (struct program *)((char *)fs - offsetof(struct program, fs));

    p->shows_progress = false;
    if (p->report_fd >= 0)
        pfs_daemon_ready(p->report_fd);
    p->report_fd = -1;
}

/* --- serving and stopping ----------------------------------------------------------------- */

static bool serve(struct program *p)
{
    return p->opts.io_uring ? pfs_ring_serve(&p->fs) : pfs_serve(&p->fs, p->opts.threads);
}

/* A signal ends the workers while requests may still be queued, and the notifier may be waiting
 * for a lock that the sender of one of them holds: they are answered until it is done. */
static void stop_notifier(struct program *p)
{
    struct pollfd fds[2] = {{.fd = fuse_session_fd(p->fs.session), .events = POLLIN},
                            {.events = POLLIN}};
    struct fuse_buf buf = {0};

    if (!p->fs.notify)
        return;
    fds[1].fd = pfs_notify_stop(p->fs.notify);
    while (fds[1].revents == 0 && (poll(fds, 2, -1) >= 0 || errno == EINTR)) {
        if (fds[0].revents & (POLLERR | POLLHUP))
            fds[0].fd = -1; /* unmounted: nothing more will come */
        if (fds[0].fd < 0 || !(fds[0].revents & POLLIN))
            continue;
        fuse_session_reset(p->fs.session);
        if (fuse_session_receive_buf(p->fs.session, &buf) > 0)
            fuse_session_process_buf(p->fs.session, &buf);
    }
    free(buf.mem);
}

/* Files that were open when the mount ended. */
static void close_handles(struct pfs *fs)
{
    struct pfs_handle *h;

    if (!fs->inodes)
        return;
    while ((h = pfs_inodes_take(fs->inodes)) != NULL) {
        if (pfs_flush_pending(fs, h, NULL) != 0)
            pfs_log(PS_MSG_ERROR, "the end of what was appended to %s is lost: %s",
                    pfs_node_of(&h->object)->name, ps_message());
        pfs_handle_unref(h);
    }
}

/* An unclean end, as after a failed sync, is left to recovery: whoever waits for us sees the
 * store's state. */
static bool close_store(struct program *p)
{
    ps_err err = PS_OK;

    if (p->fs.cluster)
        pfs_cluster_close(p->fs.cluster);
    else if (p->fs.store)
        err = ps_store_close(p->fs.store);
    p->fs.cluster = NULL;
    p->fs.store = NULL;
    if (err)
        pfs_log(PS_MSG_ERROR, "%s was left for recovery: %s", p->opts.source, ps_message());
    return !err;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* Returns the exit status. */
static int run(struct program *p)
{
    int status = EXIT_FAILURE;

    if (pfs_mountpoint_prepare(p->opts.mountpoint, p->opts.source))
        status = open_store(p);
    if (!status && !(mount_session(p) && serve(p)))
        status = EXIT_FAILURE;
    stop_notifier(p);
    if (p->opts.io_uring)
        pfs_ring_end(&p->fs);
    fuse_session_unmount(p->fs.session);
    close_handles(&p->fs);
    if (!close_store(p) && !status)
        status = EXIT_FAILURE;
    return status;
}

/* To as many as the system lets us have: a table has two files, and reopening one costs time. With
 * too few the log could not be flushed, and the store would be poisoned by its first write. */
static bool raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_max < FILES_MIN) {
        pfs_say("at most %llu files may be open (ulimit -n): want %u or more",
                (unsigned long long)limit.rlim_max, FILES_MIN);
        return false;
    }
    if (limit.rlim_cur == limit.rlim_max)
        return true;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        pfs_log(PS_MSG_WARNING, "cannot raise the limit of open files: %s", strerror(errno));
    return true;
}

static void init(struct program *p)
{
    p->main_thread = pthread_self();
    p->report_fd = -1;
    p->shows_progress = isatty(STDERR_FILENO);
    p->fs.opts = &p->opts;
    p->fs.fsync_log_only = p->opts.fsync_log_only;
    p->fs.ready = on_ready;
    pthread_rwlock_init(&p->fs.freeing, NULL);
}

static void deinit(struct program *p)
{
    pfs_notify_destroy(p->fs.notify);
    pfs_watcher_destroy(p->fs.watcher);
    if (p->handles_signals) /* one more finds no session to end */
        fuse_remove_signal_handlers(p->fs.session);
    if (p->fs.session)
        fuse_session_destroy(p->fs.session);
    pfs_inodes_destroy(p->fs.inodes);
    pthread_rwlock_destroy(&p->fs.freeing);
}

/* In the background from here on, unless -f was given: the caller waits for on_ready(). */
static bool start_daemon(struct program *p)
{
    if (p->opts.foreground)
        return true;
    p->report_fd = pfs_daemon_start();
    return p->report_fd >= 0;
}

static int mount_and_serve(struct program *p, struct fuse_args *args)
{
    int status = EXIT_FAILURE;

    init(p);
    if (!raise_file_limit())
        status = EXIT_FAILURE;
    else if (!take_source(p))
        pfs_say("%s: %s", p->opts.source, strerror(errno));
    else if (!make_session(p, args))
        status = PFS_EXIT_USAGE;
    else if (p->opts.io_uring && !pfs_ring_check())
        status = EXIT_FAILURE;
    else if (start_daemon(p))
        status = run(p);
    deinit(p);
    return status;
}

int main(int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    struct program p = {0};
    int status = EXIT_SUCCESS;

    pfs_log_take_fuse();
    if (!pfs_options_parse(&p.opts, &args))
        status = PFS_EXIT_USAGE;
    else if (p.opts.help)
        pfs_options_help();
    else if (p.opts.version)
        printf("pagefs %s (FUSE library %s)\n", PAGEFS_VERSION, fuse_pkgversion());
    else
        status = mount_and_serve(&p, &args);
    pfs_options_deinit(&p.opts);
    fuse_opt_free_args(&args);
    return status;
}
