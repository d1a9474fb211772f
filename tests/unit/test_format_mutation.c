/* No bytes whatever may crash what reads pages. Sound pages are changed at random, a few bytes
 * or many, and everything that reads them is called; run under ASan and UBSan this sees every
 * read beside the page, which is allocated at its exact size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "corpus.h"
#include "format_exercise.h"
#include "format_test.h"
#include "seed.h"

static unsigned char *copy_of(const unsigned char *page, uint32_t page_size)
{
    unsigned char *copy = malloc(page_size);

    assert_non_null(copy);
    memcpy(copy, page, page_size);
    return copy;
}

/* Most structure lies in the first bytes and in the last: half the changes go there. */
static void mutate(uint64_t *seed, unsigned char *page, uint32_t page_size)
{
    uint32_t changes = 1 + random_below(seed, random_below(seed, 8) == 0 ? 400 : 6);

    for (uint32_t i = 0; i < changes; i++) {
        uint32_t at = random_below(seed, page_size);

        switch (random_below(seed, 4)) {
        case 0:
            at = random_below(seed, 64);
            break;
        case 1:
            at = page_size - 1 - random_below(seed, 16);
            break;
        default:
            break;
        }
        page[at] = (unsigned char)random_next(seed);
    }
}

static void exercise_mutants(uint64_t *seed, const struct ps_format *fmt, const unsigned char *page,
                             uint32_t page_size, unsigned mutants)
{
    for (unsigned i = 0; i < mutants; i++) {
        unsigned char *mutant = copy_of(page, page_size);

        mutate(seed, mutant, page_size);
        exercise_page(fmt, mutant, page_size);
        free(mutant);
    }
}

static void fill_with_items(uint64_t *seed, const struct ps_format *fmt, unsigned char *page,
                            uint32_t page_size)
{
    struct ps_page_ident who = {.page_size = page_size};
    unsigned char bytes[300];
    uint32_t slot;

    fmt->init(page, &who, PS_PAGE_SLOTTED);
    fill_random(seed, bytes, sizeof(bytes));
    while (ps_slotted_insert(fmt, page, page_size, bytes, random_below(seed, sizeof(bytes)),
                             &slot) == PS_OK) {
        if (random_below(seed, 4) == 0)
            assert_int_equal(ps_slotted_delete(fmt, page, page_size, slot), PS_OK);
    }
}

static void changed_slotted_pages_are_survived(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (unsigned id = PS_FORMAT_NATIVE; id <= PS_FORMAT_POSTGRES; id++) {
        const struct ps_format *fmt = ps_format_by_id(id);

        for (uint32_t size = PS_PAGE_SIZE_MIN; size <= 32768; size *= 2) {
            unsigned char *page = malloc(size);

            fill_with_items(&seed, fmt, page, size);
            exercise_mutants(&seed, fmt, page, size, 120);
            free(page);
        }
    }
}

/* Heap, free space map, visibility map, and one index of each access method. */
static void changed_pages_of_postgresql_are_survived(void **state)
{
    static const char *const files[] = {
        "16497", "16497_fsm", "16504", "16504_vm", "16600", "16614", "16607", "16606",
        "16611", "16609",     "16617", "16572",    "16577", "2606",  "16552", "16583",
    };
    uint64_t seed = test_seed();
    char path[600], name[600];

    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        unsigned char *bytes;
        size_t len;

        snprintf(name, sizeof(name), "cluster/base/16384/%s", files[i]);
        bytes = read_whole_file(corpus_path(*state, name, path), &len);
        for (size_t off = 0; off < len && off < 10 * 8192; off += 8192)
            exercise_mutants(&seed, &ps_format_postgres, bytes + off, 8192, 8);
        free(bytes);
    }
}

static void random_bytes_are_survived_by_both_formats(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        unsigned char *page = malloc(4096);

        fill_random(&seed, page, 4096);
        exercise_page(&ps_format_native, page, 4096);
        fill_random(&seed, page, 4096);
        exercise_page(&ps_format_postgres, page, 4096);
        free(page);
    }
}

/* A page of nothing but line pointers, all with the same value. */
static unsigned char *page_of_line_pointers(uint32_t page_size, uint32_t off, uint32_t len_flags)
{
    struct ps_page_ident who = {.page_size = page_size};
    uint32_t bounds[4] = {page_size, page_size, page_size, 1};
    uint32_t lp[2] = {off, len_flags};
    unsigned char *page = malloc(page_size);

    assert_non_null(page);
    ps_format_native.init(page, &who, PS_PAGE_SLOTTED);
    memcpy(page + 32, bounds, sizeof(bounds));
    for (uint32_t at = 48; at < page_size; at += sizeof(lp))
        memcpy(page + at, lp, sizeof(lp));
    return page;
}

static void largest_page_of_bad_line_pointers_is_survived(void **state)
{
    const uint32_t size = PS_PAGE_SIZE_MAX;
    static const uint32_t values[][2] = {
        {0x7f7f7f7f, 0x7f7f7f7f},              /* far beyond the page */
        {0, PS_PAGE_SIZE_MAX | 1u << 30},      /* each claims the whole page */
        {PS_PAGE_SIZE_MAX - 1, 1u | 1u << 30}, /* its last byte */
        {PS_PAGE_SIZE_MAX, 1u << 30},          /* an empty item at its end */
        {UINT32_MAX, UINT32_MAX},              /* dead, and as far as can be */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct ps_page_ident who = {.page_size = size};
        unsigned char *page = page_of_line_pointers(size, values[i][0], values[i][1]);

        assert_int_equal(ps_format_native.check(page, &who, NULL, NULL), (size - 48) / 8);
        exercise_page(&ps_format_native, page, size);
        free(page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changed_slotted_pages_are_survived),
        cmocka_unit_test(changed_pages_of_postgresql_are_survived),
        cmocka_unit_test(random_bytes_are_survived_by_both_formats),
        cmocka_unit_test(largest_page_of_bad_line_pointers_is_survived),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
