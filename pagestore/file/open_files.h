/*
 * open_files.h - bounds how many page files have a descriptor at a time.
 *
 * A file is opened when a request needs it and stays open until room is wanted for another one.
 * Then one that no request uses goes, by the clock's rule: one that was used since the hand passed
 * it last is passed once more. What has unsynced changes is synced first, and only then closed:
 * a later sync, through another descriptor, would not learn of a write that failed.
 *
 * Flow       file.c -> [open_files] -> io
 * Ownership  a page file is on the ring while it has a descriptor; it belongs to its user, who
 *            takes it off before it goes.
 * Locking    thread safe. mtx guards the ring and is taken to open and to close, not for a request
 *            on a file that is open; a file's own mtx (rank FILE) may be taken under it. Neither is
 *            held during I/O.
 * Errors     those of io.h. A failed sync poisons the store, as every one does.
 * Promise    at most max files are open, but for those that requests use at the same moment; of a
 *            poisoned store, which syncs no more, unsynced ones are closed too.
 */
#ifndef PS_FILE_OPEN_FILES_H
#define PS_FILE_OPEN_FILES_H

#include <stdint.h>

#include "base/lock.h"
#include "io/io.h"

struct ps_pagefile;

struct ps_open_files {
    struct ps_io *io;
    struct ps_mutex mtx;      /* rank OPEN_FILES */
    struct ps_pagefile *hand; /* guarded by mtx: a ring of all that are open; NULL: none */
    uint32_t count;           /* guarded by mtx: open, or being opened */
    uint32_t max;
    struct ps_mutex unsynced_mtx; /* rank LEAF, may be taken under a file's own mtx */
    struct ps_pagefile *unsynced; /* guarded by unsynced_mtx: all with unsynced changes, a list */
};

/* max: half of what io allows to be open at a time; the other half is for everything else. */
void ps_open_files_init(struct ps_open_files *o, struct ps_io *io);
void ps_open_files_deinit(struct ps_open_files *o); /* no file is open any more */

/* Opens f, which may have been opened by another thread meanwhile, and holds it: it stays open
 * until ps_pagefile's let_go. io_flags as for the io's open. */
PS_MUST_USE ps_err ps_open_files_open(struct ps_open_files *o, struct ps_pagefile *f,
                                      unsigned io_flags);
/* Closes f's descriptor unless a request uses it or something is unsynced: the next use opens
 * whatever file then has its name. */
void ps_open_files_forget(struct ps_open_files *o, struct ps_pagefile *f);
/* Closes f, which no request uses; waits if another thread is syncing it to have room. */
void ps_open_files_close(struct ps_open_files *o, struct ps_pagefile *f);

/* For file.c, with f->mtx held: from here on f has unsynced changes, or none. */
void ps_open_files_changed(struct ps_open_files *o, struct ps_pagefile *f);
void ps_open_files_synced(struct ps_open_files *o, struct ps_pagefile *f);
/* Calls each for every file with unsynced changes, in no order, and under unsynced_mtx: it takes no
 * lock. The file is not closed before that returns. */
void ps_open_files_each_unsynced(struct ps_open_files *o,
                                 void (*each)(void *ctx, struct ps_pagefile *f), void *ctx);

#endif
