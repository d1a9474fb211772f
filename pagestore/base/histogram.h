/*
 * histogram.h - how long things took: a count for each range of durations.
 *
 * Ranges grow with what they hold: four to each power of two, so that a percentile is at most a
 * quarter too high, from one microsecond to more than an hour. Counts are kept in stripes, one for
 * each processor (two share one beyond PS_HISTOGRAM_STRIPES): adding takes no lock and no cache
 * line that another one writes, and costs 20 ns beside the 25 ns of each look at the clock
 * (tests/bench/bench_histogram.c).
 *
 * Flow       io, recovery, store -> [histogram] -> stats, metrics
 * Units      durations are whole microseconds, the rest of one cut off: 0 is less than one.
 * Ownership  a zeroed struct is an empty histogram; it has no memory of its own.
 * Locking    thread safe, without locks. A snapshot beside those who add is of about now.
 * Errors     none; a duration beyond the last range counts as the longest it can hold.
 * Promise    each duration is counted once, whatever threads add at the same time.
 */
#ifndef PS_BASE_HISTOGRAM_H
#define PS_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define PS_HISTOGRAM_STRIPES 16u
#define PS_HISTOGRAM_OCTAVES 33u /* [0,1), [1,2), [2,4), ... [2^31, 2^32) */
#define PS_HISTOGRAM_BUCKETS (4u * (PS_HISTOGRAM_OCTAVES - 2))

struct ps_histogram_stripe {
    _Atomic uint64_t buckets[PS_HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_us;
    _Atomic uint64_t max_us;
} __attribute__((aligned(64)));

struct ps_histogram {
    struct ps_histogram_stripe stripes[PS_HISTOGRAM_STRIPES];
};

struct ps_histogram_snapshot {
    uint64_t buckets[PS_HISTOGRAM_BUCKETS];
    uint64_t count, sum_us, max_us;
};

void ps_histogram_add(struct ps_histogram *h, uint64_t us);
void ps_histogram_get(const struct ps_histogram *h, struct ps_histogram_snapshot *ret);

/* What `permille` in a thousand of the durations did not exceed: the end of their range, or the
 * longest one seen if that is less. 0 if there are none. */
uint64_t ps_histogram_percentile(const struct ps_histogram_snapshot *s, unsigned permille);

/* Durations of less than 2^octave microseconds. */
uint64_t ps_histogram_below(const struct ps_histogram_snapshot *s, unsigned octave);

#endif
