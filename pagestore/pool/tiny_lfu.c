/*
 * tiny_lfu.c - a window, a main part in two segments, and a sketch that decides between them.
 */
#include "pool/tiny_lfu.h"

#include <assert.h>
#include <stdlib.h>

enum { LIST_WINDOW, LIST_PROBATION, LIST_PROTECTED };

/* Share of the main part that may be protected. */
#define PROTECTED_PERCENT 80u

/* Frames that leave a window which has become too long, with each victim. */
#define WINDOW_STEP 16u

static void apply(struct ps_tiny_lfu *t, const struct ps_tiny_lfu_settings *settings)
{
    const uint64_t max = (uint64_t)t->lists.frames * settings->window_percent / 100;

    assert(settings->window_percent <= 100 && settings->memory > 0);
    t->window_max = max < 1 ? 1 : (uint32_t)max;
    t->settings = *settings;
}

ps_err ps_tiny_lfu_init(struct ps_tiny_lfu *t, uint32_t frames, const struct ps_evict_pool *pool,
                        const struct ps_tiny_lfu_settings *settings)
{
    ps_err err;

    *t = (struct ps_tiny_lfu){.pool = pool};
    t->page_ids = malloc(frames * sizeof(*t->page_ids));
    if (!t->page_ids)
        return ps_fail(PS_ERR_NOMEM, "no memory for page ids of %u frames", frames);
    err = ps_lists_init(&t->lists, frames);
    if (!err)
        err = ps_sketch_init(&t->sketch, frames);
    if (err)
        ps_tiny_lfu_deinit(t);
    else
        apply(t, settings);
    return err;
}

void ps_tiny_lfu_deinit(struct ps_tiny_lfu *t)
{
    ps_sketch_deinit(&t->sketch);
    ps_lists_deinit(&t->lists);
    free(t->page_ids);
    t->page_ids = NULL;
}

void ps_tiny_lfu_set(struct ps_tiny_lfu *t, const struct ps_tiny_lfu_settings *settings)
{
    for (unsigned memory = t->settings.memory; memory > settings->memory; memory /= 2)
        ps_sketch_halve(&t->sketch);
    apply(t, settings);
}

static void count_access(struct ps_tiny_lfu *t, uint64_t page_id)
{
    ps_sketch_add(&t->sketch, page_id);
    if (++t->accesses < (uint64_t)t->settings.memory * t->lists.frames)
        return;
    t->accesses = 0;
    ps_sketch_halve(&t->sketch);
}

void ps_tiny_lfu_note(struct ps_tiny_lfu *t, uint32_t frame, uint64_t page_id)
{
    t->page_ids[frame] = page_id;
    count_access(t, page_id);
}

void ps_tiny_lfu_inserted(struct ps_tiny_lfu *t, uint32_t frame, uint64_t page_id)
{
    ps_tiny_lfu_note(t, frame, page_id);
    ps_lists_push(&t->lists, LIST_WINDOW, frame);
}

void ps_tiny_lfu_adopted(struct ps_tiny_lfu *t, uint32_t frame, uint64_t page_id)
{
    ps_tiny_lfu_note(t, frame, page_id);
    ps_lists_push(&t->lists, LIST_PROBATION, frame);
}

void ps_tiny_lfu_removed(struct ps_tiny_lfu *t, uint32_t frame)
{
    ps_lists_remove(&t->lists, frame);
}

static void trim_protected(struct ps_tiny_lfu *t)
{
    const uint64_t main_len = (uint64_t)t->lists.len[LIST_PROBATION] + t->lists.len[LIST_PROTECTED];

    while (t->lists.len[LIST_PROTECTED] > 1 &&
           t->lists.len[LIST_PROTECTED] > main_len * PROTECTED_PERCENT / 100)
        ps_lists_move(&t->lists, LIST_PROBATION, t->lists.tail[LIST_PROTECTED]);
}

void ps_tiny_lfu_hit(struct ps_tiny_lfu *t, uint32_t frame)
{
    count_access(t, t->page_ids[frame]);
    if (t->lists.list_of[frame] == LIST_WINDOW || t->lists.len[LIST_WINDOW] < t->window_max) {
        ps_lists_move(&t->lists, LIST_WINDOW, frame); /* a window that grows takes what is used */
        return;
    }
    ps_lists_move(&t->lists, LIST_PROTECTED, frame);
    trim_protected(t);
}

static uint32_t pick_main(struct ps_tiny_lfu *t, struct ps_evict *e)
{
    uint32_t frame = ps_lists_pick(&t->lists, LIST_PROBATION, t->pool, e);

    return frame != PS_NO_FRAME ? frame : ps_lists_pick(&t->lists, LIST_PROTECTED, t->pool, e);
}

/* Of the two frames, either of which may be none, the one that was used less goes. If the window's
 * stays, it moves to the main part. */
static uint32_t lesser(struct ps_tiny_lfu *t, uint32_t window, uint32_t main)
{
    if (window == PS_NO_FRAME || main == PS_NO_FRAME)
        return window == PS_NO_FRAME ? main : window;
    if (ps_sketch_count(&t->sketch, t->page_ids[window]) <=
        ps_sketch_count(&t->sketch, t->page_ids[main]))
        return window;
    ps_lists_move(&t->lists, LIST_PROBATION, window);
    return main;
}

uint32_t ps_tiny_lfu_victim(struct ps_tiny_lfu *t, struct ps_evict *e)
{
    const uint32_t *len = t->lists.len;
    uint32_t frame;

    for (unsigned i = 0; i < WINDOW_STEP && len[LIST_WINDOW] > t->window_max + 1; i++)
        ps_lists_move(&t->lists, LIST_PROBATION, t->lists.tail[LIST_WINDOW]);
    if (len[LIST_WINDOW] >= t->window_max)
        return lesser(t, ps_lists_pick(&t->lists, LIST_WINDOW, t->pool, e), pick_main(t, e));
    frame = pick_main(t, e);
    return frame != PS_NO_FRAME ? frame : ps_lists_pick(&t->lists, LIST_WINDOW, t->pool, e);
}

/* Either the oldest of the window or those on probation. */
uint32_t ps_tiny_lfu_upcoming(const struct ps_tiny_lfu *t, uint32_t *frames, uint32_t max)
{
    uint32_t count;

    count = ps_lists_copy(&t->lists, LIST_WINDOW, t->pool, frames, 0, max / 2);
    count = ps_lists_copy(&t->lists, LIST_PROBATION, t->pool, frames, count, max);
    return ps_lists_copy(&t->lists, LIST_PROTECTED, t->pool, frames, count, max);
}

uint32_t ps_tiny_lfu_order(const struct ps_tiny_lfu *t, uint32_t *frames)
{
    const uint32_t max = t->lists.frames;
    uint32_t count;

    count = ps_lists_copy(&t->lists, LIST_PROBATION, NULL, frames, 0, max);
    count = ps_lists_copy(&t->lists, LIST_WINDOW, NULL, frames, count, max);
    return ps_lists_copy(&t->lists, LIST_PROTECTED, NULL, frames, count, max);
}
