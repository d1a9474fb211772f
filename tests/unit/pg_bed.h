/*
 * pg_bed.h - a copy of the corpus' cluster, to be damaged and opened.
 */
#ifndef PG_BED_H
#define PG_BED_H

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

#include "base/crc32c.h"
#include "corpus.h"
#include "expect.h"
#include "pg/cluster_internal.h"
#include "temp_dir.h"

#define PAGE 8192u
#define DB 16384u
#define CONTROL "global/pg_control"
#define CONTROL_LEN 8192u
#define CONTROL_CRC_AT 288u
#define MAP_LEN 512u
#define MAP_CRC_AT 504u

/* A copy of the corpus' cluster, to be damaged. */
struct bed {
    char dir[TEMP_DIR_LEN];
    char data[TEMP_DIR_LEN + 16];
    struct ps_pg_options opts;
    struct ps_store_options store_opts;
    struct ps_pg_cluster *cluster;
};

static inline void run(const char *fmt, ...) PS_PRINTF(1, 2);

static inline void run(const char *fmt, ...)
{
    char command[2048];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static inline void begin(struct bed *b, void **state)
{
    const struct corpus *c = *state;

    memset(b, 0, sizeof(*b));
    temp_dir_make(b->dir);
    (void)snprintf(b->data, sizeof(b->data), "%s/data", b->dir);
    run("cp -a '%s/cluster' '%s'", c->dir, b->data);
    b->opts.segment = UINT32_MAX;
    ps_store_options_default(&b->store_opts);
    b->store_opts.pool_bytes = 16u << 20;
    b->store_opts.no_threads = true;
}

static inline ps_err try_open(struct bed *b, const char *name)
{
    char path[TEMP_DIR_LEN + 300];

    (void)snprintf(path, sizeof(path), "%s%s", b->data, name);
    return ps_pg_open(path, &b->opts, &b->store_opts, &b->cluster);
}

static inline void shut(struct bed *b)
{
    if (b->cluster)
        ps_pg_close(b->cluster);
    b->cluster = NULL;
}

static inline void end(struct bed *b)
{
    shut(b);
    temp_dir_remove(b->dir);
}

struct search {
    const char *text;
    unsigned found;
};

static inline void search_note(void *ctx, const char *line)
{
    struct search *s = ctx;

    s->found += strstr(line, s->text) != NULL;
}

static inline unsigned notes_with(struct bed *b, const char *text)
{
    struct search s = {.text = text};

    ps_pg_notes(b->cluster, search_note, &s);
    return s.found;
}

static inline void print_note(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "note: %s\n", line);
}

static inline void expect_note(struct bed *b, const char *text)
{
    if (notes_with(b, text) == 1)
        return;
    ps_pg_notes(b->cluster, print_note, NULL);
    fail_msg("%u notes say '%s'", notes_with(b, text), text);
}

static inline void no_notes(struct bed *b)
{
    if (notes_with(b, "") == 0)
        return;
    ps_pg_notes(b->cluster, print_note, NULL);
    fail();
}

/* Reads a page of a file that the cluster found. */
static inline ps_err read_page(struct bed *b, const struct ps_pg_file *file, uint32_t page_no,
                               uint8_t page[PAGE])
{
    struct ps_table *t = NULL;
    ps_err err;

    ok(ps_table_get(ps_pg_store(b->cluster), file->id, &t));
    err = ps_page_copy(t, page_no, NULL, page);
    ps_table_unref(t);
    return err;
}

/* pg_class, whose node is known: it can be read, whatever else is damaged. */
static inline void expect_readable(struct bed *b)
{
    const struct ps_pg_file *file = ps_pg_file_find(b->cluster, DB, 0, 16638, PS_PG_MAIN);
    uint8_t page[PAGE];

    assert_non_null(file);
    ok(read_page(b, file, 0, page));
}

static inline void put(const struct bed *b, const char *name, const void *bytes, size_t len)
{
    char path[TEMP_DIR_LEN + 300];
    FILE *out;

    (void)snprintf(path, sizeof(path), "%s/%s", b->data, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static inline void get(const struct bed *b, const char *name, uint8_t *bytes, size_t len)
{
    char path[TEMP_DIR_LEN + 300];
    FILE *in;

    (void)snprintf(path, sizeof(path), "%s/%s", b->data, name);
    in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fread(bytes, 1, len, in), len);
    (void)fclose(in);
}

static inline void seal(uint8_t *bytes, size_t crc_at)
{
    const uint32_t crc = ps_crc32c(bytes, crc_at);

    memcpy(bytes + crc_at, &crc, sizeof(crc));
}

/* Changes a field of pg_control, whose checksum is right afterwards. */
static inline void patch_control(const struct bed *b, size_t at, uint32_t value)
{
    uint8_t bytes[CONTROL_LEN];

    get(b, CONTROL, bytes, sizeof(bytes));
    memcpy(bytes + at, &value, sizeof(value));
    seal(bytes, CONTROL_CRC_AT);
    put(b, CONTROL, bytes, sizeof(bytes));
}

/* Says that a server runs in the folder, as that process. */
static inline void write_pid(const struct bed *b, int pid)
{
    char text[400];
    int len = snprintf(text, sizeof(text), "%d\n%s\n1795132800\n5432\n", pid, b->data);

    put(b, "postmaster.pid", text, (size_t)len);
}

#endif
