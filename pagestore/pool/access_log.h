/*
 * access_log.h - accesses noted by many threads, cheaply, to be looked at by one, later.
 *
 * One buffer for each few threads, as in BP-Wrapper (Ding, Jiang and Zhang, ICDE 2009): a note is
 * one atomic addition and one store, in lines that other threads rarely touch. Who fills a buffer
 * empties it, if whoever has the right to do so can be had without waiting; if not, notes are lost
 * until somebody does.
 *
 * Flow       pool_policy, rivals -> [access_log]
 * Units      stripes count from 0; notes are any 64 bits but 0.
 * Ownership  init takes the memory, deinit gives it back; all zero may be deinited.
 * Locking    add from any thread; drain by one at a time (the caller's lock).
 * Errors     init: PS_ERR_NOMEM.
 * Promise    a thread's own notes are drained in order, and none is lost while it is alone.
 */
#ifndef PS_POOL_ACCESS_LOG_H
#define PS_POOL_ACCESS_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pagestore/err.h"

#define PS_ACCESS_STRIPES 32u
#define PS_ACCESS_STRIPE_LEN 62u

struct ps_access_stripe {
    _Atomic uint64_t count; /* since it was drained; what is over the length was lost */
    _Atomic uint64_t notes[PS_ACCESS_STRIPE_LEN]; /* 0: not there yet, or drained */
    uint64_t pad;
} __attribute__((aligned(64)));

struct ps_access_log {
    struct ps_access_stripe *stripes;
};

PS_MUST_USE ps_err ps_access_log_init(struct ps_access_log *log);
void ps_access_log_deinit(struct ps_access_log *log);

/* A name of the calling thread, as long as it lives: an address that no other thread has. */
extern _Thread_local char ps_access_anchor;

static inline uint64_t ps_access_self(void)
{
    return (uint64_t)(uintptr_t)&ps_access_anchor;
}

/* Where the calling thread counts and notes. */
static inline unsigned ps_access_stripe_no(uint64_t self)
{
    return (unsigned)((self * 0x9e3779b97f4a7c15ull) >> 32) % PS_ACCESS_STRIPES;
}

static inline unsigned ps_access_my_stripe(void)
{
    return ps_access_stripe_no(ps_access_self());
}

/* True: the stripe is full, and should be drained. */
static inline bool ps_access_log_add(struct ps_access_log *log, unsigned stripe, uint64_t note)
{
    struct ps_access_stripe *s = &log->stripes[stripe];
    const uint64_t at = atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);

    if (at < PS_ACCESS_STRIPE_LEN)
        atomic_store_explicit(&s->notes[at], note, memory_order_relaxed);
    return (at + 1) % PS_ACCESS_STRIPE_LEN == 0;
}

/* Calls each with every note of a stripe, oldest first. Returns how many were lost. */
uint64_t ps_access_log_drain(struct ps_access_log *log, unsigned stripe,
                             void (*each)(void *ctx, uint64_t note), void *ctx);

#endif
