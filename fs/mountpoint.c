#include "fs/mountpoint.h"

#include <errno.h>
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

bool pfs_mountpoint_prepare(const char *path)
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
    return true;
}
