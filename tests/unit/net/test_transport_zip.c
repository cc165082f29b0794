/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed WebSockets of a rig. What the client compresses is made by zlib itself. */
#include <zlib.h>

#include "net/net_internal.h"
#include "net/transport.h"
#include "unit/net/rig.h"

static const struct ws_options web = {.path = "/mqtt", .deflate = true};
static const struct ws_options plain_web = {.path = "/mqtt"};

#define REQUEST                                                                                    \
    "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"               \
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n"              \
    "Sec-WebSocket-Version: 13\r\n"                                                                \
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

/* The answer to a handshake, into answer[512]. */
static int ws_client(struct rig *r, const struct ws_options *o, char *answer)
{
    int fd;

    r->listener.ws = o;
    fd = rig_stream(r);
    rig_say(fd, REQUEST, sizeof REQUEST - 1);
    rig_turn(r, 1);
    long n = rig_hear(fd, answer, 511);
    assert_true(n > 12);
    answer[n] = '\0';
    return fd;
}

static int zipped_client(struct rig *r)
{
    char answer[512];
    int fd = ws_client(r, &web, answer);

    assert_non_null(strstr(answer, "permessage-deflate; server_no_context_takeover"));
    return fd;
}

/* `n` bytes compressed for themselves, without the tail. */
static size_t pack(const void *p, size_t n, uint8_t *out, size_t room)
{
    z_stream s = {.next_in = (void *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = out};

    s.avail_out = (uInt)room;
    assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&s, Z_SYNC_FLUSH), Z_OK);
    deflateEnd(&s);
    return room - s.avail_out - 4;
}

/* A frame with a mask of zeros; returns its length. */
static size_t put_frame(uint8_t *to, unsigned first, const void *p, size_t n)
{
    size_t head = n < 126 ? 6 : 8;

    memset(to, 0, head);
    to[0] = (uint8_t)first;
    to[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        to[2] = (uint8_t)(n >> 8);
        to[3] = (uint8_t)n;
    }
    if (n) memcpy(to + head, p, n);
    return head + n;
}

static void frame_say(int fd, unsigned first, const void *p, size_t n)
{
    uint8_t buf[4096];

    assert_true(n < 4000);
    rig_say(fd, buf, put_frame(buf, first, p, n));
}

static void it_is_not_agreed_on_unless_the_listener_says_so(void **state)
{
    struct rig *r = rig_default();
    char answer[512];
    int fd = ws_client(r, &plain_web, answer);

    (void)state;
    assert_null(strstr(answer, "Extensions"));
    frame_say(fd, 0xC2, "x", 1);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_PROTOCOL);
    close(fd);
    rig_free(r);
}

static void messages_open_whether_compressed_or_not_in_their_order(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);
    uint8_t zipped[64];
    size_t n = pack("second ", 7, zipped, sizeof zipped);

    (void)state;
    frame_say(fd, 0x82, "first ", 6);
    frame_say(fd, 0xC2, zipped, n);
    frame_say(fd, 0x02, "th", 2);
    frame_say(fd, 0x89, "ping", 4);
    frame_say(fd, 0x80, "ird", 3);
    frame_say(fd, 0xC2, "\0", 1);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 18);
    assert_memory_equal(r->probe.seen, "first second third", 18);
    close(fd);
    rig_free(r);
}

static void a_compressed_message_may_be_cut_at_each_byte(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);
    uint8_t zipped[64], all[256];
    size_t n = pack("in pieces", 9, zipped, sizeof zipped), len = 0;

    (void)state;
    for (size_t i = 0; i < n; i++)
        len += put_frame(all + len, (i ? 0x00 : 0x42) | (i == n - 1 ? 0x80 : 0), zipped + i, 1);
    for (size_t i = 0; i < len; i++) {
        rig_say(fd, all + i, 1);
        rig_turn(r, 1);
    }
    assert_int_equal(r->probe.seen_n, 9);
    assert_memory_equal(r->probe.seen, "in pieces", 9);
    close(fd);
    rig_free(r);
}

static void only_the_first_frame_of_a_message_says_that_it_is_compressed(void **state)
{
    static const unsigned wrong[][2] = {
        {0x02, 0xC0}, /* a continuation */
        {0x82, 0xC9}, /* a ping */
        {0x82, 0xC8}, /* a close */
        {0x82, 0xA2}, /* RSV2 */
        {0x82, 0xE2}, /* RSV1 and RSV2 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rig *r = rig_default();
        int fd = zipped_client(r);
        frame_say(fd, wrong[i][0], "x", 1);
        frame_say(fd, wrong[i][1], "x", 1);
        rig_turn(r, 2);
        assert_int_equal(r->probe.closes, 1);
        assert_int_equal(r->probe.why, -ERR_PROTOCOL);
        close(fd);
        rig_free(r);
    }
}

/* The code of the close frame that has arrived, behind other frames if need be. */
static unsigned close_code(int fd)
{
    uint8_t buf[64];
    long n = rig_hear(fd, buf, sizeof buf);

    if (n < 4 || buf[n - 4] != 0x88 || buf[n - 3] != 2) return 0;
    return (unsigned)buf[n - 2] << 8 | buf[n - 1];
}

static void a_bomb_is_closed_with_1009_and_nothing_of_it_is_delivered(void **state)
{
    enum { MUCH = 2 << 20 };
    struct rig *r = rig_default();
    int fd = zipped_client(r);
    uint8_t *zeros = calloc(1, MUCH), zipped[4096];

    (void)state;
    assert_non_null(zeros);
    size_t n = pack(zeros, MUCH, zipped, sizeof zipped);
    r->probe.conn->in_max = MUCH - 1;
    frame_say(fd, 0x82, "before", 6);
    frame_say(fd, 0xC2, zipped, n);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, 6);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(close_code(fd), 1009);
    close(fd);
    free(zeros);
    rig_free(r);
}

static void a_message_of_more_compressed_bytes_than_may_come_is_closed_with_1009(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);
    uint8_t noise[1000];

    (void)state;
    rig_fill(noise, sizeof noise, 0);
    r->probe.conn->in_max = 2500;
    frame_say(fd, 0x42, noise, sizeof noise);
    for (int i = 0; i < 2; i++)
        frame_say(fd, 0x00, noise, sizeof noise);
    rig_turn(r, 3);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(close_code(fd), 1009);
    close(fd);
    rig_free(r);
}

static void what_is_no_compressed_message_is_closed_with_1007(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);

    (void)state;
    frame_say(fd, 0xC2, "\x07", 1);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(close_code(fd), 1007);
    close(fd);
    rig_free(r);
}

static long grow_after_hello(struct probe *p, struct conn *c, struct bytes in)
{
    probe_take(p, in);
    c->in_max = 1 << 20;
    return (long)in.n;
}

static void how_large_a_message_may_be_is_asked_when_the_one_before_was_taken(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);
    uint8_t *zeros = calloc(1, 100000), zipped[4096];

    (void)state;
    size_t n = pack(zeros, 100000, zipped, sizeof zipped);
    r->probe.conn->in_max = 100;
    r->probe.bytes = grow_after_hello;
    frame_say(fd, 0x82, "hello", 5);
    frame_say(fd, 0xC2, zipped, n);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 100005);
    close(fd);
    free(zeros);
    rig_free(r);
}

enum { LONG = 200000, MESSAGES = 12 }; /* two are a turn's share */

/* Twelve messages of 200,000 bytes each, in few bytes. */
static void say_much(int fd)
{
    uint8_t *p = malloc(LONG), zipped[4096];

    assert_non_null(p);
    memset(p, 'z', LONG);
    size_t n = pack(p, LONG, zipped, sizeof zipped);
    for (int i = 0; i < MESSAGES; i++)
        frame_say(fd, 0xC2, zipped, n);
    frame_say(fd, 0x82, "end", 3);
    free(p);
}

static void a_turn_opens_no_more_than_its_share_and_the_rest_follows(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);

    (void)state;
    r->probe.conn->in_max = LONG;
    say_much(fd);
    size_t before = 0;
    for (int i = 0; i < 30 && r->probe.seen_n < (size_t)LONG * MESSAGES + 3; i++) {
        core_turn(&r->core[0]);
        assert_true(r->probe.seen_n - before <= 4 * LONG); /* two when read, and two again */
        before = r->probe.seen_n;
    }
    assert_int_equal(r->probe.seen_n, LONG * MESSAGES + 3);
    assert_null(r->probe.conn->transport->rest.p);
    close(fd);
    rig_free(r);
}

static long pause_often(struct probe *p, struct conn *c, struct bytes in)
{
    probe_take(p, in);
    conn_pause(c);
    return (long)in.n;
}

static void who_pauses_gets_the_rest_when_he_goes_on(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);

    (void)state;
    r->probe.conn->in_max = LONG;
    r->probe.bytes = pause_often;
    say_much(fd);
    for (int i = 0; i < 40 && r->probe.seen_n < (size_t)LONG * MESSAGES + 3; i++) {
        rig_turn(r, 3);
        size_t before = r->probe.seen_n;
        assert_int_equal(rig_turn(r, 2), 0); /* and until then nobody is busy */
        assert_int_equal(r->probe.seen_n, before);
        conn_resume(r->probe.conn);
    }
    assert_int_equal(r->probe.seen_n, LONG * MESSAGES + 3);
    close(fd);
    rig_free(r);
}

static long move_once(struct probe *p, struct conn *c, struct bytes in)
{
    c->in_max = LONG;
    if (net_core(c->net)->id == 1) {
        probe_take(p, in);
        return (long)in.n;
    }
    assert_int_equal(conn_hand_over(c, 1, 7, in), 0);
    return (long)in.n;
}

static void a_connection_moves_with_what_is_not_yet_opened(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);

    (void)state;
    r->probe.conn->in_max = LONG;
    r->probe.bytes = move_once;
    say_much(fd);
    rig_turn(r, 30);
    assert_int_equal(net_core(r->probe.conn->net)->id, 1);
    assert_int_equal(r->probe.seen_n, LONG * MESSAGES + 3);
    close(fd);
    rig_free(r);
}

static void a_connection_closed_with_bytes_waiting_gives_them_back(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);

    (void)state;
    r->probe.conn->in_max = LONG;
    r->probe.bytes = pause_often;
    say_much(fd);
    frame_say(fd, 0x42, "x", 1);
    rig_turn(r, 2);
    assert_non_null(r->probe.conn->transport->rest.p);
    conn_close(r->probe.conn, 0);
    rig_turn(r, 2);
    close(fd);
    rig_free(r); /* the leak checker sees the rest */
}

static void output_is_compressed_when_that_makes_it_smaller(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);
    uint8_t big[8192], got[8192], open[8192];

    (void)state;
    memset(big, 'b', sizeof big);
    assert_int_equal(conn_send(r->probe.conn, BYTES("short")), 0);
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, got, sizeof got), 7);
    assert_memory_equal(got, "\x82\x05short", 7);

    assert_int_equal(conn_send(r->probe.conn, bytes_of(big, sizeof big)), 0);
    rig_turn(r, 1);
    long n = rig_hear(fd, got, sizeof got - 4);
    assert_true(n > 2 && n < 126);
    assert_int_equal(got[0], 0xC2);
    assert_int_equal(got[1], n - 2);
    memcpy(got + n, "\0\0\xFF\xFF", 4);
    z_stream s = {.next_in = got + 2, .avail_in = (uInt)n + 2, .next_out = open};
    s.avail_out = sizeof open;
    assert_int_equal(inflateInit2(&s, -15), Z_OK);
    assert_int_equal(inflate(&s, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(s.avail_out, 0);
    assert_memory_equal(open, big, sizeof big);
    inflateEnd(&s);
    close(fd);
    rig_free(r);
}

static void what_does_not_get_smaller_is_sent_as_it_is(void **state)
{
    struct rig *r = rig_default();
    int fd = zipped_client(r);
    uint8_t noise[500], got[600];
    uint32_t x = 1;

    (void)state;
    for (size_t i = 0; i < sizeof noise; i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = (uint8_t)(x >> 24);
    }
    assert_int_equal(conn_send(r->probe.conn, bytes_of(noise, sizeof noise)), 0);
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, got, sizeof got), 504);
    assert_memory_equal(got, "\x82\x7E\x01\xF4", 4);
    assert_memory_equal(got + 4, noise, sizeof noise);
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_not_agreed_on_unless_the_listener_says_so),
        cmocka_unit_test(messages_open_whether_compressed_or_not_in_their_order),
        cmocka_unit_test(a_compressed_message_may_be_cut_at_each_byte),
        cmocka_unit_test(only_the_first_frame_of_a_message_says_that_it_is_compressed),
        cmocka_unit_test(a_bomb_is_closed_with_1009_and_nothing_of_it_is_delivered),
        cmocka_unit_test(a_message_of_more_compressed_bytes_than_may_come_is_closed_with_1009),
        cmocka_unit_test(what_is_no_compressed_message_is_closed_with_1007),
        cmocka_unit_test(how_large_a_message_may_be_is_asked_when_the_one_before_was_taken),
        cmocka_unit_test(a_turn_opens_no_more_than_its_share_and_the_rest_follows),
        cmocka_unit_test(who_pauses_gets_the_rest_when_he_goes_on),
        cmocka_unit_test(a_connection_moves_with_what_is_not_yet_opened),
        cmocka_unit_test(a_connection_closed_with_bytes_waiting_gives_them_back),
        cmocka_unit_test(output_is_compressed_when_that_makes_it_smaller),
        cmocka_unit_test(what_does_not_get_smaller_is_sent_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
