/*
 * pool_map.c - from a page's name to its frame.
 *
 * Chains of frames hang off an array of buckets. A link names a frame and, in the bits above, a
 * piece of the hash of the page in it: a look-up that passes other pages sees from the links alone
 * that they are others, and touches one frame only, the right one. Buckets and links are small
 * enough to stay in a core's cache when the frames are not.
 *
 * Chains change under the mutex of their partition, and are read without it: a reader may be led
 * astray into another chain by a frame that moves, and then misses a page that is there. Only a
 * search under the mutex decides that a page is not there.
 */
#include "pool/pool_internal.h"

/* Longer walks than any healthy chain: the reader has been led astray. */
#define WALK_MAX 16u

int ps_tag_cmp(const struct ps_tag *a, const struct ps_tag *b)
{
    const struct ps_pool_key ka = ps_pool_key(a), kb = ps_pool_key(b);

    if (ka.space != kb.space)
        return ka.space < kb.space ? -1 : 1;
    return (ka.page > kb.page) - (ka.page < kb.page);
}

static inline uint32_t bucket_of(const struct ps_pool *pool, uint64_t h)
{
    return (uint32_t)(h >> pool->bucket_shift);
}

/* --- links ---------------------------------------------------------------------------------- */

static inline uint32_t link_frame_no(const struct ps_pool *pool, uint32_t link)
{
    return link & ((1u << pool->index_bits) - 1);
}

/* A number of all ones names no frame. */
static inline bool link_ends(const struct ps_pool *pool, uint32_t link)
{
    return link_frame_no(pool, link) == (1u << pool->index_bits) - 1;
}

/* The piece of a hash that a link holds, in its place. */
static inline uint32_t link_mark(const struct ps_pool *pool, uint64_t h)
{
    return (uint32_t)h << pool->index_bits;
}

static inline bool link_may_match(const struct ps_pool *pool, uint32_t link, uint32_t mark)
{
    return (link ^ mark) >> pool->index_bits == 0;
}

static inline bool key_matches(const struct ps_frame *f, const struct ps_pool_key *key)
{
    return atomic_load_explicit(&f->key_page, memory_order_relaxed) == key->page &&
           atomic_load_explicit(&f->key_space, memory_order_relaxed) == key->space;
}

/* --- memory --------------------------------------------------------------------------------- */

/* One to two buckets a frame, and a number more than there are frames, to end chains with. */
static unsigned bits_for(uint32_t frames)
{
    unsigned bits = 1;

    while ((1u << bits) <= frames)
        bits++;
    return bits;
}

ps_err ps_pool_map_init(struct ps_pool *pool)
{
    const unsigned bits = bits_for(pool->frame_count);
    const size_t buckets = (size_t)1 << bits;
    size_t i;
    ps_err err;

    err = ps_arena_init(&pool->map_arena, (buckets + pool->frame_count) * sizeof(uint32_t));
    if (err)
        return err;
    pool->buckets = (_Atomic uint32_t *)(void *)pool->map_arena.base;
    pool->links = pool->buckets + buckets;
    pool->bucket_shift = 64 - bits;
    pool->index_bits = bits;
    for (i = 0; i < buckets; i++)
        atomic_init(&pool->buckets[i], UINT32_MAX);
    return PS_OK;
}

uint32_t ps_pool_map_count(const struct ps_pool *pool)
{
    const size_t buckets = (size_t)1 << (64 - pool->bucket_shift);
    uint32_t count = 0;
    size_t i;

    for (i = 0; i < buckets; i++) {
        uint32_t link = atomic_load(&pool->buckets[i]);

        for (; !link_ends(pool, link) && count <= pool->frame_count; count++)
            link = atomic_load(&pool->links[link_frame_no(pool, link)]);
    }
    return count;
}

/* --- look-ups without a lock ---------------------------------------------------------------- */

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
    const uint64_t h = ps_pool_key_hash(key);
    const uint32_t mark = link_mark(pool, h);
    uint32_t link = atomic_load_explicit(&pool->buckets[bucket_of(pool, h)], memory_order_acquire);

    for (unsigned step = 0; !link_ends(pool, link) && step < WALK_MAX; step++) {
        uint32_t no = link_frame_no(pool, link);

        if (link_may_match(pool, link, mark) && pin_if_match(&pool->frames[no], key))
            return &pool->frames[no];
        link = atomic_load_explicit(&pool->links[no], memory_order_acquire);
    }
    return NULL;
}

struct ps_frame *ps_pool_map_look(struct ps_pool *pool, const struct ps_pool_key *key,
                                  uint64_t *ret_state)
{
    const uint64_t h = ps_pool_key_hash(key);
    const uint32_t mark = link_mark(pool, h);
    uint32_t link = atomic_load_explicit(&pool->buckets[bucket_of(pool, h)], memory_order_acquire);

    for (unsigned step = 0; !link_ends(pool, link) && step < WALK_MAX; step++) {
        struct ps_frame *f = &pool->frames[link_frame_no(pool, link)];

        if (link_may_match(pool, link, mark)) {
            *ret_state = atomic_load_explicit(&f->state, memory_order_acquire);
            if ((*ret_state & PS_ST_VALID) && key_matches(f, key))
                return f;
        }
        link = atomic_load_explicit(&pool->links[link_frame_no(pool, link)], memory_order_acquire);
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

/* --- changes, under the partition's mutex --------------------------------------------------- */

static struct ps_pool_part *part_of(struct ps_pool *pool, uint64_t h)
{
    return &pool->parts[bucket_of(pool, h) % PS_POOL_PARTS];
}

struct ps_pool_part *ps_pool_map_lock(struct ps_pool *pool, const struct ps_pool_key *key)
{
    struct ps_pool_part *part = part_of(pool, ps_pool_key_hash(key));

    ps_mutex_lock(&part->mtx);
    return part;
}

struct ps_frame *ps_pool_map_find(struct ps_pool *pool, const struct ps_pool_key *key)
{
    const uint64_t h = ps_pool_key_hash(key);
    uint32_t link = atomic_load(&pool->buckets[bucket_of(pool, h)]);

    ps_assert_held(&part_of(pool, h)->mtx);
    while (!link_ends(pool, link)) {
        uint32_t no = link_frame_no(pool, link);

        if (link_may_match(pool, link, link_mark(pool, h)) && key_matches(&pool->frames[no], key))
            return &pool->frames[no];
        link = atomic_load(&pool->links[no]);
    }
    return NULL;
}

/* The frame's own link first: who finds the frame finds the rest of the chain behind it. */
static void link_frame(struct ps_pool *pool, const struct ps_pool_key *key, struct ps_frame *f)
{
    const uint64_t h = ps_pool_key_hash(key);
    _Atomic uint32_t *head = &pool->buckets[bucket_of(pool, h)];
    uint32_t no = ps_frame_no(pool, f);

    assert(key_matches(f, key));
    atomic_store(&pool->links[no], atomic_load(head));
    atomic_store(head, link_mark(pool, h) | no);
}

void ps_pool_map_unlink(struct ps_pool *pool, struct ps_frame *f)
{
    const struct ps_pool_key key = ps_pool_key(&f->page.tag);
    const uint64_t h = ps_pool_key_hash(&key);
    _Atomic uint32_t *at = &pool->buckets[bucket_of(pool, h)];
    uint32_t no = ps_frame_no(pool, f);

    ps_assert_held(&part_of(pool, h)->mtx);
    while (link_frame_no(pool, atomic_load(at)) != no) {
        assert(!link_ends(pool, atomic_load(at)));
        at = &pool->links[link_frame_no(pool, atomic_load(at))];
    }
    atomic_store(at, atomic_load(&pool->links[no]));
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
