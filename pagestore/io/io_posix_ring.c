/*
 * io_posix_ring.c - several requests side by side without a thread for each: io_uring.
 *
 * A batch takes a ring for itself, hands all its requests to the kernel in one call and sleeps in
 * that call until all are done. Rings belong to the io, not to threads: no thread that ends
 * leaves one behind. The ring makes each request's first transfer; what that leaves to do (a
 * transfer cut short, more buffers than the kernel takes at once) is done in the plain way.
 */
#include "io/io_posix.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ps_posix_ring {
    struct io_uring uring;
    struct ps_posix_ring *next; /* while idle */
};

static void ring_free(struct ps_posix_ring *ring)
{
    io_uring_queue_exit(&ring->uring);
    free(ring);
}

static void free_idle(struct ps_posix_rings *rings)
{
    while (rings->idle) {
        struct ps_posix_ring *ring = rings->idle;

        rings->idle = ring->next;
        ring_free(ring);
    }
}

/* A child of fork() leaves the parent's rings to the parent: both would reap from one queue. */
static void forget_parents(struct ps_posix_rings *rings)
{
    pid_t self = getpid();

    ps_assert_held(&rings->mtx);
    if (rings->pid == self)
        return;
    free_idle(rings); /* of this process: its mappings and descriptors */
    rings->count = 0;
    rings->pid = self;
}

/* 0, or why the kernel makes no ring: ENOSYS, EPERM, ENOMEM where it counts as locked memory. */
static int ring_new(struct ps_posix_ring **ret)
{
    struct ps_posix_ring *ring = calloc(1, sizeof(*ring));
    int rc;

    if (!ring)
        return ENOMEM;
    rc = io_uring_queue_init(PS_POSIX_RING_DEPTH, &ring->uring, 0);
    if (rc != 0) {
        free(ring);
        return -rc;
    }
    *ret = ring;
    return 0;
}

static struct ps_posix_ring *take_or_make(struct ps_posix_rings *rings, int *ret_errno)
{
    struct ps_posix_ring *ring = NULL;

    *ret_errno = 0;
    ps_mutex_lock(&rings->mtx);
    forget_parents(rings);
    if (rings->idle) {
        ring = rings->idle;
        rings->idle = ring->next;
    } else if (!rings->refused && rings->count < PS_POSIX_RINGS_MAX) {
        *ret_errno = ring_new(&ring);
        rings->refused = *ret_errno != 0;
        rings->count += !rings->refused;
    }
    ps_mutex_unlock(&rings->mtx);
    return ring;
}

/* A ring for one batch; NULL: all are taken, or none can be made. */
static struct ps_posix_ring *ring_take(struct ps_posix_io *p)
{
    struct ps_posix_ring *ring;
    char text[256];
    int sys_errno;

    ring = take_or_make(&p->rings, &sys_errno);
    if (sys_errno == 0 || !p->warn)
        return ring;
    snprintf(text, sizeof(text), "%s: the kernel gives no io_uring (%s); using threads", p->root,
             strerrordesc_np(sys_errno));
    p->warn(p->warn_ctx, text);
    return NULL;
}

static void ring_put(struct ps_posix_rings *rings, struct ps_posix_ring *ring, bool usable)
{
    ps_mutex_lock(&rings->mtx);
    if (usable) {
        ring->next = rings->idle;
        rings->idle = ring;
    } else {
        rings->count--;
    }
    ps_mutex_unlock(&rings->mtx);
    if (!usable)
        ring_free(ring);
}

static void prepare(struct io_uring_sqe *sqe, struct ps_io_req *req)
{
    int fd = ((struct ps_posix_file *)req->file)->fd;
    unsigned iovs = req->iov_count < IOV_MAX ? (unsigned)req->iov_count : IOV_MAX;

    switch (req->op) {
    case PS_IO_READ:
        io_uring_prep_readv(sqe, fd, req->iov, iovs, req->off);
        break;
    case PS_IO_WRITE:
        io_uring_prep_writev(sqe, fd, req->iov, iovs, req->off);
        break;
    case PS_IO_WRITE_DURABLE:
        io_uring_prep_writev2(sqe, fd, req->iov, iovs, req->off, RWF_DSYNC);
        break;
    case PS_IO_SYNC:
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
        break;
    }
    io_uring_sqe_set_data(sqe, req);
}

/* The kernel has done with one request. Told to come again, or cut short, it goes on here. */
static void completed(struct ps_io_req *req, int res)
{
    bool again = req->op != PS_IO_SYNC && (res == -EAGAIN || res == -EINTR);

    if (again || ps_posix_req_moved(req, res))
        ps_posix_req_finish(req);
}

/* One ring's worth of requests. */
struct chunk {
    struct ps_io_req *reqs;
    size_t count;
    size_t out; /* handed to the ring, not done */
    bool done[PS_POSIX_RING_DEPTH];
};

static void chunk_prepare(struct ps_posix_ring *ring, struct chunk *c)
{
    assert(c->count <= PS_POSIX_RING_DEPTH && io_uring_sq_ready(&ring->uring) == 0);
    for (size_t i = 0; i < c->count; i++) {
        c->done[i] = !ps_posix_req_begin(&c->reqs[i]);
        if (c->done[i])
            continue;
        prepare(io_uring_get_sqe(&ring->uring), &c->reqs[i]);
        c->out++;
    }
}

static void chunk_reap(struct ps_posix_ring *ring, struct chunk *c)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;

    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        struct ps_io_req *req = io_uring_cqe_get_data(cqe);

        completed(req, cqe->res);
        c->done[req - c->reqs] = true;
        seen++;
    }
    io_uring_cq_advance(&ring->uring, seen);
    assert(seen <= c->out);
    c->out -= seen;
}

/* Sleeps until all is done, or all that the kernel has taken where it takes no more (it lacks
 * memory for requests). */
static void chunk_wait(struct ps_posix_ring *ring, struct chunk *c)
{
    struct io_uring_cqe *cqe;

    while (c->out > 0) {
        int rc = io_uring_submit_and_wait(&ring->uring, (unsigned)c->out);

        chunk_reap(ring, c);
        if (rc >= 0 || rc == -EINTR)
            continue;
        if (c->out == io_uring_sq_ready(&ring->uring))
            return;
        (void)io_uring_wait_cqe(&ring->uring, &cqe);
    }
}

/* False: the ring still holds requests that the kernel did not take, and is of no more use. They
 * were done here. */
static bool chunk_run(struct ps_posix_ring *ring, struct ps_io_req *reqs, size_t count)
{
    struct chunk c = {.reqs = reqs, .count = count};

    chunk_prepare(ring, &c);
    chunk_wait(ring, &c);
    for (size_t i = 0; c.out > 0 && i < count; i++)
        if (!c.done[i])
            ps_posix_req_finish(&reqs[i]);
    return c.out == 0;
}

bool ps_posix_ring_run(struct ps_posix_io *p, struct ps_io_req *reqs, size_t count)
{
    struct ps_posix_ring *ring = ring_take(p);
    bool usable = true;

    if (!ring)
        return false;
    while (count > 0 && usable) {
        size_t n = count < PS_POSIX_RING_DEPTH ? count : PS_POSIX_RING_DEPTH;

        usable = chunk_run(ring, reqs, n);
        reqs += n;
        count -= n;
    }
    ring_put(&p->rings, ring, usable);
    for (; count > 0; count--)
        ps_posix_req_run(reqs++);
    return true;
}

void ps_posix_rings_init(struct ps_posix_rings *rings)
{
    memset(rings, 0, sizeof(*rings));
    ps_mutex_init(&rings->mtx, PS_RANK_IO, "io.rings_mtx");
    rings->pid = getpid();
}

void ps_posix_rings_deinit(struct ps_posix_rings *rings)
{
    free_idle(rings);
    ps_mutex_deinit(&rings->mtx);
}
