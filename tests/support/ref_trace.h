/*
 * ref_trace.h - made-up sequences of page accesses, and how often policies and Belady's OPT hit.
 *
 * Flow       tests -> [ref_trace] -> mini_sim, the policies themselves
 * Units      accesses; hit ratios from 0 to 1, of all accesses, those that fill the pool included.
 * Ownership  make gives pages that free takes back.
 * Locking    none; a trace is not shared.
 * Errors     what cannot go on prints why and aborts.
 * Promise    the same trace each time.
 */
#ifndef TESTS_SUPPORT_REF_TRACE_H
#define TESTS_SUPPORT_REF_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool/evict.h"

struct ref_trace {
    const char *name;
    const char *what;
    bool held_out;   /* nothing of the adaptive policy was chosen by it */
    uint32_t frames; /* of the pool */
    size_t count;
    uint32_t *pages;
};

size_t ref_trace_kinds(void);
void ref_trace_make(size_t kind, struct ref_trace *ret);
/* By its name, which exists. */
void ref_trace_make_named(const char *name, struct ref_trace *ret);
void ref_trace_free(struct ref_trace *t);

double ref_trace_hit_ratio(const struct ref_trace *t, const struct ps_evict_ops *policy);
/* Belady's: the page goes whose next access is farthest away. Nothing hits more often. */
double ref_trace_opt(const struct ref_trace *t);

#endif
