/*
 * store_recovery.c - recovery of a store that is being opened: the order of its phases, and what
 * they ask of the layer that knows tables (recovery/recovery.h).
 */
#include "store/store_internal.h"

/* --- what the phases ask ------------------------------------------------------------------ */

static void on_images_seen(void *ctx, uint64_t images)
{
    ps_warmup_want(((struct ps_store *)ctx)->warmup, images);
}

static void on_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct ps_store *s = ctx;

    if (s->opts.progress)
        s->opts.progress(s->opts.ctx, phase, done, total);
}

static ps_err on_table_seen(void *ctx, uint32_t table, const struct ps_format *fmt)
{
    struct ps_store *s = ctx;
    struct ps_table *t = ps_registry_find(s, table);

    if (!t)
        return ps_registry_make(s, table, fmt, &t);
    if (fmt && t->fmt && t->fmt != fmt)
        return ps_fail(PS_ERR_CORRUPT, "log: table %u has pages of format %s and of format %s",
                       table, t->fmt->name, fmt->name);
    if (fmt)
        t->fmt = fmt;
    return PS_OK;
}

static ps_err on_table_dropped(void *ctx, uint32_t table)
{
    return ps_table_files_remove(ctx, table);
}

static void on_page_lost(void *ctx, const struct ps_tag *tag, ps_err err)
{
    (void)err;
    ps_store_say(ctx, PS_MSG_ERROR, "page %u of table %u%s is damaged and cannot be recovered: %s",
                 tag->page, tag->table, tag->fork == PS_FORK_MAP ? " (allocation map)" : "",
                 ps_message());
}

static void on_page_undone(void *ctx, const struct ps_tag *tag)
{
    const struct ps_event event = {
        .kind = PS_EVENT_PAGES_CHANGED, .table = tag->table, .first = tag->page, .count = 1};

    ps_store_event(ctx, &event);
}

static void table_lock(void *ctx, uint32_t table)
{
    ps_rwlock_rdlock(&ps_registry_find(ctx, table)->alloc_lock);
}

static void table_unlock(void *ctx, uint32_t table)
{
    ps_rwlock_unlock(&ps_registry_find(ctx, table)->alloc_lock);
}

void ps_recovery_ops_of(struct ps_store *s, struct ps_recovery_ops *ret)
{
    *ret = (struct ps_recovery_ops){
        .table_seen = on_table_seen,
        .table_dropped = on_table_dropped,
        .page_lost = on_page_lost,
        .table_lock = table_lock,
        .page_undone = on_page_undone,
        .table_unlock = table_unlock,
        .progress = on_progress,
        .threads = !s->opts.no_threads,
        .ctx = s,
    };
}

/* --- the phases, in order ----------------------------------------------------------------- */

ps_err ps_store_analyze(struct ps_store *s, const struct ps_control *control)
{
    const struct ps_recovery_ops ops = {.progress = on_progress,
                                        .images_seen = on_images_seen,
                                        .threads = !s->opts.no_threads,
                                        .ctx = s};

    if (!s->was_clean && !s->opts.no_threads)
        s->warmup = ps_warmup_start(s->pool);
    return ps_analyze(s->io, control, &ops, &s->recovered);
}

ps_err ps_store_redo(struct ps_store *s, const struct ps_control *before)
{
    struct ps_recovery_ops ops;
    ps_err err;

    if (s->was_clean)
        return PS_OK;
    ps_recovery_ops_of(s, &ops);
    s->recovering = true;
    err = ps_redo(s->io, before, &s->recovered, s->pool, &ops, &s->redo);
    s->recovering = false;
    ps_warmup_stop(s->warmup);
    s->warmup = NULL;
    return err;
}

static ps_err undo(struct ps_store *s)
{
    struct ps_recovery_ops ops;
    struct ps_txn_entry *e;
    uint32_t i;
    ps_err err = PS_OK;

    ps_recovery_ops_of(s, &ops);
    ops.table_lock = NULL; /* nobody else sees the store yet */
    ops.page_undone = NULL;
    ops.table_unlock = NULL;
    for (i = 0; i < s->recovered.loser_count && !err; i++) {
        err = ps_txns_adopt(&s->txns, &s->recovered.losers[i], &e);
        if (err)
            break;
        err = ps_undo(&s->env, &s->txns, e, &ops);
        if (!err)
            ps_txns_end(&s->txns, e);
        ps_txn_unref(&s->txns, e);
    }
    return err;
}

/* Redo may have seen tables that were dropped later, and pages that were freed later; files may
 * be there that no table has. */
static ps_err forget_leftovers(struct ps_store *s)
{
    uint32_t i;

    for (i = s->table_count; i-- > 0;)
        if (!s->tables[i]->name[0])
            ps_registry_remove(s, s->tables[i]);
    (void)ps_pool_drop_clean(s->pool);
    return ps_table_strays_remove(s);
}

static void say_recovered(struct ps_store *s)
{
    ps_store_say(s, PS_MSG_INFO,
                 "recovered: %llu log records, %llu page images, %llu changes, %u "
                 "transactions undone",
                 (unsigned long long)s->redo.records, (unsigned long long)s->redo.images,
                 (unsigned long long)s->redo.changes, s->recovered.loser_count);
    ps_store_say(s, PS_MSG_INFO,
                 "recovery of %.3f MB of log: analysis took %.3f s, redo %.3f s, the checkpoint "
                 "%.3f s",
                 (double)s->redo.log_bytes / 1e6, (double)s->recovered.took_us / 1e6,
                 (double)s->redo.took_us / 1e6, (double)s->recovery_checkpoint_us / 1e6);
}

ps_err ps_store_recovery_finish(struct ps_store *s)
{
    const struct ps_checkpoint_how how = {0};
    uint64_t from_us;
    ps_err err;

    if (s->was_clean)
        return PS_OK;
    err = undo(s);
    from_us = ps_io_now_us(s->io);
    if (!err)
        err = ps_checkpoint_full(&s->ckpt, &how, NULL);
    s->recovery_checkpoint_us = ps_io_now_us(s->io) - from_us;
    if (!err)
        err = forget_leftovers(s);
    if (!err)
        say_recovered(s);
    return err;
}
