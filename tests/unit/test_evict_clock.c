/*
 * test_evict_clock.c - the clock sweep over frames whose state is an array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool/evict.h"

#define FRAMES 4u

struct clock_test {
    unsigned usage[FRAMES];
    bool stuck[FRAMES];
    struct ps_evict_pool calls;
    struct ps_evict *clock;
};

static unsigned usage(void *ctx, uint32_t frame)
{
    return ((const struct clock_test *)ctx)->usage[frame];
}

static unsigned usage_dec(void *ctx, uint32_t frame)
{
    struct clock_test *t = ctx;

    return t->usage[frame] > 0 ? t->usage[frame]-- : 0;
}

static bool evictable(void *ctx, uint32_t frame)
{
    return !((const struct clock_test *)ctx)->stuck[frame];
}

static struct clock_test test;

static int setup(void **state)
{
    test = (struct clock_test){
        .calls = {.ctx = &test, .usage = usage, .usage_dec = usage_dec, .evictable = evictable}};
    *state = &test;
    return ps_evict_clock.create(FRAMES, &test.calls, &test.clock) == PS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct clock_test *t = *state;

    ps_evict_clock.destroy(t->clock);
    return 0;
}

static uint32_t victim(struct clock_test *t)
{
    return ps_evict_clock.victim(t->clock);
}

static void unused_frames_go_in_the_order_of_the_hand(void **state)
{
    for (uint32_t i = 0; i < 2 * FRAMES; i++)
        assert_int_equal(victim(*state), i % FRAMES);
}

static void used_frame_survives_as_many_visits_as_it_has_usage(void **state)
{
    struct clock_test *t = *state;

    t->usage[0] = 2;
    assert_int_equal(victim(t), 1); /* 0 falls to 1 */
    assert_int_equal(victim(t), 2);
    assert_int_equal(victim(t), 3);
    assert_int_equal(t->usage[0], 1);
    assert_int_equal(victim(t), 1); /* 0 falls to 0 */
    assert_int_equal(victim(t), 2);
    assert_int_equal(victim(t), 3);
    assert_int_equal(victim(t), 0);
}

static void least_used_frame_goes_when_all_are_used(void **state)
{
    struct clock_test *t = *state;

    for (uint32_t i = 0; i < FRAMES; i++)
        t->usage[i] = PS_USAGE_MAX;
    t->usage[2] = 1;
    assert_int_equal(victim(t), 2);
    assert_int_equal(t->usage[0], PS_USAGE_MAX - 2);
    assert_int_equal(t->usage[3], PS_USAGE_MAX - 1);
    t->usage[3] = 0;
    assert_int_equal(victim(t), 3); /* the hand went on behind it */
}

static void full_usage_everywhere_is_worn_down_in_one_call(void **state)
{
    struct clock_test *t = *state;

    for (uint32_t i = 0; i < FRAMES; i++)
        t->usage[i] = PS_USAGE_MAX;
    assert_int_equal(victim(t), 0);
}

static void frames_that_cannot_go_keep_their_usage(void **state)
{
    struct clock_test *t = *state;

    t->stuck[0] = t->stuck[1] = true;
    t->usage[0] = 3;
    assert_int_equal(victim(t), 2);
    assert_int_equal(victim(t), 3);
    assert_int_equal(victim(t), 2);
    assert_int_equal(t->usage[0], 3);
}

static void there_is_no_victim_when_nothing_can_go(void **state)
{
    struct clock_test *t = *state;

    for (uint32_t i = 0; i < FRAMES; i++)
        t->stuck[i] = true;
    assert_int_equal(victim(t), PS_NO_FRAME);
    t->stuck[3] = false;
    t->usage[3] = PS_USAGE_MAX;
    assert_int_equal(victim(t), 3);
}

static void upcoming_frames_are_what_victim_comes_to(void **state)
{
    struct clock_test *t = *state;
    uint32_t frames[FRAMES];

    assert_int_equal(victim(t), 0);
    t->usage[2] = 1;
    assert_int_equal(ps_evict_clock.upcoming(t->clock, frames, 3), 2);
    assert_int_equal(frames[0], 1);
    assert_int_equal(frames[1], 3);
    assert_int_equal(ps_evict_clock.upcoming(t->clock, frames, FRAMES), 3);
    assert_int_equal(frames[2], 0);
    assert_int_equal(t->usage[2], 1); /* only looked at */
    assert_int_equal(victim(t), frames[0]);
    assert_int_equal(victim(t), frames[1]);
}

static void policies_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(ps_evict_by_name("clock"), &ps_evict_clock);
    assert_null(ps_evict_by_name("clocks"));
    assert_null(ps_evict_by_name(""));
}

int main(void)
{
#define CLOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLOCK_TEST(unused_frames_go_in_the_order_of_the_hand),
        CLOCK_TEST(used_frame_survives_as_many_visits_as_it_has_usage),
        CLOCK_TEST(least_used_frame_goes_when_all_are_used),
        CLOCK_TEST(full_usage_everywhere_is_worn_down_in_one_call),
        CLOCK_TEST(frames_that_cannot_go_keep_their_usage),
        CLOCK_TEST(there_is_no_victim_when_nothing_can_go),
        CLOCK_TEST(upcoming_frames_are_what_victim_comes_to),
        CLOCK_TEST(policies_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
