/* What a missing, damaged or contradictory catalog costs: itself, and nothing beside. */

#include "pg/rows.h"
#include "pg/xact.h"
#include "pg_catalog_bed.h"
#include "seed.h"

#define PG_CLASS "base/16384/16638"
#define PG_ATTRIBUTE "base/16384/16644"
#define PG_TYPE "base/16384/16649"
#define PG_NAMESPACE "base/16384/2615"
#define PG_INHERITS "base/16384/2611"
#define MAP "base/16384/pg_filenode.map"

/* --- what is missing ---------------------------------------------------------------------- */

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
    check_shown(c, db);
    check_shown(c, 0);
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

/* Reads all rows that are visible. */
static void scan(struct ps_pg_catalog *c, uint32_t db, const char *dir)
{
    struct ps_text text = {0};
    struct ps_pg_scan *s;
    bool done = false;

    ok(ps_pg_scan_open(c, db, find(c, db, dir), PS_PG_ROWS, false, &s));
    while (!done)
        ok(ps_pg_scan_step(s, NULL, &text, &done));
    ps_pg_scan_close(s);
    ps_text_deinit(&text);
}

static void types_that_cannot_be_printed_are_told_once(void **state)
{
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("rm '%s/" PG_TYPE "'", b.data);
    c = open_catalog(&b, &db);
    scan(c, db, "public.t_mixed");
    scan(c, db, "public.t_mixed");
    expect_note(&b, "anchor: values of types that pg_type does not tell, as of 16");
    ps_pg_catalog_unknown_type(c, db, 25);
    ps_pg_catalog_unknown_type(c, db, 25);
    expect_note(&b, "anchor: values of type text are shown by their bytes, as \\x...");
    end_catalog(&b, c);
}

static void columns_that_a_short_pg_attribute_lacks_are_told(void **state)
{
    const struct ps_pg_desc *desc;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("truncate -s -8192 '%s/" PG_ATTRIBUTE "'", b.data);
    c = open_catalog(&b, &db);
    ok(ps_pg_relation_desc(c, db, find(c, db, "pg_catalog.pg_class"), &desc));
    expect_note(&b, "anchor: pg_attribute does not tell the columns of ");
    end_catalog(&b, c);
}

static void pg_xact_that_was_cut_short_is_told_once(void **state)
{
    struct ps_pg_xacts *xacts;
    struct ps_pg_catalog *c;
    struct bed b;
    uint32_t db;

    begin(&b, state);
    run("truncate -s 0 '%s/pg_xact/0000'", b.data);
    c = open_catalog(&b, &db);
    xacts = ps_pg_catalog_xacts(c);
    assert_int_equal(ps_pg_xact_fate(xacts, 700), PS_PG_UNKNOWN);
    assert_int_equal(ps_pg_xact_fate(xacts, 701), PS_PG_UNKNOWN);
    expect_note(&b, "pg_xact/0000: has 0 bytes only");
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

/* --- what is damaged ---------------------------------------------------------------------- */

static void spoil_page(const struct bed *b, const char *name, uint32_t page_no)
{
    char path[TEMP_DIR_LEN + 300];
    uint8_t page[PAGE];
    int fd;

    memset(page, 0xff, sizeof(page));
    (void)snprintf(path, sizeof(path), "%s/%s", b->data, name);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, page, sizeof(page), (off_t)page_no * PAGE), PAGE);
    close(fd);
}

/* A damaged page costs what it says: as many relations are called after their files as lost their
 * names. */
static void a_damaged_page_of_pg_class_costs_its_rows(void **state)
{
    uint32_t db, i, unnamed = 0, named = 0;
    struct ps_pg_catalog *c;
    struct bed b;

    begin(&b, state);
    spoil_page(&b, PG_CLASS, 12);
    c = open_catalog(&b, &db);
    for (i = 0; i < ps_pg_relation_count(c, db); i++)
        if (ps_pg_relation(c, db, i)->kind == 0)
            unnamed++;
        else
            named++;
    assert_true(named > 200);
    assert_in_range(unnamed, 1, 60);
    check_shown(c, db);
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
    spoil_page(&b, PG_ATTRIBUTE, 60);
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
    check_shown(c, db);
    hot = find(c, db, "public.t_hot");
    vac = find(c, db, "public.t_vac");
    assert_non_null(hot);
    assert_non_null(vac);
    assert_int_equal(hot->node, vac->node);
    assert_int_not_equal(hot->files[PS_PG_MAIN], vac->files[PS_PG_MAIN]);
    assert_int_not_equal(hot->file_missing, vac->file_missing);
    end_catalog(&b, c);
}

/* --- any damage --------------------------------------------------------------------------- */

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
        (void)types->reg_name(types->ctx, 2206, rel->oid, name, sizeof(name));
    }
    ps_text_deinit(&text);
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

    srandom((unsigned)test_seed());
    for (round = 0; round < ROUNDS; round++) {
        begin(&b, state);
        for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
            scramble(&b, files[i], 1u << (round % 8));
        b.store_opts.serve_corrupt = true;
        c = open_catalog(&b, &db);
        for (db = 0; db < ps_pg_database_count(c); db++) {
            check_shown(c, db);
            ask_everything(c, db);
        }
        end_catalog(&b, c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_map_catalogs_are_found_by_their_rows),
        cmocka_unit_test(without_a_version_the_layout_is_found),
        cmocka_unit_test(without_pg_class_relations_are_called_after_their_files),
        cmocka_unit_test(without_pg_attribute_relations_have_names),
        cmocka_unit_test(without_pg_type_its_own_types_are_known),
        cmocka_unit_test(types_that_cannot_be_printed_are_told_once),
        cmocka_unit_test(columns_that_a_short_pg_attribute_lacks_are_told),
        cmocka_unit_test(pg_xact_that_was_cut_short_is_told_once),
        cmocka_unit_test(without_pg_namespace_schemas_are_called_by_oid),
        cmocka_unit_test(databases_have_names_under_a_wrong_version),
        cmocka_unit_test(without_pg_database_databases_are_called_by_oid),
        cmocka_unit_test(a_damaged_page_of_pg_class_costs_its_rows),
        cmocka_unit_test(of_relations_that_claim_one_file_one_has_it),
        cmocka_unit_test(a_damaged_page_of_pg_attribute_costs_its_columns),
        cmocka_unit_test(circles_of_partitions_end),
        cmocka_unit_test(any_bytes_in_catalogs_are_survived),
    };

    return cmocka_run_group_tests_name("pg_catalog_damage", tests, corpus_setup, corpus_teardown);
}
