/*
 * damage_plan.h - what there is to be looked at for damage, cut into pieces in the order of their
 * lines.
 *
 * Flow       damage, damage_crew -> [damage_plan] -> catalog; pieces -> damage_walk
 * Units      blocks count over all segments of a fork; a piece has those from `from` to `to - 1`.
 * Ownership  init and deinit; what a piece points to stays until deinit.
 * Locking    one thread uses a plan at a time.
 * Errors     PS_ERR_NOMEM; what is wrong with the source is lines.
 * Promise    where pieces end depends on the source alone.
 */
#ifndef PS_PG_DAMAGE_PLAN_H
#define PS_PG_DAMAGE_PLAN_H

#include "pg/damage_walk.h"

/* Where lines go. */
struct ps_pg_out {
    struct ps_text *text;
    struct ps_pg_damage_counts *counts;
};

struct ps_pg_piece {
    struct ps_pg_subject subject; /* file NULL: there is nothing to walk */
    uint64_t from, to;            /* blocks of it */
    uint32_t db;
    bool has_toast; /* a toaster is to be found for it */
    struct ps_pg_lore *lore;
};

struct ps_pg_plan {
    struct ps_pg_catalog *catalog;
    struct ps_pg_cluster *cluster;
    bool all;
    bool cluster_done;
    uint32_t db, relation_at, file_at;     /* of all: what comes next */
    const struct ps_pg_relation *asked;    /* the one to begin with */
    const struct ps_pg_relation *relation; /* whose forks are walked; NULL: files without one */
    uint32_t fork;                         /* the next */
    struct ps_pg_piece rest;               /* of the fork, not cut yet; file NULL: nothing */
    struct ps_pg_lore *lores;
    struct ps_pg_links *links;
    bool lacks_known, lacks_files; /* may database lacks_db lack files? */
    uint32_t lacks_db;
};

void ps_pg_plan_init(struct ps_pg_plan *plan, struct ps_pg_catalog *catalog);
void ps_pg_plan_deinit(struct ps_pg_plan *plan);
/* Lines, then perhaps a piece that comes behind them; *ret_done: that was all. */
PS_MUST_USE ps_err ps_pg_plan_next(struct ps_pg_plan *plan, struct ps_pg_out *out,
                                   struct ps_pg_piece *ret, bool *ret_done);

/* A line about a file as a whole, or about none ("-"), counted. */
void ps_pg_damage_line(struct ps_pg_out *out, const char *relation, const char *file, bool fault,
                       const char *word, const char *text);
/* The subject's file cannot be read; ps_message() says why. */
void ps_pg_damage_unread(struct ps_pg_out *out, const struct ps_pg_subject *subject);

#endif
