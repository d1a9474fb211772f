/* Tables whose files somebody else made: PostgreSQL's relations, and files made here. */
#include <malloc.h>

#include "corpus.h"
#include "csv.h"
#include "foreign_bed.h"
#include "md5.h"
#include "pagestore/txn.h"
#include "pool/pool.h"
#include "traces.h"

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

#define SHORT_TABLES 4000u
#define SHORT_TABLE_BYTES 4096u

/* All tables are the same file of a page. */
static ps_err find_short(void *ctx, uint32_t from, struct ps_foreign_table *ret)
{
    (void)ctx;
    if (from > SHORT_TABLES)
        return PS_ERR_NOENT;
    *ret = (struct ps_foreign_table){.id = from < 1 ? 1 : from,
                                     .name = "short",
                                     .format = PS_FORMAT_POSTGRES,
                                     .checksums = true,
                                     .path = "rel",
                                     .segment_pages = SEGMENT_PAGES};
    return PS_OK;
}

/* What is remembered of pages that left the pool goes by the table's length. */
static void reading_thousands_of_short_tables_takes_little_memory(void **state)
{
    size_t before, after;
    struct world w;

    (void)state;
    begin(&w);
    put_pages(&w, "rel", 0, 1, 0);
    w.ops.find = find_short;
    w.opts.no_threads = true;
    open_store(&w, w.dir);
    before = mallinfo2().uordblks;
    for (uint32_t id = 1; id <= SHORT_TABLES; id++) {
        struct ps_table *t = table(&w, id);

        expect_mark(t, 0, 0);
        ps_table_unref(t);
    }
    (void)ps_pool_drop_clean(ps_store_pool(w.store));
    after = mallinfo2().uordblks; /* both are 0 under a sanitizer */
    assert_in_range(after - before, 0, (uint64_t)SHORT_TABLES * SHORT_TABLE_BYTES);
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
        cmocka_unit_test(tables_come_to_be_when_they_are_asked_for),
        cmocka_unit_test(reading_thousands_of_short_tables_takes_little_memory),
        cmocka_unit_test(every_change_is_refused),
        cmocka_unit_test(looking_at_pages_works_as_in_a_store_of_ours),
        cmocka_unit_test(page_sizes_that_cannot_be_are_refused),
        cmocka_unit_test(reading_everything_leaves_no_trace),
        cmocka_unit_test(a_folder_of_others_cannot_be_changed_by_mistake),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
