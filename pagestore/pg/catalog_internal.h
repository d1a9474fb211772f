/*
 * catalog_internal.h - what the parts of catalog.h and of schema_*.c share.
 *
 * Flow       catalog.c (databases, loading) -> catalog_source.c (which file, which layout) ->
 *            catalog_columns.c, catalog_relations.c, catalog_types.c, catalog_objects.c (lists)
 * Units      a database is named by its index, as in cluster.h; relations, types and the rest by
 *            OID.
 * Ownership  all of a database's lists and strings live until the catalog is closed.
 * Locking    load_mtx is held while a database's lists are made; they are constant once `loaded`
 *            (or, of those that fewer ask for, `names_loaded`, `schema_loaded`) is set.
 * Errors     what is missing or damaged becomes a note, and costs what depends on it; so does an
 *            error that ends a reading.
 * Promise    whatever the rows say, lists are settled, and walks along them end.
 */
#ifndef PS_PG_CATALOG_INTERNAL_H
#define PS_PG_CATALOG_INTERNAL_H

#include "base/lock.h"
#include "pg/catalog.h"
#include "pg/catalog_builtin.h"
#include "pg/catalog_list.h"
#include "pg/catalog_read.h"

#define PS_PGC_NO_DB UINT32_MAX
#define PS_PGC_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* --- rows of catalogs, by OID where nothing else is said ------------------------------------- */

struct ps_pgc_relation {
    struct ps_pgc_key key;
    struct ps_pg_relation pub;
    ps_oid schema;
};
struct ps_pgc_named { /* pg_namespace, pg_am, pg_authid, ... */
    struct ps_pgc_key key;
    const char *name;
    ps_oid schema;
};
struct ps_pgc_columns { /* of a relation */
    struct ps_pgc_key key;
    struct ps_pg_desc desc;
    bool sound; /* none is missing in between, and each can be */
};
struct ps_pgc_type {
    struct ps_pgc_key key;
    struct ps_pg_type pub;
    ps_oid output, collation;
    ps_oid opclass, diff, canonical; /* of a range */
    bool not_null;
    _Atomic bool told;        /* a note says that its values cannot be printed */
    const char *default_text; /* of a domain; NULL: none */
};
struct ps_pgc_label { /* pg_enum */
    struct ps_pgc_key key;
    ps_oid type;
    float order;
    const char *text;
};
struct ps_pgc_child { /* pg_inherits, by parent and child */
    struct ps_pgc_key key;
};
struct ps_pgc_table { /* by id of the table: whose file it is */
    struct ps_pgc_key key;
    const struct ps_pg_relation *relation;
    enum ps_pg_fork fork;
};

/* --- databases -------------------------------------------------------------------------------- */

struct ps_pgc_db {
    struct ps_pg_catalog *catalog;
    uint32_t index;
    struct ps_pg_database pub;
    char dir[PS_PG_DIR_MAX + 1];
    char name[PS_PGC_NAME_MAX + 1];
    struct ps_pg_types types_api;

    _Atomic bool loaded, names_loaded, schema_loaded;
    _Atomic bool told; /* a note says that there are values of types that pg_type does not tell */
    struct ps_pgc_strings strings;
    struct ps_pg_attr *attrs; /* of all relations; columns' descs lie in it */
    struct ps_pgc_list columns;
    struct ps_pgc_list relations; /* those that are not shown, too */
    bool relations_whole;         /* all of pg_class was read */
    struct ps_pgc_list tables;
    const struct ps_pg_relation **shown; /* ordered by dir */
    uint32_t shown_count;
    struct ps_pg_relation *unnamed; /* those of them that pg_class does not name */
    struct ps_pgc_list schemas, ams, children;
    struct ps_pgc_list types, labels;
    struct ps_pgc_schema *schema; /* schema_load.c: what schema.sql asks */
    struct ps_pgc_names *names;   /* catalog_objects.c: what reg* types ask */
};

struct ps_pg_catalog {
    struct ps_pg_cluster *cluster;
    struct ps_pg_xacts *xacts; /* NULL: hint bits alone tell, of a file by itself */
    struct ps_pgc_file *file;  /* NULL: this is no file by itself */
    struct ps_mutex load_mtx;  /* PS_RANK_PG_CATALOG */
    uint32_t db_count;
    struct ps_pgc_db *dbs;           /* as of cluster.h */
    uint32_t *by_dir;                /* their indexes, ordered by dir */
    _Atomic uint32_t shared_told_by; /* the database whose catalogs tell of shared relations;
                                        written under load_mtx, once */
};

/* catalog.c: the database, read. */
struct ps_pgc_db *ps_pgc_db(struct ps_pg_catalog *catalog, uint32_t db);
/* The same, of the database whose catalogs tell of this one's relations: itself, but for shared
 * ones. NULL: no database does. */
struct ps_pgc_db *ps_pgc_teller(struct ps_pg_catalog *catalog, uint32_t db);
/* The one whose lists tell of this very relation. */
struct ps_pgc_db *ps_pgc_teller_of(struct ps_pg_catalog *catalog, uint32_t db,
                                   const struct ps_pg_relation *relation);

/* --- catalog_file.c: a relation's file by itself ---------------------------------------------- */

/* Makes the only database's lists while the catalog is opened. Errors as of ps_pg_catalog_open().
 */
PS_MUST_USE ps_err ps_pgc_file_describe(struct ps_pg_catalog *catalog);
void ps_pgc_file_close(struct ps_pgc_file *file);
struct ps_pgc_db *ps_pgc_file_teller(const struct ps_pgc_file *file);
/* The relation, or else its toast relation; NULL: it has none. */
const struct ps_pg_relation *ps_pgc_file_relation(const struct ps_pg_catalog *catalog, ps_oid oid);

/* --- catalog_source.c: rows of a catalog, wherever it lies ------------------------------------ */

struct ps_pgc_spec {
    ps_oid oid;
    const char *name;
    bool shared;
    const char *lost; /* what is not known without it, as in "names of schemas" */
    const char *const *columns;
    uint32_t column_count;
    uint32_t enough; /* this many of a row's first columns will do if later ones are damaged; 0:
                        all are needed */
};

/* Reads the catalog's rows; what is damaged or missing becomes a note. *ret_whole (may be NULL):
 * nothing was left out. PS_ERR_NOENT: there is no such catalog, and the note was made.
 * PS_ERR_NOMEM, and what row returns. */
PS_MUST_USE ps_err ps_pgc_read(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                               ps_pgc_row_fn row, void *ctx, bool *ret_whole);
/* The same, with a layout, and of a file, that the caller knows; makes no notes. */
PS_MUST_USE ps_err ps_pgc_read_as(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                                  const struct ps_pg_desc *desc, uint32_t table, ps_pgc_row_fn row,
                                  void *ctx, struct ps_pgc_met *ret_met);
void ps_pgc_note_damage(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                        const struct ps_pgc_met *met);
/* The file of pg_class, pg_attribute or pg_type; 0: it cannot be found. By the map, by its OID, by
 * looking at all files for one with a row as `probe` knows it. */
struct ps_pgc_probe {
    const struct ps_pgc_spec *spec;
    const struct ps_pg_desc *desc;
    ps_oid oid;       /* of a row that each such catalog has, first wanted column */
    const char *name; /* second wanted column */
};
PS_MUST_USE ps_err ps_pgc_find_file(struct ps_pgc_db *db, const struct ps_pgc_probe *probe,
                                    uint32_t *ret_table);
/* Reads pg_class or pg_type, by its columns as pg_attribute has them, or as they are built in, from
 * the file with a row that has this OID and the catalog's name. What is damaged becomes a note; no
 * such file is no error. *ret_whole: all of it was read. */
PS_MUST_USE ps_err ps_pgc_read_first(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                                     ps_oid row_oid, ps_pgc_row_fn row, bool *ret_whole);
/* PS_ERR_NOENT becomes PS_OK: what depends on the catalog goes without. */
ps_err ps_pgc_optional(ps_err err);

/* --- lists of a database, each from its catalogs; errors are PS_ERR_NOMEM --------------------- */

PS_MUST_USE ps_err ps_pgc_load_columns(struct ps_pgc_db *db);
/* NULL: pg_attribute does not tell. */
const struct ps_pgc_columns *ps_pgc_columns(const struct ps_pgc_db *db, ps_oid relation);
/* A catalog's columns as pg_attribute has them or, where that lacks some of the built-in ones, as
 * they are built in. *built must be given back in any case. PS_ERR_NOENT: neither is known. */
PS_MUST_USE ps_err ps_pgc_catalog_desc(const struct ps_pgc_db *db, ps_oid catalog,
                                       struct ps_pg_desc *built, const struct ps_pg_desc **ret);
PS_MUST_USE ps_err ps_pgc_load_relations(struct ps_pgc_db *db);
/* catalog_shown.c: which are shown, under which names, with which files. First files are found,
 * then names of schemas are known, then folders have names. */
void ps_pgc_find_files(struct ps_pgc_db *db);
PS_MUST_USE ps_err ps_pgc_set_dirs(struct ps_pgc_db *db);
/* teller: the database whose pg_class describes the relations, NULL: none. Files that it does not
 * name are shown by their numbers, if there may be more than those it names. */
PS_MUST_USE ps_err ps_pgc_show(struct ps_pgc_db *db, const struct ps_pgc_db *teller);
const struct ps_pg_relation *ps_pgc_find_dir(const struct ps_pgc_db *db, const char *dir,
                                             enum ps_pg_fork *ret_fork);
PS_MUST_USE ps_err ps_pgc_load_types(struct ps_pgc_db *db);

/* Sets what those who print values of the database's types ask. */
void ps_pgc_types_api(struct ps_pgc_db *db);

/* A column of type name, as a string that lives as long as the database's lists. */
PS_MUST_USE ps_err ps_pgc_keep_name(struct ps_pgc_db *db, const struct ps_pgc_row *row,
                                    unsigned column, const char **ret);
/* A named row of the list; NULL: there is none. */
const char *ps_pgc_name_in(const struct ps_pgc_list *l, ps_oid oid);
/* Reads a catalog's rows of (oid, name) into a list of struct ps_pgc_named, and settles it. */
PS_MUST_USE ps_err ps_pgc_read_named(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                                     struct ps_pgc_list *l);
/* Name of a schema as far as it is known, also a built-in one; NULL: it is not. */
const char *ps_pgc_schema_name(const struct ps_pgc_db *db, ps_oid oid);
/* OID of the schema of that name; 0: no row of pg_namespace that was read has it. */
ps_oid ps_pgc_schema_named(const struct ps_pgc_db *db, const char *name);

/* --- names as PostgreSQL prints them ---------------------------------------------------------- */

/* As quote_identifier(). */
void ps_pgc_quote(struct ps_text *out, const char *name);
/* SCHEMA.NAME, both quoted; schema NULL: name alone. */
void ps_pgc_qualified(struct ps_text *out, const char *schema, const char *name);
/* A string constant. */
void ps_pgc_literal(struct ps_text *out, const char *text);
/* As format_type(). */
enum ps_pgc_format {
    PS_PGC_BARE,       /* a type by itself: qualified where pg_catalog, public do not find it */
    PS_PGC_COLUMN,     /* of a column with that typmod, which may be none (-1) */
    PS_PGC_SCHEMA_SQL, /* the same, qualified unless it is in pg_catalog */
};
void ps_pgc_format_type(struct ps_pgc_db *db, ps_oid type, int32_t typmod, enum ps_pgc_format how,
                        struct ps_text *out);
bool ps_pgc_reg_name(void *ctx, ps_oid type, ps_oid value, char *buf, size_t len);
/* Names of functions, operators, collations, roles: read when first asked for. */
const struct ps_pgc_names *ps_pgc_names(struct ps_pgc_db *db);
void ps_pgc_names_free(struct ps_pgc_names *names);

void ps_pgc_schema_free(struct ps_pgc_schema *schema);

#endif
