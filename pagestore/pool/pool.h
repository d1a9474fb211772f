/*
 * pool.h - the buffer pool: a fixed set of page frames over any number of page files.
 *
 * Flow       store, alloc, recovery -> [pool] -> provider (load and store pages), wal (the log
 *            rule: durable up to a page's LSN before the page is written)
 * Units      frames and page numbers count from 0; LSNs are log bytes.
 * Ownership  a successful pin is one debt, paid by one unpin. page->data is valid from pin to
 *            unpin and the frame stays in place in between. Frames that a request may pin are
 *            reserved beforehand, all in one step, and the reservation is paid back.
 * Locking    all calls are thread safe. Pin, then latch: shared to read, exclusive to change;
 *            several latches in ascending tag order. No pool lock is held during I/O. A page
 *            that several threads miss at once is read once.
 * Errors     on error nothing is pinned and *ret is untouched.
 * Promise    a page reaches its file only after the log is durable up to its LSN; a dirty page
 *            whose write failed stays, dirty, in its frame; no byte changes under a write,
 *            because a sealed copy is what is written.
 *
 * One state word a frame (64 bits, atomic): pins, usage, flags (VALID, DIRTY, WRITING, LOADING,
 * SEALED, DETACHED), some hits and a version that changes whenever the frame takes another page. A
 * hit is a lock-free look-up and one compare-and-swap to pin; unpin is one atomic subtraction.
 * Look-ups race with changes of the map and may miss what is there; a miss is decided under the
 * partition's mutex.
 */
#ifndef PS_POOL_POOL_H
#define PS_POOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/poison.h"
#include "base/trace.h"
#include "io/io.h"
#include "pagestore/cancel.h"
#include "pagestore/format.h"
#include "pagestore/peek.h"
#include "pool/evict.h"

struct ps_pool;
struct ps_wal;

/* A page's full name. Ordered by provider, table, fork, page: the order of latches. */
struct ps_tag {
    uint16_t provider; /* 0: the store's own tables */
    uint16_t fork;     /* enum ps_fork */
    uint32_t table;
    uint32_t page;
};

enum ps_fork { PS_FORK_DATA = 0, PS_FORK_MAP = 1 };

int ps_tag_cmp(const struct ps_tag *a, const struct ps_tag *b);

/* A pinned page; this is the frame itself. The first fields are for everybody to read while
 * they hold a pin; lsn and data under the latch. */
struct ps_page {
    uint8_t *data;               /* page_size bytes, aligned to PS_IO_ALIGN */
    const struct ps_format *fmt; /* NULL where the provider has none */
    struct ps_tag tag;
    uint64_t lsn; /* end of the last record applied; also for pages that carry no LSN */
};

/* --- providers: where pages come from and go to --------------------------------------------- */

struct ps_load {
    struct ps_tag tag;
    void *buf;                   /* fill all of it; it counts as sealed, also if made up */
    uint64_t lsn;                /* out: of the page as loaded, 0 for none */
    const struct ps_format *fmt; /* out */
    ps_err err;                  /* out; a page with an error gets no frame */
    bool ahead; /* nobody has asked for it yet: what is wrong with it is no event */
};

struct ps_store_page {
    struct ps_tag tag;
    const struct ps_format *fmt;
    void *buf; /* a copy, sealed already */
    uint64_t lsn;
    ps_err err; /* out */
};

struct ps_provider {
    const struct ps_provider_ops *ops;
};

struct ps_provider_ops {
    /* Reads or makes up pages, checks them. Ascending tags. Called without locks, with the
     * frames LOADING: nobody else sees or changes these pages meanwhile. May pin other pages,
     * one at a time, out of the caller's reservation, which has PS_LOAD_FRAMES more for this
     * wherever a pin may load. */
    void (*load)(struct ps_provider *p, struct ps_load *loads, size_t count);
    /* Writes pages, any order between them, no sync. Ascending tags; the log rule has been kept. */
    void (*store)(struct ps_provider *p, struct ps_store_page *pages, size_t count);
    /* Computes the checksum of a page in memory. */
    void (*seal)(struct ps_provider *p, const struct ps_tag *tag, const struct ps_format *fmt,
                 void *page);
    /* A page has left the pool, having been accessed as often as heat says (ps_frame_info.heat).
     * Called without locks. May be NULL. */
    void (*evicted)(struct ps_provider *p, const struct ps_tag *tag, uint32_t heat);
};

#define PS_LOAD_FRAMES 1u

/* --- the pool ------------------------------------------------------------------------------- */

struct ps_pool_options {
    uint32_t frames; /* at least 8 */
    uint32_t page_size;
    struct ps_wal *wal; /* NULL: nothing is ever dirty (read-only sources) */
    struct ps_io *io;   /* for its clock */
    struct ps_poison *poison;
    struct ps_trace *trace; /* may be NULL */
    const struct ps_evict_ops *policy;
    /* Pages are dirty and evictions go on, so it is time for ps_pool_clean_step. Called now and
     * then, with nothing held but latches. NULL: nobody cleans. */
    void (*want_clean)(void *ctx);
    void *ctx;
};

PS_MUST_USE ps_err ps_pool_create(const struct ps_pool_options *opts, struct ps_pool **ret);
/* Writes nothing. No page may be pinned, except by long pins that leaked (ps_pool_leaks), which
 * become invalid. */
void ps_pool_destroy(struct ps_pool *pool);
/* For a log that is opened after the pool: to be called before the first page is pinned. */
void ps_pool_set_wal(struct ps_pool *pool, struct ps_wal *wal);
void ps_pool_set_provider(struct ps_pool *pool, uint16_t id, struct ps_provider *p);
/* Takes the memory of `count` frames from `first` on, at any time; a new pool's frames come into
 * use in this order. */
void ps_pool_populate(const struct ps_pool *pool, uint32_t first, uint32_t count);

/* Sets frames aside for a request. Requests queue, first come first served, until those in front of
 * them release. PS_ERR_PINNED: long pins hold so many frames that the request could never be
 * served. PS_ERR_RANGE: more frames than the pool has. PS_ERR_INTERRUPTED. */
PS_MUST_USE ps_err ps_pool_reserve(struct ps_pool *pool, uint32_t count, struct ps_cancel *cancel);
void ps_pool_release(struct ps_pool *pool, uint32_t count);
/* The same for work that nobody waits for: false if it would have to wait, or would leave others
 * less than half of the pool. */
PS_MUST_USE bool ps_pool_try_reserve(struct ps_pool *pool, uint32_t count);

enum ps_pin_mode {
    PS_PIN_LOAD,      /* read it in on a miss */
    PS_PIN_RESIDENT,  /* a miss is PS_ERR_NOENT, without a message */
    PS_PIN_NEW,       /* on a miss take a zeroed frame, clean, of format fmt: the caller writes
                         every byte. Hit or miss, the exclusive latch is taken in the same step.
                         Others wait for the page until it is marked dirty; if it is unlatched
                         before that, it is taken back and detached */
    PS_PIN_OVERWRITE, /* the same, but a frame has whatever bytes it had: for callers that put down
                         the page as a whole before anything else looks at it */
};

/* Pins a page out of a reservation that the caller holds. May write back a victim, and so may
 * wait for a log flush. PS_ERR_CORRUPT and PS_ERR_IO come from load; PS_ERR_POISONED. */
PS_MUST_USE ps_err ps_pool_pin(struct ps_pool *pool, const struct ps_tag *tag,
                               enum ps_pin_mode mode, const struct ps_format *fmt,
                               struct ps_page **ret);

/* An optimistic read (pagestore/peek.h): no pin, no latch. False: pin the page instead. */
bool ps_pool_optimistic(struct ps_pool *pool, const struct ps_tag *tag, struct ps_peek *ret);
bool ps_pool_optimistic_valid(const struct ps_peek *peek);

/* Pins many pages, in ascending order of tags, and reads missing ones in batches of up to
 * PS_LOAD_BATCH_MAX. pages[i] is NULL where errs[i] is an error; the other pages stay pinned.
 * Returns the first error in order, or PS_OK. */
#define PS_LOAD_BATCH_MAX 128u
ps_err ps_pool_pin_many(struct ps_pool *pool, const struct ps_tag *tags, size_t count,
                        struct ps_page **pages, ps_err *errs);

void ps_pool_unpin(struct ps_pool *pool, struct ps_page *page);

/* Loads those of the pages that are missing, in one batch, ahead of pins to come; this counts as
 * neither hit, miss nor access. Ascending tags, at most PS_LOAD_BATCH_MAX, out of a reservation of
 * count + PS_LOAD_FRAMES that the caller holds. A page that cannot be loaded is left for its first
 * pin to report. Returns how many were loaded. */
uint32_t ps_pool_load_ahead(struct ps_pool *pool, const struct ps_tag *tags, size_t count);

/* A long pin needs no reservation and is kept as long as its holder likes; a page takes at most
 * 131071. PS_ERR_PINNED: such pins hold every frame; never waits for one of them. */
PS_MUST_USE ps_err ps_pool_pin_long(struct ps_pool *pool, const struct ps_tag *tag,
                                    struct ps_cancel *cancel, struct ps_page **ret);
void ps_pool_unpin_long(struct ps_pool *pool, struct ps_page *page);

/* The same in two steps, for callers that take a lock in between: the reservation may wait for
 * others, the pin out of it does not. pin gives the reservation back, whatever it returns; so does
 * cancel. */
struct ps_long_pin {
    uint32_t reserved;
    enum ps_pin_mode mode; /* PS_PIN_RESIDENT: one frame is left, nothing can be loaded */
};
PS_MUST_USE ps_err ps_pool_long_begin(struct ps_pool *pool, struct ps_cancel *cancel,
                                      struct ps_long_pin *ret);
PS_MUST_USE ps_err ps_pool_long_pin(struct ps_pool *pool, const struct ps_long_pin *how,
                                    const struct ps_tag *tag, struct ps_page **ret);
void ps_pool_long_cancel(struct ps_pool *pool, const struct ps_long_pin *how);

/* Latches. shared_sealed leaves the latch held shared with a checksum that verifies: the first
 * reader after a change computes it. */
void ps_page_latch_shared(struct ps_pool *pool, struct ps_page *page);
void ps_page_latch_shared_sealed(struct ps_pool *pool, struct ps_page *page);
void ps_page_latch_exclusive(struct ps_pool *pool, struct ps_page *page);
void ps_page_unlatch(struct ps_pool *pool, struct ps_page *page);

/* Both under the exclusive latch. mark_dirty comes before the record is appended, so that a
 * checkpoint that begins in between sees the page; rec_lsn is a lower bound of where its record
 * will lie (ps_wal_tail_lsn). changed comes after: it sets page->lsn, and unseals. */
void ps_pool_mark_dirty(struct ps_pool *pool, struct ps_page *page, uint64_t rec_lsn);
void ps_pool_changed(struct ps_pool *pool, struct ps_page *page, uint64_t lsn);

/* --- write-back ----------------------------------------------------------------------------- */

struct ps_flush {
    uint64_t rec_lsn_below; /* pages whose first change since their last write lies below;
                               UINT64_MAX: all */
    bool data_only;         /* leave out allocation maps */
    bool one_table;         /* only pages of `table` */
    uint32_t table;
    bool gentle; /* in smaller batches, so that other threads get the processor sooner */
    /* Called between batches, with nothing held: done pages of total are written. May wait, to set
     * the pace. NULL: as fast as the disk allows. */
    void (*pace)(void *ctx, uint32_t done, uint32_t total);
    void *ctx;
};

/* Writes every page that matches and was dirty, or being written, when the call began, in batches
 * sorted by tag, and waits for writes of others that are under way. Syncs nothing. The cost depends
 * on what is dirty, not on the size of the pool. Returns the first error; pages that failed stay
 * dirty. */
PS_MUST_USE ps_err ps_pool_flush(struct ps_pool *pool, const struct ps_flush *what,
                                 struct ps_cancel *cancel);

/* The cleaner's step. Writes up to `max` dirty pages: those that eviction would reach soon, so that
 * misses find clean victims; and, where an eighth of the pool is dirty, those that have not changed
 * for a while and probably will not soon, so that a bulk load does not leave all the writing for
 * its end. Returns how many were written. */
uint32_t ps_pool_clean_step(struct ps_pool *pool, uint32_t max);

/* Discards frames without writing them, as the pages [first, last] of a fork are gone, or must be
 * read again. Waits for writes under way. Pinned frames are detached: their holders keep the bytes
 * until they unpin, but look-ups no longer find them. */
void ps_pool_drop(struct ps_pool *pool, uint16_t provider, uint32_t table, uint16_t fork,
                  uint32_t first, uint32_t last);
/* True if the frame's bytes have been discarded; its holder must not serve them. */
bool ps_page_detached(const struct ps_page *page);

/* Frees the frames of those of the pages [first, last] that are clean, unpinned, and were not
 * accessed more than once: by a scan, and then by nobody. The first page's frame is the next to be
 * taken. */
void ps_pool_let_go(struct ps_pool *pool, uint16_t provider, uint32_t table, uint16_t fork,
                    uint32_t first, uint32_t last);

/* Empties the pool of clean, unpinned frames. Returns how many. */
uint32_t ps_pool_drop_clean(struct ps_pool *pool);

/* --- what is going on ----------------------------------------------------------------------- */

struct ps_frame_info {
    bool valid;
    struct ps_tag tag;
    uint32_t pins;
    uint32_t usage;
    bool dirty, writing, loading, sealed;
    uint64_t lsn, rec_lsn;
    uint32_t heat; /* accesses since the page was loaded, each of which counts half as much after
                      every PS_HEAT_HALF_LIFE_US; PS_HEAT_MAX stands for that many or more */
};

struct ps_pool_stats {
    uint64_t hits, misses, evictions, dirty_evictions;
    uint64_t pages_loaded, pages_ahead, load_errors; /* ahead: of those loaded */
    uint64_t pages_written, write_errors, cleaner_pages;
    uint64_t reserve_waits, latch_waits, load_waits, pins_refused;
    uint64_t victim_waits;   /* waits because no frame could be evicted */
    uint64_t victim_writes;  /* pages written by threads that needed a frame: a dirty victim, and
                                dirty pages behind it in its file */
    uint64_t victim_retries; /* victims that were pinned or changed in the meantime */
    uint64_t sweep_frames;   /* frames that the policy looked at to find its victims */
    /* Frames that the policy passed over because they were pinned, or being written. */
    uint64_t victims_pinned, victims_writing;
    uint64_t write_batches;
    uint32_t frames, valid, dirty, pinned, long_pins, reserved;
    uint32_t writing, writing_max; /* frames being written back: now, and the most so far */
};

/*
 * Heat: which pages are accessed, for people to look at. A hit is counted in the state word, which
 * it changes anyway; when that is full, the count moves to the frame, where threads may now and
 * then lose 32 of each other's hits. Counts are halved as a whole when a period begins, so they can
 * be wrong by one period. A period begins only when ps_pool_heat_period reads the clock: what shows
 * heat calls it, and something in the background must. The first call in a period looks at every
 * frame.
 */
#define PS_HEAT_HALF_LIFE_US (5u * 60u * 1000000u)
#define PS_HEAT_MAX 0xfffffu
/* The number of the current period, modulo 4096 (two weeks). */
uint32_t ps_pool_heat_period(struct ps_pool *pool);
/* What that last returned, without reading the clock. */
uint32_t ps_pool_heat_period_seen(const struct ps_pool *pool);
/* What is left in period `to` of a count of period `from`. */
uint64_t ps_heat_cooled(uint64_t count, uint32_t from, uint32_t to);

uint32_t ps_pool_frames(const struct ps_pool *pool);
/* No frame is free: a miss needs a victim. */
bool ps_pool_is_full(struct ps_pool *pool);
void ps_pool_frame_info(struct ps_pool *pool, uint32_t frame, struct ps_frame_info *ret);
uint32_t ps_pool_frame_no(const struct ps_pool *pool, const struct ps_page *page);
/* Where the page stands if it is resident, without counting as an access. */
bool ps_pool_peek(struct ps_pool *pool, const struct ps_tag *tag, struct ps_frame_info *ret);
void ps_pool_get_stats(struct ps_pool *pool, struct ps_pool_stats *ret);
const char *ps_pool_policy(const struct ps_pool *pool);
/* Another policy takes over all frames, with what is known of their worth. May be called at any
 * time. On an error (PS_ERR_NOMEM) the old policy stays. */
PS_MUST_USE ps_err ps_pool_set_policy(struct ps_pool *pool, const struct ps_evict_ops *policy);
/* What hit ratio each policy would have had on the accesses so far, in the order of
 * ps_evict_nth(), PS_EVICT_POLICIES of them: rivals.h. */
struct ps_rival;
void ps_pool_rivals(struct ps_pool *pool, struct ps_rival *ret);
uint32_t ps_pool_page_size(const struct ps_pool *pool);

/* Walks the whole state, and aborts with a message if it contradicts itself. Nothing else may run
 * meanwhile. For debug builds and tests. */
void ps_pool_check(struct ps_pool *pool);

/* --- pins that nobody gave back ------------------------------------------------------------- */

/* Calls each with a line (without newline) for every pinned frame: "page 5 of table 2: pinned at
 * foo.c:123, 1 pin". Returns how many there are. For moments when nothing should be pinned. Places
 * are known in builds with PS_DEBUG_PINS; of several pins of one page, an unpin takes back the last
 * one of its own thread or else the last one. */
uint32_t ps_pool_leaks(struct ps_pool *pool, void (*each)(void *ctx, const char *text), void *ctx);

/* Note a pin that was just made; nothing in builds without PS_DEBUG_PINS. `file` is not copied.
 * Return err. */
PS_MUST_USE ps_err ps_pool_note_pin(struct ps_pool *pool, ps_err err, struct ps_page *const *page,
                                    const char *file, int line);
ps_err ps_pool_note_pins(struct ps_pool *pool, ps_err err, struct ps_page *const *pages,
                         size_t count, const char *file, int line);

#ifdef PS_DEBUG_PINS
/* A call in parentheses, (ps_pool_pin)(...), is the bare function. */
#define ps_pool_pin(pool, tag, mode, fmt, ret) \
    ps_pool_note_pin(pool, (ps_pool_pin)(pool, tag, mode, fmt, ret), ret, __FILE__, __LINE__)
#define ps_pool_pin_long(pool, tag, cancel, ret) \
    ps_pool_note_pin(pool, (ps_pool_pin_long)(pool, tag, cancel, ret), ret, __FILE__, __LINE__)
#define ps_pool_pin_many(pool, tags, count, pages, errs)                                      \
    ps_pool_note_pins(pool, (ps_pool_pin_many)(pool, tags, count, pages, errs), pages, count, \
                      __FILE__, __LINE__)
#endif

#endif
