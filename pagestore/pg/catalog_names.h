/*
 * catalog_names.h - things that are called by name, and whether a name alone finds them.
 *
 * As in a server whose search_path is pg_catalog, public, which is the default.
 *
 * Flow       schema, output (reg* types) -> [names] -> catalog
 * Units      a database is named by its index; the rest by OID.
 * Ownership  of the database, until its catalog is closed.
 * Locking    read by the first call of ps_pgc_names(), constant afterwards.
 * Errors     names that cannot be read are a note, and not known.
 * Source     src/backend/catalog/namespace.c (RelationIsVisible, FuncnameGetCandidates, ...).
 */
#ifndef PS_PG_CATALOG_NAMES_H
#define PS_PG_CATALOG_NAMES_H

#include "pg/catalog_internal.h"

#define PS_PGC_ARGS_MAX 100u /* FUNC_MAX_ARGS */

enum ps_pgc_class {
    PS_PGC_RELATIONS,
    PS_PGC_TYPES,
    PS_PGC_PROCS,
    PS_PGC_OPERATORS,
    PS_PGC_COLLATIONS,
    PS_PGC_CONFIGS,
    PS_PGC_DICTS,
    PS_PGC_CLASSES,
};

struct ps_pgc_object { /* by OID */
    struct ps_pgc_key key;
    const char *name;
    ps_oid schema;
    uint32_t arg_count; /* of a function or operator */
    const char *args;   /* OIDs of their types, at any address */
};
ps_oid ps_pgc_object_arg(const struct ps_pgc_object *o, uint32_t i);

struct ps_pgc_objects {
    struct ps_pgc_list list;
    const struct ps_pgc_object **by_name;
};

struct ps_pgc_names {
    struct ps_pgc_objects classes[PS_PGC_CLASSES];
    struct ps_pgc_list roles;
    ps_oid schema_public;
};

/* Does its name, and its arguments' types, find it? */
bool ps_pgc_is_visible(const struct ps_pgc_names *names, enum ps_pgc_class which,
                       const struct ps_pgc_object *o);
/* Does its name alone find it, and nothing else? */
bool ps_pgc_is_only(const struct ps_pgc_names *names, enum ps_pgc_class which,
                    const struct ps_pgc_object *o);

#endif
