/*
 * pool_map.c - from a page's name to its frame.
 *
 * Chains of frames hang off an array of buckets; a chain's links are the frames' own. Chains
 * change under the mutex of their partition, and are read without it: a reader may be led astray
 * into another chain by a frame that moves, and then misses a page that is there. Only a search
 * under the mutex decides that a page is not there.
 */
#include "pool/pool_internal.h"

#include <string.h>

/* Longer walks than any healthy chain: the reader has been led astray. */
#define WALK_MAX 16u

int ps_tag_cmp(const struct ps_tag *a, const struct ps_tag *b)
{
    const struct ps_pool_key ka = ps_pool_key(a), kb = ps_pool_key(b);

    if (ka.space != kb.space)
        return ka.space < kb.space ? -1 : 1;
    return (ka.page > kb.page) - (ka.page < kb.page);
}

static inline uint64_t hash(const struct ps_pool_key *key)
{
    uint64_t h = key->space * 0x9e3779b97f4a7c15ull + key->page;

    h ^= h >> 32;
    return h * 0xd6e8feb86659fd93ull;
}

static inline uint32_t bucket_of(const struct ps_pool *pool, const struct ps_pool_key *key)
{
    return (uint32_t)(hash(key) >> pool->bucket_shift);
}

static inline bool key_matches(const struct ps_frame *f, const struct ps_pool_key *key)
{
    return atomic_load_explicit(&f->key_page, memory_order_relaxed) == key->page &&
           atomic_load_explicit(&f->key_space, memory_order_relaxed) == key->space;
}

void ps_pool_map_init(struct ps_pool *pool)
{
    size_t count = (size_t)1 << (64 - pool->bucket_shift);
    size_t i;

    for (i = 0; i < count; i++)
        atomic_init(&pool->buckets[i], PS_NO_FRAME);
    for (i = 0; i < PS_POOL_PARTS; i++)
        ps_mutex_init(&pool->parts[i].mtx, PS_RANK_POOL_MAP, "pool.part.mtx");
}

void ps_pool_map_deinit(struct ps_pool *pool)
{
    for (size_t i = 0; i < PS_POOL_PARTS; i++)
        ps_mutex_deinit(&pool->parts[i].mtx);
}

/* One more pin, and a little more usage, on a state that the caller has looked at. */
static inline uint64_t state_hit(uint64_t state)
{
    assert(ps_st_pins(state) < PS_ST_PINS);
    if (ps_st_usage(state) < PS_USAGE_MAX)
        state += PS_ST_USAGE_ONE;
    return state + PS_ST_PIN;
}

/* The version makes this safe: had the frame taken another page after its tag was read, its state
 * would differ from the one that the exchange expects. */
static inline bool pin_if_match(struct ps_frame *f, const struct ps_pool_key *key)
{
    uint64_t state = atomic_load_explicit(&f->state, memory_order_acquire);

    while ((state & PS_ST_VALID) && key_matches(f, key)) {
        if (atomic_compare_exchange_weak(&f->state, &state, state_hit(state)))
            return true;
    }
    return false;
}

struct ps_frame *ps_pool_map_pin_fast(struct ps_pool *pool, const struct ps_pool_key *key)
{
    _Atomic uint32_t *link = &pool->buckets[bucket_of(pool, key)];
    uint32_t no = atomic_load_explicit(link, memory_order_acquire);

    for (unsigned step = 0; no != PS_NO_FRAME && step < WALK_MAX; step++) {
        struct ps_frame *f = &pool->frames[no];

        if (pin_if_match(f, key))
            return f;
        no = atomic_load_explicit(&f->next, memory_order_acquire);
    }
    return NULL;
}

bool ps_frame_pin_version(struct ps_frame *f, uint32_t version)
{
    uint64_t state = ps_frame_state(f);

    while ((state & PS_ST_VALID) && ps_st_version(state) == version) {
        if (atomic_compare_exchange_weak(&f->state, &state, state + PS_ST_PIN))
            return true;
    }
    return false;
}

struct ps_pool_part *ps_pool_map_lock(struct ps_pool *pool, const struct ps_pool_key *key)
{
    struct ps_pool_part *part = &pool->parts[bucket_of(pool, key) % PS_POOL_PARTS];

    ps_mutex_lock(&part->mtx);
    return part;
}

struct ps_frame *ps_pool_map_find(struct ps_pool *pool, const struct ps_pool_key *key)
{
    uint32_t bucket = bucket_of(pool, key);
    uint32_t no = atomic_load_explicit(&pool->buckets[bucket], memory_order_relaxed);

    ps_assert_held(&pool->parts[bucket % PS_POOL_PARTS].mtx);
    while (no != PS_NO_FRAME) {
        struct ps_frame *f = &pool->frames[no];

        if (key_matches(f, key))
            return f;
        no = atomic_load_explicit(&f->next, memory_order_relaxed);
    }
    return NULL;
}

static void link_frame(struct ps_pool *pool, const struct ps_pool_key *key, struct ps_frame *f)
{
    _Atomic uint32_t *head = &pool->buckets[bucket_of(pool, key)];

    assert(key_matches(f, key));
    atomic_store_explicit(&f->next, atomic_load_explicit(head, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(head, ps_frame_no(pool, f), memory_order_release);
}

void ps_pool_map_unlink(struct ps_pool *pool, struct ps_frame *f)
{
    const struct ps_pool_key key = ps_pool_key(&f->page.tag);
    uint32_t bucket = bucket_of(pool, &key);
    _Atomic uint32_t *link = &pool->buckets[bucket];
    uint32_t no = ps_frame_no(pool, f);

    ps_assert_held(&pool->parts[bucket % PS_POOL_PARTS].mtx);
    while (atomic_load_explicit(link, memory_order_relaxed) != no) {
        assert(atomic_load_explicit(link, memory_order_relaxed) != PS_NO_FRAME);
        link = &pool->frames[atomic_load_explicit(link, memory_order_relaxed)].next;
    }
    atomic_store_explicit(link, atomic_load_explicit(&f->next, memory_order_relaxed),
                          memory_order_release);
}

/* Pins a frame that is in the map, so that it cannot stop being VALID or LOADING in the meantime;
 * it may go from LOADING to VALID. */
static enum ps_found pin_found(struct ps_frame *f)
{
    uint64_t state = ps_frame_state(f);
    uint64_t pinned;

    do {
        assert(state & (PS_ST_VALID | PS_ST_LOADING));
        pinned = state & PS_ST_VALID ? state_hit(state) : state + PS_ST_PIN;
    } while (!atomic_compare_exchange_weak(&f->state, &state, pinned));
    return state & PS_ST_VALID ? PS_FOUND_VALID : PS_FOUND_LOADING;
}

enum ps_found ps_pool_map_pin(struct ps_pool *pool, const struct ps_pool_key *key,
                              struct ps_frame *mine, struct ps_frame **ret)
{
    struct ps_pool_part *part = ps_pool_map_lock(pool, key);
    struct ps_frame *f = ps_pool_map_find(pool, key);
    enum ps_found found = PS_FOUND_NONE;

    if (f) {
        found = pin_found(f);
    } else if (mine) {
        f = mine;
        atomic_fetch_or(&f->state, PS_ST_LOADING);
        link_frame(pool, key, f);
        found = PS_FOUND_INSERTED;
    }
    ps_mutex_unlock(&part->mtx);
    *ret = f;
    return found;
}
