/* Pins of the library's users: scoped ones, those that are left, those that take the whole pool;
 * and reads without one. */
#include "store_fixture.h"

#include "format/native_layout.h"
#include "pagestore/pin.h"
#include "pool/pool.h"

#define FRAMES_MAX 64u

/* What ps_pool_leaks said. */
struct leaks {
    unsigned count;
    char last[512];
};

static void on_leak(void *ctx, const char *text)
{
    struct leaks *leaks = ctx;

    leaks->count++;
    snprintf(leaks->last, sizeof(leaks->last), "%s", text);
}

static struct leaks leaks_of(struct fixture *f)
{
    struct leaks leaks = {0};
    uint32_t count = ps_pool_leaks(ps_store_pool(f->store), on_leak, &leaks);

    assert_int_equal(count, leaks.count);
    return leaks;
}

static struct ps_table *make_with_pages(struct fixture *f, uint64_t pages)
{
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    ok(ps_truncate(t, PS_SPACE_IMAGE, pages * f->page_size, NULL));
    return t;
}

static void reopen_small(struct fixture *f)
{
    struct ps_store_options opts;

    close_store(f);
    options(f, &opts);
    opts.pool_bytes = 8 * f->page_size;
    ok(ps_store_open("sim", &opts, &f->store));
}

/* "page 5 of table ID: pinned at test_pins.c:LINE, 1 pin", without the place where none is noted.
 */
static void expect_leak(const char *said, struct ps_table *t, int line, const char *pins)
{
    char want[256];
    char place[64] = "";

#ifdef PS_DEBUG_PINS
    snprintf(place, sizeof(place), "pinned at test_pins.c:%d, ", line);
#else
    (void)line;
#endif
    snprintf(want, sizeof(want), "page 5 of table %u: %s%s", ps_table_id(t), place, pins);
    assert_string_equal(said, want);
}

static void leaked_pin_is_told_with_its_place(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);
    struct ps_page *page = NULL;
    const int line = __LINE__ + 2;

    ok(ps_pin(t, 5, NULL, &page));
    expect_leak(leaks_of(f).last, t, line, "1 pin");
    ps_unpin(t, page);
    assert_int_equal(leaks_of(f).count, 0);
    ps_table_unref(t);
}

static void leaked_pin_of_the_library_itself_is_told_too(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);
    struct ps_pool *pool = ps_store_pool(f->store);
    const struct ps_tag tag = {.table = ps_table_id(t), .page = 5};
    struct ps_page *page = NULL;
    const int line = __LINE__ + 3;

    ok(ps_pool_reserve(pool, 1 + PS_LOAD_FRAMES, NULL));
    ok(ps_pool_pin(pool, &tag, PS_PIN_LOAD, NULL, &page));
    expect_leak(leaks_of(f).last, t, line, "1 pin");
    ps_pool_unpin(pool, page);
    ps_pool_release(pool, 1 + PS_LOAD_FRAMES);
    assert_int_equal(leaks_of(f).count, 0);
    ps_table_unref(t);
}

static void second_pin_of_a_page_is_taken_back_first(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);
    struct ps_page *page = NULL, *again = NULL;
    const int line = __LINE__ + 2;

    ok(ps_pin(t, 5, NULL, &page));
    ok(ps_pin(t, 5, NULL, &again));
    assert_ptr_equal(page, again);
    assert_int_equal(leaks_of(f).count, 1);
    assert_non_null(strstr(leaks_of(f).last, " 2 pins"));
    ps_unpin(t, again);
    expect_leak(leaks_of(f).last, t, line, "1 pin");
    ps_unpin(t, page);
    ps_table_unref(t);
}

static void closing_tells_of_a_leaked_pin_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);
    struct ps_page *page = NULL;
    const uint32_t id = ps_table_id(t);
    const int line = __LINE__ + 5;
    char byte = 'x';
    size_t got;

    ok(ps_write(t, PS_SPACE_IMAGE, 5 * 8192 + 100, &byte, 1, 0, NULL));
    ok(ps_pin(t, 5, NULL, &page));
    snprintf(f->last_message, sizeof(f->last_message), "nothing was said");
    ps_table_unref(t);
    close_store(f);
    assert_memory_equal(f->last_message, "pin leak: ", 10);
    reopen(f);
    t = find(f, "t");
    assert_int_equal(ps_table_id(t), id);
    expect_leak(f->last_message + 10, t, line, "1 pin");
    byte = 0;
    ok(ps_read(t, PS_SPACE_IMAGE, 5 * 8192 + 100, &byte, 1, NULL, &got));
    assert_int_equal(byte, 'x');
    ps_table_unref(t);
}

static void closing_without_leaks_says_nothing(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);

    ps_table_unref(t);
    snprintf(f->last_message, sizeof(f->last_message), "nothing was said");
    close_store(f);
    assert_string_equal(f->last_message, "nothing was said");
}

static ps_err first_byte(struct ps_table *t, uint32_t page_no, uint8_t *ret)
{
    PS_SCOPED_PIN pin = {0};
    ps_err err = ps_pin_ref(&pin, t, page_no, NULL);

    if (err)
        return err;
    *ret = ps_pin_ref_read(&pin)[0];
    return PS_OK;
}

static void scoped_pin_is_given_back_on_each_way_out(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);
    uint8_t byte = 0;

    ok(first_byte(t, 5, &byte));
    assert_int_equal(byte, 'P'); /* of the page's magic */
    assert_int_equal(leaks_of(f).count, 0);
    assert_int_equal(first_byte(t, 99, &byte), PS_ERR_NOENT);
    assert_int_equal(leaks_of(f).count, 0);
    ok(ps_page_free(t, 5, NULL)); /* the latch is free again, too */
    ps_table_unref(t);
}

static void scoped_pin_moves_to_another_page(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);
    struct ps_pin_ref pin = {0};
    const int line = __LINE__ + 4;

    ok(ps_pin_ref(&pin, t, 3, NULL));
    (void)ps_pin_ref_read(&pin);
    ok(ps_pin_ref(&pin, t, 5, NULL));
    assert_int_equal(leaks_of(f).count, 1);
    expect_leak(leaks_of(f).last, t, line, "1 pin");
    ps_pin_unref(&pin);
    ps_pin_unref(&pin);
    assert_int_equal(leaks_of(f).count, 0);
    ps_table_unref(t);
}

/* All but one of the frames are held: a resident page can be pinned, another is refused. */
static void pins_of_the_whole_pool_are_refused_and_never_wait(void **state)
{
    struct fixture *f = *state;
    struct ps_page *pages[FRAMES_MAX] = {0};
    struct ps_page *resident = NULL, *missing = NULL;
    struct ps_table *t = make_with_pages(f, FRAMES_MAX);
    uint32_t i, frames;

    ps_table_unref(t);
    reopen_small(f);
    t = find(f, "t");
    frames = ps_pool_frames(ps_store_pool(f->store));
    assert_in_range(frames, 8, FRAMES_MAX - 1);
    for (i = 0; i < frames - 1; i++)
        ok(ps_pin(t, i, NULL, &pages[i]));
    assert_int_equal(ps_pin(t, FRAMES_MAX - 1, NULL, &missing), PS_ERR_PINNED);
    ok(ps_pin(t, 3, NULL, &resident));
    assert_ptr_equal(resident, pages[3]);
    ps_unpin(t, resident);
    for (i = 0; i < frames - 1; i++)
        ps_unpin(t, pages[i]);
    ok(ps_pin(t, FRAMES_MAX - 1, NULL, &missing));
    ps_unpin(t, missing);
    ps_table_unref(t);
}

static void pin_of_a_dropped_table_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 10);
    struct ps_page *page = NULL;

    ok(ps_table_drop(f->store, "t", true));
    assert_int_equal(ps_pin(t, 5, NULL, &page), PS_ERR_NOENT);
    assert_null(page);
    ps_table_unref(t);
}

static void peeked_bytes_count_until_the_page_changes(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 2);
    struct ps_peek peek;

    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, "abc", 3, 0, NULL));
    assert_true(ps_peek(t, 0, &peek));
    assert_memory_equal(peek.bytes + sizeof(struct ps_native_hdr), "abc", 3);
    assert_true(ps_peek_valid(&peek));
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, "x", 1, 0, NULL));
    assert_false(ps_peek_valid(&peek));
    assert_true(ps_peek(t, 0, &peek));
    assert_true(ps_peek_valid(&peek));
    ps_table_unref(t);
}

static void page_that_is_not_in_the_pool_is_not_peeked(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_with_pages(f, 2);
    struct ps_peek peek;

    ps_table_unref(t);
    close_store(f);
    reopen(f);
    t = find(f, "t");
    assert_false(ps_peek(t, 1, &peek));
    assert_false(ps_peek(t, 2, &peek)); /* there is none */
    ps_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaked_pin_is_told_with_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(leaked_pin_of_the_library_itself_is_told_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(second_pin_of_a_page_is_taken_back_first, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_tells_of_a_leaked_pin_and_loses_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(closing_without_leaks_says_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(scoped_pin_is_given_back_on_each_way_out, setup, teardown),
        cmocka_unit_test_setup_teardown(scoped_pin_moves_to_another_page, setup, teardown),
        cmocka_unit_test_setup_teardown(pins_of_the_whole_pool_are_refused_and_never_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pin_of_a_dropped_table_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(peeked_bytes_count_until_the_page_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(page_that_is_not_in_the_pool_is_not_peeked, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
