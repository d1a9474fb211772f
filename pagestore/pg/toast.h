/*
 * toast.h - values that are compressed, or stored in another relation.
 *
 * Flow       rows, catalog -> [toast] -> chunks of a toast relation, by whoever can find them
 * Units      bytes; a chunk has up to 1996 of them (pages of 8 KiB).
 * Ownership  the buffer is the caller's, used again from value to value.
 * Locking    pure functions, but for fetch.
 * Errors     PS_ERR_CORRUPT: does not unfold to what it claims. PS_ERR_NOENT ("toast-missing"):
 *            a chunk is not there. Nothing is allocated for a claim alone: memory grows with bytes
 *            that are there.
 * Source     src/common/pg_lzcompress.c, src/include/varatt.h, access/toast_internals.h.
 */
#ifndef PS_PG_TOAST_H
#define PS_PG_TOAST_H

#include "base/text.h"
#include "pg/tuple.h"

/* The columns of every toast relation, in this order, since there is TOAST. */
enum { PS_PG_CHUNK_ID, PS_PG_CHUNK_SEQ, PS_PG_CHUNK_DATA, PS_PG_CHUNK_COLUMNS };
extern const struct ps_pg_desc ps_pg_toast_desc;

struct ps_pg_toaster {
    /* Appends the stored bytes (stored_len of them) of an external value to out. */
    ps_err (*fetch)(void *ctx, const struct ps_pg_external *external, struct ps_text *out);
    void *ctx;
};

/* The value's own bytes: into the tuple where it is plain, else in buf, which is overwritten.
 * toaster may be NULL: then external values are PS_ERR_NOENT. */
PS_MUST_USE ps_err ps_pg_detoast(const struct ps_pg_value *value,
                                 const struct ps_pg_toaster *toaster, struct ps_text *buf,
                                 const uint8_t **ret_data, uint32_t *ret_len);

/* Appends raw_len bytes to out. */
PS_MUST_USE ps_err ps_pglz_decompress(const uint8_t *data, uint32_t len, uint32_t raw_len,
                                      struct ps_text *out);

#endif
