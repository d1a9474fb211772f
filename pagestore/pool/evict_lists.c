/*
 * evict_lists.c - doubly linked lists over frame indices.
 */
#include "pool/evict_lists.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

ps_err ps_lists_init(struct ps_lists *l, uint32_t frames)
{
    assert(frames > 0);
    *l = (struct ps_lists){.frames = frames};
    l->links = malloc(frames * sizeof(*l->links));
    l->list_of = malloc(frames);
    if (!l->links || !l->list_of) {
        ps_lists_deinit(l);
        return ps_fail(PS_ERR_NOMEM, "no memory for lists of %u frames", frames);
    }
    memset(l->list_of, PS_NO_LIST, frames);
    for (unsigned i = 0; i < PS_LISTS_MAX; i++)
        l->head[i] = l->tail[i] = PS_NO_FRAME;
    return PS_OK;
}

void ps_lists_deinit(struct ps_lists *l)
{
    free(l->links);
    free(l->list_of);
    *l = (struct ps_lists){0};
}

void ps_lists_push(struct ps_lists *l, unsigned list, uint32_t frame)
{
    assert(list < PS_LISTS_MAX && frame < l->frames && l->list_of[frame] == PS_NO_LIST);
    l->links[frame] = (struct ps_list_link){.newer = PS_NO_FRAME, .older = l->head[list]};
    if (l->head[list] == PS_NO_FRAME)
        l->tail[list] = frame;
    else
        l->links[l->head[list]].newer = frame;
    l->head[list] = frame;
    l->list_of[frame] = (uint8_t)list;
    l->len[list]++;
}

void ps_lists_remove(struct ps_lists *l, uint32_t frame)
{
    const struct ps_list_link link = l->links[frame];
    const unsigned list = l->list_of[frame];

    assert(list < PS_LISTS_MAX && l->len[list] > 0);
    if (link.newer == PS_NO_FRAME)
        l->head[list] = link.older;
    else
        l->links[link.newer].older = link.older;
    if (link.older == PS_NO_FRAME)
        l->tail[list] = link.newer;
    else
        l->links[link.older].newer = link.newer;
    l->list_of[frame] = PS_NO_LIST;
    l->len[list]--;
}

void ps_lists_move(struct ps_lists *l, unsigned list, uint32_t frame)
{
    if (l->head[list] == frame)
        return;
    ps_lists_remove(l, frame);
    ps_lists_push(l, list, frame);
}

uint32_t ps_lists_pick(struct ps_lists *l, unsigned list, const struct ps_evict_pool *pool,
                       struct ps_evict *e)
{
    uint32_t frame = l->tail[list];
    uint32_t left = l->len[list];

    /* A frame treated as hit may move, also to the head of this list; the next one does not. */
    for (; left > 0 && frame != PS_NO_FRAME && l->list_of[frame] == list; left--) {
        const uint32_t next = l->links[frame].newer;

        if (pool->evictable(pool->ctx, frame))
            return frame;
        if (pool->in_use(pool->ctx, frame))
            e->ops->hit(e, frame);
        frame = next;
    }
    return PS_NO_FRAME;
}

uint32_t ps_lists_copy(const struct ps_lists *l, unsigned list, const struct ps_evict_pool *pool,
                       uint32_t *frames, uint32_t count, uint32_t max)
{
    uint32_t frame = l->tail[list];

    for (; frame != PS_NO_FRAME && count < max; frame = l->links[frame].newer) {
        if (!pool || pool->evictable(pool->ctx, frame))
            frames[count++] = frame;
    }
    return count;
}
