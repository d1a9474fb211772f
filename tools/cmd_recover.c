/*
 * pagectl recover STORE [--pool SIZE]
 */
#include "pagectl.h"

#define POOL_DEFAULT ((uint64_t)256 << 20)

static void show_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    pc_progress_show(ctx, phase, done, total);
}

static void show_message(void *ctx, enum ps_message_level level, const char *text)
{
    pc_progress_end(ctx);
    if (level == PS_MSG_INFO)
        puts(text);
    else
        fprintf(stderr, "pagectl: %s\n", text);
}

/* PS_OK: it was closed cleanly. PS_ERR_READONLY: it needs recovery. */
static ps_err try_read_only(const struct pc_target *target)
{
    struct ps_store_options opts;
    struct ps_store *store;
    ps_err err;

    ps_store_options_default(&opts);
    opts.read_only = true;
    err = ps_store_open(target->store, &opts, &store);
    return err ? err : ps_store_close(store);
}

static int recover(const struct pc_target *target, uint64_t pool_bytes)
{
    struct pc_progress bar;
    struct ps_store_options opts;
    struct ps_store *store;
    ps_err err;

    ps_store_options_default(&opts);
    opts.pool_bytes = pool_bytes;
    opts.message = show_message;
    opts.progress = show_progress;
    opts.ctx = &bar;
    pc_progress_start(&bar);
    err = ps_store_open(target->store, &opts, &store);
    if (err == PS_OK)
        err = ps_store_close(store);
    pc_progress_end(&bar);
    if (err)
        return pc_report(err);
    printf("%s: recovered\n", target->store);
    return pc_flush();
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct pc_target target;
    const char *pool = NULL;
    const struct pc_option options[] = {{"pool", &pool, NULL}};
    uint64_t pool_bytes = POOL_DEFAULT;
    const char *words[1];
    int status;
    ps_err err;

    status = pc_parse(cmd, argc, argv, options, 1, words);
    if (status != PC_GO_ON)
        return status;
    if (pool && ps_parse_size(pool, &pool_bytes) != PS_OK)
        return pc_usage(cmd, "--pool must be a size, like 256M, not '%s'", pool);
    pc_target_find(words[0], &target);
    if (pc_mounted(&target))
        return pc_error_mounted(&target, "it was recovered then");
    err = try_read_only(&target);
    if (err == PS_ERR_READONLY)
        return recover(&target, pool_bytes);
    if (err)
        return pc_report(err);
    printf("%s: was closed cleanly, nothing to recover\n", target.store);
    return pc_flush();
}

const struct pc_command pc_cmd_recover = {
    .name = "recover",
    .args = "STORE [--pool SIZE]",
    .summary = "recover a store that was not closed cleanly",
    .text =
        "Does what the next mount would do first: replays the log, takes back transactions that\n"
        "did not commit, and leaves the store closed cleanly. Says how long each part took. It is\n"
        "fastest where the pool holds all pages that changed: SIZE is 256M if it is not given.",
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
