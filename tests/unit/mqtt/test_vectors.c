/* SPDX-License-Identifier: BSD-3-Clause */
/* test_vectors.c -- what holds for every packet of the tables: good ones are taken, cut ones
 * wait, damaged ones are survived, bad ones are refused with their reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vectors/mqtt/vectors.h"

static void every_good_packet_is_taken_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_vectors); i++) {
        const struct vector *v = &good_vectors[i];
        struct bytes in = bytes_from(v->text);
        struct mqtt_frame f;
        uint32_t need;
        if (mqtt_frame_next(in, UINT32_MAX, &f, &need) != (long)in.n)
            fail_msg("%s is not one packet", v->name);
        int rc = judge_frame(&f, v->version, v->sender);
        if (rc) fail_msg("%s is refused with 0x%02x", v->name, (unsigned)rc);
        exact_free(in);
    }
}

static void every_bad_packet_is_refused_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_vectors); i++) {
        const struct vector *v = &bad_vectors[i];
        struct bytes in = bytes_from(v->text);
        int rc = judge_packet(in, v->version, v->sender);
        if (rc != v->reason)
            fail_msg("%s %s: 0x%02x instead of 0x%02x", v->name, v->clause, (unsigned)rc,
                     (unsigned)v->reason);
        exact_free(in);
    }
}

static void a_packet_cut_anywhere_waits_for_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_vectors); i++) {
        struct bytes whole = bytes_from(good_vectors[i].text);
        for (size_t n = 0; n < whole.n; n++) {
            struct bytes in = exact_copy(bytes_of(whole.p, n));
            struct mqtt_frame f;
            uint32_t need;
            assert_int_equal(mqtt_frame_next(in, UINT32_MAX, &f, &need), 0);
            if (need) assert_int_equal(need, whole.n);
            exact_free(in);
        }
        exact_free(whole);
    }
}

/* A body that ends early, as its (honest) remaining length says. */
static int judge_cut_body(const struct vector *v, const struct mqtt_frame *whole, size_t n)
{
    struct mqtt_frame f = *whole;
    f.body = exact_copy(bytes_of(whole->body.p, n));
    int rc = judge_frame(&f, v->version, v->sender);
    exact_free(f.body);
    return rc;
}

/* Types whose every field is needed: no shorter body may pass. */
static bool needs_all(const struct vector *v, unsigned type)
{
    if (type == MQTT_CONNECT) return v->version != MQTT_V31; /* which may end after the id */
    return type == MQTT_CONNACK || (v->version != MQTT_V5 && type == MQTT_PUBACK);
}

static void a_body_cut_anywhere_is_never_read_past_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_vectors); i++) {
        const struct vector *v = &good_vectors[i];
        struct bytes in = bytes_from(v->text);
        struct mqtt_frame f;
        uint32_t need;
        assert_true(mqtt_frame_next(in, UINT32_MAX, &f, &need) > 0);
        for (size_t n = 0; n < f.body.n; n++) {
            int rc = judge_cut_body(v, &f, n);
            assert_true(rc == 0 || (rc >= 0x80 && rc <= 0xA2));
            if (needs_all(v, f.type) && rc == 0) fail_msg("%s passes at %zu", v->name, n);
        }
        exact_free(in);
    }
}

static void every_byte_may_become_any_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_vectors); i++) {
        const struct vector *v = &good_vectors[i];
        struct bytes in = bytes_from(v->text);
        for (size_t at = 0; at < in.n; at++) {
            uint8_t *byte = (uint8_t *)(uintptr_t)&in.p[at], was = *byte;
            for (unsigned value = 0; value < 256; value++) {
                *byte = (uint8_t)value;
                int rc = judge_packet(in, v->version, v->sender);
                assert_true(rc <= 0 || (rc >= 0x80 && rc <= 0xA2));
            }
            *byte = was;
        }
        assert_int_equal(judge_packet(in, v->version, v->sender), 0);
        exact_free(in);
    }
}

static void every_good_packet_read_in_another_version_is_survived(void **state)
{
    (void)state;
    static const enum mqtt_version versions[] = {MQTT_V31, MQTT_V311, MQTT_V5};
    for (size_t i = 0; i < ARRAY_LEN(good_vectors); i++) {
        struct bytes in = bytes_from(good_vectors[i].text);
        for (size_t k = 0; k < ARRAY_LEN(versions); k++) {
            int rc = judge_packet(in, versions[k], CLIENT);
            assert_true(rc == 0 || (rc >= 0x80 && rc <= 0xA2));
        }
        exact_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_packet_is_taken_whole),
        cmocka_unit_test(every_bad_packet_is_refused_with_its_reason),
        cmocka_unit_test(a_packet_cut_anywhere_waits_for_the_rest),
        cmocka_unit_test(a_body_cut_anywhere_is_never_read_past_its_end),
        cmocka_unit_test(every_byte_may_become_any_other),
        cmocka_unit_test(every_good_packet_read_in_another_version_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
