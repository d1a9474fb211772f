/*
 * Verify on a simulated disk: what it finds on stores that were closed, and what it says of stores
 * that crashed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"
#include "pagestore/table.h"
#include "pagestore/verify.h"
#include "sim_disk.h"

#define PAGE 8192u
#define FINDINGS_MAX 64

struct found {
    enum ps_severity severity;
    char file[64], word[32], text[256];
    int64_t page;
    uint64_t offset;
};

struct fixture {
    struct sim_disk *disk;
    struct ps_store *store;
    struct ps_table *table; /* `t`, raw and native */
    struct found found[FINDINGS_MAX];
    unsigned count;
    struct ps_verify_result result;
};

static void open_store(struct fixture *f)
{
    struct ps_store_options opts;

    ps_store_options_default(&opts);
    opts.io_given = sim_disk_io(f->disk);
    opts.no_threads = true;
    opts.pool_bytes = 4u << 20;
    ok(ps_store_open("sim", &opts, &f->store));
}

static void let_table_go(struct fixture *f)
{
    if (f->table)
        ps_table_unref(f->table);
    f->table = NULL;
}

static void close_store(struct fixture *f)
{
    let_table_go(f);
    ok(ps_store_close(f->store));
    f->store = NULL;
}

static void crash(struct fixture *f, enum sim_crash_mode mode)
{
    let_table_go(f);
    ps_store_abandon(f->store);
    f->store = NULL;
    sim_disk_crash(f->disk, mode, 1);
}

static void write_pages(struct fixture *f, uint32_t first, uint32_t count, uint8_t byte)
{
    uint8_t *bytes = malloc(PAGE);
    uint32_t i;

    memset(bytes, byte, PAGE);
    for (i = first; i < first + count; i++)
        ok(ps_write(f->table, PS_SPACE_IMAGE, (uint64_t)i * PAGE, bytes, PAGE, 0, NULL));
    free(bytes);
}

static void create_table(struct fixture *f)
{
    ok(ps_table_create(f->store, "t", PS_FORMAT_NATIVE, PS_PAGE_RAW, &f->table));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct ps_init_options init = {0};

    f->disk = sim_disk_new(1);
    init.io_given = sim_disk_io(f->disk);
    ok(ps_store_init("sim", &init));
    open_store(f);
    create_table(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    let_table_go(f);
    if (f->store)
        ps_store_abandon(f->store);
    sim_disk_free(f->disk);
    free(f);
    return 0;
}

static void keep_finding(void *ctx, const struct ps_finding *finding)
{
    struct fixture *f = ctx;
    struct found *found = &f->found[f->count];

    assert_true(f->count < FINDINGS_MAX);
    f->count++;
    found->severity = finding->severity;
    found->page = finding->page;
    found->offset = finding->offset;
    snprintf(found->file, sizeof(found->file), "%s", finding->file);
    snprintf(found->word, sizeof(found->word), "%s", finding->word);
    snprintf(found->text, sizeof(found->text), "%s", finding->text);
}

static void verify(struct fixture *f)
{
    const struct ps_verify_options opts = {
        .report = keep_finding, .ctx = f, .io_given = sim_disk_io(f->disk)};

    f->count = 0;
    ok(ps_verify("sim", &opts, &f->result));
}

static void expect_finding(struct fixture *f, enum ps_severity severity, const char *file,
                           int64_t page, const char *word)
{
    unsigned i;

    for (i = 0; i < f->count; i++)
        if (f->found[i].severity == severity && strcmp(f->found[i].file, file) == 0 &&
            f->found[i].page == page && strcmp(f->found[i].word, word) == 0)
            return;
    for (i = 0; i < f->count; i++)
        print_error("%d %s page %d %s: %s\n", (int)f->found[i].severity, f->found[i].file,
                    (int)f->found[i].page, f->found[i].word, f->found[i].text);
    fail_msg("no finding %s of page %d of %s", word, (int)page, file);
}

static void expect_sound(struct fixture *f)
{
    verify(f);
    if (f->count > 0)
        fail_msg("%s page %d %s: %s", f->found[0].file, (int)f->found[0].page, f->found[0].word,
                 f->found[0].text);
    assert_int_equal(f->result.faults, 0);
    assert_int_equal(f->result.suspects, 0);
    assert_false(f->result.needs_recovery);
}

/* A crashed store without faults; findings that recovery repairs may be there. */
static void expect_needs_recovery(struct fixture *f)
{
    unsigned i;

    verify(f);
    assert_true(f->result.needs_recovery);
    for (i = 0; i < f->count; i++)
        if (f->found[i].severity == PS_FAULT)
            fail_msg("%s page %d %s: %s", f->found[i].file, (int)f->found[i].page, f->found[i].word,
                     f->found[i].text);
}

static void recover(struct fixture *f)
{
    open_store(f);
    close_store(f);
}

/* --- stores that were closed -------------------------------------------------------------- */

static void closed_store_is_sound(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 20, 'a');
    close_store(f);
    expect_sound(f);
    assert_int_equal(f->result.tables, 2);
    assert_true(f->result.pages >= 21);
}

static void every_flipped_bit_of_a_page_is_found(void **state)
{
    struct fixture *f = *state;
    uint64_t byte;

    write_pages(f, 0, 4, 'a');
    close_store(f);
    for (byte = 0; byte < PAGE; byte += byte < 64 ? 1 : 509) {
        sim_disk_flip(f->disk, "tables/2.pages", 2 * PAGE + byte, (unsigned)(byte % 8));
        verify(f);
        assert_int_equal(f->result.faults, 1);
        assert_int_equal(f->found[0].page, 2);
        assert_int_equal(f->found[0].offset, 2 * PAGE);
        assert_string_equal(f->found[0].file, "tables/2.pages");
        sim_disk_flip(f->disk, "tables/2.pages", 2 * PAGE + byte, (unsigned)(byte % 8));
    }
    expect_sound(f);
}

static void every_flipped_bit_of_a_map_is_found(void **state)
{
    struct fixture *f = *state;
    size_t byte, len;

    write_pages(f, 0, 4, 'a');
    close_store(f);
    free(sim_disk_dump(f->disk, "tables/2.map", &len));
    for (byte = 0; byte < 2 * PAGE && byte < len; byte += 211) {
        sim_disk_flip(f->disk, "tables/2.map", byte, (unsigned)(byte % 8));
        verify(f);
        assert_true(f->result.faults > 0);
        sim_disk_flip(f->disk, "tables/2.map", byte, (unsigned)(byte % 8));
    }
    expect_sound(f);
}

static void page_of_an_earlier_time_is_a_lost_write(void **state)
{
    struct fixture *f = *state;
    unsigned char *before;
    size_t len;

    write_pages(f, 0, 4, 'a');
    ok(ps_store_checkpoint(f->store, NULL));
    before = sim_disk_dump(f->disk, "tables/2.pages", &len);
    write_pages(f, 3, 1, 'b');
    close_store(f);
    expect_sound(f);
    sim_disk_patch(f->disk, "tables/2.pages", 3 * PAGE, before + 3 * PAGE, PAGE);
    free(before);
    verify(f);
    expect_finding(f, PS_FAULT, "tables/2.pages", 3, "lost-write");
    assert_int_equal(f->result.faults, 1);
}

static void pages_under_a_damaged_map_are_still_checked(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 6, 'a');
    close_store(f);
    sim_disk_flip(f->disk, "tables/2.map", 100, 0); /* the root */
    sim_disk_flip(f->disk, "tables/2.pages", 4 * PAGE + 500, 3);
    verify(f);
    expect_finding(f, PS_FAULT, "tables/2.map", 0, "checksum");
    expect_finding(f, PS_FAULT, "tables/2.pages", 4, "checksum");
    assert_int_equal(f->result.faults, 2);
}

static void damaged_control_copies_do_not_hide_damaged_pages(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 6, 'a');
    close_store(f);
    sim_disk_flip(f->disk, "pagestore.control", 50, 0);
    sim_disk_flip(f->disk, "pagestore.control", 4096 + 50, 0);
    sim_disk_flip(f->disk, "tables/2.pages", 4 * PAGE + 500, 3);
    verify(f);
    expect_finding(f, PS_FAULT, "pagestore.control", -1, "control");
    expect_finding(f, PS_FAULT, "tables/2.pages", 4, "checksum");
    assert_int_equal(f->result.faults, 3);
}

static enum sim_fault no_control_file(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    (void)ctx;
    (void)disk;
    return op->kind == SIM_READ && strcmp(op->path, "pagestore.control") == 0 ? SIM_EIO
                                                                              : SIM_NO_FAULT;
}

static void unreadable_control_file_is_told_by_its_own_error(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 6, 'a');
    close_store(f);
    sim_disk_set_hook(f->disk, no_control_file, NULL);
    verify(f);
    sim_disk_set_hook(f->disk, NULL, NULL);
    expect_finding(f, PS_FAULT, "pagestore.control", -1, "control");
    assert_int_equal(f->result.faults, 1);
    assert_non_null(strstr(f->found[0].text, "pagestore.control"));
}

static void freed_pages_leave_a_sound_store(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 40, 'a');
    ok(ps_page_free(f->table, 5, NULL));
    ok(ps_truncate(f->table, PS_SPACE_IMAGE, 20 * PAGE, NULL));
    ok(ps_page_create(f->table, 30, NULL));
    close_store(f);
    expect_sound(f);
}

static void folder_without_a_store_cannot_be_verified(void **state)
{
    struct fixture *f = *state;
    struct sim_disk *empty = sim_disk_new(2);
    const struct ps_verify_options opts = {.io_given = sim_disk_io(empty)};

    assert_int_equal(ps_verify("sim", &opts, &f->result), PS_ERR_NOENT);
    sim_disk_free(empty);
}

/* --- stores that crashed ------------------------------------------------------------------ */

static void crashed_store_needs_recovery_and_is_sound_after_it(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 10, 'a');
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    write_pages(f, 5, 10, 'b');
    crash(f, SIM_CRASH_SAMPLE);
    expect_needs_recovery(f);
    recover(f);
    expect_sound(f);
}

static void torn_page_with_an_image_in_the_log_needs_recovery_only(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 10, 'a');
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    crash(f, SIM_CRASH_DROP);
    sim_disk_flip(f->disk, "tables/2.pages", 3 * PAGE + 4000, 1);
    expect_needs_recovery(f);
    expect_finding(f, PS_NEEDS_RECOVERY, "tables/2.pages", 3, "checksum");
    recover(f);
    expect_sound(f);
}

static void damage_that_no_log_repairs_is_a_fault_of_a_crashed_store_too(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 10, 'a');
    ok(ps_store_checkpoint(f->store, NULL));
    write_pages(f, 5, 1, 'b');
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    crash(f, SIM_CRASH_DROP);
    sim_disk_flip(f->disk, "tables/2.pages", 3 * PAGE + 4000, 1);
    verify(f);
    assert_true(f->result.needs_recovery);
    expect_finding(f, PS_FAULT, "tables/2.pages", 3, "checksum");
    assert_int_equal(f->result.faults, 1);
}

static void pages_freed_before_a_crash_are_no_faults(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 40, 'a');
    ok(ps_store_checkpoint(f->store, NULL));
    ok(ps_page_free(f->table, 5, NULL));
    ok(ps_truncate(f->table, PS_SPACE_IMAGE, 20 * PAGE, NULL));
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    crash(f, SIM_CRASH_KEEP);
    expect_needs_recovery(f);
    recover(f);
    expect_sound(f);
}

static void tables_made_and_dropped_before_a_crash_are_known_from_the_log(void **state)
{
    struct fixture *f = *state;

    write_pages(f, 0, 4, 'a');
    ok(ps_table_create(f->store, "later", PS_FORMAT_POSTGRES, PS_PAGE_SLOTTED, NULL));
    let_table_go(f);
    ok(ps_table_drop(f->store, "t", true));
    crash(f, SIM_CRASH_SAMPLE);
    expect_needs_recovery(f);
    assert_int_equal(f->result.tables, 2); /* the catalog and `later` */
    recover(f);
    expect_sound(f);
}

/* Puts a file back to what it was. */
static void put_back(struct fixture *f, const char *path, unsigned char *bytes, size_t len)
{
    sim_disk_patch(f->disk, path, 0, bytes, len);
    free(bytes);
}

static void log_of_a_table_that_does_not_exist_is_a_fault(void **state)
{
    struct fixture *f = *state;
    struct ps_io *io = sim_disk_io(f->disk);
    struct ps_store_options opts;
    unsigned char *pages, *map;
    size_t pages_len, map_len;

    let_table_go(f);
    ok(ps_table_drop(f->store, "t", true));
    ok(ps_store_checkpoint(f->store, NULL));
    pages = sim_disk_dump(f->disk, "tables/1.pages", &pages_len);
    map = sim_disk_dump(f->disk, "tables/1.map", &map_len);
    create_table(f);
    ok(ps_store_checkpoint(f->store, NULL));
    write_pages(f, 0, 4, 'a');
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    crash(f, SIM_CRASH_DROP);
    put_back(f, "tables/1.pages", pages, pages_len);
    put_back(f, "tables/1.map", map, map_len);
    expect_needs_recovery(f); /* which removes the files */
    ok(io->ops->unlink(io, "tables/3.pages"));
    ok(io->ops->unlink(io, "tables/3.map"));
    verify(f);
    expect_finding(f, PS_FAULT, "tables/3.pages", -1, "missing");
    expect_finding(f, PS_FAULT, "tables/3.map", -1, "missing");
    ps_store_options_default(&opts);
    opts.io_given = io;
    opts.no_threads = true;
    assert_int_not_equal(ps_store_open("sim", &opts, &f->store), PS_OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(closed_store_is_sound),
        T(every_flipped_bit_of_a_page_is_found),
        T(every_flipped_bit_of_a_map_is_found),
        T(page_of_an_earlier_time_is_a_lost_write),
        T(pages_under_a_damaged_map_are_still_checked),
        T(damaged_control_copies_do_not_hide_damaged_pages),
        T(unreadable_control_file_is_told_by_its_own_error),
        T(freed_pages_leave_a_sound_store),
        T(folder_without_a_store_cannot_be_verified),
        T(crashed_store_needs_recovery_and_is_sound_after_it),
        T(torn_page_with_an_image_in_the_log_needs_recovery_only),
        T(damage_that_no_log_repairs_is_a_fault_of_a_crashed_store_too),
        T(pages_freed_before_a_crash_are_no_faults),
        T(tables_made_and_dropped_before_a_crash_are_known_from_the_log),
        T(log_of_a_table_that_does_not_exist_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
