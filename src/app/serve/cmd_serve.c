/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_serve.c -- `pinion serve`. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "app/command.h"
#include "app/options/config_args.h"
#include "app/serve/serve.h"

/* One connection takes one file descriptor: take all there are. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* what we have may be enough: then no harm is done */
}

static int serve_with(struct config *config)
{
    struct serve serve;
    char error[OPTIONS_ERROR];

    signals_init();
    privileges_start(config->options.core_dumps);
    raise_file_limit();
    int log_fd = log_file_open(config->options.log_file, error);
    if (log_fd < 0) {
        fprintf(stderr, "pinion serve: %s\n", error);
        return EXIT_CONFIG;
    }
    if (serve_start(&serve, &config->options, log_fd, error) < 0) {
        fprintf(stderr, "pinion serve: %s\n", error);
        serve_stop(&serve, error);
        return EXIT_CONFIG;
    }
    serve.args = &config->args;
    banner_print(&serve, stdout);
    serve_run(&serve);
    if (serve_stop(&serve, error) == 0) return EXIT_OK;
    fprintf(stderr, "pinion serve: %s\n", error);
    return EXIT_FAILED;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct config config;

    int status = config_args_load(c, argc, argv, &config);
    if (status == EXIT_OK) status = serve_with(&config);
    options_fini(&config.options);
    return status;
}

const struct command command_serve = {
    .name = "serve",
    .what = "run the broker",
    .operands = "",
    .args = config_args,
    .nargs = CONFIG_ARGS_SERVE,
    .run = run,
    .notes =
        "Settings come from the command line, else from the environment (PINION_CORES=4), else\n"
        "from the file, else they have defaults. \"pinion check\" lists all of them.\n"
        "HUP reads the settings and certificates again, USR1 opens the log file again. TERM and "
        "INT end\nthe broker in good order; a second one ends it at once.\n",
};
