/*
 * store.c - opening and closing: the order in which the layers come up.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digits.h"
#include "base/mem.h"
#include "store/store_internal.h"

#define POOL_BYTES_MIN (4u << 20)
#define POOL_PAGES_MIN 8u
#define POOL_FRAMES_MIN \
    16u /* what one write of 1 MiB may pin, its map included, in any page size */
#define TRACE_EVENTS 4096u

void ps_store_options_default(struct ps_store_options *opts)
{
    *opts = (struct ps_store_options){
        .pool_bytes = 64u << 20,
        .policy = "clock",
        .io = "auto",
        .max_wal = 1u << 30,
        .wal_delay_ms = 200,
        .checkpoint_timeout_s = 300,
    };
}

void ps_store_say(struct ps_store *s, enum ps_message_level level, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    if (!s->opts.message)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    s->opts.message(s->opts.ctx, level, text);
}

void ps_store_event(struct ps_store *s, const struct ps_event *event)
{
    if (s->opts.event)
        s->opts.event(s->opts.ctx, event);
}

static void on_poison(void *ctx, const char *reason)
{
    struct ps_store *s = ctx;
    const struct ps_event event = {.kind = PS_EVENT_POISONED, .name = reason};

    if (s->wal)
        ps_wal_wake(s->wal); /* nobody frees log any more */
    ps_store_say(s, PS_MSG_ERROR, "the store is read-only from now on: %s", reason);
    ps_store_event(s, &event);
}

static void on_io_warning(void *ctx, const char *text)
{
    ps_store_say(ctx, PS_MSG_WARNING, "%s", text);
}

/* --- opening: step by step ---------------------------------------------------------------- */

static ps_err io_kind(const char *name, enum ps_io_kind *ret)
{
    static const char *const names[] = {"auto", "direct", "buffered", "mmap"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum ps_io_kind)i;
            return PS_OK;
        }
    }
    return ps_fail(PS_ERR_INVAL, "io=%s: there are auto, direct, buffered and mmap", name);
}

/* Where another program writes the files, its newest pages are in the kernel's cache. */
ps_err ps_store_open_root(struct ps_store *s, const char *path, struct ps_io **ret)
{
    enum ps_io_kind kind = PS_IO_KIND_AUTO;
    ps_err err = io_kind(s->opts.io ? s->opts.io : "auto", &kind);

    if (err)
        return err;
    if (!s->foreign)
        return ps_io_posix(path, kind, on_io_warning, s, ret);
    if (kind == PS_IO_KIND_AUTO && s->foreign->ops.live)
        kind = PS_IO_KIND_BUFFERED;
    return ps_io_posix_rdonly(path, kind, on_io_warning, s, ret);
}

ps_err ps_store_open_io(struct ps_store *s)
{
    ps_err err;

    if (s->opts.io_given) {
        s->io = s->opts.io_given;
    } else {
        err = ps_store_open_root(s, s->path, &s->io);
        if (err)
            return err;
        s->io_is_ours = true;
    }
    ps_open_files_init(&s->open_files, s->io);
    s->io->meter = &s->meters->io;
    return PS_OK;
}

/* Who has the lock, by the lock file's content, which a writer clears when it closes the store. */
static ps_err in_use(struct ps_store *s)
{
    char text[32] = "";
    size_t got = 0;

    if (ps_io_read(s->lock_file, text, sizeof(text) - 1, 0, &got))
        return ps_fail(PS_ERR_IN_USE, "store is in use");
    if (got == 0)
        return ps_fail(PS_ERR_IN_USE, "store is in use: it is open read-only");
    text[strcspn(text, "\n")] = '\0';
    return ps_fail(PS_ERR_IN_USE, "store is in use by pid %s", text);
}

/* Readers share the store: nobody changes what they read. */
static ps_err take_lock(struct ps_store *s)
{
    unsigned how = PS_IO_BUFFERED | (s->opts.read_only ? PS_IO_RDONLY : PS_IO_CREATE);
    char text[32];
    ps_err err = s->io->ops->open(s->io, PS_LOCK_PATH, how, &s->lock_file);

    if (err == PS_ERR_NOENT && s->opts.read_only)
        return PS_OK; /* a copy without it: nobody has that open, and nothing may be made here */
    if (err)
        return err;
    err = s->io->ops->lock(s->lock_file, s->opts.read_only);
    if (err)
        return err == PS_ERR_IN_USE ? in_use(s) : err;
    if (s->opts.read_only)
        return PS_OK;
    (void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
    err = s->io->ops->truncate(s->lock_file, 0);
    return err ? err : ps_io_write(s->lock_file, text, strlen(text), 0);
}

static ps_err read_control(struct ps_store *s, struct ps_control *control)
{
    struct ps_control_report report;
    unsigned i;
    ps_err err = ps_control_read(s->io, control, &report);

    if (err)
        return err;
    for (i = 0; i < 2; i++)
        if (report.copy_err[i])
            ps_store_say(s, PS_MSG_WARNING, "%s: copy %u is damaged (%s); the other one serves",
                         PS_CONTROL_PATH, i + 1, report.copy_why[i]);
    if (report.differ[0])
        ps_store_say(s, PS_MSG_WARNING, "%s: %s; the newer one serves", PS_CONTROL_PATH,
                     report.differ);
    s->was_clean = control->state == PS_STATE_CLEAN;
    if (!s->was_clean && s->opts.read_only)
        return ps_fail(PS_ERR_READONLY,
                       "the store was not closed cleanly: it needs recovery, which writes");
    s->page_size = control->page_size;
    memcpy(s->uuid, control->uuid, sizeof(s->uuid));
    return PS_OK;
}

static ps_err want_checkpoint(void *ctx)
{
    return ps_background_want_checkpoint(ctx);
}

static void want_flush(void *ctx)
{
    ps_background_want_flush(ctx);
}

static void want_clean(void *ctx)
{
    ps_background_want_clean(ctx);
}

ps_err ps_store_open_pool(struct ps_store *s)
{
    struct ps_pool_options opts;
    const struct ps_evict_ops *policy = ps_evict_by_name(s->opts.policy);
    const uint64_t frames = s->opts.pool_bytes / s->page_size;
    ps_err err;

    if (!policy)
        return ps_fail(PS_ERR_INVAL, "policy=%s: there is no such policy (there are %s)",
                       s->opts.policy, ps_evict_names());
    if ((s->io_is_ours && s->opts.pool_bytes < POOL_BYTES_MIN) || frames < POOL_PAGES_MIN)
        return ps_fail(PS_ERR_INVAL, "pool=%llu: must be at least 4M, and %u pages of %u",
                       (unsigned long long)s->opts.pool_bytes, POOL_PAGES_MIN, s->page_size);
    if (frames > INT32_MAX)
        return ps_fail(PS_ERR_INVAL, "pool=%llu: has more than %d pages",
                       (unsigned long long)s->opts.pool_bytes, INT32_MAX);
    opts = (struct ps_pool_options){
        .page_size = s->page_size,
        .frames = frames < POOL_FRAMES_MIN ? POOL_FRAMES_MIN : (uint32_t)frames,
        .io = s->io,
        .poison = &s->poison,
        .trace = s->trace,
        .policy = policy,
        .want_clean = want_clean,
        .ctx = s,
    };
    err = ps_pool_create(&opts, &s->pool);
    if (err)
        return err;
    s->provider.ops = s->foreign ? &ps_foreign_provider : &ps_table_provider;
    ps_pool_set_provider(s->pool, 0, &s->provider);
    s->env = (struct ps_group_env){
        .pool = s->pool, .io = s->io, .log_before_images = s->opts.log_before_images};
    s->change_pages_max = 1; /* until there is a log */
    s->zero_page = ps_buf_alloc(s->page_size);
    return s->zero_page ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for a page");
}

/* The control file is written when options are checked and memory is taken: a store that cannot be
 * opened with them is left as it was. From the write on what is appended is of a new incarnation.
 */
static ps_err open_log(struct ps_store *s, struct ps_control *control)
{
    struct ps_wal_reader_options reader;
    struct ps_wal_options opts;
    ps_err err;

    ps_reader_options(control, s->io, &reader);
    opts = (struct ps_wal_options){
        .io = s->io,
        .poison = &s->poison,
        .segment_size = control->segment_size,
        .max_wal = s->opts.max_wal,
        .store_tag = reader.store_tag,
        .incarnation = control->incarnation + 1,
        .end_pos = s->recovered.end.end_pos,
        .last_lsn = s->recovered.end.last_lsn,
        .redo_lsn = control->redo_lsn,
        .log_start_lsn = control->log_start_lsn,
        .want_checkpoint = want_checkpoint,
        .want_flush = want_flush,
        .ctx = s,
    };
    err = ps_wal_open(&opts, &s->wal);
    if (err)
        return err;
    ps_pool_set_wal(s->pool, s->wal);
    s->env.wal = s->wal;
    s->change_pages_max = ps_change_pages_reckon(s);
    control->incarnation = opts.incarnation;
    control->incarnation_lsn = opts.end_pos;
    control->state = PS_STATE_IN_USE;
    control->written_us = ps_io_wall_us(s->io);
    return ps_control_write(s->io, control, &s->poison);
}

static ps_err sync_all_files(void *ctx)
{
    return ps_tables_sync(ctx);
}

static ps_err sync_data_files(void *ctx)
{
    return ps_tables_sync_data(ctx);
}

static ps_err full_checkpoint(void *ctx)
{
    return ps_store_checkpoint(ctx, NULL);
}

static uint32_t next_table(void *ctx)
{
    return ((struct ps_store *)ctx)->next_table;
}

static void open_checkpointer(struct ps_store *s, const struct ps_control *control)
{
    static const struct ps_checkpointer_ops ops = {.sync_files = sync_all_files,
                                                   .next_table = next_table};

    s->ckpt = (struct ps_checkpointer){
        .io = s->io,
        .pool = s->pool,
        .wal = s->wal,
        .txns = &s->txns,
        .poison = &s->poison,
        .ops = ops,
        .control = *control,
    };
    s->opened_as = *control;
    s->ckpt.ops.ctx = s;
    ps_checkpointer_init(&s->ckpt);
    s->syncer = (struct ps_syncer){
        .io = s->io,
        .pool = s->pool,
        .wal = s->wal,
        .poison = &s->poison,
        .times = &s->meters->fsyncs,
        .sync_files = sync_data_files,
        .checkpoint = full_checkpoint,
        .ctx = s,
    };
    ps_syncer_init(&s->syncer);
    s->ckpt_ready = true;
}

static ps_err open_tables(struct ps_store *s, const struct ps_control *before)
{
    struct ps_table *catalog;
    ps_err err = ps_registry_make(s, PS_CATALOG_ID, &ps_format_native, &catalog);

    if (!err)
        err = ps_store_redo(s, before);
    if (!err && s->recovered.next_table <= PS_CATALOG_ID && !s->opts.read_only)
        return ps_catalog_create(s);
    if (!err)
        err = ps_catalog_load(s);
    if (s->next_table < s->recovered.next_table)
        s->next_table = s->recovered.next_table;
    return err;
}

/* So that nothing is made in a folder that is no store. */
static ps_err check_is_store(struct ps_store *s)
{
    struct ps_io_file *file = NULL;
    ps_err err = s->io->ops->open(s->io, PS_CONTROL_PATH, PS_IO_RDONLY, &file);

    ps_io_close(file);
    if (err == PS_ERR_NOENT)
        return ps_fail(PS_ERR_NOENT, "%s: not a page store: there is no %s", s->path,
                       PS_CONTROL_PATH);
    return err;
}

/* What lies above pool and log, which are open; the control file says so already, unless
 * read-only. */
static ps_err open_rest(struct ps_store *s, const struct ps_control *before,
                        const struct ps_control *control)
{
    ps_err err;

    ps_txns_init(&s->txns, s->recovered.next_txn);
    open_checkpointer(s, control);
    err = open_tables(s, before);
    if (!err && !s->opts.read_only)
        err = ps_store_recovery_finish(s);
    if (!err && !s->opts.read_only && !s->opts.no_threads)
        err = ps_background_start(s);
    if (!err && !s->opts.no_threads)
        err = ps_readahead_start(s);
    return err;
}

/* The store was clean and cannot be opened: it stays clean if nothing was logged. */
static ps_err leave_clean(struct ps_store *s, struct ps_control *control, ps_err err)
{
    char why[512];

    (void)snprintf(why, sizeof(why), "%s", ps_message());
    if (s->background)
        ps_background_stop(s);
    if (ps_wal_tail_lsn(s->wal) == control->end_lsn) {
        control->state = PS_STATE_CLEAN;
        if (ps_control_write(s->io, control, &s->poison))
            ps_store_say(s, PS_MSG_WARNING, "the store needs recovery now: %s", ps_message());
    }
    return ps_fail(err, "%s", why);
}

static ps_err open_layers(struct ps_store *s)
{
    struct ps_control before, control = {0};
    ps_err err = ps_store_open_io(s);

    if (!err) {
        s->opened_us = ps_io_wall_us(s->io);
        err = check_is_store(s);
    }
    if (!err)
        err = take_lock(s);
    if (!err)
        err = read_control(s, &control);
    if (!err)
        err = ps_store_open_pool(s);
    if (!err)
        err = ps_store_analyze(s, &control);
    before = control;
    if (!err && !s->opts.read_only)
        err = open_log(s, &control);
    if (err)
        return err;
    err = open_rest(s, &before, &control);
    if (err && s->was_clean && !s->opts.read_only)
        err = leave_clean(s, &control, err);
    return err;
}

static ps_err check_options(const struct ps_store_options *opts)
{
    if (opts->wal_delay_ms < 1 || opts->wal_delay_ms > PS_WAL_DELAY_MS_MAX)
        return ps_fail(PS_ERR_INVAL, "wal_delay=%u: must be a number from 1 to %u",
                       opts->wal_delay_ms, PS_WAL_DELAY_MS_MAX);
    if (opts->checkpoint_timeout_s < 1 || opts->checkpoint_timeout_s > PS_CHECKPOINT_TIMEOUT_S_MAX)
        return ps_fail(PS_ERR_INVAL, "checkpoint_timeout=%u: must be a number from 1 to %u",
                       opts->checkpoint_timeout_s, PS_CHECKPOINT_TIMEOUT_S_MAX);
    return PS_OK;
}

static ps_err copy_options(struct ps_store *s, const char *path,
                           const struct ps_store_options *opts)
{
    s->opts = *opts;
    s->path = strdup(path);
    s->opts.policy = strdup(opts->policy ? opts->policy : "clock");
    s->opts.io = strdup(opts->io ? opts->io : "auto");
    s->wal_delay_ms = opts->wal_delay_ms;
    s->checkpoint_timeout_s = opts->checkpoint_timeout_s;
    s->serve_corrupt = opts->serve_corrupt;
    if (!s->path || !s->opts.policy || !s->opts.io)
        return ps_fail(PS_ERR_NOMEM, "no memory for a store");
    return PS_OK;
}

static void stop_threads(struct ps_store *s)
{
    if (s->readahead)
        ps_readahead_stop(s);
    if (s->background)
        ps_background_stop(s);
}

void ps_store_free(struct ps_store *s)
{
    stop_threads(s);
    if (s->ckpt_ready) {
        ps_syncer_deinit(&s->syncer);
        ps_checkpointer_deinit(&s->ckpt);
        ps_txns_deinit(&s->txns);
    }
    ps_registry_clear(s);
    ps_warmup_stop(s->warmup);
    if (s->pool)
        ps_pool_destroy(s->pool);
    if (s->wal)
        ps_wal_close(s->wal);
    ps_trace_destroy(s->trace);
    ps_analysis_deinit(&s->recovered);
    ps_buf_free(s->zero_page);
    ps_io_close(s->lock_file);
    if (s->io) {
        ps_open_files_deinit(&s->open_files);
        s->io->meter = NULL;
    }
    ps_foreign_free(s);
    if (s->io_is_ours)
        ps_io_destroy(s->io);
    free(s->meters);
    ps_poison_deinit(&s->poison);
    ps_mutex_deinit(&s->tables_mtx);
    ps_rwlock_deinit(&s->catalog_lock);
    ps_mutex_deinit(&s->ddl_mtx);
    free((void *)(uintptr_t)s->opts.policy);
    free((void *)(uintptr_t)s->opts.io);
    free(s->path);
    free(s);
}

static ps_err make_meters(struct ps_store *s)
{
    s->meters = aligned_alloc(_Alignof(struct ps_store_meters), sizeof(*s->meters));
    if (!s->meters)
        return ps_fail(PS_ERR_NOMEM, "no memory for histograms");
    memset(s->meters, 0, sizeof(*s->meters));
    return PS_OK;
}

ps_err ps_store_new(const char *path, const struct ps_store_options *opts, struct ps_store **ret)
{
    struct ps_store *s = calloc(1, sizeof(*s));
    ps_err err;

    if (!s)
        return ps_fail(PS_ERR_NOMEM, "no memory for a store");
    ps_poison_init(&s->poison, on_poison, s);
    ps_mutex_init(&s->ddl_mtx, PS_RANK_DDL, "store.ddl_mtx");
    ps_rwlock_init(&s->catalog_lock, PS_RANK_CATALOG, "store.catalog_lock");
    ps_mutex_init(&s->tables_mtx, PS_RANK_IO, "store.tables_mtx");
    err = copy_options(s, path, opts);
    if (!err)
        err = check_options(opts);
    if (!err)
        err = ps_trace_create(TRACE_EVENTS, &s->trace);
    if (!err)
        err = make_meters(s);
    if (err)
        ps_store_free(s);
    else
        *ret = s;
    return err;
}

ps_err ps_store_open(const char *path, const struct ps_store_options *opts, struct ps_store **ret)
{
    struct ps_store *s = NULL;
    ps_err err = ps_store_new(path, opts, &s);

    if (err)
        return err;
    err = open_layers(s);
    if (err)
        ps_store_free(s);
    else
        *ret = s;
    return err;
}

/* --- closing ------------------------------------------------------------------------------ */

static void say_leak(void *ctx, const char *text)
{
    ps_store_say(ctx, PS_MSG_WARNING, "pin leak: %s", text);
}

ps_err ps_store_close(struct ps_store *s)
{
    const struct ps_checkpoint_how last = {.clean = true};
    ps_err err = PS_OK;

    stop_threads(s); /* which pin pages, too */
    if (!s->opts.read_only) {
        err = ps_txns_undo_all(s);
        if (!err)
            err = ps_checkpoint_full(&s->ckpt, &last, NULL);
        if (!err) /* so that nobody is told of this pid any more; no harm if it stays */
            (void)s->io->ops->truncate(s->lock_file, 0);
    }
    (void)ps_pool_leaks(s->pool, say_leak, s);
    ps_store_free(s);
    return err;
}

void ps_store_abandon(struct ps_store *s)
{
    ps_store_free(s);
}

/* --- small things ------------------------------------------------------------------------- */

void ps_store_sync_begin(struct ps_store *s, enum ps_sync_kind kind, struct ps_sync_call *call)
{
    if (s->opts.read_only)
        call->done(call, PS_OK);
    else
        ps_sync_begin(&s->syncer, kind, call);
}

ps_err ps_store_sync(struct ps_store *s, enum ps_sync_kind kind)
{
    return s->opts.read_only ? PS_OK : ps_sync_wait(&s->syncer, kind);
}

ps_err ps_store_checkpoint(struct ps_store *s, struct ps_cancel *cancel)
{
    const struct ps_checkpoint_how how = {0};

    return s->opts.read_only ? PS_OK : ps_checkpoint_full(&s->ckpt, &how, cancel);
}

uint32_t ps_store_page_size(const struct ps_store *s)
{
    return s->page_size;
}

bool ps_store_read_only(const struct ps_store *s)
{
    return s->opts.read_only || s->poison.set;
}

const char *ps_store_poison_reason(struct ps_store *s)
{
    return ps_poison_reason(&s->poison);
}

void ps_store_uuid(const struct ps_store *s, char text[37])
{
    char *at = text;
    size_t i;

    for (i = 0; i < sizeof(s->uuid); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        at = ps_put_hex(at, s->uuid[i]);
    }
    *at = '\0';
}

struct ps_pool *ps_store_pool(struct ps_store *s)
{
    return s->pool;
}

struct ps_wal *ps_store_wal(struct ps_store *s)
{
    return s->wal;
}

struct ps_trace *ps_store_trace(struct ps_store *s)
{
    return s->trace;
}

ps_err ps_store_space(struct ps_store *s, struct ps_store_space *ret)
{
    struct ps_io_space space;
    ps_err err = s->io->ops->space(s->io, &space);

    if (!err)
        *ret = (struct ps_store_space){.bytes_total = space.bytes_total,
                                       .bytes_free = space.bytes_free,
                                       .bytes_avail = space.bytes_avail};
    return err;
}
