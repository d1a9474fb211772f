/*
 * test_pool.c - pins, victims and reservations of one thread.
 */
#include "pool_fixture.h"

/* --- pins ----------------------------------------------------------------------------------- */

static void pin_miss_reads_page_once(void **state)
{
    struct fx *fx = *state;
    struct ps_page *page = fx_pin(fx, 1, 7);

    assert_int_equal(fx_get(page->data, 8), 1000007);
    assert_int_equal(page->tag.page, 7);
    assert_int_equal(page->tag.table, 1);
    assert_ptr_equal(fx_pin(fx, 1, 7), page);
    assert_int_equal(fx->loads[1][7], 1);
    assert_int_equal(fx_stats(fx).hits, 1);
    assert_int_equal(fx_stats(fx).misses, 1);
    assert_int_equal(fx_stats(fx).pages_loaded, 1);
    assert_int_equal(fx_info(fx, 1, 7).pins, 2);
    ps_pool_unpin(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
}

static void pages_of_one_number_in_two_tables_are_two_pages(void **state)
{
    struct fx *fx = *state;
    struct ps_page *a = fx_pin(fx, 0, 7);
    struct ps_page *b = fx_pin(fx, 2, 7);

    assert_ptr_not_equal(a, b);
    assert_int_equal(fx_get(a->data, 8), 7);
    assert_int_equal(fx_get(b->data, 8), 2000007);
    ps_pool_unpin(fx->pool, a);
    ps_pool_unpin(fx->pool, b);
}

static void tags_are_ordered_by_provider_table_fork_page(void **state)
{
    static const struct ps_tag sorted[] = {{0, 0, 1, 9}, {0, 1, 1, 3}, {0, 0, 2, 1},
                                           {0, 0, 2, 2}, {1, 0, 0, 0}, {1, 1, 0, 0}};
    size_t i, k;

    (void)state;
    for (i = 0; i < 6; i++) {
        for (k = 0; k < 6; k++)
            assert_int_equal(ps_tag_cmp(&sorted[i], &sorted[k]), (i > k) - (i < k));
    }
}

static void resident_pin_of_a_missing_page_is_noent_and_reads_nothing(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 3);
    struct ps_page *page = NULL;

    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_RESIDENT, NULL, &page), PS_ERR_NOENT);
    assert_null(page);
    assert_int_equal(fx->load_calls, 0);
    fx_touch(fx, 0, 3);
    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_RESIDENT, NULL, &page), PS_OK);
    ps_pool_unpin(fx->pool, page);
}

static void failed_load_leaves_nothing_pinned_and_the_next_pin_reads_again(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 3);
    struct ps_page *page = NULL;

    fx->load_err = PS_ERR_CORRUPT;
    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_LOAD, NULL, &page), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(), "load fails as told");
    assert_null(page);
    assert_int_equal(fx_stats(fx).pinned, 0);
    assert_int_equal(fx_stats(fx).valid, 0);
    assert_int_equal(fx_stats(fx).load_errors, 1);
    fx->load_err = PS_OK;
    fx_touch(fx, 0, 3);
    assert_int_equal(fx->loads[0][3], 2);
}

static void pin_many_reads_all_that_is_missing_in_one_batch(void **state)
{
    struct fx *fx = *state;
    struct ps_tag tags[8];
    struct ps_page *pages[8];
    ps_err errs[8];
    uint32_t i;

    fx_touch(fx, 0, 2);
    fx_touch(fx, 0, 5);
    fx->load_calls = 0;
    for (i = 0; i < 8; i++)
        tags[i] = fx_tag(0, i);
    assert_int_equal(ps_pool_pin_many(fx->pool, tags, 8, pages, errs), PS_OK);
    assert_int_equal(fx->load_calls, 1);
    for (i = 0; i < 8; i++) {
        assert_int_equal(errs[i], PS_OK);
        assert_int_equal(fx_get(pages[i]->data, 8), i);
        assert_int_equal(fx->loads[0][i], 1);
        ps_pool_unpin(fx->pool, pages[i]);
    }
}

static void pin_many_keeps_what_it_has_and_names_what_it_has_not(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tags[3] = {fx_tag(0, 1), fx_tag(0, 2), fx_tag(0, 3)};
    struct ps_page *pages[3];
    ps_err errs[3];

    fx_touch(fx, 0, 2);
    fx->load_err = PS_ERR_IO;
    assert_int_equal(ps_pool_pin_many(fx->pool, tags, 3, pages, errs), PS_ERR_IO);
    assert_null(pages[0]);
    assert_int_equal(errs[0], PS_ERR_IO);
    assert_int_equal(errs[1], PS_OK);
    assert_null(pages[2]);
    assert_int_equal(errs[2], PS_ERR_IO);
    ps_pool_unpin(fx->pool, pages[1]);
    assert_int_equal(fx_stats(fx).pinned, 0);
}

/* Page 9 of file 0, pinned without having been read, and latched. */
static void assert_is_fresh(const struct fx *fx, const struct ps_page *page)
{
    assert_int_equal(fx->loads[0][9], 0);
    assert_ptr_equal(page->fmt, &ps_format_native);
    assert_int_equal(page->lsn, 0);
}

static void assert_change_reaches_the_disk(struct fx *fx, struct ps_page *page)
{
    fx_change_latched(fx, page, 99);
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    assert_true(fx_info(fx, 0, 9).dirty);
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx_disk_value(fx, 0, 9), 99);
}

/* --- new pages ------------------------------------------------------------------------------ */

static void new_page_is_zeroed_latched_and_never_read(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 9);
    struct ps_page *page;
    uint32_t i;

    for (i = 0; i < FX_FRAMES; i++)
        fx_touch(fx, 1, i); /* frames that are not zero any more */
    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_NEW, &ps_format_native, &page), PS_OK);
    assert_is_fresh(fx, page);
    for (i = 0; i < FX_PAGE_SIZE; i++)
        assert_int_equal(page->data[i], 0);
    assert_change_reaches_the_disk(fx, page);
}

static void overwritten_page_is_latched_and_never_read(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 9);
    struct ps_page *page;

    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_OVERWRITE, &ps_format_native, &page),
                     PS_OK);
    assert_is_fresh(fx, page);
    memset(page->data, 0, FX_PAGE_SIZE);
    assert_change_reaches_the_disk(fx, page);
}

static void overwritten_page_that_is_not_written_is_taken_back(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 9);
    struct ps_page *page;

    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_OVERWRITE, NULL, &page), PS_OK);
    ps_page_unlatch(fx->pool, page);
    assert_true(ps_page_detached(page));
    ps_pool_unpin(fx->pool, page);
    page = fx_pin(fx, 0, 9);
    assert_int_equal(fx_get(page->data, 8), 9); /* as on disk */
    ps_pool_unpin(fx->pool, page);
}

static void new_page_that_is_not_written_is_taken_back(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 9);
    struct ps_page *page;

    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_NEW, NULL, &page), PS_OK);
    ps_page_unlatch(fx->pool, page);
    assert_true(ps_page_detached(page));
    ps_pool_unpin(fx->pool, page);
    assert_int_equal(fx_stats(fx).valid, 0);
    page = fx_pin(fx, 0, 9);
    assert_int_equal(fx_get(page->data, 8), 9); /* as on disk, not zeros */
    ps_pool_unpin(fx->pool, page);
}

static void new_pin_of_a_resident_page_keeps_its_bytes_and_latches_it(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 9);
    struct ps_page *page;

    fx_touch(fx, 0, 9);
    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_NEW, NULL, &page), PS_OK);
    assert_int_equal(fx_get(page->data, 8), 9);
    assert_false(ps_rwlock_tryrdlock(&ps_frame_cold(fx->pool, ps_frame_of(page))->latch));
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    assert_true(fx_info(fx, 0, 9).valid);
}

static void populate_leaves_what_frames_hold(void **state)
{
    struct fx *fx = *state;
    struct ps_page *page;
    uint32_t i;

    for (i = 0; i < FX_FRAMES / 2; i++)
        fx_touch(fx, 0, i);
    ps_pool_populate(fx->pool, 0, FX_FRAMES);
    ps_pool_populate(fx->pool, 1, FX_FRAMES - 1);
    for (i = 0; i < FX_FRAMES / 2; i++) {
        page = fx_pin(fx, 0, i);
        assert_int_equal(fx_get(page->data, 8), i);
        ps_pool_unpin(fx->pool, page);
        assert_int_equal(fx->loads[0][i], 1);
    }
}

/* --- victims -------------------------------------------------------------------------------- */

static void evict_skips_pinned_frames(void **state)
{
    struct fx *fx = *state;
    struct ps_page *kept[FX_FRAMES - 1];
    uint32_t i;

    for (i = 0; i < FX_FRAMES - 1; i++)
        kept[i] = fx_pin(fx, 0, i);
    for (i = 100; i < 150; i++)
        fx_touch(fx, 0, i);
    for (i = 0; i < FX_FRAMES - 1; i++) {
        assert_int_equal(kept[i]->tag.page, i);
        assert_int_equal(fx_get(kept[i]->data, 8), i);
        assert_int_equal(fx->loads[0][i], 1);
        ps_pool_unpin(fx->pool, kept[i]);
    }
    assert_int_equal(fx_stats(fx).evictions, 49);
    assert_int_equal(fx_stats(fx).dirty_evictions, 0);
    assert_true(fx_stats(fx).victims_pinned >= 49 * (FX_FRAMES - 1)); /* each round of the hand */
    assert_int_equal(fx_stats(fx).victims_writing, 0);
}

static void flush_counts_its_batches_and_the_frames_under_write_back(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    for (i = 0; i < 3; i++)
        fx_change(fx, 0, i, 7);
    assert_int_equal(fx_flush(fx), PS_OK);
    fx_change(fx, 0, 0, 8);
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx_stats(fx).write_batches, 2);
    assert_int_equal(fx_stats(fx).pages_written, 4);
    assert_int_equal(fx_stats(fx).writing_max, 3);
    assert_int_equal(fx_stats(fx).writing, 0);
}

static void evicted_dirty_page_comes_back_with_its_change(void **state)
{
    struct fx *fx = *state;
    struct ps_page *page;
    uint32_t i;

    fx_change(fx, 0, 5, 12345);
    for (i = 100; i < 100 + 2 * FX_FRAMES; i++)
        fx_touch(fx, 0, i);
    assert_false(fx_info(fx, 0, 5).valid);
    assert_int_equal(fx_stats(fx).dirty_evictions, 1);
    page = fx_pin(fx, 0, 5);
    assert_int_equal(fx_get(page->data, 8), 12345);
    assert_int_equal(page->lsn, fx_get(page->data, 0));
    ps_pool_unpin(fx->pool, page);
}

static void reads_go_on_while_dirty_pages_cannot_be_written(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    for (i = 0; i < FX_FRAMES - 2; i++)
        fx_change(fx, 0, i, 5000 + i);
    fx->store_err = PS_ERR_NOSPC;
    for (i = 100; i < 200; i++)
        fx_touch(fx, 0, i); /* asserts success: two clean frames take turns */
    assert_int_equal(fx_stats(fx).dirty, FX_FRAMES - 2);
    fx->store_err = PS_OK;
    assert_int_equal(fx_flush(fx), PS_OK);
    for (i = 0; i < FX_FRAMES - 2; i++)
        assert_int_equal(fx_disk_value(fx, 0, i), 5000 + i);
}

static void pin_fails_with_the_write_error_when_no_clean_frame_is_left(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(1, 1);
    struct ps_page *page = NULL;
    uint32_t i;

    for (i = 0; i < FX_FRAMES; i++)
        fx_change(fx, 0, i, 5000 + i);
    fx->store_err = PS_ERR_NOSPC;
    assert_int_equal(ps_pool_pin(fx->pool, &tag, PS_PIN_LOAD, NULL, &page), PS_ERR_NOSPC);
    assert_null(page);
    assert_int_equal(fx_stats(fx).dirty, FX_FRAMES);
    assert_int_equal(fx_stats(fx).pinned, 0);
    fx->store_err = PS_OK;
    fx_touch(fx, 1, 1);
}

static void drop_clean_empties_the_pool_but_for_dirty_and_pinned_frames(void **state)
{
    struct fx *fx = *state;
    struct ps_page *pinned = fx_pin(fx, 0, 1);
    uint32_t i;

    for (i = 2; i < 8; i++)
        fx_touch(fx, 0, i);
    fx_change(fx, 0, 9, 1);
    assert_int_equal(ps_pool_drop_clean(fx->pool), 6);
    assert_int_equal(fx_stats(fx).valid, 2);
    assert_true(fx_info(fx, 0, 1).valid);
    assert_true(fx_info(fx, 0, 9).valid);
    ps_pool_unpin(fx->pool, pinned);
}

/* --- drop ----------------------------------------------------------------------------------- */

static void dropped_pinned_frame_is_detached(void **state)
{
    struct fx *fx = *state;
    struct ps_page *old = fx_pin(fx, 0, 3);
    struct ps_page *fresh;

    ps_pool_drop(fx->pool, 0, 0, PS_FORK_DATA, 0, UINT32_MAX);
    assert_true(ps_page_detached(old));
    assert_int_equal(fx_get(old->data, 8), 3); /* the holder keeps the bytes */
    fresh = fx_pin(fx, 0, 3);
    assert_ptr_not_equal(fresh, old);
    assert_int_equal(fx->loads[0][3], 2);
    assert_false(ps_page_detached(fresh));
    ps_pool_unpin(fx->pool, old);
    ps_pool_unpin(fx->pool, fresh);
    assert_int_equal(fx_stats(fx).valid, 1);
}

static void drop_throws_changes_away_and_only_those_in_range(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    for (i = 1; i <= 5; i++)
        fx_change(fx, 0, i, 60 + i);
    fx_change(fx, 1, 3, 63);
    ps_pool_drop(fx->pool, 0, 0, PS_FORK_DATA, 2, 4);
    assert_int_equal(fx_stats(fx).dirty, 3);
    assert_int_equal(fx_flush(fx), PS_OK);
    for (i = 1; i <= 5; i++)
        assert_int_equal(fx_disk_value(fx, 0, i), i >= 2 && i <= 4 ? i : 60 + i);
    assert_int_equal(fx_disk_value(fx, 1, 3), 63);
}

static void change_of_a_detached_page_makes_nothing_dirty(void **state)
{
    struct fx *fx = *state;
    struct ps_page *page = fx_pin(fx, 0, 3);

    ps_pool_drop(fx->pool, 0, 0, PS_FORK_DATA, 3, 3);
    ps_page_latch_exclusive(fx->pool, page);
    fx_change_latched(fx, page, 1);
    ps_page_unlatch(fx->pool, page);
    ps_pool_unpin(fx->pool, page);
    assert_int_equal(fx_stats(fx).dirty, 0);
    assert_int_equal(fx_flush(fx), PS_OK);
    assert_int_equal(fx->store_calls, 0);
}

/* --- reservations --------------------------------------------------------------------------- */

static void reservation_of_more_than_the_pool_is_out_of_range(void **state)
{
    struct fx *fx = *state;

    assert_int_equal(ps_pool_reserve(fx->pool, FX_FRAMES + 1, NULL), PS_ERR_RANGE);
    assert_int_equal(ps_pool_reserve(fx->pool, FX_FRAMES, NULL), PS_OK);
    assert_int_equal(fx_stats(fx).reserved, FX_FRAMES);
    ps_pool_release(fx->pool, FX_FRAMES);
}

static void all_frames_long_pinned_is_an_error_not_a_hang(void **state)
{
    struct fx *fx = *state;
    struct ps_page *pages[FX_FRAMES];
    struct ps_page *more = NULL;
    struct ps_tag tag;
    uint32_t i;

    fx_touch(fx, 0, FX_FRAMES - 1);
    for (i = 0; i < FX_FRAMES; i++) {
        tag = fx_tag(0, i);
        assert_int_equal(ps_pool_pin_long(fx->pool, &tag, NULL, &pages[i]), PS_OK);
    }
    tag = fx_tag(0, 200);
    assert_int_equal(ps_pool_pin_long(fx->pool, &tag, NULL, &more), PS_ERR_PINNED);
    assert_null(more);
    assert_int_equal(ps_pool_reserve(fx->pool, 1, NULL), PS_ERR_PINNED);
    assert_int_equal(fx_stats(fx).pins_refused, 2);
    assert_int_equal(fx_stats(fx).long_pins, FX_FRAMES);
    for (i = 0; i < FX_FRAMES; i++)
        ps_pool_unpin_long(fx->pool, pages[i]);
    assert_int_equal(ps_pool_pin_long(fx->pool, &tag, NULL, &more), PS_OK);
    ps_pool_unpin_long(fx->pool, more);
}

static void last_frame_is_long_pinned_only_for_a_resident_page(void **state)
{
    struct fx *fx = *state;
    struct ps_page *pages[FX_FRAMES];
    struct ps_tag tag;
    uint32_t i;

    for (i = 0; i < FX_FRAMES - 1; i++) {
        tag = fx_tag(0, i);
        assert_int_equal(ps_pool_pin_long(fx->pool, &tag, NULL, &pages[i]), PS_OK);
    }
    tag = fx_tag(0, 100);
    assert_int_equal(ps_pool_pin_long(fx->pool, &tag, NULL, &pages[i]), PS_ERR_PINNED);
    assert_int_equal(fx->loads[0][100], 0);
    for (i = 0; i < FX_FRAMES - 1; i++)
        ps_pool_unpin_long(fx->pool, pages[i]);
}

static void two_long_pins_of_one_page_take_one_frame(void **state)
{
    struct fx *fx = *state;
    const struct ps_tag tag = fx_tag(0, 1);
    struct ps_page *a, *b;

    assert_int_equal(ps_pool_pin_long(fx->pool, &tag, NULL, &a), PS_OK);
    assert_int_equal(ps_pool_pin_long(fx->pool, &tag, NULL, &b), PS_OK);
    assert_ptr_equal(a, b);
    assert_int_equal(ps_pool_reserve(fx->pool, FX_FRAMES - 1, NULL), PS_OK);
    ps_pool_release(fx->pool, FX_FRAMES - 1);
    assert_int_equal(ps_pool_reserve(fx->pool, FX_FRAMES, NULL), PS_ERR_PINNED);
    ps_pool_unpin_long(fx->pool, a);
    ps_pool_unpin_long(fx->pool, b);
    assert_int_equal(ps_pool_reserve(fx->pool, FX_FRAMES, NULL), PS_OK);
    ps_pool_release(fx->pool, FX_FRAMES);
}

static void raised_token_ends_a_wait_for_frames_at_once(void **state)
{
    struct fx *fx = *state;
    struct ps_cancel cancel;

    ps_cancel_init(&cancel);
    ps_cancel_raise(&cancel);
    assert_int_equal(ps_pool_reserve(fx->pool, FX_FRAMES, &cancel), PS_OK); /* no wait was needed */
    assert_int_equal(ps_pool_reserve(fx->pool, 1, &cancel), PS_ERR_INTERRUPTED);
    ps_pool_release(fx->pool, FX_FRAMES);
    assert_int_equal(fx_stats(fx).reserve_waits, 0); /* it did not queue */
    ps_cancel_deinit(&cancel);
}

/* --- the rest ------------------------------------------------------------------------------- */

static void pool_is_refused_for_senseless_sizes(void **state)
{
    struct fx *fx = *state;
    struct ps_pool_options opts = {.frames = 7,
                                   .page_size = 8192,
                                   .policy = &ps_evict_clock,
                                   .poison = &fx->poison,
                                   .io = &fx->io};
    struct ps_pool *pool = NULL;

    assert_int_equal(ps_pool_create(&opts, &pool), PS_ERR_INVAL);
    opts = (struct ps_pool_options){.frames = 8, .page_size = 12288, .policy = &ps_evict_clock};
    assert_int_equal(ps_pool_create(&opts, &pool), PS_ERR_INVAL);
    assert_null(pool);
}

static void frame_info_tells_what_stands_in_a_frame(void **state)
{
    struct fx *fx = *state;
    struct ps_page *page = fx_pin(fx, 2, 11);
    struct ps_frame_info info;
    uint64_t lsn = fx_change(fx, 2, 11, 1);

    ps_pool_frame_info(fx->pool, ps_pool_frame_no(fx->pool, page), &info);
    assert_true(info.valid && info.dirty);
    assert_false(info.writing || info.loading || info.sealed);
    assert_int_equal(info.tag.table, 2);
    assert_int_equal(info.tag.page, 11);
    assert_int_equal(info.pins, 1);
    assert_int_equal(info.lsn, lsn);
    assert_int_equal(info.rec_lsn, lsn - 8);
    ps_pool_unpin(fx->pool, page);
    ps_pool_frame_info(fx->pool, FX_FRAMES - 1, &info);
    assert_false(info.valid);
}

static void usage_rises_with_hits_up_to_its_maximum(void **state)
{
    struct fx *fx = *state;
    uint32_t i;

    for (i = 1; i < 10; i++) {
        fx_touch(fx, 0, 1);
        assert_int_equal(fx_info(fx, 0, 1).usage, i < PS_USAGE_MAX ? i : PS_USAGE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(pin_miss_reads_page_once),
        FX_TEST(pages_of_one_number_in_two_tables_are_two_pages),
        FX_TEST(tags_are_ordered_by_provider_table_fork_page),
        FX_TEST(resident_pin_of_a_missing_page_is_noent_and_reads_nothing),
        FX_TEST(failed_load_leaves_nothing_pinned_and_the_next_pin_reads_again),
        FX_TEST(pin_many_reads_all_that_is_missing_in_one_batch),
        FX_TEST(pin_many_keeps_what_it_has_and_names_what_it_has_not),
        FX_TEST(new_page_is_zeroed_latched_and_never_read),
        FX_TEST(overwritten_page_is_latched_and_never_read),
        FX_TEST(overwritten_page_that_is_not_written_is_taken_back),
        FX_TEST(new_page_that_is_not_written_is_taken_back),
        FX_TEST(new_pin_of_a_resident_page_keeps_its_bytes_and_latches_it),
        FX_TEST(populate_leaves_what_frames_hold),
        FX_TEST(evict_skips_pinned_frames),
        FX_TEST(flush_counts_its_batches_and_the_frames_under_write_back),
        FX_TEST(evicted_dirty_page_comes_back_with_its_change),
        FX_TEST(reads_go_on_while_dirty_pages_cannot_be_written),
        FX_TEST(pin_fails_with_the_write_error_when_no_clean_frame_is_left),
        FX_TEST(drop_clean_empties_the_pool_but_for_dirty_and_pinned_frames),
        FX_TEST(dropped_pinned_frame_is_detached),
        FX_TEST(drop_throws_changes_away_and_only_those_in_range),
        FX_TEST(change_of_a_detached_page_makes_nothing_dirty),
        FX_TEST(reservation_of_more_than_the_pool_is_out_of_range),
        FX_TEST(all_frames_long_pinned_is_an_error_not_a_hang),
        FX_TEST(last_frame_is_long_pinned_only_for_a_resident_page),
        FX_TEST(two_long_pins_of_one_page_take_one_frame),
        FX_TEST(raised_token_ends_a_wait_for_frames_at_once),
        FX_TEST(pool_is_refused_for_senseless_sizes),
        FX_TEST(frame_info_tells_what_stands_in_a_frame),
        FX_TEST(usage_rises_with_hits_up_to_its_maximum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
