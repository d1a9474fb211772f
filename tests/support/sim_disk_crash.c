/*
 * sim_disk_crash.c - what is left after the power went; sim_disk.h says what may be.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_disk_private.h"

struct choice {
    enum sim_crash_mode mode;
    uint64_t rng;
};

/* How many of `count` journalled things made it, at least `least`. */
static size_t choose_prefix(struct choice *choice, size_t least, size_t count)
{
    switch (choice->mode) {
    case SIM_CRASH_DROP:
        return least;
    case SIM_CRASH_KEEP:
        return count;
    case SIM_CRASH_SAMPLE:
        break;
    }
    return least + (size_t)(sim_random(&choice->rng) % (count - least + 1));
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The sectors of an unsynced write that made it: of each write all, none, or a mixture. Nothing
 * at or past `limit` is there. */
static void keep_sectors(struct choice *choice, struct sim_bytes *b, const struct sim_change *c,
                         uint64_t limit)
{
    enum { ALL, NONE, SOME, STYLES } style = ALL;
    uint64_t end = min_u64(c->off + c->len, limit);
    uint64_t at = c->off;

    if (choice->mode == SIM_CRASH_DROP && !c->durable)
        style = NONE;
    else if (choice->mode == SIM_CRASH_SAMPLE && !c->durable)
        style = sim_random(&choice->rng) % STYLES;
    while (at < end && style != NONE) {
        uint64_t next = min_u64((at / SIM_SECTOR + 1) * SIM_SECTOR, end);

        if (style == ALL)
            next = end;
        if (style == ALL || sim_random(&choice->rng) % 2 == 0)
            sim_bytes_write(b, c->data + (at - c->off), at, (size_t)(next - at));
        at = next;
    }
}

/* The journal has this operation: its effect on size and space is there for certain. */
static void replay_journalled(struct choice *choice, struct sim_bytes *b,
                              const struct sim_change *c)
{
    switch (c->kind) {
    case SIM_TRUNCATE:
        sim_bytes_truncate(b, c->off);
        break;
    case SIM_ALLOCATE:
        sim_bytes_allocate(b, c->off, c->len);
        break;
    case SIM_PUNCH:
        sim_bytes_punch(b, c->off, c->len);
        break;
    default:
        if (b->size < c->off + c->len)
            sim_bytes_truncate(b, c->off + c->len); /* its size, whatever becomes of its bytes */
        keep_sectors(choice, b, c, UINT64_MAX);
        break;
    }
}

/* A durable write brought the journal along up to itself. */
static size_t journal_least(const struct sim_node *node)
{
    for (size_t i = node->change_count; i > 0; i--) {
        if (node->changes[i - 1]->durable)
            return i;
    }
    return 0;
}

static void crash_node(struct choice *choice, struct sim_node *node)
{
    struct sim_bytes *b = &node->durable;
    size_t journalled = choose_prefix(choice, journal_least(node), node->change_count);
    uint64_t limit;

    for (size_t i = 0; i < journalled; i++)
        replay_journalled(choice, b, node->changes[i]);
    limit = b->size; /* what lies past this, or was cut off since, is space nobody knows of */
    for (size_t i = journalled; i < node->change_count; i++) {
        const struct sim_change *c = node->changes[i];

        if (c->kind == SIM_TRUNCATE)
            limit = min_u64(limit, c->off);
        else if (c->kind == SIM_WRITE)
            keep_sectors(choice, b, c, limit);
    }
    sim_node_forget_changes(node);
    sim_bytes_deinit(&node->now);
    sim_bytes_clone(&node->now, b);
    node->open_count = 0;
    node->locked_by = NULL;
    node->sharers = 0;
}

/* Decides for one folder how many of its unsynced operations made it, and applies those. */
static void crash_folder(struct choice *choice, struct sim_disk *disk, const char *folder,
                         bool *decided)
{
    char of[SIM_PATH_LEN];
    size_t count = 0;
    size_t kept;

    for (size_t i = 0; i < disk->dir_change_count; i++) {
        sim_folder_of(disk->dir_changes[i].path, of);
        count += strcmp(of, folder) == 0;
    }
    kept = choose_prefix(choice, 0, count);
    for (size_t i = 0; i < disk->dir_change_count; i++) {
        sim_folder_of(disk->dir_changes[i].path, of);
        if (strcmp(of, folder) != 0)
            continue;
        decided[i] = true;
        if (kept > 0) {
            sim_dir_change_apply(&disk->durable, &disk->dir_changes[i]);
            kept--;
        }
    }
}

/* A name whose folder did not make it is gone too. Names are sorted, so a folder comes before
 * what it holds. */
static void drop_orphans(struct sim_disk *disk)
{
    struct sim_names *names = &disk->durable;
    size_t i = 0;

    while (i < names->count) {
        char folder[SIM_PATH_LEN];
        bool found = true;

        sim_folder_of(names->v[i].path, folder);
        if (strcmp(folder, ".") != 0)
            (void)sim_names_find(names, folder, &found);
        if (found)
            i++;
        else
            sim_names_remove(names, names->v[i].path);
    }
}

static void crash_names(struct choice *choice, struct sim_disk *disk)
{
    bool *decided = sim_alloc(disk->dir_change_count + 1);

    for (size_t i = 0; i < disk->dir_change_count; i++) {
        char folder[SIM_PATH_LEN];

        if (decided[i])
            continue;
        sim_folder_of(disk->dir_changes[i].path, folder);
        crash_folder(choice, disk, folder, decided);
    }
    free(decided);
    disk->dir_change_count = 0;
    drop_orphans(disk);
    sim_names_copy(&disk->now, &disk->durable);
}

void sim_disk_crash(struct sim_disk *disk, enum sim_crash_mode mode, uint64_t seed)
{
    struct choice choice = {.mode = mode, .rng = seed};

    ps_mutex_lock(&disk->mtx);
    for (size_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i])
            crash_node(&choice, disk->nodes[i]);
    }
    crash_names(&choice, disk);
    sim_collect(disk);

    disk->epoch++;
    disk->cut = false;
    disk->cut_at = UINT64_MAX;
    disk->armed_count = 0;
    disk->hook = NULL;
    disk->ops = 0;
    memset(disk->kind_counts, 0, sizeof(disk->kind_counts));
    ps_mutex_unlock(&disk->mtx);
}
