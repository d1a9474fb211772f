/* The native page format: page-db 1.0's header, byte by byte, and the golden pages of both. */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "format_test.h"
#include "pagestore/slotted.h"
#include "seed.h"

extern char **environ;

#define SMALL 4096u

static const struct ps_format *const fmt = &ps_format_native;

static void sealed_page(unsigned char *page, const struct ps_page_ident *who,
                        enum ps_page_type type)
{
    fmt->init(page, who, type);
    fmt->set_lsn(page, 77);
    fmt->seal(page, who);
}

/* ---- the header ---- */

static void header_is_that_of_the_table(void **state)
{
    static const unsigned char header[24] = {
        'P', 'G', 'D', 'B', 1, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1,
    };
    static const unsigned char table_id[4] = {9, 3, 0, 0};
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 0x309};
    unsigned char page[SMALL];

    (void)state;
    memset(page, 0xaa, sizeof(page));
    fmt->init(page, &who, PS_PAGE_SLOTTED);
    fmt->set_lsn(page, UINT64_C(0x0102030405060708));
    assert_memory_equal(page, header, sizeof(header));
    assert_memory_equal(page + 28, table_id, sizeof(table_id));
    assert_int_equal(fmt->lsn(page), UINT64_C(0x0102030405060708));
    assert_int_equal(fmt->type(page), PS_PAGE_SLOTTED);
    assert_int_equal(fmt->header_len, 32);
}

static void initialised_raw_page_is_zero_behind_its_header(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 3};
    unsigned char page[SMALL];

    (void)state;
    memset(page, 0xaa, sizeof(page));
    fmt->init(page, &who, PS_PAGE_RAW);
    assert_true(ps_page_is_zero(page + 32, SMALL - 32));
    assert_int_equal(fmt->lsn(page), 0);
    assert_int_equal(fmt->type(page), PS_PAGE_RAW);
}

static void stamp_sets_identity_and_leaves_every_other_byte(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 3};
    uint64_t seed = test_seed();
    unsigned char page[SMALL], before[SMALL];

    (void)state;
    fill_random(&seed, page, SMALL);
    memcpy(before, page, SMALL);
    fmt->stamp(page, &who);
    assert_memory_equal(page, "PGDB\1\0", 6);
    assert_memory_equal(page + 6, before + 6, 2);
    assert_memory_equal(page + 8, "\5\0\0\0\0\0\0\0", 8);
    assert_memory_equal(page + 16, before + 16, 12);
    assert_memory_equal(page + 28, "\3\0\0\0", 4);
    assert_memory_equal(page + 32, before + 32, SMALL - 32);
}

/* ---- verification ---- */

static void sealed_page_verifies_at_every_size_and_address(void **state)
{
    uint64_t seed = test_seed();
    unsigned char *room = malloc(PS_PAGE_SIZE_MAX + 8);

    (void)state;
    for (uint32_t size = PS_PAGE_SIZE_MIN; size <= PS_PAGE_SIZE_MAX; size *= 2) {
        struct ps_page_ident who = {.page_size = size, .page_no = UINT32_MAX, .table_id = 7};
        unsigned char *page = room + random_below(&seed, 8);

        fill_random(&seed, page, size);
        fmt->stamp(page, &who);
        assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
        fmt->seal(page, &who);
        assert_int_equal(fmt->verify(page, &who), PS_OK);
        page[size - 1] ^= 1;
        assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
    }
    free(room);
}

static void every_bit_flip_is_detected(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 3};
    unsigned char page[SMALL];

    (void)state;
    sealed_page(page, &who, PS_PAGE_SLOTTED);
    for (uint32_t bit = 0; bit < SMALL * 8; bit++) {
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
        page[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(fmt->verify(page, &who), PS_OK);
}

static void page_of_another_place_or_table_is_corrupt(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 3};
    struct ps_page_ident other_place = {.page_size = SMALL, .page_no = 6, .table_id = 3};
    struct ps_page_ident other_table = {.page_size = SMALL, .page_no = 5, .table_id = 4};
    unsigned char page[SMALL];

    (void)state;
    sealed_page(page, &who, PS_PAGE_RAW);
    assert_int_equal(fmt->verify(page, &other_place), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(), "page 6 of table 3: page number is 5, not 6");
    assert_int_equal(fmt->verify(page, &other_table), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(), "page 5 of table 4: table id is 3, not 4");
}

static void page_with_wrong_magic_or_version_is_corrupt_under_a_right_checksum(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 3};
    unsigned char page[SMALL];

    (void)state;
    sealed_page(page, &who, PS_PAGE_RAW);
    page[0] = 'Q';
    fmt->seal(page, &who);
    assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(), "page 5 of table 3: magic is 0x42444751, not 0x42444750");
    page[0] = 'P';
    page[4] = 2;
    fmt->seal(page, &who);
    assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(), "page 5 of table 3: version is 2, not 1");
}

static void zero_page_is_corrupt(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 3};
    unsigned char page[SMALL] = {0};
    uint32_t stored, computed;
    bool none;

    (void)state;
    assert_int_equal(fmt->verify(page, &who), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(),
                        "page 5 of table 3: every byte is zero, on a page that was written");
    fmt->checksum(page, &who, &stored, &computed, &none);
    assert_true(none);
}

static void unknown_page_type_is_reported(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 5, .table_id = 3};
    struct damages found = {0};
    unsigned char page[SMALL];

    (void)state;
    sealed_page(page, &who, PS_PAGE_RAW);
    assert_int_equal(fmt->check(page, &who, damages_keep, &found), 0);
    page[6] = 200;
    assert_int_equal(fmt->check(page, &who, damages_keep, &found), 1);
    assert_string_equal(found.first_word, "type");
    assert_string_equal(found.first_text, "page type 200 is not known");
}

static void formats_are_found_by_id_and_name(void **state)
{
    (void)state;
    assert_ptr_equal(ps_format_by_id(PS_FORMAT_NATIVE), &ps_format_native);
    assert_ptr_equal(ps_format_by_id(PS_FORMAT_POSTGRES), &ps_format_postgres);
    assert_null(ps_format_by_id(2));
    assert_ptr_equal(ps_format_by_name("native"), &ps_format_native);
    assert_ptr_equal(ps_format_by_name("postgres"), &ps_format_postgres);
    assert_null(ps_format_by_name("Native"));
}

/* ---- golden bytes ---- */

struct golden {
    const char *name;
    const struct ps_format *format;
    enum ps_page_type type;
};

static const struct golden goldens[] = {
    {"native-raw", &ps_format_native, PS_PAGE_RAW},
    {"native-slotted", &ps_format_native, PS_PAGE_SLOTTED},
    {"postgres-new", &ps_format_postgres, PS_PAGE_RAW},
    {"postgres-slotted", &ps_format_postgres, PS_PAGE_SLOTTED},
};

static const struct ps_page_ident golden_ident = {SMALL, 5, 3};

/* Items of several lengths, one replaced by a longer one, one deleted in the middle. */
static void put_golden_items(const struct ps_format *format, unsigned char *page)
{
    static const char *const items[] = {"alpha", "", "gamma ray", "delta"};
    uint32_t slot;

    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(
            ps_slotted_insert(format, page, SMALL, items[i], (uint32_t)strlen(items[i]), &slot),
            PS_OK);
    assert_int_equal(ps_slotted_replace(format, page, SMALL, 1, "alpha, longer", 13), PS_OK);
    assert_int_equal(ps_slotted_delete(format, page, SMALL, 3), PS_OK);
}

static void build_golden(const struct golden *g, unsigned char *page)
{
    g->format->init(page, &golden_ident, g->type);
    if (g->type == PS_PAGE_SLOTTED)
        put_golden_items(g->format, page);
    else if (g->format->id == PS_FORMAT_NATIVE)
        memcpy(page + 32, "payload of a raw page", 21);
    g->format->set_lsn(page, UINT64_C(0x0000000112345678));
    g->format->seal(page, &golden_ident);
}

/* The file names carry the version of the format: a change of the format adds files, and none
 * of those here is ever changed. */
static void pages_are_the_golden_ones_byte_for_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
        unsigned char page[SMALL], golden[SMALL];
        char path[600];

        snprintf(path, sizeof(path), "%s/golden/%s-v%d.page", PS_TEST_DIR, goldens[i].name,
                 goldens[i].format->id == PS_FORMAT_NATIVE ? 1 : 4);
        build_golden(&goldens[i], page);
        read_page(path, 0, golden, SMALL);
        for (uint32_t at = 0; at < SMALL; at++) {
            if (page[at] != golden[at])
                fail_msg("%s: byte %u is 0x%02x, not 0x%02x", path, at, page[at], golden[at]);
        }
        assert_int_equal(goldens[i].format->verify(golden, &golden_ident), PS_OK);
        assert_int_equal(goldens[i].format->check(golden, &golden_ident, NULL, NULL), 0);
    }
}

/* ---- the page as text ---- */

static void description_shows_header_items_and_damage(void **state)
{
    unsigned char page[SMALL];
    char *text;

    (void)state;
    build_golden(&goldens[1], page);
    text = describe(fmt, page, SMALL, 5, 3);
    assert_non_null(strstr(text, "format native\n"));
    assert_non_null(strstr(text, "\ntype slotted\npage_no 5\nlsn 4600387192\n"));
    assert_non_null(strstr(text, "\nchecksum_ok yes\ntable_id 3\nlower 80\n"));
    assert_non_null(strstr(text, "\nlp lp_off lp_flags lp_len\n1 4040 1 13\n"));
    assert_non_null(strstr(text, "\nitem 1\n00000fc8  61 6c 70 68 61 2c 20 6c  6f 6e 67 65 72"
                                 "           |alpha, longer|\n00000fd5\n"));
    assert_null(strstr(text, "damage"));
    free(text);

    page[50] = 0x10; /* line pointer 1 now points far beyond the page */
    text = describe(fmt, page, SMALL, 6, 3);
    assert_non_null(strstr(text, "\nchecksum_ok no\n"));
    assert_non_null(strstr(text, "\ndamage page-number: page number is 5, not 6\n"));
    assert_non_null(strstr(text, "\ndamage checksum: checksum is 0x"));
    assert_non_null(strstr(text, "\ndamage lp-range: line pointer 1: offset 1052616, length 13 "));
    free(text);
}

/* ---- page-db's own reader ---- */

static int run_reader(const char *file, const char *table_id)
{
    char *argv[] = {PS_TEST_DIR "/check_pagedb.py", (char *)file, "4096", (char *)table_id, NULL};
    posix_spawn_file_actions_t quiet;
    int status = -1;
    pid_t pid;

    assert_int_equal(posix_spawn_file_actions_init(&quiet), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0), 0);
    assert_int_equal(posix_spawn(&pid, argv[0], &quiet, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_at(int fd, const void *bytes, size_t len, uint32_t page_no)
{
    assert_int_equal(pwrite(fd, bytes, len, (off_t)page_no * SMALL), len);
}

/* Pages 0, 1, 3 and 4 of a file; page 2 was never used. */
static void write_file_of_pages(int fd)
{
    static const enum ps_page_type types[] = {PS_PAGE_RAW, PS_PAGE_SLOTTED, PS_PAGE_RAW,
                                              PS_PAGE_SLOTTED, PS_PAGE_RAW};
    unsigned char page[SMALL];

    for (uint32_t i = 0; i < 5; i++) {
        struct ps_page_ident who = {.page_size = SMALL, .page_no = i, .table_id = 12};

        sealed_page(page, &who, types[i]);
        if (i != 2)
            write_at(fd, page, SMALL, i);
    }
}

/* The file is in memory only; the reader inherits its descriptor. */
static void an_independent_reader_accepts_our_pages_and_sees_damage(void **state)
{
    int fd = memfd_create("pages", 0);
    char path[64];

    (void)state;
    assert_true(fd >= 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    write_file_of_pages(fd);
    assert_int_equal(run_reader(path, "12"), 0);
    assert_int_equal(run_reader(path, NULL), 0);
    assert_int_equal(run_reader(path, "13"), 1);
    write_at(fd, "P", 1, 2);
    assert_int_equal(run_reader(path, "12"), 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_that_of_the_table),
        cmocka_unit_test(initialised_raw_page_is_zero_behind_its_header),
        cmocka_unit_test(stamp_sets_identity_and_leaves_every_other_byte),
        cmocka_unit_test(sealed_page_verifies_at_every_size_and_address),
        cmocka_unit_test(every_bit_flip_is_detected),
        cmocka_unit_test(page_of_another_place_or_table_is_corrupt),
        cmocka_unit_test(page_with_wrong_magic_or_version_is_corrupt_under_a_right_checksum),
        cmocka_unit_test(zero_page_is_corrupt),
        cmocka_unit_test(unknown_page_type_is_reported),
        cmocka_unit_test(formats_are_found_by_id_and_name),
        cmocka_unit_test(pages_are_the_golden_ones_byte_for_byte),
        cmocka_unit_test(description_shows_header_items_and_damage),
        cmocka_unit_test(an_independent_reader_accepts_our_pages_and_sees_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
