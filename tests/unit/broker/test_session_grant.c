/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/identity.h"
#include "unit/broker/grant_rig.h"

/* ---- publishing -------------------------------------------------------------------------------
 */

static void what_may_not_be_written_reaches_nobody(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *all = client_new(k, "all", 0);
        client_sub(k, all, "#", 2);
        struct client *c = client_with(k, "c", 0, RULES("-w no/#", "+rw #"));
        assert_int_equal(client_try(c, "no/0", "x", 0, 0), -ERR_DENIED);
        assert_int_equal(client_try(c, "no/1", "x", 1, 1), 0);
        assert_int_equal(client_try(c, "no/2", "x", 2, 2), 0);
        assert_int_equal(client_try(c, "yes", "y", 1, 3), 0);
        cluster_settle(k);
        assert_string_equal(client_heard(all), "y");
        assert_int_equal(c->accepted, 3);
        assert_int_equal(c->accepted_status[0], -ERR_DENIED);
        assert_int_equal(c->accepted_status[1], -ERR_DENIED);
        assert_int_equal(c->accepted_status[2], 0);
        assert_int_equal(cluster_count(k, C_denied_publish), 3);
        client_free(k, c);
        client_free(k, all);
    }
}

/* [MQTT-4.6.0-2]: the refusal is known at once, the acceptance before it is not. */
static void refusals_wait_for_the_acceptances_before_them(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, client_at(k, 0, "c"), 0, RULES("-w no", "+w #"));
        const char *far = topic_at(k, k->cores - 1, "far");
        client_try(c, far, "x", 1, 11);
        client_try(c, "no", "x", 1, 12);
        client_try(c, far, "x", 2, 13);
        cluster_settle(k);
        assert_int_equal(c->accepted, 3);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(c->accepted_id[i], 11 + i);
        assert_int_equal(c->accepted_status[1], -ERR_DENIED);
        client_free(k, c);
    }
}

static void a_retained_message_is_neither_set_nor_cleared_without_leave(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, "c", 0, RULES("+r #"));
        struct client *owner = client_with(k, "owner", 0, RULES("+w #"));
        client_try(c, "set", "bad", SAY_RETAINED, 0);
        client_try(owner, "kept", "good", SAY_RETAINED, 0);
        cluster_settle(k);
        client_try(c, "kept", "", SAY_RETAINED, 0);
        cluster_settle(k);
        client_sub(k, c, "#", 0);
        assert_string_equal(client_heard(c), "good");
        client_free(k, c);
        client_free(k, owner);
    }
}

static void what_is_the_brokers_own_no_client_writes(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0);
        assert_int_equal(client_try(c, "$SYS/broker/uptime", "1", 0, 0), -ERR_DENIED);
        assert_int_equal(client_try(c, "$SYS", "1", 0, 0), -ERR_DENIED);
        assert_int_equal(client_try(c, "$other", "1", 0, 0), 0);
        client_may(c, RULES("+rw", "+rw $SYS/#"));
        assert_int_equal(client_try(c, "$SYS/x", "1", 0, 0), -ERR_DENIED);
        assert_int_equal(client_try(c, "$other", "1", 0, 0), -ERR_DENIED);
        client_free(k, c);
    }
}

/* ---- wills ------------------------------------------------------------------------------------
 */

static struct client *with_will(struct cluster *k, const char *topic, uint32_t delay_s)
{
    struct client *c = calloc(1, sizeof *c);
    struct publication will = {.topic = bytes_str(topic), .payload = BYTES("will"), .qos = 1};
    will.topic_hash = broker_topic_hash(k->broker[0], will.topic);
    client_attach(k, c,
                  &(struct attach){.client_id = BYTES("willing"),
                                   .expiry_s = 100,
                                   .will = &will,
                                   .will_delay_s = delay_s});
    return c;
}

static void a_will_is_judged_when_it_is_sent(void **state)
{
    static const struct {
        const char *rule, *topic;
        bool sent;
    } rows[] = {
        {"+w a/#", "a/gone", true},
        {"-w a/#", "a/gone", false},
        {"+w b", "a/gone", false},
        {"+rw $SYS/#", "$SYS/gone", false},
    };
    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(rows); i++)
        EACH_SIZE(k)
        {
            uint32_t delay_s = i % 2 ? 10 : 0;
            struct client *all = client_new(k, "all", 0);
            client_sub(k, all, "#", 0);
            client_sub(k, all, "$SYS/#", 0);
            struct client *c = with_will(k, rows[i / 2].topic, delay_s);
            /* While it is connected, or while its will waits. */
            if (!delay_s) client_may(c, RULES(rows[i / 2].rule));
            struct session *s = c->session;
            client_detach(k, c, true);
            if (delay_s) {
                assert_int_equal(all->n, 0);
                c->session = s;
                client_may(c, RULES(rows[i / 2].rule));
                c->session = NULL;
                cluster_advance(k, 11);
            }
            assert_int_equal(all->n, rows[i / 2].sent);
            assert_int_equal(cluster_count(k, C_denied_publish), !rows[i / 2].sent);
            client_free(k, c);
            client_free(k, all);
        }
}

/* ---- subscribing ------------------------------------------------------------------------------
 */

static void a_filter_of_which_nothing_may_be_read_is_refused(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, "c", 0, RULES("-r a/secret/#", "+r a/#"));
        assert_int_equal(client_try_sub(k, c, "b", 1), -ERR_DENIED);
        assert_int_equal(client_try_sub(k, c, "a/secret/+", 1), -ERR_DENIED);
        assert_int_equal(client_try_sub(k, c, "$share/g/b/#", 1), -ERR_DENIED);
        assert_int_equal(client_try_sub(k, c, "$SYS/#", 1), -ERR_DENIED);
        assert_int_equal(c->session->nsubs, 0);
        assert_int_equal(client_try_sub(k, c, "#", 1), 1);
        assert_int_equal(client_try_sub(k, c, "$share/g/a/+", 1), 1);
        assert_int_equal(cluster_count(k, C_denied_subscribe), 4);
        client_free(k, c);
    }
}

/* ---- live delivery ----------------------------------------------------------------------------
 */

static void a_wide_subscription_delivers_only_what_may_be_read(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, "c", 0, RULES("-r secret/#", "+r #"));
        struct client *all = client_new(k, "all", 0);
        struct client *p = client_new(k, "p", 0);
        client_sub(k, c, "#", 1);
        client_sub(k, c, "+/x", 1);
        client_sub(k, all, "#", 1);
        for (unsigned i = 0; i < 4; i++) { /* the later ones from the cache */
            client_pub(k, p, "secret/x", "s", 0);
            client_pub(k, p, "open/x", "o", 0);
        }
        assert_string_equal(client_heard(c), "o o o o");
        assert_int_equal(all->n, 8);
        assert_int_equal(cluster_count(k, C_denied_deliver), 4);
        client_free(k, c);
        client_free(k, all);
        client_free(k, p);
    }
}

static void a_right_that_goes_stops_delivery_and_one_that_comes_starts_it(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, "c", 0, RULES("+r a"));
        struct client *p = client_new(k, "p", 0);
        client_sub(k, c, "a", 1);
        for (unsigned i = 0; i < 3; i++)
            client_pub(k, p, "a", "1", 1);
        client_may(c, RULES("-r a"));
        for (unsigned i = 0; i < 3; i++)
            client_pub(k, p, "a", "2", 1);
        client_may(c, RULES("+r a", "-r b"));
        for (unsigned i = 0; i < 3; i++)
            client_pub(k, p, "a", "3", 1);
        client_may(c, NULL); /* no rules any more */
        client_pub(k, p, "a", "4", 1);
        assert_string_equal(client_heard(c), "1 1 1 3 3 3 4");
        client_free(k, c);
        client_free(k, p);
    }
}

static void an_equal_grant_voids_no_cache(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *c = client_with(k, "c", 0, RULES("+r a"));
    client_sub(k, c, "a", 1);
    uint64_t before = k->broker[0]->local.generation;
    client_may(c, RULES("+r a"));
    assert_int_equal(k->broker[0]->local.generation, before);
    client_may(c, RULES("+r a", "+r b"));
    assert_int_not_equal(k->broker[0]->local.generation, before);
    client_free(k, c);
    cluster_free(k);
}

/* ---- retained ---------------------------------------------------------------------------------
 */

static void of_retained_messages_come_those_that_may_be_read(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        struct client *c = client_with(k, "c", 0, RULES("-r t/3", "+r t/#"));
        for (unsigned i = 0; i < 6; i++) {
            char topic[8];
            snprintf(topic, sizeof topic, "t/%u", i);
            client_say(p, topic, "x", SAY_RETAINED, 0);
        }
        client_say(p, "u", "x", SAY_RETAINED, 0);
        cluster_settle(k);
        client_sub(k, c, "#", 1);
        assert_int_equal(c->n, 5);
        for (unsigned i = 0; i < c->n; i++)
            assert_true(strcmp(c->note[i].topic, "t/3") != 0 && c->note[i].topic[0] == 't');
        assert_int_equal(cluster_count(k, C_denied_deliver), 2);
        client_free(k, c);
        client_free(k, p);
    }
}

/* CVE-2018-12546 is about what was retained, this about what was on its way already. */
static void retained_messages_that_wait_are_judged_when_they_go(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        struct client *c = client_with(k, "c", 0, RULES("+r #"));
        client_say(p, "a", "a", SAY_RETAINED | 1, 1);
        client_say(p, "b", "b", SAY_RETAINED | 1, 2);
        cluster_settle(k);
        c->not_ready = true;
        client_sub(k, c, "#", 1);
        assert_int_equal(c->n, 0);
        client_may(c, RULES("-r a", "+r #"));
        c->not_ready = false;
        session_pump(c->session);
        assert_string_equal(client_heard(c), "b");
        assert_int_equal(c->session->retained_due, 0);
        client_free(k, c);
        client_free(k, p);
    }
}

/* ---- what waits ---------------------------------------------------------------------------------
 */

static void what_waits_is_judged_by_the_grant_of_the_day(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, "c", SESSION_NEVER_EXPIRES, RULES("+r #"));
        struct client *p = client_new(k, "p", 0);
        client_sub(k, c, "#", 1);
        client_detach(k, c, false);
        client_pub(k, p, "a", "a1", 1);
        client_pub(k, p, "b", "b1", 1);
        client_pub(k, p, "a", "a2", 1);
        client_back(k, c, "c", RULES("-r a", "+r #"));
        client_pub(k, p, "b", "b2", 1);
        assert_string_equal(client_heard(c), "b1 b2");
        assert_int_equal(cluster_count(k, C_queued), 0);
        assert_int_equal(c->session->queue_bytes, 0);
        assert_false(c->session->recheck);
        assert_int_equal(cluster_count(k, C_denied_deliver), 2);
        client_free(k, c);
        client_free(k, p);
    }
}

/* A client offline while the rules are read again. */
static void rights_may_change_while_the_client_is_away(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, "c", SESSION_NEVER_EXPIRES, RULES("+r #"));
        struct client *p = client_new(k, "p", 0);
        client_sub(k, c, "#", 1);
        struct session *s = c->session;
        client_detach(k, c, false);
        client_pub(k, p, "a", "a1", 1);
        client_pub(k, p, "b", "b1", 1);
        c->session = s;
        client_may(c, RULES("-r a", "+r #"));
        c->session = NULL;
        client_pub(k, p, "a", "a2", 1);
        client_pub(k, p, "b", "b2", 1);
        client_back(k, c, "c", RULES("-r a", "+r #"));
        assert_string_equal(client_heard(c), "b1 b2");
        client_free(k, c);
        client_free(k, p);
    }
}

static void what_was_in_flight_is_not_sent_again_once_it_may_not_be_read(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_with(k, "c", SESSION_NEVER_EXPIRES, RULES("+r #"));
        struct client *p = client_new(k, "p", 0);
        client_sub(k, c, "#", 2);
        client_pub(k, p, "a", "1", 1);
        client_pub(k, p, "a", "2", 2);
        client_pub(k, p, "b", "3", 1);
        assert_int_equal(c->n, 3);
        uint16_t second = c->note[1].packet_id;
        client_detach(k, c, false);
        client_forget(c);
        client_back(k, c, "c", RULES("-r a", "+r #"));
        assert_string_equal(client_heard(c), "3");
        /* The client may have taken "2" already and wait for PUBREL: its id ends in order. */
        assert_int_equal(c->released, 1);
        assert_int_equal(c->released_id[0], second);
        assert_int_equal(session_on_pubcomp(c->session, second), 0);
        assert_int_equal(session_on_puback(c->session, c->note[0].packet_id), 0);
        assert_int_equal(c->session->in_flight, 0);
        client_free(k, c);
        client_free(k, p);
    }
}

/* ---- whose session it is ------------------------------------------------------------------------
 */

static struct client *as_user(struct cluster *k, const char *user)
{
    static const uint8_t ip[16];
    struct client *c = calloc(1, sizeof *c);
    struct attach a = {.client_id = BYTES("one id"), .expiry_s = SESSION_NEVER_EXPIRES};
    if (*user) a.identity = identity_new(NULL, ip, bytes_str(user));
    client_attach(k, c, &a);
    return c;
}

/* Nobody comes in as the client of somebody who has a name. */
static void a_session_of_a_user_is_taken_over_by_that_user_only(void **state)
{
    static const char *const others[] = {"bob", "", "an", "anna"};
    (void)state;
    EACH_SIZE(k)
    {
        for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
            struct client *first = as_user(k, "ann");
            client_sub(k, first, "a", 1);
            for (unsigned connected = 0; connected < 2; connected++) {
                static const uint8_t ip[16] = {1};
                struct client other = {.present = false};
                struct attach a = {
                    .client_id = BYTES("one id"), .ops = &client_ops, .sink = &other};
                int err = 0;
                unsigned home = broker_home(k->broker[0], 0, a.client_id);
                if (*others[i]) a.identity = identity_new(NULL, ip, bytes_str(others[i]));
                assert_null(session_attach(k->broker[home], &a, &other.present, &err));
                assert_int_equal(err, -ERR_DENIED);
                assert_false(first->kicked);
                identity_free(&a.identity);
                if (!connected) client_detach(k, first, false);
            }
            struct client *same = as_user(k, "ann");
            assert_true(same->present);
            assert_int_equal(same->session->nsubs, 1);
            client_free(k, first);
            client_free(k, same);
        }
    }
}

static void a_session_is_not_inherited_by_another_user(void **state)
{
    static const char *const others[][2] = {{"ann", "bob"}, {"ann", ""}, {"", "ann"}};
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    (void)state;
    o.takeover_by_anybody = true;
    for (unsigned i = 0; i < ARRAY_LEN(others); i++)
        EACH_CLUSTER(k, &o)
        {
            struct client *p = client_new(k, "p", 0);
            struct client *first = as_user(k, others[i][0]);
            client_sub(k, first, "a", 1);
            client_detach(k, first, false);
            client_pub(k, p, "a", "private", 1);
            struct client *same = as_user(k, others[i][0]);
            assert_true(same->present);
            assert_int_equal(same->n, 1);
            struct client *other = as_user(k, others[i][1]);
            assert_true(same->kicked);
            assert_false(other->present);
            assert_int_equal(other->n, 0);
            assert_int_equal(other->session->nsubs, 0);
            client_free(k, first);
            client_free(k, same);
            client_free(k, other);
            client_free(k, p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_not_be_written_reaches_nobody),
        cmocka_unit_test(refusals_wait_for_the_acceptances_before_them),
        cmocka_unit_test(a_retained_message_is_neither_set_nor_cleared_without_leave),
        cmocka_unit_test(what_is_the_brokers_own_no_client_writes),
        cmocka_unit_test(a_will_is_judged_when_it_is_sent),
        cmocka_unit_test(a_filter_of_which_nothing_may_be_read_is_refused),
        cmocka_unit_test(a_wide_subscription_delivers_only_what_may_be_read),
        cmocka_unit_test(a_right_that_goes_stops_delivery_and_one_that_comes_starts_it),
        cmocka_unit_test(an_equal_grant_voids_no_cache),
        cmocka_unit_test(of_retained_messages_come_those_that_may_be_read),
        cmocka_unit_test(retained_messages_that_wait_are_judged_when_they_go),
        cmocka_unit_test(what_waits_is_judged_by_the_grant_of_the_day),
        cmocka_unit_test(rights_may_change_while_the_client_is_away),
        cmocka_unit_test(what_was_in_flight_is_not_sent_again_once_it_may_not_be_read),
        cmocka_unit_test(a_session_of_a_user_is_taken_over_by_that_user_only),
        cmocka_unit_test(a_session_is_not_inherited_by_another_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
