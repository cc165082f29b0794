/* SPDX-License-Identifier: BSD-3-Clause */
/* test_retain_log.c -- what the log hears of retained messages, and who waits for it. */
#include "unit/broker/fake_journal.h"

enum { MEMORY = DURABILITY_MEMORY, INTERVAL = DURABILITY_INTERVAL, COMMIT = DURABILITY_COMMIT };

struct scene {
    struct cluster *k;
    struct fake *f;
    struct client *p;
};

/* A change of the retained message of "t", at a durability. */
static void set(const struct scene *x, unsigned durability, const char *payload, unsigned qos)
{
    static uint16_t id;
    struct cluster *k = x->k;
    for (unsigned i = 0; i < k->cores; i++)
        k->broker[i]->options.durability = (uint8_t)durability;
    client_say(x->p, "t", payload, qos | SAY_RETAINED, qos ? ++id : 0);
    fake_settle(k, x->f);
}

static unsigned sum(const struct cluster *k, const struct fake *f, bool cleared)
{
    unsigned n = 0;
    for (unsigned i = 0; i < k->cores; i++)
        n += cleared ? f[i].cleared : f[i].retained;
    return n;
}

static void what_is_logged_is_written_at_any_qos(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, "p", 0);
        struct scene x = {k, f, p};
        set(&x, COMMIT, "a", 0);
        set(&x, COMMIT, "b", 1);
        set(&x, INTERVAL, "c", 2);
        assert_int_equal(sum(k, f, false), 3);
        set(&x, MEMORY, "d", 1);
        assert_int_equal(sum(k, f, false), 3);
        client_free(k, p);
    }
}

static void the_end_of_what_was_logged_is_written(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, "p", 0);
        struct scene x = {k, f, p};
        set(&x, COMMIT, "", 1); /* there is nothing */
        set(&x, MEMORY, "a", 1);
        set(&x, COMMIT, "", 1); /* nothing that the log knows */
        assert_int_equal(sum(k, f, true), 0);
        set(&x, COMMIT, "b", 1);
        set(&x, COMMIT, "", 1);
        assert_int_equal(sum(k, f, true), 1);
        set(&x, COMMIT, "c", 1);
        set(&x, MEMORY, "", 0); /* whoever clears it */
        assert_int_equal(sum(k, f, true), 2);
        set(&x, COMMIT, "d", 1);
        set(&x, MEMORY, "e", 1); /* or puts another in its place */
        assert_int_equal(sum(k, f, true), 3);
        set(&x, MEMORY, "", 1);
        assert_int_equal(sum(k, f, true), 3);
        client_free(k, p);
    }
}

static void its_publisher_waits_for_the_owners_disk(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, client_at(k, 0, "p"), 0);
        for (unsigned core = 0; core < 2 && core < k->cores; core++) {
            const char *topic = topic_at(k, core, "r");
            for (unsigned clear = 0; clear < 2; clear++) {
                client_forget(p);
                client_say(p, topic, clear ? "" : "x", 1 | SAY_RETAINED, 1);
                cluster_settle(k);
                assert_int_equal(p->accepted, 0);
                fake_settle(k, f);
                assert_int_equal(p->accepted, 1);
                assert_int_equal(p->accepted_status[0], 0);
            }
        }
        client_free(k, p);
    }
}

static void what_cannot_be_written_changes_nothing(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, "p", 0);
        struct scene x = {k, f, p};
        struct retain *r =
            &k->broker[broker_owner(k->broker[0], broker_topic_hash(k->broker[0], BYTES("t")))]
                 ->retain;
        for (unsigned i = 0; i < k->cores; i++)
            f[i].refuse = -ERR_FULL;
        set(&x, COMMIT, "a", 1);
        assert_int_equal(p->accepted_status[0], -ERR_FULL);
        assert_int_equal(r->messages, 0);
        assert_int_equal(r->paths.used, 0);
        for (unsigned i = 0; i < k->cores; i++)
            f[i].refuse = 0;
        set(&x, COMMIT, "b", 1);
        for (unsigned i = 0; i < k->cores; i++)
            f[i].refuse = -ERR_STORAGE;
        set(&x, COMMIT, "c", 1);
        set(&x, COMMIT, "", 1);
        set(&x, MEMORY, "d", 1);
        for (unsigned i = 2; i < 5; i++)
            assert_int_equal(p->accepted_status[i], -ERR_STORAGE);
        struct message *m = retain_get(r, BYTES("t"), broker_topic_hash(k->broker[0], BYTES("t")));
        assert_true(m && bytes_eq(message_payload(m), BYTES("b")));
        client_free(k, p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_logged_is_written_at_any_qos),
        cmocka_unit_test(the_end_of_what_was_logged_is_written),
        cmocka_unit_test(its_publisher_waits_for_the_owners_disk),
        cmocka_unit_test(what_cannot_be_written_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
