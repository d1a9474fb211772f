/*
 * pagestore.h - a page store: open it, keep it durable, see what it does.
 *
 * Flow       fs, tools -> [store] -> recovery -> pool -> wal, file -> io
 * Units      sizes and offsets are bytes, page numbers count from 0, LSNs are log bytes, times
 *            are microseconds (wall clock ones since 1970) unless a name says otherwise.
 * Ownership  open gives a store that close takes back; tables and transactions must be given back
 *            before. Strings in options are copied.
 * Locking    every call is thread safe unless it says otherwise. A caller that holds a page's
 *            latch makes no calls except those that release it.
 * Errors     ps_err, with ps_message() for people. Once a sync has failed, every change is
 *            PS_ERR_POISONED until the store is reopened.
 * Promise    when ps_store_sync() returns PS_OK, every change that returned before it began is in
 *            the page files and durable; each change is there whole or not at all after a crash.
 */
#ifndef PAGESTORE_PAGESTORE_H
#define PAGESTORE_PAGESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pagestore/cancel.h"
#include "pagestore/err.h"
#include "pagestore/format.h"

struct ps_store;
struct ps_io;
struct ps_pool;
struct ps_wal;
struct ps_trace;
struct ps_histogram_snapshot; /* base/histogram.h */

#define PS_WAL_DELAY_MS_MAX 3600000u
#define PS_CHECKPOINT_TIMEOUT_S_MAX 86400u

enum ps_message_level { PS_MSG_INFO, PS_MSG_WARNING, PS_MSG_ERROR };

enum ps_event_kind {
    PS_EVENT_PAGES_FREED,   /* table, first, count: these pages are gone */
    PS_EVENT_PAGES_CREATED, /* table, first, count: these pages exist now */
    PS_EVENT_PAGES_CHANGED, /* table, first, count: bytes of these pages have changed */
    PS_EVENT_TABLE_CREATED, /* table, name */
    PS_EVENT_TABLE_DROPPED, /* table, name */
    PS_EVENT_TABLE_RENAMED, /* table, name, name_old */
    PS_EVENT_POISONED,      /* name: the reason */
};

struct ps_event {
    enum ps_event_kind kind;
    uint32_t table;
    uint64_t first, count;
    const char *name, *name_old;
};

struct ps_store_options {
    uint64_t pool_bytes;   /* default 64 MiB; at least 8 pages and, but for io_given, 4 MiB */
    const char *policy;    /* default "clock"; also lru, 2q, s3fifo, arc, adaptive */
    const char *io;        /* "auto" (default), "direct", "buffered", "mmap" */
    uint64_t max_wal;      /* default 1 GiB */
    uint32_t wal_delay_ms; /* default 200: an unsynced change is durable within this; from 1 on */
    uint32_t checkpoint_timeout_s; /* default 300; from 1 on */
    bool read_only;                /* a store that needs recovery is refused (PS_ERR_READONLY) */
    bool serve_corrupt;            /* readers get damaged pages rather than PS_ERR_CORRUPT */
    bool no_threads;               /* background work happens only in ps_store_step */
    bool log_before_images;        /* of every change, not only of transactions */
    struct ps_io *io_given;        /* instead of real files, for tests; stays the caller's */
    void (*message)(void *ctx, enum ps_message_level level, const char *text);
    /* Called with the table's lock held, so that no reader can get between the change and the call:
     * take note and return, without calling the library. */
    void (*event)(void *ctx, const struct ps_event *event);
    /* Recovery's progress: phase is "analysis", "redo" or "undo", done and total in log bytes. */
    void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total);
    void *ctx;
};

void ps_store_options_default(struct ps_store_options *opts);

struct ps_init_options {
    uint32_t page_size;    /* 0: PS_PAGE_SIZE_DEFAULT */
    uint32_t segment_size; /* 0: 16 MiB */
    struct ps_io *io_given;
};

/* Makes an empty store in the folder `path`, which must not exist or be empty. PS_ERR_EXIST: it is
 * not empty. PS_ERR_INVAL: no store can have this page or segment size. */
PS_MUST_USE ps_err ps_store_init(const char *path, const struct ps_init_options *opts);

/* Opens a store, and recovers it if it was not closed cleanly. Either any number of processes have
 * it open read-only, or one has it open for writing. PS_ERR_IN_USE: "store is in use by pid N".
 * PS_ERR_CORRUPT: control file, log or catalog is damaged beyond recovery; the message says which
 * and where. Also PS_ERR_NOENT, PS_ERR_UNSUPPORTED, PS_ERR_IO, PS_ERR_NOSPC, PS_ERR_NOMEM. */
PS_MUST_USE ps_err ps_store_open(const char *path, const struct ps_store_options *opts,
                                 struct ps_store **ret);

/* Checkpoints, marks the store clean and releases its lock. Frees everything whatever it returns:
 * an error means that the next open has to recover. */
ps_err ps_store_close(struct ps_store *store);

/* Closes at once, as a crash would: nothing more is written. For tests, and after a failed sync. */
void ps_store_abandon(struct ps_store *store);

enum ps_sync_kind {
    PS_SYNC_DATA, /* a data checkpoint: the log flushed, every page that was dirty when it began
                     written, files synced */
    PS_SYNC_LOG,  /* the log flushed (-o fsync=wal) */
    PS_SYNC_FULL, /* a full checkpoint, as ps_store_checkpoint */
};

/* Makes durable every change that returned before the call. Callers that arrive together share the
 * work; the one that does it for all cannot be interrupted. */
PS_MUST_USE ps_err ps_store_sync(struct ps_store *store, enum ps_sync_kind kind);

/* What a caller of ps_store_sync_begin() lends to the store until `done` is called. */
struct ps_sync_call {
    void (*done)(struct ps_sync_call *call, ps_err err);
    struct ps_sync_call *next; /* this and what follows: the store's */
    uint64_t from_us;
};

/* The same for callers that must not wait while others do the work. If there is work to share, this
 * returns at once; otherwise it does the work for all callers that arrive before it begins, and
 * calls their `done`. At most two further calls wait for their turn to do so. `done` is called
 * exactly once, perhaps before this returns, by this thread or by another that is in this call. It
 * is called with no lock held, with ps_message() explaining err, and from then on *call is the
 * caller's again. It must return quickly, as others are waiting, and must not begin a sync. */
void ps_store_sync_begin(struct ps_store *store, enum ps_sync_kind kind, struct ps_sync_call *call);

/* A full checkpoint: moves the redo point and recycles log. */
PS_MUST_USE ps_err ps_store_checkpoint(struct ps_store *store, struct ps_cancel *cancel);

/* One step of a background task, for stores without threads. False: there was nothing to do. */
enum ps_task { PS_TASK_LOG_WRITER, PS_TASK_LOG_PREPARER, PS_TASK_CLEANER, PS_TASK_CHECKPOINTER };
bool ps_store_step(struct ps_store *store, enum ps_task task);

/* --- what is going on --------------------------------------------------------------------- */

/* One counter or fact: a number, which is a counter or a gauge, or a text. Names that end in _us
 * are of microseconds, since 1970 where help says so. Strings are valid during the call. */
struct ps_stat {
    const char *name;
    const char *help; /* a sentence for people */
    const char *text; /* NULL: a number */
    uint64_t value;
    bool is_counter; /* only grows */
    bool is_latency; /* a percentile of what ps_store_latencies gives as a whole */
};
typedef void (*ps_stat_fn)(void *ctx, const struct ps_stat *stat);
/* Always the same names in the same order. */
void ps_store_stats(struct ps_store *store, ps_stat_fn each, void *ctx);

/* How long operations take: `read`, `write`, `write_back`, `fsync`, `io_read` and so on, always the
 * same ones in the same order. */
typedef void (*ps_latency_fn)(void *ctx, const char *name, const char *help,
                              const struct ps_histogram_snapshot *latency);
void ps_store_latencies(struct ps_store *store, ps_latency_fn each, void *ctx);

/* The settings in force; ps_store_set takes those that are changeable. */
typedef void (*ps_setting_fn)(void *ctx, const char *name, const char *value, bool changeable);
void ps_store_settings(struct ps_store *store, ps_setting_fn each, void *ctx);
/* PS_ERR_NOENT: there is no such setting. PS_ERR_INVAL: it cannot have that value. PS_ERR_READONLY:
 * it cannot be changed while the store is open. */
PS_MUST_USE ps_err ps_store_set(struct ps_store *store, const char *name, const char *value);

/* The log as text, one record a line, from the oldest record that is still there and whose LSN is
 * not below `from`. `each` gets lines without their newline; an error of it ends the listing and is
 * returned. Writers may go on meanwhile: what is durable at the time of the call is listed. */
PS_MUST_USE ps_err ps_store_wal_text(struct ps_store *store, uint64_t from,
                                     ps_err (*each)(void *ctx, const char *line), void *ctx);

uint32_t ps_store_page_size(const struct ps_store *store);
bool ps_store_read_only(const struct ps_store *store);      /* also after poison */
const char *ps_store_poison_reason(struct ps_store *store); /* NULL while sound */
void ps_store_uuid(const struct ps_store *store, char text[37]);
struct ps_pool *ps_store_pool(struct ps_store *store);
struct ps_wal *ps_store_wal(struct ps_store *store);
struct ps_trace *ps_store_trace(struct ps_store *store);

struct ps_store_space {
    uint64_t bytes_total, bytes_free, bytes_avail;
};
PS_MUST_USE ps_err ps_store_space(struct ps_store *store, struct ps_store_space *ret);

/* "64M" -> bytes; K, M, G, T. PS_ERR_INVAL; PS_ERR_RANGE: 64 bits do not hold it. */
PS_MUST_USE ps_err ps_parse_size(const char *text, uint64_t *ret);

#endif
