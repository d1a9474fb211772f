/*
 * mem.h - aligned buffers for Direct I/O, and arenas for frames and the log.
 *
 * Flow       every layer that does I/O -> [mem] -> malloc, mmap
 * Units      lengths and offsets are bytes, of any alignment: they are rounded as it is needed.
 * Ownership  a buffer is the caller's until ps_buf_free, an arena until ps_arena_deinit.
 * Locking    none: an arena is made and unmade by one thread.
 * Errors     PS_ERR_NOMEM. Where the kernel has no huge pages an arena has small ones.
 * Promise    buffers and arenas are fit for Direct I/O.
 */
#ifndef PS_BASE_MEM_H
#define PS_BASE_MEM_H

#include <stddef.h>

#include "pagestore/err.h"

#define PS_IO_ALIGN 4096u /* buffers, offsets and lengths of Direct I/O; fits every device seen */

/* Zeroed, aligned to PS_IO_ALIGN; NULL when out of memory. Freed with ps_buf_free(). */
void *ps_buf_alloc(size_t len);
void ps_buf_free(void *buf);

#define PS_HUGE_PAGE ((size_t)2 << 20)

/* One anonymous mapping, aligned to PS_HUGE_PAGE and left out of core dumps. Whole huge pages are
 * asked for (MADV_HUGEPAGE) as far as the length goes, small ones for the rest, so that no more
 * memory is taken than it has; it is taken as it is touched. */
struct ps_arena {
    unsigned char *base;
    size_t len; /* a multiple of PS_IO_ALIGN */
};
PS_MUST_USE ps_err ps_arena_init(struct ps_arena *a, size_t len);
void ps_arena_deinit(struct ps_arena *a);
/* Takes the memory of [off, off + len) now, whatever is in it; others may use it meanwhile. A wish:
 * a kernel before 5.14 leaves it to the first touch. */
void ps_arena_populate(const struct ps_arena *a, size_t off, size_t len);
/* Gives back the whole huge pages in [off, off + len), whose bytes are nobody's: they are zero, and
 * take memory again when they are touched. */
void ps_arena_give_back(const struct ps_arena *a, size_t off, size_t len);

#endif
