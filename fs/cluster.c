/*
 * cluster.c - folders and files of a PostgreSQL source: listing them, finding one by its name.
 */
#include "fs/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_SUFFIX ".csv"

/* --- opening ------------------------------------------------------------------------------ */

ps_err pfs_cluster_open(const char *source, const struct ps_pg_options *opts,
                        const struct ps_store_options *store_opts, struct pfs_cluster **ret)
{
    struct pfs_cluster *c = calloc(1, sizeof(*c));
    ps_err err;

    if (!c)
        return ps_fail(PS_ERR_NOMEM, "no memory for a cluster");
    err = ps_pg_open(source, opts, store_opts, &c->pg);
    if (!err)
        err = ps_pg_catalog_open(c->pg, &c->catalog);
    if (err) {
        pfs_cluster_close(c);
        return err;
    }
    *ret = c;
    return PS_OK;
}

void pfs_cluster_close(struct pfs_cluster *c)
{
    if (!c)
        return;
    if (c->catalog)
        ps_pg_catalog_close(c->catalog);
    if (c->pg)
        ps_pg_close(c->pg);
    free(c);
}

bool pfs_has_databases(const struct pfs_cluster *c)
{
    return c && !ps_pg_is_file(c->pg);
}

static void count_note(void *ctx, const char *line)
{
    (void)line;
    ++*(uint64_t *)ctx;
}

void pfs_cluster_stats(const struct pfs_cluster *c, ps_stat_fn each, void *ctx)
{
    const struct ps_pg_control *control = ps_pg_control(c->pg);
    const char *not_recovered = ps_pg_not_recovered(c->pg);
    char redo[32];
    uint64_t notes = 0;

    ps_pg_notes(c->pg, count_note, &notes);
    snprintf(redo, sizeof(redo), "%" PRIX32 "/%" PRIX32, (uint32_t)(control->redo_lsn >> 32),
             (uint32_t)control->redo_lsn);
    const struct ps_stat stats[] = {
        {.name = "pg_version",
         .help = "Major version of PostgreSQL, 0 if not known.",
         .value = ps_pg_version(c->pg)},
        {.name = "pg_control_known",
         .help = "1 if pg_control could be read.",
         .value = control->known},
        {.name = "pg_system_id", .help = "The cluster's identifier.", .value = control->system_id},
        {.name = "pg_redo_lsn", .help = "Redo point of the last checkpoint.", .text = redo},
        {.name = "pg_next_xid",
         .help = "The next transaction id, with epoch.",
         .value = control->next_xid},
        {.name = "pg_databases",
         .help = "Databases that there are folders of.",
         .value = ps_pg_db_count(c->pg)},
        {.name = "pg_files",
         .help = "Forks of relations that there are files of.",
         .value = ps_pg_file_count(c->pg)},
        {.name = "pg_notes",
         .help = "Lines of .pagefs/notes: what is missing or damaged.",
         .value = notes},
        {.name = "pg_not_recovered",
         .help = "Why answers may be wrong; no: it was shut down.",
         .text = not_recovered ? not_recovered : "no"},
    };

    for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++)
        each(ctx, &stats[i]);
}

/* --- tables ------------------------------------------------------------------------------- */

const struct ps_pg_relation *pfs_cluster_relation(const struct pfs_cluster *c, uint32_t table,
                                                  uint32_t *ret_db, enum ps_pg_fork *ret_fork)
{
    enum ps_pg_fork fork;

    return ps_pg_relation_of_table(c->catalog, table, ret_db, ret_fork ? ret_fork : &fork);
}

bool pfs_cluster_has_file(const struct pfs_cluster *c, uint32_t table)
{
    return ps_pg_file_by_id(c->pg, table) != NULL;
}

/* Of an orphan, by its file. */
uint32_t pfs_cluster_database_of(const struct pfs_cluster *c, uint32_t table)
{
    const struct ps_pg_file *file = ps_pg_file_by_id(c->pg, table);
    uint32_t i, count = ps_pg_db_count(c->pg), db = 0;

    if (!file) {
        (void)pfs_cluster_relation(c, table, &db, NULL);
        return db;
    }
    for (i = 0; i < count; i++)
        if (ps_pg_db_oid(c->pg, i) == file->db)
            db = i;
    return db;
}

static bool is_heap(const struct ps_pg_relation *r)
{
    return strchr("rtmS", r->kind) && r->kind && !r->file_missing;
}

static bool has_rows(const struct ps_pg_relation *r)
{
    return strchr("rtmp", r->kind) && r->kind;
}

/* Of a file by itself nothing may tell what it is. */
static bool is_described(const struct pfs_cluster *c, const struct ps_pg_relation *r)
{
    return !ps_pg_is_file(c->pg) || r->oid != 0;
}

bool pfs_cluster_fits(const struct pfs_cluster *c, enum pfs_node_id id, uint32_t table)
{
    enum pfs_where where = pfs_node(id)->where;
    enum ps_pg_fork fork = PS_PG_MAIN;
    const struct ps_pg_relation *r;
    uint32_t db;

    if (where == PFS_IN_CLUSTER)
        return true;
    r = pfs_cluster_relation(c, table, &db, &fork);
    if (fork != PS_PG_MAIN)
        return false;
    if (!r) /* an orphan: its lines are shown whatever they are; or page-db's, which has none */
        return where == PFS_IN_HEAP && !ps_pg_is_file(c->pg);
    if (where == PFS_IN_HEAP)
        return is_heap(r);
    if (where == PFS_IN_CHECKED)
        return true;
    return is_described(c, r) && (where == PFS_IN_NAMED || has_rows(r));
}

/* --- names -------------------------------------------------------------------------------- */

/* Folders are the database's, with its index, or .by-filenode or .rows in it. */
static bool is_user_table(const struct ps_pg_relation *r)
{
    return strchr("rpm", r->kind) && r->kind && strcmp(r->schema, "pg_catalog") != 0 &&
           strcmp(r->schema, "information_schema") != 0;
}

static bool has_fork(const struct ps_pg_relation *r, enum ps_pg_fork fork)
{
    return r->files[fork] != 0;
}

/* Of its rows, in .rows. */
static void rows_name(const struct ps_pg_relation *r, char name[PS_PG_DIR_MAX + 1])
{
    if (strlen(r->dir) + strlen(ROWS_SUFFIX) <= PS_PG_DIR_MAX)
        snprintf(name, PS_PG_DIR_MAX + 1, "%s" ROWS_SUFFIX, r->dir);
    else
        ps_pg_relation_file(r->schema, r->name, r->oid, ROWS_SUFFIX, name);
}

/* Positions in a database's folder count relations, and their forks. */
static bool next_relation(const struct pfs_cluster *c, uint32_t db, uint64_t *at,
                          struct pfs_object *ret, char name[PS_PG_DIR_MAX + 1])
{
    uint64_t end = (uint64_t)ps_pg_relation_count(c->catalog, db) * PS_PG_FORKS;

    for (; *at < end; ++*at) {
        enum ps_pg_fork fork = (enum ps_pg_fork)(*at % PS_PG_FORKS);
        const struct ps_pg_relation *r =
            ps_pg_relation(c->catalog, db, (uint32_t)(*at / PS_PG_FORKS));

        if (!has_fork(r, fork))
            continue;
        *ret = (struct pfs_object){.id = PFS_NODE_TABLE, .table = r->files[fork]};
        ps_pg_relation_fork_dir(r, fork, name);
        ++*at;
        return true;
    }
    return false;
}

static bool next_rows(const struct pfs_cluster *c, uint32_t db, uint64_t *at,
                      struct pfs_object *ret, char name[PS_PG_DIR_MAX + 1])
{
    uint64_t end = ps_pg_relation_count(c->catalog, db);

    for (; *at < end; ++*at) {
        const struct ps_pg_relation *r = ps_pg_relation(c->catalog, db, (uint32_t)*at);

        if (!is_user_table(r))
            continue;
        *ret = (struct pfs_object){.id = PFS_NODE_ROWS_OF, .table = r->files[PS_PG_MAIN]};
        rows_name(r, name);
        ++*at;
        return true;
    }
    return false;
}

/* A file that the catalog names is a link to its relation; an orphan is here itself. */
static struct pfs_object filenode_object(const struct pfs_cluster *c, const struct ps_pg_file *f)
{
    uint32_t db;
    bool named = pfs_cluster_relation(c, f->id, &db, NULL) != NULL;

    return (struct pfs_object){.id = named ? PFS_NODE_FILENODE : PFS_NODE_TABLE, .table = f->id};
}

static bool next_filenode(const struct pfs_cluster *c, uint32_t db, uint64_t *at,
                          struct pfs_object *ret, char name[PS_PG_DIR_MAX + 1])
{
    ps_oid oid = ps_pg_db_oid(c->pg, db);
    uint64_t index = ps_pg_file_first(c->pg, oid) + *at;
    const struct ps_pg_file *f;

    if (index >= ps_pg_file_count(c->pg))
        return false;
    f = ps_pg_file(c->pg, (uint32_t)index);
    if (f->db != oid)
        return false;
    *ret = filenode_object(c, f);
    ps_pg_filenode_name(f, name);
    ++*at;
    return true;
}

static bool next_database(const struct pfs_cluster *c, uint64_t *at, struct pfs_object *ret,
                          char name[PS_PG_DIR_MAX + 1])
{
    if (*at >= ps_pg_database_count(c->catalog))
        return false;
    *ret = (struct pfs_object){.id = PFS_NODE_DATABASE, .page = (uint32_t)*at};
    snprintf(name, PS_PG_DIR_MAX + 1, "%s", ps_pg_database(c->catalog, (uint32_t)*at)->dir);
    ++*at;
    return true;
}

bool pfs_cluster_next(const struct pfs_cluster *c, const struct pfs_object *dir, uint64_t *at,
                      struct pfs_object *ret, char name[PS_PG_DIR_MAX + 1])
{
    switch (dir->id) {
    case PFS_NODE_ROOT:
        return next_database(c, at, ret, name);
    case PFS_NODE_DATABASE:
        return next_relation(c, dir->page, at, ret, name);
    case PFS_NODE_ROWS_DIR:
        return next_rows(c, dir->page, at, ret, name);
    default:
        return next_filenode(c, dir->page, at, ret, name);
    }
}

/* --- look-up ------------------------------------------------------------------------------ */

static int lookup_relation(const struct pfs_cluster *c, uint32_t db, const char *name,
                           struct pfs_object *ret)
{
    enum ps_pg_fork fork = PS_PG_MAIN;
    const struct ps_pg_relation *r = ps_pg_relation_find(c->catalog, db, name, &fork);

    if (!r || !has_fork(r, fork))
        return ENOENT;
    *ret = (struct pfs_object){.id = PFS_NODE_TABLE, .table = r->files[fork]};
    return 0;
}

/* Without its suffix the name is the folder's, unless it had to be cut: then it ends in ~OID. */
static const struct ps_pg_relation *relation_of_rows(const struct pfs_cluster *c, uint32_t db,
                                                     const char *name, size_t len)
{
    char dir[PS_PG_DIR_MAX + 1];
    const char *mark = memrchr(name, '~', len);
    enum ps_pg_fork fork = PS_PG_MAIN;
    const struct ps_pg_relation *r;

    snprintf(dir, sizeof(dir), "%.*s", (int)len, name);
    r = ps_pg_relation_find(c->catalog, db, dir, &fork);
    if (!r && mark)
        r = ps_pg_relation_by_oid(c->catalog, db, (ps_oid)strtoul(mark + 1, NULL, 10));
    return r;
}

static int lookup_rows(const struct pfs_cluster *c, uint32_t db, const char *name,
                       struct pfs_object *ret)
{
    char expected[PS_PG_DIR_MAX + 1];
    size_t len = strlen(name), suffix = strlen(ROWS_SUFFIX);
    const struct ps_pg_relation *r;

    if (len <= suffix || len > PS_PG_DIR_MAX)
        return ENOENT;
    r = relation_of_rows(c, db, name, len - suffix);
    if (!r || !is_user_table(r))
        return ENOENT;
    rows_name(r, expected);
    if (strcmp(expected, name) != 0)
        return ENOENT;
    *ret = (struct pfs_object){.id = PFS_NODE_ROWS_OF, .table = r->files[PS_PG_MAIN]};
    return 0;
}

/* Reads what ps_pg_filenode_name() writes, and some that it would write otherwise. */
static bool parse_filenode(const char *name, struct ps_pg_file *ret)
{
    const char *dot = strchr(name, '.');
    uint32_t segment = 0;

    if (dot) {
        ret->space = (ps_oid)strtoul(name, NULL, 10);
        name = dot + 1;
    }
    return ps_pg_parse_file_name(name, ret, &segment) && segment == 0;
}

static int lookup_filenode(const struct pfs_cluster *c, const struct pfs_object *parent,
                           const char *name, struct pfs_object *ret)
{
    struct ps_pg_file key = {.db = ps_pg_db_oid(c->pg, parent->page), .backend = -1};
    char own_name[PS_PG_DIR_MAX + 1];
    const struct ps_pg_file *f;

    key.space = key.db == 0 ? PS_PG_GLOBAL_SPACE : PS_PG_DEFAULT_SPACE;
    f = parse_filenode(name, &key) ? ps_pg_file_like(c->pg, &key) : NULL;
    if (!f)
        return ENOENT;
    ps_pg_filenode_name(f, own_name);
    if (strcmp(own_name, name) != 0)
        return ENOENT;
    *ret = filenode_object(c, f);
    return 0;
}

int pfs_cluster_lookup(const struct pfs_cluster *c, const struct pfs_object *parent,
                       const char *name, struct pfs_object *ret)
{
    uint32_t db;

    switch (parent->id) {
    case PFS_NODE_ROOT:
        db = ps_pg_database_find(c->catalog, name);
        *ret = (struct pfs_object){.id = PFS_NODE_DATABASE, .page = db};
        return db == UINT32_MAX ? ENOENT : 0;
    case PFS_NODE_DATABASE:
        return lookup_relation(c, parent->page, name, ret);
    case PFS_NODE_ROWS_DIR:
        return lookup_rows(c, parent->page, name, ret);
    default:
        return lookup_filenode(c, parent, name, ret);
    }
}

void pfs_cluster_link(const struct pfs_cluster *c, const struct pfs_object *o,
                      char to[PFS_LINK_MAX])
{
    char name[PS_PG_DIR_MAX + 1] = "";
    enum ps_pg_fork fork = PS_PG_MAIN;
    uint32_t db;
    const struct ps_pg_relation *r = pfs_cluster_relation(c, o->table, &db, &fork);

    if (r)
        ps_pg_relation_fork_dir(r, fork, name);
    snprintf(to, PFS_LINK_MAX, "../%s", name);
}
