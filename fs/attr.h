/*
 * attr.h - what stat shows of an object, and for how long the kernel may believe it.
 *
 * Flow       ops -> [attr] -> inode (sizes of open views), view, store
 * Units      times of stat in nanoseconds, timeouts in seconds.
 * Ownership  the answer is the caller's; nothing is kept.
 * Locking    thread safe; what is asked for twice may differ.
 * Errors     errno values; ESTALE: the object is gone.
 * Promise    no page is read and no view is made: a listing costs what the allocation map costs.
 */
#ifndef PFS_ATTR_H
#define PFS_ATTR_H

#include "fs/pfs.h"

/* table is NULL where the object lies in none. */
int pfs_attr(struct pfs *fs, const struct pfs_object *o, struct ps_table *table, struct stat *ret);

/* The same for one page of a listing, which has info and page at hand. */
void pfs_attr_page(struct pfs *fs, const struct pfs_object *o, const struct ps_table_info *info,
                   const struct ps_page_info *page, struct stat *ret);

/* S_IFREG and so on. */
mode_t pfs_file_type(const struct pfs_object *o);

/* For how many seconds the kernel may keep the attributes. */
double pfs_attr_timeout(const struct pfs *fs, const struct pfs_object *o);

/* Everything but the attributes, which are the caller's to fill. */
void pfs_entry_init(struct pfs *fs, const struct pfs_object *o, bool is_alias,
                    struct fuse_entry_param *ret);

#endif
