/*
 * map_change.c - pages change state, and change.
 *
 * A change goes down from the root to the nodes that lie only partly in its range, and rewrites
 * them; subtrees that it covers it makes uniform, in their parent. Where it must go down into a
 * subtree that is uniform so far, the child node begins a life: it is written whole, with what its
 * parent said of all its pages and a generation that was never used before in this map.
 */
#include "alloc/map_internal.h"

#include <inttypes.h>

/* --- prepare ------------------------------------------------------------------------------ */

struct plan {
    struct ps_map *map;
    struct ps_group *g;
    const struct ps_map_range *ranges;
    size_t range_count;
};

static bool page_by_page(uint32_t count)
{
    return count <= PS_MAP_RUN_MAX;
}

static bool covers(uint64_t first, uint64_t end, const struct ps_map_node_id *node)
{
    return first <= node->first_page && node->first_page + node->pages <= end;
}

static bool meets(uint64_t first, uint64_t end, const struct ps_map_node_id *node)
{
    return first < node->first_page + node->pages && node->first_page < end;
}

/* Whether a change of the range must go down into the child, rather than make it uniform. */
static bool goes_into(const struct ps_map_range *range, const struct ps_map_node_id *child)
{
    const uint64_t first = range->first;
    const uint64_t end = first + range->count;

    return meets(first, end, child) && (page_by_page(range->count) || !covers(first, end, child));
}

/* The first child at or after slot `from` that the range goes into; the child count if none: of a
 * long range those are at most the ones where it begins and where it ends. */
static uint32_t range_child(const struct ps_map *map, const struct ps_map_range *range,
                            const struct ps_map_node_id *node, uint32_t from)
{
    const uint32_t count = ps_map_child_count(map, node);
    const uint64_t node_last = node->first_page + node->pages - 1;
    const uint64_t range_last = (uint64_t)range->first + range->count - 1;
    struct ps_map_node_id child;
    uint32_t first_slot, last_slot, slot;

    if (range->first > node_last || range_last < node->first_page)
        return count;
    first_slot = range->first <= node->first_page ? 0 : ps_map_child_slot(map, node, range->first);
    last_slot = range_last >= node_last ? count - 1 : ps_map_child_slot(map, node, range_last);
    slot = from > first_slot ? from : first_slot;
    while (slot <= last_slot) {
        child = ps_map_child(map, node, slot);
        if (goes_into(range, &child))
            return slot;
        slot = slot < last_slot ? last_slot : last_slot + 1;
    }
    return count;
}

static uint32_t plan_child(const struct plan *plan, const struct ps_map_node_id *node,
                           uint32_t from)
{
    uint32_t best = ps_map_child_count(plan->map, node);
    uint32_t slot;
    size_t i;

    for (i = 0; i < plan->range_count; i++) {
        slot = range_child(plan->map, &plan->ranges[i], node, from);
        if (slot < best)
            best = slot;
    }
    return best;
}

/* Is it the node that is meant, and can counts be added up through it? */
static ps_err check_live_node(const struct ps_map *map, const struct ps_page *page,
                              const struct ps_map_node_id *node,
                              const struct ps_map_inner_entry *parent)
{
    ps_err err;

    err = ps_map_node_check(map, page->data, node, parent ? ps_get64(parent->gen) : 0);
    if (err)
        return err;
    err = ps_map_counts_check(map, page->data, node, parent);
    if (err)
        return ps_fail_in(err, "tables/%" PRIu32 ".map page %" PRIu32, map->table, page->tag.page);
    return PS_OK;
}

/* Pins the node and those below it that the plan goes into. Depth first is ascending order. parent
 * is the entry of a live node, NULL for the root. A node that is not live is to begin a life (never
 * read: what lies there is void), and so are its children. */
static ps_err prepare_node(const struct plan *plan, const struct ps_map_node_id *node, bool live,
                           const struct ps_map_inner_entry *parent)
{
    const struct ps_tag tag = ps_map_tag(plan->map, node);
    const uint32_t count = node->level > 0 ? ps_map_child_count(plan->map, node) : 0;
    struct ps_page *page = NULL;
    const struct ps_map_inner_entry *entry;
    struct ps_map_node_id child;
    uint32_t slot;
    ps_err err;

    err = ps_group_page(plan->g, &tag, live ? PS_PIN_LOAD : PS_PIN_NEW, &ps_format_native, &page);
    if (err)
        return err;
    if (live) {
        err = check_live_node(plan->map, page, node, parent);
        if (err)
            return err;
    }
    if (node->level == 0)
        return PS_OK;
    for (slot = plan_child(plan, node, 0); slot < count; slot = plan_child(plan, node, slot + 1)) {
        child = ps_map_child(plan->map, node, slot);
        entry = &ps_map_inner_entries(page->data)[slot];
        err = prepare_node(plan, &child, live && ps_get64(entry->gen) != 0, entry);
        if (err)
            return err;
    }
    return PS_OK;
}

/* Only pages that are USED or ZERO can be touched. [first, first + count) is of one leaf. */
static ps_err check_touchable(const struct ps_map *map, const struct ps_page *page,
                              const struct ps_map_node_id *leaf, uint64_t first, uint64_t count)
{
    const uint32_t slot = ps_map_leaf_slot(leaf, first);
    const struct ps_map_leaf_entry *entry = &ps_map_leaf_entries(page->data)[slot];
    uint64_t i;

    for (i = 0; i < count; i++)
        if (!ps_map_is_used(ps_map_word_state(ps_get64(entry[i].word))))
            return ps_fail(PS_ERR_CORRUPT,
                           "tables/%" PRIu32 ".map page %" PRIu32 ": page %" PRIu64
                           " changes, but was never written (word %016" PRIx64 ")",
                           map->table, page->tag.page, first + i, ps_get64(entry[i].word));
    return PS_OK;
}

/* Pages that are USED have a leaf, and touching them changes nothing above it. */
static ps_err prepare_leaves(const struct plan *plan)
{
    struct ps_map_node_id leaf;
    struct ps_page *page = NULL;
    struct ps_tag tag;
    uint64_t page_no, end, leaf_end;
    size_t i;
    ps_err err;

    for (i = 0; i < plan->range_count; i++) {
        page_no = plan->ranges[i].first;
        end = page_no + plan->ranges[i].count;
        for (; page_no < end; page_no = leaf_end) {
            leaf = ps_map_leaf_of(plan->map, (uint32_t)page_no);
            leaf_end = leaf.first_page + leaf.pages;
            tag = ps_map_tag(plan->map, &leaf);
            err = ps_group_page(plan->g, &tag, PS_PIN_LOAD, NULL, &page);
            if (!err)
                err = check_touchable(plan->map, page, &leaf, page_no,
                                      (leaf_end < end ? leaf_end : end) - page_no);
            if (err)
                return err;
        }
    }
    return PS_OK;
}

ps_err ps_map_prepare_ranges(struct ps_map *map, struct ps_group *g,
                             const struct ps_map_range *ranges, size_t range_count,
                             bool changes_state)
{
    const struct plan plan = {map, g, ranges, range_count};
    const struct ps_map_node_id root = ps_map_root(map);
    size_t i;
    ps_err err;

    assert(range_count > 0 && range_count <= PS_MAP_RANGES_MAX);
    for (i = 0; i < range_count; i++) {
        err = ps_map_range_check(map, ranges[i].first, ranges[i].count);
        if (err)
            return err;
        assert(changes_state || page_by_page(ranges[i].count));
        assert(i == 0 || ranges[i].first >= ranges[i - 1].first + ranges[i - 1].count);
    }
    return changes_state ? prepare_node(&plan, &root, true, NULL) : prepare_leaves(&plan);
}

ps_err ps_map_prepare(struct ps_map *map, struct ps_group *g, uint32_t first, uint32_t count,
                      bool changes_state)
{
    const struct ps_map_range range = {first, count};

    return ps_map_prepare_ranges(map, g, &range, 1, changes_state);
}

ps_err ps_map_prepare_root(struct ps_map *map, struct ps_group *g)
{
    const struct plan plan = {map, g, NULL, 0};
    const struct ps_map_node_id root = ps_map_root(map);

    return prepare_node(&plan, &root, true, NULL);
}

static uint32_t level_nodes(const struct ps_map *map, unsigned level, uint32_t first,
                            uint32_t count)
{
    const uint64_t last = (uint64_t)first + count - 1;

    return (uint32_t)(last / map->cover[level] - first / map->cover[level] + 1);
}

uint32_t ps_map_set_frames(const struct ps_map *map, uint32_t first, uint32_t count)
{
    uint32_t frames = 0;
    uint32_t nodes;
    unsigned level;

    if (level_nodes(map, 0, first, count) == 1)
        return map->levels;
    for (level = 0; level < map->levels; level++) {
        nodes = level_nodes(map, level, first, count);
        frames += page_by_page(count) || nodes < 2 ? nodes : 2;
    }
    return frames;
}

uint64_t ps_map_set_bytes(const struct ps_map *map, uint32_t first, uint32_t count)
{
    return (uint64_t)ps_map_set_frames(map, first, count) * map->page_size;
}

uint32_t ps_map_touch_frames(const struct ps_map *map, uint32_t first, uint32_t count)
{
    return level_nodes(map, 0, first, count);
}

/* --- set ---------------------------------------------------------------------------------- */

struct set {
    struct ps_map *map;
    struct ps_group *g;
    uint64_t first, end;
    bool singly; /* page by page */
    enum ps_page_state state;
    uint64_t word;           /* what the pages' entries become */
    struct ps_map_hdr *root; /* declared to the group from gen to virgin */
};

/* By how much counts change. */
struct delta {
    int64_t used;
    int64_t virgin;
};

static void add_pages(struct delta *d, enum ps_page_state state, int64_t pages)
{
    if (ps_map_is_used(state))
        d->used += pages;
    else if (state == PS_VIRGIN)
        d->virgin += pages;
}

static ps_le32 count_plus(ps_le32 count, int64_t change)
{
    const int64_t sum = ps_get32(count) + change;

    assert(sum >= 0 && sum <= UINT32_MAX);
    return ps_put32((uint32_t)sum);
}

/* A node that prepare pinned. */
static struct ps_page *held_node(struct ps_map *map, struct ps_group *g,
                                 const struct ps_map_node_id *node)
{
    const struct ps_tag tag = ps_map_tag(map, node);
    struct ps_page *page = NULL;
    ps_err err;

    err = ps_group_page(g, &tag, PS_PIN_RESIDENT, NULL, &page);
    assert(err == PS_OK); /* else the range was not prepared */
    (void)err;
    return page;
}

/* The subtree is in one state, and its nodes' lives, if they had one, are over. */
static void make_uniform(struct ps_map_inner_entry *entry, uint64_t pages, uint64_t word)
{
    const enum ps_page_state state = ps_map_word_state(word);

    assert(!ps_map_is_used(state));
    entry->word = ps_put64(word);
    entry->gen = ps_put64(0);
    entry->used = ps_put32(0);
    entry->virgin = ps_put32(state == PS_VIRGIN ? (uint32_t)pages : 0);
}

/* Writes a whole node all of whose pages are `word`. */
static void write_node(struct ps_map *map, struct ps_group *g, const struct ps_map_node_id *node,
                       struct ps_page *page, uint64_t gen, uint64_t word)
{
    const struct ps_page_ident who = {map->page_size, page->tag.page, map->table};
    const uint32_t children = node->level > 0 ? ps_map_child_count(map, node) : 0;
    uint8_t *data = ps_group_write(g, page, 0, map->page_size);
    struct ps_map_hdr *hdr = (struct ps_map_hdr *)data;
    struct ps_map_inner_entry *inner = (struct ps_map_inner_entry *)(hdr + 1);
    struct ps_map_leaf_entry *leaf = (struct ps_map_leaf_entry *)(hdr + 1);
    uint32_t i;

    ps_format_native.init(data, &who, PS_PAGE_MAP); /* zeros behind its header */
    hdr->gen = ps_put64(gen);
    hdr->level = ps_put32(node->level);
    for (i = 0; i < children; i++)
        make_uniform(&inner[i], ps_map_child(map, node, i).pages, word);
    for (i = 0; node->level == 0 && i < node->pages; i++)
        leaf[i].word = ps_put64(word);
}

static struct delta set_leaf(const struct set *s, const struct ps_map_node_id *node,
                             struct ps_page *page)
{
    const uint64_t first = s->first > node->first_page ? s->first : node->first_page;
    const uint64_t node_end = node->first_page + node->pages;
    const uint64_t end = s->end < node_end ? s->end : node_end;
    const uint32_t off = ps_map_leaf_off(ps_map_leaf_slot(node, first));
    const size_t len = (size_t)(end - first) * sizeof(struct ps_map_leaf_entry);
    struct ps_map_leaf_entry *entry;
    struct delta d = {0, 0};
    enum ps_page_state old;
    uint64_t i;

    entry = (struct ps_map_leaf_entry *)ps_group_write(s->g, page, off, (uint32_t)len);
    for (i = first; i < end; i++, entry++) {
        old = ps_map_word_state(ps_get64(entry->word));
        if (s->state == PS_USED && ps_map_is_used(old))
            continue; /* keeps its LSN, until touched */
        add_pages(&d, old, -1);
        add_pages(&d, s->state, 1);
        entry->lsn = ps_put64(0);
        entry->word = ps_put64(s->word);
    }
    return d;
}

static struct delta set_inner(struct set *s, const struct ps_map_node_id *node,
                              struct ps_page *page);

/* One child of a node; the change of its parent's entry has been declared. */
static struct delta set_child(struct set *s, const struct ps_map_node_id *child,
                              struct ps_map_inner_entry *entry)
{
    struct delta d = {-(int64_t)ps_get32(entry->used), -(int64_t)ps_get32(entry->virgin)};
    struct ps_page *page;

    if (!s->singly && covers(s->first, s->end, child)) {
        ps_map_forget_leaves(s->map);
        make_uniform(entry, child->pages, s->word);
        add_pages(&d, s->state, (int64_t)child->pages);
        return d;
    }
    page = held_node(s->map, s->g, child);
    if (ps_get64(entry->gen) == 0) {
        s->root->gen = ps_put64(ps_get64(s->root->gen) + 1);
        write_node(s->map, s->g, child, page, ps_get64(s->root->gen), ps_get64(entry->word));
        entry->gen = s->root->gen;
        entry->word = ps_put64(0);
    }
    d = child->level == 0 ? set_leaf(s, child, page) : set_inner(s, child, page);
    entry->used = count_plus(entry->used, d.used);
    entry->virgin = count_plus(entry->virgin, d.virgin);
    return d;
}

static struct delta set_inner(struct set *s, const struct ps_map_node_id *node,
                              struct ps_page *page)
{
    const uint64_t node_end = node->first_page + node->pages;
    const uint64_t first = s->first > node->first_page ? s->first : node->first_page;
    const uint64_t last = (s->end < node_end ? s->end : node_end) - 1;
    const uint32_t first_slot = ps_map_child_slot(s->map, node, first);
    const uint32_t last_slot = ps_map_child_slot(s->map, node, last);
    const size_t len = (last_slot - first_slot + 1) * sizeof(struct ps_map_inner_entry);
    struct ps_map_inner_entry *entry;
    struct ps_map_node_id child;
    struct delta sum = {0, 0};
    struct delta d;
    uint32_t slot;

    entry = (struct ps_map_inner_entry *)ps_group_write(s->g, page, ps_map_inner_off(first_slot),
                                                        (uint32_t)len);
    for (slot = first_slot; slot <= last_slot; slot++, entry++) {
        child = ps_map_child(s->map, node, slot);
        d = set_child(s, &child, entry);
        sum.used += d.used;
        sum.virgin += d.virgin;
    }
    return sum;
}

void ps_map_apply_set(struct ps_map *map, struct ps_group *g, uint32_t first, uint32_t count,
                      enum ps_page_state state)
{
    const struct ps_map_node_id node = ps_map_root(map);
    struct ps_page *page = held_node(map, g, &node);
    struct set s = {
        .map = map,
        .g = g,
        .first = first,
        .end = (uint64_t)first + count,
        .singly = page_by_page(count),
        .state = state,
        .word = ps_map_word(state, g->time_us),
    };
    struct delta d;

    assert(count > 0 && state != PS_ZERO);
    assert(state != PS_USED || s.singly);

    (void)ps_group_write(g, page, PS_MAP_TOTALS_OFF, PS_MAP_TOTALS_LEN);
    s.root = (struct ps_map_hdr *)page->data;
    d = set_inner(&s, &node, page);
    s.root->used = count_plus(s.root->used, d.used);
    s.root->virgin = count_plus(s.root->virgin, d.virgin);
}

/* --- touch -------------------------------------------------------------------------------- */

static uint64_t touched_word(uint64_t time_us, bool zero)
{
    return ps_map_word(zero ? PS_ZERO : PS_USED, time_us);
}

/* [page_no, page_no + count) lie in one leaf; bit is the place of page_no's bit in zero_bits. */
static void touch_leaf(struct ps_group *g, struct ps_page *page, uint32_t slot, uint32_t count,
                       const uint8_t *zero_bits, uint32_t bit)
{
    const uint32_t len = (uint32_t)(count * sizeof(struct ps_map_leaf_entry));
    struct ps_map_leaf_entry *entry;
    bool zero;
    uint32_t i;

    entry = (struct ps_map_leaf_entry *)ps_group_write_implied(g, page, ps_map_leaf_off(slot), len);
    for (i = 0; i < count; i++, bit++) {
        assert(ps_map_is_used(ps_map_word_state(ps_get64(entry[i].word))));
        zero = zero_bits && (zero_bits[bit / 8] >> bit % 8 & 1);
        entry[i].word = ps_put64(touched_word(g->time_us, zero));
        ps_group_put_lsn(g, page, ps_map_leaf_off(slot + i));
    }
}

void ps_map_apply_touch(struct ps_map *map, struct ps_group *g, uint32_t first, uint32_t count,
                        const uint8_t *zero_bits)
{
    struct ps_map_node_id leaf;
    uint32_t done = 0;
    uint32_t slot, run;

    assert(count > 0 && page_by_page(count));
    for (; done < count; done += run) {
        leaf = ps_map_leaf_of(map, first + done);
        slot = ps_map_leaf_slot(&leaf, first + done);
        run = (uint32_t)leaf.pages - slot;
        if (run > count - done)
            run = count - done;
        touch_leaf(g, held_node(map, g, &leaf), slot, run, zero_bits, done);
    }
}

ps_err ps_map_redo_touch(struct ps_map *map, uint32_t page_no, uint64_t lsn, uint64_t time_us,
                         bool zero)
{
    const struct ps_map_node_id leaf = ps_map_leaf_of(map, page_no);
    const struct ps_tag tag = ps_map_tag(map, &leaf);
    struct ps_map_leaf_entry *entry;
    struct ps_page *page = NULL;
    ps_err err;

    err = ps_pool_pin(map->pool, &tag, PS_PIN_LOAD, NULL, &page);
    if (err)
        return err;
    ps_page_latch_exclusive(map->pool, page);
    if (ps_get64(ps_map_hdr_of(page->data)->gen) == 0) {
        err = ps_fail(PS_ERR_CORRUPT,
                      "table %" PRIu32 ": page %" PRIu32 " changed at LSN %" PRIu64
                      ", but the allocation map's page %" PRIu32 " for it was never written",
                      map->table, page_no, lsn, tag.page);
    } else if (page->lsn <= lsn) {
        /* 0, as where the group began is not known here: below every redo point, so that the next
         * checkpoint writes the page. The group's LSN would be too high: a redo point can lie there
         * that no longer covers the group. */
        ps_pool_mark_dirty(map->pool, page, 0);
        entry = (struct ps_map_leaf_entry *)(page->data +
                                             ps_map_leaf_off(ps_map_leaf_slot(&leaf, page_no)));
        entry->lsn = ps_put64(lsn);
        entry->word = ps_put64(touched_word(time_us, zero));
        ps_format_native.set_lsn(page->data, lsn);
        ps_pool_changed(map->pool, page, lsn);
    }
    ps_page_unlatch(map->pool, page);
    ps_pool_unpin(map->pool, page);
    return err;
}

/* --- root --------------------------------------------------------------------------------- */

void ps_map_apply_payload_len(struct ps_map *map, struct ps_group *g, uint64_t len)
{
    const struct ps_map_node_id root = ps_map_root(map);
    struct ps_page *page = held_node(map, g, &root);

    (void)ps_group_write(g, page, PS_MAP_TOTALS_OFF, PS_MAP_TOTALS_LEN);
    ((struct ps_map_hdr *)page->data)->payload_len = ps_put64(len);
}

ps_err ps_map_format(struct ps_map *map, struct ps_group *g)
{
    const struct ps_map_node_id root = ps_map_root(map);
    const struct ps_tag tag = ps_map_tag(map, &root);
    struct ps_page *page = NULL;
    ps_err err;

    err = ps_group_page(g, &tag, PS_PIN_NEW, &ps_format_native, &page);
    if (err)
        return err;
    write_node(map, g, &root, page, 1, ps_map_word(PS_FREE, 0));
    return PS_OK;
}
