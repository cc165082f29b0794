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
    char *path;
    char **origins;
    unsigned origins_count;
};

/* One entry under `listeners`; what was not given is NULL. */
struct file_listener {
    char *address, *protocol, *transport, *anonymous, *connections;
    char *mode, *group, *proxy_protocol;
    char **proxy_from;
    unsigned proxy_from_count;
    struct file_tls *tls;
    struct file_websocket *websocket;
};

extern const cyaml_schema_value_t file_listener_schema;

/* The row of options.def, and where it stands in the file. */
struct file_place {
    unsigned row, line;
};

/* 0, or -ERR_INVALID with o->error set. */
int file_take_listeners(struct options *o, const struct file_listener *l, unsigned n,
                        struct file_place at);
