/*
 * Allocating in the holes of a table.
 */
#include "store_fixture.h"

#define HOLE 64u /* pages */

/* A table with a page at either end of a hole. */
static struct ps_table *make_hole(struct fixture *f)
{
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    ok(ps_page_create(t, 0, NULL));
    ok(ps_page_create(t, HOLE + 1, NULL));
    ok(ps_store_checkpoint(f->store, NULL));
    return t;
}

static void allocated_range_has_its_pages_and_their_space_on_disk(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_hole(f);
    uint64_t page = f->page_size;
    struct ps_table_info before, after;

    ok(ps_table_info(t, &before));
    assert_int_equal(before.pages_allocated, 2);
    ok(ps_allocate(t, PS_SPACE_IMAGE, page, HOLE * page, false, NULL));
    assert_int_equal(f->last_event.kind, PS_EVENT_PAGES_CREATED);
    assert_int_equal(f->last_event.first, 1);
    assert_int_equal(f->last_event.count, HOLE);
    ok(ps_table_info(t, &after));
    assert_int_equal(after.pages_allocated, HOLE + 2);
    assert_true(after.bytes_on_disk >= before.bytes_on_disk + HOLE * page);
    ps_table_unref(t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(allocated_range_has_its_pages_and_their_space_on_disk),
    };

    return cmocka_run_group_tests_name("store_space", tests, NULL, NULL);
}
