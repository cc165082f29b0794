/* SPDX-License-Identifier: BSD-3-Clause */
/* test_guard.c -- counts that hold for the whole broker, whichever core asks. */
#include "broker/access/guard.h"

#include "unit/broker/cluster.h"

struct asker {
    struct guard_pass *pass;
    enum guard_answer answer;
    unsigned told;
};

static void on_answer(void *asker, enum guard_answer answer)
{
    struct asker *a = asker;
    a->answer = answer;
    a->told++;
}

static struct guard_request request(const struct broker *b, const char *address, const char *user,
                                    uint32_t max)
{
    struct guard_request r = {.name = {[GUARD_KINDS - 1] = {.wanted = false}}};
    if (address)
        r.name[GUARD_ADDRESS] =
            (struct guard_name){guard_hash(b, GUARD_ADDRESS, bytes_str(address)), max, true};
    if (user)
        r.name[GUARD_USER] =
            (struct guard_name){guard_hash(b, GUARD_USER, bytes_str(user)), max, true};
    return r;
}

/* Asks on core `at` and waits for the answer. */
static enum guard_answer ask(struct cluster *k, unsigned at, struct asker *a,
                             const struct guard_request *r)
{
    if (!a->pass) a->pass = guard_pass_new(k->broker[at], on_answer, a);
    assert_non_null(a->pass);
    unsigned told = a->told;
    enum guard_answer now = guard_ask(a->pass, r);
    cluster_settle(k);
    assert_int_equal(a->told, told + (now == GUARD_ASKED));
    if (now != GUARD_ASKED) a->answer = now;
    return a->answer;
}

static void drop(struct cluster *k, struct asker *a, bool failed)
{
    guard_drop(&a->pass, failed);
    cluster_settle(k);
}

static void a_name_has_as_many_places_as_allowed_on_all_cores_together(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct guard_request r = request(k->broker[0], "10.0.0.1", NULL, 3);
        struct asker a[4] = {{0}};
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(ask(k, i % k->cores, &a[i], &r), GUARD_OK);
        assert_int_equal(ask(k, 3 % k->cores, &a[3], &r), GUARD_TOO_MANY);
        drop(k, &a[3], false);
        drop(k, &a[1], false);
        assert_int_equal(ask(k, 3 % k->cores, &a[3], &r), GUARD_OK);
        for (unsigned i = 0; i < 4; i++)
            drop(k, &a[i], false);
    }
}

static void what_was_got_is_given_back_when_another_name_has_no_place(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct guard_request both = request(k->broker[0], "10.0.0.1", "ann", 1);
        struct guard_request user = request(k->broker[0], NULL, "ann", 1);
        struct guard_request address = request(k->broker[0], "10.0.0.1", NULL, 1);
        struct asker first = {0}, second = {0}, third = {0};
        assert_int_equal(ask(k, 0, &first, &user), GUARD_OK);
        assert_int_equal(ask(k, 0, &second, &both), GUARD_TOO_MANY);
        drop(k, &second, false);
        assert_int_equal(ask(k, 0, &third, &address), GUARD_OK);
        drop(k, &first, false);
        drop(k, &third, false);
    }
}

static void a_pass_asks_for_more_and_keeps_what_it_has(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct guard_request address = request(k->broker[0], "10.0.0.1", NULL, 1);
        struct guard_request both = request(k->broker[0], "10.0.0.1", "ann", 1);
        struct guard_request user = request(k->broker[0], NULL, "ann", 1);
        struct asker a = {0}, b = {0};
        assert_int_equal(ask(k, 0, &a, &address), GUARD_OK);
        assert_int_equal(ask(k, 0, &a, &both), GUARD_OK);
        assert_int_equal(ask(k, 0, &b, &user), GUARD_TOO_MANY);
        drop(k, &b, false);
        drop(k, &a, false);
        assert_int_equal(ask(k, 0, &b, &both), GUARD_OK);
        drop(k, &b, false);
    }
}

static void a_pass_dropped_under_way_holds_nothing(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct guard_request r = request(k->broker[0], "10.0.0.1", "ann", 1);
        for (unsigned at = 0; at < k->cores; at++) {
            struct asker a = {0};
            a.pass = guard_pass_new(k->broker[at], on_answer, &a);
            guard_ask(a.pass, &r);
            drop(k, &a, false);
            assert_int_equal(a.told, 0);
        }
        struct asker b = {0};
        assert_int_equal(ask(k, 0, &b, &r), GUARD_OK);
        drop(k, &b, false);
    }
}

static void an_address_that_fails_too_often_is_sent_away_for_a_while(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.guard = (struct guard_limits){.failures = 3, .failures_s = 60, .ban_s = 60};
    EACH_CLUSTER(k, &o)
    {
        struct guard_request r = request(k->broker[0], "10.0.0.1", NULL, 0);
        struct guard_request other = request(k->broker[0], "10.0.0.2", NULL, 0);
        struct asker a = {0};
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(ask(k, i % k->cores, &a, &r), GUARD_OK);
            drop(k, &a, true);
        }
        assert_int_equal(ask(k, 0, &a, &r), GUARD_BANNED);
        drop(k, &a, false);
        assert_int_equal(ask(k, 0, &a, &other), GUARD_OK);
        drop(k, &a, false);
    }
}

/* ---- one table, its clock turned by hand -------------------------------------------------- */

static void set_time(struct core *c, uint64_t ms)
{
    c->clock.now_ns = ms * NS_PER_MS;
    wheel_run(&c->wheel, core_now_s(c));
}

static struct core *a_core(void)
{
    struct core *c = aligned_alloc(alignof(struct core), sizeof *c);
    assert_non_null(c);
    memset(c, 0, sizeof *c);
    wheel_init(&c->wheel, 0);
    return c;
}

static void connects_may_come_in_a_burst_and_then_at_their_rate(void **state)
{
    (void)state;
    struct core *c = a_core();
    struct guard g;
    guard_init(&g, c, &(struct guard_limits){.connect_rate = 10, .connect_burst = 5});
    unsigned in = 0;
    for (unsigned i = 0; i < 100; i++)
        in += guard_admit(&g, GUARD_ADDRESS, 7, 0) == GUARD_OK;
    assert_int_equal(in, 6); /* the burst, and the one that is on time */
    for (unsigned ms = 0; ms <= 1000; ms += 10) {
        set_time(c, ms);
        in += guard_admit(&g, GUARD_ADDRESS, 7, 0) == GUARD_OK;
    }
    assert_int_equal(in, 16);
    assert_int_equal(guard_admit(&g, GUARD_USER, 9, 0), GUARD_OK); /* only addresses */
    guard_fini(&g);
    free(c);
}

static void failures_long_ago_do_not_count_and_a_ban_ends(void **state)
{
    (void)state;
    struct core *c = a_core();
    struct guard g;
    guard_init(&g, c, &(struct guard_limits){.failures = 2, .failures_s = 10, .ban_s = 30});
    for (unsigned s = 0; s <= 60; s += 20) {
        set_time(c, s * 1000);
        assert_int_equal(guard_admit(&g, GUARD_ADDRESS, 7, 0), GUARD_OK);
        guard_leave(&g, 7, true);
    }
    set_time(c, 65000);
    assert_int_equal(guard_admit(&g, GUARD_ADDRESS, 7, 0), GUARD_OK);
    guard_leave(&g, 7, true);
    assert_int_equal(guard_admit(&g, GUARD_ADDRESS, 7, 0), GUARD_BANNED);
    set_time(c, 94000);
    assert_int_equal(guard_admit(&g, GUARD_ADDRESS, 7, 0), GUARD_BANNED);
    set_time(c, 95000);
    assert_int_equal(guard_admit(&g, GUARD_ADDRESS, 7, 0), GUARD_OK);
    guard_leave(&g, 7, false);
    guard_fini(&g);
    free(c);
}

static void a_name_that_has_been_quiet_is_forgotten(void **state)
{
    (void)state;
    struct core *c = a_core();
    struct guard g;
    guard_init(&g, c, &(struct guard_limits){.failures = 2, .failures_s = 10, .ban_s = 5});
    for (uint64_t name = 1; name <= 1000; name++) {
        assert_int_equal(guard_admit(&g, GUARD_ADDRESS, name, 0), GUARD_OK);
        if (name > 1) guard_leave(&g, name, false);
    }
    assert_int_equal(g.names.used, 1000);
    for (unsigned s = 1; s <= 30; s++)
        set_time(c, s * 1000);
    assert_int_equal(g.names.used, 1); /* the one who is still there */
    guard_leave(&g, 1, false);
    guard_fini(&g);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_as_many_places_as_allowed_on_all_cores_together),
        cmocka_unit_test(what_was_got_is_given_back_when_another_name_has_no_place),
        cmocka_unit_test(a_pass_asks_for_more_and_keeps_what_it_has),
        cmocka_unit_test(a_pass_dropped_under_way_holds_nothing),
        cmocka_unit_test(an_address_that_fails_too_often_is_sent_away_for_a_while),
        cmocka_unit_test(connects_may_come_in_a_burst_and_then_at_their_rate),
        cmocka_unit_test(failures_long_ago_do_not_count_and_a_ban_ends),
        cmocka_unit_test(a_name_that_has_been_quiet_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
