/*
 * Random work, a power cut at a random moment, and two questions: does verify of what is left see
 * no damage that recovery would not repair, and is the store sound after recovery?
 * PS_SEED=N runs one seed, PS_LONG=1 many.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pagestore/table.h"
#include "pagestore/verify.h"
#include "seed.h"
#include "sim_disk.h"

#define PAGE 4096u
#define TABLES 4u
#define PAGES 600u
#define STEPS 120u
#define RUNS 40u
#define RUNS_LONG 2000u

struct run {
    uint64_t seed, random;
    struct sim_disk *disk;
    struct ps_store *store;
    unsigned faults;
};

static uint64_t next_random(struct run *r)
{
    r->random ^= r->random << 13; /* xorshift64, Marsaglia 2003 */
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random;
}

static uint32_t below(struct run *r, uint32_t limit)
{
    return (uint32_t)(next_random(r) % limit);
}

/* --- work: every call may fail, as the power may be gone already -------------------------- */

static void write_some(struct run *r, struct ps_table *t)
{
    static uint8_t bytes[16 * PAGE];
    struct ps_table_info info;
    uint64_t off = (uint64_t)below(r, PAGES) * PAGE + (below(r, 2) ? below(r, PAGE) : 0);
    size_t len = 1 + below(r, below(r, 4) ? PAGE : (uint32_t)sizeof(bytes));

    if (ps_table_info(t, &info) != PS_OK || info.type != PS_PAGE_RAW)
        return; /* bytes of no structure are a fault there */
    memset(bytes, (int)below(r, 256), len);
    (void)!ps_write(t, below(r, 2) ? PS_SPACE_IMAGE : PS_SPACE_PAYLOAD, off, bytes, len, 0, NULL);
}

static void append_some(struct run *r, struct ps_table *t)
{
    static const char text[1000] = "an item";
    struct ps_item items[50];
    uint32_t i, count = 1 + below(r, 50);

    for (i = 0; i < count; i++)
        items[i] = (struct ps_item){text, below(r, sizeof(text))};
    (void)!ps_items_append(t, items, count, 0, NULL);
}

static void change_states(struct run *r, struct ps_table *t)
{
    uint32_t page = below(r, PAGES);

    switch (below(r, 5)) {
    case 0:
        (void)!ps_page_free(t, page, NULL);
        break;
    case 1:
        (void)!ps_page_create(t, page, NULL);
        break;
    case 2:
        (void)!ps_truncate(t, PS_SPACE_IMAGE, (uint64_t)page * PAGE, NULL);
        break;
    case 3:
        (void)!ps_punch(t, PS_SPACE_IMAGE, (uint64_t)page * PAGE, 20 * PAGE, NULL);
        break;
    default:
        (void)!ps_allocate(t, PS_SPACE_IMAGE, (uint64_t)page * PAGE, 20 * PAGE, false, NULL);
    }
}

static void change_tables(struct run *r, const char *name)
{
    static const enum ps_format_id formats[] = {PS_FORMAT_NATIVE, PS_FORMAT_POSTGRES};
    char other[16];

    snprintf(other, sizeof(other), "t%u", below(r, TABLES));
    switch (below(r, 3)) {
    case 0:
        (void)!ps_table_drop(r->store, name, true);
        break;
    case 1:
        (void)!ps_table_rename(r->store, name, other);
        break;
    default:
        (void)!ps_table_create(r->store, name, formats[below(r, 2)],
                               below(r, 2) ? PS_PAGE_RAW : PS_PAGE_SLOTTED, NULL);
    }
}

static void step(struct run *r)
{
    struct ps_table *t = NULL;
    char name[16];
    uint32_t what = below(r, 20);

    snprintf(name, sizeof(name), "t%u", below(r, TABLES));
    if (what == 0) {
        (void)!ps_store_checkpoint(r->store, NULL);
    } else if (what < 3) {
        (void)!ps_store_sync(r->store, PS_SYNC_DATA);
    } else if (what == 3) {
        (void)ps_store_step(r->store, (enum ps_task)below(r, 3));
    } else if (ps_table_lookup(r->store, name, &t) != PS_OK || what == 4) {
        change_tables(r, name);
    } else if (what < 8) {
        change_states(r, t);
    } else if (what < 12) {
        append_some(r, t);
    } else {
        write_some(r, t);
    }
    if (t)
        ps_table_unref(t);
}

/* --- judging ------------------------------------------------------------------------------ */

static void print_fault(void *ctx, const struct ps_finding *f)
{
    struct run *r = ctx;

    if (f->severity != PS_FAULT)
        return;
    r->faults++;
    print_error("seed %" PRIu64 ": %s page %" PRId64 " %s: %s\n", r->seed, f->file, f->page,
                f->word, f->text);
}

static void expect_no_faults(struct run *r, bool recovered)
{
    const struct ps_verify_options opts = {
        .report = print_fault, .ctx = r, .io_given = sim_disk_io(r->disk)};
    struct ps_verify_result result;

    r->faults = 0;
    if (ps_verify("sim", &opts, &result) != PS_OK)
        fail_msg("seed %" PRIu64 ": verify: %s", r->seed, ps_message());
    if (r->faults > 0 || (recovered && result.needs_recovery))
        fail_msg("seed %" PRIu64 ": %u faults %s recovery", r->seed, r->faults,
                 recovered ? "after" : "before");
}

static ps_err open_store(struct run *r)
{
    struct ps_store_options opts;

    ps_store_options_default(&opts);
    opts.io_given = sim_disk_io(r->disk);
    opts.no_threads = true;
    opts.pool_bytes = 4u << 20;
    return ps_store_open("sim", &opts, &r->store);
}

static void must(struct run *r, ps_err err, const char *what)
{
    if (err)
        fail_msg("seed %" PRIu64 ": %s: %s", r->seed, what, ps_message());
}

static void work_until_the_cut(struct run *r)
{
    unsigned i;

    sim_disk_cut_at(r->disk, sim_disk_op_count(r->disk) + below(r, 6 * STEPS));
    for (i = 0; i < STEPS && !sim_disk_is_cut(r->disk); i++)
        step(r);
    ps_store_abandon(r->store);
}

static void one_run(uint64_t seed)
{
    struct run r = {.seed = seed, .random = seed * 0x9e3779b97f4a7c15u + 1};
    struct ps_init_options init = {.page_size = PAGE, .segment_size = 2u << 20};
    unsigned rounds;

    r.disk = sim_disk_new(seed);
    init.io_given = sim_disk_io(r.disk);
    must(&r, ps_store_init("sim", &init), "init");
    for (rounds = 0; rounds < 3; rounds++) {
        must(&r, open_store(&r), "open");
        work_until_the_cut(&r);
        sim_disk_crash(r.disk, (enum sim_crash_mode)below(&r, 3), seed + rounds);
        expect_no_faults(&r, false);
    }
    must(&r, open_store(&r), "open");
    must(&r, ps_store_close(r.store), "close");
    expect_no_faults(&r, true);
    sim_disk_free(r.disk);
}

static void crashed_store_has_no_fault_but_what_recovery_repairs(void **state)
{
    const struct test_seeds seeds = test_seeds(getenv("PS_LONG") ? RUNS_LONG : RUNS);
    uint64_t seed;

    (void)state;
    for (seed = seeds.first; seed <= seeds.last; seed++)
        one_run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashed_store_has_no_fault_but_what_recovery_repairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
