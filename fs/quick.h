/*
 * quick.h - reads and writes of pages that wait for nobody, answered without libfuse.
 *
 * libfuse allocates and lists each request, so that it can be interrupted while it waits: a
 * twentieth of the time of a read of a resident page. So a read or a write is first tried as one
 * that is interrupted already. Where it would have to wait for others the try ends having done
 * nothing, and the request goes to libfuse and its handler as any other does.
 *
 * An INTERRUPT of a request that libfuse does not have is kept by libfuse until it has taken
 * another request. So after each INTERRUPT one request goes there that would not have.
 *
 * Flow       serve -> [quick] -> ops_file.c (what is read and written) -> library
 * Units      offsets and lengths are bytes of the file that is read or written.
 * Ownership  the request's bytes are the caller's; handles as in handle.h.
 * Locking    thread safe.
 * Errors     become errno values in the reply.
 * Promise    a request is answered here once and completely, or not at all. The answer is the one
 *            that its handler would have given.
 */
#ifndef PFS_QUICK_H
#define PFS_QUICK_H

#include "fs/pfs.h"
#include "pagestore/cancel.h"

struct pfs_quick {
    struct pfs *fs;
    struct ps_cancel raised;     /* always: whoever waits with it does not wait */
    _Atomic unsigned interrupts; /* that libfuse may still keep */
};

void pfs_quick_init(struct pfs_quick *q, struct pfs *fs);
void pfs_quick_deinit(struct pfs_quick *q);

/* Answers the request that was received. False: it is libfuse's. */
bool pfs_quick_answer(struct pfs_quick *q, const struct fuse_buf *request);

#endif
