/*
 * damage_links.c - two bits a block of an SP-GiST index: it is led to, it has content.
 */
#include "pg/damage_links.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ROOT 1u /* SPGIST_ROOT_BLKNO, SPGIST_NULL_BLKNO: always there */
#define NULLS_ROOT 2u

static void set_bit(_Atomic uint64_t *bits, uint64_t block)
{
    atomic_fetch_or_explicit(&bits[block / 64], 1ull << block % 64, memory_order_relaxed);
}

static void add_link(struct ps_pg_links *links, uint64_t block)
{
    if (block < links->blocks)
        set_bit(links->led_to, block);
}

ps_err ps_pg_links_new(uint64_t blocks, struct ps_pg_links **ret)
{
    struct ps_pg_links *links = calloc(1, sizeof(*links));

    if (!links)
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    links->blocks = blocks;
    ps_mutex_init(&links->mtx, PS_RANK_LEAF, "pg_links.mtx");
    ps_cond_init(&links->came);
    links->led_to = calloc(blocks / 64 + 1, sizeof(*links->led_to));
    links->content = calloc(blocks / 64 + 1, sizeof(*links->content));
    if (!links->led_to || !links->content) {
        ps_pg_links_free(links);
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    }
    add_link(links, ROOT);
    add_link(links, NULLS_ROOT);
    *ret = links;
    return PS_OK;
}

void ps_pg_links_free(struct ps_pg_links *links)
{
    free(links->led_to);
    free(links->content);
    ps_cond_deinit(&links->came);
    ps_mutex_deinit(&links->mtx);
    free(links);
}

void ps_pg_links_content(struct ps_pg_links *links, uint64_t block)
{
    assert(block < links->blocks);
    set_bit(links->content, block);
}

static void follow_link(void *ctx, uint32_t block)
{
    add_link(ctx, block);
}

void ps_pg_links_follow(struct ps_pg_links *links, const struct ps_pg_view *v)
{
    ps_spgist_links(v, follow_link, links);
}

void ps_pg_links_walked(struct ps_pg_links *links, uint64_t blocks)
{
    ps_mutex_lock(&links->mtx);
    links->walked += blocks;
    ps_cond_broadcast(&links->came);
    ps_mutex_unlock(&links->mtx);
}

void ps_pg_links_wait(struct ps_pg_links *links, uint64_t blocks)
{
    ps_mutex_lock(&links->mtx);
    while (links->walked < blocks)
        ps_cond_wait(&links->came, &links->mtx);
    ps_mutex_unlock(&links->mtx);
}

/* Bits of blocks that are led to and have no content: those of 64 blocks. */
static uint64_t lost_of(const struct ps_pg_links *links, uint64_t word)
{
    return atomic_load_explicit(&links->led_to[word], memory_order_relaxed) &
           ~atomic_load_explicit(&links->content[word], memory_order_relaxed);
}

static bool is_lost(const struct ps_pg_links *links, uint64_t block)
{
    return lost_of(links, block / 64) >> block % 64 & 1;
}

bool ps_pg_links_next(const struct ps_pg_links *links, uint64_t from, uint64_t *ret_first,
                      uint64_t *ret_end)
{
    uint64_t block = from;

    while (block < links->blocks && !is_lost(links, block))
        block = lost_of(links, block / 64) == 0 ? (block / 64 + 1) * 64 : block + 1;
    if (block >= links->blocks)
        return false;
    *ret_first = block;
    while (block < links->blocks && is_lost(links, block))
        block++;
    *ret_end = block;
    return true;
}
