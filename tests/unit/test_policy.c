/*
 * test_policy.c - what the policies reach on made-up traces, measured against Belady's OPT.
 *
 * The policies are the pool's own, run without pages. Traces and policies know no chance, so the
 * ratios are the same each time; thresholds leave room for the last digits of pow() alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "pool/rivals.h"
#include "ref_trace.h"

static double of_opt(const char *trace, const struct ps_evict_ops *policy)
{
    struct ref_trace t;
    double ratio;

    ref_trace_make_named(trace, &t);
    ratio = ref_trace_hit_ratio(&t, policy) / ref_trace_opt(&t);
    ref_trace_free(&t);
    printf("%s on %s: %.4f of OPT\n", policy->name, trace, ratio);
    return ratio;
}

static void s3fifo_reaches_92_percent_of_opt_on_zipf(void **state)
{
    (void)state;
    assert_true(of_opt("zipf-10", &ps_evict_s3fifo) >= 0.92);
}

static void s3fifo_reaches_90_percent_of_opt_with_scans_mixed_in(void **state)
{
    (void)state;
    assert_true(of_opt("scan-10", &ps_evict_s3fifo) >= 0.90);
}

static void adaptive_reaches_93_percent_of_opt_on_zipf(void **state)
{
    (void)state;
    assert_true(of_opt("zipf-10", &ps_evict_adaptive) >= 0.93);
}

static void adaptive_reaches_91_percent_of_opt_with_scans_mixed_in(void **state)
{
    (void)state;
    assert_true(of_opt("scan-10", &ps_evict_adaptive) >= 0.91);
}

static double best_fixed(const struct ref_trace *t)
{
    double best = 0;

    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        double ratio;

        if (ps_evict_nth(i) == &ps_evict_adaptive)
            continue;
        ratio = ref_trace_hit_ratio(t, ps_evict_nth(i));
        best = ratio > best ? ratio : best;
    }
    return best;
}

/* By how much adaptive hits more often than the best of the others; in hit ratio. */
static double lead(const char *trace)
{
    struct ref_trace t;
    double lead;

    ref_trace_make_named(trace, &t);
    lead = ref_trace_hit_ratio(&t, &ps_evict_adaptive) - best_fixed(&t);
    ref_trace_free(&t);
    printf("adaptive on %s: %+.4f\n", trace, lead);
    return lead;
}

static void adaptive_is_ahead_where_the_workload_changes(void **state)
{
    (void)state;
    assert_true(lead("phases") > 0.01);
}

static void adaptive_is_within_a_percent_of_the_best_fixed_policy(void **state)
{
    static const char *const traces[] = {"loop", "uniform", "shift", "recency", "drift"};

    (void)state;
    for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++)
        assert_true(lead(traces[i]) > -0.01);
}

/* --- the rivals ----------------------------------------------------------------------------- */

static uint64_t accesses_so_far(void *ctx)
{
    return *(const uint64_t *)ctx;
}

/* Each policy's ratio as estimated from a sample, beside that of all accesses. */
static void compare_rivals(const char *trace, double off_max)
{
    struct ps_rival rivals[PS_EVICT_POLICIES];
    struct ref_trace t;
    struct ps_rivals r;
    uint64_t accesses = 0;

    ref_trace_make_named(trace, &t);
    assert_int_equal(ps_rivals_init(&r, t.frames, accesses_so_far, &accesses), PS_OK);
    assert_true(r.rate >= 16);
    while (accesses < t.count) {
        const uint64_t page = t.pages[accesses++];

        if (ps_rivals_sampled(ps_page_id_hash(page), r.rate))
            ps_rivals_note(&r, 0, page);
    }
    ps_rivals_report(&r, rivals);
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        const double truth = ref_trace_hit_ratio(&t, ps_evict_nth(i));

        printf("%s: %.4f, is %.4f\n", rivals[i].policy, rivals[i].hit_ratio, truth);
        assert_true(rivals[i].hit_ratio > truth - off_max && rivals[i].hit_ratio < truth + off_max);
        assert_int_equal(rivals[i].accesses, t.count);
    }
    ps_rivals_deinit(&r);
    ref_trace_free(&t);
}

static void rivals_tell_hit_ratios_within_two_percent(void **state)
{
    (void)state;
    compare_rivals("zipf-10", 0.02);
}

static void rivals_of_a_small_pool_tell_hit_ratios_within_four_percent(void **state)
{
    (void)state;
    compare_rivals("zipf-1", 0.04);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s3fifo_reaches_92_percent_of_opt_on_zipf),
        cmocka_unit_test(s3fifo_reaches_90_percent_of_opt_with_scans_mixed_in),
        cmocka_unit_test(adaptive_reaches_93_percent_of_opt_on_zipf),
        cmocka_unit_test(adaptive_reaches_91_percent_of_opt_with_scans_mixed_in),
        cmocka_unit_test(adaptive_is_ahead_where_the_workload_changes),
        cmocka_unit_test(adaptive_is_within_a_percent_of_the_best_fixed_policy),
        cmocka_unit_test(rivals_tell_hit_ratios_within_two_percent),
        cmocka_unit_test(rivals_of_a_small_pool_tell_hit_ratios_within_four_percent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
