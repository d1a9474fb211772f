/*
 * test_writeback.c - how changed pages leave the pool: flushes, the cleaner, dirty victims, seals.
 */
#include "pool_fixture.h"

/* --- write-back ----------------------------------------------------------------------------- */

static void page_is_written_only_after_log_is_durable_to_its_lsn(void **state)
{
    struct fx *fx = *state;
    uint64_t lsn = fx_change(fx, 0, 1, 42);

    assert_true(fx->wal.durable < lsn);
    assert_int_equal(fx_flush(fx), PS_OK); /* fx_store asserts it for every page */
    assert_true(fx->wal.durable >= lsn);
    assert_int_equal(fx->stores[0][1], 1);
    assert_int_equal(fx_disk_value(fx, 0, 1), 42);
}

static void page_is_not_written_when_the_log_cannot_be_flushed(void **state)
{
    struct fx *fx = *state;

    fx_change(fx, 0, 1, 42);
    fx->wal.flush_err = PS_ERR_IO;
    assert_int_equal(fx_flush(fx), PS_ERR_IO);
    assert_int_equal(fx->store_calls, 0);
    assert_true(fx_info(fx, 0, 1).dirty);
    fx->wal.flush_err = PS_OK;
    assert_int_equal(fx_flush(fx), PS_OK);
}

static void flush_writes_in_order_in_batches_with_one_log_flush_each(void **state)
{
    struct fx *fx = fx_create(256);
    uint32_t i;

    (void)state;
    for (i = 0; i < 200; i++)
        fx_change(fx, i % 3, (i * 37) % 200, i);
    assert_int_equal(fx_flush(fx), PS_OK); /* fx_store asserts the order */
    assert_int_equal(fx->store_calls, 2);
    assert_int_equal(fx->store_pages_max, PS_POOL_BATCH_MAX);
    assert_true(fx->wal.flushes <= 2);
    assert_int_equal(fx_stats(fx).dirty, 0);
    assert_int_equal(fx_stats(fx).pages_written, 200);
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx->store_calls, 2); /* nothing was dirty any more */
    fx_destroy(fx);
}

static void flush_takes_only_what_matches(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag map_tag = {.table = 1, .fork = PS_FORK_MAP, .page = 4};
    struct ps_flush what = {
        .rec_lsn_below = UINT64_MAX, .one_table = true, .table = 1, .data_only = true};
    struct ps_page *page;
    uint64_t between;

    fx_change(fx, 0, 1, 10);
    fx_change(fx, 1, 1, 11);
    assert_int_equal(ps_pool_pin(fx->pool, &map_tag, PS_PIN_NEW, NULL, &page), PS_OK);
    fx_change_latched(fx, page, 12);
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    between = fx->wal.tail;
    fx_change(fx, 1, 2, 13);

    assert_int_equal(ps_pool_flush(fx->pool, &what, NULL), PS_OK);
    assert_int_equal(fx->stores[1][1], 1);
    assert_int_equal(fx->stores[1][2], 1);
    assert_int_equal(fx_stats(fx).dirty, 2);

    fx_change(fx, 1, 2, 14);
    what = (struct ps_flush){.rec_lsn_below = between};
    assert_int_equal(ps_pool_flush(fx->pool, &what, NULL), PS_OK);
    assert_int_equal(fx->stores[0][1], 1);
    assert_int_equal(fx->stores[1][2], 1);
    assert_int_equal(fx_stats(fx).dirty, 1);
}

static void count_pace(void *ctx, uint32_t done, uint32_t total)
{
    uint32_t *seen = ctx;

    assert_true(done <= total);
    seen[0]++;
    seen[1] = done;
    seen[2] = total;
}

static void flush_paces_between_batches(void **state)
{
    struct fx *fx = fx_create(256);
    uint32_t seen[3] = {0};
    const struct ps_flush what = {.rec_lsn_below = UINT64_MAX, .pace = count_pace, .ctx = seen};
    uint32_t i;

    (void)state;
    for (i = 0; i < 150; i++)
        fx_change(fx, 0, i, i);
    assert_int_equal(ps_pool_flush(fx->pool, &what, NULL), PS_OK);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 150);
    assert_int_equal(seen[2], 150);
    fx_destroy(fx);
}

static void failed_write_keeps_frame_dirty_with_oldest_rec_lsn(void **state)
{
    struct fx *fx = *state;
    uint64_t first = fx->wal.tail;

    fx_change(fx, 0, 1, 42);
    fx_change(fx, 0, 1, 43);
    fx->store_err = PS_ERR_IO;
    assert_int_equal(fx_flush(fx), PS_ERR_IO);
    assert_true(fx_info(fx, 0, 1).dirty);
    assert_false(fx_info(fx, 0, 1).writing);
    assert_int_equal(fx_info(fx, 0, 1).rec_lsn, first);
    assert_int_equal(fx_stats(fx).write_errors, 1);
    fx->store_err = PS_OK;
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx_disk_value(fx, 0, 1), 43);
    assert_false(fx_info(fx, 0, 1).dirty);
}

static void one_page_that_fails_does_not_keep_the_others_from_being_written(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    for (i = 0; i < 6; i++)
        fx_change(fx, 0, i, 70 + i);
    fx->store_err = PS_ERR_IO;
    fx->store_err_page = 2;
    assert_int_equal(fx_flush(fx), PS_ERR_IO);
    assert_int_equal(fx_stats(fx).dirty, 1);
    for (i = 0; i < 6; i++)
        assert_int_equal(fx_disk_value(fx, 0, i), i == 2 ? 2 : 70 + i);
}

static void nothing_is_stored_once_the_store_is_poisoned(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(1, 1);
    struct ps_page *page;
    uint32_t i;

    for (i = 0; i < FX_FRAMES; i++)
        fx_change(fx, 0, i, i);
    (void)ps_fail(PS_ERR_IO, "sync failed");
    (void)ps_poison_raise(&fx->poison);
    assert_int_equal(fx_flush(fx), PS_ERR_POISONED);
    assert_int_equal(ps_pool_clean_step(fx->pool, 8), 0);
    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_LOAD, NULL, &page), PS_ERR_POISONED);
    assert_int_equal(fx->store_calls, 0);
    assert_int_equal(fx_stats(fx).dirty, FX_FRAMES);
}

static void interrupted_flush_says_so_and_loses_nothing(void **state)
{
    struct fx *fx = fx_create(256);
    const struct ps_flush all = {.rec_lsn_below = UINT64_MAX};
    struct ps_cancel cancel;
    uint32_t i;

    (void)state;
    for (i = 0; i < 200; i++)
        fx_change(fx, 0, i, 900 + i);
    ps_cancel_init(&cancel);
    ps_cancel_raise(&cancel);
    assert_int_equal(ps_pool_flush(fx->pool, &all, &cancel), PS_ERR_INTERRUPTED);
    assert_true(fx_stats(fx).dirty > 0);
    assert_int_equal(fx_stats(fx).dirty + fx_stats(fx).pages_written, 200);
    ps_cancel_deinit(&cancel);
    assert_int_equal(fx_flush(fx), PS_OK);
    for (i = 0; i < 200; i++)
        assert_int_equal(fx_disk_value(fx, 0, i), 900 + i);
    fx_destroy(fx);
}

static void cleaner_makes_clean_what_the_hand_comes_to(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    for (i = 0; i < FX_FRAMES; i++)
        fx_change(fx, 0, 2 * i, 50 + i);
    assert_int_equal(ps_pool_clean_step(fx->pool, FX_FRAMES), 0); /* all were used just now */
    fx_touch(fx, 1, 0); /* the sweep takes the usage away, and frame 0 */
    assert_int_equal(fx_stats(fx).dirty_evictions, 1);
    assert_int_equal(ps_pool_clean_step(fx->pool, 4), 4);
    for (i = 1; i < 5; i++)
        assert_int_equal(fx_disk_value(fx, 0, 2 * i), 50 + i);
    assert_int_equal(fx_stats(fx).cleaner_pages, 4);
    fx_touch(fx, 1, 1);
    assert_int_equal(fx_stats(fx).dirty_evictions, 1); /* the victim was clean */
}

static void cleaner_writes_nothing_ahead_of_eviction_while_frames_are_free(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    /* one use does not keep a page from eviction */
    assert_int_equal(ps_pool_set_policy(fx->pool, ps_evict_by_name("s3fifo")), PS_OK);
    for (i = 0; i < FX_FRAMES / 2; i++)
        fx_change(fx, 0, i, 50 + i);
    assert_int_equal(ps_pool_clean_step(fx->pool, FX_FRAMES), 0);
    for (; i < FX_FRAMES; i++)
        fx_change(fx, 0, i, 50 + i);
    assert_true(ps_pool_clean_step(fx->pool, FX_FRAMES) > 0);
}

static void dirty_victim_takes_dirty_pages_behind_it_along(void **state)
{
    struct fx *fx = *state;
    struct ps_page *pinned;
    uint32_t i;

    for (i = 0; i < FX_FRAMES; i++)
        fx_change(fx, 0, i, 50 + i);
    pinned = fx_pin(fx, 0, 5);
    fx_touch(fx, 1, 0); /* frame 0 goes */
    assert_int_equal(fx_stats(fx).victim_writes, 5);
    assert_int_equal(fx->store_calls, 1);
    for (i = 0; i < 5; i++)
        assert_int_equal(fx_disk_value(fx, 0, i), 50 + i);
    assert_true(fx_info(fx, 0, 5).dirty); /* in use: not one that is gone soon */
    ps_pool_unpin(fx->pool, pinned);
}

static void cleaner_writes_what_has_not_changed_for_long(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    for (i = 0; i < 6; i++)
        fx_change(fx, 0, i, 50 + i);
    fx->wal.tail += FX_FRAMES * FX_PAGE_SIZE; /* the log goes on */
    fx_change(fx, 0, 1, 99);
    assert_int_equal(ps_pool_clean_step(fx->pool, FX_FRAMES), 0); /* but is not durable */
    fx->wal.durable = fx->wal.tail;
    assert_int_equal(ps_pool_clean_step(fx->pool, 2), 2);
    assert_int_equal(ps_pool_clean_step(fx->pool, FX_FRAMES), 3);
    assert_true(fx_info(fx, 0, 1).dirty);
    assert_int_equal(fx_stats(fx).dirty, 1);
}

static void cleaner_is_slower_to_write_what_changed_again(void **state)
{
    struct fx *fx = *state;
    uint32_t i, round;

    for (round = 0; round < 2; round++) {
        for (i = 0; i < 6; i++)
            fx_change(fx, 0, i, 50 + i + round);
        fx->wal.tail += FX_FRAMES / 2 * FX_PAGE_SIZE;
        fx->wal.durable = fx->wal.tail;
        assert_int_equal(ps_pool_clean_step(fx->pool, FX_FRAMES), round == 0 ? 6 : 0);
    }
    fx->wal.tail += FX_FRAMES * FX_PAGE_SIZE;
    fx->wal.durable = fx->wal.tail;
    assert_int_equal(ps_pool_clean_step(fx->pool, FX_FRAMES), 6);
}

static void cleaner_leaves_few_dirty_pages_alone(void **state)
{
    struct fx *fx = *state;

    fx_change(fx, 0, 1, 51);
    fx_change(fx, 0, 2, 52);
    fx->wal.tail += FX_FRAMES * FX_PAGE_SIZE;
    fx->wal.durable = fx->wal.tail;
    assert_int_equal(ps_pool_clean_step(fx->pool, FX_FRAMES), 0);
}

static void count_call(void *ctx)
{
    ++*(uint32_t *)ctx;
}

static void evictions_ask_for_cleaning_while_pages_are_dirty(void **state)
{
    struct fx *fx = *state;
    uint32_t i, asked = 0;

    fx->pool->want_clean = count_call;
    fx->pool->ctx = &asked;
    for (i = 0; i < 3 * FX_FRAMES; i++)
        fx_touch(fx, 0, i);
    assert_int_equal(asked, 0);
    for (i = 0; i < 2 * FX_FRAMES; i++)
        fx_change(fx, 1, i, i);
    assert_true(asked > 0 && asked < 2 * FX_FRAMES);
}

/* --- seals ---------------------------------------------------------------------------------- */

static void first_reader_after_a_change_seals_the_page(void **state)
{
    struct fx *fx = *state;
    struct ps_page *page = fx_pin(fx, 0, 1);

    ps_page_latch_shared_sealed(fx->pool, page);
    assert_int_equal(fx->seals, 0); /* it came sealed from disk */
    ps_page_unlatch(fx->pool, page);
    fx_change(fx, 0, 1, 4711);
    assert_false(fx_info(fx, 0, 1).sealed);
    ps_page_latch_shared_sealed(fx->pool, page);
    assert_int_equal(fx_get(page->data, 16), fx_sum(page->data));
    ps_page_unlatch(fx->pool, page);
    ps_page_latch_shared_sealed(fx->pool, page);
    ps_page_unlatch(fx->pool, page);
    assert_int_equal(fx->seals, 1);
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx->seals, 1); /* the copy needed none */
    ps_pool_unpin(fx->pool, page);
}

static void page_thrown_away_while_it_is_sealed_is_given_back(void **state)
{
    struct fx *fx = *state;
    struct ps_page *page = fx_pin(fx, 0, 1);
    uint32_t frame = ps_pool_frame_no(fx->pool, page);
    struct ps_frame_info info;

    fx_change(fx, 0, 1, 1);
    fx->drop_while_sealing = true;
    ps_page_latch_shared_sealed(fx->pool, page);
    fx->drop_while_sealing = false;
    assert_true(ps_page_detached(page));
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    ps_pool_frame_info(fx->pool, frame, &info);
    assert_false(info.valid || info.sealed || info.pins > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(page_is_written_only_after_log_is_durable_to_its_lsn),
        FX_TEST(page_is_not_written_when_the_log_cannot_be_flushed),
        FX_TEST(flush_writes_in_order_in_batches_with_one_log_flush_each),
        FX_TEST(flush_takes_only_what_matches),
        FX_TEST(flush_paces_between_batches),
        FX_TEST(failed_write_keeps_frame_dirty_with_oldest_rec_lsn),
        FX_TEST(one_page_that_fails_does_not_keep_the_others_from_being_written),
        FX_TEST(nothing_is_stored_once_the_store_is_poisoned),
        FX_TEST(interrupted_flush_says_so_and_loses_nothing),
        FX_TEST(cleaner_makes_clean_what_the_hand_comes_to),
        FX_TEST(cleaner_writes_nothing_ahead_of_eviction_while_frames_are_free),
        FX_TEST(dirty_victim_takes_dirty_pages_behind_it_along),
        FX_TEST(cleaner_writes_what_has_not_changed_for_long),
        FX_TEST(cleaner_is_slower_to_write_what_changed_again),
        FX_TEST(cleaner_leaves_few_dirty_pages_alone),
        FX_TEST(evictions_ask_for_cleaning_while_pages_are_dirty),
        FX_TEST(first_reader_after_a_change_seals_the_page),
        FX_TEST(page_thrown_away_while_it_is_sealed_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
