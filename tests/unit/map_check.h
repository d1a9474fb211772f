/*
 * map_check.h - is a map what the flat model of its bed says: by its calls, and by a walk over its
 * pages as they are on disk.
 */
#ifndef TESTS_UNIT_MAP_CHECK_H
#define TESTS_UNIT_MAP_CHECK_H

#include "map_bed.h"

/* --- comparing ---------------------------------------------------------------------------- */

static inline void expect_entry(const struct ps_map_entry *got, const struct ps_map_entry *want)
{
    assert_int_equal(got->state, want->state);
    assert_int_equal(got->lsn, want->lsn);
    assert_int_equal(got->mtime_us, want->mtime_us);
}

static inline void check_get(struct bed *b, uint64_t page)
{
    struct ps_map_entry entry;

    assert_int_equal(ps_map_get(&b->map, (uint32_t)page, &entry), PS_OK);
    expect_entry(&entry, &b->flat.runs[flat_find(&b->flat, page)].entry);
}

static inline void check_range(struct bed *b)
{
    struct ps_map_entry entries[1000];
    const uint64_t first = random_page(b);
    const uint32_t count = random_count(first, 1000);
    uint32_t i;

    assert_int_equal(ps_map_get_range(&b->map, (uint32_t)first, count, entries), PS_OK);
    for (i = 0; i < count; i++)
        expect_entry(&entries[i], &b->flat.runs[flat_find(&b->flat, first + i)].entry);
}

static inline void check_next(struct bed *b, uint64_t from, unsigned states)
{
    struct ps_map_entry entry;
    uint32_t page = 0;
    uint64_t want;
    size_t i;
    ps_err err;

    for (i = flat_find(&b->flat, from);
         i < b->flat.count && !(states >> b->flat.runs[i].entry.state & 1); i++)
        ;
    err = ps_map_next(&b->map, (uint32_t)from, states, &page, &entry);
    assert_int_equal(err, i < b->flat.count ? PS_OK : PS_ERR_NOENT);
    if (err)
        return;
    want = b->flat.runs[i].first > from ? b->flat.runs[i].first : from;
    assert_int_equal(page, want);
    expect_entry(&entry, &b->flat.runs[i].entry);
}

static inline void check_prev(struct bed *b, uint64_t from, unsigned states)
{
    struct ps_map_entry entry;
    uint32_t page = 0;
    uint64_t want;
    size_t i;
    ps_err err;

    for (i = flat_find(&b->flat, from) + 1;
         i > 0 && !(states >> b->flat.runs[i - 1].entry.state & 1); i--)
        ;
    err = ps_map_prev(&b->map, (uint32_t)from, states, &page, &entry);
    assert_int_equal(err, i > 0 ? PS_OK : PS_ERR_NOENT);
    if (err)
        return;
    want = run_end(&b->flat, i - 1) - 1 < from ? run_end(&b->flat, i - 1) - 1 : from;
    assert_int_equal(page, want);
    expect_entry(&entry, &b->flat.runs[i - 1].entry);
}

static inline void expect_summary(const struct ps_map_summary *got, const struct flat *flat)
{
    const struct ps_map_summary want = flat_summary(flat);

    assert_int_equal(got->end, want.end);
    assert_int_equal(got->free, want.free);
    assert_int_equal(got->virgin, want.virgin);
    assert_int_equal(got->used, want.used);
    assert_int_equal(got->payload_len, want.payload_len);
}

static inline void check_some(struct bed *b)
{
    const size_t run = chance(b->flat.count);
    struct ps_map_summary sum;

    assert_int_equal(ps_map_totals(&b->map, &sum), PS_OK);
    assert_int_equal(sum.used, flat_summary(&b->flat).used);
    assert_int_equal(sum.virgin, flat_summary(&b->flat).virgin);
    assert_int_equal(sum.end + sum.free, 0);
    assert_int_equal(ps_map_summary(&b->map, &sum), PS_OK);
    expect_summary(&sum, &b->flat);
    check_get(b, random_page(b));
    check_get(b, b->flat.runs[run].first);
    check_get(b, run_end(&b->flat, run) - 1);
    check_range(b);
    check_next(b, random_page(b), 1 + (unsigned)chance(15));
    check_prev(b, random_page(b), 1 + (unsigned)chance(15));
}

/* --- the walk ----------------------------------------------------------------------------- */

struct tour {
    const struct ps_pool *pool;
    const struct flat *flat; /* what to expect, or NULL */
    uint64_t next;           /* page that comes next */
    unsigned damages;
    uint32_t damaged_page;
    char text[300];
    uint32_t fails; /* map page whose read fails with fail_err; UINT32_MAX: none */
    ps_err fail_err;
};

static inline ps_err tour_read(void *ctx, uint32_t map_page_no, void *buf)
{
    const struct tour *t = ctx;
    size_t i;

    if (map_page_no == t->fails)
        return ps_fail(t->fail_err, "reading map page %" PRIu32 " failed", map_page_no);
    memset(buf, 0, t->pool->page_size);
    for (i = 0; i < t->pool->slot_count; i++) {
        if (t->pool->slots[i]->page.tag.page == map_page_no && t->pool->slots[i]->disk)
            memcpy(buf, t->pool->slots[i]->disk, t->pool->page_size);
    }
    return PS_OK;
}

static inline void tour_damage(void *ctx, uint32_t map_page_no, const char *text)
{
    struct tour *t = ctx;

    t->damages++;
    t->damaged_page = map_page_no;
    snprintf(t->text, sizeof(t->text), "%s", text);
}

static inline ps_err tour_range(void *ctx, uint64_t first, uint64_t count,
                                const struct ps_map_entry *entry)
{
    struct tour *t = ctx;
    size_t i;

    if (!t->flat)
        return PS_OK;
    assert_int_equal(first, t->next);
    for (i = flat_find(t->flat, first);
         i < t->flat->count && t->flat->runs[i].first < first + count; i++)
        expect_entry(entry, &t->flat->runs[i].entry);
    t->next = first + count;
    return PS_OK;
}

static inline ps_err tour_each(void *ctx, uint32_t page_no, const struct ps_map_entry *entry)
{
    return tour_range(ctx, page_no, 1, entry);
}

static inline struct ps_map_summary take_tour(const struct ps_map *map, struct tour *t)
{
    const struct ps_map_source source = {tour_read, tour_damage, tour_each, tour_range, t};
    struct ps_map_summary sum;

    assert_int_equal(ps_map_walk(map, &source, &sum), PS_OK);
    return sum;
}

/* Everything, as it would be found on disk. */
static inline void check_all(struct bed *b)
{
    struct tour t = {.pool = b->pool, .flat = &b->flat, .fails = UINT32_MAX};
    struct ps_map_summary sum;

    model_flush_all(b->pool);
    sum = take_tour(&b->map, &t);
    if (t.damages)
        print_message("map page %" PRIu32 ": %s\n", t.damaged_page, t.text);
    assert_int_equal(t.damages, 0);
    assert_int_equal(t.next, PAGES);
    expect_summary(&sum, &b->flat);
}

#endif
