/*
 * control.c - the control file's two copies.
 */
#include "file/control.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/byteorder.h"
#include "base/crc32c.h"
#include "base/mem.h"

#define CONTROL_MAGIC 0x4c52544354534750ull /* the bytes "PGSTCTRL" */
#define COPY_COUNT 2
#define SEGMENT_SIZE_MIN (16 * PS_IO_ALIGN)

struct control_disk {        /* FORMAT.md section 1; a layout change bumps PS_CONTROL_VERSION */
    ps_le64 magic;           /* 00-07 */
    ps_le32 version;         /* 08-11 */
    ps_le32 crc32c;          /* 12-15 over bytes 0-11 and 16-4095 of the copy */
    uint8_t uuid[16];        /* 16-31 */
    ps_le64 generation;      /* 32-39 */
    ps_le32 page_size;       /* 40-43 */
    ps_le32 segment_size;    /* 44-47 */
    ps_le32 state;           /* 48-51 */
    ps_le32 incarnation;     /* 52-55 */
    ps_le64 incarnation_lsn; /* 56-63 */
    ps_le64 redo_lsn;        /* 64-71 */
    ps_le64 log_start_lsn;   /* 72-79 */
    ps_le64 durable_lsn;     /* 80-87 */
    ps_le64 end_lsn;         /* 88-95 */
    ps_le64 next_txn;        /* 96-103 */
    ps_le32 next_table;      /* 104-107 */
    ps_le32 zero;            /* 108-111 */
    ps_le64 written_us;      /* 112-119 */
};
static_assert(sizeof(struct control_disk) == 120, "FORMAT.md section 1");
static_assert(sizeof(struct control_disk) <= 512, "a copy's fields lie in one disk sector");
static_assert(offsetof(struct control_disk, crc32c) == 12, "crc32c leaves out only itself");
static_assert(offsetof(struct control_disk, uuid) == 16, "crc32c leaves out only itself");
static_assert(offsetof(struct control_disk, page_size) == 40, "FORMAT.md section 1");
static_assert(offsetof(struct control_disk, incarnation_lsn) == 56, "FORMAT.md section 1");
static_assert(offsetof(struct control_disk, end_lsn) == 88, "FORMAT.md section 1");
static_assert(offsetof(struct control_disk, written_us) == 112, "FORMAT.md section 1");
static_assert(PS_CONTROL_COPY_LEN % PS_IO_ALIGN == 0, "copies are written by Direct I/O");

static uint32_t copy_crc(const unsigned char *copy)
{
    const size_t crc_at = offsetof(struct control_disk, crc32c);
    const size_t crc_end = crc_at + sizeof(ps_le32);
    uint32_t crc = ps_crc32c_extend(PS_CRC32C_INIT, copy, crc_at);

    crc = ps_crc32c_extend(crc, copy + crc_end, PS_CONTROL_COPY_LEN - crc_end);
    return ps_crc32c_finish(crc);
}

/* copy is PS_CONTROL_COPY_LEN zero bytes. */
static void encode(const struct ps_control *c, unsigned char *copy)
{
    struct control_disk d = {
        .magic = ps_put64(CONTROL_MAGIC),
        .version = ps_put32(PS_CONTROL_VERSION),
        .generation = ps_put64(c->generation),
        .page_size = ps_put32(c->page_size),
        .segment_size = ps_put32(c->segment_size),
        .state = ps_put32(c->state),
        .incarnation = ps_put32(c->incarnation),
        .incarnation_lsn = ps_put64(c->incarnation_lsn),
        .redo_lsn = ps_put64(c->redo_lsn),
        .log_start_lsn = ps_put64(c->log_start_lsn),
        .durable_lsn = ps_put64(c->durable_lsn),
        .end_lsn = ps_put64(c->end_lsn),
        .next_txn = ps_put64(c->next_txn),
        .next_table = ps_put32(c->next_table),
        .written_us = ps_put64(c->written_us),
    };

    memcpy(d.uuid, c->uuid, sizeof(d.uuid));
    memcpy(copy, &d, sizeof(d));
    d.crc32c = ps_put32(copy_crc(copy));
    memcpy(copy, &d, sizeof(d));
}

static void decode(const unsigned char *copy, struct ps_control *ret)
{
    struct control_disk d;

    memcpy(&d, copy, sizeof(d));
    *ret = (struct ps_control){
        .generation = ps_get64(d.generation),
        .page_size = ps_get32(d.page_size),
        .segment_size = ps_get32(d.segment_size),
        .state = ps_get32(d.state),
        .incarnation = ps_get32(d.incarnation),
        .incarnation_lsn = ps_get64(d.incarnation_lsn),
        .redo_lsn = ps_get64(d.redo_lsn),
        .log_start_lsn = ps_get64(d.log_start_lsn),
        .durable_lsn = ps_get64(d.durable_lsn),
        .end_lsn = ps_get64(d.end_lsn),
        .next_txn = ps_get64(d.next_txn),
        .next_table = ps_get32(d.next_table),
        .written_us = ps_get64(d.written_us),
    };
    memcpy(ret->uuid, d.uuid, sizeof(ret->uuid));
}

/* Values that no sound program wrote, though the checksum is right. */
static ps_err check_values(const struct ps_control *c)
{
    if (c->page_size < 4096 || c->page_size > 1048576 || (c->page_size & (c->page_size - 1)) != 0)
        return ps_fail(PS_ERR_CORRUPT,
                       "page size %" PRIu32 " is not a power of two from 4096 to 1048576",
                       c->page_size);
    if (c->segment_size < SEGMENT_SIZE_MIN || (c->segment_size & (c->segment_size - 1)) != 0)
        return ps_fail(PS_ERR_CORRUPT,
                       "segment size %" PRIu32 " is not a power of two from %" PRIu32 " on",
                       c->segment_size, SEGMENT_SIZE_MIN);
    if (c->state != PS_STATE_CLEAN && c->state != PS_STATE_IN_USE)
        return ps_fail(PS_ERR_CORRUPT, "state %" PRIu32 " is unknown", c->state);
    return PS_OK;
}

ps_err ps_control_check_log(const struct ps_control *c)
{
    const bool clean = c->state == PS_STATE_CLEAN;

    if (c->redo_lsn % PS_IO_ALIGN != 0 || c->incarnation_lsn % PS_IO_ALIGN != 0)
        return ps_fail(PS_ERR_CORRUPT,
                       "%s: no block of the log begins at %" PRIu64 " (redo LSN) or %" PRIu64
                       " (incarnation LSN)",
                       PS_CONTROL_PATH, c->redo_lsn, c->incarnation_lsn);
    if (c->log_start_lsn > c->redo_lsn || c->redo_lsn >= c->durable_lsn)
        return ps_fail(PS_ERR_CORRUPT,
                       "%s: log start %" PRIu64 ", redo LSN %" PRIu64 " and durable LSN %" PRIu64
                       " do not follow each other",
                       PS_CONTROL_PATH, c->log_start_lsn, c->redo_lsn, c->durable_lsn);
    if (clean && c->end_lsn != c->durable_lsn)
        return ps_fail(PS_ERR_CORRUPT,
                       "%s: closed at %" PRIu64 ", but the log is durable up to %" PRIu64,
                       PS_CONTROL_PATH, c->end_lsn, c->durable_lsn);
    return PS_OK;
}

/* have: bytes of the copy that the file holds. */
static ps_err copy_check(const unsigned char *copy, size_t have, struct ps_control *ret)
{
    struct control_disk d;
    uint32_t crc;

    if (have < PS_CONTROL_COPY_LEN)
        return ps_fail(PS_ERR_CORRUPT, "the file ends after %zu of its %u bytes", have,
                       PS_CONTROL_COPY_LEN);
    memcpy(&d, copy, sizeof(d));
    if (ps_get64(d.magic) != CONTROL_MAGIC)
        return ps_fail(PS_ERR_CORRUPT, "magic is %016" PRIx64 ", not %016" PRIx64,
                       ps_get64(d.magic), (uint64_t)CONTROL_MAGIC);
    crc = copy_crc(copy);
    if (ps_get32(d.crc32c) != crc)
        return ps_fail(PS_ERR_CORRUPT, "checksum is %08" PRIx32 ", its bytes give %08" PRIx32,
                       ps_get32(d.crc32c), crc);
    if (ps_get32(d.version) != PS_CONTROL_VERSION)
        return ps_fail(PS_ERR_UNSUPPORTED, "version is %" PRIu32 ", this program knows version %u",
                       ps_get32(d.version), PS_CONTROL_VERSION);
    decode(copy, ret);
    return check_values(ret);
}

/* Bytes that have no meaning. */
static bool has_reserved(const unsigned char *copy)
{
    struct control_disk d;
    size_t i;

    memcpy(&d, copy, sizeof(d));
    if (ps_get32(d.zero) != 0)
        return true;
    for (i = sizeof(d); i < PS_CONTROL_COPY_LEN; i++)
        if (copy[i] != 0)
            return true;
    return false;
}

/* Both copies are sound. A write renews the first, then the second: they are the same, or the first
 * is one generation ahead. */
static void compare_copies(const unsigned char *buf, const struct ps_control copies[COPY_COUNT],
                           struct ps_control_report *report)
{
    const uint64_t first = copies[0].generation;
    const uint64_t second = copies[1].generation;

    if (first == second && memcmp(buf, buf + PS_CONTROL_COPY_LEN, PS_CONTROL_COPY_LEN) != 0)
        snprintf(report->differ, sizeof(report->differ),
                 "both copies are of generation %" PRIu64 ", and differ", first);
    if (first != second && first != second + 1)
        snprintf(report->differ, sizeof(report->differ),
                 "copy 1 is of generation %" PRIu64 " and copy 2 of %" PRIu64
                 ": no write leaves them so",
                 first, second);
}

static ps_err read_bytes(struct ps_io *io, unsigned char *buf, size_t *ret_got,
                         uint64_t *ret_trailing)
{
    struct ps_io_file *file;
    struct ps_io_stat st;
    ps_err err = io->ops->open(io, PS_CONTROL_PATH, PS_IO_RDONLY, &file);

    if (err)
        return err;
    err = io->ops->stat(file, &st);
    if (!err)
        err = ps_io_read(file, buf, COPY_COUNT * PS_CONTROL_COPY_LEN, 0, ret_got);
    if (!err && st.size > COPY_COUNT * PS_CONTROL_COPY_LEN)
        *ret_trailing = st.size - COPY_COUNT * PS_CONTROL_COPY_LEN;
    ps_io_close(file);
    return err;
}

/* A sound copy of an unknown version decides: the store was written by a newer program, and
 * the other copy may be what that program left behind. */
static ps_err choose(const struct ps_control copies[COPY_COUNT],
                     const struct ps_control_report *report, struct ps_control *ret)
{
    const struct ps_control *best = NULL;

    for (int i = 0; i < COPY_COUNT; i++) {
        if (report->copy_err[i] == PS_ERR_UNSUPPORTED)
            return ps_fail(PS_ERR_UNSUPPORTED, "%s: %s", PS_CONTROL_PATH, report->copy_why[i]);
        if (!report->copy_err[i] && (!best || copies[i].generation > best->generation))
            best = &copies[i];
    }
    if (!best)
        return ps_fail(PS_ERR_CORRUPT,
                       "%s: both copies are damaged: copy 1 (byte 0): %s; "
                       "copy 2 (byte %u): %s",
                       PS_CONTROL_PATH, report->copy_why[0], PS_CONTROL_COPY_LEN,
                       report->copy_why[1]);
    if (report->differ[0] && copies[0].generation == copies[1].generation)
        return ps_fail(PS_ERR_CORRUPT, "%s: %s", PS_CONTROL_PATH, report->differ);
    *ret = *best;
    return PS_OK;
}

ps_err ps_control_read(struct ps_io *io, struct ps_control *ret, struct ps_control_report *report)
{
    struct ps_control copies[COPY_COUNT];
    struct ps_control_report found = {0};
    unsigned char *buf = ps_buf_alloc(COPY_COUNT * PS_CONTROL_COPY_LEN);
    size_t got = 0;
    ps_err err;

    if (!buf)
        return ps_fail(PS_ERR_NOMEM, "no memory to read %s", PS_CONTROL_PATH);
    err = read_bytes(io, buf, &got, &found.trailing);
    if (err)
        goto out_free;
    for (size_t i = 0; i < COPY_COUNT; i++) {
        size_t start = i * PS_CONTROL_COPY_LEN;

        found.copy_err[i] = copy_check(buf + start, got > start ? got - start : 0, &copies[i]);
        if (found.copy_err[i])
            snprintf(found.copy_why[i], sizeof(found.copy_why[i]), "%s", ps_message());
        else
            found.copy_has_reserved[i] = has_reserved(buf + start);
    }
    if (!found.copy_err[0] && !found.copy_err[1])
        compare_copies(buf, copies, &found);
    err = choose(copies, &found, ret);
    if (report)
        *report = found;

out_free:
    ps_buf_free(buf);
    return err;
}

static ps_err write_copies(struct ps_io_file *file, const unsigned char *copy)
{
    ps_err err = PS_OK;

    for (uint64_t i = 0; i < COPY_COUNT && !err; i++) {
        err = ps_io_write(file, copy, PS_CONTROL_COPY_LEN, i * PS_CONTROL_COPY_LEN);
        if (!err)
            err = ps_io_sync(file);
    }
    return err;
}

static ps_err open_for_write(struct ps_io *io, struct ps_io_file **ret, bool *ret_created)
{
    ps_err err = io->ops->open(io, PS_CONTROL_PATH, 0, ret);

    *ret_created = err == PS_ERR_NOENT;
    if (*ret_created)
        err = io->ops->open(io, PS_CONTROL_PATH, PS_IO_CREATE | PS_IO_EXCL, ret);
    return err;
}

/* Locks do not stop those who cannot see them, on another host or after STORE/lock was removed. A
 * file that cannot be read, or is damaged, is rewritten: what it should say is known here. */
static ps_err check_still_ours(struct ps_io *io, const struct ps_control *control)
{
    struct ps_control found;

    if (ps_control_read(io, &found, NULL) ||
        (found.generation == control->generation &&
         memcmp(found.uuid, control->uuid, sizeof(found.uuid)) == 0))
        return PS_OK;
    return ps_fail(PS_ERR_IN_USE,
                   "%s was written by another process: it is of generation %" PRIu64
                   ", not %" PRIu64,
                   PS_CONTROL_PATH, found.generation, control->generation);
}

ps_err ps_control_write(struct ps_io *io, struct ps_control *control, struct ps_poison *poison)
{
    struct ps_io_file *file;
    unsigned char *copy;
    bool created;
    ps_err err = ps_poison_check(poison);

    if (err)
        return err;
    copy = ps_buf_alloc(PS_CONTROL_COPY_LEN);
    if (!copy)
        return ps_fail(PS_ERR_NOMEM, "no memory to write %s", PS_CONTROL_PATH);
    err = open_for_write(io, &file, &created);
    if (err)
        goto out_free;

    if (!created)
        err = check_still_ours(io, control);
    if (!err) {
        control->generation++;
        encode(control, copy);
        err = write_copies(file, copy);
    }
    if (!err && created)
        err = io->ops->sync_dir(io, ".");
    if (err == PS_ERR_IN_USE)
        (void)ps_poison_raise(poison);
    else if (err)
        err = ps_poison_raise(poison);
    ps_io_close(file);

out_free:
    ps_buf_free(copy);
    return err;
}
