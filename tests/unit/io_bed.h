/*
 * io_bed.h - a folder of real files, reached with Direct I/O by rings and by threads, through the
 * page cache, and through mappings.
 *
 * For the tests of real files, each of which includes it once.
 */
#ifndef TESTS_UNIT_IO_BED_H
#define TESTS_UNIT_IO_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/io.h"
#include "io/io_posix.h"
#include "temp_dir.h"

#define BLOCK PS_IO_ALIGN
#define BLOCKS_MAX 1600

struct fixture {
    char root[TEMP_DIR_LEN];
    struct ps_io *io;
    unsigned char *buf; /* BLOCKS_MAX blocks */
    enum ps_io_kind kind;
};

static inline int setup_kind(void **state, enum ps_io_kind kind)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    f->kind = kind;
    temp_dir_make(f->root);
    f->buf = ps_buf_alloc((size_t)BLOCKS_MAX * BLOCK);
    /* A file system without Direct I/O leaves io NULL: open_io skips the test. */
    if (ps_io_posix(f->root, kind, NULL, NULL, &f->io) != PS_OK)
        return kind == PS_IO_KIND_DIRECT ? 0 : -1;
    return 0;
}

static inline int setup_direct(void **state)
{
    return setup_kind(state, PS_IO_KIND_DIRECT);
}

/* As if the kernel had refused to make rings. */
static inline int setup_threads(void **state)
{
    int rc = setup_kind(state, PS_IO_KIND_DIRECT);
    struct fixture *f = *state;

    if (f->io)
        ((struct ps_posix_io *)f->io)->rings.refused = true;
    return rc;
}

static inline int setup_buffered(void **state)
{
    return setup_kind(state, PS_IO_KIND_BUFFERED);
}

static inline int setup_mmap(void **state)
{
    return setup_kind(state, PS_IO_KIND_MMAP);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    temp_dir_remove(f->root); /* first: a failed test may leave files open, which destroy minds */
    ps_io_destroy(f->io);
    ps_buf_free(f->buf);
    free(f);
    return 0;
}

static inline struct ps_io *io_or_skip(struct fixture *f)
{
    if (!f->io)
        skip();
    return f->io;
}

static inline struct ps_io_file *open_file(struct fixture *f, const char *path, unsigned flags)
{
    struct ps_io_file *file = NULL;
    struct ps_io *io = io_or_skip(f);

    assert_int_equal(io->ops->open(io, path, flags, &file), PS_OK);
    assert_string_equal(file->path, path);
    return file;
}

static inline void path_below(const struct fixture *f, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", f->root, name);
}

#define T_AS(test, kind)                                                        \
    {                                                                           \
        .name = #test "/" #kind, .test_func = test, .setup_func = setup_##kind, \
        .teardown_func = teardown                                               \
    }

/* Each in all ways, told apart by a suffix. */
#define T(test) T_AS(test, direct), T_AS(test, threads), T_AS(test, buffered), T_AS(test, mmap)

#endif
