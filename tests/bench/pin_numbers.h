/*
 * pin_numbers.h - random page numbers, made beforehand, so that making them is not measured. Every
 * program that pins gets the same ones.
 */
#ifndef BENCH_PIN_NUMBERS_H
#define BENCH_PIN_NUMBERS_H

#include <stdint.h>
#include <stdlib.h>

#include "worker.h"

#define PINS_A_STEP 100000u
#define PIN_STEPS 16u /* then they repeat */

struct pin_numbers {
    uint32_t *numbers;
    uint32_t step;
};

static inline void pin_numbers_init(struct pin_numbers *n, uint32_t pages, uint64_t seed)
{
    uint32_t i;

    n->step = 0;
    n->numbers = malloc((size_t)PINS_A_STEP * PIN_STEPS * sizeof(*n->numbers));
    if (!n->numbers)
        worker_die("no memory for page numbers", NULL);
    for (i = 0; i < PINS_A_STEP * PIN_STEPS; i++)
        n->numbers[i] = (uint32_t)(worker_random(&seed) % pages);
}

static inline const uint32_t *pin_numbers_next(struct pin_numbers *n)
{
    return n->numbers + (size_t)(n->step++ % PIN_STEPS) * PINS_A_STEP;
}

static inline void pin_numbers_deinit(struct pin_numbers *n)
{
    free(n->numbers);
}

#endif
