/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/login_source.h"

#include "broker/access/access.h"
#include "broker/access/acl.h"
#include "broker/access/jwt.h"
#include "broker/access/password.h"

static struct source_answer refuse(const char *setting)
{
    return (struct source_answer){.verdict = SOURCE_REFUSES, .setting = setting};
}

static struct source_answer fail(void)
{
    return (struct source_answer){.verdict = SOURCE_FAILED};
}

struct source_answer source_known(const struct login_claim *c, enum identity_source source,
                                  struct bytes user)
{
    struct identity *who = identity_new(c->door, c->ip, user);

    if (who) who->source = (uint8_t)source;
    return (struct source_answer){.verdict = who ? SOURCE_KNOWS : SOURCE_FAILED, .who = who};
}

/* ---- certificates ------------------------------------------------------------------------- */

static bool has_certificate(const struct login_claim *c)
{
    return c->door && c->door->certificate_is_user && c->certificate.n > 0;
}

bool source_is_certified(const struct login_claim *c, struct bytes user)
{
    return !has_certificate(c) || bytes_eq(user, c->certificate);
}

static struct source_answer by_certificate(const struct login_claim *c)
{
    if (c->has_user && !source_is_certified(c, c->user)) return refuse("listeners: tls: identity");
    return source_known(c, IDENTITY_CERTIFICATE, c->certificate);
}

/* ---- nobody in particular ----------------------------------------------------------------- */

bool login_anonymous(const struct access *a, const struct access_door *d)
{
    if (!d || d->anonymous == DOOR_ALLOWED) return true;
    return d->anonymous == DOOR_AUTO && d->loopback && !access_knows_users(a);
}

static struct source_answer anonymous(const struct access *a, const struct login_claim *c)
{
    if (login_anonymous(a, c->door)) { /* rules may ask from where */
        if (a && a->acl) return source_known(c, IDENTITY_ANYBODY, bytes_of("", 0));
        return (struct source_answer){.verdict = SOURCE_KNOWS};
    }
    struct source_answer no =
        refuse(access_knows_users(a) ? "listeners: anonymous"
                                     : "access.passwords, or listeners: anonymous");
    no.nobody = true;
    return no;
}

/* ---- tokens --------------------------------------------------------------------------------- */

struct source_answer source_given(const struct login_claim *c, enum identity_source source,
                                  const struct source_given *g)
{
    static const struct acl_options plain = {.allow_rest = false};
    struct source_answer s = source_known(c, source, g->user);

    if (!s.who) return s;
    s.who->expires_s = g->expires_s;
    if (!g->rules->given) return s;
    s.who->own = acl_new(g->rules->rule, g->rules->n, &plain);
    if (s.who->own) return s;
    identity_free(&s.who);
    return fail();
}

static struct source_answer by_token(const struct access *a, const struct login_claim *c,
                                     int64_t wall_s)
{
    struct jwt_login login = {.token = c->password, .client_id = c->client_id, .now_s = wall_s};
    struct jwt_identity who;
    enum jwt_refusal why = jwt_verify(a->jwt, &login, &who);

    if (why == JWT_GOOD) {
        struct source_given g = {who.user, &who.rules, who.expires_s};
        struct source_answer yes = source_given(c, IDENTITY_TOKEN, &g);
        jwt_identity_free(&who);
        return yes;
    }
    struct source_answer no = refuse(NULL);
    no.why = jwt_refusal_text(why);
    return no;
}

/* ---- passwords ------------------------------------------------------------------------------ */

static struct source_answer by_password(const struct access *a, const struct login_claim *c)
{
    const struct password_entry *e = password_file_find(a->passwords, c->user);
    int err = 0;

    if (!e && a->hook) return (struct source_answer){.verdict = SOURCE_ASKS};
    if (!c->has_password) return refuse(NULL); /* none is not the empty one */
    if (password_verify(a->passwords, e, c->password, &err))
        return source_known(c, IDENTITY_PASSWORD, c->user);
    return err ? fail() : refuse(NULL);
}

/* ---- all of them ---------------------------------------------------------------------------- */

struct source_answer source_now(const struct access *a, const struct login_claim *c)
{
    if (has_certificate(c)) return by_certificate(c);
    /* A name that nobody can check is no name. */
    bool says_who = c->has_user || c->has_password;
    if (says_who && access_knows_users(a)) return (struct source_answer){.verdict = SOURCE_ASKS};
    return anonymous(a, c);
}

/* A password that has the shape of a token is one, where tokens are taken. */
struct source_answer source_work(const struct access *a, const struct login_claim *c,
                                 int64_t wall_s)
{
    if (a->jwt && c->has_password && jwt_is_token(c->password)) return by_token(a, c, wall_s);
    if (a->passwords) return by_password(a, c);
    if (a->hook) return (struct source_answer){.verdict = SOURCE_ASKS};
    return refuse(NULL);
}
