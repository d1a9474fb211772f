/*
 * pool_heat.c - which pages are accessed, for people to see.
 *
 * A hit counts in the frame's state word, which it changes anyway; when the few bits there are
 * full, they move on to the frame's heat: the number of a period above a count. A period that ends
 * takes what still stands in the state words.
 */
#include "pool/pool_internal.h"

#define COUNT_BITS 20
#define PERIODS 4096u

static_assert(PS_HEAT_MAX == (1u << COUNT_BITS) - 1, "the count fills its bits");

static inline uint32_t heat_word(uint32_t period, uint64_t count)
{
    return period << COUNT_BITS | (uint32_t)(count < PS_HEAT_MAX ? count : PS_HEAT_MAX);
}

uint64_t ps_heat_cooled(uint64_t count, uint32_t from, uint32_t to)
{
    uint32_t halvings = (to - from) % PERIODS;

    return halvings < 64 ? count >> halvings : 0;
}

static uint64_t cooled(const struct ps_frame *f, uint32_t period)
{
    uint32_t word = atomic_load_explicit(&f->heat, memory_order_relaxed);

    return ps_heat_cooled(word & PS_HEAT_MAX, word >> COUNT_BITS, period);
}

uint32_t ps_frame_heat(const struct ps_frame *f, uint64_t state, uint32_t period)
{
    const uint64_t count = cooled(f, period) + ps_st_heat(state);

    return (uint32_t)(count < PS_HEAT_MAX ? count : PS_HEAT_MAX);
}

void ps_frame_heat_start(struct ps_pool *pool, struct ps_frame *f)
{
    atomic_store_explicit(&f->heat, heat_word(ps_pool_heat_period_seen(pool), 1),
                          memory_order_relaxed);
}

void ps_frame_heat_add(struct ps_pool *pool, struct ps_frame *f, uint32_t count)
{
    const uint32_t period = ps_pool_heat_period_seen(pool);

    atomic_store_explicit(&f->heat, heat_word(period, cooled(f, period) + count),
                          memory_order_relaxed);
}

/* --- periods -------------------------------------------------------------------------------- */

uint32_t ps_pool_heat_period_seen(const struct ps_pool *pool)
{
    return atomic_load_explicit(&pool->heat_period, memory_order_relaxed);
}

/* Moves what the frame's state word has counted to its heat, while the period is still the old. */
static void settle(struct ps_pool *pool, struct ps_frame *f)
{
    uint64_t state = ps_frame_state(f);

    while (ps_st_heat(state) > 0) {
        if (!atomic_compare_exchange_weak(f->state, &state, state & ~PS_ST_HEAT))
            continue;
        ps_frame_heat_add(pool, f, ps_st_heat(state));
        break;
    }
}

uint32_t ps_pool_heat_period(struct ps_pool *pool)
{
    uint32_t now = (uint32_t)(ps_io_now_us(pool->io) / PS_HEAT_HALF_LIFE_US % PERIODS);

    if (now == ps_pool_heat_period_seen(pool))
        return now;
    for (uint32_t i = 0; i < pool->frame_count; i++)
        settle(pool, &pool->frames[i]);
    atomic_store_explicit(&pool->heat_period, now, memory_order_relaxed);
    return now;
}
