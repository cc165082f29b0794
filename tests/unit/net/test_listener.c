/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/net_internal.h"
#include "unit/net/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

/* Lets the process open no further file; returns the old limit. */
static struct rlimit exhaust_files(void)
{
    struct rlimit old;
    int top = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest that is free */

    assert_true(top >= 0);
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit now = {.rlim_cur = (rlim_t)top, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return old;
}

static void a_client_is_accepted_and_known_by_its_address(void **state)
{
    struct rig *r = rig_default();
    struct sock_addr local;
    char ours[SOCK_ADDR_TEXT];
    char theirs[SOCK_ADDR_TEXT];

    (void)state;
    rig_listen(r);
    int fd = rig_connect(r);
    rig_say(fd, "hello", 5);
    rig_turn(r, 3);
    assert_int_equal(r->probe.opens, 1);
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(rig_count(r, 0, C_connections_accepted), 1);
    assert_int_equal(rig_count(r, 0, C_connections), 1);
    assert_int_equal(sock_local(fd, &local), 0);
    assert_string_equal(conn_peer_text(r->probe.conn, theirs), sock_addr_text(&local, ours));
    close(fd);
    rig_free(r);
}

static void port_zero_is_asked_once_and_shared_by_all_cores(void **state)
{
    struct rig *r = rig_default();
    struct sock_addr first;

    (void)state;
    rig_listen(r);
    first = r->listener.addr;
    assert_int_equal(net_listen(r->net[1], &r->listener), 0);
    assert_memory_equal(&first, &r->listener.addr, sizeof first);
    rig_free(r);
}

static void a_burst_is_accepted_over_several_turns(void **state)
{
    enum { BURST = 150 };
    struct rig *r = rig_default();
    int fd[BURST];

    (void)state;
    rig_listen(r);
    for (int i = 0; i < BURST; i++)
        fd[i] = rig_connect(r);
    rig_turn(r, 1);
    assert_int_equal(r->probe.opens, NET_ACCEPT_MAX);
    rig_turn(r, BURST / NET_ACCEPT_MAX + 1);
    assert_int_equal(r->probe.opens, BURST);
    for (int i = 0; i < BURST; i++)
        close(fd[i]);
    rig_turn(r, 3);
    assert_int_equal(net_connections(r->net[0]), 0);
    rig_free(r);
}

static void above_the_limit_clients_are_refused_until_one_goes(void **state)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    o.connections_max = 2;
    struct rig *r = rig_new(&o);
    int fd[4];
    char byte;

    (void)state;
    rig_listen(r);
    for (int i = 0; i < 3; i++)
        fd[i] = rig_connect(r);
    rig_turn(r, 2);
    assert_int_equal(r->probe.opens, 2);
    assert_int_equal(rig_count(r, 0, C_connections_refused), 1);
    assert_int_equal(recv(fd[2], &byte, 1, 0), 0);
    close(fd[0]);
    rig_turn(r, 2);
    fd[3] = rig_connect(r);
    rig_turn(r, 2);
    assert_int_equal(r->probe.opens, 3);
    assert_int_equal(rig_count(r, 0, C_connections_accepted), 3);
    for (int i = 1; i < 4; i++)
        close(fd[i]);
    rig_free(r);
}

static void without_file_descriptors_clients_are_refused_and_nothing_spins(void **state)
{
    struct rig *r = rig_default();
    int fd[3];
    char byte;

    (void)state;
    rig_listen(r);
    int held = rig_connect(r);
    rig_turn(r, 2);
    assert_int_equal(r->probe.opens, 1);
    for (int i = 0; i < 3; i++)
        fd[i] = rig_connect(r);
    struct rlimit old = exhaust_files();
    rig_turn(r, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(recv(fd[i], &byte, 1, 0), 0); /* told at once */
    assert_int_equal(rig_count(r, 0, C_connections_refused), 3);
    assert_int_equal(rig_turn(r, 3), 0);

    /* One more that knocks while the door is shut waits, and costs no turn. */
    close(fd[0]);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sock_addr *a = &r->listener.addr;
    assert_int_equal(connect(fd[0], (const struct sockaddr *)&a->ss, a->len), 0);
    assert_int_equal(rig_turn(r, 3), 0);
    assert_int_equal(rig_count(r, 0, C_connections_refused), 3);

    /* A client that goes makes room for it. */
    close(held);
    rig_turn(r, 3);
    assert_int_equal(r->probe.opens, 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    rig_free(r);
}

static void a_shut_door_opens_again_by_itself(void **state)
{
    struct rig *r = rig_default();
    struct timespec little = {.tv_nsec = 20 * 1000 * 1000};
    char byte;

    (void)state;
    rig_listen(r);
    int fd = rig_connect(r);
    struct rlimit old = exhaust_files();
    rig_turn(r, 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(fd);
    fd = rig_connect(r);
    for (int i = 0; i < 150 && r->probe.opens == 0; i++) {
        rig_turn(r, 1);
        nanosleep(&little, NULL);
    }
    assert_int_equal(r->probe.opens, 1);
    close(fd);
    rig_free(r);
}

static void one_that_stopped_listening_accepts_nobody(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    rig_listen(r);
    net_stop_listening(r->net[0]);
    const struct sock_addr *a = &r->listener.addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), -1);
    rig_turn(r, 2);
    assert_int_equal(r->probe.opens, 0);
    close(fd);
    rig_free(r);
}

static void listeners_are_bounded_and_a_taken_port_is_an_error(void **state)
{
    struct rig *r = rig_default();
    struct listener l[NET_LISTENERS_MAX + 1];

    (void)state;
    for (int i = 0; i <= NET_LISTENERS_MAX; i++) {
        l[i] = (struct listener){.proto = &probe_proto};
        assert_int_equal(sock_addr_parse(&l[i].addr, "127.0.0.1:0"), 0);
        int err = net_listen(r->net[0], &l[i]);
        assert_int_equal(err, i < NET_LISTENERS_MAX ? 0 : -ERR_FULL);
    }
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* without SO_REUSEPORT */
    assert_int_equal(sock_addr_parse(&l[0].addr, "127.0.0.1:0"), 0);
    const struct sock_addr *a = &l[0].addr;
    assert_int_equal(bind(other, (const struct sockaddr *)&a->ss, a->len), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(sock_local(other, &l[0].addr), 0);
    assert_int_equal(net_listen(r->net[1], &l[0]), -ERR_BUSY);
    close(other);
    rig_free(r);
}

static void a_unix_socket_is_shared_by_all_cores_and_shuts_like_any_other(void **state)
{
    struct rig *r = rig_default();
    struct sock_file f;
    char folder[] = "/tmp/pinion-test-XXXXXX", text[64], who[SOCK_ADDR_TEXT], want[32], byte;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/a", folder);
    assert_int_equal(sock_addr_parse(&r->listener.addr, text), 0);
    assert_int_equal(sock_file_open(&f, &r->listener.addr, 0600, (gid_t)-1), 0);
    r->listener.file = &f;
    for (int i = 0; i < RIG_CORES; i++)
        assert_int_equal(net_listen(r->net[i], &r->listener), 0);

    const struct sock_addr *a = &r->listener.addr;
    for (int core = 0; core < RIG_CORES; core++) { /* the only one that looks takes it */
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), 0);
        core_turn(&r->core[core]);
        core_turn(&r->core[core]);
        assert_int_equal(rig_count(r, (unsigned)core, C_connections_accepted), 1);
        snprintf(want, sizeof want, "unix(uid=%u)", getuid());
        assert_string_equal(conn_peer_text(r->probe.conn, who), want);
        close(fd);
        rig_turn(r, 2);
    }

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), 0);
    struct rlimit old = exhaust_files();
    rig_turn(r, 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), 0);
    struct timespec little = {.tv_nsec = 20 * 1000 * 1000};
    for (int i = 0; i < 150 && r->probe.opens == RIG_CORES; i++) {
        rig_turn(r, 1);
        nanosleep(&little, NULL);
    }
    assert_int_equal(r->probe.opens, RIG_CORES + 1);
    close(fd);
    net_stop_listening(r->net[0]);
    rig_free(r);
    sock_file_close(&f);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_accepted_and_known_by_its_address),
        cmocka_unit_test(port_zero_is_asked_once_and_shared_by_all_cores),
        cmocka_unit_test(a_burst_is_accepted_over_several_turns),
        cmocka_unit_test(above_the_limit_clients_are_refused_until_one_goes),
        cmocka_unit_test(without_file_descriptors_clients_are_refused_and_nothing_spins),
        cmocka_unit_test(a_shut_door_opens_again_by_itself),
        cmocka_unit_test(one_that_stopped_listening_accepts_nobody),
        cmocka_unit_test(a_unix_socket_is_shared_by_all_cores_and_shuts_like_any_other),
        cmocka_unit_test(listeners_are_bounded_and_a_taken_port_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
