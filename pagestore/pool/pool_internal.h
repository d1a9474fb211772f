/*
 * pool_internal.h - frames, their state word, and what the files of the pool share.
 *
 * Flow       pool.c (pin, latch, unpin), pool_reserve.c (frames set aside for requests),
 *            pool_flush.c (checkpoints, the cleaner) -> pool_map.c (a page's frame), pool_victim.c
 *            (a free frame; pool_policy.c says which one to empty), pool_writeback.c (a page to its
 *            file) -> provider
 * Units      frames count from 0; usage and heat are counts of accesses; LSNs are log bytes.
 * Ownership  a PRIVATE frame is its thread's; any other is the pool's, and a pin keeps it where it
 *            is. A copy buffer belongs to a batch of writes until that has been run.
 * Locking    latch, part.mtx, then any one of reserve_mtx, policy_mtx, dirty_mtx, load_wait.mtx,
 *            then runs_mtx. State words are atomic and change under none of these, but for the
 *            flags that the invariants below bind to one.
 * Errors     a load that failed tells all who wait for it by load_err; a write that failed tells
 *            its batch, and the page stays dirty.
 * Promise    the invariants below, which ps_pool_check() walks.
 *
 * A frame is in one of five conditions, and its state word says which:
 *
 *   FREE      no pins, no flags; its index lies on the free stack
 *   PRIVATE   one pin, no flags; the thread that took it is the only one that knows it
 *   LOADING   in the map; pinned by its loader and by those who wait for it. A page made with
 *             PS_PIN_NEW or PS_PIN_OVERWRITE stays so, latched, until its maker marks it dirty
 *   VALID     in the map and known to the policy; may be SEALED, DIRTY, WRITING
 *   DETACHED  in no map, but still pinned; becomes FREE with the last unpin
 *
 * Invariants:
 *   - the tag changes only while PRIVATE, and each way back to PRIVATE or FREE raises the version:
 *     a thread that reads the state, then the tag, and then changes that same state has read the
 *     right tag
 *   - DIRTY and WRITING change under dirty_mtx only; a frame is on the dirty list exactly while it
 *     has one of them; WRITING frames are neither evicted nor detached nor written twice
 *   - pinned frames are not evicted; internal pins (write-back, victims) end without waiting for
 *     anybody's reservation, so that a reservation can always be honoured
 *   - reserved + long_frames <= frames
 *
 * Whoever has WRITING frames waits for the log and the disk only: never for a latch, a buffer,
 * another's write or a victim.
 */
#ifndef PS_POOL_POOL_INTERNAL_H
#define PS_POOL_POOL_INTERNAL_H

#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/wait.h"
#include "pool/access_log.h"
#include "pool/pool.h"
#include "pool/rivals.h"
#include "wal/wal.h"

/* --- the state word ------------------------------------------------------------------------- */

#define PS_ST_PIN 1ull
#define PS_ST_PINS 0x3ffffull
#define PS_ST_USAGE_SHIFT 18
#define PS_ST_USAGE_ONE (1ull << PS_ST_USAGE_SHIFT)
#define PS_ST_USAGE (7ull << PS_ST_USAGE_SHIFT)
#define PS_ST_VALID (1ull << 21)
#define PS_ST_DIRTY (1ull << 22)
#define PS_ST_WRITING (1ull << 23)
#define PS_ST_LOADING (1ull << 24)
#define PS_ST_SEALED (1ull << 25)
#define PS_ST_DETACHED (1ull << 26)
#define PS_ST_FLAGS (0x3full << 21)
#define PS_ST_HEAT_SHIFT 27 /* hits that the frame's heat does not have yet */
#define PS_ST_HEAT_ONE (1ull << PS_ST_HEAT_SHIFT)
#define PS_ST_HEAT (31ull << PS_ST_HEAT_SHIFT)
#define PS_ST_VERSION_SHIFT 32
#define PS_ST_VERSION_ONE (1ull << PS_ST_VERSION_SHIFT)

static_assert(PS_USAGE_MAX <= (PS_ST_USAGE >> PS_ST_USAGE_SHIFT), "usage has three bits");

static inline uint32_t ps_st_pins(uint64_t state)
{
    return (uint32_t)(state & PS_ST_PINS);
}

static inline uint32_t ps_st_usage(uint64_t state)
{
    return (uint32_t)((state & PS_ST_USAGE) >> PS_ST_USAGE_SHIFT);
}

static inline uint32_t ps_st_heat(uint64_t state)
{
    return (uint32_t)((state & PS_ST_HEAT) >> PS_ST_HEAT_SHIFT);
}

static inline uint32_t ps_st_version(uint64_t state)
{
    return (uint32_t)(state >> PS_ST_VERSION_SHIFT);
}

/* Whether a frame could be evicted now, with clean_only if it is not dirty. */
static inline bool ps_st_may_go(uint64_t state, bool clean_only)
{
    if (!(state & PS_ST_VALID) || (state & PS_ST_WRITING) || ps_st_pins(state) > 0)
        return false;
    return !(clean_only && (state & PS_ST_DIRTY));
}

/* Whether a frame could be written now and is in nobody's use. */
static inline bool ps_st_idle_dirty(uint64_t state)
{
    return (state & PS_ST_DIRTY) && ps_st_may_go(state, false);
}

/* --- frames --------------------------------------------------------------------------------- */

/* A tag as two words that look-ups compare. */
struct ps_pool_key {
    uint64_t space; /* provider, table, fork */
    uint32_t page;
};

/* A hit touches none of this: state words are in an array of their own, and a core's cache holds
 * eight times as many of them. */
struct ps_frame {
    struct ps_page page;        /* first: a struct ps_page * is a struct ps_frame * */
    _Atomic uint64_t *state;    /* its own, for those who are in no hurry */
    _Atomic uint64_t key_space; /* the tag once more, for those who look without a pin */
    _Atomic uint32_t key_page;
    _Atomic uint32_t heat; /* pool_heat.c */
};
static_assert(sizeof(struct ps_frame) == 64, "a frame's number is a shift away");

/* The rest. */
struct ps_frame_cold {
    struct ps_rwlock latch;
    uint64_t rec_lsn;         /* guarded by dirty_mtx: while DIRTY, where its first change lies */
    uint64_t writing_rec_lsn; /* guarded by dirty_mtx: while WRITING, rec_lsn of what is written */
    uint32_t dirty_prev;      /* guarded by dirty_mtx */
    uint32_t dirty_next;      /* guarded by dirty_mtx */
    uint32_t settled_version; /* guarded by dirty_mtx: one more than the version that the cleaner
                                 wrote as settled, 0: none */
    uint32_t long_pins;       /* guarded by reserve_mtx */
    bool known;               /* guarded by policy_mtx: to the policy */
    ps_err load_err; /* set before LOADING ends; PS_OK without VALID: look the page up again */
};

struct ps_pool_part {
    struct ps_mutex mtx; /* rank POOL_MAP; guards the chains of its buckets */
} __attribute__((aligned(64)));

/* Threads that wait for a LOADING frame, by frame number. */
struct ps_load_wait {
    struct ps_mutex mtx; /* rank POOL */
    struct ps_cond cond;
} __attribute__((aligned(64)));

/* Counters that every access touches, spread so that threads rarely share a line. The first thread
 * that comes to a stripe owns it and counts without a locked instruction, as nobody else writes
 * `owned`; threads that find it taken share `hits`. A dead owner's name may come back as another
 * thread's, which then is the only one of that name. */
struct ps_pool_stripe {
    _Atomic uint64_t owner; /* name of a thread, 0: none yet */
    _Atomic uint64_t owned;
    _Atomic uint64_t hits;
} __attribute__((aligned(64)));

struct ps_pool_counters {
    _Atomic uint64_t misses, evictions, dirty_evictions;
    _Atomic uint64_t pages_loaded, pages_ahead, load_errors;
    _Atomic uint64_t pages_written, write_errors, cleaner_pages, write_batches;
    _Atomic uint64_t reserve_waits, latch_waits, load_waits, pins_refused;
    _Atomic uint64_t victim_waits, victim_writes, victim_retries, sweep_frames;
};

#define PS_POOL_FRAMES_MAX (1u << 30)
#define PS_POOL_PARTS 64u
#define PS_POOL_STRIPES PS_ACCESS_STRIPES
#define PS_POOL_LOAD_WAITS 64u
#define PS_POOL_PROVIDERS 8u
#define PS_POOL_BATCH_MAX 128u
#define PS_POOL_UPCOMING_MAX 1024u /* how far ahead of evictions the cleaner looks */
#define PS_POOL_BATCH_BYTES (1024u * 1024u)

struct ps_reserve_wait; /* pool_reserve.c */
struct ps_pin_notes;    /* pool_pins.c */

struct ps_pool {
    /* Set at creation. */
    struct ps_frame *frames;
    struct ps_frame_cold *cold;
    _Atomic uint64_t *states;  /* one a frame */
    _Atomic uint32_t *changes; /* one a frame: odd while the latch is held exclusively */
    struct ps_pool_run *runs;  /* pool_map.h: buckets, then what hangs off them */
    unsigned bucket_bits;
    uint32_t frame_count;
    uint32_t page_size;
    _Atomic uint32_t heat_period; /* read at each hit, written every few minutes */
    struct ps_evict_pool evict_calls;
    struct ps_access_log hit_log; /* drained under policy_mtx */
    struct ps_rivals rivals;      /* rate is read at each access */
    _Atomic bool wants_hits;      /* of the policy; read at each hit */
    const struct ps_evict_ops *_Atomic policy;
    struct ps_wal *wal;
    struct ps_io *io;
    struct ps_poison *poison;
    struct ps_trace *trace;
    void (*want_clean)(void *ctx);
    void *ctx;
    uint32_t clean_every; /* evictions from one want_clean to the next; with more frames free than
                             that, nothing is cleaned ahead of eviction */
    struct ps_provider *providers[PS_POOL_PROVIDERS];
    struct ps_arena frame_arena, state_arena, map_arena, data_arena, copy_arena;
    uint32_t batch_pages;       /* most pages in one batch of writes */
    struct ps_pin_notes *notes; /* where pages were pinned; NULL without PS_DEBUG_PINS */

    /* Read at each unpin, written when a victim is waited for. */
    _Atomic uint32_t victim_waiters;

    struct ps_mutex reserve_mtx;          /* rank POOL */
    struct ps_cond reserve_cond;          /* something was released, or cannot be any more */
    struct ps_reserve_wait *reserve_head; /* guarded by reserve_mtx, as what follows */
    struct ps_reserve_wait *reserve_tail;
    uint32_t reserved;
    uint32_t long_frames; /* frames with long pins */
    uint32_t long_pins;

    struct ps_mutex policy_mtx; /* rank POOL; guards the policy and the free stack */
    struct ps_evict *evict;
    struct ps_cond victim_cond; /* a frame may have become evictable */
    uint32_t *free_frames;
    uint32_t free_count;
    bool choosing;      /* a victim is asked for now: refusals count */
    bool clean_only;    /* the victim asked for now must be clean */
    uint32_t looked_at; /* frames that the policy has asked about since this was 0 */
    uint64_t victims_pinned;
    uint64_t victims_writing;

    struct ps_mutex runs_mtx; /* rank LEAF; guards the runs that are in no chain */
    uint32_t free_run;        /* linked by next; 0: none */
    uint32_t runs_used;       /* those behind have been in no chain yet */

    struct ps_mutex dirty_mtx; /* rank POOL; guards the dirty list, DIRTY, WRITING, copy buffers */
    struct ps_cond written_cond; /* some write ended, or a copy buffer came back */
    uint32_t dirty_head;         /* the list: in order of becoming dirty */
    uint32_t dirty_tail;
    uint32_t listed_count;
    _Atomic uint32_t dirty_count; /* of these, DIRTY ones; read without the mutex, too */
    uint32_t writing_count;       /* of these, WRITING ones */
    uint32_t writing_max;         /* the most there ever were */
    uint32_t *free_copies;
    uint32_t free_copy_count;
    uint32_t copy_count;

    struct ps_pool_part parts[PS_POOL_PARTS];
    struct ps_load_wait load_waits[PS_POOL_LOAD_WAITS];
    struct ps_pool_stripe stripes[PS_POOL_STRIPES];
    struct ps_pool_counters counters;
};

static inline struct ps_frame *ps_frame_of(struct ps_page *page)
{
    return (struct ps_frame *)page;
}

static inline uint32_t ps_frame_no(const struct ps_pool *pool, const struct ps_frame *f)
{
    return (uint32_t)(f - pool->frames);
}

static inline struct ps_frame_cold *ps_frame_cold(struct ps_pool *pool, const struct ps_frame *f)
{
    return &pool->cold[f - pool->frames];
}

static inline uint64_t ps_frame_state(const struct ps_frame *f)
{
    return atomic_load(f->state);
}

static inline struct ps_pool_key ps_pool_key(const struct ps_tag *tag)
{
    return (struct ps_pool_key){
        .space = (uint64_t)tag->provider << 48 | (uint64_t)tag->table << 16 | tag->fork,
        .page = tag->page,
    };
}

static inline struct ps_tag ps_pool_key_tag(const struct ps_pool_key *key)
{
    return (struct ps_tag){
        .provider = (uint16_t)(key->space >> 48),
        .table = (uint32_t)(key->space >> 16),
        .fork = (uint16_t)key->space,
        .page = key->page,
    };
}

static inline int ps_pool_key_cmp(const struct ps_pool_key *a, const struct ps_pool_key *b)
{
    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    return (a->page > b->page) - (a->page < b->page);
}

/* Of whatever page the frame has just now. */
static inline struct ps_pool_key ps_frame_key(const struct ps_frame *f)
{
    return (struct ps_pool_key){
        .space = atomic_load(&f->key_space),
        .page = atomic_load(&f->key_page),
    };
}

static inline uint64_t ps_pool_key_hash(const struct ps_pool_key *key)
{
    uint64_t h = key->space * 0x9e3779b97f4a7c15ull + key->page;

    h ^= h >> 32;
    return h * 0xd6e8feb86659fd93ull;
}

/* --- pool_map.c: from a page's name to its frame -------------------------------------------- */

enum ps_found {
    PS_FOUND_NONE,
    PS_FOUND_VALID,    /* pinned */
    PS_FOUND_LOADING,  /* pinned; wait for it */
    PS_FOUND_INSERTED, /* the frame given is in the map now, LOADING */
};

/* Takes memory: the pool's frame_count is set. */
PS_MUST_USE ps_err ps_pool_map_init(struct ps_pool *pool);

/* Pins it, deciding under the partition's mutex. Where it is in no frame, `mine` (PRIVATE, tag
 * set; may be NULL) takes its place in the map. */
enum ps_found ps_pool_map_pin(struct ps_pool *pool, const struct ps_pool_key *key,
                              struct ps_frame *mine, struct ps_frame **ret);

/* The partition that guards a key, locked. */
struct ps_pool_part *ps_pool_map_lock(struct ps_pool *pool, const struct ps_pool_key *key);
/* The page's frame, NULL if none; holding that lock. */
struct ps_frame *ps_pool_map_find(struct ps_pool *pool, const struct ps_pool_key *key);
void ps_pool_map_unlink(struct ps_pool *pool, struct ps_frame *f);
/* Frames in all runs; more than there are where a chain goes in circles. For checks. */
uint32_t ps_pool_map_count(const struct ps_pool *pool);

/* Pins a frame seen before, if it still holds the same page. */
bool ps_frame_pin_version(struct ps_frame *f, uint32_t version);

/* --- pool_victim.c: where free frames come from --------------------------------------------- */

/* Takes a free frame, or empties one; PRIVATE. Waits for pins and writes of others to end, never
 * for reservations. The error is that of a victim that could not be written, and comes only where
 * no clean one was there. */
PS_MUST_USE ps_err ps_pool_take_frame(struct ps_pool *pool, struct ps_frame **ret);
/* From PRIVATE, or DETACHED with the last pin gone, to FREE. */
void ps_pool_free_frame(struct ps_pool *pool, struct ps_frame *f);
/* Wakes those who wait for a victim, if any do. */
void ps_pool_wake_victims(struct ps_pool *pool);
/* Ends LOADING without a page: out of the map, DETACHED. PS_OK: those who wait look again. */
void ps_pool_abort_load(struct ps_pool *pool, struct ps_frame *f, ps_err err);
/* Waits until a LOADING frame, pinned, is not so any more. */
void ps_pool_wait_load(struct ps_pool *pool, struct ps_frame *f);
/* Ends LOADING: from now on the frame is VALID, with these flags. */
void ps_pool_publish(struct ps_pool *pool, struct ps_frame *f, uint64_t flags);
/* The same, SEALED, of a page that nobody has asked for: its first access is still to come. */
void ps_pool_publish_ahead(struct ps_pool *pool, struct ps_frame *f);

/* --- pool_policy.c: what the policy is told -------------------------------------------------- */

/* Takes memory; the pool's frame_count is set. */
PS_MUST_USE ps_err ps_pool_policy_init(struct ps_pool *pool, const struct ps_evict_ops *policy);
void ps_pool_policy_deinit(struct ps_pool *pool);
/* Tells the policy of a frame that is about to be VALID. */
void ps_pool_policy_insert(struct ps_pool *pool, struct ps_frame *f);
/* Tells it that the frame is VALID no more; evicted: to make room. */
void ps_pool_policy_remove(struct ps_pool *pool, struct ps_frame *f, bool evicted);
/* Notes a hit on a pinned frame, for a policy that wants it. */
void ps_pool_note_hit(struct ps_pool *pool, unsigned stripe, const struct ps_frame *f);
/* Tells the policy what was noted there; under policy_mtx. */
void ps_pool_tell_hits(struct ps_pool *pool, unsigned stripe);
/* Notes an access to a page of the rivals' sample. */
void ps_pool_note_sampled(struct ps_pool *pool, unsigned stripe, const struct ps_tag *tag);

/* --- pool_writeback.c: the dirty list, and the way of a page to its file -------------------- */

/* What a batch of writes knows of its pages. */
struct ps_write_batch {
    const char *reason; /* for the trace */
    uint32_t count;
    uint64_t lsn; /* highest of its pages */
    ps_err err;   /* of the first page that failed, as batches are written */
    uint32_t written;
    uint32_t frames[PS_POOL_BATCH_MAX];
    uint32_t copies[PS_POOL_BATCH_MAX];
    struct ps_store_page pages[PS_POOL_BATCH_MAX];
};

enum ps_batch_add {
    PS_BATCH_ADDED,
    PS_BATCH_CLEAN, /* nothing to write */
    /* from here on: come again */
    PS_BATCH_LATCHED, /* somebody changes it now */
    PS_BATCH_WRITING, /* somebody writes it now */
    PS_BATCH_NO_COPY, /* all copy buffers are in use */
};

void ps_write_batch_init(struct ps_write_batch *b, const char *reason);
/* Copies a pinned page for writing, if that can be done without waiting. */
enum ps_batch_add ps_write_batch_add(struct ps_pool *pool, struct ps_write_batch *b,
                                     struct ps_frame *f);
/* Writes what is in the batch and empties it. Errors are in b->err. */
void ps_write_batch_run(struct ps_pool *pool, struct ps_write_batch *b, struct ps_cancel *cancel);
/* Waits for what kept ps_write_batch_add from adding a pinned page, the batch being empty. */
PS_MUST_USE ps_err ps_pool_wait_writable(struct ps_pool *pool, struct ps_frame *f,
                                         enum ps_batch_add why, struct ps_cancel *cancel);
/* Takes a frame's DIRTY away and it from the list; under dirty_mtx. */
void ps_pool_forget_dirty(struct ps_pool *pool, struct ps_frame *f);

/* --- pool_pins.c: where pages were pinned --------------------------------------------------- */

PS_MUST_USE ps_err ps_pool_notes_init(struct ps_pool *pool);
void ps_pool_notes_deinit(struct ps_pool *pool);
#ifdef PS_DEBUG_PINS
void ps_pool_forget_pin(struct ps_pool *pool, const struct ps_page *page);
#else
static inline void ps_pool_forget_pin(struct ps_pool *pool, const struct ps_page *page)
{
    (void)pool;
    (void)page;
}
#endif

/* --- pool_heat.c: which pages are accessed --------------------------------------------------- */

/* Counts the first access to the page that the frame takes. */
void ps_frame_heat_start(struct ps_pool *pool, struct ps_frame *f);
/* Counts `count` more. */
void ps_frame_heat_add(struct ps_pool *pool, struct ps_frame *f, uint32_t count);
/* With the hits that `state`, the frame's, has counted. */
uint32_t ps_frame_heat(const struct ps_frame *f, uint64_t state, uint32_t period);

/* --- pool.c --------------------------------------------------------------------------------- */

void ps_pool_unpin_frame(struct ps_pool *pool, struct ps_frame *f);
uint64_t ps_pool_count_hits(const struct ps_pool *pool);
void ps_pool_trace(struct ps_pool *pool, const char *kind, const char *reason,
                   const struct ps_frame *f);

#endif
