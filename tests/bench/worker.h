/*
 * worker.h - a benchmark program that is set up once and measures when it is told to, so that
 * programs can take turns.
 *
 * Flow       suite (Python) -> [worker] -> the thing that is measured
 * Units      times are nanoseconds here, microseconds in what is printed.
 * Ownership  jobs and their contexts stay the caller's.
 * Locking    each job runs in a thread of its own and touches its own context only.
 * Errors     what fails ends the program with a message and status 1.
 * Promise    time that a step does not return is in no figure.
 *
 * It prints `ready`. Then, for each line `SECONDS STEPS` that it reads, all jobs repeat their step
 * until that time is over, or each did so many steps, or another line comes (0: no such end), and
 * it prints one line `RATE P50 P999 STEPS`: steps a second of the time that the steps say they
 * took, summed over the jobs; median and 99.9th percentile of a step; how many there were.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <stddef.h>
#include <stdint.h>

struct worker_job {
    uint64_t (*step)(void *ctx); /* returns what the measured part of it took */
    void *ctx;
};

#define WORKER_JOBS_MAX 16u

/* Serves stdin to its end; at least one job. */
void worker_serve(const struct worker_job *jobs, unsigned count);

uint64_t worker_now(void); /* the clock on the wall */
uint64_t worker_cpu(void); /* of this thread */

/* splitmix64 */
uint64_t worker_random(uint64_t *state);

/* A buffer for Direct I/O, full of random bytes. */
void *worker_buffer(size_t len);

/* A whole number of at least `least` from the command line. */
uint64_t worker_number(const char *text, uint64_t least);

/* "PROGRAM: what: why" on stderr, exit 1. why may be NULL. */
_Noreturn void worker_die(const char *what, const char *why);

#endif
