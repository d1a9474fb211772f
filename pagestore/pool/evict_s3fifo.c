/*
 * evict_s3fifo.c - S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, "FIFO Queues are All You Need for
 * Cache Eviction", SOSP 2023).
 *
 * Pages come in through a small FIFO of a tenth of the frames. One that was hit twice there goes on
 * to the main FIFO; any other leaves, and its id is remembered: if it comes back in time, it goes
 * to the main FIFO at once. The main FIFO gives a frame another round for each unit of its usage.
 * Usage is kept, and raised on hits, by the pool, so a hit costs this policy nothing.
 *
 * Not in the paper: a page that was read ahead, and that nobody has asked for yet, is spared. A
 * sequential reader's window may be larger than the small FIFO, so that its pages would leave
 * before it comes to them, and be read twice. The small FIFO may grow at the main one's cost for
 * that long; what comes back from the ghosts to the main FIFO makes it small again.
 */
#include <stdlib.h>

#include "pool/evict_lists.h"
#include "pool/ghost.h"

enum { LIST_SMALL, LIST_MAIN };

/* Usage of a page that nobody has asked for yet, of one that has just come in, and from which on
 * one in the small FIFO stays. */
#define USAGE_AHEAD 0u
#define USAGE_FRESH 1u
#define USAGE_STAYS (USAGE_FRESH + 2u)

struct s3fifo {
    struct ps_evict base; /* first */
    const struct ps_evict_pool *pool;
    struct ps_lists lists;
    struct ps_ghost ghost;
    uint32_t small_max;
    uint32_t ahead_max; /* the small FIFO does not grow further for pages that were read ahead */
};

static void s3fifo_destroy(struct ps_evict *e)
{
    struct s3fifo *q = (struct s3fifo *)e;

    ps_ghost_deinit(&q->ghost);
    ps_lists_deinit(&q->lists);
    free(q);
}

static ps_err s3fifo_create(uint32_t frames, const struct ps_evict_pool *pool,
                            struct ps_evict **ret)
{
    struct s3fifo *q = calloc(1, sizeof(*q));
    ps_err err;

    if (!q)
        return ps_fail(PS_ERR_NOMEM, "no memory for the s3fifo policy");
    q->base.ops = &ps_evict_s3fifo;
    q->pool = pool;
    q->small_max = (frames + 9) / 10;
    q->ahead_max = frames / 2;
    err = ps_lists_init(&q->lists, frames);
    if (!err)
        err = ps_ghost_init(&q->ghost, frames - frames / 10); /* as many as main has */
    if (err)
        s3fifo_destroy(&q->base);
    else
        *ret = &q->base;
    return err;
}

static void s3fifo_inserted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    struct s3fifo *q = (struct s3fifo *)e;
    bool known = ps_ghost_take(&q->ghost, page_id);

    ps_lists_push(&q->lists, known ? LIST_MAIN : LIST_SMALL, frame);
}

static void s3fifo_adopted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    (void)page_id;
    ps_lists_push(&((struct s3fifo *)e)->lists, LIST_MAIN, frame);
}

static void s3fifo_removed(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted)
{
    struct s3fifo *q = (struct s3fifo *)e;

    if (evicted && q->lists.list_of[frame] == LIST_SMALL)
        ps_ghost_add(&q->ghost, page_id);
    ps_lists_remove(&q->lists, frame);
}

static void s3fifo_hit(struct ps_evict *e, uint32_t frame)
{
    (void)e;
    (void)frame;
}

/* What it did in the small FIFO does not count in the main one. */
static void promote(struct s3fifo *q, uint32_t frame)
{
    for (unsigned i = USAGE_FRESH; i < PS_USAGE_MAX; i++) {
        if (q->pool->usage(q->pool->ctx, frame) > USAGE_FRESH)
            (void)q->pool->usage_dec(q->pool->ctx, frame);
    }
    ps_lists_move(&q->lists, LIST_MAIN, frame);
}

/* The tail of the small FIFO: one that a reader will come to soon, and those behind it likewise. */
static bool is_spared(const struct s3fifo *q, unsigned usage)
{
    return usage == USAGE_AHEAD && q->lists.len[LIST_SMALL] < q->ahead_max;
}

/* Promotes those that stay, until the small FIFO has less than `share`; none is spared where that
 * is nothing. */
static uint32_t from_small(struct s3fifo *q, uint32_t share)
{
    const struct ps_evict_pool *pool = q->pool;
    uint32_t frame = q->lists.tail[LIST_SMALL];

    while (frame != PS_NO_FRAME && q->lists.len[LIST_SMALL] >= share) {
        const uint32_t next = q->lists.links[frame].newer;
        const bool can_go = pool->evictable(pool->ctx, frame);
        const unsigned usage = pool->usage(pool->ctx, frame);

        if (can_go && usage < USAGE_STAYS)
            return share > 0 && is_spared(q, usage) ? PS_NO_FRAME : frame;
        if (can_go || pool->in_use(pool->ctx, frame))
            promote(q, frame);
        frame = next;
    }
    return PS_NO_FRAME;
}

/* A frame in use keeps its usage and has another round. What is being written is passed. A round
 * in which nothing lost usage and nothing could go is the end. */
static uint32_t from_main(struct s3fifo *q)
{
    const struct ps_evict_pool *pool = q->pool;
    const uint32_t len = q->lists.len[LIST_MAIN];
    uint32_t frame = q->lists.tail[LIST_MAIN];
    uint32_t left = len;

    for (uint64_t steps = (PS_USAGE_MAX + 1ull) * len; steps > 0 && left > 0; steps--) {
        const uint32_t newer = q->lists.links[frame].newer;
        const uint32_t next = newer == PS_NO_FRAME ? q->lists.tail[LIST_MAIN] : newer;

        if (pool->evictable(pool->ctx, frame)) {
            if (pool->usage(pool->ctx, frame) <= USAGE_FRESH)
                return frame;
            (void)pool->usage_dec(pool->ctx, frame);
            ps_lists_move(&q->lists, LIST_MAIN, frame);
            left = len;
        } else {
            if (pool->in_use(pool->ctx, frame))
                ps_lists_move(&q->lists, LIST_MAIN, frame);
            left--;
        }
        frame = next;
    }
    return PS_NO_FRAME;
}

static uint32_t s3fifo_victim(struct ps_evict *e)
{
    struct s3fifo *q = (struct s3fifo *)e;
    uint32_t frame = from_small(q, q->small_max);

    if (frame == PS_NO_FRAME)
        frame = from_main(q);
    if (frame == PS_NO_FRAME)
        frame = from_small(q, 0);
    if (frame == PS_NO_FRAME)
        frame = from_main(q); /* what was promoted just now */
    return frame;
}

/* Appends what can go and has less than that usage. */
static uint32_t add_unused(const struct s3fifo *q, unsigned list, unsigned usage, uint32_t *frames,
                           uint32_t count, uint32_t max)
{
    uint32_t frame = q->lists.tail[list];

    for (uint32_t looks = max; looks > 0 && frame != PS_NO_FRAME && count < max; looks--) {
        if (q->pool->evictable(q->pool->ctx, frame) && q->pool->usage(q->pool->ctx, frame) < usage)
            frames[count++] = frame;
        frame = q->lists.links[frame].newer;
    }
    return count;
}

/* Victims come from both FIFOs by turns, mostly from the small one. */
static uint32_t s3fifo_upcoming(struct ps_evict *e, uint32_t *frames, uint32_t max)
{
    const struct s3fifo *q = (const struct s3fifo *)e;
    uint32_t count = add_unused(q, LIST_SMALL, USAGE_STAYS, frames, 0, max - max / 4);

    return add_unused(q, LIST_MAIN, USAGE_FRESH + 1, frames, count, max);
}

static uint32_t s3fifo_order(struct ps_evict *e, uint32_t *frames)
{
    const struct s3fifo *q = (const struct s3fifo *)e;
    uint32_t count;

    count = ps_lists_copy(&q->lists, LIST_SMALL, NULL, frames, 0, q->lists.frames);
    return ps_lists_copy(&q->lists, LIST_MAIN, NULL, frames, count, q->lists.frames);
}

const struct ps_evict_ops ps_evict_s3fifo = {
    .name = "s3fifo",
    .wants_hits = false,
    .create = s3fifo_create,
    .destroy = s3fifo_destroy,
    .inserted = s3fifo_inserted,
    .adopted = s3fifo_adopted,
    .removed = s3fifo_removed,
    .hit = s3fifo_hit,
    .victim = s3fifo_victim,
    .upcoming = s3fifo_upcoming,
    .order = s3fifo_order,
};
