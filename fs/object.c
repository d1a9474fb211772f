#include "fs/object.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digits.h"
#include "fs/cluster.h"
#include "fs/errmap.h"
#include "fs/pfs.h"
#include "fs/view.h"

#define DIR_PERM 0777
#define SHOW_PERM 0444

static const struct pfs_node nodes[PFS_NODE_COUNT] = {
    [PFS_NODE_ROOT] = {.name = "/", .perm = DIR_PERM},
    [PFS_NODE_ROOM] = {.name = ".pagefs", .perm = 0700},
    [PFS_NODE_ROOM_STATS] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "stats", .perm = 0400,
                             .view = &pfs_view_store_stats},
    [PFS_NODE_ROOM_STATS_JSON] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "stats.json", .perm = 0400,
                                  .view = &pfs_view_store_stats_json},
    [PFS_NODE_METRICS] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "metrics", .perm = 0400,
                          .view = &pfs_view_metrics},
    [PFS_NODE_FRAMES] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "frames", .perm = 0400,
                         .view = &pfs_view_frames},
    [PFS_NODE_WAL] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "wal", .perm = 0400,
                      .view = &pfs_view_wal, .where = PFS_IN_STORE},
    [PFS_NODE_TRACE] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "trace", .perm = 0400,
                        .view = &pfs_view_trace},
    [PFS_NODE_POLICIES] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "policies", .perm = 0400,
                           .view = &pfs_view_policies},
    [PFS_NODE_CONFIG] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "config", .perm = 0600,
                         .view = &pfs_view_config},
    [PFS_NODE_CHECKPOINT] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "checkpoint", .perm = 0600,
                             .view = &pfs_view_checkpoint, .where = PFS_IN_STORE},
    [PFS_NODE_TABLE] = {PFS_NODE_ROOT, PFS_KIND_DIR, PFS_NAMED_BY_TABLE, .perm = DIR_PERM},
    [PFS_NODE_PAGE] = {PFS_NODE_TABLE, PFS_KIND_PAGE, PFS_NAMED_BY_PAGE, .perm = 0666},
    [PFS_NODE_STATS] = {PFS_NODE_TABLE, PFS_KIND_VIEW, .name = "stats", .perm = SHOW_PERM,
                        .view = &pfs_view_table_stats},
    [PFS_NODE_VIEWS] = {PFS_NODE_TABLE, PFS_KIND_DIR, .name = "views", .perm = DIR_PERM},
    [PFS_NODE_STATS_JSON] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "stats.json", .perm = SHOW_PERM,
                             .view = &pfs_view_table_stats_json},
    [PFS_NODE_IMAGE] = {PFS_NODE_VIEWS, PFS_KIND_SPACE, .name = "image", .perm = 0666,
                        .space = PS_SPACE_IMAGE},
    [PFS_NODE_PAYLOAD] = {PFS_NODE_VIEWS, PFS_KIND_SPACE, .name = "payload", .perm = 0666,
                          .comes_and_goes = true, .space = PS_SPACE_PAYLOAD},
    [PFS_NODE_CHECKSUMS] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "checksums", .perm = SHOW_PERM,
                            .view = &pfs_view_checksums},
    [PFS_NODE_DECODED_DIR] = {PFS_NODE_VIEWS, PFS_KIND_DIR, .name = "decoded", .perm = DIR_PERM},
    [PFS_NODE_DECODED] = {PFS_NODE_DECODED_DIR, PFS_KIND_VIEW, PFS_NAMED_BY_PAGE, .perm = SHOW_PERM,
                          .view = &pfs_view_decoded},
    [PFS_NODE_ITEMS] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "items", .perm = 0666,
                        .comes_and_goes = true, .view = &pfs_view_items},
    [PFS_NODE_HEATMAP] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "heatmap.svg", .perm = SHOW_PERM,
                          .view = &pfs_view_heatmap},
    [PFS_NODE_NOTES] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "notes", .perm = 0400,
                        .view = &pfs_view_notes, .where = PFS_IN_CLUSTER},
    [PFS_NODE_DATABASE] = {PFS_NODE_ROOT, PFS_KIND_DIR, PFS_NAMED_BY_DATABASE, .perm = DIR_PERM},
    [PFS_NODE_BY_FILENODE] = {PFS_NODE_DATABASE, PFS_KIND_DIR, .name = ".by-filenode",
                              .perm = DIR_PERM},
    [PFS_NODE_FILENODE] = {PFS_NODE_BY_FILENODE, PFS_KIND_LINK, PFS_NAMED_BY_TABLE, .perm = 0777},
    [PFS_NODE_ORPHANS] = {PFS_NODE_DATABASE, PFS_KIND_VIEW, .name = "orphans", .perm = SHOW_PERM,
                          .view = &pfs_view_orphans},
    [PFS_NODE_ROWS_DIR] = {PFS_NODE_DATABASE, PFS_KIND_DIR, .name = ".rows", .perm = DIR_PERM},
    [PFS_NODE_ROWS_OF] = {PFS_NODE_ROWS_DIR, PFS_KIND_VIEW, PFS_NAMED_BY_TABLE, .perm = SHOW_PERM,
                          .view = &pfs_view_rows},
    [PFS_NODE_TUPLES] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "tuples.csv", .perm = SHOW_PERM,
                         .view = &pfs_view_tuples, .where = PFS_IN_HEAP},
    [PFS_NODE_ROWS] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "rows.csv", .perm = SHOW_PERM,
                       .view = &pfs_view_rows, .where = PFS_IN_ROWS},
    [PFS_NODE_DEAD] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "dead.csv", .perm = SHOW_PERM,
                       .view = &pfs_view_dead, .where = PFS_IN_ROWS},
    [PFS_NODE_UNDECIDED] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "undecided.csv",
                            .perm = SHOW_PERM, .view = &pfs_view_undecided, .where = PFS_IN_ROWS},
    [PFS_NODE_SCHEMA] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "schema.sql", .perm = SHOW_PERM,
                         .view = &pfs_view_schema, .where = PFS_IN_NAMED},
    [PFS_NODE_SPACE] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "space", .perm = SHOW_PERM,
                        .view = &pfs_view_space, .where = PFS_IN_HEAP},
    [PFS_NODE_DAMAGE] = {PFS_NODE_VIEWS, PFS_KIND_VIEW, .name = "damage", .perm = SHOW_PERM,
                         .view = &pfs_view_damage, .where = PFS_IN_CHECKED},
};

const struct pfs_node *pfs_node(enum pfs_node_id id)
{
    assert(id < PFS_NODE_COUNT);
    return &nodes[id];
}

bool pfs_node_in_table(enum pfs_node_id id)
{
    while (id != PFS_NODE_ROOT && nodes[id].naming != PFS_NAMED_BY_TABLE)
        id = nodes[id].parent;
    return id != PFS_NODE_ROOT;
}

bool pfs_node_fits(const struct pfs *fs, enum pfs_node_id id, const struct ps_table_info *info)
{
    switch (nodes[id].where) {
    case PFS_IN_ANY:
        break;
    case PFS_IN_STORE:
        return !fs->cluster;
    default:
        return fs->cluster && pfs_cluster_fits(fs->cluster, id, info ? info->id : 0);
    }
    if (!info)
        return true;
    if (id == PFS_NODE_PAYLOAD)
        return info->format == PS_FORMAT_NATIVE && info->type == PS_PAGE_RAW;
    if (id == PFS_NODE_ITEMS)
        return !fs->cluster && (info->type == PS_PAGE_SLOTTED || info->pages_allocated == 0);
    return true;
}

enum pfs_node_id pfs_node_next(enum pfs_node_id parent, enum pfs_node_id from)
{
    enum pfs_node_id id = from;

    while (id < PFS_NODE_COUNT &&
           (id == PFS_NODE_ROOT || nodes[id].parent != parent || nodes[id].naming != PFS_NAMED))
        id++;
    return id;
}

enum pfs_node_id pfs_node_member(const struct pfs *fs, enum pfs_node_id parent)
{
    enum pfs_node_id id = PFS_NODE_ROOT;

    /* What lies below the root differs; tables are in their databases where there are any. */
    if (parent == PFS_NODE_ROOT)
        return pfs_has_databases(fs->cluster) ? PFS_NODE_DATABASE : PFS_NODE_TABLE;
    if (parent == PFS_NODE_DATABASE)
        return PFS_NODE_TABLE;
    while (id < PFS_NODE_COUNT && (nodes[id].parent != parent || nodes[id].naming == PFS_NAMED))
        id++;
    return id;
}

bool pfs_page_name_parse(const char *name, uint32_t *ret_page, bool *ret_alias)
{
    const size_t len = strlen(name);
    uint64_t page;

    if (len > PFS_PAGE_NAME_LEN || !ps_parse_number(name, 0, UINT32_MAX, &page))
        return false;
    if (len < PFS_PAGE_NAME_LEN && len > 1 && name[0] == '0')
        return false; /* neither ten digits nor how a number is written */
    *ret_page = (uint32_t)page;
    *ret_alias = len < PFS_PAGE_NAME_LEN;
    return true;
}

void pfs_page_name(uint32_t page, char name[PFS_PAGE_NAME_LEN + 1])
{
    snprintf(name, PFS_PAGE_NAME_LEN + 1, "%010u", page);
}

struct pfs_object pfs_object_parent(const struct pfs *fs, const struct pfs_object *o)
{
    struct pfs_object parent = {.id = nodes[o->id].parent};

    if (o->id == PFS_NODE_TABLE && pfs_has_databases(fs->cluster))
        parent = (struct pfs_object){.id = PFS_NODE_DATABASE,
                                     .page = pfs_cluster_database_of(fs->cluster, o->table)};
    else if (pfs_node_in_table(parent.id))
        parent.table = o->table;
    else if (pfs_node_in_table(o->id) && parent.id != PFS_NODE_ROOT)
        parent.page = pfs_cluster_database_of(fs->cluster, o->table);
    else if (parent.id != PFS_NODE_ROOT)
        parent.page = o->page;
    return parent;
}

static int lookup_table(struct ps_store *store, const char *name, struct pfs_object *ret)
{
    struct ps_table *table = NULL;
    ps_err err = ps_table_lookup(store, name, &table);

    if (err)
        return err == PS_ERR_INVAL ? ENOENT : pfs_errno(err);
    *ret = (struct pfs_object){.id = PFS_NODE_TABLE, .table = ps_table_id(table)};
    ps_table_unref(table);
    return 0;
}

static int lookup_page(const struct pfs_object *parent, enum pfs_node_id member, const char *name,
                       struct pfs_object *ret, bool *ret_alias)
{
    struct pfs_object page = {.id = member, .table = parent->table};

    if (!pfs_page_name_parse(name, &page.page, ret_alias))
        return ENOENT;
    *ret = page;
    return 0;
}

int pfs_object_lookup(const struct pfs *fs, const struct pfs_object *parent, const char *name,
                      struct pfs_object *ret, bool *ret_alias)
{
    enum pfs_node_id id = pfs_node_next(parent->id, PFS_NODE_ROOT);
    enum pfs_node_id member = pfs_node_member(fs, parent->id);

    assert(pfs_node_of(parent)->kind == PFS_KIND_DIR);
    *ret_alias = false;
    if (strlen(name) > PS_TABLE_NAME_MAX)
        return ENAMETOOLONG;
    for (; id < PFS_NODE_COUNT; id = pfs_node_next(parent->id, id + 1)) {
        if (strcmp(nodes[id].name, name) == 0 &&
            (pfs_node_in_table(id) || pfs_node_fits(fs, id, NULL))) {
            *ret = (struct pfs_object){.id = id, .table = parent->table, .page = parent->page};
            return 0;
        }
    }
    if (member == PFS_NODE_COUNT)
        return ENOENT;
    if (pfs_has_databases(fs->cluster) && nodes[member].naming != PFS_NAMED_BY_PAGE)
        return pfs_cluster_lookup(fs->cluster, parent, name, ret);
    if (member == PFS_NODE_TABLE)
        return lookup_table(fs->store, name, ret);
    return lookup_page(parent, member, name, ret, ret_alias);
}
