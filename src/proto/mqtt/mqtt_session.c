/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session.c -- bytes in, packets to their handlers.
 *
 * One table decides every pair of state and packet type: a handler, or the reason why it
 * may not come now. Work is bounded: after PACKETS_MAX packets the rest waits a turn. */
#include "proto/mqtt/mqtt_session.h"

#include <stdlib.h>

#include "broker/session_ask.h"
#include "proto/mqtt/mqtt_session_internal.h"

enum { PACKETS_MAX = 2048, HEAD_ROOM = 128 << 10 };

/* An idle connection is to cost 700 bytes in all. */
static_assert(sizeof(struct mqtt) <= 96, "a size class of the pool");

/* ---- states ------------------------------------------------------------------------------- */

void mqtt_set_state(struct mqtt *m, enum mqtt_state to)
{
    bool legal = to == MQTT_LOGIN || to == MQTT_ONLINE || to == MQTT_GONE;
    ASSERT(legal && to > m->state); /* only ever onwards */
    m->state = (uint8_t)to;
}

void mqtt_pause(struct mqtt *m, enum mqtt_flag why)
{
    m->flags |= (uint8_t)why;
    conn_pause(m->conn);
}

void mqtt_go_on(struct mqtt *m, enum mqtt_flag why)
{
    m->flags &= (uint8_t)~why;
    m->conn->last_rx_s = core_now_s(m->core->core); /* the silence was ours */
    if (!(m->flags & (MQTT_HELD | MQTT_ASKING | MQTT_RATED))) conn_resume(m->conn);
}

struct rule {
    mqtt_handler *handle; /* NULL: the packet ends the connection, for this reason */
    uint8_t reason;
};

/* What only a server sends. */
#define WRONG                                                                                      \
    {                                                                                              \
        NULL, MQTT_RC_PROTOCOL_ERROR                                                               \
    }

/* [MQTT-3.1.0-1]: nothing else may come before CONNECT; on_bytes sees to it by the first byte. */
#define ONLY_CONNECT                                                                               \
    {                                                                                              \
        [0] = WRONG, [MQTT_CONNECT] = {mqtt_on_connect, 0}, [MQTT_CONNACK... MQTT_AUTH] = WRONG    \
    }

static const struct rule rules[MQTT_STATES][16] = {
    [MQTT_ARRIVED] = ONLY_CONNECT,
    [MQTT_AT_HOME] = ONLY_CONNECT,
    [MQTT_LOGIN] = /* read in an exchange only [MQTT-3.1.2-30] */
    {
        [0 ... MQTT_PINGRESP] = WRONG,
        [MQTT_DISCONNECT] = {mqtt_on_goodbye, 0},
        [MQTT_AUTH] = {mqtt_on_auth, 0},
    },
    [MQTT_ONLINE] =
        {
            [0] = WRONG,
            [MQTT_CONNECT] = WRONG, /* [MQTT-3.1.0-2] */
            [MQTT_CONNACK] = WRONG,
            [MQTT_PUBLISH] = {mqtt_on_publish, 0},
            [MQTT_PUBACK] = {mqtt_on_puback, 0},
            [MQTT_PUBREC] = {mqtt_on_pubrec, 0},
            [MQTT_PUBREL] = {mqtt_on_pubrel, 0},
            [MQTT_PUBCOMP] = {mqtt_on_pubcomp, 0},
            [MQTT_SUBSCRIBE] = {mqtt_on_subscribe, 0},
            [MQTT_SUBACK] = WRONG,
            [MQTT_UNSUBSCRIBE] = {mqtt_on_unsubscribe, 0},
            [MQTT_UNSUBACK] = WRONG,
            [MQTT_PINGREQ] = {mqtt_on_pingreq, 0},
            [MQTT_PINGRESP] = WRONG,
            [MQTT_DISCONNECT] = {mqtt_on_disconnect, 0},
            [MQTT_AUTH] = {mqtt_on_auth, 0},
        },
    /* MQTT_GONE: on_bytes has stopped. */
};

/* ---- bytes in ----------------------------------------------------------------------------- */

/* Must what is left wait, or will nobody read it? */
static bool stopped(const struct mqtt *m)
{
    return m->state == MQTT_GONE || m->conn->flags & (CONN_NOT_READ | CONN_CLOSING);
}

/* Strangers are judged by their first byte: whatever length follows is not waited for. */
static bool is_stranger(const struct mqtt *m, struct bytes in)
{
    return m->state < MQTT_LOGIN && in.n > 0 && in.p[0] >> 4 != MQTT_CONNECT; /* [MQTT-3.1.0-1] */
}

static int dispatch(struct mqtt *m, const struct mqtt_frame *f, struct bytes unread)
{
    const struct rule *rule = &rules[m->state][f->type];

    m->core->unread = unread;
    if (mqtt_is_traced(m) && f->type != MQTT_PUBLISH)
        mqtt_trace_packet(m, MQTT_IN, f->type, (uint32_t)f->body.n);
    int reason = rule->handle ? rule->handle(m, f) : rule->reason;
    return LIKELY(reason == 0) ? 0 : mqtt_fail(m, (unsigned)reason);
}

static long on_bytes(struct conn *c, struct bytes in)
{
    struct mqtt *m = c->state;
    struct bytes left = in;

    for (unsigned n = 0; !stopped(m) && left.n > 0; n++) {
        struct mqtt_frame f;

        if (n == PACKETS_MAX) {
            conn_again(c);
            break;
        }
        if (UNLIKELY(is_stranger(m, left))) return mqtt_fail(m, MQTT_RC_PROTOCOL_ERROR);
        long used = mqtt_frame_next(left, c->in_max, &f, &c->in_need);
        if (used == 0) break;
        if (UNLIKELY(used < 0)) return mqtt_fail(m, (unsigned)-used);
        bool asks = m->session && m->session->asks;
        if (UNLIKELY(asks) && mqtt_must_ask(m, &f)) break;
        int err = dispatch(m, &f, left);
        if (UNLIKELY(err < 0)) return err;
        if (UNLIKELY(asks) && m->session) session_ask_over(m->session);
        left = bytes_skip(left, (size_t)used);
    }
    return m->state == MQTT_GONE ? (long)in.n : (long)(in.n - left.n);
}

/* ---- a connection comes and goes ---------------------------------------------------------- */

static int on_open(struct conn *c, bool moved, uint64_t note)
{
    struct mqtt_core *core = net_ctx(c->net);
    struct mqtt *m = pool_alloc(core->core->pool, sizeof *m);

    (void)note;
    if (!m) return -ERR_NOMEM;
    *m = (struct mqtt){
        .conn = c,
        .core = core,
        .packet_max = UINT32_MAX,
        .state = moved ? MQTT_AT_HOME : MQTT_ARRIVED,
    };
    c->state = m;
    c->in_max = core->options.packet_bytes_before_connect;
    core->out_bytes_max = net_options(c->net)->out_bytes_max;
    mqtt_timer_start(m);
    return 0;
}

static void on_close(struct conn *c, int why)
{
    struct mqtt *m = c->state;
    struct core *core = m->core->core;

    mqtt_leave(m, true, why ? err_text(why) : "closed"); /* nobody said goodbye [MQTT-3.1.2-8] */
    wheel_cancel(&core->wheel, &m->timer);
    mqtt_login_forget(m);
    mqtt_aliases_free(&m->in);
    mqtt_aliases_free(&m->out);
    pool_free(core->pool, m, sizeof *m);
    c->state = NULL;
}

static void on_drain(struct conn *c)
{
    struct mqtt *m = c->state;

    if (m->session) session_pump(m->session);
}

const struct proto mqtt_proto = {
    .name = "mqtt",
    .on_open = on_open,
    .on_bytes = on_bytes,
    .on_drain = on_drain,
    .on_farewell = mqtt_on_farewell,
    .on_close = on_close,
};

/* ---- the core's share --------------------------------------------------------------------- */

static void take_options(struct mqtt_core *mc, const struct mqtt_options *o)
{
    mc->options = *o;
    if (mc->options.topic_alias_out_max > MQTT_ALIAS_OUT_MAX)
        mc->options.topic_alias_out_max = MQTT_ALIAS_OUT_MAX;
}

/* Room for a packet of a client and more: a topic, or what we add to its properties. It never
 * shrinks, as clients that were told of a larger packet may still send it. */
static int grow_scratch(struct mqtt_core *mc, uint32_t packet_bytes_max)
{
    size_t bytes = (size_t)packet_bytes_max + HEAD_ROOM;

    if (bytes <= mc->scratch_bytes) return 0;
    uint8_t *scratch = realloc(mc->scratch, bytes);
    if (!scratch) return -ERR_NOMEM;
    mc->scratch = scratch;
    mc->scratch_bytes = bytes;
    return 0;
}

struct mqtt_core *mqtt_core_new(struct core *c, struct broker *b, const struct mqtt_options *o)
{
    struct mqtt_core *mc = calloc(1, sizeof *mc);

    if (!mc) return NULL;
    mc->core = c;
    mc->broker = b;
    take_options(mc, o);
    uint32_t max = broker_options(b)->receive_max;
    mc->receive_max = max < UINT16_MAX ? max : UINT16_MAX;
    if (grow_scratch(mc, o->packet_bytes_max) < 0) mqtt_core_free(&mc);
    return mc;
}

int mqtt_core_set_options(struct mqtt_core *mc, const struct mqtt_options *o, size_t out_bytes_max)
{
    struct mqtt_options kept = *o;
    int err = grow_scratch(mc, o->packet_bytes_max);

    if (err < 0) kept.packet_bytes_max = mc->options.packet_bytes_max;
    take_options(mc, &kept);
    mc->out_bytes_max = out_bytes_max;
    return err;
}

void mqtt_core_free(struct mqtt_core **mcp)
{
    struct mqtt_core *mc = *mcp;

    if (!mc) return;
    *mcp = NULL;
    free(mc->scratch);
    free(mc);
}
