/*
 * io_posix_map.c - files read and written through a mapping.
 *
 * Bytes are copied from and to a shared mapping of the file; msync is the sync. The mapping is
 * longer than the file, so that a file that grows is mapped anew only now and then.
 *
 * Where the kernel cannot provide a page of the mapping (the file was cut short, the device fails,
 * the disk is full) it has no way to say so but SIGBUS. The copy is guarded against that, and what
 * it could not copy is read or written with the plain calls, which say what is wrong.
 */
#include "io/io_posix.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_STEP ((size_t)1 << 20) /* mappings are multiples of this */
#define MAP_SPARE 4                /* a quarter longer than the file */

struct ps_posix_map {
    struct ps_rwlock lock; /* rank IO. Shared: to copy. Exclusive: to map anew */
    unsigned char *base;
    size_t mapped; /* bytes from base on */
    uint64_t size; /* of the file, as last seen: bytes behind it are left to the plain calls */
    bool rdonly;
};

/* --- copies that survive SIGBUS ------------------------------------------------------------- */

static _Thread_local sigjmp_buf *volatile copy_guard; /* NULL: this thread copies nothing now */
static struct sigaction sigbus_before;
static pthread_mutex_t sigbus_mtx = PTHREAD_MUTEX_INITIALIZER; /* one installs the handler */

/* Not one of ours: as if this handler were not there. The instruction runs again and meets it. */
static void on_sigbus(int signo, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    if (copy_guard)
        siglongjmp(*copy_guard, 1);
    (void)sigaction(signo, &sigbus_before, NULL);
}

/* Makes the process's handler ours, if somebody has put another there. 0, or the errno. NODEFER:
 * the handler is left by a jump that puts no signal mask back. */
static int catch_sigbus(void)
{
    const struct sigaction ours = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction now;
    int rc;

    pthread_mutex_lock(&sigbus_mtx);
    rc = sigaction(SIGBUS, NULL, &now);
    if (rc == 0 && now.sa_sigaction != on_sigbus) {
        sigbus_before = now;
        rc = sigaction(SIGBUS, &ours, NULL);
    }
    pthread_mutex_unlock(&sigbus_mtx);
    return rc == 0 ? 0 : errno;
}

/* False: not all of it could be copied. */
static bool copy_guarded(void *to, const void *from, size_t len)
{
    sigjmp_buf jump;

    assert(!copy_guard);
    if (sigsetjmp(jump, 0) != 0) {
        copy_guard = NULL;
        return false;
    }
    copy_guard = &jump;
    atomic_signal_fence(memory_order_seq_cst); /* the copy lies between the two */
    memcpy(to, from, len);
    atomic_signal_fence(memory_order_seq_cst);
    copy_guard = NULL;
    return true;
}

/* --- the mapping ------------------------------------------------------------------------------ */

/* Sees how long the file is, and maps it anew where the mapping is too short. The lock is held
 * exclusively, or nobody else knows the map yet. 0, or the errno; the old mapping stays then. */
static int map_refresh(struct ps_posix_map *m, int fd)
{
    int prot = m->rdonly ? PROT_READ : PROT_READ | PROT_WRITE;
    struct stat st;
    size_t want;
    void *base;

    if (fstat(fd, &st) != 0)
        return errno;
    if (m->base && (uint64_t)st.st_size <= m->mapped) {
        m->size = (uint64_t)st.st_size;
        return 0;
    }
    want = (size_t)st.st_size + (size_t)st.st_size / MAP_SPARE;
    want = (want / MAP_STEP + 1) * MAP_STEP;
    base = mmap(NULL, want, prot, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return errno;
    if (m->base)
        (void)munmap(m->base, m->mapped);
    m->base = base;
    m->mapped = want;
    m->size = (uint64_t)st.st_size;
    return 0;
}

ps_err ps_posix_map_open(struct ps_posix_file *f, bool rdonly)
{
    struct ps_posix_map *m;
    int sys_errno = catch_sigbus();

    if (sys_errno)
        return ps_fail_errno(sys_errno, "cannot catch SIGBUS to map %s", f->file.path);
    m = calloc(1, sizeof(*m));
    if (!m)
        return ps_fail(PS_ERR_NOMEM, "no memory to map %s", f->file.path);
    m->rdonly = rdonly;
    sys_errno = map_refresh(m, f->fd);
    if (sys_errno) {
        free(m);
        return ps_fail_errno(sys_errno, "cannot map %s", f->file.path);
    }
    ps_rwlock_init(&m->lock, PS_RANK_IO, "file.map_lock");
    f->map = m;
    return PS_OK;
}

void ps_posix_map_close(struct ps_posix_file *f)
{
    struct ps_posix_map *m = f->map;

    if (!m)
        return;
    (void)munmap(m->base, m->mapped);
    ps_rwlock_deinit(&m->lock);
    free(m);
    f->map = NULL;
}

void ps_posix_map_resized(struct ps_posix_file *f)
{
    ps_rwlock_wrlock(&f->map->lock);
    if (map_refresh(f->map, f->fd) != 0)
        f->map->size = 0; /* the plain calls do the work from now on */
    ps_rwlock_unlock(&f->map->lock);
}

/* Sees whether the file has become `end` bytes long since. */
static void map_catch_up(struct ps_posix_file *f, uint64_t end)
{
    ps_rwlock_wrlock(&f->map->lock);
    if (f->map->size < end)
        (void)map_refresh(f->map, f->fd); /* failed: the plain calls do the work */
    ps_rwlock_unlock(&f->map->lock);
}

/* --- requests --------------------------------------------------------------------------------- */

/* Copies as much of the request as lies in the mapping, up to the first page that cannot be read;
 * req->done tells how much. The lock is held shared. */
static void copy_request(struct ps_posix_map *m, struct ps_io_req *req)
{
    for (int i = 0; i < req->iov_count; i++) {
        uint64_t at = req->off + req->done;
        size_t len = req->iov[i].iov_len;
        unsigned char *mapped = m->base + at;
        bool all = m->size >= at && m->size - at >= len;

        if (!all) /* the plain read says where the file ends now */
            return;
        if (req->op == PS_IO_READ ? !copy_guarded(req->iov[i].iov_base, mapped, len)
                                  : !copy_guarded(mapped, req->iov[i].iov_base, len))
            return;
        req->done += len;
    }
}

/* Minus the errno, or 0. Bytes [from, to) of the mapping; msync wants whole pages. */
static ssize_t sync_mapping(struct ps_posix_map *m, uint64_t from, uint64_t to)
{
    from -= from % (uint64_t)sysconf(_SC_PAGESIZE);
    return msync(m->base + from, (size_t)(to - from), MS_SYNC) == 0 ? 0 : -errno;
}

/* What was written through the mapping, then what was written past its end. */
static void run_sync(struct ps_posix_map *m, struct ps_io_req *req)
{
    ssize_t rc;

    ps_rwlock_rdlock(&m->lock);
    rc = sync_mapping(m, 0, m->mapped);
    ps_rwlock_unlock(&m->lock);
    if (rc < 0)
        (void)ps_posix_req_moved(req, rc);
    else
        ps_posix_req_finish(req);
}

/* A write that makes the file longer is a plain one, of its rest: truncating it to its new length
 * could undo what another thread has just allocated. */
static void run_transfer(struct ps_posix_file *f, struct ps_io_req *req)
{
    struct ps_posix_map *m = f->map;
    uint64_t len = ps_io_req_len(req);
    ssize_t rc = 0;

    ps_rwlock_rdlock(&m->lock);
    if (m->size < req->off + len) {
        ps_rwlock_unlock(&m->lock);
        map_catch_up(f, req->off + len);
        ps_rwlock_rdlock(&m->lock);
    }
    copy_request(m, req);
    if (req->op == PS_IO_WRITE_DURABLE && req->done > 0)
        rc = sync_mapping(m, req->off, req->off + req->done);
    ps_rwlock_unlock(&m->lock);
    if (rc < 0)
        (void)ps_posix_req_moved(req, rc);
    else if (req->done < len)
        ps_posix_req_finish(req);
}

void ps_posix_map_run(struct ps_io_req *req)
{
    struct ps_posix_file *f = (struct ps_posix_file *)req->file;

    if (req->op == PS_IO_SYNC)
        run_sync(f->map, req);
    else if (req->op != PS_IO_READ && f->map->rdonly)
        ps_posix_req_finish(req); /* which the kernel refuses */
    else
        run_transfer(f, req);
}
