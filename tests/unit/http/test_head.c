/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

static void request_lines_are_taken_or_refused(void **state)
{
    static const struct request_row rows[] = {
        {"good", "GET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"an empty line before it is forgiven", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"two are not", "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"1.0 without a Host", "GET / HTTP/1.0\r\n\r\n", 0},
        {"a later 1.x", "GET / HTTP/1.2\r\n" HOST "\r\n", 0},
        {"2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\n", 505},
        {"0.9", "GET /\r\n", 400},
        {"a version in lower case", "GET / http/1.1\r\n" HOST "\r\n", 400},
        {"a version of three digits", "GET / HTTP/1.10\r\n" HOST "\r\n", 400},
        {"a version without a dot", "GET / HTTP/1,1\r\n" HOST "\r\n", 400},
        {"a version of letters", "GET / HTTP/a.b\r\n" HOST "\r\n", 400},
        {"a sign in the version", "GET / HTTP/+1.1\r\n" HOST "\r\n", 400},
        {"a space behind the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
        {"no version", "GET /\r\n" HOST "\r\n", 400},
        {"no target", "GET HTTP/1.1\r\n" HOST "\r\n", 400},
        {"nothing for a target", "GET  HTTP/1.1\r\n" HOST "\r\n", 400},
        {"no method", " / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"one word too many", "GET / extra HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a tab for a space", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a method in lower case", "get / HTTP/1.1\r\n" HOST "\r\n", 501},
        {"an unknown method", "BREW / HTTP/1.1\r\n" HOST "\r\n", 501},
        {"CONNECT", "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", 501},
        {"TRACE", "TRACE / HTTP/1.1\r\n" HOST "\r\n", 501},
        {"a method that is no token", "G{T / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"garbage", "xyz\r\n\r\n", 400},
        {"a LF alone", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
        {"a CR alone", "GET /\rX HTTP/1.1\r\n" HOST "\r\n", 400},
        {"two CRs", "GET / HTTP/1.1\r\r\n" HOST "\r\n", 400},
        {"LF at the very start", "\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"a control byte", "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"DEL", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400},
        {"TLS", "\x16\x03\x01", 400},
        {"MQTT", "\x10\x0d", 400},
        {"a PROXY header in binary", "\r\n\r\n\r\n", 400},
    };

    (void)state;
    request_check(rows, ARRAY_LEN(rows));
}

static void a_good_head_is_complete_at_its_last_byte_only(void **state)
{
    static const char text[] = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    size_t head = sizeof text - 1 - 5;

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        struct http_head h;
        long result = request_read(&h, bytes_of(text, n));
        assert_int_equal(result, n < head ? 0 : (long)head);
    }
}

static void each_byte_is_looked_at_once(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\n" HOST "A: b\r\n\r\n";
    struct http_head h = {.seen = 0};
    long result = 0;

    (void)state;
    for (size_t n = 1; n < sizeof text; n++) {
        uint8_t copy[sizeof text];
        memset(copy, 0xFF, sizeof copy); /* what was seen would not be good a second time */
        memcpy(copy + h.line, text + h.line, n - h.line);
        result = http_head_read(&h, 0, bytes_of(copy, n));
        assert_true(result >= 0);
        assert_int_equal(h.seen, n);
    }
    assert_int_equal(result, sizeof text - 1);
}

static void a_nul_is_refused_anywhere(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char copy[sizeof text];
        struct http_head h;
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        assert_int_equal(request_read(&h, bytes_of(copy, sizeof text - 1)), -400);
    }
}

/* `n` times the byte c between before and after. */
static long judge_long(const char *before, char c, size_t n, const char *after)
{
    size_t room = strlen(before) + n + strlen(after);
    char *text = malloc(room + 1);
    struct http_head h;

    assert_non_null(text);
    memcpy(text, before, strlen(before));
    memset(text + strlen(before), c, n);
    memcpy(text + strlen(before) + n, after, strlen(after) + 1);
    long result = request_read(&h, bytes_of(text, room));
    free(text);
    return result;
}

static void lengths_are_bounded_to_the_byte(void **state)
{
    const char *end = " HTTP/1.1\r\nHost: x\r\n\r\n", *close = "\r\n\r\n";
    const char *field = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
    size_t most = HTTP_HEAD_MAX - strlen(field) - strlen(close);

    (void)state;
    assert_true(judge_long("GET /", 'a', HTTP_TARGET_MAX - 1, end) > 0);
    assert_int_equal(judge_long("GET /", 'a', HTTP_TARGET_MAX, end), -414);
    assert_int_equal(judge_long("GET /", 'a', 65536, ""), -414);
    assert_int_equal(judge_long("", 'A', 65536, ""), -414);
    assert_int_equal(judge_long(field, 'a', most, close), HTTP_HEAD_MAX);
    assert_int_equal(judge_long(field, 'a', most + 1, close), -431);
    assert_int_equal(judge_long(field, 'a', 65536, ""), -431);
    assert_int_equal(judge_long("GET", ' ', 65536, ""), -414);
}

static long judge_fields(unsigned n)
{
    char text[4096] = "GET / HTTP/1.1\r\nHost: x\r\n";
    struct http_head h;
    size_t used = strlen(text);

    for (unsigned i = 1; i < n; i++, used += 6)
        memcpy(text + used, "A: b\r\n", 6);
    memcpy(text + used, "\r\n", 3);
    return request_read(&h, bytes_of(text, used + 2));
}

static void so_many_fields_and_no_more(void **state)
{
    (void)state;
    assert_true(judge_fields(HTTP_FIELDS_MAX) > 0);
    assert_int_equal(judge_fields(HTTP_FIELDS_MAX + 1), -431);
}

static void methods_are_told_apart(void **state)
{
    (void)state;
    for (enum http_method m = 0; m < HTTP_METHODS; m++) {
        char text[64];
        snprintf(text, sizeof text, "%s / HTTP/1.1\r\nHost: x\r\n\r\n", http_method_text(m));
        assert_int_equal(request_of(text).method, m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_lines_are_taken_or_refused),
        cmocka_unit_test(a_good_head_is_complete_at_its_last_byte_only),
        cmocka_unit_test(each_byte_is_looked_at_once),
        cmocka_unit_test(a_nul_is_refused_anywhere),
        cmocka_unit_test(lengths_are_bounded_to_the_byte),
        cmocka_unit_test(so_many_fields_and_no_more),
        cmocka_unit_test(methods_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
