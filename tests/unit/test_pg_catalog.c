/* What catalogs say: databases, relations, columns, types; and what damage to them costs. */
#include <time.h>

#include "csv.h"
#include "pg/catalog.h"
#include "pg_bed.h"

#define PG_CLASS "base/16384/16638"
#define PG_ATTRIBUTE "base/16384/16644"
#define PG_TYPE "base/16384/16649"
#define PG_NAMESPACE "base/16384/2615"
#define PG_INHERITS "base/16384/2611"
#define LATER 16693 /* OIDs from here on are of what the one who asked PostgreSQL made for it */
#define MAP "base/16384/pg_filenode.map"

static struct ps_pg_catalog *open_catalog(struct bed *b, uint32_t *ret_db)
{
    struct ps_pg_catalog *c = NULL;

    ok(try_open(b, ""));
    ok(ps_pg_catalog_open(b->cluster, &c));
    *ret_db = ps_pg_database_find(c, "anchor");
    return c;
}

static void end_catalog(struct bed *b, struct ps_pg_catalog *c)
{
    ps_pg_catalog_close(c);
    end(b);
}

static const struct ps_pg_relation *find(struct ps_pg_catalog *c, uint32_t db, const char *dir)
{
    enum ps_pg_fork fork;

    return ps_pg_relation_find(c, db, dir, &fork);
}

static struct csv *truth(void **state, const char *name)
{
    const struct corpus *c = *state;
    char path[600], file[100];
    struct csv *csv;

    (void)snprintf(file, sizeof(file), "truth/%s.csv", name);
    csv = csv_open(corpus_path(c, file, path));
    assert_non_null(csv);
    return csv;
}

static bool is_true(const struct csv *csv, const char *column)
{
    return strcmp(csv_field(csv, column), "t") == 0;
}

/* --- what they say ------------------------------------------------------------------------ */

static void databases_have_the_names_of_pg_database(void **state)
{
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    assert_int_equal(ps_pg_database_count(c), 2);
    assert_int_equal(ps_pg_database_find(c, "global"), 0);
    assert_int_equal(ps_pg_database(c, 0)->oid, 0);
    assert_int_equal(db, 1);
    assert_int_equal(ps_pg_database(c, db)->oid, DB);
    assert_string_equal(ps_pg_database(c, db)->name, "anchor");
    assert_int_equal(ps_pg_database(c, db)->encoding, 6);
    assert_int_equal(ps_pg_database_find(c, "postgres"), UINT32_MAX); /* it is not here */
    assert_null(ps_pg_database(c, 2));
    end_catalog(&b, c);
}

static void check_relation(const struct bed *b, const struct csv *csv,
                           const struct ps_pg_relation *rel)
{
    char path[TEMP_DIR_LEN + 300];

    assert_non_null(rel);
    assert_string_equal(rel->name, csv_field(csv, "relname"));
    assert_string_equal(rel->schema, csv_field(csv, "nspname"));
    assert_int_equal(rel->kind, csv_field(csv, "relkind")[0]);
    assert_int_equal(rel->persistence, csv_field(csv, "relpersistence")[0]);
    assert_string_equal(rel->am_name, csv_field(csv, "amname"));
    assert_int_equal(rel->natts, csv_number(csv, "relnatts"));
    assert_int_equal(rel->toast, csv_number(csv, "reltoastrelid"));
    assert_int_equal(rel->row_type, csv_number(csv, "reltype"));
    assert_int_equal(rel->shared, is_true(csv, "relisshared"));
    if (csv_field(csv, "filenode")[0] == '\0')
        return;
    assert_int_equal(rel->node, csv_number(csv, "filenode"));
    (void)snprintf(path, sizeof(path), "%s/%s", b->data, csv_field(csv, "filepath"));
    assert_int_equal(rel->file_missing, access(path, F_OK) != 0);
    assert_int_not_equal(rel->files[PS_PG_MAIN], 0);
    if (rel->kind == 'i')
        assert_int_equal(rel->owner, csv_number(csv, "indrelid"));
}

static void relations_are_what_pg_class_says(void **state)
{
    struct csv *csv = truth(state, "pg_class");
    struct ps_pg_catalog *c;
    unsigned seen = 0;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    for (; csv_next(csv); seen++)
        check_relation(&b, csv, ps_pg_relation_by_oid(c, db, (ps_oid)csv_number(csv, "oid")));
    assert_true(seen > 480);
    assert_null(ps_pg_relation_by_oid(c, db, 4711));
    assert_null(ps_pg_relation_by_oid(c, db, 0));
    csv_close(csv);
    end_catalog(&b, c);
}

/* Every relation shown is found by its folder, and by each of its files; they are in order. */
static void check_shown(struct bed *b, struct ps_pg_catalog *c, uint32_t db)
{
    const struct ps_pg_relation *rel, *last = NULL;
    uint32_t i, count = ps_pg_relation_count(c, db), found_db;
    char dir[PS_PG_DIR_MAX + 1];
    enum ps_pg_fork fork, found;

    (void)b;
    for (i = 0; i < count; i++, last = rel) {
        rel = ps_pg_relation(c, db, i);
        assert_true(!last || strcmp(last->dir, rel->dir) < 0);
        for (fork = PS_PG_MAIN; fork < PS_PG_FORKS; fork++) {
            if (rel->files[fork] == 0)
                continue;
            ps_pg_relation_fork_dir(rel, fork, dir);
            assert_ptr_equal(ps_pg_relation_find(c, db, dir, &found), rel);
            assert_int_equal(found, fork);
            assert_ptr_equal(ps_pg_relation_of_table(c, rel->files[fork], &found_db, &found), rel);
            assert_int_equal(found, fork);
            assert_int_equal(found_db, db);
        }
    }
    assert_null(ps_pg_relation(c, db, count));
}

static void relations_are_found_by_folder_and_by_file(void **state)
{
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    check_shown(&b, c, db);
    check_shown(&b, c, 0);
    assert_true(ps_pg_relation_count(c, db) > 280);
    assert_non_null(find(c, db, "Odd%2FSchema.we ird\"n\xc3\xa4me%2Ex"));
    assert_non_null(find(c, 0, "pg_catalog.pg_database"));
    assert_null(find(c, db, "pg_catalog.pg_database")); /* shared */
    assert_null(find(c, db, "public.t_empty.fsm"));     /* it has none */
    assert_null(find(c, db, "public"));
    assert_null(find(c, db, ""));
    assert_non_null(find(c, db, "public.t_part"));
    assert_true(find(c, db, "public.t_seg")->file_missing);
    expect_note(&b, ": the files of 211 relations are missing"); /* the corpus has a choice */
    expect_note(&b, "global: the files of 45 relations are missing");
    assert_int_equal(notes_with(&b, ""), 2);
    end_catalog(&b, c);
}

static void check_column(const struct csv *csv, const struct ps_pg_attr *a)
{
    assert_string_equal(a->name, csv_field(csv, "attname"));
    assert_int_equal(a->type, csv_number(csv, "atttypid"));
    assert_int_equal(a->len, csv_number(csv, "attlen"));
    assert_int_equal(a->byval, is_true(csv, "attbyval"));
    assert_int_equal(a->align, csv_field(csv, "attalign")[0]);
    assert_int_equal(a->storage, csv_field(csv, "attstorage")[0]);
    assert_int_equal(a->not_null, is_true(csv, "attnotnull"));
    assert_int_equal(a->has_default, is_true(csv, "atthasdef"));
    assert_int_equal(a->has_missing, is_true(csv, "atthasmissing"));
    assert_int_equal(a->missing != NULL, is_true(csv, "atthasmissing"));
    assert_int_equal(a->dropped, is_true(csv, "attisdropped"));
    assert_int_equal(a->generated, csv_field(csv, "attgenerated")[0]);
    assert_int_equal(a->typmod, csv_number(csv, "atttypmod"));
    assert_int_equal(a->dims, csv_number(csv, "attndims"));
    assert_int_equal(a->collation, csv_number(csv, "attcollation"));
}

static void columns_are_what_pg_attribute_says(void **state)
{
    struct csv *csv = truth(state, "pg_attribute");
    const struct ps_pg_relation *rel;
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    unsigned seen = 0;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    for (; csv_next(csv); seen++) {
        long num = csv_number(csv, "attnum");

        rel = ps_pg_relation_by_oid(c, db, (ps_oid)csv_number(csv, "attrelid"));
        assert_non_null(rel);
        ok(ps_pg_relation_desc(c, db, rel, &desc));
        assert_in_range(num, 1, desc->count);
        assert_int_equal(desc->attrs[num - 1].num, num);
        check_column(csv, &desc->attrs[num - 1]);
    }
    assert_int_equal(seen, 401);
    csv_close(csv);
    end_catalog(&b, c);
}

static void missing_values_lie_as_they_would_in_a_tuple(void **state)
{
    static const uint8_t late[] = {32, 0, 0, 0, 'l', 'a', 't', 'e'};
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    unsigned i, found = 0;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    ok(ps_pg_relation_desc(c, db, find(c, db, "public.t_alter"), &desc));
    for (i = 0; i < desc->count; i++) {
        if (strcmp(desc->attrs[i].name, "late") != 0)
            continue;
        found++;
        assert_int_equal(desc->attrs[i].missing_len, sizeof(late));
        assert_memory_equal(desc->attrs[i].missing, late, sizeof(late));
    }
    assert_int_equal(found, 1);
    end_catalog(&b, c);
}

static void types_are_what_pg_type_says(void **state)
{
    struct csv *csv = truth(state, "pg_type");
    const struct ps_pg_types *types;
    const struct ps_pg_type *t;
    struct ps_pg_catalog *c;
    unsigned seen = 0;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    types = ps_pg_catalog_types(c, db);
    for (; csv_next(csv) && csv_number(csv, "oid") < LATER; seen++) {
        t = types->type(types->ctx, (ps_oid)csv_number(csv, "oid"));
        assert_non_null(t);
        assert_string_equal(t->name, csv_field(csv, "typname"));
        assert_int_equal(t->schema, csv_number(csv, "typnamespace"));
        assert_int_equal(t->len, csv_number(csv, "typlen"));
        assert_int_equal(t->byval, is_true(csv, "typbyval"));
        assert_int_equal(t->kind, csv_field(csv, "typtype")[0]);
        assert_int_equal(t->category, csv_field(csv, "typcategory")[0]);
        assert_int_equal(t->align, csv_field(csv, "typalign")[0]);
        assert_int_equal(t->row, csv_number(csv, "typrelid"));
        assert_int_equal(t->elem, csv_number(csv, "typelem"));
        assert_int_equal(t->array, csv_number(csv, "typarray"));
        if (t->kind == 'd')
            assert_int_equal(t->base, csv_number(csv, "typbasetype"));
    }
    assert_true(seen > 600);
    assert_int_equal(types->type(types->ctx, 3904)->base, 23);   /* int4range */
    assert_int_equal(types->type(types->ctx, 4451)->base, 3904); /* int4multirange */
    assert_null(types->type(types->ctx, 4711));
    csv_close(csv);
    end_catalog(&b, c);
}

static void labels_and_schemas_have_their_names(void **state)
{
    struct csv *labels = truth(state, "pg_enum"), *schemas = truth(state, "pg_namespace");
    const struct ps_pg_types *types;
    struct ps_pg_catalog *c;
    char name[200];
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    types = ps_pg_catalog_types(c, db);
    while (csv_next(labels))
        assert_string_equal(types->enum_label(types->ctx, (ps_oid)csv_number(labels, "oid")),
                            csv_field(labels, "enumlabel"));
    while (csv_next(schemas) && csv_number(schemas, "oid") < LATER) {
        assert_true(types->reg_name(types->ctx, 4089, (ps_oid)csv_number(schemas, "oid"), name,
                                    sizeof(name)));
        if (strchr(name, '"'))
            assert_memory_equal(name + 1, csv_field(schemas, "nspname"), strlen(name) - 2);
        else
            assert_string_equal(name, csv_field(schemas, "nspname"));
    }
    assert_true(types->reg_name(types->ctx, 2205, 16497, name, sizeof(name)));
    assert_string_equal(name, "t_mixed");
    assert_true(types->reg_name(types->ctx, 2205, 16560, name, sizeof(name)));
    assert_string_equal(name, "\"Odd/Schema\".\"we ird\"\"n\xc3\xa4me.x\"");
    assert_true(types->reg_name(types->ctx, 2206, 1007, name, sizeof(name)));
    assert_string_equal(name, "integer[]");
    assert_false(types->reg_name(types->ctx, 2205, 4711, name, sizeof(name)));
    assert_false(types->reg_name(types->ctx, 2205, 16497, name, 4)); /* no room */
    csv_close(labels);
    csv_close(schemas);
    end_catalog(&b, c);
}

static void leaves_of_a_partitioned_relation_are_found(void **state)
{
    const struct ps_pg_relation **leaves;
    struct ps_pg_catalog *c;
    uint32_t db, count;
    struct bed b;

    begin(&b, state);
    c = open_catalog(&b, &db);
    ok(ps_pg_relation_leaves(c, db, find(c, db, "public.t_part"), &leaves, &count));
    assert_int_equal(count, 2);
    assert_string_equal(leaves[0]->name, "t_part_0");
    assert_string_equal(leaves[1]->name, "t_part_1");
    free(leaves);
    end_catalog(&b, c);
}

static void files_without_a_row_are_orphans(void **state)
{
    static const uint8_t page[PAGE];
    struct ps_text text = {0};
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    put(&b, "base/16384/99999", page, sizeof(page));
    c = open_catalog(&b, &db);
    ok(ps_pg_orphans(c, db, &text));
    ps_text_add(&text, "", 1);
    assert_string_equal(text.data,
                        "base/16384/99999\t8192\tno row of pg_class has this filenode\n");
    ps_text_deinit(&text);
    end_catalog(&b, c);
}

static void a_file_is_described_by_other_catalogs(void **state)
{
    const struct corpus *corpus = *state;
    const struct ps_pg_relation *rel;
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c = NULL;
    char other[600];
    struct bed b;

    begin(&b, state);
    b.opts.catalogs = corpus_path(corpus, "cluster", other);
    ok(try_open(&b, "/base/16384/16497"));
    ok(ps_pg_catalog_open(b.cluster, &c));
    assert_int_equal(ps_pg_relation_count(c, 0), 1);
    rel = ps_pg_relation(c, 0, 0);
    assert_string_equal(rel->dir, "public.t_mixed");
    assert_string_equal(rel->name, "t_mixed");
    ok(ps_pg_relation_desc(c, 0, rel, &desc));
    assert_int_equal(desc->count, 36);
    assert_ptr_equal(ps_pg_relation_by_oid(c, 0, rel->oid), rel);
    assert_null(ps_pg_relation_by_oid(c, 0, rel->toast)); /* its file is not here */
    ps_pg_catalog_close(c);
    shut(&b);
    ok(try_open(&b, "/global/1262"));
    ok(ps_pg_catalog_open(b.cluster, &c));
    assert_string_equal(ps_pg_relation(c, 0, 0)->name, "pg_database");
    ps_pg_catalog_close(c);
    shut(&b);
    run("cp '%s/base/16384/16497' '%s/base/16384/4711'", b.data, b.data);
    ok(try_open(&b, "/base/16384/4711"));
    expect(ps_pg_catalog_open(b.cluster, &c), PS_ERR_INVAL, "has the filenode 4711");
    end(&b);
}

/* --- schema.sql --------------------------------------------------------------------------- */

static char *sql_of(struct ps_pg_catalog *c, uint32_t db, const char *dir)
{
    struct ps_text text = {0};

    ok(ps_pg_schema_sql(c, db, find(c, db, dir), &text));
    ps_text_add(&text, "", 1);
    return text.data;
}

static void statements_make_types_before_tables(void **state)
{
    struct ps_pg_catalog *c;
    const char *type;
    struct bed b;
    uint32_t db;
    char *sql;

    begin(&b, state);
    c = open_catalog(&b, &db);
    sql = sql_of(c, db, "public.t_mixed");
    type =
        strstr(sql, "CREATE TYPE public.mood AS ENUM ('sad' /* oid 16486 */, 'ok' /* oid 16488 */, "
                    "'happy' /* oid 16490 */)");
    assert_non_null(type);
    assert_true(type < strstr(sql, "CREATE TABLE public.t_mixed ("));
    assert_non_null(strstr(sql, "\n    num2 numeric(12,3),\n"));
    assert_non_null(strstr(sql, "\n    vb bit varying,\n"));
    assert_non_null(strstr(sql, "ADD CONSTRAINT t_mixed_pkey PRIMARY KEY (id);\n"));
    free(sql);
    sql = sql_of(c, db, "public.t_alter");
    assert_non_null(strstr(sql, "dflt integer DEFAULT 42,\n    late text DEFAULT 'late'::text,"));
    free(sql);
    sql = sql_of(c, db, "public.sq");
    assert_non_null(strstr(sql, "SELECT pg_catalog.setval('public.sq', 1001, true);"));
    free(sql);
    end_catalog(&b, c);
}

static void every_relation_has_statements(void **state)
{
    struct ps_text text = {0};
    struct ps_pg_catalog *c;
    uint32_t db, i;
    struct bed b;

    begin(&b, state);
    c = open_catalog(&b, &db);
    for (i = 0; i < ps_pg_relation_count(c, db); i++) {
        ps_text_clear(&text);
        ok(ps_pg_schema_sql(c, db, ps_pg_relation(c, db, i), &text));
        assert_true(text.len > 0);
    }
    ps_text_deinit(&text);
    end_catalog(&b, c);
}

/* --- damage ------------------------------------------------------------------------------- */

static void zero_page(const struct bed *b, const char *name, uint32_t page_no, uint8_t fill)
{
    char path[TEMP_DIR_LEN + 300];
    uint8_t page[PAGE];
    int fd;

    memset(page, fill, sizeof(page));
    (void)snprintf(path, sizeof(path), "%s/%s", b->data, name);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, page, sizeof(page), (off_t)page_no * PAGE), PAGE);
    close(fd);
}

static void without_a_map_catalogs_are_found_by_their_rows(void **state)
{
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s/%s'", b.data, MAP);
    c = open_catalog(&b, &db);
    ok(ps_pg_relation_desc(c, db, find(c, db, "public.t_mixed"), &desc));
    assert_int_equal(desc->count, 36);
    expect_note(&b, "where pg_class is; found by its rows in " PG_CLASS);
    expect_note(&b, "where pg_attribute is; found by its rows in " PG_ATTRIBUTE);
    expect_note(&b, "where pg_type is; found by its rows in " PG_TYPE);
    end_catalog(&b, c);
}

static void without_a_version_the_layout_is_found(void **state)
{
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s'/PG_VERSION '%s'/base/16384/PG_VERSION", b.data, b.data);
    patch_control(&b, 0, 0); /* which names the version, too */
    c = open_catalog(&b, &db);
    ok(ps_pg_relation_desc(c, db, find(c, db, "public.t_mixed"), &desc));
    assert_int_equal(desc->count, 36);
    end_catalog(&b, c);
}

static void without_pg_class_relations_are_called_after_their_files(void **state)
{
    const struct ps_pg_relation *rel;
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s/" PG_CLASS "'*", b.data);
    c = open_catalog(&b, &db);
    rel = find(c, db, "16497");
    assert_non_null(rel);
    assert_int_equal(rel->kind, 0);
    assert_int_not_equal(rel->files[PS_PG_FSM], 0);
    expect(ps_pg_relation_desc(c, db, rel, &desc), PS_ERR_NOENT, "does not tell its columns");
    assert_non_null(find(c, db, "16497.fsm"));
    check_shown(&b, c, db);
    check_shown(&b, c, 0);
    assert_non_null(find(c, 0, "1262"));
    expect_note(&b, "anchor: pg_class cannot be read");
    end_catalog(&b, c);
}

static void without_pg_attribute_relations_have_names(void **state)
{
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s/" PG_ATTRIBUTE "'*", b.data);
    c = open_catalog(&b, &db);
    assert_non_null(find(c, db, "public.t_mixed"));
    assert_non_null(find(c, db, "Odd%2FSchema.we ird\"n\xc3\xa4me%2Ex"));
    assert_int_equal(ps_pg_relation_desc(c, db, find(c, db, "public.t_mixed"), &desc),
                     PS_ERR_NOENT);
    expect_note(&b, "pg_attribute cannot be read");
    end_catalog(&b, c);
}

static void without_pg_type_its_own_types_are_known(void **state)
{
    const struct ps_pg_types *types;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s/" PG_TYPE "'", b.data);
    c = open_catalog(&b, &db);
    types = ps_pg_catalog_types(c, db);
    assert_string_equal(types->type(types->ctx, 1007)->name, "_int4");
    assert_null(types->type(types->ctx, 16485)); /* mood */
    expect_note(&b, "pg_type cannot be read");
    end_catalog(&b, c);
}

static void without_pg_namespace_schemas_are_called_by_oid(void **state)
{
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s/" PG_NAMESPACE "'", b.data);
    c = open_catalog(&b, &db);
    assert_non_null(find(c, db, "public.t_mixed")); /* built in */
    assert_null(find(c, db, "Odd%2FSchema.we ird\"n\xc3\xa4me%2Ex"));
    assert_string_equal(ps_pg_relation_by_oid(c, db, 16560)->schema, "");
    assert_true(strstr(ps_pg_relation_by_oid(c, db, 16560)->dir, ".we ird") != NULL);
    expect_note(&b, "pg_namespace is missing");
    end_catalog(&b, c);
}

/* Its last columns lie elsewhere in each version. */
static void databases_have_names_under_a_wrong_version(void **state)
{
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    b.opts.version = 14;
    c = open_catalog(&b, &db);
    assert_int_not_equal(db, UINT32_MAX);
    assert_false(ps_pg_database(c, db)->orders_bytes);
    end_catalog(&b, c);
}

static void without_pg_database_databases_are_called_by_oid(void **state)
{
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s'/global/1262", b.data);
    c = open_catalog(&b, &db);
    assert_int_equal(db, UINT32_MAX);
    db = ps_pg_database_find(c, "16384");
    assert_int_equal(db, 1);
    assert_string_equal(ps_pg_database(c, db)->name, "");
    assert_non_null(find(c, db, "public.t_mixed"));
    expect_note(&b, "pg_database is missing: names of databases are not known");
    end_catalog(&b, c);
}

/* A damaged page costs what it says: as many relations are called after their files as lost their
 * names. */
static void a_damaged_page_of_pg_class_costs_its_rows(void **state)
{
    uint32_t db, i, unnamed = 0, named = 0;
    struct ps_pg_catalog *c;
    struct bed b;

    begin(&b, state);
    zero_page(&b, PG_CLASS, 12, 0xff);
    c = open_catalog(&b, &db);
    for (i = 0; i < ps_pg_relation_count(c, db); i++)
        if (ps_pg_relation(c, db, i)->kind == 0)
            unnamed++;
        else
            named++;
    assert_true(named > 200);
    assert_in_range(unnamed, 1, 60);
    check_shown(&b, c, db);
    expect_note(&b, "pg_class: 1 pages cannot be read, the first is 12");
    end_catalog(&b, c);
}

static void a_damaged_page_of_pg_attribute_costs_its_columns(void **state)
{
    uint32_t db, i, known = 0, lost = 0;
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    struct bed b;

    begin(&b, state);
    zero_page(&b, PG_ATTRIBUTE, 60, 0xff);
    c = open_catalog(&b, &db);
    for (i = 0; i < ps_pg_relation_count(c, db); i++)
        if (ps_pg_relation_desc(c, db, ps_pg_relation(c, db, i), &desc))
            lost++;
        else
            known++;
    assert_true(known > 200);
    assert_in_range(lost, 1, 60);
    end_catalog(&b, c);
}

static void replace(const struct bed *b, const char *name, const uint32_t from[2],
                    const uint32_t to[2])
{
    uint8_t page[PAGE];
    unsigned i, found = 0;

    get(b, name, page, sizeof(page));
    for (i = 0; i + 8 <= PAGE; i += 4)
        if (memcmp(page + i, from, 8) == 0) {
            memcpy(page + i, to, 8);
            found++;
        }
    assert_true(found > 0);
    put(b, name, page, sizeof(page));
}

static void circles_of_partitions_end(void **state)
{
    static const uint32_t from[2] = {16595, 16587}, to[2] = {16587, 16587};
    const struct ps_pg_relation **leaves;
    struct ps_pg_catalog *c;
    uint32_t db, count;
    struct bed b;

    begin(&b, state);
    replace(&b, PG_INHERITS, from, to); /* t_part is its own partition */
    b.store_opts.serve_corrupt = true;
    c = open_catalog(&b, &db);
    ok(ps_pg_relation_leaves(c, db, find(c, db, "public.t_part"), &leaves, &count));
    assert_int_equal(count, 1);
    free(leaves);
    end_catalog(&b, c);
}

/* --- any damage --------------------------------------------------------------------------- */

static unsigned long random_seed(void)
{
    const char *given = getenv("PS_SEED");
    unsigned long seed = given ? strtoul(given, NULL, 10) : (unsigned long)time(NULL);

    print_message("PS_SEED=%lu\n", seed);
    return seed;
}

/* Changes some bytes anywhere in some pages, which are served all the same. */
static void scramble(const struct bed *b, const char *name, unsigned changes)
{
    char path[TEMP_DIR_LEN + 300];
    struct stat st;
    uint8_t byte;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", b->data, name);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    for (; changes > 0; changes--) {
        byte = (uint8_t)random();
        assert_int_equal(pwrite(fd, &byte, 1, random() % st.st_size), 1);
    }
    close(fd);
}

static void ask_everything(struct ps_pg_catalog *c, uint32_t db)
{
    const struct ps_pg_types *types = ps_pg_catalog_types(c, db);
    const struct ps_pg_relation **leaves, *rel;
    const struct ps_pg_desc *desc;
    struct ps_text text = {0};
    uint32_t i, count;
    char name[300];

    for (i = 0; i < ps_pg_relation_count(c, db); i++) {
        rel = ps_pg_relation(c, db, i);
        if (ps_pg_relation_desc(c, db, rel, &desc) == PS_OK)
            assert_int_equal(desc->count, rel->natts);
        ps_text_clear(&text);
        (void)!ps_pg_schema_sql(c, db, rel, &text);
        ok(ps_pg_relation_leaves(c, db, rel, &leaves, &count));
        free(leaves);
        (void)types->reg_name(types->ctx, 2205, rel->oid, name, sizeof(name));
        (void)types->reg_name(types->ctx, 2206, rel->row_type, name, sizeof(name));
    }
    ps_text_deinit(&text);
}

#define T_HOT_NODE 16504u
#define T_VAC_NODE 16526u
#define ROW_PART 128u /* relname and relfilenode are not further apart */

/* In each row of pg_class that is called t_vac, its filenode becomes that of t_hot. */
static void let_t_vac_claim_t_hot(const struct bed *b)
{
    const uint32_t was = T_VAC_NODE, is = T_HOT_NODE;
    char path[TEMP_DIR_LEN + 300];
    static uint8_t bytes[1 << 20];
    uint8_t *at = bytes, *node;
    unsigned changed = 0;
    ssize_t len;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/" PG_CLASS, b->data);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    len = pread(fd, bytes, sizeof(bytes), 0);
    assert_true(len > 0);
    while ((at = memmem(at, (size_t)(bytes + len - at), "t_vac", sizeof("t_vac"))) != NULL) {
        node = memmem(at, ROW_PART, &was, sizeof(was));
        at++;
        if (!node)
            continue;
        memcpy(node, &is, sizeof(is));
        changed++;
    }
    assert_true(changed > 0);
    assert_int_equal(pwrite(fd, bytes, (size_t)len, 0), len);
    close(fd);
}

static void of_relations_that_claim_one_file_one_has_it(void **state)
{
    const struct ps_pg_relation *hot, *vac;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    let_t_vac_claim_t_hot(&b);
    b.store_opts.serve_corrupt = true;
    c = open_catalog(&b, &db);
    check_shown(&b, c, db);
    hot = find(c, db, "public.t_hot");
    vac = find(c, db, "public.t_vac");
    assert_non_null(hot);
    assert_non_null(vac);
    assert_int_equal(hot->node, vac->node);
    assert_int_not_equal(hot->files[PS_PG_MAIN], vac->files[PS_PG_MAIN]);
    assert_int_not_equal(hot->file_missing, vac->file_missing);
    end_catalog(&b, c);
}

#define ROUNDS 8

static void any_bytes_in_catalogs_are_survived(void **state)
{
    static const char *const files[] = {PG_CLASS,          PG_ATTRIBUTE,      PG_TYPE,
                                        PG_NAMESPACE,      PG_INHERITS,       "base/16384/2604",
                                        "base/16384/2606", "base/16384/2610", "base/16384/3501",
                                        "global/1262",     "base/16384/3541", "base/16384/2224"};
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;
    unsigned round;
    size_t i;

    srandom((unsigned)random_seed());
    for (round = 0; round < ROUNDS; round++) {
        begin(&b, state);
        for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
            scramble(&b, files[i], 1u << (round % 8));
        b.store_opts.serve_corrupt = true;
        c = open_catalog(&b, &db);
        for (db = 0; db < ps_pg_database_count(c); db++) {
            check_shown(&b, c, db);
            ask_everything(c, db);
        }
        end_catalog(&b, c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(databases_have_the_names_of_pg_database),
        cmocka_unit_test(relations_are_what_pg_class_says),
        cmocka_unit_test(relations_are_found_by_folder_and_by_file),
        cmocka_unit_test(columns_are_what_pg_attribute_says),
        cmocka_unit_test(missing_values_lie_as_they_would_in_a_tuple),
        cmocka_unit_test(types_are_what_pg_type_says),
        cmocka_unit_test(labels_and_schemas_have_their_names),
        cmocka_unit_test(leaves_of_a_partitioned_relation_are_found),
        cmocka_unit_test(files_without_a_row_are_orphans),
        cmocka_unit_test(a_file_is_described_by_other_catalogs),
        cmocka_unit_test(statements_make_types_before_tables),
        cmocka_unit_test(every_relation_has_statements),
        cmocka_unit_test(without_a_map_catalogs_are_found_by_their_rows),
        cmocka_unit_test(without_a_version_the_layout_is_found),
        cmocka_unit_test(without_pg_class_relations_are_called_after_their_files),
        cmocka_unit_test(without_pg_attribute_relations_have_names),
        cmocka_unit_test(without_pg_type_its_own_types_are_known),
        cmocka_unit_test(without_pg_namespace_schemas_are_called_by_oid),
        cmocka_unit_test(databases_have_names_under_a_wrong_version),
        cmocka_unit_test(without_pg_database_databases_are_called_by_oid),
        cmocka_unit_test(a_damaged_page_of_pg_class_costs_its_rows),
        cmocka_unit_test(of_relations_that_claim_one_file_one_has_it),
        cmocka_unit_test(a_damaged_page_of_pg_attribute_costs_its_columns),
        cmocka_unit_test(circles_of_partitions_end),
        cmocka_unit_test(any_bytes_in_catalogs_are_survived),
    };

    return cmocka_run_group_tests_name("pg_catalog", tests, corpus_setup, corpus_teardown);
}
