/* SPDX-License-Identifier: BSD-3-Clause */
/* test_http_session.c -- requests on real sockets to a service that the test plays. */
#include "unit/net/rig.h"

#include <stdio.h>

#include "base/assert.h"
#include "proto/http/http_session.h"

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST "POST /a HTTP/1.1\r\nHost: x\r\n"

enum { HEARD_MAX = 1 << 20 };

/* What the service does, and what it saw. */
struct desk {
    struct rig *rig;
    struct http_site site;
    struct http_exchange *x; /* the last one, till its end */
    bool later;              /* answer not at once */
    bool hold;               /* refuse at the head */
    bool pour;               /* answer without end, as there is room */
    unsigned heads, requests, rooms, cancels;
    size_t poured;
    char body[256];
    int fd;
    size_t heard_n;
    char *heard;
};

static void answer(struct http_exchange *x)
{
    struct desk *d = http_ctx(x);

    d->x = NULL;
    http_answer(x, &(struct http_answer){
                       .status = 200,
                       .type = BYTES("text/plain"),
                       .body = BYTES("done"),
                   });
}

static enum http_verdict on_head(struct http_exchange *x)
{
    struct desk *d = http_ctx(x);

    d->heads++;
    if (!d->hold) return HTTP_GO_ON;
    http_refuse(x, 401, "no");
    return HTTP_HELD;
}

static void pour(struct http_exchange *x)
{
    static const char piece[4096];
    struct desk *d = http_ctx(x);

    d->rooms++;
    for (unsigned n = 0; n < 8 && http_has_room(x); n++) {
        http_write(x, bytes_of(piece, sizeof piece));
        d->poured += sizeof piece;
    }
    http_more(x);
}

static void on_cancel(struct http_exchange *x)
{
    struct desk *d = http_ctx(x);

    assert_ptr_equal(d->x, x);
    d->cancels++;
    d->x = NULL;
}

static void on_request(struct http_exchange *x)
{
    static const struct http_later later = {.on_room = pour, .on_cancel = on_cancel};
    struct desk *d = http_ctx(x);

    d->requests++;
    d->x = x;
    assert_true(x->body.n < sizeof d->body);
    memcpy(d->body, x->body.p, x->body.n);
    d->body[x->body.n] = '\0';
    x->later = &later;
    if (d->pour) {
        http_begin(x, &(struct http_answer){.status = 200});
        pour(x);
    } else if (!d->later) {
        answer(x);
    }
}

static struct desk *desk_new(void)
{
    static const struct http_service service = {.on_head = on_head, .on_request = on_request};
    struct http_options o = HTTP_OPTIONS_DEFAULT;
    struct desk *d = calloc(1, sizeof *d);

    assert_non_null(d);
    d->rig = rig_default();
    d->heard = calloc(1, HEARD_MAX);
    assert_non_null(d->heard);
    o.body_bytes_max = 200;
    o.fields = BYTES("X-Guard: yes\r\n");
    d->site.core[0] = http_core_new(&d->rig->core[0], &service, d, &o);
    assert_non_null(d->site.core[0]);
    d->rig->listener.proto = &http_proto;
    d->rig->listener.proto_ctx = &d->site;
    d->fd = rig_stream(d->rig);
    return d;
}

static void desk_free(struct desk *d)
{
    if (d->fd >= 0) close(d->fd);
    rig_free(d->rig);
    http_core_free(&d->site.core[0]);
    free(d->heard);
    free(d);
}

/* Turns, and takes what has come. Returns it all as a string. */
static const char *hear(struct desk *d)
{
    for (unsigned i = 0; i < 20; i++) {
        rig_turn(d->rig, 1);
        long n = rig_hear(d->fd, d->heard + d->heard_n, HEARD_MAX - 1 - d->heard_n);
        if (n > 0) d->heard_n += (size_t)n;
    }
    d->heard[d->heard_n] = '\0';
    return d->heard;
}

static void say(struct desk *d, const char *text)
{
    rig_say(d->fd, text, strlen(text));
}

static const char *ask(struct desk *d, const char *text)
{
    say(d, text);
    return hear(d);
}

/* How often `part` stands in `text`. */
static unsigned times(const char *text, const char *part)
{
    unsigned n = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        n++;
    }
    return n;
}

/* Has the broker closed the connection? */
static bool ended(struct desk *d)
{
    char byte;

    hear(d);
    return rig_hear(d->fd, &byte, 1) == 0;
}

/* As if so many seconds had passed. */
static void pass(struct desk *d, uint32_t seconds)
{
    struct core *c = &d->rig->core[0];

    wheel_run(&c->wheel, core_now_s(c) + seconds);
}

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

/* ---- clients that go, or are slow
 * ------------------------------------------------------------------ */

static void an_exchange_is_cancelled_once_when_its_client_goes(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->pour = true;
    ask(d, GET);
    assert_non_null(d->x);
    close(d->fd);
    d->fd = -1;
    rig_turn(d->rig, 20);
    assert_int_equal(d->cancels, 1);
    assert_int_equal(rig_count(d->rig, 0, C_connections), 0);
    desk_free(d);
}

static void the_end_of_the_broker_cancels(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->later = true;
    ask(d, GET);
    net_free(&d->rig->net[0]);
    assert_int_equal(d->cancels, 1);
    desk_free(d);
}

static void a_slow_head_is_told_and_closed(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, "GET / HTTP/1.1\r\nHo");
    pass(d, 8);
    ask(d, "s"); /* a byte now and then buys no time */
    pass(d, 12);
    hear(d);
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 408 ", 13), 0);
    assert_true(ended(d));
    desk_free(d);
}

static void a_slow_body_is_told_and_closed(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, POST "Content-Length: 5\r\n\r\nhe");
    pass(d, 32);
    hear(d);
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 408 ", 13), 0);
    assert_true(ended(d));
    desk_free(d);
}

static void who_says_nothing_is_closed_without_a_word(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    rig_turn(d->rig, 2);
    pass(d, 12);
    assert_true(ended(d));
    assert_int_equal(d->heard_n, 0);
    desk_free(d);
}

static void who_has_asked_may_be_idle_longer(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    ask(d, GET);
    pass(d, 50);
    assert_false(ended(d));
    pass(d, 70);
    assert_true(ended(d));
    desk_free(d);
}

static void a_service_that_does_not_answer_is_given_up(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->later = true;
    ask(d, GET);
    pass(d, 32);
    assert_int_equal(d->cancels, 1);
    hear(d);
    assert_int_equal(strncmp(d->heard, "HTTP/1.1 503 ", 13), 0);
    assert_true(ended(d));
    assert_int_equal(d->cancels, 1);
    desk_free(d);
}

/* ---- long answers
 * ------------------------------------------------------------------------------------ */

static void a_long_answer_waits_for_a_client_that_does_not_read(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->pour = true;
    say(d, GET);
    rig_turn(d->rig, 500);
    size_t stuck = d->poured;
    unsigned rooms = d->rooms;
    assert_true(stuck > 0 && stuck < 2u << 20);
    rig_turn(d->rig, 500);
    assert_int_equal(d->poured, stuck); /* bounded, and nobody spins */
    assert_int_equal(d->rooms, rooms);

    for (unsigned i = 0; i < 100; i++) { /* it reads: the answer goes on */
        rig_hear(d->fd, d->heard, HEARD_MAX);
        rig_turn(d->rig, 1);
    }
    assert_true(d->poured > stuck);
    desk_free(d);
}

static void who_takes_nothing_of_an_answer_is_cut_off(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->pour = true;
    say(d, GET);
    rig_turn(d->rig, 500);
    assert_non_null(d->x);
    pass(d, 40);
    rig_turn(d->rig, 5);
    assert_int_equal(d->cancels, 1);
    assert_int_equal(rig_count(d->rig, 0, C_connections), 0);
    desk_free(d);
}

static void pieces_are_chunks_that_end(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->later = true;
    ask(d, GET);
    http_begin(d->x, &(struct http_answer){.status = 200, .type = BYTES("text/plain")});
    http_write(d->x, BYTES("hello"));
    http_write(d->x, BYTES("")); /* an empty chunk would be the end */
    http_write(d->x, BYTES(" world, you"));
    http_end(d->x);
    hear(d);
    assert_non_null(strstr(d->heard, "Transfer-Encoding: chunked\r\n"));
    assert_null(strstr(d->heard, "Content-Length"));
    assert_non_null(strstr(d->heard, "\r\n\r\n5\r\nhello\r\nb\r\n world, you\r\n0\r\n\r\n"));
    assert_false(ended(d));
    desk_free(d);
}

static void a_client_of_1_0_gets_them_bare(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->later = true;
    ask(d, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_begin(d->x, &(struct http_answer){.status = 200});
    http_write(d->x, BYTES("hello"));
    http_end(d->x);
    hear(d);
    assert_null(strstr(d->heard, "chunked"));
    assert_non_null(strstr(d->heard, "Connection: close\r\n\r\nhello"));
    assert_true(ended(d));
    desk_free(d);
}

static void an_answer_that_fails_is_not_ended_well(void **state)
{
    struct desk *d = desk_new();

    (void)state;
    d->later = true;
    ask(d, GET);
    http_begin(d->x, &(struct http_answer){.status = 200});
    http_write(d->x, BYTES("hel"));
    hear(d);
    http_abort(d->x);
    assert_true(ended(d));
    assert_null(strstr(d->heard, "0\r\n\r\n"));
    assert_int_equal(d->cancels, 0); /* the service knows */
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
        cmocka_unit_test(an_exchange_is_cancelled_once_when_its_client_goes),
        cmocka_unit_test(the_end_of_the_broker_cancels),
        cmocka_unit_test(a_slow_head_is_told_and_closed),
        cmocka_unit_test(a_slow_body_is_told_and_closed),
        cmocka_unit_test(who_says_nothing_is_closed_without_a_word),
        cmocka_unit_test(who_has_asked_may_be_idle_longer),
        cmocka_unit_test(a_service_that_does_not_answer_is_given_up),
        cmocka_unit_test(a_long_answer_waits_for_a_client_that_does_not_read),
        cmocka_unit_test(who_takes_nothing_of_an_answer_is_cut_off),
        cmocka_unit_test(pieces_are_chunks_that_end),
        cmocka_unit_test(a_client_of_1_0_gets_them_bare),
        cmocka_unit_test(an_answer_that_fails_is_not_ended_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
