/* SPDX-License-Identifier: BSD-3-Clause */
/* client_args.h -- the options that pub and sub share: the first rows of both tables. */
#pragma once

#include "app/args.h"
#include "app/client/client.h"

enum client_arg {
    CLIENT_HOST,
    CLIENT_PORT,
    CLIENT_ID,
    CLIENT_USER,
    CLIENT_PASSWORD,
    CLIENT_VERSION,
    CLIENT_KEEP_ALIVE,
    CLIENT_EXPIRY,
    CLIENT_QOS,
    CLIENT_TOPIC,
    CLIENT_WILL_TOPIC,
    CLIENT_WILL_PAYLOAD,
    CLIENT_WILL_QOS,
    CLIENT_WILL_RETAIN,
    CLIENT_ARGS
};

#define CLIENT_ARG_ROWS                                                                            \
    [CLIENT_HOST] = {'h', "host", "HOST", "the broker (localhost), or unix:PATH"},                 \
    [CLIENT_PORT] = {'p', "port", "PORT", "its port (1883)"},                                      \
    [CLIENT_ID] = {'i', "id", "ID", "client identifier (the broker chooses one)"},                 \
    [CLIENT_USER] = {'u', "username", "NAME", "user name"},                                        \
    [CLIENT_PASSWORD] = {'P', "pw", "PASSWORD", "password"},                                       \
    [CLIENT_VERSION] = {'V', "protocol-version", "V", "31, 311 or 5 (5)"},                         \
    [CLIENT_KEEP_ALIVE] = {'k', "keepalive", "TIME", "keep alive (60s)"},                          \
    [CLIENT_EXPIRY] = {'x', "session-expiry", "TIME",                                              \
                       "5: how long the session outlives the "                                     \
                       "connection"},                                                              \
    [CLIENT_QOS] = {'q', "qos", "QOS", "0, 1 or 2 (0)"},                                           \
    [CLIENT_TOPIC] = {'t', "topic", "TOPIC", "the topic, instead of an argument"},                 \
    [CLIENT_WILL_TOPIC] = {0, "will-topic", "TOPIC", "what the broker publishes if we vanish"},    \
    [CLIENT_WILL_PAYLOAD] = {0, "will-payload", "TEXT", "its payload"},                            \
    [CLIENT_WILL_QOS] = {0, "will-qos", "QOS", "its QoS (0)"},                                     \
    [CLIENT_WILL_RETAIN] = {0, "will-retain", NULL, "retain it"}

struct client_setup {
    struct client_options options;
    uint8_t qos;
};

struct client_setup client_setup_default(void);

/* Takes one of the shared rows except CLIENT_TOPIC. EXIT_OK, or what has been told. */
int client_arg_set(const struct command *c, struct client_setup *s, int row, const char *value);

/* A number from a command line: EXIT_OK, or what has been told. */
struct client_range {
    int kind; /* enum number_kind */
    uint64_t min, max;
};
int client_number(const struct command *c, const char *name, const char *text,
                  struct client_range range, uint64_t *v);

/* What does not go together. EXIT_OK, or what has been told. */
int client_setup_check(const struct command *c, const struct client_setup *s);
