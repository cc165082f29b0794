/* SPDX-License-Identifier: BSD-3-Clause */
/* config_args.h -- the command line that serve and check have in common. */
#pragma once

#include "app/args.h"
#include "app/options/options.h"

enum config_arg {
    CONFIG_ARG_FILE,
    CONFIG_ARG_SET,
    CONFIG_ARG_PORT,
    CONFIG_ARGS_SERVE,
    CONFIG_ARG_MARKDOWN = CONFIG_ARGS_SERVE,
    CONFIG_ARG_MAY,
    CONFIG_ARG_FROM,
    CONFIG_ARG_LISTENER,
    CONFIG_ARGS_CHECK
};

extern const struct arg config_args[CONFIG_ARGS_CHECK];

enum { CONFIG_ASSIGN_MAX = 64, CONFIG_OPERANDS = 4 };

/* Settings, and what they were made from, to make them again. */
struct config {
    struct options options;
    struct option_args args; /* points to `assign`, and to the command line */
    const char *assign[CONFIG_ASSIGN_MAX];
    bool markdown;
    bool may; /* tell whether a client may do what the operands say */
    const char *operand[CONFIG_OPERANDS];
    unsigned noperands;
    const char *from, *listener; /* of that client; NULL: not said */
};

/* Loads the settings as the command line says. EXIT_OK, or what has been told. The settings are
 * to be given to options_fini() in any case. */
int config_args_load(const struct command *c, int argc, char **argv, struct config *config);
