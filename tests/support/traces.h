/*
 * traces.h - what reading leaves behind in a folder: names, lengths and all times of everything
 * below it, to be compared with what they were before.
 */
#ifndef TEST_TRACES_H
#define TEST_TRACES_H

struct traces;

/* Makes every time of last access old first, so that any further access would move it. */
struct traces *traces_begin(const char *dir);
/* How many entries there are, if all is as it was; else -1, and stderr says what is not. Frees. */
int traces_end(struct traces *before, const char *dir);

#endif
