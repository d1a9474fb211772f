/*
 * file.h - a file of fixed-size pages: page n lies at byte n * page_size.
 *
 * Flow       pool (through a provider) -> [file] -> io
 * Units      page numbers count from 0, lengths are pages unless said otherwise.
 * Ownership  open gives a file that close takes back; the caller has no request under way then.
 *            Its descriptor comes and goes (open_files.h): a request opens it again if need be.
 * Locking    thread safe; one mutex guards the marks, never held during I/O.
 * Errors     those of io.h, and PS_ERR_CORRUPT where a file of the store's own is gone when it is
 *            opened again. Reading pages past the end, or in a hole, gives zeros: whether that is
 *            right is for the page format and the allocation map to judge.
 * Promise    ps_pagefile_sync covers every write that returned before it began. A failed sync
 *            poisons the store (poison.h) and is never retried.
 */
#ifndef PS_FILE_FILE_H
#define PS_FILE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/poison.h"
#include "file/open_files.h"

struct ps_pagefile {
    struct ps_open_files *open_files;
    struct ps_io *io;
    struct ps_poison *poison;
    uint32_t page_size;
    unsigned io_flags;       /* to open it again */
    bool is_own;             /* nobody but the store removes it */
    char *path;              /* to open it again, and for messages */
    struct ps_mutex mtx;     /* rank FILE */
    struct ps_io_file *file; /* guarded by mtx; NULL: closed. It stays while there are users */
    uint32_t users;          /* guarded by mtx: requests under way */
    bool used;               /* guarded by mtx: since open_files' hand came by */
    uint64_t writes_done;    /* guarded by mtx: changes that returned, failed ones too */
    uint64_t writes_synced;  /* guarded by mtx: writes_done as of the last sync's start */
    uint64_t alloc_pages;    /* guarded by mtx: pages from 0 that ps_pagefile_reserve covered */
    bool syncing;            /* guarded by mtx: one sync at a time, see ps_pagefile_sync */
    struct ps_cond synced;   /* no longer syncing */
    uint64_t shrinks;        /* guarded by mtx: how often alloc_pages may have gone down */
    struct ps_pagefile *ring_next, *ring_prev; /* guarded by open_files->mtx */
    /* Guarded by open_files->unsynced_mtx; in its list while writes_done != writes_synced. */
    struct ps_pagefile *unsynced_next, *unsynced_prev;
    void *owner; /* whose file it is, for users of that list; set once it is open, or NULL */
};

/* One page in flight. */
struct ps_pagefile_page {
    uint64_t page_no;
    void *buf;  /* page_size bytes, aligned */
    ps_err err; /* out */
};

PS_MUST_USE ps_err ps_pagefile_open(struct ps_pagefile *f, struct ps_open_files *open_files,
                                    const char *path, uint32_t page_size, unsigned io_flags,
                                    struct ps_poison *poison);
/* The same for files of others, which may go, and below another root than open_files'; files of
 * several are not synced together. */
PS_MUST_USE ps_err ps_pagefile_open_in(struct ps_pagefile *f, struct ps_open_files *open_files,
                                       struct ps_io *io, const char *path, uint32_t page_size,
                                       unsigned io_flags, struct ps_poison *poison);
void ps_pagefile_close(struct ps_pagefile *f);

/* Reads or writes count pages, given in ascending order; neighbours go in one request, requests
 * in batches of up to PS_PAGEFILE_BATCH pages. Returns the first error; each page has its own
 * (of a request that failed half way, the pages moved before are PS_OK). Writing needs a store
 * that is not poisoned: PS_ERR_POISONED. */
#define PS_PAGEFILE_BATCH 256u
ps_err ps_pagefile_read(struct ps_pagefile *f, struct ps_pagefile_page *pages, size_t count);
ps_err ps_pagefile_write(struct ps_pagefile *f, struct ps_pagefile_page *pages, size_t count);

/* Syncs all the files that have changed since their last sync, in one batch. All callers give
 * files in one order (tables ascending, data before map). A file has one sync at a time: the
 * kernel reports a failed write-back once an open file, so of two at once one would be told that
 * all is well. PS_ERR_IO or PS_ERR_POISONED: at least one failed, now or before, and the store is
 * poisoned. */
PS_MUST_USE ps_err ps_pagefile_sync(struct ps_pagefile **files, size_t count);

/* For open_files.c: files that are to be synced together. take_sync: f has unsynced changes and is
 * not syncing, its mtx is held; it is open until run_syncs has ended its sync. */
#define PS_PAGEFILE_SYNCS 64u
struct ps_pagefile_syncs {
    struct ps_pagefile *files[PS_PAGEFILE_SYNCS];
    uint64_t covers[PS_PAGEFILE_SYNCS]; /* writes_done when its sync began */
    size_t count;
};
void ps_pagefile_take_sync(struct ps_pagefile *f, struct ps_pagefile_syncs *syncs);
ps_err ps_pagefile_run_syncs(struct ps_pagefile_syncs *syncs);

/* Makes sure that writing pages [first, first + count) cannot fail for want of space. Asks the
 * file system in steps that grow with the file. */
PS_MUST_USE ps_err ps_pagefile_reserve(struct ps_pagefile *f, uint64_t first, uint64_t count);

/* Gives back the space of pages [first, first + count), which then read as zeros. The caller makes
 * sure that nobody reserves or writes these pages meanwhile; the same holds for truncate and the
 * pages that it cuts off. */
PS_MUST_USE ps_err ps_pagefile_punch(struct ps_pagefile *f, uint64_t first, uint64_t count);
PS_MUST_USE ps_err ps_pagefile_truncate(struct ps_pagefile *f, uint64_t count);
PS_MUST_USE ps_err ps_pagefile_stat(struct ps_pagefile *f, struct ps_io_stat *ret);
/* Pages [first, first + count), which need not all be there, are read soon: see io.h. */
void ps_pagefile_will_read(struct ps_pagefile *f, uint64_t first, uint64_t count);
/* The first page from page_no on that may be anything but zeros; at the latest the one that the
 * file's end lies in or before. */
PS_MUST_USE ps_err ps_pagefile_next_data(struct ps_pagefile *f, uint64_t page_no, uint64_t *ret);

#endif
