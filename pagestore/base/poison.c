/*
 * poison.c - the store's point of no return.
 */
#include "base/poison.h"

#include <stdatomic.h>
#include <stdio.h>

void ps_poison_init(struct ps_poison *p, void (*notify)(void *, const char *), void *ctx)
{
    ps_mutex_init(&p->mtx, PS_RANK_LEAF, "poison.mtx");
    atomic_init(&p->set, false);
    p->reason[0] = '\0';
    p->notify = notify;
    p->notify_ctx = ctx;
}

void ps_poison_deinit(struct ps_poison *p)
{
    ps_mutex_deinit(&p->mtx);
}

ps_err ps_poison_raise(struct ps_poison *p)
{
    bool first;

    ps_mutex_lock(&p->mtx);
    first = !atomic_load(&p->set);
    if (first) {
        snprintf(p->reason, sizeof(p->reason), "%s", ps_message());
        atomic_store(&p->set, true); /* from here on the reason is constant */
    }
    ps_mutex_unlock(&p->mtx);

    if (first && p->notify)
        p->notify(p->notify_ctx, p->reason);
    return PS_ERR_IO;
}

ps_err ps_poison_check(struct ps_poison *p)
{
    const char *reason = ps_poison_reason(p);

    if (!reason)
        return PS_OK;
    return ps_fail(PS_ERR_POISONED, "the store is read-only since a failure: %s", reason);
}

const char *ps_poison_reason(struct ps_poison *p)
{
    return atomic_load(&p->set) ? p->reason : NULL;
}
