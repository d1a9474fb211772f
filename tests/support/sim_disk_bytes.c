/*
 * sim_disk_bytes.c - chunks with counted references, found through leaves of 512.
 */
#include "sim_disk_bytes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_CHUNKS 512u
#define SIZE_LIMIT ((uint64_t)1 << 44) /* 16 TiB: what ext4 takes; more is a bug of the caller */

struct chunk {
    _Atomic unsigned refs;
    unsigned char b[SIM_CHUNK];
};

struct sim_leaf {
    struct chunk *chunks[LEAF_CHUNKS]; /* NULL: a hole */
};

/* Stands for every chunk that has space and is all zeros; not counted. */
static struct chunk zero_chunk;

void *sim_alloc(size_t len)
{
    void *p = calloc(1, len);

    if (!p) {
        fprintf(stderr, "simulated disk: no memory for %zu bytes\n", len);
        abort();
    }
    return p;
}

void *sim_grow(void *old, size_t old_count, size_t *cap, size_t item_len)
{
    void *grown;

    if (old_count < *cap)
        return old;
    *cap = *cap ? *cap * 2 : 16;
    grown = sim_alloc(*cap * item_len);
    if (old_count > 0)
        memcpy(grown, old, old_count * item_len);
    free(old);
    return grown;
}

static struct chunk *chunk_ref(struct chunk *c)
{
    if (c && c != &zero_chunk)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

static void chunk_unref(struct chunk *c)
{
    if (c && c != &zero_chunk && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        free(c);
}

static struct chunk *chunk_at(const struct sim_bytes *b, uint64_t index)
{
    uint64_t leaf = index / LEAF_CHUNKS;

    if (leaf >= b->leaf_count || !b->leaves[leaf])
        return NULL;
    return b->leaves[leaf]->chunks[index % LEAF_CHUNKS];
}

/* Where the chunk's pointer stands; makes the leaf. */
static struct chunk **chunk_slot(struct sim_bytes *b, uint64_t index)
{
    uint64_t leaf = index / LEAF_CHUNKS;

    if (leaf >= b->leaf_count) {
        size_t count = (size_t)leaf + 1 + b->leaf_count / 2;
        struct sim_leaf **leaves = sim_alloc(count * sizeof(struct sim_leaf *));

        if (b->leaf_count > 0)
            memcpy(leaves, b->leaves, b->leaf_count * sizeof(struct sim_leaf *));
        free(b->leaves);
        b->leaves = leaves;
        b->leaf_count = count;
    }
    if (!b->leaves[leaf])
        b->leaves[leaf] = sim_alloc(sizeof(struct sim_leaf));
    return &b->leaves[leaf]->chunks[index % LEAF_CHUNKS];
}

/* Puts c, whose reference passes over, in the place of what was there. */
static void chunk_set(struct sim_bytes *b, uint64_t index, struct chunk *c)
{
    struct chunk **slot = chunk_slot(b, index);

    b->chunks += c != NULL;
    b->chunks -= *slot != NULL;
    chunk_unref(*slot);
    *slot = c;
}

/* A chunk that nobody else sees, with the bytes that were there. */
static struct chunk *chunk_own(struct sim_bytes *b, uint64_t index)
{
    struct chunk *old = chunk_at(b, index);
    struct chunk *c;

    if (old && old != &zero_chunk && atomic_load_explicit(&old->refs, memory_order_acquire) == 1)
        return old;
    c = sim_alloc(sizeof(*c));
    atomic_init(&c->refs, 1);
    if (old)
        memcpy(c->b, old->b, SIM_CHUNK);
    chunk_set(b, index, c);
    return c;
}

void sim_bytes_clone(struct sim_bytes *to, const struct sim_bytes *from)
{
    *to = *from;
    to->leaves = NULL;
    if (from->leaf_count > 0)
        to->leaves = sim_alloc(from->leaf_count * sizeof(struct sim_leaf *));
    for (size_t i = 0; i < from->leaf_count; i++) {
        if (!from->leaves[i])
            continue;
        to->leaves[i] = sim_alloc(sizeof(struct sim_leaf));
        for (size_t j = 0; j < LEAF_CHUNKS; j++)
            to->leaves[i]->chunks[j] = chunk_ref(from->leaves[i]->chunks[j]);
    }
}

void sim_bytes_deinit(struct sim_bytes *b)
{
    for (size_t i = 0; i < b->leaf_count; i++) {
        for (size_t j = 0; b->leaves[i] && j < LEAF_CHUNKS; j++)
            chunk_unref(b->leaves[i]->chunks[j]);
        free(b->leaves[i]);
    }
    free(b->leaves);
    memset(b, 0, sizeof(*b));
}

/* The piece of [off, off + len) that lies in off's chunk. */
static size_t piece_len(uint64_t off, uint64_t len)
{
    uint64_t room = SIM_CHUNK - off % SIM_CHUNK;

    return (size_t)(len < room ? len : room);
}

void sim_bytes_read(const struct sim_bytes *b, void *buf, uint64_t off, size_t len)
{
    unsigned char *to = buf;

    while (len > 0) {
        size_t n = piece_len(off, len);
        const struct chunk *c = chunk_at(b, off / SIM_CHUNK);

        if (c)
            memcpy(to, c->b + off % SIM_CHUNK, n);
        else
            memset(to, 0, n);
        to += n;
        off += n;
        len -= n;
    }
}

static void grow_to(struct sim_bytes *b, uint64_t size)
{
    if (size > SIZE_LIMIT) {
        fprintf(stderr, "simulated disk: a file of %llu bytes\n", (unsigned long long)size);
        abort();
    }
    if (b->size < size)
        b->size = size;
}

void sim_bytes_write(struct sim_bytes *b, const void *buf, uint64_t off, size_t len)
{
    const unsigned char *from = buf;

    grow_to(b, off + len);
    while (len > 0) {
        size_t n = piece_len(off, len);

        if (n == SIM_CHUNK && memcmp(from, zero_chunk.b, SIM_CHUNK) == 0)
            chunk_set(b, off / SIM_CHUNK, &zero_chunk);
        else
            memcpy(chunk_own(b, off / SIM_CHUNK)->b + off % SIM_CHUNK, from, n);
        from += n;
        off += n;
        len -= n;
    }
}

/* Zeros over a range; whole chunks become holes. */
static void clear_range(struct sim_bytes *b, uint64_t off, uint64_t len)
{
    while (len > 0) {
        size_t n = piece_len(off, len);
        uint64_t index = off / SIM_CHUNK;

        if (index >= (uint64_t)b->leaf_count * LEAF_CHUNKS)
            return;
        if (chunk_at(b, index)) {
            if (n == SIM_CHUNK)
                chunk_set(b, index, NULL);
            else
                memset(chunk_own(b, index)->b + off % SIM_CHUNK, 0, n);
        }
        off += n;
        len -= n;
    }
}

void sim_bytes_truncate(struct sim_bytes *b, uint64_t size)
{
    uint64_t end = (b->size + SIM_CHUNK - 1) / SIM_CHUNK * SIM_CHUNK;

    if (size < end)
        clear_range(b, size, end - size);
    b->size = 0;
    grow_to(b, size);
}

void sim_bytes_allocate(struct sim_bytes *b, uint64_t off, uint64_t len)
{
    uint64_t last = (off + len - 1) / SIM_CHUNK;

    grow_to(b, off + len);
    for (uint64_t i = off / SIM_CHUNK; i <= last; i++) {
        if (!chunk_at(b, i))
            chunk_set(b, i, &zero_chunk);
    }
}

void sim_bytes_punch(struct sim_bytes *b, uint64_t off, uint64_t len)
{
    clear_range(b, off, len);
}

void sim_bytes_share(struct sim_bytes *b, const struct sim_bytes *from, uint64_t off, uint64_t len)
{
    uint64_t chunks_max =
        (uint64_t)(b->leaf_count > from->leaf_count ? b->leaf_count : from->leaf_count) *
        LEAF_CHUNKS;
    uint64_t end = len > 0 ? (off + len - 1) / SIM_CHUNK + 1 : 0;

    if (end > chunks_max)
        end = chunks_max;
    for (uint64_t i = off / SIM_CHUNK; i < end; i++) {
        struct chunk *c = chunk_at(from, i);

        if (c != chunk_at(b, i))
            chunk_set(b, i, chunk_ref(c));
    }
    b->size = from->size;
}

uint64_t sim_bytes_holes(const struct sim_bytes *b, uint64_t off, uint64_t len)
{
    uint64_t holes = 0;

    for (uint64_t i = off / SIM_CHUNK; len > 0 && i <= (off + len - 1) / SIM_CHUNK; i++)
        holes += chunk_at(b, i) == NULL;
    return holes;
}
