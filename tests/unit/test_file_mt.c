/*
 * Syncs of one page file from two threads.
 */
#include <setjmp.h>
#include <stdarg.h>
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
    struct ps_io *io = sim_disk_io(disk);
    void *page = ps_buf_alloc(8192);
    struct ps_pagefile_page write = {.page_no = 0, .buf = page};
    struct ps_pagefile file, *files[] = {&file};
    struct other other = {.file = &file};
    struct ps_poison poison;

    (void)state;
    ps_poison_init(&poison, NULL, NULL);
    memset(page, 7, 8192);
    assert_int_equal(ps_pagefile_open(&file, io, "pages", 8192, PS_IO_CREATE, &poison), PS_OK);
    assert_int_equal(ps_pagefile_write(&file, &write, 1), PS_OK);
    sim_disk_set_hook(disk, ask_meanwhile, &other);
    assert_int_equal(ps_pagefile_sync(files, 1), PS_ERR_IO);
    if (!other.joined)
        pthread_join(other.thread, NULL);
    assert_int_equal(other.err, PS_ERR_POISONED);
    ps_pagefile_close(&file);
    ps_poison_deinit(&poison);
    ps_buf_free(page);
    sim_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sync_beside_one_that_fails_is_not_told_that_all_is_well),
    };

    return cmocka_run_group_tests_name("file_mt", tests, NULL, NULL);
}
