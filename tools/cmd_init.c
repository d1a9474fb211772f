/*
 * pagectl init STORE [--page-size N]
 */
#include <libgen.h>

#include "pagectl.h"

/* Below a mount a folder that is made is a table. */
static int check_place(const char *path)
{
    char parent[PATH_MAX];
    struct pc_target target;
    int n = snprintf(parent, sizeof(parent), "%s", path);

    if (n < 0 || (size_t)n >= sizeof(parent))
        return pc_error("%s: path is too long", path);
    pc_target_find(dirname(parent), &target);
    if (pc_mounted(&target))
        return pc_error_mounted(&target, "no store can be made in it");
    return PC_GO_ON;
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct ps_init_options opts = {0};
    struct pc_target target;
    const char *page_size = NULL;
    const struct pc_option options[] = {{"page-size", &page_size, NULL}};
    const char *words[1];
    int status;

    status = pc_parse(cmd, argc, argv, options, 1, words);
    if (status != PC_GO_ON)
        return status;
    status = pc_page_size(cmd, page_size, &opts.page_size);
    if (status != PC_GO_ON)
        return status;

    pc_target_find(words[0], &target);
    if (pc_mounted(&target))
        return pc_error_mounted(&target, "it is a store already");
    status = check_place(words[0]);
    if (status != PC_GO_ON)
        return status;
    return pc_report(ps_store_init(words[0], &opts));
}

const struct pc_command pc_cmd_init = {
    .name = "init",
    .args = "STORE [--page-size N]",
    .summary = "make an empty store",
    .text =
        "STORE is a folder that does not exist yet, or is empty. N is a power of two from 4K to\n"
        "1M; 8K if it is not given. Tables in PostgreSQL's page format need 32K or less.",
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
