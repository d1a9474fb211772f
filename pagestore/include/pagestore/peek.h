/*
 * peek.h - an optimistic read of a page: read first, then ask whether what was read counts.
 *
 *     struct ps_peek peek;
 *     bool sound = ps_peek(table, 5, &peek);
 *
 *     if (sound) {
 *         key = get64(peek.bytes + 40);
 *         sound = ps_peek_valid(&peek);
 *     }
 *     if (!sound)
 *         ... pin the page and read it under its latch
 *
 * Flow       users of the library -> ps_peek (table.h) -> pool
 * Ownership  nothing is held: no pin, no latch, and nothing is written that other threads read. The
 *            table's reference is kept until after ps_peek_valid.
 * Locking    none. The bytes can change, and become another page's, while they are read: no offset
 *            or length found in them is to be trusted, nor anything kept, before ps_peek_valid.
 * Errors     none: false where the page is not in the pool, or is being changed.
 * Promise    after ps_peek_valid has said true, all that was read of the page since ps_peek was of
 *            one moment. Its checksum may be out of date (the store computes it when it must). The
 *            pool's policy and counters do not hear of such reads.
 * Source     Leis, Haubenschild, Neumann, "Optimistic Lock Coupling", IEEE Data Engineering
 *            Bulletin 42 (2019).
 */
#ifndef PAGESTORE_PEEK_H
#define PAGESTORE_PEEK_H

#include <stdbool.h>
#include <stdint.h>

struct ps_pool;

struct ps_peek {
    const uint8_t *bytes;
    /* private */
    const struct ps_pool *pool;
    uint32_t frame, changes, version;
};

bool ps_peek_valid(const struct ps_peek *peek);

#endif
