#include "fs/inode.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "fs/handle.h"

#define PAGE_BITS 32
#define TABLE_BITS 26
#define ROOT_INO 1u /* what the kernel calls the root */
#define BUCKETS 4096u
#define FEW_PAGES 64u /* up to here look each page up, beyond walk what is open */

static_assert(PFS_NODE_COUNT <= 64, "a node fits six bits");
static_assert(PFS_NODE_ROOT == 0, "the root's number has no node bits");

/* Known about an inode: its open handles, or that its generation is not 0. */
struct known {
    uint64_t ino;
    uint64_t generation;
    struct pfs_handle *handles;
    struct known *next;
};

struct pfs_inodes {
    pthread_mutex_t mtx;
    struct known *buckets[BUCKETS]; /* guarded by mtx, as all that hangs off it */
    uint64_t last_generation;       /* guarded by mtx */
    _Atomic uint64_t generations;   /* inodes with one; read without a lock to skip the look-up */
};

uint64_t pfs_ino(const struct pfs_object *o)
{
    uint64_t page = o->id == PFS_NODE_ROOT ? ROOT_INO : o->page;

    assert(o->table <= PFS_TABLE_ID_MAX);
    return (uint64_t)o->id << (PAGE_BITS + TABLE_BITS) | (uint64_t)o->table << PAGE_BITS | page;
}

bool pfs_ino_decode(uint64_t ino, struct pfs_object *ret)
{
    uint64_t id = ino >> (PAGE_BITS + TABLE_BITS);

    if (id >= PFS_NODE_COUNT)
        return false;
    ret->id = (enum pfs_node_id)id;
    ret->table = (uint32_t)(ino >> PAGE_BITS) & PFS_TABLE_ID_MAX;
    ret->page = ret->id == PFS_NODE_ROOT ? 0 : (uint32_t)ino;
    return true;
}

static struct known **bucket_of(struct pfs_inodes *in, uint64_t ino)
{
    return &in->buckets[(ino * 0x9e3779b97f4a7c15u) >> 52];
}

static_assert(BUCKETS == 1u << (64 - 52), "bucket_of() uses the top bits");

static struct known *known_find(struct pfs_inodes *in, uint64_t ino)
{
    struct known *k = *bucket_of(in, ino);

    while (k && k->ino != ino)
        k = k->next;
    return k;
}

static struct known *known_get(struct pfs_inodes *in, uint64_t ino)
{
    struct known *k = known_find(in, ino);

    if (k)
        return k;
    k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->ino = ino;
    k->next = *bucket_of(in, ino);
    *bucket_of(in, ino) = k;
    return k;
}

/* Unlinks and frees *at if nothing is known about it any more; else moves on. */
static void known_tidy(struct known **at)
{
    struct known *k = *at;

    if (k->handles || k->generation)
        return;
    *at = k->next;
    free(k);
}

static void known_set_generation(struct pfs_inodes *in, struct known *k)
{
    if (!k->generation)
        in->generations++;
    k->generation = ++in->last_generation;
}

/* The page behind these handles is gone. */
static void known_kill(struct pfs_inodes *in, struct known *k)
{
    struct pfs_handle *next;

    if (!k->handles)
        return;
    for (struct pfs_handle *h = k->handles; h; h = next) {
        next = h->next;
        h->next = NULL;
        h->dead = true;
    }
    k->handles = NULL;
    known_set_generation(in, k);
}

ps_err pfs_inodes_create(struct pfs_inodes **ret)
{
    struct pfs_inodes *in = calloc(1, sizeof(*in));

    if (!in)
        return ps_fail(PS_ERR_NOMEM, "no memory for the table of open files");
    pthread_mutex_init(&in->mtx, NULL);
    *ret = in;
    return PS_OK;
}

void pfs_inodes_destroy(struct pfs_inodes *in)
{
    struct known *next;

    if (!in)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct known *k = in->buckets[i]; k; k = next) {
            assert(!k->handles);
            next = k->next;
            free(k);
        }
    }
    pthread_mutex_destroy(&in->mtx);
    free(in);
}

ps_err pfs_inodes_add(struct pfs_inodes *in, struct pfs_handle *h)
{
    struct known *k;

    pthread_mutex_lock(&in->mtx);
    k = known_get(in, pfs_ino(&h->object));
    if (k) {
        h->next = k->handles;
        k->handles = h;
    }
    pthread_mutex_unlock(&in->mtx);
    return k ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for an open file");
}

void pfs_inodes_remove(struct pfs_inodes *in, struct pfs_handle *h)
{
    struct known **at;
    struct pfs_handle **link;

    pthread_mutex_lock(&in->mtx);
    at = bucket_of(in, pfs_ino(&h->object));
    while (*at && (*at)->ino != pfs_ino(&h->object))
        at = &(*at)->next;
    if (*at) {
        link = &(*at)->handles;
        while (*link && *link != h)
            link = &(*link)->next;
        if (*link) /* a dead handle was taken out when its page went */
            *link = h->next;
        known_tidy(at);
    }
    pthread_mutex_unlock(&in->mtx);
}

struct pfs_handle *pfs_inodes_take(struct pfs_inodes *in)
{
    struct pfs_handle *h = NULL;

    pthread_mutex_lock(&in->mtx);
    for (size_t i = 0; i < BUCKETS && !h; i++) {
        for (struct known *k = in->buckets[i]; k && !h; k = k->next) {
            h = k->handles;
            if (h)
                k->handles = h->next;
        }
    }
    pthread_mutex_unlock(&in->mtx);
    return h;
}

static void kill_each(struct pfs_inodes *in, uint32_t table, uint64_t first, uint64_t count)
{
    struct pfs_object page = {.id = PFS_NODE_PAGE, .table = table};
    struct known *k;

    for (uint64_t i = 0; i < count; i++) {
        page.page = (uint32_t)(first + i);
        k = known_find(in, pfs_ino(&page));
        if (k)
            known_kill(in, k);
    }
}

static void kill_range(struct pfs_inodes *in, uint32_t table, uint64_t first, uint64_t count)
{
    struct pfs_object o;

    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct known *k = in->buckets[i]; k; k = k->next) {
            if (pfs_ino_decode(k->ino, &o) && o.id == PFS_NODE_PAGE && o.table == table &&
                o.page >= first && o.page - first < count)
                known_kill(in, k);
        }
    }
}

void pfs_inodes_pages_freed(struct pfs_inodes *in, uint32_t table, uint64_t first, uint64_t count)
{
    pthread_mutex_lock(&in->mtx);
    if (count <= FEW_PAGES)
        kill_each(in, table, first, count);
    else
        kill_range(in, table, first, count);
    pthread_mutex_unlock(&in->mtx);
}

/* Table ids are never used again: what was remembered about its inodes can go. */
void pfs_inodes_table_dropped(struct pfs_inodes *in, uint32_t table)
{
    struct pfs_object o;

    pthread_mutex_lock(&in->mtx);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct known **at = &in->buckets[i]; *at;) {
            struct known *k = *at;

            if (k->generation && pfs_ino_decode(k->ino, &o) && o.table == table) {
                k->generation = 0;
                in->generations--;
                known_tidy(at);
            }
            if (*at == k)
                at = &k->next;
        }
    }
    pthread_mutex_unlock(&in->mtx);
}

ps_err pfs_inodes_retire(struct pfs_inodes *in, uint64_t ino)
{
    struct known *k;

    pthread_mutex_lock(&in->mtx);
    k = known_get(in, ino);
    if (k)
        known_set_generation(in, k);
    pthread_mutex_unlock(&in->mtx);
    return k ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory to retire an inode");
}

uint64_t pfs_inodes_generation(struct pfs_inodes *in, uint64_t ino)
{
    const struct known *k;
    uint64_t generation;

    if (in->generations == 0)
        return 0;
    pthread_mutex_lock(&in->mtx);
    k = known_find(in, ino);
    generation = k ? k->generation : 0;
    pthread_mutex_unlock(&in->mtx);
    return generation;
}

bool pfs_inodes_text_len(struct pfs_inodes *in, uint64_t ino, uint64_t *ret)
{
    const struct pfs_gen *gen = NULL;
    const struct known *k;

    pthread_mutex_lock(&in->mtx);
    k = known_find(in, ino);
    for (const struct pfs_handle *h = k ? k->handles : NULL; h && !gen; h = h->next)
        gen = h->gen;
    if (gen)
        *ret = pfs_gen_len(gen);
    pthread_mutex_unlock(&in->mtx);
    return gen != NULL;
}
