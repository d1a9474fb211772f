/*
 * visibility.c - a row's two transactions: what hint bits, pg_xact and pg_multixact say of them.
 */
#include "pg/visibility.h"

/* MultiXactStatus: from here on a member changed the row. */
#define MEMBER_CHANGES 4u

static struct ps_pg_verdict verdict(enum ps_pg_seen seen, const char *why, bool hint_wrong)
{
    return (struct ps_pg_verdict){.seen = seen, .why = why, .hint_wrong = hint_wrong};
}

/* What the hint bits say of a transaction; pg_xact where they say nothing. *hint_wrong is set if
 * both do and differ. */
static enum ps_pg_fate fate_of(struct ps_pg_xacts *xacts, uint32_t xid, bool hint_committed,
                               bool hint_aborted, bool *hint_wrong)
{
    enum ps_pg_fate fate = xacts ? ps_pg_xact_fate(xacts, xid) : PS_PG_UNKNOWN;

    if (hint_committed) {
        *hint_wrong |= fate == PS_PG_ABORTED || fate == PS_PG_RUNNING;
        return PS_PG_COMMITTED;
    }
    if (hint_aborted) {
        *hint_wrong |= fate == PS_PG_COMMITTED;
        return PS_PG_ABORTED;
    }
    return fate;
}

static bool is_lock_only(const struct ps_pg_tuple *t)
{
    unsigned bits = t->infomask;

    return (bits & PS_PG_XMAX_LOCK_ONLY) ||
           (bits & (PS_PG_XMAX_IS_MULTI | PS_PG_XMAX_EXCL_LOCK | PS_PG_XMAX_KEYSHR_LOCK)) ==
               PS_PG_XMAX_EXCL_LOCK;
}

static bool look_for_changer(void *ctx, const struct ps_pg_member *member)
{
    uint32_t *changer = ctx;

    if (member->status < MEMBER_CHANGES)
        return true;
    *changer = member->xid;
    return false;
}

/* The only member that changed the row; 0: all only locked it. */
static ps_err changer_of(struct ps_pg_xacts *xacts, uint32_t multi, uint32_t *ret)
{
    *ret = 0;
    return xacts ? ps_pg_multi_members(xacts, multi, look_for_changer, ret) : PS_ERR_NOENT;
}

/* The row's insertion is seen; and its end? */
static struct ps_pg_verdict judge_xmax(const struct ps_pg_tuple *t, struct ps_pg_xacts *xacts,
                                       bool hint_wrong)
{
    uint32_t xid = t->xmax;
    bool committed = t->infomask & PS_PG_XMAX_COMMITTED;
    enum ps_pg_fate fate;

    if (xid == 0 || is_lock_only(t))
        return verdict(PS_PG_SEEN, "", hint_wrong);
    if (t->infomask & PS_PG_XMAX_INVALID) {
        if (!(t->infomask & PS_PG_XMAX_IS_MULTI))
            (void)fate_of(xacts, xid, false, true, &hint_wrong);
        return verdict(PS_PG_SEEN, "", hint_wrong);
    }
    if (t->infomask & PS_PG_XMAX_IS_MULTI) {
        if (changer_of(xacts, t->xmax, &xid))
            return verdict(PS_PG_UNDECIDED, "xmax-unknown", hint_wrong);
        if (xid == 0)
            return verdict(PS_PG_SEEN, "", hint_wrong);
        committed = false; /* said of the multixact, not of its member */
    }
    fate = fate_of(xacts, xid, committed, false, &hint_wrong);
    switch (fate) {
    case PS_PG_COMMITTED:
        return verdict(PS_PG_DEAD, "deleted", hint_wrong);
    case PS_PG_UNKNOWN:
        return verdict(PS_PG_UNDECIDED, "xmax-unknown", hint_wrong);
    default:
        return verdict(PS_PG_SEEN, "", hint_wrong);
    }
}

/* Rows that a VACUUM FULL of a server before 9.0 moved: seen here or there, as it ended. */
static struct ps_pg_verdict judge_moved(const struct ps_pg_tuple *t, struct ps_pg_xacts *xacts)
{
    enum ps_pg_fate fate = xacts ? ps_pg_xact_fate(xacts, t->field3) : PS_PG_UNKNOWN;
    bool here = (t->infomask & PS_PG_MOVED_IN) ? fate == PS_PG_COMMITTED : fate == PS_PG_ABORTED;

    if (fate == PS_PG_UNKNOWN)
        return verdict(PS_PG_UNDECIDED, "moved-unknown", false);
    return here ? judge_xmax(t, xacts, false) : verdict(PS_PG_DEAD, "moved", false);
}

struct ps_pg_verdict ps_pg_visible(const struct ps_pg_tuple *t, struct ps_pg_xacts *xacts)
{
    unsigned hints = t->infomask & PS_PG_XMIN_FROZEN;
    bool hint_wrong = false;
    enum ps_pg_fate fate;

    if (hints == PS_PG_XMIN_FROZEN)
        return judge_xmax(t, xacts, false);
    if (hints == 0 && (t->infomask & (PS_PG_MOVED_OFF | PS_PG_MOVED_IN)))
        return judge_moved(t, xacts);
    fate = fate_of(xacts, t->xmin, hints == PS_PG_XMIN_COMMITTED, hints == PS_PG_XMIN_INVALID,
                   &hint_wrong);
    switch (fate) {
    case PS_PG_COMMITTED:
        return judge_xmax(t, xacts, hint_wrong);
    case PS_PG_UNKNOWN:
        return verdict(PS_PG_UNDECIDED, "xmin-unknown", hint_wrong);
    case PS_PG_RUNNING:
        return verdict(PS_PG_UNDECIDED, "prepared", hint_wrong);
    default:
        return verdict(PS_PG_DEAD, "aborted", hint_wrong);
    }
}
