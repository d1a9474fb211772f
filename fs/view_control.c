/*
 * view_control.c - files that are there to be written to: config and checkpoint.
 */
#include "fs/cluster.h"
#include "fs/pfs.h"
#include "fs/view.h"

#include <stdlib.h>
#include <string.h>

/* --- config ------------------------------------------------------------------------------- */

struct settings {
    struct ps_text *out;
    bool skip_corrupt; /* which the store knows nothing of */
};

static void add_setting(void *ctx, const char *name, const char *value, bool changeable)
{
    struct settings *s = ctx;

    (void)changeable;
    if (s->skip_corrupt && strcmp(name, "on_corrupt") == 0)
        value = "skip";
    ps_text_printf(s->out, "%s %s\n", name, value);
}

static ps_err step_config(struct pfs_cursor *c, struct ps_text *out)
{
    struct pfs *fs = c->subject.fs;
    struct settings s = {.out = out, .skip_corrupt = fs->cluster && fs->cluster->skip_corrupt};

    ps_store_settings(fs->store, add_setting, &s);
    if (!fs->cluster)
        ps_text_printf(out, "fsync %s\n", fs->fsync_log_only ? "wal" : "checkpoint");
    ps_text_printf(out, "kernel_cache %u\n", fs->opts->kernel_cache ? 1u : 0u);
    ps_text_printf(out, "threads %u\n", fs->opts->threads);
    c->done = true;
    return PS_OK;
}

static ps_err set_one(struct pfs *fs, const char *name, const char *value)
{
    if (strcmp(name, "kernel_cache") == 0 || strcmp(name, "threads") == 0)
        return ps_fail(PS_ERR_READONLY, "%s is fixed while mounted", name);
    if (strcmp(name, "fsync") != 0)
        return ps_store_set(fs->store, name, value);
    if (strcmp(value, "wal") != 0 && strcmp(value, "checkpoint") != 0)
        return ps_fail(PS_ERR_INVAL, "fsync is checkpoint or wal, not '%s'", value);
    fs->fsync_log_only = strcmp(value, "wal") == 0;
    return PS_OK;
}

/* `name value`, or `name=value` as it stands in mount options. */
static ps_err set_line(struct pfs *fs, char *line)
{
    size_t name_len = strcspn(line, " \t=");
    char *value = line + name_len + strspn(line + name_len, " \t=");
    size_t value_len = strcspn(value, " \t\r");

    if (name_len == 0 || value_len == 0 || value[value_len + strspn(value + value_len, " \t\r")])
        return ps_fail(PS_ERR_INVAL, "'%s' is not `name value`", line);
    line[name_len] = '\0';
    value[value_len] = '\0';
    return set_one(fs, line, value);
}

static ps_err write_config(const struct pfs_subject *s, struct ps_text *pending, const char *buf,
                           size_t len, struct ps_cancel *cancel)
{
    char *text;
    char *rest = NULL;
    ps_err err = PS_OK;

    (void)pending, (void)cancel;
    if (memchr(buf, '\0', len))
        return ps_fail(PS_ERR_INVAL, "a setting has no NUL in it");
    text = strndup(buf, len);
    if (!text)
        return ps_fail(PS_ERR_NOMEM, "no memory for a setting");
    for (char *line = strtok_r(text, "\n", &rest); line && !err; line = strtok_r(NULL, "\n", &rest))
        err = set_line(s->fs, line);
    free(text);
    if (err == PS_ERR_NOENT)
        return PS_ERR_INVAL;
    return err == PS_ERR_READONLY ? PS_ERR_WRONG_TYPE : err; /* EROFS would be said of the mount */
}

const struct pfs_view pfs_view_config = {PFS_SIZE_RENDER, .step = step_config,
                                         .write = write_config};

/* --- checkpoint --------------------------------------------------------------------------- */

static void add_checkpoint_fact(void *ctx, const struct ps_stat *stat)
{
    if (strncmp(stat->name, "checkpoint", strlen("checkpoint")) != 0 &&
        strcmp(stat->name, "wal_redo_lsn") != 0)
        return;
    pfs_stat_line(ctx, stat);
}

static ps_err step_checkpoint(struct pfs_cursor *c, struct ps_text *out)
{
    ps_store_stats(c->subject.fs->store, add_checkpoint_fact, out);
    c->done = true;
    return PS_OK;
}

/* Whatever it is: the checkpoint that follows is all that it means. */
static ps_err write_checkpoint(const struct pfs_subject *s, struct ps_text *pending,
                               const char *buf, size_t len, struct ps_cancel *cancel)
{
    (void)s, (void)pending, (void)buf, (void)len, (void)cancel;
    return PS_OK;
}

const struct pfs_view pfs_view_checkpoint = {PFS_SIZE_RENDER, .step = step_checkpoint,
                                             .write = write_checkpoint, .checkpoints = true};
