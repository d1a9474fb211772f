/*
 * readahead.c - pages are loaded before a sequential reader asks for them.
 *
 * A table remembers where its last few readers stopped. One that goes on there is sequential: a
 * window of pages before it is loaded by threads of the store, in pieces, while the reader is busy
 * with what it has. The window doubles each time its half is used up, as long as the pattern
 * holds, to a share of the pool. Readers whose pages are all resident cost a look at one
 * page in half a window.
 *
 * A scan of a large table lets go of the pages it has read and goes on in the same frames: it
 * evicts nothing that others use, and a new pool need not find memory for all of the table, which
 * takes longer than reading it. Once somebody comes back to pages that were let go, this ends for
 * the table: one that is read again and again stays in the pool. It is done only for files that
 * others made, where pages are clean and most readers come once.
 *
 * Nobody waits for this work: it takes frames only where there are plenty, is forgotten where more
 * is asked for than the threads get done, and what it could not load the reader loads.
 */
#include <stdlib.h>

#include "base/thread.h"
#include "store/store_internal.h"

#define THREADS 4u /* so that some read while others check sums */
#define WINDOW_BYTES_MIN (256u << 10)
#define WINDOW_BYTES_MAX (4u << 20)
#define WINDOW_POOL_SHARE 4u /* of the pool's frames: less leaves the disk idle in small pools */
#define PIECE_BYTES (256u << 10) /* checked while it is in the cache; the disk has several */
#define PIECES_MAX 32u
#define SCAN_POOL_SHARE 4u /* of the pool's frames: a table with more pages is large */

struct piece {
    struct ps_table *table; /* a reference */
    uint64_t first;
    uint32_t count;
};

struct ps_readahead {
    struct ps_store *s;
    uint32_t window_min, window_max, piece_pages; /* in pages */
    struct ps_mutex mtx;                          /* rank LEAF */
    struct ps_cond cond;                          /* a piece came, or stop */
    struct piece queue[PIECES_MAX];               /* guarded by mtx, as what follows */
    uint32_t queue_head, queue_count;
    bool stop;
    pthread_t threads[THREADS];
    uint32_t thread_count;
};

/* --- streams: sequential readers ------------------------------------------------------------ */

/* The stream that [first, first + count) continues: it may begin in the last page of the read
 * before, where spaces have no page bounds. */
static struct ps_stream *find_stream(struct ps_table *t, uint64_t first, uint32_t count)
{
    uint32_t i;

    ps_assert_held(&t->streams_mtx);
    for (i = 0; i < PS_STREAMS; i++) {
        struct ps_stream *st = &t->streams[i];

        if (st->next > 0 && (st->next == first || st->next == first + 1) &&
            first + count > st->next)
            return st;
    }
    return NULL;
}

/* A first read, which may be the first of many. */
static void begin_stream(struct ps_table *t, uint64_t first, uint32_t count)
{
    t->streams[t->stream_turn] = (struct ps_stream){
        .next = first + count, .ahead = first + count, .last = first, .behind = first};
    t->stream_turn = (t->stream_turn + 1) % PS_STREAMS;
    if (first < t->let_go_end)
        t->read_again = true;
}

/* Moves the stream on to `next`; true if [ret_from, ret_to) should be loaded. */
static bool advance(const struct ps_readahead *ra, struct ps_stream *st, uint64_t next,
                    uint64_t end, uint64_t *ret_from, uint64_t *ret_to)
{
    st->next = next;
    if (st->ahead < next)
        st->ahead = next;
    if (st->window > 0 && st->ahead - next > st->window / 2)
        return false;
    st->window = st->window == 0 ? ra->window_min : st->window * 2;
    if (st->window > ra->window_max)
        st->window = ra->window_max;
    *ret_from = st->ahead;
    *ret_to = next + st->window < end ? next + st->window : end;
    if (*ret_from >= *ret_to)
        return false;
    st->ahead = *ret_to;
    return true;
}

/* --- scans: pages that nobody will come back to ---------------------------------------------- */

static bool is_scan(const struct ps_readahead *ra, const struct ps_table *t,
                    const struct ps_stream *st)
{
    return t->foreign && !t->read_again && st->window == ra->window_max &&
           t->pages_end > ps_pool_frames(ra->s->pool) / SCAN_POOL_SHARE;
}

/* The stream goes on at `first`. True if it is a scan that leaves [ret_from, ret_to) behind: at
 * least a piece, and without the read before, whose pages may still be on their way to the reader.
 */
static bool leaves_behind(const struct ps_readahead *ra, struct ps_table *t, struct ps_stream *st,
                          uint64_t first, uint64_t *ret_from, uint64_t *ret_to)
{
    const uint64_t to = st->last;

    st->last = first;
    if (!is_scan(ra, t, st) || to < st->behind + ra->piece_pages)
        return false;
    *ret_from = st->behind;
    *ret_to = to;
    st->behind = to;
    if (t->let_go_end < to)
        t->let_go_end = to;
    return true;
}

/* --- pieces: what is to be loaded ----------------------------------------------------------- */

static bool is_resident(struct ps_table *t, uint64_t page_no)
{
    const struct ps_tag tag = {.table = t->id, .page = (uint32_t)page_no};
    struct ps_frame_info info;

    return ps_pool_peek(t->store->pool, &tag, &info);
}

static void ask(struct ps_readahead *ra, struct ps_table *t, uint64_t from, uint64_t to)
{
    ps_mutex_lock(&ra->mtx);
    while (from < to && ra->queue_count < PIECES_MAX && !ra->stop) {
        uint64_t left = to - from;
        uint32_t count = left < ra->piece_pages ? (uint32_t)left : ra->piece_pages;

        t->refs++;
        ra->queue[(ra->queue_head + ra->queue_count++) % PIECES_MAX] =
            (struct piece){.table = t, .first = from, .count = count};
        from += count;
    }
    ps_cond_broadcast(&ra->cond);
    ps_mutex_unlock(&ra->mtx);
}

void ps_readahead_note(struct ps_table *t, uint64_t first, uint32_t count, bool missing)
{
    struct ps_readahead *ra = t->store->readahead;
    struct ps_stream *st;
    uint64_t from = 0, to = 0, left_from = 0, left_to = 0;
    bool wanted = false, leaves = false;

    if (!ra)
        return;
    ps_mutex_lock(&t->streams_mtx);
    st = find_stream(t, first, count);
    if (st) {
        wanted = advance(ra, st, first + count, t->pages_end, &from, &to);
        leaves = leaves_behind(ra, t, st, first, &left_from, &left_to);
    } else if (missing) {
        begin_stream(t, first, count);
    }
    ps_mutex_unlock(&t->streams_mtx);
    if (leaves) /* first: what is loaded next goes into these frames */
        ps_pool_let_go(t->store->pool, 0, t->id, PS_FORK_DATA, (uint32_t)left_from,
                       (uint32_t)left_to - 1);
    if (wanted && !(is_resident(t, from) && is_resident(t, to - 1)))
        ask(ra, t, from, to);
}

/* --- threads -------------------------------------------------------------------------------- */

/* The tags of those pages that lie on disk. */
static uint32_t tags_on_disk(struct ps_table *t, const struct piece *p, struct ps_tag *tags)
{
    struct ps_map_entry entries[PS_LOAD_BATCH_MAX];
    uint32_t i, n = 0;

    if (ps_map_get_range(&t->map, (uint32_t)p->first, p->count, entries))
        return 0; /* the reader will hear of it */
    for (i = 0; i < p->count; i++)
        if (entries[i].state == PS_USED || entries[i].state == PS_ZERO)
            tags[n++] = (struct ps_tag){.table = t->id, .page = (uint32_t)p->first + i};
    return n;
}

/* Under the table's lock, as a reader would: no page comes or goes meanwhile. */
static void load_piece(struct ps_store *s, const struct piece *p)
{
    const uint32_t frames = p->count + PS_LOAD_FRAMES + PS_MAP_READ_FRAMES;
    struct ps_tag tags[PS_LOAD_BATCH_MAX];
    struct ps_table *t = p->table;
    uint32_t n = 0;

    if (!ps_pool_try_reserve(s->pool, frames))
        return;
    ps_rwlock_rdlock(&t->alloc_lock);
    if (!t->dropped)
        n = tags_on_disk(t, p, tags);
    if (n > 0)
        (void)ps_pool_load_ahead(s->pool, tags, n);
    ps_rwlock_unlock(&t->alloc_lock);
    ps_pool_release(s->pool, frames);
}

/* Waits for a piece; false: stop. */
static bool take_piece(struct ps_readahead *ra, struct piece *ret)
{
    bool taken = false;

    ps_mutex_lock(&ra->mtx);
    while (ra->queue_count == 0 && !ra->stop)
        ps_cond_wait(&ra->cond, &ra->mtx);
    if (!ra->stop) {
        *ret = ra->queue[ra->queue_head];
        ra->queue_head = (ra->queue_head + 1) % PIECES_MAX;
        ra->queue_count--;
        taken = true;
    }
    ps_mutex_unlock(&ra->mtx);
    return taken;
}

static void *readahead_main(void *arg)
{
    struct ps_readahead *ra = arg;
    struct piece p;

    while (take_piece(ra, &p)) {
        load_piece(ra->s, &p);
        ps_table_unref(p.table);
    }
    return NULL;
}

static uint32_t at_least_one(uint64_t pages)
{
    return pages > 0 ? (uint32_t)pages : 1;
}

static void set_sizes(struct ps_readahead *ra)
{
    const struct ps_store *s = ra->s;
    uint32_t share = ps_pool_frames(s->pool) / WINDOW_POOL_SHARE;

    ra->window_max = at_least_one(WINDOW_BYTES_MAX / s->page_size);
    if (ra->window_max > share)
        ra->window_max = at_least_one(share);
    ra->window_min = at_least_one(WINDOW_BYTES_MIN / s->page_size);
    if (ra->window_min > ra->window_max)
        ra->window_min = ra->window_max;
    ra->piece_pages = at_least_one(PIECE_BYTES / s->page_size);
    if (ra->piece_pages > PS_LOAD_BATCH_MAX)
        ra->piece_pages = PS_LOAD_BATCH_MAX;
}

static ps_err start_threads(struct ps_readahead *ra)
{
    ps_err err = PS_OK;

    while (!err && ra->thread_count < THREADS) {
        if (ps_thread_start(&ra->threads[ra->thread_count], readahead_main, ra) != 0)
            err = ps_fail(PS_ERR_NOMEM, "cannot start a thread that reads ahead");
        else
            ra->thread_count++;
    }
    return err;
}

ps_err ps_readahead_start(struct ps_store *s)
{
    struct ps_readahead *ra = calloc(1, sizeof(*ra));

    if (!ra)
        return ps_fail(PS_ERR_NOMEM, "no memory for reading ahead");
    ra->s = s;
    set_sizes(ra);
    ps_mutex_init(&ra->mtx, PS_RANK_LEAF, "readahead.mtx");
    ps_cond_init(&ra->cond);
    s->readahead = ra;
    return start_threads(ra); /* what was started is stopped by whoever closes the store */
}

void ps_readahead_stop(struct ps_store *s)
{
    struct ps_readahead *ra = s->readahead;
    uint32_t i;

    ps_mutex_lock(&ra->mtx);
    ra->stop = true;
    ps_cond_broadcast(&ra->cond);
    ps_mutex_unlock(&ra->mtx);
    for (i = 0; i < ra->thread_count; i++)
        (void)pthread_join(ra->threads[i], NULL);
    for (i = 0; i < ra->queue_count; i++)
        ps_table_unref(ra->queue[(ra->queue_head + i) % PIECES_MAX].table);
    s->readahead = NULL;
    ps_cond_deinit(&ra->cond);
    ps_mutex_deinit(&ra->mtx);
    free(ra);
}
