/* SPDX-License-Identifier: BSD-3-Clause */
/* client.h -- one MQTT connection that blocks: what `pinion pub` and `pinion sub` use.
 *
 * Every function that fails leaves a sentence for a person in `error`. Owner: the command. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/mqtt/mqtt.h"

enum { CLIENT_ERROR = 256, CLIENT_ADDRESSES_MAX = 8 };

struct client_options {
    const char *host, *port;
    const char *id, *user, *password; /* NULL: none */
    enum mqtt_version version;
    bool keep_session;
    uint16_t keep_alive_s;
    uint32_t expiry_s; /* 5.0: session expiry; with has_expiry */
    bool has_expiry;
    const char *will_topic, *will_payload; /* NULL: none */
    uint8_t will_qos;
    bool will_retain;
};

struct client {
    int fd;      /* -1: not connected */
    int stop_fd; /* readable when the user wants to stop; -1: none */
    enum mqtt_version version;
    uint16_t packet_id, keep_alive_s;
    uint64_t sent_ms; /* when something was sent last */
    uint8_t *in;
    size_t in_from, in_len, in_cap;
    char error[CLIENT_ERROR];
};

/* Connects and waits for CONNACK. 0 or -ERR_X. */
int client_open(struct client *c, const struct client_options *o);

/* Says goodbye, if connected, and frees. */
void client_close(struct client *c);

int client_send(struct client *c, struct bytes b);

/* The next packet, borrowed until the next call: 1; 0 when `until_ms` (client_now_ms; UINT64_MAX:
 * never) has come or the user wants to stop; -ERR_X. Keeps the connection alive meanwhile. A
 * DISCONNECT is an error. */
int client_receive(struct client *c, struct mqtt_frame *f, uint64_t until_ms);

uint64_t client_now_ms(void);
uint16_t client_next_id(struct client *c);

/* Publishes and waits for what its QoS promises. 0 or -ERR_X. */
int client_publish(struct client *c, struct mqtt_publish_out *p);

/* Subscribes at `qos` and waits for the answer. Messages that come before it are given to
 * on_message. 0 or -ERR_X. */
typedef int client_message_fn(void *ctx, const struct mqtt_frame *f);
int client_subscribe(struct client *c, const struct mqtt_filter *filters, unsigned n,
                     client_message_fn *on_message, void *ctx);

/* Sends a packet of four bytes. */
int client_ack(struct client *c, unsigned type, uint16_t id);

/* Sets c->error; returns `err`. */
__attribute__((format(printf, 3, 4))) int client_refuse(struct client *c, int err,
                                                        const char *format, ...);
