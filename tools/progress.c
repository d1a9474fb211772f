/*
 * progress.c - a bar on stderr for people who wait.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 40
#define BAR_INTERVAL_NS 100000000L

void pc_progress_start(struct pc_progress *p)
{
    memset(p, 0, sizeof(*p));
    p->on = isatty(STDERR_FILENO) == 1;
}

static bool bar_is_due(struct pc_progress *p)
{
    struct timespec now;
    long passed_ns;

    clock_gettime(CLOCK_MONOTONIC, &now);
    passed_ns = (long)(now.tv_sec - p->last.tv_sec) * 1000000000L + now.tv_nsec - p->last.tv_nsec;
    if (p->drawn && passed_ns < BAR_INTERVAL_NS)
        return false;
    p->last = now;
    return true;
}

void pc_progress_show(struct pc_progress *p, const char *what, uint64_t done, uint64_t total)
{
    char bar[BAR_WIDTH + 1];
    double share;

    if (!p->on || !bar_is_due(p))
        return;
    share = total == 0 || done > total ? 1.0 : (double)done / (double)total;
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)(share * BAR_WIDTH));
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%-20.20s [%s] %3d%%", what, bar, (int)(share * 100));
    p->drawn = true;
}

void pc_progress_end(struct pc_progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}
