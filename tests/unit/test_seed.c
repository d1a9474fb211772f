/* The seeds of random tests: what PS_SEED may be, and what is said of anything else. */
#include "seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void numbers_below_two_to_the_63_are_seeds_and_nothing_else_is(void **state)
{
    static const struct {
        const char *text;
        uint64_t seed;
    } good[] = {
        {"0", 0}, {"17", 17}, {"010", 10}, {"0x1F", 31}, {"9223372036854775807", INT64_MAX}};
    static const char *const bad[] = {"",
                                      " 1",
                                      "-1",
                                      "+1",
                                      "1 ",
                                      "1e3",
                                      "0x",
                                      "0xg",
                                      "abc",
                                      "0x0x1",
                                      "9223372036854775808",
                                      "99999999999999999999999"};
    uint64_t seed = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(test_seed_parse(bad[i], &seed));
    assert_int_equal(seed, 5);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(test_seed_parse(good[i].text, &seed));
        assert_int_equal(seed, good[i].seed);
    }
}

static void seed_that_is_asked_for_is_the_only_one(void **state)
{
    struct test_seeds seeds;

    (void)state;
    assert_int_equal(setenv("PS_SEED", "0x30", 1), 0);
    assert_int_equal(test_seed(), 48);
    seeds = test_seeds(3);
    assert_int_equal(seeds.first, 48);
    assert_int_equal(seeds.last, 48);
    assert_true(seeds.one);
    assert_int_equal(unsetenv("PS_SEED"), 0);
    seeds = test_seeds(3);
    assert_int_equal(seeds.first, 1);
    assert_int_equal(seeds.last, 3);
    assert_false(seeds.one);
}

static void asks_for_a_seed(void **state)
{
    (void)state;
    (void)test_seed();
}

/* What a program prints on stderr that asks for a seed; it has to fail. */
static void seed_program_says(char *ret, size_t size)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(asks_for_a_seed)};
    size_t len = 0;
    ssize_t n;
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        _exit(cmocka_run_group_tests(tests, NULL, NULL));
    }
    (void)close(ends[1]);
    while ((n = read(ends[0], ret + len, size - 1 - len)) > 0)
        len += (size_t)n;
    ret[len] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void test_fails_whose_seed_is_none_and_says_why(void **state)
{
    char said[2048];

    (void)state;
    assert_int_equal(setenv("PS_SEED", "12monkeys", 1), 0);
    seed_program_says(said, sizeof(said));
    assert_int_equal(unsetenv("PS_SEED"), 0);
    assert_non_null(strstr(said, "PS_SEED=12monkeys: is no number below 2^63"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_below_two_to_the_63_are_seeds_and_nothing_else_is),
        cmocka_unit_test(seed_that_is_asked_for_is_the_only_one),
        cmocka_unit_test(test_fails_whose_seed_is_none_and_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
