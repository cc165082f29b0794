/* SPDX-License-Identifier: BSD-3-Clause */
#include "office.h"

static void nothing_but_health_is_had_without_a_token(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    for (unsigned i = 0; i < admin_routes_count(); i++) {
        const struct admin_route *r = admin_route_at(i);
        char what[128];
        snprintf(what, sizeof what, "%s %s", http_method_text(r->method), r->pattern);
        for (char *p = what; *p; p++) /* {id} is no path */
            if (*p == '{' || *p == '}') *p = 'x';
        const char *answer = office_ask(o, what, "");
        if (r->flags & ADMIN_HEALTH) continue;
        assert_status(answer, 401);
        assert_has(answer, "\r\nWWW-Authenticate: Bearer ");
    }
    office_free(o);
}

/* Else paths could be told apart, and the version with them. */
static void a_stranger_gets_the_same_answer_everywhere(void **state)
{
    static const char *const asked[] = {
        "GET /", "GET /nothing", "POST /metrics", "OPTIONS /metrics", "OPTIONS *",
    };
    struct office *o = office_new(1);
    char first[1024];

    (void)state;
    snprintf(first, sizeof first, "%s", office_ask(o, "GET /metrics", ""));
    assert_null(strstr(first, "9.8.7"));
    assert_null(strstr(first, "Server:"));
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        assert_string_equal(office_ask(o, asked[i], ""), first);
    office_free(o);
}

static void the_token_opens(void **state)
{
    static const char *const good[] = {
        BEARER,
        "authorization: bearer " TOKEN "\r\n",
        "Authorization: BEARER   " TOKEN "  \r\n",
    };
    static const char *const bad[] = {
        "Authorization: Bearer " TOKEN "0\r\n",
        "Authorization: Bearer " TOKEN ",\r\n",
        "Authorization: Basic " TOKEN "\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: " TOKEN "\r\n",
        "Cookie: " TOKEN "\r\n",
        "",
    };
    struct office *o = office_new(1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_status(office_ask(o, "GET /", good[i]), 200);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        office_ask(o, "GET /", bad[i]);
        office_pass(o, 10); /* it may be held back */
        assert_status(office_hear(o), 401);
    }
    office_free(o);
}

static void another_token_takes_over_at_once(void **state)
{
    struct office *o = office_new(2);

    (void)state;
    admin_set_tokens(&o->shared, office_tokens("another-token-0123456789\n"));
    assert_status(office_ask(o, "GET /", BEARER), 401);
    assert_status(office_ask(o, "GET /", "Authorization: Bearer another-token-0123456789\r\n"),
                  200);
    office_free(o);
}

static void every_answer_is_guarded(void **state)
{
    static const struct {
        const char *what, *fields;
    } asked[] = {
        {"GET /healthz", ""}, {"GET /metrics", ""}, {"GET /metrics", BEARER},
        {"PUT /", BEARER},    {"NONE /", ""},
    };
    struct office *o = office_new(1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        const char *answer = office_ask(o, asked[i].what, asked[i].fields);
        assert_has(answer, "\r\nCache-Control: no-store\r\n");
        assert_has(answer, "\r\nX-Content-Type-Options: nosniff\r\n");
        assert_has(answer, "\r\nContent-Security-Policy: default-src 'none'; ");
    }
    office_free(o);
}

static void what_is_not_there_is_told(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    assert_status(office_ask(o, "GET /nothing", BEARER), 404);
    assert_status(office_ask(o, "GET /metrics/", BEARER), 404);
    const char *answer = office_ask(o, "DELETE /metrics", BEARER);
    assert_status(answer, 405);
    assert_has(answer, "\r\nAllow: GET, HEAD, OPTIONS\r\n");
    answer = office_ask(o, "OPTIONS /metrics", BEARER);
    assert_status(answer, 204);
    assert_has(answer, "\r\nAllow: GET, HEAD, OPTIONS\r\n");
    office_free(o);
}

/* ---- wrong tokens --------------------------------------------------------------------------- */

#define WRONG "Authorization: Bearer xxxxxxxxxxxxxxxxxxxxxxxx\r\n"

static void wrong_tokens_are_counted_and_slowed(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    for (unsigned i = 0; i < THROTTLE_FREE; i++)
        assert_status(office_ask(o, "GET /", WRONG), 401);
    assert_string_equal(office_ask(o, "GET /", WRONG), "");
    assert_int_equal(counter_read(&o->k->core[0].counters, C_admin_denied), THROTTLE_FREE + 1);
    office_pass(o, THROTTLE_S_MAX + 1);
    assert_status(office_hear(o), 401);
    assert_status(office_ask(o, "GET /", BEARER), 200); /* nobody is locked out */
    office_free(o);
}

static void no_token_at_all_is_no_attempt(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        assert_status(office_ask(o, "GET /", ""), 401);
    assert_int_equal(counter_read(&o->k->core[0].counters, C_admin_denied), 0);
    office_free(o);
}

static void who_is_held_back_may_go(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    for (unsigned i = 0; i <= THROTTLE_FREE; i++)
        office_ask(o, "GET /", WRONG);
    assert_int_equal(o->admin[0]->npenalties, 1);
    shutdown(o->fd, SHUT_RDWR);
    close(o->fd);
    office_turn(o, 5);
    office_pass(o, THROTTLE_S_MAX + 1);
    assert_int_equal(o->admin[0]->npenalties, 0);
    o->fd = office_client(o);
    office_free(o);
}

static void so_many_are_held_back_and_no_more(void **state)
{
    enum { CLIENTS = 80 };
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n" WRONG "\r\n";
    struct office *o = office_new(1);
    int fd[CLIENTS];
    char answer[64];
    unsigned told = 0;

    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        fd[i] = office_client(o);
        assert_int_equal(send(fd[i], text, sizeof text - 1, MSG_NOSIGNAL), sizeof text - 1);
        office_turn(o, 2);
        long n = recv(fd[i], answer, sizeof answer, 0);
        told += n > 13 && memcmp(answer, "HTTP/1.1 429 ", 13) == 0;
    }
    assert_int_equal(told, CLIENTS - THROTTLE_FREE - 64);
    for (unsigned i = 0; i < CLIENTS; i++)
        close(fd[i]);
    office_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_health_is_had_without_a_token),
        cmocka_unit_test(a_stranger_gets_the_same_answer_everywhere),
        cmocka_unit_test(the_token_opens),
        cmocka_unit_test(another_token_takes_over_at_once),
        cmocka_unit_test(every_answer_is_guarded),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(wrong_tokens_are_counted_and_slowed),
        cmocka_unit_test(no_token_at_all_is_no_attempt),
        cmocka_unit_test(who_is_held_back_may_go),
        cmocka_unit_test(so_many_are_held_back_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
