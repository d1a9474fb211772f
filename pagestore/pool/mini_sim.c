/*
 * mini_sim.c - page ids in frames, and a policy that says which one goes.
 */
#include "pool/mini_sim.h"

#include <assert.h>
#include <stdlib.h>

static unsigned sim_usage(void *ctx, uint32_t frame)
{
    return ((const struct ps_mini_sim *)ctx)->usage[frame];
}

static unsigned sim_usage_dec(void *ctx, uint32_t frame)
{
    uint8_t *usage = &((struct ps_mini_sim *)ctx)->usage[frame];

    return *usage > 0 ? (*usage)-- : 0;
}

static bool sim_evictable(void *ctx, uint32_t frame)
{
    return frame < ((const struct ps_mini_sim *)ctx)->used;
}

static bool sim_in_use(void *ctx, uint32_t frame)
{
    (void)ctx;
    (void)frame;
    return false;
}

ps_err ps_mini_sim_init(struct ps_mini_sim *sim, const struct ps_evict_ops *policy, uint32_t frames)
{
    ps_err err;

    *sim = (struct ps_mini_sim){
        .frames = frames,
        .calls = {.ctx = sim,
                  .usage = sim_usage,
                  .usage_dec = sim_usage_dec,
                  .evictable = sim_evictable,
                  .in_use = sim_in_use},
    };
    sim->usage = calloc(frames, sizeof(*sim->usage));
    if (!sim->usage)
        return ps_fail(PS_ERR_NOMEM, "no memory to simulate %u frames", frames);
    err = ps_page_ids_init(&sim->ids, frames);
    if (!err)
        err = policy->create(frames, &sim->calls, &sim->policy);
    if (err)
        ps_mini_sim_deinit(sim);
    return err;
}

void ps_mini_sim_deinit(struct ps_mini_sim *sim)
{
    if (sim->policy)
        sim->policy->ops->destroy(sim->policy);
    ps_page_ids_deinit(&sim->ids);
    free(sim->usage);
    *sim = (struct ps_mini_sim){0};
}

static void hit(struct ps_mini_sim *sim, uint32_t frame)
{
    if (sim->usage[frame] < PS_USAGE_MAX)
        sim->usage[frame]++;
    if (sim->policy->ops->wants_hits)
        sim->policy->ops->hit(sim->policy, frame);
}

static uint32_t take_frame(struct ps_mini_sim *sim)
{
    uint32_t frame;

    if (sim->used < sim->frames)
        return sim->used++;
    frame = sim->policy->ops->victim(sim->policy);
    assert(frame != PS_NO_FRAME); /* here every frame can go */
    sim->policy->ops->removed(sim->policy, frame, sim->ids.ids[frame], true);
    ps_page_ids_remove(&sim->ids, frame);
    return frame;
}

bool ps_mini_sim_access(struct ps_mini_sim *sim, uint64_t page_id)
{
    uint32_t frame = ps_page_ids_find(&sim->ids, page_id);

    if (frame != PS_NO_SLOT) {
        hit(sim, frame);
        return true;
    }
    frame = take_frame(sim);
    ps_page_ids_put(&sim->ids, frame, page_id);
    sim->policy->ops->inserted(sim->policy, frame, page_id);
    sim->usage[frame] = 1;
    return false;
}
