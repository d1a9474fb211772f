/*
 * control.h - STORE/pagestore.control: who the store is and where recovery starts.
 *
 * Two copies, each CRC32C'd, at bytes 0 and PS_CONTROL_COPY_LEN. A write renews the first, syncs,
 * renews the second, syncs: at any moment one is whole, and after a write returned both say the
 * same, so that falling back to the other copy never means falling back to recycled log.
 *
 * Flow       store, recovery, verify -> [control] -> io
 * Units      LSNs are log bytes; times are microseconds since 1970.
 * Ownership  a ps_control is the caller's; the file is open only during a call.
 * Locking    the caller serialises writes (store.ckpt_mtx).
 * Errors     PS_ERR_CORRUPT: no copy is sound; the message says what is wrong with each.
 *            PS_ERR_UNSUPPORTED: sound, but of a version this program does not know.
 * Promise    at any moment one copy is whole, and once a write has returned both say the same.
 */
#ifndef PS_FILE_CONTROL_H
#define PS_FILE_CONTROL_H

#include "base/poison.h"
#include "io/io.h"

#define PS_CONTROL_PATH "pagestore.control"
#define PS_CONTROL_COPY_LEN 4096u
#define PS_CONTROL_VERSION 1u

enum ps_store_state {
    PS_STATE_CLEAN = 1,  /* closed after a checkpoint: page files are whole up to end_lsn */
    PS_STATE_IN_USE = 2, /* open, or crashed while it was */
};

struct ps_control {
    uint8_t uuid[16];
    uint32_t page_size;
    uint32_t segment_size;    /* bytes of a log segment */
    uint32_t state;           /* enum ps_store_state */
    uint32_t incarnation;     /* of the log; raised before every open for writing appends */
    uint64_t incarnation_lsn; /* where this incarnation's first block may stand; blocks from here
                                 on with a lower incarnation are stale */
    uint64_t redo_lsn;        /* of the block that redo starts from, with a CHECKPOINT record */
    uint64_t log_start_lsn;   /* oldest log position still needed (redo or undo) */
    uint64_t durable_lsn;     /* the log is durable at least up to here */
    uint64_t end_lsn;         /* CLEAN only: LSN of the log's last record */
    uint64_t next_txn;        /* transaction ids below may have been used */
    uint32_t next_table;      /* table ids below may have been used */
    uint64_t generation;      /* of this content; raised by ps_control_write */
    uint64_t written_us;      /* when this was written */
};

/* What was found of the two copies; for verify. */
struct ps_control_report {
    ps_err copy_err[2];
    char copy_why[2][160];     /* "" when sound */
    bool copy_has_reserved[2]; /* sound, but for bytes that have no meaning and are not zero */
    char differ[160];          /* both are sound, and no write leaves them so; "" when one does */
    uint64_t trailing;         /* bytes of the file behind the copies */
};

/* Reads the sound copy of the highest generation. report may be NULL. PS_ERR_CORRUPT also if both
 * copies are sound and of one generation, but differ. Also PS_ERR_NOENT. */
PS_MUST_USE ps_err ps_control_read(struct ps_io *io, struct ps_control *ret,
                                   struct ps_control_report *report);

/* Are the log positions consistent with each other? Whether the log is there is for recovery to
 * find out. PS_ERR_CORRUPT. */
PS_MUST_USE ps_err ps_control_check_log(const struct ps_control *control);

/* Raises control->generation and writes both copies, a sync after each; makes the file, and its
 * name durable, if it is not there. The caller sets written_us. A failure after the first byte
 * poisons the store. So does a file that is not as `control` was written or read last, and is
 * left alone then: PS_ERR_IN_USE, somebody who saw no lock works on the store, too. */
PS_MUST_USE ps_err ps_control_write(struct ps_io *io, struct ps_control *control,
                                    struct ps_poison *poison);

#endif
