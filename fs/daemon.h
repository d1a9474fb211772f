/*
 * daemon.h - going into the background, and telling the caller when that was worth it.
 *
 * The process that was started forks at once and waits. The child opens, recovers and mounts with
 * stderr still its own, so that errors reach the caller; when it is ready it lets the terminal go
 * and the parent exits with 0. A child that ends before that gives the parent its exit status.
 * (To fork later would leave behind the threads of an open store.)
 *
 * Flow       main -> [daemon] -> the process that was started
 * Ownership  the descriptor is the caller's until ready closes it.
 * Locking    none: one thread, before there is another.
 * Errors     said on stderr.
 * Promise    the process that was started ends with 0 only once the mount is usable.
 */
#ifndef PFS_DAEMON_H
#define PFS_DAEMON_H

/* Returns in the child only, with the descriptor to report to; -1: could not, said why. */
int pfs_daemon_start(void);

/* The mount is usable. */
void pfs_daemon_ready(int report_fd);

#endif
