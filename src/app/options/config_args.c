/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/options/config_args.h"

#include <stdlib.h>

const struct arg config_args[CONFIG_ARGS_CHECK] = {
    [CONFIG_ARG_FILE] = {'c', "config", "FILE", "settings in YAML (or PINION_CONFIG=FILE)"},
    [CONFIG_ARG_SET] = {'s', "set", "KEY=VALUE", "one setting, may be repeated: --set cores=4"},
    [CONFIG_ARG_PORT] = {'p', "port", "PORT", "listen on this port of the loopback addresses"},
    [CONFIG_ARG_MARKDOWN] = {0, "markdown", NULL, "print the reference of all settings instead"},
    [CONFIG_ARG_MAY] = {0, "may", NULL,
                        "tell what the access rules say: USER CLIENT read|write TOPIC"},
    [CONFIG_ARG_FROM] = {0, "from", "ADDRESS", "with --may: where the client is (unix)"},
    [CONFIG_ARG_LISTENER] = {0, "listener", "TEXT", "with --may: the listener it came by"},
};

static int take_operand(const struct command *c, struct config *config, const char *value)
{
    if (c->nargs < CONFIG_ARGS_CHECK || config->noperands == CONFIG_OPERANDS)
        return args_refuse(c, "\"%s\" is not an option", value);
    config->operand[config->noperands++] = value;
    return EXIT_OK;
}

/* Operands belong to --may, all of them or none. */
static int check_operands(const struct command *c, const struct config *config)
{
    unsigned want = config->may ? CONFIG_OPERANDS : 0;

    if (config->noperands < want) return args_refuse(c, "--may takes USER CLIENT read|write TOPIC");
    if (config->noperands > want)
        return args_refuse(c, "\"%s\" is not an option", config->operand[0]);
    return EXIT_OK;
}

int config_args_load(const struct command *c, int argc, char **argv, struct config *config)
{
    struct args args = args_of(c, argc, argv);
    struct option_args *oa = &config->args;
    const char *value;

    *config = (struct config){.markdown = false};
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
        case CONFIG_ARG_MAY: config->may = true; break;
        case CONFIG_ARG_FROM: config->from = value; break;
        case CONFIG_ARG_LISTENER: config->listener = value; break;
        case ARGS_OPERAND:
            if (take_operand(c, config, value) != EXIT_OK) return EXIT_USAGE;
            break;
        default: return EXIT_USAGE;
        }
    }
    if (check_operands(c, config) != EXIT_OK) return EXIT_USAGE;
    if (options_load(&config->options, oa) == 0) return EXIT_OK;
    fprintf(stderr, "pinion %s: %s\n", c->name, config->options.error);
    return EXIT_CONFIG;
}
