/*
 * demo_report.c - what a workload came to, as text for people, as JSON, as CSV.
 *
 * All three show the same metrics, by the same names; text has the latencies as a table.
 */
#include "demo.h"

#define HEAT_COLUMNS 64u
#define SHADES " .:-=+*#%@"

struct metric {
    const char *name;
    double value;
    int decimals;
};
typedef void (*metric_fn)(void *ctx, const struct metric *m);

static const char *const latency_names[DEMO_LATENCIES] = {"read", "write", "miss", "pin"};

static const struct percentile {
    const char *title, *name;
    double share;
} percentiles[] = {
    {"p50", "p50", 0.5},      {"p90", "p90", 0.9}, {"p99", "p99", 0.99},
    {"p99.9", "p999", 0.999}, {"max", "max", 1},
};
#define PERCENTILE_COUNT (sizeof(percentiles) / sizeof(percentiles[0]))

static double percentile_us(const struct demo_hist *h, const struct percentile *p)
{
    return (double)demo_hist_at(h, p->share) / 1000;
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* --- metrics ------------------------------------------------------------------------------ */

static void number(metric_fn each, void *ctx, const char *name, uint64_t value)
{
    const struct metric m = {name, (double)value, 0};

    each(ctx, &m);
}

static void real(metric_fn each, void *ctx, const char *name, double value, int decimals)
{
    const struct metric m = {name, value, decimals};

    each(ctx, &m);
}

static void headline(const struct demo_result *r, metric_fn each, void *ctx)
{
    real(each, ctx, "hit_rate", ratio(r->hits, r->hits + r->misses), 3);
    number(each, ctx, "evictions", r->pool.evictions);
    number(each, ctx, "dirty_flushes", r->pool.pages_written);
}

static void access_metrics(const struct demo_result *r, metric_fn each, void *ctx)
{
    number(each, ctx, "ops", r->ops);
    number(each, ctx, "reads", r->reads);
    number(each, ctx, "writes", r->writes);
    number(each, ctx, "hits", r->hits);
    number(each, ctx, "misses", r->misses);
    number(each, ctx, "syncs", r->syncs);
    real(each, ctx, "seconds", r->seconds, 3);
    real(each, ctx, "ops_per_second", r->seconds > 0 ? (double)r->ops / r->seconds : 0, 0);
}

static void pool_metrics(const struct demo_result *r, metric_fn each, void *ctx)
{
    const struct ps_pool_stats *p = &r->pool;

    number(each, ctx, "frames", p->frames);
    number(each, ctx, "frames_dirty", p->dirty);
    number(each, ctx, "evictions_dirty", p->dirty_evictions);
    number(each, ctx, "eviction_retries",
           p->victims_pinned + p->victims_writing + p->victim_retries);
    number(each, ctx, "eviction_retries_pinned", p->victims_pinned);
    number(each, ctx, "eviction_retries_writing", p->victims_writing);
    number(each, ctx, "eviction_retries_lost", p->victim_retries);
    number(each, ctx, "flushes_by_cleaner", p->cleaner_pages);
    number(each, ctx, "flush_batches", p->write_batches);
    real(each, ctx, "flush_batch_mean", ratio(p->pages_written, p->write_batches), 1);
    number(each, ctx, "flush_at_once_max", p->writing_max);
    number(each, ctx, "frame_waits", p->reserve_waits);
    number(each, ctx, "latch_waits", p->latch_waits);
    number(each, ctx, "load_waits", p->load_waits);
}

static void disk_metrics(const struct demo_result *r, metric_fn each, void *ctx)
{
    const uint64_t page_size = r->config->page_size;

    number(each, ctx, "disk_pages_read", r->pool.pages_loaded);
    number(each, ctx, "disk_pages_written", r->pool.pages_written);
    number(each, ctx, "disk_bytes_read", r->pool.pages_loaded * page_size);
    number(each, ctx, "disk_bytes_written", r->pool.pages_written * page_size);
    number(each, ctx, "log_bytes_written", r->wal.bytes_written);
    number(each, ctx, "log_flushes", r->wal.flushes);
}

static void latency_metrics(const struct demo_result *r, metric_fn each, void *ctx)
{
    char name[64];

    for (uint32_t i = 0; i < DEMO_LATENCIES; i++) {
        (void)snprintf(name, sizeof(name), "%s_count", latency_names[i]);
        number(each, ctx, name, r->latencies[i].count);
        for (size_t j = 0; j < PERCENTILE_COUNT; j++) {
            (void)snprintf(name, sizeof(name), "%s_us_%s", latency_names[i], percentiles[j].name);
            real(each, ctx, name, percentile_us(&r->latencies[i], &percentiles[j]), 1);
        }
    }
}

static void all_metrics(const struct demo_result *r, metric_fn each, void *ctx)
{
    headline(r, each, ctx);
    access_metrics(r, each, ctx);
    latency_metrics(r, each, ctx);
    pool_metrics(r, each, ctx);
    disk_metrics(r, each, ctx);
}

static const char *profile_name(const struct demo_config *c)
{
    static const char *const names[] = {"mixed", "random", "scan"};

    return c->trace_in ? "trace" : names[c->profile];
}

/* --- text --------------------------------------------------------------------------------- */

static void print_word(void *ctx, const struct metric *m)
{
    bool *first = ctx;

    printf("%s%s=%.*f", *first ? "" : " ", m->name, m->decimals, m->value);
    *first = false;
}

static void print_line(const struct demo_result *r,
                       void (*metrics)(const struct demo_result *, metric_fn, void *))
{
    bool first = true;

    metrics(r, print_word, &first);
    putchar('\n');
}

static void print_latencies(const struct demo_result *r)
{
    printf("%-10s %10s", "us", "count");
    for (size_t j = 0; j < PERCENTILE_COUNT; j++)
        printf(" %9s", percentiles[j].title);
    putchar('\n');
    for (uint32_t i = 0; i < DEMO_LATENCIES; i++) {
        printf("%-10s %10llu", latency_names[i], (unsigned long long)r->latencies[i].count);
        for (size_t j = 0; j < PERCENTILE_COUNT; j++)
            printf(" %9.1f", percentile_us(&r->latencies[i], &percentiles[j]));
        putchar('\n');
    }
}

static void print_samples(const struct demo_result *r)
{
    uint32_t i;

    printf("dirty_percent");
    for (i = 0; i < r->sample_count; i++)
        printf(" %.0f", r->samples[i].dirty_percent);
    printf("\nflush_queue");
    for (i = 0; i < r->sample_count; i++)
        printf(" %u", r->samples[i].flush_queue);
    putchar('\n');
}

/* Each shade means half of the next, so that a few hot pages do not make all others white. */
static char shade(uint64_t accesses, uint64_t most)
{
    unsigned at = sizeof(SHADES) - 2;

    if (accesses == 0)
        return SHADES[0];
    for (; at > 1 && accesses <= most / 2; at--)
        most /= 2;
    return SHADES[at];
}

static void print_heatmap(const struct demo_result *r)
{
    const uint64_t pages = r->config->pages;
    const uint32_t cells = demo_heat_cells(pages);
    uint64_t most = 0;
    uint32_t i;

    for (i = 0; i < cells; i++)
        most = most < r->heat[i] ? r->heat[i] : most;
    printf("\naccesses by page: @ up to %llu, each shade before it up to half of the next\n",
           (unsigned long long)most);
    for (i = 0; i < cells; i++) {
        if (i % HEAT_COLUMNS == 0)
            printf("%10llu |", (unsigned long long)demo_heat_page(i, pages));
        putchar(shade(r->heat[i], most));
        if (i % HEAT_COLUMNS == HEAT_COLUMNS - 1 || i == cells - 1)
            puts("|");
    }
}

static void report_text(const struct demo_result *r)
{
    const struct demo_config *c = r->config;

    print_line(r, headline);
    putchar('\n');
    print_latencies(r);
    putchar('\n');
    printf("profile=%s policy=%s seed=%llu threads=%llu pages=%llu page_size=%llu\n",
           profile_name(c), c->policy, (unsigned long long)c->seed, (unsigned long long)c->threads,
           (unsigned long long)c->pages, (unsigned long long)c->page_size);
    print_line(r, access_metrics);
    print_line(r, pool_metrics);
    print_line(r, disk_metrics);
    print_samples(r);
    if (c->heatmap)
        print_heatmap(r);
}

/* --- CSV ---------------------------------------------------------------------------------- */

static void print_row(void *ctx, const struct metric *m)
{
    (void)ctx;
    printf("%s,%.*f\n", m->name, m->decimals, m->value);
}

static void report_csv(const struct demo_result *r)
{
    const struct demo_config *c = r->config;
    uint32_t i;

    printf("metric,value\nprofile,%s\npolicy,%s\nseed,%llu\nthreads,%llu\npages,%llu\n"
           "page_size,%llu\n",
           profile_name(c), c->policy, (unsigned long long)c->seed, (unsigned long long)c->threads,
           (unsigned long long)c->pages, (unsigned long long)c->page_size);
    all_metrics(r, print_row, NULL);
    for (i = 0; i < r->sample_count; i++)
        printf("dirty_percent_at_%llu,%.1f\nflush_queue_at_%llu,%u\n",
               (unsigned long long)r->samples[i].op, r->samples[i].dirty_percent,
               (unsigned long long)r->samples[i].op, r->samples[i].flush_queue);
    for (i = 0; c->heatmap && i < demo_heat_cells(c->pages); i++)
        printf("accesses_from_page_%llu,%llu\n", (unsigned long long)demo_heat_page(i, c->pages),
               (unsigned long long)r->heat[i]);
}

/* --- JSON --------------------------------------------------------------------------------- */

static void print_member(void *ctx, const struct metric *m)
{
    (void)ctx;
    printf("  \"%s\": %.*f,\n", m->name, m->decimals, m->value);
}

static void report_json(const struct demo_result *r)
{
    const struct demo_config *c = r->config;
    uint32_t i;

    printf("{\n  \"profile\": \"%s\",\n  \"policy\": \"%s\",\n  \"seed\": %llu,\n"
           "  \"threads\": %llu,\n  \"pages\": %llu,\n  \"page_size\": %llu,\n",
           profile_name(c), c->policy, (unsigned long long)c->seed, (unsigned long long)c->threads,
           (unsigned long long)c->pages, (unsigned long long)c->page_size);
    all_metrics(r, print_member, NULL);
    if (c->heatmap) {
        printf("  \"heatmap\": [");
        for (i = 0; i < demo_heat_cells(c->pages); i++)
            printf("%s%llu", i ? ", " : "", (unsigned long long)r->heat[i]);
        puts("],");
    }
    puts("  \"samples\": [");
    for (i = 0; i < r->sample_count; i++)
        printf("    {\"op\": %llu, \"dirty_percent\": %.1f, \"flush_queue\": %u}%s\n",
               (unsigned long long)r->samples[i].op, r->samples[i].dirty_percent,
               r->samples[i].flush_queue, i + 1 < r->sample_count ? "," : "");
    puts("  ]\n}");
}

void demo_report(const struct demo_result *r)
{
    switch (r->config->format) {
    case DEMO_TEXT:
        report_text(r);
        break;
    case DEMO_JSON:
        report_json(r);
        break;
    case DEMO_CSV:
        report_csv(r);
        break;
    }
}
