/* PostgreSQL's directories that are damaged, not shut down, or in use. */
#include <signal.h>
#include <sys/wait.h>

#include "pg_bed.h"
#include "seed.h"

/* --- what is missing or damaged ----------------------------------------------------------- */

/* Damages one piece by a command that runs in the data directory: the rest is still there. */
static void damage(void **state, const char *command, const char *note)
{
    struct bed b;

    begin(&b, state);
    run("cd '%s' && %s", b.data, command);
    ok(try_open(&b, ""));
    expect_note(&b, note);
    expect_readable(&b);
    assert_int_equal(ps_pg_version(b.cluster), 15);
    end(&b);
}

static void a_damaged_piece_costs_what_depends_on_it(void **state)
{
    damage(state, "rm PG_VERSION", "PG_VERSION: No such file");
    damage(state, "echo foo > PG_VERSION", "PG_VERSION: is not a line with a version");
    damage(state, ": > PG_VERSION", "PG_VERSION: is not a line with a version");
    damage(state, "echo 16 > PG_VERSION && echo 15 > PG_VERSION; rm global/pg_control",
           "global/pg_control: No such file");
    damage(state, "truncate -s 100 global/pg_control",
           "global/pg_control: it has 100 bytes only; sizes and checksums are judged");
    damage(state, "printf x | dd of=global/pg_control bs=1 seek=40 conv=notrunc status=none",
           "global/pg_control: its checksum is 0x");
    damage(state, "printf '\\001' | dd of=global/pg_control bs=1 seek=8 conv=notrunc status=none",
           "global/pg_control: version 1281 of it is not known");
    damage(state, "rm global/pg_filenode.map", "global/pg_filenode.map: No such file");
    damage(state, "truncate -s 500 base/16384/pg_filenode.map",
           "base/16384/pg_filenode.map: it has 500 bytes, not 512 or 524");
    damage(state,
           "printf x | dd of=base/16384/pg_filenode.map bs=1 seek=20 conv=notrunc "
           "status=none",
           "base/16384/pg_filenode.map: its checksum is 0x");
    damage(state, "rm -r pg_tblspc", "pg_tblspc: No such file");
    damage(state, "rm -r pg_tblspc/16619/PG*", "tablespace 16619: ");
    damage(state, "mv base/16384 moved && ln -s ../moved base/5 && mv moved base/16384",
           "base/5: a symbolic link, which is not followed");
    damage(state, "touch base/5", "base/5: ");
}

static void without_global_there_are_the_databases(void **state)
{
    struct bed b;

    begin(&b, state);
    run("rm -r '%s/global'", b.data);
    ok(try_open(&b, ""));
    assert_int_equal(ps_pg_db_count(b.cluster), 1);
    expect_note(&b, "global: missing");
    expect_note(&b, "global/pg_control: No such file");
    expect_readable(&b);
    end(&b);
}

static void without_base_there_are_shared_relations_and_tablespaces(void **state)
{
    const struct ps_pg_file *file;
    uint8_t page[PAGE];
    struct bed b;

    begin(&b, state);
    run("rm -r '%s/base'", b.data);
    ok(try_open(&b, ""));
    expect_note(&b, "cannot open folder base: No such file");
    assert_int_equal(ps_pg_db_count(b.cluster), 2);
    file = ps_pg_file_find(b.cluster, DB, 16619, 16620, PS_PG_MAIN);
    assert_non_null(file);
    ok(read_page(&b, file, 0, page));
    end(&b);
}

/* Sizes, checksums and the version are then judged from pages and from a tablespace's folder. */
static void without_anything_that_tells_the_pages_do(void **state)
{
    struct bed b;

    begin(&b, state);
    run("cd '%s' && rm -r PG_VERSION global", b.data);
    ok(try_open(&b, ""));
    assert_int_equal(ps_pg_version(b.cluster), 15);
    assert_int_equal(ps_pg_control(b.cluster)->block_size, 8192);
    assert_int_equal(ps_pg_control(b.cluster)->checksum_version, 1);
    assert_false(ps_pg_control(b.cluster)->known);
    expect_note(&b, "page size: 8192, as the pages say");
    expect_note(&b, "checksums: taken as on");
    expect_readable(&b);
    shut(&b);
    b.opts.version = 16;
    b.opts.checksums = PS_PG_CHECKS_OFF;
    b.opts.page_size = 16384;
    b.opts.segment_blocks = 77;
    ok(try_open(&b, ""));
    assert_int_equal(ps_pg_version(b.cluster), 16);
    assert_int_equal(ps_pg_control(b.cluster)->block_size, 16384);
    assert_int_equal(ps_pg_control(b.cluster)->segment_blocks, 77);
    assert_int_equal(ps_store_page_size(ps_pg_store(b.cluster)), 16384);
    assert_int_equal(ps_pg_control(b.cluster)->checksum_version, 0);
    end(&b);
}

static void what_is_no_data_directory_is_refused(void **state)
{
    struct bed b;

    begin(&b, state);
    expect(try_open(&b, "/nothing"), PS_ERR_NOENT, "/nothing: No such file");
    expect(try_open(&b, "/pg_wal"), PS_ERR_NOENT, "it has neither base/ nor global/");
    assert_int_equal(mkfifo(strcat(strcpy((char[600]){0}, b.data), "/fifo"), 0600), 0);
    expect(try_open(&b, "/fifo"), PS_ERR_INVAL, "neither a folder nor a file");
    assert_true(ps_pg_recognize(b.data));
    assert_false(ps_pg_recognize(b.dir));
    assert_false(ps_pg_recognize("/nothing/at/all"));
    end(&b);
}

static void options_that_cannot_be_are_refused(void **state)
{
    struct bed b;

    begin(&b, state);
    b.opts.page_size = 5000;
    expect(try_open(&b, ""), PS_ERR_INVAL, "page_size=5000: must be a power of two from 4096 to");
    b.opts.page_size = 65536;
    expect(try_open(&b, ""), PS_ERR_INVAL, "page_size=65536");
    b.opts.page_size = 0;
    b.opts.version = 11;
    expect(try_open(&b, ""), PS_ERR_INVAL, "pg_version=11: must be from 12 to 17");
    b.opts.version = 0;
    b.opts.segment = 3;
    expect(try_open(&b, ""), PS_ERR_INVAL, "segment=3: is for a relation's file");
    b.opts.segment = UINT32_MAX;
    b.opts.schema = "/some/file";
    expect(try_open(&b, ""), PS_ERR_INVAL, "schema=: is for a relation's file");
    b.opts.schema = NULL;
    b.opts.tablespaces = &(struct ps_pg_tablespace){.oid = 16619, .dir = "/nothing/at/all"};
    b.opts.tablespace_count = 1;
    expect(try_open(&b, ""), PS_ERR_NOENT, "tablespace=16619: cannot open folder /nothing/at/all");
    end(&b);
}

/* Any bytes under a right checksum, in pg_control and in a map. */
static void hostile_bytes_under_right_checksums_are_survived(void **state)
{
    uint8_t control[CONTROL_LEN], map[MAP_LEN], bytes[CONTROL_LEN];
    struct bed b;

    srandom((unsigned)test_seed());
    begin(&b, state);
    get(&b, CONTROL, control, sizeof(control));
    get(&b, "base/16384/pg_filenode.map", map, sizeof(map));
    for (unsigned round = 0; round < 150; round++) {
        const unsigned flips = 1 + (unsigned)random() % 8;

        memcpy(bytes, control, sizeof(control));
        for (unsigned i = 0; i < flips; i++)
            bytes[16 + (unsigned)random() % (CONTROL_CRC_AT - 16)] = (uint8_t)random();
        seal(bytes, CONTROL_CRC_AT);
        put(&b, CONTROL, bytes, sizeof(control));
        memcpy(bytes, map, sizeof(map));
        for (unsigned i = 0; i < flips; i++)
            bytes[4 + (unsigned)random() % (MAP_CRC_AT - 4)] = (uint8_t)random();
        seal(bytes, MAP_CRC_AT);
        put(&b, "base/16384/pg_filenode.map", bytes, sizeof(map));
        ok(try_open(&b, ""));
        (void)ps_pg_mapped_node(b.cluster, DB, 1259);
        assert_int_equal(ps_pg_db_count(b.cluster), 2);
        shut(&b);
    }
    end(&b);
}

/* --- versions ----------------------------------------------------------------------------- */

static void versions_are_told_apart_by_control_and_catalog(void **state)
{
    static const struct {
        uint32_t control, catalog, version;
    } cases[] = {
        {1201, 201909212, 12}, {1300, 202007201, 13}, {1300, 202107181, 14},
        {1300, 202209061, 15}, {1300, 202307071, 16}, {1700, 202406281, 17},
    };
    struct bed b;

    begin(&b, state);
    run("cd '%s' && rm -r PG_VERSION pg_tblspc", b.data);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        patch_control(&b, 8, cases[i].control);
        patch_control(&b, 12, cases[i].catalog);
        ok(try_open(&b, ""));
        assert_true(ps_pg_control(b.cluster)->known);
        assert_int_equal(ps_pg_version(b.cluster), cases[i].version);
        shut(&b);
    }
    put(&b, "PG_VERSION", "14\n", 3);
    ok(try_open(&b, ""));
    expect_note(&b, "PG_VERSION says 14, global/pg_control is of 17");
    shut(&b);
    put(&b, "PG_VERSION", "9.6\n", 4);
    ok(try_open(&b, ""));
    expect_note(&b, "PG_VERSION: is not a line with a version");
    end(&b);
}

/* From version 16 on a map has room for 64 mappings. */
static void a_map_of_version_16_is_read(void **state)
{
    uint8_t map[524] = {0};
    struct bed b;

    begin(&b, state);
    get(&b, "base/16384/pg_filenode.map", map, MAP_CRC_AT);
    memset(map + MAP_CRC_AT, 0, sizeof(map) - MAP_CRC_AT);
    seal(map, 520);
    put(&b, "base/16384/pg_filenode.map", map, sizeof(map));
    ok(try_open(&b, ""));
    assert_int_equal(ps_pg_mapped_node(b.cluster, DB, 1259), 16638);
    no_notes(&b);
    end(&b);
}

/* --- was it shut down? -------------------------------------------------------------------- */

static void expect_not_recovered(struct bed *b, const char *text)
{
    const char *said = ps_pg_not_recovered(b->cluster);

    if (!said || !strstr(said, text))
        fail_msg("'%s' does not say '%s'", said ? said : "(recovered)", text);
}

static void a_crashed_cluster_names_the_log_it_needs(void **state)
{
    struct bed b;

    begin(&b, state);
    patch_control(&b, 16, 6);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "the state is \"in production\" and no server runs; recovery would "
                             "begin at 0/2C301B0 of timeline 1 in "
                             "pg_wal/00000001000000000000002C; pg_wal/00000001000000000000002C is "
                             "missing");
    shut(&b);
    put(&b, "pg_wal/00000001000000000000002C", "", 0);
    put(&b, "pg_wal/00000001000000000000002D", "", 0);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "; the log is there up to pg_wal/00000001000000000000002D");
    shut(&b);
    patch_control(&b, 136, 0x2F00000); /* minRecoveryPoint */
    patch_control(&b, 16, 5);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "\"in archive recovery\"");
    expect_not_recovered(&b, "; pg_wal/00000001000000000000002E is missing");
    shut(&b);
    patch_control(&b, 16, 77);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "\"unrecognized\"");
    end(&b);
}

static void a_log_behind_a_link_is_not_called_missing(void **state)
{
    struct bed b;

    begin(&b, state);
    patch_control(&b, 16, 6);
    put(&b, "pg_wal/00000001000000000000002C", "", 0);
    run("mv '%s/pg_wal' '%s/elsewhere' && ln -s ../elsewhere '%s/pg_wal'", b.data, b.dir, b.data);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "; the log cannot be looked at: cannot open pg_wal/");
    end(&b);
}

static void a_base_backup_is_recovered_from_where_its_label_says(void **state)
{
    static const char label[] = "START WAL LOCATION: 1/2B000028 (file 00000002000000010000002B)\n"
                                "CHECKPOINT LOCATION: 1/2B100060\n"
                                "BACKUP METHOD: streamed\n"
                                "START TIMELINE: 2\n";
    static const char too_long[65537];
    struct bed b;

    begin(&b, state);
    put(&b, "backup_label", label, sizeof(label) - 1);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "a base backup (there is a backup_label); recovery would begin at "
                             "1/2B000028 of timeline 2 in pg_wal/0000000200000001000002B0; "
                             "pg_wal/0000000200000001000002B0 is missing");
    shut(&b);
    put(&b, "backup_label", too_long, sizeof(too_long));
    ok(try_open(&b, ""));
    expect_note(&b, "backup_label: has 65537 bytes");
    expect_not_recovered(&b, "backup_label does not say where");
    shut(&b);
    put(&b, "backup_label", "nonsense", 8);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "backup_label does not say where");
    end(&b);
}

/* --- a server that runs ------------------------------------------------------------------- */

/* A process at work in the folder, as a server is. */
static pid_t start_server(const struct bed *b)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        if (chdir(b->data) == 0 && write(ready[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    assert_true(pid > 0);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void a_running_server_is_refused_unless_live(void **state)
{
    char says[100];
    struct bed b;
    pid_t pid;

    begin(&b, state);
    patch_control(&b, 16, 6);
    pid = start_server(&b);
    write_pid(&b, pid);
    (void)snprintf(says, sizeof(says), "a PostgreSQL server (pid %d) runs in it; a mount with",
                   pid);
    expect(try_open(&b, ""), PS_ERR_IN_USE, says);
    b.cluster = NULL;
    write_pid(&b, -pid); /* a server without postmaster */
    expect(try_open(&b, ""), PS_ERR_IN_USE, says);
    b.cluster = NULL;
    b.opts.live = true;
    ok(try_open(&b, ""));
    assert_null(ps_pg_not_recovered(b.cluster));
    expect_note(&b, "what is only in its memory is not seen");
    expect_readable(&b);
    shut(&b);
    b.opts.live = false;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    ok(try_open(&b, ""));
    expect_note(&b, "postmaster.pid: process ");
    expect_not_recovered(&b, "in production");
    end(&b);
}

static void a_process_elsewhere_is_no_server(void **state)
{
    struct bed b;

    begin(&b, state);
    write_pid(&b, (int)getpid());
    ok(try_open(&b, ""));
    expect_note(&b, "does not run here");
    shut(&b);
    put(&b, "postmaster.pid", "foo", 3);
    ok(try_open(&b, ""));
    expect_note(&b, "postmaster.pid: process 0 does not run here");
    end(&b);
}

static void a_process_that_cannot_be_asked_for_is_told(void **state)
{
    struct bed b;

    begin(&b, state);
    run("mkdir '%s/postmaster.pid'", b.data);
    ok(try_open(&b, ""));
    expect_note(&b, "; whether a server runs here is not known");
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_piece_costs_what_depends_on_it),
        cmocka_unit_test(without_global_there_are_the_databases),
        cmocka_unit_test(without_base_there_are_shared_relations_and_tablespaces),
        cmocka_unit_test(without_anything_that_tells_the_pages_do),
        cmocka_unit_test(what_is_no_data_directory_is_refused),
        cmocka_unit_test(options_that_cannot_be_are_refused),
        cmocka_unit_test(hostile_bytes_under_right_checksums_are_survived),
        cmocka_unit_test(versions_are_told_apart_by_control_and_catalog),
        cmocka_unit_test(a_map_of_version_16_is_read),
        cmocka_unit_test(a_crashed_cluster_names_the_log_it_needs),
        cmocka_unit_test(a_log_behind_a_link_is_not_called_missing),
        cmocka_unit_test(a_base_backup_is_recovered_from_where_its_label_says),
        cmocka_unit_test(a_running_server_is_refused_unless_live),
        cmocka_unit_test(a_process_elsewhere_is_no_server),
        cmocka_unit_test(a_process_that_cannot_be_asked_for_is_told),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
