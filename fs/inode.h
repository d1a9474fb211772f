/*
 * inode.h - inode numbers, and the few of them that something is known about.
 *
 * A number is computed from the object it stands for and taken apart again, so that nothing is
 * held for a page because the kernel knows it (look-up counts are of no use and FORGET does
 * nothing). Only open files are kept, by inode, for two reasons: a descriptor of a page that is
 * freed must never see the page that takes its place, and the size of a generated file is known
 * exactly while it is open.
 *
 * Flow       ops -> [inode]; store events (pages freed) -> [inode]
 * Units      a number is 6 bits of node, 26 of table id, 32 of page number; see README.md.
 * Ownership  a handle is added after it is made and removed before it is destroyed.
 * Locking    thread safe; one mutex that nothing is called under, so that events may come with
 *            any lock of the library held.
 * Errors     PS_ERR_NOMEM, from create, add and retire.
 * Promise    once pages_freed() has returned, handles of those pages answer true to handle->dead,
 *            and the number's generation is another one.
 */
#ifndef PFS_INODE_H
#define PFS_INODE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/object.h"

#define PFS_TABLE_ID_MAX ((1u << 26) - 1)

struct pfs_handle;
struct pfs_inodes; /* private */

uint64_t pfs_ino(const struct pfs_object *o);
/* False: no number that pfs_ino() gives. */
bool pfs_ino_decode(uint64_t ino, struct pfs_object *ret);

PS_MUST_USE ps_err pfs_inodes_create(struct pfs_inodes **ret);
void pfs_inodes_destroy(struct pfs_inodes *in); /* no handle is left in it */

PS_MUST_USE ps_err pfs_inodes_add(struct pfs_inodes *in, struct pfs_handle *h);
void pfs_inodes_remove(struct pfs_inodes *in, struct pfs_handle *h);
/* Takes any handle out, NULL when there is none: for the end of the mount. */
struct pfs_handle *pfs_inodes_take(struct pfs_inodes *in);

void pfs_inodes_pages_freed(struct pfs_inodes *in, uint32_t table, uint64_t first, uint64_t count);
void pfs_inodes_table_dropped(struct pfs_inodes *in, uint32_t table);

/* The number keeps its meaning, but what the kernel knows under it is not to be used again. */
PS_MUST_USE ps_err pfs_inodes_retire(struct pfs_inodes *in, uint64_t ino);
uint64_t pfs_inodes_generation(struct pfs_inodes *in, uint64_t ino);

/* Size of the generated text that the newest open handle of this inode holds; false: none. */
bool pfs_inodes_text_len(struct pfs_inodes *in, uint64_t ino, uint64_t *ret);

#endif
