/*
 * demo_workload.c - workload: from the command line to the report.
 */
#include <signal.h>
#include <stdlib.h>

#include "demo.h"

static void on_signal(int number)
{
    (void)number;
    demo_interrupted = true;
}

/* A temporary store is removed also when the user has seen enough. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    size_t i;

    (void)sigemptyset(&action.sa_mask);
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}

/* The table has the pages of the trace, and there are no more accesses than it has. */
static int fit_to_trace(struct demo_config *config, const struct demo_trace *trace)
{
    if (config->pages == 0)
        config->pages = trace->pages_end;
    if (config->ops == 0 || config->ops > trace->count)
        config->ops = trace->count;
    if (trace->pages_end > config->pages)
        return demo_error("%s: page %u is not one of the %llu pages", config->trace_in,
                          trace->pages_end - 1, (unsigned long long)config->pages);
    return DEMO_OK;
}

static int run_on_store(const struct demo_config *config, const struct demo_trace *trace)
{
    struct demo_result *result = calloc(1, sizeof(*result));
    struct demo_store store;
    int status;

    if (!result)
        return demo_error("no memory for results");
    status = demo_store_open(config, &store);
    if (status == DEMO_OK) {
        status = demo_run(config, &store, trace, result);
        status = demo_store_close(&store, status);
    }
    if (status == DEMO_OK) {
        demo_report(result);
        status = demo_flush();
    }
    free(result);
    return status;
}

int demo_workload(int argc, char **argv)
{
    struct demo_config config;
    struct demo_trace trace = {0};
    int status = demo_parse_workload(argc, argv, &config);

    if (status != DEMO_GO_ON)
        return status;
    catch_signals();
    status = DEMO_OK;
    if (config.trace_in) {
        status = demo_trace_read(config.trace_in, &trace);
        if (status == DEMO_OK)
            status = fit_to_trace(&config, &trace);
    }
    if (status == DEMO_OK)
        status = run_on_store(&config, config.trace_in ? &trace : NULL);
    demo_trace_free(&trace);
    return status;
}
