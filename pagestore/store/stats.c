/*
 * stats.c - counters, settings and the log as text.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "store/store_internal.h"

/* Where the stats go, one after the other. */
struct sink {
    ps_stat_fn each;
    void *ctx;
};

static void counter(const struct sink *to, const char *name, uint64_t value, const char *help)
{
    const struct ps_stat stat = {.name = name, .help = help, .value = value, .is_counter = true};

    to->each(to->ctx, &stat);
}

static void gauge(const struct sink *to, const char *name, uint64_t value, const char *help)
{
    const struct ps_stat stat = {.name = name, .help = help, .value = value};

    to->each(to->ctx, &stat);
}

static void text(const struct sink *to, const char *name, const char *value, const char *help)
{
    const struct ps_stat stat = {.name = name, .help = help, .text = value};

    to->each(to->ctx, &stat);
}

static uint32_t percent(uint32_t part, uint32_t whole)
{
    return whole ? (uint32_t)((uint64_t)part * 100 / whole) : 0;
}

static void pool_stats(struct ps_store *s, const struct sink *to)
{
    struct ps_pool_stats p;

    ps_pool_get_stats(s->pool, &p);
    text(to, "pool_policy", ps_pool_policy(s->pool), "Eviction policy.");
    gauge(to, "pool_frames", p.frames, "Frames of the buffer pool.");
    gauge(to, "pool_valid", p.valid, "Frames that hold a page.");
    gauge(to, "pool_dirty", p.dirty, "Frames that hold changes not yet written.");
    gauge(to, "pool_dirty_percent", percent(p.dirty, p.frames), "Dirty frames of a hundred.");
    gauge(to, "pool_pinned", p.pinned, "Frames that are pinned.");
    gauge(to, "pool_long_pins", p.long_pins, "Pins that are held for long.");
    gauge(to, "pool_reserved", p.reserved, "Frames set aside for requests under way.");
    counter(to, "pool_hits", p.hits, "Accesses that found their page in the pool.");
    counter(to, "pool_misses", p.misses, "Accesses that took a frame for their page.");
    counter(to, "pool_evictions", p.evictions, "Pages that left for another one.");
    counter(to, "pool_clean_evictions", p.evictions - p.dirty_evictions, "Of these, found clean.");
    counter(to, "pool_dirty_evictions", p.dirty_evictions, "Of these, found dirty.");
    counter(to, "pool_victim_writes", p.victim_writes,
            "Dirty pages that whoever needed the frame had to write first.");
    counter(to, "pool_victim_retries", p.victim_retries,
            "Victims that were used again before they could go.");
    counter(to, "pool_victim_waits", p.victim_waits, "Waits for any frame that could go.");
    counter(to, "pool_sweep_frames", p.sweep_frames,
            "Frames that the policy looked at to find victims; many for each one: it finds few.");
    counter(to, "pool_victims_pinned", p.victims_pinned, "Of these, pinned.");
    counter(to, "pool_victims_writing", p.victims_writing, "Of these, under write-back.");
    counter(to, "pool_pages_loaded", p.pages_loaded, "Pages read in.");
    counter(to, "pool_pages_ahead", p.pages_ahead, "Of these, before a sequential reader came.");
    counter(to, "pool_load_errors", p.load_errors, "Pages that could not be read, or are damaged.");
    counter(to, "pool_pages_written", p.pages_written, "Pages written back.");
    counter(to, "pool_write_errors", p.write_errors, "Pages that could not be written back.");
    counter(to, "pool_cleaner_pages", p.cleaner_pages, "Pages that the cleaner wrote back.");
    counter(to, "pool_write_batches", p.write_batches, "Batches in which pages are written back.");
    gauge(to, "pool_writing", p.writing, "Frames that are being written back.");
    gauge(to, "pool_writing_max", p.writing_max, "The most frames that were, at one time.");
    counter(to, "pool_reserve_waits", p.reserve_waits, "Requests that queued for frames.");
    counter(to, "pool_latch_waits", p.latch_waits, "Writers that waited for a page's latch.");
    counter(to, "pool_load_waits", p.load_waits, "Accesses that waited for another's load.");
    counter(to, "pool_pins_refused", p.pins_refused, "Pins refused because of long pins.");
}

static void wal_stats(struct ps_store *s, const struct sink *to)
{
    struct ps_wal_stats w = {0};

    if (s->wal)
        ps_wal_get_stats(s->wal, &w);
    gauge(to, "wal_tail_lsn", s->wal ? ps_wal_tail_lsn(s->wal) : s->recovered.end.last_lsn,
          "LSN of the last record.");
    gauge(to, "wal_durable_lsn", s->wal ? ps_wal_durable_lsn(s->wal) : s->recovered.end.last_lsn,
          "LSN up to which the log survives a crash.");
    gauge(to, "wal_redo_lsn", s->wal ? ps_wal_redo_lsn(s->wal) : s->ckpt.control.redo_lsn,
          "Where recovery would begin.");
    counter(to, "wal_records", w.records, "Records appended.");
    counter(to, "wal_bytes_appended", w.bytes_appended, "Bytes of these.");
    counter(to, "wal_images", w.images, "Full-page images among them.");
    counter(to, "wal_image_bytes", w.image_bytes, "Bytes of full-page images.");
    counter(to, "wal_flushes", w.flushes, "Flushes of the log to disk.");
    counter(to, "wal_flush_waits", w.flush_waits, "Waits for another's flush.");
    counter(to, "wal_bytes_written", w.bytes_written, "Bytes written to the log's files.");
    counter(to, "wal_segments_made", w.segments_made, "Segment files made.");
    counter(to, "wal_segments_recycled", w.segments_recycled, "Segment files used again.");
    counter(to, "wal_room_waits", w.room_waits,
            "Writers that waited for a checkpoint, the log being as long as max_wal allows.");
    counter(to, "wal_buffer_waits", w.buffer_waits, "Writers that found the log's buffer full.");
    counter(to, "wal_segment_waits", w.segment_waits, "Writers that waited for a new segment.");
}

static void checkpoint_stats(struct ps_store *s, const struct sink *to)
{
    counter(to, "syncs", s->syncer.calls, "Calls of fsync, and writes with O_SYNC.");
    counter(to, "sync_rounds", s->syncer.rounds, "Data checkpoints: rounds that fsyncs shared.");
    gauge(to, "sync_waiters", s->syncer.waiters, "Callers that wait in fsync now.");
    counter(to, "checkpoints", s->ckpt.checkpoints, "Full checkpoints.");
    gauge(to, "checkpoint_pages_done", s->ckpt.pages_done,
          "Pages that the full checkpoint under way has written.");
    gauge(to, "checkpoint_pages", s->ckpt.pages_total,
          "Pages that it has to write; 0: none is under way.");
    counter(to, "checkpoint_paced_us", s->ckpt.paced_us,
            "Time that full checkpoints were slowed down, to leave the disk to others.");
    gauge(to, "checkpoint_last_us", s->ckpt.last_us,
          "When the last full checkpoint ended, since 1970; 0: none has.");
    counter(to, "corrupt_pages", s->corrupt_pages, "Damaged pages met.");
    counter(to, "lost_writes", s->lost_writes, "Pages met that are older than they should be.");
}

static void recovery_stats(struct ps_store *s, const struct sink *to)
{
    text(to, "recovery", s->was_clean ? "not_needed" : "done", "Was there a crash before?");
    counter(to, "recovery_records", s->redo.records, "Records that recovery read.");
    counter(to, "recovery_images", s->redo.images, "Full-page images that it put down.");
    counter(to, "recovery_changes", s->redo.changes, "Changes that it did again.");
    counter(to, "recovery_log_bytes", s->redo.log_bytes, "Log that it replayed.");
    counter(to, "recovery_analysis_us", s->was_clean ? 0 : s->recovered.took_us,
            "Time that reading the log to its end took.");
    counter(to, "recovery_redo_us", s->redo.took_us, "Time that replaying it took.");
    counter(to, "recovery_checkpoint_us", s->recovery_checkpoint_us,
            "Time that writing what was replayed took.");
    counter(to, "recovery_pages_lost", s->redo.pages_lost, "Pages that it could not repair.");
    counter(to, "recovery_transactions_undone", s->was_clean ? 0 : s->recovered.loser_count,
            "Transactions that it took back.");
}

/* --- latencies ---------------------------------------------------------------------------- */

void ps_store_latencies(struct ps_store *s, ps_latency_fn each, void *ctx)
{
    const struct ps_store_meters *m = s->meters;
    const struct {
        const char *name;
        const struct ps_histogram *histogram;
        const char *help;
    } all[] = {
        {"read", &m->reads, "Reads, until their pages are in the pool."},
        {"write", &m->writes, "Writes, until they are in the log's buffer and in the pool."},
        {"write_back", &m->write_backs, "Batches of pages written back to one file."},
        {"fsync", &m->fsyncs, "Calls of fsync, and the wait for the disk of writes with O_SYNC."},
        {"io_read", &m->io.reads, "Batches of reads that the disk was given."},
        {"io_write", &m->io.writes, "Batches of writes that the disk was given."},
        {"io_write_durable", &m->io.writes_durable, "Writes of the log that flush it at once."},
        {"io_sync", &m->io.syncs, "Syncs of files, side by side."},
    };
    struct ps_histogram_snapshot snapshot;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ps_histogram_get(all[i].histogram, &snapshot);
        each(ctx, all[i].name, all[i].help, &snapshot);
    }
}

static void latency_stat(const struct sink *to, const char *name, const char *what, uint64_t value,
                         bool is_counter)
{
    char full[64];
    const struct ps_stat stat = {
        .name = full, .help = "", .value = value, .is_counter = is_counter, .is_latency = true};

    (void)snprintf(full, sizeof(full), "%s_%s", name, what);
    to->each(to->ctx, &stat);
}

static void latency_stats(void *ctx, const char *name, const char *help,
                          const struct ps_histogram_snapshot *s)
{
    const struct sink *to = ctx;

    (void)help;
    latency_stat(to, name, "count", s->count, true);
    latency_stat(to, name, "p50_us", ps_histogram_percentile(s, 500), false);
    latency_stat(to, name, "p90_us", ps_histogram_percentile(s, 900), false);
    latency_stat(to, name, "p99_us", ps_histogram_percentile(s, 990), false);
    latency_stat(to, name, "p999_us", ps_histogram_percentile(s, 999), false);
    latency_stat(to, name, "max_us", s->max_us, false);
}

/* Removing the file lets others in, as they then see no lock. */
static const char *lock_state(struct ps_store *s)
{
    struct ps_io_stat st;

    if (!s->lock_file)
        return "none";
    return s->io->ops->stat(s->lock_file, &st) || st.unlinked ? "lost" : "held";
}

void ps_store_stats(struct ps_store *s, ps_stat_fn each, void *ctx)
{
    const char *poison = ps_poison_reason(&s->poison);
    struct sink to = {each, ctx};
    char uuid[37];

    ps_store_uuid(s, uuid);
    text(&to, "uuid", uuid, "The store's identity.");
    text(&to, "state",
         poison              ? "poisoned"
         : s->opts.read_only ? "read_only"
                             : "read_write",
         "What can be done with it.");
    text(&to, "reason", poison ? poison : "-", "Why it is poisoned.");
    text(&to, "lock", lock_state(s), "Its lock: held, lost with its file, or none.");
    gauge(&to, "page_size", s->page_size, "Bytes of a page.");
    gauge(&to, "tables", ps_table_count(s), "Tables, the catalog among them.");
    text(&to, "io", s->io->ops->name, "How files are reached.");
    gauge(&to, "io_in_flight", s->meters->io.in_flight, "Requests that the disk works on now.");
    pool_stats(s, &to);
    wal_stats(s, &to);
    checkpoint_stats(s, &to);
    recovery_stats(s, &to);
    ps_store_latencies(s, latency_stats, &to);
}

/* --- tables ------------------------------------------------------------------------------- */

ps_err ps_table_info(struct ps_table *t, struct ps_table_info *ret)
{
    struct ps_table_info info = {.id = t->id, .format = t->fmt->id};
    struct ps_map_summary sum;
    struct ps_io_stat st;
    ps_err err = ps_table_lock_known(t, NULL);

    if (err)
        return err;
    info.type = t->type;
    info.pages_end = t->pages_end;
    err = ps_map_totals(&t->map, &sum);
    if (!err)
        err = ps_table_stat_disk(t, &st);
    ps_table_unlock(t);
    if (err)
        return err;
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

static void page_stats(const struct ps_table *t, const struct sink *to)
{
    const struct ps_table_counters *c = &t->counters;

    counter(to, "page_reads", c->page_reads, "Pages read.");
    counter(to, "page_hits", c->page_hits, "Of these, found in the pool.");
    counter(to, "page_misses", c->page_misses, "Of these, not found there.");
    counter(to, "pages_loaded", c->pages_loaded, "Pages read from the file.");
    counter(to, "writes", c->writes, "Writes.");
    counter(to, "pages_written", c->pages_written, "Pages that these changed.");
    counter(to, "bytes_written", c->bytes_written, "Bytes of these.");
    counter(to, "pages_created", c->pages_created, "Pages allocated.");
    counter(to, "pages_freed", c->pages_freed, "Pages freed.");
    counter(to, "items_inserted", c->items_inserted, "Items inserted.");
    counter(to, "items_deleted", c->items_deleted, "Items deleted.");
    counter(to, "corrupt_pages", c->corrupt_pages, "Damaged pages met.");
    counter(to, "lost_writes", c->lost_writes, "Pages met that are older than they should be.");
}

void ps_table_stats(struct ps_table *t, ps_stat_fn each, void *ctx)
{
    struct ps_table_info info = {0};
    struct sink to = {each, ctx};
    bool known = ps_table_info(t, &info) == PS_OK;

    gauge(&to, "table_id", t->id, "The table's number.");
    text(&to, "format", t->fmt->name, "Page format.");
    text(&to, "type", t->type == PS_PAGE_SLOTTED ? "slotted" : "raw", "Type of its pages.");
    text(&to, "map", known ? "sound" : "damaged", "Its allocation map.");
    gauge(&to, "page_size", t->store->page_size, "Bytes of a page.");
    gauge(&to, "pages", info.pages_end, "Highest allocated page, and one.");
    gauge(&to, "pages_allocated", info.pages_allocated, "Pages that there are.");
    gauge(&to, "pages_used", info.pages_used, "Of these, written at least once.");
    gauge(&to, "pages_free", info.pages_end - info.pages_allocated, "Pages free in between.");
    gauge(&to, "payload_bytes", info.payload_len, "Length of the payload.");
    gauge(&to, "bytes_on_disk", info.bytes_on_disk, "Bytes that its page file takes.");
    page_stats(t, &to);
}

/* --- settings ----------------------------------------------------------------------------- */

static void log_settings(struct ps_store *s, ps_setting_fn each, void *ctx)
{
    char value[32];

    (void)snprintf(value, sizeof(value), "%" PRIu64, s->opts.max_wal);
    each(ctx, "max_wal", value, false);
    (void)snprintf(value, sizeof(value), "%u", (unsigned)s->wal_delay_ms);
    each(ctx, "wal_delay", value, true);
    (void)snprintf(value, sizeof(value), "%u", (unsigned)s->checkpoint_timeout_s);
    each(ctx, "checkpoint_timeout", value, true);
    each(ctx, "wal_images", s->opts.log_before_images ? "both" : "after", false);
}

void ps_store_settings(struct ps_store *s, ps_setting_fn each, void *ctx)
{
    char value[32];

    (void)snprintf(value, sizeof(value), "%" PRIu64, s->opts.pool_bytes);
    each(ctx, "pool", value, false);
    each(ctx, "policy", ps_pool_policy(s->pool), true);
    each(ctx, "io", s->io->ops->name, false);
    if (!s->foreign) /* which has no log */
        log_settings(s, each, ctx);
    each(ctx, "on_corrupt", s->serve_corrupt ? "serve" : "eio", true);
    each(ctx, "ro", s->opts.read_only ? "1" : "0", false);
}

static ps_err parse_u32(const char *name, const char *value, uint32_t min, uint32_t max,
                        _Atomic uint32_t *ret)
{
    uint64_t v;

    if (!ps_parse_number(value, min, max, &v))
        return ps_fail(PS_ERR_INVAL, "%s=%s: must be a number from %u to %u", name, value, min,
                       max);
    *ret = (uint32_t)v;
    return PS_OK;
}

static ps_err set_policy(struct ps_store *s, const char *name)
{
    const struct ps_evict_ops *policy = ps_evict_by_name(name);

    if (!policy)
        return ps_fail(PS_ERR_INVAL, "policy=%s: there is no such policy (there are %s)", name,
                       ps_evict_names());
    return ps_pool_set_policy(s->pool, policy);
}

ps_err ps_store_set(struct ps_store *s, const char *name, const char *value)
{
    static const char *const fixed[] = {"pool", "io", "max_wal", "wal_images", "ro"};
    size_t i;

    if (strcmp(name, "wal_delay") == 0)
        return parse_u32(name, value, 1, PS_WAL_DELAY_MS_MAX, &s->wal_delay_ms);
    if (strcmp(name, "checkpoint_timeout") == 0)
        return parse_u32(name, value, 1, PS_CHECKPOINT_TIMEOUT_S_MAX, &s->checkpoint_timeout_s);
    if (strcmp(name, "policy") == 0)
        return set_policy(s, value);
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
        unit = strchr(units, toupper((unsigned char)*end));
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

/* Lists from *from on, which moves along, up to stop. *ret_told: each has ended it. */
static ps_err list_log(struct ps_wal_reader_options *opts, uint64_t *from, uint64_t stop,
                       ps_err (*each)(void *ctx, const char *line), void *ctx, bool *ret_told)
{
    struct ps_wal_reader *reader = NULL;
    struct ps_wal_end end;
    struct ps_record rec;
    char line[512];
    ps_err err = ps_wal_reader_open(opts, &reader);

    while (!err && !*ret_told && (err = ps_wal_reader_next(reader, &rec, &end)) == PS_OK &&
           rec.lsn <= stop) {
        if (rec.lsn < *from)
            continue;
        ps_record_format(&rec, line, sizeof(line));
        err = each(ctx, line);
        *ret_told = err != PS_OK;
        *from = rec.lsn + 1;
    }
    if (reader)
        ps_wal_reader_close(reader);
    return err;
}

/* Without a lock: checkpoints go on. Segments that one lets go meanwhile read as a hole; then the
 * listing goes on behind them. */
ps_err ps_store_wal_text(struct ps_store *s, uint64_t from,
                         ps_err (*each)(void *ctx, const char *line), void *ctx)
{
    struct ps_wal_reader_options opts;
    uint64_t oldest = 0, before;
    bool told = false; /* each has ended it */
    ps_err err;

    if (s->foreign)
        return PS_OK;
    ps_reader_options(&s->opened_as, s->io, &opts);
    opts.durable_lsn = 0;
    opts.known_end_lsn = s->wal ? ps_wal_durable_lsn(s->wal) : s->recovered.end.last_lsn;
    err = ps_wal_oldest_pos(s->io, opts.segment_size, &oldest);
    while (!err) {
        before = opts.start_pos = oldest;
        if (from > oldest) /* not what lies in segments before */
            opts.start_pos += (from - 1 - oldest) / opts.segment_size * opts.segment_size;
        err = list_log(&opts, &from, opts.known_end_lsn, each, ctx, &told);
        if (told || (err != PS_ERR_NOENT && err != PS_ERR_CORRUPT))
            return err;
        if (from > opts.known_end_lsn || ps_wal_oldest_pos(s->io, opts.segment_size, &oldest) ||
            oldest == before)
            return err == PS_ERR_NOENT ? PS_OK : err;
        err = PS_OK;
    }
    return err == PS_ERR_NOENT ? PS_OK : err;
}
