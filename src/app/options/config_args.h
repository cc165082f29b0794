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
    CONFIG_ARGS_CHECK
};

extern const struct arg config_args[CONFIG_ARGS_CHECK];

/* Loads the settings as the command line says. EXIT_OK, or what has been told. `markdown`
 * may be NULL. */
int config_args_load(const struct command *c, int argc, char **argv, struct options *o,
                     bool *markdown);
