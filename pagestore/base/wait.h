/*
 * wait.h - waiting on a condition that a cancel token can end.
 *
 * Flow       pool, wal, pg -> [wait] -> lock, cancel
 * Ownership  condition and mutex are the caller's, and outlive whoever raises the token.
 * Locking    thread safe; the caller holds the mutex.
 * Errors     PS_ERR_INTERRUPTED: the token was raised.
 * Promise    no raise is missed, whether it comes before the wait or during it.
 */
#ifndef PS_BASE_WAIT_H
#define PS_BASE_WAIT_H

#include "base/lock.h"
#include "pagestore/cancel.h"

/* Waits on c with m held, like ps_cond_wait, and returns also when cancel (may be NULL) is
 * raised; spurious returns are possible, so callers loop on their condition. The condition and
 * the mutex must outlive the token's raisers: they belong to the store, not to the request.
 * Wake such conditions with ps_cond_broadcast: a signal may fall to a waiter that is leaving.
 * PS_ERR_INTERRUPTED: the token is raised; m is held again all the same. */
PS_MUST_USE ps_err ps_wait(struct ps_cond *c, struct ps_mutex *m, struct ps_cancel *cancel);

#endif
