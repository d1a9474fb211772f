/*
 * format.h - the page format seam: what a page's bytes mean, and what makes them trustworthy.
 *
 * Two formats, chosen per table: `native` (page-db 1.0's frozen format) and `postgres`
 * (PostgreSQL's page layout version 4, src/include/storage/bufpage.h, and its checksum,
 * src/include/storage/checksum_impl.h). Bytes: FORMAT.md sections 2 and 3.
 *
 * Flow       pool, alloc, store, pg -> [format] -> bytes of a page
 * Units      page is page_size bytes, a power of two; page numbers are 32 bits.
 * Ownership  nothing is kept; all calls work on the caller's bytes.
 * Locking    pure functions; the caller holds the page's latch as each call needs.
 * Errors     PS_ERR_CORRUPT with a message that names the field, both values, and for a
 *            checksum stored and computed. No call trusts any byte of the page.
 * Promise    what seal has stamped verify accepts, for the same page number only.
 */
#ifndef PAGESTORE_FORMAT_H
#define PAGESTORE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pagestore/err.h"

#define PS_PAGE_SIZE_MIN 4096u
#define PS_PAGE_SIZE_MAX (1024u * 1024u)
#define PS_PAGE_SIZE_DEFAULT 8192u

enum ps_format_id { PS_FORMAT_NATIVE = 0, PS_FORMAT_POSTGRES = 1 };

/* Page types: low 8 bits of the native header's flags. */
enum ps_page_type {
    PS_PAGE_RAW = 0,
    PS_PAGE_SLOTTED = 1,
    PS_PAGE_MAP = 2, /* a node of an allocation map */
};

/* Who the page should be. */
struct ps_page_ident {
    uint32_t page_size;
    uint32_t page_no;
    uint32_t table_id;
};

/* One thing wrong with a page's structure; word is greppable: "header", "lp-range", ...; lp is
 * the line pointer it is about, 0 when none. The words are listed in FORMAT.md section 4. */
typedef void (*ps_damage_fn)(void *ctx, const char *word, int lp, const char *text);

struct ps_slotted_layout; /* format/layout.h */

struct ps_format {
    const char *name; /* "native", "postgres" */
    enum ps_format_id id;
    uint32_t header_len;    /* bytes before what belongs to whoever uses the page */
    uint32_t page_size_max; /* this format's own limit */
    const struct ps_slotted_layout *slotted; /* where line pointers lie; used by slotted.h */

    /* A new page of the type, every byte set. native: a whole header. postgres: PageInit() for
     * SLOTTED; all zero (PostgreSQL's "new" page) for RAW. Not sealed. */
    void (*init)(void *page, const struct ps_page_ident *who, enum ps_page_type type);

    /* Sets what the store owns but for LSN and checksum (native: magic, version, page number,
     * table id), after a user's bytes were copied in. */
    void (*stamp)(void *page, const struct ps_page_ident *who);

    uint64_t (*lsn)(const void *page); /* 0 for an all-zero page */
    void (*set_lsn)(void *page, uint64_t lsn);

    /* Computes and stores the checksum. A postgres page that is zero outside LSN and checksum
     * becomes all zero instead. */
    void (*seal)(void *page, const struct ps_page_ident *who);

    /* Checks identity and checksum: is this the page that was sealed, whole and in its place?
     * An all-zero page is PS_OK in postgres and PS_ERR_CORRUPT in native. */
    ps_err (*verify)(const void *page, const struct ps_page_ident *who);

    /* As verify, of a page that has no checksum, or none that counts: what else shows whether this
     * is the page. postgres: flags and bounds, as PageIsVerified() of src/backend/storage/page. */
    ps_err (*verify_header)(const void *page, const struct ps_page_ident *who);

    /* The checksum as stored, as computed now, and whether the page carries none (all zero). */
    void (*checksum)(const void *page, const struct ps_page_ident *who, uint32_t *ret_stored,
                     uint32_t *ret_computed, bool *ret_none);

    enum ps_page_type (*type)(const void *page); /* postgres: RAW when new, else SLOTTED */

    /* Reports everything that is wrong with the structure of a page whose checksum may well be
     * right (or known to be wrong); returns how many things. report may be NULL. */
    unsigned (*check)(const void *page, const struct ps_page_ident *who, ps_damage_fn report,
                      void *ctx);

    /* The page as text: header fields `name value` a line, line pointers, items (hex and text),
     * then a line `damage WORD: ...` for each thing that is wrong. Any bytes are survived. */
    void (*describe)(const void *page, const struct ps_page_ident *who, FILE *out);
};

extern const struct ps_format ps_format_native;
extern const struct ps_format ps_format_postgres;

/* NULL for an unknown id or name. */
const struct ps_format *ps_format_by_id(unsigned id);
const struct ps_format *ps_format_by_name(const char *name);

/* True if every byte is zero. */
bool ps_page_is_zero(const void *page, size_t len);

#endif
