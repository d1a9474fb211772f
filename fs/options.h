/*
 * options.h - the command line.
 *
 * Flow       main -> [options] -> libfuse's parser
 * Units      sizes in bytes, times as the library's options have them.
 * Ownership  strings belong to the struct; deinit gives them back.
 * Locking    constant once parsed.
 * Errors     one line on stderr.
 * Promise    a wrong option is told before anything is opened or mounted.
 */
#ifndef PFS_OPTIONS_H
#define PFS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "pg/cluster.h"

struct fuse_args;

#define PFS_EXIT_USAGE 2

struct pfs_options {
    char *source; /* absolute */
    char *mountpoint;
    bool foreground, debug, help, version;
    bool fsync_log_only;
    bool kernel_cache;
    bool io_uring; /* only where libfuse has it */
    unsigned threads;
    unsigned max_read; /* of one request, 0: as the kernel likes */
    /* Options as the library takes them; strings in it belong to this struct. */
    struct ps_store_options store;
    char *policy, *io;
    /* Of a PostgreSQL source; strings belong to this struct. */
    struct ps_pg_options cluster;
    char *catalogs, *schema, *toast, *table;
    struct ps_pg_tablespace *tablespaces;
    bool skip_corrupt;
    char cluster_option[32]; /* one of those that were given; "": none */
};

/* Takes our own options out of args and leaves FUSE's in. False: said why, in one line on stderr;
 * exit with PFS_EXIT_USAGE. deinit in either case. */
bool pfs_options_parse(struct pfs_options *o, struct fuse_args *args);
void pfs_options_deinit(struct pfs_options *o);

void pfs_options_help(void);

#endif
