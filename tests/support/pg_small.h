/*
 * pg_small.h - a small PostgreSQL 15 cluster made of the corpus', in memory and as files, to be
 * changed and put back thousands of times a second.
 *
 * It has the corpus' catalogs, but of them only the rows that tell of the relations that are here,
 * each with few pages. A file that is not there to begin with (backup_label) can come to be.
 *
 * Flow       a test changes the bytes of files, writes them, opens dir, and has all put back.
 * Units      files by index; bytes.
 * Ownership  open gives what close takes back, with its folder.
 * Errors     aborts: without its files a test has nothing to say.
 */
#ifndef TEST_PG_SMALL_H
#define TEST_PG_SMALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "corpus.h"

#define PG_SMALL_PAGE 8192u

enum pg_small_kind {
    PG_SMALL_CATALOG,  /* pages, all of which are read when a database is opened */
    PG_SMALL_TOAST,    /* pages, all of which may be read for one value */
    PG_SMALL_RELATION, /* pages */
    PG_SMALL_CONTROL,  /* pg_control, with its CRC */
    PG_SMALL_MAP,      /* pg_filenode.map, with its CRC */
    PG_SMALL_PLAIN,    /* bytes without a checksum */
};

struct pg_small_file {
    const char *path; /* below dir */
    enum pg_small_kind kind;
    uint8_t *bytes; /* room for PG_SMALL_LEN_MAX; may be changed */
    size_t len;     /* of bytes; may be changed */
    bool absent;    /* there is no such file; may be changed */
    uint64_t hole;  /* bytes of zeros behind them; may be changed */
    bool changed;   /* to be set by who changes any of these */
    uint8_t *first_bytes;
    size_t first_len;
    bool first_absent;
};

#define PG_SMALL_LEN_MAX (16u * PG_SMALL_PAGE)

struct pg_small {
    struct corpus *corpus;
    char dir[340];
    struct pg_small_file *files;
    size_t count;
};

struct pg_small *pg_small_open(void);
void pg_small_close(struct pg_small *small);

/* The checksums of all that was changed, as they should be. */
void pg_small_seal(struct pg_small *small);
/* Writes what was changed. */
void pg_small_write(const struct pg_small *small);
/* Everything as it was. */
void pg_small_restore(struct pg_small *small);

#endif
