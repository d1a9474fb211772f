/*
 * gen.h - a generated file that is open: a view's text, as a snapshot or as a stream.
 *
 * Flow       ops -> [gen] -> view
 * Units      offsets and lengths are bytes of the text.
 * Ownership  open gives a pfs_gen that close takes back; it borrows the subject's table.
 * Locking    thread safe: reads of one open file take turns.
 * Errors     those of the view's steps; a stream ends at its first one, whatever came before it
 *            having been read.
 * Promise    a snapshot is made when it is opened and does not change; reading it takes no lock
 *            of the library.
 */
#ifndef PFS_GEN_H
#define PFS_GEN_H

#include <stdint.h>

#include "fs/view.h"

struct pfs_gen; /* private */

PS_MUST_USE ps_err pfs_gen_open(const struct pfs_view *view, const struct pfs_subject *subject,
                                struct ps_cancel *cancel, struct pfs_gen **ret);
/* NULL is allowed. */
void pfs_gen_close(struct pfs_gen *g);

/* Length of a snapshot; 0 for a stream. */
uint64_t pfs_gen_len(const struct pfs_gen *g);
bool pfs_gen_is_stream(const struct pfs_gen *g);

/* Up to len bytes from off on; fewer, or none, at the end. Between begin and end the bytes stay
 * where they are; nothing is held when begin fails. */
PS_MUST_USE ps_err pfs_gen_read_begin(struct pfs_gen *g, uint64_t off, size_t len,
                                      struct ps_cancel *cancel, const char **ret, size_t *ret_len);
void pfs_gen_read_end(struct pfs_gen *g);

#endif
