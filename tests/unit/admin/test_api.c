/* SPDX-License-Identifier: BSD-3-Clause */
/* test_api.c -- lists, their pages and what is refused, over brokers of one to sixteen cores. */
#include "office.h"

#define EACH_OFFICE(o)                                                                             \
    for (unsigned size_ = 0; size_ < ARRAY_LEN(cluster_sizes); size_++)                            \
        for (struct office *o = office_new(cluster_sizes[size_]); o; office_free(o), o = NULL)

static unsigned occurrences(const char *text, const char *part)
{
    unsigned n = 0;

    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

/* The cursor of the page; false if it is the last. */
static bool cursor_of(const char *answer, char out[64])
{
    const char *next = strstr(answer, "\"next\":");

    assert_non_null(next);
    return sscanf(next, "\"next\":\"%63[^\"]\"", out) == 1;
}

static void pages_hold_every_client_once(void **state)
{
    (void)state;
    EACH_OFFICE(o)
    {
        struct client *c[30];
        char name[16], what[128], cursor[64] = "";
        unsigned seen = 0;
        for (unsigned i = 0; i < 30; i++) {
            snprintf(name, sizeof name, "dev-%02u", i);
            c[i] = client_new(o->k, name, 0);
        }
        do {
            snprintf(what, sizeof what, "GET /api/v1/clients?limit=7%s%s",
                     *cursor ? "&cursor=" : "", cursor);
            const char *answer = office_ask(o, what, BEARER);
            assert_status(answer, 200);
            assert_true(occurrences(answer, "\"id\":") <= 7);
            seen += occurrences(answer, "\"id\":\"dev-");
        } while (cursor_of(o->heard, cursor));
        assert_int_equal(seen, 30);
        for (unsigned i = 0; i < 30; i++)
            client_free(o->k, c[i]);
    }
}

static void clients_are_chosen_by_prefix_and_state(void **state)
{
    (void)state;
    EACH_OFFICE(o)
    {
        struct client *a = client_new(o->k, "a 1", 100), *b = client_new(o->k, "b", 100);
        client_detach(o->k, b, false);
        const char *answer = office_ask(o, "GET /api/v1/clients?prefix=a%20", BEARER);
        assert_has(answer, "\"id\":\"a 1\"");
        assert_int_equal(occurrences(answer, "\"id\":"), 1);
        answer = office_ask(o, "GET /api/v1/clients?connected=false", BEARER);
        assert_has(answer, "\"id\":\"b\"");
        assert_int_equal(occurrences(answer, "\"id\":"), 1);
        client_free(o->k, a);
        client_free(o->k, b);
    }
}

static void client_is_sent_away_where_it_lives(void **state)
{
    (void)state;
    EACH_OFFICE(o)
    {
        struct client *c = client_new(o->k, "a/\xC3\xA4", 100);
        assert_has(office_ask(o, "GET /api/v1/clients/a%2F%C3%A4", BEARER), "\"connected\":true");
        assert_status(office_ask(o, "DELETE /api/v1/clients/a%2F%C3%A4", BEARER), 204);
        assert_true(c->kicked);
        assert_has(office_ask(o, "GET /api/v1/clients/a%2F%C3%A4", BEARER), "\"connected\":false");
        assert_status(office_ask(o, "DELETE /api/v1/clients/a%2F%C3%A4?session=true", BEARER), 204);
        assert_status(office_ask(o, "GET /api/v1/clients/a%2F%C3%A4", BEARER), 404);
        client_free(o->k, c);
    }
}

static void retained_messages_are_listed_shown_and_cleared(void **state)
{
    (void)state;
    EACH_OFFICE(o)
    {
        struct client *c = client_new(o->k, "c", 0);
        client_say(c, "r/1", "one", SAY_RETAINED, 0);
        client_say(c, "r/2", "two", SAY_RETAINED, 0);
        client_say(c, "s/1", "\xFF", SAY_RETAINED, 0);
        cluster_settle(o->k);
        const char *answer = office_ask(o, "GET /api/v1/retained?filter=r/%2B", BEARER);
        assert_int_equal(occurrences(answer, "\"topic\":"), 2);
        assert_has(office_ask(o, "GET /api/v1/retained?filter=s/1", BEARER), "\"topic\":\"s/1\"");
        assert_has(office_ask(o, "GET /api/v1/retained/r%2F1", BEARER), "\"payload\":\"one\"");
        assert_has(office_ask(o, "GET /api/v1/retained/s%2F1", BEARER), "_base64\":\"/w==\"");
        assert_status(office_ask(o, "DELETE /api/v1/retained/s%2F1", BEARER), 204);
        assert_status(office_ask(o, "GET /api/v1/retained/s%2F1", BEARER), 404);
        answer = office_ask(o, "DELETE /api/v1/retained?filter=r/%23", BEARER);
        assert_has(answer, "\"r/1\"");
        assert_has(answer, "\"r/2\"");
        assert_has(office_ask(o, "GET /api/v1/retained", BEARER),
                   "{\"retained\":[],\"next\":null}");
        client_free(o->k, c);
    }
}

static void subscriptions_of_one_client_or_all_are_listed(void **state)
{
    (void)state;
    EACH_OFFICE(o)
    {
        struct client *a = client_new(o->k, "a", 0), *b = client_new(o->k, "b", 0);
        client_sub(o->k, a, "x/#", 1);
        client_sub(o->k, a, "y", 0);
        client_sub(o->k, b, "z", 0);
        const char *answer = office_ask(o, "GET /api/v1/subscriptions", BEARER);
        assert_int_equal(occurrences(answer, "\"filter\":"), 3);
        answer = office_ask(o, "GET /api/v1/subscriptions?client=a", BEARER);
        assert_int_equal(occurrences(answer, "\"filter\":"), 2);
        client_free(o->k, a);
        client_free(o->k, b);
    }
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *what, *field;
    } cases[] = {
        {"GET /api/v1/clients?limit=0", "limit"},
        {"GET /api/v1/clients?limit=1001", "limit"},
        {"GET /api/v1/clients?limit=-1", "limit"},
        {"GET /api/v1/clients?limit=1&limit=2", "limit"},
        {"GET /api/v1/clients?connected=maybe", "connected"},
        {"GET /api/v1/clients?cursor=9-0-0", "cursor"},
        {"GET /api/v1/clients?cursor=0-1-0", "cursor"},
        {"GET /api/v1/clients?cursor=0-0-0y", "cursor"},
        {"GET /api/v1/clients?prefix=%FF", "prefix"},
        {"GET /api/v1/clients/%FF", "id"},
        {"GET /api/v1/retained?filter=a/%23/b", "filter"},
        {"GET /api/v1/retained?filter=a%2B", "filter"},
        {"GET /api/v1/retained/a%2F%2B", "topic"},
        {"DELETE /api/v1/retained", "filter"},
        {"DELETE /api/v1/retained/$SYS%2Fbroker", "topic"},
    };
    struct office *o = office_new(2);
    char field[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *answer = office_ask(o, cases[i].what, BEARER);
        assert_status(answer, 400);
        assert_has(answer, "Content-Type: application/problem+json\r\n");
        snprintf(field, sizeof field, "\"field\":\"%s\"", cases[i].field);
        assert_has(answer, field);
    }
    assert_status(office_ask(o, "GET /api/v1/clients?limmit=1", BEARER), 400);
    office_free(o);
}

/* The errand is under way to a core that does not turn: what it writes to must outlive the client.
 */
static void client_of_the_api_may_go_while_a_core_is_busy(void **state)
{
    struct office *o = office_new(4);

    (void)state;
    o->stuck[1] = o->stuck[2] = o->stuck[3] = true;
    office_ask(o, "GET /api/v1/clients", BEARER);
    close(o->fd);
    office_turn(o, 10);
    o->stuck[1] = o->stuck[2] = o->stuck[3] = false;
    office_turn(o, 10);
    for (unsigned i = 0; i < 4; i++)
        assert_null(o->admin[i]->asks);
    o->fd = office_client(o);
    assert_status(office_ask(o, "GET /api/v1/cores", BEARER), 200);
    office_free(o);
}

static void unknown_paths_and_methods_are_problems_too(void **state)
{
    struct office *o = office_new(1);

    (void)state;
    assert_has(office_ask(o, "GET /api/v1/nothing", BEARER), "application/problem+json");
    const char *answer = office_ask(o, "PUT /api/v1/clients", BEARER);
    assert_status(answer, 405);
    assert_has(answer, "application/problem+json");
    assert_has(office_ask(o, "POST /api/v1/publish", BEARER), "application/problem+json");
    office_free(o);
}

static void broker_tells_about_itself(void **state)
{
    struct office *o = office_new(2);

    (void)state;
    assert_has(office_ask(o, "GET /api/v1/version", BEARER), "\"version\":\"9.8.7\"");
    assert_has(office_ask(o, "GET /api/v1/listeners", BEARER), "\"address\":\"127.0.0.1:8081\"");
    assert_int_equal(occurrences(office_ask(o, "GET /api/v1/cores", BEARER), "\"up\":true"), 2);
    o->stuck[1] = true;
    office_ask(o, "GET /api/v1/cores", BEARER);
    office_pass(o, 5);
    assert_has(office_hear(o), "{\"core\":1,\"up\":false}");
    office_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_hold_every_client_once),
        cmocka_unit_test(clients_are_chosen_by_prefix_and_state),
        cmocka_unit_test(client_is_sent_away_where_it_lives),
        cmocka_unit_test(retained_messages_are_listed_shown_and_cleared),
        cmocka_unit_test(subscriptions_of_one_client_or_all_are_listed),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(client_of_the_api_may_go_while_a_core_is_busy),
        cmocka_unit_test(unknown_paths_and_methods_are_problems_too),
        cmocka_unit_test(broker_tells_about_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
