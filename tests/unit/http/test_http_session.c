/* SPDX-License-Identifier: BSD-3-Clause */
/* test_http_session.c -- requests on real sockets. */
#include "desk.h"

/* ---- requests ------------------------------------------------------------------------------- */

static void a_request_is_answered_and_the_connection_kept(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    const char *text = ask(d, GET);
    assert_int_equal(strncmp(text, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
    assert_non_null(strstr(text, "\r\nX-Guard: yes\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Length: 4\r\n"));
    assert_non_null(strstr(text, "\r\n\r\ndone"));
    assert_null(strstr(text, "Connection"));
    ask(d, GET);
    assert_int_equal(times(d->heard, "done"), 2);
    assert_int_equal(rig_count(d->rig, 0, C_http_requests), 2);
    assert_false(ended(d));
    desk_free(d);
}

static void a_request_comes_in_any_pieces(void **state)
{
    static const char text[] =
        POST "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";

    (void)state;
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        struct desk *d = desk_new();
        rig_say(d->fd, text, cut);
        hear(d);
        assert_int_equal(d->requests, 0);
        rig_say(d->fd, text + cut, sizeof text - 1 - cut);
        hear(d);
        assert_int_equal(d->heads, 1);
        assert_int_equal(d->requests, 1);
        assert_string_equal(d->body, "hello");
        assert_int_equal(times(d->heard, "done"), 1);
        desk_free(d);
    }
}

static void head_is_answered_without_a_body(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(d->heard, "Content-Length: 4\r\n"));
    assert_null(strstr(d->heard, "done"));
    desk_free(d);
}

static void who_asks_for_it_is_closed(void **state)
{
    static const char *const texts[] = {
        "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /a HTTP/1.0\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct desk *d = desk_new();
        ask(d, texts[i]);
        assert_non_null(strstr(d->heard, "Connection: close\r\n"));
        assert_non_null(strstr(d->heard, "done"));
        assert_true(ended(d));
        desk_free(d);
    }
}

static void a_client_of_1_0_may_stay(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_non_null(strstr(d->heard, "Connection: keep-alive\r\n"));
    assert_false(ended(d));
    desk_free(d);
}

static void what_is_malformed_is_told_and_ends_it(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, "GET / HTTP/1.1\r\n\r\n" GET);
    assert_int_equal(times(d->heard, "HTTP/1.1 "), 1);
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 400 ", 13), 0);
    assert_non_null(strstr(d->heard, "Connection: close\r\n"));
    assert_true(ended(d));
    assert_int_equal(d->heads, 0);
    assert_int_equal(rig_count(d->rig, 0, C_http_refused), 1);
    desk_free(d);
}

static void a_bad_body_is_refused_before_the_service_sees_it(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, POST "Transfer-Encoding: chunked\r\n\r\n2\r\nheX");
    assert_int_equal(d->heads, 1);
    assert_int_equal(d->requests, 0);
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 400 ", 13), 0);
    assert_true(ended(d));
    desk_free(d);
}

static void a_body_in_chunks_has_a_bound(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, POST "Transfer-Encoding: chunked\r\n\r\nc9\r\n");
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 413 ", 13), 0);
    assert_true(ended(d));
    desk_free(d);
}

/* ---- heads that are held ----------------------------------------------------------------------
 */

static void a_held_request_is_answered_before_its_body(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->hold = true;
    ask(d, POST "Content-Length: 100\r\n\r\n");
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 401 ", 13), 0);
    assert_non_null(strstr(d->heard, "Connection: close\r\n")); /* its body is no request */
    assert_true(ended(d));
    assert_int_equal(d->requests, 0);
    desk_free(d);
}

static void a_held_request_without_a_body_keeps_the_connection(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->hold = true;
    ask(d, GET GET);
    assert_int_equal(times(d->heard, "HTTP/1.1 401 "), 2);
    assert_false(ended(d));
    desk_free(d);
}

static void a_client_that_waits_is_told_to_go_on(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_string_equal(d->heard, "HTTP/1.1 100 Continue\r\n\r\n");
    ask(d, "hello");
    assert_string_equal(d->body, "hello");
    assert_int_equal(times(d->heard, "HTTP/1.1 200 "), 1);
    desk_free(d);
}

static void a_client_that_is_refused_is_not(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->hold = true;
    ask(d, POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 401 ", 13), 0);
    assert_int_equal(times(d->heard, "HTTP/1.1 "), 1);
    desk_free(d);
}

/* ---- one at a time
 * ------------------------------------------------------------------------------- */

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        say(d, GET);
    for (unsigned i = 0; i < 10; i++)
        hear(d);
    assert_int_equal(times(d->heard, "done"), 100);
    desk_free(d);
}

static void the_next_request_waits_for_the_answer(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->later = true;
    ask(d, GET GET);
    assert_int_equal(d->requests, 1);
    assert_int_equal(d->heard_n, 0);
    answer(d->x);
    hear(d);
    assert_int_equal(times(d->heard, "done"), 1);
    assert_int_equal(d->requests, 2);
    answer(d->x);
    hear(d);
    assert_int_equal(times(d->heard, "done"), 2);
    desk_free(d);
}

static void half_a_connection_still_gets_its_answer(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->later = true;
    say(d, GET);
    shutdown(d->fd, SHUT_WR);
    hear(d);
    assert_int_equal(d->requests, 1);
    answer(d->x);
    hear(d);
    assert_int_equal(times(d->heard, "done"), 1);
    assert_true(ended(d));
    desk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_and_the_connection_kept),
        cmocka_unit_test(a_request_comes_in_any_pieces),
        cmocka_unit_test(head_is_answered_without_a_body),
        cmocka_unit_test(who_asks_for_it_is_closed),
        cmocka_unit_test(a_client_of_1_0_may_stay),
        cmocka_unit_test(what_is_malformed_is_told_and_ends_it),
        cmocka_unit_test(a_bad_body_is_refused_before_the_service_sees_it),
        cmocka_unit_test(a_body_in_chunks_has_a_bound),
        cmocka_unit_test(a_held_request_is_answered_before_its_body),
        cmocka_unit_test(a_held_request_without_a_body_keeps_the_connection),
        cmocka_unit_test(a_client_that_waits_is_told_to_go_on),
        cmocka_unit_test(a_client_that_is_refused_is_not),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(the_next_request_waits_for_the_answer),
        cmocka_unit_test(half_a_connection_still_gets_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
