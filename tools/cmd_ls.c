/*
 * pagectl ls STORE [--json]
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
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

enum column { COL_NAME, COL_ID, COL_FORMAT, COL_TYPE, COL_PAGES, COL_USED, COL_BYTES, COL_COUNT };

static const struct {
    const char *head;
    bool number;
} columns[COL_COUNT] = {{"name", false}, {"id", true},   {"format", false}, {"type", false},
                        {"pages", true}, {"used", true}, {"bytes", true}};

static int set_number(struct libscols_line *line, enum column column, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    return scols_line_set_data(line, column, text);
}

static int add_line(struct libscols_table *list, const struct row *row)
{
    struct libscols_line *line = scols_table_new_line(list, NULL);
    int failed;

    if (!line)
        return -ENOMEM;
    failed = scols_line_set_data(line, COL_NAME, row->name);
    failed |= set_number(line, COL_ID, row->id);
    failed |= scols_line_set_data(line, COL_FORMAT, row->format);
    failed |= scols_line_set_data(line, COL_TYPE, row->type);
    failed |= set_number(line, COL_PAGES, row->pages);
    failed |= set_number(line, COL_USED, row->used);
    failed |= set_number(line, COL_BYTES, row->bytes);
    return failed;
}

static int fill_list(struct libscols_table *list, const struct rows *rows, bool json)
{
    struct libscols_column *column;
    int failed;
    size_t i;

    failed = scols_table_enable_json(list, json);
    failed |= scols_table_set_name(list, "tables");
    for (i = 0; i < COL_COUNT && !failed; i++) {
        column = scols_table_new_column(list, columns[i].head, 0,
                                        columns[i].number ? SCOLS_FL_RIGHT : 0);
        if (!column)
            return -ENOMEM;
        failed = scols_column_set_json_type(column, columns[i].number ? SCOLS_JSON_NUMBER
                                                                      : SCOLS_JSON_STRING);
    }
    for (i = 0; i < rows->count && !failed; i++)
        failed = add_line(list, &rows->row[i]);
    return failed;
}

static int print_rows(const struct rows *rows, bool json)
{
    struct libscols_table *list = scols_new_table();
    int failed = -ENOMEM;

    if (list) {
        failed = fill_list(list, rows, json);
        if (!failed)
            failed = scols_print_table(list);
        scols_unref_table(list);
    }
    return failed ? pc_error("out of memory") : pc_flush();
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
    const struct pc_option options[] = {{"json", NULL, &json}};
    struct rows rows = {0};
    struct pc_target target;
    const char *words[1];
    int status;

    status = pc_parse(cmd, argc, argv, options, 1, words, 1, 1);
    if (status != PC_GO_ON)
        return status;
    pc_target_find(words[0], &target);
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
    .args = "STORE [--json]",
    .summary = "list the tables",
    .text =
        "Prints a line a table, by ascending id: name, id, page format, type, pages allocated,\n"
        "pages written at least once, and bytes on disk.",
    .run = run,
};
