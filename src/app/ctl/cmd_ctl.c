/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_ctl.c -- `pinion ctl`: asks a running broker by its admin interface, and tells it what to
 * do. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/ctl/ctl.h"
#include "app/suggest.h"
#include "base/assert.h"

enum {
    CTL_URL,
    CTL_TOKEN_FILE,
    CTL_CA,
    CTL_JSON,
    CTL_PREFIX,
    CTL_STATE,
    CTL_LIMIT,
    CTL_SESSION,
    CTL_QOS,
    CTL_RETAIN,
    CTL_ARGS,
};

static const struct arg args_table[CTL_ARGS] = {
    [CTL_URL] = {0, "url", "URL", "the admin interface; else PINION_URL, else port 8081 here"},
    [CTL_TOKEN_FILE] = {0, "token-file", "FILE",
                        "holds the token; else PINION_TOKEN or PINION_TOKEN_FILE"},
    [CTL_CA] = {0, "ca", "FILE", "authorities that may vouch for the broker, in PEM"},
    [CTL_JSON] = {'j', "json", NULL, "print JSON; of lists one entry per line"},
    [CTL_PREFIX] = {0, "prefix", "TEXT", "clients: those whose identifier begins so"},
    [CTL_STATE] = {0, "connected", "yes|no", "clients: those that are there, or are not"},
    [CTL_LIMIT] = {'n', "limit", "N", "lists: at most so many entries"},
    [CTL_SESSION] = {0, "session", NULL, "disconnect: end the session as well"},
    [CTL_QOS] = {'q', "qos", "N", "publish: 0, 1 or 2"},
    [CTL_RETAIN] = {'r', "retain", NULL, "publish: the broker keeps it for later subscribers"},
};

/* Of a text "0" to `max`; -1 if it is none. */
static long number_of(const char *text, long max)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text && !*end && n >= 0 && n <= max ? n : -1;
}

static int set_state(const struct command *c, struct ctl *k, const char *value)
{
    k->connected = strcmp(value, "yes") == 0 ? "true" : strcmp(value, "no") == 0 ? "false" : NULL;
    return k->connected ? EXIT_OK : args_refuse(c, "--connected %s: expected yes or no", value);
}

static int set_numbers(const struct command *c, struct ctl *k, int row, const char *value)
{
    long n = number_of(value, row == CTL_QOS ? 2 : 1000000000);

    if (n < 0) return args_refuse(c, "--%s %s: expected a number", args_table[row].name, value);
    if (row == CTL_QOS)
        k->qos = (int)n;
    else
        k->limit = (size_t)n;
    return EXIT_OK;
}

static int set_operand(const struct command *c, struct ctl *k, const char *value)
{
    if (!k->action) {
        k->action = value;
        return EXIT_OK;
    }
    if (k->noperands == CTL_OPERANDS_MAX) return args_refuse(c, "\"%s\" is one too many", value);
    k->operand[k->noperands++] = value;
    return EXIT_OK;
}

static int set_arg(const struct command *c, struct ctl *k, int row, const char *value)
{
    switch (row) {
    case CTL_URL: k->where.url = value; return EXIT_OK;
    case CTL_TOKEN_FILE: k->where.token_file = value; return EXIT_OK;
    case CTL_CA: k->where.ca = value; return EXIT_OK;
    case CTL_JSON: k->json = true; return EXIT_OK;
    case CTL_PREFIX: k->prefix = value; return EXIT_OK;
    case CTL_STATE: return set_state(c, k, value);
    case CTL_SESSION: k->end_session = true; return EXIT_OK;
    case CTL_RETAIN: k->retain = true; return EXIT_OK;
    case ARGS_OPERAND: return set_operand(c, k, value);
    case ARGS_ERROR: return EXIT_USAGE;
    default: return set_numbers(c, k, row, value);
    }
}

static const struct ctl_action *action_find(const struct command *c, const char *name)
{
    struct suggest near = suggest_start(name);
    unsigned n;
    const struct ctl_action *all = ctl_actions(&n);

    for (unsigned i = 0; i < n; i++) {
        if (strcmp(all[i].name, name) == 0) return &all[i];
        suggest_offer(&near, all[i].name);
    }
    const char *best = suggest_best(&near);
    if (best)
        args_refuse(c, "there is no action \"%s\"; did you mean \"%s\"?", name, best);
    else
        args_refuse(c, "there is no action \"%s\"", name);
    return NULL;
}

static int act(const struct ctl_action *action, struct ctl *k)
{
    bool good = ctl_http_open(&k->http, &k->where) == 0 && action->act(k);

    if (!good) fprintf(stderr, "pinion ctl: %s\n", k->http.error);
    ctl_http_close(&k->http);
    return good && !k->bad ? EXIT_OK : EXIT_FAILED;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct args args = args_of(c, argc, argv);
    struct ctl k = {.limit = SIZE_MAX};
    const char *value;

    for (int row; (row = args_next(&args, &value)) != ARGS_END;) {
        int status = set_arg(c, &k, row, value);
        if (status != EXIT_OK) return status;
    }
    if (!k.action) return args_refuse(c, "say what to do, such as: pinion ctl clients");
    const struct ctl_action *action = action_find(c, k.action);
    if (!action) return EXIT_USAGE;
    if (k.noperands < action->least)
        return args_refuse(c, "usage: pinion ctl %s %s", action->name, action->operands);
    if (k.noperands > action->most)
        return args_refuse(c, "\"%s\" is one too many: pinion ctl %s %s", k.operand[action->most],
                           action->name, action->operands);
    return act(action, &k);
}

const struct command command_ctl = {
    .name = "ctl",
    .what = "ask a running broker, and tell it what to do",
    .operands = "ACTION [OPERAND...]",
    .args = args_table,
    .nargs = CTL_ARGS,
    .run = run,
    .notes = "actions:\n"
             "  clients                   sessions, connected or not\n"
             "  client ID                 one of them, and its subscriptions\n"
             "  disconnect ID             send a client away; with --session for good\n"
             "  trace ID [SECONDS]        log a client's packets; 0 ends it, else 60 s\n"
             "  subscriptions [ID]        all, or those of a client\n"
             "  topics [FILTER]           topics retained or subscribed to\n"
             "  retained [FILTER]         retained messages\n"
             "  payload TOPIC             what is retained there, as it is\n"
             "  delete-retained FILTER    clear what the filter matches\n"
             "  publish TOPIC [PAYLOAD]   publish a message\n"
             "  cores                     what each core does\n"
             "  listeners                 where clients connect\n"
             "  version                   of the broker, and since when it runs\n"
             "  metrics                   the page that Prometheus reads\n"
             "  health                    does every core answer, may clients come?\n"
             "examples:\n"
             "  pinion ctl clients --prefix sensor- --connected no\n"
             "  pinion ctl retained 'home/#' --json | jq .topic\n",
};
