/* SPDX-License-Identifier: BSD-3-Clause */
/* A property block of any packet: read, walked, forwarded, written, read again. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"

static void texts_are_inside(const struct mqtt_props *p, struct bytes in)
{
#define TEXT_INSIDE(name)                                                                          \
    if (MQTT_HAS(p, name)) {                                                                       \
        fuzz_inside(p->name, in);                                                                  \
        ASSERT(utf8_valid(p->name));                                                               \
    }
    TEXT_INSIDE(content_type)
    TEXT_INSIDE(response_topic)
    TEXT_INSIDE(assigned_client_id)
    TEXT_INSIDE(auth_method)
    TEXT_INSIDE(response_info)
    TEXT_INSIDE(server_reference)
    TEXT_INSIDE(reason_string)
#undef TEXT_INSIDE
    if (MQTT_HAS(p, correlation_data)) fuzz_inside(p->correlation_data, in);
    if (MQTT_HAS(p, auth_data)) fuzz_inside(p->auth_data, in);
}

static void users_are_counted(const struct mqtt_props *p)
{
    struct bytes name, value;
    size_t pos = 0;
    unsigned n = 0;
    while (mqtt_user_property_next(p->raw, &pos, &name, &value)) {
        fuzz_inside(name, p->raw);
        fuzz_inside(value, p->raw);
        n++;
    }
    ASSERT(n == (MQTT_HAS(p, user_property) ? p->users : 0) && n <= MQTT_USER_PROPERTIES_MAX);
}

static void forwarded_is_a_fixed_point(const struct mqtt_props *p)
{
    uint8_t *once = malloc(p->raw.n + 1), *twice = malloc(p->raw.n + 1);
    ASSERT(once && twice);
    size_t n = mqtt_props_forward(p->raw, once);
    ASSERT(n <= p->raw.n && mqtt_props_forward(bytes_of(once, n), twice) == n);
    ASSERT(memcmp(once, twice, n) == 0);
    free(once);
    free(twice);
}

static void write_again(const struct mqtt_props *p, unsigned type, struct bytes in)
{
    struct bytes image = fuzz_props_image(p, in);
    struct reader r = rd_of(image);
    struct mqtt_props q;
    int rc = mqtt_decode_props(&r, type, &q);
    ASSERT(rc == 0 && rd_left(&r) == 0);
    fuzz_same_props(p, in, &q, image);
    fuzz_free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    unsigned type = data[0] % (MQTT_PROPS_WILL + 1);
    struct bytes in = fuzz_copy(bytes_of(data + 1, size - 1));
    struct reader r = rd_of(in);
    struct mqtt_props p;
    int rc = mqtt_decode_props(&r, type, &p);
    fuzz_reason(rc);
    if (rc == 0) {
        ASSERT(!r.bad);
        fuzz_inside(p.raw, in);
        texts_are_inside(&p, in);
        users_are_counted(&p);
        forwarded_is_a_fixed_point(&p);
        write_again(&p, type, in);
    }
    fuzz_free(in);
    return 0;
}
