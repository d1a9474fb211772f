/*
 * trace.h - the last events of a store, for `.pagefs/trace`: who was evicted and why.
 *
 * A ring of fixed size; a new event takes the place of the oldest. Adding costs one atomic
 * increment and a few stores, so it can be done with any lock held.
 *
 * Flow       pool, store -> [trace] -> listings
 * Units      times are microseconds of the caller's clock.
 * Ownership  `reason` is a string literal (kept by pointer).
 * Locking    thread safe; a snapshot leaves out events that are being overwritten just then.
 * Errors     create: PS_ERR_NOMEM.
 * Promise    to add never waits.
 */
#ifndef PS_BASE_TRACE_H
#define PS_BASE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "pagestore/err.h"

struct ps_trace; /* private */

struct ps_trace_event {
    uint64_t seq;     /* counts from 1 */
    uint64_t time_us; /* of the caller's clock */
    const char *kind; /* "victim", "writeback", "hand", "corrupt", ... */
    const char *reason;
    uint32_t table;
    uint32_t page;
    uint32_t frame; /* UINT32_MAX: none */
    uint16_t fork;
    uint64_t lsn;
};

PS_MUST_USE ps_err ps_trace_create(size_t events, struct ps_trace **ret);
void ps_trace_destroy(struct ps_trace *t);
void ps_trace_add(struct ps_trace *t, const struct ps_trace_event *event); /* seq is set here */

/* How many events a snapshot can have now. */
size_t ps_trace_count(const struct ps_trace *t);
/* Oldest first, at most max; returns how many. */
size_t ps_trace_snapshot(struct ps_trace *t, struct ps_trace_event *events, size_t max);

#endif
