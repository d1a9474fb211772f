/*
 * demo_hist.c - histograms of latencies, in nanoseconds: a hit takes less than one of the
 * microseconds that base/histogram.h counts.
 *
 * Values below 32 have a class each; above, each power of two is cut into 32 classes.
 */
#include "demo.h"

#define SUB_COUNT (1u << DEMO_HIST_SUB_BITS)

static uint32_t class_of(uint64_t value)
{
    uint32_t shift;

    if (value < SUB_COUNT)
        return (uint32_t)value;
    shift = 63u - (uint32_t)__builtin_clzll(value) - DEMO_HIST_SUB_BITS;
    return ((shift + 1) << DEMO_HIST_SUB_BITS) + (uint32_t)((value >> shift) - SUB_COUNT);
}

/* The largest value of a class. */
static uint64_t class_end(uint32_t class)
{
    uint32_t shift = class >> DEMO_HIST_SUB_BITS;
    uint64_t sub = class & (SUB_COUNT - 1);

    if (shift == 0)
        return sub;
    return ((SUB_COUNT + sub) << (shift - 1)) + ((1ull << (shift - 1)) - 1);
}

void demo_hist_add(struct demo_hist *h, uint64_t value)
{
    h->classes[class_of(value)]++;
    h->count++;
    if (h->max < value)
        h->max = value;
}

void demo_hist_merge(struct demo_hist *to, const struct demo_hist *from)
{
    for (uint32_t i = 0; i < DEMO_HIST_CLASSES; i++)
        to->classes[i] += from->classes[i];
    to->count += from->count;
    if (to->max < from->max)
        to->max = from->max;
}

uint64_t demo_hist_at(const struct demo_hist *h, double share)
{
    const double wanted = share * (double)h->count;
    uint64_t seen = 0;

    for (uint32_t i = 0; i < DEMO_HIST_CLASSES; i++) {
        seen += h->classes[i];
        if (seen > 0 && (double)seen >= wanted)
            return class_end(i) < h->max ? class_end(i) : h->max;
    }
    return h->max;
}
