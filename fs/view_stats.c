/*
 * view_stats.c - counters and facts, as `name value` lines and as JSON.
 */
#include "fs/cluster.h"
#include "fs/json.h"
#include "fs/pfs.h"
#include "fs/view.h"

#define NAME_WIDTH 28
#define VALUE_WIDTH 20 /* digits of the highest 64-bit number */

void pfs_stat_line(struct ps_text *out, const struct ps_stat *stat)
{
    if (stat->text)
        ps_text_printf(out, "%-*s %*s\n", NAME_WIDTH, stat->name, VALUE_WIDTH, stat->text);
    else
        ps_text_printf(out, "%-*s %*llu\n", NAME_WIDTH, stat->name, VALUE_WIDTH,
                       (unsigned long long)stat->value);
}

static void add_line(void *ctx, const struct ps_stat *stat)
{
    pfs_stat_line(ctx, stat);
}

/* Padding goes before a value, where JSON allows blanks. */
static void add_json_text(struct ps_text *t, const char *text)
{
    struct ps_text quoted = {0};

    pfs_json_string(&quoted, text);
    ps_text_printf(t, "%*.*s", VALUE_WIDTH, (int)quoted.len, quoted.data ? quoted.data : "");
    t->failed = t->failed || quoted.failed;
    ps_text_deinit(&quoted);
}

struct json {
    struct ps_text *out;
    bool any;
};

static void add_json(void *ctx, const struct ps_stat *stat)
{
    struct json *j = ctx;

    ps_text_printf(j->out, j->any ? ",\n  " : "{\n  ");
    j->any = true;
    pfs_json_string(j->out, stat->name);
    ps_text_add(j->out, ": ", 2);
    if (stat->text)
        add_json_text(j->out, stat->text);
    else
        ps_text_printf(j->out, "%*llu", VALUE_WIDTH, (unsigned long long)stat->value);
}

static void close_json(struct json *j)
{
    ps_text_printf(j->out, j->any ? "\n}\n" : "{}\n");
}

static void store_stats(const struct pfs *fs, ps_stat_fn each, void *ctx)
{
    ps_store_stats(fs->store, each, ctx);
    if (fs->cluster)
        pfs_cluster_stats(fs->cluster, each, ctx);
}

static ps_err step_store(struct pfs_cursor *c, struct ps_text *out)
{
    store_stats(c->subject.fs, add_line, out);
    c->done = true;
    return PS_OK;
}

static ps_err step_store_json(struct pfs_cursor *c, struct ps_text *out)
{
    struct json j = {.out = out};

    store_stats(c->subject.fs, add_json, &j);
    close_json(&j);
    c->done = true;
    return PS_OK;
}

static ps_err step_table(struct pfs_cursor *c, struct ps_text *out)
{
    ps_table_stats(c->subject.table, add_line, out);
    c->done = true;
    return PS_OK;
}

static ps_err step_table_json(struct pfs_cursor *c, struct ps_text *out)
{
    struct json j = {.out = out};

    ps_table_stats(c->subject.table, add_json, &j);
    close_json(&j);
    c->done = true;
    return PS_OK;
}

const struct pfs_view pfs_view_store_stats = {PFS_SIZE_RENDER, .step = step_store};
const struct pfs_view pfs_view_store_stats_json = {PFS_SIZE_RENDER, .step = step_store_json};
const struct pfs_view pfs_view_table_stats = {PFS_SIZE_RENDER, .step = step_table};
const struct pfs_view pfs_view_table_stats_json = {PFS_SIZE_RENDER, .step = step_table_json};
