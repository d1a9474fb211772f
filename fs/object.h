/*
 * object.h - what there is in a mount, and its names.
 *
 * Every file and directory is an instance of a node: a line of one static table that says its
 * name, its folder, its permissions and what stands behind it. Nodes named by a table or a page
 * have many instances; an object says which.
 *
 * Flow       ops (a folder and a name, or an inode number) -> [object] -> ops (the object)
 * Units      page numbers count from 0; inode numbers are computed (fs/README.md).
 * Ownership  objects are values; a node is static.
 * Locking    pure functions, but for look-up, which asks the store.
 * Errors     errno values: ENOENT, ENAMETOOLONG.
 */
#ifndef PFS_OBJECT_H
#define PFS_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pagestore/table.h"

struct pfs;
struct pfs_view;

enum pfs_node_id {
    PFS_NODE_ROOT,
    PFS_NODE_ROOM, /* .pagefs */
    PFS_NODE_ROOM_STATS,
    PFS_NODE_ROOM_STATS_JSON,
    PFS_NODE_METRICS,
    PFS_NODE_FRAMES,
    PFS_NODE_WAL,
    PFS_NODE_TRACE,
    PFS_NODE_POLICIES,
    PFS_NODE_CONFIG,
    PFS_NODE_CHECKPOINT,
    PFS_NODE_TABLE,
    PFS_NODE_PAGE,
    PFS_NODE_STATS,
    PFS_NODE_VIEWS,
    PFS_NODE_STATS_JSON,
    PFS_NODE_IMAGE,
    PFS_NODE_PAYLOAD,
    PFS_NODE_CHECKSUMS,
    PFS_NODE_DECODED_DIR,
    PFS_NODE_DECODED,
    PFS_NODE_ITEMS,
    PFS_NODE_HEATMAP,
    /* Of PostgreSQL directories. */
    PFS_NODE_NOTES,
    PFS_NODE_DATABASE,
    PFS_NODE_BY_FILENODE, /* .by-filenode */
    PFS_NODE_FILENODE,    /* in it: where the file's relation is */
    PFS_NODE_ORPHANS,
    PFS_NODE_ROWS_DIR, /* .rows */
    PFS_NODE_ROWS_OF,  /* in it: the rows of one table */
    PFS_NODE_TUPLES,
    PFS_NODE_ROWS,
    PFS_NODE_DEAD,
    PFS_NODE_UNDECIDED,
    PFS_NODE_SCHEMA,
    PFS_NODE_SPACE,
    PFS_NODE_DAMAGE,
    PFS_NODE_COUNT,
};

enum pfs_node_kind {
    PFS_KIND_DIR,
    PFS_KIND_PAGE,  /* a page-file */
    PFS_KIND_SPACE, /* image or payload: all bytes of a table */
    PFS_KIND_VIEW,  /* generated text */
    PFS_KIND_LINK,
};

enum pfs_naming {
    PFS_NAMED,          /* by node.name */
    PFS_NAMED_BY_TABLE, /* by the catalog */
    PFS_NAMED_BY_PAGE,  /* by page number */
    PFS_NAMED_BY_DATABASE,
};

/* Which sources have the node; of a table's nodes, which relations. */
enum pfs_where {
    PFS_IN_ANY,
    PFS_IN_STORE, /* with a log */
    PFS_IN_CLUSTER,
    PFS_IN_HEAP,   /* relations with heap pages */
    PFS_IN_ROWS,   /* relations with rows of known columns */
    PFS_IN_NAMED,  /* relations that the catalog names */
    PFS_IN_CHECKED /* these, and a relation's file by itself */
};

struct pfs_node {
    enum pfs_node_id parent;
    enum pfs_node_kind kind;
    enum pfs_naming naming;
    const char *name;
    mode_t perm;         /* at most these permissions; the store's files may say less */
    bool comes_and_goes; /* a table may come to have it, or lose it: its name is not cached */
    enum ps_space space; /* of a SPACE */
    const struct pfs_view *view; /* of a VIEW */
    enum pfs_where where;
};

struct pfs_object {
    enum pfs_node_id id;
    uint32_t table; /* 0 where no table is meant */
    uint32_t
        page; /* of nodes named by page; index of the database, of nodes outside of tables; else
                 0 */
};

const struct pfs_node *pfs_node(enum pfs_node_id id);
static inline const struct pfs_node *pfs_node_of(const struct pfs_object *o)
{
    return pfs_node(o->id);
}

/* Is the node about a table: its folder, something in it, or elsewhere? */
bool pfs_node_in_table(enum pfs_node_id id);

/* Does the source have that node, and this table (info NULL: it is of none)? A slotted table has no
 * payload, say. */
bool pfs_node_fits(const struct pfs *fs, enum pfs_node_id id, const struct ps_table_info *info);

/* The first node named by PFS_NAMED in the folder with id >= from; PFS_NODE_COUNT: none left. */
enum pfs_node_id pfs_node_next(enum pfs_node_id parent, enum pfs_node_id from);

/* The node whose instances fill this folder: named by page, table or database; PFS_NODE_COUNT:
 * none. */
enum pfs_node_id pfs_node_member(const struct pfs *fs, enum pfs_node_id parent);

/* The folder that an object is in. */
struct pfs_object pfs_object_parent(const struct pfs *fs, const struct pfs_object *o);

/* Ten digits, or the number as people write it ("5"), which is an alias. False: no page's name. */
bool pfs_page_name_parse(const char *name, uint32_t *ret_page, bool *ret_alias);
#define PFS_PAGE_NAME_LEN 10u
void pfs_page_name(uint32_t page, char name[PFS_PAGE_NAME_LEN + 1]);

/* Looks a name up in a folder. Does not ask whether a page is allocated. *ret_alias: the object
 * has another name that is its own. */
int pfs_object_lookup(const struct pfs *fs, const struct pfs_object *parent, const char *name,
                      struct pfs_object *ret, bool *ret_alias);

#endif
