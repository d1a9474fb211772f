/*
 * damage_links.h - which blocks of an SP-GiST index its inner pages lead to, and which have no
 * content.
 *
 * A sound SP-GiST index may have pages of zeros anywhere: a page that was allocated and then turned
 * out to be of no use is not written. One that is led to is lost. Both are known when all pieces
 * of the index were walked, so that the walk of the last piece waits for the others. That ends:
 * pieces are taken in the plan's order, and none waits for a later one.
 *
 * Flow       damage_plan makes -> damage_walk notes, damage_zero asks -> [damage_links]
 * Units      blocks of the index.
 * Ownership  new gives what free takes back, when nobody walks a piece any more.
 * Locking    thread safe.
 * Errors     PS_ERR_NOMEM of new.
 * Promise    takes two bits a block, of memory that is not touched where there is a hole.
 */
#ifndef PS_PG_DAMAGE_LINKS_H
#define PS_PG_DAMAGE_LINKS_H

#include "base/lock.h"
#include "pg/decode_private.h"

struct ps_pg_links {
    struct ps_pg_links *next; /* its owner's */
    uint64_t blocks;
    _Atomic uint64_t *led_to, *content; /* a bit for each block */
    struct ps_mutex mtx;                /* rank LEAF */
    struct ps_cond came;
    uint64_t walked; /* guarded by mtx: blocks */
};

/* Of an index of so many blocks. */
PS_MUST_USE ps_err ps_pg_links_new(uint64_t blocks, struct ps_pg_links **ret);
void ps_pg_links_free(struct ps_pg_links *links);

/* The block is not all zero, or cannot be read. */
void ps_pg_links_content(struct ps_pg_links *links, uint64_t block);
/* Where the page leads, if it is a sound inner page. */
void ps_pg_links_follow(struct ps_pg_links *links, const struct ps_pg_view *v);

/* So many blocks are done with. To be called once for each piece that is not the last. */
void ps_pg_links_walked(struct ps_pg_links *links, uint64_t blocks);
/* Waits until so many are. */
void ps_pg_links_wait(struct ps_pg_links *links, uint64_t blocks);
/* The next run of blocks, from `from` on, that are led to and have no content; false: there is
 * none. */
bool ps_pg_links_next(const struct ps_pg_links *links, uint64_t from, uint64_t *ret_first,
                      uint64_t *ret_end);

#endif
