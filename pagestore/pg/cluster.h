/*
 * cluster.h - a PostgreSQL data directory, base backup or single relation file, opened to be read:
 * which files there are, what pg_control and the maps say, and what is missing or wrong.
 *
 * A cluster is a provider of tables (foreign.h): each relation file's fork, over all its segments,
 * is one table. What the catalogs say of them is catalog.h's.
 *
 * Flow       fs, tools -> catalog, rows, damage -> [cluster] -> store (foreign.h) -> io
 * Units      OIDs and relfilenodes; block numbers; LSNs are PostgreSQL's.
 * Ownership  open gives what close takes back, with its store; all tables were given back before.
 *            What it gives out stays until then.
 * Locking    constant once open, but for placeholders and notes; thread safe.
 * Errors     open fails only where nothing can be shown: PS_ERR_NOENT (no such folder, or it has
 *            neither base/ nor global/), PS_ERR_IN_USE (a server runs in it, and not `live`),
 *            PS_ERR_INVAL (an option that cannot be). Every other missing or damaged piece becomes
 *            a note and costs what depends on it.
 * Promise    nothing is written, and no link is followed out of the source unless options say so.
 * Source     src/include/catalog/pg_control.h, src/backend/utils/cache/relmapper.c,
 *            src/common/relpath.c, src/backend/storage/file/reinit.c.
 */
#ifndef PS_PG_CLUSTER_H
#define PS_PG_CLUSTER_H

#include "pagestore/foreign.h"
#include "pg/desc.h"

#define PS_PG_GLOBAL_SPACE 1664u
#define PS_PG_DEFAULT_SPACE 1663u

struct ps_pg_cluster;

enum ps_pg_checks { PS_PG_CHECKS_AUTO, PS_PG_CHECKS_ON, PS_PG_CHECKS_OFF };

struct ps_pg_tablespace {
    ps_oid oid;
    const char *dir;
};

/* What the files cannot tell, or what the user knows better. Zeroed: ask the files. */
struct ps_pg_options {
    bool live;            /* also where a server runs */
    bool follow_links;    /* tablespaces by their links */
    const char *catalogs; /* of a FILE: a PGDATA whose catalogs describe it */
    const char *schema;   /* of a FILE: a file of CREATE TABLE statements */
    const char *toast;    /* of a FILE: its toast relation's file */
    const char *table;    /* of a FILE: which relation of catalogs or schema it is, if its name does
                             not tell: DATABASE/SCHEMA.TABLE, SCHEMA.TABLE or TABLE */
    uint32_t segment;     /* of a FILE: which segment it is; UINT32_MAX: as its name says. Not asked
                             of a folder */
    uint32_t segment_blocks, page_size;
    uint32_t version; /* major */
    enum ps_pg_checks checksums;
    const struct ps_pg_tablespace *tablespaces;
    uint32_t tablespace_count;
};

/* pg_control, as far as it could be read. */
struct ps_pg_control {
    bool known; /* the file was there, of a version that is known, and its CRC right */
    uint32_t control_version, catalog_version;
    uint64_t system_id;
    uint32_t state; /* enum DBState */
    uint64_t checkpoint_lsn, redo_lsn;
    uint32_t timeline;
    uint64_t next_xid; /* with epoch */
    uint32_t oldest_xid, next_multi, oldest_multi, next_multi_offset;
    uint32_t block_size, segment_blocks; /* as files are read, also if the file does not tell */
    uint32_t wal_segment_size;           /* 0: not known */
    uint32_t checksum_version;           /* 0: pages carry none */
};

enum ps_pg_fork { PS_PG_MAIN, PS_PG_FSM, PS_PG_VM, PS_PG_INIT, PS_PG_FORKS };
extern const char *const ps_pg_fork_names[PS_PG_FORKS]; /* "main", "fsm", "vm", "init" */

/* A relation file's fork: one table of the store. */
struct ps_pg_file {
    uint32_t id;      /* the table's */
    ps_oid space, db; /* db 0: shared */
    uint32_t node;    /* relfilenode */
    enum ps_pg_fork fork;
    int32_t backend; /* of a temporary relation, else -1 */
    unsigned root;
    const char *path; /* below the root, without segment */
};

PS_MUST_USE ps_err ps_pg_open(const char *source, const struct ps_pg_options *opts,
                              const struct ps_store_options *store_opts,
                              struct ps_pg_cluster **ret);
void ps_pg_close(struct ps_pg_cluster *cluster);

/* Does this look like something for ps_pg_open: a folder with base/ or global/, a relation file? A
 * page store of ours does not. */
bool ps_pg_recognize(const char *source);

struct ps_store *ps_pg_store(struct ps_pg_cluster *cluster);
const struct ps_pg_options *ps_pg_opts(const struct ps_pg_cluster *cluster);
const struct ps_pg_control *ps_pg_control(const struct ps_pg_cluster *cluster);
bool ps_pg_has_checksums(const struct ps_pg_cluster *cluster); /* its pages do */
uint32_t ps_pg_version(const struct ps_pg_cluster *cluster);   /* major, 0: not known */
bool ps_pg_is_file(const struct ps_pg_cluster *cluster);       /* a single relation file */
/* The folder that the files of a root lie below. */
const char *ps_pg_root_dir(const struct ps_pg_cluster *cluster, unsigned root);
/* Of a single file: the cluster that catalogs= names, open as long as this one; else NULL. Its
 * notes become notes of this one. */
struct ps_pg_cluster *ps_pg_catalogs(const struct ps_pg_cluster *cluster);
/* NULL, or why answers may be wrong: crashed, a base backup; with the redo point and what log is
 * there. */
const char *ps_pg_not_recovered(const struct ps_pg_cluster *cluster);

/* Databases by their folders: OIDs in ascending order, 0 (shared relations) first if global/ is
 * there. A single file is of one database, 0. */
uint32_t ps_pg_db_count(const struct ps_pg_cluster *cluster);
ps_oid ps_pg_db_oid(const struct ps_pg_cluster *cluster, uint32_t index);

/* Files ordered by db, space, node, backend, fork. Index from 0. Of a single file: it, then its
 * toast relation's. */
uint32_t ps_pg_file_count(const struct ps_pg_cluster *cluster);
const struct ps_pg_file *ps_pg_file(const struct ps_pg_cluster *cluster, uint32_t index);
/* Index of the first file of the database. */
uint32_t ps_pg_file_first(const struct ps_pg_cluster *cluster, ps_oid db);
/* NULL: there is none. space 0: the database's default, as pg_class spells it. */
const struct ps_pg_file *ps_pg_file_find(const struct ps_pg_cluster *cluster, ps_oid db,
                                         ps_oid space, uint32_t node, enum ps_pg_fork fork);
/* NULL: there is none of that db, space (as files have it), node, backend and fork. */
const struct ps_pg_file *ps_pg_file_like(const struct ps_pg_cluster *cluster,
                                         const struct ps_pg_file *key);
const struct ps_pg_file *ps_pg_file_by_id(const struct ps_pg_cluster *cluster, uint32_t id);
/* What the name of a relation's file says: sets node, fork and backend; segment 0: it has none.
 * False: it is no such name, and nothing was set. */
bool ps_pg_parse_file_name(const char *name, struct ps_pg_file *ret, uint32_t *ret_segment);
#define PS_PG_FILE_NAME_MAX 32u /* with its NUL */
/* The name of the file's first segment. */
void ps_pg_file_name(const struct ps_pg_file *file, char buf[PS_PG_FILE_NAME_MAX]);

/* Is the tablespace's folder at hand? Relations of one that is not have no files. 0: a database's
 * own. */
bool ps_pg_has_space(const struct ps_pg_cluster *cluster, ps_oid space);

/* Filenode of a mapped relation (pg_filenode.map; db 0: the shared one). 0: the map is missing,
 * damaged, or does not have it. */
uint32_t ps_pg_mapped_node(const struct ps_pg_cluster *cluster, ps_oid db, ps_oid relation);

/* A table without a file, of a relation that has none (partitioned) or whose file is missing. */
PS_MUST_USE ps_err ps_pg_placeholder(struct ps_pg_cluster *cluster, const char *name,
                                     uint32_t *ret_id);

/* A small file below the source, whole, into malloc'd memory; at most max bytes (PS_ERR_RANGE). */
PS_MUST_USE ps_err ps_pg_read_file(struct ps_pg_cluster *cluster, const char *path, size_t max,
                                   uint8_t **ret, size_t *ret_len);

/* A small file anywhere, named by an option; otherwise as ps_pg_read_file(). */
PS_MUST_USE ps_err ps_pg_read_named(const char *path, size_t max, uint8_t **ret, size_t *ret_len);

/* What is missing, damaged or doubtful, a line each: told to store_opts.message when it is found,
 * and kept. */
void ps_pg_note(struct ps_pg_cluster *cluster, const char *fmt, ...) PS_PRINTF(2, 3);
void ps_pg_notes(struct ps_pg_cluster *cluster, void (*each)(void *ctx, const char *line),
                 void *ctx);

#endif
