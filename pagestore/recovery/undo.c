/*
 * undo.c - undoing a transaction, for abort and for recovery.
 */
#include "recovery/recovery.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/map.h"

/* Puts the before-bytes back and logs that as a compensation group. The group has begun. */
static ps_err undo_bytes(struct ps_group *g, struct ps_txns *txns, const struct ps_record *rec,
                         const struct ps_tag *tag)
{
    uint32_t page_size = ps_pool_page_size(g->env->pool);
    struct ps_page *page = NULL;
    struct ps_map map;
    uint8_t zero;
    uint32_t i;
    ps_err err;

    ps_map_init(&map, g->env->pool, tag->provider, tag->table, page_size);
    err = ps_group_page(g, tag, PS_PIN_LOAD, NULL, &page);
    if (!err)
        err = ps_map_prepare(&map, g, tag->page, 1, false);
    if (err) {
        ps_group_abandon(g);
        return err;
    }
    for (i = 0; i < rec->ref_count; i++) {
        const struct ps_ref *ref = &rec->refs[i];

        if (ref->flags & PS_REF_BEFORE)
            memcpy(ps_group_write(g, page, ref->before_off, ref->before_len), ref->before,
                   ref->before_len);
    }
    zero = ps_page_is_blank(page->fmt, page->data, page_size);
    ps_map_apply_touch(&map, g, tag->page, 1, &zero);
    /* A checkpoint that notes this transaction sees either neither or both of record and last_pos.
     */
    ps_rwlock_rdlock(&txns->table_lock);
    (void)ps_group_commit(g);
    ps_rwlock_unlock(&txns->table_lock);
    return PS_OK;
}

/* The page that a transaction's record changed: its references are all about one. */
static bool undo_tag(const struct ps_record *rec, struct ps_tag *ret)
{
    uint32_t i;

    for (i = 0; i < rec->ref_count; i++) {
        const struct ps_ref *ref = &rec->refs[i];

        if ((ref->flags & PS_REF_BEFORE) && ref->fork == PS_FORK_DATA) {
            *ret = (struct ps_tag){.table = ref->table, .page = ref->page};
            return true;
        }
    }
    return false; /* an allocation map's image: its change follows from the others */
}

static ps_err undo_record(struct ps_group_env *env, struct ps_txns *txns, struct ps_txn_entry *e,
                          const struct ps_record *rec, const struct ps_recovery_ops *ops)
{
    struct ps_group g;
    struct ps_map map;
    struct ps_tag tag;
    ps_err err;

    if (!undo_tag(rec, &tag))
        return PS_OK;
    ps_map_init(&map, env->pool, tag.provider, tag.table, ps_pool_page_size(env->pool));
    err = ps_group_begin_undo(&g, env, &e->log, rec->txn_prev,
                              1 + PS_LOAD_FRAMES + ps_map_touch_frames(&map, tag.page, 1),
                              ps_pool_page_size(env->pool));
    if (err)
        return err;
    if (ops->table_lock)
        ops->table_lock(ops->ctx, tag.table);
    err = undo_bytes(&g, txns, rec, &tag);
    if (!err && ops->page_undone)
        ops->page_undone(ops->ctx, &tag);
    if (ops->table_unlock)
        ops->table_unlock(ops->ctx, tag.table);
    if (err != PS_ERR_CORRUPT)
        return err;
    /* A damaged page cannot be put back; the rest of the transaction can. */
    ops->page_lost(ops->ctx, &tag, err);
    return PS_OK;
}

static ps_err append_abort(struct ps_group_env *env, struct ps_txns *txns, struct ps_txn_entry *e)
{
    struct ps_record rec = {
        .rm = PS_RM_TXN,
        .type = PS_TXN_ABORT,
        .txn = e->log.id,
        .txn_prev = e->log.last_pos,
        .time_us = ps_io_wall_us(env->io),
    };
    struct ps_wal_slot slot = {0};
    ps_err err = ps_wal_reserve_urgent(env->wal, ps_record_len(&rec), NULL, &slot);

    if (err)
        return err;
    ps_rwlock_rdlock(&txns->table_lock);
    while (!ps_wal_append(env->wal, &slot, &rec, 1, ps_wal_redo_lsn(env->wal)))
        ;
    e->log.first_pos = 0; /* a checkpoint need not know it any more */
    e->log.last_pos = rec.pos;
    ps_rwlock_unlock(&txns->table_lock);
    return PS_OK;
}

/* The record at pos, if it is the transaction's and leads back: each step of undo goes further
 * towards the log's beginning, so that it ends. */
static ps_err read_record(struct ps_group_env *env, const struct ps_txn_entry *e, uint64_t pos,
                          uint8_t **buf, size_t *buf_len, struct ps_record *ret)
{
    ps_err err;

    err = ps_wal_read_at(env->wal, pos, buf, buf_len, ret);
    if (!err)
        err = ps_record_check(ret, ps_pool_page_size(env->pool));
    if (err)
        return err;
    if (ret->txn != e->log.id)
        return ps_fail(PS_ERR_CORRUPT, "log: record at %llu is not transaction %llu's",
                       (unsigned long long)pos, (unsigned long long)e->log.id);
    if (ret->txn_prev >= pos || ret->undo_next >= pos)
        return ps_fail(PS_ERR_CORRUPT,
                       "log: record at %llu: what to undo next, at %llu or %llu, is not before it",
                       (unsigned long long)pos, (unsigned long long)ret->txn_prev,
                       (unsigned long long)ret->undo_next);
    return PS_OK;
}

ps_err ps_undo(struct ps_group_env *env, struct ps_txns *txns, struct ps_txn_entry *e,
               const struct ps_recovery_ops *ops)
{
    uint64_t pos = e->log.last_pos;
    uint8_t *buf = NULL;
    size_t buf_len = 0;
    struct ps_record rec;
    ps_err err = PS_OK;

    if (!pos)
        return PS_OK; /* it logged nothing */
    while (pos && !err) {
        err = read_record(env, e, pos, &buf, &buf_len, &rec);
        if (err)
            break;
        if (rec.rm == PS_RM_PAGE && rec.type == PS_PAGE_CLR) {
            pos = rec.undo_next;
            continue;
        }
        if (rec.rm == PS_RM_PAGE)
            err = undo_record(env, txns, e, &rec, ops);
        pos = rec.txn_prev;
    }
    free(buf);
    return err ? err : append_abort(env, txns, e);
}
