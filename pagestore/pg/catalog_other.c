#include <string.h>

#include "pg/catalog_internal.h"

#define POOL_BYTES (16u << 20) /* for reading catalogs once */

static void forward(void *ctx, enum ps_message_level level, const char *text)
{
    struct ps_pg_catalog *c = ctx;

    (void)level;
    ps_pg_note(c->cluster, "catalogs: %s", text);
}

/* The relation of that filenode; *ret_db its database. */
static const struct ps_pg_relation *find_node(struct ps_pg_catalog *other, uint32_t node,
                                              uint32_t *ret_db)
{
    const struct ps_pg_relation *rel;
    uint32_t i, count;

    for (*ret_db = 0; *ret_db < other->db_count; ++*ret_db) {
        count = ps_pg_relation_count(other, *ret_db);
        for (i = 0; i < count; i++) {
            rel = ps_pg_relation(other, *ret_db, i);
            if (rel->node == node && rel->oid != 0)
                return rel;
        }
    }
    return NULL;
}

static ps_err find_relation(struct ps_pg_catalog *c)
{
    const struct ps_pg_relation *rel;
    uint32_t node, db;

    if (ps_pg_file_count(c->cluster) == 0)
        return PS_OK;
    node = ps_pg_file(c->cluster, 0)->node;
    rel = find_node(c->other, node, &db);
    if (!rel)
        return ps_fail(PS_ERR_NOENT, "catalogs=%s: no relation there has the filenode %u",
                       ps_pg_opts(c->cluster)->catalogs, node);
    c->other_relation = rel;
    c->other_db = ps_pgc_teller(c->other, db);
    return PS_OK;
}

ps_err ps_pgc_open_other(struct ps_pg_catalog *c)
{
    const struct ps_pg_options opts = {.segment = UINT32_MAX, .live = true, .follow_links = true};
    struct ps_store_options store_opts;
    ps_err err;

    ps_store_options_default(&store_opts);
    store_opts.pool_bytes = POOL_BYTES;
    store_opts.read_only = true;
    store_opts.no_threads = true;
    store_opts.message = forward;
    store_opts.ctx = c;
    err = ps_pg_open(ps_pg_opts(c->cluster)->catalogs, &opts, &store_opts, &c->other_cluster);
    if (!err)
        err = ps_pg_catalog_open(c->other_cluster, &c->other);
    return err ? err : find_relation(c);
}

void ps_pgc_close_other(struct ps_pg_catalog *c)
{
    ps_pg_catalog_close(c->other);
    if (c->other_cluster)
        ps_pg_close(c->other_cluster);
}

void ps_pgc_describe_by_other(const struct ps_pg_catalog *c, struct ps_pg_relation *rel)
{
    const struct ps_pg_relation *other = c->other_relation;

    if (!other)
        return;
    rel->oid = other->oid;
    rel->schema = other->schema;
    rel->name = other->name;
    rel->kind = other->kind;
    rel->persistence = other->persistence;
    rel->is_partition = other->is_partition;
    rel->am = other->am;
    rel->am_name = other->am_name;
    rel->toast = other->toast;
    rel->owner = other->owner;
    rel->row_type = other->row_type;
    rel->natts = other->natts;
}
