/*
 * sim_disk.c - the simulated disk: faults, clones, and what tests do to it from outside.
 */
#include "sim_disk.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_disk_private.h"

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

static enum sim_verdict verdict_of(enum sim_fault fault)
{
    switch (fault) {
    case SIM_NO_FAULT:
        return SIM_GO;
    case SIM_EIO:
        return SIM_FAIL_EIO;
    case SIM_ENOSPC:
        return SIM_FAIL_ENOSPC;
    case SIM_FSYNC_FAIL:
        return SIM_DROP_UNSYNCED;
    case SIM_LOST:
        return SIM_LOSE;
    case SIM_CUT:
        return SIM_GO_THEN_FAIL;
    }
    return SIM_GO;
}

/* Counts the operation and decides what becomes of it. Lets go of the mutex while a hook runs. */
enum sim_verdict sim_op_begin(struct sim_disk *disk, struct sim_op op)
{
    enum sim_fault fault;
    enum sim_fault hook_fault;

    ps_assert_held(&disk->mtx);
    if (disk->cut)
        return SIM_FAIL_POWER_OFF;
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

bool sim_goes(enum sim_verdict v)
{
    return v == SIM_GO || v == SIM_GO_THEN_FAIL;
}

int sim_verdict_errno(enum sim_verdict v)
{
    switch (v) {
    case SIM_GO:
    case SIM_LOSE:
        return 0;
    case SIM_FAIL_ENOSPC:
        return ENOSPC;
    case SIM_GO_THEN_FAIL:
    case SIM_DROP_UNSYNCED:
    case SIM_FAIL_EIO:
    case SIM_FAIL_POWER_OFF:
        break;
    }
    return EIO;
}

/* The result of an operation that is not a request of a batch. */
ps_err sim_verdict_err(enum sim_verdict v, const char *what, const char *path)
{
    int sys_errno = sim_verdict_errno(v);

    return sys_errno ? ps_fail_errno(sys_errno, "cannot %s %s", what, path) : PS_OK;
}

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *disk = sim_alloc(sizeof(*disk));

    disk->io.ops = &sim_ops;
    ps_mutex_init(&disk->mtx, PS_RANK_IO, "sim_disk.mtx");
    disk->rng = seed;
    disk->capacity = UINT64_MAX;
    disk->files_max = UINT32_MAX;
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
    clone->clock_us = atomic_load(&disk->clock_us);
    clone->real_clock = atomic_load(&disk->real_clock);
    clone->capacity = disk->capacity;
    clone->files_max = disk->files_max;
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

void sim_disk_set_files_max(struct sim_disk *disk, uint32_t files_max)
{
    disk->files_max = files_max;
}

void sim_disk_advance_us(struct sim_disk *disk, uint64_t us)
{
    disk->clock_us += us;
}

void sim_disk_use_real_clock(struct sim_disk *disk)
{
    disk->real_clock = true;
}

uint64_t sim_clock_us(const struct sim_disk *disk)
{
    struct timespec now;

    if (!disk->real_clock)
        return disk->clock_us;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

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
