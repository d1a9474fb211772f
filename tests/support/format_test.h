/*
 * format_test.h - what the tests of the page formats share: files, descriptions, damage found,
 * random bytes from a printed seed.
 *
 * A helper that fails, fails the test that called it.
 */
#ifndef TEST_FORMAT_TEST_H
#define TEST_FORMAT_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "pagestore/format.h"

/* A ps_damage_fn's ctx that counts, and keeps the first. */
struct damages {
    unsigned count;
    char first_word[32];
    int first_lp;
    char first_text[256];
};
void damages_keep(void *ctx, const char *word, int lp, const char *text);

/* The bytes of a file, to be freed. */
unsigned char *read_whole_file(const char *path, size_t *ret_len);
void read_page(const char *path, uint32_t page_no, unsigned char *page, uint32_t page_size);

/* fmt->describe() as a string, to be freed. */
char *describe(const struct ps_format *fmt, const void *page, uint32_t page_size, uint32_t page_no,
               uint32_t table_id);

uint64_t random_next(uint64_t *seed);
uint32_t random_below(uint64_t *seed, uint32_t limit);
void fill_random(uint64_t *seed, unsigned char *bytes, size_t len);

#endif
