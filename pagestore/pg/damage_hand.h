/*
 * damage_hand.h - who walks pieces of a plan, one after the other: buffers and readers that stay
 * from piece to piece.
 *
 * Flow       damage, damage_crew -> [damage_hand] -> damage_walk, toast_read
 * Ownership  init and deinit; between begin and the last step it has a piece.
 * Locking    one thread uses a hand.
 * Errors     as damage.h. After an error the hand has no piece.
 * Promise    each page of a piece is walked once.
 */
#ifndef PS_PG_DAMAGE_HAND_H
#define PS_PG_DAMAGE_HAND_H

#include "pg/damage_plan.h"
#include "pg/toast_read.h"

struct ps_pg_hand {
    struct ps_pg_catalog *catalog;
    struct ps_pg_walk *walk;          /* NULL: there was no piece yet */
    struct ps_pg_toast_reader *toast; /* of toast_db; NULL: none was needed yet */
    uint32_t toast_db;
    struct ps_pg_toaster toaster;
};

void ps_pg_hand_init(struct ps_pg_hand *hand, struct ps_pg_catalog *catalog);
void ps_pg_hand_deinit(struct ps_pg_hand *hand);

/* A piece that cannot be begun is a line. *ret_has: there is something to do. */
PS_MUST_USE ps_err ps_pg_hand_begin(struct ps_pg_hand *hand, const struct ps_pg_piece *piece,
                                    struct ps_pg_out *out, bool *ret_has);
/* A page. *ret_has: there is more to do. */
PS_MUST_USE ps_err ps_pg_hand_step(struct ps_pg_hand *hand, struct ps_cancel *cancel,
                                   struct ps_pg_out *out, bool *ret_has);
/* Lets go of a piece before its end. */
void ps_pg_hand_drop(struct ps_pg_hand *hand);

#endif
