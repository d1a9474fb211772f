#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Latencies are counted in buckets of a sixteenth of a power of two: 6 % wide at the most. */
#define BUCKETS_A_POWER 16u
#define POWER_SHIFT 4u
#define BUCKETS (64u * BUCKETS_A_POWER)

struct runner {
    const struct worker_job *job;
    const atomic_bool *stop;
    atomic_uint *running;
    int done_fd; /* written to by the last runner to end */
    uint64_t steps_max;
    uint64_t steps, taken_ns;
    uint64_t buckets[BUCKETS];
};

_Noreturn void worker_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, what, why ? ": " : "",
            why ? why : "");
    exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t worker_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t worker_cpu(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t worker_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void *worker_buffer(size_t len)
{
    const size_t rounded = (len + 4095) / 4096 * 4096;
    uint64_t seed = len, *words = aligned_alloc(4096, rounded);
    size_t i;

    if (!words)
        worker_die("no memory for a buffer", NULL);
    for (i = 0; i < rounded / sizeof(*words); i++)
        words[i] = worker_random(&seed);
    return words;
}

uint64_t worker_number(const char *text, uint64_t least)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < least)
        worker_die(text, "not a number that makes sense here");
    return value;
}

/* --- latencies -------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t ns)
{
    unsigned power;

    if (ns < BUCKETS_A_POWER)
        return (unsigned)ns;
    power = 63u - (unsigned)__builtin_clzll(ns);
    return (power - POWER_SHIFT + 1) * BUCKETS_A_POWER +
           (unsigned)(ns >> (power - POWER_SHIFT)) % BUCKETS_A_POWER;
}

/* The middle of a bucket. */
static double bucket_us(unsigned bucket)
{
    const unsigned power = bucket / BUCKETS_A_POWER;
    uint64_t low = bucket;
    uint64_t width = 1;

    if (power > 0) {
        width = UINT64_C(1) << (power - 1);
        low = (BUCKETS_A_POWER + bucket % BUCKETS_A_POWER) * width;
    }
    return ((double)low + (double)width / 2) / 1e3;
}

/* The latency below which `part` of all steps stay. */
static double percentile_us(const uint64_t *buckets, uint64_t steps, double part)
{
    const uint64_t rank = (uint64_t)((double)steps * part);
    uint64_t seen = 0;
    unsigned i;

    for (i = 0; i < BUCKETS; i++) {
        seen += buckets[i];
        if (seen > rank)
            return bucket_us(i);
    }
    return 0;
}

/* --- one round -------------------------------------------------------------------------- */

static void *run(void *arg)
{
    struct runner *r = arg;

    do {
        uint64_t ns = r->job->step(r->job->ctx);

        r->taken_ns += ns;
        r->buckets[bucket_of(ns)]++;
        r->steps++;
    } while (r->steps != r->steps_max && !atomic_load_explicit(r->stop, memory_order_relaxed));
    if (atomic_fetch_sub(r->running, 1) == 1 && write(r->done_fd, "", 1) != 1)
        worker_die("pipe", strerror(errno));
    return NULL;
}

/* Until the time is over, a line comes, or all runners are through. */
static void wait_for_end(int done_fd, double seconds)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = done_fd, .events = POLLIN}};

    if (poll(fds, 2, seconds > 0 ? (int)(seconds * 1e3) : -1) < 0)
        worker_die("poll", strerror(errno));
}

static void print_round(const struct runner *runners, unsigned count)
{
    uint64_t buckets[BUCKETS] = {0};
    uint64_t steps = 0;
    double rate = 0;
    unsigned i, b;

    for (i = 0; i < count; i++) {
        const struct runner *r = &runners[i];

        steps += r->steps;
        rate += (double)r->steps / ((double)(r->taken_ns ? r->taken_ns : 1) / 1e9);
        for (b = 0; b < BUCKETS; b++)
            buckets[b] += r->buckets[b];
    }
    printf("%.3f %.3f %.3f %llu\n", rate, percentile_us(buckets, steps, 0.5),
           percentile_us(buckets, steps, 0.999), (unsigned long long)steps);
    fflush(stdout);
}

static void run_round(const struct worker_job *jobs, unsigned count, double seconds, uint64_t steps)
{
    static struct runner runners[WORKER_JOBS_MAX];
    pthread_t threads[WORKER_JOBS_MAX];
    atomic_uint running = count;
    atomic_bool stop = false;
    int done[2];
    unsigned i;

    if (pipe(done) != 0)
        worker_die("pipe", strerror(errno));
    memset(runners, 0, sizeof(runners));
    for (i = 0; i < count; i++) {
        runners[i].job = &jobs[i];
        runners[i].stop = &stop;
        runners[i].running = &running;
        runners[i].done_fd = done[1];
        runners[i].steps_max = steps;
        if (pthread_create(&threads[i], NULL, run, &runners[i]) != 0)
            worker_die("no thread", NULL);
    }
    wait_for_end(done[0], seconds);
    atomic_store(&stop, true);
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    close(done[0]);
    close(done[1]);
    print_round(runners, count);
}

void worker_serve(const struct worker_job *jobs, unsigned count)
{
    char line[128];

    assert(count > 0 && count <= WORKER_JOBS_MAX);
    setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see what has not been read */
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        double seconds;
        unsigned long long steps;

        if (line[0] == '\n')
            continue; /* it ended a round that was over already, or just did */
        if (sscanf(line, "%lf %llu", &seconds, &steps) != 2 || seconds < 0)
            worker_die(line, "want SECONDS STEPS");
        run_round(jobs, count, seconds, steps);
    }
}
