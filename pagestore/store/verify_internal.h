/*
 * verify_internal.h - what the parts of verify share.
 *
 * verify.c orders the work: control file, catalog, log, then table by table; each part reports
 * through ps_verify_report and goes on. What the log holds of a crashed store is kept as two sets
 * of pages; everything else is read, judged and let go, so memory does not grow with tables' sizes.
 *
 * Flow       tools -> verify.h -> [verify] -> alloc, wal reader, control, format -> io
 * Units      as in file.h and wal.h.
 * Ownership  everything belongs to one call of verify.
 * Locking    none: one thread.
 * Errors     what is wrong with the store is a finding, and PS_OK. Functions return an error only
 *            when they cannot go on (memory).
 * Promise    nothing is written.
 */
#ifndef PS_STORE_VERIFY_INTERNAL_H
#define PS_STORE_VERIFY_INTERNAL_H

#include <stdarg.h>

#include "pagestore/verify.h"
#include "store/store_internal.h"

/* --- verify_window.c: a file read in large steps -------------------------------------------- */

struct ps_window {
    struct ps_io_file *file;
    uint8_t *buf;
    size_t cap;
    uint64_t off; /* what buf holds now: [off, off + len) */
    size_t len;
};

PS_MUST_USE ps_err ps_window_open(struct ps_window *w, struct ps_io *io, const char *path,
                                  uint32_t page_size);
void ps_window_close(struct ps_window *w); /* also of one that was not opened but zeroed */
/* [off, off + len), a page as a rule; what lies past the file's end is zeros. */
PS_MUST_USE ps_err ps_window_read(struct ps_window *w, uint64_t off, size_t len,
                                  const uint8_t **ret);

/* --- verify_pageset.c: a set of pages ------------------------------------------------------- */

struct ps_pageset {
    uint64_t *slots; /* 0: empty */
    size_t count, cap;
};

PS_MUST_USE ps_err ps_pageset_add(struct ps_pageset *set, uint32_t table, uint32_t page);
bool ps_pageset_has(const struct ps_pageset *set, uint32_t table, uint32_t page);
/* In no order. */
void ps_pageset_each(const struct ps_pageset *set,
                     void (*each)(void *ctx, uint32_t table, uint32_t page), void *ctx);
void ps_pageset_deinit(struct ps_pageset *set);

/* --- verify.c ----------------------------------------------------------------------------- */

struct ps_verify_table {
    struct ps_catalog_entry entry; /* entry.table is its id */
    uint64_t seq;                  /* higher ones are newer; 0: from the catalog's pages */
    uint32_t page, slot;           /* where the catalog has it; seq 0 */
    bool dropped;                  /* by the log */
};

struct ps_verifier {
    struct ps_io *io;
    const struct ps_verify_options *opts;
    struct ps_verify_result result;
    struct ps_control control;
    bool control_sound;
    bool crashed; /* recovery comes first: page files may lag behind the log */
    uint32_t page_size;
    uint64_t end_lsn; /* no page can have a higher LSN; UINT64_MAX where that is not known */
    struct ps_pageset data_images, map_images; /* pages whose image recovery will put down */
    struct ps_pageset log_files;               /* that recovery will change: forks as pages */
    struct ps_verify_table *tables;            /* ascending ids once the catalog was read */
    size_t table_count, table_cap;
    bool catalog_whole; /* so a table that it does not name is not there */
    uint64_t bytes_done, bytes_total;
};

/* Where a finding is. */
struct ps_place {
    const char *file;
    const char *table; /* or NULL */
    int64_t page;      /* -1: the file as a whole */
    uint64_t offset;
};

void ps_verify_report(struct ps_verifier *v, enum ps_severity severity,
                      const struct ps_place *place, const char *word, const char *fmt, ...)
    PS_PRINTF(5, 6);
void ps_verify_progress(struct ps_verifier *v, const char *what, uint64_t bytes);

PS_MUST_USE ps_err ps_verify_add_table(struct ps_verifier *v, const struct ps_verify_table *table);

/* Opens real files below path where no io is given. */
PS_MUST_USE ps_err ps_verify_open_io(const char *path, struct ps_io *given, struct ps_io **ret);

/* --- the parts ---------------------------------------------------------------------------- */

/* verify_log.c: the log, and what it says about tables and pages. */
PS_MUST_USE ps_err ps_verify_log(struct ps_verifier *v);
/* verify_catalog.c: which tables there are, going by the catalog's pages and, of a crashed store,
 * the log. */
PS_MUST_USE ps_err ps_verify_catalog(struct ps_verifier *v);
/* verify_table.c: one table's map and pages. */
PS_MUST_USE ps_err ps_verify_table(struct ps_verifier *v, const struct ps_verify_table *table);

/* A page that does not verify: "zero", "checksum" or "identity". */
const char *ps_verify_word(const struct ps_format *fmt, const void *page,
                           const struct ps_page_ident *who);

#endif
