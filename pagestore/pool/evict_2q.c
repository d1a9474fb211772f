/*
 * evict_2q.c - 2Q, the full version (Johnson and Shasha, "2Q: A Low Overhead High Performance
 * Buffer Management Replacement Algorithm", VLDB 1994).
 *
 * A page comes in through A1in, a FIFO; hits there count for nothing, as they mostly belong to the
 * same use. When it goes from there its id stays in A1out, and if it comes back while it is
 * remembered it has proved itself and goes to Am, an LRU list. A1in has a quarter of the frames,
 * A1out ids of half as many pages as there are frames: the paper's Kin and Kout.
 */
#include <stdlib.h>

#include "pool/evict_lists.h"
#include "pool/ghost.h"

enum { LIST_A1IN, LIST_AM };

struct two_q {
    struct ps_evict base; /* first */
    const struct ps_evict_pool *pool;
    struct ps_lists lists;
    struct ps_ghost a1out;
    uint32_t a1in_max;
};

static void two_q_destroy(struct ps_evict *e)
{
    struct two_q *q = (struct two_q *)e;

    ps_ghost_deinit(&q->a1out);
    ps_lists_deinit(&q->lists);
    free(q);
}

static ps_err two_q_create(uint32_t frames, const struct ps_evict_pool *pool, struct ps_evict **ret)
{
    struct two_q *q = calloc(1, sizeof(*q));
    ps_err err;

    if (!q)
        return ps_fail(PS_ERR_NOMEM, "no memory for the 2q policy");
    q->base.ops = &ps_evict_2q;
    q->pool = pool;
    q->a1in_max = (frames + 3) / 4;
    err = ps_lists_init(&q->lists, frames);
    if (!err)
        err = ps_ghost_init(&q->a1out, (frames + 1) / 2);
    if (err)
        two_q_destroy(&q->base);
    else
        *ret = &q->base;
    return err;
}

static void two_q_inserted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    struct two_q *q = (struct two_q *)e;
    bool known = ps_ghost_take(&q->a1out, page_id);

    ps_lists_push(&q->lists, known ? LIST_AM : LIST_A1IN, frame);
}

static void two_q_adopted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    (void)page_id;
    ps_lists_push(&((struct two_q *)e)->lists, LIST_AM, frame);
}

static void two_q_removed(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted)
{
    struct two_q *q = (struct two_q *)e;

    if (evicted && q->lists.list_of[frame] == LIST_A1IN)
        ps_ghost_add(&q->a1out, page_id);
    ps_lists_remove(&q->lists, frame);
}

static void two_q_hit(struct ps_evict *e, uint32_t frame)
{
    struct two_q *q = (struct two_q *)e;

    if (q->lists.list_of[frame] == LIST_AM)
        ps_lists_move(&q->lists, LIST_AM, frame);
}

static unsigned first_list(const struct two_q *q)
{
    return q->lists.len[LIST_A1IN] > q->a1in_max ? LIST_A1IN : LIST_AM;
}

static uint32_t two_q_victim(struct ps_evict *e)
{
    struct two_q *q = (struct two_q *)e;
    const unsigned first = first_list(q);
    uint32_t frame = ps_lists_pick(&q->lists, first, q->pool, e);

    if (frame == PS_NO_FRAME)
        frame = ps_lists_pick(&q->lists, first == LIST_AM ? LIST_A1IN : LIST_AM, q->pool, e);
    return frame;
}

/* What A1in has over its share, then Am. */
static uint32_t two_q_upcoming(struct ps_evict *e, uint32_t *frames, uint32_t max)
{
    const struct two_q *q = (const struct two_q *)e;
    const uint32_t len = q->lists.len[LIST_A1IN];
    const uint32_t over = len > q->a1in_max ? len - q->a1in_max : 0;
    uint32_t count;

    count = ps_lists_copy(&q->lists, LIST_A1IN, q->pool, frames, 0, over < max ? over : max);
    return ps_lists_copy(&q->lists, LIST_AM, q->pool, frames, count, max);
}

static uint32_t two_q_order(struct ps_evict *e, uint32_t *frames)
{
    const struct two_q *q = (const struct two_q *)e;
    uint32_t count;

    count = ps_lists_copy(&q->lists, LIST_A1IN, NULL, frames, 0, q->lists.frames);
    return ps_lists_copy(&q->lists, LIST_AM, NULL, frames, count, q->lists.frames);
}

const struct ps_evict_ops ps_evict_2q = {
    .name = "2q",
    .wants_hits = true,
    .create = two_q_create,
    .destroy = two_q_destroy,
    .inserted = two_q_inserted,
    .adopted = two_q_adopted,
    .removed = two_q_removed,
    .hit = two_q_hit,
    .victim = two_q_victim,
    .upcoming = two_q_upcoming,
    .order = two_q_order,
};
