/* SPDX-License-Identifier: BSD-3-Clause */
/* options_load.c -- where settings come from, in order: default, file, environment,
 * command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/options/options.h"
#include "app/suggest.h"
#include "base/assert.h"
#include "base/err.h"
#include "proto/mqtt/mqtt.h"

void options_init(struct options *o)
{
    *o = (struct options){.net = NET_OPTIONS_DEFAULT};
    for (unsigned i = 0; i < options_count(); i++) {
        int err = options_set(o, i, option_at(i)->initial, FROM_DEFAULT, 0);
        ASSERT(err == 0); /* a default that options.def itself refuses */
    }
}

int options_assign(struct options *o, const char *assignment)
{
    size_t n = strcspn(assignment, "=");
    char key[SUGGEST_WORD_MAX + 1];

    if (assignment[n] != '=')
        return options_refuse(o, "--set %.80s: expected KEY=VALUE", assignment);
    int i = option_find(assignment, n);
    if (i >= 0) return options_set(o, (unsigned)i, assignment + n + 1, FROM_COMMAND_LINE, 0);

    snprintf(key, sizeof key, "%.*s", (int)n, assignment);
    struct suggest near = suggest_start(key);
    for (unsigned k = 0; k < options_count(); k++)
        suggest_offer(&near, option_at(k)->key);
    const char *best = suggest_best(&near);
    return options_refuse(o, best ? "%s is not a setting; did you mean %s?" : "%s is not a setting",
                          key, best);
}

int options_load_environment(struct options *o)
{
    char variable[OPTION_TEXT_MAX];

    for (unsigned i = 0; i < options_count(); i++) {
        const char *text = getenv(option_variable(i, variable));
        if (!text) continue;
        int err = options_set(o, i, text, FROM_ENVIRONMENT, 0);
        if (err < 0) return err;
    }
    return 0;
}

static int set_port(struct options *o, const char *port)
{
    char text[OPTION_TEXT_MAX];
    int i = option_find("listeners", strlen("listeners"));

    if (!*port || strlen(port) > 5 || strspn(port, "0123456789") != strlen(port))
        return options_refuse(o, "-p %.80s: not a port from 0 to 65535", port);
    ASSERT(i >= 0);
    snprintf(text, sizeof text, "127.0.0.1:%s, [::1]:%s", port, port);
    int err = options_set(o, (unsigned)i, text, FROM_DEFAULT, 0);
    if (err < 0) return options_refuse(o, "-p %.80s: not a port from 0 to 65535", port);
    o->origin[i].source = FROM_COMMAND_LINE;
    return 0;
}

void options_settle(struct options *o)
{
    static const uint8_t redirects[] = {0, MQTT_RC_USE_ANOTHER_SERVER, MQTT_RC_SERVER_MOVED};

    o->mqtt.redirect_reason = redirects[o->redirect];
    o->mqtt.server_reference = *o->redirect_to ? o->redirect_to : NULL;
    o->mqtt.response_info = *o->response_info ? o->response_info : NULL;
    o->mqtt.farewell_reference = *o->moved_to ? o->moved_to : NULL;
    o->mqtt.farewell_reason = !*o->moved_to       ? 0
                              : o->moved_for_good ? MQTT_RC_SERVER_MOVED
                                                  : MQTT_RC_USE_ANOTHER_SERVER;
    o->net.mail_handover = MAIL_HANDOVER;
    o->broker.durability = *o->data.dir ? o->data.durability : DURABILITY_MEMORY;
    o->broker.durability_rules = *o->data.dir ? o->data_rules : NULL;
}

void options_fini(struct options *o)
{
    acl_free(&o->rules);
    durability_rules_free(&o->data_rules);
}

int options_load(struct options *o, const struct option_args *a)
{
    int err = 0;

    options_init(o);
    if (a->file) err = options_load_file(o, a->file);
    if (err == 0) err = options_load_environment(o);
    for (unsigned i = 0; err == 0 && i < a->nassign; i++)
        err = options_assign(o, a->assign[i]);
    if (err == 0 && a->port) err = set_port(o, a->port);
    options_settle(o);
    if (err == 0) err = options_settle_admin(o);
    return err < 0 ? err : options_check_data(o);
}
