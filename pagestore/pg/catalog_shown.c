/*
 * catalog_shown.c - which relations are shown: those that pg_class names, files that it does not
 * name, and what each is called.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/catalog_internal.h"

/* --- files of relations ------------------------------------------------------------------- */

static bool has_storage(char kind)
{
    return kind != '\0' && strchr("riStm", kind) != NULL;
}

static bool is_partitioned(char kind)
{
    return kind == 'p' || kind == 'I';
}

static ps_err own_table(struct ps_pgc_db *db, uint32_t id, const struct ps_pg_relation *relation,
                        enum ps_pg_fork fork)
{
    struct ps_pgc_table *table;
    ps_err err;

    err = ps_pgc_list_add(&db->tables, sizeof(*table), id, 0, true, &table);
    if (err)
        return err;
    table->relation = relation;
    table->fork = fork;
    return PS_OK;
}

/* Shared relations are among a database's too, so that it can name them; their files are those of
 * database 0. */
static void find_forks(const struct ps_pgc_db *db, struct ps_pg_relation *rel)
{
    struct ps_pg_cluster *cluster = db->catalog->cluster;
    ps_oid db_oid = rel->shared ? 0 : db->pub.oid;
    const struct ps_pg_file *file;
    unsigned fork;

    if (rel->shared)
        rel->space = PS_PG_GLOBAL_SPACE;
    if (rel->node == 0)
        rel->node = ps_pg_mapped_node(cluster, db_oid, rel->oid);
    if (rel->node == 0) /* mapped, and the map is lost */
        rel->node = rel->oid;
    for (fork = 0; fork < PS_PG_FORKS; fork++) {
        file = ps_pg_file_find(cluster, db_oid, rel->space, rel->node, (enum ps_pg_fork)fork);
        rel->files[fork] = file ? file->id : 0;
    }
    rel->file_missing = rel->files[PS_PG_MAIN] == 0;
}

void ps_pgc_find_files(struct ps_pgc_db *db)
{
    struct ps_pgc_relation *rel;
    uint32_t i;

    for (i = 0; i < db->relations.count; i++) {
        rel = ps_pgc_list_at(&db->relations, i);
        if (has_storage(rel->pub.kind))
            find_forks(db, &rel->pub);
    }
}

/* --- names -------------------------------------------------------------------------------- */

static ps_err set_dir(struct ps_pgc_db *db, struct ps_pgc_relation *rel)
{
    char dir[PS_PG_DIR_MAX + 1], schema[16];

    snprintf(schema, sizeof(schema), "%u", rel->schema); /* where its name is not known */
    ps_pg_relation_dir(*rel->pub.schema ? rel->pub.schema : schema, rel->pub.name, rel->pub.oid,
                       PS_PG_MAIN, dir);
    rel->pub.dir = ps_pgc_keep(&db->strings, dir, strlen(dir));
    return rel->pub.dir ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for names of relations");
}

static int compare_dirs(const void *x, const void *y)
{
    const struct ps_pg_relation *const *a = x, *const *b = y;
    int order = strcmp((*a)->dir, (*b)->dir);

    if (order == 0)
        order = (*a)->oid < (*b)->oid ? -1 : (*a)->oid > (*b)->oid;
    return order;
}

static void sort_shown(struct ps_pgc_db *db)
{
    qsort(db->shown, db->shown_count, sizeof(*db->shown), compare_dirs);
}

#define EQUAL_DIR_MAX 240 /* leaves room for ~OID */

/* Two rows with one name mean damage, or a catalog that was not recovered: all but the first get a
 * suffix, ~OID, that no encoded name has. */
static ps_err part_equal_dirs(struct ps_pgc_db *db)
{
    char dir[PS_PG_DIR_MAX + 1];
    struct ps_pg_relation *rel;
    uint32_t i, first = 0;
    int len;

    for (i = 1; i < db->shown_count; i++) {
        if (strcmp(db->shown[first]->dir, db->shown[i]->dir) != 0) {
            first = i;
            continue;
        }
        rel = (struct ps_pg_relation *)db->shown[i];
        len = snprintf(dir, sizeof(dir), "%.*s~%u", EQUAL_DIR_MAX, rel->dir,
                       rel->oid ? rel->oid : rel->space);
        rel->dir = ps_pgc_keep(&db->strings, dir, (size_t)len);
        if (!rel->dir)
            return ps_fail(PS_ERR_NOMEM, "no memory for names of relations");
    }
    sort_shown(db);
    return PS_OK;
}

/* --- relations that pg_class names -------------------------------------------------------- */

static bool is_shown(const struct ps_pg_relation *rel)
{
    return has_storage(rel->kind) || is_partitioned(rel->kind);
}

static ps_err set_placeholder(struct ps_pgc_db *db, struct ps_pg_relation *rel)
{
    char name[2 * PS_PG_DIR_MAX + 2];

    snprintf(name, sizeof(name), "%s/%s", rel->shared ? "global" : db->dir, rel->dir);
    return ps_pg_placeholder(db->catalog->cluster, name, &rel->files[PS_PG_MAIN]);
}

ps_err ps_pgc_set_dirs(struct ps_pgc_db *db)
{
    struct ps_pgc_relation *rel;
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; !err && i < db->relations.count; i++) {
        rel = ps_pgc_list_at(&db->relations, i);
        if (!is_shown(&rel->pub))
            continue;
        err = set_dir(db, rel);
        if (!err && rel->pub.files[PS_PG_MAIN] == 0)
            err = set_placeholder(db, &rel->pub);
    }
    return err;
}

static ps_err show(struct ps_pgc_db *db, const struct ps_pg_relation *rel)
{
    unsigned fork;
    ps_err err = PS_OK;

    db->shown[db->shown_count++] = rel;
    for (fork = 0; !err && fork < PS_PG_FORKS; fork++)
        if (rel->files[fork] != 0)
            err = own_table(db, rel->files[fork], rel, (enum ps_pg_fork)fork);
    return err;
}

/* Two rows with one file can only be damage, or a catalog not recovered: one of them has it, the
 * others have lost theirs. */
static ps_err part_equal_files(struct ps_pgc_db *db)
{
    const struct ps_pgc_table *owner;
    struct ps_pg_relation *rel;
    ps_err err = PS_OK;
    unsigned fork;
    uint32_t i;

    for (i = 0; i < db->shown_count; i++) {
        rel = (struct ps_pg_relation *)db->shown[i];
        for (fork = 0; fork < PS_PG_FORKS; fork++) {
            owner = ps_pgc_list_find(&db->tables, rel->files[fork], 0);
            if (owner && owner->relation != rel)
                rel->files[fork] = 0;
        }
    }
    for (i = 0; !err && i < db->shown_count; i++) {
        rel = (struct ps_pg_relation *)db->shown[i];
        if (rel->files[PS_PG_MAIN] != 0)
            continue;
        rel->file_missing = true;
        err = set_placeholder(db, rel);
        if (!err)
            err = own_table(db, rel->files[PS_PG_MAIN], rel, PS_PG_MAIN);
    }
    return err;
}

static ps_err show_named(struct ps_pgc_db *db, const struct ps_pgc_db *teller)
{
    const struct ps_pgc_relation *rel;
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; !err && i < teller->relations.count; i++) {
        rel = ps_pgc_list_at(&teller->relations, i);
        if (is_shown(&rel->pub) && rel->pub.shared == (db->pub.oid == 0))
            err = show(db, &rel->pub);
    }
    ps_pgc_list_settle(&db->tables);
    if (!err)
        err = part_equal_files(db);
    ps_pgc_list_settle(&db->tables);
    sort_shown(db);
    return err;
}

/* --- relations after their files ---------------------------------------------------------- */

static const struct ps_pg_relation *find_shown(const struct ps_pgc_db *db, const char *dir)
{
    const struct ps_pg_relation key = {.dir = dir}, *at = &key;
    uint32_t low = 0, high = db->shown_count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (compare_dirs(&db->shown[middle], &at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == db->shown_count || strcmp(db->shown[low]->dir, dir) != 0)
        return NULL;
    return db->shown[low];
}

/* Would a fork's folder be taken for a relation called fsm in a schema called as the filenode? */
static bool is_schema(const struct ps_pgc_db *db, const char *name)
{
    char dir[64];
    unsigned fork;

    for (fork = PS_PG_MAIN + 1; fork < PS_PG_FORKS; fork++) {
        snprintf(dir, sizeof(dir), "%s.%s", name, ps_pg_fork_names[fork]);
        if (find_shown(db, dir))
            return true;
    }
    return false;
}

static ps_err set_unnamed(struct ps_pgc_db *db, const struct ps_pg_file *file,
                          struct ps_pg_relation *rel)
{
    struct ps_pg_file main_file = *file;
    char name[PS_PG_FILE_NAME_MAX], dir[2 * PS_PG_FILE_NAME_MAX];

    main_file.fork = PS_PG_MAIN;
    ps_pg_file_name(&main_file, name);
    snprintf(dir, sizeof(dir), "%s%s%s", name, is_schema(db, name) ? "~" : "",
             is_schema(db, name) ? name : "");
    *rel = (struct ps_pg_relation){
        .schema = "",
        .name = ps_pgc_keep(&db->strings, name, strlen(name)),
        .dir = ps_pgc_keep(&db->strings, dir, strlen(dir)),
        .persistence = file->backend >= 0 ? 't' : 'p',
        .shared = file->db == 0,
        .am_name = "",
        .space = file->space,
        .node = file->node,
    };
    return rel->name && rel->dir ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for names of files");
}

static bool is_same_relation(const struct ps_pg_file *x, const struct ps_pg_file *y)
{
    return x->db == y->db && x->space == y->space && x->node == y->node && x->backend == y->backend;
}

/* Relations of the files that none has, one for all forks of a node; *ret_count of them. */
static ps_err make_unnamed(struct ps_pgc_db *db, uint32_t first, uint32_t end, uint32_t *ret_count)
{
    struct ps_pg_cluster *cluster = db->catalog->cluster;
    const struct ps_pg_file *file, *last = NULL;
    struct ps_pg_relation *rel = db->unnamed;
    ps_err err = PS_OK;
    uint32_t i;

    for (i = first; !err && i < end; i++) {
        file = ps_pg_file(cluster, i);
        if (ps_pgc_list_find(&db->tables, file->id, 0))
            continue;
        if (!last || !is_same_relation(file, last)) {
            rel = &db->unnamed[(*ret_count)++];
            err = set_unnamed(db, file, rel);
        }
        rel->files[file->fork] = file->id;
        last = file;
    }
    return err;
}

static ps_err show_unnamed(struct ps_pgc_db *db, uint32_t first, uint32_t end)
{
    uint32_t i, count = 0;
    ps_err err;

    db->unnamed = calloc(end - first + 1u, sizeof(*db->unnamed));
    if (!db->unnamed)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u files", end - first);
    err = make_unnamed(db, first, end, &count);
    for (i = 0; !err && i < count; i++) {
        db->unnamed[i].file_missing = db->unnamed[i].files[PS_PG_MAIN] == 0;
        if (db->unnamed[i].file_missing)
            err = set_placeholder(db, &db->unnamed[i]);
        if (!err)
            err = show(db, &db->unnamed[i]);
    }
    ps_pgc_list_settle(&db->tables);
    sort_shown(db);
    return err;
}

static uint32_t files_end(const struct ps_pgc_db *db, uint32_t first)
{
    struct ps_pg_cluster *cluster = db->catalog->cluster;
    uint32_t end = first;

    while (end < ps_pg_file_count(cluster) && ps_pg_file(cluster, end)->db == db->pub.oid)
        end++;
    return end;
}

/* Temporary and unlogged relations lose their files without anything being wrong: when a server
 * crashes, and in a base backup. */
static void note_missing_files(struct ps_pgc_db *db)
{
    const struct ps_pg_relation *first = NULL;
    uint32_t i, count = 0;

    for (i = 0; i < db->shown_count; i++) {
        if (!db->shown[i]->file_missing || db->shown[i]->persistence != 'p')
            continue;
        first = first ? first : db->shown[i];
        count++;
    }
    if (count == 1)
        ps_pg_note(db->catalog->cluster, "%s/%s: its file %u is missing", db->pub.dir, first->dir,
                   first->node);
    else if (count > 1)
        ps_pg_note(db->catalog->cluster,
                   "%s: the files of %u relations are missing, the first is %u of %s", db->pub.dir,
                   count, first->node, first->dir);
}

ps_err ps_pgc_show(struct ps_pgc_db *db, const struct ps_pgc_db *teller)
{
    uint32_t first = ps_pg_file_first(db->catalog->cluster, db->pub.oid);
    uint32_t end = files_end(db, first);
    uint32_t named = teller ? teller->relations.count : 0;
    ps_err err = PS_OK;

    db->shown = calloc((size_t)named + (end - first) + 1, sizeof(const struct ps_pg_relation *));
    if (!db->shown)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u relations", named);
    if (teller)
        err = show_named(db, teller);
    if (!err && !(teller && teller->relations_whole))
        err = show_unnamed(db, first, end);
    if (!err)
        err = part_equal_dirs(db);
    if (!err)
        note_missing_files(db);
    return err;
}

/* --- forks --------------------------------------------------------------------------------- */

void ps_pg_relation_fork_dir(const struct ps_pg_relation *rel, enum ps_pg_fork fork,
                             char buf[PS_PG_DIR_MAX + 1])
{
    int len = snprintf(buf, PS_PG_DIR_MAX + 1, "%s%s%s", rel->dir, fork == PS_PG_MAIN ? "" : ".",
                       fork == PS_PG_MAIN ? "" : ps_pg_fork_names[fork]);

    if (len > (int)PS_PG_DIR_MAX) /* more must be cut than of the main fork's */
        ps_pg_relation_dir(rel->schema, rel->name, rel->oid, fork, buf);
}

/* --- looking up --------------------------------------------------------------------------- */

/* The relation whose fork's folder this is, if its name had to be cut: then it ends in ~OID. */
static const struct ps_pg_relation *find_cut(const struct ps_pgc_db *db, const char *dir,
                                             const char *suffix, enum ps_pg_fork fork)
{
    char expected[PS_PG_DIR_MAX + 1];
    const char *mark = memrchr(dir, '~', (size_t)(suffix - dir));
    const struct ps_pg_relation *rel;
    uint32_t i;

    for (i = 0; mark && i < db->shown_count; i++) {
        rel = db->shown[i];
        if (rel->oid != strtoul(mark + 1, NULL, 10))
            continue;
        ps_pg_relation_dir(rel->schema, rel->name, rel->oid, fork, expected);
        return strcmp(expected, dir) == 0 ? rel : NULL;
    }
    return NULL;
}

static const struct ps_pg_relation *find_fork(const struct ps_pgc_db *db, const char *dir,
                                              enum ps_pg_fork fork)
{
    char main_dir[PS_PG_DIR_MAX + 1];
    const struct ps_pg_relation *rel;
    const char *suffix = strrchr(dir, '.');

    if (!suffix || strcmp(suffix + 1, ps_pg_fork_names[fork]) != 0 ||
        (size_t)(suffix - dir) > PS_PG_DIR_MAX)
        return NULL;
    snprintf(main_dir, sizeof(main_dir), "%.*s", (int)(suffix - dir), dir);
    rel = find_shown(db, main_dir);
    if (!rel)
        rel = find_cut(db, dir, suffix, fork);
    return rel && rel->files[fork] != 0 ? rel : NULL;
}

const struct ps_pg_relation *ps_pgc_find_dir(const struct ps_pgc_db *db, const char *dir,
                                             enum ps_pg_fork *ret_fork)
{
    const struct ps_pg_relation *rel = find_shown(db, dir);
    unsigned fork;

    *ret_fork = PS_PG_MAIN;
    for (fork = PS_PG_MAIN + 1; !rel && fork < PS_PG_FORKS; fork++) {
        *ret_fork = (enum ps_pg_fork)fork;
        rel = find_fork(db, dir, *ret_fork);
    }
    return rel;
}
