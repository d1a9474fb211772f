/*
 * test_pool_mt.c - what several threads do to one pool. Also run under ThreadSanitizer.
 */
#include "pool_fixture.h"
#include "seed.h"

/* Waits until the pool has counted that many of something. */
#define AWAIT_STAT(fx, field, value) \
    do {                             \
        sched_yield();               \
    } while (fx_stats(fx).field < (value))

/* --- one thread does one thing -------------------------------------------------------------- */

static void *read_page(void *arg)
{
    struct fx_actor *a = arg;
    const struct ps_tag tag = fx_tag(a->table, a->page);

    a->err = fx_read(a->fx, &tag, &a->value);
    a->done = true;
    return NULL;
}

/* Overwrites a page whatever was in it. */
static void *make_page(void *arg)
{
    struct fx_actor *a = arg;
    const struct ps_tag tag = fx_tag(a->table, a->page);
    struct ps_page *page;

    a->err = ps_pool_pin(a->fx->pool, &tag, PS_PIN_NEW, NULL, &page);
    if (!a->err) {
        fx_change_latched(a->fx, page, a->value);
        ps_page_unlatch(a->fx->pool, page);
        ps_pool_unpin(a->fx->pool, page);
    }
    a->done = true;
    return NULL;
}

static void *flush_all(void *arg)
{
    struct fx_actor *a = arg;

    a->err = fx_flush(a->fx);
    a->done = true;
    return NULL;
}

static void *reserve_frames(void *arg)
{
    struct fx_actor *a = arg;

    a->err = ps_pool_reserve(a->fx->pool, a->count, &a->cancel);
    a->done = true;
    return NULL;
}

static void *drop_page(void *arg)
{
    struct fx_actor *a = arg;

    ps_pool_drop(a->fx->pool, 0, a->table, PS_FORK_DATA, a->page, a->page);
    a->done = true;
    return NULL;
}

/* --- loads ---------------------------------------------------------------------------------- */

static void two_readers_of_one_missing_page_read_it_once(void **state)
{
    struct fx *fx = *state;
    struct fx_actor a = {.page = 5}, b = {.page = 5};

    fx_gate_set(&fx->load_gate, true);
    fx_start(&a, fx, read_page);
    fx_gate_await(&fx->load_gate, 1);
    fx_start(&b, fx, read_page);
    AWAIT_STAT(fx, load_waits, 1);
    assert_false(a.done || b.done);
    fx_gate_set(&fx->load_gate, false);
    fx_join(&a);
    fx_join(&b);
    assert_int_equal(a.value, 5);
    assert_int_equal(b.value, 5);
    assert_int_equal(fx->loads[0][5], 1);
}

static void all_who_wait_for_a_load_that_fails_get_its_error(void **state)
{
    struct fx *fx = *state;
    struct fx_actor a = {.page = 5}, b = {.page = 5}, c = {.page = 5};

    fx->load_err = PS_ERR_CORRUPT;
    fx_gate_set(&fx->load_gate, true);
    fx_start(&a, fx, read_page);
    fx_gate_await(&fx->load_gate, 1);
    fx_start(&b, fx, read_page);
    fx_start(&c, fx, read_page);
    AWAIT_STAT(fx, load_waits, 2);
    fx_gate_set(&fx->load_gate, false);
    fx_join(&a);
    fx_join(&b);
    fx_join(&c);
    assert_int_equal(a.err, PS_ERR_CORRUPT);
    assert_int_equal(b.err, PS_ERR_CORRUPT);
    assert_int_equal(c.err, PS_ERR_CORRUPT);
    assert_int_equal(fx->loads[0][5], 1);
    assert_int_equal(fx_stats(fx).pinned, 0);
}

static void page_that_cannot_be_read_can_be_overwritten_by_who_waits_for_it(void **state)
{
    struct fx *fx = *state;
    struct fx_actor a = {.page = 5}, b = {.page = 5, .value = 77};

    fx->load_err = PS_ERR_CORRUPT;
    fx_gate_set(&fx->load_gate, true);
    fx_start(&a, fx, read_page);
    fx_gate_await(&fx->load_gate, 1);
    fx_start(&b, fx, make_page);
    AWAIT_STAT(fx, load_waits, 1);
    fx_gate_set(&fx->load_gate, false);
    fx_join(&a);
    fx_join(&b);
    assert_int_equal(a.err, PS_ERR_CORRUPT);
    assert_int_equal(b.err, PS_OK);
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx_disk_value(fx, 0, 5), 77);
}

static void nobody_sees_a_new_page_before_it_is_written(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 5);
    struct fx_actor reader = {.page = 5};
    struct ps_page *page;

    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_NEW, NULL, &page), PS_OK);
    fx_start(&reader, fx, read_page);
    AWAIT_STAT(fx, load_waits, 1);
    fx_change_latched(fx, page, 31);
    ps_page_unlatch(fx->pool, page);
    fx_join(&reader);
    assert_int_equal(reader.value, 31);
    ps_pool_unpin(fx->pool, page);
}

static void who_waits_for_a_new_page_that_is_taken_back_reads_the_old_one(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 5);
    struct fx_actor reader = {.page = 5};
    struct ps_page *page;

    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_NEW, NULL, &page), PS_OK);
    fx_start(&reader, fx, read_page);
    AWAIT_STAT(fx, load_waits, 1);
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    fx_join(&reader);
    assert_int_equal(reader.err, PS_OK);
    assert_int_equal(reader.value, 5);
    assert_int_equal(fx->loads[0][5], 1);
}

static void *pin_two_in_one_call(void *arg)
{
    struct fx_actor *a = arg;
    const struct ps_tag tags[2] = {fx_tag(0, a->page), fx_tag(0, a->page + a->count)};
    struct ps_page *pages[2];
    ps_err errs[2];

    a->err = ps_pool_pin_many(a->fx->pool, tags, 2, pages, errs);
    for (int i = 0; i < 2; i++) {
        if (pages[i])
            ps_pool_unpin(a->fx->pool, pages[i]);
    }
    a->done = true;
    return NULL;
}

static void batches_that_overlap_read_each_page_once(void **state)
{
    struct fx *fx = *state;
    struct fx_actor a = {.page = 1, .count = 1}, b = {.page = 2, .count = 1};

    fx_gate_set(&fx->load_gate, true);
    fx_start(&a, fx, pin_two_in_one_call); /* 1, 2 */
    fx_gate_await(&fx->load_gate, 1);
    fx_start(&b, fx,
             pin_two_in_one_call); /* 2, 3: its own is read before it waits for the other's */
    fx_gate_await(&fx->load_gate, 2);
    fx_gate_set(&fx->load_gate, false);
    fx_join(&a);
    fx_join(&b);
    assert_int_equal(a.err, PS_OK);
    assert_int_equal(b.err, PS_OK);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(fx->loads[0][i], 1);
}

#define COUNT_THREADS 48
#define COUNT_PINS 2000

static void *pin_often(void *arg)
{
    struct fx_actor *a = arg;
    int i;

    for (i = 0; i < COUNT_PINS; i++) {
        struct ps_page *page;
        const struct ps_tag tag = fx_tag(0, 1);

        MUST(ps_pool_pin(a->fx->pool, &tag, PS_PIN_LOAD, NULL, &page) == PS_OK);
        ps_pool_unpin(a->fx->pool, page);
    }
    return NULL;
}

static void every_hit_of_more_threads_than_stripes_is_counted(void **state)
{
    struct fx *fx = *state;
    struct fx_actor actors[COUNT_THREADS] = {0};
    int i;

    fx_touch(fx, 0, 1);
    for (i = 0; i < COUNT_THREADS; i++)
        fx_start(&actors[i], fx, pin_often);
    for (i = 0; i < COUNT_THREADS; i++)
        fx_join(&actors[i]);
    assert_int_equal(fx_stats(fx).hits, COUNT_THREADS * COUNT_PINS);
    assert_int_equal(fx_stats(fx).misses, 1);
}

/* --- writes --------------------------------------------------------------------------------- */

static void change_during_write_is_not_lost(void **state)
{
    struct fx *fx = *state;
    struct fx_actor flusher = {0};
    uint64_t later;

    fx_change(fx, 0, 1, 10);
    fx_gate_set(&fx->store_gate, true);
    fx_start(&flusher, fx, flush_all);
    fx_gate_await(&fx->store_gate, 1);
    later = fx->wal.tail;
    fx_change(fx, 0, 1, 11); /* no latch is held while the disk works */
    assert_true(fx_info(fx, 0, 1).dirty && fx_info(fx, 0, 1).writing);
    fx_gate_set(&fx->store_gate, false);
    fx_join(&flusher);
    assert_int_equal(flusher.err, PS_OK);
    assert_int_equal(fx_disk_value(fx, 0, 1), 10); /* the copy, not what came after */
    assert_true(fx_info(fx, 0, 1).dirty);
    assert_int_equal(fx_info(fx, 0, 1).rec_lsn, later);
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx_disk_value(fx, 0, 1), 11);
}

static void failed_write_of_a_page_changed_meanwhile_keeps_the_older_rec_lsn(void **state)
{
    struct fx *fx = *state;
    uint64_t first = fx->wal.tail;
    struct fx_actor flusher = {0};

    fx_change(fx, 0, 1, 10);
    fx->store_err = PS_ERR_NOSPC;
    fx_gate_set(&fx->store_gate, true);
    fx_start(&flusher, fx, flush_all);
    fx_gate_await(&fx->store_gate, 1);
    fx_change(fx, 0, 1, 11);
    fx_gate_set(&fx->store_gate, false);
    fx_join(&flusher);
    assert_int_equal(flusher.err, PS_ERR_NOSPC);
    assert_true(fx_info(fx, 0, 1).dirty);
    assert_int_equal(fx_info(fx, 0, 1).rec_lsn, first);
    fx->store_err = PS_OK;
}

static void flush_waits_for_pages_that_others_are_writing(void **state)
{
    struct fx *fx = *state;
    struct fx_actor first = {0}, second = {0};

    fx_change(fx, 0, 1, 10);
    fx_gate_set(&fx->store_gate, true);
    fx_start(&first, fx, flush_all);
    fx_gate_await(&fx->store_gate, 1);
    fx_start(&second, fx, flush_all);
    fx_change(fx, 0, 2, 20); /* gives the second one time to return if it did not wait */
    for (int i = 0; i < 1000; i++)
        sched_yield();
    assert_false(second.done);
    fx_gate_set(&fx->store_gate, false);
    fx_join(&first);
    fx_join(&second);
    assert_int_equal(second.err, PS_OK);
    assert_int_equal(fx->stores[0][1], 1);
}

/* Two flushes that took what the other left, page by page, would both write single pages. */
static void flush_leaves_a_batch_of_pages_where_another_thread_writes(void **state)
{
    struct fx *fx = fx_create(256);
    struct fx_actor first = {0}, second = {0};
    uint32_t i;

    (void)state;
    fx_change(fx, 0, 1, 10);
    fx_gate_set(&fx->store_gate, true);
    fx_start(&first, fx, flush_all);
    fx_gate_await(&fx->store_gate, 1);
    for (i = 0; i < 200; i++)
        fx_change(fx, 0, i, 20 + i);
    fx_start(&second, fx, flush_all);
    fx_gate_await(&fx->store_gate, 2);
    assert_true(fx_info(fx, 0, 0).writing);
    for (i = 2; i <= PS_POOL_BATCH_MAX; i++)
        assert_false(fx_info(fx, 0, i).writing);
    for (; i < 200; i++)
        assert_true(fx_info(fx, 0, i).writing);
    fx_gate_set(&fx->store_gate, false);
    fx_join(&first);
    fx_join(&second);
    assert_int_equal(second.err, PS_OK);
    assert_int_equal(fx->store_calls, 3);
    assert_int_equal(fx_stats(fx).dirty, 0);
    for (i = 0; i < 200; i++)
        assert_int_equal(fx_disk_value(fx, 0, i), 20 + i);
    fx_destroy(fx);
}

static void page_being_written_is_not_evicted(void **state)
{
    struct fx *fx = *state;
    struct fx_actor flusher = {0};
    uint32_t i;

    fx_change(fx, 0, 1, 10);
    fx_gate_set(&fx->store_gate, true);
    fx_start(&flusher, fx, flush_all);
    fx_gate_await(&fx->store_gate, 1);
    for (i = 100; i < 100 + 3 * FX_FRAMES; i++)
        fx_touch(fx, 0, i);
    assert_true(fx_info(fx, 0, 1).valid && fx_info(fx, 0, 1).writing);
    fx_gate_set(&fx->store_gate, false);
    fx_join(&flusher);
}

static void drop_waits_for_a_write_under_way(void **state)
{
    struct fx *fx = *state;
    struct fx_actor flusher = {0}, dropper = {.page = 1};

    fx_change(fx, 0, 1, 10);
    fx_gate_set(&fx->store_gate, true);
    fx_start(&flusher, fx, flush_all);
    fx_gate_await(&fx->store_gate, 1);
    fx_start(&dropper, fx, drop_page);
    for (int i = 0; i < 1000; i++)
        sched_yield();
    assert_false(dropper.done);
    fx_gate_set(&fx->store_gate, false);
    fx_join(&flusher);
    fx_join(&dropper);
    assert_false(fx_info(fx, 0, 1).valid);
}

static void flush_and_victim_search_do_not_wait_for_each_other(void **state)
{
    struct fx *fx = fx_create(8);
    struct fx_actor flusher = {0}, reader = {.page = 100};
    struct ps_page *pages[3];
    uint32_t i;

    (void)state;
    for (i = 0; i < 8; i++)
        fx_change(fx, 0, i, 40 + i);
    for (i = 0; i < 3; i++)
        pages[i] = fx_pin(fx, 0, 5 + i);
    ps_page_latch_exclusive(fx->pool, pages[0]);
    fx_gate_set(&fx->store_gate, true);
    fx_start(&flusher, fx, flush_all); /* 0-4 are in its batch, 5 is latched */
    fx_gate_await(&fx->store_gate, 1);
    fx_start(&reader, fx, read_page); /* there is no victim until these are written */
    fx_gate_set(&fx->store_gate, false);
    fx_join(&reader);
    assert_int_equal(reader.err, PS_OK);
    ps_page_unlatch(fx->pool, pages[0]);
    fx_join(&flusher);
    assert_int_equal(flusher.err, PS_OK);
    for (i = 0; i < 3; i++)
        ps_pool_unpin(fx->pool, pages[i]);
    assert_int_equal(fx_stats(fx).dirty, 0);
    fx_destroy(fx);
}

/* --- reservations --------------------------------------------------------------------------- */

#define HALF_PAGES (FX_FRAMES / 2 + 1)

/* Again and again more than half of the pool, pinned all at once. */
static void *pin_more_than_half(void *arg)
{
    struct fx_actor *a = arg;
    struct ps_pool *pool = a->fx->pool;
    uint32_t round, i;

    for (round = 0; round < 300; round++) {
        struct ps_page *pages[HALF_PAGES];

        MUST(ps_pool_reserve(pool, HALF_PAGES, NULL) == PS_OK);
        for (i = 0; i < HALF_PAGES; i++) {
            const struct ps_tag tag = fx_tag(a->table, (round + i) % FX_PAGES);

            MUST(ps_pool_pin(pool, &tag, PS_PIN_LOAD, NULL, &pages[i]) == PS_OK);
        }
        for (i = 0; i < HALF_PAGES; i++)
            ps_pool_unpin(pool, pages[i]);
        ps_pool_release(pool, HALF_PAGES);
    }
    return NULL;
}

static void requests_that_each_want_more_than_half_never_deadlock(void **state)
{
    struct fx *fx = *state;
    struct fx_actor actors[3] = {{.table = 0}, {.table = 1}, {.table = 2}};
    int i;

    assert_int_equal(ps_pool_reserve(fx->pool, FX_FRAMES, NULL),
                     PS_OK); /* so that all start at once */
    for (i = 0; i < 3; i++)
        fx_start(&actors[i], fx, pin_more_than_half);
    AWAIT_STAT(fx, reserve_waits, 3);
    ps_pool_release(fx->pool, FX_FRAMES);
    for (i = 0; i < 3; i++)
        fx_join(&actors[i]);
    assert_int_equal(fx_stats(fx).reserved, 0);
}

static void small_request_does_not_overtake_a_big_one(void **state)
{
    struct fx *fx = *state;
    struct fx_actor big = {.count = FX_FRAMES}, small = {.count = 1};

    ps_cancel_init(&big.cancel);
    ps_cancel_init(&small.cancel);
    assert_int_equal(ps_pool_reserve(fx->pool, 2, NULL), PS_OK);
    fx_start(&big, fx, reserve_frames);
    AWAIT_STAT(fx, reserve_waits, 1);
    fx_start(&small, fx, reserve_frames);
    AWAIT_STAT(fx, reserve_waits, 2); /* it fits, and queues */
    ps_pool_release(fx->pool, 2);
    fx_join(&big);
    assert_false(small.done);
    ps_pool_release(fx->pool, FX_FRAMES);
    fx_join(&small);
    ps_pool_release(fx->pool, 1);
    ps_cancel_deinit(&big.cancel);
    ps_cancel_deinit(&small.cancel);
}

static void interrupted_reservation_leaves_the_queue(void **state)
{
    struct fx *fx = *state;
    struct fx_actor big = {.count = FX_FRAMES}, small = {.count = 1};

    ps_cancel_init(&big.cancel);
    ps_cancel_init(&small.cancel);
    assert_int_equal(ps_pool_reserve(fx->pool, 2, NULL), PS_OK);
    fx_start(&big, fx, reserve_frames);
    AWAIT_STAT(fx, reserve_waits, 1);
    fx_start(&small, fx, reserve_frames);
    AWAIT_STAT(fx, reserve_waits, 2);
    ps_cancel_raise(&big.cancel);
    fx_join(&big);
    assert_int_equal(big.err, PS_ERR_INTERRUPTED);
    fx_join(&small); /* which is first now, and fits */
    assert_int_equal(small.err, PS_OK);
    ps_pool_release(fx->pool, 3);
    ps_cancel_deinit(&big.cancel);
    ps_cancel_deinit(&small.cancel);
}

/* --- everything at once, against a model ---------------------------------------------------- */

#define STRESS_THREADS 4
#define STRESS_OPS 6000
#define STRESS_PAGES 48u

struct stress {
    struct fx *fx;
    uint64_t seed;
    _Atomic uint64_t added[STRESS_PAGES]; /* the model: how often a page's counter was raised */
};

struct stress_thread {
    struct stress *s;
    uint64_t random;
    pthread_t thread;
};

static struct ps_tag stress_tag(uint32_t n)
{
    return fx_tag(n % FX_TABLES, n / FX_TABLES);
}

/* False: the pool was full of pages that could not be written just then, and said so. */
static bool stress_pin(struct stress *s, const struct ps_tag *tag, enum ps_pin_mode mode,
                       struct ps_page **ret)
{
    ps_err err = ps_pool_pin(s->fx->pool, tag, mode, NULL, ret);

    MUST(err == PS_OK || err == PS_ERR_NOSPC);
    if (err)
        return false;
    MUST(ps_tag_cmp(&(*ret)->tag, tag) == 0);
    return true;
}

/* A page's value is never beyond what has been added. */
static void stress_read(struct stress *s, uint32_t n)
{
    const struct ps_tag tag = stress_tag(n);
    struct ps_pool *pool = s->fx->pool;
    struct ps_page *page;

    if (!stress_pin(s, &tag, PS_PIN_LOAD, &page))
        return;
    ps_page_latch_shared_sealed(pool, page);
    MUST(fx_get(page->data, 16) == fx_sum(page->data));
    MUST(fx_get(page->data, 8) == fx_first_value(&tag) + atomic_load(&s->added[n]));
    ps_page_unlatch(pool, page);
    ps_pool_unpin(pool, page);
}

static void stress_add(struct stress *s, uint32_t n)
{
    const struct ps_tag tag = stress_tag(n);
    struct ps_pool *pool = s->fx->pool;
    struct ps_page *page;

    if (!stress_pin(s, &tag, PS_PIN_LOAD, &page))
        return;
    ps_page_latch_exclusive(pool, page);
    MUST(fx_get(page->data, 8) == fx_first_value(&tag) + atomic_load(&s->added[n]));
    atomic_fetch_add(&s->added[n], 1);
    fx_change_latched(s->fx, page, fx_get(page->data, 8) + 1);
    ps_page_unlatch(pool, page);
    ps_pool_unpin(pool, page);
}

static void stress_many(struct stress *s, uint32_t first)
{
    struct ps_tag tags[3];
    struct ps_page *pages[3];
    ps_err errs[3];
    uint32_t i;

    for (i = 0; i < 3; i++)
        tags[i] = fx_tag(0, first % 10 + 2 * i);
    (void)ps_pool_pin_many(s->fx->pool, tags, 3, pages, errs);
    for (i = 0; i < 3; i++) {
        MUST((pages[i] != NULL) == (errs[i] == PS_OK));
        MUST(errs[i] == PS_OK || errs[i] == PS_ERR_NOSPC);
        if (!pages[i])
            continue;
        MUST(pages[i]->tag.page == tags[i].page);
        ps_pool_unpin(s->fx->pool, pages[i]);
    }
}

/* Pages that are made, thrown away and read again, in no order: only their checksum is known. */
static void stress_scratch(struct stress *s, uint64_t r)
{
    const struct ps_tag tag = fx_tag(0, 100 + (uint32_t)(r >> 40) % 6);
    struct ps_pool *pool = s->fx->pool;
    struct ps_page *page;

    if (r % 3 == 0) {
        ps_pool_drop(pool, 0, 0, PS_FORK_DATA, tag.page, r % 2 ? tag.page + 2 : FX_PAGES);
    } else if (r % 3 == 1) {
        if (!stress_pin(s, &tag, PS_PIN_NEW, &page))
            return;
        if (r % 2)
            fx_change_latched(s->fx, page, r);
        ps_page_unlatch(pool, page);
        ps_pool_unpin(pool, page);
    } else if (stress_pin(s, &tag, PS_PIN_LOAD, &page)) {
        ps_page_latch_shared_sealed(pool, page);
        if (!ps_page_detached(page))
            MUST(fx_get(page->data, 16) == fx_sum(page->data));
        ps_page_unlatch(pool, page);
        ps_pool_unpin(pool, page);
    }
}

static void stress_flush(struct stress *s, uint32_t table)
{
    const struct ps_flush what = {.rec_lsn_below = UINT64_MAX, .one_table = true, .table = table};
    ps_err err = ps_pool_flush(s->fx->pool, &what, NULL);

    MUST(err == PS_OK || err == PS_ERR_NOSPC);
}

static void stress_op(struct stress *s, uint64_t r)
{
    uint32_t n = (uint32_t)(r >> 32) % STRESS_PAGES;
    struct ps_frame_info info;

    switch (r % 32) {
    case 0:
        (void)ps_pool_clean_step(s->fx->pool, 3);
        break;
    case 1:
        stress_flush(s, n % FX_TABLES);
        break;
    case 2:
        (void)ps_pool_drop_clean(s->fx->pool);
        break;
    case 3:
        ps_pool_frame_info(s->fx->pool, n % 8, &info);
        MUST(info.usage <= PS_USAGE_MAX);
        break;
    case 4:
        s->fx->store_err = r >> 60 == 0 ? PS_ERR_NOSPC : PS_OK;
        break;
    case 5:
    case 6:
        stress_many(s, n);
        break;
    case 7:
    case 8:
    case 9:
        stress_scratch(s, r >> 5);
        break;
    default:
        if (r % 32 < 20)
            stress_add(s, n);
        else
            stress_read(s, n);
        break;
    }
}

static void *stress_body(void *arg)
{
    struct stress_thread *t = arg;
    int i;

    for (i = 0; i < STRESS_OPS; i++) {
        MUST(ps_pool_reserve(t->s->fx->pool, 3, NULL) == PS_OK);
        stress_op(t->s, fx_random(&t->random));
        ps_pool_release(t->s->fx->pool, 3);
    }
    return NULL;
}

static void random_pins_changes_and_flushes_lose_nothing(void **state)
{
    struct stress s = {.fx = fx_create(13)};
    struct stress_thread threads[STRESS_THREADS];
    uint32_t i;

    (void)state;
    s.seed = test_seed();
    for (i = 0; i < STRESS_THREADS; i++) {
        threads[i] =
            (struct stress_thread){.s = &s, .random = (s.seed + i) * 0x9e3779b97f4a7c15ull | 1};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, stress_body, &threads[i]), 0);
    }
    for (i = 0; i < STRESS_THREADS; i++)
        assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
    ps_pool_check(s.fx->pool);
    s.fx->store_err = PS_OK;
    assert_int_equal(fx_flush(s.fx), PS_OK);
    for (i = 0; i < STRESS_PAGES; i++) {
        const struct ps_tag tag = stress_tag(i);

        assert_int_equal(fx_disk_value(s.fx, tag.table, tag.page),
                         fx_first_value(&tag) + s.added[i]);
    }
    fx_destroy(s.fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(two_readers_of_one_missing_page_read_it_once),
        FX_TEST(all_who_wait_for_a_load_that_fails_get_its_error),
        FX_TEST(page_that_cannot_be_read_can_be_overwritten_by_who_waits_for_it),
        FX_TEST(nobody_sees_a_new_page_before_it_is_written),
        FX_TEST(who_waits_for_a_new_page_that_is_taken_back_reads_the_old_one),
        FX_TEST(batches_that_overlap_read_each_page_once),
        FX_TEST(every_hit_of_more_threads_than_stripes_is_counted),
        FX_TEST(change_during_write_is_not_lost),
        FX_TEST(failed_write_of_a_page_changed_meanwhile_keeps_the_older_rec_lsn),
        FX_TEST(flush_waits_for_pages_that_others_are_writing),
        FX_TEST(flush_leaves_a_batch_of_pages_where_another_thread_writes),
        FX_TEST(page_being_written_is_not_evicted),
        FX_TEST(drop_waits_for_a_write_under_way),
        FX_TEST(flush_and_victim_search_do_not_wait_for_each_other),
        FX_TEST(requests_that_each_want_more_than_half_never_deadlock),
        FX_TEST(small_request_does_not_overtake_a_big_one),
        FX_TEST(interrupted_reservation_leaves_the_queue),
        cmocka_unit_test(random_pins_changes_and_flushes_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
