/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "net/ws_handshake.h"

/* The key and its answer are RFC 6455's own example (section 1.3). */
#define HOST "Host: example.com\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REST "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n"
#define GET "GET /mqtt HTTP/1.1\r\n"
#define GOOD GET HOST UPGRADE KEY REST "\r\n"

static const struct ws_options anybody = {.path = "/mqtt"};
static const struct ws_options listed = {
    .path = "/mqtt",
    .origins = {"https://a.example", "https://b.example"},
    .norigins = 2,
};

static long read_all(const struct ws_options *o, const char *text, size_t n)
{
    struct ws_request r = {.seen = 0};
    return ws_request_read(&r, o, bytes_of(text, n));
}

struct row {
    const char *name, *text;
    long status; /* 0: taken */
};

static const struct row rows[] = {
    {"good", GOOD, 0},
    {"a query", "GET /mqtt?token=1 HTTP/1.1\r\n" HOST UPGRADE KEY REST "\r\n", 0},
    {"names in any case",
     GET "hOST: x\r\nUPGRADE: WebSocket\r\nconnection: upgrade\r\n" KEY REST "\r\n", 0},
    {"Firefox's Connection",
     GET HOST "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" KEY REST "\r\n", 0},
    {"a second sub-protocol",
     GET HOST UPGRADE KEY
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: soap, mqttv3.1\r\n\r\n",
     0},
    {"extensions are not agreed to",
     GET HOST UPGRADE KEY REST "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 0},
    {"an empty body", GET HOST UPGRADE KEY REST "Content-Length: 0\r\n\r\n", 0},
    {"another path", "GET /other HTTP/1.1\r\n" HOST UPGRADE KEY REST "\r\n", 404},
    {"a longer path", "GET /mqttx HTTP/1.1\r\n" HOST UPGRADE KEY REST "\r\n", 404},
    {"POST", "POST /mqtt HTTP/1.1\r\n" HOST UPGRADE KEY REST "\r\n", 405},
    {"HTTP/1.0", "GET /mqtt HTTP/1.0\r\n" HOST UPGRADE KEY REST "\r\n", 400},
    {"HTTP/2.0", "GET /mqtt HTTP/2.0\r\n" HOST UPGRADE KEY REST "\r\n", 400},
    {"no path", "GET  HTTP/1.1\r\n" HOST UPGRADE KEY REST "\r\n", 400},
    {"a space in the path", "GET /mq tt HTTP/1.1\r\n" HOST UPGRADE KEY REST "\r\n", 400},
    {"no Host", GET UPGRADE KEY REST "\r\n", 400},
    {"two Hosts", GET HOST HOST UPGRADE KEY REST "\r\n", 400},
    {"no Upgrade", GET HOST "Connection: Upgrade\r\n" KEY REST "\r\n", 426},
    {"no Connection", GET HOST "Upgrade: websocket\r\n" KEY REST "\r\n", 426},
    {"plain HTTP", GET HOST "\r\n", 426},
    {"no key", GET HOST UPGRADE REST "\r\n", 400},
    {"two keys", GET HOST UPGRADE KEY KEY REST "\r\n", 400},
    {"a short key", GET HOST UPGRADE "Sec-WebSocket-Key: AAAA\r\n" REST "\r\n", 400},
    {"a key of 17 bytes",
     GET HOST UPGRADE "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n" REST "\r\n", 400},
    {"a key that is not base64",
     GET HOST UPGRADE "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n" REST "\r\n", 400},
    {"version 8",
     GET HOST UPGRADE KEY "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 8\r\n\r\n", 426},
    {"no version", GET HOST UPGRADE KEY "Sec-WebSocket-Protocol: mqtt\r\n\r\n", 400},
    {"two versions", GET HOST UPGRADE KEY REST "Sec-WebSocket-Version: 13\r\n\r\n", 400},
    {"no sub-protocol", GET HOST UPGRADE KEY "Sec-WebSocket-Version: 13\r\n\r\n", 400},
    {"another sub-protocol",
     GET HOST UPGRADE KEY "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: soap\r\n\r\n", 400},
    {"a body", GET HOST UPGRADE KEY REST "Content-Length: 5\r\n\r\n", 400},
    {"chunks", GET HOST UPGRADE KEY REST "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"a folded line", GET HOST UPGRADE KEY REST "X: a\r\n b\r\n\r\n", 400},
    {"a space before the colon", GET "Host : x\r\n" UPGRADE KEY REST "\r\n", 400},
    {"a line without a colon", GET HOST UPGRADE KEY REST "nonsense\r\n\r\n", 400},
    {"a header without a name", GET HOST UPGRADE KEY REST ": x\r\n\r\n", 400},
    {"LF alone", GET "Host: x\n" UPGRADE KEY REST "\r\n", 400},
    {"CR within a value", GET "Host: x\ry\r\n" UPGRADE KEY REST "\r\n", 400},
    {"an escape in a value", GET HOST UPGRADE KEY REST "X: \x1B[2J\r\n\r\n", 400},
};

static void requests_are_judged_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].text);
        long got = read_all(&anybody, rows[i].text, n);
        long want = rows[i].status ? -rows[i].status : (long)n;
        if (got != want) fail_msg("%s: %ld, not %ld", rows[i].name, got, want);
    }
}

static void a_good_request_cut_at_each_byte_waits_for_the_rest(void **state)
{
    size_t n = sizeof(GOOD) - 1;

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        struct ws_request r = {.seen = 0};
        assert_int_equal(ws_request_read(&r, &anybody, bytes_of(GOOD, cut)), 0);
        assert_int_equal(ws_request_read(&r, &anybody, bytes_of(GOOD, n)), n);
        assert_string_equal(r.protocol, "mqtt");
    }
    assert_int_equal(read_all(&anybody, GOOD "\x82\x80", n + 2), n);
}

static void a_request_that_comes_byte_by_byte_is_taken(void **state)
{
    struct ws_request r = {.seen = 0};
    size_t n = sizeof(GOOD) - 1;

    (void)state;
    for (size_t i = 1; i < n; i++)
        assert_int_equal(ws_request_read(&r, &anybody, bytes_of(GOOD, i)), 0);
    assert_int_equal(ws_request_read(&r, &anybody, bytes_of(GOOD, n)), n);
}

static void what_does_not_begin_with_GET_is_refused_by_its_first_byte(void **state)
{
    (void)state;
    assert_int_equal(read_all(&anybody, "\x10", 1), -405);
    assert_int_equal(read_all(&anybody, "GEX", 3), -405);
    assert_int_equal(read_all(&anybody, "\x16\x03\x01", 3), -405);
}

static void a_head_is_bounded_in_bytes_and_in_lines(void **state)
{
    char text[WS_REQUEST_MAX + 1];

    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, GET "X: ", sizeof(GET) + 2);
    assert_int_equal(read_all(&anybody, text, WS_REQUEST_MAX - 1), 0);
    assert_int_equal(read_all(&anybody, text, WS_REQUEST_MAX), -431);
    size_t n = (size_t)snprintf(text, sizeof text, "%s", GET HOST);
    for (int i = 0; i < WS_HEADERS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "X: y\r\n");
    n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
    assert_int_equal(read_all(&anybody, text, n), -431);
}

static void origins_are_judged_when_some_are_listed(void **state)
{
    static const char bad[] = GET HOST UPGRADE KEY REST "Origin: https://evil.example\r\n\r\n";
    static const char ok[] = GET HOST UPGRADE KEY REST "Origin: https://B.example\r\n\r\n";

    (void)state;
    assert_int_equal(read_all(&anybody, bad, sizeof bad - 1), sizeof bad - 1);
    assert_int_equal(read_all(&listed, bad, sizeof bad - 1), -403);
    assert_int_equal(read_all(&listed, ok, sizeof ok - 1), sizeof ok - 1);
    assert_int_equal(read_all(&listed, GOOD, sizeof(GOOD) - 1), sizeof(GOOD) - 1); /* no page */
}

static void the_answer_is_the_one_in_the_rfc(void **state)
{
    struct ws_request r = {.seen = 0};
    char room[WS_ANSWER_MAX];
    struct writer w = wr_of(room, sizeof room);
    static const char want[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                               "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

    (void)state;
    assert_true(ws_request_read(&r, &anybody, bytes_of(GOOD, sizeof(GOOD) - 1)) > 0);
    ws_put_accept(&w, &r);
    assert_false(w.bad);
    assert_int_equal(wr_len(&w), sizeof want - 1);
    assert_memory_equal(room, want, sizeof want - 1);
}

static void refusals_say_what_would_be_taken(void **state)
{
    static const unsigned statuses[] = {400, 403, 404, 405, 426, 431};
    char room[WS_ANSWER_MAX + 1], start[32];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct writer w = wr_of(room, WS_ANSWER_MAX);
        ws_put_refusal(&w, statuses[i]);
        assert_false(w.bad);
        room[wr_len(&w)] = '\0';
        snprintf(start, sizeof start, "HTTP/1.1 %u ", statuses[i]);
        assert_int_equal(strncmp(room, start, strlen(start)), 0);
        assert_non_null(strstr(room, "\r\nContent-Length: 0\r\n\r\n"));
        assert_int_equal(strstr(room, "Sec-WebSocket-Version: 13") != NULL, statuses[i] == 426);
        assert_int_equal(strstr(room, "Allow: GET") != NULL, statuses[i] == 405);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged_as_the_table_says),
        cmocka_unit_test(a_good_request_cut_at_each_byte_waits_for_the_rest),
        cmocka_unit_test(a_request_that_comes_byte_by_byte_is_taken),
        cmocka_unit_test(what_does_not_begin_with_GET_is_refused_by_its_first_byte),
        cmocka_unit_test(a_head_is_bounded_in_bytes_and_in_lines),
        cmocka_unit_test(origins_are_judged_when_some_are_listed),
        cmocka_unit_test(the_answer_is_the_one_in_the_rfc),
        cmocka_unit_test(refusals_say_what_would_be_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
