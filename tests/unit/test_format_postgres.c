/* The postgres page format, judged by what PostgreSQL 15 says about its own pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "corpus.h"
#include "csv.h"
#include "format_test.h"
#include "pagestore/slotted.h"
#include "seed.h"

#define PG_PAGE 8192u

static const struct ps_format *const fmt = &ps_format_postgres;

/* ---- the corpus ---- */

struct walk {
    unsigned files, pages, zero_pages;
};

static void assert_page_is_sound(const char *file, uint32_t block, const unsigned char *page)
{
    struct ps_page_ident who = {.page_size = PG_PAGE, .page_no = block};
    struct damages found = {0};

    if (fmt->verify(page, &who) != PS_OK)
        fail_msg("%s: %s", file, ps_message());
    if (fmt->check(page, &who, damages_keep, &found) != 0)
        fail_msg("%s block %u: %s: %s", file, block, found.first_word, found.first_text);
}

static void walk_relation_file(const char *path, struct walk *w)
{
    size_t len;
    unsigned char *bytes = read_whole_file(path, &len);

    assert_int_equal(len % PG_PAGE, 0);
    for (uint32_t block = 0; block < len / PG_PAGE; block++) {
        assert_page_is_sound(path, block, bytes + block * PG_PAGE);
        w->zero_pages += ps_page_is_zero(bytes + block * PG_PAGE, PG_PAGE);
    }
    w->files++;
    w->pages += (unsigned)(len / PG_PAGE);
    free(bytes);
}

/* Relation files and forks begin with a digit; PG_VERSION, pg_control and the maps do not. */
static void walk_folder(const char *path, struct walk *w)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char below[PATH_MAX];
        struct stat st;

        snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        assert_int_equal(stat(below, &st), 0);
        if (S_ISDIR(st.st_mode) && entry->d_name[0] != '.')
            walk_folder(below, w);
        else if (S_ISREG(st.st_mode) && entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            walk_relation_file(below, w);
    }
    closedir(dir);
}

static void every_page_of_a_cluster_verifies_and_is_sound(void **state)
{
    static const char *const folders[] = {"cluster/base", "cluster/global", "cluster/pg_tblspc"};
    struct walk w = {0};
    char path[600];

    for (unsigned i = 0; i < 3; i++)
        walk_folder(corpus_path(*state, folders[i], path), &w);
    print_message("%u files, %u pages, %u of them zero\n", w.files, w.pages, w.zero_pages);
    assert_true(w.pages > 600);
}

/* The value of `name value` in a description, or "" where no line has that name. */
static void described(const char *text, const char *name, char *value, size_t size)
{
    size_t name_len = strlen(name);

    value[0] = '\0';
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ' ') {
            snprintf(value, size, "%.*s", (int)strcspn(line + name_len + 1, "\n"),
                     line + name_len + 1);
            return;
        }
    }
}

static void description_gives_the_fields_of_page_header(void **state)
{
    static const char *const fields[] = {"lsn",      "lower",   "upper",    "special",
                                         "pagesize", "version", "prune_xid"};
    char path[600], file[600], value[64], checksum[64];
    struct csv *csv = csv_open(corpus_path(*state, "truth/page_header.csv", path));
    unsigned pages = 0;

    assert_non_null(csv);
    while (csv_next(csv)) {
        uint32_t block = (uint32_t)csv_number(csv, "blk");
        unsigned char page[PG_PAGE];
        char *text;

        snprintf(file, sizeof(file), "cluster/%s", csv_field(csv, "fpath"));
        read_page(corpus_path(*state, file, path), block, page, PG_PAGE);
        text = describe(fmt, page, PG_PAGE, block, 0);
        for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            described(text, fields[i], value, sizeof(value));
            assert_string_equal(value, csv_field(csv, fields[i]));
        }
        described(text, "flags", value, sizeof(value));
        assert_int_equal(atol(value), csv_number(csv, "flags"));
        described(text, "pd_checksum", value, sizeof(value));
        snprintf(checksum, sizeof(checksum), "%u (0x%04x, as int2 %s)",
                 (uint16_t)csv_number(csv, "checksum"), (uint16_t)csv_number(csv, "checksum"),
                 csv_field(csv, "checksum"));
        assert_string_equal(value, checksum);
        described(text, "checksum_ok", value, sizeof(value));
        assert_string_equal(value, ps_page_is_zero(page, PG_PAGE) ? "none" : "yes");
        assert_null(strstr(text, "\ndamage "));
        free(text);
        pages++;
    }
    csv_close(csv);
    assert_int_equal(pages, 420);
}

/* One row of heap_page_items as describe() spells it. */
static void expected_row(const struct csv *csv, char *row, size_t size)
{
    static const char *const columns[] = {
        "lp",     "lp_off",      "lp_flags",   "lp_len", "t_xmin", "t_xmax", "t_field3",
        "t_ctid", "t_infomask2", "t_infomask", "t_hoff", "t_bits", "t_oid"};
    size_t len = 0;

    for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        const char *value = csv_field(csv, columns[i]);

        len +=
            (size_t)snprintf(row + len, size - len, "%s%s", i ? " " : "\n", value[0] ? value : "-");
        assert_true(len < size);
    }
    snprintf(row + len, size - len, " ");
}

static void description_gives_the_columns_of_heap_page_items(void **state)
{
    char path[600], file[600] = "", row[2048];
    struct csv *csv = csv_open(corpus_path(*state, "truth/heap_page_items.csv", path));
    char *text = NULL;
    long described_block = -1;
    unsigned rows = 0;

    assert_non_null(csv);
    while (csv_next(csv)) {
        char this_file[600];
        long block = csv_number(csv, "blk");

        snprintf(this_file, sizeof(this_file), "cluster/%s", csv_field(csv, "fpath"));
        if (block != described_block || strcmp(file, this_file) != 0) {
            unsigned char page[PG_PAGE];

            snprintf(file, sizeof(file), "%s", this_file);
            described_block = block;
            read_page(corpus_path(*state, file, path), (uint32_t)block, page, PG_PAGE);
            free(text);
            text = describe(fmt, page, PG_PAGE, (uint32_t)block, 0);
        }
        expected_row(csv, row, sizeof(row));
        if (!strstr(text, row))
            fail_msg("%s block %ld: no line \"%s\"", file, block, row + 1);
        rows++;
    }
    free(text);
    csv_close(csv);
    assert_int_equal(rows, 8763);
}

static void pages_of_a_second_segment_verify_by_their_whole_block_number(void **state)
{
    char path[600];
    unsigned char page[PG_PAGE];

    corpus_path(*state, "samples/t_seg.segment1", path);
    for (uint32_t block = 0; block < 2; block++) {
        struct ps_page_ident in_segment = {.page_size = PG_PAGE, .page_no = block};
        struct ps_page_ident whole = {.page_size = PG_PAGE, .page_no = 131072 + block};

        read_page(path, block, page, PG_PAGE);
        assert_int_equal(fmt->verify(page, &whole), PS_OK);
        assert_int_equal(fmt->verify(page, &in_segment), PS_ERR_CORRUPT);
    }
}

/* ---- damage ---- */

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Applies `write HEX` at offset to the bytes of a file. */
static void apply_write(unsigned char *bytes, size_t len, long offset, const char *hex)
{
    for (size_t at = (size_t)offset; hex[0] && hex[1]; at++, hex += 2) {
        assert_true(at < len);
        bytes[at] = (unsigned char)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
    }
}

/* All damage that verify() and check() name on the pages of a file. */
static void find_all(const unsigned char *bytes, size_t len, struct damages *found)
{
    for (uint32_t block = 0; block < len / PG_PAGE; block++) {
        struct ps_page_ident who = {.page_size = PG_PAGE, .page_no = block};
        const unsigned char *page = bytes + block * PG_PAGE;

        if (fmt->verify(page, &who) != PS_OK)
            damages_keep(found, "checksum", 0, ps_message());
        fmt->check(page, &who, damages_keep, found);
    }
}

static void assert_variant_is_named(const struct corpus *c, const char *variant, const char *word)
{
    char path[600], file[600] = "";
    struct csv *csv = csv_open(corpus_path(c, "truth/corruption.csv", path));
    struct damages found = {0};
    unsigned char *bytes = NULL;
    size_t len = 0;

    assert_non_null(csv);
    while (csv_next(csv)) {
        const char *op = csv_field(csv, "op");

        if (strcmp(csv_field(csv, "variant"), variant) != 0)
            continue;
        if (!bytes) {
            snprintf(file, sizeof(file), "cluster/%s", csv_field(csv, "file"));
            bytes = read_whole_file(corpus_path(c, file, path), &len);
        }
        assert_int_equal(strncmp(op, "write ", 6), 0);
        apply_write(bytes, len, csv_number(csv, "offset"), op + 6);
    }
    csv_close(csv);
    assert_non_null(bytes);
    find_all(bytes, len, &found);
    free(bytes);
    if (found.count != 1 || strcmp(found.first_word, word) != 0)
        fail_msg("%s: %u damages, the first is %s: %s", variant, found.count, found.first_word,
                 found.first_text);
}

static void damage_done_to_real_pages_is_named(void **state)
{
    static const struct {
        const char *variant, *word;
    } cases[] = {
        {"flip_tuple_bit", "checksum"},      {"flip_lsn", "checksum"},
        {"flip_checksum", "checksum"},       {"zero_checksum", "checksum"},
        {"flip_hole", "checksum"},           {"bad_flags_ck_ok", "flags"},
        {"lower_gt_upper_ck_ok", "header"},  {"version3_ck_ok", "version"},
        {"lp_off_beyond_ck_ok", "lp-range"}, {"redirect_to_dead_ck_ok", "lp-redirect"},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_variant_is_named(*state, cases[i].variant, cases[i].word);
}

static void put_u16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static void put_lp(unsigned char *page, unsigned slot, uint32_t off, uint32_t flags, uint32_t len)
{
    uint32_t bits = off | flags << 15 | len << 17;

    put_u16(page + 20 + slot * 4, bits & 0xffff);
    put_u16(page + 22 + slot * 4, bits >> 16);
}

/* A page with two items of 16 bytes, lines 1 and 2, and an unused line 3. */
static void plain_page(unsigned char *page)
{
    struct ps_page_ident who = {.page_size = PG_PAGE};

    fmt->init(page, &who, PS_PAGE_SLOTTED);
    put_u16(page + 12, 36);
    put_u16(page + 14, 8160);
    put_lp(page, 1, 8176, 1, 16);
    put_lp(page, 2, 8160, 1, 16);
    put_lp(page, 4, 8160, 1, 16); /* past lower: not a line pointer any more */
}

static void each_damage_of_header_and_line_pointers_has_its_word(void **state)
{
    static const struct {
        uint32_t off, flags, len; /* of line pointer 3, unless field is set */
        unsigned field, value;    /* a u16 of the header */
        const char *word;         /* NULL: sound */
    } cases[] = {
        {0, 0, 0, 0, 0, NULL},
        {2, 2, 0, 0, 0, NULL},           /* redirect to an item */
        {0, 3, 0, 0, 0, NULL},           /* dead, without bytes */
        {8168, 1, 25, 0, 0, "lp-range"}, /* its last byte past special */
        {8152, 1, 8, 0, 0, "lp-range"},  /* below upper */
        {8164, 1, 4, 0, 0, "lp-align"},
        {8168, 1, 8, 0, 0, "lp-overlap"},
        {8160, 3, 16, 0, 0, "lp-overlap"}, /* dead, with another's bytes */
        {0, 2, 0, 0, 0, "lp-redirect"},
        {4, 2, 0, 0, 0, "lp-redirect"}, /* past the last */
        {3, 2, 0, 0, 0, "lp-redirect"}, /* to itself */
        {0, 0, 5, 0, 0, "lp-unused"},
        {0, 0, 0, 12, 35, "header"},   /* lower in the middle of a line pointer */
        {0, 0, 0, 12, 20, "header"},   /* within the header */
        {0, 0, 0, 12, 8164, "header"}, /* above upper */
        {0, 0, 0, 14, 8158, "header"}, /* upper, out of step */
        {0, 0, 0, 14, 8200, "header"}, /* above special */
        {0, 0, 0, 16, 8200, "header"}, /* special, above the page size */
        {0, 0, 0, 16, 8190, "header"},
        {0, 0, 0, 18, 4096 + 4, "page-size"},
        {0, 0, 0, 18, 8192 + 3, "version"},
        {0, 0, 0, 10, 8, "flags"},
    };
    struct ps_page_ident who = {.page_size = PG_PAGE};
    unsigned char page[PG_PAGE];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct damages found = {0};

        plain_page(page);
        put_lp(page, 3, cases[i].off, cases[i].flags, cases[i].len);
        if (cases[i].field)
            put_u16(page + cases[i].field, cases[i].value);
        fmt->check(page, &who, damages_keep, &found);
        if (strcmp(found.first_word, cases[i].word ? cases[i].word : "") != 0)
            fail_msg("case %u: %u damages, the first is %s: %s", i, found.count, found.first_word,
                     found.first_text);
    }
}

/* 100 attributes need a null bitmap of 13 bytes, and the attributes can begin at 40. */
static void item_whose_null_bitmap_does_not_fit_is_no_tuple(void **state)
{
    unsigned char page[PG_PAGE], item[48] = {0};
    uint32_t slot;

    (void)state;
    for (unsigned hoff = 32; hoff <= 40; hoff += 8) {
        char *text;

        put_u16(item + 18, 100);
        put_u16(item + 20, 1); /* HEAP_HASNULL */
        item[22] = (unsigned char)hoff;
        memset(page, 0, sizeof(page));
        assert_int_equal(ps_slotted_insert(fmt, page, PG_PAGE, item, sizeof(item), &slot), PS_OK);
        text = describe(fmt, page, PG_PAGE, 0, 0);
        if (hoff == 32)
            assert_non_null(strstr(text, "\n1 8144 1 48 - - - - - - - - - - -\n"));
        else
            assert_non_null(strstr(text, "\n1 8144 1 48 0 0 0 (0,0) 100 1 40 0000"));
        free(text);
    }
}

/* ---- the checksum ---- */

/* storage/checksum_impl.h's definition, a number at a time. */
static uint32_t plain_checksum(const unsigned char *page, uint32_t page_size, uint32_t block)
{
    static const uint32_t bases[32] = {
        0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2,
        0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c,
        0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979,
        0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e,
        0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756};
    uint32_t result = 0;

    for (uint32_t column = 0; column < 32; column++) {
        uint32_t sum = bases[column];

        for (uint32_t at = column * 4; at < page_size + 256; at += 128) {
            uint32_t value = 0;

            for (uint32_t i = 0; i < 4 && at < page_size; i++)
                value |= (uint32_t)(at + i == 8 || at + i == 9 ? 0 : page[at + i]) << (8 * i);
            sum = ((sum ^ value) * 16777619u) ^ ((sum ^ value) >> 17);
        }
        result ^= sum;
    }
    return (result ^ block) % 65535 + 1;
}

static void checksum_is_the_defined_one_at_every_page_size_and_address(void **state)
{
    uint64_t seed = test_seed();
    unsigned char *room = malloc(32768 + 64);

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        uint32_t size = 4096u << random_below(&seed, 4);
        unsigned char *page = room + random_below(&seed, 64);
        struct ps_page_ident who = {.page_size = size, .page_no = (uint32_t)random_next(&seed)};
        uint32_t stored, computed;
        bool none;

        fill_random(&seed, page, size);
        fmt->checksum(page, &who, &stored, &computed, &none);
        assert_int_equal(computed, plain_checksum(page, size, who.page_no));
        assert_int_equal(stored, page[8] | page[9] << 8);
        assert_false(none);
    }
    free(room);
}

/* Sixteen bits let one change in 65,535 through, on average; of this page's none. */
static void every_bit_flip_of_a_heap_page_is_detected(void **state)
{
    struct ps_page_ident who = {.page_size = PG_PAGE, .page_no = 0};
    unsigned char page[PG_PAGE];
    char path[600];

    read_page(corpus_path(*state, "cluster/base/16384/16497", path), 0, page, PG_PAGE);
    for (uint32_t bit = 0; bit < PG_PAGE * 8; bit++) {
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(fmt->verify(page, &who), PS_OK);
}

static void every_bit_flip_of_header_and_zero_page_is_detected(void **state)
{
    struct ps_page_ident who = {.page_size = PG_PAGE, .page_no = 3};
    unsigned char page[PG_PAGE];

    (void)state;
    for (int zero = 0; zero < 2; zero++) {
        fmt->init(page, &who, zero ? PS_PAGE_RAW : PS_PAGE_SLOTTED);
        fmt->seal(page, &who);
        for (uint32_t bit = 0; bit < (zero ? PG_PAGE : 24) * 8; bit++) {
            page[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
            page[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
    }
}

/* ---- pages of our own ---- */

static void initialised_page_is_that_of_page_init(void **state)
{
    unsigned char page[PG_PAGE];
    unsigned char header[24] = {0};
    struct ps_page_ident who = {.page_size = PG_PAGE, .page_no = 7, .table_id = 9};

    (void)state;
    memset(page, 0xaa, sizeof(page));
    fmt->init(page, &who, PS_PAGE_SLOTTED);
    header[12] = 24;   /* lower */
    header[15] = 0x20; /* upper 8192 */
    header[17] = 0x20; /* special */
    header[18] = 4;    /* layout version, under page size 8192 */
    header[19] = 0x20;
    assert_memory_equal(page, header, sizeof(header));
    assert_true(ps_page_is_zero(page + 24, PG_PAGE - 24));
    assert_int_equal(fmt->type(page), PS_PAGE_SLOTTED);
    assert_int_equal(fmt->check(page, &who, NULL, NULL), 0);
}

static void new_page_is_zero_and_stays_so_when_sealed(void **state)
{
    unsigned char page[PG_PAGE];
    struct ps_page_ident who = {.page_size = PG_PAGE, .page_no = 7};
    uint32_t stored, computed;
    bool none;

    (void)state;
    fmt->init(page, &who, PS_PAGE_RAW);
    assert_true(ps_page_is_zero(page, PG_PAGE));
    assert_int_equal(fmt->type(page), PS_PAGE_RAW);
    fmt->set_lsn(page, 0x123456789);
    page[8] = 0x77;
    fmt->seal(page, &who);
    assert_true(ps_page_is_zero(page, PG_PAGE));
    assert_int_equal(fmt->verify(page, &who), PS_OK);
    fmt->checksum(page, &who, &stored, &computed, &none);
    assert_true(none);
    assert_int_equal(fmt->lsn(page), 0);
}

static void sealed_page_verifies_only_in_its_place(void **state)
{
    uint64_t seed = test_seed();
    unsigned char *page = malloc(32768);

    (void)state;
    for (uint32_t size = 4096; size <= fmt->page_size_max; size *= 2) {
        struct ps_page_ident who = {.page_size = size, .page_no = 41, .table_id = 6};
        struct ps_page_ident other = {.page_size = size, .page_no = 42, .table_id = 6};

        fill_random(&seed, page, size);
        fmt->stamp(page, &who);
        fmt->seal(page, &who);
        assert_int_equal(fmt->verify(page, &who), PS_OK);
        assert_int_equal(fmt->verify(page, &other), PS_ERR_CORRUPT);
    }
    free(page);
}

static void failed_verification_names_page_stored_and_computed(void **state)
{
    unsigned char page[PG_PAGE];
    struct ps_page_ident who = {.page_size = PG_PAGE, .page_no = 12, .table_id = 5};
    char expected[128];

    (void)state;
    fmt->init(page, &who, PS_PAGE_SLOTTED);
    page[8] = 0x34;
    page[9] = 0x12;
    assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
    snprintf(expected, sizeof(expected),
             "page 12 of table 5: checksum is 0x1234, the bytes at page 12 give 0x%04x",
             plain_checksum(page, PG_PAGE, 12));
    assert_string_equal(ps_message(), expected);
}

static void lsn_is_two_halves_high_first(void **state)
{
    static const unsigned char bytes[8] = {0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55};
    unsigned char page[PG_PAGE] = {0};

    (void)state;
    fmt->set_lsn(page, UINT64_C(0x1122334455667788));
    assert_memory_equal(page, bytes, 8);
    assert_int_equal(fmt->lsn(page), UINT64_C(0x1122334455667788));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_of_a_cluster_verifies_and_is_sound),
        cmocka_unit_test(description_gives_the_fields_of_page_header),
        cmocka_unit_test(description_gives_the_columns_of_heap_page_items),
        cmocka_unit_test(pages_of_a_second_segment_verify_by_their_whole_block_number),
        cmocka_unit_test(damage_done_to_real_pages_is_named),
        cmocka_unit_test(each_damage_of_header_and_line_pointers_has_its_word),
        cmocka_unit_test(item_whose_null_bitmap_does_not_fit_is_no_tuple),
        cmocka_unit_test(checksum_is_the_defined_one_at_every_page_size_and_address),
        cmocka_unit_test(every_bit_flip_of_a_heap_page_is_detected),
        cmocka_unit_test(every_bit_flip_of_header_and_zero_page_is_detected),
        cmocka_unit_test(initialised_page_is_that_of_page_init),
        cmocka_unit_test(new_page_is_zero_and_stays_so_when_sealed),
        cmocka_unit_test(sealed_page_verifies_only_in_its_place),
        cmocka_unit_test(failed_verification_names_page_stored_and_computed),
        cmocka_unit_test(lsn_is_two_halves_high_first),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
