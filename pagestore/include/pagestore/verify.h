/*
 * verify.h - is a store sound? Every page's checksum and structure, log, control file, maps.
 *
 * Reads the files directly, without a pool, and changes nothing. Goes on to the end whatever it
 * finds.
 *
 * Flow       tools -> [verify] -> the files
 * Units      page numbers count from 0; offsets and lengths are bytes.
 * Ownership  what report and progress are given is valid during their call.
 * Locking    each call uses one thread. It takes no lock on the store: the caller makes sure that
 *            nothing writes to it meanwhile.
 * Errors     what is wrong with the store is a finding, not an error.
 * Promise    nothing is written, and whatever is found, the rest is looked at too.
 */
#ifndef PAGESTORE_VERIFY_H
#define PAGESTORE_VERIFY_H

#include "pagestore/pagestore.h"

enum ps_severity {
    PS_FAULT,          /* damage */
    PS_SUSPECT,        /* not as it should be, but harmless */
    PS_NEEDS_RECOVERY, /* a fault that recovery will repair, as the log shows */
};

struct ps_finding {
    enum ps_severity severity;
    const char *file;  /* below the store, "tables/7.pages" */
    const char *table; /* name, or NULL */
    int64_t page;      /* -1: of the file as a whole */
    uint64_t offset;   /* byte offset in the file */
    const char *word;  /* greppable: "checksum", "identity", "lost-write", "map", "control", ... */
    const char *text;
};

struct ps_verify_options {
    void (*report)(void *ctx, const struct ps_finding *finding);
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
    void *ctx;
    struct ps_io *io_given; /* instead of real files */
};

struct ps_verify_result {
    uint64_t tables, pages, faults, suspects;
    bool needs_recovery; /* not closed cleanly */
};

/* PS_OK: it ran to the end, whatever it found. An error: it could not run, say because there is no
 * store. */
PS_MUST_USE ps_err ps_verify(const char *path, const struct ps_verify_options *opts,
                             struct ps_verify_result *ret);

/* One file of native pages that belongs to no store (page-db's own): identity and checksum of
 * every page, table id 0 or that of the first sound page. page_size 0: determined from the first
 * pages; PS_ERR_UNSUPPORTED if no size fits. */
PS_MUST_USE ps_err ps_verify_file(const char *path, uint32_t page_size,
                                  const struct ps_verify_options *opts,
                                  struct ps_verify_result *ret);

/* The log of a store that nobody has open, as text: a header line, then what ps_store_wal_text()
 * lists. Changes nothing, recovers nothing. */
PS_MUST_USE ps_err ps_wal_text(const char *path, uint64_t from,
                               ps_err (*each)(void *ctx, const char *line), void *ctx);

/* Where a table of a store that nobody has open lies on disk. */
struct ps_table_on_disk {
    uint32_t id;
    uint32_t page_size;
    char file[32]; /* below the store, "tables/7.pages" */
};

/* Goes by the catalog as it lies on disk: a table that only the log knows of so far is
 * PS_ERR_NOENT, too. */
PS_MUST_USE ps_err ps_find_table_on_disk(const char *path, const char *name,
                                         struct ps_table_on_disk *ret);

#endif
