/*
 * catalog_file.c - a relation's file by itself, as a database of one relation: described by another
 * cluster's catalogs, by CREATE TABLE statements, or by nothing but its pages; and its toast
 * relation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/catalog_internal.h"
#include "pg/heap_page.h"
#include "pg/sql_schema.h"
#include "pg/xact.h"

#define SCHEMA_BYTES_MAX (256u << 20) /* a dump may have data in it */
#define SAMPLE_PAGES 256u
#define CANDIDATES_MAX 20u /* that a message lists */

/* Beside them, sql_schema.h makes up more. */
#define OID_RELATION PS_SQL_OID_FIRST
#define OID_TOAST (PS_SQL_OID_FIRST + 1)

#define SEQUENCE_SPECIAL 8u /* bytes; those of an index are other */

struct ps_pgc_file {
    struct ps_pg_catalog *other; /* of catalogs= */
    struct ps_sql_schema *sql;   /* of schema= */
    struct ps_pgc_db *teller;    /* whose lists tell of the relation */
};

/* --- the relations ------------------------------------------------------------------------ */

static const struct ps_pg_file *main_file(const struct ps_pg_catalog *c)
{
    return ps_pg_file(c->cluster, 0);
}

static const struct ps_pg_file *toast_file(const struct ps_pg_catalog *c)
{
    return ps_pg_file_count(c->cluster) > 1 ? ps_pg_file(c->cluster, 1) : NULL;
}

/* As `like` says it is, but for the files. Shared, as all relations of a database without OID. */
static ps_err add_relation(struct ps_pgc_db *db, const struct ps_pg_file *file,
                           const struct ps_pg_relation *like)
{
    struct ps_pgc_relation *rel;
    ps_err err = ps_pgc_list_add(&db->relations, sizeof(*rel), like->oid, 0, true, &rel);

    if (err)
        return err;
    rel->schema = ps_pgc_schema_named(db, like->schema);
    if (rel->schema == 0)
        rel->schema = PS_PGC_SCHEMA_PUBLIC;
    rel->pub = *like;
    rel->pub.shared = true;
    rel->pub.file_missing = false;
    rel->pub.space = file->space;
    rel->pub.node = file->node;
    memset(rel->pub.files, 0, sizeof(rel->pub.files));
    rel->pub.files[file->fork] = file->id;
    return PS_OK;
}

/* The folder's name that such a relation has in a mount of its cluster. */
static ps_err set_dir(struct ps_pgc_db *db, struct ps_pg_relation *rel)
{
    char dir[PS_PG_DIR_MAX + 1];

    ps_pg_relation_dir(rel->schema, rel->name, rel->oid, PS_PG_MAIN, dir);
    rel->dir = ps_pgc_keep(&db->strings, dir, strlen(dir));
    return rel->dir ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for a relation's name");
}

/* --- by its pages --------------------------------------------------------------------------- */

/* Heaps have no special space, sequences a magic number, indexes more. */
static char kind_of_page(const uint8_t *page, uint32_t page_size)
{
    const uint32_t special = ps_format_postgres.slotted->bounds(page).special;

    if (special >= page_size)
        return 'r';
    return page_size - special == SEQUENCE_SPECIAL ? 'S' : 'i';
}

/* What the first page that is not new says; an empty file is taken as a heap's. */
static ps_err guess_kind(struct ps_table *table, uint8_t *page, char *ret)
{
    const uint32_t page_size = ps_store_page_size(ps_table_store(table));
    struct ps_table_info info;
    uint64_t block, end;
    ps_err err = ps_table_info(table, &info);

    if (err)
        return err;
    *ret = 'r';
    block = ps_pg_first_block(&info);
    end = info.pages_allocated < SAMPLE_PAGES ? info.pages_end : block + SAMPLE_PAGES;
    for (; block < end; block++) {
        if (ps_page_copy(table, (uint32_t)block, NULL, page) || ps_page_is_zero(page, page_size))
            continue;
        *ret = kind_of_page(page, page_size);
        break;
    }
    return PS_OK;
}

static ps_err open_main(struct ps_pg_catalog *c, struct ps_table **ret_table, uint8_t **ret_page)
{
    struct ps_store *store = ps_pg_store(c->cluster);
    ps_err err = ps_table_get(store, main_file(c)->id, ret_table);

    if (err)
        return err;
    *ret_page = ps_buf_alloc(ps_store_page_size(store));
    if (*ret_page)
        return PS_OK;
    ps_table_unref(*ret_table);
    return ps_fail(PS_ERR_NOMEM, "no memory for a page");
}

static ps_err describe_by_pages(struct ps_pg_catalog *c)
{
    struct ps_pg_relation like = {.schema = "", .name = main_file(c)->path, .persistence = 'p'};
    struct ps_table *table = NULL;
    uint8_t *page = NULL;
    ps_err err = open_main(c, &table, &page);

    if (err)
        return err;
    err = guess_kind(table, page, &like.kind);
    ps_buf_free(page);
    ps_table_unref(table);
    like.am_name = like.kind == 'r' ? "heap" : "";
    if (!err)
        err = set_dir(&c->dbs[0], &like);
    return err ? err : add_relation(&c->dbs[0], main_file(c), &like);
}

/* --- by CREATE TABLE statements ------------------------------------------------------------- */

/* What the file may be called after: without the number of its segment. */
static ps_err file_stem(struct ps_pg_catalog *c, const char **ret)
{
    const char *name = main_file(c)->path, *dot = strrchr(name, '.');
    size_t len = strlen(name);

    if (dot && dot != name && dot[1] != '\0' && strspn(dot + 1, "0123456789") == strlen(dot + 1))
        len = (size_t)(dot - name);
    *ret = ps_pgc_keep(&c->dbs[0].strings, name, len);
    return *ret ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for a file's name");
}

static ps_err read_statements(struct ps_pg_catalog *c)
{
    const char *path = ps_pg_opts(c->cluster)->schema;
    uint8_t *text = NULL;
    size_t len = 0;
    ps_err err = ps_pg_read_named(path, SCHEMA_BYTES_MAX, &text, &len);

    if (!err)
        err = ps_sql_parse(path, (const char *)text, len, &c->file->sql);
    free(text);
    return err;
}

static ps_err describe_by_statements(struct ps_pg_catalog *c)
{
    struct ps_pgc_db *db = &c->dbs[0];
    struct ps_pg_relation like = {.oid = OID_RELATION, .kind = 'r', .am_name = "heap"};
    const struct ps_sql_table *table = NULL;
    const char *stem = NULL;
    ps_err err = read_statements(c);

    if (!err)
        err = file_stem(c, &stem);
    if (!err)
        err = ps_sql_choose(c->file->sql, ps_pg_opts(c->cluster)->table, stem, &table);
    if (!err)
        err = ps_sql_describe(c->file->sql, table, db, OID_RELATION, &like.natts);
    if (err)
        return ps_fail_in(err, "schema=");
    like.schema = ps_sql_table_schema(table);
    like.name = ps_sql_table_name(table);
    like.persistence = ps_sql_table_persistence(table);
    ps_pg_note(c->cluster,
               "%s: taken as table %s%s%s of %s; transactions are judged by hint bits alone",
               main_file(c)->path, like.schema, *like.schema ? "." : "", like.name,
               ps_pg_opts(c->cluster)->schema);
    err = set_dir(db, &like);
    return err ? err : add_relation(db, main_file(c), &like);
}

/* --- by another cluster's catalogs ------------------------------------------------------------ */

struct choice {
    uint32_t db;
    const struct ps_pg_relation *relation;
    uint32_t count; /* of those that there are; the first is above */
    char list[600]; /* of them, for a message */
};

static void add_choice(struct choice *ch, struct ps_pg_catalog *other, uint32_t db,
                       const struct ps_pg_relation *relation)
{
    size_t len = strlen(ch->list);

    if (ch->count == 0) {
        ch->db = db;
        ch->relation = relation;
    }
    if (ch->count < CANDIDATES_MAX)
        (void)snprintf(ch->list + len, sizeof(ch->list) - len, "%s%s/%s", len > 0 ? ", " : "",
                       ps_pg_database(other, db)->dir, relation->dir);
    ch->count++;
}

static void find_node(struct ps_pg_catalog *other, uint32_t db, uint32_t node, struct choice *ch)
{
    uint32_t i, count = ps_pg_relation_count(other, db);

    for (i = 0; i < count; i++) {
        const struct ps_pg_relation *r = ps_pg_relation(other, db, i);

        if (r->oid != 0 && r->node == node && strchr("ritSm", r->kind))
            add_choice(ch, other, db, r);
    }
}

/* The database whose folder the file lies in, by its name; UINT32_MAX: it does not tell. */
static uint32_t database_of_folder(const struct ps_pg_catalog *c)
{
    const char *dir = strrchr(ps_pg_root_dir(c->cluster, main_file(c)->root), '/');
    struct ps_pg_cluster *cluster = c->file->other->cluster;
    char oid[16];

    for (uint32_t i = 0; dir && i < ps_pg_db_count(cluster); i++) {
        (void)snprintf(oid, sizeof(oid), "%u", ps_pg_db_oid(cluster, i));
        if (strcmp(dir + 1, ps_pg_db_oid(cluster, i) == 0 ? "global" : oid) == 0)
            return i;
    }
    return UINT32_MAX;
}

/* By the file's name, and its folder's if several databases have such a one. */
static void choose_by_node(struct ps_pg_catalog *c, struct choice *ch)
{
    struct ps_pg_catalog *other = c->file->other;
    uint32_t db = database_of_folder(c), node = main_file(c)->node;

    if (db != UINT32_MAX)
        find_node(other, db, node, ch);
    if (ch->count > 0)
        return;
    for (db = 0; db < ps_pg_database_count(other); db++)
        find_node(other, db, node, ch);
}

/* DATABASE/SCHEMA.TABLE or SCHEMA.TABLE, as the names of folders are. */
static void choose_by_name(struct ps_pg_catalog *c, const char *name, struct choice *ch)
{
    struct ps_pg_catalog *other = c->file->other;
    const char *slash = strchr(name, '/');
    const size_t len = slash ? (size_t)(slash - name) : 0;
    const struct ps_pg_relation *r;
    enum ps_pg_fork fork;

    for (uint32_t db = 0; db < ps_pg_database_count(other); db++) {
        const char *dir = ps_pg_database(other, db)->dir;

        if (slash && (strlen(dir) != len || memcmp(dir, name, len) != 0))
            continue;
        r = ps_pg_relation_find(other, db, slash ? slash + 1 : name, &fork);
        if (r && r->oid != 0 && fork == PS_PG_MAIN)
            add_choice(ch, other, db, r);
    }
}

static ps_err choose(struct ps_pg_catalog *c, struct choice *ch)
{
    const struct ps_pg_options *opts = ps_pg_opts(c->cluster);
    const struct ps_pg_file *file = main_file(c);

    if (opts->table)
        choose_by_name(c, opts->table, ch);
    else if (file->node == 0)
        return ps_fail(PS_ERR_INVAL,
                       "catalogs=%s: the name %s is no filenode: table=DATABASE/SCHEMA.TABLE says "
                       "which relation it is",
                       opts->catalogs, file->path);
    else
        choose_by_node(c, ch);
    if (ch->count > 1)
        return ps_fail(PS_ERR_INVAL,
                       "catalogs=%s: it can be %s: table=DATABASE/SCHEMA.TABLE says which",
                       opts->catalogs, ch->list);
    if (ch->count == 1 && strchr("pI", ch->relation->kind))
        return ps_fail(PS_ERR_INVAL,
                       "catalogs=%s: %s is partitioned and has no file: table= names the partition",
                       opts->catalogs, ch->list);
    if (ch->count == 1)
        return PS_OK;
    if (opts->table)
        return ps_fail(PS_ERR_INVAL,
                       "catalogs=%s: there is no relation %s: name it DATABASE/SCHEMA.TABLE, as "
                       "`pagectl ls` does",
                       opts->catalogs, opts->table);
    return ps_fail(PS_ERR_INVAL,
                   "catalogs=%s: no relation has the filenode %u there (VACUUM FULL, TRUNCATE and "
                   "others give new ones): table=DATABASE/SCHEMA.TABLE says which it is",
                   opts->catalogs, file->node);
}

/* --- its transactions --------------------------------------------------------------------- */

/* Hint bits of the file against another cluster's pg_xact. */
struct hints {
    struct ps_pg_xacts *xacts;
    uint64_t same, other;
};

static void compare(struct hints *h, uint32_t xid, bool committed, bool aborted)
{
    enum ps_pg_fate fate;

    if (xid < PS_PG_XID_FIRST_NORMAL || committed == aborted)
        return;
    fate = ps_pg_xact_fate(h->xacts, xid);
    h->same += fate == (committed ? PS_PG_COMMITTED : PS_PG_ABORTED);
    h->other += fate == (committed ? PS_PG_ABORTED : PS_PG_COMMITTED);
}

static void compare_page(struct hints *h, const uint8_t *page, uint32_t page_size)
{
    uint32_t slot, slots = ps_pg_slots(page, page_size);

    for (slot = 1; slot <= slots; slot++) {
        struct ps_pg_tuple t;

        if (!ps_pg_tuple_at(page, page_size, slot, &t))
            continue;
        compare(h, t.xmin, t.infomask & PS_PG_XMIN_COMMITTED, t.infomask & PS_PG_XMIN_INVALID);
        if (!(t.infomask & (PS_PG_XMAX_IS_MULTI | PS_PG_XMAX_LOCK_ONLY)))
            compare(h, t.xmax, t.infomask & PS_PG_XMAX_COMMITTED, false);
    }
}

static ps_err compare_pages(struct ps_pg_catalog *c, struct hints *h)
{
    struct ps_table_info info = {0};
    struct ps_table *table = NULL;
    uint8_t *page = NULL;
    uint64_t block, end;
    ps_err err = open_main(c, &table, &page);

    if (err)
        return err;
    err = ps_table_info(table, &info);
    block = ps_pg_first_block(&info);
    end = info.pages_allocated < SAMPLE_PAGES ? info.pages_end : block + SAMPLE_PAGES;
    for (; !err && block < end; block++)
        if (ps_page_copy(table, (uint32_t)block, NULL, page) == PS_OK)
            compare_page(h, page, ps_store_page_size(ps_pg_store(c->cluster)));
    ps_buf_free(page);
    ps_table_unref(table);
    return err;
}

/* No file tells which cluster it is of. One whose hint bits say what that cluster's pg_xact says is
 * taken as its own, older or younger; else hint bits are all there is. */
static ps_err open_xacts(struct ps_pg_catalog *c)
{
    const char *dir = ps_pg_opts(c->cluster)->catalogs;
    struct hints h = {0};
    ps_err err = ps_pg_xacts_open_older(c->file->other->cluster, &h.xacts);

    if (!err)
        err = compare_pages(c, &h);
    if (err || h.other > 0)
        ps_pg_xacts_close(h.xacts);
    else
        c->xacts = h.xacts;
    if (err)
        return err;
    if (h.other > 0)
        ps_pg_note(c->cluster,
                   "catalogs=%s: its pg_xact contradicts %llu of %llu hint bits, so the file is "
                   "another cluster's: transactions are judged by hint bits alone",
                   dir, (unsigned long long)h.other, (unsigned long long)(h.other + h.same));
    else
        ps_pg_note(
            c->cluster,
            "catalogs=%s: taken as the file's own cluster (%llu hint bits agree): where hint "
            "bits say nothing, its pg_xact does",
            dir, (unsigned long long)h.same);
    return PS_OK;
}

static ps_err describe_by_catalogs(struct ps_pg_catalog *c)
{
    struct choice ch = {0};
    struct ps_pg_relation like;
    ps_err err = ps_pg_catalog_open(ps_pg_catalogs(c->cluster), &c->file->other);

    if (!err)
        err = choose(c, &ch);
    if (err)
        return err;
    c->file->teller = ps_pgc_teller(c->file->other, ch.db);
    c->dbs[0].pub.encoding = ps_pg_database(c->file->other, ch.db)->encoding;
    c->dbs[0].pub.orders_bytes = ps_pg_database(c->file->other, ch.db)->orders_bytes;
    like = *ch.relation;
    ps_pg_note(c->cluster, "%s: taken as %s of %s", main_file(c)->path, ch.list,
               ps_pg_opts(c->cluster)->catalogs);
    err = add_relation(&c->dbs[0], main_file(c), &like);
    if (!err && like.kind != 'i' && main_file(c)->fork == PS_PG_MAIN)
        err = open_xacts(c);
    return err;
}

/* --- its toast relation --------------------------------------------------------------------- */

static ps_err add_toast_columns(struct ps_pgc_db *db)
{
    struct ps_pgc_columns *columns;
    ps_err err = ps_pgc_list_add(&db->columns, sizeof(*columns), OID_TOAST, 0, true, &columns);

    if (err)
        return err;
    columns->desc = ps_pg_toast_desc;
    columns->sound = true;
    ps_pgc_list_settle(&db->columns);
    return PS_OK;
}

static ps_err add_toast(struct ps_pg_catalog *c)
{
    struct ps_pgc_db *db = &c->dbs[0];
    struct ps_pg_relation like = {
        .oid = OID_TOAST,
        .schema = "",
        .name = toast_file(c)->path,
        .kind = 't',
        .persistence = 'p',
        .am_name = "heap",
        .natts = PS_PG_CHUNK_COLUMNS,
    };
    ps_err err = set_dir(db, &like);

    if (!err)
        err = add_relation(db, toast_file(c), &like);
    return err ? err : add_toast_columns(db);
}

/* --- all of it ---------------------------------------------------------------------------- */

static ps_err describe(struct ps_pg_catalog *c)
{
    const struct ps_pg_options *opts = ps_pg_opts(c->cluster);

    if (opts->catalogs)
        return describe_by_catalogs(c);
    return opts->schema ? describe_by_statements(c) : describe_by_pages(c);
}

/* Pages of page-db's are no relation of PostgreSQL's. */
static ps_err is_postgres(struct ps_pg_catalog *c, bool *ret)
{
    struct ps_table *table = NULL;
    struct ps_table_info info = {0};
    ps_err err = ps_table_get(ps_pg_store(c->cluster), main_file(c)->id, &table);

    if (err)
        return err;
    err = ps_table_info(table, &info);
    ps_table_unref(table);
    *ret = info.format == PS_FORMAT_POSTGRES;
    return err;
}

ps_err ps_pgc_file_describe(struct ps_pg_catalog *c)
{
    struct ps_pgc_db *db = &c->dbs[0];
    bool postgres = false;
    ps_err err;

    c->file = calloc(1, sizeof(*c->file));
    if (!c->file)
        return ps_fail(PS_ERR_NOMEM, "no memory for a relation");
    c->file->teller = db;
    err = is_postgres(c, &postgres);
    if (!err && postgres)
        err = describe(c);
    if (!err && toast_file(c))
        err = add_toast(c);
    ps_pgc_list_settle(&db->relations);
    db->relations_whole = true;
    if (!err)
        err = ps_pgc_show(db, db);
    db->loaded = true;
    return err;
}

void ps_pgc_file_close(struct ps_pgc_file *file)
{
    if (!file)
        return;
    ps_pg_catalog_close(file->other);
    ps_sql_free(file->sql);
    free(file);
}

struct ps_pgc_db *ps_pgc_file_teller(const struct ps_pgc_file *file)
{
    return file->teller;
}

/* Whatever OID a value names, there is one file to look in. */
const struct ps_pg_relation *ps_pgc_file_relation(const struct ps_pg_catalog *c, ps_oid oid)
{
    const struct ps_pgc_relation *rel = ps_pgc_list_find(&c->dbs[0].relations, oid, 0);

    if (!rel)
        rel = ps_pgc_list_find(&c->dbs[0].relations, OID_TOAST, 0);
    return rel ? &rel->pub : NULL;
}
