/*
 * bench_pin.c - CPU time to pin and unpin a random resident page of the buffer pool, or to read one
 * optimistically.
 *
 *     bench_pin MODE PAGES THREADS      see worker.h; a step is PINS_A_STEP pins
 *
 * Modes:
 *   shared      pin and unpin; all threads the same pages
 *   apart       pin and unpin; each thread has its own part of the pages
 *   optimistic  read without a pin; all threads the same pages
 *   words       no pool: the two atomic changes of a pin and an unpin, of an array with a word for
 *               each page
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pin_numbers.h"
#include "pool/pool.h"
#include "worker.h"

#define PAGE_SIZE 8192u

struct job {
    struct ps_pool *pool;
    _Atomic uint64_t *words; /* instead of a pool */
    uint32_t first;          /* of the pages that are this thread's */
    struct pin_numbers numbers;
};

static void must(ps_err err, const char *what)
{
    if (err)
        worker_die(what, ps_message());
}

/* Pages come from nowhere: what is in them does not matter here. */
static void load_nothing(struct ps_provider *p, struct ps_load *loads, size_t count)
{
    size_t i;

    (void)p;
    for (i = 0; i < count; i++)
        memset(loads[i].buf, 1, PAGE_SIZE);
}

static uint64_t no_time(struct ps_io *io)
{
    (void)io;
    return 0;
}

static const struct ps_provider_ops provider_ops = {.load = load_nothing};
static struct ps_provider provider = {.ops = &provider_ops};
static const struct ps_io_ops io_ops = {.now_us = no_time};
static struct ps_io io = {.ops = &io_ops};

static struct ps_pool *open_pool(uint32_t pages)
{
    const struct ps_pool_options opts = {
        .frames = pages, .page_size = PAGE_SIZE, .io = &io, .policy = &ps_evict_clock};
    struct ps_pool *pool = NULL;
    uint32_t i;

    must(ps_pool_create(&opts, &pool), "pool");
    ps_pool_set_provider(pool, 0, &provider);
    for (i = 0; i < pages; i++) {
        const struct ps_tag tag = {.table = 1, .page = i};
        struct ps_page *page;

        must(ps_pool_pin(pool, &tag, PS_PIN_LOAD, NULL, &page), "pin");
        ps_pool_unpin(pool, page);
    }
    return pool;
}

static uint64_t step_shared(void *ctx)
{
    struct job *j = ctx;
    const uint32_t *numbers = pin_numbers_next(&j->numbers);
    const uint64_t start = worker_cpu();
    uint32_t i;

    for (i = 0; i < PINS_A_STEP; i++) {
        const struct ps_tag tag = {.table = 1, .page = j->first + numbers[i]};
        struct ps_page *page;

        if (ps_pool_pin(j->pool, &tag, PS_PIN_LOAD, NULL, &page))
            worker_die("pin", ps_message());
        ps_pool_unpin(j->pool, page);
    }
    return worker_cpu() - start;
}

static uint64_t step_optimistic(void *ctx)
{
    struct job *j = ctx;
    const uint32_t *numbers = pin_numbers_next(&j->numbers);
    const uint64_t start = worker_cpu();
    uint32_t i;

    for (i = 0; i < PINS_A_STEP; i++) {
        const struct ps_tag tag = {.table = 1, .page = numbers[i]};
        struct ps_peek peek;

        if (!ps_pool_optimistic(j->pool, &tag, &peek) || !ps_pool_optimistic_valid(&peek))
            worker_die("an optimistic read failed", NULL);
    }
    return worker_cpu() - start;
}

static uint64_t step_words(void *ctx)
{
    struct job *j = ctx;
    const uint32_t *numbers = pin_numbers_next(&j->numbers);
    const uint64_t start = worker_cpu();
    uint32_t i;

    for (i = 0; i < PINS_A_STEP; i++) {
        _Atomic uint64_t *word = &j->words[numbers[i]];
        uint64_t value = atomic_load(word);

        while (!atomic_compare_exchange_weak(word, &value, value + 1))
            ;
        atomic_fetch_sub(word, 1);
    }
    return worker_cpu() - start;
}

static const struct mode {
    const char *name;
    uint64_t (*step)(void *ctx);
    bool apart, no_pool;
} modes[] = {
    {.name = "shared", .step = step_shared},
    {.name = "apart", .step = step_shared, .apart = true},
    {.name = "optimistic", .step = step_optimistic},
    {.name = "words", .step = step_words, .no_pool = true},
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(name, modes[i].name) == 0)
            return &modes[i];
    }
    worker_die(name, "no such mode");
}

static void run(const struct mode *mode, uint32_t pages, uint32_t threads, struct job what)
{
    const uint32_t share = mode->apart ? pages / threads : pages;
    struct worker_job work[WORKER_JOBS_MAX] = {0};
    struct job jobs[WORKER_JOBS_MAX];
    uint32_t i;

    for (i = 0; i < threads; i++) {
        jobs[i] = what;
        jobs[i].first = mode->apart ? i * share : 0;
        pin_numbers_init(&jobs[i].numbers, share, i);
        work[i] = (struct worker_job){.step = mode->step, .ctx = &jobs[i]};
    }
    worker_serve(work, threads);
    for (i = 0; i < threads; i++)
        pin_numbers_deinit(&jobs[i].numbers);
}

static void run_pool(const struct mode *mode, uint32_t pages, uint32_t threads)
{
    struct ps_pool *pool = open_pool(pages);
    struct ps_pool_stats stats;

    run(mode, pages, threads, (struct job){.pool = pool});
    ps_pool_get_stats(pool, &stats);
    if (stats.misses != pages)
        worker_die("a page did not stay resident", NULL);
    ps_pool_destroy(pool);
}

static void run_words(const struct mode *mode, uint32_t pages, uint32_t threads)
{
    _Atomic uint64_t *words = calloc(pages, sizeof(*words));

    if (!words)
        worker_die("no memory for words", NULL);
    run(mode, pages, threads, (struct job){.words = words});
    free((void *)words);
}

int main(int argc, char **argv)
{
    const struct mode *mode;
    uint32_t pages, threads;

    if (argc != 4) {
        fprintf(stderr, "usage: bench_pin shared|apart|optimistic|words PAGES THREADS\n");
        return 2;
    }
    mode = find_mode(argv[1]);
    pages = (uint32_t)worker_number(argv[2], 8);
    threads = (uint32_t)worker_number(argv[3], 1);
    if (threads > WORKER_JOBS_MAX)
        worker_die(argv[3], "too many threads");
    if (mode->no_pool)
        run_words(mode, pages, threads);
    else
        run_pool(mode, pages, threads);
    return 0;
}
