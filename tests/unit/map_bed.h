/*
 * map_bed.h - a map on the model's pool beside a flat model of it, and the changes that both take.
 *
 * For the tests of the map, each of which includes it once, after cmocka.h.
 */
#ifndef PS_TESTS_MAP_BED_H
#define PS_TESTS_MAP_BED_H

#include <inttypes.h>

#include "alloc/map_internal.h"
#include "map_model.h"
#include "seed.h"

#define PAGES ((uint64_t)PS_MAP_PAGES_MAX)

/* --- chance ------------------------------------------------------------------------------- */

static uint64_t chance_state;

static inline uint64_t chance(uint64_t below)
{
    uint64_t z = chance_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

static inline void seed_chance(void)
{
    chance_state = test_seed();
}

/* --- the flat model ----------------------------------------------------------------------- */

/* Pages [first, first of the next run) have this entry. */
struct run {
    uint64_t first;
    struct ps_map_entry entry;
};

struct flat {
    struct run *runs; /* the first begins at 0 */
    size_t count;
    uint64_t payload_len;
};

static inline void flat_init(struct flat *f)
{
    f->runs = model_alloc(sizeof(*f->runs));
    f->count = 1;
    f->payload_len = 0;
}

static inline uint64_t run_end(const struct flat *f, size_t i)
{
    return i + 1 < f->count ? f->runs[i + 1].first : PAGES;
}

static inline size_t flat_find(const struct flat *f, uint64_t page)
{
    size_t low = 0, high = f->count;

    while (high - low > 1) {
        const size_t mid = (low + high) / 2;

        if (f->runs[mid].first <= page)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* Makes a run begin at the page, and returns it. */
static inline size_t flat_split(struct flat *f, uint64_t page)
{
    const size_t i = page < PAGES ? flat_find(f, page) : f->count - 1;

    if (page >= PAGES)
        return f->count;
    if (f->runs[i].first == page)
        return i;
    f->runs = realloc(f->runs, (f->count + 1) * sizeof(*f->runs));
    MUST(f->runs);
    memmove(&f->runs[i + 2], &f->runs[i + 1], (f->count - i - 1) * sizeof(*f->runs));
    f->runs[i + 1] = (struct run){page, f->runs[i].entry};
    f->count++;
    return i + 1;
}

static inline void flat_set(struct flat *f, uint64_t first, uint64_t count,
                            struct ps_map_entry entry)
{
    const size_t from = flat_split(f, first);
    const size_t to = flat_split(f, first + count);

    f->runs[from].entry = entry;
    memmove(&f->runs[from + 1], &f->runs[to], (f->count - to) * sizeof(*f->runs));
    f->count -= to - from - 1;
}

static inline struct ps_map_summary flat_summary(const struct flat *f)
{
    struct ps_map_summary sum = {.payload_len = f->payload_len};
    uint64_t pages;
    size_t i;

    for (i = 0; i < f->count; i++) {
        pages = run_end(f, i) - f->runs[i].first;
        sum.virgin += f->runs[i].entry.state == PS_VIRGIN ? pages : 0;
        sum.used += ps_map_is_used(f->runs[i].entry.state) ? pages : 0;
        if (f->runs[i].entry.state != PS_FREE)
            sum.end = run_end(f, i);
    }
    sum.free = sum.end - sum.virgin - sum.used;
    return sum;
}

/* --- a map with its model ----------------------------------------------------------------- */

struct bed {
    struct ps_pool *pool;
    struct ps_map map;
    struct ps_map_known known;
    struct flat flat;
    uint64_t time_us;
};

static inline void bed_init(struct bed *b, uint32_t page_size)
{
    struct ps_group_env env;
    struct ps_group g;

    b->pool = model_create(page_size);
    b->time_us = 1000;
    flat_init(&b->flat);
    ps_map_init(&b->map, b->pool, 0, MODEL_TABLE, page_size);
    b->known = (struct ps_map_known){0};
    b->map.known = &b->known;
    model_begin(b->pool, &g, &env, 1, page_size, b->time_us);
    assert_int_equal(ps_map_format(&b->map, &g), PS_OK);
    (void)model_commit(&g);
}

static inline void bed_deinit(struct bed *b)
{
    free(b->flat.runs);
    model_destroy(b->pool);
}

static inline void begin_set(struct bed *b, struct ps_group *g, struct ps_group_env *env,
                             const struct ps_map_range *ranges, size_t n)
{
    uint64_t bytes = 0;
    uint32_t frames = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        frames += ps_map_set_frames(&b->map, ranges[i].first, ranges[i].count);
        bytes += ps_map_set_bytes(&b->map, ranges[i].first, ranges[i].count);
    }
    model_begin(b->pool, g, env, frames, bytes, ++b->time_us);
    assert_int_equal(ps_map_prepare_ranges(&b->map, g, ranges, n, true), PS_OK);
}

static inline void do_set(struct bed *b, uint64_t first, uint64_t count, enum ps_page_state state)
{
    const struct ps_map_range range = {(uint32_t)first, (uint32_t)count};
    struct ps_group_env env;
    struct ps_group g;

    begin_set(b, &g, &env, &range, 1);
    ps_map_apply_set(&b->map, &g, range.first, range.count, state);
    (void)model_commit(&g);
    flat_set(&b->flat, first, count, (struct ps_map_entry){state, 0, b->time_us});
}

static inline void flat_touch(struct flat *f, uint64_t first, uint32_t count,
                              const uint8_t *zero_bits, const struct log_rec *rec)
{
    enum ps_page_state state;
    uint32_t i;

    for (i = 0; i < count; i++) {
        state = zero_bits && (zero_bits[i / 8] >> i % 8 & 1) ? PS_ZERO : PS_USED;
        flat_set(f, first + i, 1, (struct ps_map_entry){state, rec->lsn, rec->time_us});
    }
}

static inline void random_bits(uint8_t bits[PS_MAP_RUN_MAX / 8])
{
    uint32_t i;

    for (i = 0; i < PS_MAP_RUN_MAX / 8; i++)
        bits[i] = (uint8_t)(chance(256) & chance(256));
}

/* A write of pages in any state, as a request of the mount makes it. */
static inline void do_write_bits(struct bed *b, uint64_t first, uint32_t count,
                                 const uint8_t *zero_bits)
{
    const struct ps_map_range range = {(uint32_t)first, count};
    struct log_rec *rec;
    struct ps_group_env env;
    struct ps_group g;

    begin_set(b, &g, &env, &range, 1);
    ps_map_apply_set(&b->map, &g, range.first, count, PS_USED);
    ps_map_apply_touch(&b->map, &g, range.first, count, zero_bits);
    rec = model_commit(&g);
    model_log_touch(rec, range.first, count, zero_bits);
    flat_touch(&b->flat, first, count, zero_bits, rec);
}

static inline void do_write(struct bed *b, uint64_t first, uint32_t count)
{
    uint8_t bits[PS_MAP_RUN_MAX / 8];

    random_bits(bits);
    do_write_bits(b, first, count, chance(2) ? bits : NULL);
}

/* A write of pages that are used already. */
static inline void do_rewrite(struct bed *b, uint64_t first, uint32_t count)
{
    const uint32_t frames = ps_map_touch_frames(&b->map, (uint32_t)first, count);
    uint8_t bits[PS_MAP_RUN_MAX / 8];
    struct log_rec *rec;
    struct ps_group_env env;
    struct ps_group g;

    random_bits(bits);
    model_begin(b->pool, &g, &env, frames, 0, ++b->time_us);
    assert_int_equal(ps_map_prepare(&b->map, &g, (uint32_t)first, count, false), PS_OK);
    ps_map_apply_touch(&b->map, &g, (uint32_t)first, count, bits);
    rec = model_commit(&g);
    model_log_touch(rec, (uint32_t)first, count, bits);
    flat_touch(&b->flat, first, count, bits, rec);
}

/* A truncation in one group: the last page is touched, all behind it is freed. */
static inline void do_cut(struct bed *b, uint64_t last)
{
    const uint64_t end = flat_summary(&b->flat).end;
    const struct ps_map_range ranges[2] = {{(uint32_t)last, 1},
                                           {(uint32_t)last + 1, (uint32_t)(end - last - 1)}};
    struct log_rec *rec;
    struct ps_group_env env;
    struct ps_group g;

    begin_set(b, &g, &env, ranges, 2);
    ps_map_apply_touch(&b->map, &g, ranges[0].first, 1, NULL);
    ps_map_apply_set(&b->map, &g, ranges[1].first, ranges[1].count, PS_FREE);
    ps_map_apply_payload_len(&b->map, &g, last * 4000);
    rec = model_commit(&g);
    model_log_touch(rec, ranges[0].first, 1, NULL);
    flat_touch(&b->flat, last, 1, NULL, rec);
    flat_set(&b->flat, last + 1, end - last - 1, (struct ps_map_entry){PS_FREE, 0, b->time_us});
    b->flat.payload_len = last * 4000;
}

static inline void do_payload_len(struct bed *b, uint64_t len)
{
    struct ps_group_env env;
    struct ps_group g;

    model_begin(b->pool, &g, &env, 1, 24, ++b->time_us);
    assert_int_equal(ps_map_prepare_root(&b->map, &g), PS_OK);
    ps_map_apply_payload_len(&b->map, &g, len);
    (void)model_commit(&g);
    b->flat.payload_len = len;
}

/* --- random changes ----------------------------------------------------------------------- */

/* Pages near the seams of nodes, near both ends, and anywhere. */
static inline uint64_t random_page(const struct bed *b)
{
    const uint64_t cover = b->map.cover[chance(b->map.levels - 1)];
    uint64_t page = 0;

    switch (chance(4)) {
    case 0:
        page = chance(2000);
        break;
    case 1:
        page = cover * (1 + chance(3)) + chance(9) - 4;
        break;
    case 2:
        page = PAGES - 1 - chance(1000);
        break;
    default:
        page = chance(PAGES);
        break;
    }
    return page < PAGES ? page : PAGES - 1;
}

static inline uint32_t random_count(uint64_t first, uint64_t max)
{
    const uint64_t left = PAGES - first;

    return (uint32_t)(1 + chance(left < max ? left : max));
}

static inline void random_rewrite(struct bed *b)
{
    const size_t start = chance(b->flat.count);
    uint64_t first;
    uint32_t count = 0;
    size_t i;

    for (i = start; i < b->flat.count && !ps_map_is_used(b->flat.runs[i].entry.state); i++)
        ;
    if (i == b->flat.count)
        return;
    first = b->flat.runs[i].first;
    for (; i < b->flat.count && ps_map_is_used(b->flat.runs[i].entry.state); i++)
        count += (uint32_t)(run_end(&b->flat, i) - b->flat.runs[i].first);
    do_rewrite(b, first, count < PS_MAP_RUN_MAX ? count : PS_MAP_RUN_MAX);
}

static inline void random_cut(struct bed *b)
{
    const size_t start = chance(b->flat.count);
    const uint64_t end = flat_summary(&b->flat).end;
    size_t i;

    for (i = start; i < b->flat.count && !ps_map_is_used(b->flat.runs[i].entry.state); i++)
        ;
    if (i < b->flat.count && b->flat.runs[i].first + 1 < end)
        do_cut(b, b->flat.runs[i].first);
}

static inline void random_change(struct bed *b)
{
    const uint64_t first = random_page(b);
    const enum ps_page_state state = chance(2) ? PS_FREE : PS_VIRGIN;

    switch (chance(8)) {
    case 0:
        do_set(b, first, chance(3) ? random_count(first, PAGES) : PAGES - first, state);
        break;
    case 1:
        do_set(b, first, random_count(first, 5000), state);
        break;
    case 2:
    case 3:
        do_set(b, first, random_count(first, 300), state);
        break;
    case 4:
    case 5:
        do_write(b, first, random_count(first, chance(4) ? 3 : PS_MAP_RUN_MAX));
        break;
    case 6:
        random_rewrite(b);
        break;
    default:
        if (chance(8) == 0)
            random_cut(b);
        else
            do_payload_len(b, chance(1u << 30));
        break;
    }
}

/* Pages reach the disk, and leave the pool, in any order. */
static inline void random_flushes(struct bed *b)
{
    struct slot *slot;
    size_t i;

    for (i = 0; i < 4; i++) {
        slot = b->pool->slots[chance(b->pool->slot_count)];
        if (slot->page.data)
            model_flush(b->pool, slot);
        if (slot->page.data && chance(2))
            model_evict(slot);
    }
    if (chance(40) == 0)
        model_checkpoint(b->pool);
}

#endif
