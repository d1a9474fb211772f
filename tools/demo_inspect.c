/*
 * demo_inspect.c - inspect-frame: one frame of a buffer pool.
 */
#include <stdlib.h>

#include "demo.h"

static void print_frame(const struct demo_inspect_config *config, const struct demo_frame *f)
{
    /* A frame without a page has none of these: its columns are "-". */
    printf("frame=%u page=%s pin=%lu dirty=%lu refbit=%d", config->frame, f->page,
           strtoul(f->pin, NULL, 10), strtoul(f->dirty, NULL, 10), strtoul(f->usage, NULL, 10) > 0);
    if (config->all_columns)
        printf(" usage=%s table=%s fork=%s lsn=%s", f->usage, f->table, f->fork, f->lsn);
    putchar('\n');
}

int demo_inspect(int argc, char **argv)
{
    struct demo_inspect_config config;
    struct demo_frame frame;
    char path[PATH_MAX];
    const char *hint = "; `" DEMO_NAME " workload` leaves frames there";
    int status = demo_parse_inspect(argc, argv, &config);

    if (status != DEMO_GO_ON)
        return status;
    status = DEMO_OK;
    if (config.mount) {
        (void)snprintf(path, sizeof(path), "%s/.pagefs/frames", config.mount);
        hint = "; is a store mounted there?";
    } else if (config.state) {
        (void)snprintf(path, sizeof(path), "%s", config.state);
    } else {
        status = demo_state_path(path);
    }
    if (status == DEMO_OK)
        status = demo_frame_find(path, hint, config.frame, &frame);
    if (status != DEMO_OK)
        return status;
    print_frame(&config, &frame);
    return demo_flush();
}
