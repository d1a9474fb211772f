/*
 * handle.h - one open file or directory of the mount.
 *
 * Ownership  open makes a handle and puts its address into fuse_file_info.fh; release takes it
 *            back. It holds a reference to its table, so that a dropped table stays an object
 *            until the last descriptor goes.
 * Locking    fields are set before the handle is shared, but for dead (set by events) and pending
 *            (guarded by pending_mtx).
 */
#ifndef PFS_HANDLE_H
#define PFS_HANDLE_H

#include <pthread.h>

#include "fs/gen.h"
#include "fs/object.h"
#include "fs/text.h"

struct pfs;

struct pfs_handle {
    struct pfs_object object;
    struct ps_table *table; /* NULL where no table is meant */
    struct pfs_gen *gen;    /* of generated files open for reading, else NULL */
    _Atomic bool dead;      /* its page was freed: EIO from now on */

    pthread_mutex_t pending_mtx;
    struct pfs_text pending; /* written, and not yet a whole line */

    struct pfs_handle *next; /* the registry's: handles of one inode */
};

/* Takes the table's reference over, also when it fails. table may be NULL. */
PS_MUST_USE ps_err pfs_handle_create(const struct pfs_object *o, struct ps_table *table,
                                     struct pfs_handle **ret);
/* NULL is allowed. */
void pfs_handle_destroy(struct pfs_handle *h);

#endif
