/*
 * crc32c.c - ISA-L's crc32_iscsi behind our contract.
 */
#include "base/crc32c.h"

#include <isa-l/crc.h>

#define PIECE_MAX ((size_t)1 << 30) /* ISA-L takes lengths as int */

uint32_t ps_crc32c_extend(uint32_t crc, const void *buf, size_t len)
{
    /* ISA-L only reads, but does not say const. */
    unsigned char *at = (unsigned char *)(uintptr_t)buf;

    while (len > 0) {
        size_t piece = len < PIECE_MAX ? len : PIECE_MAX;

        crc = crc32_iscsi(at, (int)piece, crc);
        at += piece;
        len -= piece;
    }
    return crc;
}
