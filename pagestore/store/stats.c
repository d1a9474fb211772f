/*
 * stats.c - counters, settings and the log as text.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

static void number(ps_stat_fn each, void *ctx, const char *name, uint64_t value, bool is_counter)
{
    const struct ps_stat stat = {.name = name, .value = value, .is_counter = is_counter};

    each(ctx, &stat);
}

static void text(ps_stat_fn each, void *ctx, const char *name, const char *value)
{
    const struct ps_stat stat = {.name = name, .text = value};

    each(ctx, &stat);
}

#define COUNTER(name, value) number(each, ctx, name, value, true)
#define GAUGE(name, value) number(each, ctx, name, value, false)

static void pool_stats(struct ps_store *s, ps_stat_fn each, void *ctx)
{
    struct ps_pool_stats p;

    ps_pool_get_stats(s->pool, &p);
    text(each, ctx, "pool_policy", ps_pool_policy(s->pool));
    GAUGE("pool_frames", p.frames);
    GAUGE("pool_valid", p.valid);
    GAUGE("pool_dirty", p.dirty);
    GAUGE("pool_pinned", p.pinned);
    GAUGE("pool_long_pins", p.long_pins);
    GAUGE("pool_reserved", p.reserved);
    COUNTER("pool_hits", p.hits);
    COUNTER("pool_misses", p.misses);
    COUNTER("pool_evictions", p.evictions);
    COUNTER("pool_dirty_evictions", p.dirty_evictions);
    COUNTER("pool_pages_loaded", p.pages_loaded);
    COUNTER("pool_load_errors", p.load_errors);
    COUNTER("pool_pages_written", p.pages_written);
    COUNTER("pool_write_errors", p.write_errors);
    COUNTER("pool_cleaner_pages", p.cleaner_pages);
    COUNTER("pool_reserve_waits", p.reserve_waits);
    COUNTER("pool_load_waits", p.load_waits);
    COUNTER("pool_pins_refused", p.pins_refused);
}

static void wal_stats(struct ps_store *s, ps_stat_fn each, void *ctx)
{
    struct ps_wal_stats w = {0};

    if (s->wal)
        ps_wal_get_stats(s->wal, &w);
    GAUGE("wal_tail_lsn", s->wal ? ps_wal_tail_lsn(s->wal) : s->recovered.end.last_lsn);
    GAUGE("wal_durable_lsn", s->wal ? ps_wal_durable_lsn(s->wal) : s->recovered.end.last_lsn);
    GAUGE("wal_redo_lsn", s->wal ? ps_wal_redo_lsn(s->wal) : s->ckpt.control.redo_lsn);
    COUNTER("wal_records", w.records);
    COUNTER("wal_bytes_appended", w.bytes_appended);
    COUNTER("wal_images", w.images);
    COUNTER("wal_image_bytes", w.image_bytes);
    COUNTER("wal_flushes", w.flushes);
    COUNTER("wal_flush_waits", w.flush_waits);
    COUNTER("wal_bytes_written", w.bytes_written);
    COUNTER("wal_segments_made", w.segments_made);
    COUNTER("wal_segments_recycled", w.segments_recycled);
    COUNTER("wal_room_waits", w.room_waits);
}

static void recovery_stats(struct ps_store *s, ps_stat_fn each, void *ctx)
{
    text(each, ctx, "recovery", s->was_clean ? "not_needed" : "done");
    COUNTER("recovery_records", s->redo.records);
    COUNTER("recovery_images", s->redo.images);
    COUNTER("recovery_changes", s->redo.changes);
    COUNTER("recovery_pages_lost", s->redo.pages_lost);
    COUNTER("recovery_transactions_undone", s->was_clean ? 0 : s->recovered.loser_count);
}

void ps_store_stats(struct ps_store *s, ps_stat_fn each, void *ctx)
{
    const char *poison = ps_poison_reason(&s->poison);
    char uuid[37];

    ps_store_uuid(s, uuid);
    text(each, ctx, "uuid", uuid);
    text(each, ctx, "state", poison ? "poisoned" : s->opts.read_only ? "read_only" : "read_write");
    text(each, ctx, "reason", poison ? poison : "-");
    GAUGE("page_size", s->page_size);
    GAUGE("tables", ps_table_count(s));
    text(each, ctx, "io", s->io->ops->name);
    pool_stats(s, each, ctx);
    wal_stats(s, each, ctx);
    COUNTER("syncs", s->syncs);
    COUNTER("sync_rounds", s->ckpt.rounds);
    COUNTER("checkpoints", s->ckpt.checkpoints);
    GAUGE("checkpoint_last_us", s->ckpt.last_us);
    COUNTER("corrupt_pages", s->corrupt_pages);
    COUNTER("lost_writes", s->lost_writes);
    recovery_stats(s, each, ctx);
}

ps_err ps_table_info(struct ps_table *t, struct ps_table_info *ret)
{
    struct ps_table_info info = {.id = t->id, .format = t->fmt->id};
    struct ps_map_summary sum;
    struct ps_io_stat st;
    ps_err err = ps_table_lock_known(t, NULL);

    if (err)
        return err;
    info.type = t->type;
    err = ps_map_summary(&t->map, &sum);
    if (!err)
        err = ps_table_open_files(t);
    if (!err)
        err = ps_pagefile_stat(&t->data, &st);
    ps_table_unlock(t);
    if (err)
        return err;
    info.pages_end = sum.end;
    info.pages_used = sum.used;
    info.pages_allocated = sum.used + sum.virgin;
    info.payload_len = ps_table_has_payload(t) ? sum.payload_len : 0;
    info.bytes_on_disk = st.spent;
    info.mode = st.mode;
    info.uid = st.uid;
    info.gid = st.gid;
    info.mtime_us = t->mtime_us ? t->mtime_us : st.mtime_us;
    ps_rwlock_rdlock(&t->store->catalog_lock);
    memcpy(info.name, t->name, sizeof(info.name));
    info.ctime_us = t->ctime_us;
    ps_rwlock_unlock(&t->store->catalog_lock);
    *ret = info;
    return PS_OK;
}

void ps_table_stats(struct ps_table *t, ps_stat_fn each, void *ctx)
{
    struct ps_table_counters *c = &t->counters;
    struct ps_table_info info = {0};
    bool known = ps_table_info(t, &info) == PS_OK;

    GAUGE("table_id", t->id);
    text(each, ctx, "format", t->fmt->name);
    text(each, ctx, "type", t->type == PS_PAGE_SLOTTED ? "slotted" : "raw");
    text(each, ctx, "map", known ? "sound" : "damaged");
    GAUGE("page_size", t->store->page_size);
    GAUGE("pages", info.pages_end);
    GAUGE("pages_allocated", info.pages_allocated);
    GAUGE("pages_used", info.pages_used);
    GAUGE("pages_free", info.pages_end - info.pages_allocated);
    GAUGE("payload_bytes", info.payload_len);
    GAUGE("bytes_on_disk", info.bytes_on_disk);
    COUNTER("page_reads", c->page_reads);
    COUNTER("page_hits", c->page_hits);
    COUNTER("page_misses", c->page_misses);
    COUNTER("pages_loaded", c->pages_loaded);
    COUNTER("writes", c->writes);
    COUNTER("pages_written", c->pages_written);
    COUNTER("bytes_written", c->bytes_written);
    COUNTER("pages_created", c->pages_created);
    COUNTER("pages_freed", c->pages_freed);
    COUNTER("items_inserted", c->items_inserted);
    COUNTER("items_deleted", c->items_deleted);
    COUNTER("corrupt_pages", c->corrupt_pages);
    COUNTER("lost_writes", c->lost_writes);
}

/* --- settings ----------------------------------------------------------------------------- */

void ps_store_settings(struct ps_store *s, ps_setting_fn each, void *ctx)
{
    char value[32];

    (void)snprintf(value, sizeof(value), "%" PRIu64, s->opts.pool_bytes);
    each(ctx, "pool", value, false);
    each(ctx, "policy", ps_pool_policy(s->pool), false);
    each(ctx, "io", s->io->ops->name, false);
    (void)snprintf(value, sizeof(value), "%" PRIu64, s->opts.max_wal);
    each(ctx, "max_wal", value, false);
    (void)snprintf(value, sizeof(value), "%u", (unsigned)s->wal_delay_ms);
    each(ctx, "wal_delay", value, true);
    (void)snprintf(value, sizeof(value), "%u", (unsigned)s->checkpoint_timeout_s);
    each(ctx, "checkpoint_timeout", value, true);
    each(ctx, "on_corrupt", s->serve_corrupt ? "serve" : "eio", true);
    each(ctx, "wal_images", s->opts.log_before_images ? "both" : "after", false);
    each(ctx, "ro", s->opts.read_only ? "1" : "0", false);
}

static ps_err parse_u32(const char *name, const char *value, uint32_t min, uint32_t max,
                        _Atomic uint32_t *ret)
{
    char *end;
    unsigned long v = strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end || v < min || v > max)
        return ps_fail(PS_ERR_INVAL, "%s=%s: must be a number from %u to %u", name, value, min,
                       max);
    *ret = (uint32_t)v;
    return PS_OK;
}

ps_err ps_store_set(struct ps_store *s, const char *name, const char *value)
{
    static const char *const fixed[] = {"pool", "policy", "io", "max_wal", "wal_images", "ro"};
    size_t i;

    if (strcmp(name, "wal_delay") == 0)
        return parse_u32(name, value, 1, PS_WAL_DELAY_MS_MAX, &s->wal_delay_ms);
    if (strcmp(name, "checkpoint_timeout") == 0)
        return parse_u32(name, value, 1, PS_CHECKPOINT_TIMEOUT_S_MAX, &s->checkpoint_timeout_s);
    if (strcmp(name, "on_corrupt") == 0) {
        if (strcmp(value, "eio") != 0 && strcmp(value, "serve") != 0)
            return ps_fail(PS_ERR_INVAL, "on_corrupt=%s: there are eio and serve", value);
        s->serve_corrupt = value[0] == 's';
        return PS_OK;
    }
    for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (strcmp(name, fixed[i]) == 0)
            return ps_fail(PS_ERR_READONLY, "%s cannot be changed while the store is open", name);
    return ps_fail(PS_ERR_NOENT, "there is no setting '%s'", name);
}

ps_err ps_parse_size(const char *arg, uint64_t *ret)
{
    static const char units[] = "KMGT";
    unsigned long long v;
    const char *unit;
    unsigned shift = 0;
    char *end;

    errno = 0;
    v = strtoull(arg, &end, 10);
    if (arg[0] < '0' || arg[0] > '9')
        return ps_fail(PS_ERR_INVAL, "'%s' is not a size", arg);
    if (*end) {
        unit = strchr(units, *end & ~0x20);
        if (!unit || end[1])
            return ps_fail(PS_ERR_INVAL, "'%s' is not a size (K, M, G and T are units)", arg);
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (errno == ERANGE || v > UINT64_MAX >> shift)
        return ps_fail(PS_ERR_RANGE, "'%s' is more than 64 bits hold", arg);
    v <<= shift;
    *ret = v;
    return PS_OK;
}

/* --- the log as text ---------------------------------------------------------------------- */

ps_err ps_store_wal_text(struct ps_store *s, uint64_t from,
                         ps_err (*each)(void *ctx, const char *line), void *ctx)
{
    struct ps_wal_reader_options opts;
    struct ps_wal_reader *reader = NULL;
    struct ps_control control;
    struct ps_wal_end end;
    struct ps_record rec;
    uint64_t stop;
    char line[512];
    ps_err err;

    ps_mutex_lock(&s->ckpt.ckpt_mtx); /* no segment is recycled while it is read */
    control = s->ckpt.control;
    stop = s->wal ? ps_wal_durable_lsn(s->wal) : s->recovered.end.last_lsn;
    ps_reader_options(&control, s->io, &opts);
    opts.durable_lsn = 0;
    opts.known_end_lsn = stop;
    err = ps_wal_oldest_pos(s->io, opts.segment_size, &opts.start_pos);
    if (!err && from > opts.start_pos) /* not what lies in segments before */
        opts.start_pos += (from - 1 - opts.start_pos) / opts.segment_size * opts.segment_size;
    if (!err)
        err = ps_wal_reader_open(&opts, &reader);
    while (!err && (err = ps_wal_reader_next(reader, &rec, &end)) == PS_OK && rec.lsn <= stop) {
        if (rec.lsn < from)
            continue;
        ps_record_format(&rec, line, sizeof(line));
        err = each(ctx, line);
    }
    if (reader)
        ps_wal_reader_close(reader);
    ps_mutex_unlock(&s->ckpt.ckpt_mtx);
    return err == PS_ERR_NOENT ? PS_OK : err;
}
