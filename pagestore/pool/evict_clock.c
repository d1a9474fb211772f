/*
 * evict_clock.c - PostgreSQL's clock sweep (src/backend/storage/buffer/freelist.c).
 *
 * A hand goes round the frames. A frame that cannot go is passed; one that was used since the
 * hand's last visits loses one unit of usage; the first one without usage is the victim. Usage
 * itself is kept, and raised on hits, by the pool, so a hit costs this policy nothing.
 */
#include "pool/evict.h"

#include <assert.h>
#include <stdlib.h>

struct clock {
    struct ps_evict base; /* first */
    const struct ps_evict_pool *pool;
    uint32_t frames;
    uint32_t hand; /* looked at next */
};

static ps_err clock_create(uint32_t frames, const struct ps_evict_pool *pool, struct ps_evict **ret)
{
    struct clock *c = malloc(sizeof(*c));

    assert(frames > 0);
    if (!c)
        return ps_fail(PS_ERR_NOMEM, "no memory for the clock policy");
    *c = (struct clock){.base.ops = &ps_evict_clock, .pool = pool, .frames = frames};
    *ret = &c->base;
    return PS_OK;
}

static void clock_destroy(struct ps_evict *e)
{
    free(e);
}

/* Which page is in which frame makes no difference to the hand. */
static void clock_ignore(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    (void)e;
    (void)frame;
    (void)page_id;
}

static void clock_removed(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted)
{
    (void)evicted;
    clock_ignore(e, frame, page_id);
}

static void clock_hit(struct ps_evict *e, uint32_t frame)
{
    (void)e;
    (void)frame;
}

static uint32_t advance(const struct clock *c, uint32_t frame)
{
    return frame + 1 == c->frames ? 0 : frame + 1;
}

static uint32_t clock_victim(struct ps_evict *e)
{
    struct clock *c = (struct clock *)e;
    uint32_t left = c->frames;

    /* A round in which nothing lost usage and nothing could go is the end. Usage is bounded, but
     * users may keep raising it: so are the rounds. */
    for (uint64_t steps = (PS_USAGE_MAX + 1ull) * c->frames; steps > 0 && left > 0; steps--) {
        uint32_t frame = c->hand;

        c->hand = advance(c, c->hand);
        if (!c->pool->evictable(c->pool->ctx, frame))
            left--;
        else if (c->pool->usage_dec(c->pool->ctx, frame) == 0)
            return frame;
        else
            left = c->frames;
    }
    return PS_NO_FRAME;
}

/* Frames that the hand meets on its next max steps and that have no usage left. */
static uint32_t clock_upcoming(struct ps_evict *e, uint32_t *frames, uint32_t max)
{
    const struct clock *c = (const struct clock *)e;
    uint32_t steps = max < c->frames ? max : c->frames;
    uint32_t frame = c->hand;
    uint32_t count = 0;

    for (; steps > 0; steps--, frame = advance(c, frame)) {
        if (c->pool->usage(c->pool->ctx, frame) == 0 && c->pool->evictable(c->pool->ctx, frame))
            frames[count++] = frame;
    }
    return count;
}

/* From the hand on: usage stays with the frames. */
static uint32_t clock_order(struct ps_evict *e, uint32_t *frames)
{
    const struct clock *c = (const struct clock *)e;
    uint32_t frame = c->hand;

    for (uint32_t i = 0; i < c->frames; i++, frame = advance(c, frame))
        frames[i] = frame;
    return c->frames;
}

const struct ps_evict_ops ps_evict_clock = {
    .name = "clock",
    .wants_hits = false,
    .create = clock_create,
    .destroy = clock_destroy,
    .inserted = clock_ignore,
    .adopted = clock_ignore,
    .removed = clock_removed,
    .hit = clock_hit,
    .victim = clock_victim,
    .upcoming = clock_upcoming,
    .order = clock_order,
};
