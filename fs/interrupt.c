#include "fs/interrupt.h"

static void interrupted(fuse_req_t req, void *data)
{
    struct pfs_interrupt *i = data;

    (void)req;
    ps_cancel_raise(&i->cancel);
}

struct ps_cancel *pfs_interrupt_begin(struct pfs_interrupt *i, fuse_req_t req)
{
    i->req = req;
    ps_cancel_init(&i->cancel);
    fuse_req_interrupt_func(req, interrupted, i); /* calls back at once if it came before */
    return &i->cancel;
}

void pfs_interrupt_end(struct pfs_interrupt *i)
{
    fuse_req_interrupt_func(i->req, NULL, NULL); /* waits for a call back under way */
    ps_cancel_deinit(&i->cancel);
}
