/*
 * seed.h - the seeds of random tests. PS_SEED of the environment repeats a run: a number below
 * 2^63, decimal or with 0x in front. Anything else in it fails the test that asks.
 */
#ifndef TEST_SEED_H
#define TEST_SEED_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

/* PS_SEED, or the time. Prints it. */
uint64_t test_seed(void);

/* Those that a test goes through, first to last. */
struct test_seeds {
    uint64_t first, last;
    bool one; /* the one that was asked for */
};

/* PS_SEED alone, or 1 to n. Prints them. */
struct test_seeds test_seeds(uint64_t n);

/* False: text is no seed, and *ret is untouched. */
bool test_seed_parse(const char *text, uint64_t *ret);

#endif
