/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/net_internal.h"
#include "unit/net/rig.h"

enum { CLIENTS = 5 };

static void say_goodbye(struct conn *c)
{
    conn_send(c, BYTES("bye"));
    conn_close(c, 0);
}

/* The recording protocol, with a word for the end. */
static const struct proto polite = {
    .name = "polite",
    .on_open = probe_on_open,
    .on_bytes = probe_on_bytes,
    .on_drain = probe_on_drain,
    .on_close = probe_on_close,
    .on_farewell = say_goodbye,
};

static void hears(int fd, const char *wanted)
{
    char got[16] = "";

    assert_int_equal(rig_hear(fd, got, sizeof got - 1), strlen(wanted));
    assert_string_equal(got, wanted);
    assert_int_equal(rig_hear(fd, got, sizeof got), 0);
}

static void nobody_is_read_once_all_are_paused(void **state)
{
    struct rig *r = rig_default();
    int a = rig_stream(r), b = rig_stream(r);

    (void)state;
    rig_say(a, "1", 1);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, 1);
    net_pause_all(r->net[0]);
    rig_say(a, "2", 1);
    rig_say(b, "3", 1);
    rig_turn(r, 10);
    assert_int_equal(r->probe.seen_n, 1);
    close(a);
    close(b);
    rig_free(r);
}

static void protocol_says_goodbye_before_the_end(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    r->listener.proto = &polite;
    int fd = rig_stream(r);
    assert_int_equal(net_farewell(r->net[0], FAREWELL_ALL, UINT32_MAX), 0);
    rig_turn(r, 3);
    hears(fd, "bye");
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, 0);
    close(fd);
    rig_free(r);
}

static void protocol_without_a_word_is_just_closed(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    assert_int_equal(net_farewell(r->net[0], FAREWELL_ALL, UINT32_MAX), 0);
    rig_turn(r, 3);
    hears(fd, "");
    assert_int_equal(r->probe.closes, 1);
    close(fd);
    rig_free(r);
}

static void so_many_go_and_the_others_are_counted(void **state)
{
    struct rig *r = rig_default();
    int fd[CLIENTS];

    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        fd[i] = rig_stream(r);
    for (unsigned left = CLIENTS; left > 0; left--) {
        assert_int_equal(net_farewell(r->net[0], FAREWELL_ALL, 0), left);
        assert_int_equal(net_farewell(r->net[0], FAREWELL_ALL, 1), left - 1);
        rig_turn(r, 3);
        assert_int_equal(net_connections(r->net[0]), left - 1);
    }
    assert_int_equal(r->probe.closes, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        close(fd[i]);
    rig_free(r);
}

static void whoever_has_not_been_sent_all_waits_until_then(void **state)
{
    static uint8_t big[1 << 20], got[1 << 20];
    struct rig *r = rig_default();
    size_t heard = 0;

    (void)state;
    r->listener.proto = &polite;
    int slow = rig_stream(r);
    struct conn *c = r->probe.conn;
    int quick = rig_stream(r);
    rig_fill(big, sizeof big, 0);
    conn_send(c, bytes_of(big, sizeof big));
    rig_turn(r, 3);
    assert_true(conn_unsent(c) > 0);

    assert_int_equal(net_farewell(r->net[0], FAREWELL_SENT, UINT32_MAX), 1);
    rig_turn(r, 3);
    hears(quick, "bye");
    assert_int_equal(r->probe.closes, 1);
    while (net_farewell(r->net[0], FAREWELL_SENT, UINT32_MAX) > 0) {
        long n = rig_hear(slow, got + heard, sizeof got - heard);
        assert_true(n > 0);
        heard += (size_t)n;
        rig_turn(r, 1);
    }
    rig_turn(r, 3);
    while (heard < sizeof got) {
        long n = rig_hear(slow, got + heard, sizeof got - heard);
        assert_true(n > 0);
        heard += (size_t)n;
    }
    assert_stream(got, sizeof got, 0);
    hears(slow, "bye");
    close(slow);
    close(quick);
    rig_free(r);
}

static void drain_spares_listeners_that_stay_and_the_end_does_not(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    r->listener.stays = true;
    int fd = rig_stream(r);
    assert_int_equal(net_farewell(r->net[0], FAREWELL_DRAIN, UINT32_MAX), 0);
    rig_turn(r, 3);
    assert_int_equal(net_connections(r->net[0]), 1);
    net_farewell(r->net[0], FAREWELL_ALL, UINT32_MAX);
    rig_turn(r, 3);
    assert_int_equal(net_connections(r->net[0]), 0);
    close(fd);
    rig_free(r);
}

/* Does anybody accept there? */
static bool door_is_open(const struct rig *r)
{
    const struct sock_addr *a = &r->listener.addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = connect(fd, (const struct sockaddr *)&a->ss, a->len) == 0;

    close(fd);
    return open;
}

static void drain_shuts_doors_but_for_those_that_stay(void **state)
{
    (void)state;
    for (int stays = 0; stays < 2; stays++) {
        struct rig *r = rig_default();
        rig_listen(r);
        r->listener.stays = stays;
        assert_true(door_is_open(r));
        net_drain(r->net[0]);
        net_drain(r->net[0]); /* twice is once */
        assert_int_equal(door_is_open(r), stays);
        net_stop_listening(r->net[0]);
        assert_false(door_is_open(r));
        rig_free(r);
    }
}

/* At the old limit's half a protocol holds back; whatever the new limit is, it hears that it may
 * go on. */
static void protocol_that_held_back_is_called_though_the_limit_rose(void **state)
{
    static uint8_t big[1 << 20], got[1 << 20];
    struct net_options o = NET_OPTIONS_DEFAULT;

    (void)state;
    o.out_bytes_max = 1 << 20;
    struct rig *r = rig_new(&o);
    int fd = rig_stream(r);
    conn_send(r->probe.conn, bytes_of(big, sizeof big));
    o.out_bytes_max = 64 << 20;
    o.read_bytes = 1;
    net_set_options(r->net[0], &o); /* before a flush has noted how much there is */
    assert_int_equal(net_options(r->net[0])->out_bytes_max, 64 << 20);
    assert_int_equal(net_options(r->net[0])->read_bytes, 256 << 10);
    for (int i = 0; i < 100 && r->probe.drains == 0; i++) {
        rig_turn(r, 1);
        rig_hear(fd, got, sizeof got);
    }
    assert_int_equal(r->probe.drains, 1);
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_read_once_all_are_paused),
        cmocka_unit_test(protocol_says_goodbye_before_the_end),
        cmocka_unit_test(protocol_without_a_word_is_just_closed),
        cmocka_unit_test(so_many_go_and_the_others_are_counted),
        cmocka_unit_test(whoever_has_not_been_sent_all_waits_until_then),
        cmocka_unit_test(drain_spares_listeners_that_stay_and_the_end_does_not),
        cmocka_unit_test(drain_shuts_doors_but_for_those_that_stay),
        cmocka_unit_test(protocol_that_held_back_is_called_though_the_limit_rose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
