/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c -- the connection: bytes in and out, keep alive, whole packets. */
#include "app/client/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum { READ_BYTES = 65536, SEND_PATIENCE_MS = 30000 };

int client_refuse(struct client *c, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->error, sizeof c->error, format, args);
    va_end(args);
    return err;
}

uint64_t client_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint16_t client_next_id(struct client *c)
{
    if (++c->packet_id == 0) c->packet_id = 1;
    return c->packet_id;
}

/* ---- out ---------------------------------------------------------------------------------- */

int client_send(struct client *c, struct bytes b)
{
    while (b.n > 0) {
        ssize_t n = send(c->fd, b.p, b.n, MSG_NOSIGNAL);
        if (n > 0) {
            b = bytes_skip(b, (size_t)n);
            continue;
        }
        if (errno == EINTR) continue;
        struct pollfd p = {.fd = c->fd, .events = POLLOUT};
        if (errno != EAGAIN)
            return client_refuse(c, -ERR_RESET, "the connection broke: %s", strerror(errno));
        if (poll(&p, 1, SEND_PATIENCE_MS) == 0)
            return client_refuse(c, -ERR_TIMEOUT, "the broker takes nothing more");
    }
    c->sent_ms = client_now_ms();
    return 0;
}

int client_ack(struct client *c, unsigned type, uint16_t id)
{
    uint8_t packet[4];

    mqtt_encode_short_ack(packet, type, id);
    return client_send(c, bytes_of(packet, sizeof packet));
}

static int ping(struct client *c)
{
    static const uint8_t pingreq[] = {MQTT_PINGREQ << 4, 0};

    return client_send(c, bytes_of(pingreq, sizeof pingreq));
}

void client_close(struct client *c)
{
    static const uint8_t goodbye[] = {MQTT_DISCONNECT << 4, 0};

    if (c->fd >= 0) {
        client_send(c, bytes_of(goodbye, sizeof goodbye)); /* if it fails there is nobody to tell */
        close(c->fd);
    }
    if (c->stop_fd >= 0) close(c->stop_fd);
    free(c->in);
    c->in = NULL;
    c->fd = c->stop_fd = -1;
}

/* ---- in ------------------------------------------------------------------------------------- */

/* Room for `need` bytes of one packet, at least for one read. */
static int make_room(struct client *c, size_t need)
{
    size_t have = c->in_len - c->in_from;

    if (c->in_from) memmove(c->in, c->in + c->in_from, have);
    c->in_from = 0;
    c->in_len = have;
    if (need < have + READ_BYTES) need = have + READ_BYTES;
    if (need <= c->in_cap) return 0;
    uint8_t *more = realloc(c->in, need);
    if (!more) return client_refuse(c, -ERR_NOMEM, "out of memory");
    c->in = more;
    c->in_cap = need;
    return 0;
}

/* Milliseconds until something must be done: a ping, or giving up. */
static int patience(const struct client *c, uint64_t until_ms)
{
    uint64_t now = client_now_ms(), end = until_ms;

    if (c->keep_alive_s && c->sent_ms + c->keep_alive_s * 1000u < end)
        end = c->sent_ms + c->keep_alive_s * 1000u;
    if (end == UINT64_MAX) return -1;
    uint64_t left = end > now ? end - now : 0;
    return left < 60000 ? (int)left : 60000;
}

/* Waits for bytes and reads them: 1; 0: the time has come; -ERR_X. */
static int read_some(struct client *c, uint64_t until_ms)
{
    for (;;) {
        struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN},
                              {.fd = c->stop_fd, .events = POLLIN}};
        int n = poll(p, 2, patience(c, until_ms));
        if (p[1].revents || client_now_ms() >= until_ms) return 0;
        if (n > 0) break;
        if (c->keep_alive_s && client_now_ms() >= c->sent_ms + c->keep_alive_s * 1000u) {
            int err = ping(c);
            if (err < 0) return err;
        }
    }
    ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
    if (n == 0) return client_refuse(c, -ERR_CLOSED, "the broker closed the connection");
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return client_refuse(c, -ERR_RESET, "the connection broke: %s", strerror(errno));
    c->in_len += n > 0 ? (size_t)n : 0;
    return 1;
}

static int on_disconnect(struct client *c, const struct mqtt_frame *f)
{
    struct mqtt_disconnect d;

    if (c->version != MQTT_V5 || mqtt_decode_disconnect(f, c->version, &d) != 0)
        return client_refuse(c, -ERR_CLOSED, "the broker ended the connection");
    if (MQTT_HAS(&d.props, reason_string))
        return client_refuse(c, -ERR_CLOSED, "the broker ended the connection: %s: %.*s",
                             mqtt_reason_text(d.reason), (int)d.props.reason_string.n,
                             (const char *)d.props.reason_string.p);
    return client_refuse(c, -ERR_CLOSED, "the broker ended the connection: %s",
                         mqtt_reason_text(d.reason));
}

int client_receive(struct client *c, struct mqtt_frame *f, uint64_t until_ms)
{
    for (;;) {
        uint32_t need = 0;
        struct bytes in = bytes_skip(bytes_of(c->in, c->in_len), c->in_from);
        long n = in.n ? mqtt_frame_next(in, MQTT_VARINT_MAX, f, &need) : 0;
        if (n < 0) return client_refuse(c, -ERR_MALFORMED, "what the broker sent is not MQTT");
        if (n > 0) {
            c->in_from += (size_t)n;
            if (f->type == MQTT_DISCONNECT) return on_disconnect(c, f);
            if (f->type != MQTT_PINGRESP) return 1;
            continue;
        }
        int err = make_room(c, need);
        if (err == 0) err = read_some(c, until_ms);
        if (err <= 0) return err;
    }
}
