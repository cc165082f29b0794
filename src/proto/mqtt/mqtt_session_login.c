/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_login.c -- between CONNECT and CONNACK: may it come in, and who is it?
 *
 * Often that is known at once. Where others have to be asked, the connection is not read
 * meanwhile and a copy of its CONNECT waits here, to be decoded again when the answer is
 * there. In enhanced authentication (4.12) it is the client who is asked, by AUTH. The time limit
 * for CONNECT goes on. A client that is online may prove itself anew (4.12.1). */
#include <stdlib.h>

#include "broker/access/guard.h"
#include "broker/session_ask.h"
#include "proto/mqtt/mqtt_session_internal.h"

enum { CERTIFICATE_NAME_MAX = 256 };

struct mqtt_login {
    struct login *login;            /* under way */
    struct hook_question *question; /* about a topic; NULL: none is under way */
    struct guard_pass *pass;        /* places that the client takes, as long as it is here */
    struct mqtt_frame connect;      /* while `login` is under way; owns its body */
};

static unsigned reason_of(enum login_verdict v)
{
    static const uint8_t reasons[LOGIN_VERDICTS] = {
        [LOGIN_NO_IDENTITY] = MQTT_RC_NOT_AUTHORIZED,
        [LOGIN_WRONG] = MQTT_RC_BAD_USER_NAME_OR_PASSWORD,
        [LOGIN_TOO_MANY] = MQTT_RC_QUOTA_EXCEEDED,
        [LOGIN_TOO_FAST] = MQTT_RC_CONNECTION_RATE_EXCEEDED,
        [LOGIN_BANNED] = MQTT_RC_BANNED,
        [LOGIN_BUSY] = MQTT_RC_SERVER_BUSY,
        [LOGIN_UNAVAILABLE] = MQTT_RC_SERVER_UNAVAILABLE,
        [LOGIN_BAD_METHOD] = MQTT_RC_BAD_AUTHENTICATION_METHOD, /* [MQTT-4.12.0-1] */
    };
    return reasons[v];
}

static struct mqtt_login *login_of(struct mqtt *m)
{
    if (!m->login) m->login = calloc(1, sizeof *m->login);
    return m->login;
}

/* There is a password in it. */
static void forget_connect(struct mqtt_login *l)
{
    void *copy = (void *)l->connect.body.p;

    if (copy) explicit_bzero(copy, l->connect.body.n);
    free(copy);
    l->connect.body = bytes_of(NULL, 0);
}

/* ---- the answer ----------------------------------------------------------------------------- */

static int refuse(struct mqtt *m, const struct login_answer *a)
{
    m->core->why = a->why;
    m->core->setting = a->setting;
    return (int)reason_of(a->verdict);
}

/* Lets it come in, or says why not: 0 or a reason. Takes all of the answer. */
static int decide(struct mqtt *m, const struct mqtt_connect *c, struct login_answer *a)
{
    int bad = 0;

    m->core->auth_data = bytes_of(a->say, a->nsay);
    if (a->verdict != LOGIN_TAKEN)
        bad = refuse(m, a);
    else if (a->pass && !login_of(m))
        bad = MQTT_RC_SERVER_UNAVAILABLE;
    else
        bad = mqtt_come_in(m, c, &a->identity);
    if (bad)
        guard_drop(&a->pass, false);
    else if (a->pass)
        m->login->pass = a->pass;
    identity_free(&a->identity);
    m->core->auth_data = bytes_of(NULL, 0);
    return bad;
}

/* The same for one whose CONNECT was kept. */
static int decide_kept(struct mqtt *m, struct login_answer *a)
{
    struct mqtt_login *l = m->login;
    struct mqtt_connect c;
    int bad = mqtt_decode_connect(&l->connect, &c);

    ASSERT(!bad); /* it was good before */
    m->core->connecting = c.client_id;
    bad = decide(m, &c, a);
    if (!bad) m->core->connecting = bytes_of(NULL, 0);
    return bad;
}

/* ---- AUTH ------------------------------------------------------------------------------------ */

/* [MQTT-4.12.0-2] [MQTT-4.12.0-5]: the method of CONNECT stands in all of them. */
static int say_auth(struct mqtt *m, unsigned reason, const struct login_answer *a)
{
    uint8_t room[LOGIN_SAY_MAX + 64];
    struct writer w = wr_of(room, sizeof room);
    struct mqtt_disconnect d = {.reason = (uint8_t)reason};

    d.props.have = 1u << MQTT_P_auth_method | 1u << MQTT_P_auth_data;
    d.props.auth_method = LOGIN_SCRAM;
    d.props.auth_data = bytes_of(a->say, a->nsay);
    mqtt_encode_auth(&w, &d);
    return mqtt_put(m, &w) ? 0 : MQTT_RC_PACKET_TOO_LARGE;
}

/* Whose turn is it? 0 or a reason. */
static int go_on(struct mqtt *m, const struct login_answer *a)
{
    if (a->verdict == LOGIN_GOES_ON) return say_auth(m, MQTT_RC_CONTINUE_AUTHENTICATION, a);
    mqtt_pause(m, MQTT_ASKING);
    return 0;
}

static void forget_answer(struct login_answer *a)
{
    if (a->verdict == LOGIN_GOES_ON) return; /* it is still the login's */
    guard_drop(&a->pass, false);
    identity_free(&a->identity);
}

static void on_answer(void *asker, const struct login_answer *told)
{
    struct mqtt *m = asker;
    struct mqtt_login *l = m->login;
    struct login_answer a = *told;
    bool over = a.verdict != LOGIN_GOES_ON;

    if (over) l->login = NULL;
    if (m->conn->flags & CONN_CLOSING) { /* its end has begun: nobody comes in */
        forget_answer(&a);
        return;
    }
    mqtt_go_on(m, MQTT_ASKING);
    int bad = over ? decide_kept(m, &a) : go_on(m, &a);
    if (bad) mqtt_end(m, (unsigned)bad);
    m->core->connecting = bytes_of(NULL, 0);
    if (over) forget_connect(l);
}

/* It proved itself anew. It must be who it was: what it may do hangs on that. */
static int decide_again(struct mqtt *m, struct login_answer *a)
{
    struct bytes now = identity_user(a->identity), was = identity_user(m->session->identity);
    bool same = a->verdict == LOGIN_TAKEN && bytes_eq(now, was);
    bool guessed = a->verdict == LOGIN_TAKEN || a->verdict == LOGIN_WRONG;

    identity_free(&a->identity);
    if (same) return say_auth(m, MQTT_RC_SUCCESS, a);
    guard_drop(&m->login->pass, guessed); /* it counts as at CONNECT does */
    return MQTT_RC_NOT_AUTHORIZED;        /* [MQTT-4.12.1-2] */
}

/* The client's AUTH in an exchange that is under way, and what comes of it. */
static int hear_auth(struct mqtt *m, struct bytes data)
{
    struct mqtt_login *l = m->login;
    struct login_answer a;

    l->login = login_say(l->login, data, &a);
    if (l->login) return go_on(m, &a);
    int bad = m->state == MQTT_ONLINE ? decide_again(m, &a) : decide_kept(m, &a);
    if (bad) return bad; /* its name is still to be logged, and lies in CONNECT */
    forget_connect(l);
    return 0;
}

/* [MQTT-4.12.1-1]: by the method of CONNECT, at any time. */
static int begin_again(struct mqtt *m, struct bytes data)
{
    struct login_claim claim = {.method = LOGIN_SCRAM,
                                .data = data,
                                .has_method = true,
                                .again = true,
                                .door = m->conn->listener->proto_ctx};
    struct login_answer a;

    if (!login_of(m)) return MQTT_RC_SERVER_UNAVAILABLE;
    memcpy(claim.ip, m->conn->peer.ip, sizeof claim.ip);
    m->login->login = login_begin(m->core->broker, &claim, on_answer, m, &a);
    return m->login->login ? go_on(m, &a) : decide_again(m, &a);
}

int mqtt_on_auth(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_disconnect d;
    int bad = mqtt_is_v5(m) ? mqtt_decode_auth(f, &d) : MQTT_RC_PROTOCOL_ERROR;

    if (bad) return bad;
    bool under_way = m->login && m->login->login;
    if (!(m->flags & MQTT_ENHANCED)) return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-4.12.0-7] */
    if (!MQTT_HAS(&d.props, auth_method) || !bytes_eq(d.props.auth_method, LOGIN_SCRAM))
        return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-4.12.0-5] */
    struct bytes data = MQTT_HAS(&d.props, auth_data) ? d.props.auth_data : bytes_of("", 0);
    if (d.reason == MQTT_RC_CONTINUE_AUTHENTICATION && under_way) return hear_auth(m, data);
    if (d.reason == MQTT_RC_REAUTHENTICATE && m->state == MQTT_ONLINE && !under_way)
        return begin_again(m, data);
    return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.15.2-1] */
}

/* DISCONNECT, before CONNACK [MQTT-3.1.2-30]. */
int mqtt_on_goodbye(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_disconnect d;
    int bad = mqtt_decode_disconnect(f, (enum mqtt_version)m->version, &d);

    if (bad) return bad;
    mqtt_set_state(m, MQTT_GONE);
    conn_close(m->conn, 0);
    return 0;
}

/* ---- CONNECT -------------------------------------------------------------------------------- */

/* Keeps CONNECT while the login goes on. */
static int log_in_later(struct mqtt *m, const struct mqtt_frame *f, struct login *login,
                        const struct login_answer *a)
{
    uint8_t *copy = malloc(f->body.n);
    struct mqtt_login *l = login_of(m);

    if (!copy || !l) {
        free(copy);
        login_cancel(&login);
        return MQTT_RC_SERVER_UNAVAILABLE;
    }
    memcpy(copy, f->body.p, f->body.n);
    l->connect = *f;
    l->connect.body = bytes_of(copy, f->body.n);
    l->login = login;
    mqtt_set_state(m, MQTT_LOGIN);
    return go_on(m, a);
}

static void take_method(struct mqtt *m, const struct mqtt_connect *c, struct login_claim *claim)
{
    if (!MQTT_HAS(&c->props, auth_method)) return;
    m->flags |= MQTT_ENHANCED;
    claim->has_method = true;
    claim->method = c->props.auth_method;
    if (MQTT_HAS(&c->props, auth_data)) claim->data = c->props.auth_data;
}

int mqtt_log_in(struct mqtt *m, const struct mqtt_frame *f, const struct mqtt_connect *c)
{
    char name[CERTIFICATE_NAME_MAX];
    struct login_answer answer;
    struct login_claim claim = {
        .client_id = c->client_id,
        .user = c->user,
        .password = c->password,
        .certificate = bytes_of(name, conn_certificate_name(m->conn, name, sizeof name)),
        .has_user = c->has_user,
        .has_password = c->has_password,
        .door = m->conn->listener->proto_ctx,
    };

    memcpy(claim.ip, m->conn->peer.ip, sizeof claim.ip);
    take_method(m, c, &claim);
    struct login *login = login_begin(m->core->broker, &claim, on_answer, m, &answer);
    return login ? log_in_later(m, f, login, &answer) : decide(m, c, &answer);
}

static void on_right(void *mqtt)
{
    struct mqtt *m = mqtt;

    m->login->question = NULL;
    mqtt_go_on(m, MQTT_ASKING);
}

bool mqtt_login_ask(struct mqtt *m, const struct hook_text *q)
{
    struct mqtt_login *l = login_of(m);

    if (l) l->question = session_ask(m->session, q, on_right, m);
    return l && l->question;
}

void mqtt_login_unask(struct mqtt *m)
{
    struct mqtt_login *l = m->login;

    if (l && l->question) hook_cancel(l->question);
    if (l) l->question = NULL;
}

void mqtt_login_forget(struct mqtt *m)
{
    struct mqtt_login *l = m->login;

    if (!l) return;
    login_cancel(&l->login);
    mqtt_login_unask(m);
    guard_drop(&l->pass, false);
    forget_connect(l);
    free(l);
    m->login = NULL;
}
