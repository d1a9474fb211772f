/*
 * thread.h - threads of our own beside those of the program.
 *
 * Flow       background work -> [thread] -> pthread
 * Ownership  the thread is the caller's, who joins it.
 * Locking    thread safe.
 * Errors     those of pthread_create().
 * Promise    no signal that is meant for the program is taken by one of these.
 */
#ifndef PS_BASE_THREAD_H
#define PS_BASE_THREAD_H

#include <pthread.h>

/* As pthread_create(), of a thread that takes no signals but those of its own faults: others are
 * for the program's threads. */
int ps_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);

#endif
