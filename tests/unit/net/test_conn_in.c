/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/rig.h"

enum { HEAD = 4 };

/* A protocol of frames: four bytes of length, then the body, which is kept. */
static long take_frames(struct probe *p, struct conn *c, struct bytes in)
{
    size_t used = 0;

    while (in.n - used >= HEAD) {
        struct reader r = rd_of(bytes_skip(in, used));
        uint32_t n = rd_u32be(&r);
        if (rd_left(&r) < n) {
            c->in_need = HEAD + n;
            break;
        }
        probe_take(p, rd_take(&r, n));
        used += HEAD + n;
    }
    return (long)used;
}

/* Takes at most ten bytes at a time and asks to be called again. */
static long take_ten(struct probe *p, struct conn *c, struct bytes in)
{
    size_t n = in.n < 10 ? in.n : 10;

    probe_take(p, bytes_of(in.p, n));
    if (n < in.n) conn_again(c);
    return (long)n;
}

/* Waits for ever more. */
static long take_none(struct probe *p, struct conn *c, struct bytes in)
{
    (void)p;
    (void)c;
    (void)in;
    return 0;
}

static long take_five_and_pause(struct probe *p, struct conn *c, struct bytes in)
{
    probe_take(p, bytes_of(in.p, 5));
    conn_pause(c);
    return 5;
}

static long find_malformed(struct probe *p, struct conn *c, struct bytes in)
{
    (void)p;
    (void)c;
    (void)in;
    return -ERR_MALFORMED;
}

/* Writes a frame of `n` stream bytes from `from` to `p`; returns its size. */
static size_t frame(uint8_t *p, size_t n, size_t from)
{
    struct writer w = wr_of(p, HEAD);
    wr_u32be(&w, (uint32_t)n);
    rig_fill(p + HEAD, n, from);
    return HEAD + n;
}

/* Sends all of it, turning the cores whenever the socket is full. */
static void say_all(struct rig *r, int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
        rig_turn(r, 1);
    }
    rig_turn(r, 4);
}

static void frames_arrive_whole_wherever_the_stream_is_cut(void **state)
{
    uint8_t s[64];
    size_t n = frame(s, 0, 0);

    (void)state;
    n += frame(s + n, 3, 0);
    n += frame(s + n, 20, 3);
    n += frame(s + n, 1, 23);
    for (size_t cut = 0; cut <= n; cut++) {
        struct rig *r = rig_default();
        r->probe.bytes = take_frames;
        int fd = rig_stream(r);
        if (cut > 0) rig_say(fd, s, cut);
        rig_turn(r, 1);
        if (cut < n) rig_say(fd, s + cut, n - cut);
        rig_turn(r, 1);
        assert_int_equal(r->probe.seen_n, 24);
        assert_stream(r->probe.seen, 24, 0);
        assert_null(r->probe.conn->in);
        close(fd);
        rig_free(r);
    }
}

static void frames_arrive_whole_byte_by_byte(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[128];
    size_t n = frame(s, 50, 0);

    (void)state;
    n += frame(s + n, 50, 50);
    r->probe.bytes = take_frames;
    int fd = rig_stream(r);
    for (size_t i = 0; i < n; i++) {
        rig_say(fd, s + i, 1);
        rig_turn(r, 1);
    }
    assert_int_equal(r->probe.seen_n, 100);
    assert_stream(r->probe.seen, 100, 0);
    assert_int_equal(rig_count(r, 0, C_bytes_received), n);
    close(fd);
    rig_free(r);
}

static void a_handler_is_not_called_before_what_it_needs_is_there(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[10004];
    size_t n = frame(s, 10000, 0);

    (void)state;
    r->probe.bytes = take_frames;
    int fd = rig_stream(r);
    for (size_t i = 0; i < n; i += 500) {
        rig_say(fd, s + i, n - i < 500 ? n - i : 500);
        rig_turn(r, 1);
    }
    assert_int_equal(r->probe.calls, 2); /* to learn the length, and with the whole */
    assert_int_equal(r->probe.seen_n, 10000);
    assert_stream(r->probe.seen, 10000, 0);
    close(fd);
    rig_free(r);
}

static void large_and_small_frames_mix(void **state)
{
    static const size_t sizes[] = {1, 5000, 0, 700000, 3, 4096, 4092, 4093, 300000, 17, 262144, 9};
    struct rig *r = rig_default();
    uint8_t *s = malloc(2 << 20);
    size_t n = 0;
    size_t from = 0;

    (void)state;
    assert_non_null(s);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        n += frame(s + n, sizes[i], from);
        from += sizes[i];
    }
    r->probe.bytes = take_frames;
    int fd = rig_stream(r);
    r->probe.conn->in_max = 1 << 20;
    say_all(r, fd, s, n);
    assert_int_equal(r->probe.seen_n, from);
    assert_stream(r->probe.seen, from, 0);
    assert_null(r->probe.conn->in);
    assert_int_equal(r->probe.conn->in_cap, 0);
    close(fd);
    free(s);
    rig_free(r);
}

static void an_announced_length_takes_no_memory(void **state)
{
    struct rig *r = rig_default();
    static const uint8_t head[HEAD] = {0x06, 0, 0, 0}; /* 100 MB to come, it says */

    (void)state;
    r->probe.bytes = take_frames;
    int fd = rig_stream(r);
    r->probe.conn->in_max = 128 << 20;
    rig_say(fd, head, sizeof head);
    rig_turn(r, 2);
    assert_non_null(r->probe.conn);
    assert_true(r->probe.conn->in_cap < 128);
    close(fd);
    rig_free(r);
}

static void a_large_buffer_shrinks_when_little_is_left_in_it(void **state)
{
    struct rig *r = rig_default();
    size_t n = HEAD + 200000 + 2;
    uint8_t *s = malloc(n);

    (void)state;
    assert_non_null(s);
    memset(s + n - 2, 0, 2); /* half a header */
    frame(s, 200000, 0);
    r->probe.bytes = take_frames;
    int fd = rig_stream(r);
    say_all(r, fd, s, 100000);
    assert_true(r->probe.conn->in_cap >= 100000);
    say_all(r, fd, s + 100000, n - 100000);
    assert_int_equal(r->probe.seen_n, 200000);
    assert_int_equal(r->probe.conn->in_len, 2);
    assert_true(r->probe.conn->in_cap < 1024);
    close(fd);
    free(s);
    rig_free(r);
}

static void an_incomplete_packet_above_the_maximum_closes(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[101];

    (void)state;
    rig_fill(s, sizeof s, 0);
    r->probe.bytes = take_none;
    int fd = rig_stream(r);
    r->probe.conn->in_max = 100;
    rig_say(fd, s, 100);
    rig_turn(r, 2);
    assert_non_null(r->probe.conn);
    rig_say(fd, s, 1);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_TOO_LARGE);
    assert_int_equal(rig_count(r, 0, C_connections_dropped), 1);
    close(fd);
    rig_free(r);
}

static void a_need_above_the_maximum_closes_at_once(void **state)
{
    struct rig *r = rig_default();
    static const uint8_t head[HEAD] = {0, 0, 0, 97};

    (void)state;
    r->probe.bytes = take_frames;
    int fd = rig_stream(r);
    r->probe.conn->in_max = 100;
    rig_say(fd, head, sizeof head);
    rig_turn(r, 1);
    assert_int_equal(r->probe.why, -ERR_TOO_LARGE);
    close(fd);
    rig_free(r);
}

static void a_handler_that_stops_early_is_called_again_until_all_is_taken(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[1000];
    unsigned turns = 0;

    (void)state;
    rig_fill(s, sizeof s, 0);
    r->probe.bytes = take_ten;
    int fd = rig_stream(r);
    r->probe.conn->in_max = 100; /* what was read already is not too large */
    rig_say(fd, s, sizeof s);
    while (r->probe.seen_n < sizeof s) {
        unsigned calls = r->probe.calls;
        assert_true(rig_turn(r, 1) > 0); /* a core with something left must not sleep */
        assert_in_range(r->probe.calls - calls, 1, 2);
        assert_true(++turns < 200);
    }
    assert_stream(r->probe.seen, sizeof s, 0);
    assert_null(r->probe.conn->in);
    assert_int_equal(rig_turn(r, 2), 0);
    close(fd);
    rig_free(r);
}

static void nothing_is_read_behind_what_waits_to_be_called_again(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[100];

    (void)state;
    rig_fill(s, sizeof s, 0);
    r->probe.bytes = take_ten;
    int fd = rig_stream(r);
    rig_say(fd, s, 50);
    rig_turn(r, 1);
    rig_say(fd, s + 50, 50);
    rig_turn(r, 1);
    assert_int_equal(rig_count(r, 0, C_bytes_received), 50);
    rig_turn(r, 20);
    assert_int_equal(r->probe.seen_n, 100);
    assert_stream(r->probe.seen, 100, 0);
    close(fd);
    rig_free(r);
}

static void a_paused_connection_is_not_read_and_keeps_its_order(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[20];

    (void)state;
    rig_fill(s, sizeof s, 0);
    r->probe.bytes = take_five_and_pause;
    int fd = rig_stream(r);
    rig_say(fd, s, 10);
    rig_turn(r, 2);
    rig_say(fd, s + 10, 10);
    assert_int_equal(rig_turn(r, 3), 0); /* readable, but nobody looks: no busy loop */
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(rig_count(r, 0, C_bytes_received), 10);

    r->probe.bytes = NULL;
    conn_resume(r->probe.conn);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, 20);
    assert_stream(r->probe.seen, 20, 0);
    assert_null(r->probe.conn->in);
    close(fd);
    rig_free(r);
}

static void resuming_with_nothing_unread_calls_nobody(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    conn_pause(r->probe.conn);
    conn_resume(r->probe.conn);
    conn_again(r->probe.conn);
    rig_turn(r, 2);
    assert_int_equal(r->probe.calls, 0);
    close(fd);
    rig_free(r);
}

static void one_that_closes_is_not_called_again(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[100];

    (void)state;
    rig_fill(s, sizeof s, 0);
    r->probe.bytes = take_ten;
    int fd = rig_stream(r);
    rig_say(fd, s, sizeof s);
    rig_turn(r, 1);
    assert_true(r->probe.conn->flags & CONN_AGAIN);
    unsigned calls = r->probe.calls;
    conn_close(r->probe.conn, 0);
    rig_turn(r, 2);
    assert_int_equal(r->probe.calls, calls);
    assert_int_equal(r->probe.closes, 1);
    close(fd);
    rig_free(r);
}

static void the_end_of_the_stream_closes(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    rig_say(fd, "last", 4);
    close(fd);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, 4);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_CLOSED);
    assert_int_equal(rig_count(r, 0, C_connections_dropped), 0);
    rig_free(r);
}

static void an_error_of_the_handler_closes_with_it(void **state)
{
    struct rig *r = rig_default();
    char byte;

    (void)state;
    r->probe.bytes = find_malformed;
    int fd = rig_stream(r);
    rig_say(fd, "rubbish", 7);
    rig_turn(r, 2);
    assert_int_equal(r->probe.why, -ERR_MALFORMED);
    assert_int_equal(rig_hear(fd, &byte, 1), 0);
    assert_int_equal(rig_count(r, 0, C_connections_dropped), 1);
    close(fd);
    rig_free(r);
}

static void a_false_alarm_changes_nothing(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    struct watch *w = &r->probe.conn->watch;

    (void)state;
    w->on_ready(w, READY_READ);
    w->on_ready(w, READY_WRITE);
    rig_turn(r, 2);
    assert_int_equal(r->probe.calls, 0);
    assert_int_equal(r->probe.closes, 0);
    close(fd);
    rig_free(r);
}

static void a_read_stamps_the_connection(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    r->probe.conn->last_rx_s = 0;
    rig_turn(r, 1);
    assert_int_equal(r->probe.conn->last_rx_s, 0);
    rig_say(fd, "x", 1);
    rig_turn(r, 1);
    assert_int_equal(r->probe.conn->last_rx_s, core_now_s(&r->core[0]));
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_whole_wherever_the_stream_is_cut),
        cmocka_unit_test(frames_arrive_whole_byte_by_byte),
        cmocka_unit_test(a_handler_is_not_called_before_what_it_needs_is_there),
        cmocka_unit_test(large_and_small_frames_mix),
        cmocka_unit_test(an_announced_length_takes_no_memory),
        cmocka_unit_test(a_large_buffer_shrinks_when_little_is_left_in_it),
        cmocka_unit_test(an_incomplete_packet_above_the_maximum_closes),
        cmocka_unit_test(a_need_above_the_maximum_closes_at_once),
        cmocka_unit_test(a_handler_that_stops_early_is_called_again_until_all_is_taken),
        cmocka_unit_test(nothing_is_read_behind_what_waits_to_be_called_again),
        cmocka_unit_test(a_paused_connection_is_not_read_and_keeps_its_order),
        cmocka_unit_test(resuming_with_nothing_unread_calls_nobody),
        cmocka_unit_test(one_that_closes_is_not_called_again),
        cmocka_unit_test(the_end_of_the_stream_closes),
        cmocka_unit_test(an_error_of_the_handler_closes_with_it),
        cmocka_unit_test(a_false_alarm_changes_nothing),
        cmocka_unit_test(a_read_stamps_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
