/*
 * pagectl dump SOURCE TABLE PAGE [--follow-links]
 */
#include <inttypes.h>

#include "pagectl.h"

static int dump_mounted(const struct pc_target *target, const char *table, uint32_t page)
{
    char file[64];

    snprintf(file, sizeof(file), "views/decoded/%010" PRIu32, page);
    return pc_cat(target, table, file);
}

static int dump(const struct pc_target *target, const char *name, uint32_t page)
{
    struct ps_table *table;
    struct ps_store *store;
    int status;

    status = pc_open(target, true, &store);
    if (status)
        return status;
    status = pc_lookup(store, name, &table);
    if (status == PC_OK) {
        status = pc_report(ps_page_text(table, page, NULL, stdout));
        ps_table_unref(table);
    }
    status = pc_close(store, status);
    return status ? status : pc_flush();
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct ps_pg_options as_found = {.segment = UINT32_MAX};
    const struct pc_option options[] = {{"follow-links", NULL, &as_found.follow_links}};
    struct pc_target target;
    const char *words[3];
    uint64_t page;
    int status;

    status = pc_parse(cmd, argc, argv, options, 1, words);
    if (status != PC_GO_ON)
        return status;
    status = pc_number(cmd, "PAGE", words[2], UINT32_MAX - 1, &page);
    if (status != PC_GO_ON)
        return status;
    pc_target_find(words[0], &target);
    if (ps_pg_recognize(target.store))
        return pc_pg_dump(target.store, &as_found, words[1], (uint32_t)page);
    if (pc_mounted(&target))
        return dump_mounted(&target, words[1], (uint32_t)page);
    return dump(&target, words[1], (uint32_t)page);
}

const struct pc_command pc_cmd_dump = {
    .name = "dump",
    .args = "SOURCE TABLE PAGE [--follow-links]",
    .summary = "print a page decoded",
    .text =
        "Prints header fields, line pointers and items, and a line `damage WORD: ...` for each\n"
        "thing that is wrong with the page. SOURCE is a store, a PostgreSQL directory, whose\n"
        "tables are named DATABASE/SCHEMA.RELATION as in a mount, or a relation file. With\n"
        "--follow-links also a PostgreSQL directory's tablespaces that links lead to.",
    .words_min = 3,
    .words_max = 3,
    .run = run,
};
