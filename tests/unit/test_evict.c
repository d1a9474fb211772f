/*
 * test_evict.c - what every policy promises, over frames whose state is an array; and ghosts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pool/ghost.h"

#define FRAMES 40u

struct frames {
    uint8_t usage[FRAMES];
    bool stuck[FRAMES]; /* cannot go */
    bool in_use[FRAMES];
    struct ps_evict_pool calls;
};

static unsigned usage(void *ctx, uint32_t frame)
{
    return ((const struct frames *)ctx)->usage[frame];
}

static unsigned usage_dec(void *ctx, uint32_t frame)
{
    struct frames *f = ctx;

    return f->usage[frame] > 0 ? f->usage[frame]-- : 0;
}

static bool evictable(void *ctx, uint32_t frame)
{
    return !((const struct frames *)ctx)->stuck[frame];
}

static bool in_use(void *ctx, uint32_t frame)
{
    return ((const struct frames *)ctx)->in_use[frame];
}

static struct frames frames;

/* All frames have a page, of the frame's number, used once. */
static struct ps_evict *fill(const struct ps_evict_ops *policy)
{
    struct ps_evict *e = NULL;

    frames = (struct frames){.calls = {.ctx = &frames,
                                       .usage = usage,
                                       .usage_dec = usage_dec,
                                       .evictable = evictable,
                                       .in_use = in_use}};
    memset(frames.usage, 1, sizeof(frames.usage));
    assert_int_equal(policy->create(FRAMES, &frames.calls, &e), PS_OK);
    for (uint32_t i = 0; i < FRAMES; i++)
        policy->inserted(e, i, i);
    return e;
}

static void only_frame_that_can_go_is_the_victim(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        struct ps_evict *e = fill(ps_evict_nth(i));

        memset(frames.stuck, true, sizeof(frames.stuck));
        memset(frames.in_use, true, sizeof(frames.in_use) / 2);
        for (uint32_t frame = 0; frame < FRAMES; frame += 7) {
            frames.stuck[frame] = false;
            assert_int_equal(e->ops->victim(e), frame);
            frames.stuck[frame] = true;
        }
        e->ops->destroy(e);
    }
}

static void there_is_no_victim_where_none_can_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        struct ps_evict *e = fill(ps_evict_nth(i));

        memset(frames.stuck, true, sizeof(frames.stuck));
        for (unsigned in_use_too = 0; in_use_too < 2; in_use_too++) {
            memset(frames.in_use, (int)in_use_too, sizeof(frames.in_use));
            assert_int_equal(e->ops->victim(e), PS_NO_FRAME);
            assert_int_equal(e->ops->upcoming(e, (uint32_t[FRAMES]){0}, FRAMES), 0);
        }
        e->ops->destroy(e);
    }
}

static void order_names_each_frame_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        struct ps_evict *e = fill(ps_evict_nth(i));
        bool seen[FRAMES] = {false};
        uint32_t order[FRAMES];

        assert_int_equal(e->ops->order(e, order), FRAMES);
        for (uint32_t k = 0; k < FRAMES; k++) {
            assert_false(seen[order[k]]);
            seen[order[k]] = true;
        }
        e->ops->destroy(e);
    }
}

static void upcoming_frames_can_go_and_there_are_no_more_than_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        struct ps_evict *e = fill(ps_evict_nth(i));
        uint32_t coming[FRAMES];
        uint32_t count;

        memset(frames.usage, 0, sizeof(frames.usage));
        for (uint32_t frame = 0; frame < FRAMES; frame += 2)
            frames.stuck[frame] = true;
        count = e->ops->upcoming(e, coming, 6);
        assert_in_range(count, 1, 6);
        for (uint32_t k = 0; k < count; k++)
            assert_true(coming[k] % 2 == 1);
        e->ops->destroy(e);
    }
}

static void lru_takes_the_frame_not_used_for_longest(void **state)
{
    struct ps_evict *e = fill(&ps_evict_lru);

    (void)state;
    e->ops->hit(e, 0);
    e->ops->hit(e, 2);
    assert_int_equal(e->ops->victim(e), 1);
    e->ops->removed(e, 1, 1, true);
    assert_int_equal(e->ops->victim(e), 3);
    e->ops->destroy(e);
}

/* A page evicted from where new pages come in, and read again soon, outlives new ones. */
static void page_that_comes_back_in_time_stays(void **state)
{
    static const struct ps_evict_ops *const policies[] = {&ps_evict_2q, &ps_evict_s3fifo,
                                                          &ps_evict_arc};

    (void)state;
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        struct ps_evict *e = fill(policies[i]);
        const uint32_t frame = e->ops->victim(e);
        uint32_t victim;

        e->ops->removed(e, frame, frame, true);
        e->ops->inserted(e, frame, frame);
        for (uint32_t k = 0; k + 1 < FRAMES / 2; k++) {
            victim = e->ops->victim(e);
            assert_int_not_equal(victim, frame);
            e->ops->removed(e, victim, victim, true);
            e->ops->inserted(e, victim, 1000 + k);
        }
        e->ops->destroy(e);
    }
}

/* An s3fifo in which frames below `proven` are in the main FIFO, and the others were read ahead. */
static struct ps_evict *s3fifo_with_read_ahead(uint32_t proven)
{
    struct ps_evict *e = fill(&ps_evict_s3fifo);

    for (uint32_t i = 0; i < FRAMES; i++) {
        e->ops->removed(e, i, i, false);
        if (i < proven)
            e->ops->adopted(e, i, i);
        else
            e->ops->inserted(e, i, i);
        frames.usage[i] = i < proven;
    }
    return e;
}

static void s3fifo_spares_pages_read_ahead_until_they_are_asked_for(void **state)
{
    struct ps_evict *e = s3fifo_with_read_ahead(FRAMES / 2 + 1);

    (void)state;
    assert_int_equal(e->ops->victim(e), 0); /* although the small FIFO has more than its share */
    frames.usage[FRAMES / 2 + 1] = 1;
    assert_int_equal(e->ops->victim(e), FRAMES / 2 + 1); /* its reader has it now */
    e->ops->removed(e, FRAMES / 2 + 1, FRAMES / 2 + 1, true);
    assert_int_equal(e->ops->victim(e), 0);
    memset(frames.stuck, true, FRAMES / 2 + 1);
    assert_int_equal(e->ops->victim(e), FRAMES / 2 + 2); /* nothing else can go */
    e->ops->destroy(e);
}

static void s3fifo_spares_pages_read_ahead_in_half_of_the_frames_at_most(void **state)
{
    struct ps_evict *e = s3fifo_with_read_ahead(FRAMES / 2);

    (void)state;
    assert_int_equal(e->ops->victim(e), FRAMES / 2);
    e->ops->destroy(e);
}

static void ghosts_are_forgotten_oldest_first(void **state)
{
    struct ps_ghost g;

    (void)state;
    assert_int_equal(ps_ghost_init(&g, 3), PS_OK);
    for (uint64_t id = 10; id < 15; id++)
        ps_ghost_add(&g, id);
    assert_int_equal(ps_ghost_len(&g), 3);
    assert_false(ps_ghost_take(&g, 11));
    assert_true(ps_ghost_take(&g, 13));
    assert_false(ps_ghost_take(&g, 13));
    ps_ghost_trim(&g, 1);
    assert_false(ps_ghost_take(&g, 12));
    assert_true(ps_ghost_take(&g, 14));
    assert_int_equal(ps_ghost_len(&g), 0);
    ps_ghost_deinit(&g);
}

static void policies_are_found_by_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        assert_ptr_equal(ps_evict_by_name(ps_evict_nth(i)->name), ps_evict_nth(i));
        assert_non_null(strstr(ps_evict_names(), ps_evict_nth(i)->name));
    }
    assert_null(ps_evict_by_name("mru"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_frame_that_can_go_is_the_victim),
        cmocka_unit_test(there_is_no_victim_where_none_can_go),
        cmocka_unit_test(order_names_each_frame_once),
        cmocka_unit_test(upcoming_frames_can_go_and_there_are_no_more_than_asked_for),
        cmocka_unit_test(lru_takes_the_frame_not_used_for_longest),
        cmocka_unit_test(page_that_comes_back_in_time_stays),
        cmocka_unit_test(s3fifo_spares_pages_read_ahead_until_they_are_asked_for),
        cmocka_unit_test(s3fifo_spares_pages_read_ahead_in_half_of_the_frames_at_most),
        cmocka_unit_test(ghosts_are_forgotten_oldest_first),
        cmocka_unit_test(policies_are_found_by_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
