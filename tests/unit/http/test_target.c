/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

#define END " HTTP/1.1\r\n" HOST "\r\n"

static void targets_are_taken_or_refused(void **state)
{
    static const struct request_row rows[] = {
        {"a path", "GET /a/b" END, 0},
        {"a query", "GET /a?b=c&d" END, 0},
        {"a question mark in a query", "GET /a?b?c" END, 0},
        {"escapes", "GET /%41%2f%C3%A4" END, 0},
        {"three dots", "GET /.../a" END, 0},
        {"a dot in a name", "GET /a.b/.c" END, 0},
        {"an empty segment", "GET //etc/passwd" END, 0},
        {"dots in a query", "GET /a?b=../c" END, 0},
        {"absolute", "GET http://x/a" END, 0},
        {"absolute over TLS, in capitals", "GET HTTPS://x:1/a" END, 0},
        {"absolute without a path", "GET http://x" END, 0},
        {"absolute with a query alone", "GET http://x?a" END, 0},
        {"all of the server", "OPTIONS *" END, 0},
        {"all of it, for another method", "GET *" END, 400},
        {"an authority", "GET x:80" END, 400},
        {"a path without a slash", "GET a/b" END, 400},
        {"another scheme", "GET ftp://x/" END, 400},
        {"no host", "GET http:///a" END, 400},
        {"a user", "GET http://me@x/a" END, 400},
        {"one dot", "GET /a/./b" END, 400},
        {"two dots", "GET /../../etc/passwd" END, 400},
        {"dots at the end", "GET /a/.." END, 400},
        {"dots in escapes", "GET /%2e%2E%2fetc" END, 0}, /* one segment, its slash is no slash */
        {"dots in escapes alone", "GET /%2e%2E/etc" END, 400},
        {"dots, one in escapes", "GET /.%2e" END, 400},
        {"an absolute one with dots", "GET http://x/../a" END, 400},
        {"a NUL", "GET /a%00" END, 400},
        {"a NUL in a query", "GET /a?b=%00" END, 400},
        {"half an escape", "GET /a%4" END, 400},
        {"no escape", "GET /%zz" END, 400},
        {"half an escape in a query", "GET /a?%" END, 400},
        {"a fragment", "GET /a#b" END, 400},
        {"a quotation mark", "GET /\"" END, 400},
        {"a backslash", "GET /..\\a" END, 400},
        {"braces", "GET /{a}" END, 400},
        {"a byte above 127", "GET /\xc3\xa4" END, 400},
        {"sixteen segments", "GET /1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g" END, 0},
        {"one more", "GET /1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h" END, 414},
    };

    (void)state;
    request_check(rows, ARRAY_LEN(rows));
}

static void a_target_is_taken_apart(void **state)
{
    struct http_head h = request_of("GET http://x:1/a/%2Fb/?c=d" END);

    (void)state;
    assert_bytes(http_span(&h, h.authority), "x:1");
    assert_bytes(http_span(&h, h.path), "/a/%2Fb/");
    assert_bytes(http_span(&h, h.query), "c=d");
    assert_int_equal(http_segments(&h), 3);
    assert_bytes(http_segment(&h, 0), "a");
    assert_bytes(http_segment(&h, 1), "%2Fb");
    assert_bytes(http_segment(&h, 2), "");
    assert_non_null(http_segment(&h, 2).p);
    assert_null(http_segment(&h, 3).p);
}

static void an_absolute_target_may_lack_its_path(void **state)
{
    struct http_head h = request_of("GET http://x?c" END);

    (void)state;
    assert_int_equal(http_span(&h, h.path).n, 0);
    assert_bytes(http_span(&h, h.query), "c");
    assert_int_equal(http_segments(&h), 0);
    h = request_of("OPTIONS *" END);
    assert_bytes(http_span(&h, h.path), "*");
    assert_int_equal(http_segments(&h), 0);
}

/* ---- escapes ------------------------------------------------------------------------------- */

static void decoded(const char *in, bool plus, const char *want)
{
    char out[16];
    struct writer w = wr_of(out, sizeof out);

    bool good = http_decode(bytes_str(in), plus, &w);
    if (!want) {
        assert_false(good);
        return;
    }
    assert_true(good);
    assert_bytes(bytes_of(out, wr_len(&w)), want);
}

static void escapes_are_undone_once(void **state)
{
    (void)state;
    decoded("a%2Fb", false, "a/b");
    decoded("%c3%A4", false, "\xc3\xa4");
    decoded("%252e", false, "%2e");
    decoded("a+b", false, "a+b");
    decoded("a+b", true, "a b");
    decoded("", false, "");
    decoded("0123456789abcdef", false, "0123456789abcdef");
    decoded("0123456789abcdefg", false, NULL);
    decoded("%", false, NULL);
    decoded("%4", false, NULL);
    decoded("%4g", false, NULL);
    decoded("a%-1", false, NULL);
}

static int find(const char *target, const char *name, char *out, size_t n)
{
    char text[256];
    struct writer w = wr_of(out, n - 1);

    snprintf(text, sizeof text, "GET %s" END, target);
    struct http_head h = request_of(text);
    int found = http_query_find(&h, name, &w);
    out[wr_len(&w)] = '\0';
    return found;
}

static void parameters_are_found_once(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(find("/?a=1&b=2", "b", out, sizeof out), 1);
    assert_string_equal(out, "2");
    assert_int_equal(find("/?&&a=x%26y+z&", "a", out, sizeof out), 1);
    assert_string_equal(out, "x&y z");
    assert_int_equal(find("/?a", "a", out, sizeof out), 1);
    assert_string_equal(out, "");
    assert_int_equal(find("/?a=b=c", "a", out, sizeof out), 1);
    assert_string_equal(out, "b=c");
    assert_int_equal(find("/?%61=1", "a", out, sizeof out), 1);
    assert_int_equal(find("/?aa=1&=2", "a", out, sizeof out), 0);
    assert_int_equal(find("/", "a", out, sizeof out), 0);
    assert_int_equal(find("/?a=1&a=2", "a", out, sizeof out), -400);
    assert_int_equal(find("/?a=1&%61=2", "a", out, sizeof out), -400);
    assert_int_equal(find("/?a=0123456789abcdefghi", "a", out, sizeof out), -400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_taken_or_refused),
        cmocka_unit_test(a_target_is_taken_apart),
        cmocka_unit_test(an_absolute_target_may_lack_its_path),
        cmocka_unit_test(escapes_are_undone_once),
        cmocka_unit_test(parameters_are_found_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
