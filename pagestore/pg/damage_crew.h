/*
 * damage_crew.h - threads that walk pieces of a plan side by side; what they find is taken in the
 * plan's order, so it is the same whatever their number.
 *
 * A thread waits for its disk while another one judges: a few more than there are processors keep
 * both busy.
 *
 * Flow       damage -> [damage_crew] -> damage_plan, damage_hand
 * Units      a piece is a run of blocks of one file, as the plan cuts it; pieces count from 0.
 * Ownership  start gives a crew that stop takes back; the plan is the crew's meanwhile.
 * Locking    one thread starts, takes and stops. Inside: plan_mtx (rank PG_DAMAGE) for who asks the
 *            plan, mtx (rank LEAF) for the ring of pieces.
 * Errors     start: PS_ERR_NOMEM. take gives those of a piece when its turn comes; then it is over.
 *            PS_ERR_INTERRUPTED: nothing was taken; who takes may go on.
 * Promise    memory is that of a few pieces a thread.
 */
#ifndef PS_PG_DAMAGE_CREW_H
#define PS_PG_DAMAGE_CREW_H

#include "pg/damage_hand.h"

struct ps_pg_crew;

PS_MUST_USE ps_err ps_pg_crew_start(struct ps_pg_plan *plan, unsigned threads,
                                    struct ps_pg_crew **ret);
/* Waits for the next piece and appends its lines; *ret_done: that was all. Who raises cancel (may
 * be NULL) has to be done with it before stop. */
PS_MUST_USE ps_err ps_pg_crew_take(struct ps_pg_crew *crew, struct ps_cancel *cancel,
                                   struct ps_pg_out *out, bool *ret_done);
void ps_pg_crew_stop(struct ps_pg_crew *crew);

#endif
