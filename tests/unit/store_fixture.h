/* store_fixture.h - an open store on a simulated disk, without threads. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"
#include "pagestore/table.h"
#include "pagestore/txn.h"
#include "sim_disk.h"

struct fixture {
    struct sim_disk *disk;
    struct ps_store *store;
    uint32_t page_size;
    uint64_t max_wal;           /* 0: the default */
    struct ps_event last_event; /* without its names */
    char last_message[256];
};

static inline void on_message(void *ctx, enum ps_message_level level, const char *text)
{
    struct fixture *f = ctx;

    (void)level;
    snprintf(f->last_message, sizeof(f->last_message), "%s", text);
}

static inline void on_event(void *ctx, const struct ps_event *event)
{
    struct fixture *f = ctx;

    f->last_event = *event;
    f->last_event.name = f->last_event.name_old = NULL;
}

static inline void options(struct fixture *f, struct ps_store_options *opts)
{
    ps_store_options_default(opts);
    opts->io_given = sim_disk_io(f->disk);
    opts->no_threads = true;
    opts->pool_bytes = f->page_size > 8192 ? 8u << 20 : 4u << 20;
    opts->message = on_message;
    opts->event = on_event;
    if (f->max_wal)
        opts->max_wal = f->max_wal;
    opts->ctx = f;
}

static inline void reopen(struct fixture *f)
{
    struct ps_store_options opts;

    options(f, &opts);
    ok(ps_store_open("sim", &opts, &f->store));
}

static inline void close_store(struct fixture *f)
{
    ok(ps_store_close(f->store));
    f->store = NULL;
}

static inline void crash(struct fixture *f, enum sim_crash_mode mode)
{
    ps_store_abandon(f->store);
    f->store = NULL;
    sim_disk_crash(f->disk, mode, 7);
    reopen(f);
}

static inline int setup_with(void **state, uint32_t page_size, uint32_t segment_size)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct ps_init_options init = {.page_size = page_size, .segment_size = segment_size};

    f->page_size = page_size;
    f->max_wal = 4 * (uint64_t)segment_size;
    f->disk = sim_disk_new(1);
    init.io_given = sim_disk_io(f->disk);
    ok(ps_store_init("sim", &init));
    reopen(f);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    return setup_with(state, 8192, 0);
}

/* The log is full after a megabyte. */
static inline int setup_small_log(void **state)
{
    return setup_with(state, 8192, 256u << 10);
}

static inline int setup_1m(void **state)
{
    return setup_with(state, 1u << 20, 0);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->store)
        ps_store_abandon(f->store);
    sim_disk_free(f->disk);
    free(f);
    return 0;
}

static inline struct ps_table *make(struct fixture *f, const char *name, enum ps_format_id format)
{
    struct ps_table *t = NULL;

    ok(ps_table_create(f->store, name, format, PS_PAGE_RAW, &t));
    return t;
}

static inline struct ps_table *find(struct fixture *f, const char *name)
{
    struct ps_table *t = NULL;

    ok(ps_table_lookup(f->store, name, &t));
    return t;
}

static inline void fill(uint8_t *buf, size_t len, unsigned seed)
{
    size_t i;

    for (i = 0; i < len; i++)
        buf[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 7);
}

static inline void expect_payload(struct ps_table *t, uint64_t off, const uint8_t *want, size_t len)
{
    uint8_t *got = malloc(len);
    size_t n = 0;

    ok(ps_read(t, PS_SPACE_PAYLOAD, off, got, len, NULL, &n));
    assert_int_equal(n, len);
    assert_memory_equal(got, want, len);
    free(got);
}

#endif
