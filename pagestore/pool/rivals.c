/*
 * rivals.c - mini simulations of all policies, fed by those who access pages.
 */
#include "pool/rivals.h"

/* Frames of a simulation: at least as many, where there are. One of more than one page in sixteen
 * would cost more than the hits that it looks at, so small pools make do with less. */
#define RIVAL_FRAMES 256u
#define RIVAL_FRAMES_FEW 64u
#define RATE_CHEAP 16u

/* Sampled accesses of one stretch of recent time, times the frames of a simulation. */
#define STRETCH 8u

ps_err ps_rivals_init(struct ps_rivals *r, uint32_t frames, uint64_t (*accesses)(void *ctx),
                      void *ctx)
{
    ps_err err;

    *r = (struct ps_rivals){.rate = 1, .accesses = accesses, .ctx = ctx};
    ps_mutex_init(&r->mtx, PS_RANK_POOL, "pool.rivals.mtx");
    while (frames / (2 * r->rate) >= (r->rate < RATE_CHEAP ? RIVAL_FRAMES_FEW : RIVAL_FRAMES))
        r->rate *= 2;
    err = ps_access_log_init(&r->log);
    for (size_t i = 0; i < PS_EVICT_POLICIES && !err; i++)
        err = ps_mini_sim_init(&r->sims[i], ps_evict_nth(i), frames / r->rate);
    if (err)
        ps_rivals_deinit(r);
    return err;
}

void ps_rivals_deinit(struct ps_rivals *r)
{
    if (r->rate == 0)
        return;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++)
        ps_mini_sim_deinit(&r->sims[i]);
    ps_access_log_deinit(&r->log);
    ps_mutex_deinit(&r->mtx);
    r->rate = 0;
}

static void run(void *ctx, uint64_t note)
{
    struct ps_rivals *r = ctx;

    r->ever.sampled++;
    r->now.sampled++;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        if (ps_mini_sim_access(&r->sims[i], note - 1))
            continue;
        r->ever.misses[i]++;
        r->now.misses[i]++;
    }
}

static void drain(struct ps_rivals *r, unsigned stripe)
{
    const uint64_t lost = ps_access_log_drain(&r->log, stripe, run, r);

    ps_assert_held(&r->mtx);
    r->ever.lost += lost;
    r->now.lost += lost;
    if (r->now.sampled < (uint64_t)STRETCH * r->sims[0].frames)
        return;
    r->last = r->now;
    r->now = (struct ps_rivals_tally){.accesses = r->accesses(r->ctx)};
}

void ps_rivals_note(struct ps_rivals *r, unsigned stripe, uint64_t page_id)
{
    if (!ps_access_log_add(&r->log, stripe, page_id + 1) || !ps_mutex_trylock(&r->mtx))
        return;
    drain(r, stripe);
    ps_mutex_unlock(&r->mtx);
}

static double hit_ratio(uint64_t misses, uint64_t sampled, uint64_t lost, uint32_t rate,
                        uint64_t accesses)
{
    const double seen = sampled > 0 ? (double)sampled / (double)(sampled + lost) : 1;
    const double missed = (double)misses / seen * rate;

    return missed < (double)accesses ? 1 - missed / (double)accesses : 0;
}

void ps_rivals_report(struct ps_rivals *r, struct ps_rival *ret)
{
    uint64_t accesses, since;

    ps_mutex_lock(&r->mtx);
    for (unsigned stripe = 0; stripe < PS_ACCESS_STRIPES; stripe++)
        drain(r, stripe);
    accesses = r->accesses(r->ctx);
    since = accesses - r->last.accesses;
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        ret[i] = (struct ps_rival){
            .policy = ps_evict_nth(i)->name,
            .accesses = accesses,
            .sampled = r->ever.sampled,
            .hit_ratio =
                hit_ratio(r->ever.misses[i], r->ever.sampled, r->ever.lost, r->rate, accesses),
            .recent =
                hit_ratio(r->last.misses[i] + r->now.misses[i], r->last.sampled + r->now.sampled,
                          r->last.lost + r->now.lost, r->rate, since),
        };
    }
    ps_mutex_unlock(&r->mtx);
}
