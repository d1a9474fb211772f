/*
 * xact.c - segments of pg_xact and pg_multixact, read when first asked for (clog.c, multixact.c of
 * src/backend/access/transam).
 */
#include "pg/xact.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/byteorder.h"
#include "base/lock.h"
#include "pg/cluster.h"

#define SLRU_PAGES 32u /* a segment has */
#define SEGMENT_BYTES_MAX (SLRU_PAGES * 32768u)

/* Two bits a transaction. */
#define STATUS_COMMITTED 1u
#define STATUS_ABORTED 2u

/* Far more than share a row in practice; a damaged multixact may claim billions. */
#define MEMBERS_MAX 65536u
/* Members lie in groups of four: four bytes of flags, then four transaction ids. */
#define GROUP_MEMBERS 4u
#define GROUP_BYTES (GROUP_MEMBERS + GROUP_MEMBERS * 4u)
#define MEMBER_STATUS_MASK 0xffu

#define PREPARED_SLOTS 256u

struct segment {
    uint8_t *bytes;
    size_t len;
    bool told;            /* that it is too short; guarded by mtx */
    struct segment *next; /* of its folder's that were read */
};

/* The segments of one folder, each read when it is first asked for. */
struct slru {
    const char *dir;
    uint32_t count;                    /* segments that there can be */
    struct segment *_Atomic *segments; /* NULL: not asked for yet */
    struct segment *read;              /* guarded by mtx: there can be 100,000, and are few */
};

struct ps_pg_xacts {
    struct ps_pg_cluster *cluster;
    uint32_t block_size;
    bool next_known;
    bool older;        /* than the pages that are judged */
    uint64_t next_xid; /* with epoch */
    uint32_t next_multi, next_offset;
    struct ps_mutex mtx; /* reading segments, once; guards what follows */
    struct segment missing;
    struct slru xact, offsets, members;
    uint32_t prepared_xid[PREPARED_SLOTS]; /* 0: none */
    bool prepared[PREPARED_SLOTS];
};

/* --- segments --------------------------------------------------------------------------- */

static uint32_t xids_a_segment(const struct ps_pg_xacts *x)
{
    return x->block_size * 4 * SLRU_PAGES;
}

static uint32_t offsets_a_page(const struct ps_pg_xacts *x)
{
    return x->block_size / 4;
}

static uint32_t members_a_page(const struct ps_pg_xacts *x)
{
    return x->block_size / GROUP_BYTES * GROUP_MEMBERS;
}

static ps_err slru_init(struct slru *s, const char *dir, uint32_t items_a_segment)
{
    s->dir = dir;
    s->count = UINT32_MAX / items_a_segment + 1;
    s->segments = calloc(s->count, sizeof(*s->segments));
    return s->segments ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for the segments of %s", dir);
}

static void slru_deinit(struct slru *s)
{
    struct segment *seg, *next;

    for (seg = s->read; seg; seg = next) {
        next = seg->next;
        free(seg->bytes);
        free(seg);
    }
    free(s->segments);
}

static struct segment *read_segment(struct ps_pg_xacts *x, struct slru *s, uint32_t index)
{
    char path[64];
    struct segment *seg = calloc(1, sizeof(*seg));
    ps_err err;

    (void)snprintf(path, sizeof(path), "%s/%04" PRIX32, s->dir, index);
    err = seg ? ps_pg_read_file(x->cluster, path, SEGMENT_BYTES_MAX, &seg->bytes, &seg->len)
              : ps_fail(PS_ERR_NOMEM, "no memory");
    if (!err) {
        seg->next = s->read;
        s->read = seg;
        return seg;
    }
    ps_pg_note(x->cluster, "%s: %s; the fate of its transactions is not known", path, ps_message());
    free(seg);
    return &x->missing;
}

static struct segment *segment_of(struct ps_pg_xacts *x, struct slru *s, uint32_t index)
{
    struct segment *seg = atomic_load_explicit(&s->segments[index], memory_order_acquire);

    if (seg)
        return seg;
    ps_mutex_lock(&x->mtx);
    seg = s->segments[index];
    if (!seg) {
        seg = read_segment(x, s, index);
        atomic_store_explicit(&s->segments[index], seg, memory_order_release);
    }
    ps_mutex_unlock(&x->mtx);
    return seg;
}

/* Notes, once, that the segment was cut short: what lies before the control file's next transaction
 * or multixact has its place in it. */
static void tell_short(struct ps_pg_xacts *x, const struct slru *s, uint32_t index,
                       struct segment *seg)
{
    bool told;

    if (seg == &x->missing || !x->next_known)
        return;
    ps_mutex_lock(&x->mtx);
    told = seg->told;
    seg->told = true;
    ps_mutex_unlock(&x->mtx);
    if (!told)
        ps_pg_note(x->cluster,
                   "%s/%04" PRIX32 ": has %zu bytes only; the fate of transactions behind them is "
                   "not known",
                   s->dir, index, seg->len);
}

/* The bytes of the segment from at on; NULL: it lacks them. */
static const uint8_t *bytes_at(struct ps_pg_xacts *x, struct slru *s, uint32_t index, uint32_t at,
                               uint32_t len)
{
    struct segment *seg = segment_of(x, s, index);

    if (at < seg->len && seg->len - at >= len)
        return seg->bytes + at;
    tell_short(x, s, index, seg);
    return NULL;
}

/* --- opening ---------------------------------------------------------------------------- */

ps_err ps_pg_xacts_open(struct ps_pg_cluster *cluster, struct ps_pg_xacts **ret)
{
    const struct ps_pg_control *control = ps_pg_control(cluster);
    struct ps_pg_xacts *x = calloc(1, sizeof(*x));
    ps_err err;

    if (!x)
        return ps_fail(PS_ERR_NOMEM, "no memory for the fates of transactions");
    x->cluster = cluster;
    x->block_size = control->block_size;
    assert(x->block_size > 0); /* known from the pages where pg_control is lost */
    x->next_known = control->known;
    x->next_xid = control->next_xid;
    x->next_multi = control->next_multi;
    x->next_offset = control->next_multi_offset;
    ps_mutex_init(&x->mtx, PS_RANK_TABLE_OPEN, "pg_xacts.mtx");
    err = slru_init(&x->xact, "pg_xact", xids_a_segment(x));
    if (!err)
        err = slru_init(&x->offsets, "pg_multixact/offsets", offsets_a_page(x) * SLRU_PAGES);
    if (!err)
        err = slru_init(&x->members, "pg_multixact/members", members_a_page(x) * SLRU_PAGES);
    if (err) {
        ps_pg_xacts_close(x);
        return err;
    }
    *ret = x;
    return PS_OK;
}

ps_err ps_pg_xacts_open_older(struct ps_pg_cluster *cluster, struct ps_pg_xacts **ret)
{
    ps_err err = ps_pg_xacts_open(cluster, ret);

    if (!err)
        (*ret)->older = true;
    return err;
}

void ps_pg_xacts_close(struct ps_pg_xacts *x)
{
    if (!x)
        return;
    slru_deinit(&x->xact);
    slru_deinit(&x->offsets);
    slru_deinit(&x->members);
    ps_mutex_deinit(&x->mtx);
    free(x);
}

/* --- transactions ----------------------------------------------------------------------- */

static bool is_beyond_next(const struct ps_pg_xacts *x, uint32_t xid)
{
    return x->next_known && xid >= PS_PG_XID_FIRST_NORMAL &&
           (int32_t)(xid - (uint32_t)x->next_xid) >= 0;
}

bool ps_pg_xact_in_future(const struct ps_pg_xacts *x, uint32_t xid)
{
    return x && !x->older && is_beyond_next(x, xid);
}

/* A transaction that has begun is of the next one's epoch or of the one before. */
static uint32_t epoch_of(const struct ps_pg_xacts *x, uint32_t xid)
{
    const uint32_t epoch = (uint32_t)(x->next_xid >> 32);

    return epoch > 0 && xid > (uint32_t)x->next_xid ? epoch - 1 : epoch;
}

static bool has_file(struct ps_pg_xacts *x, const char *path)
{
    uint8_t *bytes = NULL;
    size_t len;
    ps_err err = ps_pg_read_file(x->cluster, path, 0, &bytes, &len);

    free(bytes);
    return err != PS_ERR_NOENT; /* a file that is not empty is an error: no byte was asked for */
}

/* PREPARE TRANSACTION leaves a file until the transaction ends; its name has the epoch from version
 * 17 on. */
static bool has_state_file(struct ps_pg_xacts *x, uint32_t xid)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "pg_twophase/%08" PRIX32, xid);
    if (has_file(x, path))
        return true;
    (void)snprintf(path, sizeof(path), "pg_twophase/%08" PRIX32 "%08" PRIX32, epoch_of(x, xid),
                   xid);
    return has_file(x, path);
}

static bool is_prepared(struct ps_pg_xacts *x, uint32_t xid)
{
    const uint32_t slot = xid % PREPARED_SLOTS;
    bool found;

    ps_mutex_lock(&x->mtx);
    if (x->prepared_xid[slot] != xid) {
        x->prepared_xid[slot] = xid;
        x->prepared[slot] = has_state_file(x, xid);
    }
    found = x->prepared[slot];
    ps_mutex_unlock(&x->mtx);
    return found;
}

enum ps_pg_fate ps_pg_xact_fate(struct ps_pg_xacts *x, uint32_t xid)
{
    uint32_t a_segment = xids_a_segment(x), at = xid % a_segment / 4;
    const uint8_t *byte;
    unsigned status;

    if (xid < PS_PG_XID_FIRST_NORMAL)
        return xid == 0 ? PS_PG_ABORTED : PS_PG_COMMITTED;
    if (is_beyond_next(x, xid))
        return PS_PG_UNKNOWN;
    byte = bytes_at(x, &x->xact, xid / a_segment, at, 1);
    if (!byte)
        return PS_PG_UNKNOWN;
    status = (unsigned)(*byte >> (xid % 4 * 2)) & 3u;
    if (status == STATUS_COMMITTED)
        return PS_PG_COMMITTED;
    if (status == STATUS_ABORTED)
        return PS_PG_ABORTED;
    /* Neither: it ran when the server ended. Log that was not replayed may say that it committed.
     */
    if (x->older || ps_pg_not_recovered(x->cluster))
        return PS_PG_UNKNOWN;
    return is_prepared(x, xid) ? PS_PG_RUNNING : PS_PG_ABORTED;
}

/* --- multixacts --------------------------------------------------------------------------- */

/* Where the members of a multixact begin, as if all members of all lay end to end. */
static bool offset_of(struct ps_pg_xacts *x, uint32_t multi, uint32_t *ret)
{
    uint32_t a_segment = offsets_a_page(x) * SLRU_PAGES;
    const uint8_t *offset = bytes_at(x, &x->offsets, multi / a_segment, multi % a_segment * 4, 4);

    if (offset)
        *ret = ps_get32_at(offset);
    return offset != NULL;
}

static bool member_at(struct ps_pg_xacts *x, uint32_t offset, struct ps_pg_member *ret)
{
    uint32_t page = offset / members_a_page(x), within = offset % members_a_page(x);
    uint32_t at = page % SLRU_PAGES * x->block_size + within / GROUP_MEMBERS * GROUP_BYTES;
    const uint8_t *group = bytes_at(x, &x->members, page / SLRU_PAGES, at, GROUP_BYTES);
    uint32_t nth = within % GROUP_MEMBERS;

    if (!group)
        return false;
    ret->xid = ps_get32_at(group + GROUP_MEMBERS + nth * 4);
    ret->status = (uint8_t)(ps_get32_at(group) >> (nth * 8)) & MEMBER_STATUS_MASK;
    return true;
}

ps_err ps_pg_multi_members(struct ps_pg_xacts *x, uint32_t multi,
                           bool (*each)(void *ctx, const struct ps_pg_member *member), void *ctx)
{
    uint32_t next = multi + 1 == 0 ? 1 : multi + 1; /* 0 is no multixact */
    bool is_last = x->next_known && next == x->next_multi;
    uint32_t at, end = x->next_offset;
    struct ps_pg_member member;

    if (x->next_known && (int32_t)(multi - x->next_multi) >= 0)
        return ps_fail(PS_ERR_NOENT, "multixact %" PRIu32 " is beyond the next one, %" PRIu32,
                       multi, x->next_multi);
    if (!offset_of(x, multi, &at) || at == 0 || (!is_last && !offset_of(x, next, &end)) || end == 0)
        return ps_fail(PS_ERR_NOENT, "multixact %" PRIu32 ": pg_multixact/offsets lacks it", multi);
    if (end - at > MEMBERS_MAX)
        return ps_fail(PS_ERR_CORRUPT,
                       "multixact %" PRIu32 ": has %" PRIu32 " members, which cannot be", multi,
                       end - at);
    for (; at != end; at++) {
        if (!member_at(x, at, &member))
            return ps_fail(PS_ERR_NOENT, "multixact %" PRIu32 ": pg_multixact/members lacks it",
                           multi);
        /* Offset 0 is left out where the numbers wrap around. */
        if (member.xid != 0 && !each(ctx, &member))
            break;
    }
    return PS_OK;
}
