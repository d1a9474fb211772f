/*
 * ref_trace.c - traces by seeded random numbers, and what becomes of them.
 */
#include "ref_trace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/mini_sim.h"

#define PAGES 131072u /* of the tables accessed by Zipf's law */

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "ref_trace: %s\n", what);
    abort();
}

static void *make_array(size_t count, size_t size)
{
    void *p = calloc(count, size);

    must(p, "no memory");
    return p;
}

/* --- random numbers ----------------------------------------------------------------------- */

struct rng {
    uint64_t state;
};

static uint64_t next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static uint32_t below(struct rng *r, uint32_t n)
{
    return (uint32_t)(next(r) % n);
}

static double unit(struct rng *r)
{
    return (double)(next(r) >> 11) * 0x1.0p-53;
}

/* The k-th most used of `pages` pages is used in proportion to 1 / k^s. */
struct zipf {
    uint32_t pages;
    double *sums;    /* of the shares of the first k */
    uint32_t *ranks; /* which page is the k-th most used */
};

static void zipf_shuffle(struct zipf *z, struct rng *r)
{
    for (uint32_t i = z->pages - 1; i > 0; i--) {
        const uint32_t j = below(r, i + 1);
        const uint32_t rank = z->ranks[i];

        z->ranks[i] = z->ranks[j];
        z->ranks[j] = rank;
    }
}

static void zipf_init(struct zipf *z, struct rng *r, uint32_t pages, double s)
{
    double sum = 0;

    z->pages = pages;
    z->sums = make_array(pages, sizeof(*z->sums));
    z->ranks = make_array(pages, sizeof(*z->ranks));
    for (uint32_t i = 0; i < pages; i++) {
        sum += pow(i + 1, -s);
        z->sums[i] = sum;
        z->ranks[i] = i;
    }
    zipf_shuffle(z, r);
}

static void zipf_deinit(struct zipf *z)
{
    free(z->sums);
    free(z->ranks);
}

static uint32_t zipf_next(const struct zipf *z, struct rng *r)
{
    const double u = unit(r) * z->sums[z->pages - 1];
    uint32_t low = 0, high = z->pages - 1;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;

        if (z->sums[middle] < u)
            low = middle + 1;
        else
            high = middle;
    }
    return z->ranks[low];
}

/* --- the traces --------------------------------------------------------------------------- */

static void zipf_trace(struct ref_trace *t, struct rng *r, double s, unsigned repeats)
{
    struct zipf z;

    zipf_init(&z, r, PAGES, s);
    for (size_t i = 0; i < t->count; i++)
        t->pages[i] = i % repeats ? t->pages[i - 1] : zipf_next(&z, r);
    zipf_deinit(&z);
}

static void make_zipf(struct ref_trace *t, struct rng *r)
{
    zipf_trace(t, r, 0.99, 1);
}

static void make_zipf_flat(struct ref_trace *t, struct rng *r)
{
    zipf_trace(t, r, 0.7, 1);
}

static void make_twice(struct ref_trace *t, struct rng *r)
{
    zipf_trace(t, r, 0.8, 2);
}

/* Now and then 1024 pages of another, larger table are read one after the other. */
static void make_zipf_scan(struct ref_trace *t, struct rng *r)
{
    struct zipf z;
    uint32_t left = 0, at = 0;

    zipf_init(&z, r, PAGES, 0.99);
    for (size_t i = 0; i < t->count; i++) {
        if (left == 0 && below(r, 10000) == 0)
            left = 1024;
        if (left > 0) {
            left--;
            t->pages[i] = PAGES + at++ % (8 * PAGES);
        } else {
            t->pages[i] = zipf_next(&z, r);
        }
    }
    zipf_deinit(&z);
}

/* One access in ten belongs to a scan that goes round and round the same table. */
static void make_zipf_round(struct ref_trace *t, struct rng *r)
{
    struct zipf z;
    uint32_t at = 0;

    zipf_init(&z, r, PAGES, 0.99);
    for (size_t i = 0; i < t->count; i++)
        t->pages[i] = below(r, 10) == 0 ? at++ % PAGES : zipf_next(&z, r);
    zipf_deinit(&z);
}

static void make_loop(struct ref_trace *t, struct rng *r)
{
    const uint32_t first = below(r, PAGES);

    for (size_t i = 0; i < t->count; i++)
        t->pages[i] = first + (uint32_t)(i % 20000);
}

static void make_uniform(struct ref_trace *t, struct rng *r)
{
    for (size_t i = 0; i < t->count; i++)
        t->pages[i] = below(r, 40000);
}

/* Which pages are used most changes with each fifth. */
static void make_shift(struct ref_trace *t, struct rng *r)
{
    struct zipf z;

    zipf_init(&z, r, PAGES, 0.99);
    for (size_t i = 0; i < t->count; i++) {
        if (i > 0 && i % (t->count / 5) == 0)
            zipf_shuffle(&z, r);
        t->pages[i] = zipf_next(&z, r);
    }
    zipf_deinit(&z);
}

/* A working set of 16000 pages, older ones used more, that moves on by a page in 20 accesses. */
static uint32_t drifting(struct rng *r, size_t i)
{
    const double u = unit(r);

    return (uint32_t)(i / 20) + (uint32_t)(16000 * u * u);
}

/* Zipf, then a loop somewhere, then a drifting working set; then other pages, the same way. */
static void make_phases(struct ref_trace *t, struct rng *r)
{
    const size_t len = t->count / 12;
    uint32_t first = 0;
    struct zipf z;

    zipf_init(&z, r, PAGES, 0.99);
    for (size_t i = 0; i < t->count; i++) {
        const size_t phase = i / len;

        if (i % len == 0) {
            zipf_shuffle(&z, r);
            first = below(r, PAGES);
        }
        if (phase % 3 == 0)
            t->pages[i] = zipf_next(&z, r);
        else if (phase % 3 == 1)
            t->pages[i] = first + (uint32_t)(i % len % 18000);
        else
            t->pages[i] = first + drifting(r, i % len);
    }
    zipf_deinit(&z);
}

static void make_drift(struct ref_trace *t, struct rng *r)
{
    for (size_t i = 0; i < t->count; i++)
        t->pages[i] = drifting(r, i);
}

/* The page used d accesses of others ago is used again with a chance that falls with d. */
static void make_recency(struct ref_trace *t, struct rng *r)
{
    uint32_t *stack = make_array(t->count, sizeof(*stack)); /* the page used last is at the end */
    uint32_t len = 0;

    for (size_t i = 0; i < t->count; i++) {
        const double depth = 20 * (pow(unit(r), -1 / 0.6) - 1);
        uint32_t page = len;

        if (depth < len && depth < 30000) {
            const uint32_t at = len - 1 - (uint32_t)depth;

            page = stack[at];
            memmove(&stack[at], &stack[at + 1], (len - 1 - at) * sizeof(*stack));
            len--;
        }
        stack[len++] = page;
        t->pages[i] = page;
    }
    free(stack);
}

/* An index is walked to a row: few inner pages, more leaves, many table pages. */
static void make_index(struct ref_trace *t, struct rng *r)
{
    struct zipf rows;

    zipf_init(&rows, r, 8 * PAGES, 0.9);
    for (size_t i = 0; i < t->count; i += 4) {
        const uint32_t row = zipf_next(&rows, r);

        t->pages[i] = 0;
        t->pages[i + 1] = 1 + row / 16384;
        t->pages[i + 2] = 1000 + row / 128;
        t->pages[i + 3] = 100000 + (uint32_t)(row * 2654435761u % (2 * PAGES));
    }
    zipf_deinit(&rows);
}

struct kind {
    const char *name, *what;
    bool held_out;
    uint32_t frames;
    size_t count;
    uint64_t seed;
    void (*make)(struct ref_trace *t, struct rng *r);
};

#define ZIPF "Zipf 0.99 over 131072 pages"
#define SCAN ZIPF ", a tenth of accesses scan another table"

static const struct kind kinds[] = {
    {"zipf-1", ZIPF, false, 1310, 2000000, 1, make_zipf},
    {"zipf-5", ZIPF, false, 6553, 2000000, 1, make_zipf},
    {"zipf-10", ZIPF, false, 13107, 2000000, 1, make_zipf},
    {"zipf-20", ZIPF, false, 26214, 2000000, 1, make_zipf},
    {"scan-1", SCAN, false, 1310, 2000000, 2, make_zipf_scan},
    {"scan-5", SCAN, false, 6553, 2000000, 2, make_zipf_scan},
    {"scan-10", SCAN, false, 13107, 2000000, 2, make_zipf_scan},
    {"scan-20", SCAN, false, 26214, 2000000, 2, make_zipf_scan},
    {"loop", "20000 pages round and round", false, 13107, 1000000, 3, make_loop},
    {"uniform", "40000 pages, all alike", false, 13107, 1000000, 4, make_uniform},
    {"shift", ZIPF ", other pages five times", false, 13107, 2000000, 5, make_shift},
    {"phases", "Zipf, loop, drift by turns", false, 13107, 3000000, 6, make_phases},
    {"recency", "what was used last is used next", false, 4000, 500000, 7, make_recency},
    {"drift", "a working set that moves on", false, 13107, 1000000, 8, make_drift},
    {"twice", "Zipf 0.8, each access twice", false, 13107, 2000000, 9, make_twice},
    {"flat", "Zipf 0.7 over 131072 pages", true, 13107, 1500000, 10, make_zipf_flat},
    {"round", ZIPF ", a tenth scan the same table", false, 13107, 2000000, 11, make_zipf_round},
    {"index", "walks from a root to a row, Zipf 0.9", true, 13107, 2000000, 12, make_index},
};

size_t ref_trace_kinds(void)
{
    return sizeof(kinds) / sizeof(kinds[0]);
}

void ref_trace_make(size_t kind, struct ref_trace *ret)
{
    const struct kind *k = &kinds[kind];
    struct rng r = {.state = k->seed};

    must(kind < ref_trace_kinds(), "there is no such trace");
    *ret = (struct ref_trace){.name = k->name,
                              .what = k->what,
                              .held_out = k->held_out,
                              .frames = k->frames,
                              .count = k->count,
                              .pages = make_array(k->count, sizeof(*ret->pages))};
    k->make(ret, &r);
}

void ref_trace_make_named(const char *name, struct ref_trace *ret)
{
    size_t kind = 0;

    while (kind < ref_trace_kinds() && strcmp(kinds[kind].name, name) != 0)
        kind++;
    ref_trace_make(kind, ret);
}

void ref_trace_free(struct ref_trace *t)
{
    free(t->pages);
    t->pages = NULL;
}

/* --- what becomes of them ----------------------------------------------------------------- */

double ref_trace_hit_ratio(const struct ref_trace *t, const struct ps_evict_ops *policy)
{
    struct ps_mini_sim sim;
    size_t hits = 0;

    must(ps_mini_sim_init(&sim, policy, t->frames) == PS_OK, ps_message());
    for (size_t i = 0; i < t->count; i++)
        hits += ps_mini_sim_access(&sim, t->pages[i]);
    ps_mini_sim_deinit(&sim);
    return (double)hits / (double)t->count;
}

/* Positions, the greatest on top. */
struct heap {
    uint32_t *items;
    size_t len;
};

static void heap_push(struct heap *h, uint32_t item)
{
    size_t at = h->len++;

    while (at > 0 && h->items[(at - 1) / 2] < item) {
        h->items[at] = h->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    h->items[at] = item;
}

static uint32_t heap_pop(struct heap *h)
{
    const uint32_t top = h->items[0];
    const uint32_t item = h->items[--h->len];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < h->len && h->items[child + 1] > h->items[child])
            child++;
        if (child >= h->len || h->items[child] <= item)
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    h->items[at] = item;
    return top;
}

static uint32_t page_max(const struct ref_trace *t)
{
    uint32_t max = 0;

    for (size_t i = 0; i < t->count; i++)
        max = t->pages[i] > max ? t->pages[i] : max;
    return max;
}

/* For each access where its page is accessed next; past the end, each another number, where not. */
static uint32_t *next_uses(const struct ref_trace *t, uint32_t pages)
{
    uint32_t *nexts = make_array(t->count, sizeof(*nexts));
    uint32_t *seen = make_array(pages, sizeof(*seen)); /* 0: not */

    for (size_t i = t->count; i-- > 0;) {
        nexts[i] = seen[t->pages[i]] ? seen[t->pages[i]] : (uint32_t)(t->count + i);
        seen[t->pages[i]] = (uint32_t)i;
    }
    free(seen);
    return nexts;
}

/* What lies behind the present position in the heap was a hit and is never on top: pages in the
 * pool all have a next access, and that is later. */
double ref_trace_opt(const struct ref_trace *t)
{
    const uint32_t pages = page_max(t) + 1;
    uint32_t *nexts = next_uses(t, pages);
    bool *resident = make_array(pages, sizeof(*resident));
    struct heap heap = {.items = make_array(t->count, sizeof(*heap.items))};
    uint32_t used = 0;
    size_t hits = 0;

    for (size_t i = 0; i < t->count; i++) {
        const uint32_t page = t->pages[i];

        if (resident[page]) {
            hits++;
        } else if (used < t->frames) {
            used++;
        } else {
            const uint32_t farthest = heap_pop(&heap);

            resident[t->pages[farthest < t->count ? farthest : farthest - t->count]] = false;
        }
        resident[page] = true;
        heap_push(&heap, nexts[i]);
    }
    free(heap.items);
    free(resident);
    free(nexts);
    return (double)hits / (double)t->count;
}
