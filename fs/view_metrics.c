/*
 * view_metrics.c - the counters as Prometheus reads them: its text format, version 0.0.4.
 *
 * What stats calls `name` is here pagefs_name, of a table pagefs_table_name with the labels `id`
 * and `table`; counters end in _total, microseconds have become seconds. Words are labels of
 * pagefs_info and pagefs_table_info. Percentiles are left to whoever reads the histograms.
 * Numbers are padded, so that only tables coming and going change the length.
 */
#include "fs/pfs.h"
#include "fs/view.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/histogram.h"
#include "base/utf8.h"

#define NAME_LEN 96u
#define OCTAVES 27u /* buckets shown: up to 2^26 us, more than a minute */
#define TABLES_MAX 256u
#define TABLE_STATS_MAX 64u
#define SIZE_GUESS (64u * 1024u)

/* --- the format --------------------------------------------------------------------------- */

/* Bytes that are not UTF-8 become U+FFFD; two names that then agree still have ids of their own. */
static void add_label(struct ps_text *out, const char *name, const char *value)
{
    struct ps_utf8 c = ps_utf8_of(value, strlen(value));

    ps_text_printf(out, "%s=\"", name);
    while (ps_utf8_next(&c)) {
        if (!c.sound)
            ps_text_printf(out, PS_UTF8_NONE);
        else if (*c.at == '\n')
            ps_text_add(out, "\\n", 2);
        else if (*c.at == '"' || *c.at == '\\')
            ps_text_printf(out, "\\%c", *c.at);
        else
            ps_text_add(out, c.at, c.len);
    }
    ps_text_add(out, "\"", 1);
}

static void add_head(struct ps_text *out, const char *name, const char *type, const char *help)
{
    ps_text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static bool is_duration(const struct ps_stat *stat)
{
    size_t len = strlen(stat->name);

    return len > 3 && strcmp(stat->name + len - 3, "_us") == 0;
}

static void metric_name(const char *prefix, const struct ps_stat *stat, char name[NAME_LEN])
{
    size_t len = strlen(stat->name);
    int n =
        snprintf(name, NAME_LEN, "%s%.*s%s%s", prefix, (int)(is_duration(stat) ? len - 3 : len),
                 stat->name, is_duration(stat) ? "_seconds" : "", stat->is_counter ? "_total" : "");

    assert(n > 0 && (size_t)n < NAME_LEN);
    (void)n;
}

static void add_seconds(struct ps_text *out, uint64_t us)
{
    ps_text_printf(out, " %14llu.%06llu\n", (unsigned long long)(us / 1000000),
                   (unsigned long long)(us % 1000000));
}

static void add_value(struct ps_text *out, const struct ps_stat *stat)
{
    if (is_duration(stat))
        add_seconds(out, stat->value);
    else
        ps_text_printf(out, " %21llu\n", (unsigned long long)stat->value);
}

/* --- the store ---------------------------------------------------------------------------- */

struct store_metrics {
    struct ps_text *out;
    struct ps_text labels; /* of pagefs_info */
};

static void add_store_stat(void *ctx, const struct ps_stat *stat)
{
    struct store_metrics *m = ctx;
    char name[NAME_LEN];

    if (stat->is_latency)
        return;
    if (stat->text) {
        ps_text_add(&m->labels, ",", m->labels.len > 0);
        add_label(&m->labels, stat->name, stat->text);
        return;
    }
    metric_name("pagefs_", stat, name);
    add_head(m->out, name, stat->is_counter ? "counter" : "gauge", stat->help);
    ps_text_add(m->out, name, strlen(name));
    add_value(m->out, stat);
}

static void add_store(struct ps_store *store, struct ps_text *out)
{
    struct store_metrics m = {.out = out};

    ps_store_stats(store, add_store_stat, &m);
    add_head(out, "pagefs_info", "gauge", "What the store is and how it does, in words.");
    ps_text_printf(out, "pagefs_info{%.*s} 1\n", (int)m.labels.len,
                   m.labels.data ? m.labels.data : "");
    out->failed = out->failed || m.labels.failed;
    ps_text_deinit(&m.labels);
}

static void add_latency(void *ctx, const char *what, const char *help,
                        const struct ps_histogram_snapshot *s)
{
    struct ps_text *out = ctx;
    char name[NAME_LEN];

    snprintf(name, sizeof(name), "pagefs_%s_duration_seconds", what);
    add_head(out, name, "histogram", help);
    for (unsigned octave = 0; octave < OCTAVES; octave++) {
        uint64_t us = 1ull << octave;

        ps_text_printf(out, "%s_bucket{le=\"%llu.%06llu\"} %21llu\n", name,
                       (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
                       (unsigned long long)ps_histogram_below(s, octave));
    }
    ps_text_printf(out, "%s_bucket{le=\"+Inf\"} %21llu\n", name, (unsigned long long)s->count);
    ps_text_printf(out, "%s_sum", name);
    add_seconds(out, s->sum_us);
    ps_text_printf(out, "%s_count %21llu\n", name, (unsigned long long)s->count);
}

/* --- tables ------------------------------------------------------------------------------- */

/* All lines of a metric have to stand together: each has a text of its own until all tables were
 * asked. Tables all have the same stats in the same order. */
struct table_metrics {
    struct ps_text lines[TABLE_STATS_MAX];
    size_t next;          /* stat of this table */
    struct ps_text who;   /* labels of this table */
    struct ps_text words; /* the same, and its stats that are words */
    struct ps_text infos; /* lines of pagefs_table_info */
};

static void add_table_stat(void *ctx, const struct ps_stat *stat)
{
    struct table_metrics *m = ctx;
    struct ps_text *lines = &m->lines[m->next];
    char name[NAME_LEN];

    if (stat->text) {
        ps_text_add(&m->words, ",", 1);
        add_label(&m->words, stat->name, stat->text);
        return;
    }
    if (strcmp(stat->name, "table_id") == 0) /* a label */
        return;
    assert(m->next < TABLE_STATS_MAX);
    m->next++;
    metric_name("pagefs_table_", stat, name);
    if (lines->len == 0)
        add_head(lines, name, stat->is_counter ? "counter" : "gauge", stat->help);
    ps_text_printf(lines, "%s{%.*s}", name, (int)m->who.len, m->who.data ? m->who.data : "");
    add_value(lines, stat);
}

static ps_err add_table(struct table_metrics *m, struct ps_table *table)
{
    struct ps_table_info info;
    char id[16];
    ps_err err = ps_table_info(table, &info);

    if (err == PS_ERR_NOENT) /* dropped since it was looked up */
        return PS_OK;
    snprintf(id, sizeof(id), "%u", ps_table_id(table));
    ps_text_clear(&m->who);
    add_label(&m->who, "id", id);
    ps_text_add(&m->who, ",", 1);
    add_label(&m->who, "table", err ? "" : info.name);
    ps_text_clear(&m->words);
    ps_text_add(&m->words, m->who.data, m->who.len);
    m->next = 0;
    ps_table_stats(table, add_table_stat, m);
    if (m->infos.len == 0)
        add_head(&m->infos, "pagefs_table_info", "gauge", "What a table is, in words.");
    ps_text_printf(&m->infos, "pagefs_table_info{%.*s} 1\n", (int)m->words.len,
                   m->words.data ? m->words.data : "");
    return ps_text_err(&m->words);
}

static void move_text(struct ps_text *from, struct ps_text *to)
{
    ps_text_add(to, from->data, from->len);
    to->failed = to->failed || from->failed;
    ps_text_deinit(from);
}

/* The first TABLES_MAX by id; of further ones their own stats tell. */
static ps_err add_tables(struct ps_store *store, struct table_metrics *m, struct ps_text *out)
{
    struct ps_table *table = NULL;
    uint32_t count = ps_table_count(store);
    uint32_t from = 0, shown = 0;
    ps_err err = PS_OK;

    while (!err && shown < TABLES_MAX && (err = ps_table_next(store, from, &table)) == PS_OK) {
        err = add_table(m, table);
        from = ps_table_id(table) + 1;
        ps_table_unref(table);
        shown++;
    }
    move_text(&m->infos, out);
    for (size_t i = 0; i < TABLE_STATS_MAX; i++)
        move_text(&m->lines[i], out);
    ps_text_deinit(&m->who);
    ps_text_deinit(&m->words);
    add_head(out, "pagefs_tables_left_out", "gauge", "Tables without metrics of their own here.");
    ps_text_printf(out, "pagefs_tables_left_out %21u\n", count > shown ? count - shown : 0);
    return err == PS_ERR_NOENT ? PS_OK : err;
}

static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    struct ps_store *store = c->subject.fs->store;
    struct table_metrics tables = {0};

    c->done = true;
    add_store(store, out);
    ps_store_latencies(store, add_latency, out);
    return add_tables(store, &tables, out);
}

/* To know better each table's map would have to be looked at. */
static ps_err size(const struct pfs_subject *s, uint64_t *ret)
{
    (void)s;
    *ret = SIZE_GUESS;
    return PS_OK;
}

const struct pfs_view pfs_view_metrics = {PFS_SIZE_OPEN, .size = size, .step = step};
