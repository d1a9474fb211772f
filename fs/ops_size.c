/*
 * ops_size.c - lengths and holes: truncate, fallocate, lseek.
 */
#include "fs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "fs/errmap.h"
#include "fs/interrupt.h"
#include "fs/view.h"

/* --- truncate ----------------------------------------------------------------------------- */

static ps_err truncate_space(fuse_req_t req, struct ps_table *table, enum ps_space space,
                             uint64_t len)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_interrupt wait;
    ps_err err;

    pthread_rwlock_wrlock(&fs->freeing);
    err = ps_truncate(table, space, len, pfs_interrupt_begin(&wait, req));
    pfs_interrupt_end(&wait);
    pthread_rwlock_unlock(&fs->freeing);
    return err;
}

int pfs_truncate(fuse_req_t req, const struct pfs_object *o, struct ps_table *table, uint64_t len)
{
    struct pfs *fs = pfs_of(req);
    const struct pfs_node *node = pfs_node_of(o);
    int status = pfs_check_writable(fs, o);

    if (status)
        return status;
    switch (node->kind) {
    case PFS_KIND_PAGE:
        return len == ps_store_page_size(fs->store) ? 0 : EINVAL;
    case PFS_KIND_SPACE:
        return pfs_errno_handle(truncate_space(req, table, node->space, len));
    case PFS_KIND_VIEW: /* what is written to such a file is a command: there is nothing to cut */
        return node->view->write && !node->view->append_only && len == 0 ? 0 : EPERM;
    case PFS_KIND_DIR:
    case PFS_KIND_LINK:
        break;
    }
    return EISDIR;
}

/* --- fallocate ---------------------------------------------------------------------------- */

static ps_err punch(struct pfs *fs, struct ps_table *table, enum ps_space space, uint64_t off,
                    uint64_t len, struct ps_cancel *cancel)
{
    ps_err err;

    pthread_rwlock_wrlock(&fs->freeing);
    err = ps_punch(table, space, off, len, cancel);
    pthread_rwlock_unlock(&fs->freeing);
    return err;
}

static ps_err fallocate_space(struct pfs *fs, struct ps_table *table, enum ps_space space, int mode,
                              uint64_t off, uint64_t len, struct ps_cancel *cancel)
{
    bool keep_size = mode & FALLOC_FL_KEEP_SIZE;
    ps_err err;

    switch (mode) {
    case 0:
    case FALLOC_FL_KEEP_SIZE:
        return ps_allocate(table, space, off, len, keep_size, cancel);
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
        return punch(fs, table, space, off, len, cancel);
    case FALLOC_FL_ZERO_RANGE:
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
        err = punch(fs, table, space, off, len, cancel);
        return err ? err : ps_allocate(table, space, off, len, keep_size, cancel);
    default:
        return ps_fail(PS_ERR_UNSUPPORTED, "fallocate mode %#x has no meaning here", mode);
    }
}

void pfs_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
                      struct fuse_file_info *fi)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_handle *h = pfs_handle_of(fi);
    const struct pfs_node *node = pfs_node_of(&h->object);
    struct pfs_interrupt wait;
    ps_err err;

    (void)ino;
    if (node->kind != PFS_KIND_SPACE) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    err = fallocate_space(fs, h->table, node->space, mode, (uint64_t)off, (uint64_t)len,
                          pfs_interrupt_begin(&wait, req));
    pfs_interrupt_end(&wait);
    fuse_reply_err(req, pfs_errno_handle(err));
}

/* --- lseek -------------------------------------------------------------------------------- */

/* A file without holes: data up to its end, and a hole there. */
static int seek_plain(uint64_t size, uint64_t off, int whence, uint64_t *ret)
{
    if (off >= size)
        return ENXIO;
    *ret = whence == SEEK_DATA ? off : size;
    return 0;
}

static int seek(struct pfs *fs, const struct pfs_handle *h, uint64_t off, int whence, uint64_t *ret)
{
    const struct pfs_node *node = pfs_node_of(&h->object);
    ps_err err;

    switch (node->kind) {
    case PFS_KIND_PAGE:
        return seek_plain(ps_store_page_size(fs->store), off, whence, ret);
    case PFS_KIND_SPACE:
        err = ps_seek(h->table, node->space, off, whence == SEEK_DATA, ret);
        return err == PS_ERR_NOENT ? ENXIO : pfs_errno_handle(err);
    case PFS_KIND_VIEW:
        if (!h->gen || pfs_gen_is_stream(h->gen))
            return EINVAL;
        return seek_plain(pfs_gen_len(h->gen), off, whence, ret);
    case PFS_KIND_DIR:
    case PFS_KIND_LINK:
        break;
    }
    return EINVAL;
}

/* SEEK_DATA and SEEK_HOLE only: the kernel does the others by itself. */
void pfs_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
    uint64_t at = 0;
    int status;

    (void)ino;
    if ((whence != SEEK_DATA && whence != SEEK_HOLE) || off < 0)
        status = EINVAL;
    else
        status = seek(pfs_of(req), pfs_handle_of(fi), (uint64_t)off, whence, &at);
    if (status)
        fuse_reply_err(req, status);
    else
        fuse_reply_lseek(req, (off_t)at);
}
