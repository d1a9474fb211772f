/*
 * interrupt.h - a client was killed while its request waits: the wait ends.
 *
 * Ownership  begin and end pair up around the one call down of a handler; end comes before the
 *            reply, after which the request may be gone.
 */
#ifndef PFS_INTERRUPT_H
#define PFS_INTERRUPT_H

#include "fs/pfs.h"
#include "pagestore/cancel.h"

struct pfs_interrupt {
    struct ps_cancel cancel;
    fuse_req_t req;
};

/* Returns the token to give to the library. */
struct ps_cancel *pfs_interrupt_begin(struct pfs_interrupt *i, fuse_req_t req);
void pfs_interrupt_end(struct pfs_interrupt *i);

#endif
