/*
 * map_solid.c - the map of a table whose files somebody else made: used pages in a row.
 */
#include "alloc/map_internal.h"

static bool has_page(const struct ps_map_solid *solid, uint64_t page_no)
{
    return page_no >= solid->first && page_no < solid->end;
}

static struct ps_map_entry entry_of(const struct ps_map_solid *solid, uint64_t page_no)
{
    return (struct ps_map_entry){
        .state = has_page(solid, page_no) ? PS_USED : PS_FREE,
        .mtime_us = has_page(solid, page_no) ? solid->mtime_us : 0,
    };
}

void ps_map_solid_range(const struct ps_map_solid *solid, uint32_t first, uint32_t count,
                        struct ps_map_entry *entries)
{
    for (uint32_t i = 0; i < count; i++)
        entries[i] = entry_of(solid, (uint64_t)first + i);
}

/* Gives the page, unless a table cannot have it. */
static ps_err found(const struct ps_map *map, uint64_t page_no, uint32_t *ret_page,
                    struct ps_map_entry *ret)
{
    if (page_no >= PS_MAP_PAGES_MAX)
        return ps_map_no_further(map);
    *ret_page = (uint32_t)page_no;
    if (ret)
        *ret = entry_of(map->solid, page_no);
    return PS_OK;
}

ps_err ps_map_solid_next(const struct ps_map *map, uint32_t from, unsigned states,
                         uint32_t *ret_page, struct ps_map_entry *ret)
{
    const uint64_t first = map->solid->first, end = map->solid->end;
    const bool inside = from >= first && from < end;

    if (states & 1u << (inside ? PS_USED : PS_FREE))
        return found(map, from, ret_page, ret);
    if (inside && states & 1u << PS_FREE)
        return found(map, end, ret_page, ret);
    if (from < first && first < end && states & 1u << PS_USED)
        return found(map, first, ret_page, ret);
    return ps_map_no_further(map);
}

ps_err ps_map_solid_prev(const struct ps_map *map, uint32_t from, unsigned states,
                         uint32_t *ret_page, struct ps_map_entry *ret)
{
    const uint64_t first = map->solid->first, end = map->solid->end;
    const bool inside = from >= first && from < end;

    if (states & 1u << (inside ? PS_USED : PS_FREE))
        return found(map, from, ret_page, ret);
    if (inside && first > 0 && states & 1u << PS_FREE)
        return found(map, first - 1, ret_page, ret);
    if (from >= end && first < end && states & 1u << PS_USED)
        return found(map, end - 1, ret_page, ret);
    return ps_map_no_further(map);
}

void ps_map_solid_summary(const struct ps_map_solid *solid, struct ps_map_summary *ret)
{
    const uint64_t first = solid->first, end = solid->end;

    *ret = (struct ps_map_summary){0};
    if (first == end)
        return;
    ret->end = end;
    ret->free = first;
    ret->used = end - first;
    ret->payload_len = solid->payload_len;
}
