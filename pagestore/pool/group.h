/*
 * group.h - the one way in which a page changes.
 *
 * A group is a set of page changes that take effect together (a mini-transaction): its pages are
 * pinned and latched, their bytes are written, and commit logs all of it as one group of records
 * and gives every page the group's LSN. There is no other code that changes a page of a store.
 *
 *     ps_group_begin      reserves frames and log; the only step that waits for others
 *     ps_group_page       pins and latches, ascending tags; the last step that can fail
 *     ps_group_write      says which bytes will change and gives their address
 *     ps_group_commit     logs, stamps LSNs, lets everything go; cannot fail
 *
 * Between the first ps_group_write and commit nothing may fail: all checks come before.
 *
 * Flow       alloc, store, recovery -> [group] -> pool, wal
 * Units      offsets and lengths are bytes within a page.
 * Ownership  the caller owns the struct; begin is paid by one commit or one abandon.
 * Locking    one thread a group. A thread holds no page latch when it begins a group.
 * Errors     those of ps_wal_reserve, ps_pool_reserve and ps_pool_pin.
 * Promise    the first change of a page after the redo point moved logs its whole image; other
 *            changes log the bytes that were written. Images and bytes are as of commit. What a
 *            group makes with PS_PIN_NEW and then does not write is taken back.
 *
 * Records: one a page, in the order of tags. Its references are the ranges written. Of an image the
 * first reference is the whole page, with the before-bytes of the first range if those are logged;
 * those of further ranges need references of their own, whose after-bytes repeat the image's.
 */
#ifndef PS_POOL_GROUP_H
#define PS_POOL_GROUP_H

#include "pool/pool.h"
#include "wal/wal.h"

/* A transaction's thread through the log, kept by the transaction (recovery/txn.h). */
struct ps_txn_log {
    uint64_t id;
    uint64_t first_pos; /* of its first record, 0: none yet */
    uint64_t last_pos;  /* of its last record */
};

struct ps_group_env {
    struct ps_pool *pool;
    struct ps_wal *wal;
    struct ps_io *io;       /* for its wall clock */
    bool log_before_images; /* of auto-commits too (-o wal_images=both); they are never undone */
};

#define PS_GROUP_RANGES_MAX 4u
#define PS_GROUP_INLINE_PAGES 8u

struct ps_group_range {
    uint32_t off;
    uint32_t len;
};

struct ps_group_page {
    struct ps_page *page;
    bool written;
    uint32_t range_count;
    struct ps_group_range ranges[PS_GROUP_RANGES_MAX]; /* disjoint, ascending */
    uint8_t *before; /* the whole page as it was before the first write; NULL where before-bytes
                        are not logged */
};

/* Where commit writes the group's LSN, le64. */
struct ps_group_fixup {
    struct ps_page *page;
    uint32_t off;
};

struct ps_group {
    struct ps_group_env *env;
    struct ps_txn_log *txn; /* NULL: commits by itself */
    uint64_t undo_next;     /* of a compensation group */
    bool is_clr;
    uint64_t time_us; /* stands in its records; the mtime of what it changes */
    uint32_t frames;  /* reserved */
    struct ps_wal_slot slot;
    struct ps_group_page *pages; /* ascending tags */
    struct ps_group_fixup *fixups;
    uint32_t page_count;
    uint32_t fixup_count;
    struct ps_group_page inline_pages[PS_GROUP_INLINE_PAGES];
    struct ps_group_fixup inline_fixups[PS_GROUP_INLINE_PAGES];
    struct ps_record *recs;  /* room for commit; NULL: the stack will do */
    struct ps_record *extra; /* a record without pages that ends the group, or NULL; at most
                                PS_GROUP_EXTRA_MAX bytes */
};

#define PS_GROUP_EXTRA_MAX 512u

/* frames_max: pages that the group may pin, PS_LOAD_FRAMES included. bytes_max: how many bytes of
 * them it may write (callers count changed bytes only, room for images is added here).
 * All memory that commit needs is taken here and in ps_group_page, so that commit cannot fail. */
PS_MUST_USE ps_err ps_group_begin(struct ps_group *g, struct ps_group_env *env,
                                  struct ps_txn_log *txn, uint32_t frames_max, uint64_t bytes_max,
                                  struct ps_cancel *cancel);

/* The same for a compensation group: it logs no before-bytes, its records say that undo goes on at
 * undo_next, and it does not wait for max_wal, because undoing is what lets log go. */
PS_MUST_USE ps_err ps_group_begin_undo(struct ps_group *g, struct ps_group_env *env,
                                       struct ps_txn_log *txn, uint64_t undo_next,
                                       uint32_t frames_max, uint64_t bytes_max);

/* Pins a page and latches it exclusively; one that the group has already is returned again. Other
 * than that, tags must ascend (asserted). mode as in ps_pool_pin, but for PS_PIN_OVERWRITE; fmt for
 * PS_PIN_NEW. */
PS_MUST_USE ps_err ps_group_page(struct ps_group *g, const struct ps_tag *tag,
                                 enum ps_pin_mode mode, const struct ps_format *fmt,
                                 struct ps_page **ret);

/* [off, off + len) of the page is about to be written; returns its address. Ranges that overlap or
 * touch are merged; where a page would get more than PS_GROUP_RANGES_MAX, so are the two with the
 * smallest gap, and the gap counts as written. */
uint8_t *ps_group_write(struct ps_group *g, struct ps_page *page, uint32_t off, uint32_t len);

/* The same for bytes that redo derives from the group's other records (an allocation map's entry
 * of a page that the group changes): dirty, imaged at the first change, but never a record of
 * their own, nor undone. */
uint8_t *ps_group_write_implied(struct ps_group *g, struct ps_page *page, uint32_t off,
                                uint32_t len);

/* At commit the group's LSN is written to the page at off, little-endian; an image logged before
 * holds the value from before, which redo replaces. At most frames_max times a group. */
void ps_group_put_lsn(struct ps_group *g, struct ps_page *page, uint32_t off);

/* Logs, sets the LSN of each changed page (in the frame and, by its format, in the page),
 * unlatches, unpins and gives back the reservations. Returns the group's LSN, 0 if nothing was
 * written. Identity fields are for the caller to stamp, before commit, within declared ranges. */
uint64_t ps_group_commit(struct ps_group *g);

/* Lets everything go. Only before the first write. */
void ps_group_abandon(struct ps_group *g);

#endif
