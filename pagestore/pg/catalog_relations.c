/*
 * catalog_relations.c - lists of relations, from pg_class and what other catalogs say of them.
 */
#include <string.h>

#include "pg/catalog_internal.h"

/* --- lists of names ----------------------------------------------------------------------- */

ps_err ps_pgc_keep_name(struct ps_pgc_db *db, const struct ps_pgc_row *row, unsigned column,
                        const char **ret)
{
    char name[PS_PGC_NAME_MAX + 1];

    ps_pgc_name(row, column, name);
    *ret = ps_pgc_keep(&db->strings, name, strlen(name));
    return *ret ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for names");
}

const char *ps_pgc_name_in(const struct ps_pgc_list *l, ps_oid oid)
{
    const struct ps_pgc_named *named = ps_pgc_list_find(l, oid, 0);

    return named ? named->name : NULL;
}

struct naming {
    struct ps_pgc_db *db;
    struct ps_pgc_list *list;
};

static ps_err add_named(void *ctx, const struct ps_pgc_row *row)
{
    const struct naming *n = ctx;
    struct ps_pgc_named *named;
    ps_err err;

    err = ps_pgc_list_add(n->list, sizeof(*named), ps_pgc_oid(row, 0), 0, row->sure, &named);
    return err ? err : ps_pgc_keep_name(n->db, row, 1, &named->name);
}

ps_err ps_pgc_read_named(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                         struct ps_pgc_list *l)
{
    struct naming n = {db, l};
    ps_err err = ps_pgc_optional(ps_pgc_read(db, spec, add_named, &n, NULL));

    ps_pgc_list_settle(l);
    return err;
}

const char *ps_pgc_schema_name(const struct ps_pgc_db *db, ps_oid oid)
{
    const char *name = ps_pgc_name_in(&db->schemas, oid);

    return name ? name : ps_pgc_builtin_schema(oid);
}

ps_oid ps_pgc_schema_named(const struct ps_pgc_db *db, const char *name)
{
    const struct ps_pgc_named *schema;
    uint32_t i;

    for (i = 0; i < db->schemas.count; i++) {
        schema = ps_pgc_list_at(&db->schemas, i);
        if (strcmp(schema->name, name) == 0)
            return schema->key.a;
    }
    return 0;
}

/* --- pg_class ----------------------------------------------------------------------------- */

enum {
    OID,
    RELNAME,
    RELNAMESPACE,
    RELAM,
    RELFILENODE,
    RELTABLESPACE,
    RELTOASTRELID,
    RELISSHARED,
    RELPERSISTENCE,
    RELKIND,
    RELNATTS,
    RELISPARTITION,
};
static const char *const class_columns[] = {
    "oid",           "relname",     "relnamespace",   "relam",   "relfilenode", "reltablespace",
    "reltoastrelid", "relisshared", "relpersistence", "relkind", "relnatts",    "relispartition",
};
static const struct ps_pgc_spec class_spec = {
    .oid = PS_PGC_CLASS,
    .name = "pg_class",
    .lost = "names of relations",
    .columns = class_columns,
    .column_count = PS_PGC_COUNT(class_columns),
};

static ps_err add_relation(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_relation *rel;
    ps_err err;

    err = ps_pgc_list_add(&db->relations, sizeof(*rel), ps_pgc_oid(row, OID), 0, row->sure, &rel);
    if (err)
        return err;
    rel->schema = ps_pgc_oid(row, RELNAMESPACE);
    rel->pub = (struct ps_pg_relation){
        .oid = rel->key.a,
        .kind = ps_pgc_char(row, RELKIND),
        .persistence = ps_pgc_char(row, RELPERSISTENCE),
        .shared = ps_pgc_bool(row, RELISSHARED),
        .is_partition = ps_pgc_bool(row, RELISPARTITION),
        .am = ps_pgc_oid(row, RELAM),
        .am_name = "",
        .space = ps_pgc_oid(row, RELTABLESPACE),
        .node = ps_pgc_oid(row, RELFILENODE),
        .toast = ps_pgc_oid(row, RELTOASTRELID),
        .natts = (uint16_t)ps_pgc_int16(row, RELNATTS),
    };
    return ps_pgc_keep_name(db, row, RELNAME, &rel->pub.name);
}

/* --- what other catalogs say of relations ------------------------------------------------- */

static const char *const schema_columns[] = {"oid", "nspname"};
static const struct ps_pgc_spec schema_spec = {
    .oid = PS_PGC_NAMESPACE,
    .name = "pg_namespace",
    .lost = "names of schemas",
    .columns = schema_columns,
    .column_count = PS_PGC_COUNT(schema_columns),
};

static const char *const am_columns[] = {"oid", "amname"};
static const struct ps_pgc_spec am_spec = {
    .oid = PS_PGC_AM,
    .name = "pg_am",
    .lost = "access methods that are not PostgreSQL's own",
    .columns = am_columns,
    .column_count = PS_PGC_COUNT(am_columns),
};

static const char *const inherits_columns[] = {"inhparent", "inhrelid"};
static const struct ps_pgc_spec inherits_spec = {
    .oid = PS_PGC_INHERITS,
    .name = "pg_inherits",
    .lost = "partitions of relations",
    .columns = inherits_columns,
    .column_count = PS_PGC_COUNT(inherits_columns),
};

static ps_err add_child(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_child *child;

    return ps_pgc_list_add(&db->children, sizeof(*child), ps_pgc_oid(row, 0), ps_pgc_oid(row, 1),
                           row->sure, &child);
}

static const char *const index_columns[] = {"indexrelid", "indrelid", "indclass"};
static const struct ps_pgc_spec index_spec = {
    .oid = PS_PGC_INDEX,
    .name = "pg_index",
    .lost = "tables and operator classes of indexes",
    .columns = index_columns,
    .column_count = PS_PGC_COUNT(index_columns),
};

static ps_err set_index(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_relation *index = ps_pgc_list_find(&db->relations, ps_pgc_oid(row, 0), 0);
    ps_oid classes[PS_PGC_INDEX_KEYS_MAX] = {0};
    uint32_t count;
    ps_err err;

    if (!index || (index->pub.owner != 0 && !row->sure))
        return PS_OK;
    index->pub.owner = ps_pgc_oid(row, 1);
    err = ps_pgc_vector(row, 2, sizeof(ps_oid), classes, PS_PGC_INDEX_KEYS_MAX, &count);
    index->pub.own_class = classes[0] >= PS_PGC_FIRST_NORMAL; /* 0: not known */
    return err;
}

static struct ps_pgc_relation *relation_by_oid(const struct ps_pgc_db *db, ps_oid oid)
{
    return oid != 0 ? ps_pgc_list_find(&db->relations, oid, 0) : NULL;
}

/* A table tells its toast relation, and that one's index whose it is. */
static void link_toast(struct ps_pgc_db *db)
{
    const struct ps_pgc_relation *rel;
    struct ps_pgc_relation *toast;
    uint32_t i;

    for (i = 0; i < db->relations.count; i++) {
        rel = ps_pgc_list_at(&db->relations, i);
        toast = relation_by_oid(db, rel->pub.toast);
        if (toast)
            toast->pub.owner = rel->key.a;
        toast = relation_by_oid(db, rel->pub.owner);
        if (toast && toast->pub.kind == 't' && rel->pub.kind == 'i' && !rel->pub.file_missing)
            toast->pub.toast_index = rel->key.a;
    }
}

static void set_names(struct ps_pgc_db *db)
{
    struct ps_pgc_relation *rel;
    const char *name;
    uint32_t i;

    for (i = 0; i < db->relations.count; i++) {
        rel = ps_pgc_list_at(&db->relations, i);
        name = ps_pgc_schema_name(db, rel->schema);
        rel->pub.schema = name ? name : "";
        name = ps_pgc_name_in(&db->ams, rel->pub.am);
        if (!name)
            name = ps_pgc_builtin_am(rel->pub.am);
        rel->pub.am_name = name ? name : "";
    }
}

ps_err ps_pgc_load_relations(struct ps_pgc_db *db)
{
    ps_err err;

    err = ps_pgc_read_first(db, &class_spec, PS_PGC_CLASS, add_relation, &db->relations_whole);
    if (err)
        return err;
    ps_pgc_list_settle(&db->relations);
    if (db->relations.count == 0) {
        ps_pg_note(db->catalog->cluster,
                   "%s: pg_class cannot be read: relations have names of their filenodes", db->dir);
        db->relations_whole = false;
    }
    ps_pgc_find_files(db); /* from here on catalogs are found by pg_class */
    err = ps_pgc_read_named(db, &schema_spec, &db->schemas);
    if (!err)
        err = ps_pgc_read_named(db, &am_spec, &db->ams);
    if (!err)
        err = ps_pgc_optional(ps_pgc_read(db, &inherits_spec, add_child, db, NULL));
    ps_pgc_list_settle(&db->children);
    if (!err)
        err = ps_pgc_optional(ps_pgc_read(db, &index_spec, set_index, db, NULL));
    link_toast(db);
    set_names(db);
    return err ? err : ps_pgc_set_dirs(db);
}
