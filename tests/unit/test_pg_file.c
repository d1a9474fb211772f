/* A relation's file by itself: rows as its cluster has them, whoever describes it. */
#include "pg/catalog.h"
#include "pg/rows.h"
#include "pg_bed.h"

#define ANCHOR "anchor" /* the database whose tables are tried */

/* --- a file, opened ----------------------------------------------------------------------- */

struct file_bed {
    struct bed bed;
    struct ps_pg_catalog *catalog;
};

static void begin_file(struct file_bed *f, void **state)
{
    begin(&f->bed, state);
    f->catalog = NULL;
}

static ps_err open_file(struct file_bed *f, const char *name)
{
    ps_err err = try_open(&f->bed, name);

    return err ? err : ps_pg_catalog_open(f->bed.cluster, &f->catalog);
}

static void shut_file(struct file_bed *f)
{
    ps_pg_catalog_close(f->catalog);
    f->catalog = NULL;
    shut(&f->bed);
}

static void end_file(struct file_bed *f)
{
    shut_file(f);
    end(&f->bed);
}

static const struct ps_pg_relation *the_relation(struct file_bed *f)
{
    enum ps_pg_fork fork;
    uint32_t db;

    return ps_pg_relation_of_table(f->catalog, 1, &db, &fork);
}

static void add_rows(struct ps_pg_catalog *catalog, uint32_t db, const struct ps_pg_relation *r,
                     enum ps_pg_rows what, struct ps_text *out)
{
    struct ps_pg_scan *scan = NULL;
    bool done = false;

    ok(ps_pg_scan_open(catalog, db, r, what, false, &scan));
    while (!done)
        ok(ps_pg_scan_step(scan, NULL, out, &done));
    ps_pg_scan_close(scan);
}

/* One of the options that name a file: STATEMENTS in it. */
static const char *write_schema(struct file_bed *f, const char *statements, size_t len,
                                char path[TEMP_DIR_LEN + 32])
{
    put(&f->bed, "schema.sql", statements, len);
    (void)snprintf(path, TEMP_DIR_LEN + 32, "%s/schema.sql", f->bed.data);
    return path;
}

static ps_err open_with(struct file_bed *f, const char *name, const char *statements)
{
    char path[TEMP_DIR_LEN + 32];

    f->bed.opts.schema = write_schema(f, statements, strlen(statements), path);
    return open_file(f, name);
}

/* --- every table of the corpus --------------------------------------------------------------- */

/* What a cluster says of one of its tables. */
struct said {
    char path[64], toast[TEMP_DIR_LEN + 80];
    struct ps_text rows, sql, undecided;
};

static void say(struct bed *b, struct ps_pg_catalog *catalog, uint32_t db,
                const struct ps_pg_relation *r, struct said *s)
{
    const struct ps_pg_file *file = ps_pg_file_by_id(b->cluster, r->files[PS_PG_MAIN]);
    const struct ps_pg_relation *toast = ps_pg_relation_by_oid(catalog, db, r->toast);

    memset(s, 0, sizeof(*s));
    assert_true(file->root == 0 && strlen(file->path) < sizeof(s->path) - 1);
    (void)snprintf(s->path, sizeof(s->path), "/%s", file->path);
    if (toast && !toast->file_missing)
        (void)snprintf(s->toast, sizeof(s->toast), "%s/%s", b->data,
                       ps_pg_file_by_id(b->cluster, toast->files[PS_PG_MAIN])->path);
    add_rows(catalog, db, r, PS_PG_ROWS, &s->rows);
    add_rows(catalog, db, r, PS_PG_UNDECIDED_ROWS, &s->undecided);
    ok(ps_pg_schema_sql(catalog, db, r, &s->sql));
}

static void say_no_more(struct said *s)
{
    ps_text_deinit(&s->rows);
    ps_text_deinit(&s->sql);
    ps_text_deinit(&s->undecided);
}

static void same_text(const struct ps_text *a, const struct ps_text *b, const char *what)
{
    if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
        fail_msg("%s: %.*s\nis not\n%.*s", what, (int)(a->len > 3000 ? 3000 : a->len), a->data,
                 (int)(b->len > 3000 ? 3000 : b->len), b->data);
}

static bool has_lines(const struct ps_text *csv)
{
    const char *line = memchr(csv->data, '\n', csv->len);

    return line && line + 1 < csv->data + csv->len;
}

/* False: not all that it takes to compare is in the file. */
static bool rows_are(struct file_bed *f, const struct said *s)
{
    struct ps_text rows = {0}, undecided = {0};
    bool decided;

    f->bed.opts.toast = s->toast[0] ? s->toast : NULL;
    ok(open_file(f, s->path));
    add_rows(f->catalog, 0, the_relation(f), PS_PG_UNDECIDED_ROWS, &undecided);
    decided = !has_lines(&undecided);
    if (decided) {
        add_rows(f->catalog, 0, the_relation(f), PS_PG_ROWS, &rows);
        same_text(&rows, &s->rows, s->path);
    }
    ps_text_deinit(&rows);
    ps_text_deinit(&undecided);
    shut_file(f);
    return decided && s->rows.len > 0;
}

/* Calls each for every table of the database that has a file in its folder; how often it says yes.
 */
static unsigned for_tables(void **state, bool (*each)(struct file_bed *f, const struct said *s))
{
    struct file_bed whole, f;
    uint32_t db, i, count = 0;

    begin_file(&whole, state);
    begin_file(&f, state);
    ok(open_file(&whole, ""));
    db = ps_pg_database_find(whole.catalog, ANCHOR);
    for (i = 0; i < ps_pg_relation_count(whole.catalog, db); i++) {
        const struct ps_pg_relation *r = ps_pg_relation(whole.catalog, db, i);
        struct said s;

        if (r->kind != 'r' || r->file_missing || r->space != 0)
            continue;
        say(&whole.bed, whole.catalog, db, r, &s);
        count += each(&f, &s);
        say_no_more(&s);
    }
    end_file(&f);
    end_file(&whole);
    return count;
}

static bool try_catalogs(struct file_bed *f, const struct said *s)
{
    f->bed.opts.catalogs = f->bed.data;
    return rows_are(f, s);
}

static void rows_by_catalogs_are_the_clusters_own(void **state)
{
    unsigned count = for_tables(state, try_catalogs);

    print_message("%u tables\n", count);
    assert_true(count > 25);
}

/* Names of functions and roles are in no CREATE TABLE statement, and neither is what rows that are
 * older than a column have in it. */
static bool says_all(const struct ps_text *sql)
{
    static const char *const more[] = {" reg", " aclitem", " DEFAULT "};

    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        if (memmem(sql->data, sql->len, more[i], strlen(more[i])))
            return false;
    return true;
}

static bool try_statements(struct file_bed *f, const struct said *s)
{
    char path[TEMP_DIR_LEN + 32];
    bool same;

    if (!says_all(&s->sql))
        return false;
    f->bed.opts.schema = write_schema(f, s->sql.data, s->sql.len, path);
    same = rows_are(f, s);
    f->bed.opts.schema = NULL;
    return same;
}

/* Those are compared that have been read before the server ended: their hint bits tell all. */
static void rows_by_schema_sql_are_the_clusters_own(void **state)
{
    unsigned count = for_tables(state, try_statements);

    print_message("%u tables\n", count);
    assert_true(count > 15);
}

/* --- what the file is ------------------------------------------------------------------------ */

static void a_file_that_nothing_describes_is_told_by_its_pages(void **state)
{
    static const struct {
        const char *name;
        char kind;
    } files[] = {{"/base/16384/16497", 'r'}, {"/base/16384/16502", 'i'}};
    struct file_bed f;
    const struct ps_pg_desc *desc;

    begin_file(&f, state);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        ok(open_file(&f, files[i].name));
        assert_int_equal(the_relation(&f)->kind, files[i].kind);
        assert_int_equal(the_relation(&f)->oid, 0);
        assert_int_equal(ps_pg_relation_desc(f.catalog, 0, the_relation(&f), &desc), PS_ERR_NOENT);
        assert_null(ps_pg_catalog_xacts(f.catalog));
        shut_file(&f);
    }
    end_file(&f);
}

static void without_a_filenode_for_a_name_the_table_is_asked_for(void **state)
{
    struct file_bed f;

    begin_file(&f, state);
    f.bed.opts.catalogs = f.bed.data;
    run("cp '%s/base/16384/16497' '%s/saved'", f.bed.data, f.bed.data);
    expect(open_file(&f, "/saved"), PS_ERR_INVAL,
           "the name saved is no filenode: table=DATABASE/SCHEMA.TABLE says which relation it is");
    shut_file(&f);
    f.bed.opts.table = "anchor/public.nothing";
    expect(open_file(&f, "/saved"), PS_ERR_INVAL, "there is no relation anchor/public.nothing");
    shut_file(&f);
    f.bed.opts.table = "anchor/public.t_part";
    expect(open_file(&f, "/saved"), PS_ERR_INVAL,
           "anchor/public.t_part is partitioned and has no file: table= names the partition");
    shut_file(&f);
    f.bed.opts.table = "public.t_mixed";
    ok(open_file(&f, "/saved"));
    assert_string_equal(the_relation(&f)->name, "t_mixed");
    shut_file(&f);
    f.bed.opts.table = "anchor/public.t_mixed";
    ok(open_file(&f, "/saved"));
    expect_note(&f.bed, "saved: taken as anchor/public.t_mixed of");
    expect_note(&f.bed, "taken as the file's own cluster (150 hint bits agree)");
    end_file(&f);
}

/* pg_class has one filenode in all databases that were made of one template. */
static void of_several_databases_the_files_folder_says_which(void **state)
{
    struct file_bed f;

    begin_file(&f, state);
    f.bed.opts.catalogs = f.bed.data;
    run("cp -r '%s/base/16384' '%s/base/16999'", f.bed.data, f.bed.data);
    run("cp '%s/base/16384/16497' '%s/16497'", f.bed.data, f.bed.data);
    ok(open_file(&f, "/base/16999/16497"));
    expect_note(&f.bed, "16497: taken as 16999/public.t_mixed of");
    shut_file(&f);
    expect(open_file(&f, "/16497"), PS_ERR_INVAL,
           "it can be anchor/public.t_mixed, 16999/public.t_mixed");
    end_file(&f);
}

/* Two bits a transaction: those of all that the file has become `aborted`. */
static void hint_bits_that_pg_xact_contradicts_are_believed(void **state)
{
    struct ps_text before = {0}, after = {0};
    struct file_bed f;
    char other[TEMP_DIR_LEN + 32];

    begin_file(&f, state);
    (void)snprintf(other, sizeof(other), "%s/other", f.bed.dir);
    run("cp -r '%s' '%s'", f.bed.data, other);
    run("tr '\\125' '\\252' <'%s/pg_xact/0000' >'%s/pg_xact/0000'", f.bed.data, other);
    f.bed.opts.catalogs = f.bed.data;
    ok(open_file(&f, "/base/16384/16497"));
    add_rows(f.catalog, 0, the_relation(&f), PS_PG_ROWS, &before);
    shut_file(&f);
    f.bed.opts.catalogs = other;
    ok(open_file(&f, "/base/16384/16497"));
    expect_note(&f.bed, "the file is another cluster's");
    assert_null(ps_pg_catalog_xacts(f.catalog));
    add_rows(f.catalog, 0, the_relation(&f), PS_PG_ROWS, &after);
    same_text(&after, &before, "rows");
    ps_text_deinit(&before);
    ps_text_deinit(&after);
    end_file(&f);
}

/* --- toast --------------------------------------------------------------------------------- */

static void long_values_need_the_toast_file(void **state)
{
    struct file_bed f;
    char toast[TEMP_DIR_LEN + 64];
    struct ps_pg_scan *scan = NULL;
    struct ps_text text = {0};
    bool done = false;
    ps_err err = PS_OK;

    begin_file(&f, state);
    f.bed.opts.catalogs = f.bed.data;
    ok(open_file(&f, "/base/16384/16511"));
    ok(ps_pg_scan_open(f.catalog, 0, the_relation(&f), PS_PG_ROWS, false, &scan));
    while (!err && !done)
        err = ps_pg_scan_step(scan, NULL, &text, &done);
    expect(err, PS_ERR_NOENT, "is not there");
    ps_pg_scan_close(scan);
    ps_text_deinit(&text);
    shut_file(&f);

    (void)snprintf(toast, sizeof(toast), "%s/base/16384/16511", f.bed.data);
    f.bed.opts.toast = toast;
    expect(open_file(&f, "/base/16384/16511"), PS_ERR_INVAL, "is the file itself");
    shut_file(&f);
    (void)snprintf(toast, sizeof(toast), "%s/base/16384/nothing", f.bed.data);
    expect(open_file(&f, "/base/16384/16511"), PS_ERR_NOENT, "toast=: ");
    end_file(&f);
}

static void toast_chunks_are_rows(void **state)
{
    struct file_bed f;
    char toast[TEMP_DIR_LEN + 64];
    struct ps_text text = {0};
    enum ps_pg_fork fork;
    uint32_t db;

    begin_file(&f, state);
    (void)snprintf(toast, sizeof(toast), "%s/base/16384/16514", f.bed.data);
    f.bed.opts.toast = toast;
    ok(open_file(&f, "/base/16384/16511"));
    add_rows(f.catalog, 0, ps_pg_relation_of_table(f.catalog, 2, &db, &fork), PS_PG_UNDECIDED_ROWS,
             &text); /* nobody has read them, so they have no hint bits */
    assert_memory_equal(text.data, "ctid,xmin,xmax,why,chunk_id,chunk_seq,chunk_data\n", 49);
    assert_true(text.len > 10000);
    ps_text_deinit(&text);
    end_file(&f);
}

/* --- segments ------------------------------------------------------------------------------- */

static void a_segment_by_itself_has_the_rows_of_its_own_blocks(void **state)
{
    const struct corpus *c = *state;
    struct ps_text dead = {0}, rows = {0};
    struct file_bed f;

    begin_file(&f, state);
    run("cp '%s/samples/t_seg.segment1' '%s/t_seg.1'", c->dir, f.bed.data);
    ok(open_with(&f, "/t_seg.1", "CREATE TABLE t_seg (id int, pad text);\n"));
    add_rows(f.catalog, 0, the_relation(&f), PS_PG_ROWS, &rows);
    add_rows(f.catalog, 0, the_relation(&f), PS_PG_DEAD_ROWS, &dead);
    assert_memory_equal(rows.data, "id,pad\n", 7);
    assert_true(rows.len > 25 * 100);
    assert_int_equal(dead.len, strlen("ctid,xmin,xmax,why,id,pad\n"));
    ps_text_deinit(&rows);
    ps_text_deinit(&dead);
    end_file(&f);
}

/* --- options --------------------------------------------------------------------------------- */

static void options_that_describe_exclude_each_other(void **state)
{
    struct file_bed f;

    begin_file(&f, state);
    f.bed.opts.catalogs = f.bed.data;
    f.bed.opts.schema = "/x";
    expect(open_file(&f, "/base/16384/16497"), PS_ERR_INVAL, "only one can describe a file");
    f.bed.opts.catalogs = f.bed.opts.schema = NULL;
    f.bed.opts.table = "t";
    expect(open_file(&f, "/base/16384/16497"), PS_ERR_INVAL, "table=t: needs catalogs= or schema=");
    expect(open_file(&f, ""), PS_ERR_INVAL, "table=: is for a relation's file by itself");
    f.bed.opts.table = NULL;
    f.bed.opts.catalogs = f.bed.dir;
    expect(open_file(&f, "/base/16384/16497"), PS_ERR_NOENT, "catalogs=: ");
    end_file(&f);
}

static void the_table_is_chosen_among_several(void **state)
{
    static const char several[] = "CREATE TABLE a (i int);\nCREATE TABLE s.\"b.c\" (i int);\n"
                                  "CREATE TABLE public.saved (i int);\n";
    struct file_bed f;

    begin_file(&f, state);
    run("cp '%s/base/16384/16497' '%s/saved.1'", f.bed.data, f.bed.data);
    expect(open_with(&f, "/base/16384/16497", several), PS_ERR_INVAL,
           "none is called as the file; its tables are a, s.b.c, public.saved: table= says");
    shut_file(&f);
    f.bed.opts.segment = 0;
    ok(open_with(&f, "/saved.1", several));
    assert_string_equal(the_relation(&f)->name, "saved");
    shut_file(&f);
    f.bed.opts.table = "s.b%2Ec"; /* as a mount names its folder */
    ok(open_with(&f, "/saved.1", several));
    assert_string_equal(the_relation(&f)->name, "b.c");
    shut_file(&f);
    f.bed.opts.table = "b";
    expect(open_with(&f, "/saved.1", several), PS_ERR_INVAL, "no table is called so");
    shut_file(&f);
    f.bed.opts.table = NULL;
    expect(open_with(&f, "/saved.1", "CREATE INDEX i ON t (a);"), PS_ERR_INVAL,
           "has no CREATE TABLE with columns");
    end_file(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_by_catalogs_are_the_clusters_own),
        cmocka_unit_test(rows_by_schema_sql_are_the_clusters_own),
        cmocka_unit_test(a_file_that_nothing_describes_is_told_by_its_pages),
        cmocka_unit_test(without_a_filenode_for_a_name_the_table_is_asked_for),
        cmocka_unit_test(of_several_databases_the_files_folder_says_which),
        cmocka_unit_test(hint_bits_that_pg_xact_contradicts_are_believed),
        cmocka_unit_test(long_values_need_the_toast_file),
        cmocka_unit_test(toast_chunks_are_rows),
        cmocka_unit_test(a_segment_by_itself_has_the_rows_of_its_own_blocks),
        cmocka_unit_test(options_that_describe_exclude_each_other),
        cmocka_unit_test(the_table_is_chosen_among_several),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
