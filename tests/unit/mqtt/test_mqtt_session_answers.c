/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mqtt_session_answers.c -- clients that send, and do not take the answers. */
#include "broker/internal.h"
#include "unit/mqtt/test_mqtt_session_rig.h"

enum { BLOCK = 16 << 10, MOST = 8 << 20, SLACK = 64 << 10 };

/* Says a packet over and over until nobody reads it any more, or `most` bytes were read. Returns
 * how many whole packets that was. */
static size_t flood(struct rig *r, int fd, const char *text, size_t most)
{
    uint8_t one[64], block[BLOCK + sizeof one];
    size_t len = packet(text, one), n = 0, said = 0;

    while (n < BLOCK) {
        memcpy(block + n, one, len);
        n += len;
    }
    for (unsigned stuck = 0; said < most && stuck < 3;) {
        size_t now = n - said % len < most - said ? n - said % len : most - said;
        ssize_t sent = send(fd, block + said % len, now, MSG_NOSIGNAL);
        stuck = sent > 0 ? 0 : stuck + 1;
        if (sent > 0) said += (size_t)sent;
        rig_settle(r);
    }
    return said / len;
}

static struct rig *rig_with_output(uint32_t bytes)
{
    struct rig_options o = rig_usual(1);
    o.net.out_bytes_max = bytes;
    return rig_new(&o);
}

struct question {
    const char *packet;
    size_t answer_bytes;
};

static void a_client_is_not_read_while_it_takes_no_answers(void **state)
{
    static const struct question all[] = {
        {"c000", 2},           {"32[ <t> 0001 'x' ]", 4}, {"34[ <t> 0001 ] 62[ 0001 ]", 8},
        {"50[ 0001 ]", 4},     {"62[ 0001 ]", 4},         {"82[ 0001 <t> 01 ]", 5},
        {"a2[ 0001 <t> ]", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct rig *r = rig_with_output(1 << 20);
        int fd = client_online(r, 4, "me");
        size_t before = pool_bytes_used(r->core[0].pool);
        bool closed;

        size_t asked = flood(r, fd, all[i].packet, MOST);
        size_t grown = pool_bytes_used(r->core[0].pool) - before;
        if (grown > (512 << 10) + SLACK) fail_msg("%s: %zu bytes", all[i].packet, grown);
        assert_int_equal(rig_count(r, C_limited_answers), 1);
        assert_int_equal(hear_all(r, fd, &closed), asked * all[i].answer_bytes);
        assert_false(closed);
        client_gone(r, fd);
        rig_free(r);
    }
}

static void a_client_that_sends_its_whole_window_before_it_reads_is_read(void **state)
{
    struct rig *r = rig_with_output(64 << 10);
    int fd = client_online(r, 4, "me");
    size_t window = UINT16_MAX;
    bool closed;

    (void)state;
    assert_int_equal(flood(r, fd, "32[ <t> 0001 ]", window * 7), window);
    assert_int_equal(rig_count(r, C_limited_answers), 0);
    assert_int_equal(hear_all(r, fd, &closed), window * 4);
    client_gone(r, fd);
    rig_free(r);
}

/* Else a client that reads only when its own write is done, and whose write waits for us, would
 * wait for ever. */
static void what_others_send_to_a_client_does_not_keep_it_from_being_read(void **state)
{
    struct rig *r = rig_with_output(1 << 20);
    int fd = client_online(r, 4, "me"), pub = client_online(r, 4, "pub");
    uint8_t big[4 + 100000] = {0x30, 0xa0, 0x8d, 0x06, 0, 1, 't'};

    (void)state;
    say(r, fd, "82[ 0001 <t> 00 ]");
    hear(r, fd, "90[ 0001 00 ]");
    for (unsigned i = 0; i < 20; i++)
        say_bytes(r, pub, big, sizeof big);
    assert_true(rig_count(r, C_dropped_slow) > 0);
    assert_int_equal(flood(r, fd, "c000", 200 << 10), 100 << 10);
    assert_int_equal(rig_count(r, C_limited_answers), 0);
    client_gone(r, fd);
    client_gone(r, pub);
    rig_free(r);
}

/* ---- keep alive --------------------------------------------------------------------------- */

static int client_of_10_s(struct rig *r)
{
    int fd = client_at(r, 0);

    say(r, fd, "10[ <MQTT> 04 02 000a <me> ]");
    hear(r, fd, CONNACK_3);
    return fd;
}

static void who_takes_no_answers_has_its_keep_alive_to_take_some(void **state)
{
    struct rig *r = rig_with_output(1 << 20);
    int fd = client_of_10_s(r);

    (void)state;
    flood(r, fd, "c000", MOST);
    rig_wait(r, 15);
    assert_int_equal(rig_count(r, C_clients), 1);
    rig_wait(r, 2);
    assert_int_equal(rig_count(r, C_clients), 0);
    close(fd);
    rig_free(r);
}

static void who_takes_them_slowly_lives(void **state)
{
    struct rig *r = rig_with_output(8 << 20);
    int fd = client_of_10_s(r);

    (void)state;
    flood(r, fd, "c000", MOST);
    for (unsigned i = 0; i < 6; i++) {
        for (size_t got = 0; got < 256 << 10;) {
            ssize_t n = recv(fd, r->heard, 64 << 10, 0);
            assert_true(n > 0);
            got += (size_t)n;
            rig_settle(r);
        }
        rig_wait(r, 14);
    }
    assert_int_equal(rig_count(r, C_limited_answers), 1); /* and it was never read meanwhile */
    assert_int_equal(rig_count(r, C_clients), 1);
    client_gone(r, fd);
    rig_free(r);
}

static void whose_answers_wait_for_the_disk_lives_and_gets_them_all(void **state)
{
    struct rig *r = rig_with_output(1 << 20);
    int fd = client_of_10_s(r);
    bool closed;

    (void)state;
    r->core[0].durable = r->core[0].commit_pos = 0;
    session_hold(session_find(r->broker[0], 0, bytes_str("me")), 100);
    size_t before = pool_bytes_used(r->core[0].pool);
    size_t asked = flood(r, fd, "c000", MOST);
    assert_true(pool_bytes_used(r->core[0].pool) - before < (512 << 10) + SLACK);
    assert_int_equal(rig_count(r, C_limited_answers), 1);
    rig_wait(r, 100);
    assert_int_equal(rig_count(r, C_clients), 1);
    r->core[0].durable = r->core[0].commit_pos = 100;
    rig_settle(r);
    assert_int_equal(hear_all(r, fd, &closed), asked * 2);
    assert_false(closed);
    client_gone(r, fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_not_read_while_it_takes_no_answers),
        cmocka_unit_test(a_client_that_sends_its_whole_window_before_it_reads_is_read),
        cmocka_unit_test(what_others_send_to_a_client_does_not_keep_it_from_being_read),
        cmocka_unit_test(who_takes_no_answers_has_its_keep_alive_to_take_some),
        cmocka_unit_test(who_takes_them_slowly_lives),
        cmocka_unit_test(whose_answers_wait_for_the_disk_lives_and_gets_them_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
