#include "base/histogram.h"

#include <assert.h>
#include <sched.h>

#define LAST_US UINT32_MAX

/* 0 to 3 have a range each; from 4 on there are four ranges to each power of two. */
static unsigned bucket_of(uint64_t us)
{
    unsigned top;

    if (us < 4)
        return (unsigned)us;
    top = 63u - (unsigned)__builtin_clzll(us); /* us lies in [2^top, 2^(top + 1)) */
    return 4 * (top - 1) + (unsigned)(us >> (top - 2) & 3);
}

/* The last microsecond of a range. */
static uint64_t bucket_end(unsigned bucket)
{
    unsigned top = bucket / 4 + 1;

    if (bucket < 4)
        return bucket;
    return ((uint64_t)(4 + bucket % 4 + 1) << (top - 2)) - 1;
}

static struct ps_histogram_stripe *own_stripe(struct ps_histogram *h)
{
    int cpu = sched_getcpu(); /* a load from memory of the thread's own, where rseq(2) is there */

    return &h->stripes[cpu < 0 ? 0 : (unsigned)cpu % PS_HISTOGRAM_STRIPES];
}

static void raise_max(struct ps_histogram_stripe *stripe, uint64_t us)
{
    uint64_t max = atomic_load_explicit(&stripe->max_us, memory_order_relaxed);

    while (us > max && !atomic_compare_exchange_weak_explicit(
                           &stripe->max_us, &max, us, memory_order_relaxed, memory_order_relaxed))
        continue;
}

void ps_histogram_add(struct ps_histogram *h, uint64_t us)
{
    struct ps_histogram_stripe *stripe = own_stripe(h);

    if (us > LAST_US)
        us = LAST_US;
    atomic_fetch_add_explicit(&stripe->buckets[bucket_of(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stripe->sum_us, us, memory_order_relaxed);
    raise_max(stripe, us);
}

void ps_histogram_get(const struct ps_histogram *h, struct ps_histogram_snapshot *ret)
{
    *ret = (struct ps_histogram_snapshot){0};
    for (unsigned i = 0; i < PS_HISTOGRAM_STRIPES; i++) {
        const struct ps_histogram_stripe *stripe = &h->stripes[i];
        uint64_t max = atomic_load_explicit(&stripe->max_us, memory_order_relaxed);

        for (unsigned b = 0; b < PS_HISTOGRAM_BUCKETS; b++) {
            uint64_t n = atomic_load_explicit(&stripe->buckets[b], memory_order_relaxed);

            ret->buckets[b] += n;
            ret->count += n;
        }
        ret->sum_us += atomic_load_explicit(&stripe->sum_us, memory_order_relaxed);
        if (max > ret->max_us)
            ret->max_us = max;
    }
}

uint64_t ps_histogram_percentile(const struct ps_histogram_snapshot *s, unsigned permille)
{
    /* The rank of the last one that still belongs to these, counted from 1; without overflow. */
    uint64_t rank = s->count / 1000 * permille + (s->count % 1000 * permille + 999) / 1000;
    uint64_t seen = 0;

    assert(permille <= 1000);
    for (unsigned b = 0; b < PS_HISTOGRAM_BUCKETS; b++) {
        seen += s->buckets[b];
        if (seen > 0 && seen >= rank)
            return bucket_end(b) < s->max_us ? bucket_end(b) : s->max_us;
    }
    return s->max_us;
}

uint64_t ps_histogram_below(const struct ps_histogram_snapshot *s, unsigned octave)
{
    uint64_t n = 0;

    assert(octave < PS_HISTOGRAM_OCTAVES);
    for (unsigned b = 0; b < PS_HISTOGRAM_BUCKETS && bucket_end(b) < 1ull << octave; b++)
        n += s->buckets[b];
    return n;
}
