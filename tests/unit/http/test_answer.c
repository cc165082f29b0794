/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

static void an_answer_is_written(void **state)
{
    char out[256];
    struct writer w = wr_of(out, sizeof out);

    (void)state;
    http_put_status(&w, 404);
    http_put_field(&w, BYTES("A"), BYTES("b\tc \xc3\xa4"));
    http_put_number(&w, BYTES("Content-Length"), UINT64_MAX);
    http_put_end(&w);
    assert_false(w.bad);
    assert_bytes(bytes_of(out, wr_len(&w)), "HTTP/1.1 404 Not Found\r\nA: b\tc \xc3\xa4\r\n"
                                            "Content-Length: 18446744073709551615\r\n\r\n");
}

static void no_value_ends_its_line(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char out[64];
        uint8_t byte = (uint8_t)c, name[3] = {'A', byte, 'B'};
        struct writer w = wr_of(out, sizeof out);
        http_put_field(&w, BYTES("A"), bytes_of(&byte, 1));
        bool good = c == '\t' || (c >= ' ' && c != 0x7F);
        assert_int_equal(w.bad, !good);
        assert_int_equal(wr_len(&w), good ? 6 : 0);

        w = wr_of(out, sizeof out);
        http_put_field(&w, bytes_of(name, sizeof name), BYTES("v"));
        assert_int_equal(w.bad, !http_is_token_byte(byte));
    }
}

static void a_field_without_room_is_not_begun(void **state)
{
    char out[6];
    struct writer w = wr_of(out, sizeof out);

    (void)state;
    http_put_field(&w, BYTES("A"), BYTES("bc"));
    assert_true(w.bad);
    assert_int_equal(wr_len(&w), 0);
    w = wr_of(out, sizeof out);
    http_put_field(&w, BYTES(""), BYTES("b"));
    assert_true(w.bad);
}

static void dates_are_those_of_the_calendar(void **state)
{
    static const struct {
        uint64_t s;
        const char *text;
    } rows[] = {
        {784111777, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}, /* RFC 9110's own example */
        {0, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
        {951782400, "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[64];
        struct writer w = wr_of(out, sizeof out);
        http_put_date(&w, rows[i].s * 1000 + 999);
        assert_bytes(bytes_of(out, wr_len(&w)), rows[i].text);
    }
}

static void chunk_heads_are_hexadecimal(void **state)
{
    char out[HTTP_CHUNK_HEAD_MAX];
    struct writer w = wr_of(out, sizeof out);

    (void)state;
    http_put_chunk_head(&w, 26);
    assert_bytes(bytes_of(out, wr_len(&w)), "1a\r\n");
    w = wr_of(out, sizeof out);
    http_put_chunk_head(&w, SIZE_MAX);
    assert_false(w.bad);
}

static void every_status_that_is_sent_has_words(void **state)
{
    static const unsigned sent[] = {200, 204, 400, 401, 404, 405, 408, 411, 413,
                                    414, 415, 417, 429, 431, 501, 503, 505};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sent); i++)
        assert_string_not_equal(http_status_text(sent[i]), "Unknown");
    assert_string_equal(http_status_text(799), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_written),
        cmocka_unit_test(no_value_ends_its_line),
        cmocka_unit_test(a_field_without_room_is_not_begun),
        cmocka_unit_test(dates_are_those_of_the_calendar),
        cmocka_unit_test(chunk_heads_are_hexadecimal),
        cmocka_unit_test(every_status_that_is_sent_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
