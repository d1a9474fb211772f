/*
 * pagectl verify STORE|PGDATA|FILE [--page-size N] [--threads N], and options that describe a FILE
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pagectl.h"
#include "pagestore/verify.h"
#include "pg/damage.h"

static const char *severity_word(enum ps_severity severity)
{
    switch (severity) {
    case PS_FAULT:
        return "fault";
    case PS_SUSPECT:
        return "suspect";
    case PS_NEEDS_RECOVERY:
        return "needs-recovery";
    }
    return "";
}

static void print_finding(void *ctx, const struct ps_finding *f)
{
    struct pc_progress *bar = ctx;

    pc_progress_end(bar);
    printf("%s %s ", severity_word(f->severity), f->file);
    if (f->page >= 0)
        printf("page %" PRId64, f->page);
    else
        printf("page -");
    printf(" offset %" PRIu64 " %s %s", f->offset, f->word, f->text);
    if (f->table)
        printf(" (table %s)", f->table);
    putchar('\n');
}

static void show_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    pc_progress_show(ctx, what, done, total);
}

static int print_verdict(const char *path, const struct ps_verify_result *r)
{
    const char *verdict = "sound";

    if (r->faults > 0)
        verdict = "damaged";
    else if (r->needs_recovery)
        verdict = "needs recovery";
    printf("%s: %s; tables %" PRIu64 " pages %" PRIu64 " faults %" PRIu64 " suspects %" PRIu64 "\n",
           path, verdict, r->tables, r->pages, r->faults, r->suspects);
    if (pc_flush())
        return PC_USAGE;
    return r->faults > 0 ? PC_FAILED : PC_OK;
}

static int verify_file(const char *path, const struct ps_pg_options *pg, unsigned threads)
{
    struct pc_progress bar;
    struct ps_verify_options opts = {
        .report = print_finding, .progress = show_progress, .ctx = &bar};
    struct ps_verify_result result;
    ps_err err;

    if (pc_pg_has_options(pg))
        return pc_pg_verify(path, pg, threads);
    pc_progress_start(&bar);
    err = ps_verify_file(path, pg->page_size, &opts, &result);
    pc_progress_end(&bar);
    if (err == PS_ERR_UNSUPPORTED && ps_pg_recognize(path)) /* no native pages: PostgreSQL's? */
        return pc_pg_verify(path, pg, threads);
    if (err) {
        pc_report(err);
        return PC_USAGE;
    }
    return print_verdict(path, &result);
}

static int verify_store(const struct pc_target *target)
{
    struct pc_progress bar;
    struct ps_verify_options opts = {
        .report = print_finding, .progress = show_progress, .ctx = &bar};
    struct ps_verify_result result;
    int lock_fd;
    ps_err err;

    if (pc_mounted(target)) {
        pc_error_mounted(target, "unmount it to verify its files");
        return PC_USAGE;
    }
    if (pc_lock_files(target, false, &lock_fd))
        return PC_USAGE;
    pc_progress_start(&bar);
    err = ps_verify(target->store, &opts, &result);
    pc_progress_end(&bar);
    if (lock_fd >= 0)
        close(lock_fd);
    if (err) {
        pc_report(err);
        return PC_USAGE;
    }
    return print_verdict(target->store, &result);
}

static int parse_threads(const struct pc_command *cmd, const char *text, unsigned *ret)
{
    uint64_t number = 0;
    int status = PC_GO_ON;

    if (text)
        status = pc_number(cmd, "--threads", text, PS_PG_DAMAGE_THREADS_MAX, &number);
    *ret = (unsigned)number;
    return status;
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    const char *page_size_text = NULL, *threads_text = NULL;
    struct ps_pg_options pg = {.segment = UINT32_MAX};
    const struct pc_option options[] = {
        {"page-size", &page_size_text, NULL},
        {"catalogs", &pg.catalogs, NULL},
        {"schema", &pg.schema, NULL},
        {"table", &pg.table, NULL},
        {"toast", &pg.toast, NULL},
        {"threads", &threads_text, NULL},
        {"follow-links", NULL, &pg.follow_links},
    };
    struct pc_target target;
    const char *words[1];
    unsigned threads;
    struct stat st;
    int status;

    status = pc_parse(cmd, argc, argv, options, sizeof(options) / sizeof(options[0]), words);
    if (status == PC_GO_ON)
        status = pc_page_size(cmd, page_size_text, &pg.page_size);
    if (status == PC_GO_ON)
        status = parse_threads(cmd, threads_text, &threads);
    if (status != PC_GO_ON)
        return status;
    if (stat(words[0], &st) != 0) {
        pc_error("%s: %s", words[0], strerror(errno));
        return PC_USAGE;
    }
    if (!S_ISDIR(st.st_mode))
        return verify_file(words[0], &pg, threads);
    pc_target_find(words[0], &target);
    if (ps_pg_recognize(target.store))
        return pc_pg_verify(target.store, &pg, threads);
    if (pc_pg_has_options(&pg))
        return pc_usage(cmd, "%s: is no relation's file, which options could describe", words[0]);
    return verify_store(&target);
}

const struct pc_command pc_cmd_verify = {
    .name = "verify",
    .args = "STORE|PGDATA|FILE [--page-size N] [--threads N] [--follow-links] " PC_PG_ARGS,
    .summary = "check every page, the maps, the log and the control file",
    .text =
        "Prints a line a finding and goes on to the end:\n"
        "  SEVERITY FILE page N offset BYTE WORD TEXT\n"
        "SEVERITY is fault, suspect (not as it should be, but harmless) or needs-recovery "
        "(recovery\n"
        "will repair it). A last line has the verdict: sound, needs recovery, or damaged.\n"
        "FILE is a file of native pages that belongs to no store; its page size is found out "
        "where\n"
        "--page-size does not say it. Of a PostgreSQL directory, or a relation file of one, a "
        "line\nhas tabs between its parts:\n"
        "  RELATION FILE BLOCK LINE-POINTER SEVERITY WORD TEXT\n"
        "They are the same, in the same order, whatever the number of threads that look for them;\n"
        "where --threads does not say it, it suits the processors that there are.\n"
        "What lies in tablespaces outside of the directory is read with --follow-links only.\n"
        "The last options describe a relation's file by itself, as in a mount: then columns and "
        "long\nvalues are judged, too.\n"
        "exit status: 0 sound or needs recovery, 1 faults, 2 could not run",
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
