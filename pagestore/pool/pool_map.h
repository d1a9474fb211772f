/*
 * pool_map.h - from a page's name to its frame: look-ups without a lock.
 *
 * Pages that lie in a row stand in one run, a cache line with their frames' numbers: a clustered
 * page table (Talluri, Hill and Khalidi, "A New Page Table for 64-bit Address Spaces", SOSP 1995).
 * A run's key and a page's place in it are the page's whole name, so that a look-up needs nothing
 * of the frame but its state word, and what look-ups touch stays in a core's cache when frames do
 * not. Each bucket of a hash table is a run; more hang in a chain off it, and leave it when their
 * last page is gone, to be others.
 *
 * Flow       pool.c -> [pool_map.h] -> the state word; the slower rest is pool_map.c
 * Units      runs and frames count from 0; a run's entry is the number of a frame and 1 more, 0 for
 *            none, so that memory that nobody has used is as it should be.
 * Ownership  a frame found by pin is pinned.
 * Locking    chains and runs change under the mutex of their partition, and are read here without
 *            it: a reader may be led astray into another chain by a run that moves, and then misses
 *            a page that is there. Only a search under the mutex decides that a page is not there.
 * Errors     none: what is not seen is PS_NO_FRAME.
 * Promise    what is found is the page's frame.
 */
#ifndef PS_POOL_POOL_MAP_H
#define PS_POOL_POOL_MAP_H

#include "pool/pool_internal.h"

#define PS_RUN_PAGES 12u

struct ps_pool_run {
    _Atomic uint64_t space;
    _Atomic uint32_t no;   /* of its first page, divided by PS_RUN_PAGES */
    _Atomic uint32_t next; /* of the chain, 0: none; or of those that are in no chain */
    _Atomic uint32_t entries[PS_RUN_PAGES];
};
static_assert(sizeof(struct ps_pool_run) == 64, "a look-up costs one cache line of the map");

/* Longer walks than any healthy chain: the reader has been led astray. */
#define PS_WALK_MAX 16u

static inline uint32_t ps_pool_bucket(const struct ps_pool *pool, const struct ps_pool_key *key)
{
    const struct ps_pool_key run = {.space = key->space, .page = key->page / PS_RUN_PAGES};

    return (uint32_t)(ps_pool_key_hash(&run) >> (64 - pool->bucket_bits));
}

static inline bool ps_run_matches(const struct ps_pool_run *run, const struct ps_pool_key *key)
{
    return atomic_load_explicit(&run->no, memory_order_relaxed) == key->page / PS_RUN_PAGES &&
           atomic_load_explicit(&run->space, memory_order_relaxed) == key->space;
}

static inline _Atomic uint32_t *ps_run_entry(struct ps_pool_run *run, const struct ps_pool_key *key)
{
    return &run->entries[key->page % PS_RUN_PAGES];
}

/* The run in which the page would be; NULL where none is seen. */
static inline struct ps_pool_run *ps_pool_look_run(const struct ps_pool *pool,
                                                   const struct ps_pool_key *key)
{
    struct ps_pool_run *run = &pool->runs[ps_pool_bucket(pool, key)];

    for (unsigned step = 0; step < PS_WALK_MAX; step++) {
        uint32_t next;

        if (__builtin_expect(ps_run_matches(run, key), true))
            return run;
        next = atomic_load_explicit(&run->next, memory_order_acquire);
        if (next == 0)
            break;
        run = &pool->runs[next];
    }
    return NULL;
}

/* Asks for the line to be written to. A load would get it shared with the core that wrote it last,
 * and the compare-and-swap behind that load would have to ask for it once more. */
static inline void ps_prefetch_write(const _Atomic uint64_t *word)
{
#ifdef __x86_64__
    /* A hint that every such processor takes or ignores; compilers make a plain prefetch of theirs.
     */
    __asm__ volatile("prefetchw %0" : : "m"(*word));
#else
    __builtin_prefetch((const void *)word, 1);
#endif
}

/* The page's frame, if that is VALID, and its state as it was then: with that the caller can tell
 * later whether the frame is still the page's. to_pin: the caller will change that state at once.
 *
 * Between entry and state the page's frame may have become another page's, whose state that is. But
 * a VALID frame's version changes before the frame leaves its run, and a run is empty before its
 * key changes. So where entry and, behind it, key are as they were, after the state was read, that
 * state is the page's; or, where the run's key changed just then, it is of a version that is gone,
 * as whoever pins the frame or validates what was read finds out. */
static inline __attribute__((always_inline)) uint32_t
ps_pool_map_look(const struct ps_pool *pool, const struct ps_pool_key *key, bool to_pin,
                 uint64_t *ret_state)
{
    struct ps_pool_run *run = ps_pool_look_run(pool, key);
    const _Atomic uint32_t *entry;
    uint32_t no;

    if (!run)
        return PS_NO_FRAME;
    entry = ps_run_entry(run, key);
    no = atomic_load_explicit(entry, memory_order_acquire);
    if (no == 0)
        return PS_NO_FRAME;
    if (to_pin)
        ps_prefetch_write(&pool->states[no - 1]);
    *ret_state = atomic_load_explicit(&pool->states[no - 1], memory_order_acquire);
    if (!(*ret_state & PS_ST_VALID) || atomic_load_explicit(entry, memory_order_acquire) != no ||
        !ps_run_matches(run, key))
        return PS_NO_FRAME;
    return no - 1;
}

/* The state word has no room for another hit. */
static inline bool ps_st_heat_full(uint64_t state)
{
    return __builtin_expect((state & PS_ST_HEAT) == PS_ST_HEAT, false);
}

/* One more pin, a little more usage, one more hit counted. */
static inline uint64_t ps_st_hit(uint64_t state)
{
    const uint64_t heat = ps_st_heat_full(state) ? 0 - PS_ST_HEAT : PS_ST_HEAT_ONE;
    const uint64_t usage = ps_st_usage(state) < PS_USAGE_MAX ? PS_ST_USAGE_ONE : 0;

    assert(ps_st_pins(state) < PS_ST_PINS);
    return state + PS_ST_PIN + usage + heat;
}

/* Pins a VALID frame if its state still is *state; if not, *state is what it is now. Where its heat
 * was full, it is for the caller to move it on. */
static inline bool ps_frame_try_hit(struct ps_pool *pool, uint32_t no, uint64_t *state)
{
    return atomic_compare_exchange_weak(&pool->states[no], state, ps_st_hit(*state));
}

/* The same, and moves the heat on where it was full. */
static inline bool ps_frame_pin_hit(struct ps_pool *pool, uint32_t no, uint64_t *state)
{
    if (!ps_frame_try_hit(pool, no, state))
        return false;
    if (ps_st_heat_full(*state))
        ps_frame_heat_add(pool, &pool->frames[no], ps_st_heat(*state) + 1);
    return true;
}

/* The page's frame, pinned; NULL where the page is not seen to be there, VALID. */
static inline struct ps_frame *ps_pool_map_pin_fast(struct ps_pool *pool,
                                                    const struct ps_pool_key *key)
{
    uint64_t state;
    uint32_t no;

    do {
        no = ps_pool_map_look(pool, key, true, &state);
        if (no == PS_NO_FRAME)
            return NULL;
    } while (!ps_frame_pin_hit(pool, no, &state));
    return &pool->frames[no];
}

#endif
