/*
 * xact.h - what became of transactions: pg_xact and pg_multixact, read offline.
 *
 * Flow       visibility, damage -> [xact] -> files of pg_xact/, pg_multixact/, read as needed
 * Units      transaction ids of 32 bits, which wrap around: compared as PostgreSQL does, by age
 *            against the control file's next one.
 * Ownership  open gives what close takes back; segments that were read are kept, 256 KiB each.
 * Locking    thread safe.
 * Errors     a file that is missing, short or unreadable makes the fate of its transactions
 *            UNKNOWN, and is told once by the cluster's notes.
 * Source     src/backend/access/transam/clog.c, multixact.c, transam.c.
 */
#ifndef PS_PG_XACT_H
#define PS_PG_XACT_H

#include <stdbool.h>
#include <stdint.h>

#include "pagestore/err.h"

struct ps_pg_cluster;
struct ps_pg_xacts;

#define PS_PG_XID_BOOTSTRAP 1u
#define PS_PG_XID_FROZEN 2u
#define PS_PG_XID_FIRST_NORMAL 3u

enum ps_pg_fate {
    PS_PG_COMMITTED,
    PS_PG_ABORTED,
    PS_PG_RUNNING, /* neither: with no server, a crash aborted it, unless it was prepared */
    PS_PG_UNKNOWN, /* pg_xact is missing there, or the id is beyond the control file's next one */
};

PS_MUST_USE ps_err ps_pg_xacts_open(struct ps_pg_cluster *cluster, struct ps_pg_xacts **ret);
/* The same, to judge pages that may be younger than the cluster: who ran in it may have ended
 * since, and no transaction id is too new. */
PS_MUST_USE ps_err ps_pg_xacts_open_older(struct ps_pg_cluster *cluster, struct ps_pg_xacts **ret);
void ps_pg_xacts_close(struct ps_pg_xacts *xacts);

enum ps_pg_fate ps_pg_xact_fate(struct ps_pg_xacts *xacts, uint32_t xid);
/* Is xid beyond the next one to be given out (a page newer than the control file)? Nothing is where
 * xacts is NULL. */
bool ps_pg_xact_in_future(const struct ps_pg_xacts *xacts, uint32_t xid);

struct ps_pg_member {
    uint32_t xid;
    uint8_t status; /* MultiXactStatus: 0-3 locks, 4 no-key update, 5 update or delete */
};
/* Calls each for the members of a multixact, until it returns false. PS_ERR_NOENT: the files do not
 * have it, or not all of it. PS_ERR_CORRUPT: it would have more members than can be. */
PS_MUST_USE ps_err ps_pg_multi_members(struct ps_pg_xacts *xacts, uint32_t multi,
                                       bool (*each)(void *ctx, const struct ps_pg_member *member),
                                       void *ctx);

#endif
