/*
 * catalog_builtin.h - what PostgreSQL's catalogs say in every cluster: how some of them lie, types,
 * schemas and access methods with fixed OIDs.
 *
 * For reading the first catalogs, and for clusters of which catalogs are lost.
 *
 * Flow       catalog_*.c, sql_describe.c, output.c, damage_plan.c -> [catalog_builtin]
 * Locking    constants and pure functions.
 * Source     src/include/catalog: pg_attribute.h and others at versions 12 to 18, pg_type.dat,
 *            pg_am.dat, pg_namespace.dat.
 */
#ifndef PS_PG_CATALOG_BUILTIN_H
#define PS_PG_CATALOG_BUILTIN_H

#include "pagestore/err.h"
#include "pg/desc.h"

enum {
    PS_PGC_TYPE = 1247,
    PS_PGC_ATTRIBUTE = 1249,
    PS_PGC_PROC = 1255,
    PS_PGC_CLASS = 1259,
    PS_PGC_AUTHID = 1260,
    PS_PGC_DATABASE = 1262,
    PS_PGC_AM = 2601,
    PS_PGC_ATTRDEF = 2604,
    PS_PGC_CONSTRAINT = 2606,
    PS_PGC_INDEX = 2610,
    PS_PGC_INHERITS = 2611,
    PS_PGC_NAMESPACE = 2615,
    PS_PGC_OPCLASS = 2616,
    PS_PGC_OPERATOR = 2617,
    PS_PGC_SEQUENCE = 2224,
    PS_PGC_COLLATION = 3456,
    PS_PGC_DEPEND = 2608,
    PS_PGC_ENUM = 3501,
    PS_PGC_RANGE = 3541,
    PS_PGC_TS_DICT = 3600,
    PS_PGC_TS_CONFIG = 3602,
};

/* OIDs from here on are of what users make, those below of what PostgreSQL comes with. */
#define PS_PGC_FIRST_NORMAL 16384u

#define PS_PGC_INDEX_KEYS_MAX 32u /* columns of an index: INDEX_MAX_KEYS */

/* OIDs of schemas that every database has. */
#define PS_PGC_SCHEMA_CATALOG 11u
#define PS_PGC_SCHEMA_TOAST 99u
#define PS_PGC_SCHEMA_PUBLIC 2200u

/* How a catalog's rows lie: all columns of pg_attribute, pg_class, pg_type, the first ones of
 * pg_database and pg_namespace. version: major; one that is not known counts as the nearest that
 * is. PS_ERR_NOENT: another catalog. PS_ERR_NOMEM. */
PS_MUST_USE ps_err ps_pgc_layout(ps_oid catalog, uint32_t version, struct ps_pg_desc *ret);
/* Each of these has another pg_attribute, newest first; 0 ends them. */
extern const uint32_t ps_pgc_attribute_versions[];

/* types_builtin.c: types with fixed OIDs, arrays too, in order of their OIDs. */
const struct ps_pg_type *ps_pg_builtin_types(uint32_t *ret_count);

/* NULL: the OID is not a built-in one. */
const struct ps_pg_type *ps_pg_builtin_type(ps_oid oid);
const char *ps_pgc_builtin_am(ps_oid oid);
const char *ps_pgc_builtin_schema(ps_oid oid);

#endif
