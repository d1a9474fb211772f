/*
 * map_model.h - a pool and groups that are nothing but their contracts, for tests of the map.
 *
 * Stands in for pool/ and its groups at link time in the one program that includes it: map pages
 * of one table in memory, a "disk" that holds what was flushed, and the log as a list. Breaking a
 * rule of the contracts aborts: latch order, bytes changed but not declared, more than four ranges
 * a page, more frames or bytes than were reserved, a pin or latch left over.
 */
#ifndef PS_TESTS_MAP_MODEL_H
#define PS_TESTS_MAP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/map.h"
#include "must.h"
#include "pagestore/format.h"
#include "pool/group.h"
#include "pool/pool.h"

#define MODEL_TABLE 7u

/* --- the model's parts -------------------------------------------------------------------- */

struct slot {
    struct ps_page page; /* first: a ps_page is its slot; data NULL: not resident */
    uint8_t *disk;       /* NULL: never written */
    uint8_t *before;     /* of the group under way */
    uint8_t *declared;   /* likewise: 1 for each byte that may change */
    unsigned pins;
    int latch; /* readers, or -1 */
    bool dirty;
};

struct log_ref {
    uint32_t page;
    bool image;
    uint32_t off;
    uint32_t len;
    uint8_t *bytes;
};

struct log_rec {
    uint64_t lsn;
    uint64_t time_us;
    struct log_ref *refs;
    size_t ref_count;
    uint32_t *touched; /* data pages that the record changes */
    bool *zero;
    size_t touch_count;
};

struct ps_pool {
    uint32_t page_size;
    struct slot **slots;
    size_t slot_count, slot_cap;
    struct log_rec *log;
    size_t log_count, log_cap;
    uint64_t lsn;      /* end of the log */
    uint64_t redo_lsn; /* a page's first change after it logs an image */
    uint32_t pinned;   /* by readers, outside groups */
    uint64_t pins;     /* how many there ever were */
    uint64_t loads;
    uint64_t logged;    /* bytes, trailing zeros of images left out */
    uint64_t bytes_max; /* of the group under way */
};

static inline void *model_alloc(size_t len)
{
    void *p = calloc(1, len ? len : 1);

    MUST(p);
    return p;
}

static inline void *model_copy(const void *bytes, size_t len)
{
    void *p = model_alloc(len);

    memcpy(p, bytes, len);
    return p;
}

/* --- pool --------------------------------------------------------------------------------- */

static inline struct ps_pool *model_create(uint32_t page_size)
{
    struct ps_pool *pool = model_alloc(sizeof(*pool));

    pool->page_size = page_size;
    pool->lsn = 4096;
    return pool;
}

static inline void model_destroy(struct ps_pool *pool)
{
    size_t i, k;

    for (i = 0; i < pool->slot_count; i++) {
        MUST(pool->slots[i]->pins == 0 && pool->slots[i]->latch == 0);
        free(pool->slots[i]->page.data);
        free(pool->slots[i]->disk);
        free(pool->slots[i]);
    }
    for (i = 0; i < pool->log_count; i++) {
        for (k = 0; k < pool->log[i].ref_count; k++)
            free(pool->log[i].refs[k].bytes);
        free(pool->log[i].refs);
        free(pool->log[i].touched);
        free(pool->log[i].zero);
    }
    free(pool->log);
    free(pool->slots);
    free(pool);
}

/* Slots are kept sorted by page number. */
static inline struct slot *model_slot(struct ps_pool *pool, uint32_t page_no)
{
    size_t low = 0, high = pool->slot_count;
    struct slot *slot;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (pool->slots[mid]->page.tag.page < page_no)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < pool->slot_count && pool->slots[low]->page.tag.page == page_no)
        return pool->slots[low];
    if (pool->slot_count == pool->slot_cap) {
        pool->slot_cap = pool->slot_cap ? pool->slot_cap * 2 : 64;
        pool->slots = realloc(pool->slots, pool->slot_cap * sizeof(*pool->slots));
        MUST(pool->slots);
    }
    slot = model_alloc(sizeof(*slot));
    slot->page.tag = (struct ps_tag){.fork = PS_FORK_MAP, .table = MODEL_TABLE, .page = page_no};
    memmove(&pool->slots[low + 1], &pool->slots[low],
            (pool->slot_count - low) * sizeof(struct slot *));
    pool->slots[low] = slot;
    pool->slot_count++;
    return slot;
}

static inline struct ps_page_ident model_ident(const struct ps_pool *pool, uint32_t page_no)
{
    return (struct ps_page_ident){pool->page_size, page_no, MODEL_TABLE};
}

/* As the store's provider does it: what was never written is a node without content. */
static inline ps_err model_load(struct ps_pool *pool, struct slot *slot)
{
    const struct ps_page_ident who = model_ident(pool, slot->page.tag.page);
    struct ps_map map;
    ps_err err = PS_OK;

    ps_map_init(&map, pool, 0, MODEL_TABLE, pool->page_size);
    slot->page.data = model_alloc(pool->page_size);
    slot->page.fmt = &ps_format_native;
    pool->loads++;
    if (!slot->disk || ps_page_is_zero(slot->disk, pool->page_size)) {
        ps_format_native.init(slot->page.data, &who, PS_PAGE_MAP);
        ps_format_native.set_lsn(slot->page.data, 0);
    } else {
        memcpy(slot->page.data, slot->disk, pool->page_size);
        err = ps_format_native.verify(slot->page.data, &who);
        if (!err)
            err = ps_map_page_check(&map, who.page_no, slot->page.data);
    }
    slot->page.lsn = ps_format_native.lsn(slot->page.data);
    if (err) {
        free(slot->page.data);
        slot->page.data = NULL;
    }
    return err;
}

static inline ps_err model_pin(struct ps_pool *pool, const struct ps_tag *tag,
                               enum ps_pin_mode mode, struct slot **ret)
{
    struct slot *slot = model_slot(pool, tag->page);
    ps_err err = PS_OK;

    MUST(tag->fork == PS_FORK_MAP && tag->table == MODEL_TABLE && tag->provider == 0);
    if (!slot->page.data && mode == PS_PIN_RESIDENT)
        return PS_ERR_NOENT;
    if (!slot->page.data && mode == PS_PIN_LOAD)
        err = model_load(pool, slot);
    if (err)
        return err;
    if (!slot->page.data) {
        slot->page.data = model_alloc(pool->page_size);
        slot->page.fmt = &ps_format_native;
        slot->page.lsn = 0;
    }
    slot->pins++;
    pool->pins++;
    *ret = slot;
    return PS_OK;
}

ps_err ps_pool_note_pin(struct ps_pool *pool, ps_err err, struct ps_page *const *page,
                        const char *file, int line)
{
    (void)pool;
    (void)page;
    (void)file;
    (void)line;
    return err;
}

ps_err(ps_pool_pin)(struct ps_pool *pool, const struct ps_tag *tag, enum ps_pin_mode mode,
                    const struct ps_format *fmt, struct ps_page **ret)
{
    struct slot *slot = NULL;
    ps_err err;

    (void)fmt;
    MUST(mode == PS_PIN_LOAD);
    MUST(pool->pinned < PS_MAP_READ_FRAMES);
    err = model_pin(pool, tag, mode, &slot);
    if (err)
        return err;
    pool->pinned++;
    *ret = &slot->page;
    return PS_OK;
}

void ps_pool_unpin(struct ps_pool *pool, struct ps_page *page)
{
    struct slot *slot = (struct slot *)page;

    MUST(slot->pins == 1 && pool->pinned == 1);
    slot->pins--;
    pool->pinned--;
}

void ps_page_latch_shared(struct ps_pool *pool, struct ps_page *page)
{
    struct slot *slot = (struct slot *)page;

    (void)pool;
    MUST(slot->pins > 0 && slot->latch == 0);
    slot->latch = 1;
}

void ps_page_latch_exclusive(struct ps_pool *pool, struct ps_page *page)
{
    struct slot *slot = (struct slot *)page;

    (void)pool;
    MUST(slot->pins > 0 && slot->latch == 0);
    slot->latch = -1;
}

void ps_page_unlatch(struct ps_pool *pool, struct ps_page *page)
{
    struct slot *slot = (struct slot *)page;

    (void)pool;
    MUST(slot->latch != 0);
    slot->latch = 0;
}

void ps_pool_mark_dirty(struct ps_pool *pool, struct ps_page *page, uint64_t rec_lsn)
{
    struct slot *slot = (struct slot *)page;

    (void)pool;
    (void)rec_lsn;
    MUST(slot->latch == -1);
    slot->dirty = true;
}

void ps_pool_changed(struct ps_pool *pool, struct ps_page *page, uint64_t lsn)
{
    struct slot *slot = (struct slot *)page;

    (void)pool;
    MUST(slot->latch == -1 && slot->dirty);
    MUST(ps_format_native.lsn(page->data) == lsn);
    page->lsn = lsn;
}

/* Writes the page to the disk, sealed. */
static inline void model_flush(struct ps_pool *pool, struct slot *slot)
{
    const struct ps_page_ident who = model_ident(pool, slot->page.tag.page);

    if (!slot->dirty)
        return;
    free(slot->disk);
    slot->disk = model_copy(slot->page.data, pool->page_size);
    ps_format_native.seal(slot->disk, &who);
    slot->dirty = false;
}

static inline void model_evict(struct slot *slot)
{
    MUST(!slot->dirty && slot->pins == 0);
    free(slot->page.data);
    slot->page.data = NULL;
}

static inline void model_flush_all(struct ps_pool *pool)
{
    size_t i;

    for (i = 0; i < pool->slot_count; i++)
        model_flush(pool, pool->slots[i]);
}

static inline void model_checkpoint(struct ps_pool *pool)
{
    model_flush_all(pool);
    pool->redo_lsn = pool->lsn;
}

/* --- groups ------------------------------------------------------------------------------- */

static inline void model_begin(struct ps_pool *pool, struct ps_group *g, struct ps_group_env *env,
                               uint32_t frames_max, uint64_t bytes_max, uint64_t time_us)
{
    *env = (struct ps_group_env){.pool = pool};
    *g = (struct ps_group){.env = env, .time_us = time_us, .frames = frames_max};
    g->pages = model_alloc(frames_max * sizeof(*g->pages));
    g->fixups = model_alloc(PS_MAP_RUN_MAX * sizeof(*g->fixups));
    pool->bytes_max = bytes_max;
}

static inline struct ps_group_page *model_group_page(struct ps_group *g, uint32_t page_no)
{
    uint32_t i;

    for (i = 0; i < g->page_count; i++) {
        if (g->pages[i].page->tag.page == page_no)
            return &g->pages[i];
    }
    return NULL;
}

ps_err ps_group_page(struct ps_group *g, const struct ps_tag *tag, enum ps_pin_mode mode,
                     const struct ps_format *fmt, struct ps_page **ret)
{
    struct ps_group_page *gp = model_group_page(g, tag->page);
    struct slot *slot = NULL;
    ps_err err;

    MUST(mode != PS_PIN_NEW || fmt == &ps_format_native);
    if (gp) {
        *ret = gp->page;
        return PS_OK;
    }
    MUST(g->page_count == 0 || g->pages[g->page_count - 1].page->tag.page < tag->page);
    err = model_pin(g->env->pool, tag, mode, &slot);
    if (err)
        return err;
    MUST(g->page_count < g->frames);
    MUST(slot->latch == 0);
    slot->latch = -1;
    slot->before = model_copy(slot->page.data, g->env->pool->page_size);
    slot->declared = model_alloc(g->env->pool->page_size);
    g->pages[g->page_count++] = (struct ps_group_page){.page = &slot->page};
    *ret = &slot->page;
    return PS_OK;
}

/* Overlapping or touching ranges become one. */
static inline void model_add_range(struct ps_group_page *gp, uint32_t off, uint32_t len)
{
    struct ps_group_range range = {.off = off, .len = len};
    uint32_t i, end;

    for (i = 0; i < gp->range_count;) {
        const struct ps_group_range old = gp->ranges[i];

        if (old.off > range.off + range.len || range.off > old.off + old.len) {
            i++;
            continue;
        }
        end = old.off + old.len > range.off + range.len ? old.off + old.len : range.off + range.len;
        range.off = old.off < range.off ? old.off : range.off;
        range.len = end - range.off;
        gp->ranges[i] = gp->ranges[--gp->range_count];
        i = 0;
    }
    MUST(gp->range_count < PS_GROUP_RANGES_MAX);
    gp->ranges[gp->range_count++] = range;
}

static inline struct ps_group_page *model_declare(struct ps_group *g, struct ps_page *page,
                                                  uint32_t off, uint32_t len)
{
    struct ps_group_page *gp = model_group_page(g, page->tag.page);

    MUST(gp && len > 0 && off <= g->env->pool->page_size && len <= g->env->pool->page_size - off);
    memset(((struct slot *)page)->declared + off, 1, len);
    gp->written = true;
    return gp;
}

uint8_t *ps_group_write(struct ps_group *g, struct ps_page *page, uint32_t off, uint32_t len)
{
    model_add_range(model_declare(g, page, off, len), off, len);
    return page->data + off;
}

uint8_t *ps_group_write_implied(struct ps_group *g, struct ps_page *page, uint32_t off,
                                uint32_t len)
{
    (void)model_declare(g, page, off, len);
    return page->data + off;
}

void ps_group_put_lsn(struct ps_group *g, struct ps_page *page, uint32_t off)
{
    MUST(model_group_page(g, page->tag.page)->written && g->fixup_count < PS_MAP_RUN_MAX);
    g->fixups[g->fixup_count].page = page;
    g->fixups[g->fixup_count++].off = off;
}

/* Whoever changed a byte said so before. */
static inline void model_check_declared(const struct ps_group_page *gp, uint32_t page_size)
{
    const struct slot *slot = (const struct slot *)gp->page;
    uint32_t i;

    for (i = 0; i < page_size; i++)
        MUST(slot->declared[i] || slot->before[i] == gp->page->data[i]);
}

static inline void model_log_ref(struct ps_pool *pool, struct log_rec *rec,
                                 const struct ps_page *page, bool image, uint32_t off, uint32_t len)
{
    uint32_t logged = len;

    rec->refs = realloc(rec->refs, (rec->ref_count + 1) * sizeof(*rec->refs));
    MUST(rec->refs);
    rec->refs[rec->ref_count++] =
        (struct log_ref){page->tag.page, image, off, len, model_copy(page->data + off, len)};
    while (image && logged > 0 && page->data[logged - 1] == 0)
        logged--;
    pool->logged += logged;
}

static inline void model_log_page(struct ps_pool *pool, struct log_rec *rec,
                                  const struct ps_group_page *gp)
{
    uint64_t bytes = 0;
    uint32_t i;

    for (i = 0; i < gp->range_count; i++)
        bytes += gp->ranges[i].len;
    MUST(bytes <= pool->bytes_max);
    pool->bytes_max -= bytes;
    if (gp->page->lsn <= pool->redo_lsn) {
        model_log_ref(pool, rec, gp->page, true, 0, pool->page_size);
        return;
    }
    for (i = 0; i < gp->range_count; i++)
        model_log_ref(pool, rec, gp->page, false, gp->ranges[i].off, gp->ranges[i].len);
}

static inline void model_end(struct ps_group *g)
{
    uint32_t i;

    for (i = 0; i < g->page_count; i++) {
        struct slot *slot = (struct slot *)g->pages[i].page;

        slot->latch = 0;
        slot->pins--;
        free(slot->before);
        free(slot->declared);
        slot->before = NULL;
        slot->declared = NULL;
    }
    free(g->pages);
    free(g->fixups);
}

/* Returns the record, for the caller to add the data pages that it changed. */
static inline struct log_rec *model_commit(struct ps_group *g)
{
    struct ps_pool *pool = g->env->pool;
    struct log_rec rec = {.lsn = pool->lsn += 64, .time_us = g->time_us};
    uint8_t le[8];
    uint32_t i, k;

    for (i = 0; i < g->page_count; i++) {
        model_check_declared(&g->pages[i], pool->page_size);
        if (g->pages[i].written)
            model_log_page(pool, &rec, &g->pages[i]);
    }
    for (k = 0; k < 8; k++)
        le[k] = (uint8_t)(rec.lsn >> 8 * k);
    for (i = 0; i < g->fixup_count; i++)
        memcpy(g->fixups[i].page->data + g->fixups[i].off, le, 8);
    for (i = 0; i < g->page_count; i++) {
        struct slot *slot = (struct slot *)g->pages[i].page;

        if (!g->pages[i].written)
            continue;
        slot->dirty = true;
        slot->page.lsn = rec.lsn;
        ps_format_native.set_lsn(slot->page.data, rec.lsn);
    }
    if (pool->log_count == pool->log_cap) {
        pool->log_cap = pool->log_cap ? pool->log_cap * 2 : 64;
        pool->log = realloc(pool->log, pool->log_cap * sizeof(*pool->log));
        MUST(pool->log);
    }
    pool->log[pool->log_count] = rec;
    model_end(g);
    return &pool->log[pool->log_count++];
}

/* The data pages [first, first + count) were changed by the group whose record this is. */
static inline void model_log_touch(struct log_rec *rec, uint32_t first, uint32_t count,
                                   const uint8_t *zero_bits)
{
    uint32_t i;

    rec->touched = realloc(rec->touched, (rec->touch_count + count) * sizeof(*rec->touched));
    rec->zero = realloc(rec->zero, (rec->touch_count + count) * sizeof(*rec->zero));
    MUST(rec->touched && rec->zero);
    for (i = 0; i < count; i++) {
        rec->touched[rec->touch_count] = first + i;
        rec->zero[rec->touch_count++] = zero_bits && (zero_bits[i / 8] >> i % 8 & 1);
    }
}

/* --- crash and redo ----------------------------------------------------------------------- */

/* A pool on a copy of the disk, with nothing in memory. */
static inline struct ps_pool *model_crash(const struct ps_pool *pool)
{
    struct ps_pool *fresh = model_create(pool->page_size);
    size_t i;

    for (i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i]->disk)
            model_slot(fresh, pool->slots[i]->page.tag.page)->disk =
                model_copy(pool->slots[i]->disk, pool->page_size);
    }
    fresh->redo_lsn = pool->redo_lsn;
    fresh->lsn = pool->lsn;
    return fresh;
}

static inline void model_redo_ref(struct ps_pool *pool, const struct log_rec *rec,
                                  const struct log_ref *ref)
{
    const struct ps_tag tag = {.fork = PS_FORK_MAP, .table = MODEL_TABLE, .page = ref->page};
    struct slot *slot = NULL;

    MUST(model_pin(pool, &tag, ref->image ? PS_PIN_NEW : PS_PIN_LOAD, &slot) == PS_OK);
    if (ref->image || slot->page.lsn < rec->lsn) {
        memcpy(slot->page.data + ref->off, ref->bytes, ref->len);
        /* the refs of one record are applied together: its LSN is set when all are */
        slot->dirty = true;
    }
    slot->pins--;
}

static inline void model_redo_rec(struct ps_pool *pool, struct ps_map *map,
                                  const struct log_rec *rec)
{
    size_t i;

    for (i = 0; i < rec->ref_count; i++)
        model_redo_ref(pool, rec, &rec->refs[i]);
    for (i = 0; i < rec->ref_count; i++) {
        struct slot *slot = model_slot(pool, rec->refs[i].page);

        if (slot->page.lsn < rec->lsn || rec->refs[i].image) {
            slot->page.lsn = rec->lsn;
            ps_format_native.set_lsn(slot->page.data, rec->lsn);
        }
    }
    for (i = 0; i < rec->touch_count; i++)
        MUST(ps_map_redo_touch(map, rec->touched[i], rec->lsn, rec->time_us, rec->zero[i]) ==
             PS_OK);
}

#endif
