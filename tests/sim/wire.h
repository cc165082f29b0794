/* SPDX-License-Identifier: BSD-3-Clause */
/* wire.h -- MQTT packets for the simulated clients, written by hand: what the broker's codec
 * gets wrong on both sides at once would not be noticed by itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum packet_type {
    P_CONNECT = 1,
    P_CONNACK,
    P_PUBLISH,
    P_PUBACK,
    P_PUBREC,
    P_PUBREL,
    P_PUBCOMP,
    P_SUBSCRIBE,
    P_SUBACK,
    P_UNSUBSCRIBE,
    P_UNSUBACK,
    P_PINGREQ,
    P_PINGRESP,
    P_DISCONNECT,
};

/* Bytes that grow. */
struct buf {
    uint8_t *at;
    uint32_t n, cap;
};

void buf_put(struct buf *b, const void *p, uint32_t n);
void buf_skip(struct buf *b, uint32_t n); /* forgets the first n */
void buf_free(struct buf *b);

struct say_publish {
    const char *topic;
    const uint8_t *payload;
    uint32_t n;
    uint8_t qos;
    bool retain, dup;
    uint16_t id;
};

struct say_connect {
    const char *id;
    bool v5, clean;
    uint32_t expiry_s;    /* 5.0; 0: not said */
    uint16_t receive_max; /* 5.0; 0: not said */
    const struct say_publish *will;
    uint32_t will_delay_s;
};

struct say_subscribe {
    const char *filter;
    uint16_t id;
    uint32_t sub_id; /* 5.0; 0: none */
    uint8_t qos, retain_handling;
};

void say_connect(struct buf *b, const struct say_connect *c);
void say_publish(struct buf *b, bool v5, const struct say_publish *p);
void say_ack(struct buf *b, enum packet_type type, uint16_t id);
void say_subscribe(struct buf *b, bool v5, const struct say_subscribe *s);
void say_unsubscribe(struct buf *b, bool v5, const char *filter, uint16_t id);
void say_ping(struct buf *b);
void say_disconnect(struct buf *b, bool v5, uint8_t reason);

enum { SUB_IDS_MAX = 32 };

/* A packet from the broker; pointers into the buffer. */
struct heard {
    uint8_t type, flags;
    uint16_t id;
    uint8_t reason; /* of CONNACK, acks, DISCONNECT; of SUBACK the first code */
    bool session_present;
    uint16_t receive_max; /* CONNACK; 65535 if not said */
    const uint8_t *topic, *payload;
    uint32_t topic_n, payload_n;
    uint8_t qos;
    bool retain, dup;
    unsigned nids;
    uint32_t ids[SUB_IDS_MAX];
};

/* The first packet of `n` bytes: its length, 0 for more, -1 if it breaks the format. */
long hear(const uint8_t *p, uint32_t n, bool v5, struct heard *h);
