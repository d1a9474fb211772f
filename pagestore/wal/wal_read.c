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

#define READ_STEP (1024u * 1024u)

struct ps_wal_reader {
    struct ps_wal_reader_options opts;

    /* The segment at hand: bytes [base, loaded) of it are in buf, at their own offsets. */
    uint8_t *buf;            /* segment_size bytes */
    struct ps_io_file *file; /* NULL: none */
    uint64_t seg_no;
    uint64_t base;
    uint64_t loaded;
    bool at_eof; /* the file ends at `loaded` */

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

/* --- the segment at hand ------------------------------------------------------------------ */

static void close_segment(struct ps_wal_reader *r)
{
    ps_io_close(r->file);
    r->file = NULL;
}

/* Makes the segment of pos the one at hand, to be read from pos on. */
static ps_err open_segment(struct ps_wal_reader *r, uint64_t pos)
{
    uint64_t seg_no = ps_wal_seg_no(r->opts.segment_size, pos);
    char name[WAL_NAME_LEN];
    ps_err err;

    if (r->file && r->seg_no == seg_no)
        return PS_OK;
    close_segment(r);
    ps_wal_seg_name(seg_no, name);
    err = r->opts.io->ops->open(r->opts.io, name, PS_IO_RDONLY, &r->file);
    if (err) {
        r->file = NULL;
        return err;
    }
    r->seg_no = seg_no;
    r->base = pos % r->opts.segment_size;
    r->loaded = r->base;
    r->at_eof = false;
    return PS_OK;
}

/* Loads the segment up to byte `end`, or as far as its file goes. */
static ps_err load(struct ps_wal_reader *r, uint64_t end)
{
    uint64_t want;
    size_t got;
    ps_err err;

    assert(end <= r->opts.segment_size);
    while (r->loaded < end && !r->at_eof) {
        want = r->opts.segment_size - r->loaded;
        if (want > READ_STEP)
            want = READ_STEP;
        err = ps_io_read(r->file, r->buf + r->loaded, (size_t)want, r->loaded, &got);
        if (err)
            return err;
        r->at_eof = got < want;
        r->loaded += got;
    }
    return PS_OK;
}

/* The bytes [off, off + len) of the segment at hand. PS_ERR_CORRUPT: the file is too short. */
static ps_err need(struct ps_wal_reader *r, uint64_t off, uint64_t len, const uint8_t **ret)
{
    ps_err err = load(r, off + len);

    if (err)
        return err;
    if (r->loaded < off + len)
        return ps_fail(PS_ERR_CORRUPT, "segment file ends at byte %" PRIu64, r->loaded);
    assert(off >= r->base);
    *ret = r->buf + off;
    return PS_OK;
}

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
    uint32_t segment_size = r->opts.segment_size;
    uint64_t off = r->pos % segment_size, bad_off = 0;
    const uint8_t *bytes;
    ps_err err;

    err = open_segment(r, r->pos);
    if (err == PS_ERR_NOENT)
        return fail_at(r, r->pos, ps_fail(PS_ERR_CORRUPT, "there is no such segment file"));
    if (err)
        return err;
    err = need(r, off, PS_WAL_BLOCK_HDR_LEN, &bytes);
    if (!err)
        err = ps_block_decode(bytes, r->pos, segment_size, r->opts.store_tag, ret);
    if (!err)
        err = check_successor(r, ret);
    if (!err)
        err = need(r, off + PS_WAL_BLOCK_HDR_LEN, ret->payload_len, &bytes);
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
    r->rec_pos = b->pos + PS_WAL_BLOCK_HDR_LEN;
    r->block_end = r->rec_pos + b->payload_len;
    r->group_lsn = 0;
    r->pos = b->next;
}

/* --- end or hole -------------------------------------------------------------------------- */

/* Looks through the segment at hand, from byte `from` on, for a block that says the log had been
 * durable beyond r->pos. */
static ps_err find_proof_here(struct ps_wal_reader *r, uint64_t from, struct ps_block *ret,
                              bool *ret_found)
{
    uint64_t seg_pos = r->seg_no * r->opts.segment_size, off;
    const uint8_t *bytes;
    struct ps_block b;
    ps_err err = PS_OK;

    for (off = from; off < r->opts.segment_size && !*ret_found; off += PS_IO_ALIGN) {
        err = need(r, off, PS_WAL_BLOCK_HDR_LEN, &bytes);
        if (err)
            break;
        if (ps_block_decode(bytes, seg_pos + off, r->opts.segment_size, r->opts.store_tag, &b) ==
                PS_OK &&
            incarnation_counts(r, &b) && b.durable_lsn > r->pos) {
            *ret = b;
            *ret_found = true;
        }
    }
    return err == PS_ERR_CORRUPT ? PS_OK : err; /* a file too short: nothing more in it */
}

/* The same for all that lies behind r->pos. */
static ps_err find_proof(struct ps_wal_reader *r, struct ps_block *ret, bool *ret_found)
{
    uint64_t *nos = NULL, from, seg_pos;
    size_t count = 0, i;
    ps_err err;

    err = ps_wal_seg_list(r->opts.io, r->opts.segment_size, &nos, &count);
    for (i = 0; !err && i < count && !*ret_found; i++) {
        seg_pos = nos[i] * r->opts.segment_size;
        if (seg_pos + r->opts.segment_size <= r->pos)
            continue;
        from = seg_pos > r->pos ? 0 : r->pos - seg_pos + PS_IO_ALIGN;
        err = open_segment(r, seg_pos > r->pos ? seg_pos : r->pos);
        if (!err)
            err = find_proof_here(r, from, ret, ret_found);
        else if (err == PS_ERR_NOENT)
            err = PS_OK; /* recycled since it was listed */
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
        at = r->buf + pos % r->opts.segment_size;
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
    err = ps_record_parse(r->buf + r->rec_pos % r->opts.segment_size,
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

    if (size < 16 * PS_IO_ALIGN || (size & (size - 1)) != 0 || opts->start_pos % PS_IO_ALIGN != 0 ||
        opts->start_pos > UINT64_MAX / 2)
        return ps_fail(PS_ERR_INVAL, "no log can be read from %" PRIu64 " in segments of %" PRIu32,
                       opts->start_pos, size);
    r = calloc(1, sizeof(*r));
    if (r)
        r->buf = ps_buf_alloc(size);
    if (!r || !r->buf) {
        free(r);
        return ps_fail(PS_ERR_NOMEM, "out of memory for reading the log");
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
    close_segment(r);
    ps_buf_free(r->buf);
    free(r);
}
