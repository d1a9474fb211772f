/*
 * test_policy_mt.c - policies that take over from each other while threads use the pool.
 */
#include "pool_fixture.h"

#define FRAMES 64u
#define PINS 20000u
#define SWITCHES 300u
#define THREADS 4u

/* value: the seed. */
static void *use_pages(void *arg)
{
    struct fx_actor *a = arg;

    for (uint32_t i = 0; i < PINS; i++) {
        const uint64_t n = fx_random(&a->value) % FX_PAGES * (fx_random(&a->value) % 100) / 100;
        const struct ps_tag tag = fx_tag(1, (uint32_t)n);
        uint64_t value = 0;

        MUST(fx_read(a->fx, &tag, &value) == PS_OK);
        MUST(value == fx_first_value(&tag));
    }
    return NULL;
}

static void policies_change_under_load(void **state)
{
    struct fx *fx = fx_create(FRAMES);
    struct ps_rival rivals[PS_EVICT_POLICIES];
    struct fx_actor users[THREADS];

    (void)state;
    for (uint32_t i = 0; i < THREADS; i++) {
        users[i] = (struct fx_actor){.value = 88172645463325252ull + i};
        fx_start(&users[i], fx, use_pages);
    }
    for (uint32_t i = 0; i < SWITCHES; i++) {
        const struct ps_evict_ops *policy = ps_evict_nth(i % PS_EVICT_POLICIES);

        assert_int_equal(ps_pool_set_policy(fx->pool, policy), PS_OK);
        assert_string_equal(ps_pool_policy(fx->pool), policy->name);
        ps_pool_rivals(fx->pool, rivals);
        (void)ps_pool_clean_step(fx->pool, 8);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        fx_join(&users[i]);
    assert_int_equal(fx_stats(fx).hits + fx_stats(fx).misses, THREADS * PINS);
    fx_destroy(fx);
}

static void change_of_policy_keeps_all_frames(void **state)
{
    struct fx *fx = fx_create(FRAMES);

    (void)state;
    for (uint32_t n = 0; n < FRAMES; n++)
        fx_touch(fx, 0, n);
    for (uint32_t i = 0; i < 2 * PS_EVICT_POLICIES; i++) {
        const uint64_t misses = fx_stats(fx).misses;

        assert_int_equal(
            ps_pool_set_policy(fx->pool, ps_evict_nth((i * 5 + 1) % PS_EVICT_POLICIES)), PS_OK);
        for (uint32_t n = 0; n < FRAMES; n++)
            fx_touch(fx, 0, n);
        assert_int_equal(fx_stats(fx).misses, misses);
        ps_pool_check(fx->pool);
    }
    fx_destroy(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_change_under_load),
        cmocka_unit_test(change_of_policy_keeps_all_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
