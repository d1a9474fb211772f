/*
 * Syncs of one page file from two threads; many files with few descriptors from several.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "file/file.h"
#include "sim_disk.h"

struct other {
    struct ps_pagefile *file;
    pthread_t thread;
    bool started, joined;
    ps_err err;
};

static void *other_main(void *arg)
{
    struct other *o = arg;
    struct ps_pagefile *files[] = {o->file};

    o->err = ps_pagefile_sync(files, 1);
    return NULL;
}

/* While the first sync is under way another thread asks for one, and has time to be told
 * something. The first one fails. */
static enum sim_fault ask_meanwhile(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct other *o = ctx;
    struct timespec deadline;

    (void)disk;
    if (op->kind != SIM_SYNC || o->started)
        return SIM_NO_FAULT;
    o->started = true;
    if (pthread_create(&o->thread, NULL, other_main, o) != 0)
        abort();
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 1;
    o->joined = pthread_timedjoin_np(o->thread, NULL, &deadline) == 0;
    return SIM_FSYNC_FAIL;
}

static void sync_beside_one_that_fails_is_not_told_that_all_is_well(void **state)
{
    struct sim_disk *disk = sim_disk_new(1);
    void *page = ps_buf_alloc(8192);
    struct ps_pagefile_page write = {.page_no = 0, .buf = page};
    struct ps_pagefile file, *files[] = {&file};
    struct other other = {.file = &file};
    struct ps_open_files open_files;
    struct ps_poison poison;

    (void)state;
    ps_poison_init(&poison, NULL, NULL);
    ps_open_files_init(&open_files, sim_disk_io(disk));
    memset(page, 7, 8192);
    assert_int_equal(ps_pagefile_open(&file, &open_files, "pages", 8192, PS_IO_CREATE, &poison),
                     PS_OK);
    assert_int_equal(ps_pagefile_write(&file, &write, 1), PS_OK);
    sim_disk_set_hook(disk, ask_meanwhile, &other);
    assert_int_equal(ps_pagefile_sync(files, 1), PS_ERR_IO);
    if (!other.joined)
        pthread_join(other.thread, NULL);
    assert_int_equal(other.err, PS_ERR_POISONED);
    ps_pagefile_close(&file);
    ps_open_files_deinit(&open_files);
    ps_poison_deinit(&poison);
    ps_buf_free(page);
    sim_disk_free(disk);
}

/* --- more files than may be open ---------------------------------------------------------- */

#define FILES 24u
#define THREADS 4u
#define ROUNDS 2000u

struct crowd {
    struct ps_pagefile files[FILES];
    struct ps_open_files open_files;
    struct ps_poison poison;
};

struct crowd_thread {
    struct crowd *crowd;
    pthread_t thread;
    unsigned no, wrong;
};

/* Each thread has a page of its own in every file, and knows what it wrote there last. */
static void *crowd_main(void *arg)
{
    struct crowd_thread *t = arg;
    unsigned char last[FILES] = {0}, *buf = ps_buf_alloc(4096);
    unsigned i, seed = t->no + 1;

    for (i = 0; i < ROUNDS; i++) {
        struct ps_pagefile_page page = {.page_no = t->no, .buf = buf};
        unsigned at = (seed = seed * 1103515245u + 12345u) >> 16, what = at / FILES % 4;
        struct ps_pagefile *file = &t->crowd->files[at %= FILES];

        if (what == 0) {
            memset(buf, last[at] = (unsigned char)(1 + i % 255), 4096);
            t->wrong += ps_pagefile_write(file, &page, 1) != PS_OK;
        } else if (what == 1 && i % 16 == 0) {
            t->wrong += ps_pagefile_sync(&file, 1) != PS_OK;
        } else {
            t->wrong += ps_pagefile_read(file, &page, 1) != PS_OK || buf[4095] != last[at];
        }
    }
    ps_buf_free(buf);
    return NULL;
}

/* A file that comes and goes beside them, as a table does that is made and dropped. */
static void *visitor_main(void *arg)
{
    struct crowd_thread *t = arg;
    struct crowd *c = t->crowd;
    unsigned char *buf = ps_buf_alloc(4096);
    unsigned i;

    memset(buf, 7, 4096);
    for (i = 0; i < ROUNDS; i++) {
        struct ps_pagefile_page page = {.page_no = 0, .buf = buf};
        struct ps_pagefile *file = malloc(sizeof(*file)); /* its memory goes with it */

        t->wrong += ps_pagefile_open(file, &c->open_files, "visitor", 4096, PS_IO_CREATE,
                                     &c->poison) != PS_OK;
        t->wrong += ps_pagefile_write(file, &page, 1) != PS_OK;
        ps_pagefile_close(file);
        free(file);
    }
    ps_buf_free(buf);
    return NULL;
}

static void more_files_than_may_be_open_serve_many_threads(void **state)
{
    struct sim_disk *disk = sim_disk_new(1);
    struct crowd *c = calloc(1, sizeof(*c));
    struct crowd_thread threads[THREADS + 1];
    char path[16];
    unsigned i;

    (void)state;
    sim_disk_set_files_max(disk, 2 * THREADS);
    ps_poison_init(&c->poison, NULL, NULL);
    ps_open_files_init(&c->open_files, sim_disk_io(disk));
    for (i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%u", i);
        assert_int_equal(
            ps_pagefile_open(&c->files[i], &c->open_files, path, 4096, PS_IO_CREATE, &c->poison),
            PS_OK);
    }
    for (i = 0; i <= THREADS; i++) {
        threads[i] = (struct crowd_thread){.crowd = c, .no = i};
        assert_int_equal(pthread_create(&threads[i].thread, NULL,
                                        i < THREADS ? crowd_main : visitor_main, &threads[i]),
                         0);
    }
    for (i = 0; i <= THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_int_equal(threads[i].wrong, 0);
    }
    for (i = 0; i < FILES; i++)
        ps_pagefile_close(&c->files[i]);
    ps_open_files_deinit(&c->open_files);
    ps_poison_deinit(&c->poison);
    free(c);
    sim_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sync_beside_one_that_fails_is_not_told_that_all_is_well),
        cmocka_unit_test(more_files_than_may_be_open_serve_many_threads),
    };

    return cmocka_run_group_tests_name("file_mt", tests, NULL, NULL);
}
