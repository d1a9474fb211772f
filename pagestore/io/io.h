/*
 * io.h - the outside world as the engine sees it: files below one root folder, and a clock.
 *
 * Flow       file, wal, store -> [io] -> kernel, or a simulated disk, or a fault injector that
 *            wraps either. Nothing above calls the kernel for storage or time.
 * Units      offsets and lengths are bytes and, for read and write, multiples of PS_IO_ALIGN
 *            in aligned buffers; paths are relative to the root and have no "..", and no part
 *            of one may be a symbolic link.
 * Ownership  open gives a file that close takes back; a batch's buffers belong to the caller
 *            and must stay put until run returns.
 * Locking    every call is thread safe. Batches may run in any order within themselves; what
 *            must be ordered goes into two batches.
 * Errors     PS_ERR_IO, PS_ERR_NOSPC, PS_ERR_NOENT, PS_ERR_EXIST, PS_ERR_NOMEM; the message
 *            names the file. A batch reports each request's own error.
 * Promise    a write is durable once a sync that began after it has returned PS_OK, or at once
 *            if it was a PS_IO_WRITE_DURABLE. Names are durable after sync_dir.
 */
#ifndef PS_IO_IO_H
#define PS_IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/histogram.h"
#include "pagestore/err.h"

struct ps_io;      /* one root; implementations embed it first */
struct ps_io_file; /* one open file; implementations embed it first */

enum ps_io_op {
    PS_IO_READ,          /* past the end: short, `done` tells */
    PS_IO_WRITE,         /* all of it, or an error */
    PS_IO_WRITE_DURABLE, /* the same, and durable when it returns (RWF_DSYNC) */
    PS_IO_SYNC,          /* fdatasync: earlier writes to this file, and its size */
};

/* One request of a batch. iov may name several buffers that lie end to end on disk. */
struct ps_io_req {
    struct ps_io_file *file;
    enum ps_io_op op;
    uint64_t off;
    struct iovec *iov;
    int iov_count;
    size_t done;   /* out: bytes read or written */
    ps_err err;    /* out */
    int sys_errno; /* out, of a failure; 0 where the failure has none */
};

enum ps_io_open_flags {
    PS_IO_CREATE = 1, /* make it if it is not there */
    PS_IO_EXCL = 2,   /* with CREATE: PS_ERR_EXIST if it is */
    PS_IO_RDONLY = 4,
    PS_IO_BUFFERED = 8, /* small and rarely used (lock file): no Direct I/O, any alignment */
};

/* Sizes are apparent sizes in bytes; spent is what the file takes on disk. */
struct ps_io_stat {
    uint64_t size;
    uint64_t spent;
    uint64_t mtime_us; /* since 1970 */
    uint32_t mode;     /* st_mode, st_uid, st_gid as the kernel has them */
    uint32_t uid;
    uint32_t gid;
    bool unlinked; /* it is open, and no name leads to it any more */
};

/* The file system that holds the root, for df. */
struct ps_io_space {
    uint64_t bytes_total;
    uint64_t bytes_free;  /* to root */
    uint64_t bytes_avail; /* to others */
};

struct ps_io_ops {
    const char *name; /* "direct", "buffered", ... as `config` shows it */

    ps_err (*open)(struct ps_io *io, const char *path, unsigned flags, struct ps_io_file **ret);
    void (*close)(struct ps_io_file *file);

    /* Runs count requests, side by side where it can, and returns when all are done: PS_OK, or
     * the first error in array order (its message is the thread's). */
    ps_err (*run)(struct ps_io *io, struct ps_io_req *reqs, size_t count);

    ps_err (*stat)(struct ps_io_file *file, struct ps_io_stat *ret);
    /* The same of a file by its path, which is not opened for it. Errors as of open, but for what
     * only reading or writing it would meet. */
    ps_err (*stat_path)(struct ps_io *io, const char *path, struct ps_io_stat *ret);
    /* The first byte from off on that may be anything but zero: all before it are a hole, which
     * costs nothing to leave out. The file's length where no such byte comes, which off may be
     * beyond; off itself where holes are not known. */
    ps_err (*next_data)(struct ps_io_file *file, uint64_t off, uint64_t *ret);
    /* The range will be read soon. Where reads go through the page cache the kernel begins at once,
     * unless the last byte is there already; elsewhere nothing is done. */
    void (*will_read)(struct ps_io_file *file, uint64_t off, uint64_t len);
    ps_err (*truncate)(struct ps_io_file *file, uint64_t size);
    /* Makes writes into the range unable to fail for want of space; grows the file if needed. */
    ps_err (*allocate)(struct ps_io_file *file, uint64_t off, uint64_t len);
    /* Gives the range's space back; it reads as zeros. The size stays. Best effort where the
     * file system cannot: the range is then written with zeros. */
    ps_err (*punch)(struct ps_io_file *file, uint64_t off, uint64_t len);

    ps_err (*mkdir)(struct ps_io *io, const char *path);
    ps_err (*rename)(struct ps_io *io, const char *from, const char *to);
    ps_err (*unlink)(struct ps_io *io, const char *path);
    ps_err (*sync_dir)(struct ps_io *io, const char *path);
    /* Calls each(ctx, name) for every entry but "." and ".."; stops at its first error. The
     * root itself is ".". */
    ps_err (*list)(struct ps_io *io, const char *path, ps_err (*each)(void *ctx, const char *name),
                   void *ctx);
    /* Takes the file's lock (flock) without waiting; held until the file is closed. Any number may
     * share it, or one has it alone. PS_ERR_IN_USE: others have it so that it cannot be had. */
    ps_err (*lock)(struct ps_io_file *file, bool shared);
    ps_err (*space)(struct ps_io *io, struct ps_io_space *ret);
    /* How many files can be open at a time; more is PS_ERR_FILES. */
    uint32_t (*files_max)(struct ps_io *io);

    uint64_t (*now_us)(struct ps_io *io);  /* monotonic: intervals and deadlines */
    uint64_t (*wall_us)(struct ps_io *io); /* since 1970: mtimes and log records */

    void (*destroy)(struct ps_io *io);
};

/* Measures what goes through ps_io_run. A batch counts once, from its beginning until all of it is
 * done, as the kind of its first request. */
struct ps_io_meter {
    struct ps_histogram reads, writes, writes_durable, syncs;
    _Atomic uint32_t in_flight; /* requests */
};

struct ps_io {
    const struct ps_io_ops *ops;
    struct ps_io_meter *meter; /* may be NULL; set while nothing runs */
};

struct ps_io_file {
    struct ps_io *io;
    const char *path; /* as it was opened, for messages; the file's own copy */
};

enum ps_io_kind {
    PS_IO_KIND_AUTO,     /* direct where the file system can, else buffered, said once */
    PS_IO_KIND_DIRECT,   /* direct or PS_ERR_UNSUPPORTED */
    PS_IO_KIND_BUFFERED, /* through the kernel's page cache */
    PS_IO_KIND_MMAP, /* through mappings of the files; the process catches SIGBUS from then on */
};

/* Real files below the folder `root`, which must exist. warn (may be NULL) is called, once each, if
 * Direct I/O or io_uring is not available, and says why; any thread may call it. Destroyed by
 * ps_io_destroy(). PS_ERR_NOENT: no such folder. PS_ERR_UNSUPPORTED: DIRECT was asked for and is
 * not possible. What root makes in somebody else's folder belongs to that folder's owner. */
PS_MUST_USE ps_err ps_io_posix(const char *root, enum ps_io_kind kind,
                               void (*warn)(void *ctx, const char *text), void *ctx,
                               struct ps_io **ret);

/* The same for files that belong to somebody else: they can only be opened PS_IO_RDONLY, and
 * nothing below the root changes, not even a time of last access where the kernel lets us prevent
 * that. Whatever would change something is PS_ERR_READONLY. */
PS_MUST_USE ps_err ps_io_posix_rdonly(const char *root, enum ps_io_kind kind,
                                      void (*warn)(void *ctx, const char *text), void *ctx,
                                      struct ps_io **ret);

/* One request, for callers that have just one. `got` may be NULL; without it a short read is an
 * error (PS_ERR_IO, "... ends at byte N"). */
PS_MUST_USE ps_err ps_io_read(struct ps_io_file *file, void *buf, size_t len, uint64_t off,
                              size_t *got);
PS_MUST_USE ps_err ps_io_write(struct ps_io_file *file, const void *buf, size_t len, uint64_t off);
PS_MUST_USE ps_err ps_io_sync(struct ps_io_file *file);

/* What implementations of `run` share: the bytes a request asks for, whether buffers, lengths and
 * offset are aligned as Units says, and the thread's message for a request that failed (made
 * from its fields alone; returns req->err). */
uint64_t ps_io_req_len(const struct ps_io_req *req);
bool ps_io_req_aligned(const struct ps_io_req *req);
ps_err ps_io_req_fail(const struct ps_io_req *req);

ps_err ps_io_run(struct ps_io *io, struct ps_io_req *reqs, size_t count);

static inline uint64_t ps_io_now_us(struct ps_io *io)
{
    return io->ops->now_us(io);
}

static inline uint64_t ps_io_wall_us(struct ps_io *io)
{
    return io->ops->wall_us(io);
}

static inline void ps_io_close(struct ps_io_file *file)
{
    if (file)
        file->io->ops->close(file);
}

static inline void ps_io_destroy(struct ps_io *io)
{
    if (io)
        io->ops->destroy(io);
}

#endif
