/*
 * map_read.c - looking pages up in the map.
 *
 * Every walk goes down from the root, one node pinned at a time, and enters a node only if its
 * parent says it is live, with the generation the parent gives. The table's alloc_lock keeps the
 * tree as it is between two nodes. What was true of a leaf stays true until a subtree's life ends:
 * leaves that were reached are remembered until then.
 */
#include "alloc/map_internal.h"

#include <inttypes.h>

/* Pins a node and latches it shared, if it is the one its parent means. */
static ps_err open_node(struct ps_map *map, const struct ps_map_node_id *node, uint64_t gen,
                        struct ps_page **ret)
{
    const struct ps_tag tag = ps_map_tag(map, node);
    struct ps_page *page = NULL;
    ps_err err;

    err = ps_pool_pin(map->pool, &tag, PS_PIN_LOAD, NULL, &page);
    if (err)
        return err;
    ps_page_latch_shared(map->pool, page);
    err = ps_map_node_check(map, page->data, node, gen);
    if (err) {
        ps_page_unlatch(map->pool, page);
        ps_pool_unpin(map->pool, page);
        return err;
    }
    *ret = page;
    return PS_OK;
}

static void close_node(struct ps_map *map, struct ps_page *page)
{
    ps_page_unlatch(map->pool, page);
    ps_pool_unpin(map->pool, page);
}

/* --- one page, or all of a range ---------------------------------------------------------- */

/* Where a walk to a page ended: at its leaf, or above, at a uniform subtree. */
struct spot {
    struct ps_map_node_id node;
    struct ps_page *leaf; /* pinned and latched, to be closed; NULL: all of node is `word` */
    uint64_t word;
};

/* Writers of one entry may mix two leaves' numbers and generations. No harm: a generation is never
 * given twice, so that such an entry fits no node, and the walk begins at the root. */
static void remember_leaf(struct ps_map *map, const struct ps_map_node_id *leaf, uint64_t gen)
{
    const size_t i = leaf->index % PS_MAP_KNOWN_LEAVES;

    if (!map->known)
        return;
    atomic_store_explicit(&map->known->leaves[i].index_plus_1, leaf->index + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&map->known->leaves[i].gen, gen, memory_order_relaxed);
}

/* The leaf's generation, if a walk came there before. */
static bool recall_leaf(const struct ps_map *map, const struct ps_map_node_id *leaf, uint64_t *gen)
{
    const size_t i = leaf->index % PS_MAP_KNOWN_LEAVES;

    if (!map->known || atomic_load_explicit(&map->known->leaves[i].index_plus_1,
                                            memory_order_relaxed) != leaf->index + 1)
        return false;
    *gen = atomic_load_explicit(&map->known->leaves[i].gen, memory_order_relaxed);
    return *gen != 0;
}

void ps_map_forget_leaves(struct ps_map *map)
{
    size_t i;

    for (i = 0; map->known && i < PS_MAP_KNOWN_LEAVES; i++)
        atomic_store_explicit(&map->known->leaves[i].index_plus_1, 0, memory_order_relaxed);
}

static ps_err find_spot(struct ps_map *map, uint32_t page_no, struct spot *ret)
{
    const struct ps_map_node_id leaf = ps_map_leaf_of(map, page_no);
    struct ps_map_node_id node = ps_map_root(map);
    const struct ps_map_inner_entry *entry;
    struct ps_page *page = NULL;
    uint64_t gen = 0;
    uint64_t word;
    uint32_t slot;
    ps_err err;

    if (recall_leaf(map, &leaf, &gen) && open_node(map, &leaf, gen, &page) == PS_OK) {
        *ret = (struct spot){.node = leaf, .leaf = page};
        return PS_OK;
    }
    gen = 0;
    for (;;) {
        err = open_node(map, &node, gen, &page);
        if (err)
            return err;
        if (node.level == 0) {
            remember_leaf(map, &node, gen);
            *ret = (struct spot){.node = node, .leaf = page};
            return PS_OK;
        }
        slot = ps_map_child_slot(map, &node, page_no);
        entry = &ps_map_inner_entries(page->data)[slot];
        gen = ps_get64(entry->gen);
        word = ps_get64(entry->word);
        close_node(map, page);
        node = ps_map_child(map, &node, slot);
        if (gen == 0) {
            *ret = (struct spot){.node = node, .word = word};
            return PS_OK;
        }
    }
}

static struct ps_map_entry leaf_entry(const void *leaf, uint32_t slot)
{
    const struct ps_map_leaf_entry *e = &ps_map_leaf_entries(leaf)[slot];

    return ps_map_entry_of(ps_get64(e->word), ps_get64(e->lsn));
}

ps_err ps_map_get(struct ps_map *map, uint32_t page_no, struct ps_map_entry *ret)
{
    return ps_map_get_range(map, page_no, 1, ret);
}

ps_err ps_map_get_range(struct ps_map *map, uint32_t first, uint32_t count,
                        struct ps_map_entry *entries)
{
    struct spot spot;
    uint32_t done = 0;
    uint32_t slot;
    ps_err err;

    err = ps_map_range_check(map, first, count);
    if (err)
        return err;
    if (map->solid) {
        ps_map_solid_range(map->solid, first, count, entries);
        return PS_OK;
    }
    while (done < count) {
        err = find_spot(map, first + done, &spot);
        if (err)
            return err;
        slot = (uint32_t)(first + done - spot.node.first_page);
        for (; slot < spot.node.pages && done < count; slot++, done++)
            entries[done] =
                spot.leaf ? leaf_entry(spot.leaf->data, slot) : ps_map_entry_of(spot.word, 0);
        if (spot.leaf)
            close_node(map, spot.leaf);
    }
    return PS_OK;
}

/* --- search ------------------------------------------------------------------------------- */

struct search {
    const struct ps_map *map;
    unsigned states;
    bool forward;
    uint64_t page; /* everything before it, in search direction, has been ruled out */
    uint64_t word; /* of the page found */
    uint64_t lsn;  /* likewise; stays 0 in a uniform subtree */
};

enum step {
    STEP_FOUND, /* page is the answer */
    STEP_DOWN,  /* it may lie in the child that was picked */
    STEP_PAST,  /* it does not lie in this node */
};

static bool may_hold(const struct search *s, const struct ps_map_inner_entry *entry, uint64_t pages)
{
    const uint64_t used = ps_get32(entry->used);
    const uint64_t virgin = ps_get32(entry->virgin);

    if (ps_get64(entry->gen) == 0)
        return s->states >> ps_map_word_state(ps_get64(entry->word)) & 1;
    return ((s->states & (1u << PS_USED | 1u << PS_ZERO)) && used > 0) ||
           ((s->states & 1u << PS_VIRGIN) && virgin > 0) ||
           ((s->states & 1u << PS_FREE) && used + virgin < pages);
}

static enum step step_leaf(struct search *s, const struct ps_map_node_id *node, const void *data)
{
    const struct ps_map_leaf_entry *entries = ps_map_leaf_entries(data);
    uint32_t slot = ps_map_leaf_slot(node, s->page);
    uint64_t word;

    for (; slot < node->pages; slot = s->forward ? slot + 1 : slot - 1) { /* 0 - 1 ends it too */
        word = ps_get64(entries[slot].word);
        if (s->states >> ps_map_word_state(word) & 1) {
            s->page = node->first_page + slot;
            s->word = word;
            s->lsn = ps_get64(entries[slot].lsn);
            return STEP_FOUND;
        }
    }
    return STEP_PAST;
}

/* Moves page into the child, if it does not lie there already. */
static void enter(struct search *s, const struct ps_map_node_id *child)
{
    const uint64_t last = child->first_page + child->pages - 1;

    if (s->forward && s->page < child->first_page)
        s->page = child->first_page;
    if (!s->forward && s->page > last)
        s->page = last;
}

static enum step step_inner(struct search *s, struct ps_map_node_id *node, const void *data,
                            uint64_t *gen)
{
    const struct ps_map_inner_entry *entries = ps_map_inner_entries(data);
    const uint32_t count = ps_map_child_count(s->map, node);
    uint32_t slot = ps_map_child_slot(s->map, node, s->page);
    struct ps_map_node_id child;

    for (; slot < count; slot = s->forward ? slot + 1 : slot - 1) {
        child = ps_map_child(s->map, node, slot);
        if (!may_hold(s, &entries[slot], child.pages))
            continue;
        enter(s, &child);
        *node = child;
        *gen = ps_get64(entries[slot].gen);
        s->word = ps_get64(entries[slot].word);
        return *gen == 0 ? STEP_FOUND : STEP_DOWN;
    }
    return STEP_PAST;
}

/* Goes down from the root towards page. PAST: the node where it ended is ruled out. */
static ps_err descend(struct ps_map *map, struct search *s, struct ps_map_node_id *node,
                      enum step *ret)
{
    struct ps_page *page = NULL;
    uint64_t gen = 0;
    enum step step;
    ps_err err;

    *node = ps_map_root(map);
    do {
        err = open_node(map, node, gen, &page);
        if (err)
            return err;
        step = node->level == 0 ? step_leaf(s, node, page->data)
                                : step_inner(s, node, page->data, &gen);
        close_node(map, page);
    } while (step == STEP_DOWN);
    *ret = step;
    return PS_OK;
}

ps_err ps_map_no_further(const struct ps_map *map)
{
    return ps_fail(PS_ERR_NOENT, "table %" PRIu32 ": no further page of that state", map->table);
}

/* A subtree can have what is sought, but only on the side that was ruled out before: then the walk
 * starts again behind it. As siblings are judged by their counts, that happens once a level. */
static ps_err search(struct ps_map *map, struct search *s, uint32_t *ret_page,
                     struct ps_map_entry *ret)
{
    struct ps_map_node_id node;
    enum step step;
    ps_err err;

    for (;;) {
        err = descend(map, s, &node, &step);
        if (err)
            return err;
        if (step == STEP_FOUND)
            break;
        if (s->forward ? node.first_page + node.pages >= PS_MAP_PAGES_MAX : node.first_page == 0)
            return ps_map_no_further(map);
        s->page = s->forward ? node.first_page + node.pages : node.first_page - 1;
    }
    *ret_page = (uint32_t)s->page;
    if (ret)
        *ret = ps_map_entry_of(s->word, s->lsn);
    return PS_OK;
}

ps_err ps_map_next(struct ps_map *map, uint32_t from, unsigned states, uint32_t *ret_page,
                   struct ps_map_entry *ret)
{
    struct search s = {.map = map, .states = states, .forward = true, .page = from};
    ps_err err;

    err = ps_map_range_check(map, from, 1);
    if (!err && map->solid)
        return ps_map_solid_next(map, from, states, ret_page, ret);
    return err ? err : search(map, &s, ret_page, ret);
}

ps_err ps_map_prev(struct ps_map *map, uint32_t from, unsigned states, uint32_t *ret_page,
                   struct ps_map_entry *ret)
{
    struct search s = {.map = map, .states = states, .forward = false, .page = from};
    ps_err err;

    err = ps_map_range_check(map, from, 1);
    if (!err && map->solid)
        return ps_map_solid_prev(map, from, states, ret_page, ret);
    return err ? err : search(map, &s, ret_page, ret);
}

/* --- summary ------------------------------------------------------------------------------ */

#define ALLOCATED (1u << PS_VIRGIN | 1u << PS_USED | 1u << PS_ZERO)

ps_err ps_map_totals(struct ps_map *map, struct ps_map_summary *ret)
{
    const struct ps_map_node_id root = ps_map_root(map);
    const struct ps_map_hdr *hdr;
    struct ps_page *page = NULL;
    ps_err err;

    if (map->solid) {
        ps_map_solid_summary(map->solid, ret);
        ret->end = ret->free = 0;
        return PS_OK;
    }
    err = open_node(map, &root, 0, &page);
    if (err)
        return err;
    hdr = ps_map_hdr_of(page->data);
    *ret = (struct ps_map_summary){.used = ps_get32(hdr->used),
                                   .virgin = ps_get32(hdr->virgin),
                                   .payload_len = ps_get64(hdr->payload_len)};
    close_node(map, page);
    return PS_OK;
}

ps_err ps_map_summary(struct ps_map *map, struct ps_map_summary *ret)
{
    struct ps_map_summary sum;
    uint32_t last = 0;
    ps_err err;

    if (map->solid) {
        ps_map_solid_summary(map->solid, ret);
        return PS_OK;
    }
    err = ps_map_totals(map, &sum);
    if (err)
        return err;
    err = ps_map_prev(map, PS_MAP_PAGES_MAX - 1, ALLOCATED, &last, NULL);
    if (err && err != PS_ERR_NOENT)
        return err;
    sum.end = err ? 0 : (uint64_t)last + 1;
    if (sum.used + sum.virgin > sum.end)
        return ps_fail(PS_ERR_CORRUPT,
                       "table %" PRIu32 ": the allocation map counts %" PRIu64
                       " allocated pages, but ends at page %" PRIu64,
                       map->table, sum.used + sum.virgin, sum.end);
    sum.free = sum.end - sum.used - sum.virgin;
    *ret = sum;
    return PS_OK;
}
