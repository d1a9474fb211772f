/*
 * sim_disk.h - a disk in memory that forgets what was not synced, on demand and to the sector.
 *
 * Flow       engine -> io.h -> [sim_disk]. A test runs a workload on it, cuts the power at an
 *            operation, lets the disk crash, and opens the store on what is left.
 * Units      operation numbers count from 0 and number what changes the disk or makes it durable;
 *            reads are numbered by themselves. Sectors have 512 bytes.
 * Ownership  new and clone make a disk that free takes back; ps_io_destroy on its io does
 *            nothing, so a store that destroys its io can be opened again on the same disk.
 * Locking    thread safe. On one thread, everything follows from the seeds.
 * Errors     as io.h says; misuse that a kernel would refuse or garble (unaligned Direct I/O)
 *            aborts with a message.
 * Promise    what io.h promises durable survives a crash in every mode; anything else may not.
 *
 * What a crash may leave of a file's unsynced operations:
 * - each sector of each write is there or not, whatever was written before or after it;
 * - what changes a file's size or space (truncate, allocate, punch, a write past the end) goes
 *   through a journal: a part from the oldest on is there, in order, and what was written into
 *   space that the journal does not know of is not;
 * - of a folder's creates, renames and unlinks a part from the oldest on is there, in order, and
 *   syncing a file does not make its name durable.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"

#define SIM_SECTOR 512u

struct sim_disk;

enum sim_op_kind {
    SIM_READ,
    SIM_WRITE,
    SIM_WRITE_DURABLE,
    SIM_SYNC,
    SIM_TRUNCATE,
    SIM_ALLOCATE,
    SIM_PUNCH,
    SIM_CREATE, /* an open that makes the file; others do not count */
    SIM_MKDIR,
    SIM_RENAME,
    SIM_UNLINK,
    SIM_SYNC_DIR,
    SIM_OP_KINDS
};

struct sim_op {
    enum sim_op_kind kind;
    uint64_t no;
    const char *path;
    uint64_t off; /* TRUNCATE: the new size */
    uint64_t len;
};

enum sim_fault {
    SIM_NO_FAULT,
    SIM_EIO,        /* fails and changes nothing */
    SIM_ENOSPC,     /* likewise */
    SIM_FSYNC_FAIL, /* of SIM_SYNC: fails, and the file is back at what was durable */
    SIM_LOST,       /* of writes and syncs: reports success and does nothing */
    SIM_CUT,        /* the power goes while this operation is under way */
};

/* Called before each operation, reads included, with no lock held: it may use every call of
 * this header, above all sim_disk_clone. */
typedef enum sim_fault sim_hook(void *ctx, struct sim_disk *disk, const struct sim_op *op);

struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *disk);
struct ps_io *sim_disk_io(struct sim_disk *disk);

/* The same content, names, unsynced operations, clock and counts; no open files, cut, faults or
 * hook. Costs a pointer for each 4 KiB chunk. */
struct sim_disk *sim_disk_clone(struct sim_disk *disk);

void sim_disk_set_hook(struct sim_disk *disk, sim_hook *hook, void *ctx); /* NULL: none */

/* After `after` more operations of this kind, the next one meets the fault, once. */
void sim_disk_arm(struct sim_disk *disk, enum sim_op_kind kind, uint64_t after,
                  enum sim_fault fault);

/* Operations so far, without reads; it is the number of the next one. */
uint64_t sim_disk_op_count(struct sim_disk *disk);
uint64_t sim_disk_kind_count(struct sim_disk *disk, enum sim_op_kind kind);

/* Cuts the power at operation number op_no. That operation is under way then: it fails, and what
 * it would have written is unsynced like everything before it. All later ones fail. */
void sim_disk_cut_at(struct sim_disk *disk, uint64_t op_no);
bool sim_disk_is_cut(struct sim_disk *disk);

enum sim_crash_mode {
    SIM_CRASH_DROP,   /* nothing unsynced survives */
    SIM_CRASH_KEEP,   /* everything does */
    SIM_CRASH_SAMPLE, /* what a seed chooses */
};

/* Power off and on again. Files still open are dead (PS_ERR_IO) and locks are free; cut, faults
 * and hook are gone; operations count from 0 again. */
void sim_disk_crash(struct sim_disk *disk, enum sim_crash_mode mode, uint64_t seed);

/* Writes and allocations beyond this fail with PS_ERR_NOSPC; UINT64_MAX (the default): none. */
void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes);

/* What the disk says how many files may be open; UINT32_MAX is the default. */
void sim_disk_set_files_max(struct sim_disk *disk, uint32_t files_max);

/* Time stands still but for this. */
void sim_disk_advance_us(struct sim_disk *disk, uint64_t us);
/* From now on the clock is the machine's, for stores that have threads: these wait by it, and would
 * not rest while time stands still. */
void sim_disk_use_real_clock(struct sim_disk *disk);

/* For looking and damaging, uncounted. A path that is not there aborts, but for exists. Damage
 * is durable at once; a crash may put an unsynced write over it. */
bool sim_disk_exists(struct sim_disk *disk, const char *path);
unsigned char *sim_disk_dump(struct sim_disk *disk, const char *path, size_t *ret_len); /* free() */
void sim_disk_patch(struct sim_disk *disk, const char *path, uint64_t off, const void *bytes,
                    size_t len);
void sim_disk_flip(struct sim_disk *disk, const char *path, uint64_t byte, unsigned bit);

#endif
