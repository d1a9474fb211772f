/*
 * test_io.c - bytes of real files, in every way of reaching them: read and written, in batches,
 * past ends and holes, and where files are cut short meanwhile.
 */
#include "io_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"

static void written_blocks_are_read_back(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    size_t got = 99;

    memset(f->buf, 'x', 2 * BLOCK);
    assert_int_equal(ps_io_write(file, f->buf, 2 * BLOCK, BLOCK), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    memset(f->buf, 1, 4 * BLOCK);
    assert_int_equal(ps_io_read(file, f->buf, 4 * BLOCK, 0, &got), PS_OK);
    assert_int_equal(got, 3 * BLOCK);
    assert_int_equal(f->buf[0], 0);
    assert_int_equal(f->buf[BLOCK], 'x');
    assert_int_equal(f->buf[3 * BLOCK - 1], 'x');
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 8 * BLOCK, &got), PS_OK);
    assert_int_equal(got, 0);
    assert_int_equal(ps_io_read(file, f->buf, 4 * BLOCK, 0, NULL), PS_ERR_IO);
    assert_string_equal(ps_message(), "a ends at byte 12288, 16384 were to be read");
    ps_io_close(file);
}

static void file_that_ends_between_blocks_is_read_to_its_end(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    size_t got;

    assert_int_equal(file->io->ops->truncate(file, BLOCK + 100), PS_OK);
    assert_int_equal(ps_io_read(file, f->buf, 4 * BLOCK, 0, &got), PS_OK);
    assert_int_equal(got, BLOCK + 100);
    ps_io_close(file);
}

static void durable_write_is_read_back(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct iovec iov = {.iov_base = f->buf, .iov_len = BLOCK};
    struct ps_io_req req = {
        .file = file, .op = PS_IO_WRITE_DURABLE, .off = 3 * BLOCK, .iov = &iov, .iov_count = 1};

    memset(f->buf, 'd', BLOCK);
    assert_int_equal(ps_io_run(f->io, &req, 1), PS_OK);
    assert_int_equal(req.done, BLOCK);
    memset(f->buf, 0, BLOCK);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 3 * BLOCK, NULL), PS_OK);
    assert_int_equal(f->buf[77], 'd');
    ps_io_close(file);
}

static void a_meter_counts_each_batch_once_by_its_kind(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct ps_io_meter *meter =
        aligned_alloc(_Alignof(struct ps_io_meter), sizeof(struct ps_io_meter));
    struct iovec iov = {.iov_base = f->buf, .iov_len = BLOCK};
    struct ps_io_req reqs[2];
    struct ps_histogram_snapshot s;

    assert_non_null(meter);
    memset(meter, 0, sizeof(*meter));
    f->io->meter = meter;
    for (unsigned i = 0; i < 2; i++)
        reqs[i] = (struct ps_io_req){.file = file,
                                     .op = PS_IO_WRITE,
                                     .off = (uint64_t)i * BLOCK,
                                     .iov = &iov,
                                     .iov_count = 1};
    assert_int_equal(ps_io_run(f->io, reqs, 2), PS_OK);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 0, NULL), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    f->io->meter = NULL;
    assert_int_equal(ps_io_sync(file), PS_OK);
    ps_histogram_get(&meter->writes, &s);
    assert_int_equal(s.count, 1);
    ps_histogram_get(&meter->reads, &s);
    assert_int_equal(s.count, 1);
    ps_histogram_get(&meter->syncs, &s);
    assert_int_equal(s.count, 1);
    ps_histogram_get(&meter->writes_durable, &s);
    assert_int_equal(s.count, 0);
    assert_int_equal(meter->in_flight, 0);
    free(meter);
    ps_io_close(file);
}

static void more_buffers_than_the_kernel_takes_go_in_one_request(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct iovec *iov = calloc(BLOCKS_MAX, sizeof(*iov));
    struct ps_io_req req = {
        .file = file, .op = PS_IO_WRITE, .off = BLOCK, .iov = iov, .iov_count = BLOCKS_MAX};

    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        size_t place = (i * 7) % BLOCKS_MAX; /* buffers scattered in memory */

        iov[i] = (struct iovec){.iov_base = f->buf + place * BLOCK, .iov_len = BLOCK};
        memset(iov[i].iov_base, (int)(i % 251), BLOCK);
    }
    assert_int_equal(ps_io_run(f->io, &req, 1), PS_OK);
    assert_int_equal(req.done, (size_t)BLOCKS_MAX * BLOCK);
    memset(f->buf, 0xff, (size_t)BLOCKS_MAX * BLOCK);
    req.op = PS_IO_READ;
    assert_int_equal(ps_io_run(f->io, &req, 1), PS_OK);
    assert_int_equal(req.done, (size_t)BLOCKS_MAX * BLOCK);
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        const unsigned char *b = iov[i].iov_base;

        assert_int_equal(b[0], i % 251);
        assert_int_equal(b[BLOCK - 1], i % 251);
    }
    free(iov);
    ps_io_close(file);
}

static void batch_reports_each_error_and_the_first_message(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct ps_io_file *rdonly = open_file(f, "a", PS_IO_RDONLY);
    struct iovec iov = {.iov_base = f->buf, .iov_len = BLOCK};
    struct ps_io_req reqs[8];

    for (size_t i = 0; i < 8; i++)
        reqs[i] = (struct ps_io_req){.file = i == 3 || i == 6 ? rdonly : file,
                                     .op = PS_IO_WRITE_DURABLE, /* dear enough for helpers */
                                     .off = i * BLOCK,
                                     .iov = &iov,
                                     .iov_count = 1};
    assert_int_equal(ps_io_run(f->io, reqs, 8), PS_ERR_IO);
    assert_string_equal(ps_message(), "cannot write 4096 bytes at 12288 of a: Bad file descriptor");
    for (size_t i = 0; i < 8; i++) {
        bool bad = i == 3 || i == 6;

        assert_int_equal(reqs[i].err, bad ? PS_ERR_IO : PS_OK);
        assert_int_equal(reqs[i].sys_errno, bad ? EBADF : 0);
        assert_int_equal(reqs[i].done, bad ? 0 : BLOCK);
    }
    ps_io_close(file);
    ps_io_close(rdonly);
}

static void write_that_is_cut_short_is_continued_until_it_fails(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct iovec iov = {.iov_base = f->buf, .iov_len = 4 * BLOCK};
    struct ps_io_req reqs[4]; /* enough for a ring */
    struct rlimit before;
    struct rlimit limit;
    ps_err err;

    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 2 * BLOCK; /* the kernel writes two blocks, then says EFBIG */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    for (size_t i = 0; i < 4; i++)
        reqs[i] = (struct ps_io_req){.file = file, .op = PS_IO_WRITE, .iov = &iov, .iov_count = 1};
    err = ps_io_run(f->io, reqs, 4);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);

    assert_int_equal(err, PS_ERR_RANGE);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(reqs[i].done, 2 * BLOCK);
        assert_int_equal(reqs[i].sys_errno, EFBIG);
    }
    assert_string_equal(ps_message(), "cannot write 16384 bytes at 0 of a: File too large");
    ps_io_close(file);
}

/* Scattered blocks, far more than a ring holds, some past the end of the file. */
static void batch_longer_than_any_queue_is_read_and_written(void **state)
{
    enum { COUNT = 3 * PS_POSIX_RING_DEPTH + 5, WRITTEN = COUNT - 7 };
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct ps_io_req reqs[COUNT];
    struct iovec iov[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        iov[i] = (struct iovec){.iov_base = f->buf + i * BLOCK, .iov_len = BLOCK};
        reqs[i] = (struct ps_io_req){.file = file,
                                     .op = PS_IO_WRITE,
                                     .off = (i * 37 % COUNT) * BLOCK,
                                     .iov = &iov[i],
                                     .iov_count = 1};
        memset(iov[i].iov_base, (int)(i % 251), BLOCK);
    }
    assert_int_equal(ps_io_run(f->io, reqs, COUNT), PS_OK);
    assert_int_equal(file->io->ops->truncate(file, (uint64_t)WRITTEN * BLOCK), PS_OK);
    memset(f->buf, 0xff, COUNT * BLOCK);
    for (size_t i = 0; i < COUNT; i++)
        reqs[i].op = PS_IO_READ;
    assert_int_equal(ps_io_run(f->io, reqs, COUNT), PS_OK);
    for (size_t i = 0; i < COUNT; i++) {
        bool there = i * 37 % COUNT < WRITTEN;

        assert_int_equal(reqs[i].done, there ? BLOCK : 0);
        assert_int_equal(f->buf[i * BLOCK], there ? i % 251 : 0xff);
    }
    ps_io_close(file);
}

static void offsets_no_file_can_have_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);

    assert_int_equal(ps_io_write(file, f->buf, BLOCK, UINT64_MAX - BLOCK + 1), PS_ERR_RANGE);
    assert_int_equal(ps_io_write(file, f->buf, BLOCK, INT64_MAX - BLOCK + 1), PS_ERR_RANGE);
    assert_int_equal(file->io->ops->truncate(file, UINT64_MAX), PS_ERR_RANGE);
    assert_int_equal(file->io->ops->allocate(file, INT64_MAX, BLOCK), PS_ERR_RANGE);
    assert_int_equal(file->io->ops->punch(file, UINT64_MAX, BLOCK), PS_ERR_RANGE);
    ps_io_close(file);
}

static void buffered_file_takes_any_alignment(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "lock", PS_IO_CREATE | PS_IO_BUFFERED);
    char text[8] = "";

    assert_int_equal(ps_io_write(file, "pid 42\n", 7, 3), PS_OK);
    assert_int_equal(ps_io_read(file, text, 6, 3, NULL), PS_OK);
    assert_string_equal(text, "pid 42");
    ps_io_close(file);
}

static void stat_tells_size_space_and_owner(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    uint64_t now_us = ps_io_wall_us(f->io);
    struct ps_io_stat st, by_path = {0};

    memset(f->buf, 1, BLOCK);
    assert_int_equal(file->io->ops->truncate(file, 1 << 20), PS_OK);
    assert_int_equal(ps_io_write(file, f->buf, BLOCK, 0), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    assert_int_equal(file->io->ops->stat(file, &st), PS_OK);
    assert_int_equal(st.size, 1 << 20);
    assert_in_range(st.spent, BLOCK, 1 << 18);
    assert_in_range(st.mtime_us, now_us - 10000000, now_us + 10000000);
    assert_true(S_ISREG(st.mode));
    assert_int_equal(st.uid, geteuid());
    assert_int_equal(f->io->ops->stat_path(f->io, "a", &by_path), PS_OK);
    assert_int_equal(by_path.size, st.size);
    assert_int_equal(by_path.spent, st.spent);
    assert_int_equal(by_path.mtime_us, st.mtime_us);
    assert_int_equal(by_path.mode, st.mode);
    assert_int_equal(by_path.uid, st.uid);
    assert_int_equal(f->io->ops->stat_path(f->io, "b", &by_path), PS_ERR_NOENT);
    assert_int_equal(f->io->ops->stat_path(f->io, "../a", &by_path), PS_ERR_IO);
    ps_io_close(file);
}

static void allocate_grows_and_punch_gives_back(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct ps_io_stat st;

    assert_int_equal(file->io->ops->allocate(file, 0, 64 * BLOCK), PS_OK);
    assert_int_equal(file->io->ops->stat(file, &st), PS_OK);
    assert_int_equal(st.size, 64 * BLOCK);
    assert_true(st.spent >= 64 * BLOCK);
    memset(f->buf, 'x', 64 * BLOCK);
    assert_int_equal(ps_io_write(file, f->buf, 64 * BLOCK, 0), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    assert_int_equal(file->io->ops->punch(file, BLOCK, 60 * BLOCK), PS_OK);
    assert_int_equal(file->io->ops->stat(file, &st), PS_OK);
    assert_int_equal(st.size, 64 * BLOCK);
    assert_true(st.spent < 64 * BLOCK);
    assert_int_equal(ps_io_read(file, f->buf, 64 * BLOCK, 0, NULL), PS_OK);
    assert_int_equal(f->buf[BLOCK - 1], 'x');
    assert_int_equal(f->buf[BLOCK], 0);
    assert_int_equal(f->buf[61 * BLOCK - 1], 0);
    assert_int_equal(f->buf[61 * BLOCK], 'x');
    ps_io_close(file);
}

/* A file system may take the blocks beside data for data, too. */
static void next_data_is_behind_the_hole(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    const uint64_t at = (uint64_t)1 << 40, size = 2 * at;
    uint64_t next = 1;

    assert_int_equal(file->io->ops->next_data(file, 0, &next), PS_OK);
    assert_int_equal(next, 0); /* the end */
    assert_int_equal(file->io->ops->truncate(file, size), PS_OK);
    memset(f->buf, 1, BLOCK);
    assert_int_equal(ps_io_write(file, f->buf, BLOCK, at), PS_OK);
    assert_int_equal(file->io->ops->next_data(file, 0, &next), PS_OK);
    assert_in_range(next, at - (1 << 20), at);
    assert_int_equal(file->io->ops->next_data(file, at + 1, &next), PS_OK);
    assert_int_equal(next, at + 1);
    assert_int_equal(file->io->ops->next_data(file, at + (1 << 20), &next), PS_OK);
    assert_int_equal(next, size);
    assert_int_equal(file->io->ops->next_data(file, size + 1, &next), PS_OK);
    assert_int_equal(next, size);
    assert_int_equal(file->io->ops->next_data(file, UINT64_MAX, &next), PS_OK);
    assert_int_equal(next, size);
    ps_io_close(file);
}

static void zeros_by_hand_overwrite_and_grow(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    const size_t len = 100 * BLOCK; /* more than one piece */
    struct ps_io_stat st;

    memset(f->buf, 'x', 2 * BLOCK);
    assert_int_equal(ps_io_write(file, f->buf, 2 * BLOCK, 0), PS_OK);
    assert_int_equal(ps_posix_write_zeros(file, BLOCK, len), PS_OK);
    assert_int_equal(file->io->ops->stat(file, &st), PS_OK);
    assert_int_equal(st.size, len + BLOCK);
    assert_int_equal(ps_io_read(file, f->buf, len + BLOCK, 0, NULL), PS_OK);
    assert_int_equal(f->buf[BLOCK - 1], 'x');
    for (size_t i = BLOCK; i < len + BLOCK; i++)
        assert_int_equal(f->buf[i], 0);
    ps_io_close(file);
}

static void space_and_clocks_are_plausible(void **state)
{
    struct fixture *f = *state;
    struct ps_io *io = io_or_skip(f);
    struct ps_io_space space;
    uint64_t now_us = ps_io_now_us(io);

    assert_int_equal(io->ops->space(io, &space), PS_OK);
    assert_true(space.bytes_total > 0);
    assert_true(space.bytes_avail <= space.bytes_free && space.bytes_free <= space.bytes_total);
    assert_true(ps_io_now_us(io) >= now_us);
    assert_true(ps_io_wall_us(io) > 1577836800000000u); /* after 2020 */
    assert_string_equal(io->ops->name, f->kind == PS_IO_KIND_DIRECT ? "direct"
                                       : f->kind == PS_IO_KIND_MMAP ? "mmap"
                                                                    : "buffered");
}

static void direct_files_bypass_the_page_cache(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    struct ps_io_file *small = open_file(f, "b", PS_IO_CREATE | PS_IO_BUFFERED);
    bool direct = f->kind == PS_IO_KIND_DIRECT;

    assert_int_equal((fcntl(((struct ps_posix_file *)file)->fd, F_GETFL) & O_DIRECT) != 0, direct);
    assert_int_equal(fcntl(((struct ps_posix_file *)small)->fd, F_GETFL) & O_DIRECT, 0);
    ps_io_close(file);
    ps_io_close(small);
}

/* Of a mapping it is SIGBUS that says so. */
static void file_cut_short_behind_our_back_is_a_short_read(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    char path[PATH_MAX];
    size_t got = 99;

    memset(f->buf, 'x', 8 * BLOCK);
    assert_int_equal(ps_io_write(file, f->buf, 8 * BLOCK, 0), PS_OK);
    assert_int_equal(ps_io_read(file, f->buf, 8 * BLOCK, 0, NULL), PS_OK);
    path_below(f, "a", path);
    assert_int_equal(truncate(path, 3 * BLOCK), 0);
    assert_int_equal(ps_io_read(file, f->buf, 8 * BLOCK, 0, &got), PS_OK);
    assert_int_equal(got, 3 * BLOCK);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 5 * BLOCK, NULL), PS_ERR_IO);
    assert_int_equal(ps_io_write(file, f->buf, BLOCK, 5 * BLOCK), PS_OK);
    assert_int_equal(ps_io_read(file, f->buf, 8 * BLOCK, 0, &got), PS_OK);
    assert_int_equal(got, 6 * BLOCK);
    ps_io_close(file);
}

struct read_in_thread {
    struct ps_io_file *file;
    void *buf;
    size_t got;
    ps_err err;
};

static void *read_blocks(void *arg)
{
    struct read_in_thread *r = arg;

    r->err = ps_io_read(r->file, r->buf, 8 * BLOCK, 0, &r->got);
    return NULL;
}

static void file_cut_short_is_a_short_read_in_threads_of_our_own(void **state)
{
    struct fixture *f = *state;
    struct read_in_thread r = {.file = open_file(f, "a", PS_IO_CREATE), .buf = f->buf};
    char path[PATH_MAX];
    pthread_t thread;

    assert_int_equal(ps_io_write(r.file, f->buf, 8 * BLOCK, 0), PS_OK);
    assert_int_equal(ps_io_read(r.file, f->buf, 8 * BLOCK, 0, NULL), PS_OK);
    path_below(f, "a", path);
    assert_int_equal(truncate(path, 3 * BLOCK), 0);
    assert_int_equal(ps_thread_start(&thread, read_blocks, &r), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(r.err, PS_OK);
    assert_int_equal(r.got, 3 * BLOCK);
    ps_io_close(r.file);
}

/* By writes, by allocation and by others, past every length that a mapping may have had. */
static void file_that_grows_is_read_where_it_has_grown(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);
    uint64_t off = 0;

    for (int i = 0; i < 40; i++, off += off / 2 + BLOCK) {
        off -= off % BLOCK;
        memset(f->buf, 'a' + i % 20, BLOCK);
        if (i % 3 == 0)
            assert_int_equal(file->io->ops->allocate(file, off, BLOCK), PS_OK);
        assert_int_equal(ps_io_write(file, f->buf, BLOCK, off), PS_OK);
        if (i % 5 == 0)
            assert_int_equal(ps_io_sync(file), PS_OK);
        memset(f->buf, 0, BLOCK);
        assert_int_equal(ps_io_read(file, f->buf, BLOCK, off, NULL), PS_OK);
        assert_int_equal(f->buf[BLOCK - 1], 'a' + i % 20);
    }
    ps_io_close(file);
}

/* tmpfs: a hole is filled by the fault that the copy raises, and there is no room. */
static void full_disk_is_an_error_of_the_mapped_write(void **state)
{
    struct fixture *f = *state;
    struct ps_io *io = NULL;
    struct ps_io_file *file = NULL;
    char path[PATH_MAX];

    path_below(f, "small", path);
    assert_int_equal(mkdir(path, 0700), 0);
    if (mount("none", path, "tmpfs", 0, "size=64k") != 0)
        skip(); /* needs root */
    assert_int_equal(ps_io_posix(path, PS_IO_KIND_MMAP, NULL, NULL, &io), PS_OK);
    assert_int_equal(io->ops->open(io, "a", PS_IO_CREATE, &file), PS_OK);
    assert_int_equal(io->ops->truncate(file, 32 * BLOCK), PS_OK);
    assert_int_equal(ps_io_write(file, f->buf, 8 * BLOCK, 0), PS_OK);
    assert_int_equal(ps_io_write(file, f->buf, 16 * BLOCK, 8 * BLOCK), PS_ERR_NOSPC);
    ps_io_close(file);
    ps_io_destroy(io);
    assert_int_equal(umount(path), 0);
}

static void count_warning(void *ctx, const char *text)
{
    (*(int *)ctx)++;
    assert_string_equal(
        text, "version: the file system does not do Direct I/O; using the kernel's page cache");
}

/* What was asked of the page cache last (the linker gives us the call). */
static struct {
    unsigned calls;
    off_t off, len;
    bool cached; /* all that will be read */
} wish;

int __real_posix_fadvise64(int fd, off_t off, off_t len, int advice);
int __wrap_posix_fadvise64(int fd, off_t off, off_t len, int advice);

int __wrap_posix_fadvise64(int fd, off_t off, off_t len, int advice)
{
    if (advice == POSIX_FADV_WILLNEED) {
        wish.calls++;
        wish.off = off;
        wish.len = len;
    }
    return __real_posix_fadvise64(fd, off, len, advice);
}

ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off_t off, int flags);

/* Of looks into the page cache. */
ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
    (void)fd;
    assert_int_equal(flags, RWF_NOWAIT);
    assert_int_equal(count, 1);
    assert_int_equal(iov[0].iov_len, 1);
    assert_int_equal(off, 5 * BLOCK - 1);
    errno = EAGAIN;
    return wish.cached ? 1 : -1;
}

/* Direct I/O does not look there. */
static void what_will_be_read_is_asked_of_the_page_cache_by_who_reads_through_it(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f, "a", PS_IO_CREATE);

    assert_int_equal(ps_io_write(file, f->buf, 8 * BLOCK, 0), PS_OK);
    wish.calls = 0;
    wish.cached = false;
    file->io->ops->will_read(file, 2 * BLOCK, 3 * BLOCK);
    if (f->kind == PS_IO_KIND_DIRECT) {
        assert_int_equal(wish.calls, 0);
    } else {
        assert_int_equal(wish.calls, 1);
        assert_int_equal(wish.off, 2 * BLOCK);
        assert_int_equal(wish.len, 3 * BLOCK);
    }
    wish.calls = 0;
    wish.cached = true; /* what is there already is not asked for */
    file->io->ops->will_read(file, 2 * BLOCK, 3 * BLOCK);
    assert_int_equal(wish.calls, 0);
    ps_io_close(file);
}

/* Slots of the process' table of descriptors, which a child begins with as few of as it needs. */
static long descriptor_slots(void)
{
    FILE *in = fopen("/proc/self/status", "r");
    char line[200];
    long slots = -1;

    while (in && fgets(line, sizeof(line), in))
        (void)sscanf(line, "FDSize: %ld", &slots);
    if (in)
        (void)fclose(in);
    return slots;
}

static int count_slots(const struct fixture *f)
{
    const long before = descriptor_slots();
    struct ps_io *io = NULL;

    if (before < 0 || before >= 4096 || ps_io_posix(f->root, PS_IO_KIND_BUFFERED, NULL, NULL, &io))
        return 2;
    return descriptor_slots() >= 4096 ? 0 : 1;
}

static void the_table_of_descriptors_is_large_from_the_start(void **state)
{
    const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    int status = -1;
    pid_t child;

    child = fork();
    if (child == 0)
        _exit(setrlimit(RLIMIT_NOFILE, &limit) == 0 ? count_slots(*state) : 3);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* procfs: regular files that refuse O_DIRECT, on a file system where nothing can be created. */
static void auto_falls_back_with_one_warning(void **state)
{
    struct ps_io *io = NULL;
    struct ps_io_file *file = NULL;
    void *buf = ps_buf_alloc(BLOCK);
    int warnings = 0;
    size_t got;

    (void)state;
    assert_int_equal(ps_io_posix("/proc", PS_IO_KIND_AUTO, count_warning, &warnings, &io), PS_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(io->ops->open(io, "version", PS_IO_RDONLY, &file), PS_OK);
        assert_int_equal(ps_io_read(file, buf, BLOCK, 0, &got), PS_OK);
        assert_memory_equal(buf, "Linux", 5);
        ps_io_close(file);
    }
    assert_int_equal(warnings, 1);
    ps_io_destroy(io);

    assert_int_equal(ps_io_posix("/proc", PS_IO_KIND_DIRECT, NULL, NULL, &io), PS_OK);
    assert_int_equal(io->ops->open(io, "version", PS_IO_RDONLY, &file), PS_ERR_UNSUPPORTED);
    assert_string_equal(ps_message(), "version: the file system does not do Direct I/O");
    ps_io_destroy(io);
    ps_buf_free(buf);
}

static void missing_root_is_named(void **state)
{
    struct ps_io *io = NULL;

    (void)state;
    assert_int_equal(ps_io_posix("/no/such/folder", PS_IO_KIND_AUTO, NULL, NULL, &io),
                     PS_ERR_NOENT);
    assert_string_equal(ps_message(),
                        "cannot open folder /no/such/folder: No such file or directory");
    assert_int_equal(ps_io_posix("/proc/version", PS_IO_KIND_AUTO, NULL, NULL, &io), PS_ERR_NOENT);
    assert_null(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(written_blocks_are_read_back),
        T(file_that_ends_between_blocks_is_read_to_its_end),
        T(a_meter_counts_each_batch_once_by_its_kind),
        T(durable_write_is_read_back),
        T(more_buffers_than_the_kernel_takes_go_in_one_request),
        T(batch_reports_each_error_and_the_first_message),
        T(write_that_is_cut_short_is_continued_until_it_fails),
        T(batch_longer_than_any_queue_is_read_and_written),
        T(offsets_no_file_can_have_are_refused),
        T(buffered_file_takes_any_alignment),
        T(stat_tells_size_space_and_owner),
        T(allocate_grows_and_punch_gives_back),
        T(next_data_is_behind_the_hole),
        T(zeros_by_hand_overwrite_and_grow),
        T(space_and_clocks_are_plausible),
        T(direct_files_bypass_the_page_cache),
        T(file_cut_short_behind_our_back_is_a_short_read),
        T(file_cut_short_is_a_short_read_in_threads_of_our_own),
        T(file_that_grows_is_read_where_it_has_grown),
        cmocka_unit_test_setup_teardown(full_disk_is_an_error_of_the_mapped_write, setup_mmap,
                                        teardown),
        T(what_will_be_read_is_asked_of_the_page_cache_by_who_reads_through_it),
        cmocka_unit_test_setup_teardown(the_table_of_descriptors_is_large_from_the_start,
                                        setup_buffered, teardown),
        cmocka_unit_test(auto_falls_back_with_one_warning),
        cmocka_unit_test(missing_root_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
