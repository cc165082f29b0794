/* SPDX-License-Identifier: BSD-3-Clause */
/* The bodies of all that answers or ends: the four acks, SUBACK, UNSUBACK, DISCONNECT, AUTH. */
#include "fuzz/fuzz.h"

static void one_ack(const struct mqtt_frame *f, enum mqtt_version v)
{
    struct mqtt_ack a, b;
    int rc = mqtt_decode_ack(f, v, &a);
    fuzz_reason(rc);
    if (rc) return;
    struct writer w = fuzz_writer(f->body);
    mqtt_encode_ack(&w, v, f->type, &a);
    struct mqtt_frame again = fuzz_written(&w);
    rc = mqtt_decode_ack(&again, v, &b);
    ASSERT(rc == 0 && a.packet_id == b.packet_id && a.packet_id > 0 && a.reason == b.reason);
    fuzz_same_props(&a.props, f->body, &b.props, again.body);
    free(w.start);
}

static void one_suback(const struct mqtt_frame *f, enum mqtt_version v)
{
    struct mqtt_suback a, b;
    int rc = mqtt_decode_suback(f, v, &a);
    fuzz_reason(rc);
    if (rc) return;
    fuzz_inside(a.codes, f->body);
    struct writer w = fuzz_writer(f->body);
    mqtt_encode_suback(&w, v, f->type, &a);
    struct mqtt_frame again = fuzz_written(&w);
    rc = mqtt_decode_suback(&again, v, &b);
    ASSERT(rc == 0 && a.packet_id == b.packet_id && bytes_eq(a.codes, b.codes));
    fuzz_same_props(&a.props, f->body, &b.props, again.body);
    free(w.start);
}

static int decode_end(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_disconnect *d)
{
    return f->type == MQTT_AUTH ? mqtt_decode_auth(f, d) : mqtt_decode_disconnect(f, v, d);
}

static void one_end(const struct mqtt_frame *f, enum mqtt_version v)
{
    struct mqtt_disconnect a, b;
    int rc = decode_end(f, v, &a);
    fuzz_reason(rc);
    if (rc) return;
    struct writer w = fuzz_writer(f->body);
    if (f->type == MQTT_AUTH)
        mqtt_encode_auth(&w, &a);
    else
        mqtt_encode_disconnect(&w, v, &a);
    struct mqtt_frame again = fuzz_written(&w);
    rc = decode_end(&again, v, &b);
    ASSERT(rc == 0 && a.reason == b.reason);
    fuzz_same_props(&a.props, f->body, &b.props, again.body);
    free(w.start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[] = {MQTT_PUBACK, MQTT_PUBREC,   MQTT_PUBREL,     MQTT_PUBCOMP,
                                    MQTT_SUBACK, MQTT_UNSUBACK, MQTT_DISCONNECT, MQTT_AUTH};
    struct fuzz_input x;
    if (!fuzz_open(&x, data, size)) return 0;
    struct mqtt_frame f = {.type = types[x.choice & 7], .body = x.in};
    if (f.type == MQTT_PUBREL) f.flags = 2;
    if ((x.choice & 7) < 4)
        one_ack(&f, x.version);
    else if ((x.choice & 7) < 6)
        one_suback(&f, x.version);
    else
        one_end(&f, x.version);
    fuzz_free(x.in);
    return 0;
}
