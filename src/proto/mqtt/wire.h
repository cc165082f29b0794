/* SPDX-License-Identifier: BSD-3-Clause */
/* wire.h -- what the codec's files share: the data types of section 1.5 over reader
 * and writer, and two questions that every decoder asks (may this header stand in
 * this version, may this reason stand in this packet).
 *
 * Private to the codec; everybody else includes mqtt.h. */
#pragma once

#include "proto/mqtt/mqtt.h"

/* ---- reading ------------------------------------------------------------------- */

/* Binary data [MQTT-1.5.6]: two bytes of length, then that many. */
static inline struct bytes rd_binary(struct reader *r)
{
    return rd_take(r, rd_u16be(r));
}

/* A UTF-8 string [MQTT-1.5.4]: ill-formed text spoils the reader as a missing byte does. */
struct bytes rd_text(struct reader *r);

/* A variable byte integer [MQTT-1.5.5], which 5.0 wants without padding. */
uint32_t rd_varint(struct reader *r);

/* ---- writing ------------------------------------------------------------------- */

void wr_binary(struct writer *w, struct bytes b);
void wr_varint(struct writer *w, uint32_t v);

/* A block that begins with its own length: wr_open() leaves one byte for it and
 * wr_close() takes more if they are needed, so that exact room is enough. */
static inline size_t wr_open(struct writer *w)
{
    size_t at = wr_len(w);
    wr_u8(w, 0);
    return at;
}
void wr_close(struct writer *w, size_t at);

/* A whole packet: its first byte, then its body as such a block. A packet that does
 * not fit leaves nothing behind but w->bad. */
size_t wr_packet(struct writer *w, unsigned type);
void wr_packet_end(struct writer *w, size_t at);

/* ---- questions ----------------------------------------------------------------- */

/* True if the fixed header is right for version `v`: mqtt_frame_next() lets pass what
 * some version allows. Not for PUBLISH, whose flags carry meaning. */
bool mqtt_head_fits(const struct mqtt_frame *f, enum mqtt_version v);

/* True if 5.0 lets a packet of `type` carry this reason code [MQTT-2.4]. */
bool mqtt_reason_fits(unsigned type, uint8_t reason);

/* Judges a topic name in one pass: 0, 0x81 for ill-formed text, 0x90 for a name with
 * wildcards or too many levels. Empty is the caller's business. */
int mqtt_topic_check(struct bytes topic);

static inline void mqtt_props_none(struct mqtt_props *p)
{
    p->have = 0;
    p->raw = bytes_of(NULL, 0);
}
