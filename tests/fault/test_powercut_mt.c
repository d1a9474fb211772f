/*
 * The store under power cuts while many threads are at work, on a simulated disk.
 *
 * Each of some threads does random work (store_work.h) on tables of its own, all on one store that
 * has its own threads: the log is written and prepared, pages are cleaned, checkpoints run, while
 * transactions are open and tables come and go. In the middle of it the disk is cloned; what a
 * crash leaves of the clone is recovered, by a store with threads again, often after recoveries
 * that were cut themselves. What each thread's tables then hold is what they held after some step
 * of that thread: one that is not older than the last that the thread knew to be durable. From
 * there work goes on, and is cut again.
 *
 * PS_SEED=N runs one seed, PS_LONG=1 many; what threads make of a seed differs each time.
 */
#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format_test.h"
#include "pagestore/verify.h"
#include "seed.h"
#include "sim_disk.h"
#include "store_work.h"

#define THREADS 3u
#define RUNS 2u
#define RUNS_LONG 300u
#define GENERATIONS 8u
#define OPS_MAX 600u /* of a generation, before it is cut */
#define RECOVERY_OPS 60u
#define NAMES_APART 100000u

static_assert(THREADS * MODEL_TABLES <= STATE_TABLES, "a store's state has all threads' tables");

struct run {
    uint64_t seed, choices;
    struct sim_disk *disk;
    struct ps_store *store;
    struct store_work works[THREADS];
    size_t acked[THREADS]; /* when the disk was cloned */
    _Atomic int64_t ops_left;
    struct sim_disk *cloned;
    _Atomic bool stop;
    pthread_mutex_t mtx;
    char failure[512]; /* guarded by mtx: the first one */
};

static void must(struct run *r, ps_err err, const char *what)
{
    if (err)
        fail_msg("seed %" PRIu64 ": %s: %s", r->seed, what, ps_message());
}

/* --- at work ------------------------------------------------------------------------------ */

/* Is this operation on the disk the one before which it is cloned? */
static bool is_the_one(struct run *r, const struct sim_op *op)
{
    return op->kind != SIM_READ && atomic_fetch_sub(&r->ops_left, 1) == 1;
}

/* What was acknowledged by then is told first, so it is not more than the clone must have. */
static enum sim_fault clone_at_work(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct run *r = ctx;
    unsigned i;

    if (!is_the_one(r, op))
        return SIM_NO_FAULT;
    for (i = 0; i < THREADS; i++)
        r->acked[i] = r->works[i].acked;
    r->cloned = sim_disk_clone(disk);
    r->stop = true;
    return SIM_NO_FAULT;
}

static enum sim_fault clone_in_recovery(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct run *r = ctx;

    if (is_the_one(r, op))
        r->cloned = sim_disk_clone(disk);
    return SIM_NO_FAULT;
}

static void note_failure(struct run *r, const struct store_work *w)
{
    pthread_mutex_lock(&r->mtx);
    if (!r->failure[0])
        snprintf(r->failure, sizeof(r->failure), "%s: %s", w->what, ps_message());
    pthread_mutex_unlock(&r->mtx);
    r->stop = true;
}

struct worker {
    struct run *run;
    struct store_work *work;
};

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    while (!w->run->stop)
        if (work_step(w->work))
            note_failure(w->run, w->work);
    return NULL;
}

static void work_until_cloned(struct run *r)
{
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    unsigned i;

    r->stop = false;
    r->cloned = NULL;
    r->ops_left = 1 + random_below(&r->choices, OPS_MAX);
    sim_disk_set_hook(r->disk, clone_at_work, r);
    for (i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){r, &r->works[i]};
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &workers[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    sim_disk_set_hook(r->disk, NULL, NULL);
    if (r->failure[0])
        fail_msg("seed %" PRIu64 ": %s", r->seed, r->failure);
}

/* --- judging ------------------------------------------------------------------------------ */

static bool has_table(const struct store_state *state, uint32_t id, uint64_t digest)
{
    uint32_t i;

    for (i = 0; i < state->table_count; i++)
        if (state->tables[i].id == id)
            return state->tables[i].digest == digest;
    return false;
}

static bool has_all_of(const struct store_state *whole, const struct store_state *part)
{
    uint32_t i;

    for (i = 0; i < part->table_count; i++)
        if (!has_table(whole, part->tables[i].id, part->tables[i].digest))
            return false;
    return true;
}

/* The tables of this thread that there are in any of its states: one that has no place in the
 * state found must not be there. */
static uint32_t count_own(const struct store_state *whole, const struct store_model *m)
{
    uint32_t count = 0, i;
    size_t s;

    for (i = 0; i < whole->table_count; i++)
        for (s = 0; s < m->state_count; s++)
            if (has_table(&m->states[s], whole->tables[i].id, whole->tables[i].digest)) {
                count++;
                break;
            }
    return count;
}

/* Which of the thread's states from `first` on the store has. */
static size_t expect_state(struct run *r, unsigned thread, size_t first,
                           const struct store_state *got)
{
    const struct store_model *m = &r->works[thread].model;
    uint32_t own = count_own(got, m);
    size_t i;

    for (i = first; i < m->state_count; i++)
        if (m->states[i].table_count == own && has_all_of(got, &m->states[i]))
            return i;
    fail_msg("seed %" PRIu64 ", thread %u at \"%s\": none of states %zu to %zu", r->seed, thread,
             r->works[thread].what, first, model_last(m));
    return 0;
}

static struct store_state digest_of_all(struct run *r)
{
    struct store_state got;

    must(r, store_digest(r->store, &got), "read");
    return got;
}

/* Every thread's tables are in a state that may be, and there is no other table. */
static void expect_states(struct run *r, const size_t *first, size_t *ret)
{
    struct store_state got = digest_of_all(r);
    uint32_t tables = 0;
    unsigned i;

    for (i = 0; i < THREADS; i++) {
        ret[i] = expect_state(r, i, first[i], &got);
        tables += r->works[i].model.states[ret[i]].table_count;
    }
    assert_int_equal(tables, got.table_count);
}

/* Readers see what every thread has done. */
static void expect_all_done(struct run *r)
{
    size_t last[THREADS], found[THREADS];
    unsigned i;

    for (i = 0; i < THREADS; i++) {
        must(r, work_settle(&r->works[i]), "end of a transaction");
        last[i] = model_last(&r->works[i].model);
    }
    expect_states(r, last, found);
}

static void report_fault(void *ctx, const struct ps_finding *f)
{
    (void)ctx;
    if (f->severity == PS_FAULT)
        print_error("%s page %" PRId64 " %s: %s\n", f->file, f->page, f->word, f->text);
}

static void expect_sound(struct run *r)
{
    const struct ps_verify_options opts = {.report = report_fault,
                                           .io_given = sim_disk_io(r->disk)};
    struct ps_verify_result result;

    must(r, ps_verify("sim", &opts, &result), "verify");
    assert_int_equal(result.faults, 0);
    assert_false(result.needs_recovery);
}

/* --- generations -------------------------------------------------------------------------- */

static void open_store(struct run *r)
{
    struct ps_store_options opts;

    ps_store_options_default(&opts);
    opts.io_given = sim_disk_io(r->disk);
    opts.pool_bytes = 2 * THREADS * WORK_POOL;
    opts.max_wal = 2 * THREADS * WORK_MAX_WAL;
    opts.wal_delay_ms = 1;
    must(r, ps_store_open("sim", &opts, &r->store), "open");
}

static void give_up(struct run *r)
{
    unsigned i;

    sim_disk_cut_at(r->disk, sim_disk_op_count(r->disk));
    for (i = 0; i < THREADS; i++) {
        work_drop_txns(&r->works[i]);
        r->works[i].store = NULL;
    }
    ps_store_abandon(r->store);
    sim_disk_free(r->disk);
}

/* The clone is what there is from now on. */
static void crash(struct run *r)
{
    r->disk = r->cloned;
    sim_disk_crash(r->disk, (enum sim_crash_mode)random_below(&r->choices, 3),
                   random_next(&r->choices));
}

static void cut_recovery(struct run *r)
{
    r->cloned = NULL;
    r->ops_left = 1 + random_below(&r->choices, RECOVERY_OPS);
    sim_disk_set_hook(r->disk, clone_in_recovery, r);
    open_store(r);
    ps_store_abandon(r->store);
    if (!r->cloned) /* it was done before */
        r->cloned = sim_disk_clone(r->disk);
    sim_disk_free(r->disk);
    crash(r);
}

static void live_one_generation(struct run *r)
{
    size_t found[THREADS];
    unsigned i;

    work_until_cloned(r);
    expect_all_done(r);
    give_up(r);
    crash(r);
    while (random_below(&r->choices, 2))
        cut_recovery(r);
    open_store(r);
    expect_states(r, r->acked, found);
    for (i = 0; i < THREADS; i++)
        must(r, work_resume(&r->works[i], r->store, found[i]), "read");
}

static void run_start(struct run *r, uint64_t seed)
{
    unsigned i;

    memset(r, 0, sizeof(*r));
    r->seed = seed;
    r->choices = seed + 1000;
    pthread_mutex_init(&r->mtx, NULL);
    r->disk = work_new_disk(seed);
    sim_disk_use_real_clock(r->disk);
    open_store(r);
    for (i = 0; i < THREADS; i++) {
        work_init(&r->works[i], seed * THREADS + i);
        r->works[i].store = r->store;
        r->works[i].threaded = true;
        r->works[i].next_name = i * NAMES_APART;
    }
}

static void run_end(struct run *r)
{
    unsigned i;

    for (i = 0; i < THREADS; i++) {
        work_drop_txns(&r->works[i]);
        work_deinit(&r->works[i]);
    }
    must(r, ps_store_close(r->store), "close");
    expect_sound(r);
    sim_disk_free(r->disk);
    pthread_mutex_destroy(&r->mtx);
}

static void work_of_threads_that_is_cut_again_and_again_loses_nothing(void **state)
{
    const struct test_seeds seeds = test_seeds(getenv("PS_LONG") ? RUNS_LONG : RUNS);
    uint64_t seed;
    struct run *r = malloc(sizeof(*r));
    unsigned i;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        run_start(r, seed);
        for (i = 0; i < GENERATIONS; i++)
            live_one_generation(r);
        run_end(r);
        print_message("seed %" PRIu64 ": %u crash states\n", seed, GENERATIONS);
    }
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_of_threads_that_is_cut_again_and_again_loses_nothing),
    };

    return cmocka_run_group_tests_name("powercut, many threads", tests, NULL, NULL);
}
