/*
 * pagectl wal STORE [--from LSN]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pagectl.h"
#include "pagestore/verify.h"

static ps_err print_line(void *ctx, const char *line)
{
    (void)ctx;
    if (puts(line) == EOF)
        return ps_fail_errno(errno, "standard output");
    return PS_OK;
}

static int print_unmounted(const struct pc_target *target, uint64_t from)
{
    int status, lock_fd;

    status = pc_lock_files(target, false, &lock_fd);
    if (status)
        return status;
    status = pc_report(ps_wal_text(target->store, from, print_line, NULL));
    if (lock_fd >= 0)
        close(lock_fd);
    return status ? status : pc_flush();
}

/* The lines whose first word, the LSN, is not below from; the header goes through. */
static int print_mounted(const struct pc_target *target, uint64_t from)
{
    char path[PATH_MAX];
    char *line = NULL;
    size_t cap = 0;
    FILE *log;
    int status;

    status = pc_mount_path(target, NULL, ".pagefs/wal", path, sizeof(path));
    if (status)
        return status;
    log = fopen(path, "re");
    if (!log)
        return pc_error_mount(target, NULL, path, errno);
    errno = 0;
    while (getline(&line, &cap, log) >= 0) {
        char *end;
        uint64_t lsn = strtoull(line, &end, 10);

        if (end == line || lsn >= from)
            fputs(line, stdout);
    }
    if (ferror(log))
        status = pc_error("%s: %s", path, strerror(errno));
    free(line);
    fclose(log);
    return status ? status : pc_flush();
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    const char *from_text = NULL;
    const struct pc_option options[] = {{"from", &from_text, NULL}};
    struct pc_target target;
    const char *words[1];
    uint64_t from = 0;
    int status;

    status = pc_parse(cmd, argc, argv, options, 1, words);
    if (status != PC_GO_ON)
        return status;
    if (from_text) {
        status = pc_number(cmd, "--from", from_text, UINT64_MAX, &from);
        if (status != PC_GO_ON)
            return status;
    }
    pc_target_find(words[0], &target);
    return pc_mounted(&target) ? print_mounted(&target, from) : print_unmounted(&target, from);
}

const struct pc_command pc_cmd_wal = {
    .name = "wal",
    .args = "STORE [--from LSN]",
    .summary = "print the log as text",
    .text =
        "Prints a header line, then a record a line: lsn prev txn type table page offset length,\n"
        "from the oldest record that is there, or the first one whose LSN is not below LSN. Works\n"
        "on a store that was not closed cleanly, too, and changes nothing.",
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
