/*
 * mem.h - aligned buffers for Direct I/O, and arenas for frames and the log.
 *
 * Flow       every layer that does I/O -> [mem] -> malloc, mmap
 * Units      lengths and offsets are bytes, of any alignment: they are rounded as it is needed.
 * Ownership  a buffer is the caller's until ps_buf_free, an arena until ps_arena_deinit.
 * Locking    none: an arena is made and unmade by one thread.
 * Errors     PS_ERR_NOMEM. Where the kernel has no huge pages an arena has small ones.
 */
#ifndef PS_BASE_MEM_H
#define PS_BASE_MEM_H

#include <stddef.h>

#include "pagestore/err.h"

#define PS_IO_ALIGN 4096u /* buffers, offsets and lengths of Direct I/O; fits every device seen */

/* Zeroed, aligned to PS_IO_ALIGN; NULL when out of memory. Freed with ps_buf_free(). */
void *ps_buf_alloc(size_t len);
void ps_buf_free(void *buf);

/* One anonymous mapping, aligned to 2 MiB, asked to be backed by huge pages (MADV_HUGEPAGE) and
 * left out of core dumps; memory is taken as it is touched. */
struct ps_arena {
    unsigned char *base;
    size_t len;
};
PS_MUST_USE ps_err ps_arena_init(struct ps_arena *a, size_t len);
void ps_arena_deinit(struct ps_arena *a);
/* Takes the memory of [off, off + len) now, whatever is in it; others may use it meanwhile. A wish:
 * a kernel before 5.14 leaves it to the first touch. */
void ps_arena_populate(const struct ps_arena *a, size_t off, size_t len);

#endif
