/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_check.c -- `pinion check`: every setting, its value and where that came from. */
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/options/config_args.h"
#include "app/options/listen_show.h"
#include "app/options/options_rules.h"
#include "base/err.h"
#include "core/cpu.h"

static void print_settings(const struct options *o)
{
    char value[NET_LISTENERS_MAX * SOCK_ADDR_TEXT], origin[OPTION_TEXT_MAX];

    printf("%-26s %-30s %-22s %s\n", "SETTING", "VALUE", "FROM", "A CHANGE NEEDS");
    for (unsigned i = 0; i < options_count(); i++)
        printf("%-26s %-30s %-22s %s\n", option_at(i)->key, option_value(o, i, value, sizeof value),
               option_origin(o, i, origin, sizeof origin),
               option_at(i)->restart ? "a restart" : "a reload");
}

static void print_plan(const struct cpu_plan *p)
{
    char node[16];

    printf("\n%-6s %-5s %-5s %s\n", "CORE", "CPU", "NODE", "");
    for (unsigned i = 0; i < p->cores; i++) {
        snprintf(node, sizeof node, "%d", p->node[i]);
        printf("%-6u %-5u %-5s %s\n", i, p->cpu[i], p->node[i] < 0 ? "-" : node,
               p->pin ? "pinned" : "not pinned");
    }
}

static void print_data_rules(const struct options *o)
{
    const struct durability_rules *r = o->data_rules;

    if (!r) return;
    printf("\nDATA RULES; the first that matches decides\n");
    for (uint32_t i = 0; i < r->n; i++)
        printf("%-9s %.*s\n", listen_durability_words[r->at[i].durability + 1],
               (int)r->at[i].filter.n, (const char *)r->at[i].filter.p);
}

static void print_introduction(void)
{
    puts(
        "# Settings\n\n"
        "Written by `pinion check --markdown` from `options.def` and `listener.def` in "
        "`src/app/options`;\n"
        "change those.\n\n"
        "A setting comes from the command line (`--set KEY=VALUE`), else from its environment\n"
        "variable, else from the YAML file (`--config FILE` or `PINION_CONFIG`), else it has its\n"
        "default. In the file a dot is one level of nesting:\n\n"
        "```yaml\ncores: auto\nlisteners:\n  - address: 127.0.0.1:1883\nlimits:\n"
        "  queue_messages: 1000\n```\n\n"
        "An entry of `listeners` says how it is reached. Only the address must be given, and with\n"
        "`tls` and `wss` a certificate and its key. `tls` belongs to these two, `websocket` to "
        "`ws`\n"
        "and `wss`, `mode` and `group` to `unix:` addresses.\n\n"
        "```yaml\nlisteners:\n  - address: '*:8884'\n    transport: wss\n"
        "    connections: 1000\n"
        "    tls:\n      certificate: /etc/pinion/chain.pem\n      key: /etc/pinion/key.pem\n"
        "      ca: /etc/pinion/clients-ca.pem\n      client_certificate: required\n"
        "      names:\n        - {certificate: other.pem, key: other.key}\n"
        "    websocket:\n      origins: ['https://app.example.org']\n"
        "  - address: unix:/run/pinion/mqtt.sock\n    mode: '0660'\n    group: mqtt\n"
        "  - address: 10.0.0.5:1884\n    proxy_protocol: required\n"
        "    proxy_from: [10.0.0.0/24]\n```\n");
    listen_show_keys(stdout);
    puts(
        "\n`rules` is a list too, of who may read and write what; [access.md](access.md) tells of "
        "it:\n\n"
        "```yaml\nrules:\n  - {allow: read, user: '*', topics: ['news/#']}\n"
        "  - {allow: all, user: '*', topics: ['users/%u/#']}\n```\n\n"
        "`data.rules` is one more, of how topics are kept; [durability.md](durability.md) tells of "
        "it. The\nfirst whose filter matches decides, before the listener; without any, or where "
        "none matches, the\nlistener does:\n\n"
        "```yaml\ndata:\n  dir: /var/lib/pinion/data\n  rules:\n"
        "    - {topic: 'telemetry/#', durability: memory}\n"
        "    - {topic: 'orders/#', durability: commit}\n```\n\n"
        "`pinion check` shows every setting as it would be, and where its value comes from.\n\n"
        "On HUP all of it is read again: the file, and the certificates, keys and lists that it "
        "names.\nIf anything is wrong, nothing changes and the log says why. Settings whose "
        "change needs a reload\nare taken then, those that need a restart are named in the log. "
        "What a client was told when\nit connected (packet size, topic aliases) holds until it "
        "connects again.");
}

/* docs/configuration.md, so that it can't drift from the tables. */
static void print_markdown(void)
{
    char variable[OPTION_TEXT_MAX], allowed[OPTION_TEXT_MAX];

    print_introduction();
    for (unsigned i = 0; i < options_count(); i++) {
        const struct option *row = option_at(i);
        printf("\n## %s\n\n%s\n\n- default: %s%s%s\n- allowed: %s\n- environment: `%s`\n"
               "- a change needs: %s\n",
               row->key, row->help, *row->initial ? "`" : "",
               *row->initial ? row->initial : "empty", *row->initial ? "`" : "",
               option_allowed(i, allowed), option_variable(i, variable),
               row->restart ? "a restart" : "a reload");
    }
}

/* Reads the operands of --may. */
static int read_question(const struct command *c, const struct config *config,
                         struct rules_question *q)
{
    struct acl_net at = {.bits = 128};
    const char *action = config->operand[2];

    if (strcmp(action, "read") != 0 && strcmp(action, "write") != 0)
        return args_refuse(c, "\"%s\" is neither read nor write", action);
    if (config->from && (acl_net_parse(&at, bytes_str(config->from)) < 0 || at.bits != 128))
        return args_refuse(c, "--from %s: not an address", config->from);
    *q = (struct rules_question){
        .who = {.user = bytes_str(config->operand[0]), .client_id = bytes_str(config->operand[1])},
        .action = *action == 'r' ? ACL_READ : ACL_WRITE,
        .topic = config->operand[3]};
    if (bytes_eq(q->who.user, BYTES("$anonymous"))) q->who.user = BYTES("");
    if (config->listener) q->who.listener = bytes_str(config->listener);
    memcpy(q->who.ip, at.ip, sizeof q->who.ip);
    return EXIT_OK;
}

static int tell_may(const struct command *c, const struct config *config, const struct acl *a)
{
    struct rules_question q;

    int status = read_question(c, config, &q);
    if (status != EXIT_OK) return status;
    int may = rules_try(&config->options, a, &q, stdout);
    if (may < 0) fprintf(stderr, "pinion %s: %s\n", c->name, err_text(may));
    return may > 0 ? EXIT_OK : EXIT_FAILED;
}

static int print_all(const struct command *c, struct options *o, const struct acl *a)
{
    struct cpu_plan plan;
    char error[CPU_ERROR_TEXT];

    if (cpu_plan_make(&plan, o->cores, o->pin, error) < 0) {
        fprintf(stderr, "pinion %s: %s\n", c->name, error);
        return EXIT_CONFIG;
    }
    print_settings(o);
    listen_show(&o->listeners, stdout);
    if (options_check_tls(o) < 0) {
        fprintf(stderr, "pinion %s: %s\n", c->name, o->error);
        return EXIT_CONFIG;
    }
    rules_print(o, a, stdout);
    print_data_rules(o);
    print_plan(&plan);
    return EXIT_OK;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct config config;
    struct acl *a = NULL;

    int status = config_args_load(c, argc, argv, &config);
    if (status == EXIT_OK && config.markdown) {
        print_markdown();
    } else if (status == EXIT_OK && options_acl(&config.options, &a) < 0) {
        fprintf(stderr, "pinion %s: %s\n", c->name, err_text(ERR_NOMEM));
        status = EXIT_FAILED;
    } else if (status == EXIT_OK) {
        status = config.may ? tell_may(c, &config, a) : print_all(c, &config.options, a);
    }
    acl_free(&a);
    options_fini(&config.options);
    return status;
}

const struct command command_check = {
    .name = "check",
    .what = "show every setting, and where its value comes from",
    .operands = "",
    .args = config_args,
    .nargs = CONFIG_ARGS_CHECK,
    .run = run,
    .notes = "Refuses what \"pinion serve\" would refuse, with the same words.\n"
             "pinion check -c FILE --may ann meter-1 write meters/1/state tells by which access "
             "rule this is\nallowed or denied (status 1). '' is the user of who is anonymous.\n",
};
