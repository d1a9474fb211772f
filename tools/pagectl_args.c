/*
 * Command lines: long options by getopt_long(3), words, numbers, and one line for what is wrong.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "pagectl.h"

#define OPTIONS_MAX 8
enum { OPT_HELP = 256, OPT_VERSION, OPT_FIRST };

int pc_usage(const struct pc_command *cmd, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "pagectl %s: ", cmd->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; usage: pagectl %s %s\n", cmd->name, cmd->args);
    return PC_USAGE;
}

static int print_help(const struct pc_command *cmd)
{
    printf("usage: pagectl %s %s\n%s\n", cmd->name, cmd->args, cmd->summary);
    if (cmd->text)
        printf("\n%s\n", cmd->text);
    return pc_flush();
}

static int print_version(void)
{
    puts("pagectl " PAGEFS_VERSION);
    return pc_flush();
}

static void make_long_options(const struct pc_option *options, size_t count, struct option *ret)
{
    size_t i;

    assert(count <= OPTIONS_MAX);
    memset(ret, 0, sizeof(*ret) * (OPTIONS_MAX + 3));
    ret[0] = (struct option){"help", no_argument, NULL, OPT_HELP};
    ret[1] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    for (i = 0; i < count; i++) {
        assert(!options[i].value != !options[i].flag);
        ret[2 + i].name = options[i].name;
        ret[2 + i].has_arg = options[i].value ? required_argument : no_argument;
        ret[2 + i].val = OPT_FIRST + (int)i;
    }
}

static int take_words(const struct pc_command *cmd, int argc, char **argv, const char **words)
{
    int count = argc - optind;
    int i;

    assert(cmd->words_max <= PC_WORDS_MAX);
    if (count < cmd->words_min)
        return pc_usage(cmd, "too few arguments");
    if (count > cmd->words_max)
        return pc_usage(cmd, "one argument too many: '%s'", argv[optind + cmd->words_max]);
    for (i = 0; i < count; i++)
        if (!argv[optind + i][0])
            return pc_usage(cmd, "argument %d is empty", i + 1);
    for (i = 0; i < cmd->words_max; i++)
        words[i] = i < count ? argv[optind + i] : NULL;
    return PC_GO_ON;
}

int pc_parse(const struct pc_command *cmd, int argc, char **argv, const struct pc_option *options,
             size_t option_count, const char **words)
{
    struct option longs[OPTIONS_MAX + 3];
    const struct pc_option *found;
    int opt;

    make_long_options(options, option_count, longs);
    opterr = 0;
    optind = 1;
    while ((opt = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        switch (opt) {
        case 'h':
        case OPT_HELP:
            return print_help(cmd);
        case OPT_VERSION:
            return print_version();
        case ':':
            return pc_usage(cmd, "%s needs a value", argv[optind - 1]);
        case '?':
            return pc_usage(cmd, "no such option: %s", argv[optind - 1]);
        default:
            found = &options[opt - OPT_FIRST];
            if (found->value)
                *found->value = optarg;
            else
                *found->flag = true;
        }
    }
    return take_words(cmd, argc, argv, words);
}

/* "0x" and digits. */
static bool parse_hex(const char *text, uint64_t max, uint64_t *ret)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 16);
    if (errno || !isxdigit((unsigned char)text[2]) || *end != '\0' || number > max)
        return false;
    *ret = number;
    return true;
}

int pc_number(const struct pc_command *cmd, const char *what, const char *text, uint64_t max,
              uint64_t *ret)
{
    const bool sound = strncmp(text, "0x", 2) == 0 ? parse_hex(text, max, ret)
                                                   : ps_parse_number(text, 0, max, ret);

    return sound ? PC_GO_ON
                 : pc_usage(cmd, "%s must be a number from 0 to %llu, not '%s'", what,
                            (unsigned long long)max, text);
}

int pc_page_size(const struct pc_command *cmd, const char *text, uint32_t *ret)
{
    uint64_t bytes = 0;

    if (text && (ps_parse_size(text, &bytes) != PS_OK || bytes < PS_PAGE_SIZE_MIN ||
                 bytes > PS_PAGE_SIZE_MAX || (bytes & (bytes - 1)) != 0))
        return pc_usage(cmd, "--page-size must be a power of two from 4K to 1M, not '%s'", text);
    *ret = (uint32_t)bytes;
    return PC_GO_ON;
}
