/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_login.c -- between CONNECT and CONNACK: may it come in, and who is it?
 *
 * Often that is known at once. Where others have to be asked, the connection is not read
 * meanwhile and a copy of its CONNECT waits here, to be decoded again when the answer is
 * there. The time limit for CONNECT goes on. */
#include <stdlib.h>

#include "broker/access/guard.h"
#include "proto/mqtt/mqtt_session_internal.h"

enum { CERTIFICATE_NAME_MAX = 256 };

struct mqtt_login {
    struct login *login;       /* under way */
    struct guard_pass *pass;   /* places that the client takes, as long as it is here */
    struct mqtt_frame connect; /* while `login` is under way; owns its body */
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
    return bad;
}

static void on_answer(void *asker, const struct login_answer *told)
{
    struct mqtt *m = asker;
    struct mqtt_login *l = m->login;
    struct login_answer a = *told;
    struct mqtt_connect c;
    int bad = mqtt_decode_connect(&l->connect, &c);

    ASSERT(!bad); /* it was good before */
    l->login = NULL;
    m->core->connecting = c.client_id;
    bad = decide(m, &c, &a);
    if (bad)
        mqtt_end(m, (unsigned)bad);
    else
        conn_resume(m->conn);
    m->core->connecting = bytes_of(NULL, 0);
    forget_connect(l);
}

/* ---- the question --------------------------------------------------------------------------- */

/* Keeps CONNECT while the login goes on. */
static int log_in_later(struct mqtt *m, const struct mqtt_frame *f, struct login *login)
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
    conn_pause(m->conn);
    return 0;
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
    struct login *login = login_begin(m->core->broker, &claim, on_answer, m, &answer);
    return login ? log_in_later(m, f, login) : decide(m, c, &answer);
}

void mqtt_login_forget(struct mqtt *m)
{
    struct mqtt_login *l = m->login;

    if (!l) return;
    login_cancel(&l->login);
    guard_drop(&l->pass, false);
    forget_connect(l);
    free(l);
    m->login = NULL;
}
