/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/broker/cluster.h"

static void a_message_reaches_every_subscriber_once(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c[20], *p = client_new(k, "publisher", 0);
        for (int i = 0; i < 20; i++) {
            char id[16];
            snprintf(id, sizeof id, "c%d", i);
            c[i] = client_new(k, id, 0);
            client_sub(k, c[i], i % 2 ? "a/+" : "a/b", 0);
        }
        client_pub(k, p, "a/b", "hello", 0);
        client_pub(k, p, "a/c", "world", 0);
        for (int i = 0; i < 20; i++) {
            assert_string_equal(client_heard(c[i]), i % 2 ? "hello world" : "hello");
            client_free(k, c[i]);
        }
        client_free(k, p);
    }
}

static void messages_of_a_topic_keep_their_order_for_all(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *a = client_new(k, "a", 0), *b = client_new(k, "b", 0);
        struct client *p = client_new(k, "p", 0), *q = client_new(k, "q", 0);
        client_sub(k, a, "t", 0);
        client_sub(k, b, "#", 0);
        for (int i = 0; i < 500; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", i);
            client_say(i % 2 ? p : q, "t", text, 0, 0);
            if (i % 7 == 0) cluster_turn(k, (unsigned)i % k->cores);
        }
        cluster_settle(k);
        assert_int_equal(a->n, 500);
        assert_int_equal(b->n, 500);
        for (int i = 0; i < 500; i++)
            assert_string_equal(a->note[i].payload, b->note[i].payload);
        client_free(k, a);
        client_free(k, b);
        client_free(k, p);
        client_free(k, q);
    }
}

/* [MQTT-3.3.4-2] [MQTT-3.3.4-4] */
static void overlapping_subscriptions_give_one_copy_at_the_highest_qos_with_all_ids(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0);
        struct sub_request r[] = {{.filter = BYTES("a/b"), .qos = 0, .sub_id = 7},
                                  {.filter = BYTES("a/+"), .qos = 2, .sub_id = 8},
                                  {.filter = BYTES("#"), .qos = 1}};
        for (int i = 0; i < 3; i++) {
            client_ask(c, &r[i]);
            cluster_settle(k);
        }
        client_pub(k, c, "a/b", "x", 2);
        assert_int_equal(c->n, 1);
        assert_int_equal(c->note[0].qos, 2);
        assert_int_equal(c->note[0].nids, 2);
        assert_int_equal(c->note[0].ids[0] + c->note[0].ids[1], 15);
        client_free(k, c);
    }
}

/* [MQTT-3.8.3-3] */
static void
no_local_keeps_a_clients_own_messages_away_unless_another_filter_wants_them(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0), *d = client_new(k, "d", 0);
        struct sub_request r = {.filter = BYTES("t"), .no_local = true};
        client_ask(c, &r);
        cluster_settle(k);
        client_pub(k, c, "t", "mine", 0);
        client_pub(k, d, "t", "yours", 0);
        client_pub(k, c, "t", "mine", 0);
        assert_string_equal(client_heard(c), "yours");
        client_sub(k, c, "#", 0);
        client_pub(k, c, "t", "mine", 0);
        client_pub(k, d, "t", "yours", 0);
        assert_string_equal(client_heard(c), "yours mine yours");
        client_free(k, c);
        client_free(k, d);
    }
}

static void after_unsubscribe_nothing_comes(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0), *p = client_new(k, "p", 0);
        client_sub(k, c, "a/#", 0);
        client_sub(k, c, "a/b", 0);
        assert_int_equal(broker_unsubscribe(c->session, BYTES("a/#")), 0);
        assert_int_equal(broker_unsubscribe(c->session, BYTES("a/#")), -ERR_ABSENT);
        client_pub(k, p, "a/b", "1", 0);
        client_pub(k, p, "a/c", "2", 0);
        assert_string_equal(client_heard(c), "1");
        assert_int_equal(broker_unsubscribe(c->session, BYTES("a/b")), 0);
        client_pub(k, p, "a/b", "3", 0);
        assert_string_equal(client_heard(c), "1");
        client_free(k, c);
        client_free(k, p);
    }
}

/* [MQTT-3.3.1-12] [MQTT-3.3.1-13] */
static void live_messages_carry_retain_only_where_asked(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0), *d = client_new(k, "d", 0);
        struct sub_request as_is = {.filter = BYTES("t"), .retain_as_published = true};
        client_ask(c, &as_is);
        client_sub(k, d, "t", 0);
        client_say(c, "t", "v", 0 | SAY_RETAINED, 0);
        cluster_settle(k);
        assert_int_equal(c->n, 1);
        assert_true(c->note[0].retain);
        assert_int_equal(d->n, 1);
        assert_false(d->note[0].retain);
        client_say(c, "t", "", 0 | SAY_RETAINED, 0);
        client_free(k, c);
        client_free(k, d);
    }
}

static void every_publish_above_qos_0_is_accepted_in_order(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        for (uint16_t i = 1; i <= 200; i++) {
            char topic[16];
            snprintf(topic, sizeof topic, "t/%u", i % 37u); /* many owners */
            client_say(p, topic, "x", 1 + i % 2, i);
            if (i % 11 == 0) cluster_turn(k, i % k->cores);
        }
        cluster_settle(k);
        assert_int_equal(p->accepted, 200);
        for (unsigned i = 0; i < 200; i++) {
            assert_int_equal(p->accepted_id[i], i + 1);
            assert_int_equal(p->accepted_status[i], 0);
        }
        client_free(k, p);
    }
}

static void a_session_may_end_while_owners_owe_it_acceptances(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (int round = 0; round < 5; round++) {
            struct client *p = client_new(k, "p", 0);
            for (uint16_t i = 1; i <= 50; i++) {
                char topic[16];
                snprintf(topic, sizeof topic, "t/%u", i);
                client_say(p, topic, "x", 1, i);
            }
            session_detach(p->session, false); /* before any mail has been taken */
            p->session = NULL;
            client_free(k, p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_reaches_every_subscriber_once),
        cmocka_unit_test(messages_of_a_topic_keep_their_order_for_all),
        cmocka_unit_test(overlapping_subscriptions_give_one_copy_at_the_highest_qos_with_all_ids),
        cmocka_unit_test(
            no_local_keeps_a_clients_own_messages_away_unless_another_filter_wants_them),
        cmocka_unit_test(after_unsubscribe_nothing_comes),
        cmocka_unit_test(live_messages_carry_retain_only_where_asked),
        cmocka_unit_test(every_publish_above_qos_0_is_accepted_in_order),
        cmocka_unit_test(a_session_may_end_while_owners_owe_it_acceptances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
