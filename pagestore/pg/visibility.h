/*
 * visibility.h - is a tuple seen by a server that starts on these files?
 *
 * As HeapTupleSatisfiesMVCC with a snapshot taken now, when nothing runs: what committed is seen.
 * Hint bits are believed where they are set and reported where pg_xact says otherwise.
 *
 * Flow       rows, catalog, damage -> [visibility] -> xact
 * Units      transaction ids as in xact.h.
 * Locking    thread safe.
 * Errors     none: where a fate cannot be known, that is the answer.
 * Source     src/backend/access/heap/heapam_visibility.c.
 */
#ifndef PS_PG_VISIBILITY_H
#define PS_PG_VISIBILITY_H

#include "pg/tuple.h"
#include "pg/xact.h"

enum ps_pg_seen {
    PS_PG_SEEN,
    PS_PG_DEAD,      /* deleted, superseded, or never committed: `why` says which */
    PS_PG_UNDECIDED, /* the fate of a transaction is not known */
};

struct ps_pg_verdict {
    enum ps_pg_seen seen;
    const char *why; /* constant, one word: of a dead row "deleted", "aborted" or "moved", of an
                        undecided one "xmin-unknown", "xmax-unknown", "moved-unknown" or
                        "prepared"; of one that is seen "" */
    bool hint_wrong; /* a hint bit says other than pg_xact */
};

/* xacts may be NULL: then only hint bits and frozen tuples decide. */
struct ps_pg_verdict ps_pg_visible(const struct ps_pg_tuple *tuple, struct ps_pg_xacts *xacts);

#endif
