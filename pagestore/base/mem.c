/*
 * mem.c - aligned buffers and arenas.
 */
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *ps_buf_alloc(size_t len)
{
    size_t rounded;
    void *buf;

    assert(len > 0);
    if (len > SIZE_MAX - PS_IO_ALIGN)
        return NULL;
    rounded = (len + PS_IO_ALIGN - 1) / PS_IO_ALIGN * PS_IO_ALIGN;
    buf = aligned_alloc(PS_IO_ALIGN, rounded);
    if (buf)
        memset(buf, 0, rounded);
    return buf;
}

void ps_buf_free(void *buf)
{
    free(buf);
}

ps_err ps_arena_init(struct ps_arena *a, size_t len)
{
    unsigned char *map;
    unsigned char *base;
    size_t rounded;
    size_t head;

    assert(len > 0);
    if (len > SIZE_MAX / 2 - HUGE_PAGE)
        return ps_fail(PS_ERR_NOMEM, "cannot map %zu bytes", len);
    rounded = (len + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;

    /* One huge page more than needed, so that an aligned piece is in it; the rest goes back. */
    map = mmap(NULL, rounded + HUGE_PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return ps_fail_errno(errno, "cannot map %zu bytes", len);
    head = (HUGE_PAGE - (uintptr_t)map % HUGE_PAGE) % HUGE_PAGE;
    base = map + head;
    if (head > 0)
        munmap(map, head);
    munmap(base + rounded, HUGE_PAGE - head);

    /* Both are wishes: a kernel without huge pages serves small ones, and says EINVAL. */
    (void)madvise(base, rounded, MADV_HUGEPAGE);
    (void)madvise(base, rounded, MADV_DONTDUMP);
    a->base = base;
    a->len = rounded;
    return PS_OK;
}

void ps_arena_populate(const struct ps_arena *a, size_t off, size_t len)
{
    const size_t small = off % PS_IO_ALIGN;

    assert(off <= a->len && len <= a->len - off);
    (void)madvise(a->base + off - small, len + small, MADV_POPULATE_WRITE);
}

void ps_arena_deinit(struct ps_arena *a)
{
    if (a->base)
        munmap(a->base, a->len);
    a->base = NULL;
    a->len = 0;
}
