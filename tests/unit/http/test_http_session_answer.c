/* SPDX-License-Identifier: BSD-3-Clause */
/* test_http_session_answer.c -- answers that take their time, to clients that take theirs. */
#include "desk.h"

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
