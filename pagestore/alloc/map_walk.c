/*
 * map_walk.c - the whole tree, read without a pool and believed nothing.
 *
 * What can be checked of a node by itself is reported with the node's map page; a difference
 * between a node and its parent's entry is reported with the parent's, as is a child whose
 * generation is wrong. Counts of a subtree that has damage inside are not compared again above:
 * one fault, one report.
 */
#include "alloc/map_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

struct walk {
    const struct ps_map *map;
    const struct ps_map_source *source;
    uint8_t *nodes[PS_MAP_LEVELS_MAX]; /* the node of each level on the way down */
    uint64_t gen_last;                 /* the root's: no generation is higher */
    uint64_t end;                      /* highest allocated page so far + 1 */
};

/* What a subtree holds. */
struct tally {
    uint64_t used;
    uint64_t virgin;
    bool doubtful; /* something in it could not be read or was wrong */
};

static void damage(struct walk *w, const struct ps_map_node_id *node, const char *fmt, ...)
    PS_PRINTF(3, 4);

static void damage(struct walk *w, const struct ps_map_node_id *node, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    w->source->damage(w->source->ctx, ps_map_node_page(w->map, node->level, node->index), text);
}

static bool is_zero(const void *buf, size_t len)
{
    return len == 0 || ps_page_is_zero(buf, len);
}

static void allocated_up_to(struct walk *w, enum ps_page_state state, uint64_t end)
{
    if (state != PS_FREE && end > w->end)
        w->end = end;
}

/* --- a node by itself --------------------------------------------------------------------- */

/* Header fields and room that this node has no use for. */
static bool check_node(struct walk *w, const struct ps_map_node_id *node, const uint8_t *data)
{
    const struct ps_map_hdr *hdr = ps_map_hdr_of(data);
    const bool is_root = node->level + 1 == w->map->levels;
    const uint32_t end = node->level == 0 ? ps_map_leaf_off((uint32_t)node->pages)
                                          : ps_map_inner_off(ps_map_child_count(w->map, node));
    bool sound = true;

    if (ps_format_native.type(data) != PS_PAGE_MAP) {
        damage(w, node, "page type is %d, not that of a map", (int)ps_format_native.type(data));
        sound = false;
    }
    if (ps_get32(hdr->reserved) != 0 ||
        (!is_root && (ps_get64(hdr->payload_len) != 0 || ps_get32(hdr->used) != 0 ||
                      ps_get32(hdr->virgin) != 0))) {
        damage(w, node, "reserved bytes of the header are not zero");
        sound = false;
    }
    if (!is_zero(data + end, w->map->page_size - end)) {
        damage(w, node, "bytes from %" PRIu32 " on, behind the last entry, are not zero", end);
        sound = false;
    }
    return sound;
}

/* Reads the node and checks that it is the one meant; gen as in ps_map_node_check. *ret_there is
 * false where it is not, which has been reported then. */
static ps_err read_node(struct walk *w, const struct ps_map_node_id *node, uint64_t gen,
                        bool *ret_there)
{
    uint8_t *data = w->nodes[node->level];
    ps_err err;

    err = w->source->read(w->source->ctx, ps_map_node_page(w->map, node->level, node->index), data);
    if (!err)
        err = ps_map_node_check(w->map, data, node, gen);
    *ret_there = err == PS_OK;
    if (err != PS_OK && err != PS_ERR_CORRUPT && err != PS_ERR_IO)
        return err;
    if (err)
        damage(w, node, "%s", ps_message());
    return PS_OK;
}

/* --- leaves ------------------------------------------------------------------------------- */

static bool check_leaf_entry(struct walk *w, const struct ps_map_node_id *node, uint64_t page_no,
                             uint64_t word, uint64_t lsn)
{
    const uint64_t node_lsn = ps_format_native.lsn(w->nodes[0]);
    const bool used = ps_map_is_used(ps_map_word_state(word));

    if (!ps_map_word_sound(word))
        damage(w, node, "page %" PRIu64 " is in no known state (word %016" PRIx64 ")", page_no,
               word);
    else if (!used && lsn != 0)
        damage(w, node, "page %" PRIu64 " was never written, but has LSN %" PRIu64, page_no, lsn);
    else if (used && lsn == 0)
        damage(w, node, "page %" PRIu64 " is used, but has no LSN", page_no);
    else if (lsn > node_lsn)
        damage(w, node, "page %" PRIu64 " has LSN %" PRIu64 ", beyond the node's own %" PRIu64,
               page_no, lsn, node_lsn);
    else
        return true;
    return false;
}

static ps_err walk_leaf(struct walk *w, const struct ps_map_node_id *node, struct tally *t)
{
    const struct ps_map_leaf_entry *entries = ps_map_leaf_entries(w->nodes[0]);
    struct ps_map_entry entry;
    uint64_t page_no;
    uint32_t i;
    ps_err err;

    for (i = 0; i < node->pages; i++) {
        page_no = node->first_page + i;
        entry = ps_map_entry_of(ps_get64(entries[i].word), ps_get64(entries[i].lsn));
        if (!check_leaf_entry(w, node, page_no, ps_get64(entries[i].word), entry.lsn))
            t->doubtful = true;
        t->used += ps_map_is_used(entry.state);
        t->virgin += entry.state == PS_VIRGIN;
        allocated_up_to(w, entry.state, page_no + 1);
        err = w->source->each ? w->source->each(w->source->ctx, (uint32_t)page_no, &entry) : PS_OK;
        if (err)
            return err;
    }
    return PS_OK;
}

/* --- inner nodes -------------------------------------------------------------------------- */

static ps_err walk_uniform(struct walk *w, const struct ps_map_node_id *node,
                           const struct ps_map_node_id *child,
                           const struct ps_map_inner_entry *entry, struct tally *t)
{
    const uint64_t word = ps_get64(entry->word);
    const struct ps_map_entry pages = ps_map_entry_of(word, 0);
    const uint64_t virgin = pages.state == PS_VIRGIN ? child->pages : 0;

    if (!ps_map_word_sound(word) || ps_map_is_used(pages.state)) {
        damage(w, node, "pages %" PRIu64 "-%" PRIu64 " cannot all be in state %016" PRIx64,
               child->first_page, child->first_page + child->pages - 1, word);
        t->doubtful = true;
        return PS_OK;
    }
    if (ps_get32(entry->used) != 0 || ps_get32(entry->virgin) != virgin) {
        damage(w, node,
               "pages %" PRIu64 "-%" PRIu64 " are all %s, but counted as %" PRIu32 " used, %" PRIu32
               " virgin",
               child->first_page, child->first_page + child->pages - 1,
               pages.state == PS_VIRGIN ? "virgin" : "free", ps_get32(entry->used),
               ps_get32(entry->virgin));
        t->doubtful = true;
    }
    t->virgin += virgin;
    allocated_up_to(w, pages.state, child->first_page + child->pages);
    if (!w->source->range)
        return PS_OK;
    return w->source->range(w->source->ctx, child->first_page, child->pages, &pages);
}

static ps_err walk_node(struct walk *w, const struct ps_map_node_id *node, struct tally *t);

static ps_err walk_live(struct walk *w, const struct ps_map_node_id *node,
                        const struct ps_map_node_id *child, const struct ps_map_inner_entry *entry,
                        struct tally *t)
{
    const uint64_t gen = ps_get64(entry->gen);
    const struct tally claim = {ps_get32(entry->used), ps_get32(entry->virgin), true};
    struct tally found = {0};
    bool there = false;
    ps_err err;

    if (gen > w->gen_last || ps_get64(entry->word) != 0) {
        damage(w, node,
               "entry of pages %" PRIu64 "-%" PRIu64
               " is neither uniform nor live (generation %" PRIu64 " of %" PRIu64
               ", word %016" PRIx64 ")",
               child->first_page, child->first_page + child->pages - 1, gen, w->gen_last,
               ps_get64(entry->word));
        t->doubtful = true;
    }
    err = read_node(w, child, gen, &there);
    if (!err && there)
        err = walk_node(w, child, &found);
    else
        found = claim;
    if (err)
        return err;
    if (!found.doubtful && (found.used != claim.used || found.virgin != claim.virgin)) {
        damage(w, node,
               "pages %" PRIu64 "-%" PRIu64 " are counted as %" PRIu64 " used, %" PRIu64
               " virgin; they are %" PRIu64 " and %" PRIu64,
               child->first_page, child->first_page + child->pages - 1, claim.used, claim.virgin,
               found.used, found.virgin);
        found.doubtful = true;
    }
    t->used += found.used;
    t->virgin += found.virgin;
    t->doubtful = t->doubtful || found.doubtful;
    return PS_OK;
}

/* The node has been read, and lies in w->nodes. */
static ps_err walk_node(struct walk *w, const struct ps_map_node_id *node, struct tally *t)
{
    const struct ps_map_inner_entry *entries;
    struct ps_map_node_id child;
    uint32_t count, i;
    ps_err err = PS_OK;

    if (!check_node(w, node, w->nodes[node->level]))
        t->doubtful = true;
    if (node->level == 0)
        return walk_leaf(w, node, t);
    entries = ps_map_inner_entries(w->nodes[node->level]);
    count = ps_map_child_count(w->map, node);
    for (i = 0; i < count && !err; i++) {
        child = ps_map_child(w->map, node, i);
        if (ps_get64(entries[i].gen) == 0)
            err = walk_uniform(w, node, &child, &entries[i], t);
        else
            err = walk_live(w, node, &child, &entries[i], t);
    }
    return err;
}

/* --- the whole ---------------------------------------------------------------------------- */

static ps_err walk_root(struct walk *w, struct ps_map_summary *ret)
{
    const struct ps_map_node_id root = ps_map_root(w->map);
    const struct ps_map_hdr *hdr = ps_map_hdr_of(w->nodes[root.level]);
    struct tally t = {0};
    bool there = false;
    ps_err err;

    *ret = (struct ps_map_summary){0};
    err = read_node(w, &root, 0, &there);
    if (err || !there)
        return err;
    w->gen_last = ps_get64(hdr->gen);
    err = walk_node(w, &root, &t);
    if (err)
        return err;
    if (!t.doubtful && (t.used != ps_get32(hdr->used) || t.virgin != ps_get32(hdr->virgin)))
        damage(w, &root,
               "the table's pages are counted as %" PRIu32 " used, %" PRIu32
               " virgin; they are %" PRIu64 " and %" PRIu64,
               ps_get32(hdr->used), ps_get32(hdr->virgin), t.used, t.virgin);
    ret->end = w->end;
    ret->used = t.used;
    ret->virgin = t.virgin;
    ret->free = w->end > t.used + t.virgin ? w->end - t.used - t.virgin : 0;
    ret->payload_len = ps_get64(hdr->payload_len);
    return PS_OK;
}

ps_err ps_map_walk(const struct ps_map *map, const struct ps_map_source *source,
                   struct ps_map_summary *ret)
{
    struct walk w = {.map = map, .source = source};
    ps_err err = PS_OK;
    unsigned level;

    for (level = 0; level < map->levels && !err; level++) {
        w.nodes[level] = ps_buf_alloc(map->page_size);
        if (!w.nodes[level])
            err =
                ps_fail(PS_ERR_NOMEM, "no memory for %u pages of the allocation map", map->levels);
    }
    if (!err)
        err = walk_root(&w, ret);
    for (level = 0; level < map->levels; level++)
        ps_buf_free(w.nodes[level]);
    return err;
}
