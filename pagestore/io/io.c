/*
 * io.c - what every implementation of io.h shares: single requests and their messages.
 */
#include "io/io.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"

uint64_t ps_io_req_len(const struct ps_io_req *req)
{
    uint64_t len = 0;

    for (int i = 0; i < req->iov_count; i++)
        len += req->iov[i].iov_len;
    return len;
}

bool ps_io_req_aligned(const struct ps_io_req *req)
{
    uint64_t bits = req->off;

    for (int i = 0; i < req->iov_count; i++)
        bits |= (uintptr_t)req->iov[i].iov_base | req->iov[i].iov_len;
    return bits % PS_IO_ALIGN == 0;
}

static const char *op_verb(enum ps_io_op op)
{
    switch (op) {
    case PS_IO_READ:
        return "read";
    case PS_IO_WRITE:
    case PS_IO_WRITE_DURABLE:
        return "write";
    case PS_IO_SYNC:
        return "sync";
    }
    return "reach";
}

ps_err ps_io_req_fail(const struct ps_io_req *req)
{
    const char *path = req->file->path;

    assert(req->err != PS_OK);
    if (req->op == PS_IO_SYNC)
        (void)ps_fail(req->err, "cannot sync %s", path);
    else
        (void)ps_fail(req->err, "cannot %s %" PRIu64 " bytes at %" PRIu64 " of %s",
                      op_verb(req->op), ps_io_req_len(req), req->off, path);
    if (req->sys_errno)
        (void)ps_fail_errno(req->sys_errno, "%s", ps_message());
    return req->err;
}

static struct ps_histogram *histogram_of(struct ps_io_meter *meter, enum ps_io_op op)
{
    switch (op) {
    case PS_IO_READ:
        return &meter->reads;
    case PS_IO_WRITE:
        return &meter->writes;
    case PS_IO_WRITE_DURABLE:
        return &meter->writes_durable;
    case PS_IO_SYNC:
        break;
    }
    return &meter->syncs;
}

ps_err ps_io_run(struct ps_io *io, struct ps_io_req *reqs, size_t count)
{
    struct ps_io_meter *meter = io->meter;
    uint64_t from_us;
    ps_err err;

    if (!meter || count == 0)
        return io->ops->run(io, reqs, count);
    from_us = ps_io_now_us(io);
    atomic_fetch_add_explicit(&meter->in_flight, (uint32_t)count, memory_order_relaxed);
    err = io->ops->run(io, reqs, count);
    atomic_fetch_sub_explicit(&meter->in_flight, (uint32_t)count, memory_order_relaxed);
    ps_histogram_add(histogram_of(meter, reqs[0].op), ps_io_now_us(io) - from_us);
    return err;
}

static ps_err run_one(struct ps_io_file *file, enum ps_io_op op, struct iovec *iov, uint64_t off,
                      size_t *done)
{
    struct ps_io_req req = {
        .file = file, .op = op, .off = off, .iov = iov, .iov_count = iov ? 1 : 0};
    ps_err err = ps_io_run(file->io, &req, 1);

    if (done)
        *done = req.done;
    return err;
}

ps_err ps_io_read(struct ps_io_file *file, void *buf, size_t len, uint64_t off, size_t *got)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    size_t done = 0;
    ps_err err = run_one(file, PS_IO_READ, &iov, off, &done);

    if (err)
        return err;
    if (got)
        *got = done;
    else if (done < len)
        return ps_fail(PS_ERR_IO, "%s ends at byte %" PRIu64 ", %" PRIu64 " were to be read",
                       file->path, off + done, off + len);
    return PS_OK;
}

ps_err ps_io_write(struct ps_io_file *file, const void *buf, size_t len, uint64_t off)
{
    /* iovecs serve reads too and so have no const; a write does not touch the bytes. */
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

    return run_one(file, PS_IO_WRITE, &iov, off, NULL);
}

ps_err ps_io_sync(struct ps_io_file *file)
{
    return run_one(file, PS_IO_SYNC, NULL, 0, NULL);
}
