/*
 * umount.c - umount.fuse.pagefs: unmounts, then waits until the daemon has closed the store.
 *
 * umount(8) calls it for mounts of the type fuse.pagefs. The kernel tells a daemon that its mount
 * is gone when umount(2) has long returned; what says that the store is closed is its lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file/control.h"
#include "pg/cluster.h"

#define NAME "umount.fuse.pagefs"
#define MOUNT_TYPE "fuse.pagefs"
#define EXIT_USAGE 2
#define PATH_LEN 4096
#define ARGS_MAX 16
#define PATIENCE_S 5 /* then it says what it waits for */

struct target {
    char source[PATH_LEN];
    char dir[PATH_LEN];
    char reason[512]; /* why the store is read-only, "" while it is sound */
    bool lock_lost;   /* its daemon's lock is of a file that was removed */
    bool shared;      /* mounted elsewhere, too: read-only, therefore */
    int lock_fd;      /* -1: the store is not to be seen from here */
};

struct command {
    const char *dir;
    bool lazy;
    char *args[ARGS_MAX]; /* for umount(8) */
    int arg_count;
};

/* --- the mount ---------------------------------------------------------------------------- */

/* The last mount at (or of) what, which is the one that umount(2) takes away. */
static bool find_mount(const char *what, struct target *t)
{
    char path[PATH_LEN], line[4 * PATH_LEN];
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    struct mntent m;
    bool found = false;

    if (!mounts)
        return false;
    if (!realpath(what, path)) /* a dead mount has no real path, but a name */
        snprintf(path, sizeof(path), "%s", what);
    while (getmntent_r(mounts, &m, line, sizeof(line))) {
        if (strcmp(m.mnt_type, MOUNT_TYPE) != 0 ||
            (strcmp(m.mnt_dir, path) != 0 && strcmp(m.mnt_fsname, path) != 0))
            continue;
        snprintf(t->source, sizeof(t->source), "%s", m.mnt_fsname);
        snprintf(t->dir, sizeof(t->dir), "%s", m.mnt_dir);
        found = true;
    }
    endmntent(mounts);
    return found;
}

static bool is_mounted_elsewhere(const struct target *t)
{
    char line[4 * PATH_LEN];
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    struct mntent m;
    bool found = false;

    while (mounts && !found && getmntent_r(mounts, &m, line, sizeof(line)))
        found = strcmp(m.mnt_type, MOUNT_TYPE) == 0 && strcmp(m.mnt_fsname, t->source) == 0 &&
                strcmp(m.mnt_dir, t->dir) != 0;
    if (mounts)
        endmntent(mounts);
    return found;
}

/* The mount's own words, while it can still be asked. */
static void ask_stats(struct target *t)
{
    char path[PATH_LEN + 32], line[1024];
    FILE *stats;

    snprintf(path, sizeof(path), "%s/.pagefs/stats", t->dir);
    stats = fopen(path, "r");
    if (!stats)
        return;
    while (fgets(line, sizeof(line), stats)) {
        char *value = line + strcspn(line, " ");

        value += strspn(value, " ");
        value[strcspn(value, "\n")] = '\0';
        if (strncmp(line, "reason ", 7) == 0 && strcmp(value, "-") != 0)
            snprintf(t->reason, sizeof(t->reason), "%s", value);
        if (strncmp(line, "lock ", 5) == 0)
            t->lock_lost = strcmp(value, "lost") == 0;
    }
    fclose(stats);
}

static void open_lock(struct target *t)
{
    char path[PATH_LEN + 32];

    snprintf(path, sizeof(path), "%s/lock", t->source);
    t->lock_fd = open(path, O_RDONLY | O_CLOEXEC);
}

/* --- unmounting --------------------------------------------------------------------------- */

/* umount(8) is for root; fusermount3 lets others unmount what is their own. */
static void exec_umount(const struct command *c, const char *dir)
{
    const char *argv[ARGS_MAX + 4] = {"umount", "-i"};
    int n = 2;

    if (geteuid() != 0) {
        execlp("fusermount3", "fusermount3", c->lazy ? "-uz" : "-u", "--", dir, (char *)NULL);
        return;
    }
    for (int i = 0; i < c->arg_count; i++)
        argv[n++] = c->args[i];
    argv[n] = dir;
    execvp(argv[0], (char *const *)(uintptr_t)argv);
}

/* The exit status of whoever does it. */
static int unmount(const struct command *c, const char *dir)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        exec_umount(c, dir);
        fprintf(stderr, NAME ": cannot run umount: %s\n", strerror(errno));
        _exit(EXIT_FAILURE);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        fprintf(stderr, NAME ": cannot run umount: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

/* --- waiting ------------------------------------------------------------------------------ */

static void stop_waiting(int signal)
{
    (void)signal; /* flock() ends with EINTR */
}

static void say_what_is_waited_for(const struct target *t)
{
    fprintf(stderr,
            NAME ": waiting for pagefs to close %s; it cannot while a mount namespace (a "
                 "container's, say) has a copy of the mount\n",
            t->source);
}

static int wait_for_lock(const struct target *t)
{
    const struct sigaction on_alarm = {.sa_handler = stop_waiting};
    int failed;

    sigaction(SIGALRM, &on_alarm, NULL);
    alarm(PATIENCE_S);
    /* The other daemons keep their share: then there is nothing to wait for but what reads only. */
    while ((failed = flock(t->lock_fd, t->shared ? LOCK_SH : LOCK_EX)) && errno == EINTR)
        say_what_is_waited_for(t);
    alarm(0);
    if (!failed)
        return EXIT_SUCCESS;
    fprintf(stderr, NAME ": %s: waiting for its lock: %s\n", t->source, strerror(errno));
    return EXIT_FAILURE;
}

/* A store that its daemon could not close is still marked as in use; as nobody uses it, it was left
 * for recovery. */
static int check_state(const struct target *t)
{
    struct ps_control control;
    struct ps_io *io = NULL;
    ps_err err = ps_io_posix(t->source, PS_IO_KIND_AUTO, NULL, NULL, &io);

    if (!err)
        err = ps_control_read(io, &control, NULL);
    ps_io_destroy(io);
    if (err) {
        fprintf(stderr, NAME ": %s: %s\n", t->source, ps_message());
        return EXIT_FAILURE;
    }
    if (control.state == PS_STATE_CLEAN)
        return EXIT_SUCCESS;
    fprintf(stderr, NAME ": %s was not closed cleanly (%s); the next mount recovers it\n",
            t->source, t->reason[0] ? t->reason : "the daemon's messages say why");
    return EXIT_FAILURE;
}

static int unmount_and_wait(const struct command *c, struct target *t)
{
    int status;

    ask_stats(t);
    open_lock(t);
    t->shared = is_mounted_elsewhere(t);
    status = unmount(c, t->dir);
    if (status || c->lazy) /* a lazy unmount ends when the last file is closed, maybe never */
        return status;
    if (ps_pg_recognize(t->source)) /* PostgreSQL's: nothing of it was written */
        return EXIT_SUCCESS;
    if (t->lock_lost || t->lock_fd < 0) {
        fprintf(stderr, NAME ": %s: cannot see whether it is closed%s\n", t->source,
                t->lock_lost ? ": its lock file was removed, and others may have written it" : "");
        return EXIT_FAILURE;
    }
    status = wait_for_lock(t);
    return status ? status : check_state(t);
}

/* --- the command line --------------------------------------------------------------------- */

static void help(void)
{
    printf(
        "usage: umount.fuse.pagefs MNT [-flnrv] [-N NAMESPACE] [-t TYPE]\n"
        "\n"
        "Unmounts a pagefs and waits until its store is closed. umount(8) calls it; its options\n"
        "are umount's. Exit status 0: unmounted, and the store was closed cleanly.\n");
}

static bool add_arg(struct command *c, char *arg)
{
    if (c->arg_count == ARGS_MAX)
        return false;
    c->args[c->arg_count++] = arg;
    return true;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct command *c)
{
    static char flags[][3] = {"-f", "-l", "-n", "-r", "-v"};
    static char ns[] = "-N";
    bool ok = true;

    for (int i = 1; i < argc && ok; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return EXIT_SUCCESS;
        }
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            printf(NAME " %s\n", PAGEFS_VERSION);
            return EXIT_SUCCESS;
        }
        if (argv[i][0] != '-') {
            ok = c->dir == NULL;
            c->dir = argv[i];
        } else if (strcmp(argv[i], ns) == 0 && i + 1 < argc) {
            ok = add_arg(c, ns) && add_arg(c, argv[++i]);
        } else if (strcmp(argv[i], "-t") == 0 && i + 1 < argc) {
            i++; /* the type is known */
        } else {
            ok = argv[i][1] != '\0';
            for (const char *flag = argv[i] + 1; *flag && ok; flag++) {
                const char *at = strchr("flnrv", *flag);

                ok = at && add_arg(c, flags[at - "flnrv"]);
                c->lazy = c->lazy || *flag == 'l';
            }
        }
    }
    if (ok && c->dir)
        return -1;
    fprintf(stderr, NAME ": usage: " NAME " MNT [-flnrv] [-N NAMESPACE] [-t TYPE]\n");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct command c = {0};
    struct target t = {.lock_fd = -1};
    int status = parse(argc, argv, &c);

    if (status >= 0)
        return status;
    if (!find_mount(c.dir, &t)) {
        fprintf(stderr, NAME ": %s: no pagefs is mounted there\n", c.dir);
        return EXIT_FAILURE;
    }
    status = unmount_and_wait(&c, &t);
    if (t.lock_fd >= 0)
        close(t.lock_fd);
    return status;
}
