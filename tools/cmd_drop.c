/*
 * pagectl drop STORE TABLE
 */
#include <errno.h>
#include <unistd.h>

#include "pagectl.h"

/* Frees the pages, as rmdir takes empty tables only. */
static int empty_mounted(const struct pc_target *target, const char *name)
{
    char path[PATH_MAX];
    int status;

    status = pc_mount_path(target, name, "views/image", path, sizeof(path));
    if (status)
        return status;
    if (truncate(path, 0) != 0)
        return pc_error_mount(target, name, path, errno);
    return PC_OK;
}

static int drop_mounted(const struct pc_target *target, const char *name)
{
    char path[PATH_MAX];
    int status;

    status = empty_mounted(target, name);
    if (status)
        return status;
    status = pc_mount_path(target, name, NULL, path, sizeof(path));
    if (status)
        return status;
    if (rmdir(path) != 0)
        return pc_error_mount(target, name, path, errno);
    return PC_OK;
}

static int drop(const struct pc_target *target, const char *name)
{
    struct ps_store *store;
    int status;

    status = pc_open(target, false, &store);
    if (status)
        return status;
    status = pc_report(ps_table_drop(store, name, true));
    return pc_close(store, status);
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct pc_target target;
    const char *words[2];
    int status;

    status = pc_parse(cmd, argc, argv, NULL, 0, words);
    if (status != PC_GO_ON)
        return status;
    pc_target_find(words[0], &target);
    return pc_mounted(&target) ? drop_mounted(&target, words[1]) : drop(&target, words[1]);
}

const struct pc_command pc_cmd_drop = {
    .name = "drop",
    .args = "STORE TABLE",
    .summary = "remove a table and all its pages",
    .words_min = 2,
    .words_max = 2,
    .run = run,
};
