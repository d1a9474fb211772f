/*
 * wal_read_at.c - one record of an open log, wherever it is: in the ring, or in a segment file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_internal.h"

static ps_err grow(uint8_t **buf, size_t *buf_len, size_t len)
{
    uint8_t *more;

    if (*buf_len >= len)
        return PS_OK;
    more = realloc(*buf, len);
    if (!more)
        return ps_fail(PS_ERR_NOMEM, "out of memory for a log record of %zu bytes", len);
    *buf = more;
    *buf_len = len;
    return PS_OK;
}

static ps_err fail_no_record(const struct ps_wal *wal, uint64_t pos)
{
    char name[WAL_NAME_LEN];

    ps_wal_seg_name(ps_wal_seg_no(wal->opts.segment_size, pos), name);
    return ps_fail(PS_ERR_CORRUPT, "%s byte %" PRIu64 ": no log record begins here", name,
                   pos % wal->opts.segment_size);
}

/* Copies the record at pos from the ring. *ret_len: its length; it was copied only if it is no
 * longer than buf_len. 0: no record there. False: pos is in the files. */
static bool copy_from_ring(struct ps_wal *wal, uint64_t pos, uint8_t *buf, size_t buf_len,
                           size_t *ret_len)
{
    uint64_t end = ps_wal_seg_end(wal->opts.segment_size, pos), tail;
    bool in_ring;

    *ret_len = 0;
    ps_mutex_lock(&wal->tail_mtx);
    tail = ps_wal_tail_pos(wal);
    in_ring = pos >= atomic_load(&wal->written_pos);
    if (in_ring && pos < tail) {
        if (end > tail)
            end = tail;
        *ret_len = ps_record_peek_len(ps_wal_ring_at(wal, pos), (size_t)(end - pos));
        if (*ret_len <= buf_len && *ret_len > 0)
            memcpy(buf, ps_wal_ring_at(wal, pos), *ret_len);
    }
    ps_mutex_unlock(&wal->tail_mtx);
    return in_ring;
}

static ps_err read_from_ring(struct ps_wal *wal, uint64_t pos, uint8_t **buf, size_t *buf_len,
                             size_t *ret_len, bool *ret_in_ring)
{
    ps_err err;

    for (;;) {
        *ret_in_ring = copy_from_ring(wal, pos, *buf, *buf_len, ret_len);
        if (!*ret_in_ring)
            return PS_OK;
        if (*ret_len == 0)
            return fail_no_record(wal, pos);
        if (*ret_len <= *buf_len)
            return PS_OK;
        err = grow(buf, buf_len, *ret_len);
        if (err)
            return err;
    }
}

/* Reads the aligned bytes that hold [pos, pos + len) of a segment, and copies these to buf. */
static ps_err read_range(struct ps_io_file *file, uint64_t off, size_t len, uint8_t *buf)
{
    uint64_t from = off & ~(uint64_t)(PS_IO_ALIGN - 1);
    size_t span = (size_t)(ps_wal_align(off + len) - from);
    uint8_t *bytes = ps_buf_alloc(span);
    ps_err err;

    if (!bytes)
        return ps_fail(PS_ERR_NOMEM, "out of memory for a log record of %zu bytes", len);
    err = ps_io_read(file, bytes, span, from, NULL);
    if (!err)
        memcpy(buf, bytes + (off - from), len);
    ps_buf_free(bytes);
    return err;
}

static ps_err read_from_open_file(struct ps_wal *wal, struct ps_io_file *file, uint64_t pos,
                                  uint8_t **buf, size_t *buf_len, size_t *ret_len)
{
    uint64_t off = pos % wal->opts.segment_size, left = wal->opts.segment_size - off;
    uint8_t hdr[WAL_RECORD_HDR_LEN];
    ps_err err;

    if (left < sizeof(hdr))
        return fail_no_record(wal, pos);
    err = read_range(file, off, sizeof(hdr), hdr);
    if (err)
        return err;
    *ret_len = ps_record_peek_len(hdr, (size_t)left);
    if (*ret_len == 0)
        return fail_no_record(wal, pos);
    err = grow(buf, buf_len, *ret_len);
    if (err)
        return err;
    return read_range(file, off, *ret_len, *buf);
}

static ps_err read_from_file(struct ps_wal *wal, uint64_t pos, uint8_t **buf, size_t *buf_len,
                             size_t *ret_len)
{
    char name[WAL_NAME_LEN];
    struct ps_io_file *file;
    ps_err err;

    ps_wal_seg_name(ps_wal_seg_no(wal->opts.segment_size, pos), name);
    err = wal->opts.io->ops->open(wal->opts.io, name, PS_IO_RDONLY, &file);
    if (err)
        return err;
    err = read_from_open_file(wal, file, pos, buf, buf_len, ret_len);
    ps_io_close(file);
    return err;
}

ps_err ps_wal_read_at(struct ps_wal *wal, uint64_t pos, uint8_t **buf, size_t *buf_len,
                      struct ps_record *ret)
{
    char name[WAL_NAME_LEN];
    bool in_ring;
    size_t len;
    ps_err err;

    if (pos % WAL_RECORD_ALIGN != 0 || pos < atomic_load(&wal->log_start_lsn) ||
        pos >= ps_wal_tail_lsn(wal))
        return ps_fail(PS_ERR_RANGE, "log position %" PRIu64 " is not within the log", pos);
    err = read_from_ring(wal, pos, buf, buf_len, &len, &in_ring);
    if (!err && !in_ring)
        err = read_from_file(wal, pos, buf, buf_len, &len);
    if (err)
        return err;
    err = ps_record_decode(*buf, len, pos, ret);
    if (err) {
        ps_wal_seg_name(ps_wal_seg_no(wal->opts.segment_size, pos), name);
        return ps_fail_in(err, "%s byte %" PRIu64, name, pos % wal->opts.segment_size);
    }
    return PS_OK;
}
