#include "md5.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 64u

static uint32_t rotated(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static void add_block(uint32_t state[4], const uint8_t *block)
{
    static const uint8_t shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const uint8_t factors[4] = {1, 5, 3, 7}, offsets[4] = {0, 1, 5, 0};
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];

    memcpy(words, block, sizeof(words)); /* little-endian machines only, as the library */
    for (unsigned i = 0; i < 64; i++) {
        const unsigned round = i / 16, at = (factors[round] * i + offsets[round]) % 16;
        const uint32_t f = round == 0   ? (b & c) | (~b & d)
                           : round == 1 ? (d & b) | (~d & c)
                           : round == 2 ? b ^ c ^ d
                                        : c ^ (b | ~d);
        const uint32_t k = (uint32_t)floor(fabs(sin(i + 1.0)) * 4294967296.0);
        const uint32_t next = b + rotated(a + f + k + words[at], shifts[round][i % 4]);

        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void md5_hex(const void *data, size_t len, char hex[33])
{
    const size_t whole = len / BLOCK * BLOCK, rest = len - whole;
    const uint64_t bits = (uint64_t)len * 8;
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t end[2 * BLOCK] = {0};
    const size_t end_len = rest + 9 > BLOCK ? 2 * BLOCK : BLOCK;

    for (size_t at = 0; at < whole; at += BLOCK)
        add_block(state, (const uint8_t *)data + at);
    memcpy(end, (const uint8_t *)data + whole, rest);
    end[rest] = 0x80;
    memcpy(end + end_len - sizeof(bits), &bits, sizeof(bits));
    for (size_t at = 0; at < end_len; at += BLOCK)
        add_block(state, end + at);
    for (unsigned i = 0; i < 16; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", ((const uint8_t *)state)[i]);
}
