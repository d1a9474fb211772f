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
    if (len > SIZE_MAX / 2 - PS_HUGE_PAGE)
        return ps_fail(PS_ERR_NOMEM, "cannot map %zu bytes", len);
    rounded = (len + PS_IO_ALIGN - 1) / PS_IO_ALIGN * PS_IO_ALIGN;

    /* One huge page more than needed, so that an aligned piece is in it; the rest goes back. */
    map = mmap(NULL, rounded + PS_HUGE_PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return ps_fail_errno(errno, "cannot map %zu bytes", len);
    head = (PS_HUGE_PAGE - (uintptr_t)map % PS_HUGE_PAGE) % PS_HUGE_PAGE;
    base = map + head;
    if (head > 0)
        munmap(map, head);
    munmap(base + rounded, PS_HUGE_PAGE - head);

    /* Both are wishes: a kernel without huge pages serves small ones, and says EINVAL. */
    (void)madvise(base, rounded / PS_HUGE_PAGE * PS_HUGE_PAGE, MADV_HUGEPAGE);
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

void ps_arena_give_back(const struct ps_arena *a, size_t off, size_t len)
{
    const size_t from = (off + PS_HUGE_PAGE - 1) / PS_HUGE_PAGE * PS_HUGE_PAGE;
    const size_t to = (off + len) / PS_HUGE_PAGE * PS_HUGE_PAGE;

    assert(off <= a->len && len <= a->len - off);
    if (from < to)
        (void)madvise(a->base + from, to - from, MADV_DONTNEED);
}

void ps_arena_deinit(struct ps_arena *a)
{
    if (a->base)
        munmap(a->base, a->len);
    a->base = NULL;
    a->len = 0;
}
