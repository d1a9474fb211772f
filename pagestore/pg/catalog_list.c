/*
 * catalog_list.c - sorted lists with keys, and strings in chunks.
 */
#include "pg/catalog_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- lists -------------------------------------------------------------------------------- */

static ps_err grow(struct ps_pgc_list *l)
{
    uint32_t cap = l->cap ? 2 * l->cap : 64;
    uint8_t *items = NULL;

    if (cap > l->cap)
        items = realloc(l->items, (size_t)cap * l->item_size);
    if (!items)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u catalog rows", cap);
    l->items = items;
    l->cap = cap;
    return PS_OK;
}

ps_err ps_pgc_list_add(struct ps_pgc_list *l, size_t item_size, ps_oid a, ps_oid b, bool sure,
                       void *ret_item)
{
    struct ps_pgc_key key = {.a = a, .b = b, .sure = sure, .order = l->count};
    uint8_t *item;
    ps_err err;

    assert(l->count == 0 || l->item_size == item_size);
    l->item_size = (uint32_t)item_size;
    if (l->count == l->cap) {
        err = grow(l);
        if (err)
            return err;
    }
    item = l->items + (size_t)l->count++ * item_size;
    memset(item, 0, item_size);
    memcpy(item, &key, sizeof(key));
    memcpy(ret_item, &item, sizeof(item));
    return PS_OK;
}

static int compare_keys(const struct ps_pgc_key *x, const struct ps_pgc_key *y)
{
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

static int compare_items(const void *x, const void *y)
{
    const struct ps_pgc_key *kx = x, *ky = y;
    int order = compare_keys(kx, ky);

    if (order == 0 && kx->sure != ky->sure)
        order = kx->sure ? -1 : 1;
    if (order == 0)
        order = kx->order < ky->order ? -1 : kx->order > ky->order;
    return order;
}

void ps_pgc_list_settle(struct ps_pgc_list *l)
{
    uint32_t i, kept = 0;

    if (l->count == 0)
        return;
    qsort(l->items, l->count, l->item_size, compare_items);
    for (i = 1; i < l->count; i++)
        if (compare_keys(ps_pgc_list_at(l, i), ps_pgc_list_at(l, kept)) != 0)
            memmove(ps_pgc_list_at(l, ++kept), ps_pgc_list_at(l, i), l->item_size);
    l->count = kept + 1;
}

void ps_pgc_list_deinit(struct ps_pgc_list *l)
{
    free(l->items);
    *l = (struct ps_pgc_list){0};
}

void *ps_pgc_list_at(const struct ps_pgc_list *l, uint32_t index)
{
    assert(index < l->count);
    return l->items + (size_t)index * l->item_size;
}

static uint32_t lower_bound(const struct ps_pgc_list *l, const struct ps_pgc_key *key)
{
    uint32_t low = 0, high = l->count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (compare_keys(ps_pgc_list_at(l, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *ps_pgc_list_find(const struct ps_pgc_list *l, ps_oid a, ps_oid b)
{
    struct ps_pgc_key key = {.a = a, .b = b};
    uint32_t i = lower_bound(l, &key);

    if (i == l->count || compare_keys(ps_pgc_list_at(l, i), &key) != 0)
        return NULL;
    return ps_pgc_list_at(l, i);
}

uint32_t ps_pgc_list_first(const struct ps_pgc_list *l, ps_oid a)
{
    struct ps_pgc_key key = {.a = a};

    return lower_bound(l, &key);
}

/* --- strings ------------------------------------------------------------------------------ */

#define CHUNK_BYTES (64u * 1024u)

struct ps_pgc_chunk {
    struct ps_pgc_chunk *next;
    size_t size;
    char bytes[];
};

static char *add_chunk(struct ps_pgc_strings *s, size_t size)
{
    struct ps_pgc_chunk *chunk = malloc(sizeof(*chunk) + size);

    if (!chunk)
        return NULL;
    chunk->next = s->chunks;
    chunk->size = size;
    s->chunks = chunk;
    s->used = 0;
    return chunk->bytes;
}

char *ps_pgc_keep(struct ps_pgc_strings *s, const void *bytes, size_t len)
{
    char *copy;

    if (!s->chunks || s->chunks->size - s->used <= len)
        if (!add_chunk(s, len + 1 > CHUNK_BYTES ? len + 1 : CHUNK_BYTES))
            return NULL;
    copy = s->chunks->bytes + s->used;
    s->used += len + 1;
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

void ps_pgc_strings_deinit(struct ps_pgc_strings *s)
{
    struct ps_pgc_chunk *next;

    for (; s->chunks; s->chunks = next) {
        next = s->chunks->next;
        free(s->chunks);
    }
    s->used = 0;
}
