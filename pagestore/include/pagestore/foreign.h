/*
 * foreign.h - tables whose files somebody else made: relations of a PostgreSQL directory, one
 * relation file, a file of page-db. Read-only, through the same pool and formats as a store's own.
 *
 * A foreign store has a pool and tables, but no log, control file, allocation maps or lock, and
 * nothing below it is ever written, not even a time of last access. Every whole page of a table's
 * files is a used page; its LSN is the one that stands on it. Which tables there are is known only
 * to `ops`: the store asks for them by id, as they are needed.
 *
 * Flow       fs, tools -> pg -> [foreign] -> pool -> file -> io
 * Units      page numbers count from 0 over all of a table's segments.
 * Ownership  as of ps_store_open(): ps_store_close() takes the store back. What ops gives must stay
 *            as it is until then.
 * Locking    thread safe. ops are called from any thread, with the store's catalog lock held, and
 *            must not call the library.
 * Errors     as in pagestore.h and table.h; every change is PS_ERR_READONLY. A missing file is
 *            PS_ERR_NOENT, and costs only its own table.
 * Promise    nothing in the source changes, whatever is called.
 */
#ifndef PAGESTORE_FOREIGN_H
#define PAGESTORE_FOREIGN_H

#include "pagestore/table.h"

#define PS_FOREIGN_ID_MAX ((1u << 26) - 1)

struct ps_foreign_table {
    uint32_t id;      /* 1 to PS_FOREIGN_ID_MAX */
    const char *name; /* for messages and stats; need not be unique */
    enum ps_format_id format;
    bool checksums;         /* false: pages carry none, or none that counts; identity is checked */
    unsigned root;          /* what ps_foreign_add_root gave; 0: the store's own folder */
    const char *path;       /* below the root; NULL: there is no file, and so no page */
    uint32_t first_page;    /* number of path's first page: not 0 for a segment by itself */
    uint32_t page_table_id; /* the table id on native pages; 0 in page-db's own files */
    uint32_t segment_pages; /* of a full file; more are in path.1, path.2, ...; 0: one file */
};

struct ps_foreign_ops {
    /* The table with the least id >= from; PS_ERR_NOENT: there is none. */
    ps_err (*find)(void *ctx, uint32_t from, struct ps_foreign_table *ret);
    void *ctx;
    bool live; /* another program writes the files: ask for their lengths each time */
};

/* opts as for ps_store_open(), but those about the log have no effect. root is a folder. */
PS_MUST_USE ps_err ps_store_open_foreign(const char *root, uint32_t page_size,
                                         const struct ps_foreign_ops *ops,
                                         const struct ps_store_options *opts,
                                         struct ps_store **ret);

/* Adds a folder in which files lie; to be called before the first table in it is asked for. */
PS_MUST_USE ps_err ps_foreign_add_root(struct ps_store *store, const char *path,
                                       unsigned *ret_root);

/* How many bytes follow the last whole page of the table's files (a torn or cut end), 0 if none.
 * buf receives the name of the file. */
PS_MUST_USE ps_err ps_foreign_tail(struct ps_table *table, uint64_t *ret_bytes, char *buf,
                                   size_t len);

/* Pages [from, end), as far as there are such, are read soon, past the pool. */
void ps_foreign_will_read(struct ps_table *table, uint64_t from, uint64_t end);

/* The first page of [from, end) that may hold anything, or end. Those before it are holes of the
 * table's files: new pages, all zero and sound. In a format without such pages: from. */
uint64_t ps_foreign_next_data(struct ps_table *table, uint64_t from, uint64_t end);
/* The page to look at after page_no, which was read into `page`: the next one, or, where that page
 * is all zero, the first that may hold anything. */
uint64_t ps_foreign_page_after(struct ps_table *table, uint64_t page_no, const void *page,
                               uint64_t end);

/* Reads up to PS_RUN_PAGES_MAX pages from `first` on, bypassing the pool, for callers that look at
 * each page once; buf is aligned as ps_buf_alloc() aligns. ret_sound[i]: page first + i is there
 * and verifies. ps_page_copy() says what is wrong with one that does not, and counts it. */
#define PS_RUN_PAGES_MAX 128u
void ps_foreign_read_run(struct ps_table *table, uint64_t first, uint32_t count, void *buf,
                         bool *ret_sound);

bool ps_store_is_foreign(const struct ps_store *store);

#endif
