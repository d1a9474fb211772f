/*
 * store_init.c - making a store: its folders and files, a log of one record, then its catalog.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "store/store_internal.h"

#define SEGMENT_PAGES_MIN 32u /* a group of a 1 MiB write and its map's pages fits a segment */

static ps_err refuse_entry(void *ctx, const char *name)
{
    return ps_fail(PS_ERR_EXIST, "%s: not empty, there is '%s'", (const char *)ctx, name);
}

static ps_err make_uuid(uint8_t uuid[16])
{
    if (getrandom(uuid, 16, 0) != 16)
        return ps_fail(PS_ERR_IO, "no random bytes for the store's UUID");
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    return PS_OK;
}

/* The log of a new store: one checkpoint record, so that there is a redo point. */
static ps_err make_log(struct ps_io *io, struct ps_control *control)
{
    const struct ps_checkpoint_body body = {.next_txn = ps_put64(1),
                                            .next_table = ps_put32(control->next_table)};
    struct ps_record rec = {.rm = PS_RM_LOG,
                            .type = PS_LOG_CHECKPOINT,
                            .time_us = ps_io_wall_us(io),
                            .body = &body,
                            .body_len = sizeof(body)};
    struct ps_wal_reader_options reader;
    struct ps_wal_slot slot = {0};
    struct ps_wal *wal = NULL;
    struct ps_poison poison;
    ps_err err = ps_wal_create(io, control->segment_size);

    if (err)
        return err;
    ps_poison_init(&poison, NULL, NULL);
    ps_reader_options(control, io, &reader);
    err = ps_wal_open(&(struct ps_wal_options){.io = io,
                                               .poison = &poison,
                                               .segment_size = control->segment_size,
                                               .max_wal = UINT64_MAX,
                                               .store_tag = reader.store_tag,
                                               .incarnation = control->incarnation},
                      &wal);
    if (!err)
        err = ps_wal_reserve(wal, ps_record_len(&rec), NULL, &slot);
    if (!err) {
        ps_wal_append_checkpoint(wal, &slot, &rec, &control->redo_lsn);
        err = ps_wal_flush(wal, rec.lsn, NULL);
        control->durable_lsn = control->end_lsn = rec.lsn;
    }
    if (wal)
        ps_wal_close(wal);
    if (!err)
        err = ps_control_write(io, control, &poison);
    ps_poison_deinit(&poison);
    return err;
}

/* Files and folders. The control file comes last: without it there is no store. */
static ps_err make_files(struct ps_io *io, const struct ps_init_options *opts)
{
    struct ps_control control = {
        .page_size = opts->page_size,
        .segment_size = opts->segment_size,
        .state = PS_STATE_CLEAN,
        .incarnation = 1,
        .next_txn = 1,
        .next_table = PS_CATALOG_ID,
        .written_us = ps_io_wall_us(io),
    };
    static const char *const files[] = {"1.pages", "1.map"};
    char path[64];
    size_t i;
    ps_err err = make_uuid(control.uuid);

    if (!err)
        err = io->ops->mkdir(io, PS_TABLES_DIR);
    for (i = 0; !err && i < sizeof(files) / sizeof(files[0]); i++) {
        struct ps_io_file *file = NULL;

        (void)snprintf(path, sizeof(path), "%s/%s", PS_TABLES_DIR, files[i]);
        err = io->ops->open(io, path, PS_IO_CREATE | PS_IO_EXCL, &file);
        ps_io_close(file);
    }
    if (!err)
        err = io->ops->sync_dir(io, PS_TABLES_DIR);
    if (!err)
        err = make_log(io, &control);
    return err ? err : io->ops->sync_dir(io, ".");
}

ps_err ps_page_size_check(uint32_t size)
{
    if (size >= PS_PAGE_SIZE_MIN && size <= PS_PAGE_SIZE_MAX && (size & (size - 1)) == 0)
        return PS_OK;
    return ps_fail(PS_ERR_INVAL, "page size %u: must be a power of two from %u to %u", size,
                   PS_PAGE_SIZE_MIN, PS_PAGE_SIZE_MAX);
}

static ps_err check_init(struct ps_init_options *o)
{
    uint32_t size;
    ps_err err;

    if (!o->page_size)
        o->page_size = PS_PAGE_SIZE_DEFAULT;
    size = o->page_size;
    err = ps_page_size_check(size);
    if (err)
        return err;
    if (!o->segment_size) {
        o->segment_size = PS_WAL_SEGMENT_DEFAULT;
        if (o->segment_size < SEGMENT_PAGES_MIN * size)
            o->segment_size = SEGMENT_PAGES_MIN * size;
    }
    if (o->segment_size < SEGMENT_PAGES_MIN * size ||
        (o->segment_size & (o->segment_size - 1)) != 0)
        return ps_fail(PS_ERR_INVAL, "segment size %u: must be a power of two of %u pages or more",
                       o->segment_size, SEGMENT_PAGES_MIN);
    return PS_OK;
}

ps_err ps_store_init(const char *path, const struct ps_init_options *opts)
{
    struct ps_init_options o = *opts;
    struct ps_io *io = opts->io_given;
    struct ps_store_options open_opts;
    struct ps_store *s = NULL;
    ps_err err = check_init(&o);

    if (!err && !io && mkdir(path, 0777) != 0 && errno != EEXIST)
        err = ps_fail_errno(errno, "cannot make the folder %s", path);
    if (!err && !io)
        err = ps_io_posix(path, PS_IO_KIND_AUTO, NULL, NULL, &io);
    if (err)
        return err;
    err = io->ops->list(io, ".", refuse_entry, (void *)(uintptr_t)path);
    if (!err)
        err = make_files(io, &o);
    if (!opts->io_given)
        ps_io_destroy(io);
    if (err)
        return err;
    /* Opened once, it makes its catalog. */
    ps_store_options_default(&open_opts);
    open_opts.io_given = opts->io_given;
    open_opts.no_threads = true;
    err = ps_store_open(path, &open_opts, &s);
    return err ? err : ps_store_close(s);
}
