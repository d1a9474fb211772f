/*
 * bench_histogram.c - what it costs to note a duration, and to look at the clock for it.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/histogram.h"

#define ROUNDS 20000000u

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(void)
{
    static struct ps_histogram h;
    uint64_t from_ns, add_ns, clock_ns, last = 0;

    from_ns = now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++)
        ps_histogram_add(&h, i & 0xfff);
    add_ns = now_ns() - from_ns;
    from_ns = now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++)
        last |= now_ns();
    clock_ns = now_ns() - from_ns;
    printf("add %.1f ns, clock %.1f ns%s\n", (double)add_ns / ROUNDS, (double)clock_ns / ROUNDS,
           last ? "" : " (stands still)");
    return 0;
}
