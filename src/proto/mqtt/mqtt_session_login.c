/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_login.c -- between CONNECT and CONNACK: who is it?
 *
 * Often that is known at once. Where a helper thread or another server has to be asked, the
 * connection is not read meanwhile and a copy of its CONNECT waits here, to be decoded again
 * when the answer is there. The time limit for CONNECT goes on. */
#include <stdlib.h>

#include "proto/mqtt/mqtt_session_internal.h"

enum { CERTIFICATE_NAME_MAX = 256 };

struct mqtt_login {
    struct login *login;
    struct mqtt_frame connect; /* its body lies in `bytes` */
    uint8_t bytes[];
};

static unsigned reason_of(enum login_verdict v)
{
    static const uint8_t reasons[LOGIN_VERDICTS] = {
        [LOGIN_NO_IDENTITY] = MQTT_RC_NOT_AUTHORIZED,
        [LOGIN_WRONG] = MQTT_RC_BAD_USER_NAME_OR_PASSWORD,
        [LOGIN_NOT_ALLOWED] = MQTT_RC_NOT_AUTHORIZED,
        [LOGIN_BUSY] = MQTT_RC_SERVER_BUSY,
        [LOGIN_UNAVAILABLE] = MQTT_RC_SERVER_UNAVAILABLE,
    };
    return reasons[v];
}

/* Lets it come in, or says why not: 0 or a reason. Takes the identity. */
static int decide(struct mqtt *m, const struct mqtt_connect *c, const struct login_answer *a)
{
    if (a->verdict == LOGIN_TAKEN) return mqtt_come_in(m, c, a->identity);
    m->core->why = login_text(a->verdict);
    m->core->setting = a->setting;
    return (int)reason_of(a->verdict);
}

/* ---- later ---------------------------------------------------------------------------------- */

static void on_answer(void *asker, const struct login_answer *a)
{
    struct mqtt *m = asker;
    struct mqtt_login *l = m->login;
    struct mqtt_connect c;
    int bad = mqtt_decode_connect(&l->connect, &c);

    ASSERT(!bad); /* it was good before */
    m->login = NULL;
    m->core->connecting = c.client_id;
    bad = decide(m, &c, a);
    if (bad)
        mqtt_end(m, (unsigned)bad);
    else
        conn_resume(m->conn);
    m->core->connecting = bytes_of(NULL, 0);
    free(l);
}

static int log_in_later(struct mqtt *m, const struct mqtt_frame *f, const struct login_claim *claim)
{
    struct mqtt_login *l = malloc(sizeof *l + f->body.n);

    if (!l) return MQTT_RC_SERVER_UNAVAILABLE;
    memcpy(l->bytes, f->body.p, f->body.n);
    l->connect = *f;
    l->connect.body = bytes_of(l->bytes, f->body.n);
    l->login = login_start(m->core->broker, claim, on_answer, m);
    if (!l->login) {
        free(l);
        return MQTT_RC_SERVER_BUSY;
    }
    m->login = l;
    mqtt_set_state(m, MQTT_LOGIN);
    conn_pause(m->conn);
    return 0;
}

void mqtt_login_forget(struct mqtt *m)
{
    if (!m->login) return;
    login_cancel(&m->login->login);
    free(m->login);
    m->login = NULL;
}

/* ---- at once -------------------------------------------------------------------------------- */

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
    if (!login_now(broker_access(m->core->broker), &claim, &answer))
        return log_in_later(m, f, &claim);
    return decide(m, c, &answer);
}
