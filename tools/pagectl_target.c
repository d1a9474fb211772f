/*
 * Finding out whether a store is mounted, and reaching it either way.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "pagectl.h"

#define MOUNT_TYPE "fuse.pagefs"
#define LOCK_FILE "lock"

/* True if the mount shows the store at `path`, or is mounted there itself. */
static bool mount_matches(const struct mntent *m, const char *path)
{
    char source[PATH_MAX];

    if (strcmp(m->mnt_type, MOUNT_TYPE) != 0)
        return false;
    if (strcmp(m->mnt_dir, path) == 0)
        return true;
    if (!realpath(m->mnt_fsname, source))
        snprintf(source, sizeof(source), "%s", m->mnt_fsname);
    return strcmp(source, path) == 0;
}

/* Its daemon is gone: the store can be looked at as if it were not mounted. */
static bool is_dead(const char *mount)
{
    struct statfs fs;

    return statfs(mount, &fs) != 0 && errno == ENOTCONN;
}

void pc_target_find(const char *path, struct pc_target *ret)
{
    char line[4 * PATH_MAX];
    struct mntent entry;
    FILE *mounts;

    ret->mount[0] = '\0';
    if (!realpath(path, ret->store))
        snprintf(ret->store, sizeof(ret->store), "%s", path);

    mounts = setmntent("/proc/self/mounts", "r");
    if (!mounts)
        return;
    while (getmntent_r(mounts, &entry, line, sizeof(line))) {
        if (!mount_matches(&entry, ret->store))
            continue;
        snprintf(ret->store, sizeof(ret->store), "%s", entry.mnt_fsname);
        if (is_dead(entry.mnt_dir))
            continue;
        snprintf(ret->mount, sizeof(ret->mount), "%s", entry.mnt_dir);
        break;
    }
    endmntent(mounts);
}

int pc_error_mounted(const struct pc_target *t, const char *why)
{
    assert(pc_mounted(t));
    return pc_error("%s is mounted at %s: %s", t->store, t->mount, why);
}

static void print_message(void *ctx, enum ps_message_level level, const char *text)
{
    (void)ctx;
    if (level != PS_MSG_INFO)
        fprintf(stderr, "pagectl: %s\n", text);
}

int pc_open(const struct pc_target *t, bool read_only, struct ps_store **ret)
{
    struct ps_store_options opts;

    assert(!pc_mounted(t));
    ps_store_options_default(&opts);
    opts.read_only = read_only;
    opts.message = print_message;
    return pc_report(ps_store_open(t->store, &opts, ret));
}

int pc_close(struct ps_store *store, int status)
{
    int close_status = pc_report(ps_store_close(store));

    return status ? status : close_status;
}

int pc_lookup(struct ps_store *store, const char *name, struct ps_table **ret)
{
    return pc_report(ps_table_lookup(store, name, ret));
}

/* --- through the mount -------------------------------------------------------------------- */

/* A name that stays within the mount's folder of tables. */
static bool is_table_name(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= PS_TABLE_NAME_MAX && name[0] != '.' && !strchr(name, '/');
}

int pc_mount_path(const struct pc_target *t, const char *table, const char *file, char *path,
                  size_t len)
{
    int n;

    assert(pc_mounted(t));
    if (table && !is_table_name(table))
        return pc_error("'%s' is no table name: 1 to %u bytes, no '/', not starting with '.'",
                        table, PS_TABLE_NAME_MAX);
    n = snprintf(path, len, "%s%s%s%s%s", t->mount, table ? "/" : "", table ? table : "",
                 file ? "/" : "", file ? file : "");
    if (n < 0 || (size_t)n >= len)
        return pc_error("%s: path is too long", t->mount);
    return PC_OK;
}

static bool mount_has_table(const struct pc_target *t, const char *table)
{
    char path[PATH_MAX];

    return pc_mount_path(t, table, NULL, path, sizeof(path)) != PC_OK || access(path, F_OK) == 0;
}

int pc_error_mount(const struct pc_target *t, const char *table, const char *path, int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
        if (table && !mount_has_table(t, table))
            return pc_error("%s: no table '%s'", t->store, table);
        break;
    case EEXIST:
        return pc_error("%s: there is a table '%s' already", t->store, table);
    case ENOTCONN:
        return pc_error("%s: the daemon of this mount is gone; unmount it", path);
    default:
        break;
    }
    return pc_error("%s: %s", path, strerror(sys_errno));
}

int pc_cat(const struct pc_target *t, const char *table, const char *file)
{
    char path[PATH_MAX];
    static char buf[1 << 16];
    ssize_t n;
    int status;
    int fd;

    status = pc_mount_path(t, table, file, path, sizeof(path));
    if (status)
        return status;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pc_error_mount(t, table, path, errno);
    while (status == PC_OK && (n = read(fd, buf, sizeof(buf))) != 0) {
        if (n < 0)
            status = pc_error("%s: %s", path, strerror(errno));
        else if (fwrite(buf, 1, (size_t)n, stdout) < (size_t)n)
            break; /* pc_flush tells why */
    }
    close(fd);
    return status ? status : pc_flush();
}

/* --- below the library -------------------------------------------------------------------- */

/* The pid that the lock file names, 0 if none. */
static long lock_holder(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    return n > 0 ? strtol(text, NULL, 10) : 0;
}

int pc_lock_files(const struct pc_target *t, bool exclusive, int *ret_fd)
{
    char path[PATH_MAX];
    struct stat st;
    int fd, n;

    assert(!pc_mounted(t));
    *ret_fd = -1;
    n = snprintf(path, sizeof(path), "%s/%s", t->store, LOCK_FILE);
    if (n < 0 || (size_t)n >= sizeof(path))
        return pc_error("%s: path is too long", t->store);
    /* As the library does: a FIFO is not waited for, a link not followed. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return PC_OK;
    if (fd < 0 && errno == ELOOP)
        return pc_error("%s: a symbolic link, which is not followed", path);
    if (fd < 0)
        return pc_error("%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return pc_error("%s: not a regular file", path);
    }
    if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            pc_error("%s: %s", path, strerror(errno));
        else if (lock_holder(fd) > 0)
            pc_error("%s: store is in use by pid %ld", t->store, lock_holder(fd));
        else
            pc_error("%s: store is in use: it is open read-only", t->store);
        close(fd);
        return PC_FAILED;
    }
    *ret_fd = fd;
    return PC_OK;
}
