/*
 * damage.h - everything that is wrong with a relation, or with a whole cluster, a line each.
 *
 *     relation TAB file TAB block TAB lp TAB severity TAB word TAB text
 *
 * relation is the name of its folder, `-` of files that no catalog names and of the cluster itself;
 * block and lp are `-` where they mean nothing; severity is `fault` or `suspect`; FORMAT.md lists
 * the words. What pages that were not recovered may well disagree about is `suspect`.
 *
 * Flow       fs (views/damage), tools (verify) -> [damage] -> what there is (damage_plan), by
 *            threads (damage_crew), piece by piece (damage_hand), page by page (damage_walk)
 *            -> decode (one page), then what pages say of each other
 *            -> catalog, xact, toast_read -> store
 * Units      blocks count over all segments; the file named is the segment the block lies in.
 * Ownership  open gives a scan that close takes back before the catalog is closed.
 * Locking    one thread uses a scan at a time.
 * Errors     damage is no error, and ends nothing. PS_ERR_INTERRUPTED, PS_ERR_NOMEM; a page
 *            that cannot be read is a line, too.
 * Promise    ends, whatever the links between pages are: each page is walked once.
 * Source     contrib/amcheck/verify_heapam.c, verify_nbtree.c; contrib/pg_visibility.
 */
#ifndef PS_PG_DAMAGE_H
#define PS_PG_DAMAGE_H

#include "base/text.h"
#include "pg/catalog.h"

struct ps_pg_damage;

struct ps_pg_damage_counts {
    uint64_t pages, faults, suspects;
};

/* All forks of a relation, all segments of each. */
PS_MUST_USE ps_err ps_pg_damage_open(struct ps_pg_catalog *catalog, uint32_t db,
                                     const struct ps_pg_relation *relation,
                                     struct ps_pg_damage **ret);
/* The cluster itself, then every file of every database. With more than one thread they look at
 * pieces of files side by side; the lines are the same, in the same order. At most
 * PS_PG_DAMAGE_THREADS_MAX. */
#define PS_PG_DAMAGE_THREADS_MAX 256u
PS_MUST_USE ps_err ps_pg_damage_open_all(struct ps_pg_catalog *catalog, unsigned threads,
                                         struct ps_pg_damage **ret);
void ps_pg_damage_close(struct ps_pg_damage *damage);

/* Appends the lines of one more page, of threads those of one more piece; *ret_done: that was
 * all. cancel may be NULL; who raises it has to be done with it before close. */
PS_MUST_USE ps_err ps_pg_damage_step(struct ps_pg_damage *damage, struct ps_cancel *cancel,
                                     struct ps_text *out, bool *ret_done);
/* What there was so far. */
struct ps_pg_damage_counts ps_pg_damage_counts(const struct ps_pg_damage *damage);

#endif
