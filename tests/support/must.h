/*
 * must.h - what has to hold, for threads beside a test's own and for fuzzers: cmocka's asserts
 * jump, which only the thread that runs the tests may.
 *
 * Locking    thread safe.
 * Errors     what does not hold ends the program, with its place and the library's last message.
 */
#ifndef TEST_MUST_H
#define TEST_MUST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "pagestore/err.h"

#define MUST(condition) must_at((condition), #condition, __FILE__, __LINE__)

static inline void must_at(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s (%s)\n", file, line, what, ps_message());
    abort();
}

#endif
