/*
 * io_posix.c - real files below one root folder: opening, folders, the clock.
 *
 * Everything is opened relative to the root's descriptor with openat2, which refuses symbolic
 * links and paths that leave the root; where the kernel has no openat2, only the last part of a
 * path is checked for being a link.
 */
#include "io/io_posix.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define DESCRIPTORS_SOON 4096u

static struct ps_posix_io *io_of(struct ps_io *io)
{
    return (struct ps_posix_io *)io;
}

static struct ps_posix_file *file_of(struct ps_io_file *file)
{
    return (struct ps_posix_file *)file;
}

/* Relative, and no "..": what callers promise. */
static bool path_is_plain(const char *path)
{
    if (path[0] == '\0' || path[0] == '/')
        return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

/* A descriptor, or -1 and errno. */
static int open_plain(struct ps_posix_io *io, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
    };
    int fd;

    if (!atomic_load(&io->openat2_missing)) {
        do
            fd = (int)syscall(SYS_openat2, io->root_fd, path, &how, sizeof(how));
        while (fd < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename raced with it */
        if (fd >= 0 || errno != ENOSYS)
            return fd;
        atomic_store(&io->openat2_missing, true);
    }
    do
        fd = openat(io->root_fd, path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* The same, and reading it leaves no trace where this is ours to say: only a file's owner may ask
 * for that. */
static int open_below(struct ps_posix_io *io, const char *path, int flags, mode_t mode)
{
    int fd;

    if (!path_is_plain(path)) {
        errno = EINVAL;
        return -1;
    }
    if (io->rdonly && !(flags & O_PATH)) {
        fd = open_plain(io, path, flags | O_NOATIME, mode);
        if (fd >= 0 || errno != EPERM)
            return fd;
    }
    return open_plain(io, path, flags, mode);
}

/* Before anything that changes what lies below the root. */
static ps_err check_changeable(const struct ps_posix_io *io, const char *path)
{
    if (io->rdonly)
        return ps_fail(PS_ERR_READONLY, "%s/%s: opened to be read only", io->root, path);
    return PS_OK;
}

static ps_err fail_open(int sys_errno, const char *what, const char *path)
{
    if (sys_errno == ELOOP)
        return ps_fail(PS_ERR_IO, "cannot %s %s: a symbolic link, which is not followed", what,
                       path);
    return ps_fail_errno(sys_errno, "cannot %s %s", what, path);
}

/* Sets O_DIRECT on an open file. 0, or why not: EINVAL from a file system that cannot, or from
 * us where its blocks are larger than PS_IO_ALIGN. Done after opening, because open with O_CREAT
 * and O_DIRECT creates the file before it fails. */
static int set_direct(int fd)
{
    struct statx stx;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) != 0)
        return errno;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
        (stx.stx_mask & STATX_DIOALIGN) != 0 &&
        (stx.stx_dio_offset_align == 0 || stx.stx_dio_offset_align > PS_IO_ALIGN ||
         stx.stx_dio_mem_align > PS_IO_ALIGN)) {
        (void)fcntl(fd, F_SETFL, flags);
        return EINVAL;
    }
    return 0;
}

static void warn_once(struct ps_posix_io *io, const char *where)
{
    char text[512];

    if (atomic_exchange(&io->warned, true) || !io->warn)
        return;
    snprintf(text, sizeof(text),
             "%s: the file system does not do Direct I/O; using the kernel's page cache", where);
    io->warn(io->warn_ctx, text);
}

/* Direct I/O for an open file, where it is wanted and available. */
static ps_err choose_direct(struct ps_posix_io *io, struct ps_posix_file *f)
{
    int sys_errno;

    if (!io->direct || f->unaligned)
        return PS_OK;
    sys_errno = set_direct(f->fd);
    f->direct = sys_errno == 0;
    if (f->direct)
        return PS_OK;
    if (sys_errno != EINVAL)
        return ps_fail_errno(sys_errno, "cannot set Direct I/O on %s", f->file.path);
    if (io->kind == PS_IO_KIND_DIRECT)
        return ps_fail(PS_ERR_UNSUPPORTED, "%s: the file system does not do Direct I/O",
                       f->file.path);
    warn_once(io, f->file.path);
    return PS_OK;
}

static ps_err stat_regular(int fd, const char *path, struct stat *ret)
{
    if (fstat(fd, ret) != 0)
        return ps_fail_errno(errno, "cannot stat %s", path);
    if (!S_ISREG(ret->st_mode))
        return ps_fail(PS_ERR_IO, "cannot open %s: not a regular file", path);
    return PS_OK;
}

/* What root makes in somebody else's store has to belong to that one, who could not open it
 * otherwise. *ret: of the store's folder; false: it is root's own, or that cannot be told. */
static bool made_for_other(const struct ps_posix_io *io, struct stat *ret)
{
    return geteuid() == 0 && fstat(io->root_fd, ret) == 0 && ret->st_uid != 0;
}

/* A file that was opened to be made. One that has bytes, or other names, was there before. Where
 * the file system does not let root do it, the file stays root's. */
static void give_to_owner(const struct ps_posix_io *io, int fd, const struct stat *st)
{
    struct stat root;

    if (st->st_size == 0 && st->st_nlink == 1 && made_for_other(io, &root))
        (void)!fchown(fd, root.st_uid, root.st_gid);
}

static int open_flags(unsigned flags)
{
    int sys_flags = flags & PS_IO_RDONLY ? O_RDONLY : O_RDWR;

    if (flags & PS_IO_CREATE)
        sys_flags |= O_CREAT;
    if (flags & PS_IO_EXCL)
        sys_flags |= O_EXCL;
    return sys_flags | O_NOCTTY | O_NONBLOCK; /* not to hang on a FIFO put in a file's place */
}

static void posix_close(struct ps_io_file *file)
{
    struct ps_posix_file *f = file_of(file);

    ps_posix_map_close(f);
    if (f->fd >= 0) {
        close(f->fd); /* what must be durable was synced; there is nothing to lose here */
        atomic_fetch_sub(&io_of(file->io)->open_files, 1);
    }
    free((char *)(uintptr_t)file->path);
    free(f);
}

static struct ps_posix_file *file_new(struct ps_io *io, const char *path, unsigned flags)
{
    struct ps_posix_file *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->file.io = io;
    f->file.path = strdup(path);
    f->fd = -1;
    f->unaligned = (flags & PS_IO_BUFFERED) != 0;
    if (!f->file.path) {
        free(f);
        return NULL;
    }
    return f;
}

static ps_err posix_open(struct ps_io *io, const char *path, unsigned flags,
                         struct ps_io_file **ret)
{
    ps_err err = flags & PS_IO_RDONLY ? PS_OK : check_changeable(io_of(io), path);
    struct ps_posix_file *f = err ? NULL : file_new(io, path, flags);
    struct stat st;

    if (err)
        return err;
    if (!f)
        return ps_fail(PS_ERR_NOMEM, "no memory to open %s", path);
    f->fd = open_below(io_of(io), path, open_flags(flags), 0666);
    if (f->fd < 0) {
        err = fail_open(errno, flags & PS_IO_EXCL ? "create" : "open", path);
        goto out_close;
    }
    atomic_fetch_add(&io_of(io)->open_files, 1);
    err = stat_regular(f->fd, path, &st);
    if (err)
        goto out_close;
    if (flags & PS_IO_CREATE)
        give_to_owner(io_of(io), f->fd, &st);
    if (io_of(io)->kind == PS_IO_KIND_MMAP && !f->unaligned)
        err = ps_posix_map_open(f, flags & PS_IO_RDONLY);
    else
        err = choose_direct(io_of(io), f);
    if (err)
        goto out_close;
    *ret = &f->file;
    return PS_OK;

out_close:
    posix_close(&f->file);
    return err;
}

static ps_err posix_stat_path(struct ps_io *io, const char *path, struct ps_io_stat *ret)
{
    const int fd = open_below(io_of(io), path, O_PATH, 0);
    struct stat st;
    ps_err err;

    if (fd < 0)
        return fail_open(errno, "stat", path);
    err = stat_regular(fd, path, &st);
    close(fd);
    if (!err)
        *ret = ps_posix_stat_of(&st);
    return err;
}

/* Opens the folder that holds path; *ret_name is path's last part. */
static int open_parent(struct ps_posix_io *io, const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    int fd;

    *ret_name = slash ? slash + 1 : path;
    folder = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    if (!folder) {
        errno = ENOMEM;
        return -1;
    }
    fd = open_below(io, folder, O_PATH | O_DIRECTORY, 0);
    free(folder);
    return fd;
}

/* A folder that was just made. By a descriptor: in that one's folder its name may lead elsewhere by
 * now. */
static void give_folder_to_owner(const struct ps_posix_io *io, int parent_fd, const char *name)
{
    struct stat root;
    int fd;

    if (!made_for_other(io, &root))
        return;
    fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!fchown(fd, root.st_uid, root.st_gid);
    close(fd);
}

static ps_err posix_mkdir(struct ps_io *io, const char *path)
{
    ps_err err = check_changeable(io_of(io), path);
    const char *name;
    int fd;

    if (err)
        return err;
    fd = open_parent(io_of(io), path, &name);
    if (fd < 0)
        return fail_open(errno, "make folder", path);
    if (mkdirat(fd, name, 0777) != 0)
        err = ps_fail_errno(errno, "cannot make folder %s", path);
    else
        give_folder_to_owner(io_of(io), fd, name);
    close(fd);
    return err;
}

static ps_err posix_rename(struct ps_io *io, const char *from, const char *to)
{
    ps_err err = check_changeable(io_of(io), from);
    const char *from_name;
    const char *to_name;
    int from_fd, to_fd;

    if (err)
        return err;
    from_fd = open_parent(io_of(io), from, &from_name);
    if (from_fd < 0)
        return fail_open(errno, "rename", from);
    to_fd = open_parent(io_of(io), to, &to_name);
    if (to_fd < 0)
        err = fail_open(errno, "rename to", to);
    else if (renameat(from_fd, from_name, to_fd, to_name) != 0)
        err = ps_fail_errno(errno, "cannot rename %s to %s", from, to);
    if (to_fd >= 0)
        close(to_fd);
    close(from_fd);
    return err;
}

static ps_err posix_unlink(struct ps_io *io, const char *path)
{
    ps_err err = check_changeable(io_of(io), path);
    const char *name;
    int fd;

    if (err)
        return err;
    fd = open_parent(io_of(io), path, &name);
    if (fd < 0)
        return fail_open(errno, "remove", path);
    if (unlinkat(fd, name, 0) != 0)
        err = ps_fail_errno(errno, "cannot remove %s", path);
    close(fd);
    return err;
}

static ps_err posix_sync_dir(struct ps_io *io, const char *path)
{
    ps_err err = check_changeable(io_of(io), path);
    int fd;

    if (err)
        return err;
    fd = open_below(io_of(io), path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fail_open(errno, "open folder", path);
    if (fsync(fd) != 0)
        err = ps_fail_errno(errno, "cannot sync folder %s", path);
    close(fd);
    return err;
}

static ps_err list_entries(DIR *dir, const char *path, ps_err (*each)(void *ctx, const char *name),
                           void *ctx)
{
    ps_err err = PS_OK;

    while (!err) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (!entry)
            return errno ? ps_fail_errno(errno, "cannot list folder %s", path) : PS_OK;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = each(ctx, entry->d_name);
    }
    return err;
}

static ps_err posix_list(struct ps_io *io, const char *path,
                         ps_err (*each)(void *ctx, const char *name), void *ctx)
{
    int fd = open_below(io_of(io), path, O_RDONLY | O_DIRECTORY, 0);
    DIR *dir;
    ps_err err;

    if (fd < 0)
        return fail_open(errno, "open folder", path);
    dir = fdopendir(fd);
    if (!dir) {
        err = ps_fail_errno(errno, "cannot list folder %s", path);
        close(fd);
        return err;
    }
    err = list_entries(dir, path, each, ctx);
    closedir(dir);
    return err;
}

static ps_err posix_lock(struct ps_io_file *file, bool shared)
{
    const int how = shared ? LOCK_SH : LOCK_EX;
    int rc;

    do
        rc = flock(file_of(file)->fd, how | LOCK_NB);
    while (rc != 0 && errno == EINTR);
    if (rc == 0)
        return PS_OK;
    if (errno == EWOULDBLOCK)
        return ps_fail(PS_ERR_IN_USE, "%s is locked by another process", file->path);
    return ps_fail_errno(errno, "cannot lock %s", file->path);
}

static ps_err posix_space(struct ps_io *io, struct ps_io_space *ret)
{
    struct statvfs vfs;

    if (fstatvfs(io_of(io)->root_fd, &vfs) != 0)
        return ps_fail_errno(errno, "cannot ask for the free space of %s", io_of(io)->root);
    ret->bytes_total = (uint64_t)vfs.f_blocks * vfs.f_frsize;
    ret->bytes_free = (uint64_t)vfs.f_bfree * vfs.f_frsize;
    ret->bytes_avail = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return PS_OK;
}

static uint32_t descriptors_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > UINT32_MAX)
        return UINT32_MAX;
    return (uint32_t)limit.rlim_cur;
}

static uint32_t posix_files_max(struct ps_io *io)
{
    (void)io;
    return descriptors_max();
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t posix_now_us(struct ps_io *io)
{
    (void)io;
    return clock_us(CLOCK_MONOTONIC);
}

static uint64_t posix_wall_us(struct ps_io *io)
{
    (void)io;
    return clock_us(CLOCK_REALTIME);
}

static void posix_destroy(struct ps_io *io)
{
    struct ps_posix_io *p = io_of(io);

    assert(atomic_load(&p->open_files) == 0);
    ps_posix_rings_deinit(&p->rings);
    ps_posix_workers_deinit(&p->workers);
    close(p->root_fd);
    free(p->root);
    free(p);
}

#define POSIX_OPS(shown_name)                                                                 \
    {                                                                                         \
        .name = (shown_name), .open = posix_open, .close = posix_close, .run = ps_posix_run,  \
        .stat = ps_posix_stat, .stat_path = posix_stat_path, .next_data = ps_posix_next_data, \
        .will_read = ps_posix_will_read, .truncate = ps_posix_truncate,                       \
        .allocate = ps_posix_allocate, .punch = ps_posix_punch, .mkdir = posix_mkdir,         \
        .rename = posix_rename, .unlink = posix_unlink, .sync_dir = posix_sync_dir,           \
        .list = posix_list, .lock = posix_lock, .space = posix_space,                         \
        .files_max = posix_files_max, .now_us = posix_now_us, .wall_us = posix_wall_us,       \
        .destroy = posix_destroy,                                                             \
    }

static const struct ps_io_ops direct_ops = POSIX_OPS("direct");
static const struct ps_io_ops buffered_ops = POSIX_OPS("buffered");
static const struct ps_io_ops mmap_ops = POSIX_OPS("mmap");

/* Does the root's file system support Direct I/O? Tried on a file without a name. Where none can or
 * may be made (read-only, no O_TMPFILE), the answer is yes, and each file finds out for itself. */
static bool probe_direct(const struct ps_posix_io *io)
{
    int fd = openat(io->root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    void *block = ps_buf_alloc(PS_IO_ALIGN);
    bool direct = true;

    if (fd >= 0 && block)
        direct = set_direct(fd) == 0 && (pwrite(fd, block, PS_IO_ALIGN, 0) >= 0 || errno != EINVAL);
    ps_buf_free(block);
    if (fd >= 0)
        close(fd);
    return direct;
}

static ps_err choose_kind(struct ps_posix_io *p)
{
    if (p->kind == PS_IO_KIND_MMAP) {
        p->io.ops = &mmap_ops;
        return PS_OK;
    }
    p->direct = p->kind != PS_IO_KIND_BUFFERED && (p->rdonly || probe_direct(p));
    p->io.ops = p->direct ? &direct_ops : &buffered_ops;
    if (p->direct || p->kind == PS_IO_KIND_BUFFERED)
        return PS_OK;
    if (p->kind == PS_IO_KIND_DIRECT)
        return ps_fail(PS_ERR_UNSUPPORTED, "%s: the file system does not do Direct I/O", p->root);
    warn_once(p, p->root);
    return PS_OK;
}

/* The kernel's table of a process' descriptors grows by doubling, and while the process has several
 * threads it waits each time until all CPUs have let go of the old one (expand_fdtable() in its
 * fs/file.c), which takes up to 15 ms. One that is large from the start costs 8 bytes a file. */
static void grow_descriptor_table(int root_fd)
{
    const uint32_t max = descriptors_max();
    const int fd =
        fcntl(root_fd, F_DUPFD_CLOEXEC, (max < DESCRIPTORS_SOON ? max : DESCRIPTORS_SOON) - 1);

    if (fd >= 0)
        close(fd);
}

static ps_err posix_new(const char *root, enum ps_io_kind kind, bool rdonly,
                        void (*warn)(void *ctx, const char *), void *ctx, struct ps_io **ret)
{
    struct ps_posix_io *p = calloc(1, sizeof(*p));
    ps_err err;

    if (!p)
        return ps_fail(PS_ERR_NOMEM, "no memory to open %s", root);
    p->root_fd = -1;
    p->kind = kind;
    p->rdonly = rdonly;
    p->warn = warn;
    p->warn_ctx = ctx;
    p->root = strdup(root);
    if (!p->root) {
        err = ps_fail(PS_ERR_NOMEM, "no memory to open %s", root);
        goto out_free;
    }
    p->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->root_fd < 0) {
        err = ps_fail_errno(errno, "cannot open folder %s", root);
        goto out_free;
    }
    grow_descriptor_table(p->root_fd);
    err = choose_kind(p);
    if (err)
        goto out_free;
    ps_posix_workers_init(&p->workers);
    ps_posix_rings_init(&p->rings);
    *ret = &p->io;
    return PS_OK;

out_free:
    if (p->root_fd >= 0)
        close(p->root_fd);
    free(p->root);
    free(p);
    return err;
}

ps_err ps_io_posix(const char *root, enum ps_io_kind kind, void (*warn)(void *ctx, const char *),
                   void *ctx, struct ps_io **ret)
{
    return posix_new(root, kind, false, warn, ctx, ret);
}

ps_err ps_io_posix_rdonly(const char *root, enum ps_io_kind kind,
                          void (*warn)(void *ctx, const char *), void *ctx, struct ps_io **ret)
{
    return posix_new(root, kind, true, warn, ctx, ret);
}
