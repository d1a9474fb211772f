/*
 * peer_memfs.c - the least a FUSE daemon can do: one file, `data`, in memory, and a folder `files`
 * that shows the same bytes as files of 8 KiB, named by ten digits.
 *
 *     peer_memfs MNT BYTES [FILE]
 *
 * With FILE, `data` shows that file, read-only: a read of it is one read of FILE, O_DIRECT, into
 * the BYTES of memory, which are used in turn as the frames of a pool are.
 *
 * The yardstick for reads and writes through the mount: what the kernel, libfuse and one copy
 * cost. It runs with the settings that pagefs runs with: direct_io on every open, 1 MiB requests,
 * long timeouts, replies from huge pages.
 */
#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_INO 2u
#define FOLDER_INO 3u
#define FILE_INO 16u /* of file 0; the others follow */
#define FILE_BYTES 8192u
#define TIMEOUT_S 3600.0
#define REQUEST_MAX (1u << 20)

struct memfs {
    char *bytes;
    size_t len;          /* of `data` */
    int fd;              /* FILE, or -1 */
    size_t room;         /* bytes of memory */
    _Atomic size_t next; /* with FILE: where the next read goes, modulo the room */
};

static struct memfs *memfs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static bool is_file(const struct memfs *m, fuse_ino_t ino)
{
    return m->fd < 0 && ino >= FILE_INO && ino - FILE_INO < m->len / FILE_BYTES;
}

static int fill_attr(const struct memfs *m, fuse_ino_t ino, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_ino = ino;
    st->st_nlink = 1;
    if (ino == FUSE_ROOT_ID || ino == FOLDER_INO) {
        st->st_mode = S_IFDIR | 0755;
    } else if (ino == DATA_INO) {
        st->st_mode = S_IFREG | 0600;
        st->st_size = (off_t)m->len;
    } else if (is_file(m, ino)) {
        st->st_mode = S_IFREG | 0600;
        st->st_size = FILE_BYTES;
    } else {
        return ENOENT;
    }
    return 0;
}

/* The bytes of a file: where they begin, and how many. */
static char *bytes_of(const struct memfs *m, fuse_ino_t ino, size_t *ret_len)
{
    if (!is_file(m, ino)) {
        *ret_len = m->len;
        return m->bytes;
    }
    *ret_len = FILE_BYTES;
    return m->bytes + (ino - FILE_INO) * FILE_BYTES;
}

/* 0: there is no such name. */
static fuse_ino_t ino_of_name(fuse_ino_t parent, const char *name)
{
    if (parent == FUSE_ROOT_ID && strcmp(name, "data") == 0)
        return DATA_INO;
    if (parent == FUSE_ROOT_ID && strcmp(name, "files") == 0)
        return FOLDER_INO;
    if (parent == FOLDER_INO && strlen(name) == 10 && strspn(name, "0123456789") == 10)
        return FILE_INO + strtoul(name, NULL, 10);
    return 0;
}

static void mem_init(void *ctx, struct fuse_conn_info *conn)
{
    (void)ctx;
    conn->max_write = REQUEST_MAX;
    conn->max_read = REQUEST_MAX;
}

static void mem_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param e = {.attr_timeout = TIMEOUT_S, .entry_timeout = TIMEOUT_S};

    e.ino = ino_of_name(parent, name);
    if (fill_attr(memfs_of(req), e.ino, &e.attr) == 0)
        fuse_reply_entry(req, &e);
    else
        fuse_reply_err(req, ENOENT);
}

static void mem_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;
    int err = fill_attr(memfs_of(req), ino, &st);

    (void)fi;
    if (err)
        fuse_reply_err(req, err);
    else
        fuse_reply_attr(req, &st, TIMEOUT_S);
}

static void mem_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    fi->direct_io = 1;
    fuse_reply_open(req, fi);
}

static void mem_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    const struct memfs *m = memfs_of(req);
    char *buf = malloc(size);
    size_t used = 0;

    (void)fi;
    if (!buf) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    for (; ino == FOLDER_INO && is_file(m, FILE_INO + (fuse_ino_t)off); off++) {
        const struct stat st = {.st_ino = FILE_INO + (fuse_ino_t)off, .st_mode = S_IFREG};
        char name[16];
        size_t need;

        snprintf(name, sizeof(name), "%010u", (unsigned)off);
        need = fuse_add_direntry(req, buf + used, size - used, name, &st, off + 1);
        if (need > size - used)
            break;
        used += need;
    }
    fuse_reply_buf(req, buf, used);
    free(buf);
}

static void read_file(fuse_req_t req, struct memfs *m, size_t size, off_t off)
{
    char *bytes =
        m->bytes + atomic_fetch_add(&m->next, size) % (m->room - REQUEST_MAX) / 4096 * 4096;
    ssize_t got = pread(m->fd, bytes, size, off);

    if (got < 0)
        fuse_reply_err(req, errno);
    else
        fuse_reply_buf(req, bytes, (size_t)got);
}

static void mem_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    struct memfs *m = memfs_of(req);
    size_t len;
    const char *bytes = bytes_of(m, ino, &len);

    (void)fi;
    if (m->fd >= 0) {
        read_file(req, m, size, off);
        return;
    }
    if ((size_t)off >= len)
        size = 0;
    else if (size > len - (size_t)off)
        size = len - (size_t)off;
    fuse_reply_buf(req, bytes + off, size);
}

static void mem_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                      struct fuse_file_info *fi)
{
    struct memfs *m = memfs_of(req);
    size_t len;
    char *bytes = bytes_of(m, ino, &len);

    (void)fi;
    if (m->fd >= 0) {
        fuse_reply_err(req, EROFS);
        return;
    }
    if ((size_t)off >= len || size > len - (size_t)off) {
        fuse_reply_err(req, ENOSPC);
        return;
    }
    memcpy(bytes + off, buf, size);
    fuse_reply_write(req, size);
}

static const struct fuse_lowlevel_ops ops = {
    .init = mem_init,
    .lookup = mem_lookup,
    .getattr = mem_getattr,
    .open = mem_open,
    .readdir = mem_readdir,
    .read = mem_read,
    .write = mem_write,
};

static int serve(struct memfs *m, const char *mnt)
{
    char *argv[] = {(char *)(size_t) "peer_memfs", "-omax_read=1048576", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(2, argv);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    struct fuse_session *se = fuse_session_new(&args, &ops, sizeof(ops), m);
    int err = 1;

    if (!se || !config)
        goto out;
    if (fuse_set_signal_handlers(se) != 0 || fuse_session_mount(se, mnt) != 0)
        goto out;
    printf("ready\n");
    fflush(stdout);
    err = fuse_session_loop_mt(se, config);
    fuse_session_unmount(se);
out:
    if (se) {
        fuse_remove_signal_handlers(se);
        fuse_session_destroy(se);
    }
    if (config)
        fuse_loop_cfg_destroy(config);
    fuse_opt_free_args(&args);
    return err;
}

/* From now on `data` is that file. */
static bool open_file(struct memfs *m, const char *path)
{
    struct stat st;

    m->fd = open(path, O_RDONLY | O_DIRECT);
    if (m->fd < 0 || fstat(m->fd, &st) != 0)
        return false;
    m->len = (size_t)st.st_size;
    return true;
}

int main(int argc, char **argv)
{
    struct memfs m = {.fd = -1};
    int err;

    if (argc < 3 || argc > 4 || (m.room = strtoull(argv[2], NULL, 10)) == 0 ||
        (argc == 4 && m.room <= REQUEST_MAX)) {
        fprintf(stderr, "usage: peer_memfs MNT BYTES [FILE]\n");
        return 2;
    }
    m.len = m.room;
    if (argc == 4 && !open_file(&m, argv[3])) {
        fprintf(stderr, "peer_memfs: %s: %s\n", argv[3], strerror(errno));
        return 1;
    }
    m.bytes = aligned_alloc(2u << 20, (m.room + (2u << 20) - 1) & ~(size_t)((2u << 20) - 1));
    if (!m.bytes) {
        fprintf(stderr, "peer_memfs: no memory for %s bytes\n", argv[2]);
        return 1;
    }
    (void)madvise(m.bytes, m.room, MADV_HUGEPAGE);
    memset(m.bytes, 0x5a, m.room);
    err = serve(&m, argv[1]);
    free(m.bytes);
    return err ? 1 : 0;
}
