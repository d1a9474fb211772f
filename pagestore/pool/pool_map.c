/*
 * pool_map.c - the map of pages to frames, as it changes.
 */
#include "pool/pool_map.h"

int ps_tag_cmp(const struct ps_tag *a, const struct ps_tag *b)
{
    const struct ps_pool_key ka = ps_pool_key(a), kb = ps_pool_key(b);

    return ps_pool_key_cmp(&ka, &kb);
}

/* --- memory --------------------------------------------------------------------------------- */

/* A bucket for two to four frames: enough where few pages of each run are there. */
static unsigned bits_for(uint32_t frames)
{
    unsigned bits = 2;

    while ((4u << bits) < frames)
        bits++;
    return bits;
}

ps_err ps_pool_map_init(struct ps_pool *pool)
{
    size_t runs;
    ps_err err;

    pool->bucket_bits = bits_for(pool->frame_count);
    runs = ((size_t)1 << pool->bucket_bits) + pool->frame_count;
    err = ps_arena_init(&pool->map_arena, runs * sizeof(struct ps_pool_run));
    if (err)
        return err;
    pool->runs = (struct ps_pool_run *)(void *)pool->map_arena.base;
    pool->runs_used = 1u << pool->bucket_bits;
    return PS_OK;
}

static uint32_t count_entries(const struct ps_pool_run *run)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < PS_RUN_PAGES; i++)
        count += atomic_load(&run->entries[i]) != 0;
    return count;
}

uint32_t ps_pool_map_count(const struct ps_pool *pool)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < 1u << pool->bucket_bits; i++) {
        uint32_t no = i;

        do {
            count += count_entries(&pool->runs[no]);
            no = atomic_load(&pool->runs[no].next);
        } while (no != 0 && count <= pool->frame_count);
    }
    return count;
}

bool ps_frame_pin_version(struct ps_frame *f, uint32_t version)
{
    uint64_t state = ps_frame_state(f);

    while ((state & PS_ST_VALID) && ps_st_version(state) == version) {
        if (atomic_compare_exchange_weak(f->state, &state, state + PS_ST_PIN))
            return true;
    }
    return false;
}

/* --- changes, under the partition's mutex --------------------------------------------------- */

static struct ps_pool_part *part_of(struct ps_pool *pool, const struct ps_pool_key *key)
{
    return &pool->parts[ps_pool_bucket(pool, key) % PS_POOL_PARTS];
}

struct ps_pool_part *ps_pool_map_lock(struct ps_pool *pool, const struct ps_pool_key *key)
{
    struct ps_pool_part *part = part_of(pool, key);

    ps_mutex_lock(&part->mtx);
    return part;
}

/* NULL: there is no run for the page. */
static struct ps_pool_run *find_run(struct ps_pool *pool, const struct ps_pool_key *key)
{
    uint32_t no = ps_pool_bucket(pool, key);

    ps_assert_held(&part_of(pool, key)->mtx);
    do {
        if (ps_run_matches(&pool->runs[no], key))
            return &pool->runs[no];
        no = atomic_load(&pool->runs[no].next);
    } while (no != 0);
    return NULL;
}

struct ps_frame *ps_pool_map_find(struct ps_pool *pool, const struct ps_pool_key *key)
{
    struct ps_pool_run *run = find_run(pool, key);
    const uint32_t entry = run ? atomic_load(ps_run_entry(run, key)) : 0;

    return entry == 0 ? NULL : &pool->frames[entry - 1];
}

/* One that is in no chain, and empty: as each of the others has a frame, there is one. */
static uint32_t take_run(struct ps_pool *pool)
{
    uint32_t no;

    ps_mutex_lock(&pool->runs_mtx);
    no = pool->free_run;
    if (no != 0)
        pool->free_run = atomic_load(&pool->runs[no].next);
    else
        no = pool->runs_used++;
    assert(no < (1u << pool->bucket_bits) + pool->frame_count);
    assert(count_entries(&pool->runs[no]) == 0);
    ps_mutex_unlock(&pool->runs_mtx);
    return no;
}

static void free_run(struct ps_pool *pool, uint32_t no)
{
    ps_mutex_lock(&pool->runs_mtx);
    atomic_store(&pool->runs[no].next, pool->free_run);
    pool->free_run = no;
    ps_mutex_unlock(&pool->runs_mtx);
}

static void set_key(struct ps_pool_run *run, const struct ps_pool_key *key)
{
    assert(count_entries(run) == 0);
    atomic_store(&run->space, key->space);
    atomic_store(&run->no, key->page / PS_RUN_PAGES);
}

/* The bucket's own run where that is empty, or one behind it. */
static struct ps_pool_run *add_run(struct ps_pool *pool, const struct ps_pool_key *key)
{
    struct ps_pool_run *head = &pool->runs[ps_pool_bucket(pool, key)];
    struct ps_pool_run *run = head;
    uint32_t no;

    if (count_entries(head) == 0) {
        set_key(head, key);
    } else {
        no = take_run(pool);
        run = &pool->runs[no];
        set_key(run, key);
        atomic_store(&run->next, atomic_load(&head->next));
        atomic_store(&head->next, no);
    }
    return run;
}

/* The run's key first: a thread that finds the frame in it must find its key. */
static void link_frame(struct ps_pool *pool, const struct ps_pool_key *key, struct ps_frame *f)
{
    struct ps_pool_run *run = find_run(pool, key);

    if (!run)
        run = add_run(pool, key);
    assert(atomic_load(ps_run_entry(run, key)) == 0);
    atomic_store(ps_run_entry(run, key), ps_frame_no(pool, f) + 1);
}

/* Out of its chain, unless it is the bucket's own. */
static void remove_run(struct ps_pool *pool, const struct ps_pool_key *key, struct ps_pool_run *run)
{
    struct ps_pool_run *before = &pool->runs[ps_pool_bucket(pool, key)];
    const uint32_t no = (uint32_t)(run - pool->runs);

    if (before == run)
        return;
    while (atomic_load(&before->next) != no)
        before = &pool->runs[atomic_load(&before->next)];
    atomic_store(&before->next, atomic_load(&run->next));
    free_run(pool, no);
}

void ps_pool_map_unlink(struct ps_pool *pool, struct ps_frame *f)
{
    const struct ps_pool_key key = ps_pool_key(&f->page.tag);
    struct ps_pool_run *run = find_run(pool, &key);

    assert(run && atomic_load(ps_run_entry(run, &key)) == ps_frame_no(pool, f) + 1);
    atomic_store(ps_run_entry(run, &key), 0);
    if (count_entries(run) == 0)
        remove_run(pool, &key, run);
}

/* Pins a frame that is in the map, so that it cannot stop being VALID or LOADING in the meantime;
 * it may go from LOADING to VALID. */
static enum ps_found pin_found(struct ps_pool *pool, struct ps_frame *f)
{
    uint64_t state = ps_frame_state(f);

    for (;;) {
        assert(state & (PS_ST_VALID | PS_ST_LOADING));
        if (state & PS_ST_VALID) {
            if (ps_frame_pin_hit(pool, ps_frame_no(pool, f), &state))
                return PS_FOUND_VALID;
        } else if (atomic_compare_exchange_weak(f->state, &state, state + PS_ST_PIN)) {
            return PS_FOUND_LOADING;
        }
    }
}

enum ps_found ps_pool_map_pin(struct ps_pool *pool, const struct ps_pool_key *key,
                              struct ps_frame *mine, struct ps_frame **ret)
{
    struct ps_pool_part *part = ps_pool_map_lock(pool, key);
    struct ps_frame *f = ps_pool_map_find(pool, key);
    enum ps_found found = PS_FOUND_NONE;

    if (f) {
        found = pin_found(pool, f);
    } else if (mine) {
        f = mine;
        atomic_fetch_or(f->state, PS_ST_LOADING);
        link_frame(pool, key, f);
        found = PS_FOUND_INSERTED;
    }
    ps_mutex_unlock(&part->mtx);
    *ret = f;
    return found;
}
