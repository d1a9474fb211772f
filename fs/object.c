#include "fs/object.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/errmap.h"
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
                      .view = &pfs_view_wal},
    [PFS_NODE_TRACE] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "trace", .perm = 0400,
                        .view = &pfs_view_trace},
    [PFS_NODE_POLICIES] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "policies", .perm = 0400,
                           .view = &pfs_view_policies},
    [PFS_NODE_CONFIG] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "config", .perm = 0600,
                         .view = &pfs_view_config},
    [PFS_NODE_CHECKPOINT] = {PFS_NODE_ROOM, PFS_KIND_VIEW, .name = "checkpoint", .perm = 0600,
                             .view = &pfs_view_checkpoint},
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
};

const struct pfs_node *pfs_node(enum pfs_node_id id)
{
    assert(id < PFS_NODE_COUNT);
    return &nodes[id];
}

bool pfs_node_in_table(enum pfs_node_id id)
{
    while (id != PFS_NODE_ROOT && id != PFS_NODE_TABLE)
        id = nodes[id].parent;
    return id == PFS_NODE_TABLE;
}

bool pfs_node_fits(enum pfs_node_id id, const struct ps_table_info *info)
{
    if (id == PFS_NODE_PAYLOAD)
        return info->format == PS_FORMAT_NATIVE && info->type == PS_PAGE_RAW;
    if (id == PFS_NODE_ITEMS)
        return info->type == PS_PAGE_SLOTTED || info->pages_allocated == 0;
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

enum pfs_node_id pfs_node_member(enum pfs_node_id parent)
{
    enum pfs_node_id id = PFS_NODE_ROOT;

    while (id < PFS_NODE_COUNT && (nodes[id].parent != parent || nodes[id].naming == PFS_NAMED))
        id++;
    return id;
}

bool pfs_page_name_parse(const char *name, uint32_t *ret_page, bool *ret_alias)
{
    uint64_t page = 0;
    size_t len = strlen(name);

    if (len == 0 || len > PFS_PAGE_NAME_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        page = page * 10 + (uint64_t)(name[i] - '0');
    }
    if (page > UINT32_MAX)
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

int pfs_object_lookup(struct ps_store *store, const struct pfs_object *parent, const char *name,
                      struct pfs_object *ret, bool *ret_alias)
{
    enum pfs_node_id id = pfs_node_next(parent->id, PFS_NODE_ROOT);
    enum pfs_node_id member = pfs_node_member(parent->id);

    assert(pfs_node_of(parent)->kind == PFS_KIND_DIR);
    *ret_alias = false;
    if (strlen(name) > PS_TABLE_NAME_MAX)
        return ENAMETOOLONG;
    for (; id < PFS_NODE_COUNT; id = pfs_node_next(parent->id, id + 1)) {
        if (strcmp(nodes[id].name, name) == 0) {
            *ret = (struct pfs_object){.id = id, .table = parent->table};
            return 0;
        }
    }
    if (member == PFS_NODE_TABLE)
        return lookup_table(store, name, ret);
    if (member != PFS_NODE_COUNT)
        return lookup_page(parent, member, name, ret, ret_alias);
    return ENOENT;
}
