/*
 * demo_args.c - command lines of storage_engine_demo, and one line for what is wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

#define OPTIONS_MAX 24
enum { OPT_HELP = 256, OPT_VERSION, OPT_FIRST };

enum option_kind { NUMBER, SHARE, TEXT, CHOICE, FLAG };

struct option_rule {
    const char *name;
    enum option_kind kind;
    void *value;                /* uint64_t, double, const char *, int, bool */
    uint64_t min, max;          /* NUMBER */
    const char *const *choices; /* CHOICE: NULL ends them, the value is the index */
    bool given;                 /* out */
};

static const char workload_help[] =
    "usage: storage_engine_demo workload [OPTION...]\n"
    "Runs a seeded workload on a page store and prints what the buffer pool made of it.\n\n"
    "  --profile mixed|random|scan  skewed, uniform, or one page after the other (mixed)\n"
    "  --ops N          accesses (100000, or those of the trace)\n"
    "  --seed S         of the random numbers (1)\n"
    "  --policy P       eviction policy (clock)\n"
    "  --frames N       frames of the pool (1024)\n"
    "  --threads N      threads that access pages (1)\n"
    "  --pages N        pages of the table (8192, or those of the trace)\n"
    "  --page-size N    4K to 1M (8K)\n"
    "  --writes N       percent of the accesses that write (mixed, random: 30; scan: 0)\n"
    "  --skew X         of mixed, 0 to 0.999: 0 is uniform (0.99)\n"
    "  --hold N         pages that each thread keeps pinned after reading them (0)\n"
    "  --sync N         a data checkpoint every N accesses (0: none)\n"
    "  --io KIND        auto, direct, buffered (auto)\n"
    "  --store DIR      a store to keep, made if need be; else a temporary one\n"
    "  --trace-in FILE  replay these accesses\n"
    "  --trace-out FILE write the accesses: a line 'r PAGE' or 'w PAGE' each\n"
    "  --format text|json|csv       (text)\n"
    "  --heatmap        accesses by page, as a picture\n"
    "  --state FILE     where the frames are kept for inspect-frame\n"
    "                   (${XDG_STATE_HOME:-~/.local/state}/pagefs/demo-frames)";

static const char inspect_help[] =
    "usage: storage_engine_demo inspect-frame N [--mount MNT] [--state FILE] [--long]\n"
    "Shows a frame of the buffer pool as the last workload left it, or of a mounted store.\n\n"
    "  --mount MNT      of the store that is mounted there\n"
    "  --state FILE     where the workload has kept its frames\n"
    "  --long           all that is known, not only page, pin, dirty and refbit";

/* --- messages ----------------------------------------------------------------------------- */

static int wrong_usage(const char *command, const char *fmt, ...) PS_PRINTF(2, 3);

static int wrong_usage(const char *command, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, DEMO_NAME " %s: ", command);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; `" DEMO_NAME " %s --help` tells the usage\n", command);
    return DEMO_USAGE;
}

int demo_error(const char *fmt, ...)
{
    va_list ap;

    fputs(DEMO_NAME ": ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return DEMO_FAILED;
}

int demo_report_err(ps_err err)
{
    const char *message = ps_message();

    if (err == PS_OK)
        return DEMO_OK;
    return demo_error("%s", *message ? message : ps_err_text(err));
}

int demo_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return demo_error("standard output: %s", strerror(errno));
    return DEMO_OK;
}

/* --- one option --------------------------------------------------------------------------- */

static int take_number(const char *command, const struct option_rule *rule, const char *text)
{
    uint64_t number;

    if (ps_parse_size(text, &number) != PS_OK || number < rule->min || number > rule->max)
        return wrong_usage(command, "--%s must be a number from %llu to %llu, not '%s'", rule->name,
                           (unsigned long long)rule->min, (unsigned long long)rule->max, text);
    *(uint64_t *)rule->value = number;
    return DEMO_GO_ON;
}

static int take_share(const char *command, const struct option_rule *rule, const char *text)
{
    char *end;
    double share = strtod(text, &end);

    if (end == text || *end != '\0' || !(share >= 0 && share <= 0.999))
        return wrong_usage(command, "--%s must be from 0 to 0.999, not '%s'", rule->name, text);
    *(double *)rule->value = share;
    return DEMO_GO_ON;
}

static int take_choice(const char *command, const struct option_rule *rule, const char *text)
{
    char list[128] = "";
    int i;

    for (i = 0; rule->choices[i]; i++) {
        size_t len = strlen(list);

        if (strcmp(rule->choices[i], text) == 0) {
            *(int *)rule->value = i;
            return DEMO_GO_ON;
        }
        (void)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", rule->choices[i]);
    }
    return wrong_usage(command, "--%s '%s': there are %s", rule->name, text, list);
}

static int take_option(const char *command, struct option_rule *rule, const char *text)
{
    rule->given = true;
    switch (rule->kind) {
    case NUMBER:
        return take_number(command, rule, text);
    case SHARE:
        return take_share(command, rule, text);
    case CHOICE:
        return take_choice(command, rule, text);
    case TEXT:
        if (!text[0])
            return wrong_usage(command, "--%s must not be empty", rule->name);
        *(const char **)rule->value = text;
        return DEMO_GO_ON;
    case FLAG:
        *(bool *)rule->value = true;
        return DEMO_GO_ON;
    }
    return DEMO_GO_ON;
}

/* --- a command line ----------------------------------------------------------------------- */

static int print_help(const char *help)
{
    puts(help);
    return demo_flush();
}

static int print_version(void)
{
    puts(DEMO_NAME " " PAGEFS_VERSION);
    return demo_flush();
}

static void make_long_options(const struct option_rule *rules, size_t count, struct option *ret)
{
    size_t i;

    memset(ret, 0, sizeof(*ret) * (count + 3));
    ret[0] = (struct option){"help", no_argument, NULL, OPT_HELP};
    ret[1] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    for (i = 0; i < count; i++)
        ret[2 + i] = (struct option){
            rules[i].name,
            rules[i].kind == FLAG ? no_argument : required_argument,
            NULL,
            OPT_FIRST + (int)i,
        };
}

/* Leaves optind at the first word. */
static int take_options(const char *command, const char *help, int argc, char **argv,
                        struct option_rule *rules, size_t count)
{
    struct option longs[OPTIONS_MAX + 3];
    int opt, status = DEMO_GO_ON;

    make_long_options(rules, count, longs);
    opterr = 0;
    optind = 1;
    while (status == DEMO_GO_ON && (opt = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        switch (opt) {
        case 'h':
        case OPT_HELP:
            return print_help(help);
        case OPT_VERSION:
            return print_version();
        case ':':
            return wrong_usage(command, "%s needs a value", argv[optind - 1]);
        case '?':
            return wrong_usage(command, "no such option: %s", argv[optind - 1]);
        default:
            status = take_option(command, &rules[opt - OPT_FIRST], optarg);
        }
    }
    return status;
}

static bool is_given(const struct option_rule *rules, size_t count, const char *name)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (strcmp(rules[i].name, name) == 0)
            return rules[i].given;
    }
    return false;
}

/* What does not go together. */
static int check_workload(const struct demo_config *c)
{
    if (c->page_size < PS_PAGE_SIZE_MIN || c->page_size > PS_PAGE_SIZE_MAX ||
        (c->page_size & (c->page_size - 1)) != 0)
        return wrong_usage("workload", "--page-size must be a power of two from 4K to 1M, not %llu",
                           (unsigned long long)c->page_size);
    if (!ps_evict_by_name(c->policy))
        return wrong_usage("workload", "--policy '%s': there is no such policy", c->policy);
    if (c->hold * c->threads > c->frames - DEMO_FRAMES_MIN)
        return wrong_usage(
            "workload", "--hold %llu in each of --threads %llu leaves less than %u of %llu frames",
            (unsigned long long)c->hold, (unsigned long long)c->threads, DEMO_FRAMES_MIN,
            (unsigned long long)c->frames);
    return DEMO_GO_ON;
}

#define COUNT(rules) (sizeof(rules) / sizeof((rules)[0]))

int demo_parse_workload(int argc, char **argv, struct demo_config *ret)
{
    static const char *const profiles[] = {"mixed", "random", "scan", NULL};
    static const char *const formats[] = {"text", "json", "csv", NULL};
    static const char *const ios[] = {"auto", "direct", "buffered", NULL};
    int profile = DEMO_MIXED, format = DEMO_TEXT, io = 0;
    struct demo_config c = {
        .ops = 100000,
        .seed = 1,
        .frames = 1024,
        .pages = 8192,
        .page_size = PS_PAGE_SIZE_DEFAULT,
        .threads = 1,
        .skew = 0.99,
        .policy = "clock",
    };
    struct option_rule rules[] = {
        {.name = "profile", CHOICE, &profile, .choices = profiles},
        {.name = "ops", NUMBER, &c.ops, 1, 1ull << 48},
        {.name = "seed", NUMBER, &c.seed, 0, UINT64_MAX},
        {.name = "policy", TEXT, &c.policy},
        {.name = "frames", NUMBER, &c.frames, DEMO_FRAMES_MIN, DEMO_FRAMES_MAX},
        {.name = "threads", NUMBER, &c.threads, 1, DEMO_THREADS_MAX},
        {.name = "pages", NUMBER, &c.pages, 1, DEMO_PAGES_MAX},
        {.name = "page-size", NUMBER, &c.page_size, PS_PAGE_SIZE_MIN, PS_PAGE_SIZE_MAX},
        {.name = "writes", NUMBER, &c.writes_percent, 0, 100},
        {.name = "skew", SHARE, &c.skew},
        {.name = "hold", NUMBER, &c.hold, 0, DEMO_FRAMES_MAX},
        {.name = "sync", NUMBER, &c.sync_every, 0, UINT64_MAX},
        {.name = "io", CHOICE, &io, .choices = ios},
        {.name = "store", TEXT, &c.store},
        {.name = "trace-in", TEXT, &c.trace_in},
        {.name = "trace-out", TEXT, &c.trace_out},
        {.name = "format", CHOICE, &format, .choices = formats},
        {.name = "heatmap", FLAG, &c.heatmap},
        {.name = "state", TEXT, &c.state},
    };
    int status = take_options("workload", workload_help, argc, argv, rules, COUNT(rules));

    if (status != DEMO_GO_ON)
        return status;
    if (optind < argc)
        return wrong_usage("workload", "one argument too many: '%s'", argv[optind]);
    c.profile = (enum demo_profile)profile;
    c.format = (enum demo_format)format;
    c.io = ios[io];
    if (!is_given(rules, COUNT(rules), "writes"))
        c.writes_percent = c.profile == DEMO_SCAN ? 0 : 30;
    if (c.trace_in && is_given(rules, COUNT(rules), "profile"))
        return wrong_usage("workload", "--profile and --trace-in exclude each other");
    if (c.trace_in && !is_given(rules, COUNT(rules), "ops"))
        c.ops = 0; /* as many as there are */
    if (c.trace_in && !is_given(rules, COUNT(rules), "pages"))
        c.pages = 0;
    *ret = c;
    return check_workload(ret);
}

int demo_parse_inspect(int argc, char **argv, struct demo_inspect_config *ret)
{
    struct demo_inspect_config c = {0};
    uint64_t frame = 0;
    struct option_rule rules[] = {
        {.name = "mount", TEXT, &c.mount},
        {.name = "state", TEXT, &c.state},
        {.name = "long", FLAG, &c.all_columns},
    };
    int status = take_options("inspect-frame", inspect_help, argc, argv, rules, COUNT(rules));

    if (status != DEMO_GO_ON)
        return status;
    if (optind == argc)
        return wrong_usage("inspect-frame", "no frame given");
    if (optind + 1 < argc)
        return wrong_usage("inspect-frame", "one argument too many: '%s'", argv[optind + 1]);
    if (ps_parse_size(argv[optind], &frame) != PS_OK || frame > UINT32_MAX)
        return wrong_usage("inspect-frame", "a frame is a number from 0 on, not '%s'",
                           argv[optind]);
    if (c.mount && c.state)
        return wrong_usage("inspect-frame", "--mount and --state exclude each other");
    c.frame = (uint32_t)frame;
    *ret = c;
    return DEMO_GO_ON;
}
