/*
 * sketch.h - about how often pages were used lately, in a few bytes a frame.
 *
 * A count-min sketch with conservative update (Cormode and Muthukrishnan; Estan and Varghese): four
 * counters a page, all in one cache line; its count is the least of them, and may be too high but
 * not too low. Halving all counters now and then lets the past fade (Einziger, Friedman, Manes).
 *
 * Flow       tiny_lfu -> [sketch] -> page_ids (its hash)
 * Units      counts, saturating at 255.
 * Ownership  init takes the memory (64 bytes a frame), deinit gives it back; all zero is
 *            empty and may be deinited.
 * Locking    the caller's.
 * Errors     init: PS_ERR_NOMEM.
 */
#ifndef PS_POOL_SKETCH_H
#define PS_POOL_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#include "pagestore/err.h"

struct ps_sketch_line;

struct ps_sketch {
    struct ps_sketch_line *lines;
    size_t len; /* a line for each frame */
};

PS_MUST_USE ps_err ps_sketch_init(struct ps_sketch *s, uint32_t frames);
void ps_sketch_deinit(struct ps_sketch *s);

void ps_sketch_add(struct ps_sketch *s, uint64_t page_id);
unsigned ps_sketch_count(const struct ps_sketch *s, uint64_t page_id);
void ps_sketch_halve(struct ps_sketch *s);

#endif
