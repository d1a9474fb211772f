/*
 * test_io_mt.c - batches run side by side, from several threads at once, on real files and on
 * the simulated disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/io.h"
#include "io/io_posix.h"
#include "sim_disk.h"
#include "temp_dir.h"

#define BLOCK PS_IO_ALIGN
#define THREADS 4
#define ROUNDS 20
#define BATCH 24

static unsigned helper_count(struct ps_io *io)
{
    struct ps_posix_workers *w = &((struct ps_posix_io *)io)->workers;
    unsigned count;

    ps_mutex_lock(&w->mtx);
    count = w->thread_count;
    ps_mutex_unlock(&w->mtx);
    return count;
}

struct shared {
    struct ps_io *io;
    _Atomic unsigned next_id;
    _Atomic unsigned failures;
};

/* A batch of writes, a batch of syncs and one of reads on a file of the thread's own. */
static bool round_trip(struct shared *s, struct ps_io_file *file, unsigned char *bufs, int mark)
{
    struct iovec iov[BATCH];
    struct ps_io_req reqs[BATCH];

    for (int op = 0; op < 3; op++) {
        static const enum ps_io_op ops[] = {PS_IO_WRITE, PS_IO_SYNC, PS_IO_READ};

        for (size_t i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){.iov_base = bufs + i * BLOCK, .iov_len = BLOCK};
            memset(iov[i].iov_base, op == 0 ? mark + (int)i : 0, BLOCK);
            reqs[i] = (struct ps_io_req){.file = file,
                                         .op = ops[op],
                                         .off = i * BLOCK,
                                         .iov = op == 1 ? NULL : &iov[i],
                                         .iov_count = op != 1};
        }
        if (ps_io_run(s->io, reqs, op == 1 ? 4 : BATCH) != PS_OK)
            return false;
    }
    for (size_t i = 0; i < BATCH; i++) {
        if (bufs[i * BLOCK] != (unsigned char)(mark + (int)i) || reqs[i].done != BLOCK)
            return false;
    }
    return true;
}

static void *work_on_own_file(void *arg)
{
    struct shared *s = arg;
    struct ps_io_file *file = NULL;
    unsigned char *bufs = ps_buf_alloc((size_t)BATCH * BLOCK);
    char path[16];

    snprintf(path, sizeof(path), "%u", atomic_fetch_add(&s->next_id, 1));
    if (s->io->ops->open(s->io, path, PS_IO_CREATE, &file) != PS_OK) {
        atomic_fetch_add(&s->failures, 1);
    } else {
        for (int i = 0; i < ROUNDS; i++) {
            if (!round_trip(s, file, bufs, i))
                atomic_fetch_add(&s->failures, 1);
        }
        ps_io_close(file);
    }
    ps_buf_free(bufs);
    return NULL;
}

static void run_all(struct ps_io *io)
{
    struct shared s = {.io = io};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work_on_own_file, &s), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&s.failures), 0);
}

static int setup_folder(void **state)
{
    *state = calloc(1, TEMP_DIR_LEN);
    temp_dir_make(*state);
    return 0;
}

static int remove_folder(void **state)
{
    temp_dir_remove(*state);
    free(*state);
    return 0;
}

static void threads_run_batches_of_real_files_at_once(void **state)
{
    static const enum ps_io_kind kinds[] = {PS_IO_KIND_AUTO, PS_IO_KIND_AUTO, PS_IO_KIND_BUFFERED,
                                            PS_IO_KIND_MMAP};

    for (size_t i = 0; i < 4; i++) {
        struct ps_io *io = NULL;

        assert_int_equal(ps_io_posix(*state, kinds[i], NULL, NULL, &io), PS_OK);
        ((struct ps_posix_io *)io)->rings.refused = i == 1; /* threads do it all */
        run_all(io);
        ps_io_destroy(io);
    }
}

static void threads_run_batches_of_the_simulated_disk_at_once(void **state)
{
    struct sim_disk *disk = sim_disk_new(3);

    (void)state;
    run_all(sim_disk_io(disk));
    sim_disk_crash(disk, SIM_CRASH_SAMPLE, 3);
    sim_disk_free(disk);
}

static void syncs_of_a_batch_get_helpers_that_the_next_one_keeps(void **state)
{
    struct ps_io *io = NULL;
    struct ps_io_req reqs[8];

    assert_int_equal(ps_io_posix(*state, PS_IO_KIND_BUFFERED, NULL, NULL, &io), PS_OK);
    for (size_t i = 0; i < 8; i++) {
        char path[8];

        snprintf(path, sizeof(path), "%zu", i);
        reqs[i] = (struct ps_io_req){.op = PS_IO_SYNC};
        assert_int_equal(io->ops->open(io, path, PS_IO_CREATE, &reqs[i].file), PS_OK);
    }
    assert_int_equal(ps_io_run(io, reqs, 1), PS_OK);
    assert_int_equal(helper_count(io), 0); /* one request runs where it was asked for */
    assert_int_equal(ps_io_run(io, reqs, 8), PS_OK);
    assert_int_equal(helper_count(io), 7);
    assert_int_equal(ps_io_run(io, reqs, 8), PS_OK);
    assert_int_equal(helper_count(io), 7);
    for (size_t i = 0; i < 8; i++)
        ps_io_close(reqs[i].file);
    ps_io_destroy(io);
}

/* A batch of direct reads of one file. */
struct reads {
    struct ps_io_req reqs[8];
    struct iovec iov[8];
    unsigned char *bufs;
};

static void reads_init(struct reads *r, struct ps_io *io)
{
    struct ps_io_file *file = NULL;

    assert_int_equal(io->ops->open(io, "reads", PS_IO_CREATE, &file), PS_OK);
    r->bufs = ps_buf_alloc(8 * BLOCK);
    memset(r->bufs, 'r', 8 * BLOCK);
    assert_int_equal(ps_io_write(file, r->bufs, 8 * BLOCK, 0), PS_OK);
    for (size_t i = 0; i < 8; i++) {
        r->iov[i] = (struct iovec){.iov_base = r->bufs + i * BLOCK, .iov_len = BLOCK};
        r->reqs[i] = (struct ps_io_req){
            .file = file, .op = PS_IO_READ, .off = i * BLOCK, .iov = &r->iov[i], .iov_count = 1};
    }
}

static bool reads_work(struct reads *r, struct ps_io *io)
{
    memset(r->bufs, 0, 8 * BLOCK);
    return ps_io_run(io, r->reqs, 8) == PS_OK && r->bufs[8 * BLOCK - 1] == 'r';
}

static void reads_deinit(struct reads *r)
{
    ps_io_close(r->reqs[0].file);
    ps_buf_free(r->bufs);
}

static bool has_ring(struct ps_io *io)
{
    return ((struct ps_posix_io *)io)->rings.count > 0;
}

/* Skips where there is no Direct I/O. */
static struct ps_io *direct_io(const char *root, void (*warn)(void *, const char *), void *ctx)
{
    struct ps_io *io = NULL;

    if (ps_io_posix(root, PS_IO_KIND_DIRECT, warn, ctx, &io))
        skip();
    return io;
}

static void child_of_fork_makes_rings_of_its_own(void **state)
{
    struct ps_io *io = direct_io(*state, NULL, NULL);
    struct reads r;
    int status = -1;
    pid_t child;

    reads_init(&r, io);
    assert_true(reads_work(&r, io));
    if (!has_ring(io)) {
        reads_deinit(&r);
        ps_io_destroy(io);
        skip();
    }
    child = fork();
    if (child == 0)
        _exit(reads_work(&r, io) && ((struct ps_posix_io *)io)->rings.count == 1 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(reads_work(&r, io));
    reads_deinit(&r);
    ps_io_destroy(io);
}

static void count_warning(void *ctx, const char *text)
{
    (*(int *)ctx)++;
    assert_non_null(strstr(text, "the kernel gives no io_uring (Too many open files)"));
}

static void refused_ring_is_said_once_and_threads_do_the_work(void **state)
{
    int warnings = 0;
    struct ps_io *io = direct_io(*state, count_warning, &warnings);
    struct rlimit before, none;
    struct reads r;
    bool worked;

    reads_init(&r, io);
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    worked = reads_work(&r, io) && reads_work(&r, io);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(worked);
    assert_true(reads_work(&r, io));
    assert_false(has_ring(io));
    assert_int_equal(warnings, 1);
    assert_true(helper_count(io) > 0);
    reads_deinit(&r);
    ps_io_destroy(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_run_batches_of_real_files_at_once, setup_folder,
                                        remove_folder),
        cmocka_unit_test(threads_run_batches_of_the_simulated_disk_at_once),
        cmocka_unit_test_setup_teardown(syncs_of_a_batch_get_helpers_that_the_next_one_keeps,
                                        setup_folder, remove_folder),
        cmocka_unit_test_setup_teardown(child_of_fork_makes_rings_of_its_own, setup_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(refused_ring_is_said_once_and_threads_do_the_work,
                                        setup_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
