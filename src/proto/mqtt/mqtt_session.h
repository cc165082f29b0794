/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session.h -- MQTT 3.1, 3.1.1 and 5.0 on a connection: the thin layer between
 * conn (bytes), the codec (packets) and the broker (verbs).
 *
 * It fills two tables: struct proto, by which net calls it, and struct sink_ops, by which
 * the broker does. What a connection adds to its session lives in a struct mqtt of
 * under a hundred bytes; what connections of a core share, in its struct mqtt_core.
 *
 * Owner: the application makes one mqtt_core per core and gives it to net_new() as
 * `ctx`: connections find it there. It is freed after the net and before the broker. */
#pragma once

#include "broker/broker.h"
#include "net/net.h"

struct mqtt_options {
    uint16_t keep_alive_max_s;            /* longest keep alive that is granted; 0: any, and none */
    uint16_t connect_timeout_s;           /* from the first moment to a complete CONNECT */
    uint32_t packet_bytes_max;            /* whole packet from a client */
    uint32_t packet_bytes_before_connect; /* the same, while nobody knows who it is */
    uint16_t client_id_bytes_max;
    uint16_t topic_bytes_max;     /* of topics and filters */
    uint16_t topic_levels_max;    /* up to MQTT_LEVELS_MAX */
    uint16_t filters_max;         /* per SUBSCRIBE; further ones are refused one by one */
    uint16_t topic_alias_max;     /* aliases a client may define; 0: none */
    uint16_t topic_alias_out_max; /* aliases we define towards a client, up to 64 */
    uint8_t max_qos;              /* highest QoS that is taken and granted */
    uint8_t redirect_reason;      /* 0x9C or 0x9D: every CONNECT is answered with it; 0: none */
    bool refuse_empty_client_id;
    bool no_retain, no_wildcards, no_subscription_ids, no_shared;
    const char *server_reference;   /* where a redirected client should go; NULL: not said */
    uint8_t farewell_reason;        /* of DISCONNECT when the broker ends; 0: that it shuts down */
    const char *farewell_reference; /* where clients should go then; NULL: not said */
    const char *response_info;      /* told to clients that ask for it; NULL: none */
};

#define MQTT_OPTIONS_DEFAULT                                                                       \
    {                                                                                              \
        .connect_timeout_s = 10, .packet_bytes_max = 1u << 20,                                     \
        .packet_bytes_before_connect = 64u << 10, .client_id_bytes_max = 256, .filters_max = 256,  \
        .topic_bytes_max = 65535, .topic_levels_max = 128, .topic_alias_max = 64,                  \
        .topic_alias_out_max = 64, .max_qos = 2,                                                   \
    }

/* What a listener of MQTT is given as its protocol. */
extern const struct proto mqtt_proto;

struct mqtt_core;

/* The texts of `o` are borrowed. NULL: no memory. */
struct mqtt_core *mqtt_core_new(struct core *c, struct broker *b, const struct mqtt_options *o);

/* Puts other options in force, whose texts are borrowed from now on. Clients keep what they have
 * been told: packet size and topic aliases. `out_bytes_max` is the net's. -ERR_NOMEM: larger
 * packets can't be taken, the rest is in force. */
int mqtt_core_set_options(struct mqtt_core *mc, const struct mqtt_options *o, size_t out_bytes_max);
void mqtt_core_free(struct mqtt_core **mc);
