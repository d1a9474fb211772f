/*
 * evict.c - the policies there are.
 */
#include "pool/evict.h"

#include <assert.h>
#include <string.h>

static const struct ps_evict_ops *const policies[PS_EVICT_POLICIES] = {
    &ps_evict_clock,  &ps_evict_lru, &ps_evict_2q,
    &ps_evict_s3fifo, &ps_evict_arc, &ps_evict_adaptive,
};

const struct ps_evict_ops *ps_evict_nth(size_t i)
{
    assert(i < PS_EVICT_POLICIES);
    return policies[i];
}

const struct ps_evict_ops *ps_evict_by_name(const char *name)
{
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    }
    return NULL;
}

const char *ps_evict_names(void)
{
    return "clock, lru, 2q, s3fifo, arc, adaptive";
}
