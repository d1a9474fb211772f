/* Relations of a tebibyte, most of it holes: they cost nothing, and what is said is what would be
 * said of zeros that were written. */
#include <time.h>

#include "pg/damage.h"
#include "pg/rows.h"
#include "pg_bed.h"

#define PG_CLASS "base/16384/16638"
#define PG_ATTRIBUTE "base/16384/16644"
#define T_HOT "base/16384/16504"
#define T_HOT_KEY "base/16384/16509"
#define T_HOT_PAGES 4u
#define SEGMENTS 1024u
#define SEGMENT_BYTES ((off_t)1 << 30)
#define SEGMENT_PAGES ((uint32_t)(SEGMENT_BYTES / PAGE))
#define PAGES_END (SEGMENTS * SEGMENT_PAGES)
#define SECONDS_MAX 20 /* of the processor; a fraction of one where nothing else runs */

/* --- files --------------------------------------------------------------------------------- */

static int open_segment(const struct bed *b, const char *file, unsigned segment)
{
    char path[TEMP_DIR_LEN + 300];
    int fd;

    (void)snprintf(path, sizeof(path), segment ? "%s/%s.%u" : "%s/%s", b->data, file, segment);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* The file goes on as a hole up to a tebibyte. */
static void claim_a_tebibyte(const struct bed *b, const char *file)
{
    for (unsigned i = 0; i < SEGMENTS; i++) {
        const int fd = open_segment(b, file, i);

        assert_int_equal(ftruncate(fd, SEGMENT_BYTES), 0);
        assert_int_equal(close(fd), 0);
    }
}

/* Makes block `to` what block `from` of the first segment is, sealed. */
static void copy_page(const struct bed *b, const char *file, uint32_t from, uint32_t to)
{
    const struct ps_page_ident who = {.page_size = PAGE, .page_no = to};
    int fd = open_segment(b, file, 0);
    uint8_t page[PAGE];

    assert_int_equal(pread(fd, page, PAGE, (off_t)from * PAGE), PAGE);
    assert_int_equal(close(fd), 0);
    ps_format_postgres.seal(page, &who);
    fd = open_segment(b, file, to / SEGMENT_PAGES);
    assert_int_equal(pwrite(fd, page, PAGE, (off_t)(to % SEGMENT_PAGES) * PAGE), PAGE);
    assert_int_equal(close(fd), 0);
}

/* Writes zeros where there was nothing. */
static void fill_page(const struct bed *b, const char *file, uint32_t block)
{
    const int fd = open_segment(b, file, block / SEGMENT_PAGES);
    const uint8_t page[PAGE] = {0};

    assert_int_equal(pwrite(fd, page, PAGE, (off_t)(block % SEGMENT_PAGES) * PAGE), PAGE);
    assert_int_equal(close(fd), 0);
}

static time_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* a busy machine says nothing of holes */
    return now.tv_sec;
}

/* --- what is said -------------------------------------------------------------------------- */

static struct ps_pg_catalog *open_catalog(struct bed *b)
{
    struct ps_pg_catalog *c = NULL;

    ok(try_open(b, ""));
    ok(ps_pg_catalog_open(b->cluster, &c));
    return c;
}

static void shut_catalog(struct bed *b, struct ps_pg_catalog *c)
{
    ps_pg_catalog_close(c);
    shut(b);
}

static void end_text(struct ps_text *t)
{
    ps_text_add(t, "", 1);
    ok(ps_text_err(t));
}

struct views {
    struct ps_text rows, tuples, space;
};

static struct views views_of_t_hot(struct bed *b)
{
    struct ps_pg_catalog *c = open_catalog(b);
    const uint32_t db = ps_pg_database_find(c, "anchor");
    enum ps_pg_fork fork;
    const struct ps_pg_relation *r = ps_pg_relation_find(c, db, "public.t_hot", &fork);
    struct ps_pg_scan *scan = NULL;
    struct ps_table *table = NULL;
    struct views v = {.rows = {0}};
    uint64_t at = 0;
    bool done = false;

    assert_non_null(r);
    ok(ps_pg_scan_open(c, db, r, PS_PG_ROWS, false, &scan));
    while (!done)
        ok(ps_pg_scan_step(scan, NULL, &v.rows, &done));
    ps_pg_scan_close(scan);
    ok(ps_table_get(ps_pg_store(b->cluster), r->files[PS_PG_MAIN], &table));
    for (done = false; !done;)
        ok(ps_pg_tuples_step(table, &at, false, NULL, &v.tuples, &done));
    ok(ps_pg_space(c, table, NULL, &v.space));
    ps_table_unref(table);
    shut_catalog(b, c);
    end_text(&v.rows);
    end_text(&v.tuples);
    end_text(&v.space);
    return v;
}

static void let_go(struct views *v)
{
    ps_text_deinit(&v->rows);
    ps_text_deinit(&v->tuples);
    ps_text_deinit(&v->space);
}

/* A line of figures, of fixed length. */
static const char *figure(const struct views *v, const char *name)
{
    const char *line = strstr(v->space.data, name);

    assert_non_null(line);
    return line;
}

struct said {
    struct ps_text lines;
    struct ps_pg_damage_counts counts;
};

static struct said damage_of_all(struct bed *b, unsigned threads)
{
    struct ps_pg_catalog *c = open_catalog(b);
    struct said s = {.lines = {0}};
    struct ps_pg_damage *d = NULL;
    bool done = false;

    ok(ps_pg_damage_open_all(c, threads, &d));
    while (!done)
        ok(ps_pg_damage_step(d, NULL, &s.lines, &done));
    s.counts = ps_pg_damage_counts(d);
    ps_pg_damage_close(d);
    shut_catalog(b, c);
    end_text(&s.lines);
    return s;
}

static void expect_line(const struct said *s, const char *line)
{
    if (strstr(s->lines.data, line))
        return;
    fail_msg("no line has '%s' of\n%s", line, s->lines.data);
}

/* What one thread and what several say is the same. */
static struct said expect_same_of_threads(struct bed *b)
{
    struct said one = damage_of_all(b, 1), some = damage_of_all(b, 3);

    assert_string_equal(one.lines.data, some.lines.data);
    assert_int_equal(one.counts.pages, some.counts.pages);
    ps_text_deinit(&some.lines);
    return one;
}

/* --- tests --------------------------------------------------------------------------------- */

static void catalogs_of_a_tebibyte_of_holes_are_read_at_once(void **state)
{
    const time_t start = seconds();
    struct ps_pg_catalog *c;
    uint32_t count;
    struct bed b;

    begin(&b, state);
    c = open_catalog(&b);
    count = ps_pg_relation_count(c, ps_pg_database_find(c, "anchor"));
    shut_catalog(&b, c);
    claim_a_tebibyte(&b, PG_CLASS);
    claim_a_tebibyte(&b, PG_ATTRIBUTE);
    c = open_catalog(&b);
    assert_int_equal(ps_pg_relation_count(c, ps_pg_database_find(c, "anchor")), count);
    assert_int_equal(notes_with(&b, "cannot be read"), 0);
    shut_catalog(&b, c);
    assert_true(seconds() - start < SECONDS_MAX);
    end(&b);
}

static void views_have_what_lies_behind_holes(void **state)
{
    static const char *const figures[] = {"tuple_count", "tuple_len", "dead_tuple_count",
                                          "free_space"};
    const time_t start = seconds();
    struct views before, after;
    const char *last;
    struct bed b;

    begin(&b, state);
    copy_page(&b, T_HOT, 0, T_HOT_PAGES);
    before = views_of_t_hot(&b);
    claim_a_tebibyte(&b, T_HOT);
    fill_page(&b, T_HOT, T_HOT_PAGES);
    copy_page(&b, T_HOT, 0, PAGES_END - 1);
    after = views_of_t_hot(&b);

    assert_string_equal(before.rows.data, after.rows.data);
    last = strstr(before.tuples.data, "\n4,1,");
    assert_non_null(last);
    assert_memory_equal(before.tuples.data, after.tuples.data, (size_t)(last - before.tuples.data));
    assert_non_null(strstr(after.tuples.data, "\n134217727,1,"));
    assert_null(strstr(after.tuples.data, "\n4,1,"));
    assert_non_null(strstr(after.space.data, " 1099511627776\n"));
    for (unsigned i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        assert_memory_equal(figure(&before, figures[i]), figure(&after, figures[i]), 39);
    assert_true(seconds() - start < SECONDS_MAX);
    let_go(&before);
    let_go(&after);
    end(&b);
}

static void look_into_holes(void **state, const char *io)
{
    const time_t start = seconds();
    struct said before, after;
    struct bed b;

    begin(&b, state);
    b.store_opts.io = io;
    before = damage_of_all(&b, 1);
    claim_a_tebibyte(&b, T_HOT);
    after = expect_same_of_threads(&b);
    assert_string_equal(before.lines.data, after.lines.data); /* nothing comes behind the zeros */
    assert_int_equal(after.counts.pages, before.counts.pages + PAGES_END - T_HOT_PAGES);
    ps_text_deinit(&after.lines);

    copy_page(&b, T_HOT, 0, PAGES_END - 1);
    fill_page(&b, T_HOT, PAGES_END - 2);
    fill_page(&b, T_HOT, PAGES_END / 2);
    after = expect_same_of_threads(&b);
    expect_line(&after, "\t4\t-\tsuspect\tzero\t134217723 pages from here on are all zero, later "
                        "ones are not\n");
    assert_int_equal(after.counts.pages, before.counts.pages + PAGES_END - T_HOT_PAGES);
    assert_true(seconds() - start < SECONDS_MAX);
    ps_text_deinit(&before.lines);
    ps_text_deinit(&after.lines);
    end(&b);
}

static void holes_are_new_pages_to_who_looks_for_damage(void **state)
{
    look_into_holes(state, "auto");
    look_into_holes(state, "buffered"); /* where the kernel reads ahead */
}

static void an_index_that_begins_with_a_hole_lacks_its_first_page(void **state)
{
    const time_t start = seconds();
    struct said s;
    struct bed b;
    int fd;

    begin(&b, state);
    claim_a_tebibyte(&b, T_HOT_KEY);
    copy_page(&b, T_HOT_KEY, 1, PAGES_END - 1);
    fd = open_segment(&b, T_HOT_KEY, 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(ftruncate(fd, SEGMENT_BYTES), 0);
    assert_int_equal(close(fd), 0);
    s = expect_same_of_threads(&b);
    expect_line(&s, T_HOT_KEY "\t0\t-\tfault\tzero\tthe index's first page is all zero\n");
    expect_line(&s, T_HOT_KEY "\t1\t-\tsuspect\tzero\t134217726 pages from here on are all zero");
    assert_true(seconds() - start < SECONDS_MAX);
    ps_text_deinit(&s.lines);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(catalogs_of_a_tebibyte_of_holes_are_read_at_once),
        cmocka_unit_test(views_have_what_lies_behind_holes),
        cmocka_unit_test(holes_are_new_pages_to_who_looks_for_damage),
        cmocka_unit_test(an_index_that_begins_with_a_hole_lacks_its_first_page),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
