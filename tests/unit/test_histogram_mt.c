/*
 * test_histogram_mt.c - durations are counted where they belong, by many threads, and percentiles
 * are as near as they promise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "seed.h"

#define THREADS 4
#define ADDS 20000u
#define VALUES 5000u

static struct ps_histogram histogram;
static struct ps_histogram_snapshot snapshot;

static int empty(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    return 0;
}

static void an_empty_histogram_has_percentiles_of_zero(void **state)
{
    (void)state;
    ps_histogram_get(&histogram, &snapshot);
    assert_int_equal(snapshot.count, 0);
    assert_int_equal(ps_histogram_percentile(&snapshot, 500), 0);
    assert_int_equal(ps_histogram_percentile(&snapshot, 1000), 0);
    assert_int_equal(ps_histogram_below(&snapshot, PS_HISTOGRAM_OCTAVES - 1), 0);
}

static void one_duration_is_every_percentile(void **state)
{
    static const uint64_t durations[] = {0, 1, 3, 4, 5, 7, 8, 1000, 123456789, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        empty(NULL);
        ps_histogram_add(&histogram, durations[i]);
        ps_histogram_get(&histogram, &snapshot);
        assert_int_equal(snapshot.count, 1);
        assert_int_equal(snapshot.sum_us, durations[i]);
        assert_int_equal(snapshot.max_us, durations[i]);
        assert_int_equal(ps_histogram_percentile(&snapshot, 1), durations[i]);
        assert_int_equal(ps_histogram_percentile(&snapshot, 999), durations[i]);
    }
}

static void what_is_longer_than_the_last_range_counts_as_its_end(void **state)
{
    (void)state;
    ps_histogram_add(&histogram, UINT64_MAX);
    ps_histogram_get(&histogram, &snapshot);
    assert_int_equal(snapshot.max_us, UINT32_MAX);
    assert_int_equal(ps_histogram_percentile(&snapshot, 500), UINT32_MAX);
}

static void below_counts_what_is_shorter_than_a_power_of_two(void **state)
{
    (void)state;
    for (unsigned octave = 0; octave < PS_HISTOGRAM_OCTAVES; octave++) {
        empty(NULL);
        ps_histogram_add(&histogram, (1ull << octave) - 1);
        ps_histogram_add(&histogram, 1ull << octave);
        ps_histogram_get(&histogram, &snapshot);
        assert_int_equal(ps_histogram_below(&snapshot, octave),
                         octave == PS_HISTOGRAM_OCTAVES - 1 ? 2 : 1);
    }
}

static int cmp(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void percentiles_are_at_most_a_quarter_too_high(void **state)
{
    static const unsigned permilles[] = {1, 100, 500, 900, 990, 999, 1000};
    static uint64_t durations[VALUES];

    (void)state;
    srand((unsigned)test_seed());
    for (size_t i = 0; i < VALUES; i++) {
        durations[i] = (uint64_t)rand() >> (rand() % 31);
        ps_histogram_add(&histogram, durations[i]);
    }
    qsort(durations, VALUES, sizeof(durations[0]), cmp);
    ps_histogram_get(&histogram, &snapshot);
    for (size_t i = 0; i < sizeof(permilles) / sizeof(permilles[0]); i++) {
        uint64_t exact = durations[(VALUES * permilles[i] + 999) / 1000 - 1];
        uint64_t told = ps_histogram_percentile(&snapshot, permilles[i]);

        assert_true(told >= exact);
        assert_true(told <= exact + exact / 4);
    }
}

static void *add_many(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < ADDS; i++)
        ps_histogram_add(&histogram, i);
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    ps_histogram_get(&histogram, &snapshot);
    assert_int_equal(snapshot.count, THREADS * ADDS);
    assert_int_equal(snapshot.sum_us, THREADS * ((uint64_t)ADDS * (ADDS - 1) / 2));
    assert_int_equal(snapshot.max_us, ADDS - 1);
    assert_int_equal(ps_histogram_below(&snapshot, 10), THREADS * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_histogram_has_percentiles_of_zero, empty),
        cmocka_unit_test_setup(one_duration_is_every_percentile, empty),
        cmocka_unit_test_setup(what_is_longer_than_the_last_range_counts_as_its_end, empty),
        cmocka_unit_test_setup(below_counts_what_is_shorter_than_a_power_of_two, empty),
        cmocka_unit_test_setup(percentiles_are_at_most_a_quarter_too_high, empty),
        cmocka_unit_test_setup(threads_lose_no_count, empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
