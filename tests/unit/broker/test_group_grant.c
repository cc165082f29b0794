/* SPDX-License-Identifier: BSD-3-Clause */
/* test_group_grant.c -- share groups whose members have different rights: each message goes to one
 * member that may read it, wherever that is, and to nobody if nobody may. */
#include "unit/broker/grant_rig.h"

enum { MEMBERS = 6, MESSAGES = 24 };

#define FILTER "$share/g/#"

struct party {
    struct client *publisher, *member[MEMBERS];
    const char *id[MEMBERS];
};

/* Member i may read "m<i>" and "common", and nothing else. */
static void party_open(struct party *p, struct cluster *k, uint8_t qos, uint32_t expiry_s)
{
    static const char *const own[MEMBERS] = {"+r m0", "+r m1", "+r m2", "+r m3", "+r m4", "+r m5"};
    *p = (struct party){.publisher = client_new(k, "publisher", 0)};
    for (unsigned i = 0; i < MEMBERS; i++) {
        char prefix[8];
        snprintf(prefix, sizeof prefix, "m%u-", i);
        p->id[i] = client_at(k, i, prefix);
        p->member[i] = client_with(k, p->id[i], expiry_s, RULES(own[i], "+r common"));
        client_sub(k, p->member[i], FILTER, qos);
    }
}

static void party_close(struct party *p, struct cluster *k)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        client_free(k, p->member[i]);
    client_free(k, p->publisher);
}

static void say(struct party *p, struct cluster *k, const char *topic, uint8_t qos)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        client_say(p->publisher, topic, "x", qos, (uint16_t)(qos ? i + 1 : 0));
    cluster_settle(k);
}

static unsigned heard_by_all(const struct party *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MEMBERS; i++)
        n += p->member[i]->n;
    return n;
}

static void a_message_finds_the_one_member_that_may_read_it(void **state)
{
    (void)state;
    for (uint8_t qos = 0; qos < 3; qos++)
        EACH_SIZE(k)
        {
            struct party p;
            party_open(&p, k, 2, 0);
            say(&p, k, "m3", qos);
            say(&p, k, "m0", qos);
            say(&p, k, "m5", qos);
            assert_int_equal(heard_by_all(&p), 3 * MESSAGES);
            assert_int_equal(p.member[3]->n, MESSAGES);
            assert_int_equal(p.member[0]->n, MESSAGES);
            assert_int_equal(p.member[5]->n, MESSAGES);
            assert_int_equal(cluster_count(k, C_denied_deliver), 0);
            party_close(&p, k);
        }
}

static void what_all_may_read_is_shared_as_ever(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        party_open(&p, k, 1, 0);
        say(&p, k, "common", 1);
        assert_int_equal(heard_by_all(&p), MESSAGES);
        for (unsigned i = 0; i < MEMBERS; i++)
            assert_true(p.member[i]->n > 0);
        party_close(&p, k);
    }
}

static void what_nobody_may_read_is_dropped_and_counted(void **state)
{
    (void)state;
    for (uint8_t qos = 0; qos < 3; qos++)
        EACH_SIZE(k)
        {
            struct party p;
            party_open(&p, k, 2, 0);
            say(&p, k, "secret", qos);
            assert_int_equal(heard_by_all(&p), 0);
            assert_int_equal(cluster_count(k, C_denied_deliver), MESSAGES);
            party_close(&p, k);
        }
}

/* Those who are online may not; one who may is away, and will come back. */
static void it_waits_for_a_member_that_is_away_and_may_read_it(void **state)
{
    (void)state;
    for (unsigned others = 0; others < 2; others++)
        EACH_SIZE(k)
        {
            struct party p;
            party_open(&p, k, 1, SESSION_NEVER_EXPIRES);
            client_detach(k, p.member[4], false);
            for (unsigned i = 0; others && i < MEMBERS; i++)
                if (i != 4) client_detach(k, p.member[i], false);
            say(&p, k, "m4", 1);
            assert_int_equal(heard_by_all(&p), 0);
            assert_int_equal(cluster_count(k, C_queued), MESSAGES);
            client_back(k, p.member[4], p.id[4], RULES("+r m4"));
            assert_int_equal(p.member[4]->n, MESSAGES);
            party_close(&p, k);
        }
}

static void at_qos_0_it_waits_for_nobody(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        party_open(&p, k, 1, SESSION_NEVER_EXPIRES);
        client_detach(k, p.member[4], false);
        say(&p, k, "m4", 0);
        assert_int_equal(heard_by_all(&p), 0);
        assert_int_equal(cluster_count(k, C_queued), 0);
        assert_int_equal(cluster_count(k, C_denied_deliver), MESSAGES);
        party_close(&p, k);
    }
}

static void what_a_member_holds_goes_on_when_its_right_does(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        party_open(&p, k, 1, SESSION_NEVER_EXPIRES);
        for (unsigned i = 0; i < MEMBERS; i++)
            p.member[i]->not_ready = true;
        say(&p, k, "m2", 1); /* all wait at member 2 */
        assert_int_equal(cluster_count(k, C_queued), MESSAGES);
        client_may(p.member[5], RULES("+r m2"));
        client_may(p.member[2], RULES("+r other"));
        for (unsigned i = 0; i < MEMBERS; i++)
            p.member[i]->not_ready = false;
        session_pump(p.member[2]->session);
        cluster_settle(k);
        assert_int_equal(p.member[2]->n, 0);
        assert_int_equal(p.member[5]->n, MESSAGES);
        assert_int_equal(cluster_count(k, C_denied_deliver), 0);
        party_close(&p, k);
    }
}

static void what_was_in_flight_to_it_goes_on_too(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        party_open(&p, k, 1, SESSION_NEVER_EXPIRES);
        say(&p, k, "m1", 1);
        assert_int_equal(p.member[1]->n, MESSAGES);
        /* Its connection ends unconfirmed; nobody else may read them, so they stay with it. */
        client_detach(k, p.member[1], false);
        client_may(p.member[0], RULES("+r m1"));
        client_forget(p.member[1]);
        client_back(k, p.member[1], p.id[1], RULES("+r other"));
        assert_int_equal(p.member[1]->n, 0);
        assert_int_equal(p.member[0]->n, MESSAGES);
        party_close(&p, k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_finds_the_one_member_that_may_read_it),
        cmocka_unit_test(what_all_may_read_is_shared_as_ever),
        cmocka_unit_test(what_nobody_may_read_is_dropped_and_counted),
        cmocka_unit_test(it_waits_for_a_member_that_is_away_and_may_read_it),
        cmocka_unit_test(at_qos_0_it_waits_for_nobody),
        cmocka_unit_test(what_a_member_holds_goes_on_when_its_right_does),
        cmocka_unit_test(what_was_in_flight_to_it_goes_on_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
