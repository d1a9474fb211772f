/* Tables whose files somebody else made: PostgreSQL's relations, and files made here. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "corpus.h"
#include "csv.h"
#include "io/io.h"
#include "md5.h"
#include "pagestore/foreign.h"
#include "pagestore/txn.h"
#include "temp_dir.h"
#include "traces.h"

#define PAGE 8192u
#define TABLES_MAX 256u
#define SEGMENT_PAGES 131072u /* PostgreSQL's */

/* A provider of the tables in a list of ascending ids, and the store that it provides for. */
struct world {
    char dir[TEMP_DIR_LEN];
    struct ps_foreign_table tables[TABLES_MAX];
    uint32_t count;
    struct ps_foreign_ops ops;
    struct ps_store_options opts;
    char said[512]; /* the last message */
    struct ps_store *store;
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

static ps_err find(void *ctx, uint32_t from, struct ps_foreign_table *ret)
{
    const struct world *w = ctx;

    for (uint32_t i = 0; i < w->count; i++) {
        if (w->tables[i].id >= from) {
            *ret = w->tables[i];
            return PS_OK;
        }
    }
    return PS_ERR_NOENT;
}

static void keep_message(void *ctx, enum ps_message_level level, const char *text)
{
    struct world *w = ctx;

    (void)level;
    snprintf(w->said, sizeof(w->said), "%s", text);
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    temp_dir_make(w->dir);
    ps_store_options_default(&w->opts);
    w->opts.pool_bytes = 4u << 20;
    w->opts.message = keep_message;
    w->opts.ctx = w;
    w->ops = (struct ps_foreign_ops){.find = find, .ctx = w};
}

/* The table's path must stay. */
static struct ps_foreign_table *add(struct world *w, const char *path)
{
    struct ps_foreign_table *t = &w->tables[w->count++];

    *t = (struct ps_foreign_table){
        .id = w->count,
        .name = path ? path : "nothing",
        .format = PS_FORMAT_POSTGRES,
        .checksums = true,
        .path = path,
        .segment_pages = SEGMENT_PAGES,
    };
    return t;
}

static void open_store(struct world *w, const char *root)
{
    ok(ps_store_open_foreign(root, PAGE, &w->ops, &w->opts, &w->store));
}

static void end(struct world *w)
{
    if (w->store)
        ok(ps_store_close(w->store));
    temp_dir_remove(w->dir);
}

static struct ps_table *table(struct world *w, uint32_t id)
{
    struct ps_table *t = NULL;

    ok(ps_table_get(w->store, id, &t));
    return t;
}

/* --- files made here ---------------------------------------------------------------------- */

static int file_open(const struct world *w, const char *name)
{
    char path[600];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    fd = open(path, O_RDWR | O_CREAT, 0640);
    assert_true(fd >= 0);
    return fd;
}

/* A sound page, told from others by `mark`. */
static void make_page(uint8_t *page, const struct ps_format *fmt, uint32_t page_no, uint8_t mark)
{
    const struct ps_page_ident who = {.page_size = PAGE, .page_no = page_no};

    fmt->init(page, &who, fmt->id == PS_FORMAT_POSTGRES ? PS_PAGE_SLOTTED : PS_PAGE_RAW);
    memset(page + PAGE / 2, mark, 16);
    fmt->seal(page, &who);
}

/* count pages, of which the first is page_no; byte PAGE / 2 of each is its number, and shift. */
static void put_pages(const struct world *w, const char *name, uint32_t page_no, uint32_t count,
                      uint8_t shift)
{
    uint8_t page[PAGE];
    int fd = file_open(w, name);

    for (uint32_t i = 0; i < count; i++) {
        make_page(page, &ps_format_postgres, page_no + i, (uint8_t)(page_no + i + shift));
        assert_int_equal(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
    }
    close(fd);
}

static void put_bytes(const struct world *w, const char *name, off_t off, const void *bytes,
                      size_t len)
{
    int fd = file_open(w, name);

    assert_int_equal(pwrite(fd, bytes, len, off), len);
    close(fd);
}

static void set_len(const struct world *w, const char *name, off_t len)
{
    int fd = file_open(w, name);

    assert_int_equal(ftruncate(fd, len), 0);
    close(fd);
}

static void expect_mark(struct ps_table *t, uint32_t page_no, uint8_t mark)
{
    uint8_t byte = 0;
    size_t got = 0;

    ok(ps_read(t, PS_SPACE_IMAGE, (uint64_t)page_no * PAGE + PAGE / 2, &byte, 1, NULL, &got));
    assert_int_equal(got, 1);
    assert_int_equal(byte, mark);
}

static uint64_t pages_end(struct ps_table *t)
{
    struct ps_table_info info;

    ok(ps_table_info(t, &info));
    return info.pages_end;
}

/* --- what PostgreSQL has ------------------------------------------------------------------ */

/* Tables for all the files that truth/page_md5.csv names; ids in its order. */
static void add_corpus(struct world *w, const struct corpus *c, char paths[TABLES_MAX][64])
{
    char name[600];
    struct csv *csv = csv_open(corpus_path(c, "truth/page_md5.csv", name));

    assert_non_null(csv);
    while (csv_next(csv)) {
        const char *path = csv_field(csv, "fpath");

        if (w->count > 0 && strcmp(paths[w->count - 1], path) == 0)
            continue;
        assert_true(w->count < TABLES_MAX);
        snprintf(paths[w->count], sizeof(paths[0]), "%s", path);
        (void)add(w, paths[w->count]);
    }
    csv_close(csv);
}

static void every_page_of_postgres_is_read_as_postgres_reads_it(void **state)
{
    static char paths[TABLES_MAX][64];
    const struct corpus *c = *state;
    struct world w;
    struct ps_table *t = NULL;
    struct csv *csv;
    char name[600], hex[33];
    uint8_t page[PAGE];
    unsigned seen = 0;

    begin(&w);
    add_corpus(&w, c, paths);
    open_store(&w, corpus_path(c, "cluster", name));
    csv = csv_open(corpus_path(c, "truth/page_md5.csv", name));
    assert_non_null(csv);
    while (csv_next(csv)) {
        const uint64_t blk = (uint64_t)csv_number(csv, "blk");
        size_t got = 0;

        ps_table_unref(t);
        ok(ps_table_lookup(w.store, csv_field(csv, "fpath"), &t));
        ok(ps_read(t, PS_SPACE_IMAGE, blk * PAGE, page, PAGE, NULL, &got));
        assert_int_equal(got, PAGE);
        md5_hex(page, PAGE, hex);
        assert_string_equal(hex, csv_field(csv, "md5"));
        memset(page, 0, sizeof(page));
        ok(ps_page_copy(t, (uint32_t)blk, NULL, page));
        md5_hex(page, PAGE, hex);
        assert_string_equal(hex, csv_field(csv, "md5"));
        seen++;
    }
    assert_true(seen > 400);
    ps_table_unref(t);
    csv_close(csv);
    end(&w);
}

static void a_segment_by_itself_has_the_numbers_that_its_pages_had(void **state)
{
    const struct corpus *c = *state;
    struct ps_page_info pages[4];
    struct world w;
    struct ps_table *t;
    struct ps_heat *heat = malloc(sizeof(*heat));
    uint64_t at = 0;
    uint32_t count = 0;
    char name[600];

    begin(&w);
    add(&w, "t_seg.segment1")->first_page = SEGMENT_PAGES;
    w.tables[0].segment_pages = 0;
    open_store(&w, corpus_path(c, "samples", name));
    t = table(&w, 1);
    ok(ps_page_list(t, 0, pages, 4, &count));
    assert_int_equal(count, 2);
    assert_int_equal(pages[0].page_no, SEGMENT_PAGES);
    assert_int_equal(pages[1].page_no, SEGMENT_PAGES + 1);
    assert_int_equal(pages_end(t), SEGMENT_PAGES + 2);
    ok(ps_seek(t, PS_SPACE_IMAGE, 0, true, &at));
    assert_int_equal(at, (uint64_t)SEGMENT_PAGES * PAGE);
    expect(ps_page_stat(t, 0, pages), PS_ERR_NOENT, "page 0 of table 1");
    ok(ps_table_heat(t, NULL, heat));
    assert_int_equal(heat->total.allocated, 2);
    free(heat);
    ps_table_unref(t);
    end(&w);
}

/* --- damage ------------------------------------------------------------------------------- */

static void a_damaged_page_is_refused_by_file_and_number_and_counted(void **state)
{
    struct world w;
    struct ps_table *t;
    struct ps_heat *heat = malloc(sizeof(*heat));
    uint8_t page[PAGE];
    size_t got;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 2, 0);
    put_bytes(&w, "rel.1", PAGE + 5000, "x", 1);
    add(&w, "rel")->segment_pages = 4;
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect(ps_read(t, PS_SPACE_IMAGE, 5 * PAGE, page, PAGE, NULL, &got), PS_ERR_CORRUPT,
           "rel.1 page 5: ");
    assert_non_null(strstr(w.said, "rel.1 page 5: "));
    assert_non_null(strstr(w.said, "checksum"));
    ok(ps_read(t, PS_SPACE_IMAGE, 0, page, PAGE, NULL, &got));
    assert_int_equal(ps_page_copy(t, 5, NULL, page), PS_ERR_CORRUPT);
    assert_int_equal(page[5000], 'x');
    ok(ps_table_heat(t, NULL, heat));
    assert_int_equal(heat->total.corrupt, 1);
    assert_int_equal(heat->total.allocated, 6);
    free(heat);
    ps_table_unref(t);
    end(&w);
}

static void damaged_bytes_can_be_served(void **state)
{
    struct world w;
    struct ps_table *t;
    uint8_t page[PAGE];
    size_t got = 0;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_bytes(&w, "rel", 2 * PAGE + 5000, "x", 1);
    (void)add(&w, "rel");
    w.opts.serve_corrupt = true;
    open_store(&w, w.dir);
    t = table(&w, 1);
    ok(ps_read(t, PS_SPACE_IMAGE, 2 * PAGE, page, PAGE, NULL, &got));
    assert_int_equal(got, PAGE);
    assert_int_equal(page[5000], 'x');
    expect_mark(t, 3, 3);
    ps_table_unref(t);
    end(&w);
}

static void without_checksums_a_page_is_judged_by_its_header(void **state)
{
    struct world w;
    struct ps_table *t;
    struct ps_page_meta meta;
    uint8_t page[PAGE];
    size_t got;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 5, 0);
    put_bytes(&w, "rel", 5000, "x", 1);
    put_bytes(&w, "rel", PAGE + 13, "\xff", 1);     /* pd_lower */
    put_bytes(&w, "rel", 2 * PAGE + 11, "\xff", 1); /* pd_flags */
    put_bytes(&w, "rel", 3 * PAGE + 14, "\0\0", 2); /* pd_upper */
    set_len(&w, "rel", 6 * PAGE);                   /* page 5: all zero */
    add(&w, "rel")->checksums = false;
    open_store(&w, w.dir);
    t = table(&w, 1);
    ok(ps_read(t, PS_SPACE_IMAGE, 0, page, PAGE, NULL, &got));
    assert_int_equal(page[5000], 'x');
    ok(ps_page_meta(t, 0, NULL, &meta));
    assert_true(meta.checksum_none && meta.checksum_ok);
    expect(ps_page_copy(t, 1, NULL, page), PS_ERR_CORRUPT, "rel page 1: ");
    expect(ps_page_copy(t, 2, NULL, page), PS_ERR_CORRUPT, "pd_flags is 0xff00");
    expect(ps_page_copy(t, 3, NULL, page), PS_ERR_CORRUPT, "pd_upper is 0");
    ok(ps_page_copy(t, 5, NULL, page));
    assert_true(ps_page_is_zero(page, PAGE));
    ps_table_unref(t);
    end(&w);
}

/* --- files -------------------------------------------------------------------------------- */

static void a_relation_goes_on_in_segments_until_one_is_short(void **state)
{
    struct world w;
    struct ps_table *t;
    struct ps_page_info pages[16];
    uint8_t *all = malloc(16 * PAGE), page[PAGE];
    uint32_t count = 0;
    size_t got = 0;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 4, 0);
    put_pages(&w, "rel.2", 8, 2, 0);
    put_pages(&w, "rel.3", 12, 4, 0); /* behind a short one: not part of it */
    add(&w, "rel")->segment_pages = 4;
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 10);
    ok(ps_page_list(t, 0, pages, 16, &count));
    assert_int_equal(count, 10);
    ok(ps_read(t, PS_SPACE_IMAGE, 0, all, 16 * PAGE, NULL, &got));
    assert_int_equal(got, 10 * PAGE);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(all[i * PAGE + PAGE / 2], i);
    expect(ps_page_copy(t, 10, NULL, page), PS_ERR_NOENT, "page 10 of table 1");
    expect(ps_page_copy(t, UINT32_MAX - 1, NULL, page), PS_ERR_NOENT, "of table 1");
    ps_table_unref(t);
    free(all);
    end(&w);
}

static void full_segments_end_where_there_is_no_next_one(void **state)
{
    struct world w;
    struct ps_table *t;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 4, 0);
    add(&w, "rel")->segment_pages = 4;
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 8);
    expect_mark(t, 7, 7);
    ps_table_unref(t);
    end(&w);
}

static void bytes_behind_the_last_whole_page_are_no_page_and_are_told(void **state)
{
    struct world w;
    struct ps_table *t;
    uint64_t tail = 1;
    char name[64];

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    put_pages(&w, "rel.1", 4, 2, 0);
    set_len(&w, "rel.1", 2 * PAGE + 100);
    put_pages(&w, "whole", 0, 4, 0);
    add(&w, "rel")->segment_pages = 4;
    add(&w, "whole")->segment_pages = 4;
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), 6);
    ok(ps_foreign_tail(t, &tail, name, sizeof(name)));
    assert_int_equal(tail, 100);
    assert_string_equal(name, "rel.1");
    ps_table_unref(t);
    t = table(&w, 2);
    ok(ps_foreign_tail(t, &tail, name, sizeof(name)));
    assert_int_equal(tail, 0);
    ps_table_unref(t);
    end(&w);
}

static void a_missing_file_costs_only_its_table(void **state)
{
    struct world w;
    struct ps_table_info info;
    struct ps_table *t;
    uint8_t page[PAGE];

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    (void)add(&w, "gone");
    (void)add(&w, "rel");
    (void)add(&w, NULL);
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect(ps_table_info(t, &info), PS_ERR_NOENT, "gone");
    expect(ps_page_copy(t, 0, NULL, page), PS_ERR_NOENT, "gone");
    ps_table_unref(t);
    t = table(&w, 2);
    expect_mark(t, 0, 0);
    ps_table_unref(t);
    t = table(&w, 3);
    assert_int_equal(pages_end(t), 0);
    expect(ps_page_copy(t, 0, NULL, page), PS_ERR_NOENT, "page 0 of table 3");
    ps_table_unref(t);
    end(&w);
}

static void a_link_is_not_followed(void **state)
{
    struct world w;
    struct ps_table *t;
    uint8_t page[PAGE];
    char path[600];

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    snprintf(path, sizeof(path), "%s/link", w.dir);
    assert_int_equal(symlink("rel", path), 0);
    (void)add(&w, "link");
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect(ps_page_copy(t, 0, NULL, page), PS_ERR_IO, "link");
    ps_table_unref(t);
    end(&w);
}

static void tables_can_lie_in_several_folders(void **state)
{
    struct world w, other;
    struct ps_table *t;
    unsigned root = 0;

    (void)state;
    begin(&w);
    begin(&other);
    put_pages(&w, "rel", 0, 1, 0);
    put_pages(&other, "rel", 0, 1, 7);
    (void)add(&w, "rel");
    (void)add(&w, "rel");
    open_store(&w, w.dir);
    ok(ps_foreign_add_root(w.store, other.dir, &root));
    assert_int_equal(root, 1);
    w.tables[1].root = root;
    assert_int_equal(ps_foreign_add_root(w.store, "/nowhere/at/all", &root), PS_ERR_NOENT);
    t = table(&w, 1);
    expect_mark(t, 0, 0);
    ps_table_unref(t);
    t = table(&w, 2);
    expect_mark(t, 0, 7);
    ps_table_unref(t);
    end(&w);
    end(&other);
}

/* 1024 files of 1 GiB, none with a byte on disk, and fewer descriptors than that. */
static void a_sparse_relation_of_one_tebibyte_opens_at_once(void **state)
{
    const rlim_t few = 64;
    struct rlimit limit, less;
    struct timespec from, to;
    struct world w;
    struct ps_table *t;
    uint8_t page[PAGE];
    char name[16] = "rel";

    (void)state;
    begin(&w);
    for (unsigned i = 0; i < 1024; i++) {
        if (i > 0)
            snprintf(name, sizeof(name), "rel.%u", i);
        set_len(&w, name, (off_t)1 << 30);
    }
    (void)add(&w, "rel");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    less = limit;
    less.rlim_cur = few;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    clock_gettime(CLOCK_MONOTONIC, &from);
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_int_equal(pages_end(t), (uint64_t)1 << 27);
    ok(ps_page_copy(t, (1u << 27) - 1, NULL, page));
    assert_true(ps_page_is_zero(page, PAGE));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 5); /* milliseconds, on a machine that is not loaded */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ps_table_unref(t);
    end(&w);
}

static void a_file_of_page_db_has_a_payload(void **state)
{
    const uint32_t payload = PAGE - 32;
    struct world w;
    struct ps_table *t;
    uint8_t page[PAGE];
    uint64_t len = 0;
    size_t got = 0;
    int fd;

    (void)state;
    begin(&w);
    fd = file_open(&w, "file");
    for (uint32_t i = 0; i < 3; i++) {
        make_page(page, &ps_format_native, i, (uint8_t)(i + 1));
        assert_int_equal(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
    }
    close(fd);
    add(&w, "file")->format = PS_FORMAT_NATIVE;
    open_store(&w, w.dir);
    t = table(&w, 1);
    ok(ps_space_len(t, PS_SPACE_PAYLOAD, &len));
    assert_int_equal(len, 3 * payload);
    ok(ps_read(t, PS_SPACE_PAYLOAD, 2 * payload + PAGE / 2 - 32, page, 1, NULL, &got));
    assert_int_equal(page[0], 3);
    ps_table_unref(t);
    end(&w);
}

/* --- the store ---------------------------------------------------------------------------- */

static ps_err find_any(void *ctx, uint32_t from, struct ps_foreign_table *ret)
{
    (void)ctx;
    if (from > 100000)
        return PS_ERR_NOENT;
    *ret = (struct ps_foreign_table){
        .id = from < 1 ? 1 : from, .name = "any", .format = PS_FORMAT_POSTGRES};
    return PS_OK;
}

static void tables_come_to_be_when_they_are_asked_for(void **state)
{
    struct ps_table *t = NULL, *again = NULL;
    struct world w;

    (void)state;
    begin(&w);
    w.ops.find = find_any;
    open_store(&w, w.dir);
    assert_true(ps_store_is_foreign(w.store));
    assert_int_equal(ps_table_count(w.store), 100000);
    t = table(&w, 77777);
    again = table(&w, 77777);
    assert_ptr_equal(t, again);
    ps_table_unref(again);
    ps_table_unref(t);
    ok(ps_table_next(w.store, 99999, &t));
    assert_int_equal(ps_table_id(t), 99999);
    ps_table_unref(t);
    expect(ps_table_next(w.store, 100001, &t), PS_ERR_NOENT, "100001");
    expect(ps_table_get(w.store, 200000, &t), PS_ERR_NOENT, "no table 200000");
    expect(ps_table_lookup(w.store, "other", &t), PS_ERR_NOENT, "'other'");
    end(&w);
}

static void every_change_is_refused(void **state)
{
    const struct ps_item item = {.data = "x", .len = 1};
    struct ps_txn *txn = NULL;
    struct ps_table *t;
    struct world w;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 2, 0);
    (void)add(&w, "rel");
    open_store(&w, w.dir);
    t = table(&w, 1);
    assert_true(ps_store_read_only(w.store));
    assert_int_equal(ps_write(t, PS_SPACE_IMAGE, 0, "x", 1, 0, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_truncate(t, PS_SPACE_IMAGE, 0, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_allocate(t, PS_SPACE_IMAGE, 0, PAGE, false, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_punch(t, PS_SPACE_IMAGE, 0, PAGE, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_page_create(t, 5, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_page_free(t, 0, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_items_append(t, &item, 1, 0, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_item_delete(t, 0, 1, NULL), PS_ERR_READONLY);
    assert_int_equal(ps_txn_begin(w.store, &txn), PS_ERR_READONLY);
    assert_int_equal(ps_table_create(w.store, "new", PS_FORMAT_NATIVE, PS_PAGE_RAW, NULL),
                     PS_ERR_READONLY);
    assert_int_equal(ps_table_drop(w.store, "rel", true), PS_ERR_READONLY);
    assert_int_equal(ps_table_rename(w.store, "rel", "new"), PS_ERR_READONLY);
    ok(ps_store_sync(w.store, PS_SYNC_DATA));
    ok(ps_store_checkpoint(w.store, NULL));
    ps_table_unref(t);
    end(&w);
}

static void count_stat(void *ctx, const struct ps_stat *stat)
{
    assert_non_null(stat->name);
    ++*(unsigned *)ctx;
}

static void looking_at_pages_works_as_in_a_store_of_ours(void **state)
{
    struct ps_page_meta meta;
    struct ps_table_info info;
    struct ps_page *page = NULL;
    struct ps_table *t;
    struct world w;
    unsigned stats = 0;
    char *text = NULL;
    size_t text_len;
    FILE *out;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 3, 0);
    (void)add(&w, "rel");
    open_store(&w, w.dir);
    t = table(&w, 1);
    ok(ps_page_meta(t, 2, NULL, &meta));
    assert_true(meta.checksum_ok && !meta.checksum_none && !meta.dirty);
    assert_int_equal(meta.page_id, (uint64_t)1 << 32 | 2);
    ok(ps_pin(t, 1, NULL, &page));
    ps_latch_shared(t, page);
    assert_int_equal(ps_page_bytes(page)[PAGE / 2], 1);
    ps_unlatch(t, page);
    ps_unpin(t, page);
    out = open_memstream(&text, &text_len);
    ok(ps_page_text(t, 0, NULL, out));
    fclose(out);
    assert_non_null(strstr(text, "format postgres"));
    free(text);
    ok(ps_table_info(t, &info));
    assert_string_equal(info.name, "rel");
    assert_int_equal(info.mode & 07777, 0640);
    assert_int_equal(info.uid, geteuid());
    assert_true(info.mtime_us > 0);
    ps_table_stats(t, count_stat, &stats);
    ps_store_stats(w.store, count_stat, &stats);
    assert_true(stats > 50);
    ps_table_unref(t);
    end(&w);
}

static void page_sizes_that_cannot_be_are_refused(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    expect(ps_store_open_foreign(w.dir, 2048, &w.ops, &w.opts, &w.store), PS_ERR_INVAL, "2048");
    expect(ps_store_open_foreign(w.dir, 8191, &w.ops, &w.opts, &w.store), PS_ERR_INVAL, "8191");
    end(&w);
}

/* --- files that change -------------------------------------------------------------------- */

static void files_that_grow_shrink_and_change_are_seen_at_once_when_live(void **state)
{
    struct ps_table *t;
    uint8_t page[PAGE];
    struct world w;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 4, 0);
    add(&w, "rel")->segment_pages = 4;
    w.ops.live = true;
    open_store(&w, w.dir);
    t = table(&w, 1);
    expect_mark(t, 3, 3);
    put_pages(&w, "rel", 0, 4, 100);
    expect_mark(t, 3, 103);
    put_pages(&w, "rel.1", 4, 1, 0);
    expect_mark(t, 4, 4);
    assert_int_equal(pages_end(t), 5);
    set_len(&w, "rel", 2 * PAGE);
    assert_int_equal(pages_end(t), 2);
    assert_int_equal(ps_page_copy(t, 3, NULL, page), PS_ERR_NOENT);
    assert_int_equal(ps_page_copy(t, 4, NULL, page), PS_ERR_NOENT);
    expect_mark(t, 1, 101);
    ps_table_unref(t);
    end(&w);
}

/* Files of a real folder whose reads give torn pages, so many times. */
struct torn_io {
    struct ps_io io; /* first */
    struct ps_io_ops ops;
    struct ps_io *real;
    unsigned left;
};

static ps_err torn_open(struct ps_io *io, const char *path, unsigned flags, struct ps_io_file **ret)
{
    struct torn_io *torn = (struct torn_io *)io;

    return torn->real->ops->open(torn->real, path, flags, ret);
}

static ps_err torn_run(struct ps_io *io, struct ps_io_req *reqs, size_t count)
{
    struct torn_io *torn = (struct torn_io *)io;
    ps_err err = torn->real->ops->run(torn->real, reqs, count);

    for (size_t i = 0; i < count && torn->left > 0; i++) {
        ((uint8_t *)reqs[i].iov[0].iov_base)[5000] ^= 1;
        torn->left--;
    }
    return err;
}

static uint32_t torn_files_max(struct ps_io *io)
{
    (void)io;
    return 64;
}

static void read_torn(bool live, unsigned times, ps_err expected)
{
    struct torn_io torn = {.left = times};
    struct ps_table *t;
    uint8_t page[PAGE];
    struct world w;

    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    (void)add(&w, "rel");
    ok(ps_io_posix_rdonly(w.dir, PS_IO_KIND_BUFFERED, NULL, NULL, &torn.real));
    torn.ops = *torn.real->ops;
    torn.ops.open = torn_open;
    torn.ops.run = torn_run;
    torn.ops.files_max = torn_files_max;
    torn.io.ops = &torn.ops;
    w.opts.io_given = &torn.io;
    w.ops.live = live;
    open_store(&w, w.dir);
    t = table(&w, 1);
    if (expected)
        torn.left = UINT32_MAX; /* for good, also when the bytes are asked for */
    assert_int_equal(ps_page_copy(t, 0, NULL, page), expected);
    ps_table_unref(t);
    end(&w);
    ps_io_destroy(torn.real);
}

static void a_page_torn_by_its_writer_is_read_again_when_live(void **state)
{
    (void)state;
    read_torn(true, 1, PS_OK);
    read_torn(true, 2, PS_OK);
    read_torn(true, UINT32_MAX, PS_ERR_CORRUPT);
    read_torn(false, UINT32_MAX, PS_ERR_CORRUPT);
}

/* --- the source stays as it is ------------------------------------------------------------ */

static ps_err ignore_name(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return PS_OK;
}

/* Names, lengths and all times: of last access too, which a read of one's own files need not move.
 */
static void reading_everything_leaves_no_trace(void **state)
{
    static char paths[TABLES_MAX][64];
    const struct corpus *c = *state;
    struct traces *before;
    struct ps_table *t = NULL;
    struct ps_io *io = NULL;
    struct world w;
    char name[600];
    uint8_t page[PAGE];

    begin(&w);
    add_corpus(&w, c, paths);
    (void)corpus_path(c, "cluster", name);
    before = traces_begin(name);
    open_store(&w, name);
    for (uint32_t id = 1; ps_table_next(w.store, id, &t) == PS_OK; id = ps_table_id(t) + 1) {
        for (uint32_t i = 0; i < pages_end(t); i++)
            ok(ps_page_copy(t, i, NULL, page));
        ps_table_unref(t);
    }
    ok(ps_io_posix_rdonly(name, PS_IO_KIND_AUTO, NULL, NULL, &io));
    ok(io->ops->list(io, "base", ignore_name, NULL));
    ps_io_destroy(io);
    ok(ps_store_close(w.store));
    w.store = NULL;
    assert_true(traces_end(before, name) > 60);
    end(&w);
}

static void a_folder_of_others_cannot_be_changed_by_mistake(void **state)
{
    struct ps_io_file *file = NULL;
    struct ps_io *io = NULL;
    struct world w;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    ok(ps_io_posix_rdonly(w.dir, PS_IO_KIND_AUTO, NULL, NULL, &io));
    assert_int_equal(io->ops->open(io, "rel", 0, &file), PS_ERR_READONLY);
    assert_int_equal(io->ops->open(io, "new", PS_IO_CREATE, &file), PS_ERR_READONLY);
    assert_int_equal(io->ops->mkdir(io, "new"), PS_ERR_READONLY);
    assert_int_equal(io->ops->unlink(io, "rel"), PS_ERR_READONLY);
    assert_int_equal(io->ops->rename(io, "rel", "new"), PS_ERR_READONLY);
    assert_int_equal(io->ops->sync_dir(io, "."), PS_ERR_READONLY);
    ps_io_destroy(io);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_of_postgres_is_read_as_postgres_reads_it),
        cmocka_unit_test(a_segment_by_itself_has_the_numbers_that_its_pages_had),
        cmocka_unit_test(a_damaged_page_is_refused_by_file_and_number_and_counted),
        cmocka_unit_test(damaged_bytes_can_be_served),
        cmocka_unit_test(without_checksums_a_page_is_judged_by_its_header),
        cmocka_unit_test(a_relation_goes_on_in_segments_until_one_is_short),
        cmocka_unit_test(full_segments_end_where_there_is_no_next_one),
        cmocka_unit_test(bytes_behind_the_last_whole_page_are_no_page_and_are_told),
        cmocka_unit_test(a_missing_file_costs_only_its_table),
        cmocka_unit_test(a_link_is_not_followed),
        cmocka_unit_test(tables_can_lie_in_several_folders),
        cmocka_unit_test(a_sparse_relation_of_one_tebibyte_opens_at_once),
        cmocka_unit_test(a_file_of_page_db_has_a_payload),
        cmocka_unit_test(tables_come_to_be_when_they_are_asked_for),
        cmocka_unit_test(every_change_is_refused),
        cmocka_unit_test(looking_at_pages_works_as_in_a_store_of_ours),
        cmocka_unit_test(page_sizes_that_cannot_be_are_refused),
        cmocka_unit_test(files_that_grow_shrink_and_change_are_seen_at_once_when_live),
        cmocka_unit_test(a_page_torn_by_its_writer_is_read_again_when_live),
        cmocka_unit_test(reading_everything_leaves_no_trace),
        cmocka_unit_test(a_folder_of_others_cannot_be_changed_by_mistake),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
