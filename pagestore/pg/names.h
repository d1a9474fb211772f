/*
 * names.h - names of databases, schemas, relations and their files as names of files.
 *
 * Distinct names never meet: '/', '%', '.', '~' and control bytes become %XX, also the first byte
 * of a database called `global`; since '.' never stands in an encoded name, SCHEMA.RELATION and
 * SCHEMA.RELATION.fsm cannot be confused. What would be longer than a name can be is cut and ends
 * in ~OID.
 *
 * Flow       catalog, sql_schema, fs -> [names]
 * Units      lengths are bytes.
 * Locking    pure functions.
 */
#ifndef PS_PG_NAMES_H
#define PS_PG_NAMES_H

#include "pg/cluster.h"

#define PS_PG_DIR_MAX 255u

void ps_pg_database_dir(const char *name, ps_oid oid, char buf[PS_PG_DIR_MAX + 1]);
/* `suffix`, of at most 16 bytes, is whole also where the name before it is cut. */
void ps_pg_relation_file(const char *schema, const char *name, ps_oid oid, const char *suffix,
                         char buf[PS_PG_DIR_MAX + 1]);
/* The same with the suffix of a fork's folder; main has none. */
void ps_pg_relation_dir(const char *schema, const char *name, ps_oid oid, enum ps_pg_fork fork,
                        char buf[PS_PG_DIR_MAX + 1]);

/* A file's name in its database's .by-filenode: PostgreSQL's own; before that of one in another
 * tablespace the tablespace's OID. */
void ps_pg_filenode_name(const struct ps_pg_file *file, char buf[PS_PG_DIR_MAX + 1]);

#endif
