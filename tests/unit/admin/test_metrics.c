/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/gather.h"
#include "admin/metric.h"
#include "office.h"

static void page(struct office *o)
{
    const char *answer = office_ask(o, "GET /metrics", BEARER "Connection: close\r\n");

    assert_status(answer, 200);
    assert_has(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
}

/* Takes the chunks' frames out of what was heard. */
static char *body_of(struct office *o)
{
    char *from = strstr(o->heard, "\r\n\r\n"), *out = calloc(1, o->heard_n + 1), *to = out;

    assert_non_null(from);
    assert_non_null(out);
    from += 4;
    for (unsigned long n; (n = strtoul(from, &from, 16)) > 0; from += n + 2) {
        from += 2;
        memcpy(to, from, n);
        to += n;
    }
    return out;
}

static char *metrics(struct office *o)
{
    o->shared.began_ms = 0;
    page(o);
    return body_of(o);
}

/* ---- names ------------------------------------------------------------------------------------
 */

static void counters_have_the_names_that_the_rules_give(void **state)
{
    static const struct {
        enum counter c;
        const char *name, *label, *value;
    } rows[] = {
        {C_messages_received, "pinion_messages_received_total", NULL, NULL},
        {C_bytes_sent, "pinion_sent_bytes_total", NULL, NULL},
        {C_retained_bytes, "pinion_retained_bytes", NULL, NULL},
        {C_connections, "pinion_connections", NULL, NULL},
        {C_dropped_slow, "pinion_messages_dropped_total", "reason", "slow"},
        {C_dropped_too_large, "pinion_messages_dropped_total", "reason", "too_large"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct metric m = metric_of(rows[i].c);
        assert_string_equal(m.name, rows[i].name);
        assert_string_equal(m.kind, strstr(m.name, "_total") ? "counter" : "gauge");
        if (!rows[i].label) {
            assert_null(m.label);
            continue;
        }
        assert_string_equal(m.label, rows[i].label);
        assert_string_equal(m.value, rows[i].value);
    }
}

static void a_family_has_one_first(void **state)
{
    unsigned firsts = 0;

    (void)state;
    for (enum counter c = 0; c < COUNTERS; c++)
        firsts += metric_same(c, C_dropped_slow) && metric_is_first(c);
    assert_int_equal(firsts, 1);
    assert_false(metric_same(C_dropped_slow, C_messages_sent));
}

/* ---- the page ----------------------------------------------------------------------------------
 */

static void every_counter_is_there_for_every_core(void **state)
{
    struct office *o = office_new(3);

    (void)state;
    count_add(&o->k->core[2].counters, C_dropped_slow, 77);
    char *text = metrics(o);
    for (enum counter c = 0; c < COUNTERS; c++)
        for (unsigned core = 0; core < 3; core++) {
            struct metric m = metric_of(c);
            char part[200];
            snprintf(part, sizeof part, "\n%s{core=\"%u\"%s%s%s%s} ", m.name, core,
                     m.label ? "," : "", m.label ? m.label : "", m.label ? "=\"" : "",
                     m.label ? m.value : "");
            if (m.label) snprintf(strchr(part, '}'), 4, "\"} ");
            assert_has(text, part);
        }
    assert_has(text, "\npinion_messages_dropped_total{core=\"2\",reason=\"slow\"} 77\n");
    free(text);
    office_free(o);
}

/* The name at the start of a line, up to its labels or value. */
static size_t name_of(const char *line, char out[128])
{
    size_t n = strcspn(line, "{ ");

    assert_true(n < 128);
    memcpy(out, line, n);
    out[n] = '\0';
    return n;
}

static void judge_sample(const char *line, const char *family)
{
    char name[128], *end;
    const char *value = line + name_of(line, name);

    assert_string_equal(name, family); /* families are not mixed */
    if (*value == '{') {
        value = strchr(value, '}');
        assert_non_null(value);
        value++;
    }
    assert_int_equal(*value, ' ');
    strtod(value + 1, &end);
    assert_int_equal(*end, '\0');
}

static void the_page_keeps_to_the_format(void **state)
{
    struct office *o = office_new(2);
    char *text = metrics(o), family[128] = "", seen[16384] = "\n", word[130];

    (void)state;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            name_of(line + 7, family);
            snprintf(word, sizeof word, "\n%s\n", family);
            if (strstr(seen, word)) fail_msg("%s comes again", family);
            strncat(seen, word + 1, sizeof seen - strlen(seen) - 1);
            assert_int_equal(strspn(family, "abcdefghijklmnopqrstuvwxyz_0123456789"),
                             strlen(family));
            assert_int_equal(strncmp(family, "pinion_", 7), 0);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            name_of(line + 7, word);
            assert_string_equal(word, family);
            bool counter = strstr(line, " counter") != NULL;
            bool total = strlen(family) > 6 && strcmp(family + strlen(family) - 6, "_total") == 0;
            assert_int_equal(counter, total);
        } else {
            judge_sample(line, family);
        }
    }
    assert_true(strlen(seen) > 1000);
    free(text);
    office_free(o);
}

static void what_is_no_counter_is_there_too(void **state)
{
    struct office *o = office_new(2);

    (void)state;
    admin_set_ready(&o->shared, true);
    char *text = metrics(o);
    for (enum metric_id id = 0; id < METRICS; id++) {
        char part[128];
        snprintf(part, sizeof part, "# TYPE %s %s\n", metric_extra(id)->name,
                 metric_extra(id)->kind);
        assert_has(text, part);
    }
    assert_has(text, "\npinion_build_info{version=\"9.8.7\"} 1\n");
    assert_has(text, "\npinion_ready 1\n");
    assert_has(text, "\npinion_cores 2\n");
    assert_has(text, "\npinion_core_up{core=\"1\"} 1\n");
    assert_has(text, "\npinion_uptime_seconds ");
    assert_has(text, "\npinion_pool_bytes{core=\"1\"} ");
    free(text);
    office_free(o);
}

static void a_core_that_does_not_answer_is_left_out_and_named(void **state)
{
    struct office *o = office_new(2);

    (void)state;
    o->stuck[1] = true;
    assert_string_equal(office_ask(o, "GET /metrics", BEARER), "");
    office_pass(o, GATHER_S + 1);
    office_hear(o);
    char *text = body_of(o);
    assert_has(text, "\npinion_core_up{core=\"0\"} 1\npinion_core_up{core=\"1\"} 0\n");
    assert_has(text, "\npinion_turns_total{core=\"0\"} ");
    assert_null(strstr(text, "\npinion_turns_total{core=\"1\"} "));
    free(text);
    office_free(o);
}

static void a_client_that_does_not_read_holds_little(void **state)
{
    struct office *o = office_new(16);
    static const char text[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n" BEARER "\r\n";

    (void)state;
    for (unsigned i = 0; i < 100; i++) { /* 100 pages of about 50 KB */
        assert_int_equal(send(o->fd, text, sizeof text - 1, MSG_NOSIGNAL), sizeof text - 1);
        office_turn(o, 5);
    }
    assert_true(pool_bytes_used(o->k->core[0].pool) < 1u << 20);
    assert_true(o->admin[0]->ngathers <= 1);
    office_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_have_the_names_that_the_rules_give),
        cmocka_unit_test(a_family_has_one_first),
        cmocka_unit_test(every_counter_is_there_for_every_core),
        cmocka_unit_test(the_page_keeps_to_the_format),
        cmocka_unit_test(what_is_no_counter_is_there_too),
        cmocka_unit_test(a_core_that_does_not_answer_is_left_out_and_named),
        cmocka_unit_test(a_client_that_does_not_read_holds_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
