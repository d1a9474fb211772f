#include "recovery/warmup.h"

#include <stdlib.h>

#include "base/thread.h"

#define STEP_BYTES (8u * 1024u * 1024u)

struct ps_warmup {
    struct ps_pool *pool;
    uint32_t step; /* frames */
    pthread_t thread;
    struct ps_mutex mtx; /* rank LEAF */
    struct ps_cond cond;
    uint32_t wanted; /* guarded by mtx */
    bool stop;       /* guarded by mtx */
};

static void *run(void *ctx)
{
    struct ps_warmup *w = ctx;
    uint32_t done = 0, count;

    ps_mutex_lock(&w->mtx);
    while (!w->stop) {
        if (done >= w->wanted) {
            ps_cond_wait(&w->cond, &w->mtx);
            continue;
        }
        count = w->wanted - done < w->step ? w->wanted - done : w->step;
        ps_mutex_unlock(&w->mtx);
        ps_pool_populate(w->pool, done, count);
        done += count;
        ps_mutex_lock(&w->mtx);
    }
    ps_mutex_unlock(&w->mtx);
    return NULL;
}

struct ps_warmup *ps_warmup_start(struct ps_pool *pool)
{
    struct ps_warmup *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->pool = pool;
    w->step = STEP_BYTES / ps_pool_page_size(pool);
    ps_mutex_init(&w->mtx, PS_RANK_LEAF, "warmup.mtx");
    ps_cond_init(&w->cond);
    if (ps_thread_start(&w->thread, run, w) == 0)
        return w;
    ps_cond_deinit(&w->cond);
    ps_mutex_deinit(&w->mtx);
    free(w);
    return NULL;
}

void ps_warmup_want(struct ps_warmup *w, uint64_t frames)
{
    uint32_t all;

    if (!w)
        return;
    all = ps_pool_frames(w->pool);
    ps_mutex_lock(&w->mtx);
    w->wanted = frames < all ? (uint32_t)frames : all;
    ps_cond_signal(&w->cond);
    ps_mutex_unlock(&w->mtx);
}

void ps_warmup_stop(struct ps_warmup *w)
{
    if (!w)
        return;
    ps_mutex_lock(&w->mtx);
    w->stop = true;
    ps_cond_signal(&w->cond);
    ps_mutex_unlock(&w->mtx);
    (void)pthread_join(w->thread, NULL);
    ps_cond_deinit(&w->cond);
    ps_mutex_deinit(&w->mtx);
    free(w);
}
