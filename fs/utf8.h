/*
 * utf8.h - where text ends and other bytes begin.
 */
#ifndef PFS_UTF8_H
#define PFS_UTF8_H

#include <stddef.h>

/* Length of the well-formed UTF-8 sequence that s begins with, 0 if it begins with none. */
size_t pfs_utf8_len(const unsigned char *s, size_t len);

#endif
