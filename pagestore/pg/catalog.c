/*
 * catalog.c - opening the catalogs, reading each database's once, and the calls of catalog.h.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/catalog_internal.h"
#include "pg/xact.h"

/* --- databases ---------------------------------------------------------------------------- */

enum { DATOID, DATNAME, ENCODING, DATLOCPROVIDER, DATCOLLATE };
static const char *const database_columns[] = {"oid", "datname", "encoding", "datlocprovider",
                                               "datcollate"};
static const struct ps_pgc_spec database_spec = {
    .oid = PS_PGC_DATABASE,
    .name = "pg_database",
    .shared = true,
    .lost = "names of databases",
    .columns = database_columns,
    .column_count = PS_PGC_COUNT(database_columns),
    .enough = ENCODING + 2, /* before it stands datdba */
};

static struct ps_pgc_db *db_by_oid(struct ps_pg_catalog *c, ps_oid oid)
{
    uint32_t i;

    for (i = 0; i < c->db_count; i++)
        if (c->dbs[i].pub.oid == oid)
            return &c->dbs[i];
    return NULL;
}

#define ENCODING_UTF8 6u

/* Of C and POSIX alone that is known: what the C library makes of C.UTF-8 depends on its version.
 * Its own provider, of version 17, has none that orders otherwise. Before 15 there was but libc. */
static bool orders_bytes(const struct ps_pgc_row *row)
{
    const char provider = ps_pgc_char(row, DATLOCPROVIDER);
    char collate[PS_PGC_NAME_MAX + 1];

    ps_pgc_name(row, DATCOLLATE, collate);
    if (provider == 'c' || provider == '\0')
        return strcmp(collate, "C") == 0 || strcmp(collate, "POSIX") == 0;
    return provider == 'b';
}

static ps_err name_database(void *ctx, const struct ps_pgc_row *row)
{
    const struct ps_pgc_db *shared = ctx;
    struct ps_pgc_db *db = db_by_oid(shared->catalog, ps_pgc_oid(row, DATOID));
    char name[PS_PGC_NAME_MAX + 1];

    ps_pgc_name(row, DATNAME, name);
    if (!db || db->pub.oid == 0 || db->name[0] != '\0' || name[0] == '\0')
        return PS_OK; /* of a database that is not here, or the second to name it */
    memcpy(db->name, name, sizeof(name));
    db->pub.encoding = (uint32_t)ps_pgc_int32(row, ENCODING);
    db->pub.orders_bytes = orders_bytes(row);
    return PS_OK;
}

static void set_database_dir(struct ps_pgc_db *db)
{
    if (db->pub.oid == 0)
        snprintf(db->dir, sizeof(db->dir), "global");
    else if (db->name[0] != '\0')
        ps_pg_database_dir(db->name, db->pub.oid, db->dir);
    else
        snprintf(db->dir, sizeof(db->dir), "%u", db->pub.oid);
}

static int compare_db_dirs(const void *x, const void *y, void *ctx)
{
    const struct ps_pg_catalog *c = ctx;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    int order = strcmp(c->dbs[a].dir, c->dbs[b].dir);

    return order ? order : (a < b ? -1 : a > b);
}

static void sort_by_dir(struct ps_pg_catalog *c)
{
    qsort_r(c->by_dir, c->db_count, sizeof(*c->by_dir), compare_db_dirs, c);
}

#define EQUAL_DIR_MAX 240 /* leaves room for ~OID */

/* A database that is called 16384, and another that has this OID and no name. */
static void part_equal_dirs(struct ps_pg_catalog *c)
{
    char dir[PS_PG_DIR_MAX + 1];
    struct ps_pgc_db *first, *db;
    uint32_t i;

    sort_by_dir(c);
    for (i = 1, first = &c->dbs[c->by_dir[0]]; i < c->db_count; i++) {
        db = &c->dbs[c->by_dir[i]];
        if (strcmp(first->dir, db->dir) == 0) {
            snprintf(dir, sizeof(dir), "%.*s~%u", EQUAL_DIR_MAX, db->dir, db->pub.oid);
            memcpy(db->dir, dir, sizeof(dir));
        } else {
            first = db;
        }
    }
    sort_by_dir(c);
}

/* pg_database is read by way of a database of its own, for the time being: global/ may be gone. */
static ps_err read_databases(struct ps_pg_catalog *c)
{
    struct ps_pgc_db shared = {.catalog = c, .dir = "global"};

    if (ps_pg_is_file(c->cluster))
        return PS_OK;
    return ps_pgc_optional(ps_pgc_read(&shared, &database_spec, name_database, &shared, NULL));
}

static ps_err init_databases(struct ps_pg_catalog *c)
{
    uint32_t i;
    ps_err err;

    c->db_count = ps_pg_db_count(c->cluster);
    c->dbs = calloc(c->db_count + 1u, sizeof(*c->dbs));
    c->by_dir = calloc(c->db_count + 1u, sizeof(*c->by_dir));
    if (!c->dbs || !c->by_dir)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u databases", c->db_count);
    for (i = 0; i < c->db_count; i++) {
        c->by_dir[i] = i;
        c->dbs[i].catalog = c;
        c->dbs[i].index = i;
        c->dbs[i].pub.oid = ps_pg_db_oid(c->cluster, i);
        c->dbs[i].pub.encoding = ENCODING_UTF8;
        ps_pgc_types_api(&c->dbs[i]);
    }
    err = read_databases(c);
    for (i = 0; i < c->db_count; i++) {
        set_database_dir(&c->dbs[i]);
        c->dbs[i].pub.dir = c->dbs[i].dir;
        c->dbs[i].pub.name = c->dbs[i].name;
    }
    if (c->db_count > 0)
        part_equal_dirs(c);
    return err;
}

/* --- open and close ----------------------------------------------------------------------- */

ps_err ps_pg_catalog_open(struct ps_pg_cluster *cluster, struct ps_pg_catalog **ret)
{
    struct ps_pg_catalog *c = calloc(1, sizeof(*c));
    ps_err err;

    if (!c)
        return ps_fail(PS_ERR_NOMEM, "no memory for a catalog");
    c->cluster = cluster;
    c->shared_told_by = PS_PGC_NO_DB;
    ps_mutex_init(&c->load_mtx, PS_RANK_PG_CATALOG, "pg_catalog.load_mtx");
    err = ps_pg_is_file(cluster) ? PS_OK : ps_pg_xacts_open(cluster, &c->xacts);
    if (!err)
        err = init_databases(c);
    if (!err && ps_pg_is_file(cluster))
        err = ps_pgc_file_describe(c);
    if (err) {
        ps_pg_catalog_close(c);
        return err;
    }
    *ret = c;
    return PS_OK;
}

/* The database has no lists afterwards. */
static void free_lists(struct ps_pgc_db *db)
{
    ps_pgc_list_deinit(&db->columns);
    ps_pgc_list_deinit(&db->relations);
    ps_pgc_list_deinit(&db->tables);
    ps_pgc_list_deinit(&db->schemas);
    ps_pgc_list_deinit(&db->ams);
    ps_pgc_list_deinit(&db->children);
    ps_pgc_list_deinit(&db->types);
    ps_pgc_list_deinit(&db->labels);
    ps_pgc_strings_deinit(&db->strings);
    ps_pgc_names_free(db->names);
    ps_pgc_schema_free(db->schema);
    free(db->attrs);
    free(db->shown);
    free(db->unnamed);
    db->names = NULL;
    db->schema = NULL;
    db->attrs = NULL;
    db->shown = NULL;
    db->shown_count = 0;
    db->unnamed = NULL;
}

void ps_pg_catalog_close(struct ps_pg_catalog *c)
{
    uint32_t i;

    if (!c)
        return;
    for (i = 0; c->dbs && i < c->db_count; i++)
        free_lists(&c->dbs[i]);
    free(c->dbs);
    free(c->by_dir);
    ps_pg_xacts_close(c->xacts);
    ps_pgc_file_close(c->file);
    ps_mutex_deinit(&c->load_mtx);
    free(c);
}

struct ps_pg_xacts *ps_pg_catalog_xacts(struct ps_pg_catalog *c)
{
    return c->xacts;
}

struct ps_pg_cluster *ps_pg_catalog_cluster(struct ps_pg_catalog *c)
{
    return c->cluster;
}

/* --- reading a database, once ------------------------------------------------------------- */

static void load_db(struct ps_pgc_db *db);

/* The first database that can tell of shared relations. */
static struct ps_pgc_db *find_teller(struct ps_pg_catalog *c)
{
    uint32_t i;

    ps_assert_held(&c->load_mtx);
    for (i = 0; i < c->db_count && c->shared_told_by == PS_PGC_NO_DB; i++) {
        if (c->dbs[i].pub.oid == 0)
            continue;
        load_db(&c->dbs[i]);
        if (c->dbs[i].relations.count > 0)
            c->shared_told_by = i;
    }
    return c->shared_told_by == PS_PGC_NO_DB ? NULL : &c->dbs[c->shared_told_by];
}

static bool has_columns(const struct ps_pgc_columns *columns, const struct ps_pg_relation *relation)
{
    return columns && columns->desc.count == relation->natts;
}

/* Of relations that pg_class names. Where all of pg_attribute is lost, there is a note already. */
static void note_unknown_columns(struct ps_pgc_db *db)
{
    const struct ps_pg_relation *relation, *first = NULL;
    uint32_t i, count = 0;

    for (i = 0; db->columns.count > 0 && i < db->shown_count; i++) {
        relation = db->shown[i];
        if (relation->oid == 0 || relation->natts == 0 ||
            has_columns(ps_pgc_columns(db, relation->oid), relation))
            continue;
        count++;
        first = first ? first : relation;
    }
    if (first)
        ps_pg_note(db->catalog->cluster,
                   "%s: pg_attribute does not tell the columns of %" PRIu32
                   " relations, the first is %s: their rows cannot be read",
                   db->dir, count, first->dir);
}

static ps_err load_lists(struct ps_pgc_db *db)
{
    ps_err err;

    if (db->pub.oid == 0)
        return ps_pgc_show(db, find_teller(db->catalog));
    err = ps_pgc_load_columns(db);
    if (!err)
        err = ps_pgc_load_relations(db);
    if (!err)
        err = ps_pgc_show(db, db);
    if (!err)
        note_unknown_columns(db);
    return err ? err : ps_pgc_load_types(db);
}

/* Lists that there was no memory to finish are of no use: what they lack would be taken for what is
 * not there. */
static void load_db(struct ps_pgc_db *db)
{
    ps_err err;

    ps_assert_held(&db->catalog->load_mtx);
    if (db->loaded)
        return;
    err = load_lists(db);
    if (err)
        ps_pg_note(db->catalog->cluster, "%s: its catalogs could not be read: %s", db->dir,
                   ps_message());
    if (err == PS_ERR_NOMEM)
        free_lists(db);
    db->loaded = true;
}

struct ps_pgc_db *ps_pgc_db(struct ps_pg_catalog *c, uint32_t index)
{
    struct ps_pgc_db *db = &c->dbs[index];

    if (!db->loaded) {
        ps_mutex_lock(&c->load_mtx);
        load_db(db);
        ps_mutex_unlock(&c->load_mtx);
    }
    return db;
}

struct ps_pgc_db *ps_pgc_teller(struct ps_pg_catalog *c, uint32_t index)
{
    struct ps_pgc_db *db = ps_pgc_db(c, index);

    if (c->file)
        return ps_pgc_file_teller(c->file);
    if (db->pub.oid != 0)
        return db;
    if (c->shared_told_by != PS_PGC_NO_DB)
        return &c->dbs[c->shared_told_by];
    ps_mutex_lock(&c->load_mtx);
    db = find_teller(c);
    ps_mutex_unlock(&c->load_mtx);
    return db;
}

struct ps_pgc_db *ps_pgc_teller_of(struct ps_pg_catalog *c, uint32_t index,
                                   const struct ps_pg_relation *relation)
{
    struct ps_pgc_db *db = ps_pgc_db(c, index);

    return ps_pgc_columns(db, relation->oid) ? db : ps_pgc_teller(c, index);
}

/* --- what catalog.h promises -------------------------------------------------------------- */

uint32_t ps_pg_database_count(const struct ps_pg_catalog *c)
{
    return c->db_count;
}

const struct ps_pg_database *ps_pg_database(struct ps_pg_catalog *c, uint32_t index)
{
    return index < c->db_count ? &c->dbs[index].pub : NULL;
}

uint32_t ps_pg_database_find(struct ps_pg_catalog *c, const char *dir)
{
    uint32_t low = 0, high = c->db_count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (strcmp(c->dbs[c->by_dir[middle]].dir, dir) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == c->db_count || strcmp(c->dbs[c->by_dir[low]].dir, dir) != 0)
        return PS_PGC_NO_DB;
    return c->by_dir[low];
}

uint32_t ps_pg_relation_count(struct ps_pg_catalog *c, uint32_t db)
{
    return ps_pgc_db(c, db)->shown_count;
}

const struct ps_pg_relation *ps_pg_relation(struct ps_pg_catalog *c, uint32_t db, uint32_t index)
{
    const struct ps_pgc_db *d = ps_pgc_db(c, db);

    return index < d->shown_count ? d->shown[index] : NULL;
}

const struct ps_pg_relation *ps_pg_relation_find(struct ps_pg_catalog *c, uint32_t db,
                                                 const char *dir, enum ps_pg_fork *ret_fork)
{
    return ps_pgc_find_dir(ps_pgc_db(c, db), dir, ret_fork);
}

const struct ps_pg_relation *ps_pg_relation_by_oid(struct ps_pg_catalog *c, uint32_t db, ps_oid oid)
{
    const struct ps_pgc_db *teller;
    const struct ps_pgc_relation *rel;

    if (c->file)
        return ps_pgc_file_relation(c, oid);
    teller = ps_pgc_teller(c, db);
    rel = teller && oid != 0 ? ps_pgc_list_find(&teller->relations, oid, 0) : NULL;
    return rel ? &rel->pub : NULL;
}

static const struct ps_pg_relation *table_in(const struct ps_pgc_db *db, uint32_t id,
                                             uint32_t *ret_db, enum ps_pg_fork *ret_fork)
{
    const struct ps_pgc_table *table = ps_pgc_list_find(&db->tables, id, 0);

    if (!table)
        return NULL;
    *ret_db = db->index;
    *ret_fork = table->fork;
    return table->relation;
}

const struct ps_pg_relation *ps_pg_relation_of_table(struct ps_pg_catalog *c, uint32_t id,
                                                     uint32_t *ret_db, enum ps_pg_fork *ret_fork)
{
    const struct ps_pg_file *file = ps_pg_file_by_id(c->cluster, id);
    const struct ps_pg_relation *rel = NULL;
    struct ps_pgc_db *db = file ? db_by_oid(c, file->db) : NULL;
    uint32_t i;

    if (db)
        return table_in(ps_pgc_db(c, db->index), id, ret_db, ret_fork);
    for (i = 0; !rel && i < c->db_count; i++) /* a placeholder, of a database that was read */
        if (c->dbs[i].loaded)
            rel = table_in(&c->dbs[i], id, ret_db, ret_fork);
    return rel;
}

ps_err ps_pg_relation_desc(struct ps_pg_catalog *c, uint32_t db,
                           const struct ps_pg_relation *relation, const struct ps_pg_desc **ret)
{
    const struct ps_pgc_db *teller = ps_pgc_teller_of(c, db, relation);
    const struct ps_pgc_columns *columns;

    columns = teller && relation->oid != 0 ? ps_pgc_columns(teller, relation->oid) : NULL;
    if (has_columns(columns, relation)) {
        *ret = &columns->desc;
        return PS_OK;
    }
    if (relation->oid != 0 && relation->natts == 0) {
        static const struct ps_pg_desc no_columns;

        *ret = &no_columns;
        return PS_OK;
    }
    return ps_fail(PS_ERR_NOENT, "%s: pg_attribute does not tell its columns", relation->dir);
}

const struct ps_pg_types *ps_pg_catalog_types(struct ps_pg_catalog *c, uint32_t db)
{
    const struct ps_pgc_db *teller = ps_pgc_teller(c, db);

    return teller ? &teller->types_api : &c->dbs[db].types_api;
}

void ps_pg_catalog_unknown_type(struct ps_pg_catalog *c, uint32_t index, ps_oid oid)
{
    struct ps_pgc_db *teller = ps_pgc_teller(c, index), *db = teller ? teller : &c->dbs[index];
    struct ps_pgc_type *type = ps_pgc_list_find(&db->types, oid, 0);

    if (atomic_exchange(type ? &type->told : &db->told, true))
        return;
    if (type)
        ps_pg_note(c->cluster,
                   "%s: values of type %s are shown by their bytes, as \\x...: only functions "
                   "of its own can print them",
                   db->dir, type->pub.name);
    else
        ps_pg_note(c->cluster,
                   "%s: values of types that pg_type does not tell, as of %" PRIu32
                   ", are shown by their bytes, as \\x...",
                   db->dir, oid);
}
