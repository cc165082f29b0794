/* SPDX-License-Identifier: BSD-3-Clause */
/* test_hook.c -- against a web service that is slow, wrong, huge, silent or gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/access/hook_rig.h"
#include "unit/access/rig.h"

static const struct hook_text login = {.action = HOOK_LOGIN,
                                       .user = {(const uint8_t *)"ann", 3},
                                       .password = {(const uint8_t *)"secret", 6},
                                       .client_id = {(const uint8_t *)"c1", 2}};

static struct {
    struct mesh mesh;
    struct helpers *helpers;
    struct service *service;
    struct hook_options options;
    struct hook *hook;
    struct counters counters;
} rig;

static void start_hook(void)
{
    char error[512] = "";
    rig.hook = hook_new(&rig.options, rig.helpers, error, sizeof error);
    if (!rig.hook) fail_msg("%s", error);
}

static int set_up(void **state)
{
    int err;
    (void)state;
    memset(&rig, 0, sizeof rig);
    rig.helpers = helpers_new(1, 4, &rig.mesh, CORES, &err);
    rig.service = service_new(NULL);
    rig.options = (struct hook_options)HOOK_OPTIONS_DEFAULT;
    snprintf(rig.options.url, HOOK_TEXT_MAX, "http://127.0.0.1:%u/mqtt", rig.service->port);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hook_stop(rig.hook, 0);
    hook_free(&rig.hook);
    for (unsigned core = 0; core < CORES; core++)
        helper_take(rig.helpers, core);
    service_free(&rig.service);
    helpers_free(&rig.helpers);
    return 0;
}

static void on_done(struct hook_question *q)
{
    *(bool *)q->context = true;
}

static struct hook_question *ask(const struct hook_text *text, bool *done)
{
    struct hook_question *q = hook_question_new(text, 1, on_done);
    assert_non_null(q);
    q->context = done;
    q->counters = &rig.counters;
    *done = false;
    hook_ask(rig.hook, q);
    return q;
}

static void wait_for(const bool *done)
{
    while (!*done) {
        helper_take(rig.helpers, 1);
        sched_yield();
    }
}

/* Asks and waits; the answer is the caller's. */
static struct hook_answer answer_to(const struct hook_text *text)
{
    bool done;
    struct hook_question *q = ask(text, &done);
    wait_for(&done);
    struct hook_answer a = q->answer;
    q->answer = (struct hook_answer){.verdict = HOOK_DENY};
    hook_question_free(&q);
    return a;
}

static void expect(enum hook_verdict verdict, enum hook_origin origin)
{
    struct hook_answer a = answer_to(&login);
    if (a.verdict != verdict || a.origin != origin)
        fail_msg("%s: verdict %d instead of %d", hook_origin_word(a.origin), a.verdict, verdict);
    hook_answer_free(&a);
}

/* ---- good manners ------------------------------------------------------------------------------
 */

static void login_is_asked_and_its_answer_comes_to_the_core(void **state)
{
    (void)state;
    start_hook();
    atomic_store(&rig.service->reply,
                 "{\"result\":\"allow\",\"user\":\"anna\",\"rules\":{\"pub\":[\"up/#\"]},"
                 "\"expires\":60}");
    struct hook_answer a = answer_to(&login);
    assert_int_equal(a.verdict, HOOK_ALLOW);
    assert_int_equal(a.origin, HOOK_ANSWERED);
    assert_true(bytes_eq(a.user, BYTES("anna")));
    assert_int_equal(a.rules.n, 1);
    assert_true(a.expires_s > 1700000000 && a.expires_s < INT64_MAX);
    hook_answer_free(&a);
    assert_true(service_saw(rig.service, "POST /mqtt HTTP/1.1\r\n"));
    assert_true(service_saw(rig.service, "Content-Type: application/json\r\n"));
    assert_true(service_saw(rig.service,
                            "\r\n\r\n{\"action\":\"login\",\"user\":\"ann\",\"password\":"
                            "\"secret\",\"client_id\":\"c1\"}"));
    assert_false(service_saw(rig.service, "Expect:"));
    assert_int_equal(counter_read(&rig.counters, C_hook_answers), 1);
}

static void texts_of_clients_stay_inside_of_their_strings(void **state)
{
    (void)state;
    struct hook_text t = {.action = HOOK_PUBLISH,
                          .user = BYTES("a\r\nHost: evil\r\n\r\n\",\"x\":\"\\"),
                          .password = BYTES("\xFF\0"),
                          .topic = BYTES("t\"}")};
    start_hook();
    struct hook_answer a = answer_to(&t);
    assert_int_equal(a.verdict, HOOK_ALLOW);
    assert_true(service_saw(rig.service,
                            "{\"action\":\"publish\",\"user\":\"a\\u000d\\u000aHost: "
                            "evil\\u000d\\u000a\\u000d\\u000a\\\",\\\"x\\\":\\\"\\\\\","
                            "\"password_base64\":\"/wA=\",\"topic\":\"t\\\"}\"}"));
}

static void connections_are_kept_and_bounded(void **state)
{
    enum { QUESTIONS = 50 };
    bool done[QUESTIONS];
    struct hook_question *q[QUESTIONS];
    (void)state;
    rig.options.connections_max = 2;
    start_hook();
    for (unsigned i = 0; i < QUESTIONS; i++)
        q[i] = ask(&login, &done[i]);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        wait_for(&done[i]);
        assert_int_equal(q[i]->answer.verdict, HOOK_ALLOW);
        hook_question_free(&q[i]);
    }
    assert_int_equal(atomic_load(&rig.service->requests), QUESTIONS);
    assert_in_range(atomic_load(&rig.service->connections), 1, 2);
}

static void bearer_token_is_sent_from_its_file(void **state)
{
    struct folder f = folder_new();
    (void)state;
    snprintf(rig.options.secret_file, HOOK_TEXT_MAX, "%s",
             folder_put(&f, BYTES("s3cret-of-ours\n"), 0600));
    start_hook();
    expect(HOOK_ALLOW, HOOK_ANSWERED);
    assert_true(service_saw(rig.service, "Authorization: Bearer s3cret-of-ours\r\n"));
    folder_free(&f);
}

/* ---- bad manners
 * --------------------------------------------------------------------------------- */

static void answer_without_sense_is_the_configured_one(void **state)
{
    static const char *const bad[] = {
        "",
        "allow",
        "[]",
        "{}",
        "{\"result\":\"Allow\"}",
        "{\"result\":true}",
        "{\"result\":\"allow\",\"result\":\"allow\"}",
        "{\"result\":\"allow\"}{\"result\":\"allow\"}",
        "{\"result\":\"allow\",\"rule\":[]}",
        "{\"result\":\"allow\",\"rules\":[\"#\"]}",
        "{\"result\":\"allow\",\"expires\":0}",
        "HTTP/1.1 500 Oops\r\nContent-Length: 18\r\n\r\n{\"result\":\"allow\"}",
        "HTTP/1.1 201 Created\r\nContent-Length: 18\r\n\r\n{\"result\":\"allow\"}",
        "HTTP/1.1 204 None\r\n\r\n",
    };
    (void)state;
    rig.options.on_failure = HOOK_IGNORE;
    start_hook();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        atomic_store(&rig.service->reply, bad[i]);
        expect(HOOK_IGNORE, HOOK_BAD_ANSWER);
    }
    assert_int_equal(atomic_load(&rig.service->requests), ARRAY_LEN(bad));
    assert_int_equal(counter_read(&rig.counters, C_hook_bad_answers), ARRAY_LEN(bad));
}

/* Who can send what the service chokes on is not to come in by that. */
static void who_is_to_blame_for_a_failure_is_denied_whatever_is_configured(void **state)
{
    static const char *const blame[] = {
        "HTTP/1.1 400 No\r\nContent-Length: 18\r\n\r\n{\"result\":\"allow\"}",
        "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
    };
    (void)state;
    rig.options.on_failure = HOOK_ALLOW;
    start_hook();
    for (unsigned i = 0; i < ARRAY_LEN(blame); i++) {
        atomic_store(&rig.service->reply, blame[i]);
        expect(HOOK_DENY, HOOK_BAD_ANSWER);
    }
    atomic_store(&rig.service->reply, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    expect(HOOK_ALLOW, HOOK_BAD_ANSWER);
}

static void redirect_is_not_followed(void **state)
{
    char reply[256];
    (void)state;
    snprintf(reply, sizeof reply,
             "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:%u/other\r\nContent-Length: 0\r\n"
             "\r\n",
             rig.service->port);
    start_hook();
    atomic_store(&rig.service->reply, reply);
    expect(HOOK_DENY, HOOK_BAD_ANSWER);
    assert_int_equal(atomic_load(&rig.service->requests), 1);
}

static void broken_and_endless_answers_are_given_up(void **state)
{
    static const struct {
        enum manner manner;
        enum hook_origin origin;
    } rows[] = {{CUT, HOOK_BAD_ANSWER},
                {ENDLESS, HOOK_BAD_ANSWER},
                {HEADERS, HOOK_BAD_ANSWER},
                {NOT_HTTP, HOOK_BAD_ANSWER},
                {HANG_UP, HOOK_UNREACHABLE}};
    (void)state;
    start_hook();
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        atomic_store(&rig.service->manner, (int)rows[i].manner);
        expect(HOOK_DENY, rows[i].origin);
    }
}

static void silent_service_costs_the_timeout_and_then_nothing(void **state)
{
    (void)state;
    rig.options.timeout_ms = 50;
    start_hook();
    atomic_store(&rig.service->manner, SILENCE);
    for (unsigned i = 0; i < 5; i++)
        expect(HOOK_DENY, HOOK_TIMEOUT);
    expect(HOOK_DENY, HOOK_OPEN); /* without asking */
    assert_int_equal(atomic_load(&rig.service->requests), 5);
    assert_int_equal(counter_read(&rig.counters, C_hook_timeouts), 5);
    assert_int_equal(counter_read(&rig.counters, C_hook_open), 1);
}

static void question_that_waits_has_no_more_time_than_others(void **state)
{
    enum { QUESTIONS = 4 };
    bool done[QUESTIONS];
    struct hook_question *q[QUESTIONS];
    (void)state;
    rig.options.timeout_ms = 50;
    rig.options.connections_max = 1;
    start_hook();
    atomic_store(&rig.service->manner, SILENCE);
    for (unsigned i = 0; i < QUESTIONS; i++)
        q[i] = ask(&login, &done[i]);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        wait_for(&done[i]);
        assert_int_equal(q[i]->answer.origin, HOOK_TIMEOUT);
        hook_question_free(&q[i]);
    }
    assert_in_range(atomic_load(&rig.service->requests), 0, 2);
}

static void service_that_is_not_there_is_unreachable(void **state)
{
    (void)state;
    snprintf(rig.options.url, HOOK_TEXT_MAX, "http://127.0.0.1:1/");
    rig.options.on_failure = HOOK_ALLOW;
    start_hook();
    expect(HOOK_ALLOW, HOOK_UNREACHABLE);
}

static void bad_answers_do_not_open_the_breaker(void **state)
{
    (void)state;
    start_hook();
    atomic_store(&rig.service->reply, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    for (unsigned i = 0; i < 20; i++)
        expect(HOOK_DENY, HOOK_BAD_ANSWER);
    atomic_store(&rig.service->reply, "{\"result\":\"allow\"}");
    expect(HOOK_ALLOW, HOOK_ANSWERED);
}

static void proxy_of_the_environment_is_not_used(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    start_hook();
    expect(HOOK_ALLOW, HOOK_ANSWERED);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

/* ---- bounds
 * -------------------------------------------------------------------------------------- */

static void full_queue_answers_at_once(void **state)
{
    bool done[4];
    struct hook_question *q[4];
    (void)state;
    rig.options.connections_max = 1;
    rig.options.queue_max = 2;
    start_hook();
    atomic_store(&rig.service->held, true);
    q[0] = ask(&login, &done[0]);
    while (atomic_load(&rig.service->requests) == 0) /* it holds the only slot */
        nap(1);
    for (unsigned i = 1; i < 4; i++)
        q[i] = ask(&login, &done[i]);
    wait_for(&done[3]);
    assert_int_equal(q[3]->answer.origin, HOOK_BUSY);
    assert_false(done[0] || done[1] || done[2]);
    atomic_store(&rig.service->held, false);
    for (unsigned i = 0; i < 4; i++) {
        wait_for(&done[i]);
        assert_int_equal(q[i]->answer.origin, i == 3 ? HOOK_BUSY : HOOK_ANSWERED);
        hook_question_free(&q[i]);
    }
}

static void question_that_is_too_large_is_denied_whatever_is_configured(void **state)
{
    static uint8_t controls[40000];
    struct hook_text t = {.action = HOOK_LOGIN, .password = bytes_of(controls, sizeof controls)};
    (void)state;
    memset(controls, 1, sizeof controls);
    rig.options.on_failure = HOOK_ALLOW;
    start_hook();
    struct hook_answer a = answer_to(&t);
    assert_int_equal(a.verdict, HOOK_DENY);
    assert_int_equal(a.origin, HOOK_TOO_LARGE);
    expect(HOOK_ALLOW, HOOK_ANSWERED);
}

/* ---- endings
 * ------------------------------------------------------------------------------------- */

static void cancelled_question_is_not_done(void **state)
{
    bool done[2];
    (void)state;
    rig.options.connections_max = 1;
    start_hook();
    atomic_store(&rig.service->held, true);
    hook_cancel(ask(&login, &done[0]));
    hook_cancel(ask(&login, &done[1]));
    atomic_store(&rig.service->held, false);
    expect(HOOK_ALLOW, HOOK_ANSWERED);
    assert_false(done[0] || done[1]);
}

static void hook_that_ends_finishes_what_is_under_way(void **state)
{
    bool done;
    (void)state;
    start_hook();
    struct hook_question *q = ask(&login, &done);
    hook_stop(rig.hook, 10000);
    hook_free(&rig.hook);
    assert_null(rig.hook);
    wait_for(&done);
    assert_int_equal(q->answer.origin, HOOK_ANSWERED);
    hook_question_free(&q);
}

static void hook_that_ends_answers_what_it_did_not_ask(void **state)
{
    enum { QUESTIONS = 6 };
    bool done[QUESTIONS];
    struct hook_question *q[QUESTIONS];
    (void)state;
    rig.options.connections_max = 2;
    start_hook();
    atomic_store(&rig.service->manner, SILENCE);
    for (unsigned i = 0; i < QUESTIONS; i++)
        q[i] = ask(&login, &done[i]);
    hook_stop(rig.hook, 1);
    hook_free(&rig.hook);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        wait_for(&done[i]);
        assert_int_equal(q[i]->answer.origin, HOOK_STOPPED);
        assert_int_equal(q[i]->answer.verdict, HOOK_DENY);
        hook_question_free(&q[i]);
    }
}

/* ---- configuration
 * ------------------------------------------------------------------------------- */

static void bad_settings_are_refused_by_name(void **state)
{
    static const char *const urls[] = {
        "file:///etc/passwd",         "ftp://127.0.0.1/",    "gopher://127.0.0.1/", "127.0.0.1:80",
        "http://u:p@127.0.0.1/",      "http://u@127.0.0.1/", "http://127.0.0.1/#x", "http://",
        "http://127.0.0.1/a b\r\nX:", "https://[::1"};
    struct folder f = folder_new();
    char error[512];
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(urls); i++) {
        snprintf(rig.options.url, HOOK_TEXT_MAX, "%s", urls[i]);
        rig.hook = hook_new(&rig.options, rig.helpers, error, sizeof error);
        if (rig.hook || !strstr(error, urls[i])) fail_msg("%s: %s", urls[i], error);
    }
    snprintf(rig.options.url, HOOK_TEXT_MAX, "https://localhost/");
    snprintf(rig.options.ca_file, HOOK_TEXT_MAX, "%s", folder_put(&f, BYTES("no ca"), 0644));
    assert_null(hook_new(&rig.options, rig.helpers, error, sizeof error));
    assert_non_null(strstr(error, rig.options.ca_file));
    rig.options.ca_file[0] = '\0';
    static const struct {
        const char *secret;
        mode_t mode;
    } rows[] = {{"ok", 0644}, {"", 0600}, {"a\r\nX: y", 0600}, {"a b", 0600}, {"\x7F", 0600}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(rig.options.secret_file, HOOK_TEXT_MAX, "%s",
                 folder_put(&f, bytes_str(rows[i].secret), rows[i].mode));
        assert_null(hook_new(&rig.options, rig.helpers, error, sizeof error));
        assert_non_null(strstr(error, rig.options.secret_file));
    }
    folder_free(&f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(login_is_asked_and_its_answer_comes_to_the_core),
        TEST(texts_of_clients_stay_inside_of_their_strings),
        TEST(connections_are_kept_and_bounded),
        TEST(bearer_token_is_sent_from_its_file),
        TEST(answer_without_sense_is_the_configured_one),
        TEST(who_is_to_blame_for_a_failure_is_denied_whatever_is_configured),
        TEST(redirect_is_not_followed),
        TEST(broken_and_endless_answers_are_given_up),
        TEST(silent_service_costs_the_timeout_and_then_nothing),
        TEST(question_that_waits_has_no_more_time_than_others),
        TEST(service_that_is_not_there_is_unreachable),
        TEST(bad_answers_do_not_open_the_breaker),
        TEST(proxy_of_the_environment_is_not_used),
        TEST(full_queue_answers_at_once),
        TEST(question_that_is_too_large_is_denied_whatever_is_configured),
        TEST(cancelled_question_is_not_done),
        TEST(hook_that_ends_finishes_what_is_under_way),
        TEST(hook_that_ends_answers_what_it_did_not_ask),
        TEST(bad_settings_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
