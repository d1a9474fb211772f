/*
 * serve.h - threads that take requests from the device and work on them.
 *
 * As libfuse's own loop it has a reader ready whenever it can, so that no request waits for another
 * one's work. But the kernel hands requests to the threads that wait in turn, and each has a buffer
 * of a megabyte, a stack, and what it touched last: of ten no cache holds that. So only a few wait
 * there, two more than there are CPUs to run on, as one may not be back yet when the next request
 * comes; the others rest, and the last that went to rest is the first that is woken.
 *
 * Flow       main -> [serve] -> handlers
 * Units      threads_max counts requests that are worked on at a time.
 * Ownership  threads and their buffers live from the first request they are needed for to the end.
 * Locking    serve is the main thread's. The mutex is a leaf, and is not taken for a request while
 *            readers are ready.
 * Errors     logged.
 * Promise    a handler that has begun ends before serve returns.
 */
#ifndef PFS_SERVE_H
#define PFS_SERVE_H

#include "fs/pfs.h"

/* Serves until the mount ends or a signal comes, at most threads_max requests at a time. False: it
 * ended by an error. */
bool pfs_serve(struct pfs *fs, unsigned threads_max);

#endif
