/*
 * cancel.c - waits that another thread can end.
 *
 * The waiter notes mutex and condition in the token while it holds that mutex; the raiser reads
 * them under the token's own mutex, lets go of it, and wakes the waiter under the waiter's. So
 * the two mutexes are never waited for in opposite orders, and no wake-up falls between the
 * waiter's note and its sleep.
 */
#include "pagestore/cancel.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/wait.h"

void ps_cancel_init(struct ps_cancel *c)
{
    pthread_mutex_init(&c->mtx, NULL);
    atomic_init(&c->raised, false);
    c->waits_mtx = NULL;
    c->waits_cond = NULL;
}

void ps_cancel_deinit(struct ps_cancel *c)
{
    assert(!c->waits_mtx);
    pthread_mutex_destroy(&c->mtx);
}

void ps_cancel_raise(struct ps_cancel *c)
{
    struct ps_mutex *mtx;
    struct ps_cond *cond;

    pthread_mutex_lock(&c->mtx);
    atomic_store(&c->raised, true);
    mtx = c->waits_mtx;
    cond = c->waits_cond;
    pthread_mutex_unlock(&c->mtx);

    if (mtx) {
        ps_mutex_lock(mtx);
        ps_cond_broadcast(cond);
        ps_mutex_unlock(mtx);
    }
}

bool ps_cancel_raised(const struct ps_cancel *c)
{
    return c && atomic_load(&c->raised);
}

/* False when the token is raised already. */
static bool note_wait(struct ps_cancel *cancel, struct ps_cond *c, struct ps_mutex *m)
{
    bool raised;

    pthread_mutex_lock(&cancel->mtx);
    assert(!cancel->waits_mtx);
    raised = atomic_load(&cancel->raised);
    if (!raised) {
        cancel->waits_mtx = m;
        cancel->waits_cond = c;
    }
    pthread_mutex_unlock(&cancel->mtx);
    return !raised;
}

static void forget_wait(struct ps_cancel *cancel)
{
    pthread_mutex_lock(&cancel->mtx);
    cancel->waits_mtx = NULL;
    cancel->waits_cond = NULL;
    pthread_mutex_unlock(&cancel->mtx);
}

ps_err ps_wait(struct ps_cond *c, struct ps_mutex *m, struct ps_cancel *cancel)
{
    ps_assert_held(m);
    if (!cancel) {
        ps_cond_wait(c, m);
        return PS_OK;
    }
    if (note_wait(cancel, c, m)) {
        ps_cond_wait(c, m);
        forget_wait(cancel);
    }
    if (ps_cancel_raised(cancel))
        return ps_fail(PS_ERR_INTERRUPTED, "interrupted while waiting");
    return PS_OK;
}
