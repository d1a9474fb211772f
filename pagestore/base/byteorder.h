/*
 * byteorder.h - little-endian numbers as they stand on disk.
 *
 * The types have alignment 1, so that structs made of them have no padding and may lie at any
 * address, and using one without decoding it is a compile error.
 *
 * Flow       whoever reads or writes bytes of disks -> [byteorder]
 * Units      the numbers in names are bits.
 * Locking    pure functions.
 */
#ifndef PS_BASE_BYTEORDER_H
#define PS_BASE_BYTEORDER_H

#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t b[2];
} ps_le16;
typedef struct {
    uint8_t b[4];
} ps_le32;
typedef struct {
    uint8_t b[8];
} ps_le64;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#define PS_BSWAP(bits, v) __builtin_bswap##bits(v)
#else
#define PS_BSWAP(bits, v) (v)
#endif

static inline uint16_t ps_get16(ps_le16 v)
{
    uint16_t x;

    memcpy(&x, v.b, sizeof(x));
    return PS_BSWAP(16, x);
}

static inline uint32_t ps_get32(ps_le32 v)
{
    uint32_t x;

    memcpy(&x, v.b, sizeof(x));
    return PS_BSWAP(32, x);
}

static inline uint64_t ps_get64(ps_le64 v)
{
    uint64_t x;

    memcpy(&x, v.b, sizeof(x));
    return PS_BSWAP(64, x);
}

/* The same of bytes at any address, where no struct says what they are. */

static inline uint16_t ps_get16_at(const void *at)
{
    ps_le16 v;

    memcpy(v.b, at, sizeof(v.b));
    return ps_get16(v);
}

static inline uint32_t ps_get32_at(const void *at)
{
    ps_le32 v;

    memcpy(v.b, at, sizeof(v.b));
    return ps_get32(v);
}

static inline uint64_t ps_get64_at(const void *at)
{
    ps_le64 v;

    memcpy(v.b, at, sizeof(v.b));
    return ps_get64(v);
}

static inline float ps_get_float_at(const void *at)
{
    const uint32_t bits = ps_get32_at(at);
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static inline double ps_get_double_at(const void *at)
{
    const uint64_t bits = ps_get64_at(at);
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static inline ps_le16 ps_put16(uint16_t x)
{
    ps_le16 v;

    x = PS_BSWAP(16, x);
    memcpy(v.b, &x, sizeof(x));
    return v;
}

static inline ps_le32 ps_put32(uint32_t x)
{
    ps_le32 v;

    x = PS_BSWAP(32, x);
    memcpy(v.b, &x, sizeof(x));
    return v;
}

static inline ps_le64 ps_put64(uint64_t x)
{
    ps_le64 v;

    x = PS_BSWAP(64, x);
    memcpy(v.b, &x, sizeof(x));
    return v;
}

#endif
