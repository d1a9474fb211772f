/*
 * test_pool_map.c - the map from pages to frames, with pages that lie in a row and far apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "seed.h"

#define FRAMES 96u
#define PAGE_SIZE 4096u
#define TABLES 5u

struct bed {
    struct ps_provider provider; /* first */
    struct ps_pool *pool;
    uint64_t random;
};

static void load_names(struct ps_provider *p, struct ps_load *loads, size_t count)
{
    (void)p;
    for (size_t i = 0; i < count; i++) {
        memset(loads[i].buf, 0, PAGE_SIZE);
        memcpy(loads[i].buf, &loads[i].tag, sizeof(loads[i].tag));
        loads[i].lsn = 0;
        loads[i].fmt = NULL;
        loads[i].err = PS_OK;
    }
}

static uint64_t no_time(struct ps_io *io)
{
    (void)io;
    return 0;
}

static const struct ps_provider_ops provider_ops = {.load = load_names};
static const struct ps_io_ops io_ops = {.now_us = no_time};
static struct ps_io io = {.ops = &io_ops};

static int setup(void **state)
{
    struct bed *b = calloc(1, sizeof(*b));
    const struct ps_pool_options opts = {
        .frames = FRAMES, .page_size = PAGE_SIZE, .io = &io, .policy = &ps_evict_clock};

    assert_non_null(b);
    b->random = test_seed();
    b->provider.ops = &provider_ops;
    assert_int_equal(ps_pool_create(&opts, &b->pool), PS_OK);
    ps_pool_set_provider(b->pool, 0, &b->provider);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;

    ps_pool_check(b->pool);
    ps_pool_destroy(b->pool);
    free(b);
    return 0;
}

static uint32_t draw(struct bed *b, uint32_t below)
{
    b->random = b->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((b->random >> 33) % below);
}

static struct ps_page *pin(struct bed *b, const struct ps_tag *tag)
{
    struct ps_page *page = NULL;

    assert_int_equal(ps_pool_pin(b->pool, tag, PS_PIN_LOAD, NULL, &page), PS_OK);
    assert_memory_equal(page->data, tag, sizeof(*tag));
    return page;
}

/* Without a lock, and without anybody else: what is there is seen. */
static bool is_seen(struct bed *b, const struct ps_tag *tag)
{
    struct ps_peek peek;

    return ps_pool_optimistic(b->pool, tag, &peek) && ps_pool_optimistic_valid(&peek) &&
           memcmp(peek.bytes, tag, sizeof(*tag)) == 0;
}

/* Ever more pages than frames: near each other, or one of each thousand. */
static void random_walk(struct bed *b, uint32_t apart)
{
    for (uint32_t i = 0; i < 20000; i++) {
        const struct ps_tag tag = {.table = 1 + draw(b, TABLES),
                                   .fork = (uint16_t)draw(b, 2),
                                   .page = draw(b, 2 * FRAMES) * apart};
        struct ps_frame_info info;
        const bool resident = ps_pool_peek(b->pool, &tag, &info);

        assert_int_equal(is_seen(b, &tag), resident);
        ps_pool_unpin(b->pool, pin(b, &tag));
        assert_true(is_seen(b, &tag));
        if (draw(b, 100) == 0)
            ps_pool_drop(b->pool, 0, tag.table, tag.fork, tag.page, UINT32_MAX / 2 + tag.page / 2);
        if (draw(b, 500) == 0)
            ps_pool_check(b->pool);
    }
}

static void page_that_is_found_is_the_one_asked_for(void **state)
{
    struct bed *b = *state;

    random_walk(b, 1);
    random_walk(b, 1000);
    random_walk(b, 3);
    random_walk(b, UINT32_MAX / (2 * FRAMES));
}

static void resident_pages_are_seen_without_a_lock(void **state)
{
    struct bed *b = *state;

    for (uint32_t apart = 1; apart < 100000; apart *= 7) {
        ps_pool_drop_clean(b->pool);
        for (uint32_t i = 0; i < FRAMES; i++) {
            const struct ps_tag tag = {.table = 1 + i % TABLES, .page = UINT32_MAX - i * apart};

            ps_pool_unpin(b->pool, pin(b, &tag));
        }
        for (uint32_t i = 0; i < FRAMES; i++) {
            const struct ps_tag tag = {.table = 1 + i % TABLES, .page = UINT32_MAX - i * apart};

            assert_true(is_seen(b, &tag));
        }
        ps_pool_check(b->pool);
    }
}

static void what_was_read_is_not_valid_once_the_frame_has_another_page(void **state)
{
    const struct ps_tag tag = {.table = 1, .page = 7};
    struct bed *b = *state;
    struct ps_frame_info info;
    struct ps_peek peek;

    ps_pool_unpin(b->pool, pin(b, &tag));
    assert_true(ps_pool_optimistic(b->pool, &tag, &peek));
    for (uint32_t i = 0; ps_pool_peek(b->pool, &tag, &info); i++) {
        const struct ps_tag other = {.table = 2, .page = i};

        assert_true(ps_pool_optimistic_valid(&peek));
        ps_pool_unpin(b->pool, pin(b, &other));
    }
    assert_false(ps_pool_optimistic_valid(&peek));
    ps_pool_unpin(b->pool, pin(b, &tag));
    assert_false(ps_pool_optimistic_valid(&peek));
}

static void page_thrown_away_is_not_seen_though_it_is_pinned(void **state)
{
    const struct ps_tag tag = {.table = 1, .page = 7};
    struct bed *b = *state;
    struct ps_page *page = pin(b, &tag);
    struct ps_peek peek;

    assert_true(ps_pool_optimistic(b->pool, &tag, &peek));
    ps_pool_drop(b->pool, 0, tag.table, tag.fork, tag.page, tag.page);
    assert_false(ps_pool_optimistic_valid(&peek));
    assert_false(is_seen(b, &tag));
    ps_pool_unpin(b->pool, page);
}

static void pool_without_pages_sees_none(void **state)
{
    struct bed *b = *state;

    for (uint32_t i = 0; i < 1000; i++) {
        const struct ps_tag tag = {.table = i % TABLES, .page = i};

        assert_false(is_seen(b, &tag));
    }
}

/* More than the few bits of the state word hold. */
static void hits_are_counted_to_the_last_one(void **state)
{
    struct bed *b = *state;
    const struct ps_tag tag = {.table = 1, .page = 7};
    struct ps_frame_info info;

    for (uint32_t i = 1; i <= 1000; i++) {
        ps_pool_unpin(b->pool, pin(b, &tag));
        assert_true(ps_pool_peek(b->pool, &tag, &info));
        assert_int_equal(info.heat, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(page_that_is_found_is_the_one_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(resident_pages_are_seen_without_a_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_read_is_not_valid_once_the_frame_has_another_page,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(page_thrown_away_is_not_seen_though_it_is_pinned, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pool_without_pages_sees_none, setup, teardown),
        cmocka_unit_test_setup_teardown(hits_are_counted_to_the_last_one, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
