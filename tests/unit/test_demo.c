/* Parts of storage_engine_demo: histograms, random accesses, traces, what a frame's line says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "demo.h"
#include "temp_dir.h"

static struct demo_hist *new_hist(void)
{
    struct demo_hist *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    return h;
}

static void empty_histogram_is_zero_everywhere(void **state)
{
    struct demo_hist *h = new_hist();

    (void)state;
    assert_int_equal(demo_hist_at(h, 0.5), 0);
    assert_int_equal(demo_hist_at(h, 1), 0);
    free(h);
}

static void percentiles_of_small_values_are_exact(void **state)
{
    struct demo_hist *h = new_hist();
    uint64_t i;

    (void)state;
    for (i = 1; i <= 30; i++)
        demo_hist_add(h, i);
    assert_int_equal(demo_hist_at(h, 0.5), 15);
    assert_int_equal(demo_hist_at(h, 0.9), 27);
    assert_int_equal(demo_hist_at(h, 1), 30);
    free(h);
}

/* One value in each class and at its borders, up to the largest there is. */
static void a_percentile_is_at_most_a_32nd_too_high(void **state)
{
    unsigned bit, more;

    (void)state;
    for (bit = 0; bit < 64; bit++) {
        for (more = 0; more <= 2; more++) {
            struct demo_hist *h = new_hist();
            const uint64_t value = ((uint64_t)1 << bit) - 1 + more;
            uint64_t got;

            demo_hist_add(h, value);
            demo_hist_add(h, UINT64_MAX);
            got = demo_hist_at(h, 0.5);
            assert_true(got >= value && got - value <= value / 32);
            assert_true(demo_hist_at(h, 1) == UINT64_MAX);
            free(h);
        }
    }
}

static void merged_histogram_has_the_values_of_both(void **state)
{
    struct demo_hist *a = new_hist(), *b = new_hist();

    (void)state;
    demo_hist_add(a, 3);
    demo_hist_add(b, 1000000);
    demo_hist_merge(a, b);
    assert_int_equal(a->count, 2);
    assert_int_equal(a->max, 1000000);
    assert_int_equal(demo_hist_at(a, 0.5), 3);
    assert_int_equal(demo_hist_at(a, 1), 1000000);
    free(a);
    free(b);
}

static struct demo_config config_of(enum demo_profile profile, uint64_t seed, uint32_t pages)
{
    return (struct demo_config){.profile = profile,
                                .seed = seed,
                                .pages = pages,
                                .threads = 2,
                                .skew = 0.99,
                                .writes_percent = 30};
}

static void same_seed_gives_the_same_accesses_another_seed_others(void **state)
{
    const enum demo_profile profiles[] = {DEMO_MIXED, DEMO_RANDOM};
    struct demo_skew skew;
    size_t i, j;

    (void)state;
    demo_skew_init(&skew, 1000, 0.99);
    for (i = 0; i < 2; i++) {
        struct demo_config one = config_of(profiles[i], 1, 1000);
        struct demo_config two = config_of(profiles[i], 2, 1000);
        struct demo_source a, b, c;
        unsigned differ = 0;

        demo_source_init(&a, &one, &skew, 0);
        demo_source_init(&b, &one, &skew, 0);
        demo_source_init(&c, &two, &skew, 0);
        for (j = 0; j < 1000; j++) {
            struct demo_access x, y, z;

            demo_source_next(&a, &x);
            demo_source_next(&b, &y);
            demo_source_next(&c, &z);
            assert_true(x.page == y.page && x.write == y.write);
            assert_true(x.page < 1000 && z.page < 1000);
            differ += x.page != z.page;
        }
        assert_true(differ > 500);
    }
}

static void scan_goes_round_from_each_threads_own_place(void **state)
{
    struct demo_config config = config_of(DEMO_SCAN, 1, 10);
    struct demo_source s;
    struct demo_access access;
    uint32_t i;

    (void)state;
    demo_source_init(&s, &config, NULL, 1);
    for (i = 0; i < 25; i++) {
        demo_source_next(&s, &access);
        assert_int_equal(access.page, (5 + i) % 10);
    }
}

static void skew_prefers_low_ranks_and_none_is_out_of_range(void **state)
{
    const uint64_t items[] = {1, 2, 3, 1000};
    struct demo_skew skew;
    size_t i;
    double u;

    (void)state;
    for (i = 0; i < 4; i++) {
        uint64_t last = 0;

        demo_skew_init(&skew, items[i], 0.99);
        for (u = 0; u < 1; u += 0x1p-10) {
            uint64_t rank = demo_skew_rank(&skew, u);

            assert_true(rank >= last && rank < items[i]);
            last = rank;
        }
        assert_true(demo_skew_rank(&skew, 0x1.fffffffffffffp-1) < items[i]);
    }
    assert_true(demo_skew_rank(&skew, 0.5) < 50); /* half of all accesses go to a few of 1000 */
    demo_skew_init(&skew, 1000, 0);
    assert_in_range(demo_skew_rank(&skew, 0.5), 490, 510);
}

/* Every page gets its turn, whatever their number: the spreading of ranks loses none. */
static void mixed_accesses_reach_every_page(void **state)
{
    const uint32_t pages = 96;
    struct demo_config config = config_of(DEMO_MIXED, 5, pages);
    struct demo_skew skew;
    struct demo_source s;
    bool seen[96] = {0};
    uint32_t i, count = 0;

    (void)state;
    demo_skew_init(&skew, pages, 0.5);
    demo_source_init(&s, &config, &skew, 0);
    for (i = 0; i < 20000; i++) {
        struct demo_access access;

        demo_source_next(&s, &access);
        count += !seen[access.page];
        seen[access.page] = true;
    }
    assert_int_equal(count, pages);
}

static void every_page_has_a_cell_and_every_cell_a_first_page(void **state)
{
    const uint64_t sizes[] = {1, 2, 1000, 1024, 1025, 5000, DEMO_PAGES_MAX};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const uint32_t cells = demo_heat_cells(sizes[i]);
        uint32_t cell;

        assert_int_equal(demo_heat_cell(sizes[i] - 1, sizes[i]), cells - 1);
        for (cell = 0; cell < cells; cell++) {
            uint64_t first = demo_heat_page(cell, sizes[i]);

            assert_int_equal(demo_heat_cell(first, sizes[i]), cell);
            assert_true(first == 0 || demo_heat_cell(first - 1, sizes[i]) == cell - 1);
        }
    }
}

/* --- files -------------------------------------------------------------------------------- */

static char dir[TEMP_DIR_LEN], path[TEMP_DIR_LEN + 8];

static int make_dir(void **state)
{
    (void)state;
    temp_dir_make(dir);
    snprintf(path, sizeof(path), "%s/file", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void trace_is_read_as_it_was_written(void **state)
{
    const struct demo_access accesses[] = {{0, false}, {14829, true}, {7, false}};
    struct demo_trace trace;
    FILE *file = fopen(path, "w");
    size_t i;

    (void)state;
    assert_non_null(file);
    fputs("# a comment that is longer than any line of a trace would ever have to be, so that a "
          "reader who takes lines of a fixed length comes to its second half\n\n",
          file);
    for (i = 0; i < 3; i++)
        demo_trace_write(file, &accesses[i]);
    fclose(file);
    assert_int_equal(demo_trace_read(path, &trace), DEMO_OK);
    assert_int_equal(trace.count, 3);
    assert_int_equal(trace.pages_end, 14830);
    for (i = 0; i < 3; i++)
        assert_true(trace.accesses[i].page == accesses[i].page &&
                    trace.accesses[i].write == accesses[i].write);
    demo_trace_free(&trace);
}

static void trace_with_a_wrong_line_is_refused(void **state)
{
    const char *const wrong[] = {"",
                                 "# nothing\n",
                                 "r\n",
                                 "r x\n",
                                 "x 1\n",
                                 "r 1 2\n",
                                 "r -1\n",
                                 "r  1\n",
                                 "r 1\nw 1x\n",
                                 "r 16777216\n",
                                 "r 99999999999999999999\n"};
    struct demo_trace trace;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        write_file(wrong[i]);
        assert_int_equal(demo_trace_read(path, &trace), DEMO_FAILED);
    }
}

static void frame_is_found_by_its_number_and_columns_by_their_names(void **state)
{
    struct demo_frame f;

    (void)state;
    write_file("frame page table pin dirty usage lsn\n"
               "        10  14829     2   0     1     5 77\n"
               "        11  -         -   -     -     - -\n");
    assert_int_equal(demo_frame_find(path, "", 10, &f), DEMO_OK);
    assert_string_equal(f.page, "14829");
    assert_string_equal(f.table, "2");
    assert_string_equal(f.dirty, "1");
    assert_string_equal(f.usage, "5");
    assert_string_equal(f.lsn, "77");
    assert_string_equal(f.fork, "-");
    assert_int_equal(demo_frame_find(path, "", 11, &f), DEMO_OK);
    assert_string_equal(f.page, "-");
    assert_int_equal(demo_frame_find(path, "", 12, &f), DEMO_FAILED);
}

static void file_that_lists_no_frames_is_refused(void **state)
{
    struct demo_frame f;

    (void)state;
    write_file("");
    assert_int_equal(demo_frame_find(path, "", 0, &f), DEMO_FAILED);
    write_file("something else\n0 1\n");
    assert_int_equal(demo_frame_find(path, "", 0, &f), DEMO_FAILED);
    write_file("frame page\n0\n");
    assert_int_equal(demo_frame_find(path, "", 0, &f), DEMO_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_histogram_is_zero_everywhere),
        cmocka_unit_test(percentiles_of_small_values_are_exact),
        cmocka_unit_test(a_percentile_is_at_most_a_32nd_too_high),
        cmocka_unit_test(merged_histogram_has_the_values_of_both),
        cmocka_unit_test(same_seed_gives_the_same_accesses_another_seed_others),
        cmocka_unit_test(scan_goes_round_from_each_threads_own_place),
        cmocka_unit_test(skew_prefers_low_ranks_and_none_is_out_of_range),
        cmocka_unit_test(mixed_accesses_reach_every_page),
        cmocka_unit_test(every_page_has_a_cell_and_every_cell_a_first_page),
        cmocka_unit_test_setup_teardown(trace_is_read_as_it_was_written, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(trace_with_a_wrong_line_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(frame_is_found_by_its_number_and_columns_by_their_names,
                                        make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(file_that_lists_no_frames_is_refused, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
