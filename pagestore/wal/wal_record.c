/*
 * wal_record.c - records to bytes and back.
 *
 * A record is a header, the headers of its references, its body, the references' bytes, and zeros
 * up to a multiple of 8. Its checksum begins behind the header, so that it can be computed, but
 * for the last 60 bytes, before the record has a place.
 */
#include <string.h>

#include "base/crc32c.h"
#include "wal/wal_internal.h"

/* Flags below the format id that have no meaning. */
#define REF_FLAGS_UNKNOWN \
    (((1u << PS_REF_FORMAT_SHIFT) - 1u) & ~(unsigned)(PS_REF_IMAGE | PS_REF_BEFORE))

static const uint8_t zero_pad[WAL_RECORD_ALIGN];

/* What is logged of a reference: the fields that encoding does not look at, filled in. */
static struct ps_ref ref_as_logged(const struct ps_ref *ref)
{
    struct ps_ref r = *ref;

    if (!(r.flags & PS_REF_IMAGE)) {
        r.after_len = r.len;
        r.before_off = r.off;
        r.before_len = r.len;
    }
    if (!(r.flags & PS_REF_BEFORE)) {
        r.before_off = 0;
        r.before_len = 0;
        r.before = NULL;
    }
    return r;
}

static uint64_t unpadded_len(const struct ps_record *rec)
{
    uint64_t len = WAL_RECORD_HDR_LEN + (uint64_t)rec->ref_count * WAL_REF_HDR_LEN + rec->body_len;
    struct ps_ref r;
    unsigned i;

    assert(rec->ref_count <= PS_REFS_MAX);
    for (i = 0; i < rec->ref_count; i++) {
        r = ref_as_logged(&rec->refs[i]);
        len += (uint64_t)r.after_len + r.before_len;
    }
    return len;
}

size_t ps_record_len(const struct ps_record *rec)
{
    uint64_t len = unpadded_len(rec);

    return (size_t)((len + WAL_RECORD_ALIGN - 1) & ~(uint64_t)(WAL_RECORD_ALIGN - 1));
}

static void encode_ref(const struct ps_ref *r, struct ps_ref_hdr *ret)
{
    assert(r->len <= UINT32_MAX - r->off);
    assert(!(r->flags & PS_REF_IMAGE) || (r->off == 0 && r->after_len <= r->len));
    assert(r->before_len <= r->len + r->off && r->before_off <= r->len + r->off - r->before_len);

    ret->table = ps_put32(r->table);
    ret->page = ps_put32(r->page);
    ret->fork = ps_put16(r->fork);
    ret->flags = ps_put16(r->flags);
    ret->off = ps_put32(r->off);
    ret->len = ps_put32(r->len);
    ret->after_len = ps_put32(r->after_len);
    ret->before_off = ps_put32(r->before_off);
    ret->before_len = ps_put32(r->before_len);
}

/* Hands the pieces behind the header to `piece`, in order. */
static void each_piece(const struct ps_record *rec,
                       void (*piece)(void *ctx, const void *bytes, size_t len), void *ctx)
{
    struct ps_ref_hdr hdr;
    struct ps_ref r;
    unsigned i;

    for (i = 0; i < rec->ref_count; i++) {
        r = ref_as_logged(&rec->refs[i]);
        encode_ref(&r, &hdr);
        piece(ctx, &hdr, sizeof(hdr));
    }
    piece(ctx, rec->body, rec->body_len);
    for (i = 0; i < rec->ref_count; i++) {
        r = ref_as_logged(&rec->refs[i]);
        piece(ctx, r.after, r.after_len);
        piece(ctx, r.before, r.before_len);
    }
    piece(ctx, zero_pad, (size_t)(ps_record_len(rec) - unpadded_len(rec)));
}

static void crc_piece(void *ctx, const void *bytes, size_t len)
{
    uint32_t *crc = ctx;

    if (len > 0)
        *crc = ps_crc32c_extend(*crc, bytes, len);
}

uint32_t ps_record_body_crc(const struct ps_record *rec)
{
    uint32_t crc = PS_CRC32C_INIT;

    each_piece(rec, crc_piece, &crc);
    return crc;
}

static void copy_piece(void *ctx, const void *bytes, size_t len)
{
    uint8_t **to = ctx;

    if (len > 0)
        memcpy(*to, bytes, len);
    *to += len;
}

/* The checksum's last step: the header, but for the checksum itself. */
static uint32_t header_crc(const uint8_t *buf, uint32_t body_crc)
{
    uint32_t crc = ps_crc32c_extend(body_crc, buf, offsetof(struct ps_record_hdr, crc));
    size_t from = offsetof(struct ps_record_hdr, pos);

    return ps_crc32c_finish(ps_crc32c_extend(crc, buf + from, WAL_RECORD_HDR_LEN - from));
}

void ps_record_encode(struct ps_record *rec, uint8_t *buf, uint32_t body_crc, uint64_t pos,
                      uint64_t prev)
{
    size_t len = ps_record_len(rec);
    uint8_t *to = buf + WAL_RECORD_HDR_LEN;
    struct ps_record_hdr hdr;

    assert(len <= UINT32_MAX && pos % WAL_RECORD_ALIGN == 0 && prev <= pos);
    rec->pos = pos;
    rec->lsn = pos + len;
    rec->prev = prev;

    hdr.len = ps_put32((uint32_t)len);
    hdr.crc = ps_put32(0);
    hdr.pos = ps_put64(pos);
    hdr.prev = ps_put64(prev);
    hdr.txn = ps_put64(rec->txn);
    hdr.txn_prev = ps_put64(rec->txn_prev);
    hdr.undo_next = ps_put64(rec->undo_next);
    hdr.time_us = ps_put64(rec->time_us);
    hdr.rm = rec->rm;
    hdr.type = rec->type;
    hdr.flags = rec->flags;
    hdr.ref_count = (uint8_t)rec->ref_count;
    hdr.body_len = ps_put32(rec->body_len);

    memcpy(buf, &hdr, sizeof(hdr));
    each_piece(rec, copy_piece, &to);
    assert(to == buf + len);
    rec->crc = header_crc(buf, body_crc);
    hdr.crc = ps_put32(rec->crc);
    memcpy(buf, &hdr, sizeof(hdr));
}

/* --- decoding ----------------------------------------------------------------------------- */

static struct ps_record_hdr hdr_at(const uint8_t *buf)
{
    struct ps_record_hdr hdr;

    memcpy(&hdr, buf, sizeof(hdr));
    return hdr;
}

size_t ps_record_peek_len(const uint8_t *buf, size_t avail)
{
    size_t len;

    if (avail < WAL_RECORD_HDR_LEN)
        return 0;
    len = ps_get32(hdr_at(buf).len);
    if (len < WAL_RECORD_HDR_LEN || len > avail || len % WAL_RECORD_ALIGN != 0)
        return 0;
    return len;
}

bool ps_record_peek_group_end(const uint8_t *buf)
{
    return (hdr_at(buf).flags & PS_REC_GROUP_END) != 0;
}

/* Reads a reference's header, and checks what can be checked of it alone. */
static ps_err parse_ref(const uint8_t *buf, unsigned i, struct ps_ref *ret)
{
    struct ps_ref_hdr hdr;
    struct ps_ref logged;

    memcpy(&hdr, buf, sizeof(hdr));
    ret->table = ps_get32(hdr.table);
    ret->page = ps_get32(hdr.page);
    ret->fork = ps_get16(hdr.fork);
    ret->flags = ps_get16(hdr.flags);
    ret->off = ps_get32(hdr.off);
    ret->len = ps_get32(hdr.len);
    ret->after_len = ps_get32(hdr.after_len);
    ret->before_off = ps_get32(hdr.before_off);
    ret->before_len = ps_get32(hdr.before_len);
    ret->after = NULL;
    ret->before = NULL;

    if (ret->flags & REF_FLAGS_UNKNOWN)
        return ps_fail(PS_ERR_CORRUPT, "reference %u has unknown flags %#x", i, ret->flags);
    if (ret->len > UINT32_MAX - ret->off)
        return ps_fail(PS_ERR_CORRUPT, "reference %u: offset %u and length %u overflow", i,
                       ret->off, ret->len);
    if ((ret->flags & PS_REF_IMAGE) && (ret->off != 0 || ret->after_len > ret->len))
        return ps_fail(PS_ERR_CORRUPT, "reference %u: image of %u bytes at %u in a page of %u", i,
                       ret->after_len, ret->off, ret->len);
    logged = ref_as_logged(ret);
    if (ret->after_len != logged.after_len || ret->before_off != logged.before_off ||
        ret->before_len != logged.before_len)
        return ps_fail(PS_ERR_CORRUPT, "reference %u: lengths do not fit its flags %#x", i,
                       ret->flags);
    if ((ret->flags & PS_REF_IMAGE) &&
        (ret->before_len > ret->len || ret->before_off > ret->len - ret->before_len))
        return ps_fail(PS_ERR_CORRUPT, "reference %u: before-bytes %u+%u in a page of %u", i,
                       ret->before_off, ret->before_len, ret->len);
    return PS_OK;
}

/* All pieces behind the header, which fill [buf + header, buf + len) exactly but for padding. */
static ps_err parse_pieces(const uint8_t *buf, size_t len, struct ps_record *rec)
{
    const uint8_t *at = buf + WAL_RECORD_HDR_LEN;
    ps_err err;
    unsigned i;

    if ((size_t)rec->ref_count * WAL_REF_HDR_LEN > len - WAL_RECORD_HDR_LEN)
        return ps_fail(PS_ERR_CORRUPT, "record of %zu bytes has no room for %u references", len,
                       rec->ref_count);
    for (i = 0; i < rec->ref_count; i++, at += WAL_REF_HDR_LEN) {
        err = parse_ref(at, i, &rec->refs[i]);
        if (err)
            return err;
    }
    if (ps_record_len(rec) != len)
        return ps_fail(PS_ERR_CORRUPT, "record of %zu bytes has parts for %zu", len,
                       ps_record_len(rec));

    rec->body = at;
    at += rec->body_len;
    for (i = 0; i < rec->ref_count; i++) {
        rec->refs[i].after = at;
        at += rec->refs[i].after_len;
        if (rec->refs[i].flags & PS_REF_BEFORE)
            rec->refs[i].before = at;
        at += rec->refs[i].before_len;
    }
    assert((size_t)(at - buf) <= len);
    return PS_OK;
}

ps_err ps_record_parse(const uint8_t *buf, size_t avail, uint64_t pos, struct ps_record *ret)
{
    size_t len = ps_record_peek_len(buf, avail);
    struct ps_record_hdr hdr;
    struct ps_record rec;
    unsigned i;
    ps_err err;

    if (len == 0)
        return ps_fail(PS_ERR_CORRUPT, "record length %u cannot be: %zu bytes are left",
                       avail < WAL_RECORD_HDR_LEN ? 0 : ps_get32(hdr_at(buf).len), avail);
    hdr = hdr_at(buf);
    if (ps_get64(hdr.pos) != pos)
        return ps_fail(PS_ERR_CORRUPT, "record is of log position %llu, not %llu",
                       (unsigned long long)ps_get64(hdr.pos), (unsigned long long)pos);
    if (hdr.ref_count > PS_REFS_MAX)
        return ps_fail(PS_ERR_CORRUPT, "record has %u references, at most %u can be", hdr.ref_count,
                       PS_REFS_MAX);

    rec.rm = hdr.rm;
    rec.type = hdr.type;
    rec.flags = hdr.flags;
    rec.ref_count = hdr.ref_count;
    rec.txn = ps_get64(hdr.txn);
    rec.txn_prev = ps_get64(hdr.txn_prev);
    rec.undo_next = ps_get64(hdr.undo_next);
    rec.time_us = ps_get64(hdr.time_us);
    rec.body_len = ps_get32(hdr.body_len);
    rec.pos = pos;
    rec.lsn = pos + len;
    rec.prev = ps_get64(hdr.prev);
    rec.group_lsn = 0;
    rec.crc = ps_get32(hdr.crc);
    err = parse_pieces(buf, len, &rec);
    if (err)
        return err;
    /* Most records have few references, and this is done for each record of the log. */
    memcpy(ret, &rec, offsetof(struct ps_record, refs));
    for (i = 0; i < rec.ref_count; i++)
        ret->refs[i] = rec.refs[i];
    return PS_OK;
}

ps_err ps_record_decode(const uint8_t *buf, size_t avail, uint64_t pos, struct ps_record *ret)
{
    size_t len = ps_record_peek_len(buf, avail);
    uint32_t crc, stored;

    if (len > 0) {
        crc = ps_crc32c_extend(PS_CRC32C_INIT, buf + WAL_RECORD_HDR_LEN, len - WAL_RECORD_HDR_LEN);
        crc = header_crc(buf, crc);
        stored = ps_get32(hdr_at(buf).crc);
        if (crc != stored)
            return ps_fail(PS_ERR_CORRUPT, "record crc is %08x, should be %08x", stored, crc);
    }
    return ps_record_parse(buf, avail, pos, ret);
}
