/*
 * wal_read.c - reading a log from its files, and telling its end from a hole.
 *
 * Blocks are followed from one to the next until one is not sound. What lies behind it decides:
 * sectors that were not synced reach the disk in any order, so sound blocks behind an unsound one
 * are normal after a crash; but if one of them, or the control file, says that the log had been
 * durable beyond the unsound one, then that one has been damaged since.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wal/wal_internal.h"

struct ps_wal_reader {
    struct ps_wal_reader_options opts;
    struct ps_wal_loader *loader;

    bool begun;           /* a block was accepted: the next three fields are its own */
    uint64_t last_lsn;    /* of the last record up to the end of that block */
    uint32_t incarnation; /* of the last accepted block */
    uint64_t pos;         /* of the block after it */

    uint64_t rec_pos;   /* next record of the accepted block */
    uint64_t block_end; /* end of its records */
    uint64_t group_lsn; /* of the group that rec_pos lies in, 0: not looked for yet */

    ps_err end_err; /* PS_OK until the end is known */
    struct ps_wal_end end;
    char message[400];
};

/* --- blocks ------------------------------------------------------------------------------- */

/* Puts segment file and byte before the message of what is wrong at pos. */
static ps_err fail_at(const struct ps_wal_reader *r, uint64_t pos, ps_err err)
{
    char name[WAL_NAME_LEN];

    ps_wal_seg_name(ps_wal_seg_no(r->opts.segment_size, pos), name);
    return ps_fail_in(err, "%s byte %" PRIu64, name, pos % r->opts.segment_size);
}

/* May a block of this incarnation stand at pos, behind what was accepted so far? */
static bool incarnation_counts(const struct ps_wal_reader *r, const struct ps_block *b)
{
    if (r->begun && b->incarnation < r->incarnation)
        return false;
    return b->pos < r->opts.incarnation_lsn || b->incarnation >= r->opts.incarnation;
}

/* Is the sound header b the successor of what was accepted? */
static ps_err check_successor(const struct ps_wal_reader *r, const struct ps_block *b)
{
    if (!incarnation_counts(r, b))
        return ps_fail(PS_ERR_CORRUPT, "block is stale: of incarnation %" PRIu32, b->incarnation);
    if (r->begun && b->prev_lsn != r->last_lsn)
        return ps_fail(PS_ERR_CORRUPT, "block follows LSN %" PRIu64 ", not %" PRIu64, b->prev_lsn,
                       r->last_lsn);
    return PS_OK;
}

/* Reads and checks the block at r->pos. PS_ERR_CORRUPT: there is no sound one. */
static ps_err read_block(struct ps_wal_reader *r, struct ps_block *ret, uint64_t *ret_last_lsn)
{
    uint64_t bad_off = 0;
    const uint8_t *bytes;
    ps_err err;

    ps_wal_loader_seek(r->loader, r->pos);
    err = ps_wal_loader_need(r->loader, r->pos, PS_WAL_BLOCK_HDR_LEN, &bytes);
    if (err == PS_ERR_NOENT)
        err = ps_fail(PS_ERR_CORRUPT, "there is no such segment file");
    if (!err)
        err = ps_block_decode(bytes, r->pos, r->opts.segment_size, r->opts.store_tag, ret);
    if (!err)
        err = check_successor(r, ret);
    if (!err)
        err = ps_wal_loader_need(r->loader, ps_wal_first_pos(r->pos), ret->payload_len, &bytes);
    if (err == PS_ERR_CORRUPT)
        return fail_at(r, r->pos, err);
    if (err)
        return err;
    err = ps_block_verify(ret, bytes, ret_last_lsn, &bad_off);
    if (err)
        return fail_at(r, r->pos + bad_off, err);
    return PS_OK;
}

static void accept_block(struct ps_wal_reader *r, const struct ps_block *b, uint64_t last_lsn)
{
    r->begun = true;
    r->last_lsn = last_lsn;
    r->incarnation = b->incarnation;
    r->rec_pos = ps_wal_first_pos(b->pos);
    r->block_end = r->rec_pos + b->payload_len;
    r->group_lsn = 0;
    r->pos = b->next;
}

/* --- end or hole -------------------------------------------------------------------------- */

/* Looks through a segment, from position `from` in it on, for a block that says the log had been
 * durable beyond r->pos. */
static ps_err find_proof_in(struct ps_wal_reader *r, uint64_t from, struct ps_block *ret,
                            bool *ret_found)
{
    const uint64_t end = ps_wal_seg_end(r->opts.segment_size, from);
    const uint8_t *bytes;
    struct ps_block b;
    uint64_t pos;
    ps_err err = PS_OK;

    ps_wal_loader_seek(r->loader, from);
    for (pos = from; pos < end && !*ret_found; pos += PS_IO_ALIGN) {
        err = ps_wal_loader_need(r->loader, pos, PS_WAL_BLOCK_HDR_LEN, &bytes);
        if (err)
            break;
        if (ps_block_decode(bytes, pos, r->opts.segment_size, r->opts.store_tag, &b) == PS_OK &&
            incarnation_counts(r, &b) && b.durable_lsn > r->pos) {
            *ret = b;
            *ret_found = true;
        }
    }
    /* A file too short: nothing more in it. None: recycled since it was listed. */
    return err == PS_ERR_CORRUPT || err == PS_ERR_NOENT ? PS_OK : err;
}

/* The same for all that lies behind r->pos. */
static ps_err find_proof(struct ps_wal_reader *r, struct ps_block *ret, bool *ret_found)
{
    const uint64_t behind = r->pos + PS_IO_ALIGN;
    uint64_t *nos = NULL, seg_pos;
    size_t count = 0, i;
    ps_err err;

    err = ps_wal_seg_list(r->opts.io, r->opts.segment_size, &nos, &count);
    for (i = 0; !err && i < count && !*ret_found; i++) {
        seg_pos = nos[i] * r->opts.segment_size;
        if (seg_pos + r->opts.segment_size > behind)
            err = find_proof_in(r, seg_pos > behind ? seg_pos : behind, ret, ret_found);
    }
    free(nos);
    return err;
}

/* There is no sound block at r->pos, and the message says why: is that the end, or a hole? */
static ps_err judge_end(struct ps_wal_reader *r)
{
    struct ps_block proof;
    char why[256], name[WAL_NAME_LEN];
    bool found = false;
    ps_err err = PS_OK;

    snprintf(why, sizeof(why), "%s", ps_message());
    r->end.end_pos = r->pos;
    r->end.last_lsn = r->last_lsn;
    snprintf(r->end.why, sizeof(r->end.why), "%.*s", (int)sizeof(r->end.why) - 1, why);

    if (r->opts.durable_lsn > r->pos)
        return ps_fail(PS_ERR_CORRUPT,
                       "%s; the control file says that the log was durable up to LSN %" PRIu64, why,
                       r->opts.durable_lsn);
    if (r->opts.known_end_lsn == 0 || r->last_lsn < r->opts.known_end_lsn)
        err = find_proof(r, &proof, &found);
    if (err)
        return err;
    if (!found)
        return ps_fail(PS_ERR_NOENT, "the log ends: %s", why);
    ps_wal_seg_name(ps_wal_seg_no(r->opts.segment_size, proof.pos), name);
    return ps_fail(PS_ERR_CORRUPT,
                   "%s; the block at %s byte %" PRIu64
                   " says that the log was durable up to LSN %" PRIu64,
                   why, name, proof.pos % r->opts.segment_size, proof.durable_lsn);
}

/* --- records ------------------------------------------------------------------------------ */

static ps_err next_block(struct ps_wal_reader *r)
{
    struct ps_block block;
    uint64_t last_lsn;
    ps_err err = read_block(r, &block, &last_lsn);

    if (!err) {
        accept_block(r, &block, last_lsn);
        return PS_OK;
    }
    if (err != PS_ERR_CORRUPT)
        return err;
    err = judge_end(r);
    if (err == PS_ERR_NOENT || err == PS_ERR_CORRUPT) {
        r->end_err = err;
        snprintf(r->message, sizeof(r->message), "%s", ps_message());
    }
    return err;
}

/* LSN of the last record of the group that begins at rec_pos, of a block that was verified. */
static uint64_t find_group_lsn(const struct ps_wal_reader *r)
{
    uint64_t pos = r->rec_pos;
    const uint8_t *at;
    bool last;

    do {
        at = ps_wal_loader_at(r->loader, pos);
        last = ps_record_peek_group_end(at);
        pos += ps_record_peek_len(at, (size_t)(r->block_end - pos));
    } while (!last && pos < r->block_end);
    return pos;
}

static ps_err next_record(struct ps_wal_reader *r, struct ps_record *ret)
{
    ps_err err;

    if (r->group_lsn == 0)
        r->group_lsn = find_group_lsn(r);
    err = ps_record_parse(ps_wal_loader_at(r->loader, r->rec_pos),
                          (size_t)(r->block_end - r->rec_pos), r->rec_pos, ret);
    if (err)
        return fail_at(r, r->rec_pos, err);
    ret->group_lsn = r->group_lsn;
    r->rec_pos = ret->lsn;
    if (r->rec_pos == r->group_lsn)
        r->group_lsn = 0;
    return PS_OK;
}

ps_err ps_wal_reader_next(struct ps_wal_reader *r, struct ps_record *rec, struct ps_wal_end *end)
{
    ps_err err = PS_OK;

    if (r->end_err) {
        *end = r->end;
        return ps_fail(r->end_err, "%s", r->message);
    }
    while (!err && r->rec_pos == r->block_end)
        err = next_block(r);
    if (r->end_err)
        *end = r->end;
    return err ? err : next_record(r, rec);
}

ps_err ps_wal_reader_open(const struct ps_wal_reader_options *opts, struct ps_wal_reader **ret)
{
    uint32_t size = opts->segment_size;
    struct ps_wal_reader *r;
    ps_err err;

    if (size < 16 * PS_IO_ALIGN || (size & (size - 1)) != 0 || opts->start_pos % PS_IO_ALIGN != 0 ||
        opts->start_pos > UINT64_MAX / 2)
        return ps_fail(PS_ERR_INVAL, "no log can be read from %" PRIu64 " in segments of %" PRIu32,
                       opts->start_pos, size);
    r = calloc(1, sizeof(*r));
    if (!r)
        return ps_fail(PS_ERR_NOMEM, "out of memory for reading the log");
    err = ps_wal_loader_open(opts->io, size, opts->start_pos, opts->ahead, &r->loader);
    if (err) {
        free(r);
        return err;
    }
    r->opts = *opts;
    r->pos = opts->start_pos;
    *ret = r;
    return PS_OK;
}

void ps_wal_reader_close(struct ps_wal_reader *r)
{
    if (!r)
        return;
    ps_wal_loader_close(r->loader);
    free(r);
}
