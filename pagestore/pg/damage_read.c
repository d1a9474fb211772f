/* Pages that a walk looks at: in runs past the pool, as each is looked at once. What is not sound
 * there is asked of the pool, which reads it again, names it and counts it. */
#include <assert.h>

#include "base/mem.h"
#include "pg/damage_walk.h"

ps_err ps_pg_run_init(struct ps_pg_run *run, uint32_t cap, uint32_t page_size)
{
    assert(cap > 0 && cap <= PS_RUN_PAGES_MAX);
    run->cap = cap;
    run->bytes = ps_buf_alloc((size_t)cap * page_size);
    return run->bytes ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
}

void ps_pg_run_deinit(struct ps_pg_run *run)
{
    ps_buf_free(run->bytes);
}

static bool has_block(const struct ps_pg_run *run, uint64_t block)
{
    return block >= run->first && block - run->first < run->count;
}

/* NULL: it does not have the block, or it is not sound. */
static const uint8_t *sound_page(const struct ps_pg_walk *w, const struct ps_pg_run *run,
                                 uint64_t block)
{
    if (!has_block(run, block) || !run->sound[block - run->first])
        return NULL;
    return run->bytes + (block - run->first) * w->page_size;
}

static void fill(struct ps_pg_walk *w, struct ps_pg_run *run, uint64_t first, uint64_t end,
                 uint32_t max)
{
    run->first = first;
    run->count = end - first < max ? (uint32_t)(end - first) : max;
    ps_foreign_read_run(w->table, first, run->count, run->bytes, run->sound);
}

ps_err ps_pg_walk_read(struct ps_pg_walk *w, uint64_t block, const uint8_t **ret)
{
    assert(block >= w->from && block < w->to);
    if (!has_block(&w->run, block))
        fill(w, &w->run, block, w->to, w->run.cap);
    *ret = sound_page(w, &w->run, block);
    if (*ret)
        return PS_OK;
    *ret = w->copy;
    return ps_page_copy(w->table, (uint32_t)block, w->cancel, w->copy);
}

/* Neighbours that are asked for one after the other are read in runs, too. */
static void fill_near(struct ps_pg_walk *w, uint64_t block)
{
    bool goes_on = w->near.count > 0 && block == w->near.first + w->near.count;

    fill(w, &w->near, block, w->subject.pages_end, goes_on ? w->near.cap : 1);
}

ps_err ps_pg_walk_read_other(struct ps_pg_walk *w, uint64_t block, const uint8_t **ret)
{
    *ret = sound_page(w, &w->run, block);
    if (*ret)
        return PS_OK;
    if (!has_block(&w->near, block) && block < w->subject.pages_end)
        fill_near(w, block);
    *ret = sound_page(w, &w->near, block);
    if (*ret)
        return PS_OK;
    *ret = w->other;
    return ps_page_copy(w->table, (uint32_t)block, w->cancel, w->other);
}

bool ps_pg_walk_is_zero(struct ps_pg_walk *w, uint64_t block)
{
    const uint8_t *page;

    if (!has_block(&w->near, block))
        fill(w, &w->near, block, block + 1, 1);
    page = sound_page(w, &w->near, block);
    return page && ps_page_is_zero(page, w->page_size);
}
