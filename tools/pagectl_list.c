/*
 * Lists in columns, for people or as JSON.
 */
#include <libsmartcols.h>
#include <stdlib.h>

#include "pagectl.h"

struct pc_list {
    struct libscols_table *table;
    size_t count; /* of columns */
};

static int out_of_memory(void)
{
    return pc_error("out of memory");
}

int pc_list_new(const char *name, const struct pc_column *columns, size_t count, bool json,
                struct pc_list **ret)
{
    struct pc_list *list = calloc(1, sizeof(*list));
    size_t i;
    int failed;

    if (!list)
        return out_of_memory();
    *ret = list;
    list->count = count;
    list->table = scols_new_table();
    if (!list->table)
        return out_of_memory();
    failed = scols_table_enable_json(list->table, json);
    failed |= scols_table_set_name(list->table, name);
    for (i = 0; i < count && !failed; i++) {
        struct libscols_column *column = scols_table_new_column(
            list->table, columns[i].head, 0, columns[i].is_number ? SCOLS_FL_RIGHT : 0);

        failed =
            !column || scols_column_set_json_type(column, columns[i].is_number ? SCOLS_JSON_NUMBER
                                                                               : SCOLS_JSON_STRING);
    }
    return failed ? out_of_memory() : PC_OK;
}

int pc_list_add(struct pc_list *list, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(list->table, NULL);
    int failed = !line;
    size_t i;

    for (i = 0; i < list->count && !failed; i++)
        failed = scols_line_set_data(line, i, cells[i]);
    return failed ? out_of_memory() : PC_OK;
}

int pc_list_print(struct pc_list *list)
{
    return scols_print_table(list->table) ? out_of_memory() : pc_flush();
}

void pc_list_free(struct pc_list *list)
{
    if (!list)
        return;
    scols_unref_table(list->table);
    free(list);
}
