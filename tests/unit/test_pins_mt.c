/*
 * Many threads that pin pages beside some that make and free pages of the same table, on the
 * smallest pool there is: none waits for ever, each gets the page that it asked for. Pins of the
 * store's own threads are no leaks.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/byteorder.h"
#include "io/io.h"
#include "pagestore/pin.h"
#include "sim_disk.h"
#include "temp_dir.h"

#define PAGE 4096u
#define FRAMES 16u
#define PAGES 100u
#define PINNERS 12u
#define CHANGERS 4u
#define ROUNDS 1000u

struct shared {
    struct ps_table *table;
    _Atomic unsigned failures;
    _Atomic uint64_t pinned, changed;
};

struct worker {
    struct shared *s;
    uint32_t no;
    pthread_t thread;
};

static bool is_page(const uint8_t *bytes, uint32_t page_no)
{
    ps_le64 number;

    memcpy(&number, bytes + 8, sizeof(number)); /* of the native header */
    return ps_get64(number) == page_no;
}

static void *pin_pages(void *arg)
{
    const struct worker *w = arg;
    uint32_t i;

    for (i = 0; i < ROUNDS; i++) {
        PS_SCOPED_PIN pin = {0};
        uint32_t page_no = (w->no * 31 + i * 7) % PAGES;

        if (ps_pin_ref(&pin, w->s->table, page_no, NULL) ||
            !is_page(ps_pin_ref_read(&pin), page_no))
            w->s->failures++;
        w->s->pinned++;
    }
    return NULL;
}

/* A page of its own behind those that are pinned. */
static void *change_pages(void *arg)
{
    const struct worker *w = arg;
    uint32_t i;

    for (i = 0; i < ROUNDS / 10; i++) {
        if (ps_page_create(w->s->table, PAGES + w->no, NULL) ||
            ps_page_free(w->s->table, PAGES + w->no, NULL))
            w->s->failures++;
        w->s->changed++;
    }
    return NULL;
}

static void run(struct shared *s)
{
    struct worker workers[PINNERS + CHANGERS];
    uint32_t i;

    for (i = 0; i < PINNERS + CHANGERS; i++) {
        workers[i].s = s;
        workers[i].no = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        i < PINNERS ? pin_pages : change_pages, &workers[i]),
                         0);
    }
    for (i = 0; i < PINNERS + CHANGERS; i++)
        pthread_join(workers[i].thread, NULL);
}

static void pinners_and_changers_never_wait_for_each_other_for_ever(void **state)
{
    const struct ps_init_options init = {.page_size = PAGE};
    struct ps_store_options opts;
    char path[TEMP_DIR_LEN];
    struct shared s = {0};
    struct ps_store *store = NULL;
    struct ps_io *io = NULL;

    (void)state;
    temp_dir_make(path);
    assert_int_equal(ps_store_init(path, &init), PS_OK);
    assert_int_equal(ps_io_posix(path, PS_IO_KIND_BUFFERED, NULL, NULL, &io), PS_OK);
    ps_store_options_default(&opts);
    opts.pool_bytes = FRAMES * PAGE;
    opts.io_given = io;
    assert_int_equal(ps_store_open(path, &opts, &store), PS_OK);
    assert_int_equal(ps_table_create(store, "t", PS_FORMAT_NATIVE, PS_PAGE_RAW, &s.table), PS_OK);
    assert_int_equal(ps_truncate(s.table, PS_SPACE_IMAGE, PAGES * PAGE, NULL), PS_OK);

    run(&s);
    assert_int_equal(s.failures, 0);
    assert_int_equal(s.pinned, PINNERS * ROUNDS);
    assert_int_equal(s.changed, CHANGERS * (ROUNDS / 10));

    ps_table_unref(s.table);
    assert_int_equal(ps_store_close(store), PS_OK);
    ps_io_destroy(io);
    temp_dir_remove(path);
}

/* --- closing while pages are loaded ahead of a reader ----------------------------------------- */

#define READ_LEN (64u << 10)
#define WRITE_LEN (256u << 10) /* not more latches at once than TSan can follow */

static void count_leaks(void *ctx, enum ps_message_level level, const char *text)
{
    (void)level;
    *(unsigned *)ctx += strstr(text, "pin leak") != NULL;
}

/* A disk that takes its time, so that loads are under way when the store is closed. */
static enum sim_fault slow_read(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    const struct timespec latency = {.tv_nsec = 20000000};

    (void)ctx;
    (void)disk;
    if (op->kind == SIM_READ)
        (void)nanosleep(&latency, NULL);
    return SIM_NO_FAULT;
}

static struct ps_store *open_simulated(struct sim_disk *disk, unsigned *leaks)
{
    struct ps_store_options opts;
    struct ps_store *store = NULL;

    ps_store_options_default(&opts);
    opts.io_given = sim_disk_io(disk);
    opts.message = count_leaks;
    opts.ctx = leaks;
    assert_int_equal(ps_store_open("sim", &opts, &store), PS_OK);
    return store;
}

static void pages_that_are_loaded_ahead_are_no_leaks(void **state)
{
    struct sim_disk *disk = sim_disk_new(1);
    const struct ps_init_options init = {.io_given = sim_disk_io(disk)};
    uint8_t *buf = calloc(1, WRITE_LEN);
    struct ps_table *table = NULL;
    struct ps_store *store;
    struct ps_read read;
    unsigned leaks = 0;
    uint64_t off;

    (void)state;
    assert_int_equal(ps_store_init("sim", &init), PS_OK);
    store = open_simulated(disk, &leaks);
    assert_int_equal(ps_table_create(store, "t", PS_FORMAT_NATIVE, PS_PAGE_RAW, &table), PS_OK);
    for (off = 0; off < 4u << 20; off += WRITE_LEN)
        assert_int_equal(ps_write(table, PS_SPACE_IMAGE, off, buf, WRITE_LEN, 0, NULL), PS_OK);
    ps_table_unref(table);
    assert_int_equal(ps_store_close(store), PS_OK);

    store = open_simulated(disk, &leaks);
    assert_int_equal(ps_table_lookup(store, "t", &table), PS_OK);
    sim_disk_set_hook(disk, slow_read, NULL);
    for (off = 0; off < 3 * READ_LEN; off += READ_LEN) {
        assert_int_equal(ps_read_begin(table, PS_SPACE_IMAGE, off, READ_LEN, 0, NULL, &read),
                         PS_OK);
        ps_read_end(&read);
    }
    ps_table_unref(table);
    assert_int_equal(ps_store_close(store), PS_OK);
    assert_int_equal(leaks, 0);
    sim_disk_free(disk);
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pinners_and_changers_never_wait_for_each_other_for_ever),
        cmocka_unit_test(pages_that_are_loaded_ahead_are_no_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
