/*
 * bench_append.c - time to reserve room in the log, and to append a group to it.
 *
 *     bench_append BYTES THREADS      see worker.h; a step is GROUPS_A_STEP groups
 *
 * A group is one record, a change of BYTES bytes of a page. All threads append to the same log,
 * and who finds its buffer full writes it out, to a device that takes everything at once.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"
#include "wal/wal.h"
#include "worker.h"

#define GROUPS_A_STEP 1000u
#define BYTES_MAX 65536u

struct job {
    struct ps_wal *wal;
    uint8_t *bytes;
    uint32_t len;
};

static void must(ps_err err, const char *what)
{
    if (err)
        worker_die(what, ps_message());
}

/* --- a device that takes everything and keeps nothing ------------------------------------- */

static ps_err open_file(struct ps_io *io, const char *path, unsigned flags, struct ps_io_file **ret)
{
    (void)flags;
    *ret = calloc(1, sizeof(**ret));
    if (!*ret)
        return ps_fail(PS_ERR_NOMEM, "no memory for a file");
    **ret = (struct ps_io_file){.io = io, .path = path};
    return PS_OK;
}

static void close_file(struct ps_io_file *file)
{
    free(file);
}

static ps_err run(struct ps_io *io, struct ps_io_req *reqs, size_t count)
{
    (void)io;
    for (size_t i = 0; i < count; i++) {
        reqs[i].done = reqs[i].op == PS_IO_SYNC ? 0 : ps_io_req_len(&reqs[i]);
        reqs[i].err = PS_OK;
    }
    return PS_OK;
}

static ps_err truncate_file(struct ps_io_file *file, uint64_t size)
{
    (void)file;
    (void)size;
    return PS_OK;
}

static ps_err allocate(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    (void)file;
    (void)off;
    (void)len;
    return PS_OK;
}

static ps_err name(struct ps_io *io, const char *path)
{
    (void)io;
    (void)path;
    return PS_OK;
}

static ps_err names(struct ps_io *io, const char *from, const char *to)
{
    (void)io;
    (void)from;
    (void)to;
    return PS_OK;
}

static ps_err list(struct ps_io *io, const char *path, ps_err (*each)(void *ctx, const char *name),
                   void *ctx)
{
    (void)io;
    (void)path;
    (void)each;
    (void)ctx;
    return PS_OK;
}

static const struct ps_io_ops io_ops = {
    .name = "none",
    .open = open_file,
    .close = close_file,
    .run = run,
    .truncate = truncate_file,
    .allocate = allocate,
    .mkdir = name,
    .rename = names,
    .unlink = name,
    .sync_dir = name,
    .list = list,
};
static struct ps_io io = {.ops = &io_ops};

/* --- the log ------------------------------------------------------------------------------ */

static ps_err no_checkpoint(void *ctx)
{
    (void)ctx;
    worker_die("the log asks for a checkpoint", NULL);
}

static struct ps_wal *open_log(struct ps_poison *poison)
{
    const struct ps_wal_options opts = {
        .io = &io,
        .poison = poison,
        .segment_size = PS_WAL_SEGMENT_DEFAULT,
        .max_wal = UINT64_MAX / 2,
        .want_checkpoint = no_checkpoint,
    };
    struct ps_wal *wal = NULL;

    must(ps_wal_open(&opts, &wal), "log");
    return wal;
}

static void append(struct job *j)
{
    struct ps_record rec = {.rm = PS_RM_PAGE, .type = PS_PAGE_CHANGE, .ref_count = 1};
    struct ps_wal_slot slot = {0};

    rec.refs[0] = (struct ps_ref){
        .table = 1, .page = 1, .len = j->len, .after = j->bytes, .after_len = j->len};
    must(ps_wal_reserve(j->wal, ps_record_len(&rec), NULL, &slot), "reserve");
    if (!ps_wal_append(j->wal, &slot, &rec, 1, ps_wal_redo_lsn(j->wal)))
        worker_die("the redo point moved", NULL);
}

static uint64_t step(void *ctx)
{
    const uint64_t start = worker_now();

    for (uint32_t i = 0; i < GROUPS_A_STEP; i++)
        append(ctx);
    return worker_now() - start;
}

int main(int argc, char **argv)
{
    struct worker_job work[WORKER_JOBS_MAX] = {0};
    struct job jobs[WORKER_JOBS_MAX];
    struct ps_poison poison;
    struct ps_wal *wal;
    uint32_t len, threads;

    if (argc != 3) {
        fprintf(stderr, "usage: bench_append BYTES THREADS\n");
        return 2;
    }
    len = (uint32_t)worker_number(argv[1], 1);
    threads = (uint32_t)worker_number(argv[2], 1);
    if (len > BYTES_MAX)
        worker_die(argv[1], "too many bytes");
    if (threads > WORKER_JOBS_MAX)
        worker_die(argv[2], "too many threads");
    ps_poison_init(&poison, NULL, NULL);
    wal = open_log(&poison);
    for (uint32_t i = 0; i < threads; i++) {
        jobs[i] = (struct job){.wal = wal, .bytes = worker_buffer(len), .len = len};
        work[i] = (struct worker_job){.step = step, .ctx = &jobs[i]};
    }
    worker_serve(work, threads);
    for (uint32_t i = 0; i < threads; i++)
        free(jobs[i].bytes);
    ps_wal_close(wal);
    ps_poison_deinit(&poison);
    return 0;
}
