/*
 * pool_fixture.h - a pool over a disk and a log that are arrays, and that fail or wait on command.
 *
 * The log takes the place of wal/ at link time (its record codec is the real one), so that a test
 * sees each append and each flush, and moves durable end and redo point as it likes. The provider
 * checks what every store promises: that the log was durable up to the page, and that the
 * checksum is right.
 *
 * A page: LSN at 0, a value at 8, a checksum (sum of all other words) at 16.
 */
#ifndef TESTS_UNIT_POOL_FIXTURE_H
#define TESTS_UNIT_POOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"
#include "must.h"
#include "pool/group.h"
#include "pool/pool.h"
#include "pool/pool_internal.h"

#define FX_PAGE_SIZE 4096u
#define FX_TABLES 3u
#define FX_PAGES 512u
#define FX_LOG_START 4096u
#define FX_LOG_MAX (16u * 1024u * 1024u)

/* --- a log ---------------------------------------------------------------------------------- */

struct ps_wal {
    pthread_mutex_t mtx;
    _Atomic uint64_t tail, durable, redo;
    uint64_t prev;
    uint64_t reserved;      /* bytes, over all slots */
    uint64_t redo_moves_to; /* at the next append, which is refused; 0: it does not */
    _Atomic unsigned flushes;
    _Atomic int flush_err; /* enum ps_err of the next flushes */
    ps_err reserve_err;
    unsigned urgent; /* reservations that were */
    uint8_t *bytes;
};

ps_err ps_wal_reserve(struct ps_wal *wal, uint64_t bytes, struct ps_cancel *cancel,
                      struct ps_wal_slot *ret)
{
    (void)cancel;
    if (wal->reserve_err)
        return ps_fail(wal->reserve_err, "no log");
    pthread_mutex_lock(&wal->mtx);
    wal->reserved += bytes;
    pthread_mutex_unlock(&wal->mtx);
    ret->bytes = bytes;
    return PS_OK;
}

ps_err ps_wal_reserve_urgent(struct ps_wal *wal, uint64_t bytes, struct ps_cancel *cancel,
                             struct ps_wal_slot *ret)
{
    wal->urgent++;
    return ps_wal_reserve(wal, bytes, cancel, ret);
}

void ps_wal_release(struct ps_wal *wal, struct ps_wal_slot *slot)
{
    pthread_mutex_lock(&wal->mtx);
    wal->reserved -= slot->bytes;
    pthread_mutex_unlock(&wal->mtx);
    slot->bytes = 0;
}

bool ps_wal_append(struct ps_wal *wal, struct ps_wal_slot *slot, struct ps_record *recs,
                   size_t count, uint64_t redo_seen)
{
    uint64_t start, pos;
    size_t i;

    pthread_mutex_lock(&wal->mtx);
    if (wal->redo_moves_to) {
        wal->redo = wal->redo_moves_to;
        wal->redo_moves_to = 0;
    }
    if (redo_seen != wal->redo) {
        pthread_mutex_unlock(&wal->mtx);
        return false;
    }
    start = pos = wal->tail;
    for (i = 0; i < count; i++) {
        recs[i].flags = i + 1 == count ? PS_REC_GROUP_END : 0;
        if (i > 0 && recs[i].txn && recs[i].txn == recs[i - 1].txn)
            recs[i].txn_prev = recs[i - 1].pos;
        assert_true(pos + ps_record_len(&recs[i]) <= FX_LOG_MAX);
        ps_record_encode(&recs[i], wal->bytes + pos, ps_record_body_crc(&recs[i]), pos, wal->prev);
        pos = wal->prev = recs[i].lsn;
    }
    assert_true(pos - start <= slot->bytes);
    wal->tail = pos;
    wal->reserved -= slot->bytes;
    slot->bytes = 0;
    pthread_mutex_unlock(&wal->mtx);
    return true;
}

ps_err ps_wal_flush(struct ps_wal *wal, uint64_t lsn, struct ps_cancel *cancel)
{
    uint64_t durable = wal->durable;

    (void)cancel;
    wal->flushes++;
    if (wal->flush_err)
        return ps_fail((ps_err)wal->flush_err, "log flush fails as told");
    while (durable < lsn && !atomic_compare_exchange_weak(&wal->durable, &durable, lsn))
        continue;
    return PS_OK;
}

uint64_t ps_wal_tail_lsn(const struct ps_wal *wal)
{
    return wal->tail;
}

uint64_t ps_wal_durable_lsn(const struct ps_wal *wal)
{
    return wal->durable;
}

uint64_t ps_wal_redo_lsn(const struct ps_wal *wal)
{
    return wal->redo;
}

/* --- a place where threads can be made to wait ---------------------------------------------- */

struct fx_gate {
    pthread_mutex_t mtx;
    pthread_cond_t cond;
    bool closed;
    unsigned waiting;
};

static inline void fx_gate_pass(struct fx_gate *g)
{
    pthread_mutex_lock(&g->mtx);
    g->waiting++;
    pthread_cond_broadcast(&g->cond);
    while (g->closed)
        pthread_cond_wait(&g->cond, &g->mtx);
    g->waiting--;
    pthread_mutex_unlock(&g->mtx);
}

static inline void fx_gate_set(struct fx_gate *g, bool closed)
{
    pthread_mutex_lock(&g->mtx);
    g->closed = closed;
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->mtx);
}

/* Returns when that many threads stand at the closed gate. */
static inline void fx_gate_await(struct fx_gate *g, unsigned waiting)
{
    pthread_mutex_lock(&g->mtx);
    while (g->waiting < waiting)
        pthread_cond_wait(&g->cond, &g->mtx);
    pthread_mutex_unlock(&g->mtx);
}

/* --- a disk --------------------------------------------------------------------------------- */

struct fx {
    struct ps_provider provider; /* first */
    struct ps_io io;
    struct ps_io_ops io_ops;
    struct ps_wal wal;
    struct ps_poison poison;
    struct ps_pool *pool;
    uint8_t *disk; /* of FX_TABLES tables of FX_PAGES pages */
    _Atomic unsigned loads[FX_TABLES][FX_PAGES];
    _Atomic unsigned stores[FX_TABLES][FX_PAGES];
    _Atomic unsigned load_calls, store_calls, seals;
    bool drop_while_sealing;          /* what is being sealed is thrown away just then */
    _Atomic unsigned store_pages_max; /* in one call */
    _Atomic int load_err;             /* enum ps_err of the loads */
    _Atomic int store_err;
    _Atomic uint32_t store_err_page; /* only this one fails; UINT32_MAX: all */
    struct fx_gate load_gate, store_gate;
};

static inline struct ps_tag fx_tag(uint32_t table, uint32_t page)
{
    return (struct ps_tag){.table = table, .page = page};
}

static inline uint64_t fx_get(const uint8_t *page, uint32_t off)
{
    return ps_get64_at(page + off);
}

static inline void fx_put(uint8_t *page, uint32_t off, uint64_t value)
{
    const ps_le64 v = ps_put64(value);

    memcpy(page + off, &v, sizeof(v));
}

static inline uint64_t fx_sum(const uint8_t *page)
{
    uint64_t sum = 1;
    uint32_t off;

    for (off = 0; off < FX_PAGE_SIZE; off += 8)
        sum = off == 16 ? sum : sum * 31 + fx_get(page, off);
    return sum;
}

static inline uint8_t *fx_disk(struct fx *fx, const struct ps_tag *tag)
{
    assert_true(tag->table < FX_TABLES && tag->page < FX_PAGES);
    return fx->disk + ((size_t)tag->table * FX_PAGES + tag->page) * FX_PAGE_SIZE;
}

static inline void fx_load(struct ps_provider *p, struct ps_load *loads, size_t count)
{
    struct fx *fx = (struct fx *)p;
    size_t i;

    fx->load_calls++;
    fx_gate_pass(&fx->load_gate);
    for (i = 0; i < count; i++) {
        struct ps_load *l = &loads[i];

        assert_true(i == 0 || ps_tag_cmp(&loads[i - 1].tag, &l->tag) < 0);
        fx->loads[l->tag.table][l->tag.page]++;
        l->err = (ps_err)fx->load_err;
        if (l->err) {
            (void)ps_fail(l->err, "load fails as told");
            continue;
        }
        memcpy(l->buf, fx_disk(fx, &l->tag), FX_PAGE_SIZE);
        assert_int_equal(fx_get(l->buf, 16), fx_sum(l->buf));
        l->lsn = fx_get(l->buf, 0);
    }
}

static inline void fx_store(struct ps_provider *p, struct ps_store_page *pages, size_t count)
{
    struct fx *fx = (struct fx *)p;
    size_t i;

    fx->store_calls++;
    assert_false(fx->poison.set);
    if (fx->store_pages_max < count)
        fx->store_pages_max = (unsigned)count;
    fx_gate_pass(&fx->store_gate);
    for (i = 0; i < count; i++) {
        struct ps_store_page *s = &pages[i];

        assert_true(i == 0 || ps_tag_cmp(&pages[i - 1].tag, &s->tag) < 0);
        assert_true(s->lsn <= fx->wal.durable); /* the log rule */
        assert_int_equal(fx_get(s->buf, 16), fx_sum(s->buf));
        assert_int_equal((uintptr_t)s->buf % PS_IO_ALIGN, 0);
        fx->stores[s->tag.table][s->tag.page]++;
        if (fx->store_err_page == UINT32_MAX || fx->store_err_page == s->tag.page)
            s->err = (ps_err)fx->store_err;
        if (s->err)
            (void)ps_fail(s->err, "store fails as told");
        else
            memcpy(fx_disk(fx, &s->tag), s->buf, FX_PAGE_SIZE);
    }
}

static inline void fx_seal(struct ps_provider *p, const struct ps_tag *tag,
                           const struct ps_format *fmt, void *page)
{
    struct fx *fx = (struct fx *)p;

    (void)fmt;
    fx->seals++;
    if (fx->drop_while_sealing)
        ps_pool_drop(fx->pool, tag->provider, tag->table, tag->fork, tag->page, tag->page);
    fx_put(page, 16, fx_sum(page));
}

static const struct ps_provider_ops fx_provider_ops = {
    .load = fx_load, .store = fx_store, .seal = fx_seal};

static inline uint64_t fx_now_us(struct ps_io *io)
{
    (void)io;
    return 1000;
}

/* --- set-up --------------------------------------------------------------------------------- */

static inline void fx_init_gate(struct fx_gate *g)
{
    pthread_mutex_init(&g->mtx, NULL);
    pthread_cond_init(&g->cond, NULL);
}

static inline uint64_t fx_first_value(const struct ps_tag *tag)
{
    return tag->table * 1000000u + tag->page;
}

/* A disk full of sound pages: LSN 0, and their first values. */
static inline void fx_format(struct fx *fx)
{
    uint32_t t, n;

    for (t = 0; t < FX_TABLES; t++) {
        for (n = 0; n < FX_PAGES; n++) {
            const struct ps_tag tag = fx_tag(t, n);
            uint8_t *page = fx_disk(fx, &tag);

            memset(page, 0, FX_PAGE_SIZE);
            fx_put(page, 8, fx_first_value(&tag));
            fx_put(page, 16, fx_sum(page));
        }
    }
}

/* PS_TEST_POLICY names another one. */
static inline const struct ps_evict_ops *fx_policy(void)
{
    const char *name = getenv("PS_TEST_POLICY");
    const struct ps_evict_ops *policy = ps_evict_by_name(name ? name : "clock");

    assert_non_null(policy);
    return policy;
}

static inline struct fx *fx_create(uint32_t frames)
{
    struct fx *fx = calloc(1, sizeof(*fx));
    struct ps_pool_options opts = {
        .frames = frames, .page_size = FX_PAGE_SIZE, .policy = fx_policy()};

    assert_non_null(fx);
    fx->provider.ops = &fx_provider_ops;
    fx->io_ops.now_us = fx_now_us;
    fx->io_ops.wall_us = fx_now_us;
    fx->io.ops = &fx->io_ops;
    fx->disk = malloc((size_t)FX_TABLES * FX_PAGES * FX_PAGE_SIZE);
    fx->wal.bytes = malloc(FX_LOG_MAX);
    assert_non_null(fx->disk);
    assert_non_null(fx->wal.bytes);
    pthread_mutex_init(&fx->wal.mtx, NULL);
    fx->wal.tail = fx->wal.durable = fx->wal.redo = fx->wal.prev = FX_LOG_START;
    fx->store_err_page = UINT32_MAX;
    fx_init_gate(&fx->load_gate);
    fx_init_gate(&fx->store_gate);
    ps_poison_init(&fx->poison, NULL, NULL);
    fx_format(fx);
    opts.wal = &fx->wal;
    opts.io = &fx->io;
    opts.poison = &fx->poison;
    assert_int_equal(ps_pool_create(&opts, &fx->pool), PS_OK);
    ps_pool_set_provider(fx->pool, 0, &fx->provider);
    return fx;
}

static inline void fx_destroy(struct fx *fx)
{
    ps_pool_check(fx->pool);
    assert_int_equal(fx->wal.reserved, 0);
    ps_pool_destroy(fx->pool);
    ps_poison_deinit(&fx->poison);
    pthread_mutex_destroy(&fx->load_gate.mtx);
    pthread_cond_destroy(&fx->load_gate.cond);
    pthread_mutex_destroy(&fx->store_gate.mtx);
    pthread_cond_destroy(&fx->store_gate.cond);
    pthread_mutex_destroy(&fx->wal.mtx);
    free(fx->wal.bytes);
    free(fx->disk);
    free(fx);
}

/* A test's own pool, as its state. */
#define FX_FRAMES 16u

static inline int fx_setup(void **state)
{
    *state = fx_create(FX_FRAMES);
    return 0;
}

static inline int fx_teardown(void **state)
{
    fx_destroy(*state);
    return 0;
}

#define FX_TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

/* --- threads -------------------------------------------------------------------------------- */

/* One that does one thing. */
struct fx_actor {
    struct fx *fx;
    pthread_t thread;
    uint32_t table, page, count;
    struct ps_cancel cancel;
    ps_err err;
    _Atomic bool done;
    uint64_t value;
};

static inline void fx_start(struct fx_actor *a, struct fx *fx, void *(*body)(void *))
{
    a->fx = fx;
    assert_int_equal(pthread_create(&a->thread, NULL, body, a), 0);
}

static inline void fx_join(struct fx_actor *a)
{
    assert_int_equal(pthread_join(a->thread, NULL), 0);
}

/* --- what tests do over and over ------------------------------------------------------------ */

/* Marsaglia's xorshift64. */
static inline uint64_t fx_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static inline struct ps_page *fx_pin(struct fx *fx, uint32_t table, uint32_t page)
{
    const struct ps_tag tag = fx_tag(table, page);
    struct ps_page *ret = NULL;

    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_LOAD, NULL, &ret), PS_OK);
    return ret;
}

/* The page's value, pinned and latched for as long as that takes; in any thread. */
static inline ps_err fx_read(struct fx *fx, const struct ps_tag *tag, uint64_t *ret)
{
    struct ps_page *page = NULL;
    ps_err err = ps_pool_pin(fx->pool, tag, PS_PIN_LOAD, NULL, &page);

    if (err)
        return err;
    ps_page_latch_shared(fx->pool, page);
    *ret = fx_get(page->data, 8);
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    return PS_OK;
}

static inline void fx_touch(struct fx *fx, uint32_t table, uint32_t page)
{
    ps_pool_unpin(fx->pool, fx_pin(fx, table, page));
}

/* A change of a pinned, latched page as a group makes it, with an LSN of its own. */
static inline uint64_t fx_change_latched(struct fx *fx, struct ps_page *page, uint64_t value)
{
    uint64_t lsn;

    ps_pool_mark_dirty(fx->pool, page, fx->wal.tail);
    lsn = atomic_fetch_add(&fx->wal.tail, 8) + 8;
    fx_put(page->data, 8, value);
    fx_put(page->data, 0, lsn);
    ps_pool_changed(fx->pool, page, lsn);
    return lsn;
}

static inline uint64_t fx_change(struct fx *fx, uint32_t table, uint32_t page_no, uint64_t value)
{
    struct ps_page *page = fx_pin(fx, table, page_no);
    uint64_t lsn;

    ps_page_latch_exclusive(fx->pool, page);
    lsn = fx_change_latched(fx, page, value);
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    return lsn;
}

static inline uint64_t fx_disk_value(struct fx *fx, uint32_t table, uint32_t page)
{
    const struct ps_tag tag = fx_tag(table, page);

    return fx_get(fx_disk(fx, &tag), 8);
}

static inline struct ps_frame_info fx_info(struct fx *fx, uint32_t table, uint32_t page)
{
    const struct ps_tag tag = fx_tag(table, page);
    struct ps_frame_info info = {0};

    (void)ps_pool_peek(fx->pool, &tag, &info);
    return info;
}

static inline struct ps_pool_stats fx_stats(struct fx *fx)
{
    struct ps_pool_stats stats;

    ps_pool_get_stats(fx->pool, &stats);
    return stats;
}

static inline ps_err fx_flush(struct fx *fx)
{
    const struct ps_flush all = {.rec_lsn_below = UINT64_MAX};

    return ps_pool_flush(fx->pool, &all, NULL);
}

#endif
