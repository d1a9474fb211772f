/*
 * io_posix.h - private to the implementation of io.h on real files.
 *
 * Flow       io.h -> io_posix.c (opening, folders), io_posix_data.c (moving bytes), io_posix_map.c
 *            (bytes of mapped files), io_posix_batch.c (requests side by side: by io_posix_ring.c
 *            where the kernel has io_uring, else by threads) -> kernel
 * Units      as in io.h.
 * Ownership  threads and rings are made when a batch first has use for them, and kept until the io
 *            is destroyed. A batch is its caller's, who waits until all of it is done.
 * Locking    workers.mtx and rings.mtx (rank IO) are held to take and to give back, never during a
 *            request. The rest of a ps_posix_io is constant once made, or atomic.
 * Errors     a request keeps its own: a code and an errno. Messages belong to threads, so
 *            ps_posix_run makes that of the first request that failed once the batch is done.
 * Promise    with `rdonly` nothing below the root changes.
 */
#ifndef PS_IO_IO_POSIX_H
#define PS_IO_IO_POSIX_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/lock.h"
#include "io/io.h"

#define PS_POSIX_WORKERS_MAX 15 /* with the caller itself, 16 requests are under way at once */

#define PS_POSIX_RINGS_MAX 16   /* batches beyond that are run by threads */
#define PS_POSIX_RING_DEPTH 64u /* requests of one batch that are under way at once */

struct ps_posix_batch;
struct ps_posix_map;
struct ps_posix_ring;

/* The threads that help callers with their batches. Started when a batch first has use for
 * them, kept until the io is destroyed. */
struct ps_posix_workers {
    struct ps_mutex mtx;         /* rank IO; guards everything here and in the batches */
    struct ps_cond work;         /* a batch came, or stop */
    struct ps_posix_batch *head; /* batches with requests nobody took yet */
    struct ps_posix_batch **tail;
    pthread_t threads[PS_POSIX_WORKERS_MAX];
    unsigned thread_count;
    unsigned busy_count; /* of them, those running a request */
    bool stop;
};

/* Rings of io_uring, made when a batch first has use for one, kept until the io is destroyed. A
 * ring serves one batch at a time. */
struct ps_posix_rings {
    struct ps_mutex mtx; /* rank IO; guards everything here */
    struct ps_posix_ring *idle;
    unsigned count; /* idle and taken */
    bool refused;   /* the kernel makes none, and that was said */
    pid_t pid;      /* whose rings these are */
};

struct ps_posix_io {
    struct ps_io io; /* first: ops take it for this */
    char *root;      /* for messages */
    int root_fd;
    enum ps_io_kind kind;
    bool rdonly;         /* nothing below the root is to change */
    bool direct;         /* Direct I/O where the file is not PS_IO_BUFFERED */
    _Atomic bool warned; /* warn was called */
    _Atomic bool openat2_missing;
    _Atomic unsigned open_files;
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
    struct ps_posix_workers workers;
    struct ps_posix_rings rings;
};

struct ps_posix_file {
    struct ps_io_file file; /* first */
    int fd;
    bool direct;    /* O_DIRECT is set: offsets must stay aligned, also after a short write */
    bool unaligned; /* opened PS_IO_BUFFERED: any offset, length and buffer */
    struct ps_posix_map *map; /* NULL: bytes move by system calls */
};

/* Runs one request on the calling thread; fills done, err and sys_errno, and no message. */
void ps_posix_req_run(struct ps_io_req *req);

/* The same in steps, for whoever makes the transfers. begin clears what is for output; false: the
 * request is done (nothing to move, or refused). moved takes the result of one transfer, or minus
 * an errno; false: the request is done. finish makes all transfers that are left. */
bool ps_posix_req_begin(struct ps_io_req *req);
bool ps_posix_req_moved(struct ps_io_req *req, ssize_t moved);
void ps_posix_req_finish(struct ps_io_req *req);

/* Maps an open file (io_posix_map.c). */
PS_MUST_USE ps_err ps_posix_map_open(struct ps_posix_file *f, bool rdonly);
void ps_posix_map_close(struct ps_posix_file *f);   /* does nothing where there is no mapping */
void ps_posix_map_resized(struct ps_posix_file *f); /* the file has another size now */
/* Runs a request, begun, on a file that has a mapping. */
void ps_posix_map_run(struct ps_io_req *req);

ps_err ps_posix_stat(struct ps_io_file *file, struct ps_io_stat *ret);
/* As the kernel has it, in our terms. */
struct ps_io_stat ps_posix_stat_of(const struct stat *st);
ps_err ps_posix_next_data(struct ps_io_file *file, uint64_t off, uint64_t *ret);
void ps_posix_will_read(struct ps_io_file *file, uint64_t off, uint64_t len);
ps_err ps_posix_truncate(struct ps_io_file *file, uint64_t size);
ps_err ps_posix_allocate(struct ps_io_file *file, uint64_t off, uint64_t len);
ps_err ps_posix_punch(struct ps_io_file *file, uint64_t off, uint64_t len);

/* The way of file systems without fallocate: zeros over [off, off + len), both aligned unless
 * the file is unaligned. Grows the file if the range ends past its end. */
ps_err ps_posix_write_zeros(struct ps_io_file *file, uint64_t off, uint64_t len);

ps_err ps_posix_run(struct ps_io *io, struct ps_io_req *reqs, size_t count);
void ps_posix_workers_init(struct ps_posix_workers *w);
void ps_posix_workers_deinit(struct ps_posix_workers *w); /* no batch is under way */

/* Runs all requests through a ring, as ps_posix_req_run would; false: nothing was done, for there
 * is no ring. */
bool ps_posix_ring_run(struct ps_posix_io *p, struct ps_io_req *reqs, size_t count);
void ps_posix_rings_init(struct ps_posix_rings *rings);
void ps_posix_rings_deinit(struct ps_posix_rings *rings); /* no batch is under way */

#endif
