/*
 * io_posix_data.c - moving bytes of real files, and the space they take.
 */
#include "io/io_posix.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"

#define WINDOW 256             /* iovecs handed to the kernel at once; below IOV_MAX (1024) */
#define NO_PROGRESS_MAX 3      /* writes in a row that may move nothing */
#define ZEROS_LEN (256 * 1024) /* bytes per write when space is filled by hand */

static struct ps_posix_file *file_of(struct ps_io_file *file)
{
    return (struct ps_posix_file *)file;
}

/* The part of the request's buffers that begins at byte `done`; returns the iovecs used. */
static int window_fill(struct iovec window[WINDOW], const struct ps_io_req *req, size_t done)
{
    int used = 0;

    for (int i = 0; i < req->iov_count && used < WINDOW; i++) {
        const struct iovec *v = &req->iov[i];

        if (done >= v->iov_len) {
            done -= v->iov_len;
            continue;
        }
        window[used].iov_base = (unsigned char *)v->iov_base + done;
        window[used].iov_len = v->iov_len - done;
        used++;
        done = 0;
    }
    return used;
}

/* One system call of the request: what it moved, or minus the errno. A sync is not repeated on
 * EINTR: the interrupted one may have consumed the report of a failed write. */
static ssize_t transfer_once(const struct ps_io_req *req)
{
    struct iovec window[WINDOW];
    int fd = file_of(req->file)->fd;
    off_t at = (off_t)(req->off + req->done);
    ssize_t moved;
    int used;

    if (req->op == PS_IO_SYNC)
        return fdatasync(fd) == 0 ? 0 : -errno;
    used = window_fill(window, req, req->done);
    do {
        if (req->op == PS_IO_READ)
            moved = preadv(fd, window, used, at);
        else
            moved = pwritev2(fd, window, used, at, req->op == PS_IO_WRITE_DURABLE ? RWF_DSYNC : 0);
    } while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
}

static void req_failed(struct ps_io_req *req, int sys_errno)
{
    req->sys_errno = sys_errno;
    req->err = ps_fail_errno(sys_errno, "%s", req->file->path);
}

/* Accounts for one transfer of a read; true if there is more to be had. */
static bool read_moved(struct ps_io_req *req, uint64_t len, size_t moved)
{
    req->done += moved;
    /* Direct reads stop between blocks only where the file ends; asking again at an odd offset
     * would be EINVAL. */
    if (moved == 0 || (file_of(req->file)->direct && moved % PS_IO_ALIGN != 0))
        return false;
    return req->done < len;
}

static bool write_moved(struct ps_io_req *req, uint64_t len, size_t moved)
{
    if (file_of(req->file)->direct) /* a block cut short is written again from its start */
        moved -= moved % PS_IO_ALIGN;
    req->done += moved;
    return req->done < len;
}

bool ps_posix_req_begin(struct ps_io_req *req)
{
    uint64_t len = ps_io_req_len(req);

    assert(req->op == PS_IO_SYNC || file_of(req->file)->unaligned || ps_io_req_aligned(req));
    req->done = 0;
    req->err = PS_OK;
    req->sys_errno = 0;
    if (req->op == PS_IO_SYNC)
        return true;
    if (req->off > INT64_MAX || len > INT64_MAX - req->off) {
        req_failed(req, EFBIG);
        return false;
    }
    return len > 0;
}

bool ps_posix_req_moved(struct ps_io_req *req, ssize_t moved)
{
    uint64_t len = ps_io_req_len(req);

    if (moved < 0) {
        req_failed(req, (int)-moved);
        return false;
    }
    switch (req->op) {
    case PS_IO_READ:
        return read_moved(req, len, (size_t)moved);
    case PS_IO_WRITE:
    case PS_IO_WRITE_DURABLE:
        return write_moved(req, len, (size_t)moved);
    case PS_IO_SYNC:
        break;
    }
    return false;
}

void ps_posix_req_finish(struct ps_io_req *req)
{
    unsigned no_progress = 0;
    size_t before;

    do {
        before = req->done;
        if (!ps_posix_req_moved(req, transfer_once(req)))
            return;
        no_progress = req->done > before ? 0 : no_progress + 1;
    } while (no_progress < NO_PROGRESS_MAX);
    req_failed(req, EIO);
}

void ps_posix_req_run(struct ps_io_req *req)
{
    if (!ps_posix_req_begin(req))
        return;
    if (file_of(req->file)->map)
        ps_posix_map_run(req);
    else
        ps_posix_req_finish(req);
}

struct ps_io_stat ps_posix_stat_of(const struct stat *st)
{
    return (struct ps_io_stat){
        .size = (uint64_t)st->st_size,
        .spent = (uint64_t)st->st_blocks * 512,
        .mtime_us = (uint64_t)st->st_mtim.tv_sec * 1000000 + (uint64_t)st->st_mtim.tv_nsec / 1000,
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .unlinked = st->st_nlink == 0,
    };
}

ps_err ps_posix_stat(struct ps_io_file *file, struct ps_io_stat *ret)
{
    struct stat st;

    if (fstat(file_of(file)->fd, &st) != 0)
        return ps_fail_errno(errno, "cannot stat %s", file->path);
    *ret = ps_posix_stat_of(&st);
    return PS_OK;
}

ps_err ps_posix_next_data(struct ps_io_file *file, uint64_t off, uint64_t *ret)
{
    struct ps_io_stat st = {0};
    ps_err err = ps_posix_stat(file, &st);
    off_t at;

    if (err)
        return err;
    *ret = st.size;
    if (off >= st.size)
        return PS_OK;
    at = lseek(file_of(file)->fd, (off_t)off, SEEK_DATA);
    if (at >= 0)
        *ret = (uint64_t)at;
    else if (errno != ENXIO) /* the file system knows of no holes */
        *ret = off;
    return PS_OK;
}

/* Is the range's last byte in the kernel's page cache? Then so is the rest, as good as always. */
static bool is_cached(const struct ps_posix_file *f, uint64_t off, uint64_t len)
{
    unsigned char last;
    struct iovec iov = {.iov_base = &last, .iov_len = sizeof(last)};

    return len > 0 && preadv2(f->fd, &iov, 1, (off_t)(off + len - 1), RWF_NOWAIT) == 1;
}

/* The kernel looks for each page of the range: that costs more than to look for one. */
void ps_posix_will_read(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    const struct ps_posix_file *f = file_of(file);

    if (!f->direct && !is_cached(f, off, len))
        (void)posix_fadvise(f->fd, (off_t)off, (off_t)len, POSIX_FADV_WILLNEED);
}

ps_err ps_posix_truncate(struct ps_io_file *file, uint64_t size)
{
    int rc;

    if (size > INT64_MAX)
        return ps_fail_errno(EFBIG, "cannot truncate %s to %" PRIu64 " bytes", file->path, size);
    do
        rc = ftruncate(file_of(file)->fd, (off_t)size);
    while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return ps_fail_errno(errno, "cannot truncate %s to %" PRIu64 " bytes", file->path, size);
    if (file_of(file)->map)
        ps_posix_map_resized(file_of(file));
    return PS_OK;
}

/* 0, or the errno. */
static int fallocate_range(struct ps_io_file *file, int mode, uint64_t off, uint64_t len)
{
    int rc;

    if (off > INT64_MAX || len > INT64_MAX - off)
        return EFBIG;
    do
        rc = fallocate(file_of(file)->fd, mode, (off_t)off, (off_t)len);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

ps_err ps_posix_write_zeros(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    unsigned char *zeros = ps_buf_alloc(ZEROS_LEN);
    ps_err err = PS_OK;

    if (!zeros)
        return ps_fail(PS_ERR_NOMEM, "no memory to fill %s with zeros", file->path);
    while (len > 0 && !err) {
        size_t piece = len < ZEROS_LEN ? (size_t)len : ZEROS_LEN;

        err = ps_io_write(file, zeros, piece, off);
        off += piece;
        len -= piece;
    }
    ps_buf_free(zeros);
    return err;
}

/* Where fallocate is missing, only what lies past the end is filled: a hole before it cannot be
 * told from data that somebody is writing just now. */
static ps_err allocate_by_hand(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    uint64_t end = off + len;
    uint64_t from;
    struct ps_io_stat st = {0};
    ps_err err = ps_posix_stat(file, &st);

    if (err)
        return err;
    from = (st.size + PS_IO_ALIGN - 1) / PS_IO_ALIGN * PS_IO_ALIGN;
    if (from < off)
        from = off;
    return from < end ? ps_posix_write_zeros(file, from, end - from) : PS_OK;
}

ps_err ps_posix_allocate(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    int sys_errno;

    assert(len > 0);
    sys_errno = fallocate_range(file, 0, off, len);
    if (sys_errno == EOPNOTSUPP)
        return allocate_by_hand(file, off, len);
    if (sys_errno)
        return ps_fail_errno(sys_errno, "cannot allocate %" PRIu64 " bytes at %" PRIu64 " of %s",
                             len, off, file->path);
    return PS_OK;
}

/* Zeros over the part of the range that the file has; the size is put back where the last
 * aligned write went past it. */
static ps_err punch_by_hand(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    uint64_t end = off + len;
    struct ps_io_stat st = {0};
    ps_err err = ps_posix_stat(file, &st);

    if (err || off >= st.size)
        return err;
    if (end > st.size)
        end = (st.size + PS_IO_ALIGN - 1) / PS_IO_ALIGN * PS_IO_ALIGN;
    err = ps_posix_write_zeros(file, off, end - off);
    if (!err && end > st.size)
        err = ps_posix_truncate(file, st.size);
    return err;
}

ps_err ps_posix_punch(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    int sys_errno;

    assert(len > 0);
    sys_errno = fallocate_range(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
    if (sys_errno == EOPNOTSUPP)
        return punch_by_hand(file, off, len);
    if (sys_errno)
        return ps_fail_errno(sys_errno, "cannot punch %" PRIu64 " bytes at %" PRIu64 " of %s", len,
                             off, file->path);
    return PS_OK;
}
