/*
 * pagectl - looks at page stores and works on them.
 */
#include <string.h>

#include "pagectl.h"

static const struct pc_command *const commands[] = {
    &pc_cmd_init, &pc_cmd_create, &pc_cmd_drop, &pc_cmd_rename, &pc_cmd_ls,      &pc_cmd_stat,
    &pc_cmd_load, &pc_cmd_verify, &pc_cmd_dump, &pc_cmd_wal,    &pc_cmd_recover, &pc_cmd_poke,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
    size_t i;

    puts("usage: pagectl COMMAND [ARGUMENT...]\n"
         "Looks at page stores and works on them. A STORE is a folder that `pagectl init` made,\n"
         "or the mount point where pagefs shows one.\n\ncommands:");
    for (i = 0; i < COMMAND_COUNT; i++)
        printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    puts(
        "\n  --help      this text; `pagectl COMMAND --help` tells more about a command\n"
        "  --version   the version\n\n"
        "exit status: 0 done, 1 failed, 2 wrong usage; verify: 0 sound, 1 faults, 2 could not run");
}

static const struct pc_command *find_command(const char *name)
{
    size_t i;

    for (i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int wrong_usage(const char *what, const char *name)
{
    fprintf(stderr, "pagectl: %s%s; `pagectl --help` lists the commands\n", what, name);
    return PC_USAGE;
}

int main(int argc, char **argv)
{
    const struct pc_command *cmd;

    if (argc < 2)
        return wrong_usage("no command given", "");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return pc_flush();
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("pagectl " PAGEFS_VERSION);
        return pc_flush();
    }
    cmd = find_command(argv[1]);
    if (!cmd)
        return wrong_usage("no such command: ", argv[1]);
    return cmd->run(cmd, argc - 1, argv + 1);
}
