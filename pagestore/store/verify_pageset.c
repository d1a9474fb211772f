/*
 * verify_pageset.c - a set of pages: open addressing, at most half full. Table ids start at 1, so
 * no key is 0.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/verify_internal.h"

#define CAP_FIRST 1024u

static uint64_t key_of(uint32_t table, uint32_t page)
{
    assert(table != 0);
    return (uint64_t)table << 32 | page;
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint64_t *slot_of(const struct ps_pageset *set, uint64_t key)
{
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 20);

    while (set->slots[i & (set->cap - 1)] != 0 && set->slots[i & (set->cap - 1)] != key)
        i++;
    return &set->slots[i & (set->cap - 1)];
}

static ps_err grow(struct ps_pageset *set)
{
    struct ps_pageset bigger = {.count = set->count, .cap = set->cap ? set->cap * 2 : CAP_FIRST};
    size_t i;

    bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
    if (!bigger.slots)
        return ps_fail(PS_ERR_NOMEM, "no memory for the list of pages in the log");
    for (i = 0; i < set->cap; i++)
        if (set->slots[i] != 0)
            *slot_of(&bigger, set->slots[i]) = set->slots[i];
    free(set->slots);
    *set = bigger;
    return PS_OK;
}

ps_err ps_pageset_add(struct ps_pageset *set, uint32_t table, uint32_t page)
{
    uint64_t *slot;
    ps_err err;

    if (2 * (set->count + 1) > set->cap) {
        err = grow(set);
        if (err)
            return err;
    }
    slot = slot_of(set, key_of(table, page));
    if (*slot == 0)
        set->count++;
    *slot = key_of(table, page);
    return PS_OK;
}

bool ps_pageset_has(const struct ps_pageset *set, uint32_t table, uint32_t page)
{
    return set->cap > 0 && *slot_of(set, key_of(table, page)) != 0;
}

void ps_pageset_each(const struct ps_pageset *set,
                     void (*each)(void *ctx, uint32_t table, uint32_t page), void *ctx)
{
    for (size_t i = 0; i < set->cap; i++)
        if (set->slots[i] != 0)
            each(ctx, (uint32_t)(set->slots[i] >> 32), (uint32_t)set->slots[i]);
}

void ps_pageset_deinit(struct ps_pageset *set)
{
    free(set->slots);
    *set = (struct ps_pageset){0};
}
