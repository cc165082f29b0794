/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/client/client_args.h"

#include "app/number.h"
#include "app/resolve.h"
#include "base/err.h"

struct client_setup client_setup_default(void)
{
    return (struct client_setup){
        .options = {.host = "localhost", .port = "1883", .version = MQTT_V5, .keep_alive_s = 60},
    };
}

int client_number(const struct command *c, const char *name, const char *text,
                  struct client_range range, uint64_t *v)
{
    enum number_kind kind = (enum number_kind)range.kind;
    char min[NUMBER_TEXT], max[NUMBER_TEXT];

    if (number_parse(kind, text, v) == 0 && *v >= range.min && *v <= range.max) return EXIT_OK;
    return args_refuse(c, "--%s %s: expected %s from %s to %s", name, text, number_form(kind),
                       number_text(kind, range.min, min), number_text(kind, range.max, max));
}

static int set_number(const struct command *c, struct client_setup *s, int row, const char *text)
{
    static const struct client_range qos = {NUMBER_COUNT, 0, 2}, alive = {NUMBER_S, 0, 65535},
                                     expiry = {NUMBER_S, 0, UINT32_MAX};
    const struct client_range *range = row == CLIENT_KEEP_ALIVE ? &alive
                                       : row == CLIENT_EXPIRY   ? &expiry
                                                                : &qos;
    uint64_t v;
    int status = client_number(c, c->args[row].name, text, *range, &v);

    if (status != EXIT_OK) return status;
    switch (row) {
    case CLIENT_KEEP_ALIVE: s->options.keep_alive_s = (uint16_t)v; break;
    case CLIENT_QOS: s->qos = (uint8_t)v; break;
    case CLIENT_WILL_QOS: s->options.will_qos = (uint8_t)v; break;
    default: s->options.expiry_s = (uint32_t)v; s->options.has_expiry = true;
    }
    return EXIT_OK;
}

int client_arg_set(const struct command *c, struct client_setup *s, int row, const char *value)
{
    struct client_options *o = &s->options;

    switch (row) {
    case CLIENT_HOST: o->host = value; return EXIT_OK;
    case CLIENT_PORT: o->port = value; return EXIT_OK;
    case CLIENT_ID: o->id = value; return EXIT_OK;
    case CLIENT_USER: o->user = value; return EXIT_OK;
    case CLIENT_PASSWORD: o->password = value; return EXIT_OK;
    case CLIENT_WILL_TOPIC: o->will_topic = value; return EXIT_OK;
    case CLIENT_WILL_PAYLOAD: o->will_payload = value; return EXIT_OK;
    case CLIENT_WILL_RETAIN: o->will_retain = true; return EXIT_OK;
    case CLIENT_VERSION:
        o->version = resolve_version(value);
        if (o->version) return EXIT_OK;
        return args_refuse(c, "-V %s: expected 31, 311 or 5", value);
    default: return set_number(c, s, row, value);
    }
}

int client_setup_check(const struct command *c, const struct client_setup *s)
{
    const struct client_options *o = &s->options;

    if (!o->will_topic && (o->will_payload || o->will_qos || o->will_retain))
        return args_refuse(c, "a will needs --will-topic");
    if (o->will_topic && !mqtt_topic_valid(bytes_str(o->will_topic)))
        return args_refuse(c, "--will-topic \"%s\" is not a topic", o->will_topic);
    if (o->has_expiry && o->version != MQTT_V5)
        return args_refuse(c, "--session-expiry needs -V 5");
    if (o->keep_session && !o->id)
        return args_refuse(c, "a session that is kept needs a client identifier: -i ID");
    if (o->version == MQTT_V31 && !o->id)
        return args_refuse(c, "MQTT 3.1 needs a client identifier: -i ID");
    if (o->password && !o->user && o->version != MQTT_V5)
        return args_refuse(c, "a password needs a user name: -u NAME");
    return EXIT_OK;
}
