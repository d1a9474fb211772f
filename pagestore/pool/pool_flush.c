/*
 * pool_flush.c - writing many pages: for a checkpoint, and ahead of eviction.
 */
#include "pool/pool_internal.h"

#include <stdlib.h>

/* A page to be written, as it was found. */
struct flush_entry {
    struct ps_pool_key key;
    uint32_t frame;
    uint32_t version;
};

struct flush_run {
    struct ps_pool *pool;
    uint32_t batch_pages;
    struct ps_cancel *cancel;
    const struct ps_flush *what; /* NULL: no pacing */
    uint32_t done;
    uint32_t total;
    ps_err stop; /* what makes it senseless to go on */
    struct ps_write_batch batch;
};

static int entry_cmp(const void *a, const void *b)
{
    const struct flush_entry *x = a, *y = b;

    return ps_pool_key_cmp(&x->key, &y->key);
}

static struct flush_entry entry_of(const struct ps_pool *pool, const struct ps_frame *f)
{
    return (struct flush_entry){
        .key = ps_pool_key(&f->page.tag),
        .frame = ps_frame_no(pool, f),
        .version = ps_st_version(ps_frame_state(f)),
    };
}

static void run_init(struct flush_run *run, struct ps_pool *pool, const char *reason,
                     struct ps_cancel *cancel)
{
    run->pool = pool;
    run->batch_pages = pool->batch_pages;
    run->cancel = cancel;
    run->what = NULL;
    run->done = 0;
    run->total = 0;
    run->stop = PS_OK;
    ps_write_batch_init(&run->batch, reason);
}

static void write_batch(struct flush_run *run)
{
    ps_write_batch_run(run->pool, &run->batch, run->cancel);
    if (run->batch.err == PS_ERR_POISONED || run->batch.err == PS_ERR_INTERRUPTED)
        run->stop = run->batch.err;
    else if (ps_cancel_raised(run->cancel))
        run->stop = ps_fail(PS_ERR_INTERRUPTED, "interrupted while writing pages");
    if (!run->stop && run->what && run->what->pace)
        run->what->pace(run->what->ctx, run->done, run->total);
}

/* Puts a page into the batch. The pin is for the time of copying only: from then on WRITING keeps
 * the frame. A frame that holds another page now was written or dropped before. */
static enum ps_batch_add add_entry(struct flush_run *run, const struct flush_entry *e)
{
    struct ps_pool *pool = run->pool;
    struct ps_frame *f = &pool->frames[e->frame];
    enum ps_batch_add added;

    if (!ps_frame_pin_version(f, e->version))
        return PS_BATCH_CLEAN;
    added = ps_write_batch_add(pool, &run->batch, f);
    ps_pool_unpin_frame(pool, f);
    return added;
}

/* Waits for whatever keeps a page from being added. The batch is empty, so nobody waits for this
 * thread. */
static void wait_for_entry(struct flush_run *run, const struct flush_entry *e,
                           enum ps_batch_add why)
{
    struct ps_pool *pool = run->pool;
    struct ps_frame *f = &pool->frames[e->frame];

    assert(run->batch.count == 0);
    if (!ps_frame_pin_version(f, e->version))
        return;
    run->stop = ps_pool_wait_writable(pool, f, why, run->cancel);
    ps_pool_unpin_frame(pool, f);
}

/* Adds it, after writing the batch where that gives back the copies it lacks. */
static enum ps_batch_add add_ready(struct flush_run *run, const struct flush_entry *e)
{
    enum ps_batch_add added = add_entry(run, e);

    if (added != PS_BATCH_NO_COPY || run->batch.count == 0)
        return added;
    write_batch(run);
    return run->stop ? added : add_entry(run, e);
}

/* How many entries to leave for later, this one included, where it cannot be added now. Another
 * thread that writes pages goes through them in the same order: two that took what the other left,
 * page by page, would both write single pages. So one of them goes on a batch further. */
static uint32_t leave_count(const struct flush_run *run, enum ps_batch_add why)
{
    return why == PS_BATCH_LATCHED ? 1 : run->batch_pages;
}

/* Writes what can be written without waiting; moves the others to the front and returns how many
 * they are. */
static uint32_t write_ready(struct flush_run *run, struct flush_entry *entries, uint32_t count)
{
    uint32_t i = 0, left = 0, leave;

    while (i < count && !run->stop) {
        enum ps_batch_add added = add_ready(run, &entries[i]);

        if (added <= PS_BATCH_CLEAN) {
            run->done++;
            i++;
        } else {
            for (leave = leave_count(run, added); leave > 0 && i < count; leave--)
                entries[left++] = entries[i++];
        }
        if (run->batch.count == run->batch_pages)
            write_batch(run);
    }
    if (run->batch.count > 0)
        write_batch(run);
    return left;
}

/* Pages that were latched or being written, or lay among such. Each is waited for once: what is
 * dirty then is written, and what has become dirty since may wait for the next flush. */
static void write_busy(struct flush_run *run, const struct flush_entry *entries, uint32_t count)
{
    enum ps_batch_add added;
    uint32_t i;

    for (i = 0; i < count && !run->stop; i++) {
        while (!run->stop && (added = add_entry(run, &entries[i])) > PS_BATCH_CLEAN) {
            if (run->batch.count > 0)
                write_batch(run);
            else
                wait_for_entry(run, &entries[i], added);
        }
        run->done++;
        if (run->batch.count == run->batch_pages)
            write_batch(run);
    }
    if (run->batch.count > 0)
        write_batch(run);
}

/* --- a checkpoint's flush ------------------------------------------------------------------- */

static bool matches(struct ps_pool *pool, const struct ps_frame *f, const struct ps_flush *what)
{
    const struct ps_frame_cold *cold = ps_frame_cold(pool, f);
    bool writing = ps_frame_state(f) & PS_ST_WRITING;

    ps_assert_held(&pool->dirty_mtx);
    if ((writing ? cold->writing_rec_lsn : cold->rec_lsn) >= what->rec_lsn_below)
        return false;
    if (what->data_only && f->page.tag.fork != PS_FORK_DATA)
        return false;
    return !what->one_table || f->page.tag.table == what->table;
}

/* A batch is copied and sealed in one go, by a thread that the scheduler does not interrupt for
 * another's request: 64 pages of 8 KiB took a quarter of a millisecond, which showed in readers'
 * p99.9. */
#define GENTLE_BYTES (256u * 1024u)

static uint32_t gentle_pages(const struct ps_pool *pool)
{
    uint32_t pages = GENTLE_BYTES / pool->page_size;

    if (pages == 0)
        return 1;
    return pages < pool->batch_pages ? pages : pool->batch_pages;
}

/* The dirty list as it is now. Frames on it stay what they are while dirty_mtx is held. */
static ps_err collect(struct ps_pool *pool, const struct ps_flush *what,
                      struct flush_entry **ret_entries, uint32_t *ret_count)
{
    struct flush_entry *entries = NULL;
    uint32_t room = 0, count = 0;
    uint32_t no;

    ps_mutex_lock(&pool->dirty_mtx);
    while (room < pool->listed_count) {
        room = pool->listed_count;
        ps_mutex_unlock(&pool->dirty_mtx);
        free(entries);
        entries = malloc(room * sizeof(*entries));
        if (!entries)
            return ps_fail(PS_ERR_NOMEM, "no memory for a list of %u dirty pages", room);
        ps_mutex_lock(&pool->dirty_mtx);
    }
    for (no = pool->dirty_head; no != PS_NO_FRAME; no = pool->cold[no].dirty_next) {
        if (matches(pool, &pool->frames[no], what))
            entries[count++] = entry_of(pool, &pool->frames[no]);
    }
    ps_mutex_unlock(&pool->dirty_mtx);
    *ret_entries = entries;
    *ret_count = count;
    return PS_OK;
}

ps_err ps_pool_flush(struct ps_pool *pool, const struct ps_flush *what, struct ps_cancel *cancel)
{
    struct flush_entry *entries = NULL;
    struct flush_run run;
    uint32_t count = 0;
    ps_err err;

    err = collect(pool, what, &entries, &count);
    if (err)
        return err;
    if (count > 1)
        qsort(entries, count, sizeof(*entries), entry_cmp);
    run_init(&run, pool, "flush", cancel);
    run.what = what;
    run.total = count;
    if (what->gentle)
        run.batch_pages = gentle_pages(pool);
    count = write_ready(&run, entries, count);
    write_busy(&run, entries, count);
    free(entries);
    return run.stop ? run.stop : run.batch.err;
}

/* --- the cleaner ---------------------------------------------------------------------------- */

/* Of the pool: so much of it may be dirty, and so much log be written since a page's last change,
 * before it is written ahead of any need. */
#define SETTLED_SHARE 8u

/* Frames that eviction would come to soon, soonest first: none while enough are free. */
static uint32_t upcoming(struct ps_pool *pool, uint32_t *frames, uint32_t max)
{
    uint32_t count = 0;

    ps_mutex_lock(&pool->policy_mtx);
    if (pool->free_count <= pool->clean_every)
        count = pool->evict->ops->upcoming(pool->evict, frames, max);
    ps_mutex_unlock(&pool->policy_mtx);
    return count;
}

/* Of these, the first `max` that are dirty and idle. */
static uint32_t pick_dirty(struct ps_pool *pool, const uint32_t *frames, uint32_t count,
                           struct flush_entry *entries, uint32_t max)
{
    uint32_t i, picked = 0;

    ps_mutex_lock(&pool->dirty_mtx);
    for (i = 0; i < count && picked < max; i++) {
        const struct ps_frame *f = &pool->frames[frames[i]];

        if (ps_st_idle_dirty(ps_frame_state(f)))
            entries[picked++] = entry_of(pool, f);
    }
    ps_mutex_unlock(&pool->dirty_mtx);
    return picked;
}

/* Has the page been left alone while the log went on, up to durable? One that was written for that
 * reason before, and has changed since, is not trusted so soon again: as long as it keeps changing
 * it would be written in vain. */
static bool is_settled(const struct ps_pool *pool, const struct ps_frame *f, uint64_t durable)
{
    uint64_t quiet = (uint64_t)pool->frame_count * pool->page_size;

    if (pool->cold[ps_frame_no(pool, f)].settled_version != ps_st_version(ps_frame_state(f)) + 1)
        quiet /= SETTLED_SHARE;
    return __atomic_load_n(&f->page.lsn, __ATOMIC_RELAXED) + quiet < durable;
}

/* Pages that were changed and then left alone, while the log went on: what a bulk load leaves
 * behind. Those that change again and again are not among them, whatever becomes of the log. */
static uint32_t pick_settled(struct ps_pool *pool, struct flush_entry *entries, uint32_t max)
{
    uint32_t no, looked = 0, picked = 0;
    uint64_t durable;

    if (pool->dirty_count <= pool->frame_count / SETTLED_SHARE)
        return 0;
    durable = ps_wal_durable_lsn(pool->wal);
    ps_mutex_lock(&pool->dirty_mtx);
    for (no = pool->dirty_head; no != PS_NO_FRAME && looked < PS_POOL_UPCOMING_MAX && picked < max;
         no = pool->cold[no].dirty_next, looked++) {
        const struct ps_frame *f = &pool->frames[no];

        if (!ps_st_idle_dirty(ps_frame_state(f)) || !is_settled(pool, f, durable))
            continue;
        entries[picked] = entry_of(pool, f);
        pool->cold[no].settled_version = entries[picked++].version + 1;
    }
    ps_mutex_unlock(&pool->dirty_mtx);
    return picked;
}

/* What to write next, at most `max` pages, sorted: first what eviction waits for. */
static uint32_t pick(struct ps_pool *pool, struct flush_entry *entries, uint32_t max)
{
    uint32_t frames[PS_POOL_UPCOMING_MAX];
    uint32_t count = upcoming(pool, frames, PS_POOL_UPCOMING_MAX);

    count = pick_dirty(pool, frames, count, entries, max);
    if (count == 0)
        count = pick_settled(pool, entries, max);
    qsort(entries, count, sizeof(*entries), entry_cmp);
    return count;
}

uint32_t ps_pool_clean_step(struct ps_pool *pool, uint32_t max)
{
    struct flush_entry entries[PS_POOL_BATCH_MAX];
    struct flush_run run;
    uint32_t before, left, count;

    run_init(&run, pool, "cleaner", NULL);
    do {
        before = run.batch.written;
        left = max - before;
        count = pick(pool, entries, left < pool->batch_pages ? left : pool->batch_pages);
        (void)write_ready(&run, entries, count); /* what is busy is not worth waiting for */
    } while (run.batch.written > before && run.batch.written < max && !run.batch.err);
    atomic_fetch_add(&pool->counters.cleaner_pages, run.batch.written);
    return run.batch.written;
}
