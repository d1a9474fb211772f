/*
 * PostgreSQL directories and relation files: listing them, decoding their pages.
 */
#include <inttypes.h>
#include <sched.h>
#include <string.h>

#include "pagectl.h"
#include "pg/catalog.h"
#include "pg/damage.h"
#include "pg/page_text.h"

struct source {
    struct ps_pg_cluster *cluster;
    struct ps_pg_catalog *catalog;
};

static void print_note(void *ctx, enum ps_message_level level, const char *text)
{
    (void)ctx;
    if (level != PS_MSG_INFO)
        fprintf(stderr, "pagectl: %s\n", text);
}

static int open_source(const char *path, const struct ps_pg_options *opts, struct source *ret)
{
    struct ps_store_options store_opts;
    ps_err err;

    *ret = (struct source){0};
    ps_store_options_default(&store_opts);
    store_opts.read_only = true;
    /* Most pages are looked at once: what the kernel has of them need not be read from the disk. */
    store_opts.io = "buffered";
    store_opts.message = print_note;
    err = ps_pg_open(path, opts, &store_opts, &ret->cluster);
    if (!err)
        err = ps_pg_catalog_open(ret->cluster, &ret->catalog);
    if (!err && ps_pg_not_recovered(ret->cluster))
        fprintf(stderr, "pagectl: %s: not recovered: %s\n", path,
                ps_pg_not_recovered(ret->cluster));
    return pc_report(err);
}

static void close_source(struct source *s)
{
    if (s->catalog)
        ps_pg_catalog_close(s->catalog);
    if (s->cluster)
        ps_pg_close(s->cluster);
}

/* --- ls ------------------------------------------------------------------------------------- */

static const struct pc_column columns[] = {{"name", false}, {"kind", false}, {"oid", true},
                                           {"file", false}, {"pages", true}, {"bytes", true}};

static const char *kind_word(const struct ps_pg_relation *r)
{
    switch (r ? r->kind : 0) {
    case 'r':
        return "table";
    case 'i':
        return "index";
    case 'S':
        return "sequence";
    case 't':
        return "toast";
    case 'm':
        return "materialized view";
    case 'p':
        return "partitioned table";
    default:
        return "-";
    }
}

/* Names of folders, which no encoded name can be confused with. */
static void file_name(const struct source *s, uint32_t db, const struct ps_pg_relation *r,
                      const struct ps_pg_file *f, char *buf, size_t len)
{
    char dir[PS_PG_DIR_MAX + 1];

    if (ps_pg_is_file(s->cluster)) {
        snprintf(buf, len, "%s", f->path);
        return;
    }
    if (r)
        ps_pg_relation_fork_dir(r, f->fork, dir);
    else
        ps_pg_filenode_name(f, dir);
    snprintf(buf, len, "%s/%s%s", ps_pg_database(s->catalog, db)->dir, r ? "" : ".by-filenode/",
             dir);
}

static int list_file(const struct source *s, uint32_t db, const struct ps_pg_file *f,
                     struct pc_list *list)
{
    enum ps_pg_fork fork;
    uint32_t of_db;
    const struct ps_pg_relation *r = ps_pg_relation_of_table(s->catalog, f->id, &of_db, &fork);
    struct ps_table *table = NULL;
    struct ps_table_info info;
    char name[2 * PS_PG_DIR_MAX + 16], oid[16], pages[24], bytes[24];
    const char *cells[] = {name, kind_word(r), oid, f->path, pages, bytes};
    ps_err err = ps_table_get(ps_pg_store(s->cluster), f->id, &table);

    if (!err)
        err = ps_table_info(table, &info);
    ps_table_unref(table);
    if (err)
        return pc_report(err);
    file_name(s, db, r, f, name, sizeof(name));
    snprintf(oid, sizeof(oid), "%" PRIu32, r ? r->oid : 0);
    snprintf(pages, sizeof(pages), "%" PRIu64, info.pages_end);
    snprintf(bytes, sizeof(bytes), "%" PRIu64, info.bytes_on_disk);
    return pc_list_add(list, cells);
}

static int list_files(const struct source *s, struct pc_list *list)
{
    uint32_t i, count = ps_pg_file_count(s->cluster), db = 0;
    int status = PC_OK;

    for (i = 0; i < count && status == PC_OK; i++) {
        const struct ps_pg_file *f = ps_pg_file(s->cluster, i);

        while (db + 1 < ps_pg_db_count(s->cluster) && ps_pg_db_oid(s->cluster, db) != f->db)
            db++;
        status = list_file(s, db, f, list);
    }
    return status;
}

int pc_pg_ls(const char *path, const struct ps_pg_options *opts, bool json)
{
    struct pc_list *list = NULL;
    struct source s;
    int status = open_source(path, opts, &s);

    if (status == PC_OK)
        status =
            pc_list_new("relations", columns, sizeof(columns) / sizeof(columns[0]), json, &list);
    if (status == PC_OK)
        status = list_files(&s, list);
    if (status == PC_OK)
        status = pc_list_print(list);
    pc_list_free(list);
    close_source(&s);
    return status;
}

/* --- verify --------------------------------------------------------------------------------- */

/* Of all files, for the bar. */
static uint64_t count_pages(const struct source *s)
{
    uint32_t i, count = ps_pg_file_count(s->cluster);
    uint64_t pages = 0;

    for (i = 0; i < count; i++) {
        struct ps_table *table = NULL;
        struct ps_table_info info;

        if (ps_table_get(ps_pg_store(s->cluster), ps_pg_file(s->cluster, i)->id, &table))
            continue;
        if (!ps_table_info(table, &info))
            pages += info.pages_end;
        ps_table_unref(table);
    }
    return pages;
}

static int print_damage(const struct source *s, struct ps_pg_damage *damage)
{
    struct pc_progress bar;
    struct ps_text lines = {0};
    uint64_t total;
    bool done = false;
    ps_err err = PS_OK;

    pc_progress_start(&bar);
    total = bar.on ? count_pages(s) : 0;
    while (!err && !done) {
        err = ps_pg_damage_step(damage, NULL, &lines, &done);
        if (lines.len > 0) {
            pc_progress_end(&bar);
            fwrite(lines.data, 1, lines.len, stdout);
        }
        ps_text_clear(&lines);
        pc_progress_show(&bar, "verify", ps_pg_damage_counts(damage).pages, total);
    }
    pc_progress_end(&bar);
    ps_text_deinit(&lines);
    return pc_report(err);
}

/* Beside those that judge, some wait for the disk. */
#define READERS 2u

static unsigned threads_that_suit(void)
{
    cpu_set_t cpus;
    unsigned count = 1;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        count = (unsigned)CPU_COUNT(&cpus);
    count += READERS;
    return count < PS_PG_DAMAGE_THREADS_MAX ? count : PS_PG_DAMAGE_THREADS_MAX;
}

static const char *verdict(const struct source *s, const struct ps_pg_damage_counts *counts)
{
    if (counts->faults > 0)
        return "damaged";
    return ps_pg_not_recovered(s->cluster) ? "needs recovery" : "sound";
}

int pc_pg_verify(const char *path, const struct ps_pg_options *opts, unsigned threads)
{
    struct ps_pg_damage *damage = NULL;
    struct ps_pg_damage_counts counts = {0};
    struct source s;
    int status = open_source(path, opts, &s);

    if (status == PC_OK)
        status = pc_report(
            ps_pg_damage_open_all(s.catalog, threads ? threads : threads_that_suit(), &damage));
    if (status == PC_OK)
        status = print_damage(&s, damage);
    if (status == PC_OK) {
        counts = ps_pg_damage_counts(damage);
        printf("%s: %s; pages %" PRIu64 " faults %" PRIu64 " suspects %" PRIu64 "\n", path,
               verdict(&s, &counts), counts.pages, counts.faults, counts.suspects);
        status = pc_flush();
    }
    if (damage)
        ps_pg_damage_close(damage);
    close_source(&s);
    if (status)
        return PC_USAGE; /* it could not run */
    return counts.faults ? PC_FAILED : PC_OK;
}

/* --- dump ----------------------------------------------------------------------------------- */

static int find_table(const struct source *s, const char *name, uint32_t *ret_id)
{
    char database[PS_PG_DIR_MAX + 1];
    const char *slash = strchr(name, '/');
    enum ps_pg_fork fork = PS_PG_MAIN;
    const struct ps_pg_relation *r = NULL;
    uint32_t db = UINT32_MAX;

    if (ps_pg_is_file(s->cluster)) {
        *ret_id = ps_pg_file(s->cluster, 0)->id;
        return PC_OK;
    }
    if (slash && slash - name <= (ptrdiff_t)PS_PG_DIR_MAX) {
        snprintf(database, sizeof(database), "%.*s", (int)(slash - name), name);
        db = ps_pg_database_find(s->catalog, database);
    }
    if (db != UINT32_MAX)
        r = ps_pg_relation_find(s->catalog, db, slash + 1, &fork);
    if (!r || !r->files[fork])
        return pc_error("there is no relation '%s': name it DATABASE/SCHEMA.RELATION, as "
                        "`pagectl ls` does",
                        name);
    *ret_id = r->files[fork];
    return PC_OK;
}

static int print_page(const struct source *s, uint32_t id, uint32_t page_no)
{
    struct ps_table *table = NULL;
    struct ps_text text = {0};
    ps_err err = ps_table_get(ps_pg_store(s->cluster), id, &table);

    if (!err)
        err = ps_pg_page_text(s->catalog, table, page_no, NULL, &text);
    if (!err)
        fwrite(text.data, 1, text.len, stdout);
    ps_text_deinit(&text);
    ps_table_unref(table);
    return pc_report(err);
}

int pc_pg_dump(const char *path, const struct ps_pg_options *opts, const char *name, uint32_t page)
{
    struct source s;
    uint32_t id = 0;
    int status = open_source(path, opts, &s);

    if (status == PC_OK)
        status = find_table(&s, name, &id);
    if (status == PC_OK)
        status = print_page(&s, id, page);
    close_source(&s);
    return status ? status : pc_flush();
}
