/*
 * pagectl ls STORE|PGDATA|FILE [--json], and options that describe a FILE
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pagectl.h"

struct row {
    char name[PS_TABLE_NAME_MAX + 1];
    char format[16], type[16];
    uint64_t id, pages, used, bytes;
};

struct rows {
    struct row *row;
    size_t count, cap;
};

static struct row *rows_add(struct rows *rows)
{
    size_t cap = rows->cap ? 2 * rows->cap : 64;
    struct row *grown;

    if (rows->count == rows->cap) {
        grown = reallocarray(rows->row, cap, sizeof(*grown));
        if (!grown)
            return NULL;
        rows->row = grown;
        rows->cap = cap;
    }
    memset(&rows->row[rows->count], 0, sizeof(struct row));
    return &rows->row[rows->count++];
}

/* --- of a store that is not mounted ------------------------------------------------------- */

static int add_table(struct rows *rows, struct ps_table *table)
{
    struct ps_table_info info;
    struct row *row;
    int status;

    status = pc_report(ps_table_info(table, &info));
    if (status)
        return status;
    row = rows_add(rows);
    if (!row)
        return pc_error("out of memory");
    memcpy(row->name, info.name, sizeof(row->name));
    snprintf(row->format, sizeof(row->format), "%s", ps_format_by_id(info.format)->name);
    snprintf(row->type, sizeof(row->type), "%s", info.type == PS_PAGE_SLOTTED ? "slotted" : "raw");
    row->id = info.id;
    row->pages = info.pages_allocated;
    row->used = info.pages_used;
    row->bytes = info.bytes_on_disk;
    return PC_OK;
}

static int collect(const struct pc_target *target, struct rows *rows)
{
    struct ps_store *store;
    struct ps_table *table;
    uint32_t from = 0;
    ps_err err;
    int status;

    status = pc_open(target, true, &store);
    if (status)
        return status;
    while (status == PC_OK && (err = ps_table_next(store, from, &table)) != PS_ERR_NOENT) {
        status = pc_report(err);
        if (status)
            break;
        status = add_table(rows, table);
        from = ps_table_id(table) + 1;
        ps_table_unref(table);
    }
    return pc_close(store, status);
}

/* --- through a mount ---------------------------------------------------------------------- */

/* Takes one `name value` line of a table's stats. */
static void take_stat(struct row *row, const char *name, const char *value)
{
    if (strcmp(name, "format") == 0)
        snprintf(row->format, sizeof(row->format), "%.15s", value);
    else if (strcmp(name, "type") == 0)
        snprintf(row->type, sizeof(row->type), "%.15s", value);
    else if (strcmp(name, "table_id") == 0)
        row->id = strtoull(value, NULL, 10);
    else if (strcmp(name, "pages_allocated") == 0)
        row->pages = strtoull(value, NULL, 10);
    else if (strcmp(name, "pages_used") == 0)
        row->used = strtoull(value, NULL, 10);
    else if (strcmp(name, "bytes_on_disk") == 0)
        row->bytes = strtoull(value, NULL, 10);
}

static int add_mounted(const struct pc_target *target, struct rows *rows, const char *name)
{
    char path[PATH_MAX], line[1024], key[64], value[512];
    struct row *row;
    FILE *stats;
    int status;

    status = pc_mount_path(target, name, "stats", path, sizeof(path));
    if (status)
        return status;
    stats = fopen(path, "re");
    if (!stats && errno == ENOENT)
        return PC_OK; /* dropped since it was listed */
    if (!stats)
        return pc_error_mount(target, name, path, errno);
    row = rows_add(rows);
    if (row) {
        snprintf(row->name, sizeof(row->name), "%s", name);
        while (fgets(line, sizeof(line), stats))
            if (sscanf(line, "%63s %511s", key, value) == 2)
                take_stat(row, key, value);
        if (ferror(stats))
            status = pc_error("%s: %s", path, strerror(errno));
    }
    fclose(stats);
    return row ? status : pc_error("out of memory");
}

static int collect_mounted(const struct pc_target *target, struct rows *rows)
{
    struct dirent *entry;
    int status = PC_OK;
    DIR *dir;

    dir = opendir(target->mount);
    if (!dir)
        return pc_error_mount(target, NULL, target->mount, errno);
    while (status == PC_OK && (errno = 0, entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            status = add_mounted(target, rows, entry->d_name);
    if (status == PC_OK && errno != 0)
        status = pc_error_mount(target, NULL, target->mount, errno);
    closedir(dir);
    return status;
}

/* --- the listing -------------------------------------------------------------------------- */

static const struct pc_column columns[] = {{"name", false}, {"id", true},    {"format", false},
                                           {"type", false}, {"pages", true}, {"used", true},
                                           {"bytes", true}};

static int add_line(struct pc_list *list, const struct row *row)
{
    char id[24], pages[24], used[24], bytes[24];
    const char *cells[] = {row->name, id, row->format, row->type, pages, used, bytes};

    snprintf(id, sizeof(id), "%" PRIu64, row->id);
    snprintf(pages, sizeof(pages), "%" PRIu64, row->pages);
    snprintf(used, sizeof(used), "%" PRIu64, row->used);
    snprintf(bytes, sizeof(bytes), "%" PRIu64, row->bytes);
    return pc_list_add(list, cells);
}

static int print_rows(const struct rows *rows, bool json)
{
    struct pc_list *list = NULL;
    int status = pc_list_new("tables", columns, sizeof(columns) / sizeof(columns[0]), json, &list);
    size_t i;

    for (i = 0; i < rows->count && status == PC_OK; i++)
        status = add_line(list, &rows->row[i]);
    if (status == PC_OK)
        status = pc_list_print(list);
    pc_list_free(list);
    return status;
}

static int by_id(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    bool json = false;
    struct ps_pg_options pg = {.segment = UINT32_MAX};
    const struct pc_option options[] = {
        {"json", NULL, &json},        {"catalogs", &pg.catalogs, NULL},
        {"schema", &pg.schema, NULL}, {"table", &pg.table, NULL},
        {"toast", &pg.toast, NULL},   {"follow-links", NULL, &pg.follow_links},
    };
    struct rows rows = {0};
    struct pc_target target;
    const char *words[1];
    int status;

    status = pc_parse(cmd, argc, argv, options, sizeof(options) / sizeof(options[0]), words);
    if (status != PC_GO_ON)
        return status;
    pc_target_find(words[0], &target);
    if (ps_pg_recognize(target.store))
        return pc_pg_ls(target.store, &pg, json);
    if (pc_pg_has_options(&pg))
        return pc_usage(cmd, "%s: is no relation's file, which options could describe", words[0]);
    status = pc_mounted(&target) ? collect_mounted(&target, &rows) : collect(&target, &rows);
    if (status == PC_OK) {
        qsort(rows.row, rows.count, sizeof(struct row), by_id);
        status = print_rows(&rows, json);
    }
    free(rows.row);
    return status;
}

const struct pc_command pc_cmd_ls = {
    .name = "ls",
    .args = "STORE|PGDATA|FILE [--json] [--follow-links] " PC_PG_ARGS,
    .summary = "list the tables",
    .text =
        "Prints a line a table, by ascending id: name, id, page format, type, pages allocated,\n"
        "pages written at least once, and bytes on disk. Of a PostgreSQL directory: a line a\n"
        "relation's fork, with its folder's name in a mount, kind, OID, file and pages;\n"
        "with --follow-links also of tablespaces that links lead to.\n"
        "FILE is a relation's file by itself; the last options describe it, as in a mount.",
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
