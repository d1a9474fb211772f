/*
 * utf8.h - where text ends and other bytes begin.
 */
#ifndef PS_BASE_UTF8_H
#define PS_BASE_UTF8_H

#include <stddef.h>

/* Length of the well-formed UTF-8 sequence that s begins with, 0 if it begins with none. */
size_t ps_utf8_len(const unsigned char *s, size_t len);

#endif
