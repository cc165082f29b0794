/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/utf8.h"

static const uint64_t WALL_MS = 1795255200123ull; /* 2026-11-21T10:00:00.123Z */

struct sink {
    struct clock clock;
    struct log log;
    int pipe[2];
    char line[4096];
    size_t n;
};

static void open_sink(struct sink *s, bool json)
{
    s->clock = (struct clock){.now_ns = 5 * NS_PER_S, .wall_ms = WALL_MS};
    assert_int_equal(pipe2(s->pipe, O_NONBLOCK), 0);
    struct log_options o = {.fd = s->pipe[1], .level = LOG_INFO, .json = json, .burst = LOG_BURST};
    log_init(&s->log, &o, 3, &s->clock);
}

static void close_sink(struct sink *s)
{
    close(s->pipe[0]);
    close(s->pipe[1]);
}

/* What one event wrote, as a string; "" if nothing. */
static const char *written(struct sink *s)
{
    ssize_t n = read(s->pipe[0], s->line, sizeof s->line - 1);
    s->n = n > 0 ? (size_t)n : 0;
    s->line[s->n] = '\0';
    return s->line;
}

/* ---- a strict reader of one flat JSON object ------------------------------- */

static const char *json_string(const char *p)
{
    if (*p++ != '"') return NULL;
    for (; *p != '"'; p++) {
        if ((uint8_t)*p < 0x20) return NULL;
        if (*p != '\\') continue;
        if (p[1] != 'u' || strspn(p + 2, "0123456789abcdef") < 4) return NULL;
        p += 5;
    }
    return p + 1;
}

static const char *json_value(const char *p)
{
    if (*p == '"') return json_string(p);
    if (strncmp(p, "true", 4) == 0) return p + 4;
    if (*p == '-') p++;
    size_t digits = strspn(p, "0123456789");
    return digits ? p + digits : NULL;
}

static bool json_line(const char *p)
{
    if (*p != '{') return false;
    do {
        p = json_string(p + 1);
        if (!p || *p != ':') return false;
        p = json_value(p + 1);
        if (!p) return false;
    } while (*p == ',');
    return strcmp(p, "}\n") == 0;
}

/* ---- claims ---------------------------------------------------------------- */

static void text_line_has_time_level_core_event_and_fields(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, false);
    LOG(&s.log, LOG_WARN, "client_connected", F_STR("client", "c-1"), F_U64("bytes", UINT64_MAX),
        F_I64("delta", -7), F_STR("peer", "[::1]:1883"));
    assert_string_equal(written(&s),
                        "2026-11-21T10:00:00.123Z WARN core=3 client_connected client=c-1 "
                        "bytes=18446744073709551615 delta=-7 peer=\"[::1]:1883\"\n");
    close_sink(&s);
}

static void json_line_has_the_same(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, true);
    LOG(&s.log, LOG_INFO, "client_connected", F_STR("client", "c-1"), F_U64("bytes", 5),
        F_I64("delta", -7));
    assert_string_equal(written(&s),
                        "{\"time\":\"2026-11-21T10:00:00.123Z\",\"level\":\"INFO\",\"core\":3,"
                        "\"event\":\"client_connected\",\"client\":\"c-1\",\"bytes\":5,"
                        "\"delta\":-7}\n");
    assert_true(json_line(s.line));
    close_sink(&s);
}

static void event_without_fields_is_a_line_too(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, false);
    log_event(&s.log, LOG_INFO, "started", NULL, 0);
    assert_string_equal(written(&s), "2026-11-21T10:00:00.123Z INFO core=3 started\n");
    close_sink(&s);
}

static void values_are_quoted_and_escaped(void **state)
{
    (void)state;
    const struct {
        struct bytes value;
        const char *text, *json;
    } ROW[] = {
        {BYTES("sensors/a.b:c_d-1"), "sensors/a.b:c_d-1", "\"sensors/a.b:c_d-1\""},
        {BYTES(""), "\"\"", "\"\""},
        {BYTES("two words"), "\"two words\"", "\"two words\""},
        {BYTES("a\nb"), "\"a\\x0ab\"", "\"a\\u000ab\""},
        {BYTES("a\" x=\"1"), "\"a\\x22 x=\\x221\"", "\"a\\u0022 x=\\u00221\""},
        {BYTES("a=b"), "\"a=b\"", "\"a=b\""},
        {BYTES("\\x"), "\"\\x5cx\"", "\"\\u005cx\""},
        {BYTES("\0\x7F"), "\"\\x00\\x7f\"", "\"\\u0000\\u007f\""},
        {BYTES("caf\xC3\xA9"), "\"caf\xC3\xA9\"", "\"caf\xC3\xA9\""},
        {BYTES("\xC3"), "\"\\xc3\"", "\"\\u00c3\""},
        {BYTES("\xC3(\xFF"), "\"\\xc3(\\xff\"", "\"\\u00c3(\\u00ff\""},
        {BYTES("\xED\xA0\x80"), "\"\\xed\\xa0\\x80\"", "\"\\u00ed\\u00a0\\u0080\""},
        {BYTES("\xC2\x9Bm"), "\"\\xc2\\x9bm\"", "\"\xC2\x9Bm\""},
        {BYTES("\xF0\x9F\x98\x80"), "\"\xF0\x9F\x98\x80\"", "\"\xF0\x9F\x98\x80\""},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(ROW); i++) {
        bool json = i % 2;
        struct sink s;
        open_sink(&s, json);
        LOG(&s.log, LOG_INFO, "e", F_TEXT("v", ROW[i / 2].value));
        const char *at = strstr(written(&s), json ? "\"v\":" : "v=");
        assert_non_null(at);
        at += json ? 4 : 2;
        const char *want = json ? ROW[i / 2].json : ROW[i / 2].text;
        assert_int_equal(strncmp(at, want, strlen(want)), 0);
        assert_string_equal(at + strlen(want), json ? "}\n" : "\n");
        close_sink(&s);
    }
}

static void long_value_is_cut_between_characters_and_says_so(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, false);
    char euros[3001] = "";
    for (size_t i = 0; i < 3000; i += 3)
        memcpy(euros + i, "\xE2\x82\xAC", 3);
    LOG(&s.log, LOG_INFO, "e", F_STR("v", euros), F_U64("after", 1));
    written(&s);
    assert_true(utf8_valid(bytes_of(s.line, s.n)));
    assert_non_null(strstr(s.line, "...\" after=1\n"));
    assert_true(s.n < 700);
    close_sink(&s);
}

static void field_without_room_is_left_out_and_the_line_says_so(void **state)
{
    (void)state;
    char big[600];
    memset(big, 'x', sizeof big);
    struct bytes v = bytes_of(big, sizeof big);
    for (int json = 0; json < 2; json++) {
        struct sink s;
        open_sink(&s, json);
        LOG(&s.log, LOG_INFO, "e", F_TEXT("a", v), F_TEXT("b", v), F_TEXT("c", v), F_TEXT("d", v),
            F_U64("last", 9));
        written(&s);
        assert_true(s.n <= LOG_LINE_MAX);
        assert_non_null(strstr(s.line, json ? "\"c\":" : " c="));
        assert_null(strstr(s.line, json ? "\"d\":" : " d="));
        assert_non_null(strstr(s.line, json ? "\"last\":9,\"cut\":true}\n" : " last=9 cut=true\n"));
        assert_true(!json || json_line(s.line));
        close_sink(&s);
    }
}

static void any_bytes_give_one_whole_line(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 11);
    for (int i = 0; i < 4000; i++) {
        struct sink s;
        open_sink(&s, i % 2);
        struct field f[12];
        uint8_t bytes[12][400];
        unsigned nfields = (unsigned)rng_below(&r, 13);
        for (unsigned k = 0; k < nfields; k++) {
            size_t n = rng_below(&r, sizeof bytes[k]);
            for (size_t b = 0; b < n; b++)
                bytes[k][b] = (uint8_t)rng_u64(&r);
            f[k] = (struct field)F_TEXT("f", bytes_of(bytes[k], n));
        }
        log_event(&s.log, LOG_INFO, "e", f, nfields);
        written(&s);
        assert_true(s.n > 0 && s.n <= LOG_LINE_MAX && s.line[s.n - 1] == '\n');
        assert_int_equal(strlen(s.line), s.n);
        assert_ptr_equal(strchr(s.line, '\n'), s.line + s.n - 1);
        assert_true(utf8_valid(bytes_of(s.line, s.n)));
        assert_true(i % 2 == 0 || json_line(s.line));
        close_sink(&s);
    }
}

static void burst_is_held_back_counted_and_told(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, false);
    for (int i = 0; i < LOG_BURST + 7; i++) {
        LOG(&s.log, LOG_INFO, "flood", F_U64("i", i));
        assert_int_equal(*written(&s) != '\0', i < LOG_BURST);
    }
    LOG(&s.log, LOG_INFO, "another_kind", F_U64("i", 1));
    assert_non_null(strstr(written(&s), "another_kind i=1\n"));

    s.clock.now_ns += NS_PER_S;
    LOG(&s.log, LOG_INFO, "flood", F_U64("i", 99));
    assert_non_null(strstr(written(&s), " flood held_back=7 i=99\n"));
    LOG(&s.log, LOG_INFO, "flood", F_U64("i", 100));
    assert_non_null(strstr(written(&s), " flood i=100\n"));
    close_sink(&s);
}

static void burst_of_zero_is_no_limit(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, false);
    s.log.how.burst = 0;
    for (int i = 0; i < 3 * LOG_BURST; i++) {
        LOG(&s.log, LOG_INFO, "flood", F_U64("i", i));
        assert_true(*written(&s) != '\0');
    }
    close_sink(&s);
}

static void time_is_written_as_chosen_or_left_out(void **state)
{
    static const char *const WANT[3][2] = {
        [LOG_TIME_ISO] = {"2026-11-21T10:00:00.123Z INFO core=3 e\n",
                          "{\"time\":\"2026-11-21T10:00:00.123Z\",\"level\":\"INFO\",\"core\":3,"
                          "\"event\":\"e\"}\n"},
        [LOG_TIME_UNIX] = {"1795255200.123 INFO core=3 e\n",
                           "{\"time\":1795255200.123,\"level\":\"INFO\",\"core\":3,"
                           "\"event\":\"e\"}\n"},
        [LOG_TIME_NONE] = {"INFO core=3 e\n", "{\"level\":\"INFO\",\"core\":3,\"event\":\"e\"}\n"},
    };
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct sink s;
        open_sink(&s, i % 2);
        s.log.how.time = (enum log_time)(i / 2);
        log_event(&s.log, LOG_INFO, "e", NULL, 0);
        assert_string_equal(written(&s), WANT[i / 2][i % 2]);
        close_sink(&s);
    }
}

static void line_of_no_core_names_none(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        struct sink s;
        open_sink(&s, json);
        s.log.core = LOG_NO_CORE;
        log_event(&s.log, LOG_INFO, "e", NULL, 0);
        assert_null(strstr(written(&s), "core"));
        assert_true(!json || json_line(s.line));
        close_sink(&s);
    }
}

static void line_that_nobody_reads_is_lost_counted_and_told(void **state)
{
    (void)state;
    struct sink s;
    char full[4096] = {0};
    open_sink(&s, false);
    while (write(s.pipe[1], full, sizeof full) > 0) {
    }
    for (int i = 0; i < 3; i++)
        LOG(&s.log, LOG_INFO, "e", F_U64("i", i));
    assert_int_equal(s.log.lost, 3);
    while (read(s.pipe[0], full, sizeof full) > 0) {
    }
    LOG(&s.log, LOG_INFO, "e", F_U64("i", 3));
    assert_non_null(strstr(written(&s), " e lost=3 i=3\n"));
    LOG(&s.log, LOG_INFO, "e", F_U64("i", 4));
    assert_non_null(strstr(written(&s), " e i=4\n"));
    close_sink(&s);
}

static void line_after_one_that_was_cut_by_a_full_disk_stands_alone(void **state)
{
    (void)state;
    struct sink s;
    char path[] = "/tmp/test_log.XXXXXX", text[512] = {0};
    struct rlimit before, small = {.rlim_cur = 20};
    open_sink(&s, false);
    int fd = mkstemp(path);
    unlink(path);
    s.log.how.fd = fd;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    log_event(&s.log, LOG_INFO, "cut", NULL, 0);
    log_event(&s.log, LOG_INFO, "gone", NULL, 0);
    setrlimit(RLIMIT_FSIZE, &before);
    log_event(&s.log, LOG_INFO, "whole", NULL, 0);
    log_event(&s.log, LOG_INFO, "after", NULL, 0);

    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "2026-11-21T10:00:00.\n"
                              "2026-11-21T10:00:00.123Z INFO core=3 whole lost=2\n"
                              "2026-11-21T10:00:00.123Z INFO core=3 after\n");
    close(fd);
    close_sink(&s);
}

static void what_is_below_the_level_or_has_nowhere_to_go_is_dropped(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, false);
    LOG(&s.log, LOG_DEBUG, "e", F_U64("i", 1));
    assert_string_equal(written(&s), "");
    s.log.how.fd = -1;
    LOG(&s.log, LOG_ERROR, "e", F_U64("i", 1));
    assert_string_equal(written(&s), "");
    close_sink(&s);
}

static void impossible_time_still_gives_a_line(void **state)
{
    (void)state;
    struct sink s;
    open_sink(&s, true);
    s.clock.wall_ms = UINT64_MAX;
    LOG(&s.log, LOG_INFO, "e", F_U64("i", 1));
    assert_true(json_line(written(&s)));
    close_sink(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_line_has_time_level_core_event_and_fields),
        cmocka_unit_test(json_line_has_the_same),
        cmocka_unit_test(event_without_fields_is_a_line_too),
        cmocka_unit_test(values_are_quoted_and_escaped),
        cmocka_unit_test(long_value_is_cut_between_characters_and_says_so),
        cmocka_unit_test(field_without_room_is_left_out_and_the_line_says_so),
        cmocka_unit_test(any_bytes_give_one_whole_line),
        cmocka_unit_test(burst_is_held_back_counted_and_told),
        cmocka_unit_test(burst_of_zero_is_no_limit),
        cmocka_unit_test(time_is_written_as_chosen_or_left_out),
        cmocka_unit_test(line_of_no_core_names_none),
        cmocka_unit_test(line_that_nobody_reads_is_lost_counted_and_told),
        cmocka_unit_test(line_after_one_that_was_cut_by_a_full_disk_stands_alone),
        cmocka_unit_test(what_is_below_the_level_or_has_nowhere_to_go_is_dropped),
        cmocka_unit_test(impossible_time_still_gives_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
