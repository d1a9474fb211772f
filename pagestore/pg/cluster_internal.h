/*
 * cluster_internal.h - what the files that make up cluster.h share.
 *
 * Flow       cluster.c opens: options and source, then pg_control and the version (control), the
 *            server and the log (server), names (files), maps (map), sizes from pages where nobody
 *            tells them (guess), at last the store. A single file goes by cluster_file.c.
 * Units      as cluster.h.
 * Ownership  everything belongs to the cluster.
 * Locking    mtx guards notes and placeholders; all else is written while the cluster is opened, by
 *            one thread.
 * Errors     what is missing or damaged becomes a note, not an error.
 * Promise    a piece that is missing or damaged costs only what depends on it.
 */
#ifndef PS_PG_CLUSTER_INTERNAL_H
#define PS_PG_CLUSTER_INTERNAL_H

#include "base/lock.h"
#include "io/io.h"
#include "pg/cluster.h"

#define PS_PG_VERSION_MIN 12u
#define PS_PG_VERSION_MAX 17u
#define PS_PG_PAGE_SIZE_MAX 32768u
#define PS_PG_SEGMENT_BLOCKS_DEFAULT 131072u

#define PS_CLUSTER_PATH_MAX 512u              /* of a file below a root, with its NUL */
#define PS_CLUSTER_SMALL_FILE_MAX (64u << 10) /* bytes of one that has a few lines */

/* A folder that files lie below. */
struct ps_cluster_root {
    char *dir;
    struct ps_io *io;
};

/* pg_filenode.map. */
#define PS_CLUSTER_MAPPINGS_MAX 64u
struct ps_cluster_map {
    uint32_t count;
    struct {
        ps_oid relation;
        uint32_t node;
    } mappings[PS_CLUSTER_MAPPINGS_MAX];
};

struct ps_cluster_db {
    ps_oid oid;
    ps_oid space;   /* its default: where PG_VERSION and pg_filenode.map lie */
    bool has_marks; /* one of them does lie there */
    unsigned root;
    char *dir; /* below the root */
    struct ps_cluster_map map;
};

/* A growing list of strings. */
struct ps_cluster_texts {
    char **text;
    uint32_t count, cap;
};

/* A growing list of numbers. */
struct ps_cluster_numbers {
    uint32_t *number;
    uint32_t count, cap;
};

/* Where the pages of a relation lie in its files. */
struct ps_cluster_place {
    uint32_t first_page;    /* number of the first file's first one */
    uint32_t segment_pages; /* that a full file has; 0: there is one file */
};

#define PS_CLUSTER_TOAST 1u /* index of a single file's toast file */

struct ps_pg_cluster {
    char *source;
    bool is_file;
    struct ps_pg_options opts;
    struct ps_store_options store_opts;
    struct ps_cluster_root *roots; /* the first is the source, or the folder of the file */
    unsigned root_count;

    struct ps_pg_control control;
    uint64_t min_recovery_lsn;
    uint32_t version;
    bool server_runs;
    char *not_recovered;
    struct ps_cluster_db *dbs; /* ascending */
    uint32_t db_count, db_cap;
    struct ps_cluster_numbers
        spaces;               /* tablespaces whose folders were found, but for our own two */
    struct ps_pg_file *files; /* in cluster.h's order; ids are index + 1 */
    uint32_t *segments;       /* of each file: how many it has, without a gap */
    uint32_t file_count;

    /* How the tables are read. */
    enum ps_format_id format;
    uint32_t page_size;
    struct ps_cluster_place place;
    bool checksums;
    struct ps_store *store;

    /* Of a single file. */
    struct ps_pg_cluster *catalogs; /* what catalogs= names; NULL: nothing */
    struct ps_cluster_place toast_place;
    uint32_t page_table_id; /* of native pages: the table id on them */

    struct ps_mutex mtx;                  /* rank LEAF */
    struct ps_cluster_texts notes;        /* guarded by mtx */
    struct ps_cluster_texts placeholders; /* guarded by mtx: names; ids follow the files' */
};

/* Takes text, which it frees when it fails. PS_ERR_NOMEM. */
PS_MUST_USE ps_err ps_cluster_keep(struct ps_cluster_texts *texts, char *text);
void ps_cluster_texts_deinit(struct ps_cluster_texts *texts);

/* Opens one more folder. PS_ERR_NOENT and those of ps_io_posix_rdonly(). */
PS_MUST_USE ps_err ps_cluster_add_root(struct ps_pg_cluster *c, const char *dir,
                                       unsigned *ret_root);
/* As ps_pg_read_file(), below any root. */
PS_MUST_USE ps_err ps_cluster_read(struct ps_pg_cluster *c, unsigned root, const char *path,
                                   size_t max, uint8_t **ret, size_t *ret_len);
/* Length of a file. */
PS_MUST_USE ps_err ps_cluster_file_len(struct ps_pg_cluster *c, unsigned root, const char *path,
                                       uint64_t *ret);

/* --- cluster_control.c -------------------------------------------------------------------- */
/* pg_control and PG_VERSION: control, min_recovery_lsn and version. */
void ps_cluster_read_control(struct ps_pg_cluster *c);
/* "in production", as pg_controldata says it. */
const char *ps_cluster_state_name(uint32_t state);
bool ps_cluster_state_is_clean(uint32_t state);

/* --- cluster_server.c --------------------------------------------------------------------- */
/* PS_ERR_IN_USE: a server runs in the source, and not `live`. */
PS_MUST_USE ps_err ps_cluster_check_server(struct ps_pg_cluster *c);
/* Sets not_recovered. */
PS_MUST_USE ps_err ps_cluster_check_recovered(struct ps_pg_cluster *c);

/* --- cluster_names.c ---------------------------------------------------------------------- */
/* A decimal number without leading zeros; *ret_end is behind it. */
bool ps_cluster_parse_number(const char *text, const char **ret_end, uint32_t *ret);
/* PATH and N of PATH.N, N from 1 on; false: the name does not end so. */
bool ps_cluster_parse_segment(const char *path, size_t *ret_len, uint32_t *ret_segment);
/* Files that lie beside relations' files but are none. */
bool ps_cluster_is_known_name(const char *name);
/* As files are ordered. */
int ps_cluster_compare_files(const struct ps_pg_file *a, const struct ps_pg_file *b);

/* --- cluster_files.c ---------------------------------------------------------------------- */
/* Fills in dbs, files, and roots of tablespaces. PS_ERR_NOMEM; PS_ERR_INVAL, PS_ERR_NOENT: a
 * tablespace's folder that the options name cannot be opened. */
PS_MUST_USE ps_err ps_cluster_list(struct ps_pg_cluster *c);

/* --- cluster_found.c: from names of files to files ----------------------------------------- */
/* A name that was found. */
struct ps_cluster_found {
    struct ps_pg_file file; /* whose it is; without id and path */
    uint32_t segment;
    uint32_t folder; /* index into folders */
};
struct ps_cluster_finds {
    struct ps_cluster_found *found;
    uint32_t count, cap;
    struct ps_cluster_texts folders;
};
PS_MUST_USE ps_err ps_cluster_finds_add(struct ps_cluster_finds *f,
                                        const struct ps_cluster_found *found);
void ps_cluster_finds_deinit(struct ps_cluster_finds *f);
/* Orders them, makes files of them, and notes segments that are missing. */
PS_MUST_USE ps_err ps_cluster_finds_settle(struct ps_pg_cluster *c, struct ps_cluster_finds *f);

/* --- cluster_map.c ------------------------------------------------------------------------ */
void ps_cluster_read_maps(struct ps_pg_cluster *c);

/* --- cluster_guess.c ---------------------------------------------------------------------- */
/* page_size, segment_pages, checksums: as options, pg_control, or else the pages themselves say. */
PS_MUST_USE ps_err ps_cluster_settle_sizes(struct ps_pg_cluster *c);
/* The same, and format and places, of a single file and its toast file. */
PS_MUST_USE ps_err ps_cluster_settle_file(struct ps_pg_cluster *c);

/* --- cluster_file.c ----------------------------------------------------------------------- */
/* The source is a file: it, its toast file, and the cluster that describes it. Errors as of
 * ps_pg_open(), PS_ERR_IN_USE also of that cluster. */
PS_MUST_USE ps_err ps_cluster_open_file(struct ps_pg_cluster *c);

#endif
