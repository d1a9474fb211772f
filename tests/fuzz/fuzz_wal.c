/* libFuzzer target: any bytes as the log's first segment, read to its end; and as one record. With
 * bit 0 of the first byte set, checksums are made right first, so that what lies behind them is
 * reached. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "sim_disk.h"
#include "wal/wal_internal.h"

#define SEGMENT (64u * 1024u)
#define TAG UINT64_C(0x5041474546535441)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void seal_record(uint8_t *buf, size_t len, uint64_t pos)
{
    ps_le64 le_pos = ps_put64(pos);
    uint32_t crc;
    ps_le32 le;

    memcpy(buf + offsetof(struct ps_record_hdr, pos), &le_pos, sizeof(le_pos));
    crc = ps_crc32c_extend(PS_CRC32C_INIT, buf + WAL_RECORD_HDR_LEN, len - WAL_RECORD_HDR_LEN);
    crc = ps_crc32c_extend(crc, buf, 4);
    le = ps_put32(ps_crc32c_finish(ps_crc32c_extend(crc, buf + 8, WAL_RECORD_HDR_LEN - 8)));
    memcpy(buf + offsetof(struct ps_record_hdr, crc), &le, sizeof(le));
}

/* Makes the records behind a block header right, as far as their lengths can be. */
static void seal_records(uint8_t *block, uint64_t pos, struct ps_block_hdr *hdr)
{
    size_t used = PS_WAL_BLOCK_HDR_LEN, room = SEGMENT - (size_t)pos, record_len;
    uint64_t prev = ps_get64(hdr->prev_lsn);
    uint32_t count = 0, crc = PS_CRC32C_INIT;
    ps_le64 le_prev;

    while ((record_len = ps_record_peek_len(block + used, room - used)) > 0) {
        le_prev = ps_put64(prev);
        memcpy(block + used + offsetof(struct ps_record_hdr, prev), &le_prev, sizeof(le_prev));
        seal_record(block + used, record_len, pos + used);
        crc = ps_crc32c_extend(crc, block + used + offsetof(struct ps_record_hdr, crc), 4);
        used += record_len;
        prev = pos + used;
        count++;
    }
    hdr->payload_len = ps_put32((uint32_t)(used - PS_WAL_BLOCK_HDR_LEN));
    hdr->record_count = ps_put32(count);
    hdr->records_crc = ps_put32(ps_crc32c_finish(crc));
    hdr->next = ps_put64(ps_wal_align(pos + used));
}

static void seal_segment(uint8_t *segment, bool records)
{
    struct ps_block_hdr hdr;
    uint64_t pos, next;

    for (pos = 0; pos < SEGMENT; pos = next) {
        memcpy(&hdr, segment + pos, sizeof(hdr));
        hdr.magic = ps_put32(WAL_BLOCK_MAGIC);
        hdr.pos = ps_put64(pos);
        hdr.store_tag = ps_put64(TAG);
        if (records)
            seal_records(segment + pos, pos, &hdr);
        hdr.crc = ps_put32(ps_crc32c((uint8_t *)&hdr + 8, sizeof(hdr) - 8));
        memcpy(segment + pos, &hdr, sizeof(hdr));
        next = ps_get64(hdr.next);
        if (next <= pos || next % PS_IO_ALIGN != 0)
            break;
    }
}

static void read_segment(const uint8_t *segment)
{
    struct sim_disk *disk = sim_disk_new(1);
    struct ps_io *io = sim_disk_io(disk);
    struct ps_wal_reader_options opts = {
        .io = io, .segment_size = SEGMENT, .store_tag = TAG, .incarnation_lsn = SEGMENT};
    struct ps_wal_reader *reader;
    struct ps_wal_end end = {0};
    struct ps_record rec;
    char text[400];

    if (ps_wal_create(io, SEGMENT) != PS_OK)
        abort();
    sim_disk_patch(disk, "wal/0000000000000000", 0, segment, SEGMENT);
    if (ps_wal_reader_open(&opts, &reader) != PS_OK)
        abort();
    while (ps_wal_reader_next(reader, &rec, &end) == PS_OK) {
        if (rec.group_lsn < rec.lsn || rec.group_lsn > SEGMENT)
            abort();
        ps_record_format(&rec, text, sizeof(text));
    }
    if (end.end_pos > SEGMENT || end.why[0] == '\0')
        abort();
    ps_wal_reader_close(reader);
    sim_disk_free(disk);
}

static void decode_record(const uint8_t *data, size_t len, bool seal)
{
    uint8_t *buf = malloc(len > 0 ? len : 1);
    struct ps_record rec;
    char text[400];

    if (!buf)
        return;
    if (len > 0)
        memcpy(buf, data, len);
    if (seal && ps_record_peek_len(buf, len) > 0)
        seal_record(buf, ps_record_peek_len(buf, len), 64);
    if (ps_record_decode(buf, len, 64, &rec) == PS_OK) {
        if (rec.lsn - 64 > len)
            abort();
        ps_record_format(&rec, text, sizeof(text));
    }
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *segment, flags;

    if (len == 0)
        return 0;
    flags = data[0];
    data++;
    len--;
    decode_record(data, len, flags & 1);
    segment = calloc(1, SEGMENT);
    if (!segment)
        return 0;
    memcpy(segment, data, len < SEGMENT ? len : SEGMENT);
    if (flags & 1)
        seal_segment(segment, (flags & 2) != 0);
    read_segment(segment);
    free(segment);
    return 0;
}
