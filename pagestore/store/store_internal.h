/*
 * store_internal.h - how the store wires the layers below: tables, their files, the provider that
 * moves their pages, checkpoints, background work.
 *
 * Flow       pagestore.h, table.h, txn.h, foreign.h -> [store] -> recovery, group (changes), alloc
 *            (states of pages), pool (pages) -> provider.c or foreign_load.c, which move pages
 *            between pool and files
 * Units      table and page numbers are 32 bits, the catalog is table 1; LSNs are log bytes; `_us`
 *            are microseconds.
 * Ownership  the registry has one reference of each table, and whoever got one by a look-up has
 *            another. A dropped table stays as an object until its last reference goes.
 * Locking    the fields say their lock or its rank; the order is in pagestore/README.md. Fields
 *            that say nothing are constant once the store is open, or the table in the registry.
 * Errors     as the public headers say. What fails where no caller waits (the removal of a dropped
 *            table's files) goes to the message callback.
 * Promise    every change of pages is one group, reserved before the table's lock is taken and
 *            logged before the pages reach their files (change.c).
 */
#ifndef PS_STORE_STORE_INTERNAL_H
#define PS_STORE_STORE_INTERNAL_H

#include "alloc/map.h"
#include "file/control.h"
#include "file/file.h"
#include "file/segments.h"
#include "pagestore/foreign.h"
#include "pagestore/txn.h"
#include "pool/group.h"
#include "pool/pool.h"
#include "recovery/checkpoint.h"
#include "recovery/recovery.h"
#include "recovery/sync.h"
#include "recovery/warmup.h"
#include "store/catalog.h"
#include "wal/wal.h"

#define PS_TABLES_DIR "tables"
#define PS_LOCK_PATH "lock"

/* How long things take. On cache lines of its own, apart from the store. */
struct ps_store_meters {
    struct ps_io_meter io;
    struct ps_histogram reads;       /* ps_read_begin: until the pages are there to be read */
    struct ps_histogram writes;      /* ps_write */
    struct ps_histogram write_backs; /* a batch of pages to one file */
    struct ps_histogram fsyncs;      /* ps_store_sync, ps_store_sync_begin */
};

/* Counters of a table, for its `stats`. */
struct ps_table_counters {
    _Atomic uint64_t page_reads, page_hits, page_misses; /* of the calls in table.h */
    _Atomic uint64_t writes, pages_written, bytes_written;
    _Atomic uint64_t pages_created, pages_freed;
    _Atomic uint64_t items_inserted, items_deleted;
    _Atomic uint64_t pages_loaded, corrupt_pages, lost_writes;
};

/* What is known of pages that are not in the pool. Guarded by store->tables_mtx. */
struct ps_table_heat {
    uint32_t *cells;     /* the first cell_count; those behind them, if any, are 0 */
    uint32_t cell_count; /* a power of two, PS_HEAT_CELLS_MAX at most; 0 until a page is evicted */
    unsigned shift;      /* a cell stands for 2^shift pages */
    uint32_t period;     /* in which they were counted */
    uint32_t damaged[PS_DAMAGED_MAX];
    uint32_t damaged_next; /* where the next one goes, once the array is full */
};

/* A reader that goes through a table: what it read last, and what was asked for before it came. */
struct ps_stream {
    uint64_t next;   /* page behind the last one read; 0: none was */
    uint64_t ahead;  /* pages from next up to here are loaded, or asked for */
    uint32_t window; /* how far to be ahead, in pages; 0: one read is no pattern */
    uint64_t last;   /* first page of the last read */
    uint64_t behind; /* what was read before this page has been let go */
};
#define PS_STREAMS 4u

/* The files of a table that somebody else made (foreign.h). */
struct ps_foreign_files {
    struct ps_map_solid solid;   /* the table's map */
    struct ps_segments segments; /* path NULL: there is no file */
    bool checksums;
    uint32_t first_page;
    uint32_t page_table_id; /* of native pages: the table id on them */
    _Atomic uint64_t stamp; /* live: of the files that the pool's pages were read from */
};

struct ps_table {
    struct ps_store *store;
    struct ps_foreign_files *foreign; /* NULL: its files are data and map_file */
    uint32_t id;
    const struct ps_format *fmt; /* NULL only in redo, before a page of it was seen */
    struct ps_map map;
    struct ps_map_known map_known;
    _Atomic uint32_t refs; /* the registry's one included */
    _Atomic bool dropped;
    /* LSN of its drop's record, 0: none. The files go once that is durable, and before the record
     * does. */
    _Atomic uint64_t drop_lsn;
    struct ps_table *unremoved_next; /* guarded by store->tables_mtx */

    /* rank TABLE. Shared: no page of the table changes its state. Exclusive: it may. */
    struct ps_rwlock alloc_lock;
    _Atomic enum ps_page_type type; /* written under alloc_lock, exclusively */
    uint32_t insert_hint;           /* guarded by alloc_lock: page that took the last item */
    /* What ps_map_summary would say. Written while alloc_lock is held exclusively (either way for
     * files that others made); readers without it get recent values that need not fit together. */
    _Atomic uint64_t pages_end;
    _Atomic uint64_t payload_len;
    _Atomic bool summary_known; /* set after the other two */

    struct ps_pagefile data, map_file;
    struct ps_mutex open_mtx; /* rank TABLE_OPEN: opening the files, once */
    _Atomic bool files_open;
    bool missing_told; /* guarded by open_mtx */

    /* Guarded by store->catalog_lock. */
    char name[PS_TABLE_NAME_MAX + 1];
    struct ps_table *name_next; /* in its chain of store->names */
    uint64_t ctime_us;
    uint32_t catalog_page, catalog_slot;

    struct ps_mutex streams_mtx;          /* rank LEAF */
    struct ps_stream streams[PS_STREAMS]; /* guarded by streams_mtx, as what follows */
    uint32_t stream_turn;                 /* the slot that the next new stream takes */
    uint64_t let_go_end;                  /* scans have let go of pages before this one */
    bool read_again;                      /* and somebody has come back to them */

    _Atomic uint64_t mtime_us;
    struct ps_table_counters counters;
    struct ps_table_heat heat;
    _Atomic uint32_t damaged_count; /* of heat.damaged; changed under store->tables_mtx */
};

/* What a store of other people's files has instead of a log and a catalog. */
struct ps_foreign {
    struct ps_foreign_ops ops;
    struct ps_io **roots; /* guarded by catalog_lock; the first is the store's io */
    unsigned root_count;
};

/* Tables by name (table_names.c); of other people's files there can be many of one name, and none
 * is here. */
struct ps_names {
    struct ps_table **chains;
    uint32_t chain_count; /* a power of two, or 0 */
};

struct ps_store {
    char *path;
    struct ps_foreign *foreign; /* NULL: the store is its own */
    struct ps_io *io;
    bool io_is_ours;
    struct ps_io_file *lock_file;
    struct ps_open_files open_files;
    struct ps_control opened_as; /* as it was when the store had been opened; constant */
    struct ps_store_options opts;
    uint32_t page_size;
    uint8_t uuid[16];
    struct ps_poison poison;
    struct ps_wal *wal; /* NULL when read-only */
    struct ps_pool *pool;
    struct ps_trace *trace;
    struct ps_provider provider;
    struct ps_group_env env;
    uint32_t change_pages_max; /* constant after open */
    struct ps_txns txns;
    struct ps_checkpointer ckpt;
    struct ps_syncer syncer;
    bool ckpt_ready; /* the three above are there */
    bool recovering; /* maps may lag behind pages: LSNs are not compared */
    void *zero_page;

    struct ps_mutex ddl_mtx;       /* rank DDL */
    struct ps_rwlock catalog_lock; /* rank CATALOG: which names and ids there are */
    struct ps_table **tables;      /* ascending id; guarded by catalog_lock and tables_mtx: either
                                      to read, both to change */
    uint32_t table_count, table_cap;
    struct ps_names names;      /* guarded by catalog_lock */
    struct ps_mutex tables_mtx; /* rank IO: for look-ups from below, in the provider; guards each
                                   table's heat, too */
    struct ps_table
        *unremoved; /* dropped, with files left, a reference each; guarded by tables_mtx */
    _Atomic uint32_t next_table;

    /* Settings that can change while open. */
    _Atomic uint32_t wal_delay_ms, checkpoint_timeout_s;
    _Atomic bool serve_corrupt;

    struct ps_background *background; /* NULL with no_threads or read-only */
    struct ps_readahead *readahead;   /* NULL with no_threads */
    struct ps_analysis recovered;     /* what recovery found; empty after a clean stop */
    struct ps_redo_stats redo;
    uint64_t recovery_checkpoint_us; /* the one that recovery ended in */
    struct ps_warmup *warmup;        /* while opening: NULL without threads, or nothing to redo */
    bool was_clean;
    struct ps_store_meters *meters;
    uint64_t opened_us;
    _Atomic uint64_t corrupt_pages, lost_writes;
};

void ps_store_say(struct ps_store *s, enum ps_message_level level, const char *fmt, ...)
    PS_PRINTF(3, 4);
void ps_store_event(struct ps_store *s, const struct ps_event *event);
/* PS_OK if the store can be changed now. */
PS_MUST_USE ps_err ps_store_writable(struct ps_store *s);

/* --- store.c: the steps of opening -------------------------------------------------------- */
/* A store with nothing open yet. free takes everything down, however much of it is up. */
PS_MUST_USE ps_err ps_store_new(const char *path, const struct ps_store_options *opts,
                                struct ps_store **ret);
void ps_store_free(struct ps_store *s);
PS_MUST_USE ps_err ps_store_open_io(struct ps_store *s);
/* A folder that the store reads from, as its options say. */
PS_MUST_USE ps_err ps_store_open_root(struct ps_store *s, const char *path, struct ps_io **ret);
/* The pool, so far without a log. PS_ERR_INVAL, PS_ERR_NOMEM: there can be no pool. */
PS_MUST_USE ps_err ps_store_open_pool(struct ps_store *s);
/* PS_ERR_INVAL. */
PS_MUST_USE ps_err ps_page_size_check(uint32_t size);

/* --- store_recovery.c: the phases of recovery, in the order in which opening runs them ----- */
/* Reads the log from the redo point: where it ends, and what recovery has to do. The pool is open,
 * the log is not. Only this one does anything after a clean close. */
PS_MUST_USE ps_err ps_store_analyze(struct ps_store *s, const struct ps_control *control);
/* Repeats history in the pool. `before` is the control file as analysis saw it. */
PS_MUST_USE ps_err ps_store_redo(struct ps_store *s, const struct ps_control *before);
/* Undoes unfinished transactions and lets go of the log in a checkpoint. By now the log can be
 * appended to, and tables have names. */
PS_MUST_USE ps_err ps_store_recovery_finish(struct ps_store *s);
/* What recovery, and undo at any later time, need of the store. */
void ps_recovery_ops_of(struct ps_store *s, struct ps_recovery_ops *ret);

/* --- txn_api.c ---------------------------------------------------------------------------- */
/* Undoes the transactions that keep more than half of max_wal from being let go, and those whose
 * undoing failed before. */
PS_MUST_USE ps_err ps_txns_undo_hogs(struct ps_store *s);
/* Undoes every transaction there is: nobody is left to end them. */
PS_MUST_USE ps_err ps_txns_undo_all(struct ps_store *s);

/* --- provider.c: pages between pool and files ---------------------------------------------- */
extern const struct ps_provider_ops ps_table_provider;

/* Reads pages of the table's files as they lie there; as ps_pagefile_read(). */
ps_err ps_table_read_disk(struct ps_table *t, struct ps_pagefile_page *pages, size_t count);
PS_MUST_USE ps_err ps_table_stat_disk(struct ps_table *t, struct ps_io_stat *ret);
/* Is the page what it should be? PS_ERR_CORRUPT. */
PS_MUST_USE ps_err ps_table_verify_page(const struct ps_table *t, uint32_t page_no,
                                        const void *page);
/* Counts and traces a damaged page of a load; the thread's message says what is wrong with it. */
void ps_table_note_corrupt(struct ps_table *t, const struct ps_load *l, const char *kind);

/* --- foreign.c, foreign_load.c: tables whose files are somebody else's --------------------- */
extern const struct ps_provider_ops ps_foreign_provider;

void ps_foreign_free(struct ps_store *s);
/* Tables as ps_table_get(), ps_table_next(), ps_table_lookup() and ps_table_count() give them. */
PS_MUST_USE ps_err ps_foreign_next(struct ps_store *s, uint32_t from, bool only_that,
                                   struct ps_table **ret);
PS_MUST_USE ps_err ps_foreign_lookup(struct ps_store *s, const char *name, struct ps_table **ret);
uint32_t ps_foreign_count(struct ps_store *s);
void ps_foreign_files_close(struct ps_table *t);

/* Before pages of the table are looked up: how many there are, and that none in the pool is older
 * than the files. Does nothing for the store's own tables. alloc_lock is held. */
PS_MUST_USE ps_err ps_table_refresh(struct ps_table *t);
ps_err ps_foreign_read(struct ps_table *t, struct ps_pagefile_page *pages, size_t count);
PS_MUST_USE ps_err ps_foreign_stat(struct ps_table *t, struct ps_io_stat *ret);

/* --- readahead.c: pages loaded before a sequential reader asks for them -------------------- */
PS_MUST_USE ps_err ps_readahead_start(struct ps_store *s);
void ps_readahead_stop(struct ps_store *s);
/* A reader is about to read pages [first, first + count), some of which may be missing. The table's
 * lock is held, its summary known. Waits for nothing. */
void ps_readahead_note(struct ps_table *t, uint64_t first, uint32_t count, bool missing);

/* --- table_names.c: under catalog_lock, or while the store is opened or closed -------------- */
/* Room for so many tables, one more than before: chains stay short. */
PS_MUST_USE ps_err ps_names_reserve(struct ps_names *n, uint32_t table_count);
void ps_names_deinit(struct ps_names *n);
struct ps_table *ps_names_find(const struct ps_names *n, const char *name); /* NULL: none has it */
/* The table has that name, and no other one any more. */
void ps_names_set(struct ps_names *n, struct ps_table *t, const char *name);
void ps_names_remove(struct ps_names *n, struct ps_table *t);

/* --- table_registry.c --------------------------------------------------------------------- */
PS_MUST_USE ps_err ps_table_new(struct ps_store *s, uint32_t id, const struct ps_format *fmt,
                                struct ps_table **ret);
/* Adds it to the registry, which takes the caller's reference. */
PS_MUST_USE ps_err ps_registry_add(struct ps_store *s, struct ps_table *t);
/* Both: a new table that is in the registry, whose only reference the registry has. */
PS_MUST_USE ps_err ps_registry_make(struct ps_store *s, uint32_t id, const struct ps_format *fmt,
                                    struct ps_table **ret);
void ps_registry_remove(struct ps_store *s, struct ps_table *t);
void ps_registry_clear(struct ps_store *s);
/* For the provider and for redo: no reference is taken; the caller knows that it stays. */
struct ps_table *ps_registry_find(struct ps_store *s, uint32_t id);
/* The same while tables_mtx is held. */
struct ps_table *ps_registry_find_locked(struct ps_store *s, uint32_t id);
PS_MUST_USE ps_err ps_table_open_files(struct ps_table *t);
void ps_table_path(char *buf, size_t len, uint32_t id, const char *suffix);
/* The other way round, of a name in the folder of tables; 0: it is no file of a table. */
uint32_t ps_table_of_file(const char *name);
PS_MUST_USE ps_err ps_table_files_remove(struct ps_store *s, uint32_t id);
/* Throws the pages of a dropped table out of the pool, and waits for those that are being written:
 * from then on nobody writes to its files, as nobody makes pages of a dropped table dirty. So it
 * comes before they are removed: a write would open them again, fail, and be the error of whoever
 * wrote (a checkpoint, an fsync, a reader of another table who needs the frame). */
void ps_table_pages_discard(struct ps_table *t);
/* Removes a dropped table's files. If they cannot be removed it says so, and every full checkpoint
 * tries again. */
void ps_table_files_drop(struct ps_table *t);
/* After recovery: files of tables that the catalog does not name, because a crash came between
 * making them and the record of it, or between the record of a drop and removing them. Their ids
 * may be taken again. */
PS_MUST_USE ps_err ps_table_strays_remove(struct ps_store *s);
/* A full checkpoint's: syncs every file, of maps too, and removes those of dropped tables. */
PS_MUST_USE ps_err ps_tables_sync(struct ps_store *s);
/* table_sync.c, an fsync's: syncs the files of pages that have changed. Costs what they are. */
PS_MUST_USE ps_err ps_tables_sync_data(struct ps_store *s);
/* Reads every catalog item into the registry, checks the maps' roots are there. */
PS_MUST_USE ps_err ps_catalog_load(struct ps_store *s);
PS_MUST_USE ps_err ps_catalog_create(struct ps_store *s);
/* An empty raw table, in one step with its item in the catalog. PS_ERR_WRONG_TYPE: not empty. */
PS_MUST_USE ps_err ps_table_become_slotted(struct ps_table *t);

/* --- table_heat.c ------------------------------------------------------------------------- */
/* A page has left the pool, having been accessed as often as heat says. The table may be gone. */
void ps_table_heat_add(struct ps_store *s, const struct ps_tag *tag, uint32_t heat);
/* A page was found damaged, or is sound (again). */
void ps_table_damaged(struct ps_table *t, uint32_t page_no);
void ps_table_sound(struct ps_table *t, uint32_t page_no);

/* --- change.c: what every change of a table's pages has in common ------------------------- */

/* A group on one table, from reservation to commit. */
struct ps_change {
    struct ps_table *table;
    struct ps_txn_entry *txn; /* NULL: commits by itself */
    struct ps_group g;
    bool exclusive;         /* alloc_lock is held exclusively */
    uint32_t conflict_page; /* that ps_change_page found locked */
};

/* The most that a change may come to need. */
struct ps_change_needs {
    struct ps_txn_entry *txn;          /* NULL: commits by itself */
    uint32_t pages;                    /* data pages that are pinned */
    uint64_t bytes;                    /* written to them */
    const struct ps_map_range *ranges; /* of pages whose entries in the map change */
    size_t range_count;
    bool exclusive; /* pages change their state */
};

/* Reserves what is needed, then takes the table's lock. PS_ERR_READONLY, PS_ERR_POISONED,
 * PS_ERR_NOENT (dropped), and those of ps_group_begin. With an exclusive lock the table's summary
 * is known afterwards. */
PS_MUST_USE ps_err ps_change_begin(struct ps_change *c, struct ps_table *t,
                                   const struct ps_change_needs *needs, struct ps_cancel *cancel);
/* Data pages that one change may have, wherever they lie, so that pool and log take it: for
 * store.change_pages_max, once both are there. */
uint32_t ps_change_pages_reckon(const struct ps_store *s);
/* Pins a page for change. PS_ERR_CONFLICT if a transaction has it: the caller abandons, waits by
 * ps_change_wait, and begins again. */
PS_MUST_USE ps_err ps_change_page(struct ps_change *c, uint32_t page_no, enum ps_pin_mode mode,
                                  struct ps_page **ret);
PS_MUST_USE ps_err ps_change_wait(struct ps_change *c, struct ps_cancel *cancel);
void ps_change_abandon(struct ps_change *c);
/* Commits and gives the group's LSN; the table's lock stays held until ps_change_end. */
uint64_t ps_change_commit(struct ps_change *c);
void ps_change_end(struct ps_change *c);
/* The map's nodes over the ranges are pinned and their space on disk taken (ps_map_prepare_ranges).
 */
PS_MUST_USE ps_err ps_change_prepare(struct ps_change *c, const struct ps_map_range *ranges,
                                     size_t range_count, bool changes_state);

/* The table's lock must be held; fills in pages_end and payload_len if they are not known yet. */
PS_MUST_USE ps_err ps_table_summary(struct ps_table *t);
/* Takes the table's lock shared, with the summary known and one frame reserved for reading its map;
 * not from within a request that holds a reservation already. */
PS_MUST_USE ps_err ps_table_lock_known(struct ps_table *t, struct ps_cancel *cancel);
void ps_table_unlock(struct ps_table *t);
PS_MUST_USE ps_err ps_table_check_slotted(const struct ps_table *t);
/* A table that users may change: not the catalog, not dropped, store writable. */
PS_MUST_USE ps_err ps_table_writable(struct ps_table *t);
bool ps_table_has_payload(const struct ps_table *t);
/* Bytes of a page that belong to the space, and where they begin. */
PS_MUST_USE ps_err ps_space_shape(const struct ps_table *t, enum ps_space space,
                                  uint32_t *ret_page_bytes, uint32_t *ret_page_off);
struct ps_page_ident ps_table_ident(const struct ps_table *t, uint32_t page_no);

/* Slotted changes on a scratch copy, so that the log gets only what differs. */
void ps_change_from_copy(struct ps_change *c, struct ps_page *page, const uint8_t *copy);

/* --- background.c ------------------------------------------------------------------------- */
PS_MUST_USE ps_err ps_background_start(struct ps_store *s);
void ps_background_stop(struct ps_store *s);
PS_MUST_USE ps_err ps_background_want_checkpoint(struct ps_store *s);
void ps_background_want_flush(struct ps_store *s);
void ps_background_want_clean(struct ps_store *s);

#endif
