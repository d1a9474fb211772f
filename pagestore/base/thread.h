/*
 * thread.h - threads of our own beside those of the program.
 */
#ifndef PS_BASE_THREAD_H
#define PS_BASE_THREAD_H

#include <pthread.h>

/* As pthread_create(), of a thread that takes no signals but those of its own faults: others are
 * for the program's threads. */
int ps_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);

#endif
