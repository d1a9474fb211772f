/*
 * Allocating in the holes of a table, and changes of a table's size that come between the steps of
 * one another.
 */
#include "io/io.h"
#include "store_fixture.h"

#define HOLE 64u /* pages */
#define PAGES 40u
#define FREE_PAGE 5u
#define PAYLOAD (8192u - 32u)

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

/* --- changes that come between ------------------------------------------------------------ */

typedef ps_err change_fn(struct ps_table *t);

/* Every change asks for the time once it has room in log and pool, and holds no lock: another one
 * can come then. */
static struct {
    const struct ps_io_ops *ops; /* of the disk */
    struct ps_table *table;
    change_fn *change;
    unsigned steps_before; /* so many steps of the other change come first; 0: it is done */
} between;

static uint64_t change_and_wall_us(struct ps_io *io)
{
    if (between.steps_before > 0 && --between.steps_before == 0)
        ok(between.change(between.table));
    return between.ops->wall_us(io);
}

/* Runs `change` with `other` before its step-th step; false: it had fewer. */
static bool run_with(struct fixture *f, struct ps_table *t, change_fn *change, change_fn *other,
                     unsigned step)
{
    struct ps_io *io = sim_disk_io(f->disk);
    struct ps_io_ops ops = *io->ops;
    bool came;

    between.ops = io->ops;
    between.table = t;
    between.change = other;
    between.steps_before = step;
    ops.wall_us = change_and_wall_us;
    io->ops = &ops;
    ok(change(t));
    io->ops = between.ops;
    came = between.steps_before == 0;
    between.steps_before = 0;
    return came;
}

static ps_err fill_holes(struct ps_table *t)
{
    return ps_allocate(t, PS_SPACE_IMAGE, 0, PAGES * 8192, true, NULL);
}

static ps_err lengthen(struct ps_table *t)
{
    return ps_allocate(t, PS_SPACE_IMAGE, 0, (PAGES + 1) * 8192, false, NULL);
}

static ps_err punch_second_half(struct ps_table *t)
{
    return ps_punch(t, PS_SPACE_IMAGE, PAGES / 2 * 8192, PAGES / 2 * 8192, NULL);
}

/* Its edges lie in the first page and in the last one. */
static ps_err punch_within(struct ps_table *t)
{
    return ps_punch(t, PS_SPACE_PAYLOAD, 100, (PAGES - 1) * PAYLOAD, NULL);
}

static ps_err cut_off(struct ps_table *t)
{
    return ps_truncate(t, PS_SPACE_PAYLOAD, 0, NULL);
}

static ps_err free_last_page(struct ps_table *t)
{
    return ps_page_free(t, PAGES - 1, NULL);
}

static ps_err add_pages(struct ps_table *t)
{
    static const uint8_t bytes[3 * 8192] = {1};

    return ps_write(t, PS_SPACE_IMAGE, 0, bytes, sizeof(bytes), PS_WRITE_APPEND, NULL);
}

static ps_err punch_to_end(struct ps_table *t)
{
    return ps_punch(t, PS_SPACE_PAYLOAD, 0, 100, NULL);
}

static ps_err add_to_payload(struct ps_table *t)
{
    return ps_write(t, PS_SPACE_PAYLOAD, 0, "added", 5, PS_WRITE_APPEND, NULL);
}

/* The table ends behind its last page, and its payload in that page. Returns how many pages it has
 * up to there. */
static uint32_t check_end(struct ps_table *t)
{
    uint64_t image = 0, payload = 0, end = 0;
    struct ps_page_info page;
    uint32_t page_no;

    for (page_no = 0; page_no < 2 * PAGES; page_no++)
        if (ps_page_stat(t, page_no, &page) == PS_OK)
            end = page_no + 1;
    ok(ps_space_len(t, PS_SPACE_IMAGE, &image));
    ok(ps_space_len(t, PS_SPACE_PAYLOAD, &payload));
    assert_int_equal(image, end * 8192);
    assert_int_equal((payload + PAYLOAD - 1) / PAYLOAD, end);
    return (uint32_t)end;
}

/* All of the table's pages were written, but for one that is free. */
static struct ps_table *make_table(struct fixture *f)
{
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t *bytes = malloc(PAGES * 8192);

    memset(bytes, 1, PAGES * 8192);
    ok(ps_write(t, PS_SPACE_IMAGE, 0, bytes, PAGES * 8192, 0, NULL));
    ok(ps_page_free(t, FREE_PAGE, NULL));
    free(bytes);
    return t;
}

/* Lets `other` come between at every step, and compares the number of pages in the end. */
static void come_between(struct fixture *f, change_fn *change, change_fn *other,
                         uint32_t pages_least, uint32_t pages_most)
{
    bool came = true;
    unsigned step;

    for (step = 1; came; step++) {
        struct ps_table *t = make_table(f);
        uint32_t pages;

        came = run_with(f, t, change, other, step);
        pages = check_end(t);
        if (came)
            assert_in_range(pages, pages_least, pages_most);
        ok(ps_table_drop(f->store, "t", true));
        ps_table_unref(t);
    }
    assert_true(step > 2);
}

static void allocating_makes_no_page_past_an_end_that_moved(void **state)
{
    come_between(*state, fill_holes, cut_off, 0, 0);
    come_between(*state, fill_holes, free_last_page, PAGES - 1, PAGES - 1);
    come_between(*state, lengthen, cut_off, 0, PAGES + 1);
    come_between(*state, lengthen, free_last_page, PAGES + 1, PAGES + 1);
}

static void allocating_keeps_pages_that_others_add(void **state)
{
    come_between(*state, lengthen, add_pages, PAGES + 3, PAGES + 4);
}

static void punching_to_the_end_keeps_bytes_that_others_add(void **state)
{
    const char *want = "added";
    struct fixture *f = *state;
    bool came = true;
    unsigned step;

    for (step = 1; came; step++) {
        struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
        uint8_t bytes[105], zeros[100] = {0};
        size_t got = 0;

        memset(bytes, 1, sizeof(bytes));
        ok(ps_write(t, PS_SPACE_PAYLOAD, 0, bytes, 100, 0, NULL));
        came = run_with(f, t, punch_to_end, add_to_payload, step);
        if (came) {
            ok(ps_read(t, PS_SPACE_PAYLOAD, 0, bytes, sizeof(bytes), NULL, &got));
            assert_int_equal(got, sizeof(bytes));
            assert_memory_equal(bytes, zeros, 100);
            assert_memory_equal(bytes + 100, want, 5);
        }
        ok(ps_table_drop(f->store, "t", true));
        ps_table_unref(t);
    }
    assert_true(step > 2);
}

static void punching_leaves_the_end_where_it_moved_to(void **state)
{
    come_between(*state, punch_second_half, cut_off, 0, 0);
    come_between(*state, punch_second_half, free_last_page, PAGES / 2, PAGES - 1);
    come_between(*state, punch_within, cut_off, 0, 0);
    come_between(*state, punch_within, free_last_page, PAGES - 1, PAGES - 1);
}

/* --- a file that will not shrink ---------------------------------------------------------- */

static enum sim_fault refuse_to_shrink(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    (void)ctx;
    (void)disk;
    return op->kind == SIM_TRUNCATE || op->kind == SIM_PUNCH ? SIM_EIO : SIM_NO_FAULT;
}

static void cut_and_hole_are_made_even_if_the_file_keeps_their_space(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make_table(f);
    uint8_t bytes[PAYLOAD], zeros[PAYLOAD] = {0};
    size_t got = 0;

    ok(ps_store_checkpoint(f->store, NULL));
    sim_disk_set_hook(f->disk, refuse_to_shrink, NULL);
    ok(punch_second_half(t));
    assert_non_null(strstr(f->last_message, "keeps the disk space of"));
    f->last_message[0] = 0;
    ok(ps_truncate(t, PS_SPACE_PAYLOAD, 5 * PAYLOAD, NULL));
    assert_non_null(strstr(f->last_message, "keeps the disk space of"));
    sim_disk_set_hook(f->disk, NULL, NULL);
    assert_int_equal(check_end(t), 5);

    ok(lengthen(t));
    ok(ps_store_checkpoint(f->store, NULL));
    ps_table_unref(t);
    crash(f, SIM_CRASH_DROP);
    t = find(f, "t");
    ok(ps_read(t, PS_SPACE_PAYLOAD, 7 * PAYLOAD, bytes, sizeof(bytes), NULL, &got));
    assert_int_equal(got, sizeof(bytes));
    assert_memory_equal(bytes, zeros, sizeof(bytes));
    ps_table_unref(t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(allocated_range_has_its_pages_and_their_space_on_disk),
        T(allocating_makes_no_page_past_an_end_that_moved),
        T(allocating_keeps_pages_that_others_add),
        T(punching_to_the_end_keeps_bytes_that_others_add),
        T(punching_leaves_the_end_where_it_moved_to),
        T(cut_and_hole_are_made_even_if_the_file_keeps_their_space),
    };

    return cmocka_run_group_tests_name("store_space", tests, NULL, NULL);
}
