/*
 * pagectl create STORE TABLE [--format native|postgres] [--type raw|slotted]
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "pagectl.h"

struct kind {
    enum ps_format_id format;
    enum ps_page_type type;
};

static int parse_kind(const struct pc_command *cmd, const char *format, const char *type,
                      struct kind *ret)
{
    const struct ps_format *found = ps_format_by_name(format ? format : "native");

    if (!found)
        return pc_usage(cmd, "--format must be native or postgres, not '%s'", format);
    ret->format = found->id;
    if (!type || strcmp(type, "raw") == 0)
        ret->type = PS_PAGE_RAW;
    else if (strcmp(type, "slotted") == 0)
        ret->type = PS_PAGE_SLOTTED;
    else
        return pc_usage(cmd, "--type must be raw or slotted, not '%s'", type);
    return PC_GO_ON;
}

/* mkdir makes raw native tables, and nothing else can be said through it. */
static int create_mounted(const struct pc_target *target, const char *name, struct kind kind)
{
    char path[PATH_MAX];
    int status;

    if (kind.format != PS_FORMAT_NATIVE || kind.type != PS_PAGE_RAW)
        return pc_error_mounted(target, "unmount it to make a table that is not raw and native");
    status = pc_mount_path(target, name, NULL, path, sizeof(path));
    if (status)
        return status;
    if (mkdir(path, 0777) != 0)
        return pc_error_mount(target, name, path, errno);
    return PC_OK;
}

static int create(const struct pc_target *target, const char *name, struct kind kind)
{
    struct ps_store *store;
    int status;

    status = pc_open(target, false, &store);
    if (status)
        return status;
    status = pc_report(ps_table_create(store, name, kind.format, kind.type, NULL));
    return pc_close(store, status);
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    const char *format = NULL;
    const char *type = NULL;
    const struct pc_option options[] = {{"format", &format, NULL}, {"type", &type, NULL}};
    struct pc_target target;
    const char *words[2];
    struct kind kind = {0};
    int status;

    status = pc_parse(cmd, argc, argv, options, 2, words);
    if (status != PC_GO_ON)
        return status;
    status = parse_kind(cmd, format, type, &kind);
    if (status != PC_GO_ON)
        return status;
    pc_target_find(words[0], &target);
    if (pc_mounted(&target))
        return create_mounted(&target, words[1], kind);
    return create(&target, words[1], kind);
}

const struct pc_command pc_cmd_create = {
    .name = "create",
    .args = "STORE TABLE [--format native|postgres] [--type raw|slotted]",
    .summary = "make a table",
    .text =
        "A raw table has pages as users write them, a slotted one has items. An empty raw table\n"
        "becomes slotted with its first item. Without options the table is raw and native.",
    .words_min = 2,
    .words_max = 2,
    .run = run,
};
