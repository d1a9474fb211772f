/*
 * sql_schema.h - CREATE TABLE, CREATE TYPE and CREATE DOMAIN statements, read for how rows lie.
 *
 * The dialect is what schema.sql and `pg_dump --schema-only` write, and what people write alike:
 * columns, types with modifiers, arrays, enums, domains, composites, ranges, INHERITS, LIKE,
 * PARTITION OF, and ALTER TABLE ... ADD, DROP and RENAME COLUMN. Statements that change nothing of
 * a row's layout are skipped, and so is the data of COPY ... FROM stdin. Two comments say what SQL
 * has no words for, as schema.sql does: `oid 16390` behind a label of an enum is what rows have in
 * its place; `dropped column: length -1, alignment i` among the columns of a table is one that was.
 *
 * Flow       text -> [sql_schema] -> lists of a database (catalog_internal.h)
 * Units      lines and columns (bytes) count from 1.
 * Ownership  parse gives what free takes back; names and descriptions that were taken from it live
 *            as long.
 * Locking    none: one thread; constant once described.
 * Errors     PS_ERR_INVAL, "FILE: line L, column C: ...": the text is not understood. PS_ERR_NOMEM.
 * Source     src/backend/parser/gram.y, src/bin/pg_dump/pg_dump.c.
 */
#ifndef PS_PG_SQL_SCHEMA_H
#define PS_PG_SQL_SCHEMA_H

#include "pagestore/err.h"
#include "pg/desc.h"

#include <stddef.h>

struct ps_pgc_db;
struct ps_sql_schema;
struct ps_sql_table;

/* file: for messages. */
PS_MUST_USE ps_err ps_sql_parse(const char *file, const char *text, size_t len,
                                struct ps_sql_schema **ret);
void ps_sql_free(struct ps_sql_schema *schema);

/* The table of that name, with or without its schema's, as it is or as a folder is named after it;
 * name NULL: the only one, or else the one called `guess`. PS_ERR_INVAL: the message lists those
 * that there are. */
PS_MUST_USE ps_err ps_sql_choose(const struct ps_sql_schema *schema, const char *name,
                                 const char *guess, const struct ps_sql_table **ret);

/* "": it was not said. */
const char *ps_sql_table_schema(const struct ps_sql_table *table);
const char *ps_sql_table_name(const struct ps_sql_table *table);
char ps_sql_table_persistence(const struct ps_sql_table *table);

/* OIDs that are made up are from here on, where no cluster has come to. */
#define PS_SQL_OID_FIRST 0xf0000000u

/* Adds the table's columns, as those of `relation`, and the types that they are of to the lists of
 * db, which are settled afterwards. Once for a schema. *ret_natts: columns, dropped ones too. */
PS_MUST_USE ps_err ps_sql_describe(struct ps_sql_schema *schema, const struct ps_sql_table *table,
                                   struct ps_pgc_db *db, ps_oid relation, uint16_t *ret_natts);

#endif
