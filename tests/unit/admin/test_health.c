/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/gather.h"
#include "office.h"

static void it_is_alive_if_every_core_answers(void **state)
{
    static const unsigned sizes[] = {1, 2, 5};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct office *o = office_new(sizes[i]);
        office_pass(o, 10); /* what was found at the start is forgotten */
        assert_status(office_ask(o, "GET /healthz", ""), 200);
        office_free(o);
    }
}

static void a_core_that_does_not_answer_makes_it_ill_in_time(void **state)
{
    struct office *o = office_new(3);

    (void)state;
    office_pass(o, 10);
    o->stuck[2] = true;
    assert_string_equal(office_ask(o, "GET /healthz", ""), "");
    office_pass(o, GATHER_S + 1);
    assert_status(office_hear(o), 503);
    o->stuck[2] = false; /* it answers after all: too late, and nothing is lost */
    office_turn(o, 10);
    assert_int_equal(o->admin[0]->ngathers, 0);
    assert_status(office_ask(o, "GET /healthz", ""), 200);
    office_free(o);
}

static void a_core_that_is_stuck_costs_bounded_memory(void **state)
{
    struct office *o = office_new(2);

    (void)state;
    office_pass(o, 10);
    o->stuck[1] = true;
    for (unsigned i = 0; i < 3 * GATHERS_MAX; i++) {
        office_ask(o, "GET /healthz", "");
        office_pass(o, GATHER_S + 1);
        assert_status(office_hear(o), 503);
    }
    assert_true(o->admin[0]->ngathers <= GATHERS_MAX / 2);
    office_free(o);
}

static void what_was_found_within_a_second_is_told_again(void **state)
{
    struct office *o = office_new(2);

    (void)state;
    office_pass(o, 10);
    assert_status(office_ask(o, "GET /healthz", ""), 200);
    o->stuck[1] = true; /* nobody asks it */
    assert_status(office_ask(o, "GET /healthz", ""), 200);
    office_free(o);
}

static void cut_off(struct conn *c, void *arg)
{
    (void)arg;
    conn_close(c, -ERR_RESET);
}

static void a_client_that_goes_is_forgotten(void **state)
{
    struct office *o = office_new(2);

    (void)state;
    office_pass(o, 10);
    o->stuck[1] = true;
    office_ask(o, "GET /healthz", "");
    assert_int_equal(o->admin[0]->ngathers, 1);
    net_each(o->net[0], cut_off, NULL);
    office_turn(o, 2);
    o->stuck[1] = false;
    office_turn(o, 5);
    assert_int_equal(o->admin[0]->ngathers, 0);
    office_free(o);
}

static void readiness_is_what_the_broker_says(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    assert_status(office_ask(o, "GET /readyz", ""), 503);
    admin_set_ready(&o->shared, true);
    assert_status(office_ask(o, "GET /readyz", ""), 200);
    assert_status(office_ask(o, "HEAD /readyz", ""), 200);
    admin_set_ready(&o->shared, false);
    assert_status(office_ask(o, "GET /readyz", ""), 503);
    office_free(o);
}

static void health_needs_a_token_if_the_settings_say_so(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    o->shared.health_needs_token = true;
    assert_status(office_ask(o, "GET /healthz", ""), 401);
    assert_status(office_ask(o, "GET /readyz", ""), 401);
    assert_status(office_ask(o, "GET /healthz", BEARER), 200);
    office_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_alive_if_every_core_answers),
        cmocka_unit_test(a_core_that_does_not_answer_makes_it_ill_in_time),
        cmocka_unit_test(a_core_that_is_stuck_costs_bounded_memory),
        cmocka_unit_test(what_was_found_within_a_second_is_told_again),
        cmocka_unit_test(a_client_that_goes_is_forgotten),
        cmocka_unit_test(readiness_is_what_the_broker_says),
        cmocka_unit_test(health_needs_a_token_if_the_settings_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
