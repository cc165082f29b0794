/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"
#include "core/reactor.h"

/* A watch on one end of a socket pair. */
struct wire {
    struct watch watch;
    struct reactor *reactor;
    int far;
    unsigned calls, ready;
    struct wire *victim; /* what happens to it is `deed` */
    void (*deed)(struct wire *victim);
    struct wire **alive; /* nulled when this one is freed */
};

static void on_wire(struct watch *w, unsigned ready)
{
    struct wire *x = CONTAINER_OF(w, struct wire, watch);
    x->calls++;
    x->ready = ready;
    if (x->victim) x->deed(x->victim);
}

static void open_wire(struct wire *x, struct reactor *r, unsigned wants)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    memset(x, 0, sizeof *x);
    x->watch = (struct watch){.fd = fd[0], .on_ready = on_wire};
    x->reactor = r;
    x->far = fd[1];
    assert_int_equal(reactor_add(r, &x->watch, wants), 0);
}

static void close_wire(struct wire *x)
{
    reactor_del(x->reactor, &x->watch);
    close(x->watch.fd);
    if (x->far >= 0) close(x->far);
}

static void say(struct wire *x)
{
    assert_int_equal(write(x->far, "x", 1), 1);
}

static int open_reactor(void **state)
{
    int err = 0;
    *state = reactor_new(&err);
    return *state ? 0 : -1;
}

static int close_reactor(void **state)
{
    struct reactor *r = *state;
    reactor_free(&r);
    return r ? -1 : 0;
}

static unsigned look(struct reactor *r)
{
    reactor_wait(r, 0);
    return reactor_dispatch(r);
}

static void readable_socket_is_reported_until_it_is_read(void **state)
{
    struct wire x;
    open_wire(&x, *state, READY_READ);
    assert_int_equal(look(*state), 0);
    say(&x);
    assert_int_equal(look(*state), 1);
    assert_int_equal(look(*state), 1);
    assert_int_equal(x.ready, READY_READ);
    char c;
    assert_int_equal(read(x.watch.fd, &c, 1), 1);
    assert_int_equal(look(*state), 0);
    assert_int_equal(x.calls, 2);
    close_wire(&x);
}

static void only_what_is_wanted_is_reported(void **state)
{
    struct wire x;
    open_wire(&x, *state, READY_WRITE);
    say(&x);
    assert_int_equal(look(*state), 1);
    assert_int_equal(x.ready, READY_WRITE);
    assert_int_equal(reactor_set(*state, &x.watch, READY_READ | READY_WRITE), 0);
    look(*state);
    assert_int_equal(x.ready, READY_READ | READY_WRITE);
    assert_int_equal(reactor_set(*state, &x.watch, 0), 0);
    assert_int_equal(look(*state), 0);
    close_wire(&x);
}

static void hangup_is_reported_whatever_is_wanted(void **state)
{
    struct wire x;
    open_wire(&x, *state, 0);
    close(x.far);
    x.far = -1;
    assert_int_equal(look(*state), 1);
    assert_int_equal(x.ready, READY_HANGUP);
    close_wire(&x);
}

static void end_watching(struct wire *victim)
{
    reactor_del(victim->reactor, &victim->watch);
}

static void want_nothing(struct wire *victim)
{
    assert_int_equal(reactor_set(victim->reactor, &victim->watch, 0), 0);
}

static void watch_again(struct wire *victim)
{
    end_watching(victim);
    assert_int_equal(reactor_add(victim->reactor, &victim->watch, READY_READ), 0);
}

/* Both are ready in one batch; whichever is called first does the deed to the other. */
static void two_in_a_batch(struct reactor *r, void (*deed)(struct wire *), unsigned calls_later)
{
    struct wire x[2];
    for (int i = 0; i < 2; i++) {
        open_wire(&x[i], r, READY_READ);
        x[i].deed = deed;
        x[i].victim = &x[1 - i];
        say(&x[i]);
    }
    assert_int_equal(reactor_wait(r, 0), 2);
    assert_int_equal(reactor_dispatch(r), 1);
    assert_int_equal(x[0].calls + x[1].calls, 1);
    x[0].victim = x[1].victim = NULL;
    assert_int_equal(look(r), calls_later);
    close_wire(&x[0]);
    close_wire(&x[1]);
}

static void watch_removed_in_the_batch_is_not_called(void **state)
{
    two_in_a_batch(*state, end_watching, 1);
}

static void watch_that_wants_nothing_any_more_is_not_called(void **state)
{
    two_in_a_batch(*state, want_nothing, 1);
}

static void watch_added_again_is_called_in_the_next_batch(void **state)
{
    two_in_a_batch(*state, watch_again, 2);
}

static void free_wire(struct wire *victim)
{
    *victim->alive = NULL;
    close_wire(victim);
    free(victim);
}

/* The sanitizer would tell if a freed watch was touched. */
static void watch_may_free_another_and_then_itself(void **state)
{
    struct reactor *r = *state;
    struct wire *x[2], *alive[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        x[i] = malloc(sizeof *x[i]);
        assert_non_null(x[i]);
        open_wire(x[i], r, READY_READ);
        x[i]->alive = &alive[i];
        alive[i] = x[i];
        say(x[i]);
    }
    x[0]->victim = x[1];
    x[1]->victim = x[0];
    x[0]->deed = x[1]->deed = free_wire;
    assert_int_equal(reactor_wait(r, 0), 2);
    assert_int_equal(reactor_dispatch(r), 1);
    struct wire *left = alive[0] ? alive[0] : alive[1];
    left->victim = left;
    assert_int_equal(look(r), 1);
    assert_int_equal(look(r), 0);
    assert_null(alive[0]);
    assert_null(alive[1]);
}

static void more_than_a_batch_is_reported_in_the_next(void **state)
{
    enum { MANY = 300 };
    static struct wire x[MANY];
    for (int i = 0; i < MANY; i++) {
        open_wire(&x[i], *state, READY_WRITE);
    }
    assert_int_equal(look(*state), 256);
    assert_int_equal(look(*state), 256);
    for (int i = 0; i < MANY; i++) {
        assert_true(x[i].calls >= 1);
        close_wire(&x[i]);
    }
}

static uint64_t now_ns(void)
{
    struct clock c;
    clock_tick(&c);
    return c.now_ns;
}

static void wait_lasts_as_long_as_asked(void **state)
{
    assert_int_equal(reactor_wait(*state, 0), 0);
    for (int i = 0; i < 5; i++) { /* rounded up: a timer is due when we wake for it */
        uint64_t before = now_ns();
        assert_int_equal(reactor_wait(*state, 1900 * NS_PER_US), 0);
        assert_true(now_ns() - before >= 1900 * NS_PER_US);
    }
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

static void signal_ends_the_wait_with_nothing(void **state)
{
    struct sigaction a = {.sa_handler = on_alarm}, before;
    struct itimerval in = {.it_value.tv_usec = 20000};
    assert_int_equal(sigaction(SIGALRM, &a, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &in, NULL), 0);
    assert_int_equal(reactor_wait(*state, UINT64_MAX), 0);
    assert_int_equal(reactor_dispatch(*state), 0);
    sigaction(SIGALRM, &before, NULL);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct watch w = {.fd = -1, .on_ready = on_wire};
    assert_int_equal(reactor_add(*state, &w, READY_READ), -ERR_OS);
    assert_false(w.registered);
    reactor_del(*state, &w); /* nothing to end */
}

#define WITH_REACTOR(test) cmocka_unit_test_setup_teardown(test, open_reactor, close_reactor)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(readable_socket_is_reported_until_it_is_read),
        WITH_REACTOR(only_what_is_wanted_is_reported),
        WITH_REACTOR(hangup_is_reported_whatever_is_wanted),
        WITH_REACTOR(watch_removed_in_the_batch_is_not_called),
        WITH_REACTOR(watch_that_wants_nothing_any_more_is_not_called),
        WITH_REACTOR(watch_added_again_is_called_in_the_next_batch),
        WITH_REACTOR(watch_may_free_another_and_then_itself),
        WITH_REACTOR(more_than_a_batch_is_reported_in_the_next),
        WITH_REACTOR(wait_lasts_as_long_as_asked),
        WITH_REACTOR(signal_ends_the_wait_with_nothing),
        WITH_REACTOR(what_cannot_be_watched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
