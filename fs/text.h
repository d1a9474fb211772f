/*
 * text.h - a growing piece of text in memory.
 *
 * Ownership  a zeroed struct is an empty text; deinit frees what it holds.
 * Errors     running out of memory is remembered and told once, by pfs_text_err().
 */
#ifndef PFS_TEXT_H
#define PFS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "pagestore/err.h"

struct pfs_text {
    char *data;
    size_t len, cap;
    bool failed; /* out of memory: what was to be added is lost */
};

void pfs_text_deinit(struct pfs_text *t);
void pfs_text_clear(struct pfs_text *t); /* empties it, keeps the memory */
void pfs_text_add(struct pfs_text *t, const void *data, size_t len);
void pfs_text_printf(struct pfs_text *t, const char *fmt, ...) PS_PRINTF(2, 3);

/* Room for len more bytes, which the caller fills and then adds to t->len; NULL when out of
 * memory. */
char *pfs_text_room(struct pfs_text *t, size_t len);

/* PS_ERR_NOMEM if anything was lost. */
PS_MUST_USE ps_err pfs_text_err(const struct pfs_text *t);

#endif
