/*
 * test_sync_mt.c - callers of fsync that share rounds. A gate in the place where files are synced
 * holds a round for as long as a test needs.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "recovery/sync.h"
#include "store_fixture.h"

#define PAGE 8192u

struct gate {
    struct ps_syncer syncer;
    struct ps_poison poison;
    struct ps_histogram times;
    _Atomic unsigned came; /* rounds that wanted to sync files, or to run a full checkpoint */
    _Atomic unsigned open; /* so many may */
    unsigned failing;      /* the round whose files cannot be synced; 0: none */
};

/* One call, and the thread that made it. */
struct call {
    struct ps_sync_call sync; /* first: it is this */
    struct gate *gate;
    enum ps_sync_kind kind;
    pthread_t thread;
    _Atomic bool done;
    ps_err err;
    char why[64];
    unsigned rounds; /* that had wanted to sync files when it was done */
};

static void wait_until_equal(const _Atomic unsigned *value, unsigned wanted)
{
    while (*value != wanted)
        sched_yield();
}

static ps_err sync_files(void *ctx)
{
    struct gate *g = ctx;
    unsigned turn = ++g->came;

    while (g->open < turn)
        sched_yield();
    return turn == g->failing ? ps_fail(PS_ERR_NOSPC, "the files of round %u", turn) : PS_OK;
}

static void set_up(struct gate *g, struct fixture *f)
{
    memset(g, 0, sizeof(*g));
    ps_poison_init(&g->poison, NULL, NULL);
    g->syncer = (struct ps_syncer){
        .io = sim_disk_io(f->disk),
        .pool = ps_store_pool(f->store),
        .wal = ps_store_wal(f->store),
        .poison = &g->poison,
        .times = &g->times,
        .sync_files = sync_files,
        .checkpoint = sync_files,
        .ctx = g,
    };
    ps_syncer_init(&g->syncer);
}

static void take_down(struct gate *g)
{
    ps_syncer_deinit(&g->syncer);
    ps_poison_deinit(&g->poison);
}

static void note_done(struct ps_sync_call *sync, ps_err err)
{
    struct call *c = (struct call *)sync;

    c->err = err;
    snprintf(c->why, sizeof(c->why), "%s", err ? ps_message() : "");
    c->rounds = c->gate->came;
    c->done = true;
}

static void begin(struct call *c, struct gate *g)
{
    *c = (struct call){.sync.done = note_done, .gate = g};
    ps_sync_begin(&g->syncer, PS_SYNC_DATA, &c->sync);
}

static void *begin_in_thread(void *arg)
{
    struct call *c = arg;

    ps_sync_begin(&c->gate->syncer, c->kind, &c->sync);
    return NULL;
}

static void begin_leader_of(struct call *c, struct gate *g, enum ps_sync_kind kind)
{
    *c = (struct call){.sync.done = note_done, .gate = g, .kind = kind};
    assert_int_equal(pthread_create(&c->thread, NULL, begin_in_thread, c), 0);
}

static void begin_leader(struct call *c, struct gate *g)
{
    begin_leader_of(c, g, PS_SYNC_DATA);
}

static void join(struct call *c)
{
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    assert_true(c->done);
}

static void wait_until_forming(struct gate *g, const struct ps_sync_line *line)
{
    bool forming = false;

    while (!forming) {
        sched_yield();
        ps_mutex_lock(&g->syncer.mtx);
        forming = line->forming != NULL;
        ps_mutex_unlock(&g->syncer.mtx);
    }
}

/* Three rounds: A holds the files, B the log behind it, C forms. */
static void begin_three(struct gate *g, struct call *a, struct call *b, struct call *c)
{
    struct ps_syncer *y = &g->syncer;
    bool reached = false;

    begin_leader(a, g);
    wait_until_equal(&g->came, 1);
    begin_leader(b, g);
    wait_until_equal(&y->waiters, 2);
    while (!reached) {
        sched_yield();
        ps_mutex_lock(&y->mtx);
        reached = y->data.log.taken && !y->data.forming;
        ps_mutex_unlock(&y->mtx);
    }
    begin_leader(c, g);
    wait_until_forming(g, &g->syncer.data);
}

static void change(struct ps_table *t, uint32_t page_no)
{
    uint8_t bytes[PAGE];

    fill(bytes, PAGE, page_no);
    ok(ps_write(t, PS_SPACE_IMAGE, (uint64_t)page_no * PAGE, bytes, PAGE, 0, NULL));
}

/* --- tests -------------------------------------------------------------------------------- */

static void callers_that_find_a_round_forming_leave_and_share_it(void **state)
{
    struct gate g;
    struct call a, b, c, joined[20];
    unsigned i;

    set_up(&g, *state);
    begin_three(&g, &a, &b, &c);
    for (i = 0; i < 20; i++)
        begin(&joined[i], &g); /* returns, though the files are held */
    for (i = 0; i < 20; i++)
        assert_false(joined[i].done);
    assert_int_equal(g.came, 1);
    g.open = 3;
    join(&a);
    join(&b);
    join(&c);
    for (i = 0; i < 20; i++) {
        assert_true(joined[i].done);
        assert_int_equal(joined[i].err, PS_OK);
        assert_int_equal(joined[i].rounds, 3);
    }
    assert_int_equal(g.came, 3);
    take_down(&g);
}

static void nobody_joins_a_round_that_has_begun(void **state)
{
    struct gate g;
    struct call a, b, c;

    set_up(&g, *state);
    begin_three(&g, &a, &b, &c);
    g.open = 1;
    join(&a);
    wait_until_equal(&g.came, 2);
    assert_false(b.done || c.done);
    g.open = 2;
    join(&b);
    wait_until_equal(&g.came, 3);
    assert_false(c.done);
    g.open = 3;
    join(&c);
    take_down(&g);
}

/* Holds the next write of the log until it is told to go on. */
struct log_gate {
    _Atomic bool reached, open;
};

static enum sim_fault hold_log(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct log_gate *l = ctx;

    (void)disk;
    if (strncmp(op->path, "wal/", 4) == 0) {
        l->reached = true;
        while (!l->open)
            sched_yield();
    }
    return SIM_NO_FAULT;
}

static void caller_that_comes_while_a_round_flushes_the_log_is_the_next_ones(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct log_gate l = {0};
    struct gate g;
    struct call a, b;

    set_up(&g, f);
    g.open = 2;
    change(t, 0);
    sim_disk_set_hook(f->disk, hold_log, &l);
    begin_leader(&a, &g);
    while (!l.reached)
        sched_yield();
    begin_leader(&b, &g);
    wait_until_forming(&g, &g.syncer.data);
    l.open = true;
    join(&a);
    join(&b);
    sim_disk_set_hook(f->disk, NULL, NULL);
    assert_int_equal(b.rounds, 2);
    take_down(&g);
    ps_table_unref(t);
}

static void next_round_flushes_the_log_while_one_syncs_files(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct ps_wal *wal = ps_store_wal(f->store);
    struct gate g;
    struct call a, b;
    uint64_t lsn;

    set_up(&g, f);
    change(t, 0);
    begin_leader(&a, &g);
    wait_until_equal(&g.came, 1);
    change(t, 1);
    lsn = ps_wal_tail_lsn(wal);
    assert_true(ps_wal_durable_lsn(wal) < lsn);
    begin_leader(&b, &g);
    while (ps_wal_durable_lsn(wal) < lsn)
        sched_yield();
    assert_int_equal(g.came, 1);
    g.open = 2;
    join(&a);
    join(&b);
    take_down(&g);
    ps_table_unref(t);
}

static void failed_round_is_told_to_everybody_in_it_and_nobody_else(void **state)
{
    struct gate g;
    struct call a, b, c, joined[3];
    unsigned i;

    set_up(&g, *state);
    g.failing = 3;
    begin_three(&g, &a, &b, &c);
    for (i = 0; i < 3; i++)
        begin(&joined[i], &g);
    g.open = 3;
    join(&a);
    join(&b);
    join(&c);
    assert_int_equal(a.err, PS_OK);
    assert_int_equal(b.err, PS_OK);
    assert_int_equal(c.err, PS_ERR_NOSPC);
    for (i = 0; i < 3; i++) {
        assert_true(joined[i].done);
        assert_int_equal(joined[i].err, PS_ERR_NOSPC);
        assert_string_equal(joined[i].why, "the files of round 3");
    }
    take_down(&g);
}

static void round_fails_whose_page_cannot_be_written_and_the_next_one_writes_it(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    const struct ps_tag tag = {.table = ps_table_id(t), .page = 0};
    struct ps_frame_info info;
    struct gate g;

    set_up(&g, f);
    g.open = 2;
    change(t, 0);
    ok(ps_sync_wait(&g.syncer, PS_SYNC_LOG));
    sim_disk_arm(f->disk, SIM_WRITE, 0, SIM_ENOSPC);
    assert_int_equal(ps_sync_wait(&g.syncer, PS_SYNC_DATA), PS_ERR_NOSPC);
    ok(ps_sync_wait(&g.syncer, PS_SYNC_DATA));
    assert_true(ps_pool_peek(ps_store_pool(f->store), &tag, &info));
    assert_false(info.dirty);
    take_down(&g);
    ps_table_unref(t);
}

static void waiting_caller_is_told_why_it_failed(void **state)
{
    struct gate g;

    set_up(&g, *state);
    g.failing = 1;
    g.open = 1;
    assert_int_equal(ps_sync_wait(&g.syncer, PS_SYNC_DATA), PS_ERR_NOSPC);
    assert_string_equal(ps_message(), "the files of round 1");
    ok(ps_sync_wait(&g.syncer, PS_SYNC_LOG)); /* which syncs no files */
    take_down(&g);
}

/* What is changed while a round flushes the log is the next one's: its log is not durable. */
static void round_leaves_what_came_after_its_log(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct ps_pool *pool = ps_store_pool(f->store);
    const struct ps_tag before = {.table = ps_table_id(t), .page = 0};
    const struct ps_tag after = {.table = ps_table_id(t), .page = 1};
    struct ps_frame_info info;
    struct gate g;
    struct call a, b;

    set_up(&g, f);
    begin_leader(&a, &g);
    wait_until_equal(&g.came, 1);
    change(t, 0);
    begin_leader(&b, &g);
    while (ps_wal_durable_lsn(ps_store_wal(f->store)) < ps_wal_tail_lsn(ps_store_wal(f->store)))
        sched_yield();
    change(t, 1); /* B has flushed the log, and waits for A's files */
    g.open = 1;
    wait_until_equal(&g.came, 2);
    assert_true(ps_pool_peek(pool, &before, &info));
    assert_false(info.dirty);
    assert_true(ps_pool_peek(pool, &after, &info));
    assert_true(info.dirty);
    g.open = 2;
    join(&a);
    join(&b);
    take_down(&g);
    ps_table_unref(t);
}

static void full_checkpoints_share_rounds_and_keep_no_fsync_waiting(void **state)
{
    struct call a, b, c = {.sync.done = note_done};
    struct fixture *f = *state;
    struct gate g;

    set_up(&g, f);
    begin_leader_of(&a, &g, PS_SYNC_FULL);
    wait_until_equal(&g.came, 1);
    begin_leader_of(&b, &g, PS_SYNC_FULL);
    wait_until_forming(&g, &g.syncer.full);
    c.gate = &g;
    ps_sync_begin(&g.syncer, PS_SYNC_FULL, &c.sync); /* leaves at once */
    assert_false(c.done);
    ok(ps_sync_wait(&g.syncer, PS_SYNC_LOG));
    assert_int_equal(g.syncer.calls, 1);
    g.open = 2;
    join(&a);
    join(&b);
    assert_true(c.done);
    assert_int_equal(c.err, PS_OK);
    assert_int_equal(g.came, 2);
    take_down(&g);
}

/* --- many callers, who look at what a crash would leave ------------------------------------- */

#define CALLERS 6u
#define CALLS 25u

struct caller {
    struct fixture *f;
    struct ps_table *table;
    uint32_t page_no; /* its own */
    _Atomic unsigned *failures;
    pthread_t thread;
};

/* Whether the page holds that byte where only what was synced counts. */
static bool is_durable(const struct caller *c, uint8_t byte)
{
    const size_t at = (size_t)c->page_no * PAGE + PAGE / 2;
    struct sim_disk *crashed = sim_disk_clone(c->f->disk);
    unsigned char *bytes;
    char path[64];
    size_t len;
    bool there;

    sim_disk_crash(crashed, SIM_CRASH_DROP, 0);
    snprintf(path, sizeof(path), "tables/%u.pages", ps_table_id(c->table));
    bytes = sim_disk_dump(crashed, path, &len);
    there = len > at && bytes[at] == byte;
    free(bytes);
    sim_disk_free(crashed);
    return there;
}

static void *change_sync_and_look(void *arg)
{
    const struct caller *c = arg;
    struct ps_wal *wal = ps_store_wal(c->f->store);
    uint8_t bytes[PAGE];

    for (uint8_t i = 1; i <= CALLS; i++) {
        const bool data = (i + c->page_no) % 3 != 0;
        uint64_t lsn;

        memset(bytes, i, PAGE);
        *c->failures += ps_write(c->table, PS_SPACE_IMAGE, (uint64_t)c->page_no * PAGE, bytes, PAGE,
                                 0, NULL) != PS_OK;
        lsn = ps_wal_tail_lsn(wal);
        *c->failures += ps_store_sync(c->f->store, data ? PS_SYNC_DATA : PS_SYNC_LOG) != PS_OK;
        *c->failures += ps_wal_durable_lsn(wal) < lsn;
        if (data)
            *c->failures += !is_durable(c, i);
    }
    return NULL;
}

/* The fixture takes events of one thread. */
static void reopen_without_events(struct fixture *f)
{
    struct ps_store_options opts;

    close_store(f);
    options(f, &opts);
    opts.event = NULL;
    ok(ps_store_open("sim", &opts, &f->store));
}

static void what_each_of_many_callers_changed_is_durable_when_it_is_told(void **state)
{
    struct fixture *f = *state;
    struct caller callers[CALLERS];
    _Atomic unsigned failures = 0;
    struct ps_table *t;
    uint32_t i;

    reopen_without_events(f);
    t = make(f, "t", PS_FORMAT_NATIVE);
    for (i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.f = f, .table = t, .page_no = i, .failures = &failures};
        assert_int_equal(
            pthread_create(&callers[i].thread, NULL, change_sync_and_look, &callers[i]), 0);
    }
    for (i = 0; i < 3; i++)
        ok(ps_store_checkpoint(f->store, NULL));
    for (i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
    assert_int_equal(failures, 0);
    ps_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(callers_that_find_a_round_forming_leave_and_share_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_joins_a_round_that_has_begun, setup, teardown),
        cmocka_unit_test_setup_teardown(
            caller_that_comes_while_a_round_flushes_the_log_is_the_next_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(next_round_flushes_the_log_while_one_syncs_files, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(failed_round_is_told_to_everybody_in_it_and_nobody_else,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            round_fails_whose_page_cannot_be_written_and_the_next_one_writes_it, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_caller_is_told_why_it_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(round_leaves_what_came_after_its_log, setup, teardown),
        cmocka_unit_test_setup_teardown(full_checkpoints_share_rounds_and_keep_no_fsync_waiting,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_each_of_many_callers_changed_is_durable_when_it_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
