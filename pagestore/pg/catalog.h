/*
 * catalog.h - databases, relations, columns and types, read from the catalogs' own files.
 *
 * pg_class, pg_attribute and pg_type are found by pg_filenode.map, or by their rows. pg_attribute
 * is read with the layout that PostgreSQL has built in for its version; all other catalogs by the
 * columns that pg_attribute names, or by built-in layouts where that is lost. Rows are those that
 * a server would see (visibility.h).
 *
 * Flow       fs, tools, rows, damage -> [catalog] -> visibility, tuple -> store
 * Units      a database is named by its index, as in cluster.h; relations and types by OID.
 * Ownership  a catalog belongs to its cluster; what is found in it stays until it is closed.
 * Locking    thread safe: a database is read once, when first asked for; constant afterwards.
 * Errors     a catalog that is missing or damaged is a note, and costs what depends on it: without
 *            pg_class relations have names of their filenodes, and so on.
 * Promise    a row that is damaged, or refers to nothing, costs only itself.
 * Source     src/include/catalog/pg_class.h and others; versions 12 to 18.
 */
#ifndef PS_PG_CATALOG_H
#define PS_PG_CATALOG_H

#include "base/text.h"
#include "pg/cluster.h"
#include "pg/desc.h"
#include "pg/names.h"

struct ps_pg_catalog;
struct ps_pg_xacts;

struct ps_pg_relation {
    ps_oid oid;
    const char *schema, *name; /* as they are; schema "" : not known */
    const char *dir;           /* encoded: SCHEMA.RELATION */
    char kind;                 /* relkind: r i S t v m c f p I; 0: not known */
    char persistence;          /* p u t */
    bool shared, is_partition;
    ps_oid am;
    const char *am_name; /* "heap", "btree", ...; "": none */
    ps_oid space;
    uint32_t node;
    ps_oid toast;       /* its toast relation */
    ps_oid owner;       /* of a toast relation or index: the relation it serves */
    ps_oid toast_index; /* of a toast relation: its index */
    bool own_class;     /* of an index: its first key's operator class is none of PostgreSQL's */
    uint16_t natts;
    uint32_t files[PS_PG_FORKS]; /* table ids; 0: there is none. Main is a placeholder where the
                                    relation has, or should have had, no file */
    bool file_missing;           /* the catalog names a file, the directory lacks it */
};

struct ps_pg_database {
    ps_oid oid;      /* 0: shared relations */
    const char *dir; /* encoded name; of a database that pg_database does not name, its OID */
    const char *name;
    uint32_t encoding; /* enum pg_enc; 6: UTF8 */
    bool orders_bytes; /* its default collation is known to order text by its bytes */
};

/* Of a file by itself there is one database, of it and its toast relation. PS_ERR_INVAL: an option
 * that should describe it does not; the message says why. */
PS_MUST_USE ps_err ps_pg_catalog_open(struct ps_pg_cluster *cluster, struct ps_pg_catalog **ret);
void ps_pg_catalog_close(struct ps_pg_catalog *catalog);
struct ps_pg_cluster *ps_pg_catalog_cluster(struct ps_pg_catalog *catalog);
/* NULL: only hint bits tell what became of transactions. */
struct ps_pg_xacts *ps_pg_catalog_xacts(struct ps_pg_catalog *catalog);

/* Databases by index (as of cluster.h), and by encoded name: UINT32_MAX if there is none. */
uint32_t ps_pg_database_count(const struct ps_pg_catalog *catalog);
const struct ps_pg_database *ps_pg_database(struct ps_pg_catalog *catalog, uint32_t index);
uint32_t ps_pg_database_find(struct ps_pg_catalog *catalog, const char *dir);

/* Relations of a database that are shown (with files, or partitioned), ordered by dir. The first
 * call reads the database's catalogs. */
uint32_t ps_pg_relation_count(struct ps_pg_catalog *catalog, uint32_t db);
const struct ps_pg_relation *ps_pg_relation(struct ps_pg_catalog *catalog, uint32_t db,
                                            uint32_t index);
/* By name of its folder, which may be a fork's: *ret_fork. NULL: there is none. */
const struct ps_pg_relation *ps_pg_relation_find(struct ps_pg_catalog *catalog, uint32_t db,
                                                 const char *dir, enum ps_pg_fork *ret_fork);
/* The name of a fork's folder, which finds it; of the main one it is dir. */
void ps_pg_relation_fork_dir(const struct ps_pg_relation *relation, enum ps_pg_fork fork,
                             char buf[PS_PG_DIR_MAX + 1]);
const struct ps_pg_relation *ps_pg_relation_by_oid(struct ps_pg_catalog *catalog, uint32_t db,
                                                   ps_oid oid);
/* Whose file a table is; *ret_db its database. NULL: an orphan. */
const struct ps_pg_relation *ps_pg_relation_of_table(struct ps_pg_catalog *catalog, uint32_t id,
                                                     uint32_t *ret_db, enum ps_pg_fork *ret_fork);

/* Columns, dropped ones too, by attnum from 1. PS_ERR_NOENT: pg_attribute does not tell. */
PS_MUST_USE ps_err ps_pg_relation_desc(struct ps_pg_catalog *catalog, uint32_t db,
                                       const struct ps_pg_relation *relation,
                                       const struct ps_pg_desc **ret);
/* What printing values asks; good while the catalog is open. */
const struct ps_pg_types *ps_pg_catalog_types(struct ps_pg_catalog *catalog, uint32_t db);
/* Notes, the first time, that values of the type cannot be printed. */
void ps_pg_catalog_unknown_type(struct ps_pg_catalog *catalog, uint32_t db, ps_oid type);
/* Leaves of a partitioned relation, in order of their bounds' OIDs. */
PS_MUST_USE ps_err ps_pg_relation_leaves(struct ps_pg_catalog *catalog, uint32_t db,
                                         const struct ps_pg_relation *relation,
                                         const struct ps_pg_relation ***ret, uint32_t *ret_count);

/* CREATE statements that make an equal, empty relation, with the types it needs. */
PS_MUST_USE ps_err ps_pg_schema_sql(struct ps_pg_catalog *catalog, uint32_t db,
                                    const struct ps_pg_relation *relation, struct ps_text *out);
/* Files of a database that no catalog names: `path TAB bytes TAB why` a line. */
PS_MUST_USE ps_err ps_pg_orphans(struct ps_pg_catalog *catalog, uint32_t db, struct ps_text *out);

#endif
