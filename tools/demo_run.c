/*
 * demo_run.c - the accesses of a workload, and what is measured of them.
 *
 * A read pins the page as any user of the library does, latches it, looks whether it is the right
 * one, and unpins it, at once or after more reads (--hold). A write changes a few bytes of it.
 *
 * One thread: background work is done by this thread, a step of each task every STEP_EVERY
 * accesses. More threads: the store has its own for that.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/byteorder.h"
#include "demo.h"
#include "progress.h"

#define STEP_EVERY 256u
#define PROGRESS_EVERY 1024u
#define WRITE_LEN 64u
#define HEADER_LEN 32u /* of a page in the native format */
#define PAGE_NO_OFF 8u

/* What the threads share. */
struct run {
    const struct demo_config *config;
    struct ps_store *store;
    struct ps_table *table;
    struct ps_pool *pool;
    const struct demo_trace *trace; /* NULL: accesses are made up */
    struct demo_skew skew;
    FILE *trace_out;           /* NULL: they are not written down */
    pthread_mutex_t claim_mtx; /* with trace_out: accesses begin in the order written */
    _Atomic uint64_t next;     /* access to begin */
    atomic_bool failed;
    _Atomic uint64_t syncs;
    struct demo_sample samples[DEMO_SAMPLES];
    atomic_uint sample_count;
};

struct held {
    struct ps_page *page; /* NULL: none */
    uint64_t since_ns;
};

struct worker {
    struct run *run;
    struct demo_source source;
    pthread_t thread;
    struct pc_progress progress; /* of the first one */
    bool shows_progress;
    struct held *held; /* a ring of config->hold */
    uint64_t held_next;
    uint64_t reads, writes, hits, misses;
    struct demo_hist latencies[DEMO_LATENCIES];
    uint64_t heat[DEMO_HEAT_CELLS];
    int status;
};

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- one access --------------------------------------------------------------------------- */

static void unpin(struct worker *w, struct held *held)
{
    if (!held->page)
        return;
    ps_unpin(w->run->table, held->page);
    demo_hist_add(&w->latencies[DEMO_PIN], now_ns() - held->since_ns);
    held->page = NULL;
}

/* Keeps the pin in place of the oldest one, or gives it back at once. */
static void hold(struct worker *w, struct held *fresh)
{
    struct held *oldest;

    if (w->run->config->hold == 0) {
        unpin(w, fresh);
        return;
    }
    oldest = &w->held[w->held_next++ % w->run->config->hold];
    unpin(w, oldest);
    *oldest = *fresh;
}

static ps_err check_page(const uint8_t *bytes, uint32_t page_no)
{
    ps_le64 number;

    memcpy(&number, bytes + PAGE_NO_OFF, sizeof(number));
    if (ps_get64(number) == page_no)
        return PS_OK;
    return ps_fail(PS_ERR_CORRUPT, "page %u was asked for, the pool gave page %llu", page_no,
                   (unsigned long long)ps_get64(number));
}

static ps_err read_page(struct worker *w, uint32_t page_no)
{
    struct ps_table *table = w->run->table;
    struct held pin = {0};
    ps_err err = ps_pin(table, page_no, NULL, &pin.page);

    if (err)
        return err;
    pin.since_ns = now_ns();
    ps_latch_shared(table, pin.page);
    err = check_page(ps_page_bytes(pin.page), page_no);
    ps_unlatch(table, pin.page);
    hold(w, &pin);
    return err;
}

/* Leaves in the page which access wrote it. */
static ps_err write_page(struct worker *w, uint32_t page_no, uint64_t op)
{
    const uint64_t page_size = w->run->config->page_size;
    const uint64_t places = (page_size - HEADER_LEN) / WRITE_LEN;
    uint8_t bytes[WRITE_LEN] = {0};
    const ps_le64 stamp = ps_put64(op);

    memcpy(bytes, &stamp, sizeof(stamp));
    return ps_write(w->run->table, PS_SPACE_IMAGE,
                    page_no * page_size + HEADER_LEN + op % places * WRITE_LEN, bytes,
                    sizeof(bytes), PS_WRITE_PAGE, NULL);
}

static bool is_resident(struct run *run, uint32_t page_no)
{
    const struct ps_tag tag = {.table = ps_table_id(run->table), .page = page_no};
    struct ps_frame_info info;

    return ps_pool_peek(run->pool, &tag, &info);
}

static ps_err access_page(struct worker *w, const struct demo_access *access, uint64_t op)
{
    const bool hit = is_resident(w->run, access->page);
    const uint64_t begin_ns = now_ns();
    uint64_t spent_ns;
    ps_err err;

    err = access->write ? write_page(w, access->page, op) : read_page(w, access->page);
    if (err)
        return err;
    spent_ns = now_ns() - begin_ns;
    demo_hist_add(&w->latencies[access->write ? DEMO_WRITE : DEMO_READ], spent_ns);
    if (!hit)
        demo_hist_add(&w->latencies[DEMO_MISS], spent_ns);
    w->hits += hit;
    w->misses += !hit;
    w->writes += access->write;
    w->reads += !access->write;
    w->heat[demo_heat_cell(access->page, w->run->config->pages)]++;
    return PS_OK;
}

/* --- what goes on beside the accesses ----------------------------------------------------- */

static void take_sample(struct run *run, uint64_t op)
{
    const uint64_t every = (run->config->ops + DEMO_SAMPLES - 1) / DEMO_SAMPLES;
    struct ps_pool_stats stats;

    if (op % every != 0)
        return;
    ps_pool_get_stats(run->pool, &stats);
    run->samples[op / every] = (struct demo_sample){
        .op = op,
        .dirty_percent = 100.0 * stats.dirty / stats.frames,
        .flush_queue = stats.dirty + stats.writing,
    };
    atomic_fetch_add(&run->sample_count, 1);
}

static void step_background(struct run *run)
{
    (void)ps_store_step(run->store, PS_TASK_CLEANER);
    (void)ps_store_step(run->store, PS_TASK_LOG_WRITER);
    (void)ps_store_step(run->store, PS_TASK_LOG_PREPARER);
    (void)ps_store_step(run->store, PS_TASK_CHECKPOINTER);
}

static ps_err work_beside(struct worker *w, uint64_t op)
{
    struct run *run = w->run;
    const struct demo_config *config = run->config;

    if (w->shows_progress && op % PROGRESS_EVERY == 0)
        pc_progress_show(&w->progress, "workload", op, config->ops);
    if (config->threads == 1 && op % STEP_EVERY == STEP_EVERY - 1)
        step_background(run);
    if (config->sync_every == 0 || op % config->sync_every != config->sync_every - 1)
        return PS_OK;
    run->syncs++;
    return ps_store_sync(run->store, PS_SYNC_DATA);
}

/* --- threads ------------------------------------------------------------------------------ */

/* The next access, if there is one more. */
static bool claim(struct worker *w, struct demo_access *access, uint64_t *ret_op)
{
    struct run *run = w->run;
    bool more;

    if (run->trace_out)
        (void)pthread_mutex_lock(&run->claim_mtx);
    *ret_op = run->next++;
    more = *ret_op < run->config->ops;
    if (more && run->trace)
        *access = run->trace->accesses[*ret_op];
    else if (more)
        demo_source_next(&w->source, access);
    if (run->trace_out) {
        if (more)
            demo_trace_write(run->trace_out, access);
        (void)pthread_mutex_unlock(&run->claim_mtx);
    }
    return more;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct demo_access access;
    uint64_t op;
    ps_err err = PS_OK;

    while (!err && !w->run->failed && !demo_interrupted && claim(w, &access, &op)) {
        take_sample(w->run, op);
        err = access_page(w, &access, op);
        if (!err)
            err = work_beside(w, op);
    }
    w->status = demo_report_err(err);
    if (err)
        w->run->failed = true;
    return NULL;
}

static int init_workers(struct run *run, struct worker *workers)
{
    const struct demo_config *config = run->config;
    uint32_t i;

    if (!run->trace)
        demo_skew_init(&run->skew, config->pages, config->skew);
    for (i = 0; i < config->threads; i++) {
        struct worker *w = &workers[i];

        w->run = run;
        demo_source_init(&w->source, config, &run->skew, i);
        w->held = calloc(config->hold + 1, sizeof(*w->held));
        if (!w->held)
            return demo_error("no memory for a workload");
    }
    workers[0].shows_progress = true;
    pc_progress_start(&workers[0].progress);
    return DEMO_OK;
}

/* One thread is this one. The first failure counts. */
static int run_workers(struct run *run, struct worker *workers)
{
    const uint32_t threads = (uint32_t)run->config->threads;
    uint32_t i, started = 1;
    int status = DEMO_OK;

    for (; started < threads; started++) {
        if (pthread_create(&workers[started].thread, NULL, worker_main, &workers[started]) != 0) {
            status = demo_error("thread %u cannot be started", started + 1);
            run->failed = true;
            break;
        }
    }
    worker_main(&workers[0]);
    for (i = 1; i < started; i++)
        (void)pthread_join(workers[i].thread, NULL);
    pc_progress_end(&workers[0].progress);
    for (i = 0; i < started && status == DEMO_OK; i++)
        status = workers[i].status;
    if (status == DEMO_OK && demo_interrupted) {
        (void)demo_error("interrupted");
        status = DEMO_INTERRUPTED;
    }
    return status;
}

static void release_workers(const struct run *run, struct worker *workers)
{
    for (uint32_t i = 0; i < run->config->threads; i++) {
        for (uint64_t j = 0; workers[i].held && j < run->config->hold; j++)
            unpin(&workers[i], &workers[i].held[j]);
        free(workers[i].held);
    }
}

/* --- results ------------------------------------------------------------------------------ */

static void add_worker(struct demo_result *r, const struct worker *w)
{
    uint32_t i;

    r->reads += w->reads;
    r->writes += w->writes;
    r->hits += w->hits;
    r->misses += w->misses;
    for (i = 0; i < DEMO_LATENCIES; i++)
        demo_hist_merge(&r->latencies[i], &w->latencies[i]);
    for (i = 0; i < DEMO_HEAT_CELLS; i++)
        r->heat[i] += w->heat[i];
}

static void collect(struct run *run, const struct worker *workers, struct demo_result *r)
{
    for (uint32_t i = 0; i < run->config->threads; i++)
        add_worker(r, &workers[i]);
    r->ops = r->reads + r->writes;
    r->syncs = run->syncs;
    r->sample_count = run->sample_count;
    memcpy(r->samples, run->samples, sizeof(r->samples));
    ps_pool_get_stats(run->pool, &r->pool);
    ps_wal_get_stats(ps_store_wal(run->store), &r->wal);
}

static int measure(struct run *run, struct worker *workers, struct demo_result *r)
{
    const uint64_t begin_ns = now_ns();
    int status = run_workers(run, workers);

    r->seconds = (double)(now_ns() - begin_ns) / 1e9;
    if (status != DEMO_OK)
        return status;
    collect(run, workers, r);
    return demo_state_save(run->config, run->pool);
}

static int close_trace_out(const struct run *run, int status)
{
    bool failed;

    if (!run->trace_out)
        return status;
    failed = ferror(run->trace_out) != 0;
    failed |= fclose(run->trace_out) != 0;
    if (failed && status == DEMO_OK)
        status = demo_error("%s: %s", run->config->trace_out, strerror(errno));
    return status;
}

static int open_trace_out(struct run *run)
{
    const char *path = run->config->trace_out;

    if (!path)
        return DEMO_OK;
    run->trace_out = fopen(path, "we");
    if (!run->trace_out)
        return demo_error("%s: %s", path, strerror(errno));
    (void)fprintf(run->trace_out, "# " DEMO_NAME ": accesses to a table of %llu pages\n",
                  (unsigned long long)run->config->pages);
    return DEMO_OK;
}

int demo_run(const struct demo_config *config, struct demo_store *store,
             const struct demo_trace *trace, struct demo_result *ret)
{
    struct run run = {
        .config = config,
        .store = store->store,
        .table = store->table,
        .pool = ps_store_pool(store->store),
        .trace = trace,
        .claim_mtx = PTHREAD_MUTEX_INITIALIZER,
    };
    struct worker *workers = calloc(config->threads, sizeof(*workers));
    int status;

    if (!workers)
        return demo_error("no memory for %llu threads", (unsigned long long)config->threads);
    ret->config = config;
    status = open_trace_out(&run);
    if (status == DEMO_OK)
        status = init_workers(&run, workers);
    if (status == DEMO_OK)
        status = measure(&run, workers, ret);
    release_workers(&run, workers);
    free(workers);
    return close_trace_out(&run, status);
}
