/* SPDX-License-Identifier: BSD-3-Clause */
/* command.h -- the subcommands, each defined by its own file; commands.c lists them. */
#pragma once

#include "app/args.h"

extern const struct command command_serve, command_check, command_passwd, command_pub, command_sub,
    command_bench, command_ctl, command_top, command_log, command_version, command_help;

/* The n-th command, NULL at the end. */
const struct command *command_at(unsigned n);

/* The command called `name`; NULL, with a message that suggests one, if there is none. */
const struct command *command_find(const char *name);
