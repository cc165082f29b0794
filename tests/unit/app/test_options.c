/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/options/options.h"
#include "base/assert.h"
#include "base/err.h"
#include "proto/mqtt/mqtt.h"

static unsigned at(const char *key)
{
    int i = option_find(key, strlen(key));

    assert_true(i >= 0);
    return (unsigned)i;
}

static const char *value(const struct options *o, const char *key)
{
    static char text[4096];
    return option_value(o, at(key), text, sizeof text);
}

static void defaults_are_those_of_the_modules(void **state)
{
    const struct broker_options broker = BROKER_OPTIONS_DEFAULT;
    const struct mqtt_options mqtt = MQTT_OPTIONS_DEFAULT;
    const struct jwt_options jwt = JWT_OPTIONS_DEFAULT;
    const struct hook_options hook = HOOK_OPTIONS_DEFAULT;
    struct net_options net = NET_OPTIONS_DEFAULT;
    struct options o;

    (void)state;
    assert_int_equal(options_load(&o, &(struct option_args){0}), 0);
    net.mail_handover = MAIL_HANDOVER;
    assert_memory_equal(&o.net, &net, sizeof net);
    assert_memory_equal(&o.broker, &broker, sizeof broker);
    assert_memory_equal(&o.jwt, &jwt, sizeof jwt);
    assert_memory_equal(&o.hook, &hook, sizeof hook);
    assert_int_equal(o.mqtt.packet_bytes_max, mqtt.packet_bytes_max);
    assert_int_equal(o.mqtt.packet_bytes_before_connect, mqtt.packet_bytes_before_connect);
    assert_int_equal(o.mqtt.connect_timeout_s, mqtt.connect_timeout_s);
    assert_int_equal(o.mqtt.keep_alive_max_s, mqtt.keep_alive_max_s);
    assert_int_equal(o.mqtt.client_id_bytes_max, mqtt.client_id_bytes_max);
    assert_int_equal(o.mqtt.filters_max, mqtt.filters_max);
    assert_int_equal(o.mqtt.topic_alias_max, mqtt.topic_alias_max);
    assert_int_equal(o.mqtt.topic_alias_out_max, mqtt.topic_alias_out_max);
    assert_int_equal(o.mqtt.max_qos, mqtt.max_qos);
    assert_false(o.mqtt.no_retain || o.mqtt.no_wildcards || o.mqtt.no_shared);
    assert_false(o.mqtt.no_subscription_ids || o.mqtt.refuse_empty_client_id);
    assert_null(o.mqtt.server_reference);
    assert_null(o.mqtt.response_info);
    assert_int_equal(o.mqtt.redirect_reason, 0);
}

static void every_value_is_shown_as_it_may_be_given(void **state)
{
    struct options o, again;
    char text[4096];

    (void)state;
    options_init(&o);
    options_init(&again);
    for (unsigned i = 0; i < options_count(); i++) {
        option_value(&o, i, text, sizeof text);
        if (options_set(&again, i, text, FROM_FILE, 1) < 0) fail_msg("%s", again.error);
    }
}

static void each_source_replaces_those_before_it(void **state)
{
    static const char *const assign[] = {"limits.window=4"};
    char path[] = "/tmp/pinion-test-XXXXXX";
    int fd = mkstemp(path);
    struct options o;
    char text[OPTION_TEXT_MAX];

    (void)state;
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "limits: {window: 2, receive: 2, retained: 2}\n") > 0);
    close(fd);
    setenv("PINION_LIMITS_WINDOW", "3", 1);
    setenv("PINION_LIMITS_RECEIVE", "3", 1);
    int err = options_load(&o, &(struct option_args){.file = path, .assign = assign, .nassign = 1});
    unsetenv("PINION_LIMITS_WINDOW");
    unsetenv("PINION_LIMITS_RECEIVE");
    unlink(path);

    assert_int_equal(err, 0);
    assert_int_equal(o.broker.window_max, 4);
    assert_int_equal(o.broker.receive_max, 3);
    assert_int_equal(o.broker.retained_max, 2);
    assert_string_equal(option_origin(&o, at("limits.window"), text, sizeof text), "command line");
    assert_string_equal(option_origin(&o, at("limits.receive"), text, sizeof text),
                        "PINION_LIMITS_RECEIVE");
    assert_string_equal(option_origin(&o, at("cores"), text, sizeof text), "default");
    assert_int_equal(o.origin[at("limits.retained")].line, 1);
}

static const struct {
    const char *assign, *told;
} wrong[] = {
    {"limits.window=0", "limits.window: \"0\" (command line): not allowed; it takes a whole number "
                        "from 1 to 65535"},
    {"limits.window=65536", "from 1 to 65535"},
    {"limits.window=ten", "\"ten\""},
    {"limits.window=", "\"\""},
    {"limits.queue_bytes=1", "a size such as 64 MiB from 1 KiB to 1 TiB"},
    {"limits.session_expiry=soon", "a time such as 10s or 2h from 0 to"},
    {"mesh.ring_slots=1000", "0 or a power of two"},
    {"pin=maybe", "it takes false/true"},
    {"idle=doze", "it takes sleep/spin/busy"},
    {"listeners=", "there must be at least one address"},
    {"listeners=127.0.0.1", "\"127.0.0.1\" is not an address with a port"},
    {"listeners=localhost:1883", "\"localhost:1883\" is not an address with a port"},
    {"windwo=1", "windwo is not a setting"},
    {"limits.windwo=1", "limits.windwo is not a setting; did you mean limits.window?"},
    {"cores", "expected KEY=VALUE"},
    {"cores=", "auto, a number of cores"},
};

static void a_wrong_value_is_told_with_setting_place_and_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct options o;
        const char *const assign[] = {wrong[i].assign};
        int err = options_load(&o, &(struct option_args){.assign = assign, .nassign = 1});
        if (err != -ERR_INVALID || !strstr(o.error, wrong[i].told))
            fail_msg("%s: %d %s", wrong[i].assign, err, o.error);
    }
}

static void switches_that_fill_an_opposite_say_what_they_mean(void **state)
{
    static const char *const assign[] = {"mqtt.retain=no", "mqtt.empty_client_id=false",
                                         "mqtt.redirect=moved", "mqtt.redirect_to=b:1"};
    struct options o;

    (void)state;
    assert_int_equal(options_load(&o, &(struct option_args){.assign = assign, .nassign = 4}), 0);
    assert_true(o.mqtt.no_retain);
    assert_true(o.mqtt.refuse_empty_client_id);
    assert_string_equal(value(&o, "mqtt.retain"), "false");
    assert_int_equal(o.mqtt.redirect_reason, MQTT_RC_SERVER_MOVED);
    assert_string_equal(o.mqtt.server_reference, "b:1");
}

static void never_is_a_time_where_it_may_be(void **state)
{
    static const char *const yes[] = {"limits.session_expiry=never"};
    static const char *const no[] = {"mqtt.connect_timeout=never"};
    struct options o;

    (void)state;
    assert_int_equal(options_load(&o, &(struct option_args){.assign = yes, .nassign = 1}), 0);
    assert_int_equal(o.broker.expiry_max_s, SESSION_NEVER_EXPIRES);
    assert_string_equal(value(&o, "limits.session_expiry"), "never");
    assert_int_equal(options_load(&o, &(struct option_args){.assign = no, .nassign = 1}),
                     -ERR_INVALID);
}

static void a_port_alone_means_loopback(void **state)
{
    static const char *const bad[] = {"", "65536", "-1", "18a3", "1883 "};
    struct options o;

    (void)state;
    assert_int_equal(options_load(&o, &(struct option_args){.port = "2883"}), 0);
    assert_true(strncmp(value(&o, "listeners"), "127.0.0.1:2883", 14) == 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(options_load(&o, &(struct option_args){.port = bad[i]}), -ERR_INVALID);
        assert_non_null(strstr(o.error, "not a port"));
    }
}

static void each_key_and_variable_is_there_once(void **state)
{
    char a[OPTION_TEXT_MAX], b[OPTION_TEXT_MAX];

    (void)state;
    for (unsigned i = 0; i < options_count(); i++)
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(option_variable(i, a), option_variable(k, b));
    assert_string_equal(option_variable(at("limits.queue_bytes"), a), "PINION_LIMITS_QUEUE_BYTES");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_modules),
        cmocka_unit_test(every_value_is_shown_as_it_may_be_given),
        cmocka_unit_test(each_source_replaces_those_before_it),
        cmocka_unit_test(a_wrong_value_is_told_with_setting_place_and_what_is_allowed),
        cmocka_unit_test(switches_that_fill_an_opposite_say_what_they_mean),
        cmocka_unit_test(never_is_a_time_where_it_may_be),
        cmocka_unit_test(a_port_alone_means_loopback),
        cmocka_unit_test(each_key_and_variable_is_there_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
