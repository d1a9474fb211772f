/*
 * notify.h - tells the kernel what it should forget, from a thread of its own.
 *
 * The kernel keeps names for an hour and attributes of page-files for a second. What changes by
 * another way than the file itself (a page freed through `image`) is told to it. Telling waits
 * for locks that the kernel holds during requests, so no handler may do it.
 *
 * Flow       store events -> [notify] -> kernel
 * Units      page numbers count from 0.
 * Ownership  create, start before the session is mounted, stop before it is unmounted.
 * Locking    add is called with any lock of the library held; it takes one leaf mutex.
 * Errors     create, start: PS_ERR_NOMEM, or that no thread can be had. What the kernel does not
 *            take is dropped.
 * Promise    what is dropped because the queue is full costs no more than a second of an old
 *            mtime: the names of freed pages lead to inodes that answer ESTALE, which makes the
 *            kernel look again.
 */
#ifndef PFS_NOTIFY_H
#define PFS_NOTIFY_H

#include "pagestore/pagestore.h"

struct pfs;
struct pfs_notify;

PS_MUST_USE ps_err pfs_notify_create(struct pfs *fs, struct pfs_notify **ret);
PS_MUST_USE ps_err pfs_notify_start(struct pfs_notify *n);
/* Asks the thread to end, and returns a descriptor that is readable once it has: until then it may
 * wait for a request to be answered, so the caller goes on answering. */
int pfs_notify_stop(struct pfs_notify *n);
void pfs_notify_destroy(struct pfs_notify *n); /* after stop, or before start; NULL is allowed */

void pfs_notify_add(struct pfs_notify *n, const struct ps_event *event);

/* The kernel is being given this page's attributes; only changes after that are reported to it. */
void pfs_notify_shown(struct pfs_notify *n, uint32_t table, uint32_t page);

/* This thread works on a request for this page's own file: the kernel knows what it does. Page
 * UINT64_MAX: no longer. */
void pfs_notify_own(uint32_t table, uint64_t page);

#endif
