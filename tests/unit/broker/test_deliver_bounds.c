/* SPDX-License-Identifier: BSD-3-Clause */
/* test_deliver_bounds.c -- a turn has an end, and nothing is delivered that the log has no room
 * for. */
#include "unit/broker/fake_journal.h"

enum { MANY = 3000 };

static unsigned heard_in_order(const struct client *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        char number[16];
        snprintf(number, sizeof number, "%u", i);
        assert_string_equal(c->note[i].payload, number);
    }
    return c->n;
}

static void say_many(struct client *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char number[16];
        snprintf(number, sizeof number, "%u", i);
        client_say(p, "t", number, 0, 0);
    }
}

static void a_turn_delivers_so_much_and_later_turns_the_rest_in_order(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c[10];
    for (unsigned i = 0; i < 10; i++) {
        char id[] = {'c', (char)('0' + i), 0};
        c[i] = client_new(k, id, 0);
        client_sub(k, c[i], "t", 0);
    }
    say_many(p, MANY);
    broker_deliver(k->broker[0]);
    unsigned first = heard_in_order(c[0]);
    assert_true(first > 0 && first < MANY);
    assert_true(k->core[0].again);
    broker_deliver(k->broker[0]);
    assert_true(heard_in_order(c[0]) > first);
    cluster_settle(k);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(heard_in_order(c[i]), MANY);
        client_free(k, c[i]);
    }
    client_free(k, p);
    cluster_free(k);
}

/* Its answer comes among the arrivals: live is what was published after it. */
static void a_subscription_begins_at_its_place_among_those_that_are_left(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *old = client_new(k, "old", 0);
    struct client *late = client_new(k, "late", 0);
    client_sub(k, old, "#", 0);
    struct fake *f = fake_new(k);
    f->no_room = true;
    client_say(p, "t", "before", 0, 0);
    struct sub_request r = {.filter = BYTES("t")};
    client_ask(late, &r);
    client_say(p, "t", "after", 0, 0);
    cluster_settle(k);
    assert_int_equal(old->n, 0);
    f->no_room = false;
    cluster_settle(k);
    assert_string_equal(client_heard(old), "before after");
    assert_string_equal(client_heard(late), "after");
    client_free(k, p), client_free(k, old), client_free(k, late);
    cluster_free(k);
}

static void without_room_in_the_log_arrivals_wait_and_the_core_may_sleep(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = client_new(k, "c", 0);
    struct fake *f = fake_new(k);
    client_sub(k, c, "t", 0);
    f->no_room = true;
    k->core[0].again = false;
    say_many(p, 5);
    cluster_settle(k);
    assert_int_equal(c->n, 0);
    assert_false(k->core[0].again);
    f->no_room = false;
    cluster_settle(k);
    assert_int_equal(heard_in_order(c), 5);
    client_free(k, p), client_free(k, c);
    cluster_free(k);
}

static void what_waits_for_room_has_a_bound(void **state)
{
    (void)state;
    enum { FAR_TOO_MANY = 100000 };
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0);
    client_sub(k, p, "t", 0);
    p->session->subs->no_local = true; /* it takes arrivals, not notes */
    struct fake *f = fake_new(k);
    f->no_room = true;
    say_many(p, FAR_TOO_MANY);
    client_say(p, "t", "kept", 1, 1);
    uint64_t dropped = k->core[0].counters.v[C_dropped_queue];
    assert_in_range(dropped, 1, FAR_TOO_MANY - 1);
    assert_int_equal(k->broker[0]->arrivals, FAR_TOO_MANY - dropped + 1);
    f->no_room = false;
    cluster_settle(k);
    client_free(k, p);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_delivers_so_much_and_later_turns_the_rest_in_order),
        cmocka_unit_test(a_subscription_begins_at_its_place_among_those_that_are_left),
        cmocka_unit_test(without_room_in_the_log_arrivals_wait_and_the_core_may_sleep),
        cmocka_unit_test(what_waits_for_room_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
