/*
 * evict_lru.c - least recently used: one list, hits go to its head.
 */
#include <stdlib.h>

#include "pool/evict_lists.h"

enum { LIST_ALL };

struct lru {
    struct ps_evict base; /* first */
    const struct ps_evict_pool *pool;
    struct ps_lists lists;
};

static void lru_destroy(struct ps_evict *e)
{
    ps_lists_deinit(&((struct lru *)e)->lists);
    free(e);
}

static ps_err lru_create(uint32_t frames, const struct ps_evict_pool *pool, struct ps_evict **ret)
{
    struct lru *l = calloc(1, sizeof(*l));
    ps_err err;

    if (!l)
        return ps_fail(PS_ERR_NOMEM, "no memory for the lru policy");
    l->base.ops = &ps_evict_lru;
    l->pool = pool;
    err = ps_lists_init(&l->lists, frames);
    if (err)
        lru_destroy(&l->base);
    else
        *ret = &l->base;
    return err;
}

static void lru_inserted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    (void)page_id;
    ps_lists_push(&((struct lru *)e)->lists, LIST_ALL, frame);
}

static void lru_removed(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted)
{
    (void)page_id;
    (void)evicted;
    ps_lists_remove(&((struct lru *)e)->lists, frame);
}

static void lru_hit(struct ps_evict *e, uint32_t frame)
{
    ps_lists_move(&((struct lru *)e)->lists, LIST_ALL, frame);
}

static uint32_t lru_victim(struct ps_evict *e)
{
    struct lru *l = (struct lru *)e;

    return ps_lists_pick(&l->lists, LIST_ALL, l->pool, e);
}

static uint32_t lru_upcoming(struct ps_evict *e, uint32_t *frames, uint32_t max)
{
    const struct lru *l = (const struct lru *)e;

    return ps_lists_copy(&l->lists, LIST_ALL, l->pool, frames, 0, max);
}

static uint32_t lru_order(struct ps_evict *e, uint32_t *frames)
{
    const struct lru *l = (const struct lru *)e;

    return ps_lists_copy(&l->lists, LIST_ALL, NULL, frames, 0, l->lists.frames);
}

const struct ps_evict_ops ps_evict_lru = {
    .name = "lru",
    .wants_hits = true,
    .create = lru_create,
    .destroy = lru_destroy,
    .inserted = lru_inserted,
    .adopted = lru_inserted,
    .removed = lru_removed,
    .hit = lru_hit,
    .victim = lru_victim,
    .upcoming = lru_upcoming,
    .order = lru_order,
};
