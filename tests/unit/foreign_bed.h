/*
 * foreign_bed.h - a store of files that the test itself makes, or of the corpus', as somebody
 * else's.
 */
#ifndef FOREIGN_BED_H
#define FOREIGN_BED_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/io.h"
#include "pagestore/foreign.h"
#include "expect.h"
#include "temp_dir.h"

#define PAGE 8192u
#define TABLES_MAX 256u
#define SEGMENT_PAGES 131072u /* PostgreSQL's */

/* A provider of the tables in a list of ascending ids, and the store that it provides for. */
struct world {
    char dir[TEMP_DIR_LEN];
    struct ps_foreign_table tables[TABLES_MAX];
    uint32_t count;
    struct ps_foreign_ops ops;
    struct ps_store_options opts;
    char said[512]; /* the last message */
    struct ps_store *store;
};

static inline ps_err find(void *ctx, uint32_t from, struct ps_foreign_table *ret)
{
    const struct world *w = ctx;

    for (uint32_t i = 0; i < w->count; i++) {
        if (w->tables[i].id >= from) {
            *ret = w->tables[i];
            return PS_OK;
        }
    }
    return PS_ERR_NOENT;
}

static inline void keep_message(void *ctx, enum ps_message_level level, const char *text)
{
    struct world *w = ctx;

    (void)level;
    snprintf(w->said, sizeof(w->said), "%s", text);
}

static inline void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    temp_dir_make(w->dir);
    ps_store_options_default(&w->opts);
    w->opts.pool_bytes = 4u << 20;
    w->opts.message = keep_message;
    w->opts.ctx = w;
    w->ops = (struct ps_foreign_ops){.find = find, .ctx = w};
}

/* The table's path must stay. */
static inline struct ps_foreign_table *add(struct world *w, const char *path)
{
    struct ps_foreign_table *t = &w->tables[w->count++];

    *t = (struct ps_foreign_table){
        .id = w->count,
        .name = path ? path : "nothing",
        .format = PS_FORMAT_POSTGRES,
        .checksums = true,
        .path = path,
        .segment_pages = SEGMENT_PAGES,
    };
    return t;
}

static inline void open_store(struct world *w, const char *root)
{
    ok(ps_store_open_foreign(root, PAGE, &w->ops, &w->opts, &w->store));
}

static inline void end(struct world *w)
{
    if (w->store)
        ok(ps_store_close(w->store));
    temp_dir_remove(w->dir);
}

static inline struct ps_table *table(struct world *w, uint32_t id)
{
    struct ps_table *t = NULL;

    ok(ps_table_get(w->store, id, &t));
    return t;
}

/* --- files made here ---------------------------------------------------------------------- */

static inline int file_open(const struct world *w, const char *name)
{
    char path[600];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    fd = open(path, O_RDWR | O_CREAT, 0640);
    assert_true(fd >= 0);
    return fd;
}

/* A sound page, told from others by `mark`. */
static inline void make_page(uint8_t *page, const struct ps_format *fmt, uint32_t page_no,
                             uint8_t mark)
{
    const struct ps_page_ident who = {.page_size = PAGE, .page_no = page_no};

    fmt->init(page, &who, fmt->id == PS_FORMAT_POSTGRES ? PS_PAGE_SLOTTED : PS_PAGE_RAW);
    memset(page + PAGE / 2, mark, 16);
    fmt->seal(page, &who);
}

/* count pages, of which the first is page_no; byte PAGE / 2 of each is its number, and shift. */
static inline void put_pages(const struct world *w, const char *name, uint32_t page_no,
                             uint32_t count, uint8_t shift)
{
    uint8_t page[PAGE];
    int fd = file_open(w, name);

    for (uint32_t i = 0; i < count; i++) {
        make_page(page, &ps_format_postgres, page_no + i, (uint8_t)(page_no + i + shift));
        assert_int_equal(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
    }
    close(fd);
}

static inline void put_bytes(const struct world *w, const char *name, off_t off, const void *bytes,
                             size_t len)
{
    int fd = file_open(w, name);

    assert_int_equal(pwrite(fd, bytes, len, off), len);
    close(fd);
}

static inline void set_len(const struct world *w, const char *name, off_t len)
{
    int fd = file_open(w, name);

    assert_int_equal(ftruncate(fd, len), 0);
    close(fd);
}

static inline void expect_mark(struct ps_table *t, uint32_t page_no, uint8_t mark)
{
    uint8_t byte = 0;
    size_t got = 0;

    ok(ps_read(t, PS_SPACE_IMAGE, (uint64_t)page_no * PAGE + PAGE / 2, &byte, 1, NULL, &got));
    assert_int_equal(got, 1);
    assert_int_equal(byte, mark);
}

static inline uint64_t pages_end(struct ps_table *t)
{
    struct ps_table_info info;

    ok(ps_table_info(t, &info));
    return info.pages_end;
}

#endif
