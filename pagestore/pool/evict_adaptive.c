/*
 * evict_adaptive.c - does as the one of several policies that does best now.
 *
 * The candidates are W-TinyLFU with three settings, from "keep what is used most" on, and ARC, for
 * the times when that changes. They run as mini simulations on a sample of the pages. After each so
 * many sampled accesses their misses are compared, older ones counting less and less, and one that
 * misses clearly less than the present one takes over, with all frames, in the order of their
 * worth. The sketch counts all the time. The sample is of pages, not of accesses (Waldspurger,
 * Park, Garthwaite and Ahmad, "Efficient MRC Construction with SHARDS", FAST 2015), so that what is
 * sampled behaves as the whole does.
 *
 * Memory: 150 bytes a frame, of which 64 are the sketch and 56 the ghost entries of ARC.
 */
#include <stdlib.h>

#include "pool/mini_sim.h"
#include "pool/tiny_lfu.h"

/* Frames of a candidate: at least as many, where there are. */
#define CANDIDATE_FRAMES 512u

/* Misses of one round count by this share less in the next. */
#define FADING 5u

/* By how much of its misses the present candidate must be beaten. */
#define MARGIN_PERCENT 3u

/* Sampled by bits of the hash that no other sampling looks at: the policy itself may be running on
 * a sample. */
#define SAMPLE_SHIFT 40u

/* Of W-TinyLFU. The candidate after these is ARC. */
static const struct ps_tiny_lfu_settings settings[] = {
    {.window_percent = 1, .memory = 40},  /* what is used most stays the same for long */
    {.window_percent = 1, .memory = 10},  /* and changes */
    {.window_percent = 20, .memory = 10}, /* new pages are used again soon */
};
#define CANDIDATE_ARC (sizeof(settings) / sizeof(settings[0]))
#define CANDIDATES (CANDIDATE_ARC + 1)

/* W-TinyLFU as a policy of its own. */
struct tiny {
    struct ps_evict base; /* first */
    struct ps_tiny_lfu lfu;
};

struct adaptive {
    struct ps_evict base; /* first */
    struct ps_evict *lfu; /* a struct tiny; its sketch and page ids are of use also when it rests */
    struct ps_evict *arc;
    struct ps_evict *present; /* one of them; it has all frames, the other none */
    uint32_t *order;          /* one a frame: to hand them over */
    struct ps_mini_sim candidates[CANDIDATES];
    uint64_t misses[CANDIDATES]; /* in 1/256, faded */
    uint64_t mask;               /* of a hash: what is sampled */
    uint32_t round_len, round;   /* sampled accesses */
    unsigned candidate;          /* the present one */
};

/* --- a candidate -------------------------------------------------------------------------- */

static const struct ps_evict_ops tiny_ops;

static void tiny_destroy(struct ps_evict *e)
{
    ps_tiny_lfu_deinit(&((struct tiny *)e)->lfu);
    free(e);
}

static ps_err tiny_create(uint32_t frames, const struct ps_evict_pool *pool, struct ps_evict **ret)
{
    struct tiny *t = calloc(1, sizeof(*t));
    ps_err err;

    if (!t)
        return ps_fail(PS_ERR_NOMEM, "no memory for W-TinyLFU");
    t->base.ops = &tiny_ops;
    err = ps_tiny_lfu_init(&t->lfu, frames, pool, &settings[0]);
    if (err)
        tiny_destroy(&t->base);
    else
        *ret = &t->base;
    return err;
}

static void tiny_inserted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    ps_tiny_lfu_inserted(&((struct tiny *)e)->lfu, frame, page_id);
}

static void tiny_adopted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    ps_tiny_lfu_adopted(&((struct tiny *)e)->lfu, frame, page_id);
}

static void tiny_removed(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted)
{
    (void)page_id;
    (void)evicted;
    ps_tiny_lfu_removed(&((struct tiny *)e)->lfu, frame);
}

static void tiny_hit(struct ps_evict *e, uint32_t frame)
{
    ps_tiny_lfu_hit(&((struct tiny *)e)->lfu, frame);
}

static uint32_t tiny_victim(struct ps_evict *e)
{
    return ps_tiny_lfu_victim(&((struct tiny *)e)->lfu, e);
}

static uint32_t tiny_upcoming(struct ps_evict *e, uint32_t *frames, uint32_t max)
{
    return ps_tiny_lfu_upcoming(&((const struct tiny *)e)->lfu, frames, max);
}

static uint32_t tiny_order(struct ps_evict *e, uint32_t *frames)
{
    return ps_tiny_lfu_order(&((const struct tiny *)e)->lfu, frames);
}

static const struct ps_evict_ops tiny_ops = {
    .name = "tinylfu",
    .wants_hits = true,
    .create = tiny_create,
    .destroy = tiny_destroy,
    .inserted = tiny_inserted,
    .adopted = tiny_adopted,
    .removed = tiny_removed,
    .hit = tiny_hit,
    .victim = tiny_victim,
    .upcoming = tiny_upcoming,
    .order = tiny_order,
};

/* --- the choice --------------------------------------------------------------------------- */

static struct ps_tiny_lfu *lfu_of(const struct adaptive *a)
{
    return &((struct tiny *)a->lfu)->lfu;
}

static void hand_over(struct adaptive *a, struct ps_evict *to)
{
    const struct ps_tiny_lfu *lfu = lfu_of(a);
    struct ps_evict *from = a->present;
    const uint32_t count = from->ops->order(from, a->order);

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t frame = a->order[i];

        from->ops->removed(from, frame, lfu->page_ids[frame], false);
        to->ops->adopted(to, frame, lfu->page_ids[frame]);
    }
    a->present = to;
}

static void take_over(struct adaptive *a, unsigned candidate)
{
    struct ps_evict *to = candidate == CANDIDATE_ARC ? a->arc : a->lfu;

    if (candidate != CANDIDATE_ARC)
        ps_tiny_lfu_set(lfu_of(a), &settings[candidate]);
    if (to != a->present)
        hand_over(a, to);
    a->candidate = candidate;
}

static void choose(struct adaptive *a)
{
    unsigned best = a->candidate;

    for (unsigned i = 0; i < CANDIDATES; i++) {
        if (a->misses[i] < a->misses[best])
            best = i;
    }
    if (a->misses[best] < a->misses[a->candidate] * (100 - MARGIN_PERCENT) / 100)
        take_over(a, best);
    for (unsigned i = 0; i < CANDIDATES; i++)
        a->misses[i] -= a->misses[i] / FADING;
}

static void sample(struct adaptive *a, uint64_t page_id)
{
    if ((ps_page_id_hash(page_id) >> SAMPLE_SHIFT) & a->mask)
        return;
    for (unsigned i = 0; i < CANDIDATES; i++) {
        if (!ps_mini_sim_access(&a->candidates[i], page_id))
            a->misses[i] += 256;
    }
    if (++a->round < a->round_len)
        return;
    a->round = 0;
    choose(a);
}

/* --- the policy --------------------------------------------------------------------------- */

static void adaptive_destroy(struct ps_evict *e)
{
    struct adaptive *a = (struct adaptive *)e;

    for (unsigned i = 0; i < CANDIDATES; i++)
        ps_mini_sim_deinit(&a->candidates[i]);
    if (a->arc)
        a->arc->ops->destroy(a->arc);
    if (a->lfu)
        a->lfu->ops->destroy(a->lfu);
    free(a->order);
    free(a);
}

static ps_err make_candidates(struct adaptive *a, uint32_t frames)
{
    uint32_t rate = 1;
    ps_err err;

    while (frames / (2 * rate) >= CANDIDATE_FRAMES)
        rate *= 2;
    a->mask = rate - 1;
    a->round_len = (frames / rate + 1) / 2;
    for (unsigned i = 0; i < CANDIDATE_ARC; i++) {
        err = ps_mini_sim_init(&a->candidates[i], &tiny_ops, frames / rate);
        if (err)
            return err;
        ps_tiny_lfu_set(&((struct tiny *)a->candidates[i].policy)->lfu, &settings[i]);
    }
    return ps_mini_sim_init(&a->candidates[CANDIDATE_ARC], &ps_evict_arc, frames / rate);
}

static ps_err adaptive_create(uint32_t frames, const struct ps_evict_pool *pool,
                              struct ps_evict **ret)
{
    struct adaptive *a = calloc(1, sizeof(*a));
    ps_err err = PS_OK;

    if (a)
        a->order = malloc(frames * sizeof(*a->order));
    if (!a || !a->order)
        err = ps_fail(PS_ERR_NOMEM, "no memory for the adaptive policy");
    if (!a)
        return err;
    a->base.ops = &ps_evict_adaptive;
    if (!err)
        err = tiny_create(frames, pool, &a->lfu);
    if (!err)
        err = ps_evict_arc.create(frames, pool, &a->arc);
    if (!err)
        err = make_candidates(a, frames);
    a->present = a->lfu;
    if (err)
        adaptive_destroy(&a->base);
    else
        *ret = &a->base;
    return err;
}

static void adaptive_inserted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    struct adaptive *a = (struct adaptive *)e;

    a->present->ops->inserted(a->present, frame, page_id);
    if (a->present != a->lfu)
        ps_tiny_lfu_note(lfu_of(a), frame, page_id);
    sample(a, page_id);
}

static void adaptive_adopted(struct ps_evict *e, uint32_t frame, uint64_t page_id)
{
    struct adaptive *a = (struct adaptive *)e;

    a->present->ops->adopted(a->present, frame, page_id);
    if (a->present != a->lfu)
        ps_tiny_lfu_note(lfu_of(a), frame, page_id);
}

static void adaptive_removed(struct ps_evict *e, uint32_t frame, uint64_t page_id, bool evicted)
{
    struct adaptive *a = (struct adaptive *)e;

    a->present->ops->removed(a->present, frame, page_id, evicted);
}

static void adaptive_hit(struct ps_evict *e, uint32_t frame)
{
    struct adaptive *a = (struct adaptive *)e;
    const uint64_t page_id = lfu_of(a)->page_ids[frame];

    a->present->ops->hit(a->present, frame);
    if (a->present != a->lfu)
        ps_tiny_lfu_note(lfu_of(a), frame, page_id);
    sample(a, page_id);
}

static uint32_t adaptive_victim(struct ps_evict *e)
{
    struct adaptive *a = (struct adaptive *)e;

    return a->present->ops->victim(a->present);
}

static uint32_t adaptive_upcoming(struct ps_evict *e, uint32_t *frames, uint32_t max)
{
    struct adaptive *a = (struct adaptive *)e;

    return a->present->ops->upcoming(a->present, frames, max);
}

static uint32_t adaptive_order(struct ps_evict *e, uint32_t *frames)
{
    struct adaptive *a = (struct adaptive *)e;

    return a->present->ops->order(a->present, frames);
}

const struct ps_evict_ops ps_evict_adaptive = {
    .name = "adaptive",
    .wants_hits = true,
    .create = adaptive_create,
    .destroy = adaptive_destroy,
    .inserted = adaptive_inserted,
    .adopted = adaptive_adopted,
    .removed = adaptive_removed,
    .hit = adaptive_hit,
    .victim = adaptive_victim,
    .upcoming = adaptive_upcoming,
    .order = adaptive_order,
};
