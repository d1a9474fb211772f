/*
 * damage.h - collecting what is wrong with a page.
 *
 * Flow       format checks -> [damage] -> the caller's ps_damage_fn
 * Units      lp counts line pointers from 1; 0 means the page as a whole.
 * Ownership  the text handed to the callback lives for that call only.
 * Locking    none; a collector belongs to one call.
 * Errors     none: counting cannot fail, and a text too long for its buffer is cut.
 * Promise    every ps_damage_add() is counted, with or without a callback.
 */
#ifndef PS_FORMAT_DAMAGE_H
#define PS_FORMAT_DAMAGE_H

#include "pagestore/format.h"

struct ps_damage {
    ps_damage_fn report; /* NULL: only count */
    void *ctx;
    unsigned count;
};

void ps_damage_add(struct ps_damage *d, const char *word, uint32_t lp, const char *fmt, ...)
    PS_PRINTF(4, 5);

/* The first damage of a walk, kept to become an error's message. */
struct ps_first_damage {
    char text[256]; /* "" while nothing was found */
};

/* A ps_damage_fn whose ctx is a struct ps_first_damage. */
void ps_first_damage_keep(void *ctx, const char *word, int lp, const char *text);

/* PS_ERR_CORRUPT if check finds damage; the message is the first it finds. */
PS_MUST_USE ps_err ps_damage_verify(const void *page, const struct ps_page_ident *who,
                                    void (*check)(const void *page, const struct ps_page_ident *who,
                                                  struct ps_damage *d));

#endif
