/* SPDX-License-Identifier: BSD-3-Clause */
/* test_session_flow.c -- queue, window and what the client confirms. On one core: where a message
 * comes from makes no difference here. */
#include "unit/broker/cluster.h"

static uint64_t total(struct cluster *k, enum counter which)
{
    return counter_read(&k->core[0].counters, which);
}

/* Publishes the numbers from..to to topic t. */
static void say(struct cluster *k, struct client *p, unsigned from, unsigned to, uint8_t qos)
{
    for (unsigned i = from; i <= to; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        client_pub(k, p, "t", text, qos);
    }
}

static struct client *subscriber(struct cluster *k, uint16_t receive_max, uint8_t qos)
{
    struct client *c = calloc(1, sizeof *c);
    client_attach(
        k, c,
        &(struct attach){.client_id = BYTES("c"), .expiry_s = 100, .receive_max = receive_max});
    client_sub(k, c, "t", qos);
    return c;
}

static void back(struct cluster *k, struct client *c, uint16_t receive_max)
{
    client_attach(
        k, c,
        &(struct attach){.client_id = BYTES("c"), .expiry_s = 100, .receive_max = receive_max});
    assert_true(c->present);
}

static int puback(struct cluster *k, struct client *c, uint16_t id)
{
    int err = session_on_puback(c->session, id);
    cluster_settle(k);
    return err;
}

static void finish(struct cluster *k, struct client *c, struct client *p)
{
    client_free(k, p);
    if (c->session) session_set_expiry(c->session, 0);
    client_free(k, c);
    cluster_free(k);
}

/* ---- the window ---------------------------------------------------------------------------------
 */

/* [MQTT-3.3.4-9] */
static void no_more_is_in_flight_than_the_receive_maximum_and_order_is_kept(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 3, 1);
    say(k, p, 1, 10, 1);
    assert_int_equal(c->n, 3);
    assert_int_equal(total(k, C_queued), 7);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(puback(k, c, c->note[i].packet_id), 0);
        assert_int_equal(c->n, i + 4 < 10 ? i + 4 : 10);
    }
    assert_string_equal(client_heard(c), "1 2 3 4 5 6 7 8 9 10");
    assert_int_equal(total(k, C_queued), 0);
    finish(k, c, p);
}

static void qos_0_needs_no_window_but_waits_behind_what_waits(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 1, 1);
    say(k, p, 1, 1, 1);
    say(k, p, 2, 2, 0); /* nothing waits: sent */
    say(k, p, 3, 3, 1);
    say(k, p, 4, 4, 0);
    assert_string_equal(client_heard(c), "1 2");
    puback(k, c, c->note[0].packet_id);
    assert_string_equal(client_heard(c), "1 2 3 4");
    finish(k, c, p);
}

static void who_never_confirms_the_oldest_gets_twice_the_window_and_then_waits(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 4, 1);
    say(k, p, 1, 40, 1);
    for (unsigned i = 1; i < c->n; i++)
        assert_int_equal(puback(k, c, c->note[i].packet_id), 0);
    assert_int_equal(c->n, 8);
    assert_int_equal(puback(k, c, c->note[0].packet_id), 0);
    for (unsigned i = 8; i < c->n; i++)
        assert_int_equal(puback(k, c, c->note[i].packet_id), 0);
    assert_int_equal(c->n, 40);
    assert_string_equal(c->note[39].payload, "40");
    finish(k, c, p);
}

static void a_sink_that_is_not_ready_is_left_alone_until_it_asks(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 10, 1);
    c->not_ready = true;
    say(k, p, 1, 5, 1);
    assert_int_equal(c->n, 0);
    c->not_ready = false;
    session_pump(c->session);
    assert_string_equal(client_heard(c), "1 2 3 4 5");
    finish(k, c, p);
}

static void one_session_gets_only_so_much_in_a_turn(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 1000, 1);
    client_detach(k, c, false);
    say(k, p, 1, 900, 1);
    struct attach a = {.client_id = BYTES("c"),
                       .receive_max = 1000,
                       .expiry_s = 100,
                       .ops = &client_ops,
                       .sink = c};
    int err;
    c->session = session_attach(k->broker[0], &a, &c->present, &err);
    session_resume(c->session);
    for (unsigned turn = 0, before = 0; c->n < 900; turn++, before = c->n) {
        cluster_turn(k, 0);
        assert_true(c->n > before || turn == 0);
        assert_true(c->n - before <= 512 && turn < 10);
    }
    finish(k, c, p);
}

/* ---- packet ids
 * ----------------------------------------------------------------------------------- */

/* Confirms at random, over where the ids begin anew and where the places in the window do. */
static void packet_ids_are_never_0_and_never_used_twice_at_a_time(void **state)
{
    (void)state;
    enum { MESSAGES = 200000, WINDOW = 50 };
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, WINDOW, 1);
    struct session *s = c->session;
    static uint8_t used[65536];
    uint16_t flying[WINDOW];
    unsigned n = 0, begun_anew = 0;
    uint32_t rebase_at = (1u << 31) - 100000;
    s->flight.head = s->flight.tail = rebase_at;
    memset(used, 0, sizeof used);
    for (unsigned i = 0; i < MESSAGES; i++) {
        client_say(p, "t", "x", 1, 1);
        broker_deliver(k->broker[0]);
        assert_int_equal(c->n, 1);
        uint16_t id = c->note[0].packet_id;
        assert_true(id != 0 && !used[id]);
        used[id] = 1;
        flying[n++] = id;
        client_forget(c);
        begun_anew += s->flight.tail < rebase_at;
        if (n < WINDOW - 1) continue;
        for (unsigned at = 0; n > at;) {
            assert_int_equal(session_on_puback(s, flying[at]), 0);
            assert_int_equal(session_on_puback(s, flying[at]), -ERR_ABSENT);
            used[flying[at]] = 0;
            flying[at] = flying[--n];
            at += i % 3; /* some stay a while */
        }
    }
    assert_true(begun_anew > 0);
    finish(k, c, p);
}

static void a_message_that_is_not_sent_frees_its_id(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 2, 1);
    say(k, p, 1, 1, 1);
    c->refuse = -ERR_TOO_LARGE;
    say(k, p, 2, 100, 1);
    assert_int_equal(total(k, C_dropped_too_large), 99);
    assert_int_equal(c->session->in_flight, 1);
    c->refuse = 0;
    say(k, p, 101, 101, 1);
    assert_string_equal(client_heard(c), "1 101");
    assert_int_equal(puback(k, c, c->note[0].packet_id), 0);
    assert_int_equal(puback(k, c, c->note[1].packet_id), 0);
    finish(k, c, p);
}

static void a_qos_0_message_for_a_slow_client_is_dropped_and_counted(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 2, 0);
    c->refuse = -ERR_FULL;
    say(k, p, 1, 3, 0);
    assert_int_equal(total(k, C_dropped_slow), 3);
    finish(k, c, p);
}

/* ---- what the client confirms
 * ------------------------------------------------------------------------ */

static void acks_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 10, 2);
    for (unsigned id = 0; id <= 65535; id++) {
        assert_int_equal(session_on_puback(c->session, (uint16_t)id), -ERR_ABSENT);
        assert_int_equal(session_on_pubrec(c->session, (uint16_t)id, false), -ERR_ABSENT);
        assert_int_equal(session_on_pubcomp(c->session, (uint16_t)id), -ERR_ABSENT);
    }
    say(k, p, 1, 1, 1);
    say(k, p, 2, 2, 2);
    uint16_t one = c->note[0].packet_id, two = c->note[1].packet_id;
    assert_int_equal(session_on_pubrec(c->session, one, false), -ERR_ABSENT);
    assert_int_equal(session_on_pubcomp(c->session, one), -ERR_ABSENT);
    assert_int_equal(session_on_puback(c->session, two), -ERR_ABSENT);
    assert_int_equal(session_on_pubcomp(c->session, two), -ERR_ABSENT); /* PUBREC first */
    assert_int_equal(session_on_pubrec(c->session, two, false), 0);
    assert_int_equal(session_on_pubrec(c->session, two, false), 0); /* PUBREL may be lost */
    assert_int_equal(session_on_pubcomp(c->session, two), 0);
    assert_int_equal(session_on_pubcomp(c->session, two), -ERR_ABSENT);
    assert_int_equal(session_on_puback(c->session, one), 0);
    assert_int_equal(c->session->in_flight, 0);
    finish(k, c, p);
}

/* [MQTT-4.3.3-4]: PUBREC with an error ends it. */
static void a_failed_pubrec_frees_the_id_and_the_window(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 1, 2);
    say(k, p, 1, 2, 2);
    assert_int_equal(session_on_pubrec(c->session, c->note[0].packet_id, true), 0);
    cluster_settle(k);
    assert_string_equal(client_heard(c), "1 2");
    finish(k, c, p);
}

/* [MQTT-4.3.3-10] */
static void a_received_id_is_new_once_until_it_is_released(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *c = subscriber(k, 1, 0), *p = client_new(k, "p", 0);
    assert_int_equal(session_release(c->session, 1), -ERR_ABSENT);
    for (unsigned id = 1; id <= 65535; id++)
        assert_int_equal(session_receive(c->session, (uint16_t)id), 0);
    client_detach(k, c, false);
    back(k, c, 1);
    for (unsigned id = 1; id <= 65535; id++) {
        assert_int_equal(session_receive(c->session, (uint16_t)id), -ERR_EXISTS);
        assert_int_equal(session_release(c->session, (uint16_t)id), 0);
        assert_int_equal(session_release(c->session, (uint16_t)id), -ERR_ABSENT);
    }
    finish(k, c, p);
}

/* ---- over the end of a connection
 * ------------------------------------------------------------------- */

/* [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] */
static void what_was_in_flight_is_sent_again_in_order_before_what_waited(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 4, 2);
    uint16_t id[4];
    say(k, p, 1, 3, 2);
    say(k, p, 4, 6, 1);
    for (unsigned i = 0; i < 4; i++)
        id[i] = c->note[i].packet_id;
    session_on_pubrec(c->session, id[1], false); /* 2: only PUBREL is left */
    client_detach(k, c, false);
    say(k, p, 7, 7, 0); /* nobody there: not kept */
    say(k, p, 8, 8, 1);
    client_forget(c);
    back(k, c, 4);
    assert_string_equal(client_heard(c), "1 3 4");
    assert_int_equal(c->note[0].packet_id, id[0]);
    assert_int_equal(c->note[1].packet_id, id[2]);
    assert_int_equal(c->note[2].packet_id, id[3]);
    for (unsigned i = 0; i < 3; i++)
        assert_true(c->note[i].dup);
    assert_int_equal(c->released, 1);
    assert_int_equal(c->released_id[0], id[1]);
    assert_int_equal(session_on_pubcomp(c->session, id[1]), 0);
    assert_int_equal(session_on_puback(c->session, id[3]), 0);
    cluster_settle(k);
    assert_string_equal(client_heard(c), "1 3 4 5 6");
    assert_false(c->note[3].dup);
    session_on_pubrec(c->session, id[0], true);
    cluster_settle(k);
    assert_string_equal(client_heard(c), "1 3 4 5 6 8");
    finish(k, c, p);
}

/* [MQTT-3.3.4-9]: the new connection's receive maximum counts from its first packet. */
static void sending_again_keeps_to_the_new_window(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 10, 1);
    say(k, p, 1, 12, 1);
    for (unsigned round = 0; round < 3; round++) { /* also if that connection ends half-way */
        client_detach(k, c, false);
        client_forget(c);
        back(k, c, 2);
        assert_string_equal(client_heard(c), "1 2");
    }
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(puback(k, c, c->note[i].packet_id), 0);
        assert_int_equal(c->n, i + 3 < 12 ? i + 3 : 12);
        assert_int_equal(c->note[i].dup, i < 10);
    }
    assert_string_equal(client_heard(c), "1 2 3 4 5 6 7 8 9 10 11 12");
    assert_int_equal(c->session->unsent, 0);
    finish(k, c, p);
}

/* A client may confirm late what it got on the last connection. */
static void what_is_confirmed_before_it_is_sent_again_is_not_sent(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 10, 1);
    say(k, p, 1, 6, 1);
    uint16_t id[6];
    for (unsigned i = 0; i < 6; i++)
        id[i] = c->note[i].packet_id;
    client_detach(k, c, false);
    client_forget(c);
    c->not_ready = true;
    back(k, c, 10);
    assert_int_equal(puback(k, c, id[0]), 0);
    assert_int_equal(puback(k, c, id[3]), 0);
    assert_int_equal(puback(k, c, id[5]), 0);
    c->not_ready = false;
    session_pump(c->session);
    assert_string_equal(client_heard(c), "2 3 5");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(puback(k, c, c->note[i].packet_id), 0);
    assert_int_equal(c->session->in_flight + c->session->unsent, 0);
    finish(k, c, p);
}

static void what_can_not_be_sent_again_is_dropped(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 3, 1);
    say(k, p, 1, 5, 1);
    client_detach(k, c, false);
    client_forget(c);
    c->refuse = -ERR_TOO_LARGE;
    back(k, c, 3);
    c->refuse = 0;
    say(k, p, 6, 6, 1);
    assert_string_equal(client_heard(c), "6");
    assert_int_equal(c->session->in_flight, 1);
    finish(k, c, p);
}

/* ---- the queue
 * --------------------------------------------------------------------------------------- */

static void the_queues_limits_hold_and_are_counted(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.queue_messages_max = 5;
    o.queue_bytes_max = 10;
    struct cluster *k = cluster_new(1, &o);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 1, 1);
    client_detach(k, c, false);
    client_pub(k, p, "t", "12345678", 1); /* 9 bytes with the topic */
    client_pub(k, p, "t", "x", 1);        /* 2 more: too many */
    assert_int_equal(total(k, C_queued), 1);
    assert_int_equal(total(k, C_dropped_queue), 1);
    client_pub(k, p, "t", "", 1); /* 1 more: exactly */
    assert_int_equal(total(k, C_queued), 2);
    back(k, c, 100);
    assert_int_equal(c->n, 2);
    assert_int_equal(c->session->queue_bytes, 0);
    client_detach(k, c, false);
    for (unsigned i = 0; i < 8; i++)
        client_pub(k, p, "t", "", 1);
    assert_int_equal(total(k, C_queued), 5);
    assert_int_equal(total(k, C_dropped_queue), 4);
    back(k, c, 100);
    finish(k, c, p);
}

static void what_expires_while_it_waits_is_not_sent(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = subscriber(k, 1, 1);
    struct publication short_lived = {.topic = BYTES("t"),
                                      .payload = BYTES("short"),
                                      .qos = 1,
                                      .has_expiry = true,
                                      .expiry_s = 10};
    uint32_t mailed = 0;
    short_lived.topic_hash = broker_topic_hash(k->broker[0], short_lived.topic);
    say(k, p, 1, 1, 1);
    broker_publish(p->session, &short_lived, 1, 0, &mailed);
    broker_publish(p->session, &short_lived, 2, 0, &mailed);
    say(k, p, 2, 2, 1);
    cluster_advance(k, 10);
    puback(k, c, c->note[0].packet_id);
    assert_string_equal(client_heard(c), "1 2"); /* [MQTT-3.3.2-5] */
    assert_int_equal(total(k, C_dropped_expired), 2);
    finish(k, c, p);
}

static void when_the_pool_is_full_messages_are_dropped_and_counted_and_nothing_leaks(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *p = client_new(k, client_at(k, 0, "p"), 0);
    const char *id = client_at(k, 1, "c");
    struct client *c = client_new(k, id, 100);
    client_sub(k, c, "t/#", 1);
    client_detach(k, c, false);
    pool_set_max(k->core[1].pool, 1); /* a queue holds copies of what another core made */
    for (uint16_t i = 1; i <= 100; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "t/%u", i);
        client_say(p, topic, "x", 1 | (i % 2 ? SAY_RETAINED : 0), i);
    }
    cluster_settle(k);
    assert_int_equal(p->accepted, 100);
    assert_int_equal(counter_read(&k->core[1].counters, C_dropped_queue), 100);
    unsigned refused = 0;
    for (unsigned i = 0; i < 100; i++)
        refused += p->accepted_status[i] == -ERR_NOMEM;
    assert_true(refused > 0 && refused <= 50); /* those to be retained on core 1 */
    pool_set_max(k->core[1].pool, 0);
    client_attach(k, c, &(struct attach){.client_id = bytes_str(id)});
    assert_int_equal(c->n, 0);
    client_free(k, c);
    client_free(k, p);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_is_in_flight_than_the_receive_maximum_and_order_is_kept),
        cmocka_unit_test(qos_0_needs_no_window_but_waits_behind_what_waits),
        cmocka_unit_test(who_never_confirms_the_oldest_gets_twice_the_window_and_then_waits),
        cmocka_unit_test(a_sink_that_is_not_ready_is_left_alone_until_it_asks),
        cmocka_unit_test(one_session_gets_only_so_much_in_a_turn),
        cmocka_unit_test(packet_ids_are_never_0_and_never_used_twice_at_a_time),
        cmocka_unit_test(a_message_that_is_not_sent_frees_its_id),
        cmocka_unit_test(a_qos_0_message_for_a_slow_client_is_dropped_and_counted),
        cmocka_unit_test(acks_that_do_not_fit_are_refused),
        cmocka_unit_test(a_failed_pubrec_frees_the_id_and_the_window),
        cmocka_unit_test(a_received_id_is_new_once_until_it_is_released),
        cmocka_unit_test(what_was_in_flight_is_sent_again_in_order_before_what_waited),
        cmocka_unit_test(sending_again_keeps_to_the_new_window),
        cmocka_unit_test(what_is_confirmed_before_it_is_sent_again_is_not_sent),
        cmocka_unit_test(what_can_not_be_sent_again_is_dropped),
        cmocka_unit_test(the_queues_limits_hold_and_are_counted),
        cmocka_unit_test(what_expires_while_it_waits_is_not_sent),
        cmocka_unit_test(when_the_pool_is_full_messages_are_dropped_and_counted_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
