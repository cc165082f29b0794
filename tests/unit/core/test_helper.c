/* SPDX-License-Identifier: BSD-3-Clause */
/* test_helper.c -- with a mesh of its own that only counts who was rung. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/helper.h"

enum { CORES = 3 };

struct mesh_port {
    _Atomic unsigned rung;
};

struct mesh {
    struct mesh_port port[CORES];
};

struct mesh_port *mesh_port_at(struct mesh *m, unsigned core)
{
    return &m->port[core];
}

void mesh_ring(struct mesh_port *p)
{
    atomic_fetch_add(&p->rung, 1);
}

/* A job that notes what became of it. */
struct errand {
    struct helper_job job;
    _Atomic bool *gate; /* held at work until it is true, if not NULL */
    _Atomic bool started;
    pthread_t worker;
    sigset_t mask;
    unsigned worked, done;
    unsigned *turn; /* counts the jobs done; ours was number `number` */
    unsigned number;
};

static void work(struct helper_job *j)
{
    struct errand *e = CONTAINER_OF(j, struct errand, job);
    atomic_store(&e->started, true);
    while (e->gate && !atomic_load(e->gate))
        sched_yield();
    e->worker = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &e->mask);
    e->worked++;
}

static void done(struct helper_job *j)
{
    struct errand *e = CONTAINER_OF(j, struct errand, job);
    e->done++;
    if (e->turn) e->number = (*e->turn)++;
}

static struct helpers *start(struct mesh *m, unsigned threads, unsigned jobs_max)
{
    int err = 0;
    for (unsigned i = 0; i < CORES; i++)
        atomic_init(&m->port[i].rung, 0);
    struct helpers *h = helpers_new(threads, jobs_max, m, CORES, &err);
    assert_non_null(h);
    assert_int_equal(err, 0);
    return h;
}

static int submit(struct helpers *h, unsigned core, struct errand *e)
{
    e->job.work = work;
    e->job.done = done;
    return helper_submit(h, core, &e->job);
}

/* Takes until `jobs` have come back. */
static void take(struct helpers *h, unsigned core, unsigned jobs)
{
    for (unsigned got = 0; got < jobs; sched_yield())
        got += helper_take(h, core);
}

static void job_is_worked_on_elsewhere_and_done_by_its_core(void **state)
{
    (void)state;
    struct mesh m;
    struct errand e[CORES] = {0};
    struct helpers *h = start(&m, 2, 10);
    for (unsigned i = 0; i < CORES; i++)
        assert_int_equal(submit(h, i, &e[i]), 0);
    for (unsigned i = 0; i < CORES; i++) {
        take(h, i, 1);
        assert_int_equal(e[i].worked, 1);
        assert_int_equal(e[i].done, 1);
        assert_false(pthread_equal(e[i].worker, pthread_self()));
        assert_true(sigismember(&e[i].mask, SIGTERM));
        assert_int_equal(helper_take(h, i), 0);
    }
    helpers_free(&h);
    assert_null(h);
    for (unsigned i = 0; i < CORES; i++)
        assert_int_equal(m.port[i].rung, 1);
}

static void full_queue_refuses_then_takes_again_once_it_has_room(void **state)
{
    (void)state;
    struct mesh m;
    _Atomic bool gate = false;
    struct errand busy = {.gate = &gate}, e[3] = {0};
    struct helpers *h = start(&m, 1, 2);
    assert_int_equal(submit(h, 0, &busy), 0);
    while (!atomic_load(&busy.started))
        sched_yield();
    assert_int_equal(submit(h, 0, &e[0]), 0);
    assert_int_equal(submit(h, 1, &e[1]), 0);
    assert_int_equal(submit(h, 0, &e[2]), -ERR_FULL);
    atomic_store(&gate, true);
    take(h, 0, 2);
    take(h, 1, 1);
    assert_int_equal(e[2].worked, 0);
    assert_int_equal(submit(h, 0, &e[2]), 0);
    take(h, 0, 1);
    assert_int_equal(e[2].worked + e[2].done, 2);
    helpers_free(&h);
}

static void jobs_of_one_helper_are_done_in_the_order_of_submission(void **state)
{
    (void)state;
    enum { JOBS = 200 };
    struct mesh m;
    static struct errand e[JOBS];
    unsigned turn = 0;
    struct helpers *h = start(&m, 1, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        e[i].turn = &turn;
        assert_int_equal(submit(h, 2, &e[i]), 0);
    }
    take(h, 2, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(e[i].number, i);
    helpers_free(&h);
}

static void *open_gate_later(void *gate)
{
    for (int i = 0; i < 1000; i++)
        sched_yield();
    atomic_store((_Atomic bool *)gate, true);
    return NULL;
}

static void free_lets_a_job_finish_and_calls_nobody_back(void **state)
{
    (void)state;
    struct mesh m;
    _Atomic bool gate = false;
    struct errand busy = {.gate = &gate}, waiting[2] = {0};
    struct helpers *h = start(&m, 1, 2);
    assert_int_equal(submit(h, 0, &busy), 0);
    while (!atomic_load(&busy.started))
        sched_yield();
    for (int i = 0; i < 2; i++)
        assert_int_equal(submit(h, 0, &waiting[i]), 0);
    pthread_t opener;
    assert_int_equal(pthread_create(&opener, NULL, open_gate_later, &gate), 0);
    helpers_free(&h);
    assert_int_equal(busy.worked, 1);
    assert_int_equal(busy.done + waiting[0].done + waiting[1].done, 0);
    pthread_join(opener, NULL);
}

enum { CROWD_JOBS = 3000 };

struct crowd {
    struct helpers *helpers;
    unsigned core;
    struct errand errand[CROWD_JOBS];
};

/* A core that submits as fast as it may and takes what comes back. */
static void *be_core(void *arg)
{
    struct crowd *c = arg;
    unsigned submitted = 0, taken = 0;
    while (taken < CROWD_JOBS) {
        if (submitted < CROWD_JOBS && submit(c->helpers, c->core, &c->errand[submitted]) == 0)
            submitted++;
        taken += helper_take(c->helpers, c->core);
    }
    return NULL;
}

static void every_job_of_a_crowd_comes_back_once(void **state)
{
    (void)state;
    struct mesh m;
    pthread_t thread[CORES];
    static struct crowd crowd[CORES];
    struct helpers *h = start(&m, 3, 16);
    for (unsigned i = 0; i < CORES; i++) {
        crowd[i].helpers = h;
        crowd[i].core = i;
        assert_int_equal(pthread_create(&thread[i], NULL, be_core, &crowd[i]), 0);
    }
    for (unsigned i = 0; i < CORES; i++)
        pthread_join(thread[i], NULL);
    helpers_free(&h);
    for (unsigned i = 0; i < CORES; i++) {
        assert_int_equal(m.port[i].rung, CROWD_JOBS);
        for (unsigned k = 0; k < CROWD_JOBS; k++)
            assert_true(crowd[i].errand[k].worked == 1 && crowd[i].errand[k].done == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_is_worked_on_elsewhere_and_done_by_its_core),
        cmocka_unit_test(full_queue_refuses_then_takes_again_once_it_has_room),
        cmocka_unit_test(jobs_of_one_helper_are_done_in_the_order_of_submission),
        cmocka_unit_test(free_lets_a_job_finish_and_calls_nobody_back),
        cmocka_unit_test(every_job_of_a_crowd_comes_back_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
