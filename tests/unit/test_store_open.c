/* Opening a store: what refuses it, and what that leaves behind. */
#include "file/control.h"
#include "pagestore/slotted.h"
#include "store_fixture.h"

static void refused_options_leave_a_closed_store_closed(void **state)
{
    static const char *const says[] = {"policy=foo", "pool=1024", "max_wal is 1 bytes"};
    struct fixture *f = *state;
    struct ps_store_options opts;
    uint8_t *before, *after;
    size_t before_len, after_len;
    unsigned i;

    close_store(f);
    before = sim_disk_dump(f->disk, "pagestore.control", &before_len);
    for (i = 0; i < 3; i++) {
        options(f, &opts);
        opts.policy = i == 0 ? "foo" : opts.policy;
        opts.pool_bytes = i == 1 ? 1024 : opts.pool_bytes;
        opts.max_wal = i == 2 ? 1 : opts.max_wal;
        assert_int_equal(ps_store_open("sim", &opts, &f->store), PS_ERR_INVAL);
        assert_non_null(strstr(ps_message(), says[i]));
        after = sim_disk_dump(f->disk, "pagestore.control", &after_len);
        assert_int_equal(after_len, before_len);
        assert_memory_equal(after, before, before_len);
        free(after);
    }
    free(before);
    reopen(f);
}

static void size_is_digits_and_perhaps_a_unit(void **state)
{
    static const char *const none[] = {"", "K", "64 ", "64X", "64MB", "-1", " 64", "0x10"};
    uint64_t bytes = 0;
    unsigned i;

    (void)state;
    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        expect(ps_parse_size(none[i], &bytes), PS_ERR_INVAL, "is not a size");
    ok(ps_parse_size("4096", &bytes));
    assert_int_equal(bytes, 4096);
    ok(ps_parse_size("3k", &bytes));
    assert_int_equal(bytes, 3 * 1024);
    ok(ps_parse_size("2T", &bytes));
    assert_int_equal(bytes, UINT64_C(2) << 40);
    expect(ps_parse_size("16777216T", &bytes), PS_ERR_RANGE, "more than 64 bits");
}

/* Writes the control file anew, as sound as it was. */
static void set_segment_size(struct fixture *f, uint32_t segment_size)
{
    struct ps_io *io = sim_disk_io(f->disk);
    struct ps_control control;
    struct ps_poison poison;

    ps_poison_init(&poison, NULL, NULL);
    ok(ps_control_read(io, &control, NULL));
    control.segment_size = segment_size;
    ok(ps_control_write(io, &control, &poison));
    ps_poison_deinit(&poison);
}

static void expect_refused(struct fixture *f, ps_err err, const char *why)
{
    struct ps_store_options opts;
    unsigned ro;

    for (ro = 0; ro < 2; ro++) {
        options(f, &opts);
        opts.read_only = ro;
        assert_int_equal(ps_store_open("sim", &opts, &f->store), err);
        if (!strstr(ps_message(), why))
            fail_msg("'%s' does not say '%s'", ps_message(), why);
    }
}

static void segments_of_another_size_than_the_control_file_says_are_refused(void **state)
{
    static const uint32_t wrong[] = {1u << 18, 1u << 23, 1u << 25, 1u << 31};
    struct fixture *f = *state;
    size_t i;

    close_store(f);
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set_segment_size(f, wrong[i]);
        expect_refused(f, PS_ERR_CORRUPT, "pagestore.control: segment size: wal/0");
    }
    set_segment_size(f, 1u << 24);
    reopen(f);
}

/* Makes table 2 one of the other format in the catalog, under a right checksum. */
static void set_format_in_catalog(struct fixture *f, uint8_t format)
{
    const struct ps_page_ident who = {f->page_size, 0, PS_CATALOG_ID};
    struct ps_item item = {0};
    uint8_t *page;
    size_t len;

    page = sim_disk_dump(f->disk, "tables/1.pages", &len);
    ok(ps_slotted_get(&ps_format_native, page, f->page_size, 2, &item));
    page[(const uint8_t *)item.data - page + 4] = format;
    ps_format_native.seal(page, &who);
    sim_disk_patch(f->disk, "tables/1.pages", 0, page, f->page_size);
    free(page);
}

static void catalog_with_pages_too_large_for_their_format_is_refused(void **state)
{
    struct fixture *f = *state;

    ps_table_unref(make(f, "t", PS_FORMAT_NATIVE));
    close_store(f);
    set_format_in_catalog(f, PS_FORMAT_POSTGRES);
    expect_refused(f, PS_ERR_CORRUPT,
                   "catalog item of 't': format postgres has pages of at most 32768 bytes");
    set_format_in_catalog(f, PS_FORMAT_NATIVE);
    reopen(f);
}

static void readers_share_a_store_and_a_writer_has_it_alone(void **state)
{
    struct fixture *f = *state;
    struct ps_store *readers[2] = {NULL, NULL}, *other = NULL;
    struct ps_store_options write, read;
    int i;

    options(f, &write);
    read = write;
    read.read_only = true;
    assert_int_equal(ps_store_open("sim", &read, &other), PS_ERR_IN_USE);
    assert_non_null(strstr(ps_message(), "by pid"));
    close_store(f);
    for (i = 0; i < 2; i++)
        ok(ps_store_open("sim", &read, &readers[i]));
    for (i = 0; i < 2; i++) {
        assert_int_equal(ps_store_open("sim", &write, &other), PS_ERR_IN_USE);
        assert_string_equal(ps_message(), "store is in use: it is open read-only");
        ok(ps_store_close(readers[i]));
    }
    reopen(f);
}

static void table_that_lost_a_file_is_there_and_damaged(void **state)
{
    static const char *const lost[] = {"tables/2.pages", "tables/2.map"};
    struct fixture *f = *state;
    char name[PS_TABLE_NAME_MAX + 1];
    struct ps_table_info info;
    struct ps_table *t;
    unsigned i;

    ps_table_unref(make(f, "t", PS_FORMAT_NATIVE));
    ps_table_unref(make(f, "u", PS_FORMAT_NATIVE));
    for (i = 0; i < 2; i++) {
        struct ps_io *io = sim_disk_io(f->disk);

        close_store(f);
        ok(io->ops->rename(io, lost[i], "tables/elsewhere"));
        reopen(f);
        t = find(f, "t");
        assert_int_equal(ps_table_info(t, &info), PS_ERR_CORRUPT);
        assert_non_null(strstr(ps_message(), lost[i]));
        assert_non_null(strstr(f->last_message, lost[i]));
        assert_true(ps_table_name(t, name));
        assert_string_equal(name, "t");
        ps_table_unref(t);
        t = find(f, "u");
        ok(ps_table_info(t, &info));
        ps_table_unref(t);
        close_store(f);
        ok(io->ops->rename(io, "tables/elsewhere", lost[i]));
        reopen(f);
        t = find(f, "t");
        ok(ps_table_info(t, &info));
        ps_table_unref(t);
    }
}

/* As a process on another host would, whom no lock of this one holds back. */
static void control_file_that_somebody_else_writes_ends_the_work(void **state)
{
    struct fixture *f = *state;
    struct ps_control control;
    uint8_t *before, *after;
    size_t len;

    ok(ps_control_read(sim_disk_io(f->disk), &control, NULL));
    set_segment_size(f, control.segment_size);
    before = sim_disk_dump(f->disk, "pagestore.control", &len);
    assert_int_equal(ps_store_checkpoint(f->store, NULL), PS_ERR_IN_USE);
    assert_non_null(strstr(ps_message(), "pagestore.control was written by another process"));
    assert_non_null(strstr(ps_store_poison_reason(f->store), "another process"));
    assert_int_equal(ps_store_close(f->store), PS_ERR_POISONED);
    f->store = NULL;
    after = sim_disk_dump(f->disk, "pagestore.control", &len);
    assert_memory_equal(after, before, len);
    free(before);
    free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            segments_of_another_size_than_the_control_file_says_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(catalog_with_pages_too_large_for_their_format_is_refused,
                                        setup_1m, teardown),
        cmocka_unit_test_setup_teardown(table_that_lost_a_file_is_there_and_damaged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(control_file_that_somebody_else_writes_ends_the_work, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(readers_share_a_store_and_a_writer_has_it_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refused_options_leave_a_closed_store_closed, setup,
                                        teardown),
        cmocka_unit_test(size_is_digits_and_perhaps_a_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
