/*
 * pool_writeback.c - the dirty list, and the way of a page to its file.
 *
 * A page is written as a copy: under the shared latch it is copied, its frame goes from DIRTY to
 * WRITING in the same step, and the latch is let go. Then the copy is sealed, the log made durable
 * up to the copy's LSN, the copy stored. Whoever changes the page meanwhile makes it DIRTY again,
 * and that survives the end of the write. A write that fails gives the frame back the older of
 * the two rec_lsn, since none of both changes is in the file.
 */
#include "pool/pool_internal.h"

#include <string.h>

/* --- the dirty list ------------------------------------------------------------------------- */

static void list_append(struct ps_pool *pool, uint32_t no)
{
    struct ps_frame_cold *cold = &pool->cold[no];

    ps_assert_held(&pool->dirty_mtx);
    cold->dirty_prev = pool->dirty_tail;
    cold->dirty_next = PS_NO_FRAME;
    if (pool->dirty_tail == PS_NO_FRAME)
        pool->dirty_head = no;
    else
        pool->cold[pool->dirty_tail].dirty_next = no;
    pool->dirty_tail = no;
    pool->listed_count++;
}

static void list_remove(struct ps_pool *pool, uint32_t no)
{
    const struct ps_frame_cold *cold = &pool->cold[no];

    ps_assert_held(&pool->dirty_mtx);
    assert(pool->listed_count > 0);
    if (cold->dirty_prev == PS_NO_FRAME)
        pool->dirty_head = cold->dirty_next;
    else
        pool->cold[cold->dirty_prev].dirty_next = cold->dirty_next;
    if (cold->dirty_next == PS_NO_FRAME)
        pool->dirty_tail = cold->dirty_prev;
    else
        pool->cold[cold->dirty_next].dirty_prev = cold->dirty_prev;
    pool->listed_count--;
}

/* Under dirty_mtx, which is what DIRTY changes under; pins may change all the same. */
static void set_dirty(struct ps_pool *pool, struct ps_frame *f, uint64_t rec_lsn)
{
    uint64_t old = atomic_fetch_or(f->state, PS_ST_DIRTY);

    assert(!(old & PS_ST_DIRTY));
    ps_frame_cold(pool, f)->rec_lsn = rec_lsn;
    pool->dirty_count++;
    if (!(old & PS_ST_WRITING))
        list_append(pool, ps_frame_no(pool, f));
}

void ps_pool_forget_dirty(struct ps_pool *pool, struct ps_frame *f)
{
    uint64_t old;

    ps_assert_held(&pool->dirty_mtx);
    old = atomic_fetch_and(f->state, ~PS_ST_DIRTY);
    assert(!(old & PS_ST_WRITING));
    if (!(old & PS_ST_DIRTY))
        return;
    pool->dirty_count--;
    list_remove(pool, ps_frame_no(pool, f));
}

void ps_pool_mark_dirty(struct ps_pool *pool, struct ps_page *page, uint64_t rec_lsn)
{
    struct ps_frame *f = ps_frame_of(page);
    uint64_t state = ps_frame_state(f);

    assert(pool->wal);
    assert(ps_st_pins(state) > 0);
    if (state & PS_ST_LOADING)
        ps_pool_publish(pool, f, 0);
    else if (state & PS_ST_DIRTY)
        return; /* its rec_lsn is older; the latch keeps writers-back from clearing DIRTY */
    ps_mutex_lock(&pool->dirty_mtx);
    if (!(ps_frame_state(f) & (PS_ST_DETACHED | PS_ST_DIRTY))) /* a write may have failed since */
        set_dirty(pool, f, rec_lsn);
    ps_mutex_unlock(&pool->dirty_mtx);
}

void ps_pool_changed(struct ps_pool *pool, struct ps_page *page, uint64_t lsn)
{
    struct ps_frame *f = ps_frame_of(page);

    (void)pool;
    assert(!(ps_frame_state(f) & PS_ST_LOADING));        /* mark_dirty comes first */
    __atomic_store_n(&page->lsn, lsn, __ATOMIC_RELAXED); /* frame_info reads it without latch */
    if (ps_frame_state(f) & PS_ST_SEALED)
        atomic_fetch_and(f->state, ~PS_ST_SEALED);
}

/* --- batches -------------------------------------------------------------------------------- */

void ps_write_batch_init(struct ps_write_batch *b, const char *reason)
{
    b->reason = reason;
    b->count = 0;
    b->lsn = 0;
    b->err = PS_OK;
    b->written = 0;
}

/* From DIRTY to WRITING, with a buffer for the copy. */
static enum ps_batch_add begin_write(struct ps_pool *pool, struct ps_frame *f, uint32_t *ret_copy)
{
    struct ps_frame_cold *cold = ps_frame_cold(pool, f);
    enum ps_batch_add added = PS_BATCH_ADDED;
    uint64_t state;

    ps_mutex_lock(&pool->dirty_mtx);
    state = ps_frame_state(f);
    if (state & PS_ST_WRITING) {
        added = PS_BATCH_WRITING;
    } else if (!(state & PS_ST_DIRTY)) {
        added = PS_BATCH_CLEAN;
    } else if (pool->free_copy_count == 0) {
        added = PS_BATCH_NO_COPY;
    } else {
        *ret_copy = pool->free_copies[--pool->free_copy_count];
        cold->writing_rec_lsn = cold->rec_lsn;
        atomic_fetch_add(f->state, PS_ST_WRITING - PS_ST_DIRTY);
        pool->dirty_count--;
        if (++pool->writing_count > pool->writing_max)
            pool->writing_max = pool->writing_count;
    }
    ps_mutex_unlock(&pool->dirty_mtx);
    return added;
}

static void *copy_buf(struct ps_pool *pool, uint32_t copy)
{
    return pool->copy_arena.base + (size_t)copy * pool->page_size;
}

enum ps_batch_add ps_write_batch_add(struct ps_pool *pool, struct ps_write_batch *b,
                                     struct ps_frame *f)
{
    struct ps_frame_cold *cold = ps_frame_cold(pool, f);
    struct ps_store_page *p = &b->pages[b->count];
    struct ps_provider *provider = pool->providers[f->page.tag.provider];
    enum ps_batch_add added;
    bool sealed;

    assert(b->count < pool->batch_pages);
    if (!ps_rwlock_tryrdlock(&cold->latch))
        return PS_BATCH_LATCHED;
    added = begin_write(pool, f, &b->copies[b->count]);
    if (added != PS_BATCH_ADDED) {
        ps_rwlock_unlock(&cold->latch);
        return added;
    }
    *p = (struct ps_store_page){.tag = f->page.tag,
                                .fmt = f->page.fmt,
                                .buf = copy_buf(pool, b->copies[b->count]),
                                .lsn = f->page.lsn};
    memcpy(p->buf, f->page.data, pool->page_size);
    sealed = ps_frame_state(f) & PS_ST_SEALED;
    ps_rwlock_unlock(&cold->latch);

    if (!sealed)
        provider->ops->seal(provider, &p->tag, p->fmt, p->buf);
    b->frames[b->count++] = ps_frame_no(pool, f);
    if (b->lsn < p->lsn)
        b->lsn = p->lsn;
    return PS_BATCH_ADDED;
}

/* The log rule: nothing is stored before the log is durable up to it, nothing in a poisoned
 * store. */
static ps_err may_store(struct ps_pool *pool, uint64_t lsn, struct ps_cancel *cancel)
{
    ps_err err = ps_poison_check(pool->poison);

    if (!err && lsn > ps_wal_durable_lsn(pool->wal))
        err = ps_wal_flush(pool->wal, lsn, cancel);
    if (!err)
        err = ps_poison_check(pool->poison);
    return err;
}

static void store_pages(struct ps_pool *pool, struct ps_write_batch *b)
{
    uint32_t i, n;

    for (i = 0; i < b->count; i += n) {
        uint16_t id = b->pages[i].tag.provider;
        struct ps_provider *provider = pool->providers[id];

        for (n = 1; i + n < b->count && b->pages[i + n].tag.provider == id; n++)
            continue;
        provider->ops->store(provider, &b->pages[i], n);
    }
}

/* From WRITING to clean, or to DIRTY if it was changed meanwhile or not written. In one step: a
 * frame that is neither for a moment may be evicted, which does not ask for dirty_mtx. */
static void end_write(struct ps_pool *pool, struct ps_frame *f, ps_err err)
{
    struct ps_frame_cold *cold = ps_frame_cold(pool, f);
    const uint64_t dirty = err ? PS_ST_DIRTY : 0;
    uint64_t old = ps_frame_state(f);

    ps_assert_held(&pool->dirty_mtx);
    assert(old & PS_ST_WRITING);
    if (err)
        cold->rec_lsn = cold->writing_rec_lsn;
    while (!atomic_compare_exchange_weak(f->state, &old, (old & ~PS_ST_WRITING) | dirty))
        ;
    pool->writing_count--;
    list_remove(pool, ps_frame_no(pool, f));
    if ((old | dirty) & PS_ST_DIRTY)
        list_append(pool, ps_frame_no(pool, f));
    if (dirty && !(old & PS_ST_DIRTY))
        pool->dirty_count++;
}

static void end_batch(struct ps_pool *pool, struct ps_write_batch *b)
{
    uint32_t i;

    for (i = 0; i < b->count; i++)
        ps_pool_trace(pool, b->pages[i].err ? "write-error" : "write-back", b->reason,
                      &pool->frames[b->frames[i]]);
    ps_mutex_lock(&pool->dirty_mtx);
    for (i = 0; i < b->count; i++) {
        end_write(pool, &pool->frames[b->frames[i]], b->pages[i].err);
        pool->free_copies[pool->free_copy_count++] = b->copies[i];
    }
    assert(pool->free_copy_count <= pool->copy_count);
    ps_cond_broadcast(&pool->written_cond);
    ps_mutex_unlock(&pool->dirty_mtx);
    ps_pool_wake_victims(pool);
}

void ps_write_batch_run(struct ps_pool *pool, struct ps_write_batch *b, struct ps_cancel *cancel)
{
    uint32_t written = 0;
    uint32_t i;
    ps_err err;

    if (b->count == 0)
        return;
    err = may_store(pool, b->lsn, cancel);
    for (i = 0; i < b->count; i++)
        b->pages[i].err = err;
    if (!err)
        store_pages(pool, b);
    for (i = 0; i < b->count; i++) {
        written += !b->pages[i].err;
        if (!b->err)
            b->err = b->pages[i].err;
    }
    b->written += written;
    atomic_fetch_add(&pool->counters.write_batches, 1);
    atomic_fetch_add(&pool->counters.pages_written, written);
    atomic_fetch_add(&pool->counters.write_errors, b->count - written);
    end_batch(pool, b);
    b->count = 0;
    b->lsn = 0;
}

ps_err ps_pool_wait_writable(struct ps_pool *pool, struct ps_frame *f, enum ps_batch_add why,
                             struct ps_cancel *cancel)
{
    struct ps_frame_cold *cold = ps_frame_cold(pool, f);
    ps_err err = PS_OK;

    if (why == PS_BATCH_LATCHED) {
        ps_rwlock_rdlock(&cold->latch);
        ps_rwlock_unlock(&cold->latch);
        return PS_OK;
    }
    ps_mutex_lock(&pool->dirty_mtx);
    while (!err && (why == PS_BATCH_WRITING ? (ps_frame_state(f) & PS_ST_WRITING) != 0
                                            : pool->free_copy_count == 0))
        err = ps_wait(&pool->written_cond, &pool->dirty_mtx, cancel);
    ps_mutex_unlock(&pool->dirty_mtx);
    return err;
}
