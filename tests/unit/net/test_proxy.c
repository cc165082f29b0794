/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4                                                                                         \
    "\xC0\x00\x02\x01\x0A\x00\x00\x01\x30\x39\x07\x5B" /* 192.0.2.1:12345 to 10.0.0.1:1883         \
                                                        */
#define V6                                                                                         \
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02\x30\x39" \
    "\x07\x5B"

#define B(literal)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

/* Header, who is announced; NULL: the connection's own address holds. */
static const struct {
    struct bytes header;
    const char *source;
} good[] = {
    {B("PROXY TCP4 192.0.2.1 10.0.0.1 12345 1883\r\n"), "192.0.2.1:12345"},
    {B("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535"},
    {B("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "1.2.3.4:0"},
    {B("PROXY TCP6 2001:db8::1 2001:db8::2 12345 1883\r\n"), "[2001:db8::1]:12345"},
    {B("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535"},
    {B("PROXY TCP6 ::ffff:192.0.2.1 ::1 12345 1883\r\n"), "192.0.2.1:12345"},
    {B("PROXY UNKNOWN\r\n"), NULL},
    {B("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     NULL}, /* 107 bytes, the longest */
    {B(SIGNATURE "\x20\x00\x00\x00"), NULL},
    {B(SIGNATURE "\x20\x11\x00\x0C" V4), NULL}, /* LOCAL: its block counts for nothing */
    {B(SIGNATURE "\x20\xFF\x00\x02xy"), NULL},
    {B(SIGNATURE "\x21\x00\x00\x00"), NULL},
    {B(SIGNATURE "\x21\x00\x00\x04\x04\x00\x01x"), NULL},
    {B(SIGNATURE "\x21\x10\x00\x0C" V4), NULL},
    {B(SIGNATURE "\x21\x11\x00\x0C" V4), "192.0.2.1:12345"},
    {B(SIGNATURE "\x21\x12\x00\x0C" V4), "192.0.2.1:12345"},
    {B(SIGNATURE "\x21\x21\x00\x24" V6), "[2001:db8::1]:12345"},
    {B(SIGNATURE "\x21\x11\x00\x0F" V4 "\x04\x00\x00"), "192.0.2.1:12345"},
    {B(SIGNATURE "\x21\x11\x00\x17" V4 "\x04\x00\x03xyz\xEA\x00\x02yz"), "192.0.2.1:12345"},
    {B(SIGNATURE "\x21\x11\x00\x13" V4 "\x03\x00\x04\x5C\x2B\x67\x35"), "192.0.2.1:12345"},
    {B(SIGNATURE "\x21\x11\x00\x17" V4 "\x03\x00\x04\x39\xA8\xB5\x22\x04\x00\x01x"),
     "192.0.2.1:12345"},
};

static const struct bytes bad[] = {
    B("GET / HTTP/1.1\r\n"),
    B("\x10\x10\x00\x04MQTT"),
    B("PROXX"),
    B("proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    B("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    B("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n"),
    B("PROXY TCP4\r\n"),
    B("PROXY \r\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"),
    B("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"),
    B("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"),
    B("PROXY TCP4 1.2.3.4 ::1 1 2\r\n"),
    B("PROXY TCP4 ::1 ::1 1 2\r\n"),
    B("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"),
    B("PROXY TCP6 :: ::1 0 2\r\n"),
    B("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"),
    B("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX"),
    B("PROXY UNKNOWN\n"),
    B("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n"), /* 108 bytes */
    B("\r\n\r\n\0\r\nQUIT\r"),
    B(SIGNATURE "\x11\x11\x00\x0C" V4),
    B(SIGNATURE "\x31\x11\x00\x0C" V4),
    B(SIGNATURE "\x22\x11\x00\x0C" V4),
    B(SIGNATURE "\x21\x41\x00\x0C" V4),
    B(SIGNATURE "\x21\x13\x00\x0C" V4),
    B(SIGNATURE "\x21\x11\x00\x0B" V4),
    B(SIGNATURE "\x21\x21\x00\x0C" V4),
    B(SIGNATURE "\x21\x31\x00\x0C" V4),
    B(SIGNATURE "\x21\x11\x00\x0E" V4 "\x04\x00"),
    B(SIGNATURE "\x21\x11\x00\x10" V4 "\x04\x00\x02x"),
    B(SIGNATURE "\x21\x11\x00\x13" V4 "\x04\xFF\xFFxyzz"),
    B(SIGNATURE "\x21\x11\x00\x12" V4 "\x03\x00\x03xyz"),
    B(SIGNATURE "\x21\x11\x00\x13" V4 "\x03\x00\x04\x5C\x2B\x67\x34"),
    B(SIGNATURE "\x21\x11\x00\x1A" V4 "\x03\x00\x04\x5C\x2B\x67\x35\x03\x00\x04\x5C\x2B\x67\x35"),
};

/* In a block of its exact length, so that a sanitizer sees every step. */
static size_t read_block(struct proxy *p, const uint8_t *at, size_t n)
{
    uint8_t *block = malloc(n ? n : 1);
    assert_non_null(block);
    memcpy(block, at, n);
    size_t used = proxy_read(p, bytes_of(block, n));
    free(block);
    return used;
}

static void assert_source(const struct proxy *p, const char *want)
{
    char text[PEER_TEXT];

    assert_int_equal(p->state, PROXY_DONE);
    assert_int_equal(p->known, want != NULL);
    if (want) assert_string_equal(peer_text(&p->source, text), want);
}

static void good_headers_tell_who_the_client_is_and_take_no_byte_more(void **state)
{
    uint8_t in[256];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct proxy p = {.state = PROXY_MORE};
        size_t n = good[i].header.n;
        memcpy(in, good[i].header.p, n);
        memcpy(in + n, "\x10rest", 5);
        size_t used = read_block(&p, in, n + 5);
        if (used != n) fail_msg("header %zu: %zu bytes taken of %zu: %s", i, used, n, p.why);
        assert_source(&p, good[i].source);
    }
}

static void a_good_header_may_be_cut_at_each_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct bytes h = good[i].header;
        for (size_t cut = 0; cut < h.n; cut++) {
            struct proxy p = {.state = PROXY_MORE};
            assert_int_equal(read_block(&p, h.p, cut), cut);
            assert_int_equal(p.state, PROXY_MORE);
            assert_int_equal(read_block(&p, h.p + cut, h.n - cut), h.n - cut);
            assert_source(&p, good[i].source);
        }
    }
}

static void bad_headers_are_refused_at_once_and_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct proxy whole = {.state = PROXY_MORE}, bytes = {.state = PROXY_MORE};
        size_t at_once = read_block(&whole, bad[i].p, bad[i].n);
        size_t one_by_one = 0;
        while (bytes.state == PROXY_MORE && one_by_one < bad[i].n)
            one_by_one += read_block(&bytes, bad[i].p + one_by_one, 1);
        if (whole.state != PROXY_BAD) fail_msg("header %zu is taken", i);
        assert_int_equal(bytes.state, PROXY_BAD);
        assert_int_equal(at_once, one_by_one);
        assert_string_equal(whole.why, bytes.why);
    }
}

static void what_is_no_header_is_known_by_its_first_wrong_byte(void **state)
{
    struct proxy p = {.state = PROXY_MORE}, q = {.state = PROXY_MORE};

    (void)state;
    assert_int_equal(proxy_read(&p, BYTES("\x16\x03\x01")), 1);
    assert_int_equal(p.state, PROXY_BAD);
    assert_int_equal(proxy_read(&q, BYTES("\r\n\r\nGET /")), 5);
    assert_int_equal(q.state, PROXY_BAD);
}

static void additions_may_be_64_kib_and_nothing_of_them_is_kept(void **state)
{
    enum { ALL = 16 + 65535 };
    uint8_t *in = calloc(1, ALL);
    struct proxy p = {.state = PROXY_MORE};
    size_t used = 0;

    (void)state;
    assert_non_null(in);
    memcpy(in, SIGNATURE "\x21\x11\xFF\xFF" V4 "\x20\xFF\xF0", 31);
    while (used < ALL)
        used += read_block(&p, in + used, ALL - used < 1000 ? ALL - used : 1000);
    assert_source(&p, "192.0.2.1:12345");
    free(in);
}

static void a_client_on_a_unix_socket_has_no_address(void **state)
{
    uint8_t in[16 + 216] = SIGNATURE "\x21\x31\x00\xD8/run/a";
    struct proxy p = {.state = PROXY_MORE};

    (void)state;
    assert_int_equal(proxy_read(&p, bytes_of(in, sizeof in)), sizeof in);
    assert_source(&p, "unix");
}

static void a_block_of_addresses_ends_at_its_last_bit(void **state)
{
    static const struct {
        uint8_t bits, last;
        bool in;
    } table[] = {{128, 1, true},   {128, 2, false},   {127, 0, true}, {127, 2, false},
                 {120, 255, true}, {121, 128, false}, {0, 99, true}};
    struct peer p = {.ip = {[10] = 0xFF, [11] = 0xFF, 10, 0, 0, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct peer_net net = {.bits = table[i].bits};
        memcpy(net.ip, p.ip, sizeof net.ip);
        struct peer other = p;
        other.ip[15] = table[i].last;
        assert_int_equal(peer_is_in(&other, &net), table[i].in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_headers_tell_who_the_client_is_and_take_no_byte_more),
        cmocka_unit_test(a_good_header_may_be_cut_at_each_byte),
        cmocka_unit_test(bad_headers_are_refused_at_once_and_byte_by_byte),
        cmocka_unit_test(what_is_no_header_is_known_by_its_first_wrong_byte),
        cmocka_unit_test(additions_may_be_64_kib_and_nothing_of_them_is_kept),
        cmocka_unit_test(a_client_on_a_unix_socket_has_no_address),
        cmocka_unit_test(a_block_of_addresses_ends_at_its_last_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
