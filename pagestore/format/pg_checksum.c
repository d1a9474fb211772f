#include "format/pg_checksum.h"

#include <assert.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "whole rows of the page are loaded as little-endian numbers"
#endif

#define SUMS 32u
#define ROW_LEN (SUMS * 4u)
#define FNV_PRIME 16777619u
#define CHECKSUM_OFF 8u

/* The sums are kept in four vectors of eight: the compiler maps each to one AVX2 register, or
 * to two of SSE, and the 32 multiplications of a row do not wait for one another. */
#define LANES 8u
#define VECTORS (SUMS / LANES)
typedef uint32_t lanes __attribute__((vector_size(LANES * 4u)));

static const uint32_t start[SUMS] = {
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
    0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
    0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
    0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
};

static inline __attribute__((always_inline)) void mix(lanes *sum, const unsigned char *bytes)
{
    lanes value;

    memcpy(&value, bytes, sizeof(value));
    value ^= *sum;
    *sum = (value * FNV_PRIME) ^ (value >> 17);
}

/* Spelled out, so that no compiler leaves the sums in memory for the sake of a loop. */
static inline __attribute__((always_inline)) void add_row(lanes sums[VECTORS],
                                                          const unsigned char *row)
{
    static_assert(VECTORS == 4, "one line each");
    mix(&sums[0], row);
    mix(&sums[1], row + sizeof(lanes));
    mix(&sums[2], row + 2 * sizeof(lanes));
    mix(&sums[3], row + 3 * sizeof(lanes));
}

static inline __attribute__((always_inline)) uint32_t sum_page(const unsigned char *page,
                                                               uint32_t page_size)
{
    static const unsigned char zero_row[ROW_LEN];
    unsigned char first_row[ROW_LEN];
    uint32_t words[SUMS];
    lanes sums[VECTORS];
    uint32_t sum = 0;

    memcpy(first_row, page, ROW_LEN);
    memset(first_row + CHECKSUM_OFF, 0, 2);
    memcpy(sums, start, sizeof(sums));
    add_row(sums, first_row);
    for (uint32_t off = ROW_LEN; off < page_size; off += ROW_LEN)
        add_row(sums, page + off);
    add_row(sums, zero_row); /* two rounds of zeros mix the last row's bits */
    add_row(sums, zero_row);
    memcpy(words, sums, sizeof(words));
    for (unsigned i = 0; i < SUMS; i++)
        sum ^= words[i];
    return sum;
}

#ifdef __x86_64__
/* SSE2, all that x86-64 promises, has no 32-bit multiplication; nearly every machine has AVX2. */
__attribute__((target("avx2"))) static uint32_t sum_page_avx2(const unsigned char *page,
                                                              uint32_t page_size)
{
    return sum_page(page, page_size);
}

static uint32_t sum_page_best(const unsigned char *page, uint32_t page_size)
{
    return __builtin_cpu_supports("avx2") ? sum_page_avx2(page, page_size)
                                          : sum_page(page, page_size);
}
#else
#define sum_page_best sum_page
#endif

uint16_t ps_pg_checksum(const void *page, uint32_t page_size, uint32_t block_no)
{
    assert(page_size >= ROW_LEN && page_size % ROW_LEN == 0);
    return (uint16_t)((sum_page_best(page, page_size) ^ block_no) % 65535u + 1);
}
