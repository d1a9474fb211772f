#include "fs/quick.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "fs/errmap.h"
#include "fs/ops.h"

#define READ_MAX (1u << 20)                          /* ps_read_max() is no more */
#define PIECES_MAX (READ_MAX / PS_PAGE_SIZE_MIN + 8) /* of a reply: its header, and the pages */

void pfs_quick_init(struct pfs_quick *q, struct pfs *fs)
{
    q->fs = fs;
    ps_cancel_init(&q->raised);
    ps_cancel_raise(&q->raised);
    q->interrupts = 0;
}

void pfs_quick_deinit(struct pfs_quick *q)
{
    ps_cancel_deinit(&q->raised);
}

/* --- replies ------------------------------------------------------------------------------ */

/* pieces[0] is left for the header. False: the kernel could not take it. A request that it no
 * longer has (ENOENT) needs no answer. */
static bool reply(const struct pfs_quick *q, uint64_t unique, int error, struct iovec *pieces,
                  int count, size_t len)
{
    struct fuse_out_header out = {
        .len = (uint32_t)(sizeof(out) + len), .error = -error, .unique = unique};

    pieces[0] = (struct iovec){.iov_base = &out, .iov_len = sizeof(out)};
    return writev(fuse_session_fd(q->fs->session), pieces, count) >= 0 || errno == ENOENT;
}

static bool reply_error(const struct pfs_quick *q, uint64_t unique, ps_err err)
{
    struct iovec header;

    return reply(q, unique, pfs_errno_handle(err), &header, 1, 0);
}

/* --- requests ----------------------------------------------------------------------------- */

/* The open file, if its bytes are pages. */
static struct pfs_handle *handle_of_pages(uint64_t fh)
{
    struct pfs_handle *h = (struct pfs_handle *)(uintptr_t)fh;
    enum pfs_node_kind kind = pfs_node_of(&h->object)->kind;

    return kind == PFS_KIND_PAGE || kind == PFS_KIND_SPACE ? h : NULL;
}

/* As pfs_op_read(). */
static bool answer_read(struct pfs_quick *q, const struct fuse_in_header *in,
                        const struct fuse_read_in *arg)
{
    struct pfs_handle *h = handle_of_pages(arg->fh);
    struct iovec pieces[PIECES_MAX];
    struct pfs_extent e;
    struct ps_read r;
    bool answered;
    ps_err err;
    int i;

    if (!h || h->dead || arg->size > READ_MAX)
        return false;
    e = pfs_read_extent(q->fs, h, arg->offset, arg->size, arg->lock_owner);
    if (e.size == 0)
        return reply(q, in->unique, 0, pieces, 1, 0);
    err = ps_read_begin(h->table, e.space, e.off, e.size, e.flags, &q->raised, &r);
    if (err)
        return err != PS_ERR_INTERRUPTED && reply_error(q, in->unique, err);
    pfs_handle_ref(h); /* once it has its answer the client may close the file */
    answered = !h->dead && r.iov_count < (int)PIECES_MAX;
    for (i = 0; answered && i < r.iov_count; i++)
        pieces[i + 1] = r.iov[i];
    answered = answered && reply(q, in->unique, 0, pieces, r.iov_count + 1, r.len);
    ps_read_end(&r);
    pfs_handle_unref(h);
    return answered;
}

/* As pfs_op_write(). */
static bool answer_write(struct pfs_quick *q, const struct fuse_in_header *in,
                         const struct fuse_write_in *arg)
{
    struct pfs_handle *h = handle_of_pages(arg->fh);
    struct fuse_write_out out = {.size = arg->size};
    struct iovec pieces[2] = {[1] = {.iov_base = &out, .iov_len = sizeof(out)}};
    ps_err err;

    if (!h || arg->flags & (O_SYNC | O_DSYNC))
        return false;
    err = pfs_write_pages(q->fs, h, arg + 1, arg->size, arg->offset, (int)arg->flags, &q->raised);
    if (err == PS_ERR_INTERRUPTED)
        return false;
    if (err)
        (void)reply_error(q, in->unique, err);
    else
        (void)reply(q, in->unique, 0, pieces, 2, sizeof(out));
    return true; /* whatever became of the reply: it is written */
}

/* Is it this request that lets libfuse look at what it keeps? */
static bool libfuse_is_due(struct pfs_quick *q)
{
    unsigned interrupts = atomic_load(&q->interrupts);

    while (interrupts > 0) {
        if (atomic_compare_exchange_weak(&q->interrupts, &interrupts, interrupts - 1))
            return true;
    }
    return false;
}

bool pfs_quick_answer(struct pfs_quick *q, const struct fuse_buf *request)
{
    const struct fuse_in_header *in = request->mem;
    const size_t len = request->size - sizeof(*in);
    const void *arg = in + 1;

    assert(request->size >= sizeof(*in) && !(request->flags & FUSE_BUF_IS_FD));
    if (q->fs->opts->debug)
        return false; /* libfuse tells of each request that it sees */
    switch (in->opcode) {
    case FUSE_INTERRUPT:
        atomic_fetch_add(&q->interrupts, 1);
        return false;
    case FUSE_READ:
        return len >= sizeof(struct fuse_read_in) && !libfuse_is_due(q) && answer_read(q, in, arg);
    case FUSE_WRITE:
        return len >= sizeof(struct fuse_write_in) &&
               len - sizeof(struct fuse_write_in) >= ((const struct fuse_write_in *)arg)->size &&
               !libfuse_is_due(q) && answer_write(q, in, arg);
    default:
        return false;
    }
}
