#include "fs/ops.h"

#include <errno.h>

#include "fs/errmap.h"
#include "fs/log.h"
#include "fs/notify.h"
#include "fs/ring.h"

#define REQUEST_MAX (1024u * 1024u)
#define REQUEST_ALIGN 4096u
#define BACKGROUND_MAX 64u

int pfs_resolve(struct pfs *fs, fuse_ino_t ino, struct pfs_object *ret, struct ps_table **ret_table)
{
    struct pfs_object o;
    struct ps_table *table = NULL;
    ps_err err = PS_OK;

    if (!pfs_ino_decode(ino, &o))
        return ESTALE;
    if (pfs_node_in_table(o.id))
        err = ps_table_get(fs->store, o.table, &table);
    if (err)
        return pfs_errno_inode(err);
    *ret = o;
    *ret_table = table;
    return 0;
}

/* A poisoned store is not asked about here: it says EIO itself, and why. */
int pfs_check_writable(struct pfs *fs, const struct pfs_object *o)
{
    return fs->opts->store.read_only || o->table == PS_CATALOG_ID ? EROFS : 0;
}

int pfs_open_handle(struct pfs *fs, const struct pfs_object *o, struct ps_table *table,
                    struct fuse_file_info *fi, struct pfs_handle **ret)
{
    struct pfs_handle *h = NULL;
    ps_err err = pfs_handle_create(o, table, &h);

    if (err)
        return pfs_errno(err);
    err = pfs_inodes_add(fs->inodes, h);
    if (err) {
        pfs_handle_unref(h);
        return pfs_errno(err);
    }
    fi->fh = (uintptr_t)h;
    *ret = h;
    return 0;
}

void pfs_close_handle(struct pfs *fs, struct pfs_handle *h)
{
    pfs_inodes_remove(fs->inodes, h);
    pfs_handle_unref(h);
}

/* The largest requests that the store takes in one step. libfuse limits reads and writes by the
 * limit for writes; where nothing is written, that is set to what a read may ask for. */
static unsigned request_max(const struct pfs *fs)
{
    size_t max = fs->opts->store.read_only ? ps_read_max(fs->store) : ps_write_max(fs->store);

    max = max / REQUEST_ALIGN * REQUEST_ALIGN;
    return max < REQUEST_MAX ? (unsigned)max : REQUEST_MAX;
}

/* Plain reads into our buffer beat splicing. */
static void op_init(void *data, struct fuse_conn_info *conn)
{
    struct pfs *fs = data;

    conn->max_write = request_max(fs);
    if (fs->opts->max_read) /* as the mount option says, or libfuse gives up */
        conn->max_read = fs->opts->max_read;
    conn->max_background = BACKGROUND_MAX;
    conn->congestion_threshold = BACKGROUND_MAX / 4 * 3;
    conn->want |= conn->capable & (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS);
    conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                              FUSE_CAP_WRITEBACK_CACHE);
    pfs_ring_init(conn, fs->opts->io_uring);
    fs->ready(fs);
}

/* Numbers are computed: nothing is held that could be forgotten. */
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
    (void)ino, (void)lookups;
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    (void)count, (void)forgets;
    fuse_reply_none(req);
}

const struct fuse_lowlevel_ops pfs_ops = {
    .init = op_init,
    .lookup = pfs_op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = pfs_op_getattr,
    .setattr = pfs_op_setattr,
    .readlink = pfs_op_readlink,
    .mknod = pfs_op_mknod,
    .mkdir = pfs_op_mkdir,
    .unlink = pfs_op_unlink,
    .rmdir = pfs_op_rmdir,
    .symlink = pfs_op_symlink,
    .rename = pfs_op_rename,
    .link = pfs_op_link,
    .open = pfs_op_open,
    .read = pfs_op_read,
    .write = pfs_op_write,
    .flush = pfs_op_flush,
    .release = pfs_op_release,
    .fsync = pfs_op_fsync,
    .opendir = pfs_op_open,
    .readdir = pfs_op_readdir,
    .readdirplus = pfs_op_readdirplus,
    .releasedir = pfs_op_release,
    .fsyncdir = pfs_op_fsync,
    .statfs = pfs_op_statfs,
    .setxattr = pfs_op_setxattr,
    .getxattr = pfs_op_getxattr,
    .listxattr = pfs_op_listxattr,
    .removexattr = pfs_op_removexattr,
    .create = pfs_op_create,
    .fallocate = pfs_op_fallocate,
    .lseek = pfs_op_lseek,
};
