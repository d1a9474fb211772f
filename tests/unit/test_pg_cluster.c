/* PostgreSQL's directories: what is found in them, and what becomes of damaged ones. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "corpus.h"
#include "csv.h"
#include "md5.h"
#include "pg/cluster_internal.h"
#include "temp_dir.h"
#include "traces.h"

#define PAGE 8192u
#define DB 16384u
#define CONTROL "global/pg_control"
#define CONTROL_LEN 8192u
#define CONTROL_CRC_AT 288u
#define MAP_LEN 512u
#define MAP_CRC_AT 504u

/* A copy of the corpus' cluster, to be damaged. */
struct bed {
    char dir[TEMP_DIR_LEN];
    char data[TEMP_DIR_LEN + 16];
    struct ps_pg_options opts;
    struct ps_store_options store_opts;
    struct ps_pg_cluster *cluster;
};

static void ok(ps_err err)
{
    if (err)
        fail_msg("%s: %s", ps_err_text(err), ps_message());
}

static void expect(ps_err err, ps_err expected, const char *says)
{
    assert_int_equal(err, expected);
    if (!strstr(ps_message(), says))
        fail_msg("'%s' does not say '%s'", ps_message(), says);
}

static void run(const char *fmt, ...) PS_PRINTF(1, 2);

static void run(const char *fmt, ...)
{
    char command[2048];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static void begin(struct bed *b, void **state)
{
    const struct corpus *c = *state;

    memset(b, 0, sizeof(*b));
    temp_dir_make(b->dir);
    (void)snprintf(b->data, sizeof(b->data), "%s/data", b->dir);
    run("cp -a '%s/cluster' '%s'", c->dir, b->data);
    b->opts.segment = UINT32_MAX;
    ps_store_options_default(&b->store_opts);
    b->store_opts.pool_bytes = 16u << 20;
    b->store_opts.no_threads = true;
}

static ps_err try_open(struct bed *b, const char *name)
{
    char path[TEMP_DIR_LEN + 300];

    (void)snprintf(path, sizeof(path), "%s%s", b->data, name);
    return ps_pg_open(path, &b->opts, &b->store_opts, &b->cluster);
}

static void shut(struct bed *b)
{
    if (b->cluster)
        ps_pg_close(b->cluster);
    b->cluster = NULL;
}

static void end(struct bed *b)
{
    shut(b);
    temp_dir_remove(b->dir);
}

struct search {
    const char *text;
    unsigned found;
};

static void search_note(void *ctx, const char *line)
{
    struct search *s = ctx;

    s->found += strstr(line, s->text) != NULL;
}

static unsigned notes_with(struct bed *b, const char *text)
{
    struct search s = {.text = text};

    ps_pg_notes(b->cluster, search_note, &s);
    return s.found;
}

static void print_note(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "note: %s\n", line);
}

static void expect_note(struct bed *b, const char *text)
{
    if (notes_with(b, text) == 1)
        return;
    ps_pg_notes(b->cluster, print_note, NULL);
    fail_msg("%u notes say '%s'", notes_with(b, text), text);
}

static void no_notes(struct bed *b)
{
    if (notes_with(b, "") == 0)
        return;
    ps_pg_notes(b->cluster, print_note, NULL);
    fail();
}

/* Reads a page of a file that the cluster found. */
static ps_err read_page(struct bed *b, const struct ps_pg_file *file, uint32_t page_no,
                        uint8_t page[PAGE])
{
    struct ps_table *t = NULL;
    ps_err err;

    ok(ps_table_get(ps_pg_store(b->cluster), file->id, &t));
    err = ps_page_copy(t, page_no, NULL, page);
    ps_table_unref(t);
    return err;
}

/* pg_class, whose node is known: it can be read, whatever else is damaged. */
static void expect_readable(struct bed *b)
{
    const struct ps_pg_file *file = ps_pg_file_find(b->cluster, DB, 0, 16638, PS_PG_MAIN);
    uint8_t page[PAGE];

    assert_non_null(file);
    ok(read_page(b, file, 0, page));
}

static void put(const struct bed *b, const char *name, const void *bytes, size_t len)
{
    char path[TEMP_DIR_LEN + 300];
    FILE *out;

    (void)snprintf(path, sizeof(path), "%s/%s", b->data, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void get(const struct bed *b, const char *name, uint8_t *bytes, size_t len)
{
    char path[TEMP_DIR_LEN + 300];
    FILE *in;

    (void)snprintf(path, sizeof(path), "%s/%s", b->data, name);
    in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fread(bytes, 1, len, in), len);
    (void)fclose(in);
}

static void seal(uint8_t *bytes, size_t crc_at)
{
    const uint32_t crc = ps_crc32c(bytes, crc_at);

    memcpy(bytes + crc_at, &crc, sizeof(crc));
}

/* Changes a field of pg_control, whose checksum is right afterwards. */
static void patch_control(const struct bed *b, size_t at, uint32_t value)
{
    uint8_t bytes[CONTROL_LEN];

    get(b, CONTROL, bytes, sizeof(bytes));
    memcpy(bytes + at, &value, sizeof(value));
    seal(bytes, CONTROL_CRC_AT);
    put(b, CONTROL, bytes, sizeof(bytes));
}

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
    end(&b);
}

static void names_of_files_are_parsed_as_postgres_makes_them(void **state)
{
    static const struct {
        const char *name;
        struct ps_cluster_name is;
    } good[] = {
        {"1259", {.node = 1259, .backend = -1}},
        {"1259_fsm", {.node = 1259, .fork = PS_PG_FSM, .backend = -1}},
        {"1259_vm.12", {.node = 1259, .fork = PS_PG_VM, .segment = 12, .backend = -1}},
        {"4294967295_init", {.node = UINT32_MAX, .fork = PS_PG_INIT, .backend = -1}},
        {"t3_16384.1", {.node = 16384, .segment = 1, .backend = 3}},
        {"t0_16384_fsm", {.node = 16384, .fork = PS_PG_FSM}},
    };
    static const char *const bad[] = {
        "",         "0",       "01259",       "1259_",      "1259_foo", "1259.",
        "1259.0",   "1259.01", "1259.1.1",    "4294967296", "t3",       "t_5",
        "t3_",      "t-1_5",   "1259_fsm_vm", "1259 ",      "+5",       "99999999999999999999",
        "1259_main"};
    struct ps_cluster_name n;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(ps_cluster_parse_name(good[i].name, &n));
        assert_int_equal(n.node, good[i].is.node);
        assert_int_equal(n.fork, good[i].is.fork);
        assert_int_equal(n.segment, good[i].is.segment);
        assert_int_equal(n.backend, good[i].is.backend);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (ps_cluster_parse_name(bad[i], &n))
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
    const unsigned seed = (unsigned)time(NULL);
    uint8_t control[CONTROL_LEN], map[MAP_LEN], bytes[CONTROL_LEN];
    struct bed b;

    printf("seed %u\n", seed);
    srandom(seed);
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

static void a_base_backup_is_recovered_from_where_its_label_says(void **state)
{
    static const char label[] = "START WAL LOCATION: 1/2B000028 (file 00000002000000010000002B)\n"
                                "CHECKPOINT LOCATION: 1/2B100060\n"
                                "BACKUP METHOD: streamed\n"
                                "START TIMELINE: 2\n";
    struct bed b;

    begin(&b, state);
    put(&b, "backup_label", label, sizeof(label) - 1);
    ok(try_open(&b, ""));
    expect_not_recovered(&b, "a base backup (there is a backup_label); recovery would begin at "
                             "1/2B000028 of timeline 2 in pg_wal/0000000200000001000002B0; "
                             "pg_wal/0000000200000001000002B0 is missing");
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

static void write_pid(const struct bed *b, int pid)
{
    char text[400];
    int len = snprintf(text, sizeof(text), "%d\n%s\n1795132800\n5432\n", pid, b->data);

    put(b, "postmaster.pid", text, (size_t)len);
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
    (void)snprintf(says, sizeof(says), "a PostgreSQL server (pid %d) runs in it; with -o live",
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
        cmocka_unit_test(names_of_files_are_parsed_as_postgres_makes_them),
        cmocka_unit_test(temporary_and_unlogged_relations_are_shown),
        cmocka_unit_test(names_that_are_no_relations_are_told),
        cmocka_unit_test(segments_that_are_missing_or_short_are_told),
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
        cmocka_unit_test(a_base_backup_is_recovered_from_where_its_label_says),
        cmocka_unit_test(a_running_server_is_refused_unless_live),
        cmocka_unit_test(a_process_elsewhere_is_no_server),
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
