/*
 * view_policies.c - what each eviction policy would have made of the same accesses, a line each.
 */
#include "fs/pfs.h"
#include "fs/view.h"

#include <string.h>

#include "pool/pool.h"
#include "pool/rivals.h"

#define TITLES "policy   in_force hit_ratio   recent             accesses              sampled"

static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    struct ps_pool *pool = ps_store_pool(c->subject.fs->store);
    const char *in_force = ps_pool_policy(pool);
    struct ps_rival rivals[PS_EVICT_POLICIES];

    ps_pool_rivals(pool, rivals);
    ps_text_printf(out, TITLES "\n");
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        const struct ps_rival *r = &rivals[i];

        ps_text_printf(out, "%-8s %8s %9.6f %8.6f %20llu %20llu\n", r->policy,
                       strcmp(r->policy, in_force) == 0 ? "*" : "-", r->hit_ratio, r->recent,
                       (unsigned long long)r->accesses, (unsigned long long)r->sampled);
    }
    c->done = true;
    return PS_OK;
}

const struct pfs_view pfs_view_policies = {PFS_SIZE_RENDER, .step = step};
