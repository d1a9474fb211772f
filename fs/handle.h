/*
 * handle.h - one open file or directory of the mount.
 *
 * Flow       ops -> [handle] -> table, generated file
 * Ownership  open makes a handle and puts its address into fuse_file_info.fh; release takes it
 *            back. Release can come as soon as the last request's reply is out; a handler that
 *            still needs the handle then holds a reference of its own. A handle refers to its
 *            table, so that a dropped one stays an object until the last descriptor goes.
 * Locking    fields are set before the handle is shared, but for gen, dead (set by events) and
 *            pending (guarded by pending_mtx).
 * Errors     create: PS_ERR_NOMEM.
 * Promise    a handle that is dead stays so: the page that takes its page's place is never seen
 *            through it.
 */
#ifndef PFS_HANDLE_H
#define PFS_HANDLE_H

#include <pthread.h>

#include "base/text.h"
#include "fs/gen.h"
#include "fs/object.h"

struct pfs;

struct pfs_handle {
    _Atomic unsigned refs;
    struct pfs_object object;
    struct ps_table *table;      /* NULL where no table is meant */
    struct pfs_gen *_Atomic gen; /* of generated files open for reading, else NULL; set by open,
                                    when the handle is known to the registry already */
    _Atomic bool dead;           /* its page was freed: EIO from now on */

    pthread_mutex_t pending_mtx;
    struct ps_text pending; /* written, and not yet a whole line */

    struct pfs_handle *next; /* the registry's: handles of one inode */
};

/* With one reference. Takes the table's reference over, also when it fails. table may be NULL. */
PS_MUST_USE ps_err pfs_handle_create(const struct pfs_object *o, struct ps_table *table,
                                     struct pfs_handle **ret);
void pfs_handle_ref(struct pfs_handle *h);
void pfs_handle_unref(struct pfs_handle *h);

#endif
