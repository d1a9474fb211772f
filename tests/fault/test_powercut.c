/*
 * The store under power cuts, on a simulated disk.
 *
 * Random work (store_work.h) runs on a store whose pool is far too small and whose log segments
 * are short, so that pages are evicted and log is recycled all the time. At each of its operations
 * on the disk (at a sample of them unless PS_LONG is set) the disk is cloned. Of what was not
 * synced at that moment nothing, everything, or what a seed chooses survives; the store is opened
 * on what is left, and then
 * - what it holds is what the model held after some step: one that is not older than the last one
 *   that was acknowledged, nor newer than the call that was under way;
 * - verify finds no fault before and after recovery but what recovery repairs;
 * - no file is left that the catalog does not know;
 * - a recovery that is itself cut, anywhere, and repeated ends in the same state.
 * Then generations: work goes on where one of these crashes left the store, and is cut again.
 *
 * PS_SEED=N runs one seed, PS_LONG=1 every operation of many.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "file/control.h"
#include "format_test.h"
#include "pagestore/verify.h"
#include "seed.h"
#include "sim_disk.h"
#include "store_work.h"

#define STEPS 400u
#define RUNS 4u
#define RUNS_LONG 40u
#define SAMPLE_ONE_IN 12u /* of operations that are like many others */
#define SNAPSHOTS_MAX 4096u
#define RECOVERY_CUTS_MAX 512u
#define LINES 12u /* of generations, each with a seed of its own */
#define LINES_LONG 1000u
#define GENERATIONS 12u
#define GENERATION_OPS 250u /* at most, before it is cut */

/* The disk as it was before an operation; of a durable write, while it was under way. */
struct snapshot {
    struct sim_disk *disk;
    enum sim_op_kind kind;
    uint64_t no, off, len;
    char path[64];
};

struct run {
    uint64_t seed, choices; /* choices: of what to look at, apart from the work's own seed */
    struct sim_disk *disk;
    struct store_work work;
    struct snapshot snapshots[SNAPSHOTS_MAX];
    size_t snapshot_count;
    bool under_way; /* the last snapshot's durable write, whose bytes are not known yet */
    bool all;       /* every operation */
    uint64_t points, states, recoveries_cut;
};

/* What is being looked at, for messages. */
struct where {
    const struct run *run;
    const struct snapshot *snapshot;
    enum sim_crash_mode mode;
    uint64_t crash_seed;
};

static const char *const mode_names[] = {"drop", "keep", "sample"};
static const char *const kind_names[] = {
    "read",  "write",  "durable write", "sync",   "truncate", "allocate",
    "punch", "create", "mkdir",         "rename", "unlink",   "sync of folder",
};

static void fail_at(const struct where *at, const char *what, const char *why)
{
    fail_msg("seed %" PRIu64 ", cut at operation %" PRIu64 " (%s of %s) of \"%s\", %s %" PRIu64
             ": %s: %s",
             at->run->seed, at->snapshot->no, kind_names[at->snapshot->kind], at->snapshot->path,
             at->run->work.what, mode_names[at->mode], at->crash_seed, what, why);
}

/* --- judging one state -------------------------------------------------------------------- */

/* Which of the states that may be it is; they are printed if it is none. */
static size_t expect_state(const struct where *at, const struct store_state *got)
{
    const struct store_work *w = &at->run->work;
    size_t i;
    uint32_t k, n;

    for (i = w->acked; i < w->model.state_count; i++)
        if (w->model.states[i].digest == got->digest)
            return i;
    print_error("states %zu to %zu may be\n", w->acked, model_last(&w->model));
    for (k = 0; k < got->table_count; k++) {
        print_error("  table %u is as in states", got->tables[k].id);
        for (i = 0; i < w->model.state_count; i++)
            for (n = 0; n < w->model.states[i].table_count; n++)
                if (w->model.states[i].tables[n].id == got->tables[k].id &&
                    w->model.states[i].tables[n].digest == got->tables[k].digest)
                    print_error(" %zu", i);
        print_error("\n");
    }
    fail_at(at, "state", "none of those that may be");
    return 0;
}

static void report_fault(void *ctx, const struct ps_finding *f)
{
    if (f->severity != PS_FAULT)
        return;
    print_error("%s page %" PRId64 " %s: %s\n", f->file, f->page, f->word, f->text);
    ++*(unsigned *)ctx;
}

static void expect_sound(const struct where *at, struct sim_disk *disk, bool recovered)
{
    unsigned faults = 0;
    const struct ps_verify_options opts = {
        .report = report_fault, .ctx = &faults, .io_given = sim_disk_io(disk)};
    struct ps_verify_result result;

    if (ps_verify("sim", &opts, &result) != PS_OK)
        fail_at(at, "verify", ps_message());
    if (faults || (recovered && result.needs_recovery))
        fail_at(at, "verify", recovered ? "faults after recovery" : "faults before recovery");
}

/* A file of a table that there is none of, or of a log segment that is none. */
struct stray_look {
    struct ps_store *store;
    char found[64];
};

static ps_err look_for_stray(void *ctx, const char *name)
{
    struct stray_look *look = ctx;
    struct ps_table *t = NULL;
    char *end;
    uint32_t id = (uint32_t)strtoul(name, &end, 10);

    if ((strcmp(end, ".pages") == 0 || strcmp(end, ".map") == 0) &&
        ps_table_get(look->store, id, &t) == PS_OK) {
        ps_table_unref(t);
        return PS_OK;
    }
    snprintf(look->found, sizeof(look->found), "%s", name);
    return PS_OK;
}

static ps_err look_for_leftover(void *ctx, const char *name)
{
    struct stray_look *look = ctx;

    if (strspn(name, "0123456789abcdef") != 16 || name[16])
        snprintf(look->found, sizeof(look->found), "%s", name);
    return PS_OK;
}

static void expect_no_strays(const struct where *at, struct sim_disk *disk, struct ps_store *store)
{
    struct stray_look look = {.store = store};
    struct ps_io *io = sim_disk_io(disk);

    if (io->ops->list(io, "tables", look_for_stray, &look) ||
        io->ops->list(io, "wal", look_for_leftover, &look))
        fail_at(at, "list", ps_message());
    if (look.found[0])
        fail_at(at, "stray file", look.found);
}

static struct ps_store *must_open(const struct where *at, struct sim_disk *disk)
{
    struct ps_store *store = NULL;

    if (work_open_store(disk, &store))
        fail_at(at, "open", ps_message());
    return store;
}

static struct store_state must_digest(const struct where *at, struct ps_store *store)
{
    struct store_state state;

    if (store_digest(store, &state))
        fail_at(at, "read", ps_message());
    return state;
}

/* --- recovery, cut ------------------------------------------------------------------------ */

struct recovery_cuts {
    struct sim_disk *disks[RECOVERY_CUTS_MAX];
    size_t count;
    uint64_t choices;
    unsigned one_in;
};

/* Recovery has got this far, and the power may go again. */
static enum sim_fault cut_recovery(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct recovery_cuts *cuts = ctx;

    if (op->kind != SIM_READ && random_below(&cuts->choices, cuts->one_in) == 0 &&
        cuts->count < RECOVERY_CUTS_MAX)
        cuts->disks[cuts->count++] = sim_disk_clone(disk);
    return SIM_NO_FAULT;
}

static void expect_same_recovery(const struct where *at, struct sim_disk *disk, uint64_t want)
{
    struct ps_store *store = must_open(at, disk);
    struct store_state got = must_digest(at, store);

    if (got.digest != want)
        fail_at(at, "recovery cut and repeated", "another state");
    ps_store_abandon(store);
    sim_disk_free(disk);
}

/* Takes the crashed disk. */
static void expect_recovery_repeats(struct run *r, const struct where *at, struct sim_disk *disk,
                                    const struct store_state *want)
{
    struct recovery_cuts cuts = {.choices = at->crash_seed * 2 + 1, .one_in = r->all ? 1 : 8};
    struct ps_store *store;
    size_t i;

    sim_disk_set_hook(disk, cut_recovery, &cuts);
    store = must_open(at, disk);
    ps_store_abandon(store);
    sim_disk_free(disk);
    for (i = 0; i < cuts.count; i++) {
        enum sim_crash_mode mode = (enum sim_crash_mode)random_below(&cuts.choices, 3);

        sim_disk_crash(cuts.disks[i], mode, cuts.choices);
        expect_same_recovery(at, cuts.disks[i], want->digest);
    }
    r->recoveries_cut += cuts.count;
}

/* --- one crash ---------------------------------------------------------------------------- */

static void check_crash(struct run *r, const struct where *at)
{
    struct sim_disk *disk = sim_disk_clone(at->snapshot->disk), *crashed = NULL;
    struct store_state got;
    struct ps_store *store;
    bool closely = random_below(&r->choices, 8) == 0;

    sim_disk_crash(disk, at->mode, at->crash_seed);
    if (closely) {
        expect_sound(at, disk, false);
        crashed = sim_disk_clone(disk);
    }
    store = must_open(at, disk);
    got = must_digest(at, store);
    (void)expect_state(at, &got);
    expect_no_strays(at, disk, store);
    if (closely) {
        if (ps_store_close(store))
            fail_at(at, "close", ps_message());
        expect_sound(at, disk, true);
        expect_recovery_repeats(r, at, crashed, &got);
    } else {
        ps_store_abandon(store);
    }
    sim_disk_free(disk);
    r->states++;
}

static void check_snapshot(struct run *r, const struct snapshot *s)
{
    struct where at = {.run = r, .snapshot = s};
    unsigned i;

    r->points++;
    check_crash(r, &(struct where){.run = r, .snapshot = s, .mode = SIM_CRASH_DROP});
    check_crash(r, &(struct where){.run = r, .snapshot = s, .mode = SIM_CRASH_KEEP});
    at.mode = SIM_CRASH_SAMPLE;
    for (i = 0; i < (r->all ? 4 : 2); i++) {
        at.crash_seed = random_next(&r->choices);
        check_crash(r, &at);
    }
}

/* --- the work ----------------------------------------------------------------------------- */

/* Rare operations, and those whose order matters most, are always looked at. */
static bool is_wanted(struct run *r, const struct sim_op *op)
{
    if (op->kind == SIM_READ)
        return false;
    if (r->all || strcmp(op->path, PS_CONTROL_PATH) == 0)
        return true;
    switch (op->kind) {
    case SIM_SYNC:
    case SIM_SYNC_DIR:
    case SIM_RENAME:
    case SIM_UNLINK:
    case SIM_TRUNCATE:
    case SIM_WRITE_DURABLE:
        return random_below(&r->choices, SAMPLE_ONE_IN / 3) == 0;
    default:
        return random_below(&r->choices, SAMPLE_ONE_IN) == 0;
    }
}

/* A durable write has ended, so its bytes can be had: the snapshot gets them, not synced. */
static void put_under_way(struct run *r)
{
    const struct snapshot *s = r->snapshots + r->snapshot_count - 1;
    struct ps_io_file *file = NULL;
    unsigned char *bytes;
    struct ps_io *io;
    void *aligned;
    size_t len;

    if (!r->under_way)
        return;
    r->under_way = false;
    io = sim_disk_io(s->disk);
    aligned = ps_buf_alloc(s->len);
    bytes = sim_disk_dump(r->disk, s->path, &len);
    assert_true(aligned && s->off + s->len <= len);
    memcpy(aligned, bytes + s->off, s->len);
    assert_int_equal(io->ops->open(io, s->path, 0, &file), PS_OK);
    assert_int_equal(ps_io_write(file, aligned, s->len, s->off), PS_OK);
    ps_io_close(file);
    free(bytes);
    ps_buf_free(aligned);
}

static enum sim_fault on_operation(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct run *r = ctx;
    struct snapshot *s;

    put_under_way(r);
    if (!is_wanted(r, op))
        return SIM_NO_FAULT;
    assert_true(r->snapshot_count < SNAPSHOTS_MAX);
    s = &r->snapshots[r->snapshot_count++];
    *s = (struct snapshot){.disk = sim_disk_clone(disk),
                           .kind = op->kind,
                           .no = op->no,
                           .off = op->off,
                           .len = op->len};
    r->under_way = op->kind == SIM_WRITE_DURABLE;
    snprintf(s->path, sizeof(s->path), "%s", op->path);
    return SIM_NO_FAULT;
}

/* The call that made these operations has returned, so the model knows what it would have done. */
static void check_snapshots(struct run *r, size_t acked_before)
{
    size_t i, acked = r->work.acked;

    put_under_way(r);
    r->work.acked = acked_before;
    for (i = 0; i < r->snapshot_count; i++) {
        check_snapshot(r, &r->snapshots[i]);
        sim_disk_free(r->snapshots[i].disk);
    }
    r->snapshot_count = 0;
    r->work.acked = acked;
}

static void expect_live_state(struct run *r)
{
    struct snapshot now = {.path = "-"};
    struct where at = {.run = r, .snapshot = &now};
    struct store_state got;

    if (!work_is_settled(&r->work))
        return;
    got = must_digest(&at, r->work.store);
    if (got.digest == r->work.model.states[model_last(&r->work.model)].digest)
        return;
    r->work.acked = model_last(&r->work.model);
    (void)expect_state(&at, &got);
}

static void work_for(struct run *r, unsigned steps)
{
    unsigned i;

    sim_disk_set_hook(r->disk, on_operation, r);
    for (i = 0; i < steps; i++) {
        size_t acked = r->work.acked;
        ps_err err = work_step(&r->work);

        if (err)
            fail_msg("seed %" PRIu64 ": %s: %s", r->seed, r->work.what, ps_message());
        check_snapshots(r, acked);
        if (i % 16 == 0)
            expect_live_state(r);
    }
    sim_disk_set_hook(r->disk, NULL, NULL);
}

static void run_start(struct run *r, uint64_t seed)
{
    memset(r, 0, sizeof(*r));
    r->seed = seed;
    r->choices = seed + 1000;
    r->all = getenv("PS_LONG") != NULL;
    r->disk = work_new_disk(seed);
    work_init(&r->work, seed);
    if (work_open_store(r->disk, &r->work.store))
        fail_msg("open: %s", ps_message());
}

static void run_stop(struct run *r)
{
    work_abandon(&r->work, r->disk);
    work_deinit(&r->work);
    sim_disk_free(r->disk);
}

static void every_crash_leaves_a_state_that_was_and_nothing_acknowledged_is_lost(void **state)
{
    const struct test_seeds seeds = test_seeds(getenv("PS_LONG") ? RUNS_LONG : RUNS);
    uint64_t seed;
    struct run *r = malloc(sizeof(*r));

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        run_start(r, seed);
        work_for(r, STEPS);
        run_stop(r);
        print_message("seed %" PRIu64 ": %" PRIu64 " points, %" PRIu64 " crash states, %" PRIu64
                      " recoveries cut\n",
                      seed, r->points, r->states, r->recoveries_cut);
    }
    free(r);
}

/* --- generations ---------------------------------------------------------------------------- */

/* The disk as it was before its operation number `left`, or NULL as long as that is to come. */
struct one_cut {
    uint64_t left;
    struct snapshot snapshot;
};

static enum sim_fault cut_once(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct one_cut *cut = ctx;

    if (op->kind == SIM_READ || cut->snapshot.disk || cut->left-- > 0)
        return SIM_NO_FAULT;
    cut->snapshot = (struct snapshot){.disk = sim_disk_clone(disk), .kind = op->kind, .no = op->no};
    snprintf(cut->snapshot.path, sizeof(cut->snapshot.path), "%s", op->path);
    return SIM_NO_FAULT;
}

/* Works until the cut comes; returns how many states are sure to survive it. */
static size_t work_until_cut(struct run *r, struct one_cut *cut)
{
    size_t acked = 0;

    sim_disk_set_hook(r->disk, cut_once, cut);
    while (!cut->snapshot.disk) {
        acked = r->work.acked;
        if (work_step(&r->work))
            fail_msg("seed %" PRIu64 ": %s: %s", r->seed, r->work.what, ps_message());
    }
    expect_live_state(r);
    return acked;
}

/* Opens the store, often after recoveries that were cut themselves. Takes the disk. */
static struct ps_store *recover_at_last(struct run *r, struct where *at, struct sim_disk *disk)
{
    struct ps_store *store;

    while (random_below(&r->choices, 2)) {
        struct one_cut cut = {.left = random_below(&r->choices, 40)};

        sim_disk_set_hook(disk, cut_once, &cut);
        store = must_open(at, disk);
        ps_store_abandon(store);
        if (!cut.snapshot.disk) /* it was done before */
            cut.snapshot.disk = sim_disk_clone(disk);
        sim_disk_free(disk);
        disk = cut.snapshot.disk;
        r->recoveries_cut++;
        at->mode = (enum sim_crash_mode)random_below(&r->choices, 3);
        sim_disk_crash(disk, at->mode, random_next(&r->choices));
    }
    store = must_open(at, disk);
    r->disk = disk;
    return store;
}

/* One power cut, and the work goes on behind it. */
static void live_one_generation(struct run *r)
{
    struct one_cut cut = {.left = 1 + random_below(&r->choices, GENERATION_OPS)};
    struct where at = {.run = r, .snapshot = &cut.snapshot};
    size_t acked = work_until_cut(r, &cut), state_no;
    struct store_state got;
    struct ps_store *store;

    at.mode = (enum sim_crash_mode)random_below(&r->choices, 3);
    at.crash_seed = random_next(&r->choices);
    work_abandon(&r->work, r->disk);
    sim_disk_free(r->disk);
    r->work.acked = acked;
    sim_disk_crash(cut.snapshot.disk, at.mode, at.crash_seed);
    store = recover_at_last(r, &at, cut.snapshot.disk);
    got = must_digest(&at, store);
    state_no = expect_state(&at, &got);
    expect_no_strays(&at, r->disk, store);
    if (work_resume(&r->work, store, state_no))
        fail_at(&at, "read", ps_message());
    r->states++;
}

static void expect_sound_end(struct run *r)
{
    struct snapshot now = {.disk = r->disk, .path = "-"};
    struct where at = {.run = r, .snapshot = &now};

    if (work_close(&r->work))
        fail_at(&at, "close", ps_message());
    expect_sound(&at, r->disk, true);
    work_deinit(&r->work);
    sim_disk_free(r->disk);
}

static void work_that_goes_on_after_recovery_and_is_cut_again_loses_nothing(void **state)
{
    const struct test_seeds seeds = test_seeds(getenv("PS_LONG") ? LINES_LONG : LINES);
    uint64_t seed, states = 0, cuts = 0;
    struct run *r = malloc(sizeof(*r));
    unsigned i;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        run_start(r, seed);
        for (i = 0; i < GENERATIONS; i++)
            live_one_generation(r);
        expect_sound_end(r);
        states += r->states;
        cuts += r->recoveries_cut;
    }
    print_message("%u generations each: %" PRIu64 " crash states, %" PRIu64 " recoveries cut\n",
                  GENERATIONS, states, cuts);
    free(r);
}

/* --- promises of their own ----------------------------------------------------------------------
 */

/* Every page of the table on disk, after the power went, is the page as readers see it now. */
static void expect_on_disk(struct ps_table *t, struct sim_disk *crashed)
{
    struct ps_page_info info;
    uint8_t page[WORK_PAGE];
    char path[64];
    unsigned char *bytes;
    uint64_t from = 0;
    uint32_t n = 1;
    size_t len;

    snprintf(path, sizeof(path), "tables/%u.pages", ps_table_id(t));
    bytes = sim_disk_dump(crashed, path, &len);
    while (n > 0) {
        assert_int_equal(ps_page_list(t, from, &info, 1, &n), PS_OK);
        from = (uint64_t)info.page_no + 1;
        if (n == 0 || !info.used)
            continue;
        assert_int_equal(ps_page_copy(t, info.page_no, NULL, page), PS_OK);
        assert_true(len >= from * WORK_PAGE);
        assert_memory_equal(bytes + (size_t)info.page_no * WORK_PAGE, page, WORK_PAGE);
    }
    free(bytes);
}

static void sync_puts_every_change_into_the_page_files(void **state)
{
    struct run *r = calloc(1, sizeof(*r));
    struct ps_table *t = NULL;
    struct sim_disk *crashed;
    unsigned i, k;
    uint32_t from;

    (void)state;
    run_start(r, 5);
    for (i = 0; i < 12; i++) {
        for (k = 0; k < 20; k++)
            assert_int_equal(work_step(&r->work), PS_OK);
        assert_int_equal(ps_store_sync(r->work.store, PS_SYNC_DATA), PS_OK);
        crashed = sim_disk_clone(r->disk);
        sim_disk_crash(crashed, SIM_CRASH_DROP, 0);
        for (from = 0; ps_table_next(r->work.store, from, &t) == PS_OK; ps_table_unref(t)) {
            from = ps_table_id(t) + 1;
            expect_on_disk(t, crashed);
        }
        sim_disk_free(crashed);
    }
    run_stop(r);
    free(r);
}

struct incarnation_look {
    uint32_t before; /* the crash */
    unsigned writes;
};

static enum sim_fault look_at_incarnation(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct incarnation_look *look = ctx;
    struct ps_control control;
    struct sim_disk *crashed;

    if (op->kind != SIM_WRITE_DURABLE || strncmp(op->path, "wal/", 4) != 0)
        return SIM_NO_FAULT;
    crashed = sim_disk_clone(disk);
    sim_disk_crash(crashed, SIM_CRASH_DROP, 0);
    assert_int_equal(ps_control_read(sim_disk_io(crashed), &control, NULL), PS_OK);
    assert_true(control.incarnation > look->before);
    sim_disk_free(crashed);
    look->writes++;
    return SIM_NO_FAULT;
}

static void recovery_appends_to_the_log_only_under_a_new_durable_incarnation(void **state)
{
    struct run *r = calloc(1, sizeof(*r));
    struct incarnation_look look = {0};
    struct ps_control control;
    unsigned i;

    (void)state;
    run_start(r, 6);
    for (i = 0; i < 80; i++)
        assert_int_equal(work_step(&r->work), PS_OK);
    work_abandon(&r->work, r->disk);
    sim_disk_crash(r->disk, SIM_CRASH_SAMPLE, 1);
    assert_int_equal(ps_control_read(sim_disk_io(r->disk), &control, NULL), PS_OK);
    look.before = control.incarnation;
    sim_disk_set_hook(r->disk, look_at_incarnation, &look);
    assert_int_equal(work_open_store(r->disk, &r->work.store), PS_OK);
    assert_true(look.writes > 0);
    run_stop(r);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sync_puts_every_change_into_the_page_files),
        cmocka_unit_test(recovery_appends_to_the_log_only_under_a_new_durable_incarnation),
        cmocka_unit_test(work_that_goes_on_after_recovery_and_is_cut_again_loses_nothing),
        cmocka_unit_test(every_crash_leaves_a_state_that_was_and_nothing_acknowledged_is_lost),
    };

    return cmocka_run_group_tests_name("powercut", tests, NULL, NULL);
}
