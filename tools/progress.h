/*
 * progress.h - a bar on stderr for people who wait; drawn only when stderr is a terminal, and at
 * most ten times a second.
 *
 * Flow       commands, the library's progress -> [progress] -> stderr
 * Units      done and total are the caller's.
 * Ownership  a value; nothing to give back.
 * Locking    none: one thread.
 * Errors     none.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct pc_progress {
    bool on;
    bool drawn;
    struct timespec last;
};
void pc_progress_start(struct pc_progress *p);
void pc_progress_show(struct pc_progress *p, const char *what, uint64_t done, uint64_t total);
/* Removes the bar, so that other lines can be printed. */
void pc_progress_end(struct pc_progress *p);

#endif
