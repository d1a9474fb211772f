/*
 * expect.h - what a test expects of calls of the library.
 *
 * Locking    in the test's own thread; others have must.h.
 * Errors     what is not as expected fails the test, which says what the call and the library said.
 */
#ifndef TEST_EXPECT_H
#define TEST_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pagestore/err.h"

/* The call succeeds. */
#define ok(call) ok_at((call), #call, __LINE__)

static inline void ok_at(ps_err err, const char *what, int line)
{
    if (err)
        fail_msg("line %d: %s: %s: %s", line, what, ps_err_text(err), ps_message());
}

/* The error is that one, and its message has these words in it. */
static inline void expect(ps_err err, ps_err expected, const char *says)
{
    assert_int_equal(err, expected);
    if (!strstr(ps_message(), says))
        fail_msg("'%s' does not say '%s'", ps_message(), says);
}

#endif
