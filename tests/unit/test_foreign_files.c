/* Somebody else's files: segments, ends, links, folders, and files that change meanwhile. */
#include <sys/resource.h>
#include <time.h>

#include "foreign_bed.h"

/* --- files -------------------------------------------------------------------------------- */

static void a_relation_goes_on_in_segments_until_one_is_short(void **state)
{
    struct world w;
    struct ps_table *t;
    struct ps_page_info pages[16];
    uint8_t *all = malloc(16 * PAGE), page[PAGE];
    uint32_t count = 0;
    size_t got = 0;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 4, 0);
    put_pages(&w, "rel.2", 8, 2, 0);
    put_pages(&w, "rel.3", 12, 4, 0); /* behind a short one: not part of it */
    add(&w, "rel")->segment_pages = 4;
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 10);
    ok(ps_page_list(t, 0, pages, 16, &count));
    assert_int_equal(count, 10);
    ok(ps_read(t, PS_SPACE_IMAGE, 0, all, 16 * PAGE, NULL, &got));
    assert_int_equal(got, 10 * PAGE);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(all[i * PAGE + PAGE / 2], i);
    expect(ps_page_copy(t, 10, NULL, page), PS_ERR_NOENT, "page 10 of table 1");
    expect(ps_page_copy(t, UINT32_MAX - 1, NULL, page), PS_ERR_NOENT, "of table 1");
    ps_table_unref(t);
    free(all);
    end(&w);
}

static void full_segments_end_where_there_is_no_next_one(void **state)
{
    struct world w;
    struct ps_table *t;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 4, 0);
    add(&w, "rel")->segment_pages = 4;
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 8);
    expect_mark(t, 7, 7);
    ps_table_unref(t);
    end(&w);
}

static void bytes_behind_the_last_whole_page_are_no_page_and_are_told(void **state)
{
    struct world w;
    struct ps_table *t;
    uint64_t tail = 1;
    char name[64];

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 2, 0);
    set_len(&w, "rel.1", 2 * PAGE + 100);
    put_pages(&w, "whole", 0, 4, 0);
    add(&w, "rel")->segment_pages = 4;
    add(&w, "whole")->segment_pages = 4;
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 6);
    ok(ps_foreign_tail(t, &tail, name, sizeof(name)));
    assert_int_equal(tail, 100);
    assert_string_equal(name, "rel.1");
    ps_table_unref(t);
    t = table(&w, 2);
    ok(ps_foreign_tail(t, &tail, name, sizeof(name)));
    assert_int_equal(tail, 0);
    ps_table_unref(t);
    end(&w);
}

static void a_missing_file_costs_only_its_table(void **state)
{
    struct world w;
    struct ps_table_info info;
    struct ps_table *t;
    uint8_t page[PAGE];

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    (void)add(&w, "gone");
    (void)add(&w, "rel");
    (void)add(&w, NULL);
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect(ps_table_info(t, &info), PS_ERR_NOENT, "gone");
    expect(ps_page_copy(t, 0, NULL, page), PS_ERR_NOENT, "gone");
    ps_table_unref(t);
    t = table(&w, 2);
    expect_mark(t, 0, 0);
    ps_table_unref(t);
    t = table(&w, 3);
    assert_int_equal(pages_end(t), 0);
    expect(ps_page_copy(t, 0, NULL, page), PS_ERR_NOENT, "page 0 of table 3");
    ps_table_unref(t);
    end(&w);
}

static void a_link_is_not_followed(void **state)
{
    struct world w;
    struct ps_table *t;
    uint8_t page[PAGE];
    char path[600];

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    snprintf(path, sizeof(path), "%s/link", w.dir);
    assert_int_equal(symlink("rel", path), 0);
    (void)add(&w, "link");
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect(ps_page_copy(t, 0, NULL, page), PS_ERR_IO, "link");
    ps_table_unref(t);
    end(&w);
}

static void tables_can_lie_in_several_folders(void **state)
{
    struct world w, other;
    struct ps_table *t;
    unsigned root = 0;

    (void)state;
    begin(&w);
    begin(&other);
    put_pages(&w, "rel", 0, 1, 0);
    put_pages(&other, "rel", 0, 1, 7);
    (void)add(&w, "rel");
    (void)add(&w, "rel");
    open_store(&w, w.dir);
    ok(ps_foreign_add_root(w.store, other.dir, &root));
    assert_int_equal(root, 1);
    w.tables[1].root = root;
    assert_int_equal(ps_foreign_add_root(w.store, "/nowhere/at/all", &root), PS_ERR_NOENT);
    t = table(&w, 1);
    expect_mark(t, 0, 0);
    ps_table_unref(t);
    t = table(&w, 2);
    expect_mark(t, 0, 7);
    ps_table_unref(t);
    end(&w);
    end(&other);
}

/* 1024 files of 1 GiB, none with a byte on disk, and fewer descriptors than that. */
static void a_sparse_relation_of_one_tebibyte_opens_at_once(void **state)
{
    const rlim_t few = 64;
    struct rlimit limit, less;
    struct timespec from, to;
    struct world w;
    struct ps_table *t;
    uint8_t page[PAGE];
    char name[16] = "rel";

    (void)state;
    begin(&w);
    for (unsigned i = 0; i < 1024; i++) {
        if (i > 0)
            snprintf(name, sizeof(name), "rel.%u", i);
        set_len(&w, name, (off_t)1 << 30);
    }
    (void)add(&w, "rel");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    less = limit;
    less.rlim_cur = few;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    clock_gettime(CLOCK_MONOTONIC, &from);
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), (uint64_t)1 << 27);
    ok(ps_page_copy(t, (1u << 27) - 1, NULL, page));
    assert_true(ps_page_is_zero(page, PAGE));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 5); /* milliseconds, on a machine that is not loaded */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ps_table_unref(t);
    end(&w);
}

static void a_file_of_page_db_has_a_payload(void **state)
{
    const uint32_t payload = PAGE - 32;
    struct world w;
    struct ps_table *t;
    uint8_t page[PAGE];
    uint64_t len = 0;
    size_t got = 0;
    int fd;

    (void)state;
    begin(&w);
    fd = file_open(&w, "file");
    for (uint32_t i = 0; i < 3; i++) {
        make_page(page, &ps_format_native, i, (uint8_t)(i + 1));
        assert_int_equal(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
    }
    close(fd);
    add(&w, "file")->format = PS_FORMAT_NATIVE;
    open_store(&w, w.dir);
    t = table(&w, 1);
    ok(ps_space_len(t, PS_SPACE_PAYLOAD, &len));
    assert_int_equal(len, 3 * payload);
    ok(ps_read(t, PS_SPACE_PAYLOAD, 2 * payload + PAGE / 2 - 32, page, 1, NULL, &got));
    assert_int_equal(page[0], 3);
    ps_table_unref(t);
    end(&w);
}

/* --- files that change -------------------------------------------------------------------- */

static void files_that_grow_shrink_and_change_are_seen_at_once_when_live(void **state)
{
    struct ps_table *t;
    uint8_t page[PAGE];
    struct world w;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    add(&w, "rel")->segment_pages = 4;
    w.ops.live = true;
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect_mark(t, 3, 3);
    put_pages(&w, "rel", 0, 4, 100);
    expect_mark(t, 3, 103);
    put_pages(&w, "rel.1", 4, 1, 0);
    expect_mark(t, 4, 4);
    assert_int_equal(pages_end(t), 5);
    set_len(&w, "rel", 2 * PAGE);
    assert_int_equal(pages_end(t), 2);
    assert_int_equal(ps_page_copy(t, 3, NULL, page), PS_ERR_NOENT);
    assert_int_equal(ps_page_copy(t, 4, NULL, page), PS_ERR_NOENT);
    expect_mark(t, 1, 101);
    ps_table_unref(t);
    end(&w);
}

static void
a_file_that_was_removed_is_missing_and_a_new_one_of_its_name_is_read_when_live(void **state)
{
    struct ps_table *t;
    struct ps_table_info info;
    char path[sizeof(((struct world *)0)->dir) + sizeof("/rel.1")];
    struct world w;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 2, 0);
    add(&w, "rel")->segment_pages = 4;
    w.ops.live = true;
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect_mark(t, 5, 5);
    snprintf(path, sizeof(path), "%s/rel.1", w.dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pages_end(t), 4);
    put_pages(&w, "rel.1", 4, 3, 50);
    expect_mark(t, 6, 56);
    snprintf(path, sizeof(path), "%s/rel", w.dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ps_table_info(t, &info), PS_ERR_NOENT);
    put_pages(&w, "rel", 0, 2, 100);
    expect_mark(t, 1, 101);
    assert_int_equal(pages_end(t), 2);
    ps_table_unref(t);
    end(&w);
}

/* Files of a real folder whose reads give torn pages, so many times; and how often one was opened.
 */
struct torn_io {
    struct ps_io io; /* first */
    struct ps_io_ops ops;
    struct ps_io *real;
    unsigned left, opens, looks;
};

static unsigned hole_asks;

static ps_err torn_open(struct ps_io *io, const char *path, unsigned flags, struct ps_io_file **ret)
{
    struct torn_io *torn = (struct torn_io *)io;

    torn->opens++;
    return torn->real->ops->open(torn->real, path, flags, ret);
}

static ps_err torn_stat_path(struct ps_io *io, const char *path, struct ps_io_stat *ret)
{
    struct torn_io *torn = (struct torn_io *)io;

    torn->looks++;
    return torn->real->ops->stat_path(torn->real, path, ret);
}

static ps_err torn_run(struct ps_io *io, struct ps_io_req *reqs, size_t count)
{
    struct torn_io *torn = (struct torn_io *)io;
    ps_err err = torn->real->ops->run(torn->real, reqs, count);

    for (size_t i = 0; i < count && torn->left > 0; i++) {
        ((uint8_t *)reqs[i].iov[0].iov_base)[5000] ^= 1;
        torn->left--;
    }
    return err;
}

static char will_read[200]; /* what was asked for, a line each */

static void torn_will_read(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    const size_t at = strlen(will_read);

    snprintf(will_read + at, sizeof(will_read) - at, "%s %u %u\n", file->path,
             (unsigned)(off / PAGE), (unsigned)(len / PAGE));
}

/* A hole up to the end. */
static ps_err torn_next_data(struct ps_io_file *file, uint64_t off, uint64_t *ret)
{
    struct ps_io_stat st;
    ps_err err = file->io->ops->stat(file, &st);

    hole_asks++;
    *ret = off < st.size ? st.size : off;
    return err;
}

static uint32_t torn_files_max(struct ps_io *io)
{
    (void)io;
    return 64;
}

static void torn_io_open(struct torn_io *torn, struct world *w)
{
    ok(ps_io_posix_rdonly(w->dir, PS_IO_KIND_BUFFERED, NULL, NULL, &torn->real));
    torn->ops = *torn->real->ops;
    torn->ops.open = torn_open;
    torn->ops.stat_path = torn_stat_path;
    torn->ops.run = torn_run;
    torn->ops.will_read = torn_will_read;
    torn->ops.next_data = torn_next_data;
    torn->ops.files_max = torn_files_max;
    torn->io.ops = &torn->ops;
    w->opts.io_given = &torn->io;
}

static void read_torn(bool live, unsigned times, ps_err expected)
{
    struct torn_io torn = {.left = times};
    struct ps_table *t;
    uint8_t page[PAGE];
    struct world w;

    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    (void)add(&w, "rel");
    torn_io_open(&torn, &w);
    w.ops.live = live;
    open_store(&w, w.dir);
    t = table(&w, 1);
    if (expected)
        torn.left = UINT32_MAX; /* for good, also when the bytes are asked for */
    assert_int_equal(ps_page_copy(t, 0, NULL, page), expected);
    ps_table_unref(t);
    end(&w);
    ps_io_destroy(torn.real);
}

static void a_page_torn_by_its_writer_is_read_again_when_live(void **state)
{
    (void)state;
    read_torn(true, 1, PS_OK);
    read_torn(true, 2, PS_OK);
    read_torn(true, UINT32_MAX, PS_ERR_CORRUPT);
    read_torn(false, UINT32_MAX, PS_ERR_CORRUPT);
}

static void segments_are_measured_once_without_being_opened(void **state)
{
    const uint32_t segments = 1024;
    struct torn_io torn = {.left = 0};
    struct ps_table *t;
    uint8_t page[PAGE];
    struct world w;
    char name[32];

    (void)state;
    begin(&w);
    for (uint32_t i = 0; i < segments; i++) {
        snprintf(name, sizeof(name), i ? "rel.%u" : "rel", i);
        set_len(&w, name, (i + 1 < segments ? 4 : 2) * PAGE);
    }
    add(&w, "rel")->segment_pages = 4;
    torn_io_open(&torn, &w);
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 4 * segments - 2);
    assert_int_equal(torn.opens, 1);
    assert_int_equal(torn.looks, segments - 1);
    assert_int_equal(pages_end(t), 4 * segments - 2); /* nobody changes them */
    assert_int_equal(torn.looks, segments - 1);
    ok(ps_page_copy(t, 4 * segments - 3, NULL, page));
    assert_int_equal(torn.opens, 2);
    ps_table_unref(t);
    end(&w);
    ps_io_destroy(torn.real);
}

static void pages_that_will_be_read_are_asked_of_the_files_that_have_them(void **state)
{
    struct torn_io torn = {.left = 0};
    struct ps_table *t;
    struct world w;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 4, 0);
    put_pages(&w, "rel.2", 8, 3, 0);
    add(&w, "rel")->segment_pages = 4;
    torn_io_open(&torn, &w);
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 11);
    will_read[0] = '\0';
    ps_foreign_will_read(t, 11, 20);
    assert_string_equal(will_read, "");
    ps_foreign_will_read(t, 3, 6);
    assert_string_equal(will_read, "rel 3 1\nrel.1 0 2\n");
    will_read[0] = '\0';
    ps_foreign_will_read(t, 2, UINT64_MAX);
    assert_string_equal(will_read, "rel 2 2\nrel.1 0 4\nrel.2 0 3\n");
    ps_table_unref(t);
    end(&w);
    ps_io_destroy(torn.real);
}

/* Whether a file of 4 pages is asked where its next data lies. */
static void ask_for_holes(bool sparse, bool live, bool expected)
{
    struct torn_io torn = {.left = 0};
    struct ps_table *t;
    struct world w;

    begin(&w);
    if (sparse)
        set_len(&w, "rel", 4 * PAGE);
    else
        put_pages(&w, "rel", 0, 4, 0);
    (void)add(&w, "rel");
    torn_io_open(&torn, &w);
    w.ops.live = live;
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 4);
    hole_asks = 0;
    assert_int_equal(ps_foreign_next_data(t, 1, 4), expected ? 4 : 1);
    assert_int_equal(hole_asks, expected);
    ps_table_unref(t);
    end(&w);
    ps_io_destroy(torn.real);
}

static void only_files_that_may_have_holes_are_asked_for_them(void **state)
{
    (void)state;
    ask_for_holes(true, false, true);
    ask_for_holes(false, false, false);
    ask_for_holes(false, true, true); /* somebody may punch them at any time */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_files_that_may_have_holes_are_asked_for_them),
        cmocka_unit_test(a_relation_goes_on_in_segments_until_one_is_short),
        cmocka_unit_test(full_segments_end_where_there_is_no_next_one),
        cmocka_unit_test(bytes_behind_the_last_whole_page_are_no_page_and_are_told),
        cmocka_unit_test(a_missing_file_costs_only_its_table),
        cmocka_unit_test(a_link_is_not_followed),
        cmocka_unit_test(tables_can_lie_in_several_folders),
        cmocka_unit_test(a_sparse_relation_of_one_tebibyte_opens_at_once),
        cmocka_unit_test(a_file_of_page_db_has_a_payload),
        cmocka_unit_test(files_that_grow_shrink_and_change_are_seen_at_once_when_live),
        cmocka_unit_test(
            a_file_that_was_removed_is_missing_and_a_new_one_of_its_name_is_read_when_live),
        cmocka_unit_test(a_page_torn_by_its_writer_is_read_again_when_live),
        cmocka_unit_test(segments_are_measured_once_without_being_opened),
        cmocka_unit_test(pages_that_will_be_read_are_asked_of_the_files_that_have_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
