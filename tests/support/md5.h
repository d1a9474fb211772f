/*
 * md5.h - RFC 1321, for comparing pages with what PostgreSQL's md5() said of them.
 */
#ifndef TEST_MD5_H
#define TEST_MD5_H

#include <stddef.h>

/* The digest in lower-case hex. */
void md5_hex(const void *data, size_t len, char hex[33]);

#endif
