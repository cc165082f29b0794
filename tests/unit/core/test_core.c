/* SPDX-License-Identifier: BSD-3-Clause */
/* test_core.c -- two cores over a real mesh, turned by hand unless a claim is about threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/err.h"
#include "core/core.h"

enum { CORES = 2, KINDS = 2, MAIL_NOTE = 1 };

/* Two cores and a diary of what their turns did. */
struct pair {
    struct core core[CORES];
    struct mesh *mesh;
    struct pool *pools[CORES];
    char diary[64];
    size_t pages;
    struct timer timer;
};

static struct pair *the_pair;

static void write_down(void *ctx, char what)
{
    struct pair *p = ctx;
    if (p->pages + 1 < sizeof p->diary) p->diary[p->pages++] = what;
    p->diary[p->pages] = '\0';
}

static void on_note(void *ctx, unsigned from, const struct mail *m)
{
    (void)from;
    write_down(ctx, (char)m->a);
}

static unsigned deliver(void *ctx)
{
    write_down(ctx, 'd');
    return 0;
}

static unsigned commit(void *ctx)
{
    write_down(ctx, 'c');
    return 0;
}

static unsigned flush(void *ctx)
{
    write_down(ctx, 'f');
    return 0;
}

static void on_home(void *ctx, void *block)
{
    struct core *c = ctx;
    pool_free(c->pool, block, 100);
    write_down(CONTAINER_OF(c, struct pair, core[0]), 'h');
}

static void on_timer(struct timer *t)
{
    write_down(CONTAINER_OF(t, struct pair, timer), 't');
}

static mail_fn *const handlers[KINDS] = {[MAIL_NOTE] = on_note};

static struct core_options options(struct pair *p, unsigned id)
{
    return (struct core_options){
        .id = id, .cores = CORES, .mesh = p->mesh, .pools = p->pools, .log = {.fd = -1}};
}

static int open_pair(void **state)
{
    static struct pair p;
    int err = 0;
    memset(&p, 0, sizeof p);
    p.mesh = mesh_new(&(struct mesh_options){.cores = CORES}, &err);
    if (!p.mesh) return -1;
    for (unsigned i = 0; i < CORES; i++) {
        struct core_options o = options(&p, i);
        if (core_init(&p.core[i], &o) < 0) return -1;
        mesh_port_bind(p.core[i].mesh, handlers, KINDS, NULL, &p);
    }
    p.timer.fire = on_timer;
    *state = &p;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *p = *state;
    for (unsigned i = 0; i < CORES; i++)
        core_fini(&p->core[i]);
    mesh_free(&p->mesh);
    return 0;
}

static uint64_t counted(const struct core *c, enum counter which)
{
    return counter_read(&c->counters, which);
}

static void note(struct core *from, unsigned to, char what)
{
    mesh_send(from->mesh, to, (struct mail){.kind = MAIL_NOTE, .a = (uint8_t)what}, 0, 0);
}

static void turn_has_its_order(void **state)
{
    struct pair *p = *state;
    struct core *c = &p->core[0];
    c->ops = (struct turn_ops){deliver, commit, flush, p, p, p, on_home, NULL};
    pool_send_home(p->core[1].pool, 0, pool_alloc(c->pool, 100));
    note(&p->core[1], 0, 'm');
    core_turn(&p->core[1]);
    wheel_arm(&c->wheel, &p->timer, 0);
    assert_true(core_turn(c) >= 3);
    assert_string_equal(p->diary, "mtdcfh");
    assert_int_equal(pool_bytes_used(c->pool), 0);
}

static void mail_sent_in_one_turn_is_taken_in_the_next_of_the_other(void **state)
{
    struct pair *p = *state;
    for (int i = 0; i < 3; i++)
        note(&p->core[0], 1, (char)('x' + i));
    note(&p->core[0], 0, 'o');
    core_turn(&p->core[0]);
    core_turn(&p->core[1]);
    core_turn(&p->core[0]);
    assert_non_null(strstr(p->diary, "xyz"));
    assert_non_null(strchr(p->diary, 'o'));
    assert_int_equal(counted(&p->core[0], C_mails_sent), 3);
    assert_int_equal(counted(&p->core[1], C_mails_taken), 3);
}

static unsigned some_work(void *ctx)
{
    (void)ctx;
    return 1;
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

/* From now on no sleep is longer than 10 ms; 0 ends that. */
static void cut_sleeps(suseconds_t every_us)
{
    struct sigaction a = {.sa_handler = on_alarm};
    struct itimerval in = {.it_interval.tv_usec = every_us, .it_value.tv_usec = every_us};
    assert_int_equal(sigaction(SIGALRM, &a, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &in, NULL), 0);
}

/* A turn that may sleep. Did it? */
static bool turn_sleeps(struct core *c)
{
    uint64_t sleeps = counted(c, C_sleeps);
    cut_sleeps(10000);
    core_turn(c);
    cut_sleeps(0);
    return counted(c, C_sleeps) > sleeps;
}

static void core_sleeps_only_after_a_turn_without_work(void **state)
{
    struct core *c = &((struct pair *)*state)->core[0];
    c->ops.flush = some_work;
    assert_false(turn_sleeps(c));
    assert_false(turn_sleeps(c));
    c->ops.flush = NULL;
    assert_false(turn_sleeps(c)); /* looks once more */
    assert_true(turn_sleeps(c));
    assert_true(turn_sleeps(c));
}

static void ring_of_an_awake_core_keeps_it_up_for_one_turn_only(void **state)
{
    struct core *c = &((struct pair *)*state)->core[0];
    core_turn(c);
    for (int i = 0; i < 3; i++) {
        mesh_ring(c->mesh);
        assert_false(turn_sleeps(c));
        assert_true(turn_sleeps(c));
    }
}

/* The ring hits the moment between raising the flag and going to sleep, and the turn
 * that follows is one that does not sleep. */
static void bell_that_was_written_for_an_awake_core_is_drained(void **state)
{
    struct core *c = &((struct pair *)*state)->core[0];
    core_turn(c);
    assert_true(mesh_may_sleep(c->mesh));
    mesh_ring(c->mesh);
    core_turn_again(c);
    assert_int_equal(core_turn(c), 1);
    assert_int_equal(core_turn(c), 0);
    assert_true(turn_sleeps(c));
}

static void timer_ends_the_sleep(void **state)
{
    struct pair *p = *state;
    struct core *c = &p->core[0];
    wheel_arm(&c->wheel, &p->timer, core_now_s(c) + 1);
    for (int i = 0; i < 10 && !p->pages; i++)
        core_turn(c);
    assert_string_equal(p->diary, "t");
    assert_in_range(counted(c, C_turns), 1, 3);
}

/* A log that wants its phase of the turn at `due_ns`. */
static uint64_t due_ns;

static uint64_t commit_due(void *ctx)
{
    assert_ptr_equal(ctx, the_pair);
    return due_ns;
}

static struct core *core_with_a_log(struct pair *p)
{
    struct core *c = &p->core[0];
    the_pair = p;
    c->ops = (struct turn_ops){.commit = commit, .commit_due_ns = commit_due, .store = p};
    due_ns = UINT64_MAX;
    turn_sleeps(c);
    return c;
}

static void commit_that_is_due_ends_the_sleep(void **state)
{
    struct core *c = core_with_a_log(*state);
    uint64_t slept = c->times.slept_ns;
    due_ns = c->clock.now_ns + 20 * NS_PER_MS;
    for (int i = 0; i < 10 && c->clock.now_ns < due_ns; i++)
        core_turn(c); /* sleeps without end if it does not ask */
    assert_true(c->clock.now_ns >= due_ns);
    assert_in_range(c->times.slept_ns - slept, 10 * NS_PER_MS, UINT64_MAX);
}

static void core_does_not_sleep_while_a_commit_is_due(void **state)
{
    struct core *c = core_with_a_log(*state);
    assert_true(turn_sleeps(c));
    due_ns = c->clock.now_ns;
    assert_false(turn_sleeps(c));
    due_ns = 0;
    assert_false(turn_sleeps(c));
    due_ns = UINT64_MAX;
    assert_true(turn_sleeps(c));
}

static void nothing_waits_for_the_disk_where_there_is_no_log(void **state)
{
    const struct core *c = &((struct pair *)*state)->core[0];
    assert_true(c->durable == UINT64_MAX);
    assert_true(c->commit_pos == UINT64_MAX);
}

static void lone_core_sleeps_right_after_work_unless_something_is_left(void **state)
{
    struct pair *p = *state;
    struct core *c = &p->core[0];
    c->cores = 1; /* alone, as far as it knows */
    core_turn(c);
    c->ops.flush = some_work;
    core_turn_again(c);
    assert_false(turn_sleeps(c));
    c->ops.flush = NULL;
    c->last_work = 1;
    assert_true(turn_sleeps(c));
    c->cores = 2;
    c->last_work = 1;
    assert_false(turn_sleeps(c));
}

static void busy_core_never_sleeps(void **state)
{
    struct core *c = &((struct pair *)*state)->core[0];
    c->idle = IDLE_BUSY;
    for (int i = 0; i < 1000; i++)
        core_turn(c);
    assert_int_equal(counted(c, C_sleeps), 0);
    assert_int_equal(counted(c, C_turns), 1000);
}

static void spinning_core_sleeps_when_it_has_spun_in_vain(void **state)
{
    struct core *c = &((struct pair *)*state)->core[0];
    c->idle = IDLE_SPIN;
    c->ops.flush = some_work;
    core_turn(c);
    c->ops.flush = NULL;
    core_turn(c);
    uint64_t idle_ns = c->clock.now_ns, last_look_ns = idle_ns;
    cut_sleeps(10000);
    while (!counted(c, C_sleeps)) {
        last_look_ns = c->clock.now_ns;
        core_turn(c);
    }
    cut_sleeps(0);
    assert_true(last_look_ns - idle_ns >= SPIN_NS);
}

static void work_on_nothing(struct helper_job *j)
{
    (void)j;
}

static void job_done(struct helper_job *j)
{
    (void)j;
    write_down(the_pair, 'j');
}

static void finished_job_wakes_its_core_and_is_done_there(void **state)
{
    struct pair *p = the_pair = *state;
    int err = 0;
    struct helpers *h = helpers_new(1, 4, p->mesh, CORES, &err);
    assert_non_null(h);
    p->core[1].helpers = h;
    struct helper_job job = {.work = work_on_nothing, .done = job_done};
    assert_int_equal(helper_submit(h, 1, &job), 0);
    for (int i = 0; i < 1000000 && !p->pages; i++)
        core_turn(&p->core[1]); /* sleeps without end if it is not woken */
    assert_string_equal(p->diary, "j");
    helpers_free(&h);
}

static void core_without_descriptors_is_refused_whole(void **state)
{
    struct pair *p = *state;
    static struct core c;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    core_fini(&p->core[1]);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct core_options o = options(p, 1);
    int err = core_init(&c, &o);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, -ERR_NOFILE);
    assert_null(c.pool);
    assert_null(c.reactor);
    assert_null(p->pools[1]);
}

static void cores_have_luck_of_their_own(void **state)
{
    struct pair *p = *state;
    assert_true(rng_u64(&p->core[0].rng) != rng_u64(&p->core[1].rng));
}

/* ---- threads ---------------------------------------------------------------- */

enum { ROUNDS = 5000 };

/* Plays a ball back until it has been over the net often enough, then stops both. */
static void on_ball(void *ctx, unsigned from, const struct mail *m)
{
    struct core *c = ctx;
    struct mail back = *m;
    if (back.b++ < ROUNDS) {
        mesh_send(c->mesh, from, back, 0, 0);
        return;
    }
    struct core *other = m->ptr;
    atomic_store(&c->stop, true);
    atomic_store(&other->stop, true);
    mesh_ring(other->mesh);
}

static void *run(void *core)
{
    core_run(core);
    return NULL;
}

static void sleeping_cores_wake_each_other_until_stopped(void **state)
{
    struct pair *p = *state;
    static mail_fn *const ball[KINDS] = {[1] = on_ball};
    pthread_t thread[CORES];
    for (unsigned i = 0; i < CORES; i++)
        mesh_port_bind(p->core[i].mesh, ball, KINDS, NULL, &p->core[i]);
    /* The last to play is core 1, as ROUNDS + 1 is odd; it finds the other in the mail. */
    mesh_send(p->core[0].mesh, 1, (struct mail){.kind = 1, .ptr = &p->core[0]}, 0, 0);
    for (unsigned i = 0; i < CORES; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run, &p->core[i]), 0);
    for (unsigned i = 0; i < CORES; i++)
        pthread_join(thread[i], NULL);
    assert_true(counted(&p->core[0], C_mails_sent) >= ROUNDS / 2);
    assert_true(counted(&p->core[0], C_sleeps) + counted(&p->core[1], C_sleeps) > 0);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(turn_has_its_order),
        WITH_PAIR(mail_sent_in_one_turn_is_taken_in_the_next_of_the_other),
        WITH_PAIR(core_sleeps_only_after_a_turn_without_work),
        WITH_PAIR(ring_of_an_awake_core_keeps_it_up_for_one_turn_only),
        WITH_PAIR(bell_that_was_written_for_an_awake_core_is_drained),
        WITH_PAIR(timer_ends_the_sleep),
        WITH_PAIR(commit_that_is_due_ends_the_sleep),
        WITH_PAIR(core_does_not_sleep_while_a_commit_is_due),
        WITH_PAIR(nothing_waits_for_the_disk_where_there_is_no_log),
        WITH_PAIR(lone_core_sleeps_right_after_work_unless_something_is_left),
        WITH_PAIR(busy_core_never_sleeps),
        WITH_PAIR(spinning_core_sleeps_when_it_has_spun_in_vain),
        WITH_PAIR(finished_job_wakes_its_core_and_is_done_there),
        WITH_PAIR(core_without_descriptors_is_refused_whole),
        WITH_PAIR(cores_have_luck_of_their_own),
        WITH_PAIR(sleeping_cores_wake_each_other_until_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
