/* Usage: print_pg_catalog PGDATA DATABASE OUT
 *
 * Writes what the library reads in the catalogs of a database, fields separated by tabs, into the
 * folder OUT:
 *   relations   oid dir kind persistence am filenode toast owner-of-index missing
 *   columns     relation attnum name type typmod not-null dropped generated has-missing
 *   N.sql N.csv statements and rows of the user tables, N their OIDs; `tables` lists those
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/catalog.h"
#include "pg/rows.h"

static const char *out_folder;
static struct ps_pg_catalog *catalog;
static uint32_t db;

static FILE *create(const char *name)
{
    char path[1000];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", out_folder, name);
    f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(2);
    }
    return f;
}

static void check(ps_err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, ps_err_text(err), ps_message());
    exit(1);
}

static void say(void *ctx, enum ps_message_level level, const char *text)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s\n", text);
}

static void print_columns(FILE *f, const struct ps_pg_relation *rel)
{
    const struct ps_pg_desc *desc;
    const struct ps_pg_attr *a;
    uint32_t i;

    check(ps_pg_relation_desc(catalog, db, rel, &desc), rel->dir);
    for (i = 0; i < desc->count; i++) {
        a = &desc->attrs[i];
        fprintf(f, "%u\t%d\t%s\t%u\t%d\t%c\t%c\t%.1s\t%c\n", rel->oid, a->num, a->name, a->type,
                a->typmod, a->not_null ? 't' : 'f', a->dropped ? 't' : 'f',
                a->generated ? &a->generated : "", a->missing ? 't' : 'f');
    }
}

static void write_text(const struct ps_pg_relation *rel, const char *suffix, struct ps_text *text)
{
    char name[40];
    FILE *f;

    (void)snprintf(name, sizeof(name), "%u.%s", rel->oid, suffix);
    f = create(name);
    fwrite(text->data, 1, text->len, f);
    fclose(f);
    ps_text_deinit(text);
}

static void print_table(FILE *list, const struct ps_pg_relation *rel)
{
    struct ps_text sql = {0}, csv = {0};
    struct ps_pg_scan *scan;
    bool done = false;

    fprintf(list, "%u\n", rel->oid);
    check(ps_pg_schema_sql(catalog, db, rel, &sql), rel->dir);
    check(ps_pg_scan_open(catalog, db, rel, PS_PG_ROWS, false, &scan), rel->dir);
    while (!done)
        check(ps_pg_scan_step(scan, NULL, &csv, &done), rel->dir);
    ps_pg_scan_close(scan);
    write_text(rel, "sql", &sql);
    write_text(rel, "csv", &csv);
}

static bool is_users(const struct ps_pg_relation *rel)
{
    return strchr("rpm", rel->kind) && strcmp(rel->schema, "pg_catalog") != 0 &&
           strcmp(rel->schema, "information_schema") != 0;
}

/* Every folder finds its relation. */
static void check_forks(const struct ps_pg_relation *rel)
{
    enum ps_pg_fork fork, found;
    char dir[PS_PG_DIR_MAX + 1];

    for (fork = PS_PG_MAIN; fork < PS_PG_FORKS; fork++) {
        if (rel->files[fork] == 0)
            continue;
        ps_pg_relation_fork_dir(rel, fork, dir);
        if (ps_pg_relation_find(catalog, db, dir, &found) != rel || found != fork) {
            fprintf(stderr, "%s: is not found\n", dir);
            exit(1);
        }
    }
}

static void print_relations(void)
{
    FILE *relations = create("relations"), *columns = create("columns"), *tables = create("tables");
    uint32_t i, count = ps_pg_relation_count(catalog, db);
    const struct ps_pg_relation *rel;

    for (i = 0; i < count; i++) {
        rel = ps_pg_relation(catalog, db, i);
        fprintf(relations, "%u\t%s\t%c\t%c\t%s\t%u\t%u\t%u\t%c\n", rel->oid, rel->dir, rel->kind,
                rel->persistence, rel->am_name, rel->node, rel->toast,
                rel->kind == 't' ? 0 : rel->owner, rel->file_missing ? 't' : 'f');
        print_columns(columns, rel);
        check_forks(rel);
        if (is_users(rel))
            print_table(tables, rel);
    }
    fclose(relations);
    fclose(columns);
    fclose(tables);
}

int main(int argc, char **argv)
{
    struct ps_store_options store_opts;
    struct ps_pg_options opts = {.segment = UINT32_MAX, .follow_links = true};
    struct ps_pg_cluster *cluster;

    if (argc != 4) {
        fprintf(stderr, "Usage: print_pg_catalog PGDATA DATABASE OUT\n");
        return 2;
    }
    out_folder = argv[3];
    ps_store_options_default(&store_opts);
    store_opts.message = say;
    check(ps_pg_open(argv[1], &opts, &store_opts, &cluster), argv[1]);
    check(ps_pg_catalog_open(cluster, &catalog), argv[1]);
    db = ps_pg_database_find(catalog, argv[2]);
    if (db == UINT32_MAX) {
        fprintf(stderr, "there is no database %s\n", argv[2]);
        return 1;
    }
    print_relations();
    ps_pg_catalog_close(catalog);
    ps_pg_close(cluster);
    return 0;
}
