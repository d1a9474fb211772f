/*
 * peek.h - an optimistic read of a page: read first, then ask whether what was read is valid.
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
 * Units      page numbers count from 0.
 * Ownership  nothing is held: no pin, no latch, and nothing is written that other threads read. The
 *            table's reference is kept until after ps_peek_valid.
 * Locking    none. While they are being read the bytes can change, and even become those of another
 *            page: until ps_peek_valid returns true, trust no offset or length in them and keep
 *            nothing.
 * Errors     none: false if the page is not in the pool, or is being changed.
 * Promise    once ps_peek_valid has returned true, everything read since ps_peek was a consistent
 *            snapshot of the page. Its checksum may be out of date (the store computes it when it
 *            must). The pool's policy and counters do not notice such reads.
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
