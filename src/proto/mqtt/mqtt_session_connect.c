/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_connect.c -- CONNECT: who is it, where does it live, may it come in.
 *
 * A client lives on the core its id hashes to. If that is not the core that accepted the
 * connection, the connection moves, CONNECT and all, and is decoded again there: that
 * costs less than a form of it that could travel. */
#include "proto/mqtt/mqtt_session_internal.h"

enum { ASSIGNED_ID_ROOM = 32 };

/* ---- what the server does not grant ------------------------------------------------------- */

static int judge_will(const struct mqtt_options *o, const struct mqtt_connect *c)
{
    if (!c->has_will) return 0;
    if (c->will.qos > o->max_qos) return MQTT_RC_QOS_NOT_SUPPORTED;          /* [MQTT-3.2.2-12] */
    if (c->will.retain && o->no_retain) return MQTT_RC_RETAIN_NOT_SUPPORTED; /* [MQTT-3.2.2-13] */
    return 0;
}

/* Longer than is allowed: 5.0 is told to take ours, 3.x can't be told. */
static bool keep_alive_too_long(const struct mqtt_options *o, const struct mqtt_connect *c)
{
    return o->keep_alive_max_s && (c->keep_alive_s == 0 || c->keep_alive_s > o->keep_alive_max_s);
}

static int judge(const struct mqtt_options *o, const struct mqtt_connect *c)
{
    bool empty_refused = c->client_id.n == 0 && o->refuse_empty_client_id;

    if (o->redirect_reason) return o->redirect_reason; /* [MQTT-4.11] */
    if (empty_refused || c->client_id.n > o->client_id_bytes_max)
        return MQTT_RC_CLIENT_ID_NOT_VALID; /* [MQTT-3.1.3-8] */
    if (c->version != MQTT_V5 && keep_alive_too_long(o, c)) return MQTT_RC_SERVER_UNAVAILABLE;
    return judge_will(o, c);
}

/* The broker ends soon: it is no use to begin. */
static int no_time_left(const struct mqtt_options *o)
{
    return o->farewell_reason ? o->farewell_reason : MQTT_RC_SERVER_UNAVAILABLE;
}

/* ---- what CONNECT says about the connection -----------------------------------------------------
 */

/* How it wants to be spoken to, which holds for a refusal too. */
static void take_manners(struct mqtt *m, const struct mqtt_props *p)
{
    if (MQTT_HAS(p, maximum_packet_size)) m->packet_max = p->maximum_packet_size;
    if (MQTT_HAS(p, request_problem_info) && !p->request_problem_info) m->flags |= MQTT_NO_PROBLEMS;
}

static void take_wishes(struct mqtt *m, const struct mqtt_connect *c)
{
    const struct mqtt_options *o = &m->core->options;
    const struct mqtt_props *p = &c->props;

    m->keep_alive_s = c->keep_alive_s;
    if (!mqtt_is_v5(m)) return;
    m->in_max = o->topic_alias_max;
    if (MQTT_HAS(p, topic_alias_maximum)) m->out_max = p->topic_alias_maximum;
    if (m->out_max > o->topic_alias_out_max) m->out_max = o->topic_alias_out_max;
    if (!MQTT_HAS(p, session_expiry) || !p->session_expiry) m->flags |= MQTT_ENDS_AT_ONCE;
    if (keep_alive_too_long(o, c)) m->keep_alive_s = o->keep_alive_max_s; /* [MQTT-3.2.2.3.14] */
}

/* ---- the session -------------------------------------------------------------------------- */

static uint32_t wanted_expiry_s(const struct mqtt_connect *c)
{
    if (c->version != MQTT_V5) return c->clean ? 0 : SESSION_NEVER_EXPIRES; /* [MQTT311-3.1.2-4] */
    return MQTT_HAS(&c->props, session_expiry) ? c->props.session_expiry : 0;
}

static struct publication will_of(struct mqtt *m, const struct mqtt_will *w)
{
    struct mqtt_core *core = m->core;
    struct publication p = {
        .topic = w->topic,
        .payload = w->payload,
        .topic_hash = broker_topic_hash(core->broker, w->topic),
        .qos = w->qos,
        .retain = w->retain, /* [MQTT-3.1.2-14] [MQTT-3.1.2-15] */
        .has_expiry = MQTT_HAS(&w->props, message_expiry),
    };
    if (p.has_expiry) p.expiry_s = w->props.message_expiry;
    if (w->props.have)
        p.props = bytes_of(core->scratch, mqtt_props_forward(w->props.raw, core->scratch));
    return p;
}

/* A client that finds no room is told, and the log names the setting. */
static int no_room(struct mqtt *m)
{
    struct mqtt_core *core = m->core;
    bool memory = core_memory_full(core->core);

    count(&core->core->counters, memory ? C_refused_memory : C_refused_sessions);
    core->why = err_text(memory ? -ERR_NOMEM : -ERR_FULL);
    core->setting = memory ? "limits.memory" : "limits.sessions";
    return MQTT_RC_QUOTA_EXCEEDED;
}

/* There is no session for it. Why: a limit, another user, or the log. */
static int refuse_session(struct mqtt *m, int err)
{
    struct mqtt_core *core = m->core;

    switch (-err) {
    case ERR_FULL: return no_room(m);
    case ERR_DENIED:
        core->why = "its client id is another user's";
        core->setting = "access.takeover";
        return MQTT_RC_NOT_AUTHORIZED;
    case ERR_DISK_FULL:
        core->why = err_text(err);
        core->setting = "data.bytes";
        return MQTT_RC_QUOTA_EXCEEDED;
    default: core->why = err_text(err); return MQTT_RC_SERVER_UNAVAILABLE;
    }
}

static int attach(struct mqtt *m, const struct mqtt_connect *c, struct bytes client_id,
                  struct identity *who, bool *present)
{
    struct publication will;
    struct attach a = {
        .client_id = client_id,
        .clean = c->clean,
        .expiry_s = wanted_expiry_s(c),
        .receive_max = MQTT_HAS(&c->props, receive_maximum) ? c->props.receive_maximum : UINT16_MAX,
        .identity = who,
        .door = m->conn->listener->proto_ctx,
        .ops = &mqtt_sink_ops,
        .sink = m,
    };
    int err = 0;

    if (c->has_will) { /* [MQTT-3.1.2-7] */
        will = will_of(m, &c->will);
        a.will = &will;
        if (MQTT_HAS(&c->will.props, will_delay)) a.will_delay_s = c->will.props.will_delay;
    }
    m->session = session_attach(m->core->broker, &a, present, &err);
    return m->session ? 0 : refuse_session(m, err);
}

static void log_connected(const struct mqtt *m, bool present)
{
    char peer[SOCK_ADDR_TEXT];

    LOG(&m->core->core->log, LOG_INFO, "client_connected",
        F_TEXT("client", session_client_id(m->session)),
        F_TEXT("user", identity_user(m->session->identity)),
        F_STR("peer", conn_peer_text(m->conn, peer)), F_U64("version", m->version),
        F_U64("keep_alive_s", m->keep_alive_s), F_U64("session_present", present));
}

int mqtt_come_in(struct mqtt *m, const struct mqtt_connect *c, struct identity **who)
{
    char assigned[ASSIGNED_ID_ROOM];
    struct bytes id = c->client_id;
    bool present = false;

    if (m->core->core->draining) return no_time_left(&m->core->options);
    if (id.n == 0) /* [MQTT-3.1.3-6] */
        id =
            bytes_of(assigned, broker_assign_client_id(m->core->broker, assigned, sizeof assigned));
    int bad = attach(m, c, id, *who, &present);
    if (bad) return bad;
    *who = NULL;
    if (!mqtt_welcome(m, c, present)) { /* then it was never here, and its will is not sent */
        session_detach(m->session, false);
        m->session = NULL;
        return MQTT_RC_PACKET_TOO_LARGE;
    }
    mqtt_set_state(m, MQTT_ONLINE);
    conn_known(m->conn);
    m->conn->in_max = m->core->options.packet_bytes_max;
    mqtt_keep_alive_start(m);
    log_connected(m, present);
    mqtt_hold_if_full(m); /* owners may still owe answers to the last connection */
    session_resume(m->session);
    return 0;
}

/* ---- CONNECT ------------------------------------------------------------------------------ */

static int hand_over(struct mqtt *m, unsigned home)
{
    if (conn_hand_over(m->conn, home, 0, m->core->unread) < 0) return MQTT_RC_SERVER_BUSY;
    mqtt_set_state(m, MQTT_GONE);
    return 0;
}

static int connect_as(struct mqtt *m, const struct mqtt_frame *f, const struct mqtt_connect *c)
{
    int bad = judge(&m->core->options, c);

    if (bad) return bad;
    if (c->has_will && !mqtt_name_fits(m, c->will.topic)) return MQTT_RC_TOPIC_NAME_INVALID;
    if (m->core->core->draining) return no_time_left(&m->core->options);
    if (m->state == MQTT_ARRIVED && c->client_id.n > 0) {
        unsigned home = broker_home(m->core->broker, 0, c->client_id);
        if (home != m->core->core->id) return hand_over(m, home);
    }
    return mqtt_log_in(m, f, c);
}

int mqtt_on_connect(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_connect c;
    int bad = mqtt_decode_connect(f, &c);

    m->version = (uint8_t)c.version;
    take_manners(m, &c.props);
    if (bad) return bad;
    take_wishes(m, &c);
    m->core->connecting = c.client_id;
    bad = connect_as(m, f, &c);
    if (!bad) m->core->connecting = bytes_of(NULL, 0);
    return bad;
}
