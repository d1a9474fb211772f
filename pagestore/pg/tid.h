/*
 * tid.h - ItemPointerData: the address of a row version or of an index tuple.
 *
 * Flow       decode, toast_index, output_catalog -> [tid]
 * Units      block numbers; slots count from 1, 0: none.
 * Locking    pure functions.
 * Source     src/include/storage/itemptr.h.
 */
#ifndef PS_PG_TID_H
#define PS_PG_TID_H

#include "base/byteorder.h"

#define PS_PG_TID_LEN 6u

struct ps_pg_tid {
    uint32_t block;
    uint16_t slot;
};

/* The block number's high half comes first; each half is little-endian. */
static inline struct ps_pg_tid ps_pg_tid(const uint8_t *at)
{
    ps_le16 parts[3];

    memcpy(parts, at, PS_PG_TID_LEN);
    return (struct ps_pg_tid){(uint32_t)ps_get16(parts[0]) << 16 | ps_get16(parts[1]),
                              ps_get16(parts[2])};
}

static inline int ps_pg_tid_cmp(struct ps_pg_tid a, struct ps_pg_tid b)
{
    if (a.block != b.block)
        return a.block < b.block ? -1 : 1;
    return a.slot == b.slot ? 0 : a.slot < b.slot ? -1 : 1;
}

#endif
