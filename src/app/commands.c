/* SPDX-License-Identifier: BSD-3-Clause */
/* commands.c -- the list of subcommands, and the two that tell about the others. */
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/suggest.h"
#include "base/assert.h"

static const struct command *const commands[] = {
    &command_serve, &command_check,   &command_passwd, &command_pub,
    &command_sub,   &command_bench,   &command_ctl,    &command_top,
    &command_log,   &command_version, &command_help,
};

const struct command *command_at(unsigned n)
{
    return n < ARRAY_LEN(commands) ? commands[n] : NULL;
}

const struct command *command_find(const char *name)
{
    struct suggest near = suggest_start(name);

    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
        suggest_offer(&near, commands[i]->name);
    }
    const char *best = suggest_best(&near);
    fprintf(stderr, "pinion: there is no command \"%s\"", name);
    if (best) fprintf(stderr, "; did you mean \"%s\"?", best);
    fprintf(stderr, "\nSee \"pinion help\".\n");
    return NULL;
}

static int version(const struct command *c, int argc, char **argv)
{
    (void)argv;
    if (argc > 0) return args_refuse(c, "takes no arguments");
    puts("pinion " PINION_VERSION);
    return EXIT_OK;
}

const struct command command_version = {
    .name = "version", .what = "print the version", .operands = "", .run = version};

static void help_all(void)
{
    puts("pinion -- a message broker\n\nusage: pinion COMMAND [ARGUMENT...]\n\ncommands:");
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %-9s %s\n", commands[i]->name, commands[i]->what);
    puts("\n\"pinion help COMMAND\" tells its options.\n"
         "Exit status: 0 done; 1 it could not be done; 2 wrong command line; 3 wrong setting;\n"
         "27 the time given with -W ran out.");
}

static int help(const struct command *c, int argc, char **argv)
{
    if (argc > 1) return args_refuse(c, "takes one command");
    if (argc == 0) {
        help_all();
        return EXIT_OK;
    }
    const struct command *about = command_find(argv[0]);
    if (!about) return EXIT_USAGE;
    args_help(about, stdout);
    return EXIT_OK;
}

const struct command command_help = {
    .name = "help", .what = "tell how a command is used", .operands = "[COMMAND]", .run = help};
