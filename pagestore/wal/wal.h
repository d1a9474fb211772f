/*
 * wal.h - the write-ahead log: a stream of blocks of records in segment files.
 *
 * The log is one long line of bytes; a segment file holds `segment_size` of them at their own
 * offsets (file wal/%016x of position / segment_size). The bytes are cut into blocks: a header
 * of 64 bytes, records, padding to PS_IO_ALIGN. One flush writes one block or several; a block
 * never crosses a segment, a group never crosses a block, and a block counts only if its header
 * and every record in it are sound. So a group is there whole or not at all, and a durable
 * sector is never written again.
 *
 * Flow       pool (log rule), recovery -> [wal] -> io
 * Units      positions and LSNs are log bytes from the store's beginning; 0 means none.
 * Ownership  a reservation is a debt, paid by one append or one release.
 * Locking    thread safe. reserve may wait (for a flush, or for a checkpoint to free log): call
 *            it before any latch, and holding no other slot. append never waits and is called
 *            under page latches. Neither takes a lock where there is room, and appenders copy side
 *            by side. flush waits for the device.
 * Errors     PS_ERR_POISONED after a failed write or sync, here or elsewhere.
 * Promise    after flush(lsn) returned PS_OK every record up to lsn survives a crash. Each block
 *            says how far the log was durable when it was written, so that a hole in what was
 *            durable is told from a torn tail: the first is PS_ERR_CORRUPT, the second the end.
 *
 * Incarnations: a crash can leave sound blocks behind a torn one. They are stale. The control
 * file's incarnation is raised, and synced, before anything is appended after recovery; a block
 * counts only if its incarnation is not lower than that of the block before it, nor lower than
 * the control file's from incarnation_lsn on.
 */
#ifndef PS_WAL_WAL_H
#define PS_WAL_WAL_H

#include "base/poison.h"
#include "io/io.h"
#include "pagestore/cancel.h"
#include "wal/record.h"

#define PS_WAL_SEGMENT_DEFAULT (16u * 1024u * 1024u)
#define PS_WAL_BLOCK_HDR_LEN 64u
#define PS_WAL_DIR "wal"

struct ps_wal; /* private: wal_internal.h */

struct ps_wal_options {
    struct ps_io *io;
    struct ps_poison *poison;
    uint32_t segment_size; /* power of two; at least 16 * PS_IO_ALIGN */
    uint64_t max_wal;      /* writers wait for a checkpoint rather than let the log since
                              log_start grow past this; at least 4 * segment_size */
    uint64_t store_tag;    /* first 8 bytes of the store's UUID: a segment of another store does
                              not count */
    uint32_t incarnation;
    /* Where to go on: the end that the reader found. */
    uint64_t end_pos;       /* next block goes here; a multiple of PS_IO_ALIGN */
    uint64_t last_lsn;      /* LSN of the last record, 0: none yet */
    uint64_t redo_lsn;      /* block start of the last checkpoint's record */
    uint64_t log_start_lsn; /* segments wholly below may be recycled */
    /* Called, with nothing held, by a writer that must wait for log to be freed. Wakes the
     * checkpointer or, where there are no threads, runs a checkpoint, whose error is the
     * writer's. */
    ps_err (*want_checkpoint)(void *ctx);
    /* Called by an appender, perhaps under page latches, when a good part of the buffer waits to be
     * written. Wakes the thread that calls ps_wal_write_out and returns, so that the disk works
     * while the rest of the buffer fills. May be NULL. */
    void (*want_flush)(void *ctx);
    void *ctx;
};

/* PS_ERR_INVAL: the options make no log possible; nothing was changed. */
PS_MUST_USE ps_err ps_wal_open(const struct ps_wal_options *opts, struct ps_wal **ret);
void ps_wal_close(struct ps_wal *wal); /* flushes nothing */

/* Makes segment 0 of a new store, written and synced, and the folder. */
PS_MUST_USE ps_err ps_wal_create(struct ps_io *io, uint32_t segment_size);

struct ps_wal_slot {
    uint64_t bytes; /* 0: none held */
};

/* Longest group that a reservation may be for. */
uint64_t ps_wal_group_max(const struct ps_wal *wal);

/* Sets aside room for one group of at most `bytes` bytes of records: in the buffer, in what
 * max_wal allows, and on disk, so that neither append nor flush can fail for lack of it.
 * PS_ERR_RANGE: more than ps_wal_group_max(). PS_ERR_NOSPC: no new segment can be made.
 * PS_ERR_INTERRUPTED, _POISONED. */
PS_MUST_USE ps_err ps_wal_reserve(struct ps_wal *wal, uint64_t bytes, struct ps_cancel *cancel,
                                  struct ps_wal_slot *ret);

/* The same for what frees log: checkpoints, and undoing transactions. It may go beyond max_wal, and
 * into the segment that others must leave in reserve, and waits only for room in the buffer. */
PS_MUST_USE ps_err ps_wal_reserve_urgent(struct ps_wal *wal, uint64_t bytes,
                                         struct ps_cancel *cancel, struct ps_wal_slot *ret);
void ps_wal_release(struct ps_wal *wal, struct ps_wal_slot *slot);

/* Wakes all threads that wait in reserve or flush, so that they see that the store was poisoned
 * elsewhere. Called with no lock held. */
void ps_wal_wake(struct ps_wal *wal);

/* Appends a group and uses up the slot. redo_seen is the redo point by which the caller decided
 * which pages need images. False: it has moved since, nothing was appended, the slot stays, and the
 * caller decides again. Sets pos, lsn, prev and group_lsn of each record, GROUP_END of the last,
 * and txn_prev where the record before it in the group is of the same transaction. */
PS_MUST_USE bool ps_wal_append(struct ps_wal *wal, struct ps_wal_slot *slot, struct ps_record *recs,
                               size_t count, uint64_t redo_seen);

/* Appends a checkpoint record at the start of a new block, and makes that block's position the
 * redo point in the same step. The log is not flushed. */
void ps_wal_append_checkpoint(struct ps_wal *wal, struct ps_wal_slot *slot, struct ps_record *rec,
                              uint64_t *ret_redo_lsn);

/* Waits until the log is durable up to lsn. Callers that arrive while the device works share the
 * next flush. PS_ERR_INTERRUPTED leaves the flush to the others. PS_ERR_RANGE: no record ends at
 * lsn or behind it. */
PS_MUST_USE ps_err ps_wal_flush(struct ps_wal *wal, uint64_t lsn, struct ps_cancel *cancel);

/* Writes what has been appended so far to the files, so that the buffer has room for more. It
 * becomes durable with the next flush, or once many segments wait for that. */
PS_MUST_USE ps_err ps_wal_write_out(struct ps_wal *wal, struct ps_cancel *cancel);

uint64_t ps_wal_tail_lsn(const struct ps_wal *wal);    /* every appended record's LSN is <= this */
uint64_t ps_wal_durable_lsn(const struct ps_wal *wal); /* only grows */
uint64_t ps_wal_redo_lsn(const struct ps_wal *wal);
uint64_t ps_wal_log_start_lsn(const struct ps_wal *wal);

/* Lets go of log below log_start_lsn, once the control file says so durably. Whole segments become
 * spares, already written, or are removed when there are enough spares. */
PS_MUST_USE ps_err ps_wal_recycle(struct ps_wal *wal, uint64_t log_start_lsn);

/* Steps of background work; each returns when there is nothing left to do. */
PS_MUST_USE ps_err ps_wal_writer_step(struct ps_wal *wal); /* flush what is appended */
/* To be called now and then. If little was appended since the last call, the buffer's memory that
 * holds nothing waiting to be written goes back to the kernel. */
void ps_wal_trim(struct ps_wal *wal);
/* Makes the next segments ready. *ret_made: one had to be made. */
PS_MUST_USE ps_err ps_wal_prepare_step(struct ps_wal *wal, bool *ret_made);

/* The record at position pos, of the log since log_start, durable or not; for undo. Its append has
 * returned. buf is the caller's and grows as needed (realloc); rec points into it. group_lsn is not
 * known: it is 0.
 * PS_ERR_RANGE: outside of the log. PS_ERR_CORRUPT: no sound record begins there. */
PS_MUST_USE ps_err ps_wal_read_at(struct ps_wal *wal, uint64_t pos, uint8_t **buf, size_t *buf_len,
                                  struct ps_record *ret);

struct ps_wal_stats {
    uint64_t records, bytes_appended, images, image_bytes;
    uint64_t flushes, bytes_written, flush_waits, segments_made, segments_recycled;
    /* Not counted: callers whose token was raised before they came, and waiting for one's turn
     * behind others that wait for room. */
    uint64_t room_waits;    /* writers that waited for a checkpoint */
    uint64_t buffer_waits;  /* for the buffer to be written */
    uint64_t segment_waits; /* for a segment to be made */
};
void ps_wal_get_stats(struct ps_wal *wal, struct ps_wal_stats *ret);

/* --- reading, without an open log: recovery, verify, listings ------------------------------ */

struct ps_wal_reader; /* private */

struct ps_wal_reader_options {
    struct ps_io *io;
    uint32_t segment_size;
    uint64_t store_tag;
    uint64_t start_pos;   /* of a block: redo_lsn, or any segment's start. Of a log that is open,
                             segments that are recycled meanwhile read as a hole */
    uint32_t incarnation; /* the control file's, with incarnation_lsn */
    uint64_t incarnation_lsn;
    uint64_t durable_lsn;   /* the control file's: an end before it is a hole */
    uint64_t known_end_lsn; /* behind an end at or beyond this, no search for a hole is needed: the
                               control file's end_lsn of a store closed cleanly, or the durable LSN
                               of a log that is open. 0: unknown */
    bool ahead;             /* a thread loads what comes next: for long reads */
};

/* Where and why the log ended. */
struct ps_wal_end {
    uint64_t end_pos;  /* where the next block goes */
    uint64_t last_lsn; /* of the last record, 0: none known */
    char why[160];     /* "block header is zero", "record crc ...": what stands at the end */
};

PS_MUST_USE ps_err ps_wal_reader_open(const struct ps_wal_reader_options *opts,
                                      struct ps_wal_reader **ret);
void ps_wal_reader_close(struct ps_wal_reader *r);

/* The next record; rec points into the reader's buffer until the next call. PS_ERR_NOENT: the
 * log has ended, soundly; end tells where. PS_ERR_CORRUPT: a hole in what had been durable; the
 * message names segment file, offset and reason, and end is set too. PS_ERR_IO. */
PS_MUST_USE ps_err ps_wal_reader_next(struct ps_wal_reader *r, struct ps_record *rec,
                                      struct ps_wal_end *end);

/* Are the segment files between two positions of the log as long as the control file says? The log
 * there is durable, so each must be whole; being longer by less than a segment does no harm.
 * PS_ERR_CORRUPT names file and sizes. */
PS_MUST_USE ps_err ps_wal_check_size(struct ps_io *io, uint32_t segment_size, uint64_t from,
                                     uint64_t to);

/* The number that a file's name in PS_WAL_DIR says it has; false: it is no segment's name. */
bool ps_wal_seg_parse(const char *name, uint64_t *ret_seg_no);

/* Position of the oldest segment file that exists, for listings that start as early as possible. */
PS_MUST_USE ps_err ps_wal_oldest_pos(struct ps_io *io, uint32_t segment_size, uint64_t *ret_pos);

/* One line of the log as text, without newline: `lsn prev txn type table page offset length`,
 * then further words. Records without a page show `-`. Fixed width where it can be. */
void ps_record_format(const struct ps_record *rec, char *buf, size_t len);
#define PS_RECORD_TEXT_HEADER "lsn prev txn type table page offset length"

#endif
