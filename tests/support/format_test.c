#include "format_test.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

void damages_keep(void *ctx, const char *word, int lp, const char *text)
{
    struct damages *d = ctx;

    if (d->count++ > 0)
        return;
    d->first_lp = lp;
    snprintf(d->first_word, sizeof(d->first_word), "%s", word);
    snprintf(d->first_text, sizeof(d->first_text), "%s", text);
}

unsigned char *read_whole_file(const char *path, size_t *ret_len)
{
    FILE *in = fopen(path, "rb");
    unsigned char *bytes;
    long len;

    if (!in)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    len = ftell(in);
    assert_true(len >= 0);
    rewind(in);
    bytes = malloc((size_t)len + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)len, in), len);
    fclose(in);
    *ret_len = (size_t)len;
    return bytes;
}

void read_page(const char *path, uint32_t page_no, unsigned char *page, uint32_t page_size)
{
    FILE *in = fopen(path, "rb");

    if (!in)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(in, (long)page_no * (long)page_size, SEEK_SET), 0);
    assert_int_equal(fread(page, 1, page_size, in), page_size);
    fclose(in);
}

char *describe(const struct ps_format *fmt, const void *page, uint32_t page_size, uint32_t page_no,
               uint32_t table_id)
{
    struct ps_page_ident who = {page_size, page_no, table_id};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    fmt->describe(page, &who, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* SplitMix64. */
uint64_t random_next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    return (uint32_t)(random_next(seed) % limit);
}

void fill_random(uint64_t *seed, unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)random_next(seed);
}
