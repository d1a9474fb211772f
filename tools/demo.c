/*
 * storage_engine_demo - runs seeded workloads on the buffer pool and shows its frames.
 */
#include <string.h>

#include "demo.h"

static const char help[] =
    "usage: " DEMO_NAME " COMMAND [ARGUMENT...]\n"
    "Runs seeded workloads on a page store's buffer pool and shows what became of them.\n\n"
    "commands:\n"
    "  workload       runs one: hit rate, evictions, flushes, latencies\n"
    "  inspect-frame  shows a frame as the last workload left it, or of a mounted store\n\n"
    "  --help         this text; `" DEMO_NAME " COMMAND --help` tells more about a command\n"
    "  --version      the version\n\n"
    "exit status: 0 done, 1 failed, 2 wrong usage";

static int wrong_usage(const char *what, const char *name)
{
    fprintf(stderr, DEMO_NAME ": %s%s; `" DEMO_NAME " --help` lists the commands\n", what, name);
    return DEMO_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return wrong_usage("no command given", "");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        puts(help);
        return demo_flush();
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(DEMO_NAME " " PAGEFS_VERSION);
        return demo_flush();
    }
    if (strcmp(argv[1], "workload") == 0)
        return demo_workload(argc - 1, argv + 1);
    if (strcmp(argv[1], "inspect-frame") == 0)
        return demo_inspect(argc - 1, argv + 1);
    return wrong_usage("no such command: ", argv[1]);
}
