/*
 * table_heat.c - where a table is accessed, and what of it is resident, dirty, free or damaged.
 *
 * Frames count the accesses of the pages in them. When a page leaves its frame its count goes to
 * the cell of the table that it lies in; cells stand for twice as many pages each time that the
 * table outgrows them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

#define RUNS_AT_A_TIME 256u /* while the table's lock is held */
#define CELLS_MIN 8u

static_assert((PS_HEAT_CELLS_MAX & (PS_HEAT_CELLS_MAX - 1)) == 0, "cells are halved");
static_assert(PS_HEAT_CELLS_MAX >= CELLS_MIN && (CELLS_MIN & (CELLS_MIN - 1)) == 0,
              "cells are doubled up to the most there are");

/* --- what is not in the pool -------------------------------------------------------------- */

static uint32_t add_capped(uint32_t a, uint64_t b)
{
    return b > UINT32_MAX - a ? UINT32_MAX : a + (uint32_t)b;
}

static void cool(struct ps_table_heat *heat, uint32_t period)
{
    if (heat->period != period) {
        for (uint32_t i = 0; i < heat->cell_count; i++)
            heat->cells[i] = (uint32_t)ps_heat_cooled(heat->cells[i], heat->period, period);
    }
    heat->period = period;
}

/* Two cells become one. */
static void widen(struct ps_table_heat *heat)
{
    const uint32_t half = heat->cell_count / 2;

    for (uint32_t i = 0; i < half; i++)
        heat->cells[i] = add_capped(heat->cells[2 * i], heat->cells[2 * i + 1]);
    for (uint32_t i = half; i < heat->cell_count; i++)
        heat->cells[i] = 0;
    heat->shift++;
}

/* Makes room for a cell: of the thousands of tables that a source may have, nearly all are short.
 * False: there is no memory. */
static bool reach(struct ps_table_heat *heat, uint32_t cell)
{
    uint32_t count = heat->cell_count > 0 ? heat->cell_count : CELLS_MIN;
    uint32_t *bigger;

    assert(cell < PS_HEAT_CELLS_MAX);
    if (cell < heat->cell_count)
        return true;
    while (count <= cell)
        count *= 2;
    bigger = realloc(heat->cells, count * sizeof(*bigger));
    if (!bigger)
        return false;
    memset(&bigger[heat->cell_count], 0, (count - heat->cell_count) * sizeof(*bigger));
    heat->cells = bigger;
    heat->cell_count = count;
    return true;
}

/* Without memory the picture has one page less. */
static void count_evicted(struct ps_table_heat *heat, uint32_t page_no, uint32_t count)
{
    uint32_t cell;

    while (page_no >> heat->shift >= PS_HEAT_CELLS_MAX)
        widen(heat);
    cell = page_no >> heat->shift;
    if (reach(heat, cell))
        heat->cells[cell] = add_capped(heat->cells[cell], count);
}

void ps_table_heat_add(struct ps_store *s, const struct ps_tag *tag, uint32_t count)
{
    struct ps_table *t;
    uint32_t now;

    if (tag->fork != PS_FORK_DATA || count == 0)
        return;
    now = ps_pool_heat_period_seen(s->pool);
    ps_mutex_lock(&s->tables_mtx);
    t = ps_registry_find_locked(s, tag->table);
    if (t) {
        cool(&t->heat, now);
        count_evicted(&t->heat, tag->page, count);
    }
    ps_mutex_unlock(&s->tables_mtx);
}

void ps_table_damaged(struct ps_table *t, uint32_t page_no)
{
    struct ps_table_heat *heat = &t->heat;
    uint32_t i = 0;

    ps_mutex_lock(&t->store->tables_mtx);
    while (i < t->damaged_count && heat->damaged[i] != page_no)
        i++;
    if (i == PS_DAMAGED_MAX) /* the oldest makes place */
        heat->damaged[heat->damaged_next++ % PS_DAMAGED_MAX] = page_no;
    else if (i == t->damaged_count)
        heat->damaged[t->damaged_count++] = page_no;
    ps_mutex_unlock(&t->store->tables_mtx);
}

void ps_table_sound(struct ps_table *t, uint32_t page_no)
{
    struct ps_table_heat *heat = &t->heat;

    if (t->damaged_count == 0)
        return;
    ps_mutex_lock(&t->store->tables_mtx);
    for (uint32_t i = 0; i < t->damaged_count; i++) {
        if (heat->damaged[i] != page_no)
            continue;
        heat->damaged[i] = heat->damaged[--t->damaged_count];
        break;
    }
    ps_mutex_unlock(&t->store->tables_mtx);
}

/* --- the picture -------------------------------------------------------------------------- */

static unsigned shift_for(uint64_t pages)
{
    unsigned shift = 0;

    while (pages > (uint64_t)PS_HEAT_CELLS_MAX << shift)
        shift++;
    return shift;
}

void ps_heat_shape(uint64_t pages_end, struct ps_heat *heat)
{
    memset(heat, 0, sizeof(*heat));
    heat->pages_end = pages_end;
    heat->cell_pages = 1ull << shift_for(pages_end);
    heat->cell_count = (uint32_t)((pages_end + heat->cell_pages - 1) / heat->cell_pages);
    for (uint32_t i = 0; i < heat->cell_count; i++) {
        uint64_t left = pages_end - i * heat->cell_pages;

        heat->cells[i].pages = (uint32_t)(left < heat->cell_pages ? left : heat->cell_pages);
    }
}

static struct ps_heat_cell *cell_of(struct ps_heat *heat, uint64_t page_no)
{
    return page_no < heat->pages_end ? &heat->cells[page_no / heat->cell_pages] : NULL;
}

static void add_allocated(struct ps_heat *heat, uint64_t first, uint64_t end)
{
    while (first < end) {
        uint64_t next = (first / heat->cell_pages + 1) * heat->cell_pages;

        next = next < end ? next : end;
        cell_of(heat, first)->allocated += (uint32_t)(next - first);
        first = next;
    }
}

/* The next run of allocated pages from *at on, and where to look for the one after it. */
static ps_err add_run(struct ps_table *t, struct ps_heat *heat, uint64_t *at)
{
    const unsigned allocated = 1u << PS_VIRGIN | 1u << PS_USED | 1u << PS_ZERO;
    uint64_t end = heat->pages_end;
    uint32_t first, free_page;
    ps_err err = ps_map_next(&t->map, (uint32_t)*at, allocated, &first, NULL);

    if (err == PS_ERR_NOENT || (!err && first >= end)) {
        *at = end;
        return PS_OK;
    }
    if (err)
        return err;
    err = ps_map_next(&t->map, first, 1u << PS_FREE, &free_page, NULL);
    if (err && err != PS_ERR_NOENT)
        return err;
    if (!err && free_page < end)
        end = free_page;
    add_allocated(heat, first, end);
    *at = end;
    return PS_OK;
}

static ps_err add_states(struct ps_table *t, struct ps_cancel *cancel, struct ps_heat *heat)
{
    uint64_t at = 0;
    ps_err err = PS_OK;

    while (!err && at < heat->pages_end) {
        if (ps_cancel_raised(cancel))
            return ps_fail(PS_ERR_INTERRUPTED, "looking at a table was interrupted");
        err = ps_table_lock_known(t, cancel);
        if (err)
            return err;
        for (uint32_t i = 0; i < RUNS_AT_A_TIME && !err && at < heat->pages_end; i++)
            err = add_run(t, heat, &at);
        ps_table_unlock(t);
    }
    return err;
}

static void add_frames(const struct ps_table *t, struct ps_heat *heat)
{
    struct ps_pool *pool = t->store->pool;
    struct ps_frame_info info;

    for (uint32_t i = 0; i < ps_pool_frames(pool); i++) {
        struct ps_heat_cell *cell;

        ps_pool_frame_info(pool, i, &info);
        if (!info.valid || info.tag.provider != 0 || info.tag.table != t->id ||
            info.tag.fork != PS_FORK_DATA)
            continue;
        cell = cell_of(heat, info.tag.page);
        if (!cell)
            continue;
        cell->accesses += info.heat;
        cell->resident++;
        cell->dirty += info.dirty;
    }
}

/* Accesses of some pages, spread evenly where they are of several cells. */
static void add_accesses(struct ps_heat *heat, uint64_t first, uint64_t pages, uint64_t accesses)
{
    uint64_t share = pages > heat->cell_pages ? accesses / (pages / heat->cell_pages) : accesses;

    for (uint64_t page_no = first; page_no < first + pages; page_no += heat->cell_pages) {
        struct ps_heat_cell *cell = cell_of(heat, page_no);

        if (!cell)
            break;
        cell->accesses += share;
    }
}

/* Cells of the past are narrower than those of the picture, or wider where the table was longer
 * once. */
static void add_evicted(struct ps_table *t, struct ps_heat *heat)
{
    struct ps_store *s = t->store;
    uint32_t now = ps_pool_heat_period(s->pool);

    ps_mutex_lock(&s->tables_mtx);
    cool(&t->heat, now);
    for (uint64_t i = 0; i < t->heat.cell_count; i++)
        add_accesses(heat, i << t->heat.shift, 1ull << t->heat.shift, t->heat.cells[i]);
    ps_mutex_unlock(&s->tables_mtx);
}

/* Is it still allocated, and not sound in the pool by now? */
static bool is_damaged(struct ps_table *t, uint32_t page_no)
{
    const struct ps_tag tag = {.table = t->id, .page = page_no};
    struct ps_frame_info frame;
    struct ps_page_info page;

    return ps_page_stat(t, page_no, &page) == PS_OK && !ps_pool_peek(t->store->pool, &tag, &frame);
}

static void add_damaged(struct ps_table *t, struct ps_heat *heat)
{
    uint32_t damaged[PS_DAMAGED_MAX];
    uint32_t count;

    ps_mutex_lock(&t->store->tables_mtx);
    count = t->damaged_count;
    memcpy(damaged, t->heat.damaged, sizeof(damaged));
    ps_mutex_unlock(&t->store->tables_mtx);
    for (uint32_t i = 0; i < count; i++) {
        struct ps_heat_cell *cell = cell_of(heat, damaged[i]);

        if (cell && is_damaged(t, damaged[i]))
            cell->corrupt++;
    }
}

static void add_up(struct ps_heat *heat)
{
    for (uint32_t i = 0; i < heat->cell_count; i++) {
        const struct ps_heat_cell *cell = &heat->cells[i];

        heat->total.accesses += cell->accesses;
        heat->total.pages += cell->pages;
        heat->total.allocated += cell->allocated;
        heat->total.resident += cell->resident;
        heat->total.dirty += cell->dirty;
        heat->total.corrupt += cell->corrupt;
    }
}

ps_err ps_table_heat(struct ps_table *t, struct ps_cancel *cancel, struct ps_heat *ret)
{
    ps_err err = ps_table_lock_known(t, cancel);

    if (err)
        return err;
    ps_heat_shape(t->pages_end, ret);
    ps_table_unlock(t);
    err = add_states(t, cancel, ret);
    if (err)
        return err;
    add_frames(t, ret);
    add_evicted(t, ret);
    add_damaged(t, ret);
    add_up(ret);
    return PS_OK;
}
