/*
 * ghost.c - remembered page ids, in the order in which they came.
 */
#include "pool/ghost.h"

enum { LIST_PAGES, LIST_FREE };

ps_err ps_ghost_init(struct ps_ghost *g, uint32_t max)
{
    ps_err err;

    *g = (struct ps_ghost){0};
    err = ps_page_ids_init(&g->ids, max);
    if (!err)
        err = ps_lists_init(&g->lists, max);
    if (err) {
        ps_ghost_deinit(g);
        return err;
    }
    for (uint32_t slot = 0; slot < max; slot++)
        ps_lists_push(&g->lists, LIST_FREE, slot);
    return PS_OK;
}

void ps_ghost_deinit(struct ps_ghost *g)
{
    ps_page_ids_deinit(&g->ids);
    ps_lists_deinit(&g->lists);
}

uint32_t ps_ghost_len(const struct ps_ghost *g)
{
    return g->lists.len[LIST_PAGES];
}

static void forget(struct ps_ghost *g, uint32_t slot)
{
    ps_page_ids_remove(&g->ids, slot);
    ps_lists_move(&g->lists, LIST_FREE, slot);
}

void ps_ghost_add(struct ps_ghost *g, uint64_t page_id)
{
    uint32_t slot;

    if (ps_page_ids_find(&g->ids, page_id) != PS_NO_SLOT)
        return;
    if (g->lists.len[LIST_FREE] == 0)
        forget(g, g->lists.tail[LIST_PAGES]);
    slot = g->lists.head[LIST_FREE];
    ps_page_ids_put(&g->ids, slot, page_id);
    ps_lists_move(&g->lists, LIST_PAGES, slot);
}

bool ps_ghost_take(struct ps_ghost *g, uint64_t page_id)
{
    const uint32_t slot = ps_page_ids_find(&g->ids, page_id);

    if (slot == PS_NO_SLOT)
        return false;
    forget(g, slot);
    return true;
}

void ps_ghost_trim(struct ps_ghost *g, uint32_t len)
{
    while (ps_ghost_len(g) > len)
        forget(g, g->lists.tail[LIST_PAGES]);
}
