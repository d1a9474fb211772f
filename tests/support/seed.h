/*
 * seed.h - the seed of a random test: PS_SEED of the environment, which repeats a run, or the time.
 */
#ifndef TEST_SEED_H
#define TEST_SEED_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Prints it. */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("PS_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    printf("PS_SEED=%" PRIu64 "\n", seed);
    return seed;
}

#endif
