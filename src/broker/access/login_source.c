/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/login_source.h"

#include <stdlib.h>

#include "broker/access/access.h"

static struct source_answer refuse(const char *setting)
{
    return (struct source_answer){.verdict = SOURCE_REFUSES, .setting = setting};
}

static struct source_answer know(const struct login_claim *c, struct bytes user)
{
    struct identity *who = identity_new(c->door, c->ip, user);

    return (struct source_answer){.verdict = who ? SOURCE_KNOWS : SOURCE_FAILED, .who = who};
}

/* ---- certificates ------------------------------------------------------------------------- */

/* A name in CONNECT must be the certificate's: two names would be one too many. */
static struct source_answer by_certificate(const struct login_claim *c)
{
    if (c->has_user && !bytes_eq(c->user, c->certificate))
        return refuse("listeners: tls: identity");
    return know(c, c->certificate);
}

/* ---- nobody in particular ----------------------------------------------------------------- */

bool login_anonymous(const struct access *a, const struct access_door *d)
{
    if (!d || d->anonymous == DOOR_ALLOWED) return true;
    return d->anonymous == DOOR_AUTO && d->loopback && !access_knows_users(a);
}

static struct source_answer anonymous(const struct access *a, const struct login_claim *c)
{
    if (login_anonymous(a, c->door)) return (struct source_answer){.verdict = SOURCE_KNOWS};
    struct source_answer no =
        refuse(access_knows_users(a) ? "listeners: anonymous"
                                     : "access.passwords, or listeners: anonymous");
    no.nobody = true;
    return no;
}

/* ---- all of them ---------------------------------------------------------------------------- */

struct source_answer source_now(const struct access *a, const struct login_claim *c)
{
    if (c->door && c->door->certificate_is_user && c->certificate.n > 0) return by_certificate(c);
    /* A name that nobody can check is no name. */
    bool says_who = c->has_user || c->has_password;
    if (says_who && access_knows_users(a)) return (struct source_answer){.verdict = SOURCE_ASKS};
    return anonymous(a, c);
}

struct source_answer source_work(const struct access *a, const struct login_claim *c,
                                 int64_t wall_s)
{
    (void)a, (void)c, (void)wall_s;
    return refuse(NULL);
}
