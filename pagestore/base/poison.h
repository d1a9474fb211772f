/*
 * poison.h - the store's point of no return.
 *
 * A failed sync of the log or of a page file is never retried: the kernel may have dropped what
 * it could not write and report success the next time (PostgreSQL's fsyncgate). From the first
 * one on the store changes nothing more on disk; the next open recovers from the log.
 * One per store, passed down at open; raised by whoever saw the failure, read by everybody.
 *
 * Flow       wal, control, page files (raise) -> [poison] -> whatever would write or sync (check)
 * Ownership  of the store, from before the first layer is opened until after the last is closed.
 * Locking    thread safe; the check takes no lock.
 * Errors     PS_ERR_POISONED, with the first failure as message.
 * Promise    once raised it stays, with the reason of the first time.
 */
#ifndef PS_BASE_POISON_H
#define PS_BASE_POISON_H

#include <stdbool.h>

#include "base/lock.h"

struct ps_poison {
    struct ps_mutex mtx; /* rank LEAF, guards reason until set is true */
    _Atomic bool set;
    char reason[512];
    void (*notify)(void *ctx, const char *reason); /* called once, after set; may be NULL */
    void *notify_ctx;
};

void ps_poison_init(struct ps_poison *p, void (*notify)(void *, const char *), void *ctx);
void ps_poison_deinit(struct ps_poison *p);

/* The first call wins and keeps the thread's ps_message() as the reason. Returns PS_ERR_IO, which
 * the caller hands on, of whatever kind the failure was: a full or read-only file system below that
 * costs durability is told as any other, now and later. */
ps_err ps_poison_raise(struct ps_poison *p);

/* PS_OK, or PS_ERR_POISONED with the reason as message. */
PS_MUST_USE ps_err ps_poison_check(struct ps_poison *p);

/* The reason, or NULL while the store is sound. */
const char *ps_poison_reason(struct ps_poison *p);

#endif
