/*
 * demo_store.c - the store that a workload runs on: a temporary one, or one to keep.
 *
 * It goes through an io of its own, so that the pool may be as small as the workload wants it.
 */
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo.h"
#include "io/io.h"
#include "progress.h"

#define TABLE_NAME DEMO_NAME
#define CHECKPOINT_TIMEOUT_S 86400u /* what happens must not depend on time */

atomic_bool demo_interrupted;

/* --- the folder --------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_folder(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return demo_error("%s: cannot be removed: %s", path, strerror(errno));
    return DEMO_OK;
}

static int make_folder(const struct demo_config *config, struct demo_store *d)
{
    const char *tmp = getenv("TMPDIR");
    int len;

    d->temporary = !config->store;
    len = config->store ? snprintf(d->path, sizeof(d->path), "%s", config->store)
                        : snprintf(d->path, sizeof(d->path), "%s/" DEMO_NAME ".XXXXXX",
                                   tmp && *tmp ? tmp : "/tmp");
    if (len < 0 || (size_t)len >= sizeof(d->path))
        return demo_error("the name of the store's folder is too long");
    if (d->temporary && !mkdtemp(d->path))
        return demo_error("%s: %s", d->path, strerror(errno));
    if (!d->temporary && mkdir(d->path, 0777) != 0 && errno != EEXIST)
        return demo_error("%s: %s", d->path, strerror(errno));
    return DEMO_OK;
}

static bool is_store(const char *path)
{
    char control[PATH_MAX];
    int len = snprintf(control, sizeof(control), "%s/pagestore.control", path);

    return len > 0 && (size_t)len < sizeof(control) && access(control, F_OK) == 0;
}

/* --- the store ---------------------------------------------------------------------------- */

static void on_message(void *ctx, enum ps_message_level level, const char *text)
{
    (void)ctx;
    if (level != PS_MSG_INFO)
        (void)demo_error("%s", text);
}

static void on_io_warning(void *ctx, const char *text)
{
    (void)ctx;
    (void)demo_error("%s", text);
}

static ps_err open_io(const struct demo_config *config, struct demo_store *d)
{
    enum ps_io_kind kind = PS_IO_KIND_AUTO;

    if (strcmp(config->io, "direct") == 0)
        kind = PS_IO_KIND_DIRECT;
    else if (strcmp(config->io, "buffered") == 0)
        kind = PS_IO_KIND_BUFFERED;
    return ps_io_posix(d->path, kind, on_io_warning, NULL, &d->io);
}

static ps_err open_store(const struct demo_config *config, struct demo_store *d)
{
    const struct ps_init_options init = {
        .page_size = (uint32_t)config->page_size,
        .io_given = d->io,
    };
    struct ps_store_options opts;
    ps_err err = is_store(d->path) ? PS_OK : ps_store_init(d->path, &init);

    if (err)
        return err;
    ps_store_options_default(&opts);
    opts.pool_bytes = config->frames * config->page_size;
    opts.policy = config->policy;
    opts.checkpoint_timeout_s = CHECKPOINT_TIMEOUT_S;
    opts.no_threads = config->threads == 1;
    opts.io_given = d->io;
    opts.message = on_message;
    err = ps_store_open(d->path, &opts, &d->store);
    if (!err && ps_store_page_size(d->store) != config->page_size)
        err = ps_fail(PS_ERR_INVAL, "%s has pages of %u bytes: say so with --page-size", d->path,
                      ps_store_page_size(d->store));
    return err;
}

static ps_err write_pages(const struct demo_config *config, struct demo_store *d)
{
    const uint64_t len = config->pages * config->page_size;
    const size_t step = ps_write_max(d->store) / config->page_size * config->page_size;
    struct pc_progress progress;
    void *zeros = calloc(1, step);
    uint64_t off;
    ps_err err = PS_OK;

    if (!zeros)
        return ps_fail(PS_ERR_NOMEM, "no memory for a write of %zu bytes", step);
    pc_progress_start(&progress);
    for (off = 0; !err && off < len && !demo_interrupted; off += step) {
        pc_progress_show(&progress, "making pages", off, len);
        err = ps_write(d->table, PS_SPACE_IMAGE, off, zeros, len - off < step ? len - off : step, 0,
                       NULL);
    }
    pc_progress_end(&progress);
    free(zeros);
    return err;
}

/* All its pages are written. */
static ps_err make_table(const struct demo_config *config, struct demo_store *d)
{
    ps_err err = ps_table_drop(d->store, TABLE_NAME, true);

    if (err && err != PS_ERR_NOENT)
        return err;
    err = ps_table_create(d->store, TABLE_NAME, PS_FORMAT_NATIVE, PS_PAGE_RAW, &d->table);
    return err ? err : write_pages(config, d);
}

/* Opens the store once more: with an empty pool, and counters that begin at 0. */
static ps_err reopen(const struct demo_config *config, struct demo_store *d)
{
    ps_err err;

    ps_table_unref(d->table);
    d->table = NULL;
    err = ps_store_close(d->store);
    d->store = NULL;
    if (!err)
        err = open_store(config, d);
    if (!err)
        err = ps_table_lookup(d->store, TABLE_NAME, &d->table);
    return err;
}

int demo_store_open(const struct demo_config *config, struct demo_store *ret)
{
    ps_err err;
    int status;

    *ret = (struct demo_store){0};
    status = make_folder(config, ret);
    if (status != DEMO_OK)
        return status;
    err = open_io(config, ret);
    if (!err)
        err = open_store(config, ret);
    if (!err)
        err = make_table(config, ret);
    if (!err && !demo_interrupted)
        err = reopen(config, ret);
    status = demo_report_err(err);
    if (status == DEMO_OK && demo_interrupted) {
        (void)demo_error("interrupted");
        status = DEMO_INTERRUPTED;
    }
    return status == DEMO_OK ? DEMO_OK : demo_store_close(ret, status);
}

int demo_store_close(struct demo_store *d, int status)
{
    int closed = DEMO_OK;

    if (d->table)
        ps_table_unref(d->table);
    if (d->store && d->temporary)
        ps_store_abandon(d->store);
    else if (d->store)
        closed = demo_report_err(ps_store_close(d->store));
    ps_io_destroy(d->io);
    if (d->temporary && remove_folder(d->path) != DEMO_OK)
        closed = DEMO_FAILED;
    return status == DEMO_OK ? closed : status;
}
