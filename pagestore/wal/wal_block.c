/*
 * wal_block.c - block headers to bytes and back, and when a block is sound.
 */
#include <string.h>

#include "base/crc32c.h"
#include "wal/wal_internal.h"

#define CRC_FROM offsetof(struct ps_block_hdr, pos)

void ps_block_encode(const struct ps_block *b, uint8_t *buf)
{
    struct ps_block_hdr hdr;

    assert(b->pos % PS_IO_ALIGN == 0 && b->next % PS_IO_ALIGN == 0 && b->next > b->pos);
    hdr.magic = ps_put32(WAL_BLOCK_MAGIC);
    hdr.pos = ps_put64(b->pos);
    hdr.next = ps_put64(b->next);
    hdr.durable_lsn = ps_put64(b->durable_lsn);
    hdr.prev_lsn = ps_put64(b->prev_lsn);
    hdr.store_tag = ps_put64(b->store_tag);
    hdr.incarnation = ps_put32(b->incarnation);
    hdr.payload_len = ps_put32(b->payload_len);
    hdr.record_count = ps_put32(b->record_count);
    hdr.records_crc = ps_put32(b->records_crc);
    hdr.crc = ps_put32(0);
    hdr.crc = ps_put32(ps_crc32c((const uint8_t *)&hdr + CRC_FROM, sizeof(hdr) - CRC_FROM));
    memcpy(buf, &hdr, sizeof(hdr));
}

/* Is the header whole? */
static ps_err check_header_bytes(const uint8_t *buf, const struct ps_block_hdr *hdr)
{
    static const uint8_t zeros[PS_WAL_BLOCK_HDR_LEN];
    uint32_t crc;

    if (memcmp(buf, zeros, sizeof(zeros)) == 0)
        return ps_fail(PS_ERR_CORRUPT, "block header is zero");
    if (ps_get32(hdr->magic) != WAL_BLOCK_MAGIC)
        return ps_fail(PS_ERR_CORRUPT, "block magic is %08x, should be %08x", ps_get32(hdr->magic),
                       WAL_BLOCK_MAGIC);
    crc = ps_crc32c(buf + CRC_FROM, PS_WAL_BLOCK_HDR_LEN - CRC_FROM);
    if (crc != ps_get32(hdr->crc))
        return ps_fail(PS_ERR_CORRUPT, "block header crc is %08x, should be %08x",
                       ps_get32(hdr->crc), crc);
    return PS_OK;
}

/* Does the block lie within its segment, and its successor right behind it or in the next one? */
static ps_err check_extent(const struct ps_block *b, uint32_t segment_size)
{
    uint64_t seg_end = ps_wal_seg_end(segment_size, b->pos);
    uint64_t end = ps_wal_first_pos(b->pos) + b->payload_len;

    if (end > seg_end)
        return ps_fail(PS_ERR_CORRUPT, "block payload of %u bytes runs past its segment",
                       b->payload_len);
    if (b->next != ps_wal_align(end) && b->next != seg_end)
        return ps_fail(PS_ERR_CORRUPT, "block names %llu as its successor",
                       (unsigned long long)b->next);
    return PS_OK;
}

ps_err ps_block_decode(const uint8_t *buf, uint64_t pos, uint32_t segment_size, uint64_t store_tag,
                       struct ps_block *ret)
{
    struct ps_block_hdr hdr;
    struct ps_block b;
    ps_err err;

    memcpy(&hdr, buf, sizeof(hdr));
    err = check_header_bytes(buf, &hdr);
    if (err)
        return err;
    b.pos = ps_get64(hdr.pos);
    b.next = ps_get64(hdr.next);
    b.durable_lsn = ps_get64(hdr.durable_lsn);
    b.prev_lsn = ps_get64(hdr.prev_lsn);
    b.store_tag = ps_get64(hdr.store_tag);
    b.incarnation = ps_get32(hdr.incarnation);
    b.payload_len = ps_get32(hdr.payload_len);
    b.record_count = ps_get32(hdr.record_count);
    b.records_crc = ps_get32(hdr.records_crc);
    if (b.store_tag != store_tag)
        return ps_fail(PS_ERR_CORRUPT, "block is of store %016llx, not %016llx",
                       (unsigned long long)b.store_tag, (unsigned long long)store_tag);
    if (b.pos != pos)
        return ps_fail(PS_ERR_CORRUPT, "block is of log position %llu, not %llu",
                       (unsigned long long)b.pos, (unsigned long long)pos);
    err = check_extent(&b, segment_size);
    if (err)
        return err;
    *ret = b;
    return PS_OK;
}

/* One record of the walk below: sound, and the successor of the one before it? */
static ps_err check_record(const struct ps_block *b, const uint8_t *buf, uint64_t off,
                           uint64_t prev_lsn, struct ps_record *ret)
{
    ps_err err;

    err = ps_record_decode(buf + off, b->payload_len - off, ps_wal_first_pos(b->pos) + off, ret);
    if (err)
        return err;
    if (ret->prev != prev_lsn)
        return ps_fail(PS_ERR_CORRUPT, "record follows LSN %llu, not %llu",
                       (unsigned long long)ret->prev, (unsigned long long)prev_lsn);
    return PS_OK;
}

ps_err ps_block_verify(const struct ps_block *b, const uint8_t *buf, uint64_t *ret_last_lsn,
                       uint64_t *ret_bad_off)
{
    uint64_t off = 0, prev_lsn = b->prev_lsn;
    uint32_t count = 0, crc = PS_CRC32C_INIT;
    struct ps_record rec = {.flags = PS_REC_GROUP_END};
    ps_le32 rec_crc;
    ps_err err;

    while (off < b->payload_len) {
        *ret_bad_off = PS_WAL_BLOCK_HDR_LEN + off;
        err = check_record(b, buf, off, prev_lsn, &rec);
        if (err)
            return err;
        rec_crc = ps_put32(rec.crc);
        crc = ps_crc32c_extend(crc, &rec_crc, sizeof(rec_crc));
        count++;
        prev_lsn = rec.lsn;
        off = rec.lsn - ps_wal_first_pos(b->pos);
    }
    *ret_bad_off = 0;
    if (count != b->record_count || ps_crc32c_finish(crc) != b->records_crc)
        return ps_fail(PS_ERR_CORRUPT, "block has %u records with crc %08x, should be %u with %08x",
                       count, ps_crc32c_finish(crc), b->record_count, b->records_crc);
    if (!(rec.flags & PS_REC_GROUP_END))
        return ps_fail(PS_ERR_CORRUPT, "block ends within a group");
    *ret_last_lsn = prev_lsn;
    return PS_OK;
}
