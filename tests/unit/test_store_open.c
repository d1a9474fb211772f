/*
 * Opening with odd options, read-only stores, and when the checkpointer has something to do.
 */
#include "store_fixture.h"

static void wait_for_the_timeout(struct fixture *f)
{
    sim_disk_advance_us(f->disk, 301u * 1000000u);
}

static void checkpoint_that_somebody_asked_for_leaves_nothing_to_do(void **state)
{
    struct fixture *f = *state;

    ps_table_unref(make(f, "t", PS_FORMAT_NATIVE));
    ok(ps_store_checkpoint(f->store, NULL));
    wait_for_the_timeout(f);
    assert_false(ps_store_step(f->store, PS_TASK_CHECKPOINTER));
    ok(ps_table_rename(f->store, "t", "u"));
    assert_true(ps_store_step(f->store, PS_TASK_CHECKPOINTER));
    assert_false(ps_store_step(f->store, PS_TASK_CHECKPOINTER));
}

/* Its record is in the log, and the redo point has moved in memory only. */
static void checkpoint_that_failed_is_tried_again_soon(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t data[4000];
    unsigned i;

    fill(data, sizeof(data), 1);
    for (i = 0; i < 180; i++) /* more than half of what there may be, and less than all */
        ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), 0, NULL));
    ok(ps_store_sync_log(f->store, NULL));
    sim_disk_arm(f->disk, SIM_WRITE, 0, SIM_EIO); /* of the page */
    assert_false(ps_store_step(f->store, PS_TASK_CHECKPOINTER));
    assert_null(ps_store_poison_reason(f->store));
    assert_true(ps_store_step(f->store, PS_TASK_CHECKPOINTER));
    ps_table_unref(t);
}

static void log_sync_after_poison_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, "x", 1, 0, NULL));
    sim_disk_arm(f->disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    assert_int_not_equal(ps_store_sync(f->store, NULL), PS_OK);
    assert_int_equal(ps_store_sync_log(f->store, NULL), PS_ERR_POISONED);
    ps_table_unref(t);
}

static void read_only_store_is_read_without_a_lock_file_and_nothing_is_written(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct ps_store_options opts;
    uint64_t before;

    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, "kept", 4, 0, NULL));
    ps_table_unref(t);
    close_store(f);
    ok(sim_disk_io(f->disk)->ops->unlink(sim_disk_io(f->disk), "lock"));
    before = sim_disk_op_count(f->disk);
    options(f, &opts);
    opts.read_only = true;
    ok(ps_store_open("sim", &opts, &f->store));
    t = find(f, "t");
    expect_payload(t, 0, (const uint8_t *)"kept", 4);
    assert_int_equal(ps_write(t, PS_SPACE_PAYLOAD, 0, "x", 1, 0, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_table_drop(f->store, "t", true), PS_ERR_READONLY);
    ok(ps_store_sync(f->store, NULL));
    ok(ps_store_checkpoint(f->store, NULL));
    ps_table_unref(t);
    close_store(f);
    assert_int_equal(sim_disk_op_count(f->disk), before);
}

static void expect_refused(const struct ps_store_options *opts, const char *text)
{
    struct ps_store *s = NULL;

    assert_int_equal(ps_store_open("sim", opts, &s), PS_ERR_INVAL);
    if (!strstr(ps_message(), text))
        fail_msg("'%s' is not in '%s'", text, ps_message());
    assert_null(s);
}

static void options_that_make_no_sense_are_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct ps_store_options opts;

    close_store(f);
    options(f, &opts);
    opts.wal_delay_ms = 0;
    expect_refused(&opts, "wal_delay=0");
    options(f, &opts);
    opts.checkpoint_timeout_s = 0;
    expect_refused(&opts, "checkpoint_timeout=0");
    options(f, &opts);
    opts.max_wal = 1u << 20;
    expect_refused(&opts, "max_wal");
    options(f, &opts);
    opts.policy = "clairvoyant";
    expect_refused(&opts, "policy=clairvoyant");
    options(f, &opts);
    opts.pool_bytes = 1;
    expect_refused(&opts, "pool=1");
    reopen(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(checkpoint_that_somebody_asked_for_leaves_nothing_to_do),
        cmocka_unit_test_setup_teardown(checkpoint_that_failed_is_tried_again_soon, setup_small_log,
                                        teardown),
        T(log_sync_after_poison_is_an_error),
        T(read_only_store_is_read_without_a_lock_file_and_nothing_is_written),
        T(options_that_make_no_sense_are_refused_by_name),
    };

    return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
