/*
 * pagectl rename STORE TABLE NEW
 */
#include <errno.h>

#include "pagectl.h"

static int rename_mounted(const struct pc_target *target, const char *from, const char *to)
{
    char path_from[PATH_MAX], path_to[PATH_MAX];
    int status;

    status = pc_mount_path(target, from, NULL, path_from, sizeof(path_from));
    if (status == PC_OK)
        status = pc_mount_path(target, to, NULL, path_to, sizeof(path_to));
    if (status)
        return status;
    if (rename(path_from, path_to) == 0)
        return PC_OK;
    return pc_error_mount(target, errno == EEXIST ? to : from, path_from, errno);
}

static int rename_table(const struct pc_target *target, const char *from, const char *to)
{
    struct ps_store *store;
    int status;

    status = pc_open(target, false, &store);
    if (status)
        return status;
    status = pc_report(ps_table_rename(store, from, to));
    return pc_close(store, status);
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct pc_target target;
    const char *words[3];
    int status;

    status = pc_parse(cmd, argc, argv, NULL, 0, words);
    if (status != PC_GO_ON)
        return status;
    pc_target_find(words[0], &target);
    if (pc_mounted(&target))
        return rename_mounted(&target, words[1], words[2]);
    return rename_table(&target, words[1], words[2]);
}

const struct pc_command pc_cmd_rename = {
    .name = "rename",
    .args = "STORE TABLE NEW",
    .summary = "give a table another name",
    .text = "NEW must not be the name of a table.",
    .words_min = 3,
    .words_max = 3,
    .run = run,
};
