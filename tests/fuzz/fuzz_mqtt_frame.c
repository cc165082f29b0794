/* SPDX-License-Identifier: BSD-3-Clause */
/* A stream of packets: splitting it must always move on, ask for no less than it has, and
 * give the same answer however little of the stream has arrived. */
#include "fuzz/fuzz.h"

static void judge(const struct mqtt_frame *f, enum mqtt_version v, bool from_client)
{
    struct mqtt_connect connect;
    struct mqtt_connack connack;
    struct mqtt_publish publish;
    struct mqtt_disconnect disconnect;
    switch (f->type) {
    case MQTT_CONNECT: fuzz_reason(mqtt_decode_connect(f, &connect)); break;
    case MQTT_CONNACK: fuzz_reason(mqtt_decode_connack(f, v, &connack)); break;
    case MQTT_PUBLISH: fuzz_reason(mqtt_decode_publish(f, v, from_client, &publish)); break;
    case MQTT_DISCONNECT: fuzz_reason(mqtt_decode_disconnect(f, v, &disconnect)); break;
    case MQTT_AUTH: fuzz_reason(mqtt_decode_auth(f, &disconnect)); break;
    default: fuzz_reason(mqtt_decode_empty(f)); break;
    }
}

static void same_when_cut(struct bytes in, long n)
{
    size_t whole = n > 0 ? (size_t)n : in.n;
    for (size_t i = 0; i < whole && i < 8; i++) {
        struct mqtt_frame f;
        uint32_t need;
        long got = mqtt_frame_next(bytes_of(in.p, i), 100000, &f, &need);
        ASSERT(got == 0 || (got < 0 && got == n));
        ASSERT(n <= 0 || need == 0 || need == (uint32_t)n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input x;
    if (!fuzz_open(&x, data, size)) return 0;
    struct bytes in = x.in;
    struct mqtt_frame f;
    uint32_t need;
    long n;
    while ((n = mqtt_frame_next(in, 100000, &f, &need)) > 0) {
        ASSERT((size_t)n <= in.n && f.body.n <= (size_t)n - 2 && f.type >= 1 && f.type <= 15);
        fuzz_inside(f.body, in);
        same_when_cut(in, n);
        judge(&f, x.version, x.from_client);
        in = bytes_skip(in, (size_t)n);
    }
    same_when_cut(in, n);
    ASSERT(n < 0 || need == 0 || (need > in.n && need <= 100000));
    fuzz_reason(n < 0 ? (int)-n : 0);
    fuzz_free(x.in);
    return 0;
}
