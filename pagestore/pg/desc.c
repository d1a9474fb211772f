/*
 * desc.c - freeing descriptions of rows.
 */
#include "pg/desc.h"

#include <stdlib.h>

void ps_pg_desc_deinit(struct ps_pg_desc *desc)
{
    uint32_t i;

    for (i = 0; i < desc->count; i++) {
        free(desc->attrs[i].name);
        free(desc->attrs[i].missing);
    }
    free(desc->attrs);
    *desc = (struct ps_pg_desc){0};
}
