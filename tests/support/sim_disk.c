/*
 * sim_disk.c - the simulated disk as an implementation of io.h.
 */
#include "sim_disk.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim_disk_private.h"

#define WALL_START_US 1577836800000000u /* 2020-01-01, so that times look like times */

struct sim_file {
    struct ps_io_file file; /* first */
    uint32_t node;
    uint64_t epoch;
    bool unaligned;
    bool rdonly;
};

/* What becomes of an operation, once cut, faults and hook have been asked. */
enum verdict {
    GO,
    GO_THEN_FAIL, /* the power goes while it is under way: unsynced, and an error */
    LOSE,
    DROP_UNSYNCED,
    FAIL_EIO,
    FAIL_ENOSPC,
    FAIL_POWER_OFF,
};

static struct sim_disk *disk_of(struct ps_io *io)
{
    return (struct sim_disk *)io;
}

static struct sim_disk *disk_of_file(const struct ps_io_file *file)
{
    return (struct sim_disk *)file->io;
}

_Noreturn void sim_misuse(const char *path, const char *what)
{
    fprintf(stderr, "simulated disk: %s: %s\n", path, what);
    abort();
}

uint64_t sim_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ---- faults -------------------------------------------------------------------------------- */

/* The fault armed for this operation, which is the next of its kind. */
static enum sim_fault armed_fault(struct sim_disk *disk, enum sim_op_kind kind)
{
    enum sim_fault fault = SIM_NO_FAULT;
    size_t kept = 0;

    for (size_t i = 0; i < disk->armed_count; i++) {
        struct sim_armed a = disk->armed[i];

        if (a.kind == kind && a.after == 0) {
            fault = a.fault;
            continue;
        }
        a.after -= a.kind == kind;
        disk->armed[kept++] = a;
    }
    disk->armed_count = kept;
    return fault;
}

static enum sim_fault ask_hook(struct sim_disk *disk, const struct sim_op *op)
{
    sim_hook *hook = disk->hook;
    void *ctx = disk->hook_ctx;
    enum sim_fault fault;

    if (!hook)
        return SIM_NO_FAULT;
    ps_mutex_unlock(&disk->mtx); /* it may clone the disk */
    fault = hook(ctx, disk, op);
    ps_mutex_lock(&disk->mtx);
    return fault;
}

static enum verdict verdict_of(enum sim_fault fault)
{
    switch (fault) {
    case SIM_NO_FAULT:
        return GO;
    case SIM_EIO:
        return FAIL_EIO;
    case SIM_ENOSPC:
        return FAIL_ENOSPC;
    case SIM_FSYNC_FAIL:
        return DROP_UNSYNCED;
    case SIM_LOST:
        return LOSE;
    case SIM_CUT:
        return GO_THEN_FAIL;
    }
    return GO;
}

/* Counts the operation and decides what becomes of it. Lets go of the mutex while a hook runs. */
static enum verdict op_begin(struct sim_disk *disk, struct sim_op op)
{
    enum sim_fault fault;
    enum sim_fault hook_fault;

    ps_assert_held(&disk->mtx);
    if (disk->cut)
        return FAIL_POWER_OFF;
    op.no = op.kind == SIM_READ ? disk->kind_counts[SIM_READ] : disk->ops;
    disk->kind_counts[op.kind]++;
    disk->ops += op.kind != SIM_READ;

    fault = armed_fault(disk, op.kind);
    if (op.kind != SIM_READ && op.no >= disk->cut_at)
        fault = SIM_CUT;
    hook_fault = ask_hook(disk, &op);
    if (hook_fault != SIM_NO_FAULT)
        fault = hook_fault;
    if (fault == SIM_CUT)
        disk->cut = true;
    return verdict_of(fault);
}

static bool goes(enum verdict v)
{
    return v == GO || v == GO_THEN_FAIL;
}

static int verdict_errno(enum verdict v)
{
    switch (v) {
    case GO:
    case LOSE:
        return 0;
    case FAIL_ENOSPC:
        return ENOSPC;
    case GO_THEN_FAIL:
    case DROP_UNSYNCED:
    case FAIL_EIO:
    case FAIL_POWER_OFF:
        break;
    }
    return EIO;
}

/* The result of an operation that is not a request of a batch. */
static ps_err verdict_err(enum verdict v, const char *what, const char *path)
{
    int sys_errno = verdict_errno(v);

    return sys_errno ? ps_fail_errno(sys_errno, "cannot %s %s", what, path) : PS_OK;
}

/* ---- nodes and names ----------------------------------------------------------------------- */

struct sim_node *sim_node_of(struct sim_disk *disk, uint32_t node)
{
    return disk->nodes[node];
}

static uint32_t node_new(struct sim_disk *disk, bool folder)
{
    uint32_t at = 0;

    while (at < disk->node_count && disk->nodes[at])
        at++;
    if (at == disk->node_count) {
        disk->nodes =
            sim_grow(disk->nodes, disk->node_count, &disk->node_cap, sizeof(disk->nodes[0]));
        disk->node_count++;
    }
    disk->nodes[at] = sim_alloc(sizeof(struct sim_node));
    disk->nodes[at]->folder = folder;
    disk->nodes[at]->mtime_us = WALL_START_US + disk->clock_us;
    return at;
}

static void change_unref(struct sim_change *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        free(c);
}

void sim_node_forget_changes(struct sim_node *node)
{
    for (size_t i = 0; i < node->change_count; i++)
        change_unref(node->changes[i]);
    node->change_count = 0;
}

void sim_node_free(struct sim_disk *disk, uint32_t node)
{
    struct sim_node *n = disk->nodes[node];

    sim_node_forget_changes(n);
    free(n->changes);
    sim_bytes_deinit(&n->now);
    sim_bytes_deinit(&n->durable);
    free(n);
    disk->nodes[node] = NULL;
}

void sim_collect(struct sim_disk *disk)
{
    bool *used = sim_alloc(disk->node_count + 1);

    for (size_t i = 0; i < disk->now.count; i++)
        used[disk->now.v[i].node] = true;
    for (size_t i = 0; i < disk->durable.count; i++)
        used[disk->durable.v[i].node] = true;
    for (size_t i = 0; i < disk->dir_change_count; i++)
        used[disk->dir_changes[i].node] = true;
    for (uint32_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i] && !used[i] && disk->nodes[i]->open_count == 0)
            sim_node_free(disk, i);
    }
    free(used);
}

size_t sim_names_find(const struct sim_names *names, const char *path, bool *ret_found)
{
    size_t low = 0;
    size_t high = names->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(names->v[mid].path, path);

        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_found = false;
    return low;
}

static void set_path(char to[SIM_PATH_LEN], const char *path)
{
    if (strlen(path) >= SIM_PATH_LEN)
        sim_misuse(path, "the path is too long");
    snprintf(to, SIM_PATH_LEN, "%s", path);
}

void sim_names_set(struct sim_names *names, const char *path, uint32_t node)
{
    bool found;
    size_t at = sim_names_find(names, path, &found);

    if (!found) {
        names->v = sim_grow(names->v, names->count, &names->cap, sizeof(names->v[0]));
        memmove(&names->v[at + 1], &names->v[at], (names->count - at) * sizeof(names->v[0]));
        names->count++;
        set_path(names->v[at].path, path);
    }
    names->v[at].node = node;
}

void sim_names_remove(struct sim_names *names, const char *path)
{
    bool found;
    size_t at = sim_names_find(names, path, &found);

    if (!found)
        return;
    names->count--;
    memmove(&names->v[at], &names->v[at + 1], (names->count - at) * sizeof(names->v[0]));
}

void sim_names_copy(struct sim_names *to, const struct sim_names *from)
{
    free(to->v);
    to->count = from->count;
    to->cap = from->count;
    to->v = from->count ? sim_alloc(from->count * sizeof(from->v[0])) : NULL;
    if (from->count)
        memcpy(to->v, from->v, from->count * sizeof(from->v[0]));
}

void sim_folder_of(const char *path, char folder[SIM_PATH_LEN])
{
    const char *slash = strrchr(path, '/');

    set_path(folder, slash ? path : ".");
    if (slash)
        folder[slash - path] = '\0';
}

static bool folder_is_there(const struct sim_disk *disk, const char *folder)
{
    bool found;
    size_t at;

    if (strcmp(folder, ".") == 0)
        return true;
    at = sim_names_find(&disk->now, folder, &found);
    return found && disk->nodes[disk->now.v[at].node]->folder;
}

static bool parent_is_there(const struct sim_disk *disk, const char *path)
{
    char folder[SIM_PATH_LEN];

    sim_folder_of(path, folder);
    return folder_is_there(disk, folder);
}

void sim_dir_change_apply(struct sim_names *names, const struct sim_dir_change *change)
{
    if (change->kind == SIM_UNLINK || change->kind == SIM_RENAME)
        sim_names_remove(names, change->path);
    if (change->kind != SIM_UNLINK)
        sim_names_set(names, change->kind == SIM_RENAME ? change->to : change->path, change->node);
}

static void dir_change_add(struct sim_disk *disk, enum sim_op_kind kind, const char *path,
                           const char *to, uint32_t node)
{
    struct sim_dir_change change = {.kind = kind, .node = node};

    set_path(change.path, path);
    set_path(change.to, to);
    disk->dir_changes =
        sim_grow(disk->dir_changes, disk->dir_change_count, &disk->dir_change_cap, sizeof(change));
    disk->dir_changes[disk->dir_change_count++] = change;
    sim_dir_change_apply(&disk->now, &change);
}

void sim_dir_changes_drop(struct sim_disk *disk, const bool *mark)
{
    size_t kept = 0;

    for (size_t i = 0; i < disk->dir_change_count; i++) {
        if (!mark[i])
            disk->dir_changes[kept++] = disk->dir_changes[i];
    }
    disk->dir_change_count = kept;
}

/* ---- operations on one file ---------------------------------------------------------------- */

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
    node->mtime_us = WALL_START_US + disk->clock_us;
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

static enum verdict run_write(struct sim_disk *disk, struct sim_node *node, struct ps_io_req *req,
                              enum verdict v)
{
    uint64_t len = ps_io_req_len(req);

    if (goes(v) && !has_room(disk, node, req->off, len))
        v = FAIL_ENOSPC;
    if (goes(v) && len > 0)
        apply_write(disk, node, req, len, v == GO && req->op == PS_IO_WRITE_DURABLE);
    if (verdict_errno(v) == 0)
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
    enum verdict v;

    check_request(f, req);
    op.len = ps_io_req_len(req);
    req->done = 0;
    ps_mutex_lock(&disk->mtx);
    v = op_begin(disk, op);
    node = live_node(disk, f);
    if (!node)
        v = FAIL_POWER_OFF;
    else if (req->op == PS_IO_READ && v == GO)
        run_read(node, req);
    else if (req->op == PS_IO_SYNC && v == GO)
        make_durable(node);
    else if (req->op == PS_IO_SYNC && v == DROP_UNSYNCED)
        drop_unsynced(node);
    else if (req->op == PS_IO_WRITE || req->op == PS_IO_WRITE_DURABLE)
        v = run_write(disk, node, req, v);
    ps_mutex_unlock(&disk->mtx);

    req->sys_errno = verdict_errno(v);
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
    enum verdict v;

    ps_mutex_lock(&disk->mtx);
    v = op_begin(disk, op);
    node = live_node(disk, (const struct sim_file *)file);
    if (!node)
        v = FAIL_POWER_OFF;
    else if (kind == SIM_ALLOCATE && goes(v) && !has_room(disk, node, off, len))
        v = FAIL_ENOSPC;
    if (goes(v)) {
        if (kind == SIM_TRUNCATE)
            sim_bytes_truncate(&node->now, off);
        else if (kind == SIM_ALLOCATE)
            sim_bytes_allocate(&node->now, off, len);
        else
            sim_bytes_punch(&node->now, off, len);
        change_add(node, kind, false, off, len, NULL);
    }
    ps_mutex_unlock(&disk->mtx);
    return verdict_err(v, what, file->path);
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
        err = verdict_err(FAIL_POWER_OFF, "stat", file->path);
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

static ps_err sim_lock(struct ps_io_file *file)
{
    struct sim_disk *disk = disk_of_file(file);
    struct sim_node *node;
    ps_err err = PS_OK;

    ps_mutex_lock(&disk->mtx);
    node = live_node(disk, (const struct sim_file *)file);
    if (disk->cut || !node)
        err = verdict_err(FAIL_POWER_OFF, "lock", file->path);
    else if (node->locked_by && node->locked_by != file)
        err = ps_fail(PS_ERR_IN_USE, "%s is locked by another process", file->path);
    else
        node->locked_by = file;
    ps_mutex_unlock(&disk->mtx);
    return err;
}

/* ---- names --------------------------------------------------------------------------------- */

/* Makes the file that open did not find. */
static ps_err create_file(struct sim_disk *disk, const char *path, uint32_t *ret_node)
{
    enum verdict v = op_begin(disk, (struct sim_op){.kind = SIM_CREATE, .path = path});

    if (goes(v)) {
        *ret_node = node_new(disk, false);
        dir_change_add(disk, SIM_CREATE, path, "", *ret_node);
    }
    return verdict_err(v, "create", path);
}

static ps_err find_or_create(struct sim_disk *disk, const char *path, unsigned flags,
                             uint32_t *ret_node)
{
    bool found;
    size_t at = sim_names_find(&disk->now, path, &found);

    if (disk->cut)
        return verdict_err(FAIL_POWER_OFF, "open", path);
    if (!found && (!(flags & PS_IO_CREATE) || !parent_is_there(disk, path)))
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
    }
    ps_mutex_unlock(&disk->mtx);
    free((char *)(uintptr_t)file->path);
    free(f);
}

static ps_err sim_mkdir(struct ps_io *io, const char *path)
{
    struct sim_disk *disk = disk_of(io);
    bool found;
    enum verdict v;
    ps_err err;

    ps_mutex_lock(&disk->mtx);
    (void)sim_names_find(&disk->now, path, &found);
    if (found) {
        err = ps_fail_errno(EEXIST, "cannot make folder %s", path);
    } else if (!parent_is_there(disk, path)) {
        err = ps_fail_errno(ENOENT, "cannot make folder %s", path);
    } else {
        v = op_begin(disk, (struct sim_op){.kind = SIM_MKDIR, .path = path});
        if (goes(v))
            dir_change_add(disk, SIM_MKDIR, path, "", node_new(disk, true));
        err = verdict_err(v, "make folder", path);
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
    uint32_t node;
    ps_err err;

    sim_folder_of(from, from_folder);
    sim_folder_of(to, to_folder);
    if (strcmp(from_folder, to_folder) != 0)
        sim_misuse(from, "a rename into another folder, whose crashes are not simulated");
    ps_mutex_lock(&disk->mtx);
    err = find_file(disk, "rename", from, &node);
    if (!err) {
        enum verdict v = op_begin(disk, (struct sim_op){.kind = SIM_RENAME, .path = from});

        if (goes(v))
            dir_change_add(disk, SIM_RENAME, from, to, node);
        err = verdict_err(v, "rename", from);
    }
    ps_mutex_unlock(&disk->mtx);
    return err;
}

static ps_err sim_unlink(struct ps_io *io, const char *path)
{
    struct sim_disk *disk = disk_of(io);
    uint32_t node;
    ps_err err;

    ps_mutex_lock(&disk->mtx);
    err = find_file(disk, "remove", path, &node);
    if (!err) {
        enum verdict v = op_begin(disk, (struct sim_op){.kind = SIM_UNLINK, .path = path});

        if (goes(v))
            dir_change_add(disk, SIM_UNLINK, path, "", node);
        err = verdict_err(v, "remove", path);
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
    if (!folder_is_there(disk, path)) {
        err = ps_fail_errno(ENOENT, "cannot open folder %s", path);
    } else {
        enum verdict v = op_begin(disk, (struct sim_op){.kind = SIM_SYNC_DIR, .path = path});

        if (v == GO)
            sync_names(disk, path);
        err = verdict_err(v, "sync folder", path);
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
        err = verdict_err(FAIL_POWER_OFF, "list folder", path);
    else if (!folder_is_there(disk, path))
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
    struct sim_disk *disk = disk_of(io);
    uint64_t now_us;

    ps_mutex_lock(&disk->mtx);
    now_us = disk->clock_us;
    ps_mutex_unlock(&disk->mtx);
    return now_us;
}

static uint64_t sim_wall_us(struct ps_io *io)
{
    return WALL_START_US + sim_now_us(io);
}

/* The disk outlives its users; sim_disk_free ends it. */
static void sim_destroy(struct ps_io *io)
{
    (void)io;
}

static const struct ps_io_ops sim_ops = {
    .name = "simulated",
    .open = sim_open,
    .close = sim_close,
    .run = sim_run,
    .stat = sim_stat,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .punch = sim_punch,
    .mkdir = sim_mkdir,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .lock = sim_lock,
    .space = sim_space,
    .now_us = sim_now_us,
    .wall_us = sim_wall_us,
    .destroy = sim_destroy,
};

/* ---- the disk ------------------------------------------------------------------------------ */

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *disk = sim_alloc(sizeof(*disk));

    disk->io.ops = &sim_ops;
    ps_mutex_init(&disk->mtx, PS_RANK_IO, "sim_disk.mtx");
    disk->rng = seed;
    disk->capacity = UINT64_MAX;
    disk->cut_at = UINT64_MAX;
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    for (uint32_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i])
            sim_node_free(disk, i);
    }
    free(disk->nodes);
    free(disk->now.v);
    free(disk->durable.v);
    free(disk->dir_changes);
    ps_mutex_deinit(&disk->mtx);
    free(disk);
}

struct ps_io *sim_disk_io(struct sim_disk *disk)
{
    return &disk->io;
}

static struct sim_node *node_clone(const struct sim_node *from)
{
    struct sim_node *to = sim_alloc(sizeof(*to));

    to->folder = from->folder;
    to->mtime_us = from->mtime_us;
    sim_bytes_clone(&to->now, &from->now);
    sim_bytes_clone(&to->durable, &from->durable);
    to->change_count = from->change_count;
    to->change_cap = from->change_count;
    if (from->change_count > 0)
        to->changes = sim_alloc(from->change_count * sizeof(from->changes[0]));
    for (size_t i = 0; i < from->change_count; i++) {
        to->changes[i] = from->changes[i];
        atomic_fetch_add_explicit(&to->changes[i]->refs, 1, memory_order_relaxed);
    }
    return to;
}

static void clone_names(struct sim_disk *to, const struct sim_disk *from)
{
    sim_names_copy(&to->now, &from->now);
    sim_names_copy(&to->durable, &from->durable);
    to->dir_change_count = from->dir_change_count;
    to->dir_change_cap = from->dir_change_count;
    if (from->dir_change_count == 0)
        return;
    to->dir_changes = sim_alloc(from->dir_change_count * sizeof(from->dir_changes[0]));
    memcpy(to->dir_changes, from->dir_changes,
           from->dir_change_count * sizeof(from->dir_changes[0]));
}

struct sim_disk *sim_disk_clone(struct sim_disk *disk)
{
    struct sim_disk *clone = sim_disk_new(0);

    ps_mutex_lock(&disk->mtx);
    clone->nodes = sim_alloc((disk->node_count + 1) * sizeof(clone->nodes[0]));
    clone->node_count = disk->node_count;
    clone->node_cap = disk->node_count;
    for (size_t i = 0; i < disk->node_count; i++)
        clone->nodes[i] = disk->nodes[i] ? node_clone(disk->nodes[i]) : NULL;
    clone_names(clone, disk);
    clone->rng = disk->rng;
    clone->clock_us = disk->clock_us;
    clone->capacity = disk->capacity;
    clone->ops = disk->ops;
    memcpy(clone->kind_counts, disk->kind_counts, sizeof(clone->kind_counts));
    ps_mutex_unlock(&disk->mtx);
    return clone;
}

void sim_disk_set_hook(struct sim_disk *disk, sim_hook *hook, void *ctx)
{
    ps_mutex_lock(&disk->mtx);
    disk->hook = hook;
    disk->hook_ctx = ctx;
    ps_mutex_unlock(&disk->mtx);
}

void sim_disk_arm(struct sim_disk *disk, enum sim_op_kind kind, uint64_t after,
                  enum sim_fault fault)
{
    ps_mutex_lock(&disk->mtx);
    if (disk->armed_count == SIM_ARMED_MAX)
        sim_misuse("faults", "too many are armed");
    disk->armed[disk->armed_count++] =
        (struct sim_armed){.kind = kind, .after = after, .fault = fault};
    ps_mutex_unlock(&disk->mtx);
}

uint64_t sim_disk_op_count(struct sim_disk *disk)
{
    uint64_t count;

    ps_mutex_lock(&disk->mtx);
    count = disk->ops;
    ps_mutex_unlock(&disk->mtx);
    return count;
}

uint64_t sim_disk_kind_count(struct sim_disk *disk, enum sim_op_kind kind)
{
    uint64_t count;

    ps_mutex_lock(&disk->mtx);
    count = disk->kind_counts[kind];
    ps_mutex_unlock(&disk->mtx);
    return count;
}

void sim_disk_cut_at(struct sim_disk *disk, uint64_t op_no)
{
    ps_mutex_lock(&disk->mtx);
    disk->cut_at = op_no;
    ps_mutex_unlock(&disk->mtx);
}

bool sim_disk_is_cut(struct sim_disk *disk)
{
    bool cut;

    ps_mutex_lock(&disk->mtx);
    cut = disk->cut;
    ps_mutex_unlock(&disk->mtx);
    return cut;
}

void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes)
{
    ps_mutex_lock(&disk->mtx);
    disk->capacity = bytes;
    ps_mutex_unlock(&disk->mtx);
}

void sim_disk_advance_us(struct sim_disk *disk, uint64_t us)
{
    ps_mutex_lock(&disk->mtx);
    disk->clock_us += us;
    ps_mutex_unlock(&disk->mtx);
}

/* ---- looking and damaging ------------------------------------------------------------------ */

bool sim_disk_exists(struct sim_disk *disk, const char *path)
{
    bool found;

    ps_mutex_lock(&disk->mtx);
    (void)sim_names_find(&disk->now, path, &found);
    ps_mutex_unlock(&disk->mtx);
    return found;
}

static struct sim_node *node_named(struct sim_disk *disk, const char *path)
{
    bool found;
    size_t at = sim_names_find(&disk->now, path, &found);

    if (!found)
        sim_misuse(path, "no such file");
    return sim_node_of(disk, disk->now.v[at].node);
}

unsigned char *sim_disk_dump(struct sim_disk *disk, const char *path, size_t *ret_len)
{
    const struct sim_node *node;
    unsigned char *bytes;

    ps_mutex_lock(&disk->mtx);
    node = node_named(disk, path);
    bytes = sim_alloc((size_t)node->now.size + 1);
    sim_bytes_read(&node->now, bytes, 0, (size_t)node->now.size);
    *ret_len = (size_t)node->now.size;
    ps_mutex_unlock(&disk->mtx);
    return bytes;
}

void sim_disk_patch(struct sim_disk *disk, const char *path, uint64_t off, const void *bytes,
                    size_t len)
{
    struct sim_node *node;

    ps_mutex_lock(&disk->mtx);
    node = node_named(disk, path);
    sim_bytes_write(&node->now, bytes, off, len);
    sim_bytes_write(&node->durable, bytes, off, len);
    ps_mutex_unlock(&disk->mtx);
}

void sim_disk_flip(struct sim_disk *disk, const char *path, uint64_t byte, unsigned bit)
{
    unsigned char value;

    ps_mutex_lock(&disk->mtx);
    sim_bytes_read(&node_named(disk, path)->now, &value, byte, 1);
    ps_mutex_unlock(&disk->mtx);
    value = (unsigned char)(value ^ (1u << bit));
    sim_disk_patch(disk, path, byte, &value, 1);
}
