/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

static void fields_are_taken_or_refused(void **state)
{
    static const struct request_row rows[] = {
        {"no space behind the colon", GET "Host:x\r\n\r\n", 0},
        {"spaces and tabs around a value", GET "Host: \t x \t \r\n\r\n", 0},
        {"an empty value", GET HOST "A:\r\n\r\n", 0},
        {"bytes above 127", GET HOST "A: \xc3\xa4\r\n\r\n", 0},
        {"a colon in a value", GET HOST "A: b:c\r\n\r\n", 0},
        {"a space before the colon", GET "Host : x\r\n\r\n", 400},
        {"a tab before the colon", GET "Host\t: x\r\n\r\n", 400},
        {"no colon", GET HOST "A\r\n\r\n", 400},
        {"no name", GET HOST ": b\r\n\r\n", 400},
        {"a folded line", GET HOST "A: b\r\n c\r\n\r\n", 400},
        {"a space before the first", GET " Host: x\r\n\r\n", 400},
        {"a line of spaces", GET HOST "  \r\n\r\n", 400},
        {"a control byte in a name", GET HOST "A\x01: b\r\n\r\n", 400},
        {"a byte above 127 in a name", GET HOST "\xc3\xa4: b\r\n\r\n", 400},
        {"a control byte in a value", GET HOST "A: b\x01\r\n\r\n", 400},
        {"a CR in a value", GET HOST "A: b\rB: c\r\n\r\n", 400},
        {"a LF in a value", GET HOST "A: b\nB: c\r\n\r\n", 400},
        {"no Host", GET "\r\n", 400},
        {"two Hosts", GET HOST HOST "\r\n", 400},
        {"an empty Host", GET "Host:\r\n\r\n", 0},
        {"a Host with a port", GET "Host: x.example:8081\r\n\r\n", 0},
        {"a Host in IPv6", GET "Host: [::1]:8081\r\n\r\n", 0},
        {"a Host with a path", GET "Host: a/b\r\n\r\n", 400},
        {"a Host with a user", GET "Host: me@a\r\n\r\n", 400},
        {"two Hosts in one", GET "Host: a, b\r\n\r\n", 400},
        {"a port of letters", GET "Host: a:b\r\n\r\n", 400},
        {"a long port", GET "Host: a:123456\r\n\r\n", 400},
        {"an open bracket", GET "Host: [::1\r\n\r\n", 400},
        {"something behind the bracket", GET "Host: [::1]x\r\n\r\n", 400},
        {"empty brackets", GET "Host: []\r\n\r\n", 400},
        {"what we can't unpack", POST "Content-Encoding: gzip\r\n\r\n", 415},
        {"what is not packed", POST "Content-Encoding: identity\r\n\r\n", 0},
        {"two types", POST "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n", 400},
        {"two authorizations", GET HOST "Authorization: a\r\nAuthorization: a\r\n\r\n", 400},
        {"100-continue", POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 0},
        {"another expectation", POST "Expect: tea\r\n\r\n", 417},
        {"two expectations", POST "Expect: 100-continue, tea\r\n\r\n", 417},
    };

    (void)state;
    request_check(rows, ARRAY_LEN(rows));
}

/* What two readers could frame in two ways is the stuff of smuggling. */
static void a_request_has_one_length(void **state)
{
    static const struct request_row rows[] = {
        {"a length", POST "Content-Length: 5\r\n\r\n", 0},
        {"a length of 0", POST "Content-Length: 0\r\n\r\n", 0},
        {"leading zeros", POST "Content-Length: 0005\r\n\r\n", 0},
        {"the most", POST "Content-Length: 1000\r\n\r\n", 0},
        {"one more", POST "Content-Length: 1001\r\n\r\n", 413},
        {"2^64", POST "Content-Length: 18446744073709551616\r\n\r\n", 413},
        {"2^64 + 1", POST "Content-Length: 18446744073709551617\r\n\r\n", 413},
        {"2^128", POST "Content-Length: 340282366920938463463374607431768211456\r\n\r\n", 413},
        {"large, then no digit", POST "Content-Length: 99999999999999999999x\r\n\r\n", 400},
        {"no digits", POST "Content-Length:\r\n\r\n", 400},
        {"a plus", POST "Content-Length: +5\r\n\r\n", 400},
        {"a minus", POST "Content-Length: -5\r\n\r\n", 400},
        {"hexadecimal", POST "Content-Length: 0x5\r\n\r\n", 400},
        {"a space inside", POST "Content-Length: 1 1\r\n\r\n", 400},
        {"a list", POST "Content-Length: 5, 5\r\n\r\n", 400},
        {"two different", POST "Content-Length: 0\r\nContent-Length: 44\r\n\r\n", 400},
        {"two equal", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
        {"chunked", POST "Transfer-Encoding: Chunked\r\n\r\n", 0},
        {"chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
        {"in two fields", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"not chunked last", POST "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
        {"something else", POST "Transfer-Encoding: gzip\r\n\r\n", 400},
        {"packed in chunks", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"an empty coding", POST "Transfer-Encoding:\r\n\r\n", 400},
        {"almost chunked", POST "Transfer-Encoding: xchunked\r\n\r\n", 400},
        {"a vertical tab",
         POST "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n",
         400},
        {"a space before the colon", POST "Transfer-Encoding : chunked\r\n\r\n", 400},
        {"length and chunks", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"chunks and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
        {"chunks in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    };

    (void)state;
    request_check(rows, ARRAY_LEN(rows));
}

static void the_length_is_what_the_digits_say(void **state)
{
    (void)state;
    struct http_head h = request_of(POST "Content-Length: 987\r\n\r\n");
    assert_int_equal(h.length, 987);
    assert_true(h.flags & HTTP_LENGTH);
    h = request_of(POST "\r\n");
    assert_int_equal(h.length, 0);
    assert_false(h.flags & (HTTP_LENGTH | HTTP_CHUNKED));
}

static void connections_are_kept_as_the_version_has_it(void **state)
{
    static const struct {
        const char *text;
        bool keep;
    } rows[] = {
        {GET HOST "\r\n", true},
        {GET HOST "Connection: close\r\n\r\n", false},
        {GET HOST "Connection: keep-alive, Close\r\n\r\n", false},
        {GET HOST "Connection: a\r\nConnection: close\r\n\r\n", false},
        {GET HOST "Connection: closer\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!!(request_of(rows[i].text).flags & HTTP_KEEP) != rows[i].keep)
            fail_msg("%s", rows[i].text);
}

static void only_a_client_of_1_1_waits_for_100(void **state)
{
    (void)state;
    assert_true(request_of(POST "Expect: 100-continue\r\n\r\n").flags & HTTP_CONTINUE);
    struct http_head h = request_of("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
    assert_false(h.flags & HTTP_CONTINUE);
}

static void a_field_is_found_by_its_name_in_any_case(void **state)
{
    struct http_head h = request_of(GET HOST "Accept: \t a b \r\nX:\r\nACCEPT: c\r\n\r\n");

    (void)state;
    assert_bytes(http_field(&h, "accept"), "a b");
    assert_int_equal(http_field(&h, "X").n, 0);
    assert_non_null(http_field(&h, "X").p);
    assert_null(http_field(&h, "Accep").p);
    assert_null(http_field(&h, "Accepts").p);
}

static void a_type_is_known_whatever_its_parameters(void **state)
{
    struct http_head h = request_of(POST "Content-Type: Application/JSON ; charset=utf-8\r\n\r\n");

    (void)state;
    assert_true(http_type_is(&h, "application/json"));
    assert_false(http_type_is(&h, "application/jso"));
    h = request_of(POST "Content-Type: application/jsonp\r\n\r\n");
    assert_false(http_type_is(&h, "application/json"));
    h = request_of(POST "\r\n");
    assert_false(http_type_is(&h, "application/json"));
}

static void lists_have_elements(void **state)
{
    struct bytes list = BYTES(" a ,b,, c");

    (void)state;
    assert_bytes(http_next_element(&list), "a");
    assert_bytes(http_next_element(&list), "b");
    assert_bytes(http_next_element(&list), "");
    assert_bytes(http_next_element(&list), "c");
    assert_int_equal(list.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_taken_or_refused),
        cmocka_unit_test(a_request_has_one_length),
        cmocka_unit_test(the_length_is_what_the_digits_say),
        cmocka_unit_test(connections_are_kept_as_the_version_has_it),
        cmocka_unit_test(only_a_client_of_1_1_waits_for_100),
        cmocka_unit_test(a_field_is_found_by_its_name_in_any_case),
        cmocka_unit_test(a_type_is_known_whatever_its_parameters),
        cmocka_unit_test(lists_have_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
