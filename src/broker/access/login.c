/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/login.h"

#include <stdlib.h>

#include "broker/access/access.h"
#include "broker/broker.h"

const char *login_text(enum login_verdict v)
{
    static const char *const texts[LOGIN_VERDICTS] = {
        [LOGIN_TAKEN] = "taken",
        [LOGIN_NO_IDENTITY] = "no identity, and this listener wants one",
        [LOGIN_WRONG] = "wrong user name or password",
        [LOGIN_NOT_ALLOWED] = "not allowed to come in",
        [LOGIN_BUSY] = "too many logins under way",
        [LOGIN_UNAVAILABLE] = "the login can't be checked",
    };
    return texts[v];
}

static struct login_answer refuse(enum login_verdict v, const char *setting)
{
    return (struct login_answer){.verdict = v, .setting = setting};
}

/* It is `user`: the answer that lets it in. */
static struct login_answer take(const struct login_claim *c, struct bytes user)
{
    struct identity *i = malloc(sizeof *i + user.n);

    if (!i) return refuse(LOGIN_UNAVAILABLE, NULL);
    *i = (struct identity){.door = c->door, .user_len = (uint16_t)user.n};
    memcpy(i->ip, c->ip, sizeof i->ip);
    memcpy(i->user, user.p, user.n);
    return (struct login_answer){.verdict = LOGIN_TAKEN, .identity = i};
}

/* ---- certificates ------------------------------------------------------------------------- */

/* A name in CONNECT must be the certificate's: two names would be one too many. */
static struct login_answer by_certificate(const struct login_claim *c)
{
    if (c->has_user && !bytes_eq(c->user, c->certificate))
        return refuse(LOGIN_WRONG, "listeners: tls: identity");
    return take(c, c->certificate);
}

/* ---- nobody in particular ----------------------------------------------------------------- */

bool login_anonymous(const struct access *a, const struct access_door *d)
{
    if (!d || d->anonymous == DOOR_ALLOWED) return true;
    return d->anonymous == DOOR_AUTO && d->loopback && !access_knows_users(a);
}

static struct login_answer anonymous(const struct access *a, const struct login_claim *c)
{
    if (login_anonymous(a, c->door)) return (struct login_answer){.verdict = LOGIN_TAKEN};
    return refuse(LOGIN_NO_IDENTITY, access_knows_users(a)
                                         ? "listeners: anonymous"
                                         : "access.passwords, or listeners: anonymous");
}

/* ---- at once -------------------------------------------------------------------------------- */

bool login_now(const struct access *a, const struct login_claim *c, struct login_answer *answer)
{
    if (c->door && c->door->certificate_is_user && c->certificate.n > 0) {
        *answer = by_certificate(c);
        return true;
    }
    /* A name that nobody can check is no name. */
    bool says_who = c->has_user || c->has_password;
    if (says_who && access_knows_users(a)) return false;
    *answer = anonymous(a, c);
    return true;
}

/* ---- in the background ---------------------------------------------------------------------- */

struct login *login_start(struct broker *b, const struct login_claim *c, login_done *done,
                          void *asker)
{
    (void)b, (void)c, (void)done, (void)asker;
    return NULL;
}

void login_cancel(struct login **l)
{
    *l = NULL;
}
