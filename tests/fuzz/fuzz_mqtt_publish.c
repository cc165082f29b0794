/* SPDX-License-Identifier: BSD-3-Clause */
/* The body of a PUBLISH, and what goes on to a subscriber from it. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"

/* The message as a subscriber of 5.0 gets it must say the same again. */
static void forward(const struct mqtt_publish *p, struct bytes in)
{
    uint8_t *room = malloc(p->props.raw.n + 1);
    ASSERT(room);
    size_t kept = mqtt_props_forward(p->props.raw, room);
    ASSERT(kept <= p->props.raw.n);
    struct mqtt_publish_out out = {.topic = p->topic.n ? p->topic : BYTES("t"),
                                   .payload = p->payload,
                                   .props = bytes_of(room, kept),
                                   .qos = p->qos,
                                   .dup = p->dup,
                                   .retain = p->retain,
                                   .packet_id = p->packet_id,
                                   .sub_ids = p->props.subscription_id,
                                   .nsub_ids = 0,
                                   .has_expiry = MQTT_HAS(&p->props, message_expiry)};
    if (MQTT_HAS(&p->props, subscription_id)) out.nsub_ids = p->props.nsub_ids;
    if (out.has_expiry) out.expiry_s = p->props.message_expiry;

    size_t size = mqtt_publish_size(MQTT_V5, &out), id_at;
    struct writer w = wr_of(malloc(size), size);
    ASSERT(w.start);
    w.p += mqtt_encode_publish_head(w.p, MQTT_V5, &out, &id_at);
    wr_bytes(&w, out.payload);
    struct mqtt_frame f = fuzz_written(&w);
    struct mqtt_publish q;
    int rc = mqtt_decode_publish(&f, MQTT_V5, false, &q);
    ASSERT(rc == 0 && wr_len(&w) == size);
    ASSERT(bytes_eq(q.topic, out.topic) && bytes_eq(q.payload, p->payload));
    ASSERT(q.qos == p->qos && q.packet_id == p->packet_id && q.retain == p->retain);
    ASSERT(q.qos == 0 || w.start[id_at] << 8 == (q.packet_id & 0xFF00));

    struct mqtt_props was = p->props;
    was.have &= ~(1u << MQTT_P_topic_alias); /* of this connection alone */
    fuzz_same_props(&was, in, &q.props, f.body);
    free(w.start);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input x;
    if (!fuzz_open(&x, data, size)) return 0;
    struct mqtt_frame f = {.type = MQTT_PUBLISH, .flags = x.choice & 15, .body = x.in};
    struct mqtt_publish p;
    int rc = mqtt_decode_publish(&f, x.version, x.from_client, &p);
    fuzz_reason(rc);
    if (rc == 0) {
        fuzz_inside(p.topic, x.in);
        fuzz_inside(p.payload, x.in);
        ASSERT(p.qos < 3 && (p.qos > 0) == (p.packet_id > 0));
        ASSERT(utf8_valid(p.topic));
        ASSERT(p.topic.n ? mqtt_topic_valid(p.topic) : MQTT_HAS(&p.props, topic_alias));
        forward(&p, x.in);
    }
    fuzz_free(x.in);
    return 0;
}
