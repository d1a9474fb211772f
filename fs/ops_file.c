/*
 * ops_file.c - open files: open, read, write, flush, release, fsync.
 */
#include "fs/ops.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/errmap.h"
#include "fs/interrupt.h"
#include "fs/log.h"
#include "fs/notify.h"
#include "fs/view.h"

static struct pfs_subject subject_of(struct pfs *fs, const struct pfs_handle *h)
{
    return (struct pfs_subject){.fs = fs, .table = h->table, .page = h->object.page};
}

/* --- open --------------------------------------------------------------------------------- */

static bool wants_read(const struct fuse_file_info *fi)
{
    return (fi->flags & O_ACCMODE) != O_WRONLY;
}

static bool wants_write(const struct fuse_file_info *fi)
{
    return (fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC;
}

/* Can a file of this kind be opened like this at all? */
static int check_open(struct pfs *fs, const struct pfs_object *o, const struct fuse_file_info *fi)
{
    const struct pfs_node *node = pfs_node_of(o);

    if (!wants_write(fi))
        return 0;
    if (node->kind == PFS_KIND_VIEW && !node->view->write)
        return EPERM;
    if (node->kind == PFS_KIND_VIEW && node->view->append_only && fi->flags & O_TRUNC)
        return EPERM;
    return pfs_check_writable(fs, o);
}

/* The handle is registered by now: a page freed from here on marks it dead. */
static ps_err begin_open(struct pfs *fs, struct pfs_handle *h, struct ps_cancel *cancel,
                         const struct fuse_file_info *fi)
{
    const struct pfs_node *node = pfs_node_of(&h->object);
    struct pfs_subject subject = subject_of(fs, h);
    struct ps_table_info info;
    struct ps_page_info page;
    struct pfs_gen *gen = NULL;
    ps_err err = PS_OK;

    if (h->table)
        err = ps_table_info(h->table, &info);
    if (!err && h->table && !pfs_node_fits(fs, h->object.id, &info))
        return ps_fail(PS_ERR_NOENT, "a table of this type has no %s", node->name);
    if (!err && node->naming == PFS_NAMED_BY_PAGE)
        err = ps_page_stat(h->table, h->object.page, &page);
    if (!err && node->kind == PFS_KIND_VIEW && wants_read(fi))
        err = pfs_gen_open(node->view, &subject, cancel, &gen);
    h->gen = gen;
    return err;
}

int pfs_open(fuse_req_t req, const struct pfs_object *o, struct ps_table *table,
             struct fuse_file_info *fi, struct pfs_handle **ret)
{
    struct pfs *fs = pfs_of(req);
    enum pfs_node_kind kind = pfs_node_of(o)->kind;
    struct pfs_interrupt wait;
    struct pfs_handle *h = NULL;
    ps_err err;
    int status = pfs_open_handle(fs, o, table, fi, &h);

    if (status)
        return status;
    status = check_open(fs, o, fi);
    if (!status) {
        err = begin_open(fs, h, pfs_interrupt_begin(&wait, req), fi);
        pfs_interrupt_end(&wait);
        status = pfs_errno_inode(err);
    }
    if (!status && kind == PFS_KIND_SPACE && fi->flags & O_TRUNC)
        status = pfs_truncate(req, o, h->table, 0);
    if (status) {
        pfs_close_handle(fs, h);
        return status;
    }
    fi->direct_io = kind == PFS_KIND_VIEW || !fs->opts->kernel_cache;
    fi->keep_cache = !fi->direct_io;
    fi->noflush = kind != PFS_KIND_VIEW || !pfs_node_of(o)->view->flush;
    *ret = h;
    return 0;
}

void pfs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_object o;
    struct ps_table *table = NULL;
    struct pfs_handle *h = NULL;
    int status = pfs_resolve(fs, ino, &o, &table);

    if (!status)
        status = pfs_open(req, &o, table, fi, &h);
    if (status)
        fuse_reply_err(req, status);
    else if (fuse_reply_open(req, fi) == -ENOENT)
        pfs_close_handle(fs, h); /* the client is gone: no release will come */
}

/* --- read --------------------------------------------------------------------------------- */

/* The page cache, through which mappings and -o kernel_cache read, takes a short answer for the end
 * of the file; after an error it asks again, for a single page. Its requests have no owner. */
struct pfs_extent pfs_read_extent(const struct pfs *fs, const struct pfs_handle *h, uint64_t off,
                                  size_t size, uint64_t lock_owner)
{
    const struct pfs_node *node = pfs_node_of(&h->object);
    const uint32_t page_size = ps_store_page_size(fs->store);
    struct pfs_extent e = {.space = node->space, .off = off, .size = size};

    if (node->kind == PFS_KIND_SPACE) {
        e.flags = lock_owner == 0 ? PS_READ_WHOLE : 0u;
        return e;
    }
    assert(node->kind == PFS_KIND_PAGE);
    e.space = PS_SPACE_IMAGE;
    e.off = (uint64_t)h->object.page * page_size + off;
    e.flags = PS_READ_PAGE;
    if (off >= page_size)
        e.size = 0;
    else if (size > page_size - off)
        e.size = page_size - (size_t)off;
    return e;
}

/* The reply goes out straight from the frames. The client may have closed the file by the time that
 * they are given back. */
static void reply_pages(fuse_req_t req, struct pfs_handle *h, const struct pfs_extent *e)
{
    struct pfs_interrupt wait;
    struct ps_read r;
    ps_err err = ps_read_begin(h->table, e->space, e->off, e->size, e->flags,
                               pfs_interrupt_begin(&wait, req), &r);

    pfs_interrupt_end(&wait);
    if (err) {
        fuse_reply_err(req, pfs_errno_handle(err));
        return;
    }
    pfs_handle_ref(h);
    if (h->dead) /* only checked now: the pinned page may have taken the freed one's place */
        fuse_reply_err(req, EIO);
    else if (r.iov_count == 1)
        fuse_reply_buf(req, r.iov[0].iov_base, r.iov[0].iov_len); /* which allocates nothing */
    else
        fuse_reply_iov(req, r.iov, r.iov_count);
    ps_read_end(&r);
    pfs_handle_unref(h);
}

static void read_pages(fuse_req_t req, struct pfs_handle *h, size_t size, uint64_t off,
                       uint64_t lock_owner)
{
    const struct pfs_extent e = pfs_read_extent(pfs_of(req), h, off, size, lock_owner);

    if (h->dead)
        fuse_reply_err(req, EIO);
    else if (e.size == 0)
        fuse_reply_buf(req, NULL, 0);
    else
        reply_pages(req, h, &e);
}

static void read_view(fuse_req_t req, struct pfs_handle *h, size_t size, uint64_t off)
{
    struct pfs_interrupt wait;
    const char *text = NULL;
    size_t len = 0;
    ps_err err;

    assert(h->gen); /* the kernel lets nobody read what was not opened for it */
    err = pfs_gen_read_begin(h->gen, off, size, pfs_interrupt_begin(&wait, req), &text, &len);
    pfs_interrupt_end(&wait);
    if (err) {
        fuse_reply_err(req, pfs_errno_handle(err));
        return;
    }
    pfs_handle_ref(h); /* once it has its answer the client may close the file */
    fuse_reply_buf(req, text, len);
    pfs_gen_read_end(h->gen);
    pfs_handle_unref(h);
}

void pfs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    struct pfs_handle *h = pfs_handle_of(fi);

    (void)ino;
    switch (pfs_node_of(&h->object)->kind) {
    case PFS_KIND_PAGE:
    case PFS_KIND_SPACE:
        read_pages(req, h, size, (uint64_t)off, fi->lock_owner);
        return;
    case PFS_KIND_VIEW:
        read_view(req, h, size, (uint64_t)off);
        return;
    case PFS_KIND_DIR:
    case PFS_KIND_LINK:
        fuse_reply_err(req, EISDIR);
        return;
    }
}

/* --- answers that wait for the disk --------------------------------------------------------- */

/* A reply that the thread which completes the work gives; until then the request has no thread. */
struct durable_answer {
    struct ps_sync_call sync; /* first: it is this */
    struct pfs_interrupt wait;
    fuse_req_t req;
    size_t written; /* by the request, if it is a write; else 0 */
};

static void answer_durable(struct ps_sync_call *sync, ps_err err)
{
    struct durable_answer *a = (struct durable_answer *)sync;
    bool ours = pfs_interrupt_end(&a->wait); /* else the client was killed, and let go */

    if (ours && !err && a->written > 0)
        fuse_reply_write(a->req, a->written);
    else if (ours)
        fuse_reply_err(a->req, pfs_errno(err));
    pfs_interrupt_answered(&a->wait);
    free(a);
}

/* Answers once everything changed so far is durable. A client that is killed is released at once,
 * while the work goes on. */
static void answer_when_durable(fuse_req_t req, enum ps_sync_kind kind, size_t written)
{
    struct durable_answer *a = malloc(sizeof(*a));

    if (!a) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    a->sync.done = answer_durable;
    a->req = req;
    a->written = written;
    (void)pfs_interrupt_begin(&a->wait, req);
    if (!pfs_interrupt_may_answer(&a->wait)) {
        pfs_interrupt_end(&a->wait);
        free(a);
        fuse_reply_err(req, ENOTCONN);
        return;
    }
    ps_store_sync_begin(pfs_of(req)->store, kind, &a->sync);
}

/* Of any file or folder: a data checkpoint of the store, or its log with -o fsync=wal. */
void pfs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)ino, (void)datasync, (void)fi;
    answer_when_durable(req, pfs_of(req)->fsync_log_only ? PS_SYNC_LOG : PS_SYNC_DATA, 0);
}

/* --- write -------------------------------------------------------------------------------- */

/* The descriptor's flags as they are now, which for O_APPEND is all that says where to write: the
 * kernel's idea of the end may be older than ours. */
static unsigned write_flags(int open_flags)
{
    return open_flags & O_APPEND ? PS_WRITE_APPEND : 0u;
}

static ps_err write_page(struct pfs *fs, struct pfs_handle *h, const void *buf, size_t size,
                         uint64_t off, unsigned flags, struct ps_cancel *cancel)
{
    uint32_t page_size = ps_store_page_size(fs->store);
    ps_err err;

    if (flags & PS_WRITE_APPEND || off > page_size || size > page_size - off)
        return ps_fail(PS_ERR_RANGE, "a page is never longer than %u bytes", page_size);
    pthread_rwlock_rdlock(&fs->freeing);
    pfs_notify_own(h->object.table, h->object.page);
    if (h->dead)
        err = ps_fail(PS_ERR_NOENT, "page %u was freed", h->object.page);
    else
        err = ps_write(h->table, PS_SPACE_IMAGE, (uint64_t)h->object.page * page_size + off, buf,
                       size, PS_WRITE_PAGE | flags, cancel);
    pfs_notify_own(0, UINT64_MAX);
    pthread_rwlock_unlock(&fs->freeing);
    return err;
}

ps_err pfs_write_pages(struct pfs *fs, struct pfs_handle *h, const void *buf, size_t size,
                       uint64_t off, int open_flags, struct ps_cancel *cancel)
{
    const struct pfs_node *node = pfs_node_of(&h->object);
    const unsigned flags = write_flags(open_flags);

    if (node->kind == PFS_KIND_PAGE)
        return write_page(fs, h, buf, size, off, flags, cancel);
    assert(node->kind == PFS_KIND_SPACE);
    return ps_write(h->table, node->space, off, buf, size, flags, cancel);
}

static ps_err write_view(struct pfs *fs, struct pfs_handle *h, const char *buf, size_t size,
                         struct ps_cancel *cancel)
{
    const struct pfs_view *view = pfs_node_of(&h->object)->view;
    struct pfs_subject subject = subject_of(fs, h);
    ps_err err;

    assert(view->write); /* open refused it else */
    pthread_mutex_lock(&h->pending_mtx);
    err = view->write(&subject, &h->pending, buf, size, cancel);
    pthread_mutex_unlock(&h->pending_mtx);
    return err;
}

static ps_err write_any(struct pfs *fs, struct pfs_handle *h, const char *buf, size_t size,
                        uint64_t off, int open_flags, struct ps_cancel *cancel)
{
    switch (pfs_node_of(&h->object)->kind) {
    case PFS_KIND_PAGE:
    case PFS_KIND_SPACE:
        return pfs_write_pages(fs, h, buf, size, off, open_flags, cancel);
    case PFS_KIND_VIEW:
        return write_view(fs, h, buf, size, cancel);
    case PFS_KIND_DIR:
    case PFS_KIND_LINK:
        break;
    }
    return ps_fail(PS_ERR_INVAL, "a folder takes no bytes");
}

void pfs_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                  struct fuse_file_info *fi)
{
    struct pfs_handle *h = pfs_handle_of(fi);
    const struct pfs_node *node = pfs_node_of(&h->object);
    struct pfs_interrupt wait;
    ps_err err;

    (void)ino;
    if (node->kind == PFS_KIND_VIEW && node->view->append_only && !(fi->flags & O_APPEND)) {
        fuse_reply_err(req, EPERM);
        return;
    }
    err = write_any(pfs_of(req), h, buf, size, (uint64_t)off, fi->flags,
                    pfs_interrupt_begin(&wait, req));
    pfs_interrupt_end(&wait);
    if (err)
        fuse_reply_err(req, pfs_errno_handle(err));
    else if (node->kind == PFS_KIND_VIEW && node->view->checkpoints)
        answer_when_durable(req, PS_SYNC_FULL, size);
    else if (fi->flags & (O_SYNC | O_DSYNC))
        answer_when_durable(req, PS_SYNC_LOG, size);
    else
        fuse_reply_write(req, size);
}

/* --- close -------------------------------------------------------------------------------- */

int pfs_flush_pending(struct pfs *fs, struct pfs_handle *h, struct ps_cancel *cancel)
{
    const struct pfs_node *node = pfs_node_of(&h->object);
    struct pfs_subject subject = subject_of(fs, h);
    ps_err err;

    if (node->kind != PFS_KIND_VIEW || !node->view->flush)
        return 0;
    pthread_mutex_lock(&h->pending_mtx);
    err = node->view->flush(&subject, &h->pending, cancel);
    pthread_mutex_unlock(&h->pending_mtx);
    return pfs_errno_handle(err);
}

/* Comes at each close of the few files that have something pending: closing ends a line. */
void pfs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct pfs_interrupt wait;
    int status;

    (void)ino;
    status = pfs_flush_pending(pfs_of(req), pfs_handle_of(fi), pfs_interrupt_begin(&wait, req));
    pfs_interrupt_end(&wait);
    fuse_reply_err(req, status);
}

void pfs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct pfs_handle *h = pfs_handle_of(fi);

    (void)ino;
    if (pfs_flush_pending(pfs_of(req), h, NULL) != 0)
        pfs_log(PS_MSG_ERROR, "the end of what was appended to %s is lost: %s",
                pfs_node_of(&h->object)->name, ps_message());
    pfs_close_handle(pfs_of(req), h);
    fuse_reply_err(req, 0);
}
