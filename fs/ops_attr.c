/*
 * ops_attr.c - attributes: stat, what can and cannot be changed of them, df.
 */
#include "fs/ops.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/attr.h"
#include "fs/errmap.h"

static void reply_attr(fuse_req_t req, const struct pfs_object *o, struct ps_table *table)
{
    struct pfs *fs = pfs_of(req);
    struct stat st;
    int status = pfs_attr(fs, o, table, &st);

    if (status)
        fuse_reply_err(req, status);
    else
        fuse_reply_attr(req, &st, pfs_attr_timeout(fs, o));
}

void pfs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct pfs_object o;
    struct ps_table *table = NULL;
    int status = pfs_resolve(pfs_of(req), ino, &o, &table);

    (void)fi;
    if (status) {
        fuse_reply_err(req, status);
        return;
    }
    reply_attr(req, &o, table);
    if (table)
        ps_table_unref(table);
}

/* Owner, mode and times are those of the store's files and of the pages' changes. To set them
 * succeeds and does nothing, so that `cp -p` and `tar x` work. */
void pfs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                    struct fuse_file_info *fi)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_object o;
    struct ps_table *table = NULL;
    int status = pfs_resolve(fs, ino, &o, &table);

    if (!status && fi && pfs_handle_of(fi)->dead)
        status = EIO;
    else if (!status && to_set & FUSE_SET_ATTR_SIZE)
        status = pfs_truncate(req, &o, table, (uint64_t)attr->st_size);
    if (status)
        fuse_reply_err(req, status);
    else
        reply_attr(req, &o, table);
    if (table)
        ps_table_unref(table);
}

void pfs_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct pfs *fs = pfs_of(req);
    struct ps_store_space space;
    struct statvfs st;
    ps_err err = ps_store_space(fs->store, &space);

    (void)ino;
    if (err) {
        fuse_reply_err(req, pfs_errno(err));
        return;
    }
    memset(&st, 0, sizeof(st));
    st.f_bsize = ps_store_page_size(fs->store);
    st.f_frsize = st.f_bsize;
    st.f_blocks = space.bytes_total / st.f_frsize;
    st.f_bfree = space.bytes_free / st.f_frsize;
    st.f_bavail = space.bytes_avail / st.f_frsize;
    st.f_namemax = PS_TABLE_NAME_MAX;
    fuse_reply_statfs(req, &st);
}
