/*
 * interrupt.h - a client is being killed while its request waits: the wait ends.
 *
 * The kernel sends INTERRUPT once, at the first signal of any kind. As on any file system on a
 * disk, only a signal that ends the program may end its call: a timer or a child's end must not
 * make a write or an fsync fail. So a signal that is not deadly puts the request on watch, and
 * the watcher looks whether its client is dying until the request is answered.
 *
 * Ownership  begin and end pair up around the one call down of a handler; end comes before the
 *            reply, after which the request may be gone.
 * Locking    thread safe. The watcher's mutex is taken last, but for the token's own lock.
 */
#ifndef PFS_INTERRUPT_H
#define PFS_INTERRUPT_H

#include "fs/pfs.h"
#include "pagestore/cancel.h"

struct pfs_watcher; /* private */

PS_MUST_USE ps_err pfs_watcher_create(struct pfs_watcher **ret); /* starts its thread */
void pfs_watcher_destroy(struct pfs_watcher *w);                 /* NULL is allowed */

struct pfs_interrupt {
    struct ps_cancel cancel;
    fuse_req_t req;
    struct pfs_watcher *watcher;
    pid_t client;               /* 0: in a world of its own, of which nothing can be known */
    struct pfs_interrupt *next; /* guarded by the watcher's mutex, as is on_watch */
    bool on_watch;
};

/* Returns the token to give to the library. */
struct ps_cancel *pfs_interrupt_begin(struct pfs_interrupt *i, fuse_req_t req);
void pfs_interrupt_end(struct pfs_interrupt *i);

/* From the text of /proc/PID/status: is there a signal that ends the process? */
bool pfs_status_is_dying(const char *status);

#endif
