/* Damage of whole relations and clusters: each that was tried on a real server is found where it
 * is, and a sound cluster has none. */
#include "csv.h"
#include "pg/damage.h"
#include "pg_bed.h"

#define T_HOT "base/16384/16504"
#define T_VAC "base/16384/16526"
#define T_TOAST_CHUNKS "base/16384/16514"
#define T_HOT_KEY "base/16384/16509"
#define CONTROL_STATE_AT 16u
#define IN_PRODUCTION 6u
#define COLUMNS 7u

/* A line of what was found; its parts lie in the text. */
struct line {
    char *at[COLUMNS]; /* relation, file, block, lp, severity, word, text */
};

struct found {
    struct ps_text text;
    struct line lines[512];
    unsigned count, faults;
    struct ps_pg_damage_counts counts;
};

static void split(struct found *f)
{
    char *rest;

    ps_text_add(&f->text, "", 1);
    ok(ps_text_err(&f->text));
    for (rest = f->text.data; *rest != '\0'; f->count++) {
        char *line = strsep(&rest, "\n");

        assert_true(f->count < sizeof(f->lines) / sizeof(f->lines[0]));
        for (unsigned i = 0; i < COLUMNS; i++) {
            f->lines[f->count].at[i] = strsep(&line, "\t");
            assert_non_null(f->lines[f->count].at[i]);
        }
        assert_null(line);
        f->faults += strcmp(f->lines[f->count].at[4], "fault") == 0;
    }
    assert_int_equal(f->faults, f->counts.faults);
    assert_int_equal(f->count, f->counts.faults + f->counts.suspects);
}

static void look(struct bed *b, struct found *f)
{
    struct ps_pg_catalog *catalog;
    struct ps_pg_damage *d;
    bool done = false;

    memset(f, 0, sizeof(*f));
    ok(try_open(b, ""));
    ok(ps_pg_catalog_open(b->cluster, &catalog));
    ok(ps_pg_damage_open_all(catalog, 1, &d));
    while (!done)
        ok(ps_pg_damage_step(d, NULL, &f->text, &done));
    f->counts = ps_pg_damage_counts(d);
    ps_pg_damage_close(d);
    ps_pg_catalog_close(catalog);
    shut(b);
    split(f);
}

static void print_found(const struct found *f)
{
    for (unsigned i = 0; i < f->count; i++)
        for (unsigned k = 0; k < COLUMNS; k++)
            fprintf(stderr, "%s%c", f->lines[i].at[k], k + 1 < COLUMNS ? '\t' : '\n');
}

static const struct line *find(const struct found *f, const char *file, const char *block,
                               const char *severity, const char *word)
{
    for (unsigned i = 0; i < f->count; i++) {
        const struct line *l = &f->lines[i];

        if (strcmp(l->at[1], file) == 0 && strcmp(l->at[2], block) == 0 &&
            strcmp(l->at[4], severity) == 0 && strcmp(l->at[5], word) == 0)
            return l;
    }
    print_found(f);
    fail_msg("no %s %s of %s block %s", severity, word, file, block);
    return NULL;
}

static void let_go(struct found *f)
{
    ps_text_deinit(&f->text);
}

/* Writes a page back with a right checksum, after its bytes were changed. */
static void patch_page(const struct bed *b, const char *file, uint32_t block, uint32_t offset,
                       const void *bytes, size_t len)
{
    struct ps_page_ident who = {.page_size = PAGE, .page_no = block};
    char path[TEMP_DIR_LEN + 300];
    uint8_t page[PAGE];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", b->data, file);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, page, PAGE, (off_t)block * PAGE), PAGE);
    memcpy(page + offset, bytes, len);
    ps_format_postgres.seal(page, &who);
    assert_int_equal(pwrite(fd, page, PAGE, (off_t)block * PAGE), PAGE);
    assert_int_equal(close(fd), 0);
}

/* --- a sound cluster ------------------------------------------------------------------------ */

static void sound_cluster_has_no_fault(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    look(&b, &f);
    if (f.faults > 0) {
        print_found(&f);
        fail_msg("%u faults", f.faults);
    }
    assert_true(f.counts.pages > 600);
    for (unsigned i = 0; i < f.count; i++)
        if (strcmp(f.lines[i].at[5], "unchecked") != 0 && strcmp(f.lines[i].at[5], "missing") != 0)
            fail_msg("suspect %s of %s: %s", f.lines[i].at[5], f.lines[i].at[1], f.lines[i].at[6]);
    let_go(&f);
    end(&b);
}

/* --- what was tried on a server ------------------------------------------------------------- */

static void apply(const struct corpus *c, const struct bed *b, const char *variant)
{
    run("python3 '%s/recipe/apply.py' '%s' %s", c->dir, b->data, variant);
}

static void each_damage_of_the_corpus_is_found_where_it_is(void **state)
{
    static const struct {
        const char *variant, *file, *block, *lp, *word;
    } cases[] = {
        {"flip_tuple_bit", T_HOT, "0", "-", "checksum"},
        {"flip_lsn", T_HOT, "1", "-", "checksum"},
        {"flip_checksum", T_HOT, "2", "-", "checksum"},
        {"zero_checksum", T_HOT, "2", "-", "checksum"},
        {"flip_hole", T_HOT, "3", "-", "checksum"},
        {"bad_flags_ck_ok", T_HOT, "0", "-", "header"},
        {"lower_gt_upper_ck_ok", T_HOT, "0", "-", "header"},
        {"version3_ck_ok", T_HOT, "0", "-", "header"},
        {"torn_page", T_HOT, "2", "-", "checksum"},
        {"lp_off_beyond_ck_ok", T_HOT, "0", "1", "lp-range"},
        {"redirect_to_dead_ck_ok", T_HOT, "0", "4", "redirect"},
        {"natts_2000_ck_ok", T_HOT, "0", "1", "natts"},
        {"xmin_future_ck_ok", T_HOT, "0", "1", "xid-future"},
        {"vm_flip", T_VAC "_vm", "0", "-", "checksum"},
        {"btree_flip", "base/16384/16605", "1", "-", "checksum"},
        {"btree_order_ck_ok", "base/16384/16605", "1", NULL, "order"},
        {"pg_control_flip", CONTROL, "-", "-", "control"},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct line *l;
        struct found f;
        struct bed b;

        begin(&b, state);
        apply(*state, &b, cases[i].variant);
        look(&b, &f);
        l = find(&f, cases[i].file, cases[i].block, "fault", cases[i].word);
        if (cases[i].lp)
            assert_string_equal(l->at[3], cases[i].lp);
        if (strcmp(cases[i].file, T_HOT) == 0)
            assert_string_equal(l->at[0], "public.t_hot");
        for (unsigned k = 0; k < f.count; k++)
            if (strcmp(f.lines[k].at[4], "fault") == 0 &&
                (strcmp(f.lines[k].at[1], cases[i].file) != 0 ||
                 strcmp(f.lines[k].at[2], cases[i].block) != 0)) {
                print_found(&f);
                fail_msg("%s: a fault elsewhere", cases[i].variant);
            }
        let_go(&f);
        end(&b);
    }
}

static void page_of_zeros_at_the_end_is_no_fault(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    apply(*state, &b, "zero_page_appended");
    look(&b, &f);
    assert_int_equal(f.faults, 0);
    let_go(&f);
    end(&b);
}

static void checksums_that_are_not_asked_for_are_not_judged(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    apply(*state, &b, "flip_hole");
    b.opts.checksums = PS_PG_CHECKS_OFF;
    look(&b, &f);
    assert_int_equal(f.faults, 0);
    let_go(&f);
    end(&b);
}

/* --- what only several pages tell ------------------------------------------------------------- */

static void page_of_zeros_amid_others_is_suspect(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    run("dd if=/dev/zero of='%s/%s' bs=8192 seek=1 count=2 conv=notrunc status=none", b.data,
        T_HOT);
    look(&b, &f);
    find(&f, T_HOT, "1", "suspect", "zero");
    let_go(&f);
    end(&b);
}

#define T_IDX_HASH "base/16384/16610"
#define T_IDX_SPGIST "base/16384/16615"

static void zero_pages(const struct bed *b, const char *file, unsigned block, unsigned count)
{
    run("dd if=/dev/zero of='%s/%s' bs=8192 seek=%u count=%u conv=notrunc status=none", b->data,
        file, block, count);
}

static unsigned count_of(const struct found *f, const char *file, const char *word)
{
    unsigned count = 0;

    for (unsigned i = 0; i < f->count; i++)
        count += strcmp(f->lines[i].at[1], file) == 0 && strcmp(f->lines[i].at[5], word) == 0;
    return count;
}

/* Its last page, too, which could be one that it was extended by. */
static void page_of_zeros_that_a_hash_index_uses_is_a_fault(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    zero_pages(&b, T_IDX_HASH, 2, 3);
    zero_pages(&b, T_IDX_HASH, 17, 1);
    look(&b, &f);
    find(&f, T_IDX_HASH, "2", "fault", "zero");
    find(&f, T_IDX_HASH, "17", "fault", "zero");
    assert_int_equal(count_of(&f, T_IDX_HASH, "zero"), 2);
    let_go(&f);
    patch_control(&b, CONTROL_STATE_AT, IN_PRODUCTION);
    look(&b, &f);
    find(&f, T_IDX_HASH, "2", "suspect", "zero");
    let_go(&f);
    end(&b);
}

/* Seven buckets of the last splitpoint become ones to come. */
static void pages_that_a_hash_index_allocated_ahead_may_be_zero(void **state)
{
    const uint32_t last_bucket = 8;
    struct found f;
    struct bed b;

    begin(&b, state);
    patch_page(&b, T_IDX_HASH, 0, 24 + 24, &last_bucket, sizeof(last_bucket));
    zero_pages(&b, T_IDX_HASH, 10, 7); /* up to the bitmap page */
    look(&b, &f);
    assert_int_equal(count_of(&f, T_IDX_HASH, "zero"), 0);
    let_go(&f);
    zero_pages(&b, T_IDX_HASH, 9, 1);
    look(&b, &f);
    find(&f, T_IDX_HASH, "9", "fault", "zero");
    assert_int_equal(count_of(&f, T_IDX_HASH, "zero"), 1);
    let_go(&f);
    end(&b);
}

/* Blocks 26 and 27 are new, and nothing leads there. */
static void page_of_zeros_is_lost_where_an_sp_gist_index_leads_to_it(void **state)
{
    const uint8_t nothing = 0;
    struct found f;
    struct bed b;

    begin(&b, state);
    zero_pages(&b, T_IDX_SPGIST, 26, 1);
    run("dd if='%s/%s' of='%s/%s' bs=8192 skip=25 seek=27 count=1 conv=notrunc status=none", b.data,
        T_IDX_SPGIST, b.data, T_IDX_SPGIST);
    patch_page(&b, T_IDX_SPGIST, 27, 0, &nothing, 1);
    look(&b, &f);
    assert_int_equal(f.faults + count_of(&f, T_IDX_SPGIST, "zero"), 0);
    let_go(&f);
    zero_pages(&b, T_IDX_SPGIST, 1, 1);
    zero_pages(&b, T_IDX_SPGIST, 25, 1);
    look(&b, &f);
    find(&f, T_IDX_SPGIST, "1", "fault", "zero");
    find(&f, T_IDX_SPGIST, "25", "fault", "zero");
    assert_int_equal(count_of(&f, T_IDX_SPGIST, "zero"), 2);
    let_go(&f);
    end(&b);
}

static void part_of_a_page_at_the_end_is_a_fault(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    run("truncate -s +100 '%s/%s'", b.data, T_HOT);
    look(&b, &f);
    find(&f, T_HOT, "4", "fault", "short");
    let_go(&f);
    end(&b);
}

/* The last page of a table is lost: its checksum cannot tell, but its index leads there. */
static void lost_last_page_is_missed_by_the_index(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    run("truncate -s 24576 '%s/%s'", b.data, T_HOT);
    look(&b, &f);
    assert_true(f.faults > 0);
    find(&f, T_HOT_KEY, "1", "fault", "dangling");
    let_go(&f);
    end(&b);
}

/* Zeros at the end are what a table is extended by, but no index leads there. */
static void last_page_that_became_zeros_is_missed_by_the_index(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    run("truncate -s 24576 '%s/%s' && truncate -s 32768 '%s/%s'", b.data, T_HOT, b.data, T_HOT);
    look(&b, &f);
    find(&f, T_HOT_KEY, "1", "fault", "dangling");
    let_go(&f);
    end(&b);
}

static void pages_that_a_table_was_extended_by_are_no_damage(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    run("truncate -s +16M '%s/%s'", b.data, T_HOT);
    look(&b, &f);
    assert_int_equal(f.faults, 0);
    let_go(&f);
    end(&b);
}

static void lost_chunks_are_missed_by_the_row_that_has_them(void **state)
{
    const struct line *l = NULL;
    struct found f;
    struct bed b;

    begin(&b, state);
    run("truncate -s 8192 '%s/%s'", b.data, T_TOAST_CHUNKS);
    look(&b, &f);
    l = find(&f, "base/16384/16511", "0", "fault", "toast-missing");
    assert_string_equal(l->at[0], "public.t_toast");
    let_go(&f);
    end(&b);
}

static void map_that_says_too_much_lies(void **state)
{
    const uint8_t all_visible = 0x55;
    struct found f;
    struct bed b;

    begin(&b, state);
    patch_page(&b, T_HOT "_vm", 0, 24, &all_visible, 1);
    look(&b, &f);
    find(&f, T_HOT, "0", "fault", "vm-lie");
    let_go(&f);
    end(&b);
}

static void sibling_that_does_not_know_its_neighbour_is_a_fault(void **state)
{
    const uint8_t elsewhere[4] = {3, 0, 0, 0};
    struct found f;
    struct bed b;

    begin(&b, state);
    patch_page(&b, T_HOT_KEY, 2, PAGE - 16, elsewhere, sizeof(elsewhere));
    look(&b, &f);
    find(&f, T_HOT_KEY, "1", "fault", "level");
    let_go(&f);
    end(&b);
}

static void downlink_to_another_level_is_a_fault(void **state)
{
    const uint8_t level[4] = {2, 0, 0, 0};
    struct found f;
    struct bed b;

    begin(&b, state);
    patch_page(&b, T_HOT_KEY, 3, PAGE - 8, level, sizeof(level));
    look(&b, &f);
    find(&f, T_HOT_KEY, "3", "fault", "level"); /* its children are leaves */
    find(&f, T_HOT_KEY, "0", "fault", "level"); /* the metapage knows */
    let_go(&f);
    end(&b);
}

static bool has(const struct found *f, const char *file, const char *word)
{
    for (unsigned i = 0; i < f->count; i++)
        if (strcmp(f->lines[i].at[1], file) == 0 && strcmp(f->lines[i].at[5], word) == 0)
            return true;
    return false;
}

#define T_IDX_BT_INC "base/16384/16607" /* of a text column */
#define DATCOLLATE_AT 7648u             /* in pg_database, of the database that is here */

/* What the C library makes of C.UTF-8 is its own business. */
static void order_under_the_default_collation_is_judged_where_that_is_c(void **state)
{
    /* "C.UTF-8" "C.UTF-8" becomes "C" and, as datctype, all that is left of their 16 bytes. */
    const uint8_t c_text[] = {2 << 1 | 1, 'C', 14 << 1 | 1};
    uint8_t pages[2 * PAGE], *lp = pages + PAGE + 24 + 4, swapped[8];
    struct found f;
    struct bed b;

    begin(&b, state);
    get(&b, T_IDX_BT_INC, pages, sizeof(pages));
    memcpy(swapped, lp + 4, 4); /* the two items after the high key */
    memcpy(swapped + 4, lp, 4);
    look(&b, &f);
    assert_true(has(&f, T_IDX_BT_INC, "unchecked"));
    let_go(&f);
    patch_page(&b, "global/1262", 0, DATCOLLATE_AT, c_text, sizeof(c_text));
    look(&b, &f);
    assert_false(has(&f, T_IDX_BT_INC, "unchecked"));
    assert_int_equal(f.faults, 0);
    let_go(&f);
    patch_page(&b, T_IDX_BT_INC, 1, 24 + 4, swapped, sizeof(swapped));
    look(&b, &f);
    find(&f, T_IDX_BT_INC, "1", "fault", "order");
    let_go(&f);
    end(&b);
}

/* What recovery will make right is not called a fault. */
static void pages_that_were_not_recovered_may_disagree(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    apply(*state, &b, "xmin_future_ck_ok");
    patch_control(&b, CONTROL_STATE_AT, IN_PRODUCTION);
    look(&b, &f);
    find(&f, T_HOT, "0", "suspect", "xid-future");
    assert_int_equal(f.faults, 0);
    let_go(&f);
    end(&b);
}

static void damaged_map_of_filenodes_is_a_fault(void **state)
{
    uint8_t map[MAP_LEN];
    struct found f;
    struct bed b;

    begin(&b, state);
    get(&b, "base/16384/pg_filenode.map", map, MAP_LEN);
    map[20] ^= 1;
    put(&b, "base/16384/pg_filenode.map", map, MAP_LEN);
    look(&b, &f);
    find(&f, "base/16384/pg_filenode.map", "-", "fault", "map");
    let_go(&f);
    end(&b);
}

/* Files are walked also where no catalog says what they are. */
static void damage_of_an_orphan_is_found(void **state)
{
    struct found f;
    struct bed b;

    begin(&b, state);
    run("cp '%s/%s' '%s/base/16384/77777'", b.data, T_HOT, b.data);
    run("printf x | dd of='%s/base/16384/77777' bs=1 seek=9000 conv=notrunc status=none", b.data);
    look(&b, &f);
    assert_string_equal(find(&f, "base/16384/77777", "1", "fault", "checksum")->at[0], "-");
    let_go(&f);
    end(&b);
}

/* --- what the disk is asked for --------------------------------------------------------------- */

#define T_HOT_PAGES 1500u

/* A real folder, and what of t_hot is asked for and read. */
struct watched_io {
    struct ps_io io; /* first */
    struct ps_io_ops ops;
    struct ps_io *real;
};

static struct {
    bool on;
    unsigned asked[T_HOT_PAGES]; /* how often each page was */
    uint64_t read_end;           /* behind the last page that was read */
    bool late;                   /* one was asked for when it had been read */
} watch;

static ps_err watched_open(struct ps_io *io, const char *path, unsigned flags,
                           struct ps_io_file **ret)
{
    const struct watched_io *w = (const struct watched_io *)io;

    return w->real->ops->open(w->real, path, flags, ret);
}

static ps_err watched_stat_path(struct ps_io *io, const char *path, struct ps_io_stat *ret)
{
    const struct watched_io *w = (const struct watched_io *)io;

    return w->real->ops->stat_path(w->real, path, ret);
}

static uint32_t watched_files_max(struct ps_io *io)
{
    (void)io;
    return 64;
}

static ps_err watched_run(struct ps_io *io, struct ps_io_req *reqs, size_t count)
{
    const struct watched_io *w = (const struct watched_io *)io;

    for (size_t i = 0; watch.on && i < count; i++) {
        uint64_t end = reqs[i].off / PAGE;

        for (int k = 0; k < reqs[i].iov_count; k++)
            end += reqs[i].iov[k].iov_len / PAGE;
        if (strcmp(reqs[i].file->path, T_HOT) == 0 && end > watch.read_end)
            watch.read_end = end;
    }
    return w->real->ops->run(w->real, reqs, count);
}

static void watched_will_read(struct ps_io_file *file, uint64_t off, uint64_t len)
{
    if (strcmp(file->path, T_HOT) != 0)
        return;
    watch.on = true;
    watch.late |= off / PAGE < watch.read_end;
    for (uint64_t page = off / PAGE; page < (off + len) / PAGE; page++) {
        assert_true(page < T_HOT_PAGES);
        watch.asked[page]++;
    }
}

/* By copies of its first page. */
static void lengthen_t_hot(const struct bed *b)
{
    char path[TEMP_DIR_LEN + 300];
    uint8_t page[PAGE];
    int fd;

    get(b, T_HOT, page, PAGE);
    (void)snprintf(path, sizeof(path), "%s/%s", b->data, T_HOT);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (off_t block = 4; block < T_HOT_PAGES; block++)
        assert_int_equal(pwrite(fd, page, PAGE, block * PAGE), PAGE);
    assert_int_equal(close(fd), 0);
}

/* Once each, and before the walk comes there. */
static void pages_are_asked_of_the_disk_ahead_of_the_walk(void **state)
{
    struct watched_io w = {.ops = {0}};
    struct found f;
    struct bed b;

    begin(&b, state);
    lengthen_t_hot(&b);
    ok(ps_io_posix_rdonly(b.data, PS_IO_KIND_BUFFERED, NULL, NULL, &w.real));
    w.ops = *w.real->ops;
    w.ops.open = watched_open;
    w.ops.stat_path = watched_stat_path;
    w.ops.run = watched_run;
    w.ops.will_read = watched_will_read;
    w.ops.files_max = watched_files_max;
    w.io.ops = &w.ops;
    b.store_opts.io_given = &w.io;
    b.opts.checksums = PS_PG_CHECKS_OFF;
    memset(&watch, 0, sizeof(watch));
    look(&b, &f);
    assert_false(watch.late);
    assert_int_equal(watch.read_end, T_HOT_PAGES);
    for (unsigned page = 0; page < T_HOT_PAGES; page++)
        assert_int_equal(watch.asked[page], 1);
    let_go(&f);
    ps_io_destroy(w.real);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_cluster_has_no_fault),
        cmocka_unit_test(each_damage_of_the_corpus_is_found_where_it_is),
        cmocka_unit_test(page_of_zeros_at_the_end_is_no_fault),
        cmocka_unit_test(checksums_that_are_not_asked_for_are_not_judged),
        cmocka_unit_test(page_of_zeros_amid_others_is_suspect),
        cmocka_unit_test(page_of_zeros_that_a_hash_index_uses_is_a_fault),
        cmocka_unit_test(pages_that_a_hash_index_allocated_ahead_may_be_zero),
        cmocka_unit_test(page_of_zeros_is_lost_where_an_sp_gist_index_leads_to_it),
        cmocka_unit_test(part_of_a_page_at_the_end_is_a_fault),
        cmocka_unit_test(lost_last_page_is_missed_by_the_index),
        cmocka_unit_test(last_page_that_became_zeros_is_missed_by_the_index),
        cmocka_unit_test(pages_that_a_table_was_extended_by_are_no_damage),
        cmocka_unit_test(lost_chunks_are_missed_by_the_row_that_has_them),
        cmocka_unit_test(map_that_says_too_much_lies),
        cmocka_unit_test(sibling_that_does_not_know_its_neighbour_is_a_fault),
        cmocka_unit_test(downlink_to_another_level_is_a_fault),
        cmocka_unit_test(order_under_the_default_collation_is_judged_where_that_is_c),
        cmocka_unit_test(pages_that_were_not_recovered_may_disagree),
        cmocka_unit_test(damaged_map_of_filenodes_is_a_fault),
        cmocka_unit_test(damage_of_an_orphan_is_found),
        cmocka_unit_test(pages_are_asked_of_the_disk_ahead_of_the_walk),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
