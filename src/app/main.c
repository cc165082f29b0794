/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c -- finds the subcommand and runs it. */
#include <stdio.h>
#include <string.h>

#include "app/command.h"

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0) return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
    const struct command *c = command_find(name);
    if (!c) return EXIT_USAGE;

    int rest = argc > 2 ? argc - 2 : 0;
    char **arguments = argv + (argc > 2 ? 2 : argc);
    if (asks_for_help(rest, arguments)) {
        args_help(c, stdout);
        return EXIT_OK;
    }
    return c->run(c, rest, arguments);
}
