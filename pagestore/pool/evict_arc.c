/*
 * evict_arc.c - ARC (Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST
 * 2003).
 *
 * Pages seen once lately are in T1, pages seen more often in T2, both LRU lists; the ids of those
 * that went from there in B1 and B2. A page that comes back from B1 says that T1 should have been
 * longer, one from B2 that T2 should have been: `target`, T1's share, moves accordingly.
 *
 * A victim is asked for before the pool says which page is to come. So the step that moves the
 * target comes after the victim of the same miss, not before it as in the paper.
 */
#include <stdlib.h>

#include "pool/evict_lists.h"
#include "pool/ghost.h"

enum { LIST_T1, LIST_T2 };

struct arc {
    struct ps_evict base; /* first */
    const struct ps_evict_pool *pool;
    struct ps_lists lists;
    struct ps_ghost b1, b2; /* together at most as many as there are frames */
    uint32_t target;
};

static void arc_destroy(struct ps_evict *e)
{
    struct arc *a = (struct arc *)e;

    ps_ghost_deinit(&a->b1);
    ps_ghost_deinit(&a->b2);
    ps_lists_deinit(&a->lists);
    free(a);
}

static ps_err arc_create(uint32_t frames, const struct ps_evict_pool *pool, struct ps_evict **ret)
{
    struct arc *a = calloc(1, sizeof(*a));
    ps_err err;

    if (!a)
        return ps_fail(PS_ERR_NOMEM, "no memory for the arc policy");
    a->base.ops = &ps_evict_arc;
    a->pool = pool;
    err = ps_lists_init(&a->lists, frames);
    if (!err)
        err = ps_ghost_init(&a->b1, frames);
    if (!err)
        err = ps_ghost_init(&a->b2, frames);
    if (err)
        arc_destroy(&a->base);
    else
        *ret = &a->base;
    return err;
}

/* |B1| / |B2| or the other way round, at least 1. */
static uint32_t step(uint32_t theirs, uint32_t ours)
{
    return theirs > ours ? theirs / ours : 1;
}

static void target_up(struct arc *a)
{
    const uint32_t by = step(ps_ghost_len(&a->b2), ps_ghost_len(&a->b1));
    const uint32_t room = a->lists.frames - a->target;

    a->target += by < room ? by : room;
}

static void target_down(struct arc *a)
{
    const uint32_t by = step(ps_ghost_len(&a->b1), ps_ghost_len(&a->b2));

    a->target -= by < a->target ? by : a->target;
}

static void arc_inserted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    struct arc *a = (struct arc *)e;
    unsigned list = LIST_T2;

    if (ps_page_ids_find(&a->b1.ids, page_id) != PS_NO_SLOT) {
        target_up(a);
        (void)ps_ghost_take(&a->b1, page_id);
    } else if (ps_page_ids_find(&a->b2.ids, page_id) != PS_NO_SLOT) {
        target_down(a);
        (void)ps_ghost_take(&a->b2, page_id);
    } else {
        list = LIST_T1;
    }
    ps_lists_push(&a->lists, list, frame);
}

static void arc_adopted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    (void)page_id;
    ps_lists_push(&((struct arc *)e)->lists, LIST_T2, frame);
}

/* |T1| + |B1| <= frames, and all four lists together <= 2 frames. */
static void trim_ghosts(struct arc *a)
{
    const uint32_t frames = a->lists.frames;
    uint32_t resident;

    ps_ghost_trim(&a->b1, frames - a->lists.len[LIST_T1]);
    resident = a->lists.len[LIST_T1] + a->lists.len[LIST_T2];
    ps_ghost_trim(&a->b2, 2 * frames - resident - ps_ghost_len(&a->b1));
}

static void arc_removed(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted)
{
    struct arc *a = (struct arc *)e;
    const unsigned list = a->lists.list_of[frame];

    ps_lists_remove(&a->lists, frame);
    if (!evicted)
        return;
    ps_ghost_add(list == LIST_T1 ? &a->b1 : &a->b2, page_id);
    trim_ghosts(a);
}

static void arc_hit(struct ps_evict *e, uint32_t frame)
{
    ps_lists_move(&((struct arc *)e)->lists, LIST_T2, frame);
}

static unsigned first_list(const struct arc *a)
{
    return a->lists.len[LIST_T1] > a->target ? LIST_T1 : LIST_T2;
}

static uint32_t arc_victim(struct ps_evict *e)
{
    struct arc *a = (struct arc *)e;
    const unsigned first = first_list(a);
    uint32_t frame = ps_lists_pick(&a->lists, first, a->pool, e);

    if (frame == PS_NO_FRAME)
        frame = ps_lists_pick(&a->lists, first == LIST_T1 ? LIST_T2 : LIST_T1, a->pool, e);
    return frame;
}

/* What T1 has over its share, then T2. */
static uint32_t arc_upcoming(struct ps_evict *e, uint32_t *frames, uint32_t max)
{
    const struct arc *a = (const struct arc *)e;
    const uint32_t len = a->lists.len[LIST_T1];
    const uint32_t over = len > a->target ? len - a->target : 0;
    uint32_t count;

    count = ps_lists_copy(&a->lists, LIST_T1, a->pool, frames, 0, over < max ? over : max);
    return ps_lists_copy(&a->lists, LIST_T2, a->pool, frames, count, max);
}

static uint32_t arc_order(struct ps_evict *e, uint32_t *frames)
{
    const struct arc *a = (const struct arc *)e;
    uint32_t count;

    count = ps_lists_copy(&a->lists, LIST_T1, NULL, frames, 0, a->lists.frames);
    return ps_lists_copy(&a->lists, LIST_T2, NULL, frames, count, a->lists.frames);
}

const struct ps_evict_ops ps_evict_arc = {
    .name = "arc",
    .wants_hits = true,
    .create = arc_create,
    .destroy = arc_destroy,
    .inserted = arc_inserted,
    .adopted = arc_adopted,
    .removed = arc_removed,
    .hit = arc_hit,
    .victim = arc_victim,
    .upcoming = arc_upcoming,
    .order = arc_order,
};
