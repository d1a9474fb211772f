#include "fs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/log.h"

static _Noreturn void await_child(int fd, pid_t child)
{
    char byte;
    int status = 0;

    if (read(fd, &byte, 1) == 1)
        _exit(EXIT_SUCCESS);
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        _exit(WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
    pfs_say("ended by signal %d before the mount was usable", WTERMSIG(status));
    _exit(EXIT_FAILURE);
}

int pfs_daemon_start(void)
{
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) != 0 || (child = fork()) < 0) {
        pfs_say("cannot go into the background: %s", strerror(errno));
        return -1;
    }
    if (child > 0) {
        close(fds[1]);
        await_child(fds[0], child);
    }
    close(fds[0]);
    return fds[1];
}

static void let_go_of_terminal(void)
{
    int null = open("/dev/null", O_RDWR);

    if (null < 0)
        return; /* there is always one; without it the terminal stays open, and that is all */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

void pfs_daemon_ready(int report_fd)
{
    ssize_t n;

    setsid();
    if (chdir("/") != 0)
        pfs_log(PS_MSG_WARNING, "cannot leave the current folder: %s", strerror(errno));
    pfs_log_to_syslog();
    let_go_of_terminal();
    n = write(report_fd, "", 1);
    (void)n; /* nobody left to tell */
    close(report_fd);
}
