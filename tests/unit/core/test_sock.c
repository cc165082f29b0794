/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/sock.h"

static void address_is_written_as_it_is_read(void **state)
{
    (void)state;
    static const char *const TEXT[] = {
        "127.0.0.1:1883",
        "0.0.0.0:0",
        "255.255.255.255:65535",
        "[::1]:1883",
        "*:1883",
        "[2001:db8::1]:1",
        "[::ffff:10.0.0.1]:80",
        "systemd:mqtt",
        "systemd:a_B-9.socket",
        "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
    };
    for (size_t i = 0; i < ARRAY_LEN(TEXT); i++) {
        struct sock_addr a;
        char out[SOCK_ADDR_TEXT];
        assert_int_equal(sock_addr_parse(&a, TEXT[i]), 0);
        assert_string_equal(sock_addr_text(&a, out), TEXT[i]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const TEXT[] = {
        "",
        ":",
        ":1883",
        "1883",
        "127.0.0.1",
        "127.0.0.1:",
        "1.2.3:1",
        "1.2.3.4.5:1",
        "256.0.0.1:1",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4: 1",
        "1.2.3.4:1x",
        "::1:1883",
        "[::1]",
        "[::1:1883",
        "::1]:1883",
        "[]:1",
        "systemd:",
        "systemd:a b",
        "systemd:a:b",
        "systemd:a,b",
        "systemd:0123456789012345678901234567890123456789x",
        "[1.2.3.4]:1",
        "[::1%lo]:1",
        "localhost:1",
        "**:1",
        "[*]:1",
        "1.2.3.4:99999999999",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222]:1",
    };
    for (size_t i = 0; i < ARRAY_LEN(TEXT); i++) {
        struct sock_addr a;
        assert_int_equal(sock_addr_parse(&a, TEXT[i]), -ERR_INVALID);
    }
}

static void address_of_another_family_has_a_text_too(void **state)
{
    (void)state;
    struct sock_addr a = {.ss.ss_family = AF_PACKET};
    char out[SOCK_ADDR_TEXT];
    assert_string_equal(sock_addr_text(&a, out), "?");
}

/* ---- on loopback ------------------------------------------------------------ */

struct link {
    int listener, client, server;
    struct sock_addr at, peer;
};

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, 5000), 1);
}

static void listen_on(struct link *l, const char *text)
{
    struct sock_addr a;
    assert_int_equal(sock_addr_parse(&a, text), 0);
    l->listener = sock_listen(&a, 16);
    assert_true(l->listener >= 0);
    assert_int_equal(sock_local(l->listener, &l->at), 0);
}

/* A plain client of the system's, to a port on 127.0.0.1. */
static void connect_to(struct link *l, in_port_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(l->client >= 0);
    assert_int_equal(connect(l->client, (struct sockaddr *)&in, sizeof in), 0);
    wait_for(l->listener, POLLIN);
    l->server = sock_accept(l->listener, &l->peer);
    assert_true(l->server >= 0);
}

static in_port_t port_of(const struct sock_addr *a)
{
    return a->ss.ss_family == AF_INET ? ((const struct sockaddr_in *)&a->ss)->sin_port
                                      : ((const struct sockaddr_in6 *)&a->ss)->sin6_port;
}

static int open_link(void **state)
{
    static struct link l;
    listen_on(&l, "127.0.0.1:0");
    connect_to(&l, port_of(&l.at));
    *state = &l;
    return 0;
}

static int close_link(void **state)
{
    struct link *l = *state;
    sock_close(l->listener);
    if (l->client >= 0) sock_close(l->client);
    sock_close(l->server);
    return 0;
}

static int option(int fd, int level, int name)
{
    int v = -1;
    socklen_t n = sizeof v;
    assert_int_equal(getsockopt(fd, level, name, &v, &n), 0);
    return v;
}

/* What lets sock_accept do with one system call. */
static void accepted_socket_is_without_delay_non_blocking_and_closed_on_exec(void **state)
{
    struct link *l = *state;
    assert_int_equal(option(l->server, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_true(fcntl(l->server, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(l->server, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(l->listener, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(l->listener, F_GETFD) & FD_CLOEXEC);
}

static void peer_is_the_address_the_client_has(void **state)
{
    struct link *l = *state;
    struct sock_addr own;
    char a[SOCK_ADDR_TEXT], b[SOCK_ADDR_TEXT];
    assert_int_equal(sock_local(l->client, &own), 0);
    assert_string_equal(sock_addr_text(&l->peer, a), sock_addr_text(&own, b));
}

static void accept_with_nobody_there_says_again(void **state)
{
    struct link *l = *state;
    struct sock_addr peer;
    assert_int_equal(sock_accept(l->listener, &peer), -ERR_AGAIN);
    assert_int_equal(sock_accept(-1, &peer), -ERR_OS);
}

static void two_cores_listen_on_one_port_but_a_stranger_keeps_it(void **state)
{
    struct link *l = *state;
    int second = sock_listen(&l->at, 16);
    assert_true(second >= 0);
    sock_close(second);

    struct sockaddr_in in = {.sin_family = AF_INET};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sock_addr a;
    int stranger = socket(AF_INET, SOCK_STREAM, 0); /* without SO_REUSEPORT */
    assert_int_equal(bind(stranger, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(stranger, 1), 0);
    assert_int_equal(sock_local(stranger, &a), 0);
    assert_int_equal(sock_listen(&a, 16), -ERR_BUSY);
    close(stranger);
}

static void address_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct sock_addr a;
    assert_int_equal(sock_addr_parse(&a, "192.0.2.1:0"), 0);
    assert_int_equal(sock_listen(&a, 16), -ERR_OS);
}

static void star_takes_ipv4_too_and_names_the_peer_by_its_ipv4_address(void **state)
{
    (void)state;
    struct link l;
    char out[SOCK_ADDR_TEXT];
    listen_on(&l, "*:0");
    connect_to(&l, port_of(&l.at));
    assert_int_equal(l.peer.ss.ss_family, AF_INET);
    assert_int_equal(strncmp(sock_addr_text(&l.peer, out), "127.0.0.1:", 10), 0);
    close_link(&(void *){&l});
}

static void bytes_arrive_and_then_the_end(void **state)
{
    struct link *l = *state;
    char buf[16];
    assert_int_equal(sock_recv(l->server, buf, sizeof buf), -ERR_AGAIN);
    assert_int_equal(write(l->client, "hello", 5), 5);
    wait_for(l->server, POLLIN);
    assert_int_equal(sock_recv(l->server, buf, 3), 3);
    assert_int_equal(sock_recv(l->server, buf + 3, sizeof buf - 3), 2);
    assert_memory_equal(buf, "hello", 5);
    close(l->client);
    l->client = -1;
    wait_for(l->server, POLLIN);
    assert_int_equal(sock_recv(l->server, buf, sizeof buf), -ERR_CLOSED);
}

static void reset_connection_says_so_on_both_ways(void **state)
{
    struct link *l = *state;
    char buf[16];
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(l->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(l->client);
    l->client = -1;
    wait_for(l->server, POLLIN);
    assert_int_equal(sock_recv(l->server, buf, sizeof buf), -ERR_RESET);
    struct iovec iov[2] = {{"a", 1}, {"b", 1}};
    assert_int_equal(sock_send(l->server, iov, 1), -ERR_RESET); /* and no SIGPIPE */
    assert_int_equal(sock_send(l->server, iov, 2), -ERR_RESET);
}

static void pieces_are_sent_in_order(void **state)
{
    struct link *l = *state;
    char buf[16];
    struct iovec iov[3] = {{"one", 3}, {"", 0}, {"two", 3}};
    assert_int_equal(sock_send(l->server, iov, 3), 6);
    assert_int_equal(sock_send(l->server, iov, 1), 3);
    assert_int_equal(recv(l->client, buf, 9, MSG_WAITALL), 9);
    assert_memory_equal(buf, "onetwoone", 9);
}

static void more_pieces_than_the_system_takes_are_sent_in_part(void **state)
{
    struct link *l = *state;
    static struct iovec iov[3000];
    for (size_t i = 0; i < ARRAY_LEN(iov); i++)
        iov[i] = (struct iovec){"x", 1};
    long n = sock_send(l->server, iov, (int)ARRAY_LEN(iov));
    assert_in_range(n, 1, ARRAY_LEN(iov) - 1);
}

static void full_socket_says_again_and_takes_more_once_read(void **state)
{
    struct link *l = *state;
    static char chunk[65536];
    struct iovec iov[2] = {{chunk, sizeof chunk}, {chunk, sizeof chunk}};
    size_t sent = 0;
    long n;
    while ((n = sock_send(l->server, iov, 1 + (int)(sent % 2))) > 0)
        sent += (size_t)n;
    assert_int_equal(n, -ERR_AGAIN);
    while (sent) {
        ssize_t got = read(l->client, chunk, sizeof chunk);
        assert_true(got > 0);
        sent -= (size_t)got;
    }
    wait_for(l->server, POLLOUT);
    assert_true(sock_send(l->server, iov, 1) > 0);
}

#define ON_LOOPBACK(test) cmocka_unit_test_setup_teardown(test, open_link, close_link)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_is_written_as_it_is_read),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(address_of_another_family_has_a_text_too),
        ON_LOOPBACK(accepted_socket_is_without_delay_non_blocking_and_closed_on_exec),
        ON_LOOPBACK(peer_is_the_address_the_client_has),
        ON_LOOPBACK(accept_with_nobody_there_says_again),
        ON_LOOPBACK(two_cores_listen_on_one_port_but_a_stranger_keeps_it),
        cmocka_unit_test(address_that_is_not_ours_is_refused),
        cmocka_unit_test(star_takes_ipv4_too_and_names_the_peer_by_its_ipv4_address),
        ON_LOOPBACK(bytes_arrive_and_then_the_end),
        ON_LOOPBACK(reset_connection_says_so_on_both_ways),
        ON_LOOPBACK(pieces_are_sent_in_order),
        ON_LOOPBACK(more_pieces_than_the_system_takes_are_sent_in_part),
        ON_LOOPBACK(full_socket_says_again_and_takes_more_once_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
