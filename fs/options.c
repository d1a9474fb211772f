#include "fs/options.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/log.h"

#define THREADS_DEFAULT \
    10u /* as libfuse has it: idle workers take turns, and many have cold caches */
#define THREADS_MIN 4u
#define THREADS_MAX 4096u
#define DEFAULT_POLICY "s3fifo" /* of those that do not adapt, the best on most workloads */
#define READ_MIN 4096u
#define READ_MAX (1u << 20)

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
    KEY("ro", KEY_OURS),
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
    unsigned long number;
    char *end;
    char want[64];

    snprintf(want, sizeof(want), "a number from %u to %u", min, max);
    errno = 0;
    number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || number < min || number > max)
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

static bool set_ours(struct pfs_options *o, const char *name, const char *value)
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
        return set_choice(name, value, "eio", "serve", &o->store.serve_corrupt);
    if (strcmp(name, "threads") == 0)
        return set_number(name, value, THREADS_MIN, THREADS_MAX, &o->threads);
    if (strcmp(name, "max_read") == 0)
        return set_number(name, value, READ_MIN, READ_MAX, &o->max_read);
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

    snprintf(name, sizeof(name), "%.*s", (int)len, arg);
    return set_ours(o, name, arg[len] ? arg + len + 1 : "");
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

/* What is ours and the kernel is to know too. */
static bool is_for_kernel(const char *arg)
{
    return strcmp(arg, "ro") == 0 || strncmp(arg, "max_read=", strlen("max_read=")) == 0;
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
    *o = (struct pfs_options){.threads = THREADS_DEFAULT};
    ps_store_options_default(&o->store);
    if (fuse_opt_parse(args, o, spec, take) != 0)
        return false;
    o->store.policy = o->policy ? o->policy : DEFAULT_POLICY;
    if (o->io)
        o->store.io = o->io;
    return check(o);
}

void pfs_options_deinit(struct pfs_options *o)
{
    free(o->source);
    free(o->mountpoint);
    free(o->policy);
    free(o->io);
}

void pfs_options_help(void)
{
    printf(
        "usage: pagefs [-f] [-d] [-o OPTIONS] SOURCE MNT\n"
        "\n"
        "Mounts the page store SOURCE (made by `pagectl init`) at the folder MNT: each table is\n"
        "a directory of page-files. Returns when the mount is usable.\n"
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
        "  on_corrupt=eio|serve   a damaged page is an error, or is served as it is (eio)\n"
        "  ro                     read-only\n"
        "  kernel_cache           let the kernel cache what it has read\n"
        "  threads=N              requests worked on at a time (%u)\n"
        "  max_read=BYTES         of one read request, from 4096 to 1048576\n"
        "  allow_other, ...       FUSE's own: see mount.fuse3(8)\n"
        "\n"
        "Unmount with `umount MNT`, or `fusermount3 -u MNT` as a user.\n",
        THREADS_DEFAULT);
}
