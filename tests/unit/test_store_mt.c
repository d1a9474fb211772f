/*
 * Many threads on one store of real files, background threads on, a pool too small for the data:
 * writers of the same and of different tables, readers, transactions that get into each other's
 * way, items, DDL, fsyncs and checkpoints. Each thread checks what must hold at every moment; what
 * must hold in the end is checked then, by verify, too.
 */
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
#include "pagestore/txn.h"
#include "pagestore/verify.h"
#include "seed.h"
#include "temp_dir.h"

#define PAGE 4096u
#define POOL (4u << 20)
#define PAGES 1500u /* of each of two tables: twice what the pool holds */
#define RUN_PAGES 4u
#define ACCOUNTS 40u
#define BALANCE 1000u
#define BALANCE_OFF 64u
#define SECONDS 3

struct shared {
    char path[TEMP_DIR_LEN];
    struct ps_store *store;
    struct ps_table *data[2], *accounts, *items;
    uint64_t seed;
    _Atomic unsigned next_id;
    _Atomic bool stop;
    _Atomic uint64_t done, transfers, conflicts;
    pthread_mutex_t mtx;
    char failure[512]; /* guarded by mtx: the first one */
};

/* One thread's. */
struct worker {
    struct shared *s;
    uint64_t seed;
    unsigned id;
};

static void note_failure(struct worker *w, const char *what, const char *why)
{
    pthread_mutex_lock(&w->s->mtx);
    if (!w->s->failure[0])
        snprintf(w->s->failure, sizeof(w->s->failure), "%s: %s", what, why);
    pthread_mutex_unlock(&w->s->mtx);
    w->s->stop = true;
}

static bool ok_at(struct worker *w, ps_err err, const char *what)
{
    if (err)
        note_failure(w, what, ps_message());
    return !err;
}
#define ok(w, call) ok_at(w, call, #call)

/* --- what the threads do ------------------------------------------------------------------------
 */

/* Pages in a row, all of their payload one byte. */
static void write_run(struct worker *w)
{
    static const uint32_t bytes = PAGE - 32;
    struct ps_table *t = w->s->data[w->id % 2];
    uint32_t first = random_below(&w->seed, PAGES - RUN_PAGES), count = RUN_PAGES;
    unsigned flags = random_below(&w->seed, 64) == 0 ? PS_WRITE_DURABLE : 0;
    uint8_t buf[RUN_PAGES * PAGE];

    count = 1 + random_below(&w->seed, count);
    memset(buf, (int)random_below(&w->seed, 256), sizeof(buf));
    (void)ok(
        w, ps_write(t, PS_SPACE_PAYLOAD, (uint64_t)first * bytes, buf, count * bytes, flags, NULL));
}

static void read_one(struct worker *w)
{
    struct ps_table *t = w->s->data[random_below(&w->seed, 2)];
    struct ps_page_ident who = {.page_size = PAGE, .table_id = ps_table_id(t)};
    uint8_t page[PAGE];
    size_t got = 0;

    who.page_no = random_below(&w->seed, PAGES);
    if (!ok(w, ps_read(t, PS_SPACE_IMAGE, (uint64_t)who.page_no * PAGE, page, PAGE, NULL, &got)))
        return;
    if (got != PAGE || ps_format_native.verify(page, &who))
        note_failure(w, "a page was read that does not verify", ps_message());
    if (memcmp(page + 32, page + 33, PAGE - 33) != 0)
        note_failure(w, "a page was read", "bytes of two writes");
}

static ps_err lock_account(struct ps_txn *x, struct worker *w, uint32_t page)
{
    return ps_txn_write(x, w->s->accounts, page, BALANCE_OFF + 8, "locked", 6, NULL);
}

static ps_err add(struct ps_txn *x, struct worker *w, uint32_t page, uint64_t amount)
{
    uint64_t off = (uint64_t)page * PAGE + BALANCE_OFF, balance = 0;
    size_t got;
    ps_err err =
        ps_read(w->s->accounts, PS_SPACE_IMAGE, off, &balance, sizeof(balance), NULL, &got);

    balance += amount;
    return err ? err
               : ps_txn_write(x, w->s->accounts, page, BALANCE_OFF, &balance, sizeof(balance),
                              NULL);
}

/* From one account to another; a page that a transaction has written is its own until it ends. */
static void transfer(struct worker *w)
{
    uint32_t from = random_below(&w->seed, ACCOUNTS), to = random_below(&w->seed, ACCOUNTS);
    uint64_t amount = random_below(&w->seed, 10);
    struct ps_txn *x;
    ps_err err;

    if (!ok(w, ps_txn_begin(w->s->store, &x)))
        return;
    err = lock_account(x, w, from);
    if (!err)
        err = lock_account(x, w, to);
    if (!err)
        err = add(x, w, from, 0 - amount);
    if (!err)
        err = add(x, w, to, amount);
    if (err == PS_ERR_CONFLICT || (!err && random_below(&w->seed, 5) == 0)) {
        w->s->conflicts += err != PS_OK;
        (void)ok(w, ps_txn_abort(x));
        return;
    }
    if (!ok_at(w, err, "transfer"))
        (void)ps_txn_abort(x);
    else if (ok(w, ps_txn_commit(x)))
        w->s->transfers++;
}

/* In goes an item, out it comes, and often it is deleted. */
static void work_on_items(struct worker *w)
{
    char item[64], back[64];
    uint32_t page = 0, slot = 0, len = 0;
    uint32_t n = (uint32_t)snprintf(item, sizeof(item), "item %" PRIu64 " of thread %u",
                                    random_next(&w->seed), w->id);

    if (!ok(w, ps_item_insert(w->s->items, item, n, &page, &slot, NULL)) ||
        !ok(w, ps_item_get(w->s->items, page, slot, back, sizeof(back), &len, NULL)))
        return;
    if (len != n || memcmp(item, back, n) != 0)
        note_failure(w, "an item was read", "it is not what was inserted");
    if (random_below(&w->seed, 3))
        (void)ok(w, ps_item_delete(w->s->items, page, slot, NULL));
}

static void change_tables(struct worker *w)
{
    struct ps_table *t = NULL;
    char name[32], other[32], byte = 1;

    snprintf(name, sizeof(name), "ddl%u", w->id);
    snprintf(other, sizeof(other), "other%u", w->id);
    if (!ok(w, ps_table_create(w->s->store, name, PS_FORMAT_POSTGRES, PS_PAGE_RAW, &t)))
        return;
    (void)ok(w, ps_write(t, PS_SPACE_IMAGE, random_below(&w->seed, 50 * PAGE), &byte, 1, 0, NULL));
    (void)ok(w, ps_truncate(t, PS_SPACE_IMAGE, (uint64_t)random_below(&w->seed, 60) * PAGE, NULL));
    (void)ok(w, ps_table_rename(w->s->store, name, other));
    ps_table_unref(t);
    (void)ok(w, ps_table_drop(w->s->store, other, true));
}

static void make_durable(struct worker *w)
{
    switch (random_below(&w->seed, 8)) {
    case 0:
        (void)ok(w, ps_store_checkpoint(w->s->store, NULL));
        break;
    case 1:
        (void)ok(w, ps_store_sync(w->s->store, PS_SYNC_LOG));
        break;
    default:
        (void)ok(w, ps_store_sync(w->s->store, PS_SYNC_DATA));
    }
}

static void (*const jobs[])(struct worker *) = {
    write_run, write_run,     write_run,     read_one,      read_one,     transfer,
    transfer,  work_on_items, work_on_items, change_tables, make_durable, make_durable,
};
#define THREADS (sizeof(jobs) / sizeof(jobs[0]))

static void *worker_main(void *arg)
{
    struct worker w = {.s = arg};

    w.id = atomic_fetch_add(&w.s->next_id, 1);
    w.seed = w.s->seed + w.id;
    while (!w.s->stop) {
        jobs[w.id](&w);
        w.s->done++;
    }
    return NULL;
}

/* --- beginning and end --------------------------------------------------------------------------
 */

#define must(call) assert_int_equal((call), PS_OK)

static struct ps_table *make(struct shared *s, const char *name, enum ps_page_type type)
{
    struct ps_table *t = NULL;

    must(ps_table_create(s->store, name, PS_FORMAT_NATIVE, type, &t));
    return t;
}

static void open_store(struct shared *s)
{
    struct ps_store_options opts;

    ps_store_options_default(&opts);
    opts.pool_bytes = POOL;
    opts.max_wal = 16u << 20;
    opts.wal_delay_ms = 5;
    must(ps_store_open(s->path, &opts, &s->store));
}

static void make_accounts(struct shared *s)
{
    const uint64_t balance = BALANCE;
    uint32_t i;

    for (i = 0; i < ACCOUNTS; i++)
        must(ps_write(s->accounts, PS_SPACE_IMAGE, (uint64_t)i * PAGE + BALANCE_OFF, &balance,
                      sizeof(balance), 0, NULL));
}

static void expect_balances(struct shared *s)
{
    uint64_t sum = 0, balance;
    uint32_t i;
    size_t got;

    for (i = 0; i < ACCOUNTS; i++) {
        must(ps_read(s->accounts, PS_SPACE_IMAGE, (uint64_t)i * PAGE + BALANCE_OFF, &balance,
                     sizeof(balance), NULL, &got));
        sum += balance;
    }
    assert_int_equal(sum, ACCOUNTS * BALANCE);
}

static void begin(struct shared *s)
{
    struct ps_init_options init = {.page_size = PAGE, .segment_size = 1u << 20};

    temp_dir_make(s->path);
    must(ps_store_init(s->path, &init));
    open_store(s);
    s->data[0] = make(s, "one", PS_PAGE_RAW);
    s->data[1] = make(s, "two", PS_PAGE_RAW);
    s->accounts = make(s, "accounts", PS_PAGE_RAW);
    s->items = make(s, "items", PS_PAGE_SLOTTED);
    must(ps_truncate(s->data[0], PS_SPACE_IMAGE, (uint64_t)PAGES * PAGE, NULL));
    must(ps_truncate(s->data[1], PS_SPACE_IMAGE, (uint64_t)PAGES * PAGE, NULL));
    make_accounts(s);
}

static void report_fault(void *ctx, const struct ps_finding *f)
{
    (void)ctx;
    if (f->severity == PS_FAULT)
        print_error("%s page %" PRId64 " %s: %s\n", f->file, f->page, f->word, f->text);
}

static void give_tables_back(struct shared *s)
{
    ps_table_unref(s->data[0]);
    ps_table_unref(s->data[1]);
    ps_table_unref(s->accounts);
    ps_table_unref(s->items);
}

/* Stopped cleanly or as by a kill, the sum of all accounts is what it was and verify is content. */
static void finish(struct shared *s, bool clean)
{
    const struct ps_verify_options opts = {.report = report_fault};
    struct ps_verify_result result;

    expect_balances(s);
    give_tables_back(s);
    if (clean)
        must(ps_store_close(s->store));
    else
        ps_store_abandon(s->store);
    open_store(s);
    must(ps_table_lookup(s->store, "accounts", &s->accounts));
    expect_balances(s);
    ps_table_unref(s->accounts);
    must(ps_store_close(s->store));
    must(ps_verify(s->path, &opts, &result));
    assert_int_equal(result.faults, 0);
    assert_false(result.needs_recovery);
}

static void work_of_many_threads(bool clean)
{
    struct shared *s = calloc(1, sizeof(*s));
    const struct timespec time = {.tv_sec = SECONDS};
    pthread_t threads[THREADS];
    size_t i;

    s->seed = test_seed();
    pthread_mutex_init(&s->mtx, NULL);
    begin(s);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, s), 0);
    (void)nanosleep(&time, NULL); /* how long they work, nothing waits for anything */
    s->stop = true;
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    print_message("%" PRIu64 " calls, %" PRIu64 " transfers, %" PRIu64 " conflicts\n", s->done,
                  s->transfers, s->conflicts);
    if (s->failure[0]) {
        give_tables_back(s);
        ps_store_abandon(s->store);
        temp_dir_remove(s->path);
        fail_msg("%s", s->failure);
    }
    finish(s, clean);
    temp_dir_remove(s->path);
    pthread_mutex_destroy(&s->mtx);
    free(s);
}

static void invariants_hold_while_many_threads_work(void **state)
{
    (void)state;
    work_of_many_threads(true);
}

static void invariants_hold_after_recovery_from_the_work_of_many_threads(void **state)
{
    (void)state;
    work_of_many_threads(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invariants_hold_while_many_threads_work),
        cmocka_unit_test(invariants_hold_after_recovery_from_the_work_of_many_threads),
    };

    return cmocka_run_group_tests_name("store, many threads", tests, NULL, NULL);
}
