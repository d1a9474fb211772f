/*
 * cluster.h - a mounted PostgreSQL source: its names as folders and files.
 *
 * Flow       ops, object, views -> [cluster] -> pg
 * Units      an object's `page` is the database's index where it is not in a table.
 * Ownership  open gives what close takes back, with its store.
 * Locking    thread safe; constant once open.
 * Errors     errno values, and ps_err of open.
 * Promise    a name that next gives is found by lookup, and is the same object. Nothing in the
 *            source changes.
 */
#ifndef PFS_CLUSTER_H
#define PFS_CLUSTER_H

#include "fs/object.h"
#include "pg/catalog.h"

struct pfs_cluster {
    struct ps_pg_cluster *pg;
    struct ps_pg_catalog *catalog;
    bool skip_corrupt; /* on_corrupt=skip */
};

PS_MUST_USE ps_err pfs_cluster_open(const char *source, const struct ps_pg_options *opts,
                                    const struct ps_store_options *store_opts,
                                    struct pfs_cluster **ret);
void pfs_cluster_close(struct pfs_cluster *c);

/* Databases are below the root: a directory, not a single file (which is a table by its name).
 * NULL: a store of our own, which has none. */
bool pfs_has_databases(const struct pfs_cluster *c);

/* Facts about the source, for stats. */
void pfs_cluster_stats(const struct pfs_cluster *c, ps_stat_fn each, void *ctx);

/* The relation whose file the table is, NULL: not known. *ret_fork may be NULL. */
const struct ps_pg_relation *pfs_cluster_relation(const struct pfs_cluster *c, uint32_t table,
                                                  uint32_t *ret_db, enum ps_pg_fork *ret_fork);
/* Has the table a file of its own? One that has none is only there to have a folder. */
bool pfs_cluster_has_file(const struct pfs_cluster *c, uint32_t table);
uint32_t pfs_cluster_database_of(const struct pfs_cluster *c, uint32_t table);

/* Does this table (0: none is meant) have the node? */
bool pfs_cluster_fits(const struct pfs_cluster *c, enum pfs_node_id id, uint32_t table);

/* What is named `name` in a folder that holds databases, tables or links. ENOENT. */
int pfs_cluster_lookup(const struct pfs_cluster *c, const struct pfs_object *parent,
                       const char *name, struct pfs_object *ret);

/* The first member of such a folder at or behind position *at, which is moved behind it. False:
 * none is left. */
bool pfs_cluster_next(const struct pfs_cluster *c, const struct pfs_object *dir, uint64_t *at,
                      struct pfs_object *ret, char name[PS_PG_DIR_MAX + 1]);

/* Where a link leads. */
#define PFS_LINK_MAX (PS_PG_DIR_MAX + 4u)
void pfs_cluster_link(const struct pfs_cluster *c, const struct pfs_object *o,
                      char to[PFS_LINK_MAX]);

#endif
