/*
 * catalog_orphans.c - files of a database that no row of pg_class names.
 */
#include <inttypes.h>

#include "pg/catalog_internal.h"

/* Bytes of the file over all its segments, as many as can be told. PS_ERR_NOMEM. */
static ps_err measure(struct ps_store *store, uint32_t id, uint64_t *ret)
{
    struct ps_table_info info = {0};
    struct ps_table *table;
    ps_err err = ps_table_get(store, id, &table);

    *ret = 0;
    if (err)
        return err == PS_ERR_NOMEM ? err : PS_OK;
    err = ps_table_info(table, &info);
    if (!err)
        *ret = info.pages_end * ps_store_page_size(store);
    ps_table_unref(table);
    return err == PS_ERR_NOMEM ? err : PS_OK;
}

static const char *why(const struct ps_pg_file *file)
{
    if (file->backend >= 0)
        return "a temporary relation's that no session has any more";
    return "no row of pg_class has this filenode";
}

ps_err ps_pg_orphans(struct ps_pg_catalog *c, uint32_t index, struct ps_text *out)
{
    const struct ps_pgc_db *db = ps_pgc_db(c, index);
    uint32_t i = ps_pg_file_first(c->cluster, db->pub.oid), count = ps_pg_file_count(c->cluster);
    const struct ps_pg_file *file;
    uint64_t bytes;
    ps_err err;

    for (; i < count; i++) {
        file = ps_pg_file(c->cluster, i);
        if (file->db != db->pub.oid)
            break;
        if (ps_pgc_list_find(&db->tables, file->id, 0))
            continue;
        err = measure(ps_pg_store(c->cluster), file->id, &bytes);
        if (err)
            return err;
        ps_text_printf(out, "%s\t%" PRIu64 "\t%s\n", file->path, bytes, why(file));
    }
    return ps_text_err(out);
}
