/* What catalogs say: databases, relations, columns, types, and the statements that make them. */
#include "csv.h"
#include "pg_catalog_bed.h"

#define LATER 16693 /* OIDs from here on are of what the one who asked PostgreSQL made for it */

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

static void relations_are_found_by_folder_and_by_file(void **state)
{
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    c = open_catalog(&b, &db);
    check_shown(c, db);
    check_shown(c, 0);
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
    assert_int_equal(a->align, csv_field(csv, "attalign")[0]);
    assert_int_equal(a->not_null, is_true(csv, "attnotnull"));
    assert_int_equal(a->has_default, is_true(csv, "atthasdef"));
    assert_int_equal(a->has_missing, is_true(csv, "atthasmissing"));
    assert_int_equal(a->missing != NULL, is_true(csv, "atthasmissing"));
    assert_int_equal(a->dropped, is_true(csv, "attisdropped"));
    assert_int_equal(a->generated, csv_field(csv, "attgenerated")[0]);
    assert_int_equal(a->typmod, csv_number(csv, "atttypmod"));
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
        assert_int_equal(t->kind, csv_field(csv, "typtype")[0]);
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
    };

    return cmocka_run_group_tests_name("pg_catalog", tests, corpus_setup, corpus_teardown);
}
