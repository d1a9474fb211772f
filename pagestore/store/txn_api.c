/*
 * txn_api.c - transactions of the library's users (pagestore/txn.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

struct ps_txn {
    struct ps_store *s;
    struct ps_txn_entry *e;
};

ps_err ps_txn_begin(struct ps_store *s, struct ps_txn **ret)
{
    struct ps_txn *x = calloc(1, sizeof(*x));
    ps_err err = x ? ps_store_writable(s) : ps_fail(PS_ERR_NOMEM, "no memory for a transaction");

    if (!err)
        err = ps_txns_begin(&s->txns, &x->e);
    if (err) {
        free(x);
        return err;
    }
    x->s = s;
    *ret = x;
    return PS_OK;
}

uint64_t ps_txn_id(const struct ps_txn *x)
{
    return x->e->log.id;
}

/* --- undoing --------------------------------------------------------------------------------- */

/* Its mtx is held. One that cannot be undone now stays on the list, with its locks: whoever undoes
 * hogs tries again, and so does recovery. */
static ps_err undo(struct ps_store *s, struct ps_txn_entry *e)
{
    struct ps_recovery_ops ops;
    ps_err err = ps_store_writable(s);

    ps_assert_held(&e->mtx);
    e->doomed = true;
    ps_recovery_ops_of(s, &ops);
    if (!err)
        err = ps_undo(&s->env, &s->txns, e, &ops);
    if (!err)
        ps_txns_end(&s->txns, e);
    return err;
}

/* Every transaction that is doomed or keeps log from before pos. */
static ps_err undo_before(struct ps_store *s, uint64_t pos, bool tell)
{
    struct ps_txn_entry *e;
    ps_err err = PS_OK;

    while (!err && (e = ps_txns_find_hog(&s->txns, pos))) {
        ps_mutex_lock(&e->mtx);
        if (!e->ended) {
            if (tell && !e->doomed)
                ps_store_say(s, PS_MSG_WARNING,
                             "transaction %llu keeps more than half of max_wal: it is undone",
                             (unsigned long long)e->log.id);
            err = undo(s, e);
        }
        ps_mutex_unlock(&e->mtx);
        ps_txn_unref(&s->txns, e);
    }
    return err;
}

/* A transaction keeps all log since its first record; none may keep log from before this. */
static uint64_t kept_from(const struct ps_store *s)
{
    uint64_t tail = ps_wal_tail_lsn(s->wal), max = s->opts.max_wal / 2;

    return tail > max ? tail - max : 0;
}

ps_err ps_txns_undo_hogs(struct ps_store *s)
{
    return undo_before(s, kept_from(s), true);
}

ps_err ps_txns_undo_all(struct ps_store *s)
{
    return undo_before(s, UINT64_MAX, false);
}

/* --- calls ----------------------------------------------------------------------------------- */

static ps_err undone(const struct ps_txn *x)
{
    return ps_fail(PS_ERR_CONFLICT, "transaction %llu kept more than half of max_wal: it is undone",
                   (unsigned long long)ps_txn_id(x));
}

/* Until leave() nobody else works on the transaction. PS_ERR_CONFLICT: it was undone. */
static ps_err enter(struct ps_txn *x)
{
    ps_mutex_lock(&x->e->mtx);
    if (!x->e->doomed)
        return PS_OK;
    ps_mutex_unlock(&x->e->mtx);
    return undone(x);
}

static void leave(struct ps_txn *x)
{
    ps_mutex_unlock(&x->e->mtx);
}

/* What is to happen to one page: `make` turns a copy of it into what it will be. */
struct edit {
    uint32_t page_no;
    ps_err (*make)(void *ctx, struct ps_table *t, uint8_t *copy);
    void *ctx;
};

/* Between begin and commit: applies the edit. *ret_changed: there is something to commit; the lock
 * on the page is the transaction's either way. */
static ps_err edit_locked(struct ps_change *c, const struct edit *edit,
                          const struct ps_map_range *range, uint8_t *copy, bool *ret_changed)
{
    const uint32_t page_no = edit->page_no, page_size = c->table->store->page_size;
    struct ps_table *t = c->table;
    struct ps_page *page = NULL;
    struct ps_map_entry state;
    uint8_t zero;
    ps_err err = ps_map_get(&t->map, page_no, &state);

    if (!err && state.state == PS_FREE)
        err = ps_fail(PS_ERR_NOENT, "page %u of table %u is not allocated", page_no, t->id);
    if (!err)
        err = ps_pagefile_reserve(&t->data, page_no, 1);
    if (!err)
        err = ps_change_page(c, page_no, PS_PIN_LOAD, &page);
    if (!err) {
        memcpy(copy, page->data, page_size);
        err = edit->make(edit->ctx, t, copy);
    }
    if (!err)
        err = ps_change_prepare(c, range, 1, state.state == PS_VIRGIN);
    if (err)
        return err;
    *ret_changed = state.state == PS_VIRGIN || memcmp(copy, page->data, page_size) != 0;
    if (!*ret_changed)
        return PS_OK;
    if (state.state == PS_VIRGIN) {
        (void)ps_group_write(&c->g, page, 0, page_size);
        ps_map_apply_set(&t->map, &c->g, page_no, 1, PS_USED);
    }
    ps_change_from_copy(c, page, copy);
    zero = ps_page_is_blank(t->fmt, page->data, page_size);
    ps_map_apply_touch(&t->map, &c->g, page_no, 1, &zero);
    return PS_OK;
}

/* The page is locked for the transaction and pinned for change; what differs from the edited copy
 * is logged. */
static ps_err change_entered(struct ps_txn *x, struct ps_table *t, const struct edit *edit,
                             struct ps_cancel *cancel)
{
    const uint32_t page_size = t->store->page_size;
    const struct ps_map_range range = {.first = edit->page_no, .count = 1};
    const struct ps_event event = {
        .kind = PS_EVENT_PAGES_CHANGED, .table = t->id, .first = edit->page_no, .count = 1};
    const struct ps_tag tag = {.table = t->id, .page = edit->page_no};
    const struct ps_change_needs needs = {
        .txn = x->e,
        .pages = 1,
        .bytes = 2 * (uint64_t)page_size, /* before and after */
        .ranges = &range,
        .range_count = 1,
        .exclusive = true, /* a page that was never written changes its state */
    };
    uint8_t *copy = ps_buf_alloc(page_size);
    struct ps_change c;
    bool changed = false;
    ps_err err = copy ? ps_table_writable(t) : ps_fail(PS_ERR_NOMEM, "no memory for a page");

    if (!err)
        err = ps_page_lock(&x->s->txns, x->e, &tag, cancel);
    if (!err)
        err = ps_change_begin(&c, t, &needs, cancel);
    if (err)
        goto out;
    err = edit_locked(&c, edit, &range, copy, &changed);
    if (err || !changed) {
        ps_change_abandon(&c);
        goto out;
    }
    (void)ps_change_commit(&c);
    ps_store_event(t->store, &event);
    ps_change_end(&c);
out:
    ps_buf_free(copy);
    return err;
}

static ps_err change_page(struct ps_txn *x, struct ps_table *t, const struct edit *edit,
                          struct ps_cancel *cancel)
{
    ps_err err = enter(x);

    if (err)
        return err;
    if (x->e->log.first_pos && x->e->log.first_pos < kept_from(x->s)) {
        (void)undo(x->s, x->e); /* if that fails, the checkpointer tries again */
        err = undone(x);
    } else {
        err = change_entered(x, t, edit, cancel);
    }
    leave(x);
    return err;
}

struct bytes_edit {
    uint32_t page_no, off, len;
    const void *buf;
};

static ps_err edit_bytes(void *ctx, struct ps_table *t, uint8_t *copy)
{
    const struct bytes_edit *e = ctx;
    const struct ps_page_ident who = ps_table_ident(t, e->page_no);

    memcpy(copy + e->off, e->buf, e->len);
    t->fmt->stamp(copy, &who);
    return PS_OK;
}

ps_err ps_txn_write(struct ps_txn *x, struct ps_table *t, uint32_t page_no, uint32_t off,
                    const void *buf, uint32_t len, struct ps_cancel *cancel)
{
    struct bytes_edit e = {.page_no = page_no, .off = off, .len = len, .buf = buf};
    const struct edit edit = {.page_no = page_no, .make = edit_bytes, .ctx = &e};

    if (len > t->store->page_size || off > t->store->page_size - len)
        return ps_fail(PS_ERR_RANGE, "the write passes the end of page %u", page_no);
    return len ? change_page(x, t, &edit, cancel) : PS_OK;
}

struct item_edit {
    const void *data;
    uint32_t len;
    uint32_t slot;
};

static ps_err edit_insert(void *ctx, struct ps_table *t, uint8_t *copy)
{
    struct item_edit *e = ctx;
    ps_err err = ps_table_check_slotted(t);

    return err ? err
               : ps_slotted_insert(t->fmt, copy, t->store->page_size, e->data, e->len, &e->slot);
}

static ps_err edit_delete(void *ctx, struct ps_table *t, uint8_t *copy)
{
    const struct item_edit *e = ctx;
    ps_err err = ps_table_check_slotted(t);

    return err ? err : ps_slotted_delete(t->fmt, copy, t->store->page_size, e->slot);
}

ps_err ps_txn_item_insert(struct ps_txn *x, struct ps_table *t, uint32_t page_no, const void *data,
                          uint32_t len, uint32_t *ret_slot, struct ps_cancel *cancel)
{
    struct item_edit e = {.data = data, .len = len};
    const struct edit edit = {.page_no = page_no, .make = edit_insert, .ctx = &e};
    ps_err err = change_page(x, t, &edit, cancel);

    if (!err)
        *ret_slot = e.slot;
    return err;
}

ps_err ps_txn_item_delete(struct ps_txn *x, struct ps_table *t, uint32_t page_no, uint32_t slot,
                          struct ps_cancel *cancel)
{
    struct item_edit e = {.slot = slot};
    const struct edit edit = {.page_no = page_no, .make = edit_delete, .ctx = &e};

    return change_page(x, t, &edit, cancel);
}

static ps_err append_commit(struct ps_txn *x, uint64_t *ret_lsn)
{
    struct ps_record rec = {
        .rm = PS_RM_TXN,
        .type = PS_TXN_COMMIT,
        .txn = x->e->log.id,
        .txn_prev = x->e->log.last_pos,
        .time_us = ps_io_wall_us(x->s->io),
    };
    struct ps_wal_slot slot = {0};
    ps_err err = ps_wal_reserve_urgent(x->s->wal, ps_record_len(&rec), NULL, &slot);

    if (err)
        return err;
    /* A checkpoint sees the transaction active before this record, or not at all after it. */
    ps_rwlock_rdlock(&x->s->txns.table_lock);
    while (!ps_wal_append(x->s->wal, &slot, &rec, 1, ps_wal_redo_lsn(x->s->wal)))
        ;
    x->e->log.first_pos = 0;
    ps_rwlock_unlock(&x->s->txns.table_lock);
    *ret_lsn = rec.lsn;
    return PS_OK;
}

/* The record was not appended: what the transaction did is undone, and the reason stays. */
static ps_err commit_failed(struct ps_txn *x, ps_err err)
{
    char why[256];

    (void)snprintf(why, sizeof(why), "%s", ps_message());
    (void)undo(x->s, x->e);
    return ps_fail(err, "%s", why);
}

static ps_err commit_entered(struct ps_txn *x)
{
    uint64_t lsn = 0;
    ps_err err = ps_store_writable(x->s);

    if (!err && x->e->log.first_pos)
        err = append_commit(x, &lsn);
    if (err)
        return commit_failed(x, err);
    if (lsn)
        err = ps_wal_flush(x->s->wal, lsn, NULL);
    ps_txns_end(&x->s->txns, x->e);
    return err;
}

static void free_txn(struct ps_txn *x)
{
    ps_txn_unref(&x->s->txns, x->e);
    free(x);
}

ps_err ps_txn_commit(struct ps_txn *x)
{
    ps_err err = enter(x);

    if (!err) {
        err = commit_entered(x);
        leave(x);
    }
    free_txn(x);
    return err;
}

ps_err ps_txn_abort(struct ps_txn *x)
{
    ps_err err = PS_OK;

    ps_mutex_lock(&x->e->mtx);
    if (!x->e->ended)
        err = undo(x->s, x->e);
    leave(x);
    free_txn(x);
    return err;
}
