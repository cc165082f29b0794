/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mqtt_session_denied.c -- what a client is told that may not do something. */
#include "broker/access/access.h"
#include "broker/access/acl.h"
#include "unit/mqtt/test_mqtt_session_rig.h"

/* Everybody may write "in/#" and read "out/#" and "in/#", and nothing else. */
static struct rig *rig_with_rules(void)
{
    static const struct bytes in = {(const uint8_t *)"in/#", 4},
                              out = {(const uint8_t *)"out/#", 5};
    static const struct acl_rule rules[] = {
        {.allow = true, .actions = ACL_ALL, .topics = &in, .ntopics = 1},
        {.allow = true, .actions = ACL_READ, .topics = &out, .ntopics = 1},
    };
    struct rig *r = rig_one();
    char error[ACCESS_ERROR];
    struct access_options o = {.acl = acl_new(rules, ARRAY_LEN(rules), &(struct acl_options){0})};
    struct access *a = access_new(&o, error);

    assert_non_null(a);
    broker_set_access(r->broker[0], a);
    return r;
}

/* [MQTT311-3.3.5-2]: acknowledged, or closed; and a client that is closed would come again. */
static void a_denied_publish_is_told_in_5_and_acknowledged_in_3(void **state)
{
    struct rig *r = rig_with_rules();

    (void)state;
    for (unsigned version = 3; version <= 5; version++) {
        int fd = client_online(r, version, "me");
        const char *none = version == 5 ? "00" : "";
        char text[128];
        snprintf(text, sizeof text,
                 "30[ <no> %s 'a' ] 32[ <no> 0001 %s 'b' ] 34[ <no> 0002 %s 'c' ]", none, none,
                 none);
        say(r, fd, text);
        if (version == 5) {
            hear(r, fd, "40[ 0001 87 ] 50[ 0002 87 ]");
            say(r, fd, "62[ 0002 ]");
            hear(r, fd, "70[ 0002 92 ]"); /* the id was free again [MQTT-4.3.3-9] */
        } else {
            hear(r, fd, "40[ 0001 ] 50[ 0002 ]");
            say(r, fd, "62[ 0002 ]");
            hear(r, fd, "70[ 0002 ]");
        }
        snprintf(text, sizeof text, "32[ <in/x> 0003 %s 'd' ]", none);
        say(r, fd, text);
        hear(r, fd, "40[ 0003 ]");
        client_gone(r, fd);
    }
    assert_int_equal(rig_count(r, C_denied_publish), 9);
    rig_free(r);
}

/* The topic that an alias stands for is judged, not the empty one of the packet. */
static void an_alias_is_no_way_round(void **state)
{
    struct rig *r = rig_with_rules();
    int fd = client_online(r, 5, "me");

    (void)state;
    say(r, fd, "32[ <no> 0001 ( 23 0001 ) 'x' ]");
    hear(r, fd, "40[ 0001 87 ]");
    say(r, fd, "32[ <> 0002 ( 23 0001 ) 'x' ]");
    hear(r, fd, "40[ 0002 87 ]");
    say(r, fd, "32[ <in/x> 0003 ( 23 0001 ) 'x' ] 32[ <> 0004 ( 23 0001 ) 'x' ]");
    hear(r, fd, "40[ 0003 ] 40[ 0004 ]");
    client_gone(r, fd);
    rig_free(r);
}

static void a_denied_filter_is_refused_alone(void **state)
{
    struct rig *r = rig_with_rules();

    (void)state;
    for (unsigned version = 3; version <= 5; version++) {
        int fd = client_online(r, version, "me");
        say(r, fd,
            version == 5 ? "82[ 0001 00 <no/#> 01 <out/#> 01 <$share/g/no> 00 <#> 00 <$SYS/#> 00 ]"
                         : "82[ 0001 <no/#> 01 <out/#> 01 <$share/g/no> 00 <#> 00 <$SYS/#> 00 ]");
        hear(r, fd, version == 5 ? "90[ 0001 00 87 01 87 00 87 ]" : "90[ 0001 80 01 80 00 80 ]");
        client_gone(r, fd);
    }
    assert_int_equal(rig_count(r, C_denied_subscribe), 9);
    rig_free(r);
}

/* A client of 5.0 that is refused may publish as many as before. */
static void refusals_do_not_use_up_the_receive_maximum(void **state)
{
    struct rig_options o = rig_usual(1);
    struct rig *r = rig_with_rules();
    int fd = client_online(r, 5, "me");

    (void)state;
    for (unsigned i = 0; i < 2 * o.broker.receive_max; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s[ <no> %04x 00 'x' ]", i % 2 ? "34" : "32", i + 1);
        say(r, fd, text);
        snprintf(text, sizeof text, "%s[ %04x 87 ]", i % 2 ? "50" : "40", i + 1);
        hear(r, fd, text);
    }
    client_gone(r, fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_denied_publish_is_told_in_5_and_acknowledged_in_3),
        cmocka_unit_test(an_alias_is_no_way_round),
        cmocka_unit_test(a_denied_filter_is_refused_alone),
        cmocka_unit_test(refusals_do_not_use_up_the_receive_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
