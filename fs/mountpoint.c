#include "fs/mountpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/log.h"

/* Ordinary users cannot umount(2), but fusermount3 lets them take down what is their own. */
static bool fusermount(const char *path)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execlp("fusermount3", "fusermount3", "-u", "-q", "-z", path, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool take_down(const char *path)
{
    if (umount2(path, MNT_DETACH) == 0 || fusermount(path))
        return true;
    pfs_say("%s: a dead mount is there and cannot be taken away", path);
    return false;
}

/* Attributes may come from the kernel's memory of better days: statfs() asks the daemon itself. */
static bool is_dead(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) != 0 && errno == ENOTCONN;
}

/* Is path, absolute, the folder itself or something below it? */
static bool is_within(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    if (folder[len - 1] == '/') /* the root */
        return true;
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* A mount would hide the store it shows, or stand where the store keeps its files. */
static bool check_apart(const char *path, const char *source)
{
    char *dir = realpath(path, NULL);
    bool apart = dir && !is_within(dir, source) && !is_within(source, dir);

    if (!dir)
        pfs_say("mount point %s: %s", path, strerror(errno));
    else if (strcmp(dir, source) == 0)
        pfs_say("mount point %s: is the source itself", path);
    else if (!apart)
        pfs_say("mount point %s: %s the source %s", path,
                is_within(dir, source) ? "lies inside" : "contains", source);
    free(dir);
    return apart;
}

bool pfs_mountpoint_prepare(const char *path, const char *source)
{
    struct stat st;
    int failed;

    if (is_dead(path) && !take_down(path))
        return false;
    failed = stat(path, &st);
    if (failed || !S_ISDIR(st.st_mode)) {
        pfs_say("mount point %s: %s", path, strerror(failed ? errno : ENOTDIR));
        return false;
    }
    return check_apart(path, source);
}
