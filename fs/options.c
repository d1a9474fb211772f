#include "fs/options.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "fs/log.h"

#define THREADS_DEFAULT 10u /* as libfuse has it */
#define THREADS_MIN 4u      /* three may work on syncs */
#define THREADS_MAX 4096u
#define DEFAULT_POLICY "s3fifo" /* of those that do not adapt, the best on most workloads */
#define PG_VERSION_MIN 12u
#define PG_VERSION_MAX 17u
#define READ_MIN 4096u
#define READ_MAX (1u << 20)
#define RING_DEPTH_MAX 1024u

enum key {
    KEY_HELP,
    KEY_VERSION,
    KEY_FOREGROUND,
    KEY_DEBUG,
    KEY_OURS,
    KEY_REMOUNT,
};

/* FUSE_OPT_KEY, without its conversion of -1U that compilers warn of. */
#define KEY(text, number)                                      \
    {                                                          \
        .templ = (text), .offset = UINT_MAX, .value = (number) \
    }
#define IGNORE(text) KEY(text, FUSE_OPT_KEY_DISCARD)

static const struct fuse_opt spec[] = {
    KEY("-h", KEY_HELP),
    KEY("--help", KEY_HELP),
    KEY("-V", KEY_VERSION),
    KEY("--version", KEY_VERSION),
    KEY("-f", KEY_FOREGROUND),
    KEY("-d", KEY_DEBUG),
    KEY("pool=", KEY_OURS),
    KEY("policy=", KEY_OURS),
    KEY("fsync=", KEY_OURS),
    KEY("wal_delay=", KEY_OURS),
    KEY("max_wal=", KEY_OURS),
    KEY("checkpoint_timeout=", KEY_OURS),
    KEY("io=", KEY_OURS),
    KEY("on_corrupt=", KEY_OURS),
    KEY("threads=", KEY_OURS),
    KEY("wal_images=", KEY_OURS),
    KEY("kernel_cache", KEY_OURS),
    KEY("io_uring", KEY_OURS),
    KEY("io_uring_q_depth=", KEY_OURS),
    KEY("ro", KEY_OURS),
    KEY("live", KEY_OURS),
    KEY("follow_links", KEY_OURS),
    KEY("catalogs=", KEY_OURS),
    KEY("schema=", KEY_OURS),
    KEY("toast=", KEY_OURS),
    KEY("table=", KEY_OURS),
    KEY("segment=", KEY_OURS),
    KEY("segment_blocks=", KEY_OURS),
    KEY("page_size=", KEY_OURS),
    KEY("pg_version=", KEY_OURS),
    KEY("checksums=", KEY_OURS),
    KEY("tablespace=", KEY_OURS),
    KEY("max_read=", KEY_OURS),
    KEY("remount", KEY_REMOUNT),
    /* mount(8) and fstab talk among themselves with these. */
    IGNORE("auto"),
    IGNORE("noauto"),
    IGNORE("defaults"),
    IGNORE("user"),
    IGNORE("nouser"),
    IGNORE("users"),
    IGNORE("nofail"),
    IGNORE("_netdev"),
    IGNORE("comment="),
    FUSE_OPT_END,
};

/* --- one option --------------------------------------------------------------------------- */

static bool bad_value(const char *name, const char *value, const char *want)
{
    pfs_say("option %s=%s: want %s", name, value, want);
    return false;
}

static bool set_size(const char *name, const char *value, uint64_t *ret)
{
    ps_err err = ps_parse_size(value, ret);

    if (err == PS_ERR_RANGE)
        return bad_value(name, value, "a size that 64 bits hold");
    if (err || *ret == 0)
        return bad_value(name, value, "a size, like 64M");
    return true;
}

static bool set_number(const char *name, const char *value, unsigned min, unsigned max,
                       unsigned *ret)
{
    uint64_t number;
    char want[64];

    snprintf(want, sizeof(want), "a number from %u to %u", min, max);
    if (!ps_parse_number(value, min, max, &number))
        return bad_value(name, value, want);
    *ret = (unsigned)number;
    return true;
}

/* value is one of two words; *ret says whether it is the second. */
static bool set_choice(const char *name, const char *value, const char *first, const char *second,
                       bool *ret)
{
    char want[64];

    snprintf(want, sizeof(want), "%s or %s", first, second);
    if (strcmp(value, first) != 0 && strcmp(value, second) != 0)
        return bad_value(name, value, want);
    *ret = strcmp(value, second) == 0;
    return true;
}

static bool set_string(char **to, const char *value)
{
    free(*to);
    *to = strdup(value);
    if (!*to)
        pfs_say("out of memory");
    return *to != NULL;
}

static bool set_io(struct pfs_options *o, const char *value)
{
    if (strcmp(value, "auto") != 0 && strcmp(value, "direct") != 0 &&
        strcmp(value, "buffered") != 0 && strcmp(value, "mmap") != 0)
        return bad_value("io", value, "auto, direct, buffered or mmap");
    return set_string(&o->io, value);
}

static bool set_on_corrupt(struct pfs_options *o, const char *value)
{
    o->store.serve_corrupt = strcmp(value, "serve") == 0;
    o->skip_corrupt = strcmp(value, "skip") == 0;
    return o->store.serve_corrupt || o->skip_corrupt || strcmp(value, "eio") == 0 ||
           bad_value("on_corrupt", value, "eio, serve or skip");
}

/* --- options of PostgreSQL sources -------------------------------------------------------- */

/* A file's or folder's name, absolute, as the daemon leaves the current folder. */
static bool set_path(const char *name, char **to, const char *value)
{
    char *path = realpath(value, NULL);

    if (!path) {
        pfs_say("option %s=%s: %s", name, value, strerror(errno));
        return false;
    }
    free(*to);
    *to = path;
    return true;
}

static bool set_page_size(struct pfs_options *o, const char *value)
{
    uint64_t size;

    if (!set_size("page_size", value, &size))
        return false;
    if (size < PS_PAGE_SIZE_MIN || size > PS_PAGE_SIZE_MAX || (size & (size - 1)) != 0)
        return bad_value("page_size", value, "a power of two from 4K to 1M");
    o->cluster.page_size = (uint32_t)size;
    return true;
}

static bool set_checksums(struct pfs_options *o, const char *value)
{
    static const char *const words[] = {"auto", "on", "off"};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            o->cluster.checksums = (enum ps_pg_checks)i;
            return true;
        }
    }
    return bad_value("checksums", value, "on, off or auto");
}

/* OID=DIR */
static bool add_tablespace(struct pfs_options *o, const char *value)
{
    struct ps_pg_tablespace *list;
    char oid[16], name[32], *dir = NULL;
    const char *sep = strchr(value, '=');
    uint32_t count = o->cluster.tablespace_count;
    unsigned number;

    if (!sep || sep - value >= (ptrdiff_t)sizeof(oid))
        return bad_value("tablespace", value, "OID=DIR");
    snprintf(oid, sizeof(oid), "%.*s", (int)(sep - value), value);
    if (!set_number("tablespace", oid, 1, UINT_MAX, &number))
        return false;
    snprintf(name, sizeof(name), "tablespace=%u", number);
    if (!set_path(name, &dir, sep + 1))
        return false;
    list = realloc(o->tablespaces, (count + 1) * sizeof(*list));
    if (!list) {
        free(dir);
        pfs_say("out of memory");
        return false;
    }
    list[count] = (struct ps_pg_tablespace){.oid = number, .dir = dir};
    o->tablespaces = list;
    o->cluster.tablespaces = list;
    o->cluster.tablespace_count = count + 1;
    return true;
}

/* *ret_known: the name is one of these. */
static bool set_cluster(struct pfs_options *o, const char *name, const char *value, bool *ret_known)
{
    *ret_known = true;
    o->cluster.live |= strcmp(name, "live") == 0;
    o->cluster.follow_links |= strcmp(name, "follow_links") == 0;
    if (strcmp(name, "live") == 0 || strcmp(name, "follow_links") == 0)
        return true;
    if (strcmp(name, "catalogs") == 0)
        return set_path(name, &o->catalogs, value);
    if (strcmp(name, "schema") == 0)
        return set_path(name, &o->schema, value);
    if (strcmp(name, "toast") == 0)
        return set_path(name, &o->toast, value);
    if (strcmp(name, "table") == 0)
        return set_string(&o->table, value);
    if (strcmp(name, "segment") == 0)
        return set_number(name, value, 0, UINT_MAX - 1, &o->cluster.segment);
    if (strcmp(name, "segment_blocks") == 0)
        return set_number(name, value, 1, UINT_MAX, &o->cluster.segment_blocks);
    if (strcmp(name, "page_size") == 0)
        return set_page_size(o, value);
    if (strcmp(name, "pg_version") == 0)
        return set_number(name, value, PG_VERSION_MIN, PG_VERSION_MAX, &o->cluster.version);
    if (strcmp(name, "checksums") == 0)
        return set_checksums(o, value);
    if (strcmp(name, "tablespace") == 0)
        return add_tablespace(o, value);
    *ret_known = false;
    return true;
}

/* --- options of the store ------------------------------------------------------------------- */

/* libfuse takes both options itself, but of the depth any text. */
static bool set_io_uring(struct pfs_options *o, const char *name, const char *value)
{
#ifdef PFS_HAVE_RINGS
    unsigned depth;

    if (strcmp(name, "io_uring") != 0)
        return set_number(name, value, 1, RING_DEPTH_MAX, &depth);
    o->io_uring = true;
    return true;
#else
    (void)o, (void)value;
    pfs_say("option %s: this pagefs was built with libfuse %d.%d, which has no io_uring", name,
            FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION);
    return false;
#endif
}

static bool set_store(struct pfs_options *o, const char *name, const char *value)
{
    bool both;

    if (strcmp(name, "pool") == 0)
        return set_size(name, value, &o->store.pool_bytes);
    if (strcmp(name, "policy") == 0)
        return set_string(&o->policy, value);
    if (strcmp(name, "fsync") == 0)
        return set_choice(name, value, "checkpoint", "wal", &o->fsync_log_only);
    if (strcmp(name, "wal_delay") == 0)
        return set_number(name, value, 1, PS_WAL_DELAY_MS_MAX, &o->store.wal_delay_ms);
    if (strcmp(name, "max_wal") == 0)
        return set_size(name, value, &o->store.max_wal);
    if (strcmp(name, "checkpoint_timeout") == 0)
        return set_number(name, value, 1, PS_CHECKPOINT_TIMEOUT_S_MAX,
                          &o->store.checkpoint_timeout_s);
    if (strcmp(name, "io") == 0)
        return set_io(o, value);
    if (strcmp(name, "on_corrupt") == 0)
        return set_on_corrupt(o, value);
    if (strcmp(name, "threads") == 0)
        return set_number(name, value, THREADS_MIN, THREADS_MAX, &o->threads);
    if (strcmp(name, "max_read") == 0)
        return set_number(name, value, READ_MIN, READ_MAX, &o->max_read);
    if (strncmp(name, "io_uring", strlen("io_uring")) == 0)
        return set_io_uring(o, name, value);
    if (strcmp(name, "wal_images") == 0) {
        if (!set_choice(name, value, "after", "both", &both))
            return false;
        o->store.log_before_images = both;
        return true;
    }
    if (strcmp(name, "kernel_cache") == 0)
        o->kernel_cache = true;
    else
        o->store.read_only = true; /* ro */
    return true;
}

static bool take_ours(struct pfs_options *o, const char *arg)
{
    char name[32];
    size_t len = strcspn(arg, "=");
    const char *value;
    bool known, ok;

    snprintf(name, sizeof(name), "%.*s", (int)len, arg);
    value = arg[len] ? arg + len + 1 : "";
    ok = set_cluster(o, name, value, &known);
    if (!known)
        return set_store(o, name, value);
    snprintf(o->cluster_option, sizeof(o->cluster_option), "%s", name);
    return ok;
}

/* --- the command line --------------------------------------------------------------------- */

static bool take_word(struct pfs_options *o, const char *arg)
{
    if (!arg[0]) {
        pfs_say("%s is an empty name (see pagefs --help)", o->source ? "MNT" : "SOURCE");
        return false;
    }
    if (!o->source)
        return set_string(&o->source, arg);
    if (!o->mountpoint)
        return set_string(&o->mountpoint, arg);
    pfs_say("too many arguments: '%s' (see pagefs --help)", arg);
    return false;
}

/* What is ours and the kernel, or libfuse, is to know too. */
static bool is_for_kernel(const char *arg)
{
    return strcmp(arg, "ro") == 0 || strncmp(arg, "max_read=", strlen("max_read=")) == 0 ||
           strncmp(arg, "io_uring", strlen("io_uring")) == 0;
}

/* Options of fstab that systemd and others read there. */
static bool is_for_others(const char *arg)
{
    return strncmp(arg, "x-", 2) == 0 || strncmp(arg, "X-", 2) == 0;
}

/* fuse_opt_proc_t: -1 error, 0 taken, 1 left for FUSE. */
static int take(void *data, const char *arg, int key, struct fuse_args *rest)
{
    struct pfs_options *o = data;

    (void)rest;
    switch (key) {
    case KEY_HELP:
        o->help = true;
        return 0;
    case KEY_VERSION:
        o->version = true;
        return 0;
    case KEY_DEBUG:
        o->debug = true;
        o->foreground = true;
        return 1;
    case KEY_FOREGROUND:
        o->foreground = true;
        return 0;
    case KEY_OURS:
        if (!take_ours(o, arg))
            return -1;
        return is_for_kernel(arg) ? 1 : 0;
    case KEY_REMOUNT:
        pfs_say("remount is not possible: unmount, then mount with the new options");
        return -1;
    case FUSE_OPT_KEY_OPT:
        return is_for_others(arg) ? 0 : 1;
    case FUSE_OPT_KEY_NONOPT:
        return take_word(o, arg) ? 0 : -1;
    default:
        return 1;
    }
}

static bool check(const struct pfs_options *o)
{
    if (o->help || o->version)
        return true;
    if (!o->source || !o->mountpoint) {
        pfs_say("usage: pagefs [-f] [-d] [-o OPTIONS] SOURCE MNT (see pagefs --help)");
        return false;
    }
    return true;
}

bool pfs_options_parse(struct pfs_options *o, struct fuse_args *args)
{
    *o = (struct pfs_options){.threads = THREADS_DEFAULT, .cluster.segment = UINT32_MAX};
    ps_store_options_default(&o->store);
    if (fuse_opt_parse(args, o, spec, take) != 0)
        return false;
    o->store.policy = o->policy ? o->policy : DEFAULT_POLICY;
    if (o->io)
        o->store.io = o->io;
    o->cluster.catalogs = o->catalogs;
    o->cluster.schema = o->schema;
    o->cluster.toast = o->toast;
    o->cluster.table = o->table;
    return check(o);
}

void pfs_options_deinit(struct pfs_options *o)
{
    free(o->source);
    free(o->mountpoint);
    free(o->policy);
    free(o->io);
    free(o->catalogs);
    free(o->schema);
    free(o->toast);
    free(o->table);
    for (uint32_t i = 0; i < o->cluster.tablespace_count; i++)
        free((char *)o->tablespaces[i].dir);
    free(o->tablespaces);
}

void pfs_options_help(void)
{
    printf(
        "usage: pagefs [-f] [-d] [-o OPTIONS] SOURCE MNT\n"
        "\n"
        "Mounts SOURCE at the folder MNT: each table is a directory of page-files. Returns when\n"
        "the mount is usable. SOURCE is a page store (made by `pagectl init`); or, read-only, a\n"
        "PostgreSQL data directory or base backup, or one relation file of these.\n"
        "\n"
        "  -f                     stay in the foreground, messages to stderr\n"
        "  -d                     the same, and show each request\n"
        "  -h, --help             this text\n"
        "  -V, --version          the version\n"
        "\n"
        "options (-o, separated by commas):\n"
        "  pool=SIZE              buffer pool (64M)\n"
        "  policy=NAME            eviction policy: clock, lru, 2q, s3fifo, arc, adaptive (s3fifo)\n"
        "  fsync=checkpoint|wal   what fsync does: write dirty pages and sync them, or flush\n"
        "                         the log only (checkpoint)\n"
        "  wal_delay=MS           a change nobody syncs is durable after this (200)\n"
        "  max_wal=SIZE           the most log to keep (1G)\n"
        "  checkpoint_timeout=S   seconds between full checkpoints (300)\n"
        "  wal_images=after|both  what a write logs: the bytes after it, or before it too\n"
        "  io=auto|direct|buffered|mmap\n"
        "                         how files are read and written (auto)\n"
        "  on_corrupt=eio|serve|skip\n"
        "                         a damaged page is an error, or is served as it is, or is left\n"
        "                         out of rows.csv and the like (eio)\n"
        "  ro                     read-only\n"
        "  kernel_cache           let the kernel cache what it has read\n"
        "  threads=N              requests worked on at a time (%u)\n"
        "  max_read=BYTES         of one read request, from 4096 to 1048576\n"
#ifdef PFS_HAVE_RINGS
        "  io_uring               requests come through a ring of io_uring for each CPU\n"
        "  io_uring_q_depth=N     requests that a ring holds (8)\n"
#endif
        "  allow_other, ...       FUSE's own: see mount.fuse3(8)\n"
        "\n"
        "of PostgreSQL sources:\n"
        "  live                   also where a server runs: promises nothing between pages\n"
        "  tablespace=OID=DIR     where a tablespace lies now\n"
        "  follow_links           tablespaces lie where their links lead\n"
        "  checksums=on|off|auto  pages carry checksums, or not, or as pg_control says (auto)\n"
        "  page_size=SIZE, segment_blocks=N, pg_version=N\n"
        "                         where the files cannot tell: no pg_control, a file by itself\n"
        "\n"
        "of one relation's file as SOURCE:\n"
        "  catalogs=PGDATA        another data directory, whose catalogs tell its columns\n"
        "  schema=FILE            CREATE TABLE statements that tell its columns\n"
        "  table=NAME             the relation that it is, DATABASE/SCHEMA.TABLE of catalogs or\n"
        "                         SCHEMA.TABLE of schema, where its name does not tell\n"
        "  toast=FILE             its toast relation's file, where long values lie\n"
        "  segment=N              it is the N-th segment, from 0 (as its name says)\n"
        "\n"
        "Unmount with `umount MNT`, or `fusermount3 -u MNT` as a user.\n",
        THREADS_DEFAULT);
}
