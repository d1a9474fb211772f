/*
 * map_shape.c - which node covers which pages of the table, and where in the file it lies.
 *
 * Every node lies before its subtree and the subtrees of siblings follow each other, all reckoned
 * at their full size: so a node's place follows from its number alone, whatever exists.
 */
#include "alloc/map_internal.h"

#include <inttypes.h>

void ps_map_init(struct ps_map *map, struct ps_pool *pool, uint16_t provider, uint32_t table,
                 uint32_t page_size)
{
    const size_t room = page_size - sizeof(struct ps_map_hdr);
    unsigned top = 0;

    assert(page_size >= PS_PAGE_SIZE_MIN && page_size <= PS_PAGE_SIZE_MAX);
    assert((page_size & (page_size - 1)) == 0);

    *map = (struct ps_map){
        .pool = pool,
        .provider = provider,
        .table = table,
        .page_size = page_size,
        .leaf_fanout = (uint32_t)(room / sizeof(struct ps_map_leaf_entry)),
        .inner_fanout = (uint32_t)(room / sizeof(struct ps_map_inner_entry)),
    };
    map->cover[0] = map->leaf_fanout;
    map->stride[0] = 1;
    for (top = 0; map->cover[top] < PS_MAP_PAGES_MAX; top++) {
        assert(top + 1 < PS_MAP_LEVELS_MAX);
        map->cover[top + 1] = map->cover[top] * map->inner_fanout;
        map->stride[top + 1] = 1 + map->stride[top] * map->inner_fanout;
    }
    map->levels = top + 1;
    assert(map->levels >= 2);
}

static struct ps_map_node_id node_at(const struct ps_map *map, unsigned level, uint64_t index)
{
    const uint64_t first = index * map->cover[level];
    const uint64_t left = PS_MAP_PAGES_MAX - first;

    assert(level < map->levels && first < PS_MAP_PAGES_MAX);
    return (struct ps_map_node_id){
        .level = level,
        .index = index,
        .first_page = first,
        .pages = left < map->cover[level] ? left : map->cover[level],
    };
}

struct ps_map_node_id ps_map_root(const struct ps_map *map)
{
    return node_at(map, map->levels - 1, 0);
}

struct ps_map_node_id ps_map_leaf_of(const struct ps_map *map, uint32_t page_no)
{
    return node_at(map, 0, page_no / map->cover[0]);
}

uint32_t ps_map_leaf_slot(const struct ps_map_node_id *leaf, uint64_t page_no)
{
    assert(leaf->level == 0);
    assert(page_no >= leaf->first_page && page_no - leaf->first_page < leaf->pages);
    return (uint32_t)(page_no - leaf->first_page);
}

uint32_t ps_map_child_count(const struct ps_map *map, const struct ps_map_node_id *node)
{
    const uint64_t cover = map->cover[node->level - 1];

    return (uint32_t)((node->pages + cover - 1) / cover);
}

struct ps_map_node_id ps_map_child(const struct ps_map *map, const struct ps_map_node_id *node,
                                   uint32_t slot)
{
    assert(node->level > 0 && slot < ps_map_child_count(map, node));
    return node_at(map, node->level - 1, node->index * map->inner_fanout + slot);
}

uint32_t ps_map_child_slot(const struct ps_map *map, const struct ps_map_node_id *node,
                           uint64_t page_no)
{
    assert(node->level > 0);
    assert(page_no >= node->first_page && page_no - node->first_page < node->pages);
    return (uint32_t)((page_no - node->first_page) / map->cover[node->level - 1]);
}

uint32_t ps_map_node_page(const struct ps_map *map, unsigned level, uint64_t index)
{
    uint64_t at = map->levels - 1 - level; /* the nodes above it */
    unsigned l;

    /* and the subtrees of the siblings before it and before them */
    for (l = level; index > 0; l++) {
        at += index % map->inner_fanout * map->stride[l];
        index /= map->inner_fanout;
    }
    assert(l < map->levels && at <= UINT32_MAX);
    return (uint32_t)at;
}

bool ps_map_node_at(const struct ps_map *map, uint32_t map_page_no, struct ps_map_node_id *ret)
{
    struct ps_map_node_id node = ps_map_root(map);
    uint64_t left = map_page_no; /* map pages between the node and the page asked for */
    uint64_t slot;

    while (left > 0) {
        if (node.level == 0)
            return false;
        left--;
        slot = left / map->stride[node.level - 1];
        if (slot >= ps_map_child_count(map, &node))
            return false;
        left %= map->stride[node.level - 1];
        node = ps_map_child(map, &node, (uint32_t)slot);
    }
    *ret = node;
    return true;
}

bool ps_map_has_page(const struct ps_map *map, uint32_t map_page_no)
{
    struct ps_map_node_id node;

    return ps_map_node_at(map, map_page_no, &node);
}

struct ps_tag ps_map_tag(const struct ps_map *map, const struct ps_map_node_id *node)
{
    return (struct ps_tag){
        .provider = map->provider,
        .fork = PS_FORK_MAP,
        .table = map->table,
        .page = ps_map_node_page(map, node->level, node->index),
    };
}

ps_err ps_map_node_check(const struct ps_map *map, const void *page,
                         const struct ps_map_node_id *node, uint64_t gen)
{
    const struct ps_map_hdr *hdr = ps_map_hdr_of(page);
    const uint64_t found = ps_get64(hdr->gen);
    uint32_t map_page;

    if (found != 0 && (gen == 0 || found == gen) && ps_get32(hdr->level) == node->level)
        return PS_OK;
    map_page = ps_map_node_page(map, node->level, node->index);
    if (found == 0 && gen == 0)
        return ps_fail(PS_ERR_CORRUPT,
                       "table %" PRIu32 ": the allocation map's root was never written",
                       map->table);
    if (gen != 0 && found != gen)
        return ps_fail(
            PS_ERR_CORRUPT,
            "table %" PRIu32 ": allocation map page %" PRIu32 " (pages %" PRIu64 "-%" PRIu64
            ") has generation %" PRIu64 ", its parent says %" PRIu64 ": a write of it was lost",
            map->table, map_page, node->first_page, node->first_page + node->pages - 1, found, gen);
    return ps_fail(PS_ERR_CORRUPT,
                   "table %" PRIu32 ": allocation map page %" PRIu32 " says level %" PRIu32
                   ", a node of level %u lies there",
                   map->table, map_page, ps_get32(hdr->level), node->level);
}

ps_err ps_map_range_check(const struct ps_map *map, uint32_t first, uint32_t count)
{
    if (count == 0 || first >= PS_MAP_PAGES_MAX || count > PS_MAP_PAGES_MAX - first)
        return ps_fail(PS_ERR_RANGE,
                       "table %" PRIu32 ": pages %" PRIu32 " to %" PRIu64
                       " are not all page numbers: those end at %" PRIu32,
                       map->table, first, (uint64_t)first + count, PS_MAP_PAGES_MAX - 1);
    return PS_OK;
}
