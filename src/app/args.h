/* SPDX-License-Identifier: BSD-3-Clause */
/* args.h -- a command's options: one table serves for reading them and for the help.
 *
 * Options come as -x VALUE, -xVALUE, --long VALUE or --long=VALUE, in any order with
 * other arguments; "--" ends them. What is wrong is told on stderr here, with a suggestion. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* What the process answers; in the manual page and in `pinion help`. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,    /* the network, the broker or the machine did not do what was asked */
    EXIT_USAGE = 2,     /* the command line is wrong */
    EXIT_CONFIG = 3,    /* a setting is wrong */
    EXIT_TIMED_OUT = 27 /* -W ran out, as in other MQTT clients */
};

struct arg {
    char letter;       /* 0: none */
    const char *name;  /* without "--"; NULL: none */
    const char *value; /* what stands for the value in the help; NULL: takes none */
    const char *help;
};

/* A subcommand. `run` gets what follows its name. */
struct command {
    const char *name;
    const char *what;     /* one line */
    const char *operands; /* for the usage line */
    const struct arg *args;
    unsigned nargs;
    int (*run)(const struct command *c, int argc, char **argv);
    const char *notes; /* end of its help: examples; may be NULL */
};

struct args {
    const struct command *command;
    char **argv;
    int argc, at;
    const char *cluster; /* rest of "-abc" */
    bool only_operands;  /* after "--" */
};

enum { ARGS_END = -1, ARGS_OPERAND = -2, ARGS_ERROR = -3 };

struct args args_of(const struct command *c, int argc, char **argv);

/* The row of the next option, with its value (NULL if it takes none); ARGS_OPERAND with
 * the operand in *value; ARGS_END; or ARGS_ERROR, which has been told. */
int args_next(struct args *a, const char **value);

/* Prints "pinion NAME: ..." and how to get help to stderr; returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int args_refuse(const struct command *c, const char *format,
                                                      ...);

void args_help(const struct command *c, FILE *out);
