/*
 * damage_zero.c - pages of zeros: at a relation's end they are pages that it was extended by;
 * between others they may be what is left of a crash, or of a disk that lost them. Of hash and SP-
 * GiST indexes, which have such pages while they are sound, the index itself tells which of them
 * must not be zero.
 */
#include <inttypes.h>

#include "pg/damage_walk.h"

static bool is_index(const struct ps_pg_walk *w)
{
    return w->subject.kind >= PS_PG_PAGE_BTREE && w->subject.kind <= PS_PG_PAGE_BRIN;
}

/* The first block, from `first` on, of the hole that ends before `end`; or end. */
static uint64_t hole_before(struct ps_pg_walk *w, uint64_t first, uint64_t end)
{
    uint64_t low = first, high = end; /* [high, end) is a hole */

    if (first == end || ps_foreign_next_data(w->table, end - 1, end) != end)
        return end;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const uint64_t data = ps_foreign_next_data(w->table, middle, end);

        if (data == end)
            high = middle;
        else
            low = data + 1;
    }
    return high;
}

/* Zeros that the piece begins with may have begun in those before it. */
static void find_zeros_before(struct ps_pg_walk *w)
{
    const uint64_t first = w->subject.first_block;
    const uint64_t counted = is_index(w) && first == 0 ? 1 : first;
    uint64_t block = w->from;

    while (block > counted && ps_pg_walk_is_zero(w, block - 1))
        block = hole_before(w, counted, block - 1);
    if (block == w->from)
        return;
    w->zero_count += w->from - block;
    w->zero_first = block;
}

/* --- telling ------------------------------------------------------------------------------- */

static void tell_between(struct ps_pg_walk *w)
{
    if (w->zero_count == 1)
        ps_pg_walk_add(w, w->zero_first, 0, false, "zero",
                       "the page is all zero, later ones are not");
    else
        ps_pg_walk_add(w, w->zero_first, 0, false, "zero",
                       "%" PRIu64 " pages from here on are all zero, later ones are not",
                       w->zero_count);
}

/* Pages [first, end), if there are any. */
static void tell_used(struct ps_pg_walk *w, uint64_t first, uint64_t end)
{
    if (first + 1 == end)
        ps_pg_walk_add(w, first, 0, w->settled, "zero",
                       "the page is all zero, but its index has it in use");
    else if (first < end)
        ps_pg_walk_add(w, first, 0, w->settled, "zero",
                       "%" PRIu64 " pages from here on are all zero, but their index has them in "
                       "use",
                       end - first);
}

/* Those that lie in [first, end), all of which is in use. */
static void tell_among_used(struct ps_pg_walk *w, uint64_t first, uint64_t end)
{
    const uint64_t zero_end = w->zero_first + w->zero_count;

    tell_used(w, w->zero_first > first ? w->zero_first : first, zero_end < end ? zero_end : end);
}

/* Does the index know which of its blocks are in use? */
static ps_err ask_hash(struct ps_pg_walk *w, struct ps_hash_extent *ret, bool *ret_known)
{
    const struct ps_page_ident who = {w->page_size, 0, w->subject.file->id};
    const uint8_t *page;
    struct ps_pg_view v;
    ps_err err;

    *ret_known = false;
    if (w->subject.kind != PS_PG_PAGE_HASH || w->subject.first_block > 0)
        return PS_OK;
    err = ps_pg_walk_read_other(w, 0, &page);
    if (err)
        return ps_pg_walk_ends(err) ? err : PS_OK;
    v = ps_pg_view(page, &who);
    *ret_known = ps_hash_extent(&v, ret);
    return PS_OK;
}

static ps_err tell(struct ps_pg_walk *w, bool at_end)
{
    struct ps_hash_extent extent;
    bool known;
    ps_err err;

    if (!w->seen_page)
        find_zeros_before(w);
    w->seen_page = true;
    if (w->zero_count == 0)
        return PS_OK;
    err = ask_hash(w, &extent, &known);
    if (err)
        return err;
    if (known) {
        tell_among_used(w, 1, extent.ahead_first);
        tell_among_used(w, extent.ahead_end, extent.end);
    } else if (!at_end) {
        tell_between(w);
    }
    w->zero_count = 0;
    return PS_OK;
}

static void tell_led_to(struct ps_pg_walk *w)
{
    uint64_t first, end = 1; /* the first page has its own line */

    ps_pg_links_wait(w->links, w->from);
    while (ps_pg_links_next(w->links, end, &first, &end))
        tell_used(w, first, end);
}

ps_err ps_pg_zeros_tell(struct ps_pg_walk *w)
{
    if (w->subject.kind == PS_PG_PAGE_FSM || w->subject.kind == PS_PG_PAGE_VM || w->links)
        return PS_OK;
    return tell(w, false);
}

ps_err ps_pg_zeros_end(struct ps_pg_walk *w)
{
    if (w->links)
        tell_led_to(w);
    return w->subject.kind == PS_PG_PAGE_HASH ? tell(w, true) : PS_OK;
}

/* --- seeing -------------------------------------------------------------------------------- */

static void see_hole(struct ps_pg_walk *w)
{
    const uint64_t end = ps_foreign_next_data(w->table, w->block + 1, w->to);
    const uint64_t skipped = end - (w->block + 1);

    if (skipped == 0)
        return;
    if (w->zero_count == 0) /* the page was an index's first, and counts for itself */
        w->zero_first = w->block + 1;
    w->zero_count += skipped;
    w->counts->pages += skipped;
    w->block += skipped;
}

/* An index begins with its metapage or root, always. */
static void see_zero_page(struct ps_pg_walk *w)
{
    if (is_index(w) && w->block == 0) {
        PS_PG_WALK_DISAGREE(w, 0, "zero", "the index's first page is all zero");
        return;
    }
    if (w->zero_count == 0)
        w->zero_first = w->block;
    w->zero_count++;
}

void ps_pg_zeros_see(struct ps_pg_walk *w, bool with_hole)
{
    see_zero_page(w);
    if (with_hole)
        see_hole(w);
}
