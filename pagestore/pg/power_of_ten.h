/*
 * power_of_ten.h - powers of ten with 126 bits, for the shortest digits of floats.
 *
 * Units      entry i is the power PS_PG_POWER_MIN + i.
 * Locking    constants.
 * Source     R. Giulietti, "The Schubfach way to render doubles".
 */
#ifndef PS_PG_POWER_OF_TEN_H
#define PS_PG_POWER_OF_TEN_H

#include <stdint.h>

#define PS_PG_POWER_MIN (-324)
#define PS_PG_POWER_MAX 292

struct ps_pg_power {
    uint64_t hi, lo; /* 63 bits each */
};

extern const struct ps_pg_power ps_pg_powers[PS_PG_POWER_MAX - PS_PG_POWER_MIN + 1];

#endif
