/*
 * Transactions: of items, and those that do not end well: idle ones, too many, ones that cannot be
 * undone at once.
 */
#include "recovery/txn.h"
#include <time.h>

#include "store_fixture.h"

#define PAGE_LEN 8160u

static struct ps_table *make_pages(struct fixture *f, uint8_t *data, size_t len)
{
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    fill(data, len, 3);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, len, 0, NULL));
    return t;
}

static void idle_transaction_that_keeps_the_log_is_undone_so_that_writers_go_on(void **state)
{
    struct fixture *f = *state;
    uint8_t data[2 * PAGE_LEN];
    struct ps_table *t = make_pages(f, data, sizeof(data));
    struct ps_txn *idle;
    unsigned i;

    ok(ps_txn_begin(f->store, &idle));
    ok(ps_txn_write(idle, t, 0, 100, "scribble", 8, NULL));
    for (i = 0; i < 1000; i++)
        ok(ps_write(t, PS_SPACE_PAYLOAD, PAGE_LEN, data + PAGE_LEN, 4000, 0, NULL));
    assert_int_equal(ps_txn_write(idle, t, 1, 100, "x", 1, NULL), PS_ERR_CONFLICT);
    assert_non_null(strstr(ps_message(), "more than half of max_wal"));
    assert_int_equal(ps_txn_commit(idle), PS_ERR_CONFLICT);
    expect_payload(t, 0, data, sizeof(data));
    ps_table_unref(t);
    close_store(f);
}

static void transaction_that_keeps_too_much_log_itself_is_undone(void **state)
{
    struct fixture *f = *state;
    uint8_t data[PAGE_LEN], other[4000];
    struct ps_table *t = make_pages(f, data, sizeof(data));
    struct ps_txn *x;
    unsigned i;
    ps_err err = PS_OK;

    ok(ps_txn_begin(f->store, &x));
    for (i = 0; i < 1000 && !err; i++) {
        fill(other, sizeof(other), i);
        err = ps_txn_write(x, t, 0, 100, other, sizeof(other), NULL);
    }
    assert_int_equal(err, PS_ERR_CONFLICT);
    ok(ps_txn_abort(x));
    expect_payload(t, 0, data, sizeof(data));
    ps_table_unref(t);
}

static void more_transactions_than_a_checkpoint_can_name_are_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t data[PAGE_LEN];
    struct ps_table *t = make_pages(f, data, sizeof(data));
    struct ps_txn *x[PS_TXNS_MAX], *more;
    unsigned i;

    ok(ps_truncate(t, PS_SPACE_IMAGE, PS_TXNS_MAX * (uint64_t)f->page_size, NULL));
    for (i = 0; i < PS_TXNS_MAX; i++) {
        ok(ps_txn_begin(f->store, &x[i]));
        ok(ps_txn_write(x[i], t, i, 100, "x", 1, NULL));
    }
    assert_int_equal(ps_txn_begin(f->store, &more), PS_ERR_CONFLICT);
    ok(ps_store_checkpoint(f->store, NULL));
    ok(ps_txn_abort(x[0]));
    ok(ps_txn_begin(f->store, &x[0]));
    for (i = 0; i < PS_TXNS_MAX; i++)
        ok(ps_txn_abort(x[i]));
    ps_table_unref(t);
}

/* A transaction whose abort fails, because a record of it cannot be read back. */
static struct ps_table *fail_abort(struct fixture *f, uint8_t *data, size_t len)
{
    struct ps_table *t = make_pages(f, data, len);
    struct ps_txn *x;

    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_write(x, t, 0, 100, "scribble", 8, NULL));
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    sim_disk_arm(f->disk, SIM_READ, 0, SIM_EIO);
    assert_int_equal(ps_txn_abort(x), PS_ERR_IO);
    return t;
}

static void transaction_that_could_not_be_undone_keeps_its_pages_until_it_is(void **state)
{
    struct fixture *f = *state;
    uint8_t data[PAGE_LEN];
    struct ps_table *t = fail_abort(f, data, sizeof(data));

    assert_int_equal(ps_write(t, PS_SPACE_PAYLOAD, 0, "x", 1, 0, NULL), PS_ERR_CONFLICT);
    (void)ps_store_step(f->store, PS_TASK_CHECKPOINTER);
    expect_payload(t, 0, data, sizeof(data));
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, 1, 0, NULL));
    ps_table_unref(t);
}

static void store_with_a_transaction_that_cannot_be_undone_is_left_for_recovery(void **state)
{
    struct fixture *f = *state;
    uint8_t data[PAGE_LEN];
    struct ps_table *t = fail_abort(f, data, sizeof(data));

    ps_table_unref(t);
    sim_disk_arm(f->disk, SIM_READ, 0, SIM_EIO);
    assert_int_equal(ps_store_close(f->store), PS_ERR_IO);
    reopen(f);
    t = find(f, "t");
    expect_payload(t, 0, data, sizeof(data));
    ps_table_unref(t);
}

static void undone_pages_are_told_to_have_changed(void **state)
{
    struct fixture *f = *state;
    uint8_t data[2 * PAGE_LEN];
    struct ps_table *t = make_pages(f, data, sizeof(data));
    struct ps_txn *x;

    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_write(x, t, 1, 100, "scribble", 8, NULL));
    memset(&f->last_event, 0, sizeof(f->last_event));
    ok(ps_txn_abort(x));
    assert_int_equal(f->last_event.kind, PS_EVENT_PAGES_CHANGED);
    assert_int_equal(f->last_event.table, ps_table_id(t));
    assert_int_equal(f->last_event.first, 1);
    assert_int_equal(f->last_event.count, 1);
    ps_table_unref(t);
}

static void expect_item(struct ps_table *t, uint32_t slot, const char *want)
{
    char got[16];
    uint32_t len;

    ok(ps_item_get(t, 0, slot, got, sizeof(got), &len, NULL));
    assert_int_equal(len, strlen(want));
    assert_memory_equal(got, want, len);
}

static ps_err change_items(struct fixture *f, struct ps_table *t, uint32_t gone, uint32_t *ret_slot,
                           bool commit)
{
    struct ps_txn *x;

    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_item_insert(x, t, 0, "added", 5, ret_slot, NULL));
    ok(ps_txn_item_delete(x, t, 0, gone, NULL));
    return commit ? ps_txn_commit(x) : ps_txn_abort(x);
}

static void items_change_with_their_transaction_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint32_t page, first, second, added, len;

    ok(ps_item_insert(t, "first", 5, &page, &first, NULL));
    assert_int_equal(page, 0);
    ok(ps_item_insert(t, "second", 6, &page, &second, NULL));
    ok(change_items(f, t, first, &added, false));
    expect_item(t, first, "first");
    assert_int_equal(ps_item_get(t, 0, added, NULL, 0, &len, NULL), PS_ERR_NOENT);
    ok(change_items(f, t, first, &added, true));
    assert_int_equal(ps_item_get(t, 0, first, NULL, 0, &len, NULL), PS_ERR_NOENT);
    expect_item(t, second, "second");
    expect_item(t, added, "added");
    ps_table_unref(t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define T_SMALL_LOG(name) cmocka_unit_test_setup_teardown(name, setup_small_log, teardown)

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static ps_err change_locked_page(struct fixture *f, struct ps_table *t, unsigned how)
{
    switch (how) {
    case 0:
        return ps_page_free(t, 0, NULL);
    case 1:
        return ps_truncate(t, PS_SPACE_IMAGE, 0, NULL);
    case 2:
        return ps_punch(t, PS_SPACE_IMAGE, 0, 3 * (uint64_t)f->page_size, NULL);
    default:
        return ps_table_drop(f->store, "t", true);
    }
}

static void whatever_frees_a_locked_page_waits_for_its_transaction(void **state)
{
    struct fixture *f = *state;
    uint8_t data[PAGE_LEN];
    struct ps_table *t = make_pages(f, data, sizeof(data));
    struct ps_txn *x;
    uint64_t began_ms;
    unsigned how;

    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_write(x, t, 0, 100, "x", 1, NULL));
    for (how = 0; how < 4; how++) {
        began_ms = now_ms();
        assert_int_equal(change_locked_page(f, t, how), PS_ERR_CONFLICT);
        assert_non_null(strstr(ps_message(), "is locked by transaction"));
        assert_true(now_ms() - began_ms >= 99);
    }
    ok(ps_txn_commit(x));
    for (how = 0; how < 4; how++)
        ok(change_locked_page(f, t, how));
    ps_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_frees_a_locked_page_waits_for_its_transaction,
                                        setup_small_log, teardown),
        T_SMALL_LOG(idle_transaction_that_keeps_the_log_is_undone_so_that_writers_go_on),
        T_SMALL_LOG(transaction_that_keeps_too_much_log_itself_is_undone),
        T(more_transactions_than_a_checkpoint_can_name_are_refused),
        T(transaction_that_could_not_be_undone_keeps_its_pages_until_it_is),
        T(store_with_a_transaction_that_cannot_be_undone_is_left_for_recovery),
        T(undone_pages_are_told_to_have_changed),
        T(items_change_with_their_transaction_or_not_at_all),
    };

    return cmocka_run_group_tests_name("store_txn", tests, NULL, NULL);
}
