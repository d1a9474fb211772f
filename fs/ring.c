#include "fs/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fs/interrupt.h"
#include "fs/log.h"

#define SWITCH "/sys/module/fuse/parameters/enable_uring"

bool pfs_ring_check(void)
{
    int fd = open(SWITCH, O_RDONLY | O_CLOEXEC);
    char state = 'N';
    const char *why = NULL;

    if (fd < 0)
        why = "this kernel has none for FUSE (there is no " SWITCH ")";
    else if (read(fd, &state, 1) != 1 || state != 'Y')
        why = "the kernel has it turned off (see " SWITCH ")";
    else if (geteuid() != 0)
        why = "root only";
    if (fd >= 0)
        close(fd);
    if (why)
        pfs_say("option io_uring: %s", why);
    return !why;
}

void pfs_ring_init(struct fuse_conn_info *conn, bool wanted)
{
#ifdef PFS_HAVE_RINGS
    if (wanted)
        conn->no_interrupt = 1;
    else
        conn->want &= ~(unsigned)FUSE_CAP_OVER_IO_URING; /* whatever the environment says */
#else
    (void)conn, (void)wanted;
#endif
}

/* --- serving ------------------------------------------------------------------------------ */

/* libfuse's own handlers end the threads of the rings, which the notifier may yet wait for. */
static int stop_fd = -1;

static void on_signal(int signal_no)
{
    int saved = errno;

    (void)signal_no;
    (void)eventfd_write(stop_fd, 1); /* fails only when it is readable already */
    errno = saved;
}

static bool take_signals(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction take = {.sa_handler = on_signal}, before;

    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_fd < 0)
        return false;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], NULL, &before);
        if (before.sa_handler != SIG_IGN) /* as under nohup */
            sigaction(signals[i], &take, NULL);
    }
    return true;
}

/* 0 when the mount has ended, else as libfuse has it. */
static int serve_device(struct fuse_session *session, struct fuse_buf *buf)
{
    int result = fuse_session_receive_buf(session, buf);

    if (result > 0)
        fuse_session_process_buf(session, buf);
    return result == -EINTR || result == -EAGAIN ? 1 : result;
}

bool pfs_ring_serve(struct pfs *fs)
{
    struct pollfd fds[2] = {{.fd = fuse_session_fd(fs->session), .events = POLLIN},
                            {.events = POLLIN}};
    struct fuse_buf buf = {0};
    int result = 1;

    if (!take_signals()) {
        pfs_log(PS_MSG_ERROR, "serving ended: eventfd: %s", strerror(errno));
        return false;
    }
    fds[1].fd = stop_fd;
    while (result > 0 && fds[1].revents == 0 && !fuse_session_exited(fs->session)) {
        if (poll(fds, 2, -1) < 0)
            fds[0].revents = fds[1].revents = 0; /* EINTR */
        if (fds[0].revents)
            result = serve_device(fs->session, &buf);
    }
    free(buf.mem);
    if (result < 0)
        pfs_log(PS_MSG_ERROR, "serving ended: %s", strerror(-result));
    return result >= 0;
}

void pfs_ring_end(struct pfs *fs)
{
    if (fs->watcher)
        pfs_watcher_settle(fs->watcher);
    fuse_session_exit(fs->session);
    (void)fuse_session_loop(fs->session); /* finds the session ended, and frees its rings */
}
