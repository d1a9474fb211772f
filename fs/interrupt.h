/*
 * interrupt.h - a client is being killed while its request waits: the wait ends.
 *
 * The kernel sends INTERRUPT once, at the first signal of any kind. As on any file system on a
 * disk, only a signal that ends the program may end its call: a timer or a child's end must not
 * make a write or an fsync fail. So a signal that is not deadly puts the request on watch, and
 * the watcher looks whether its client is dying until the request is answered.
 *
 * With -o io_uring there is no INTERRUPT: there every request is on watch from its beginning, and
 * looked at when it has lasted for some time.
 *
 * A request may also go on while its client is let go at once (pfs_interrupt_may_answer): then the
 * watcher answers it with EINTR, and whoever ends the work finds that there is nobody to tell.
 *
 * Flow       kernel (INTERRUPT), the watcher's thread -> [interrupt] -> cancel token -> the waiting
 *            call
 * Ownership  begin and end pair up around the one call down of a handler, or end comes when that
 *            work is done, in any thread; it comes before the reply, after which the request may
 *            be gone.
 * Locking    thread safe. The watcher's mutex is taken last, but for the token's own lock.
 * Errors     create: PS_ERR_NOMEM, or that there is no thread to be had.
 * Promise    only a signal that ends the client ends its call.
 */
#ifndef PFS_INTERRUPT_H
#define PFS_INTERRUPT_H

#include "fs/pfs.h"
#include "pagestore/cancel.h"

struct pfs_watcher; /* private */

PS_MUST_USE ps_err pfs_watcher_create(struct pfs_watcher **ret); /* starts its thread */
void pfs_watcher_destroy(struct pfs_watcher *w);                 /* NULL is allowed */
/* Waits until every request that may be answered by the watcher has its answer; there are no more
 * of them after this. */
void pfs_watcher_settle(struct pfs_watcher *w);

struct pfs_interrupt {
    struct ps_cancel cancel;
    fuse_req_t req;
    struct pfs_watcher *watcher;
    bool polled;                /* no INTERRUPT will come */
    pid_t client;               /* 0: in a world of its own, of which nothing can be known */
    struct pfs_interrupt *next; /* guarded by the watcher's mutex, as is what follows */
    bool on_watch;
    bool seen;       /* the watcher may look at the client: it has cause to, or time has passed */
    bool may_answer; /* the watcher answers the request rather than raise the token */
    bool answered;   /* it has been answered, or only the handler may answer it */
};

/* Returns the token to give to the library. */
struct ps_cancel *pfs_interrupt_begin(struct pfs_interrupt *i, fuse_req_t req);
/* From here on a client that dies is answered at once, however far the work on its request has got.
 * The token is not raised: after this only end looks at the request. Once the reply is out, or
 * there is none to give, the caller calls answered. False: the mount is ending, and nothing may be
 * answered later. */
bool pfs_interrupt_may_answer(struct pfs_interrupt *i);
void pfs_interrupt_answered(struct pfs_interrupt *i);
/* Whether the answer is the caller's: only after may_answer it can be false, and the request gone.
 */
bool pfs_interrupt_end(struct pfs_interrupt *i);

#endif
