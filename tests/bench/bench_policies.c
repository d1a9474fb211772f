/*
 * bench_policies.c - hit ratios of all eviction policies on made-up traces, beside Belady's OPT.
 *
 * The policies are the pool's own, run without pages. Nothing of the adaptive policy
 * was chosen by a trace marked *.
 *
 *     bench_policies [TRACE...]
 */
#include <stdio.h>
#include <string.h>

#include "ref_trace.h"

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc == 1;
}

static void print_title(void)
{
    printf("%-9s %6s %7s", "trace", "frames", "opt");
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++)
        printf(" %15s", ps_evict_nth(i)->name);
    printf("\n");
}

static void print_trace(const struct ref_trace *t)
{
    const double opt = ref_trace_opt(t);

    printf("%-8s%s %6u %7.4f", t->name, t->held_out ? "*" : " ", t->frames, opt);
    for (size_t i = 0; i < PS_EVICT_POLICIES; i++) {
        const double ratio = ref_trace_hit_ratio(t, ps_evict_nth(i));

        printf("  %.4f (%.3f)", ratio, ratio / opt);
    }
    printf("\n");
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct ref_trace t;

    printf("hit ratio, and in brackets that to OPT's\n");
    print_title();
    for (size_t kind = 0; kind < ref_trace_kinds(); kind++) {
        ref_trace_make(kind, &t);
        if (wanted(t.name, argc, argv))
            print_trace(&t);
        ref_trace_free(&t);
    }
    return 0;
}
