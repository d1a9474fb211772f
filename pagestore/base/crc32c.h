/*
 * crc32c.h - CRC-32C (Castagnoli, reflected 0x82F63B78; RFC 3720), by ISA-L.
 *
 * The check value of "123456789" is e3069283. Running values chain: start from PS_CRC32C_INIT,
 * extend over each piece, finish once.
 *
 * Flow       file, wal, format, store, pg -> [crc32c] -> ISA-L
 * Units      lengths are bytes.
 * Locking    pure functions.
 * Promise    the same value however the bytes are cut into pieces.
 */
#ifndef PS_BASE_CRC32C_H
#define PS_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define PS_CRC32C_INIT 0xffffffffu

uint32_t ps_crc32c_extend(uint32_t crc, const void *buf, size_t len);

static inline uint32_t ps_crc32c_finish(uint32_t crc)
{
    return crc ^ 0xffffffffu;
}

static inline uint32_t ps_crc32c(const void *buf, size_t len)
{
    return ps_crc32c_finish(ps_crc32c_extend(PS_CRC32C_INIT, buf, len));
}

#endif
