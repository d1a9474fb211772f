/*
 * pool.c - making a pool; pinning, loading and latching pages.
 */
#include "pool/pool_hits.h"
#include "pool/pool_internal.h"
#include "pool/pool_map.h"

#include <stdlib.h>
#include <string.h>

/* --- creation ------------------------------------------------------------------------------- */

static bool is_power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* Buffers for pages being written: two batches' worth, but no more than there are frames. */
static uint32_t copy_count(uint32_t batch_pages, uint32_t frames)
{
    uint32_t count = batch_pages < 2 ? 4 : 2 * batch_pages;

    return count < frames ? count : frames;
}

static void free_memory(struct ps_pool *pool)
{
    ps_pool_notes_deinit(pool);
    free(pool->free_frames);
    free(pool->free_copies);
    free(pool->cold);
    ps_arena_deinit(&pool->frame_arena);
    ps_arena_deinit(&pool->state_arena);
    ps_arena_deinit(&pool->map_arena);
    ps_arena_deinit(&pool->data_arena);
    ps_arena_deinit(&pool->copy_arena);
    free(pool);
}

static ps_err alloc_memory(struct ps_pool *pool)
{
    const size_t frames = pool->frame_count;
    ps_err err;

    pool->batch_pages = PS_POOL_BATCH_BYTES / pool->page_size;
    if (pool->batch_pages > PS_POOL_BATCH_MAX)
        pool->batch_pages = PS_POOL_BATCH_MAX;
    pool->copy_count = copy_count(pool->batch_pages, pool->frame_count);
    pool->cold = calloc(frames, sizeof(*pool->cold));
    pool->free_frames = calloc(frames, sizeof(*pool->free_frames));
    pool->free_copies = calloc(pool->copy_count, sizeof(*pool->free_copies));
    if (!pool->cold || !pool->free_frames || !pool->free_copies)
        return ps_fail(PS_ERR_NOMEM, "no memory for a pool of %zu frames", frames);
    err = ps_arena_init(&pool->frame_arena, frames * sizeof(struct ps_frame));
    if (!err)
        err = ps_arena_init(&pool->state_arena, frames * (sizeof(uint64_t) + sizeof(uint32_t)));
    if (!err)
        err = ps_pool_map_init(pool);
    if (!err)
        err = ps_arena_init(&pool->data_arena, frames * pool->page_size);
    if (!err)
        err = ps_arena_init(&pool->copy_arena, (size_t)pool->copy_count * pool->page_size);
    if (!err)
        err = ps_pool_notes_init(pool);
    if (err)
        return ps_fail_in(err, "a pool of %zu frames of %u bytes", frames, pool->page_size);
    pool->frames = (struct ps_frame *)(void *)pool->frame_arena.base;
    pool->states = (_Atomic uint64_t *)(void *)pool->state_arena.base;
    pool->changes = (_Atomic uint32_t *)(void *)(pool->states + frames);
    return PS_OK;
}

static void init_frames(struct ps_pool *pool)
{
    uint32_t i;

    for (i = 0; i < pool->frame_count; i++) {
        struct ps_frame *f = &pool->frames[i];

        f->page.data = pool->data_arena.base + (size_t)i * pool->page_size;
        f->state = &pool->states[i];
        ps_rwlock_init(&pool->cold[i].latch, PS_RANK_LATCH, "page.latch");
        pool->free_frames[i] = pool->frame_count - 1 - i; /* frame 0 is taken first */
    }
    pool->free_count = pool->frame_count;
    for (i = 0; i < pool->copy_count; i++)
        pool->free_copies[i] = i;
    pool->free_copy_count = pool->copy_count;
    pool->dirty_head = PS_NO_FRAME;
    pool->dirty_tail = PS_NO_FRAME;
}

static void init_locks(struct ps_pool *pool)
{
    ps_mutex_init(&pool->reserve_mtx, PS_RANK_POOL, "pool.reserve_mtx");
    ps_cond_init(&pool->reserve_cond);
    ps_mutex_init(&pool->policy_mtx, PS_RANK_POOL, "pool.policy_mtx");
    ps_cond_init(&pool->victim_cond);
    ps_mutex_init(&pool->runs_mtx, PS_RANK_LEAF, "pool.runs_mtx");
    ps_mutex_init(&pool->dirty_mtx, PS_RANK_POOL, "pool.dirty_mtx");
    ps_cond_init(&pool->written_cond);
    for (size_t i = 0; i < PS_POOL_PARTS; i++)
        ps_mutex_init(&pool->parts[i].mtx, PS_RANK_POOL_MAP, "pool.part.mtx");
    for (size_t i = 0; i < PS_POOL_LOAD_WAITS; i++) {
        ps_mutex_init(&pool->load_waits[i].mtx, PS_RANK_POOL, "pool.load_wait.mtx");
        ps_cond_init(&pool->load_waits[i].cond);
    }
}

static ps_err check_options(const struct ps_pool_options *opts)
{
    if (opts->frames < 8 || opts->frames > PS_POOL_FRAMES_MAX)
        return ps_fail(PS_ERR_INVAL, "a pool of %u frames: there must be 8 to %u", opts->frames,
                       PS_POOL_FRAMES_MAX);
    if (!is_power_of_two(opts->page_size) || opts->page_size < PS_PAGE_SIZE_MIN ||
        opts->page_size > PS_PAGE_SIZE_MAX)
        return ps_fail(PS_ERR_INVAL, "page size %u is not a power of two from %u to %u",
                       opts->page_size, PS_PAGE_SIZE_MIN, PS_PAGE_SIZE_MAX);
    return PS_OK;
}

/* Often enough that what comes next is clean when it is asked for. */
static uint32_t clean_every(uint32_t frames)
{
    return (frames < PS_POOL_UPCOMING_MAX ? frames : PS_POOL_UPCOMING_MAX) / 4;
}

ps_err ps_pool_create(const struct ps_pool_options *opts, struct ps_pool **ret)
{
    struct ps_pool *pool;
    ps_err err = check_options(opts);

    if (err)
        return err;
    pool = aligned_alloc(_Alignof(struct ps_pool), sizeof(*pool));
    if (!pool)
        return ps_fail(PS_ERR_NOMEM, "no memory for a pool");
    memset(pool, 0, sizeof(*pool));
    pool->frame_count = opts->frames;
    pool->page_size = opts->page_size;
    pool->wal = opts->wal;
    pool->io = opts->io;
    pool->poison = opts->poison;
    pool->trace = opts->trace;
    pool->want_clean = opts->want_clean;
    pool->ctx = opts->ctx;
    pool->clean_every = clean_every(opts->frames);
    err = alloc_memory(pool);
    if (!err)
        err = ps_pool_policy_init(pool, opts->policy);
    if (err) {
        free_memory(pool);
        return err;
    }
    init_frames(pool);
    init_locks(pool);
    *ret = pool;
    return PS_OK;
}

void ps_pool_destroy(struct ps_pool *pool)
{
    uint32_t i;

    if (!pool)
        return;
    assert(!pool->reserve_head);
    for (i = 0; i < pool->frame_count; i++) {
        assert(ps_st_pins(ps_frame_state(&pool->frames[i])) == pool->cold[i].long_pins);
        ps_rwlock_deinit(&pool->cold[i].latch);
    }
    for (i = 0; i < PS_POOL_LOAD_WAITS; i++) {
        ps_mutex_deinit(&pool->load_waits[i].mtx);
        ps_cond_deinit(&pool->load_waits[i].cond);
    }
    for (i = 0; i < PS_POOL_PARTS; i++)
        ps_mutex_deinit(&pool->parts[i].mtx);
    ps_mutex_deinit(&pool->reserve_mtx);
    ps_cond_deinit(&pool->reserve_cond);
    ps_mutex_deinit(&pool->policy_mtx);
    ps_cond_deinit(&pool->victim_cond);
    ps_mutex_deinit(&pool->runs_mtx);
    ps_mutex_deinit(&pool->dirty_mtx);
    ps_cond_deinit(&pool->written_cond);
    ps_pool_policy_deinit(pool);
    free_memory(pool);
}

void ps_pool_set_wal(struct ps_pool *pool, struct ps_wal *wal)
{
    pool->wal = wal;
}

void ps_pool_set_provider(struct ps_pool *pool, uint16_t id, struct ps_provider *p)
{
    assert(id < PS_POOL_PROVIDERS);
    pool->providers[id] = p;
}

void ps_pool_populate(const struct ps_pool *pool, uint32_t first, uint32_t count)
{
    assert(first <= pool->frame_count && count <= pool->frame_count - first);
    ps_arena_populate(&pool->data_arena, (size_t)first * pool->page_size,
                      (size_t)count * pool->page_size);
}

void ps_pool_trace(struct ps_pool *pool, const char *kind, const char *reason,
                   const struct ps_frame *f)
{
    const struct ps_page *page = &f->page;
    struct ps_trace_event event;

    if (!pool->trace)
        return;
    event = (struct ps_trace_event){
        .time_us = ps_io_now_us(pool->io),
        .kind = kind,
        .reason = reason,
        .table = page->tag.table,
        .page = page->tag.page,
        .fork = page->tag.fork,
        .frame = ps_frame_no(pool, f),
        .lsn = __atomic_load_n(&page->lsn, __ATOMIC_RELAXED),
    };
    ps_trace_add(pool->trace, &event);
}

/* --- hits ----------------------------------------------------------------------------------- */

void ps_pool_unpin_frame(struct ps_pool *pool, struct ps_frame *f)
{
    uint64_t old = atomic_fetch_sub(&pool->states[ps_frame_no(pool, f)], PS_ST_PIN);

    assert(ps_st_pins(old) > 0);
    if (ps_st_pins(old) > 1)
        return;
    if (old & PS_ST_DETACHED)
        ps_pool_free_frame(pool, f);
    else
        ps_pool_wake_victims(pool);
}

void ps_pool_unpin(struct ps_pool *pool, struct ps_page *page)
{
    ps_pool_forget_pin(pool, page);
    ps_pool_unpin_frame(pool, ps_frame_of(page));
}

/* --- the exclusive latch, and the count of changes that optimistic reads go by -------------- */

/* ThreadSanitizer knows no fences, and refuses to compile them. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_FENCES
#endif
#elif defined(__SANITIZE_THREAD__)
#define NO_FENCES
#endif

/* What this thread has read so far, it has read before whatever it reads from here on. */
static inline void load_fence(void)
{
#ifndef NO_FENCES
    atomic_thread_fence(memory_order_acquire);
#endif
}

/* What this thread has written so far is seen before whatever it writes from here on. */
static inline void store_fence(void)
{
#ifndef NO_FENCES
    atomic_thread_fence(memory_order_release);
#endif
}

static void lock_latch(struct ps_pool *pool, struct ps_frame *f)
{
    struct ps_rwlock *latch = &ps_frame_cold(pool, f)->latch;
    _Atomic uint32_t *changes = &pool->changes[ps_frame_no(pool, f)];

    if (!ps_rwlock_trywrlock(latch)) {
        atomic_fetch_add(&pool->counters.latch_waits, 1);
        ps_rwlock_wrlock(latch);
    }
    atomic_store_explicit(changes, atomic_load_explicit(changes, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    store_fence(); /* no byte changes before the count is odd */
}

static void unlock_latch(struct ps_pool *pool, struct ps_frame *f)
{
    _Atomic uint32_t *changes = &pool->changes[ps_frame_no(pool, f)];
    const uint32_t count = atomic_load_explicit(changes, memory_order_relaxed);

    if (count & 1) /* it is this thread's, exclusively */
        atomic_store_explicit(changes, count + 1, memory_order_release);
    ps_rwlock_unlock(&ps_frame_cold(pool, f)->latch);
}

/* --- misses --------------------------------------------------------------------------------- */

/* Whoever pins it writes every byte: it is latched, and never read in. */
static inline bool makes_page(enum ps_pin_mode mode)
{
    return mode >= PS_PIN_NEW;
}
static_assert(PS_PIN_OVERWRITE > PS_PIN_NEW && PS_PIN_NEW > PS_PIN_RESIDENT, "makes_page()");

/* Gives a PRIVATE frame its name, and to a new page zeros and the latch. */
static void prepare(struct ps_pool *pool, struct ps_frame *f, const struct ps_tag *tag,
                    enum ps_pin_mode mode, const struct ps_format *fmt)
{
    const struct ps_pool_key key = ps_pool_key(tag);

    atomic_store_explicit(&f->key_space, key.space, memory_order_relaxed);
    atomic_store_explicit(&f->key_page, key.page, memory_order_relaxed);
    ps_frame_heat_start(pool, f);
    f->page.tag = *tag;
    f->page.fmt = fmt;
    __atomic_store_n(&f->page.lsn, 0, __ATOMIC_RELAXED);
    if (mode == PS_PIN_NEW)
        memset(f->page.data, 0, pool->page_size);
    if (makes_page(mode))
        lock_latch(pool, f);
}

/* A PRIVATE frame that is not needed after all. */
static void discard(struct ps_pool *pool, struct ps_frame *f, enum ps_pin_mode mode)
{
    if (makes_page(mode))
        unlock_latch(pool, f);
    ps_pool_free_frame(pool, f);
}

/* Pins the page's frame, or puts one into the map for it: *ret_found says which. */
static ps_err find_or_insert(struct ps_pool *pool, const struct ps_tag *tag, enum ps_pin_mode mode,
                             const struct ps_format *fmt, struct ps_frame **ret,
                             enum ps_found *ret_found)
{
    const struct ps_pool_key key = ps_pool_key(tag);
    struct ps_frame *mine = NULL;
    enum ps_found found;
    ps_err err;

    assert(tag->provider < PS_POOL_PROVIDERS && pool->providers[tag->provider]);
    while ((found = ps_pool_map_pin(pool, &key, mine, ret)) == PS_FOUND_NONE) {
        if (mode == PS_PIN_RESIDENT)
            return PS_ERR_NOENT;
        err = ps_pool_take_frame(pool, &mine);
        if (err)
            return err;
        prepare(pool, mine, tag, mode, fmt);
    }
    if (mine && found != PS_FOUND_INSERTED)
        discard(pool, mine, mode);
    if (found == PS_FOUND_INSERTED) {
        atomic_fetch_add(&pool->counters.misses, 1);
        ps_pool_note_access(pool, tag);
    }
    *ret_found = found;
    return PS_OK;
}

static struct ps_load load_of(const struct ps_frame *f)
{
    return (struct ps_load){.tag = f->page.tag, .buf = f->page.data};
}

/* What load said becomes the frame's. On an error nothing stays pinned. */
static ps_err finish_load(struct ps_pool *pool, struct ps_frame *f, const struct ps_load *load)
{
    if (load->err) {
        atomic_fetch_add(&pool->counters.load_errors, 1);
        ps_pool_trace(pool, "load-error", ps_err_text(load->err), f);
        ps_pool_abort_load(pool, f, load->err);
        ps_pool_unpin_frame(pool, f);
        return load->err;
    }
    atomic_fetch_add(&pool->counters.pages_loaded, 1);
    f->page.fmt = load->fmt;
    __atomic_store_n(&f->page.lsn, load->lsn, __ATOMIC_RELAXED);
    ps_pool_publish(pool, f, PS_ST_SEALED);
    return PS_OK;
}

/* Waits for a page that another thread loads. False: it was taken back, look it up again. On an
 * error nothing stays pinned. */
static bool await_load(struct ps_pool *pool, struct ps_frame *f, ps_err *ret_err)
{
    const struct ps_tag tag = f->page.tag;

    *ret_err = PS_OK;
    ps_pool_wait_load(pool, f);
    if (ps_frame_state(f) & PS_ST_VALID) {
        ps_frame_heat_add(pool, f, 1);
        ps_pool_add_hit(pool, &tag, f);
        return true;
    }
    *ret_err = ps_frame_cold(pool, f)->load_err;
    ps_pool_unpin_frame(pool, f);
    if (*ret_err)
        (void)ps_fail(*ret_err, "page %u of table %u: %s (another thread has read it just now)",
                      tag.page, tag.table, ps_err_text(*ret_err));
    return *ret_err != PS_OK;
}

/* A page that was found and will be overwritten: latched, as a new one is. False: it has been
 * discarded meanwhile, look it up again. */
static bool latch_found(struct ps_pool *pool, struct ps_frame *f)
{
    lock_latch(pool, f);
    if (!ps_page_detached(&f->page))
        return true;
    unlock_latch(pool, f);
    ps_pool_unpin_frame(pool, f);
    return false;
}

static ps_err load_one(struct ps_pool *pool, struct ps_frame *f)
{
    struct ps_provider *provider = pool->providers[f->page.tag.provider];
    struct ps_load load = load_of(f);

    provider->ops->load(provider, &load, 1);
    return finish_load(pool, f, &load);
}

static ps_err pin_slowly(struct ps_pool *pool, const struct ps_tag *tag, enum ps_pin_mode mode,
                         const struct ps_format *fmt, struct ps_page **ret)
{
    enum ps_found found = PS_FOUND_VALID;
    struct ps_frame *f = NULL;
    ps_err err;

    for (;;) {
        err = find_or_insert(pool, tag, mode, fmt, &f, &found);
        if (!err && found == PS_FOUND_INSERTED && !makes_page(mode))
            err = load_one(pool, f);
        if (err)
            return err;
        if (found == PS_FOUND_INSERTED)
            break;
        if (found == PS_FOUND_VALID)
            ps_pool_add_hit(pool, tag, f);
        else if (!await_load(pool, f, &err) || (err && makes_page(mode)))
            continue; /* a page that cannot be read can be overwritten */
        if (err)
            return err;
        if (!makes_page(mode) || latch_found(pool, f))
            break;
    }
    *ret = &f->page;
    return PS_OK;
}

/* Any hit, or a miss. Out of line, for what a plain hit needs to stay in registers. */
static __attribute__((noinline)) ps_err pin_any(struct ps_pool *pool, const struct ps_tag *tag,
                                                enum ps_pin_mode mode, const struct ps_format *fmt,
                                                struct ps_page **ret)
{
    const struct ps_pool_key key = ps_pool_key(tag);
    struct ps_frame *f = ps_pool_map_pin_fast(pool, &key);

    if (!f)
        return pin_slowly(pool, tag, mode, fmt, ret);
    ps_pool_add_hit(pool, tag, f);
    if (makes_page(mode) && !latch_found(pool, f))
        return pin_slowly(pool, tag, mode, fmt, ret);
    *ret = &f->page;
    return PS_OK;
}

/* Nearly all hits: what decides that there is no more to do than to pin and to count is looked at
 * first, as the compare-and-swap holds up every load behind it. */
ps_err(ps_pool_pin)(struct ps_pool *pool, const struct ps_tag *tag, enum ps_pin_mode mode,
                    const struct ps_format *fmt, struct ps_page **ret)
{
    const struct ps_pool_key key = ps_pool_key(tag);
    struct ps_pool_stripe *stripe = ps_pool_own_stripe(pool);
    uint64_t state;
    uint32_t no;

    if (!stripe || makes_page(mode) || ps_pool_wants_hits(pool) || ps_pool_is_sampled(pool, &key))
        return pin_any(pool, tag, mode, fmt, ret);
    no = ps_pool_map_look(pool, &key, true, &state);
    if (no == PS_NO_FRAME || ps_st_heat_full(state) || !ps_frame_try_hit(pool, no, &state))
        return pin_any(pool, tag, mode, fmt, ret);
    ps_stripe_count(stripe);
    *ret = &pool->frames[no].page;
    return PS_OK;
}

/* --- optimistic reads ----------------------------------------------------------------------- */

bool ps_pool_optimistic(struct ps_pool *pool, const struct ps_tag *tag, struct ps_peek *ret)
{
    const struct ps_pool_key key = ps_pool_key(tag);
    uint64_t state;
    const uint32_t no = ps_pool_map_look(pool, &key, false, &state);

    if (no == PS_NO_FRAME)
        return false;
    ret->pool = pool;
    ret->frame = no;
    ret->bytes = pool->data_arena.base + (size_t)no * pool->page_size;
    ret->version = ps_st_version(state);
    ret->changes = atomic_load_explicit(&pool->changes[no], memory_order_acquire);
    return !(ret->changes & 1);
}

bool ps_pool_optimistic_valid(const struct ps_peek *peek)
{
    const struct ps_pool *pool = peek->pool;
    uint64_t state;

    load_fence();
    state = atomic_load_explicit(&pool->states[peek->frame], memory_order_relaxed);
    return (state & PS_ST_VALID) && ps_st_version(state) == peek->version &&
           atomic_load_explicit(&pool->changes[peek->frame], memory_order_relaxed) == peek->changes;
}

/* --- many at once --------------------------------------------------------------------------- */

/* Pages of one ps_pool_pin_many that were not there at first glance. */
struct miss_batch {
    struct ps_pool *pool;
    const struct ps_tag *tags;
    struct ps_page **pages;
    ps_err *errs;
    uint32_t count;
    uint32_t load_count;
    uint32_t wait_count;
    size_t load_at[PS_LOAD_BATCH_MAX]; /* index of the tag */
    size_t wait_at[PS_LOAD_BATCH_MAX];
    struct ps_frame *load_frames[PS_LOAD_BATCH_MAX];
    struct ps_frame *wait_frames[PS_LOAD_BATCH_MAX];
    struct ps_load loads[PS_LOAD_BATCH_MAX];
};

static void begin_miss(struct miss_batch *b, size_t i)
{
    enum ps_found found;
    struct ps_frame *f;

    b->count++;
    b->errs[i] = find_or_insert(b->pool, &b->tags[i], PS_PIN_LOAD, NULL, &f, &found);
    if (b->errs[i])
        return;
    if (found == PS_FOUND_VALID) {
        ps_pool_add_hit(b->pool, &b->tags[i], f);
        b->pages[i] = &f->page;
    } else if (found == PS_FOUND_INSERTED) {
        b->load_at[b->load_count] = i;
        b->load_frames[b->load_count] = f;
        b->loads[b->load_count++] = load_of(f);
    } else {
        b->wait_at[b->wait_count] = i;
        b->wait_frames[b->wait_count++] = f;
    }
}

/* One call of each provider that has pages among these. */
static void load_misses(struct miss_batch *b)
{
    uint32_t i, n;

    for (i = 0; i < b->load_count; i += n) {
        uint16_t id = b->loads[i].tag.provider;
        struct ps_provider *provider = b->pool->providers[id];

        for (n = 1; i + n < b->load_count && b->loads[i + n].tag.provider == id; n++)
            continue;
        provider->ops->load(provider, &b->loads[i], n);
    }
    for (i = 0; i < b->load_count; i++) {
        size_t at = b->load_at[i];

        b->errs[at] = finish_load(b->pool, b->load_frames[i], &b->loads[i]);
        if (!b->errs[at])
            b->pages[at] = &b->load_frames[i]->page;
    }
}

/* After this thread's own loads are done: two threads that wait for each other's pages first
 * would wait for ever. */
static void await_misses(struct miss_batch *b)
{
    uint32_t i;

    for (i = 0; i < b->wait_count; i++) {
        size_t at = b->wait_at[i];

        if (!await_load(b->pool, b->wait_frames[i], &b->errs[at]))
            b->errs[at] = pin_slowly(b->pool, &b->tags[at], PS_PIN_LOAD, NULL, &b->pages[at]);
        else if (!b->errs[at])
            b->pages[at] = &b->wait_frames[i]->page;
    }
}

static void finish_misses(struct miss_batch *b)
{
    load_misses(b);
    await_misses(b);
    b->count = 0;
    b->load_count = 0;
    b->wait_count = 0;
}

/* The slow way of pin_many, for those that have no page yet. */
static void pin_missing(struct ps_pool *pool, const struct ps_tag *tags, size_t count,
                        struct ps_page **pages, ps_err *errs)
{
    struct miss_batch b;
    size_t i;

    b.pool = pool;
    b.tags = tags;
    b.pages = pages;
    b.errs = errs;
    b.count = 0;
    b.load_count = 0;
    b.wait_count = 0;
    for (i = 0; i < count; i++) {
        if (pages[i])
            continue;
        begin_miss(&b, i);
        if (b.count == PS_LOAD_BATCH_MAX)
            finish_misses(&b);
    }
    if (b.count > 0)
        finish_misses(&b);
}

ps_err(ps_pool_pin_many)(struct ps_pool *pool, const struct ps_tag *tags, size_t count,
                         struct ps_page **pages, ps_err *errs)
{
    size_t hits = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        const struct ps_pool_key key = ps_pool_key(&tags[i]);
        struct ps_frame *f = ps_pool_map_pin_fast(pool, &key);

        assert(i == 0 || ps_tag_cmp(&tags[i - 1], &tags[i]) <= 0);
        pages[i] = f ? &f->page : NULL;
        errs[i] = PS_OK;
        if (!f)
            continue;
        ps_pool_add_hit(pool, &tags[i], f);
        hits++;
    }
    if (hits == count)
        return PS_OK;
    pin_missing(pool, tags, count, pages, errs);
    for (i = 0; i < count; i++) {
        if (errs[i])
            return errs[i];
    }
    return PS_OK;
}

/* --- ahead of anybody's asking --------------------------------------------------------------- */

/* A LOADING frame for the page; NULL: it is there, or comes, or there is no frame to be had. */
static struct ps_frame *begin_ahead(struct ps_pool *pool, const struct ps_tag *tag)
{
    const struct ps_pool_key key = ps_pool_key(tag);
    struct ps_frame_info info = {0};
    struct ps_frame *mine;
    struct ps_frame *f;

    if (ps_pool_peek(pool, tag, &info) || info.loading || ps_pool_take_frame(pool, &mine))
        return NULL;
    prepare(pool, mine, tag, PS_PIN_LOAD, NULL);
    if (ps_pool_map_pin(pool, &key, mine, &f) == PS_FOUND_INSERTED)
        return f;
    ps_pool_unpin_frame(pool, f);
    discard(pool, mine, PS_PIN_LOAD);
    return NULL;
}

static bool finish_ahead(struct ps_pool *pool, struct ps_frame *f, const struct ps_load *load)
{
    if (load->err) {
        ps_pool_abort_load(pool, f, PS_OK); /* those who wait for it look for themselves */
    } else {
        atomic_fetch_add(&pool->counters.pages_loaded, 1);
        atomic_fetch_add(&pool->counters.pages_ahead, 1);
        f->page.fmt = load->fmt;
        __atomic_store_n(&f->page.lsn, load->lsn, __ATOMIC_RELAXED);
        ps_pool_publish_ahead(pool, f);
    }
    ps_pool_unpin_frame(pool, f);
    return !load->err;
}

uint32_t ps_pool_load_ahead(struct ps_pool *pool, const struct ps_tag *tags, size_t count)
{
    struct ps_load loads[PS_LOAD_BATCH_MAX];
    struct ps_frame *frames[PS_LOAD_BATCH_MAX];
    struct ps_provider *provider;
    uint32_t n = 0, loaded = 0, i;

    assert(count > 0 && count <= PS_LOAD_BATCH_MAX);
    assert(tags[0].provider == tags[count - 1].provider);
    provider = pool->providers[tags[0].provider];
    for (size_t t = 0; t < count; t++) {
        assert(t == 0 || ps_tag_cmp(&tags[t - 1], &tags[t]) < 0);
        frames[n] = begin_ahead(pool, &tags[t]);
        if (!frames[n])
            continue;
        loads[n] = load_of(frames[n]);
        loads[n++].ahead = true;
    }
    if (n > 0)
        provider->ops->load(provider, loads, n);
    for (i = 0; i < n; i++)
        loaded += finish_ahead(pool, frames[i], &loads[i]);
    return loaded;
}

/* --- latches -------------------------------------------------------------------------------- */

void ps_page_latch_shared(struct ps_pool *pool, struct ps_page *page)
{
    struct ps_rwlock *latch = &ps_frame_cold(pool, ps_frame_of(page))->latch;

    assert(ps_st_pins(ps_frame_state(ps_frame_of(page))) > 0);
    if (ps_rwlock_tryrdlock(latch))
        return;
    atomic_fetch_add(&pool->counters.latch_waits, 1);
    ps_rwlock_rdlock(latch);
}

void ps_page_latch_exclusive(struct ps_pool *pool, struct ps_page *page)
{
    assert(ps_st_pins(ps_frame_state(ps_frame_of(page))) > 0);
    lock_latch(pool, ps_frame_of(page));
}

/* Under the exclusive latch. */
static void seal(struct ps_pool *pool, struct ps_frame *f)
{
    struct ps_provider *provider = pool->providers[f->page.tag.provider];
    uint64_t state = ps_frame_state(f);

    if (state & (PS_ST_SEALED | PS_ST_DETACHED))
        return;
    provider->ops->seal(provider, &f->page.tag, f->page.fmt, f->page.data);
    state = ps_frame_state(f);
    while (!(state & PS_ST_DETACHED) && /* it may have been thrown away meanwhile */
           !atomic_compare_exchange_weak(f->state, &state, state | PS_ST_SEALED))
        ;
}

void ps_page_latch_shared_sealed(struct ps_pool *pool, struct ps_page *page)
{
    struct ps_frame *f = ps_frame_of(page);

    for (;;) {
        ps_page_latch_shared(pool, page);
        if (ps_frame_state(f) & (PS_ST_SEALED | PS_ST_DETACHED))
            return;
        ps_page_unlatch(pool, page);
        lock_latch(pool, f);
        seal(pool, f);
        ps_page_unlatch(pool, page);
    }
}

void ps_page_unlatch(struct ps_pool *pool, struct ps_page *page)
{
    struct ps_frame *f = ps_frame_of(page);

    if (ps_frame_state(f) & PS_ST_LOADING)
        ps_pool_abort_load(pool, f, PS_OK); /* a new page whose maker has thought better of it */
    unlock_latch(pool, f);
}

bool ps_page_detached(const struct ps_page *page)
{
    return ps_frame_state((const struct ps_frame *)(const void *)page) & PS_ST_DETACHED;
}
