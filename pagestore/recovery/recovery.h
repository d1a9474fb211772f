/*
 * recovery.h - ARIES: from the log and whatever reached the page files to the last moment that was
 * durable.
 *
 * Flow       store -> [recovery] -> alloc, group, pool, wal
 *
 *   analysis   reads the log from the redo point to its end: where the end is, which transactions
 *              had not ended, which tables were dropped. Changes nothing.
 *   redo       repeats history in the pool. Images are put down whatever the page says, other
 *              changes where the page's LSN is older. The first change of each page after the
 *              redo point is an image, so a torn page is never read. What the records imply for
 *              allocation maps follows each group.
 *   undo       takes back what unfinished transactions did, newest first, with compensation
 *              records that say how far it got.
 *
 * Each phase can be cut off anywhere and all of it started again: redo is idempotent, undo goes
 * on where its last compensation record says. Nothing is appended to the log before undo, and the
 * redo point stays until a checkpoint after undo.
 *
 * Units      positions and LSNs are log bytes.
 * Locking    runs alone, before anyone else sees the store.
 * Errors     PS_ERR_CORRUPT from analysis: the log is damaged where it had been durable, the
 *            store cannot be recovered without loss. A page that cannot be redone because it is
 *            damaged at rest is reported and left as it is: it stays EIO, the rest is recovered.
 * Promise    what had committed and was durable is in the pool afterwards, and nothing of what had
 *            not; to be cut off and to begin again changes nothing of that.
 */
#ifndef PS_RECOVERY_RECOVERY_H
#define PS_RECOVERY_RECOVERY_H

#include "file/control.h"
#include "recovery/txn.h"

/* What redo needs from the layer that knows tables and their files. */
struct ps_recovery_ops {
    /* Pages of this table follow, in this format; called again and again. */
    ps_err (*table_seen)(void *ctx, uint32_t table, const struct ps_format *fmt);
    /* The table was dropped: its files go. They may be gone already. */
    ps_err (*table_dropped)(void *ctx, uint32_t table);
    void (*page_lost)(void *ctx, const struct ps_tag *tag, ps_err err); /* ps_message() says why */
    /* Undo only, NULL while nobody else sees the store. Between lock and unlock the states of the
     * table's pages do not change; page_undone says which page undo has changed. */
    void (*table_lock)(void *ctx, uint32_t table);
    void (*page_undone)(void *ctx, const struct ps_tag *tag);
    void (*table_unlock)(void *ctx, uint32_t table);
    void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total);
    /* Analysis only: at least this many images will be applied. May be NULL. */
    void (*images_seen)(void *ctx, uint64_t images);
    bool threads; /* the log may be read ahead by one */
    void *ctx;
};

/* What analysis found. */
struct ps_analysis {
    struct ps_wal_end end;
    uint64_t records, images;
    uint64_t took_us;
    uint64_t next_txn;
    uint32_t next_table;
    struct ps_txn_log *losers; /* unfinished transactions */
    uint32_t loser_count, loser_cap;
    uint32_t *dropped; /* table ids */
    uint32_t dropped_count, dropped_cap;
};

/* What there is to recover, and whether it can be: opening and verify judge by it. PS_ERR_CORRUPT
 * also where the control file contradicts itself, or its log. ops may be NULL. */
PS_MUST_USE ps_err ps_analyze(struct ps_io *io, const struct ps_control *control,
                              const struct ps_recovery_ops *ops, struct ps_analysis *ret);
void ps_analysis_deinit(struct ps_analysis *a);

struct ps_redo_stats {
    uint64_t records, images, changes, skipped, pages_lost;
    uint64_t log_bytes; /* from the redo point to the log's end */
    uint64_t took_us;
};
PS_MUST_USE ps_err ps_redo(struct ps_io *io, const struct ps_control *control,
                           const struct ps_analysis *a, struct ps_pool *pool,
                           const struct ps_recovery_ops *ops, struct ps_redo_stats *ret);

/* Undoes what `e` did that is not undone yet and appends its ABORT record; for abort, too. A page
 * that is damaged is reported through ops->page_lost and left; the first error of another kind ends
 * it: called again, later or by the next recovery, it goes on from there. */
PS_MUST_USE ps_err ps_undo(struct ps_group_env *env, struct ps_txns *txns, struct ps_txn_entry *e,
                           const struct ps_recovery_ops *ops);

/* Does a sound record make sense in a store of this page size? References must be to possible
 * pages, in a format that their table can have, with bytes that fit the page; table records must
 * name a table, and drops one that is not the catalog. PS_ERR_CORRUPT; the message names the
 * record's position. */
PS_MUST_USE ps_err ps_record_check(const struct ps_record *rec, uint32_t page_size);

/* Reader options for the log that the control file describes. */
void ps_reader_options(const struct ps_control *control, struct ps_io *io,
                       struct ps_wal_reader_options *ret);

/* True if the page counts as all zero: postgres pages that are zero outside LSN and checksum. */
bool ps_page_is_blank(const struct ps_format *fmt, const void *page, uint32_t page_size);

#endif
