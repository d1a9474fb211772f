/*
 * ring.h - requests that come through rings of io_uring, one for each CPU (-o io_uring).
 *
 * libfuse has a thread on each CPU that takes requests of clients there, works on them, and answers
 * them through its ring: no client waits for another CPU to wake up. The device brings what is no
 * request of a client (INIT, FORGET), and no INTERRUPT, for libfuse cannot match it to a ring's
 * request.
 *
 * Flow       main -> check, serve, (notifier ends), end -> unmount
 * Units      a ring for each CPU; the depth of its queue counts requests.
 * Ownership  rings belong to the session; what waits for its answer lies in them, so end lets
 *            the last answer go out before they are freed.
 * Locking    check, serve and end are the main thread's.
 * Errors     said with pfs_say or logged. Where libfuse cannot start its rings it says so, and the
 *            main thread does all the work.
 * Promise    a handler that has begun ends, and what it leaves to be answered is answered.
 */
#ifndef PFS_RING_H
#define PFS_RING_H

#include "fs/pfs.h"

/* Can rings be had on this system? False: said why not. */
bool pfs_ring_check(void);

/* Part of INIT: with rings or without. */
void pfs_ring_init(struct fuse_conn_info *conn, bool wanted);

/* Serves until the mount ends or a signal comes; rings go on until pfs_ring_end(). */
bool pfs_ring_serve(struct pfs *fs);
void pfs_ring_end(struct pfs *fs);

#endif
