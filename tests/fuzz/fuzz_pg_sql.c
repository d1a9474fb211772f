/* libFuzzer target: any bytes as CREATE statements; each table of them is described. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "pg/catalog_internal.h"
#include "pg/cluster_internal.h"
#include "pg/sql_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Described afresh each time, as types are given OIDs once. */
static void describe_nth(const char *text, size_t len, unsigned n)
{
    struct ps_pg_cluster cluster = {0}; /* takes notes, and nothing else is asked of it */
    struct ps_pg_catalog catalog = {.cluster = &cluster};
    struct ps_pgc_db db = {.catalog = &catalog};
    struct ps_sql_schema *schema = NULL;
    const struct ps_sql_table *table;
    uint16_t natts = 0;

    if (ps_sql_parse("fuzz", text, len, &schema))
        return;
    table = schema->tables;
    while (n-- > 0 && table)
        table = table->next;
    ps_mutex_init(&cluster.mtx, PS_RANK_LEAF, "fuzz.mtx");
    if (table && ps_sql_describe(schema, table, &db, PS_SQL_OID_FIRST, &natts) == PS_OK &&
        !ps_pgc_columns(&db, PS_SQL_OID_FIRST))
        abort();
    for (uint32_t i = 0; i < cluster.notes.count; i++)
        free(cluster.notes.text[i]);
    free(cluster.notes.text);
    ps_mutex_deinit(&cluster.mtx);
    ps_pgc_list_deinit(&db.columns);
    ps_pgc_list_deinit(&db.types);
    ps_pgc_list_deinit(&db.labels);
    ps_pgc_list_deinit(&db.schemas);
    ps_sql_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    for (unsigned n = 0; n < 3; n++)
        describe_nth((const char *)data, len, n);
    return 0;
}
