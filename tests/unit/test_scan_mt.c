/*
 * test_scan_mt.c - scans of large tables of files that others made: which pages they leave in the
 * pool, with pages loaded ahead by the store's own threads.
 */
#include <pthread.h>

#include "foreign_bed.h"
#include "pool/pool.h"

#define FRAMES 512u /* of the pool of 4 MiB */
#define LARGE 1000u
#define MIDDLE 200u /* more than a quarter of the pool, less than all of it */
#define SMALL 100u
#define STEP 16u /* pages of one read */
#define SCANNERS 3u

/* The table `rel` of so many pages, in a store that has threads. */
static struct ps_table *cold_table(struct world *w, uint32_t pages)
{
    begin(w);
    put_pages(w, "rel", 0, pages, 0);
    add(w, "rel");
    open_store(w, w->dir);
    return table(w, 1);
}

static void close_table(struct world *w, struct ps_table *t)
{
    ps_table_unref(t);
    end(w);
}

/* Reads pages [first, first + count) as STEPs in a row; how many are not what the file has. */
static uint32_t read_wrong(struct ps_table *t, uint32_t first, uint32_t count)
{
    uint8_t *bytes = malloc(STEP * PAGE);
    uint32_t wrong = 0;

    assert_non_null(bytes);
    for (uint32_t at = first; at < first + count; at += STEP) {
        const uint32_t n = first + count - at < STEP ? first + count - at : STEP;
        size_t got = 0;
        ps_err err = ps_read(t, PS_SPACE_IMAGE, (uint64_t)at * PAGE, bytes, n * PAGE, NULL, &got);

        wrong += err || got != n * PAGE;
        for (uint32_t i = 0; i < n; i++)
            wrong += bytes[i * PAGE + PAGE / 2] != (uint8_t)(at + i);
    }
    free(bytes);
    return wrong;
}

static void scan(struct ps_table *t, uint32_t pages)
{
    assert_int_equal(read_wrong(t, 0, pages), 0);
}

static bool is_resident(struct ps_table *t, uint32_t page_no)
{
    const struct ps_tag tag = {.table = ps_table_id(t), .page = page_no};
    struct ps_frame_info info;

    return ps_pool_peek(ps_store_pool(ps_table_store(t)), &tag, &info);
}

static uint32_t resident(struct ps_table *t, uint32_t pages)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < pages; i++)
        count += is_resident(t, i);
    return count;
}

static struct ps_pool_stats pool_stats(struct world *w)
{
    struct ps_pool_stats stats;

    ps_pool_get_stats(ps_store_pool(w->store), &stats);
    return stats;
}

static void scan_of_a_large_table_goes_on_in_the_frames_it_began_with(void **state)
{
    struct world w;
    struct ps_table *t = cold_table(&w, LARGE);

    (void)state;
    scan(t, LARGE);
    assert_int_equal(pool_stats(&w).evictions, 0);
    assert_true(resident(t, LARGE) < FRAMES);
    assert_true(pool_stats(&w).valid < FRAMES);
    close_table(&w, t);
}

static void large_table_that_is_read_again_stays(void **state)
{
    struct world w;
    struct ps_table *t = cold_table(&w, MIDDLE);
    uint64_t loaded;

    (void)state;
    scan(t, MIDDLE);
    assert_false(is_resident(t, 0));
    scan(t, MIDDLE);
    assert_int_equal(resident(t, MIDDLE), MIDDLE);
    loaded = pool_stats(&w).pages_loaded;
    scan(t, MIDDLE);
    assert_int_equal(pool_stats(&w).pages_loaded, loaded);
    close_table(&w, t);
}

static void small_table_stays_at_once(void **state)
{
    struct world w;
    struct ps_table *t = cold_table(&w, SMALL);

    (void)state;
    scan(t, SMALL);
    assert_int_equal(resident(t, SMALL), SMALL);
    assert_int_equal(pool_stats(&w).pages_loaded, SMALL);
    close_table(&w, t);
}

/* What was read before the scan comes by is not the scan's to let go; nor is what is pinned. */
static void scan_leaves_pages_that_others_use(void **state)
{
    const struct ps_tag pinned = {.table = 1, .page = 150};
    struct ps_page *page = NULL;
    struct world w;
    struct ps_table *t = cold_table(&w, LARGE);

    (void)state;
    expect_mark(t, 40, 40);
    ok(ps_pool_pin_long(ps_store_pool(w.store), &pinned, NULL, &page));
    scan(t, LARGE);
    assert_true(is_resident(t, 40));
    assert_true(is_resident(t, 150));
    assert_true(resident(t, LARGE) < FRAMES);
    assert_int_equal(page->data[PAGE / 2], 150);
    ps_pool_unpin_long(ps_store_pool(w.store), page);
    close_table(&w, t);
}

static void few_pages_in_a_row_are_no_scan(void **state)
{
    struct world w;
    struct ps_table *t = cold_table(&w, LARGE);

    (void)state;
    assert_int_equal(read_wrong(t, 500, 3 * STEP), 0);
    assert_int_equal(read_wrong(t, 100, 3 * STEP), 0);
    for (uint32_t i = 0; i < 3 * STEP; i++)
        assert_true(is_resident(t, 500 + i) && is_resident(t, 100 + i));
    close_table(&w, t);
}

/* --- several at a time ---------------------------------------------------------------------- */

struct scanner {
    struct ps_table *t;
    uint32_t first;
    uint32_t wrong; /* the thread's, until it is joined */
};

/* All of the table three times, each time from a page of its own. */
static void *scan_from(void *arg)
{
    struct scanner *s = arg;

    for (uint32_t round = 0; round < 3; round++) {
        s->wrong += read_wrong(s->t, s->first, LARGE - s->first);
        s->wrong += read_wrong(s->t, 0, s->first);
    }
    return NULL;
}

static void scans_beside_each_other_read_what_the_file_has(void **state)
{
    struct scanner scanners[SCANNERS] = {0};
    pthread_t threads[SCANNERS];
    struct world w;
    struct ps_table *t = cold_table(&w, LARGE);

    (void)state;
    for (uint32_t i = 0; i < SCANNERS; i++) {
        scanners[i].t = t;
        scanners[i].first = i * 300;
        assert_int_equal(pthread_create(&threads[i], NULL, scan_from, &scanners[i]), 0);
    }
    for (uint32_t i = 0; i < SCANNERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(scanners[i].wrong, 0);
    }
    close_table(&w, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_of_a_large_table_goes_on_in_the_frames_it_began_with),
        cmocka_unit_test(large_table_that_is_read_again_stays),
        cmocka_unit_test(small_table_stays_at_once),
        cmocka_unit_test(scan_leaves_pages_that_others_use),
        cmocka_unit_test(few_pages_in_a_row_are_no_scan),
        cmocka_unit_test(scans_beside_each_other_read_what_the_file_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
