/*
 * view.h - the seam of generated files: one struct of functions a view.
 *
 * A view makes text in steps: each step adds some lines and moves a cursor on. A snapshot runs all
 * steps when the file is opened; a stream runs them as it is read. Some views take writes.
 *
 * Flow       ops, gen -> [view] -> store
 * Units      a cursor's position is the view's own: a page number, a frame, an LSN.
 * Ownership  a subject lends its table for as long as the call, or the open file, lasts.
 * Locking    a cursor is used by one thread at a time; sizes and writes by any.
 * Errors     ps_err; the text of a failed step counts as not made.
 * Promise    numbers are padded to fixed width: the length changes only with the shape of what is
 *            shown (how many pages, frames, counters).
 */
#ifndef PFS_VIEW_H
#define PFS_VIEW_H

#include "base/text.h"
#include "pagestore/table.h"

struct pfs;

/* What is shown. */
struct pfs_subject {
    struct pfs *fs;
    struct ps_table *table; /* NULL in .pagefs */
    uint32_t page;          /* of views of one page; the database's index, of views of one */
};

struct pfs_cursor {
    struct pfs_subject subject;
    struct ps_cancel *cancel;
    uint64_t at; /* 0 at the start */
    void *state; /* the view's own, NULL at the start */
    bool done;   /* set by the step that made the last text */
};

enum pfs_sizing {
    PFS_SIZE_RENDER, /* so cheap to make that making it is how its size is learned */
    PFS_SIZE_SHAPE,  /* .size computes it */
    PFS_SIZE_OPEN,   /* known while open: it depends on bytes that a stat must not read. Until then
                        .size gives a guess, not 0, as tar would not open an empty file */
    PFS_SIZE_STREAM, /* never known: made as it is read */
};

/* What is longer (by shape, or by guess) is a stream. */
#define PFS_SNAPSHOT_MAX (64u * 1024u * 1024u)

struct pfs_view {
    enum pfs_sizing sizing;
    ps_err (*size)(const struct pfs_subject *s, uint64_t *ret); /* SHAPE and OPEN only */
    ps_err (*step)(struct pfs_cursor *c, struct ps_text *out);
    void (*end)(struct pfs_cursor *c); /* gives state back; NULL: there never is any */

    /* Takes all of buf or fails. pending is the open file's, for what is not yet a whole line.
     * NULL: the view takes no writes. */
    ps_err (*write)(const struct pfs_subject *s, struct ps_text *pending, const char *buf,
                    size_t len, struct ps_cancel *cancel);
    /* The file is closed: what is pending is all there will be. NULL: nothing is ever pending. */
    ps_err (*flush)(const struct pfs_subject *s, struct ps_text *pending, struct ps_cancel *cancel);
    bool append_only; /* writes elsewhere than at the end mean nothing */
    bool checkpoints; /* a write is answered once a full checkpoint has followed it */
};

extern const struct pfs_view pfs_view_store_stats, pfs_view_store_stats_json;
extern const struct pfs_view pfs_view_table_stats, pfs_view_table_stats_json;
extern const struct pfs_view pfs_view_frames, pfs_view_wal, pfs_view_trace;
extern const struct pfs_view pfs_view_policies;
extern const struct pfs_view pfs_view_config, pfs_view_checkpoint;
extern const struct pfs_view pfs_view_metrics, pfs_view_heatmap;
extern const struct pfs_view pfs_view_checksums, pfs_view_decoded, pfs_view_items;
/* Of PostgreSQL sources. */
extern const struct pfs_view pfs_view_damage, pfs_view_notes, pfs_view_orphans, pfs_view_schema,
    pfs_view_space;
extern const struct pfs_view pfs_view_tuples, pfs_view_rows, pfs_view_dead, pfs_view_undecided;

/* One line of stats: `name value`, padded. */
void pfs_stat_line(struct ps_text *out, const struct ps_stat *stat);

/* Bytes of the file as stat shows them; 0 where that is not known without reading pages. */
PS_MUST_USE ps_err pfs_view_size(const struct pfs_view *v, const struct pfs_subject *s,
                                 uint64_t *ret);

#endif
