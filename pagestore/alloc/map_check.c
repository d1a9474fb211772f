/*
 * map_check.c - whether a node can be: its entries, and its counts against whoever counts them too.
 *
 * Checked where a node comes in from its file, and again, with its parent's entry, before a change
 * goes down through it: from there on counts are added to and subtracted from, and asserted.
 */
#include "alloc/map_internal.h"

#include <inttypes.h>

/* No map hands out this many, so there is always a next one. */
#define GEN_MAX (UINT64_MAX / 2)

static ps_err check_uniform(const struct ps_map_node_id *child, uint32_t slot,
                            const struct ps_map_inner_entry *entry)
{
    const uint64_t word = ps_get64(entry->word);
    const uint64_t virgin = ps_map_word_state(word) == PS_VIRGIN ? child->pages : 0;

    if (!ps_map_word_sound(word) || ps_map_is_used(ps_map_word_state(word)))
        return ps_fail(PS_ERR_CORRUPT,
                       "entry %" PRIu32 ": pages %" PRIu64 "-%" PRIu64
                       " cannot all be in state %016" PRIx64,
                       slot, child->first_page, child->first_page + child->pages - 1, word);
    if (ps_get32(entry->used) != 0 || ps_get32(entry->virgin) != virgin)
        return ps_fail(PS_ERR_CORRUPT,
                       "entry %" PRIu32 ": %" PRIu64 " pages of state %016" PRIx64
                       " are counted as %" PRIu32 " used, %" PRIu32 " virgin",
                       slot, child->pages, word, ps_get32(entry->used), ps_get32(entry->virgin));
    return PS_OK;
}

static ps_err check_live(const struct ps_map_node_id *child, uint32_t slot,
                         const struct ps_map_inner_entry *entry)
{
    const uint64_t gen = ps_get64(entry->gen);
    const uint64_t counted = (uint64_t)ps_get32(entry->used) + ps_get32(entry->virgin);

    if (ps_get64(entry->word) != 0 || gen > GEN_MAX)
        return ps_fail(PS_ERR_CORRUPT,
                       "entry %" PRIu32 " is neither uniform nor live (generation %" PRIu64
                       ", word %016" PRIx64 ")",
                       slot, gen, ps_get64(entry->word));
    if (counted > child->pages)
        return ps_fail(PS_ERR_CORRUPT,
                       "entry %" PRIu32 " counts %" PRIu32 " used and %" PRIu32
                       " virgin pages, of %" PRIu64,
                       slot, ps_get32(entry->used), ps_get32(entry->virgin), child->pages);
    return PS_OK;
}

static ps_err count_inner(const struct ps_map *map, const void *data,
                          const struct ps_map_node_id *node, struct ps_map_counts *ret)
{
    const struct ps_map_inner_entry *entry = ps_map_inner_entries(data);
    const uint32_t count = ps_map_child_count(map, node);
    struct ps_map_node_id child;
    uint32_t slot;
    ps_err err;

    for (slot = 0; slot < count; slot++, entry++) {
        child = ps_map_child(map, node, slot);
        err = ps_get64(entry->gen) == 0 ? check_uniform(&child, slot, entry)
                                        : check_live(&child, slot, entry);
        if (err)
            return err;
        ret->used += ps_get32(entry->used);
        ret->virgin += ps_get32(entry->virgin);
    }
    return PS_OK;
}

static ps_err count_leaf(const void *data, const struct ps_map_node_id *node,
                         struct ps_map_counts *ret)
{
    const struct ps_map_leaf_entry *entry = ps_map_leaf_entries(data);
    uint64_t word;
    uint32_t slot;

    for (slot = 0; slot < node->pages; slot++, entry++) {
        word = ps_get64(entry->word);
        if (!ps_map_word_sound(word))
            return ps_fail(PS_ERR_CORRUPT,
                           "entry %" PRIu32 ": page %" PRIu64
                           " is in no known state (word %016" PRIx64 ")",
                           slot, node->first_page + slot, word);
        ret->used += ps_map_is_used(ps_map_word_state(word));
        ret->virgin += ps_map_word_state(word) == PS_VIRGIN;
    }
    return PS_OK;
}

static ps_err count_pages(const struct ps_map *map, const void *data,
                          const struct ps_map_node_id *node, struct ps_map_counts *ret)
{
    *ret = (struct ps_map_counts){0, 0};
    return node->level == 0 ? count_leaf(data, node, ret) : count_inner(map, data, node, ret);
}

static ps_err check_root(const void *data, const struct ps_map_counts *found)
{
    const struct ps_map_hdr *hdr = ps_map_hdr_of(data);

    if (ps_get64(hdr->gen) > GEN_MAX)
        return ps_fail(PS_ERR_CORRUPT, "generation %" PRIu64 " cannot have been reached",
                       ps_get64(hdr->gen));
    if (ps_get32(hdr->used) != found->used || ps_get32(hdr->virgin) != found->virgin)
        return ps_fail(PS_ERR_CORRUPT,
                       "the totals are %" PRIu32 " used and %" PRIu32
                       " virgin pages, its entries' %" PRIu64 " and %" PRIu64,
                       ps_get32(hdr->used), ps_get32(hdr->virgin), found->used, found->virgin);
    return PS_OK;
}

ps_err ps_map_counts_check(const struct ps_map *map, const void *data,
                           const struct ps_map_node_id *node,
                           const struct ps_map_inner_entry *parent)
{
    struct ps_map_counts found;
    ps_err err;

    err = count_pages(map, data, node, &found);
    if (!err && node->level + 1 == map->levels)
        err = check_root(data, &found);
    if (!err && parent &&
        (ps_get32(parent->used) != found.used || ps_get32(parent->virgin) != found.virgin))
        err = ps_fail(PS_ERR_CORRUPT,
                      "it has %" PRIu64 " used and %" PRIu64
                      " virgin pages, its parent's entry says %" PRIu32 " and %" PRIu32,
                      found.used, found.virgin, ps_get32(parent->used), ps_get32(parent->virgin));
    return err;
}

ps_err ps_map_page_check(const struct ps_map *map, uint32_t map_page_no, const void *data)
{
    struct ps_map_node_id node;

    if (!ps_map_node_at(map, map_page_no, &node))
        return ps_fail(PS_ERR_CORRUPT, "no node of an allocation map lies there");
    if (ps_get32(ps_map_hdr_of(data)->level) != node.level)
        return ps_fail(PS_ERR_CORRUPT, "it says level %" PRIu32 ", a node of level %u lies there",
                       ps_get32(ps_map_hdr_of(data)->level), node.level);
    return ps_map_counts_check(map, data, &node, NULL);
}
