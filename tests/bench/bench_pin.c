/*
 * bench_pin.c - CPU time to pin and unpin a random resident page: this pool and Berkeley DB's.
 *
 * Both pools hold the same number of pages, all resident, and get the same random page numbers,
 * in rounds that take turns, so that what else the machine does hits both. Prints medians and the
 * median of the ratios of neighbouring rounds.
 *
 *     bench_pin [PAGES [ROUNDS [PINS_PER_ROUND]]]
 */
#include <db.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool/pool.h"

#define PAGE_SIZE 8192u
#define ROUNDS_MAX 1000u

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench_pin: %s: %s\n", what, ps_message());
    exit(2);
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int double_cmp(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, values, count * sizeof(sorted[0]));
    qsort(sorted, count, sizeof(sorted[0]), double_cmp);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* --- this pool ---------------------------------------------------------------------------- */

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

    must(ps_pool_create(&opts, &pool) == PS_OK, "pool");
    ps_pool_set_provider(pool, 0, &provider);
    for (i = 0; i < pages; i++) {
        const struct ps_tag tag = {.table = 1, .page = i};
        struct ps_page *page;

        must(ps_pool_pin(pool, &tag, PS_PIN_LOAD, NULL, &page) == PS_OK, "pin");
        ps_pool_unpin(pool, page);
    }
    return pool;
}

static double run_pool(struct ps_pool *pool, const uint32_t *numbers, uint32_t count)
{
    uint64_t start = cpu_ns();
    uint32_t i;

    for (i = 0; i < count; i++) {
        const struct ps_tag tag = {.table = 1, .page = numbers[i]};
        struct ps_page *page;

        if (ps_pool_pin(pool, &tag, PS_PIN_LOAD, NULL, &page))
            must(false, "pin");
        ps_pool_unpin(pool, page);
    }
    return (double)(cpu_ns() - start) / count;
}

/* --- Berkeley DB -------------------------------------------------------------------------- */

static DB_MPOOLFILE *open_bdb(uint32_t pages, DB_ENV **ret_env)
{
    uint64_t cache = (uint64_t)pages * (PAGE_SIZE + 512) * 5 / 4;
    const uint32_t giga = 1u << 30;
    DB_MPOOLFILE *file;
    DB_ENV *env;
    db_pgno_t i;

    must(db_env_create(&env, 0) == 0, "db_env_create");
    must(env->set_cachesize(env, (uint32_t)(cache / giga), (uint32_t)(cache % giga), 1) == 0,
         "set_cachesize");
    must(env->open(env, NULL, DB_CREATE | DB_INIT_MPOOL | DB_PRIVATE | DB_THREAD, 0) == 0,
         "DB_ENV->open");
    must(env->memp_fcreate(env, &file, 0) == 0, "memp_fcreate");
    must(file->set_flags(file, DB_MPOOL_NOFILE, 1) == 0, "set_flags");
    must(file->open(file, NULL, DB_CREATE, 0, PAGE_SIZE) == 0, "DB_MPOOLFILE->open");
    for (i = 0; i < pages; i++) {
        void *page;

        must(file->get(file, &i, NULL, DB_MPOOL_CREATE, &page) == 0, "get");
        memset(page, 1, PAGE_SIZE);
        must(file->put(file, page, DB_PRIORITY_UNCHANGED, 0) == 0, "put");
    }
    *ret_env = env;
    return file;
}

static double run_bdb(DB_MPOOLFILE *file, const uint32_t *numbers, uint32_t count)
{
    uint64_t start = cpu_ns();
    uint32_t i;

    for (i = 0; i < count; i++) {
        db_pgno_t number = numbers[i];
        void *page;

        if (file->get(file, &number, NULL, 0, &page))
            must(false, "get");
        if (file->put(file, page, DB_PRIORITY_UNCHANGED, 0))
            must(false, "put");
    }
    return (double)(cpu_ns() - start) / count;
}

/* --- side by side ------------------------------------------------------------------------- */

static uint32_t *random_numbers(uint32_t pages, uint32_t count)
{
    uint32_t *numbers = malloc(count * sizeof(*numbers));
    uint64_t x = 0x9e3779b97f4a7c15u;
    uint32_t i;

    must(numbers, "memory");
    for (i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        numbers[i] = (uint32_t)((x >> 32) * pages >> 32);
    }
    return numbers;
}

int main(int argc, char **argv)
{
    uint32_t pages = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 131072;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 15;
    uint32_t pins = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 1000000;
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], ratios[ROUNDS_MAX];
    struct ps_pool_stats stats;
    DB_MPOOLFILE *file;
    struct ps_pool *pool;
    uint32_t *numbers;
    DB_ENV *env;
    uint32_t i;

    if (pages < 8 || rounds < 1 || rounds > ROUNDS_MAX || pins < 1) {
        fprintf(stderr, "usage: bench_pin [PAGES [ROUNDS [PINS_PER_ROUND]]]\n");
        return 2;
    }
    numbers = random_numbers(pages, pins);
    pool = open_pool(pages);
    file = open_bdb(pages, &env);
    for (i = 0; i < rounds; i++) {
        ours[i] = run_pool(pool, numbers, pins);
        theirs[i] = run_bdb(file, numbers, pins);
        ratios[i] = theirs[i] / ours[i];
    }
    ps_pool_get_stats(pool, &stats);
    must(stats.misses == pages, "every page stayed resident");
    printf("%" PRIu32 " pages of %u bytes, %" PRIu32 " rounds of %" PRIu32
           " random pins, one thread, CPU time\n",
           pages, PAGE_SIZE, rounds, pins);
    printf("pagestore pin+unpin   %7.1f ns\n", median(ours, rounds));
    printf("Berkeley DB get+put   %7.1f ns\n", median(theirs, rounds));
    qsort(ratios, rounds, sizeof(ratios[0]), double_cmp);
    printf("ratio                 %7.1f %.1f %.1f, the middle half of the rounds\n",
           median(ratios, rounds), ratios[rounds / 4], ratios[3 * rounds / 4]);
    (void)file->close(file, 0);
    (void)env->close(env, 0);
    ps_pool_destroy(pool);
    free(numbers);
    return 0;
}
