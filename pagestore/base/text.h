/*
 * text.h - a growing piece of text in memory.
 *
 * Flow       whoever makes text -> [text] -> malloc
 * Units      bytes.
 * Ownership  a zeroed struct is an empty text; deinit frees what it holds.
 * Locking    one thread uses a text at a time.
 * Errors     running out of memory is remembered and told once, by ps_text_err().
 */
#ifndef PS_BASE_TEXT_H
#define PS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pagestore/err.h"

struct ps_text {
    char *data;
    size_t len, cap;
    bool failed; /* out of memory: what was to be added is lost */
};

void ps_text_deinit(struct ps_text *t);
void ps_text_clear(struct ps_text *t); /* empties it, keeps the memory */
void ps_text_add(struct ps_text *t, const void *data, size_t len);
void ps_text_printf(struct ps_text *t, const char *fmt, ...) PS_PRINTF(2, 3);

/* As ps_text_room, where there may be too little. */
char *ps_text_grow(struct ps_text *t, size_t len);

/* Room for len more bytes, which the caller fills and then adds to t->len; NULL when out of
 * memory. */
static inline char *ps_text_room(struct ps_text *t, size_t len)
{
    return t->cap - t->len > len ? t->data + t->len : ps_text_grow(t, len);
}

/* PS_ERR_NOMEM if anything was lost. */
PS_MUST_USE ps_err ps_text_err(const struct ps_text *t);

/* A file to print to, for those who print to files; closing it adds what was printed to t. */
struct ps_text_stream {
    FILE *file; /* NULL: out of memory, which closing it tells t */
    char *data;
    size_t len;
};
void ps_text_stream_open(struct ps_text_stream *s);
void ps_text_stream_close(struct ps_text_stream *s, struct ps_text *t);

#endif
