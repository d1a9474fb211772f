/*
 * warmup.h - memory for the pool's frames before redo needs it.
 *
 * The kernel clears memory when it is touched first, and on a virtual machine the host has to find
 * it, too: for a pool of new memory that can take as long as all the rest of redo. A thread touches
 * it meanwhile, as many frames as there are images to put down.
 *
 * Flow       store -> [warmup] -> pool
 * Units      frames, counted.
 * Ownership  start gives what stop takes back, before the pool is closed.
 * Locking    thread safe; want never waits.
 * Errors     none: what was not made ready is made ready when it is touched.
 * Promise    the bytes of frames do not change.
 */
#ifndef PS_RECOVERY_WARMUP_H
#define PS_RECOVERY_WARMUP_H

#include "pool/pool.h"

struct ps_warmup; /* private */

/* NULL: no thread can be started. */
struct ps_warmup *ps_warmup_start(struct ps_pool *pool);
/* This many frames will be used in all. w may be NULL. */
void ps_warmup_want(struct ps_warmup *w, uint64_t frames);
void ps_warmup_stop(struct ps_warmup *w); /* may be NULL */

#endif
