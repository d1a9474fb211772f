/*
 * bench_pin.c - CPU time to pin and unpin a random resident page of the buffer pool, or to read one
 * optimistically.
 *
 *     bench_pin MODE PAGES THREADS      see worker.h; a step is PINS_A_STEP pins
 *
 * Modes: shared, optimistic.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pin_numbers.h"
#include "pool/pool.h"
#include "worker.h"

#define PAGE_SIZE 8192u

struct job {
    struct ps_pool *pool;
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
        const struct ps_tag tag = {.table = 1, .page = numbers[i]};
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

int main(int argc, char **argv)
{
    struct worker_job work[WORKER_JOBS_MAX];
    struct job jobs[WORKER_JOBS_MAX];
    struct ps_pool_stats stats;
    struct ps_pool *pool;
    uint32_t pages, threads, i;
    bool optimistic;

    if (argc != 4 || (strcmp(argv[1], "shared") != 0 && strcmp(argv[1], "optimistic") != 0)) {
        fprintf(stderr, "usage: bench_pin shared|optimistic PAGES THREADS\n");
        return 2;
    }
    optimistic = strcmp(argv[1], "optimistic") == 0;
    pages = (uint32_t)worker_number(argv[2], 8);
    threads = (uint32_t)worker_number(argv[3], 1);
    if (threads > WORKER_JOBS_MAX)
        worker_die(argv[3], "too many threads");
    pool = open_pool(pages);
    for (i = 0; i < threads; i++) {
        jobs[i].pool = pool;
        pin_numbers_init(&jobs[i].numbers, pages, i);
        work[i] = (struct worker_job){.step = optimistic ? step_optimistic : step_shared,
                                      .ctx = &jobs[i]};
    }
    worker_serve(work, threads);
    ps_pool_get_stats(pool, &stats);
    if (stats.misses != pages)
        worker_die("a page did not stay resident", NULL);
    for (i = 0; i < threads; i++)
        pin_numbers_deinit(&jobs[i].numbers);
    ps_pool_destroy(pool);
    return 0;
}
