/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers to what a peer sends bound how far it is read; what others send to it does not. */
#include "net/net_internal.h"
#include "unit/net/rig.h"

enum { BOUND = 300000, ANSWER = 1000, BATCH = 10 };

static struct rig *rig_with_bound(void)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    o.out_bytes_max = 2 * BOUND;
    return rig_new(&o);
}

/* Each byte is answered with ANSWER bytes of the stream; at most BATCH of them a call. */
static long answer_each(struct probe *p, struct conn *c, struct bytes in)
{
    uint8_t answer[ANSWER];
    size_t n = in.n < BATCH ? in.n : BATCH;

    for (size_t i = 0; i < n; i++) {
        rig_fill(answer, ANSWER, (p->seen_n + i) * ANSWER);
        assert_int_equal(conn_answer(c, bytes_of(answer, ANSWER)), 0);
    }
    probe_take(p, bytes_of(in.p, n));
    if (n < in.n) conn_again(c);
    return (long)n;
}

/* Reads up to `most` bytes of the stream, which has come to `from`. Returns where it is then. */
static size_t hear_some(struct rig *r, int fd, size_t from, size_t most)
{
    uint8_t buf[8192];
    size_t end = from + most;

    for (unsigned idle = 0; from < end && idle < 10;) {
        long got = rig_hear(fd, buf, end - from < sizeof buf ? end - from : sizeof buf);
        idle = got > 0 ? 0 : idle + 1;
        if (got > 0) {
            assert_stream(buf, (size_t)got, from);
            from += (size_t)got;
        }
        rig_turn(r, 1);
    }
    return from;
}

static void a_peer_is_not_read_until_half_of_its_answers_have_gone(void **state)
{
    struct rig *r = rig_with_bound();
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;
    uint8_t ask[2000] = {0};

    (void)state;
    r->probe.bytes = answer_each;
    rig_say(fd, ask, sizeof ask);
    rig_turn(r, 100);
    assert_true(c->flags & CONN_ANSWERS);
    assert_in_range(c->out.answers, BOUND, BOUND + BATCH * ANSWER);
    assert_int_equal(rig_count(r, 0, C_limited_answers), 1);
    assert_int_equal(rig_turn(r, 1), 0);

    size_t seen = r->probe.seen_n, heard = 0;
    while (c->flags & CONN_ANSWERS) {
        assert_int_equal(r->probe.seen_n, seen);
        heard = hear_some(r, fd, heard, 2000);
    }
    assert_true(c->out.answers < BOUND / 2 + 3 * BATCH * ANSWER);
    rig_turn(r, 1);
    assert_true(r->probe.seen_n > seen);
    heard = hear_some(r, fd, heard, sizeof ask * ANSWER);
    assert_int_equal(heard, sizeof ask * ANSWER); /* all are answered in the end */
    assert_int_equal(c->out.answers, 0);
    assert_false(c->flags & CONN_ANSWERS);
    close(fd);
    rig_free(r);
}

static void what_is_no_answer_does_not_count(void **state)
{
    struct rig *r = rig_with_bound();
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;
    uint8_t much[4000] = {0};

    (void)state;
    for (unsigned i = 0; i < 3 * BOUND / sizeof much; i++)
        assert_int_equal(conn_send(c, bytes_of(much, sizeof much)), 0);
    rig_turn(r, 2);
    assert_true(conn_unsent(c) > BOUND);
    rig_say(fd, "hello", 5);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(rig_count(r, 0, C_limited_answers), 0);
    close(fd);
    rig_free(r);
}

static void a_peer_that_is_not_read_may_hang_up(void **state)
{
    struct rig *r = rig_with_bound();
    int fd = rig_stream(r);
    uint8_t ask[2000] = {0};

    (void)state;
    r->probe.bytes = answer_each;
    rig_say(fd, ask, sizeof ask);
    rig_turn(r, 100);
    assert_int_equal(rig_count(r, 0, C_limited_answers), 1);
    close(fd);
    rig_turn(r, 3);
    assert_int_equal(r->probe.closes, 1);
    rig_free(r);
}

/* While we pause it, and while the disk keeps its answers, silence is not its doing. */
static void a_peer_is_excused_unless_answers_are_there_to_be_taken(void **state)
{
    struct rig *r = rig_with_bound();
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;
    uint8_t ask[2000] = {0};

    (void)state;
    assert_false(conn_is_excused(c));
    r->core[0].durable = r->core[0].commit_pos = 0;
    conn_hold(c, 1);
    r->probe.bytes = answer_each;
    rig_say(fd, ask, sizeof ask);
    rig_turn(r, 100);
    assert_true(c->flags & CONN_ANSWERS);
    assert_true(conn_is_excused(c));
    r->core[0].durable = 1;
    rig_turn(r, 100);
    assert_true(c->flags & CONN_ANSWERS);
    assert_false(conn_is_excused(c));
    conn_pause(c);
    assert_true(conn_is_excused(c));
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_not_read_until_half_of_its_answers_have_gone),
        cmocka_unit_test(what_is_no_answer_does_not_count),
        cmocka_unit_test(a_peer_that_is_not_read_may_hang_up),
        cmocka_unit_test(a_peer_is_excused_unless_answers_are_there_to_be_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
