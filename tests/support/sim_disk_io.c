/*
 * sim_disk_io.c - the simulated disk as an implementation of io.h.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim_disk_private.h"

struct sim_file {
    struct ps_io_file file; /* first */
    uint32_t node;
    uint64_t epoch;
    bool unaligned;
    bool rdonly;
    bool shares; /* the node's lock */
};

static struct sim_disk *disk_of(struct ps_io *io)
{
    return (struct sim_disk *)io;
}

static struct sim_disk *disk_of_file(const struct ps_io_file *file)
{
    return (struct sim_disk *)file->io;
}

/* Remembers what the next sync will make durable. src: the bytes, of writes. */
static void change_add(struct sim_node *node, enum sim_op_kind kind, bool durable, uint64_t off,
                       uint64_t len, const struct ps_io_req *src)
{
    size_t data_len = src ? (size_t)len : 0;
    struct sim_change *c = malloc(sizeof(*c) + data_len);
    size_t at = 0;

    if (!c)
        sim_misuse("a change", "no memory");
    atomic_init(&c->refs, 1);
    c->kind = kind;
    c->durable = durable;
    c->off = off;
    c->len = len;
    for (int i = 0; src && i < src->iov_count; i++) {
        memcpy(c->data + at, src->iov[i].iov_base, src->iov[i].iov_len);
        at += src->iov[i].iov_len;
    }
    node->changes =
        sim_grow(node->changes, node->change_count, &node->change_cap, sizeof(node->changes[0]));
    node->changes[node->change_count++] = c;
}

static void make_durable(struct sim_node *node)
{
    for (size_t i = 0; i < node->change_count; i++) {
        const struct sim_change *c = node->changes[i];
        uint64_t len = c->len;

        if (c->kind == SIM_TRUNCATE) /* everything from the new end on may differ */
            len = UINT64_MAX - c->off;
        sim_bytes_share(&node->durable, &node->now, c->off, len);
    }
    sim_node_forget_changes(node);
}

static void drop_unsynced(struct sim_node *node)
{
    sim_node_forget_changes(node);
    sim_bytes_deinit(&node->now);
    sim_bytes_clone(&node->now, &node->durable);
}

/* False: the capacity does not suffice for filling the range's holes. */
static bool has_room(const struct sim_disk *disk, const struct sim_node *node, uint64_t off,
                     uint64_t len)
{
    uint64_t chunks = 0;

    if (disk->capacity == UINT64_MAX)
        return true;
    for (size_t i = 0; i < disk->node_count; i++)
        chunks += disk->nodes[i] ? disk->nodes[i]->now.chunks : 0;
    return chunks + sim_bytes_holes(&node->now, off, len) <= disk->capacity / SIM_CHUNK;
}

static void write_now(struct sim_node *node, const struct ps_io_req *req)
{
    uint64_t at = req->off;

    for (int i = 0; i < req->iov_count; i++) {
        sim_bytes_write(&node->now, req->iov[i].iov_base, at, req->iov[i].iov_len);
        at += req->iov[i].iov_len;
    }
}

static void apply_write(struct sim_disk *disk, struct sim_node *node, const struct ps_io_req *req,
                        uint64_t len, bool durable)
{
    write_now(node, req);
    node->mtime_us = SIM_WALL_START_US + sim_clock_us(disk);
    if (durable && node->change_count == 0)
        sim_bytes_share(&node->durable, &node->now, req->off, len);
    else
        change_add(node, SIM_WRITE, durable, req->off, len, req);
}

static void run_read(struct sim_node *node, struct ps_io_req *req)
{
    uint64_t at = req->off;

    for (int i = 0; i < req->iov_count && at < node->now.size; i++) {
        uint64_t left = node->now.size - at;
        size_t n = req->iov[i].iov_len < left ? req->iov[i].iov_len : (size_t)left;

        sim_bytes_read(&node->now, req->iov[i].iov_base, at, n);
        req->done += n;
        at += n;
    }
}

static enum sim_verdict run_write(struct sim_disk *disk, struct sim_node *node,
                                  struct ps_io_req *req, enum sim_verdict v)
{
    uint64_t len = ps_io_req_len(req);

    if (sim_goes(v) && !has_room(disk, node, req->off, len))
        v = SIM_FAIL_ENOSPC;
    if (sim_goes(v) && len > 0)
        apply_write(disk, node, req, len, v == SIM_GO && req->op == PS_IO_WRITE_DURABLE);
    if (sim_verdict_errno(v) == 0)
        req->done = (size_t)len;
    return v;
}

static enum sim_op_kind kind_of(enum ps_io_op op)
{
    switch (op) {
    case PS_IO_READ:
        return SIM_READ;
    case PS_IO_WRITE:
        return SIM_WRITE;
    case PS_IO_WRITE_DURABLE:
        return SIM_WRITE_DURABLE;
    case PS_IO_SYNC:
        break;
    }
    return SIM_SYNC;
}

/* The node behind an open file; NULL when a crash has ended the file. */
static struct sim_node *live_node(struct sim_disk *disk, const struct sim_file *f)
{
    return f->epoch == disk->epoch ? sim_node_of(disk, f->node) : NULL;
}

static void check_request(const struct sim_file *f, const struct ps_io_req *req)
{
    if (req->op != PS_IO_SYNC && !f->unaligned && !ps_io_req_aligned(req))
        sim_misuse(f->file.path, "unaligned Direct I/O");
    if (f->rdonly && (req->op == PS_IO_WRITE || req->op == PS_IO_WRITE_DURABLE))
        sim_misuse(f->file.path, "a write to a file opened read-only");
}

static void run_one(struct sim_disk *disk, struct ps_io_req *req)
{
    const struct sim_file *f = (const struct sim_file *)req->file;
    struct sim_op op = {.kind = kind_of(req->op), .path = f->file.path, .off = req->off};
    struct sim_node *node;
    enum sim_verdict v;

    check_request(f, req);
    op.len = ps_io_req_len(req);
    req->done = 0;
    ps_mutex_lock(&disk->mtx);
    v = sim_op_begin(disk, op);
    node = live_node(disk, f);
    if (!node)
        v = SIM_FAIL_POWER_OFF;
    else if (req->op == PS_IO_READ && v == SIM_GO)
        run_read(node, req);
    else if (req->op == PS_IO_SYNC && v == SIM_GO)
        make_durable(node);
    else if (req->op == PS_IO_SYNC && v == SIM_DROP_UNSYNCED)
        drop_unsynced(node);
    else if (req->op == PS_IO_WRITE || req->op == PS_IO_WRITE_DURABLE)
        v = run_write(disk, node, req, v);
    ps_mutex_unlock(&disk->mtx);

    req->sys_errno = sim_verdict_errno(v);
    req->err = req->sys_errno == ENOSPC ? PS_ERR_NOSPC : req->sys_errno ? PS_ERR_IO : PS_OK;
}

/* A batch promises no order, so it begins anywhere. */
static ps_err sim_run(struct ps_io *io, struct ps_io_req *reqs, size_t count)
{
    struct sim_disk *disk = disk_of(io);
    size_t start = 0;

    if (count > 1) {
        ps_mutex_lock(&disk->mtx);
        start = (size_t)(sim_random(&disk->rng) % count);
        ps_mutex_unlock(&disk->mtx);
    }
    for (size_t i = 0; i < count; i++)
        run_one(disk, &reqs[(start + i) % count]);
    for (size_t i = 0; i < count; i++) {
        if (reqs[i].err)
            return ps_io_req_fail(&reqs[i]);
    }
    return PS_OK;
}

/* Truncate, allocate and punch: one operation of `kind` on an open file. */
static ps_err change_space(struct ps_io_file *file, enum sim_op_kind kind, const char *what,
                           uint64_t off, uint64_t len)
{
    struct sim_disk *disk = disk_of_file(file);
    const struct sim_op op = {.kind = kind, .path = file->path, .off = off, .len = len};
    struct sim_node *node;
    enum sim_verdict v;

    ps_mutex_lock(&disk->mtx);
    v = sim_op_begin(disk, op);
    node = live_node(disk, (const struct sim_file *)file);
    if (!node)
        v = SIM_FAIL_POWER_OFF;
    else if (kind == SIM_ALLOCATE && sim_goes(v) && !has_room(disk, node, off, len))
        v = SIM_FAIL_ENOSPC;
    if (sim_goes(v)) {
        if (kind == SIM_TRUNCATE)
            sim_bytes_truncate(&node->now, off);
        else if (kind == SIM_ALLOCATE)
            sim_bytes_allocate(&node->now, off, len);
        else
            sim_bytes_punch(&node->now, off, len);
        change_add(node, kind, false, off, len, NULL);
    }
    ps_mutex_unlock(&disk->mtx);
    return sim_verdict_err(v, what, file->path);
}

static ps_err sim_truncate(struct ps_io_file *file, uint64_t size)
{
    return change_space(file, SIM_TRUNCATE, "truncate", size, 0);
}

static ps_err sim_allocate(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    return change_space(file, SIM_ALLOCATE, "allocate space of", off, len);
}

static ps_err sim_punch(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    return change_space(file, SIM_PUNCH, "punch", off, len);
}

static ps_err sim_stat(struct ps_io_file *file, struct ps_io_stat *ret)
{
    struct sim_disk *disk = disk_of_file(file);
    const struct sim_node *node;
    ps_err err = PS_OK;

    ps_mutex_lock(&disk->mtx);
    node = live_node(disk, (const struct sim_file *)file);
    if (disk->cut || !node)
        err = sim_verdict_err(SIM_FAIL_POWER_OFF, "stat", file->path);
    else
        *ret = (struct ps_io_stat){
            .size = node->now.size,
            .spent = node->now.chunks * SIM_CHUNK,
            .mtime_us = node->mtime_us,
            .mode = S_IFREG | 0644,
        };
    ps_mutex_unlock(&disk->mtx);
    return err;
}

/* It tells of no holes. */
static ps_err sim_next_data(struct ps_io_file *file, uint64_t off, uint64_t *ret)
{
    struct ps_io_stat st = {0};
    ps_err err = sim_stat(file, &st);

    if (!err)
        *ret = off < st.size ? off : st.size;
    return err;
}

/* Reads do not take long. */
static void sim_will_read(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    (void)file;
    (void)off;
    (void)len;
}

static uint32_t sim_files_max(struct ps_io *io)
{
    return disk_of(io)->files_max;
}

static ps_err sim_lock(struct ps_io_file *file, bool shared)
{
    struct sim_file *f = (struct sim_file *)file;
    struct sim_disk *disk = disk_of_file(file);
    struct sim_node *node;
    ps_err err = PS_OK;

    ps_mutex_lock(&disk->mtx);
    node = live_node(disk, (const struct sim_file *)file);
    if (disk->cut || !node)
        err = sim_verdict_err(SIM_FAIL_POWER_OFF, "lock", file->path);
    else if (node->locked_by || (node->sharers > 0 && !shared))
        err = ps_fail(PS_ERR_IN_USE, "%s is locked by another process", file->path);
    else if (shared)
        node->sharers += f->shares = true;
    else
        node->locked_by = file;
    ps_mutex_unlock(&disk->mtx);
    return err;
}

/* Makes the file that open did not find. */
static ps_err create_file(struct sim_disk *disk, const char *path, uint32_t *ret_node)
{
    enum sim_verdict v = sim_op_begin(disk, (struct sim_op){.kind = SIM_CREATE, .path = path});

    if (sim_goes(v)) {
        *ret_node = sim_node_new(disk, false);
        sim_dir_change_add(disk, SIM_CREATE, path, "", *ret_node);
    }
    return sim_verdict_err(v, "create", path);
}

static ps_err find_or_create(struct sim_disk *disk, const char *path, unsigned flags,
                             uint32_t *ret_node)
{
    bool found;
    size_t at = sim_names_find(&disk->now, path, &found);

    if (disk->cut)
        return sim_verdict_err(SIM_FAIL_POWER_OFF, "open", path);
    if (!found && (!(flags & PS_IO_CREATE) || !sim_parent_is_there(disk, path)))
        return ps_fail_errno(ENOENT, "cannot open %s", path);
    if (!found)
        return create_file(disk, path, ret_node);
    if (flags & PS_IO_EXCL)
        return ps_fail_errno(EEXIST, "cannot create %s", path);
    *ret_node = disk->now.v[at].node;
    if (sim_node_of(disk, *ret_node)->folder)
        return ps_fail_errno(EISDIR, "cannot open %s", path);
    return PS_OK;
}

static ps_err sim_open(struct ps_io *io, const char *path, unsigned flags, struct ps_io_file **ret)
{
    struct sim_disk *disk = disk_of(io);
    struct sim_file *f;
    uint32_t node = 0;
    ps_err err;

    ps_mutex_lock(&disk->mtx);
    err = find_or_create(disk, path, flags, &node);
    if (!err) {
        f = sim_alloc(sizeof(*f));
        f->file.io = io;
        f->file.path = strdup(path);
        f->node = node;
        f->epoch = disk->epoch;
        f->unaligned = (flags & PS_IO_BUFFERED) != 0;
        f->rdonly = (flags & PS_IO_RDONLY) != 0;
        sim_node_of(disk, node)->open_count++;
        *ret = &f->file;
    }
    ps_mutex_unlock(&disk->mtx);
    return err;
}

static void sim_close(struct ps_io_file *file)
{
    struct sim_disk *disk = disk_of_file(file);
    struct sim_file *f = (struct sim_file *)file;
    struct sim_node *node;

    ps_mutex_lock(&disk->mtx);
    node = live_node(disk, f);
    if (node) {
        node->open_count--;
        if (node->locked_by == file)
            node->locked_by = NULL;
        node->sharers -= f->shares;
    }
    ps_mutex_unlock(&disk->mtx);
    free((char *)(uintptr_t)file->path);
    free(f);
}

static ps_err sim_stat_path(struct ps_io *io, const char *path, struct ps_io_stat *ret)
{
    struct ps_io_file *file = NULL;
    ps_err err = sim_open(io, path, PS_IO_RDONLY, &file);

    if (err)
        return err;
    err = sim_stat(file, ret);
    sim_close(file);
    return err;
}

static ps_err sim_mkdir(struct ps_io *io, const char *path)
{
    struct sim_disk *disk = disk_of(io);
    bool found;
    enum sim_verdict v;
    ps_err err;

    ps_mutex_lock(&disk->mtx);
    (void)sim_names_find(&disk->now, path, &found);
    if (found) {
        err = ps_fail_errno(EEXIST, "cannot make folder %s", path);
    } else if (!sim_parent_is_there(disk, path)) {
        err = ps_fail_errno(ENOENT, "cannot make folder %s", path);
    } else {
        v = sim_op_begin(disk, (struct sim_op){.kind = SIM_MKDIR, .path = path});
        if (sim_goes(v))
            sim_dir_change_add(disk, SIM_MKDIR, path, "", sim_node_new(disk, true));
        err = sim_verdict_err(v, "make folder", path);
    }
    ps_mutex_unlock(&disk->mtx);
    return err;
}

/* The file of that name; PS_ERR_NOENT, and PS_ERR_IO for a folder. */
static ps_err find_file(struct sim_disk *disk, const char *what, const char *path,
                        uint32_t *ret_node)
{
    bool found;
    size_t at = sim_names_find(&disk->now, path, &found);

    if (!found)
        return ps_fail_errno(ENOENT, "cannot %s %s", what, path);
    *ret_node = disk->now.v[at].node;
    if (sim_node_of(disk, *ret_node)->folder)
        return ps_fail_errno(EISDIR, "cannot %s %s", what, path);
    return PS_OK;
}

static ps_err sim_rename(struct ps_io *io, const char *from, const char *to)
{
    struct sim_disk *disk = disk_of(io);
    char from_folder[SIM_PATH_LEN];
    char to_folder[SIM_PATH_LEN];
    uint32_t node = 0;
    ps_err err;

    sim_folder_of(from, from_folder);
    sim_folder_of(to, to_folder);
    if (strcmp(from_folder, to_folder) != 0)
        sim_misuse(from, "a rename into another folder, whose crashes are not simulated");
    ps_mutex_lock(&disk->mtx);
    err = find_file(disk, "rename", from, &node);
    if (!err) {
        enum sim_verdict v = sim_op_begin(disk, (struct sim_op){.kind = SIM_RENAME, .path = from});

        if (sim_goes(v))
            sim_dir_change_add(disk, SIM_RENAME, from, to, node);
        err = sim_verdict_err(v, "rename", from);
    }
    ps_mutex_unlock(&disk->mtx);
    return err;
}

static ps_err sim_unlink(struct ps_io *io, const char *path)
{
    struct sim_disk *disk = disk_of(io);
    uint32_t node = 0;
    ps_err err;

    ps_mutex_lock(&disk->mtx);
    err = find_file(disk, "remove", path, &node);
    if (!err) {
        enum sim_verdict v = sim_op_begin(disk, (struct sim_op){.kind = SIM_UNLINK, .path = path});

        if (sim_goes(v))
            sim_dir_change_add(disk, SIM_UNLINK, path, "", node);
        err = sim_verdict_err(v, "remove", path);
    }
    ps_mutex_unlock(&disk->mtx);
    return err;
}

/* Makes the folder's names durable; those of its subfolders stay as they are. */
static void sync_names(struct sim_disk *disk, const char *folder)
{
    bool *done = sim_alloc(disk->dir_change_count + 1);

    for (size_t i = 0; i < disk->dir_change_count; i++) {
        char of[SIM_PATH_LEN];

        sim_folder_of(disk->dir_changes[i].path, of);
        done[i] = strcmp(of, folder) == 0;
        if (done[i])
            sim_dir_change_apply(&disk->durable, &disk->dir_changes[i]);
    }
    sim_dir_changes_drop(disk, done);
    free(done);
    sim_collect(disk);
}

static ps_err sim_sync_dir(struct ps_io *io, const char *path)
{
    struct sim_disk *disk = disk_of(io);
    ps_err err;

    ps_mutex_lock(&disk->mtx);
    if (!sim_folder_is_there(disk, path)) {
        err = ps_fail_errno(ENOENT, "cannot open folder %s", path);
    } else {
        enum sim_verdict v =
            sim_op_begin(disk, (struct sim_op){.kind = SIM_SYNC_DIR, .path = path});

        if (v == SIM_GO)
            sync_names(disk, path);
        err = sim_verdict_err(v, "sync folder", path);
    }
    ps_mutex_unlock(&disk->mtx);
    return err;
}

/* The paths are copied first, so that each() may use the disk. */
static ps_err sim_list(struct ps_io *io, const char *path,
                       ps_err (*each)(void *ctx, const char *name), void *ctx)
{
    struct sim_disk *disk = disk_of(io);
    struct sim_names names = {0};
    char folder[SIM_PATH_LEN];
    ps_err err = PS_OK;

    ps_mutex_lock(&disk->mtx);
    if (disk->cut)
        err = sim_verdict_err(SIM_FAIL_POWER_OFF, "list folder", path);
    else if (!sim_folder_is_there(disk, path))
        err = ps_fail_errno(ENOENT, "cannot open folder %s", path);
    else
        sim_names_copy(&names, &disk->now);
    ps_mutex_unlock(&disk->mtx);

    for (size_t i = 0; i < names.count && !err; i++) {
        const char *slash = strrchr(names.v[i].path, '/');

        sim_folder_of(names.v[i].path, folder);
        if (strcmp(folder, path) == 0)
            err = each(ctx, slash ? slash + 1 : names.v[i].path);
    }
    free(names.v);
    return err;
}

static ps_err sim_space(struct ps_io *io, struct ps_io_space *ret)
{
    struct sim_disk *disk = disk_of(io);
    uint64_t used = 0;

    ps_mutex_lock(&disk->mtx);
    for (size_t i = 0; i < disk->node_count; i++)
        used += disk->nodes[i] ? disk->nodes[i]->now.chunks * SIM_CHUNK : 0;
    ret->bytes_total = disk->capacity == UINT64_MAX ? (uint64_t)1 << 44 : disk->capacity;
    ret->bytes_free = used < ret->bytes_total ? ret->bytes_total - used : 0;
    ret->bytes_avail = ret->bytes_free;
    ps_mutex_unlock(&disk->mtx);
    return PS_OK;
}

static uint64_t sim_now_us(struct ps_io *io)
{
    return sim_clock_us(disk_of(io));
}

static uint64_t sim_wall_us(struct ps_io *io)
{
    return SIM_WALL_START_US + sim_now_us(io);
}

/* The disk outlives its users; sim_disk_free ends it. */
static void sim_destroy(struct ps_io *io)
{
    (void)io;
}

const struct ps_io_ops sim_ops = {
    .name = "simulated",
    .open = sim_open,
    .close = sim_close,
    .run = sim_run,
    .stat = sim_stat,
    .stat_path = sim_stat_path,
    .next_data = sim_next_data,
    .will_read = sim_will_read,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .punch = sim_punch,
    .mkdir = sim_mkdir,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .lock = sim_lock,
    .files_max = sim_files_max,
    .space = sim_space,
    .now_us = sim_now_us,
    .wall_us = sim_wall_us,
    .destroy = sim_destroy,
};
