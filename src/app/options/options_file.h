/* SPDX-License-Identifier: BSD-3-Clause */
/* options_file.h -- what the files that read the YAML file share: the list of listeners, whose
 * entries are the only settings that are more than one plain value. */
#pragma once

#include <cyaml/cyaml.h>

#include "app/options/options.h"

struct file_pair {
    char *certificate, *key;
};

struct file_tls {
    char *certificate, *key, *ca, *crl, *client_certificate, *min_version, *ciphers, *identity;
    struct file_pair *names;
    unsigned names_count;
};

struct file_websocket {
    char *path, *deflate;
    char **origins;
    unsigned origins_count;
};

/* One entry under `listeners`; what was not given is NULL. */
struct file_listener {
    char *address, *protocol, *transport, *anonymous, *connections, *durability;
    char *mode, *group, *proxy_protocol;
    char **proxy_from;
    unsigned proxy_from_count;
    struct file_tls *tls;
    struct file_websocket *websocket;
};

/* One entry under `rules`. */
struct file_rule {
    char *allow, *deny, *user, *client, *listener;
    char **address, **topics;
    unsigned address_count, topics_count;
};

/* One entry under `data.rules`. */
struct file_data_rule {
    char *topic, *durability;
};

struct file_rules {
    const struct file_rule *at;
    unsigned n;
};

extern const cyaml_schema_value_t file_listener_schema, file_rule_schema, file_data_rule_schema;

/* The row of options.def, and where it stands in the file. */
struct file_place {
    unsigned row, line;
};

/* 0, or -ERR_INVALID with o->error set. */
int file_take_listeners(struct options *o, const struct file_listener *l, unsigned n,
                        struct file_place at);

/* Fills o->rules; `text` is the file and `line` where the list begins. 0, or -ERR_INVALID with
 * o->error set. */
int file_take_rules(struct options *o, const struct file_rules *from, const char *text,
                    unsigned line);

/* Fills o->data_rules, from `n` entries of the list that begins in `line`. The same. */
int file_take_data_rules(struct options *o, const struct file_data_rule *rules, unsigned n,
                         unsigned line);
