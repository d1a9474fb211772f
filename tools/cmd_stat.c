/*
 * pagectl stat STORE [TABLE]
 */
#include <inttypes.h>

#include "pagectl.h"

/* As the files of a mount have it. */
static void print_stat(void *ctx, const struct ps_stat *stat)
{
    (void)ctx;
    if (stat->text)
        printf("%-28s %20s\n", stat->name, stat->text);
    else
        printf("%-28s %20" PRIu64 "\n", stat->name, stat->value);
}

static int print_table(struct ps_store *store, const char *name)
{
    struct ps_table *table;
    int status;

    status = pc_lookup(store, name, &table);
    if (status)
        return status;
    ps_table_stats(table, print_stat, NULL);
    ps_table_unref(table);
    return PC_OK;
}

static int print_unmounted(const struct pc_target *target, const char *table)
{
    struct ps_store *store;
    int status;

    status = pc_open(target, true, &store);
    if (status)
        return status;
    if (table)
        status = print_table(store, table);
    else
        ps_store_stats(store, print_stat, NULL);
    status = pc_close(store, status);
    return status ? status : pc_flush();
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
    if (!pc_mounted(&target))
        return print_unmounted(&target, words[1]);
    return pc_cat(&target, words[1], words[1] ? "stats" : ".pagefs/stats");
}

const struct pc_command pc_cmd_stat = {
    .name = "stat",
    .args = "STORE [TABLE]",
    .summary = "print the counters of a store or of a table",
    .text = "Prints `name value` a line, padded.",
    .words_min = 1,
    .words_max = 2,
    .run = run,
};
