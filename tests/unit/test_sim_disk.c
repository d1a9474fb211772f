/*
 * test_sim_disk.c - the simulated disk keeps what io.h promises and forgets what it may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "sim_disk.h"

#define BLOCK PS_IO_ALIGN

struct fixture {
    struct sim_disk *disk;
    struct ps_io *io;
    unsigned char *buf; /* BLOCK * 4 */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->disk = sim_disk_new(1);
    f->io = sim_disk_io(f->disk);
    f->buf = ps_buf_alloc(BLOCK * 4);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sim_disk_free(f->disk);
    ps_buf_free(f->buf);
    free(f);
    return 0;
}

static struct ps_io_file *open_file(struct ps_io *io, const char *path, unsigned flags)
{
    struct ps_io_file *file = NULL;

    assert_int_equal(io->ops->open(io, path, flags, &file), PS_OK);
    assert_string_equal(file->path, path);
    return file;
}

/* A file whose name and `blocks` blocks of `byte` are durable. */
static struct ps_io_file *durable_file(struct fixture *f, const char *path, int byte, size_t blocks)
{
    struct ps_io_file *file = open_file(f->io, path, PS_IO_CREATE);

    memset(f->buf, byte, blocks * BLOCK);
    assert_int_equal(ps_io_write(file, f->buf, blocks * BLOCK, 0), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    assert_int_equal(f->io->ops->sync_dir(f->io, "."), PS_OK);
    return file;
}

static ps_err write_block(struct fixture *f, struct ps_io_file *file, int byte, uint64_t block)
{
    memset(f->buf, byte, BLOCK);
    return ps_io_write(file, f->buf, BLOCK, block * BLOCK);
}

static ps_err write_durable(struct fixture *f, struct ps_io_file *file, int byte, uint64_t block)
{
    struct iovec iov = {.iov_base = f->buf, .iov_len = BLOCK};
    struct ps_io_req req = {
        .file = file, .op = PS_IO_WRITE_DURABLE, .off = block * BLOCK, .iov = &iov, .iov_count = 1};

    memset(f->buf, byte, BLOCK);
    return ps_io_run(f->io, &req, 1);
}

static void crash(struct fixture *f, struct ps_io_file *file, enum sim_crash_mode mode)
{
    ps_io_close(file);
    sim_disk_crash(f->disk, mode, 7);
}

/* The byte that fills the block; fails if it is not filled with one. */
static int block_byte(struct sim_disk *disk, const char *path, size_t block)
{
    size_t len;
    unsigned char *bytes = sim_disk_dump(disk, path, &len);
    int byte;

    assert_true(len >= (block + 1) * BLOCK);
    byte = bytes[block * BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        assert_int_equal(bytes[block * BLOCK + i], byte);
    free(bytes);
    return byte;
}

static uint64_t file_size(struct sim_disk *disk, const char *path)
{
    size_t len;

    free(sim_disk_dump(disk, path, &len));
    return len;
}

static void reads_return_what_was_written(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);
    size_t got;

    assert_int_equal(write_block(f, file, 'y', 3), PS_OK);
    memset(f->buf, 1, 4 * BLOCK);
    assert_int_equal(ps_io_read(file, f->buf, 4 * BLOCK, BLOCK, &got), PS_OK);
    assert_int_equal(got, 3 * BLOCK);
    assert_int_equal(f->buf[0], 'x');
    assert_int_equal(f->buf[BLOCK], 0);
    assert_int_equal(f->buf[2 * BLOCK], 'y');
    assert_int_equal(ps_io_read(file, f->buf, 2 * BLOCK, 3 * BLOCK, NULL), PS_ERR_IO);
    assert_string_equal(ps_message(), "a ends at byte 16384, 20480 were to be read");
    ps_io_close(file);
}

static void crash_drops_what_was_not_synced(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);

    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(write_block(f, file, 'z', 2), PS_OK);
    assert_int_equal(block_byte(f->disk, "a", 0), 'y');
    crash(f, file, SIM_CRASH_DROP);
    assert_int_equal(block_byte(f->disk, "a", 0), 'x');
    assert_int_equal(file_size(f->disk, "a"), 2 * BLOCK);
}

static void crash_can_keep_everything(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);

    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(write_block(f, file, 'z', 2), PS_OK);
    crash(f, file, SIM_CRASH_KEEP);
    assert_int_equal(block_byte(f->disk, "a", 0), 'y');
    assert_int_equal(block_byte(f->disk, "a", 2), 'z');
}

static void synced_bytes_survive_every_crash(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);

    assert_int_equal(write_block(f, file, 'y', 1), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_disk *clone = sim_disk_clone(f->disk);

        sim_disk_crash(clone, SIM_CRASH_SAMPLE, seed);
        assert_int_equal(block_byte(clone, "a", 0), 'x');
        assert_int_equal(block_byte(clone, "a", 1), 'y');
        sim_disk_free(clone);
    }
    ps_io_close(file);
}

static void sampled_crash_mixes_sectors_of_writes(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);
    bool torn = false;
    bool reordered = false;

    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(write_block(f, file, 'z', 1), PS_OK);
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim_disk *clone = sim_disk_clone(f->disk);
        size_t len;
        size_t old[2] = {0, 0};
        unsigned char *bytes;

        sim_disk_crash(clone, SIM_CRASH_SAMPLE, seed);
        bytes = sim_disk_dump(clone, "a", &len);
        assert_int_equal(len, 2 * BLOCK);
        for (size_t s = 0; s < len / SIM_SECTOR; s++) {
            const unsigned char *sector = bytes + s * SIM_SECTOR;
            size_t block = s * SIM_SECTOR / BLOCK;

            assert_true(sector[0] == 'x' || sector[0] == "yz"[block]);
            for (size_t i = 1; i < SIM_SECTOR; i++)
                assert_int_equal(sector[i], sector[0]);
            old[block] += sector[0] == 'x';
        }
        torn = torn || (old[0] > 0 && old[0] < BLOCK / SIM_SECTOR);
        reordered = reordered || (old[0] == BLOCK / SIM_SECTOR && old[1] == 0);
        free(bytes);
        sim_disk_free(clone);
    }
    assert_true(torn);
    assert_true(reordered);
    ps_io_close(file);
}

static void durable_write_survives_though_earlier_ones_do_not(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 3);

    assert_int_equal(write_block(f, file, 'p', 0), PS_OK);
    assert_int_equal(write_block(f, file, 'q', 1), PS_OK);
    assert_int_equal(write_durable(f, file, 'D', 1), PS_OK);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_disk *clone = sim_disk_clone(f->disk);

        sim_disk_crash(clone, SIM_CRASH_SAMPLE, seed);
        assert_int_equal(block_byte(clone, "a", 1), 'D');
        sim_disk_free(clone);
    }
    crash(f, file, SIM_CRASH_DROP);
    assert_int_equal(block_byte(f->disk, "a", 0), 'x');
    assert_int_equal(block_byte(f->disk, "a", 1), 'D');
}

static void durable_write_past_the_end_brings_its_size(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 1);

    assert_int_equal(write_block(f, file, 'p', 1), PS_OK);
    assert_int_equal(write_durable(f, file, 'D', 2), PS_OK);
    crash(f, file, SIM_CRASH_DROP);
    assert_int_equal(file_size(f->disk, "a"), 3 * BLOCK);
    assert_int_equal(block_byte(f->disk, "a", 1), 0);
    assert_int_equal(block_byte(f->disk, "a", 2), 'D');
}

static void sync_makes_truncate_allocate_and_punch_durable(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 4);

    assert_int_equal(f->io->ops->truncate(file, 2 * BLOCK), PS_OK);
    assert_int_equal(f->io->ops->allocate(file, 2 * BLOCK, 4 * BLOCK), PS_OK);
    assert_int_equal(f->io->ops->punch(file, 0, BLOCK), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    crash(f, file, SIM_CRASH_DROP);
    assert_int_equal(file_size(f->disk, "a"), 6 * BLOCK);
    assert_int_equal(block_byte(f->disk, "a", 0), 0);
    assert_int_equal(block_byte(f->disk, "a", 1), 'x');
    assert_int_equal(block_byte(f->disk, "a", 2), 0);
}

static void unsynced_truncate_is_undone_by_a_crash(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);

    assert_int_equal(f->io->ops->truncate(file, 0), PS_OK);
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_disk *clone = sim_disk_clone(f->disk);
        size_t len;
        unsigned char *bytes;

        sim_disk_crash(clone, SIM_CRASH_SAMPLE, seed);
        bytes = sim_disk_dump(clone, "a", &len);
        /* Old content whole, or what came after the cut: never the new block in the old file. */
        if (len == 2 * BLOCK) {
            for (size_t i = 0; i < len; i++)
                assert_int_equal(bytes[i], 'x');
        } else {
            for (size_t i = 0; i < len; i++)
                assert_true(bytes[i] == 'y' || bytes[i] == 0);
        }
        free(bytes);
        sim_disk_free(clone);
    }
    crash(f, file, SIM_CRASH_DROP);
    assert_int_equal(file_size(f->disk, "a"), 2 * BLOCK);
}

static void name_is_lost_until_its_folder_is_synced(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file;

    assert_int_equal(f->io->ops->mkdir(f->io, "d"), PS_OK);
    file = open_file(f->io, "d/a", PS_IO_CREATE);
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    ps_io_close(file);

    assert_int_equal(f->io->ops->sync_dir(f->io, "d"), PS_OK);
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 0);
    assert_false(sim_disk_exists(f->disk, "d/a")); /* d itself was not durable */
    assert_false(sim_disk_exists(f->disk, "d"));

    assert_int_equal(f->io->ops->mkdir(f->io, "d"), PS_OK);
    assert_int_equal(f->io->ops->sync_dir(f->io, "."), PS_OK);
    file = open_file(f->io, "d/a", PS_IO_CREATE);
    crash(f, file, SIM_CRASH_DROP);
    assert_true(sim_disk_exists(f->disk, "d"));
    assert_false(sim_disk_exists(f->disk, "d/a"));

    file = open_file(f->io, "d/a", PS_IO_CREATE);
    assert_int_equal(f->io->ops->sync_dir(f->io, "d"), PS_OK);
    crash(f, file, SIM_CRASH_DROP);
    assert_true(sim_disk_exists(f->disk, "d/a"));
}

static void names_of_one_folder_survive_in_order(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct fixture *f = *state;
    unsigned seen = 0;

    for (size_t i = 0; i < 4; i++)
        ps_io_close(open_file(f->io, names[i], PS_IO_CREATE));
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim_disk *clone = sim_disk_clone(f->disk);
        size_t kept = 0;

        sim_disk_crash(clone, SIM_CRASH_SAMPLE, seed);
        while (kept < 4 && sim_disk_exists(clone, names[kept]))
            kept++;
        for (size_t i = kept; i < 4; i++)
            assert_false(sim_disk_exists(clone, names[i]));
        seen |= 1u << kept;
        sim_disk_free(clone);
    }
    assert_int_equal(seen, 0x1f); /* every length of the beginning occurred */
}

static void unsynced_rename_and_unlink_are_undone(void **state)
{
    struct fixture *f = *state;

    ps_io_close(durable_file(f, "a", 'x', 1));
    ps_io_close(durable_file(f, "b", 'y', 1));
    assert_int_equal(f->io->ops->rename(f->io, "a", "b"), PS_OK);
    assert_false(sim_disk_exists(f->disk, "a"));
    assert_int_equal(block_byte(f->disk, "b", 0), 'x');
    assert_int_equal(f->io->ops->unlink(f->io, "b"), PS_OK);
    assert_int_equal(f->io->ops->unlink(f->io, "b"), PS_ERR_NOENT);
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 0);
    assert_int_equal(block_byte(f->disk, "a", 0), 'x');
    assert_int_equal(block_byte(f->disk, "b", 0), 'y');

    assert_int_equal(f->io->ops->rename(f->io, "a", "b"), PS_OK);
    assert_int_equal(f->io->ops->sync_dir(f->io, "."), PS_OK);
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 0);
    assert_false(sim_disk_exists(f->disk, "a"));
    assert_int_equal(block_byte(f->disk, "b", 0), 'x');
}

static void unlinked_file_lives_while_it_is_open(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 1);

    assert_int_equal(f->io->ops->unlink(f->io, "a"), PS_OK);
    assert_int_equal(f->io->ops->sync_dir(f->io, "."), PS_OK);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 0, NULL), PS_OK);
    assert_int_equal(f->buf[0], 'x');
    ps_io_close(file);
}

static void nothing_changes_after_the_power_is_cut(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);
    struct ps_io_file *other = NULL;
    struct ps_io_stat st;
    uint64_t first = sim_disk_op_count(f->disk);

    sim_disk_cut_at(f->disk, first + 1);
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_false(sim_disk_is_cut(f->disk));
    assert_int_equal(write_block(f, file, 'z', 1), PS_ERR_IO); /* under way: may survive */
    assert_true(sim_disk_is_cut(f->disk));
    assert_int_equal(ps_io_sync(file), PS_ERR_IO);
    assert_int_equal(write_block(f, file, 'w', 0), PS_ERR_IO);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 0, NULL), PS_ERR_IO);
    assert_int_equal(f->io->ops->truncate(file, 0), PS_ERR_IO);
    assert_int_equal(f->io->ops->stat(file, &st), PS_ERR_IO);
    assert_int_equal(f->io->ops->open(f->io, "b", PS_IO_CREATE, &other), PS_ERR_IO);
    assert_int_equal(f->io->ops->unlink(f->io, "a"), PS_ERR_IO);
    assert_int_equal(f->io->ops->sync_dir(f->io, "."), PS_ERR_IO);
    assert_int_equal(sim_disk_op_count(f->disk), first + 2);
    crash(f, file, SIM_CRASH_KEEP);
    assert_int_equal(block_byte(f->disk, "a", 0), 'y');
    assert_int_equal(block_byte(f->disk, "a", 1), 'z');
    assert_false(sim_disk_is_cut(f->disk));
}

static void durable_write_that_the_cut_hits_may_be_torn(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 1);
    bool torn = false;

    sim_disk_cut_at(f->disk, sim_disk_op_count(f->disk));
    assert_int_equal(write_durable(f, file, 'D', 0), PS_ERR_IO);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_disk *clone = sim_disk_clone(f->disk);
        size_t len;
        size_t news = 0;
        unsigned char *bytes;

        sim_disk_crash(clone, SIM_CRASH_SAMPLE, seed);
        bytes = sim_disk_dump(clone, "a", &len);
        for (size_t i = 0; i < len; i += SIM_SECTOR)
            news += bytes[i] == 'D';
        torn = torn || (news > 0 && news < BLOCK / SIM_SECTOR);
        free(bytes);
        sim_disk_free(clone);
    }
    assert_true(torn);
    crash(f, file, SIM_CRASH_DROP);
    assert_int_equal(block_byte(f->disk, "a", 0), 'x');
}

static void files_from_before_a_crash_are_dead(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 1);
    struct ps_io_file *again;

    assert_int_equal(f->io->ops->lock(file, false), PS_OK);
    sim_disk_crash(f->disk, SIM_CRASH_KEEP, 0);
    assert_int_equal(write_block(f, file, 'y', 0), PS_ERR_IO);
    assert_int_equal(ps_io_sync(file), PS_ERR_IO);
    again = open_file(f->io, "a", 0);
    assert_int_equal(f->io->ops->lock(again, false), PS_OK);
    ps_io_close(file);
    assert_int_equal(block_byte(f->disk, "a", 0), 'x');
    ps_io_close(again);
}

static void armed_fault_hits_once_where_it_was_told(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);

    sim_disk_arm(f->disk, SIM_WRITE, 1, SIM_EIO);
    sim_disk_arm(f->disk, SIM_ALLOCATE, 0, SIM_ENOSPC);
    sim_disk_arm(f->disk, SIM_READ, 0, SIM_EIO);
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(write_block(f, file, 'z', 1), PS_ERR_IO);
    assert_string_equal(ps_message(), "cannot write 4096 bytes at 4096 of a: Input/output error");
    assert_int_equal(f->io->ops->allocate(file, 0, BLOCK), PS_ERR_NOSPC);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 0, NULL), PS_ERR_IO);
    assert_int_equal(block_byte(f->disk, "a", 0), 'y');
    assert_int_equal(block_byte(f->disk, "a", 1), 'x');
    assert_int_equal(write_block(f, file, 'z', 1), PS_OK);
    assert_int_equal(f->io->ops->allocate(file, 0, BLOCK), PS_OK);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, 0, NULL), PS_OK);
    ps_io_close(file);
}

static void failed_fsync_drops_what_was_not_durable(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 1);

    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    sim_disk_arm(f->disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    assert_int_equal(ps_io_sync(file), PS_ERR_IO);
    assert_string_equal(ps_message(), "cannot sync a: Input/output error");
    assert_int_equal(ps_io_sync(file), PS_OK); /* the lie that a retry would believe */
    assert_int_equal(block_byte(f->disk, "a", 0), 'x');
    ps_io_close(file);
}

static void lost_write_reports_success(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 1);

    sim_disk_arm(f->disk, SIM_WRITE, 0, SIM_LOST);
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    assert_int_equal(block_byte(f->disk, "a", 0), 'x');
    ps_io_close(file);
}

static void full_disk_refuses_new_space_only(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);
    struct ps_io_space space;

    sim_disk_set_capacity(f->disk, 3 * BLOCK);
    assert_int_equal(f->io->ops->space(f->io, &space), PS_OK);
    assert_int_equal(space.bytes_free, BLOCK);
    assert_int_equal(f->io->ops->allocate(file, 2 * BLOCK, 2 * BLOCK), PS_ERR_NOSPC);
    assert_int_equal(f->io->ops->allocate(file, 2 * BLOCK, BLOCK), PS_OK);
    assert_int_equal(write_block(f, file, 'y', 3), PS_ERR_NOSPC);
    assert_int_equal(write_block(f, file, 'y', 2), PS_OK);
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(f->io->ops->punch(file, 0, BLOCK), PS_OK);
    assert_int_equal(write_block(f, file, 'y', 3), PS_OK);
    ps_io_close(file);
}

struct cut_search {
    uint64_t calls;
    struct sim_disk *before_sync;
};

static enum sim_fault clone_before_sync(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    struct cut_search *search = ctx;

    search->calls++;
    if (op->kind == SIM_SYNC)
        search->before_sync = sim_disk_clone(disk);
    return op->kind == SIM_WRITE && op->off == BLOCK ? SIM_EIO : SIM_NO_FAULT;
}

static void hook_sees_each_operation_and_may_clone(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 2);
    struct cut_search search = {0};

    sim_disk_set_hook(f->disk, clone_before_sync, &search);
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    assert_int_equal(write_block(f, file, 'y', 1), PS_ERR_IO);
    assert_int_equal(ps_io_sync(file), PS_OK);
    assert_int_equal(search.calls, 3);
    sim_disk_set_hook(f->disk, NULL, NULL);
    assert_int_equal(write_block(f, file, 'w', 0), PS_OK);

    sim_disk_crash(search.before_sync, SIM_CRASH_DROP, 0);
    assert_int_equal(block_byte(search.before_sync, "a", 0), 'x');
    crash(f, file, SIM_CRASH_DROP);
    assert_int_equal(block_byte(f->disk, "a", 0), 'y');
    sim_disk_free(search.before_sync);
}

static void clone_goes_its_own_way(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 1);
    struct sim_disk *clone = sim_disk_clone(f->disk);
    struct ps_io_file *theirs = open_file(sim_disk_io(clone), "a", 0);

    assert_int_equal(sim_disk_op_count(clone), sim_disk_op_count(f->disk));
    assert_int_equal(write_block(f, file, 'y', 0), PS_OK);
    memset(f->buf, 'z', BLOCK);
    assert_int_equal(ps_io_write(theirs, f->buf, BLOCK, 0), PS_OK);
    assert_int_equal(block_byte(f->disk, "a", 0), 'y');
    assert_int_equal(block_byte(clone, "a", 0), 'z');
    ps_io_close(theirs);
    ps_io_close(file);
    sim_disk_free(clone);
}

static void same_seed_gives_the_same_crash(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 4);
    struct sim_disk *a;
    struct sim_disk *b;
    unsigned char *bytes_a;
    unsigned char *bytes_b;
    size_t len;

    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(write_block(f, file, (int)('a' + i), i), PS_OK);
    a = sim_disk_clone(f->disk);
    b = sim_disk_clone(f->disk);
    sim_disk_crash(a, SIM_CRASH_SAMPLE, 42);
    sim_disk_crash(b, SIM_CRASH_SAMPLE, 42);
    bytes_a = sim_disk_dump(a, "a", &len);
    bytes_b = sim_disk_dump(b, "a", &len);
    assert_memory_equal(bytes_a, bytes_b, len);
    free(bytes_a);
    free(bytes_b);
    sim_disk_free(a);
    sim_disk_free(b);
    ps_io_close(file);
}

static void flip_changes_one_bit_for_good(void **state)
{
    struct fixture *f = *state;

    ps_io_close(durable_file(f, "a", 0, 1));
    sim_disk_flip(f->disk, "a", 1000, 3);
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 0);
    {
        size_t len;
        unsigned char *bytes = sim_disk_dump(f->disk, "a", &len);

        for (size_t i = 0; i < len; i++)
            assert_int_equal(bytes[i], i == 1000 ? 8 : 0);
        free(bytes);
    }
}

static void sparse_file_of_a_terabyte_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = open_file(f->io, "a", PS_IO_CREATE);
    const uint64_t tib = (uint64_t)1 << 40;
    struct ps_io_stat st;

    assert_int_equal(f->io->ops->truncate(file, tib), PS_OK);
    assert_int_equal(write_block(f, file, 'x', tib / BLOCK - 1), PS_OK);
    assert_int_equal(ps_io_sync(file), PS_OK);
    assert_int_equal(f->io->ops->stat(file, &st), PS_OK);
    assert_true(st.size == tib);
    assert_int_equal(st.spent, BLOCK);
    assert_int_equal(ps_io_read(file, f->buf, BLOCK, tib - BLOCK, NULL), PS_OK);
    assert_int_equal(f->buf[0], 'x');
    ps_io_close(file);
}

static ps_err count_name(void *ctx, const char *name)
{
    size_t *count = ctx;

    assert_true(strcmp(name, "a") == 0 || strcmp(name, "b") == 0);
    (*count)++;
    return PS_OK;
}

static ps_err refuse_name(void *ctx, const char *name)
{
    (void)ctx;
    return ps_fail(PS_ERR_INVAL, "not %s", name);
}

static void list_names_the_entries_of_one_folder(void **state)
{
    struct fixture *f = *state;
    size_t count = 0;

    assert_int_equal(f->io->ops->mkdir(f->io, "d"), PS_OK);
    assert_int_equal(f->io->ops->mkdir(f->io, "d"), PS_ERR_EXIST);
    assert_int_equal(f->io->ops->mkdir(f->io, "no/e"), PS_ERR_NOENT);
    ps_io_close(open_file(f->io, "d/a", PS_IO_CREATE));
    ps_io_close(open_file(f->io, "d/b", PS_IO_CREATE));
    assert_int_equal(f->io->ops->list(f->io, "d", count_name, &count), PS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(f->io->ops->list(f->io, "no", count_name, &count), PS_ERR_NOENT);
    assert_int_equal(f->io->ops->list(f->io, ".", refuse_name, NULL), PS_ERR_INVAL);
}

static void lock_excludes_others_until_close(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *a = open_file(f->io, "lock", PS_IO_CREATE | PS_IO_BUFFERED);
    struct ps_io_file *b = open_file(f->io, "lock", PS_IO_BUFFERED);

    assert_int_equal(f->io->ops->lock(a, false), PS_OK);
    assert_int_equal(f->io->ops->lock(b, false), PS_ERR_IN_USE);
    ps_io_close(a);
    assert_int_equal(f->io->ops->lock(b, false), PS_OK);
    ps_io_close(b);
}

static void open_tells_what_is_wrong_with_a_name(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = NULL;

    assert_int_equal(f->io->ops->open(f->io, "a", 0, &file), PS_ERR_NOENT);
    assert_int_equal(f->io->ops->open(f->io, "no/a", PS_IO_CREATE, &file), PS_ERR_NOENT);
    ps_io_close(open_file(f->io, "a", PS_IO_CREATE | PS_IO_EXCL));
    assert_int_equal(f->io->ops->open(f->io, "a", PS_IO_CREATE | PS_IO_EXCL, &file), PS_ERR_EXIST);
    assert_int_equal(f->io->ops->mkdir(f->io, "d"), PS_OK);
    assert_int_equal(f->io->ops->open(f->io, "d", 0, &file), PS_ERR_IO);
    assert_null(file);
}

static void clock_moves_only_when_told(void **state)
{
    struct fixture *f = *state;
    uint64_t now_us = ps_io_now_us(f->io);
    uint64_t wall_us = ps_io_wall_us(f->io);

    assert_int_equal(ps_io_now_us(f->io), now_us);
    sim_disk_advance_us(f->disk, 1500);
    assert_int_equal(ps_io_now_us(f->io), now_us + 1500);
    assert_int_equal(ps_io_wall_us(f->io), wall_us + 1500);
}

static void disk_does_tens_of_thousands_of_small_operations_a_second(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file = durable_file(f, "a", 'x', 4);
    clock_t begin = clock();

    for (int i = 0; i < 20000; i++) {
        assert_int_equal(write_block(f, file, i, (uint64_t)i % 4), PS_OK);
        if (i % 4 == 0)
            assert_int_equal(ps_io_sync(file), PS_OK);
    }
    /* Processor time, and ten times what it takes without sanitizers: a guard against a copy of
     * everything creeping into each operation. */
    assert_true(clock() - begin < 2 * CLOCKS_PER_SEC);
    ps_io_close(file);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reads_return_what_was_written),
        T(crash_drops_what_was_not_synced),
        T(crash_can_keep_everything),
        T(synced_bytes_survive_every_crash),
        T(sampled_crash_mixes_sectors_of_writes),
        T(durable_write_survives_though_earlier_ones_do_not),
        T(durable_write_past_the_end_brings_its_size),
        T(sync_makes_truncate_allocate_and_punch_durable),
        T(unsynced_truncate_is_undone_by_a_crash),
        T(name_is_lost_until_its_folder_is_synced),
        T(names_of_one_folder_survive_in_order),
        T(unsynced_rename_and_unlink_are_undone),
        T(unlinked_file_lives_while_it_is_open),
        T(nothing_changes_after_the_power_is_cut),
        T(durable_write_that_the_cut_hits_may_be_torn),
        T(files_from_before_a_crash_are_dead),
        T(armed_fault_hits_once_where_it_was_told),
        T(failed_fsync_drops_what_was_not_durable),
        T(lost_write_reports_success),
        T(full_disk_refuses_new_space_only),
        T(hook_sees_each_operation_and_may_clone),
        T(clone_goes_its_own_way),
        T(same_seed_gives_the_same_crash),
        T(flip_changes_one_bit_for_good),
        T(sparse_file_of_a_terabyte_costs_nothing),
        T(list_names_the_entries_of_one_folder),
        T(lock_excludes_others_until_close),
        T(open_tells_what_is_wrong_with_a_name),
        T(clock_moves_only_when_told),
        T(disk_does_tens_of_thousands_of_small_operations_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
