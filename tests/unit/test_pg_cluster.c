/* PostgreSQL's directories and files: what is found in them. */
#include "csv.h"
#include "md5.h"
#include "pg_bed.h"
#include "traces.h"

/* --- what is there ------------------------------------------------------------------------ */

static void control_says_what_pg_controldata_says(void **state)
{
    const struct ps_pg_control *c;
    struct bed b;

    begin(&b, state);
    ok(try_open(&b, ""));
    c = ps_pg_control(b.cluster);
    assert_true(c->known);
    assert_int_equal(c->control_version, 1300);
    assert_int_equal(c->catalog_version, 202209061);
    assert_int_equal(c->system_id, 7710384703829779398);
    assert_string_equal(ps_cluster_state_name(c->state), "shut down");
    assert_int_equal(c->checkpoint_lsn, 0x2C301B0);
    assert_int_equal(c->redo_lsn, 0x2C301B0);
    assert_int_equal(c->timeline, 1);
    assert_int_equal(c->next_xid, 1510);
    assert_int_equal(c->next_multi, 2);
    assert_int_equal(c->next_multi_offset, 3);
    assert_int_equal(c->oldest_xid, 716);
    assert_int_equal(c->oldest_multi, 1);
    assert_int_equal(c->block_size, 8192);
    assert_int_equal(c->segment_blocks, 131072);
    assert_int_equal(c->wal_segment_size, 1048576);
    assert_int_equal(c->checksum_version, 1);
    assert_int_equal(ps_pg_version(b.cluster), 15);
    assert_null(ps_pg_not_recovered(b.cluster));
    assert_false(ps_pg_is_file(b.cluster));
    no_notes(&b);
    end(&b);
}

static void maps_say_what_pg_relation_filenode_says(void **state)
{
    const struct corpus *c = *state;
    char name[600];
    struct csv *csv = csv_open(corpus_path(c, "truth/filenode_map.csv", name));
    unsigned seen = 0;
    struct bed b;

    begin(&b, state);
    ok(try_open(&b, ""));
    assert_non_null(csv);
    while (csv_next(csv)) {
        const ps_oid db = strcmp(csv_field(csv, "relisshared"), "t") == 0 ? 0 : DB;
        const ps_oid oid = (ps_oid)csv_number(csv, "oid");

        assert_int_equal(ps_pg_mapped_node(b.cluster, db, oid), csv_number(csv, "filenode"));
        seen++;
    }
    assert_true(seen > 60);
    assert_int_equal(ps_pg_mapped_node(b.cluster, DB, 4711), 0);
    assert_int_equal(ps_pg_mapped_node(b.cluster, 4711, 1259), 0);
    csv_close(csv);
    end(&b);
}

static void every_file_of_postgres_is_found_and_reads_as_it_read_it(void **state)
{
    const struct corpus *c = *state;
    char name[600], hex[33];
    struct csv *csv = csv_open(corpus_path(c, "truth/page_md5.csv", name));
    const struct ps_pg_file *file = NULL;
    uint8_t page[PAGE];
    unsigned seen = 0;
    struct bed b;

    begin(&b, state);
    ok(try_open(&b, ""));
    assert_non_null(csv);
    while (csv_next(csv)) {
        const char *path = csv_field(csv, "fpath");

        for (uint32_t i = 0; !file || strcmp(file->path, path) != 0; i++) {
            assert_true(i < ps_pg_file_count(b.cluster));
            file = ps_pg_file(b.cluster, i);
        }
        ok(read_page(&b, file, (uint32_t)csv_number(csv, "blk"), page));
        md5_hex(page, PAGE, hex);
        assert_string_equal(hex, csv_field(csv, "md5"));
        seen++;
    }
    assert_true(seen > 400);
    csv_close(csv);
    end(&b);
}

static void files_are_in_order_and_found_by_what_they_are(void **state)
{
    const struct ps_pg_file *file, *last = NULL;
    struct bed b;
    uint32_t i;

    begin(&b, state);
    ok(try_open(&b, ""));
    for (i = 0; i < ps_pg_file_count(b.cluster); i++, last = file) {
        file = ps_pg_file(b.cluster, i);
        assert_int_equal(file->id, i + 1);
        assert_ptr_equal(ps_pg_file_by_id(b.cluster, file->id), file);
        assert_ptr_equal(ps_pg_file_find(b.cluster, file->db, file->space, file->node, file->fork),
                         file);
        assert_true(!last || last->db < file->db || last->space < file->space ||
                    last->node < file->node || last->fork < file->fork);
        if (!last || last->db != file->db)
            assert_int_equal(ps_pg_file_first(b.cluster, file->db), i);
    }
    assert_null(ps_pg_file_by_id(b.cluster, 0));
    assert_null(ps_pg_file_by_id(b.cluster, i + 1));
    assert_int_equal(ps_pg_file_first(b.cluster, UINT32_MAX), i);
    assert_int_equal(ps_pg_db_count(b.cluster), 2);
    assert_int_equal(ps_pg_db_oid(b.cluster, 0), 0);
    assert_int_equal(ps_pg_db_oid(b.cluster, 1), DB);
    assert_non_null(ps_pg_file_find(b.cluster, DB, 16619, 16620, PS_PG_MAIN));
    assert_null(ps_pg_file_find(b.cluster, DB, 0, 16620, PS_PG_MAIN));
    assert_non_null(ps_pg_file_find(b.cluster, DB, PS_PG_DEFAULT_SPACE, 16497, PS_PG_FSM));
    assert_non_null(ps_pg_file_find(b.cluster, DB, 0, 16537, PS_PG_INIT));
    assert_non_null(ps_pg_file_find(b.cluster, DB, PS_PG_GLOBAL_SPACE, 1262, PS_PG_MAIN));
    assert_non_null(ps_pg_file_find(b.cluster, 0, 0, 1262, PS_PG_MAIN));
    end(&b);
}

static void names_of_files_are_parsed_and_made_as_postgres_makes_them(void **state)
{
    static const struct {
        const char *name;
        struct ps_pg_file is;
        uint32_t segment;
    } good[] = {
        {"1259", {.node = 1259, .backend = -1}, 0},
        {"1259_fsm", {.node = 1259, .fork = PS_PG_FSM, .backend = -1}, 0},
        {"1259_vm.12", {.node = 1259, .fork = PS_PG_VM, .backend = -1}, 12},
        {"4294967295_init", {.node = UINT32_MAX, .fork = PS_PG_INIT, .backend = -1}, 0},
        {"t3_16384.1", {.node = 16384, .backend = 3}, 1},
        {"t0_16384_fsm", {.node = 16384, .fork = PS_PG_FSM}, 0},
        {"t2147483647_4294967295_init",
         {.node = UINT32_MAX, .fork = PS_PG_INIT, .backend = INT32_MAX},
         0},
    };
    static const char *const bad[] = {
        "",         "0",       "01259",       "1259_",      "1259_foo", "1259.",
        "1259.0",   "1259.01", "1259.1.1",    "4294967296", "t3",       "t_5",
        "t3_",      "t-1_5",   "1259_fsm_vm", "1259 ",      "+5",       "99999999999999999999",
        "1259_main"};
    char name[PS_PG_FILE_NAME_MAX];
    struct ps_pg_file f = {0};
    uint32_t segment;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(ps_pg_parse_file_name(good[i].name, &f, &segment));
        assert_int_equal(f.node, good[i].is.node);
        assert_int_equal(f.fork, good[i].is.fork);
        assert_int_equal(f.backend, good[i].is.backend);
        assert_int_equal(segment, good[i].segment);
        ps_pg_file_name(&f, name);
        assert_memory_equal(name, good[i].name, strlen(name));
        assert_string_equal(strchrnul(good[i].name, '.'), good[i].name + strlen(name));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (ps_pg_parse_file_name(bad[i], &f, &segment))
            fail_msg("'%s' is a relation's name?", bad[i]);
}

static void temporary_and_unlogged_relations_are_shown(void **state)
{
    const struct ps_pg_file *file = NULL;
    uint32_t temporary = 0;
    struct bed b;

    begin(&b, state);
    put(&b, "base/16384/t3_70000", "", 0);
    put(&b, "base/16384/t3_70000_fsm", "", 0);
    put(&b, "base/16384/70000", "", 0);
    put(&b, "base/16384/70000_init", "", 0);
    ok(try_open(&b, ""));
    for (uint32_t i = 0; i < ps_pg_file_count(b.cluster); i++) {
        file = ps_pg_file(b.cluster, i);
        temporary += file->backend == 3 && file->node == 70000;
    }
    assert_int_equal(temporary, 2);
    file = ps_pg_file_find(b.cluster, DB, 0, 70000, PS_PG_MAIN);
    assert_int_equal(file->backend, -1);
    assert_non_null(ps_pg_file_find(b.cluster, DB, 0, 70000, PS_PG_INIT));
    no_notes(&b);
    end(&b);
}

static void names_that_are_no_relations_are_told(void **state)
{
    struct bed b;

    begin(&b, state);
    put(&b, "base/16384/pg_internal.init", "", 0);
    run("mkdir '%s/base/pgsql_tmp'", b.data);
    ok(try_open(&b, ""));
    no_notes(&b);
    shut(&b);
    put(&b, "base/16384/core", "", 0);
    put(&b, "global/a", "", 0);
    put(&b, "global/b", "", 0);
    ok(try_open(&b, ""));
    expect_note(&b, "base/16384/core: the name is no relation's");
    expect_note(&b, "global: 2 names are no relation's (");
    end(&b);
}

static void segments_that_are_missing_or_short_are_told(void **state)
{
    struct bed b;

    begin(&b, state);
    put(&b, "base/16384/70000", "", 0);
    put(&b, "base/16384/70000.2", "", 0);
    put(&b, "base/16384/70001.1", "", 0);
    put(&b, "base/16384/70002", "x", 1);
    put(&b, "base/16384/70002.1", "", 0);
    put(&b, "base/16384/70002.2", "", 0);
    ok(try_open(&b, ""));
    expect_note(&b, "base/16384/70000: segment .1 is missing; 1 later ones are no part");
    expect_note(&b, "base/16384/70001: missing, though 1 of its segments are there, from .1 on");
    expect_note(&b, "base/16384/70002: has 1 bytes, a full segment 1073741824; 2 later ones");
    assert_non_null(ps_pg_file_find(b.cluster, DB, 0, 70000, PS_PG_MAIN));
    assert_null(ps_pg_file_find(b.cluster, DB, 0, 70001, PS_PG_MAIN));
    end(&b);
}

/* --- tablespaces -------------------------------------------------------------------------- */

static void a_link_is_followed_only_when_that_is_asked_for(void **state)
{
    struct ps_pg_tablespace space = {.oid = 16619};
    char moved[TEMP_DIR_LEN + 16];
    struct bed b;

    begin(&b, state);
    (void)snprintf(moved, sizeof(moved), "%s/moved", b.dir);
    run("mv '%s/pg_tblspc/16619' '%s' && ln -s '%s' '%s/pg_tblspc/16619'", b.data, moved, moved,
        b.data);
    ok(try_open(&b, ""));
    expect_note(&b, "which is not followed: say tablespace=16619=DIR or follow_links");
    assert_null(ps_pg_file_find(b.cluster, DB, 16619, 16620, PS_PG_MAIN));
    shut(&b);
    b.opts.follow_links = true;
    for (unsigned by_option = 0; by_option < 2; by_option++) {
        uint8_t page[PAGE];
        const struct ps_pg_file *file;

        ok(try_open(&b, ""));
        no_notes(&b);
        file = ps_pg_file_find(b.cluster, DB, 16619, 16620, PS_PG_MAIN);
        assert_non_null(file);
        assert_string_equal(file->path, "PG_15_202209061/16384/16620");
        ok(read_page(&b, file, 0, page));
        shut(&b);
        b.opts.follow_links = false;
        space.dir = moved;
        b.opts.tablespaces = &space;
        b.opts.tablespace_count = 1;
    }
    b.opts.tablespace_count = 0;
    b.opts.follow_links = true;
    run("rm -r '%s'", moved);
    ok(try_open(&b, ""));
    expect_note(&b, "pg_tblspc/16619: ");
    expect_readable(&b);
    end(&b);
}

static void a_database_is_at_home_where_its_map_is(void **state)
{
    const struct ps_pg_file *file;
    struct bed b;

    begin(&b, state);
    run("cd '%s' && mkdir pg_tblspc/16619/PG_15_202209061/5 base/5 && "
        "cp base/16384/pg_filenode.map base/16384/16638 pg_tblspc/16619/PG_15_202209061/5/ && "
        "touch base/5/70000 && "
        "mkdir -p pg_tblspc/16619/PG_14_202107181/5 pg_tblspc/16619/PG_15_202209060/5",
        b.data);
    ok(try_open(&b, ""));
    assert_int_equal(ps_pg_mapped_node(b.cluster, 5, 1259), 16638);
    file = ps_pg_file_find(b.cluster, 5, 0, 16638, PS_PG_MAIN);
    assert_non_null(file);
    assert_int_equal(file->space, 16619);
    assert_non_null(ps_pg_file_find(b.cluster, 5, PS_PG_DEFAULT_SPACE, 70000, PS_PG_MAIN));
    no_notes(&b);
    end(&b);
}

/* --- one file ----------------------------------------------------------------------------- */

static uint64_t first_page_of(struct bed *b)
{
    struct ps_page_info info;
    struct ps_table *t = NULL;
    uint32_t count = 0;

    ok(ps_table_get(ps_pg_store(b->cluster), 1, &t));
    ok(ps_page_list(t, 0, &info, 1, &count));
    ps_table_unref(t);
    assert_int_equal(count, 1);
    return info.page_no;
}

static void a_relation_file_is_opened_by_itself(void **state)
{
    const struct ps_pg_file *file;
    struct ps_table *t = NULL;
    uint8_t page[PAGE];
    struct bed b;

    begin(&b, state);
    ok(try_open(&b, "/base/16384/16497"));
    assert_true(ps_pg_is_file(b.cluster));
    assert_int_equal(ps_pg_file_count(b.cluster), 1);
    file = ps_pg_file(b.cluster, 0);
    assert_int_equal(file->node, 16497);
    assert_string_equal(file->path, "16497");
    assert_int_equal(ps_pg_control(b.cluster)->block_size, PAGE);
    expect_note(&b, "checksums: taken as on; of the pages looked at 12 have a right one");
    ok(read_page(&b, file, 11, page));
    ok(ps_table_lookup(ps_pg_store(b.cluster), "16497", &t));
    ps_table_unref(t);
    shut(&b);
    run("ln -s base/16384/16497 '%s/link'", b.data);
    ok(try_open(&b, "/link"));
    assert_string_equal(ps_pg_file(b.cluster, 0)->path, "16497");
    shut(&b);
    ok(try_open(&b, "/base/16384/16497_fsm"));
    assert_int_equal(ps_pg_file(b.cluster, 0)->fork, PS_PG_FSM);
    shut(&b);
    run("cd '%s' && dd if=/dev/zero of=base/16384/16497 bs=1 seek=3000 count=5 conv=notrunc "
        "status=none",
        b.data);
    ok(try_open(&b, "/base/16384/16497"));
    expect_note(&b, "checksums: taken as on");
    file = ps_pg_file(b.cluster, 0);
    ok(read_page(&b, file, 1, page));
    shut(&b);
    b.opts.checksums = PS_PG_CHECKS_OFF;
    ok(try_open(&b, "/base/16384/16497"));
    ok(read_page(&b, ps_pg_file(b.cluster, 0), 0, page));
    no_notes(&b);
    end(&b);
}

static void a_files_segment_is_what_options_or_its_name_say(void **state)
{
    const struct corpus *c = *state;
    uint8_t page[PAGE];
    struct bed b;

    begin(&b, state);
    run("cp '%s/samples/t_seg.segment1' '%s/rel.1'", c->dir, b.data);
    ok(try_open(&b, "/rel.1"));
    assert_int_equal(first_page_of(&b), 131072);
    expect_note(&b, "rel.1: taken as segment 1; segment= sets it");
    ok(read_page(&b, ps_pg_file(b.cluster, 0), 131073, page));
    shut(&b);
    run("mv '%s/rel.1' '%s/rel'", b.data, b.data);
    b.opts.segment = 1;
    ok(try_open(&b, "/rel"));
    assert_int_equal(first_page_of(&b), 131072);
    shut(&b);
    b.opts.segment_blocks = 2;
    ok(try_open(&b, "/rel"));
    assert_int_equal(first_page_of(&b), 2);
    shut(&b);
    b.opts.segment = UINT32_MAX - 1;
    expect(try_open(&b, "/rel"), PS_ERR_INVAL, "segment=4294967294: no relation has so many");
    end(&b);
}

static void a_file_goes_on_in_its_segments(void **state)
{
    struct ps_table_info info;
    struct ps_table *t = NULL;
    struct bed b;

    begin(&b, state);
    run("cd '%s' && head -c 16384 base/16384/16497 > rel && tail -c +16385 base/16384/16497 | head "
        "-c 8192 > rel.1",
        b.data);
    b.opts.segment_blocks = 2;
    ok(try_open(&b, "/rel"));
    ok(ps_table_get(ps_pg_store(b.cluster), 1, &t));
    ok(ps_table_info(t, &info));
    assert_int_equal(info.pages_end, 3);
    ps_table_unref(t);
    end(&b);
}

static void files_that_tell_nothing_are_taken_as_usual(void **state)
{
    struct bed b;

    begin(&b, state);
    put(&b, "empty", "", 0);
    ok(try_open(&b, "/empty"));
    assert_int_equal(ps_store_page_size(ps_pg_store(b.cluster)), PAGE);
    expect_note(&b, "empty: page size taken as 8192, no page says it");
    shut(&b);
    put(&b, "zeros", (uint8_t[20000]){0}, 20000);
    ok(try_open(&b, "/zeros"));
    assert_int_equal(ps_store_page_size(ps_pg_store(b.cluster)), PAGE);
    shut(&b);
    b.opts.page_size = 65536;
    expect(try_open(&b, "/empty"), PS_ERR_INVAL, "page_size=65536: empty has pages of PostgreSQL");
    end(&b);
}

static void a_file_of_page_db_is_told_by_its_pages(void **state)
{
    const uint32_t sizes[] = {4096, 16384, 1048576};
    struct bed b;

    begin(&b, state);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *page = calloc(1, sizes[i]);
        struct ps_page_ident who = {.page_size = sizes[i]};
        struct ps_table_info info;
        struct ps_table *t = NULL;

        ps_format_native.init(page, &who, PS_PAGE_RAW);
        ps_format_native.seal(page, &who);
        put(&b, "page.db", page, sizes[i]);
        ok(try_open(&b, "/page.db"));
        assert_int_equal(ps_store_page_size(ps_pg_store(b.cluster)), sizes[i]);
        ok(ps_table_get(ps_pg_store(b.cluster), 1, &t));
        ok(ps_table_info(t, &info));
        assert_int_equal(info.format, PS_FORMAT_NATIVE);
        assert_int_equal(info.payload_len, sizes[i] - 32);
        ok(ps_page_copy(t, 0, NULL, page));
        ps_table_unref(t);
        shut(&b);
        free(page);
    }
    end(&b);
}

/* --- the rest ----------------------------------------------------------------------------- */

static void placeholders_are_tables_without_pages(void **state)
{
    uint32_t first = 0, second = 0;
    struct ps_table_info info;
    struct ps_table *t = NULL;
    struct bed b;

    begin(&b, state);
    ok(try_open(&b, ""));
    ok(ps_pg_placeholder(b.cluster, "parent", &first));
    ok(ps_pg_placeholder(b.cluster, "gone", &second));
    assert_int_equal(first, ps_pg_file_count(b.cluster) + 1);
    assert_int_equal(second, first + 1);
    ok(ps_table_get(ps_pg_store(b.cluster), second, &t));
    ok(ps_table_info(t, &info));
    assert_string_equal(info.name, "gone");
    assert_int_equal(info.pages_end, 0);
    assert_null(ps_pg_file_by_id(b.cluster, first));
    assert_int_equal(ps_table_count(ps_pg_store(b.cluster)), second);
    ps_table_unref(t);
    end(&b);
}

static void small_files_are_read_whole_or_not(void **state)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct bed b;

    begin(&b, state);
    ok(try_open(&b, ""));
    ok(ps_pg_read_file(b.cluster, "PG_VERSION", 10, &bytes, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "15\n", 3);
    free(bytes);
    assert_int_equal(ps_pg_read_file(b.cluster, "PG_VERSION", 2, &bytes, &len), PS_ERR_RANGE);
    assert_int_equal(ps_pg_read_file(b.cluster, "nothing", 9, &bytes, &len), PS_ERR_NOENT);
    assert_int_not_equal(ps_pg_read_file(b.cluster, "../data/PG_VERSION", 9, &bytes, &len), PS_OK);
    end(&b);
}

static void count_message(void *ctx, enum ps_message_level level, const char *text)
{
    (void)text;
    assert_int_equal(level, PS_MSG_WARNING);
    ++*(unsigned *)ctx;
}

static void notes_are_told_when_they_are_found_and_kept(void **state)
{
    unsigned told = 0;
    struct bed b;

    begin(&b, state);
    run("rm '%s/PG_VERSION'", b.data);
    b.store_opts.message = count_message;
    b.store_opts.ctx = &told;
    ok(try_open(&b, ""));
    assert_int_equal(told, 1);
    ps_pg_note(b.cluster, "block %u is odd", 7);
    assert_int_equal(told, 2);
    expect_note(&b, "block 7 is odd");
    assert_int_equal(notes_with(&b, ""), 2);
    end(&b);
}

static void opening_and_reading_leaves_no_trace(void **state)
{
    struct traces *before;
    struct ps_table *t = NULL;
    uint8_t page[PAGE];
    struct bed b;

    begin(&b, state);
    put(&b, "backup_label", "START WAL LOCATION: 0/28 (file x)\n", 34);
    write_pid(&b, (int)getpid());
    before = traces_begin(b.data);
    ok(try_open(&b, ""));
    for (uint32_t i = 0; i < ps_pg_file_count(b.cluster); i++) {
        ok(ps_table_get(ps_pg_store(b.cluster), i + 1, &t));
        (void)!ps_page_copy(t, 0, NULL, page); /* some have none */
        ps_table_unref(t);
    }
    shut(&b);
    ok(try_open(&b, "/base/16384/16497"));
    shut(&b);
    assert_true(traces_end(before, b.data) > 60);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_says_what_pg_controldata_says),
        cmocka_unit_test(maps_say_what_pg_relation_filenode_says),
        cmocka_unit_test(every_file_of_postgres_is_found_and_reads_as_it_read_it),
        cmocka_unit_test(files_are_in_order_and_found_by_what_they_are),
        cmocka_unit_test(names_of_files_are_parsed_and_made_as_postgres_makes_them),
        cmocka_unit_test(temporary_and_unlogged_relations_are_shown),
        cmocka_unit_test(names_that_are_no_relations_are_told),
        cmocka_unit_test(segments_that_are_missing_or_short_are_told),
        cmocka_unit_test(a_link_is_followed_only_when_that_is_asked_for),
        cmocka_unit_test(a_database_is_at_home_where_its_map_is),
        cmocka_unit_test(a_relation_file_is_opened_by_itself),
        cmocka_unit_test(a_files_segment_is_what_options_or_its_name_say),
        cmocka_unit_test(a_file_goes_on_in_its_segments),
        cmocka_unit_test(files_that_tell_nothing_are_taken_as_usual),
        cmocka_unit_test(a_file_of_page_db_is_told_by_its_pages),
        cmocka_unit_test(placeholders_are_tables_without_pages),
        cmocka_unit_test(small_files_are_read_whole_or_not),
        cmocka_unit_test(notes_are_told_when_they_are_found_and_kept),
        cmocka_unit_test(opening_and_reading_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
