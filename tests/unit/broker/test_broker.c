/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/broker/cluster.h"

static void topics_and_clients_are_spread_evenly_and_every_core_agrees(void **state)
{
    (void)state;
    enum { NAMES = 16000 };
    EACH_SIZE(k)
    {
        unsigned owned[CLUSTER_CORES] = {0}, homes[CLUSTER_CORES] = {0};
        for (unsigned i = 0; i < NAMES; i++) {
            char name[16];
            snprintf(name, sizeof name, "n/%u", i);
            uint64_t hash = broker_topic_hash(k->broker[0], bytes_str(name));
            unsigned owner = broker_owner(k->broker[0], hash);
            unsigned home = broker_home(k->broker[0], 0, bytes_str(name));
            for (unsigned c = 0; c < k->cores; c++) {
                assert_int_equal(broker_owner(k->broker[c], hash), owner);
                assert_int_equal(broker_home(k->broker[c], 0, bytes_str(name)), home);
            }
            owned[owner]++;
            homes[home]++;
        }
        for (unsigned c = 0; c < k->cores; c++) {
            unsigned share = NAMES / k->cores;
            assert_in_range(owned[c], share * 8 / 10, share * 12 / 10);
            assert_in_range(homes[c], share * 8 / 10, share * 12 / 10);
        }
    }
}

static void an_assigned_client_id_lives_here_and_is_new(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (unsigned c = 0; c < k->cores; c++) {
            char id[2][24];
            unsigned n[2];
            for (unsigned i = 0; i < 2; i++) {
                n[i] = broker_assign_client_id(k->broker[c], id[i], sizeof id[i]);
                assert_in_range(n[i], 1, sizeof id[i] - 1);
                assert_int_equal(broker_home(k->broker[0], 0, bytes_of(id[i], n[i])), c);
            }
            assert_false(bytes_eq(bytes_of(id[0], n[0]), bytes_of(id[1], n[1])));
        }
    }
}

static void every_kind_of_mail_has_a_name_and_all_but_the_hand_over_a_handler(void **state)
{
    (void)state;
    mail_fn *handlers[BROKER_MAIL_KINDS];
    broker_mail_handlers(handlers);
    for (unsigned kind = 1; kind < MAIL_KINDS; kind++) {
        assert_string_not_equal(mail_name(kind), "unknown");
        assert_int_equal(handlers[kind] != NULL, kind != MAIL_HANDOVER);
    }
    assert_string_equal(mail_name(MAIL_KINDS), "unknown");
    assert_string_equal(mail_name(UINT32_MAX), "unknown");
    for (unsigned kind = MAIL_KINDS; kind < BROKER_MAIL_KINDS; kind++)
        assert_null(handlers[kind]);
}

static int publish(struct client *c, uint8_t qos, uint16_t packet_id)
{
    struct broker *b = c->session->broker;
    struct publication p = {.topic = BYTES("t"), .payload = BYTES("x"), .qos = qos};
    uint32_t mailed = 0;
    p.topic_hash = broker_topic_hash(b, p.topic);
    return broker_publish(c->session, &p, packet_id, 0, &mailed);
}

static void without_memory_a_publish_says_so_and_nothing_is_awaited(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0);
        struct pool *pool = c->session->broker->core->pool;
        pool_set_max(pool, 1);
        for (uint8_t qos = 0; qos <= 2; qos++)
            assert_int_equal(publish(c, qos, qos), -ERR_NOMEM);
        pool_set_max(pool, 0);
        assert_int_equal(publish(c, 1, 7), 0);
        cluster_settle(k);
        assert_int_equal(c->accepted, 1);
        assert_int_equal(c->accepted_id[0], 7);
        client_free(k, c);
    }
}

static void the_broker_itself_may_publish(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0);
        struct sub_request r = {.filter = BYTES("$SYS/#"), .no_local = true};
        client_ask(c, &r);
        cluster_settle(k);        /* a client of the tests has one batch at a time */
        client_sub(k, c, "#", 0); /* does not match '$' [MQTT-4.7.2-1] */
        for (unsigned i = 0; i < k->cores; i++) {
            struct publication p = {.topic = BYTES("$SYS/up"), .payload = BYTES("1"), .qos = 1};
            p.topic_hash = broker_topic_hash(k->broker[i], p.topic);
            broker_publish_message(k->broker[i], message_new(&k->core[i], &p, 0));
        }
        cluster_settle(k);
        assert_int_equal(c->n, k->cores);
        client_free(k, c);
    }
}

/* Freed in the middle of everything: mail, walks, answers, queues. */
static void a_broker_may_be_freed_at_any_moment_of_one_core(void **state)
{
    (void)state;
    for (unsigned moment = 0; moment < 4; moment++) {
        struct cluster *k = cluster_new(1, NULL);
        struct client *c = client_new(k, "c", SESSION_NEVER_EXPIRES);
        struct sub_request r = {.filter = BYTES("#"), .qos = 1};
        for (uint16_t i = 0; i < 5000; i++) { /* more than a walk's budget */
            char topic[16];
            snprintf(topic, sizeof topic, "t/%u", i);
            client_say(c, topic, "x", 0 | SAY_RETAINED, 0);
        }
        cluster_settle(k);
        client_ask(c, &r);
        client_say(c, "t/1", "live", 1 | SAY_RETAINED, 1);
        for (unsigned i = 0; i < moment; i++) {
            client_forget(c);
            cluster_turn(k, 0);
        }
        c->session->ops = NULL; /* nobody to talk to from now on */
        broker_free(&k->broker[0]);
        k->broker[0] = broker_new(&k->core[0], &(struct broker_options)BROKER_OPTIONS_DEFAULT, 1);
        free(c);
        cluster_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_and_clients_are_spread_evenly_and_every_core_agrees),
        cmocka_unit_test(an_assigned_client_id_lives_here_and_is_new),
        cmocka_unit_test(every_kind_of_mail_has_a_name_and_all_but_the_hand_over_a_handler),
        cmocka_unit_test(without_memory_a_publish_says_so_and_nothing_is_awaited),
        cmocka_unit_test(the_broker_itself_may_publish),
        cmocka_unit_test(a_broker_may_be_freed_at_any_moment_of_one_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
