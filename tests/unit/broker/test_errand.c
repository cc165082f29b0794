/* SPDX-License-Identifier: BSD-3-Clause */
/* test_errand.c -- work asked of another core runs there, once, and comes back. */
#include "broker/errand.h"
#include "unit/broker/cluster.h"

struct visit {
    struct errand errand;
    unsigned ran_on, back_on, runs, backs, order;
    unsigned *counter;
};

static void run(struct errand *e, struct broker *there)
{
    struct visit *v = CONTAINER_OF(e, struct visit, errand);
    v->ran_on = broker_core(there)->id;
    v->runs++;
    v->order = (*v->counter)++;
}

static void back(struct errand *e, struct broker *home)
{
    struct visit *v = CONTAINER_OF(e, struct visit, errand);
    v->back_on = broker_core(home)->id;
    v->backs++;
}

static void errand_runs_on_the_core_asked_and_comes_back_once(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (unsigned from = 0; from < k->cores; from++) {
            unsigned counter = 0;
            struct visit v[CLUSTER_CORES] = {0};
            for (unsigned to = 0; to < k->cores; to++) {
                v[to] = (struct visit){.errand = {run, back}, .counter = &counter};
                errand_send(k->broker[from], to, &v[to].errand);
            }
            cluster_settle(k);
            for (unsigned to = 0; to < k->cores; to++) {
                assert_int_equal(v[to].ran_on, to);
                assert_int_equal(v[to].back_on, from);
                assert_int_equal(v[to].runs, 1);
                assert_int_equal(v[to].backs, 1);
            }
        }
    }
}

static void errands_to_one_core_run_in_the_order_they_were_sent(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    unsigned counter = 0;
    struct visit v[20] = {0};
    for (unsigned i = 0; i < ARRAY_LEN(v); i++) {
        v[i] = (struct visit){.errand = {run, back}, .counter = &counter};
        errand_send(k->broker[0], 1, &v[i].errand);
    }
    cluster_settle(k);
    for (unsigned i = 0; i < ARRAY_LEN(v); i++)
        assert_int_equal(v[i].order, i);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errand_runs_on_the_core_asked_and_comes_back_once),
        cmocka_unit_test(errands_to_one_core_run_in_the_order_they_were_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
