/*
 * cluster_server.c - does a server run in the folder, was it shut down, and is the log there that
 * would bring the files up to date?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "pg/cluster_internal.h"

#define WAL_SEGMENT_DEFAULT (16u << 20)
#define WAL_SEGMENTS_LOOKED_AT 4096u

/* --- a server that runs ------------------------------------------------------------------- */

static bool is_same_folder(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_called_postgres(int pid)
{
    char path[64], name[32] = "";
    FILE *in;

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    in = fopen(path, "re");
    if (!in)
        return false;
    if (!fgets(name, sizeof(name), in))
        name[0] = '\0';
    (void)fclose(in);
    return strncmp(name, "postgres", 8) == 0 || strncmp(name, "postmaster", 10) == 0;
}

/* Is the process at work in the folder? A server's working directory is its data directory. Another
 * user's we may not see: then its name decides, and the folder that it wrote down. */
static bool runs_in(int pid, const char *folder, const char *written_folder)
{
    char path[64], target[8];

    (void)snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
    if (readlink(path, target, sizeof(target)) >= 0)
        return is_same_folder(path, folder);
    return errno == EACCES && is_called_postgres(pid) && is_same_folder(written_folder, folder);
}

/* The process that postmaster.pid's text names, if that runs in the source; else 0. */
static int named_server(struct ps_pg_cluster *c, char *text)
{
    char *folder, *end;
    const long pid = labs(strtol(text, &folder, 10)); /* negative: a server without postmaster */
    bool runs;

    folder += *folder == '\n';
    end = strchr(folder, '\n');
    if (end)
        *end = '\0';
    runs = pid > 0 && pid <= INT32_MAX && runs_in((int)pid, c->roots[0].dir, folder);
    if (!runs)
        ps_pg_note(c, "postmaster.pid: process %ld does not run here", pid);
    return runs ? (int)pid : 0;
}

/* *ret_pid is 0 if none runs, or nobody can tell. */
static ps_err find_server(struct ps_pg_cluster *c, int *ret_pid)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    ps_err err = ps_cluster_read(c, 0, "postmaster.pid", PS_CLUSTER_SMALL_FILE_MAX, &bytes, &len);

    *ret_pid = 0;
    if (err == PS_ERR_NOMEM)
        return err;
    if (!err)
        *ret_pid = named_server(c, (char *)bytes);
    else if (err != PS_ERR_NOENT)
        ps_pg_note(c, "%s; whether a server runs here is not known", ps_message());
    free(bytes);
    return PS_OK;
}

ps_err ps_cluster_check_server(struct ps_pg_cluster *c)
{
    int pid;
    ps_err err = find_server(c, &pid);

    if (err)
        return err;
    c->server_runs = pid != 0;
    if (pid == 0)
        return PS_OK;
    if (!c->opts.live)
        return ps_fail(
            PS_ERR_IN_USE,
            "%s: a PostgreSQL server (pid %d) runs in it; a mount with -o live reads its files "
            "as they are at each moment",
            c->source, pid);
    ps_pg_note(c, "a server (pid %d) runs here: what is only in its memory is not seen", pid);
    return PS_OK;
}

/* --- the log that is there ---------------------------------------------------------------- */

/* Where recovery would begin, and up to where it would at least have to go. */
struct need {
    uint64_t redo_lsn, end_lsn;
    uint32_t timeline;
    uint32_t segment_size;
};

static void segment_path(const struct need *need, uint64_t segment, char path[64])
{
    const uint64_t a_log = (UINT64_C(1) << 32) / need->segment_size;

    (void)snprintf(path, 64, "pg_wal/%08" PRIX32 "%08" PRIX32 "%08" PRIX32, need->timeline,
                   (uint32_t)(segment / a_log), (uint32_t)(segment % a_log));
}

static ps_err find_segment(struct ps_pg_cluster *c, const struct need *need, uint64_t segment)
{
    char path[64];
    uint64_t len;

    segment_path(need, segment, path);
    return ps_cluster_file_len(c, 0, path, &len);
}

/* Segments that recovery is known to need: there, or missing. */
static void describe_log(struct ps_pg_cluster *c, const struct need *need, struct ps_text *out)
{
    const uint64_t first = need->redo_lsn / need->segment_size;
    uint64_t last = need->end_lsn / need->segment_size, at;
    char from[64], to[64];
    ps_err err = PS_OK;

    if (last < first || last - first >= WAL_SEGMENTS_LOOKED_AT)
        last = first;
    segment_path(need, first, from);
    ps_text_printf(
        out, "recovery would begin at %" PRIX32 "/%" PRIX32 " of timeline %" PRIu32 " in %s",
        (uint32_t)(need->redo_lsn >> 32), (uint32_t)need->redo_lsn, need->timeline, from);
    for (at = first; at - first < WAL_SEGMENTS_LOOKED_AT; at++) {
        err = find_segment(c, need, at);
        if (err)
            break;
    }
    segment_path(need, at, to);
    if (at <= last) {
        if (err == PS_ERR_NOENT)
            ps_text_printf(out, "; %s is missing", to);
        else
            ps_text_printf(out, "; the log cannot be looked at: %s", ps_message());
        return;
    }
    segment_path(need, at - 1, to);
    ps_text_printf(out, "; the log is there up to %s", to);
}

/* --- was it shut down? -------------------------------------------------------------------- */

/* The line of backup_label that begins so; NULL: there is none. */
static const char *label_line(const char *label, const char *beginning)
{
    const char *at = strstr(label, beginning);

    return at ? at + strlen(beginning) : NULL;
}

static bool parse_lsn(const char *text, uint64_t *ret)
{
    uint32_t high, low;

    if (!text || sscanf(text, " %8" SCNx32 "/%8" SCNx32, &high, &low) != 2)
        return false;
    *ret = (uint64_t)high << 32 | low;
    return true;
}

/* A base backup is recovered from where its label says, whatever pg_control does. */
static bool read_label(struct ps_pg_cluster *c, struct need *need, bool *ret_known)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    const char *timeline;
    ps_err err = ps_cluster_read(c, 0, "backup_label", PS_CLUSTER_SMALL_FILE_MAX, &bytes, &len);

    if (err == PS_ERR_NOENT)
        return false;
    *ret_known = false;
    if (!err) {
        *ret_known =
            parse_lsn(label_line((const char *)bytes, "START WAL LOCATION:"), &need->redo_lsn);
        if (!parse_lsn(label_line((const char *)bytes, "CHECKPOINT LOCATION:"), &need->end_lsn))
            need->end_lsn = need->redo_lsn;
        timeline = label_line((const char *)bytes, "START TIMELINE:");
        if (timeline)
            need->timeline = (uint32_t)strtoul(timeline, NULL, 10);
    } else {
        ps_pg_note(c, "%s; where recovery would begin is not known", ps_message());
    }
    free(bytes);
    return true;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

ps_err ps_cluster_check_recovered(struct ps_pg_cluster *c)
{
    const struct ps_pg_control *control = &c->control;
    struct need need = {
        .redo_lsn = control->redo_lsn,
        .end_lsn = max_of(control->checkpoint_lsn, c->min_recovery_lsn),
        .timeline = control->timeline,
        .segment_size = control->wal_segment_size ? control->wal_segment_size : WAL_SEGMENT_DEFAULT,
    };
    bool known = control->known;
    const bool is_backup = read_label(c, &need, &known);
    struct ps_text text = {0};

    if (c->server_runs || (!is_backup && (!known || ps_cluster_state_is_clean(control->state))))
        return PS_OK;
    if (is_backup)
        ps_text_printf(&text, "a base backup (there is a backup_label); ");
    else
        ps_text_printf(&text, "the state is \"%s\" and no server runs; ",
                       ps_cluster_state_name(control->state));
    if (known)
        describe_log(c, &need, &text);
    else
        ps_text_printf(&text, "backup_label does not say where recovery would begin");
    ps_text_add(&text, "", 1);
    if (ps_text_err(&text)) {
        ps_text_deinit(&text);
        return PS_ERR_NOMEM;
    }
    c->not_recovered = text.data;
    return PS_OK;
}
