/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/options/config_args.h"

#include <stdlib.h>

const struct arg config_args[CONFIG_ARGS_CHECK] = {
    [CONFIG_ARG_FILE] = {'c', "config", "FILE", "settings in YAML (or PINION_CONFIG=FILE)"},
    [CONFIG_ARG_SET] = {'s', "set", "KEY=VALUE", "one setting, may be repeated: --set cores=4"},
    [CONFIG_ARG_PORT] = {'p', "port", "PORT", "listen on this port of the loopback addresses"},
    [CONFIG_ARG_MARKDOWN] = {0, "markdown", NULL, "print the reference of all settings instead"},
};

int config_args_load(const struct command *c, int argc, char **argv, struct config *config)
{
    struct args args = args_of(c, argc, argv);
    struct option_args *oa = &config->args;
    const char *value;

    config->markdown = false;
    *oa = (struct option_args){.assign = config->assign, .file = getenv("PINION_CONFIG")};
    for (int row; (row = args_next(&args, &value)) != ARGS_END;) {
        switch (row) {
        case CONFIG_ARG_FILE: oa->file = value; break;
        case CONFIG_ARG_PORT: oa->port = value; break;
        case CONFIG_ARG_MARKDOWN: config->markdown = true; break;
        case CONFIG_ARG_SET:
            if (oa->nassign == CONFIG_ASSIGN_MAX)
                return args_refuse(c, "more than %d times --set", CONFIG_ASSIGN_MAX);
            config->assign[oa->nassign++] = value;
            break;
        case ARGS_OPERAND: return args_refuse(c, "\"%s\" is not an option", value);
        default: return EXIT_USAGE;
        }
    }
    if (options_load(&config->options, oa) == 0) return EXIT_OK;
    fprintf(stderr, "pinion %s: %s\n", c->name, config->options.error);
    return EXIT_CONFIG;
}
