/*
 * utf8.h - where text ends and other bytes begin.
 *
 * To go through bytes that may be text, character by character:
 *
 *     struct ps_utf8 c = ps_utf8_of(text, strlen(text));
 *
 *     while (ps_utf8_next(&c))
 *         ... c.len bytes at c.at, which are a character if c.sound, and else one byte
 *
 * Flow       fs, pg -> [utf8]
 * Units      bytes.
 * Ownership  a walk points into the caller's bytes.
 * Locking    pure functions.
 * Errors     none: what is no UTF-8 comes a byte at a time.
 * Promise    every byte comes once.
 */
#ifndef PS_BASE_UTF8_H
#define PS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* What replaces a byte that is not text: U+FFFD. */
#define PS_UTF8_NONE "\xef\xbf\xbd"

struct ps_utf8 {
    const unsigned char *at;
    size_t len;  /* 0: before the first */
    size_t left; /* from `at` on */
    bool sound;
};

struct ps_utf8 ps_utf8_of(const void *bytes, size_t len);
/* False: there is no further one. */
bool ps_utf8_next(struct ps_utf8 *c);

#endif
