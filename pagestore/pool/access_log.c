/*
 * access_log.c - striped buffers of notes.
 */
#include "pool/access_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Thread_local char ps_access_anchor;

static_assert(sizeof(struct ps_access_stripe) % 64 == 0, "stripes share no cache line");

ps_err ps_access_log_init(struct ps_access_log *log)
{
    const size_t len = PS_ACCESS_STRIPES * sizeof(*log->stripes);

    log->stripes = aligned_alloc(_Alignof(struct ps_access_stripe), len);
    if (!log->stripes)
        return ps_fail(PS_ERR_NOMEM, "no memory to note accesses");
    memset(log->stripes, 0, len);
    return PS_OK;
}

void ps_access_log_deinit(struct ps_access_log *log)
{
    free(log->stripes);
    log->stripes = NULL;
}

/* A note whose place is taken but which is not there yet is found by the next drain, or
 * overwritten. */
uint64_t ps_access_log_drain(struct ps_access_log *log, unsigned stripe,
                             void (*each)(void *ctx, uint64_t note), void *ctx)
{
    struct ps_access_stripe *s = &log->stripes[stripe];
    uint64_t count;

    if (atomic_load_explicit(&s->count, memory_order_relaxed) == 0)
        return 0;
    count = atomic_exchange_explicit(&s->count, 0, memory_order_relaxed);
    for (uint64_t i = 0; i < count && i < PS_ACCESS_STRIPE_LEN; i++) {
        const uint64_t note = atomic_load_explicit(&s->notes[i], memory_order_relaxed);

        atomic_store_explicit(&s->notes[i], 0, memory_order_relaxed);
        if (note != 0)
            each(ctx, note);
    }
    return count > PS_ACCESS_STRIPE_LEN ? count - PS_ACCESS_STRIPE_LEN : 0;
}
