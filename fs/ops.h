/*
 * ops.h - the requests of the kernel: one handler each.
 *
 * A handler decodes, makes one call down, and replies once. Handlers are spread over files by
 * theme; ops.c holds the table and what they share.
 *
 * Flow       kernel -> [ops] -> object.h, inode.h (what is meant) -> library, or gen.h and view.h
 * Units      an int that is returned is an errno value, 0 for success; offsets and sizes are bytes
 *            of the file.
 * Ownership  a request is the handler's until it has replied, or has handed it to whoever will.
 *            Handles as in handle.h.
 * Locking    no handler holds a lock while it replies, but for the pages that it replies from.
 * Errors     what a handler cannot do it answers with an errno; see README.md for which means what.
 * Promise    every request is answered exactly once.
 */
#ifndef PFS_OPS_H
#define PFS_OPS_H

#include "fs/pfs.h"

extern const struct fuse_lowlevel_ops pfs_ops;

/* The object behind an inode number, and its table (a reference, NULL where there is none).
 * ESTALE: gone. */
int pfs_resolve(struct pfs *fs, fuse_ino_t ino, struct pfs_object *ret,
                struct ps_table **ret_table);

/* EROFS where nothing can be written, else 0. */
int pfs_check_writable(struct pfs *fs, const struct pfs_object *o);

static inline struct pfs_handle *pfs_handle_of(const struct fuse_file_info *fi)
{
    return (struct pfs_handle *)(uintptr_t)fi->fh;
}

/* A handle, known to the registry and in fi->fh. Takes the table's reference over. */
int pfs_open_handle(struct pfs *fs, const struct pfs_object *o, struct ps_table *table,
                    struct fuse_file_info *fi, struct pfs_handle **ret);
void pfs_close_handle(struct pfs *fs, struct pfs_handle *h);

/* ops_dir.c */
void pfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void pfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi);
void pfs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                        struct fuse_file_info *fi);

void pfs_op_readlink(fuse_req_t req, fuse_ino_t ino);

/* ops_name.c */
void pfs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void pfs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void pfs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void pfs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                   const char *new_name, unsigned flags);
void pfs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                   struct fuse_file_info *fi);
void pfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void pfs_op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void pfs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);

/* ops_file.c */
void pfs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void pfs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void pfs_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                  struct fuse_file_info *fi);
void pfs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void pfs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void pfs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* The open that a request asks for, up to the reply. Takes the table's reference over. */
int pfs_open(fuse_req_t req, const struct pfs_object *o, struct ps_table *table,
             struct fuse_file_info *fi, struct pfs_handle **ret);
/* What a read of an open page-file, image or payload asks its table for; size 0: it is past a
 * page's end. */
struct pfs_extent {
    enum ps_space space;
    uint64_t off;
    size_t size;
    unsigned flags; /* of ps_read_begin() */
};
struct pfs_extent pfs_read_extent(const struct pfs *fs, const struct pfs_handle *h, uint64_t off,
                                  size_t size, uint64_t lock_owner);
/* A write to such a file; open_flags are the descriptor's. */
PS_MUST_USE ps_err pfs_write_pages(struct pfs *fs, struct pfs_handle *h, const void *buf,
                                   size_t size, uint64_t off, int open_flags,
                                   struct ps_cancel *cancel);
/* Ends what was written and is not yet whole. */
int pfs_flush_pending(struct pfs *fs, struct pfs_handle *h, struct ps_cancel *cancel);

/* ops_size.c */
int pfs_truncate(fuse_req_t req, const struct pfs_object *o, struct ps_table *table, uint64_t len);
void pfs_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);
void pfs_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                      struct fuse_file_info *fi);

/* ops_attr.c */
void pfs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void pfs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                    struct fuse_file_info *fi);
void pfs_op_statfs(fuse_req_t req, fuse_ino_t ino);

/* ops_xattr.c */
void pfs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void pfs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void pfs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                     size_t size, int flags);
void pfs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
