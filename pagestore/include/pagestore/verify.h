/*
 * verify.h - is a store sound? Every page's checksum and structure, log, control file, maps.
 *
 * Reads the files directly, with its own eyes and no pool, and changes nothing: also a store that
 * is mounted elsewhere can be looked at, if nothing writes to it meanwhile; the lock is taken shared
 * by nobody, so callers decide. Goes on to the end whatever it finds.
 */
#ifndef PAGESTORE_VERIFY_H
#define PAGESTORE_VERIFY_H

#include "pagestore/pagestore.h"

enum ps_severity {
    PS_FAULT,        /* damage */
    PS_SUSPECT,      /* not as it should be, and harmless */
    PS_NEEDS_RECOVERY, /* a fault that recovery will repair, going by the log */
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

/* PS_OK: it ran to the end, whatever it found. An error: it could not run, as there is no store. */
PS_MUST_USE ps_err ps_verify(const char *path, const struct ps_verify_options *opts,
                             struct ps_verify_result *ret);

/* One file of native pages that belongs to no store (page-db's own): identity and checksum of
 * every page, table id 0 or as found on the first page. */
PS_MUST_USE ps_err ps_verify_file(const char *path, uint32_t page_size,
                                  const struct ps_verify_options *opts,
                                  struct ps_verify_result *ret);

#endif
