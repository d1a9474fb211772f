/*
 * format_exercise.h - calls everything that reads or changes a page, on a page of any bytes.
 *
 * Shared by the mutation test and the fuzz target. Ends the program where a promise is broken:
 * a failing call that changed the page, a page found sound on which a call fails as broken, an
 * item outside the page. The page is changed.
 */
#ifndef TEST_FORMAT_EXERCISE_H
#define TEST_FORMAT_EXERCISE_H

#include "pagestore/slotted.h"

void exercise_page(const struct ps_format *fmt, unsigned char *page, uint32_t page_size);

#endif
