/* SPDX-License-Identifier: BSD-3-Clause */
/* session_access.c -- what a session may do follows from who it is and from the access
 * configuration in force: worked out when a client comes, and again when the configuration is
 * replaced. Then all sessions are visited, a bounded number per turn, and who could not come in
 * now is sent away. Home's. */
#include "broker/access/grant.h"
#include "broker/access/hook_cache.h"
#include "broker/access/login.h"
#include "broker/internal.h"
#include "broker/session_ask.h"

enum { PASSWORDS_KEPT = 8192 }; /* 300 KiB */

void session_apply_access(struct session *s)
{
    const struct grant *g;

    /* Without memory it is the grant of nothing: closed, not open. */
    access_grant(s->broker->access, s->identity, session_client_id(s), &g);
    session_set_grant(s, g);
    s->asks = session_asks(s);
}

/* Would it be let in today? Who came when addresses did not matter has none to be judged by. */
static bool may_stay(const struct session *s)
{
    const struct access *a = s->broker->access;

    if (!s->identity) return login_anonymous(a, s->door) && !(a && a->acl);
    if (s->identity->user_len == 0) return login_anonymous(a, s->door);
    return access_still_knows(a, s->identity);
}

static void revisit(struct session *s)
{
    if (may_stay(s)) {
        session_apply_access(s);
        return;
    }
    session_set_grant(s, grant_nothing());
    if (s->ops) session_kick(s, KICK_ADMIN);
}

void broker_set_access(struct broker *b, struct access *a)
{
    access_unref(&b->access);
    b->access = a;
    b->reloads++;
    if (a && a->passwords && !b->passwords.slot) /* without memory it keeps nothing */
        password_cache_init(&b->passwords, PASSWORDS_KEPT, b->options.password_cache_s);
    if (b->answers_of_hook) hook_cache_clear(b->answers_of_hook);
    b->revisit = 1;
    core_turn_again(b->core);
}

unsigned access_step(struct broker *b, unsigned budget)
{
    unsigned visited = 0;

    if (LIKELY(!b->revisit)) return 0;
    for (; b->revisit < b->session_ids.cap && visited < budget; b->revisit++, visited++) {
        struct session *s = slots_find(&b->session_ids, b->revisit);
        if (s && !s->dead && !s->restored) revisit(s); /* that one when its client comes */
    }
    if (b->revisit >= b->session_ids.cap)
        b->revisit = 0;
    else
        core_turn_again(b->core);
    return visited;
}
