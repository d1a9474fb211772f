/*
 * sim_disk_names.c - nodes, the names that lead to them, and the changes of folders.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_disk_private.h"

struct sim_node *sim_node_of(struct sim_disk *disk, uint32_t node)
{
    return disk->nodes[node];
}

uint32_t sim_node_new(struct sim_disk *disk, bool folder)
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
    disk->nodes[at]->mtime_us = SIM_WALL_START_US + sim_clock_us(disk);
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

static void names_set(struct sim_names *names, const char *path, uint32_t node)
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

bool sim_folder_is_there(const struct sim_disk *disk, const char *folder)
{
    bool found;
    size_t at;

    if (strcmp(folder, ".") == 0)
        return true;
    at = sim_names_find(&disk->now, folder, &found);
    return found && disk->nodes[disk->now.v[at].node]->folder;
}

bool sim_parent_is_there(const struct sim_disk *disk, const char *path)
{
    char folder[SIM_PATH_LEN];

    sim_folder_of(path, folder);
    return sim_folder_is_there(disk, folder);
}

void sim_dir_change_apply(struct sim_names *names, const struct sim_dir_change *change)
{
    if (change->kind == SIM_UNLINK || change->kind == SIM_RENAME)
        sim_names_remove(names, change->path);
    if (change->kind != SIM_UNLINK)
        names_set(names, change->kind == SIM_RENAME ? change->to : change->path, change->node);
}

void sim_dir_change_add(struct sim_disk *disk, enum sim_op_kind kind, const char *path,
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
