/*
 * pagectl recover STORE
 */
#include <inttypes.h>

#include "pagectl.h"

struct recovery {
    struct pc_progress bar;
    uint64_t log_bytes; /* of the longest phase */
    bool ran;
};

static void show_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct recovery *r = ctx;

    r->ran = true;
    if (total > r->log_bytes)
        r->log_bytes = total;
    pc_progress_show(&r->bar, phase, done, total);
}

static void show_message(void *ctx, enum ps_message_level level, const char *text)
{
    struct recovery *r = ctx;

    pc_progress_end(&r->bar);
    fprintf(level == PS_MSG_INFO ? stdout : stderr, "pagectl: %s\n", text);
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct recovery recovery = {0};
    struct ps_store_options opts;
    struct pc_target target;
    struct ps_store *store;
    const char *words[1];
    int status;

    status = pc_parse(cmd, argc, argv, NULL, 0, words, 1, 1);
    if (status != PC_GO_ON)
        return status;
    pc_target_find(words[0], &target);
    if (pc_mounted(&target))
        return pc_error_mounted(&target, "it was recovered then");

    ps_store_options_default(&opts);
    opts.message = show_message;
    opts.progress = show_progress;
    opts.ctx = &recovery;
    pc_progress_start(&recovery.bar);
    status = pc_report(ps_store_open(target.store, &opts, &store));
    pc_progress_end(&recovery.bar);
    if (status)
        return status;
    status = pc_close(store, PC_OK);
    if (status)
        return status;
    if (recovery.ran)
        printf("%s: recovered from %" PRIu64 " bytes of log\n", target.store, recovery.log_bytes);
    else
        printf("%s: was closed cleanly, nothing to recover\n", target.store);
    return pc_flush();
}

const struct pc_command pc_cmd_recover = {
    .name = "recover",
    .args = "STORE",
    .summary = "recover a store that was not closed cleanly",
    .text =
        "Does what the next mount would do first: replays the log, takes back transactions that\n"
        "did not commit, and leaves the store closed cleanly.",
    .run = run,
};
