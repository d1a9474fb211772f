/*
 * The store on a disk that fails while the power stays on: it is full, it refuses writes or syncs,
 * it loses writes and says nothing. Random work (store_work.h) goes on meanwhile; whatever fails
 * must have changed nothing, whatever was acknowledged must stay.
 *
 * PS_SEED=N runs one seed, PS_LONG=1 many.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "file/control.h"
#include "format_test.h"
#include "pagestore/verify.h"
#include "seed.h"
#include "sim_disk.h"
#include "store_work.h"

#define RUNS 12u
#define RUNS_LONG 400u

struct run {
    uint64_t seed, choices;
    struct sim_disk *disk;
    struct store_work work;
    enum sim_op_kind fault_kind; /* what on_operation makes fail, and how; SIM_OP_KINDS: any */
    enum sim_fault fault;
    const char *fault_path; /* begins like this */
    uint32_t fault_one_in;
    uint64_t fault_after, faults, faults_max;
    char failed[96]; /* the last operation that was made to fail, for messages */
};

static uint64_t runs(void)
{
    return getenv("PS_LONG") ? RUNS_LONG : RUNS;
}

static void must(const struct run *r, ps_err err, const char *what)
{
    if (err)
        fail_msg("seed %" PRIu64 ": %s after \"%s\", %s: %s: %s", r->seed, what, r->work.what,
                 r->failed, ps_err_text(err), ps_message());
}

static void start(struct run *r, uint64_t seed)
{
    memset(r, 0, sizeof(*r));
    r->seed = seed;
    r->choices = seed + 77;
    r->disk = work_new_disk(seed);
    work_init(&r->work, seed);
    r->work.single = true;
    must(r, work_open_store(r->disk, &r->work.store), "open");
}

static void stop(struct run *r)
{
    if (r->work.store)
        work_abandon(&r->work, r->disk);
    work_deinit(&r->work);
    sim_disk_free(r->disk);
}

static void work_without_faults(struct run *r, unsigned steps)
{
    unsigned i;

    for (i = 0; i < steps; i++)
        must(r, work_step(&r->work), "step");
}

static enum sim_fault on_operation(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct run *r = ctx;

    (void)disk;
    if ((r->fault_kind != SIM_OP_KINDS && op->kind != r->fault_kind) ||
        strncmp(op->path, r->fault_path, strlen(r->fault_path)) != 0 ||
        r->faults == r->faults_max || random_below(&r->choices, r->fault_one_in) != 0)
        return SIM_NO_FAULT;
    if (r->fault_after > 0) {
        r->fault_after--;
        return SIM_NO_FAULT;
    }
    r->faults++;
    snprintf(r->failed, sizeof(r->failed), "operation of kind %d on %s failed", (int)op->kind,
             op->path);
    return r->fault;
}

static void make_fail(struct run *r, enum sim_op_kind kind, const char *path, enum sim_fault fault,
                      uint32_t one_in, uint64_t max)
{
    r->fault_kind = kind;
    r->fault_path = path;
    r->fault = fault;
    r->fault_one_in = one_in;
    r->faults_max = r->faults + max;
    sim_disk_set_hook(r->disk, on_operation, r);
}

static void make_well(struct run *r)
{
    sim_disk_set_hook(r->disk, NULL, NULL);
    sim_disk_set_capacity(r->disk, UINT64_MAX);
}

/* --- judging ------------------------------------------------------------------------------------
 */

static bool is_among(const struct store_work *w, size_t from, uint64_t digest)
{
    size_t i;

    for (i = from; i < w->model.state_count; i++)
        if (w->model.states[i].digest == digest)
            return true;
    return false;
}

static void expect_model(struct run *r)
{
    struct store_state got;

    must(r, store_digest(r->work.store, &got), "read");
    if (!is_among(&r->work, model_last(&r->work.model), got.digest))
        fail_msg("seed %" PRIu64 ": after \"%s\", %s, the store is not what it should be", r->seed,
                 r->work.what, r->failed);
}

static void report_fault(void *ctx, const struct ps_finding *f)
{
    if (f->severity != PS_FAULT)
        return;
    print_error("%s page %" PRId64 " %s: %s\n", f->file, f->page, f->word, f->text);
    ++*(unsigned *)ctx;
}

static void close_sound(struct run *r)
{
    unsigned faults = 0;
    const struct ps_verify_options opts = {
        .report = report_fault, .ctx = &faults, .io_given = sim_disk_io(r->disk)};
    struct ps_verify_result result;

    must(r, work_close(&r->work), "close");
    must(r, ps_verify("sim", &opts, &result), "verify");
    if (faults || result.needs_recovery)
        fail_msg("seed %" PRIu64 ": %u faults after closing", r->seed, faults);
}

static void crash_and_expect(struct run *r, enum sim_crash_mode mode)
{
    struct store_state got;

    work_abandon(&r->work, r->disk);
    sim_disk_crash(r->disk, mode, random_next(&r->choices));
    must(r, work_open_store(r->disk, &r->work.store), "recovery");
    must(r, store_digest(r->work.store, &got), "read");
    if (!is_among(&r->work, r->work.acked, got.digest))
        fail_msg("seed %" PRIu64 ": after \"%s\", %s, and a crash: not a state between %zu and %zu",
                 r->seed, r->work.what, r->failed, r->work.acked, model_last(&r->work.model));
}

/* --- a full disk --------------------------------------------------------------------------------
 */

static void fill_disk(struct run *r)
{
    struct ps_io *io = sim_disk_io(r->disk);
    struct ps_io_space space = {0};

    sim_disk_set_capacity(r->disk, UINT64_MAX / 2);
    must(r, io->ops->space(io, &space), "space");
    sim_disk_set_capacity(r->disk, space.bytes_total - space.bytes_free +
                                       random_below(&r->choices, 3 * WORK_SEGMENT));
}

static unsigned work_on_full_disk(struct run *r, unsigned steps)
{
    unsigned i, refused = 0;

    for (i = 0; i < steps; i++) {
        ps_err err = work_step(&r->work);

        if (err == PS_ERR_NOSPC)
            refused++;
        else
            must(r, err, "step on a full disk");
        if (err && work_is_settled(&r->work))
            expect_model(r);
    }
    return refused;
}

static void full_disk_refuses_writers_and_loses_nothing(void **state)
{
    const struct test_seeds seeds = test_seeds(runs());
    uint64_t seed;
    unsigned refused = 0;
    struct run r;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        start(&r, seed);
        work_without_faults(&r, 60 + random_below(&r.choices, 100));
        fill_disk(&r);
        refused += work_on_full_disk(&r, 80);
        must(&r, ps_store_sync(r.work.store, PS_SYNC_DATA), "sync on a full disk");
        work_ack(&r.work);
        if (seed % 2) {
            make_well(&r);
            crash_and_expect(&r, (enum sim_crash_mode)(seed % 3));
        } else {
            make_well(&r);
            work_without_faults(&r, 80);
            must(&r, work_settle(&r.work), "settle");
            expect_model(&r);
        }
        close_sound(&r);
        stop(&r);
    }
    print_message("%u calls refused\n", refused);
    assert_true(seeds.one || refused > 0);
}

/* --- refused writes and syncs -------------------------------------------------------------------
 */

static void failed_page_writes_keep_pages_dirty_and_lose_nothing(void **state)
{
    const struct test_seeds seeds = test_seeds(runs());
    uint64_t seed, failed = 0;
    struct run r;
    unsigned i;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        start(&r, seed);
        work_without_faults(&r, 40);
        make_fail(&r, SIM_WRITE, "tables/", SIM_EIO, 3, UINT64_MAX / 2);
        for (i = 0; i < 60; i++) {
            ps_err err = work_step(&r.work);

            if (err && err != PS_ERR_IO)
                must(&r, err, "step");
        }
        failed += r.faults;
        make_well(&r);
        assert_null(ps_store_poison_reason(r.work.store));
        if (seed % 2)
            crash_and_expect(&r, SIM_CRASH_SAMPLE);
        must(&r, work_settle(&r.work), "settle");
        if (seed % 2 == 0)
            expect_model(&r);
        must(&r, ps_store_checkpoint(r.work.store, NULL), "checkpoint");
        close_sound(&r);
        stop(&r);
    }
    print_message("%" PRIu64 " writes failed\n", failed);
    assert_true(seeds.one || failed > 0);
}

/* Works until the store is poisoned; what it says then must be durable is judged by a crash. */
static void poison_and_recover(struct run *r, const char *path)
{
    unsigned i;

    for (i = 0; i < 600 && !ps_store_poison_reason(r->work.store); i++)
        if (work_step(&r->work) != PS_OK && !ps_store_poison_reason(r->work.store))
            must(r, PS_ERR_IO, "a step failed and the store is not poisoned");
    if (!ps_store_poison_reason(r->work.store))
        fail_msg("seed %" PRIu64 ": a sync of %s failed and nobody noticed", r->seed, path);
    make_well(r);
    assert_int_equal(ps_store_sync(r->work.store, PS_SYNC_DATA), PS_ERR_POISONED);
    assert_int_equal(ps_store_checkpoint(r->work.store, NULL), PS_ERR_POISONED);
    assert_int_equal(ps_table_create(r->work.store, "more", PS_FORMAT_NATIVE, PS_PAGE_RAW, NULL),
                     PS_ERR_POISONED);
    crash_and_expect(r, SIM_CRASH_DROP);
    close_sound(r);
}

static void failed_sync_poisons_and_loses_nothing_acknowledged(void **state)
{
    static const struct {
        enum sim_op_kind kind;
        enum sim_fault fault;
        const char *path;
    } faults[] = {
        {SIM_SYNC, SIM_FSYNC_FAIL, "tables/"},
        {SIM_SYNC, SIM_FSYNC_FAIL, PS_CONTROL_PATH},
        {SIM_WRITE_DURABLE, SIM_EIO, "wal/"},
        {SIM_WRITE, SIM_EIO, PS_CONTROL_PATH},
    };
    const struct test_seeds seeds = test_seeds(4 * runs());
    uint64_t seed;
    struct run r;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        start(&r, seed);
        r.fault_after = random_below(&r.choices, 4);
        make_fail(&r, faults[seed % 4].kind, faults[seed % 4].path, faults[seed % 4].fault, 1, 1);
        poison_and_recover(&r, faults[seed % 4].path);
        stop(&r);
    }
}

/* --- anything, once -----------------------------------------------------------------------------
 */

static void make_any_fail_once(struct run *r, uint32_t within)
{
    r->fault_after = random_below(&r->choices, within);
    make_fail(r, SIM_OP_KINDS, "", random_below(&r->choices, 2) ? SIM_EIO : SIM_ENOSPC, 1, 1);
}

/* What a step that fails has not done is not done, if the store is not poisoned. */
static void work_until_failed(struct run *r, unsigned steps)
{
    unsigned i;

    for (i = 0; i < steps && !ps_store_poison_reason(r->work.store); i++) {
        ps_err err = work_step(&r->work);

        if (err && ps_store_poison_reason(r->work.store))
            return;
        if (err && err != PS_ERR_IO && err != PS_ERR_NOSPC)
            must(r, err, "step");
        if (err && work_is_settled(&r->work))
            expect_model(r);
    }
}

static void any_one_operation_that_fails_loses_nothing(void **state)
{
    const struct test_seeds seeds = test_seeds(8 * runs());
    uint64_t seed, failed = 0, poisoned = 0;
    struct run r;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        start(&r, seed);
        make_any_fail_once(&r, 200);
        work_until_failed(&r, 100);
        failed += r.faults;
        make_well(&r);
        if (ps_store_poison_reason(r.work.store)) {
            poisoned++;
            crash_and_expect(&r, SIM_CRASH_DROP);
        } else if (seed % 2) {
            crash_and_expect(&r, SIM_CRASH_SAMPLE);
        } else {
            must(&r, work_settle(&r.work), "settle");
            expect_model(&r);
        }
        close_sound(&r);
        stop(&r);
    }
    print_message("%" PRIu64 " failures, %" PRIu64 " poisoned\n", failed, poisoned);
    assert_true(seeds.one || (failed > poisoned && poisoned > 0));
}

/* Opens the store while any one operation fails, then without, on what that has left. */
static void open_badly_then_well(struct run *r, uint64_t *refused)
{
    struct store_state got;

    make_any_fail_once(r, 120);
    if (work_open_store(r->disk, &r->work.store) == PS_OK)
        work_abandon(&r->work, r->disk);
    else
        ++*refused;
    make_well(r);
    sim_disk_crash(r->disk, SIM_CRASH_KEEP, 0);
    must(r, work_open_store(r->disk, &r->work.store), "recovery");
    must(r, store_digest(r->work.store, &got), "read");
    if (!is_among(&r->work, r->work.acked, got.digest))
        fail_msg("seed %" PRIu64 ": %s in recovery, and the next one: not a state that may be",
                 r->seed, r->failed);
}

static void recovery_in_which_any_one_operation_fails_can_be_repeated(void **state)
{
    const struct test_seeds seeds = test_seeds(8 * runs());
    uint64_t seed, failed = 0, refused = 0;
    struct run r;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        start(&r, seed);
        work_without_faults(&r, 40 + random_below(&r.choices, 80));
        work_abandon(&r.work, r.disk);
        sim_disk_crash(r.disk, (enum sim_crash_mode)(seed % 3), random_next(&r.choices));
        open_badly_then_well(&r, &refused);
        failed += r.faults;
        close_sound(&r);
        stop(&r);
    }
    print_message("%" PRIu64 " failures, %" PRIu64 " times not opened\n", failed, refused);
    assert_true(seeds.one || refused > 0);
}

/* --- lost writes --------------------------------------------------------------------------------
 */

/* Each page of a raw table is what was written last, or known to be damaged. Returns how many are
 * damaged. */
static unsigned expect_no_stale_page(const struct run *r, struct ps_table *t,
                                     const struct model_table *model)
{
    uint8_t page[WORK_PAGE];
    struct ps_page_info info;
    unsigned damaged = 0;
    uint64_t from = 0;
    uint32_t n = 1;

    while (n > 0) {
        must(r, ps_page_list(t, from, &info, 1, &n), "list");
        from = (uint64_t)info.page_no + 1;
        if (n == 0)
            break;
        if (ps_page_copy(t, info.page_no, NULL, page) == PS_ERR_CORRUPT)
            damaged++;
        else if (!model_page_is(&r->work.model, model, info.page_no, page))
            fail_msg("seed %" PRIu64 ": page %u of table %u is stale", r->seed, info.page_no,
                     model->id);
    }
    return damaged;
}

/* Changes pages here and there, so that some of them are written by themselves.
 */
static void work_one_page_each(struct run *r, struct model_table *model)
{
    struct ps_table *t = NULL;
    uint32_t page;

    must(r, ps_table_get(r->work.store, model->id, &t), "table");
    for (page = 0; page < MODEL_PAGES; page += 2) {
        uint64_t off = (uint64_t)page * WORK_PAGE + 100;

        if (!model->pages[page].allocated)
            continue;
        must(r, ps_write(t, PS_SPACE_IMAGE, off, "x", 1, 0, NULL), "write");
        model_write(&r->work.model, model, PS_SPACE_IMAGE, off, (const uint8_t *)"x", 1);
    }
    ps_table_unref(t);
}

/* The table as it is on the disk now; the open store's pool knows better. */
static unsigned compare_with_disk(struct run *r, const struct model_table *model)
{
    struct sim_disk *disk = sim_disk_clone(r->disk);
    struct ps_store *store = NULL;
    struct ps_table *t = NULL;
    unsigned damaged;

    sim_disk_crash(disk, SIM_CRASH_KEEP, 0);
    must(r, work_open_store(disk, &store), "open");
    must(r, ps_table_get(store, model->id, &t), "table");
    damaged = expect_no_stale_page(r, t, model);
    ps_table_unref(t);
    ps_store_abandon(store);
    sim_disk_free(disk);
    return damaged;
}

static struct model_table *raw_table(struct run *r)
{
    uint32_t i;

    for (i = 0; i < MODEL_TABLES; i++)
        if (r->work.model.tables[i].id && r->work.model.tables[i].type == PS_PAGE_RAW &&
            r->work.model.tables[i].pages_end > 0)
            return &r->work.model.tables[i];
    return NULL;
}

static void page_whose_write_was_lost_is_never_served(void **state)
{
    const struct test_seeds seeds = test_seeds(2 * runs());
    uint64_t seed;
    struct model_table *model;
    unsigned damaged = 0;
    char path[64];
    struct run r;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++) {
        start(&r, seed);
        do
            work_without_faults(&r, 100);
        while (!(model = raw_table(&r)));
        must(&r, work_settle(&r.work), "settle");
        must(&r, ps_store_checkpoint(r.work.store, NULL), "checkpoint");
        snprintf(path, sizeof(path), "tables/%u.pages", model->id);
        make_fail(&r, SIM_WRITE, path, SIM_LOST, 2, 1);
        work_one_page_each(&r, model);
        must(&r, ps_store_checkpoint(r.work.store, NULL), "checkpoint");
        make_well(&r);
        damaged += compare_with_disk(&r, model);
        stop(&r);
    }
    print_message("%u pages damaged\n", damaged);
    assert_true(seeds.one || damaged > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk_refuses_writers_and_loses_nothing),
        cmocka_unit_test(failed_page_writes_keep_pages_dirty_and_lose_nothing),
        cmocka_unit_test(failed_sync_poisons_and_loses_nothing_acknowledged),
        cmocka_unit_test(any_one_operation_that_fails_loses_nothing),
        cmocka_unit_test(recovery_in_which_any_one_operation_fails_can_be_repeated),
        cmocka_unit_test(page_whose_write_was_lost_is_never_served),
    };

    return cmocka_run_group_tests_name("store faults", tests, NULL, NULL);
}
