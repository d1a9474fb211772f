/*
 * bench_redo.c - how long recovery takes.
 *
 *     bench_redo make STORE images|changes COUNT    a store with that much to redo, left as a
 *                                                   crash would
 *     bench_redo time STORE POOL_MIB                recovers it: seconds and rates of each phase,
 *                                                   and when redo ran, by CLOCK_MONOTONIC
 *
 * images: COUNT pages, each written whole, in random order: the log is page images. changes: COUNT
 * changes of 16 bytes at random places of few pages: the log is small records. What was made is
 * recovered once; copy the folder to recover it again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pagestore/table.h"

#define PAGE_SIZE 8192u
#define CHANGED_PAGES 4096u
#define CHANGE_LEN 16u
#define LOG_MAX ((uint64_t)64 << 30)

static void must(ps_err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_redo: %s: %s\n", what, ps_message());
    exit(1);
}

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* --- making ------------------------------------------------------------------------------- */

static void write_bytes(struct ps_table *t, uint64_t off, const void *bytes, size_t len)
{
    must(ps_write(t, PS_SPACE_IMAGE, off, bytes, len, 0, NULL), "write");
}

/* Pages in use, and a redo point behind that. */
static struct ps_table *make_table(struct ps_store *s, uint64_t pages, const uint8_t *page)
{
    struct ps_table *t = NULL;
    uint64_t i;

    must(ps_table_create(s, "t", PS_FORMAT_NATIVE, PS_PAGE_RAW, &t), "create");
    for (i = 0; i < pages; i++)
        write_bytes(t, i * PAGE_SIZE, page, PAGE_SIZE);
    must(ps_store_checkpoint(s, NULL), "checkpoint");
    return t;
}

/* The numbers below count, in random order. */
static uint64_t *shuffled(uint64_t count)
{
    uint64_t *numbers = malloc(count * sizeof(*numbers));
    uint64_t seed = 7, i;

    if (!numbers)
        must(ps_fail(PS_ERR_NOMEM, "no memory"), "shuffle");
    for (i = 0; i < count; i++) {
        uint64_t j = next_random(&seed) % (i + 1);

        if (j != i)
            numbers[i] = numbers[j];
        numbers[j] = i;
    }
    return numbers;
}

static void make_images(struct ps_store *s, uint64_t count, uint8_t *page)
{
    struct ps_table *t = make_table(s, count, page);
    uint64_t *order = shuffled(count);
    uint64_t i;

    for (i = 0; i < count; i++) {
        memcpy(page + PAGE_SIZE / 2, &i, sizeof(i));
        write_bytes(t, order[i] * PAGE_SIZE, page, PAGE_SIZE);
    }
    free(order);
    ps_table_unref(t);
}

static void make_changes(struct ps_store *s, uint64_t count, uint8_t *page)
{
    struct ps_table *t = make_table(s, CHANGED_PAGES, page);
    uint64_t seed = 42, i;

    for (i = 0; i < count; i++) {
        uint64_t place = next_random(&seed);
        uint64_t at = place % CHANGED_PAGES * PAGE_SIZE + 64 + (place >> 32) % (PAGE_SIZE - 128);

        memcpy(page, &i, sizeof(i));
        write_bytes(t, at, page, CHANGE_LEN);
    }
    ps_table_unref(t);
}

static void make(const char *path, const char *kind, uint64_t count)
{
    const struct ps_init_options init = {.page_size = PAGE_SIZE};
    struct ps_store_options opts;
    struct ps_store *s = NULL;
    uint8_t page[PAGE_SIZE];
    uint64_t seed = 1, i;

    for (i = 0; i < PAGE_SIZE; i += 8) {
        uint64_t r = next_random(&seed);

        memcpy(page + i, &r, sizeof(r));
    }
    must(ps_store_init(path, &init), path);
    ps_store_options_default(&opts);
    opts.pool_bytes = (uint64_t)2 << 30;
    opts.max_wal = LOG_MAX;
    opts.checkpoint_timeout_s = 86400;
    must(ps_store_open(path, &opts, &s), path);
    if (strcmp(kind, "images") == 0)
        make_images(s, count, page);
    else
        make_changes(s, count, page);
    must(ps_store_sync(s, PS_SYNC_LOG), "log");
    ps_store_abandon(s);
}

/* --- timing ------------------------------------------------------------------------------- */

/* As the store's statistics have it. */
struct phases {
    uint64_t records, log_bytes;
    uint64_t analysis_us, redo_us, checkpoint_us;
};

static void take(void *ctx, const struct ps_stat *stat)
{
    struct phases *p = ctx;
    const struct {
        const char *name;
        uint64_t *value;
    } wanted[] = {
        {"recovery_records", &p->records},
        {"recovery_log_bytes", &p->log_bytes},
        {"recovery_analysis_us", &p->analysis_us},
        {"recovery_redo_us", &p->redo_us},
        {"recovery_checkpoint_us", &p->checkpoint_us},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strcmp(stat->name, wanted[i].name) == 0)
            *wanted[i].value = stat->value;
}

/* Redo says how far it is, now and then. */
struct redo_ran {
    double first, last;
};

static void note_redo(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct redo_ran *ran = ctx;

    (void)done;
    (void)total;
    if (strcmp(phase, "redo") != 0)
        return;
    ran->last = now_s();
    if (ran->first == 0)
        ran->first = ran->last;
}

static void show(const char *phase, double seconds, const struct phases *p)
{
    printf("%-10s %6.3f s %8.1f MB/s %10.0f records/s\n", phase, seconds,
           (double)p->log_bytes / seconds / 1e6, (double)p->records / seconds);
}

static void recover(const char *path, uint64_t pool_mib)
{
    const double began = now_s();
    struct ps_store_options opts;
    struct ps_store *s = NULL;
    struct phases p = {0};
    struct redo_ran ran = {0};
    double opened;

    ps_store_options_default(&opts);
    opts.pool_bytes = pool_mib << 20;
    opts.max_wal = LOG_MAX;
    opts.progress = note_redo;
    opts.ctx = &ran;
    must(ps_store_open(path, &opts, &s), path);
    opened = now_s();
    ps_store_stats(s, take, &p);
    must(ps_store_close(s), "close");
    if (p.redo_us == 0) {
        fprintf(stderr, "bench_redo: %s: nothing to redo\n", path);
        exit(1);
    }
    show("analysis", (double)p.analysis_us / 1e6, &p);
    show("redo", (double)p.redo_us / 1e6, &p);
    show("checkpoint", (double)p.checkpoint_us / 1e6, &p);
    show("all", opened - began, &p);
    printf("redo ran from %.6f to %.6f\n", ran.first, ran.last);
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 3 ? strtoull(argv[argc - 1], NULL, 10) : 0;

    if (argc == 5 && strcmp(argv[1], "make") == 0 && count >= 1024 &&
        (strcmp(argv[3], "images") == 0 || strcmp(argv[3], "changes") == 0)) {
        make(argv[2], argv[3], count);
    } else if (argc == 4 && strcmp(argv[1], "time") == 0 && count >= 4) {
        recover(argv[2], count);
    } else {
        fprintf(stderr, "usage: bench_redo make STORE images|changes COUNT (1024 or more)\n"
                        "       bench_redo time STORE POOL_MIB (4 or more)\n");
        return 2;
    }
    return 0;
}
