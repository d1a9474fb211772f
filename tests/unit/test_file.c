/*
 * test_file.c - page files: pages to bytes, neighbours to one request, syncs, space.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "file/file.h"
#include "sim_disk.h"

#define PAGE 8192u
#define PAGES_MAX 600

struct fixture {
    struct sim_disk *disk;
    struct ps_io *io;
    struct ps_poison poison;
    struct ps_open_files open_files;
    struct ps_pagefile file;
    unsigned char *bufs; /* PAGES_MAX pages */
    struct ps_pagefile_page pages[PAGES_MAX];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->disk = sim_disk_new(1);
    f->io = sim_disk_io(f->disk);
    ps_open_files_init(&f->open_files, f->io);
    ps_poison_init(&f->poison, NULL, NULL);
    f->bufs = ps_buf_alloc((size_t)PAGES_MAX * PAGE);
    *state = f;
    return (int)ps_pagefile_open(&f->file, &f->open_files, "2.pages", PAGE, PS_IO_CREATE,
                                 &f->poison);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ps_pagefile_close(&f->file);
    ps_pagefile_close(&f->file); /* closing twice does nothing */
    ps_open_files_deinit(&f->open_files);
    ps_poison_deinit(&f->poison);
    sim_disk_free(f->disk);
    ps_buf_free(f->bufs);
    free(f);
    return 0;
}

static bool unsynced(const struct ps_pagefile *f)
{
    return f->writes_done != f->writes_synced;
}

/* Sets up the list of pages; each buffer is filled with its page number. */
static void list_pages(struct fixture *f, const uint64_t *page_nos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        f->pages[i] = (struct ps_pagefile_page){
            .page_no = page_nos[i], .buf = f->bufs + i * PAGE, .err = PS_ERR_COUNT_};
        memset(f->pages[i].buf, (int)page_nos[i] + 1, PAGE);
    }
}

static ps_err write_pages(struct fixture *f, const uint64_t *page_nos, size_t count)
{
    list_pages(f, page_nos, count);
    return ps_pagefile_write(&f->file, f->pages, count);
}

static void assert_filled(const void *buf, int byte, size_t len)
{
    const unsigned char *b = buf;

    for (size_t i = 0; i < len; i++)
        assert_int_equal(b[i], byte);
}

static ps_err sync_file(struct fixture *f)
{
    struct ps_pagefile *files[] = {&f->file};

    return ps_pagefile_sync(files, 1);
}

static void page_n_lies_at_n_times_the_page_size(void **state)
{
    struct fixture *f = *state;
    size_t len;
    unsigned char *bytes;

    assert_int_equal(write_pages(f, (uint64_t[]){0, 1, 3}, 3), PS_OK);
    bytes = sim_disk_dump(f->disk, "2.pages", &len);
    assert_int_equal(len, 4 * PAGE);
    assert_filled(bytes, 1, PAGE);
    assert_filled(bytes + PAGE, 2, PAGE);
    assert_filled(bytes + 2 * PAGE, 0, PAGE);
    assert_filled(bytes + 3 * PAGE, 4, PAGE);
    free(bytes);
}

static void neighbours_go_in_one_request(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_pages(f, (uint64_t[]){0, 1, 2, 5, 6, 9}, 6), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_WRITE), 3);
    list_pages(f, (uint64_t[]){0, 1, 2, 5, 6, 9}, 6);
    assert_int_equal(ps_pagefile_read(&f->file, f->pages, 6), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_READ), 3);
}

static void many_pages_are_read_as_they_were_written(void **state)
{
    struct fixture *f = *state;
    uint64_t page_nos[PAGES_MAX];

    for (uint64_t i = 0; i < PAGES_MAX; i++)
        page_nos[i] = i + i / 7; /* runs of seven, over batch boundaries */
    assert_int_equal(write_pages(f, page_nos, PAGES_MAX), PS_OK);
    list_pages(f, page_nos, PAGES_MAX);
    memset(f->bufs, 0xee, (size_t)PAGES_MAX * PAGE);
    assert_int_equal(ps_pagefile_read(&f->file, f->pages, PAGES_MAX), PS_OK);
    for (size_t i = 0; i < PAGES_MAX; i++) {
        assert_int_equal(f->pages[i].err, PS_OK);
        assert_filled(f->pages[i].buf, (unsigned char)(page_nos[i] + 1), PAGE);
    }
}

static void pages_past_the_end_read_as_zeros(void **state)
{
    struct fixture *f = *state;
    unsigned char half[4096];

    memset(half, 9, sizeof(half));
    assert_int_equal(write_pages(f, (uint64_t[]){0}, 1), PS_OK);
    sim_disk_patch(f->disk, "2.pages", PAGE, half, sizeof(half)); /* the file ends in page 1 */
    list_pages(f, (uint64_t[]){0, 1, 2, 7}, 4);
    assert_int_equal(ps_pagefile_read(&f->file, f->pages, 4), PS_OK);
    assert_filled(f->pages[0].buf, 1, PAGE);
    assert_filled(f->pages[1].buf, 9, 4096);
    assert_filled((unsigned char *)f->pages[1].buf + 4096, 0, PAGE - 4096);
    assert_filled(f->pages[2].buf, 0, PAGE);
    assert_filled(f->pages[3].buf, 0, PAGE);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(f->pages[i].err, PS_OK);
}

static enum sim_fault fail_page_5(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    (void)ctx;
    (void)disk;
    return op->off == 5 * PAGE ? SIM_EIO : SIM_NO_FAULT;
}

static void failed_request_marks_its_own_pages_only(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_pages(f, (uint64_t[]){0, 5, 6, 9}, 4), PS_OK);
    sim_disk_set_hook(f->disk, fail_page_5, NULL);
    for (int write = 0; write < 2; write++) {
        list_pages(f, (uint64_t[]){0, 5, 6, 9}, 4);
        assert_int_equal(write ? ps_pagefile_write(&f->file, f->pages, 4)
                               : ps_pagefile_read(&f->file, f->pages, 4),
                         PS_ERR_IO);
        assert_int_equal(f->pages[0].err, PS_OK);
        assert_int_equal(f->pages[1].err, PS_ERR_IO);
        assert_int_equal(f->pages[2].err, PS_ERR_IO);
        assert_int_equal(f->pages[3].err, PS_OK);
    }
    assert_string_equal(ps_message(),
                        "cannot write 16384 bytes at 40960 of 2.pages: Input/output error");
}

static void message_is_that_of_the_first_failed_batch(void **state)
{
    struct fixture *f = *state;
    uint64_t page_nos[PAGES_MAX];

    for (uint64_t i = 0; i < PAGES_MAX; i++)
        page_nos[i] = i;
    sim_disk_arm(f->disk, SIM_WRITE, 0, SIM_ENOSPC);
    sim_disk_arm(f->disk, SIM_WRITE, 2, SIM_EIO);
    assert_int_equal(write_pages(f, page_nos, PAGES_MAX), PS_ERR_NOSPC);
    assert_non_null(strstr(ps_message(), " at 0 of 2.pages: No space left on device"));
    assert_int_equal(f->pages[0].err, PS_ERR_NOSPC);
    assert_int_equal(f->pages[PS_PAGEFILE_BATCH].err, PS_OK);
    assert_int_equal(f->pages[PAGES_MAX - 1].err, PS_ERR_IO);
}

static void synced_pages_survive_a_crash(void **state)
{
    struct fixture *f = *state;
    size_t len;

    assert_false(unsynced(&f->file));
    assert_int_equal(write_pages(f, (uint64_t[]){0, 1}, 2), PS_OK);
    assert_true(unsynced(&f->file));
    assert_int_equal(sync_file(f), PS_OK);
    assert_false(unsynced(&f->file));
    assert_int_equal(f->io->ops->sync_dir(f->io, "."), PS_OK);
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 0);
    free(sim_disk_dump(f->disk, "2.pages", &len));
    assert_int_equal(len, 2 * PAGE);
}

static void sync_touches_unsynced_files_only(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile others[100];
    struct ps_pagefile *files[101];

    for (int i = 0; i < 100; i++) {
        char path[16];

        snprintf(path, sizeof(path), "%d.pages", 10 + i);
        assert_int_equal(
            ps_pagefile_open(&others[i], &f->open_files, path, PAGE, PS_IO_CREATE, &f->poison),
            PS_OK);
        files[i] = &others[i];
    }
    files[100] = &f->file;
    assert_int_equal(ps_pagefile_sync(files, 101), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_SYNC), 0);
    list_pages(f, (uint64_t[]){0}, 1);
    for (int i = 0; i < 100; i += 10)
        assert_int_equal(ps_pagefile_write(&others[i], f->pages, 1), PS_OK);
    assert_int_equal(ps_pagefile_write(&f->file, f->pages, 1), PS_OK);
    assert_int_equal(ps_pagefile_sync(files, 101), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_SYNC), 11);
    assert_int_equal(ps_pagefile_sync(files, 101), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_SYNC), 11);
    for (int i = 0; i < 100; i++)
        ps_pagefile_close(&others[i]);
}

struct late_write {
    struct fixture *f;
    bool done;
};

static enum sim_fault write_during_sync(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct late_write *late = ctx;

    (void)disk;
    if (op->kind == SIM_SYNC && !late->done) {
        late->done = true;
        assert_int_equal(write_pages(late->f, (uint64_t[]){7}, 1), PS_OK);
    }
    return SIM_NO_FAULT;
}

static void write_during_a_sync_needs_the_next_one(void **state)
{
    struct fixture *f = *state;
    struct late_write late = {.f = f};

    assert_int_equal(write_pages(f, (uint64_t[]){0}, 1), PS_OK);
    sim_disk_set_hook(f->disk, write_during_sync, &late);
    assert_int_equal(sync_file(f), PS_OK);
    assert_true(late.done);
    assert_true(unsynced(&f->file));
    assert_int_equal(sync_file(f), PS_OK);
    assert_false(unsynced(&f->file));
}

static void failed_write_still_needs_a_sync(void **state)
{
    struct fixture *f = *state;

    sim_disk_arm(f->disk, SIM_WRITE, 0, SIM_EIO);
    assert_int_equal(write_pages(f, (uint64_t[]){0}, 1), PS_ERR_IO);
    assert_true(unsynced(&f->file)); /* part of it may have reached the kernel */
}

static void failed_sync_poisons_and_is_never_retried(void **state)
{
    struct fixture *f = *state;
    uint64_t syncs;

    assert_int_equal(write_pages(f, (uint64_t[]){0}, 1), PS_OK);
    sim_disk_arm(f->disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    assert_int_equal(sync_file(f), PS_ERR_IO);
    assert_string_equal(ps_poison_reason(&f->poison), "cannot sync 2.pages: Input/output error");
    assert_true(unsynced(&f->file));
    syncs = sim_disk_kind_count(f->disk, SIM_SYNC);
    assert_int_equal(sync_file(f), PS_ERR_POISONED);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_SYNC), syncs);
}

static void count_file(void *ctx, struct ps_pagefile *file)
{
    unsigned *count = ctx;

    assert_true(unsynced(file));
    ++*count;
}

static unsigned unsynced_files(struct fixture *f)
{
    unsigned count = 0;

    ps_open_files_each_unsynced(&f->open_files, count_file, &count);
    return count;
}

static void files_with_unsynced_changes_are_known(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile more[3], *files[] = {&more[0], &f->file};
    char name[16];

    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%u.pages", 3 + i);
        assert_int_equal(
            ps_pagefile_open(&more[i], &f->open_files, name, PAGE, PS_IO_CREATE, &f->poison),
            PS_OK);
    }
    assert_int_equal(unsynced_files(f), 0);
    assert_int_equal(write_pages(f, (uint64_t[]){0}, 1), PS_OK);
    assert_int_equal(write_pages(f, (uint64_t[]){1}, 1), PS_OK);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ps_pagefile_truncate(&more[i], 1), PS_OK);
    assert_int_equal(unsynced_files(f), 4);
    ps_pagefile_close(&more[1]); /* amid the others */
    assert_int_equal(unsynced_files(f), 3);
    assert_int_equal(ps_pagefile_sync(files, 2), PS_OK);
    assert_int_equal(unsynced_files(f), 1);
    assert_int_equal(write_pages(f, (uint64_t[]){0}, 1), PS_OK);
    assert_int_equal(unsynced_files(f), 2);
    ps_pagefile_close(&more[2]);
    ps_pagefile_close(&more[0]);
    assert_int_equal(unsynced_files(f), 1);
    sim_disk_arm(f->disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    assert_int_equal(sync_file(f), PS_ERR_IO);
    assert_int_equal(unsynced_files(f), 1);
}

static void poisoned_store_changes_no_file(void **state)
{
    struct fixture *f = *state;
    uint64_t ops;

    assert_int_equal(write_pages(f, (uint64_t[]){0}, 1), PS_OK);
    (void)ps_fail(PS_ERR_IO, "reason");
    (void)ps_poison_raise(&f->poison);
    ops = sim_disk_op_count(f->disk);
    assert_int_equal(write_pages(f, (uint64_t[]){0, 1}, 2), PS_ERR_POISONED);
    assert_int_equal(f->pages[1].err, PS_ERR_POISONED);
    assert_int_equal(ps_pagefile_reserve(&f->file, 0, 1), PS_ERR_POISONED);
    assert_int_equal(ps_pagefile_punch(&f->file, 0, 1), PS_ERR_POISONED);
    assert_int_equal(ps_pagefile_truncate(&f->file, 0), PS_ERR_POISONED);
    assert_int_equal(sim_disk_op_count(f->disk), ops);
    assert_int_equal(ps_pagefile_read(&f->file, f->pages, 1), PS_OK);
}

static void reserved_pages_can_be_written_on_a_full_disk(void **state)
{
    struct fixture *f = *state;
    struct ps_io_stat st;

    assert_int_equal(ps_pagefile_reserve(&f->file, 0, 4), PS_OK);
    assert_int_equal(ps_pagefile_stat(&f->file, &st), PS_OK);
    sim_disk_set_capacity(f->disk, st.spent);
    assert_int_equal(write_pages(f, (uint64_t[]){0, 1, 2, 3}, 4), PS_OK);
    assert_int_equal(write_pages(f, (uint64_t[]){100}, 1), PS_ERR_NOSPC);
}

static void reserve_asks_in_steps_that_grow(void **state)
{
    struct fixture *f = *state;

    for (uint64_t page = 0; page < 20000; page++)
        assert_int_equal(ps_pagefile_reserve(&f->file, page, 1), PS_OK);
    assert_in_range(sim_disk_kind_count(f->disk, SIM_ALLOCATE), 2, 80);
}

static void reserve_takes_what_it_needs_when_there_is_no_more(void **state)
{
    struct fixture *f = *state;

    sim_disk_set_capacity(f->disk, 3 * PAGE);
    assert_int_equal(ps_pagefile_reserve(&f->file, 0, 2), PS_OK);
    assert_int_equal(ps_pagefile_reserve(&f->file, 2, 1), PS_OK);
    assert_int_equal(ps_pagefile_reserve(&f->file, 3, 1), PS_ERR_NOSPC);
}

static void reserve_behind_a_hole_leaves_the_hole(void **state)
{
    struct fixture *f = *state;
    struct ps_io_stat st;

    assert_int_equal(ps_pagefile_truncate(&f->file, 1 << 20), PS_OK);
    assert_int_equal(ps_pagefile_reserve(&f->file, 900000, 2), PS_OK);
    assert_int_equal(ps_pagefile_stat(&f->file, &st), PS_OK);
    assert_int_equal(st.spent, 2 * PAGE);
}

static void punched_and_truncated_pages_are_reserved_anew(void **state)
{
    struct fixture *f = *state;
    uint64_t allocations;

    assert_int_equal(ps_pagefile_reserve(&f->file, 0, 4), PS_OK);
    assert_int_equal(write_pages(f, (uint64_t[]){0, 1, 2, 3}, 4), PS_OK);
    assert_int_equal(sync_file(f), PS_OK);
    allocations = sim_disk_kind_count(f->disk, SIM_ALLOCATE);

    assert_int_equal(ps_pagefile_punch(&f->file, 1, 2), PS_OK);
    assert_true(unsynced(&f->file));
    assert_int_equal(ps_pagefile_reserve(&f->file, 0, 1), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_ALLOCATE), allocations);
    assert_int_equal(ps_pagefile_reserve(&f->file, 1, 1), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_ALLOCATE), allocations + 1);
    list_pages(f, (uint64_t[]){0, 1, 2, 3}, 4);
    assert_int_equal(ps_pagefile_read(&f->file, f->pages, 4), PS_OK);
    assert_filled(f->pages[1].buf, 0, PAGE);
    assert_filled(f->pages[3].buf, 4, PAGE);

    assert_int_equal(ps_pagefile_truncate(&f->file, 2), PS_OK);
    assert_int_equal(ps_pagefile_reserve(&f->file, 2, 1), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_ALLOCATE), allocations + 2);
}

struct punch_meanwhile {
    struct fixture *f;
    bool done;
};

static enum sim_fault punch_during_allocate(void *ctx, struct sim_disk *disk,
                                            const struct sim_op *op)
{
    struct punch_meanwhile *p = ctx;

    (void)disk;
    if (op->kind == SIM_ALLOCATE && !p->done) {
        p->done = true;
        assert_int_equal(ps_pagefile_punch(&p->f->file, 1, 1), PS_OK);
    }
    return SIM_NO_FAULT;
}

static void reserve_that_meets_a_punch_promises_nothing_beyond_itself(void **state)
{
    struct fixture *f = *state;
    struct punch_meanwhile meanwhile = {.f = f};
    uint64_t allocations;

    sim_disk_set_hook(f->disk, punch_during_allocate, &meanwhile);
    assert_int_equal(ps_pagefile_reserve(&f->file, 0, 1), PS_OK);
    assert_true(meanwhile.done);
    allocations = sim_disk_kind_count(f->disk, SIM_ALLOCATE);
    assert_int_equal(ps_pagefile_reserve(&f->file, 1, 1), PS_OK);
    assert_int_equal(sim_disk_kind_count(f->disk, SIM_ALLOCATE), allocations + 1);
}

static void open_reports_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile file;

    assert_int_equal(ps_pagefile_open(&file, &f->open_files, "3.pages", PAGE, 0, &f->poison),
                     PS_ERR_NOENT);
    assert_string_equal(ps_message(), "cannot open 3.pages: No such file or directory");
    ps_pagefile_close(&file); /* of a failed open: nothing */
}

static void a_path_may_be_long(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile file;
    char path[100];

    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(ps_pagefile_open(&file, &f->open_files, path, PAGE, PS_IO_CREATE, &f->poison),
                     PS_OK);
    assert_string_equal(file.path, path);
    ps_pagefile_close(&file);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- few descriptors ---------------------------------------------------------------------- */

#define MANY 20u

/* Many files, of which four may be open at a time. */
static void open_many(struct fixture *f, struct ps_pagefile *many)
{
    char path[16];
    unsigned i;

    f->open_files.max = 4;
    for (i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "%u.map", i);
        assert_int_equal(
            ps_pagefile_open(&many[i], &f->open_files, path, PAGE, PS_IO_CREATE, &f->poison),
            PS_OK);
        assert_true(f->open_files.count <= 4);
    }
}

static void close_many(struct ps_pagefile *many)
{
    unsigned i;

    for (i = 0; i < MANY; i++)
        ps_pagefile_close(&many[i]);
}

static void files_beyond_the_limit_are_closed_and_opened_again(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile many[MANY];
    unsigned round, i;

    open_many(f, many);
    for (round = 0; round < 3; round++) {
        for (i = 0; i < MANY; i++) {
            uint64_t page_no = i;

            list_pages(f, &page_no, 1);
            assert_int_equal(round == 1 ? ps_pagefile_read(&many[i], f->pages, 1)
                                        : ps_pagefile_write(&many[i], f->pages, 1),
                             PS_OK);
            assert_filled(f->pages[0].buf, (int)i + 1, PAGE);
            assert_true(f->open_files.count <= 4);
        }
    }
    close_many(many);
}

static void file_that_is_gone_when_it_is_opened_again_is_damage(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile many[MANY];
    uint64_t page_no = 0;

    open_many(f, many);
    assert_null(many[0].file);
    assert_int_equal(f->io->ops->unlink(f->io, "0.map"), PS_OK);
    list_pages(f, &page_no, 1);
    assert_int_equal(ps_pagefile_read(&many[0], f->pages, 1), PS_ERR_CORRUPT);
    assert_int_equal(f->pages[0].err, PS_ERR_CORRUPT);
    assert_int_equal(ps_pagefile_write(&many[0], f->pages, 1), PS_ERR_CORRUPT);
    assert_non_null(strstr(ps_message(), "0.map"));
    assert_false(sim_disk_exists(f->disk, "0.map"));
    close_many(many);
}

static void file_in_constant_use_stays_open(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile many[MANY];
    const struct ps_io_file *handle;
    unsigned i;

    open_many(f, many);
    list_pages(f, (uint64_t[]){0}, 1);
    assert_int_equal(ps_pagefile_read(&many[0], f->pages, 1), PS_OK);
    handle = many[0].file;
    for (i = 1; i < MANY; i++) {
        assert_int_equal(ps_pagefile_read(&many[i], f->pages, 1), PS_OK);
        assert_int_equal(ps_pagefile_read(&many[0], f->pages, 1), PS_OK);
        assert_ptr_equal(many[0].file, handle);
    }
    close_many(many);
}

static void unsynced_files_are_synced_before_they_are_closed(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile many[MANY];
    unsigned i;

    open_many(f, many);
    for (i = 0; i < MANY; i++) {
        list_pages(f, (uint64_t[]){1}, 1);
        assert_int_equal(ps_pagefile_write(&many[i], f->pages, 1), PS_OK);
    }
    for (i = 0; i < MANY; i++)
        assert_true(many[i].file || !unsynced(&many[i]));
    close_many(many);
}

static void sync_that_fails_to_make_room_poisons_the_store_and_reads_go_on(void **state)
{
    struct fixture *f = *state;
    struct ps_pagefile many[MANY];
    unsigned i;

    open_many(f, many);
    sim_disk_arm(f->disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    for (i = 0; i < 5; i++) {
        list_pages(f, (uint64_t[]){1}, 1);
        assert_int_equal(ps_pagefile_write(&many[i], f->pages, 1), PS_OK);
    }
    assert_non_null(ps_poison_reason(&f->poison));
    for (i = 0; i < MANY; i++) {
        assert_int_equal(ps_pagefile_read(&many[i], f->pages, 1), PS_OK);
        assert_true(f->open_files.count <= 4);
        assert_int_equal(ps_pagefile_write(&many[i], f->pages, 1), PS_ERR_POISONED);
    }
    close_many(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(page_n_lies_at_n_times_the_page_size),
        T(neighbours_go_in_one_request),
        T(many_pages_are_read_as_they_were_written),
        T(pages_past_the_end_read_as_zeros),
        T(failed_request_marks_its_own_pages_only),
        T(message_is_that_of_the_first_failed_batch),
        T(synced_pages_survive_a_crash),
        T(sync_touches_unsynced_files_only),
        T(write_during_a_sync_needs_the_next_one),
        T(failed_write_still_needs_a_sync),
        T(failed_sync_poisons_and_is_never_retried),
        T(files_with_unsynced_changes_are_known),
        T(poisoned_store_changes_no_file),
        T(reserved_pages_can_be_written_on_a_full_disk),
        T(reserve_asks_in_steps_that_grow),
        T(reserve_takes_what_it_needs_when_there_is_no_more),
        T(reserve_behind_a_hole_leaves_the_hole),
        T(punched_and_truncated_pages_are_reserved_anew),
        T(reserve_that_meets_a_punch_promises_nothing_beyond_itself),
        T(open_reports_what_is_wrong),
        T(a_path_may_be_long),
        T(files_beyond_the_limit_are_closed_and_opened_again),
        T(file_that_is_gone_when_it_is_opened_again_is_damage),
        T(file_in_constant_use_stays_open),
        T(unsynced_files_are_synced_before_they_are_closed),
        T(sync_that_fails_to_make_room_poisons_the_store_and_reads_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
