/*
 * describe.h - the parts of a page's text that both formats share.
 *
 * Flow       format_native.c, format_postgres.c -> [describe] -> out
 * Units      offsets count bytes from the start of the page, in hexadecimal in the dumps, so
 *            that they agree with `hexdump -C` of the page-file.
 * Ownership  out stays the caller's; nothing is kept.
 * Locking    none; the caller holds the page's latch or a copy.
 * Errors     none are returned: out remembers a failed write, and its owner asks ferror().
 * Promise    any bytes are survived, and nothing outside the page is read.
 */
#ifndef PS_FORMAT_DESCRIBE_H
#define PS_FORMAT_DESCRIBE_H

#include "format/layout.h"

/* Bytes from..to of the page as `hexdump -C` shows them: 16 a line with their text, `*` for lines
 * that repeat the one before, and at the end the end offset. */
void ps_hexdump(const unsigned char *page, uint32_t from, uint32_t to, FILE *out);

/* The columns of an item that its format knows how to read, after those of its line pointer. */
struct ps_item_columns {
    const char *slot_title; /* NULL: "lp" */
    const char *titles;     /* "" when there are none */
    /* Adds the columns of one item, or as many `-`. */
    void (*print)(void *ctx, const unsigned char *page, uint32_t page_size, uint32_t slot,
                  const struct ps_lp *lp, FILE *out);
    void *ctx;
};

/* The table of line pointers, then each item's bytes, then unused space and special space where
 * they are not all zero. */
void ps_describe_slotted(const struct ps_slotted_layout *l, const unsigned char *page,
                         uint32_t page_size, const struct ps_item_columns *columns, FILE *out);

/* A ps_damage_fn whose ctx is a FILE: the line `damage WORD: TEXT`. */
void ps_describe_damage(void *ctx, const char *word, int lp, const char *text);

#endif
