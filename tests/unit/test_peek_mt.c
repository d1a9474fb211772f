/*
 * test_peek_mt.c - reads of pages without pin and latch, while threads change and throw away pages.
 */
#include "pool_fixture.h"

#include "seed.h"

/* --- optimistic reads ------------------------------------------------------------------------ */

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACES_ON_PURPOSE __attribute__((no_sanitize("thread")))
#endif
#elif defined(__SANITIZE_THREAD__)
#define RACES_ON_PURPOSE __attribute__((no_sanitize("thread")))
#endif
#ifndef RACES_ON_PURPOSE
#define RACES_ON_PURPOSE
#endif

#define PEEKS 20000u

/* Writes one value all over a page, again and again, until told to stop. */
static void *fill_page(void *arg)
{
    struct fx_actor *a = arg;
    const struct ps_tag tag = {.table = 1, .page = a->page};
    uint8_t value = 0;

    while (!a->done) {
        struct ps_page *page;

        MUST(ps_pool_pin(a->fx->pool, &tag, PS_PIN_LOAD, NULL, &page) == PS_OK);
        ps_page_latch_exclusive(a->fx->pool, page);
        memset(page->data + 24, ++value, FX_PAGE_SIZE - 24);
        ps_page_unlatch(a->fx->pool, page);
        ps_pool_unpin(a->fx->pool, page);
        sched_yield();
    }
    return NULL;
}

RACES_ON_PURPOSE static bool all_the_same(const volatile uint8_t *bytes)
{
    uint32_t i;

    for (i = 25; i < FX_PAGE_SIZE; i++)
        if (bytes[i] != bytes[24])
            return false;
    return true;
}

static void what_an_optimistic_read_calls_valid_is_of_one_moment(void **state)
{
    struct fx_actor writer = {.page = 7};
    const struct ps_tag tag = {.table = 1, .page = 7};
    uint32_t i, valid = 0, mixed = 0;
    struct ps_peek peek;

    fx_start(&writer, *state, fill_page);
    for (i = 0; i < PEEKS || valid == 0; i++) {
        bool same;

        if (!ps_pool_optimistic(writer.fx->pool, &tag, &peek)) {
            sched_yield();
            continue;
        }
        same = all_the_same(peek.bytes);
        if (!ps_pool_optimistic_valid(&peek) || peek.changes == 0) /* 0: as it was loaded */
            continue;
        valid++;
        mixed += !same;
    }
    writer.done = true;
    fx_join(&writer);
    assert_int_equal(mixed, 0);
}

/* --- look-ups while pages come and go --------------------------------------------------------- */

#define CHURN_PAGES 40u
#define CHURN_READS 30000u

/* Near each other and in several tables: runs of the map empty, and become those of others. */
static struct ps_tag churn_tag(uint64_t r)
{
    return fx_tag((uint32_t)(r >> 33) % FX_TABLES, (uint32_t)(r >> 40) % CHURN_PAGES);
}

static void *read_and_drop(void *arg)
{
    struct fx_actor *a = arg;
    uint64_t random = a->value;

    while (!a->done) {
        const uint64_t r = fx_random(&random);
        const struct ps_tag tag = churn_tag(r);
        uint64_t value = 0;

        if (r % 4 == 0) {
            ps_pool_drop(a->fx->pool, 0, tag.table, PS_FORK_DATA, tag.page, tag.page);
            continue;
        }
        MUST(fx_read(a->fx, &tag, &value) == PS_OK);
        MUST(value == fx_first_value(&tag));
    }
    return NULL;
}

RACES_ON_PURPOSE static uint64_t peek_value(const volatile uint8_t *page)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | page[8 + i];
    return value;
}

static void look_ups_find_the_page_asked_for_while_frames_change_pages(void **state)
{
    struct fx_actor churners[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    struct fx *fx = *state;
    uint64_t random = test_seed() | 1;
    uint32_t i, wrong = 0;

    for (i = 0; i < 3; i++)
        fx_start(&churners[i], fx, read_and_drop);
    for (i = 0; i < CHURN_READS; i++) {
        const struct ps_tag tag = churn_tag(fx_random(&random));
        struct ps_peek peek;
        uint64_t value;

        if (!ps_pool_optimistic(fx->pool, &tag, &peek))
            continue;
        value = peek_value(peek.bytes);
        wrong += ps_pool_optimistic_valid(&peek) && value != fx_first_value(&tag);
    }
    for (i = 0; i < 3; i++) {
        churners[i].done = true;
        fx_join(&churners[i]);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(what_an_optimistic_read_calls_valid_is_of_one_moment),
        FX_TEST(look_ups_find_the_page_asked_for_while_frames_change_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
