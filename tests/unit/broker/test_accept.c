/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/broker/cluster.h"

/* The first is accepted last: its owner's core turns last. */
static void acceptances_are_told_in_the_order_of_publishing(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(4, NULL);
    struct client *p = client_new(k, client_at(k, 0, "p"), 0);
    const char *topic[4];
    for (unsigned i = 0; i < 4; i++)
        topic[i] = topic_at(k, i, "t");
    client_say(p, topic[3], "x", 1, 1);
    client_say(p, topic[2], "x", 2, 2);
    client_say(p, topic[1], "x", 1, 3);
    client_say(p, topic[0], "x", 2, 4); /* accepted at once, but not told */
    for (unsigned i = 0; i < 3; i++) {
        cluster_turn(k, 0);
        cluster_turn(k, 1);
        cluster_turn(k, 2);
    }
    assert_int_equal(p->accepted, 0);
    assert_false(session_accepted(p->session, 4));
    assert_false(session_accepted(p->session, 2));
    cluster_turn(k, 3);
    cluster_turn(k, 0);
    assert_int_equal(p->accepted, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(p->accepted_id[i], i + 1);
    assert_true(session_accepted(p->session, 2));
    client_free(k, p);
    cluster_free(k);
}

static int try_publish(struct client *c, const char *topic, uint16_t packet_id)
{
    struct broker *b = c->session->broker;
    struct publication p = {.topic = bytes_str(topic), .qos = 1};
    uint32_t mailed = 0;
    p.topic_hash = broker_topic_hash(b, p.topic);
    return broker_publish(c->session, &p, packet_id, 0, &mailed);
}

static void no_more_than_receive_max_are_awaited(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.receive_max = 10;
    struct cluster *k = cluster_new(2, &o);
    struct client *p = client_new(k, client_at(k, 0, "p"), 0);
    const char *far = topic_at(k, 1, "t");
    for (unsigned round = 0; round < 3; round++) {
        for (uint16_t i = 1; i <= 10; i++)
            assert_int_equal(try_publish(p, far, i), 0);
        assert_int_equal(try_publish(p, far, 11), -ERR_FULL);
        assert_int_equal(try_publish(p, topic_at(k, 0, "near"), 11), -ERR_FULL);
        cluster_settle(k);
    }
    assert_int_equal(p->accepted, 30);
    client_free(k, p);
    cluster_free(k);
}

/* 65536 is where the numbers in the mail begin anew. */
static void numbers_may_wrap(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *p = client_new(k, client_at(k, 0, "p"), 0);
    const char *far = topic_at(k, 1, "t");
    p->session->await_head = p->session->await_tail = UINT32_MAX - 300;
    for (uint16_t i = 1; i <= 900; i++) {
        client_say(p, far, "x", 1, i);
        if (i % 97 == 0) cluster_turn(k, i % 2);
    }
    cluster_settle(k);
    assert_int_equal(p->accepted, 900);
    for (unsigned i = 0; i < 900; i++)
        assert_int_equal(p->accepted_id[i], i + 1);
    client_free(k, p);
    cluster_free(k);
}

static void a_message_that_cannot_be_retained_is_refused_but_delivered(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.retained_max = 1;
    EACH_CLUSTER(k, &o)
    {
        struct client *p = client_new(k, "p", 0);
        const char *a = topic_at(k, 0, "a"), *b = topic_at(k, 0, "b");
        client_sub(k, p, "#", 0);
        client_say(p, a, "1", 1 | SAY_RETAINED, 1);
        client_say(p, b, "2", 1 | SAY_RETAINED, 2);
        client_say(p, a, "3", 2 | SAY_RETAINED, 3);
        cluster_settle(k);
        assert_int_equal(p->accepted_status[0], 0);
        assert_int_equal(p->accepted_status[1], -ERR_FULL);
        assert_int_equal(p->accepted_status[2], 0);
        assert_string_equal(client_heard(p), "1 2 3");
        client_free(k, p);
    }
}

/* ---- over the end of a connection
 * ----------------------------------------------------------------- */

/* The client of a connection that ended publishes again what was not acknowledged; an answer to
 * the first time would acknowledge whatever has that id by then. */
static void at_qos_1_the_next_connection_hears_nothing_of_what_the_last_one_published(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    const char *id = client_at(k, 0, "p"), *far = topic_at(k, 1, "t");
    struct attach again = {.client_id = bytes_str(id), .expiry_s = 100, .receive_max = 10};
    struct client *p = client_new(k, id, 100);
    bool present;
    int err;
    client_say(p, far, "x", 1, 5);
    session_detach(p->session, false);
    again.ops = &client_ops;
    again.sink = p;
    p->session = session_attach(k->broker[0], &again, &present, &err);
    session_resume(p->session);
    assert_true(present);
    client_say(p, far, "x", 1, 5);
    cluster_settle(k);
    unsigned told = 0;
    for (unsigned i = 0; i < p->accepted; i++)
        told += p->accepted_id[i] == 5;
    assert_int_equal(told, 1);
    client_free(k, p);
    cluster_free(k);
}

/* At QoS 2 it was published once, and the answer to that is awaited still [MQTT-4.3.3-10]. */
static void at_qos_2_the_next_connection_hears_of_it(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    const char *id = client_at(k, 0, "p"), *far = topic_at(k, 1, "t");
    struct client *p = client_new(k, id, 100);
    assert_int_equal(session_receive(p->session, 5), 0);
    client_say(p, far, "x", 2, 5);
    session_detach(p->session, false);
    bool present;
    int err;
    struct attach again = {.client_id = bytes_str(id),
                           .expiry_s = 100,
                           .receive_max = 10,
                           .ops = &client_ops,
                           .sink = p};
    p->session = session_attach(k->broker[0], &again, &present, &err);
    session_resume(p->session);
    assert_int_equal(session_receive(p->session, 5), -ERR_EXISTS);
    assert_false(session_accepted(p->session, 5));
    cluster_settle(k);
    assert_int_equal(p->accepted, 1);
    assert_int_equal(p->accepted_id[0], 5);
    client_free(k, p);
    cluster_free(k);
}

/* Refused while nobody was there: when it comes again, it must be published again. */
static void a_qos_2_message_refused_without_a_connection_is_new_when_it_comes_again(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.retained_max = 0;
    struct cluster *k = cluster_new(2, &o);
    const char *id = client_at(k, 0, "p"), *far = topic_at(k, 1, "t");
    struct client *p = client_new(k, id, 100);
    assert_int_equal(session_receive(p->session, 5), 0);
    client_say(p, far, "x", 2 | SAY_RETAINED, 5);
    client_detach(k, p, false);
    client_attach(k, p, &(struct attach){.client_id = bytes_str(id)});
    assert_true(p->present);
    assert_int_equal(session_receive(p->session, 5), 0);
    client_free(k, p);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acceptances_are_told_in_the_order_of_publishing),
        cmocka_unit_test(no_more_than_receive_max_are_awaited),
        cmocka_unit_test(numbers_may_wrap),
        cmocka_unit_test(a_message_that_cannot_be_retained_is_refused_but_delivered),
        cmocka_unit_test(at_qos_1_the_next_connection_hears_nothing_of_what_the_last_one_published),
        cmocka_unit_test(at_qos_2_the_next_connection_hears_of_it),
        cmocka_unit_test(a_qos_2_message_refused_without_a_connection_is_new_when_it_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
