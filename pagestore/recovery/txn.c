#include "recovery/txn.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/wait.h"

#define LOCK_WAIT_MS_DEFAULT 100u

void ps_txns_init(struct ps_txns *t, uint64_t next_id)
{
    *t = (struct ps_txns){.next_id = next_id ? next_id : 1, .lock_wait_ms = LOCK_WAIT_MS_DEFAULT};
    ps_rwlock_init(&t->table_lock, PS_RANK_TXN, "txns.table_lock");
    ps_mutex_init(&t->list_mtx, PS_RANK_LEAF, "txns.list_mtx");
    ps_mutex_init(&t->lock_mtx, PS_RANK_PAGE_LOCK, "txns.lock_mtx");
    ps_cond_init(&t->lock_cond);
}

void ps_txns_deinit(struct ps_txns *t)
{
    while (t->active) { /* nobody uses a transaction any more */
        struct ps_txn_entry *e = t->active;

        e->refs = 1;
        ps_txns_end(t, e);
    }
    ps_cond_deinit(&t->lock_cond);
    ps_mutex_deinit(&t->lock_mtx);
    ps_mutex_deinit(&t->list_mtx);
    ps_rwlock_deinit(&t->table_lock);
}

static void list_insert(struct ps_txns *t, struct ps_txn_entry *e)
{
    ps_assert_held(&t->list_mtx);
    e->next = t->active;
    e->link = &t->active;
    if (e->next)
        e->next->link = &e->next;
    t->active = e;
    t->active_count++;
}

static void free_entry(struct ps_txn_entry *e)
{
    ps_mutex_deinit(&e->mtx);
    free(e);
}

static ps_err new_entry(struct ps_txn_entry **ret)
{
    struct ps_txn_entry *e = calloc(1, sizeof(*e));

    if (!e)
        return ps_fail(PS_ERR_NOMEM, "no memory for a transaction");
    ps_mutex_init(&e->mtx, PS_RANK_TXN_CALL, "txn.mtx");
    e->refs = 2; /* the list's and the caller's */
    *ret = e;
    return PS_OK;
}

ps_err ps_txns_begin(struct ps_txns *t, struct ps_txn_entry **ret)
{
    struct ps_txn_entry *e = NULL;
    ps_err err = new_entry(&e);

    if (err)
        return err;
    ps_mutex_lock(&t->list_mtx);
    if (t->active_count < PS_TXNS_MAX) {
        e->log.id = t->next_id++;
        list_insert(t, e);
    } else {
        err = ps_fail(PS_ERR_CONFLICT, "there are %u transactions already, the most there can be",
                      PS_TXNS_MAX);
    }
    ps_mutex_unlock(&t->list_mtx);
    if (err)
        free_entry(e);
    else
        *ret = e;
    return err;
}

ps_err ps_txns_adopt(struct ps_txns *t, const struct ps_txn_log *log, struct ps_txn_entry **ret)
{
    struct ps_txn_entry *e = NULL;
    ps_err err = new_entry(&e);

    if (err)
        return err;
    e->log = *log;
    ps_mutex_lock(&t->list_mtx);
    if (t->next_id <= log->id)
        t->next_id = log->id + 1;
    list_insert(t, e);
    ps_mutex_unlock(&t->list_mtx);
    *ret = e;
    return PS_OK;
}

static size_t lock_bucket(const struct ps_tag *tag)
{
    uint64_t h = ((uint64_t)tag->table << 32 | tag->page) * 0x9e3779b97f4a7c15u;

    return (size_t)(h >> 56) % PS_PAGE_LOCK_BUCKETS;
}

static struct ps_page_lock *lock_find(struct ps_txns *t, const struct ps_tag *tag)
{
    struct ps_page_lock *l;

    ps_assert_held(&t->lock_mtx);
    for (l = t->buckets[lock_bucket(tag)]; l; l = l->bucket_next)
        if (ps_tag_cmp(&l->tag, tag) == 0)
            return l;
    return NULL;
}

static void locks_release(struct ps_txns *t, struct ps_txn_entry *e)
{
    ps_mutex_lock(&t->lock_mtx);
    while (e->locks) {
        struct ps_page_lock *l = e->locks;
        struct ps_page_lock **at = &t->buckets[lock_bucket(&l->tag)];

        while (*at != l)
            at = &(*at)->bucket_next;
        *at = l->bucket_next;
        e->locks = l->owner_next;
        free(l);
        t->lock_count--;
    }
    ps_cond_broadcast(&t->lock_cond);
    ps_mutex_unlock(&t->lock_mtx);
}

void ps_txns_end(struct ps_txns *t, struct ps_txn_entry *e)
{
    locks_release(t, e);
    ps_mutex_lock(&t->list_mtx);
    *e->link = e->next;
    if (e->next)
        e->next->link = e->link;
    t->active_count--;
    ps_mutex_unlock(&t->list_mtx);
    e->ended = true;
    ps_txn_unref(t, e);
}

void ps_txn_unref(struct ps_txns *t, struct ps_txn_entry *e)
{
    bool last;

    ps_mutex_lock(&t->list_mtx);
    assert(e->refs > 0);
    last = --e->refs == 0;
    ps_mutex_unlock(&t->list_mtx);
    if (last)
        free_entry(e);
}

struct ps_txn_entry *ps_txns_find_hog(struct ps_txns *t, uint64_t pos)
{
    struct ps_txn_entry *e;

    ps_rwlock_wrlock(&t->table_lock); /* nobody's first_pos changes */
    ps_mutex_lock(&t->list_mtx);
    for (e = t->active; e; e = e->next)
        if (e->doomed || (e->log.first_pos && e->log.first_pos < pos))
            break;
    if (e)
        e->refs++;
    ps_mutex_unlock(&t->list_mtx);
    ps_rwlock_unlock(&t->table_lock);
    return e;
}

static uint64_t deadline_after_ms(uint32_t ms)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u + ms * 1000u;
}

/* Waits, with lock_mtx held, until nobody but self has the page. */
static ps_err lock_wait(struct ps_txns *t, const struct ps_txn_entry *self,
                        const struct ps_tag *tag, struct ps_cancel *cancel)
{
    uint64_t deadline = deadline_after_ms(t->lock_wait_ms);
    bool in_time = true;
    struct ps_page_lock *l;

    while ((l = lock_find(t, tag)) && l->owner != self) {
        if (ps_cancel_raised(cancel))
            return ps_fail(PS_ERR_INTERRUPTED, "interrupted while waiting for a page's lock");
        if (!in_time)
            return ps_fail(PS_ERR_CONFLICT, "page %u of table %u is locked by transaction %llu",
                           tag->page, tag->table, (unsigned long long)l->owner->log.id);
        in_time = ps_cond_wait_until(&t->lock_cond, &t->lock_mtx, deadline);
    }
    return PS_OK;
}

ps_err ps_page_lock(struct ps_txns *t, struct ps_txn_entry *e, const struct ps_tag *tag,
                    struct ps_cancel *cancel)
{
    struct ps_page_lock *fresh = calloc(1, sizeof(*fresh));
    ps_err err;

    if (!fresh)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page lock");
    ps_mutex_lock(&t->lock_mtx);
    err = lock_wait(t, e, tag, cancel);
    if (!err && !lock_find(t, tag)) {
        struct ps_page_lock **bucket = &t->buckets[lock_bucket(tag)];

        *fresh = (struct ps_page_lock){
            .tag = *tag, .owner = e, .bucket_next = *bucket, .owner_next = e->locks};
        *bucket = fresh;
        e->locks = fresh;
        t->lock_count++;
        fresh = NULL;
    }
    ps_mutex_unlock(&t->lock_mtx);
    free(fresh);
    return err;
}

bool ps_page_locked(struct ps_txns *t, const struct ps_txn_entry *self, const struct ps_tag *tag)
{
    struct ps_page_lock *l;
    bool locked;

    if (t->lock_count == 0)
        return false;
    ps_mutex_lock(&t->lock_mtx);
    l = lock_find(t, tag);
    locked = l && l->owner != self;
    ps_mutex_unlock(&t->lock_mtx);
    return locked;
}

/* Any lock in the range. */
static const struct ps_page_lock *find_in_range(const struct ps_txns *t, uint32_t table,
                                                uint32_t first, uint32_t last)
{
    const struct ps_page_lock *l;
    size_t i;

    ps_assert_held(&t->lock_mtx);
    for (i = 0; i < PS_PAGE_LOCK_BUCKETS; i++)
        for (l = t->buckets[i]; l; l = l->bucket_next)
            if (l->tag.table == table && l->tag.page >= first && l->tag.page <= last)
                return l;
    return NULL;
}

bool ps_range_locked(struct ps_txns *t, uint32_t table, uint32_t first, uint32_t last)
{
    bool locked;

    if (t->lock_count == 0)
        return false;
    ps_mutex_lock(&t->lock_mtx);
    locked = find_in_range(t, table, first, last) != NULL;
    ps_mutex_unlock(&t->lock_mtx);
    return locked;
}

ps_err ps_range_lock_wait(struct ps_txns *t, uint32_t table, uint32_t first, uint32_t last,
                          struct ps_cancel *cancel)
{
    uint64_t deadline = deadline_after_ms(t->lock_wait_ms);
    const struct ps_page_lock *l;
    bool in_time = true;
    ps_err err = PS_OK;

    ps_mutex_lock(&t->lock_mtx);
    while (!err && (l = find_in_range(t, table, first, last)) != NULL) {
        if (ps_cancel_raised(cancel))
            err = ps_fail(PS_ERR_INTERRUPTED, "interrupted while waiting for a page's lock");
        else if (!in_time)
            err = ps_fail(PS_ERR_CONFLICT, "page %u of table %u is locked by transaction %llu",
                          l->tag.page, table, (unsigned long long)l->owner->log.id);
        else
            in_time = ps_cond_wait_until(&t->lock_cond, &t->lock_mtx, deadline);
    }
    ps_mutex_unlock(&t->lock_mtx);
    return err;
}

ps_err ps_page_lock_wait(struct ps_txns *t, const struct ps_txn_entry *self,
                         const struct ps_tag *tag, struct ps_cancel *cancel)
{
    ps_err err;

    ps_mutex_lock(&t->lock_mtx);
    err = lock_wait(t, self, tag, cancel);
    ps_mutex_unlock(&t->lock_mtx);
    return err;
}
