/*
 * page_ids.c - a hash table of chains over slots.
 */
#include "pool/page_ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

ps_err ps_page_ids_init(struct ps_page_ids *p, uint32_t slots)
{
    unsigned bits = 1;

    assert(slots > 0);
    while ((1ull << bits) < slots)
        bits++;
    p->ids = malloc(slots * sizeof(*p->ids));
    p->links = malloc(slots * sizeof(*p->links));
    p->buckets = malloc((sizeof(*p->buckets)) << bits);
    p->shift = 64 - bits;
    if (!p->ids || !p->links || !p->buckets) {
        ps_page_ids_deinit(p);
        return ps_fail(PS_ERR_NOMEM, "no memory to remember %u pages", slots);
    }
    memset(p->buckets, 0xff, (sizeof(*p->buckets)) << bits);
    return PS_OK;
}

void ps_page_ids_deinit(struct ps_page_ids *p)
{
    free(p->ids);
    free(p->links);
    free(p->buckets);
    *p = (struct ps_page_ids){0};
}

static uint32_t *bucket_of(const struct ps_page_ids *p, uint64_t page_id)
{
    return &p->buckets[ps_page_id_hash(page_id) >> p->shift];
}

uint32_t ps_page_ids_find(const struct ps_page_ids *p, uint64_t page_id)
{
    uint32_t slot = *bucket_of(p, page_id);

    while (slot != PS_NO_SLOT && p->ids[slot] != page_id)
        slot = p->links[slot];
    return slot;
}

void ps_page_ids_put(struct ps_page_ids *p, uint32_t slot, uint64_t page_id)
{
    uint32_t *head = bucket_of(p, page_id);

    assert(ps_page_ids_find(p, page_id) == PS_NO_SLOT);
    p->ids[slot] = page_id;
    p->links[slot] = *head;
    *head = slot;
}

void ps_page_ids_remove(struct ps_page_ids *p, uint32_t slot)
{
    uint32_t *at = bucket_of(p, p->ids[slot]);

    while (*at != slot) {
        assert(*at != PS_NO_SLOT);
        at = &p->links[*at];
    }
    *at = p->links[slot];
}
