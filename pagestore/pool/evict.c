/*
 * evict.c - the policies there are.
 */
#include "pool/evict.h"

#include <stddef.h>
#include <string.h>

static const struct ps_evict_ops *const policies[] = {&ps_evict_clock};

const struct ps_evict_ops *ps_evict_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    }
    return NULL;
}
