/* SPDX-License-Identifier: BSD-3-Clause */
/* The body of a CONNECT, which names its version itself, or of a CONNACK. */
#include "fuzz/fuzz.h"

static void same_will(const struct mqtt_connect *a, struct bytes in_a, const struct mqtt_connect *b,
                      struct bytes in_b)
{
    ASSERT(a->has_will == b->has_will);
    if (!a->has_will) return;
    fuzz_inside(a->will.topic, in_a);
    fuzz_inside(a->will.payload, in_a);
    ASSERT(bytes_eq(a->will.topic, b->will.topic) && mqtt_topic_valid(a->will.topic));
    ASSERT(bytes_eq(a->will.payload, b->will.payload));
    ASSERT(a->will.qos == b->will.qos && a->will.qos < 3 && a->will.retain == b->will.retain);
    fuzz_same_props(&a->will.props, in_a, &b->will.props, in_b);
}

static void same(const struct mqtt_connect *a, struct bytes in_a, const struct mqtt_connect *b,
                 struct bytes in_b)
{
    fuzz_inside(a->client_id, in_a);
    fuzz_inside(a->user, in_a);
    fuzz_inside(a->password, in_a);
    ASSERT(a->version == b->version && a->clean == b->clean && a->bridge == b->bridge);
    ASSERT(a->keep_alive_s == b->keep_alive_s);
    ASSERT(a->has_user == b->has_user && a->has_password == b->has_password);
    ASSERT(bytes_eq(a->client_id, b->client_id) && bytes_eq(a->user, b->user));
    ASSERT(bytes_eq(a->password, b->password));
    fuzz_same_props(&a->props, in_a, &b->props, in_b);
    same_will(a, in_a, b, in_b);
}

static void one_connect(const struct fuzz_input *x)
{
    struct mqtt_frame f = {.type = MQTT_CONNECT, .body = x->in};
    struct mqtt_connect a, b;
    int rc = mqtt_decode_connect(&f, &a);
    fuzz_reason(rc);
    if (rc) return;
    struct writer w = fuzz_writer(x->in);
    mqtt_encode_connect(&w, &a);
    struct mqtt_frame again = fuzz_written(&w);
    rc = mqtt_decode_connect(&again, &b);
    ASSERT(rc == 0);
    same(&a, x->in, &b, again.body);
    free(w.start);
}

static void one_connack(const struct fuzz_input *x)
{
    struct mqtt_frame f = {.type = MQTT_CONNACK, .body = x->in};
    struct mqtt_connack a, b;
    int rc = mqtt_decode_connack(&f, x->version, &a);
    fuzz_reason(rc);
    if (rc) return;
    struct writer w = fuzz_writer(x->in);
    mqtt_encode_connack(&w, x->version, &a);
    struct mqtt_frame again = fuzz_written(&w);
    rc = mqtt_decode_connack(&again, x->version, &b);
    ASSERT(rc == 0 && a.reason == b.reason && a.session_present == b.session_present);
    fuzz_same_props(&a.props, x->in, &b.props, again.body);
    free(w.start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input x;
    if (!fuzz_open(&x, data, size)) return 0;
    if (x.from_client)
        one_connect(&x);
    else
        one_connack(&x);
    fuzz_free(x.in);
    return 0;
}
