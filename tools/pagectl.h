/*
 * pagectl.h - what the commands of pagectl share: their table, arguments, targets, messages.
 *
 * Flow       pagectl.c picks a command -> cmd_*.c -> the library, or the files of a mount
 * Units      sizes and offsets are bytes.
 * Ownership  a target is a value; stores opened by pc_open are closed by pc_close.
 * Locking    none: one thread.
 * Errors     a failing helper has printed one line to stderr, beginning with "pagectl: ", and
 *            returns a status to exit with.
 * Promise    a command that works through a mount and one that opens the store itself print the
 *            same.
 */
#ifndef PAGECTL_H
#define PAGECTL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pagestore/table.h"
#include "pg/cluster.h"
#include "progress.h"

enum pc_status {
    PC_GO_ON = -1, /* pc_parse: nothing stands against running the command */
    PC_OK = 0,
    PC_FAILED = 1, /* verify: faults were found */
    PC_USAGE = 2,  /* wrong usage; verify: it could not run */
};

struct pc_command {
    const char *name;
    const char *args;         /* what follows the name in the synopsis */
    const char *summary;      /* one line of `pagectl --help` */
    const char *text;         /* what `pagectl NAME --help` says beyond that */
    int words_min, words_max; /* how many arguments it takes that are no options */
    int (*run)(const struct pc_command *cmd, int argc, char **argv);
};

extern const struct pc_command pc_cmd_init;
extern const struct pc_command pc_cmd_create;
extern const struct pc_command pc_cmd_drop;
extern const struct pc_command pc_cmd_rename;
extern const struct pc_command pc_cmd_ls;
extern const struct pc_command pc_cmd_stat;
extern const struct pc_command pc_cmd_load;
extern const struct pc_command pc_cmd_verify;
extern const struct pc_command pc_cmd_dump;
extern const struct pc_command pc_cmd_wal;
extern const struct pc_command pc_cmd_recover;
extern const struct pc_command pc_cmd_poke;

/* --- arguments ---------------------------------------------------------------------------- */

/* A long option: with a value, or a flag (exactly one of the two is set). */
struct pc_option {
    const char *name;
    const char **value;
    bool *flag;
};

#define PC_WORDS_MAX 8

/* Reads options and, into words[] (words_max of them, NULL where there are fewer), all other
 * arguments. --help and --version are answered here. PC_GO_ON, or the status to exit with. */
int pc_parse(const struct pc_command *cmd, int argc, char **argv, const struct pc_option *options,
             size_t option_count, const char **words);

/* One line "pagectl NAME: ..., usage: ..." ; returns PC_USAGE. */
int pc_usage(const struct pc_command *cmd, const char *fmt, ...) PS_PRINTF(2, 3);

/* A decimal number, or a hexadecimal one behind 0x, up to max; `what` names it in the message.
 * PC_GO_ON or PC_USAGE. */
int pc_number(const struct pc_command *cmd, const char *what, const char *text, uint64_t max,
              uint64_t *ret);
/* The value of --page-size; 0 where text is NULL. PC_GO_ON or PC_USAGE. */
int pc_page_size(const struct pc_command *cmd, const char *text, uint32_t *ret);

/* --- messages ----------------------------------------------------------------------------- */

/* One line; returns PC_FAILED. */
int pc_error(const char *fmt, ...) PS_PRINTF(1, 2);
/* The library's message for err; PC_OK if there is no error. */
int pc_report(ps_err err);
/* Flushes stdout and says so if that fails (a full disk, a closed pipe). */
int pc_flush(void);

/* --- lists ---------------------------------------------------------------------------------- */

struct pc_column {
    const char *head;
    bool is_number;
};
struct pc_list; /* private */

/* pc_list_free takes it back, also after a failure. The rows of one list have as many cells as it
 * has columns. */
int pc_list_new(const char *name, const struct pc_column *columns, size_t count, bool json,
                struct pc_list **ret);
int pc_list_add(struct pc_list *list, const char *const *cells);
int pc_list_print(struct pc_list *list);
void pc_list_free(struct pc_list *list);

/* --- PostgreSQL directories and files (ps_pg_recognize) ------------------------------------ */

/* Options that describe a relation's file by itself. */
#define PC_PG_ARGS "[--catalogs PGDATA | --schema FILE] [--table NAME] [--toast FILE]"
static inline bool pc_pg_has_options(const struct ps_pg_options *opts)
{
    return opts->catalogs || opts->schema || opts->table || opts->toast;
}

int pc_pg_ls(const char *source, const struct ps_pg_options *opts, bool json);
/* threads 0: as many as suit the processors that this process may use. */
int pc_pg_verify(const char *source, const struct ps_pg_options *opts, unsigned threads);
/* table as DATABASE/SCHEMA.RELATION, the folders' names of a mount. */
int pc_pg_dump(const char *source, const struct ps_pg_options *opts, const char *table,
               uint32_t page);

/* --- targets: a store, mounted or not ----------------------------------------------------- */

struct pc_target {
    char store[PATH_MAX]; /* absolute where that can be told */
    char mount[PATH_MAX]; /* where a daemon shows it now; "" if none does */
};

/* path is a store, or the mount point of one. */
void pc_target_find(const char *path, struct pc_target *ret);
static inline bool pc_mounted(const struct pc_target *t)
{
    return t->mount[0] != '\0';
}
/* "STORE is mounted at MNT: WHY"; returns PC_FAILED. */
int pc_error_mounted(const struct pc_target *t, const char *why);

/* Opens a store that is not mounted; recovers it if that is needed and it is not read_only. */
int pc_open(const struct pc_target *t, bool read_only, struct ps_store **ret);
/* Closes it; the first failure counts. */
int pc_close(struct ps_store *store, int status);
/* The table of a store that pc_open opened. */
int pc_lookup(struct ps_store *store, const char *name, struct ps_table **ret);

/* The path of a file of a mounted table, or of the mount itself where table is NULL. */
int pc_mount_path(const struct pc_target *t, const char *table, const char *file, char *path,
                  size_t len);
/* Says what errno means for a file of a mount, of a table or not; returns PC_FAILED. */
int pc_error_mount(const struct pc_target *t, const char *table, const char *path, int sys_errno);
/* Copies a file of the mount, named as in pc_mount_path, to stdout. */
int pc_cat(const struct pc_target *t, const char *table, const char *file);

/* Locks the files of a store that no process may have open, without changing anything: shared to
 * look, exclusive to change. *ret_fd is -1 where there is no lock file (a copy of a store). */
int pc_lock_files(const struct pc_target *t, bool exclusive, int *ret_fd);

#endif
