/*
 * sim_disk_bytes.h - the content of one simulated file: sparse, and cheap to copy.
 *
 * Bytes lie in chunks of 4096 that contents share until one of them writes, so cloning a disk
 * copies pointers, and a sync lets the durable content share the chunks of the current one.
 *
 * Ownership  init and clone make a content that deinit frees. Test support: no memory aborts.
 * Locking    the caller's, per content; contents that share chunks may be used in parallel.
 */
#ifndef SIM_DISK_BYTES_H
#define SIM_DISK_BYTES_H

#include <stddef.h>
#include <stdint.h>

#define SIM_CHUNK 4096u

struct sim_leaf; /* chunk pointers of 2 MiB */

struct sim_bytes {
    struct sim_leaf **leaves;
    size_t leaf_count;
    uint64_t size;
    uint64_t chunks; /* that are not holes */
};

void *sim_alloc(size_t len); /* zeroed; aborts when there is no memory */
void *sim_grow(void *old, size_t old_count, size_t *cap, size_t item_len); /* room for one more */

void sim_bytes_clone(struct sim_bytes *to, const struct sim_bytes *from);
void sim_bytes_deinit(struct sim_bytes *b);

/* Past the end and in holes: zeros. */
void sim_bytes_read(const struct sim_bytes *b, void *buf, uint64_t off, size_t len);
void sim_bytes_write(struct sim_bytes *b, const void *buf, uint64_t off, size_t len);
void sim_bytes_truncate(struct sim_bytes *b, uint64_t size);
void sim_bytes_allocate(struct sim_bytes *b, uint64_t off, uint64_t len);
void sim_bytes_punch(struct sim_bytes *b, uint64_t off, uint64_t len);

/* Makes the chunks that touch the range, and the size, those of `from`. */
void sim_bytes_share(struct sim_bytes *b, const struct sim_bytes *from, uint64_t off, uint64_t len);

/* Holes that a write of the range would fill. */
uint64_t sim_bytes_holes(const struct sim_bytes *b, uint64_t off, uint64_t len);

#endif
