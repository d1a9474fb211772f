/*
 * cancel.h - a token that lets another thread end this thread's wait.
 *
 * Flow       fs (a client was killed) -> ps_cancel_raise -> the waiting call returns
 *            PS_ERR_INTERRUPTED, having changed nothing.
 * Ownership  the caller of the library owns the token; it must outlive the call it was given
 *            to, and the raiser must be done with it before it is deinitialised.
 * Locking    raise may be called from any thread, at any time, any number of times, holding
 *            no lock of the library. Calls take NULL where nobody will ever interrupt.
 * Errors     none of its own; the call that is ended returns PS_ERR_INTERRUPTED.
 * Promise    a token that was raised stays so: a call that is given it later does not wait either.
 */
#ifndef PAGESTORE_CANCEL_H
#define PAGESTORE_CANCEL_H

#include <pthread.h>
#include <stdbool.h>

struct ps_mutex;
struct ps_cond;

struct ps_cancel {
    pthread_mutex_t mtx;
    _Atomic bool raised;
    struct ps_mutex *waits_mtx; /* guarded by mtx: what the owner waits on now, or NULL */
    struct ps_cond *waits_cond;
};

void ps_cancel_init(struct ps_cancel *c);
void ps_cancel_deinit(struct ps_cancel *c);
void ps_cancel_raise(struct ps_cancel *c);
bool ps_cancel_raised(const struct ps_cancel *c); /* false for NULL */

#endif
