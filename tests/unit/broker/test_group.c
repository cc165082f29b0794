/* SPDX-License-Identifier: BSD-3-Clause */
/* test_group.c -- the members of a share group on one core. */
#include "broker/share.h"

#include "unit/broker/cluster.h"

static struct client *member(struct cluster *k, const char *id, uint16_t receive_max, uint8_t qos)
{
    struct client *c = calloc(1, sizeof *c);
    client_attach(
        k, c,
        &(struct attach){.client_id = bytes_str(id), .expiry_s = 1000, .receive_max = receive_max});
    client_sub(k, c, "$share/g/t", qos);
    return c;
}

static void end(struct cluster *k, struct client *c)
{
    if (c->session) session_set_expiry(c->session, 0);
    client_free(k, c);
}

static void members_take_turns_also_when_some_come_and_go(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *m[5];
    for (unsigned i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "m%u", i);
        m[i] = member(k, id, 1000, 0);
        for (unsigned round = 0; round < 2; round++) {
            for (unsigned j = 0; j <= i; j++)
                client_forget(m[j]);
            for (unsigned j = 0; j < 10 * (i + 1); j++)
                client_pub(k, p, "t", "x", 0);
            for (unsigned j = 0; j <= i; j++)
                assert_int_equal(m[j]->n, 10);
        }
    }
    assert_int_equal(broker_unsubscribe(m[2]->session, BYTES("$share/g/t")), 0);
    client_detach(k, m[0], false);
    client_detach(k, m[4], false);
    client_forget(m[1]);
    client_forget(m[3]);
    for (unsigned j = 0; j < 20; j++)
        client_pub(k, p, "t", "x", 0);
    assert_int_equal(m[1]->n, 10);
    assert_int_equal(m[3]->n, 10);
    for (unsigned i = 0; i < 5; i++)
        end(k, m[i]);
    end(k, p);
    cluster_free(k);
}

static void a_member_without_room_is_passed_over_while_another_has_some(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0);
    struct client *narrow = member(k, "narrow", 1, 1), *wide = member(k, "wide", 100, 1);
    for (unsigned i = 0; i < 50; i++)
        client_pub(k, p, "t", "x", 1);
    assert_int_equal(narrow->n, 1);
    assert_int_equal(wide->n, 49);
    wide->not_ready = true;
    session_on_puback(narrow->session, narrow->note[0].packet_id);
    client_pub(k, p, "t", "x", 1);
    assert_int_equal(narrow->n, 2);
    client_pub(k, p, "t", "waits", 1); /* nobody has room: it waits with one of them */
    client_pub(k, p, "t", "waits", 1);
    assert_int_equal(counter_read(&k->core[0].counters, C_queued), 2);
    end(k, narrow);
    end(k, wide);
    end(k, p);
    cluster_free(k);
}

static void what_is_kept_goes_to_a_member_that_wants_qos_1(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0);
    struct client *one = member(k, "one", 10, 1), *zero = member(k, "zero", 10, 0);
    client_detach(k, one, false);
    client_detach(k, zero, false);
    client_pub(k, p, "t", "kept", 1);
    client_attach(k, one, &(struct attach){.client_id = BYTES("one")});
    assert_string_equal(client_heard(one), "kept");
    client_attach(k, zero, &(struct attach){.client_id = BYTES("zero")});
    assert_int_equal(zero->n, 0);
    end(k, one);
    end(k, zero);
    end(k, p);
    cluster_free(k);
}

/* What waits in its queue when it leaves goes to the others, too. */
static void the_queue_of_a_member_that_leaves_is_shared_out(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0);
    struct client *a = member(k, "a", 2, 1), *b = member(k, "b", 2, 1);
    client_sub(k, a, "own", 1);
    for (unsigned i = 0; i < 10; i++)
        client_pub(k, p, "t", "x", 1);
    client_pub(k, p, "own", "mine", 1);
    client_detach(k, a, false);
    for (unsigned i = 0; i < b->n; i++) {
        session_on_puback(b->session, b->note[i].packet_id);
        cluster_settle(k);
    }
    assert_int_equal(b->n, 10);
    client_forget(a);
    client_attach(k, a, &(struct attach){.client_id = BYTES("a")});
    assert_string_equal(client_heard(a), "mine");
    end(k, a);
    end(k, b);
    end(k, p);
    cluster_free(k);
}

/* A message with the slot of a group that is gone finds no group, not the one that has its place
 * now: places are used again as late as possible, so it takes as many groups as there are. */
static void mail_for_a_group_that_is_gone_does_not_reach_its_successor(void **state)
{
    (void)state;
    enum { GROUPS = 200 };
    struct cluster *k = cluster_new(2, NULL);
    const char *far = topic_at(k, 1, "t");
    struct client *p = client_new(k, client_at(k, 1, "p"), 0);
    struct client *c = client_new(k, client_at(k, 0, "c"), 0);
    static struct sub_batch batch[GROUPS];
    char filter[64];
    snprintf(filter, sizeof filter, "$share/g/%s", far);
    client_sub(k, c, filter, 1);
    for (uint16_t i = 1; i <= 10; i++)
        client_say(p, far, "x", 1, i);
    cluster_turn(k, 1); /* SHARED mail is under way */
    broker_unsubscribe(c->session, bytes_str(filter));
    for (unsigned i = 0; i < GROUPS; i++) { /* one at a time */
        struct sub_request r = {.filter = BYTES("$share/g/other"), .qos = 1};
        batch[i] = (struct sub_batch){.session = c->session, .done = client_subscribed};
        broker_subscribe(c->session, &r, &batch[i]);
        broker_subscribe_end(&batch[i]);
        if (k->broker[0]->group_slots.at[1] & 1) broker_unsubscribe(c->session, r.filter);
    }
    assert_non_null(slots_find(&k->broker[0]->group_slots, 1)); /* the place of the first */
    cluster_settle(k);
    assert_int_equal(c->n, 0);
    assert_int_equal(p->accepted, 10);
    client_free(k, c);
    client_free(k, p);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_take_turns_also_when_some_come_and_go),
        cmocka_unit_test(a_member_without_room_is_passed_over_while_another_has_some),
        cmocka_unit_test(what_is_kept_goes_to_a_member_that_wants_qos_1),
        cmocka_unit_test(the_queue_of_a_member_that_leaves_is_shared_out),
        cmocka_unit_test(mail_for_a_group_that_is_gone_does_not_reach_its_successor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
