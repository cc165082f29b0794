/* SPDX-License-Identifier: BSD-3-Clause */
/* client_open.c -- connecting and greeting. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/client/client.h"
#include "app/resolve.h"
#include "base/err.h"

enum { CONNECT_MS = 10000, ANSWER_MS = 10000 };

/* The error of connecting to one address; 0. */
static int try_address(struct client *c, const struct sock_addr *a)
{
    int on = 1, err = 0;
    socklen_t n = sizeof err;

    c->fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0) return errno;
    if (connect(c->fd, (const struct sockaddr *)&a->ss, a->len) < 0) {
        struct pollfd p = {.fd = c->fd, .events = POLLOUT};
        err = errno;
        if (err == EINPROGRESS) {
            if (poll(&p, 1, CONNECT_MS) == 0)
                err = ETIMEDOUT;
            else
                getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n);
        }
    }
    if (err == 0) {
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return 0;
    }
    close(c->fd);
    c->fd = -1;
    return err;
}

static int connect_any(struct client *c, const struct client_options *o)
{
    struct sock_addr at[CLIENT_ADDRESSES_MAX];
    char error[RESOLVE_ERROR];
    int why = ENOENT;

    int n = resolve_host(at, CLIENT_ADDRESSES_MAX, o->host, o->port, error);
    if (n < 0) return client_refuse(c, n, "%s", error);
    for (int i = 0; i < n; i++) {
        why = try_address(c, &at[i]);
        if (why == 0) return 0;
    }
    return client_refuse(c, -ERR_RESET, "%s port %s: %s%s", o->host, o->port, strerror(why),
                         why == ECONNREFUSED ? "; no broker listens there (pinion serve starts one)"
                                             : "");
}

static struct mqtt_connect connect_packet(const struct client_options *o)
{
    struct mqtt_connect p = {
        .version = o->version,
        .clean = !o->keep_session,
        .keep_alive_s = o->keep_alive_s,
        .client_id = bytes_str(o->id ? o->id : ""),
    };

    if (o->user) {
        p.has_user = true;
        p.user = bytes_str(o->user);
    }
    if (o->password) {
        p.has_password = true;
        p.password = bytes_str(o->password);
    }
    if (o->will_topic) {
        p.has_will = true;
        p.will.topic = bytes_str(o->will_topic);
        p.will.payload = bytes_str(o->will_payload ? o->will_payload : "");
        p.will.qos = o->will_qos;
        p.will.retain = o->will_retain;
    }
    if (o->version == MQTT_V5 && (o->has_expiry || o->keep_session)) {
        p.props.have = 1u << MQTT_P_session_expiry;
        p.props.session_expiry = o->has_expiry ? o->expiry_s : UINT32_MAX; /* as before 5.0 */
    }
    return p;
}

static int send_connect(struct client *c, const struct client_options *o)
{
    struct mqtt_connect p = connect_packet(o);
    size_t room = 64 + p.client_id.n + (p.has_user ? p.user.n : 0) +
                  (p.has_password ? p.password.n : 0) +
                  (p.has_will ? p.will.topic.n + p.will.payload.n : 0);
    uint8_t *packet = malloc(room);

    if (!packet) return client_refuse(c, -ERR_NOMEM, "out of memory");
    struct writer w = wr_of(packet, room);
    mqtt_encode_connect(&w, &p);
    int err = w.bad ? client_refuse(c, -ERR_TOO_LARGE, "the names given are too long")
                    : client_send(c, bytes_of(packet, wr_len(&w)));
    free(packet);
    return err;
}

/* Return codes of CONNACK before 5.0. */
static const char *return_code_text(unsigned code)
{
    static const char *const text[] = {
        "accepted",
        "this version of MQTT is not supported; another can be chosen with -V",
        "the client identifier is not allowed",
        "the broker is not available",
        "bad user name or password",
        "not authorized",
    };

    return code < sizeof text / sizeof text[0] ? text[code] : "unknown return code";
}

static int take_connack(struct client *c, const struct mqtt_frame *f)
{
    struct mqtt_connack a;

    if (f->type != MQTT_CONNACK || mqtt_decode_connack(f, c->version, &a) != 0)
        return client_refuse(c, -ERR_PROTOCOL, "the answer to CONNECT is not a CONNACK");
    if (a.reason == 0) {
        if (MQTT_HAS(&a.props, server_keep_alive)) c->keep_alive_s = a.props.server_keep_alive;
        return 0;
    }
    if (MQTT_HAS(&a.props, reason_string))
        return client_refuse(c, -ERR_DENIED, "the broker refused: %s: %.*s",
                             mqtt_reason_text(a.reason), (int)a.props.reason_string.n,
                             (const char *)a.props.reason_string.p);
    return client_refuse(c, -ERR_DENIED, "the broker refused: %s",
                         c->version == MQTT_V5 ? mqtt_reason_text(a.reason)
                                               : return_code_text(a.reason));
}

int client_open(struct client *c, const struct client_options *o)
{
    struct mqtt_frame f;

    *c = (struct client){
        .fd = -1, .stop_fd = -1, .version = o->version, .keep_alive_s = o->keep_alive_s};
    int err = connect_any(c, o);
    if (err == 0) err = send_connect(c, o);
    if (err < 0) return err;
    err = client_receive(c, &f, client_now_ms() + ANSWER_MS);
    if (err == 0) return client_refuse(c, -ERR_TIMEOUT, "no answer to CONNECT");
    return err < 0 ? err : take_connack(c, &f);
}
