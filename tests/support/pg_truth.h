/*
 * pg_truth.h - the corpus' relations, described by what PostgreSQL itself said of its catalogs.
 *
 * Ownership  what a call gives is the caller's and given back with pg_truth_close().
 */
#ifndef TEST_PG_TRUTH_H
#define TEST_PG_TRUTH_H

#include "corpus.h"
#include "pg/toast.h"

struct pg_truth;

struct pg_truth *pg_truth_open(const struct corpus *corpus);
void pg_truth_close(struct pg_truth *truth);

/* By a relation's name; NULL: the corpus does not know it. The description is kept. */
const struct ps_pg_desc *pg_truth_desc(struct pg_truth *truth, const char *relation);

/* The item lp of block blk of a file of the cluster; false: there is none. Kept until the next
 * file is asked for. */
bool pg_truth_item(struct pg_truth *truth, const char *file, uint32_t blk, uint32_t lp,
                   const uint8_t **ret_item, uint32_t *ret_len);

/* pg_type, pg_enum and composites, in the shape that a printer wants. */
struct ps_pg_types pg_truth_types(struct pg_truth *truth);
/* Finds chunks in the corpus' toast relations, by reading all of them. */
struct ps_pg_toaster pg_truth_toaster(struct pg_truth *truth);

#endif
