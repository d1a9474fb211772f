/*
 * cluster_file.c - a relation's file by itself: with its toast relation's, and with the cluster
 * whose catalogs describe it, where options name them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pg/cluster_internal.h"

#define CATALOGS_POOL_BYTES (8u << 20) /* its catalogs are read once */

/* --- files -------------------------------------------------------------------------------- */

/* The folder of a file that no link is part of, as one more root; and the file in it. */
static ps_err add_file(struct ps_pg_cluster *c, const char *path)
{
    struct ps_pg_file *file = &c->files[c->file_count];
    const char *slash = strrchr(path, '/');
    char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    uint32_t segment;
    ps_err err;

    assert(path[0] == '/');
    if (!dir)
        return ps_fail(PS_ERR_NOMEM, "no memory for a folder's name");
    *file = (struct ps_pg_file){.id = c->file_count + 1, .backend = -1};
    (void)ps_pg_parse_file_name(slash + 1, file, &segment); /* any name will do */
    err = ps_cluster_add_root(c, dir, &file->root);
    free(dir);
    if (err)
        return err;
    file->path = strdup(slash + 1);
    if (!file->path)
        return ps_fail(PS_ERR_NOMEM, "no memory for a file's name");
    c->file_count++;
    return PS_OK;
}

/* A link that is named itself is followed: the user has named it. */
static ps_err add_named(struct ps_pg_cluster *c, const char *name)
{
    char *path = realpath(name, NULL);
    ps_err err = path ? add_file(c, path) : ps_fail_errno(errno, "%s", name);

    free(path);
    return err;
}

/* Both become tables, which have names. */
static ps_err add_toast(struct ps_pg_cluster *c)
{
    ps_err err = add_named(c, c->opts.toast);

    if (err)
        return ps_fail_in(err, "toast=");
    if (strcmp(c->files[0].path, c->files[PS_CLUSTER_TOAST].path) == 0)
        return ps_fail(PS_ERR_INVAL, "toast=%s: is the file itself, or has the same name",
                       c->opts.toast);
    return PS_OK;
}

/* Of the only database, which has no name. */
static ps_err add_files(struct ps_pg_cluster *c)
{
    ps_err err;

    c->dbs = calloc(1, sizeof(*c->dbs));
    c->files = calloc(2, sizeof(*c->files));
    if (!c->dbs || !c->files)
        return ps_fail(PS_ERR_NOMEM, "no memory for a file");
    c->db_count = 1;
    err = add_named(c, c->source);
    if (!err && c->opts.toast)
        err = add_toast(c);
    return err;
}

/* --- the cluster that describes it ------------------------------------------------------------ */

static void forward_note(void *ctx, enum ps_message_level level, const char *text)
{
    if (level != PS_MSG_INFO)
        ps_pg_note(ctx, "catalogs=: %s", text);
}

static ps_err open_catalogs(struct ps_pg_cluster *c)
{
    const struct ps_pg_options opts = {
        .live = c->opts.live,
        .follow_links = c->opts.follow_links,
        .version = c->opts.version,
        .tablespaces = c->opts.tablespaces,
        .tablespace_count = c->opts.tablespace_count,
    };
    struct ps_store_options store_opts = c->store_opts;
    ps_err err;

    store_opts.pool_bytes = CATALOGS_POOL_BYTES;
    store_opts.read_only = true;
    store_opts.serve_corrupt = false;
    store_opts.message = forward_note;
    store_opts.event = NULL;
    store_opts.progress = NULL;
    store_opts.ctx = c;
    err = ps_pg_open(c->opts.catalogs, &opts, &store_opts, &c->catalogs);
    if (err)
        return ps_fail_in(err, "catalogs=");
    if (ps_pg_is_file(c->catalogs))
        return ps_fail(PS_ERR_INVAL, "catalogs=%s: is a file, not a data directory",
                       c->opts.catalogs);
    if (ps_pg_not_recovered(c->catalogs))
        ps_pg_note(c, "catalogs=: %s", ps_pg_not_recovered(c->catalogs));
    c->version = ps_pg_version(c->catalogs);
    c->control.block_size = ps_pg_control(c->catalogs)->block_size;
    c->control.segment_blocks = ps_pg_control(c->catalogs)->segment_blocks;
    return PS_OK;
}

ps_err ps_cluster_open_file(struct ps_pg_cluster *c)
{
    ps_err err;

    c->is_file = true;
    c->version = c->opts.version;
    err = add_files(c);
    if (!err && c->opts.catalogs)
        err = open_catalogs(c);
    return err ? err : ps_cluster_settle_file(c);
}

/* --- files of options ----------------------------------------------------------------------- */

ps_err ps_pg_read_named(const char *path, size_t max, uint8_t **ret, size_t *ret_len)
{
    struct ps_pg_cluster lone = {0}; /* a root is all that reading needs */
    char *real = realpath(path, NULL), *slash;
    unsigned root = 0;
    ps_err err;

    if (!real)
        return ps_fail_errno(errno, "%s", path);
    slash = strrchr(real, '/');
    *slash = '\0';
    err = ps_cluster_add_root(&lone, slash == real ? "/" : real, &root);
    if (!err)
        err = ps_cluster_read(&lone, root, slash + 1, max, ret, ret_len);
    for (unsigned i = 0; i < lone.root_count; i++) {
        ps_io_destroy(lone.roots[i].io);
        free(lone.roots[i].dir);
    }
    free(lone.roots);
    free(real);
    return err;
}
