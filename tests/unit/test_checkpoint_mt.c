/*
 * test_checkpoint_mt.c - a full checkpoint in one thread while another drops a table, each held up
 * where the other one is to come between.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "store_fixture.h"
#include "wal/wal.h"

#define PAGE 8192u

struct meeting {
    struct fixture *f;
    pthread_t dropper;
    _Atomic bool writing;  /* the checkpoint, its first pages */
    _Atomic bool dropping; /* the drop's record is in the log, and about to be durable */
    _Atomic bool ended;    /* the checkpoint */
    ps_err err;            /* its */
    struct sim_disk *left; /* the disk as it was then */
};

static uint64_t waits_for_the_log(const struct meeting *m)
{
    struct ps_wal_stats stats;

    ps_wal_get_stats(ps_store_wal(m->f->store), &stats);
    return stats.flush_waits;
}

/* The drop's record does not become durable before the checkpoint has ended or waits for that. */
static void hold_drop(struct meeting *m)
{
    uint64_t waits = waits_for_the_log(m);

    m->dropping = true;
    while (!m->ended && waits_for_the_log(m) == waits)
        sched_yield();
}

static enum sim_fault hold_each_other(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct meeting *m = ctx;

    (void)disk;
    if (pthread_equal(pthread_self(), m->dropper)) {
        if (op->kind == SIM_WRITE_DURABLE && !m->dropping)
            hold_drop(m);
    } else if (op->kind == SIM_WRITE && strcmp(op->path, "tables/2.pages") == 0) {
        m->writing = true;
        while (!m->dropping)
            sched_yield();
    }
    return SIM_NO_FAULT;
}

static void *checkpoint(void *arg)
{
    struct meeting *m = arg;

    m->err = ps_store_checkpoint(m->f->store, NULL);
    m->left = sim_disk_clone(m->f->disk);
    m->ended = true;
    return NULL;
}

static void write_table(struct fixture *f, const char *name, const char *bytes, uint32_t pages)
{
    struct ps_table *t = find(f, name);

    for (uint32_t i = 0; i < pages; i++)
        ok(ps_write(t, PS_SPACE_IMAGE, (uint64_t)i * PAGE + 4000, bytes, 4, 0, NULL));
    ps_table_unref(t);
}

/* Table b has its last bytes, or is gone. */
static void expect_whole_or_gone(struct fixture *f)
{
    char bytes[4] = "";
    struct ps_table *b;
    size_t len = 0;

    if (ps_table_lookup(f->store, "b", &b) == PS_ERR_NOENT)
        return;
    ok(ps_read(b, PS_SPACE_IMAGE, 4000, bytes, sizeof(bytes), NULL, &len));
    ps_table_unref(b);
    assert_memory_equal(bytes, "last", 4);
}

static void
table_that_is_dropped_while_a_checkpoint_runs_is_whole_or_gone_after_a_crash(void **state)
{
    struct fixture *f = *state;
    struct meeting m = {.f = f, .dropper = pthread_self()};
    pthread_t thread;

    ps_table_unref(make(f, "a", PS_FORMAT_NATIVE));
    ps_table_unref(make(f, "b", PS_FORMAT_NATIVE));
    write_table(f, "b", "old.", 1);
    ok(ps_store_checkpoint(f->store, NULL));
    write_table(f, "a", "more", 64); /* than one batch */
    write_table(f, "b", "last", 1);
    sim_disk_set_hook(f->disk, hold_each_other, &m);
    assert_int_equal(pthread_create(&thread, NULL, checkpoint, &m), 0);
    while (!m.writing)
        sched_yield();
    ok(ps_table_drop(f->store, "b", true));
    assert_int_equal(pthread_join(thread, NULL), 0);
    ok(m.err);
    sim_disk_set_hook(f->disk, NULL, NULL);
    close_store(f);
    sim_disk_free(f->disk);
    f->disk = m.left;
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 7);
    reopen(f);
    expect_whole_or_gone(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            table_that_is_dropped_while_a_checkpoint_runs_is_whole_or_gone_after_a_crash, setup,
            teardown),
    };

    return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
