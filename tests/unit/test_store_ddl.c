/*
 * Tables that come and go while something else is under way.
 */
#include "store/store_internal.h"
#include "store_fixture.h"

/* --- what happens in the middle of a log flush --------------------------------------------- */

struct meanwhile {
    void (*what)(struct fixture *f);
    struct fixture *f;
    unsigned done;
};

static enum sim_fault in_log_flush(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct meanwhile *m = ctx;

    (void)disk;
    if (op->kind == SIM_WRITE_DURABLE && m->done++ == 0)
        m->what(m->f);
    return SIM_NO_FAULT;
}

/* What a checkpoint that began before does at its end. */
static void sync_tables(struct fixture *f)
{
    ok(ps_tables_sync(f->store));
}

static void files_of_a_dropped_table_stay_until_its_drop_is_durable(void **state)
{
    struct fixture *f = *state;
    struct meanwhile m = {.what = sync_tables, .f = f};
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, "kept", 4, 0, NULL));
    ok(ps_store_checkpoint(f->store, NULL));
    ps_table_unref(t);
    sim_disk_set_hook(f->disk, in_log_flush, &m);
    sim_disk_arm(f->disk, SIM_WRITE_DURABLE, 0, SIM_CUT);
    assert_int_not_equal(ps_table_drop(f->store, "t", true), PS_OK);
    assert_int_equal(m.done, 1);
    crash(f, SIM_CRASH_DROP);
    t = find(f, "t");
    expect_payload(t, 0, (const uint8_t *)"kept", 4);
    ps_table_unref(t);
}

/* --- what happens between a drop's record and the drop's end -------------------------------- */

#define OTHERS 8u

struct dropping {
    struct fixture *f;
    unsigned drops;
    ps_err err;
    char why[256];
};

/* A checkpoint that began before finishes what the drop owes; then come an fsync and another
 * checkpoint. Other threads do that while the drop is under way; here its own does. */
static void sync_when_dropped(void *ctx, const struct ps_event *event)
{
    struct dropping *d = ctx;

    if (event->kind != PS_EVENT_TABLE_DROPPED)
        return;
    d->drops++;
    d->err = ps_tables_sync(d->f->store);
    if (!d->err)
        d->err = ps_store_sync(d->f->store, PS_SYNC_DATA);
    if (!d->err)
        d->err = ps_store_checkpoint(d->f->store, NULL);
    if (d->err)
        snprintf(d->why, sizeof(d->why), "%s", ps_message());
}

static const char *other(unsigned no)
{
    static char name[16];

    snprintf(name, sizeof(name), "other %u", no);
    return name;
}

/* As many files of other tables are opened as may be open. */
static void have_files_closed(struct fixture *f)
{
    for (unsigned i = 0; i < OTHERS; i++) {
        struct ps_table *t = find(f, other(i));
        struct ps_table_info info;

        ok(ps_table_info(t, &info));
        ps_table_unref(t);
    }
}

static void pages_of_a_table_that_is_being_dropped_fail_nobodys_sync(void **state)
{
    struct fixture *f = *state;
    struct dropping d = {.f = f};
    struct ps_store_options opts;
    struct ps_table *t;

    for (unsigned i = 0; i < OTHERS; i++)
        ps_table_unref(make(f, other(i), PS_FORMAT_NATIVE));
    close_store(f);
    sim_disk_set_files_max(f->disk, OTHERS);
    options(f, &opts);
    opts.message = NULL;
    opts.event = sync_when_dropped;
    opts.ctx = &d;
    ok(ps_store_open("sim", &opts, &f->store));
    t = make(f, "t", PS_FORMAT_NATIVE);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, "gone", 4, 0, NULL));
    have_files_closed(f);
    assert_null(t->data.file);
    assert_null(t->map_file.file);
    ps_table_unref(t);
    ok(ps_table_drop(f->store, "t", true));
    assert_int_equal(d.drops, 1);
    assert_string_equal(d.why, "");
    assert_int_equal(d.err, PS_OK);
    assert_false(sim_disk_exists(f->disk, "tables/10.pages"));
    assert_false(sim_disk_exists(f->disk, "tables/10.map"));
}

/* --- what happens while a checkpoint writes pages ------------------------------------------- */

#define BATCHES_PAGES 64u /* more than a checkpoint's batch has */

static enum sim_fault fail_pages_of_b(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    (void)ctx;
    (void)disk;
    return op->kind == SIM_WRITE && strcmp(op->path, "tables/3.pages") == 0 ? SIM_EIO
                                                                            : SIM_NO_FAULT;
}

static enum sim_fault free_page_of_b(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct meanwhile *m = ctx;

    (void)disk;
    if (op->kind == SIM_WRITE && strcmp(op->path, "tables/2.pages") == 0 && m->done++ == 0)
        m->what(m->f);
    return SIM_NO_FAULT;
}

static void free_page(struct fixture *f)
{
    struct ps_table *b = ps_registry_find(f->store, 3);

    ok(ps_page_free(b, 0, NULL));
}

static void write_pages(struct ps_table *t, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ok(ps_write(t, PS_SPACE_IMAGE, (uint64_t)i * 8192 + 4000, "bytes", 5, 0, NULL));
}

/* The page was dirty when the checkpoint began, and its entry in the map was not. */
static void page_that_is_freed_while_a_checkpoint_runs_is_whole_or_gone_after_a_crash(void **state)
{
    struct fixture *f = *state;
    struct meanwhile m = {.what = free_page, .f = f};
    struct ps_table *a = make(f, "a", PS_FORMAT_NATIVE), *b = make(f, "b", PS_FORMAT_NATIVE);
    uint8_t page[8192];
    ps_err err;

    write_pages(b, 1);
    ok(ps_store_checkpoint(f->store, NULL));
    write_pages(b, 1);
    sim_disk_set_hook(f->disk, fail_pages_of_b, NULL);
    assert_int_equal(ps_store_checkpoint(f->store, NULL), PS_ERR_IO);
    write_pages(a, BATCHES_PAGES);
    sim_disk_set_hook(f->disk, free_page_of_b, &m);
    ps_table_unref(a);
    ps_table_unref(b);
    ok(ps_store_checkpoint(f->store, NULL));
    assert_true(m.done > 0);
    crash(f, SIM_CRASH_DROP);
    b = find(f, "b");
    err = ps_page_copy(b, 0, NULL, page);
    ps_table_unref(b);
    if (err != PS_ERR_NOENT)
        ok(err);
}

/* The first item's table is slotted in the catalog from here on, and so it is for everybody. */
static void write_payload(struct fixture *f)
{
    struct ps_table *t = ps_registry_find(f->store, 2);

    assert_int_equal(ps_write(t, PS_SPACE_PAYLOAD, 0, "raw", 3, 0, NULL), PS_ERR_WRONG_TYPE);
}

static void table_that_becomes_slotted_takes_no_payload_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct meanwhile m = {.what = write_payload, .f = f};
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint32_t page, slot;

    sim_disk_set_hook(f->disk, in_log_flush, &m);
    ok(ps_item_insert(t, "item", 4, &page, &slot, NULL));
    assert_int_equal(m.done, 1);
    sim_disk_set_hook(f->disk, NULL, NULL);
    ps_table_unref(t);
    t = make(f, "raw", PS_FORMAT_NATIVE);
    ok(ps_page_create(t, 0, NULL));
    assert_int_equal(ps_item_insert(t, "item", 4, &page, &slot, NULL), PS_ERR_WRONG_TYPE);
    ps_table_unref(t);
}

/* Under ddl_mtx and catalog_lock a checkpoint runs, here in the same thread. */
static void renames_go_on_when_the_log_is_full(void **state)
{
    struct fixture *f = *state;
    unsigned i;

    ps_table_unref(make(f, "a", PS_FORMAT_NATIVE));
    for (i = 0; i < 200; i++) {
        ok(ps_table_rename(f->store, "a", "b"));
        ok(ps_table_rename(f->store, "b", "a"));
    }
    assert_true(ps_wal_tail_lsn(ps_store_wal(f->store)) > f->max_wal);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void files_of_a_drop_that_cannot_be_removed_go_at_a_later_checkpoint(void **state)
{
    struct fixture *f = *state;
    unsigned i;

    ps_table_unref(make(f, "t", PS_FORMAT_NATIVE));
    sim_disk_arm(f->disk, SIM_UNLINK, 0, SIM_EIO);
    ok(ps_table_drop(f->store, "t", true));
    assert_non_null(strstr(f->last_message, "the files of dropped table 2 stay for now"));
    for (i = 0; i < 2; i++) {
        assert_true(sim_disk_exists(f->disk, "tables/2.pages"));
        if (i == 0)
            sim_disk_arm(f->disk, SIM_UNLINK, 0, SIM_EIO);
        ok(ps_store_checkpoint(f->store, NULL));
    }
    assert_false(sim_disk_exists(f->disk, "tables/2.pages"));
    assert_false(sim_disk_exists(f->disk, "tables/2.map"));
}

struct listing {
    struct fixture *f;
    struct ps_table *t;
    unsigned lines;
};

/* The log goes on and is let go while it is listed. */
static ps_err checkpoint_meanwhile(void *ctx, const char *line)
{
    struct listing *l = ctx;
    uint8_t page[8192] = {0};
    unsigned i;

    (void)line;
    if (l->lines++ > 0)
        return PS_OK;
    for (i = 0; i < 200; i++)
        ok(ps_write(l->t, PS_SPACE_IMAGE, i * 8192ull, page, sizeof(page), 0, NULL));
    ok(ps_store_checkpoint(l->f->store, NULL));
    return PS_OK;
}

static void listing_the_log_does_not_hold_up_a_checkpoint(void **state)
{
    struct listing l = {.f = *state};

    l.t = make(l.f, "t", PS_FORMAT_NATIVE);
    ok(ps_store_wal_text(l.f->store, 0, checkpoint_meanwhile, &l));
    assert_true(l.lines > 0);
    ps_table_unref(l.t);
}

/* --- many names ---------------------------------------------------------------------------- */

#define MANY 300u

static const char *name_of(char prefix, unsigned no)
{
    static char name[16];

    snprintf(name, sizeof(name), "%c%u", prefix, no);
    return name;
}

static void expect_name(struct fixture *f, char prefix, unsigned no, bool there)
{
    struct ps_table *t = NULL;
    const ps_err err = ps_table_lookup(f->store, name_of(prefix, no), &t);

    assert_int_equal(err, there ? PS_OK : PS_ERR_NOENT);
    if (there)
        assert_int_equal(ps_table_id(t), 2 + no);
    ps_table_unref(t);
}

/* Of every three tables the first was dropped, the second renamed. */
static void expect_names(struct fixture *f)
{
    for (unsigned i = 0; i < MANY; i++) {
        expect_name(f, 'a', i, i % 3 == 2);
        expect_name(f, 'b', i, i % 3 == 1);
    }
}

static void each_of_many_tables_has_its_name_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t;
    char from[16];

    for (unsigned i = 0; i < MANY; i++) {
        t = make(f, name_of('a', i), PS_FORMAT_NATIVE);
        ps_table_unref(t);
    }
    for (unsigned i = 0; i < MANY; i += 3)
        ok(ps_table_drop(f->store, name_of('a', i), false));
    for (unsigned i = 1; i < MANY; i += 3) {
        snprintf(from, sizeof(from), "%s", name_of('a', i));
        assert_int_equal(ps_table_rename(f->store, from, name_of('a', i + 1)), PS_ERR_EXIST);
        ok(ps_table_rename(f->store, from, name_of('b', i)));
    }
    expect_names(f);
    ok(ps_store_close(f->store));
    reopen(f);
    expect_names(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            files_of_a_drop_that_cannot_be_removed_go_at_a_later_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(listing_the_log_does_not_hold_up_a_checkpoint,
                                        setup_small_log, teardown),
        cmocka_unit_test_setup_teardown(renames_go_on_when_the_log_is_full, setup_small_log,
                                        teardown),
        T(table_that_becomes_slotted_takes_no_payload_meanwhile),
        T(files_of_a_dropped_table_stay_until_its_drop_is_durable),
        T(pages_of_a_table_that_is_being_dropped_fail_nobodys_sync),
        T(page_that_is_freed_while_a_checkpoint_runs_is_whole_or_gone_after_a_crash),
        T(each_of_many_tables_has_its_name_and_no_other),
    };

    return cmocka_run_group_tests_name("store_ddl", tests, NULL, NULL);
}
